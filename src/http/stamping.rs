//! The public's door to our own time-stamp authority (RFC 3161 §3.4: one request, one answer, over HTTP).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use time::{Duration, OffsetDateTime};

use super::PublicState;
use super::problem::{Problem, ProblemBody};
use crate::desk::Desk;

/// Our own authority as the public reaches it: the desk, and how many tokens it makes in a minute.
#[derive(Clone)]
pub(super) struct Stamper {
    desk: Desk,
    a_minute: usize,
    /// When tokens were asked for within the last minute.
    asked: Arc<Mutex<VecDeque<OffsetDateTime>>>,
}

impl Stamper {
    pub fn of(desk: Desk, a_minute: usize) -> Self {
        Self { desk, a_minute, asked: Arc::default() }
    }

    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Whether one more may be made: each is a row that stays, and anyone may ask.
    fn may_stamp(&self, now: OffsetDateTime) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not shut the door for longer than a minute either.
        while asked.front().is_some_and(|at| (now - *at).abs() >= Duration::MINUTE) {
            asked.pop_front();
        }
        let may = asked.len() < self.a_minute;
        if may {
            asked.push_back(now);
        }
        may
    }
}

/// A time stamp over a digest. What cannot be stamped is answered in the form of RFC 3161, with the status 200.
#[utoipa::path(post, path = "/tsa", tag = "time stamps",
    request_body(content = Vec<u8>, content_type = "application/timestamp-query", description = "TimeStampReq (RFC 3161 §2.4.1), DER: SHA-256, SHA-384 or SHA-512, no extensions"),
    responses(
        (status = 200, description = "TimeStampResp (RFC 3161 §2.4.2), DER: a token, or why there is none", body = Vec<u8>, content_type = "application/timestamp-reply"),
        (status = 404, description = "This service does not stamp for the public", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Not sent as a request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many were asked for within a minute", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn stamp(
    State(state): State<PublicState>,
    headers: HeaderMap,
    request: Bytes,
) -> Result<Response, Problem> {
    let stamper = state.stamper.ok_or_else(|| {
        Problem::unknown("http.no-stamping", "本服务不对外签发时间戳", "this service does not stamp for the public")
    })?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/timestamp-query") {
        return Err(Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    if !stamper.may_stamp((state.clock)()) {
        let problem = Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "http.too-many-stamps",
            "一分钟内请求的时间戳过多，请稍后再试",
            "too many time stamps were asked for within a minute; try again later",
        );
        let mut response = problem.into_response();
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
        return Ok(response);
    }
    // In a task of its own: a client who hangs up leaves no order behind that was written and not carried out.
    let answer = tokio::spawn(async move { stamper.desk.answer_stamp_request(&request).await });
    let answer = answer.await.map_err(|_| Problem::busy())?;
    Ok(([(header::CONTENT_TYPE, "application/timestamp-reply"), (header::CACHE_CONTROL, "no-store")], answer)
        .into_response())
}
