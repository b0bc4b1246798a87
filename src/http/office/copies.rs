//! The page that makes an annotated copy (加注件) of a licence, and shows those that there are.

use askama::Template;
use axum::Form;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use time::Duration;

use super::Who;
use super::field::{Faults, Field, Kind, Need, Reading, Section, Values, Wrong, field_of, fill};
use super::issue::{may_make, seals};
use crate::desk::FlowError;
use crate::http::answers::china;
use crate::http::pages::show;
use crate::http::problem::Problem;
use crate::http::sign_in::Session;
use crate::http::staff::{At, StaffState};
use crate::issue::{CopyRequest, annotate};
use crate::licence::LicenceIdentifier;
use crate::licence::annotation::REQUESTER;
use crate::limits;
use crate::seal::SealNumber;

#[derive(Template)]
#[template(path = "copies.html")]
struct CopiesPage {
    who: Who,
    sections: Vec<Section>,
    faults: Vec<Wrong>,
    rule: Option<u8>,
    refused: bool,
    copies: Vec<CopyLine>,
}

/// A file of a copy.
struct CopyLine {
    order: String,
    number: String,
    purpose: String,
    requester: String,
    made_at: String,
    expires_at: String,
    expired: bool,
    format: &'static str,
}

/// Of which licence.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    identifier: String,
}

pub(crate) async fn copies_form(
    At(state): At,
    session: Session,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    may_make(&session)?;
    let typed = match wanted.identifier.trim() {
        "" => vec![],
        identifier => vec![("identifier".to_owned(), identifier.to_owned())],
    };
    page(&state, &session, &Values::of(typed), &Faults::default(), None).await
}

pub(crate) async fn copies(
    At(state): At,
    session: Session,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    may_make(&session)?;
    let values = Values::of(pairs);
    let request = match read(&values) {
        Ok(request) => request,
        Err(faults) => return page(&state, &session, &values, &faults, None).await,
    };
    match annotate(&state.desk, &session.officer, request, (state.clock)()).await {
        Ok(made) => Ok(Redirect::to(&format!("/orders/{}", made.order)).into_response()),
        Err(FlowError::Waiting(waiting)) => Ok(Redirect::to(&format!("/orders/{}", waiting.order)).into_response()),
        Err(error) => {
            let mut faults = Faults::default();
            faults.add(fault_of(&error), error.message());
            let problem = Problem::from(error);
            if !problem.is_askers() {
                return Err(problem);
            }
            page(&state, &session, &values, &faults, Some(&problem)).await
        }
    }
}

/// The field that a flow's words are shown beside.
fn fault_of(error: &FlowError) -> &'static str {
    match (error.message().id, error) {
        ("copy.not-in-force" | "copy.not-current" | "issue.no-licence", _) => "identifier",
        ("copy.expiry", _) => "last_day",
        ("copy.incomplete" | "render.missing-glyph", _) => "purpose",
        (_, FlowError::Refused(refusal)) => field_of(refusal),
        _ => "",
    }
}

fn read(values: &Values) -> Result<CopyRequest, Faults> {
    let mut form = Reading::of(values);
    let identifier = form.parse("identifier", LicenceIdentifier::parse);
    let (purpose, requester) = (form.text("purpose"), form.text("requester"));
    // The last day counts whole: the end is the midnight after it.
    let expires_at = form.instant("last_day").and_then(|day| day.checked_add(Duration::DAY));
    let seal = match values.get("seal") {
        "" => None,
        _ => form.parse("seal", SealNumber::parse),
    };
    match (identifier, expires_at, form.faults.is_empty()) {
        (Some(identifier), Some(expires_at), true) => {
            Ok(CopyRequest { identifier, purpose, requester, expires_at, seal, files: None })
        }
        _ => Err(form.faults),
    }
}

async fn page(
    state: &StaffState,
    session: &Session,
    values: &Values,
    faults: &Faults,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let officer = &session.officer;
    let seals = seals(state, Some(&officer.authority), (state.clock)()).await?;
    let mut sections = vec![Section {
        zh: "加注件",
        en: "Annotated copy",
        fields: vec![
            Field::new("identifier", "证照标识", "Licence identifier", Kind::Text).hint("现行版本的标识"),
            Field::new("purpose", "使用事由", "Purpose", Kind::Text).hint("印在加注件上，如：办理银行开户"),
            Field { max: Some(REQUESTER as u64), ..Field::new("requester", "使用者", "Requester", Kind::Text) }
                .hint("谁要使用这份加注件"),
            Field::new("last_day", "有效期至", "Last day (inclusive)", Kind::Date)
                .hint("不得晚于证照的有效期，至多一年"),
            Field::choice("seal", "印章", "Seal", seals).optional().hint("不选则由系统按授权选择"),
        ],
    }];
    let copies = match LicenceIdentifier::parse(values.get("identifier")) {
        Ok(identifier) => lines(state, &identifier).await?,
        Err(_) => vec![],
    };
    let shown = show(&CopiesPage {
        who: Who::of(officer),
        faults: fill(&mut sections, values, faults),
        sections,
        rule: problem.and_then(Problem::rule),
        refused: !faults.is_empty(),
        copies,
    })?;
    let status = match problem {
        Some(problem) => problem.status(),
        None if !faults.is_empty() => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    Ok((status, shown).into_response())
}

async fn lines(state: &StaffState, identifier: &LicenceIdentifier) -> Result<Vec<CopyLine>, Problem> {
    let now = (state.clock)();
    let orders = state.desk.store.copies(&identifier.licence(), limits::HTTP_ROWS).await?;
    let line = |order: crate::store::OrderRecord| {
        let copy = order.annotation?;
        Some(CopyLine {
            order: order.id,
            number: copy.number,
            purpose: copy.purpose,
            requester: copy.requester,
            made_at: china(copy.made_at),
            expires_at: china(copy.expires_at),
            expired: now >= copy.expires_at,
            format: order.media_type.zh(),
        })
    };
    Ok(orders.into_iter().filter_map(line).collect())
}
