//! What makes it doubtful that every viewer undoes the encryption of a file as we do. Such a file is read all the same, and
//! no signature in it is passed.

use crate::message::Message;
use crate::pdf::file::File;
use crate::pdf::object::Object;
use crate::pdf::xref::Section;

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

/// What keeps a file that is encrypted from being passed, whoever signed it. It is read as most viewers would, but they differ:
/// in which streams they leave plain (Müller, Ising, Mladenov, Mainka, Schinzel, Schwenk: Practical Decryption exFiltration,
/// CCS 2019, on partial encryption), in what they cut off behind the data, in whose key they take where both passwords are
/// empty. So one file can be made to show each of them another page, or a picture over what was signed.
pub(in crate::pdf) fn doubt(file: &File<'_>) -> Option<Message> {
    let sections: Vec<&Section> = file.sections().collect();
    // The hidden half of a hybrid section is a trailer for some readers.
    let hidden = sections.iter().filter_map(|section| section.hidden.as_deref());
    if sections.iter().copied().chain(hidden).all(|section| Terms::of(section).are_none()) {
        return None;
    }
    // What was signed would be read with another key.
    if !agree(&sections) || dictionary_redefined(file) {
        return Some(Message::new(
            "pdf.encryption-changed",
            "文件各次修订的加密设置（Encrypt或ID）不一致，已签名的内容可能被用另一密钥解读",
            "The revisions of the file are encrypted in different ways (/Encrypt or /ID), so what was signed may be read with another key",
        ));
    }
    file.key().map(|_| {
        Message::new(
            "pdf.encrypted-readers-differ",
            "文件已加密（打开时不需口令），不同软件解密的方式不一，可能显示不同内容，因此不判为通过",
            "The file is encrypted, though it opens without a password: viewers decrypt in ways of their own and may show different things, so it is not passed",
        )
    })
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
