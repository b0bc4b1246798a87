//! An incremental update (ISO 32000-1 §7.5.6): the file as it was, then new and changed objects, a cross-reference of
//! the same form, and the trailer. Changed objects are their old bytes with the change spliced in.

use super::PdfError;
use super::file::{File, Loaded};
use super::lex::Lexer;
use super::object::{Dict, DictEntry, Object, Ref};
use super::xref::Form;
use crate::limits;
use ring::digest;
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

/// The growing file.
pub(super) struct Update<'f, 'a> {
    file: &'f File<'a>,
    pub out: Vec<u8>,
    written: Vec<(Ref, usize)>,
    next: u32,
    /// Numbers not to be used although they are free.
    taken: HashSet<u32>,
}

impl<'f, 'a> Update<'f, 'a> {
    /// `room`: bytes to be added, about, so that the file is copied once. `taken`: numbers that must stay undefined,
    /// as a signed state refers to them: defining one would change what was signed.
    pub fn begin(file: &'f File<'a>, room: usize, taken: HashSet<u32>) -> Result<Self, PdfError> {
        let bytes = file.source().window(0..file.source().length())?;
        let mut out = Vec::with_capacity(bytes.len() + room);
        out.extend_from_slice(&bytes);
        // ISO 19005-3 §6.1.3 wants nothing but one end of line after %%EOF; some writers leave it out.
        if !matches!(bytes.last(), Some(b'\n' | b'\r')) {
            out.push(b'\n');
        }
        let size = file.trailer().get(b"Size").and_then(Object::count).and_then(|n| u32::try_from(n).ok());
        let listed = file.sections().map(|s| s.end()).max().unwrap_or(0);
        let next = size.unwrap_or(0).max(listed).max(1);
        Ok(Self { file, out, written: Vec::new(), next, taken })
    }

    /// A number that the file has not used.
    pub fn new_object(&mut self) -> Result<Ref, PdfError> {
        while self.taken.contains(&self.next) {
            self.next += 1;
        }
        if self.next as usize >= limits::PDF_OBJECTS {
            return Err(PdfError::OverLimit { what: "objects", limit: limits::PDF_OBJECTS as u64 });
        }
        self.next += 1;
        Ok(Ref { number: self.next - 1, generation: 0 })
    }

    /// Writes an object and gives the offset of its body.
    pub fn write(&mut self, r: Ref, body: &[u8]) -> usize {
        self.written.push((r, self.out.len()));
        self.out.extend_from_slice(format!("{} {} obj\n", r.number, r.generation).as_bytes());
        let at = self.out.len();
        self.out.extend_from_slice(body);
        self.out.extend_from_slice(b"\nendobj\n");
        at
    }

    /// Writes a stream; `dict` is the inside of its dictionary without /Length.
    pub fn write_stream(&mut self, r: Ref, dict: &str, data: &[u8]) {
        let mut body = format!("<<{dict}/Length {}>>\nstream\n", data.len()).into_bytes();
        body.extend_from_slice(data);
        body.extend_from_slice(b"\nendstream");
        self.write(r, &body);
    }

    /// Cross-reference and trailer; gives the whole file.
    pub fn close(mut self) -> Result<Vec<u8>, PdfError> {
        let newest = self.file.newest();
        let table = newest.form == Form::Table;
        let at = self.out.len();
        if !table {
            // §7.5.8.2: the stream lists itself.
            let own = self.new_object()?;
            self.written.push((own, at));
        }
        self.written.sort_unstable();
        if at as u64 > 9_999_999_999 {
            return Err(PdfError::OverLimit { what: "file bytes", limit: 9_999_999_999 });
        }
        let trailer = self.trailer(at)?;
        let runs = self.written.chunk_by(|(a, _), (b, _)| a.number + 1 == b.number);
        if table {
            let mut tail = String::from("xref\n");
            for run in runs {
                let first = run.first().map_or(0, |(r, _)| r.number);
                tail.push_str(&format!("{first} {}\n", run.len()));
                for (r, offset) in run {
                    tail.push_str(&format!("{offset:010} {:05} n \n", r.generation));
                }
            }
            tail.push_str("trailer\n<<");
            self.out.extend_from_slice(tail.as_bytes());
            self.out.extend_from_slice(&trailer);
            self.out.extend_from_slice(b">>\n");
        } else {
            let (mut index, mut data) = (String::new(), Vec::new());
            for run in runs {
                index.push_str(&format!("{} {} ", run.first().map_or(0, |(r, _)| r.number), run.len()));
                for (r, offset) in run {
                    data.push(1);
                    // Five bytes hold every offset that ten digits do.
                    data.extend((*offset as u64).to_be_bytes().iter().skip(3));
                    data.extend(r.generation.to_be_bytes());
                }
            }
            let own = self.written.iter().find(|(_, offset)| *offset == at).map_or(0, |(r, _)| r.number);
            let head = format!("{own} 0 obj\n<</Type/XRef/W[1 5 2]/Index[{}]", index.trim_end());
            self.out.extend_from_slice(head.as_bytes());
            self.out.extend_from_slice(&trailer);
            self.out.extend_from_slice(format!("/Length {}>>\nstream\n", data.len()).as_bytes());
            self.out.extend_from_slice(&data);
            self.out.extend_from_slice(b"\nendstream\nendobj\n");
        }
        self.out.extend_from_slice(format!("startxref\n{at}\n%%EOF\n").as_bytes());
        Ok(self.out)
    }

    /// The inside of the trailer dictionary: everything the last one said (§7.5.6), with the chain, the size and the
    /// second half of /ID (§14.4) brought up to date.
    fn trailer(&self, at: usize) -> Result<Vec<u8>, PdfError> {
        const OWN: [&[u8]; 11] =
            [b"Size", b"Prev", b"XRefStm", b"ID", b"Type", b"W", b"Index", b"Length", b"Filter", b"DecodeParms", b"DL"];
        let newest = self.file.newest();
        let mut inside = Vec::new();
        for entry in newest.trailer.entries() {
            if OWN.contains(&&*entry.key) {
                continue;
            }
            inside.extend(name(&entry.key));
            inside.push(b' ');
            inside.extend_from_slice(&self.file.source().window(entry.span.clone())?);
        }
        inside.extend(format!("/Size {}/Prev {}", self.next, newest.offset).into_bytes());
        let update = self.out.get(self.file.source().length()..at).unwrap_or_default();
        let fresh = digest::digest(&digest::SHA256, update);
        let fresh = hex::encode_upper(fresh.as_ref().get(..16).unwrap_or_default());
        let first = match self.file.get(&newest.trailer, b"ID")?.array() {
            Some([first, ..]) => self.file.resolve(first)?.string().map(hex::encode_upper),
            _ => None,
        };
        inside.extend(format!("/ID[<{}><{fresh}>]", first.unwrap_or_else(|| fresh.clone())).into_bytes());
        Ok(inside)
    }
}

/// A dictionary together with its own bytes, so that it can be changed without being rewritten.
pub(super) struct Piece<'s> {
    pub raw: Cow<'s, [u8]>,
    /// Where `raw` begins in the buffer that the dictionary's spans speak of.
    base: usize,
    pub dict: &'s Dict,
}

impl<'s> Piece<'s> {
    pub fn of(file: &'s File<'_>, loaded: &'s Loaded) -> Result<Self, PdfError> {
        let broken =
            PdfError::Broken { at: loaded.span.start, what: "an object that must be changed is no dictionary" };
        match &loaded.object {
            Object::Dict(dict) => Ok(Self { raw: file.raw(loaded)?, base: loaded.span.start, dict }),
            _ => Err(broken),
        }
    }

    /// The bytes of a direct value.
    pub fn value(&self, key: &[u8]) -> Option<&[u8]> {
        let span = &self.dict.entry(key)?.span;
        self.raw.get(span.start.checked_sub(self.base)?..span.end.checked_sub(self.base)?)
    }

    /// A dictionary written directly into this one.
    pub fn inner(&self, key: &[u8]) -> Option<Piece<'_>> {
        match self.dict.entry(key)? {
            DictEntry { value: Object::Dict(dict), span, .. } => {
                Some(Piece { raw: self.value(key)?.into(), base: span.start, dict })
            }
            _ => None,
        }
    }

    /// Its bytes with some keys set, everything else as it was.
    pub fn with(&self, keys: &[(&str, Vec<u8>)]) -> Result<Vec<u8>, PdfError> {
        let broken = |what| PdfError::Broken { at: self.base, what };
        if self.dict.doubled().is_some() {
            return Err(broken("a dictionary that must be changed has a key twice"));
        }
        let end = self.raw.len().checked_sub(2).ok_or(broken("a dictionary has no end"))?;
        let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
        for (key, value) in keys {
            match self.dict.entry(key.as_bytes()) {
                Some(DictEntry { span, .. }) => {
                    let span = span.start.checked_sub(self.base).zip(span.end.checked_sub(self.base));
                    let (start, end) = span.ok_or(broken("a value stands outside its dictionary"))?;
                    edits.push((start..end, [b" ", &value[..]].concat()));
                }
                None => edits.push((end..end, [b"/", key.as_bytes(), b" ", value].concat())),
            }
        }
        edits.sort_by_key(|(range, _)| range.start);
        let (mut out, mut from) = (Vec::new(), 0);
        for (range, value) in edits {
            out.extend_from_slice(self.raw.get(from..range.start).unwrap_or_default());
            out.extend_from_slice(&value);
            from = range.end;
        }
        out.extend_from_slice(self.raw.get(from..).unwrap_or_default());
        Ok(out)
    }
}

/// An array's bytes with one more item.
pub(super) fn with_item(raw: &[u8], item: &str) -> Vec<u8> {
    let inside = raw.strip_suffix(b"]").unwrap_or(raw);
    [inside, b" ", item.as_bytes(), b"]"].concat()
}

/// A name as written, with `#` where §7.3.5 asks for it.
fn name(decoded: &[u8]) -> Vec<u8> {
    let mut out = vec![b'/'];
    for &b in decoded {
        let plain =
            Lexer::at(&[b'/', b, b'/'], 0).object().is_ok_and(|o| o.name() == Some(&[b])) && b.is_ascii_graphic();
        if plain && b != b'#' {
            out.push(b);
        } else {
            out.extend(format!("#{b:02X}").into_bytes());
        }
    }
    out
}

/// A text string as written: plain ASCII as a literal, anything else as UTF-16BE (§7.9.2.2).
pub(super) fn text_string(text: &str) -> String {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return format!("({})", text.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)"));
    }
    let units = text.encode_utf16().map(|u| format!("{u:04X}")).collect::<String>();
    format!("<FEFF{units}>")
}

/// A number as written: no exponent (§7.3.3), no more digits than a printer can tell apart.
pub(super) fn number(x: f64) -> String {
    let fixed = format!("{x:.4}");
    let short = fixed.trim_end_matches('0').trim_end_matches('.');
    if short.is_empty() || short == "-0" { "0".to_owned() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splices_keys_and_keeps_the_rest_as_it_was() {
        let raw = b"xx<< /A  1 /B [ 2 ] % c\n>>";
        let dict = Lexer::at(raw, 2).object().unwrap();
        let piece = Piece { raw: raw[2..].into(), base: 2, dict: dict.dict().unwrap() };
        let out = piece.with(&[("B", b"[3]".to_vec()), ("C", b"4".to_vec())]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "<< /A  1 /B  [3] % c\n/C 4>>");
        assert_eq!(with_item(b"[ 1 0 R ]", "2 0 R"), b"[ 1 0 R  2 0 R]");
    }

    #[test]
    fn writes_text_and_numbers_that_read_back() {
        for s in ["a(b)\\c", "汶川县行政审批局", ""] {
            let object = Lexer::at(text_string(s).as_bytes(), 0).object().unwrap();
            assert_eq!(super::super::object::text(object.string().unwrap()), s);
        }
        assert_eq!([number(1.0), number(-0.00001), number(12.34567)], ["1", "0", "12.3457"]);
        assert_eq!(name(b"A B#/"), b"/A#20B#23#2F");
    }
}
