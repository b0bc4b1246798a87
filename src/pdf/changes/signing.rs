//! Signatures made since: who may sign, and what a signature's picture may show.

use super::canvas::Canvas;
use super::fields::HIDDEN;
use super::history::{History, once};
use super::looks::{self, Looks, Seen};
use super::{Judge, LaterChanges, Step};
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::form::Field;
use crate::pdf::object::{Dict, Object};
use crate::pdf::text::Boxes;
use std::cell::OnceCell;
use std::rc::Rc;

/// Where a signature is put.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a field that came with it.
    New,
    /// In a field that was to be seen by who signed before.
    Planned,
    /// In one that was hidden.
    Unseen,
}

/// A field's widget that draws something on a page of the newest state.
pub(super) struct Shown {
    /// From 0.
    page: usize,
    /// The widget's own object.
    number: Option<u32>,
    seen: Seen,
    /// It shows nothing, and some viewers (MuPDF) lay a plate there that asks to be signed.
    plate: bool,
    /// Whether the page itself shows something under it.
    inked: OnceCell<bool>,
}

impl Judge<'_, '_, '_> {
    /// A field has been signed since: the signature is new, and a picture over the page is worth a word.
    pub(super) fn judge_signing(&mut self, field: &Field, place: Place) -> Result<(), PdfError> {
        let name = &field.name;
        let pictures = if place == Place::Planned { None } else { Some(self.at.history.pictures(field)?) };
        let pictures = pictures.as_deref().unwrap_or_default();
        let visible = pictures.iter().any(|picture| !picture.plate);
        let step = if visible && place == Place::New { Step::NewField } else { Step::Signing };
        let Object::Dict(signature) = self.newest.resolve(&field.value)? else {
            let (zh, en) =
                (format!("新增了空的签名域“{name}”"), format!("The empty signature field “{name}” was added"));
            self.allow(Step::NewField, &zh, &en);
            for picture in pictures.iter().filter(|picture| picture.plate) {
                self.judge_picture(name, picture)?;
            }
            if visible {
                let zh = format!("新增的“{name}”没有签名却在页面上显示图案");
                let en = format!("The added field “{name}” shows a picture on the page without being signed");
                self.doubt("pdf.sneaky-signature", &zh, &en);
            }
            return Ok(());
        };
        if field.value.reference().is_some_and(|r| !self.at.is_new(r.number)) {
            let zh = format!("“{name}”使用了文件中原有的数据作为签名");
            let en = format!("“{name}” uses as its signature what was in the file before");
            self.doubt("pdf.signature-reused", &zh, &en);
        }
        self.explain_new(&field.value)?;
        if signature.is(b"Type", b"DocTimeStamp") && !visible {
            for picture in pictures {
                self.judge_picture(name, picture)?;
            }
            self.allow(Step::Validation, "添加了文档时间戳", "A document time stamp was added");
            return Ok(());
        }
        if self.leave.locks.iter().any(|l| l.holds(name)) {
            let (zh, en) = (format!("“{name}”已被锁定却又签名"), format!("“{name}” was signed though it was locked"));
            self.forbid("pdf.locked-field-changed", &zh, &en);
        }
        self.allow(
            step,
            format_args!("后来又加了签名“{name}”"),
            format_args!("The signature “{name}” was added later"),
        );
        for picture in pictures {
            self.judge_picture(name, picture)?;
        }
        Ok(())
    }

    /// The sneaky signature attack (Rohlmann et al. 2021, SSA): the picture of a signature that was allowed stands over
    /// the text that was certified.
    pub(super) fn judge_picture(&mut self, name: &str, picture: &Shown) -> Result<(), PdfError> {
        let Shown { page, number: widget, seen, plate, inked } = picture;
        if *plate {
            if self.at.history.text(*page)?.any_within(seen.rect) {
                let zh = format!("新增的“{name}”没有图案却占据文字之上，有的阅读器会在此遮盖文字");
                let en = format!("The added field “{name}” lies empty over text, where some viewers hide it");
                self.doubt("pdf.sneaky-signature", &zh, &en);
            }
            return Ok(());
        }
        let number = page + 1;
        let zh = format_args!("后加签名“{name}”的图案显示在第{number}页");
        let en = format_args!("The later signature “{name}” shows a picture on page {number}");
        self.say(LaterChanges::Allowed, "pdf.later-signature-visible", zh, en);
        // A seal's thin strokes over the text are the custom. What hides the text is not, and where the author certified
        // it, neither is what adds to it; without a certification, text in a signature's picture is its signer's own.
        let looks = seen.looks;
        let hides = if self.leave.level.is_some() { looks.can_mislead() } else { looks.hides() };
        let history = self.at.history;
        let covers = hides
            && (*once(inked, || history.shows_something(*page, seen.rect))?
                // Letters over another signature's hide nothing of it.
                || looks.hides() && self.is_over_others(*page, seen.rect, *widget)?);
        if self.leave.level == Some(2) || covers {
            let zh = format_args!("{zh}，可能遮盖或改写已签名的内容");
            let en = format_args!("{en}, where it may cover or add to what was signed");
            self.doubt("pdf.sneaky-signature", zh, en);
        }
        self.laid.entry(*page).or_default().push((seen.clone(), "pdf.sneaky-signature"));
        Ok(())
    }

    /// Whether a place is where the page shows a field or a note that was there when it was signed.
    fn is_over_others(&self, page: usize, rect: [f64; 4], own: Option<u32>) -> Result<bool, PdfError> {
        let history = self.at.history;
        let Some(found) = history.pages()?.get(page) else { return Ok(false) };
        let notes = self.newest.get(&found.dict, b"Annots")?;
        let notes = notes.array().unwrap_or_default();
        history.pay(notes.len())?;
        for note in notes {
            let number = note.reference().map(|r| r.number);
            if number.is_some_and(|number| Some(number) == own || self.at.is_new(number)) {
                continue;
            }
            let Object::Dict(dict) = self.newest.resolve(note)? else { continue };
            if !is_shown(self.newest, &dict)?
                || !looks::rectangle(self.newest, &dict)?.is_some_and(|r| touch(r, rect, 0.0))
            {
                continue;
            }
            if !history.look(number, &dict, page)?.looks.is_blank() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What each later picture leaves to be seen, several over or beside each other may hide.
    pub(super) fn judge_laid(&mut self) -> Result<(), PdfError> {
        for (page, laid) in std::mem::take(&mut self.laid) {
            let Some(found) = self.at.history.pages()?.get(page) else { continue };
            let purse = &self.at.history.drawn.purse;
            self.at.history.pay(laid.len() * laid.len() / 16)?;
            let meets = |n: usize, seen: &Seen| {
                let mut others = laid.iter().enumerate().filter(|(other, _)| *other != n);
                others.any(|(_, (other, _))| touch(other.rect, seen.rect, NEAR))
            };
            let meeting: Vec<_> = laid.iter().enumerate().filter(|(n, (seen, _))| meets(*n, seen)).collect();
            let Some((_, (_, id))) = meeting.first() else { continue };
            let around =
                meeting.iter().fold([f64::MAX, f64::MAX, f64::MIN, f64::MIN], |[l, b, r, t], (_, (seen, _))| {
                    let [left, bottom, right, top] = seen.rect;
                    [l.min(left), b.min(bottom), r.max(right), t.max(top)]
                });
            let unit = found.unit(self.newest)?;
            let hides = match Canvas::new(around, unit).filter(|canvas| purse.pay(canvas.size()).is_ok()) {
                None => true,
                Some(mut canvas) => {
                    // Light colours take nothing of what lies beside them.
                    let dark = meeting.iter().any(|(_, (seen, _))| {
                        let over = meeting.iter().filter(|(_, (other, _))| touch(other.rect, seen.rect, 0.0));
                        let mut together = Looks::default();
                        over.for_each(|(_, (other, _))| together.add(other.looks));
                        together.is_dark()
                    });
                    // One seal may stand in one place more than once.
                    let mut pictures: Vec<(&Rc<Canvas>, usize)> = Vec::new();
                    for picture in meeting.iter().filter_map(|(_, (seen, _))| seen.canvas.as_ref()) {
                        match pictures.iter_mut().find(|(other, _)| Rc::ptr_eq(other, picture)) {
                            Some((_, times)) => *times += 1,
                            None => pictures.push((picture, 1)),
                        }
                    }
                    let mut laid = pictures.into_iter().map(|(picture, times)| canvas.lay_often(picture, times, purse));
                    let lost = laid.any(|laid| laid.is_err());
                    lost || canvas.hides_words(purse).unwrap_or(true) || dark
                }
            };
            let shows = || -> Result<bool, PdfError> {
                Ok(self.at.history.shows_something(page, around)? || self.is_over_others(page, around, None)?)
            };
            if hides && shows()? {
                let number = page + 1;
                let zh = format!("后加的多个图案在第{number}页上合起来可能遮盖已签名的内容");
                let en = format!("Pictures added to page {number} may together cover what was signed");
                self.doubt(id, &zh, &en);
            }
        }
        Ok(())
    }
}

/// Lines of a text lie as near to each other, points: what hides parts of them may be in several pieces.
const NEAR: f64 = 8.0;

/// Whether two rectangles overlap, once one is wider by `more` on each side.
fn touch([a, b, c, d]: [f64; 4], [e, f, g, h]: [f64; 4], more: f64) -> bool {
    a < g + more && e < c + more && b < h + more && f < d + more
}

/// Whether an annotation is one that is shown or printed. Flags that some readers cannot hold count for nothing.
fn is_shown(file: &File<'_>, dict: &Dict) -> Result<bool, PdfError> {
    let flags = file.get(dict, b"F")?.int().filter(|flags| (0..1 << 31).contains(flags)).unwrap_or(0);
    Ok(flags & HIDDEN == 0)
}

impl History<'_, '_> {
    /// The letters of a page of the newest state; those of the last that was asked for are kept.
    fn text(&self, page: usize) -> Result<Rc<Boxes>, PdfError> {
        if let Some((_, known)) = self.text.borrow().as_ref().filter(|(known, _)| *known == page) {
            return Ok(known.clone());
        }
        let found = self.pages()?.get(page).map(|found| Boxes::of(self.newest, found)).transpose()?;
        let text = Rc::new(found.unwrap_or_default());
        *self.text.borrow_mut() = Some((page, text.clone()));
        Ok(text)
    }

    /// Whether a page draws something at a place: letters, or else anything but white.
    fn shows_something(&self, page: usize, rect: [f64; 4]) -> Result<bool, PdfError> {
        let Some(found) = self.pages()?.get(page) else { return Ok(false) };
        Ok(self.text(page)?.any_within(rect) || looks::is_inked(self.newest, found, rect, &self.drawn)?)
    }

    /// What the newest state shows of a field of its form. Read once, as every earlier signature asks.
    pub(super) fn pictures(&self, field: &Field) -> Result<Rc<[Shown]>, PdfError> {
        let number = field.reference.map(|r| r.number);
        if let Some(known) = number.and_then(|n| self.pictures.borrow().get(&n).cloned()) {
            return Ok(known);
        }
        let pictures: Rc<[Shown]> = self.read_pictures(field)?.into();
        if let Some(number) = number {
            self.pictures.borrow_mut().insert(number, pictures.clone());
        }
        Ok(pictures)
    }

    fn read_pictures(&self, field: &Field) -> Result<Vec<Shown>, PdfError> {
        let mut widgets = vec![(field.reference, field.dict.clone())];
        for kid in self.newest.get(&field.dict, b"Kids")?.array().unwrap_or_default() {
            widgets.extend(self.newest.resolve(kid)?.dict().map(|d| (kid.reference(), d.clone())));
        }
        let mut pictures = Vec::new();
        let signed = self
            .newest
            .resolve(&field.value)?
            .dict()
            .is_some_and(|value| value.get(b"Type").is_none() || value.is(b"Type", b"Sig"));
        for (reference, dict) in widgets {
            // A picture without edges is drawn over all of the page, also in a place of no size.
            let bounded = looks::is_bounded(self.newest, &dict)?;
            let sides = looks::rectangle(self.newest, &dict)?;
            let anywhere = if looks::has_edges(self.newest, &dict)? { None } else { Some(looks::ANYWHERE) };
            let Some([left, bottom, right, top]) = sides.or(anywhere) else { continue };
            // A point is too small to be seen, but not for what is read aloud or copied; hidden ones are neither shown nor
            // printed.
            let number = reference.map(|r| r.number);
            let Some(page) = self.page_of(number, &dict)? else { continue };
            let unit = self.pages()?.get(page).map(|page| page.unit(self.newest)).transpose()?.unwrap_or(1.0);
            let area = (right - left) * (top - bottom) * unit * unit;
            if !is_shown(self.newest, &dict)? {
                continue;
            }
            let small = area <= 1.0 && bounded;
            let seen = self.look(number, &dict, page)?;
            let plate = seen.looks.is_blank() && !small && !signed;
            if plate || !seen.looks.is_blank() && (!small || seen.looks.text) {
                pictures.push(Shown { page, number, seen, plate, inked: OnceCell::new() });
            }
        }
        Ok(pictures)
    }

    /// What the newest state shows of an annotation; read once where it is an object of its own. The same seal in the same
    /// place is the same canvas.
    pub(super) fn look(&self, number: Option<u32>, dict: &Dict, page: usize) -> Result<Seen, PdfError> {
        if let Some(known) = number.and_then(|n| self.seen.borrow().get(&n).cloned()) {
            return Ok(known);
        }
        let mut seen = looks::of(self.newest, dict, self.pages()?.get(page), &self.drawn)?;
        if let (Some(canvas), Some(drawn)) = (&mut seen.canvas, looks::digest(self.newest, dict)?) {
            let mut canvases = self.canvases.borrow_mut();
            match canvases.get(&drawn).filter(|known| known.is_again(canvas)) {
                Some(known) => canvas.clone_from(known),
                None => drop(canvases.insert(drawn, Rc::clone(canvas))),
            }
        }
        if let Some(number) = number {
            self.seen.borrow_mut().insert(number, seen.clone());
        }
        Ok(seen)
    }
}
