//! OFD packages of others, and what happens to them when one byte is changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ofd::package::Package;
use crate::pdf::signatures::Coverage;
use crate::pki::trial;
use crate::verify::report::{Format, Outcome, Verdict};
use crate::verify::{Evidence, Report, Trust, judge};
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

#[test]
fn explore() {
    for (file, bytes) in trial::corpus_files(&["ofd-signed"]) {
        let report = judged(&file, &bytes);
        for s in &report.signatures {
            for c in s.checks.iter().filter(|c| c.id.starts_with("seal")) {
                eprintln!("{file} {} {:?} {} {}", c.id, c.outcome, c.message.id, c.message.en);
            }
        }
    }
}
