//! The staff pages: sign in, what there is to do, issue one licence, seal an upload, look after seals, abolish them,
//! grants, the ledger. Forms work without scripts; what was typed comes back beside what is wrong with it.

mod abolish;
mod audit;
mod ceilings;
mod copies;
mod decision;
mod field;
mod grants;
mod issue;
mod level;
mod seals;
mod second;
mod upload;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use secrecy::SecretString;
use serde::Deserialize;

use super::answers::china;
use super::issuing::send_document;
use super::ledger::{LedgerLine, LedgerQuery, may_read};
use super::pages::{encoded, show};
use super::problem::Problem;
use super::sign_in::{self, Browser, Session};
use super::staff::{At, StaffState};
use crate::ca::life::ending;
use crate::issue::newest;
use crate::limits;
use crate::message::Message;
use crate::officer::{Duty, Officer};
use crate::store::{MediaType, OrderKind, OrderRecord, OrderState, Store, UseAlarm, Waiting};

pub(super) use abolish::{abolish, abolish_form};
pub(super) use audit::audit;
pub(super) use ceilings::{ceiling, ceiling_form};
pub(super) use copies::{copies, copies_form};
pub(super) use grants::{grant, grants, revoke};
pub(super) use issue::{issue, issue_form};
pub(super) use level::{level, level_form};
pub(super) use seals::{custody, seal, seals, step};
pub(super) use upload::{upload, upload_form};

/// Who is signed in and what they may do, for the head of every page.
struct Who {
    name: String,
    id: String,
    makes: bool,
    administers: bool,
    reads_ledger: bool,
}

impl Who {
    fn of(officer: &Officer) -> Self {
        let has = |duty| officer.check_duty(duty).is_ok();
        Self {
            name: officer.name.clone(),
            id: officer.id.to_string(),
            makes: has(Duty::Decide) || has(Duty::Produce),
            administers: has(Duty::SealAdministration),
            reads_ledger: has(Duty::SealAdministration) || has(Duty::Supervise),
        }
    }
}

// — signing in

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignInPage {
    id: String,
    fault: Option<Message>,
}

pub(super) async fn sign_in_form(session: Option<Session>) -> Result<Response, Problem> {
    match session {
        Some(_) => Ok(Redirect::to("/").into_response()),
        None => show(&SignInPage { id: String::new(), fault: None }),
    }
}

/// What is typed to sign in. The password is never written anywhere, not even by accident: its type hides it.
#[derive(Deserialize)]
pub(super) struct SignInForm {
    id: String,
    #[serde(deserialize_with = "secret")]
    password: SecretString,
}

fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

pub(super) async fn sign_in(
    At(state): At,
    browser: Browser,
    Form(form): Form<SignInForm>,
) -> Result<Response, Problem> {
    match sign_in::check_password(&state, &browser, &form.id, form.password).await {
        Ok(officer) => {
            let session = sign_in::open(&state, &officer.id).await?;
            let cookies = [(header::SET_COOKIE, session), (header::SET_COOKIE, browser.cookie(&state)?)];
            Ok((AppendHeaders(cookies), Redirect::to("/")).into_response())
        }
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            let id: String = form.id.chars().take(64).collect();
            let page = show(&SignInPage { id, fault: Some(problem.message().clone()) })?;
            Ok((StatusCode::UNAUTHORIZED, page).into_response())
        }
        Err(problem) => Err(problem),
    }
}

pub(super) async fn sign_out(At(state): At, session: Option<Session>) -> Result<Response, Problem> {
    if let Some(session) = session {
        state.desk.store.close_session(&session.id).await?;
    }
    let cookie: HeaderValue = sign_in::no_cookie(&state)?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/sign-in")).into_response())
}

// — what there is to do

#[derive(Template)]
#[template(path = "office.html")]
struct HomePage {
    who: Who,
    duties: Vec<&'static str>,
    templates: Vec<(String, String, String)>,
    waiting: Vec<WaitingLine>,
    mine: Vec<LedgerLine>,
    alarms: Vec<AlarmLine>,
    ending: Vec<EndingLine>,
}

/// A ceiling of use that was neared, reached or asked beyond.
struct AlarmLine {
    seal: String,
    officer: Option<String>,
    level: (&'static str, &'static str),
    span: (&'static str, &'static str),
    most: u32,
    at: String,
}

/// A certificate that wants a successor.
struct EndingLine {
    subject: String,
    legend: Option<String>,
    ends: String,
}

/// What those who look after seals or watch over them must know, of the last day and the next months.
async fn watch(state: &StaffState, who: &Who) -> Result<(Vec<AlarmLine>, Vec<EndingLine>), Problem> {
    if !who.administers && !who.reads_ledger {
        return Ok((vec![], vec![]));
    }
    let (store, now) = (&state.desk.store, (state.clock)());
    let alarms = store.use_alarms(now - time::Duration::DAY, 20).await?;
    let line = |alarm: &UseAlarm| AlarmLine {
        seal: alarm.seal.to_string(),
        officer: alarm.officer.clone(),
        level: alarm.level.words(),
        span: alarm.span.words(),
        most: alarm.most,
        at: china(alarm.at),
    };
    let ending = ending(store, now).await?.into_iter().map(|(soon, _)| EndingLine {
        subject: soon.subject,
        legend: soon.legend,
        ends: china(soon.ends),
    });
    Ok((alarms.iter().map(line).collect(), ending.collect()))
}

/// A use of a seal that is written down and waits.
struct WaitingLine {
    order: String,
    title: String,
    because: (String, String),
    since: String,
    tries: u32,
    next_try: String,
}

impl From<Waiting> for WaitingLine {
    fn from(waiting: Waiting) -> Self {
        let Waiting { order, title, since, tries, next_try, because, .. } = waiting;
        let (since, next_try) = (china(since), china(next_try));
        Self { order, title, because: (because.zh, because.en), since, tries, next_try }
    }
}

/// One's own, or everybody's for those who read the ledger.
async fn waiting(state: &StaffState, officer: &Officer) -> Result<Vec<WaitingLine>, Problem> {
    let whose = if may_read(officer).is_ok() { "" } else { officer.id.as_str() };
    let found = state.desk.store.all_waiting(whose, limits::HTTP_ROWS).await?;
    Ok(found.into_iter().map(WaitingLine::from).collect())
}

pub(super) async fn home(At(state): At, session: Session) -> Result<Response, Problem> {
    let officer = &session.officer;
    let mine = LedgerQuery { officer: officer.id.to_string(), limit: Some(10), ..LedgerQuery::default() };
    let who = Who::of(officer);
    let (alarms, ending) = watch(&state, &who).await?;
    show(&HomePage {
        alarms,
        ending,
        who,
        duties: officer.duties.iter().map(|duty| duty.zh()).collect(),
        templates: issue::templates(&state),
        waiting: waiting(&state, officer).await?,
        mine: mine.page(&state.desk.store).await?.lines,
    })
}

// — what was made

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    who: Who,
    title: String,
    state: (&'static str, &'static str),
    lost_because: Option<String>,
    written_at: String,
    reason: String,
    officer: String,
    /// Legend and number.
    seal: Option<(String, String)>,
    /// What may be made next, and where.
    next: Vec<(String, &'static str, &'static str)>,
    identifier: Option<String>,
    public_url: String,
    /// Formats and digests: of a licence every file of its version.
    files: Vec<(&'static str, String)>,
    level: &'static str,
    waiting: Option<WaitingLine>,
    id: String,
}

/// One's own order, or anyone's for those who read the ledger.
pub(super) async fn order(At(state): At, session: Session, Path(id): Path<String>) -> Result<Response, Problem> {
    let none = || Problem::unknown("http.no-order", "没有此用印记录", "there is no such use of a seal");
    let record = state.desk.store.order(&id).await?.ok_or_else(none)?;
    if record.officer != session.officer.id.as_str() && may_read(&session.officer).is_err() {
        return Err(none());
    }
    let seal = match &record.seal {
        Some(number) => state.desk.store.seal(number).await?.map(|filed| (filed.seal.legend, number.to_string())),
        None => None,
    };
    let files = files_of(&state.desk.store, &record).await?;
    let who = Who::of(&session.officer);
    let waiting = state.desk.store.waiting(&id).await?.map(WaitingLine::from);
    let identifier = record.identifier().map(ToString::to_string);
    let copies = || format!("/copies?identifier={}", identifier.as_deref().unwrap_or_default());
    let next = match record.kind {
        _ if !who.makes => vec![],
        OrderKind::Licence if record.state == OrderState::Sealed => vec![
            (copies(), "制作加注件", "Make an annotated copy"),
            ("/issue".to_owned(), "制作下一份", "Issue another"),
        ],
        OrderKind::Licence => vec![("/issue".to_owned(), "制作下一份", "Issue another")],
        OrderKind::Copy => vec![(copies(), "再制作一份加注件", "Make another copy")],
        OrderKind::Upload => vec![("/uploads".to_owned(), "再为一份文书盖章", "Seal another document")],
        _ => vec![],
    };
    show(&OrderPage {
        identifier,
        next,
        who,
        seal,
        officer: record.officer,
        title: record.title,
        state: match record.state {
            OrderState::Written if waiting.is_some() => ("written", "用印已登记，等待办结；无需重复提交"),
            OrderState::Written => ("written", "办理中，请稍后刷新本页"),
            OrderState::Sealed => ("sealed", "已用印"),
            OrderState::Lost => ("lost", "未完成，未用印"),
        },
        lost_because: record.lost_because,
        written_at: china(record.written_at),
        reason: record.decision.or(record.abolition).unwrap_or_default(),
        public_url: state.desk.public_url.clone(),
        files,
        level: record.level.as_str(),
        waiting,
        id: record.id,
    })
}

/// What an order made: its document, and of a licence the same version in the other format.
async fn files_of(store: &Store, record: &OrderRecord) -> Result<Vec<(&'static str, String)>, Problem> {
    let Some(document) = record.document.clone() else { return Ok(vec![]) };
    let own = (record.media_type.zh(), newest(store, document).await?);
    if let Some(copy) = &record.annotation {
        let all = store.copies(&copy.identifier.licence(), limits::HTTP_ROWS).await?;
        let of_it = |one: &OrderRecord| one.annotation.as_ref().is_some_and(|other| other.number == copy.number);
        let other = all.into_iter().filter(|one| one.id != record.id && of_it(one));
        let other = other.filter_map(|one| Some((one.media_type.zh(), one.document?)));
        return Ok(std::iter::once(own).chain(other).collect());
    }
    let Some(identifier) = record.licence.as_ref().map(|licence| &licence.version.identifier) else {
        return Ok(vec![own]);
    };
    let versions = store.licence_versions(&identifier.licence()).await?;
    let version = versions.into_iter().find(|filed| filed.licence.version.identifier == *identifier);
    let other = match (record.media_type, version) {
        (MediaType::Pdf, Some(version)) => version.ofd.map(|ofd| (MediaType::Ofd, ofd)),
        (MediaType::Ofd, Some(version)) => {
            version.document.filter(|pdf| version.ofd.as_ref() != Some(pdf)).map(|pdf| (MediaType::Pdf, pdf))
        }
        (_, None) => None,
    };
    let other = match other {
        Some((media_type, document)) => Some((media_type.zh(), newest(store, document).await?)),
        None => None,
    };
    Ok(std::iter::once(own).chain(other).collect())
}

/// A document, to those who make documents or watch over them.
pub(super) async fn document(At(state): At, session: Session, Path(sha256): Path<String>) -> Result<Response, Problem> {
    if !Who::of(&session.officer).makes {
        may_read(&session.officer)?;
    }
    send_document(&state, &sha256).await
}

// — the ledger

#[derive(Template)]
#[template(path = "ledger.html")]
struct LedgerPage {
    who: Who,
    query: LedgerQuery,
    waiting: Vec<WaitingLine>,
    lines: Vec<LedgerLine>,
    next: Option<String>,
    csv: String,
    fault: Option<Message>,
}

pub(super) async fn ledger(
    At(state): At,
    session: Session,
    Query(query): Query<LedgerQuery>,
) -> Result<Response, Problem> {
    may_read(&session.officer)?;
    let pairs = [("seal", &query.seal), ("officer", &query.officer), ("from", &query.from), ("until", &query.until)];
    let filter: String = pairs.iter().map(|(name, value)| format!("{name}={}&", encoded(value))).collect();
    if query.format == "csv" {
        return query.csv(&state.desk.store).await;
    }
    let (page, fault) = match query.page(&state.desk.store).await {
        Ok(page) => (page, None),
        Err(problem) if problem.is_askers() => {
            (LedgerQuery::default().page(&state.desk.store).await?, Some(problem.message().clone()))
        }
        Err(problem) => return Err(problem),
    };
    show(&LedgerPage {
        who: Who::of(&session.officer),
        waiting: waiting(&state, &session.officer).await?,
        lines: page.lines,
        next: page.next_offset.map(|offset| format!("/ledger?{filter}offset={offset}")),
        csv: format!("/ledger?{filter}format=csv"),
        query,
        fault,
    })
}
