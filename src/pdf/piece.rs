//! Changing what a file says by its own bytes: a dictionary or a list is written anew as it was, with the change spliced
//! in. What is an object of its own stays one; what is written into another object comes back as that object's new value.

use super::PdfError;
use super::file::{File, Loaded};
use super::object::{Dict, DictEntry, Object};
use super::update::Update;
use std::borrow::Cow;
use std::ops::Range;

/// A dictionary together with its own bytes, so that it can be changed without being rewritten.
pub(super) struct Piece<'s> {
    pub raw: Cow<'s, [u8]>,
    /// Where `raw` begins in the buffer that the dictionary's spans speak of.
    base: usize,
    pub dict: &'s Dict,
}

impl<'s> Piece<'s> {
    pub fn of(file: &'s File<'_>, loaded: &'s Loaded) -> Result<Self, PdfError> {
        let broken =
            PdfError::Broken { at: loaded.span.start, what: "an object that must be changed is no dictionary" };
        match &loaded.object {
            Object::Dict(dict) => Ok(Self { raw: file.raw(loaded)?, base: loaded.span.start, dict }),
            _ => Err(broken),
        }
    }

    /// The bytes of a direct value.
    pub fn value(&self, key: &[u8]) -> Option<&[u8]> {
        let span = &self.dict.entry(key)?.span;
        self.raw.get(span.start.checked_sub(self.base)?..span.end.checked_sub(self.base)?)
    }

    /// A dictionary written directly into this one.
    pub fn inner(&self, key: &[u8]) -> Option<Piece<'_>> {
        match self.dict.entry(key)? {
            DictEntry { value: Object::Dict(dict), span, .. } => {
                Some(Piece { raw: self.value(key)?.into(), base: span.start, dict })
            }
            _ => None,
        }
    }

    /// Its bytes with some keys set, everything else as it was.
    pub fn with(&self, keys: &[(&str, Vec<u8>)]) -> Result<Vec<u8>, PdfError> {
        let broken = |what| PdfError::Broken { at: self.base, what };
        if self.dict.doubled().is_some() {
            return Err(broken("a dictionary that must be changed has a key twice"));
        }
        let end = self.raw.len().checked_sub(2).ok_or(broken("a dictionary has no end"))?;
        let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
        for (key, value) in keys {
            match self.dict.entry(key.as_bytes()) {
                Some(DictEntry { span, .. }) => {
                    let span = span.start.checked_sub(self.base).zip(span.end.checked_sub(self.base));
                    let (start, end) = span.ok_or(broken("a value stands outside its dictionary"))?;
                    edits.push((start..end, [b" ", &value[..]].concat()));
                }
                None => edits.push((end..end, [b"/", key.as_bytes(), b" ", value].concat())),
            }
        }
        edits.sort_by_key(|(range, _)| range.start);
        let (mut out, mut from) = (Vec::new(), 0);
        for (range, value) in edits {
            out.extend_from_slice(self.raw.get(from..range.start).unwrap_or_default());
            out.extend_from_slice(&value);
            from = range.end;
        }
        out.extend_from_slice(self.raw.get(from..).unwrap_or_default());
        Ok(out)
    }
}

/// Keys to be set, with their values as written.
pub(super) type Keys<'k> = Vec<(&'k str, Vec<u8>)>;

/// Changes the dictionary under `key`, or begins one where there is none: `change` sees it as it is and says which keys
/// to set. One that is an object of its own is written anew and its owner stays; otherwise the key's new value is given.
pub(super) fn change_below<'k>(
    update: &mut Update<'_, '_>,
    owner: &Piece<'_>,
    key: &str,
    change: impl FnOnce(&mut Update<'_, '_>, &Piece<'_>) -> Result<Keys<'k>, PdfError>,
) -> Result<Option<Vec<u8>>, PdfError> {
    let file = update.file();
    let nothing = Dict::empty();
    let new = Piece { raw: b"<<>>".into(), base: 0, dict: &nothing };
    let apart = match owner.dict.get(key.as_bytes()) {
        Some(Object::Ref(r)) => file.load(*r)?,
        _ => None,
    };
    if let Some(loaded) = apart {
        let piece = Piece::of(file, &loaded)?;
        let keys = change(update, &piece)?;
        if !keys.is_empty() {
            update.write(loaded.reference, &piece.with(&keys)?);
        }
        return Ok(None);
    }
    let piece = owner.inner(key.as_bytes()).unwrap_or(new);
    let keys = change(update, &piece)?;
    if keys.is_empty() { Ok(None) } else { piece.with(&keys).map(Some) }
}

/// The dictionary under `key` as it would be with other keys, to be written directly: what is an object of its own stays
/// as it is for those who share it.
pub(super) fn copy_below<'k>(
    file: &File<'_>,
    owner: &Piece<'_>,
    key: &str,
    change: impl FnOnce(&Piece<'_>) -> Result<Keys<'k>, PdfError>,
) -> Result<Vec<u8>, PdfError> {
    let nothing = Dict::empty();
    let new = Piece { raw: b"<<>>".into(), base: 0, dict: &nothing };
    let apart = match owner.dict.get(key.as_bytes()) {
        Some(Object::Ref(r)) => file.load(*r)?,
        _ => None,
    };
    let piece = match &apart {
        Some(loaded) => Piece::of(file, loaded)?,
        None => owner.inner(key.as_bytes()).unwrap_or(new),
    };
    let keys = change(&piece)?;
    piece.with(&keys)
}

/// The list under `key` with more references before and behind, to be written directly; one thing alone is a list of one.
pub(super) fn enclose(
    file: &File<'_>,
    owner: &Piece<'_>,
    key: &str,
    (before, behind): (&str, &str),
) -> Result<Vec<u8>, PdfError> {
    let apart = match owner.dict.get(key.as_bytes()) {
        Some(Object::Ref(r)) => file.load(*r)?,
        _ => None,
    };
    let list = match (owner.dict.get(key.as_bytes()), &apart) {
        (Some(Object::Array(_)), _) => owner.value(key.as_bytes()).unwrap_or_default().to_vec(),
        (_, Some(loaded)) if matches!(loaded.object, Object::Array(_)) => file.raw(loaded)?.into_owned(),
        (Some(Object::Ref(r)), Some(_)) => format!("[{} {} R]", r.number, r.generation).into_bytes(),
        _ => b"[]".to_vec(),
    };
    let inside = list.strip_prefix(b"[").and_then(|list| list.strip_suffix(b"]"));
    let inside = inside.ok_or(PdfError::Broken { at: 0, what: "a list that must grow is not an array" })?;
    Ok([b"[", before.as_bytes(), b" ", inside, b" ", behind.as_bytes(), b"]"].concat())
}

/// Puts references at the end of the array under `key`, as [`change_below`] does with a dictionary.
pub(super) fn grow(
    update: &mut Update<'_, '_>,
    owner: &Piece<'_>,
    key: &str,
    references: &str,
) -> Result<Option<Vec<u8>>, PdfError> {
    let alone = || Ok(Some(format!("[{references}]").into_bytes()));
    let broken = PdfError::Broken { at: 0, what: "a list that must grow is not an array" };
    match owner.dict.get(key.as_bytes()) {
        None | Some(Object::Null) => alone(),
        Some(Object::Array(_)) => Ok(owner.value(key.as_bytes()).map(|raw| with_items(raw, references))),
        Some(Object::Ref(r)) => match update.file().load(*r)? {
            None => alone(),
            Some(list) => match list.object {
                Object::Array(_) => {
                    let raw = update.file().raw(&list)?.into_owned();
                    update.write(list.reference, &with_items(&raw, references));
                    Ok(None)
                }
                Object::Null => alone(),
                _ => Err(broken),
            },
        },
        Some(_) => Err(broken),
    }
}

/// An array's bytes with more items.
fn with_items(raw: &[u8], items: &str) -> Vec<u8> {
    let inside = raw.strip_suffix(b"]").unwrap_or(raw);
    [inside, b" ", items.as_bytes(), b"]"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdf::lex::Lexer;

    #[test]
    fn splices_keys_and_keeps_the_rest_as_it_was() {
        let raw = b"xx<< /A  1 /B [ 2 ] % c\n>>";
        let dict = Lexer::at(raw, 2).object().unwrap();
        let piece = Piece { raw: raw[2..].into(), base: 2, dict: dict.dict().unwrap() };
        let out = piece.with(&[("B", b"[3]".to_vec()), ("C", b"4".to_vec())]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "<< /A  1 /B  [3] % c\n/C 4>>");
        assert_eq!(with_items(b"[ 1 0 R ]", "2 0 R"), b"[ 1 0 R  2 0 R]");
    }
}
