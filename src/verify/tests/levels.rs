//! PAdES levels of one certified document (DocMDP 1: nothing may change), made step by step: what each step adds, and what
//! our judge and other programs say of it. The keys, the time stamp authority and its clock are the tests' own.

use std::path::Path;
use std::process::{Command, Output};

use super::stamps::{Tsa, at, stamped_as};
use super::*;
use crate::pdf::PdfError;
use crate::pdf::changes::LaterChanges;
use crate::pdf::long_term::{Material, add_evidence, prepare_stamp};
use crate::pdf::signatures::{self, Coverage};

/// An OCSPResponse that gives no answer (RFC 6960 §4.2.1, unauthorized): enough to be filed.
const RESPONSE: [u8; 5] = [0x30, 3, 0x0a, 1, 6];

/// Ten years on: the seal's certificate ended in 2028, the first authority's in 2030.
const TEN_YEARS_ON: OffsetDateTime = datetime!(2035-12-20 00:00 UTC);

/// Every certificate and list that shows the house's seal and this authority to be good.
fn material(house: &House, tsa: &Tsa) -> Material {
    let certificates = [&house.pki.root, &house.pki.issuing, &tsa.certificate].map(|c| c.der().to_vec()).to_vec();
    let lists = house.trust().lists.iter().map(|list| list.der().to_vec()).collect();
    Material { certificates, lists, responses: Vec::new() }
}

fn with_evidence(file: &[u8], material: &Material) -> Vec<u8> {
    [file, &add_evidence(file, material).unwrap()].concat()
}

struct Levels {
    house: House,
    b: Vec<u8>,
    t: Vec<u8>,
    lt: Vec<u8>,
    lta: Vec<u8>,
    /// Stamped anew before the first authority ends, with fresh evidence for its stamp.
    renewed: Vec<u8>,
    /// The authority whose stamp is the last one.
    second: Tsa,
}

fn levels(draft: &[u8]) -> Levels {
    let certify = Some(Certification::NoChanges);
    let mut house = House::new();
    house.lists_at = SEALED + Duration::DAY;
    let first = Tsa::of(&house, datetime!(2030-01-01 00:00 UTC));
    let b = seal(draft, &house, SEALED, certify);
    let t = stamped_as(draft, &house, &first, SEALED, certify, &at(SEALED + Duration::MINUTE));
    let lt = with_evidence(&t, &material(&house, &first));
    let lta = first.over(&lt, &at(SEALED + Duration::DAY + Duration::MINUTE));
    let renewal = datetime!(2029-06-01 00:00 UTC);
    house.lists_at = renewal;
    let second = Tsa::of(&house, datetime!(2035-12-25 00:00 UTC));
    let renewed = with_evidence(&lta, &material(&house, &first));
    let renewed = second.over(&renewed, &at(renewal + Duration::MINUTE));
    Levels { house, b, t, lt, lta, renewed, second }
}

/// Judged by somebody who trusts the root and has nothing but the file.
fn by_the_file_alone(house: &House, file: &[u8], now: OffsetDateTime) -> Report {
    let trust = Trust { anchors: house.anchors.clone(), ..Trust::default() };
    judge(&Evidence::open("文书.pdf", file, Arc::new(trust), now))
}

#[test]
fn each_level_carries_further_than_the_one_below() {
    let levels = levels(&draft("Permit No. 4"));
    let soon = SEALED + Duration::days(3);
    let verdict = |file: &[u8], now| by_the_file_alone(&levels.house, file, now).verdict;

    // B-B and B-T need lists from elsewhere, B-LT brings them along.
    assert!(!verdict(&levels.b, soon).is_genuine());
    assert!(!verdict(&levels.t, soon).is_genuine());
    for (name, file) in [("B-LT", &levels.lt), ("B-LTA", &levels.lta)] {
        let report = by_the_file_alone(&levels.house, file, soon);
        assert!(report.verdict.is_genuine(), "{name} {report:#?}");
    }

    // Ten years on only what was renewed in time holds; the last stamp is judged by lists of that day.
    let mut house = levels.house;
    house.lists_at = TEN_YEARS_ON;
    let then = |file: &[u8]| judge(&Evidence::open("文书.pdf", file, Arc::new(house.trust()), TEN_YEARS_ON));
    let report = then(&levels.renewed);
    assert!(report.verdict.is_genuine(), "{report:#?}");
    for file in [&levels.b, &levels.t, &levels.lt, &levels.lta] {
        assert!(!then(file).verdict.is_genuine());
    }
}

#[test]
fn what_is_added_changes_nothing_that_was_certified() {
    let levels = levels(&draft("Permit No. 4"));
    for (name, file, before) in
        [("B-LT", &levels.lt, &levels.t), ("B-LTA", &levels.lta, &levels.lt), ("renewed", &levels.renewed, &levels.lta)]
    {
        assert!(file.starts_with(before), "{name}");
        let reading = signatures::read(&file[..]).unwrap();
        let seal = &reading.signatures[0];
        assert_eq!(seal.certification, Some(1), "{name}");
        assert_eq!((seal.coverage, seal.later_changes), (Coverage::Partial, LaterChanges::Allowed), "{name}");
        assert!(reading.findings.is_empty(), "{name} {:?}", reading.findings);
        assert!(reading.signatures.iter().all(|s| s.findings.is_empty()), "{name} {:?}", reading.signatures);
        assert!(reading.signatures[1..].iter().all(|s| s.is_time_stamp), "{name}");
        // The newest signature before the evidence has an entry of its own, and every item in it is found.
        let entry = reading.validation.about(seal).unwrap_or_else(|| panic!("{name} has no entry for the seal"));
        assert_eq!((entry.certificates.len(), entry.lists.len()), (3, 2), "{name}");
    }
    let reading = signatures::read(&levels.renewed[..]).unwrap();
    let stamp = reading.validation.about(&reading.signatures[1]).expect("an entry for the first stamp");
    assert_eq!((stamp.certificates.len(), stamp.lists.len()), (3, 2));
    // The second time the certificates were there already; only the lists are new.
    assert_eq!((reading.validation.certificates.len(), reading.validation.lists.len()), (3, 4));
}

#[test]
fn nothing_is_stored_twice() {
    let levels = levels(&draft("Permit No. 4"));
    let again = add_evidence(&levels.lt, &material_of(&levels.lt)).unwrap();
    assert!(again.is_empty(), "{}", String::from_utf8_lossy(&again));

    // The same item twice in one hand, and a response beside it.
    let certificate = levels.second.certificate.der().to_vec();
    let mut material = material_of(&levels.lt);
    material.certificates.extend([certificate.clone(), certificate.clone()]);
    material.responses.push(RESPONSE.to_vec());
    let tail = add_evidence(&levels.lt, &material).unwrap();
    assert_eq!(tail.windows(certificate.len()).filter(|window| *window == certificate).count(), 1);
    let reading = signatures::read(&[&levels.lt[..], &tail].concat()).unwrap();
    let data = &reading.validation;
    assert_eq!((data.certificates.len(), data.lists.len(), data.responses.len()), (4, 2, 1));
    assert_eq!((data.responses[0].der.as_slice(), data.findings.len()), (&RESPONSE[..], 0));
    let entry = data.about(&reading.signatures[0]).unwrap();
    assert_eq!((data.by_signature.len(), entry.certificates.len(), entry.responses.len()), (1, 4, 1));
    assert_eq!(reading.signatures[0].later_changes, LaterChanges::Allowed, "{:?}", reading.signatures[0].changes);

    assert_eq!(add_evidence(&draft("x"), &material), Err(PdfError::NotSigned));
    let many = Material { lists: (0..4096u32).map(|n| n.to_be_bytes().to_vec()).collect(), ..Material::default() };
    assert!(matches!(add_evidence(&levels.t, &many), Err(PdfError::OverLimit { .. })));
    let limit = crate::limits::PDF_CMS_BYTES;
    assert!(matches!(prepare_stamp(&levels.t, limit + 1), Err(PdfError::OverLimit { .. })));
}

/// What the file's own store holds.
fn material_of(file: &[u8]) -> Material {
    let data = signatures::read(file).unwrap().validation;
    let all = |items: Vec<crate::pdf::validation::Item>| items.into_iter().map(|item| item.der).collect();
    Material { certificates: all(data.certificates), lists: all(data.lists), responses: all(data.responses) }
}

/// A store that another writer made of objects of its own, lists apart from the dictionaries, is added to as it is.
#[test]
fn a_store_of_separate_objects_grows_in_its_place() {
    let levels = levels(&draft("Permit No. 4"));
    let mut file = levels.t.clone();
    let certificate = levels.house.pki.root.der();
    let digits = hex::encode_upper(certificate);
    let store = format!(
        "<</Certs 91 0 R/VRI 92 0 R>>|[93 0 R]|<<>>|<</Filter/ASCIIHexDecode/Length {}>>\nstream\n{digits}>\nendstream",
        digits.len() + 1
    );
    let catalog = {
        let text = String::from_utf8_lossy(&file).into_owned();
        let at = text.rfind("\n1 0 obj\n").unwrap() + 9;
        let body = text[at..].split("\nendobj").next().unwrap().to_owned();
        body.strip_suffix(">>").unwrap().to_owned() + "/DSS 90 0 R>>"
    };
    let objects = std::iter::once((1, catalog.as_str())).chain((90..).zip(store.split('|')));
    let previous = {
        let text = String::from_utf8_lossy(&file).into_owned();
        text.rsplit("startxref\n").next().unwrap().lines().next().unwrap().to_owned()
    };
    let mut table = String::from("xref\n");
    for (number, body) in objects {
        table.push_str(&format!("{number} 1\n{:010} 00000 n \n", file.len()));
        file.extend(format!("{number} 0 obj\n{body}\nendobj\n").into_bytes());
    }
    let start = file.len();
    file.extend(
        format!("{table}trailer\n<</Size 94/Root 1 0 R/Prev {previous}>>\nstartxref\n{start}\n%%EOF\n").into_bytes(),
    );
    assert_eq!(signatures::read(&file[..]).unwrap().validation.certificates.len(), 1);

    let tail = add_evidence(&file, &material_of(&levels.lt)).unwrap();
    let text = String::from_utf8_lossy(&tail);
    assert!(!text.contains("/Type/Catalog") || text.contains("/Extensions"), "{text}");
    assert!(["\n90 0 obj", "\n91 0 obj"].iter().all(|head| text.contains(head)), "{text}");
    let reading = signatures::read(&[&file[..], &tail].concat()).unwrap();
    assert_eq!((reading.validation.certificates.len(), reading.validation.lists.len()), (3, 2));
    assert_eq!(reading.signatures[0].later_changes, LaterChanges::Allowed, "{:?}", reading.signatures[0].changes);
    assert!(reading.validation.about(&reading.signatures[0]).is_some());
}

// — other programs

#[test]
#[cfg(feature = "service")]
fn pyhanko_and_pdfsig_say_the_same() {
    let levels = levels(&archival_draft());
    let folder = tempfile::tempdir().unwrap();
    write_levels(folder.path(), &levels);
    match run(folder.path(), "pdfsig", &["-v"]) {
        Err(error) => eprintln!("SKIPPED: pdfsig is not here: {error}"),
        Ok(_) => {
            for (file, signatures) in [("b.pdf", 1), ("t.pdf", 1), ("lt.pdf", 1), ("lta.pdf", 2), ("renewed.pdf", 3)] {
                let said = run(folder.path(), "pdfsig", &["-nocert", file]).unwrap();
                let said = String::from_utf8_lossy(&said.stdout).into_owned();
                // It knows seals; of a document time stamp it says that it has not verified it.
                let count = |words| said.matches(words).count();
                assert_eq!((count("Signature is Valid."), count("\nSignature #")), (1, signatures), "{file} {said}");
                assert!(!said.contains("Invalid"), "{file} {said}");
            }
        }
    }
    let home = std::env::var_os("HOME").unwrap_or_default();
    let peers = std::env::var_os("YINXIN_PEERS").map_or(Path::new(&home).join(".cache/yinxin/peers"), Into::into);
    let python = peers.join("bin/python");
    if !python.exists() {
        eprintln!("SKIPPED: pyHanko is not here (scripts/setup bench)");
        return;
    }
    std::fs::write(folder.path().join("levels.py"), include_str!("levels.py")).unwrap();
    let judged = |file: &str, now: OffsetDateTime| {
        let now = now.unix_timestamp().to_string();
        let output = run(folder.path(), python.to_str().unwrap(), &["levels.py", file, &now]).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let soon = SEALED + Duration::days(3);
    for file in ["lt.pdf", "lta.pdf"] {
        assert_eq!(judged(file, soon), "PASSED LTA_UPDATES", "{file}");
    }
    // It can say no: what brings no evidence, and what was not renewed before its stamp's authority ended.
    for (file, now) in [("t.pdf", soon), ("lta.pdf", TEN_YEARS_ON)] {
        assert!(judged(file, now).starts_with("AdESIndeterminate"), "{file}");
    }
}

#[cfg(feature = "service")]
fn run(folder: &Path, program: &str, arguments: &[&str]) -> std::io::Result<Output> {
    Command::new(program).current_dir(folder).args(arguments).output()
}

/// A PDF/A-3b page from the press.
#[cfg(feature = "service")]
fn archival_draft() -> Vec<u8> {
    use crate::render::{DEBIAN_FONTS, RenderSettings, Renderer};
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let example = std::fs::read(templates.join("approval-decision/example.json")).unwrap();
    let renderer = Renderer::load(&RenderSettings { templates, fonts: vec![DEBIAN_FONTS.into()] }).unwrap();
    let data = serde_json::from_slice(&example).unwrap();
    renderer.render("approval-decision", &data, "levels", SEALED).unwrap().pdf
}

#[cfg(feature = "service")]
fn write_levels(folder: &Path, levels: &Levels) {
    let Levels { b, t, lt, lta, renewed, house, .. } = levels;
    for (name, bytes) in [("b", b), ("t", t), ("lt", lt), ("lta", lta), ("renewed", renewed)] {
        std::fs::write(folder.join(format!("{name}.pdf")), bytes).unwrap();
    }
    std::fs::write(folder.join("root.der"), house.pki.root.der()).unwrap();
}
