//! OFD packages: sealed here, and of others by people who trust nobody.

use std::sync::Arc;

use crate::impression::Place;
use crate::ofd::package::Package;
use crate::pdf::signatures::Coverage;
use crate::pki::certificate::Certificate;
use crate::pki::trial;
use crate::ses::read_signature;
use crate::verify::report::{Format, Outcome};
use crate::verify::{Evidence, Report, Trust, judge};
use time::OffsetDateTime;
use time::macros::datetime;

use super::{Facts, House, NOW, Record, SEALED, sealed};
use crate::ofd::seal::{SealPlan, prepare};
use crate::ofd::write::{Document, Page};
use crate::pki::trial::Key;
use crate::ses::trial::Made;
use crate::ses::{self, write::Use};

fn judged(file: &str, bytes: &[u8]) -> Report {
    let report = judge(&Evidence::open(file, bytes, Arc::new(Trust::default()), datetime!(2026-11-22 00:00 UTC)));
    assert_eq!(report.format, Format::Ofd);
    report
}

/// Nobody's root is trusted here, so nothing passes; and what is not signed is not said to be.
#[test]
fn foreign_packages_pass_for_nobody_who_trusts_nobody() {
    let kinds = ["ofd-signed", "ofd-signed-mismatch", "ofd-unsigned", "ofd-malformed"];
    let of = |kind| trial::corpus_files(&[kind]).into_iter().map(move |(file, bytes)| (file, kind, bytes));
    for (file, kind, bytes) in kinds.into_iter().flat_map(of) {
        let report = judged(&file, &bytes);
        assert_eq!(report.signatures.is_empty(), !kind.starts_with("ofd-signed"), "{file}");
        assert!(!report.verdict.is_genuine(), "{file}");
        eprintln!("{file}: {}", report.summary.zh);
    }
}

/// The files of a package, in their order.
pub(super) fn unpacked(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let package = Package::open(bytes).unwrap();
    package.entries().iter().map(|entry| (entry.name.clone(), package.unpack(entry).unwrap())).collect()
}

/// A package of these files, whose checksums fit.
pub(super) fn repacked(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    crate::ofd::package::write(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
}

pub(super) fn two_pages() -> Vec<u8> {
    drafted(&[("ZZBH", "1")])
}

/// Two empty pages with these elements of GB/T 36903.
fn drafted(data: &[(&str, &str)]) -> Vec<u8> {
    let page = || Page { width_mm: 210.0, height_mm: 297.0, objects: Vec::new() };
    crate::ofd::write::write(&Document {
        id: [7; 16],
        title: "证照".into(),
        author: "汶川县教育局".into(),
        made_on: SEALED.date(),
        data: data.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        faces: Vec::new(),
        pictures: Vec::new(),
        pages: vec![page(), page()],
        attachments: Vec::new(),
    })
}

/// A licence of two empty pages under a seal of ours.
pub(super) fn licence(house: &House, made: &Made, lock: bool) -> Vec<u8> {
    saying(house, made, lock, &[("ZZBH", "1")])
}

/// The same with other elements.
pub(super) fn saying(house: &House, made: &Made, lock: bool, data: &[(&str, &str)]) -> Vec<u8> {
    let draft = drafted(data);
    let places = [Place::On { page: 1, centre_mm: (150.0, 230.0) }, Place::Straddle { centre_mm: 100.0 }];
    let seal = ses::read_seal(&made.seal).unwrap();
    let prepared = prepare(&draft, &SealPlan { seal: &seal, places: &places, at: SEALED, lock }).unwrap();
    let (digest, property) = (prepared.digest(), prepared.property());
    let used = Use { seal: &made.seal, at: SEALED, digest: &digest, property: &property, extensions: &[] };
    let to_be_signed = ses::write::to_be_signed(&used).unwrap();
    let value = house.pki.seal_key.sign(&to_be_signed);
    prepared.close(&ses::write::assemble(&to_be_signed, &made.signer, &value, None).unwrap()).unwrap()
}

/// The issuing authority's certificate is the verifier's: a seal signature has room for the signer's alone.
pub(super) fn in_register(house: &House, bytes: &[u8]) -> Report {
    under(house, bytes, sealed())
}

/// The same with what our ledger has of it.
pub(super) fn under(house: &House, bytes: &[u8], record: Option<Record>) -> Report {
    let trust = Trust { intermediates: vec![house.pki.issuing.clone()], ..house.trust() };
    let mut evidence = Evidence::open("证照.ofd", bytes, Arc::new(trust), NOW);
    let record = record.map(Box::new);
    evidence.facts.fill(Facts::Filed { seal: house.seal(), chain: Vec::new(), record, logged_since: None });
    judge(&evidence)
}

#[test]
fn a_package_sealed_here_is_genuine_and_every_file_of_it_counts() {
    let house = House::on(Key::sm2);
    let made = Made::of(&house.pki);
    let bytes = licence(&house, &made, true);
    let report = in_register(&house, &bytes);
    assert_eq!(report.format, Format::Ofd);
    assert!(report.verdict.is_genuine(), "{report:#?}");
    assert_eq!(report.signatures[0].coverage, Coverage::Whole);

    let files = unpacked(&bytes);
    for (place, (name, content)) in files.iter().enumerate() {
        for at in (0..content.len()).step_by((content.len() / 12).max(1)) {
            let mut files = files.clone();
            files[place].1[at] ^= 1;
            let report = in_register(&house, &repacked(&files));
            assert!(!report.verdict.is_genuine(), "{name} at {at}: {report:#?}");
        }
    }
}

/// What the maker answers for: words under his certificate that he did not sign.
#[test]
fn a_seal_that_its_maker_did_not_sign_passes_nothing() {
    let house = House::on(Key::sm2);
    let made = Made::of(&house.pki);
    assert!(in_register(&house, &licence(&house, &made, false)).verdict.is_genuine());
    let information = ses::read_seal(&made.seal).unwrap().to_be_signed;
    let value = Key::sm2().sign(&information);
    let forged = Made { seal: ses::write::assemble_seal(&information, &made.maker, &value).unwrap(), ..made };
    let report = in_register(&house, &licence(&house, &forged, false));
    let check = report.signatures[0].checks.iter().find(|check| check.id == "seal").unwrap();
    assert_eq!((check.outcome, report.verdict.is_genuine()), (Outcome::Failed, false));
}

/// What is said of a seal's maker and of its life, at a moment, to a reader who trusts the maker or does not.
fn of_the_seal(file: &str, trusts_maker: bool, at: OffsetDateTime) -> Option<[(Outcome, &'static str); 2]> {
    let (file, bytes) =
        trial::corpus_files(&["ofd-signed"]).into_iter().find(|(found, _)| found.ends_with(&format!("/{file}")))?;
    let package = Package::open(&bytes).unwrap();
    let value = package.entries().iter().find(|entry| entry.name.ends_with("SignedValue.dat")).unwrap();
    let maker = read_signature(&package.unpack(value).unwrap()).unwrap().seal.maker;
    let anchors = trusts_maker.then(|| Certificate::read(&maker).unwrap()).into_iter().collect();
    let report = judge(&Evidence::open(&file, &bytes, Arc::new(Trust { anchors, ..Trust::default() }), at));
    let said = |id: &str| {
        let check = report.signatures[0].checks.iter().find(|check| check.id == id).unwrap();
        (check.outcome, check.message.id)
    };
    Some([said("seal-maker"), said("seal-life")])
}

/// A seal counts where its maker is trusted and is somebody else, and where it was used within its life.
#[test]
fn a_seals_maker_and_its_life_are_looked_at() {
    use Outcome::{Failed, Indeterminate, Passed};
    let right = (Passed, "verify.seal-right");
    let unproven = (Indeterminate, "verify.seal-life-unproven");
    let unknown = (Indeterminate, "verify.seal-maker-unknown");
    // Its life is from October 2020 to October 2023, and it says that it was used at its beginning.
    let within = datetime!(2021-01-01 00:00 UTC);
    let of = |trusts, at| of_the_seal("v4signed.ofd", trusts, at);
    let Some(said) = of(true, within) else { return };
    assert_eq!(said, [right, right]);
    assert_eq!(of(false, within).unwrap(), [unknown, right]);
    let later = of(true, datetime!(2024-01-01 00:00 UTC)).unwrap();
    assert_eq!(later, [right, unproven], "nothing proves that it was used then");
    // Its life ended in 2022, and it says that it was used in 2026: nobody who says so is believed to mean well.
    let [_, life] = of_the_seal("SESV4SignDoc.ofd", true, within).unwrap();
    assert_eq!(life, (Failed, "verify.seal-life"));
    // Made by the very certificate that used it.
    let [maker, _] = of_the_seal("SignScaleError.ofd", true, datetime!(2022-11-01 00:00 UTC)).unwrap();
    assert_eq!(maker, (Indeterminate, "verify.seal-maker-own"));
}
