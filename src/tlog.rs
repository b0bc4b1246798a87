//! The public log's format: an append-only Merkle tree (RFC 6962 §2) in the C2SP forms, so that any monitor or witness of
//! that world can read ours.
//!
//! | file | what | source |
//! |---|---|---|
//! | [`tree`] | hashes, and the proofs that a leaf is in a tree and that one tree continues another | RFC 6962 §2.1, RFC 9162 §2.1 |
//! | [`tile`] | the tree cut into files that never change | C2SP tlog-tiles |
//! | [`note`] | text signed by several keys | C2SP signed-note |
//! | [`checkpoint`] | a tree head as a note, and what witnesses say of it | C2SP tlog-checkpoint, tlog-cosignature |
//! | [`receipt`] | a leaf's proof that needs nobody | C2SP tlog-proof |
//! | [`witness`] | what a log asks of a witness, and when a witness may say yes | C2SP tlog-witness |
//! | [`leaf`] | what our leaves say in public, and what opens the rest | ours, versioned |
//!
//! Absent: keys, storage, clock. Whoever signs gets the bytes to be signed; whoever stores gets tiles.

pub mod checkpoint;
pub mod leaf;
pub mod note;
pub mod receipt;
pub mod tile;
pub mod trail;
pub mod tree;
pub mod witness;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Why something of a log cannot be read or believed. For programs; the rooms that meet people say it in their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogFault {
    /// Not written as the specification has it; the part.
    #[error("{0} is not written as it must be")]
    Malformed(&'static str),
    /// More or longer than is read here; the part.
    #[error("{0} is over the limit")]
    TooLong(&'static str),
    /// A signature of a known key that does not fit, or none of a known key.
    #[error("no valid signature of a known key")]
    Unsigned,
    /// Another log than the one asked about.
    #[error("the checkpoint is of another log")]
    OtherLog,
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root")]
    Unproven,
    /// A tile that is needed is not there.
    #[error("a part of the tree is missing")]
    Missing,
}

/// One line of standard base64 (RFC 4648 §4), exactly as it must be written: padded, no spare bits.
fn unbase64(text: &str, part: &'static str) -> Result<Vec<u8>, LogFault> {
    STANDARD.decode(text).map_err(|_| LogFault::Malformed(part))
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A decimal number without sign or leading zeros, as all C2SP texts write them.
fn decimal(text: &str, part: &'static str) -> Result<u64, LogFault> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().map_err(|_| LogFault::TooLong(part)) } else { Err(LogFault::Malformed(part)) }
}

#[cfg(test)]
mod tests;
