//! The seal-use ledger (台账): who used which seal, when, on what, why. As JSON, as CSV, and for the page.

use axum::Json;
use axum::extract::Query;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answers::{china, instant, rfc3339};
use super::problem::{Problem, ProblemBody};
use super::sign_in::Program;
use super::staff::At;
use crate::limits;
use crate::officer::{Duty, Officer};
use crate::store::{LedgerEntry, LedgerFilter, OrderState, Scope, Store};

/// Which lines.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerQuery {
    /// A seal's whole number.
    #[serde(default)]
    pub seal: String,
    /// An officer's identifier.
    #[serde(default)]
    pub officer: String,
    /// From this instant, RFC 3339.
    #[serde(default)]
    pub from: String,
    /// Until this instant, exclusive.
    #[serde(default)]
    pub until: String,
    /// Rows, 1 to 200; 50 without. A CSV has all lines.
    pub limit: Option<u16>,
    #[serde(default)]
    pub offset: u32,
    /// `csv` for a file; JSON without.
    #[serde(default)]
    pub format: String,
}

/// A page of the ledger, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerAnswer {
    pub lines: Vec<LedgerLine>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<u32>,
}

/// One use of a seal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerLine {
    pub order: String,
    pub seal: String,
    pub legend: String,
    pub officer: String,
    pub officer_name: String,
    #[schema(format = DateTime)]
    pub at: String,
    #[serde(skip)]
    pub at_zh: String,
    /// `licence`, `upload`, `notice`, `report` or `copy`.
    pub kind: &'static str,
    #[serde(skip)]
    pub kind_zh: &'static str,
    /// `written`, `sealed` or `lost`.
    pub state: &'static str,
    #[serde(skip)]
    pub state_zh: &'static str,
    pub title: String,
    /// The decision's or the order of abolition's number.
    pub reason: String,
    /// SHA-256 of the signed bytes, hexadecimal.
    pub digest: String,
}

impl From<LedgerEntry> for LedgerLine {
    fn from(entry: LedgerEntry) -> Self {
        let (state, state_zh) = match entry.state {
            OrderState::Written => ("written", "办理中"),
            OrderState::Sealed => ("sealed", "已用印"),
            OrderState::Lost => ("lost", "未完成"),
        };
        let kind_zh = match entry.kind.as_str() {
            "licence" => "证照批文",
            "upload" => "上传文书",
            "notice" => "公告",
            "copy" => "证照加注件",
            _ => "其他",
        };
        Self {
            order: entry.order,
            seal: entry.seal.to_string(),
            legend: entry.legend,
            officer: entry.officer,
            officer_name: entry.officer_name,
            at: rfc3339(entry.at),
            at_zh: china(entry.at),
            kind: entry.kind.as_str(),
            kind_zh,
            state,
            state_zh,
            title: entry.title,
            reason: entry.reason,
            digest: entry.digest,
        }
    }
}

impl LedgerQuery {
    fn filter(&self, limit: u32, offset: u32) -> Result<LedgerFilter, Problem> {
        let given = |field, text: &str| (!text.trim().is_empty()).then(|| instant(field, text)).transpose();
        Ok(LedgerFilter {
            seal: self.seal.trim().to_owned(),
            officer: self.officer.trim().to_owned(),
            from: given("from", &self.from)?,
            until: given("until", &self.until)?,
            limit,
            offset,
        })
    }

    /// The page asked for.
    pub async fn page(&self, store: &Store) -> Result<LedgerAnswer, Problem> {
        let limit = u32::from(self.limit.unwrap_or(50).clamp(1, limits::HTTP_ROWS));
        let mut found = store.ledger(&self.filter(limit + 1, self.offset)?).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next_offset = more.then(|| self.offset.saturating_add(limit));
        Ok(LedgerAnswer { lines: found.into_iter().map(LedgerLine::from).collect(), next_offset })
    }

    /// All lines as a file for a spreadsheet.
    pub async fn csv(&self, store: &Store) -> Result<Response, Problem> {
        let found = store.ledger(&self.filter(limits::HTTP_LEDGER_LINES, 0)?).await?;
        let text = tokio::task::spawn_blocking(move || csv(found)).await.ok().flatten().ok_or_else(Problem::busy)?;
        let headers = [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
            (header::CONTENT_DISPOSITION, "attachment; filename=\"ledger.csv\""),
        ];
        Ok((headers, text).into_response())
    }
}

/// RFC 4180 with a byte order mark, without which Excel takes Chinese for another encoding.
fn csv(entries: Vec<LedgerEntry>) -> Option<Vec<u8>> {
    let mut text = b"\xef\xbb\xbf".to_vec();
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut text);
    let heading = [
        "用印时间（北京时间）",
        "印章编号",
        "印文",
        "用印人",
        "人员编号",
        "种类",
        "文书名称",
        "依据",
        "状态",
        "摘要（SHA-256）",
        "流水号",
    ];
    writer.write_record(heading).ok()?;
    for entry in entries {
        let line = LedgerLine::from(entry);
        let cells = [
            &line.at_zh,
            &line.seal,
            &line.legend,
            &line.officer_name,
            &line.officer,
            line.kind_zh,
            &line.title,
            &line.reason,
            line.state_zh,
            &line.digest,
            &line.order,
        ];
        writer.write_record(cells.map(harmless)).ok()?;
    }
    writer.flush().ok()?;
    drop(writer);
    Some(text)
}

/// A cell that no spreadsheet takes for a formula (OWASP, CSV injection): an apostrophe before what could begin one.
fn harmless(cell: &str) -> String {
    let formula = cell.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
        || cell.starts_with(['\t', '\r', '\n']);
    if formula { format!("'{cell}") } else { cell.to_owned() }
}

/// Who may read it: supervision, and those who administer seals.
pub(super) fn may_read(officer: &Officer) -> Result<(), Problem> {
    let supervises = officer.check_duty(Duty::Supervise);
    if officer.check_duty(Duty::SealAdministration).is_ok() {
        return Ok(());
    }
    supervises.map_err(|refusal| Problem::not_allowed(&refusal))
}

/// The seal-use ledger.
#[utoipa::path(get, path = "/api/v1/ledger", tag = "ledger", security(("token" = [])), params(LedgerQuery), responses(
    (status = 200, description = "A page of lines, newest first; or all lines as CSV", content((LedgerAnswer = "application/json"), (String = "text/csv"))),
    (status = 403, description = "Neither supervision nor administration of seals", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn ledger(
    At(state): At,
    program: Program,
    Query(query): Query<LedgerQuery>,
) -> Result<Response, Problem> {
    program.may(Scope::Supervise)?;
    may_read(&program.officer)?;
    match query.format.as_str() {
        "" | "json" => Ok(Json(query.page(&state.desk.store).await?).into_response()),
        "csv" => query.csv(&state.desk.store).await,
        _ => Err(Problem::bad("http.format", "format 应为 json 或 csv", "format is json or csv")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1"] {
            assert!(harmless(cell).starts_with('\''), "{cell:?}");
        }
        assert_eq!(harmless("汶审批〔2021〕1号"), "汶审批〔2021〕1号");
    }
}
