//! The validation data that a file carries along: its document security store (EN 319 142-1 §5.4.2, ISO 32000-2 §12.8.4.3),
//! in which later revisions put the certificates, lists and responses that its signatures are judged by.
//!
//! Nothing here is believed: anyone can append a store. Each item says where in the file it ends, so that a document time
//! stamp over at least that much proves that it existed.

use super::PdfError;
use super::file::File;
use super::object::{Dict, Object, Ref, Stream, text};
use super::signatures::{Signature, date};
use crate::crypto::Digest;
use crate::limits;
use crate::message::Message;
use crate::pki::tlv::Element;
use std::collections::HashMap;
use time::OffsetDateTime;

/// Everything in the store of one file's newest state.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ValidationData {
    pub certificates: Vec<Item>,
    pub lists: Vec<Item>,
    pub responses: Vec<Item>,
    /// What the store says belongs to single signatures (/VRI).
    pub by_signature: Vec<BySignature>,
    /// Items that could not be read, and limits that were reached.
    pub findings: Vec<Message>,
}

/// One certificate, list, response or time stamp.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// One DER element; what it means is for others to read.
    pub der: Vec<u8>,
    /// How many of the file's first bytes hold it: it is in every revision at least that long.
    pub ends_at: usize,
}

/// The entry of one signature. The indices are into the lists of [`ValidationData`].
#[derive(Debug, Clone, PartialEq)]
pub struct BySignature {
    /// SHA-1 of the signature's /Contents, in capital hexadecimal digits.
    pub key: String,
    pub certificates: Vec<usize>,
    pub lists: Vec<usize>,
    pub responses: Vec<usize>,
    /// /TU: when the data was put together. A claim.
    pub claimed_time: Option<OffsetDateTime>,
    /// /TS: a time stamp over the data.
    pub time_stamp: Option<Item>,
}

impl ValidationData {
    /// The entry about this signature. The standard hashes all of /Contents, some writers leave its padding out.
    pub fn about(&self, signature: &Signature) -> Option<&BySignature> {
        if self.by_signature.is_empty() {
            return None;
        }
        let hole = match signature.byte_range.as_slice() {
            [(start, length), (behind, _)] => behind.saturating_sub(start + length),
            _ => 0,
        };
        // Two digits a byte, between `<` and `>`.
        let mut contents = signature.cms.clone();
        contents.resize((hole.saturating_sub(2) / 2).max(contents.len()), 0);
        let keys = [&contents, &signature.cms].map(|bytes| hex::encode_upper(Digest::Sha1.over(&[bytes])));
        self.by_signature.iter().find(|entry| keys.contains(&entry.key))
    }
}

/// Reads the store of the file's newest state; an empty one where it has none.
///
/// # Errors
/// The file's own limits of work; an item that cannot be read is a finding.
pub fn read(file: &File<'_>) -> Result<ValidationData, PdfError> {
    let catalog = file.catalog()?;
    let store = catalog.object.dict().map(|catalog| file.get_dict(catalog, b"DSS")).transpose()?.flatten();
    let Some(store) = store else { return Ok(ValidationData::default()) };
    let mut reader = Reader { file, data: ValidationData::default(), seen: HashMap::new(), items: 0, bytes: 0 };
    for (kind, key) in [(Kind::Certificate, b"Certs".as_slice()), (Kind::List, b"CRLs"), (Kind::Response, b"OCSPs")] {
        reader.all(&store, key, kind)?;
    }
    if let Some(entries) = file.get_dict(&store, b"VRI")? {
        for entry in entries.entries() {
            if reader.data.by_signature.len() == limits::PDF_VALIDATION_ENTRIES {
                reader.over("VRI");
                break;
            }
            // §5.4.2.3: /Type may stand among the keys.
            if let Object::Dict(dict) = file.resolve(&entry.value)? {
                let key = String::from_utf8_lossy(&entry.key).to_uppercase();
                reader.entry(key, &dict)?;
            }
        }
    }
    Ok(reader.data)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Certificate,
    List,
    Response,
}

struct Reader<'f, 'b> {
    file: &'f File<'b>,
    data: ValidationData,
    /// Where the items that came before are filed: /Certs and /VRI name the same streams.
    seen: HashMap<(Kind, Ref), Option<usize>>,
    items: usize,
    bytes: usize,
}

impl Reader<'_, '_> {
    fn entry(&mut self, key: String, dict: &Dict) -> Result<(), PdfError> {
        let certificates = self.all(dict, b"Cert", Kind::Certificate)?;
        let lists = self.all(dict, b"CRL", Kind::List)?;
        let responses = self.all(dict, b"OCSP", Kind::Response)?;
        let claimed_time = self.file.get(dict, b"TU")?.string().and_then(|claim| date(&text(claim)));
        let time_stamp = match dict.get(b"TS") {
            Some(stamp) => self.item(stamp)?,
            None => None,
        };
        self.data.by_signature.push(BySignature { key, certificates, lists, responses, claimed_time, time_stamp });
        Ok(())
    }

    /// Files every stream of an array, and gives their places.
    fn all(&mut self, dict: &Dict, key: &[u8], kind: Kind) -> Result<Vec<usize>, PdfError> {
        let mut places = Vec::new();
        let Object::Array(streams) = self.file.get(dict, key)? else { return Ok(places) };
        for stream in streams.iter() {
            let reference = stream.reference().map(|reference| (kind, reference));
            let place = match reference.and_then(|reference| self.seen.get(&reference)) {
                Some(&place) => place,
                None => {
                    if self.items == limits::PDF_VALIDATION_ITEMS || self.bytes >= limits::PDF_VALIDATION_BYTES {
                        self.over(&String::from_utf8_lossy(key));
                        break;
                    }
                    let item = self.item(stream)?;
                    let list = match kind {
                        Kind::Certificate => &mut self.data.certificates,
                        Kind::List => &mut self.data.lists,
                        Kind::Response => &mut self.data.responses,
                    };
                    let place = item.map(|item| {
                        list.push(item);
                        list.len() - 1
                    });
                    reference.map(|reference| self.seen.insert(reference, place));
                    place
                }
            };
            places.extend(place);
        }
        Ok(places)
    }

    /// None, with a finding, where it cannot be read.
    fn item(&mut self, object: &Object) -> Result<Option<Item>, PdfError> {
        self.items += 1;
        let found = match self.file.resolve(object) {
            Ok(Object::Stream(stream)) => self.file.unpacked(&stream).map(|data| (stream, data)),
            Ok(_) => Err(PdfError::Broken { at: 0, what: "validation data is not a stream" }),
            Err(error) => Err(error),
        };
        let (stream, data) = match found {
            Ok(found) => found,
            Err(error @ PdfError::OverLimit { .. }) => return Err(error),
            Err(error) => {
                self.unreadable(&error.message());
                return Ok(None);
            }
        };
        self.bytes += data.len();
        // Some writers put an end of line behind the element.
        let der = match Element::read(&data) {
            Ok((element, rest)) if rest.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) => {
                element.whole.to_vec()
            }
            _ => {
                let (zh, en) = ("不是完整的DER结构", "it is not one DER element");
                self.unreadable(&Message::new("pdf.not-der", zh, en));
                return Ok(None);
            }
        };
        Ok(Some(Item { der, ends_at: self.end(&stream)? }))
    }

    /// Where the stream and all that decides about its content end; `usize::MAX` where that cannot be said.
    fn end(&self, stream: &Stream) -> Result<usize, PdfError> {
        let mut end = self.file.stored_at(stream)?.end;
        for key in [b"Length".as_slice(), b"Filter", b"DecodeParms", b"F", b"DP"] {
            let mut open: Vec<Object> = stream.dict.get(key).cloned().into_iter().collect();
            while let Some(object) = open.pop() {
                match object {
                    Object::Ref(reference) => match self.file.load(reference)? {
                        // One number elsewhere is common, and where it stands is known.
                        Some(loaded) if !loaded.is_packed() && loaded.object.int().is_some() => {
                            end = end.max(loaded.span.end);
                        }
                        _ => return Ok(usize::MAX),
                    },
                    Object::Array(items) => open.extend(items.iter().cloned()),
                    Object::Dict(dict) => open.extend(dict.entries().iter().map(|entry| entry.value.clone())),
                    _ => {}
                }
            }
        }
        Ok(end)
    }

    fn unreadable(&mut self, why: &Message) {
        if self.data.findings.len() < limits::PDF_FINDINGS {
            let (zh, en) = (why.zh.trim_end_matches('。'), why.en.trim_end_matches('.'));
            self.data.findings.push(Message::new(
                "pdf.validation-data-unreadable",
                format!("文件所附的一项验证数据无法读取：{zh}。"),
                format!("An item of the file's validation data cannot be read: {en}."),
            ));
        }
    }

    fn over(&mut self, what: &str) {
        if self.data.findings.len() < limits::PDF_FINDINGS {
            self.data.findings.push(Message::new(
                "pdf.validation-data-over-limit",
                format!("文件所附的验证数据过多（{what}），其余未读。"),
                format!("The file carries too much validation data ({what}); the rest was not read."),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::certificate::Certificate;
    use crate::pki::ocsp::OcspResponse;
    use crate::pki::revocation::RevocationList;
    use crate::pki::trial::corpus_files;

    /// Every store in the corpus: what it holds is what its place says, ends inside the file, and entries lead to signatures.
    #[test]
    fn corpus_stores() {
        let (mut stores, mut items, mut odd, mut entries, mut matched) = (0, 0, 0, 0, 0);
        for (file, bytes) in corpus_files(&["valid", "mdp-allowed", "mdp-forbidden", "suspicious-update", "tampered"]) {
            if !bytes.windows(4).any(|word| word == b"/DSS") {
                continue;
            }
            let Ok(reading) = crate::pdf::signatures::read(&bytes[..]) else { continue };
            let data = &reading.validation;
            if *data == ValidationData::default() {
                continue;
            }
            stores += 1;
            items += data.certificates.len() + data.lists.len() + data.responses.len();
            odd += data.certificates.iter().filter(|item| Certificate::read(&item.der).is_err()).count();
            odd += data.lists.iter().filter(|item| RevocationList::read(&item.der).is_err()).count();
            odd += data.responses.iter().filter(|item| OcspResponse::read(&item.der).is_err()).count();
            for item in data.certificates.iter().chain(&data.lists).chain(&data.responses) {
                assert!(item.ends_at <= bytes.len(), "{file}");
            }
            entries += data.by_signature.len();
            matched += reading.signatures.iter().filter(|signature| data.about(signature).is_some()).count();
            for finding in &data.findings {
                eprintln!("{file}: {}", finding.en);
            }
        }
        eprintln!("{stores} stores, {items} items, {odd} unreadable; {entries} entries, {matched} signatures have one");
        assert!(stores == 0 || (stores > 20 && odd * 50 < items && matched > 20), "{stores} {items} {odd} {matched}");
    }
}
