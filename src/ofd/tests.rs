//! Packages of others, and packages made to be read in two ways.

use std::path::PathBuf;

use super::package::{Package, PackageFault};
use super::signatures::{Reference, Signatures, SignaturesFault, located};
use crate::crypto::sm2::sm3;

fn corpus() -> Option<PathBuf> {
    let corpus = PathBuf::from(std::env::var("YINXIN_CORPUS").unwrap_or_else(|_| "../shared/corpus".into()));
    corpus.join("INDEX.tsv").is_file().then_some(corpus)
}

/// Of every foreign package: its file, and what the upstream says of it.
fn packages(corpus: &std::path::Path) -> Vec<(String, Vec<u8>, String)> {
    let index = std::fs::read_to_string(corpus.join("INDEX.tsv")).unwrap();
    let lines = index.lines().map(|line| line.split('\t').collect::<Vec<_>>()).filter(|c| c[1].starts_with("ofd"));
    lines.map(|c| (c[0].to_owned(), std::fs::read(corpus.join(c[0])).unwrap(), c[7].to_owned())).collect()
}

#[test]
fn foreign_packages_are_opened_and_unpacked_whole() {
    let Some(corpus) = corpus() else { return };
    for (file, bytes, _) in packages(&corpus) {
        let package = Package::open(&bytes).unwrap_or_else(|fault| panic!("{file}: {fault}"));
        for entry in package.entries() {
            package.unpack(entry).unwrap_or_else(|fault| panic!("{file} {}: {fault}", entry.name));
        }
    }
}

#[test]
fn foreign_references_have_the_digests_that_another_reader_found() {
    let Some(corpus) = corpus() else { return };
    let (mut seen, mut open) = (0, Vec::new());
    for (file, bytes, found) in packages(&corpus) {
        let package = Package::open(&bytes).unwrap();
        let signatures = match Signatures::read(&package) {
            Ok(signatures) => signatures,
            Err(fault) => {
                // Its list of signatures is named and not there.
                assert_eq!(
                    (file.ends_with("/fptpl.ofd"), &fault),
                    (true, &SignaturesFault::Missing("Doc_0/Signs/Signatures.xml".into()))
                );
                continue;
            }
        };
        let mut said = found.split(" | ");
        for signature in &signatures.signatures {
            let fits = |reference: &&Reference| {
                let bytes = package.entry(&reference.file).map(|entry| package.unpack(entry).unwrap());
                bytes.is_some_and(|bytes| sm3(&bytes).as_slice() == reference.digest)
            };
            let good = signature.references.iter().filter(fits).count();
            let said = said.next().unwrap();
            let expected = format!("refs ok={good} mismatch={} ", signature.references.len() - good);
            assert!(said.contains(&expected), "{file}: {expected}, not {said}");
            seen += 1;
            let uncovered = signatures.uncovered(signature, &package);
            open.extend(uncovered.iter().map(|e| format!("{} {}", file.rsplit('/').next().unwrap(), e.name)));
        }
    }
    assert!(seen >= 10, "{seen}");
    // What the lists of these leave open; of the first, the invoice's own data (standards: 3.2).
    open.sort();
    assert_eq!(
        open,
        [
            "999.ofd OFD.xml",
            "test.ofd OFD.xml",
            "testImageNotFound.ofd Doc_0/Annots/Annotations.xml",
            "testImageNotFound.ofd OFD.xml",
            "testImageOverridePage.ofd Doc_0/Annots/Annotations.xml",
            "testImageOverridePage.ofd OFD.xml",
        ]
    );
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    for bytes in [&b""[..], b"PK", &[0; 100]] {
        assert_eq!(Package::open(bytes).unwrap_err(), PackageFault::NotZip);
    }
}

#[test]
fn places_lead_nowhere_outside() {
    for (file, place, path) in [
        ("OFD.xml", "Doc_0/Document.xml", Some("Doc_0/Document.xml")),
        ("Doc_0/Signs/Signatures.xml", "Sign_0/Signature.xml", Some("Doc_0/Signs/Sign_0/Signature.xml")),
        ("Doc_0/Signs/Signatures.xml", "//Doc_0/a.xml", Some("Doc_0/a.xml")),
        ("Doc_0/Signs/Signatures.xml", "../b.xml", Some("Doc_0/b.xml")),
        ("Doc_0/Signs/Signatures.xml", "../../../b.xml", None),
        ("OFD.xml", "/..", None),
        ("OFD.xml", "", None),
    ] {
        assert_eq!(located(file, place).as_deref(), path, "{place}");
    }
}
