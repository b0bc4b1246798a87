//! A witness's door (C2SP tlog-witness): a listener of its own, in a process of its own.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::guard::{self, Around};
use super::problem::Problem;
use crate::desk::blocking;
use crate::message::Message;
use crate::tlog::witness::Refused;
use crate::witness::{NotCosigned, Witness};

/// All its routes.
pub fn witness_router(witness: Arc<Witness>) -> Router {
    let routes = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{log}/checkpoint", get(checkpoint))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready));
    guard::around(guard::notes(routes).with_state(witness), Around { no_store: true, https: false })
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    match blocking(move || witness.add_checkpoint(&body)).await {
        Ok(line) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], line).into_response(),
        Err(NotCosigned::Refused(Refused::Conflict(size))) => {
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, SIZE)], format!("{size}\n")).into_response()
        }
        Err(why) => {
            let status = match &why {
                NotCosigned::Malformed(_) | NotCosigned::Refused(Refused::Backwards) => StatusCode::BAD_REQUEST,
                NotCosigned::Refused(Refused::UnknownLog) => StatusCode::NOT_FOUND,
                NotCosigned::Refused(Refused::Unsigned) => StatusCode::FORBIDDEN,
                NotCosigned::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
                _ => {
                    tracing::error!(error = %why.message().en, "a head could not be cosigned");
                    return Problem::busy().into_response();
                }
            };
            Problem::of(status, why.message()).into_response()
        }
    }
}

/// What the specification has the body of a 409 called.
pub(super) const SIZE: &str = "text/x.tlog.size";

async fn checkpoint(State(witness): State<Arc<Witness>>, Path(log): Path<String>) -> Result<Response, Problem> {
    let shown = witness.checkpoint(&log).ok_or_else(|| {
        Problem::unknown(
            "witness.nothing-seen",
            "本见证未见过该日志的树头",
            "this witness has seen no head of that log",
        )
    })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], shown).into_response())
}

async fn ready(State(witness): State<Arc<Witness>>) -> Result<&'static str, Problem> {
    let away = || {
        Message::new(
            "witness.key-away",
            "见证密钥不在，请检查密码设备",
            "the witness's key does not answer; look at its token",
        )
    };
    if witness.is_ready() { Ok("ready\n") } else { Err(Problem::of(StatusCode::SERVICE_UNAVAILABLE, away())) }
}
