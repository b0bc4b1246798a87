//! A hierarchy on SM2 keys: certificates, requests, lists and answers in the shape of GM/T 0015, and our own door to paths.

use time::Duration;

use super::super::certificate::{Certificate, to_pem};
use super::super::evidence::RevocationEvidence;
use super::super::issue::{self, Reason};
use super::super::known::Known;
use super::super::ocsp::{self, CertId, OcspResponse, Reply, Request, Status};
use super::super::path::{PathVerdict, Rule, judge_path};
use super::super::revocation::RevocationList;
use super::super::tlv::{self, Element};
use super::super::trial::{Hierarchy, Key, MADE, NONE, name, openssl_accepts, openssl_takes_sm2, put, serial, years};
use super::{NOW, revoked};
use crate::crypto::Digest;

/// sm2-with-SM3 without parameters; id-ecPublicKey on sm2p256v1 and an uncompressed point (standards of GM/T 0015 §5).
const SIGNED: &str = "300a06082a811ccf55018375";
const KEY: &str = "301306072a8648ce3d020106082a811ccf5501822d03420004";

/// Of `SEQUENCE { to be signed, algorithm, BIT STRING }`: the first, the second and the value.
fn parts(der: &[u8]) -> (Vec<u8>, String, Vec<u8>) {
    let parts = Element::read_all(der).unwrap().children().unwrap();
    let [body, algorithm, value, ..] = parts.as_slice() else { panic!("{} parts", parts.len()) };
    (body.whole.to_vec(), hex::encode(algorithm.whole), value.expect(tlv::BIT_STRING).unwrap().content[1..].to_vec())
}

#[track_caller]
fn openssl_holds_it_for(issuer: &Certificate, der: &[u8]) {
    let (body, algorithm, value) = parts(der);
    assert_eq!(algorithm, SIGNED);
    assert!(openssl_takes_sm2(&issuer.public_key, &body, &value));
    assert!(!openssl_takes_sm2(&issuer.public_key, &[&body[..], b"\0"].concat(), &value));
}

#[test]
fn certificates_and_lists_have_the_shape_and_hold_before_openssl() {
    let made = Hierarchy::of(Key::sm2);
    for (certificate, issuer) in [(&made.root, &made.root), (&made.issuing, &made.root), (&made.seal, &made.issuing)] {
        openssl_holds_it_for(issuer, certificate.der());
        let whole = hex::encode(certificate.der());
        assert_eq!(whole.matches(SIGNED).count(), 2, "inside and outside");
        assert!(whole.contains(KEY));
        certificate.is_signed_by(&issuer.public_key).unwrap();
        assert!(!certificate.lenient);
    }
    let folder = tempfile::tempdir().unwrap();
    let seal = put(folder.path(), "seal.pem", to_pem("CERTIFICATE", made.seal.der()).as_bytes());
    let text = openssl_accepts(&["x509", "-in", &seal, "-noout", "-text", "-nameopt", "utf8,sep_comma_plus"]);
    for expected in [
        "C=CN,O=11513221MB1234567X汶川县行政审批局,CN=51322100000001",
        "X509v3 Key Usage: critical\n                Digital Signature, Non Repudiation\n",
        "Signature Algorithm: SM2-with-SM3",
        "ASN1 OID: SM2",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let line = revoked(&made.seal, NOW, Reason::CessationOfOperation);
    let unsigned = issue::revocation_list(&made.issuing, 7, NOW, NOW + Duration::WEEK, &[line]).unwrap();
    openssl_holds_it_for(&made.issuing, &made.issuing_key.finish(unsigned));
}

#[test]
fn a_path_on_sm2_keys_is_judged_like_any_other() {
    let made = Hierarchy::of(Key::sm2);
    let lists = |revoked: &[issue::Revoked]| [made.root_list(NOW), made.list(NOW, revoked)];
    let verdict = made.judge(&lists(&[]), NOW);
    let PathVerdict::Trusted { chain, ends, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(chain, [made.seal.clone(), made.issuing.clone(), made.root.clone()]);
    assert_eq!(ends, [None, None], "no notice ends SM2");
    assert!(matches!(made.judge(&[], NOW), PathVerdict::RevocationUnknown { .. }));
    assert!(matches!(made.judge(&lists(&[]), NOW + Duration::days(365 * 4)), PathVerdict::Expired { .. }));
    let line = revoked(&made.seal, NOW - Duration::HOUR, Reason::CessationOfOperation);
    assert!(matches!(made.judge(&lists(&[line]), NOW), PathVerdict::Revoked { .. }));

    // One bit of the signature, and a certificate of the right name by another's key.
    let last = made.seal.der().len() - 1;
    let mut turned = made.seal.der().to_vec();
    turned[last] ^= 1;
    let forger = Key::sm2();
    let unsigned =
        issue::seal(&made.issuing, &made.seal.subject, &forger.public_key, serial(3), years(3), NONE).unwrap();
    let body = unsigned.to_be_signed().to_vec();
    let (_, algorithm, _) = parts(made.seal.der());
    let forged =
        tlv::wrap(tlv::SEQUENCE, &[&body, &hex::decode(algorithm).unwrap(), &tlv::bit_string(&forger.sign(&body))]);
    for wrong in [turned, forged] {
        let wrong = Certificate::read(&wrong).unwrap();
        let evidence = RevocationEvidence { lists: Vec::new(), responses: Vec::new() };
        let anchors = std::slice::from_ref(&made.root);
        let verdict = judge_path(&wrong, &[&made.issuing], anchors, &evidence, &Known::default(), NOW);
        assert!(matches!(verdict, PathVerdict::NoAnchor | PathVerdict::Broken(Rule::Signature)), "{verdict:?}");
    }
}

/// The two hierarchies have the same names, which a house never gives its two: names alone prove nothing.
#[test]
fn another_lines_authority_of_the_same_name_makes_and_says_nothing() {
    let (made, other) = (Hierarchy::of(Key::sm2), Hierarchy::of(Key::p256));
    assert_eq!(made.seal.issuer, other.issuing.subject);
    let anchors = [other.root.clone(), made.root.clone()];
    let judge = |seal: &Certificate, issuers: &[&Certificate], lists: &[&RevocationList]| {
        let evidence = RevocationEvidence { lists: lists.to_vec(), responses: Vec::new() };
        judge_path(seal, issuers, &anchors, &evidence, &Known::default(), NOW)
    };
    let (ours, theirs) = ([made.root_list(NOW), made.list(NOW, &[])], [other.root_list(NOW), other.list(NOW, &[])]);
    let all: Vec<_> = ours.iter().chain(&theirs).collect();
    let both = [&other.issuing, &made.issuing];
    for seal in [&made.seal, &other.seal] {
        assert!(matches!(judge(seal, &both, &all), PathVerdict::Trusted { .. }));
    }
    for (seal, stranger) in [(&made.seal, &other.issuing), (&other.seal, &made.issuing)] {
        let verdict = judge(seal, &[stranger], &all);
        assert!(matches!(verdict, PathVerdict::NoAnchor | PathVerdict::Broken(Rule::Signature)), "{verdict:?}");
    }
    let verdict = judge(&made.seal, &both, &[&ours[0], &theirs[1]]);
    assert!(matches!(verdict, PathVerdict::RevocationUnknown { .. }), "{verdict:?}");
}

#[test]
fn answers_of_an_sm2_responder_count_whatever_digest_names_the_certificate() {
    let made = Hierarchy::of(Key::sm2);
    let key = Key::sm2();
    let unsigned = issue::responder(&made.issuing, &name("应答"), &key.public_key, serial(40), years(1));
    let responder = made.issuing_key.certificate(unsigned.unwrap());
    openssl_holds_it_for(&made.issuing, responder.der());

    // As GB/T 19713 has clients ask: by SM3.
    let key_bits = Element::read_all(&made.issuing.public_key).unwrap().children().unwrap()[1].content[1..].to_vec();
    let hashed = |bytes: &[u8]| tlv::wrap(tlv::OCTET_STRING, &[&Digest::Sm3.over(&[bytes])]);
    let algorithm = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(Digest::Sm3.oid())]);
    let number = tlv::wrap(tlv::INTEGER, &[&made.seal.serial]);
    let id = [&algorithm, &hashed(made.issuing.subject.as_der()), &hashed(&key_bits), &number];
    let asked =
        (0..4).fold(tlv::wrap(tlv::SEQUENCE, &id.map(Vec::as_slice)), |inner, _| tlv::wrap(tlv::SEQUENCE, &[&inner]));
    let question = Request::read(&asked).unwrap().questions.remove(0);
    assert!(question.is_by(&made.issuing) && !question.is_by(&made.root));

    for question in [question, CertId::of(&made.seal.serial, &made.issuing).unwrap()] {
        let reply = Reply { question, status: Status::Good, this_update: NOW, next_update: NOW + Duration::DAY };
        let unsigned = ocsp::unsigned(&responder, &[reply], None, MADE, NOW).unwrap();
        let signed = key.finish(unsigned);
        openssl_holds_it_for(&responder, &signed);
        let (lists, read) =
            ([made.root_list(NOW)], OcspResponse::read(&ocsp::finished(&signed, &responder).unwrap()).unwrap());
        let evidence = RevocationEvidence { lists: lists.iter().collect(), responses: vec![&read] };
        let anchors = std::slice::from_ref(&made.root);
        let verdict = judge_path(&made.seal, &[&made.issuing], anchors, &evidence, &Known::default(), NOW);
        assert!(matches!(verdict, PathVerdict::Trusted { .. }), "{verdict:?}");
    }
}
