//! What the log speaks of besides orders, held against the rows that it was written with; and rows of these kinds that no
//! entry speaks of.

use std::collections::BTreeSet;

use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::Inventory;
use crate::crypto::sha256;
use crate::officer::Grant;
use crate::pki::certificate::Certificate;
use crate::store::certificates::{read_revocation, revocation_record};
use crate::store::row::{Reading, to_json};
use crate::store::seals::read_event as read_seal_event;
use crate::store::{StoreError, micros, people};
use crate::tlog::leaf::{Entry, Matter};

/// A row of a kind that is never written without an entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spoken {
    /// Its table.
    pub table: &'static str,
    /// By what its entry calls it.
    pub name: String,
}

impl Spoken {
    /// Of what an entry speaks.
    pub fn of(entry: &Entry) -> Option<Self> {
        let (table, fact) = match (entry.leaf.matter, entry.leaf.act.as_str()) {
            (Matter::Seal, "made" | "imported") => ("seal_file", "record"),
            (Matter::Seal, "key-destroyed") => ("key_destroyed", "key"),
            (Matter::Authority, "made") => ("ca_certificate", "authority"),
            (Matter::Authority, "revoked") => ("revocation", "serial"),
            _ => return None,
        };
        Some(Self { table, name: entry.opening.fact(fact).unwrap_or_default().to_owned() })
    }
}

impl Inventory {
    /// Whether what an entry speaks of besides orders is filed as it says; none where it names nothing that is filed.
    pub async fn has_record(&mut self, entry: &Entry) -> Result<Option<bool>, StoreError> {
        let fact = |key| entry.opening.fact(key).unwrap_or_default();
        let (seal, record) = (entry.leaf.seal.as_deref().unwrap_or_default(), fact("record"));
        let is_record = |text: &str| hex::encode(sha256(text.as_bytes())) == record;
        let at = micros(entry.leaf.at);
        let is_by = |row: &Reading<'_>, at: i64| {
            Ok::<_, StoreError>(
                row.get::<i64>("recorded_at")? == at
                    && row.get::<String>("recorded_by")? == fact("by")
                    && row.get::<String>("confirmed_by")? == fact("confirmed-by"),
            )
        };
        let tx: &mut AnyConnection = &mut self.tx;
        Ok(Some(match (entry.leaf.matter, entry.leaf.act.as_str()) {
            (Matter::Seal, "filed") => {
                one(tx, "SELECT number AS found FROM seal WHERE number = $1", seal).await?.is_some()
            }
            (Matter::Seal, "certificate") => {
                // The record is the certificate's own digest, hashed as all records are.
                let rows = all(tx, "SELECT digest FROM seal_certificate WHERE seal = $1", seal).await?;
                any(&rows, |row| Ok(is_record(&row.get::<String>("digest")?)))?
            }
            (Matter::Seal, "custody") => {
                let rows = all(tx, "SELECT entry FROM custody_entry WHERE seal = $1", seal).await?;
                any(&rows, |row| Ok(is_record(&row.get::<String>("entry")?)))?
            }
            (Matter::Seal, "made" | "imported") => {
                let query = "SELECT digest, file, certificate, recorded_at, recorded_by, confirmed_by FROM seal_file WHERE seal = $1";
                let rows = all(tx, query, seal).await?;
                any(&rows, |row| {
                    let file: Vec<u8> = row.get("file")?;
                    Ok(row.get::<String>("digest")? == record
                        && hex::encode(sha256(&file)) == record
                        && row.get::<String>("certificate")? == fact("certificate")
                        && is_by(row, at)?)
                })?
            }
            (Matter::Seal, "key-destroyed") => {
                let query = "SELECT e.seal AS seal, e.recorded_by AS recorded_by, e.confirmed_by AS confirmed_by, d.at AS recorded_at \
                             FROM key_destroyed d JOIN key_end e ON e.key_label = d.key_label WHERE d.key_label = $1";
                let rows = all(tx, query, fact("key")).await?;
                any(&rows, |row| Ok(row.get::<String>("seal")? == seal && is_by(row, at)?))?
            }
            (Matter::Authority, "made") => {
                let query = "SELECT serial, certificate, made_at FROM ca_certificate WHERE label = $1";
                let rows = all(tx, query, fact("authority")).await?;
                let [row] = rows.as_slice() else { return Ok(Some(false)) };
                let row = Reading("ca_certificate", row);
                let said = row.get::<String>("serial")? == fact("serial") && row.get::<i64>("made_at")? == at;
                said && is_ordered(tx, &row.get::<Vec<u8>>("certificate")?, fact("serial")).await?
            }
            (Matter::Authority, "revoked") => {
                let query = "SELECT serial, issuer, at, reason, document, recorded_at, invalid_since FROM revocation WHERE serial = $1";
                let rows = all(tx, query, fact("serial")).await?;
                any(&rows, |row| {
                    // Entries from before their records were entered too say less.
                    let whole = record.is_empty() || is_record(&revocation_record(&read_revocation(row)?));
                    Ok(whole && row.get::<String>("issuer")? == fact("issuer") && row.get::<i64>("recorded_at")? == at)
                })?
            }
            (Matter::Seal, "activated" | "suspended" | "resumed" | "abolished" | "reinstated") => {
                let events =
                    "SELECT seal, kind, at, document, reason, successor, items FROM seal_event WHERE seal = $1";
                let rows = all(tx, events, seal).await?;
                any(&rows, |row| Ok(is_record(&to_json(&read_seal_event(row)?)?)))?
            }
            (Matter::Grant, "given") => match grant(tx, fact("grant")).await? {
                Some(grant) => is_record(&to_json(&Grant { revoked_at: None, ..grant })?),
                None => false,
            },
            (Matter::Grant, "taken-back") => {
                grant(tx, fact("grant")).await?.is_some_and(|grant| grant.revoked_at.is_some())
            }
            (Matter::Licence, _) => {
                let version = "SELECT act AS found FROM licence_version WHERE identifier = $1";
                one(tx, version, fact("licence")).await?.is_some_and(|act| act == entry.leaf.act)
            }
            (Matter::Register, _) => {
                let size = fact("size").parse().unwrap_or(-1_i64);
                let query = sqlx::query("SELECT body FROM register_snapshot WHERE size = $1").bind(size);
                let digest = |body: &str| hex::encode(sha256(body.as_bytes())) == fact("snapshot");
                let rows = query.fetch_all(tx).await?;
                any(&rows, |row| Ok(digest(&row.get::<String>("body")?)))?
            }
            _ => return Ok(None),
        }))
    }

    /// Rows of these kinds that were written from this moment on (microseconds since 1970), and of which none of these speaks.
    pub async fn unspoken(&mut self, since: i64, spoken: &BTreeSet<Spoken>) -> Result<Vec<Spoken>, StoreError> {
        let mut unspoken = vec![];
        for (table, query) in [
            ("seal_file", "SELECT digest AS found FROM seal_file WHERE recorded_at >= $1 ORDER BY digest"),
            ("key_destroyed", "SELECT key_label AS found FROM key_destroyed WHERE at >= $1 ORDER BY key_label"),
            ("ca_certificate", "SELECT label AS found FROM ca_certificate WHERE made_at >= $1 ORDER BY label"),
            ("revocation", "SELECT serial AS found FROM revocation WHERE recorded_at >= $1 ORDER BY serial"),
        ] {
            for row in sqlx::query(query).bind(since).fetch_all(&mut *self.tx).await? {
                let row = Spoken { table, name: Reading(table, &row).get("found")? };
                if !spoken.contains(&row) {
                    unspoken.push(row);
                }
            }
        }
        Ok(unspoken)
    }
}

/// The certificate has this serial number, and what its issuer signed was written down in an order, which the log has.
async fn is_ordered(tx: &mut AnyConnection, certificate: &[u8], serial: &str) -> Result<bool, StoreError> {
    let Ok(certificate) = Certificate::read(certificate) else { return Ok(false) };
    let signed = hex::encode(sha256(certificate.to_be_signed()));
    let order = "SELECT id AS found FROM seal_order WHERE digest = $1 AND kind = 'certificate' LIMIT 1";
    Ok(hex::encode(&certificate.serial) == serial && one(tx, order, &signed).await?.is_some())
}

async fn all(tx: &mut AnyConnection, query: &'static str, value: &str) -> Result<Vec<AnyRow>, StoreError> {
    Ok(sqlx::query(query).bind(value).fetch_all(tx).await?)
}

async fn one(tx: &mut AnyConnection, query: &'static str, value: &str) -> Result<Option<String>, StoreError> {
    let row = sqlx::query(query).bind(value).fetch_optional(tx).await?;
    row.as_ref().map(|row| Reading("record", row).get("found")).transpose()
}

fn any(rows: &[AnyRow], mut is: impl FnMut(&Reading<'_>) -> Result<bool, StoreError>) -> Result<bool, StoreError> {
    for row in rows {
        if is(&Reading("record", row))? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn grant(tx: &mut AnyConnection, id: &str) -> Result<Option<Grant>, StoreError> {
    let row = sqlx::query("SELECT id, officer, seal, items, from_at, until_at, given_by, document, revoked_at FROM seal_grant WHERE id = $1")
        .bind(id)
        .fetch_optional(tx)
        .await?;
    row.as_ref().map(people::read_grant).transpose()
}
