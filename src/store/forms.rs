//! The forms of a document: as it was issued, and as it was renewed since. Old forms stay.

use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::audit::{audit, post};
use super::licences::{MediaType, add_document};
use super::row::Reading;
use super::seals::already_there;
use super::writing::Writing;
use super::{Store, StoreError, micros};

/// One form of a document with archive time stamps.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DocumentForm {
    /// SHA-256 of the document as it was issued, hexadecimal.
    pub original: String,
    /// 0 is the original.
    pub position: u32,
    /// SHA-256 of this form, hexadecimal.
    pub document: String,
    /// From when on its newest time stamp proves nothing by itself.
    #[serde(with = "time::serde::rfc3339")]
    pub lapses_at: OffsetDateTime,
}

impl Store {
    /// The newest form of the document that has, or had, this SHA-256 (hexadecimal); none for one without archive time
    /// stamps.
    pub async fn newest_form(&self, sha256: &str) -> Result<Option<DocumentForm>, StoreError> {
        let row = sqlx::query(
            "SELECT n.original AS original, n.position AS position, n.document AS document, n.lapses_at AS lapses_at \
             FROM document_form f JOIN document_form n ON n.original = f.original WHERE f.document = $1 ORDER BY n.position DESC LIMIT 1",
        )
        .bind(sha256)
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(read_form).transpose()
    }

    /// The newest forms whose time stamps lapse by then, soonest first, at most `limit`.
    pub async fn lapsing(&self, by: OffsetDateTime, limit: u16) -> Result<Vec<DocumentForm>, StoreError> {
        sqlx::query(
            "SELECT f.original AS original, f.position AS position, f.document AS document, f.lapses_at AS lapses_at FROM document_form f \
             WHERE f.lapses_at <= $1 AND NOT EXISTS (SELECT 1 FROM document_form n WHERE n.original = f.original AND n.position > f.position) \
             ORDER BY f.lapses_at, f.original LIMIT $2",
        )
        .bind(micros(by))
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?
        .iter()
        .map(read_form)
        .collect()
    }

    /// Files the form that follows `form`. `false` when somebody else renewed it meanwhile; then nothing is written.
    pub async fn renew(
        &self,
        form: &DocumentForm,
        renewed: &[u8],
        lapses_at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        let document = hex::encode(crate::crypto::sha256(renewed));
        let next = DocumentForm { original: form.original.clone(), position: form.position + 1, document, lapses_at };
        let mut tx = self.begin().await?;
        add_document(&mut tx, &next.document, MediaType::Pdf, renewed, now).await?;
        match add_form(&mut tx, &next, now).await {
            Ok(()) => {}
            Err(StoreError::Database(error)) if already_there(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
        let payload = serde_json::json!({ "original": next.original, "document": next.document, "before": form.document, "lapses_at": micros(lapses_at) });
        post(&mut tx, now, "document.renewed", &next.original, &payload).await?;
        audit(&mut tx, now, "service", "document.renewed", &next.original, &payload).await?;
        tx.commit().await?;
        Ok(true)
    }
}

pub(super) async fn add_form(tx: &mut Writing, form: &DocumentForm, now: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO document_form (original, position, document, lapses_at, recorded_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&form.original)
    .bind(i64::from(form.position))
    .bind(&form.document)
    .bind(micros(form.lapses_at))
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn read_form(row: &AnyRow) -> Result<DocumentForm, StoreError> {
    let row = Reading("document_form", row);
    Ok(DocumentForm {
        original: row.get("original")?,
        position: u32::try_from(row.get::<i64>("position")?).map_err(|e| row.bad("position", e.to_string()))?,
        document: row.get("document")?,
        lapses_at: row.time("lapses_at")?,
    })
}
