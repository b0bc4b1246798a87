//! What the responder and the lists stand on: serial numbers given away, the responder's certificates, answers signed
//! beforehand, and numbers of lists.

use time::OffsetDateTime;

use super::row::Reading;
use super::seals::already_there;
use super::{Revocation, Store, StoreError, micros};
use crate::seal::SealNumber;

/// The certificate of a key that answers in an authority's place.
#[derive(Debug, Clone)]
pub struct ResponderCertificate {
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Label of the authority that delegated.
    pub issuer: String,
    /// DER.
    pub certificate: Vec<u8>,
    pub not_after: OffsetDateTime,
    pub made_at: OffsetDateTime,
}

/// An answer that was signed beforehand.
#[derive(Debug, Clone)]
pub struct KeptAnswer {
    /// SHA-256 of the question's CertID, hexadecimal.
    pub question: String,
    /// DER OCSPResponse.
    pub response: Vec<u8>,
    /// The moment of the revocation that it tells of; None where it says good.
    pub revoked_at: Option<OffsetDateTime>,
    pub this_update: OffsetDateTime,
    pub next_update: OffsetDateTime,
}

impl Store {
    /// Writes down a serial number (hexadecimal) that the authority is about to give away.
    pub async fn add_issued(&self, issuer: &str, serial: &str, now: OffsetDateTime) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO issued_certificate (issuer, serial, at) VALUES ($1, $2, $3)")
            .bind(issuer)
            .bind(serial)
            .bind(micros(now))
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Whether the authority ever gave this serial number (hexadecimal) away.
    pub async fn is_issued(&self, issuer: &str, serial: &str) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT serial FROM issued_certificate WHERE issuer = $1 AND serial = $2")
            .bind(issuer)
            .bind(serial)
            .fetch_optional(&self.read);
        Ok(row.await?.is_some())
    }

    /// The revocation of a certificate of this authority, by its serial number (hexadecimal).
    pub async fn revocation(&self, issuer: &str, serial: &str) -> Result<Option<Revocation>, StoreError> {
        sqlx::query("SELECT serial, issuer, at, reason, document, invalid_since FROM revocation WHERE issuer = $1 AND serial = $2")
            .bind(issuer)
            .bind(serial)
            .fetch_optional(&self.read)
            .await?
            .as_ref()
            .map(|row| super::certificates::read_revocation(&Reading("revocation", row)))
            .transpose()
    }

    /// The seal that has a certificate of this serial number (hexadecimal); two where an outside authority's happens to bear
    /// the same.
    pub async fn seals_of_serial(&self, serial: &str) -> Result<Vec<SealNumber>, StoreError> {
        sqlx::query("SELECT DISTINCT seal FROM seal_certificate WHERE serial = $1")
            .bind(serial)
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(|row| Reading("seal_certificate", row).parse("seal", SealNumber::parse))
            .collect()
    }

    /// Files a responder's certificate.
    pub async fn add_responder(&self, responder: &ResponderCertificate) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO responder_certificate (serial, issuer, certificate, not_after, made_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&responder.serial)
        .bind(&responder.issuer)
        .bind(responder.certificate.as_slice())
        .bind(micros(responder.not_after))
        .bind(micros(responder.made_at))
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// The newest certificate of the authority's responder.
    pub async fn responder(&self, issuer: &str) -> Result<Option<ResponderCertificate>, StoreError> {
        sqlx::query("SELECT serial, issuer, certificate, not_after, made_at FROM responder_certificate WHERE issuer = $1 ORDER BY not_after DESC, serial LIMIT 1")
            .bind(issuer)
            .fetch_optional(&self.read)
            .await?
            .as_ref()
            .map(|row| {
                let row = Reading("responder_certificate", row);
                Ok(ResponderCertificate {
                    serial: row.get("serial")?,
                    issuer: row.get("issuer")?,
                    certificate: row.get("certificate")?,
                    not_after: row.time("not_after")?,
                    made_at: row.time("made_at")?,
                })
            })
            .transpose()
    }

    /// Keeps an answer, unless a newer one to the same question is kept already.
    pub async fn keep_answer(&self, answer: &KeptAnswer) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO ocsp_answer (question, response, revoked_at, this_update, next_update) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (question) DO UPDATE SET response = excluded.response, revoked_at = excluded.revoked_at, \
             this_update = excluded.this_update, next_update = excluded.next_update \
             WHERE excluded.this_update >= ocsp_answer.this_update",
        )
        .bind(&answer.question)
        .bind(answer.response.as_slice())
        .bind(answer.revoked_at.map(micros))
        .bind(micros(answer.this_update))
        .bind(micros(answer.next_update))
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// The answer kept for a question (SHA-256 of its CertID, hexadecimal), whatever its age.
    pub async fn kept_answer(&self, question: &str) -> Result<Option<KeptAnswer>, StoreError> {
        sqlx::query(
            "SELECT question, response, revoked_at, this_update, next_update FROM ocsp_answer WHERE question = $1",
        )
        .bind(question)
        .fetch_optional(&self.read)
        .await?
        .as_ref()
        .map(|row| {
            let row = Reading("ocsp_answer", row);
            Ok(KeptAnswer {
                question: row.get("question")?,
                response: row.get("response")?,
                revoked_at: row.time_or_none("revoked_at")?,
                this_update: row.time("this_update")?,
                next_update: row.time("next_update")?,
            })
        })
        .transpose()
    }

    /// Takes the next number for an authority's list. Numbers grow, with gaps where a list came to nothing; no two callers,
    /// in whatever process, get the same (RFC 5280 §5.2.3).
    pub async fn take_crl_number(&self, issuer: &str) -> Result<i64, StoreError> {
        loop {
            let taken = sqlx::query("SELECT COALESCE(MAX(number), 0) + 1 AS next FROM crl_number WHERE issuer = $1")
                .bind(issuer)
                .fetch_one(&self.write)
                .await?;
            let number: i64 = Reading("crl_number", &taken).get("next")?;
            let done = sqlx::query("INSERT INTO crl_number (issuer, number) VALUES ($1, $2)")
                .bind(issuer)
                .bind(number)
                .execute(&self.write)
                .await;
            match done {
                Ok(_) => return Ok(number),
                // Somebody was quicker; each round one of those who ask gets through.
                Err(error) if already_there(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
