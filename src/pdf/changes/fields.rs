//! What became of the form: fields signed, filled in, added, taken away.

use super::{Judge, LaterChanges, Step, differing};
use crate::pdf::PdfError;
use crate::pdf::form::{self, Field};
use crate::pdf::object::{Dict, Object, Ref};
use std::collections::{HashMap, HashSet};

impl Judge<'_, '_> {
    pub(super) fn judge_form(&mut self) -> Result<(), PdfError> {
        let (before, now) = (self.signed.catalog()?, self.newest.catalog()?);
        let (Some(old), Some(new)) = (before.object.dict(), now.object.dict()) else { return Ok(()) };
        self.explain(new.get(b"AcroForm"), old.get(b"AcroForm"));
        let old_form = self.signed.get_dict(old, b"AcroForm")?.unwrap_or_else(Dict::empty);
        let new_form = self.newest.get_dict(new, b"AcroForm")?.unwrap_or_else(Dict::empty);
        for key in differing(&old_form, &new_form) {
            match &*key {
                b"Fields" | b"SigFlags" => {}
                b"DR" | b"DA" | b"Q" | b"NeedAppearances" => {
                    if let Some(value) = new_form.get(&key) {
                        self.explain(Some(value), old_form.get(&key));
                        let value = self.newest.resolve(value)?;
                        self.explain_new(&value)?;
                    }
                    self.allow(Step::Signing, "表单的默认外观被修改", "The form's default appearance was changed");
                }
                _ => {
                    let key = String::from_utf8_lossy(&key).into_owned();
                    self.doubt(&format!("表单的/{key}被修改"), &format!("/{key} of the form was changed"));
                }
            }
        }
        self.explain(new_form.get(b"Fields"), old_form.get(b"Fields"));
        let (old_fields, new_fields) = (form::fields(self.signed)?, form::fields(self.newest)?);
        let mut known: HashMap<Ref, &Field> = HashMap::new();
        known.extend(old_fields.iter().filter_map(|f| Some((f.reference?, f))));
        let mut still = HashSet::new();
        for field in &new_fields {
            match field.reference.and_then(|r| known.get(&r)) {
                Some(old) => {
                    still.extend(field.reference);
                    self.judge_field(old, field)?;
                }
                None => self.judge_new_field(field)?,
            }
        }
        for gone in old_fields.iter().filter(|f| f.reference.is_none_or(|r| !still.contains(&r))) {
            if gone.reference.is_some() {
                let (zh, en) =
                    (format!("表单域“{}”被删除", gone.name), format!("The form field “{}” was removed", gone.name));
                self.forbid(&zh, &en);
            } else if !new_fields.iter().any(|f| f.dict == gone.dict) {
                self.doubt("表单中直接写入的域被修改", "A field written directly into the form was changed");
            }
        }
        Ok(())
    }

    fn judge_new_field(&mut self, field: &Field) -> Result<(), PdfError> {
        const KEYS: [&[u8]; 23] = [
            b"Type", b"Subtype", b"FT", b"T", b"TU", b"TM", b"V", b"F", b"Ff", b"Rect", b"P", b"AP", b"AS", b"MK",
            b"Lock", b"SV", b"DA", b"Q", b"Border", b"BS", b"Kids", b"H", b"DR",
        ];
        let name = &field.name;
        let fresh = field.reference.is_some_and(|r| self.is_new(r.number));
        let plain = |dict: &Dict| dict.entries().iter().all(|e| KEYS.contains(&&*e.key));
        let mut known = plain(&field.dict);
        for kid in self.newest.get(&field.dict, b"Kids")?.array().unwrap_or_default() {
            let widget = self.newest.resolve(kid)?;
            known &= widget
                .dict()
                .is_some_and(|d| d.entries().iter().all(|e| KEYS.contains(&&*e.key) || &*e.key == b"Parent"));
        }
        if !(field.is_signature() && fresh && known) {
            self.doubt(&format!("新增了表单域“{name}”"), &format!("The form field “{name}” was added"));
            return Ok(());
        }
        if let Some(r) = field.reference {
            self.explained.insert(r.number);
        }
        for key in [b"AP".as_slice(), b"MK", b"Lock", b"SV", b"Kids", b"DR"] {
            if let Some(value) = field.dict.get(key) {
                self.explain_new(value)?;
            }
        }
        self.judge_signing(field, Step::NewField)
    }

    /// A field has been signed since: the signature is new, and a picture over the page is worth a word.
    fn judge_signing(&mut self, field: &Field, step: Step) -> Result<(), PdfError> {
        let name = &field.name;
        let Object::Dict(signature) = self.newest.resolve(&field.value)? else {
            self.allow(
                step,
                &format!("新增了空的签名域“{name}”"),
                &format!("The empty signature field “{name}” was added"),
            );
            return Ok(());
        };
        self.explain_new(&field.value)?;
        if self.leave.locks.iter().any(|l| l.holds(name)) {
            let (zh, en) = (format!("“{name}”已被锁定却又签名"), format!("“{name}” was signed though it was locked"));
            self.forbid(&zh, &en);
        }
        if signature.is(b"Type", b"DocTimeStamp") {
            self.allow(Step::Validation, "添加了文档时间戳", "A document time stamp was added");
            return Ok(());
        }
        self.allow(step, &format!("后来又加了签名“{name}”"), &format!("The signature “{name}” was added later"));
        let rect = self.newest.get(&field.dict, b"Rect")?;
        let sides: Vec<f64> = rect.array().into_iter().flatten().filter_map(Object::number).collect();
        if matches!(sides.as_slice(), [a, b, c, d] if a != c && b != d) {
            let (zh, en) = ("后加签名的图案显示在页面上", "The later signature shows a picture on the page");
            self.say(LaterChanges::Allowed, "pdf.later-signature-visible", zh, en);
        }
        Ok(())
    }

    fn judge_field(&mut self, old: &Field, new: &Field) -> Result<(), PdfError> {
        const FILLED: [&[u8]; 9] = [b"V", b"AP", b"AS", b"F", b"Ff", b"Type", b"DA", b"Q", b"MK"];
        self.judge_widgets(old, new)?;
        let Some(r) = new.reference.filter(|r| self.changed.contains(&r.number)) else { return Ok(()) };
        let name = &new.name;
        let differing = differing(&old.dict, &new.dict);
        if let Some(key) = differing.iter().find(|k| !FILLED.contains(&&***k)) {
            let key = String::from_utf8_lossy(key).into_owned();
            self.doubt(
                &format!("表单域“{name}”的/{key}被修改"),
                &format!("/{key} of the form field “{name}” was changed"),
            );
            return Ok(());
        }
        let was_signed = old.is_signature() && !self.signed.resolve(&old.value)?.is_null();
        if was_signed || !new.is_signature() && old.is_signature() {
            self.forbid(&format!("已签名的“{name}”被修改"), &format!("“{name}”, already signed, was changed"));
            return Ok(());
        }
        if self.leave.locks.iter().any(|l| l.holds(name)) {
            self.forbid(
                &format!("已锁定的表单域“{name}”被修改"),
                &format!("The locked form field “{name}” was changed"),
            );
        }
        self.explained.insert(r.number);
        for key in [b"AP".as_slice(), b"MK"] {
            if let Some(value) = new.dict.get(key) {
                self.explain_new(value)?;
            }
        }
        if new.is_signature() {
            self.judge_signing(new, Step::Signing)
        } else {
            self.explain_new(&new.value)?;
            self.allow(
                Step::Filling,
                &format!("填写了表单域“{name}”"),
                &format!("The form field “{name}” was filled in"),
            );
            Ok(())
        }
    }

    /// The field's widgets, where they are objects of their own: their looks follow the field's value.
    fn judge_widgets(&mut self, old: &Field, new: &Field) -> Result<(), PdfError> {
        const LOOKS: [&[u8]; 5] = [b"AP", b"AS", b"F", b"MK", b"Type"];
        let (Object::Array(before), Object::Array(now)) =
            (self.signed.get(&old.dict, b"Kids")?, self.newest.get(&new.dict, b"Kids")?)
        else {
            return Ok(());
        };
        for r in now.iter().filter(|k| before.contains(k)).filter_map(Object::reference) {
            if !self.changed.contains(&r.number) {
                continue;
            }
            let (Some(a), Some(b)) = (self.signed.load(r)?, self.newest.load(r)?) else { continue };
            let (Some(a), Some(b)) = (a.object.dict(), b.object.dict()) else { continue };
            if differing(a, b).iter().all(|k| LOOKS.contains(&&**k)) {
                self.explained.insert(r.number);
                if let Some(value) = b.get(b"AP") {
                    self.explain_new(value)?;
                }
                let name = &new.name;
                if self.leave.locks.iter().any(|l| l.holds(name)) {
                    self.forbid(
                        &format!("已锁定的表单域“{name}”被修改"),
                        &format!("The locked form field “{name}” was changed"),
                    );
                }
                self.allow(
                    Step::Filling,
                    &format!("填写了表单域“{name}”"),
                    &format!("The form field “{name}” was filled in"),
                );
            }
        }
        Ok(())
    }
}
