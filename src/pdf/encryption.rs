//! The standard security handler (ISO 32000-2 §7.6) with the empty user password: files that everybody can open, and whose
//! owner's password only asks viewers not to print or to copy.
//!
//! What is undone here is no secret: any viewer undoes it, and whoever alters a file can write it anew. So nothing is
//! believed for having been encrypted, and the old ciphers ([`cipher`]) guard nothing. What matters is that we see what
//! most viewers show; they differ all the same, so no such file is passed ([`doubt()`]).

use super::PdfError;
use super::file::File;
use super::filter::{Filters, OWN_WAY};
use super::object::{Dict, DictEntry, Object, Ref, Stream};
use super::xref::Entry;
use crate::limits;
use cipher::Cipher;
use std::borrow::Cow;
use std::rc::Rc;

mod cipher;
mod doubt;
mod password;

pub(super) use doubt::{Terms, doubt};

/// What opens an encrypted file.
#[derive(Debug)]
pub(super) struct Key {
    bytes: Vec<u8>,
    /// None where the file says that its strings and streams are plain (/Identity).
    cipher: Option<Cipher>,
    /// Of the crypt filter, which a stream may name.
    filter: Rc<[u8]>,
    /// The encryption dictionary, whose own strings are plain, where it is an object of its own.
    dictionary: Option<Ref>,
    metadata: bool,
}

/// Table 20, table 21, and the salt of ISO/TS 32004, which changes nothing here. A dictionary with other keys may be
/// something else as well, whose strings some viewers would decrypt.
const KEYS: &[&[u8]] = &[
    b"Filter",
    b"V",
    b"Length",
    b"CF",
    b"StmF",
    b"StrF",
    b"EFF",
    b"R",
    b"O",
    b"U",
    b"OE",
    b"UE",
    b"P",
    b"Perms",
    b"EncryptMetadata",
    b"Type",
    b"KDFSalt",
];

impl Key {
    /// The key of a file whose trailer has /Encrypt, of which nothing but that was read so far.
    ///
    /// Errors: it needs a password; it is protected in another way, or in one that viewers may take differently.
    pub fn of(file: &File<'_>) -> Result<Self, PdfError> {
        let (dict, dictionary) = match file.trailer().get(b"Encrypt") {
            Some(Object::Dict(dict)) => (dict.clone(), None),
            Some(Object::Ref(r)) => (indirect(file, *r)?, Some(*r)),
            _ => return Err(PdfError::UnknownProtection),
        };
        if !is_standard(&dict) || !is_plain(&Object::Dict(dict.clone())) {
            return Err(PdfError::UnknownProtection);
        }
        let identifier = match file.trailer().get(b"ID") {
            None | Some(Object::Null) => Vec::new(),
            Some(Object::Array(items)) => {
                items.first().and_then(Object::string).ok_or(PdfError::UnknownProtection)?.to_vec()
            }
            Some(_) => return Err(PdfError::UnknownProtection),
        };
        let way = Way::of(&dict).ok_or(PdfError::UnknownProtection)?;
        let values = password::Values::of(&dict, &way, &identifier).ok_or(PdfError::UnknownProtection)?;
        let bytes = values.key()?;
        Ok(Self { bytes, cipher: way.cipher, filter: way.filter, dictionary, metadata: way.metadata })
    }

    /// An object as it stands in the file, with its strings made plain.
    ///
    /// Errors: a string that was not encrypted as it should be.
    pub fn object(&self, of: Ref, object: Object) -> Result<Object, PdfError> {
        let Some(cipher) = self.cipher.filter(|_| self.dictionary != Some(of)) else { return Ok(object) };
        let bytes = cipher.key(&self.bytes, of);
        strings(&object, &|string| cipher.open(&bytes, string)).map(|opened| opened.unwrap_or(object))
    }

    /// A stream's bytes, made plain.
    ///
    /// Errors: bytes that were not encrypted as they should be.
    pub fn stored<'s>(
        &self,
        stream: &Stream,
        filters: &Filters,
        bytes: Cow<'s, [u8]>,
    ) -> Result<Cow<'s, [u8]>, PdfError> {
        match self.cipher_of(stream, filters)? {
            Some(cipher) => cipher.open(&cipher.key(&self.bytes, stream.of), &bytes).map(Cow::Owned),
            None => Ok(bytes),
        }
    }

    /// How a stream is encrypted, if it is.
    ///
    /// Errors: in a way of its own, which viewers may take differently.
    fn cipher_of(&self, stream: &Stream, filters: &Filters) -> Result<Option<Cipher>, PdfError> {
        match filters.crypt()? {
            Some(b"Identity") => Ok(None),
            Some(name) if *name == *self.filter => Ok(self.cipher),
            Some(_) => Err(PdfError::Broken { at: stream.start, what: OWN_WAY }),
            // §7.5.8.2 of the index; table 21 of /EncryptMetadata.
            None if stream.dict.is(b"Type", b"XRef") => Ok(None),
            None if !self.metadata && stream.dict.is(b"Type", b"Metadata") => Ok(None),
            None => Ok(self.cipher),
        }
    }
}

/// The encryption dictionary where it is an object of its own; never in an object stream (§7.5.7).
fn indirect(file: &File<'_>, r: Ref) -> Result<Dict, PdfError> {
    match file.entry(r.number)? {
        Some(Entry::At { generation, .. }) if generation == r.generation => {}
        _ => return Err(PdfError::UnknownProtection),
    }
    match file.load(r)?.map(|loaded| loaded.object.clone()) {
        Some(Object::Dict(dict)) => Ok(dict),
        _ => Err(PdfError::UnknownProtection),
    }
}

/// An encryption dictionary of the standard handler, and nothing else besides.
fn is_standard(dict: &Dict) -> bool {
    dict.entries().iter().all(|e| KEYS.contains(&&*e.key)) && dict.is(b"Filter", b"Standard")
}

/// Nothing stands in another object, and nothing is said twice.
fn is_plain(object: &Object) -> bool {
    match object {
        Object::Ref(_) | Object::Stream(_) => false,
        Object::Array(items) => items.iter().all(is_plain),
        Object::Dict(dict) => dict.doubled().is_none() && dict.entries().iter().all(|e| is_plain(&e.value)),
        _ => true,
    }
}

/// What the encryption dictionary says of the ciphers (tables 20, 21 and 25).
struct Way {
    revision: i64,
    /// Bytes of the key.
    length: usize,
    cipher: Option<Cipher>,
    filter: Rc<[u8]>,
    metadata: bool,
}

impl Way {
    /// None where it is not one of those of the standard, or says different things in different places.
    fn of(dict: &Dict) -> Option<Self> {
        let int = |key: &[u8]| dict.get(key).map_or(Some(None), |n| n.int().map(Some));
        let (version, revision, bits) = (int(b"V")??, int(b"R")??, int(b"Length")?);
        let metadata = match dict.get(b"EncryptMetadata") {
            None => true,
            Some(Object::Bool(metadata)) => *metadata,
            Some(_) => return None,
        };
        if version < 4 {
            let filtered = [b"CF".as_slice(), b"StmF", b"StrF", b"EFF"].iter().any(|key| dict.get(key).is_some());
            let length = match (version, revision) {
                (1, 2 | 3) => 5,
                (2, 3) => bytes_of(bits.unwrap_or(40))?,
                _ => return None,
            };
            let (cipher, filter) = (Some(Cipher::Rc4), Rc::from(&b""[..]));
            return (metadata && !filtered).then_some(Self { revision, length, cipher, filter, metadata });
        }
        let length = match (version, revision, bits) {
            (4, 4, None | Some(128)) => 16,
            (5, 5 | 6, None | Some(256)) => 32,
            _ => return None,
        };
        // Attached files in another way than the rest could be opened by some and not by others.
        let name = |key: &[u8]| dict.get(key).map_or(Some(b"Identity".as_slice()), Object::name);
        let filter: Rc<[u8]> = name(b"StmF")?.into();
        if name(b"StrF")? != &*filter || dict.get(b"EFF").is_some_and(|f| f.name() != Some(&*filter)) {
            return None;
        }
        let empty = Dict::empty();
        let filters = dict.get(b"CF").map_or(Some(&empty), Object::dict)?;
        if filters.get(b"Identity").is_some() || filters.entries().len() > limits::PDF_CRYPT_FILTERS {
            return None;
        }
        let cipher = match &*filter {
            b"Identity" => None,
            name => Some(crypt_filter(filters.get(name)?.dict()?, length)?),
        };
        Some(Self { revision, length, cipher, filter, metadata })
    }
}

fn crypt_filter(dict: &Dict, length: usize) -> Option<Cipher> {
    // Table 25 counts bytes, and many writers bits.
    let said = dict.get(b"Length").map_or(Some(length), Object::count)?;
    let opens = dict.get(b"AuthEvent").is_none_or(|event| event.name() == Some(b"DocOpen"));
    let cipher = match (dict.get(b"CFM")?.name()?, length) {
        (b"V2", 16) => Cipher::Rc4,
        (b"AESV2", 16) => Cipher::Aes128,
        (b"AESV3", 32) => Cipher::Aes256,
        _ => return None,
    };
    (opens && (said == length || said == length * 8)).then_some(cipher)
}

fn bytes_of(bits: i64) -> Option<usize> {
    (bits % 8 == 0 && (40..=128).contains(&bits)).then(|| usize::try_from(bits / 8).ok())?
}

/// An object with other strings in the places of its own; none where it has no strings.
fn strings(object: &Object, open: &impl Fn(&[u8]) -> Result<Vec<u8>, PdfError>) -> Result<Option<Object>, PdfError> {
    match object {
        Object::String(string) => Ok(Some(Object::String(open(string)?.into()))),
        Object::Array(items) => {
            let opened = items.iter().map(|item| strings(item, open)).collect::<Result<Vec<_>, _>>()?;
            let some = opened.iter().any(Option::is_some);
            let all = opened.into_iter().zip(items.iter()).map(|(new, old)| new.unwrap_or_else(|| old.clone()));
            Ok(some.then(|| Object::Array(all.collect())))
        }
        Object::Dict(dict) => Ok(in_dict(dict, open)?.map(Object::Dict)),
        Object::Stream(stream) => {
            Ok(in_dict(&stream.dict, open)?.map(|dict| Object::Stream(Stream { dict, ..stream.clone() })))
        }
        _ => Ok(None),
    }
}

fn in_dict(dict: &Dict, open: &impl Fn(&[u8]) -> Result<Vec<u8>, PdfError>) -> Result<Option<Dict>, PdfError> {
    // §7.6.2: the value of a signature, which could not be put into its hole otherwise. Its range tells what it is, as /Type
    // may be left out; an annotation's /Contents is a text.
    let kind = dict.get(b"Type").and_then(Object::name);
    let signature = dict.get(b"ByteRange").is_some()
        && matches!(kind, None | Some(b"Sig" | b"DocTimeStamp"))
        && dict.get(b"Subtype").is_none();
    let mut some = false;
    let mut entries = Vec::with_capacity(dict.entries().len());
    for entry in dict.entries() {
        let left = signature && *entry.key == *b"Contents" && matches!(entry.value, Object::String(_));
        let opened = if left { None } else { strings(&entry.value, open)? };
        some |= opened.is_some();
        let value = opened.unwrap_or_else(|| entry.value.clone());
        entries.push(DictEntry { key: entry.key.clone(), value, span: entry.span.clone() });
    }
    Ok(some.then(|| Dict::new(entries)))
}

#[cfg(test)]
mod tests;
