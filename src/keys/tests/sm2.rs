//! Soft SM2 keys: made here, and taken in from the forms that others write.

use super::*;
use crate::pki::tlv::{self, Element};
use crate::pki::trial::{openssl, openssl_takes_sm2, put, python_holds};

/// The order of the curve.
const N: &str = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123";

/// PKCS#8 of version 0 with this number and point.
fn pkcs8(number: &[u8], point: Option<&[u8]>) -> Vec<u8> {
    let algorithm = hex::decode("301306072a8648ce3d020106082a811ccf5501822d").unwrap();
    let point = point.map_or_else(Vec::new, |point| tlv::wrap(tlv::context(1), &[&tlv::bit_string(point)]));
    let number = tlv::wrap(tlv::OCTET_STRING, &[number]);
    let key = tlv::wrap(tlv::SEQUENCE, &[&tlv::unsigned_integer(&[1]), &number, &point]);
    let key = tlv::wrap(tlv::OCTET_STRING, &[&key]);
    tlv::wrap(tlv::SEQUENCE, &[&tlv::unsigned_integer(&[0]), &algorithm, &key])
}

fn point(public_key: &[u8]) -> Vec<u8> {
    Element::read_all(public_key).unwrap().children().unwrap()[1].content[1..].to_vec()
}

#[test]
fn sm2_key_made_here_signs_what_openssl_takes() {
    let desk = Desk::new();
    let public_key = desk.open().unwrap().generate("seal-1", KeyAlgorithm::Sm2).unwrap();
    let other = desk.open().unwrap().generate("seal-2", KeyAlgorithm::Sm2).unwrap();
    assert_ne!(public_key, other);
    let text = fs::read_to_string(desk.file("seal-1")).unwrap();
    assert!(text.contains("\"algorithm\":\"sm2\""), "{text}");

    let ring = desk.open().unwrap();
    let signer = ring.signer_for("seal-1", &public_key).unwrap();
    let mut cases = Vec::new();
    assert_eq!(signer.algorithm(), KeyAlgorithm::Sm2);
    for message in [&b""[..], b"message", &[7; 5000]] {
        let signature = signer.sign(Order::for_test("seal-1", message)).unwrap();
        assert!(holds(&public_key, message, &signature) && !holds(&other, message, &signature));
        assert!(signature.value().len() <= KeyAlgorithm::Sm2.longest_signature());
        assert!(openssl_takes_sm2(&public_key, message, signature.value()));
        assert!(!openssl_takes_sm2(&other, message, signature.value()));
        for (key, verdict) in [(&public_key, "valid"), (&other, "wrong")] {
            let [point, message, value] = [&point(key)[..], message, signature.value()].map(hex::encode);
            let case = serde_json::json!({ "comment": "ours", "point": point, "message": message, "value": value, "verdict": verdict });
            cases.push(case);
        }
    }
    let file = put(desk.folder.path(), "cases.json", serde_json::json!({ "cases": cases }).to_string().as_bytes());
    python_holds(&[concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/sm2/make.py"), "--check", &file]);
    assert_eq!(format!("{signer:?}"), "SoftKey(\"seal-1\", Sm2)");
    ring.destroy(Destruction::for_test("seal-1", &public_key)).unwrap();
    assert_eq!(id(&signer.sign(Order::for_test("seal-1", b"message")).unwrap_err()), "keys.unknown");
}

#[test]
fn file_of_an_sm2_key_says_so_and_nothing_else() {
    let desk = Desk::new();
    desk.open().unwrap().generate("seal-1", KeyAlgorithm::Sm2).unwrap();
    desk.edit("seal-1", |text| text.replace("\"algorithm\":\"sm2\"", "\"algorithm\":\"ecdsa-p256\""));
    assert_eq!(id(&desk.open().unwrap_err()), "keys.file-locked");
}

#[test]
fn sm2_keys_come_in_the_forms_that_openssl_and_gmssl_write() {
    let folder = tempfile::tempdir().unwrap();
    let made = openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2"]).stdout;
    let pkcs8 = put(folder.path(), "key.pem", &made);
    let public_key = openssl(&["pkey", "-in", &pkcs8, "-pubout", "-outform", "DER"]).stdout;
    // ECPrivateKey, which OpenSSL 3 calls "SM2 PRIVATE KEY" and its elders and GmSSL "EC PRIVATE KEY".
    let sec1 = String::from_utf8(openssl(&["ec", "-in", &pkcs8]).stdout).unwrap();
    assert!(sec1.starts_with("-----BEGIN SM2 PRIVATE KEY-----"), "{sec1}");
    let elder = sec1.replace("SM2 PRIVATE", "EC PRIVATE");
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqgRzPVQGCLQ==\n-----END EC PARAMETERS-----\n";
    let der = der::pem::decode_vec(&made).unwrap().1;
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    let text = String::from_utf8(made).unwrap();
    let forms = [
        text.clone().into_bytes(),
        text.replace('\n', "\r\n").into_bytes(),
        der,
        sec1.clone().into_bytes(),
        elder.clone().into_bytes(),
        format!("{parameters}{elder}").into_bytes(),
        format!("{parameters}{text}").into_bytes(),
    ];
    for (number, form) in forms.iter().enumerate() {
        let label = format!("key-{number}");
        assert_eq!(ring.import_pkcs8(&label, form).unwrap(), public_key, "form {number}");
        let signature = ring.signer(&label).unwrap().sign(Order::for_test(&label, b"message")).unwrap();
        assert!(openssl_takes_sm2(&public_key, b"message", signature.value()));
    }
    assert_eq!(desk.open().unwrap().signer("key-6").unwrap().public_key(), public_key);

    // The same forms of another curve, and one that a passphrase closes.
    let foreign = put(folder.path(), "p384.pem", &openssl_key(&["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]).unwrap());
    let sec1 = openssl(&["ec", "-in", &foreign]).stdout;
    let closed = openssl(&["pkcs8", "-topk8", "-in", &pkcs8, "-passout", "pass:secret"]).stdout;
    for wrong in [sec1, closed] {
        assert!(wrong.starts_with(b"-----BEGIN "));
        assert_eq!(id(&ring.import_pkcs8("foreign", &wrong).unwrap_err()), "keys.private-key");
    }
}

#[test]
fn numbers_that_are_no_sm2_key_are_refused() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    let n = hex::decode(N).unwrap();
    let below = |by: u8| [&n[..31], &[n[31] - by]].concat();
    // GM/T 0003.1 §6.1: 1 to n - 2. With n - 1 nothing can be signed.
    for wrong in [vec![0; 32], n.clone(), vec![0xFF; 32], below(1), vec![1; 33], vec![]] {
        let error = ring.import_pkcs8("wrong", &pkcs8(&wrong, None)).unwrap_err();
        assert!(["keys.private-key", "keys.unproven"].contains(&id(&error)), "{wrong:02x?} {error}");
    }
    for (label, right) in [("one", [&[0; 31][..], &[1]].concat()), ("n-2", below(2))] {
        let public_key = ring.import_pkcs8(label, &pkcs8(&right, None)).unwrap();
        assert_eq!(
            ring.import_pkcs8(&format!("{label}-again"), &pkcs8(&right, Some(&point(&public_key)))).unwrap(),
            public_key
        );
    }
    // The public half of another key beside it.
    let other = point(ring.signer("n-2").unwrap().public_key());
    assert!(ring.import_pkcs8("other", &pkcs8(&[&[0; 31][..], &[1]].concat(), Some(&other))).is_err());
    assert_eq!(ring.labels().unwrap(), ["n-2", "n-2-again", "one", "one-again"]);
}
