//! What an appearance draws, told from its operators alone: enough to tell a thin stroke from what hides or adds text.

use super::canvas::{Canvas, Cover, Matrix};
use crate::crypto::sha256;
use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::object::{Dict, Object, Stream};
use crate::pdf::operators::Operators;
use crate::pdf::page;
use crate::pdf::reach::deep;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use tiny_skia::{FillRule, Path, PathBuilder};

/// Lines up to this wide, points, do not hide a letter of ten points.
const THIN: f64 = 3.0;

/// What was found in the normal appearance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Looks {
    pub text: bool,
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
    /// It was too much to read, or could not be read.
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

    fn add(&mut self, other: Self) {
        let Self { text, image, panel, fill, broad, solid, drawn, unread } = other;
        self.text |= text;
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
        self.can_mislead() || self.fill || self.broad
    }
}

/// What forms that lead to nothing else draw, by the digest of all that is read of them, with the operators it took: one
/// seal's picture stands in a file once for each time it was sealed.
pub(super) type Drawn = RefCell<HashMap<[u8; 32], (Looks, Rc<Canvas>, usize)>>;

/// Points of a mask that is read; seals and signatures have some hundred thousand.
const MASK_POINTS: usize = 4 << 20;

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

/// Reads the normal appearance of an annotation, in all its states.
///
/// Errors: only what all of the file together may cost.
pub(super) fn of(file: &File<'_>, annotation: &Dict, drawn: &Drawn) -> Result<Looks, PdfError> {
    let normal = match annotation.get(b"AP").map(|a| file.resolve(a)).transpose()? {
        Some(Object::Dict(dict)) => file.get(&dict, b"N")?,
        // §12.5.5 knows no other form; viewers take the stream all the same.
        Some(stream @ Object::Stream(_)) => stream,
        _ => return Ok(Looks::default()),
    };
    let states: Vec<Object> = match &normal {
        Object::Dict(states) => states.entries().iter().map(|e| e.value.clone()).collect(),
        one => vec![one.clone()],
    };
    let rect = rectangle(file, annotation)?.unwrap_or([0.0, 0.0, 1.0, 1.0]);
    let [left, bottom, right, top] = rect;
    let (width, height) = (right - left, top - bottom);
    let (mut all, mut left) = (Looks { unread: rect == ANYWHERE, ..Looks::default() }, limits::PDF_OPERATORS / 50);
    for state in states.iter().take(64) {
        let Some(canvas) = Canvas::new(width, height) else {
            all.unread = true;
            continue;
        };
        let place = place(file, state, [width, height])?.then(canvas.fineness());
        let mut eye = Eye { file, drawn, looks: Looks::default(), canvas, within: HashSet::new(), left };
        match eye.form(state, &Dict::empty(), State::at(place), 0) {
            Err(PdfError::OverLimit { what: "bytes read", limit }) => {
                return Err(PdfError::OverLimit { what: "bytes read", limit });
            }
            Err(_) => eye.looks.unread = true,
            Ok(()) => {}
        }
        eye.looks.solid |= eye.canvas.hides_words();
        all.add(eye.looks);
        left = eye.left;
    }
    Ok(all)
}

/// What brings an appearance onto its annotation (§12.5.5), so wide and high.
fn place(file: &File<'_>, form: &Object, size: [f64; 2]) -> Result<Matrix, PdfError> {
    let Object::Stream(stream) = file.resolve(form)? else { return Ok(Matrix::IDENTITY) };
    let bounds = file.get(&stream.dict, b"BBox")?;
    let bounds: Vec<f64> = bounds.array().into_iter().flatten().filter_map(Object::number).collect();
    let [a, b, c, d] = bounds.as_slice() else { return Ok(Matrix::IDENTITY) };
    let [left, bottom, right, top] = own_matrix(file, &stream)?.around([a.min(*c), b.min(*d), a.max(*c), b.max(*d)]);
    let [wide, high] = size;
    let (x, y) = (wide / (right - left), high / (top - bottom));
    // Without an area nothing is seen, wherever it is thought to be.
    if !(x.is_finite() && y.is_finite()) {
        return Ok(Matrix::IDENTITY);
    }
    Ok(Matrix([x, 0.0, 0.0, y, -left * x, -bottom * y]))
}

#[derive(Clone, Copy)]
struct State {
    /// To the cells of the canvas.
    matrix: Matrix,
    width: f64,
    /// What is filled, and what is stroked.
    fill: Ink,
    stroke: Ink,
    /// Multiplied with what is there (§11.3.5), so that light colours leave what is dark.
    multiplied: bool,
    /// Text neither filled nor stroked (§9.3.6).
    hidden_text: bool,
    /// Letters are drawings of their own (§9.6.5).
    drawn_letters: bool,
}

/// A colour as far as it matters, each from 0 to 1 (§11.3.7, §11.6.4.4).
#[derive(Clone, Copy)]
struct Ink {
    alpha: f64,
    light: f64,
}

impl State {
    fn at(matrix: Matrix) -> Self {
        let black = Ink { alpha: 1.0, light: 0.0 };
        let (fill, stroke) = (black, black);
        Self { matrix, width: 1.0, fill, stroke, multiplied: false, hidden_text: false, drawn_letters: false }
    }

    /// How much of what is there this ink takes away.
    fn opacity(&self, ink: Ink) -> f64 {
        if self.multiplied { ink.alpha * (1.0 - ink.light) } else { ink.alpha }
    }

    /// Nothing filled now hides what is under it by itself.
    fn is_clear(&self, ink: Ink) -> bool {
        self.opacity(ink) <= 0.6
    }

    /// All of it, as bytes.
    fn key(&self) -> Vec<u8> {
        let Self { matrix: Matrix(matrix), width, fill, stroke, multiplied, hidden_text, drawn_letters } = *self;
        let numbers = [width, fill.alpha, fill.light, stroke.alpha, stroke.light];
        let numbers = matrix.into_iter().chain(numbers).flat_map(|n| n.to_bits().to_be_bytes());
        numbers.chain([multiplied, hidden_text, drawn_letters].map(u8::from)).collect()
    }
}

struct Eye<'f, 'a> {
    file: &'f File<'a>,
    drawn: &'f Drawn,
    looks: Looks,
    canvas: Canvas,
    /// Forms that are being read.
    within: HashSet<u32>,
    left: usize,
}

impl Eye<'_, '_> {
    fn form(&mut self, form: &Object, around: &Dict, state: State, depth: usize) -> Result<(), PdfError> {
        let number = form.reference().map(|r| r.number);
        // Inside of itself it draws nothing.
        if number.is_some_and(|number| !self.within.insert(number)) {
            return Ok(());
        }
        let read = self.read(form, around, state, depth);
        if let Some(number) = number {
            self.within.remove(&number);
        }
        read
    }

    fn read(&mut self, form: &Object, around: &Dict, state: State, depth: usize) -> Result<(), PdfError> {
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
            return self.picture(&stream, state);
        }
        if depth > limits::PDF_FORM_NESTING {
            self.looks.unread = true;
            return Ok(());
        }
        let Some(key) = self.key(form, &stream, state)? else { return self.read_form(&stream, around, state, depth) };
        let known = self.drawn.borrow().get(&key).cloned();
        if let Some((looks, painted, operators)) = known {
            self.looks.add(looks);
            self.canvas.lay(&painted);
            return self.spend(operators);
        }
        let Some(blank) = self.canvas.blank() else { return Ok(()) };
        let (looks, left) = (std::mem::take(&mut self.looks), self.left);
        let canvas = std::mem::replace(&mut self.canvas, blank);
        let read = self.read_form(&stream, around, state, depth);
        let found = std::mem::replace(&mut self.looks, looks);
        let painted = std::mem::replace(&mut self.canvas, canvas);
        self.looks.add(found);
        self.canvas.lay(&painted);
        read?;
        self.drawn.borrow_mut().insert(key, (found, Rc::new(painted), left - self.left));
        Ok(())
    }

    /// A picture, by its mask (§8.9.6, §11.6.5.3) where that can be read; else all of it counts as painted.
    fn picture(&mut self, stream: &Stream, state: State) -> Result<(), PdfError> {
        self.looks.drawn = true;
        self.spend(1 + self.canvas.cost())?;
        let stencil = self.file.get(&stream.dict, b"ImageMask")? == Object::Bool(true);
        let masks = [b"SMask".as_slice(), b"Mask"].map(|key| stream.dict.get(key));
        let cover = match masks {
            _ if stencil => self.cover(stream, true)?,
            [Some(mask), _] => match self.file.resolve(mask)? {
                Object::Stream(mask) => self.cover(&mask, false)?,
                _ => None,
            },
            [None, Some(mask)] => match self.file.resolve(mask)? {
                Object::Stream(mask) => self.cover(&mask, true)?,
                _ => None,
            },
            [None, None] => None,
        };
        self.looks.image |= cover.is_none() && !state.is_clear(state.fill);
        let cover = cover.unwrap_or_else(|| Cover::new(1, 1, &[255]));
        self.canvas.picture(state.matrix, &cover, state.opacity(state.fill));
        Ok(())
    }

    /// A mask as it covers; none where it is too large, or coded in a way that is not read here. `stencil`: 0 paints.
    fn cover(&self, mask: &Stream, stencil: bool) -> Result<Option<Cover>, PdfError> {
        let number = |key: &[u8]| -> Result<Option<usize>, PdfError> { Ok(self.file.get(&mask.dict, key)?.count()) };
        let (width, height) = (number(b"Width")?.unwrap_or(0), number(b"Height")?.unwrap_or(0));
        let bits = if stencil { 1 } else { number(b"BitsPerComponent")?.unwrap_or(8) };
        let count = width.checked_mul(height).filter(|count| (1..=MASK_POINTS).contains(count));
        let (Some(count), 1 | 8) = (count, bits) else { return Ok(None) };
        let data = match self.file.unpacked(mask) {
            Err(limit @ PdfError::OverLimit { what: "bytes read", .. }) => return Err(limit),
            Err(_) => return Ok(None),
            Ok(data) => data,
        };
        let decode = self.file.get(&mask.dict, b"Decode")?;
        let decode: Vec<f64> = decode.array().into_iter().flatten().filter_map(Object::number).collect();
        let turned = match decode.as_slice() {
            [] | [0.0, 1.0] => stencil,
            [1.0, 0.0] => !stencil,
            _ => return Ok(None),
        };
        self.file.pay(count)?;
        let row = (width * bits).div_ceil(8);
        let value = |n: usize| {
            let (x, y) = (n % width, n / width);
            let value = match bits {
                8 => data.get(y * row + x).copied()?,
                _ => 255 * (data.get(y * row + x / 8)? >> (7 - x % 8) & 1),
            };
            Some(if turned { 255 - value } else { value })
        };
        let values: Option<Vec<u8>> = (0..count).map(value).collect();
        Ok(values.map(|values| Cover::new(width, height, &values)))
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
        let mut read = self.canvas.key();
        read.extend(state.key());
        read.extend(dict.len().to_be_bytes());
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
        state.matrix = own_matrix(self.file, stream)?.then(state.matrix);
        let own = self.file.get_dict(&stream.dict, b"Resources")?;
        let content = self.file.unpacked(stream)?;
        self.run(&content, own.as_ref().unwrap_or(around), state, depth)
    }

    fn run(&mut self, content: &[u8], resources: &Dict, start: State, depth: usize) -> Result<(), PdfError> {
        let (mut state, mut saved) = (start, Vec::new());
        let (mut panel, mut path) = (false, Outline::default());
        let mut operators = Operators::of(content);
        while let Some((operands, word)) = operators.next()? {
            self.spend(1)?;
            let numbers: Vec<f64> = operands.iter().filter_map(Object::number).collect();
            match (word, numbers.as_slice()) {
                (b"q", _) if saved.len() < 512 => saved.push(state),
                // Other readers may keep more of them.
                (b"q", _) => self.looks.unread = true,
                (b"Q", _) => state = saved.pop().unwrap_or(state),
                (b"cm", matrix) => {
                    state.matrix = Matrix::read(matrix).unwrap_or(Matrix::IDENTITY).then(state.matrix);
                }
                (b"w", [width]) => state.width = *width,
                (b"gs", _) => self.graphics_state(resources, operands.first(), &mut state)?,
                (b"g" | b"rg" | b"k" | b"sc" | b"scn" | b"cs", colour) => state.fill.light = light(word, colour),
                (b"G" | b"RG" | b"K" | b"SC" | b"SCN" | b"CS", colour) => state.stroke.light = light(word, colour),
                (b"Tr", [mode]) => state.hidden_text = *mode == 3.0,
                (b"Tf", _) => {
                    let fonts = self.file.get_dict(resources, b"Font")?;
                    let font = operands.first().and_then(Object::name).and_then(|n| fonts.as_ref()?.get(n).cloned());
                    let font = font.map(|font| self.file.resolve(&font)).transpose()?;
                    let subtype = font.as_ref().and_then(Object::dict).map(|font| font.is(b"Subtype", b"Type3"));
                    state.drawn_letters = subtype.unwrap_or(false);
                }
                (b"m" | b"l" | b"c" | b"v" | b"y" | b"h" | b"re", points) => {
                    panel |= word == b"re";
                    path.add(word, points, state.matrix);
                }
                (b"f" | b"F" | b"f*" | b"B" | b"B*" | b"b" | b"b*" | b"S" | b"s", _) => {
                    self.spend(1 + self.canvas.cost())?;
                    self.looks.drawn = true;
                    let drawn = std::mem::take(&mut path).finish();
                    if !matches!(word, b"S" | b"s") {
                        self.looks.fill |= !state.is_clear(state.fill);
                        self.looks.panel |= panel && !state.is_clear(state.fill);
                        let rule = if word.ends_with(b"*") { FillRule::EvenOdd } else { FillRule::Winding };
                        if let Some(path) = &drawn {
                            self.canvas.fill(path, rule, state.opacity(state.fill));
                        }
                    }
                    if !matches!(word, b"f" | b"F" | b"f*") {
                        let width = state.width * state.matrix.growth();
                        let points = width / self.canvas.fineness().growth();
                        self.looks.broad |= points > THIN && !state.is_clear(state.stroke);
                        if let Some(path) = &drawn {
                            self.canvas.stroke(path, width, state.opacity(state.stroke));
                        }
                    }
                    panel = false;
                }
                (b"n", _) => (panel, path) = (false, Outline::default()),
                (b"sh", _) => {
                    self.looks.drawn = true;
                    self.looks.panel |= !state.is_clear(state.fill);
                }
                (b"Tj" | b"TJ" | b"'" | b"\"", _) if state.drawn_letters => {
                    (self.looks.drawn, self.looks.unread) = (true, true);
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

    /// §8.4.5, of which what is not named stays as it was.
    fn graphics_state(&mut self, resources: &Dict, name: Option<&Object>, state: &mut State) -> Result<(), PdfError> {
        let all = self.file.get_dict(resources, b"ExtGState")?;
        let entry = name.and_then(Object::name).and_then(|n| all.as_ref()?.get(n).cloned());
        let Some(Object::Dict(dict)) = entry.map(|e| self.file.resolve(&e)).transpose()? else { return Ok(()) };
        if let Some(width) = self.file.get(&dict, b"LW")?.number() {
            state.width = width;
        }
        let blend = self.file.get(&dict, b"BM")?;
        let blend = blend.array().and_then(<[Object]>::first).cloned().unwrap_or(blend);
        if let Some(blend) = blend.name() {
            state.multiplied = matches!(blend, b"Multiply" | b"Darken");
        }
        for (key, ink) in [(b"ca", &mut state.fill), (b"CA", &mut state.stroke)] {
            if let Some(alpha) = self.file.get(&dict, key)?.number() {
                ink.alpha = alpha;
            }
        }
        // A font that is set here is not looked at.
        self.looks.unread |= dict.get(b"Font").is_some();
        Ok(())
    }
}

/// A path under way, in cells.
#[derive(Default)]
struct Outline {
    path: PathBuilder,
    /// Where the pen is, as it was written.
    pen: (f64, f64),
}

impl Outline {
    /// §8.5.2.
    fn add(&mut self, word: &[u8], points: &[f64], matrix: Matrix) {
        // Far outside of every page nothing is seen, and the painter reckons in small numbers.
        let at = |x: f64, y: f64| {
            let (x, y) = matrix.apply(x, y);
            let near = |n: f64| if n.is_nan() { 0.0 } else { n.clamp(-16_000.0, 16_000.0) as f32 };
            (near(x), near(y))
        };
        let curve = |path: &mut PathBuilder, [a, b, c, d, e, f]: [f64; 6]| {
            let ((a, b), (c, d), (e, f)) = (at(a, b), at(c, d), at(e, f));
            path.cubic_to(a, b, c, d, e, f);
        };
        let (x, y) = self.pen;
        match (word, points) {
            (b"m", &[a, b]) => {
                let (a, b) = at(a, b);
                self.path.move_to(a, b);
            }
            (b"l", &[a, b]) => {
                let (a, b) = at(a, b);
                self.path.line_to(a, b);
            }
            (b"c", &[a, b, c, d, e, f]) => curve(&mut self.path, [a, b, c, d, e, f]),
            (b"v", &[c, d, e, f]) => curve(&mut self.path, [x, y, c, d, e, f]),
            (b"y", &[a, b, e, f]) => curve(&mut self.path, [a, b, e, f, e, f]),
            (b"re", &[a, b, w, h]) => {
                let corners = [(a, b), (a + w, b), (a + w, b + h), (a, b + h)].map(|(x, y)| at(x, y));
                for (n, (x, y)) in corners.into_iter().enumerate() {
                    if n == 0 { self.path.move_to(x, y) } else { self.path.line_to(x, y) }
                }
                self.path.close();
            }
            (b"h", _) => self.path.close(),
            _ => {}
        }
        if let [.., a, b] = points {
            self.pen = (*a, *b);
        }
    }

    fn finish(self) -> Option<Path> {
        self.path.finish()
    }
}

fn own_matrix(file: &File<'_>, stream: &Stream) -> Result<Matrix, PdfError> {
    let matrix = file.get(&stream.dict, b"Matrix")?;
    let numbers: Vec<f64> = matrix.array().into_iter().flatten().filter_map(Object::number).collect();
    Ok(Matrix::read(&numbers).unwrap_or(Matrix::IDENTITY))
}

/// How light a colour is, 0 to 1; dark where its space would have to be known.
fn light(word: &[u8], colour: &[f64]) -> f64 {
    let light = match (word, colour) {
        (b"g" | b"G", [grey]) => *grey,
        (_, [r, g, b]) => 0.3 * r + 0.59 * g + 0.11 * b,
        (_, [c, m, y, k]) => (1.0 - k) * (1.0 - 0.3 * c - 0.59 * m - 0.11 * y),
        _ => 0.0,
    };
    light.clamp(0.0, 1.0)
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

#[cfg(test)]
mod tests;
