//! The audit trail (rule 7) and the outbox; both are written inside the transaction of what they speak of.

use time::OffsetDateTime;

use super::row::{Reading, to_json};
use super::writing::Writing;
use super::{Store, StoreError, fresh_id, micros};
use crate::tlog::trail::Event;

/// Something an officer, a program or the service itself did.
#[derive(Debug, Clone, serde::Serialize)]
pub struct AuditEvent {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Officer's identifier, or `service`.
    pub who: String,
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
        who: who.to_owned(),
        source: tx.source.to_string(),
        what: what.to_owned(),
        subject: subject.to_owned(),
        detail: detail.to_string(),
    };
    tx.head.trail = tx.head.trail.then(&to_json(&event)?);
    sqlx::query("INSERT INTO audit_event (id, at, who, what, subject, detail, position, source) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(fresh_id()?)
        .bind(event.at)
        .bind(who)
        .bind(what)
        .bind(subject)
        .bind(event.detail)
        .bind(i64::try_from(event.position).unwrap_or(i64::MAX))
        .bind(event.source)
        .execute(&mut **tx)
        .await?;
    Ok(())
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
        let rows = sqlx::query("SELECT at, who, what, subject, detail FROM audit_event ORDER BY at DESC, id LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter()
            .map(|row| {
                let row = Reading("audit_event", row);
                Ok(AuditEvent {
                    at: row.time("at")?,
                    who: row.get("who")?,
                    what: row.get("what")?,
                    subject: row.get("subject")?,
                    detail: row.json("detail")?,
                })
            })
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
