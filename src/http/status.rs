//! What the certificates of this service name: the responder (RFC 6960, cacheable by RFC 5019), lists and certificates.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use time::OffsetDateTime;

use super::PublicState;
use super::problem::{Problem, ProblemBody};
use crate::limits;
use crate::status::Answered;

/// How certificates stand (RFC 6960): a DER OCSPRequest in, an OCSPResponse out.
///
/// The same by GET, with the request in base64 behind `/ocsp/` (§A.1).
#[utoipa::path(post, path = "/ocsp", tag = "certificates",
    request_body(content = Vec<u8>, content_type = "application/ocsp-request"),
    responses((status = 200, description = "The answer, or why there is none", body = Vec<u8>, content_type = "application/ocsp-response")))]
pub(super) async fn ocsp(State(state): State<PublicState>, request: Bytes) -> Response {
    let now = (state.clock)();
    sent(state.responder.answer(&request, now).await, &HeaderMap::new(), now)
}

/// The request in base64, percent-encoded where its writer cared to (RFC 6960 §A.1).
pub(super) async fn ocsp_by_get(
    State(state): State<PublicState>,
    Path(request): Path<String>,
    headers: HeaderMap,
) -> Response {
    let padding = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let base64 = GeneralPurpose::new(&alphabet::STANDARD, padding);
    // What cannot be decoded cannot be read either; the responder says so.
    let request = base64.decode(request.trim_start_matches('/')).unwrap_or_default();
    let now = (state.clock)();
    sent(state.responder.answer(&request, now).await, &headers, now)
}

fn sent(answered: Answered, asked: &HeaderMap, now: OffsetDateTime) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/ocsp-response")];
    let Some((this_update, next_update)) = answered.kept else {
        return (kind, [(header::CACHE_CONTROL, "no-store")], answered.der).into_response();
    };
    let etag = format!("\"{}\"", hex::encode(crate::crypto::sha256(&answered.der)));
    // Shorter than the answer's own life: a revocation should be known within the hour (RFC 5019 §6.2 leaves it open).
    let seconds = (next_update - now).whole_seconds().clamp(0, limits::OCSP_CACHE_SECONDS);
    let caching = [
        (header::LAST_MODIFIED, http_date(this_update)),
        (header::EXPIRES, http_date(next_update)),
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, format!("max-age={seconds}, public, no-transform, must-revalidate")),
    ];
    match has(asked, &etag) {
        true => (StatusCode::NOT_MODIFIED, caching).into_response(),
        false => (kind, caching, answered.der).into_response(),
    }
}

/// The certificate revocation list of one of this service's authorities (RFC 5280 §5), DER.
#[utoipa::path(get, path = "/crl/{file}", tag = "certificates", params(("file" = String, Path, description = "The authority's label and `.crl`")), responses(
    (status = 200, description = "The newest list", body = Vec<u8>, content_type = "application/pkix-crl"),
    (status = 304, description = "The list you have is the newest"),
    (status = 404, description = "No such list", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn crl(
    State(state): State<PublicState>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let label = file.strip_suffix(".crl").ok_or_else(no_list)?;
    let crl = state.store.crl(label).await?.ok_or_else(no_list)?;
    let now = (state.clock)();
    let etag = format!("\"{}-{}\"", label.replace(['"', '\\'], ""), crl.number);
    // A list is replaced on every revocation; who holds an older one should ask again within the hour.
    let seconds = (crl.next_update - now).whole_seconds().clamp(0, limits::OCSP_CACHE_SECONDS);
    let caching = [
        (header::ETAG, etag.clone()),
        (header::LAST_MODIFIED, http_date(crl.this_update)),
        (header::EXPIRES, http_date(crl.next_update)),
        (header::CACHE_CONTROL, format!("public, max-age={seconds}")),
    ];
    if has(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    Ok((caching, [(header::CONTENT_TYPE, "application/pkix-crl")], crl.crl).into_response())
}

fn no_list() -> Problem {
    Problem::unknown("http.no-crl", "没有此吊销列表", "there is no such revocation list")
}

/// The certificate of one of this service's authorities: PEM, or DER (`.cer`) as certificates name it.
#[utoipa::path(get, path = "/ca/{file}", tag = "certificates", params(("file" = String, Path, description = "The authority's label and `.pem` or `.cer`")), responses(
    (status = 200, description = "The certificate", body = String, content_type = "application/x-pem-file"),
    (status = 404, description = "No such authority", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn ca(State(state): State<PublicState>, Path(file): Path<String>) -> Result<Response, Problem> {
    let none = || Problem::unknown("http.no-ca", "没有此证书机构", "there is no such certificate authority");
    let (label, form) = file.rsplit_once('.').ok_or_else(none)?;
    let all = state.store.ca_certificates().await?;
    let found = all.into_iter().find(|ca| ca.label == label).ok_or_else(none)?;
    let cached = (header::CACHE_CONTROL, "public, max-age=3600");
    match form {
        "pem" => {
            let pem = der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, &found.certificate);
            let pem = pem.map_err(|_| Problem::busy())?;
            Ok(([(header::CONTENT_TYPE, "application/x-pem-file"), cached], pem).into_response())
        }
        "cer" => Ok(([(header::CONTENT_TYPE, "application/pkix-cert"), cached], found.certificate).into_response()),
        _ => Err(none()),
    }
}

/// Whether the asker has what goes by this tag (RFC 9110 §13.1.2).
pub(super) fn has(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag))
}

/// RFC 9110 §5.6.7.
fn http_date(at: OffsetDateTime) -> String {
    let form = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    at.checked_to_offset(time::UtcOffset::UTC).and_then(|at| at.format(form).ok()).unwrap_or_default()
}
