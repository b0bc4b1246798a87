//! The chain of audit events: each is hashed together with the hash before it, so that none can be changed, taken out or put
//! in without every later hash changing; and the newest hash is entered in the log.

mod export;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::tree::Hash;

pub use export::{Check, Checked, TrailFault, anchored, first_line, last_line};

/// The act of the chain's entries in the log (their matter is `audit`): the facts are `length` and `trail` (hexadecimal).
pub const ANCHOR: &str = "anchor";

/// Begins what is hashed; another version is another chain.
const FIRST: &[u8] = b"yinxin-trail/v1\n";

/// An event as it stands in the chain, and as it is exported: one line of JSON. Its text is what is hashed, so a reader keeps
/// the line it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// From 1.
    pub position: u64,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Officer's identifier, or `service`.
    pub who: String,
    /// Where the doing came from: an address, `cli:USER@HOST`, or `service`.
    pub source: String,
    /// `order.written`, `seal.abolished`, …
    pub what: String,
    /// What it was done to.
    pub subject: String,
    /// JSON text, as stored.
    pub detail: String,
}

/// Where the chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trail {
    /// Events in all.
    pub length: u64,
    /// The newest hash.
    pub hash: Hash,
}

impl Default for Trail {
    /// Before the first event.
    fn default() -> Self {
        Self { length: 0, hash: Hash([0; 32]) }
    }
}

impl Trail {
    /// With one line more.
    #[must_use]
    pub fn then(&self, line: &str) -> Self {
        let mut context = Context::new(&SHA256);
        for part in [FIRST, &self.hash.0, line.as_bytes()] {
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self { length: self.length + 1, hash: Hash(hash) }
    }
}
