//! The audit trail (rule 7) and the outbox; both are written inside the transaction of what they speak of.

use time::OffsetDateTime;

use super::log::read_entry;
use super::row::{Reading, to_json};
use super::writing::Writing;
use super::{Entered, Store, StoreError, fresh_id, micros};
use crate::crypto::sha256;
use crate::tlog::leaf::Matter;
use crate::tlog::trail::{ANCHOR as ANCHOR_ACT, Event, Trail};

/// Something an officer, a program or the service itself did.
#[derive(Debug, Clone, serde::Serialize)]
pub struct AuditEvent {
    /// Its place in the chain, from 1; none for what was done before there was a chain.
    pub position: Option<u64>,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Officer's identifier, or `service`.
    pub who: String,
    /// Where the doing came from; empty for what was done before there was a chain.
    pub source: String,
    /// `order.written`, `seal.abolished`, `session.opened`, …
    pub what: String,
    /// What it was done to: a seal's number, an order's identifier, …
    pub subject: String,
    pub detail: serde_json::Value,
}

/// A message to be delivered to others later (approval results to the supervising department, …).
#[derive(Debug, Clone, serde::Serialize)]
pub struct OutboxEntry {
    pub id: String,
    pub kind: String,
    pub subject: String,
    pub payload: serde_json::Value,
}

/// Adds to `detail` the SHA-256 of the record before and after it was changed (hexadecimal); none where there was, or is, no
/// such record. The records themselves may name people, and stay where they are.
pub(super) fn changed<T: serde::Serialize>(
    mut detail: serde_json::Value,
    before: Option<&T>,
    after: Option<&T>,
) -> Result<serde_json::Value, StoreError> {
    let digest = |record: Option<&T>| {
        record.map(|record| Ok::<_, StoreError>(hex::encode(sha256(to_json(record)?.as_bytes())))).transpose()
    };
    if let Some(facts) = detail.as_object_mut() {
        facts.insert("before".to_owned(), digest(before)?.into());
        facts.insert("after".to_owned(), digest(after)?.into());
    }
    Ok(detail)
}

pub(super) async fn audit(
    tx: &mut Writing,
    at: OffsetDateTime,
    who: &str,
    what: &str,
    subject: &str,
    detail: &serde_json::Value,
) -> Result<(), StoreError> {
    let event = Event {
        position: tx.head.trail.length + 1,
        at: micros(at),
        who: storable(who),
        source: storable(&tx.source),
        what: storable(what),
        subject: storable(subject),
        detail: detail.to_string(),
    };
    tx.head.trail = tx.head.trail.then(&to_json(&event)?);
    tx.added.events.push((fresh_id()?, event));
    Ok(())
}

/// PostgreSQL takes no U+0000 in a text, and the rows of all who share a transaction are written together: what one of them
/// was given must not spoil it for the others.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

pub(super) async fn post(
    tx: &mut Writing,
    at: OffsetDateTime,
    kind: &str,
    subject: &str,
    payload: &serde_json::Value,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO outbox (id, kind, subject, payload, written_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(fresh_id()?)
        .bind(kind)
        .bind(subject)
        .bind(payload.to_string())
        .bind(micros(at))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// An event as it stands in the chain.
pub(super) fn read_event(row: &Reading<'_>) -> Result<Event, StoreError> {
    let position: i64 = row.get("position")?;
    Ok(Event {
        position: u64::try_from(position).map_err(|e| row.bad("position", e.to_string()))?,
        at: row.get("at")?,
        who: row.get("who")?,
        source: row.get("source")?,
        what: row.get("what")?,
        subject: row.get("subject")?,
        detail: row.get("detail")?,
    })
}

/// What the chain's entries in the log are filed under, in place of an order.
const ANCHOR: &str = "audit-trail";

const ANCHORS: &str = "SELECT position, leaf, opening FROM log_leaf WHERE seal_order = $1 AND position < $2 ORDER BY position DESC LIMIT $3";

impl Store {
    /// An audit event that belongs to no other write (a sign-in, a refused request).
    pub async fn audit(
        &self,
        at: OffsetDateTime,
        who: &str,
        what: &str,
        subject: &str,
        detail: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        audit(&mut tx, at, who, what, subject, detail).await?;
        tx.commit().await
    }

    /// The newest events, newest first, at most `limit`.
    pub async fn audit_events(&self, limit: u16) -> Result<Vec<AuditEvent>, StoreError> {
        self.audit_events_from(limit, 0).await
    }

    /// The same without the newest `offset`.
    pub async fn audit_events_from(&self, limit: u16, offset: u32) -> Result<Vec<AuditEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT position, at, who, source, what, subject, detail FROM audit_event \
             ORDER BY at DESC, position DESC, id LIMIT $1 OFFSET $2",
        )
        .bind(i64::from(limit))
        .bind(i64::from(offset))
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let row = Reading("audit_event", row);
                Ok(AuditEvent {
                    position: row.get::<Option<i64>>("position")?.and_then(|position| u64::try_from(position).ok()),
                    at: row.time("at")?,
                    who: row.get("who")?,
                    source: row.get::<Option<String>>("source")?.unwrap_or_default(),
                    what: row.get("what")?,
                    subject: row.get("subject")?,
                    detail: row.json("detail")?,
                })
            })
            .collect()
    }

    /// Enters where the chain of events stands in the log, unless the newest such entry says the same already. Gives the
    /// newest.
    pub async fn anchor(&self, now: OffsetDateTime) -> Result<Entered, StoreError> {
        let mut tx = self.begin().await?;
        let Trail { length, hash } = tx.head.trail;
        let (length, hash) = (length.to_string(), hex::encode(hash.0));
        let newest = match tx.entered(ANCHOR).cloned() {
            Some(newest) => Some(newest),
            None => {
                let newest =
                    sqlx::query(ANCHORS).bind(ANCHOR).bind(i64::MAX).bind(1_i64).fetch_optional(&mut *tx).await?;
                newest.as_ref().map(read_entry).transpose()?
            }
        };
        let same = newest.filter(|newest| newest.entry.opening.fact("length") == Some(&length));
        let entered = match same {
            Some(same) => same,
            None => {
                let facts = [("length", length.as_str()), ("trail", &hash)];
                tx.enter((Matter::Audit, ANCHOR_ACT), now, None, Some(ANCHOR), &facts).await?
            }
        };
        tx.commit().await?;
        Ok(entered)
    }

    /// The chain's entries in the log before this place, newest first, at most `limit`.
    pub async fn anchors(&self, before: u64, limit: u16) -> Result<Vec<Entered>, StoreError> {
        sqlx::query(ANCHORS)
            .bind(ANCHOR)
            .bind(i64::try_from(before).unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(read_entry)
            .collect()
    }

    /// What still has to be delivered, oldest first, at most `limit`.
    pub async fn outbox(&self, limit: u16) -> Result<Vec<OutboxEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, kind, subject, payload FROM outbox WHERE delivered_at IS NULL ORDER BY written_at, id LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let row = Reading("outbox", row);
                Ok(OutboxEntry {
                    id: row.get("id")?,
                    kind: row.get("kind")?,
                    subject: row.get("subject")?,
                    payload: row.json("payload")?,
                })
            })
            .collect()
    }
}
