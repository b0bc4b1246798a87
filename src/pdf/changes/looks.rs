//! What an appearance draws, told from its operators alone: enough to tell a thin stroke from what hides or adds text.

use crate::crypto::sha256;
use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::object::{Dict, Object, Stream};
use crate::pdf::operators::Operators;
use crate::pdf::reach::deep;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

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

    fn add(&mut self, other: Self) {
        let Self { text, image, panel, fill, broad, drawn, unread } = other;
        self.text |= text;
        self.image |= image;
        self.panel |= panel;
        self.fill |= fill;
        self.broad |= broad;
        self.drawn |= drawn;
        self.unread |= unread;
    }

    /// As [`Self::can_mislead`], where nothing but lines is expected.
    pub fn is_more_than_lines(&self) -> bool {
        self.can_mislead() || self.fill || self.broad
    }
}

/// What forms that lead to nothing else draw, by the digest of all that is read of them, with the operators it took: one
/// seal's picture stands in a file once for each time it was sealed.
pub(super) type Drawn = RefCell<HashMap<[u8; 32], (Looks, usize)>>;

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
pub(super) fn of(file: &File<'_>, appearance: Option<&Object>, drawn: &Drawn) -> Result<Looks, PdfError> {
    let (looks, seen, left) = (Looks::default(), HashSet::new(), limits::PDF_OPERATORS / 50);
    let mut eye = Eye { file, drawn, looks, seen, left };
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
    drawn: &'f Drawn,
    looks: Looks,
    seen: HashSet<u32>,
    left: usize,
}

impl Eye<'_, '_> {
    fn form(&mut self, form: &Object, around: &Dict, state: State, depth: usize) -> Result<(), PdfError> {
        if form.reference().is_some_and(|r| !self.seen.insert(r.number)) {
            return Ok(());
        }
        let Object::Stream(stream) = self.file.resolve(form)? else { return Ok(()) };
        // What says that it is no picture is drawn by some viewers, and in an encrypted file left plain by some (§7.5.8.2,
        // §7.6.5, table 14): it may show another thing than is read here.
        let elsewhere = [b"XRef".as_slice(), b"ObjStm", b"Metadata"].iter().any(|kind| stream.dict.is(b"Type", kind));
        let own_way = || self.file.filters(&stream).is_ok_and(|filters| !matches!(filters.crypt(), Ok(None)));
        if elsewhere || own_way() {
            self.looks.unread = true;
            return Ok(());
        }
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
        let Some(key) = self.key(form, &stream, state)? else { return self.read_form(&stream, around, state, depth) };
        let known = self.drawn.borrow().get(&key).copied();
        let (looks, operators) = match known {
            Some(known) => known,
            None => {
                let (looks, left) = (std::mem::take(&mut self.looks), self.left);
                let read = self.read_form(&stream, around, state, depth);
                let found = std::mem::replace(&mut self.looks, looks);
                self.looks.add(found);
                read?;
                self.drawn.borrow_mut().insert(key, (found, left - self.left));
                return Ok(());
            }
        };
        self.looks.add(looks);
        self.spend(operators)
    }

    /// A digest of all that says what a form draws; none where it leads to other objects, or where it is not its own
    /// alone that is drawn with.
    fn key(&self, form: &Object, stream: &Stream, state: State) -> Result<Option<[u8; 32]>, PdfError> {
        let Some(reference) = form.reference() else { return Ok(None) };
        let Some(loaded) = self.file.load(reference)? else { return Ok(None) };
        if stream.dict.get(b"Resources").is_none() || leads_on(&Object::Dict(stream.dict.clone())) {
            return Ok(None);
        }
        let (dict, stored) = (self.file.raw(&loaded)?, self.file.stored(stream)?);
        let State { scale, width, clear, hidden_text } = state;
        let mut read = Vec::with_capacity(dict.len() + stored.len() + 32);
        read.extend(dict.len().to_be_bytes());
        read.extend(scale.to_bits().to_be_bytes());
        read.extend(width.to_bits().to_be_bytes());
        read.extend([u8::from(clear), u8::from(hidden_text)]);
        read.extend_from_slice(&dict);
        read.extend_from_slice(&stored);
        self.file.pay(read.len())?;
        Ok(Some(sha256(&read)))
    }

    fn spend(&mut self, operators: usize) -> Result<(), PdfError> {
        let limit = limits::PDF_OPERATORS as u64 / 50;
        let left = self.left.checked_sub(operators);
        self.left = left.ok_or(PdfError::OverLimit { what: "drawing operators", limit })?;
        Ok(())
    }

    fn read_form(&mut self, stream: &Stream, around: &Dict, mut state: State, depth: usize) -> Result<(), PdfError> {
        let matrix = self.file.get(&stream.dict, b"Matrix")?;
        let matrix: Vec<f64> = matrix.array().into_iter().flatten().filter_map(Object::number).collect();
        state.scale *= growth(&matrix);
        let own = self.file.get_dict(&stream.dict, b"Resources")?;
        let content = self.file.unpacked(stream)?;
        self.run(&content, own.as_ref().unwrap_or(around), state, depth)
    }

    fn run(&mut self, content: &[u8], resources: &Dict, start: State, depth: usize) -> Result<(), PdfError> {
        let (mut state, mut saved) = (start, Vec::new());
        let mut panel = false;
        let mut operators = Operators::of(content);
        while let Some((operands, word)) = operators.next()? {
            self.spend(1)?;
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

/// Whether a reference stands anywhere in it.
fn leads_on(object: &Object) -> bool {
    match object {
        Object::Ref(_) => true,
        Object::Array(items) => items.iter().filter(|item| deep(item)).any(leads_on),
        Object::Dict(dict) => dict.entries().iter().filter(|entry| deep(&entry.value)).any(|e| leads_on(&e.value)),
        _ => false,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdf::object::Ref;

    /// A file of these objects from number 1 on; the first is the catalog.
    fn file(objects: &[String]) -> Vec<u8> {
        let (mut file, mut table) = (b"%PDF-1.7\n".to_vec(), format!("xref\n0 {}\n", objects.len() + 1));
        table.push_str("0000000000 65535 f \n");
        for (number, object) in (1..).zip(objects) {
            table.push_str(&format!("{:010} 00000 n \n", file.len()));
            file.extend(format!("{number} 0 obj\n{object}\nendobj\n").bytes());
        }
        let at = file.len();
        file.extend(format!("{table}trailer<</Size 99/Root 1 0 R>>\nstartxref\n{at}\n%%EOF\n").bytes());
        file
    }

    fn form(resources: &str, content: &str) -> String {
        format!("<</Subtype/Form/Resources<<{resources}>>/Length {}>>stream\n{content}\nendstream", content.len())
    }

    #[test]
    fn a_picture_that_was_met_before_shows_what_it_would_anew() {
        let (line, draws) = ("2 w 0 0 m 9 9 l S", |number| format!("/XObject<</S {number} 0 R>>"));
        let bytes = file(&[
            "<</Type/Catalog/Pages 2 0 R>>".into(),
            "<</Type/Pages/Kids[]/Count 0>>".into(),
            form("", line),
            form("", line),
            form(&draws(3), "/S Do"),
            form(&draws(4), "/S Do"),
            // The same picture, drawn so that the line is broad; in a state where text is not seen; and another one.
            form(&draws(4), "3 0 0 3 0 0 cm /S Do"),
            form("", "0 0 9 9 re f"),
            form(&draws(8), "/S Do"),
            // What a form leads to may be something else the next time.
            form(&draws(3), "/S Do /S Do"),
            form(&draws(10), "/S Do"),
        ]);
        let file = File::open(&bytes[..]).unwrap();
        let appearance = |number| {
            let of = Object::Ref(Ref { number, generation: 0 });
            let entry = crate::pdf::object::DictEntry { key: b"N".as_slice().into(), value: of, span: 0..0 };
            Object::Dict(Dict::new(vec![entry]))
        };
        let drawn = Drawn::default();
        for (number, line, broad, panel) in
            [(5, true, false, false), (6, true, false, false), (7, true, true, false), (9, true, false, true)]
        {
            let looks = of(&file, Some(&appearance(number)), &drawn).unwrap();
            assert_eq!((looks.drawn, looks.broad, looks.panel), (line, broad, panel), "{number}");
            assert_eq!(looks, of(&file, Some(&appearance(number)), &Drawn::default()).unwrap(), "{number}");
        }
        // 3 and 4 are one picture, 3 drawn broadly is another, 8 is a third; what leads on to others is read each time.
        assert_eq!(drawn.borrow().len(), 3);
        of(&file, Some(&appearance(11)), &drawn).unwrap();
        assert_eq!(drawn.borrow().len(), 3);
        // It counts against what may be read, whether read or remembered.
        let operators: usize = drawn.borrow().values().map(|(_, operators)| operators).sum();
        assert_eq!(operators, 4 + 4 + 2);
    }

    #[test]
    fn what_says_that_it_is_no_picture_is_never_taken_for_an_empty_one() {
        let said =
            ["", "/Type/XObject", "/Type/XRef", "/Type/ObjStm", "/Type/Metadata", "/Filter/Crypt", "/Filter[/Crypt]"];
        let head = ["<</Type/Catalog/Pages 2 0 R>>".to_owned(), "<</Type/Pages/Kids[]/Count 0>>".to_owned()];
        let picture = |said| format!("<<{said}/Subtype/Form/Length 9>>stream\n% nothing\nendstream");
        let bytes = file(&head.into_iter().chain(said.map(picture)).collect::<Vec<_>>());
        let file = File::open(&bytes[..]).unwrap();
        for (number, said) in (3..).zip(said) {
            let of = Object::Ref(Ref { number, generation: 0 });
            let entry = crate::pdf::object::DictEntry { key: b"N".as_slice().into(), value: of, span: 0..0 };
            let looks = super::of(&file, Some(&Object::Dict(Dict::new(vec![entry]))), &Drawn::default()).unwrap();
            assert_eq!(looks.is_blank(), ["", "/Type/XObject"].contains(&said), "{said}");
        }
    }
}
