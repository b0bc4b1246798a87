//! The seal-use ledger (台账): every order to use a seal, as those see it who watch over seals.

use time::OffsetDateTime;

use super::row::Reading;
use super::{OrderKind, OrderState, Store, StoreError, micros};
use crate::seal::SealNumber;

/// A line of the seal-use ledger (台账).
#[derive(Debug, Clone, serde::Serialize)]
pub struct LedgerEntry {
    pub order: String,
    pub seal: SealNumber,
    pub legend: String,
    pub officer: String,
    pub officer_name: String,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub kind: OrderKind,
    pub state: OrderState,
    pub title: String,
    /// Why: the decision's or the abolition order's number.
    pub reason: String,
    pub digest: String,
}

/// Which lines of the ledger.
#[derive(Debug, Clone, Default)]
pub struct LedgerFilter {
    pub seal: String,
    pub officer: String,
    pub from: Option<OffsetDateTime>,
    pub until: Option<OffsetDateTime>,
    pub limit: u32,
    pub offset: u32,
}

impl Store {
    /// The seal-use ledger, newest first.
    pub async fn ledger(&self, filter: &LedgerFilter) -> Result<Vec<LedgerEntry>, StoreError> {
        sqlx::query(
            "SELECT u.id AS id, u.seal AS seal, s.legend AS legend, u.officer AS officer, o.name AS officer_name, u.written_at AS written_at, u.kind AS kind, \
             u.state AS state, u.title AS title, COALESCE(u.decision, u.abolition, '') AS reason, u.digest AS digest \
             FROM seal_order u JOIN seal s ON s.number = u.seal JOIN officer o ON o.id = u.officer \
             WHERE ($1 = '' OR u.seal = $1) AND ($2 = '' OR u.officer = $2) AND u.written_at >= $3 AND u.written_at < $4 \
             ORDER BY u.written_at DESC, u.id LIMIT $5 OFFSET $6",
        )
        .bind(&filter.seal)
        .bind(&filter.officer)
        .bind(filter.from.map_or(i64::MIN, micros))
        .bind(filter.until.map_or(i64::MAX, micros))
        .bind(i64::from(filter.limit))
        .bind(i64::from(filter.offset))
        .fetch_all(&self.read)
        .await?
        .iter()
        .map(|row| {
            let row = Reading("seal_order", row);
            Ok(LedgerEntry {
                order: row.get("id")?,
                seal: row.parse("seal", SealNumber::parse)?,
                legend: row.get("legend")?,
                officer: row.get("officer")?,
                officer_name: row.get("officer_name")?,
                at: row.time("written_at")?,
                kind: row.word("kind")?,
                state: row.word("state")?,
                title: row.get("title")?,
                reason: row.get("reason")?,
                digest: row.get("digest")?,
            })
        })
        .collect()
    }
}
