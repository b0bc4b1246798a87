//! Orders that are written down and have not ended: how far each has come, and what the next step takes.

use std::ops::Range;

use super::order::{Order, OrderRecord, OrderState};
use super::row::Reading;
use super::{Entered, Store, StoreError, log};
use crate::tlog::note::Note;

/// An order that is written down and not yet sealed, with what is needed to finish it: the next step takes this alone,
/// whether it was written a moment ago or before a crash.
#[derive(Debug)]
pub struct Unfinished {
    pub record: OrderRecord,
    pub prepared: Vec<u8>,
    pub hole: Range<usize>,
    pub stage: Stage,
}

/// How far an unfinished order has come.
#[derive(Debug)]
pub enum Stage {
    /// An act of the authorities, or a use that was written down before there was a log: it is not taken up again.
    Unlogged,
    /// In the log, which nobody can show yet: no key works for it.
    Entered(Box<Entered>),
    /// With the receipt that is part of what is signed, and the leave to sign just that.
    Receipted(Order),
}

impl Store {
    /// Binds an order's receipt to it with what is to be signed under it, and publishes the head that it leads to; only then is
    /// there leave to sign. Where another process was first, its receipt counts. None where the order has ended.
    pub async fn receipted(
        &self,
        id: &str,
        receipt: &str,
        to_be_signed: &[u8],
        (size, head): (u64, &Note),
    ) -> Result<Option<Order>, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE seal_order SET receipt = $1, to_be_signed = $2 WHERE id = $3 AND state = 'written' AND receipt IS NULL")
            .bind(receipt)
            .bind(to_be_signed)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        log::publish(&mut tx, size, head).await?;
        tx.commit().await?;
        Ok(match self.unfinished_order(id).await?.map(|unfinished| unfinished.stage) {
            Some(Stage::Receipted(order)) => Some(order),
            _ => None,
        })
    }

    /// Orders that were written down and have not ended, oldest first, each with its leave made anew.
    pub async fn unfinished(&self) -> Result<Vec<Unfinished>, StoreError> {
        let ids = sqlx::query("SELECT id FROM seal_order WHERE state = 'written' ORDER BY written_at, id")
            .fetch_all(&self.read)
            .await?;
        let mut unfinished = vec![];
        for row in &ids {
            let id: String = Reading("seal_order", row).get("id")?;
            unfinished.extend(self.unfinished_order(&id).await?);
        }
        Ok(unfinished)
    }

    /// One order that was written down and has not ended.
    pub async fn unfinished_order(&self, id: &str) -> Result<Option<Unfinished>, StoreError> {
        let Some(record) = self.order(id).await?.filter(|r| r.state == OrderState::Written) else { return Ok(None) };
        let row = sqlx::query(
            "SELECT key_label, to_be_signed, prepared, hole_start, hole_end, receipt FROM seal_order WHERE id = $1",
        )
        .bind(id)
        .fetch_one(&self.write)
        .await?;
        let row = Reading("seal_order", &row);
        let place = |column| {
            row.get::<i64>(column).and_then(|n| usize::try_from(n).map_err(|e| row.bad(column, e.to_string())))
        };
        let receipt: Option<String> = row.get("receipt")?;
        let stage = match (receipt, &record.seal) {
            (Some(_), _) => {
                Stage::Receipted(Order::written(record.id.clone(), row.get("key_label")?, row.get("to_be_signed")?))
            }
            (None, None) => Stage::Unlogged,
            (None, Some(_)) => {
                self.entry_of(id).await?.map_or(Stage::Unlogged, |entered| Stage::Entered(Box::new(entered)))
            }
        };
        Ok(Some(Unfinished {
            prepared: row.get("prepared")?,
            hole: place("hole_start")?..place("hole_end")?,
            stage,
            record,
        }))
    }
}
