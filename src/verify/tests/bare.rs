//! A CMS by itself: what it signs may be inside it, given beside it, or missing.

use std::sync::Arc;

use crate::cms;
use crate::crypto::{self, KeyAlgorithm};
use crate::pki::certificate::to_pem;
use crate::pki::trial::{self, Hierarchy, Key, corpus_files};
use crate::verify::report::{Format, Outcome, SignatureKind, SubIndication, Verdict};
use crate::verify::{Evidence, Report, Trust, judge};

const CONTENT: &[u8] = "准予行政许可决定书".as_bytes();

fn detached(made: &Hierarchy) -> Vec<u8> {
    let attributes = cms::signed_attributes(crypto::Digest::Sha256, &crypto::sha256(CONTENT), made.seal.der(), None);
    let value = made.seal_key.sign(&attributes);
    let certificates = [made.seal.der().to_vec(), made.issuing.der().to_vec()];
    cms::assemble(&attributes, &value, KeyAlgorithm::EcdsaP256, &certificates, None).unwrap()
}

fn judged(bytes: Vec<u8>, content: Option<&[u8]>, trust: Trust) -> Report {
    let mut evidence = Evidence::open("it.p7s", bytes, Arc::new(trust), trial::MADE + time::Duration::days(30));
    evidence.content = content.map(<[u8]>::to_vec);
    let report = judge(&evidence);
    assert_eq!(report.format, Format::Cms);
    report
}

/// Root and lists of both authorities.
fn trust(made: &Hierarchy) -> Trust {
    let until = trial::MADE + time::Duration::days(60);
    let list =
        |issuer, key: &Key| key.finish(crate::pki::issue::revocation_list(issuer, 1, trial::MADE, until, &[]).unwrap());
    let lists = [list(&made.root, &made.root_key), list(&made.issuing, &made.issuing_key)];
    let pems = lists.map(|list| to_pem("X509 CRL", &list)).concat();
    let root = to_pem("CERTIFICATE", made.root.der());
    Trust::read([root.as_bytes(), pems.as_bytes()]).0
}

#[test]
fn a_detached_signature_is_judged_over_the_content_given() {
    let made = Hierarchy::of(Key::p256);
    let good = judged(detached(&made), Some(CONTENT), trust(&made));
    assert!(good.verdict.is_genuine(), "{good:#?}");
    assert!(good.signatures[0].intact && good.signatures[0].trusted);
    // PEM is the same.
    let pem = to_pem("CMS", &detached(&made)).into_bytes();
    assert!(judged(pem, Some(CONTENT), trust(&made)).verdict.is_genuine());

    let other = judged(detached(&made), Some(b"other"), trust(&made));
    assert_eq!(other.verdict, Verdict::Failed(SubIndication::HashFailure));
    assert!(!other.signatures[0].intact);
    let without = judged(detached(&made), None, trust(&made));
    assert_eq!(without.verdict, Verdict::Indeterminate(SubIndication::SignedDataNotFound));
    assert!(
        !without.signatures[0].intact && without.summary.zh.contains("没有提供被签名的内容"),
        "{}",
        without.summary.zh
    );
    let stranger = judged(detached(&made), Some(CONTENT), Trust::default());
    assert_eq!(stranger.verdict, Verdict::Indeterminate(SubIndication::NoCertificateChainFound));
    assert!(stranger.signatures[0].intact && !stranger.signatures[0].trusted);
}

#[test]
fn content_inside_and_content_given_must_be_one() {
    let made = Hierarchy::of(Key::p256);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let content = trial::put(folder.path(), "content", CONTENT);
    let line =
        format!("req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout {} -out {}", path("key"), path("certificate"));
    trial::openssl_accepts(&line.split(' ').collect::<Vec<_>>());
    let line = format!(
        "cms -sign -binary -nodetach -cades -in {content} -signer {} -inkey {} -outform DER -out {}",
        path("certificate"),
        path("key"),
        path("cms")
    );
    trial::openssl_accepts(&line.split(' ').collect::<Vec<_>>());
    let bytes = std::fs::read(path("cms")).unwrap();
    for given in [None, Some(CONTENT)] {
        let report = judged(bytes.clone(), given, trust(&made));
        assert!(report.signatures[0].intact);
        assert_eq!(report.signatures[0].checks[0].outcome, Outcome::Passed);
    }
    let report = judged(bytes, Some(b"other"), trust(&made));
    assert!(!report.signatures[0].intact && !report.verdict.is_genuine());
    assert_eq!(report.signatures[0].checks[0].message.id, "verify.two-contents");
}

#[test]
fn every_signer_of_a_cms_is_judged() {
    let (made, other) = (Hierarchy::of(Key::p256), Hierarchy::of(Key::p256));
    let mut evidence =
        Evidence::open("it.p7s", detached(&made), Arc::new(trust(&made)), trial::MADE + time::Duration::days(30));
    evidence.content = Some(CONTENT.to_vec());
    let crate::verify::judge::evidence::Opened::Cms(signed) = &mut evidence.opened else { panic!() };
    let second = cms::read(&detached(&other)).unwrap();
    signed.signers.extend(second.signers);
    let report = judge(&evidence);
    let names: Vec<&str> = report.signatures.iter().map(|signature| signature.name.as_str()).collect();
    assert_eq!(names, ["#1", "#2"]);
    assert!(report.signatures[0].verdict.is_genuine() && !report.verdict.is_genuine());
}

/// Every CMS and stamp of the corpus, judged without trust: whether its numbers are right, and what the report says.
#[test]
fn corpus() {
    let mut left: Vec<(&str, &str)> = EXPECTED.to_vec();
    let mut differ = Vec::new();
    let files = corpus_files(&["cms", "cms-bad", "timestamp"]);
    for (file, bytes) in &files {
        let evidence = Evidence::open(file, bytes.clone(), Arc::new(Trust::default()), super::NOW);
        let report = judge(&evidence);
        assert!(!report.verdict.is_genuine(), "{file} without any trust");
        let found: Vec<String> = report
            .signatures
            .iter()
            .map(|signature| {
                let kind = if signature.kind == SignatureKind::TimeStamp { "stamp " } else { "" };
                let told = signature
                    .checks
                    .iter()
                    .filter(|check| check.outcome != Outcome::Passed && check.outcome != Outcome::Info);
                let told = told.filter(|check| !["certificate-path", "certificate-usage"].contains(&check.id));
                let told: Vec<&str> = told.map(|check| check.message.id).collect();
                format!("{kind}{} {}", if signature.intact { "intact" } else { "no" }, told.join(" "))
            })
            .collect();
        let found = if found.is_empty() { format!("{:?}", report.format) } else { found.join("; ") };
        match left.iter().position(|(name, _)| file.ends_with(name)) {
            Some(at) if left[at].1 == found.trim_end() => drop(left.remove(at)),
            _ => differ.push(format!("    (\"{}\", \"{}\"),", file.rsplit('/').next().unwrap(), found.trim_end())),
        }
    }
    assert!(differ.is_empty(), "\n{}", differ.join("\n"));
    assert!(files.is_empty() || left.is_empty(), "stale: {left:?}");
}

/// The end of a file's name, and what is said of each signature beside its missing trust.
const EXPECTED: &[(&str, &str)] = &[
    // Certificates alone.
    ("test.p7b", "Cms"),
    ("Signature-C-A-XL-1.p7m", "intact"),
    ("Signature-C-B-B-8.p7m", "intact"),
    ("Signature-C-B-LTA-10.p7m", "intact"),
    ("Signature-C-CZ_SIX-1.p7m", "intact"),
    // Signed in the order in which the attributes stand; DSS: isSignatureIntact=false.
    ("Signature-C-DE_CRY-4.p7m", "intact verify.attributes-not-der"),
    ("Signature-C-HU_POL-3.p7m", "intact"),
    ("Signature-C-X-1.p7m", "intact cms.digest-weak crypto.signature-weak"),
    ("cades-ats-v3-rev-val-crl.p7s", "no verify.content-missing"),
    ("cades-bes-signeddata-enveloping.p7m", "intact"),
    ("cades-dss1956.p7m", "intact"),
    ("cades-extended-epes-sig-pol-store.pkcs7", "intact"),
    ("cades-extended-epes.pkcs7", "intact"),
    // The odd digest is that of a signature policy, which nobody here reads.
    ("cades-level-b-sig-policy-invalid-digest-algo.p7m", "intact"),
    // Archive time stamps of CAdES are not read: the content is what counts here.
    ("cades-lta-copied-atst.p7m", "intact"),
    ("cades-lta-duplicated-atst.p7m", "intact"),
    ("cades-t-copied-sigtst.p7m", "intact"),
    ("cms-no-sign-cert.p7m", "no cms.no-certificate cms.no-certificate"),
    ("cms-wrong-sign-cert-hash-algo.pkcs7", "intact cms.digest-weak crypto.signature-weak"),
    // The wrong reference is that of its time stamp.
    ("cms-wrong-sign-cert-ref.p7m", "intact"),
    ("counterSig.p7m", "intact cms.digest-weak crypto.signature-weak"),
    ("counterSignedLTA.p7s", "intact"),
    ("d-trust.tsr", "stamp intact verify.content-missing"),
    ("sig_with_atsv2.p7s", "intact"),
    // The value is by SHA-256, whatever its algorithm says; DSS: isBLevelTechnicallyValid=false.
    ("CAdES-BpB-att-SHA256-SHA3_256withRSA.p7m", "no cms.algorithms-differ crypto.signature-wrong"),
    ("CAdES-BpB-att-SHA256-SHA3_256withRSAandMGF1.p7m", "intact cms.algorithms-differ"),
    ("CAdES-BpB-att-SHA3_256-SHA3_256withRSA.p7m", "intact"),
    ("CAdES-BpB-att-SHA3_512-SHA256withRSA.p7m", "no cms.algorithms-differ crypto.signature-wrong"),
    ("cadesLTAwithATv2expired.p7s", "intact"),
    ("CAdES-XL-T1-Double-AV2.png.p7m", "intact ; intact"),
    ("signatureExtendedTwoLTA.p7s", "no verify.content-missing"),
    ("detached_with_counter_sig.p7m", "no verify.content-missing"),
    ("cades-detached.pkcs7", "no verify.content-missing"),
    ("cades-enveloping.pkcs7", "intact"),
    ("cades-lta-detached.pkcs7", "no verify.content-missing"),
    ("cades-tstv2-detached.p7s", "no verify.content-missing"),
    ("BER_reordered_prova.txt.p7m", "intact crypto.signature-weak"),
    ("FD1&FD2&FEA.pdf.p7m", "intact crypto.signature-weak; intact crypto.signature-weak; intact crypto.signature-weak"),
    ("test.txt.signed_Certipost-2048.detached.old.p7s", "no verify.content-missing"),
    ("C-B-B-basic-der.p7m", "intact"),
    ("C-B-B-basic.p7m", "intact"),
    ("C-B-B-detached.p7s", "no verify.content-missing"),
    ("C-E-ERS-detached-ber.p7s", "no verify.content-missing cms.no-reference"),
    // Evidence records (RFC 4998) are not read; what is wrong about these files is in theirs.
    ("C-E-ERS-detached-invalid.p7s", "no verify.content-missing"),
    ("C-E-ERS-detached-original-not-covered.p7s", "no verify.content-missing"),
    ("C-E-ERS-detached_renewed_hashtree.p7s", "no verify.content-missing"),
    ("C-E-ERS-detached_renewed_hashtree_invalid.p7s", "no verify.content-missing"),
    ("C-E-ERS.p7m", "intact"),
    ("C-E-ERS_renewed_hashtree.p7m", "intact"),
    ("Double-C-E-ERS-detached_hashtree_renewal.p7m", "no verify.content-missing; no verify.content-missing"),
    ("Signature-C-LT-d233a2d9-a257-40dc-bcdb-bf4516b6d1da.p7m", "intact"),
    // Cut short.
    ("malformed-cades.p7m", "Unknown"),
    ("no-key-info-cert.pkcs7", "no cms.no-certificate cms.no-certificate"),
    ("signedFile.pdf.p7s", "intact ; intact ; intact"),
    // Content hints are not read.
    ("wrongContentHints.p7m", "intact"),
    ("AdobeCA.p7c", "Cms"),
    ("archive_timestamp.tst", "stamp intact verify.content-missing"),
    ("tst-two-refs.tst", "stamp intact verify.content-missing cms.other-certificate cms.other-certificate"),
    // A question to an authority.
    ("sample-certreq.tsq", "Unknown"),
    ("sample-certreq.tsr", "stamp intact verify.content-missing cms.digest-weak crypto.signature-weak"),
    ("BIN_ER.ers.0.0.tsr", "stamp intact verify.content-missing"),
    ("test.tsr", "stamp intact verify.content-missing cms.attribute cms.attribute"),
    ("issue-104.tsr", "stamp intact verify.content-missing"),
    (
        "response-expired.tsr",
        "stamp no verify.content-missing cms.no-certificate cms.no-certificate cms.no-certificate",
    ),
    ("sd.cms", "intact cms.no-reference"),
    ("all-zero.tsq", "Unknown"),
    ("sectigo-all-zero.tsr", "stamp intact verify.content-missing"),
    ("amazon-roots.p7b", "Cms"),
    ("smime-signature-generated-by-thunderbird.p7s", "no verify.content-missing cms.no-reference"),
];

/// Every time stamp inside the signed PDFs of the corpus, and every document time stamp: about its signature, and right.
#[test]
fn corpus_stamps_in_documents() {
    use crate::stamp::Token;
    use crate::verify::judge::evidence::Opened;

    let Some(index) = trial::corpus("INDEX.tsv") else { return };
    let index = std::fs::read_to_string(index).unwrap();
    let mut exceptions = ODD_STAMPS.to_vec();
    let (mut right, mut odd) = (0, Vec::new());
    for file in index.lines().skip(1).filter_map(|row| row.split('\t').next()).filter(|file| file.ends_with(".pdf")) {
        let bytes = std::fs::read(trial::corpus(file).unwrap()).unwrap();
        let evidence = Evidence::open(file, bytes, Arc::new(Trust::default()), super::NOW);
        let Opened::Pdf { envelopes, .. } = &evidence.opened else { continue };
        for signed in envelopes.iter().filter_map(|envelope| envelope.cms.as_ref().ok()) {
            let mut note = |found: Result<(), String>| match found {
                Ok(()) => right += 1,
                Err(why) => match exceptions.iter().position(|(name, _)| file.ends_with(name)) {
                    Some(at) => drop(exceptions.remove(at)),
                    None => odd.push(format!("{file}: {why}")),
                },
            };
            if let Ok(token) = Token::of(signed.clone()) {
                let checks = token.check();
                note(
                    checks
                        .is_intact()
                        .then_some(())
                        .ok_or_else(|| format!("{:?} {:?}", checks.digest, checks.signature)),
                );
            }
            for signer in &signed.signers {
                for der in signer.time_stamps() {
                    note(match Token::read(der) {
                        Err(error) => Err(format!("{error:?}")),
                        Ok(token) => {
                            let checks = token.check();
                            let covers = token.covers_bytes(&signer.signature);
                            let over = &mut |digest: crypto::Digest| Some(digest.over(&[&signer.signature]));
                            let why = || format!("{covers:?} {:?} {:?}", checks.digest, checks.signature);
                            token.is_intact(over).then_some(()).ok_or_else(why)
                        }
                    });
                }
            }
        }
    }
    println!("{right} time stamps in PDFs are right");
    assert!(odd.is_empty(), "\n{}", odd.join("\n"));
    assert!(exceptions.is_empty() && right > 50, "stale: {exceptions:?}; {right}");
}

/// Stamps that are not right, by the end of the file's name, with the reason; each entry is for one.
const ODD_STAMPS: &[(&str, &str)] = &[
    ("BadEncodedCMS.pdf", "its algorithm is not its certificate's key's"),
    ("pades-two-sig-copied-tst.pdf", "it was copied from another signature"),
    ("testPAdES_BLT.pdf", "the authority's certificate is not in it"),
    ("testPAdES_BLTA.pdf", "the authority's certificate is not in it"),
    ("testPAdES_BLTA.pdf", "the authority's certificate is not in it"),
];
