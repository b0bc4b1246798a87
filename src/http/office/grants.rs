//! The page of grants: who may use which seal, on whose written word, until when.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use time::Duration;

use super::field::{Faults, Field, Kind, Need, Reading, Section, Values, Wrong, fill};
use super::issue::seals;
use super::{Who, second};
use crate::administer;
use crate::http::administration::{GrantPart, file_grant};
use crate::http::answers::{china, china_day};
use crate::http::pages::{encoded, show};
use crate::http::problem::Problem;
use crate::http::sign_in::{Browser, Session};
use crate::http::staff::{At, StaffState};
use crate::item::ItemCode;
use crate::officer::{Duty, Employment, Grant, GrantedItems, OfficerId};
use crate::seal::SealNumber;

#[derive(Template)]
#[template(path = "grants.html")]
struct GrantsPage {
    who: Who,
    seals: Vec<(String, String)>,
    seal: String,
    grants: Vec<GrantLine>,
    sections: Vec<Section>,
    faults: Vec<Wrong>,
    rule: Option<u8>,
    refused: bool,
}

struct GrantLine {
    id: String,
    officer: String,
    items: String,
    period: String,
    given_by: String,
    document: String,
    revoked: Option<String>,
}

impl GrantLine {
    fn of(grant: &Grant) -> Self {
        let items = match &grant.items {
            GrantedItems::All => "全部事项".to_owned(),
            GrantedItems::Only(codes) => codes.iter().map(ItemCode::as_str).collect::<Vec<_>>().join("、"),
        };
        Self {
            id: grant.id.clone(),
            officer: grant.officer.to_string(),
            items,
            period: format!("{}至{}", china_day(grant.from), china_day(grant.until)),
            given_by: grant.given_by.clone(),
            document: grant.document.clone(),
            revoked: grant.revoked_at.map(china),
        }
    }
}

/// Which seal.
#[derive(Debug, Deserialize)]
pub(crate) struct Of {
    #[serde(default)]
    seal: String,
}

pub(crate) async fn grants(At(state): At, session: Session, Query(of): Query<Of>) -> Result<Response, Problem> {
    session.with(Duty::SealAdministration)?;
    page(&state, &session, &of.seal, &Values::default(), &Faults::default(), None).await
}

pub(crate) async fn grant(
    At(state): At,
    session: Session,
    browser: Browser,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let by = session.with(Duty::SealAdministration)?;
    let values = Values::of(pairs);
    let part = match read(&values) {
        Ok(part) => part,
        Err(faults) => {
            return page(&state, &session, values.get("seal"), &values, &faults, None).await;
        }
    };
    let seal = part.seal.to_string();
    let (field, filed) = match second::signed(&state, &browser, &values).await {
        Ok(second) => ("", file_grant(&state, by, &second, part).await),
        Err(problem) => (second::SECOND, Err(problem)),
    };
    match filed {
        Ok(_) => Ok(Redirect::to(&format!("/grants?seal={}", encoded(&seal))).into_response()),
        Err(problem) if problem.is_askers() => {
            let mut faults = Faults::default();
            faults.add(field, problem.message().clone());
            page(&state, &session, &seal, &values, &faults, Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}

pub(crate) async fn revoke(
    At(state): At,
    session: Session,
    Path(id): Path<String>,
    Form(of): Form<Of>,
) -> Result<Redirect, Problem> {
    let by = session.with(Duty::SealAdministration)?;
    administer::take_back(&state.desk.store, by, &id, (state.clock)()).await?;
    Ok(Redirect::to(&format!("/grants?seal={}", encoded(&of.seal))))
}

async fn page(
    state: &StaffState,
    session: &Session,
    seal: &str,
    values: &Values,
    faults: &Faults,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let found = match SealNumber::parse(seal.trim()) {
        Ok(number) => state.desk.store.seal(&number).await?,
        Err(_) => None,
    };
    let (mut grants, mut sections) = (vec![], vec![]);
    if let Some(filed) = &found {
        grants = state.desk.store.grants(&filed.seal.number).await?.iter().map(GrantLine::of).collect();
        let officers = state.desk.store.officers().await?;
        let able = officers.iter().filter(|one| {
            one.authority == filed.seal.owner && one.left.is_none() && one.employment == Employment::Regular
        });
        let able = able.map(|one| (one.id.to_string(), format!("{}（{}）", one.name, one.id))).collect();
        sections.push(Section {
            zh: "新授权",
            en: "New grant",
            fields: vec![
                Field::choice("officer", "被授权人", "Officer", able),
                Field::new("items", "事项编码", "Items", Kind::Lines).optional().hint("每行一项；不填为全部事项"),
                Field::new("from", "起始日期", "From", Kind::Date),
                Field::new("until", "截止日期", "Until (inclusive)", Kind::Date),
                Field::new("given_by", "授权人", "Given by", Kind::Text).hint("单位负责人"),
                Field::new("document", "授权书文号", "Document", Kind::Text),
            ],
        });
        sections.push(second::section());
    }
    let wrong = fill(&mut sections, values, faults);
    let shown = show(&GrantsPage {
        who: Who::of(&session.officer),
        seals: seals(state, None, (state.clock)()).await?,
        seal: found.map(|filed| filed.seal.number.to_string()).unwrap_or_default(),
        grants,
        sections,
        faults: wrong,
        rule: problem.and_then(Problem::rule),
        refused: !faults.is_empty(),
    })?;
    let status =
        problem.map_or(if faults.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST }, Problem::status);
    Ok((status, shown).into_response())
}

fn read(values: &Values) -> Result<GrantPart, Faults> {
    let mut form = Reading::of(values);
    let officer = form.parse("officer", OfficerId::parse);
    let seal = form.parse("seal", SealNumber::parse);
    let items = form.parse("items", |text| text.split_whitespace().map(ItemCode::parse).collect::<Result<Vec<_>, _>>());
    let from = form.instant("from");
    let until = form.instant("until").map(|day| day + Duration::DAY);
    let (given_by, document) = (form.text("given_by"), form.text("document"));
    match (officer, seal, items, from, until, form.faults.is_empty()) {
        (Some(officer), Some(seal), Some(items), Some(from), Some(until), true) => {
            Ok(GrantPart { officer, seal, items, from, until, given_by, document })
        }
        _ => Err(form.faults),
    }
}
