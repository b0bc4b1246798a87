//! The register's answer (rule 3): this seal, this item, accepted then, sealed then: good?

pub mod snapshot;

use time::OffsetDateTime;

use crate::authority::Uscc;
use crate::item::Item;
use crate::message::Message;
use crate::refusal::{Refusal, Rule};
use crate::seal::{Seal, SealStatus};

/// A question about one seal.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub seal: &'a Seal,
    /// When the document was sealed, or the instant asked about.
    pub at: OffsetDateTime,
    pub item: Option<&'a Item>,
    pub accepted: Option<OffsetDateTime>,
}

/// Good, not good, or not enough facts to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Good,
    NotGood,
    NotEnough,
}

/// The register's answer with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Answer {
    pub verdict: Verdict,
    pub seal_status: SealStatus,
    /// Who was competent for the item when it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub competent: Option<Uscc>,
    /// Every rule that says no.
    pub refusals: Vec<Refusal>,
    /// The answer as one sentence.
    pub sentence: Message,
}

/// Answers a question. The same two rules that give leave to seal judge it afterwards.
pub fn answer(question: Question<'_>) -> Answer {
    let Question { seal, at, item, accepted } = question;
    let mut refusals: Vec<Refusal> = seal.check_in_force(at).err().into_iter().collect();
    let mut competent = None;
    let mut enough = true;
    match (item, accepted) {
        (Some(item), Some(accepted)) => {
            competent = Some(item.competent(accepted).clone());
            refusals.extend(item.check_competence(&seal.owner, accepted).err());
            if accepted > at {
                refusals.push(Refusal::new(
                    Rule::ThreeFacts,
                    "register.accepted-after-sealing",
                    "受理时间晚于用印时间",
                    "the application would have been accepted after the document was sealed",
                ));
            }
        }
        (None, None) => {}
        _ => enough = false,
    }
    let (verdict, sentence) = match refusals.first() {
        Some(refusal) => (Verdict::NotGood, refusal.message.clone()),
        None if !enough => (
            Verdict::NotEnough,
            Message::new(
                "register.not-enough",
                "请同时提供事项编码和受理时间，才能判断由谁办理",
                "give both the item and the date of acceptance; without them it cannot be said who was competent",
            ),
        ),
        None => (
            Verdict::Good,
            match seal.life.window() {
                Some((_, Some(until))) if until > at => Message::new(
                    "register.good-before-abolition",
                    "用印时该印章有效；其后废止不影响此前已用印文书的效力",
                    "the seal was in force then; its later abolition does not touch what it sealed before",
                ),
                _ => Message::new(
                    "register.good",
                    "用印时该印章有效，且用于其有权办理的事项",
                    "the seal was in force then, and within its powers",
                ),
            },
        ),
    };
    Answer { verdict, seal_status: seal.life.status_at(at), competent, refusals, sentence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{ItemCode, Transfer};
    use crate::seal::SealEventKind::{Abolished, Activated};
    use crate::seal::sample::{at, life, seal};

    const BUREAU: &str = "11430000006122244L";
    const DEPARTMENT: &str = "11330105002500287C";
    const TRANSFER: i64 = 100;
    const ABOLITION: i64 = 200;

    /// The corner cases of rules 1 and 2, with a trial period in which both seals count.
    #[test]
    fn corner_cases() {
        let item = Item {
            code: ItemCode::parse("A-1").unwrap(),
            name: "事项".into(),
            department: Uscc::parse(DEPARTMENT).unwrap(),
            example: true,
            transfers: vec![Transfer {
                to: Uscc::parse(BUREAU).unwrap(),
                batch: "第一批".into(),
                document: "〔2020〕63号".into(),
                at: at(TRANSFER),
            }],
        };
        let old = seal(DEPARTMENT, life(&[(Activated, 0), (Abolished, ABOLITION)]));
        let new = seal(BUREAU, life(&[(Activated, TRANSFER)]));
        for (name, seal, accepted, sealed, expected) in [
            ("run-off: accepted before the transfer, sealed in the trial period by the old seal", &old, 99, 150, None),
            ("the last instant of run-off", &old, 99, ABOLITION - 1, None),
            ("run-off ends with the abolition", &old, 99, ABOLITION, Some("seal.abolished")),
            (
                "the old seal on what was accepted after the transfer",
                &old,
                100,
                150,
                Some("item.accepted-after-transfer"),
            ),
            ("the new seal on what was accepted after the transfer", &new, 100, 150, None),
            ("the new seal on what the department had accepted", &new, 99, 150, Some("item.accepted-before-transfer")),
            ("before activation", &new, 99, 99, Some("seal.not-yet-activated")),
        ] {
            let answer = answer(Question { seal, at: at(sealed), item: Some(&item), accepted: Some(at(accepted)) });
            assert_eq!(answer.refusals.first().map(|r| r.message.id), expected, "{name}");
            assert_eq!(answer.verdict == Verdict::Good, expected.is_none(), "{name}");
        }
        assert_eq!(
            answer(Question { seal: &old, at: at(10), item: Some(&item), accepted: None }).verdict,
            Verdict::NotEnough
        );
        assert_eq!(
            answer(Question { seal: &old, at: at(10), item: None, accepted: None }).sentence.id,
            "register.good-before-abolition"
        );
    }
}
