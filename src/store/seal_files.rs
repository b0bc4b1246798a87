//! Seals as data: who makes them, and each as its maker signed it.

use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::audit::audit;
use super::row::Reading;
use super::seals::{already, split_der};
use super::{Store, StoreError, micros};
use crate::officer::OfficerId;
use crate::seal::SealNumber;
use crate::tlog::leaf::Matter;

/// The seal maker's key and certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealMaker {
    /// Also its key's.
    pub label: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// DER.
    pub certificate: Vec<u8>,
    /// The issuers, DER, nearest first.
    pub chain: Vec<Vec<u8>>,
    pub made_at: OffsetDateTime,
}

/// A seal as its maker signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealFile {
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    pub seal: SealNumber,
    /// SHA-256 of the certificate that may use it, hexadecimal.
    pub certificate: String,
    /// SESeal (GB/T 38540), DER: what an `.esl` file holds.
    pub file: Vec<u8>,
    /// The issuers of its maker's certificate, DER, nearest first.
    pub maker_chain: Vec<Vec<u8>>,
    pub made_at: OffsetDateTime,
    pub recorded_at: OffsetDateTime,
    pub recorded_by: String,
    pub confirmed_by: String,
}

impl Store {
    /// Files a seal maker; there is one per label.
    pub async fn add_seal_maker(
        &self,
        maker: &SealMaker,
        (by, confirmed_by): (&OfficerId, &OfficerId),
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO seal_maker (label, serial, certificate, chain, made_at, made_by, confirmed_by) VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(&maker.label)
            .bind(&maker.serial)
            .bind(maker.certificate.as_slice())
            .bind(maker.chain.concat())
            .bind(micros(maker.made_at))
            .bind(by.as_str())
            .bind(confirmed_by.as_str())
            .execute(&mut *tx)
            .await
            .map_err(|e| already(e, "store.seal-maker", "该制章证书已登记", "this seal maker is already filed"))?;
        let detail = serde_json::json!({ "serial": maker.serial, "confirmed_by": confirmed_by });
        audit(&mut tx, maker.made_at, by.as_str(), "seal-maker.made", &maker.label, &detail).await?;
        tx.commit().await
    }

    /// Every seal maker that there was, oldest first.
    pub async fn seal_makers(&self) -> Result<Vec<SealMaker>, StoreError> {
        let rows =
            sqlx::query("SELECT label, serial, certificate, chain, made_at FROM seal_maker ORDER BY made_at, label")
                .fetch_all(&self.read)
                .await?;
        let read = |row: &AnyRow| {
            let row = Reading("seal_maker", row);
            Ok(SealMaker {
                label: row.get("label")?,
                serial: row.get("serial")?,
                certificate: row.get("certificate")?,
                chain: ders(&row, "chain")?,
                made_at: row.time("made_at")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Files a seal that was made (`act` is `made`) or brought from outside (`imported`): ledger, audit trail and log.
    pub async fn add_seal_file(
        &self,
        file: &SealFile,
        act: &str,
        (by, confirmed_by): (&OfficerId, &OfficerId),
    ) -> Result<(), StoreError> {
        let (number, now) = (&file.seal, file.recorded_at);
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO seal_file (digest, seal, certificate, file, maker_chain, made_at, recorded_at, recorded_by, confirmed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(&file.digest)
            .bind(number.as_str())
            .bind(&file.certificate)
            .bind(file.file.as_slice())
            .bind(file.maker_chain.concat())
            .bind(micros(file.made_at))
            .bind(micros(now))
            .bind(by.as_str())
            .bind(confirmed_by.as_str())
            .execute(&mut *tx)
            .await
            .map_err(|e| already(e, "store.seal-file", "该印章数据已登记", "this seal is already filed as data"))?;
        let detail =
            serde_json::json!({ "sha256": file.digest, "certificate": file.certificate, "confirmed_by": confirmed_by });
        audit(&mut tx, now, by.as_str(), &format!("seal.{act}"), number.as_str(), &detail).await?;
        let facts = [
            ("record", file.digest.as_str()),
            ("certificate", file.certificate.as_str()),
            ("by", by.as_str()),
            ("confirmed-by", confirmed_by.as_str()),
        ];
        tx.enter((Matter::Seal, act), now, Some(number), None, &facts).await?;
        tx.commit().await
    }

    /// A seal's files, oldest first.
    pub async fn seal_files(&self, seal: &SealNumber) -> Result<Vec<SealFile>, StoreError> {
        sqlx::query("SELECT digest, seal, certificate, file, maker_chain, made_at, recorded_at, recorded_by, confirmed_by FROM seal_file WHERE seal = $1 ORDER BY recorded_at, digest")
            .bind(seal.as_str())
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(|row| {
                let row = Reading("seal_file", row);
                Ok(SealFile {
                    digest: row.get("digest")?,
                    seal: row.parse("seal", SealNumber::parse)?,
                    certificate: row.get("certificate")?,
                    file: row.get("file")?,
                    maker_chain: ders(&row, "maker_chain")?,
                    made_at: row.time("made_at")?,
                    recorded_at: row.time("recorded_at")?,
                    recorded_by: row.get("recorded_by")?,
                    confirmed_by: row.get("confirmed_by")?,
                })
            })
            .collect()
    }
}

fn ders(row: &Reading<'_>, column: &'static str) -> Result<Vec<Vec<u8>>, StoreError> {
    let bytes: Vec<u8> = row.get(column)?;
    split_der(&bytes).ok_or_else(|| row.bad(column, "not DER values one after another".into()))
}
