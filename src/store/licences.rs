//! Licences' versions and the sealed documents themselves.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use time::OffsetDateTime;

use super::audit::{audit, post};
use super::row::{Reading, to_json};
use super::seals::already;
use super::{Store, StoreError, micros};
use crate::decision::{Decision, DecisionRequest};
use crate::licence::{Licence, LicenceIdentifier, LicenceVersion};
use crate::officer::OfficerId;

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
    /// SHA-256 of the sealed document, hexadecimal; none for a version that ends the licence.
    pub document: Option<String>,
}

/// A sealed document.
#[derive(Debug, Clone)]
pub struct Document {
    /// SHA-256, hexadecimal.
    pub sha256: String,
    pub media_type: String,
    pub bytes: Vec<u8>,
}

const COLUMNS: &str = "SELECT identifier, act, at, valid_from, valid_until, name, holder_name, decision, template, template_version, data, document FROM licence_version WHERE licence = $1 ORDER BY version";

impl Store {
    /// A licence's life, by what stays the same over its versions ([`LicenceIdentifier::licence`]).
    pub async fn licence(&self, licence: &str) -> Result<Licence, StoreError> {
        Ok(Licence::of(self.licence_versions(licence).await?.into_iter().map(|filed| filed.licence.version).collect()))
    }

    /// All versions of a licence, oldest first.
    pub async fn licence_versions(&self, licence: &str) -> Result<Vec<FiledLicence>, StoreError> {
        sqlx::query(COLUMNS).bind(licence).fetch_all(&self.read).await?.iter().map(read_licence).collect()
    }

    /// Records a version that has no document: cancelled, withdrawn, revoked.
    pub async fn end_licence(
        &self,
        pending: &LicencePending,
        decision: &Decision,
        by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        add_decision(&mut tx, decision, now).await?;
        add_version(&mut tx, pending, None, now).await?;
        let identifier = pending.version.identifier.to_string();
        let what = format!("licence.{}", pending.version.act.as_str());
        audit(&mut tx, now, by.as_str(), &what, &identifier, &serde_json::json!({ "decision": pending.decision }))
            .await?;
        post(
            &mut tx,
            now,
            "licence.ended",
            &identifier,
            &serde_json::json!({ "act": pending.version.act, "decision": pending.decision }),
        )
        .await?;
        Ok(tx.commit().await?)
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
                    media_type: row.get("media_type")?,
                    bytes: row.get("bytes")?,
                })
            })
            .transpose()
    }
}

/// Files the decision, or finds the same one there; another under the same number is a conflict.
pub(super) async fn add_decision(
    tx: &mut Transaction<'static, Any>,
    decision: &Decision,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
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
    tx: &mut Transaction<'static, Any>,
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
    .map_err(|e| already(e, "store.version", "该版本的证照已存在", "this version of the licence is already filed"))?;
    Ok(())
}

pub(super) async fn add_document(
    tx: &mut Transaction<'static, Any>,
    sha256: &str,
    media_type: &str,
    bytes: &[u8],
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO document (sha256, media_type, bytes, stored_at) VALUES ($1, $2, $3, $4)")
        .bind(sha256)
        .bind(media_type)
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
    })
}
