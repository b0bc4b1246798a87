//! What became of the form: fields signed, filled in, added, taken away.

use super::history::Kept;
use super::signing::Place;
use super::{Judge, Step, coincide, looks, shown};
use crate::pdf::PdfError;
use crate::pdf::form::Field;
use crate::pdf::object::{Dict, Object, Ref};
use crate::pdf::page;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Ways that may lead to a field or a widget: the form, the page, the tags, other notes, and actions that name a field.
pub(super) const FIELD_WAYS: [&[u8]; 12] =
    [b"Fields", b"Kids", b"Parent", b"Annots", b"Obj", b"CO", b"T", b"IRT", b"Popup", b"Data", b"D", b"P"];

/// Annotation flags (ISO 32000-1 table 165).
pub(super) const HIDDEN: i64 = 1 << 1;
const NO_VIEW: i64 = 1 << 5;
const NO_ZOOM: i64 = 1 << 3;
pub(super) const NO_ROTATE: i64 = 1 << 4;

impl Judge<'_, '_, '_> {
    pub(super) fn judge_form(&mut self) -> Result<(), PdfError> {
        let (before, now) = (self.signed.catalog()?, self.newest.catalog()?);
        let (Some(old), Some(new)) = (before.object.dict(), now.object.dict()) else { return Ok(()) };
        self.explain(new.get(b"AcroForm"), old.get(b"AcroForm"), &[b"AcroForm", b"Data"]);
        let old_form = self.signed.get_dict(old, b"AcroForm")?.unwrap_or_else(Dict::empty);
        let new_form = self.newest.get_dict(new, b"AcroForm")?.unwrap_or_else(Dict::empty);
        for key in self.differing(&old_form, &new_form)? {
            self.judge_form_key(&key, &old_form, &new_form)?;
        }
        self.judge_form_resources(&old_form, &new_form)?;
        self.explain(new_form.get(b"Fields"), old_form.get(b"Fields"), &[b"Fields"]);

        let history = self.at.history;
        let (old_fields, new_fields) = (self.at.form()?, history.fields()?);
        history.pay(old_fields.len() + new_fields.len())?;
        let known: HashMap<Ref, &Rc<Kept>> = old_fields.iter().filter_map(|f| Some((f.field.reference?, f))).collect();
        let mut still = HashSet::new();
        for field in new_fields {
            match field.reference.and_then(|r| known.get(&r)) {
                Some(old) => {
                    still.extend(field.reference);
                    if old.parts.iter().any(|part| self.changed.contains(*part)) || old.field.value != field.value {
                        self.judge_field(&old.field, field)?;
                    }
                }
                None => self.judge_new_field(field, old_fields)?,
            }
        }
        let old_fields = old_fields.iter().map(|kept| &kept.field);
        for gone in old_fields.filter(|f| f.reference.is_none_or(|r| !still.contains(&r))) {
            if gone.reference.is_some() {
                let zh = format!("表单域“{}”被删除", gone.name);
                let en = format!("The form field “{}” was removed", gone.name);
                self.forbid("pdf.field-removed", &zh, &en);
            } else if !new_fields.iter().any(|f| f.dict == gone.dict) {
                let (zh, en) = ("表单中直接写入的域被修改", "A field written directly into the form was changed");
                self.doubt("pdf.field-changed", zh, en);
            }
        }
        self.judge_branches()
    }

    /// Fields above fields (§12.7.3.1): all that they had below them, and new fields that were judged as such.
    fn judge_branches(&mut self) -> Result<(), PdfError> {
        let mut placed: Vec<u32> = self.placed.iter().copied().collect();
        while let Some(number) = placed.pop() {
            let Some(loaded) = self.newest.load_number(number)? else { continue };
            let above = loaded.object.dict().and_then(|d| d.get(b"Parent")).and_then(Object::reference);
            let Some(above) = above.filter(|r| self.at.is_new(r.number) && !self.placed.contains(&r.number)) else {
                continue;
            };
            let Some(loaded) = self.newest.load(above)? else { continue };
            let Some(dict) = loaded.object.dict() else { continue };
            let kids = self.newest.get(dict, b"Kids")?;
            let kids = kids.array().unwrap_or_default();
            self.at.history.pay(1 + kids.len())?;
            let plain = dict.entries().iter().all(|e| matches!(&*e.key, b"T" | b"TU" | b"FT" | b"Kids" | b"Parent"));
            if plain && kids.iter().all(|kid| kid.reference().is_some_and(|r| self.placed.contains(&r.number))) {
                self.explained.insert(above.number);
                self.placed.insert(above.number);
                placed.push(above.number);
            }
        }
        for number in self.rewritten.clone() {
            let (Some(old), Some(new)) = (self.signed.load_number(number)?, self.newest.load_number(number)?) else {
                continue;
            };
            let (Some(a), Some(b)) = (old.object.dict(), new.object.dict()) else { continue };
            if self.explained.contains(number) || a.get(b"T").is_none() || a.get(b"Kids").is_none() {
                continue;
            }
            let (was, is) = (self.signed.get(a, b"Kids")?, self.newest.get(b, b"Kids")?);
            let (was, is) = (was.array().unwrap_or_default(), is.array().unwrap_or_default());
            let come = |kid: &&Object| {
                kid.reference().is_some_and(|r| self.at.is_new(r.number) && self.placed.contains(&r.number))
            };
            self.at.history.pay(was.len() + is.len())?;
            let kept = is.iter().filter(|kid| !come(kid));
            if kept.eq(was) && self.differing(a, b)?.iter().all(|key| &**key == b"Kids") {
                self.explain(Some(&Object::Ref(new.reference)), Some(&Object::Ref(old.reference)), &FIELD_WAYS);
                self.explain(b.get(b"Kids"), a.get(b"Kids"), &[b"Kids"]);
            }
        }
        Ok(())
    }

    fn judge_form_key(&mut self, key: &[u8], old: &Dict, new: &Dict) -> Result<(), PdfError> {
        let name = shown(key);
        let (zh, en) = (format!("表单的/{name}被修改"), format!("/{name} of the form was changed"));
        let asks = |value: Object| match value {
            Object::Null => Some(false),
            Object::Bool(asks) => Some(asks),
            _ => None,
        };
        let (asked, asks) = (asks(self.signed.get(old, key)?), asks(self.newest.get(new, key)?));
        match key {
            b"Fields" | b"SigFlags" | b"DR" => {}
            // What was not said before is needed by new fields alone, unless old ones draw their text by it (§12.7.3.3).
            b"DA" | b"Q" if old.get(key).is_none() => {
                for kept in self.at.form()? {
                    let field = &kept.field;
                    if self.signed.get(&field.dict, key)?.is_null() {
                        self.redrawn(field)?;
                    }
                }
                let (zh, en) = ("表单新增了默认外观", "The form got a default appearance");
                self.allow(Step::Validation, zh, en);
            }
            // Said or not, it is the same (§12.7.2 table 218).
            b"NeedAppearances" if (asked, asks) == (Some(false), Some(false)) => {}
            // Viewers then draw every field anew from its value, also one whose picture said something else.
            b"NeedAppearances" if self.leave.locks.is_empty() => {
                let (zh, en) = ("表单要求重新绘制各域", "The form asks viewers to draw its fields anew");
                self.allow(Step::Filling, zh, en);
            }
            b"XFA" => self.forbid("pdf.form-changed", &zh, &en),
            _ => self.doubt("pdf.form-changed", &zh, &en),
        }
        self.explain(new.get(key).filter(|_| key != b"XFA"), None, &[]);
        Ok(())
    }

    fn judge_new_field(&mut self, field: &Field, old_fields: &[Rc<Kept>]) -> Result<(), PdfError> {
        let name = &field.name;
        let fresh = field.reference.is_some_and(|r| self.at.is_new(r.number));
        let mut known = field.dict.entries().iter().all(|e| is_plain_key(&e.key) || &*e.key == b"Parent");
        let kind = self.newest.get(&field.dict, b"Subtype")?;
        known &= kind.is_null() || kind.name() == Some(b"Widget");
        if let Some(parent) = self.newest.get_dict(&field.dict, b"Parent")? {
            let kids = self.newest.get(&parent, b"Kids")?;
            known &= kids.array().into_iter().flatten().any(|kid| kid.reference() == field.reference);
        }
        let mut active = acts(&field.dict);
        let mut placed: Vec<u32> = field.reference.map(|r| r.number).into_iter().collect();
        for kid in self.newest.get(&field.dict, b"Kids")?.array().unwrap_or_default() {
            let widget = self.newest.resolve(kid)?;
            let new = kid.reference().is_some_and(|r| self.at.is_new(r.number));
            active |= widget.dict().is_some_and(acts);
            // Nothing below it: nobody looks there for what is shown.
            let is_plain = |d: &Dict| {
                // What would make it a field of its own is drawn by some readers.
                d.entries().iter().all(|e| is_widget_key(&e.key) || &*e.key == b"Parent") && d.is(b"Subtype", b"Widget")
            };
            known &= new && widget.dict().is_some_and(is_plain);
            placed.extend(kid.reference().map(|r| r.number));
        }
        let (zh, en) = (format_args!("新增了表单域“{name}”"), format_args!("The form field “{name}” was added"));
        if active {
            self.forbid("pdf.action-changed", format_args!("{zh}，并带有动作"), format_args!("{en}, with an action"));
        } else if !(field.is_signature() && fresh && known) {
            self.doubt("pdf.field-added", zh, en);
        }
        if !(field.is_signature() && fresh && known) {
            return Ok(());
        }
        if old_fields.iter().any(|f| f.field.name == *name) {
            let zh = format!("新增的签名域与原有的“{name}”同名");
            let en = format!("A signature field was added under the name “{name}”, which another field has");
            self.doubt("pdf.field-added", &zh, &en);
        }
        if let Some(r) = field.reference {
            self.explained.insert(r.number);
        }
        self.placed.extend(placed);
        for key in [b"AP".as_slice(), b"MK", b"Lock", b"SV", b"Kids", b"DR"] {
            if let Some(value) = field.dict.get(key) {
                self.explain_new(value)?;
            }
        }
        self.judge_signing(field, Place::New)
    }

    fn judge_field(&mut self, old: &Field, new: &Field) -> Result<(), PdfError> {
        self.judge_widgets(old, new)?;
        let was_signed = old.is_signature() && !self.signed.resolve(&old.value)?.is_null();
        if was_signed && old.value.reference().is_some_and(|r| self.changed.contains(r.number)) {
            let zh = format!("“{}”的签名数据被改写", new.name);
            let en = format!("The signature data of “{}” were overwritten", new.name);
            self.forbid("pdf.signed-field-changed", &zh, &en);
        }
        let Some(r) = new.reference else { return Ok(()) };
        let name = &new.name;
        if !self.changed.contains(r.number) {
            // The value or the appearance may be objects of their own that were overwritten in place.
            let valued = |n: u32| self.changed.contains(n);
            let value = new.value.reference().is_some_and(|r| valued(r.number)) && !new.is_signature();
            if value {
                self.explain(Some(&new.value), Some(&old.value), &[b"V", b"DV"]);
            }
            let looks = self.judge_looks(new, &old.dict, &new.dict, &owners(old))?;
            if value || looks {
                self.filled(new, old, was_signed);
            }
            return Ok(());
        }
        let mut strange = None;
        for key in self.differing(&old.dict, &new.dict)? {
            if !self.is_filling(&key, old.is_signature() && !was_signed, &old.dict, &new.dict)? {
                strange = Some(key);
                break;
            }
        }
        if let Some(key) = strange {
            self.judge_strange_key(&key, name);
            self.explained.insert(r.number);
            return Ok(());
        }
        self.explain(Some(&Object::Ref(r)), Some(&Object::Ref(r)), &FIELD_WAYS);
        self.judge_looks(new, &old.dict, &new.dict, &owners(old))?;
        if let Some(value) = new.dict.get(b"MK") {
            self.explain_new(value)?;
        }
        if !was_signed && old.is_signature() && new.is_signature() && !self.newest.resolve(&new.value)?.is_null() {
            let mut place = Place::Planned;
            for dict in self.family(old)? {
                if self.signed.get(&dict, b"F")?.int().unwrap_or(0) & (HIDDEN | NO_VIEW) != 0 {
                    place = Place::Unseen;
                }
            }
            return self.judge_signing(new, place);
        }
        self.explain_new(&new.value)?;
        self.filled(new, old, was_signed);
        Ok(())
    }

    /// A field, or what it shows, is another than when it was signed.
    fn filled(&mut self, new: &Field, old: &Field, was_signed: bool) {
        let name = &new.name;
        if was_signed || new.is_signature() != old.is_signature() {
            let (zh, en) = (format!("已签名的“{name}”被修改"), format!("“{name}”, already signed, was changed"));
            self.forbid("pdf.signed-field-changed", &zh, &en);
        } else if old.is_signature() {
            let (zh, en) =
                (format!("空签名域“{name}”被修改"), format!("The empty signature field “{name}” was changed"));
            self.doubt("pdf.field-changed", &zh, &en);
        }
        if self.leave.locks.iter().any(|l| l.holds(name)) {
            let (zh, en) =
                (format!("已锁定的表单域“{name}”被修改"), format!("The locked form field “{name}” was changed"));
            self.forbid("pdf.locked-field-changed", &zh, &en);
        }
        let (zh, en) = (format!("填写了表单域“{name}”"), format!("The form field “{name}” was filled in"));
        self.allow(Step::Filling, &zh, &en);
    }

    /// Whether a key of a field or widget may differ because the field was filled in (or signed).
    fn is_filling(&self, key: &[u8], signing: bool, old: &Dict, new: &Dict) -> Result<bool, PdfError> {
        let numbers = || -> Result<(i64, i64), PdfError> {
            let (old, new) = (self.signed.get(old, key)?, self.newest.get(new, key)?);
            // What 32 bits do not hold is another number to some readers: all bits count as turned.
            let read = |flags: &Object| flags.int().unwrap_or(0);
            let fits = (0..1 << 31).contains(&read(&new));
            Ok((read(&old), if fits { read(&new) } else { !read(&old) }))
        };
        Ok(match key {
            b"V" | b"AP" | b"AS" | b"DA" | b"Q" | b"I" | b"TI" | b"RV" | b"M" => true,
            b"MK" => signing,
            // What a field is drawn with, whose picture may change anyway; some writers note the border they draw.
            b"BS" => !signing,
            b"Rect" => {
                let (was, is) = (self.signed.get(old, key)?, self.newest.get(new, key)?);
                let (was, is) = (page::rectangle(self.signed, &was)?, page::rectangle(self.newest, &is)?);
                // Nothing was to be seen there, and who signs shows nothing either.
                let unseen = || -> Result<bool, PdfError> {
                    let nowhere = is.is_some_and(|[left, bottom, right, top]| left == right && bottom == top);
                    Ok(signing
                        && nowhere
                        && looks::of(self.signed, old, None, &self.at.history.drawn)?.looks.is_blank())
                };
                was.zip(is).is_some_and(|(was, is)| coincide(&was, &is)) || unseen()?
            }
            b"Type" => new.is(b"Type", b"Annot"),
            // What is hidden stays hidden and what shows goes on showing, but for a signature that comes to be seen.
            b"F" => {
                let (before, after) = numbers()?;
                let turned = (before ^ after) & (HIDDEN | NO_VIEW | NO_ZOOM | NO_ROTATE);
                turned == 0 || signing && turned & after == 0
            }
            // Read-only, required, not exported: who may fill in next. The others say what the field is.
            b"Ff" => {
                let (before, after) = numbers()?;
                (before ^ after) & !0b111 == 0
            }
            b"StructParent" => old.get(key).is_none() && new.get(key).and_then(Object::int).is_some(),
            b"P" => {
                old.get(key).is_none()
                    && new.get(key).and_then(Object::reference).is_some_and(|r| self.at.history.is_page(r.number))
            }
            _ => false,
        })
    }

    fn judge_strange_key(&mut self, key: &[u8], field: &str) {
        let key = shown(key);
        let zh = format!("表单域“{field}”的/{key}被修改");
        let en = format!("/{key} of the form field “{field}” was changed");
        match key.as_str() {
            "Rect" | "F" => {
                let zh = format!("表单域“{field}”在页面上的位置或可见性被修改");
                let en = format!("The form field “{field}” was moved, resized, hidden or shown");
                self.doubt("pdf.field-moved", &zh, &en);
            }
            "A" | "AA" => self.forbid("pdf.action-changed", &zh, &en),
            "OC" => self.forbid("pdf.layers-changed", &zh, &en),
            _ => self.doubt("pdf.field-changed", &zh, &en),
        }
    }

    /// The field's widgets, where they are objects of their own: their looks follow the field's value.
    fn judge_widgets(&mut self, old: &Field, new: &Field) -> Result<(), PdfError> {
        let (Object::Array(before), Object::Array(now)) =
            (self.signed.get(&old.dict, b"Kids")?, self.newest.get(&new.dict, b"Kids")?)
        else {
            return Ok(());
        };
        let signing = old.is_signature() && self.signed.resolve(&old.value)?.is_null();
        let was_signed = old.is_signature() && !signing;
        let mut owners = owners(old);
        owners.extend(before.iter().filter_map(Object::reference).map(|r| r.number));
        let known: HashSet<Ref> = before.iter().filter_map(Object::reference).collect();
        for r in now.iter().filter_map(Object::reference).filter(|r| known.contains(r)) {
            let (Some(a), Some(b)) = (self.signed.load(r)?, self.newest.load(r)?) else { continue };
            let (Some(a), Some(b)) = (a.object.dict(), b.object.dict()) else { continue };
            let changed = self.changed.contains(r.number);
            let mut strange = None;
            if changed {
                for key in self.differing(a, b)? {
                    if strange.is_none() && !self.is_filling(&key, signing, a, b)? {
                        strange = Some(key);
                    }
                }
            }
            if let Some(key) = strange {
                self.judge_strange_key(&key, &new.name);
                self.explained.insert(r.number);
                continue;
            }
            let looks = self.judge_looks(new, a, b, &owners)?;
            if changed {
                self.explain(Some(&Object::Ref(r)), Some(&Object::Ref(r)), &FIELD_WAYS);
            }
            // What a signature shows when it is made is judged with it.
            let signed_now = signing && !self.newest.resolve(&new.value)?.is_null();
            if (changed || looks) && !signed_now {
                self.filled(new, old, was_signed);
            }
        }
        Ok(())
    }

    /// What a widget shows, normally, under the pointer and pressed (§12.5.5). New pictures are explained; old ones may
    /// be overwritten only where nothing but this field's own widgets shows them. True where an old one was.
    fn judge_looks(&mut self, field: &Field, a: &Dict, b: &Dict, owners: &HashSet<u32>) -> Result<bool, PdfError> {
        let name = &field.name;
        let (old, new) = (a.get(b"AP"), b.get(b"AP"));
        let Some(new) = new else { return Ok(false) };
        let mut family = owners.clone();
        let mut overwritten = false;
        // The appearance dictionary, and in it those with one picture for each state.
        let mut containers = Vec::new();
        containers.extend(new.reference());
        if let Some(looks) = self.newest.resolve(new)?.dict() {
            let states = looks.entries().iter().filter_map(|e| e.value.reference());
            for r in states {
                if matches!(self.newest.load(r)?.as_ref().map(|l| &l.object), Some(Object::Dict(_))) {
                    containers.push(r);
                }
            }
        }
        for r in containers {
            overwritten |= self.overwrites(r.number, name, &family);
            if self.is_of(r.number, &family) {
                family.insert(r.number);
            }
        }
        let mut pictures = Vec::new();
        if let Some(looks) = self.newest.resolve(new)?.dict() {
            for entry in looks.entries() {
                match self.newest.resolve(&entry.value)? {
                    Object::Dict(states) => pictures.extend(states.entries().iter().map(|e| e.value.clone())),
                    _ => pictures.push(entry.value.clone()),
                }
            }
        }
        for picture in pictures.iter().filter_map(Object::reference) {
            overwritten |= self.overwrites(picture.number, name, &family);
            if let Some(Object::Stream(stream)) = self.newest.load(picture)?.map(|l| l.object.clone()) {
                self.explain_new(&Object::Dict(stream.dict))?;
            }
        }
        self.explain_new(new)?;
        if (overwritten || old != Some(new)) && !looks::is_bounded(self.newest, b)? {
            let zh = format!("“{name}”的图案没有边界，可能画到整个页面上");
            let en = format!("What “{name}” shows has no edges, and may be drawn over all of the page");
            self.doubt("pdf.appearance-unbounded", &zh, &en);
        }
        // The appearance that the field had may also be shown by something else, which now shows another than the field.
        if old != Some(new)
            && let Some(r) = old.and_then(Object::reference)
            && let Some(way) = self.at.ways(r.number).find(|way| !matches!(&*way.keys[1], b"AP" | b""))
        {
            let key = shown(&way.keys[1]);
            let zh = format!("“{name}”原来的图案在文件别处（/{key}）另有用途，现已与域中显示的不同");
            let en = format!("What “{name}” showed is also used elsewhere (/{key}), which now differs from the field");
            self.doubt("pdf.shared-appearance", &zh, &en);
        }
        Ok(overwritten)
    }

    /// Whether what was signed leads to an object from these alone.
    fn is_of(&self, number: u32, family: &HashSet<u32>) -> bool {
        let mut ways = self.at.ways(number).peekable();
        self.at.is_new(number) || ways.peek().is_some() && ways.all(|way| family.contains(&way.from))
    }

    /// An appearance that was there has been overwritten in place.
    fn overwrites(&mut self, number: u32, field: &str, family: &HashSet<u32>) -> bool {
        if !self.changed.contains(number) || self.at.is_new(number) {
            return false;
        }
        if self.is_of(number, family) {
            self.explained.insert(number);
        } else {
            let zh = format!("“{field}”的图案（对象{number}）被改写，而文件别处也使用它");
            let en = format!("The picture of “{field}” (object {number}) was overwritten, and is used elsewhere too");
            self.doubt("pdf.shared-appearance", &zh, &en);
        }
        true
    }
}

/// Keys that a signature field made later may have.
fn is_plain_key(key: &[u8]) -> bool {
    let field =
        matches!(key, b"FT" | b"T" | b"TU" | b"TM" | b"V" | b"Ff" | b"Lock" | b"SV" | b"DA" | b"Q" | b"DR" | b"Kids");
    field || is_widget_key(key)
}

/// Those among them that say how it is shown.
fn is_widget_key(key: &[u8]) -> bool {
    let shown =
        matches!(key, b"Type" | b"Subtype" | b"F" | b"Rect" | b"P" | b"AP" | b"AS" | b"MK" | b"Border" | b"BS" | b"H");
    shown || matches!(key, b"StructParent" | b"NM" | b"M")
}

fn owners(field: &Field) -> HashSet<u32> {
    field.reference.map(|r| r.number).into_iter().collect()
}

fn acts(dict: &Dict) -> bool {
    dict.get(b"A").is_some() || dict.get(b"AA").is_some()
}
