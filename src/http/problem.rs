//! What went wrong: problem+json (RFC 9457) for programs, a page for people. The only place that knows status codes.
//!
//! A handler answers with a [`Problem`]; it has no body yet. The outermost layer ([`finish`]) knows the request, and
//! writes the body in the form that was asked for, with the request's identifier. Plain refusals of the libraries
//! underneath (wrong method, body too large, no route) pass the same way, so no answer of ours is without a sentence.

use askama::Template;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::authority::UsccError;
use crate::desk::FlowError;
use crate::licence::IdentifierError;
use crate::message::Message;
use crate::refusal::Refusal;
use crate::render::RenderError;
use crate::store::StoreError;
use crate::verify::gather::GatherError;

/// An answer that is not the one asked for.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    message: Message,
    /// The rule that said no, 1 to 6.
    rule: Option<u8>,
    /// Seconds after which asking again makes sense.
    retry_after: Option<i64>,
}

impl Problem {
    pub fn new(status: StatusCode, id: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::of(status, Message::new(id, zh, en))
    }

    pub fn of(status: StatusCode, message: Message) -> Self {
        Self { status, message, rule: None, retry_after: None }
    }

    /// 400: what was sent is not what is taken here.
    pub fn bad(id: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, id, zh, en)
    }

    /// 404.
    pub fn unknown(id: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, id, zh, en)
    }

    /// 401, the same words for every reason.
    pub fn signed_out() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "http.signed-out",
            "请求未带有效的访问令牌（Authorization: Bearer …），请向管理员申请",
            "the request has no valid token (Authorization: Bearer …); ask the administrator for one",
        )
    }

    /// 403: known, and not allowed, because of a duty that is missing.
    pub fn not_allowed(refusal: &Refusal) -> Self {
        let rule = Some(refusal.rule.number());
        Self { status: StatusCode::FORBIDDEN, message: refusal.message.clone(), rule, retry_after: None }
    }

    /// 503: our own trouble; the words of the part that failed go to the log.
    pub fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "http.busy",
            "服务繁忙，未办理，请稍后重试",
            "the service is busy and did nothing; try again later",
        )
    }

    /// What a library underneath said by a status alone.
    pub fn from_status(status: StatusCode) -> Self {
        plain(status)
    }

    /// The sentence to be shown beside a form.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The number of the rule that said no.
    pub fn rule(&self) -> Option<u8> {
        self.rule
    }

    /// Something a person can put right in the form: shown beside it, not on a page of its own.
    pub fn is_askers(&self) -> bool {
        self.status.is_client_error()
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        // Where only time stands in the way it is "too many" (RFC 6585 §4), which programs know to wait for.
        let status = match refusal.again_in {
            Some(_) => StatusCode::TOO_MANY_REQUESTS,
            None => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let retry_after = refusal.again_in.map(|wait| wait.whole_seconds() + 1);
        Self { status, rule: Some(refusal.rule.number()), message: refusal.message, retry_after }
    }
}

impl From<GatherError> for Problem {
    fn from(error: GatherError) -> Self {
        match error {
            GatherError::Store(error) => error.into(),
            GatherError::Unread(error) => {
                tracing::error!(%error, "a document could not be read back");
                Self::of(StatusCode::INTERNAL_SERVER_ERROR, GatherError::unread(&error))
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(refusal) => refusal.into(),
            StoreError::Conflict(message) => Self::of(StatusCode::CONFLICT, message),
            other => {
                tracing::error!(error = ?other, "the store did not do it");
                Self::of(StatusCode::SERVICE_UNAVAILABLE, other.message())
            }
        }
    }
}

impl From<FlowError> for Problem {
    fn from(error: FlowError) -> Self {
        let status = match error {
            FlowError::Refused(refusal) => return refusal.into(),
            FlowError::Store(error) => return error.into(),
            FlowError::Unknown(_) | FlowError::Render(RenderError::Unknown { .. }) => StatusCode::NOT_FOUND,
            FlowError::Request(ref message) => match message.id {
                "issue.number-in-use" | "issue.another-request" | "issue.in-progress" | "issue.lost" => {
                    StatusCode::CONFLICT
                }
                _ => StatusCode::BAD_REQUEST,
            },
            FlowError::Pdf(_) | FlowError::Ofd(_) => StatusCode::BAD_REQUEST,
            FlowError::CertificateEnded(_) => StatusCode::CONFLICT,
            FlowError::Render(
                RenderError::Data { .. } | RenderError::Character { .. } | RenderError::TooLarge { .. },
            ) => StatusCode::BAD_REQUEST,
            FlowError::Key(_)
            | FlowError::Render(_)
            | FlowError::Cms(_)
            | FlowError::Certificate(_)
            | FlowError::Issue(_)
            | FlowError::Impression(_)
            | FlowError::Picture(_)
            | FlowError::ImpressionForm(_)
            | FlowError::NoCertificate(_)
            | FlowError::NoSealFile(_)
            | FlowError::SealData(_)
            | FlowError::SelfCheck(_)
            | FlowError::Unlogged(_)
            | FlowError::Unstamped(_)
            | FlowError::NoEvidence(_)
            | FlowError::Waiting(_) => {
                tracing::error!(error = ?error, "a flow stopped");
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        Self::of(status, error.message())
    }
}

impl From<UsccError> for Problem {
    fn from(error: UsccError) -> Self {
        Self::of(StatusCode::BAD_REQUEST, error.message())
    }
}

impl From<IdentifierError> for Problem {
    fn from(error: IdentifierError) -> Self {
        Self::of(StatusCode::BAD_REQUEST, error.message())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The body of every answer that is not the one asked for (RFC 9457), `application/problem+json`.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody {
    /// `/problems/` and the identifier; stable.
    #[serde(rename = "type")]
    kind: String,
    /// What kind of trouble, Chinese.
    title: &'static str,
    /// The same in English.
    title_en: &'static str,
    status: u16,
    /// What was wrong here and what to do next, Chinese.
    detail: String,
    /// The same in English.
    detail_en: String,
    /// Stable identifier, `room.what-was-wrong`.
    id: &'static str,
    /// Number of the rule that said no, 1 to 6.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<u8>,
    /// The request's identifier, also in the header `x-request-id`; quote it when asking for help.
    request_id: String,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    title: (&'static str, &'static str),
    problem: &'a Problem,
    request_id: &'a str,
}

/// Gives a refusal its body. `page` when a person's browser asked.
pub(super) fn finish(response: Response, request_id: &str, page: bool) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let problem = match response.extensions().get::<Problem>() {
        Some(problem) => problem.clone(),
        // A handler's own page with its form and the faults beside the fields.
        None if has_body_of(&response, "text/html") => return response,
        // `/readyz` and the like answer plain JSON of their own.
        None if has_body_of(&response, "application/json") => return response,
        // What the witness protocol has a conflict say, for programs alone.
        None if has_body_of(&response, super::witness::SIZE) => return response,
        None => plain(status),
    };
    let mut answer = if page {
        let shown = ProblemPage { title: title(status), problem: &problem, request_id };
        match shown.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => status.into_response(),
        }
    } else {
        let (zh, en) = title(status);
        let body = ProblemBody {
            kind: format!("/problems/{}", problem.message.id),
            title: zh,
            title_en: en,
            status: status.as_u16(),
            detail: problem.message.zh.clone(),
            detail_en: problem.message.en.clone(),
            id: problem.message.id,
            rule: problem.rule,
            request_id: request_id.to_owned(),
        };
        let mut answer = (status, Json(body)).into_response();
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        answer
    };
    for name in [header::ALLOW, header::RETRY_AFTER, header::SET_COOKIE] {
        if let Some(value) = response.headers().get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    if status == StatusCode::UNAUTHORIZED && !page {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("5"));
    }
    answer
}

fn has_body_of(response: &Response, media_type: &str) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with(media_type))
}

/// What the libraries underneath said by a status alone, in words.
fn plain(status: StatusCode) -> Problem {
    let (id, zh, en) = match status {
        StatusCode::NOT_FOUND => {
            ("http.no-such-page", "没有此页面，请核对地址", "there is nothing here; check the address")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            ("http.method", "此地址不接受该请求方法", "this address does not take that method")
        }
        StatusCode::PAYLOAD_TOO_LARGE => (
            "http.too-large",
            "上传内容超过上限，请缩小后重试",
            "what was sent is larger than is taken here; make it smaller",
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "http.media-type",
            "不接受此类内容，请核对 Content-Type",
            "this kind of content is not taken; check Content-Type",
        ),
        StatusCode::FORBIDDEN => (
            "http.cross-site",
            "请求来自其他网站，已拒绝；请从本系统页面重新提交",
            "the request came from another site and was refused; submit again from this system's own page",
        ),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT => (
            "http.busy",
            "服务繁忙，未能按时答复，请稍后查询结果",
            "the service is busy and did not answer in time; look up the outcome later",
        ),
        _ if status.is_server_error() => (
            "http.fault",
            "服务内部错误，已记录；请把请求编号告知管理员",
            "a fault in the service, which was recorded; give the request's identifier to the administrator",
        ),
        _ => ("http.bad-request", "请求无法识别，请核对格式", "the request cannot be read; check its form"),
    };
    Problem::new(status, id, zh, en)
}

fn title(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::UNAUTHORIZED => ("未登录", "Not signed in"),
        StatusCode::FORBIDDEN => ("无权办理", "Not allowed"),
        StatusCode::NOT_FOUND => ("未找到", "Not found"),
        StatusCode::CONFLICT => ("与已有记录冲突", "Conflict with the record"),
        StatusCode::UNPROCESSABLE_ENTITY => ("不符合规则", "Refused by a rule"),
        StatusCode::PAYLOAD_TOO_LARGE => ("内容过大", "Too large"),
        StatusCode::TOO_MANY_REQUESTS => ("请求过多", "Too many requests"),
        _ if status.is_server_error() => ("服务暂时不可用", "The service is not available"),
        _ => ("请求有误", "The request is wrong"),
    }
}
