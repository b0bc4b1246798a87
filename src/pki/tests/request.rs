//! Requests (PKCS#10): openssl takes ours, and each shows that its sender has the key.

use rcgen::PublicKeyData;

use super::super::issue::{self, IssueFault, Request, Unsigned};
use super::super::trial::{Key, name, openssl_accepts, put};
use crate::crypto::{KeyAlgorithm, SignatureFault};

#[test]
fn requests_prove_possession() {
    for key in [Key::p256(), Key::rsa2048(), Key::rsa3072(), Key::sm2()] {
        let unsigned = issue::request(&name("请求"), &key.public_key).unwrap();
        let stored = unsigned.to_be_signed().to_vec();
        let der = key.finish(unsigned);
        let folder = tempfile::tempdir().unwrap();
        let file = put(folder.path(), "request.der", &der);
        let asked = ["req", "-inform", "DER", "-in", &file, "-verify", "-noout"];
        let identity = ["-vfyopt", "distid:1234567812345678"];
        openssl_accepts(&[&asked[..], if key.algorithm == KeyAlgorithm::Sm2 { &identity } else { &[] }].concat());
        let read = Request::read(&der).unwrap();
        assert_eq!((read.subject, read.public_key), (name("请求"), key.public_key.clone()));

        // After a crash the written-down bytes give the same thing.
        let again = Unsigned::again(stored, &key.public_key).unwrap();
        assert_eq!(Request::read(&key.finish(again)).unwrap().public_key, key.public_key);

        let at = der.windows(6).position(|window| window == "请求".as_bytes()).unwrap();
        let mut other_name = der.clone();
        other_name[at + 5] ^= 1;
        assert_eq!(Request::read(&other_name), Err(IssueFault::Signature(SignatureFault::Wrong)));
        assert_eq!(Request::read(&der[1..]), Err(IssueFault::NotARequest));
    }
    // A foreign request.
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::new(vec!["seal.example".into()]).unwrap().serialize_request(&key).unwrap();
    assert_eq!(Request::read(request.der()).unwrap().public_key, key.subject_public_key_info());
}
