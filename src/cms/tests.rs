//! Our CMS before openssl and the `cms` crate; everybody else's before us.

use const_oid::db::{rfc5911, rfc5912};
use der::Decode;
use proptest::prelude::*;

use super::*;
use crate::crypto::{self, SignatureFault, Strength};
use crate::pki::tlv::Element;
use crate::pki::trial::{self, Hierarchy, Key, openssl_accepts, openssl_refuses, put};

mod attacks;
mod kinds;
mod receipt;
mod sm2;

const CONTENT: &[u8] = "准予行政许可决定书".as_bytes();

fn sealed(made: &Hierarchy) -> Vec<u8> {
    let digest = made.seal_key.algorithm.digest();
    let attributes = signed_attributes(digest, &digest.over(&[CONTENT]), made.seal.der(), None);
    let value = made.seal_key.sign(&attributes);
    let certificates = [made.seal.der().to_vec(), made.issuing.der().to_vec()];
    assemble(&attributes, &value, made.seal_key.algorithm, &certificates, None).unwrap()
}

fn checks(cms: &[u8], content: &[u8]) -> Checks {
    let read = read(cms).unwrap();
    assert_eq!(read.signers.len(), 1);
    let (front, back) = content.split_at(content.len() / 2);
    read.check(&read.signers[0], &[front, back])
}

#[test]
fn ours_is_accepted_by_openssl_and_by_us() {
    for key in [Key::p256 as fn() -> Key, Key::rsa2048, Key::rsa3072] {
        let made = Hierarchy::of(key);
        let cms = sealed(&made);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| put(folder.path(), name, bytes);
        let root = file("root.pem", crate::pki::certificate::to_pem("CERTIFICATE", made.root.der()).as_bytes());
        let signature = file("seal.p7s", &cms);
        let at = (trial::MADE.unix_timestamp() + 86_400).to_string();
        let command = |content: &str| {
            format!(
                "cms -verify -cades -binary -inform DER -in {signature} -content {content} -CAfile {root} -purpose any -attime {at} -out /dev/null"
            )
        };
        let (good, changed) = (file("content", CONTENT), file("changed", "不予行政许可决定书".as_bytes()));
        openssl_accepts(&command(&good).split(' ').collect::<Vec<_>>());
        let said = openssl_refuses(&command(&changed).split(' ').collect::<Vec<_>>());
        assert!(said.contains("verification failure"), "{said}");

        let found = checks(&cms, CONTENT);
        assert!(found.is_intact() && found.attributes_in_der);
        assert_eq!(found.content_type.clone().and(found.signing_certificate.clone()), Ok(()));
        assert_eq!(found.certificate, Some(made.seal.clone()));
        let found = checks(&cms, "不予行政许可决定书".as_bytes());
        assert_eq!((found.digest.clone(), found.signature.clone()), (Err(Fault::DigestDiffers), Ok(())));
        assert!(!found.is_intact());
    }
}

#[test]
fn what_we_write_is_der_and_fits_its_room() {
    let made = Hierarchy::of(Key::p256);
    let cms = sealed(&made);
    // The `cms` crate reads strict DER and sorts on its own: same bytes out as in.
    let info = ::cms::content_info::ContentInfo::from_der(&cms).unwrap();
    let data = info.content.decode_as::<::cms::signed_data::SignedData>().unwrap();
    assert_eq!(der::Encode::to_der(&info).unwrap(), cms);
    assert_eq!(der::Encode::to_der(&data).unwrap(), der::Encode::to_der(&info.content).unwrap());
    // No signing time (EN 319 142-1 §5.3), exactly the three attributes.
    let read = read(&cms).unwrap();
    let oids: Vec<_> = read.signers[0].signed_attributes.iter().map(|attribute| attribute.oid.clone()).collect();
    assert_eq!(oids, [rfc5911::ID_CONTENT_TYPE, rfc5911::ID_MESSAGE_DIGEST, rfc5911::ID_AA_SIGNING_CERTIFICATE_V_2]);
    assert_eq!(read.signers[0].claimed_time(), None);

    // The issuers' order is not the caller's choice: DER has one (X.690 §11.6).
    let attributes = signed_attributes(Digest::Sha256, &crypto::sha256(CONTENT), made.seal.der(), None);
    let value = made.seal_key.sign(&attributes);
    let with = |issuers: [&[u8]; 2]| {
        let certificates = [made.seal.der(), issuers[0], issuers[1]].map(<[u8]>::to_vec);
        assemble(&attributes, &value, KeyAlgorithm::EcdsaP256, &certificates, None).unwrap()
    };
    assert_eq!(with([made.issuing.der(), made.root.der()]), with([made.root.der(), made.issuing.der()]));

    let certificates = [made.seal.der().to_vec(), made.issuing.der().to_vec()];
    let room = room(KeyAlgorithm::EcdsaP256, &certificates, 0, 0).unwrap();
    assert!((cms.len()..=cms.len() + 8).contains(&room), "{room} for {}", cms.len());
    // Zero padding of the hole is not content; anything else is counted.
    let mut padded = cms.clone();
    padded.resize(room + 100, 0);
    assert_eq!(super::read(&padded).unwrap().trailing, 0);
    padded.push(1);
    assert_eq!(super::read(&padded).unwrap().trailing, room + 101 - cms.len());

    assert_eq!(
        assemble(b"\x30\x00", &[], KeyAlgorithm::EcdsaP256, &certificates, None),
        Err(CmsError::Malformed("signed attributes"))
    );
    assert_eq!(
        assemble(b"\x31\x00", &[], KeyAlgorithm::EcdsaP256, &[], None),
        Err(CmsError::Malformed("signer certificate"))
    );
}

#[test]
fn every_part_that_is_changed_is_named() {
    let made = Hierarchy::of(Key::p256);
    let other = Hierarchy::of(Key::p256);
    let cms = sealed(&made);
    let attributes = signed_attributes(Digest::Sha256, &crypto::sha256(CONTENT), made.seal.der(), None);
    let value = made.seal_key.sign(&attributes);
    let with = |attributes: &[u8], value: &[u8], certificate: &[u8]| {
        assemble(attributes, value, KeyAlgorithm::EcdsaP256, &[certificate.to_vec()], None).unwrap()
    };

    // Another key's value.
    let found = checks(&with(&attributes, &other.seal_key.sign(&attributes), made.seal.der()), CONTENT);
    assert_eq!(found.signature, Err(Fault::Signature(SignatureFault::Wrong)));
    // Another certificate on the same name and serial: found by name, refused by value and by reference.
    let found = checks(&with(&attributes, &value, other.seal.der()), CONTENT);
    assert_eq!(found.signature, Err(Fault::Signature(SignatureFault::Wrong)));
    assert_eq!(found.signing_certificate, Err(Fault::OtherCertificate));
    // No certificate at all.
    let mut stripped = read(&cms).unwrap();
    stripped.certificates.clear();
    let found = stripped.check(&stripped.signers[0], &[CONTENT]);
    assert_eq!((found.signature, found.certificate), (Err(Fault::NoCertificate), None));
    // An unreadable certificate beside the good one is passed over.
    let mut odd = read(&cms).unwrap();
    odd.certificates.insert(0, b"\x30\x03\x02\x01\x01".to_vec());
    assert!(odd.check(&odd.signers[0], &[CONTENT]).is_intact());
    // An attribute twice (RFC 5652 §11.2 allows one).
    let set = Element::read_all(&attributes).unwrap();
    let mut members: Vec<Vec<u8>> = set.children().unwrap().iter().map(|member| member.whole.to_vec()).collect();
    members.push(members[1].clone());
    let doubled = tlv::set_of(tlv::SET, members);
    let found = checks(&with(&doubled, &made.seal_key.sign(&doubled), made.seal.der()), CONTENT);
    assert_eq!(found.digest, Err(Fault::Attribute("messageDigest")));
    assert_eq!(found.signature, Ok(()));
    // Without the reference.
    let members: Vec<Vec<u8>> = set.children().unwrap()[..2].iter().map(|member| member.whole.to_vec()).collect();
    let short = tlv::set_of(tlv::SET, members);
    let found = checks(&with(&short, &made.seal_key.sign(&short), made.seal.der()), CONTENT);
    assert_eq!(found.signing_certificate, Err(Fault::NoReference));
    assert!(found.is_intact());
}

/// Some writers do not sort the attributes and sign what they wrote: accepted with a mark, as openssl does.
#[test]
fn unsorted_attributes_are_accepted_with_a_mark() {
    let made = Hierarchy::of(Key::p256);
    let attributes = signed_attributes(Digest::Sha256, &crypto::sha256(CONTENT), made.seal.der(), None);
    let members = Element::read_all(&attributes).unwrap().children().unwrap();
    let unsorted: Vec<&[u8]> = members.iter().rev().map(|member| member.whole).collect();
    let unsorted = tlv::wrap(tlv::SET, &unsorted);
    let assembled = |value: &[u8]| {
        checks(
            &assemble(&unsorted, value, KeyAlgorithm::EcdsaP256, &[made.seal.der().to_vec()], None).unwrap(),
            CONTENT,
        )
    };
    let as_written = assembled(&made.seal_key.sign(&unsorted));
    assert!(as_written.is_intact() && !as_written.attributes_in_der);
    let as_sorted = assembled(&made.seal_key.sign(&attributes));
    assert!(as_sorted.is_intact() && as_sorted.attributes_in_der);
}

#[test]
fn without_attributes_the_value_covers_the_content() {
    let made = Hierarchy::of(Key::p256);
    let mut data = read(&sealed(&made)).unwrap();
    data.signers[0].signed_attributes_raw = None;
    data.signers[0].signed_attributes.clear();
    data.signers[0].signature = made.seal_key.sign(CONTENT);
    let (front, back) = CONTENT.split_at(5);
    assert!(data.check(&data.signers[0], &[front, back]).is_intact());
    assert!(!data.check(&data.signers[0], &[back, front]).is_intact());
}

/// The foreign corpus: enveloping signatures are checked over the content inside; what openssl verifies, we verify.
#[test]
fn corpus_signatures_agree_with_openssl() {
    let files = trial::corpus_files(&["cms", "cms-bad", "timestamp"]);
    let folder = tempfile::tempdir().unwrap();
    // Where openssl says otherwise, with the reason; an entry that no longer differs fails the test.
    let mut exceptions = vec![
        (
            "dss-667/BER_reordered_prova.txt.p7m",
            "BER attributes on the wire, signed in DER order (RFC 5652 §5.4); openssl hashes the wire order only",
        ),
        (
            "dss-1419/CAdES-BpB-att-SHA256-SHA3_256withRSA.p7m",
            "the value is by another digest than its algorithm says; openssl reads the digest of the SignerInfo alone",
        ),
        (
            "dss-1419/CAdES-BpB-att-SHA3_512-SHA256withRSA.p7m",
            "the value is by another digest than its algorithm says; openssl reads the digest of the SignerInfo alone",
        ),
        (
            "dss-1419/CAdES-BpB-att-SHA256-SHA3_256withRSAandMGF1.p7m",
            "right, with another digest in the SignerInfo than in the PSS parameters; openssl refuses, DSS agrees with us",
        ),
    ];
    let (mut agreed, mut unsupported, mut differ) = (0, Vec::new(), Vec::new());
    for (file, bytes) in &files {
        let Ok(data) = read(bytes) else { continue };
        let (Some(content), [signer]) = (&data.content, data.signers.as_slice()) else { continue };
        let found = data.check(signer, &[content]);
        if matches!(
            (&found.digest, &found.signature),
            (Err(Fault::DigestUnsupported(_)), _)
                | (_, Err(Fault::Signature(SignatureFault::Unsupported(_)) | Fault::NoCertificate))
        ) {
            unsupported.push(file.as_str());
            continue;
        }
        let path = put(folder.path(), "it", bytes);
        let other =
            trial::openssl(&["cms", "-verify", "-noverify", "-inform", "DER", "-in", &path, "-out", "/dev/null"]);
        if other.status.success() == found.is_intact() {
            agreed += 1;
        } else if let Some(at) = exceptions.iter().position(|(name, _)| file.ends_with(name)) {
            exceptions.remove(at);
        } else {
            let said = String::from_utf8_lossy(&other.stderr);
            differ.push(format!("{file}: ours {found:?}; openssl {} {said}", other.status.success()));
        }
    }
    eprintln!("{agreed} agree, {} not judged: {unsupported:#?}", unsupported.len());
    assert!(differ.is_empty(), "{differ:#?}");
    assert!(files.is_empty() || (agreed >= 30 && exceptions.is_empty()), "{agreed} {exceptions:?}");
}

#[test]
fn not_a_signature() {
    assert_eq!(read(&[]), Err(CmsError::Malformed("ContentInfo")));
    let data = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(rfc5911::ID_DATA), &tlv::wrap(tlv::context(0), &[])]);
    assert_eq!(read(&data), Err(CmsError::NotSignedData));
    assert_eq!(read(&vec![0x30; crate::limits::CMS_BYTES + 1]), Err(CmsError::TooLarge));
}

proptest! {
    /// Damage anywhere: never a panic, and never still intact unless the damage is outside what is signed.
    #[test]
    fn damage_is_noticed(at in 0usize..1000, bit in 0u8..8) {
        static MADE: std::sync::OnceLock<(Vec<u8>, Vec<u8>)> = std::sync::OnceLock::new();
        let (cms, attributes) = MADE.get_or_init(|| {
            let made = Hierarchy::of(Key::p256);
            (sealed(&made), signed_attributes(Digest::Sha256, &crypto::sha256(CONTENT), made.seal.der(), None))
        });
        let mut damaged = cms.clone();
        let at = at % damaged.len();
        damaged[at] ^= 1 << bit;
        let inside = &attributes[2..];
        let start = cms.windows(inside.len()).position(|window| window == inside).unwrap();
        if let Ok(data) = read(&damaged) {
            for signer in &data.signers {
                let found = data.check(signer, &[CONTENT]);
                prop_assert!(!found.is_intact() || !(start..start + inside.len()).contains(&at));
            }
        }
    }
}
