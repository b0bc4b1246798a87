//! The report's other forms: the XML of ETSI TS 119 102-2 against the order of its schema, the page, the paper.

use std::collections::{BTreeMap, BTreeSet};

use usvg::roxmltree::{Document, Node};

use super::super::report::{Original, etsi, html, print};
use super::*;

/// Children of each element in the schema's order (TS 119 102-2 V1.4.1 annex B.1): `?` may be missing, `*` may be
/// missing or repeated, `+` may be repeated. Elements that are not named here hold text, or nothing.
const SCHEMA: &[(&str, &str)] = &[
    ("ValidationReport", "SignatureValidationReport+ SignatureValidationObjects? SignatureValidator? Signature?"),
    ("SignatureValidationReport", REPORT),
    ("SignatureIdentifier", "DigestAlgAndValue? SignatureValue? HashOnly DocHashOnly DAIdentifier? OtherInformation?"),
    ("DigestAlgAndValue", "DigestMethod DigestValue"),
    ("ValidationConstraintsEvaluationReport", "SignatureValidationPolicy? ValidationConstraint*"),
    (
        "SignatureValidationPolicy",
        "SignaturePolicyIdentifier PolicyName? FormalPolicyURI? ReadablePolicyURI? FormalPolicyObject?",
    ),
    ("SignaturePolicyIdentifier", "SignaturePolicyImplied"),
    (
        "ValidationConstraint",
        "ValidationConstraintIdentifier ValidationConstraintParameter* ConstraintStatus ValidationStatus? Indications?",
    ),
    ("ConstraintStatus", "Status OverriddenBy?"),
    ("ValidationStatus", "MainIndication SubIndication* AssociatedValidationReportData*"),
    ("SignatureValidationStatus", "MainIndication SubIndication* AssociatedValidationReportData*"),
    ("ValidationTimeInfo", "ValidationTime BestSignatureTime"),
    ("BestSignatureTime", "POETime TypeOfProof POEObject?"),
    ("SignersDocument", "DigestAlgAndValue SignersDocumentRepresentation? SignersDocumentRef?"),
    ("SigningTime", "AttributeObject* Time"),
    ("SigningCertificate", "AttributeObject* CertID*"),
    ("MessageDigest", "AttributeObject* Digest"),
    ("SignatureTimeStamp", "AttributeObject* TimeStampValue"),
    ("Reason", "AttributeObject* ReasonElement"),
    ("Name", "AttributeObject* NameElement"),
    ("SubFilter", "AttributeObject* SubFilterElement"),
    ("SignerInformation", "SignerCertificate Signer? OtherInformation?"),
    ("SignatureValidationProcess", "SignatureValidationProcessID? SignatureValidationServicePolicy?"),
    (
        "AssociatedValidationReportData",
        "TrustAnchor? CertificateChain? RelatedValidationObject* RevocationStatusInformation? CryptoInformation? AdditionalValidationReportData?",
    ),
    ("CertificateChain", "SigningCertificate IntermediateCertificate* TrustAnchor? OtherInformation?"),
    ("CryptoInformation", "ValidationObjectId Algorithm AlgorithmParameters? SecureAlgorithm NotAfter?"),
    ("AdditionalValidationReportData", "ReportData+"),
    ("ReportData", "Type Value"),
    ("SignatureValidationObjects", "ValidationObject+"),
    ("ValidationObject", "ObjectType ValidationObjectRepresentation POE? POEProvisioning? ValidationReport?"),
];
const REPORT: &str = "SignatureIdentifier? ValidationConstraintsEvaluationReport? ValidationTimeInfo? SignersDocument? \
    SignatureAttributes? SignerInformation? SignatureQuality? SignatureValidationProcess? SignatureValidationStatus OtherInformation?";
/// A choice of any, one at least.
const CHOICES: [&str; 2] = ["SignatureAttributes", "ValidationObjectRepresentation"];

/// The first thing that the schema does not allow.
fn complaint(text: &str) -> Option<String> {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => return Some(error.to_string()),
    };
    let schema: BTreeMap<&str, &str> = SCHEMA.iter().copied().collect();
    let elements = || document.descendants().filter(Node::is_element);
    let (mut ids, mut told) = (BTreeSet::new(), Vec::new());
    for node in elements() {
        let name = node.tag_name().name();
        let children: Vec<&str> = node.children().filter(Node::is_element).map(|n| n.tag_name().name()).collect();
        // The two places where a name means another type.
        let nested = name == "ValidationReport" && node.parent_element().is_some();
        let order = if nested { Some(&REPORT) } else { schema.get(name) };
        let referring = node.attribute("VOReference").is_some();
        match order {
            Some(_) if referring && children.is_empty() => {}
            Some(order) if in_order(order, &children) => {}
            Some(order) => return Some(format!("{name}: {children:?} is not {order}")),
            None if CHOICES.contains(&name) && !children.is_empty() => {}
            None if children.is_empty() => {}
            None => return Some(format!("{name} is not expected to have children: {children:?}")),
        }
        if node.attribute("id").is_some_and(|id| !ids.insert(id.to_owned())) {
            return Some(format!("{name}: an id twice"));
        }
        told.extend(node.attribute("VOReference").map(str::to_owned));
    }
    told.into_iter().find(|id| !ids.contains(id)).map(|id| format!("nothing is called {id}"))
}

fn in_order(order: &str, children: &[&str]) -> bool {
    let mut rest = children;
    for item in order.split_whitespace() {
        let name = item.trim_end_matches(['?', '*', '+']);
        let run = rest.iter().take_while(|child| **child == name).count();
        let fits = match item.chars().last() {
            Some('?') => run <= 1,
            Some('*') => true,
            Some('+') => run >= 1,
            _ => run == 1,
        };
        if !fits {
            return false;
        }
        rest = &rest[run..];
    }
    rest.is_empty()
}

fn evidence(house: &House, bytes: &[u8], record: Option<Record>) -> Evidence {
    let mut evidence = Evidence::open("<文书>\u{1}.pdf", bytes, Arc::new(house.trust()), NOW);
    evidence.facts.fill(Facts::Filed {
        seal: house.seal(),
        logged_since: None,
        chain: Vec::new(),
        record: record.map(Box::new),
    });
    evidence
}

fn texts(xml: &str, name: &str) -> Vec<String> {
    let document = Document::parse(xml).unwrap();
    let found = document.descendants().filter(|node| node.has_tag_name(("http://uri.etsi.org/19102/v1.4.1#", name)));
    found.map(|node| node.text().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_schema_of_these_tests_complains() {
    let good = "<ValidationReport><SignatureValidationReport><SignatureValidationStatus><MainIndication>x</MainIndication>\
        </SignatureValidationStatus></SignatureValidationReport></ValidationReport>";
    assert_eq!(complaint(good), None);
    assert!(complaint("<ValidationReport/>").is_some());
    assert!(complaint(&good.replace("MainIndication", "Main")).is_some());
    assert!(
        complaint(
            &good.replace(
                "</ValidationReport>",
                "<SignatureValidator/><SignatureValidationObjects/></ValidationReport>"
            )
        )
        .is_some()
    );
}

#[test]
fn a_genuine_document_in_the_words_of_the_standard() {
    let house = House::new();
    let bytes = notice(&house, SEALED);
    let evidence = evidence(&house, &bytes, sealed());
    let report = judge(&evidence);
    let xml = etsi::xml(&report, &evidence, &Original::of(&bytes));
    assert_eq!(complaint(&xml), None, "{xml}");
    let urn = |kind: &str, word: &str| format!("urn:etsi:019102:{kind}:{word}");
    assert_eq!(texts(&xml, "MainIndication").last().unwrap(), &urn("mainindication", "total-passed"));
    assert!(!texts(&xml, "MainIndication").contains(&urn("mainindication", "failed")));
    assert_eq!(texts(&xml, "TypeOfProof"), [urn("poetype", "provided")]);
    assert_eq!(texts(&xml, "POETime"), ["2026-03-01T02:00:01Z"]);
    assert_eq!(texts(&xml, "ValidationConstraintIdentifier").len(), report.signatures[0].checks.len());
    // Signer, its issuer and the root, and the document itself.
    let kinds = texts(&xml, "ObjectType");
    assert_eq!(kinds.iter().filter(|kind| **kind == urn("validationObject", "certificate")).count(), 3, "{kinds:?}");
    assert_eq!(texts(&xml, "IntermediateCertificate").len(), 1);
    let mut data = texts(&xml, "Type").into_iter().zip(texts(&xml, "Value"));
    assert_eq!(data.find(|(name, _)| name.ends_with(":pades-level")).unwrap().1, "B-B");
    assert_eq!(print(&report, &Original::of(&bytes))["signatures"][0]["level"], "PAdES B-B（仅签名）");
}

#[test]
fn what_did_not_pass_says_why() {
    let house = House::new();
    let mut bytes = notice(&house, SEALED);
    let at = bytes.windows(8).position(|window| window == b"Permit N").unwrap();
    bytes[at] = b'Q';
    let evidence = evidence(&house, &bytes, sealed());
    let xml = etsi::xml(&judge(&evidence), &evidence, &Original::of(&bytes));
    assert_eq!(complaint(&xml), None, "{xml}");
    assert_eq!(texts(&xml, "MainIndication").last().unwrap(), "urn:etsi:019102:mainindication:total-failed");
    assert_eq!(texts(&xml, "SubIndication").last().unwrap(), "urn:etsi:019102:subindication:HASH_FAILURE");
}

#[test]
fn a_file_without_signatures_has_a_status_all_the_same() {
    for bytes in [draft("none"), b"no document at all".to_vec(), b"%PDF-1.7 and no more".to_vec(), Vec::new()] {
        let house = House::new();
        let evidence = evidence(&house, &bytes, None);
        let report = judge(&evidence);
        let xml = etsi::xml(&report, &evidence, &Original::of(&bytes));
        assert_eq!(complaint(&xml), None, "{xml}");
        assert_eq!(texts(&xml, "MainIndication"), ["urn:etsi:019102:mainindication:indeterminate"]);
        assert!(html(&report).contains("无法确认"));
        assert_eq!(print(&report, &Original::of(&bytes))["signatures"], serde_json::json!([]));
    }
}

/// Whatever the corpus brings, every form of the report is well formed.
#[test]
fn every_file_of_the_corpus_has_its_forms() {
    let Some(root) = std::env::var_os("YINXIN_CORPUS").map(std::path::PathBuf::from) else {
        return eprintln!("SKIPPED: YINXIN_CORPUS is not set");
    };
    let index = std::fs::read_to_string(root.join("INDEX.tsv")).unwrap();
    let mut seen = 0;
    // Every fifth file; the whole corpus is the judge's own test.
    for line in index.lines().skip(1).filter(|line| line.contains(".pdf\t")).step_by(5) {
        let Ok(bytes) = std::fs::read(root.join(line.split('\t').next().unwrap())) else { continue };
        if bytes.len() > 2 << 20 {
            continue;
        }
        let evidence = Evidence::open(line, &bytes, Arc::new(Trust::default()), NOW);
        let report = judge(&evidence);
        assert_eq!(complaint(&etsi::xml(&report, &evidence, &Original::of(&bytes))), None, "{line}");
        let page = html(&report);
        assert!(page.contains(report.verdict.indication()) && !page.contains("<script"), "{line}");
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}
