//! An update that is complete but for one value: its hole, its range, and how both are closed.

use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::form;
use crate::pdf::object::{Object, Ref};
use crate::pdf::signatures::der_length;
use crate::pdf::source::{Appended, Source};
use crate::pdf::update::Update;
use ring::digest::{Context, SHA256};
use std::ops::Range;

/// A signature dictionary that waits for its range and its value.
pub(in crate::pdf) struct Blank {
    /// Offset of the numbers in /ByteRange.
    range: usize,
    /// From `<` to behind `>` of /Contents.
    hole: Range<usize>,
}

/// Room for `0` and three numbers of ten digits.
const BYTE_RANGE_WIDTH: usize = 34;

impl Blank {
    /// Writes the dictionary: `kind` before its range, `claims` behind its value, `reserve` bytes kept free for that.
    pub fn write(
        update: &mut Update<'_, '_>,
        signature: Ref,
        kind: &str,
        reserve: usize,
        claims: &str,
    ) -> Result<Self, PdfError> {
        if reserve > limits::PDF_CMS_BYTES {
            return Err(PdfError::OverLimit { what: "bytes for the signature", limit: limits::PDF_CMS_BYTES as u64 });
        }
        let mut dict = format!("<<{kind}/ByteRange[").into_bytes();
        let range = dict.len();
        dict.resize(range + BYTE_RANGE_WIDTH, b' ');
        dict.extend_from_slice(b"]/Contents");
        let start = dict.len();
        dict.push(b'<');
        dict.resize(dict.len() + reserve * 2, b'0');
        dict.push(b'>');
        let end = dict.len();
        dict.extend_from_slice(claims.as_bytes());
        dict.extend_from_slice(b">>");
        let at = update.write(signature, &dict);
        Ok(Self { range: at + range, hole: at + start..at + end })
    }
}

/// What is appended to a draft to seal or stamp it, but for the signature: everything is fixed, the hole is zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Bytes of the draft.
    draft: usize,
    tail: Vec<u8>,
    /// Where in the whole file; it lies in the tail.
    hole: Range<usize>,
    digest: [u8; 32],
}

impl Prepared {
    /// Ends the update, writes the range into its dictionary, and takes the digest.
    pub(in crate::pdf) fn close_update(update: Update<'_, '_>, blank: &Blank) -> Result<Self, PdfError> {
        let draft = update.file().source();
        let mut tail = update.close()?;
        let Blank { range: at, hole } = blank;
        let range = format!("0 {} {} {}", hole.start, hole.end, draft.length() + tail.len() - hole.end);
        let at = at.saturating_sub(draft.length());
        if let Some(blank) = tail.get_mut(at..at + range.len()) {
            blank.copy_from_slice(range.as_bytes());
        }
        Self::new(draft, tail, hole.clone())
    }

    /// The digest is over the draft and the tail without the hole; the hole lies in the tail.
    fn new(draft: Source<'_>, tail: Vec<u8>, hole: Range<usize>) -> Result<Self, PdfError> {
        let mut context = Context::new(&SHA256);
        draft.steps(0..draft.length(), 0, |_, bytes, _| context.update(bytes))?;
        let within = hole.start.saturating_sub(draft.length())..hole.end.saturating_sub(draft.length());
        context.update(tail.get(..within.start).unwrap_or_default());
        context.update(tail.get(within.end..).unwrap_or_default());
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Ok(Self { draft: draft.length(), tail, hole, digest })
    }

    /// Takes up again what was written down before a crash. Everything is checked anew: the hole is a string of
    /// zeros in the tail, it is the /Contents of a signature field of the newest revision, and that signature's
    /// /ByteRange covers all the rest.
    ///
    /// # Errors
    /// [`PdfError::NotPrepared`] where the parts do not belong together; the draft cannot be read.
    pub fn from_parts<'a>(draft: impl Into<Source<'a>>, tail: Vec<u8>, hole: Range<usize>) -> Result<Self, PdfError> {
        let draft = draft.into();
        let wrong = |what| PdfError::NotPrepared { what };
        let within = hole.start.checked_sub(draft.length()).zip(hole.end.checked_sub(draft.length()));
        let frame = within.and_then(|(start, end)| tail.get(start..end));
        let inside = frame.and_then(|frame| frame.strip_prefix(b"<")?.strip_suffix(b">"));
        if !inside.is_some_and(|zeros| zeros.iter().all(|&b| b == b'0')) {
            return Err(wrong("the hole is not blank"));
        }
        let both = Appended { first: draft, tail: &tail };
        let file = File::open(&both)?;
        let whole = vec![0, hole.start, hole.end, file.source().length() - hole.end];
        let mut belongs = false;
        for field in form::fields(&file)? {
            let Object::Dict(signature) = file.resolve(&field.value)? else { continue };
            if field.is_signature() && signature.entry(b"Contents").is_some_and(|e| e.span == hole) {
                let range = signature.get(b"ByteRange").and_then(Object::array);
                let range: Option<Vec<usize>> = range.map(|a| a.iter().filter_map(Object::count).collect());
                belongs = range.as_ref() == Some(&whole);
            }
        }
        drop(file);
        if belongs { Self::new(draft, tail, hole) } else { Err(wrong("the hole is not the newest signature's")) }
    }

    /// What is appended to the draft, with its hole.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// From `<` to behind `>` of /Contents, counted from the beginning of the file.
    pub fn hole(&self) -> Range<usize> {
        self.hole.clone()
    }

    /// SHA-256 of everything but the hole, draft included: the CMS's messageDigest, the imprint of a time stamp.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The closed tail: the sealed file is the draft and then this. `cms` is one DER value; the rest of the hole stays
    /// zeros (ISO 32000-1 §12.8.1).
    pub fn close(&self, cms: &[u8]) -> Result<Vec<u8>, PdfError> {
        let have = (self.hole.len() - 2) / 2;
        if cms.first() != Some(&0x30) || der_length(cms) != Some(cms.len()) {
            return Err(PdfError::NotCms);
        }
        if cms.len() > have {
            return Err(PdfError::HoleTooSmall { need: cms.len(), have });
        }
        let (mut sealed, written) = (self.tail.clone(), hex::encode(cms));
        let at = self.hole.start + 1 - self.draft;
        if let Some(blank) = sealed.get_mut(at..at + written.len()) {
            blank.copy_from_slice(written.as_bytes());
        }
        Ok(sealed)
    }
}
