//! The register as data, with the proof that the public log has it.

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::IntoParams;

use super::PublicState;
use super::problem::{Problem, ProblemBody};
use crate::register::snapshot::Published;
use crate::store::{FiledSnapshot, Store};

/// Which snapshot.
#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SnapshotQuery {
    /// `size` of the snapshot at hand: what is new since then, and not the whole.
    since: Option<u64>,
}

/// All seals with their lives, certificates and orders of abolition, and all items, as of the newest snapshot; with the
/// receipt of the public log (C2SP tlog-proof). What `yinxin verify --register` judges by, without asking us.
#[utoipa::path(get, path = "/register/snapshot", tag = "register", params(SnapshotQuery), responses(
    (status = 200, description = "`register` or `delta`, and `receipt`", body = serde_json::Value, content_type = "application/json"),
    (status = 404, description = "There is no such snapshot", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn snapshot(
    State(state): State<PublicState>,
    Query(query): Query<SnapshotQuery>,
) -> Result<Response, Problem> {
    let text = published(&state.store, query.since).await?.ok_or_else(|| {
        Problem::unknown(
            "register.no-snapshot",
            "没有这份登记册快照，请下载全文（不带 since）",
            "there is no such snapshot of the register; fetch the whole, without `since`",
        )
    })?;
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=60")];
    Ok((headers, text).into_response())
}

async fn published(store: &Store, since: Option<u64>) -> Result<Option<String>, Problem> {
    let Some(FiledSnapshot { snapshot, receipt: Some(receipt), .. }) = store.snapshot(None).await? else {
        return Ok(None);
    };
    let published = match since {
        None => Published::Whole(snapshot),
        Some(since) => match store.snapshot(Some(since)).await? {
            Some(old) => Published::Delta(Box::new(snapshot.since(&old.snapshot))),
            None => return Ok(None),
        },
    };
    Ok(Some(published.write(&receipt)))
}
