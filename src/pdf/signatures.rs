//! The signatures of a PDF as they lie in the file (ISO 32000-1 §12.8): what each one covers, what it claims, and what
//! happened afterwards. Nothing is verified here: digests and certificates are the judge's.

use super::PdfError;
use super::changes::{self, History, LaterChanges, Leave};
use super::encryption;
use super::file::{File, Purse, STARTXREF};
use super::form::{self, Field};
use super::info;
use super::object::{Dict, Object, Ref};
use super::page;
use super::source::Source;
use super::sweep::{Digests, Words, sweep};
use super::validation::{self, ValidationData};
use crate::crypto::Digest;
use crate::limits;
use crate::message::Message;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::rc::Rc;
use time::OffsetDateTime;

mod attack;
mod dictionary;
mod salvage;

pub(super) use dictionary::{date, der_length};

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
    /// What the file says of itself, by name.
    pub info: Vec<(String, String)>,
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
    /// Digests over the signed ranges, those that were asked for and not too costly.
    pub digests: Vec<(Digest, Vec<u8>)>,
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
    /// The digest over the signed ranges, if it was asked for when the file was read; none where nothing is signed.
    pub fn digest(&self, algorithm: Digest) -> Option<&[u8]> {
        self.digests.iter().find(|(a, _)| *a == algorithm).map(|(_, digest)| digest.as_slice())
    }

    /// The signed bytes themselves, for a value that was made over them; none where nothing is signed or they are more
    /// than `most`.
    pub fn content(&self, source: Source<'_>, most: usize) -> Result<Option<Vec<u8>>, PdfError> {
        let length = self.byte_range.iter().fold(0usize, |sum, (_, length)| sum.saturating_add(*length));
        if self.byte_range.is_empty() || length > most {
            return Ok(None);
        }
        let mut content = Vec::with_capacity(length);
        for &(start, length) in &self.byte_range {
            content.extend_from_slice(&source.window(start..start.saturating_add(length))?);
        }
        Ok(Some(content))
    }
}

/// Reads pages, revisions and signatures, with each one's SHA-256.
///
/// A file that does not open as it should is read a second time for what was signed in it; what is found then carries
/// findings and is worth no more than a warning.
///
/// Errors: the file is no PDF, cannot be read and holds no signature that could, or is beyond the limits.
pub fn read<'a>(source: impl Into<Source<'a>>) -> Result<Reading, PdfError> {
    read_with(source.into(), &mut |_| vec![Digest::Sha256])
}

/// As [`read`], with the digests that `wanted` names for each signature; it is asked once for each, in their order.
pub fn read_with(source: Source<'_>, wanted: &mut dyn FnMut(&Signature) -> Vec<Digest>) -> Result<Reading, PdfError> {
    let purse = Purse::of(source.length());
    let outline = match outline(source, purse.clone()) {
        Err(why @ (PdfError::Broken { .. } | PdfError::NoPages | PdfError::NotPdf)) => {
            salvage::salvage(source, &purse, why)?
        }
        outline => outline?,
    };
    let Outline { file, pages, mut signatures, mut findings, validation } = outline;
    let (words, strays) = digest(&file, source, &mut signatures, wanted)?;

    // A signature that no field leads to is invisible to most viewers and accepted by some.
    let written = words.byte_ranges;
    if written > signatures.len() {
        findings.push(Message::new(
            "pdf.signature-outside-form",
            format!("文件中有{written}处签名数据，但只有{}个签名域；其余签名可能已被移除或隐藏。", signatures.len()),
            format!("The file holds {written} signature values but {} signed fields; others may have been removed or hidden.", signatures.len()),
        ));
    }
    // Where two readings of the file differ, the signer may have seen one and the reader the other.
    for (at, said) in file.doubled_keys().into_iter().chain(strays) {
        // What came later by an update is held against what was signed; what no index leads to is not.
        let theirs = |s: &&mut Signature| said.id == "pdf.object-twice" || s.signed_length.is_none_or(|end| at < end);
        signatures.iter_mut().filter(theirs).for_each(|s| s.findings.push(said.clone()));
        findings.push(said);
    }
    if file.begins_otherwise()? {
        let said = Message::new(
            "pdf.index-disagrees",
            "文件开头的线性化索引与结尾所指的不一致，不同软件会显示不同内容",
            "The file begins with another index than the one its end leads to: readers may show one or the other",
        );
        signatures.iter_mut().for_each(|s| s.findings.push(said.clone()));
        findings.push(said);
    }
    let revisions = revisions(&file, &words.ends)?;
    if let Some(end) = revisions.last().filter(|&&end| end < source.length())
        && !source.is_blank_from(*end)?
    {
        let rest = source.length() - end;
        findings.push(Message::new(
            "pdf.bytes-after-end",
            format!("文件结尾之后还有{rest}字节。"),
            format!("{rest} bytes stand behind the end of the file."),
        ));
    }
    // What was done to the file is said of the file as well.
    let told = signatures.iter().flat_map(|s| s.findings.iter().chain(&s.changes));
    for said in told.filter(|m| m.id.starts_with("pdf.attack.")) {
        if !findings.contains(said) {
            findings.push(said.clone());
        }
    }
    let info = info::said(&file, &signatures);
    Ok(Reading { pages, revisions, signatures, findings, validation, info })
}

/// What the index leads to, before all of the file is read.
struct Outline<'a> {
    file: File<'a>,
    pages: u32,
    signatures: Vec<Signature>,
    findings: Vec<Message>,
    validation: ValidationData,
}

impl<'a> Outline<'a> {
    /// Of a file without an index.
    fn nothing(source: Source<'a>, purse: Rc<Purse>) -> Self {
        let validation = ValidationData::default();
        Self { file: File::bare(source, purse), pages: 0, signatures: Vec::new(), findings: Vec::new(), validation }
    }
}

fn outline(source: Source<'_>, purse: Rc<Purse>) -> Result<Outline<'_>, PdfError> {
    let file = File::open_even_encrypted(source, purse)?;
    let mut pages = HashSet::new();
    page::walk(&file, |_, page| {
        pages.insert(page.reference);
        ControlFlow::Continue(())
    })?;
    let mut findings = Vec::new();
    let fields: Vec<Field> = form::fields(&file)?.into_iter().filter(Field::is_signature).collect();
    let mut found = Vec::new();
    for field in &fields {
        if let Object::Dict(dict) = file.resolve(&field.value)? {
            if found.len() == limits::PDF_SIGNATURES {
                return Err(PdfError::OverLimit { what: "signatures", limit: limits::PDF_SIGNATURES as u64 });
            }
            let (mut signature, leave) = dictionary::read(&file, field, &dict, stands_in_file(&file, field)?)?;
            signature.findings.extend(belongs(&file, field, &fields, &pages)?);
            found.push((signature, leave, dict));
        }
    }
    if let Some(error) = file.locked() {
        if found.is_empty() {
            return Err(error);
        }
        findings.push(error.message());
        found.iter_mut().zip(&fields).for_each(|((signature, ..), field)| veil(signature, field));
    }
    if let Some(said) = encryption::doubt(&file) {
        found.iter_mut().for_each(|(signature, ..)| signature.findings.push(said.clone()));
        findings.push(said);
    }
    found.sort_by_key(|(s, ..)| s.signed_length.unwrap_or(usize::MAX));
    judge_changes(&file, &mut found);
    let signatures: Vec<Signature> = found.into_iter().map(|(s, ..)| s).collect();

    // ISO 32000-1 §12.8.4: the catalog must name the certification, or a reader does not hold anyone to it.
    let catalog = file.catalog()?;
    let permissions = catalog.object.dict().map(|c| file.get_dict(c, b"Perms")).transpose()?.flatten();
    let named = permissions.as_ref().and_then(|p| p.get(b"DocMDP"));
    let certified = signatures.iter().find(|s| s.certification.is_some());
    let of_field = certified.and_then(|s| fields.iter().find(|f| f.name == s.field)).map(|f| &f.value);
    if named != of_field && file.locked().is_none() {
        findings.push(Message::new(
            "pdf.certification-not-in-catalog",
            "文件目录登记的认证签名与签名域中的不一致。",
            "The certification that the catalog names is not the one in the form.",
        ));
    }
    let pages = u32::try_from(pages.len()).unwrap_or(u32::MAX);
    let mut validation = validation::read(&file)?;
    findings.append(&mut validation.findings);
    Ok(Outline { file, pages, signatures, findings, validation })
}

/// Whether the dictionary's own bytes stand in the file, where its spans say.
fn stands_in_file(file: &File<'_>, field: &Field) -> Result<bool, PdfError> {
    let holder = field.value.reference().or(field.reference);
    Ok(holder.map(|r| file.load(r)).transpose()?.flatten().is_some_and(|l| !l.is_packed()))
}

/// What speaks against the field that leads to a signature (ISO 32000-1 §12.7.4.5).
fn belongs(
    file: &File<'_>,
    field: &Field,
    fields: &[Field],
    pages: &HashSet<Ref>,
) -> Result<Option<Message>, PdfError> {
    let shared = field.value.reference().is_some() && fields.iter().filter(|f| f.value == field.value).count() > 1;
    if shared {
        return Ok(Some(Message::new(
            "pdf.value-shared",
            "两个签名域指向同一个签名，无法确定签的是哪一处",
            "Two fields lead to the same signature, so it is not clear which was signed",
        )));
    }
    let home = file.get(&field.dict, b"P").map(|_| field.dict.get(b"P").and_then(Object::reference))?;
    Ok(home.filter(|page| !pages.contains(page)).map(|page| {
        Message::new(
            "pdf.widget-astray",
            format!("签名域所在的页面（对象{}）不在文件中", page.number),
            format!("The field stands on a page (object {}) that the file does not have", page.number),
        )
    }))
}

/// Without the key strings cannot be read; ranges and values are never encrypted (§7.6.2).
fn veil(signature: &mut Signature, field: &Field) {
    signature.field = match field.reference {
        Some(r) => format!("{} {} obj", r.number, r.generation),
        None => String::new(),
    };
    (signature.name, signature.reason, signature.location, signature.claimed_time) = (None, None, None, None);
    signature.findings.push(Message::new(
        "pdf.encrypted-not-judged",
        "文件已加密且无法打开：只核对了签名本身，文件内容未能判断",
        "The file is encrypted and cannot be opened: the signature itself was checked, what the file shows was not",
    ));
}

/// Reads the whole file once: for all digests, for its words, and for objects that the index does not lead to.
fn digest(
    file: &File<'_>,
    source: Source<'_>,
    signatures: &mut [Signature],
    wanted: &mut dyn FnMut(&Signature) -> Vec<Digest>,
) -> Result<(Words, Option<(usize, Message)>), PdfError> {
    let mut digests = Digests::new(source.length());
    let wanted: Vec<Vec<Digest>> = signatures.iter().map(wanted).collect();
    for (signature, wanted) in signatures.iter().zip(&wanted) {
        wanted.iter().for_each(|&algorithm| digests.want(algorithm, &signature.byte_range));
    }
    let (words, strays) = sweep(source, &file.offsets()?, &mut digests)?;
    for (signature, wanted) in signatures.iter_mut().zip(wanted) {
        let made = |algorithm| Some((algorithm, digests.made(algorithm, &signature.byte_range)?));
        signature.digests = wanted.into_iter().filter_map(made).collect();
    }
    let twice = file.defined_again(&strays)?;
    Ok((words, twice))
}

/// Where each `%%EOF` stands that closes a section of the chain.
fn revisions(file: &File<'_>, words: &[usize]) -> Result<Vec<usize>, PdfError> {
    let offsets: HashSet<usize> = file.sections().map(|s| s.offset).collect();
    let mut ends = Vec::new();
    for at in words.iter().filter(|_| !offsets.is_empty()) {
        let end = file.source().parse(at + STARTXREF.len(), |lexer| {
            lexer.skip_blanks();
            let offset = lexer.unsigned().and_then(|n| usize::try_from(n).ok());
            lexer.skip_blanks();
            offset.filter(|o| offsets.contains(o)).and_then(|_| lexer.end_of_file())
        })?;
        ends.extend(end);
    }
    Ok(ends)
}

/// Compares the state that each signature signed with the newest state, under what was allowed by then.
fn judge_changes(file: &File<'_>, found: &mut [(Signature, Leave, Dict)]) {
    let source = file.source();
    let filled = source.filled().unwrap_or(source.length());
    // White space behind the end says nothing, unless there is so much of it that readers no longer find the end.
    let filled = if changes::is_found_at_once(file).unwrap_or(false) { filled } else { source.length() };
    let is_last = |end: usize| end >= filled;
    let earlier = found.iter().filter_map(|(s, ..)| s.signed_length).filter(|&end| !is_last(end));
    let history = file.locked().map_or_else(|| History::of(file, earlier), Err);
    let mut so_far = Leave::default();
    for (signature, leave, dict) in found.iter_mut() {
        if let Some(level) = leave.level {
            so_far.level = Some(so_far.level.map_or(level, |l| l.min(level)));
        }
        so_far.locks.append(&mut leave.locks);
        if signature.signed_length.is_some_and(is_last) {
            continue;
        }
        let (worst, why) = match signature.signed_length {
            None => judge_uncovered(file, signature, dict),
            Some(end) => judge_update(file, &history, end, &so_far),
        };
        signature.later_changes = worst;
        signature.changes = why;
    }
}

/// What was done behind the state that ended at `end`.
fn judge_update(
    file: &File<'_>,
    history: &Result<History<'_, '_>, PdfError>,
    end: usize,
    leave: &Leave,
) -> (LaterChanges, Vec<Message>) {
    let suspicious = |message| (LaterChanges::Suspicious, vec![message]);
    let history = match history {
        Ok(history) => history,
        Err(PdfError::NeedsPassword | PdfError::UnknownProtection) => {
            let (zh, en) = (
                "文件已加密且无法打开，无法判断后续修改",
                "The file is encrypted and cannot be opened, so what was changed since cannot be judged",
            );
            return suspicious(Message::new("pdf.encrypted-not-judged", zh, en));
        }
        Err(error) => return suspicious(error.message()),
    };
    match changes::since(history, end, leave) {
        // No index leads to what was appended; viewers that go through the file find it all the same.
        (LaterChanges::None, _)
            if salvage::holds_objects(file.source(), end..file.source().length(), &file.purse()).unwrap_or(true) =>
        {
            (LaterChanges::Forbidden, vec![attack::behind(end, file.source().length(), true)])
        }
        (LaterChanges::None, _) => {
            let (zh, en) = ("已签名部分之后还有字节", "There are bytes behind what was signed");
            suspicious(Message::new("pdf.bytes-after-end", zh, en))
        }
        (worst, mut why) => {
            if why.iter().any(|m| changes::REPLACED.contains(&m.id)) {
                why.insert(0, attack::replaced(end, file.source().length()));
            }
            (worst, why)
        }
    }
}

/// A range that does not fit its dictionary may fit the one that was signed, which a later update put another in place of.
fn judge_uncovered(file: &File<'_>, signature: &mut Signature, dict: &Dict) -> (LaterChanges, Vec<Message>) {
    let signed_state = || {
        let (start, length) = signature.byte_range.last()?;
        let end = start.checked_add(*length).filter(|&end| end < file.source().length())?;
        // The same purse pays for it: a file can hold many such signatures.
        let signed = File::open_even_encrypted(file.source().until(end), file.purse()).ok()?;
        let fields = form::fields(&signed).ok()?;
        let field = fields.into_iter().find(|f| f.is_signature() && f.name == signature.field)?;
        let before = signed.resolve(&field.value).ok()?.dict()?.clone();
        let (was, _) = dictionary::read(&signed, &field, &before, stands_in_file(&signed, &field).ok()?).ok()?;
        (was.coverage == Coverage::Whole && was.byte_range == signature.byte_range).then_some(before)
    };
    if let Some(before) = signed_state() {
        let keys = before.entries().iter().chain(dict.entries()).map(|e| &e.key);
        let mut changed: Vec<String> =
            keys.filter(|k| before.get(k) != dict.get(k)).map(|k| String::from_utf8_lossy(k).into_owned()).collect();
        changed.sort_unstable();
        changed.dedup();
        let said = attack::spoofed(&changed);
        signature.findings.insert(0, said.clone());
        return (LaterChanges::Forbidden, vec![said]);
    }
    let (zh, en) =
        ("签名范围不完整，无法判断后续修改", "The signed range is not sound, so later changes cannot be told");
    (LaterChanges::Suspicious, vec![Message::new("pdf.byte-range", zh, en)])
}
