//! What happened to a document after it was signed: the signed state and the newest state are compared object by
//! object, and every difference must be explained by a whitelist. What is not explained is a change.
//!
//! The states are the file cut at the signed length and the file as it is, so both are read as a viewer would have. An
//! object that was there before is explained only by a role it plays, and only if nothing else that was signed leads to
//! it ([`history`]): otherwise what one place may change would change another.

use super::PdfError;
use super::file::File;
use super::object::{Dict, Object};
use super::reach::{deep, follow};
use crate::limits;
use crate::message::Message;
pub(super) use history::History;
use history::{At, Way};
use looks::Seen;
use numbers::Numbers;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Display;
pub(super) use writing::is_found_at_once;

mod annotations;
mod canvas;
mod catalog;
mod eye;
mod fields;
mod history;
mod letters;
mod looks;
mod mask;
mod numbers;
mod operands;
mod pages;
mod path;
mod resources;
mod signing;
mod sketch;
mod state;
mod tags;
mod updates;
mod writing;

/// The worst that happened since, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LaterChanges {
    None,
    Allowed,
    Suspicious,
    Forbidden,
}

/// Findings that say: something else is shown in place of what was signed, which is what incremental saving attacks do.
pub(super) const REPLACED: [&str; 4] =
    ["pdf.page-content-changed", "pdf.page-tree-changed", "pdf.page-geometry-changed", "pdf.catalog-exchanged"];

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

/// Compares the state that ended at `end` with the newest. The reasons come in rising order.
pub(super) fn since(history: &History<'_, '_>, end: usize, leave: &Leave) -> (LaterChanges, Vec<Message>) {
    let at = match history.at(end) {
        Ok(Some(at)) => at,
        Ok(None) => {
            let (zh, en) = ("后续更新改写了已签名部分的索引", "A later update rewrote the index of what was signed");
            return (LaterChanges::Forbidden, vec![Message::new("pdf.index-rewritten", zh, en)]);
        }
        Err(error) => {
            let m = error.message();
            let zh = format!("签名时的文件状态无法单独打开：{}", m.zh);
            let en = format!("The file as it was signed cannot be opened by itself: {}", m.en);
            return (LaterChanges::Suspicious, vec![Message::new("pdf.revision-unreadable", zh, en)]);
        }
    };
    let mut judge = Judge {
        at,
        signed: at.file,
        newest: history.newest,
        leave,
        changed: Numbers::default(),
        rewritten: Vec::new(),
        explained: Numbers::default(),
        placed: HashSet::new(),
        laid: BTreeMap::new(),
        followed: Numbers::default(),
        why: Vec::new(),
    };
    if let Err(error) = judge.run() {
        let m = error.message();
        judge.say(LaterChanges::Suspicious, "pdf.changes-unreadable", &m.zh, &m.en);
    }
    judge.why.sort_by_key(|(worst, _)| *worst);
    let worst = judge.why.last().map_or(LaterChanges::None, |(worst, _)| *worst);
    (worst, judge.why.into_iter().map(|(_, message)| message).collect())
}

/// How far a change goes, in the steps of DocMDP.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Validation data and document time stamps: allowed at every level (ISO 32000-2 §12.8.2.2.2).
    Validation,
    /// A signature in a field that was there or that shows nothing: at every level but 1, and where no certification
    /// stands.
    Signing,
    /// A signature that shows a picture where none was planned, which is a new annotation: under a certification from
    /// level 3 (ISO 32000-1 table 254).
    NewField,
    /// Filling in: only where the author said so, by level 2 or 3 or by locking some fields and not others.
    Filling,
    /// Notes: only where level 3 says so.
    Annotating,
}

/// Whether two rectangles are the same to every eye, as writers round differently; other numbers have to be equal.
fn coincide(a: &[f64], b: &[f64]) -> bool {
    let slack = if a.len() == 4 { 0.01 } else { 0.0 };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= slack)
}

struct Judge<'j, 'f, 'a> {
    at: At<'j, 'f, 'a>,
    signed: &'j File<'a>,
    newest: &'f File<'a>,
    leave: &'j Leave,
    changed: Numbers,
    /// Those among them that the signed state's index lists, ascending: few, whatever came later.
    rewritten: Vec<u32>,
    explained: Numbers,
    /// Fields and widgets that came to the form since, as which they were judged: more than explained, as much else leads
    /// to objects that are looked at only where they are put.
    placed: HashSet<u32>,
    /// What came to be seen on pages since, from 0, and what to call it where it hides something.
    laid: BTreeMap<usize, Vec<(Seen, &'static str)>>,
    /// New objects whose own references were followed.
    followed: Numbers,
    why: Vec<(LaterChanges, Message)>,
}

impl Judge<'_, '_, '_> {
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
        self.judge_writing()?;
        self.judge_trailer()?;
        self.judge_catalog()?;
        self.judge_form()?;
        self.judge_tags()?;
        self.judge_pages()?;
        self.judge_laid()?;
        self.judge_the_rest()
    }

    fn say(&mut self, worst: LaterChanges, id: &'static str, zh: impl Display, en: impl Display) {
        // Seals put on one after another each say the same of the next ones; what is not kept is not put into words.
        let is_full = self.why.len() >= limits::PDF_FINDINGS && self.why.iter().all(|(mildest, _)| *mildest >= worst);
        if is_full {
            return;
        }
        let message = Message::new(id, zh.to_string(), en.to_string());
        if self.why.iter().any(|(_, m)| m.id == id && m.en == message.en) {
            return;
        }
        if self.why.len() < limits::PDF_FINDINGS {
            self.why.push((worst, message));
        } else if let Some(mildest) = self.why.iter_mut().min_by_key(|(worst, _)| *worst)
            && mildest.0 < worst
        {
            *mildest = (worst, message);
        }
    }

    /// A change that is understood; whether it was allowed is a matter of level.
    fn allow(&mut self, step: Step, zh: impl Display, en: impl Display) {
        let refused = match self.leave.level {
            Some(1) => step != Step::Validation,
            Some(2) => matches!(step, Step::NewField | Step::Annotating),
            _ => false,
        };
        let unasked = match (step, self.leave.level) {
            (Step::Filling, None) => self.leave.locks.is_empty(),
            (Step::Annotating, None) => true,
            _ => false,
        };
        if refused {
            let (zh, en) = (format!("{zh}，但认证签名不允许"), format!("{en}, which the certification does not allow"));
            self.say(LaterChanges::Forbidden, "pdf.docmdp-violated", zh, en);
        } else if unasked && step == Step::Filling {
            let (zh, en) = (format!("{zh}，而签名未曾允许填写"), format!("{en}, and no signature allowed filling in"));
            self.say(LaterChanges::Suspicious, "pdf.filled-in-later", zh, en);
        } else if unasked {
            let (zh, en) = (format!("{zh}，而签名未曾允许批注"), format!("{en}, and no signature allowed notes"));
            self.say(LaterChanges::Suspicious, "pdf.annotated-later", zh, en);
        } else {
            self.say(LaterChanges::Allowed, "pdf.allowed-change", zh, en);
        }
    }

    /// A change nobody may make to a signed document.
    fn forbid(&mut self, id: &'static str, zh: impl Display, en: impl Display) {
        self.say(LaterChanges::Forbidden, id, zh, en);
    }

    /// A change that is not understood. A certification below level 3 forbids what it does not name.
    fn doubt(&mut self, id: &'static str, zh: impl Display, en: impl Display) {
        let closed = self.leave.level.is_some_and(|level| level < 3);
        let worst = if closed { LaterChanges::Forbidden } else { LaterChanges::Suspicious };
        self.say(worst, id, zh, en);
    }

    /// Fills `changed` with every object that means something else now. False where the newest state is the signed one.
    fn find_changes(&mut self) -> Result<bool, PdfError> {
        let mut listed: Vec<u32> = self.at.history.unended().collect();
        let mut since = 0;
        for update in self.at.updates() {
            since += 1;
            if !update.is_after(self.signed) {
                listed.push(update.number);
            } else if update.is_there {
                self.changed.insert(update.number);
            }
        }
        // What an object stream held then, another one in its place may not hold (ISO 32000-1 §7.5.7).
        for at in 0..listed.len() {
            let Some(&number) = listed.get(at) else { break };
            listed.extend(self.signed.packed_in(number)?);
        }
        listed.sort_unstable();
        listed.dedup();
        self.at.history.pay(since + listed.len() + 1)?;
        for number in listed {
            let same = match (self.signed.load_number(number), self.newest.load_number(number)) {
                (Ok(None), Ok(None)) => true,
                (Ok(Some(a)), Ok(Some(b))) => a.reference == b.reference && self.same(&a.object, &b.object)?,
                (Err(limit @ PdfError::OverLimit { .. }), _) | (_, Err(limit @ PdfError::OverLimit { .. })) => {
                    return Err(limit);
                }
                _ => false,
            };
            if !same {
                self.changed.insert(number);
                self.rewritten.push(number);
            }
        }
        Ok(self.newest.sections().count() > self.signed.sections().count())
    }

    /// Equal as written; a stream that moved is compared by its stored bytes.
    fn same(&self, a: &Object, b: &Object) -> Result<bool, PdfError> {
        match (a, b) {
            (Object::Stream(a), Object::Stream(b)) => {
                let ends = (self.signed.stored_at(a).ok(), self.newest.stored_at(b).ok());
                let in_place = a.of == b.of && a.start == b.start && ends.0 == ends.1;
                Ok(a.dict == b.dict && (in_place || self.signed.same_stored(a, self.newest, b).unwrap_or(false)))
            }
            _ => Ok(a == b),
        }
    }

    /// Equal in meaning, once each is read in its own state: what was written directly may have become an object of
    /// its own, or the other way round. The same reference twice is equal, as what it leads to is judged by itself.
    fn alike(&self, a: &Object, b: &Object, depth: usize) -> Result<bool, PdfError> {
        if a == b {
            return Ok(true);
        }
        if depth == 0 || !(deep(a) && deep(b)) {
            return Ok(false);
        }
        self.at.history.pay(1)?;
        match (self.signed.resolve(a)?, self.newest.resolve(b)?) {
            (Object::Array(a), Object::Array(b)) if a.len() == b.len() => {
                for (a, b) in a.iter().zip(b.iter()) {
                    if !self.alike(a, b, depth - 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Object::Dict(a), Object::Dict(b)) if a.entries().len() == b.entries().len() => {
                for entry in a.entries() {
                    let Some(other) = b.get(&entry.key) else { return Ok(false) };
                    if !self.alike(&entry.value, other, depth - 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (a @ Object::Stream(_), b @ Object::Stream(_)) => self.same(&a, &b),
            (Object::Array(_) | Object::Dict(_) | Object::Stream(_), _) => Ok(false),
            (a, b) => Ok(a == b),
        }
    }

    /// Keys whose values differ.
    fn differing(&self, a: &Dict, b: &Dict) -> Result<Vec<std::rc::Rc<[u8]>>, PdfError> {
        let keys: BTreeSet<_> = a.entries().iter().chain(b.entries()).map(|e| e.key.clone()).collect();
        let mut differing = Vec::new();
        for key in keys {
            let same = match (a.get(&key), b.get(&key)) {
                (Some(a), Some(b)) => self.alike(a, b, 8)?,
                _ => false,
            };
            if !same {
                differing.push(key);
            }
        }
        Ok(differing)
    }

    /// The object may be this role's: it is new, or it had the role before and what was signed leads to it in no way
    /// but under these keys. Elements of arrays that are objects of their own pass: those arrays have roles too.
    fn explain(&mut self, now: Option<&Object>, before: Option<&Object>, keys: &[&[u8]]) {
        self.explain_where(now, before, |way| {
            let [_, key] = &way.keys;
            key.is_empty() || keys.contains(&&**key)
        });
    }

    fn explain_where(&mut self, now: Option<&Object>, before: Option<&Object>, fits: impl Fn(&Way) -> bool) {
        let Some(r) = now.and_then(Object::reference) else { return };
        if self.at.is_new(r.number) {
            self.explained.insert(r.number);
        } else if before.and_then(Object::reference) == Some(r) {
            self.explain_known(r.number, fits);
        }
    }

    /// As [`Self::explain`], of an object that has the role in both states, for the ways that fit the role.
    fn explain_known(&mut self, number: u32, fits: impl Fn(&Way) -> bool) {
        self.explained.insert(number);
        if !self.changed.contains(number) {
            return;
        }
        if let Some(stranger) = self.at.ways(number).find(|way| !fits(way)) {
            let key = stranger.keys.iter().rev().find(|k| !k.is_empty()).map(|k| shown(k)).unwrap_or_default();
            let zh = format!("被更新的对象{number}在已签名内容中另有用途（/{key}）");
            let en = format!(
                "The updated object {number} has another use in what was signed (/{key}), which changes with it"
            );
            self.doubt("pdf.shared-object-changed", &zh, &en);
        }
    }

    /// Explains every new object that can be reached from here. Objects that were there before stay unexplained, and
    /// the ways back up and across (/Parent, /P, /Data, /Dest) are not followed.
    fn explain_new(&mut self, from: &Object) -> Result<(), PdfError> {
        let mut waiting = vec![from.clone()];
        while let Some(object) = waiting.pop() {
            match object {
                Object::Ref(r) if self.at.is_new(r.number) && self.followed.insert(r.number) => {
                    self.explained.insert(r.number);
                    self.at.history.pay(1)?;
                    if let Some(loaded) = self.newest.load(r)? {
                        waiting.push(loaded.object.clone());
                    }
                }
                Object::Array(items) => waiting.extend(items.iter().filter(|o| deep(o)).cloned()),
                Object::Dict(dict) => self.follow(&dict, &mut waiting)?,
                Object::Stream(stream) => self.follow(&stream.dict, &mut waiting)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// As [`follow`]; names among resources are anyone's, so they say nothing of the way.
    fn follow(&self, dict: &Dict, waiting: &mut Vec<Object>) -> Result<(), PdfError> {
        follow(dict, waiting);
        let Some(resources) = self.newest.get_dict(dict, b"Resources")? else { return Ok(()) };
        for kind in resources.entries() {
            if let Object::Dict(named) = self.newest.resolve(&kind.value)? {
                waiting.extend(named.entries().iter().filter(|e| deep(&e.value)).map(|e| e.value.clone()));
            }
        }
        Ok(())
    }

    /// Whatever changed and was not explained.
    fn judge_the_rest(&mut self) -> Result<(), PdfError> {
        if let Some(number) = self.newest.misnamed() {
            let zh = format!("文件以另一个版本号引用对象{number}，有的阅读器仍会显示它");
            let en = format!(
                "The object {number} is referred to under another generation; some viewers show it all the same"
            );
            self.doubt("pdf.generation-differs", &zh, &en);
        }
        let rest: Vec<u32> = self.changed.iter().filter(|n| !self.explained.contains(*n)).collect();
        for number in rest {
            // What an update left behind and nothing leads to is shown by no viewer; where something signed led to it,
            // that was changed too, and judged.
            let used = self.at.history.used()?.contains(&number) || self.newest.is_read_by_packs(number);
            if self.is_machinery(number) || !used {
                continue;
            }
            if self.at.is_promised(number) {
                let zh = format!("已签名内容引用了当时不存在的对象{number}，后续更新补上了它");
                let en = format!(
                    "What was signed refers to the object {number}, which it lacked; a later update supplied it"
                );
                // What a page draws with is a picture that waited for its content.
                match self.at.history.shown(self.signed)?.contains(&number) {
                    true => self.forbid("pdf.promised-object", &zh, &en),
                    false => self.doubt("pdf.promised-object", &zh, &en),
                }
            } else if self.at.is_new(number) {
                let zh = format!("新增对象{number}用途不明");
                let en = format!("The new object {number} has no known purpose");
                self.doubt("pdf.unexplained-change", &zh, &en);
            } else {
                self.judge_replaced(number)?;
            }
        }
        Ok(())
    }

    /// A new index or a new pack of objects.
    fn is_machinery(&self, number: u32) -> bool {
        let loaded = self.newest.load_number(number).ok().flatten();
        let stream = loaded.as_ref().map(|l| &l.object).filter(|o| matches!(o, Object::Stream(_)));
        let dict = stream.and_then(Object::dict);
        self.at.is_new(number) && dict.is_some_and(|d| d.is(b"Type", b"XRef") || d.is(b"Type", b"ObjStm"))
    }

    fn judge_replaced(&mut self, number: u32) -> Result<(), PdfError> {
        let used_as = self.at.ways(number).map(|w| w.keys.clone()).collect::<Vec<_>>();
        let key = used_as.iter().flatten().rev().find(|k| !k.is_empty());
        let (as_zh, as_en) = key.map_or_else(Default::default, |key| {
            let key = String::from_utf8_lossy(key);
            (format!("，用于/{key}"), format!(" (used as /{key})"))
        });
        let is = |kinds: &[&[u8]]| used_as.iter().flatten().any(|key| kinds.contains(&&**key));
        let old = self.signed.load_number(number).ok().flatten();
        let tree = old.as_ref().and_then(|l| l.object.dict()).is_some_and(|d| d.is(b"Type", b"Pages"));
        const LAYERS: &[&[u8]] = &[b"OCProperties", b"OCGs", b"OC", b"OFF", b"ON", b"AS", b"Order", b"RBGroups"];
        const ACTIVE: &[&[u8]] = &[b"OpenAction", b"AA", b"A", b"JS", b"JavaScript", b"Next"];
        const FILES: &[&[u8]] = &[b"EmbeddedFiles", b"EF", b"AF", b"FS"];
        if tree {
            let (zh, en) = ("页面树被修改", "The page tree was changed");
            self.forbid("pdf.page-tree-changed", zh, en);
        } else if self.at.history.shown(self.signed)?.contains(&number) {
            let zh = format!("页面内容（对象{number}{as_zh}）被修改");
            let en = format!("Page content (object {number}{as_en}) was changed");
            self.forbid("pdf.page-content-changed", &zh, &en);
        } else if is(LAYERS) {
            let (zh, en) = ("图层的显示设置被修改", "What layers show was changed");
            self.forbid("pdf.layers-changed", zh, en);
        } else if is(ACTIVE) {
            let zh = format!("文件中的动作（对象{number}{as_zh}）被修改");
            let en = format!("An action (object {number}{as_en}) was changed");
            self.forbid("pdf.action-changed", &zh, &en);
        } else if is(FILES) {
            let zh = format!("内嵌文件（对象{number}{as_zh}）被修改");
            let en = format!("An embedded file (object {number}{as_en}) was changed");
            self.forbid("pdf.embedded-file-changed", &zh, &en);
        } else {
            let zh = format!("对象{number}{as_zh}被修改或删除");
            let en = format!("The object {number}{as_en} was changed or removed");
            self.doubt("pdf.unexplained-change", &zh, &en);
        }
        Ok(())
    }
}

/// A key as people read it.
fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}
