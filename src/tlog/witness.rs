//! What a log asks of a witness, and when a witness may say yes (C2SP tlog-witness, `add-checkpoint`).

use std::fmt;

use super::checkpoint::Checkpoint;
use super::note::{Note, VerifierKey};
use super::tree::{Hash, check_consistency, empty_root};
use super::{LogFault, decimal};
use crate::limits;

/// A request for a cosignature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the head that the log believes the witness has seen last.
    pub old: u64,
    /// That the new head continues it.
    pub proof: Vec<Hash>,
    /// The new head.
    pub head: Note,
}

impl AddCheckpoint {
    /// Reads a request's body.
    ///
    /// # Errors
    /// [`LogFault::Malformed`] or [`LogFault::TooLong`].
    pub fn read(body: &[u8]) -> Result<Self, LogFault> {
        let wrong = LogFault::Malformed("request");
        if body.len() > limits::LOG_RECEIPT_BYTES {
            return Err(LogFault::TooLong("request"));
        }
        let body = std::str::from_utf8(body).map_err(|_| wrong)?;
        let (above, head) = body.split_once("\n\n").ok_or(wrong)?;
        let mut lines = above.split('\n');
        let old = decimal(lines.next().and_then(|line| line.strip_prefix("old ")).ok_or(wrong)?, "old size")?;
        let proof = lines.map(|line| Hash::read_line(line, "proof")).collect::<Result<Vec<_>, _>>()?;
        if proof.len() > 63 {
            return Err(LogFault::TooLong("proof"));
        }
        Ok(Self { old, proof, head: Note::read(head.as_bytes())? })
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.head)
    }
}

/// The last head that a witness cosigned of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub size: u64,
    pub root: Hash,
}

/// Why a witness says no, with what the specification has it answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// 404: a log that is not known here.
    #[error("the log is not known here")]
    UnknownLog,
    /// 403: not signed by the log's key.
    #[error("the head is not signed by the log")]
    Unsigned,
    /// 400: the old size is larger than the new.
    #[error("the log would grow smaller")]
    Backwards,
    /// 409, with the size that the witness has seen.
    #[error("the witness has seen a head of {0} leaves")]
    Conflict(u64),
    /// 422: the proof does not hold. It may be the trace of a log that shows two faces.
    #[error("the new head does not continue the old one")]
    Inconsistent,
}

/// Whether a witness that has `seen` this may cosign the request's head. The caller stores the new head, in one step with
/// looking at the old one, before it signs.
///
/// # Errors
/// [`Refused`].
pub fn may_cosign(request: &AddCheckpoint, log: &VerifierKey, seen: Option<Seen>) -> Result<Seen, Refused> {
    let head = Checkpoint::open(&request.head, log).map_err(|fault| match fault {
        LogFault::OtherLog => Refused::UnknownLog,
        _ => Refused::Unsigned,
    })?;
    if request.old > head.size {
        return Err(Refused::Backwards);
    }
    let last = seen.map_or(0, |seen| seen.size);
    if request.old != last {
        return Err(Refused::Conflict(last));
    }
    let new = Seen { size: head.size, root: head.root };
    match seen {
        Some(seen) if seen.size == head.size && seen.root != head.root => Err(Refused::Conflict(last)),
        Some(seen) if seen.size > 0 => {
            check_consistency(seen.size, &seen.root, head.size, &head.root, &request.proof)
                .map_err(|_| Refused::Inconsistent)?;
            Ok(new)
        }
        // Any tree continues the empty one, but there is only one empty tree.
        _ if request.proof.is_empty() && (head.size > 0 || head.root == empty_root()) => Ok(new),
        _ => Err(Refused::Inconsistent),
    }
}
