//! What stands around every route of a listener: limits, time, headers, identifiers, the last resort.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::timeout::TimeoutLayer;

use super::problem;
use crate::limits;

/// No script, no style and no picture but our own files; forms go nowhere else; nobody frames us.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The same for a page that shows pictures made for it alone: they are part of it, so that nothing is kept.
const WITH_INLINE_PICTURES: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Marks an answer whose page carries its pictures in itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct InlinePictures;

/// The header by which a request is found in the log.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header with the second officer's token (two people administer seals, rule 5).
pub(super) const SECOND_OFFICER: HeaderName = HeaderName::from_static("x-second-officer-token");

/// How a listener is reached, as far as its headers depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    /// Nothing it answers may stay in a cache.
    pub no_store: bool,
    /// Reached by https: browsers are told to keep to it.
    pub https: bool,
}

/// Where a request comes from, for the audit trail: the address at the other end of its connection. Headers are not believed
/// about that, since anyone can send them; behind a proxy it is the proxy's address.
pub(super) fn source(extensions: &Extensions) -> String {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or_else(|| "http".to_owned(), |ConnectInfo(address)| address.ip().to_canonical().to_string())
}

/// Routes that take forms and JSON.
pub(super) fn small<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    bounded(routes, limits::HTTP_FORM_BYTES, limits::HTTP_SECONDS)
}

/// Routes that take a document.
pub(super) fn large<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    // Within the time limit, so that waiting counts too. Global: a router gives each of its routes a layer of its own.
    let routes = routes.layer(GlobalConcurrencyLimitLayer::new(limits::HTTP_UPLOADS));
    bounded(routes, limits::PDF_BYTES + limits::HTTP_FORM_BYTES, limits::HTTP_UPLOAD_SECONDS)
}

/// Routes that take a log's head with its proof.
pub(super) fn notes<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    bounded(routes, limits::LOG_RECEIPT_BYTES, limits::HTTP_SECONDS)
}

/// axum's limit counts for its own extractors, tower-http's for everything that reads the body: both are set.
fn bounded<S: Clone + Send + Sync + 'static>(routes: Router<S>, bytes: usize, seconds: u64) -> Router<S> {
    routes
        .layer(DefaultBodyLimit::max(bytes))
        .layer(RequestBodyLimitLayer::new(bytes))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(seconds)))
}

/// The layers around a whole listener, innermost first.
pub(super) fn around(routes: Router, how: Around) -> Router {
    routes
        .layer(CatchPanicLayer::custom(panicked))
        .layer(GlobalConcurrencyLimitLayer::new(limits::HTTP_REQUESTS))
        .layer(from_fn_with_state(how, answer))
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, header::COOKIE, SECOND_OFFICER]))
}

/// Identifies the request, times it, and gives every refusal its body.
async fn answer(State(how): State<Around>, request: Request, next: Next) -> Response {
    // A name of our own: one from outside could be forged to look like another request in the log.
    let id = random::<16>().map(hex::encode).unwrap_or_default();
    let page = wants_page(request.uri().path(), request.headers());
    let asset = request.uri().path().starts_with("/assets/");
    let method = request.method().clone();
    // The route's pattern and never the path: paths hold identifiers of licences.
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let begun = Instant::now();
    let mut response = problem::finish(next.run(request).await, &id, page);
    let status = response.status().as_u16();
    tracing::info!(request = %id, %method, %route, status, ms = begun.elapsed().as_millis() as u64, "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    // Set last, so that an answer made by a layer, or by `finish`, has them too.
    fixed_headers(response.headers_mut());
    if response.extensions().get::<InlinePictures>().is_some() {
        let policy = HeaderValue::from_static(WITH_INLINE_PICTURES);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if how.no_store && !asset {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    } else {
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    }
    if how.https {
        let year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let program = [
        "/api/",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/add-checkpoint",
        "/ocsp",
        "/crl/",
        "/ca/",
        "/tsa",
        "/CertShare/",
        "/resource/",
        "/router/",
        "/assets/",
    ];
    !program.iter().any(|prefix| path.starts_with(prefix))
        && headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|a| a.contains("text/html"))
}

fn fixed_headers(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: that makes browsers send `Origin: null` with our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let words = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = %words, "a handler panicked");
    let mut response = Response::default();
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// Random bytes for sessions, identifiers of grants and of requests.
#[expect(clippy::disallowed_methods, reason = "the one place where the doors draw randomness")]
pub(super) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
