//! Is it in the public log: what a receipt must prove, and what is tried instead.

use ring::signature::{Ed25519KeyPair, KeyPair};

use super::stamps::{Tsa, at, sealed_part};
use super::*;
use crate::pki::name::Name;
use crate::pki::tlv::{self, Element};
use crate::tlog::checkpoint::{Checkpoint, cosignature, cosigned_message};
use crate::tlog::leaf::{Entry as LogEntry, Matter, Opening};
use crate::tlog::note::{Kind, Line, Note, VerifierKey};
use crate::tlog::receipt::Receipt;
use crate::tlog::tree::{self, Hash};

pub(super) const LOG: &str = "bureau.example/log";
const NUMBER: &str = "51322100000001";
/// From here on every use must be in the log.
pub(super) const SINCE: OffsetDateTime = datetime!(2026-02-01 00:00 UTC);

/// A key, and how it is known.
pub(super) struct Hand {
    pair: Ed25519KeyPair,
    pub key: VerifierKey,
}

impl Hand {
    pub(super) fn new(name: &str, kind: Kind, seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let key = VerifierKey::new(name, kind, pair.public_key().as_ref().try_into().unwrap()).unwrap();
        Self { pair, key }
    }

    fn sign(&self, message: &str) -> [u8; 64] {
        self.pair.sign(message.as_bytes()).as_ref().try_into().unwrap()
    }
}

/// A log with five other entries, and those who see it.
pub(super) struct Log {
    pub hand: Hand,
    pub witnesses: Vec<Hand>,
}

impl Log {
    pub(super) fn new() -> Self {
        let witnesses = [("office.example/w1", 2), ("archive.example/w2", 3)];
        let witnesses = witnesses.map(|(name, seed)| Hand::new(name, Kind::Cosignature, seed));
        Self { hand: Hand::new(LOG, Kind::Ed25519, 1), witnesses: witnesses.into() }
    }

    /// Proof of the entry as the log's fourth.
    pub(super) fn receipt(&self, entry: &LogEntry) -> Receipt {
        let leaves: Vec<Hash> =
            (0..6u8).map(|i| if i == 3 { entry.leaf.hash() } else { tree::leaf_hash(&[i]) }).collect();
        let head = Checkpoint::new(self.hand.key.name(), 6, root(&leaves));
        let mut note = Note::new(head.to_string()).unwrap();
        note.sign(Line::of(&self.hand.key, self.hand.sign(note.text()).to_vec()));
        for witness in &self.witnesses {
            let value = witness.sign(&cosigned_message(1_772_330_401, note.text()));
            note.sign(cosignature(&witness.key, 1_772_330_401, &value));
        }
        let part = |range: std::ops::Range<u64>| root(&leaves[range.start as usize..range.end as usize]);
        let proof = tree::inclusion(3, 6).into_iter().map(part).collect();
        Receipt { extra: entry.to_string().into_bytes(), index: 3, proof, head: note }
    }

    pub(super) fn trust(&self, house: &House) -> Trust {
        let witnesses = self.witnesses.iter().map(|witness| witness.key.clone()).collect();
        Trust { logs: vec![self.hand.key.clone()], witnesses, ..house.trust() }
    }
}

fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [one] => *one,
        _ => {
            let left = leaves.len().next_power_of_two() / 2;
            tree::node_hash(&root(&leaves[..left]), &root(&leaves[left..]))
        }
    }
}

fn attributes_of(digest: &[u8; 32], certificate: &[u8], receipt: Option<&str>) -> Vec<u8> {
    cms::signed_attributes(crate::crypto::Digest::Sha256, digest, certificate, receipt)
}

/// The entry of a use of our seal for these bytes.
pub(super) fn entry(document: &[u8; 32]) -> LogEntry {
    let opening = Opening::new([7; 32], [("order", "1"), ("document", hex::encode(document).as_str())]).unwrap();
    LogEntry::new(Matter::Order, "licence", SEALED, Some(NUMBER.into()), opening)
}

pub(super) fn house() -> House {
    House { logged_since: Some(SINCE), ..House::new() }
}

/// Sealed with what `told` makes a receipt of.
pub(super) fn with(house: &House, claims: OffsetDateTime, told: &dyn Fn(&[u8; 32]) -> Option<String>) -> Vec<u8> {
    let attributes = |digest: &[u8; 32]| attributes_of(digest, house.pki.seal.der(), told(digest).as_deref());
    seal_saying(&draft("Permit No. 7"), house, claims, None, (16_000, &attributes), |_, cms| cms)
}

pub(super) fn logged(house: &House, log: &Log) -> Vec<u8> {
    with(house, SEALED, &|digest| Some(log.receipt(&entry(digest)).to_string()))
}

fn judged(house: &House, bytes: &[u8], trust: Trust) -> Report {
    judged_since(house, bytes, trust, house.logged_since)
}

fn judged_since(house: &House, bytes: &[u8], trust: Trust, logged_since: Option<OffsetDateTime>) -> Report {
    let mut evidence = Evidence::open("文书.pdf", bytes, Arc::new(trust), NOW);
    evidence.facts.fill(Facts::Exported { seal: house.seal(), logged_since, proof: None });
    judge(&evidence)
}

#[track_caller]
pub(super) fn said(report: &Report) -> (Outcome, &'static str) {
    let check = sealed_part(report).checks.iter().find(|check| check.id == "log").unwrap();
    (check.outcome, check.message.id)
}

#[test]
fn a_logged_use_is_proven_offline_and_named() {
    let (house, log) = (house(), Log::new());
    let report = judged(&house, &logged(&house, &log), log.trust(&house));
    assert!(report.verdict.is_genuine(), "{report:#?}");
    assert_eq!(said(&report), (Outcome::Passed, "verify.in-the-log"));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        json["signatures"][0]["log"],
        serde_json::json!({
            "origin": LOG, "index": 3, "size": 6, "witnesses": ["office.example/w1", "archive.example/w2"],
            "at": "2026-03-01T02:00:00Z",
        })
    );
    for part in [LOG, "office.example/w1"] {
        assert!(report.summary.zh.contains(part) && report.summary.en.contains(part), "{:?}", report.summary);
    }
    // Who asks nothing of the log does not ask for its key either.
    let free = House::new();
    let bytes = logged(&free, &log);
    let report = judged(&free, &bytes, free.trust());
    assert!(report.verdict.is_genuine(), "{report:#?}");
    assert_eq!((said(&report), only(&report).log.clone()), ((Outcome::Info, "verify.log-unknown"), None));
    assert_eq!(said(&judged(&free, &bytes, log.trust(&free))).0, Outcome::Passed);
}

#[test]
fn the_key_alone_seals_nothing_in_secret() {
    let (house, log) = (house(), Log::new());
    let judged_at = |claims, house: &House| judged(house, &with(house, claims, &|_| None), log.trust(house));
    let report = judged_at(SEALED, &house);
    assert_eq!(report.verdict, Verdict::Failed(Sub::SigConstraintsFailure), "{report:#?}");
    assert_eq!(said(&report), (Outcome::Failed, "verify.log-absent"));
    assert!(report.summary.zh.contains("私下签章"), "{}", report.summary.zh);
    // The first instant counts; an earlier one is only claimed.
    assert_eq!(said(&judged_at(SINCE, &house)).0, Outcome::Failed);
    let earlier = judged_at(SINCE - Duration::SECOND, &house);
    assert_eq!(said(&earlier), (Outcome::Indeterminate, "verify.log-absent-unproven"));
    assert_eq!(earlier.verdict, Verdict::Indeterminate(Sub::SigConstraintsFailure));
    // A seal that never was without the log has no such excuse.
    let young = House { logged_since: Some(trial::MADE), ..House::new() };
    assert_eq!(said(&judged_at(trial::MADE - Duration::DAY, &young)).0, Outcome::Failed);
    // Nothing is asked of a seal whose register row does not.
    let report = judged_at(SEALED, &House::new());
    assert!(report.verdict.is_genuine(), "{report:#?}");
    assert_eq!(said(&report), (Outcome::Info, "verify.log-not-required"));
}

#[test]
fn what_is_proven_older_needs_no_receipt() {
    let (house, log) = (house(), Log::new());
    let bytes = with(&house, SEALED, &|_| None);
    let judged = |record: Record, logged_since| {
        let mut evidence = Evidence::open("文书.pdf", &bytes[..], Arc::new(log.trust(&house)), NOW);
        evidence.facts.fill(Facts::Filed {
            seal: house.seal(),
            logged_since: Some(logged_since),
            chain: vec![],
            record: Some(Box::new(record)),
        });
        judge(&evidence)
    };
    let report = judged(sealed().unwrap(), SEALED + Duration::MICROSECOND);
    assert!(report.verdict.is_genuine(), "{report:#?}");
    assert_eq!(said(&report), (Outcome::Info, "verify.log-not-required-then"));
    // Written down when the log was there, by our own ledger.
    for state in [RecordState::Sealed { by: SEALED + Duration::SECOND }, RecordState::Written] {
        assert_eq!(said(&judged(record(state), SEALED)), (Outcome::Failed, "verify.log-absent"));
    }
}

/// Who seals past the log may have the key of the house's time stamps too, and date one back to before there was a log.
#[test]
fn the_houses_own_stamp_makes_nothing_older_than_the_log() {
    let (house, log) = (house(), Log::new());
    let before = SINCE - Duration::HOUR;
    let bytes = with(&house, before, &|_| None);
    let own = Tsa::of(&house, datetime!(2035-01-01 00:00 UTC)).over(&bytes, &at(before));
    // Another authority, under a root of its own.
    let key = Key::p256();
    let root = issue::root(&trial::name("授时根"), &key.public_key, trial::serial(20), trial::years(20));
    let root = key.certificate(root.unwrap());
    let outside = Tsa::below((&root, &key), datetime!(2035-01-01 00:00 UTC));
    let list = issue::revocation_list(&root, 1, NOW, NOW + Duration::days(7), &[]).unwrap();
    let mut trust = log.trust(&house);
    trust.anchors.push(root);
    trust.lists.push(RevocationList::read(&key.finish(list)).unwrap());
    let judged = |bytes: &[u8], authorities: Vec<Name>| {
        let mut evidence = Evidence::open("文书.pdf", bytes, Arc::new(trust.clone()), NOW);
        evidence.facts.fill(Facts::Exported { seal: house.seal(), logged_since: house.logged_since, proof: None });
        judge(&Evidence { house: authorities, ..evidence })
    };
    let authorities = || vec![house.pki.root.subject.clone(), house.pki.issuing.subject.clone()];
    // By the register's word whose authority it is, and by the seal's own root where it says nothing.
    for known in [authorities(), vec![]] {
        let report = judged(&own, known.clone());
        assert_eq!(sealed_part(&report).proven_time, Some(before + Duration::SECOND), "the stamp holds: {report:#?}");
        assert_eq!(said(&report), (Outcome::Indeterminate, "verify.log-absent-unproven"));
        for stamped in [outside.over(&bytes, &at(before)), outside.over(&own, &at(before))] {
            let report = judged(&stamped, known.clone());
            assert_eq!(said(&report), (Outcome::Info, "verify.log-not-required-then"), "{report:#?}");
            assert!(report.verdict.is_genuine(), "{report:#?}");
        }
        let late = outside.over(&own, &at(SINCE));
        assert_eq!(said(&judged(&late, known)), (Outcome::Indeterminate, "verify.log-absent-unproven"));
    }
}

/// Each is signed with the seal's own key, by somebody who has it and the log not.
#[test]
fn receipts_of_something_else_are_lies() {
    let (house, log) = (house(), Log::new());
    let other = |change: &dyn Fn(LogEntry) -> LogEntry| {
        with(&house, SEALED, &|digest| Some(log.receipt(&change(entry(digest))).to_string()))
    };
    let of = |entry: &LogEntry, matter, seal: Option<&str>| {
        LogEntry::new(matter, "licence", SEALED, seal.map(str::to_owned), entry.opening.clone())
    };
    let text = |change: &dyn Fn(String) -> String| {
        with(&house, SEALED, &|digest| Some(change(log.receipt(&entry(digest)).to_string())))
    };
    let stray = |change: &dyn Fn(Receipt) -> Receipt| {
        with(&house, SEALED, &|digest| Some(change(log.receipt(&entry(digest))).to_string()))
    };
    for (bytes, id) in [
        // A receipt copied from another document.
        (other(&|_| entry(&[9; 32])), "verify.log-receipt-of-another-document"),
        (
            other(&|e| {
                LogEntry::new(Matter::Order, "licence", SEALED, e.leaf.seal, Opening::new([7; 32], []).unwrap())
            }),
            "verify.log-receipt-of-another-document",
        ),
        (other(&|e| of(&e, Matter::Order, Some("51322100000002"))), "verify.log-receipt-of-another-seal"),
        (other(&|e| of(&e, Matter::Order, None)), "verify.log-receipt-of-another-seal"),
        (other(&|e| of(&e, Matter::Seal, Some(NUMBER))), "verify.log-receipt-of-another-seal"),
        (text(&|_| String::new()), "verify.log-receipt-unreadable"),
        (text(&|text| text.replace("index 3", "index 03")), "verify.log-receipt-unreadable"),
        (text(&|text| text + "\n"), "verify.log-receipt-unreadable"),
        // The opening of another leaf.
        (
            stray(&|mut r| {
                let own = String::from_utf8(r.extra.clone()).unwrap();
                let (leaf, _) = own.split_once("yinxin-opening").unwrap();
                r.extra = format!("{leaf}{}", entry(&[9; 32]).opening).into_bytes();
                r
            }),
            "verify.log-receipt-unreadable",
        ),
        (stray(&|r| Receipt { index: 2, ..r }), "verify.log-receipt-does-not-hold"),
        // The log's name and key under another head.
        (text(&|text| text.replacen("\n6\n", "\n7\n", 1)), "verify.log-receipt-does-not-hold"),
        // As it should be; and a witness's line with another signature in it.
        (text(&|text| text), "verify.in-the-log"),
        (text(&|text| forged_witness(&text)), "verify.log-receipt-does-not-hold"),
    ] {
        let report = judged(&house, &bytes, log.trust(&house));
        let passes = id == "verify.in-the-log";
        assert_eq!(said(&report), (if passes { Outcome::Passed } else { Outcome::Failed }, id), "{report:#?}");
        assert_eq!(report.verdict.is_genuine(), passes);
        assert_eq!(only(&report).log.is_some(), passes);
        // Where nobody asks for a log the lie is not forgiven, but nobody is condemned by it.
        if !passes {
            let report = judged_since(&house, &bytes, log.trust(&house), None);
            assert_eq!(report.verdict, Verdict::Indeterminate(Sub::SigConstraintsFailure), "{id}");
        }
    }
}

/// The first witness's line, with another signature in it.
fn forged_witness(text: &str) -> String {
    let line = text.lines().find(|line| line.contains("w1 ")).unwrap();
    let read = Line::read(line).unwrap();
    let mut value = read.value.clone();
    *value.last_mut().unwrap() ^= 1;
    text.replace(&format!("{line}\n"), &Line { value, ..read }.to_string())
}

#[test]
fn a_receipt_that_is_doubled_or_not_signed_is_none() {
    let (house, log) = (house(), Log::new());
    let members = |set: &[u8]| -> Vec<Vec<u8>> {
        Element::read_all(set).unwrap().children().unwrap().iter().map(|member| member.whole.to_vec()).collect()
    };
    let twice = |digest: &[u8; 32]| {
        let text = log.receipt(&entry(digest)).to_string();
        let der = house.pki.seal.der();
        let with = members(&attributes_of(digest, der, Some(&text)));
        let without = members(&attributes_of(digest, der, None));
        let own = with.iter().find(|member| !without.contains(member)).unwrap().clone();
        tlv::set_of(tlv::SET, [with, vec![own]].concat())
    };
    let bytes = seal_saying(&draft("Permit No. 7"), &house, SEALED, None, (20_000, &twice), |_, cms| cms);
    let report = judged(&house, &bytes, log.trust(&house));
    assert!(only(&report).intact);
    assert_eq!(said(&report), (Outcome::Failed, "verify.log-receipt-unreadable"));

    // Put beside the value afterwards, where anybody can put what he likes.
    let beside = |value: &[u8], made: Vec<u8>| {
        let read = cms::read(&made).unwrap();
        let digest: [u8; 32] = read.signers[0].message_digest().unwrap().try_into().unwrap();
        let text = log.receipt(&entry(&digest)).to_string();
        let all = members(&attributes_of(&digest, house.pki.seal.der(), Some(&text)));
        let plain = members(&attributes_of(&digest, house.pki.seal.der(), None));
        let own = all.iter().find(|member| !plain.contains(member)).unwrap();
        let octets = tlv::wrap(tlv::OCTET_STRING, &[value]);
        let unsigned = tlv::wrap(tlv::context(1), &[own]);
        grown(&made, &octets, &unsigned)
    };
    let usual = |digest: &[u8; 32]| attributes_of(digest, house.pki.seal.der(), None);
    let bytes = seal_saying(&draft("Permit No. 7"), &house, SEALED, None, (20_000, &usual), beside);
    let report = judged(&house, &bytes, log.trust(&house));
    assert!(only(&report).intact, "{report:#?}");
    assert_eq!(said(&report), (Outcome::Failed, "verify.log-absent"));
}

/// The CMS with `more` behind the element `after`, every length around it made right.
fn grown(element: &[u8], after: &[u8], more: &[u8]) -> Vec<u8> {
    if element == after {
        return [element, more].concat();
    }
    let read = Element::read_all(element).unwrap();
    let holds = read.content.windows(after.len()).any(|window| window == after);
    match read.children() {
        Ok(children) if holds => {
            let parts: Vec<Vec<u8>> = children.iter().map(|child| grown(child.whole, after, more)).collect();
            tlv::wrap(read.tag, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
        }
        _ => element.to_vec(),
    }
}

#[test]
fn a_log_of_ones_own_is_no_log() {
    let (house, log) = (house(), Log::new());
    // Whoever has the seal's key makes himself a log of the same name, with witnesses of his own.
    let own = Log {
        hand: Hand::new(LOG, Kind::Ed25519, 66),
        witnesses: vec![Hand::new("office.example/w1", Kind::Cosignature, 67)],
    };
    let report = judged(&house, &logged(&house, &own), log.trust(&house));
    assert_eq!(said(&report), (Outcome::Indeterminate, "verify.log-unknown"), "{report:#?}");
    assert_eq!(report.verdict, Verdict::Indeterminate(Sub::SigConstraintsFailure));
    assert_eq!(only(&report).log, None);
    // A witness's key is no log's, even if it signs as one.
    let trust = Trust { logs: log.witnesses.iter().map(|witness| witness.key.clone()).collect(), ..log.trust(&house) };
    assert_eq!(said(&judged(&house, &logged(&house, &log), trust)).0, Outcome::Indeterminate);
    // A log that changed its key is known by both of them.
    let changed = Trust { logs: vec![own.hand.key.clone(), log.hand.key.clone()], ..log.trust(&house) };
    for (log, seen) in [(&log, 2), (&own, 0)] {
        let trust = Trust { witnesses_asked: Some(0), ..changed.clone() };
        let report = judged(&house, &logged(&house, log), trust);
        assert!(report.verdict.is_genuine(), "{report:#?}");
        assert_eq!(only(&report).log.as_ref().map(|log| log.witnesses.len()), Some(seen));
    }
}

#[test]
fn a_head_that_nobody_else_saw_is_not_enough() {
    let (house, log) = (house(), Log::new());
    let alone = Log { witnesses: Vec::new(), ..Log::new() };
    let bytes = logged(&house, &alone);
    let report = judged(&house, &bytes, log.trust(&house));
    assert_eq!(said(&report), (Outcome::Indeterminate, "verify.log-too-few-witnesses"), "{report:#?}");
    // Nor is one of two, which the other may never have heard of; two of three are most of them.
    let mut seen = Log::new();
    let second = seen.witnesses.pop().unwrap();
    let by_one = logged(&house, &seen);
    assert_eq!(said(&judged(&house, &by_one, log.trust(&house))).1, "verify.log-too-few-witnesses");
    seen.witnesses.push(second);
    let mut trust = log.trust(&house);
    trust.witnesses.push(Hand::new("third.example/w3", Kind::Cosignature, 4).key);
    assert_eq!(said(&judged(&house, &logged(&house, &seen), trust)).0, Outcome::Passed);
    // How many is for whoever asks to say.
    let asked = |bytes: &[u8], asked| {
        let trust = Trust { witnesses_asked: Some(asked), ..log.trust(&house) };
        said(&judged(&house, bytes, trust)).0
    };
    assert_eq!(asked(&bytes, 0), Outcome::Passed);
    let bytes = logged(&house, &log);
    assert_eq!([1, 2, 3].map(|k| asked(&bytes, k)), [Outcome::Passed, Outcome::Passed, Outcome::Indeterminate]);
}

/// An opened head is remembered by whoever judges many; what was found of one head, by some keys, is no answer about another.
#[test]
fn a_remembered_head_answers_for_itself_alone() {
    let (house, log) = (house(), Log::new());
    let (trust, bytes) = (log.trust(&house), logged(&house, &log));
    let remembered = || format!("{:?}", trust.heads);
    assert_eq!(said(&judged(&house, &bytes, trust.clone())), (Outcome::Passed, "verify.in-the-log"));
    assert_eq!(said(&judged(&house, &bytes, trust.clone())), (Outcome::Passed, "verify.in-the-log"));
    assert_eq!(remembered(), "Memory(1)");

    // Whoever knows one of the two witnesses hears of that one.
    let one = Trust { witnesses: log.witnesses.iter().take(1).map(|w| w.key.clone()).collect(), ..trust.clone() };
    let report = judged(&house, &bytes, one);
    assert_eq!(sealed_part(&report).log.as_ref().unwrap().witnesses, ["office.example/w1"]);
    assert_eq!(remembered(), "Memory(2)");

    // The same text under a line that is not the witness's.
    let forged = with(&house, SEALED, &|digest| Some(forged_witness(&log.receipt(&entry(digest)).to_string())));
    for _ in 0..2 {
        let said = said(&judged(&house, &forged, trust.clone()));
        assert_eq!(said, (Outcome::Failed, "verify.log-receipt-does-not-hold"));
    }
}

#[test]
fn nothing_is_said_of_the_log_where_the_signature_does_not_hold() {
    let (house, log) = (house(), Log::new());
    let mut bytes = logged(&house, &log);
    let at = bytes.windows(6).position(|w| w == b"Permit").unwrap();
    bytes[at] = b'p';
    let report = judged(&house, &bytes, log.trust(&house));
    assert_eq!(report.verdict, Verdict::Failed(Sub::HashFailure));
    assert_eq!((said(&report), only(&report).log.clone()), ((Outcome::Info, "verify.log-not-asked"), None));
}

#[test]
fn keys_of_logs_and_witnesses_are_told_by_their_kind() {
    let log = Log::new();
    let mut lines = format!("{}\n", log.hand.key);
    lines.extend(log.witnesses.iter().map(|witness| format!("{}\n", witness.key)));
    let (trust, unread) = Trust::read([lines.as_bytes(), b"bureau.example/log+00000000+AAAA\n"]);
    assert_eq!((trust.logs, trust.witnesses.len(), unread), (vec![log.hand.key], 2, 1));
}
