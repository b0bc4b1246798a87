//! What an annotation shows, told from its appearance or from what readers draw in its place.

use super::canvas::{Canvas, Purse};
use super::eye::Eye;
use super::fields::NO_ROTATE;
use super::operands::lightness;
use super::sketch::Sketch;
use crate::crypto::sha256;
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::matrix::Matrix;
use crate::pdf::object::{Dict, Object};
use crate::pdf::page::{self, Page};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Lines up to this wide, points, do not hide a letter of ten points.
pub(super) const THIN: f64 = 3.0;

/// States of one appearance that are read.
const STATES: usize = 64;

/// What was found in the normal appearance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Looks {
    pub text: bool,
    /// A picture, masked or not.
    pub picture: bool,
    /// A picture with no transparency, or with one that could not be read.
    pub image: bool,
    /// A rectangle filled with something opaque.
    pub panel: bool,
    /// Any area filled with something opaque.
    pub fill: bool,
    /// A line wider than [`THIN`].
    pub broad: bool,
    /// All that is painted together leaves a place where words cannot be read.
    pub solid: bool,
    /// Anything at all.
    pub drawn: bool,
    /// It was too much to read, could not be read, or says something that readers take differently.
    pub unread: bool,
    /// What light colours multiplied with the page take of red, green and blue: of two, little may be left.
    pub dye: [u8; 3],
}

impl Looks {
    pub fn is_blank(&self) -> bool {
        !self.drawn && !self.unread
    }

    /// It may hide what lies under it.
    pub fn hides(&self) -> bool {
        self.image || self.panel || self.solid || self.unread
    }

    /// It may hide what lies under it, or say something itself.
    pub fn can_mislead(&self) -> bool {
        self.text || self.hides()
    }

    /// Takes up what a colour takes of the page, each part from 0 to 1.
    pub fn stain(&mut self, taken: [f64; 3]) {
        for (dye, part) in self.dye.iter_mut().zip(taken) {
            *dye = (*dye).max((part * 255.0) as u8);
        }
    }

    /// All the colours together leave so little light that words are not read.
    pub fn is_dark(&self) -> bool {
        lightness(self.dye.map(|part| 1.0 - f64::from(part) / 255.0)) < 0.4
    }

    pub fn add(&mut self, other: Self) {
        let Self { text, picture, image, panel, fill, broad, solid, drawn, unread, dye } = other;
        self.text |= text;
        self.picture |= picture;
        self.image |= image;
        self.panel |= panel;
        self.fill |= fill;
        self.broad |= broad;
        self.solid |= solid;
        self.drawn |= drawn;
        self.unread |= unread;
        self.dye = std::array::from_fn(|n| self.dye[n].max(dye[n]));
    }

    /// As [`Self::can_mislead`], where nothing but lines is expected.
    pub fn is_more_than_lines(&self) -> bool {
        self.can_mislead() || self.picture || self.fill || self.broad
    }
}

/// An annotation as it shows.
#[derive(Clone)]
pub(super) struct Seen {
    pub rect: [f64; 4],
    pub looks: Looks,
    /// Where it paints; none where that cannot be told.
    pub canvas: Option<Rc<Canvas>>,
}

/// What a form draws, and the operators it took.
#[derive(Clone)]
pub(super) struct Form {
    pub looks: Looks,
    pub canvas: Rc<Canvas>,
    pub operators: usize,
}

/// What was drawn before, and what drawing may still cost.
#[derive(Default)]
pub(super) struct Drawn {
    /// What forms that lead to nothing else draw, by the digest of all that is read of them: one seal's
    /// picture stands in a file once for each time it was sealed.
    pub forms: RefCell<HashMap<[u8; 32], Form>>,
    pub purse: Purse,
}

/// Where an annotation lies whose `/Rect` each reader takes in its own way.
pub(super) const ANYWHERE: [f64; 4] = [-1e6, -1e6, 1e6, 1e6];

/// The `/Rect` of an annotation, in order, or none where it has no area at all.
pub(super) fn rectangle(file: &File<'_>, dict: &Dict) -> Result<Option<[f64; 4]>, PdfError> {
    let rect = file.get(dict, b"Rect")?;
    let sides = match page::rectangle(file, &rect)? {
        None if rect.is_null() => None,
        None => Some(ANYWHERE),
        sides => sides,
    };
    Ok(sides.filter(|[left, bottom, right, top]| left != right && bottom != top))
}

/// The pictures of an appearance, each state's of each kind that is asked for (§12.5.5).
fn pictures(file: &File<'_>, annotation: &Dict, kinds: &[&[u8]]) -> Result<Vec<Object>, PdfError> {
    let normal = match annotation.get(b"AP").map(|a| file.resolve(a)).transpose()? {
        Some(Object::Dict(dict)) => dict.entries().iter().filter(|e| kinds.contains(&&*e.key)).cloned().collect(),
        // §12.5.5 knows no other form; viewers take the stream all the same.
        Some(Object::Stream(_)) => return Ok(annotation.get(b"AP").cloned().into_iter().collect()),
        _ => Vec::new(),
    };
    let mut pictures = Vec::new();
    for entry in normal {
        match file.resolve(&entry.value)? {
            Object::Dict(states) => pictures.extend(states.entries().iter().map(|e| e.value.clone())),
            Object::Null => {}
            _ => pictures.push(entry.value),
        }
    }
    Ok(pictures)
}

/// Whether every picture of an appearance ends at its own edges (§8.10.2, §12.5.5): readers draw one that has none over
/// all of the page.
pub(super) fn is_bounded(file: &File<'_>, annotation: &Dict) -> Result<bool, PdfError> {
    for picture in pictures(file, annotation, &[b"N", b"R", b"D"])? {
        let Object::Stream(stream) = file.resolve(&picture)? else { continue };
        if bounds(file, &stream.dict)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether every picture of an appearance says where it ends, be it nowhere.
pub(super) fn has_edges(file: &File<'_>, annotation: &Dict) -> Result<bool, PdfError> {
    for picture in pictures(file, annotation, &[b"N", b"R", b"D"])? {
        let Object::Stream(stream) = file.resolve(&picture)? else { continue };
        if page::rectangle(file, stream.dict.get(b"BBox").unwrap_or(&Object::Null))?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Of what is read of an annotation's picture and its place, where there is one picture alone: equal ones draw the same.
pub(super) fn digest(file: &File<'_>, annotation: &Dict) -> Result<Option<[u8; 32]>, PdfError> {
    let pictures = pictures(file, annotation, &[b"N"])?;
    let [picture] = pictures.as_slice() else { return Ok(None) };
    let Some(loaded) = picture.reference().map(|r| file.load(r)).transpose()?.flatten() else { return Ok(None) };
    let (Object::Stream(stream), Some(rect)) = (&loaded.object, rectangle(file, annotation)?) else { return Ok(None) };
    let (dict, Ok(stored)) = (file.raw(&loaded)?, file.stored(stream)) else { return Ok(None) };
    file.pay(dict.len() + stored.len())?;
    let mut read: Vec<u8> = rect.iter().flat_map(|side| side.to_be_bytes()).collect();
    read.extend(dict.len().to_be_bytes());
    read.extend_from_slice(&dict);
    read.extend_from_slice(&stored);
    Ok(Some(sha256(&read)))
}

/// A form's edges in its own space, and the way out of it. None where readers would differ.
pub(super) fn bounds(file: &File<'_>, form: &Dict) -> Result<Option<([f64; 4], Matrix)>, PdfError> {
    let own = Matrix::read(file, form.get(b"Matrix").unwrap_or(&Object::Null))?;
    let edges = page::rectangle(file, form.get(b"BBox").unwrap_or(&Object::Null))?;
    let has_area = |[left, bottom, right, top]: &[f64; 4]| right - left > 0.0 && top - bottom > 0.0;
    Ok(edges.filter(has_area).zip(own.filter(|own| own.inverse().is_some())))
}

/// Reads the normal appearance of an annotation, in all its states.
///
/// Errors: only what all of the file together may cost.
pub(super) fn of(file: &File<'_>, annotation: &Dict, page: Option<&Page>, drawn: &Drawn) -> Result<Seen, PdfError> {
    let mut rect = rectangle(file, annotation)?.unwrap_or_default();
    // What keeps upright where the page is turned leaves its place (§12.5.3 table 165).
    let turned =
        page.map(|page| page.geometry(file, b"Rotate")).transpose()?.flatten().is_some_and(|turn| turn != [0.0]);
    let flags = file.get(annotation, b"F")?;
    let upright = !flags.is_null() && flags.int().is_none_or(|flags| flags & NO_ROTATE != 0);
    if turned && upright && rect != [0.0; 4] {
        rect = ANYWHERE;
    }
    let astray = rect == ANYWHERE || rect == [0.0; 4] && !has_edges(file, annotation)?;
    let mut looks = Looks { unread: astray, drawn: astray, ..Looks::default() };
    let unit = page.map(|page| page.unit(file)).transpose()?.unwrap_or(1.0);
    let states = pictures(file, annotation, &[b"N"])?;
    let canvas = Canvas::new(on_page(file, page, rect)?, unit);
    let Some(mut canvas) = canvas.filter(|canvas| drawn.purse.pay(canvas.size()).is_ok()) else {
        // What has no area shows nothing, wherever it lies.
        looks.unread |= rect != [0.0; 4];
        looks.drawn |= looks.unread;
        return Ok(Seen { rect, looks, canvas: None });
    };
    looks.unread |= states.len() > STATES;
    for state in states.iter().take(STATES) {
        let mut eye = Eye::new(file, drawn, canvas.blank());
        let read = eye.appearance(state, rect, upright);
        let (found, painted) = eye.seen();
        looks.add(found);
        looks.unread |= !within_limits(read)?;
        looks.unread |= canvas.merge(&painted, &drawn.purse).is_err();
    }
    if states.is_empty() {
        let mut sketch = Sketch { file, annotation, rect, canvas: &mut canvas, looks: &mut looks, purse: &drawn.purse };
        let drawn = sketch.draw();
        looks.unread |= !within_limits(drawn)?;
    }
    looks.drawn |= canvas.is_painted();
    looks.solid |= looks.is_dark();
    match canvas.hides_words(&drawn.purse) {
        Ok(hides) => looks.solid |= hides,
        Err(_) => looks.unread = true,
    }
    Ok(Seen { rect, looks, canvas: Some(Rc::new(canvas)) })
}

/// The part of a rectangle that lies on a page, with some more around.
fn on_page(file: &File<'_>, page: Option<&Page>, [left, bottom, right, top]: [f64; 4]) -> Result<[f64; 4], PdfError> {
    const MORE: f64 = 50.0;
    let media = page.map(|page| page.geometry(file, b"MediaBox")).transpose()?.flatten();
    Ok(match media.as_deref() {
        Some(&[l, b, r, t]) => {
            let (across, up) = (|x: f64| x.clamp(l - MORE, r + MORE), |y: f64| y.clamp(b - MORE, t + MORE));
            [across(left), up(bottom), across(right), up(top)]
        }
        _ => [left, bottom, right, top],
    })
}

/// Whether something could be read. Errors: what all of the file together may cost.
pub(super) fn within_limits(read: Result<(), PdfError>) -> Result<bool, PdfError> {
    match read {
        Err(limit @ PdfError::OverLimit { what: "bytes read", .. }) => Err(limit),
        read => Ok(read.is_ok()),
    }
}

/// Whether a page shows anything at a place, text or not, but for what is as white as paper. What cannot be read shows
/// something, and so do shades wherever they end: who covers a page with a picture rather suspects too much.
pub(super) fn is_inked(file: &File<'_>, page: &Page, rect: [f64; 4], drawn: &Drawn) -> Result<bool, PdfError> {
    let Some(canvas) = Canvas::new(rect, 1.0) else { return Ok(true) };
    let mut eye = Eye::new(file, drawn, canvas);
    let read = eye.page(page);
    let (looks, canvas) = eye.seen();
    Ok(!within_limits(read)? || looks.unread || canvas.is_painted())
}

#[cfg(test)]
mod tests;
