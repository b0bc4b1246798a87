//! Uses of seals: documents, uploads, the end of licences, abolition, and what a crash interrupted.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Clock;
use super::filing::TwoOfficers;
use super::rooms::{Rooms, acting, read_file, read_json, write_file};
use super::trouble::Trouble;
use crate::abolish::{self, AbolishRequest};
use crate::desk::Desk;
use crate::issue::{self, EndRequest, Files, IssueRequest, Issued, UploadRequest};
use crate::limits;
use crate::officer::OfficerId;

/// 制作证照或批文。
#[derive(Debug, Args)]
pub(super) struct Issue {
    /// 制证申请（JSON）/ the request
    request: PathBuf,
    /// 用印人 / the officer who seals
    #[arg(long, value_name = "ID", value_parser = OfficerId::parse)]
    officer: OfficerId,
    /// 文件格式：pdf、ofd 或 both，优先于申请；默认印章能做的都做 / formats, over what the request says; all that the seal can by default
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// 把制成的文书写到这里；同时制作的OFD写在旁边 / write the document here, and an OFD beside it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Pdf,
    Ofd,
    Both,
}

impl From<Format> for Files {
    fn from(format: Format) -> Self {
        match format {
            Format::Pdf => Self::Pdf,
            Format::Ofd => Self::Ofd,
            Format::Both => Self::Both,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct SealUpload {
    /// 外来文书：PDF或OFD / the document, PDF or OFD
    #[arg(value_name = "FILE")]
    document: PathBuf,
    /// 用印申请（JSON）/ the request
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    #[arg(long, value_name = "ID", value_parser = OfficerId::parse)]
    officer: OfficerId,
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct EndLicence {
    /// 注销、撤销、吊销申请（JSON）/ the request
    request: PathBuf,
    #[arg(long, value_name = "ID", value_parser = OfficerId::parse)]
    officer: OfficerId,
}

#[derive(Debug, Args)]
pub(super) struct Abolish {
    /// 废止决定（JSON：order，可带 custody、notice）/ the order, with custody and notice where wanted
    file: PathBuf,
    #[command(flatten)]
    two: TwoOfficers,
    /// 印章清单（CSV：number, items）/ the seals
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// 追溯生效时，确认因此失效的文书份数 / where it counts from before now: how many documents it ends
    #[arg(long, value_name = "COUNT")]
    acknowledge: Option<u64>,
    /// 把公告写到这里 / write the notice here
    #[arg(long, value_name = "PDF")]
    out: Option<PathBuf>,
}

pub(super) async fn issue(rooms: &Rooms, issue: Issue, clock: Clock) -> Result<(), Trouble> {
    let now = clock();
    let mut request: IssueRequest = read_json(&issue.request)?;
    request.files = issue.format.map(Files::from).or(request.files);
    let desk = rooms.desk(clock).await?;
    let officer = acting(&desk.store, &issue.officer, "issue", now).await?;
    let issued = issue::issue(&desk, &officer, request, now).await?;
    deliver(rooms, &desk, &issued, issue.out.as_deref()).await
}

pub(super) async fn seal_upload(rooms: &Rooms, upload: SealUpload, clock: Clock) -> Result<(), Trouble> {
    let now = clock();
    let request: UploadRequest = read_json(&upload.request)?;
    let file = read_file(&upload.document, limits::PDF_BYTES)?;
    let desk = rooms.desk(clock).await?;
    let officer = acting(&desk.store, &upload.officer, "seal-upload", now).await?;
    let issued = issue::seal_upload(&desk, &officer, request, file, now).await?;
    deliver(rooms, &desk, &issued, upload.out.as_deref()).await
}

pub(super) async fn end_licence(rooms: &Rooms, end: EndLicence, clock: Clock) -> Result<(), Trouble> {
    let now = clock();
    let request: EndRequest = read_json(&end.request)?;
    let act = request.act;
    let desk = rooms.desk(clock).await?;
    let officer = acting(&desk.store, &end.officer, "end-licence", now).await?;
    let identifier = issue::end_licence(&desk, &officer, request, now).await?;
    rooms.say(
        &format!("证照已{}：{identifier}", act.zh()),
        "the licence has ended",
        &serde_json::json!({ "identifier": identifier, "act": act }),
    );
    Ok(())
}

pub(super) async fn abolish(rooms: &Rooms, abolish: Abolish, clock: Clock) -> Result<(), Trouble> {
    let now = clock();
    let mut request: AbolishRequest = read_json(&abolish.file)?;
    if let Some(csv) = &abolish.csv {
        request.order.seals = abolish::seals_from_csv(&read_file(csv, limits::REQUEST_FILE_BYTES)?)?;
    }
    request.acknowledged = abolish.acknowledge.unwrap_or(request.acknowledged);
    let desk = rooms.desk(clock).await?;
    let (by, second) = abolish.two.check(&desk.store, "abolish", now).await?;
    let done = abolish::abolish(&desk, &by, &second, request, now).await?;
    if let (Some(out), Some(notice)) = (&abolish.out, &done.notice) {
        write_document(&desk, notice, out).await?;
    }
    rooms.say(
        &format!("{}：印章{}枚，吊销证书{}张", done.order, done.seals, done.revoked),
        &format!("{} seal(s), {} certificate(s) revoked", done.seals, done.revoked),
        &serde_json::json!(done),
    );
    Ok(())
}

pub(super) async fn resume(rooms: &Rooms, clock: Clock) -> Result<(), Trouble> {
    let now = clock();
    let resumed = issue::resume(&rooms.desk(clock).await?, now).await?;
    let mut rows = vec![];
    for one in &resumed {
        match &one.outcome {
            Ok(issued) => rows.push(serde_json::json!({ "order": one.order, "finished": issued })),
            Err(why) => rows.push(serde_json::json!({ "order": one.order, "not_finished": why })),
        }
        if !rooms.json() {
            super::rooms::print(&match &one.outcome {
                Ok(issued) => format!("{} 已完成 / finished：{}", one.order, issued.title),
                Err(why) => format!("{} 未完成 / not finished：{why}", one.order),
            });
        }
    }
    rooms.say(&format!("处理中断的用印{}件", resumed.len()), "interrupted orders looked at", &rows.into());
    Ok(())
}

async fn deliver(rooms: &Rooms, desk: &Desk, issued: &Issued, out: Option<&Path>) -> Result<(), Trouble> {
    if let Some(out) = out {
        write_document(desk, issued, out).await?;
        if let Some(ofd) = &issued.ofd {
            write_of_digest(desk, ofd, &out.with_extension("ofd")).await?;
        }
    }
    let name = issued.identifier.as_ref().map_or_else(|| issued.document.clone(), ToString::to_string);
    let again = if issued.again { ("（此前已制成）", ", made before") } else { ("", "") };
    rooms.say(
        &format!("已制成{}：{name}{}", issued.title, again.0),
        &format!("sealed, checked and stored{}", again.1),
        &serde_json::json!(issued),
    );
    Ok(())
}

/// Writes a document that was made out of the store.
pub(super) async fn write_document(desk: &Desk, issued: &Issued, out: &Path) -> Result<(), Trouble> {
    write_of_digest(desk, &issued.document, out).await
}

pub(super) async fn write_of_digest(desk: &Desk, digest: &str, out: &Path) -> Result<(), Trouble> {
    let document = desk.store.document(digest).await?;
    let document = document.ok_or_else(|| Trouble::unknown("文书", "document", &digest))?;
    write_file(out, &document.bytes)
}
