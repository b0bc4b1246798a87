//! What an annotation shows, told from its appearance or from what readers draw in its place.

use super::canvas::{CELL, Canvas, Outline, Purse, Rule, Stroke};
use super::eye::Eye;
use super::fields::NO_ROTATE;
use super::operands::lightness;
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

/// Coordinates of one line or of all marks of one note.
const COORDINATES: usize = 10_000;

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

    pub fn add(&mut self, other: Self) {
        let Self { text, picture, image, panel, fill, broad, solid, drawn, unread } = other;
        self.text |= text;
        self.picture |= picture;
        self.image |= image;
        self.panel |= panel;
        self.fill |= fill;
        self.broad |= broad;
        self.solid |= solid;
        self.drawn |= drawn;
        self.unread |= unread;
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
const ANYWHERE: [f64; 4] = [-1e6, -1e6, 1e6, 1e6];

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
    let upright = file.get(annotation, b"F")?.int().is_none_or(|flags| flags & NO_ROTATE != 0);
    if turned && upright && annotation.get(b"F").is_some() && rect != [0.0; 4] {
        rect = ANYWHERE;
    }
    let astray = rect == ANYWHERE;
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
        let read = eye.appearance(state, rect);
        let (found, painted) = eye.seen();
        looks.add(found);
        looks.unread |= !within_limits(read)?;
        looks.unread |= canvas.merge(&painted, &drawn.purse).is_err();
    }
    if states.is_empty() {
        looks.unread |= !within_limits(unpainted(file, annotation, rect, &mut canvas, &mut looks, drawn))?;
    }
    looks.drawn |= canvas.is_painted();
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

/// What readers draw where there is no picture (§12.5.6, §12.5.6.19).
fn unpainted(
    file: &File<'_>,
    annotation: &Dict,
    rect: [f64; 4],
    canvas: &mut Canvas,
    looks: &mut Looks,
    drawn: &Drawn,
) -> Result<(), PdfError> {
    let kind = file.get(annotation, b"Subtype")?;
    let alpha = file.get(annotation, b"CA")?.number().unwrap_or(1.0).clamp(0.0, 1.0);
    let grid = canvas.grid();
    let at = |pair: &[f64]| match pair {
        [x, y] => grid.apply(*x, *y),
        _ => (0.0, 0.0),
    };
    let [left, bottom, right, top] = rect;
    let boxed = |[left, bottom, right, top]: [f64; 4]| {
        let mut outline = Outline::default();
        outline.begin(at(&[left, bottom]));
        for corner in [[right, bottom], [right, top], [left, top]] {
            outline.line(at(&corner));
        }
        outline.close();
        outline
    };
    // Readers draw where these lead, wherever the rectangle is.
    let strays = |numbers: &[f64]| {
        const NEAR: f64 = 10.0;
        numbers.chunks_exact(2).any(|pair| match pair {
            [x, y] => *x < left - NEAR || *x > right + NEAR || *y < bottom - NEAR || *y > top + NEAR,
            _ => false,
        })
    };
    let filled = file.get(annotation, b"IC")?.array().is_some_and(|colour| !colour.is_empty());
    let width = border(file, annotation)?;
    let (mut lines, mut inside) = (Outline::default(), 1.0);
    match kind.name() {
        // What is behind a field and around it (§12.5.6.19 table 189).
        Some(b"Widget") => {
            let looks_of = file.get_dict(annotation, b"MK")?.unwrap_or_else(Dict::empty);
            let colour = |key: &[u8]| -> Result<bool, PdfError> {
                Ok(file.get(&looks_of, key)?.array().is_some_and(|colour| !colour.is_empty()))
            };
            let (ground, edge) = (colour(b"BG")?, colour(b"BC")?);
            looks.panel |= ground;
            looks.drawn |= ground || edge;
            if edge {
                lines = boxed(rect);
            }
        }
        Some(b"Highlight" | b"Underline" | b"StrikeOut" | b"Squiggly") => {
            let colour = file.get(annotation, b"C")?;
            let colour = page::numbers(file, &colour, 4)?.unwrap_or_default();
            let opacity = alpha * (1.0 - lightness(&colour));
            let marker = kind.name() == Some(b"Highlight");
            looks.solid |= marker && opacity > 0.5;
            let quads = page::numbers(file, &file.get(annotation, b"QuadPoints")?, COORDINATES)?;
            looks.unread |= quads.is_none() && annotation.get(b"QuadPoints").is_some();
            let quads = quads
                .filter(|quads| !quads.is_empty())
                .unwrap_or(vec![left, top, right, top, left, bottom, right, bottom]);
            looks.unread |= strays(&quads);
            drawn.purse.pay(quads.len())?;
            for quad in quads.chunks_exact(8) {
                let points: Vec<_> = quad.chunks_exact(2).map(&at).collect();
                let [_, sides, _, tops] = Matrix::IDENTITY.around_all(&points);
                let &[first, second, third, last] = points.as_slice() else { continue };
                let mut outline = Outline::default();
                outline.begin(first);
                if marker {
                    _ = outline.line(second) && outline.line(last) && outline.line(third);
                    outline.close();
                    canvas.fill(&outline, Rule::Winding, opacity, &drawn.purse)?;
                    continue;
                }
                // Somewhere between its foot and its middle, as thick as readers make it.
                let middle = |(ax, ay): (f64, f64), (bx, by): (f64, f64)| ((ax + bx) / 2.0, (ay + by) / 2.0);
                let (from, to) = match kind.name() {
                    Some(b"StrikeOut") => (middle(first, third), middle(second, last)),
                    _ => (third, last),
                };
                let mut outline = Outline::default();
                outline.begin(from);
                outline.line(to);
                let pen = Stroke { width: ((tops - sides) * CELL / 8.0).max(1.5), capped: false, miter: 0.0 };
                canvas.stroke(&outline, pen, alpha, &drawn.purse)?;
            }
        }
        // An icon has its own size and stands at the upper left corner (§12.5.6.4).
        Some(b"Text") => {
            canvas.fill(&boxed([left, top - 24.0, left + 24.0, top]), Rule::Winding, 1.0, &drawn.purse)?;
        }
        // Inside of the edge: what lies outside of it is not on the canvas.
        Some(b"Square" | b"Circle" | b"Link") => {
            (lines, inside) = (boxed(rect), 2.0);
            if filled {
                canvas.fill(&boxed(rect), Rule::Winding, alpha, &drawn.purse)?;
            }
            looks.unread |= annotation.get(b"RD").is_some();
        }
        Some(b"Line" | b"Polygon" | b"PolyLine" | b"Ink") => {
            // What it says is written along it (§12.5.6.7).
            looks.text |= !matches!(file.get(annotation, b"Cap")?, Object::Null | Object::Bool(false));
            let mut paths = Vec::new();
            for key in [b"L".as_slice(), b"Vertices"] {
                paths.push(file.get(annotation, key)?);
            }
            paths.extend(file.get(annotation, b"InkList")?.array().unwrap_or_default().iter().cloned());
            drawn.purse.pay(paths.len())?;
            for path in paths {
                let numbers = page::numbers(file, &path, COORDINATES)?;
                looks.unread |= numbers.is_none() && !file.resolve(&path)?.is_null();
                let numbers = numbers.unwrap_or_default();
                looks.unread |= strays(&numbers);
                for (n, pair) in numbers.chunks_exact(2).enumerate() {
                    match n {
                        0 => lines.begin(at(pair)),
                        _ => _ = lines.line(at(pair)),
                    }
                }
            }
            if filled {
                canvas.fill(&lines, Rule::Winding, alpha, &drawn.purse)?;
            }
        }
        _ => {}
    }
    let pen = Stroke { width: width * inside, capped: true, miter: 0.0 };
    if width > 0.0 {
        canvas.stroke(&lines, pen, alpha, &drawn.purse)?;
    }
    Ok(())
}

/// How wide a border is, points: what any reader may take for it (§12.5.4).
pub(super) fn border(file: &File<'_>, annotation: &Dict) -> Result<f64, PdfError> {
    let style = file.get_dict(annotation, b"BS")?;
    let style = style.map(|style| file.get(&style, b"W")).transpose()?.and_then(|width| width.number());
    let border = file.get(annotation, b"Border")?;
    let border = border.array().and_then(|border| border.get(2)).map(|width| file.resolve(width)).transpose()?;
    let border = border.and_then(|width| width.number());
    Ok(match (style, border) {
        (None, None) => 1.0,
        (style, border) => style.unwrap_or(0.0).abs().max(border.unwrap_or(0.0).abs()),
    })
}

/// Whether a page shows anything at a place, text or not, but for what is as white as paper. What cannot be read shows
/// something.
pub(super) fn is_inked(file: &File<'_>, page: &Page, rect: [f64; 4], drawn: &Drawn) -> Result<bool, PdfError> {
    let Some(canvas) = Canvas::new(rect, 1.0) else { return Ok(true) };
    let mut eye = Eye::new(file, drawn, canvas);
    let read = eye.page(page);
    Ok(!within_limits(read)? || eye.seen().1.is_painted())
}

#[cfg(test)]
mod tests;
