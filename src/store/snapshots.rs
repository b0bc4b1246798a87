//! The register's snapshots: written down with their entry in the log, and proven once there is a head over it.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::log::{Entered, publish};
use super::row::Reading;
use super::{SealFilter, Store, StoreError, micros};
use crate::pki::certificate::Certificate;
use crate::register::snapshot::{Entry, Snapshot};
use crate::tlog::LogFault;
use crate::tlog::leaf::Matter;
use crate::tlog::note::Note;

/// Seals read at a time.
const SEALS: u16 = 1000;

/// A snapshot as published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledSnapshot {
    pub snapshot: Snapshot,
    /// C2SP tlog-proof; none as long as no head is over its entry.
    pub receipt: Option<String>,
    /// Its entry's place.
    pub position: u64,
}

impl Store {
    /// The register as it is now. Everything that the log had before it was begun is in it; of what is written meanwhile
    /// some may be.
    pub async fn register_now(&self, witnesses: usize, now: OffsetDateTime) -> Result<Snapshot, StoreError> {
        let size = self.newest_log_head().await?.size();
        let mut filed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in sqlx::query("SELECT seal, digest FROM seal_certificate").fetch_all(&self.read).await? {
            let row = Reading("seal_certificate", &row);
            filed.entry(row.get("seal")?).or_default().insert(row.get("digest")?);
        }
        let mut seals = BTreeMap::new();
        let mut filter = SealFilter { limit: SEALS, ..SealFilter::default() };
        loop {
            let page = self.seals(&filter).await?;
            filter.offset += u32::from(SEALS);
            let last = page.len() < usize::from(SEALS);
            for one in page {
                let certificates = filed.remove(one.seal.number.as_str()).unwrap_or_default();
                let entry = Entry { logged_since: one.logged_since, certificates, seal: one.seal };
                seals.insert(entry.seal.number.clone(), entry);
            }
            if last {
                break;
            }
        }
        let mut authorities = BTreeSet::new();
        for ca in self.ca_certificates().await? {
            let read = Certificate::read(&ca.certificate).map_err(|fault| StoreError::Row {
                table: "ca_certificate",
                column: "certificate",
                why: fault.to_string(),
            })?;
            authorities.insert(hex::encode(read.subject.as_der()));
        }
        let items = self.items().await?.into_iter().map(|item| (item.code.clone(), item)).collect();
        let abolitions =
            self.abolitions().await?.into_iter().map(|order| (order.get().number.clone(), order)).collect();
        Ok(Snapshot { size, made_at: now, witnesses, authorities, seals, items, abolitions })
    }

    /// Writes a snapshot down and enters it in the log; none where another process was first.
    pub async fn file_snapshot(&self, snapshot: &Snapshot) -> Result<Option<Entered>, StoreError> {
        let body = snapshot.canonical();
        let digest = hex::encode(crate::crypto::sha256(body.as_bytes()));
        let size = snapshot.size.to_string();
        let mut tx = self.begin().await?;
        let facts = [("snapshot", digest.as_str()), ("size", size.as_str())];
        let entered = tx.enter((Matter::Register, "snapshot"), snapshot.made_at, None, None, &facts).await?;
        let done = sqlx::query("INSERT INTO register_snapshot (size, made_at, body, position) VALUES ($1, $2, $3, $4) ON CONFLICT (size) DO NOTHING")
            .bind(signed(snapshot.size)?)
            .bind(micros(snapshot.made_at))
            .bind(body)
            .bind(signed(entered.index)?)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(entered))
    }

    /// Puts its proof beside a snapshot, and publishes the head that it leads to.
    pub async fn prove_snapshot(&self, size: u64, receipt: &str, (head, note): (u64, &Note)) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE register_snapshot SET receipt = $1 WHERE size = $2 AND receipt IS NULL")
            .bind(receipt)
            .bind(signed(size)?)
            .execute(&mut *tx)
            .await?;
        publish(&mut tx, head, note).await?;
        tx.commit().await
    }

    /// The newest snapshot, proven or not.
    pub async fn newest_snapshot(&self) -> Result<Option<FiledSnapshot>, StoreError> {
        let row = sqlx::query("SELECT body, position, receipt FROM register_snapshot ORDER BY size DESC LIMIT 1")
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read_snapshot).transpose()
    }

    /// The name of the newest snapshot that is proven.
    pub async fn newest_proven(&self) -> Result<Option<u64>, StoreError> {
        let row = sqlx::query("SELECT MAX(size) AS size FROM register_snapshot WHERE receipt IS NOT NULL")
            .fetch_one(&self.read)
            .await?;
        let size: Option<i64> = Reading("register_snapshot", &row).get("size")?;
        Ok(size.and_then(|size| u64::try_from(size).ok()))
    }

    /// A proven snapshot as it is stored, its text and its receipt: nothing of it is read.
    pub async fn snapshot_text(&self, size: u64) -> Result<Option<(String, String)>, StoreError> {
        // No log is so large.
        let Ok(size) = i64::try_from(size) else { return Ok(None) };
        let row = sqlx::query("SELECT body, receipt FROM register_snapshot WHERE size = $1 AND receipt IS NOT NULL")
            .bind(size)
            .fetch_optional(&self.read)
            .await?;
        let read = |row| {
            let row = Reading("register_snapshot", row);
            Ok((row.get("body")?, row.get("receipt")?))
        };
        row.as_ref().map(read).transpose()
    }

    /// A snapshot that is proven: the one of this name, or the newest.
    pub async fn snapshot(&self, size: Option<u64>) -> Result<Option<FiledSnapshot>, StoreError> {
        let (least, most) = match size {
            // No log is so large.
            Some(size) if i64::try_from(size).is_err() => return Ok(None),
            Some(size) => (signed(size)?, signed(size)?),
            None => (0, i64::MAX),
        };
        let row = sqlx::query("SELECT body, position, receipt FROM register_snapshot WHERE size >= $1 AND size <= $2 AND receipt IS NOT NULL ORDER BY size DESC LIMIT 1")
            .bind(least)
            .bind(most)
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read_snapshot).transpose()
    }
}

fn read_snapshot(row: &AnyRow) -> Result<FiledSnapshot, StoreError> {
    let row = Reading("register_snapshot", row);
    let position: i64 = row.get("position")?;
    Ok(FiledSnapshot {
        snapshot: row.parse("body", Snapshot::read)?,
        receipt: row.get("receipt")?,
        position: u64::try_from(position).map_err(|_| StoreError::Log(LogFault::Missing))?,
    })
}

fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Log(LogFault::Missing))
}
