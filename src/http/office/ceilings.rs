//! How often a seal may be used: what is used of each ceiling, and the form in which its owner's two change one.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::field::{Faults, Field, Kind, Need, Reading, Section, Values, Wrong, fill};
use super::{Who, second};
use crate::administer;
use crate::ceiling::Ceiling;
use crate::http::pages::show;
use crate::http::problem::Problem;
use crate::http::register::find_seal;
use crate::http::sign_in::{Browser, Session};
use crate::http::staff::{At, StaffState};
use crate::officer::Duty;
use crate::seal::SealNumber;
use crate::store::Usage;

#[derive(Template)]
#[template(path = "ceiling.html")]
struct CeilingPage {
    who: Who,
    number: String,
    legend: String,
    usage: Vec<UsageLine>,
    sections: Vec<Section>,
    faults: Vec<Wrong>,
    rule: Option<u8>,
    refused: bool,
}

/// A ceiling and what is used of it.
pub(super) struct UsageLine {
    /// Whose: everyone's, or one officer's under a grant.
    pub officer: Option<String>,
    pub hour: (u32, u32),
    pub day: (u32, u32),
    /// Where it comes from; the settings, where empty.
    pub document: String,
}

impl UsageLine {
    pub fn of(usage: &Usage) -> Self {
        Self {
            officer: usage.grant.as_ref().map(|grant| format!("{}（{}）", grant.officer, grant.document)),
            hour: (usage.in_hour, usage.ceiling.an_hour),
            day: (usage.in_day, usage.ceiling.a_day),
            document: usage.document.clone().unwrap_or_default(),
        }
    }
}

pub(crate) async fn ceiling_form(
    At(state): At,
    session: Session,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    session.with(Duty::SealAdministration)?;
    page(&state, &session, &number, &Values::default(), &Faults::default(), None).await
}

pub(crate) async fn ceiling(
    At(state): At,
    session: Session,
    browser: Browser,
    Path(number): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let by = session.with(Duty::SealAdministration)?;
    let values = Values::of(pairs);
    let mut form = Reading::of(&values);
    let (an_hour, a_day, document) = (form.count("an_hour"), form.count("a_day"), form.text("document"));
    let (Some(an_hour), Some(a_day), true) = (an_hour, a_day, form.faults.is_empty()) else {
        return page(&state, &session, &number, &values, &form.faults, None).await;
    };
    let grant = Some(values.get("whose")).filter(|whose| *whose != ALL);
    let (field, laid_down) = match second::signed(&state, &browser, &values).await {
        Ok(second) => {
            let (store, seal, laid) = (&state.desk.store, SealNumber::parse(&number)?, Ceiling { an_hour, a_day });
            let raised = administer::raise(store, (by, &second), &seal, grant, Some(laid), &document, (state.clock)());
            let raised = raised.await;
            let field = match &raised {
                Err(error) if error.message().id == "use.hour-over-day" => "an_hour",
                _ => "",
            };
            (field, raised.map_err(Problem::from))
        }
        Err(problem) => (second::SECOND, Err(problem)),
    };
    match laid_down {
        Ok(()) => Ok(Redirect::to(&format!("/seals/{number}#use")).into_response()),
        Err(problem) if problem.is_askers() => {
            let mut faults = Faults::default();
            faults.add(field, problem.message().clone());
            page(&state, &session, &number, &values, &faults, Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}

/// Of everybody who uses the seal.
const ALL: &str = "all";

async fn page(
    state: &StaffState,
    session: &Session,
    number: &str,
    values: &Values,
    faults: &Faults,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let (store, now) = (&state.desk.store, (state.clock)());
    let seal = find_seal(store, number).await?.seal;
    let usage = store.usage(&seal.number, state.desk.ceilings, now).await?;
    let grants = usage.iter().filter_map(|one| one.grant.as_ref());
    let whose = grants.map(|grant| (grant.id.clone(), format!("{}（{}）", grant.officer, grant.document)));
    let whose = std::iter::once((ALL.to_owned(), "全部人员合计".to_owned())).chain(whose).collect();
    let fields = vec![
        Field::choice("whose", "对象", "Whose", whose),
        Field::new("an_hour", "每小时上限（次）", "An hour", Kind::Count).hint("超过即拒绝用印并告警"),
        Field::new("a_day", "每日上限（次）", "A day", Kind::Count),
        Field::new("document", "依据文号", "Document", Kind::Text).hint("单位负责人批准的文件"),
    ];
    let mut sections = vec![Section { zh: "新的限额", en: "New ceiling", fields }, second::section()];
    let wrong = fill(&mut sections, values, faults);
    let shown = show(&CeilingPage {
        who: Who::of(&session.officer),
        number: seal.number.to_string(),
        legend: seal.legend,
        usage: usage.iter().map(UsageLine::of).collect(),
        sections,
        faults: wrong,
        rule: problem.and_then(Problem::rule),
        refused: !faults.is_empty(),
    })?;
    let otherwise = if faults.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    Ok((problem.map_or(otherwise, Problem::status), shown).into_response())
}
