//! The staff API for making and fetching documents.

use axum::Json;
use axum::extract::Path;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answers::rfc3339;
use super::asked;
use super::problem::{Problem, ProblemBody};
use super::sign_in::Program;
use super::staff::{At, StaffState};
use crate::decision::DecisionRequest;
use crate::desk::FlowError;
use crate::issue::{self, EndRequest, IssueRequest, Issued, UploadPlace, UploadRequest};
use crate::licence::{LicenceAct, LicenceIdentifier};
use crate::seal::SealNumber;
use crate::store::{Scope, Waiting};

/// A sealed, checked and stored document.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IssuedAnswer {
    /// Identifier of the order in the ledger.
    order: String,
    /// GB/T 36904 identifier, of a licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    /// SHA-256 of the document, hexadecimal; fetch it from `/api/v1/documents/{sha256}`.
    document: String,
    /// SHA-256 of the same document as OFD, hexadecimal, where it was made in both formats; absent while that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    ofd: Option<String>,
    title: String,
    /// The same request had been carried out before; this is its document.
    again: bool,
}

impl From<Issued> for IssuedAnswer {
    fn from(issued: Issued) -> Self {
        let identifier = issued.identifier.map(|identifier| identifier.to_string());
        let Issued { order, document, ofd, title, again, .. } = issued;
        Self { order, identifier, document, ofd, title, again }
    }
}

/// 201 for a new document, 200 for one that the same request had made before, 202 for one that is written down and waits.
pub(super) fn made(done: Result<Issued, FlowError>) -> Result<Response, Problem> {
    match done {
        Ok(issued) => {
            let status = if issued.again { StatusCode::OK } else { StatusCode::CREATED };
            Ok((status, Json(IssuedAnswer::from(issued))).into_response())
        }
        Err(FlowError::Waiting(waiting)) => {
            let place = [(header::LOCATION, format!("/api/v1/orders/{}", waiting.order))];
            Ok((StatusCode::ACCEPTED, place, Json(WaitingAnswer::from(*waiting))).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// A use of a seal that is written down and will be finished without anybody's doing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WaitingAnswer {
    /// Identifier of the order; ask `/api/v1/orders/{order}` for its outcome, or repeat the request.
    order: String,
    title: String,
    /// Since when it waits.
    #[schema(format = DateTime)]
    since: String,
    /// How often it was tried in vain.
    tries: u32,
    /// When it is tried again by itself.
    #[schema(format = DateTime)]
    next_try: String,
    /// Stable identifier of what is wanting.
    id: String,
    /// What is wanting, Chinese.
    detail: String,
    /// The same in English.
    detail_en: String,
}

impl From<Waiting> for WaitingAnswer {
    fn from(waiting: Waiting) -> Self {
        let Waiting { order, title, since, tries, next_try, because, .. } = waiting;
        let (since, next_try) = (rfc3339(since), rfc3339(next_try));
        Self { order, title, since, tries, next_try, id: because.id, detail: because.zh, detail_en: because.en }
    }
}

/// How a use of a seal stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderAnswer {
    order: String,
    /// `licence`, `upload`, `notice`, `report`, …
    kind: &'static str,
    /// `written`, `sealed` or `lost`.
    state: &'static str,
    /// What the document was promised: `B-B`, `B-T`, `B-LT` or `B-LTA`.
    level: &'static str,
    title: String,
    #[schema(format = DateTime)]
    written_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// GB/T 36904 identifier, of a licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    /// SHA-256 of the document in its newest form, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_because: Option<String>,
    /// What it waits for, where it was tried in vain.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<WaitingAnswer>,
}

/// How a use of a seal stands: sealed, lost, or written down and waiting.
#[utoipa::path(get, path = "/api/v1/orders/{id}", tag = "issuing", security(("token" = [])), params(("id" = String, Path, description = "The order's identifier")), responses(
    (status = 200, description = "How it stands", body = OrderAnswer),
    (status = 404, description = "No such order", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn order(
    At(state): At,
    program: Program,
    Path(id): Path<String>,
) -> Result<Json<OrderAnswer>, Problem> {
    may_fetch(&program)?;
    let store = &state.desk.store;
    let none = || Problem::unknown("http.no-order", "没有此用印记录", "there is no such use of a seal");
    let record = store.order(&id).await?.filter(|record| record.seal.is_some()).ok_or_else(none)?;
    let waiting = store.waiting(&id).await?;
    Ok(Json(OrderAnswer {
        identifier: record.identifier().map(ToString::to_string),
        order: record.id,
        kind: record.kind.as_str(),
        state: record.state.as_str(),
        level: record.level.as_str(),
        title: record.title,
        written_at: rfc3339(record.written_at),
        ended_at: record.ended_at.map(rfc3339),
        document: match record.document {
            Some(document) => Some(issue::newest(store, document).await?),
            None => None,
        },
        lost_because: record.lost_because,
        waiting: waiting.map(WaitingAnswer::from),
    }))
}

/// Makes, seals and stores a licence or approval document.
#[utoipa::path(post, path = "/api/v1/licences", tag = "issuing", security(("token" = [])), request_body = asked::IssueRequest, responses(
    (status = 201, description = "Sealed", body = IssuedAnswer),
    (status = 200, description = "The same request had been carried out before", body = IssuedAnswer),
    (status = 202, description = "Written down; it waits for a time stamp, evidence or its key, and is finished by itself", body = WaitingAnswer),
    (status = 400, description = "The request cannot be read, or the data breaks the template's schema", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "No valid token", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "The token's scopes do not include that", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "In conflict with the record", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "A rule said no", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "Store or keys do not answer", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn licences(
    At(state): At,
    program: Program,
    body: Result<Json<IssueRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    program.may(Scope::Issue)?;
    let Json(request) = body?;
    made(issue::issue(&state.desk, &program.officer, request, (state.clock)()).await)
}

/// As [`EndRequest`]; the identifier is in the address.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndPart {
    decision: DecisionRequest,
    act: LicenceAct,
}

/// The identifier of the version that ended a licence.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndedAnswer {
    identifier: String,
}

/// Ends a licence: cancelled, withdrawn or revoked.
#[utoipa::path(post, path = "/api/v1/licences/{identifier}/end", tag = "issuing", security(("token" = [])), params(("identifier" = String, Path, description = "Any version of the licence")), request_body = asked::EndRequest, responses(
    (status = 201, description = "Ended", body = EndedAnswer),
    (status = 404, description = "No such licence", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "A rule said no", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn end(
    At(state): At,
    program: Program,
    Path(identifier): Path<String>,
    body: Result<Json<EndPart>, JsonRejection>,
) -> Result<(StatusCode, Json<EndedAnswer>), Problem> {
    program.may(Scope::Issue)?;
    let Json(EndPart { decision, act }) = body?;
    let identifier = LicenceIdentifier::parse(&identifier)?;
    let request = EndRequest { decision, identifier, act };
    let ended = issue::end_licence(&state.desk, &program.officer, request, (state.clock)()).await?;
    Ok((StatusCode::CREATED, Json(EndedAnswer { identifier: ended.to_string() })))
}

/// As [`UploadRequest`]; the seal is in the address.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UploadPart {
    decision: DecisionRequest,
    title: String,
    place: UploadPlace,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    more_places: Vec<UploadPlace>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    straddle_mm: Option<f64>,
}

/// Seals a PDF or an OFD that was drafted elsewhere: part `request` is JSON, part `file` the document.
#[utoipa::path(post, path = "/api/v1/seals/{number}/uploads", tag = "issuing", security(("token" = [])), params(("number" = String, Path, description = "13 or 14 digits")), request_body(content = asked::UploadForm, content_type = "multipart/form-data"), responses(
    (status = 201, description = "Sealed", body = IssuedAnswer),
    (status = 200, description = "The same request had been carried out before", body = IssuedAnswer),
    (status = 202, description = "Written down; it waits for a time stamp, evidence or its key, and is finished by itself", body = WaitingAnswer),
    (status = 400, description = "The request or the PDF cannot be read", body = ProblemBody, content_type = "application/problem+json"),
    (status = 413, description = "Larger than is taken", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "A rule said no", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn uploads(
    At(state): At,
    program: Program,
    Path(number): Path<String>,
    form: Multipart,
) -> Result<Response, Problem> {
    program.may(Scope::Seal)?;
    let seal = SealNumber::parse(&number)?;
    let (part, pdf) = parts::<UploadPart>(form, "file").await?;
    let UploadPart { decision, title, place, more_places, straddle_mm } = part;
    let request = UploadRequest { decision, seal, title, place, more_places, straddle_mm };
    let pdf = pdf.ok_or_else(|| missing("file"))?;
    made(issue::seal_upload(&state.desk, &program.officer, request, pdf, (state.clock)()).await)
}

/// Reads the JSON part `request` and the named file of a multipart form.
pub(super) async fn parts<T: for<'de> Deserialize<'de>>(
    mut form: Multipart,
    file: &'static str,
) -> Result<(T, Option<Vec<u8>>), Problem> {
    let (mut request, mut bytes) = (None, None);
    while let Some(field) = form.next_field().await? {
        match field.name() {
            Some("request") => {
                let text = field.bytes().await?;
                request = Some(serde_json::from_slice(&text).map_err(|error| unreadable(&error.to_string()))?);
            }
            Some(name) if name == file => bytes = Some(field.bytes().await?.to_vec()),
            _ => {}
        }
    }
    Ok((request.ok_or_else(|| missing("request"))?, bytes))
}

fn missing(part: &str) -> Problem {
    Problem::bad("http.part-missing", format!("表单缺少“{part}”部分"), format!("the form has no part '{part}'"))
}

/// JSON that does not have the shape; serde's words name the field and the place.
pub(super) fn unreadable(detail: &str) -> Problem {
    let detail: String = detail.chars().filter(|c| !c.is_control()).take(300).collect();
    Problem::bad(
        "http.json",
        format!("JSON 内容不符合要求：{detail}；请对照 /openapi.json"),
        format!("the JSON does not have the shape that is taken: {detail}; see /openapi.json"),
    )
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection {
            JsonRejection::JsonDataError(error) => unreadable(&error.body_text()),
            JsonRejection::JsonSyntaxError(error) => unreadable(&error.body_text()),
            other => Problem::from_status(other.status()),
        }
    }
}

impl From<MultipartError> for Problem {
    fn from(error: MultipartError) -> Self {
        Problem::from_status(error.status())
    }
}

/// A sealed document.
#[utoipa::path(get, path = "/api/v1/documents/{sha256}", tag = "issuing", security(("token" = [])), params(("sha256" = String, Path, description = "SHA-256 of the document, hexadecimal")), responses(
    (status = 200, description = "The document: `application/pdf` or `application/ofd`", body = Vec<u8>, content_type = "application/pdf"),
    (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn document(At(state): At, program: Program, Path(sha256): Path<String>) -> Result<Response, Problem> {
    may_fetch(&program)?;
    send_document(&state, &sha256).await
}

/// Those who make documents, or watch over them.
pub(super) fn may_fetch(program: &Program) -> Result<(), Problem> {
    let any = [Scope::Issue, Scope::Seal, Scope::Supervise].into_iter().any(|scope| program.may(scope).is_ok());
    if any { Ok(()) } else { program.may(Scope::Issue) }
}

/// The document as a download named by its digest: names from outside never become names of files.
pub(super) async fn send_document(state: &StaffState, sha256: &str) -> Result<Response, Problem> {
    let found = state.desk.store.document(sha256).await?.ok_or_else(|| {
        Problem::unknown("http.no-document", "没有此摘要的文件", "there is no document with this digest")
    })?;
    let name: String = found.sha256.chars().take(16).collect();
    let disposition = format!("attachment; filename=\"{name}.{}\"", found.media_type.ending());
    Ok((
        [(header::CONTENT_TYPE, found.media_type.as_str().to_owned()), (header::CONTENT_DISPOSITION, disposition)],
        found.bytes,
    )
        .into_response())
}
