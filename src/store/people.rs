//! Officers, how they sign in, their tokens, and the grants under which they use seals.

use std::collections::BTreeSet;

use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::audit::audit;
use super::row::{Reading, to_json};
use super::seals::{already, touch};
use super::{Store, StoreError, exactly_one, micros};
use crate::authority::Uscc;
use crate::officer::{Grant, Officer, OfficerId};
use crate::seal::SealNumber;

/// What signing in needs to know.
#[derive(Debug, Clone)]
pub struct SignIn {
    pub officer: Officer,
    /// argon2id in PHC form; empty where the officer cannot sign in.
    pub password: String,
    pub failures: i64,
    pub locked_until: OffsetDateTime,
}

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

const OFFICER: &str = "SELECT id, name, authority, employment, duties, left_post, password, failures, locked_until FROM officer WHERE id = $1";

impl Store {
    /// Files an officer; `password` is an argon2id hash in PHC form, or empty.
    pub async fn add_officer(&self, officer: &Officer, password: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO officer (id, name, authority, employment, duties, left_post, password, failures, locked_until) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0)")
            .bind(officer.id.as_str())
            .bind(&officer.name)
            .bind(officer.authority.as_str())
            .bind(employment(officer))
            .bind(to_json(&officer.duties)?)
            .bind(i64::from(officer.left))
            .bind(password)
            .execute(&self.write)
            .await
            .map_err(|e| already(e, "store.officer", "该人员编号已登记", "this officer is already filed"))?;
        Ok(())
    }

    /// One officer.
    pub async fn officer(&self, id: &OfficerId) -> Result<Option<Officer>, StoreError> {
        Ok(self.sign_in(id).await?.map(|s| s.officer))
    }

    /// All officers, by identifier.
    pub async fn officers(&self) -> Result<Vec<Officer>, StoreError> {
        sqlx::query("SELECT id, name, authority, employment, duties, left_post FROM officer ORDER BY id")
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(|row| read_officer(&Reading("officer", row)))
            .collect()
    }

    /// What signing in needs to know of an officer.
    pub async fn sign_in(&self, id: &OfficerId) -> Result<Option<SignIn>, StoreError> {
        let row = sqlx::query(OFFICER).bind(id.as_str()).fetch_optional(&self.read).await?;
        row.as_ref()
            .map(|row| {
                let row = Reading("officer", row);
                Ok(SignIn {
                    officer: read_officer(&row)?,
                    password: row.get("password")?,
                    failures: row.get("failures")?,
                    locked_until: row.time("locked_until")?,
                })
            })
            .transpose()
    }

    /// Sets a new password hash (PHC form).
    pub async fn set_password(&self, id: &OfficerId, password: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("UPDATE officer SET password = $1, failures = 0, locked_until = 0 WHERE id = $2")
            .bind(password)
            .bind(id.as_str())
            .execute(&mut *tx)
            .await?;
        exactly_one(done, || StoreError::conflict("store.no-officer", "没有此人员", "there is no such officer"))?;
        // Whoever knew the old one is signed out.
        sqlx::query("DELETE FROM session WHERE officer = $1").bind(id.as_str()).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Counts a failed attempt, and locks the account until `locked_until` (the past for not at all).
    pub async fn sign_in_failed(&self, id: &OfficerId, locked_until: OffsetDateTime) -> Result<(), StoreError> {
        sqlx::query("UPDATE officer SET failures = failures + 1, locked_until = $1 WHERE id = $2")
            .bind(micros(locked_until))
            .bind(id.as_str())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Opens a session. `id` is the SHA-256 of the cookie's value.
    pub async fn open_session(
        &self,
        id: &str,
        officer: &OfficerId,
        now: OffsetDateTime,
        expires_at: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE officer SET failures = 0, locked_until = 0 WHERE id = $1")
            .bind(officer.as_str())
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM session WHERE expires_at < $1").bind(micros(now)).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO session (id, officer, created_at, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(id)
            .bind(officer.as_str())
            .bind(micros(now))
            .bind(micros(expires_at))
            .execute(&mut *tx)
            .await?;
        audit(&mut tx, now, officer.as_str(), "session.opened", officer.as_str(), &serde_json::json!({})).await?;
        Ok(tx.commit().await?)
    }

    /// The officer behind a session that is still good, and still in post.
    pub async fn session(&self, id: &str, now: OffsetDateTime) -> Result<Option<Officer>, StoreError> {
        let row = sqlx::query(
            "SELECT o.id AS id, o.name AS name, o.authority AS authority, o.employment AS employment, o.duties AS duties, o.left_post AS left_post \
             FROM session s JOIN officer o ON o.id = s.officer WHERE s.id = $1 AND s.expires_at > $2 AND o.left_post = 0",
        )
        .bind(id)
        .bind(micros(now))
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(|row| read_officer(&Reading("session", row))).transpose()
    }

    /// Ends a session.
    pub async fn close_session(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM session WHERE id = $1").bind(id).execute(&self.write).await?;
        Ok(())
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
        Ok(tx.commit().await?)
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
        Ok(tx.commit().await?)
    }

    /// The officer and scopes behind a token that is still good.
    pub async fn token(&self, id: &str, now: OffsetDateTime) -> Result<Option<(Officer, BTreeSet<Scope>)>, StoreError> {
        let row = sqlx::query(
            "SELECT o.id AS id, o.name AS name, o.authority AS authority, o.employment AS employment, o.duties AS duties, o.left_post AS left_post, t.scopes AS scopes \
             FROM api_token t JOIN officer o ON o.id = t.officer WHERE t.id = $1 AND t.expires_at > $2 AND t.revoked_at IS NULL AND o.left_post = 0",
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
        audit(
            &mut tx,
            now,
            by.as_str(),
            "grant.given",
            grant.seal.as_str(),
            &serde_json::json!({ "grant": grant.id, "officer": grant.officer, "document": grant.document, "confirmed_by": confirmed_by }),
        )
        .await?;
        Ok(tx.commit().await?)
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
        let row = sqlx::query("SELECT seal FROM seal_grant WHERE id = $1 AND revoked_at IS NULL")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or_else(none)?;
        let seal = Reading("seal_grant", &row).parse("seal", SealNumber::parse)?;
        touch(&mut tx, &seal).await?;
        let done = sqlx::query("UPDATE seal_grant SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
            .bind(micros(now))
            .bind(id)
            .execute(&mut *tx)
            .await?;
        exactly_one(done, none)?;
        audit(&mut tx, now, by.as_str(), "grant.revoked", seal.as_str(), &serde_json::json!({ "grant": id })).await?;
        Ok(tx.commit().await?)
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

fn read_officer(row: &Reading<'_>) -> Result<Officer, StoreError> {
    Ok(Officer {
        id: row.parse("id", OfficerId::parse)?,
        name: row.get("name")?,
        authority: row.parse("authority", Uscc::parse)?,
        employment: row.word("employment")?,
        duties: row.json("duties")?,
        left: row.get::<i64>("left_post")? != 0,
    })
}

fn read_grant(row: &AnyRow) -> Result<Grant, StoreError> {
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
