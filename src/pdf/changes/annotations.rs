//! Notes on pages after signing. Level 3 of DocMDP lets others add, change and remove them; the evil annotation attack
//! (Rohlmann, Mladenov, Mainka, Schwenk: Breaking the Specification: PDF Certification, 2021) lays such notes over what
//! was certified. Following its recommendation, kinds that can show any text or picture are never passed, and the
//! others only where what they draw is thin.

use super::history::Way;
use super::looks::{self, Looks, Seen};
use super::sketch::border;
use super::{Judge, Step, shown};
use crate::pdf::PdfError;
use crate::pdf::object::{Dict, Object};

/// Ways that may lead to a note.
const NOTE_WAYS: [&[u8]; 9] = [b"Annots", b"Parent", b"Popup", b"IRT", b"Obj", b"D", b"T", b"Kids", b"P"];

/// What kind of note it is (ISO 32000-1 table 169).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Draws nothing of its own over the page.
    Quiet,
    /// Draws lines around or along something.
    Line,
    /// An icon of fixed size.
    Icon,
    /// Covers with colour that lets the text through.
    Marker,
    /// Can show anything, or hide it, or does something.
    Loud,
}

fn kind(dict: &Dict) -> Kind {
    match dict.get(b"Subtype").and_then(Object::name) {
        Some(b"Link" | b"Popup") => Kind::Quiet,
        Some(b"Text" | b"Caret") => Kind::Icon,
        Some(b"Highlight") => Kind::Marker,
        Some(
            b"Circle" | b"Square" | b"Line" | b"Polygon" | b"PolyLine" | b"Ink" | b"Underline" | b"Squiggly"
            | b"StrikeOut",
        ) => Kind::Line,
        _ => Kind::Loud,
    }
}

fn subtype(dict: &Dict) -> String {
    dict.get(b"Subtype").and_then(Object::name).map(shown).unwrap_or_default()
}

impl Judge<'_, '_, '_> {
    pub(super) fn judge_new_note(&mut self, note: &Object, page: usize) -> Result<(), PdfError> {
        let number = page + 1;
        let Object::Dict(dict) = self.newest.resolve(note)? else {
            let zh = format!("第{number}页新增的注释不是注释");
            self.doubt("pdf.annotation-added", &zh, format!("What was added to page {number} is no annotation"));
            return Ok(());
        };
        self.explain_new(note)?;
        let kind = subtype(&dict);
        let zh = format!("第{number}页新增了注释（{kind}）");
        let en = format!("An annotation ({kind}) was added to page {number}");
        if kind == "Widget" {
            self.doubt("pdf.annotation-added", &zh, &en);
            return Ok(());
        }
        self.allow(Step::Annotating, &zh, &en);
        self.judge_note(note.reference().map(|r| r.number), &dict, page, &zh, &en)
    }

    pub(super) fn judge_changed_note(&mut self, number: u32, page: usize) -> Result<(), PdfError> {
        let (old, new) = (self.signed.load_number(number)?, self.newest.load_number(number)?);
        let dict =
            |loaded: Option<std::rc::Rc<crate::pdf::file::Loaded>>| loaded.and_then(|l| l.object.dict().cloned());
        let (Some(old), Some(new)) = (dict(old), dict(new)) else { return Ok(()) };
        let kind_name = subtype(&new);
        if kind_name == "Widget" || !new.is(b"Subtype", subtype(&old).as_bytes()) {
            return Ok(());
        }
        let place = page + 1;
        let zh = format!("第{place}页的注释（{kind_name}）被修改");
        let en = format!("An annotation ({kind_name}) of page {place} was changed");
        self.explain_known(number, is_note_way);
        self.explain_new(&Object::Dict(new.clone()))?;
        self.allow(Step::Annotating, &zh, &en);
        let leads = |dict: &Dict| dict.get(b"A").is_some() || dict.get(b"Dest").is_some();
        let elsewhere = leads(&old) && self.differing(&old, &new)?.iter().any(|key| matches!(&**key, b"A" | b"Dest"));
        // What the author had certified is gone where it said something itself, or led somewhere.
        if elsewhere || self.looked(&old, page)?.can_mislead() || kind(&old) == Kind::Loud {
            self.doubt("pdf.annotation-changed", &zh, &en);
        }
        self.judge_note(Some(number), &new, page, &zh, &en)
    }

    pub(super) fn judge_removed_note(&mut self, note: &Object, page: usize) -> Result<(), PdfError> {
        let number = page + 1;
        let Object::Dict(dict) = self.signed.resolve(note)? else { return Ok(()) };
        let kind_name = subtype(&dict);
        let zh = format!("第{number}页的注释（{kind_name}）被删除");
        let en = format!("An annotation ({kind_name}) of page {number} was removed");
        // A field goes on without its place on the page.
        if kind_name == "Widget" {
            self.doubt("pdf.annotation-removed", &zh, &en);
            return Ok(());
        }
        if let Some(r) = note.reference().filter(|r| self.changed.contains(r.number)) {
            self.explain_known(r.number, is_note_way);
        }
        self.allow(Step::Annotating, &zh, &en);
        if self.looked(&dict, page)?.can_mislead() {
            let (zh, en) = (format!("{zh}，它有自己的内容"), format!("{en}, which had content of its own"));
            self.doubt("pdf.annotation-removed", &zh, &en);
        }
        Ok(())
    }

    /// What a note showed when it was signed.
    fn looked(&self, dict: &Dict, page: usize) -> Result<Looks, PdfError> {
        let history = self.at.history;
        Ok(looks::of(self.signed, dict, history.pages()?.get(page), &history.drawn)?.looks)
    }

    /// What a note does and covers.
    fn judge_note(
        &mut self,
        number: Option<u32>,
        dict: &Dict,
        page: usize,
        zh: &str,
        en: &str,
    ) -> Result<(), PdfError> {
        if dict.get(b"AA").is_some() || !self.leads_only(dict.get(b"A"))? {
            let (zh, en) = (format!("{zh}，并带有动作"), format!("{en}, with an action"));
            self.forbid("pdf.action-changed", &zh, &en);
        }
        if dict.get(b"OC").is_some() {
            let (zh, en) = (format!("{zh}，并受图层控制"), format!("{en}, controlled by a layer"));
            self.doubt("pdf.layers-changed", &zh, &en);
        }
        let seen = self.at.history.look(number, dict, page)?;
        if self.covers(dict, &seen)? {
            let zh = format!("{zh}，可能遮盖或冒充已签名的内容");
            let en = format!("{en}, which may cover or pass for what was signed");
            self.doubt("pdf.evil-annotation", &zh, &en);
        }
        self.laid.entry(page).or_default().push((seen, "pdf.evil-annotation"));
        Ok(())
    }

    fn covers(&self, dict: &Dict, seen: &Seen) -> Result<bool, PdfError> {
        let looks = seen.looks;
        let filled = self.newest.get(dict, b"IC")?.array().is_some_and(|c| !c.is_empty());
        let clear = self.newest.get(dict, b"CA")?.number().is_some_and(|alpha| alpha <= 0.6);
        let broad = border(self.newest, dict)? > looks::THIN && !clear;
        Ok(match kind(dict) {
            Kind::Loud => true,
            Kind::Quiet => looks.is_more_than_lines() || broad,
            Kind::Line => looks.is_more_than_lines() || filled && !clear || broad,
            Kind::Marker => looks.is_more_than_lines(),
            // Readers have a small icon of their own.
            Kind::Icon if dict.get(b"AP").is_none() => looks.unread || looks.solid,
            // §12.5.6.4: the icon keeps its size; a picture of its own is stretched to the rectangle.
            Kind::Icon => {
                let [left, bottom, right, top] = seen.rect;
                let side = (right - left).max(top - bottom);
                let paints = looks.hides() || looks.picture || looks.fill;
                looks.text || looks.unread || !looks.is_blank() && side > 40.0 || paints && side > 24.0
            }
        })
    }

    /// An action that only leads a reader elsewhere.
    fn leads_only(&self, action: Option<&Object>) -> Result<bool, PdfError> {
        let Some(action) = action else { return Ok(true) };
        let Object::Dict(action) = self.newest.resolve(action)? else { return Ok(false) };
        let kind = self.newest.get(&action, b"S")?;
        Ok(matches!(kind.name(), Some(b"URI" | b"GoTo")) && action.get(b"Next").is_none())
    }
}

fn is_note_way(way: &Way) -> bool {
    let [_, key] = &way.keys;
    key.is_empty() || NOTE_WAYS.contains(&&**key)
}
