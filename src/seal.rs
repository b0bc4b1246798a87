//! A seal and its life: activate, suspend, resume, abolish, reverse.

use std::fmt;

use time::OffsetDateTime;

use crate::authority::Uscc;
use crate::item::ItemCode;
use crate::refusal::{Refusal, Rule};

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

    fn after(self, kind: SealEventKind) -> Option<SealStatus> {
        match (self, kind) {
            (SealStatus::NotYetActivated, SealEventKind::Activated) => Some(SealStatus::InForce),
            (SealStatus::InForce, SealEventKind::Suspended) => Some(SealStatus::Suspended),
            (SealStatus::Suspended, SealEventKind::Resumed) => Some(SealStatus::InForce),
            (SealStatus::InForce | SealStatus::Suspended, SealEventKind::Abolished) => Some(SealStatus::Abolished),
            (SealStatus::Abolished, SealEventKind::Reinstated) => Some(SealStatus::InForce),
            _ => None,
        }
    }
}

/// A seal's life: events in the order in which they count, each a legal step from the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Life(Vec<SealEvent>);

impl Life {
    /// Replays recorded events, in the order in which they were recorded.
    pub fn replay(events: impl IntoIterator<Item = SealEvent>) -> Result<Self, Refusal> {
        let mut life = Self::default();
        for event in events {
            life.add(event)?;
        }
        Ok(life)
    }

    /// Adds a step. It must count no earlier than the last one and be possible from there: a life is continued,
    /// never rewritten (rule 2).
    pub fn add(&mut self, event: SealEvent) -> Result<(), Refusal> {
        let last = self.0.last();
        if last.is_some_and(|last| event.at < last.at) {
            return Err(Refusal::new(
                Rule::SealLife,
                "seal.event-before-last",
                "印章状态变更的生效时间早于上一次变更；历史只能续写，不能改写",
                "this step in the seal's life would count before the one already recorded; the record is continued, never rewritten",
            ));
        }
        let status = self.last_status();
        if status.after(event.kind).is_none() {
            return Err(Refusal::new(
                Rule::SealLife,
                "seal.impossible-step",
                format!("印章当前状态为“{}”，不能{}", status.zh(), event.kind.zh()),
                format!("the seal is {}, so it cannot be {}", status.en(), event.kind.as_str()),
            ));
        }
        self.0.push(event);
        Ok(())
    }

    /// Rule 2: windows are half open. The instant of abolition is already outside.
    pub fn status_at(&self, at: OffsetDateTime) -> SealStatus {
        self.fold(|event| event.at <= at)
    }

    /// The event that put the seal in the state it has at this instant.
    pub fn last_event_at(&self, at: OffsetDateTime) -> Option<&SealEvent> {
        self.0.iter().rev().find(|event| event.at <= at)
    }

    /// The events, in order.
    pub fn events(&self) -> &[SealEvent] {
        &self.0
    }

    /// Earliest and, where it ended, last instant (exclusive) at which the seal can ever have counted.
    pub fn window(&self) -> Option<(OffsetDateTime, Option<OffsetDateTime>)> {
        let from = self.0.first()?.at;
        let until = self.0.last().filter(|e| e.kind == SealEventKind::Abolished).map(|e| e.at);
        Some((from, until))
    }

    fn last_status(&self) -> SealStatus {
        self.fold(|_| true)
    }

    fn fold(&self, counts: impl Fn(&SealEvent) -> bool) -> SealStatus {
        self.0
            .iter()
            .take_while(|event| counts(event))
            .fold(SealStatus::NotYetActivated, |status, event| status.after(event.kind).unwrap_or(status))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    fn event(kind: SealEventKind, t: i64) -> SealEvent {
        SealEvent {
            kind, at: at(t), document: "〔1〕号".into(), reason: "划转".into(), successor: None, items: vec![]
        }
    }

    fn seal(life: Life) -> Seal {
        Seal {
            number: SealNumber::parse("51322100000001").unwrap(),
            owner: Uscc::parse("11330105002500287C").unwrap(),
            owner_name: "某局".into(),
            legend: "某局行政审批专用章".into(),
            kind: SealKind::Approval,
            life,
        }
    }

    proptest! {
        /// Rule 2 over all dates: in force exactly inside [activation, abolition) and outside [suspension, resumption).
        #[test]
        fn in_force_exactly_inside_its_windows(start in 0i64..1000, a in 0i64..1000, b in 0i64..1000, c in 0i64..1000, t in -100i64..5000) {
            let (activated, suspended, resumed, abolished) = (start, start + a, start + a + b, start + a + b + c);
            let life = Life::replay([
                event(SealEventKind::Activated, activated), event(SealEventKind::Suspended, suspended),
                event(SealEventKind::Resumed, resumed), event(SealEventKind::Abolished, abolished),
            ]).unwrap();
            let expected = (activated <= t && t < suspended) || (resumed <= t && t < abolished);
            prop_assert_eq!(life.status_at(at(t)) == SealStatus::InForce, expected);
            prop_assert_eq!(seal(life).check_in_force(at(t)).is_ok(), expected);
        }

        /// Whatever is tried, a life never leaves the legal steps, and what it said of the past it says for ever.
        #[test]
        fn the_past_is_never_rewritten(steps in proptest::collection::vec((0usize..5, 0i64..100), 0..20), probe in 0i64..100) {
            const KINDS: [SealEventKind; 5] = [SealEventKind::Activated, SealEventKind::Suspended, SealEventKind::Resumed, SealEventKind::Abolished, SealEventKind::Reinstated];
            let mut life = Life::default();
            for (kind, t) in steps {
                let before = life.clone();
                let last = before.events().last().map_or(i64::MIN, |e| e.at.unix_timestamp());
                if life.add(event(KINDS[kind], t)).is_ok() {
                    prop_assert!(t >= last);
                    if probe < t { prop_assert_eq!(life.status_at(at(probe)), before.status_at(at(probe))); }
                } else {
                    prop_assert_eq!(&life, &before);
                }
            }
        }
    }

    #[test]
    fn reversal_is_a_new_entry() {
        let mut life = Life::replay([event(SealEventKind::Activated, 0), event(SealEventKind::Abolished, 10)]).unwrap();
        assert_eq!(life.add(event(SealEventKind::Abolished, 20)).unwrap_err().message.id, "seal.impossible-step");
        life.add(event(SealEventKind::Reinstated, 20)).unwrap();
        assert_eq!(
            [9, 10, 19, 20].map(|t| life.status_at(at(t))),
            [SealStatus::InForce, SealStatus::Abolished, SealStatus::Abolished, SealStatus::InForce]
        );
        assert_eq!(life.events().len(), 3);
    }
}
