//! The judge over documents sealed here, and over the foreign corpus.

use std::collections::BTreeSet;
use std::sync::Arc;

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::report::{Outcome, SignatureReport, SubIndication as Sub, Verdict};
use super::*;
use crate::authority::Uscc;
use crate::cms;
use crate::impression::{Impression, Picture, Place, Segment, Shape};
use crate::item::{Item, ItemCode, Transfer};
use crate::licence::{LicenceAct, LicenceIdentifier, LicenceVersion};
use crate::pdf::appearance::Appearance;
use crate::pdf::seal::{Certification, SealPlan, prepare};
use crate::pdf::source::ReadAt;
use crate::pki::certificate::Certificate;
use crate::pki::issue::{self, Reason, Revoked};
use crate::pki::revocation::RevocationList;
use crate::pki::trial::{self, Hierarchy, Key};
use crate::register::snapshot::Entry;
use crate::seal::{Life, Seal, SealEvent, SealEventKind, SealKind, SealNumber};

mod attacks;
mod bare;
mod corpus;
mod forger;
#[cfg(feature = "service")]
mod forms;
mod levels;
mod log;
mod metadata;
mod ofd;
mod ofd_corpus;
mod ofd_forged;
mod ofd_forms;
mod pdf_seals;
mod sm2;
mod snapshot;
mod sneaky;
mod stamps;
mod update;
mod veiled;
mod written;

const SEALED: OffsetDateTime = datetime!(2026-03-01 02:00 UTC);
const ABOLISHED: OffsetDateTime = datetime!(2026-06-01 00:00 UTC);
const NOW: OffsetDateTime = datetime!(2026-09-01 00:00 UTC);
const OWNER: &str = "11330105002500287C";
const ORDER: &str = "汶府办函〔2020〕63号";

/// A house with its seal, and what it publishes.
struct House {
    pki: Hierarchy,
    anchors: Vec<Certificate>,
    revoked: Vec<Revoked>,
    lists_at: OffsetDateTime,
    life: Vec<SealEvent>,
    logged_since: Option<OffsetDateTime>,
}

impl House {
    fn new() -> Self {
        Self::on(Key::p256)
    }

    fn on(key: fn() -> Key) -> Self {
        let pki = Hierarchy::of(key);
        let anchors = vec![pki.root.clone()];
        let life = vec![event(SealEventKind::Activated, trial::MADE)];
        Self { pki, anchors, revoked: Vec::new(), lists_at: NOW, life, logged_since: None }
    }

    /// Abolished in public: the order in the register, the certificate on the list.
    fn abolish(mut self) -> Self {
        self.life.push(event(SealEventKind::Abolished, ABOLISHED));
        self.revoke(ABOLISHED, Reason::CessationOfOperation)
    }

    fn revoke(mut self, at: OffsetDateTime, reason: Reason) -> Self {
        self.revoked.push(Revoked { serial: self.pki.seal.serial.clone(), at, reason, invalid_since: None });
        self
    }

    fn seal(&self) -> Seal {
        Seal {
            number: SealNumber::parse("51322100000001").unwrap(),
            owner: Uscc::parse(OWNER).unwrap(),
            owner_name: "汶川县教育局".into(),
            legend: "汶川县教育局行政审批专用章".into(),
            kind: SealKind::Approval,
            life: Life::replay(self.life.clone()).unwrap(),
        }
    }

    /// An export with this seal alone.
    fn register(&self) -> Register {
        let entry = Entry { seal: self.seal(), logged_since: self.logged_since, certificates: BTreeSet::new() };
        Register { seals: vec![entry], ..Register::default() }
    }

    fn trust(&self) -> Trust {
        let list = |authority: &Certificate, key: &Key, revoked: &[Revoked]| {
            let due = self.lists_at + Duration::days(7);
            let unsigned = issue::revocation_list(authority, 1, self.lists_at, due, revoked).unwrap();
            RevocationList::read(&key.finish(unsigned)).unwrap()
        };
        let lists = vec![
            list(&self.pki.root, &self.pki.root_key, &[]),
            list(&self.pki.issuing, &self.pki.issuing_key, &self.revoked),
        ];
        Trust { anchors: self.anchors.clone(), lists, ..Trust::default() }
    }

    /// Judged where the register files the certificate, with this line in the ledger.
    fn judge(&self, bytes: &[u8], record: Option<Record>) -> Report {
        let facts = Facts::Filed {
            seal: self.seal(),
            logged_since: self.logged_since,
            chain: Vec::new(),
            record: record.map(Box::new),
        };
        self.judge_with(bytes, facts)
    }

    fn judge_with(&self, bytes: &[u8], facts: Facts) -> Report {
        let mut evidence = Evidence::open("文书.pdf", bytes, Arc::new(self.trust()), NOW);
        evidence.facts.fill(facts);
        judge(&evidence)
    }
}

fn event(kind: SealEventKind, at: OffsetDateTime) -> SealEvent {
    SealEvent { kind, at, document: ORDER.into(), reason: "划转".into(), successor: None, items: vec![] }
}

fn record(state: RecordState) -> Record {
    Record {
        order: "1".into(),
        title: "准予行政许可决定书".into(),
        state,
        written_at: SEALED,
        document: None,
        basis: Some("汶教许〔2026〕1号".into()),
        case: None,
        licence: None,
        copy: None,
    }
}

fn sealed() -> Option<Record> {
    Some(record(RecordState::Sealed { by: SEALED + Duration::SECOND }))
}

/// One page that says `text`, with a classic cross-reference table.
fn draft(text: &str) -> Vec<u8> {
    let content = format!("BT /F1 24 Tf 72 700 Td ({text}) Tj ET");
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>".to_owned(),
        format!("<</Length {}>>\nstream\n{content}\nendstream", content.len()),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
    ];
    let mut file = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (i, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", i + 1).as_bytes());
    }
    let at = file.len();
    file.extend_from_slice(table.as_bytes());
    file.extend_from_slice(
        format!("trailer\n<</Size {}/Root 1 0 R>>\nstartxref\n{at}\n%%EOF\n", objects.len() + 1).as_bytes(),
    );
    file
}

/// Seals as the service does, with any key: also as someone would who stole it.
fn seal(draft: &[u8], house: &House, claims: OffsetDateTime, certify: Option<Certification>) -> Vec<u8> {
    let algorithm = house.pki.seal_key.algorithm;
    let certificates = [house.pki.seal.der().to_vec(), house.pki.issuing.der().to_vec()];
    let room = cms::room(algorithm, &certificates, 0, 0).unwrap();
    seal_with(draft, house, claims, certify, room, |_, cms| cms)
}

/// As `seal`, with room for what `complete` makes of the signature value and the CMS around it.
fn seal_with(
    draft: &[u8],
    house: &House,
    claims: OffsetDateTime,
    certify: Option<Certification>,
    reserve: usize,
    complete: impl Fn(&[u8], Vec<u8>) -> Vec<u8>,
) -> Vec<u8> {
    let algorithm = house.pki.seal_key.algorithm.digest();
    let usual = |digest: &[u8; 32]| cms::signed_attributes(algorithm, digest, house.pki.seal.der(), None);
    seal_saying(draft, house, claims, certify, (reserve, &usual), complete)
}

/// Makes the signed attributes of the content's digest.
type Attributes<'a> = &'a dyn Fn(&[u8; 32]) -> Vec<u8>;

/// As `seal_with`, under attributes that are made of the digest.
fn seal_saying(
    draft: &[u8],
    house: &House,
    claims: OffsetDateTime,
    certify: Option<Certification>,
    (reserve, attributes): (usize, Attributes<'_>),
    complete: impl Fn(&[u8], Vec<u8>) -> Vec<u8>,
) -> Vec<u8> {
    let square = vec![Segment::Move(0.0, 0.0), Segment::Line(40.0, 0.0), Segment::Line(40.0, 40.0), Segment::Close];
    let picture = Picture::Vector(vec![Shape { rgb: [255, 0, 0], segments: square }]);
    let appearance = Appearance::of(&Impression { width_mm: 40.0, height_mm: 40.0, picture });
    let pki = &house.pki;
    let certificates = [pki.seal.der().to_vec(), pki.issuing.der().to_vec()];
    let plan = SealPlan {
        appearance: &appearance,
        places: &[Place::On { page: 0, centre_mm: (100.0, 200.0) }],
        signer_name: "汶川县教育局",
        reason: "",
        location: "",
        at: claims,
        certify,
        reserve,
    };
    let prepared = prepare(draft, &plan).unwrap();
    let (digest, hole, tail) = (pki.seal_key.algorithm.digest(), prepared.hole(), prepared.tail());
    let blank = hole.start - draft.len()..hole.end - draft.len();
    let content = digest.over(&[draft, &tail[..blank.start], &tail[blank.end..]]);
    let attributes = attributes(&content.try_into().unwrap());
    let value = pki.seal_key.sign(&attributes);
    let cms = cms::assemble(&attributes, &value, pki.seal_key.algorithm, &certificates, None).unwrap();
    [draft, &prepared.close(&complete(&value, cms)).unwrap()].concat()
}

fn notice(house: &House, claims: OffsetDateTime) -> Vec<u8> {
    seal(&draft("Permit No. 1"), house, claims, Some(Certification::FormsAndSignatures))
}

/// What the fuzz targets start from (`fuzz/targets/`): run by hand when the form of our documents changes.
#[test]
#[ignore = "writes tests/vectors/sealed with fresh keys"]
fn write_the_sealed_vectors() {
    use crate::pki::certificate::to_pem;

    let house = House::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/sealed");
    let approved = seal(&draft("Permit No. 2"), &house, SEALED, None);
    std::fs::write(folder.join("certified.pdf"), notice(&house, SEALED)).unwrap();
    std::fs::write(folder.join("approved.pdf"), approved).unwrap();
    let trust = house.trust();
    let certificates = trust.anchors.iter().map(|anchor| to_pem("CERTIFICATE", anchor.der()));
    let lists = trust.lists.iter().map(|list| to_pem("X509 CRL", list.der()));
    std::fs::write(folder.join("trust.pem"), certificates.chain(lists).collect::<String>()).unwrap();
}

/// The vectors are what the targets take them for.
#[test]
fn the_sealed_vectors_pass() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/sealed");
    let (trust, unread) = Trust::read([std::fs::read(folder.join("trust.pem")).unwrap().as_slice()]);
    assert_eq!(unread, 0);
    for name in ["certified.pdf", "approved.pdf"] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let report = judge(&Evidence::open(name, bytes, Arc::new(trust.clone()), NOW));
        assert!(report.verdict.is_genuine(), "{report:#?}");
    }
}

#[track_caller]
fn only(report: &Report) -> &SignatureReport {
    let [signature] = report.signatures.as_slice() else { panic!("{report:#?}") };
    signature
}

#[track_caller]
fn outcome(report: &Report, id: &str) -> Outcome {
    let check = only(report).checks.iter().find(|check| check.id == id);
    check.unwrap_or_else(|| panic!("no check {id} in {report:#?}")).outcome
}

/// Names the order that ended the seal, in the check and to the citizen, in both languages.
#[track_caller]
fn names_the_order(report: &Report) {
    let check = only(report).checks.iter().find(|check| check.id == "seal-in-force").unwrap();
    for text in [&check.message.zh, &check.message.en] {
        assert!(text.contains(ORDER), "{text}");
    }
}

#[test]
fn a_sealed_document_with_its_record_is_genuine() {
    let house = House::new();
    let report = house.judge(&notice(&house, SEALED), sealed());
    assert!(report.verdict.is_genuine(), "{report:#?}");
    let signature = only(&report);
    assert!(signature.intact && signature.trusted);
    assert_eq!(signature.proven_time, Some(SEALED + Duration::SECOND));
    assert!(report.summary.zh.contains("汶川县教育局行政审批专用章"), "{}", report.summary.zh);
    assert_eq!(exit_code(&[report]), 0);
}

#[test]
fn a_document_is_checked_before_its_order_ends() {
    let house = House::new();
    let bytes = notice(&house, NOW);
    assert!(house.judge(&bytes, Some(record(RecordState::Written))).verdict.is_genuine());
    let lost = house.judge(&bytes, Some(record(RecordState::Lost)));
    assert_eq!(
        (lost.verdict, outcome(&lost, "order")),
        (Verdict::Indeterminate(Sub::SigConstraintsFailure), Outcome::Indeterminate)
    );
    // Nobody sealed tomorrow's document yesterday.
    let later = House::new();
    let record = record(RecordState::Sealed { by: NOW + Duration::DAY });
    assert_eq!(outcome(&later.judge(&notice(&later, NOW), Some(record)), "time"), Outcome::Indeterminate);
}

#[test]
fn one_changed_byte_is_named() {
    let house = House::new();
    let mut bytes = notice(&house, SEALED);
    let at = bytes.windows(6).position(|w| w == b"Permit").unwrap();
    bytes[at] = b'p';
    // The ledger knows the digest of what was sealed, and that is not this.
    let report = house.judge(&bytes, None);
    assert_eq!(report.verdict, Verdict::Failed(Sub::HashFailure));
    assert!(!only(&report).intact);
    assert_eq!(outcome(&report, "digest"), Outcome::Failed);
    assert!(report.summary.zh.contains("摘要") && report.summary.en.contains("digest"), "{:?}", report.summary);
    assert_eq!(exit_code(&[report]), 1);
}

#[test]
fn one_changed_byte_of_the_value_is_named() {
    let house = House::new();
    let mut bytes = notice(&house, SEALED);
    // The last octet of the signature value, as two digits in the hole, before its zeros.
    let end = bytes.windows(12).position(|w| w == b"/M(D:2026030").unwrap() - 1;
    let last = (0..end).rev().find(|&i| bytes[i] != b'0').unwrap();
    bytes[last] = if bytes[last] == b'1' { b'2' } else { b'1' };
    let report = house.judge(&bytes, sealed());
    assert!(!only(&report).intact && !report.verdict.is_genuine(), "{report:#?}");
}

#[test]
fn what_was_sealed_before_the_abolition_stays_good() {
    let house = House::new().abolish();
    let report = house.judge(&notice(&house, SEALED), sealed());
    assert!(report.verdict.is_genuine(), "{report:#?}");
    names_the_order(&report);
    assert!(report.summary.en.contains("before the abolition"), "{}", report.summary.en);
    assert!(report.summary.zh.contains("不影响此前"), "{}", report.summary.zh);
}

#[test]
fn a_stolen_key_of_an_abolished_seal_seals_nothing() {
    let house = House::new().abolish();
    let later = house.judge(&notice(&house, ABOLISHED + Duration::HOUR), None);
    assert!(matches!(later.verdict, Verdict::Failed(Sub::Revoked)), "{later:#?}");
    names_the_order(&later);
    assert!(
        later.summary.zh.contains(ORDER)
            || only(&later).checks.iter().any(|c| c.id == "revocation" && c.outcome == Outcome::Failed)
    );

    let earlier = house.judge(&notice(&house, SEALED), None);
    assert!(matches!(earlier.verdict, Verdict::Indeterminate(_)), "{earlier:#?}");
    names_the_order(&earlier);
    assert_eq!(exit_code(&[earlier, later]), 1);

    // The same when only an exported register can be asked, which has no ledger, and when the list is not at hand.
    let mut unlisted = House { revoked: Vec::new(), ..house };
    unlisted.lists_at = NOW;
    for (claims, failed) in [(ABOLISHED, true), (ABOLISHED - Duration::SECOND, false)] {
        let report = unlisted.judge_with(
            &notice(&unlisted, claims),
            Facts::Exported { seal: unlisted.seal(), logged_since: None, proof: None },
        );
        assert_eq!(matches!(report.verdict, Verdict::Failed(Sub::Revoked)), failed, "{report:#?}");
        assert_eq!(matches!(report.verdict, Verdict::Indeterminate(Sub::RevokedNoPoe)), !failed, "{report:#?}");
        names_the_order(&report);
        assert!(report.summary.zh.contains(ORDER) && report.summary.en.contains(ORDER), "{:?}", report.summary);
    }
}

#[test]
fn a_suspended_seal_seals_nothing_that_is_not_proven() {
    let mut house = House::new();
    house.life.push(event(SealEventKind::Suspended, ABOLISHED));
    let indication = |house: &House, claims| house.judge(&notice(house, claims), None).verdict.indication();
    assert_eq!(indication(&house, ABOLISHED + Duration::HOUR), "TOTAL-FAILED");
    assert_eq!(indication(&house, SEALED), "INDETERMINATE");
    assert!(house.judge(&notice(&house, SEALED), sealed()).verdict.is_genuine());
    // Resumed, what claims the time between is still condemned by its own words.
    house.life.push(event(SealEventKind::Resumed, ABOLISHED + Duration::DAY));
    assert_eq!(indication(&house, ABOLISHED + Duration::HOUR), "TOTAL-FAILED");
}

#[test]
fn our_own_record_speaks_against_us_too() {
    let mut house = House::new();
    house.life.push(event(SealEventKind::Abolished, SEALED));
    let report = house.judge(&notice(&house, SEALED), sealed());
    assert_eq!(report.verdict, Verdict::Failed(Sub::Revoked), "{report:#?}");
    // Leave was given in time, but it was finished after the abolition.
    house.life.pop();
    house.life.push(event(SealEventKind::Abolished, SEALED + Duration::SECOND));
    assert!(!house.judge(&notice(&house, SEALED), sealed()).verdict.is_genuine());
}

#[test]
fn a_use_that_is_not_in_the_ledger_is_not_passed() {
    let house = House::new();
    let report = house.judge(&notice(&house, SEALED), None);
    assert_eq!(report.verdict, Verdict::Indeterminate(Sub::SigConstraintsFailure));
    assert_eq!(outcome(&report, "order"), Outcome::Indeterminate);
    assert!(report.summary.en.contains("no record of this use"), "{}", report.summary.en);
    let other =
        house.judge_with(&notice(&house, SEALED), Facts::OtherCertificate { seal: house.seal(), logged_since: None });
    assert_eq!(other.verdict, Verdict::Indeterminate(Sub::SigConstraintsFailure));
    assert_eq!(exit_code(&[report, other]), 2);
}

#[test]
fn a_foreign_seal_passes_on_certificates_alone() {
    let mut house = House::new();
    let bytes = notice(&house, SEALED);
    for facts in [Facts::Unknown, Facts::NotAsked] {
        assert!(house.judge_with(&bytes, facts).verdict.is_genuine());
    }
    // Without evidence about revocation, or without the root, nothing is confirmed.
    let mut blind = Evidence::open("x", bytes.clone(), Arc::new(Trust { lists: Vec::new(), ..house.trust() }), NOW);
    assert_eq!(judge(&blind).verdict, Verdict::Indeterminate(Sub::TryLater));
    blind.at = NOW + Duration::days(9 * 365);
    assert_eq!(judge(&blind).verdict, Verdict::Indeterminate(Sub::OutOfBoundsNoPoe));
    house.anchors.clear();
    let report = house.judge_with(&bytes, Facts::Unknown);
    assert_eq!(report.verdict, Verdict::Indeterminate(Sub::NoCertificateChainFound));
    assert!(only(&report).intact && !only(&report).trusted);
}

#[test]
fn revocation_and_expiry_count_at_the_proven_time() {
    let revoked = House::new().revoke(ABOLISHED, Reason::KeyCompromise);
    assert!(revoked.judge(&notice(&revoked, SEALED), sealed()).verdict.is_genuine());
    let unproven = revoked.judge_with(&notice(&revoked, SEALED), Facts::Unknown);
    assert_eq!(unproven.verdict, Verdict::Indeterminate(Sub::RevokedNoPoe));
    let late = revoked.judge_with(&notice(&revoked, ABOLISHED), Facts::Unknown);
    assert_eq!(late.verdict, Verdict::Failed(Sub::Revoked));
    let before = House::new().revoke(SEALED, Reason::KeyCompromise);
    assert_eq!(before.judge(&notice(&before, SEALED), sealed()).verdict, Verdict::Failed(Sub::Revoked));

    // The certificate ended three years after it was made; the list still carries the ended ones.
    let ended = trial::MADE + Duration::days(3 * 365 + 30);
    let expired = House { lists_at: ended, ..House::new() };
    let judged = |bytes: &[u8], facts: Facts| {
        let mut evidence = Evidence::open("x", bytes, Arc::new(expired.trust()), ended);
        evidence.facts.fill(facts);
        judge(&evidence)
    };
    let bytes = notice(&expired, SEALED);
    let filed = |record| Facts::Filed { seal: expired.seal(), logged_since: None, chain: vec![], record };
    assert!(judged(&bytes, filed(sealed().map(Box::new))).verdict.is_genuine());
    assert_eq!(judged(&bytes, Facts::Unknown).verdict, Verdict::Indeterminate(Sub::OutOfBoundsNoPoe));
    let late = notice(&expired, ended);
    assert_eq!(judged(&late, Facts::Unknown).verdict, Verdict::Failed(Sub::Expired));
    let mut too_late = record(RecordState::Sealed { by: ended });
    too_late.written_at = ended;
    assert_eq!(judged(&late, filed(Some(Box::new(too_late)))).verdict, Verdict::Failed(Sub::Expired));
}

/// Judged now about an earlier moment.
fn asked_about(house: &House, at: OffsetDateTime, claims: OffsetDateTime, facts: Facts) -> Report {
    let evidence = Evidence::open("x", notice(house, claims), Arc::new(house.trust()), NOW);
    judge(&Evidence { at, facts: vec![facts], ..evidence })
}

#[test]
fn to_ask_about_the_past_proves_nothing() {
    let before = ABOLISHED - Duration::DAY;
    // Only the register knows of the end, then only the list, then only the calendar.
    let mut house = House::new();
    house.life.push(event(SealEventKind::Abolished, ABOLISHED));
    let report =
        asked_about(&house, before, SEALED, Facts::Exported { seal: house.seal(), logged_since: None, proof: None });
    assert_eq!(report.verdict, Verdict::Indeterminate(Sub::RevokedNoPoe), "{report:#?}");
    names_the_order(&report);
    let filed = Facts::Filed { seal: house.seal(), logged_since: None, chain: vec![], record: sealed().map(Box::new) };
    assert!(asked_about(&house, before, SEALED, filed).verdict.is_genuine(), "what is proven stays good");
    let mut suspended = House::new();
    suspended.life.push(event(SealEventKind::Suspended, ABOLISHED));
    let report = asked_about(
        &suspended,
        before,
        SEALED,
        Facts::Exported { seal: suspended.seal(), logged_since: None, proof: None },
    );
    assert_eq!(report.verdict, Verdict::Indeterminate(Sub::RevokedNoPoe));
    // An abolition that is decided and still to come takes nothing from today.
    let mut coming = House::new();
    coming.life.push(event(SealEventKind::Abolished, NOW + Duration::DAY));
    assert!(
        coming
            .judge_with(
                &notice(&coming, SEALED),
                Facts::Exported { seal: coming.seal(), logged_since: None, proof: None }
            )
            .verdict
            .is_genuine()
    );

    // Unless nobody says what day it is.
    let evidence = Evidence::open("x", notice(&coming, SEALED), Arc::new(coming.trust()), NOW);
    let timeless = Evidence {
        now: None,
        facts: vec![Facts::Exported { seal: coming.seal(), logged_since: None, proof: None }],
        ..evidence
    };
    assert_eq!(judge(&timeless).verdict, Verdict::Indeterminate(Sub::RevokedNoPoe));

    let revoked = House::new().revoke(ABOLISHED, Reason::KeyCompromise);
    let report = asked_about(&revoked, before, SEALED, Facts::Unknown);
    assert_eq!(report.verdict, Verdict::Indeterminate(Sub::RevokedNoPoe), "{report:#?}");
    // The newer list is enough, whatever the clock says.
    let evidence = Evidence::open("x", notice(&revoked, SEALED), Arc::new(revoked.trust()), before);
    assert_eq!(judge(&evidence).verdict, Verdict::Indeterminate(Sub::RevokedNoPoe));
    // Listed ahead of its time.
    let ahead = House::new().revoke(NOW + Duration::DAY, Reason::CessationOfOperation);
    let report = ahead.judge_with(&notice(&ahead, SEALED), Facts::Unknown);
    assert_eq!(report.verdict, Verdict::Indeterminate(Sub::RevokedNoPoe), "{report:#?}");

    let ended = trial::MADE + Duration::days(3 * 365 + 30);
    let expired = House::new();
    let mut evidence = Evidence::open("x", notice(&expired, SEALED), Arc::new(expired.trust()), ended);
    evidence.at = NOW;
    assert_eq!(judge(&evidence).verdict, Verdict::Indeterminate(Sub::OutOfBoundsNoPoe));
}

#[test]
fn odd_ranges_sign_nothing() {
    let house = House::new();
    let bytes = notice(&house, SEALED);
    let found = bytes.windows(10).position(|w| w == b"/ByteRange").unwrap();
    let close = found + bytes[found..].iter().position(|&b| b == b']').unwrap();
    let mut odd = bytes.clone();
    let length = close - found - 11;
    odd[found + 11..close].copy_from_slice(format!("{:<length$}", "0 9 0 9 0 9").as_bytes());
    let report = house.judge(&odd, sealed());
    assert_eq!(outcome(&report, "digest"), Outcome::Failed, "{report:#?}");
    assert!(!only(&report).intact);
}

#[test]
fn a_file_on_disk_is_judged_as_one_in_memory_and_trouble_of_the_disk_is_no_verdict() {
    /// Gives up after so many reads.
    struct Failing<'b>(&'b [u8], std::cell::Cell<usize>);
    impl ReadAt for Failing<'_> {
        fn length(&self) -> usize {
            self.0.len()
        }
        fn read_at(&self, offset: usize, into: &mut [u8]) -> std::io::Result<()> {
            match self.1.get().checked_sub(1) {
                Some(left) => self.1.set(left),
                None => return Err(std::io::Error::other("gone")),
            }
            into.copy_from_slice(&self.0[offset..offset + into.len()]);
            Ok(())
        }
    }
    let house = House::new();
    let bytes = notice(&house, SEALED);
    let read = |most: usize| Evidence::read("x", &Failing(&bytes, most.into()), Arc::new(house.trust()), NOW);
    let judged = |evidence: Evidence| {
        let facts = vec![Facts::Filed {
            seal: house.seal(),
            logged_since: None,
            chain: Vec::new(),
            record: sealed().map(Box::new),
        }];
        serde_json::to_value(judge(&Evidence { facts, ..evidence })).unwrap()
    };
    let in_memory = judged(Evidence::open("x", &bytes, Arc::new(house.trust()), NOW));
    let enough = (0..).find(|&most| read(most).is_ok()).unwrap();
    assert!(enough > 10, "{enough}");
    assert_eq!(judged(read(enough).unwrap()), in_memory);
    assert_eq!(in_memory["indication"], "TOTAL-PASSED");
}

#[test]
fn a_claim_about_the_future_is_not_passed() {
    let house = House::new();
    for facts in [Facts::Unknown, Facts::Exported { seal: house.seal(), logged_since: None, proof: None }] {
        let report = house.judge_with(&notice(&house, NOW + Duration::SECOND), facts.clone());
        assert_eq!(report.verdict, Verdict::Indeterminate(Sub::NotYetValid), "{report:#?}");
        // Later than the moment asked about, though past by now.
        let report = asked_about(&house, SEALED, SEALED + Duration::DAY, facts.clone());
        assert_eq!(report.verdict, Verdict::Indeterminate(Sub::NotYetValid));
        // Asked about a day to come, which nothing shows to have come.
        let report = asked_about(&house, NOW + Duration::DAY, NOW + Duration::HOUR, facts.clone());
        assert_eq!(report.verdict, Verdict::Indeterminate(Sub::NotYetValid));
        assert!(house.judge_with(&notice(&house, NOW), facts).verdict.is_genuine());
    }
}

#[test]
fn the_seal_must_have_been_competent_for_the_item() {
    let house = House::new();
    let bytes = notice(&house, SEALED);
    let transfer = Transfer {
        to: Uscc::parse("11430000006122244L").unwrap(),
        batch: "第一批".into(),
        document: ORDER.into(),
        at: SEALED - Duration::days(10),
    };
    let item = |code: &str| Item {
        code: ItemCode::parse(code).unwrap(),
        name: "民办学校设立审批".into(),
        department: Uscc::parse(OWNER).unwrap(),
        example: true,
        transfers: vec![transfer.clone()],
    };
    let judged = |case| house.judge(&bytes, sealed().map(|record| Record { case: Some(case), ..record }));
    // Rule 1: accepted before the transfer, finished by the department under its own seal.
    assert!(judged((Some(item("A-1")), SEALED - Duration::days(20))).verdict.is_genuine());
    let report = judged((Some(item("A-1")), SEALED - Duration::days(5)));
    assert_eq!(report.verdict, Verdict::Failed(Sub::SigConstraintsFailure));
    assert_eq!(outcome(&report, "item"), Outcome::Failed);
    assert_eq!(judged((None, SEALED)).verdict, Verdict::Indeterminate(Sub::SigConstraintsFailure));
}

#[test]
fn a_genuine_licence_may_be_a_dead_one() {
    let house = House::new();
    let issuer = Uscc::parse(OWNER).unwrap();
    let first = LicenceIdentifier::first("11100000000013338W011", &issuer, "20260000001").unwrap();
    let version = |identifier: &LicenceIdentifier, act, at| LicenceVersion {
        identifier: identifier.clone(),
        act,
        at,
        valid_from: SEALED,
        valid_until: None,
    };
    let issued = version(&first, LicenceAct::Issue, SEALED);
    let second = first.next_version().unwrap();
    let revoked = version(&second, LicenceAct::Revoke, ABOLISHED);
    let licence = LicenceFacts {
        version: issued.clone(),
        name: "食品经营许可证".into(),
        holder: "某店".into(),
        versions: vec![issued, revoked],
    };
    let report = house.judge(&notice(&house, SEALED), sealed().map(|r| Record { licence: Some(licence), ..r }));
    assert!(report.verdict.is_genuine());
    assert_eq!(outcome(&report, "licence-status"), Outcome::Info);
    assert_eq!(report.answers.licence_in_force_now.zh, "已吊销");
    assert!(report.summary.zh.contains("已吊销"), "{}", report.summary.zh);
    assert!(report.answers.what.zh.contains(&first.to_string()));
}

#[test]
fn changes_after_sealing_are_judged() {
    let house = House::new();
    let bytes = notice(&house, SEALED);
    // The page's content exchanged by an update, the signed bytes untouched.
    let start = bytes.windows(9).rposition(|w| w == b"startxref").unwrap();
    let previous = std::str::from_utf8(&bytes[start + 10..]).unwrap().lines().next().unwrap().to_owned();
    let mut changed = bytes.clone();
    let content = "BT /F1 24 Tf 72 700 Td (Permit No. 2) Tj ET";
    let object = changed.len();
    changed.extend_from_slice(
        format!("4 0 obj\n<</Length {}>>\nstream\n{content}\nendstream\nendobj\n", content.len()).as_bytes(),
    );
    let table = changed.len();
    let tail = format!(
        "xref\n4 1\n{object:010} 00000 n \ntrailer\n<</Size 99/Root 1 0 R/Prev {previous}>>\nstartxref\n{table}\n%%EOF\n"
    );
    changed.extend_from_slice(tail.as_bytes());
    let report = house.judge(&changed, sealed());
    assert_eq!(report.verdict, Verdict::Failed(Sub::SigConstraintsFailure), "{report:#?}");
    assert!(only(&report).intact, "the signed bytes are as they were");
    assert_eq!(outcome(&report, "later-changes"), Outcome::Failed);

    // A second seal over the first is allowed, and both are good.
    let twice = seal(&seal(&draft("Permit No. 1"), &house, SEALED, None), &house, SEALED, None);
    let report = house.judge(&twice, sealed());
    assert!(report.verdict.is_genuine(), "{report:#?}");
    assert_eq!(report.signatures.len(), 2);
    // Bytes behind the end are not.
    let trailing = [&bytes[..], b"%more"].concat();
    assert!(!house.judge(&trailing, sealed()).verdict.is_genuine());
}

#[test]
fn what_is_no_sealed_document_is_said_to_be_so() {
    let trust = Arc::new(Trust::default());
    let judged = |bytes: &[u8]| judge(&Evidence::open("x.pdf", bytes, trust.clone(), NOW));
    for (bytes, format) in [
        (draft("Permit"), "pdf"),
        (b"%PDF-1.7\nnothing".to_vec(), "pdf"),
        (b"PK\x03\x04....OFD.xml".to_vec(), "ofd"),
        (b"PK\x03\x04....word/document.xml".to_vec(), "unknown"),
        (b"MZ".to_vec(), "unknown"),
        (Vec::new(), "unknown"),
    ] {
        let report = judged(&bytes);
        assert_eq!(report.verdict, Verdict::Indeterminate(Sub::SignedDataNotFound));
        assert_eq!(serde_json::to_value(report.format).unwrap(), format);
        assert!(!report.summary.zh.is_empty() && report.signatures.is_empty());
        assert_eq!(exit_code(&[report]), 2);
    }
}

#[test]
fn the_json_contract() {
    let house = House::new();
    let report = serde_json::to_value(house.judge(&notice(&house, SEALED), sealed())).unwrap();
    for key in ["file", "format", "indication", "sub_indication", "signatures", "summary", "answers", "document"] {
        assert!(report.get(key).is_some(), "{key} in {report:#}");
    }
    assert_eq!((&report["indication"], &report["format"]), (&"TOTAL-PASSED".into(), &"pdf".into()));
    assert!(report["sub_indication"].is_null());
    let signature = &report["signatures"][0];
    let expected = serde_json::json!({
        "indication": "TOTAL-PASSED", "sub_indication": null, "intact": true, "coverage": "whole", "later_changes": "none",
        "signed_at": "2026-03-01T02:00:00Z", "proven_time": "2026-03-01T02:00:01Z", "trusted": true, "name": "Seal1",
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&signature[key], value, "{key}");
    }
    assert!(signature["signer"].as_str().unwrap().contains("CN=51322100000001"));
    let checks = signature["checks"].as_array().unwrap();
    for check in checks {
        for key in ["id", "outcome", "clause", "detail"] {
            assert!(check[key].is_string(), "{key} in {check}");
        }
    }
    let ids: Vec<&str> = checks.iter().map(|check| check["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "format",
            "coverage",
            "digest",
            "signature",
            "signing-certificate",
            "certificate-path",
            "certificate-usage",
            "revocation",
            "later-changes",
            "log",
            "order",
            "time",
            "seal-in-force",
        ]
    );
    assert_eq!(serde_json::to_value(Sub::RevokedCaNoPoe).unwrap(), "REVOKED_CA_NO_POE");
    assert_eq!(serde_json::to_value(Sub::CryptoConstraintsFailureNoPoe).unwrap(), "CRYPTO_CONSTRAINTS_FAILURE_NO_POE");
}

#[test]
fn an_exported_register_is_asked_by_number() {
    let house = House::new().abolish();
    let export = serde_json::json!({ "seals": [house.seal()], "made": "…" });
    let register = Register::read(export.to_string().as_bytes(), &Trust::default()).unwrap();
    assert_eq!(register.seals, house.register().seals);
    let mut evidence = Evidence::open("x", notice(&house, ABOLISHED + Duration::DAY), Arc::new(house.trust()), NOW);
    evidence.ask_export(&register);
    let report = judge(&evidence);
    assert_eq!(report.verdict, Verdict::Failed(Sub::Revoked));
    names_the_order(&report);
    assert!(Register::read(b"[]", &Trust::default()).is_err());
}

#[test]
fn trust_is_read_from_files() {
    let house = House::new();
    let pem = crate::pki::certificate::to_pem("CERTIFICATE", house.pki.root.der());
    let list = house.trust().lists[0].der().to_vec();
    let files = [pem.as_bytes(), house.pki.issuing.der(), &list, b"notes"];
    let (trust, unread) = Trust::read(files);
    assert_eq!((trust.anchors.len(), trust.intermediates.len(), trust.lists.len(), unread), (1, 1, 1, 1));
    assert_eq!(trust.anchors, std::slice::from_ref(&house.pki.root));
}
