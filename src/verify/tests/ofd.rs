//! OFD packages of others, and what happens to them when one byte is changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ofd::package::Package;
use crate::pdf::signatures::Coverage;
use crate::pki::certificate::Certificate;
use crate::pki::trial;
use crate::ses::read_signature;
use crate::verify::report::{Format, Outcome, Verdict};
use crate::verify::{Evidence, Report, Trust, judge};
use time::OffsetDateTime;
use time::macros::datetime;

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
