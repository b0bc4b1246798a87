//! Renewal of documents, our own and others', with what it does not heal.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use time::format_description::well_known::Rfc3339;

use super::Clock;
use super::rooms::{Rooms, print, read_file, write_file};
use super::trouble::Trouble;
use crate::desk::{Desk, FlowError};
use crate::limits;
use crate::message::china_time;
use crate::renew::{self, Outcome, Renewed};
use crate::verify::Trust;

/// 文书续期。
#[derive(Debug, Args)]
pub(super) struct Renew {
    /// 已签章的PDF / sealed PDFs
    #[arg(required_unless_present = "due", conflicts_with = "due")]
    files: Vec<PathBuf>,
    /// 续期后的文件写到此目录，默认与原文件同目录，名为 *.renewed.pdf / where the renewed files go
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// 立即续期本系统库中临近失效的全部文书 / renew all documents of our own that lapse soon
    #[arg(long, conflicts_with = "out")]
    due: bool,
}

/// 0 where everything was renewed, 1 where anything was not.
pub(super) async fn renew(rooms: &Rooms, renew: Renew, clock: Clock) -> Result<ExitCode, Trouble> {
    let desk = rooms.desk(clock).await?;
    let trust = rooms.trust()?;
    if renew.due {
        return due(rooms, &desk, &trust, clock).await;
    }
    if let Some(folder) = &renew.out {
        std::fs::create_dir_all(folder).map_err(|e| Trouble::file(folder, &e))?;
    }
    let bar = indicatif::ProgressBar::new(renew.files.len() as u64);
    let mut all = true;
    for file in &renew.files {
        let target = target(file, renew.out.as_deref());
        let done = one(&desk, &trust, file, &target, clock).await?;
        all &= done.is_ok();
        bar.suspend(|| tell(rooms, file, &target, &done));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(ExitCode::from(u8::from(!all)))
}

async fn one(
    desk: &Desk,
    trust: &Trust,
    file: &Path,
    target: &Path,
    clock: Clock,
) -> Result<Result<Renewed, FlowError>, Trouble> {
    let bytes = read_file(file, limits::PDF_BYTES)?;
    let done = renew::renew(desk, trust, &file.display().to_string(), bytes, clock()).await;
    if let Ok(renewed) = &done {
        write_file(target, &renewed.bytes)?;
    }
    Ok(done)
}

fn tell(rooms: &Rooms, file: &Path, target: &Path, done: &Result<Renewed, FlowError>) {
    let said = match done {
        Ok(renewed) => serde_json::json!({
            "file": file, "renewed": target, "indication": renewed.report.verdict.indication(),
            "level": renewed.level(), "lapses_at": renewed.lapses_at.format(&Rfc3339).unwrap_or_default(),
            "unproven": renewed.unproven,
        }),
        Err(error) => serde_json::json!({ "file": file, "not_renewed": error.message() }),
    };
    if rooms.json() {
        return print(&said.to_string());
    }
    match done {
        Ok(renewed) => {
            let level = renewed.level().map_or("-", |level| level.as_str());
            print(&format!(
                "{} → {}：{level}，有效至 / holds until {}，{}",
                file.display(),
                target.display(),
                china_time(renewed.lapses_at),
                renewed.report.verdict.indication()
            ));
            for why in &renewed.unproven {
                print(&format!("  续期不能补救 / not healed by renewal：{why}"));
            }
        }
        Err(error) => print(&format!("{} 未续期 / not renewed：{}", file.display(), error.message())),
    }
}

async fn due(rooms: &Rooms, desk: &Desk, trust: &Trust, clock: Clock) -> Result<ExitCode, Trouble> {
    let forms = renew::lapsing(desk, clock()).await?;
    let bar = indicatif::ProgressBar::new(forms.len() as u64);
    let (mut renewed, mut rows) = (0, vec![]);
    for form in &forms {
        let Outcome { original, outcome } = renew::renew_our_own(desk, trust, form, clock()).await?;
        match outcome {
            Ok(_) => renewed += 1,
            Err(why) => {
                if !rooms.json() {
                    bar.suspend(|| print(&format!("{original} 未续期 / not renewed：{why}")));
                }
                rows.push(serde_json::json!({ "document": original, "not_renewed": why }));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    rooms.say(
        &format!("临近失效的文书{}份，已续期{renewed}份", forms.len()),
        &format!("{renewed} of {} documents that lapse soon are renewed", forms.len()),
        &serde_json::json!({ "due": forms.len(), "renewed": renewed, "failed": rows }),
    );
    Ok(ExitCode::from(u8::from(renewed != forms.len())))
}

fn target(file: &Path, out: Option<&Path>) -> PathBuf {
    match out {
        Some(folder) => folder.join(file.file_name().unwrap_or_default()),
        None => file.with_extension("renewed.pdf"),
    }
}
