//! The sharing operations of licence platforms (standards: 5.4), in their shape: POST JSON with a head (accessId, accessToken) and
//! data, an answer with a head (status, message) and data, always with HTTP's 200.
//!
//! An adapter: `accessToken` is a token of ours with the scope `share`, `accessId` its officer. It shows licences that the
//! officer's authority issued or is competent for now, and of any other nothing, not even that there is one. What is fetched is
//! an annotated copy under the officer's own grant; every operation, done or refused, is in the audit trail with its cause.

mod told;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime, UtcOffset};
use utoipa::ToSchema;

use super::answers::instant;
use super::guard::random;
use super::issuing::send_document;
use super::problem::{Problem, ProblemBody};
use super::sign_in::{Program, digest, program};
use super::staff::{At, StaffState};
use crate::desk::FlowError;
use crate::issue::{CopyRequest, Files, annotate};
use crate::licence::metadata::holder_code;
use crate::licence::{LicenceIdentifier, annotation};
use crate::limits;
use crate::message::Message;
use crate::store::{Scope, StoreError};
use crate::verify::gather::{GatherError, gather, house_trust};
use crate::verify::judge;
use told::{Told, find};

/// What every operation sends.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SharingRequest)]
pub(super) struct Asked {
    head: Head,
    #[serde(default)]
    #[schema(value_type = Object)]
    data: Map<String, Value>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SharingHead)]
struct Head {
    access_id: String,
    access_token: String,
}

/// A status that is not 0, and what is said with it.
struct No(u32, String);

impl No {
    /// 100: no permission. Of a licence that there is not the same is said.
    fn right() -> Self {
        Self(100, "没有该证照，或无权查询该证照".into())
    }

    fn other(said: impl Into<String>) -> Self {
        Self(99, said.into())
    }
}

impl From<StoreError> for No {
    fn from(error: StoreError) -> Self {
        tracing::error!(?error, "a sharing operation was not done");
        Self::other(error.message().zh)
    }
}

impl From<FlowError> for No {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Waiting(_) => Self::other("加注件已登记，等待用印办结，请稍后以同样的参数再次请求"),
            other => Self::other(other.message().zh),
        }
    }
}

/// A caller with the right to ask at all.
struct Caller {
    program: Program,
    /// What the token is called: the system that asks.
    name: String,
    now: OffsetDateTime,
}

/// One operation, by its name: queryCertInfo, queryCertInfoByQRcode, queryCertInfoByHolderCode, downloadUrl,
/// downloadUrlsByHolderCode, downloadFile, verifyCertInfo, getCertRemarkInfo.
#[utoipa::path(post, path = "/CertShare/{operation}", tag = "sharing", security(()),
    params(("operation" = String, Path, description = "The operation's name")), request_body = Asked,
    responses((status = 200, description = "head (status 0 is good, message) and data", body = Object)))]
pub(super) async fn operation(
    At(state): At,
    Path(operation): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    answered(&state, &operation, &headers, &body).await
}

/// The one that brings a file, apart because its limits are others.
#[utoipa::path(post, path = "/CertShare/verifyFile", tag = "sharing", security(()), request_body = Asked,
    responses((status = 200, description = "head (status 0 is good, message) and data", body = Object)))]
pub(super) async fn verify_file(At(state): At, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let body = to_bytes(body, limits::SHARE_FILE_BYTES).await;
    let body = body.map_err(|_| Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE))?;
    answered(&state, "verifyFile", &headers, &body).await
}

async fn answered(state: &StaffState, operation: &str, headers: &HeaderMap, body: &[u8]) -> Result<Response, Problem> {
    let done = match serde_json::from_slice::<Asked>(body) {
        Ok(Asked { head, data }) => match caller(state, &head).await {
            Ok(caller) => audited(state, &caller, operation, &data, headers).await,
            Err(no) => Err(no),
        },
        Err(_) => Err(No::other("请求内容无法识别：应为含head和data的JSON")),
    };
    let answer = match done {
        Ok(data) => json!({ "head": { "status": 0, "message": "操作成功" }, "data": data }),
        Err(No(status, message)) => json!({ "head": { "status": status, "message": message }, "data": null }),
    };
    Ok(Json(answer).into_response())
}

/// Who asks. Whatever is wrong, the same is said.
async fn caller(state: &StaffState, head: &Head) -> Result<Caller, No> {
    let wrong = || No(11, "身份验证失败：请核对accessId、accessToken及其权限".into());
    let program = program(state, &head.access_token).await.map_err(|_| wrong())?;
    if program.officer.id.as_str() != head.access_id || program.may(Scope::Share).is_err() {
        return Err(wrong());
    }
    let name = state.desk.store.token_label(&digest(head.access_token.trim())).await?.unwrap_or_default();
    Ok(Caller { program, name, now: (state.clock)() })
}

/// The operation, and a line about it whatever came of it.
async fn audited(
    state: &StaffState,
    caller: &Caller,
    operation: &str,
    data: &Map<String, Value>,
    headers: &HeaderMap,
) -> Result<Value, No> {
    let done = match cause(operation, data) {
        Ok(_) => operate(state, caller, operation, data, headers).await,
        Err(no) => Err(no),
    };
    let subject: String = ["certIdentifier", "certificateIdentifier", "qrcode", "certTypeCode"]
        .into_iter()
        .map(|name| text(data, name))
        .find(|text| !text.is_empty())
        .unwrap_or("-")
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    let status = done.as_ref().map_or_else(|No(status, _)| *status, |_| 0);
    let operation: String = operation.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let cause = cause(&operation, data).unwrap_or_default();
    let detail = json!({ "operation": operation, "cause": cause, "system": caller.name, "status": status });
    let who = caller.program.officer.id.as_str();
    state.desk.store.audit(caller.now, who, "licence.shared", &subject, &detail).await?;
    done
}

fn text<'a>(data: &'a Map<String, Value>, name: &str) -> &'a str {
    data.get(name).and_then(Value::as_str).unwrap_or_default().trim()
}

/// 申请事由: no licence is looked at without one.
fn cause(operation: &str, data: &Map<String, Value>) -> Result<String, No> {
    let name = if operation == "downloadFile" { "certificateCopyCause" } else { "useCause" };
    let cause = text(data, name);
    let good =
        !cause.is_empty() && cause.chars().count() <= annotation::PURPOSE && !cause.chars().any(char::is_control);
    // The dictionary is of a kind of licence and of nobody's.
    if good || operation == "getCertRemarkInfo" {
        return Ok(cause.chars().filter(|c| !c.is_control()).take(annotation::PURPOSE).collect());
    }
    Err(No::other(format!("申请事由（{name}）必填，{}字以内", annotation::PURPOSE)))
}

async fn operate(
    state: &StaffState,
    caller: &Caller,
    operation: &str,
    data: &Map<String, Value>,
    headers: &HeaderMap,
) -> Result<Value, No> {
    match operation {
        "queryCertInfo" => {
            let told = named(state, caller, text(data, "certIdentifier")).await?;
            Ok(json!({ "certData": told.platform(caller.now) }))
        }
        "queryCertInfoByQRcode" => {
            let told = named(state, caller, of_code(text(data, "qrcode"))).await?;
            Ok(json!({ "certData": told.platform(caller.now) }))
        }
        "queryCertInfoByHolderCode" => {
            let found = of_holder(state, caller, data, text(data, "holderTypeCode")).await?;
            let line =
                |told: &Told| json!({ "cert_identifier": told.identifier(), "certData": told.platform(caller.now) });
            Ok(found.iter().map(line).collect())
        }
        "downloadUrl" => {
            let told = named(state, caller, text(data, "certIdentifier")).await?;
            link(state, caller, &told, (text(data, "useCause"), text(data, "expiryTime")), headers).await
        }
        "downloadUrlsByHolderCode" => {
            let found = of_holder(state, caller, data, text(data, "holderTypeCode")).await?;
            let mut links = vec![];
            for told in found.iter().filter(|told| told.is_in_force(caller.now)) {
                let asked = (text(data, "useCause"), text(data, "expiryTime"));
                links.push(link(state, caller, told, asked, headers).await?);
            }
            Ok(links.into())
        }
        "downloadFile" => {
            let files = match text(data, "fileType").to_ascii_lowercase().as_str() {
                "ofd" => Files::Ofd,
                "pdf" => Files::Pdf,
                _ => return Err(No::other("fileType应为ofd或pdf，本系统不提供图片")),
            };
            let told = named(state, caller, text(data, "certificateIdentifier")).await?;
            let asked = (text(data, "certificateCopyCause"), text(data, "certificateCopyExpiringTime"));
            let document = copied(state, caller, &told, asked, Some(files)).await?;
            let document = state.desk.store.document(&document).await?.ok_or_else(No::right)?;
            Ok(
                json!({ "contentType": "base64", "certIdentifier": told.identifier(), "content": BASE64_STANDARD.encode(&document.bytes) }),
            )
        }
        "verifyCertInfo" => {
            let given = match data.get("certData") {
                Some(Value::Object(given)) => given.clone(),
                Some(Value::String(json)) => serde_json::from_str(json).map_err(|_| No::other("certData应为JSON"))?,
                _ => return Err(No::other("certData应为JSON")),
            };
            let mut asked = given.clone();
            asked.extend(data.get("certTypeCode").cloned().map(|code| ("certTypeCode".to_owned(), code)));
            let found = of_holder(state, caller, &asked, "").await?;
            // Where the number fits none, whatever there is speaks against it.
            let fields = found.first().map(|told| told.compare(&given)).unwrap_or_default();
            let same = !fields.is_empty() && fields.values().all(|same| same == &Value::Bool(true));
            let message = if same { "信息一致" } else { "信息不一致，或没有该证照" };
            Ok(json!({ "result": same.to_string(), "message": message, "fields": fields }))
        }
        "verifyFile" => verified(state, caller, data).await,
        "getCertRemarkInfo" => {
            let licence = state.desk.store.licence_of_type(text(data, "certTypeCode")).await?;
            let told = match licence {
                Some(licence) => find(state, caller, &licence, None).await?,
                None => None,
            };
            let told = told.ok_or_else(No::right)?;
            Ok(json!({ "certTypeCode": text(data, "certTypeCode"), "remarks": told.dictionary() }))
        }
        _ => Err(No::other("没有此操作")),
    }
}

/// What a licence's 2-D code says: the address at which it is looked up, or the identifier itself.
fn of_code(code: &str) -> &str {
    code.rsplit('/').next().unwrap_or_default()
}

/// The licence with this identifier, where the caller may see it.
async fn named(state: &StaffState, caller: &Caller, identifier: &str) -> Result<Told, No> {
    let identifier = LicenceIdentifier::parse(identifier).map_err(|error| No::other(error.message().zh))?;
    find(state, caller, &identifier.licence(), Some(&identifier)).await?.ok_or_else(No::right)
}

/// A holder's licences of one type, of one number where it is given, as they count now.
async fn of_holder(
    state: &StaffState,
    caller: &Caller,
    data: &Map<String, Value>,
    code_type: &str,
) -> Result<Vec<Told>, No> {
    let (holder, type_code) = (text(data, "holderCode"), text(data, "certTypeCode"));
    if !code_type.is_empty() && holder_code(code_type).is_none() {
        return Err(No(103, "持证主体代码类型不在GB/T 36903附录A中".into()));
    }
    if holder.is_empty() || type_code.is_empty() {
        return Err(No::other("持证主体代码（holderCode）和证照类型代码（certTypeCode）必填"));
    }
    let mut found = vec![];
    let number = text(data, "certNo");
    for licence in state.desk.store.licences_of((holder, code_type), type_code, limits::SHARE_LICENCES).await? {
        let told = find(state, caller, &licence, None).await?;
        found.extend(told.filter(|told| number.is_empty() || told.number() == Some(number)));
    }
    Ok(found)
}

/// A copy for this cause until this time: the SHA-256 of its document, as OFD where that was made.
async fn copied(
    state: &StaffState,
    caller: &Caller,
    told: &Told,
    (cause, until): (&str, &str),
    files: Option<Files>,
) -> Result<String, No> {
    let expires_at = match until {
        "" => told.usual_end(caller.now),
        text => {
            let read = instant("", &text.replacen(' ', "T", 1));
            read.map_err(|_| No::other("有效期截止时间无法识别，如2026-12-31 18:00:00"))?
        }
    };
    let request = CopyRequest {
        identifier: told.version().clone(),
        purpose: cause.to_owned(),
        requester: caller.name.chars().take(annotation::REQUESTER).collect(),
        expires_at,
        seal: None,
        files,
    };
    let made = annotate(&state.desk, &caller.program.officer, request, caller.now).await?;
    Ok(made.ofd.unwrap_or(made.document))
}

/// A link to such a copy, which opens to whoever has it until it ends.
async fn link(
    state: &StaffState,
    caller: &Caller,
    told: &Told,
    asked: (&str, &str),
    headers: &HeaderMap,
) -> Result<Value, No> {
    let document = copied(state, caller, told, asked, None).await?;
    let secret = random::<32>().map(hex::encode).map_err(|_| No::other("服务繁忙，请稍后重试"))?;
    let ends = caller.now + Duration::seconds(limits::SHARE_LINK_SECONDS);
    let officer = &caller.program.officer.id;
    state.desk.store.add_link(&digest(&secret), &document, officer, (caller.now, ends)).await?;
    // Said back to the very program that named the host.
    let plain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(plain).unwrap_or_default();
    let scheme = if state.https { "https" } else { "http" };
    let place = if host.is_empty() { String::new() } else { format!("{scheme}://{host}") };
    let content = format!("{place}/CertShare/download?id={secret}");
    Ok(json!({ "contentType": "url", "certIdentifier": told.identifier(), "content": content }))
}

/// A link's secret.
#[derive(Debug, Deserialize)]
pub(super) struct Linked {
    id: String,
}

/// The file behind a link that `downloadUrl` gave.
#[utoipa::path(get, path = "/CertShare/download", tag = "sharing", security(()),
    params(("id" = String, Query, description = "As the link has it")),
    responses(
        (status = 200, description = "The annotated copy, PDF or OFD"),
        (status = 404, description = "The link is not known or has ended", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn download(At(state): At, Query(Linked { id }): Query<Linked>) -> Result<Response, Problem> {
    let document = state.desk.store.link(&digest(&id), (state.clock)()).await?;
    let document = document.ok_or_else(|| {
        Problem::unknown(
            "share.no-link",
            "链接无效或已过期，请重新申请",
            "this link is not known or has ended; ask for another",
        )
    })?;
    send_document(&state, &document).await
}

/// A file judged as anybody's would be.
async fn verified(state: &StaffState, caller: &Caller, data: &Map<String, Value>) -> Result<Value, No> {
    let content: String = text(data, "content").chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let file = BASE64_STANDARD.decode(content).map_err(|_| No::other("content应为文件的base64"))?;
    let unread = |error: GatherError| match error {
        GatherError::Store(error) => No::from(error),
        GatherError::Unread(error) => No::other(GatherError::unread(&error).zh),
    };
    let trust = house_trust(&state.desk.store).await?;
    let evidence = gather(Some(&state.desk.store), trust.into(), "file", file, caller.now).await.map_err(unread)?;
    let work = tokio::task::spawn_blocking(move || judge(&evidence));
    let report = work.await.map_err(|_| No::other("核验出错，未作判断"))?;
    let Message { zh, .. } = report.summary;
    let copy = report.copy.map(|copy| json!({ "expired": copy.expired, "message": copy.sentence.zh }));
    Ok(json!({
        "result": report.verdict.is_genuine().to_string(),
        "message": zh,
        "indication": report.verdict.indication(),
        "copy": copy,
    }))
}

/// The end of a day in China, so that the same question on one day is answered with the same copy.
fn end_of_day(at: OffsetDateTime) -> OffsetDateTime {
    let china = UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC);
    let day = at.checked_to_offset(china).map(|at| at.replace_time(time::Time::MIDNIGHT));
    day.and_then(|day| day.checked_add(Duration::DAY)).unwrap_or(at)
}
