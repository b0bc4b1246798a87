//! OFD packages of others, and what happens to them when one byte is changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::impression::Place;
use crate::ofd::package::Package;
use crate::pdf::signatures::Coverage;
use crate::pki::certificate::Certificate;
use crate::pki::trial;
use crate::ses::read_signature;
use crate::verify::report::{Format, Outcome, Verdict};
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

fn packages() -> Vec<(String, &'static str, Vec<u8>)> {
    let kinds = ["ofd-signed", "ofd-signed-mismatch", "ofd-unsigned", "ofd-malformed"];
    let of = |kind| trial::corpus_files(&[kind]).into_iter().map(move |(file, bytes)| (file, kind, bytes));
    kinds.into_iter().flat_map(of).collect()
}

/// Nobody's root is trusted here, so nothing passes; what is looked at is whether values, digests and lists hold.
#[test]
fn foreign_packages_are_judged_as_expected() {
    let mut seen: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for (file, kind, bytes) in packages() {
        let report = judged(&file, &bytes);
        let said: Vec<String> = report
            .signatures
            .iter()
            .flat_map(|s| &s.checks)
            .filter(|c| matches!(c.outcome, Outcome::Failed | Outcome::Indeterminate))
            .map(|c| format!("{}: {}", c.id, c.message.zh))
            .collect();
        let intact = !report.signatures.is_empty() && report.signatures.iter().all(|s| s.intact);
        match kind {
            "ofd-signed" => assert!(intact, "{file}: {said:#?}"),
            "ofd-signed-mismatch" => {
                assert!(!intact && matches!(report.verdict, Verdict::Failed(_)), "{file}: {said:#?}");
            }
            _ => assert!(report.signatures.is_empty(), "{file}"),
        }
        assert!(!report.verdict.is_genuine(), "{file}");
        let whole = report.signatures.iter().filter(|s| s.coverage == Coverage::Whole).count();
        let line = seen.entry(kind).or_default();
        *line = (line.0 + 1, line.1 + usize::from(intact), line.2 + whole);
        eprintln!("{file}: {} {said:?}", report.summary.zh);
    }
    for (kind, (files, intact, whole)) in seen {
        eprintln!("{kind:22} files {files:3} intact {intact:3} signatures over the whole {whole:3}");
    }
}

/// A stored file of a package, changed without its checksum complaining.
fn changed(bytes: &[u8], name: &str) -> Option<Vec<u8>> {
    let package = Package::open(bytes).unwrap();
    let entry = package.entry(name)?;
    let mut content = package.unpack(entry).unwrap();
    let at = content.iter().rposition(u8::is_ascii_digit)?;
    content[at] = if content[at] == b'9' { b'8' } else { content[at] + 1 };
    let mut files: Vec<(String, Vec<u8>)> =
        package.entries().iter().map(|e| (e.name.clone(), package.unpack(e).unwrap())).collect();
    files.iter_mut().find(|(n, _)| n == name)?.1 = content;
    Some(crate::ofd::package::write(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))))
}

#[test]
fn every_file_of_the_list_counts_and_what_it_leaves_open_is_said() {
    for (file, bytes) in
        trial::corpus_files(&["ofd-signed"]).into_iter().filter(|(file, _)| file.ends_with("/v4signed.ofd"))
    {
        let before = judged(&file, &bytes);
        assert!(before.signatures[0].intact && before.signatures[0].coverage == Coverage::Whole);
        let names: Vec<String> = Package::open(&bytes).unwrap().entries().iter().map(|e| e.name.clone()).collect();
        for name in names.iter().filter(|name| !name.ends_with("Signatures.xml")) {
            let Some(bytes) = changed(&bytes, name) else { continue };
            let report = judged(&file, &bytes);
            assert!(report.signatures.iter().all(|s| !s.intact), "{name} was changed");
        }
    }
}

/// A licence of two empty pages under a seal of ours.
fn licence(house: &House, made: &Made, lock: bool) -> Vec<u8> {
    saying(house, made, lock, &[("ZZBH", "1")])
}

/// The same with these elements of GB/T 36903.
pub(super) fn saying(house: &House, made: &Made, lock: bool, data: &[(&str, &str)]) -> Vec<u8> {
    let page = || Page { width_mm: 210.0, height_mm: 297.0, objects: Vec::new() };
    let draft = crate::ofd::write::write(&Document {
        id: [7; 16],
        title: "证照".into(),
        author: "汶川县教育局".into(),
        made_on: SEALED.date(),
        data: data.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        faces: Vec::new(),
        pictures: Vec::new(),
        pages: vec![page(), page()],
        attachments: Vec::new(),
    });
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
fn in_register(house: &House, bytes: &[u8]) -> Report {
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

    let package = Package::open(&bytes).unwrap();
    let files: Vec<(String, Vec<u8>)> =
        package.entries().iter().map(|e| (e.name.clone(), package.unpack(e).unwrap())).collect();
    for (place, (name, content)) in files.iter().enumerate() {
        for at in (0..content.len()).step_by((content.len() / 12).max(1)) {
            let mut files = files.clone();
            files[place].1[at] ^= 1;
            let changed =
                crate::ofd::package::write(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
            let report = in_register(&house, &changed);
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
    let unknown = (Indeterminate, "pki.path-no-anchor");
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
