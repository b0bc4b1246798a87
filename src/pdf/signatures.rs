//! The signatures of a PDF as they lie in the file (ISO 32000-1 §12.8): what each one covers, what it claims, and what
//! happened afterwards. Nothing is verified here: digests and certificates are the judge's.

use super::PdfError;
use super::changes::{self, History, LaterChanges, Leave, Lock};
use super::file::File;
use super::form::{self, Field};
use super::lex::{Lexer, is_space};
use super::object::{Dict, Object, text};
use super::page;
use super::validation::{self, ValidationData};
use crate::crypto::{Digest, Hashing};
use crate::limits;
use crate::message::Message;
use ring::digest::{Algorithm, Context};
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

/// A file read for verification.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub pages: u32,
    /// Where each revision ends, ascending, bytes; the last is the file's length unless something follows it.
    pub revisions: Vec<usize>,
    /// In the order in which they were made.
    pub signatures: Vec<Signature>,
    /// What a person should know although it decides nothing by itself.
    pub findings: Vec<Message>,
    /// Certificates, lists and responses that the file carries for its signatures.
    pub validation: ValidationData,
}

/// How much of the file a signature's digest speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Coverage {
    /// Every byte but its own /Contents.
    Whole,
    /// From the first byte to the end of an earlier revision, but for its own /Contents.
    Partial,
    /// Anything else: a hole elsewhere, a gap, or bytes beyond the file. Such a signature proves nothing.
    None,
}

/// One signature as it lies in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    /// Full field name.
    pub field: String,
    pub sub_filter: String,
    /// (offset, length) of the two signed ranges, ascending and inside the file; empty where it is anything else
    /// (ISO 32000-1 §12.8.1 leaves more open, PAdES does not: EN 319 142-1 §5.2), and then nothing was signed.
    pub byte_range: Vec<(usize, usize)>,
    /// The DER value in /Contents without its padding. An indefinite length (BER) is left with its padding.
    pub cms: Vec<u8>,
    pub coverage: Coverage,
    /// Length of the file when it was signed, where the coverage is not `None`.
    pub signed_length: Option<usize>,
    pub later_changes: LaterChanges,
    /// Why `later_changes` is more than `None`.
    pub changes: Vec<Message>,
    /// /Cert, the signer's own first: only a bare value needs them (ISO 32000-1 table 252).
    pub certificates: Vec<Vec<u8>>,
    /// /M, in UTC. A claim.
    pub claimed_time: Option<OffsetDateTime>,
    pub name: Option<String>,
    pub reason: Option<String>,
    pub location: Option<String>,
    /// DocMDP level where this is a certification signature, 1 to 3.
    pub certification: Option<i64>,
    pub is_time_stamp: bool,
    /// Disagreements about this signature.
    pub findings: Vec<Message>,
}

impl Signature {
    /// The digest over the signed ranges, e.g. with `&ring::digest::SHA256`; `bytes` is the file that was read.
    pub fn digest(&self, bytes: &[u8], algorithm: &'static Algorithm) -> Vec<u8> {
        let mut context = Context::new(algorithm);
        for part in self.signed_parts(bytes) {
            context.update(part);
        }
        context.finish().as_ref().to_vec()
    }

    /// The signed ranges themselves, for digests ring does not know.
    pub fn signed_parts<'b>(&self, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let part = |&(start, length): &(usize, usize)| bytes.get(start..start.checked_add(length)?);
        self.byte_range.iter().filter_map(part).collect()
    }
}

/// An algorithm, the ranges it was run over, and its value.
type Hashed = (Digest, Vec<(usize, usize)>, Vec<u8>);

/// Digests of one file's signatures. What two of them share from the first byte on is hashed once, so that seals put on
/// one after another cost one reading of the file; others are hashed until the purse is empty.
pub struct Hasher<'b> {
    bytes: &'b [u8],
    /// Contexts over the file from its first byte to the named one.
    fronts: Vec<(Digest, usize, Hashing)>,
    done: Vec<Hashed>,
    purse: u64,
}

impl<'b> Hasher<'b> {
    /// Over the file that was read.
    pub fn new(bytes: &'b [u8]) -> Self {
        let purse = limits::PDF_HASH_BASE + limits::PDF_HASH_PER_BYTE * bytes.len() as u64;
        Self { bytes, fronts: Vec::new(), done: Vec::new(), purse }
    }

    /// As [`Signature::digest`]; None where nothing is signed or the purse is empty.
    pub fn digest(&mut self, signature: &Signature, algorithm: Digest) -> Option<Vec<u8>> {
        let [(begin, first), (start, rest)] = signature.byte_range.as_slice() else { return None };
        let first = begin.checked_add(*first)?;
        let known = self.done.iter().find(|(a, range, _)| *a == algorithm && *range == signature.byte_range);
        if let Some((.., digest)) = known {
            return Some(digest.clone());
        }
        let nearest = self
            .fronts
            .iter()
            .filter(|(a, to, _)| *a == algorithm && *begin == 0 && *to <= first)
            .max_by_key(|(_, to, _)| *to);
        let (from, mut context) = match nearest {
            Some((_, to, context)) => (*to, context.clone()),
            None => (*begin, algorithm.begin()),
        };
        let front = self.bytes.get(from..first)?;
        let tail = self.bytes.get(*start..start.checked_add(*rest)?)?;
        self.purse = self.purse.checked_sub((front.len() + tail.len()) as u64)?;
        context.update(front);
        if *begin == 0 {
            self.fronts.push((algorithm, first, context.clone()));
        }
        context.update(tail);
        let digest = context.finish();
        self.done.push((algorithm, signature.byte_range.clone(), digest.clone()));
        Some(digest)
    }
}

/// Reads pages, revisions and signatures.
///
/// Errors: the file cannot be read as [`File::open`] reads, has no pages, or holds more signatures than the limits.
pub fn read(bytes: &[u8]) -> Result<Reading, PdfError> {
    let file = File::open(bytes)?;
    let pages = page::count(&file)?;
    let mut findings = Vec::new();
    let fields: Vec<Field> = form::fields(&file)?.into_iter().filter(Field::is_signature).collect();
    let mut found = Vec::new();
    for field in &fields {
        if let Object::Dict(dict) = file.resolve(&field.value)? {
            if found.len() == limits::PDF_SIGNATURES {
                return Err(PdfError::OverLimit { what: "signatures", limit: limits::PDF_SIGNATURES as u64 });
            }
            found.push(one(&file, field, &dict)?);
        }
    }
    found.sort_by_key(|(s, _)| s.signed_length.unwrap_or(usize::MAX));
    judge_changes(&file, &mut found);
    let signatures: Vec<Signature> = found.into_iter().map(|(s, _)| s).collect();

    // A signature that no field leads to is invisible to most viewers and accepted by some.
    let written = occurrences(bytes, b"/ByteRange").count();
    if written > signatures.len() {
        findings.push(Message::new(
            "pdf.signature-outside-form",
            format!("文件中有{written}处签名数据，但只有{}个签名域；其余签名可能已被移除或隐藏。", signatures.len()),
            format!("The file holds {written} signature values but {} signed fields; others may have been removed or hidden.", signatures.len()),
        ));
    }
    // ISO 32000-1 §12.8.4: the catalog must name the certification, or a reader does not hold anyone to it.
    let catalog = file.catalog()?;
    let permissions = catalog.object.dict().map(|c| file.get_dict(c, b"Perms")).transpose()?.flatten();
    let named = permissions.as_ref().and_then(|p| p.get(b"DocMDP"));
    let certified = signatures.iter().find(|s| s.certification.is_some());
    let of_field = certified.and_then(|s| fields.iter().find(|f| f.name == s.field)).map(|f| &f.value);
    if named != of_field {
        findings.push(Message::new(
            "pdf.certification-not-in-catalog",
            "文件目录登记的认证签名与签名域中的不一致。",
            "The certification that the catalog names is not the one in the form.",
        ));
    }
    let revisions = revisions(&file);
    if let Some(end) = revisions.last().filter(|&&end| end < bytes.len()) {
        let rest = bytes.get(*end..).unwrap_or_default();
        if !rest.iter().all(|&b| is_space(b)) {
            findings.push(Message::new(
                "pdf.bytes-after-end",
                format!("文件结尾之后还有{}字节。", rest.len()),
                format!("{} bytes stand behind the end of the file.", rest.len()),
            ));
        }
    }
    let mut validation = validation::read(&file)?;
    findings.append(&mut validation.findings);
    Ok(Reading { pages, revisions, signatures, findings, validation })
}

/// Where each `%%EOF` stands that closes a section of the chain.
fn revisions(file: &File<'_>) -> Vec<usize> {
    let bytes = file.bytes();
    let offsets: std::collections::HashSet<usize> = file.sections().map(|s| s.offset).collect();
    let mut ends = Vec::new();
    for at in occurrences(bytes, b"startxref") {
        let mut lexer = Lexer::at(bytes, at + b"startxref".len());
        while lexer.peek().is_some_and(is_space) {
            lexer.pos += 1;
        }
        let offset = lexer.unsigned().and_then(|n| usize::try_from(n).ok());
        while lexer.peek().is_some_and(is_space) {
            lexer.pos += 1;
        }
        let rest = bytes.get(lexer.pos..).unwrap_or_default();
        if offset.is_some_and(|o| offsets.contains(&o)) && rest.starts_with(b"%%EOF") {
            let eol = match rest.get(5..) {
                Some([b'\r', b'\n', ..]) => 2,
                Some([b'\r' | b'\n', ..]) => 1,
                _ => 0,
            };
            ends.push(lexer.pos + 5 + eol);
        }
    }
    ends
}

fn occurrences<'b>(bytes: &'b [u8], word: &'b [u8]) -> impl Iterator<Item = usize> + 'b {
    let first = word.first().copied();
    let starts = bytes.iter().enumerate().filter(move |(_, b)| Some(**b) == first).map(|(i, _)| i);
    starts.filter(move |&i| bytes.get(i..).is_some_and(|rest| rest.starts_with(word)))
}

/// Reads one signature dictionary, and what it leaves to others.
fn one(file: &File<'_>, field: &Field, dict: &Dict) -> Result<(Signature, Leave), PdfError> {
    let bytes = file.bytes();
    let mut findings = Vec::new();
    let mut finding = |id, zh: &str, en: &str| findings.push(Message::new(id, zh, en));
    let string =
        |key: &[u8]| -> Result<Option<Vec<u8>>, PdfError> { Ok(file.get(dict, key)?.string().map(<[u8]>::to_vec)) };
    let sub_filter =
        file.get(dict, b"SubFilter")?.name().map(|n| String::from_utf8_lossy(n).into_owned()).unwrap_or_default();

    let numbers: Option<Vec<usize>> = match file.get(dict, b"ByteRange")? {
        Object::Array(items) if items.len() == 4 => items.iter().map(|o| file.resolve(o).ok()?.count()).collect(),
        _ => None,
    };
    let numbers = numbers.unwrap_or_default();
    // Ranges over each other, or many of them, would make a small file cost any amount of hashing.
    let byte_range = match numbers.as_slice() {
        [a, m, b, n]
            if a.checked_add(*m).is_some_and(|end| end <= *b)
                && b.checked_add(*n).is_some_and(|end| end <= bytes.len()) =>
        {
            vec![(*a, *m), (*b, *n)]
        }
        _ => Vec::new(),
    };

    // The hole must be this dictionary's own /Contents where it lies in the file: an object inside an object stream,
    // or one moved by a later update, has its bytes elsewhere.
    let in_file = match &field.value {
        Object::Ref(r) => file.load(*r)?.is_some_and(|l| !l.is_packed()),
        _ => field.reference.map(|r| file.load(r)).transpose()?.flatten().is_some_and(|l| !l.is_packed()),
    };
    let hole = dict.entry(b"Contents").filter(|_| in_file).map(|e| e.span.clone());
    let inside =
        hole.as_ref().and_then(|h| bytes.get(h.clone())).and_then(|h| h.strip_prefix(b"<")?.strip_suffix(b">"));
    let only_hex = inside.is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit));
    if dict.doubled().is_some() {
        finding("pdf.key-twice", "签名字典中有重复的键", "A key is written twice in the signature dictionary");
    }
    let once = |key: &[u8]| dict.entries().iter().filter(|e| &*e.key == key).count() == 1;
    let coverage = match (numbers.as_slice(), &hole) {
        _ if !(once(b"ByteRange") && once(b"Contents")) => Coverage::None,
        ([0, a, b, c], Some(hole)) if *a == hole.start && *b == hole.end && only_hex => match b.checked_add(*c) {
            Some(end) if end == bytes.len() => Coverage::Whole,
            Some(end) if end < bytes.len() => Coverage::Partial,
            _ => Coverage::None,
        },
        _ => Coverage::None,
    };
    if coverage == Coverage::None {
        let (zh, en) =
            ("签名范围不是“全文减去签名值”", "The signed range is not the whole text less the signature value");
        finding("pdf.byte-range", zh, en);
    }
    let signed_length = match (coverage, numbers.as_slice()) {
        (Coverage::Whole | Coverage::Partial, [_, _, b, c]) => Some(b + c),
        _ => None,
    };

    let contents = string(b"Contents")?.unwrap_or_default();
    if contents.len() > limits::PDF_CMS_BYTES {
        return Err(PdfError::OverLimit { what: "bytes of a signature", limit: limits::PDF_CMS_BYTES as u64 });
    }
    let cut = der_length(&contents).filter(|&n| n <= contents.len());
    let (value, padding) = contents.split_at_checked(cut.unwrap_or(contents.len())).unwrap_or((&contents, &[]));
    if padding.iter().any(|&b| b != 0) {
        finding("pdf.hole-not-blank", "签名值之后的填充不是零", "The padding behind the signature value is not zeros");
    }

    let mut leave = Leave::default();
    let mut certification = None;
    if let Object::Array(references) = file.get(dict, b"Reference")? {
        for reference in references.iter().take(16) {
            let Object::Dict(reference) = file.resolve(reference)? else { continue };
            let parameters = file.get_dict(&reference, b"TransformParams")?.unwrap_or_else(Dict::empty);
            match file.get(&reference, b"TransformMethod")?.name() {
                // Table 254: P is 2 where it is not said.
                Some(b"DocMDP") => {
                    let level = file.get(&parameters, b"P")?.int().unwrap_or(2);
                    certification = Some(level);
                    leave.level = Some(level);
                }
                Some(b"FieldMDP") => leave.locks.extend(lock(file, &parameters)?),
                _ => {}
            }
        }
    }
    if let Some(lock) = file.get_dict(&field.dict, b"Lock")? {
        // ISO 32000-2 table 236.
        if let Some(level) = file.get(&lock, b"P")?.int() {
            leave.level = Some(leave.level.map_or(level, |l| l.min(level)));
        }
    }
    let certificates = match file.get(dict, b"Cert")? {
        Object::Array(items) => {
            let items = items.iter().take(limits::PATH_CERTIFICATES).map(|item| file.resolve(item));
            let items = items.map(|item| item.map(|item| item.string().map(<[u8]>::to_vec)));
            items.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
        }
        one => one.string().map(<[u8]>::to_vec).into_iter().collect(),
    };
    let claimed_time = string(b"M")?.and_then(|m| date(&text(&m)));
    let person = |key: &[u8]| -> Result<Option<String>, PdfError> { Ok(string(key)?.map(|s| text(&s))) };
    let is_time_stamp = file.get(dict, b"Type")?.name() == Some(b"DocTimeStamp") || sub_filter == "ETSI.RFC3161";
    let signature = Signature {
        field: field.name.clone(),
        byte_range,
        cms: value.to_vec(),
        coverage,
        signed_length,
        later_changes: LaterChanges::None,
        changes: Vec::new(),
        certificates,
        claimed_time,
        name: person(b"Name")?,
        reason: person(b"Reason")?,
        location: person(b"Location")?,
        certification,
        is_time_stamp,
        sub_filter,
        findings,
    };
    Ok((signature, leave))
}

fn lock(file: &File<'_>, parameters: &Dict) -> Result<Option<Lock>, PdfError> {
    let mut names = Vec::new();
    if let Object::Array(items) = file.get(parameters, b"Fields")? {
        for item in items.iter().take(limits::PDF_FIELDS) {
            names.extend(file.resolve(item)?.string().map(text));
        }
    }
    Ok(match file.get(parameters, b"Action")?.name() {
        Some(b"All") => Some(Lock::All),
        Some(b"Include") => Some(Lock::Only(names)),
        Some(b"Exclude") => Some(Lock::AllBut(names)),
        _ => None,
    })
}

/// Compares the state that each signature signed with the newest state, under what was allowed by then.
fn judge_changes(file: &File<'_>, found: &mut [(Signature, Leave)]) {
    let bytes = file.bytes();
    let is_last = |end: usize| bytes.get(end..).is_some_and(|rest| rest.iter().all(|&b| is_space(b)));
    let earlier = found.iter().filter_map(|(s, _)| s.signed_length).filter(|&end| !is_last(end));
    let history = History::of(file, earlier);
    let mut so_far = Leave::default();
    for (signature, leave) in found.iter_mut() {
        if let Some(level) = leave.level {
            so_far.level = Some(so_far.level.map_or(level, |l| l.min(level)));
        }
        so_far.locks.append(&mut leave.locks);
        let mut say = |worst, message| {
            signature.later_changes = worst;
            signature.changes.push(message);
        };
        match (signature.signed_length, &history) {
            (None, _) => {
                let (zh, en) = (
                    "签名范围不完整，无法判断后续修改",
                    "The signed range is not sound, so later changes cannot be told",
                );
                say(LaterChanges::Suspicious, Message::new("pdf.byte-range", zh, en));
            }
            (Some(end), _) if is_last(end) => {}
            (Some(_), Err(error)) => say(LaterChanges::Suspicious, error.message()),
            (Some(end), Ok(history)) => {
                let (worst, why) = changes::since(history, end, &so_far);
                signature.later_changes = worst;
                signature.changes = why;
                if worst == LaterChanges::None {
                    let (zh, en) = ("已签名部分之后还有字节", "There are bytes behind what was signed");
                    signature.later_changes = LaterChanges::Suspicious;
                    signature.changes.push(Message::new("pdf.bytes-after-end", zh, en));
                }
            }
        }
    }
}

/// Whole length of the definite-length value at the front (X.690 §8.1.3).
pub(super) fn der_length(der: &[u8]) -> Option<usize> {
    let (&first, rest) = der.get(1..)?.split_first()?;
    if first < 0x80 {
        return Some(2 + usize::from(first));
    }
    let count = usize::from(first & 0x7f);
    let octets = rest.get(..count).filter(|o| (1..=4).contains(&o.len()))?;
    let length = octets.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
    length.checked_add(2 + count)
}

/// A date (ISO 32000-1 §7.9.4), `D:YYYYMMDDHHmmSSOHH'mm'`; everything after the year may be missing.
pub(super) fn date(text: &str) -> Option<OffsetDateTime> {
    let text = text.strip_prefix("D:").unwrap_or(text).trim_end();
    let number = |from: usize, length: usize, default: u8| -> Option<u8> {
        match text.get(from..from + length) {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
            _ if text.len() <= from => Some(default),
            _ => None,
        }
    };
    let year: i32 = text.get(..4).filter(|y| y.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
    let month = Month::try_from(number(4, 2, 1)?).ok()?;
    let day = Date::from_calendar_date(year, month, number(6, 2, 1)?).ok()?;
    let clock = Time::from_hms(number(8, 2, 0)?, number(10, 2, 0)?, number(12, 2, 0)?).ok()?;
    let zone: Vec<i8> = text.get(15..).unwrap_or_default().split('\'').filter_map(|p| p.parse().ok()).collect();
    let (hours, minutes) = (zone.first().copied().unwrap_or(0), zone.get(1).copied().unwrap_or(0));
    let sign = match text.as_bytes().get(14) {
        Some(b'-') => -1,
        Some(b'+') => 1,
        Some(b'Z') | None => 0,
        _ => return None,
    };
    let offset = UtcOffset::from_hms(hours.checked_mul(sign)?, minutes.checked_mul(sign)?, 0).ok()?;
    Some(day.with_time(clock).assume_offset(offset).to_offset(UtcOffset::UTC))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn reads_dates_in_every_length() {
        assert_eq!(date("D:20261122071500+08'00'"), Some(datetime!(2026-11-21 23:15 UTC)));
        assert_eq!(date("D:20261122071500-05'30"), Some(datetime!(2026-11-22 12:45 UTC)));
        assert_eq!(date("D:20261122071500Z"), Some(datetime!(2026-11-22 07:15 UTC)));
        assert_eq!(date("2026"), Some(datetime!(2026-01-01 00:00 UTC)));
        for bad in ["", "D:20261322", "D:2026112", "D:20261122071500?", "D:２０２６"] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }
}
