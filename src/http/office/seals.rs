//! Seals and those who look after them: find one, put it out of use and back, file its custody once it is abolished.

use askama::Template;
use axum::Form;
use axum::extract::{Multipart, Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use time::OffsetDateTime;

use super::ceilings::UsageLine;
use super::field::{Faults, Field, Kind, Need, Reading, Section, Values, Wrong, fill};
use super::{Who, second};
use crate::abolition::{CustodyEntry, CustodyKind};
use crate::administer;
use crate::crypto::sha256;
use crate::desk::FlowError;
use crate::http::answers::{SealAnswer, china, form_moment};
use crate::http::pages::{custody_words, next_page, show};
use crate::http::problem::Problem;
use crate::http::register::{SealQuery, find_seal};
use crate::http::sign_in::{Browser, Session};
use crate::http::staff::{At, StaffState};
use crate::limits;
use crate::message::Message;
use crate::officer::Duty;
use crate::seal::{Level, SealEvent, SealEventKind, SealNumber, SealStatus};
use crate::store::FiledSeal;

// — finding one

#[derive(Template)]
#[template(path = "seals.html")]
struct SealsPage {
    who: Who,
    query: SealQuery,
    seals: Vec<SealAnswer>,
    next: Option<String>,
}

pub(crate) async fn seals(
    At(state): At,
    session: Session,
    Query(query): Query<SealQuery>,
) -> Result<Response, Problem> {
    let officer = session.with(Duty::SealAdministration)?;
    let page = query.page(&state.desk.store, (state.clock)()).await?;
    let next = page.next_offset.map(|offset| next_page("/seals", &query, offset));
    show(&SealsPage { who: Who::of(officer), query, seals: page.seals, next })
}

// — one seal, and what can be done with it now

#[derive(Template)]
#[template(path = "seal-office.html")]
struct SealPage {
    who: Who,
    seal: SealAnswer,
    level: Level,
    custody: Vec<CustodyLine>,
    usage: Vec<UsageLine>,
    /// Its own administrators' to change.
    ours: bool,
    doing: Doing,
    sections: Vec<Section>,
    /// Digests of the photographs that were sent with a form that was refused: they need not be sent again.
    photographs: Vec<String>,
    /// What was just recorded.
    done: Option<(&'static str, &'static str)>,
    faults: Vec<Wrong>,
    rule: Option<u8>,
    refused: bool,
}

/// What the page offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Step(SealEventKind),
    Custody,
    /// Another authority's, which puts it out of use and back itself.
    Others,
    /// Destroyed: the last entry there is.
    Nothing,
}

impl Doing {
    fn step(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Doing::Step(SealEventKind::Activated) => ("activated", "启用此章", "Activate"),
            Doing::Step(SealEventKind::Suspended) => ("suspended", "停用此章", "Suspend"),
            Doing::Step(SealEventKind::Resumed) => ("resumed", "恢复使用", "Resume"),
            _ => ("", "登记封存、启封或销毁", "Custody"),
        }
    }
}

/// A custody entry as those see it who keep the seals.
struct CustodyLine {
    what: (&'static str, &'static str),
    at: String,
    entry: CustodyEntry,
}

/// What was just done.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Done {
    #[serde(default)]
    done: String,
}

pub(crate) async fn seal(
    At(state): At,
    session: Session,
    Path(number): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, Problem> {
    session.with(Duty::SealAdministration)?;
    page(&state, &session, &number, &Values::default(), Outcome { done: !done.done.is_empty(), ..Outcome::default() })
        .await
}

/// How the last form ended.
#[derive(Default)]
struct Outcome<'a> {
    done: bool,
    faults: Faults,
    problem: Option<&'a Problem>,
}

async fn page(
    state: &StaffState,
    session: &Session,
    number: &str,
    values: &Values,
    outcome: Outcome<'_>,
) -> Result<Response, Problem> {
    let (store, now) = (&state.desk.store, (state.clock)());
    let FiledSeal { seal, level, .. } = find_seal(store, number).await?;
    let custody = store.custody(&seal.number).await?;
    let ours = seal.owner == session.officer.authority;
    let last = custody.last().map(|entry| entry.kind);
    let doing = match seal.life.status_at(now) {
        SealStatus::Abolished if last == Some(CustodyKind::Destroyed) => Doing::Nothing,
        SealStatus::Abolished => Doing::Custody,
        _ if !ours => Doing::Others,
        SealStatus::NotYetActivated => Doing::Step(SealEventKind::Activated),
        SealStatus::InForce => Doing::Step(SealEventKind::Suspended),
        SealStatus::Suspended => Doing::Step(SealEventKind::Resumed),
    };
    let mut sections = match doing {
        Doing::Step(_) => vec![step_section(doing), second::section()],
        Doing::Custody => vec![custody_section(last, now), second::section()],
        Doing::Others | Doing::Nothing => vec![],
    };
    let just_recorded = match (last, seal.life.events().last()) {
        (Some(kind), _) => Some(custody_words(kind)),
        (None, Some(event)) => Some((event.kind.zh(), event.kind.as_str())),
        (None, None) => None,
    };
    let refused = !outcome.faults.is_empty();
    let usage = store.usage(&seal.number, state.desk.ceilings, now).await?;
    let wrong = fill(&mut sections, values, &outcome.faults);
    let lives = store.certificate_lives(&seal.number).await?;
    let line = |entry: &CustodyEntry| CustodyLine {
        what: custody_words(entry.kind),
        at: china(entry.at),
        entry: entry.clone(),
    };
    let shown = show(&SealPage {
        who: Who::of(&session.officer),
        seal: SealAnswer::of(&seal, now).with(&lives, now),
        level,
        custody: custody.iter().map(line).collect(),
        usage: usage.iter().map(UsageLine::of).collect(),
        ours,
        doing,
        sections,
        photographs: values.all(PHOTOGRAPH).map(str::to_owned).collect(),
        done: just_recorded.filter(|_| outcome.done),
        faults: wrong,
        rule: outcome.problem.and_then(Problem::rule),
        refused,
    })?;
    let otherwise = if refused { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Ok((outcome.problem.map_or(otherwise, Problem::status), shown).into_response())
}

/// Goes back to the seal, or shows its form again with what was wrong.
async fn ended(
    state: &StaffState,
    session: &Session,
    number: &str,
    values: &Values,
    filed: Result<(), (&'static str, Problem)>,
) -> Result<Response, Problem> {
    match filed {
        Ok(()) => Ok(Redirect::to(&format!("/seals/{number}?done=yes")).into_response()),
        Err((field, problem)) if problem.is_askers() => {
            let mut faults = Faults::default();
            faults.add(field, problem.message().clone());
            let outcome = Outcome { faults, problem: Some(&problem), done: false };
            page(state, session, number, values, outcome).await
        }
        Err((_, problem)) => Err(problem),
    }
}

// — out of use and back

fn step_section(doing: Doing) -> Section {
    let (_, zh, en) = doing.step();
    let suspends = doing == Doing::Step(SealEventKind::Suspended);
    let at = Field::new("at", "生效时间", "Counts from", Kind::Moment).optional();
    let mut fields = vec![
        at.hint(if suspends {
            "北京时间；不填为现在"
        } else {
            "北京时间；不填为现在，不能追溯"
        }),
        Field::new("document", "依据文号", "Document", Kind::Text).hint("作出决定的文件"),
        Field::new("reason", "理由", "Reason", Kind::Text).hint("将在印章登记册中公开"),
    ];
    if suspends {
        fields.push(acknowledged());
    }
    Section { zh, en, fields }
}

/// Asked wherever something may end documents that were good when they were sealed.
pub(super) fn acknowledged() -> Field {
    Field::new(ACKNOWLEDGED, "追溯生效时，失去效力的文书份数", "Documents it ends, if retroactive", Kind::Count)
        .optional()
        .hint("生效时间早于现在时，请核对用印台账后填写；没有则不填")
}

pub(super) const ACKNOWLEDGED: &str = "acknowledged";

pub(crate) async fn step(
    At(state): At,
    session: Session,
    browser: Browser,
    Path(number): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let by = session.with(Duty::SealAdministration)?;
    let values = Values::of(pairs);
    let now = (state.clock)();
    let (event, ended_documents) = match read_step(&values, now) {
        Ok(read) => read,
        Err(faults) => return page(&state, &session, &number, &values, Outcome { faults, ..Outcome::default() }).await,
    };
    let filed = match second::signed(&state, &browser, &values).await {
        Ok(second) => {
            let (store, seal) = (&state.desk.store, SealNumber::parse(&number)?);
            administer::step(store, (by, &second), &seal, event, ended_documents, now).await.map_err(placed)
        }
        Err(problem) => Err((second::SECOND, problem)),
    };
    ended(&state, &session, &number, &values, filed).await
}

fn read_step(values: &Values, now: OffsetDateTime) -> Result<(SealEvent, u64), Faults> {
    let mut form = Reading::of(values);
    let kind = match values.get("kind") {
        "activated" => Some(SealEventKind::Activated),
        "suspended" => Some(SealEventKind::Suspended),
        "resumed" => Some(SealEventKind::Resumed),
        _ => None,
    };
    if kind.is_none() {
        form.faults.add("", Message::new("http.step", "请从印章页面重新办理", "start again from the seal's page"));
    }
    let at = if values.get("at").is_empty() { Some(now) } else { form.instant("at") };
    let (document, reason) = (form.text("document"), form.text("reason"));
    let ended = form.count_or_none(ACKNOWLEDGED);
    match (kind, at, form.faults.is_empty()) {
        (Some(kind), Some(at), true) => {
            Ok((SealEvent { kind, at, document, reason, successor: None, items: vec![] }, ended))
        }
        _ => Err(form.faults),
    }
}

// — custody

/// Carries the digests of photographs from one sending of the form to the next.
const PHOTOGRAPH: &str = "photograph";

fn custody_section(last: Option<CustodyKind>, now: OffsetDateTime) -> Section {
    let possible: &[CustodyKind] = match last {
        None => &[CustodyKind::SealedAway],
        Some(CustodyKind::SealedAway) => &[CustodyKind::Opened, CustodyKind::Destroyed],
        Some(CustodyKind::Opened | CustodyKind::Destroyed) => &[CustodyKind::SealedAway, CustodyKind::Destroyed],
    };
    let kinds = possible.iter().map(|kind| (kind.as_str().to_owned(), custody_words(*kind).0.to_owned())).collect();
    let (_, zh, en) = Doing::Custody.step();
    Section {
        zh,
        en,
        fields: vec![
            Field::choice("kind", "办理类型", "What happened", kinds),
            Field::new("at", "办理时间", "When", Kind::Moment).filled(form_moment(now)).hint("北京时间"),
            Field::new("handed_over_by", "移交人", "Handed over by", Kind::Text).hint("须两人在场；姓名不公开"),
            Field::new("received_by", "接收人", "Received by", Kind::Text),
            Field::new("place", "存放地点", "Place", Kind::Text),
            Field::new("container", "封存袋（箱）编号", "Container's number", Kind::Text),
            Field::new("photographs", "照片", "Photographs", Kind::Photographs)
                .optional()
                .hint("可选多张；系统只登记照片的SHA-256摘要，原件由保管单位存档"),
            Field::new("note", "备注", "Note", Kind::Text).optional(),
        ],
    }
}

pub(crate) async fn custody(
    At(state): At,
    session: Session,
    browser: Browser,
    Path(number): Path<String>,
    form: Multipart,
) -> Result<Response, Problem> {
    let by = session.with(Duty::SealAdministration)?;
    let mut digests = vec![];
    let mut values = Values::with_files(form, "photographs", |bytes| digests.push(hex::encode(sha256(bytes)))).await?;
    for digest in digests {
        values.add(PHOTOGRAPH, digest);
    }
    let entry = match read_custody(&values) {
        Ok(entry) => entry,
        Err(faults) => return page(&state, &session, &number, &values, Outcome { faults, ..Outcome::default() }).await,
    };
    let filed = match second::signed(&state, &browser, &values).await {
        Ok(second) => {
            let (store, seal) = (&state.desk.store, SealNumber::parse(&number)?);
            administer::keep(store, (by, &second), &seal, &entry, (state.clock)()).await.map_err(placed)
        }
        Err(problem) => Err((second::SECOND, problem)),
    };
    ended(&state, &session, &number, &values, filed).await
}

fn read_custody(values: &Values) -> Result<CustodyEntry, Faults> {
    let mut form = Reading::of(values);
    let kind = form.parse("kind", |text| match text {
        "sealed-away" => Ok(CustodyKind::SealedAway),
        "opened" => Ok(CustodyKind::Opened),
        "destroyed" => Ok(CustodyKind::Destroyed),
        _ => Err(Problem::bad("http.custody", "请选择办理类型", "choose what happened")),
    });
    let photographs: Vec<String> = values.all(PHOTOGRAPH).map(str::to_owned).collect();
    if photographs.len() > limits::HTTP_PHOTOGRAPHS {
        let zh = format!("一次最多登记{}张照片", limits::HTTP_PHOTOGRAPHS);
        let en = format!("{} photographs at most are taken at once", limits::HTTP_PHOTOGRAPHS);
        form.faults.add("photographs", Message::new("http.photographs", zh, en));
    }
    let at = form.instant("at");
    let (handed_over_by, received_by) = (form.text("handed_over_by"), form.text("received_by"));
    let (place, container, note) = (form.text("place"), form.text("container"), values.get("note").to_owned());
    match (kind, at, form.faults.is_empty()) {
        (Some(kind), Some(at), true) => {
            Ok(CustodyEntry { kind, at, handed_over_by, received_by, place, container, photographs, note })
        }
        _ => Err(form.faults),
    }
}

/// What a flow said, and the field it is shown beside.
fn placed(error: FlowError) -> (&'static str, Problem) {
    let field = match error.message().id {
        "seal.force-in-the-past" | "seal.event-before-last" | "custody.not-abolished" | "custody.before-last" => "at",
        "seal.acknowledge" => ACKNOWLEDGED,
        "custody.two-people" => "received_by",
        "custody.place" => "container",
        "custody.photograph" => "photographs",
        "custody.impossible-step" => "kind",
        "officer.two-administrators" | "officer.duty" | "officer.left" => second::SECOND,
        _ => "",
    };
    (field, error.into())
}
