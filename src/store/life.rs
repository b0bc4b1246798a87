//! Certificates that follow one another: from when each is used, what became of it, and the end of its key.

use std::collections::HashSet;

use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::audit::{audit, post};
use super::certificates::insert_revocation;
use super::row::Reading;
use super::seals::{already, insert_certificate, read_certificate, touch};
use super::writing::Writing;
use super::{Revocation, SealCertificate, Store, StoreError, micros};
use crate::officer::OfficerId;
use crate::pki::certificate::Certificate;
use crate::refusal::{Refusal, Rule};
use crate::seal::{SealNumber, check_acknowledged};
use crate::tlog::leaf::Matter;

/// That a key is to be destroyed once nothing waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEnd {
    pub key_label: String,
    pub seal: SealNumber,
    /// From here on the key takes no new orders.
    pub not_before: OffsetDateTime,
    /// The document that ordered it.
    pub document: String,
    pub by: OfficerId,
    pub confirmed_by: OfficerId,
}

/// A seal's certificate with what became of it.
#[derive(Debug, Clone)]
pub struct CertificateLife {
    pub certificate: SealCertificate,
    pub revocation: Option<Revocation>,
    pub key_end: Option<KeyEnd>,
    pub key_destroyed_at: Option<OffsetDateTime>,
}

impl CertificateLife {
    /// Whether a new use of the seal may be under it: its time has come and not gone, and nobody ended it or its key.
    pub fn may_be_used(&self, now: OffsetDateTime) -> bool {
        let read = Certificate::read(&self.certificate.certificate);
        self.certificate.used_from <= now
            && self.revocation.is_none()
            && self.key_end.as_ref().is_none_or(|end| now < end.not_before)
            && read.is_ok_and(|certificate| certificate.is_in_force(now))
    }
}

impl Store {
    /// A seal's certificates with what became of them, oldest first.
    pub async fn certificate_lives(&self, seal: &SealNumber) -> Result<Vec<CertificateLife>, StoreError> {
        sqlx::query(
            "SELECT c.digest AS digest, c.seal AS seal, c.serial AS serial, c.certificate AS certificate, c.chain AS chain, \
             c.key_label AS key_label, c.installed_at AS installed_at, c.used_from AS used_from, r.issuer AS issuer, \
             r.at AS revoked_at, r.reason AS reason, r.document AS revoked_by, r.invalid_since AS invalid_since, \
             e.not_before AS not_before, e.document AS ended_by, e.recorded_by AS recorded_by, e.confirmed_by AS confirmed_by, \
             d.at AS destroyed_at FROM seal_certificate c LEFT JOIN revocation r ON r.serial = c.serial \
             LEFT JOIN key_end e ON e.key_label = c.key_label LEFT JOIN key_destroyed d ON d.key_label = c.key_label \
             WHERE c.seal = $1 ORDER BY c.installed_at, c.digest",
        )
        .bind(seal.as_str())
        .fetch_all(&self.read)
        .await?
        .iter()
        .map(read_life)
        .collect()
    }

    /// Installs the certificate that follows another, together with the end of the other's key; orders in flight on the old
    /// facts are refused.
    pub async fn install_successor(
        &self,
        certificate: &SealCertificate,
        end: Option<&KeyEnd>,
        (by, confirmed_by): (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        touch(&mut tx, &certificate.seal).await?;
        insert_certificate(&mut tx, certificate, by, confirmed_by, now).await?;
        if let Some(end) = end {
            insert_end(&mut tx, end, now).await?;
        }
        tx.commit().await
    }

    /// Writes down that a key is to be destroyed; a second time changes nothing and says so.
    pub async fn end_key(&self, end: &KeyEnd, now: OffsetDateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        touch(&mut tx, &end.seal).await?;
        insert_end(&mut tx, end, now).await?;
        tx.commit().await
    }

    /// Keys that are to be destroyed by now and are not, each with whether it may be: nothing that was written down waits
    /// for it. Orders in flight for it are refused from here on.
    pub async fn keys_to_destroy(&self, now: OffsetDateTime) -> Result<Vec<(KeyEnd, bool)>, StoreError> {
        let rows = sqlx::query(
            "SELECT key_label, seal, not_before, document, recorded_by, confirmed_by FROM key_end e WHERE not_before <= $1 \
             AND NOT EXISTS (SELECT 1 FROM key_destroyed d WHERE d.key_label = e.key_label) ORDER BY not_before, key_label",
        )
        .bind(micros(now))
        .fetch_all(&self.read)
        .await?;
        let mut ends = vec![];
        for row in &rows {
            let end = read_end(&Reading("key_end", row))?;
            let mut tx = self.begin().await?;
            touch(&mut tx, &end.seal).await?;
            let row = sqlx::query(
                "SELECT COUNT(*) AS rows_found FROM seal_order WHERE key_label = $1 AND state = 'written' AND kind <> 'destruction'",
            )
            .bind(&end.key_label)
            .fetch_one(&mut *tx)
            .await?;
            let waiting: i64 = Reading("seal_order", &row).get("rows_found")?;
            tx.commit().await?;
            ends.push((end, waiting == 0));
        }
        Ok(ends)
    }

    /// Whether a destruction of this key was ever written down: then its absence is no surprise.
    pub async fn destruction_begun(&self, key_label: &str) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT id FROM seal_order WHERE key_label = $1 AND kind = 'destruction' LIMIT 1")
            .bind(key_label)
            .fetch_optional(&self.write);
        Ok(row.await?.is_some())
    }

    /// Records that a key is gone. `false` when that is recorded already.
    pub async fn key_destroyed(&self, end: &KeyEnd, now: OffsetDateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done =
            sqlx::query("INSERT INTO key_destroyed (key_label, at) VALUES ($1, $2) ON CONFLICT (key_label) DO NOTHING")
                .bind(&end.key_label)
                .bind(micros(now))
                .execute(&mut *tx)
                .await?;
        if done.rows_affected() == 0 {
            tx.commit().await?;
            return Ok(false);
        }
        let said = serde_json::json!({ "key": end.key_label, "document": end.document, "by": end.by, "confirmed_by": end.confirmed_by });
        post(&mut tx, now, "seal.key-destroyed", end.seal.as_str(), &said).await?;
        audit(&mut tx, now, end.by.as_str(), "key.destroyed", end.seal.as_str(), &said).await?;
        let facts =
            [("key", end.key_label.as_str()), ("by", end.by.as_str()), ("confirmed-by", end.confirmed_by.as_str())];
        tx.enter((Matter::Seal, "key-destroyed"), now, Some(&end.seal), None, &facts).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Revokes a certificate of a seal by order of two people. `acknowledged` is the number of documents sealed with it from
    /// the moment that counts on, where that is before now.
    pub async fn revoke_certificate(
        &self,
        certificate: &SealCertificate,
        revocation: &Revocation,
        (by, confirmed_by): (&OfficerId, &OfficerId),
        acknowledged: u64,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let effective = revocation.invalid_since.map_or(revocation.at, |since| since.min(revocation.at));
        let mut tx = self.begin().await?;
        touch(&mut tx, &certificate.seal).await?;
        let row = sqlx::query(
            "SELECT COUNT(*) AS rows_found FROM seal_order WHERE certificate = $1 AND state = 'sealed' AND ended_at >= $2",
        )
        .bind(&certificate.digest)
        .bind(micros(effective))
        .fetch_one(&mut *tx)
        .await?;
        let ended = u64::try_from(Reading("seal_order", &row).get::<i64>("rows_found")?).unwrap_or(0);
        check_acknowledged(effective, ended, acknowledged, now)?;
        insert_revocation(&mut tx, revocation, by.as_str(), Some(confirmed_by), now).await?;
        let said = serde_json::json!({ "serial": revocation.serial, "reason": revocation.reason, "document": revocation.document });
        post(&mut tx, now, "seal.certificate-revoked", certificate.seal.as_str(), &said).await?;
        tx.commit().await
    }

    /// Writes a warning of a certificate's end into the trail and the outbox, once for each number of days. `false` when it
    /// was given before.
    pub async fn warn_of_end(
        &self,
        (subject, digest): (&str, &str),
        days: i64,
        ends: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("INSERT INTO certificate_warning (digest, days, at) VALUES ($1, $2, $3) ON CONFLICT (digest, days) DO NOTHING")
            .bind(digest)
            .bind(days)
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            tx.commit().await?;
            return Ok(false);
        }
        let said = serde_json::json!({ "sha256": digest, "ends": ends.unix_timestamp(), "within_days": days });
        post(&mut tx, now, "certificate.ends-soon", subject, &said).await?;
        audit(&mut tx, now, "service", "certificate.ends-soon", subject, &said).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Every warning that was given, as digest and days.
    pub async fn warnings_given(&self) -> Result<HashSet<(String, i64)>, StoreError> {
        let rows = sqlx::query("SELECT digest, days FROM certificate_warning").fetch_all(&self.read).await?;
        let pair = |row| {
            let row = Reading("certificate_warning", row);
            Ok((row.get("digest")?, row.get("days")?))
        };
        rows.iter().map(pair).collect()
    }
}

/// That nothing is sealed under a certificate that was revoked while its order waited.
pub(super) async fn check_not_revoked(tx: &mut Writing, digest: &str, now: OffsetDateTime) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT r.serial AS serial FROM revocation r JOIN seal_certificate c ON c.serial = r.serial \
         WHERE c.digest = $1 AND (r.at <= $2 OR r.invalid_since <= $2)",
    )
    .bind(digest)
    .bind(micros(now))
    .fetch_optional(&mut **tx)
    .await?;
    match row {
        None => Ok(()),
        Some(_) => Err(StoreError::Refused(Refusal::new(
            Rule::SealLife,
            "seal.certificate-revoked",
            "该印章证书已被吊销，本次未用印；请以新证书重新办理",
            "the certificate has been revoked meanwhile and nothing was sealed; ask again under the seal's new one",
        ))),
    }
}

async fn insert_end(tx: &mut Writing, end: &KeyEnd, now: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO key_end (key_label, seal, not_before, document, recorded_at, recorded_by, confirmed_by) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&end.key_label)
    .bind(end.seal.as_str())
    .bind(micros(end.not_before))
    .bind(&end.document)
    .bind(micros(now))
    .bind(end.by.as_str())
    .bind(end.confirmed_by.as_str())
    .execute(&mut **tx)
    .await
    .map_err(|e| already(e, "store.key-end", "该密钥已登记销毁", "the end of this key is already written down"))?;
    let detail = serde_json::json!({ "key": end.key_label, "not_before": micros(end.not_before), "document": end.document, "confirmed_by": end.confirmed_by });
    audit(tx, now, end.by.as_str(), "key.end-ordered", end.seal.as_str(), &detail).await
}

fn read_life(row: &AnyRow) -> Result<CertificateLife, StoreError> {
    let certificate = read_certificate(row)?;
    let row = Reading("seal_certificate", row);
    let revocation = match row.time_or_none("revoked_at")? {
        None => None,
        Some(at) => Some(Revocation {
            serial: certificate.serial.clone(),
            issuer: row.get("issuer")?,
            at,
            reason: row.word("reason")?,
            document: row.get("revoked_by")?,
            invalid_since: row.time_or_none("invalid_since")?,
        }),
    };
    let key_end = match row.time_or_none("not_before")? {
        None => None,
        Some(not_before) => Some(KeyEnd {
            key_label: certificate.key_label.clone(),
            seal: certificate.seal.clone(),
            not_before,
            document: row.get("ended_by")?,
            by: row.parse("recorded_by", OfficerId::parse)?,
            confirmed_by: row.parse("confirmed_by", OfficerId::parse)?,
        }),
    };
    Ok(CertificateLife { certificate, revocation, key_end, key_destroyed_at: row.time_or_none("destroyed_at")? })
}

fn read_end(row: &Reading<'_>) -> Result<KeyEnd, StoreError> {
    Ok(KeyEnd {
        key_label: row.get("key_label")?,
        seal: row.parse("seal", SealNumber::parse)?,
        not_before: row.time("not_before")?,
        document: row.get("document")?,
        by: row.parse("recorded_by", OfficerId::parse)?,
        confirmed_by: row.parse("confirmed_by", OfficerId::parse)?,
    })
}
