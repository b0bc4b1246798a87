//! Items (行政许可事项), and their transfer (划转) from department to bureau.

use std::fmt;

use time::OffsetDateTime;

use crate::authority::Uscc;
use crate::refusal::{Refusal, Rule};

/// An item's code on the public list, 1 to 64 characters of digits, Latin letters, `-` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemCode(String);

impl ItemCode {
    /// Reads a code; anything else is not on any list (rule 6).
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let good =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        if good { Ok(Self(text.to_owned())) } else { Err(not_on_the_list(text)) }
    }

    /// The code itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ItemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ItemCode {
    type Error = Refusal;
    fn try_from(text: String) -> Result<Self, Refusal> {
        Self::parse(&text)
    }
}

impl From<ItemCode> for String {
    fn from(code: ItemCode) -> String {
        code.0
    }
}

/// Rule 6: "清单之外无许可".
pub fn not_on_the_list(code: &str) -> Refusal {
    let shown: String = code.chars().take(64).collect();
    Refusal::new(
        Rule::NoItemNoLicence,
        "item.not-on-the-list",
        format!("事项“{shown}”不在行政许可事项清单内，清单之外无许可；请核对事项编码"),
        format!("item '{shown}' is not on the public list, so nothing can be licensed under it; check the item code"),
    )
}

/// A licensing matter on the public list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Item {
    pub code: ItemCode,
    pub name: String,
    /// The department that decided it before any transfer.
    pub department: Uscc,
    /// True where the entry is an illustration and not taken from a published list.
    #[serde(default)]
    pub example: bool,
    /// In order of `at`; normally none or one.
    #[serde(default)]
    pub transfers: Vec<Transfer>,
}

/// An item moves to another authority at an instant, by a numbered decision document.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Transfer {
    pub to: Uscc,
    /// 第一批, 第二批.
    pub batch: String,
    /// The decision document's number, e.g. 汶府办函〔2020〕63号.
    pub document: String,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Item {
    /// Rule 1: whoever holds the item when the application is *accepted* finishes it, whenever the decision falls
    /// ("已受理的申请办件由原审批部门负责办结"). The instant of transfer itself belongs to the new holder.
    pub fn competent(&self, accepted: OffsetDateTime) -> &Uscc {
        self.transfers.iter().filter(|t| t.at <= accepted).max_by_key(|t| t.at).map_or(&self.department, |t| &t.to)
    }

    /// Rule 1 as a yes or no for `authority`, with the reason.
    pub fn check_competence(&self, authority: &Uscc, accepted: OffsetDateTime) -> Result<(), Refusal> {
        let competent = self.competent(accepted);
        if competent == authority {
            return Ok(());
        }
        let held_before =
            self.department == *authority || self.transfers.iter().any(|t| t.to == *authority && t.at <= accepted);
        let moved_later = self.transfers.iter().find(|t| t.to == *authority && t.at > accepted);
        Err(if let Some(transfer) = moved_later {
            Refusal::new(
                Rule::Competence,
                "item.accepted-before-transfer",
                format!(
                    "事项“{}”受理于划转（{}，{}）之前，应由原审批部门（{competent}）以本部门名义、用本部门印章办结",
                    self.name, transfer.document, transfer.batch
                ),
                format!(
                    "'{}' was accepted before its transfer by {} ({}); the department {competent} finishes it in its own name, under its own seal",
                    self.name, transfer.document, transfer.batch
                ),
            )
        } else if held_before {
            Refusal::new(
                Rule::Competence,
                "item.accepted-after-transfer",
                format!("事项“{}”已划转，受理之时由{competent}行使；原部门划转后不得再受理", self.name),
                format!(
                    "'{}' had been transferred when it was accepted: {competent} decides it; the former department accepts nothing after the transfer",
                    self.name
                ),
            )
        } else {
            Refusal::new(
                Rule::Competence,
                "item.other-authority",
                format!("事项“{}”由{competent}行使，{authority}无权办理", self.name),
                format!("'{}' is decided by {competent}; {authority} has no power over it", self.name),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    fn item(transfer: i64) -> (Item, Uscc, Uscc) {
        let department = Uscc::parse("11330105002500287C").unwrap();
        let bureau = Uscc::parse("11430000006122244L").unwrap();
        let item = Item {
            code: ItemCode::parse("A-1").unwrap(),
            name: "事项".into(),
            department: department.clone(),
            example: true,
            transfers: vec![Transfer {
                to: bureau.clone(),
                batch: "第一批".into(),
                document: "〔1〕号".into(),
                at: at(transfer),
            }],
        };
        (item, department, bureau)
    }

    proptest! {
        /// Rule 1 over all dates: exactly one of the two is competent, and it is the one that held the item at acceptance.
        #[test]
        fn exactly_one_authority_is_competent(transfer in -2_000_000_000i64..4_000_000_000, accepted in -2_000_000_000i64..4_000_000_000) {
            let (item, department, bureau) = item(transfer);
            let by_department = item.check_competence(&department, at(accepted)).is_ok();
            let by_bureau = item.check_competence(&bureau, at(accepted)).is_ok();
            prop_assert!(by_department != by_bureau);
            prop_assert_eq!(by_bureau, accepted >= transfer);
        }

        /// A later transfer never changes who was competent before it.
        #[test]
        fn later_transfers_leave_the_past_alone(first in 0i64..1_000_000, gap in 1i64..1_000_000, accepted in -1_000_000i64..3_000_000) {
            let (mut item, department, bureau) = item(first);
            let before = item.competent(at(accepted)).clone();
            item.transfers.push(Transfer { to: department, batch: "收回".into(), document: "〔2〕号".into(), at: at(first + gap) });
            let after = item.competent(at(accepted)).clone();
            prop_assert_eq!(before == after, accepted < first + gap || before != bureau);
        }
    }

    #[test]
    fn the_reason_says_on_which_side_of_the_transfer_it_fell() {
        let (item, department, bureau) = item(1000);
        let id = |r: Result<(), Refusal>| r.unwrap_err().message.id;
        assert_eq!(id(item.check_competence(&bureau, at(999))), "item.accepted-before-transfer");
        assert_eq!(id(item.check_competence(&department, at(1000))), "item.accepted-after-transfer");
        let stranger = Uscc::parse("11100000000013338W").unwrap();
        assert_eq!(id(item.check_competence(&stranger, at(0))), "item.other-authority");
    }
}
