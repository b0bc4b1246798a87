//! Signatures made since: who may sign, and what a signature's picture may show.

use super::fields::HIDDEN;
use super::history::{History, once};
use super::looks::{self, Looks};
use super::{Judge, LaterChanges, Step};
use crate::pdf::PdfError;
use crate::pdf::form::Field;
use crate::pdf::object::Object;
use crate::pdf::text;
use std::cell::OnceCell;
use std::rc::Rc;

/// A field's widget that draws something on a page of the newest state.
pub(super) struct Shown {
    /// From 0.
    page: usize,
    rect: [f64; 4],
    looks: Looks,
    /// How many letters of the page lie under it.
    letters: OnceCell<usize>,
}

impl Judge<'_, '_, '_> {
    /// A field has been signed since: the signature is new, and a picture over the page is worth a word.
    pub(super) fn judge_signing(&mut self, field: &Field, new_field: bool) -> Result<(), PdfError> {
        let name = &field.name;
        let pictures = if new_field { Some(self.at.history.pictures(field)?) } else { None };
        let pictures = pictures.as_deref().unwrap_or_default();
        let visible = !pictures.is_empty();
        let step = if visible { Step::NewField } else { Step::Signing };
        let Object::Dict(signature) = self.newest.resolve(&field.value)? else {
            let (zh, en) =
                (format!("新增了空的签名域“{name}”"), format!("The empty signature field “{name}” was added"));
            self.allow(Step::NewField, &zh, &en);
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
        let Shown { page, rect, looks, letters } = picture;
        let number = page + 1;
        let zh = format_args!("后加签名“{name}”的图案显示在第{number}页");
        let en = format_args!("The later signature “{name}” shows a picture on page {number}");
        self.say(LaterChanges::Allowed, "pdf.later-signature-visible", zh, en);
        let Some(found) = self.at.history.pages()?.get(*page) else { return Ok(()) };
        // A seal's thin strokes over the text are the custom. What hides the text is not, and where the author certified
        // it, neither is what adds to it; without a certification, text in a signature's picture is its signer's own.
        let hides = if self.leave.level.is_some() { looks.can_mislead() } else { looks.hides() };
        let under = || once(letters, || text::letters_within(self.newest, found, *rect));
        if self.leave.level == Some(2) || hides && *under()? > 0 {
            let zh = format_args!("{zh}，可能遮盖或改写已签名的内容");
            let en = format_args!("{en}, where it may cover or add to what was signed");
            self.doubt("pdf.sneaky-signature", zh, en);
        }
        Ok(())
    }
}

impl History<'_, '_> {
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
        for (reference, dict) in widgets {
            let Some(rect) = looks::rectangle(self.newest, &dict)? else { continue };
            let flags = self.newest.get(&dict, b"F")?.int().unwrap_or(0);
            let [left, bottom, right, top] = rect;
            // A point is too small to be seen; hidden ones are neither shown nor printed.
            if (right - left) * (top - bottom) <= 1.0 || flags & HIDDEN != 0 {
                continue;
            }
            let looks = looks::of(self.newest, &dict, &self.drawn)?;
            let place = self.page_of(reference.map(|r| r.number), &dict)?;
            if let Some(page) = place.filter(|_| !looks.is_blank()) {
                pictures.push(Shown { page, rect, looks, letters: OnceCell::new() });
            }
        }
        Ok(pictures)
    }
}
