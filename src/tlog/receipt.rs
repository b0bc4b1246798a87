//! A leaf's proof that needs nobody (C2SP tlog-proof): where it stands, the way to the root, and the head that witnesses saw.

use super::checkpoint::{Checkpoint, Cosigned, cosigned};
use super::note::{Note, VerifierKey};
use super::tree::{Hash, check_inclusion};
use super::{LogFault, base64, decimal, unbase64};
use crate::limits;

/// The first line.
const FIRST: &str = "c2sp.org/tlog-proof@v1";

/// A proof as read, nothing checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What opens the leaf; not authenticated by the format itself, so it counts only once it hashes to the leaf.
    pub extra: Vec<u8>,
    /// The leaf's place, from 0.
    pub index: u64,
    /// From its sibling up to below the root.
    pub proof: Vec<Hash>,
    /// The log's head with all signatures.
    pub head: Note,
}

/// What a receipt proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The log's name.
    pub origin: String,
    /// The leaf's place.
    pub index: u64,
    /// Leaves of the tree that it was proven in.
    pub size: u64,
    /// Who saw that tree.
    pub witnesses: Vec<Cosigned>,
}

/// A head whose signatures held: the log's, and all that known witnesses put under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    checkpoint: Checkpoint,
    witnesses: Vec<Cosigned>,
}

impl Head {
    /// Opens a note as the head of this log.
    ///
    /// # Errors
    /// It is not the log's, or a witness's line does not hold.
    pub fn open(note: &Note, log: &VerifierKey, witnesses: &[VerifierKey]) -> Result<Self, LogFault> {
        Ok(Self { checkpoint: Checkpoint::open(note, log)?, witnesses: cosigned(note, witnesses)? })
    }
}

impl Receipt {
    /// Reads the text.
    ///
    /// # Errors
    /// [`LogFault::Malformed`] or [`LogFault::TooLong`].
    pub fn read(text: &[u8]) -> Result<Self, LogFault> {
        if text.len() > limits::LOG_RECEIPT_BYTES {
            return Err(LogFault::TooLong("proof"));
        }
        let wrong = LogFault::Malformed("proof");
        let text = std::str::from_utf8(text).map_err(|_| wrong)?;
        let (above, head) = text.split_once("\n\n").ok_or(wrong)?;
        let mut lines = above.split('\n').peekable();
        if lines.next() != Some(FIRST) {
            return Err(wrong);
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => unbase64(line.strip_prefix("extra ").unwrap_or_default(), "extra")?,
            None => Vec::new(),
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(wrong)?;
        let index = decimal(index, "index")?;
        let proof = lines.map(|line| Hash::read_line(line, "proof")).collect::<Result<Vec<_>, _>>()?;
        // A tree of 2^64 leaves has paths of 64 hashes.
        if proof.len() > 64 {
            return Err(LogFault::TooLong("proof"));
        }
        Ok(Self { extra, index, proof, head: Note::read(head.as_bytes())? })
    }

    /// Whether the leaf is in the log whose key this is, and which of these witnesses saw its head.
    ///
    /// # Errors
    /// The head is not the log's, a witness's line does not hold, or the way does not lead to the root.
    pub fn check(&self, leaf: &Hash, log: &VerifierKey, witnesses: &[VerifierKey]) -> Result<Logged, LogFault> {
        self.check_under(leaf, |head| Head::open(head, log, witnesses))
    }

    /// As [`Self::check`], for whoever may have opened that head before.
    ///
    /// # Errors
    /// Those of `open`, or the way does not lead to the root.
    pub fn check_under(
        &self,
        leaf: &Hash,
        open: impl FnOnce(&Note) -> Result<Head, LogFault>,
    ) -> Result<Logged, LogFault> {
        let Head { checkpoint, witnesses } = open(&self.head)?;
        check_inclusion(leaf, self.index, checkpoint.size, &checkpoint.root, &self.proof)?;
        Ok(Logged { origin: checkpoint.origin, index: self.index, size: checkpoint.size, witnesses })
    }
}

impl std::fmt::Display for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{FIRST}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", base64(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.head)
    }
}
