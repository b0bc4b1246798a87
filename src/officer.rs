//! Officers, their duties, and the grant under which one of them uses a seal.

use std::collections::BTreeSet;
use std::fmt;

use time::OffsetDateTime;

use crate::authority::{AuthorityKind, Uscc};
use crate::item::ItemCode;
use crate::refusal::{Refusal, Rule};
use crate::seal::{Seal, SealNumber};

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
    /// Left the post at this instant: may do nothing from then on.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub left: Option<OffsetDateTime>,
}

impl Officer {
    /// Rule 5: in post at that time. The instant of leaving is already outside.
    pub fn check_in_post(&self, at: OffsetDateTime) -> Result<(), Refusal> {
        if self.left.is_none_or(|left| at < left) {
            return Ok(());
        }
        Err(Refusal::new(
            Rule::Hands,
            "officer.left",
            format!("{}（{}）已离岗，不再办理任何事项", self.name, self.id),
            format!("{} has left the post and does nothing any more", self.id),
        ))
    }

    /// Rule 5: has the duty, and contracted staff never decide or administer seals. It says nothing of time: whoever
    /// comes through a door was in post when it opened; where there was no door, [`Officer::check_on_duty`].
    pub fn check_duty(&self, duty: Duty) -> Result<(), Refusal> {
        let contracted =
            self.employment == Employment::Contracted && matches!(duty, Duty::Decide | Duty::SealAdministration);
        if self.duties.contains(&duty) && !contracted {
            return Ok(());
        }
        let why = if contracted {
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

    /// Both: in post at that time, and with the duty.
    pub fn check_on_duty(&self, duty: Duty, at: OffsetDateTime) -> Result<(), Refusal> {
        self.check_in_post(at)?;
        self.check_duty(duty)
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
        officer.check_in_post(now)?;
        if officer.employment != Employment::Regular {
            return Err(Refusal::new(
                Rule::Hands,
                "grant.not-regular",
                format!("{}（{}）不是正式人员，不得用印", officer.name, officer.id),
                format!("{} is not regular staff and may not use a seal", officer.id),
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

/// Rule 5: administration of seals takes two people, each in post and with the duty.
pub fn check_two_administrators(first: &Officer, second: &Officer, at: OffsetDateTime) -> Result<(), Refusal> {
    first.check_on_duty(Duty::SealAdministration, at)?;
    second.check_on_duty(Duty::SealAdministration, at)?;
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

/// What administrators do with a seal, as far as it matters whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Filing it, and making its keys and certificates: seals are made by the government (由上一级人民政府制发), or by the
    /// owner; never by a bureau that is a stranger to it.
    Make,
    /// Activating, suspending and resuming it, how often it is used, and the grants under which it is used: the head of the unit answers for it.
    Use,
    /// Abolition, its reversal and custody: the government does it itself (由县人民政府统一废止并封存), or the owner on the
    /// government's order. To a bureau that takes over the items, another's seal is a stranger's.
    End,
}

/// Rule 5: whose seal it is decides who administers it. `kind` is what the administrator's own authority is.
pub fn check_whose_seal(care: Care, seal: &Seal, administrator: &Officer, kind: AuthorityKind) -> Result<(), Refusal> {
    if administrator.authority == seal.owner || (care != Care::Use && kind == AuthorityKind::Government) {
        return Ok(());
    }
    let (legend, owner, number) = (&seal.legend, &seal.owner_name, &seal.number);
    Err(Refusal::new(
        Rule::Hands,
        "officer.not-your-seal",
        match care {
            Care::Use => format!("{legend}属{owner}，须由该单位的印章管理人员办理"),
            Care::Make | Care::End => format!("{legend}属{owner}，须由人民政府或该单位的印章管理人员办理"),
        },
        match care {
            Care::Use => format!("the seal {number} is another authority's; its own administrators must do this"),
            Care::Make | Care::End => {
                format!(
                    "the seal {number} is another authority's; the government's or its own administrators must do this"
                )
            }
        },
    ))
}

/// Who ends an officer's post: the administrators of the officer's own authority, or the government's. One is enough, as
/// for taking a grant back: it only ever takes away.
pub fn check_whose_officer(officer: &Officer, administrator: &Officer, kind: AuthorityKind) -> Result<(), Refusal> {
    if administrator.authority == officer.authority || kind == AuthorityKind::Government {
        return Ok(());
    }
    Err(Refusal::new(
        Rule::Hands,
        "officer.not-your-officer",
        format!("{}（{}）不是本单位人员，须由其所在单位办理", officer.name, officer.id),
        format!("{} belongs to another authority, whose administrators must do this", officer.id),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::sample::{at, life, seal};
    use proptest::prelude::*;

    const BUREAU: &str = "11430000006122244L";
    const DEPARTMENT: &str = "11330105002500287C";

    fn officer(employment: Employment) -> Officer {
        Officer {
            id: OfficerId::parse("chief").unwrap(),
            name: "首席代表".into(),
            authority: Uscc::parse(DEPARTMENT).unwrap(),
            employment,
            duties: [Duty::Decide, Duty::SealAdministration, Duty::Intake].into(),
            left: None,
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
        /// And ends with its officer's post, whatever it says itself.
        #[test]
        fn a_grant_covers_exactly_its_period(from in 0i64..100, length in 0i64..100, revoked in proptest::option::of(0i64..200), left in proptest::option::of(0i64..200), now in 0i64..200) {
            let grant = grant(from, from + length, revoked);
            let officer = Officer { left: left.map(at), ..officer(Employment::Regular) };
            let item = ItemCode::parse("A-1").unwrap();
            let expected = from <= now && now < from + length && revoked.is_none_or(|r| now < r) && left.is_none_or(|l| now < l);
            prop_assert_eq!(officer.check_on_duty(Duty::Decide, at(now)).is_ok(), left.is_none_or(|l| now < l));
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
        let other = Officer { id: OfficerId::parse("other").unwrap(), ..regular.clone() };
        assert!(check_two_administrators(&regular, &regular, at(1)).is_err());
        assert!(check_two_administrators(&regular, &other, at(1)).is_ok());
        let gone = Officer { left: Some(at(1)), ..other };
        assert_eq!(check_two_administrators(&regular, &gone, at(1)).unwrap_err().message.id, "officer.left");
    }

    #[test]
    fn whose_seal_it_is_decides_who_administers_it() {
        let theirs = seal(DEPARTMENT, life(&[]));
        let of =
            |authority: &str| Officer { authority: Uscc::parse(authority).unwrap(), ..officer(Employment::Regular) };
        for (care, authority, kind, good) in [
            (Care::Use, DEPARTMENT, AuthorityKind::Department, true),
            (Care::Use, BUREAU, AuthorityKind::Bureau, false),
            (Care::Use, BUREAU, AuthorityKind::Government, false),
            (Care::Make, DEPARTMENT, AuthorityKind::Department, true),
            (Care::Make, BUREAU, AuthorityKind::Bureau, false),
            (Care::Make, BUREAU, AuthorityKind::Government, true),
            (Care::End, DEPARTMENT, AuthorityKind::Department, true),
            (Care::End, BUREAU, AuthorityKind::Department, false),
            (Care::End, BUREAU, AuthorityKind::Bureau, false),
            (Care::End, BUREAU, AuthorityKind::Government, true),
        ] {
            assert_eq!(check_whose_seal(care, &theirs, &of(authority), kind).is_ok(), good, "{care:?} {kind:?}");
            let same = authority == DEPARTMENT || kind == AuthorityKind::Government;
            assert_eq!(check_whose_officer(&of(DEPARTMENT), &of(authority), kind).is_ok(), same, "{kind:?}");
        }
    }
}
