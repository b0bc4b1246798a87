//! Orders that wait: written down, tried, and not to be finished yet, because no time stamp, no evidence or no key could
//! be had. Each says why, since when, and when it is tried next.

use sqlx::any::AnyRow;
use time::{Duration, OffsetDateTime};

use super::audit::audit;
use super::row::{Reading, to_json};
use super::{Store, StoreError, Unfinished, micros};
use crate::message::Message;
use crate::officer::OfficerId;
use crate::seal::SealNumber;

/// An order that waits.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Waiting {
    pub order: String,
    pub title: String,
    pub seal: Option<SealNumber>,
    pub officer: String,
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// How often it was tried in vain.
    pub tries: u32,
    #[serde(with = "time::serde::rfc3339")]
    pub next_try: OffsetDateTime,
    pub because: Because,
}

/// What was said to people the last time.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Because {
    pub id: String,
    pub zh: String,
    pub en: String,
}

macro_rules! waits {
    ($rest:literal) => {
        concat!(
            "SELECT u.id AS id, u.title AS title, u.seal AS seal, u.officer AS officer, w.since AS since, w.tries AS tries, w.next_try AS next_try, w.because AS because \
             FROM order_wait w JOIN seal_order u ON u.id = w.order_id WHERE u.state = 'written' ",
            $rest
        )
    };
}

/// After this time without a word an order is nobody's any more: whoever tried it has gone.
const NOBODYS: Duration = Duration::minutes(10);

impl Store {
    /// Notes that an order was tried in vain, and when to try again; the trail has the first time and every other reason.
    /// None where it has ended meanwhile.
    pub async fn wait(
        &self,
        order: &str,
        because: &Message,
        next_try: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<Option<Waiting>, StoreError> {
        let said = Because { id: because.id.to_owned(), zh: because.zh.clone(), en: because.en.clone() };
        let mut tx = self.begin().await?;
        let before = sqlx::query(waits!("AND u.id = $1")).bind(order).fetch_optional(&mut *tx).await?;
        let before = before.as_ref().map(read_waiting).transpose()?;
        // An order that has ended waits for nothing: its row is not touched.
        sqlx::query(
            "INSERT INTO order_wait (order_id, since, tries, next_try, because) \
             SELECT id, $2, 1, $3, $4 FROM seal_order WHERE id = $1 AND state = 'written' \
             ON CONFLICT (order_id) DO UPDATE SET tries = order_wait.tries + 1, next_try = excluded.next_try, because = excluded.because",
        )
        .bind(order)
        .bind(micros(now))
        .bind(micros(next_try))
        .bind(to_json(&said)?)
        .execute(&mut *tx)
        .await?;
        let after = sqlx::query(waits!("AND u.id = $1")).bind(order).fetch_optional(&mut *tx).await?;
        let after = after.as_ref().map(read_waiting).transpose()?;
        if after.is_some() && before.is_none_or(|before| before.because.id != said.id) {
            let detail = serde_json::json!({ "because": said, "next_try": micros(next_try) });
            audit(&mut tx, now, "service", "order.waiting", order, &detail).await?;
        }
        tx.commit().await?;
        Ok(after)
    }

    /// Ends an order as lost, on two people's word. `false` when it ended meanwhile; then nothing is written.
    pub async fn give_up(
        &self,
        order: &str,
        because: &str,
        (by, confirmed_by): (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE seal_order SET state = 'lost', ended_at = $1, lost_because = $2 WHERE id = $3 AND state = 'written'",
        )
        .bind(micros(now))
        .bind(because)
        .bind(order)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            tx.commit().await?;
            return Ok(false);
        }
        let detail = serde_json::json!({ "because": because, "confirmed_by": confirmed_by });
        audit(&mut tx, now, by.as_str(), "order.given-up", order, &detail).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Why an order waits; none where it does not.
    pub async fn waiting(&self, order: &str) -> Result<Option<Waiting>, StoreError> {
        let row = sqlx::query(waits!("AND u.id = $1")).bind(order).fetch_optional(&self.read).await?;
        row.as_ref().map(read_waiting).transpose()
    }

    /// The orders that wait, longest first, of one officer or (empty) of everybody; at most `limit`.
    pub async fn all_waiting(&self, officer: &str, limit: u16) -> Result<Vec<Waiting>, StoreError> {
        sqlx::query(waits!("AND ($1 = '' OR u.officer = $1) ORDER BY w.since, u.id LIMIT $2"))
            .bind(officer)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(read_waiting)
            .collect()
    }

    /// How many orders wait.
    pub async fn waiting_count(&self) -> Result<u64, StoreError> {
        self.count("SELECT COUNT(*) AS rows_found FROM order_wait w JOIN seal_order u ON u.id = w.order_id WHERE u.state = 'written'").await
    }

    /// The oldest order that is due to be tried again, or that nobody has spoken of for long.
    pub async fn due(&self, now: OffsetDateTime) -> Result<Option<Unfinished>, StoreError> {
        let row = sqlx::query(
            "SELECT u.id AS id FROM seal_order u LEFT JOIN order_wait w ON w.order_id = u.id \
             WHERE u.state = 'written' AND (w.next_try <= $1 OR (w.next_try IS NULL AND u.written_at <= $2)) \
             ORDER BY u.written_at, u.id LIMIT 1",
        )
        .bind(micros(now))
        .bind(micros(now - NOBODYS))
        .fetch_optional(&self.write)
        .await?;
        match row {
            Some(row) => self.unfinished_order(&Reading("seal_order", &row).get::<String>("id")?).await,
            None => Ok(None),
        }
    }
}

fn read_waiting(row: &AnyRow) -> Result<Waiting, StoreError> {
    let row = Reading("order_wait", row);
    let seal: Option<String> = row.get("seal")?;
    Ok(Waiting {
        order: row.get("id")?,
        title: row.get("title")?,
        seal: seal.map(|s| SealNumber::parse(&s)).transpose().map_err(|e| row.bad("seal", e.to_string()))?,
        officer: row.get("officer")?,
        since: row.time("since")?,
        tries: u32::try_from(row.get::<i64>("tries")?).unwrap_or(u32::MAX),
        next_try: row.time("next_try")?,
        because: row.json("because")?,
    })
}
