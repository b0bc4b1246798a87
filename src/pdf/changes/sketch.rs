//! What readers draw where an annotation has no picture of its own (ISO 32000-1 §12.5.6), as far as it could hide words.

use super::canvas::{Canvas, Outline, Purse, Rule, Stroke};
use super::looks::Looks;
use super::operands::{channels, lightness};
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::object::{Dict, Object};
use crate::pdf::page;

/// Coordinates of one line or of all marks of one note.
const COORDINATES: usize = 10_000;

/// Points by which a line may leave the annotation's rectangle, which writers draw around it as they like.
const NEAR: f64 = 10.0;

pub(super) struct Sketch<'s, 'f, 'a> {
    pub file: &'f File<'a>,
    pub annotation: &'s Dict,
    pub rect: [f64; 4],
    pub canvas: &'s mut Canvas,
    pub looks: &'s mut Looks,
    pub purse: &'s Purse,
}

impl Sketch<'_, '_, '_> {
    pub fn draw(&mut self) -> Result<(), PdfError> {
        let kind = self.get(b"Subtype")?;
        let [left, _, _, top] = self.rect;
        match kind.name() {
            Some(b"Widget") => self.ground(),
            Some(kind @ (b"Highlight" | b"Underline" | b"StrikeOut" | b"Squiggly")) => self.marks(kind),
            // An icon has its own size and stands at the upper left corner (§12.5.6.4).
            Some(b"Text") => {
                let icon = self.outline(&[left, top, left + 24.0, top, left + 24.0, top - 24.0, left, top - 24.0]);
                self.canvas.fill(&icon, Rule::Winding, 1.0, self.purse)
            }
            Some(b"Square" | b"Circle" | b"Link") => {
                // What lies further inside is said by some writers, and followed by some readers.
                self.looks.unread |= self.annotation.get(b"RD").is_some();
                let edge = self.edge();
                self.inside(&edge)?;
                // Inside of the edge: what lies outside of it is not on the canvas.
                self.along(&edge, 2.0)
            }
            Some(b"Line" | b"Polygon" | b"PolyLine" | b"Ink") => self.lines(),
            // Readers have a wedge or a bar of their own.
            Some(b"Caret") => {
                let edge = self.edge();
                self.canvas.fill(&edge, Rule::Winding, self.alpha()?, self.purse)
            }
            _ => Ok(()),
        }
    }

    fn get(&self, key: &[u8]) -> Result<Object, PdfError> {
        self.file.get(self.annotation, key)
    }

    fn alpha(&self) -> Result<f64, PdfError> {
        Ok(self.get(b"CA")?.number().unwrap_or(1.0).clamp(0.0, 1.0))
    }

    /// A path through points of the page.
    fn outline(&self, points: &[f64]) -> Outline {
        let (mut outline, grid) = (Outline::default(), self.canvas.grid());
        for (n, pair) in points.chunks_exact(2).enumerate() {
            let &[x, y] = pair else { continue };
            match n {
                0 => outline.begin(grid.apply(x, y)),
                _ => _ = outline.line(grid.apply(x, y)),
            }
        }
        outline
    }

    fn edge(&self) -> Outline {
        let [left, bottom, right, top] = self.rect;
        let mut edge = self.outline(&[left, bottom, right, bottom, right, top, left, top]);
        edge.close();
        edge
    }

    /// Readers draw where points lead, wherever the rectangle is.
    fn is_astray(&self, points: &[f64]) -> bool {
        let [left, bottom, right, top] = self.rect;
        points.chunks_exact(2).any(|pair| match pair {
            [x, y] => *x < left - NEAR || *x > right + NEAR || *y < bottom - NEAR || *y > top + NEAR,
            _ => false,
        })
    }

    /// Fills a path with the interior colour, where there is one.
    fn inside(&mut self, outline: &Outline) -> Result<(), PdfError> {
        let alpha = self.alpha()?;
        if self.get(b"IC")?.array().is_some_and(|colour| !colour.is_empty()) {
            self.canvas.fill(outline, Rule::Winding, alpha, self.purse)?;
        }
        Ok(())
    }

    /// Draws along a path, so many borders wide.
    fn along(&mut self, outline: &Outline, borders: f64) -> Result<(), PdfError> {
        let (alpha, width) = (self.alpha()?, border(self.file, self.annotation)?);
        let pen = Stroke { width: width * borders, capped: true, miter: 0.0 };
        if width > 0.0 { self.canvas.stroke(outline, pen, alpha, self.purse) } else { Ok(()) }
    }

    /// What is behind a field and around it (§12.5.6.19 table 189).
    fn ground(&mut self) -> Result<(), PdfError> {
        let looks = self.file.get_dict(self.annotation, b"MK")?.unwrap_or_else(Dict::empty);
        let colour = |key: &[u8]| -> Result<bool, PdfError> {
            Ok(self.file.get(&looks, key)?.array().is_some_and(|colour| !colour.is_empty()))
        };
        let (ground, edge) = (colour(b"BG")?, colour(b"BC")?);
        self.looks.panel |= ground;
        self.looks.drawn |= ground || edge;
        let around = self.edge();
        if edge { self.along(&around, 2.0) } else { Ok(()) }
    }

    /// Marks over, under or through text (§12.5.6.10).
    fn marks(&mut self, kind: &[u8]) -> Result<(), PdfError> {
        let [left, bottom, right, top] = self.rect;
        let colour = page::numbers(self.file, &self.get(b"C")?, 4)?.unwrap_or_default();
        let marker = kind == b"Highlight";
        let alpha = self.alpha()?;
        let colour = channels(&colour);
        let opacity = if marker { alpha * (1.0 - lightness(colour)) } else { alpha };
        if marker {
            self.looks.stain(colour.map(|channel| alpha * (1.0 - channel)));
        }
        self.looks.solid |= marker && opacity > 0.5;
        let places = self.get(b"QuadPoints")?;
        let quads = page::numbers(self.file, &places, COORDINATES)?;
        self.looks.unread |= quads.is_none() && !places.is_null();
        let whole = || vec![left, top, right, top, left, bottom, right, bottom];
        let quads = quads.filter(|quads| !quads.is_empty()).unwrap_or_else(whole);
        self.looks.unread |= self.is_astray(&quads);
        self.purse.pay(quads.len())?;
        for quad in quads.chunks_exact(8) {
            let &[ax, ay, bx, by, cx, cy, dx, dy] = quad else { continue };
            if marker {
                let place = self.outline(&[ax, ay, bx, by, dx, dy, cx, cy]);
                self.canvas.fill(&place, Rule::Winding, opacity, self.purse)?;
                continue;
            }
            // Through its middle or along its foot, as thick as readers make it.
            let (from, to) = match kind {
                b"StrikeOut" => (((ax + cx) / 2.0, (ay + cy) / 2.0), ((bx + dx) / 2.0, (by + dy) / 2.0)),
                _ => ((cx, cy), (dx, dy)),
            };
            let line = self.outline(&[from.0, from.1, to.0, to.1]);
            let pen = Stroke { width: ((ax - cx).hypot(ay - cy) / 8.0).max(1.5), capped: false, miter: 0.0 };
            self.canvas.stroke(&line, pen, opacity, self.purse)?;
        }
        Ok(())
    }

    /// Lines through points (§12.5.6.7, §12.5.6.9, §12.5.6.13).
    fn lines(&mut self) -> Result<(), PdfError> {
        // What it says may be written along it.
        self.looks.text |= !matches!(self.get(b"Cap")?, Object::Null | Object::Bool(false));
        // Arrows and squares as large as readers please (table 176).
        let ends = self.get(b"LE")?;
        for lead in [b"LL".as_slice(), b"LLE", b"LLO"] {
            self.looks.unread |= !matches!(self.get(lead)?.number(), None | Some(0.0));
        }
        let plain = |end: &Object| end.name() == Some(b"None");
        self.looks.unread |=
            !(ends.is_null() || plain(&ends) || ends.array().is_some_and(|ends| ends.iter().all(plain)));
        let mut paths = vec![self.get(b"L")?, self.get(b"Vertices")?];
        paths.extend(self.get(b"InkList")?.array().unwrap_or_default().iter().cloned());
        self.purse.pay(paths.len())?;
        for path in paths {
            let path = self.file.resolve(&path)?;
            let points = page::numbers(self.file, &path, COORDINATES)?;
            self.looks.unread |= points.is_none() && !path.is_null();
            let points = points.unwrap_or_default();
            self.looks.unread |= self.is_astray(&points);
            let outline = self.outline(&points);
            self.inside(&outline)?;
            self.along(&outline, 1.0)?;
        }
        Ok(())
    }
}

/// How wide a border is, points: what any reader may take for it (§12.5.4).
pub(super) fn border(file: &File<'_>, annotation: &Dict) -> Result<f64, PdfError> {
    let style = file.get_dict(annotation, b"BS")?;
    // Table 166: one point where the style does not say.
    let style = style.map(|style| file.get(&style, b"W")).transpose()?.map(|width| width.number().unwrap_or(1.0));
    let border = file.get(annotation, b"Border")?;
    let border = border.array().and_then(|border| border.get(2)).map(|width| file.resolve(width)).transpose()?;
    let border = border.and_then(|width| width.number());
    Ok(match (style, border) {
        (None, None) => 1.0,
        (style, border) => style.unwrap_or(0.0).abs().max(border.unwrap_or(0.0).abs()),
    })
}
