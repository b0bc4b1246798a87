//! A decision (决定) with its case and hands, and the leave to seal that only the rules can give.

use time::OffsetDateTime;

use crate::authority::Uscc;
use crate::item::{Item, ItemCode};
use crate::licence::Licence;
use crate::licence::annotation::Annotation;
use crate::officer::{self, Duty, Grant, Officer, OfficerId};
use crate::refusal::{Refusal, Rule};
use crate::seal::{Seal, SealKind, SealNumber};

/// Longest text taken for a case's, decision's or holder's field, characters; the longest legal names of companies
/// registered in China are below 100.
const TEXT: usize = 200;

/// Who receives the licence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    pub name: String,
    /// The code itself: USCC, citizen number, …
    pub code: String,
    /// GB/T 36903 appendix A: `001` USCC, `111` citizen identity number, …
    pub code_type: String,
}

/// The hands through which a case passed (受理、审核、决定、制证).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hands {
    pub intake: OfficerId,
    pub review: OfficerId,
    pub decide: OfficerId,
    pub produce: OfficerId,
}

/// A decision as a clerk or another system wrote it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// Number of the case (办件编号).
    pub case: String,
    /// Number of the decision document, e.g. 汶审批许准〔2021〕1号.
    pub number: String,
    pub item: ItemCode,
    pub holder: Holder,
    #[serde(with = "time::serde::rfc3339")]
    pub accepted_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub decided_at: OffsetDateTime,
    pub hands: Hands,
}

/// A complete decision: nothing is missing, the dates are in order and the hands are different people with the duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    request: DecisionRequest,
    /// The authority to which all its hands belong.
    authority: Uscc,
}

impl Decision {
    /// Reads a decision (ISSUE, step 1). `officer` looks a hand up among the bureau's people.
    pub fn read<'a>(
        request: DecisionRequest,
        officer: impl Fn(&OfficerId) -> Option<&'a Officer>,
    ) -> Result<Self, Refusal> {
        let Holder { name, code, code_type } = &request.holder;
        for (field, text) in [
            ("办件编号 case", &request.case),
            ("决定书文号 number", &request.number),
            ("持证主体 holder.name", name),
            ("持证主体代码 holder.code", code),
        ] {
            if text.trim().is_empty() || text.chars().count() > TEXT || text.chars().any(char::is_control) {
                return Err(incomplete(field));
            }
        }
        if code_type.len() != 3 || !code_type.bytes().all(|b| b.is_ascii_digit()) {
            return Err(incomplete("持证主体代码类型 holder.code_type（GB/T 36903）"));
        }
        if request.decided_at < request.accepted_at {
            return Err(Refusal::new(
                Rule::ThreeFacts,
                "decision.before-acceptance",
                "决定时间早于受理时间，请核对两个日期",
                "the decision is dated before the acceptance; check both dates",
            ));
        }
        let hands = &request.hands;
        let mut authority: Option<&Uscc> = None;
        // Each hand was in post when it did its part; who left later has not undone it.
        let (accepted, decided) = (request.accepted_at, request.decided_at);
        for (id, duty, at) in [
            (&hands.intake, Duty::Intake, accepted),
            (&hands.review, Duty::Review, decided),
            (&hands.decide, Duty::Decide, decided),
            (&hands.produce, Duty::Produce, decided),
        ] {
            let Some(person) = officer(id) else {
                return Err(Refusal::new(
                    Rule::Hands,
                    "decision.unknown-officer",
                    format!("没有编号为“{id}”的人员（{}）", duty.zh()),
                    format!("there is no officer '{id}' ({})", duty.as_str()),
                ));
            };
            person.check_on_duty(duty, at)?;
            if *authority.get_or_insert(&person.authority) != &person.authority {
                return Err(Refusal::new(
                    Rule::Hands,
                    "decision.hands-of-two-authorities",
                    "同一办件的受理、审核、决定、制证人员应属同一单位",
                    "all hands of one case belong to one authority",
                ));
            }
        }
        if hands.intake == hands.review || hands.review == hands.produce || hands.intake == hands.produce {
            return Err(Refusal::new(
                Rule::Hands,
                "decision.one-hand-twice",
                "受理、审核、制证须由三人分别办理（三分离）",
                "intake, review and certificate production of one case are three different people",
            ));
        }
        let authority = authority.cloned().ok_or_else(|| incomplete("hands"))?;
        Ok(Self { request, authority })
    }

    /// What was read.
    pub fn get(&self) -> &DecisionRequest {
        &self.request
    }
}

fn incomplete(field: &str) -> Refusal {
    Refusal::new(
        Rule::NoItemNoLicence,
        "decision.incomplete",
        format!("决定不完整：{field} 缺失、过长（{TEXT}字以内）或含控制字符"),
        format!(
            "the decision is not complete: {field} is missing, longer than {TEXT} characters or has control characters"
        ),
    )
}

/// What a seal is asked to be put on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A licence or approval document on a decision.
    Decision(Box<Decision>),
    /// A notice under an order of government, by its number.
    Notice { order: String },
    /// A report of what our own verification found about a document, by the SHA-256 of its bytes, hexadecimal.
    Report { document: String },
    /// An annotated copy of a licence, which rests on the licence's own decision, by its number.
    Copy { annotation: Box<Annotation>, decision: String },
}

/// Leave to use one seal once, given by the rules (ISSUE, step 2). Not `Clone`: writing the order down eats it.
#[derive(Debug)]
pub struct Allowed {
    seal: SealNumber,
    officer: OfficerId,
    grant: String,
    purpose: Purpose,
    at: OffsetDateTime,
}

impl Allowed {
    /// Leave to seal what was decided: rules 1, 2, 5 and 6, each against `now` and the case's own dates.
    pub fn on_decision(
        decision: Decision,
        item: &Item,
        seal: &Seal,
        officer: &Officer,
        grant: &Grant,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let request = decision.get();
        if item.code != request.item {
            return Err(crate::item::not_on_the_list(request.item.as_str()));
        }
        if request.decided_at > now {
            return Err(Refusal::new(
                Rule::ThreeFacts,
                "decision.in-the-future",
                "决定时间晚于当前时间；未作出的决定不能用印",
                "the decision is dated in the future; nothing is sealed before it is decided",
            ));
        }
        item.check_competence(&seal.owner, request.accepted_at)?;
        let hands = &request.hands;
        if officer.id == hands.intake || officer.id == hands.review {
            return Err(Refusal::new(
                Rule::Hands,
                "decision.sealed-by-other-hand",
                "受理人、审核人不得为同一办件用印",
                "whoever took the case in or reviewed it does not also use the seal on it",
            ));
        }
        if decision.authority != seal.owner {
            return Err(Refusal::new(
                Rule::Hands,
                "decision.other-authority",
                format!("办件人员不属于印章“{}”的所有单位", seal.legend),
                format!("the hands of this case do not belong to the authority that owns the seal {}", seal.number),
            ));
        }
        if seal.kind != SealKind::Approval {
            return Err(Refusal::new(
                Rule::SealLife,
                "seal.wrong-kind",
                format!("印章“{}”不是行政审批专用章，不能用于审批决定", seal.legend),
                format!("the seal {} is not an approval seal and cannot carry a decision", seal.legend),
            ));
        }
        let code = request.item.clone();
        Self::under_grant(Purpose::Decision(Box::new(decision)), Some(&code), seal, officer, grant, now)
    }

    /// Leave to seal a notice under an order: two administrators, and a grant that is not limited to items.
    pub fn on_notice(
        order: String,
        seal: &Seal,
        officer: &Officer,
        second: &Officer,
        grant: &Grant,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        officer::check_two_administrators(officer, second, now)?;
        Self::under_grant(Purpose::Notice { order }, None, seal, officer, grant, now)
    }

    /// Leave to seal a report of verification. No decision and no second hand stands behind it, so it never carries an
    /// approval seal, whose impression means that something was decided; the officer answers for what the service finds.
    pub fn on_report(
        document: String,
        seal: &Seal,
        officer: &Officer,
        grant: &Grant,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        if seal.kind == SealKind::Approval {
            return Err(Refusal::new(
                Rule::SealLife,
                "seal.not-for-reports",
                format!("印章“{}”是行政审批专用章，只用于审批决定，不能用于核验报告", seal.legend),
                format!("the seal {} is an approval seal: it carries decisions and no reports", seal.legend),
            ));
        }
        Self::under_grant(Purpose::Report { document }, None, seal, officer, grant, now)
    }

    /// Leave to seal an annotated copy: of a licence in force, by whoever is competent for its item as the copy is asked for.
    pub fn on_copy(
        (annotation, decision): (Annotation, &DecisionRequest),
        licence: &Licence,
        item: &Item,
        seal: &Seal,
        officer: &Officer,
        grant: &Grant,
    ) -> Result<Self, Refusal> {
        let now = annotation.made_at;
        annotation.check(licence)?;
        if item.code != decision.item {
            return Err(crate::item::not_on_the_list(decision.item.as_str()));
        }
        item.check_competence(&seal.owner, now)?;
        if seal.kind != SealKind::Approval {
            return Err(Refusal::new(
                Rule::SealLife,
                "seal.wrong-kind",
                format!("印章“{}”不是行政审批专用章，不能用于证照加注件", seal.legend),
                format!("the seal {} is not an approval seal and cannot carry a copy of a licence", seal.legend),
            ));
        }
        let purpose = Purpose::Copy { annotation: Box::new(annotation), decision: decision.number.clone() };
        Self::under_grant(purpose, Some(&item.code), seal, officer, grant, now)
    }

    fn under_grant(
        purpose: Purpose,
        item: Option<&ItemCode>,
        seal: &Seal,
        officer: &Officer,
        grant: &Grant,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        seal.check_in_force(now)?;
        if officer.authority != seal.owner {
            return Err(Refusal::new(
                Rule::Hands,
                "officer.other-authority",
                format!("{}（{}）不属于印章“{}”的所有单位", officer.name, officer.id, seal.legend),
                format!("{} does not belong to the authority that owns the seal {}", officer.id, seal.number),
            ));
        }
        grant.check(officer, &seal.number, item, now)?;
        Ok(Self { seal: seal.number.clone(), officer: officer.id.clone(), grant: grant.id.clone(), purpose, at: now })
    }

    /// The seal that may be used.
    pub fn seal(&self) -> &SealNumber {
        &self.seal
    }

    /// The officer who uses it.
    pub fn officer(&self) -> &OfficerId {
        &self.officer
    }

    /// Identifier of the grant it is used under.
    pub fn grant(&self) -> &str {
        &self.grant
    }

    /// What it is used on.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// The instant at which the rules were asked.
    pub fn at(&self) -> OffsetDateTime {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::Uscc;
    use crate::item::Transfer;
    use crate::officer::{Employment, GrantedItems};
    use crate::seal::SealEventKind::{Abolished, Activated};
    use crate::seal::sample::{self, at, life};
    use proptest::prelude::*;

    const BUREAU: &str = "11430000006122244L";
    const DEPARTMENT: &str = "11330105002500287C";

    fn officer(id: &str, authority: &str, duties: &[Duty]) -> Officer {
        Officer {
            id: OfficerId::parse(id).unwrap(),
            name: id.into(),
            authority: Uscc::parse(authority).unwrap(),
            employment: Employment::Regular,
            duties: duties.iter().copied().collect(),
            left: None,
        }
    }

    fn people(authority: &str) -> Vec<Officer> {
        let all = [Duty::Intake, Duty::Review, Duty::Decide, Duty::Produce];
        ["a", "b", "c", "d"].iter().map(|id| officer(id, authority, &all)).collect()
    }

    fn request(hands: [&str; 4], accepted: i64, decided: i64) -> DecisionRequest {
        let [intake, review, decide, produce] = hands.map(|h| OfficerId::parse(h).unwrap());
        DecisionRequest {
            case: "1".into(),
            number: "许准1号".into(),
            item: ItemCode::parse("A-1").unwrap(),
            holder: Holder { name: "某店".into(), code: "1".into(), code_type: "001".into() },
            accepted_at: at(accepted),
            decided_at: at(decided),
            hands: Hands { intake, review, decide, produce },
        }
    }

    fn read(request: DecisionRequest) -> Result<Decision, Refusal> {
        read_of(BUREAU, request)
    }

    fn read_of(authority: &str, request: DecisionRequest) -> Result<Decision, Refusal> {
        let people = people(authority);
        Decision::read(request, |id| people.iter().find(|p| p.id == *id))
    }

    #[test]
    fn three_hands_are_three_people() {
        assert!(read(request(["a", "b", "c", "d"], 0, 1)).is_ok());
        assert!(read(request(["a", "b", "b", "d"], 0, 1)).is_ok(), "the reviewer may decide");
        for hands in [["a", "a", "c", "d"], ["a", "b", "c", "a"], ["a", "b", "c", "b"]] {
            assert_eq!(read(request(hands, 0, 1)).unwrap_err().message.id, "decision.one-hand-twice");
        }
        assert_eq!(read(request(["a", "b", "c", "x"], 0, 1)).unwrap_err().message.id, "decision.unknown-officer");
        assert_eq!(read(request(["a", "b", "c", "d"], 2, 1)).unwrap_err().message.id, "decision.before-acceptance");
        // Who left after their part has not undone it; who had left before never did it.
        let people = people(BUREAU);
        let left = |who: &str, t| -> Vec<Officer> {
            let gone =
                |p: &Officer| if p.id.as_str() == who { Officer { left: Some(at(t)), ..p.clone() } } else { p.clone() };
            people.iter().map(gone).collect()
        };
        for (who, t, good) in [("a", 11, true), ("a", 10, false), ("b", 21, true), ("b", 20, false), ("d", 20, false)] {
            let people = left(who, t);
            let read = Decision::read(request(["a", "b", "c", "d"], 10, 20), |id| people.iter().find(|p| p.id == *id));
            assert_eq!(read.is_ok(), good, "{who} {t}");
        }
        let mut empty = request(["a", "b", "c", "d"], 0, 1);
        empty.holder.name = " ".into();
        assert_eq!(read(empty).unwrap_err().message.id, "decision.incomplete");
    }

    #[test]
    fn a_report_carries_no_approval_seal() {
        let seal = |kind| Seal { kind, ..sample::seal(BUREAU, life(&[(Activated, 0)])) };
        let person = officer("desk", BUREAU, &[]);
        let grant = |items| Grant {
            id: "g".into(),
            officer: person.id.clone(),
            seal: seal(SealKind::LegalName).number,
            items,
            from: at(0),
            until: at(100),
            given_by: "局长".into(),
            document: "授1".into(),
            revoked_at: None,
        };
        let ask = |kind, items, now| Allowed::on_report("ab".into(), &seal(kind), &person, &grant(items), at(now));
        assert!(ask(SealKind::LegalName, GrantedItems::All, 1).is_ok());
        assert_eq!(ask(SealKind::Approval, GrantedItems::All, 1).unwrap_err().message.id, "seal.not-for-reports");
        assert!(ask(SealKind::LegalName, GrantedItems::All, 100).is_err(), "the grant has ended");
        assert!(ask(SealKind::LegalName, GrantedItems::Only([].into()), 1).is_err(), "it is limited to items");
    }

    proptest! {
        /// Rule 3 over all dates: leave is given exactly when the item, the seal and the dates agree.
        #[test]
        fn leave_needs_seal_item_and_dates(transfer in 0i64..50, accepted in 0i64..50, work in 0i64..50, wait in 0i64..50, start in 0i64..100, length in 1i64..100, bureau in any::<bool>()) {
            let owner = if bureau { BUREAU } else { DEPARTMENT };
            let now = accepted + work + wait;
            let item = Item {
                code: ItemCode::parse("A-1").unwrap(), name: "事项".into(), department: Uscc::parse(DEPARTMENT).unwrap(), example: true,
                transfers: vec![Transfer { to: Uscc::parse(BUREAU).unwrap(), batch: "一".into(), document: "1".into(), at: at(transfer) }],
            };
            let seal = sample::seal(owner, life(&[(Activated, start), (Abolished, start + length)]));
            let chief = officer("chief", owner, &[Duty::Decide]);
            let grant = Grant {
                id: "g".into(), officer: chief.id.clone(), seal: seal.number.clone(), items: GrantedItems::All, from: at(0), until: at(10_000),
                given_by: "局长".into(), document: "授1".into(), revoked_at: None,
            };
            let decision = read_of(owner, request(["a", "b", "c", "d"], accepted, accepted + work)).unwrap();
            let allowed = Allowed::on_decision(decision, &item, &seal, &chief, &grant, at(now));
            let expected = (bureau == (accepted >= transfer)) && start <= now && now < start + length;
            prop_assert_eq!(allowed.is_ok(), expected);
            let stranger = officer("chief", if bureau { DEPARTMENT } else { BUREAU }, &[Duty::Decide]);
            let decision = read_of(owner, request(["a", "b", "c", "d"], accepted, accepted + work)).unwrap();
            prop_assert!(Allowed::on_decision(decision, &item, &seal, &stranger, &grant, at(now)).is_err());
        }
    }
}
