//! Bytes → objects (ISO 32000-1 §7.2, §7.3). Strict where readers are known to disagree, bounded in depth and in
//! number, and every step moves forward, so the cost is the number of bytes read.

use super::PdfError;
use super::object::{Dict, DictEntry, Object, Ref};
use crate::limits;
use std::cell::Cell;

/// Reads objects from a buffer at a position.
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    /// Position of the buffer's first byte.
    base: usize,
    pub pos: usize,
    /// Whether something was decided by the buffer's end.
    met_end: Cell<bool>,
    /// Where a dictionary begins that has a key twice, with two values; the first one met.
    pub doubled: Option<usize>,
    /// Objects this lexer may still make.
    left: usize,
}

pub(super) fn is_space(b: u8) -> bool {
    matches!(b, 0 | 9 | 10 | 12 | 13 | 32)
}

fn is_delimiter(b: u8) -> bool {
    matches!(b, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

fn is_regular(b: u8) -> bool {
    !is_space(b) && !is_delimiter(b)
}

pub(super) fn hex_value(b: u8) -> Option<u8> {
    Some(digit(b)).filter(|value| *value < NO_DIGIT)
}

/// What [`digit`] says of a byte that is none: no value has this bit.
const NO_DIGIT: u8 = 0x10;

/// The value of a hexadecimal digit, from a table: signatures' values are long, and every one of their digits comes by here.
fn digit(b: u8) -> u8 {
    const VALUES: [u8; 256] = {
        let (mut values, mut n) = ([NO_DIGIT; 256], 0);
        while n < 16 {
            values[b"0123456789abcdef"[n] as usize] = n as u8;
            values[b"0123456789ABCDEF"[n] as usize] = n as u8;
            n += 1;
        }
        values
    };
    VALUES.get(usize::from(b)).copied().unwrap_or(NO_DIGIT)
}

impl<'a> Lexer<'a> {
    /// Over a whole buffer.
    pub fn at(bytes: &'a [u8], pos: usize) -> Self {
        Self { bytes, base: 0, pos, met_end: Cell::new(false), doubled: None, left: limits::PDF_OBJECT_PARTS }
    }

    /// Over a piece of something larger, of which the first byte has the position `base`.
    pub fn within(bytes: &'a [u8], base: usize) -> Self {
        Self { base, ..Self::at(bytes, base) }
    }

    /// Whether the end of the buffer was met: with more bytes behind it, something might have been read differently.
    pub fn met_end(&self) -> bool {
        self.met_end.get()
    }

    pub fn broken(&self, what: &'static str) -> PdfError {
        PdfError::Broken { at: self.pos, what }
    }

    pub fn peek(&self) -> Option<u8> {
        self.ahead(0)
    }

    /// The byte so many behind this one.
    fn ahead(&self, by: usize) -> Option<u8> {
        let byte = self.bytes.get(self.pos - self.base + by).copied();
        if byte.is_none() {
            self.met_end.set(true);
        }
        byte
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.pos - self.base..).unwrap_or_default()
    }

    /// The bytes from here on that are of one kind.
    fn run(&self, kind: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        match rest.iter().position(|&b| !kind(b)) {
            Some(length) => rest.get(..length).unwrap_or_default(),
            None => {
                self.met_end.set(true);
                rest
            }
        }
    }

    fn starts_with(&self, word: &[u8]) -> bool {
        if self.rest().len() < word.len() {
            self.met_end.set(true);
        }
        self.rest().starts_with(word)
    }

    /// White space and comments (§7.2.3).
    pub fn skip_space(&mut self) {
        while let Some(b) = self.peek() {
            if b == b'%' {
                while self.peek().is_some_and(|b| b != b'\n' && b != b'\r') {
                    self.pos += 1;
                }
            } else if is_space(b) {
                self.pos += 1;
            } else {
                break;
            }
        }
    }

    /// White space alone, where a comment would be a mark.
    pub fn skip_blanks(&mut self) {
        self.pos += self.run(is_space).len();
    }

    /// Behind `%%EOF` and its end of line, if it stands here.
    pub fn end_of_file(&self) -> Option<usize> {
        if !self.starts_with(b"%%EOF") {
            return None;
        }
        let eol = match (self.ahead(5), self.ahead(6)) {
            (Some(b'\r'), Some(b'\n')) => 2,
            (Some(b'\r' | b'\n'), _) => 1,
            _ => 0,
        };
        Some(self.pos + 5 + eol)
    }

    /// Takes `word` if it stands here as a whole token.
    pub fn keyword(&mut self, word: &[u8]) -> bool {
        let here = self.starts_with(word) && self.ahead(word.len()).is_none_or(|b| !is_regular(b));
        if here {
            self.pos += word.len();
        }
        here
    }

    /// A bare word, such as an operator; empty where none stands here.
    pub fn word(&mut self) -> &'a [u8] {
        let word = self.run(is_regular);
        self.pos += word.len();
        word
    }

    /// An unsigned integer token; `None` leaves the position alone.
    pub fn unsigned(&mut self) -> Option<u64> {
        let digits = self.run(|b| b.is_ascii_digit());
        if digits.is_empty() || digits.len() > 18 {
            return None;
        }
        self.pos += digits.len();
        Some(digits.iter().fold(0u64, |n, b| n * 10 + u64::from(b - b'0')))
    }

    /// The head of an indirect object, `12 0 obj` (§7.3.10).
    pub fn object_head(&mut self) -> Option<Ref> {
        let number = self.unsigned()?;
        self.skip_space();
        let generation = self.unsigned()?;
        self.skip_space();
        // `obj` may be followed at once by the object: only the front of the token is asked for.
        if !self.starts_with(b"obj") {
            return None;
        }
        self.pos += 3;
        Some(Ref { number: u32::try_from(number).ok()?, generation: u16::try_from(generation).ok()? })
    }

    /// Past `stream` and its end of line (§7.3.8.1), from just behind the dictionary: where the data begin.
    ///
    /// Errors: something else follows it, behind which readers begin in different places.
    pub fn stream_start(&mut self) -> Result<Option<usize>, PdfError> {
        self.skip_space();
        if !self.starts_with(b"stream") {
            return Ok(None);
        }
        match (self.ahead(6), self.ahead(7)) {
            (Some(b'\r'), Some(b'\n')) => Ok(Some(self.pos + 8)),
            (Some(b'\r' | b'\n'), _) => Ok(Some(self.pos + 7)),
            _ => Err(PdfError::Broken { at: self.pos, what: "`stream` does not end its line" }),
        }
    }

    /// The object that begins here after white space. A stream's dictionary ends it; the caller looks for `stream`.
    pub fn object(&mut self) -> Result<Object, PdfError> {
        self.nested(0)
    }

    fn nested(&mut self, depth: usize) -> Result<Object, PdfError> {
        self.skip_space();
        if depth > limits::PDF_NESTING {
            return Err(PdfError::OverLimit { what: "nesting", limit: limits::PDF_NESTING as u64 });
        }
        self.left = self
            .left
            .checked_sub(1)
            .ok_or(PdfError::OverLimit { what: "parts of one object", limit: limits::PDF_OBJECT_PARTS as u64 })?;
        let next = self.ahead(1);
        match self.peek() {
            Some(b'/') => self.name().map(Object::Name),
            Some(b'(') => self.literal().map(|s| Object::String(s.into())),
            Some(b'<') if next == Some(b'<') => self.dict(depth).map(Object::Dict),
            Some(b'<') => self.hexadecimal().map(|s| Object::String(s.into())),
            Some(b'[') => self.array(depth),
            Some(b'+' | b'-' | b'.' | b'0'..=b'9') => self.number_or_reference(),
            Some(b't') if self.keyword(b"true") => Ok(Object::Bool(true)),
            Some(b'f') if self.keyword(b"false") => Ok(Object::Bool(false)),
            Some(b'n') if self.keyword(b"null") => Ok(Object::Null),
            Some(_) => Err(self.broken("no object begins here")),
            None => Err(self.broken("the file ends where an object should begin")),
        }
    }

    fn name(&mut self) -> Result<std::rc::Rc<[u8]>, PdfError> {
        self.pos += 1;
        let raw = self.run(is_regular);
        self.pos += raw.len();
        if !raw.contains(&b'#') {
            return Ok(raw.into());
        }
        let mut name = Vec::with_capacity(raw.len());
        let mut i = 0;
        while let Some(&b) = raw.get(i) {
            // §7.3.5: `#` and two digits stand for a byte; a stray `#` is kept, as PDF 1.1 wrote it.
            let pair =
                (b == b'#').then(|| Some((hex_value(*raw.get(i + 1)?)?, hex_value(*raw.get(i + 2)?)?))).flatten();
            match pair {
                // §7.3.5: it cannot be written, and ends the name for some readers.
                Some((0, 0)) => return Err(self.broken("a name holds a zero byte")),
                Some((hi, lo)) => {
                    name.push(hi << 4 | lo);
                    i += 3;
                }
                None => {
                    name.push(b);
                    i += 1;
                }
            }
        }
        Ok(name.into())
    }

    fn literal(&mut self) -> Result<Vec<u8>, PdfError> {
        self.pos += 1;
        let (mut out, mut open) = (Vec::new(), 1usize);
        loop {
            let b = self.peek().ok_or_else(|| self.broken("a string does not end"))?;
            self.pos += 1;
            match b {
                b'(' => open += 1,
                b')' if open == 1 => return Ok(out),
                b')' => open -= 1,
                b'\\' => {
                    self.escape(&mut out);
                    continue;
                }
                // §7.3.4.2: any end of line reads as one line feed.
                b'\r' => {
                    if self.peek() == Some(b'\n') {
                        self.pos += 1;
                    }
                    out.push(b'\n');
                    continue;
                }
                _ => {}
            }
            out.push(b);
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) {
        let Some(b) = self.peek() else { return };
        self.pos += 1;
        match b {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'\r' if self.peek() == Some(b'\n') => self.pos += 1,
            b'\r' | b'\n' => {}
            b'0'..=b'7' => {
                let mut value = u32::from(b - b'0');
                for _ in 0..2 {
                    match self.peek() {
                        Some(d @ b'0'..=b'7') => {
                            value = value * 8 + u32::from(d - b'0');
                            self.pos += 1;
                        }
                        _ => break,
                    }
                }
                out.push(value.to_le_bytes().first().copied().unwrap_or_default());
            }
            other => out.push(other),
        }
    }

    fn hexadecimal(&mut self) -> Result<Vec<u8>, PdfError> {
        self.pos += 1;
        let inside = self.run(|b| hex_value(b).is_some() || is_space(b));
        self.pos += inside.len();
        match self.peek() {
            Some(b'>') => self.pos += 1,
            Some(_) => return Err(self.broken("a hexadecimal string holds something else")),
            None => return Err(self.broken("a hexadecimal string does not end")),
        }
        // Nearly all that are long are signatures' values, kilobytes of digits and nothing between them.
        if let (pairs, []) = inside.as_chunks() {
            let mut seen = 0;
            let out = pairs.iter().map(|[hi, lo]| {
                let (hi, lo) = (digit(*hi), digit(*lo));
                seen |= hi | lo;
                hi << 4 | lo
            });
            let out = out.collect();
            if seen < NO_DIGIT {
                return Ok(out);
            }
        }
        let (mut out, mut half) = (Vec::with_capacity(inside.len() / 2 + 1), None);
        for digit in inside.iter().filter_map(|&b| hex_value(b)) {
            match half.take() {
                Some(hi) => out.push(hi << 4 | digit),
                None => half = Some(digit),
            }
        }
        // §7.3.4.3: a missing last digit is 0.
        out.extend(half.map(|hi: u8| hi << 4));
        Ok(out)
    }

    fn array(&mut self, depth: usize) -> Result<Object, PdfError> {
        self.pos += 1;
        let mut items = Vec::new();
        loop {
            self.skip_space();
            if self.peek() == Some(b']') {
                self.pos += 1;
                return Ok(Object::Array(items.into()));
            }
            items.push(self.nested(depth + 1)?);
        }
    }

    fn dict(&mut self, depth: usize) -> Result<Dict, PdfError> {
        let start = self.pos;
        self.pos += 2;
        let mut entries = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'>') if self.starts_with(b">>") => {
                    self.pos += 2;
                    let dict = Dict::new(entries);
                    if dict.is_ambiguous() {
                        self.doubled.get_or_insert(start);
                    }
                    return Ok(dict);
                }
                Some(b'/') => {
                    let key = self.name()?;
                    self.skip_space();
                    let from = self.pos;
                    let value = self.nested(depth + 1)?;
                    entries.push(DictEntry { key, value, span: from..self.pos });
                }
                _ => return Err(self.broken("a dictionary key is not a name")),
            }
        }
    }

    fn number_or_reference(&mut self) -> Result<Object, PdfError> {
        let start = self.pos;
        if let Some(number) = self.unsigned().filter(|_| self.peek().is_none_or(|b| !is_regular(b))) {
            let after = self.pos;
            if let Some(reference) = self.reference_tail(number) {
                return Ok(Object::Ref(reference));
            }
            self.pos = after;
            return i64::try_from(number).map(Object::Int).map_err(|_| self.broken("a number is too large"));
        }
        self.pos = start;
        let raw = self.run(is_regular);
        let token = std::str::from_utf8(raw).unwrap_or_default();
        let plain = token
            .bytes()
            .enumerate()
            .all(|(i, b)| b.is_ascii_digit() || b == b'.' || (i == 0 && (b == b'-' || b == b'+')));
        let value = match token.parse::<i64>() {
            _ if !plain => None,
            Ok(n) => Some(Object::Int(n)),
            // Rust reads `4.`, `-.5` as PDF does.
            Err(_) => token.parse::<f64>().ok().filter(|x| x.is_finite()).map(Object::Real),
        };
        let value = value.ok_or_else(|| self.broken("a number is malformed"))?;
        self.pos += raw.len();
        Ok(value)
    }

    /// ` 0 R` after a first integer.
    fn reference_tail(&mut self, number: u64) -> Option<Ref> {
        self.skip_space();
        let generation = self.unsigned()?;
        self.skip_space();
        if !self.keyword(b"R") {
            return None;
        }
        Some(Ref { number: u32::try_from(number).ok()?, generation: u16::try_from(generation).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Object, PdfError> {
        Lexer::at(text.as_bytes(), 0).object()
    }

    #[test]
    fn reads_every_kind_of_object() {
        let dict =
            read("<</A#42 12 0 R/N -.5/S(a\\(b\\051(c)\\\r\n\\101)/H<48 6>/L[1 2 0 R null true]%x\n/E<<>>>>").unwrap();
        let dict = dict.dict().unwrap();
        assert_eq!(dict.get(b"AB"), Some(&Object::Ref(Ref { number: 12, generation: 0 })));
        assert_eq!(dict.get(b"N"), Some(&Object::Real(-0.5)));
        assert_eq!(dict.get(b"S").and_then(Object::string), Some(&b"a(b)(c)A"[..]));
        assert_eq!(dict.get(b"H").and_then(Object::string), Some(&b"H\x60"[..]));
        assert_eq!(dict.get(b"L").and_then(Object::array).map(<[_]>::len), Some(4));
        assert_eq!(dict.entry(b"E").map(|e| e.span.len()), Some(4));
    }

    #[test]
    fn equal_means_the_same_in_any_order() {
        assert_eq!(read("<</A 1/B[/C]>>").unwrap(), read("<< /B [ /C ]\n/A 1 >>").unwrap());
        assert_ne!(read("<</A 1/B[/C]>>").unwrap(), read("<</A 1/B[/D]>>").unwrap());
        assert_eq!(read("<</A 1/A 2>>").unwrap().dict().unwrap().doubled(), Some(&b"A"[..]));
    }

    #[test]
    fn refuses_what_is_not_an_object_and_what_is_too_deep() {
        for text in ["", "<<", "[", "(", "<4", "<4x>", "<<1 2>>", "1e5", "--1", "}", "<</A>>", "nul", "1.2.3"] {
            assert!(matches!(read(text), Err(PdfError::Broken { .. })), "{text}");
        }
        assert!(matches!(read(&"[".repeat(100_000)), Err(PdfError::OverLimit { what: "nesting", .. })));
    }
}
