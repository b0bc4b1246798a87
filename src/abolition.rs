//! How seals leave use: the order of government that abolishes them, and custody (封存) afterwards.

use std::collections::BTreeSet;

use time::{Date, OffsetDateTime};

use crate::item::ItemCode;
use crate::refusal::{Refusal, Rule};
use crate::seal::{Seal, SealEvent, SealEventKind, SealNumber, SealStatus};

/// Most seals closed by one order. A county abolishes about 15 at once; a province's whole reform fits twice.
const SEALS: usize = 1000;

/// What an order does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbolitionAct {
    /// 废止.
    Abolish,
    /// 撤销废止: reverses an earlier order, by a new entry.
    Reinstate,
}

/// A seal named in an order.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbolishedSeal {
    pub number: SealNumber,
    /// The items that moved from it to the successor.
    #[serde(default)]
    pub items: Vec<ItemCode>,
}

/// An order of government as written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbolitionRequest {
    #[serde(default = "abolish")]
    pub act: AbolitionAct,
    /// The decision document's number, e.g. 汶府办函〔2020〕63号.
    pub number: String,
    /// The government that ordered it.
    pub government: String,
    /// Date of the document, ISO 8601.
    #[serde(with = "iso_date")]
    pub date: Date,
    /// The instant from which it counts.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub reason: String,
    #[serde(default)]
    pub successor: Option<SealNumber>,
    /// May come apart, as a list of its own.
    #[serde(default)]
    pub seals: Vec<AbolishedSeal>,
}

fn abolish() -> AbolitionAct {
    AbolitionAct::Abolish
}

time::serde::format_description!(iso_date, Date, "[year]-[month]-[day]");

/// A complete order.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct AbolitionOrder(AbolitionRequest);

impl AbolitionOrder {
    /// Reads an order: everything is named, no seal twice, and no seal is its own successor (rule 2).
    pub fn read(request: AbolitionRequest) -> Result<Self, Refusal> {
        let refuse = |id, zh: &str, en: &str| Err(Refusal::new(Rule::SealLife, id, zh, en));
        for text in [&request.number, &request.government, &request.reason] {
            if text.trim().is_empty() || text.chars().count() > 500 || text.chars().any(char::is_control) {
                return refuse(
                    "abolition.incomplete",
                    "废止决定应写明文号、机关和理由（500字以内）",
                    "an order names its number, the government and the reason (500 characters at most)",
                );
            }
        }
        if request.seals.is_empty() || request.seals.len() > SEALS {
            return refuse("abolition.seals", "废止决定应列明1至1000枚印章", "an order names 1 to 1000 seals");
        }
        let numbers: BTreeSet<&SealNumber> = request.seals.iter().map(|s| &s.number).collect();
        if numbers.len() != request.seals.len() {
            return refuse("abolition.twice", "同一枚印章在废止决定中出现两次", "the same seal is named twice");
        }
        if request.successor.as_ref().is_some_and(|s| numbers.contains(s)) {
            return refuse(
                "abolition.successor",
                "接替的印章不能同时被废止",
                "the successor cannot be among the abolished seals",
            );
        }
        Ok(Self(request))
    }

    /// What was read.
    pub fn get(&self) -> &AbolitionRequest {
        &self.0
    }

    /// The step it adds to the life of one of its seals.
    pub fn event(&self, seal: &AbolishedSeal) -> SealEvent {
        let kind = match self.0.act {
            AbolitionAct::Abolish => SealEventKind::Abolished,
            AbolitionAct::Reinstate => SealEventKind::Reinstated,
        };
        SealEvent {
            kind,
            at: self.0.at,
            document: self.0.number.clone(),
            reason: self.0.reason.clone(),
            successor: self.0.successor.clone().filter(|_| kind == SealEventKind::Abolished),
            items: seal.items.clone(),
        }
    }
}

/// What happened to a seal after it left use (rule 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CustodyKind {
    /// 封存.
    SealedAway,
    /// 启封.
    Opened,
    /// 销毁.
    Destroyed,
}

impl CustodyKind {
    /// As stored and as written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            CustodyKind::SealedAway => "sealed-away",
            CustodyKind::Opened => "opened",
            CustodyKind::Destroyed => "destroyed",
        }
    }
}

/// A custody entry as written by a clerk.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodyEntry {
    pub kind: CustodyKind,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub handed_over_by: String,
    pub received_by: String,
    /// Where it lies.
    pub place: String,
    pub container: String,
    /// SHA-256 of each photograph, 64 lower-case hexadecimal digits.
    #[serde(default)]
    pub photographs: Vec<String>,
    #[serde(default)]
    pub note: String,
}

impl CustodyEntry {
    /// Rule 4: two different people, after the abolition, and every step from a possible state.
    pub fn check(&self, seal: &Seal, earlier: &[CustodyEntry]) -> Result<(), Refusal> {
        let refuse = |id, zh: &str, en: &str| Err(Refusal::new(Rule::Custody, id, zh, en));
        if self.handed_over_by.trim().is_empty()
            || self.received_by.trim().is_empty()
            || self.handed_over_by.trim() == self.received_by.trim()
        {
            return refuse(
                "custody.two-people",
                "封存、启封、销毁须有两人在场：请填写不同的移交人和接收人",
                "custody takes two people: name a different person on each side",
            );
        }
        if self.container.trim().is_empty() || self.place.trim().is_empty() {
            return refuse(
                "custody.place",
                "请填写存放地点和封存袋（箱）编号",
                "give the place and the container's number",
            );
        }
        if self.photographs.iter().any(|p| p.len() != 64 || !p.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        {
            return refuse(
                "custody.photograph",
                "照片摘要应为64位小写十六进制SHA-256值",
                "a photograph's digest is a SHA-256 value of 64 lower-case hexadecimal digits",
            );
        }
        if seal.life.status_at(self.at) != SealStatus::Abolished {
            return refuse(
                "custody.not-abolished",
                "该印章此时尚未废止，不能封存；请先办理废止",
                "the seal is not abolished at that time, so it cannot be sealed away; abolish it first",
            );
        }
        let last = earlier.last();
        if last.is_some_and(|last| self.at < last.at) {
            return refuse(
                "custody.before-last",
                "封存记录的时间早于上一条记录",
                "this entry is earlier than the one before it",
            );
        }
        match (last.map(|l| l.kind), self.kind) {
            (None | Some(CustodyKind::Opened), CustodyKind::SealedAway)
            | (Some(CustodyKind::SealedAway), CustodyKind::Opened)
            | (Some(_), CustodyKind::Destroyed)
                if last.is_none_or(|l| l.kind != CustodyKind::Destroyed) =>
            {
                Ok(())
            }
            _ => refuse(
                "custody.impossible-step",
                "封存状态不允许此操作（封存→启封→封存，或销毁；销毁后不再变动）",
                "custody goes sealed away → opened → sealed away, or destroyed, and nothing after that",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::SealEventKind::{Abolished, Activated};
    use crate::seal::sample::{at, life, seal};

    const OWNER: &str = "11330105002500287C";

    #[test]
    fn an_order_is_complete() {
        let seals = |numbers: &[&str]| {
            numbers
                .iter()
                .map(|n| AbolishedSeal { number: SealNumber::parse(n).unwrap(), items: vec![] })
                .collect::<Vec<_>>()
        };
        let good = AbolitionRequest {
            act: AbolitionAct::Abolish,
            number: "汶府办函〔2020〕63号".into(),
            government: "汶川县人民政府".into(),
            date: time::macros::date!(2020 - 08 - 26),
            at: at(10),
            reason: "相对集中行政许可权".into(),
            successor: Some(SealNumber::parse("51322100000099").unwrap()),
            seals: seals(&["51322100000001", "51322100000002"]),
        };
        assert!(AbolitionOrder::read(good.clone()).is_ok());
        let id = |request| AbolitionOrder::read(request).unwrap_err().message.id;
        assert_eq!(id(AbolitionRequest { number: " ".into(), ..good.clone() }), "abolition.incomplete");
        assert_eq!(id(AbolitionRequest { seals: vec![], ..good.clone() }), "abolition.seals");
        assert_eq!(
            id(AbolitionRequest { seals: seals(&["51322100000001", "51322100000001"]), ..good.clone() }),
            "abolition.twice"
        );
        assert_eq!(id(AbolitionRequest { seals: seals(&["51322100000099"]), ..good }), "abolition.successor");
    }

    #[test]
    fn custody_takes_two_people_and_an_abolished_seal() {
        let sealed_away = CustodyEntry {
            kind: CustodyKind::SealedAway,
            at: at(20),
            handed_over_by: "甲".into(),
            received_by: "乙".into(),
            place: "县档案馆".into(),
            container: "F-001".into(),
            photographs: vec![],
            note: String::new(),
        };
        let abolished = seal(OWNER, life(&[(Activated, 0), (Abolished, 10)]));
        let living = seal(OWNER, life(&[(Activated, 0)]));
        assert!(sealed_away.check(&abolished, &[]).is_ok());
        assert_eq!(sealed_away.check(&living, &[]).unwrap_err().message.id, "custody.not-abolished");
        let alone = CustodyEntry { received_by: "甲".into(), ..sealed_away.clone() };
        assert_eq!(alone.check(&abolished, &[]).unwrap_err().message.id, "custody.two-people");
        let destroyed = CustodyEntry { kind: CustodyKind::Destroyed, at: at(30), ..sealed_away.clone() };
        assert!(destroyed.check(&abolished, std::slice::from_ref(&sealed_away)).is_ok());
        let opened = CustodyEntry { kind: CustodyKind::Opened, at: at(40), ..sealed_away.clone() };
        assert!(opened.check(&abolished, &[sealed_away, destroyed]).is_err());
        assert!(opened.check(&abolished, &[]).is_err());
    }
}
