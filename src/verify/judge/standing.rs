//! What the register says about a seal's use: is it in the ledger, which time is proven, was the seal in force then, and
//! for that item? And, for information, how the licence stands now.

use time::{Duration, OffsetDateTime};

use super::evidence::{Evidence, Facts, Record, RecordState};
use super::existence::{By, Proven};
use crate::licence::{Licence, LicenceStatus};
use crate::message::Message;
use crate::refusal::{Refusal, Rule};
use crate::register::{self, Question, Verdict};
use crate::seal::{Seal, SealStatus};
use crate::verify::report::{Check, Outcome, SubIndication as Sub, moment};

/// The register has nothing against it: the seal was in force and competent and its use is in the ledger, or the
/// seal is none of ours and the certificates alone speak for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed(());

const RULE_2: &str = "印章效力期间 (rule 2)";
const RULE_3: &str = "划转与办结 (rules 1, 3)";
const LEDGER: &str = "用印台账 (rule 7)";
const TIME: &str = "EN 319 102-1 §5.5 (proof of existence)";

/// All checks against the register, in the order of the story.
pub(super) fn judge(
    facts: &Facts,
    proven: Option<&Proven>,
    claimed: Option<OffsetDateTime>,
    evidence: &Evidence,
) -> (Vec<Check>, Option<Allowed>) {
    let (record, at) = (facts.record(), evidence.at);
    let mut checks = vec![
        order(facts, proven, evidence),
        time(record, proven, claimed, evidence.now.map_or(at, |now| at.min(now))),
        seal_in_force(facts, proven, claimed, at, register_known_until(facts, evidence)),
    ];
    checks.extend(record.and_then(|record| item(facts, record)));
    checks.extend(record.and_then(identifier));
    checks.extend(record.and_then(|record| licence_status(record, at)));
    let spoiled = checks.iter().any(|c| matches!(c.outcome, Outcome::Failed | Outcome::Indeterminate));
    (checks, (!spoiled).then_some(Allowed(())))
}

/// A step that is decided and still to come takes nothing from today, but only who says when today is can tell it apart.
fn register_known_until(facts: &Facts, evidence: &Evidence) -> OffsetDateTime {
    let last = facts.seal().filter(|_| evidence.now.is_none()).and_then(|seal| seal.life.events().last());
    last.map_or(evidence.known_until(), |event| event.at.max(evidence.known_until()))
}

/// The licence's worth at a moment.
pub(super) fn licence_now(record: &Record, at: OffsetDateTime) -> Option<LicenceStatus> {
    let licence = record.licence.as_ref()?;
    (!licence.versions.is_empty()).then(|| Licence::of(licence.versions.clone()).status_at(at))
}

/// Every use of a seal of ours is in the ledger before the key is used; one that is not was made in secret.
fn order(facts: &Facts, proven: Option<&Proven>, evidence: &Evidence) -> Check {
    let check = |outcome, id, zh: &str, en: &str| Check::new("order", LEDGER, outcome, Message::new(id, zh, en));
    match facts {
        Facts::Exported { proof: Some(proof), .. } if outdated(proof.at, proven, evidence) => outdated_register(proof.at, evidence),
        Facts::NotAsked => check(Outcome::Info, "verify.register-not-asked", "未查询印章登记册", "the register was not asked"),
        Facts::Unknown => check(Outcome::Info, "verify.seal-not-ours", "该印章不在本登记册内", "the seal is not in this register"),
        Facts::Unfiled => check(
            Outcome::Indeterminate,
            "verify.certificate-of-no-seal",
            "该证书由登记册所属机构签发，但不是所查登记册中任何印章的证书：签章可能是暗中所为。请取得最新的登记册，或向签发机构核实。",
            "The house of the register made the certificate, but it is filed for no seal there: the document may have been sealed in secret. Get the newest register, or ask the issuer.",
        )
        .because(Sub::SigConstraintsFailure),
        Facts::Exported { proof: None, .. } => {
            check(Outcome::Info, "verify.no-ledger", "仅有登记册副本，未查用印台账", "only an exported register was asked, which has no ledger")
        }
        Facts::Exported { proof: Some(proof), .. } => check(
            Outcome::Info,
            "verify.no-ledger-proven-register",
            &format!("所查为{}的登记册快照，由{}证明；未查用印台账", moment(proof.at), proof.words().0),
            &format!("the register was asked as of {} Beijing time, proven by {}; it has no ledger", moment(proof.at), proof.words().1),
        ),
        Facts::OtherCertificate { seal, .. } => check(
            Outcome::Indeterminate,
            "verify.certificate-not-filed",
            &format!("证书自称是印章“{}”（{}），但登记册中该印章没有这张证书。请向印章所属机关核实。", seal.legend, seal.number),
            &format!("The certificate claims to be that of the seal {} ({}), but it is not filed for it. Ask the seal's owner.", seal.legend, seal.number),
        )
        .because(Sub::SigConstraintsFailure),
        Facts::Filed { seal, record: None, .. } => check(
            Outcome::Indeterminate,
            "verify.no-record-of-use",
            &format!("用印台账中没有印章“{}”对这份内容的用印记录：它是在本系统之外签章的，或内容已被改动。请向印章所属机关核实。", seal.legend),
            &format!("There is no record of this use of the seal {} in the ledger: it was sealed outside this service, or the content was changed. Ask the seal's owner.", seal.legend),
        )
        .because(Sub::SigConstraintsFailure),
        Facts::Filed { record: Some(record), .. } => match record.state {
            RecordState::Sealed { .. } => {
                check(Outcome::Passed, "verify.recorded", "用印台账中有这次用印", "this use of the seal is in the ledger")
            }
            RecordState::Written => check(
                Outcome::Passed,
                "verify.recorded-unfinished",
                "用印台账中已登记这次用印，尚未办结",
                "this use of the seal is written down in the ledger and not yet finished",
            ),
            RecordState::Lost => check(
                Outcome::Indeterminate,
                "verify.order-lost",
                "用印台账记载这次用印已作废，本不应有成品流出。请向印章所属机关核实。",
                "By the ledger this use was given up, so no such document should exist. Ask the seal's owner.",
            )
            .because(Sub::SigConstraintsFailure),
        },
    }
}

/// Whether a proven copy of the register says nothing of the moment that counts: what came after it was made it does not know,
/// and for how long that is taken for nothing is for whoever asks to say, as with revocation data (EN 319 102-1 §5.2.5). What
/// provably existed when the copy was made needs no newer one. A copy of tomorrow would stay fresh as long as its maker likes.
fn outdated(made: OffsetDateTime, proven: Option<&Proven>, evidence: &Evidence) -> bool {
    let counts = proven.map_or(evidence.known_until(), |proven| proven.at);
    let early = evidence.now.is_some_and(|now| made > now.saturating_add(Duration::DAY));
    early || counts > made.saturating_add(evidence.trust.register_age())
}

fn outdated_register(made: OffsetDateTime, evidence: &Evidence) -> Check {
    let (made, days) = (moment(made), evidence.trust.register_age().whole_days());
    let message = Message::new(
        "verify.register-outdated",
        format!("所查登记册快照作于{made}，只用于其后{days}天之内，不能说明印章现在的情况。请取得新的快照后重验。"),
        format!(
            "The copy of the register is of {made} Beijing time and counts for {days} days after; how the seal stands now is not known by it. Get a new one and verify again."
        ),
    );
    Check::new("order", "EN 319 102-1 §5.2.5", Outcome::Indeterminate, message).because(Sub::TryLater)
}

/// Which time is proven. A claim proves nothing, so it decides nothing here.
fn time(
    record: Option<&Record>,
    proven: Option<&Proven>,
    claimed: Option<OffsetDateTime>,
    at: OffsetDateTime,
) -> Check {
    match (proven.map(|proven| (proven.at, &proven.by)), claimed) {
        (Some((proven, _)), _) if proven > at => Check::new("time", TIME, Outcome::Indeterminate, Message::new(
            "verify.sealed-later",
            format!("文书签章于{}，晚于所问的时间，当时尚无此文书。", moment(proven)),
            format!("It was sealed at {} Beijing time, after the moment asked about, when there was no such document yet.", moment(proven)),
        ))
        .because(Sub::NotYetValid),
        (Some((proven, By::TimeStamp(authority))), _) => Check::new("time", TIME, Outcome::Passed, Message::new(
            "verify.time-stamped",
            format!("“{authority}”的时间戳证明签章不晚于{}", moment(proven)),
            format!("the time stamp of {authority} proves that it was sealed by {} Beijing time", moment(proven)),
        )),
        (Some((proven, By::Ledger)), _) => Check::new("time", TIME, Outcome::Passed, Message::new(
            "verify.time-proven",
            format!("本系统用印记录证明签章不晚于{}", moment(proven)),
            format!("our own record proves that it was sealed by {} Beijing time", moment(proven)),
        )),
        // Our own unfinished order was written by the clock that is asked now; a stranger's word about the future is false.
        (None, Some(claimed)) if record.is_none() && claimed > at => Check::new("time", TIME, Outcome::Indeterminate, Message::new(
            "verify.claims-later",
            format!("文件自称签章于{}，晚于所问的时间或当前时间，不可信。请向发文机关核实。", moment(claimed)),
            format!("The file claims to have been sealed at {} Beijing time, which is after the moment asked about or still to come. Ask the issuer.", moment(claimed)),
        ))
        .because(Sub::NotYetValid),
        (None, Some(claimed)) => Check::new("time", TIME, Outcome::Info, Message::new(
            "verify.time-claimed",
            format!("签章时间{}只是签名人自称，没有证明", moment(claimed)),
            format!("the signing time {} (Beijing) is only claimed by the signer; nothing proves it", moment(claimed)),
        )),
        (None, None) => Check::new("time", TIME, Outcome::Info, Message::new(
            "verify.time-unknown",
            "没有任何签章时间",
            "there is no signing time at all",
        )),
    }
}

/// Rule 2: what a seal sealed while in force stays good for ever, what carries a later time does not.
///
/// Without a proven time the seal must count at the moment asked about and at the newest known: having asked about an
/// earlier moment does not prove that the document existed then.
fn seal_in_force(
    facts: &Facts,
    proven: Option<&Proven>,
    claimed: Option<OffsetDateTime>,
    at: OffsetDateTime,
    known_until: OffsetDateTime,
) -> Check {
    let check = |outcome, message| Check::new("seal-in-force", RULE_2, outcome, message);
    let Some(seal) = facts.seal() else {
        return check(
            Outcome::Info,
            Message::new(
                "verify.seal-unknown",
                "本登记册没有该印章，无法回答其效力期间",
                "the seal is not in the register that was asked, so it does not say when it counted",
            ),
        );
    };
    if let Some((record, by)) = facts.record().and_then(|record| Some((record, record.proven_time()?))) {
        // Leave was given at the first moment, the document existed at the second; the seal must have counted at both.
        return match seal.check_in_force(record.written_at).and_then(|()| seal.check_in_force(by)) {
            Ok(()) => check(Outcome::Passed, in_force_then(seal, by)),
            Err(refusal) => check(Outcome::Failed, refusal.message).because(ended(seal, by)),
        };
    }
    // A time stamp proves that it existed by then: what the register has learnt since takes nothing away.
    let moments = proven.map_or([at, known_until], |proven| [proven.at; 2]);
    let counts = moments.map(|moment| seal.check_in_force(moment).map_err(|refusal| (moment, refusal)));
    let [now, newest] = counts;
    // By its own words outside the seal's life: a forger would not say so, and no proof could be better than a confession.
    if let Some((claimed, Err(refusal))) = claimed.map(|claimed| (claimed, seal.check_in_force(claimed))) {
        let ending = ending(seal, claimed).unwrap_or_else(|| refusal.message.clone());
        return check(
            Outcome::Failed,
            Message::new(
                "verify.claims-outside-life",
                format!("文件自称签章于{}，而{}。", moment(claimed), ending.zh),
                format!("The file claims to have been sealed at {} Beijing time, but {}.", moment(claimed), ending.en),
            ),
        )
        .because(ended(seal, claimed));
    }
    match (now.and(newest), proven) {
        (Ok(()), Some(proven)) => check(Outcome::Passed, in_force_then(seal, proven.at)),
        (Ok(()), None) => check(
            Outcome::Passed,
            Message::new(
                "verify.seal-in-force-now",
                format!("印章“{}”目前有效", seal.legend),
                format!("the seal {} is in force now", seal.legend),
            ),
        ),
        // It existed before there was such a seal.
        (Err((then, refusal)), Some(_)) if seal.life.status_at(then) == SealStatus::NotYetActivated => {
            check(Outcome::Failed, refusal.message).because(Sub::NotYetValid)
        }
        (Err((left, refusal)), _) => {
            let ending = ending(seal, left).unwrap_or(refusal.message);
            let says = claimed.map_or((String::new(), String::new()), |claimed| {
                (
                    format!("文件自称签章于{}，但", moment(claimed)),
                    format!("The file claims {} Beijing time, but ", moment(claimed)),
                )
            });
            check(
                Outcome::Indeterminate,
                Message::new(
                    "verify.unproven-before-end",
                    format!("{}，{}没有证据证明签章在此之前。请向印章所属机关核实。", ending.zh, says.0),
                    format!(
                        "{}{}, and nothing proves that this was sealed before. Ask the seal's owner.",
                        says.1, ending.en
                    ),
                ),
            )
            .because(Sub::RevokedNoPoe)
        }
    }
}

fn in_force_then(seal: &Seal, proven: OffsetDateTime) -> Message {
    match seal.life.window() {
        Some((_, Some(until))) if until > proven => {
            let order = seal.life.last_event_at(until).map(|event| event.document.clone()).unwrap_or_default();
            Message::new(
                "verify.sealed-before-abolition",
                format!(
                    "签章时印章“{}”有效；该印章后于{}废止（{order}），不影响此前签章的文书",
                    seal.legend,
                    moment(until)
                ),
                format!(
                    "sealed before the abolition: the seal {} was in force then; it was abolished as of {} Beijing time ({order}), which does not touch what it sealed before",
                    seal.legend,
                    moment(until)
                ),
            )
        }
        _ => Message::new(
            "verify.seal-in-force-then",
            format!("签章时印章“{}”有效", seal.legend),
            format!("the seal {} was in force then", seal.legend),
        ),
    }
}

/// The step that took the seal out of force by then, with the document that ordered it; without a full stop.
fn ending(seal: &Seal, at: OffsetDateTime) -> Option<Message> {
    let event = seal.life.last_event_at(at)?;
    let (legend, number, document, when) = (&seal.legend, &seal.number, &event.document, moment(event.at));
    let (zh, en) = match seal.life.status_at(at) {
        SealStatus::Abolished => ("废止", "abolished"),
        SealStatus::Suspended => ("停用", "suspended"),
        SealStatus::NotYetActivated | SealStatus::InForce => return None,
    };
    Some(Message::new(
        "verify.seal-ended",
        format!("印章“{legend}”（{number}）已由{document}自{when}起{zh}"),
        format!("the seal {legend} ({number}) was {en} by {document} as of {when} Beijing time"),
    ))
}

fn ended(seal: &Seal, at: OffsetDateTime) -> Sub {
    if seal.life.status_at(at) == SealStatus::NotYetActivated { Sub::NotYetValid } else { Sub::Revoked }
}

/// Rules 1 and 3: was this seal's owner competent for the item when the application was accepted?
fn item(facts: &Facts, record: &Record) -> Option<Check> {
    let seal = facts.seal()?;
    let (item, accepted) = record.case.as_ref()?;
    let check = |outcome, message| Check::new("item", RULE_3, outcome, message);
    let Some(item) = item else {
        return Some(
            check(
                Outcome::Indeterminate,
                Message::new(
                    "verify.item-unknown",
                    "用印所依据的事项已不在登记册中，无法判断由谁办理。",
                    "The item it was sealed for is no longer in the register, so it cannot be said who was competent.",
                ),
            )
            .because(Sub::SigConstraintsFailure),
        );
    };
    let question = Question { seal, at: record.written_at, item: Some(item), accepted: Some(*accepted) };
    let answer = register::answer(question);
    // Rule 2 has its own check.
    let refusal: Option<&Refusal> = answer.refusals.iter().find(|refusal| refusal.rule != Rule::SealLife);
    Some(match (refusal, answer.verdict) {
        (Some(refusal), _) => check(Outcome::Failed, refusal.message.clone()).because(Sub::SigConstraintsFailure),
        (None, Verdict::NotEnough) => {
            check(Outcome::Indeterminate, answer.sentence).because(Sub::SigConstraintsFailure)
        }
        (None, _) => check(
            Outcome::Passed,
            Message::new(
                "verify.item-competent",
                format!("事项“{}”受理于{}，由用印单位办理", item.name, moment(*accepted)),
                format!(
                    "'{}', accepted at {} Beijing time, was the seal owner's to decide",
                    item.name,
                    moment(*accepted)
                ),
            ),
        ),
    })
}

/// The licence identifier, whose check character was read with it.
fn identifier(record: &Record) -> Option<Check> {
    let licence = record.licence.as_ref()?;
    Some(Check::new(
        "identifier",
        "GB/T 36904",
        Outcome::Passed,
        Message::new(
            "verify.identifier",
            format!("证照标识 {}，与台账一致", licence.version.identifier),
            format!("licence identifier {}, as in the ledger", licence.version.identifier),
        ),
    ))
}

/// Information alone: a genuine licence may be a dead one.
fn licence_status(record: &Record, at: OffsetDateTime) -> Option<Check> {
    let licence = record.licence.as_ref()?;
    let status = licence_now(record, at)?;
    let (mut zh, mut en) = (
        format!("该证照{}{}", moment(at), status.zh()),
        format!("at {} Beijing time the licence is {}", moment(at), status.en()),
    );
    let life = Licence::of(licence.versions.clone());
    let newer =
        life.version_at(at).filter(|current| current.identifier.version() > licence.version.identifier.version());
    if let Some(current) = newer {
        zh.push_str(&format!("；本文书不是现行版本，现行版本为{}（{}）", current.identifier, current.act.zh()));
        en.push_str(&format!(
            "; this document is not the current version, which is {} ({})",
            current.identifier,
            current.act.as_str()
        ));
    }
    Some(Check::new("licence-status", "证照状态", Outcome::Info, Message::new("verify.licence-status", zh, en)))
}
