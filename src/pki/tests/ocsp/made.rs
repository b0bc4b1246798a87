//! Requests and responses of ours: openssl writes the first and judges the second.

use proptest::prelude::*;
use time::Duration;

use super::super::super::certificate::{Certificate, to_pem};
use super::super::super::evidence::RevocationEvidence;
use super::super::super::issue::{self, Reason};
use super::super::super::known::Known;
use super::super::super::ocsp::{
    self, CertId, NoAnswer, NotARequest, NotAResponse, OcspResponse, Reply, Request, Status,
};
use super::super::super::path::{PathVerdict, judge_path};
use super::super::super::revocation::Revocation;
use super::super::super::tlv::{self, INTEGER, OCTET_STRING, SEQUENCE, context, wrap};
use super::super::super::trial::{Hierarchy, Key, MADE, name, openssl_accepts, put, serial, years};
use super::super::NOW;
use crate::limits;

fn responder(made: &Hierarchy, key: &Key) -> Certificate {
    let unsigned = issue::responder(&made.issuing, &name("应答"), &key.public_key, serial(40), years(1));
    made.issuing_key.certificate(unsigned.unwrap())
}

fn response(made: &Hierarchy, key: &Key, status: Status, nonce: Option<&[u8]>) -> Vec<u8> {
    let responder = responder(made, key);
    let question = CertId::of(&made.seal.serial, &made.issuing).unwrap();
    let replies = [Reply { question, status, this_update: NOW, next_update: NOW + Duration::DAY }];
    let unsigned = ocsp::unsigned(&responder, &replies, nonce, MADE, NOW).unwrap();
    ocsp::finished(&key.finish(unsigned), &responder).unwrap()
}

fn revoked() -> Status {
    Status::Revoked(Revocation { at: NOW - Duration::HOUR, reason: Reason::Superseded, invalid_since: None })
}

#[test]
fn openssl_takes_our_responses() {
    for key in [Key::p256 as fn() -> Key, Key::rsa3072] {
        let made = Hierarchy::of(key);
        let key = key();
        let folder = tempfile::tempdir().unwrap();
        let pem = |file: &str, der: &[u8]| put(folder.path(), file, to_pem("CERTIFICATE", der).as_bytes());
        let (issuing, seal) = (pem("issuing.pem", made.issuing.der()), pem("seal.pem", made.seal.der()));
        let chain = to_pem("CERTIFICATE", made.root.der()) + &to_pem("CERTIFICATE", made.issuing.der());
        let chain = put(folder.path(), "chain.pem", chain.as_bytes());
        let at = (NOW + Duration::HOUR).unix_timestamp().to_string();
        for (status, said) in [(Status::Good, ": good"), (revoked(), ": revoked"), (Status::Unknown, ": unknown")] {
            let der = response(&made, &key, status, None);
            let file = put(folder.path(), "response.der", &der);
            let asked =
                ["ocsp", "-respin", &file, "-issuer", &issuing, "-cert", &seal, "-CAfile", &chain, "-attime", &at];
            let text = openssl_accepts(&[&asked[..], &["-no_nonce", "-validity_period", "1000000000"]].concat());
            assert!(text.contains(said) && text.contains("verify OK"), "{text}");
            let (lists, read) = ([made.root_list(NOW)], OcspResponse::read(&der).unwrap());
            let evidence = RevocationEvidence { lists: lists.iter().collect(), responses: vec![&read] };
            let anchors = std::slice::from_ref(&made.root);
            let verdict = judge_path(&made.seal, &[&made.issuing], anchors, &evidence, &Known::default(), NOW);
            match status {
                Status::Good => assert!(matches!(verdict, PathVerdict::Trusted { .. }), "{verdict:?}"),
                Status::Revoked(line) => {
                    assert!(
                        matches!(verdict, PathVerdict::Revoked { revocation, .. } if revocation == line),
                        "{verdict:?}"
                    );
                }
                Status::Unknown => assert!(matches!(verdict, PathVerdict::RevocationUnknown { .. }), "{verdict:?}"),
            }
        }
        let text =
            openssl_accepts(&["x509", "-in", &pem("responder.pem", responder(&made, &key).der()), "-noout", "-text"]);
        for expected in ["OCSP Signing", "OCSP No Check", "Digital Signature\n"] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }
    // After its end a certificate is still spoken for (RFC 6960 §4.4.4).
    let made = Hierarchy::of(Key::p256);
    let key = Key::p256();
    let read = OcspResponse::read(&response(&made, &key, Status::Good, None)).unwrap();
    assert_eq!(read.answers[0].keeps_expired_since, Some(MADE));
}

#[test]
fn a_refusal_is_read_as_one() {
    for (why, status) in [(NoAnswer::Malformed, 1), (NoAnswer::TryLater, 3), (NoAnswer::Unauthorized, 6)] {
        assert_eq!(OcspResponse::read(&why.der()).unwrap_err(), NotAResponse::Refused(status));
    }
}

#[test]
fn openssl_writes_what_we_read_and_the_reverse() {
    let made = Hierarchy::of(Key::p256);
    let folder = tempfile::tempdir().unwrap();
    let pem = |file: &str, der: &[u8]| put(folder.path(), file, to_pem("CERTIFICATE", der).as_bytes());
    let (issuing, seal) = (pem("issuing.pem", made.issuing.der()), pem("seal.pem", made.seal.der()));
    let file = put(folder.path(), "request.der", b"");
    for (digest, nonce) in [("-sha1", "-nonce"), ("-sha256", "-no_nonce"), ("-sha256", "-nonce")] {
        let asked = ["ocsp", digest, "-issuer", &issuing, "-cert", &seal, "-serial", "0x4711", nonce, "-reqout", &file];
        openssl_accepts(&asked);
        let request = Request::read(&std::fs::read(&file).unwrap()).unwrap();
        let [one, other] = request.questions.as_slice() else { panic!("{request:?}") };
        assert!(one.is_by(&made.issuing) && other.is_by(&made.issuing) && !one.is_by(&made.root));
        assert_eq!((one.serial(), other.serial()), (&made.seal.serial[..], &[0x47, 0x11][..]));
        assert_eq!(request.nonce.is_some(), nonce == "-nonce");
        assert_eq!(Request::read(&request.to_der()), Ok(request));
    }
    let question = CertId::of(&made.seal.serial, &made.issuing).unwrap();
    let own = Request::about(question.clone(), &[7; 32]).to_der();
    let text = openssl_accepts(&["ocsp", "-reqin", &put(folder.path(), "own.der", &own), "-req_text"]);
    assert!(text.contains("Hash Algorithm: sha1") && text.contains(&"07".repeat(32)), "{text}");
    // What is asked with a nonce is answered with it.
    let nonce = Request::read(&own).unwrap().nonce;
    let key = Key::p256();
    let answered = OcspResponse::read(&response(&made, &key, Status::Good, nonce.as_deref())).unwrap();
    assert!(nonce.is_some() && answered.nonce == nonce);
}

#[test]
fn what_is_no_honest_request_is_refused() {
    let made = Hierarchy::of(Key::p256);
    let question = CertId::of(&made.seal.serial, &made.issuing).unwrap();
    let about = |nonce: &[u8]| Request::read(&Request::about(question.clone(), nonce).to_der());
    for length in [1, 16, 32, limits::OCSP_NONCE_BYTES] {
        assert!(about(&vec![1; length]).is_ok(), "{length}");
    }
    for length in [0, limits::OCSP_NONCE_BYTES + 1] {
        assert_eq!(about(&vec![1; length]), Err(NotARequest), "{length}");
    }
    let many = |count: usize| Request { questions: vec![question.clone(); count], nonce: None }.to_der();
    assert!(Request::read(&many(limits::OCSP_QUESTIONS)).is_ok());
    assert_eq!(Request::read(&many(limits::OCSP_QUESTIONS + 1)), Err(NotARequest));
    assert_eq!(Request::read(&many(0)), Err(NotARequest));
    assert_eq!(Request::read(&[many(1), vec![0]].concat()), Err(NotARequest));

    // Questions written by hand: each part as it should be, then odd.
    let asked = |algorithm: &[u8], serial: &[u8], more: &[u8]| {
        let hash = wrap(OCTET_STRING, &[&[5; 20]]);
        let id = wrap(SEQUENCE, &[&wrap(SEQUENCE, &[algorithm]), &hash, &hash, &wrap(INTEGER, &[serial])]);
        let questions = wrap(SEQUENCE, &[&wrap(SEQUENCE, &[&id])]);
        Request::read(&wrap(SEQUENCE, &[&wrap(SEQUENCE, &[&questions, more])]))
    };
    let sha1 = tlv::object_identifier(crate::crypto::Digest::Sha1.oid());
    let with = |parameters: &[u8]| [sha1.clone(), parameters.to_vec()].concat();
    assert!(asked(&with(&[5, 0]), &[9], &[]).is_ok() && asked(&sha1, &[9], &[]).is_ok());
    for odd in [with(&[4, 1, 7]), with(&[5, 0x81, 0]), with(&[5, 0, 5, 0]), wrap(6, &[&[0x2A, 3]])] {
        assert_eq!(asked(&odd, &[9], &[]), Err(NotARequest), "{odd:?}");
    }
    assert_eq!(asked(&sha1, &[], &[]), Err(NotARequest));
    assert_eq!(asked(&sha1, &[9; limits::OCSP_SERIAL_BYTES + 1], &[]), Err(NotARequest));
    let extension = |critical: bool| {
        let extension = issue::extension(const_oid::ObjectIdentifier::new_unwrap("1.2.3"), critical, &[5, 0]);
        wrap(context(2), &[&wrap(SEQUENCE, &[&extension])])
    };
    assert!(asked(&sha1, &[9], &extension(false)).is_ok());
    assert_eq!(asked(&sha1, &[9], &extension(true)), Err(NotARequest));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..300, bit in 0u8..8) {
        let _ = Request::read(&bytes);
        static VALID: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let mut bent = VALID.get_or_init(|| {
            let made = Hierarchy::of(Key::p256);
            Request::about(CertId::of(&made.seal.serial, &made.issuing).unwrap(), &[7; 32]).to_der()
        }).clone();
        let at = at % bent.len();
        bent[at] ^= 1 << bit;
        let _ = Request::read(&bent);
    }
}
