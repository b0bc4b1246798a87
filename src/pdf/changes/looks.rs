//! What an appearance draws, told from its operators alone: enough to tell a thin stroke from what hides or adds text.

use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::object::{Dict, Object};
use crate::pdf::operators::Operators;
use std::collections::HashSet;

/// Lines up to this wide, points, do not hide a letter of ten points.
const THIN: f64 = 3.0;

/// What was found in the normal appearance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Looks {
    pub text: bool,
    /// A picture with no transparency.
    pub image: bool,
    /// A rectangle filled with something opaque.
    pub panel: bool,
    /// Any area filled with something opaque.
    pub fill: bool,
    /// A line wider than [`THIN`].
    pub broad: bool,
    /// Anything at all.
    pub drawn: bool,
    /// It was too much to read, or could not be read.
    pub unread: bool,
}

impl Looks {
    pub fn is_blank(&self) -> bool {
        !self.drawn && !self.unread
    }

    /// It may hide what lies under it.
    pub fn hides(&self) -> bool {
        self.image || self.panel || self.unread
    }

    /// It may hide what lies under it, or say something itself.
    pub fn can_mislead(&self) -> bool {
        self.text || self.hides()
    }

    /// As [`Self::can_mislead`], where nothing but lines is expected.
    pub fn is_more_than_lines(&self) -> bool {
        self.can_mislead() || self.fill || self.broad
    }
}

/// The `/Rect` of an annotation, in order, or none where it has no area at all.
pub(super) fn rectangle(file: &File<'_>, dict: &Dict) -> Result<Option<[f64; 4]>, PdfError> {
    let rect = file.get(dict, b"Rect")?;
    let mut sides = Vec::new();
    for side in rect.array().unwrap_or_default() {
        sides.extend(file.resolve(side)?.number());
    }
    Ok(match *sides.as_slice() {
        [a, b, c, d] if a != c && b != d => Some([a.min(c), b.min(d), a.max(c), b.max(d)]),
        _ => None,
    })
}

/// Reads an appearance dictionary's normal appearance, in all its states.
///
/// Errors: only what all of the file together may cost.
pub(super) fn of(file: &File<'_>, appearance: Option<&Object>) -> Result<Looks, PdfError> {
    let mut eye = Eye { file, looks: Looks::default(), seen: HashSet::new(), left: limits::PDF_OPERATORS / 50 };
    let normal = match appearance.map(|a| file.resolve(a)).transpose()? {
        Some(Object::Dict(dict)) => file.get(&dict, b"N")?,
        // §12.5.5 knows no other form; viewers take the stream all the same.
        Some(stream @ Object::Stream(_)) => stream,
        _ => return Ok(Looks::default()),
    };
    let states: Vec<Object> = match &normal {
        Object::Dict(states) => states.entries().iter().map(|e| e.value.clone()).collect(),
        one => vec![one.clone()],
    };
    for state in states.iter().take(64) {
        match eye.form(state, &Dict::empty(), State::default(), 0) {
            Err(PdfError::OverLimit { what: "bytes read", limit }) => {
                return Err(PdfError::OverLimit { what: "bytes read", limit });
            }
            Err(_) => eye.looks.unread = true,
            Ok(()) => {}
        }
    }
    Ok(eye.looks)
}

#[derive(Clone, Copy)]
struct State {
    /// How much a unit has grown.
    scale: f64,
    width: f64,
    /// Nothing painted now hides what is under it.
    clear: bool,
    /// Text neither filled nor stroked (§9.3.6).
    hidden_text: bool,
}

impl Default for State {
    fn default() -> Self {
        Self { scale: 1.0, width: 1.0, clear: false, hidden_text: false }
    }
}

struct Eye<'f, 'a> {
    file: &'f File<'a>,
    looks: Looks,
    seen: HashSet<u32>,
    left: usize,
}

impl Eye<'_, '_> {
    fn form(&mut self, form: &Object, around: &Dict, mut state: State, depth: usize) -> Result<(), PdfError> {
        if form.reference().is_some_and(|r| !self.seen.insert(r.number)) {
            return Ok(());
        }
        let Object::Stream(stream) = self.file.resolve(form)? else { return Ok(()) };
        if stream.dict.is(b"Subtype", b"Image") {
            self.looks.drawn = true;
            let mask = [b"SMask".as_slice(), b"Mask"].iter().any(|k| stream.dict.get(k).is_some());
            self.looks.image |= !(mask || state.clear || stream.dict.get(b"ImageMask") == Some(&Object::Bool(true)));
            return Ok(());
        }
        if depth > limits::PDF_FORM_NESTING {
            self.looks.unread = true;
            return Ok(());
        }
        let matrix = self.file.get(&stream.dict, b"Matrix")?;
        let matrix: Vec<f64> = matrix.array().into_iter().flatten().filter_map(Object::number).collect();
        state.scale *= growth(&matrix);
        let own = self.file.get_dict(&stream.dict, b"Resources")?;
        let content = self.file.unpacked(&stream)?;
        self.run(&content, own.as_ref().unwrap_or(around), state, depth)
    }

    fn run(&mut self, content: &[u8], resources: &Dict, start: State, depth: usize) -> Result<(), PdfError> {
        let (mut state, mut saved) = (start, Vec::new());
        let mut panel = false;
        let mut operators = Operators::of(content);
        while let Some((operands, word)) = operators.next()? {
            self.left = self
                .left
                .checked_sub(1)
                .ok_or(PdfError::OverLimit { what: "drawing operators", limit: limits::PDF_OPERATORS as u64 / 50 })?;
            let numbers: Vec<f64> = operands.iter().filter_map(Object::number).collect();
            match (word, numbers.as_slice()) {
                (b"q", _) if saved.len() < 512 => saved.push(state),
                (b"Q", _) => state = saved.pop().unwrap_or(state),
                (b"cm", matrix) => state.scale *= growth(matrix),
                (b"w", [width]) => state.width = *width,
                (b"gs", _) => self.graphics_state(resources, operands.first(), &mut state)?,
                (b"Tr", [mode]) => state.hidden_text = *mode == 3.0,
                (b"re", _) => panel = true,
                (b"f" | b"F" | b"f*" | b"B" | b"B*" | b"b" | b"b*", _) => {
                    self.looks.drawn = true;
                    self.looks.fill |= !state.clear;
                    self.looks.panel |= panel && !state.clear;
                    panel = false;
                }
                (b"S" | b"s", _) => {
                    self.looks.drawn = true;
                    self.looks.broad |= state.width * state.scale > THIN && !state.clear;
                    panel = false;
                }
                (b"n", _) => panel = false,
                (b"sh", _) => {
                    self.looks.drawn = true;
                    self.looks.panel |= !state.clear;
                }
                (b"Tj" | b"TJ" | b"'" | b"\"", _) if !state.hidden_text => {
                    self.looks.drawn = true;
                    self.looks.text |= operands.iter().any(says_something);
                }
                (b"BI", _) => {
                    self.looks.drawn = true;
                    self.looks.image = true;
                }
                (b"Do", _) => {
                    let objects = self.file.get_dict(resources, b"XObject")?;
                    let name = operands.first().and_then(Object::name);
                    if let Some(object) = name.and_then(|n| objects.as_ref()?.get(n).cloned()) {
                        self.form(&object, resources, state, depth + 1)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// §8.4.5: half transparent, or multiplied with what is there, hides nothing that is black.
    fn graphics_state(&self, resources: &Dict, name: Option<&Object>, state: &mut State) -> Result<(), PdfError> {
        let all = self.file.get_dict(resources, b"ExtGState")?;
        let entry = name.and_then(Object::name).and_then(|n| all.as_ref()?.get(n).cloned());
        let Some(Object::Dict(dict)) = entry.map(|e| self.file.resolve(&e)).transpose()? else { return Ok(()) };
        if let Some(width) = self.file.get(&dict, b"LW")?.number() {
            state.width = width;
        }
        let blend = self.file.get(&dict, b"BM")?;
        let blend = blend.array().and_then(<[Object]>::first).cloned().unwrap_or(blend);
        match blend.name() {
            Some(b"Multiply" | b"Darken") => state.clear = true,
            Some(_) => state.clear = false,
            None => {}
        }
        if let Some(alpha) = self.file.get(&dict, b"ca")?.number() {
            state.clear |= alpha <= 0.6;
        }
        Ok(())
    }
}

fn says_something(operand: &Object) -> bool {
    match operand {
        Object::String(text) => text.iter().any(|&b| b != b' ' && b != 0),
        Object::Array(items) => items.iter().any(says_something),
        _ => false,
    }
}

/// How much longer a line gets by a matrix, at most.
fn growth(matrix: &[f64]) -> f64 {
    match matrix {
        [a, b, c, d, ..] => a.hypot(*b).max(c.hypot(*d)),
        _ => 1.0,
    }
}
