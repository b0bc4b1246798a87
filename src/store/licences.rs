//! Licences' versions and the sealed documents themselves.

use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::audit::{audit, post};
use super::copies::add_card;
use super::row::{Reading, to_json};
use super::seals::{already, already_there};
use super::writing::Writing;
use super::{Store, StoreError, micros};
use crate::decision::{Decision, DecisionRequest};
use crate::licence::{Licence, LicenceAct, LicenceIdentifier, LicenceVersion};
use crate::officer::OfficerId;
use crate::tlog::leaf::Matter;

/// A version as it will stand in the register once its document is sealed.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct LicencePending {
    pub version: LicenceVersion,
    /// 证照名称, e.g. 食品经营许可证.
    pub name: String,
    pub holder_name: String,
    pub decision: String,
    pub template: String,
    pub template_version: String,
    /// What was printed.
    pub data: serde_json::Value,
}

/// A version as filed.
#[derive(Debug, Clone)]
pub struct FiledLicence {
    pub licence: LicencePending,
    /// SHA-256 of the sealed document, hexadecimal, the PDF where there is one; none for a version that ends the licence.
    pub document: Option<String>,
    /// SHA-256 of the same version as OFD, hexadecimal.
    pub ofd: Option<String>,
}

/// The formats that sealed documents have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum MediaType {
    #[serde(rename = "application/pdf")]
    Pdf,
    #[serde(rename = "application/ofd")]
    Ofd,
}

impl MediaType {
    /// As stored, and as it goes over the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Ofd => "application/ofd",
        }
    }

    /// As people call it, in any language.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Pdf => "PDF",
            Self::Ofd => "OFD",
        }
    }

    /// How the names of such files end.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Ofd => "ofd",
        }
    }
}

/// A sealed document.
#[derive(Debug, Clone)]
pub struct Document {
    /// SHA-256, hexadecimal.
    pub sha256: String,
    pub media_type: MediaType,
    pub bytes: Vec<u8>,
}

const COLUMNS: &str = "SELECT v.identifier AS identifier, act, at, valid_from, valid_until, name, holder_name, decision, template, template_version, data, \
    COALESCE((SELECT f.document FROM licence_file f WHERE f.identifier = v.identifier AND f.media_type = 'application/pdf'), v.document) AS document, \
    (SELECT f.document FROM licence_file f WHERE f.identifier = v.identifier AND f.media_type = 'application/ofd') AS ofd \
    FROM licence_version v WHERE licence = $1 ORDER BY version";

impl Store {
    /// A licence's life, by what stays the same over its versions ([`LicenceIdentifier::licence`]).
    pub async fn licence(&self, licence: &str) -> Result<Licence, StoreError> {
        Ok(Licence::of(self.licence_versions(licence).await?.into_iter().map(|filed| filed.licence.version).collect()))
    }

    /// The same within a transaction.
    pub(super) async fn licence_in(tx: &mut Writing, licence: &str) -> Result<Licence, StoreError> {
        let rows = sqlx::query(COLUMNS).bind(licence).fetch_all(&mut **tx).await?;
        let versions =
            rows.iter().map(|row| Ok(read_licence(row)?.licence.version)).collect::<Result<_, StoreError>>()?;
        Ok(Licence::of(versions))
    }

    /// All versions of a licence, oldest first.
    pub async fn licence_versions(&self, licence: &str) -> Result<Vec<FiledLicence>, StoreError> {
        sqlx::query(COLUMNS).bind(licence).fetch_all(&self.read).await?.iter().map(read_licence).collect()
    }

    /// Records a version that has no document: cancelled, withdrawn, revoked.
    ///
    /// An end never waits for a renewal or change that is written down and not yet sealed: that order is lost in the same
    /// transaction, and its document is never released. One that was sealed first stands, and the end follows it.
    pub async fn end_licence(
        &self,
        licence: &str,
        act: LicenceAct,
        decision: &Decision,
        by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<LicenceIdentifier, StoreError> {
        let mut tx = self.begin().await?;
        // First, since it waits for an order that is being finished just now: what is read below has its version then.
        let in_flight = sqlx::query("SELECT id FROM seal_order WHERE licence = $1 AND state = 'written'")
            .bind(licence)
            .fetch_all(&mut *tx)
            .await?;
        for row in &in_flight {
            let order: String = Reading("seal_order", row).get("id")?;
            let because = format!("the licence was ended ({}) before its next version was sealed", act.as_str());
            let done = sqlx::query("UPDATE seal_order SET state = 'lost', ended_at = $1, lost_because = $2 WHERE id = $3 AND state = 'written'")
                .bind(micros(now))
                .bind(&because)
                .bind(&order)
                .execute(&mut *tx)
                .await?;
            if done.rows_affected() == 1 {
                let detail = serde_json::json!({ "because": because });
                audit(&mut tx, now, by.as_str(), "order.lost", &order, &detail).await?;
            }
        }
        let rows = sqlx::query(COLUMNS).bind(licence).fetch_all(&mut *tx).await?;
        let mut versions = rows.iter().map(read_licence).collect::<Result<Vec<_>, _>>()?;
        let life = Licence::of(versions.iter().map(|filed| filed.licence.version.clone()).collect());
        let identifier = life.next(act, now)?;
        // There is one, or there would be no next.
        let last = versions.pop().ok_or_else(version_taken)?.licence;
        let pending = LicencePending {
            version: LicenceVersion { identifier: identifier.clone(), act, at: now, ..last.version },
            decision: decision.get().number.clone(),
            ..last
        };
        add_decision(&mut tx, decision, now).await?;
        add_version(&mut tx, &pending, None, now).await?;
        let what = format!("licence.{}", act.as_str());
        let detail = serde_json::json!({ "decision": pending.decision });
        audit(&mut tx, now, by.as_str(), &what, &identifier.to_string(), &detail).await?;
        let named = identifier.to_string();
        let facts = [("licence", named.as_str()), ("decision", &pending.decision), ("officer", by.as_str())];
        tx.enter((Matter::Licence, act.as_str()), now, None, None, &facts).await?;
        let payload = serde_json::json!({ "act": act, "decision": pending.decision });
        post(&mut tx, now, "licence.ended", &identifier.to_string(), &payload).await?;
        tx.commit().await?;
        Ok(identifier)
    }

    /// A decision by its number.
    pub async fn decision(&self, number: &str) -> Result<Option<DecisionRequest>, StoreError> {
        let row = sqlx::query("SELECT decision FROM decision WHERE number = $1")
            .bind(number)
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(|row| Reading("decision", row).json("decision")).transpose()
    }

    /// A sealed document by its SHA-256 (hexadecimal).
    pub async fn document(&self, sha256: &str) -> Result<Option<Document>, StoreError> {
        let row = sqlx::query("SELECT sha256, media_type, bytes FROM document WHERE sha256 = $1")
            .bind(sha256)
            .fetch_optional(&self.read)
            .await?;
        row.as_ref()
            .map(|row| {
                let row = Reading("document", row);
                Ok(Document {
                    sha256: row.get("sha256")?,
                    media_type: row.word("media_type")?,
                    bytes: row.get("bytes")?,
                })
            })
            .transpose()
    }
}

/// Files the decision, or finds the same one there; another under the same number is a conflict.
pub(super) async fn add_decision(tx: &mut Writing, decision: &Decision, now: OffsetDateTime) -> Result<(), StoreError> {
    let request = decision.get();
    let row = sqlx::query("SELECT decision FROM decision WHERE number = $1")
        .bind(&request.number)
        .fetch_optional(&mut **tx)
        .await?;
    if let Some(row) = row {
        let filed: DecisionRequest = Reading("decision", &row).json("decision")?;
        return if filed == *request {
            Ok(())
        } else {
            Err(StoreError::conflict(
                "store.decision",
                "该决定书文号已用于另一决定，请核对文号",
                "this decision number is already filed with other facts; check the number",
            ))
        };
    }
    sqlx::query("INSERT INTO decision (number, case_number, item, decision, accepted_at, decided_at, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(&request.number)
        .bind(&request.case)
        .bind(request.item.as_str())
        .bind(to_json(request)?)
        .bind(micros(request.accepted_at))
        .bind(micros(request.decided_at))
        .bind(micros(now))
        .execute(&mut **tx)
        .await
        .map_err(|e| already(e, "store.decision", "该决定书文号已用于另一决定，请核对文号", "this decision number is already filed with other facts; check the number"))?;
    Ok(())
}

pub(super) async fn add_version(
    tx: &mut Writing,
    pending: &LicencePending,
    document: Option<&str>,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let version = &pending.version;
    sqlx::query(
        "INSERT INTO licence_version (identifier, licence, version, act, at, valid_from, valid_until, name, holder_name, decision, template, template_version, data, document, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(version.identifier.to_string())
    .bind(version.identifier.licence())
    .bind(i64::from(version.identifier.version()))
    .bind(version.act.as_str())
    .bind(micros(version.at))
    .bind(micros(version.valid_from))
    .bind(version.valid_until.map(micros))
    .bind(&pending.name)
    .bind(&pending.holder_name)
    .bind(&pending.decision)
    .bind(&pending.template)
    .bind(&pending.template_version)
    .bind(pending.data.to_string())
    .bind(document.map(str::to_owned))
    .bind(micros(now))
    .execute(&mut **tx)
    .await
    .map_err(|e| if already_there(&e) { version_taken() } else { e.into() })?;
    add_card(tx, &version.identifier, &pending.decision).await
}

/// Adds a file to a licence's version, which begins with its first file. A version of another decision is another's.
pub(super) async fn add_file(
    tx: &mut Writing,
    pending: &LicencePending,
    (media_type, document): (MediaType, &str),
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let identifier = pending.version.identifier.to_string();
    let begun = sqlx::query("SELECT decision FROM licence_version WHERE identifier = $1")
        .bind(&identifier)
        .fetch_optional(&mut **tx)
        .await?;
    match begun {
        None => add_version(tx, pending, Some(document), now).await?,
        Some(row) if Reading("licence_version", &row).get::<String>("decision")? == pending.decision => {}
        Some(_) => return Err(version_taken()),
    }
    sqlx::query("INSERT INTO licence_file (identifier, media_type, document, recorded_at) VALUES ($1, $2, $3, $4)")
        .bind(&identifier)
        .bind(media_type.as_str())
        .bind(document)
        .bind(micros(now))
        .execute(&mut **tx)
        .await
        .map_err(|e| if already_there(&e) { version_taken() } else { e.into() })?;
    Ok(())
}

/// Nothing is written down for a version that there is already: the licence was ended, or renewed, meanwhile.
pub(super) async fn check_version_free(tx: &mut Writing, identifier: &LicenceIdentifier) -> Result<(), StoreError> {
    let taken = sqlx::query("SELECT identifier FROM licence_version WHERE licence = $1 AND version >= $2")
        .bind(identifier.licence())
        .bind(i64::from(identifier.version()))
        .fetch_optional(&mut **tx)
        .await?;
    if taken.is_some() { Err(version_taken()) } else { Ok(()) }
}

fn version_taken() -> StoreError {
    StoreError::conflict(
        "store.version",
        "证照刚刚有了新版本（如已注销或延续），请查询后再办",
        "the licence has a newer version by now (ended, or renewed); look it up before going on",
    )
}

pub(super) async fn add_document(
    tx: &mut Writing,
    sha256: &str,
    media_type: MediaType,
    bytes: &[u8],
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO document (sha256, media_type, bytes, stored_at) VALUES ($1, $2, $3, $4)")
        .bind(sha256)
        .bind(media_type.as_str())
        .bind(bytes)
        .bind(micros(now))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn read_licence(row: &AnyRow) -> Result<FiledLicence, StoreError> {
    let row = Reading("licence_version", row);
    Ok(FiledLicence {
        licence: LicencePending {
            version: LicenceVersion {
                identifier: row.parse("identifier", LicenceIdentifier::parse)?,
                act: row.word("act")?,
                at: row.time("at")?,
                valid_from: row.time("valid_from")?,
                valid_until: row.time_or_none("valid_until")?,
            },
            name: row.get("name")?,
            holder_name: row.get("holder_name")?,
            decision: row.get("decision")?,
            template: row.get("template")?,
            template_version: row.get("template_version")?,
            data: row.json("data")?,
        },
        document: row.get("document")?,
        ofd: row.get("ofd")?,
    })
}
