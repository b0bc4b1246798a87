//! Annotated copies, what licences are found by, and timed links to their files.

use time::OffsetDateTime;

use super::order::{OrderRecord, OrderState};
use super::row::Reading;
use super::writing::Writing;
use super::{Store, StoreError, micros};
use crate::decision::DecisionRequest;
use crate::licence::LicenceIdentifier;
use crate::licence::annotation::Annotation;
use crate::officer::OfficerId;

impl Store {
    /// The copies of a licence that are sealed or wait, newest first, at most `limit`: one record for each file.
    pub async fn copies(&self, licence: &str, limit: u16) -> Result<Vec<OrderRecord>, StoreError> {
        let ids = sqlx::query(
            "SELECT id FROM seal_order WHERE licence = $1 AND annotation IS NOT NULL AND state <> 'lost' ORDER BY written_at DESC, id LIMIT $2",
        )
        .bind(licence)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        let mut copies = vec![];
        for row in &ids {
            let id: String = Reading("seal_order", row).get("id")?;
            copies.extend(self.order(&id).await?.filter(|order| order.state != OrderState::Lost));
        }
        Ok(copies)
    }

    /// What a token is called, by the SHA-256 of its value, hexadecimal.
    pub async fn token_label(&self, id: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT label FROM api_token WHERE id = $1").bind(id).fetch_optional(&self.read).await?;
        row.as_ref().map(|row| Reading("api_token", row).get("label")).transpose()
    }

    /// Licences of a holder, `type.issuer.serial`, of one type or of all; at most `limit`.
    pub async fn licences_of(
        &self,
        (holder_code, holder_code_type): (&str, &str),
        type_code: &str,
        limit: u16,
    ) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT licence FROM licence_card WHERE holder_code = $1 AND ($2 = '' OR holder_code_type = $2) AND ($3 = '' OR type_code = $3) \
             ORDER BY licence LIMIT $4",
        )
        .bind(holder_code)
        .bind(holder_code_type)
        .bind(type_code)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| Reading("licence_card", row).get("licence")).collect()
    }

    /// One of the licences of this type, where there is any.
    pub async fn licence_of_type(&self, type_code: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT MAX(licence) AS licence FROM licence_card WHERE type_code = $1")
            .bind(type_code)
            .fetch_one(&self.read)
            .await?;
        Reading("licence_card", &row).get("licence")
    }

    /// Files a link to a document; `id` is the SHA-256 of its secret, hexadecimal.
    pub async fn add_link(
        &self,
        id: &str,
        document: &str,
        officer: &OfficerId,
        (now, expires_at): (OffsetDateTime, OffsetDateTime),
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM share_link WHERE expires_at <= $1").bind(micros(now)).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO share_link (id, document, officer, made_at, expires_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(id)
            .bind(document)
            .bind(officer.as_str())
            .bind(micros(now))
            .bind(micros(expires_at))
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// The document that a link leads to now (SHA-256, hexadecimal), while whoever asked for it is in post.
    pub async fn link(&self, id: &str, now: OffsetDateTime) -> Result<Option<String>, StoreError> {
        let row = sqlx::query(
            "SELECT l.document AS document FROM share_link l JOIN officer o ON o.id = l.officer \
             WHERE l.id = $1 AND l.expires_at > $2 AND (o.left_at IS NULL OR o.left_at > $2)",
        )
        .bind(id)
        .bind(micros(now))
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(|row| Reading("share_link", row).get("document")).transpose()
    }

    /// Writes the cards of licences that were filed before there were any.
    pub(super) async fn write_cards(&self) -> Result<(), StoreError> {
        let rows = sqlx::query(
            "SELECT v.identifier AS identifier, v.decision AS decision FROM licence_version v \
             LEFT JOIN licence_card c ON c.licence = v.licence WHERE v.version = 1 AND c.licence IS NULL",
        )
        .fetch_all(&self.write)
        .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for row in &rows {
            let row = Reading("licence_version", row);
            let identifier = row.parse("identifier", LicenceIdentifier::parse)?;
            add_card(&mut tx, &identifier, &row.get::<String>("decision")?).await?;
        }
        tx.commit().await
    }
}

/// By what a licence is found. Holder and type are the same over all its versions, so the first writes it.
pub(super) async fn add_card(
    tx: &mut Writing,
    identifier: &LicenceIdentifier,
    decision: &str,
) -> Result<(), StoreError> {
    if identifier.version() != 1 {
        return Ok(());
    }
    let row =
        sqlx::query("SELECT decision FROM decision WHERE number = $1").bind(decision).fetch_one(&mut **tx).await?;
    let decision: DecisionRequest = Reading("decision", &row).json("decision")?;
    sqlx::query("INSERT INTO licence_card (licence, type_code, holder_code, holder_code_type) VALUES ($1, $2, $3, $4)")
        .bind(identifier.licence())
        .bind(identifier.type_code())
        .bind(&decision.holder.code)
        .bind(&decision.holder.code_type)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The rule once more, within the transaction that writes the copy down: the licence may have ended since leave was given. An
/// end that comes later loses the order, as it does a renewal in flight.
pub(super) async fn check_may_be_copied(tx: &mut Writing, annotation: &Annotation) -> Result<(), StoreError> {
    let licence = Store::licence_in(tx, &annotation.identifier.licence()).await?;
    Ok(annotation.check(&licence)?)
}
