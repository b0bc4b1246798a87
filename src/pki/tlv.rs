//! Tag, length, value: the frame of every ASN.1 element, read tolerantly and written in one way only.
//!
//! Signatures are made over bytes as they stand, so this reader hands out slices of the original and never re-encodes.
//! It takes BER (X.690 §8: indefinite lengths, lengths longer than needed) because signatures of other people come so;
//! what it writes is DER (X.690 §10). What is inside an element is read by `der` and `x509-cert`.

use std::borrow::Cow;

use crate::limits;

/// Universal and context tags used here, as identifier octets (X.690 §8.1.2).
pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const OBJECT_IDENTIFIER: u8 = 0x06;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;
pub const ENUMERATED: u8 = 0x0A;
pub const UTF8_STRING: u8 = 0x0C;
pub const UTC_TIME: u8 = 0x17;
pub const GENERALIZED_TIME: u8 = 0x18;
/// `[n]` around or instead of a constructed type.
pub const fn context(number: u8) -> u8 {
    0xA0 | number
}
/// `[n]` instead of a primitive type.
pub const fn context_primitive(number: u8) -> u8 {
    0x80 | number
}

/// One element, borrowed from the bytes it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// Identifier octet: class, constructed bit and number (numbers above 30 are refused).
    pub tag: u8,
    /// Everything from the identifier octet to the last content (or end-of-contents) octet.
    pub whole: &'a [u8],
    /// The content octets, without an end-of-contents mark.
    pub content: &'a [u8],
}

/// The bytes are not an ASN.1 element within our limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the ASN.1 element ends too early")]
    Truncated,
    #[error("an ASN.1 length is not valid")]
    Length,
    #[error("an ASN.1 tag is not the expected one")]
    Tag,
    #[error("too many or too deeply nested ASN.1 elements")]
    Limit,
    #[error("bytes follow the ASN.1 element")]
    Trailing,
}

impl<'a> Element<'a> {
    /// Reads one element from the front; gives it and the rest.
    pub fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Fault> {
        Self::read_nested(bytes, 0)
    }

    /// Reads one element that must fill `bytes`.
    pub fn read_all(bytes: &'a [u8]) -> Result<Self, Fault> {
        match Self::read(bytes)? {
            (element, []) => Ok(element),
            _ => Err(Fault::Trailing),
        }
    }

    /// This element, if it has that tag.
    pub fn expect(self, tag: u8) -> Result<Self, Fault> {
        if self.tag == tag { Ok(self) } else { Err(Fault::Tag) }
    }

    /// The elements directly inside.
    pub fn children(&self) -> Result<Vec<Element<'a>>, Fault> {
        if self.tag & 0x20 == 0 {
            return Err(Fault::Tag);
        }
        let mut children = Vec::new();
        let mut rest = self.content;
        while !rest.is_empty() {
            if children.len() == limits::BER_CHILDREN {
                return Err(Fault::Limit);
            }
            let (child, after) = Self::read(rest)?;
            children.push(child);
            rest = after;
        }
        Ok(children)
    }

    /// The octets of a string; BER may cut an OCTET STRING into pieces (X.690 §8.7.3).
    pub fn octets(&self) -> Result<Cow<'a, [u8]>, Fault> {
        if self.tag & 0x20 == 0 {
            return Ok(Cow::Borrowed(self.content));
        }
        let mut joined = Vec::new();
        self.join(&mut joined, 0)?;
        Ok(Cow::Owned(joined))
    }

    fn join(&self, into: &mut Vec<u8>, depth: usize) -> Result<(), Fault> {
        if depth > limits::BER_DEPTH {
            return Err(Fault::Limit);
        }
        let mut rest = self.content;
        while !rest.is_empty() {
            let (piece, after) = Self::read(rest)?;
            match piece.tag {
                OCTET_STRING => into.extend_from_slice(piece.content),
                0x24 => piece.join(into, depth + 1)?,
                _ => return Err(Fault::Tag),
            }
            rest = after;
        }
        Ok(())
    }

    fn read_nested(bytes: &'a [u8], depth: usize) -> Result<(Self, &'a [u8]), Fault> {
        if depth > limits::BER_DEPTH {
            return Err(Fault::Limit);
        }
        let (&tag, after_tag) = bytes.split_first().ok_or(Fault::Truncated)?;
        if tag & 0x1F == 0x1F {
            return Err(Fault::Tag);
        }
        let (&first, after_first) = after_tag.split_first().ok_or(Fault::Truncated)?;
        let (length, body) = match first {
            0x80 => return Self::read_indefinite(tag, bytes, after_first, depth),
            0..0x80 => (usize::from(first), after_first),
            // X.690 §8.1.3.5; more than four octets would be beyond any file we take.
            _ => {
                let (octets, body) = after_first.split_at_checked(usize::from(first & 0x7F)).ok_or(Fault::Truncated)?;
                let significant = octets.iter().position(|&octet| octet != 0).unwrap_or(octets.len());
                let octets = octets.get(significant..).unwrap_or_default();
                if octets.len() > 4 {
                    return Err(Fault::Length);
                }
                (octets.iter().fold(0usize, |sum, &octet| sum << 8 | usize::from(octet)), body)
            }
        };
        let (content, rest) = body.split_at_checked(length).ok_or(Fault::Truncated)?;
        let (whole, _) = bytes.split_at(bytes.len() - rest.len());
        Ok((Self { tag, whole, content }, rest))
    }

    fn read_indefinite(tag: u8, bytes: &'a [u8], body: &'a [u8], depth: usize) -> Result<(Self, &'a [u8]), Fault> {
        // X.690 §8.1.3.2: only a constructed element may end by a mark.
        if tag & 0x20 == 0 {
            return Err(Fault::Length);
        }
        let mut rest = body;
        loop {
            if let Some(after) = rest.strip_prefix(&[0, 0]) {
                let (content, _) = body.split_at(body.len() - rest.len());
                let (whole, _) = bytes.split_at(bytes.len() - after.len());
                return Ok((Self { tag, whole, content }, after));
            }
            (_, rest) = Self::read_nested(rest, depth + 1)?;
        }
    }
}

/// Where `part`, a slice of `whole`, stands in it; None where it is not a slice of it.
pub fn range_in(whole: &[u8], part: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

// — writing

/// An element with this tag around these pieces, in DER.
pub fn wrap(tag: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let skipped = length.leading_zeros() as usize / 8;
        out.push(0x80 | (octets.len() - skipped) as u8);
        out.extend(octets.iter().skip(skipped));
    }
    for piece in pieces {
        out.extend_from_slice(piece);
    }
    out
}

/// A SET OF in DER: the members in ascending order of their encodings (X.690 §11.6).
pub fn set_of(tag: u8, mut members: Vec<Vec<u8>>) -> Vec<u8> {
    members.sort();
    wrap(tag, &members.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// An OBJECT IDENTIFIER.
pub fn object_identifier(oid: der::asn1::ObjectIdentifier) -> Vec<u8> {
    wrap(OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

/// A non-negative INTEGER from big-endian octets, in its shortest form (X.690 §8.3.2).
pub fn unsigned_integer(octets: &[u8]) -> Vec<u8> {
    let significant = octets.iter().position(|&octet| octet != 0).unwrap_or(octets.len());
    match octets.get(significant..).unwrap_or_default() {
        [] => wrap(INTEGER, &[&[0]]),
        octets @ [0x80..=0xFF, ..] => wrap(INTEGER, &[&[0], octets]),
        octets => wrap(INTEGER, &[octets]),
    }
}

/// A BIT STRING of whole octets.
pub fn bit_string(octets: &[u8]) -> Vec<u8> {
    wrap(BIT_STRING, &[&[0], octets])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for length in [0usize, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let written = wrap(OCTET_STRING, &[&content]);
            let read = Element::read_all(&written).unwrap();
            assert_eq!((read.tag, read.content, read.whole), (OCTET_STRING, &content[..], &written[..]));
            // `der` is the other judge of the same bytes.
            let other = <der::asn1::OctetString as der::Decode>::from_der(&written).unwrap();
            assert_eq!(other.as_bytes(), content);
        }
    }

    #[test]
    fn takes_indefinite_lengths_and_strings_in_pieces() {
        let ber = hex::decode("24800402616204026364000030").unwrap();
        let (element, rest) = Element::read(&ber).unwrap();
        assert_eq!(element.octets().unwrap().as_ref(), b"abcd");
        assert_eq!(rest, [0x30]);
        assert_eq!(element.whole.len(), ber.len() - 1);
        // A length written longer than needed.
        assert_eq!(Element::read_all(&[0x04, 0x84, 0, 0, 0, 1, 9]).unwrap().content, [9]);
    }

    #[test]
    fn refuses_what_is_not_an_element() {
        assert_eq!(Element::read_all(&[]), Err(Fault::Truncated));
        assert_eq!(Element::read_all(&[0x30, 0x05, 0]), Err(Fault::Truncated));
        assert_eq!(Element::read_all(&[0x04, 0x80, 0, 0]), Err(Fault::Length));
        assert_eq!(Element::read_all(&[0x04, 0x88, 1, 0, 0, 0, 0, 0, 0, 0]), Err(Fault::Length));
        assert_eq!(Element::read_all(&[0x05, 0, 0]), Err(Fault::Trailing));
        assert_eq!(Element::read_all(&[0x1F, 0x81, 0x00]), Err(Fault::Tag));
        let deep: Vec<u8> = [0x30, 0x80].repeat(10_000);
        assert_eq!(Element::read_all(&deep), Err(Fault::Limit));
    }

    #[test]
    fn integers_are_short_and_positive() {
        for (octets, der) in [(&[][..], "020100"), (&[0, 0], "020100"), (&[0, 1], "020101"), (&[0x80], "02020080")] {
            assert_eq!(hex::encode(unsigned_integer(octets)), der);
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok((element, rest)) = Element::read(&bytes) {
                prop_assert_eq!(element.whole.len() + rest.len(), bytes.len());
                let _ = (element.children(), element.octets());
            }
        }
    }
}
