//! A tree head as a signed note (C2SP tlog-checkpoint), and the statements of witnesses on it (C2SP tlog-cosignature).

use std::fmt;

use super::note::{Kind, Line, Note, VerifierKey};
use super::tree::Hash;
use super::{LogFault, decimal};
use crate::limits;

/// What a log says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Its leaves.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// Lines of meaning unknown here; ours has none.
    extensions: Vec<String>,
}

impl Checkpoint {
    /// A head of the log `origin`.
    pub fn new(origin: &str, size: u64, root: Hash) -> Self {
        Self { origin: origin.to_owned(), size, root, extensions: Vec::new() }
    }

    /// Reads a note's text. Only of use once the note is checked.
    ///
    /// # Errors
    /// [`LogFault::Malformed`].
    pub fn read(text: &str) -> Result<Self, LogFault> {
        let wrong = LogFault::Malformed("checkpoint");
        let mut lines = text.strip_suffix('\n').ok_or(wrong)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(wrong);
        };
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if origin.is_empty() || extensions.iter().any(String::is_empty) {
            return Err(wrong);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size: decimal(size, "tree size")?,
            root: Hash::read_line(root, "root hash")?,
            extensions,
        })
    }

    /// Opens a note that must be the log's own: its key's signature holds, and it is about the log of that name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(note: &Note, log: &VerifierKey) -> Result<Self, LogFault> {
        note.check(log)?;
        let head = Self::read(note.text())?;
        if head.origin == log.name() { Ok(head) } else { Err(LogFault::OtherLog) }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// What a witness signs at `seconds` since 1970 (UTC): a line that tells it from all other messages, the time, and the whole text.
pub fn cosigned_message(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

/// The line under a note that holds such a signature.
pub fn cosignature(witness: &VerifierKey, seconds: u64, signature: &[u8; 64]) -> Line {
    Line::of(witness, [seconds.to_be_bytes().as_slice(), signature].concat())
}

/// A cosignature that held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The witness.
    pub name: String,
    /// When, seconds since 1970 (UTC).
    pub seconds: u64,
}

/// The witnesses, each named once, whose cosignature stands under the note and holds. Unknown lines are passed over.
///
/// # Errors
/// [`LogFault::Unsigned`] where a known witness's line does not hold.
pub fn cosigned(note: &Note, witnesses: &[VerifierKey]) -> Result<Vec<Cosigned>, LogFault> {
    let mut held: Vec<Cosigned> = Vec::new();
    for line in note.lines() {
        let Some(witness) = witnesses.iter().find(|w| w.kind() == Kind::Cosignature && line.is_of(w)) else { continue };
        let (time, signature) = line.value.split_first_chunk::<8>().ok_or(LogFault::Unsigned)?;
        let seconds = u64::from_be_bytes(*time);
        if seconds > limits::LOG_LAST_SECOND
            || !witness.verifies(cosigned_message(seconds, note.text()).as_bytes(), signature)
        {
            return Err(LogFault::Unsigned);
        }
        // Two names for one key are one witness.
        let same =
            |c: &Cosigned| witnesses.iter().any(|w| w.name() == c.name && w.public_key() == witness.public_key());
        if !held.iter().any(same) {
            held.push(Cosigned { name: witness.name().to_owned(), seconds });
        }
    }
    Ok(held)
}
