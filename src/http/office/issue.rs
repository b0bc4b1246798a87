//! The page that issues one licence: the form is made from the template's schema, and faults stand beside the fields.

use askama::Template;
use axum::Form;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::field::{Faults, Field, Kind, Need, Reading, Section, Values, Wrong, data, field_of, fill, of_schema};
use super::{Who, decision};
use crate::authority::Uscc;
use crate::desk::FlowError;
use crate::http::pages::show;
use crate::http::problem::Problem;
use crate::http::sign_in::Session;
use crate::http::staff::{At, StaffState};
use crate::issue::{IssueRequest, LicenceRequest, REPORT_TEMPLATE};
use crate::licence::{LicenceAct, LicenceIdentifier};
use crate::limits;
use crate::message::Message;
use crate::officer::{Duty, Officer};
use crate::render::{RenderError, Template as Sheet};
use crate::seal::{SealKind, SealNumber, SealStatus};
use crate::store::SealFilter;

/// Filled in by the service, from what the other sections say.
const FILLED_IN: &[&str] = &["identifier", "verify_url", "valid_from", "holder_code_type"];

/// The template of the notice of abolition; it is made with an order and not on a decision.
pub(super) const NOTICE: &str = "seal-abolition-notice";

#[derive(Template)]
#[template(path = "issue.html")]
struct IssuePage {
    who: Who,
    templates: Vec<(String, String, String)>,
    template: String,
    title: (String, String),
    sections: Vec<Section>,
    faults: Vec<Wrong>,
    rule: Option<u8>,
    refused: bool,
}

/// Name and both titles of each template for decisions.
pub(super) fn templates(state: &StaffState) -> Vec<(String, String, String)> {
    let all = state.desk.renderer.templates().iter().filter(|sheet| ![NOTICE, REPORT_TEMPLATE].contains(&sheet.name()));
    all.map(|sheet| (sheet.name().to_owned(), sheet.title_zh().to_owned(), sheet.title_en().to_owned())).collect()
}

/// Which template.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    template: String,
}

pub(crate) async fn issue_form(
    At(state): At,
    session: Session,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    may_make(&session)?;
    page(&state, &session, &wanted.template, &Values::default(), &Faults::default(), None).await
}

pub(crate) async fn issue(
    At(state): At,
    session: Session,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    may_make(&session)?;
    let values = Values::of(pairs);
    let template = values.get("template").to_owned();
    let sheet = state
        .desk
        .renderer
        .template(&template)
        .ok_or_else(|| Problem::from_status(axum::http::StatusCode::NOT_FOUND))?;
    let request = match read(sheet, &values) {
        Ok(request) => request,
        Err(faults) => return page(&state, &session, &template, &values, &faults, None).await,
    };
    match crate::issue::issue(&state.desk, &session.officer, request, (state.clock)()).await {
        Ok(issued) => Ok(Redirect::to(&format!("/orders/{}", issued.order)).into_response()),
        Err(FlowError::Waiting(waiting)) => Ok(Redirect::to(&format!("/orders/{}", waiting.order)).into_response()),
        Err(error) => {
            let faults = faults_of(&error);
            let problem = Problem::from(error);
            if !problem.is_askers() {
                return Err(problem);
            }
            page(&state, &session, &template, &values, &faults, Some(&problem)).await
        }
    }
}

/// Whose work it is to make documents; the rules look closer when a seal is used.
pub(super) fn may_make(session: &Session) -> Result<(), Problem> {
    session.with(Duty::Produce).or_else(|_| session.with(Duty::Decide)).map(|_| ())
}

/// What a flow said, beside the fields it speaks of.
pub(super) fn faults_of(error: &FlowError) -> Faults {
    let mut faults = Faults::default();
    match error {
        FlowError::Render(RenderError::Data { faults: found }) => {
            for fault in found {
                let field = fault.pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
                let message = Message::new("render.data", fault.zh.clone(), fault.en.clone());
                faults.add(format!("data.{field}"), message);
            }
        }
        FlowError::Refused(refusal) => faults.add(field_of(refusal), refusal.message.clone()),
        other => faults.add("", other.message()),
    }
    faults
}

async fn page(
    state: &StaffState,
    session: &Session,
    template: &str,
    values: &Values,
    faults: &Faults,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let sheet = state.desk.renderer.template(template).filter(|sheet| sheet.name() != NOTICE);
    let mut sections = match sheet {
        Some(sheet) => sections(state, &session.officer, sheet).await?,
        None => vec![],
    };
    let wrong = fill(&mut sections, values, faults);
    let shown = show(&IssuePage {
        who: Who::of(&session.officer),
        templates: templates(state),
        template: sheet.map(|sheet| sheet.name().to_owned()).unwrap_or_default(),
        title: sheet.map(|sheet| (sheet.title_zh().to_owned(), sheet.title_en().to_owned())).unwrap_or_default(),
        sections,
        faults: wrong,
        rule: problem.and_then(Problem::rule),
        refused: !faults.is_empty(),
    })?;
    let status = match problem {
        Some(problem) => problem.status(),
        None if !faults.is_empty() => axum::http::StatusCode::BAD_REQUEST,
        None => axum::http::StatusCode::OK,
    };
    Ok((status, shown).into_response())
}

async fn sections(state: &StaffState, officer: &Officer, sheet: &Sheet) -> Result<Vec<Section>, Problem> {
    let now = (state.clock)();
    let acts = [LicenceAct::Issue, LicenceAct::Renew, LicenceAct::Change];
    let acts = acts.map(|act| (act.as_str().to_owned(), act.zh().to_owned())).into();
    let mut sections = decision::sections(state, officer).await?;
    sections.extend([
        Section {
            zh: "证照",
            en: "Licence",
            fields: vec![
                Field::choice("seal", "印章", "Seal", seals(state, Some(&officer.authority), now).await?),
                Field::choice("act", "办理类型", "Act", acts),
                Field::new("type_code", "证照类型代码", "Type code", Kind::Text).optional().hint("核发时填写：21位"),
                Field::new("serial", "流水号", "Serial", Kind::Text).optional().hint("可不填，由系统生成"),
                Field::new("previous", "原证照标识", "Previous identifier", Kind::Text)
                    .optional()
                    .hint("延续、变更时填写"),
                Field::new("valid_from", "有效期自", "Valid from", Kind::Date),
                Field::new("valid_until", "有效期至", "Valid until (inclusive)", Kind::Date)
                    .optional()
                    .hint("不填为长期"),
                Field::choice("more_seals", "其他单位用印", "Seals of others", more_seals())
                    .filled("no")
                    .hint("并联审批、联合发文时，由其他单位在本文件上再盖印章"),
            ],
        },
        Section { zh: "证面内容", en: "What is printed", fields: of_schema(sheet.schema(), FILLED_IN) },
    ]);
    Ok(sections)
}

fn more_seals() -> Vec<(String, String)> {
    [("no", "不再加盖，锁定全文"), ("yes", "还要加盖其他单位的印章")].map(|(is, zh)| (is.into(), zh.into())).into()
}

/// Seals in force: approval seals of one authority, or all of any kind.
pub(super) async fn seals(
    state: &StaffState,
    owner: Option<&Uscc>,
    now: OffsetDateTime,
) -> Result<Vec<(String, String)>, Problem> {
    let filter = SealFilter { owner: owner.cloned(), limit: limits::HTTP_ROWS, ..SealFilter::default() };
    let found = state.desk.store.seals(&filter).await?;
    let found = found.iter().map(|filed| &filed.seal).filter(|seal| seal.life.status_at(now) == SealStatus::InForce);
    let found = found.filter(|seal| owner.is_none() || seal.kind == SealKind::Approval);
    Ok(found.map(|seal| (seal.number.to_string(), format!("{}（{}）", seal.legend, seal.number))).collect())
}

fn read(sheet: &Sheet, values: &Values) -> Result<IssueRequest, Faults> {
    let mut form = Reading::of(values);
    let decision = decision::read(&mut form);
    let seal = form.parse("seal", SealNumber::parse);
    let act = form.parse("act", |text| match text {
        "issue" => Ok(LicenceAct::Issue),
        "renew" => Ok(LicenceAct::Renew),
        "change" => Ok(LicenceAct::Change),
        _ => Err(Problem::bad("http.act", "请选择办理类型", "choose what is to be done")),
    });
    let given = |name: &str| Some(values.get(name)).filter(|text| !text.is_empty());
    let previous = given("previous").map(|_| form.parse("previous", LicenceIdentifier::parse));
    let valid_from = form.instant("valid_from");
    // The last day counts whole: the end is the midnight after it.
    let valid_until = given("valid_until").map(|_| form.instant("valid_until").map(|day| day + Duration::DAY));
    let (Some(decision), Some(seal), Some(act), Some(valid_from), true) =
        (decision, seal, act, valid_from, form.faults.is_empty())
    else {
        return Err(form.faults);
    };
    Ok(IssueRequest {
        decision,
        seal,
        template: sheet.name().to_owned(),
        data: data(&of_schema(sheet.schema(), FILLED_IN), values),
        licence: LicenceRequest {
            act,
            previous: previous.flatten(),
            type_code: values.get("type_code").to_owned(),
            serial: given("serial").map(str::to_owned),
            valid_from,
            valid_until: valid_until.flatten(),
        },
        files: None,
        more_seals: values.get("more_seals") == "yes",
    })
}
