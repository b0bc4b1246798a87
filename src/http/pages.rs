//! The public pages: verify, look a seal up, follow its life. Rendered here, without scripts.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};

use super::PublicState;
use super::answers::{ItemAnswer, LicenceAnswer, SealAnswer, StatusAnswer, china};
use super::problem::Problem;
use super::register::{SealQuery, StatusQuery, find_licence, find_seal};
use crate::abolition::{AbolitionAct, CustodyEntry, CustodyKind};
use crate::limits;
use crate::message::Message;

/// A template's text, or the fault in the log and a plain answer.
pub(super) fn show(page: &impl Template) -> Result<Response, Problem> {
    match page.render() {
        Ok(html) => Ok(Html(html).into_response()),
        Err(error) => {
            tracing::error!(%error, "a page was not rendered");
            Err(Problem::busy())
        }
    }
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    seals: u64,
    abolitions: u64,
}

pub(super) async fn home(State(state): State<PublicState>) -> Result<Response, Problem> {
    show(&Home { seals: state.store.seal_count().await?, abolitions: state.store.abolition_count().await? })
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage {
    query: SealQuery,
    seals: Vec<SealAnswer>,
    next: Option<String>,
}

pub(super) async fn register(
    State(state): State<PublicState>,
    Query(query): Query<SealQuery>,
) -> Result<Response, Problem> {
    let page = query.page(&state.store, (state.clock)()).await?;
    let next = page.next_offset.map(|offset| next_page("/register", &query, offset));
    show(&RegisterPage { query, seals: page.seals, next })
}

/// Where the next page of a search for seals is.
pub(super) fn next_page(path: &str, query: &SealQuery, offset: u32) -> String {
    format!("{path}?q={}&owner={}&offset={offset}", encoded(&query.q), encoded(&query.owner))
}

/// Percent-encoded for a query (RFC 3986 §2.3: unreserved characters stay).
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[derive(Template)]
#[template(path = "seal.html")]
struct SealPage {
    seal: SealAnswer,
    /// Legends of the successors named in its events, by number.
    successors: Vec<(String, String)>,
    custody: Vec<CustodyLine>,
    items: Vec<ItemAnswer>,
    query: StatusQuery,
    answer: Option<Result<StatusAnswer, Message>>,
}

impl SealPage {
    fn legend_of(&self, number: &str) -> &str {
        self.successors.iter().find(|(known, _)| known == number).map_or("", |(_, legend)| legend)
    }
}

/// A custody entry as the public sees it: what, when, where; the names of the clerks are not public.
struct CustodyLine {
    what_zh: &'static str,
    what_en: &'static str,
    at: String,
    container: String,
}

impl CustodyLine {
    fn of(entry: &CustodyEntry) -> Self {
        let (what_zh, what_en) = custody_words(entry.kind);
        Self { what_zh, what_en, at: china(entry.at), container: entry.container.clone() }
    }
}

/// What happened to a seal in custody, Chinese and English.
pub(super) fn custody_words(kind: CustodyKind) -> (&'static str, &'static str) {
    match kind {
        CustodyKind::SealedAway => ("封存", "sealed away"),
        CustodyKind::Opened => ("启封", "opened"),
        CustodyKind::Destroyed => ("销毁", "destroyed"),
    }
}

pub(super) async fn seal(
    State(state): State<PublicState>,
    Path(number): Path<String>,
    Query(query): Query<StatusQuery>,
) -> Result<Response, Problem> {
    let now = (state.clock)();
    let filed = find_seal(&state.store, &number).await?;
    let answer = match query.asks() {
        true => Some(match query.answer(&state.store, &filed, now).await {
            Ok(answer) => Ok(answer),
            Err(problem) if problem.is_askers() => Err(problem.message().clone()),
            Err(problem) => return Err(problem),
        }),
        false => None,
    };
    let mut successors = vec![];
    for event in filed.seal.life.events() {
        if let Some(number) = &event.successor
            && let Some(successor) = state.store.seal(number).await?
        {
            successors.push((number.to_string(), successor.seal.legend));
        }
    }
    let custody = state.store.custody(&filed.seal.number).await?;
    let lives = state.store.certificate_lives(&filed.seal.number).await?;
    show(&SealPage {
        seal: SealAnswer::of(&filed.seal, now).with(&lives, now),
        successors,
        custody: custody.iter().map(CustodyLine::of).collect(),
        items: state.store.items().await?.iter().map(ItemAnswer::of).collect(),
        query,
        answer,
    })
}

#[derive(Template)]
#[template(path = "abolitions.html")]
struct AbolitionsPage {
    orders: Vec<OrderLine>,
    /// Where the next page begins.
    next: Option<u32>,
}

struct OrderLine {
    number: String,
    government: String,
    date: String,
    at: String,
    reason: String,
    reinstates: bool,
    successor: Option<String>,
    /// Number and legend.
    seals: Vec<(String, String)>,
}

/// Which orders.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderQuery {
    #[serde(default)]
    offset: u32,
}

pub(super) async fn abolitions(
    State(state): State<PublicState>,
    Query(OrderQuery { offset }): Query<OrderQuery>,
) -> Result<Response, Problem> {
    let limit = limits::HTTP_ORDERS;
    let mut found = state.store.some_abolitions(limit + 1, offset).await?;
    let next = (found.len() > usize::from(limit)).then(|| offset.saturating_add(u32::from(limit)));
    found.truncate(usize::from(limit));
    let mut orders = vec![];
    for order in found {
        let order = order.get();
        let mut seals = vec![];
        for seal in &order.seals {
            let legend = state.store.seal(&seal.number).await?.map(|filed| filed.seal.legend).unwrap_or_default();
            seals.push((seal.number.to_string(), legend));
        }
        orders.push(OrderLine {
            number: order.number.clone(),
            government: order.government.clone(),
            date: order.date.to_string(),
            at: china(order.at),
            reason: order.reason.clone(),
            reinstates: order.act == AbolitionAct::Reinstate,
            successor: order.successor.as_ref().map(ToString::to_string),
            seals,
        });
    }
    show(&AbolitionsPage { orders, next })
}

#[derive(Template)]
#[template(path = "items.html")]
struct ItemsPage {
    items: Vec<ItemAnswer>,
    /// Code and name.
    authorities: Vec<(String, String)>,
}

impl ItemsPage {
    fn name_of<'a>(&'a self, code: &'a str) -> &'a str {
        self.authorities.iter().find(|(known, _)| known == code).map_or(code, |(_, name)| name)
    }
}

pub(super) async fn items(State(state): State<PublicState>) -> Result<Response, Problem> {
    let authorities = state.store.authorities().await?;
    show(&ItemsPage {
        items: state.store.items().await?.iter().map(ItemAnswer::of).collect(),
        authorities: authorities.into_iter().map(|authority| (authority.uscc.to_string(), authority.name)).collect(),
    })
}

#[derive(Template)]
#[template(path = "licence.html")]
struct LicencePage {
    licence: LicenceAnswer,
    now: String,
}

pub(super) async fn licence(
    State(state): State<PublicState>,
    Path(identifier): Path<String>,
) -> Result<Response, Problem> {
    let now = (state.clock)();
    let licence = find_licence(&state.store, &identifier, now).await?;
    show(&LicencePage { licence, now: china(now) })
}

#[derive(Template)]
#[template(path = "verify.html")]
pub(super) struct VerifyPage {
    pub fault: Option<Message>,
}

pub(super) async fn verify_form() -> Result<Response, Problem> {
    show(&VerifyPage { fault: None })
}
