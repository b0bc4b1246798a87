//! A second opening for files that do not open as they should: what was signed is looked for all the same, so that the
//! report can say what was done to the file. Nothing found here is ever passed.

use super::attack;
use super::dictionary;
use super::{Coverage, LaterChanges, Outline, Signature, outline};
use crate::limits;
use crate::message::Message;
use crate::pdf::PdfError;
use crate::pdf::file::{File, Purse};
use crate::pdf::form::Field;
use crate::pdf::lex::Lexer;
use crate::pdf::object::{Dict, Object, Ref};
use crate::pdf::source::Source;
use crate::pdf::sweep::head_before;
use memchr::memmem;
use std::ops::Range;
use std::rc::Rc;

/// The newest state that opens and is signed, with what stands behind it held against its signatures; and signature
/// dictionaries that no index leads to. `why`: what keeps the file from opening.
///
/// Errors: `why`, where no signature is found.
pub(super) fn salvage<'a>(source: Source<'a>, purse: &Rc<Purse>, why: PdfError) -> Result<Outline<'a>, PdfError> {
    let marks = Marks::of(source)?;
    let mut found = marks.newest_state(source, purse)?.unwrap_or_else(|| Outline::nothing(source, purse.clone()));
    let known: Vec<Vec<u8>> = found.signatures.iter().map(|s| s.cms.clone()).filter(|cms| !cms.is_empty()).collect();
    let bare = File::bare(source, purse.clone());
    for &at in &marks.ranges {
        if found.signatures.len() == limits::PDF_SIGNATURES {
            break;
        }
        let (readable, signature) = loose(&bare, at)?;
        // A range that was moved out of its dictionary speaks of the one that it was taken from.
        if !known.contains(&signature.cms) && (readable || found.signatures.is_empty()) {
            found.signatures.push(signature);
        }
    }
    if found.signatures.is_empty() {
        return Err(why);
    }
    let Message { zh, en, .. } = why.message();
    found.findings.insert(0, Message::new("pdf.broken-structure", zh, en));
    Ok(found)
}

/// Where states may end, and where signatures may stand.
#[derive(Default)]
struct Marks {
    ends: Vec<usize>,
    ranges: Vec<usize>,
}

impl Marks {
    fn of(source: Source<'_>) -> Result<Self, PdfError> {
        let mut marks = Self::default();
        source.steps(0..source.length(), 16, |start, seen, own| {
            let found = |word: &'static [u8], most: usize, list: &mut Vec<usize>| {
                let here = memmem::find_iter(seen, word).map(|i| start + i).filter(|at| own.contains(at));
                list.extend(here.take(most.saturating_sub(list.len())));
            };
            found(b"%%EOF", limits::PDF_ENDS, &mut marks.ends);
            found(b"/ByteRange", limits::PDF_SIGNATURES, &mut marks.ranges);
        })?;
        Ok(marks)
    }

    /// The longest part of the file that opens as it should and is signed.
    fn newest_state<'a>(&self, source: Source<'a>, purse: &Rc<Purse>) -> Result<Option<Outline<'a>>, PdfError> {
        for end in self.ends.iter().rev().take(limits::PDF_SALVAGED) {
            let end = source.parse(*end, |lexer| lexer.end_of_file())?.unwrap_or(*end);
            if end >= source.length() {
                continue;
            }
            match outline(source.until(end), purse.clone()) {
                Ok(mut state) if state.signatures.iter().any(|s| s.coverage != Coverage::None) => {
                    let objects = holds_objects(source, end..source.length(), purse)?;
                    for signature in &mut state.signatures {
                        behind(signature, end..source.length(), objects);
                    }
                    return Ok(Some(state));
                }
                Err(error @ (PdfError::OverLimit { .. } | PdfError::Unread(_))) => return Err(error),
                _ => {}
            }
        }
        Ok(None)
    }
}

/// What stands behind the state that a signature was read in.
fn behind(signature: &mut Signature, rest: Range<usize>, objects: bool) {
    let said = attack::behind(rest.start, rest.end, objects);
    let worst = if objects { LaterChanges::Forbidden } else { LaterChanges::Suspicious };
    if signature.coverage == Coverage::Whole {
        signature.coverage = Coverage::Partial;
    }
    signature.later_changes = signature.later_changes.max(worst);
    signature.changes.push(said.clone());
    signature.findings.push(said);
}

/// Whether a range holds heads of objects or an index.
pub(super) fn holds_objects(source: Source<'_>, range: Range<usize>, purse: &Purse) -> Result<bool, PdfError> {
    let mut found = false;
    purse.pay(range.len())?;
    source.steps(range.clone(), 32, |start, seen, own| {
        let words: [&[u8]; 3] = [b"trailer", b"startxref", b"xref\n"];
        let mine = |at: usize| own.contains(&(start + at));
        found |= words.iter().any(|w| memmem::find_iter(seen, w).any(mine));
        let mut heads = memmem::find_iter(seen, b"obj").filter_map(|at| head_before(seen, at));
        found |= heads.any(|head| start + head >= range.start);
    })?;
    Ok(found)
}

/// A signature dictionary that was found by its /ByteRange and not by an index, and whether it could be read.
fn loose(bare: &File<'_>, range: usize) -> Result<(bool, Signature), PdfError> {
    let source = bare.source();
    let (start, reference, dict) = around(bare, range)?;
    let name = match reference {
        Some(r) => format!("{} {} obj", r.number, r.generation),
        None => format!("@{range}"),
    };
    let readable = dict.is_some();
    let dict = dict.unwrap_or_else(Dict::empty);
    let kind = b"Sig".to_vec();
    let field = Field { name, reference, dict: Dict::empty(), kind, value: Object::Dict(dict.clone()) };
    let (mut signature, _) = dictionary::read(bare, &field, &dict, true)?;
    let (zh, en) = match readable {
        true => (
            format!("字节{start}处的签名不是经文件索引找到的，文件结构损坏，显示内容无法确定"),
            format!(
                "The signature at byte {start} was not found through the file's index, which is broken, so what is shown cannot be told"
            ),
        ),
        false => (
            format!("字节{range}处的签名字典无法读取"),
            format!("The signature dictionary at byte {range} cannot be read"),
        ),
    };
    let said = Message::new("pdf.signature-unindexed", zh, en);
    signature.later_changes = LaterChanges::Suspicious;
    // What stands behind the signed end was put there without an index that works.
    if let Some(end) = signature.signed_length.filter(|&end| end < source.length())
        && holds_objects(source, end..source.length(), &bare.purse())?
    {
        behind(&mut signature, end..source.length(), true);
    }
    signature.changes.push(said.clone());
    signature.findings.push(said);
    Ok((readable, signature))
}

/// The object around a place: where it begins, its reference, and it where it is a dictionary that holds the place.
fn around(bare: &File<'_>, place: usize) -> Result<(usize, Option<Ref>, Option<Dict>), PdfError> {
    let source = bare.source();
    // /Contents may stand before /ByteRange: two hexadecimal digits a byte.
    let mut back = 4 * 1024;
    loop {
        let from = place.saturating_sub(back);
        let window = source.window(from..place)?;
        let heads = memmem::rfind_iter(&window, b"obj").filter_map(|at| head_before(&window, at));
        // A head cut by the window's front would have a shorter number.
        if let Some(head) = heads.map(|at| from + at).find(|&at| at > from || at == 0) {
            let (reference, dict) = source.parse(head, |lexer: &mut Lexer<'_>| {
                let reference = lexer.object_head();
                let object = lexer.object().ok();
                bare.pay(lexer.pos - head)?;
                Ok((reference, object.filter(|_| lexer.pos > place).and_then(|o| o.dict().cloned())))
            })??;
            return Ok((head, reference, dict));
        }
        if from == 0 || back >= 2 * limits::PDF_CMS_BYTES {
            return Ok((place, None, None));
        }
        back *= 8;
    }
}
