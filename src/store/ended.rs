//! Seals that lost their force, for those who follow a list.

use time::OffsetDateTime;

use super::row::Reading;
use super::{Store, StoreError, micros};
use crate::seal::SealNumber;

impl Store {
    /// Seals that were suspended or abolished from an instant up to another, inclusive, by number: so many behind the first,
    /// and how many in all. Whether one was given its force back is its life's to say.
    pub async fn ended_seals(
        &self,
        (from, until): (OffsetDateTime, OffsetDateTime),
        (limit, offset): (u32, u32),
    ) -> Result<(Vec<SealNumber>, u64), StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT seal FROM seal_event WHERE kind IN ('abolished', 'suspended') AND at >= $1 AND at <= $2 \
             ORDER BY seal LIMIT $3 OFFSET $4",
        )
        .bind(micros(from))
        .bind(micros(until))
        .bind(i64::from(limit))
        .bind(i64::from(offset))
        .fetch_all(&self.read)
        .await?;
        let numbers = rows.iter().map(|row| Reading("seal_event", row).parse("seal", SealNumber::parse));
        let numbers = numbers.collect::<Result<_, _>>()?;
        let row = sqlx::query(
            "SELECT COUNT(DISTINCT seal) AS total FROM seal_event WHERE kind IN ('abolished', 'suspended') AND at >= $1 AND at <= $2",
        )
        .bind(micros(from))
        .bind(micros(until))
        .fetch_one(&self.read)
        .await?;
        let total: i64 = Reading("seal_event", &row).get("total")?;
        Ok((numbers, u64::try_from(total).unwrap_or(0)))
    }
}
