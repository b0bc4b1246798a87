//! A copy of the register that the log proves: what it is believed for, for how long, and whom it finds out.

use super::log::{LOG, Log, entry, house, logged, said, with};
use super::stamps::{Tsa, at, sealed_part};
use super::*;
use crate::pki::name::Name;
use crate::register::snapshot::{Published, Snapshot};
use crate::tlog::leaf::{Entry as LogEntry, Matter, Opening};
use crate::tlog::note::Kind;
use crate::verify::judge::register::RegisterFault;

fn snapshot(house: &House) -> Snapshot {
    let certificates = BTreeSet::from([hex::encode(house.pki.seal.fingerprint())]);
    let entry = Entry { seal: house.seal(), logged_since: house.logged_since, certificates };
    Snapshot {
        size: 3,
        made_at: NOW,
        witnesses: 2,
        authorities: [&house.pki.root, &house.pki.issuing].map(|ca| hex::encode(ca.subject.as_der())).into(),
        seals: [(entry.seal.number.clone(), entry)].into(),
        items: Default::default(),
        abolitions: Default::default(),
    }
}

fn published(snapshot: &Snapshot, log: &Log, size: u64) -> String {
    let digest = hex::encode(crate::crypto::sha256(snapshot.canonical().as_bytes()));
    let opening = Opening::new([8; 32], [("snapshot", digest.as_str()), ("size", size.to_string().as_str())]).unwrap();
    let entry = LogEntry::new(Matter::Register, "snapshot", NOW, None, opening);
    Published::Whole(snapshot.clone()).write(&log.receipt(&entry).to_string())
}

#[test]
fn a_snapshot_of_the_register_is_believed_by_its_receipt_alone() {
    let (house, log) = (house(), Log::new());
    let (made, trust) = (snapshot(&house), log.trust(&house));
    let text = published(&made, &log, made.size);
    let register = Register::read(text.as_bytes(), &trust).unwrap();
    let judged = |bytes: &[u8], house: &House| {
        let mut evidence = Evidence::open("文书.pdf", bytes, Arc::new(log.trust(house)), NOW);
        evidence.ask_export(&register);
        judge(&evidence)
    };
    let report = judged(&logged(&house, &log), &house);
    assert!(report.verdict.is_genuine(), "{report:#?}");
    let order = only(&report).checks.iter().find(|check| check.id == "order").unwrap();
    assert!(order.message.en.contains("entry 3 of 6") && order.message.zh.contains("登记册快照"), "{order:?}");
    assert_eq!(said(&judged(&with(&house, SEALED, &|_| None), &house)).0, Outcome::Failed);
    // Another certificate on the seal's number, from an authority that is trusted, too.
    let thief = super::log::house();
    let report = judged(&logged(&thief, &log), &thief);
    assert_eq!(report.verdict, Verdict::Indeterminate(Sub::SigConstraintsFailure), "{report:#?}");
    assert_eq!(outcome(&report, "order"), Outcome::Indeterminate);

    let fault = |text: &str, trust: &Trust| Register::read(text.as_bytes(), trust).unwrap_err();
    // One letter of it, or the receipt of another.
    assert!(matches!(fault(&text.replace("汶川县教育局", "汶川县水利局"), &trust), RegisterFault::Unproven(_)));
    let other = published(&Snapshot { witnesses: 0, ..made.clone() }, &log, made.size);
    let receipt = |text: &str| text[text.find("\"receipt\"").unwrap()..].to_owned();
    assert!(matches!(fault(&text.replace(&receipt(&text), &receipt(&other)), &trust), RegisterFault::Unproven(_)));
    assert!(matches!(fault(&published(&made, &log, 4), &trust), RegisterFault::Unproven(_)));
    // A receipt of some use of the seal proves no register.
    let use_of_it = log.receipt(&entry(&crate::crypto::sha256(made.canonical().as_bytes()))).to_string();
    assert!(matches!(fault(&Published::Whole(made.clone()).write(&use_of_it), &trust), RegisterFault::Unproven(_)));
    assert_eq!(fault(&text, &house.trust()), RegisterFault::UnknownLog(LOG.into()));
    // What the snapshot asks for is asked of itself, and it cannot ask for less than its reader.
    let alone = Log { witnesses: Vec::new(), ..Log::new() };
    assert_eq!(fault(&published(&made, &alone, 3), &trust), RegisterFault::Unseen(0, 2));
    let modest = published(&Snapshot { witnesses: 0, ..made.clone() }, &alone, 3);
    assert_eq!(fault(&modest, &trust), RegisterFault::Unseen(0, 2));
    let lenient = Trust { witnesses_asked: Some(0), ..trust.clone() };
    assert!(Register::read(modest.as_bytes(), &lenient).is_ok());
    // Changes are laid upon what they change, and what comes of it is what the log has.
    let later = Snapshot { size: 5, ..made.clone() };
    assert_eq!(fault(&Published::Delta(Box::new(later.since(&made))).write("r"), &trust), RegisterFault::Delta);
}

/// Judged at this moment by a snapshot made at `NOW`, with lists of the day.
fn asked(house: &mut House, bytes: &[u8], now: OffsetDateTime, days: Option<u16>) -> Report {
    let log = Log::new();
    let made = snapshot(house);
    house.lists_at = now;
    let trust = Trust { register_days: days, ..log.trust(house) };
    let register = Register::read(published(&made, &log, made.size).as_bytes(), &trust).unwrap();
    let mut evidence = Evidence::open("文书.pdf", bytes, Arc::new(trust), now);
    evidence.ask_export(&register);
    judge(&evidence)
}

#[track_caller]
fn order(report: &Report) -> (Outcome, &'static str) {
    let check = sealed_part(report).checks.iter().find(|check| check.id == "order").unwrap();
    (check.outcome, check.message.id)
}

#[test]
fn a_snapshot_speaks_for_today_for_a_while() {
    let (mut house, log) = (house(), Log::new());
    let bytes = logged(&house, &log);
    let limit = NOW + Duration::days(30);
    let fresh = asked(&mut house, &bytes, limit, None);
    assert!(fresh.verdict.is_genuine(), "{fresh:#?}");
    let stale = asked(&mut house, &bytes, limit + Duration::SECOND, None);
    assert_eq!(order(&stale), (Outcome::Indeterminate, "verify.register-outdated"));
    assert_eq!(stale.verdict, Verdict::Indeterminate(Sub::TryLater), "{stale:#?}");
    assert!(stale.summary.en.contains("2026-09-01"), "{}", stale.summary.en);
    // For how long is for whoever asks to say.
    assert!(asked(&mut house, &bytes, limit + Duration::SECOND, Some(31)).verdict.is_genuine());
    assert!(!asked(&mut house, &bytes, NOW + Duration::SECOND, Some(0)).verdict.is_genuine());
    // What provably existed before it was made needs no newer one, and asking about the past is no proof of that.
    let tsa = Tsa::of(&house, datetime!(2035-01-01 00:00 UTC));
    let old = asked(&mut house, &tsa.over(&bytes, &at(SEALED)), limit + Duration::days(300), None);
    assert!(old.verdict.is_genuine(), "{old:#?}");
    let mut evidence = Evidence::open("文书.pdf", &bytes, Arc::new(log.trust(&house)), limit + Duration::DAY);
    let made = snapshot(&house);
    evidence.ask_export(&Register::read(published(&made, &log, 3).as_bytes(), &evidence.trust).unwrap());
    assert_eq!(order(&judge(&Evidence { at: NOW, ..evidence })).1, "verify.register-outdated");
    // One of tomorrow would never grow old.
    let early = asked(&mut house, &bytes, NOW - Duration::days(2), None);
    assert_eq!(order(&early), (Outcome::Indeterminate, "verify.register-outdated"));
}

/// Whoever has an authority's key makes a certificate that looks like a seal's. It is filed for none, and who asks a snapshot
/// is told so as who asks the house is.
#[test]
fn a_certificate_that_no_seal_has_is_told_offline() {
    let secret = || {
        let mut house = house();
        let made = snapshot(&house);
        house.pki.seal_key = Key::p256();
        (house, made)
    };
    let subject = pki_name("51322100000099");
    let issued = |house: &House, issuer: &Certificate, key: &Key| {
        let listed = trial::listed_at(trial::CRL_URL);
        let public_key = &house.pki.seal_key.public_key;
        key.certificate(issue::seal(issuer, &subject, public_key, trial::serial(9), trial::years(3), &listed).unwrap())
    };
    let authority = |of: &House, name: &str, key: &Key| {
        let unsigned = issue::issuing_authority(
            &of.pki.root,
            &trial::name(name),
            &key.public_key,
            trial::serial(8),
            trial::years(10),
            trial::NONE,
        );
        of.pki.root_key.certificate(unsigned.unwrap())
    };
    let (mut plain, first) = secret();
    plain.pki.seal = issued(&plain, &plain.pki.issuing, &plain.pki.issuing_key);
    // The authority's name in other letters, which leads to the same root (RFC 5280 §7.1).
    let (mut spelled, second) = secret();
    let other_letters = authority(&spelled, " 试验签发 ", &spelled.pki.issuing_key);
    spelled.pki.seal = issued(&spelled, &other_letters, &spelled.pki.issuing_key);
    assert!(spelled.pki.seal.issuer != spelled.pki.issuing.subject);
    // An authority that only the root's key knows of.
    let (mut below, third) = secret();
    below.pki.issuing_key = Key::p256();
    below.pki.issuing = authority(&below, "别家", &below.pki.issuing_key);
    below.pki.seal = issued(&below, &below.pki.issuing, &below.pki.issuing_key);

    for (house, made) in [(plain, first), (spelled, second), (below, third)] {
        let log = Log::new();
        let trust = log.trust(&house);
        let bytes = with(&house, SEALED, &|_| None);
        let judged = |made: &Snapshot| {
            let register = Register::read(published(made, &log, made.size).as_bytes(), &trust).unwrap();
            let mut evidence = Evidence::open("文书.pdf", &bytes, Arc::new(trust.clone()), NOW);
            evidence.ask_export(&register);
            judge(&evidence)
        };
        let report = judged(&made);
        assert_eq!(order(&report), (Outcome::Indeterminate, "verify.certificate-of-no-seal"), "{report:#?}");
        assert_eq!(report.verdict, Verdict::Indeterminate(Sub::SigConstraintsFailure));
        // To a house that has nothing to do with it, it is a stranger's, and the certificates alone speak for it.
        let elsewhere = BTreeSet::from([hex::encode(trial::name("别处").as_der())]);
        let stranger = judged(&Snapshot { authorities: elsewhere, ..made });
        assert_eq!(order(&stranger), (Outcome::Info, "verify.seal-not-ours"));
        assert!(stranger.verdict.is_genuine(), "{stranger:#?}");
    }
}

fn pki_name(number: &str) -> Name {
    Name::of_seal(OWNER, "汶川县教育局", number).unwrap()
}

#[test]
fn most_of_the_witnesses_must_have_seen_it() {
    let key = |n: u8| super::log::Hand::new(&format!("w{n}"), Kind::Cosignature, n).key;
    let trust = |count: u8| Trust { witnesses: (0..count).map(key).collect(), ..Trust::default() };
    assert_eq!([0, 1, 2, 3, 4, 5].map(|count| trust(count).witnesses_needed(0)), [0, 1, 2, 2, 3, 3]);
    // Never less than the register says, unless whoever asks does; and a key in two files is one.
    assert_eq!((trust(3).witnesses_needed(1), trust(3).witnesses_needed(3)), (2, 3));
    assert_eq!(Trust { witnesses_asked: Some(1), ..trust(5) }.witnesses_needed(4), 1);
    assert_eq!(trust(2).and(trust(2)).witnesses_needed(0), 2);
    assert_eq!(Trust { witnesses: vec![key(1); 5], ..Trust::default() }.witnesses_needed(0), 1);
}
