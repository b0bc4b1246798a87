//! FSCK: goes over the whole store as it stands at one moment, believes none of it, and says what does not fit together.
//!
//! It changes nothing and holds a page of rows at a time. Whoever can write to the database can change any row, but not all
//! that speaks of it: entries hash into the log's tree, whose heads are signed and were seen by others; receipts stand under
//! seals' signatures; events hash into the chain, which the log knows.
//!
//! | file | what |
//! |---|---|
//! | `entries` | the tree from its leaves; each entry against its opening, the order it speaks of, and that order's receipt |
//! | `orders` | each order against its entry, what it will have signed, or the document it made |
//! | `paper` | what is said of a document, against its own bytes |
//! | `register` | numbers of licences and uses; documents beside those that orders made; rows that no entry speaks of |
//! | `events` | the chain of audit events, and what the log says of it |

mod entries;
mod events;
mod orders;
mod paper;
mod register;

use std::collections::BTreeSet;

use crate::limits;
use crate::message::Message;
use crate::store::{Inventory, LogIdentity, Sizes, Spoken, Standing, Store, StoreError};
use crate::tlog::note::VerifierKey;

/// What was gone over.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Counts {
    /// Entries of the log.
    pub entries: u64,
    /// Stored nodes of its tree.
    pub nodes: u64,
    /// Receipts that were proven.
    pub receipts: u64,
    /// Uses of seals: sealed, lost, and written down and waiting.
    pub sealed: u64,
    pub lost: u64,
    pub waiting: u64,
    /// Acts of the certificate authorities.
    pub acts: u64,
    /// Of all these, those from before there was a log.
    pub before_log: u64,
    /// Documents, and their bytes.
    pub documents: u64,
    pub bytes: u64,
    /// Versions of licences.
    pub versions: u64,
    /// Audit events in the chain, and from before there was one.
    pub events: u64,
    pub unchained: u64,
    /// Entries of the log that say where the chain stood.
    pub anchors: u64,
}

/// Something that does not fit.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Finding {
    /// `entry 12`, `order 0f…`, `log`, …
    pub about: String,
    #[serde(flatten)]
    pub message: Message,
}

/// What came of it.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Outcome {
    pub counts: Counts,
    /// The log's size and root, the latter hexadecimal, where the tree could be built.
    pub head: Option<(u64, String)>,
    /// The first of them; `found` says how many there are.
    pub findings: Vec<Finding>,
    pub found: u64,
}

/// Goes over everything. `witnesses` are those whose lines under heads must hold where they stand; `told` hears how many rows
/// of how many are done.
///
/// # Errors
/// The database did not answer, or a row has values of another kind than its column.
pub async fn check(
    store: &Store,
    witnesses: &[VerifierKey],
    told: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Outcome, StoreError> {
    let mut inventory = store.inventory().await?;
    let sizes = inventory.sizes().await?;
    let (identity, outcome, spoken) = (None, Outcome::default(), BTreeSet::new());
    let mut walk = Walk { inventory, sizes, identity, witnesses, outcome, spoken, told, done: 0 };
    walk.identity = walk.inventory.identity().await?;
    let standing = match walk.inventory.standing().await {
        Ok(standing) => Some(standing),
        Err(error @ StoreError::Row { .. }) => {
            walk.found_message("log".to_owned(), error.message());
            None
        }
        Err(error) => return Err(error),
    };
    walk.all(standing).await?;
    Ok(walk.outcome)
}

/// Where the walk through the store is.
struct Walk<'a> {
    inventory: Inventory,
    sizes: Sizes,
    identity: Option<LogIdentity>,
    witnesses: &'a [VerifierKey],
    outcome: Outcome,
    /// Of which rows entries speak, where such rows are never without one.
    spoken: BTreeSet<Spoken>,
    told: &'a mut (dyn FnMut(u64, u64) + Send),
    done: u64,
}

impl Walk<'_> {
    async fn all(&mut self, standing: Option<Standing>) -> Result<(), StoreError> {
        let anchors = self.entries(standing.as_ref()).await?;
        // What was written down before the first event of the chain is from before there was a log.
        let began = self.inventory.events(0).await?.first().map_or(i64::MAX, |first| first.event.at);
        self.orders(began).await?;
        self.register().await?;
        // Where all that happened is in the chain nothing is older than the log.
        self.unspoken(if self.sizes.unchained == 0 { i64::MIN } else { began }).await?;
        self.events(standing.map(|standing| standing.trail), anchors).await
    }

    /// So many rows are done.
    fn step(&mut self, rows: usize) {
        self.done += rows as u64;
        let Sizes { leaves, orders, versions, renewed, events, .. } = self.sizes;
        (self.told)(self.done, leaves + orders + versions + renewed + events);
    }

    fn found(&mut self, about: impl Into<String>, id: &'static str, zh: impl Into<String>, en: impl Into<String>) {
        self.found_message(about.into(), Message::new(id, zh, en));
    }

    fn found_message(&mut self, about: String, message: Message) {
        self.outcome.found += 1;
        if self.outcome.findings.len() < limits::FSCK_FINDINGS {
            self.outcome.findings.push(Finding { about, message });
        }
    }
}
