//! One writing transaction at a time, in both databases, shared by all who wrote at the same moment.
//!
//! A transaction begins by taking the log's head, so the log and the chain of audit events have one order and no two
//! transactions ever wait for each other in a ring. While one is being made durable the next writers queue up; each then
//! does its part behind a savepoint of the next transaction, and one commit makes all of them durable (group commit). A part
//! that fails, or whose caller goes away, is rolled back alone. Whoever answers by what an earlier part of the same transaction
//! did commits too, though it wrote nothing: only then is that durable.
//!
//! What a part adds to the log and to the trail is read by nobody before the commit. It is written just before it, for all
//! parts together: a way to the database for each row would cost more than the row.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Shared, PoisonError};

use sqlx::any::AnyArguments;
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Executor};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard, oneshot};

use super::log::{Head, signed};
use super::{Entered, Kind, Store, StoreError};
use crate::tlog::trail::Event;
use crate::tlog::tree::Hash;

/// What the writers of a process share.
#[derive(Debug, Default)]
pub(super) struct Writers {
    /// The open transaction, if any. The lock is fair: whoever came first does its part first.
    batch: Arc<Mutex<Option<Batch>>>,
    known: Shared<Option<Known>>,
    committed: AtomicU64,
}

/// What this process last saw durable and found true: the head, and the tree's newest tiles by level and index, as wide as
/// they are known.
#[derive(Debug, Default, Clone)]
pub(super) struct Known {
    pub head: Head,
    pub tiles: HashMap<(u8, u64), Vec<Hash>>,
}

/// A node of the tree that became complete: its level of tiles, its place there, its hash.
pub(super) type Node = (u8, u64, Hash);

/// The connection of an open transaction. Only one that ended well is used again: what a database does by itself when a disk
/// is full (SQLite rolls back the whole of it) leaves nothing that later statements could be trusted to.
#[derive(Debug)]
struct Opened {
    connection: PoolConnection<Any>,
    ended: bool,
}

impl Drop for Opened {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

/// What leads from a head to the next.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// With the order that each belongs to.
    pub entries: Vec<(Entered, Option<String>)>,
    pub nodes: Vec<Node>,
    /// With the identifier of its row.
    pub events: Vec<(String, Event)>,
}

#[derive(Debug)]
struct Batch {
    tx: Opened,
    /// As it was taken, and as it will be committed.
    taken: Head,
    head: Head,
    added: Added,
    /// Who waits for the commit.
    waiting: Vec<oneshot::Sender<()>>,
    /// A part was begun behind the savepoint and has not ended.
    torn: bool,
}

/// A caller's part of the open transaction. Dropped without [`Writing::commit`], it never was.
pub(super) struct Writing {
    batch: OwnedMappedMutexGuard<Option<Batch>, Batch>,
    pub(super) head: Head,
    pub(super) added: Added,
    /// Where the doing came from.
    pub(super) source: Arc<str>,
}

impl Writers {
    pub fn known(&self) -> std::sync::MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// A part of a writing transaction.
    pub(super) async fn begin(&self) -> Result<Writing, StoreError> {
        let mut slot = self.writers.batch.clone().lock_owned().await;
        if slot.is_none() {
            let store = self.clone();
            // In a task of its own: a caller that goes away while another process has the log's head must not leave a
            // connection behind that waits for it.
            let opening = tokio::spawn(async move {
                *slot = Some(store.open_batch().await?);
                // Queues behind everybody who waits already, and commits what they did.
                tokio::spawn(async move { store.close_batch().await });
                Ok::<_, StoreError>(slot)
            });
            slot = opening.await.map_err(|_| gone())??;
        }
        let batch = slot.as_mut().ok_or_else(gone)?;
        if let Err(error) = batch.mend().await {
            // The connection is of no more use; dropping the batch tells whoever waits for it.
            *slot = None;
            return Err(error);
        }
        let mut batch = OwnedMutexGuard::try_map(slot, Option::as_mut).map_err(|_| gone())?;
        batch.torn = true;
        Ok(Writing { head: batch.head.clone(), batch, added: Added::default(), source: self.source.clone() })
    }

    /// Transactions that this store's process has committed: with what was written in them, how many shared one.
    pub fn committed(&self) -> u64 {
        self.writers.committed.load(Ordering::Relaxed)
    }

    async fn open_batch(&self) -> Result<Batch, StoreError> {
        let mut tx = Opened { connection: self.batch.acquire().await?, ended: false };
        tx.connection
            .execute(match self.kind {
                // SQLite takes its lock at once: an upgrade later would fail without waiting.
                Kind::Sqlite => "BEGIN IMMEDIATE",
                Kind::Postgres => "BEGIN",
            })
            .await?;
        let taken = self.take_head(&mut tx.connection).await?;
        tx.connection.execute("SAVEPOINT part").await?;
        Ok(Batch { tx, head: taken.clone(), taken, added: Added::default(), waiting: vec![], torn: false })
    }

    /// Ends the open transaction: durable for all whose part is whole.
    async fn close_batch(&self) {
        let mut slot = self.writers.batch.clone().lock_owned().await;
        let Some(batch) = slot.take() else { return };
        match batch.end().await {
            Ok((head, nodes, waiting)) => {
                self.writers.committed.fetch_add(1, Ordering::Relaxed);
                if let Some(known) = self.writers.known().as_mut() {
                    known.extend(head, &nodes);
                }
                // Whoever went away meanwhile needs no answer.
                waiting.into_iter().for_each(|caller| caller.send(()).unwrap_or_default());
            }
            // Those who wait find their sender gone.
            Err(error) => tracing::error!(%error, "a transaction was not committed"),
        }
    }
}

impl Batch {
    /// Takes back a part that was not ended.
    async fn mend(&mut self) -> Result<(), StoreError> {
        if self.torn {
            self.tx.connection.execute("ROLLBACK TO SAVEPOINT part").await?;
            self.torn = false;
        }
        Ok(())
    }

    async fn end(mut self) -> Result<(Head, Vec<Node>, Vec<oneshot::Sender<()>>), StoreError> {
        self.mend().await?;
        if self.head != self.taken {
            self.added.put(&mut self.tx.connection).await?;
            self.head.put(&self.taken, &mut self.tx.connection).await?;
        }
        self.tx.connection.execute("COMMIT").await?;
        self.tx.ended = true;
        Ok((self.head, self.added.nodes, self.waiting))
    }
}

impl Added {
    fn extend(&mut self, part: Self) {
        self.entries.extend(part.entries);
        self.nodes.extend(part.nodes);
        self.events.extend(part.events);
    }

    async fn put(&self, tx: &mut AnyConnection) -> Result<(), StoreError> {
        let leaves = "INSERT INTO log_leaf (position, leaf, opening, seal_order)";
        insert(tx, leaves, 4, &self.entries, |query, (entered, order)| {
            let Entered { index, entry } = entered;
            query.bind(signed(*index)).bind(entry.leaf.to_string()).bind(entry.opening.to_string()).bind(order)
        })
        .await?;
        // The leaves are the lowest of them.
        let nodes: Vec<_> = self.nodes.iter().filter(|(level, ..)| *level > 0).collect();
        insert(tx, "INSERT INTO log_node (level, position, hash)", 3, &nodes, |query, (level, place, hash)| {
            query.bind(i64::from(*level)).bind(signed(*place)).bind(hash.0.as_slice())
        })
        .await?;
        let events = "INSERT INTO audit_event (id, at, who, source, what, subject, detail, position)";
        insert(tx, events, 8, &self.events, |query, (id, event)| {
            let Event { position, at, who, source, what, subject, detail } = event;
            let query = query.bind(id).bind(at).bind(who).bind(source).bind(what).bind(subject);
            query.bind(detail).bind(signed(*position))
        })
        .await
    }
}

/// Most rows that one statement writes.
const ROWS: usize = 64;

/// Writes rows, many at a time. Their number in a statement is a power of two, so that few statements need to be prepared.
async fn insert<'q, T>(
    tx: &mut AnyConnection,
    into: &str,
    columns: usize,
    mut rows: &'q [T],
    bind: impl Fn(Query<'q, Any, AnyArguments>, &'q T) -> Query<'q, Any, AnyArguments>,
) -> Result<(), StoreError> {
    while !rows.is_empty() {
        let (some, rest) = rows.split_at(1 << rows.len().min(ROWS).ilog2());
        let row =
            |n: usize| (1..=columns).map(|column| format!("${}", n * columns + column)).collect::<Vec<_>>().join(", ");
        let values = (0..some.len()).map(|n| format!("({})", row(n))).collect::<Vec<_>>().join(", ");
        let query = sqlx::query(AssertSqlSafe(format!("{into} VALUES {values}")));
        some.iter().fold(query, &bind).execute(&mut *tx).await?;
        rows = rest;
    }
    Ok(())
}

impl Writing {
    /// The newest entry of this transaction that belongs to `order`, from this part or an earlier one.
    pub fn entered(&self, order: &str) -> Option<&Entered> {
        let mut all = self.batch.added.entries.iter().chain(&self.added.entries).rev();
        all.find(|(_, of)| of.as_deref() == Some(order)).map(|(entered, _)| entered)
    }

    /// Ends the part and waits until it is durable.
    ///
    /// # Errors
    /// The database did not take it.
    pub async fn commit(self) -> Result<(), StoreError> {
        let Writing { mut batch, head, added, .. } = self;
        let (done, durable) = oneshot::channel();
        // In a task of its own: a caller that goes away now must not leave the part half ended.
        let ending = tokio::spawn(async move {
            sqlx::raw_sql("RELEASE SAVEPOINT part; SAVEPOINT part").execute(&mut *batch.tx.connection).await?;
            batch.torn = false;
            batch.head = head;
            batch.added.extend(added);
            batch.waiting.push(done);
            Ok::<_, StoreError>(())
        });
        ending.await.map_err(|_| gone())??;
        durable.await.map_err(|_| StoreError::Uncertain)
    }
}

/// The transaction went away with its connection, and nothing of it was written.
fn gone() -> StoreError {
    StoreError::Database(sqlx::Error::WorkerCrashed)
}

impl Deref for Writing {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.batch.tx.connection
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.batch.tx.connection
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row;
    use time::macros::datetime;

    use super::*;
    use crate::store::{Act, OrderKind, StoreSettings};

    /// SQLite rolls a transaction back by itself where the disk is full, behind the program's back.
    #[tokio::test]
    async fn after_a_full_disk_the_next_writes_as_ever() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("full.sqlite").display());
        let store = Store::open(&StoreSettings { url, password: None }).await.unwrap();
        store.migrate().await.unwrap();
        let write = async |n: usize| {
            let (kind, now) = (OrderKind::Certificate, datetime!(2026-11-21 08:00 UTC));
            let to_be_signed = vec![7; 1 + 900 * (n % 7)];
            store.write_down_act(Act { kind, key_label: "key", title: "act", to_be_signed, who: "test", now }).await
        };
        write(0).await.unwrap();
        let mut written = 1;
        for full in 0..5 {
            let pages = sqlx::query("PRAGMA page_count").fetch_one(&store.batch).await.unwrap().get::<i64, _>(0);
            let disk = |pages: i64| AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
            // Another page of another table is the one too much each time.
            sqlx::query(disk(pages + full)).execute(&store.batch).await.unwrap();
            let (mut alone, mut n) = (0, 0);
            let refused = loop {
                match write(n).await {
                    Ok(_) => alone += 1,
                    Err(refused) => break refused,
                }
                n += 1;
            };
            written += alone;
            match refused {
                StoreError::Database(sqlx::Error::Database(full)) => {
                    assert_eq!(full.code().as_deref(), Some("13"), "SQLITE_FULL")
                }
                // Its own part was whole, and the commit did not fit.
                StoreError::Uncertain => {}
                other => panic!("{other:?}"),
            }
            // There is room again, and nobody started anything anew.
            sqlx::query(disk(1_000_000)).execute(&store.batch).await.unwrap();
            for n in 0..3 {
                write(n).await.unwrap_or_else(|error| panic!("after a full disk: {error:?}"));
                written += 1;
            }
            assert_eq!(store.newest_log_head().await.unwrap().size(), written);
            assert_eq!(store.entries(written - 1, 9).await.unwrap().len(), 1, "as many entries as the head has");
        }
    }
}
