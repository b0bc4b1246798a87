//! Goes through what an appearance draws, as far as it matters to what lies under it.
//!
//! What no honest writer writes is not guessed at: an operator with other operands than it takes, a resource that is not
//! there or a number out of all bounds leaves the picture unread, as readers take such things each in its own way.

use super::canvas::{Canvas, Outline, Rule, Stroke};
use super::letters::{self, Ink};
use super::looks::{self, Drawn, Form, Looks, THIN};
use super::mask::{self, Cover, SHORT};
use super::operands::{channels, fits, is_something, lightness};
use super::path::{FAR, Path};
use super::state::{CLEAR, Colour, State};
use crate::crypto::sha256;
use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::font::Font;
use crate::pdf::matrix::Matrix;
use crate::pdf::object::{Dict, Object, Ref, Stream};
use crate::pdf::operators::Operators;
use crate::pdf::page::Page;
use crate::pdf::reach::deep;
use crate::pdf::text::{self, Pen};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

pub(super) struct Eye<'f, 'a> {
    file: &'f File<'a>,
    drawn: &'f Drawn,
    looks: Looks,
    canvas: Canvas,
    /// Ordinary letters, which add up where they stand on each other.
    letters: Canvas,
    /// Forms that are being read.
    within: HashSet<u32>,
    fonts: HashMap<Ref, Rc<Font>>,
    inks: HashMap<Ref, Rc<Ink>>,
    /// Operators that may still be run.
    left: usize,
    shown: usize,
    /// A page, on which white and shades are not taken for something.
    paper: bool,
}

impl<'f, 'a> Eye<'f, 'a> {
    pub fn new(file: &'f File<'a>, drawn: &'f Drawn, canvas: Canvas) -> Self {
        let left = limits::PDF_OPERATORS / 50;
        let (looks, within, fonts, inks) = (Looks::default(), HashSet::new(), HashMap::new(), HashMap::new());
        let letters = canvas.blank();
        Self { file, drawn, looks, canvas, letters, within, fonts, inks, left, shown: 0, paper: false }
    }

    pub fn seen(mut self) -> (Looks, Canvas) {
        self.looks.unread |= self.canvas.lay(&self.letters, &self.drawn.purse).is_err();
        (self.looks, self.canvas)
    }

    /// What is brought onto an annotation (§12.5.5). It is read as a form, whatever it says it is.
    /// `apart`: some viewers draw it by itself and put it on the page when it is done.
    pub fn appearance(
        &mut self,
        form: &Object,
        [left, bottom, right, top]: [f64; 4],
        apart: bool,
    ) -> Result<(), PdfError> {
        let stream = match self.file.resolve(form)? {
            Object::Stream(stream) => stream,
            Object::Null => return Ok(()),
            _ => return self.odd(),
        };
        let kind = self.file.get(&stream.dict, b"Subtype")?;
        let Some((edges, own)) = looks::bounds(self.file, &stream.dict)? else { return self.odd() };
        if !matches!(kind, Object::Null) && kind.name() != Some(b"Form") {
            self.odd()?;
        }
        let [l, b, r, t] = own.around(edges);
        let (x, y) = ((right - left) / (r - l), (top - bottom) / (t - b));
        let place = Matrix([x, 0.0, 0.0, y, left - l * x, bottom - b * y]);
        let mut state = State::at(place.then(self.canvas.grid()));
        state.isolated = apart;
        self.form(form, &stream, &Dict::empty(), state, 0)
    }

    /// What a page draws itself.
    pub fn page(&mut self, page: &Page) -> Result<(), PdfError> {
        self.paper = true;
        let resources = page.resources.as_ref().and_then(Object::dict).cloned().unwrap_or_else(Dict::empty);
        let content = page.content(self.file)?;
        self.run(&content, &resources, State::at(self.canvas.grid()), 0)
    }

    /// Readers differ in what they make of this.
    fn odd(&mut self) -> Result<(), PdfError> {
        (self.looks.drawn, self.looks.unread) = (true, true);
        Ok(())
    }

    fn form(
        &mut self,
        form: &Object,
        stream: &Stream,
        around: &Dict,
        state: State,
        depth: usize,
    ) -> Result<(), PdfError> {
        let number = form.reference().map(|r| r.number);
        // Inside of itself it draws nothing.
        if number.is_some_and(|number| !self.within.insert(number)) {
            return Ok(());
        }
        let read = self.read(form, stream, around, state, depth);
        if let Some(number) = number {
            self.within.remove(&number);
        }
        read
    }

    fn read(
        &mut self,
        form: &Object,
        stream: &Stream,
        around: &Dict,
        state: State,
        depth: usize,
    ) -> Result<(), PdfError> {
        // What says that it is no picture is drawn by some viewers, and in an encrypted file left plain by some (§7.5.8.2,
        // §7.6.5, table 14): it may show another thing than is read here.
        let kind = self.file.get(&stream.dict, b"Type")?;
        let elsewhere = !matches!(kind, Object::Null) && kind.name() != Some(b"XObject");
        let own_way = || self.file.filters(stream).is_ok_and(|filters| !matches!(filters.crypt(), Ok(None)));
        // §8.9.7: short names are for pictures inside of content; some readers take them everywhere.
        let short = [b"F".as_slice(), b"DP"].iter().any(|key| stream.dict.get(key).is_some());
        if elsewhere || own_way() || short || depth > limits::PDF_FORM_NESTING {
            return self.odd();
        }
        let Some(key) = self.key(form, stream, &state)? else { return self.read_form(stream, around, state, depth) };
        let known = self.drawn.forms.borrow().get(&key).cloned();
        if let Some(Form { looks, canvas, operators }) = known {
            self.looks.add(looks);
            self.canvas.lay(&self.canvas.here(&canvas), &self.drawn.purse)?;
            return self.spend(operators);
        }
        self.drawn.purse.pay(self.canvas.size())?;
        let blank = self.canvas.blank();
        let (looks, left) = (std::mem::take(&mut self.looks), self.left);
        let letters = std::mem::replace(&mut self.letters, blank.clone());
        let canvas = std::mem::replace(&mut self.canvas, blank);
        let read = self.read_form(stream, around, state, depth);
        let found = std::mem::replace(&mut self.looks, looks);
        let mut painted = std::mem::replace(&mut self.canvas, canvas);
        painted.lay(&std::mem::replace(&mut self.letters, letters), &self.drawn.purse)?;
        self.looks.add(found);
        self.canvas.lay(&painted, &self.drawn.purse)?;
        read?;
        let known = Form { looks: found, canvas: Rc::new(painted), operators: left - self.left };
        self.drawn.forms.borrow_mut().insert(key, known);
        Ok(())
    }

    /// A picture, by its mask (§8.9.6, §11.6.5.3) where that can be read; else all of it counts as painted.
    fn picture(&mut self, stream: &Stream, state: &State) -> Result<(), PdfError> {
        (self.looks.drawn, self.looks.picture) = (true, true);
        if SHORT.iter().any(|key| stream.dict.get(key).is_some()) {
            return self.odd();
        }
        let stencil = self.file.get(&stream.dict, b"ImageMask")? == Object::Bool(true);
        let masks = [b"SMask".as_slice(), b"Mask"].map(|key| stream.dict.get(key));
        let cover = match masks {
            _ if stencil => mask::cover(self.file, stream, true)?,
            [Some(mask), _] => match self.file.resolve(mask)? {
                Object::Stream(mask) => mask::cover(self.file, &mask, false)?,
                _ => None,
            },
            [None, Some(mask)] => match self.file.resolve(mask)? {
                Object::Stream(mask) => mask::cover(self.file, &mask, true)?,
                _ => None,
            },
            [None, None] => None,
        };
        // §8.9.6.2: a stencil has no mask, but what viewers make of one.
        if stencil && masks.iter().any(Option::is_some) {
            return self.odd();
        }
        if stencil {
            self.stain(state, state.fill);
        }
        // A stencil paints with the colour, others with their own, which may be black.
        let opacity = if stencil { state.opacity(state.fill) } else { state.fill.alpha };
        self.looks.image |= cover.is_none() && opacity > CLEAR;
        let cover = cover.unwrap_or_else(|| Cover::new(1, 1, &[255]));
        self.canvas.picture(state.matrix, &cover, opacity, &self.drawn.purse)
    }

    /// A digest of all that says what a form draws; none where it leads to other objects, or where it is not its own
    /// alone that is drawn with.
    fn key(&self, form: &Object, stream: &Stream, state: &State) -> Result<Option<[u8; 32]>, PdfError> {
        // What a page draws is read with other eyes.
        let Some(reference) = form.reference().filter(|_| !self.paper) else { return Ok(None) };
        let Some(loaded) = self.file.load(reference)? else { return Ok(None) };
        if stream.dict.get(b"Resources").is_none() || leads_on(&Object::Dict(stream.dict.clone())) {
            return Ok(None);
        }
        let (dict, stored) = (self.file.raw(&loaded)?, self.file.stored(stream)?);
        let Some(key) = state.key() else { return Ok(None) };
        let mut read = self.canvas.key();
        read.extend(key);
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
        let Some(own) = Matrix::read(self.file, stream.dict.get(b"Matrix").unwrap_or(&Object::Null))? else {
            return self.odd();
        };
        state.matrix = own.then(state.matrix);
        if let Some(group) = self.file.get_dict(&stream.dict, b"Group")? {
            // Other groups are none to some readers (§11.6.6 table 147).
            if self.file.get(&group, b"S")?.name() != Some(b"Transparency") {
                self.odd()?;
            }
            let isolated = self.file.get(&group, b"I")?;
            // Some viewers isolate all groups but the picture itself.
            state.isolated |= depth > 0 || !matches!(isolated, Object::Null | Object::Bool(false));
            // §11.6.6: its own strokes begin opaque, and what it makes is put down as something filled.
            state.stroke.alpha = state.fill.alpha;
        }
        // §7.8.3: without its own it has the page's, or another form's, as readers please.
        let own = self.file.get_dict(&stream.dict, b"Resources")?;
        let none = Dict::empty();
        let resources = own.as_ref().unwrap_or(if self.paper { around } else { &none });
        let content = self.file.unpacked(stream)?;
        if content.len() > limits::PDF_APPEARANCE {
            return self.odd();
        }
        self.run(&content, resources, state, depth)
    }

    fn run(&mut self, content: &[u8], resources: &Dict, start: State, depth: usize) -> Result<(), PdfError> {
        let (mut state, mut saved, mut pen) = (start, Vec::new(), Pen::START);
        let (mut panel, mut path, mut inline) = (false, Path::default(), false);
        // §8.6.5.6: the device's colours may mean others.
        let spaces = self.file.get_dict(resources, b"ColorSpace")?;
        let renames = |key: &[u8]| key.starts_with(b"Device") || key.starts_with(b"Default") && !self.paper;
        let renamed = spaces.is_some_and(|spaces| spaces.entries().iter().any(|e| renames(&e.key)));
        self.looks.unread |= renamed;
        let mut text = false;
        let mut operators = Operators::of(content);
        while let Some((operands, word)) = operators.next()? {
            self.spend(1)?;
            let known = fits(word, &operands) && (word != b"ID" || inline);
            inline = word == b"BI";
            if !known {
                self.odd()?;
                continue;
            }
            // §8.2 figure 9: some viewers keep the place of the text with the rest, some do not.
            match word {
                b"BT" | b"ET" if text == (word == b"BT") => self.odd()?,
                b"q" | b"Q" if text => self.odd()?,
                _ => {}
            }
            text = word == b"BT" || text && word != b"ET";
            let numbers: Vec<f64> = operands.iter().filter_map(Object::number).collect();
            match (word, numbers.as_slice()) {
                (b"q", _) if saved.len() < 512 => saved.push(state.clone()),
                // Other readers may keep more of them.
                (b"q", _) => self.odd()?,
                (b"Q", _) => state = saved.pop().unwrap_or(state),
                (b"cm", &[a, b, c, d, e, f]) => state.matrix = Matrix([a, b, c, d, e, f]).then(state.matrix),
                (b"w", [width]) if *width < 0.0 => self.odd()?,
                (b"w", [width]) => state.width = *width,
                (b"J", [cap]) => state.cap = *cap,
                (b"j", [join]) => state.join = *join,
                (b"M", [miter]) => state.miter = *miter,
                (b"gs", _) => self.graphics_state(resources, operands.first(), &mut state)?,
                (b"g" | b"rg" | b"k" | b"sc" | b"scn" | b"cs", _) => self.colour(word, &operands, &mut state.fill)?,
                (b"G" | b"RG" | b"K" | b"SC" | b"SCN" | b"CS", _) => self.colour(word, &operands, &mut state.stroke)?,
                (b"Tr", [mode]) => state.mode = *mode,
                (b"Tf", [size]) => {
                    state.writing.size = *size;
                    state.writing.font = text::font(self.file, &mut self.fonts, resources, operands.first())?;
                    state.ink = self.ink(resources, operands.first())?;
                    if state.writing.font.is_none() {
                        self.odd()?;
                    }
                }
                (b"m" | b"l" | b"c" | b"v" | b"y" | b"h" | b"re", points) => {
                    panel |= word == b"re";
                    self.drawn.purse.pay(1)?;
                    if !path.add(word, points, state.matrix) {
                        self.odd()?;
                    }
                }
                (b"f" | b"F" | b"f*" | b"B" | b"B*" | b"b" | b"b*" | b"S" | b"s", _) => {
                    self.paint(word, std::mem::take(&mut path).outline, panel, &state)?;
                    panel = false;
                }
                (b"n", _) => (panel, path) = (false, Path::default()),
                // What it is bounded by is not followed.
                (b"sh", _) => {
                    self.looks.drawn = true;
                    self.looks.panel |= state.fill.alpha > CLEAR;
                    self.canvas.flood(state.fill.alpha, &self.drawn.purse)?;
                }
                (b"Tj" | b"TJ" | b"'" | b"\"", numbers) => {
                    state.writing.set(&mut pen, word, numbers);
                    self.show(&state, &mut pen, operands.last())?;
                }
                // Its data are not read, and where they end is anyone's guess.
                (b"BI", _) => {
                    (self.looks.image, self.looks.picture) = (true, true);
                    self.canvas.picture(state.matrix, &Cover::new(1, 1, &[255]), 1.0, &self.drawn.purse)?;
                    self.odd()?;
                }
                (b"Do", _) => self.draw(resources, operands.first(), &state, depth)?,
                (_, numbers) => state.writing.set(&mut pen, word, numbers),
            }
        }
        if operators.stumbled {
            self.odd()?;
        }
        Ok(())
    }

    fn draw(&mut self, resources: &Dict, name: Option<&Object>, state: &State, depth: usize) -> Result<(), PdfError> {
        let objects = self.file.get_dict(resources, b"XObject")?;
        let object = name.and_then(Object::name).and_then(|n| objects.as_ref()?.get(n).cloned());
        let Some(object) = object else { return self.odd() };
        let Object::Stream(stream) = self.file.resolve(&object)? else { return self.odd() };
        match self.file.get(&stream.dict, b"Subtype")?.name() {
            Some(b"Image") => self.picture(&stream, state),
            Some(b"Form") => self.form(&object, &stream, resources, state.clone(), depth + 1),
            _ => self.odd(),
        }
    }

    /// Light colours that are multiplied hide nothing each by itself.
    fn stain(&mut self, state: &State, ink: Colour) {
        if state.multiplied && state.is_clear(ink) && !self.paper {
            self.looks.stain(ink.channels.map(|channel| ink.alpha * (1.0 - channel)));
        }
    }

    fn paint(&mut self, word: &[u8], outline: Outline, panel: bool, state: &State) -> Result<(), PdfError> {
        let closed = matches!(word, b"s" | b"b" | b"b*");
        let mut outline = outline;
        if closed {
            outline.close();
        }
        let paper = self.paper;
        let seen = |ink: Colour| !paper || ink.light < 0.97;
        if !matches!(word, b"S" | b"s") && seen(state.fill) {
            self.looks.drawn = true;
            self.looks.fill |= !state.is_clear(state.fill);
            self.looks.panel |= panel && !state.is_clear(state.fill);
            self.stain(state, state.fill);
            let rule = if word.ends_with(b"*") { Rule::EvenOdd } else { Rule::Winding };
            self.canvas.fill(&outline, rule, state.opacity(state.fill), &self.drawn.purse)?;
            if paper {
                // The thinnest area is widened to be seen.
                let hair = Stroke { width: 0.0, capped: false, miter: 0.0 };
                self.canvas.stroke(&outline, hair, state.opacity(state.fill), &self.drawn.purse)?;
            }
        }
        if !matches!(word, b"f" | b"F" | b"f*") && seen(state.stroke) {
            self.looks.drawn = true;
            let width = state.width * state.matrix.growth() / self.canvas.grid().growth();
            self.looks.broad |= width > THIN && !state.is_clear(state.stroke);
            self.stain(state, state.stroke);
            let miter = if state.join == 0.0 { state.miter } else { 0.0 };
            let stroke = Stroke { width, capped: state.cap != 0.0, miter };
            self.canvas.stroke(&outline, stroke, state.opacity(state.stroke), &self.drawn.purse)?;
        }
        Ok(())
    }

    /// §8.6.8. What is not one of the device's spaces may be any colour, and a pattern may show anything.
    fn colour(&mut self, word: &[u8], operands: &[Object], ink: &mut Colour) -> Result<(), PdfError> {
        let numbers: Vec<f64> = operands.iter().filter_map(Object::number).collect();
        match word {
            b"cs" | b"CS" => {
                ink.parts = match operands.first().and_then(Object::name) {
                    Some(b"DeviceGray") => 1,
                    Some(b"DeviceRGB") => 3,
                    Some(b"DeviceCMYK") => 4,
                    _ => 0,
                };
                ink.channels = [0.0; 3];
            }
            b"sc" | b"SC" | b"scn" | b"SCN" => {
                if !self.paper && operands.last().is_some_and(|last| last.name().is_some()) {
                    self.odd()?;
                }
                ink.channels = channels(if numbers.len() == ink.parts { &numbers } else { &[] });
            }
            _ => (ink.parts, ink.channels) = (numbers.len(), channels(&numbers)),
        }
        ink.light = lightness(ink.channels);
        Ok(())
    }

    fn ink(&mut self, resources: &Dict, name: Option<&Object>) -> Result<Option<Rc<Ink>>, PdfError> {
        let fonts = self.file.get_dict(resources, b"Font")?;
        let entry = name.and_then(Object::name).and_then(|n| fonts.as_ref()?.get(n).cloned());
        let Some(entry) = entry else { return Ok(None) };
        if let Some(known) = entry.reference().and_then(|r| self.inks.get(&r)) {
            return Ok(Some(known.clone()));
        }
        let Object::Dict(dict) = self.file.resolve(&entry)? else { return Ok(None) };
        self.drawn.purse.pay(text::weight(self.file, &dict)?)?;
        let ink = Rc::new(match self.paper {
            true => Ink::Solid,
            false => letters::ink(self.file, &dict, &self.drawn.purse)?,
        });
        if let Some(r) = entry.reference() {
            self.inks.insert(r, ink.clone());
        }
        Ok(Some(ink))
    }

    /// Letters, by their boxes: of an ordinary one a third is ink.
    fn show(&mut self, state: &State, pen: &mut Pen, string: Option<&Object>) -> Result<(), PdfError> {
        let says = string.is_some_and(is_something);
        if matches!(state.ink.as_deref(), Some(Ink::Drawn)) && !self.paper {
            return if says { self.odd() } else { Ok(()) };
        }
        let hidden = state.mode == 3.0 || state.mode == 7.0;
        // What is not painted is found by who searches, copies or reads aloud.
        self.looks.drawn |= says;
        self.looks.text |= says;
        self.stain(state, state.fill);
        let em = self.canvas.grid().growth();
        let stroked = matches!(state.mode as i64, 1 | 2 | 5 | 6);
        let pen_width = if stroked { state.width * state.matrix.growth() / em } else { 0.0 };
        let alpha = state.opacity(state.fill).max(if stroked { state.opacity(state.stroke) } else { 0.0 });
        let mut astray = false;
        let (canvas, letters, shown) = (&mut self.canvas, &mut self.letters, &mut self.shown);
        let (purse, ink) = (&self.drawn.purse, state.ink.as_deref());
        state.writing.show(pen, state.matrix, string, &mut |glyph| {
            purse.pay(1)?;
            *shown += 1;
            // A letter is as large as it is, however narrow the font says that it is.
            let [a, b, c, d] = glyph.corners_of(glyph.width.abs().max(0.5));
            let long = |(ax, ay): (f64, f64), (bx, by): (f64, f64)| (ax - bx).hypot(ay - by) / em;
            let large = long(a, b).max(long(a, c)) > 30.0;
            // Strokes are a twelfth of a letter, and what is drawn around them closes its gaps.
            let bold = pen_width > (long(a, c) * 0.05).min(1.5);
            let solid = ink.is_none_or(|ink| ink.is_solid(glyph.code)) || bold || large;
            let near = [a, b, c, d].iter().all(|(x, y)| x.abs() < FAR && y.abs() < FAR);
            astray |= !near;
            if hidden || !near {
                return Ok(());
            }
            let mut outline = Outline::default();
            outline.begin(a);
            for corner in [b, d, c] {
                outline.line(corner);
            }
            outline.close();
            match solid {
                true => canvas.fill(&outline, Rule::Winding, alpha, purse),
                false => letters.add(&outline, alpha * 0.35, purse),
            }
        })?;
        if astray && !hidden {
            self.odd()?;
        }
        if self.shown > limits::PDF_APPEARANCE_LETTERS {
            let limit = limits::PDF_APPEARANCE_LETTERS as u64;
            return Err(PdfError::OverLimit { what: "letters of a picture", limit });
        }
        Ok(())
    }

    /// §8.4.5, of which what is not named stays as it was.
    fn graphics_state(&mut self, resources: &Dict, name: Option<&Object>, state: &mut State) -> Result<(), PdfError> {
        let all = self.file.get_dict(resources, b"ExtGState")?;
        let entry = name.and_then(Object::name).and_then(|n| all.as_ref()?.get(n).cloned());
        let entry = entry.map(|e| self.file.resolve(&e)).transpose()?;
        let Some(Object::Dict(dict)) = entry else { return self.odd() };
        let numbers =
            [(b"LW", &mut state.width), (b"LC", &mut state.cap), (b"LJ", &mut state.join), (b"ML", &mut state.miter)];
        for (key, place) in numbers {
            if let Some(number) = self.file.get(&dict, key)?.number() {
                *place = number;
            }
        }
        let blend = self.file.get(&dict, b"BM")?;
        let blend = blend.array().and_then(<[Object]>::first).cloned().unwrap_or(blend);
        let blend = self.file.resolve(&blend)?;
        if !state.isolated && dict.get(b"BM").is_some() {
            state.multiplied = matches!(blend.name(), Some(b"Multiply" | b"Darken"));
        }
        for (key, ink) in [(b"ca", &mut state.fill), (b"CA", &mut state.stroke)] {
            let alpha = self.file.get(&dict, key)?;
            match alpha.number() {
                Some(alpha) if (0.0..=1.0).contains(&alpha) => ink.alpha = alpha,
                None if alpha.is_null() => {}
                _ => self.odd()?,
            }
        }
        // White becomes black where it is taken the other way round.
        let inverts = self.paper
            && !matches!(
                blend.name(),
                None | Some(b"Normal" | b"Compatible" | b"Multiply" | b"Darken" | b"Lighten" | b"Screen")
            );
        let transfers = [b"TR".as_slice(), b"TR2"]
            .iter()
            .any(|key| dict.get(key).is_some_and(|value| !matches!(value.name(), Some(b"Identity" | b"Default"))));
        // A font that is set here is not looked at.
        if inverts || transfers || dict.get(b"Font").is_some() || state.width < 0.0 {
            self.odd()?;
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
