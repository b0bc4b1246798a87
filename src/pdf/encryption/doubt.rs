//! What makes it doubtful that every viewer undoes the encryption of a file as we do. Such a file is read all the same, and
//! no signature in it is passed.

use super::{Key, is_standard};
use crate::message::Message;
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::object::{Object, Ref, Stream};
use crate::pdf::xref::{Entry, Section};
use std::collections::HashSet;

/// What one section says that its state is encrypted with; of a plain one, nothing.
#[derive(Debug, PartialEq)]
pub(in crate::pdf) struct Terms<'s> {
    dictionary: Option<&'s Object>,
    /// The first half of /ID, which old keys are made from.
    identifier: Option<&'s Object>,
    /// Of two values some readers take the first and some the last.
    twice: bool,
}

impl<'s> Terms<'s> {
    pub fn of(section: &'s Section) -> Self {
        let trailer = &section.trailer;
        let dictionary = trailer.get(b"Encrypt").filter(|encrypt| !encrypt.is_null());
        let identifier = trailer.get(b"ID").map(|id| id.array().and_then(<[_]>::first).unwrap_or(id));
        let said = |key: &[u8]| trailer.entries().iter().filter(|e| &*e.key == key).count();
        let twice = said(b"Encrypt") > 1 || (dictionary.is_some() && said(b"ID") > 1);
        Self { dictionary, identifier: dictionary.and(identifier), twice }
    }

    /// Whether the other says nothing else, if less.
    fn have(&self, other: &Self) -> bool {
        let same = |ours: Option<&Object>, theirs: Option<&Object>| theirs.is_none() || ours == theirs;
        same(self.dictionary, other.dictionary) && same(self.identifier, other.identifier) && !other.twice
    }

    fn are_none(&self) -> bool {
        self.dictionary.is_none() && !self.twice
    }
}

/// The first thing that is odd about the encryption, if the file has any.
///
/// The terms may not change from revision to revision: what was signed would be read with another key. And nothing may be
/// encrypted otherwise than the rest (Müller, Ising, Mladenov, Mainka, Schinzel, Schwenk: Practical Decryption
/// exFiltration, CCS 2019, on partial encryption): viewers differ in what they make of it.
///
/// Errors: what all of the file together may cost; trouble of the medium.
pub(in crate::pdf) fn doubt(file: &File<'_>) -> Result<Option<Message>, PdfError> {
    let sections: Vec<&Section> = file.sections().collect();
    if sections.iter().all(|section| Terms::of(section).are_none()) {
        return Ok(None);
    }
    if !agree(&sections) || dictionary_redefined(file) {
        return Ok(Some(Message::new(
            "pdf.encryption-changed",
            "文件各次修订的加密设置（Encrypt或ID）不一致，已签名的内容可能被用另一密钥解读",
            "The revisions of the file are encrypted in different ways (/Encrypt or /ID), so what was signed may be read with another key",
        )));
    }
    let Some(key) = file.key() else { return Ok(None) };
    let number = first_odd(file, key, &sections)?;
    Ok(number.map(|number| {
        Message::new(
            "pdf.encryption-partial",
            format!("对象{number}的加密方式与文件其余部分不同，不同软件会显示不同内容"),
            format!(
                "The object {number} is not encrypted as the rest of the file is; readers may show different things"
            ),
        )
    }))
}

/// Newest first. Of a linearised file (annex F) the older half stands behind the newer one and may leave
/// some of that out, as the hidden half of a hybrid section may.
fn agree(sections: &[&Section]) -> bool {
    let Some((newest, older)) = sections.split_first() else { return true };
    let terms = Terms::of(newest);
    let mut hidden = sections.iter().filter_map(|section| section.hidden.as_deref().map(Terms::of));
    let second_half = |at: usize, section: &Section| {
        let before = sections.get(at).is_some_and(|newer| newer.offset < section.offset);
        before && at + 1 == older.len() && terms.have(&Terms::of(section))
    };
    !terms.twice
        && hidden.all(|hidden| terms.have(&hidden))
        && older.iter().enumerate().all(|(at, section)| Terms::of(section) == terms || second_half(at, section))
}

/// Whether the sections lead to more than one object of the encryption dictionary's number.
fn dictionary_redefined(file: &File<'_>) -> bool {
    let reference = file.trailer().get(b"Encrypt").and_then(Object::reference);
    reference.is_some_and(|r| file.is_redefined(r.number))
}

fn first_odd(file: &File<'_>, key: &Key, sections: &[&Section]) -> Result<Option<u32>, PdfError> {
    let indexes: HashSet<usize> =
        sections.iter().flat_map(|s| [Some(s.offset), s.hidden.as_ref().map(|h| h.offset)]).flatten().collect();
    let mut found = Ok(None);
    for section in sections {
        section.each(file.source(), &mut |number, entry| match entry {
            Entry::At { offset, generation } if matches!(found, Ok(None)) && !indexes.contains(&offset) => {
                let odd = is_odd(file, key, offset, Ref { number, generation });
                found = odd.map(|odd| odd.then_some(number));
            }
            _ => {}
        })?;
    }
    found
}

/// Whether an object is a stream with a way of its own, or holds what was not encrypted in the file's way.
fn is_odd(file: &File<'_>, key: &Key, offset: usize, reference: Ref) -> Result<bool, PdfError> {
    let loaded = match file.parse_plain(offset, reference) {
        Ok((loaded, _)) => loaded,
        Err(error @ (PdfError::OverLimit { .. } | PdfError::Unread(_))) => return Err(error),
        // Nothing stands there.
        Err(_) => return Ok(false),
    };
    let stream = match &loaded.object {
        Object::Stream(stream) => stream,
        // One that a writer left behind when it encrypted the file anew.
        Object::Dict(dict) if is_standard(dict) => return Ok(false),
        _ => return Ok(key.object(reference, loaded.object).is_err()),
    };
    let cipher = file.filters(stream).and_then(|filters| key.cipher_of(stream, &filters));
    let fits = match cipher {
        Err(error @ (PdfError::OverLimit { .. } | PdfError::Unread(_))) => return Err(error),
        Err(_) => false,
        Ok(None) => key.cipher.is_none() || is_metadata(file, stream),
        Ok(Some(cipher)) => file.stored_at(stream).map_or(true, |range| cipher.fits(range.len())),
    };
    Ok(!fits || key.object(reference, loaded.object.clone()).is_err())
}

/// What the file may leave plain (table 21, /EncryptMetadata): XML, which is no content for any page.
fn is_metadata(file: &File<'_>, stream: &Stream) -> bool {
    let data = file.unpacked(stream).unwrap_or_default();
    let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&data).trim_ascii_start();
    stream.dict.is(b"Type", b"Metadata") && text.starts_with(b"<")
}
