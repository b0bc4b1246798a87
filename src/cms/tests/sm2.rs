//! A signature by an SM2 key: SM3 throughout, under the names of RFC 5652, which readers of PDF and of time stamps know.

use super::*;
use crate::crypto::Strength;
use crate::pki::trial::openssl_takes_sm2;

#[test]
fn sm2_signs_with_sm3_throughout() {
    let made = Hierarchy::of(Key::sm2);
    let cms = sealed(&made);
    let found = checks(&cms, CONTENT);
    assert!(found.is_intact() && found.attributes_in_der, "{found:?}");
    assert_eq!((found.algorithms.clone(), found.signing_certificate.clone()), (Ok(()), Ok(())));
    assert_eq!(found.strengths, [Strength::Sm2, Strength::Digest(Digest::Sm3)]);
    let found = checks(&cms, "不予行政许可决定书".as_bytes());
    assert_eq!((found.digest.clone(), found.signature.clone()), (Err(Fault::DigestDiffers), Ok(())));

    let read = read(&cms).unwrap();
    let signer = &read.signers[0];
    assert_eq!(signer.digest_algorithm, Digest::Sm3.oid());
    assert_eq!(signer.signature_algorithm.oid.to_string(), "1.2.156.10197.1.501");
    let [reference] = signer.signing_certificates().unwrap().try_into().unwrap();
    assert_eq!(reference.digest_algorithm, Digest::Sm3.oid());
    let attributes = signed_attributes(Digest::Sm3, &Digest::Sm3.over(&[CONTENT]), made.seal.der(), None);
    assert!(openssl_takes_sm2(&made.seal.public_key, &attributes, &signer.signature));
    assert!(!openssl_takes_sm2(&made.seal.public_key, CONTENT, &signer.signature));
    // No other digest is anywhere in it but in the certificates, and the room was enough.
    assert_eq!(hex::encode(&cms).matches("608648016503040201").count(), 0, "SHA-256");
    let certificates = [made.seal.der().to_vec(), made.issuing.der().to_vec()];
    assert!((cms.len()..=cms.len() + 8).contains(&room(KeyAlgorithm::Sm2, &certificates, 0, 0).unwrap()));
}

#[test]
fn sm2_value_passes_for_nothing_else() {
    let made = Hierarchy::of(Key::sm2);
    // The attributes signed by the right key, with their digest by SHA-256 where SM3 is named, and the reverse.
    for (named, real) in [(Digest::Sm3, Digest::Sha256), (Digest::Sha256, Digest::Sm3)] {
        let attributes = signed_attributes(named, &real.over(&[CONTENT]), made.seal.der(), None);
        let value = made.seal_key.sign(&attributes);
        let certificates = [made.seal.der().to_vec()];
        let cms = assemble(&attributes, &value, KeyAlgorithm::Sm2, &certificates, None).unwrap();
        let found = checks(&cms, CONTENT);
        assert_eq!(found.digest.is_ok(), real == Digest::Sm3, "{named:?}");
        assert_eq!(found.signature, Ok(()));
    }
    // By another SM2 key.
    let attributes = signed_attributes(Digest::Sm3, &Digest::Sm3.over(&[CONTENT]), made.seal.der(), None);
    let value = Key::sm2().sign(&attributes);
    let cms = assemble(&attributes, &value, KeyAlgorithm::Sm2, &[made.seal.der().to_vec()], None).unwrap();
    assert_eq!(checks(&cms, CONTENT).signature, Err(Fault::Signature(SignatureFault::Wrong)));
}
