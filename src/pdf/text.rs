//! Where a word stands on the pages, so that an uploaded decision can be sealed over its date.
//!
//! Our own small reading of content streams (ISO 32000-1 §8.10, §9.4): text operators, matrices and forms, nothing
//! drawn. The libraries that paint pages overflow the stack on files made for it; this one counts every step.

use super::PdfError;
use super::file::File;
use super::font::Font;
use super::matrix::Matrix;
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
        hand.letters.retain(|letter| letter.letter != UNTOLD);
        if let Ok(sheet) = page.sheet(&file) {
            matches(&hand.letters, &keyword, number, &sheet, &mut found);
        }
        hand.letters.clear();
        if found.len() >= limits::PDF_FOUND { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    trouble.map_or(Ok(found), Err)
}

/// Where a page's letters stand: upright boxes in the page's own space (left, bottom, right, top).
#[derive(Default)]
pub(super) struct Boxes(Vec<[f64; 4]>);

impl Boxes {
    /// Errors: it costs more than the limits. Text that cannot be read counts for nothing.
    pub fn of(file: &File<'_>, page: &Page) -> Result<Self, PdfError> {
        let mut hand = Hand { file, fonts: HashMap::new(), left: limits::PDF_OPERATORS, letters: Vec::new() };
        if let Err(limit @ PdfError::OverLimit { .. }) = hand.read_page(page) {
            return Err(limit);
        }
        Ok(Self(hand.letters.iter().map(|letter| Matrix::IDENTITY.around_all(&letter.corners)).collect()))
    }

    /// Whether one of them lies by a quarter or more in a rectangle.
    pub fn any_within(&self, [left, bottom, right, top]: [f64; 4]) -> bool {
        self.0.iter().any(|&[l, b, r, t]| {
            let (wide, high) = (right.min(r) - left.max(l), top.min(t) - bottom.max(b));
            wide > 0.0 && high > 0.0 && wide * high >= (r - l) * (t - b) / 4.0
        })
    }
}

/// A letter of which nobody can tell what it says.
const UNTOLD: char = '\u{fffd}';

/// One letter and the corners of its box in the page's own space.
struct Letter {
    letter: char,
    corners: [(f64, f64); 4],
}

impl Letter {
    fn is_seen(&self) -> bool {
        !self.letter.is_whitespace() && self.letter != '\0'
    }
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

/// The part of the graphics state that text needs (§9.3).
#[derive(Clone)]
pub(super) struct Writing {
    pub font: Option<Rc<Font>>,
    pub size: f64,
    letter_space: f64,
    word_space: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
}

/// Where the next letter comes to stand, and where its line began (§9.4.1), in the space of the text.
#[derive(Clone, Copy)]
pub(super) struct Pen {
    text: Matrix,
    line: Matrix,
}

impl Pen {
    pub const START: Self = Self { text: Matrix::IDENTITY, line: Matrix::IDENTITY };

    fn go(&mut self, to: Matrix) {
        (self.text, self.line) = (to, to);
    }
}

/// One letter as it is shown.
pub(super) struct Glyph<'g> {
    pub font: &'g Font,
    pub code: u32,
    /// How far it advances, em.
    pub width: f64,
    place: Matrix,
}

impl Glyph<'_> {
    /// Of its box, where the matrix leads: the ends of its foot, then of its head.
    pub fn corners(&self) -> [(f64, f64); 4] {
        self.corners_of(self.width)
    }

    /// As [`Self::corners`], of a letter so wide.
    pub fn corners_of(&self, width: f64) -> [(f64, f64); 4] {
        // Boxes need not be exact: a letter is taken to reach from 0.2 under the line to 0.8 over it (Chinese type fills
        // its square so), and across the line it is as wide as it advances.
        let (x0, x1, y0, y1) = match self.font.vertical {
            true => (-0.5, 0.5, -1.0, 0.0),
            false => (0.0, width, -0.2, 0.8),
        };
        [(x0, y0), (x1, y0), (x0, y1), (x1, y1)].map(|(x, y)| self.place.apply(x, y))
    }
}

impl Writing {
    pub fn start() -> Self {
        let (letter_space, word_space, leading, rise) = (0.0, 0.0, 0.0, 0.0);
        Self { font: None, size: 0.0, letter_space, word_space, stretch: 1.0, leading, rise }
    }

    /// Whether nothing was said of text so far.
    pub fn is_start(&self) -> bool {
        let Self { font, size, letter_space, word_space, stretch, leading, rise } = self;
        font.is_none()
            && [*size, *letter_space, *word_space, *stretch, *leading, *rise] == [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    }

    /// What an operator says of how and where text is written, but for the font (§9.3.1, §9.4.2).
    pub fn set(&mut self, pen: &mut Pen, word: &[u8], numbers: &[f64]) {
        match (word, numbers) {
            (b"BT", _) => *pen = Pen::START,
            (b"Tc", [.., space]) => self.letter_space = *space,
            (b"Tw", [.., space]) => self.word_space = *space,
            (b"Tz", [.., percent]) => self.stretch = percent / 100.0,
            (b"TL", [.., leading]) => self.leading = *leading,
            (b"Ts", [.., rise]) => self.rise = *rise,
            (b"Td" | b"TD", &[x, y]) => {
                if word == b"TD" {
                    self.leading = -y;
                }
                pen.go(Matrix::moved(x, y).then(pen.line));
            }
            (b"Tm", &[a, b, c, d, e, f]) => pen.go(Matrix([a, b, c, d, e, f])),
            (b"T*" | b"'" | b"\"", _) => {
                if let (b"\"", &[word_space, letter_space]) = (word, numbers) {
                    (self.word_space, self.letter_space) = (word_space, letter_space);
                }
                pen.go(Matrix::moved(0.0, -self.leading).then(pen.line));
            }
            _ => {}
        }
    }

    /// Shows a string, or several with steps between them. Without a font nothing is shown.
    pub fn show(
        &self,
        pen: &mut Pen,
        space: Matrix,
        operand: Option<&Object>,
        see: &mut dyn FnMut(&Glyph<'_>) -> Result<(), PdfError>,
    ) -> Result<(), PdfError> {
        let Some(font) = &self.font else { return Ok(()) };
        match operand {
            Some(Object::String(string)) => self.show_string(font, pen, space, string, see)?,
            Some(Object::Array(items)) => {
                for item in items.iter() {
                    match item {
                        Object::String(string) => self.show_string(font, pen, space, string, see)?,
                        // §9.4.3: thousandths, taken away.
                        other => self.advance(font, pen, -other.number().unwrap_or(0.0) / 1000.0 * self.size),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn show_string(
        &self,
        font: &Font,
        pen: &mut Pen,
        space: Matrix,
        string: &[u8],
        see: &mut dyn FnMut(&Glyph<'_>) -> Result<(), PdfError>,
    ) -> Result<(), PdfError> {
        let mut rest = string;
        while let Some((code, length)) = font.next_code(rest).filter(|_| !rest.is_empty()) {
            rest = rest.get(length..).unwrap_or_default();
            let width = font.width(code) / 1000.0;
            let scaled = Matrix([self.size * self.stretch, 0.0, 0.0, self.size, 0.0, self.rise]);
            let place = scaled.then(pen.text).then(space);
            see(&Glyph { font, code, width, place })?;
            let space = if length == 1 && code == 32 { self.word_space } else { 0.0 };
            let forward = if font.vertical { -self.size } else { width * self.size };
            let forward =
                if font.vertical { forward - self.letter_space - space } else { forward + self.letter_space + space };
            self.advance(font, pen, forward);
        }
        Ok(())
    }

    /// Moves on along the writing direction by unscaled text units (§9.4.4).
    fn advance(&self, font: &Font, pen: &mut Pen, by: f64) {
        let (x, y) = if font.vertical { (0.0, by) } else { (by * self.stretch, 0.0) };
        pen.text = Matrix::moved(x, y).then(pen.text);
    }
}

/// A font by its name among the resources, with those that were loaded before.
pub(super) fn font(
    file: &File<'_>,
    known: &mut HashMap<Ref, Rc<Font>>,
    resources: &Dict,
    name: Option<&Object>,
) -> Result<Option<Rc<Font>>, PdfError> {
    let fonts = file.get_dict(resources, b"Font")?;
    let entry = name.and_then(Object::name).and_then(|n| fonts.as_ref()?.get(n).cloned());
    let Some(entry) = entry else { return Ok(None) };
    if let Some(known) = entry.reference().and_then(|r| known.get(&r)) {
        return Ok(Some(known.clone()));
    }
    let Object::Dict(dict) = file.resolve(&entry)? else { return Ok(None) };
    if entry.reference().is_none() {
        file.pay(weight(file, &dict)?)?;
    }
    let font = Rc::new(Font::load(file, &dict)?);
    if let Some(r) = entry.reference() {
        known.insert(r, font.clone());
    }
    Ok(Some(font))
}

/// About how many bytes it takes to write a font that stands among the resources itself and is read each time anew.
pub(super) fn weight(file: &File<'_>, font: &Dict) -> Result<usize, PdfError> {
    const ITEM: usize = 8;
    let items = |dict: &Dict, key: &[u8]| -> Result<usize, PdfError> {
        Ok(file.get(dict, key)?.array().map_or(0, <[Object]>::len))
    };
    let encoding = file.get_dict(font, b"Encoding")?.unwrap_or_else(Dict::empty);
    let mut all = items(font, b"Widths")? + items(&encoding, b"Differences")?;
    if let Some(below) = file.get(font, b"DescendantFonts")?.array().and_then(<[Object]>::first)
        && let Object::Dict(below) = file.resolve(below)?
    {
        all += items(&below, b"W")?;
    }
    Ok((1 + all) * ITEM)
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
        self.run(&content, &resources, (Matrix::IDENTITY, Writing::start()), 0)
    }

    fn run(
        &mut self,
        content: &[u8],
        resources: &Dict,
        start: (Matrix, Writing),
        depth: usize,
    ) -> Result<(), PdfError> {
        let (mut state, mut saved, mut pen) = (start, Vec::new(), Pen::START);
        let mut operators = Operators::of(content);
        while let Some((operands, word)) = operators.next()? {
            self.left = self
                .left
                .checked_sub(1)
                .ok_or(PdfError::OverLimit { what: "drawing operators", limit: limits::PDF_OPERATORS as u64 })?;
            let numbers: Vec<f64> = operands.iter().filter_map(Object::number).collect();
            match (word, numbers.as_slice()) {
                (b"q", _) if saved.len() < 512 => saved.push(state.clone()),
                (b"Q", _) => state = saved.pop().unwrap_or(state),
                (b"cm", &[a, b, c, d, e, f]) => state.0 = Matrix([a, b, c, d, e, f]).then(state.0),
                (b"Tf", _) => {
                    state.1.size = numbers.last().copied().unwrap_or(0.0);
                    state.1.font = font(self.file, &mut self.fonts, resources, operands.first())?;
                }
                (b"Tj" | b"TJ", _) => self.show(&state, &mut pen, operands.last())?,
                (b"'" | b"\"", _) => {
                    state.1.set(&mut pen, word, &numbers);
                    self.show(&state, &mut pen, operands.last())?;
                }
                (b"Do", _) if depth < limits::PDF_FORM_NESTING => {
                    self.form(resources, operands.first(), &state, depth)?;
                }
                _ => state.1.set(&mut pen, word, &numbers),
            }
        }
        Ok(())
    }

    /// A form draws in its own space with its own resources (§8.10.1).
    fn form(
        &mut self,
        resources: &Dict,
        name: Option<&Object>,
        state: &(Matrix, Writing),
        depth: usize,
    ) -> Result<(), PdfError> {
        let objects = self.file.get_dict(resources, b"XObject")?;
        let entry = name.and_then(Object::name).and_then(|n| objects.as_ref()?.get(n).cloned());
        let Some(Object::Stream(stream)) = entry.map(|e| self.file.resolve(&e)).transpose()? else { return Ok(()) };
        if self.file.get(&stream.dict, b"Subtype")?.name() != Some(b"Form") {
            return Ok(());
        }
        let matrix = Matrix::read(self.file, stream.dict.get(b"Matrix").unwrap_or(&Object::Null))?;
        let mut state = state.clone();
        state.0 = matrix.unwrap_or(Matrix::IDENTITY).then(state.0);
        let own = self.file.get_dict(&stream.dict, b"Resources")?;
        let content = self.file.unpacked(&stream)?;
        self.run(&content, own.as_ref().unwrap_or(resources), state, depth + 1)
    }

    fn show(&mut self, state: &(Matrix, Writing), pen: &mut Pen, operand: Option<&Object>) -> Result<(), PdfError> {
        let letters = &mut self.letters;
        state.1.show(pen, state.0, operand, &mut |glyph| {
            if letters.len() >= limits::PDF_LETTERS {
                return Err(PdfError::OverLimit { what: "letters of one page", limit: limits::PDF_LETTERS as u64 });
            }
            let corners = glyph.corners();
            let said = glyph.font.letters(glyph.code);
            let untold = said.is_empty().then_some(UNTOLD);
            letters.extend(said.chars().chain(untold).map(|letter| Letter { letter, corners }).filter(Letter::is_seen));
            Ok(())
        })
    }
}
