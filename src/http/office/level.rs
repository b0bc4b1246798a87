//! The page on which a seal's owner sets what its documents are promised.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::field::{Faults, Field, Kind, Need, Reading, Section, Values, Wrong, fill};
use super::{Who, second};
use crate::administer;
use crate::http::pages::show;
use crate::http::problem::Problem;
use crate::http::register::find_seal;
use crate::http::sign_in::{Browser, Session};
use crate::http::staff::{At, StaffState};
use crate::officer::Duty;
use crate::seal::Level;

#[derive(Template)]
#[template(path = "seal-level.html")]
struct LevelPage {
    who: Who,
    number: String,
    legend: String,
    level: Level,
    sections: Vec<Section>,
    faults: Vec<Wrong>,
    rule: Option<u8>,
    refused: bool,
}

pub(crate) async fn level_form(
    At(state): At,
    session: Session,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    session.with(Duty::SealAdministration)?;
    page(&state, &session, &number, &Values::default(), None).await
}

pub(crate) async fn level(
    At(state): At,
    session: Session,
    browser: Browser,
    Path(number): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let by = session.with(Duty::SealAdministration)?;
    let values = Values::of(pairs);
    let seal = find_seal(&state.desk.store, &number).await?.seal;
    let set = async {
        let level = Reading::of(&values).parse("level", Level::parse);
        let level = level.ok_or_else(|| ("level", Problem::bad("http.level", "请选择签名等级", "choose a level")))?;
        let second = second::signed(&state, &browser, &values).await.map_err(|problem| (second::SECOND, problem))?;
        let (store, now) = (&state.desk.store, (state.clock)());
        let two = (by, &second);
        administer::promise(store, two, &seal.number, level, now).await.map_err(|e| (second::SECOND, Problem::from(e)))
    };
    match set.await {
        Ok(()) => Ok(Redirect::to(&format!("/seals/{number}")).into_response()),
        Err((field, problem)) if problem.is_askers() => {
            page(&state, &session, &number, &values, Some((field, problem))).await
        }
        Err((_, problem)) => Err(problem),
    }
}

async fn page(
    state: &StaffState,
    session: &Session,
    number: &str,
    values: &Values,
    wrong: Option<(&'static str, Problem)>,
) -> Result<Response, Problem> {
    let filed = find_seal(&state.desk.store, number).await?;
    let levels = Level::ALL.into_iter().rev();
    let levels = levels.map(|level| (level.as_str().to_owned(), format!("{level}（{}）", level.zh()))).collect();
    let level = Section {
        zh: "签名等级",
        en: "Signature level",
        fields: vec![Field::choice("level", "以后的用印按此等级", "From now on", levels)],
    };
    let mut sections = vec![level, second::section()];
    let mut faults = Faults::default();
    if let Some((field, problem)) = &wrong {
        faults.add(*field, problem.message().clone());
    }
    let shown = show(&LevelPage {
        who: Who::of(&session.officer),
        number: filed.seal.number.to_string(),
        legend: filed.seal.legend,
        level: filed.level,
        faults: fill(&mut sections, values, &faults),
        sections,
        rule: wrong.as_ref().and_then(|(_, problem)| problem.rule()),
        refused: wrong.is_some(),
    })?;
    Ok((wrong.map_or(StatusCode::OK, |(_, problem)| problem.status()), shown).into_response())
}
