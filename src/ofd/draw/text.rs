//! Text (GB/T 33190 §11): the glyphs of the embedded face as outlines, each at its place; without one as letters of whatever
//! face the reader has.

use std::fmt::Write;

use super::paint::Paint;
use super::{Pen, outline};
use crate::ofd::text::number;
use crate::ofd::text::steps_of;
use crate::ofd::xml::{Node, escaped};

/// CGTransform: these characters are drawn by these glyphs.
struct Shaped {
    at: usize,
    characters: usize,
    glyphs: Vec<u16>,
}

impl Pen<'_, '_> {
    pub(super) fn text(&mut self, object: &Node, layer: Option<&str>) {
        let size = object.attribute("Size").and_then(number).filter(|size| *size > 0.0).unwrap_or(3.5);
        let stretch = object.attribute("HScale").and_then(number).filter(|scale| *scale > 0.0).unwrap_or(1.0);
        let turn = object.attribute("CharDirection").and_then(number).unwrap_or_default();
        let paint = Paint::of(object, &self.resources, layer);
        let filled = object.attribute("Fill") != Some("false");
        let (mut looks, mut simple) = if filled { paint.fill() } else { (" fill=\"none\"".to_owned(), true) };
        if object.attribute("Stroke") == Some("true") {
            let (stroke, one) = paint.stroke();
            // The line is as wide on the page as it says, whatever the face's units.
            looks += &format!("{stroke} vector-effect=\"non-scaling-stroke\"");
            simple &= one;
        }
        if !simple {
            self.shaded();
        }
        let found = self.resources.face(object.attribute("Font").unwrap_or_default());
        let (place, name) = found.map_or((usize::MAX, String::new()), |(place, face)| (place, face.name.clone()));
        let bytes = found.and_then(|(_, face)| face.file.clone());
        let face = bytes.as_deref().and_then(|bytes| ttf_parser::Face::parse(bytes, 0).ok());
        if face.is_none() {
            self.omit(
                "ofd.face",
                &format!("字体“{name}”未嵌入或无法读取，以其他字体显示"),
                &format!("the font {name} is not embedded or cannot be read: another is shown"),
            );
        }
        _ = write!(self.svg, "<g{looks}>");
        let (mut shaped, mut start) = (Vec::new(), (0.0, 0.0));
        for child in &object.children {
            match child.name.as_str() {
                "CGTransform" => shaped.extend(read_shaped(child)),
                "TextCode" => {
                    start = (
                        child.attribute("X").and_then(number).unwrap_or(start.0),
                        child.attribute("Y").and_then(number).unwrap_or(start.1),
                    );
                    let line = Line { size, stretch, turn, start, place, name: &name };
                    self.line(child, &line, face.as_ref(), &std::mem::take(&mut shaped));
                }
                _ => {}
            }
        }
        self.svg.push_str("</g>");
    }

    fn line(&mut self, code: &Node, line: &Line<'_>, face: Option<&ttf_parser::Face<'_>>, shaped: &[Shaped]) {
        let characters: Vec<char> = code.text.chars().collect();
        let across = code.attribute("DeltaX").map(|steps| steps_of(steps, characters.len()));
        let down = code.attribute("DeltaY").map(|steps| steps_of(steps, characters.len()));
        let (mut x, mut y) = line.start;
        let (mut at, mut glyph_at) = (0, 0);
        while at < characters.len() && self.has_room() {
            let own = shaped.iter().find(|one| one.at == at);
            let (taken, glyphs) = match (own, face) {
                (Some(one), Some(_)) => (one.characters.max(1), one.glyphs.clone()),
                (_, Some(face)) => {
                    let glyph = characters.get(at).and_then(|c| face.glyph_index(*c));
                    (1, glyph.map(|glyph| glyph.0).into_iter().collect())
                }
                (_, None) => (1, Vec::new()),
            };
            let text: String =
                characters.get(at..(at + taken).min(characters.len())).unwrap_or_default().iter().collect();
            if glyphs.is_empty() && !text.trim().is_empty() {
                self.letter(&text, line, (x, y));
            }
            // A character that the face does not have still takes its step.
            for place in 0..glyphs.len().max(1) {
                let glyph = glyphs.get(place);
                if let (Some(glyph), Some(face)) = (glyph, face) {
                    self.glyph(*glyph, face, line, (x, y));
                }
                let step = |steps: &Option<Vec<f64>>| {
                    steps.as_ref().and_then(|steps| steps.get(glyph_at).or(steps.last()).copied())
                };
                let natural = || match (glyph, face) {
                    (Some(glyph), Some(face)) => {
                        let advance = face.glyph_hor_advance(ttf_parser::GlyphId(*glyph)).unwrap_or_default();
                        f64::from(advance) / f64::from(face.units_per_em().max(1)) * line.size * line.stretch
                    }
                    _ => line.size * if text.is_ascii() { 0.5 } else { 1.0 },
                };
                x += step(&across).unwrap_or_else(|| if down.is_some() { 0.0 } else { natural() });
                y += step(&down).unwrap_or_default();
                glyph_at += 1;
            }
            at += taken;
        }
    }

    /// A glyph's outline, told once a page and used at its place.
    fn glyph(&mut self, glyph: u16, face: &ttf_parser::Face<'_>, line: &Line<'_>, (x, y): (f64, f64)) {
        let key = (line.place, glyph);
        if !self.outlines.contains_key(&key) {
            let outline = outline::glyph(face, glyph).unwrap_or_default();
            self.room = self.room.saturating_sub(outline.len());
            self.outlines.insert(key, outline);
        }
        if self.outlines.get(&key).is_none_or(String::is_empty) {
            return;
        }
        let scale = line.size / f64::from(face.units_per_em().max(1));
        let (across, turn) = (scale * line.stretch, line.turned());
        let inside = self.inside;
        _ = write!(
            self.svg,
            "<use href=\"#d{inside}f{}g{glyph}\" transform=\"translate({x:.4} {y:.4}){turn} scale({across:.6} -{scale:.6})\"/>",
            line.place
        );
    }

    fn letter(&mut self, text: &str, line: &Line<'_>, (x, y): (f64, f64)) {
        let turn = line.turned();
        _ = write!(
            self.svg,
            "<text transform=\"translate({x:.4} {y:.4}){turn} scale({} 1)\" font-size=\"{}\" font-family=\"{}, serif\">{}</text>",
            line.stretch,
            line.size,
            // A name is a name: nothing in it ends the list of families.
            escaped(&line.name.replace([',', ';', '\'', '"', '\\', '(', ')'], " ")),
            escaped(text)
        );
    }
}

/// What all characters of a line have in common.
struct Line<'n> {
    size: f64,
    stretch: f64,
    /// Degrees clockwise.
    turn: f64,
    start: (f64, f64),
    /// The face's place among the resources.
    place: usize,
    name: &'n str,
}

impl Line<'_> {
    fn turned(&self) -> String {
        if self.turn == 0.0 { String::new() } else { format!(" rotate({})", self.turn) }
    }
}

fn read_shaped(node: &Node) -> Option<Shaped> {
    let count = |name: &str| node.attribute(name).and_then(|text| text.trim().parse::<usize>().ok());
    let glyphs: Option<Vec<u16>> = node.child("Glyphs")?.text.split_whitespace().map(|one| one.parse().ok()).collect();
    Some(Shaped { at: count("CodePosition")?, characters: count("CodeCount").unwrap_or(1), glyphs: glyphs? })
}
