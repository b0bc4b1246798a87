//! The status of seals in the shape of the national service (ZWFW; standards: 4.6), so that its clients find what they expect:
//! one address for a method or a catalogue number, JSON in and out, times in China. What is said is the register's own answer.
//!
//! Nobody is asked who he is: the register is public. A client that first asks for a token gets one that means nothing.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::{format_description, offset};

use super::PublicState;
use super::answers::china;
use super::guard::random;
use super::problem::Problem;
use crate::limits;
use crate::register::{Question, Verdict, answer};
use crate::seal::{SealNumber, SealStatus};
use crate::store::{FiledSeal, SealFilter, Store};

const TOKEN: &str = "DB.oauth.token";
const STATUS: &str = "DB.seal.status.query";
const ENDED: &str = "DB.seal.deactive.list.query";

/// Catalogue numbers and the methods behind them; those of registered and of other users ask the same.
const CATALOGUE: &[(&str, &str)] = &[("IK1010", TOKEN), ("IK1011", STATUS), ("IK1012", STATUS), ("IK1013", ENDED)];

/// What is asked: common and business parameters, which clients put into the address, the body, or both.
struct Asked(Map<String, Value>);

impl Asked {
    fn of(query: Vec<(String, String)>, body: &[u8]) -> Option<Self> {
        let mut all = match body.iter().all(u8::is_ascii_whitespace) {
            true => Map::new(),
            false => serde_json::from_slice::<Map<String, Value>>(body).ok()?,
        };
        for (name, value) in query {
            all.entry(name).or_insert(value.into());
        }
        Some(Self(all))
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default().trim()
    }

    /// From 1.
    fn count(&self, name: &str) -> Option<u32> {
        let value = self.0.get(name)?;
        let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
        u32::try_from(number).ok().filter(|number| *number > 0)
    }

    /// `yyyy-MM-dd HH:mm:ss`, China time; none where it cannot be read.
    fn time(&self, name: &str) -> Option<OffsetDateTime> {
        let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
        let at = time::PrimitiveDateTime::parse(self.text(name), form).ok()?.assume_offset(offset!(+8));
        (1900..=9000).contains(&at.year()).then_some(at)
    }
}

/// Why there is no answer: a code of our own, since the service's list of them is not known, and a sentence.
struct No(u32, &'static str);

const UNREADABLE: No = No(1, "请求内容无法识别：参数应为JSON，时间格式为yyyy-MM-dd HH:mm:ss");
const NO_SEAL: No = No(2, "登记册中没有该编码和名称的印章");
const NO_METHOD: No = No(3, "本系统不提供此接口");

/// The national seal status query, by the catalogue's number: IK1010 a token, IK1011 and IK1012 how a seal stands, IK1013 which
/// have ended.
#[utoipa::path(post, path = "/resource/rest/v1/shared/{catalogue}/1", tag = "seal status",
    params(("catalogue" = String, Path, description = "IK1010 to IK1013")),
    request_body(content = Object, description = "The method's parameters, which may stand in the address as well"),
    responses((status = 200, description = "method, requestId, code (0 is good), data, message", body = Object)))]
pub(super) async fn by_catalogue(
    State(state): State<PublicState>,
    Path(catalogue): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    body: Bytes,
) -> Result<Response, Problem> {
    let method = CATALOGUE.iter().find(|(number, _)| *number == catalogue).map(|(_, method)| *method);
    answered(&state, method.unwrap_or_default(), Asked::of(query, &body)).await
}

/// The national seal status query, by the method's name (parameter `method`).
#[utoipa::path(post, path = "/router/rest/v1", tag = "seal status",
    params(("method" = Option<String>, Query, description = "DB.oauth.token, DB.seal.status.query or DB.seal.deactive.list.query")),
    request_body(content = Object, description = "The method's parameters, which may stand in the address as well"),
    responses((status = 200, description = "method, requestId, code (0 is good), data, message", body = Object)))]
pub(super) async fn by_method(
    State(state): State<PublicState>,
    Query(query): Query<Vec<(String, String)>>,
    body: Bytes,
) -> Result<Response, Problem> {
    let asked = Asked::of(query, &body);
    let method = asked.as_ref().map(|asked| asked.text("method").to_owned()).unwrap_or_default();
    answered(&state, &method, asked).await
}

async fn answered(state: &PublicState, method: &str, asked: Option<Asked>) -> Result<Response, Problem> {
    let now = (state.clock)();
    let done = match (asked, method) {
        (None, _) => Err(UNREADABLE),
        (Some(_), TOKEN) => {
            Ok((vec![json!({ "access_token": "public", "expires_in": 86_400 })], "公开查询，不核对账号"))
        }
        (Some(asked), STATUS) => status(&state.store, &asked, now).await?.map(|data| (data, "查询成功")),
        (Some(asked), ENDED) => ended(&state.store, &asked, now).await?.map(|data| (data, "查询成功")),
        (Some(_), _) => Err(NO_METHOD),
    };
    let id = random::<16>().map(hex::encode).unwrap_or_default();
    let (code, data, message) = match done {
        Ok((data, message)) => (0, data, message),
        Err(No(code, message)) => (code, vec![], message),
    };
    Ok(Json(json!({ "method": method, "requestId": id, "code": code, "data": data, "message": message }))
        .into_response())
}

/// How a seal stood at a time: `0` valid, `1` invalid.
async fn status(store: &Store, asked: &Asked, now: OffsetDateTime) -> Result<Result<Vec<Value>, No>, Problem> {
    let at = match asked.text("queryTime") {
        "" => now,
        _ => match asked.time("queryTime") {
            Some(at) => at,
            None => return Ok(Err(UNREADABLE)),
        },
    };
    let (code, name) = (asked.text("sealCode"), asked.text("sealName"));
    let found: Vec<FiledSeal> = match (code, name) {
        ("", "") => return Ok(Err(UNREADABLE)),
        ("", name) => {
            let text = name.chars().take(100).collect();
            let some = SealFilter { text, limit: limits::HTTP_ROWS, ..SealFilter::default() };
            store.seals(&some).await?.into_iter().filter(|filed| filed.seal.legend == name).collect()
        }
        (code, name) => {
            let filed = match SealNumber::parse(code) {
                Ok(number) => store.seal(&number).await?,
                Err(_) => None,
            };
            filed.into_iter().filter(|filed| name.is_empty() || filed.seal.legend == name).collect()
        }
    };
    if found.is_empty() {
        return Ok(Err(NO_SEAL));
    }
    let line = |filed: &FiledSeal| {
        let said = answer(Question { seal: &filed.seal, at, item: None, accepted: None });
        let status = if said.verdict == Verdict::Good { "0" } else { "1" };
        json!({
            "sealCode": filed.seal.number, "sealName": filed.seal.legend, "queryTime": china(at), "sealStatus": status,
        })
    };
    Ok(Ok(found.iter().map(line).collect()))
}

/// Seals whose force ended within a time and has not come back by its end, page by page. `total` counts those that an ending
/// befell; one that was given its force back since is left out of its page.
async fn ended(store: &Store, asked: &Asked, now: OffsetDateTime) -> Result<Result<Vec<Value>, No>, Problem> {
    let (Some(from), Some(until)) = (asked.time("queryStartTime"), asked.time("queryEndTime")) else {
        return Ok(Err(UNREADABLE));
    };
    // What is decided and still to come has ended nothing yet.
    let until = until.min(now);
    let size = asked.count("pageSize").unwrap_or(50).min(limits::STATUS_PAGE);
    let before = asked.count("pageNow").unwrap_or(1).saturating_sub(1).saturating_mul(size);
    let (numbers, total) = store.ended_seals((from, until), (size, before)).await?;
    let mut lines = vec![];
    for number in numbers {
        let Some(filed) = store.seal(&number).await? else { continue };
        let life = &filed.seal.life;
        let gone = matches!(life.status_at(until), SealStatus::Suspended | SealStatus::Abolished);
        if let Some(event) = life.last_event_at(until).filter(|_| gone) {
            let (code, name) = (&filed.seal.number, &filed.seal.legend);
            lines.push(json!({ "sealCode": code, "sealName": name, "revocationTime": china(event.at) }));
        }
    }
    // No signature of ours is made for whoever asks: what the register says is proven by the public log.
    Ok(Ok(vec![json!({
        "version": "V1.0",
        "invalidEffectTime": china(now),
        "nextUpdateTime": china(now + time::Duration::DAY),
        "signature": "",
        "signAlgorithm": "",
        "signHashAlgorithm": "",
        "secretKey": "",
        "userId": "",
        "awardCompany": "",
        "proof": "/register/snapshot",
        "size": lines.len(),
        "revocationList": lines,
        "total": total,
    })]))
}
