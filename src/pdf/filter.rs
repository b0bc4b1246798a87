//! Stream filters needed to read structure (ISO 32000-1 §7.4): what they give is counted while it grows.

use super::PdfError;
use super::lex::{hex_value, is_space};
use super::object::{Dict, Object};
use crate::limits;
use std::io::Read;

/// What is said of a stream that is not encrypted as the file says.
pub(super) const OWN_WAY: &str = "a stream is encrypted in a way of its own";

/// A stream's filters in the order they are undone, each with its parameters.
pub(super) struct Filters {
    steps: Vec<Step>,
}

struct Step {
    name: Object,
    parms: Parms,
    /// What a crypt filter is called (table 14).
    crypt: Option<Object>,
}

/// Parameters of Flate and LZW (tables 8 and 10).
#[derive(Debug, PartialEq)]
struct Parms {
    predictor: i64,
    colours: i64,
    bits: i64,
    columns: i64,
    early: i64,
}

impl Default for Parms {
    fn default() -> Self {
        Self { predictor: 1, colours: 1, bits: 8, columns: 1, early: 1 }
    }
}

impl Parms {
    fn of(dict: &Dict, resolve: impl Fn(&Object) -> Result<Object, PdfError>) -> Result<Self, PdfError> {
        let mut parms = Self::default();
        let Self { predictor, colours, bits, columns, early } = &mut parms;
        let keys = [b"Predictor".as_slice(), b"Colors", b"BitsPerComponent", b"Columns", b"EarlyChange"];
        for (key, into) in keys.into_iter().zip([predictor, colours, bits, columns, early]) {
            match dict.get(key).map(&resolve).transpose()? {
                None | Some(Object::Null) => {}
                Some(Object::Int(value)) => *into = value,
                // Taken for the number by some readers, and for nothing by others.
                Some(_) => return Err(broken("a filter's parameter is not a whole number")),
            }
        }
        Ok(parms)
    }
}

impl Filters {
    /// `resolve` follows references; a cross-reference stream has none to follow.
    pub fn of(dict: &Dict, resolve: impl Fn(&Object) -> Result<Object, PdfError>) -> Result<Self, PdfError> {
        // Table 5: /F names another file, whose bytes nobody signed. The short names are those of inline images alone
        // (table 93), which are never unpacked here.
        if dict.get(b"F").is_some_and(|file| !file.is_null()) {
            return Err(PdfError::Broken { at: 0, what: "a stream's data stand in another file" });
        }
        let list = |key: &[u8]| -> Result<Vec<Object>, PdfError> {
            match dict.get(key).map(&resolve).transpose()? {
                None | Some(Object::Null) => Ok(Vec::new()),
                Some(Object::Array(items)) if items.len() <= limits::PDF_FILTERS => {
                    items.iter().map(&resolve).collect()
                }
                Some(Object::Array(_)) => {
                    Err(PdfError::OverLimit { what: "filters of one stream", limit: limits::PDF_FILTERS as u64 })
                }
                Some(one) => Ok(vec![one]),
            }
        };
        let parms = list(b"DecodeParms")?;
        let filters = list(b"Filter")?;
        let is_list = |key: &[u8]| -> Result<bool, PdfError> {
            Ok(dict.get(key).map(&resolve).transpose()?.is_some_and(|value| value.array().is_some()))
        };
        // Table 5: parameters are one dictionary or a list, as the filters are; readers differ over anything else.
        let belong = is_list(b"Filter")? == is_list(b"DecodeParms")?;
        let mut steps = Vec::with_capacity(filters.len());
        for (at, name) in filters.into_iter().enumerate() {
            let dict = match parms.get(at) {
                None | Some(Object::Null) => Dict::empty(),
                Some(Object::Dict(dict)) => dict.clone(),
                Some(_) => return Err(broken("a filter's parameters are no dictionary")),
            };
            // Those of pictures have keys of the same names, and are not undone here.
            let picture = matches!(
                name.name(),
                Some(b"CCITTFaxDecode" | b"CCF" | b"DCTDecode" | b"DCT" | b"JBIG2Decode" | b"JPXDecode" | b"Crypt")
            );
            let parms = if picture { Parms::default() } else { Parms::of(&dict, &resolve)? };
            if !belong && parms != Parms::default() {
                return Err(broken("a stream's filters and their parameters do not belong together"));
            }
            steps.push(Step { name, parms, crypt: dict.get(b"Name").cloned() });
        }
        Ok(Self { steps })
    }

    /// The crypt filter that a stream names for itself (§7.4.10): /Identity where it gives no name.
    ///
    /// Errors: it is not the first filter, or not the only one of its kind.
    pub fn crypt(&self) -> Result<Option<&[u8]>, PdfError> {
        let own_way = PdfError::Broken { at: 0, what: OWN_WAY };
        let is_crypt = |step: &Step| step.name.name() == Some(b"Crypt");
        match self.steps.split_first() {
            Some((_, rest)) if rest.iter().any(is_crypt) => Err(own_way),
            Some((first, _)) if is_crypt(first) => match &first.crypt {
                None => Ok(Some(b"Identity")),
                Some(name) => name.name().map(Some).ok_or(own_way),
            },
            _ => Ok(None),
        }
    }

    /// Of data that were decrypted: what is left to do.
    pub fn behind_crypt(mut self) -> Result<Self, PdfError> {
        if self.crypt()?.is_some() {
            self.steps.remove(0);
        }
        Ok(self)
    }

    /// The plain data, no step of it larger than `limit` bytes.
    pub fn undo(&self, raw: &[u8], limit: usize) -> Result<Vec<u8>, PdfError> {
        let mut data = std::borrow::Cow::Borrowed(raw);
        for step in &self.steps {
            let name = step.name.name().ok_or(PdfError::Broken { at: 0, what: "a filter is not a name" })?;
            data = decode(name, &step.parms, &data, limit)?.into();
        }
        Ok(data.into_owned())
    }
}

/// Undoes one filter. `limit` is the most it may give, bytes.
fn decode(name: &[u8], parms: &Parms, data: &[u8], limit: usize) -> Result<Vec<u8>, PdfError> {
    let mut out = Bounded { bytes: Vec::new(), limit };
    let mut predicted = false;
    match name {
        b"FlateDecode" | b"Fl" => {
            flate(data, &mut out)?;
            predicted = true;
        }
        b"LZWDecode" | b"LZW" => {
            lzw(data, parms.early != 0, &mut out)?;
            predicted = true;
        }
        b"ASCIIHexDecode" | b"AHx" => ascii_hex(data, &mut out)?,
        b"ASCII85Decode" | b"A85" => ascii_85(data, &mut out)?,
        b"RunLengthDecode" | b"RL" => run_length(data, &mut out)?,
        _ => return Err(broken("a filter is not one that structure may use")),
    }
    match parms.predictor {
        1 => Ok(out.bytes),
        // Tables 8 and 10 alone have it.
        10..=15 if predicted => png(&out.bytes, parms.colours, parms.bits, parms.columns),
        _ => Err(broken("a predictor is not one that structure may use")),
    }
}

fn broken(what: &'static str) -> PdfError {
    PdfError::Broken { at: 0, what }
}

struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Bounded {
    fn extend(&mut self, more: &[u8]) -> Result<(), PdfError> {
        if self.bytes.len() + more.len() > self.limit {
            return Err(PdfError::OverLimit { what: "unpacked stream", limit: self.limit as u64 });
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }
}

fn flate(data: &[u8], out: &mut Bounded) -> Result<(), PdfError> {
    let mut decoder = flate2::read::ZlibDecoder::new(data);
    let mut chunk = [0u8; 16 * 1024];
    loop {
        let n = decoder.read(&mut chunk).map_err(|_| broken("a compressed stream is damaged"))?;
        if n == 0 {
            return Ok(());
        }
        out.extend(chunk.get(..n).unwrap_or_default())?;
    }
}

fn lzw(data: &[u8], early: bool, out: &mut Bounded) -> Result<(), PdfError> {
    const CLEAR: usize = 256;
    const END: usize = 257;
    // Each code is (start of its string in `out`, length): the string is always a copy of earlier output.
    let mut table: Vec<(usize, usize)> = Vec::new();
    let (mut width, mut bits, mut held) = (9u32, 0u32, 0u32);
    let mut previous: Option<(usize, usize)> = None;
    for &byte in data {
        held = held << 8 | u32::from(byte);
        bits += 8;
        if bits < width {
            continue;
        }
        bits -= width;
        let code = (held >> bits & ((1 << width) - 1)) as usize;
        held &= (1 << bits) - 1;
        if code == CLEAR {
            table.clear();
            (width, previous) = (9, None);
            continue;
        }
        if code == END {
            return Ok(());
        }
        let start = out.bytes.len();
        if code < CLEAR {
            out.extend(&[code.to_le_bytes().first().copied().unwrap_or_default()])?;
        } else {
            // The string after the previous one, plus its next byte, is what the not-yet-listed code means.
            let (from, length) = match (table.get(code - 258), previous) {
                (Some(&entry), _) => entry,
                (None, Some((from, length))) if code - 258 == table.len() => (from, length + 1),
                _ => return Err(broken("an LZW code is not known")),
            };
            for i in from..from + length {
                let b = out.bytes.get(i).copied().ok_or_else(|| broken("an LZW code is not known"))?;
                out.extend(&[b])?;
            }
        }
        if let Some((from, length)) = previous
            && table.len() < 4096 - 258
        {
            table.push((from, length + 1));
        }
        previous = Some((start, out.bytes.len() - start));
        // The decoder's table lags one entry behind the encoder's.
        let next = 258 + table.len() + 1 + usize::from(early);
        width = if next > 2048 {
            12
        } else if next > 1024 {
            11
        } else if next > 512 {
            10
        } else {
            9
        };
    }
    Ok(())
}

fn ascii_hex(data: &[u8], out: &mut Bounded) -> Result<(), PdfError> {
    let mut half = None;
    for &b in data.iter().filter(|&&b| !is_space(b)) {
        if b == b'>' {
            break;
        }
        let digit = hex_value(b).ok_or_else(|| broken("an ASCIIHex stream holds something else"))?;
        match half.take() {
            Some(hi) => out.extend(&[hi << 4 | digit])?,
            None => half = Some(digit),
        }
    }
    half.map_or(Ok(()), |hi: u8| out.extend(&[hi << 4]))
}

fn ascii_85(data: &[u8], out: &mut Bounded) -> Result<(), PdfError> {
    let bad = || broken("an ASCII85 stream holds something else");
    let (mut group, mut n) = (0u32, 0usize);
    for &b in data.iter().filter(|&&b| !is_space(b)) {
        match b {
            b'~' => break,
            b'z' if n == 0 => out.extend(&[0; 4])?,
            b'!'..=b'u' => {
                group = group.checked_mul(85).and_then(|g| g.checked_add(u32::from(b - b'!'))).ok_or_else(bad)?;
                n += 1;
                if n == 5 {
                    out.extend(&group.to_be_bytes())?;
                    (group, n) = (0, 0);
                }
            }
            _ => return Err(bad()),
        }
    }
    if n == 1 {
        return Err(bad());
    }
    if n > 1 {
        for _ in n..5 {
            group = group.checked_mul(85).and_then(|g| g.checked_add(84)).ok_or_else(bad)?;
        }
        out.extend(group.to_be_bytes().get(..n - 1).unwrap_or_default())?;
    }
    Ok(())
}

fn run_length(data: &[u8], out: &mut Bounded) -> Result<(), PdfError> {
    let mut rest = data;
    while let [head, tail @ ..] = rest {
        match *head {
            128 => break,
            n @ 0..=127 => {
                let (run, after) =
                    tail.split_at_checked(usize::from(n) + 1).ok_or_else(|| broken("a run ends early"))?;
                out.extend(run)?;
                rest = after;
            }
            n => {
                let (&b, after) = tail.split_first().ok_or_else(|| broken("a run ends early"))?;
                out.extend(&vec![b; 257 - usize::from(n)])?;
                rest = after;
            }
        }
    }
    Ok(())
}

/// PNG predictors (RFC 2083 §6), row by row.
fn png(data: &[u8], colors: i64, bits: i64, columns: i64) -> Result<Vec<u8>, PdfError> {
    let bad = || broken("a predictor's parameters are malformed");
    let bits_per_pixel = usize::try_from(colors.checked_mul(bits).filter(|n| (1..=1024).contains(n)).ok_or_else(bad)?);
    let bits_per_pixel = bits_per_pixel.map_err(|_| bad())?;
    let columns = usize::try_from(columns).ok().filter(|n| (1..=1 << 24).contains(n)).ok_or_else(bad)?;
    let (pixel, row) = (bits_per_pixel.div_ceil(8), (bits_per_pixel * columns).div_ceil(8));
    let mut out: Vec<u8> = Vec::with_capacity(data.len());
    for line in data.chunks(row + 1) {
        let (&kind, line) = line.split_first().ok_or_else(bad)?;
        if line.len() < row {
            return Err(broken("a predicted row ends early"));
        }
        let start = out.len();
        for (i, &x) in line.iter().enumerate() {
            let at = |back: usize| start.checked_add(i)?.checked_sub(back).and_then(|p| out.get(p)).copied();
            let left = if i >= pixel { at(pixel) } else { None }.unwrap_or(0);
            let up = at(row).unwrap_or(0);
            let corner = if i >= pixel { at(row + pixel) } else { None }.unwrap_or(0);
            let guess = match kind {
                0 => 0,
                1 => left,
                2 => up,
                3 => u8::try_from((u16::from(left) + u16::from(up)) / 2).unwrap_or_default(),
                4 => paeth(left, up, corner),
                _ => return Err(broken("a row names an unknown predictor")),
            };
            out.push(x.wrapping_add(guess));
        }
    }
    Ok(out)
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let (a, b, c) = (i32::from(left), i32::from(up), i32::from(corner));
    let p = a + b - c;
    let (pa, pb, pc) = ((p - a).abs(), (p - b).abs(), (p - c).abs());
    if pa <= pb && pa <= pc {
        left
    } else if pb <= pc {
        up
    } else {
        corner
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdf::lex::Lexer;

    /// Its bytes would come from a file that nobody signed. Null is as good as absent (§7.3.9).
    #[test]
    fn a_stream_whose_data_stand_in_another_file_is_refused() {
        let of = |text: &str| {
            let object = Lexer::at(text.as_bytes(), 0).object().unwrap();
            Filters::of(object.dict().unwrap(), |object| Ok(object.clone()))
        };
        assert_eq!(of("<</F null/Length 2>>").unwrap().undo(b"ab", 9).unwrap(), b"ab");
        for text in ["<</F(elsewhere)>>", "<</F<</F(elsewhere)>>>>", "<</Filter/FlateDecode/F 7 0 R>>"] {
            let refused = PdfError::Broken { at: 0, what: "a stream's data stand in another file" };
            assert_eq!(of(text).err().map(|error| error.to_string()), Some(refused.to_string()), "{text}");
        }
    }

    /// Some readers take a real number for a whole one, follow references, or predict behind any filter; some do not.
    #[test]
    fn parameters_that_readers_take_differently_are_refused() {
        let undo = |text: &str| {
            let object = Lexer::at(text.as_bytes(), 0).object().unwrap();
            Filters::of(object.dict().unwrap(), |object| Ok(object.clone()))?.undo(b"02 61 62 63>", 99)
        };
        for text in [
            "<</Filter/ASCIIHexDecode>>",
            "<</Filter/ASCIIHexDecode/DecodeParms null>>",
            "<</Filter[/ASCIIHexDecode]/DecodeParms[null]>>",
            "<</Filter[/ASCIIHexDecode]/DecodeParms<</Predictor 1>>>>",
        ] {
            assert_eq!(undo(text).unwrap(), b"\x02abc", "{text}");
        }
        for parms in
            ["<</Predictor 12/Columns 3>>", "<</Predictor 1.0>>", "<</Columns 7 0 R>>", "[<</Columns 3>>]", "(a)"]
        {
            let text = format!("<</Filter/ASCIIHexDecode/DecodeParms {parms}>>");
            assert!(matches!(undo(&text), Err(PdfError::Broken { .. })), "{text}");
        }
    }

    #[test]
    fn undoes_the_ascii_and_run_filters() {
        assert_eq!(decode(b"ASCIIHexDecode", &Parms::default(), b"48 65 6C6c6F>", 99).unwrap(), b"Hello");
        assert_eq!(decode(b"ASCII85Decode", &Parms::default(), b"87cURD]i,\"Ebo80~>", 99).unwrap(), b"Hello World!");
        assert_eq!(decode(b"RunLengthDecode", &Parms::default(), b"\x01ab\xfec\x80", 99).unwrap(), b"abccc");
    }

    #[test]
    fn undoes_lzw_as_the_standard_shows_it() {
        // ISO 32000-1 §7.4.4.2, example 2.
        let packed = [0x80, 0x0B, 0x60, 0x50, 0x22, 0x0C, 0x0C, 0x85, 0x01];
        assert_eq!(
            decode(b"LZWDecode", &Parms::default(), &packed, 99).unwrap(),
            [45, 45, 45, 45, 45, 65, 45, 45, 45, 66]
        );
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        use std::io::Write;
        let mut z = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        z.write_all(&vec![0; 1 << 20]).unwrap();
        let bomb = z.finish().unwrap();
        assert_eq!(decode(b"FlateDecode", &Parms::default(), &bomb, 1 << 20).unwrap().len(), 1 << 20);
        assert!(matches!(decode(b"FlateDecode", &Parms::default(), &bomb, 1 << 19), Err(PdfError::OverLimit { .. })));
    }
}
