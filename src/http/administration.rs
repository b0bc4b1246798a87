//! The staff API for seals' lives: abolition, custody, activation and suspension, grants. Two people each time.

use axum::Json;
use axum::extract::multipart::Multipart;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::asked;
use super::guard::random;
use super::issuing::{IssuedAnswer, parts};
use super::problem::{Problem, ProblemBody};
use super::sign_in::{Program, SecondOfficer};
use super::staff::StaffState;
use crate::abolish::{self, Abolished, NoticeRequest, seals_from_csv};
use crate::abolition::{AbolitionRequest, CustodyEntry};
use crate::authority::AuthorityKind;
use crate::desk::FlowError;
use crate::item::ItemCode;
use crate::officer::{Duty, Grant, GrantedItems, Officer, OfficerId, check_two_administrators};
use crate::refusal::{Refusal, Rule};
use crate::seal::{Seal, SealEvent, SealEventKind, SealNumber};
use crate::store::Scope;

/// An order with what is to be done along with it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AbolitionPart {
    order: AbolitionRequest,
    #[serde(default)]
    custody: Vec<CustodyOf>,
    #[serde(default)]
    notice: Option<NoticeRequest>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CustodyOf {
    seal: SealNumber,
    entry: CustodyEntry,
}

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
    State(state): State<StaffState>,
    program: Program,
    second: SecondOfficer,
    request: Request,
) -> Result<(StatusCode, Json<AbolishedAnswer>), Problem> {
    let by = program.with(Scope::Administer, Duty::SealAdministration)?;
    let second = second.administrator()?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let part = if kind.starts_with("multipart/form-data") {
        let form = Multipart::from_request(request, &state).await.map_err(|e| Problem::from_status(e.status()))?;
        let (mut part, csv) = parts::<AbolitionPart>(form, "seals").await?;
        if let Some(csv) = csv {
            part.order.seals.extend(seals_from_csv(&csv)?);
        }
        part
    } else {
        let Json(part) = Json::<AbolitionPart>::from_request(request, &state).await?;
        part
    };
    let custody = part.custody.into_iter().map(|of| (of.seal, of.entry)).collect();
    let done = carry_out(&state, by, second, part.order, custody, part.notice).await?;
    let notice = done.notice.map(IssuedAnswer::from);
    let answer = AbolishedAnswer { order: done.order, seals: done.seals, revoked: done.revoked, notice };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Carries an order out. The same order again, with a notice, makes the notice that is still missing: seals are closed
/// before their notice is made, and a notice whose data was wrong must not need another order.
pub(super) async fn carry_out(
    state: &StaffState,
    by: &Officer,
    second: &Officer,
    order: AbolitionRequest,
    custody: Vec<(SealNumber, CustodyEntry)>,
    notice: Option<NoticeRequest>,
) -> Result<Abolished, FlowError> {
    let now = (state.clock)();
    for seal in order.seals.iter().map(|seal| &seal.number).chain(custody.iter().map(|(number, _)| number)) {
        closed_by(state, seal, &[by, second]).await?;
    }
    let recorded = state.desk.store.abolition(&order.number).await?.is_some_and(|recorded| *recorded.get() == order);
    match notice {
        Some(wanted) if recorded => {
            let notice = abolish::notice(&state.desk, by, second, &order.number, wanted, now).await?;
            Ok(Abolished { order: order.number, seals: order.seals.len(), revoked: 0, notice: Some(notice) })
        }
        notice => abolish::abolish(&state.desk, by, second, order, custody, notice, now).await,
    }
}

/// Records what happened to an abolished seal: sealed away, opened, destroyed.
#[utoipa::path(post, path = "/api/v1/seals/{number}/custody", tag = "administration", security(("token" = [], "second-officer" = [])), params(("number" = String, Path, description = "13 or 14 digits")), request_body = asked::CustodyEntry, responses(
    (status = 204, description = "Recorded"),
    (status = 422, description = "A rule said no", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn custody(
    State(state): State<StaffState>,
    program: Program,
    second: SecondOfficer,
    Path(number): Path<String>,
    body: Result<Json<CustodyEntry>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let by = program.with(Scope::Administer, Duty::SealAdministration)?;
    let second = second.administrator()?;
    let Json(entry) = body?;
    file_custody(&state, by, second, &number, &entry).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Files a custody entry of a seal; two administrators, both in the trail.
pub(super) async fn file_custody(
    state: &StaffState,
    by: &Officer,
    second: &Officer,
    number: &str,
    entry: &CustodyEntry,
) -> Result<(), Problem> {
    check_two_administrators(by, second)?;
    let number = SealNumber::parse(number)?;
    closed_by(state, &number, &[by, second]).await?;
    Ok(state.desk.store.add_custody(&number, entry, &by.id, &second.id, (state.clock)()).await?)
}

/// A step in a seal's life short of abolition, which takes an order of government.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventPart {
    pub kind: Step,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub document: String,
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Step {
    Activated,
    Suspended,
    Resumed,
}

/// Activates, suspends or resumes a seal.
#[utoipa::path(post, path = "/api/v1/seals/{number}/events", tag = "administration", security(("token" = [], "second-officer" = [])), params(("number" = String, Path, description = "13 or 14 digits")), request_body = asked::EventRequest, responses(
    (status = 204, description = "Recorded"),
    (status = 422, description = "A rule said no", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn events(
    State(state): State<StaffState>,
    program: Program,
    second: SecondOfficer,
    Path(number): Path<String>,
    body: Result<Json<EventPart>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let by = program.with(Scope::Administer, Duty::SealAdministration)?;
    let second = second.administrator()?;
    let Json(part) = body?;
    file_step(&state, by, second, &number, part).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Files a step in a seal's life, once it has happened; two administrators, both in the trail.
pub(super) async fn file_step(
    state: &StaffState,
    by: &Officer,
    second: &Officer,
    number: &str,
    part: EventPart,
) -> Result<(), Problem> {
    check_two_administrators(by, second)?;
    let now = (state.clock)();
    // A step that is to come could be undone by nobody until then, and every answer about today would rest on it.
    if part.at > now {
        return Err(Refusal::new(
            Rule::SealLife,
            "http.event-in-the-future",
            "办理时间晚于现在，印章的启用、停用、恢复须在发生后登记，请核对",
            "the time lies ahead; a step in a seal's life is recorded once it has happened",
        )
        .into());
    }
    let document = named("document", part.document)?;
    let kind = match part.kind {
        Step::Activated => SealEventKind::Activated,
        Step::Suspended => SealEventKind::Suspended,
        Step::Resumed => SealEventKind::Resumed,
    };
    let event = SealEvent { kind, at: part.at, document, reason: part.reason, successor: None, items: vec![] };
    let number = SealNumber::parse(number)?;
    owned_by(state, &number, &[by, second]).await?;
    Ok(state.desk.store.add_seal_event(&number, &event, &by.id, &second.id, now).await?)
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
    State(state): State<StaffState>,
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

/// Files a grant for an officer there is, of a seal there is; two administrators, both in the trail.
pub(super) async fn file_grant(
    state: &StaffState,
    by: &Officer,
    second: &Officer,
    part: GrantPart,
) -> Result<String, Problem> {
    check_two_administrators(by, second)?;
    let store = &state.desk.store;
    if store.officer(&part.officer).await?.is_none() {
        return Err(Problem::unknown(
            "http.no-officer",
            "没有此人员编号，请核对",
            "there is no such officer; check the identifier",
        ));
    }
    if part.until <= part.from {
        return Err(Problem::bad("http.grant-period", "授权截止时间应晚于起始时间", "a grant ends after it begins"));
    }
    let id = hex::encode(random::<8>().map_err(|_| Problem::busy())?);
    owned_by(state, &part.seal, &[by, second]).await?;
    let items = match part.items.is_empty() {
        true => GrantedItems::All,
        false => GrantedItems::Only(part.items.into_iter().collect()),
    };
    let grant = Grant {
        id: id.clone(),
        officer: part.officer,
        seal: part.seal,
        items,
        from: part.from,
        until: part.until,
        given_by: named("given_by", part.given_by)?,
        document: named("document", part.document)?,
        revoked_at: None,
    };
    store.add_grant(&grant, &by.id, &second.id, (state.clock)()).await?;
    Ok(id)
}

fn named(field: &str, text: String) -> Result<String, Problem> {
    if text.trim().is_empty() || text.chars().count() > 200 || text.chars().any(char::is_control) {
        return Err(Problem::bad(
            "http.text",
            format!("{field} 不能为空，200字以内，不含控制字符"),
            format!("{field} has 1 to 200 characters and no control characters"),
        ));
    }
    Ok(text)
}

/// Takes a grant back at once; one administrator is enough for that.
#[utoipa::path(delete, path = "/api/v1/grants/{id}", tag = "administration", security(("token" = [])), params(("id" = String, Path, description = "The grant's identifier")), responses(
    (status = 204, description = "Taken back"),
    (status = 409, description = "No such grant, or it was taken back before", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Another authority's seal", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn revoke_grant(
    State(state): State<StaffState>,
    program: Program,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let by = program.with(Scope::Administer, Duty::SealAdministration)?;
    take_back(&state, by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes back a grant of a seal of the administrator's own authority.
pub(super) async fn take_back(state: &StaffState, by: &Officer, id: &str) -> Result<(), Problem> {
    let store = &state.desk.store;
    if let Some(grant) = store.grant(id).await? {
        owned_by(state, &grant.seal, &[by]).await?;
    }
    // Where there is none, the store says so.
    Ok(store.revoke_grant(id, &by.id, (state.clock)()).await?)
}

// — whose seals

/// A seal's life and its grants are the business of its owner's administrators.
async fn owned_by(state: &StaffState, number: &SealNumber, administrators: &[&Officer]) -> Result<(), FlowError> {
    let Some(filed) = state.desk.store.seal(number).await? else { return Ok(()) };
    match administrators.iter().all(|one| one.authority == filed.seal.owner) {
        true => Ok(()),
        false => Err(not_theirs(&filed.seal).into()),
    }
}

/// An order of government is carried out, and old seals are kept, by the government, by the bureau that the items moved
/// to, or by the owner; never by another department.
async fn closed_by(state: &StaffState, number: &SealNumber, administrators: &[&Officer]) -> Result<(), FlowError> {
    let Some(filed) = state.desk.store.seal(number).await? else { return Ok(()) };
    for one in administrators.iter().filter(|one| one.authority != filed.seal.owner) {
        let kind = state.desk.store.authority(&one.authority).await?.map(|authority| authority.kind);
        if !matches!(kind, Some(AuthorityKind::Government | AuthorityKind::Bureau)) {
            return Err(not_theirs(&filed.seal).into());
        }
    }
    Ok(())
}

fn not_theirs(seal: &Seal) -> Refusal {
    Refusal::new(
        Rule::Hands,
        "http.not-your-seal",
        format!("{}属{}，须由该单位的印章管理人员办理", seal.legend, seal.owner_name),
        format!("the seal {} is another authority's; its own administrators must do this", seal.number),
    )
}
