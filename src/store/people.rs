//! Officers, the end of their posts, their tokens, and the grants under which they use seals.

use std::collections::BTreeSet;

use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::audit::{audit, changed};
use super::row::{Reading, as_stored, to_json};
use super::seals::{already, touch};
use super::{Store, StoreError, exactly_one, micros};
use crate::authority::Uscc;
use crate::officer::{Grant, Officer, OfficerId};
use crate::seal::SealNumber;
use crate::tlog::leaf::Matter;

/// What a program's token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Issue licences and approval documents.
    Issue,
    /// Seal uploaded documents.
    Seal,
    /// Abolition, custody, grants, seals' life.
    Administer,
    /// Read the ledger and the audit trail.
    Supervise,
    /// The sharing operations: facts of licences, and annotated copies under the officer's grants.
    Share,
}

/// A program's token; the token itself is known to its holder alone.
#[derive(Debug, Clone)]
pub struct ApiToken {
    /// SHA-256 of the token, hexadecimal.
    pub id: String,
    pub officer: OfficerId,
    pub label: String,
    pub scopes: BTreeSet<Scope>,
    pub expires_at: OffsetDateTime,
}

const OFFICER: &str = "SELECT id, name, authority, employment, duties, left_at FROM officer WHERE id = $1";

impl Store {
    /// Files an officer; `password` is an argon2id hash in PHC form, or empty.
    pub async fn add_officer(
        &self,
        officer: &Officer,
        password: &str,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO officer (id, name, authority, employment, duties, left_at, password) VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(officer.id.as_str())
            .bind(&officer.name)
            .bind(officer.authority.as_str())
            .bind(employment(officer))
            .bind(to_json(&officer.duties)?)
            .bind(officer.left.map(micros))
            .bind(password)
            .execute(&mut *tx)
            .await
            .map_err(|e| already(e, "store.officer", "该人员编号已登记", "this officer is already filed"))?;
        let detail = serde_json::json!({ "authority": officer.authority, "employment": officer.employment, "duties": officer.duties });
        let filed = Officer { left: officer.left.map(as_stored), ..officer.clone() };
        let detail = changed(detail, None, Some(&filed))?;
        audit(&mut tx, now, who, "officer.filed", officer.id.as_str(), &detail).await?;
        tx.commit().await
    }

    /// One officer.
    pub async fn officer(&self, id: &OfficerId) -> Result<Option<Officer>, StoreError> {
        let row = sqlx::query(OFFICER).bind(id.as_str()).fetch_optional(&self.read).await?;
        row.as_ref().map(|row| read_officer(&Reading("officer", row))).transpose()
    }

    /// All officers, by identifier.
    pub async fn officers(&self) -> Result<Vec<Officer>, StoreError> {
        sqlx::query("SELECT id, name, authority, employment, duties, left_at FROM officer ORDER BY id")
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(|row| read_officer(&Reading("officer", row)))
            .collect()
    }

    /// Ends an officer's post from `at` on: duties, sessions, tokens, and the leave to seal under grants. Orders in flight
    /// on older facts are refused. A date that is filed can be brought forward, never put off.
    pub async fn leave_post(
        &self,
        id: &OfficerId,
        at: OffsetDateTime,
        by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let seals = sqlx::query("SELECT DISTINCT seal FROM seal_grant WHERE officer = $1 ORDER BY seal")
            .bind(id.as_str())
            .fetch_all(&mut *tx)
            .await?;
        for row in &seals {
            touch(&mut tx, &Reading("seal_grant", row).parse("seal", SealNumber::parse)?).await?;
        }
        let before = sqlx::query(OFFICER).bind(id.as_str()).fetch_optional(&mut *tx).await?;
        let before = before.map(|row| read_officer(&Reading("officer", &row))).transpose()?;
        let done = sqlx::query("UPDATE officer SET left_at = $1 WHERE id = $2 AND (left_at IS NULL OR left_at > $1)")
            .bind(micros(at))
            .bind(id.as_str())
            .execute(&mut *tx)
            .await?;
        exactly_one(done, || {
            StoreError::conflict(
                "store.officer-left",
                "没有此人员，或其离岗时间已登记且不晚于此",
                "there is no such officer, or an instant of leaving no later than this is already filed",
            )
        })?;
        if at <= now {
            sqlx::query("DELETE FROM session WHERE officer = $1").bind(id.as_str()).execute(&mut *tx).await?;
        }
        let after = before.clone().map(|before| Officer { left: Some(as_stored(at)), ..before });
        let detail = changed(serde_json::json!({ "at": micros(at) }), before.as_ref(), after.as_ref())?;
        audit(&mut tx, now, by.as_str(), "officer.left", id.as_str(), &detail).await?;
        tx.commit().await
    }

    /// Files a token for a program that acts in an officer's name.
    pub async fn add_token(&self, token: &ApiToken, now: OffsetDateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO api_token (id, officer, label, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(&token.id)
            .bind(token.officer.as_str())
            .bind(&token.label)
            .bind(to_json(&token.scopes)?)
            .bind(micros(now))
            .bind(micros(token.expires_at))
            .execute(&mut *tx)
            .await?;
        audit(
            &mut tx,
            now,
            token.officer.as_str(),
            "token.made",
            &token.label,
            &serde_json::json!({ "scopes": token.scopes }),
        )
        .await?;
        tx.commit().await
    }

    /// Takes a token back at once.
    pub async fn revoke_token(&self, id: &str, by: &OfficerId, now: OffsetDateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("UPDATE api_token SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
            .bind(micros(now))
            .bind(id)
            .execute(&mut *tx)
            .await?;
        exactly_one(done, || {
            StoreError::conflict(
                "store.no-token",
                "没有此令牌，或已被收回",
                "there is no such token, or it was already taken back",
            )
        })?;
        audit(&mut tx, now, by.as_str(), "token.revoked", id, &serde_json::json!({})).await?;
        tx.commit().await
    }

    /// The officer and scopes behind a token that is still good.
    pub async fn token(&self, id: &str, now: OffsetDateTime) -> Result<Option<(Officer, BTreeSet<Scope>)>, StoreError> {
        let row = sqlx::query(
            "SELECT o.id AS id, o.name AS name, o.authority AS authority, o.employment AS employment, o.duties AS duties, o.left_at AS left_at, t.scopes AS scopes \
             FROM api_token t JOIN officer o ON o.id = t.officer WHERE t.id = $1 AND t.expires_at > $2 AND t.revoked_at IS NULL AND (o.left_at IS NULL OR o.left_at > $2)",
        )
        .bind(id)
        .bind(micros(now))
        .fetch_optional(&self.read)
        .await?;
        row.as_ref()
            .map(|row| {
                let row = Reading("api_token", row);
                Ok((read_officer(&row)?, row.json("scopes")?))
            })
            .transpose()
    }

    /// Files a grant. Orders in flight under older facts are refused.
    pub async fn add_grant(
        &self,
        grant: &Grant,
        by: &OfficerId,
        confirmed_by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        touch(&mut tx, &grant.seal).await?;
        sqlx::query("INSERT INTO seal_grant (id, officer, seal, items, from_at, until_at, given_by, document) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(&grant.id)
            .bind(grant.officer.as_str())
            .bind(grant.seal.as_str())
            .bind(to_json(&grant.items)?)
            .bind(micros(grant.from))
            .bind(micros(grant.until))
            .bind(&grant.given_by)
            .bind(&grant.document)
            .execute(&mut *tx)
            .await
            .map_err(|e| already(e, "store.grant", "该授权编号已登记", "this grant is already filed"))?;
        let detail = serde_json::json!({ "grant": grant.id, "officer": grant.officer, "document": grant.document, "confirmed_by": confirmed_by });
        let filed =
            Grant { from: as_stored(grant.from), until: as_stored(grant.until), revoked_at: None, ..grant.clone() };
        let detail = changed(detail, None, Some(&filed))?;
        audit(&mut tx, now, by.as_str(), "grant.given", grant.seal.as_str(), &detail).await?;
        let record = hex::encode(crate::crypto::sha256(to_json(&filed)?.as_bytes()));
        let facts = [
            ("grant", grant.id.as_str()),
            ("officer", grant.officer.as_str()),
            ("record", &record),
            ("by", by.as_str()),
            ("confirmed-by", confirmed_by.as_str()),
        ];
        tx.enter((Matter::Grant, "given"), now, Some(&grant.seal), None, &facts).await?;
        tx.commit().await
    }

    /// Takes a grant back at once.
    pub async fn revoke_grant(&self, id: &str, by: &OfficerId, now: OffsetDateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let none = || {
            StoreError::conflict(
                "store.no-grant",
                "没有此授权，或已被收回",
                "there is no such grant, or it was already taken back",
            )
        };
        let row = sqlx::query("SELECT id, officer, seal, items, from_at, until_at, given_by, document, revoked_at FROM seal_grant WHERE id = $1 AND revoked_at IS NULL")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or_else(none)?;
        let before = read_grant(&row)?;
        let seal = before.seal.clone();
        touch(&mut tx, &seal).await?;
        let done = sqlx::query("UPDATE seal_grant SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
            .bind(micros(now))
            .bind(id)
            .execute(&mut *tx)
            .await?;
        exactly_one(done, none)?;
        let after = Grant { revoked_at: Some(as_stored(now)), ..before.clone() };
        let detail = changed(serde_json::json!({ "grant": id }), Some(&before), Some(&after))?;
        audit(&mut tx, now, by.as_str(), "grant.revoked", seal.as_str(), &detail).await?;
        let facts = [("grant", id), ("by", by.as_str())];
        tx.enter((Matter::Grant, "taken-back"), now, Some(&seal), None, &facts).await?;
        tx.commit().await
    }

    /// One grant, taken back or not.
    pub async fn grant(&self, id: &str) -> Result<Option<Grant>, StoreError> {
        sqlx::query("SELECT id, officer, seal, items, from_at, until_at, given_by, document, revoked_at FROM seal_grant WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.read)
            .await?
            .as_ref()
            .map(read_grant)
            .transpose()
    }

    /// All grants for a seal, newest first.
    pub async fn grants(&self, seal: &SealNumber) -> Result<Vec<Grant>, StoreError> {
        sqlx::query("SELECT id, officer, seal, items, from_at, until_at, given_by, document, revoked_at FROM seal_grant WHERE seal = $1 ORDER BY from_at DESC, id")
            .bind(seal.as_str())
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(read_grant)
            .collect()
    }
}

fn employment(officer: &Officer) -> &'static str {
    match officer.employment {
        crate::officer::Employment::Regular => "regular",
        crate::officer::Employment::Contracted => "contracted",
    }
}

pub(super) fn read_officer(row: &Reading<'_>) -> Result<Officer, StoreError> {
    Ok(Officer {
        id: row.parse("id", OfficerId::parse)?,
        name: row.get("name")?,
        authority: row.parse("authority", Uscc::parse)?,
        employment: row.word("employment")?,
        duties: row.json("duties")?,
        left: row.time_or_none("left_at")?,
    })
}

pub(super) fn read_grant(row: &AnyRow) -> Result<Grant, StoreError> {
    let row = Reading("seal_grant", row);
    Ok(Grant {
        id: row.get("id")?,
        officer: row.parse("officer", OfficerId::parse)?,
        seal: row.parse("seal", SealNumber::parse)?,
        items: row.json("items")?,
        from: row.time("from_at")?,
        until: row.time("until_at")?,
        given_by: row.get("given_by")?,
        document: row.get("document")?,
        revoked_at: row.time_or_none("revoked_at")?,
    })
}
