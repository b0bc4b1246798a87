//! AbbreviatedData (GB/T 33190 §9.3) as an SVG path, and a face's glyphs as such.

use std::fmt::Write;

use ttf_parser::{GlyphId, OutlineBuilder};

/// The path in SVG's letters; `None` where it is no path. Only numbers and letters of our own come out.
pub(super) fn path(data: &str) -> Option<String> {
    let (mut out, mut words) = (String::new(), data.split_whitespace().peekable());
    while let Some(word) = words.next() {
        // Letters may stand at the numbers.
        let (step, rest) = word.split_at_checked(1)?;
        let (letter, count) = match step {
            "S" | "M" => ('M', 2),
            "L" => ('L', 2),
            "Q" => ('Q', 4),
            "B" => ('C', 6),
            "A" => ('A', 7),
            "C" => ('Z', 0),
            _ => return None,
        };
        out.push(letter);
        let mut left = count;
        if !rest.is_empty() {
            number(&mut out, rest)?;
            left -= 1;
        }
        for _ in 0..left {
            number(&mut out, words.next()?)?;
        }
    }
    // A path begins somewhere.
    out.starts_with('M').then_some(out)
}

fn number(out: &mut String, word: &str) -> Option<()> {
    let value: f64 = word.parse().ok().filter(|value: &f64| value.is_finite())?;
    write!(out, " {value}").ok()
}

/// A glyph's outline in the face's units, y up; nothing for a space.
pub(super) fn glyph(face: &ttf_parser::Face<'_>, glyph: u16) -> Option<String> {
    let mut pen = Outline(String::new());
    match face.outline_glyph(GlyphId(glyph), &mut pen) {
        Some(_) => Some(pen.0),
        None => None,
    }
}

struct Outline(String);

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        _ = write!(self.0, "M{x} {y}");
    }

    fn line_to(&mut self, x: f32, y: f32) {
        _ = write!(self.0, "L{x} {y}");
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        _ = write!(self.0, "Q{x1} {y1} {x} {y}");
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        _ = write!(self.0, "C{x1} {y1} {x2} {y2} {x} {y}");
    }

    fn close(&mut self) {
        self.0.push('Z');
    }
}
