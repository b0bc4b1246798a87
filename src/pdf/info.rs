//! What a PDF says of itself in its information dictionary (ISO 32000-1 §14.3.3), as the first signature covers it.

use super::file::File;
use super::object::{Object, text};
use super::signatures::Signature;
use crate::limits;

/// Names and values, those of `Keywords` that read `NAME=value` among them. Read in the state that was signed first: what was
/// put in later is not the signer's. What cannot be read is left out, since nothing rests on it.
pub(super) fn said(file: &File<'_>, signatures: &[Signature]) -> Vec<(String, String)> {
    let signed = signatures.iter().filter_map(|signature| signature.signed_length).min();
    let earlier = signed.and_then(|end| file.earlier(end).ok().flatten());
    let file = earlier.as_ref().unwrap_or(file);
    let Ok(Some(info)) = file.get_dict(file.trailer(), b"Info") else { return vec![] };
    let mut said = vec![];
    for entry in info.entries().iter().take(limits::METADATA_ELEMENTS) {
        let Ok(Object::String(bytes)) = file.resolve(&entry.value) else { continue };
        // UTF-16 takes two bytes a character; the keywords hold the whole set.
        let value = text(bytes.get(..limits::METADATA_VALUE * 32).unwrap_or(&bytes));
        match entry.key.as_ref() {
            b"Keywords" => keywords(&value, &mut said),
            key => said.push((String::from_utf8_lossy(key).into_owned(), bounded(&value))),
        }
    }
    said.truncate(limits::METADATA_ELEMENTS);
    said
}

/// `A=1, B=2`: a comma within a value is followed by no name.
fn keywords(text: &str, said: &mut Vec<(String, String)>) {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    for piece in text.split(", ") {
        match piece.split_once('=').filter(|(name, _)| is_name(name)) {
            Some((name, value)) => said.push((name.to_owned(), bounded(value))),
            None => {
                if let Some((_, last)) = said.last_mut() {
                    *last = bounded(&format!("{last}, {piece}"));
                }
            }
        }
        if said.len() > limits::METADATA_ELEMENTS {
            return;
        }
    }
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(limits::METADATA_VALUE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_names_and_values() {
        let mut said = vec![];
        keywords("loose words, ZZBS=1.2.156, CZZT=甲, 乙=丙, KZ_JZJBH=7", &mut said);
        let expected = [("ZZBS", "1.2.156"), ("CZZT", "甲, 乙=丙"), ("KZ_JZJBH", "7")];
        assert_eq!(said, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
