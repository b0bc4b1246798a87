//! Where a word stands on the pages, so that an uploaded decision can be sealed over its date.
//!
//! Our own small reading of content streams (ISO 32000-1 §8.10, §9.4): text operators, matrices and forms, nothing
//! drawn. The libraries that paint pages overflow the stack on files made for it; this one counts every step.

use super::PdfError;
use super::file::File;
use super::font::Font;
use super::object::{Dict, Object, Ref};
use super::operators::Operators;
use super::page::{self, Page, Sheet};
use crate::limits;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;

/// A word on a page as displayed, millimetres from its top left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// From 0.
    pub page: u32,
    pub left_mm: f64,
    pub top_mm: f64,
    pub right_mm: f64,
    pub bottom_mm: f64,
}

impl Found {
    pub fn centre_mm(&self) -> (f64, f64) {
        ((self.left_mm + self.right_mm) / 2.0, (self.top_mm + self.bottom_mm) / 2.0)
    }
}

/// Every occurrence of `keyword`, in the order in which pages and their text are written. White space is ignored on
/// both sides, because writers set and leave it as they like. A page whose text cannot be read has none.
///
/// Errors: the file cannot be read, or costs more than the limits; a keyword that is empty or too long is not found.
pub fn occurrences(bytes: &[u8], keyword: &str) -> Result<Vec<Found>, PdfError> {
    let keyword: Vec<char> = keyword.chars().filter(|c| !c.is_whitespace()).collect();
    if keyword.is_empty() || keyword.len() > limits::PDF_KEYWORD {
        return Ok(Vec::new());
    }
    let file = File::open(bytes)?;
    let mut hand = Hand { file: &file, fonts: HashMap::new(), left: limits::PDF_OPERATORS, letters: Vec::new() };
    let (mut found, mut trouble) = (Vec::new(), None);
    page::walk(&file, |number, page| {
        if let Err(error @ PdfError::OverLimit { .. }) = hand.read_page(page) {
            trouble = Some(error);
            return ControlFlow::Break(());
        }
        if let Ok(sheet) = page.sheet(&file) {
            matches(&hand.letters, &keyword, number, &sheet, &mut found);
        }
        hand.letters.clear();
        if found.len() >= limits::PDF_FOUND { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    trouble.map_or(Ok(found), Err)
}

/// How many letters of a page have their middle in a rectangle of the page's own space (left, bottom, right, top).
///
/// Errors: it costs more than the limits. Text that cannot be read counts for nothing.
pub(super) fn letters_within(file: &File<'_>, page: &Page, rect: [f64; 4]) -> Result<usize, PdfError> {
    let mut hand = Hand { file, fonts: HashMap::new(), left: limits::PDF_OPERATORS, letters: Vec::new() };
    if let Err(limit @ PdfError::OverLimit { .. }) = hand.read_page(page) {
        return Err(limit);
    }
    let [left, bottom, right, top] = rect;
    let inside = |letter: &&Letter| {
        let (x, y) = letter.corners.iter().fold((0.0, 0.0), |(x, y), (a, b)| (x + a / 4.0, y + b / 4.0));
        left < x && x < right && bottom < y && y < top
    };
    Ok(hand.letters.iter().filter(inside).count())
}

/// One letter and the corners of its box in the page's own space.
struct Letter {
    letter: char,
    corners: [(f64, f64); 4],
}

fn matches(letters: &[Letter], keyword: &[char], page: u32, sheet: &Sheet, found: &mut Vec<Found>) {
    let mut from = 0;
    while let Some(window) = letters.get(from..from + keyword.len()).filter(|_| found.len() < limits::PDF_FOUND) {
        if window.iter().map(|l| l.letter).ne(keyword.iter().copied()) {
            from += 1;
            continue;
        }
        let corners = window.iter().flat_map(|l| l.corners).map(|(x, y)| sheet.to_display(x, y));
        let start = Found {
            page,
            left_mm: f64::INFINITY,
            top_mm: f64::INFINITY,
            right_mm: f64::NEG_INFINITY,
            bottom_mm: f64::NEG_INFINITY,
        };
        let found_here = corners.fold(start, |f, (x, y)| Found {
            page,
            left_mm: f.left_mm.min(x),
            top_mm: f.top_mm.min(y),
            right_mm: f.right_mm.max(x),
            bottom_mm: f.bottom_mm.max(y),
        });
        if [found_here.left_mm, found_here.top_mm, found_here.right_mm, found_here.bottom_mm]
            .iter()
            .all(|v| v.is_finite())
        {
            found.push(found_here);
        }
        from += keyword.len();
    }
}

/// `[a b c d e f]` (§8.3.3).
type Matrix = [f64; 6];

const IDENTITY: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// First `a`, then `b`.
fn then(a: &Matrix, b: &Matrix) -> Matrix {
    let [a0, a1, a2, a3, a4, a5] = *a;
    let [b0, b1, b2, b3, b4, b5] = *b;
    [
        a0 * b0 + a1 * b2,
        a0 * b1 + a1 * b3,
        a2 * b0 + a3 * b2,
        a2 * b1 + a3 * b3,
        a4 * b0 + a5 * b2 + b4,
        a4 * b1 + a5 * b3 + b5,
    ]
}

fn apply(m: &Matrix, x: f64, y: f64) -> (f64, f64) {
    let [a, b, c, d, e, f] = *m;
    (a * x + c * y + e, b * x + d * y + f)
}

/// The part of the graphics state that text needs (§9.3).
#[derive(Clone)]
struct State {
    ctm: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    letter_space: f64,
    word_space: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
}

/// Reads the text of one page after the other.
struct Hand<'f, 'a> {
    file: &'f File<'a>,
    fonts: HashMap<Ref, Rc<Font>>,
    /// Operators that may still be run.
    left: usize,
    letters: Vec<Letter>,
}

impl Hand<'_, '_> {
    fn read_page(&mut self, page: &Page) -> Result<(), PdfError> {
        let content = page.content(self.file)?;
        let resources = page.resources.as_ref().and_then(Object::dict).cloned().unwrap_or_else(Dict::empty);
        let start = State {
            ctm: IDENTITY,
            font: None,
            size: 0.0,
            letter_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
        };
        self.run(&content, &resources, start, 0)
    }

    fn run(&mut self, content: &[u8], resources: &Dict, start: State, depth: usize) -> Result<(), PdfError> {
        let (mut state, mut saved) = (start, Vec::new());
        let (mut text, mut line) = (IDENTITY, IDENTITY);
        let mut operators = Operators::of(content);
        while let Some((operands, word)) = operators.next()? {
            self.left = self
                .left
                .checked_sub(1)
                .ok_or(PdfError::OverLimit { what: "drawing operators", limit: limits::PDF_OPERATORS as u64 })?;
            let numbers: Vec<f64> = operands.iter().filter_map(Object::number).collect();
            let number = numbers.last().copied().unwrap_or(0.0);
            match (word, numbers.as_slice()) {
                (b"q", _) if saved.len() < 512 => saved.push(state.clone()),
                (b"Q", _) => state = saved.pop().unwrap_or(state),
                (b"cm", &[a, b, c, d, e, f]) => state.ctm = then(&[a, b, c, d, e, f], &state.ctm),
                (b"BT", _) => (text, line) = (IDENTITY, IDENTITY),
                (b"Tf", _) => {
                    state.size = number;
                    state.font = self.font(resources, operands.first())?;
                }
                (b"Tc", _) => state.letter_space = number,
                (b"Tw", _) => state.word_space = number,
                (b"Tz", _) => state.stretch = number / 100.0,
                (b"TL", _) => state.leading = number,
                (b"Ts", _) => state.rise = number,
                (b"Td" | b"TD", &[x, y]) => {
                    if word == b"TD" {
                        state.leading = -y;
                    }
                    line = then(&[1.0, 0.0, 0.0, 1.0, x, y], &line);
                    text = line;
                }
                (b"Tm", &[a, b, c, d, e, f]) => {
                    line = [a, b, c, d, e, f];
                    text = line;
                }
                (b"T*" | b"'" | b"\"", _) => {
                    if let (b"\"", &[word_space, letter_space]) = (word, numbers.as_slice()) {
                        (state.word_space, state.letter_space) = (word_space, letter_space);
                    }
                    line = then(&[1.0, 0.0, 0.0, 1.0, 0.0, -state.leading], &line);
                    text = line;
                    self.show(&state, &mut text, operands.last())?;
                }
                (b"Tj" | b"TJ", _) => self.show(&state, &mut text, operands.last())?,
                (b"Do", _) if depth < limits::PDF_FORM_NESTING => {
                    self.form(resources, operands.first(), &state, depth)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn font(&mut self, resources: &Dict, name: Option<&Object>) -> Result<Option<Rc<Font>>, PdfError> {
        let fonts = self.file.get_dict(resources, b"Font")?;
        let entry = name.and_then(Object::name).and_then(|n| fonts.as_ref()?.get(n).cloned());
        let Some(entry) = entry else { return Ok(None) };
        if let Some(known) = entry.reference().and_then(|r| self.fonts.get(&r)) {
            return Ok(Some(known.clone()));
        }
        let Object::Dict(dict) = self.file.resolve(&entry)? else { return Ok(None) };
        let font = Rc::new(Font::load(self.file, &dict)?);
        if let Some(r) = entry.reference() {
            self.fonts.insert(r, font.clone());
        }
        Ok(Some(font))
    }

    /// A form draws in its own space with its own resources (§8.10.1).
    fn form(&mut self, resources: &Dict, name: Option<&Object>, state: &State, depth: usize) -> Result<(), PdfError> {
        let objects = self.file.get_dict(resources, b"XObject")?;
        let entry = name.and_then(Object::name).and_then(|n| objects.as_ref()?.get(n).cloned());
        let Some(Object::Stream(stream)) = entry.map(|e| self.file.resolve(&e)).transpose()? else { return Ok(()) };
        if !stream.dict.is(b"Subtype", b"Form") {
            return Ok(());
        }
        let matrix = self.file.get(&stream.dict, b"Matrix")?;
        let matrix: Vec<f64> = matrix.array().into_iter().flatten().filter_map(Object::number).collect();
        let mut state = state.clone();
        if let [a, b, c, d, e, f] = *matrix.as_slice() {
            state.ctm = then(&[a, b, c, d, e, f], &state.ctm);
        }
        let own = self.file.get_dict(&stream.dict, b"Resources")?;
        let content = self.file.unpacked(&stream)?;
        self.run(&content, own.as_ref().unwrap_or(resources), state, depth + 1)
    }

    fn show(&mut self, state: &State, text: &mut Matrix, operand: Option<&Object>) -> Result<(), PdfError> {
        match operand {
            Some(Object::String(string)) => self.show_string(state, text, string)?,
            Some(Object::Array(items)) => {
                for item in items.iter() {
                    match item {
                        Object::String(string) => self.show_string(state, text, string)?,
                        // §9.4.3: thousandths, taken away.
                        other => advance(state, text, -other.number().unwrap_or(0.0) / 1000.0 * state.size),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn show_string(&mut self, state: &State, text: &mut Matrix, string: &[u8]) -> Result<(), PdfError> {
        let Some(font) = &state.font else { return Ok(()) };
        if self.letters.len().saturating_add(string.len()) > limits::PDF_LETTERS {
            return Err(PdfError::OverLimit { what: "letters of one page", limit: limits::PDF_LETTERS as u64 });
        }
        let mut rest = string;
        while let Some((code, length)) = font.next_code(rest).filter(|_| !rest.is_empty()) {
            rest = rest.get(length..).unwrap_or_default();
            let width = font.width(code) / 1000.0;
            // Boxes need not be exact: a letter is taken to reach from 0.2 under the line to 0.8 over it (Chinese
            // type fills its square so), and across the line it is as wide as it advances.
            let (x0, x1, y0, y1) = match font.vertical {
                true => (-0.5, 0.5, -1.0, 0.0),
                false => (0.0, width, -0.2, 0.8),
            };
            let scaled = [state.size * state.stretch, 0.0, 0.0, state.size, 0.0, state.rise];
            let place = then(&then(&scaled, text), &state.ctm);
            let corners = [(x0, y0), (x1, y0), (x0, y1), (x1, y1)].map(|(x, y)| apply(&place, x, y));
            for letter in font.letters(code).chars().filter(|c| !c.is_whitespace() && *c != '\0') {
                self.letters.push(Letter { letter, corners });
            }
            let space = if length == 1 && code == 32 { state.word_space } else { 0.0 };
            let forward = if font.vertical { -state.size } else { width * state.size };
            let forward =
                if font.vertical { forward - state.letter_space - space } else { forward + state.letter_space + space };
            advance(state, text, forward);
        }
        Ok(())
    }
}

/// Moves on along the writing direction by unscaled text units (§9.4.4).
fn advance(state: &State, text: &mut Matrix, by: f64) {
    let vertical = state.font.as_ref().is_some_and(|f| f.vertical);
    let (x, y) = if vertical { (0.0, by) } else { (by * state.stretch, 0.0) };
    *text = then(&[1.0, 0.0, 0.0, 1.0, x, y], text);
}
