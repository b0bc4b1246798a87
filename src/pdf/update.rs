//! An incremental update (ISO 32000-1 §7.5.6): new and changed objects, a cross-reference of the same form as the last,
//! and the trailer. Only this tail is held; what it follows stays where it lies.

use super::PdfError;
use super::file::File;
use super::lex::Lexer;
use super::object::{Object, Ref};
use super::xref::Form;
use crate::limits;
use ring::digest;
use std::collections::HashSet;

/// The growing tail of a file.
pub(super) struct Update<'f, 'a> {
    file: &'f File<'a>,
    tail: Vec<u8>,
    written: Vec<(Ref, usize)>,
    next: u32,
    /// Numbers not to be used although they are free.
    taken: HashSet<u32>,
}

impl<'f, 'a> Update<'f, 'a> {
    /// `room`: bytes to be added, about. `taken`: numbers that must stay undefined, as a signed state refers to them:
    /// defining one would change what was signed.
    pub fn begin(file: &'f File<'a>, room: usize, taken: HashSet<u32>) -> Result<Self, PdfError> {
        let length = file.source().length();
        let mut tail = Vec::with_capacity(room);
        // ISO 19005-3 §6.1.3 wants nothing but one end of line after %%EOF; some writers leave it out.
        if !matches!(file.source().window(length.saturating_sub(1)..length)?.last(), Some(b'\n' | b'\r')) {
            tail.push(b'\n');
        }
        let size = file.trailer().get(b"Size").and_then(Object::count).and_then(|n| u32::try_from(n).ok());
        let listed = file.sections().map(|s| s.end()).max().unwrap_or(0);
        let next = size.unwrap_or(0).max(listed).max(1);
        Ok(Self { file, tail, written: Vec::new(), next, taken })
    }

    /// The file that is updated.
    pub fn file(&self) -> &'f File<'a> {
        self.file
    }

    /// Whether nothing has been written into it.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// Where the next byte will stand.
    fn here(&self) -> usize {
        self.file.source().length() + self.tail.len()
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
        self.written.push((r, self.here()));
        self.tail.extend_from_slice(format!("{} {} obj\n", r.number, r.generation).as_bytes());
        let at = self.here();
        self.tail.extend_from_slice(body);
        self.tail.extend_from_slice(b"\nendobj\n");
        at
    }

    /// Writes a stream; `dict` is the inside of its dictionary without /Length.
    pub fn write_stream(&mut self, r: Ref, dict: &str, data: &[u8]) {
        let mut body = format!("<<{dict}/Length {}>>\nstream\n", data.len()).into_bytes();
        body.extend_from_slice(data);
        body.extend_from_slice(b"\nendstream");
        self.write(r, &body);
    }

    /// Cross-reference and trailer; gives the tail.
    pub fn close(mut self) -> Result<Vec<u8>, PdfError> {
        let newest = self.file.newest();
        let table = newest.form == Form::Table;
        let at = self.here();
        if !table {
            // §7.5.8.2: the stream lists itself.
            let own = self.new_object()?;
            self.written.push((own, at));
        }
        self.written.sort_unstable();
        let trailer = self.trailer(at)?;
        let runs = self.written.chunk_by(|(a, _), (b, _)| a.number + 1 == b.number);
        if table {
            let mut lines = String::from("xref\n");
            for run in runs {
                let first = run.first().map_or(0, |(r, _)| r.number);
                lines.push_str(&format!("{first} {}\n", run.len()));
                for (r, offset) in run {
                    lines.push_str(&format!("{offset:010} {:05} n \n", r.generation));
                }
            }
            lines.push_str("trailer\n<<");
            self.tail.extend_from_slice(lines.as_bytes());
            self.tail.extend_from_slice(&trailer);
            self.tail.extend_from_slice(b">>\n");
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
            self.tail.extend_from_slice(head.as_bytes());
            self.tail.extend_from_slice(&trailer);
            self.tail.extend_from_slice(format!("/Length {}>>\nstream\n", data.len()).as_bytes());
            self.tail.extend_from_slice(&data);
            self.tail.extend_from_slice(b"\nendstream\nendobj\n");
        }
        self.tail.extend_from_slice(format!("startxref\n{at}\n%%EOF\n").as_bytes());
        self.check_size()?;
        Ok(self.tail)
    }

    /// Errors: the file has grown beyond what is taken. Whoever writes much asks as it goes.
    pub fn check_size(&self) -> Result<(), PdfError> {
        let limit = limits::PDF_BYTES;
        let fits = self.here() <= limit;
        if fits { Ok(()) } else { Err(PdfError::OverLimit { what: "file bytes", limit: limit as u64 }) }
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
        let update = self.tail.get(..at - self.file.source().length()).unwrap_or_default();
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
    fn writes_text_and_numbers_that_read_back() {
        for s in ["a(b)\\c", "汶川县行政审批局", ""] {
            let object = Lexer::at(text_string(s).as_bytes(), 0).object().unwrap();
            assert_eq!(super::super::object::text(object.string().unwrap()), s);
        }
        assert_eq!([number(1.0), number(-0.00001), number(12.34567)], ["1", "0", "12.3457"]);
        assert_eq!(name(b"A B#/"), b"/A#20B#23#2F");
    }
}
