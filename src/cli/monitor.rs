//! `yinxin monitor`: following a log from outside. It reads no settings.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::Clock;
use super::rooms::{print, read_file, write_file};
use super::serve::told_to_stop;
use super::trouble::Trouble;
use crate::desk::blocking;
use crate::limits;
use crate::monitor::{self, Expected, MemoryFault, NotPosted, Outcome, Plan, Report, Webhook};
use crate::tlog::note::{Kind, VerifierKey};

#[derive(Debug, Args)]
pub(super) struct Monitor {
    /// 日志地址（https://主机/log），其后可列其他视点：见证、镜像 / the log (https://HOST/log), then others that see it: witnesses, a mirror
    #[arg(required = true, num_args = 1.., value_name = "URL")]
    urls: Vec<String>,
    /// 日志的公钥文件 / the log's key
    #[arg(long, value_name = "FILE.vkey")]
    key: PathBuf,
    /// 所信任的见证的公钥文件，可多个 / keys of the witnesses that are trusted
    #[arg(long, value_name = "FILE.vkey")]
    witness: Vec<PathBuf>,
    /// 每个日志头须有几个见证，默认有见证公钥时一个 / how many must have seen each head; by default one where any is trusted
    #[arg(long, value_name = "K")]
    needed: Option<usize>,
    /// 状态文件：上次所见。另存 FILE.evidence/ 为证据 / the state: what was seen last; evidence is kept in FILE.evidence/
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// 应有的用印：决定文号每行一个，或 yinxin log openings 的导出，可多个文件 / expected uses: decision numbers one a line, or what `yinxin log openings` wrote
    #[arg(long, value_name = "FILE")]
    expected: Vec<PathBuf>,
    /// 不是印信的日志：只核对日志头和哈希 / a log of other software: its heads and hashes alone
    #[arg(long, conflicts_with = "expected")]
    foreign: bool,
    /// 有新警报时将报告（JSON）发送到此地址 / post the report as JSON here when alarms are new
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// 写入网页 / write a page
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// 每隔若干秒核对一次，直到停止 / look again every so many seconds, until stopped
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(limits::MONITOR_EVERY_SECONDS))]
    every: Option<u64>,
}

impl Monitor {
    pub fn serves(&self) -> bool {
        self.every.is_some()
    }
}

pub(super) async fn run(asked: Monitor, json: bool, clock: Clock) -> Result<ExitCode, Trouble> {
    let (plan, webhook) = (asked.plan()?, asked.webhook.as_deref().map(Webhook::of).transpose()?);
    let mut monitor = monitor::Monitor::open(plan, &asked.urls, &asked.state)?;
    let mut told = Vec::new();
    let stop = told_to_stop();
    tokio::pin!(stop);
    loop {
        let (expected, now) = (asked.expected()?, clock());
        let (back, looked) = blocking(move || -> Result<_, MemoryFault> {
            let looked = monitor.look(expected.as_ref(), now)?;
            Ok((monitor, looked))
        })
        .await?;
        monitor = back;
        asked.tell(&looked, json)?;
        let alarms: Vec<_> = looked.alarms.iter().map(|said| said.en.clone()).collect();
        let code = ExitCode::from(match looked.outcome() {
            Outcome::Well => 0,
            Outcome::Alarm => 1,
            Outcome::Incomplete => 2,
        });
        if let Some(webhook) = webhook.clone().filter(|_| !alarms.is_empty() && alarms != told) {
            match blocking(move || -> Result<(), NotPosted> { webhook.post(&looked) }).await {
                Ok(()) => told = alarms,
                // It is tried again at the next look.
                Err(why) => eprintln!("{}", why.message()),
            }
        } else if alarms.is_empty() {
            told.clear();
        }
        let Some(seconds) = asked.every else { return Ok(code) };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
            () = &mut stop => return Ok(code),
        }
    }
}

impl Monitor {
    fn plan(&self) -> Result<Plan, Trouble> {
        let log = keys_of(&self.key, Kind::Ed25519)?;
        let [log] = log.as_slice() else { return Err(no_key(&self.key)) };
        let mut witnesses = Vec::new();
        for file in &self.witness {
            witnesses.extend(keys_of(file, Kind::Cosignature)?);
        }
        let needed = self.needed.unwrap_or(usize::from(!witnesses.is_empty()));
        Ok(Plan { log: log.clone(), witnesses, needed, foreign: self.foreign })
    }

    /// Read anew for each look: the list grows with the log.
    fn expected(&self) -> Result<Option<Expected>, Trouble> {
        let (mut expected, mut room) = (Expected::default(), limits::MONITOR_EXPECTED_BYTES);
        for file in &self.expected {
            let bytes = read_file(file, room)?;
            room -= bytes.len();
            let text = String::from_utf8(bytes).map_err(|why| Trouble::file(file, &why))?;
            expected.add(&text).map_err(|why| Trouble(why.message()))?;
        }
        Ok((!self.expected.is_empty()).then_some(expected))
    }

    fn tell(&self, report: &Report, json: bool) -> Result<(), Trouble> {
        match json {
            true => print(&serde_json::to_string(report).unwrap_or_default()),
            false => print(report.words().trim_end()),
        }
        match &self.page {
            Some(page) => write_file(page, report.page().as_bytes()),
            None => Ok(()),
        }
    }
}

/// The keys in a file, one a line, each of this kind; at least one.
fn keys_of(file: &Path, kind: Kind) -> Result<Vec<VerifierKey>, Trouble> {
    let bytes = read_file(file, limits::LOG_NOTE_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|_| no_key(file))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let read = |line| VerifierKey::read(line).ok().filter(|key| key.kind() == kind);
    let keys = lines.map(read).collect::<Option<Vec<_>>>().filter(|keys| !keys.is_empty());
    keys.ok_or_else(|| no_key(file))
}

fn no_key(file: &Path) -> Trouble {
    let file = file.display();
    Trouble::new(
        "monitor.key",
        format!("{file} 不是所需的公钥文件：--key 为日志的一行公钥，--witness 为见证的公钥，每行一个"),
        format!(
            "{file} is not the key file that is needed: --key holds the log's one line, --witness witnesses' lines"
        ),
    )
}
