//! Every signed OFD of the foreign corpus, against what another reader says of it, and with one byte of each file changed.

use std::sync::Arc;

use time::OffsetDateTime;

use super::ofd::{repacked, unpacked};
use crate::ofd::package::Package;
use crate::ofd::reading::{Inside, Read, Reading};
use crate::ofd::signatures::{ENTRANCE, Kind};
use crate::pki::certificate::Certificate;
use crate::pki::trial;
use crate::ses::Version;
use crate::verify::report::{Outcome, SignatureReport};
use crate::verify::{Evidence, Report, Trust, judge};

/// What a signature is, what keeps it from passing where each signer and maker is believed by name, and the notes on what is written otherwise than the standards have it.
struct Expected {
    /// The end of the file's name.
    file: &'static str,
    signatures: &'static [(Form, &'static [&'static str], &'static [&'static str])],
    why: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Seal(Version),
    /// GB/T 35275 over attributes with the digest (standards 3.1, form B).
    Attributes,
}

const V4: Form = Form::Seal(Version::V4);

/// A value of GB/T 35275 as one maker makes it.
const YUNNAN: [&str; 2] = ["signature", "signing-certificate"];

/// The standards' sample list and the index, as far as their files are here.
const EXPECTED: &[Expected] = &[
    Expected { file: "/1.ofd", signatures: &[(V4, &[], &[])], why: "good (standards 1.3b)" },
    Expected {
        file: "/999.ofd",
        signatures: &[(V4, &["coverage"], &[])],
        why: "leaves OFD.xml open, which holds the invoice's data (standards 3.2)",
    },
    Expected {
        file: "/SignScaleError.ofd",
        signatures: &[(V4, &["seal-maker"], &["ofd.odd.order"])],
        why: "the signer made the seal himself",
    },
    Expected {
        file: "/testImageNotFound.ofd",
        signatures: &[
            (Form::Attributes, &["signature", "signing-certificate", "coverage"], &[]),
            (Form::Attributes, &YUNNAN, &[]),
        ],
        why: "attributes not in DER, and none that names the certificate; the first leaves two files open",
    },
    Expected {
        file: "/testImageOverridePage.ofd",
        signatures: &[
            (Form::Attributes, &["signature", "signing-certificate", "coverage"], &[]),
            (Form::Attributes, &YUNNAN, &[]),
        ],
        why: "attributes not in DER, and none that names the certificate; the first leaves two files open",
    },
    Expected { file: "/不规范资源路径.ofd", signatures: &[(V4, &[], &["ofd.odd.order"])], why: "good" },
    Expected {
        file: "/SESV4SignDoc.ofd",
        signatures: &[(
            V4,
            &["certificate-path", "seal-maker", "seal-life"],
            &["ofd.odd.order", "ofd.odd.digest-name"],
        )],
        why: "used in 2026, by its own words, with certificates and a seal that had ended in 2022",
    },
    Expected { file: "/v4signed.ofd", signatures: &[(V4, &[], &[])], why: "good (standards 1.4)" },
    Expected {
        file: "/gen_13_riding_seal.ofd",
        signatures: &[(
            V4,
            &["certificate-path", "seal-maker", "seal-life"],
            &["ofd.odd.order", "ofd.odd.digest-name"],
        )],
        why: "used in 2026, by its own words, with certificates and a seal that had ended in 2022",
    },
    Expected {
        file: "+esl-demo/test.ofd",
        signatures: &[(V4, &["coverage"], &["ofd.odd.place", "ofd.odd.value"])],
        why: "leaves OFD.xml open (standards 3.2)",
    },
    Expected {
        file: "/发票示例.ofd",
        signatures: &[(V4, &["references"], &[])],
        why: "Document.xml was changed; the index says so too",
    },
];

/// A row of the index.
struct Row {
    file: String,
    kind: String,
    /// What another reader says of each signature.
    said: Vec<String>,
    bytes: Vec<u8>,
}

fn rows() -> Vec<Row> {
    let Some(index) = trial::corpus("INDEX.tsv") else { return Vec::new() };
    let text = std::fs::read_to_string(index).unwrap();
    let row = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let (file, kind) = (*columns.first()?, *columns.get(1)?);
        let signed = ["ofd-signed", "ofd-signed-mismatch"].contains(&kind);
        signed.then(|| Row {
            file: file.to_owned(),
            kind: kind.to_owned(),
            said: columns[7].split(" | ").map(|one| format!("{} ", one.trim_start_matches("digest-check: "))).collect(),
            bytes: std::fs::read(trial::corpus(file).unwrap()).unwrap(),
        })
    };
    text.lines().filter_map(row).collect()
}

/// Who believes each signer and each maker of a package, when their certificates and their seals had all begun.
fn believer(bytes: &[u8]) -> (Arc<Trust>, OffsetDateTime) {
    let (mut anchors, mut begun) = (Vec::new(), Vec::new());
    for read in &Reading::of(bytes).unwrap().signatures {
        anchors.extend(read.certificate.clone());
        if let Inside::Seal(sealed) = &read.value {
            anchors.extend(Certificate::read(&sealed.seal.maker));
            begun.push(sealed.seal.valid_from);
            begun.extend(sealed.claimed_at);
        }
        if let Inside::Cms(signed) = &read.value {
            begun.extend(signed.signers[0].claimed_time());
        }
    }
    begun.extend(anchors.iter().map(|anchor| anchor.not_before));
    (Arc::new(Trust { anchors, ..Trust::default() }), begun.into_iter().max().unwrap())
}

fn judged(file: &str, bytes: &[u8], (trust, at): &(Arc<Trust>, OffsetDateTime)) -> Report {
    judge(&Evidence::open(file, bytes, trust.clone(), *at))
}

fn against(signature: &SignatureReport) -> Vec<&'static str> {
    let spoiled = signature.checks.iter().filter(|c| matches!(c.outcome, Outcome::Failed | Outcome::Indeterminate));
    spoiled.map(|check| check.id).collect()
}

fn form(read: &Read) -> Form {
    match &read.value {
        Inside::Seal(sealed) => Form::Seal(sealed.version),
        Inside::Cms(signed) if signed.signers[0].signed_attributes_raw.is_some() => Form::Attributes,
        other => panic!("{other:?}"),
    }
}

/// What the index says of one signature, in our words for it.
fn as_indexed(package: &Package<'_>, read: &Read, said: &str) -> String {
    let of = &read.signature;
    let kind = match (of.kind, said.contains("type=None ")) {
        (Kind::Seal, true) => "None",
        (Kind::Seal, false) => "Seal",
        (Kind::Sign, _) => "Sign",
    };
    let good = of.references.len() - read.changed.len() - read.missing.len();
    let names: Vec<&str> = read.changed.iter().map(|name| name.rsplit('/').next().unwrap()).collect();
    let seal = if of.seal.is_some() { "True" } else { "False" };
    // Its own count leaves the entrance out, as no list of most makers has it.
    let open = read.uncovered.iter().filter(|name| *name != ENTRANCE).count();
    format!(
        "type={kind} refs ok={good} mismatch={} missing={} mismatched={} unkalg=0 method={} check={} seal={seal} \
         signedvalue=DER {}B uncovered_files={open} ",
        read.changed.len(),
        read.missing.len(),
        if names.is_empty() { "-".into() } else { names.join(",") },
        of.method.as_deref().unwrap_or("None"),
        of.check_method.as_deref().unwrap_or("None"),
        package.entry(&of.value).unwrap().size,
    )
}

#[test]
fn every_signed_package_is_what_the_lists_say() {
    let rows = rows();
    let (mut left, mut faults) = (EXPECTED.iter().collect::<Vec<_>>(), Vec::new());
    for row in &rows {
        let place = left.iter().position(|expected| row.file.ends_with(expected.file));
        let expected = left.swap_remove(place.unwrap_or_else(|| panic!("{} is not in the list", row.file)));
        let package = Package::open(&row.bytes).unwrap();
        let reading = Reading::of(&row.bytes).unwrap();
        let report = judged(&row.file, &row.bytes, &believer(&row.bytes));
        assert_eq!(reading.signatures.len(), row.said.len(), "{}", row.file);
        for (read, said) in reading.signatures.iter().zip(&row.said) {
            assert_eq!(as_indexed(&package, read, said), *said, "{}", row.file);
        }
        let both = report.signatures.iter().zip(&reading.signatures);
        let found = both.map(|(signature, read)| {
            let odd = signature.checks.iter().filter(|check| check.id == "tolerance").map(|check| check.message.id);
            (form(read), against(signature), odd.collect::<Vec<_>>())
        });
        let found: Vec<_> = found.collect();
        let wanted = expected.signatures.iter().map(|(form, against, odd)| (*form, against.to_vec(), odd.to_vec()));
        let wanted: Vec<_> = wanted.collect();
        if found != wanted {
            faults.push(format!("{}: {found:?}, not {wanted:?} ({})", row.file, expected.why));
        }
        let passes = expected.signatures.iter().all(|(_, against, _)| against.is_empty());
        assert_eq!(report.verdict.is_genuine(), passes, "{}: {}", row.file, report.summary.en);
        assert_eq!(report.signatures.iter().all(|s| s.intact), row.kind == "ofd-signed", "{}", row.file);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    if !rows.is_empty() {
        let left: Vec<&str> = left.iter().map(|expected| expected.file).collect();
        assert!(left.is_empty(), "in the list and not in the corpus: {left:?}");
    }
}

/// What is caught in a file in which one byte was changed: a digest, the form, a value, or that the file is not signed at all.
/// Of a list of signatures that is left open for the next one only what it says counts.
fn silent(before: &Report, after: &Report, name: &str) -> Option<String> {
    let told = |report: &Report| -> Vec<String> {
        let checks = report.signatures.iter().flat_map(|s| s.checks.iter().filter(|c| c.outcome != Outcome::Info));
        checks.map(|check| format!("{} {:?} {}", check.id, check.outcome, check.message.zh)).collect()
    };
    let open = before
        .signatures
        .iter()
        .any(|s| s.checks.iter().any(|check| check.id == "coverage" && check.message.zh.contains(name)));
    let same = told(before) == told(after) && after.signatures.len() == before.signatures.len();
    (same && !open).then(|| format!("{name}: {}", after.summary.en))
}

/// One byte in each file of each valid package: nothing is silent.
fn mutate(of_each: usize) -> usize {
    let mut tried = 0;
    for row in rows().into_iter().filter(|row| row.kind == "ofd-signed") {
        let by = believer(&row.bytes);
        let before = judged(&row.file, &row.bytes, &by);
        let signatures = Reading::of(&row.bytes).unwrap().signatures;
        let files = unpacked(&row.bytes);
        for (place, (name, content)) in files.iter().enumerate().filter(|(_, (_, content))| !content.is_empty()) {
            let step = content.len().div_ceil(of_each).max(1);
            for at in (step / 2..content.len()).step_by(step) {
                let mut files = files.clone();
                // Not a letter's case, which is nothing where names of issuers are compared (RFC 5280 §7.1).
                files[place].1[at] ^= 1 << (at % 5);
                let changed = repacked(&files);
                tried += 1;
                let after = judged(&row.file, &changed, &by);
                let Some(said) = silent(&before, &after, name) else { continue };
                // In the open list: the same signatures, but for a number or a remark.
                assert!(name.ends_with("Signatures.xml"), "{} at {at}: {said}", row.file);
                let after = Reading::of(&changed).unwrap().signatures;
                let same = signatures.iter().zip(&after).all(|(one, other)| {
                    (&one.signature.path, one.signature.kind, &one.said)
                        == (&other.signature.path, other.signature.kind, &other.said)
                });
                assert!(same && after.len() == signatures.len(), "{} at {at}", row.file);
            }
        }
    }
    tried
}

#[test]
fn one_byte_changed_in_any_file_of_any_package_is_caught() {
    let tried = mutate(2);
    println!("{tried} changes");
    assert!(tried == 0 || tried > 250, "{tried}");
}

#[test]
#[ignore = "some minutes: many bytes of each file"]
fn many_bytes_changed_in_any_file_of_any_package_are_caught() {
    println!("{} changes", mutate(200));
}

/// The same in the archive itself, byte for byte: what it says of its files, and the files as they are packed. It is refused,
/// or told, or nothing of what is in it has changed (a date, a version, an attribute).
#[test]
fn one_byte_changed_in_the_archive_itself_is_caught() {
    let (mut tried, mut refused) = (0, 0);
    for row in rows().into_iter().filter(|row| row.kind == "ofd-signed" && row.bytes.len() < 50_000) {
        let by = believer(&row.bytes);
        let before = judged(&row.file, &row.bytes, &by);
        let files = unpacked(&row.bytes);
        for at in (0..row.bytes.len()).step_by(331) {
            let mut bytes = row.bytes.clone();
            bytes[at] ^= 1 << (at % 7);
            tried += 1;
            let Ok(package) = Package::open(&bytes) else {
                refused += 1;
                continue;
            };
            let same = package.entries().iter().map(|entry| Some((entry.name.clone(), package.unpack(entry).ok()?)));
            if same.collect::<Option<Vec<_>>>().is_some_and(|same| same == files) {
                continue;
            }
            let open =
                |name: &str| before.signatures.iter().any(|s| s.checks.iter().any(|c| c.message.zh.contains(name)));
            let changed = package
                .entries()
                .iter()
                .zip(&files)
                .filter(|(entry, (_, content))| package.unpack(entry).ok().as_ref() != Some(content));
            let names: Vec<&str> = changed.map(|(entry, _)| entry.name.as_str()).collect();
            let after = judged(&row.file, &bytes, &by);
            let told = after.signatures.is_empty() || after.signatures.iter().any(|s| !s.intact);
            assert!(told || names.iter().all(|name| open(name)), "{} at {at}: {names:?}", row.file);
        }
    }
    println!("{tried} changes, {refused} of them refused at once");
    assert!(tried == 0 || (tried > 400 && refused > 10), "{refused} of {tried}");
}
