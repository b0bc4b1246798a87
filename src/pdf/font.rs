//! Just enough of fonts (ISO 32000-1 §9.6, §9.7) to tell what a string says and how far it reaches: codes, widths and
//! Unicode. No glyph is ever drawn, so font programs are not read.

use super::PdfError;
use super::file::File;
use super::lex::Lexer;
use super::object::{Dict, Object};
use std::collections::{BTreeMap, HashMap};

/// A font as text extraction needs it.
#[derive(Debug, Default)]
pub(super) struct Font {
    composite: bool,
    pub vertical: bool,
    /// Codes are UTF-16 themselves (predefined `Uni…` CMaps, §9.7.5.2).
    utf16: bool,
    /// Bytes of a code by first byte, from an embedded CMap's codespace.
    spaces: Vec<(usize, u32, u32)>,
    cids: BTreeMap<u32, (u32, u32)>,
    /// First code → widths in thousandths of the font size; one width with a last code for a run of equals.
    widths: BTreeMap<u32, Run>,
    default_width: f64,
    letters: HashMap<u32, String>,
    ranges: BTreeMap<u32, (u32, Vec<u16>)>,
}

#[derive(Debug)]
enum Run {
    Each(Vec<f64>),
    Same(u32, f64),
}

impl Font {
    pub fn load(file: &File<'_>, dict: &Dict) -> Result<Self, PdfError> {
        let mut font = Self { composite: dict.is(b"Subtype", b"Type0"), ..Self::default() };
        if font.composite {
            font.load_composite(file, dict)?
        } else {
            font.load_simple(file, dict)?
        }
        // §9.10.2: /ToUnicode comes before every other way, so it is read last and overwrites.
        if let Object::Stream(stream) = file.get(dict, b"ToUnicode")? {
            let map = file.unpacked(&stream)?;
            font.spaces.retain(|_| font.composite);
            font.read_map(&map, true);
        }
        Ok(font)
    }

    fn load_simple(&mut self, file: &File<'_>, dict: &Dict) -> Result<(), PdfError> {
        let descriptor = file.get_dict(dict, b"FontDescriptor")?;
        let missing = descriptor.as_ref().map(|d| file.get(d, b"MissingWidth")).transpose()?;
        self.default_width = missing.and_then(|w| w.number()).filter(|w| *w > 0.0).unwrap_or(500.0);
        // §9.6.5: a Type 3 font measures in its own space.
        let matrix = file.get(dict, b"FontMatrix")?;
        let own = matrix.array().filter(|_| dict.is(b"Subtype", b"Type3"));
        let scale = own.and_then(|m| m.first()).and_then(Object::number).map_or(1.0, |a| a * 1000.0);
        let first = file.get(dict, b"FirstChar")?.count().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        if let Object::Array(widths) = file.get(dict, b"Widths")? {
            let each = widths.iter().take(256).map(|w| Ok(file.resolve(w)?.number().unwrap_or(0.0) * scale));
            self.widths.insert(first, Run::Each(each.collect::<Result<_, PdfError>>()?));
        }
        // The standard fonts (§9.6.2.2) say no widths: about those of Helvetica, and all the same in Courier.
        let name = file.get(dict, b"BaseFont")?;
        if self.widths.is_empty() {
            // Nor does what is said of others hold for them.
            self.default_width = 600.0;
        }
        if self.widths.is_empty() && !name.name().is_some_and(|name| name.starts_with(b"Courier")) {
            let width = |c: u8| if b" !'()*,-./:;I[\\]`fijlrt{|}".contains(&c) { 280.0 } else { 500.0 };
            self.widths.insert(0x20, Run::Each((0x20..=0x7e).map(width).collect()));
        }
        // The base encodings agree with Latin-1 in what a keyword is made of.
        self.letters.extend((0x20..=0xffu32).filter_map(|c| Some((c, char::from_u32(c)?.to_string()))));
        if let Some(encoding) = file.get_dict(dict, b"Encoding")? {
            let mut code = 0u32;
            for item in file.get(&encoding, b"Differences")?.array().unwrap_or_default().iter().take(1024) {
                match item {
                    Object::Int(n) => code = u32::try_from(*n).unwrap_or(0),
                    Object::Name(name) => {
                        self.letters.insert(code, named(name).unwrap_or_default());
                        code = code.saturating_add(1);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn load_composite(&mut self, file: &File<'_>, dict: &Dict) -> Result<(), PdfError> {
        match file.get(dict, b"Encoding")? {
            Object::Name(name) => {
                self.vertical = name.ends_with(b"-V");
                self.utf16 = name.starts_with(b"Uni") && (name.windows(4).any(|w| w == b"UCS2" || w == b"UTF1"));
                // Two bytes a code; the legacy national encodings take one for ASCII.
                let legacy = [b"GB".as_slice(), b"B5", b"ETen", b"KSC", b"90", b"HKscs", b"EUC"];
                if legacy.iter().any(|p| name.starts_with(p)) {
                    self.spaces = vec![(1, 0, 0x80), (2, 0x8140, 0xfefe)];
                }
            }
            Object::Stream(stream) => {
                self.vertical = file.get(&stream.dict, b"WMode")?.int() == Some(1);
                let map = file.unpacked(&stream)?;
                self.read_map(&map, false);
            }
            _ => {}
        }
        let Object::Array(below) = file.get(dict, b"DescendantFonts")? else { return Ok(()) };
        let below = below.first().map(|o| file.resolve(o)).transpose()?;
        let Some(below) = below.as_ref().and_then(Object::dict) else { return Ok(()) };
        self.default_width = file.get(below, b"DW")?.number().unwrap_or(1000.0);
        if let Object::Array(widths) = file.get(below, b"W")? {
            // §9.7.4.3: `c [w…]` or `first last w`.
            let mut rest = widths.iter();
            while let (Some(first), Some(second)) = (rest.next(), rest.next()) {
                let first = first.count().and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX);
                let run = match file.resolve(second)? {
                    Object::Array(each) => {
                        // One list may be asked for again and again.
                        file.pay(each.len() * 8)?;
                        Run::Each(each.iter().map(|w| w.number().unwrap_or(0.0)).collect())
                    }
                    last => {
                        let last = last.count().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
                        Run::Same(last, rest.next().and_then(Object::number).unwrap_or(self.default_width))
                    }
                };
                self.widths.insert(first, run);
            }
        }
        Ok(())
    }

    /// A CMap (§9.7.5.4, §9.10.3): what stands between `begin…` and `end…`, the rest is PostScript's business.
    fn read_map(&mut self, map: &[u8], unicode: bool) {
        let mut lexer = Lexer::at(map, 0);
        let mut held: Vec<Object> = Vec::new();
        loop {
            lexer.skip_space();
            let before = lexer.pos;
            if let Ok(object) = lexer.object() {
                held.push(object);
                continue;
            }
            lexer.pos = before;
            let word = lexer.word();
            if word.is_empty() {
                // A delimiter that begins nothing, or the end.
                lexer.pos += 1;
                if lexer.peek().is_none() {
                    return;
                }
            }
            match word {
                b"endcodespacerange" if !unicode => {
                    for pair in held.chunks_exact(2) {
                        if let [Object::String(low), Object::String(high)] = pair {
                            // Each code is looked for in all of them; real ones have a handful.
                            let space = code(low).zip(code(high)).map(|(l, h)| (low.len(), l, h));
                            self.spaces.extend(space.filter(|_| self.spaces.len() < 100));
                        }
                    }
                }
                b"endcidrange" if !unicode => {
                    for triple in held.chunks_exact(3) {
                        if let [Object::String(low), Object::String(high), Object::Int(cid)] = triple {
                            let cid = u32::try_from(*cid).unwrap_or(0);
                            self.cids.extend(code(low).zip(code(high)).map(|(l, h)| (l, (h, cid))));
                        }
                    }
                }
                b"endbfchar" if unicode => {
                    for pair in held.chunks_exact(2) {
                        if let [Object::String(from), Object::String(to)] = pair {
                            self.letters.extend(code(from).map(|c| (c, utf16(&units(to)))));
                        }
                    }
                }
                b"endbfrange" if unicode => {
                    for triple in held.chunks_exact(3) {
                        let [Object::String(low), Object::String(high), to] = triple else { continue };
                        let Some((low, high)) = code(low).zip(code(high)) else { continue };
                        match to {
                            Object::String(to) => {
                                self.ranges.insert(low, (high, units(to)));
                                // A simple font's own letters must not stand before its /ToUnicode.
                                self.letters.retain(|c, _| self.composite || !(low..=high).contains(c));
                            }
                            Object::Array(each) => {
                                let each = each.iter().zip(low..=high);
                                let each = each.filter_map(|(s, c)| Some((c, utf16(&units(s.string()?)))));
                                self.letters.extend(each);
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
            held.clear();
        }
    }

    /// The next code of a string and its length in bytes.
    pub fn next_code(&self, bytes: &[u8]) -> Option<(u32, usize)> {
        let length = match (self.composite, self.spaces.is_empty()) {
            (false, _) => 1,
            (true, true) => 2,
            (true, false) => {
                let fits = |&(n, low, high): &(usize, u32, u32)| {
                    bytes.get(..n).and_then(code).is_some_and(|c| (low..=high).contains(&c))
                };
                self.spaces.iter().find(|s| fits(s)).map_or(1, |s| s.0)
            }
        };
        let length = length.min(bytes.len()).max(1);
        Some((code(bytes.get(..length)?)?, length))
    }

    /// Advance in thousandths of the font size.
    pub fn width(&self, code: u32) -> f64 {
        let cid = match self.cids.range(..=code).next_back() {
            Some((low, (high, cid))) if code <= *high => cid.saturating_add(code - low),
            _ => code,
        };
        match self.widths.range(..=cid).next_back() {
            Some((first, Run::Each(each))) => each.get((cid - first) as usize).copied(),
            Some((_, Run::Same(last, width))) if cid <= *last => Some(*width),
            _ => None,
        }
        .unwrap_or(self.default_width)
    }

    /// What the code says; empty where nobody can tell.
    pub fn letters(&self, code: u32) -> String {
        if let Some(letters) = self.letters.get(&code) {
            return letters.clone();
        }
        match self.ranges.range(..=code).next_back() {
            Some((low, (high, units))) if code <= *high => {
                // Only the last unit counts up (§9.10.3).
                let mut units = units.clone();
                if let Some(last) = units.last_mut() {
                    *last = last.wrapping_add(u16::try_from(code - low).unwrap_or(0));
                }
                utf16(&units)
            }
            _ if self.utf16 => u16::try_from(code).map(|u| utf16(&[u])).unwrap_or_default(),
            _ => String::new(),
        }
    }
}

fn code(bytes: &[u8]) -> Option<u32> {
    (bytes.len() <= 4).then(|| bytes.iter().fold(0u32, |n, &b| n << 8 | u32::from(b)))
}

fn units(bytes: &[u8]) -> Vec<u16> {
    match bytes {
        [one] => vec![u16::from(*one)],
        _ => bytes.chunks_exact(2).take(16).map(|c| c.iter().fold(0u16, |n, &b| n << 8 | u16::from(b))).collect(),
    }
}

fn utf16(units: &[u16]) -> String {
    String::from_utf16_lossy(units)
}

/// A glyph name's letter (Adobe Glyph List): the forms that spell it, and the digits and marks of dates and numbers.
fn named(name: &[u8]) -> Option<String> {
    const NAMES: [(&str, char); 24] = [
        ("space", ' '),
        ("zero", '0'),
        ("one", '1'),
        ("two", '2'),
        ("three", '3'),
        ("four", '4'),
        ("five", '5'),
        ("six", '6'),
        ("seven", '7'),
        ("eight", '8'),
        ("nine", '9'),
        ("period", '.'),
        ("comma", ','),
        ("colon", ':'),
        ("hyphen", '-'),
        ("slash", '/'),
        ("parenleft", '('),
        ("parenright", ')'),
        ("bracketleft", '['),
        ("bracketright", ']'),
        ("underscore", '_'),
        ("numbersign", '#'),
        ("at", '@'),
        ("plus", '+'),
    ];
    let name = std::str::from_utf8(name).ok()?;
    let name = name.split('.').next().filter(|n| !n.is_empty())?;
    if let Some((_, letter)) = NAMES.iter().find(|(n, _)| *n == name) {
        return Some(letter.to_string());
    }
    if name.chars().count() == 1 {
        return Some(name.to_owned());
    }
    let hex = name.strip_prefix("uni").or_else(|| name.strip_prefix('u'))?;
    u32::from_str_radix(hex.get(..4.max(hex.len().min(6)))?, 16).ok().and_then(char::from_u32).map(String::from)
}
