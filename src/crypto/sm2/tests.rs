//! The standards' examples, and values that nobody makes honestly: `tests/vectors/sm2/`.

use const_oid::db;
use der::Encode;
use der::asn1::{Any, BitString};
use serde::Deserialize;
use sm2::dsa::signature::hazmat::PrehashVerifier;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::*;
use crate::crypto;
use crate::pki::trial::python_holds;

fn vectors<T: for<'a> Deserialize<'a>>(name: &str) -> T {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/sm2");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

fn octets(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal).unwrap()
}

/// The key in a SubjectPublicKeyInfo, which a verifier is given.
fn key(point: &[u8]) -> Vec<u8> {
    let parameters = Some(Any::encode_from(&CURVE).unwrap());
    let algorithm = AlgorithmIdentifierOwned { oid: db::rfc5912::ID_EC_PUBLIC_KEY, parameters };
    let subject_public_key = BitString::from_bytes(point).unwrap();
    SubjectPublicKeyInfoOwned { algorithm, subject_public_key }.to_der().unwrap()
}

#[test]
fn every_value_gets_its_verdict() {
    #[derive(Deserialize)]
    struct File {
        identity: String,
        cases: Vec<Case>,
    }
    #[derive(Deserialize)]
    struct Case {
        comment: String,
        point: String,
        message: String,
        value: String,
        verdict: String,
    }
    let file: File = vectors("verify.json");
    assert_eq!(file.identity, IDENTITY);
    for Case { comment, point, message, value, verdict } in &file.cases {
        let [point, message, value] = [point, message, value].map(|part| octets(part));
        for oid in [SM2_WITH_SM3, SM2_SIGNATURE] {
            let algorithm = AlgorithmIdentifierOwned { oid, parameters: None };
            let said = match crypto::verify(&key(&point), &algorithm, &message, &value) {
                Ok(()) => "valid",
                Err(SignatureFault::Wrong) => "wrong",
                Err(SignatureFault::Malformed("elliptic curve point")) => "no-key",
                Err(other) => panic!("{comment}: {other}"),
            };
            assert_eq!(said, verdict, "{comment}");
        }
    }
    let count = |verdict: &str| file.cases.iter().filter(|case| case.verdict == verdict).count();
    assert!(count("valid") >= 8 && count("wrong") >= 35 && count("no-key") >= 11, "the file is whole");
}

/// An SM2 in whole numbers, gmssl and openssl come to the same verdicts; what of them is not here is said.
#[test]
fn other_peoples_sm2_agrees() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/sm2");
    python_holds(&[folder.join("make.py").to_str().unwrap(), "--check"]);
}

/// Z and e step by step, and the values of real documents whose content is not ours to copy.
#[test]
fn identity_key_and_message_make_the_digest() {
    #[derive(Deserialize)]
    struct Example {
        from: String,
        point: String,
        message: Option<String>,
        z: String,
        e: String,
        r: String,
        s: String,
    }
    let examples: Vec<Example> = vectors("digest.json");
    assert_eq!(examples.len(), 3);
    for Example { from, point, message, z, e, r, s } in &examples {
        let [point, z, e, r, s] = [point, z, e, r, s].map(|part| octets(part));
        assert_eq!(super::z(&point).unwrap(), z, "{from}");
        if let Some(message) = message {
            assert_eq!(digest_for(&key(&point), &octets(message)).unwrap(), e, "{from}");
        }
        let verifying = VerifyingKey::from_sec1_bytes(IDENTITY, &point).unwrap();
        let value = Signature::from_slice(&[r, s].concat()).unwrap();
        assert!(verifying.verify_prehash(&e, &value).is_ok(), "{from}");
        assert!(verifying.verify_prehash(&z, &value).is_err(), "{from}");
    }
    assert!(digest_for(&key(&[4; 65]), b"").is_err());
    let ed25519 = octets("302a300506032b6570032100").into_iter().chain([7; 32]).collect::<Vec<_>>();
    assert!(digest_for(&ed25519, b"").is_err());
}

/// GM/T 0004-2012, annex A.
#[test]
fn sm3_of_the_standards_examples() {
    for (message, digest) in [
        (b"abc".to_vec(), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd".repeat(16), "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ] {
        assert_eq!(hex::encode(Digest::Sm3.over(&[&message])), digest);
    }
}
