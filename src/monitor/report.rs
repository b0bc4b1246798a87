//! What a look at the log came to, in words for people and as JSON for programs.

use askama::Template;
use serde::Serialize;
use time::OffsetDateTime;

use super::expected::Unexplained;
use crate::limits;
use crate::message::{Message, china_time};
use crate::tlog::leaf::Leaf;

/// What must be looked into by a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Alarm {
    /// What is shown as a head has no signature of the log's key that holds, or is another log's.
    Unsigned { url: String },
    /// A trusted witness's line under the head does not hold.
    FalseWitness,
    /// Fewer witnesses than are needed.
    NotSeen { seen: usize, needed: usize },
    /// The log is smaller than it was.
    SetBack { from: u64, to: u64 },
    /// What was in the log is not there any more, or is another thing.
    Rewritten { size: u64 },
    /// Two heads that both have the log's signature, and no tree has both.
    TwoFaces { size: u64, url: String },
    /// A head that was shown elsewhere is not come up to.
    HeldBack { size: u64, url: String },
    /// The head promises this file, and it is not given.
    Withheld { path: String },
    /// This file is not what the entries make of it.
    Altered { path: String },
    /// Entries do not lead to the head's root.
    OtherRoot { size: u64 },
    /// Not an entry of ours.
    Unreadable { index: u64 },
    /// A use of a seal that nobody accounts for.
    Unaccounted { used: Used, why: Unexplained },
    /// So many more than are kept or shown.
    More(u64),
}

/// A use of a seal, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Used {
    pub index: u64,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub act: String,
    pub seal: Option<String>,
}

impl Used {
    pub(super) fn of(index: u64, leaf: &Leaf) -> Self {
        Self { index, at: leaf.at, act: leaf.act.clone(), seal: leaf.seal.clone() }
    }

    fn words(&self) -> (String, String) {
        let Self { index, act, .. } = self;
        let (at, seal) = (china_time(self.at), self.seal.as_deref().unwrap_or("-"));
        (
            format!("第 {index} 条：{at}，印章 {seal}，{act}"),
            format!("entry {index}: {at} (+08:00), seal {seal}, {act}"),
        )
    }
}

/// What came of one look.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The log's name.
    pub log: String,
    /// Where it was looked at.
    pub url: String,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Of the head that is believed; none before the first.
    pub size: u64,
    pub root: Option<String>,
    /// Entries that came since the last look.
    pub new: u64,
    /// Whose cosignatures stand under the head and hold.
    pub witnesses: Vec<String>,
    /// New uses of seals that were held against no list.
    pub uses: Vec<Used>,
    /// All that were held against no list, in this look and in earlier ones.
    pub not_compared: u64,
    pub alarms: Vec<Message>,
    /// What could not be looked at.
    pub incomplete: Vec<Message>,
}

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Well,
    Alarm,
    Incomplete,
}

#[derive(Template)]
#[template(path = "monitor.html")]
struct Page<'r> {
    report: &'r Report,
    at: String,
    uses: Vec<(String, String)>,
    outcome: Outcome,
}

impl Report {
    pub(super) fn alarm(&mut self, alarm: &Alarm) {
        if self.alarms.len() < limits::MONITOR_SHOWN {
            self.alarms.push(alarm.message());
        }
    }

    /// An alarm counts more than what could not be seen.
    pub fn outcome(&self) -> Outcome {
        match (self.alarms.is_empty(), self.incomplete.is_empty()) {
            (false, _) => Outcome::Alarm,
            (true, false) => Outcome::Incomplete,
            (true, true) => Outcome::Well,
        }
    }

    /// Lines for people, Chinese beside English.
    pub fn words(&self) -> String {
        let Self { log, size, new, not_compared, .. } = self;
        let mut text =
            format!("{} {log}：{size} 条，新增 {new} 条 / {size} entries, {new} of them new\n", china_time(self.at));
        if let Some(root) = &self.root {
            text += &format!("  树根 / root {root}\n");
        }
        if !self.witnesses.is_empty() {
            text += &format!("  见证 / seen by {}\n", self.witnesses.join(", "));
        }
        for used in &self.uses {
            let (zh, en) = used.words();
            text += &format!("  用印 / seal used  {zh} / {en}\n");
        }
        if *not_compared > 0 {
            text += &format!(
                "  {not_compared} 次用印未与清单核对（--expected）/ {not_compared} uses were held against no list (--expected)\n"
            );
        }
        for (zh, en, said) in self
            .incomplete
            .iter()
            .map(|said| ("未能核对", "not looked at", said))
            .chain(self.alarms.iter().map(|said| ("警报", "ALARM", said)))
        {
            text += &format!("  {zh} / {en} [{}] {} / {}\n", said.id, said.zh, said.en);
        }
        if self.outcome() == Outcome::Well {
            text += "  一切正常 / all is well\n";
        }
        text
    }

    /// A page for people, complete in itself.
    pub fn page(&self) -> String {
        let uses = self.uses.iter().map(Used::words).collect();
        let page = Page { report: self, at: china_time(self.at), uses, outcome: self.outcome() };
        page.render().unwrap_or_default()
    }
}

impl Alarm {
    /// What to say about it.
    pub fn message(&self) -> Message {
        let (id, zh, en) = match self {
            Self::Unsigned { url } => (
                "monitor.unsigned",
                format!("{url} 给出的日志头没有该日志密钥的有效签名；请核对公钥文件，如无误则有人冒充该日志"),
                format!(
                    "the head that {url} shows has no signature of the log's key that holds: compare the key file; if it is right, somebody poses as the log"
                ),
            ),
            Self::FalseWitness => (
                "monitor.false-witness",
                "日志头下所列见证的签名无效；请向见证的运行单位核实".into(),
                "a witness's line under the head does not hold; ask the witness's operator".into(),
            ),
            Self::NotSeen { seen, needed } => (
                "monitor.not-seen",
                format!("日志头只有 {seen} 个见证签认，应有 {needed} 个；可能有人独自签发日志头"),
                format!(
                    "only {seen} witnesses have seen the head, {needed} are needed: somebody may sign heads of their own"
                ),
            ),
            Self::SetBack { from, to } => (
                "monitor.set-back",
                format!("日志从 {from} 条退回到 {to} 条：数据库可能被旧备份覆盖，有记录被隐去，请立即查明"),
                format!(
                    "the log went back from {from} entries to {to}: an old copy of the database may be in its place and entries hidden; look into it now"
                ),
            ),
            Self::Rewritten { size } => (
                "monitor.rewritten",
                format!("日志前 {size} 条与上次所见不同：已有记录被改写，请立即查明"),
                format!(
                    "the first {size} entries are not those seen before: what was entered was rewritten; look into it now"
                ),
            ),
            Self::TwoFaces { size, url } => (
                "monitor.two-faces",
                format!(
                    "{url} 所见 {size} 条的日志头与日志本身不一致，两者都有日志密钥的签名：日志对不同的人示以不同内容。证据已存，请立即查明"
                ),
                format!(
                    "the head of {size} entries seen by {url} and the log are not of one tree, and the log's key signed both: the log shows two faces. The evidence is kept; look into it now"
                ),
            ),
            Self::HeldBack { size, url } => (
                "monitor.held-back",
                format!("{url} 早已见过 {size} 条的日志头，日志至今未公布到此：有记录被隐去，请查明"),
                format!(
                    "{url} saw a head of {size} entries a while ago that the log has still not come up to: entries are held back; look into it"
                ),
            ),
            Self::Withheld { path } => (
                "monitor.withheld",
                format!("日志头所承诺的文件 {path} 未予提供；请向日志的运行单位查询"),
                format!("the head promises the file {path}, and it is not given; ask the log's operator"),
            ),
            Self::Altered { path } => (
                "monitor.altered",
                format!("文件 {path} 与日志条目不符：服务器上的文件被改动，请查明"),
                format!(
                    "the file {path} is not what the entries make of it: files were altered on the server; look into it"
                ),
            ),
            Self::OtherRoot { size } => (
                "monitor.other-root",
                format!("{size} 条记录算出的树根与签名的日志头不符：给出的不是签名的那份日志，请立即查明"),
                format!(
                    "the {size} entries do not lead to the root that was signed: what is given is not the log that was signed; look into it now"
                ),
            ),
            Self::Unreadable { index } => (
                "monitor.unreadable",
                format!("第 {index} 条不是本系统的记录：有人绕过程序写入日志，请立即查明"),
                format!(
                    "entry {index} is none that the service writes: somebody wrote to the log past it; look into it now"
                ),
            ),
            Self::Unaccounted { used, why } => {
                let (zh, en) = used.words();
                let (id, zh_why, en_why) = match why {
                    Unexplained::Unopened => {
                        ("monitor.unknown-use", "单位的记录中没有这次用印", "the bureau's records have no such use")
                    }
                    Unexplained::Misopened => (
                        "monitor.misopened",
                        "单位给出的内容与日志中的承诺不符",
                        "what the bureau shows for it is not what the log commits to",
                    ),
                    Unexplained::Unlisted => (
                        "monitor.no-decision",
                        "应有清单中没有它所依据的决定",
                        "the decision it rests on is not among those expected",
                    ),
                };
                (
                    id,
                    format!("{zh}：{zh_why}。印章可能被私用，请立即查明"),
                    format!("{en}: {en_why}. A seal may have been used in secret; look into it now"),
                )
            }
            Self::More(count) => (
                "monitor.more",
                format!("另有 {count} 条未能说明的记录"),
                format!("{count} more entries are not accounted for"),
            ),
        };
        Message::new(id, zh, en)
    }
}
