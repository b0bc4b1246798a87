//! A seal and its life: activate, suspend, resume, abolish, reverse.

mod level;

use std::fmt;

use time::OffsetDateTime;

use crate::authority::Uscc;
use crate::item::ItemCode;
use crate::refusal::{Refusal, Rule};

pub use level::Level;

/// A seal's number: 14 digits (6 of the GB/T 2260 region, 8 serial), 13 on older physical seals. It stands in the
/// certificate's CN and on the lower arc.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SealNumber(String);

impl SealNumber {
    /// Reads 13 or 14 ASCII digits.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if (13..=14).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Self(text.to_owned()));
        }
        let shown: String = text.chars().take(32).collect();
        Err(Refusal::new(
            Rule::SealLife,
            "seal.number",
            format!("“{shown}”不是印章编号：应为13位或14位数字，请核对"),
            format!("'{shown}' is not a seal number: 13 or 14 digits are expected; check it"),
        ))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SealNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SealNumber {
    type Error = Refusal;
    fn try_from(text: String) -> Result<Self, Refusal> {
        Self::parse(&text)
    }
}

impl From<SealNumber> for String {
    fn from(number: SealNumber) -> String {
        number.0
    }
}

/// What a seal is for, which decides its look and what may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealKind {
    /// 行政审批专用章.
    Approval,
    /// A government's or unit's legal-name seal (公章), under which notices go out.
    LegalName,
}

impl SealKind {
    /// As stored and as written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            SealKind::Approval => "approval",
            SealKind::LegalName => "legal-name",
        }
    }
}

/// What can happen to a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealEventKind {
    /// 启用.
    Activated,
    /// 停用.
    Suspended,
    /// 恢复使用.
    Resumed,
    /// 废止.
    Abolished,
    /// An abolition reversed by a second order; the abolition itself stays in the record.
    Reinstated,
}

impl SealEventKind {
    /// As stored and as written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            SealEventKind::Activated => "activated",
            SealEventKind::Suspended => "suspended",
            SealEventKind::Resumed => "resumed",
            SealEventKind::Abolished => "abolished",
            SealEventKind::Reinstated => "reinstated",
        }
    }

    /// Chinese, for pages and reports.
    pub fn zh(self) -> &'static str {
        match self {
            SealEventKind::Activated => "启用",
            SealEventKind::Suspended => "停用",
            SealEventKind::Resumed => "恢复使用",
            SealEventKind::Abolished => "废止",
            SealEventKind::Reinstated => "撤销废止",
        }
    }
}

/// One entry in a seal's life. Entries are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SealEvent {
    pub kind: SealEventKind,
    /// The instant from which it counts.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The document that ordered it, e.g. 汶府办函〔2020〕63号.
    pub document: String,
    pub reason: String,
    /// On abolition: the seal that takes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<SealNumber>,
    /// On abolition: the items that moved with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemCode>,
}

/// Whether a seal counts at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealStatus {
    NotYetActivated,
    InForce,
    Suspended,
    Abolished,
}

impl SealStatus {
    /// Chinese, for pages and reports.
    pub fn zh(self) -> &'static str {
        match self {
            SealStatus::NotYetActivated => "尚未启用",
            SealStatus::InForce => "有效",
            SealStatus::Suspended => "已停用",
            SealStatus::Abolished => "已废止",
        }
    }

    /// English, for pages and reports.
    pub fn en(self) -> &'static str {
        match self {
            SealStatus::NotYetActivated => "not yet activated",
            SealStatus::InForce => "in force",
            SealStatus::Suspended => "suspended",
            SealStatus::Abolished => "abolished",
        }
    }
}

/// Where a life stands. A suspension outlasts whatever comes over it: a seal that is reinstated, or activated as planned,
/// is still suspended until it is resumed.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    activated: bool,
    suspended: bool,
    abolished: bool,
}

impl Standing {
    fn status(self) -> SealStatus {
        match self {
            Standing { abolished: true, .. } => SealStatus::Abolished,
            Standing { activated: false, .. } => SealStatus::NotYetActivated,
            Standing { suspended: true, .. } => SealStatus::Suspended,
            _ => SealStatus::InForce,
        }
    }

    /// Where the step leads; none where it is not possible from here.
    fn after(self, kind: SealEventKind) -> Option<Standing> {
        let open = !self.abolished;
        match kind {
            SealEventKind::Activated if open && !self.activated => Some(Standing { activated: true, ..self }),
            SealEventKind::Suspended if open && !self.suspended => Some(Standing { suspended: true, ..self }),
            SealEventKind::Resumed if open && self.suspended => Some(Standing { suspended: false, ..self }),
            SealEventKind::Abolished if open => Some(Standing { abolished: true, ..self }),
            SealEventKind::Reinstated if self.abolished => Some(Standing { abolished: false, ..self }),
            _ => None,
        }
    }
}

/// A seal's life: its events in the order in which they count.
///
/// An event may be planned, and another may come before it: a planned step never stands in the way of an emergency. It
/// is judged again from where the seal then stands, and counts for nothing where it has become impossible. What is
/// planned is taken back by its opposite at the same instant.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Life(Vec<SealEvent>);

impl Life {
    /// A life from its events as recorded, or as written out by [`Life`] itself. Refuses what can never have been
    /// recorded: a step before there was an activation at all, a resumption or reinstatement of what never ended.
    pub fn replay(events: impl IntoIterator<Item = SealEvent>) -> Result<Self, Refusal> {
        let mut events: Vec<SealEvent> = events.into_iter().collect();
        // Stable: of two steps at one instant the one that was recorded first counts first.
        events.sort_by_key(|event| event.at);
        for (n, event) in events.iter().enumerate() {
            let had = |kind| events.iter().take(n).any(|earlier| earlier.kind == kind);
            let possible = match event.kind {
                SealEventKind::Activated => true,
                SealEventKind::Suspended | SealEventKind::Abolished => {
                    events.iter().any(|other| other.kind == SealEventKind::Activated)
                }
                SealEventKind::Resumed => had(SealEventKind::Suspended),
                SealEventKind::Reinstated => had(SealEventKind::Abolished),
            };
            if !possible {
                return Err(impossible(SealStatus::NotYetActivated, event.kind));
            }
        }
        Ok(Self(events))
    }

    /// Adds a step at `now` (rule 2): the past is continued, never rewritten, and the step is possible at its instant.
    /// A step that gives a seal back its force counts from its recording at the earliest; one that takes it may count
    /// from earlier ([`check_acknowledged`]).
    pub fn add(&mut self, event: SealEvent, now: OffsetDateTime) -> Result<(), Refusal> {
        let gives = matches!(event.kind, SealEventKind::Activated | SealEventKind::Resumed | SealEventKind::Reinstated);
        if gives && event.at < now {
            return Err(Refusal::new(
                Rule::SealLife,
                "seal.force-in-the-past",
                format!("{}不能追溯：生效时间不得早于登记之时，请改为现在或以后", event.kind.zh()),
                format!(
                    "a seal cannot be {} from an instant before the recording; give now or a later one",
                    event.kind.as_str()
                ),
            ));
        }
        // Only what already counts is the past; what is planned may be overtaken.
        if self.0.iter().any(|earlier| earlier.at <= now && event.at < earlier.at) {
            return Err(Refusal::new(
                Rule::SealLife,
                "seal.event-before-last",
                "印章状态变更的生效时间早于上一次已生效的变更；历史只能续写，不能改写",
                "this step in the seal's life would count before one that already counts; the record is continued, never rewritten",
            ));
        }
        let place = self.0.partition_point(|earlier| earlier.at <= event.at);
        let standing = self.effective().take_while(|(earlier, _)| earlier.at <= event.at).last();
        let standing = standing.map_or_else(Standing::default, |(_, standing)| standing);
        let begun = !self.0.is_empty() || event.kind == SealEventKind::Activated;
        if !begun || standing.after(event.kind).is_none() {
            return Err(impossible(standing.status(), event.kind));
        }
        self.0.insert(place, event);
        Ok(())
    }

    /// Rule 2: windows are half open. The instant of abolition is already outside.
    pub fn status_at(&self, at: OffsetDateTime) -> SealStatus {
        let standing = self.effective().take_while(|(event, _)| event.at <= at).last();
        standing.map_or(SealStatus::NotYetActivated, |(_, standing)| standing.status())
    }

    /// The event that put the seal in the state it has at this instant.
    pub fn last_event_at(&self, at: OffsetDateTime) -> Option<&SealEvent> {
        self.effective().take_while(|(event, _)| event.at <= at).last().map(|(event, _)| event)
    }

    /// The events, in the order in which they count.
    pub fn events(&self) -> &[SealEvent] {
        &self.0
    }

    /// Earliest and, where it ended, last instant (exclusive) at which the seal can ever have counted.
    pub fn window(&self) -> Option<(OffsetDateTime, Option<OffsetDateTime>)> {
        let from = self.effective().find(|(_, standing)| standing.activated)?.0.at;
        let (last, standing) = self.effective().last()?;
        Some((from, standing.abolished.then_some(last.at)))
    }

    /// The events that changed something, each with where the life stood after it.
    fn effective(&self) -> impl Iterator<Item = (&SealEvent, Standing)> {
        let mut standing = Standing::default();
        self.0.iter().filter_map(move |event| {
            standing = standing.after(event.kind)?;
            Some((event, standing))
        })
    }
}

fn impossible(status: SealStatus, kind: SealEventKind) -> Refusal {
    Refusal::new(
        Rule::SealLife,
        "seal.impossible-step",
        format!("印章当前状态为“{}”，不能{}", status.zh(), kind.zh()),
        format!("the seal is {}, so it cannot be {}", status.en(), kind.as_str()),
    )
}

/// There is no such seal in this register.
pub fn unknown(number: &SealNumber) -> Refusal {
    Refusal::new(
        Rule::SealLife,
        "seal.unknown",
        format!("登记册中没有编号为{number}的印章"),
        format!("there is no seal {number} in this register"),
    )
}

/// Rule 2: a step that counts from before its recording ends documents that were good when they were sealed. Whoever
/// orders it says how many; `ended` is how many the ledger has from that instant on.
pub fn check_acknowledged(
    at: OffsetDateTime,
    ended: u64,
    acknowledged: u64,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    // A planned step ends nothing, and the ledger knows nothing later than now.
    if at >= now && acknowledged == 0 || ended == acknowledged {
        return Ok(());
    }
    Err(Refusal::new(
        Rule::SealLife,
        "seal.acknowledge",
        format!(
            "追溯生效将使此后已用印的文书失去效力：台账现有{ended}份，申请中确认的是{acknowledged}份；请核实台账，确认份数（acknowledged）后再提交"
        ),
        format!(
            "it counts from before now and ends documents that were good when sealed: the ledger has {ended} since then, {acknowledged} are acknowledged; look them up and submit again with that number as 'acknowledged'"
        ),
    ))
}

/// A seal as the register knows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Seal {
    pub number: SealNumber,
    pub owner: Uscc,
    /// The owner's name when the seal was made; a later rename does not change old impressions.
    pub owner_name: String,
    /// 印文, as on the impression: 汶川县行政审批专用章.
    pub legend: String,
    pub kind: SealKind,
    pub life: Life,
}

impl Seal {
    /// Rule 2 as a yes or no at an instant, with the document that ended it.
    pub fn check_in_force(&self, at: OffsetDateTime) -> Result<(), Refusal> {
        let status = self.life.status_at(at);
        let by = self.life.last_event_at(at).map_or(String::new(), |e| e.document.clone());
        let (id, zh, en) = match status {
            SealStatus::InForce => return Ok(()),
            SealStatus::NotYetActivated => {
                ("seal.not-yet-activated", "该时尚未启用".to_owned(), "was not yet activated then".to_owned())
            }
            SealStatus::Suspended => {
                ("seal.suspended", format!("该时已停用（{by}）"), format!("was suspended then ({by})"))
            }
            SealStatus::Abolished => {
                ("seal.abolished", format!("该时已废止（{by}）"), format!("had been abolished by then ({by})"))
            }
        };
        Err(Refusal::new(
            Rule::SealLife,
            id,
            format!("印章“{}”（{}）{zh}", self.legend, self.number),
            format!("the seal {} ({}) {en}", self.legend, self.number),
        ))
    }
}

/// Hand-made seals for the rules' own tests.
#[cfg(test)]
pub(crate) mod sample {
    use super::{Life, Seal, SealEvent, SealEventKind, SealKind, SealNumber};
    use crate::authority::Uscc;
    use time::OffsetDateTime;

    /// Seconds since 1970.
    pub fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    pub fn event(kind: SealEventKind, t: i64) -> SealEvent {
        SealEvent {
            kind, at: at(t), document: "〔1〕号".into(), reason: "划转".into(), successor: None, items: vec![]
        }
    }

    pub fn life(events: &[(SealEventKind, i64)]) -> Life {
        Life::replay(events.iter().map(|&(kind, t)| event(kind, t))).unwrap()
    }

    pub fn seal(owner: &str, life: Life) -> Seal {
        Seal {
            number: SealNumber::parse("51322100000001").unwrap(),
            owner: Uscc::parse(owner).unwrap(),
            owner_name: "某局".into(),
            legend: "某局行政审批专用章".into(),
            kind: SealKind::Approval,
            life,
        }
    }
}

#[cfg(test)]
mod tests;
