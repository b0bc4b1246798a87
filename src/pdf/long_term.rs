//! What lets a signature be judged when its certificates, its algorithms and those who answered for them have gone (PAdES
//! B-LT and B-LTA, EN 319 142-1 §5.4 and §6): the evidence, put into the file, and a time stamp over all of it.
//!
//! Both are updates over the tail, and both are open to anyone at any time: no certification forbids them (ISO 32000-2
//! table 257, P=1). What is put in is not judged here; [`super::validation`] reads it back.

use super::PdfError;
use super::file::File;
use super::form;
use super::object::{Dict, Object, Ref};
use super::page;
use super::piece::{Keys, Piece, change_below, grow};
use super::reach::reachable;
use super::seal::{Blank, Prepared, field};
use super::signatures::der_length;
use super::source::Source;
use super::update::Update;
use crate::crypto::{Digest, sha256};
use crate::limits;
use std::collections::HashMap;

/// Evidence that certificates were good: each item is one DER element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Material {
    pub certificates: Vec<Vec<u8>>,
    /// CRLs.
    pub lists: Vec<Vec<u8>>,
    /// OCSP responses (OCSPResponse, not the basic one alone).
    pub responses: Vec<Vec<u8>>,
}

/// Puts evidence into the document security store (EN 319 142-1 §5.4.2), all of it filed under the newest signature of
/// the file (/VRI), be that a seal or a document time stamp. What the store has already is named again and not stored
/// again.
///
/// Gives what is to be appended to the file; nothing where the store says all of it already.
///
/// # Errors
/// The file is not signed or cannot be read, or the store would be more than a reader takes.
pub fn add_evidence<'a>(file: impl Into<Source<'a>>, material: &Material) -> Result<Vec<u8>, PdfError> {
    let file = File::open(file)?;
    let about = newest_signature(&file)?;
    let loaded = file.catalog()?;
    let catalog = Piece::of(&file, &loaded)?;
    let store = file.get_dict(catalog.dict, b"DSS")?.unwrap_or_else(Dict::empty);

    let kinds = [&material.certificates, &material.lists, &material.responses];
    let room = kinds.iter().flat_map(|items| items.iter()).map(|item| item.len() + 128).sum::<usize>() + 4096;
    let mut update = Update::begin(&file, room, reachable(&file, None)?)?;
    let mut stock = Stock::default();
    let mut filed = Vec::new();
    for (kind, items) in KINDS.iter().zip(kinds) {
        let mut known = stock.take(&file, &store, kind)?;
        filed.push(stock.file(&mut update, kind, items, &mut known)?);
    }

    let changed = change_below(&mut update, &catalog, "DSS", |update, store| {
        let mut keys = Keys::new();
        for Filed { kind, new, .. } in filed.iter().filter(|filed| !filed.new.is_empty()) {
            keys.extend(grow(update, store, kind.all, &references(new))?.map(|list| (kind.all, list)));
        }
        let entries = change_below(update, store, "VRI", |update, entries| {
            let entry = change_below(update, entries, &about, |update, entry| name_all(update, entry, &filed))?;
            Ok(entry.map(|entry| (about.as_str(), entry)).into_iter().collect())
        })?;
        keys.extend(entries.map(|entries| ("VRI", entries)));
        Ok(keys)
    })?;
    let mut keys = Keys::new();
    if let Some(store) = changed {
        // A store of its own is what later updates change without a new catalog.
        let value = match catalog.inner(b"DSS") {
            Some(_) => store,
            None => {
                let apart = update.new_object()?;
                update.write(apart, &store);
                format!("{} 0 R", apart.number).into_bytes()
            }
        };
        keys.push(("DSS", value));
    }
    if update.is_empty() && keys.is_empty() {
        return Ok(Vec::new());
    }
    keys.extend(extension(&mut update, &catalog)?.map(|extensions| ("Extensions", extensions)));
    if !keys.is_empty() {
        update.write(loaded.reference, &catalog.with(&keys)?);
    }
    update.close()
}

/// A document time stamp (ISO 32000-2 §12.8.5, EN 319 142-1 §5.4.3) over the whole file, in a field that shows nothing.
/// `room`: bytes kept free for the token, at most `limits::PDF_CMS_BYTES`. The imprint to be stamped is
/// [`Prepared::digest`], and [`Prepared::close`] takes the token (a TimeStampToken, not the response around it).
///
/// # Errors
/// The file cannot be read or has no page.
pub fn prepare_stamp<'a>(file: impl Into<Source<'a>>, room: usize) -> Result<Prepared, PdfError> {
    let file = File::open(file)?;
    let fields = form::fields(&file)?;
    let page = page::page(&file, 0)?;
    let mut update = Update::begin(&file, room.min(limits::PDF_CMS_BYTES) * 2 + 4096, reachable(&file, None)?)?;
    let stamp = update.new_object()?;
    let kind = "/Type/DocTimeStamp/Filter/Adobe.PPKLite/SubFilter/ETSI.RFC3161";
    let blank = Blank::write(&mut update, stamp, kind, room, "")?;
    // ISO 19005-3 §6.3.3: what has no extent needs no appearance.
    field::add(&mut update, &page, &field::free_name(&fields, "Stamp"), stamp, "/Rect[0 0 0 0]", false, Keys::new())?;
    Prepared::close_update(update, &blank)
}

/// The name under which /VRI speaks of the signature that covers most of the file: SHA-1 of its /Contents, padding
/// included, in capital hexadecimal digits.
fn newest_signature(file: &File<'_>) -> Result<String, PdfError> {
    let mut newest: Option<(usize, Object)> = None;
    for field in form::fields(file)?.into_iter().filter(|field| field.is_signature()) {
        let Object::Dict(signature) = file.resolve(&field.value)? else { continue };
        let range = file.get(&signature, b"ByteRange")?;
        let end = match range.array().unwrap_or_default() {
            [_, _, start, length] => start.count().zip(length.count()).and_then(|(s, l)| s.checked_add(l)),
            _ => None,
        };
        let contents = file.get(&signature, b"Contents")?;
        if let Some(end) = end.filter(|end| newest.as_ref().is_none_or(|(most, _)| end > most)) {
            newest = Some((end, contents));
        }
    }
    let contents = newest.as_ref().and_then(|(_, contents)| contents.string()).ok_or(PdfError::NotSigned)?;
    Ok(hex::encode_upper(Digest::Sha1.over(&[contents])))
}

/// Where one kind of evidence is listed: of all signatures, and of one.
struct Kind {
    all: &'static str,
    one: &'static str,
}

const KINDS: [Kind; 3] =
    [Kind { all: "Certs", one: "Cert" }, Kind { all: "CRLs", one: "CRL" }, Kind { all: "OCSPs", one: "OCSP" }];

/// The material of one kind as the file will hold it.
struct Filed {
    kind: &'static Kind,
    every: Vec<Ref>,
    /// Those that the store did not have.
    new: Vec<Ref>,
}

/// How much the store holds; a reader takes so much and no more.
#[derive(Default)]
struct Stock {
    items: usize,
    bytes: usize,
}

impl Stock {
    /// What the store has of one kind, by digest. What cannot be read is not counted on.
    fn take(&mut self, file: &File<'_>, store: &Dict, kind: &Kind) -> Result<HashMap<[u8; 32], Ref>, PdfError> {
        let mut known = HashMap::new();
        for item in file.get(store, kind.all.as_bytes())?.array().unwrap_or_default() {
            let (Some(reference), Object::Stream(stream)) = (item.reference(), file.resolve(item)?) else { continue };
            let data = match file.unpacked(&stream) {
                Ok(data) => data,
                Err(limit @ (PdfError::OverLimit { .. } | PdfError::Unread(_))) => return Err(limit),
                Err(_) => continue,
            };
            self.add(data.len())?;
            // Some writers put an end of line behind the element.
            let element = der_length(&data).and_then(|length| data.get(..length)).unwrap_or(&data);
            known.entry(sha256(element)).or_insert(reference);
        }
        Ok(known)
    }

    fn file(
        &mut self,
        update: &mut Update<'_, '_>,
        kind: &'static Kind,
        items: &[Vec<u8>],
        known: &mut HashMap<[u8; 32], Ref>,
    ) -> Result<Filed, PdfError> {
        let (mut every, mut new) = (Vec::new(), Vec::new());
        for item in items {
            let digest = sha256(item);
            let reference = match known.get(&digest) {
                Some(&reference) => reference,
                None => {
                    self.add(item.len())?;
                    let reference = update.new_object()?;
                    update.write_stream(reference, "", item);
                    known.insert(digest, reference);
                    new.push(reference);
                    reference
                }
            };
            if !every.contains(&reference) {
                every.push(reference);
            }
        }
        Ok(Filed { kind, every, new })
    }

    fn add(&mut self, bytes: usize) -> Result<(), PdfError> {
        self.items += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let over = |what, limit: usize| Err(PdfError::OverLimit { what, limit: limit as u64 });
        match (self.items, self.bytes) {
            (items, _) if items > limits::PDF_VALIDATION_ITEMS => {
                over("items of validation data", limits::PDF_VALIDATION_ITEMS)
            }
            (_, bytes) if bytes > limits::PDF_VALIDATION_BYTES => {
                over("bytes of validation data", limits::PDF_VALIDATION_BYTES)
            }
            _ => Ok(()),
        }
    }
}

/// Names in the entry of one signature what it does not name yet.
fn name_all(update: &mut Update<'_, '_>, entry: &Piece<'_>, filed: &[Filed]) -> Result<Keys<'static>, PdfError> {
    let mut keys = Keys::new();
    for Filed { kind, every, .. } in filed {
        let named = update.file().get(entry.dict, kind.one.as_bytes())?;
        let named: Vec<Ref> = named.array().unwrap_or_default().iter().filter_map(Object::reference).collect();
        let missing: Vec<Ref> = every.iter().filter(|r| !named.contains(r)).copied().collect();
        if !missing.is_empty() {
            keys.extend(grow(update, entry, kind.one, &references(&missing))?.map(|list| (kind.one, list)));
        }
    }
    Ok(keys)
}

fn references(all: &[Ref]) -> String {
    all.iter().map(|r| format!("{} {} R", r.number, r.generation)).collect::<Vec<_>>().join(" ")
}

/// ETSI's developer extension, which a file of version 1 says it uses (EN 319 142-1 §5.6, ISO 32000-1 §7.12); version 2
/// has the same things of its own.
fn extension(update: &mut Update<'_, '_>, catalog: &Piece<'_>) -> Result<Option<Vec<u8>>, PdfError> {
    let later = |version: &[u8]| version.first().is_some_and(|major| *major > b'1');
    let head = update.file().source().window(5..6)?;
    if later(&head) || catalog.dict.get(b"Version").and_then(Object::name).is_some_and(later) {
        return Ok(None);
    }
    change_below(update, catalog, "Extensions", |_, extensions| {
        let has = extensions.dict.get(b"ESIC").is_some();
        Ok(if has { Keys::new() } else { vec![("ESIC", b"<</BaseVersion/1.7/ExtensionLevel 1>>".to_vec())] })
    })
}
