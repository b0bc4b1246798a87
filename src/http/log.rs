//! The public log as files (C2SP tlog-tiles): a head that moves, and hashes and entries that never change.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::PublicState;
use super::answers::china;
use super::pages::show;
use super::problem::{Problem, ProblemBody};
use crate::limits;
use crate::message::Message;
use crate::store::Entered;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::leaf::Matter;
use crate::tlog::note::Note;
use crate::tlog::tile::{Kind, Tile};

/// The newest head of the log, signed by its key and seen by its witnesses (C2SP tlog-checkpoint).
#[utoipa::path(get, path = "/log/checkpoint", tag = "log", responses(
    (status = 200, description = "A signed note", body = String, content_type = "text/plain"),
    (status = 404, description = "Nothing was ever entered", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn checkpoint(State(state): State<PublicState>) -> Result<Response, Problem> {
    let (_, note) = state.store.checkpoint().await?.ok_or_else(nothing)?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, note).into_response())
}

/// The log's key as a line (C2SP signed-note): what a verifier keeps in its trust folder.
#[utoipa::path(get, path = "/log/key.vkey", tag = "log", responses(
    (status = 200, description = "A verifier key", body = String, content_type = "text/plain"),
    (status = 404, description = "The log was never used", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn key(State(state): State<PublicState>) -> Result<Response, Problem> {
    let identity = state.store.log_identity().await?.ok_or_else(nothing)?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, format!("{}\n", identity.vkey)).into_response())
}

/// A tile of hashes, or a bundle of entries, that the newest head promises.
pub(super) async fn tile(State(state): State<PublicState>, Path(path): Path<String>) -> Result<Response, Problem> {
    let tile = Tile::of_path(&path).ok_or_else(nothing)?;
    let bytes = state.store.log_tile(&tile).await?.ok_or_else(nothing)?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        // It is the same for ever, narrow ones too.
        (header::CACHE_CONTROL, format!("public, max-age={}, immutable", limits::LOG_TILE_CACHE_SECONDS)),
    ];
    debug_assert!(tile.kind == Kind::Entries || bytes.len() == usize::from(tile.width) * 32);
    Ok((headers, bytes).into_response())
}

#[derive(Template)]
#[template(path = "log.html")]
struct LogPage {
    head: Option<HeadShown>,
    entries: Vec<EntryShown>,
    /// Where the page before this one begins.
    before: Option<u64>,
}

struct HeadShown {
    origin: String,
    size: u64,
    root: String,
    signers: Vec<String>,
    vkey: String,
}

struct EntryShown {
    index: u64,
    at: String,
    matter: Message,
    seal: Option<String>,
}

#[derive(serde::Deserialize)]
pub(super) struct Page {
    before: Option<u64>,
}

/// The newest entries for people.
pub(super) async fn page(State(state): State<PublicState>, Query(page): Query<Page>) -> Result<Response, Problem> {
    let (Some((size, note)), Some(identity)) = (state.store.checkpoint().await?, state.store.log_identity().await?)
    else {
        return show(&LogPage { head: None, entries: vec![], before: None });
    };
    let note = Note::read(note.as_bytes()).map_err(|_| Problem::busy())?;
    let root = Checkpoint::read(note.text()).map_err(|_| Problem::busy())?.root;
    // Entries beyond the published head are not out yet.
    let end = page.before.unwrap_or(size).min(size);
    let first = end.saturating_sub(limits::LOG_PAGE.into());
    let mut entries = state.store.entries(first, u16::try_from(end - first).unwrap_or(limits::LOG_PAGE)).await?;
    entries.reverse();
    let head = HeadShown {
        origin: identity.vkey.name().to_owned(),
        size,
        root: root.to_string(),
        signers: note.lines().iter().map(|line| line.name.clone()).collect(),
        vkey: identity.vkey.to_string(),
    };
    show(&LogPage {
        head: Some(head),
        entries: entries.iter().map(EntryShown::of).collect(),
        before: (first > 0).then_some(first),
    })
}

impl EntryShown {
    fn of(Entered { index, entry }: &Entered) -> Self {
        let leaf = &entry.leaf;
        let (zh, en) = words(leaf.matter, &leaf.act);
        let matter = Message::new("log.matter", zh, en);
        Self { index: *index, at: china(leaf.at), matter, seal: leaf.seal.clone() }
    }
}

/// An entry's matter in words; an act that has none of its own is shown as it stands.
fn words(matter: Matter, act: &str) -> (String, String) {
    let said = match (matter, act) {
        (Matter::Order, "licence") => ("用印：证照、批文", "seal used: licence or approval"),
        (Matter::Order, "upload") => ("用印：上传文书", "seal used: uploaded document"),
        (Matter::Order, "notice") => ("用印：公告", "seal used: notice"),
        (Matter::Order, "copy") => ("用印：证照加注件", "seal used: annotated copy of a licence"),
        (Matter::Order, "report") => ("用印：核验报告", "seal used: report of verification"),
        (Matter::Seal, "filed") => ("印章登记", "seal filed"),
        (Matter::Seal, "activated") => ("印章启用", "seal activated"),
        (Matter::Seal, "suspended") => ("印章停用", "seal suspended"),
        (Matter::Seal, "resumed") => ("印章恢复使用", "seal resumed"),
        (Matter::Seal, "abolished") => ("印章废止", "seal abolished"),
        (Matter::Seal, "certificate") => ("印章证书安装", "seal certificate installed"),
        (Matter::Seal, "reinstated") => ("印章撤销废止", "abolition of the seal reversed"),
        (Matter::Seal, "custody") => ("印章封存保管", "custody of the seal"),
        (Matter::Seal, "key-destroyed") => ("印章密钥销毁", "seal key destroyed"),
        (Matter::Licence, "cancel") => ("证照注销", "licence cancelled"),
        (Matter::Licence, "withdraw") => ("证照撤销", "licence withdrawn"),
        (Matter::Licence, "revoke") => ("证照吊销", "licence revoked"),
        (Matter::Grant, "given") => ("用印授权", "grant given"),
        (Matter::Grant, "taken-back") => ("收回授权", "grant taken back"),
        (Matter::Authority, "revoked") => ("证书吊销", "certificate revoked"),
        (Matter::Authority, "certificate") => ("签发证书", "certificate issued"),
        (Matter::Authority, "crl") => ("签发吊销列表", "revocation list issued"),
        (Matter::Authority, _) => ("证书机构操作", "act of the certificate authority"),
        (Matter::Audit, _) => ("操作记录存证", "audit trail anchored"),
        (Matter::Register, _) => ("登记册快照", "snapshot of the register"),
        (matter, act) => return (format!("{} {act}", matter.as_str()), format!("{} {act}", matter.as_str())),
    };
    (said.0.to_owned(), said.1.to_owned())
}

fn nothing() -> Problem {
    Problem::unknown("log.nothing", "公开日志中没有此文件", "the log has no such file")
}
