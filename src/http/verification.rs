//! Verification for programs and for people: an upload, a report, nothing kept.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::Multipart;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use tokio::task::JoinError;
use utoipa::ToSchema;

use super::PublicState;
use super::answers::china;
use super::pages::{VerifyPage, show};
use super::problem::{Problem, ProblemBody};
use crate::limits;
use crate::seal::SealStatus;
use crate::verify::gather::{gather, house_trust};
use crate::verify::report::{Check, Outcome, Verdict};
use crate::verify::{Report, judge};

/// An upload: the bytes, and what the sender calls them.
struct Upload {
    name: String,
    bytes: Vec<u8>,
}

impl Upload {
    /// A form's part `file`, or the document as the body itself.
    async fn read(request: Request, state: &PublicState) -> Result<Self, Problem> {
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "multipart/form-data" => {
                let form = Multipart::from_request(request, state).await;
                Self::of_form(form.map_err(|error| Problem::from_status(error.status()))?).await
            }
            "application/pdf" | "application/octet-stream" => {
                let bytes = Bytes::from_request(request, state).await;
                let bytes = bytes.map_err(|error| Problem::from_status(error.status()))?;
                Ok(Self { name: "document".into(), bytes: bytes.into() })
            }
            _ => Err(Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
        }
    }

    async fn of_form(mut form: Multipart) -> Result<Self, Problem> {
        while let Some(field) = form.next_field().await? {
            if field.name() == Some("file") {
                let name: String =
                    field.file_name().unwrap_or("document").chars().filter(|c| !c.is_control()).take(100).collect();
                return Ok(Self { name, bytes: field.bytes().await?.into() });
            }
        }
        Err(no_file())
    }
}

fn no_file() -> Problem {
    Problem::bad("http.no-file", "请选择要核验的文件", "choose the file that is to be verified")
}

/// Waits for a turn, and judges in a task of its own: a client who hangs up ends neither the task nor its turn, so that
/// no more judgements run than there are turns, whoever still listens.
async fn verify(state: &PublicState, upload: Upload) -> Result<Report, Problem> {
    if upload.bytes.is_empty() {
        return Err(no_file());
    }
    let wait = Duration::from_secs(limits::HTTP_JUDGEMENT_WAIT_SECONDS);
    let Ok(Ok(turn)) = tokio::time::timeout(wait, state.judgements.clone().acquire_owned()).await else {
        return Err(Problem::busy());
    };
    let state = state.clone();
    let judged = tokio::spawn(async move {
        let report = judged(&state, upload).await;
        drop(turn);
        report
    });
    judged.await.map_err(panicked)?
}

async fn judged(state: &PublicState, upload: Upload) -> Result<Report, Problem> {
    let mut trust = house_trust(&state.store).await?;
    trust.anchors.extend(state.trust.anchors.iter().cloned());
    trust.intermediates.extend(state.trust.intermediates.iter().cloned());
    trust.lists.extend(state.trust.lists.iter().cloned());
    let at = (state.clock)();
    let mut evidence = gather(Some(&state.store), Arc::new(trust), &upload.name, upload.bytes, at).await?;
    evidence.now = Some(at);
    // Digests of a large file and signatures: off the threads that answer.
    tokio::task::spawn_blocking(move || judge(&evidence)).await.map_err(panicked)
}

fn panicked(error: JoinError) -> Problem {
    tracing::error!(%error, "a verification panicked");
    Problem::from_status(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The shape of a report, at least; fields are added and never renamed.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the shape of verify's own report, for the description alone")]
pub(super) struct ReportAnswer {
    /// As the sender named it.
    file: String,
    /// `pdf`, `ofd`, `cms` or `unknown`.
    format: String,
    /// EN 319 102-1: `TOTAL-PASSED`, `INDETERMINATE` or `TOTAL-FAILED`.
    indication: String,
    /// Why it did not pass, EN 319 102-1 tables 5 and 6.
    sub_indication: Option<String>,
    #[schema(format = DateTime)]
    judged_at: String,
    /// One sentence for a citizen.
    summary: super::answers::Sentence,
    signatures: Vec<SignatureAnswer>,
}

/// One signature of a report.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the shape of verify's own report, for the description alone")]
pub(super) struct SignatureAnswer {
    name: String,
    indication: String,
    sub_indication: Option<String>,
    /// Digest and value are right, whoever signed.
    intact: bool,
    /// `whole`, `partial` or `none`.
    coverage: String,
    /// `none`, `allowed`, `suspicious` or `forbidden`.
    later_changes: String,
    /// Claimed by the signer.
    #[schema(format = DateTime)]
    signed_at: Option<String>,
    /// By when it provably existed.
    #[schema(format = DateTime)]
    proven_time: Option<String>,
    signer: Option<String>,
    trusted: bool,
    checks: Vec<CheckAnswer>,
}

/// One check of one signature.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the shape of verify's own report, for the description alone")]
pub(super) struct CheckAnswer {
    id: String,
    /// `passed`, `failed`, `indeterminate` or `info`.
    outcome: String,
    /// The standard's clause or the house's rule.
    clause: String,
    detail: String,
}

/// Verifies a sealed document. Nothing is kept; a bad document is a report and not an error.
#[utoipa::path(post, path = "/api/v1/verifications", tag = "verification", request_body(content(
    (Vec<u8> = "application/pdf"),
    (Vec<u8> = "multipart/form-data"),
)), responses(
    (status = 200, description = "The report, whatever it says", body = ReportAnswer),
    (status = 413, description = "Larger than is taken", body = ProblemBody, content_type = "application/problem+json"),
    (status = 415, description = "Neither a form nor a PDF", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "Too many verifications at once; `Retry-After` says when", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn verifications(State(state): State<PublicState>, request: Request) -> Result<Json<Report>, Problem> {
    let upload = Upload::read(request, &state).await?;
    Ok(Json(verify(&state, upload).await?))
}

// — the page

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    report: Report,
    judged_at: String,
}

impl ReportPage {
    fn class(&self) -> &'static str {
        match self.report.verdict {
            Verdict::Genuine(_) => "good",
            Verdict::Indeterminate(_) => "",
            Verdict::Failed(_) => "bad",
        }
    }

    fn word(&self) -> (&'static str, &'static str) {
        match self.report.verdict {
            Verdict::Genuine(_) => ("核验通过", "Passed"),
            Verdict::Indeterminate(_) => ("无法确认", "Not certain"),
            Verdict::Failed(_) => ("核验不通过", "Failed"),
        }
    }

    fn outcome(&self, check: &Check) -> (&'static str, &'static str) {
        match check.outcome {
            Outcome::Passed => ("passed", "通过"),
            Outcome::Failed => ("failed", "不通过"),
            Outcome::Indeterminate => ("indeterminate", "不能确认"),
            Outcome::Info => ("info", "说明"),
        }
    }

    fn time(&self, at: &Option<time::OffsetDateTime>) -> String {
        at.map_or_else(|| "—".to_owned(), china)
    }

    fn status(&self, status: &SealStatus) -> &'static str {
        status.zh()
    }
}

/// The same for people: the questions they ask in their order, and the list of checks to unfold.
pub(super) async fn verify_page(State(state): State<PublicState>, request: Request) -> Result<Response, Problem> {
    let report = match Upload::read(request, &state).await {
        Ok(upload) => verify(&state, upload).await,
        Err(problem) => Err(problem),
    };
    match report {
        Ok(report) => {
            let judged_at = china(report.judged_at);
            show(&ReportPage { report, judged_at })
        }
        Err(problem) if problem.status() == StatusCode::BAD_REQUEST => {
            let page = show(&VerifyPage { fault: Some(problem.message().clone()) })?;
            let (parts, body) = page.into_parts();
            let mut page = Response::from_parts(parts, body);
            *page.status_mut() = StatusCode::BAD_REQUEST;
            Ok(page)
        }
        Err(problem) => Err(problem),
    }
}
