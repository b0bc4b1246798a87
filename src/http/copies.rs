//! The staff API for annotated copies (加注件).

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::answers::rfc3339;
use super::asked;
use super::issuing::{IssuedAnswer, WaitingAnswer, made, may_fetch};
use super::problem::{Problem, ProblemBody};
use super::sign_in::Program;
use super::staff::At;
use crate::issue::{CopyRequest, Files, annotate, newest};
use crate::licence::LicenceIdentifier;
use crate::limits;
use crate::seal::SealNumber;
use crate::store::Scope;

/// As [`CopyRequest`]; the identifier is in the address.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CopyPart {
    purpose: String,
    requester: String,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<SealNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    files: Option<Files>,
}

/// Makes an annotated copy of a licence in force: its face with purpose, requester and end over it, sealed under its own order.
#[utoipa::path(post, path = "/api/v1/licences/{identifier}/copies", tag = "issuing", security(("token" = [])), params(("identifier" = String, Path, description = "The version that counts")), request_body = asked::CopyRequest, responses(
    (status = 201, description = "Sealed", body = IssuedAnswer),
    (status = 200, description = "The same request had been carried out before", body = IssuedAnswer),
    (status = 202, description = "Written down; it waits for a time stamp, evidence or its key, and is finished by itself", body = WaitingAnswer),
    (status = 404, description = "No such licence", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "A rule said no: the licence is not in force, another version counts, the end is too late, there is no grant", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn copies(
    At(state): At,
    program: Program,
    Path(identifier): Path<String>,
    body: Result<Json<CopyPart>, JsonRejection>,
) -> Result<Response, Problem> {
    program.may(Scope::Issue)?;
    let Json(CopyPart { purpose, requester, expires_at, seal, files }) = body?;
    let identifier = LicenceIdentifier::parse(&identifier)?;
    let request = CopyRequest { identifier, purpose, requester, expires_at, seal, files };
    made(annotate(&state.desk, &program.officer, request, (state.clock)()).await)
}

/// A file of an annotated copy.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CopyAnswer {
    /// 加注件编号: the same for both files of one copy.
    number: String,
    /// The version that it is a copy of.
    identifier: String,
    purpose: String,
    requester: String,
    #[schema(format = DateTime)]
    made_at: String,
    /// Exclusive.
    #[schema(format = DateTime)]
    expires_at: String,
    expired: bool,
    order: String,
    /// `written` or `sealed`.
    state: &'static str,
    media_type: &'static str,
    /// SHA-256 of the document in its newest form, hexadecimal, once it is sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
}

/// The annotated copies of a licence, newest first, at most 200 files.
#[utoipa::path(get, path = "/api/v1/licences/{identifier}/copies", tag = "issuing", security(("token" = [])), params(("identifier" = String, Path, description = "Any version of the licence")), responses(
    (status = 200, description = "The copies' files", body = Vec<CopyAnswer>),
    (status = 400, description = "Not an identifier", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn copies_made(
    At(state): At,
    program: Program,
    Path(identifier): Path<String>,
) -> Result<Json<Vec<CopyAnswer>>, Problem> {
    may_fetch(&program)?;
    let identifier = LicenceIdentifier::parse(&identifier)?;
    let (store, now) = (&state.desk.store, (state.clock)());
    let mut answers = vec![];
    for order in store.copies(&identifier.licence(), limits::HTTP_ROWS).await? {
        let Some(copy) = order.annotation else { continue };
        answers.push(CopyAnswer {
            number: copy.number,
            identifier: copy.identifier.to_string(),
            purpose: copy.purpose,
            requester: copy.requester,
            made_at: rfc3339(copy.made_at),
            expires_at: rfc3339(copy.expires_at),
            expired: now >= copy.expires_at,
            order: order.id,
            state: order.state.as_str(),
            media_type: order.media_type.as_str(),
            document: match order.document {
                Some(document) => Some(newest(store, document).await?),
                None => None,
            },
        });
    }
    Ok(Json(answers))
}
