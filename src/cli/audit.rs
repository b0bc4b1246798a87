//! `yinxin audit`: the chain of audit events, entered in the log, exported, and checked alone.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use time::OffsetDateTime;

use super::Clock;
use super::certificates::read_trust;
use super::rooms::{Rooms, instant, open_file, print};
use super::trouble::Trouble;
use crate::audit;
use crate::limits;
use crate::message::Message;
use crate::tlog::trail::{Check, Checked, TrailFault};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// 把审计链的现状记入公开日志 / enter in the public log where the chain stands
    Anchor,
    /// 导出审计记录，供监察机关单独核对 / export audit events, to be checked alone
    Export {
        /// 自此时起 / from this moment on, RFC 3339
        #[arg(long, value_parser = instant)]
        from: Option<OffsetDateTime>,
        /// 至此时止（不含），并续至下一次锚定 / before this moment, and on to the next anchor
        #[arg(long, value_parser = instant)]
        to: Option<OffsetDateTime>,
        /// 新文件 / a new file
        file: PathBuf,
    },
    /// 核对导出的审计记录，不需要设置、数据库和网络：0 相符，1 不符，3 无法运行 / check an export without settings, store or network
    Check {
        file: PathBuf,
        /// 存放日志和见证方公钥（*.vkey）的目录 / folder with keys of the log and its witnesses (*.vkey)
        #[arg(long, value_name = "DIR")]
        trust: PathBuf,
        /// 至少几个见证方 / witnesses that must have seen the log's head; one by default where any is known
        #[arg(long, value_name = "K")]
        witnesses: Option<usize>,
    },
}

impl AuditCommand {
    /// Whether it checks what others exported.
    pub fn only_checks(&self) -> bool {
        matches!(self, Self::Check { .. })
    }
}

pub(super) async fn audit(rooms: &Rooms, command: AuditCommand, clock: Clock) -> Result<(), Trouble> {
    match command {
        AuditCommand::Check { .. } => {}
        AuditCommand::Anchor => {
            let desk = rooms.desk(clock).await?;
            let entered = audit::anchor(&desk, clock()).await?;
            desk.publish_head(clock()).await?;
            let length = entered.entry.opening.fact("length").unwrap_or_default();
            rooms.say(
                &format!("审计链（{length}条）已记入公开日志第{}条", entered.index),
                &format!("the chain of {length} events is entry {} of the log", entered.index),
                &serde_json::json!({ "events": length, "index": entered.index }),
            );
        }
        AuditCommand::Export { from, to, file } => {
            let desk = rooms.desk(clock).await?;
            let wrong = |error: std::io::Error| Trouble::file(&file, &error);
            let mut out = BufWriter::new(std::fs::File::create_new(&file).map_err(wrong)?);
            let exported = audit::export(&desk, (from, to), &mut |line| writeln!(out, "{line}"), clock()).await;
            let exported = match exported {
                Ok(exported) => exported,
                Err(error) => {
                    // Half an export is none.
                    drop(out);
                    let _ = std::fs::remove_file(&file);
                    return Err(error.into());
                }
            };
            out.into_inner().map_err(|e| wrong(e.into_error()))?.sync_all().map_err(wrong)?;
            let audit::Exported { first, last, anchors } = &exported;
            rooms.say(
                &format!("已导出审计记录第{first}至{last}条，日志锚定{anchors}次：{}", file.display()),
                &format!("events {first} to {last} exported, {anchors} anchor(s) in the log"),
                &serde_json::json!(exported),
            );
        }
    }
    Ok(())
}

/// Checks an export with what is in the trust folder, and nothing else.
pub(super) fn check(command: &AuditCommand, json: bool) -> Result<ExitCode, Trouble> {
    let AuditCommand::Check { file, trust, witnesses } = command else { return Ok(ExitCode::SUCCESS) };
    if !trust.is_dir() {
        return Err(Trouble::file(trust, &"没有此目录 / no such directory"));
    }
    let mut trust = read_trust(trust)?;
    trust.witnesses_asked = *witnesses;
    let needed = trust.witnesses_needed(0);
    let checked = read(file, |line| Check::begin(line, &trust.logs, &trust.witnesses, needed))?;
    let (said, shown) = match &checked {
        Ok(checked) => (serde_json::json!(checked), sound(checked)),
        Err(fault) => (serde_json::json!(message(fault)), format!("✗ {}", message(fault))),
    };
    print(&if json { said.to_string() } else { shown });
    Ok(if checked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Line by line: an export may be larger than memory.
fn read(
    file: &Path,
    begin: impl FnOnce(&str) -> Result<Check, TrailFault>,
) -> Result<Result<Checked, TrailFault>, Trouble> {
    let mut lines = BufReader::new(open_file(file)?);
    let mut begin = Some(begin);
    let mut check = None;
    for number in 1.. {
        let mut line = Vec::new();
        let most = limits::AUDIT_LINE_BYTES as u64;
        (&mut lines).take(most).read_until(b'\n', &mut line).map_err(|e| Trouble::file(file, &e))?;
        if line.is_empty() {
            break;
        }
        let text = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
        let step = match (text, begin.take(), &mut check) {
            (None, ..) => Err(TrailFault::Malformed(number)),
            (Some(line), Some(begin), _) => begin(line).map(|begun| check = Some(begun)),
            (Some(line), None, Some(check)) => check.line(line),
            (Some(_), None, None) => Err(TrailFault::CutOff),
        };
        if let Err(fault) = step {
            return Ok(Err(fault));
        }
    }
    Ok(check.ok_or(TrailFault::CutOff).and_then(Check::end))
}

fn sound(checked: &Checked) -> String {
    let Checked { first, last, anchors, log, witnesses } = checked;
    let log = log.as_deref().unwrap_or("-");
    format!(
        "✓ 审计记录第{first}至{last}条连续、未被改动；公开日志 {log} 锚定{anchors}次，见证方{witnesses}个 / \
         events {first} to {last} are whole and unchanged; the log {log} says so {anchors} time(s), seen by {witnesses} witness(es)"
    )
}

fn message(fault: &TrailFault) -> Message {
    let (id, zh) = match fault {
        TrailFault::Malformed(line) => ("audit.malformed", format!("第{line}行不合格式")),
        TrailFault::Gap(event) => ("audit.gap", format!("缺少第{event}条审计记录，或其位置不对")),
        TrailFault::Changed(first, last) => ("audit.changed", format!("第{first}至{last}条之间有记录被改动")),
        TrailFault::Unproven(length, why) => {
            ("audit.unproven", format!("公开日志对{length}条记录的锚定不成立（{why}）"))
        }
        TrailFault::UnknownLog(log) => ("audit.unknown-log", format!("信任目录中没有公开日志 {log} 的公钥（.vkey）")),
        TrailFault::Unwitnessed(seen) => ("audit.unwitnessed", format!("日志头只有{seen}个见证方，不足要求")),
        TrailFault::Uncovered(event) => ("audit.uncovered", format!("自第{event}条起没有日志锚定")),
        TrailFault::CutOff => ("audit.cut-off", "文件不完整，末尾缺失".to_owned()),
    };
    Message::new(
        id,
        format!("{zh}；请向导出单位索取原件并查明原因"),
        format!("{fault}; ask the exporter for the original, and for the reason"),
    )
}
