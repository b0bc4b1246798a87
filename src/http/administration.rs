//! The staff API for seals' lives: abolition, custody, activation and suspension, grants, two people each time; and for
//! the end of an officer's post.

use axum::Json;
use axum::extract::multipart::Multipart;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Path, Request};
use axum::http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::asked;
use super::guard::random;
use super::issuing::{IssuedAnswer, parts};
use super::problem::{Problem, ProblemBody};
use super::sign_in::{Program, SecondOfficer};
use super::staff::{At, StaffState};
use crate::abolish::{self, AbolishRequest, seals_from_csv};
use crate::abolition::CustodyEntry;
use crate::administer;
use crate::ceiling::Ceiling;
use crate::item::ItemCode;
use crate::officer::{Duty, Grant, GrantedItems, Officer, OfficerId};
use crate::seal::{Level, SealEvent, SealEventKind, SealNumber};
use crate::store::Scope;

/// What an abolition did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AbolishedAnswer {
    /// The order's number.
    order: String,
    /// Seals closed or reopened.
    seals: usize,
    /// Certificates put on the revocation list now; the others follow when the order counts.
    revoked: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<IssuedAnswer>,
    /// The notice's order, where it is written down and will be finished by itself; see `/api/v1/orders/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<String>,
}

/// Carries out an order of government: all its seals or none. JSON, or a form with the seals as CSV.
#[utoipa::path(post, path = "/api/v1/abolitions", tag = "administration", security(("token" = [], "second-officer" = [])), request_body(content(
    (asked::AbolitionRequest = "application/json"),
    (asked::AbolitionForm = "multipart/form-data"),
)), responses(
    (status = 201, description = "Carried out", body = AbolishedAnswer),
    (status = 400, description = "The request cannot be read, and nothing was done; or (`render.…`) the notice's data is at fault: then the seals are closed, and the same order again makes the notice alone", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "An order with this number is recorded", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "A rule said no; nothing was recorded", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn abolitions(
    At(state): At,
    program: Program,
    second: SecondOfficer,
    request: Request,
) -> Result<(StatusCode, Json<AbolishedAnswer>), Problem> {
    let by = program.with(Scope::Administer, Duty::SealAdministration)?;
    let second = second.administrator()?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let part = if kind.starts_with("multipart/form-data") {
        let form = Multipart::from_request(request, &state).await.map_err(|e| Problem::from_status(e.status()))?;
        let (mut part, csv) = parts::<AbolishRequest>(form, "seals").await?;
        if let Some(csv) = csv {
            part.order.seals.extend(seals_from_csv(&csv)?);
        }
        part
    } else {
        let Json(part) = Json::<AbolishRequest>::from_request(request, &state).await?;
        part
    };
    let done = abolish::abolish(&state.desk, by, second, part, (state.clock)()).await?;
    let notice = done.notice.map(IssuedAnswer::from);
    let (order, seals, revoked, waiting) = (done.order, done.seals, done.revoked, done.waiting);
    let answer = AbolishedAnswer { order, seals, revoked, notice, waiting };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Records what happened to an abolished seal: sealed away, opened, destroyed.
#[utoipa::path(post, path = "/api/v1/seals/{number}/custody", tag = "administration", security(("token" = [], "second-officer" = [])), params(("number" = String, Path, description = "13 or 14 digits")), request_body = asked::CustodyEntry, responses(
    (status = 204, description = "Recorded"),
    (status = 422, description = "A rule said no", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn custody(
    At(state): At,
    program: Program,
    second: SecondOfficer,
    Path(number): Path<String>,
    body: Result<Json<CustodyEntry>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let by = program.with(Scope::Administer, Duty::SealAdministration)?;
    let second = second.administrator()?;
    let Json(entry) = body?;
    let number = SealNumber::parse(&number)?;
    administer::keep(&state.desk.store, (by, second), &number, &entry, (state.clock)()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A step in a seal's life short of abolition, which takes an order of government.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventPart {
    kind: Step,
    /// Now, where none is given.
    #[serde(default, with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
    document: String,
    reason: String,
    /// How many sealed documents the step ends, where it counts from before now.
    #[serde(default)]
    acknowledged: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Step {
    Activated,
    Suspended,
    Resumed,
}

/// Activates, suspends or resumes a seal: now, from a later instant, or (suspension alone) from an earlier one.
#[utoipa::path(post, path = "/api/v1/seals/{number}/events", tag = "administration", security(("token" = [], "second-officer" = [])), params(("number" = String, Path, description = "13 or 14 digits")), request_body = asked::EventRequest, responses(
    (status = 204, description = "Recorded"),
    (status = 422, description = "A rule said no", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn events(
    At(state): At,
    program: Program,
    second: SecondOfficer,
    Path(number): Path<String>,
    body: Result<Json<EventPart>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let by = program.with(Scope::Administer, Duty::SealAdministration)?;
    let second = second.administrator()?;
    let Json(part) = body?;
    let now = (state.clock)();
    let kind = match part.kind {
        Step::Activated => SealEventKind::Activated,
        Step::Suspended => SealEventKind::Suspended,
        Step::Resumed => SealEventKind::Resumed,
    };
    let (at, document, reason) = (part.at.unwrap_or(now), part.document, part.reason);
    let event = SealEvent { kind, at, document, reason, successor: None, items: vec![] };
    let number = SealNumber::parse(&number)?;
    administer::step(&state.desk.store, (by, second), &number, event, part.acknowledged, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How often a seal may be used, by all together or by the officer of one grant.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CeilingPart {
    /// The grant whose officer is meant; the seal itself, where none is given.
    #[serde(default)]
    grant: Option<String>,
    /// None gives it back to the settings.
    #[serde(default)]
    ceiling: Option<Ceiling>,
    document: String,
}

/// Lays down how often a seal may be used within an hour and a day.
#[utoipa::path(post, path = "/api/v1/seals/{number}/ceilings", tag = "administration", security(("token" = [], "second-officer" = [])), params(("number" = String, Path, description = "13 or 14 digits")), request_body = asked::CeilingRequest, responses(
    (status = 204, description = "Laid down"),
    (status = 409, description = "No such grant of this seal", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "A rule said no", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn ceilings(
    At(state): At,
    program: Program,
    second: SecondOfficer,
    Path(number): Path<String>,
    body: Result<Json<CeilingPart>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let by = program.with(Scope::Administer, Duty::SealAdministration)?;
    let second = second.administrator()?;
    let Json(CeilingPart { grant, ceiling, document }) = body?;
    let number = SealNumber::parse(&number)?;
    let (store, now) = (&state.desk.store, (state.clock)());
    administer::raise(store, (by, second), &number, grant.as_deref(), ceiling, &document, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a seal's documents are promised.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LevelPart {
    level: Level,
}

/// Sets what the seal's documents are promised from now on: B-B, B-T, B-LT or B-LTA.
#[utoipa::path(put, path = "/api/v1/seals/{number}/level", tag = "administration", security(("token" = [], "second-officer" = [])), params(("number" = String, Path, description = "13 or 14 digits")), request_body = asked::LevelRequest, responses(
    (status = 204, description = "Set"),
    (status = 422, description = "A rule said no", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn level(
    At(state): At,
    program: Program,
    second: SecondOfficer,
    Path(number): Path<String>,
    body: Result<Json<LevelPart>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let by = program.with(Scope::Administer, Duty::SealAdministration)?;
    let second = second.administrator()?;
    let Json(part) = body?;
    let number = SealNumber::parse(&number)?;
    administer::promise(&state.desk.store, (by, second), &number, part.level, (state.clock)()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A grant as asked for; its identifier is drawn here.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantPart {
    pub officer: OfficerId,
    pub seal: SealNumber,
    /// None for every item.
    #[serde(default)]
    pub items: Vec<ItemCode>,
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    pub given_by: String,
    pub document: String,
}

/// The identifier of a new grant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GrantedAnswer {
    id: String,
}

/// Files a written authorisation.
#[utoipa::path(post, path = "/api/v1/grants", tag = "administration", security(("token" = [], "second-officer" = [])), request_body = asked::GrantRequest, responses(
    (status = 201, description = "Filed", body = GrantedAnswer),
    (status = 422, description = "A rule said no", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn grants(
    At(state): At,
    program: Program,
    second: SecondOfficer,
    body: Result<Json<GrantPart>, JsonRejection>,
) -> Result<(StatusCode, Json<GrantedAnswer>), Problem> {
    let by = program.with(Scope::Administer, Duty::SealAdministration)?;
    let second = second.administrator()?;
    let Json(part) = body?;
    let id = file_grant(&state, by, second, part).await?;
    Ok((StatusCode::CREATED, Json(GrantedAnswer { id })))
}

/// Files a grant under an identifier of ours.
pub(super) async fn file_grant(
    state: &StaffState,
    by: &Officer,
    second: &Officer,
    part: GrantPart,
) -> Result<String, Problem> {
    let id = hex::encode(random::<8>().map_err(|_| Problem::busy())?);
    let items = match part.items.is_empty() {
        true => GrantedItems::All,
        false => GrantedItems::Only(part.items.into_iter().collect()),
    };
    let GrantPart { officer, seal, from, until, given_by, document, .. } = part;
    let grant = Grant { id: id.clone(), officer, seal, items, from, until, given_by, document, revoked_at: None };
    administer::give(&state.desk.store, (by, second), &grant, (state.clock)()).await?;
    Ok(id)
}

/// Takes a grant back at once; one administrator is enough for that.
#[utoipa::path(delete, path = "/api/v1/grants/{id}", tag = "administration", security(("token" = [])), params(("id" = String, Path, description = "The grant's identifier")), responses(
    (status = 204, description = "Taken back"),
    (status = 409, description = "No such grant, or it was taken back before", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Another authority's seal", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn revoke_grant(
    At(state): At,
    program: Program,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let by = program.with(Scope::Administer, Duty::SealAdministration)?;
    administer::take_back(&state.desk.store, by, &id, (state.clock)()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The end of an officer's post.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeavePart {
    /// Now, where none is given.
    #[serde(default, with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
}

/// Ends an officer's post: duties, sessions, tokens, and every grant's leave to seal. One administrator is enough.
#[utoipa::path(post, path = "/api/v1/officers/{id}/leave", tag = "administration", security(("token" = [])), params(("id" = String, Path, description = "The officer's identifier")), request_body = asked::LeaveRequest, responses(
    (status = 204, description = "Filed"),
    (status = 404, description = "No such officer", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "An instant no later is filed", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Another authority's officer", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn leave(
    At(state): At,
    program: Program,
    Path(id): Path<String>,
    body: Result<Json<LeavePart>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let by = program.with(Scope::Administer, Duty::SealAdministration)?;
    let Json(part) = body?;
    let now = (state.clock)();
    administer::retire(&state.desk.store, by, &OfficerId::parse(&id)?, part.at.unwrap_or(now), now).await?;
    Ok(StatusCode::NO_CONTENT)
}
