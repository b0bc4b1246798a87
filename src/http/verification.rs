//! Verification for programs and for people: an upload, a report, nothing kept.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Json;
use axum::body::{Bytes, HttpBody};
use axum::extract::multipart::Multipart;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::{Extensions, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinError;
use utoipa::{IntoParams, ToSchema};

use super::PublicState;
use super::guard::{self, InlinePictures};
use super::pages::{VerifyPage, show};
use super::problem::{Problem, ProblemBody};
use super::shelf::Forms;
use super::spool::Spool;
use crate::issue::seal_report;
use crate::limits;
use crate::preview::{self, Landlock, NotDrawn, Previewer, Previews};
use crate::verify::gather::{GatherError, Given, gather, house_trust};
use crate::verify::judge::evidence::Opened;
use crate::verify::report::html::Shown;
use crate::verify::report::{Original, etsi, html, print};
use crate::verify::{Evidence, Report, Trust, judge};

/// An upload: the document, and what the sender calls it.
struct Upload {
    name: String,
    document: Given,
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
            "application/pdf" | "application/ofd" | "application/octet-stream" => {
                let (mut body, mut spool) = (request.into_body(), Spool::default());
                while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                    let frame = frame.map_err(|_| Problem::from_status(StatusCode::BAD_REQUEST))?;
                    spool.push(frame.data_ref().map(Bytes::as_ref).unwrap_or_default()).await?;
                }
                Ok(Self { name: "document".into(), document: spool.finish().await?.ok_or_else(no_file)? })
            }
            _ => Err(Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
        }
    }

    async fn of_form(mut form: Multipart) -> Result<Self, Problem> {
        while let Some(mut field) = form.next_field().await? {
            if field.name() == Some("file") {
                let name: String =
                    field.file_name().unwrap_or("document").chars().filter(|c| !c.is_control()).take(100).collect();
                let mut spool = Spool::default();
                while let Some(bytes) = field.chunk().await? {
                    spool.push(&bytes).await?;
                }
                return Ok(Self { name, document: spool.finish().await?.ok_or_else(no_file)? });
            }
        }
        Err(no_file())
    }
}

fn no_file() -> Problem {
    Problem::bad("http.no-file", "请选择要核验的文件", "choose the file that is to be verified")
}

/// What one verification gives.
struct Judged {
    report: Report,
    /// The forms in which the report may be fetched.
    forms: Option<Forms>,
    pictures: Option<Pictures>,
}

/// Pictures of the document, and which signatures each of its earlier states belongs to.
struct Pictures {
    drawn: Result<Previews, NotDrawn>,
    /// One for each state: the numbers of the signatures, from 1.
    signers: Vec<Vec<usize>>,
}

/// What is wanted beside the report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Report,
    Forms,
    FormsAndPictures,
}

/// Waits for a turn, and judges in a task of its own: a client who hangs up ends neither the task nor its turn, so that
/// no more judgements run than there are turns, whoever still listens.
async fn verify(state: &PublicState, upload: Upload, wanted: Wanted) -> Result<Judged, Problem> {
    let wait = Duration::from_secs(limits::HTTP_JUDGEMENT_WAIT_SECONDS);
    let Ok(Ok(turn)) = tokio::time::timeout(wait, state.judgements.clone().acquire_owned()).await else {
        return Err(Problem::busy());
    };
    let state = state.clone();
    let judged = tokio::spawn(async move { judged(&state, upload, wanted, turn).await });
    judged.await.map_err(panicked)?
}

async fn judged(
    state: &PublicState,
    upload: Upload,
    wanted: Wanted,
    turn: OwnedSemaphorePermit,
) -> Result<Judged, Problem> {
    // With the memory of all that was judged here before.
    let trust = Trust::clone(&state.trust).and(house_trust(&state.store).await?);
    let at = (state.clock)();
    let Upload { name, document } = upload;
    let again = document.again().map_err(GatherError::Unread)?;
    let mut evidence = gather(Some(&state.store), Arc::new(trust), &name, again, at).await?;
    evidence.now = Some(at);
    let previewer = state.previewer.clone().filter(|_| wanted == Wanted::FormsAndPictures);
    // Digests of a large file and signatures: off the threads that answer.
    let work = tokio::task::spawn_blocking(move || {
        let report = judge(&evidence);
        let original = (wanted != Wanted::Report).then(|| document.original()).transpose()?;
        let forms = original.map(|original| Forms::of(&report, &evidence, &original));
        // Drawing has its own few turns; who waits to be judged does not wait for pictures.
        drop(turn);
        let pictures = previewer.and_then(|previewer| Pictures::of(&previewer, &evidence, &document));
        Ok(Judged { report, forms, pictures })
    });
    Ok(work.await.map_err(panicked)?.map_err(GatherError::Unread)?)
}

impl Forms {
    fn of(report: &Report, evidence: &Evidence, original: &Original) -> Self {
        let print = print(report, original);
        let short = print["document"].as_str().and_then(|digest| digest.get(..16)).unwrap_or_default().to_owned();
        let json = serde_json::to_string(report).unwrap_or_default();
        Self { json, xml: etsi::xml(report, evidence, original), html: html(report), print, short }
    }
}

impl Pictures {
    fn of(previewer: &Previewer, evidence: &Evidence, document: &Given) -> Option<Self> {
        let length = document.length().ok()?;
        let mut states: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let is_ofd = match &evidence.opened {
            Opened::Pdf { reading, .. } => {
                for (number, signature) in (1..).zip(&reading.signatures) {
                    if let Some(end) = signature.signed_length.filter(|end| *end < length) {
                        states.entry(end).or_default().push(number);
                    }
                }
                false
            }
            Opened::Ofd(_) => true,
            _ => return None,
        };
        let drawn = if length > limits::PREVIEW_BYTES {
            Err(NotDrawn::TooLarge)
        } else if is_ofd {
            previewer.draw_ofd(&document.bytes().ok()?)
        } else {
            previewer.draw(&document.bytes().ok()?, &states.keys().copied().collect::<Vec<_>>())
        };
        match &drawn {
            Err(why) => tracing::warn!(%why, "the pages of an uploaded document were not drawn"),
            Ok(drawn) if drawn.landlock == Some(Landlock::None) => {
                tracing::warn!("this kernel has no Landlock: pages are drawn within the other limits alone");
            }
            Ok(_) => {}
        }
        Some(Self { drawn, signers: states.into_values().collect() })
    }
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

/// In which form the report is wanted.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    #[default]
    Json,
    /// ETSI TS 119 102-2 V1.4.1.
    Xml,
    /// A page by itself.
    Html,
}

#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FormQuery {
    /// `json` (the default), `xml` (ETSI TS 119 102-2) or `html`.
    #[serde(default)]
    #[param(inline)]
    report: Form,
}

/// Verifies a sealed document. Nothing is kept; a bad document is a report and not an error.
#[utoipa::path(post, path = "/api/v1/verifications", tag = "verification", params(FormQuery), request_body(content(
    (Vec<u8> = "application/pdf"),
    (Vec<u8> = "multipart/form-data"),
)), responses(
    (status = 200, description = "The report, whatever it says", body = ReportAnswer),
    (status = 413, description = "Larger than is taken", body = ProblemBody, content_type = "application/problem+json"),
    (status = 415, description = "Neither a form nor a PDF", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "Too many verifications at once; `Retry-After` says when", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn verifications(
    State(state): State<PublicState>,
    Query(FormQuery { report: form }): Query<FormQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let upload = Upload::read(request, &state).await?;
    let wanted = if matches!(form, Form::Json) { Wanted::Report } else { Wanted::Forms };
    let Judged { report, forms, .. } = verify(&state, upload, wanted).await?;
    Ok(match (form, forms) {
        (Form::Xml, Some(forms)) => file(&forms, Form::Xml),
        (Form::Html, Some(forms)) => file(&forms, Form::Html),
        _ => Json(report).into_response(),
    })
}

/// One form of a report as a file. Always to be saved: a page of a document's making never opens under our own name.
fn file(forms: &Forms, form: Form) -> Response {
    let (media_type, ending, body) = match form {
        Form::Json => ("application/json", "json", &forms.json),
        Form::Xml => ("application/xml; charset=utf-8", "xml", &forms.xml),
        Form::Html => ("text/html; charset=utf-8", "html", &forms.html),
    };
    attachment(&format!("report-{}.{ending}", forms.short), media_type, body.clone().into())
}

fn attachment(name: &str, media_type: &'static str, body: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_DISPOSITION, disposition.as_str()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

/// A report of the last minutes, in one of its forms.
pub(super) async fn kept(
    State(state): State<PublicState>,
    Path((name, form)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let form = match form.as_str() {
        "report.json" => Form::Json,
        "report.xml" => Form::Xml,
        "report.html" => Form::Html,
        _ => return Err(Problem::from_status(StatusCode::NOT_FOUND)),
    };
    let forms = state.shelf.get(&name, (state.clock)()).ok_or_else(gone)?;
    Ok(file(&forms, form))
}

/// The same, sealed.
pub(super) async fn sealed(
    State(state): State<PublicState>,
    Path(name): Path<String>,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let now = (state.clock)();
    let Some(sealing) = state.report_seal.clone() else { return Err(Problem::from_status(StatusCode::NOT_FOUND)) };
    let forms = state.shelf.get(&name, now).ok_or_else(gone)?;
    if !state.shelf.may_seal(now) {
        return Err(Problem::busy());
    }
    let source = guard::source(&extensions);
    // In a task of its own: who hangs up does not leave a use of the seal half done.
    let file = format!("report-{}.pdf", forms.short);
    let work = tokio::spawn(async move {
        let (mut desk, with) = sealing.as_ref().clone();
        desk.store = desk.store.from_source(&source);
        let issued = seal_report(&desk, &with, &forms.print, now).await?;
        Ok::<_, Problem>(desk.store.document(&issued.document).await?)
    });
    let document = work.await.map_err(panicked)??;
    let document = document.ok_or_else(|| Problem::from_status(StatusCode::INTERNAL_SERVER_ERROR))?;
    Ok(attachment(&file, "application/pdf", document.bytes))
}

fn gone() -> Problem {
    Problem::unknown(
        "http.no-report",
        format!("报告只保留{}分钟，现已清除；请重新核验文件", limits::REPORT_MINUTES),
        format!(
            "reports are kept for {} minutes, and this one is gone; verify the document again",
            limits::REPORT_MINUTES
        ),
    )
}

// — the page

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage<'r> {
    shown: Shown<'r>,
    pictures: Option<&'r Pictures>,
    /// Under which the report may be fetched.
    name: Option<String>,
    /// It may be fetched sealed.
    sealing: bool,
}

impl ReportPage<'_> {
    /// Whose state it was: numbers of signatures.
    fn signers(&self, state: &usize) -> String {
        let numbers = self.pictures.and_then(|pictures| pictures.signers.get(*state));
        numbers.map(|numbers| listed(numbers)).unwrap_or_default()
    }

    /// Whose seals stand on a page.
    fn seals(&self, page: &preview::Shown) -> String {
        listed(&page.seals)
    }

    fn minutes(&self) -> i64 {
        limits::REPORT_MINUTES
    }
}

fn listed(numbers: &[usize]) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join("、")
}

/// The same for people: the questions they ask in their order, the list of checks to unfold, what was signed beside what
/// is shown now, and the report to take home.
pub(super) async fn verify_page(State(state): State<PublicState>, request: Request) -> Result<Response, Problem> {
    let judged = match Upload::read(request, &state).await {
        Ok(upload) => verify(&state, upload, Wanted::FormsAndPictures).await,
        Err(problem) => Err(problem),
    };
    match judged {
        Ok(Judged { report, forms, pictures }) => {
            let mut page = show(&ReportPage {
                shown: Shown { report: &report, links: true },
                pictures: pictures.as_ref(),
                name: forms.and_then(|forms| state.shelf.put(forms, report.judged_at)),
                sealing: state.report_seal.is_some(),
            })?;
            page.extensions_mut().insert(InlinePictures);
            page.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
            Ok(page)
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
