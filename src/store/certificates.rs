//! The service's own certificate authorities, what they revoked, and their CRLs.

use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::audit::audit;
use super::row::Reading;
use super::seals::already;
use super::writing::Writing;
use super::{Store, StoreError, micros};
use crate::officer::OfficerId;
use crate::pki::issue::Reason;
use crate::tlog::leaf::Matter;

/// Which of the two authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaKind {
    Root,
    Issuing,
}

/// An authority's certificate; its label is also its key's.
#[derive(Debug, Clone)]
pub struct CaCertificate {
    pub label: String,
    pub kind: CaKind,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// DER.
    pub certificate: Vec<u8>,
    pub made_at: OffsetDateTime,
}

/// A revoked certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Label of the issuing authority.
    pub issuer: String,
    pub at: OffsetDateTime,
    pub reason: Reason,
    /// The document that ordered it.
    pub document: String,
    /// From when on the key may have been in other hands, where that is earlier (RFC 5280 §5.3.2).
    pub invalid_since: Option<OffsetDateTime>,
}

/// A published list.
#[derive(Debug, Clone)]
pub struct Crl {
    pub issuer: String,
    pub number: i64,
    /// DER.
    pub crl: Vec<u8>,
    pub this_update: OffsetDateTime,
    pub next_update: OffsetDateTime,
}

impl Store {
    /// Files an authority's certificate; there is one per label.
    pub async fn add_ca_certificate(&self, ca: &CaCertificate, who: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO ca_certificate (label, kind, serial, certificate, made_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&ca.label)
        .bind(match ca.kind {
            CaKind::Root => "root",
            CaKind::Issuing => "issuing",
        })
        .bind(&ca.serial)
        .bind(ca.certificate.as_slice())
        .bind(micros(ca.made_at))
        .execute(&mut *tx)
        .await
        .map_err(|e| already(e, "store.ca", "该证书机构已建立", "this certificate authority already exists"))?;
        audit(&mut tx, ca.made_at, who, "ca.made", &ca.label, &serde_json::json!({ "serial": ca.serial })).await?;
        let facts = [("serial", ca.serial.as_str()), ("authority", &ca.label), ("by", who)];
        tx.enter((Matter::Authority, "made"), ca.made_at, None, None, &facts).await?;
        tx.commit().await
    }

    /// The service's authorities.
    pub async fn ca_certificates(&self) -> Result<Vec<CaCertificate>, StoreError> {
        sqlx::query("SELECT label, kind, serial, certificate, made_at FROM ca_certificate ORDER BY made_at, label")
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(read_ca)
            .collect()
    }

    /// Revokes a certificate; a second time changes nothing and says so.
    pub async fn revoke(&self, revocation: &Revocation, who: &str, now: OffsetDateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert_revocation(&mut tx, revocation, who, None, now).await?;
        tx.commit().await
    }

    /// Whether a certificate of ours, by its serial number (hexadecimal), is revoked from any moment on.
    pub async fn is_revoked(&self, serial: &str) -> Result<bool, StoreError> {
        let row =
            sqlx::query("SELECT serial FROM revocation WHERE serial = $1").bind(serial).fetch_optional(&self.read);
        Ok(row.await?.is_some())
    }

    /// Everything an authority revoked.
    pub async fn revocations(&self, issuer: &str) -> Result<Vec<Revocation>, StoreError> {
        sqlx::query("SELECT serial, issuer, at, reason, document, invalid_since FROM revocation WHERE issuer = $1 ORDER BY at, serial")
            .bind(issuer)
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(|row| read_revocation(&Reading("revocation", row)))
            .collect()
    }

    /// Publishes a list; its number must be new for this issuer.
    pub async fn add_crl(&self, crl: &Crl) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO crl (issuer, number, crl, this_update, next_update) VALUES ($1, $2, $3, $4, $5)")
            .bind(&crl.issuer)
            .bind(crl.number)
            .bind(crl.crl.as_slice())
            .bind(micros(crl.this_update))
            .bind(micros(crl.next_update))
            .execute(&self.write)
            .await
            .map_err(|e| {
                already(
                    e,
                    "store.crl",
                    "该编号的吊销列表已发布，请重试",
                    "a list with this number is already published; try again",
                )
            })?;
        Ok(())
    }

    /// The newest list of an authority.
    pub async fn crl(&self, issuer: &str) -> Result<Option<Crl>, StoreError> {
        sqlx::query("SELECT issuer, number, crl, this_update, next_update FROM crl WHERE issuer = $1 ORDER BY number DESC LIMIT 1")
            .bind(issuer)
            .fetch_optional(&self.read)
            .await?
            .as_ref()
            .map(|row| {
                let row = Reading("crl", row);
                Ok(Crl { issuer: row.get("issuer")?, number: row.get("number")?, crl: row.get("crl")?, this_update: row.time("this_update")?, next_update: row.time("next_update")? })
            })
            .transpose()
    }
}

pub(super) async fn insert_revocation(
    tx: &mut Writing,
    revocation: &Revocation,
    who: &str,
    confirmed_by: Option<&OfficerId>,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let reason =
        serde_json::to_value(revocation.reason).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    sqlx::query("INSERT INTO revocation (serial, issuer, at, reason, document, recorded_at, invalid_since) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(&revocation.serial)
        .bind(&revocation.issuer)
        .bind(micros(revocation.at))
        .bind(&reason)
        .bind(&revocation.document)
        .bind(micros(now))
        .bind(revocation.invalid_since.map(micros))
        .execute(&mut **tx)
        .await
        .map_err(|e| already(e, "store.revocation", "该证书已被吊销", "this certificate is already revoked"))?;
    let since = revocation.invalid_since.map(micros);
    let detail = serde_json::json!({ "document": revocation.document, "reason": reason, "invalid_since": since, "confirmed_by": confirmed_by });
    audit(tx, now, who, "certificate.revoked", &revocation.serial, &detail).await?;
    let record = hex::encode(crate::crypto::sha256(revocation_record(revocation).as_bytes()));
    let facts =
        [("serial", revocation.serial.as_str()), ("issuer", &revocation.issuer), ("record", &record), ("by", who)];
    tx.enter((Matter::Authority, "revoked"), now, None, None, &facts).await?;
    Ok(())
}

/// A revocation in full, as its entry in the log has it by its digest.
pub(super) fn revocation_record(revocation: &Revocation) -> String {
    let Revocation { serial, issuer, at, reason, document, invalid_since } = revocation;
    let (at, since) = (micros(*at), invalid_since.map(micros));
    // Keys in order, however maps are kept.
    serde_json::json!({ "at": at, "document": document, "invalid_since": since, "issuer": issuer, "reason": reason, "serial": serial })
        .to_string()
}

pub(super) fn read_revocation(row: &Reading<'_>) -> Result<Revocation, StoreError> {
    Ok(Revocation {
        serial: row.get("serial")?,
        issuer: row.get("issuer")?,
        at: row.time("at")?,
        reason: row.word("reason")?,
        document: row.get("document")?,
        invalid_since: row.time_or_none("invalid_since")?,
    })
}

fn read_ca(row: &AnyRow) -> Result<CaCertificate, StoreError> {
    let row = Reading("ca_certificate", row);
    Ok(CaCertificate {
        label: row.get("label")?,
        kind: row.word("kind")?,
        serial: row.get("serial")?,
        certificate: row.get("certificate")?,
        made_at: row.time("made_at")?,
    })
}
