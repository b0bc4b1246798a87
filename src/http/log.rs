//! The public log as files (C2SP tlog-tiles): a head that moves, and hashes and entries that never change.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::PublicState;
use super::problem::{Problem, ProblemBody};
use crate::limits;
use crate::tlog::tile::{Kind, Tile};

/// The newest head of the log, signed by its key and seen by its witnesses (C2SP tlog-checkpoint).
#[utoipa::path(get, path = "/log/checkpoint", tag = "log", responses(
    (status = 200, description = "A signed note", body = String, content_type = "text/plain"),
    (status = 404, description = "Nothing was ever entered", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn checkpoint(State(state): State<PublicState>) -> Result<Response, Problem> {
    let (_, note) = state.store.checkpoint().await?.ok_or_else(nothing)?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, note).into_response())
}

/// The log's key as a line (C2SP signed-note): what a verifier keeps in its trust folder.
#[utoipa::path(get, path = "/log/key.vkey", tag = "log", responses(
    (status = 200, description = "A verifier key", body = String, content_type = "text/plain"),
    (status = 404, description = "The log was never used", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn key(State(state): State<PublicState>) -> Result<Response, Problem> {
    let identity = state.store.log_identity().await?.ok_or_else(nothing)?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, format!("{}\n", identity.vkey)).into_response())
}

/// A tile of hashes, or a bundle of entries, that the newest head promises.
pub(super) async fn tile(State(state): State<PublicState>, Path(path): Path<String>) -> Result<Response, Problem> {
    let tile = Tile::of_path(&format!("tile/{path}")).ok_or_else(nothing)?;
    let bytes = state.store.log_tile(&tile).await?.ok_or_else(nothing)?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        // It is the same for ever, narrow ones too.
        (header::CACHE_CONTROL, format!("public, max-age={}, immutable", limits::LOG_TILE_CACHE_SECONDS)),
    ];
    debug_assert!(tile.kind == Kind::Entries || bytes.len() == usize::from(tile.width) * 32);
    Ok((headers, bytes).into_response())
}

fn nothing() -> Problem {
    Problem::unknown("log.nothing", "公开日志中没有此文件", "the log has no such file")
}
