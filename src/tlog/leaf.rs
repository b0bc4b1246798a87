//! What our leaves say in public, and what opens the rest.
//!
//! A leaf names its kind, its moment and the seal; everything else is behind a commitment: SHA-256 of an opening that holds
//! the facts and 32 random bytes, so that nobody can guess a holder or a document from the log. Both are lines of text,
//! each written in exactly one way; the first line names the version, and another version is another format.

use std::fmt;

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::tree::{Hash, leaf_hash};
use super::{LogFault, base64, unbase64};
use crate::limits;

const LEAF: &str = "yinxin-leaf/v1";
const OPENING: &str = "yinxin-opening/v1";
/// Stands where a leaf concerns no seal.
const NO_SEAL: &str = "-";

/// What is entered in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matter {
    /// A use of a seal, before the key is touched.
    Order,
    /// A seal's life: made, activated, suspended, resumed, abolished, custody.
    Seal,
    /// A licence's life without a document of its own: cancelled, withdrawn, revoked.
    Licence,
    /// Leave given to an officer or taken back.
    Grant,
    /// The certificate authorities' doings.
    Authority,
    /// The head of the chain of audit events.
    Audit,
    /// What the register says of all seals: a snapshot.
    Register,
}

impl Matter {
    const ALL: [Self; 7] =
        [Self::Order, Self::Seal, Self::Licence, Self::Grant, Self::Authority, Self::Audit, Self::Register];

    /// As written in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Seal => "seal",
            Self::Licence => "licence",
            Self::Grant => "grant",
            Self::Authority => "authority",
            Self::Audit => "audit",
            Self::Register => "register",
        }
    }
}

/// The public part of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    pub matter: Matter,
    /// Which of its kind, one word: `licence`, `abolished`, `taken-back`.
    pub act: String,
    /// To the microsecond, UTC.
    pub at: OffsetDateTime,
    /// The seal's number.
    pub seal: Option<String>,
    /// SHA-256 of the opening's text.
    pub commitment: Hash,
}

impl Leaf {
    /// Reads a leaf's bytes. What is read is written back as the very same bytes.
    ///
    /// # Errors
    /// [`LogFault::Malformed`] or [`LogFault::TooLong`].
    pub fn read(bytes: &[u8]) -> Result<Self, LogFault> {
        let wrong = LogFault::Malformed("leaf");
        if bytes.len() > limits::LOG_LEAF_BYTES {
            return Err(LogFault::TooLong("leaf"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| wrong)?;
        let mut lines = text.strip_prefix(LEAF).and_then(|rest| rest.strip_prefix('\n')).ok_or(wrong)?.split('\n');
        let mut line = |key: &str| {
            lines.next().and_then(|line| line.strip_prefix(key)).and_then(|l| l.strip_prefix(' ')).ok_or(wrong)
        };
        let (matter, act) = line("matter")?.split_once(' ').ok_or(wrong)?;
        let leaf = Self {
            matter: Matter::ALL.into_iter().find(|known| known.as_str() == matter).ok_or(wrong)?,
            act: act.to_owned(),
            at: OffsetDateTime::parse(line("time")?, &Rfc3339).map_err(|_| wrong)?,
            seal: Some(line("seal")?).filter(|seal| *seal != NO_SEAL).map(str::to_owned),
            commitment: Hash::read_line(line("commitment")?, "commitment")?,
        };
        let plain = is_word(&leaf.act)
            && leaf
                .seal
                .as_ref()
                .is_none_or(|seal| !seal.is_empty() && seal.bytes().all(|b| b.is_ascii_alphanumeric()));
        if plain && leaf.to_string().as_bytes() == bytes { Ok(leaf) } else { Err(wrong) }
    }

    /// Its hash in the tree.
    pub fn hash(&self) -> Hash {
        leaf_hash(self.to_string().as_bytes())
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
        let at = self.at.to_offset(UtcOffset::UTC).format(micros).map_err(|_| fmt::Error)?;
        writeln!(f, "{LEAF}")?;
        writeln!(f, "matter {} {}", self.matter.as_str(), self.act)?;
        writeln!(f, "time {at}")?;
        writeln!(f, "seal {}", self.seal.as_deref().unwrap_or(NO_SEAL))?;
        writeln!(f, "commitment {}", self.commitment)
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

/// What a leaf keeps to itself: facts in the order in which they were written, and the salt.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    salt: [u8; 32],
    facts: Vec<(String, String)>,
}

impl Opening {
    /// Of these facts. Keys are words of small letters, each once; values are single lines.
    ///
    /// # Errors
    /// [`LogFault::Malformed`] or [`LogFault::TooLong`].
    pub fn new<'a>(salt: [u8; 32], facts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, LogFault> {
        let mut own = Self { salt, facts: Vec::new() };
        for (key, value) in facts {
            let plain = is_word(key) && !value.is_empty() && !value.chars().any(char::is_control);
            if !plain || key == "salt" || own.fact(key).is_some() {
                return Err(LogFault::Malformed("opening"));
            }
            own.facts.push((key.to_owned(), value.to_owned()));
        }
        if own.to_string().len() > limits::LOG_OPENING_BYTES { Err(LogFault::TooLong("opening")) } else { Ok(own) }
    }

    /// Reads an opening's bytes; what is read is written back as the very same bytes.
    ///
    /// # Errors
    /// [`LogFault::Malformed`] or [`LogFault::TooLong`].
    pub fn read(bytes: &[u8]) -> Result<Self, LogFault> {
        let wrong = LogFault::Malformed("opening");
        if bytes.len() > limits::LOG_OPENING_BYTES {
            return Err(LogFault::TooLong("opening"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| wrong)?;
        let mut lines =
            text.strip_suffix('\n').ok_or(wrong)?.split('\n').map(|line| line.split_once(' ').unwrap_or((line, "")));
        if lines.next() != Some((OPENING, "")) {
            return Err(wrong);
        }
        let salt =
            lines.next().filter(|(key, _)| *key == "salt").map(|(_, salt)| unbase64(salt, "salt")).ok_or(wrong)??;
        let own = Self::new(salt.try_into().map_err(|_| wrong)?, lines)?;
        if own.to_string().as_bytes() == bytes { Ok(own) } else { Err(wrong) }
    }

    /// A fact by its key.
    pub fn fact(&self, key: &str) -> Option<&str> {
        self.facts.iter().find(|(own, _)| own == key).map(|(_, value)| value.as_str())
    }

    /// What the leaf says of it.
    pub fn commitment(&self) -> Hash {
        Hash(crate::crypto::sha256(self.to_string().as_bytes()))
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{OPENING}\nsalt {}", base64(&self.salt))?;
        self.facts.iter().try_for_each(|(key, value)| writeln!(f, "{key} {value}"))
    }
}

impl fmt::Debug for Opening {
    /// Without salt and facts: they name people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("commitment", &self.commitment()).finish_non_exhaustive()
    }
}

/// A leaf with what opens it: what a receipt carries beside the proof, as the one text and then the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub leaf: Leaf,
    pub opening: Opening,
}

impl Entry {
    /// Of a leaf's public part and its opening; the leaf's commitment is made here.
    pub fn new(matter: Matter, act: &str, at: OffsetDateTime, seal: Option<String>, opening: Opening) -> Self {
        Self { leaf: Leaf { matter, act: act.to_owned(), at, seal, commitment: opening.commitment() }, opening }
    }

    /// Reads both texts; the opening must be the leaf's.
    ///
    /// # Errors
    /// [`LogFault::Malformed`] or [`LogFault::TooLong`]; [`LogFault::Unproven`] where the opening is another leaf's.
    pub fn read(bytes: &[u8]) -> Result<Self, LogFault> {
        // A leaf has exactly five lines.
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).nth(4);
        let (leaf, opening) = bytes.split_at(ends.ok_or(LogFault::Malformed("entry"))?);
        let (leaf, opening) = (Leaf::read(leaf)?, Opening::read(opening)?);
        if leaf.commitment == opening.commitment() { Ok(Self { leaf, opening }) } else { Err(LogFault::Unproven) }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.leaf, self.opening)
    }
}
