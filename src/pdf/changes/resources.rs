//! What fields are drawn with where viewers draw them anew: the form's fonts and other resources (ISO 32000-1 §12.7.3.3).

use super::{Judge, Step, history};
use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::form::Field;
use crate::pdf::lex::Lexer;
use crate::pdf::object::{Dict, Object};
use std::rc::Rc;

impl Judge<'_, '_, '_> {
    /// Fields are drawn with these: more may come, none of them may change.
    pub(super) fn judge_form_resources(&mut self, old: &Dict, new: &Dict) -> Result<(), PdfError> {
        let before = self.signed.get_dict(old, b"DR")?.unwrap_or_else(Dict::empty);
        let now = self.newest.get_dict(new, b"DR")?.unwrap_or_else(Dict::empty);
        let home = old.get(b"DR").and_then(Object::reference).map(|r| r.number);
        self.explain(new.get(b"DR"), old.get(b"DR"), &[b"DR"]);
        let mut kept = before.entries().iter().all(|e| now.get(&e.key).is_some());
        let mut grown = false;
        for kind in now.entries() {
            let previous = before.get(&kind.key);
            self.explain_where(Some(&kind.value), previous, |way| &*way.keys[0] == b"DR" || Some(way.from) == home);
            let (was, is) = (previous.map(|p| self.signed.resolve(p)).transpose()?, self.newest.resolve(&kind.value)?);
            match (was.as_ref().and_then(Object::dict), is.dict()) {
                // Only what a default appearance (/DA) names draws a field; some writers keep their last picture here.
                (Some(was), Some(is)) if matches!(&*kind.key, b"XObject" | b"ProcSet") => {
                    self.judge_resources(old, is, Some(was))?;
                }
                (Some(was), Some(is)) => {
                    for entry in was.entries() {
                        kept &=
                            is.get(&entry.key).map(|now| self.alike(&entry.value, now, 8)).transpose()? == Some(true);
                    }
                    grown |= is.entries().len() > was.entries().len();
                    self.judge_resources(old, is, Some(was))?;
                }
                (None, is) => {
                    grown = true;
                    self.judge_resources(old, is.unwrap_or(&Dict::empty()), None)?;
                }
                // A list of procedure sets.
                _ => kept &= self.alike(previous.unwrap_or(&Object::Null), &kind.value, 8)?,
            }
            self.explain_new(&is)?;
        }
        if !kept {
            let (zh, en) =
                ("表单域使用的字体等资源被修改", "Fonts or other resources that form fields use were changed");
            self.forbid("pdf.form-resources-changed", zh, en);
        } else if grown {
            self.allow(Step::Validation, "表单新增了字体等资源", "The form got more fonts or other resources");
        }
        Ok(())
    }

    /// A name that was without a meaning may be what an old field's default appearance asks for.
    fn judge_resources(&mut self, form: &Dict, named: &Dict, before: Option<&Dict>) -> Result<(), PdfError> {
        let is_new = |name: &[u8]| named.get(name).is_some() && before.is_none_or(|before| before.get(name).is_none());
        if before.is_some_and(|before| named.entries().iter().all(|e| before.get(&e.key).is_some())) {
            return Ok(());
        }
        for kept in self.at.form()? {
            let mut family = self.family(&kept.field)?;
            family.push(form.clone());
            for dict in family {
                let asks = self.signed.get(&dict, b"DA")?.string().map(<[u8]>::to_vec).unwrap_or_default();
                self.at.history.pay(1 + asks.len() / 16)?;
                if names_in(&asks).iter().any(|name| is_new(name)) {
                    self.redrawn(&kept.field)?;
                }
            }
        }
        // Remarks without a picture are written with the form's fonts (§12.5.6.6).
        for page in history::pages(self.signed)? {
            for note in self.signed.get(&page.dict, b"Annots")?.array().unwrap_or_default() {
                self.at.history.pay(1)?;
                let Object::Dict(note) = self.signed.resolve(note)? else { continue };
                let asks = self.signed.get(&note, b"DA")?.string().map(<[u8]>::to_vec).unwrap_or_default();
                if note.is(b"Subtype", b"FreeText") && names_in(&asks).iter().any(|name| is_new(name)) {
                    let (zh, en) = ("表单的改动会改变批注的显示", "A change of the form changes how a remark is drawn");
                    self.allow(Step::Annotating, zh, en);
                }
            }
        }
        Ok(())
    }

    /// A field of the signed state with its widgets and the fields above it.
    pub(super) fn family(&self, field: &Field) -> Result<Vec<Dict>, PdfError> {
        let mut family = vec![field.dict.clone()];
        for kid in self.signed.get(&field.dict, b"Kids")?.array().unwrap_or_default() {
            family.extend(self.signed.resolve(kid)?.dict().cloned());
        }
        let mut above = self.signed.get_dict(&field.dict, b"Parent")?;
        for _ in 0..limits::PDF_NESTING {
            let Some(dict) = above else { break };
            above = self.signed.get_dict(&dict, b"Parent")?;
            family.push(dict);
        }
        self.at.history.pay(family.len())?;
        Ok(family)
    }

    /// Viewers that draw fields anew from their values draw this one otherwise, if there is anything to draw.
    pub(super) fn redrawn(&mut self, field: &Field) -> Result<(), PdfError> {
        let mut nothing = match self.signed.resolve(&field.value)? {
            Object::Null => field.kind != b"Btn",
            Object::String(value) => value.is_empty(),
            _ => false,
        };
        // A list shows what it offers.
        for dict in self.family(field)? {
            nothing &= self.signed.get(&dict, b"Opt")?.is_null();
        }
        if field.is_signature() || nothing {
            return Ok(());
        }
        let name = &field.name;
        if self.leave.locks.iter().any(|l| l.holds(name)) {
            let zh = format!("表单的改动会改变已锁定的“{name}”的显示");
            let en = format!("A change of the form changes how “{name}” is drawn, which is locked");
            self.forbid("pdf.locked-field-changed", &zh, &en);
        }
        let zh = format!("表单的改动会改变“{name}”的显示");
        let en = format!("A change of the form changes how “{name}” is drawn");
        self.allow(Step::Filling, &zh, &en);
        Ok(())
    }
}

/// The names in a default appearance, whatever stands between them.
fn names_in(appearance: &[u8]) -> Vec<Rc<[u8]>> {
    let mut lexer = Lexer::at(appearance, 0);
    let mut names = Vec::new();
    while lexer.peek().is_some() {
        match lexer.peek() {
            Some(b'/') => match lexer.object() {
                Ok(Object::Name(name)) => names.push(name),
                _ => lexer.pos += 1,
            },
            _ => lexer.pos += 1,
        }
    }
    names
}
