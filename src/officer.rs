//! Officers, their duties, and the grant under which one of them uses a seal.

use std::collections::BTreeSet;
use std::fmt;

use time::OffsetDateTime;

use crate::authority::Uscc;
use crate::item::ItemCode;
use crate::refusal::{Refusal, Rule};
use crate::seal::SealNumber;

/// An officer's identifier in the service, 1 to 64 characters of lower-case letters, digits, `-`, `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OfficerId(String);

impl OfficerId {
    /// Reads an identifier.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let good = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
        if good {
            return Ok(Self(text.to_owned()));
        }
        let shown: String = text.chars().take(64).collect();
        Err(Refusal::new(
            Rule::Hands,
            "officer.identifier",
            format!("“{shown}”不是人员编号：应为1至64位小写字母、数字、“-”或“.”"),
            format!("'{shown}' is not an officer's identifier: 1 to 64 lower-case letters, digits, '-' or '.'"),
        ))
    }

    /// The identifier itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OfficerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for OfficerId {
    type Error = Refusal;
    fn try_from(text: String) -> Result<Self, Refusal> {
        Self::parse(&text)
    }
}

impl From<OfficerId> for String {
    fn from(id: OfficerId) -> String {
        id.0
    }
}

/// Regular staff decide and seal; contracted staff (购买服务人员) help but never decide or seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Employment {
    Regular,
    Contracted,
}

/// What an officer may be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// 受理.
    Intake,
    /// 审核.
    Review,
    /// 决定.
    Decide,
    /// 制证.
    Produce,
    /// 印章管理: activate, suspend, abolish, custody, grants. Always two people.
    SealAdministration,
    /// 电子监察: reads everything, changes nothing.
    Supervise,
}

impl Duty {
    /// Chinese, for pages and refusals.
    pub fn zh(self) -> &'static str {
        match self {
            Duty::Intake => "受理",
            Duty::Review => "审核",
            Duty::Decide => "决定",
            Duty::Produce => "制证",
            Duty::SealAdministration => "印章管理",
            Duty::Supervise => "电子监察",
        }
    }

    /// As stored and as written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Duty::Intake => "intake",
            Duty::Review => "review",
            Duty::Decide => "decide",
            Duty::Produce => "produce",
            Duty::SealAdministration => "seal-administration",
            Duty::Supervise => "supervise",
        }
    }
}

/// A person who works on cases.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Officer {
    pub id: OfficerId,
    pub name: String,
    pub authority: Uscc,
    pub employment: Employment,
    pub duties: BTreeSet<Duty>,
    /// Left the post: may do nothing any more.
    #[serde(default)]
    pub left: bool,
}

impl Officer {
    /// Rule 5: in post, has the duty, and contracted staff never decide or administer seals.
    pub fn check_duty(&self, duty: Duty) -> Result<(), Refusal> {
        let may = !self.left
            && self.duties.contains(&duty)
            && !(self.employment == Employment::Contracted && matches!(duty, Duty::Decide | Duty::SealAdministration));
        if may {
            return Ok(());
        }
        let why = if self.left {
            ("已离岗", "has left the post")
        } else if self.employment == Employment::Contracted {
            ("为聘用人员，只能协助，不得决定或用印", "is contracted staff, who help but never decide or seal")
        } else {
            ("无此职责", "does not have this duty")
        };
        Err(Refusal::new(
            Rule::Hands,
            "officer.duty",
            format!("{}（{}）{}：{}", self.name, self.id, why.0, duty.zh()),
            format!("{} {}: {}", self.id, why.1, duty.as_str()),
        ))
    }
}

/// Which items a grant names.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantedItems {
    /// Every item of the seal's authority.
    All,
    Only(BTreeSet<ItemCode>),
}

/// A written authorisation (授权书): the head of the unit lets an officer use a seal for items in a period.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Grant {
    pub id: String,
    pub officer: OfficerId,
    pub seal: SealNumber,
    pub items: GrantedItems,
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// The head of the unit who signed it.
    pub given_by: String,
    /// The authorisation's own number.
    pub document: String,
    /// Taken back from this instant on.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<OffsetDateTime>,
}

impl Grant {
    /// Rule 5: this officer, this seal, this item (none for a notice, which needs a grant for all), now.
    pub fn check(
        &self,
        officer: &Officer,
        seal: &SealNumber,
        item: Option<&ItemCode>,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let refuse = |id, zh: &str, en: &str| {
            Err(Refusal::new(
                Rule::Hands,
                id,
                format!("授权书{}{zh}", self.document),
                format!("the grant {} {en}", self.document),
            ))
        };
        if officer.left || officer.employment != Employment::Regular {
            return Err(Refusal::new(
                Rule::Hands,
                "grant.not-regular",
                format!("{}（{}）不是在岗的正式人员，不得用印", officer.name, officer.id),
                format!("{} is not regular staff in post and may not use a seal", officer.id),
            ));
        }
        if self.officer != officer.id || self.seal != *seal {
            return refuse("grant.other", "不是授予此人使用此印章的", "is not for this officer and this seal");
        }
        if let (GrantedItems::Only(items), Some(item)) = (&self.items, item)
            && !items.contains(item)
        {
            return refuse("grant.item", "未包含该事项", "does not name this item");
        }
        if matches!(self.items, GrantedItems::Only(_)) && item.is_none() {
            return refuse(
                "grant.item",
                "只限列明的事项，不能用于公告",
                "is limited to named items and does not cover notices",
            );
        }
        if self.revoked_at.is_some_and(|at| at <= now) {
            return refuse("grant.revoked", "已被收回", "has been taken back");
        }
        if now < self.from || now >= self.until {
            return refuse("grant.period", "不在授权期限内", "does not cover this time");
        }
        Ok(())
    }
}

/// Rule 5: administration of seals takes two people, each with the duty.
pub fn check_two_administrators(first: &Officer, second: &Officer) -> Result<(), Refusal> {
    first.check_duty(Duty::SealAdministration)?;
    second.check_duty(Duty::SealAdministration)?;
    if first.id == second.id {
        return Err(Refusal::new(
            Rule::Hands,
            "officer.two-administrators",
            "印章管理须由两人共同办理，请由另一名印章管理员复核",
            "administration of seals takes two people; have another seal administrator confirm",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    fn officer(employment: Employment) -> Officer {
        Officer {
            id: OfficerId::parse("chief").unwrap(),
            name: "首席代表".into(),
            authority: Uscc::parse("11330105002500287C").unwrap(),
            employment,
            duties: [Duty::Decide, Duty::SealAdministration, Duty::Intake].into(),
            left: false,
        }
    }

    fn grant(from: i64, until: i64, revoked: Option<i64>) -> Grant {
        Grant {
            id: "g1".into(),
            officer: OfficerId::parse("chief").unwrap(),
            seal: SealNumber::parse("51322100000001").unwrap(),
            items: GrantedItems::Only([ItemCode::parse("A-1").unwrap()].into()),
            from: at(from),
            until: at(until),
            given_by: "局长".into(),
            document: "授〔2021〕1号".into(),
            revoked_at: revoked.map(at),
        }
    }

    proptest! {
        #[test]
        fn a_grant_covers_exactly_its_period(from in 0i64..100, length in 0i64..100, revoked in proptest::option::of(0i64..200), now in 0i64..200) {
            let (grant, officer) = (grant(from, from + length, revoked), officer(Employment::Regular));
            let item = ItemCode::parse("A-1").unwrap();
            let expected = from <= now && now < from + length && revoked.is_none_or(|r| now < r);
            prop_assert_eq!(grant.check(&officer, &grant.seal, Some(&item), at(now)).is_ok(), expected);
        }
    }

    #[test]
    fn contracted_staff_never_decide_or_seal() {
        let contracted = officer(Employment::Contracted);
        assert!(contracted.check_duty(Duty::Intake).is_ok());
        assert!(contracted.check_duty(Duty::Decide).is_err());
        let grant = grant(0, 100, None);
        let item = ItemCode::parse("A-1").unwrap();
        assert_eq!(
            grant.check(&contracted, &grant.seal, Some(&item), at(1)).unwrap_err().message.id,
            "grant.not-regular"
        );
        let other = ItemCode::parse("A-2").unwrap();
        let regular = officer(Employment::Regular);
        assert_eq!(grant.check(&regular, &grant.seal, Some(&other), at(1)).unwrap_err().message.id, "grant.item");
        assert_eq!(grant.check(&regular, &grant.seal, None, at(1)).unwrap_err().message.id, "grant.item");
        assert!(check_two_administrators(&regular, &regular).is_err());
    }
}
