//! What happened to a document after it was signed: the signed state and the newest state are compared object by
//! object, and every difference must be explained by a whitelist. What is not explained is a change.
//!
//! The states are the file cut at the signed length and the file as it is, so both are read as a viewer would have.

use super::PdfError;
use super::file::File;
use super::object::{Dict, Object};
use super::page;
use super::reach::{deep, follow, reachable};
use crate::limits;
use crate::message::Message;
use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

mod fields;

/// The worst that happened since, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LaterChanges {
    None,
    Allowed,
    Suspicious,
    Forbidden,
}

/// What the signatures so far let others do.
#[derive(Debug, Clone, Default)]
pub(super) struct Leave {
    /// Lowest DocMDP level in force, 1 to 3.
    pub level: Option<i64>,
    pub locks: Vec<Lock>,
}

/// FieldMDP (ISO 32000-1 table 256).
#[derive(Debug, Clone)]
pub(super) enum Lock {
    All,
    Only(Vec<String>),
    AllBut(Vec<String>),
}

impl Lock {
    fn holds(&self, field: &str) -> bool {
        let named = |names: &[String]| {
            names.iter().any(|n| field == n || field.strip_prefix(n.as_str()).is_some_and(|rest| rest.starts_with('.')))
        };
        match self {
            Self::All => true,
            Self::Only(names) => named(names),
            Self::AllBut(names) => !named(names),
        }
    }
}

/// Compares the signed state with the newest.
pub(super) fn compare(signed: &File<'_>, newest: &File<'_>, leave: &Leave) -> (LaterChanges, Vec<Message>) {
    let mut judge = Judge {
        signed,
        newest,
        leave,
        changed: BTreeSet::new(),
        promised: HashSet::new(),
        explained: HashSet::new(),
        worst: LaterChanges::None,
        why: Vec::new(),
    };
    if let Err(error) = judge.run() {
        let m = error.message();
        judge.say(LaterChanges::Suspicious, "pdf.changes-unreadable", &m.zh, &m.en);
    }
    (judge.worst, judge.why)
}

/// How far a change goes, in the steps of DocMDP.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Validation data and document time stamps: allowed at every level (ISO 32000-2 §12.8.2.2.2).
    Validation,
    /// A signature in a field that was there: at every level but 1, and where no certification stands.
    Signing,
    /// A signature in a new field, which is a new annotation: under a certification from level 3 (table 254).
    NewField,
    /// Filling in: only where the author said so, by level 2 or 3 or by locking some fields and not others.
    Filling,
}

struct Judge<'j, 'a> {
    signed: &'j File<'a>,
    newest: &'j File<'a>,
    leave: &'j Leave,
    changed: BTreeSet<u32>,
    /// Numbers that the signed state refers to without having them: whoever defines one later changes what was signed.
    promised: HashSet<u32>,
    explained: HashSet<u32>,
    worst: LaterChanges,
    why: Vec<Message>,
}

impl Judge<'_, '_> {
    fn run(&mut self) -> Result<(), PdfError> {
        if !self.find_changes()? {
            return Ok(());
        }
        self.say(
            LaterChanges::Allowed,
            "pdf.changed-later",
            "签名之后文件有后续更新",
            "The file was updated after this signature",
        );
        self.judge_trailer()?;
        self.judge_catalog()?;
        self.judge_form()?;
        self.judge_pages()?;
        self.judge_the_rest()
    }

    fn say(&mut self, worst: LaterChanges, id: &'static str, zh: &str, en: &str) {
        self.worst = self.worst.max(worst);
        if self.why.len() < limits::PDF_FINDINGS && !self.why.iter().any(|m| m.id == id && m.en == en) {
            self.why.push(Message::new(id, zh, en));
        }
    }

    /// A change that is understood; whether it was allowed is a matter of level.
    fn allow(&mut self, step: Step, zh: &str, en: &str) {
        match (step, self.leave.level) {
            (Step::Signing | Step::NewField | Step::Filling, Some(1)) | (Step::NewField, Some(2)) => {
                let (zh, en) =
                    (format!("{zh}，但认证签名不允许"), format!("{en}, which the certification does not allow"));
                self.say(LaterChanges::Forbidden, "pdf.docmdp-violated", &zh, &en);
            }
            (Step::Filling, None) if self.leave.locks.is_empty() => {
                let (zh, en) =
                    (format!("{zh}，而签名未曾允许填写"), format!("{en}, and no signature allowed filling in"));
                self.say(LaterChanges::Suspicious, "pdf.filled-in-later", &zh, &en);
            }
            _ => self.say(LaterChanges::Allowed, "pdf.allowed-change", zh, en),
        }
    }

    /// A change nobody may make to a signed document.
    fn forbid(&mut self, zh: &str, en: &str) {
        self.say(LaterChanges::Forbidden, "pdf.forbidden-change", zh, en);
    }

    /// A change that is not understood. A certification below level 3 forbids what it does not name.
    fn doubt(&mut self, zh: &str, en: &str) {
        let closed = self.leave.level.is_some_and(|level| level < 3);
        let worst = if closed { LaterChanges::Forbidden } else { LaterChanges::Suspicious };
        self.say(worst, "pdf.unexplained-change", zh, en);
    }

    /// Fills `changed` with every object that means something else now. False where the newest state is the signed one.
    fn find_changes(&mut self) -> Result<bool, PdfError> {
        let before: Vec<usize> = self.signed.sections().map(|s| s.offset).collect();
        let after: Vec<usize> = self.newest.sections().map(|s| s.offset).collect();
        if !after.ends_with(&before) {
            self.forbid("后续更新改写了已签名部分的索引", "A later update rewrote the index of what was signed");
        }
        let new = after.len().saturating_sub(before.len());
        let mut numbers = BTreeSet::new();
        for section in self.newest.sections().take(new) {
            numbers.extend(section.numbers()?);
            if numbers.len() > limits::PDF_COMPARED {
                return Err(PdfError::OverLimit { what: "changed objects", limit: limits::PDF_COMPARED as u64 });
            }
        }
        if new > 0 {
            self.promised = reachable(self.signed, None)?;
        }
        for number in numbers {
            let same = match (self.signed.load_number(number), self.newest.load_number(number)) {
                (Ok(None), Ok(None)) => true,
                (Ok(Some(a)), Ok(Some(b))) => a.reference == b.reference && self.same(&a.object, &b.object)?,
                _ => false,
            };
            if !same {
                self.changed.insert(number);
            }
        }
        Ok(new > 0)
    }

    /// Equal in meaning; a stream that moved is compared by its stored bytes.
    fn same(&self, a: &Object, b: &Object) -> Result<bool, PdfError> {
        match (a, b) {
            (Object::Stream(a), Object::Stream(b)) => {
                Ok(a.dict == b.dict && (a.start == b.start || self.signed.same_stored(a, self.newest, b)?))
            }
            _ => Ok(a == b),
        }
    }

    fn is_new(&self, number: u32) -> bool {
        matches!(self.signed.load_number(number), Ok(None)) && !self.promised.contains(&number)
    }

    /// The object may be this role's: it is new, or it had the role before.
    fn explain(&mut self, now: Option<&Object>, before: Option<&Object>) {
        if let Some(r) = now.and_then(Object::reference)
            && (self.is_new(r.number) || before.and_then(Object::reference) == Some(r))
        {
            self.explained.insert(r.number);
        }
    }

    /// Explains every new object that can be reached from here. Objects that were there before stay unexplained, and
    /// the ways back up and across (/Parent, /P, /Data, /Dest) are not followed.
    fn explain_new(&mut self, from: &Object) -> Result<(), PdfError> {
        let mut waiting = vec![from.clone()];
        while let Some(object) = waiting.pop() {
            match object {
                Object::Ref(r) if self.is_new(r.number) && self.explained.insert(r.number) => {
                    if let Some(loaded) = self.newest.load(r)? {
                        waiting.push(loaded.object.clone());
                    }
                }
                Object::Array(items) => waiting.extend(items.iter().filter(|o| deep(o)).cloned()),
                Object::Dict(dict) => follow(&dict, &mut waiting),
                Object::Stream(stream) => follow(&stream.dict, &mut waiting),
                _ => {}
            }
        }
        Ok(())
    }

    fn judge_trailer(&mut self) -> Result<(), PdfError> {
        let (before, now) = (self.signed.trailer(), self.newest.trailer());
        // A new catalog in place of the old one is compared with it key by key, as a changed one is; an object that
        // was something else before is not a catalog.
        if before.get(b"Root") != now.get(b"Root") {
            match now.get(b"Root").and_then(Object::reference) {
                Some(root) if self.is_new(root.number) => {
                    self.explained.insert(root.number);
                }
                _ => self.forbid("文件目录（Root）被换成了另一个", "The catalog (Root) was exchanged for another"),
            }
        }
        // The information dictionary says when and with what the update was made; it is not shown on a page.
        let info = self.newest.get(now, b"Info")?;
        let plain =
            info.dict().is_some_and(|d| d.entries().iter().all(|e| !deep(&e.value) && e.value.dict().is_none()));
        if plain {
            self.explain(now.get(b"Info"), before.get(b"Info"));
        }
        Ok(())
    }

    fn judge_catalog(&mut self) -> Result<(), PdfError> {
        let (before, now) = (self.signed.catalog()?, self.newest.catalog()?);
        let (Some(old), Some(new)) = (before.object.dict(), now.object.dict()) else { return Ok(()) };
        for key in differing(old, new) {
            match &*key {
                // Each has its own judge below; a version number may rise.
                b"AcroForm" | b"DSS" | b"Extensions" | b"Metadata" | b"Version" => {}
                b"Pages" => self.forbid("页面树被换成了另一个", "The page tree was exchanged for another"),
                b"OpenAction" | b"AA" | b"Names" | b"OCProperties" | b"Dests" | b"PageLabels" => {
                    let key = String::from_utf8_lossy(&key).into_owned();
                    self.forbid(&format!("文件目录的/{key}被修改"), &format!("/{key} of the catalog was changed"));
                }
                _ => {
                    let key = String::from_utf8_lossy(&key).into_owned();
                    self.doubt(&format!("文件目录的/{key}被修改"), &format!("/{key} of the catalog was changed"));
                }
            }
        }
        if before.reference == now.reference {
            self.explained.insert(now.reference.number);
        }
        // Developer extensions (ISO 32000-1 §7.12) are names and numbers; each may be an object of its own.
        if let Some(extensions) = self.newest.get_dict(new, b"Extensions")? {
            let before = self.signed.get_dict(old, b"Extensions")?.unwrap_or_else(Dict::empty);
            self.explain(new.get(b"Extensions"), old.get(b"Extensions"));
            for entry in extensions.entries() {
                self.explain(Some(&entry.value), before.get(&entry.key));
            }
        }
        // XMP metadata follows the information dictionary.
        if let Object::Stream(metadata) = self.newest.get(new, b"Metadata")?
            && metadata.dict.is(b"Type", b"Metadata")
            && metadata.dict.is(b"Subtype", b"XML")
        {
            self.explain(new.get(b"Metadata"), old.get(b"Metadata"));
        }
        self.judge_validation_data(old, new)
    }

    /// DSS and VRI (EN 319 142-1 §5.4.2): certificates, CRLs and OCSP responses, shown nowhere.
    fn judge_validation_data(&mut self, old: &Dict, new: &Dict) -> Result<(), PdfError> {
        let Some(dss) = self.newest.get_dict(new, b"DSS")? else {
            if old.get(b"DSS").is_some() {
                self.doubt("验证数据（DSS）被删除", "The validation data (DSS) were removed");
            }
            return Ok(());
        };
        const KEYS: [&[u8]; 5] = [b"Type", b"Certs", b"CRLs", b"OCSPs", b"VRI"];
        if dss.entries().iter().any(|e| !KEYS.contains(&&*e.key)) {
            self.doubt("验证数据（DSS）含有不认识的项目", "The validation data (DSS) hold something unknown");
            return Ok(());
        }
        let marked = self.explained.len();
        self.explain(new.get(b"DSS"), old.get(b"DSS"));
        // Lists that were in the DSS before may have grown in place.
        let old_dss = self.signed.get_dict(old, b"DSS")?;
        let shrunk = |key: &[u8]| -> Result<bool, PdfError> {
            let Some(old) = &old_dss else { return Ok(false) };
            Ok(match (self.signed.get(old, key)?, self.newest.get(&dss, key)?) {
                (Object::Array(before), now) => now.array().is_none_or(|now| now.len() < before.len()),
                (Object::Dict(before), now) => {
                    now.dict().is_none_or(|now| before.entries().iter().any(|e| now.get(&e.key).is_none()))
                }
                _ => false,
            })
        };
        let mut lost = false;
        for key in KEYS {
            lost |= shrunk(key)?;
        }
        if lost {
            self.doubt("原有的验证数据（DSS）被删减", "Validation data (DSS) that were there before are missing");
        }
        for key in KEYS {
            self.explain(dss.get(key), old_dss.as_ref().and_then(|d| d.get(key)));
            if let Some(value) = dss.get(key) {
                let value = self.newest.resolve(value)?;
                self.explain_new(&value)?;
            }
        }
        if old.get(b"DSS") != new.get(b"DSS") || self.explained.len() > marked {
            let touched = self.explained.iter().any(|n| self.changed.contains(n));
            if touched {
                self.allow(Step::Validation, "添加了验证数据（DSS）", "Validation data (DSS) were added");
            }
        }
        Ok(())
    }

    fn judge_pages(&mut self) -> Result<(), PdfError> {
        let pages = |file: &File<'_>| -> Result<Vec<page::Page>, PdfError> {
            let mut pages = Vec::new();
            page::walk(file, |_, page| {
                pages.push(page.clone());
                ControlFlow::Continue(())
            })?;
            Ok(pages)
        };
        let (before, now) = (pages(self.signed)?, pages(self.newest)?);
        if before.len() != now.len() || before.iter().zip(&now).any(|(a, b)| a.reference != b.reference) {
            self.forbid("页面被增加、删除或换序", "Pages were added, removed or put in another order");
            return Ok(());
        }
        for (number, (old, new)) in before.iter().zip(&now).enumerate() {
            let number = number + 1;
            let array = |file: &File<'_>, dict: &Dict| -> Result<Vec<Object>, PdfError> {
                Ok(file.get(dict, b"Annots")?.array().unwrap_or_default().to_vec())
            };
            if let Some(key) = differing(&old.dict, &new.dict).iter().find(|k| &***k != b"Annots") {
                let key = String::from_utf8_lossy(key).into_owned();
                let (zh, en) = (format!("第{number}页的/{key}被修改"), format!("/{key} of page {number} was changed"));
                self.forbid(&zh, &en);
                continue;
            }
            self.explained.insert(new.reference.number);
            self.explain(new.dict.get(b"Annots"), old.dict.get(b"Annots"));
            let (old_annots, new_annots) = (array(self.signed, &old.dict)?, array(self.newest, &new.dict)?);
            if old_annots == new_annots {
                continue;
            }
            let gone = old_annots.iter().any(|a| !new_annots.contains(a));
            // Widgets of the fields that were judged are the only notes that may come.
            let strange = new_annots.iter().filter(|a| !old_annots.contains(a));
            let strange = strange.filter(|a| a.reference().is_none_or(|r| !self.explained.contains(&r.number))).count();
            if gone {
                self.doubt(
                    &format!("第{number}页的注释被删除"),
                    &format!("An annotation of page {number} was removed"),
                );
            }
            if strange > 0 {
                self.doubt(&format!("第{number}页新增了注释"), &format!("Annotations were added to page {number}"));
            }
        }
        Ok(())
    }

    /// Whatever changed and was not explained.
    fn judge_the_rest(&mut self) -> Result<(), PdfError> {
        let rest: Vec<u32> = self.changed.iter().copied().filter(|n| !self.explained.contains(n)).collect();
        if rest.is_empty() {
            return Ok(());
        }
        let shown = reachable(self.signed, Some(b"Pages"))?;
        let used = reachable(self.newest, None)?;
        for number in rest {
            if self.is_new(number) {
                // What an update between left behind and nothing leads to is shown by no viewer.
                if !used.contains(&number) {
                    continue;
                }
                let loaded = self.newest.load_number(number).ok().flatten();
                let structure = loaded.as_ref().and_then(|l| l.object.dict());
                if structure.is_some_and(|d| d.is(b"Type", b"XRef") || d.is(b"Type", b"ObjStm")) {
                    continue;
                }
                self.doubt(
                    &format!("新增对象{number}用途不明"),
                    &format!("The new object {number} has no known purpose"),
                );
                continue;
            }
            if shown.contains(&number) {
                self.forbid(
                    &format!("页面内容（对象{number}）被修改"),
                    &format!("Page content (object {number}) was changed"),
                );
            } else {
                self.doubt(
                    &format!("对象{number}被修改或删除"),
                    &format!("The object {number} was changed or removed"),
                );
            }
        }
        Ok(())
    }
}

/// Keys whose values differ as written.
fn differing(a: &Dict, b: &Dict) -> Vec<std::rc::Rc<[u8]>> {
    let keys: BTreeSet<_> = a.entries().iter().chain(b.entries()).map(|e| e.key.clone()).collect();
    keys.into_iter().filter(|k| a.get(k) != b.get(k)).collect()
}
