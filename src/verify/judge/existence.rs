//! What provably existed by when (EN 319 102-1 §5.6.2.3): our own ledger's lines, and time stamps that hold.
//!
//! A document time stamp proves all bytes before it, earlier stamps and validation data among them, so the stamps are
//! judged from the last to the first: each later one that holds says at which moment the one before must have been good.

use time::OffsetDateTime;

use crate::pki::name::Name;

/// A moment by which something existed, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    pub at: OffsetDateTime,
    pub by: By,
    /// Who vouches for a time-stamp authority, up to its root; nobody for our own ledger.
    pub issuers: Vec<Name>,
}

impl Proven {
    /// By our own ledger.
    pub fn by_ledger(at: OffsetDateTime) -> Self {
        Self { at, by: By::Ledger, issuers: vec![] }
    }

    /// Whether it is the word of a time-stamp authority that one of these vouches for.
    pub fn is_of(&self, house: &[Name]) -> bool {
        self.issuers.iter().any(|issuer| house.iter().any(|own| own.means(issuer)))
    }
}

/// Who proves a moment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// Our own ledger.
    Ledger,
    /// A time-stamp authority, by its certificate's subject.
    TimeStamp(String),
}

/// Document time stamps that hold, by how many of the file's first bytes each covers.
#[derive(Debug, Default)]
pub(super) struct Existence(Vec<(usize, Proven)>);

impl Existence {
    /// Another stamp that holds, over the first `end` bytes.
    pub(super) fn add(&mut self, end: usize, proven: Proven) {
        self.0.push((end, proven));
    }

    /// The earliest proof for all of the first `end` bytes.
    pub(super) fn of(&self, end: usize) -> Option<&Proven> {
        self.all(end).min_by_key(|proven| proven.at)
    }

    /// Every proof for all of the first `end` bytes.
    pub(super) fn all(&self, end: usize) -> impl Iterator<Item = &Proven> {
        self.0.iter().filter(move |(covered, _)| *covered >= end).map(|(_, proven)| proven)
    }
}
