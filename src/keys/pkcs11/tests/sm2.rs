//! SM2 under a vendor's numbers, in a token of our own for tests: `tests/shim/sm2.c`.

use super::*;
use crate::keys::Sm2Numbers;
use crate::pki::trial::openssl_takes_sm2;

/// The mechanism takes the message, and gives r ‖ s.
const WHOLE: Sm2Numbers =
    Sm2Numbers { key_type: 0x8000_0010, generate: 0x8000_0020, sign: 0x8000_0021, digest_inside: true };
/// SM2 as one more elliptic curve; the mechanism takes the digest, and gives DER.
const DIGEST: Sm2Numbers = Sm2Numbers { key_type: 3, generate: 0x1040, sign: 0x8000_0022, digest_inside: false };

/// The library compiled, in a folder with the PIN.
fn guomi() -> Option<(tempfile::TempDir, TokenSettings)> {
    let folder = tempfile::tempdir().unwrap();
    let built = folder.path().join("sm2.so");
    let cc = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&built)
        .arg(format!("-DPIN=\"{PIN}\""))
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shim/sm2.c"), "-lcrypto"])
        .output();
    let said = cc.as_ref().map(|cc| String::from_utf8_lossy(&cc.stderr).into_owned()).unwrap_or_default();
    if cc.is_err() || said.contains("openssl/core_names.h") {
        eprintln!("SKIPPED: no C compiler, or no headers of OpenSSL 3 (Debian: build-essential, libssl-dev)");
        return None;
    }
    assert!(cc.unwrap().status.success(), "{said}");
    write_pin(&folder.path().join("pin"), PIN);
    let settings = TokenSettings {
        module: built,
        token: "guomi".into(),
        serial: None,
        pin_file: folder.path().join("pin"),
        sessions: 4,
        deadline: Duration::from_secs(5),
        sm2: Some(WHOLE),
    };
    Some((folder, settings))
}

#[test]
fn sm2_keys_of_a_token_sign_under_its_vendors_numbers() {
    let Some((_folder, settings)) = guomi() else { return };
    for (label, numbers) in [("whole", WHOLE), ("digest", DIGEST)] {
        let settings = TokenSettings { sm2: Some(numbers), ..settings.clone() };
        let ring = open(settings.clone()).unwrap();
        let public_key = ring.generate(label, KeyAlgorithm::Sm2).unwrap();
        assert_eq!(id(ring.generate(label, KeyAlgorithm::Sm2)), "keys.already-there");
        let signer = open(settings).unwrap().signer_for(label, &public_key).unwrap();
        assert_eq!((signer.label(), signer.algorithm()), (label, KeyAlgorithm::Sm2));
        // One of 32 octets too, which could be taken for a digest.
        for message in [&b""[..], b"message", &[7; 32], &[7; 5000]] {
            let signature = signer.sign(Order::for_test(label, message)).unwrap();
            assert!(holds(&*signer, message, &signature), "{label}");
            assert!(openssl_takes_sm2(&public_key, message, signature.value()), "{label}");
        }
        assert_eq!(id(signer.sign(Order::for_test("other", b"message"))), "keys.order-for-other-key");
    }
    let ring = open(settings).unwrap();
    assert_eq!(ring.labels().unwrap(), ["digest", "whole"]);
    for check in ring.check().unwrap() {
        // The one on a curve can be used by the other's numbers too: what it is says its curve.
        assert!(!check.outcome.unwrap().copyable, "{}", check.label);
    }
    // What this token does not have is said.
    assert_eq!(id(ring.generate("rsa", KeyAlgorithm::Rsa3072)), "keys.token-cannot");
}

#[test]
fn without_its_numbers_a_token_has_no_sm2() {
    let Some((_folder, settings)) = guomi() else { return };
    let ring = open(settings.clone()).unwrap();
    ring.generate("vendors", KeyAlgorithm::Sm2).unwrap();
    let curve = open(TokenSettings { sm2: Some(DIGEST), ..settings.clone() }).unwrap();
    curve.generate("curve", KeyAlgorithm::Sm2).unwrap();

    let without = open(TokenSettings { sm2: None, ..settings.clone() }).unwrap();
    let error = without.generate("new", KeyAlgorithm::Sm2).unwrap_err();
    assert_eq!(error.message().id, "keys.token-cannot");
    assert!(error.to_string().contains("keys.pkcs11.sm2"), "{error}");
    assert_eq!(id(without.signer("vendors")), "keys.public-key");
    assert_eq!(id(without.signer("curve")), "keys.public-key");
    assert_eq!(ring.labels().unwrap(), ["curve", "vendors"], "nothing was made");
}

#[test]
fn numbers_that_mean_something_else_release_nothing() {
    let Some((_folder, settings)) = guomi() else { return };
    let ring = open(settings.clone()).unwrap();
    let public_key = ring.generate("seal", KeyAlgorithm::Sm2).unwrap();
    let with = |numbers| open(TokenSettings { sm2: Some(numbers), ..settings.clone() }).unwrap();
    for (wrong, said) in [
        // The digest of the message, digested once more: a value, but over something else.
        (Sm2Numbers { digest_inside: false, ..WHOLE }, "keys.unproven"),
        (Sm2Numbers { digest_inside: true, sign: DIGEST.sign, ..WHOLE }, "keys.token"),
        (Sm2Numbers { sign: 0x8000_00FF, ..WHOLE }, "keys.token"),
    ] {
        assert_eq!(id(with(wrong).signer("seal")), said, "{wrong:?}");
    }
    for wrong in [Sm2Numbers { generate: 0x8000_00FF, ..WHOLE }, Sm2Numbers { key_type: 0x8000_00FF, ..WHOLE }] {
        assert_eq!(id(with(wrong).generate("new", KeyAlgorithm::Sm2)), "keys.token-cannot");
    }
    assert_eq!(ring.labels().unwrap(), ["seal"]);
    ring.signer_for("seal", &public_key).unwrap();
    ring.destroy(Destruction::for_test("seal", &public_key)).unwrap();
    assert!(ring.labels().unwrap().is_empty());
}
