//! What a PDF is made of (ISO 32000-1 §7.3): cheap to clone, compared by meaning, and every dictionary value knows
//! where its bytes stand, because sealing edits bytes and judging points at them.

use std::ops::Range;
use std::rc::Rc;

/// A reference to an indirect object (§7.3.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ref {
    pub number: u32,
    pub generation: u16,
}

/// One object. Containers are shared, so a clone costs a counter.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    Null,
    Bool(bool),
    Int(i64),
    Real(f64),
    /// Decoded (`#41` is `A`), without the solidus.
    Name(Rc<[u8]>),
    /// Decoded, literal and hexadecimal alike.
    String(Rc<[u8]>),
    Array(Rc<[Object]>),
    Dict(Dict),
    Stream(Stream),
    Ref(Ref),
}

/// A dictionary in the order it was written, duplicates included.
#[derive(Debug, Clone)]
pub struct Dict {
    entries: Rc<[DictEntry]>,
}

/// One key with its value and the bytes of the value.
#[derive(Debug, Clone)]
pub struct DictEntry {
    pub key: Rc<[u8]>,
    pub value: Object,
    /// Where the value stands in the buffer it was read from (the file, or an unpacked object stream).
    pub span: Range<usize>,
}

/// A stream's dictionary and where its data begins; the length is looked up only when the data is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    pub dict: Dict,
    /// The object that it is.
    pub of: Ref,
    /// Offset of the first data byte in the file.
    pub start: usize,
}

impl Dict {
    pub(super) fn new(entries: Vec<DictEntry>) -> Self {
        Self { entries: entries.into() }
    }

    /// A dictionary with nothing in it, for one that is missing.
    pub fn empty() -> Self {
        Self::new(Vec::new())
    }

    /// The value of `key`; the last one where a key is written twice, as most viewers read it.
    pub fn get(&self, key: &[u8]) -> Option<&Object> {
        self.entry(key).map(|e| &e.value)
    }

    /// The entry of `key` with the place of its value.
    pub fn entry(&self, key: &[u8]) -> Option<&DictEntry> {
        self.entries.iter().rev().find(|e| &*e.key == key)
    }

    /// All entries as written.
    pub fn entries(&self) -> &[DictEntry] {
        &self.entries
    }

    /// A key that is written twice: readers disagree on which one counts.
    pub fn doubled(&self) -> Option<&[u8]> {
        let mut keys: Vec<&[u8]> = self.entries.iter().map(|e| &*e.key).collect();
        keys.sort_unstable();
        keys.windows(2).find_map(|w| match w {
            [a, b] if a == b => Some(*a),
            _ => None,
        })
    }

    /// Whether a key is written twice with two values, so that what it says depends on the reader.
    pub fn is_ambiguous(&self) -> bool {
        let differ = |a: &DictEntry, b: &DictEntry| a.key == b.key && a.value != b.value;
        if self.entries.len() > 16 {
            return self.doubled().is_some_and(|key| {
                let mut of_key = self.entries.iter().filter(|e| &*e.key == key);
                of_key.next().is_some_and(|first| of_key.any(|e| e.value != first.value))
            });
        }
        let mut rest: &[DictEntry] = &self.entries;
        while let Some((first, others)) = rest.split_first() {
            if others.iter().any(|e| differ(first, e)) {
                return true;
            }
            rest = others;
        }
        false
    }

    /// Whether `key` holds the name `name`.
    pub fn is(&self, key: &[u8], name: &[u8]) -> bool {
        self.get(key).and_then(Object::name) == Some(name)
    }
}

/// Equal when they say the same, in whatever order.
impl PartialEq for Dict {
    fn eq(&self, other: &Self) -> bool {
        fn sorted(dict: &Dict) -> Vec<&DictEntry> {
            let mut entries: Vec<_> = dict.entries.iter().collect();
            entries.sort_by(|a, b| a.key.cmp(&b.key));
            entries
        }
        self.entries.len() == other.entries.len()
            && (Rc::ptr_eq(&self.entries, &other.entries)
                || sorted(self).iter().zip(sorted(other)).all(|(a, b)| a.key == b.key && a.value == b.value))
    }
}

impl Object {
    pub fn name(&self) -> Option<&[u8]> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }

    pub fn string(&self) -> Option<&[u8]> {
        match self {
            Self::String(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// A number that must count something: not negative, fits this machine.
    pub fn count(&self) -> Option<usize> {
        self.int().and_then(|n| usize::try_from(n).ok())
    }

    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(n) => Some(*n as f64),
            Self::Real(x) => Some(*x),
            _ => None,
        }
    }

    pub fn array(&self) -> Option<&[Object]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The dictionary, of a stream too.
    pub fn dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(dict) => Some(dict),
            Self::Stream(stream) => Some(&stream.dict),
            _ => None,
        }
    }

    pub fn reference(&self) -> Option<Ref> {
        match self {
            Self::Ref(r) => Some(*r),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// A text string as people read it (§7.9.2.2): UTF-16BE or UTF-8 by its mark, otherwise taken as Latin-1, which
/// PDFDocEncoding agrees with in all the letters.
pub fn text(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, rest @ ..] => {
            let units = rest.chunks_exact(2).map(|c| match c {
                [hi, lo] => u16::from_be_bytes([*hi, *lo]),
                _ => 0xfffd,
            });
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        plain => plain.iter().map(|&b| char::from(b)).collect(),
    }
}
