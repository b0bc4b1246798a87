//! The page with the audit trail: who did what, from where, newest first.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;

use super::Who;
use crate::http::answers::china;
use crate::http::ledger::may_read;
use crate::http::pages::show;
use crate::http::problem::Problem;
use crate::http::sign_in::Session;
use crate::http::staff::At;
use crate::limits;
use crate::store::AuditEvent;
use crate::tlog::trail;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    who: Who,
    lines: Vec<AuditLine>,
    next: Option<u32>,
    /// Events that the newest entry of the log speaks for, its place in the log, and when it was made.
    anchor: Option<(u64, u64, String)>,
}

struct AuditLine {
    position: Option<u64>,
    at: String,
    who: String,
    source: String,
    what: String,
    subject: String,
    detail: String,
}

impl From<AuditEvent> for AuditLine {
    fn from(event: AuditEvent) -> Self {
        let AuditEvent { position, at, who, source, what, subject, detail } = event;
        Self { position, at: china(at), who, source, what, subject, detail: detail.to_string() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditQuery {
    #[serde(default)]
    offset: u32,
}

pub(crate) async fn audit(
    At(state): At,
    session: Session,
    Query(AuditQuery { offset }): Query<AuditQuery>,
) -> Result<Response, Problem> {
    may_read(&session.officer)?;
    let store = &state.desk.store;
    let mut events = store.audit_events_from(limits::HTTP_ROWS + 1, offset).await?;
    let more = events.len() > usize::from(limits::HTTP_ROWS);
    events.truncate(usize::from(limits::HTTP_ROWS));
    let anchor = store.anchors(u64::MAX, 1).await?.pop().and_then(|entered| {
        let length = trail::anchored(&entered.entry)?.length;
        Some((length, entered.index, china(entered.entry.leaf.at)))
    });
    show(&AuditPage {
        who: Who::of(&session.officer),
        lines: events.into_iter().map(AuditLine::from).collect(),
        next: more.then(|| offset.saturating_add(limits::HTTP_ROWS.into())),
        anchor,
    })
}
