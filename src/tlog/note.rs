//! Text signed by several keys (C2SP signed-note). Nothing of a note is given out before a signature of a known key held.

use std::fmt;

use ring::signature::{ED25519, UnparsedPublicKey};

use super::{LogFault, base64, unbase64};
use crate::limits;

/// What a key signs (C2SP signed-note, "Signature types").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ed25519 over the text: logs sign so.
    Ed25519,
    /// Ed25519 over the text and a time (C2SP tlog-cosignature): witnesses sign so.
    Cosignature,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Cosignature => 0x04,
        }
    }
}

/// A key that is known by name: what settings and policies hold.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: Kind,
    public_key: [u8; 32],
}

impl VerifierKey {
    /// A key under this name.
    ///
    /// # Errors
    /// [`LogFault::Malformed`] where the name has spaces or a plus sign, or is empty.
    pub fn new(name: &str, kind: Kind, public_key: [u8; 32]) -> Result<Self, LogFault> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), kind, public_key })
    }

    /// Reads `name+id+key`, as people exchange keys.
    ///
    /// # Errors
    /// [`LogFault::Malformed`], also where the identifier is not this key's.
    pub fn read(text: &str) -> Result<Self, LogFault> {
        let wrong = LogFault::Malformed("verifier key");
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(wrong) };
        let key = unbase64(key, "verifier key")?;
        let (kind, key) = key.split_first().ok_or(wrong)?;
        let kind = [Kind::Ed25519, Kind::Cosignature].into_iter().find(|k| k.byte() == *kind).ok_or(wrong)?;
        let own = Self::new(name, kind, key.try_into().map_err(|_| wrong)?)?;
        if id.len() == 8 && u32::from_str_radix(id, 16).is_ok_and(|id| id == own.id()) { Ok(own) } else { Err(wrong) }
    }

    /// The name that signature lines carry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The 32 bytes of RFC 8032.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// First four bytes of SHA-256 over name, kind and key; tells keys apart, proves nothing.
    pub fn id(&self) -> u32 {
        let text = [self.name.as_bytes(), b"\n", &[self.kind.byte()], &self.public_key].concat();
        let digest = crate::crypto::sha256(&text);
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    }

    /// Whether `value` is this key's over `message`.
    pub(super) fn verifies(&self, message: &[u8], value: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public_key).verify(message, value).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind.byte()], self.public_key.as_slice()].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.id(), base64(&key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub name: String,
    pub id: u32,
    /// What stands behind the identifier.
    pub value: Vec<u8>,
}

impl Line {
    /// A key's line with this value.
    pub fn of(key: &VerifierKey, value: Vec<u8>) -> Self {
        Self { name: key.name.clone(), id: key.id(), value }
    }

    /// Reads one line without its newline.
    ///
    /// # Errors
    /// [`LogFault::Malformed`].
    pub fn read(line: &str) -> Result<Self, LogFault> {
        let wrong = LogFault::Malformed("signature line");
        let (name, value) = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')).ok_or(wrong)?;
        check_name(name)?;
        let value = unbase64(value, "signature line")?;
        let (id, value) = value.split_first_chunk::<4>().filter(|(_, value)| !value.is_empty()).ok_or(wrong)?;
        Ok(Self { name: name.to_owned(), id: u32::from_be_bytes(*id), value: value.to_vec() })
    }

    /// Whether this line says that it is of that key.
    pub fn is_of(&self, key: &VerifierKey) -> bool {
        self.name == key.name && self.id == key.id()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = [self.id.to_be_bytes().as_slice(), &self.value].concat();
        writeln!(f, "\u{2014} {} {}", self.name, base64(&value))
    }
}

/// A note as read: text and signature lines, nothing checked. What it says may be looked at by whoever has checked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    lines: Vec<Line>,
}

impl Note {
    /// A note without signatures. The text ends with a newline and holds no other control character.
    ///
    /// # Errors
    /// [`LogFault::Malformed`].
    pub fn new(text: String) -> Result<Self, LogFault> {
        let plain = text.ends_with('\n') && !text.chars().any(|c| c.is_ascii_control() && c != '\n');
        if plain { Ok(Self { text, lines: Vec::new() }) } else { Err(LogFault::Malformed("note")) }
    }

    /// Reads a signed note.
    ///
    /// # Errors
    /// [`LogFault::Malformed`] or [`LogFault::TooLong`].
    pub fn read(note: &[u8]) -> Result<Self, LogFault> {
        if note.len() > limits::LOG_NOTE_BYTES {
            return Err(LogFault::TooLong("note"));
        }
        let wrong = LogFault::Malformed("note");
        let note = std::str::from_utf8(note).map_err(|_| wrong)?;
        // The last empty line parts text and signatures.
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(wrong)?;
        let mut read = Self::new(format!("{text}\n"))?;
        for line in signatures.strip_suffix('\n').ok_or(wrong)?.split('\n') {
            if read.lines.len() == limits::LOG_NOTE_SIGNATURES {
                return Err(LogFault::TooLong("signatures"));
            }
            read.lines.push(Line::read(line)?);
        }
        Ok(read)
    }

    /// The text, with its last newline: what keys of [`Kind::Ed25519`] sign.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, as they stand.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The same text with those of its lines that are wanted.
    pub fn with_lines(&self, wanted: impl Fn(&Line) -> bool) -> Self {
        Self { text: self.text.clone(), lines: self.lines.iter().filter(|line| wanted(line)).cloned().collect() }
    }

    /// Puts a signature line under it, unless the same key's is there.
    pub fn sign(&mut self, line: Line) {
        if !self.lines.iter().any(|l| l.name == line.name && l.id == line.id) {
            self.lines.push(line);
        }
    }

    /// Whether a key of [`Kind::Ed25519`] signed it. One line of the key that does not hold spoils the note: somebody
    /// meddled with it.
    ///
    /// # Errors
    /// [`LogFault::Unsigned`].
    pub fn check(&self, key: &VerifierKey) -> Result<(), LogFault> {
        let mut lines = self.lines.iter().filter(|line| line.is_of(key)).peekable();
        let signed = key.kind == Kind::Ed25519 && lines.peek().is_some();
        if signed && lines.all(|line| key.verifies(self.text.as_bytes(), &line.value)) {
            Ok(())
        } else {
            Err(LogFault::Unsigned)
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.lines.iter().try_for_each(|line| write!(f, "{line}"))
    }
}

/// Key names have no Unicode spaces and no plus sign, and are not empty.
fn check_name(name: &str) -> Result<(), LogFault> {
    let plain = !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+');
    if plain { Ok(()) } else { Err(LogFault::Malformed("key name")) }
}
