//! Whether a font's letters leave something to be seen of what lies under them: most do, but a black square is a letter too.

use super::canvas::{CELL, Canvas, Outline, Purse, Rule};
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::object::{Dict, Object};
use ttf_parser::{Face, GlyphId, OutlineBuilder, Tag, cff, loca};

/// Letters of a font that are looked at: subsets for one line of text have a few dozen.
const GLYPHS: u16 = 2048;

/// Fonts that readers have or stand in for with another one of letters, by how their names begin.
const FAMILIES: [&str; 32] = [
    "helvetica",
    "arial",
    "times",
    "courier",
    "liberation",
    "dejavu",
    "noto",
    "nimbus",
    "freesans",
    "freeserif",
    "freemono",
    "verdana",
    "tahoma",
    "georgia",
    "calibri",
    "cambria",
    "consolas",
    "segoeui",
    "simsun",
    "simhei",
    "simkai",
    "nsimsun",
    "fangsong",
    "kaiti",
    "stsong",
    "stheiti",
    "stkaiti",
    "stfangsong",
    "microsoftyahei",
    "pingfang",
    "songti",
    "heiti",
];

/// Cells to the em.
const EM: f64 = 20.0;

/// Places that no letter of a text fills, em.
const SOLID: [[f64; 2]; 3] = [[0.5, 0.5], [1.0, 0.25], [0.25, 1.0]];

pub(super) enum Ink {
    /// Ordinary letters.
    Thin,
    /// Letters that may fill their squares.
    Solid,
    /// UTF-16 that readers write with a font of their own.
    Unicode,
    /// Letters are drawings (§9.6.5), or no letters.
    Drawn,
}

impl Ink {
    pub fn is_solid(&self, code: u32) -> bool {
        match self {
            Self::Thin => false,
            Self::Solid | Self::Drawn => true,
            // Boxes, blocks and shapes, bars, and what is anyone's.
            Self::Unicode => {
                matches!(code, 0x2500..=0x25ff | 0x2b00..=0x2bff | 0x3013 | 0xe000..=0xf8ff | 0xd800..=0xdfff | 0xffe8..=0xffee | 0x10000..)
            }
        }
    }
}

/// Looks at a font (§9.6, §9.7).
///
/// Errors: what all of the file together may cost.
pub(super) fn ink(file: &File<'_>, font: &Dict, purse: &Purse) -> Result<Ink, PdfError> {
    let kind = file.get(font, b"Subtype")?;
    if !matches!(kind.name(), Some(b"Type0" | b"Type1" | b"MMType1" | b"TrueType")) {
        return Ok(Ink::Drawn);
    }
    let below = match file.get(font, b"DescendantFonts")? {
        // Other fonts have none below them, whatever they say.
        Object::Array(below) if kind.name() == Some(b"Type0") => below.first().map(|o| file.resolve(o)).transpose()?,
        _ => None,
    };
    let holder = below.as_ref().and_then(Object::dict).unwrap_or(font);
    let descriptor = file.get_dict(holder, b"FontDescriptor")?.unwrap_or_else(Dict::empty);
    for key in [b"FontFile".as_slice(), b"FontFile2", b"FontFile3"] {
        match file.get(&descriptor, key)? {
            Object::Null => {}
            Object::Stream(stream) => {
                let Some(program) = readable(file.unpacked(&stream))? else { return Ok(Ink::Drawn) };
                // One that reaches far out of its place may be anywhere.
                return Ok(if is_thin(&program, purse)? { Ink::Thin } else { Ink::Drawn });
            }
            _ => return Ok(Ink::Drawn),
        }
    }
    let encoding = file.get(font, b"Encoding")?;
    if kind.name() == Some(b"Type0") {
        let unicode = encoding.name().is_some_and(|n| n.starts_with(b"Uni") && n.windows(4).any(|w| w == b"UCS2"));
        return Ok(if unicode { Ink::Unicode } else { Ink::Solid });
    }
    let name = file.get(font, b"BaseFont")?;
    let name = String::from_utf8_lossy(name.name().unwrap_or_default()).to_ascii_lowercase();
    let text = FAMILIES.iter().any(|family| name.starts_with(family)) && !name.contains("symbol");
    let odd = match &encoding {
        Object::Dict(encoding) => {
            let changes = file.get(encoding, b"Differences")?;
            changes.array().into_iter().flatten().filter_map(Object::name).any(is_shape)
        }
        _ => false,
    };
    Ok(if !text || odd { Ink::Solid } else { Ink::Thin })
}

/// A glyph's name that is no letter's but a shape's (Adobe Glyph List), or anyone's.
fn is_shape(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let words = [
        "block", "shade", "filled", "square", "triag", "circle", "uni", "geta", "black", "white", "inv", "rect",
        "diamond", "heart", "club", "spade", "smile", "star",
    ];
    let coded = |rest: &str| rest.len() >= 4 && rest.bytes().all(|b| b.is_ascii_hexdigit());
    words.iter().any(|word| name.contains(word))
        || ["u", "h", "sf", "g", "cid", "glyph"].iter().any(|p| name.strip_prefix(p).is_some_and(coded))
}

fn readable(data: Result<Vec<u8>, PdfError>) -> Result<Option<Vec<u8>>, PdfError> {
    match data {
        Err(limit @ PdfError::OverLimit { what: "bytes read", .. }) => Err(limit),
        data => Ok(data.ok()),
    }
}

/// Whether no letter of an embedded font fills a square.
fn is_thin(program: &[u8], purse: &Purse) -> Result<bool, PdfError> {
    let face = Face::parse(program, 0).ok();
    let table = match &face {
        Some(face) => match (face.tables().glyf, places(face), face.tables().cff) {
            (Some(glyf), Some(places), None) => {
                let em = f64::from(face.units_per_em());
                return each(face.number_of_glyphs(), em, purse, |glyph, trace| {
                    let blank = places.glyph_range(glyph).is_none_or(|range| range.is_empty());
                    blank || glyf.outline(glyph, trace).is_some()
                });
            }
            (None, _, cff) => cff,
            // Letters of both kinds: readers take one or the other.
            _ => None,
        },
        None => cff::Table::parse(program),
    };
    let Some(table) = table else { return Ok(false) };
    if face.is_some_and(|face| face.units_per_em() != 1000) {
        return Ok(false);
    }
    // A thousand units to the em, or else it is not known how large its letters are.
    let matrix = table.matrix();
    if (matrix.sx - 0.001).abs() > 1e-6 || (matrix.sy - 0.001).abs() > 1e-6 || matrix.kx != 0.0 || matrix.ky != 0.0 {
        return Ok(false);
    }
    each(table.number_of_glyphs(), 1000.0, purse, |glyph, trace| {
        // The library keeps the type of its errors to itself; a blank is one.
        table.outline(glyph, trace).map_or_else(|error| format!("{error:?}") == "ZeroBBox", |_| true)
    })
}

/// Where each letter's outline lies.
fn places<'a>(face: &Face<'a>) -> Option<loca::Table<'a>> {
    let (head, maxp) = (face.tables().head, face.tables().maxp);
    let places = face.raw_face().table(Tag::from_bytes(b"loca"))?;
    loca::Table::parse(maxp.number_of_glyphs, head.index_to_location_format, places)
}

fn each(count: u16, em: f64, purse: &Purse, outline: impl Fn(GlyphId, &mut Trace) -> bool) -> Result<bool, PdfError> {
    // Of a place of two and a half em each way the letter's own square is the middle.
    let Some(mut canvas) = Canvas::new([0.0, 0.0, 2.5 * EM * CELL, 2.5 * EM * CELL], 1.0) else { return Ok(false) };
    if !(em.is_finite() && em > 0.0) {
        return Ok(false);
    }
    let mut looked = 0;
    for glyph in 0..count {
        let (way, scale) = (Outline::default(), EM / em);
        let mut trace = Trace { outline: way, scale, shift: EM / 2.0, pen: (0.0, 0.0), steps: 0 };
        if !outline(GlyphId(glyph), &mut trace) {
            return Ok(false);
        }
        purse.pay(1 + trace.steps)?;
        if trace.steps == 0 {
            continue;
        }
        looked += 1;
        let [left, bottom, right, top] = trace.outline.bounds(0.0);
        if looked > GLYPHS || left < 0.0 || bottom < 0.0 || right > 2.5 * EM || top > 2.5 * EM {
            return Ok(false);
        }
        canvas = canvas.blank();
        canvas.fill(&trace.outline, Rule::Winding, 1.0, purse)?;
        // Of the broadest ordinary letter half is ink; where several overlap, little is left of what is under them.
        let (across, up) = ((right - left) / EM, (top - bottom) / EM);
        if across > 1.5 || across * up > 0.3 && canvas.ink() > 0.55 * across * up * EM * EM {
            return Ok(false);
        }
        for window in SOLID {
            if canvas.is_full(window.map(|side| side * EM), purse)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// A letter's outline on its way to cells.
struct Trace {
    outline: Outline,
    scale: f64,
    shift: f64,
    pen: (f64, f64),
    steps: usize,
}

impl Trace {
    fn at(&mut self, x: f32, y: f32) -> (f64, f64) {
        self.steps += 1;
        (f64::from(x) * self.scale + self.shift, f64::from(y) * self.scale + self.shift)
    }
}

impl OutlineBuilder for Trace {
    fn move_to(&mut self, x: f32, y: f32) {
        self.pen = self.at(x, y);
        self.outline.begin(self.pen);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.pen = self.at(x, y);
        self.outline.line(self.pen);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (from, by, to) = (self.pen, self.at(x1, y1), self.at(x, y));
        let third = |a: (f64, f64)| (a.0 + (by.0 - a.0) * 2.0 / 3.0, a.1 + (by.1 - a.1) * 2.0 / 3.0);
        self.outline.curve(third(from), third(to), to);
        self.pen = to;
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (b, c, d) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.outline.curve(b, c, d);
        self.pen = d;
    }

    fn close(&mut self) {
        self.outline.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A font of a thousand units with one letter of these corners (OpenType: head, hhea, maxp, loca, glyf).
    fn font(corners: &[(i16, i16)]) -> Vec<u8> {
        let count = corners.len() as u16;
        let words = |words: &[i16]| -> Vec<u8> { words.iter().flat_map(|w| w.to_be_bytes()).collect() };
        let mut glyph = words(&[1, 0, 0, 1000, 1000, count as i16 - 1, 0]);
        glyph.extend(corners.iter().map(|_| 1u8));
        for side in [|c: &(i16, i16)| c.0, |c: &(i16, i16)| c.1] {
            let mut last = 0;
            for corner in corners {
                glyph.extend((side(corner) - last).to_be_bytes());
                last = side(corner);
            }
        }
        glyph.resize(glyph.len().next_multiple_of(4), 0);
        let mut head = words(&[1, 0, 1, 0, 0, 0, 0x5f0f, 0x3cf5_u16 as i16, 0, 1000]);
        head.extend([0; 16]);
        head.extend(words(&[0, 0, 1000, 1000, 0, 8, 0, 0, 0]));
        let mut hhea = words(&[1, 0, 800, -200, 0]);
        hhea.extend([0; 24]);
        hhea.extend(words(&[1]));
        let mut maxp = words(&[1, 0, 1]);
        maxp.resize(32, 0);
        let loca = words(&[0, glyph.len() as i16 / 2]);
        let tables = [(b"glyf", glyph), (b"head", head), (b"hhea", hhea), (b"loca", loca), (b"maxp", maxp)];
        let mut file = words(&[1, 0, 5, 64, 2, 16]);
        let mut at = 12 + 16 * 5u32;
        for (tag, table) in &tables {
            file.extend(*tag);
            file.extend([0; 4]);
            file.extend(at.to_be_bytes());
            file.extend((table.len() as u32).to_be_bytes());
            at += table.len() as u32;
        }
        file.extend(tables.into_iter().flat_map(|(_, table)| table));
        file
    }

    #[test]
    fn a_letter_that_fills_its_square_is_no_letter() {
        let thin = |corners: &[(i16, i16)]| is_thin(&font(corners), &Purse::default()).unwrap();
        // An I, an L, a square as large as a small letter, a bar over all of the line.
        assert!(thin(&[(100, 0), (300, 0), (300, 800), (100, 800)]));
        assert!(thin(&[(0, 0), (800, 0), (800, 100), (200, 100), (200, 800), (0, 800)]));
        assert!(thin(&[(100, 100), (500, 100), (500, 500), (100, 500)]));
        assert!(!thin(&[(100, 0), (800, 0), (800, 800), (100, 800)]));
        // One that stands far away from where letters stand, which may be anything.
        assert!(!thin(&[(3000, 0), (3700, 0), (3000, 800), (2900, 700)]));
        assert!(!is_thin(b"no font", &Purse::default()).unwrap());
    }
}
