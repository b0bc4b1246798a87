//! The room as others see it, with soft keys. The token's own tests are in `pkcs11/tests.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

mod sm2;

const PASSPHRASE: &str = "correct horse battery staple";

/// A directory with a passphrase file, and the settings that name both.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        desk.passphrase(PASSPHRASE);
        desk
    }

    fn passphrase(&self, text: &str) {
        private(&self.folder.path().join("passphrase"), text.as_bytes(), 0o600);
    }

    fn settings(&self) -> KeySettings {
        let home = HomeSettings::Soft {
            directory: self.folder.path().join("keys"),
            passphrase_file: self.folder.path().join("passphrase"),
            soft_keys_in_production: None,
        };
        KeySettings { mode: Mode::Trial, home }
    }

    fn open(&self) -> Result<Keyring, KeyError> {
        Keyring::open(&self.settings())
    }

    fn file(&self, label: &str) -> PathBuf {
        self.folder.path().join("keys").join(format!("{label}.key"))
    }

    /// Puts other content into a key file.
    fn edit(&self, label: &str, edit: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.file(label)).unwrap();
        let edited = edit(text.clone());
        assert_ne!(edited, text, "the edit must change something");
        private(&self.file(label), edited.as_bytes(), 0o600);
    }
}

fn private(path: &Path, bytes: &[u8], mode: u32) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn id(error: &KeyError) -> &'static str {
    error.message().id
}

#[test]
fn keyring_can_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Keyring>();
}

fn holds(public_key: &[u8], message: &[u8], signature: &Signature) -> bool {
    crypto::verify(public_key, &signature.algorithm().signature_algorithm(), message, signature.value()).is_ok()
}

#[test]
fn key_outlives_the_keyring_and_signs_its_order() {
    let desk = Desk::new();
    let public_key = desk.open().unwrap().generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();

    let ring = desk.open().unwrap();
    assert_eq!(ring.home(), Home::Soft);
    assert_eq!(ring.labels().unwrap(), ["seal-1"]);
    let signer = ring.signer_for("seal-1", &public_key).unwrap();
    let signature = signer.sign(Order::for_test("seal-1", b"message")).unwrap();
    assert_eq!(signature.order_id(), "test");
    assert!(holds(&public_key, b"message", &signature));
    assert!(!holds(&public_key, b"massage", &signature));
}

#[test]
fn key_file_is_private_whole_and_alone() {
    let desk = Desk::new();
    desk.open().unwrap().generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&desk.file("seal-1")), 0o600);
    assert_eq!(mode(&desk.folder.path().join("keys")), 0o700);
    let names: Vec<_> =
        fs::read_dir(desk.folder.path().join("keys")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["seal-1.key"]);
    let text = fs::read_to_string(desk.file("seal-1")).unwrap();
    assert!(
        text.starts_with("{\"format\":\"yinxin-key\",\"version\":1,\"label\":\"seal-1\",\"algorithm\":\"ecdsa-p256\"")
    );
}

#[test]
fn key_is_never_replaced() {
    let desk = Desk::new();
    let early = desk.open().unwrap();
    desk.open().unwrap().generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let before = fs::read(desk.file("seal-1")).unwrap();
    // This keyring was opened before the key was made, and knows of it only through the disk.
    let error = early.generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap_err();
    assert_eq!(id(&error), "keys.already-there");
    assert_eq!(fs::read(desk.file("seal-1")).unwrap(), before);
    assert!(early.signer("seal-1").is_ok(), "made by another process, found without a restart");
}

#[test]
fn order_for_another_key_is_refused() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    ring.generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let error = ring.signer("seal-1").unwrap().sign(Order::for_test("seal-2", b"message")).unwrap_err();
    assert!(matches!(error, KeyError::OrderForOtherKey { .. }), "{error}");
}

#[test]
fn value_that_does_not_verify_is_not_released() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    let public_key = ring.generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let card = KeyCard::new("seal-1", public_key).unwrap();
    let signer = ring.signer("seal-1").unwrap();
    let good = signer.sign(Order::for_test("seal-1", b"message")).unwrap().into_value();

    let kept =
        card.carry_out(Order::for_test("seal-1", b"message"), |order| card.proven(order.to_be_signed(), good.clone()));
    assert_eq!(kept.unwrap().value(), good);
    let faulty = card.carry_out(Order::for_test("seal-1", b"another message"), |order| {
        card.proven(order.to_be_signed(), good.clone())
    });
    assert!(matches!(faulty, Err(KeyError::Unproven { .. })));
    assert!(matches!(card.prove(|_| Ok(good)), Err(KeyError::Unproven { .. })));
}

#[test]
fn test_message_is_fresh_and_cannot_be_der() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    let card = KeyCard::new("seal-1", ring.generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap()).unwrap();
    let seen = || {
        let mut seen = vec![];
        let _ = card.prove(|message| {
            seen = message.to_vec();
            Ok(vec![])
        });
        seen
    };
    let (first, second) = (seen(), seen());
    assert_ne!(first, second);
    assert_eq!(first.len(), TEST_PREFIX.len() + 32);
    assert!(first.starts_with(TEST_PREFIX) && !matches!(first.first(), Some(0x30 | 0x31)));
}

#[test]
fn key_that_is_not_the_certificates_is_refused() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    ring.generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let other = ring.generate("seal-2", KeyAlgorithm::EcdsaP256).unwrap();
    assert_eq!(id(&ring.signer_for("seal-1", &other).unwrap_err()), "keys.not-the-certificates");
    assert_eq!(id(&ring.signer("seal-3").unwrap_err()), "keys.unknown");
}

#[test]
fn wrong_passphrase_opens_nothing() {
    let desk = Desk::new();
    desk.open().unwrap().generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    desk.passphrase("correct horse battery stable");
    assert!(matches!(desk.open().unwrap_err(), KeyError::KeyFileLocked { .. }));
    desk.passphrase(&format!("{PASSPHRASE}\n"));
    assert!(desk.open().is_ok(), "a line end is no part of a passphrase");
}

#[test]
fn file_changed_in_one_place_does_not_open() {
    let desk = Desk::new();
    desk.open().unwrap().generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let whole = fs::read(desk.file("seal-1")).unwrap();
    let stretching = envelope::Envelope::read(&whole).unwrap().stretching().clone();
    let key = stretching.stretch(&PASSPHRASE.into()).unwrap();
    let opens = |bytes: &[u8]| envelope::Envelope::read(bytes).and_then(|envelope| envelope.open(&key)).is_ok();
    assert!(opens(&whole));
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(!opens(&changed), "byte {at}");
        assert!(!opens(&whole[..at]), "cut at {at}");
    }
    assert!(!opens(&[&whole[..], b"\n"].concat()));

    desk.edit("seal-1", |text| text.replace("\"label\":\"seal-1\"", "\"label\":\"seal-2\""));
    assert_eq!(id(&desk.open().unwrap_err()), "keys.file");
}

#[test]
fn files_exchanged_for_one_another_are_refused() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    ring.generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    ring.generate("seal-2", KeyAlgorithm::EcdsaP256).unwrap();
    fs::rename(desk.file("seal-2"), desk.file("seal-1")).unwrap();
    let error = desk.open().unwrap_err();
    assert!(error.to_string().contains("another label"), "{error}");
}

#[test]
fn hostile_argon2_settings_are_refused_before_they_cost_anything() {
    let desk = Desk::new();
    desk.open().unwrap().generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let good = fs::read_to_string(desk.file("seal-1")).unwrap();
    for (said, hostile) in [
        ("\"memory_kib\":65536", "\"memory_kib\":4294967295"),
        ("\"memory_kib\":65536", "\"memory_kib\":262145"),
        ("\"memory_kib\":65536", "\"memory_kib\":64"),
        ("\"passes\":3", "\"passes\":4294967295"),
        ("\"passes\":3", "\"passes\":1"),
        ("\"lanes\":4", "\"lanes\":16777215"),
        ("\"lanes\":4", "\"lanes\":0"),
        ("\"lanes\":4", "\"lanes\":-4"),
        ("\"name\":\"argon2id\"", "\"name\":\"argon2d\""),
        ("\"version\":19", "\"version\":16"),
        ("\"salt\":\"", "\"salt\":\"AAAA"),
        ("\"version\":1,", "\"version\":2,"),
        ("aes-256-gcm", "none"),
        ("\"label\"", "\"more\":1,\"label\""),
    ] {
        private(&desk.file("seal-1"), good.as_bytes(), 0o600);
        desk.edit("seal-1", |text| text.replacen(said, hostile, 1));
        let error = desk.open().unwrap_err();
        assert_eq!(id(&error), "keys.file", "{hostile}: {error}");
    }
    private(&desk.file("seal-1"), &vec![b'{'; 1 << 20], 0o600);
    assert_eq!(id(&desk.open().unwrap_err()), "keys.secret-unfit");
}

#[test]
fn secrets_open_to_others_are_refused() {
    let desk = Desk::new();
    desk.open().unwrap().generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let keys = desk.folder.path().join("keys");
    let passphrase = desk.folder.path().join("passphrase");
    for (path, bad, good) in [
        (&passphrase, 0o640, 0o600),
        (&passphrase, 0o604, 0o400),
        (&keys, 0o770, 0o700),
        (&desk.file("seal-1"), 0o644, 0o600),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(bad)).unwrap();
        let error = desk.open().unwrap_err();
        assert_eq!(id(&error), "keys.secret-open-to-others", "{}", path.display());
        fs::set_permissions(path, fs::Permissions::from_mode(good)).unwrap();
    }
    assert!(desk.open().is_ok());
    for unfit in ["", "\n", "two\nlines\n"] {
        desk.passphrase(unfit);
        assert_eq!(id(&desk.open().unwrap_err()), "keys.secret-unfit", "{unfit:?}");
    }
}

#[test]
fn production_takes_soft_keys_only_when_told_in_so_many_words() {
    let desk = Desk::new();
    let mut settings = KeySettings { mode: Mode::Production, ..desk.settings() };
    assert!(matches!(Keyring::open(&settings).unwrap_err(), KeyError::SoftInProduction));
    if let HomeSettings::Soft { soft_keys_in_production, .. } = &mut settings.home {
        *soft_keys_in_production = Some(SoftKeysInProduction::AcceptThatKeysCanBeCopied);
    }
    let said = |ring: Keyring| ring.warnings().iter().map(|warning| warning.id).collect::<Vec<_>>();
    assert_eq!(said(Keyring::open(&settings).unwrap()), ["keys.soft-in-production"]);
    assert_eq!(said(desk.open().unwrap()), ["keys.soft"]);
}

#[test]
fn labels_are_plain() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    for bad in ["", ".", "../seal", "a/b", ".hidden", "-x", "印章", "a b", "a\0", &"x".repeat(65)] {
        let error = ring.generate(bad, KeyAlgorithm::EcdsaP256).unwrap_err();
        assert_eq!(id(&error), "keys.label", "{bad:?}");
        assert_eq!(id(&ring.signer(bad).unwrap_err()), "keys.unknown", "{bad:?}");
    }
    ring.generate(&"x".repeat(64), KeyAlgorithm::EcdsaP256).unwrap();
}

#[test]
fn rsa_comes_by_import() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    assert_eq!(id(&ring.generate("rsa", KeyAlgorithm::Rsa3072).unwrap_err()), "keys.soft-rsa");
    for (label, bits, algorithm) in
        [("rsa-2048", "2048", KeyAlgorithm::Rsa2048), ("rsa-3072", "3072", KeyAlgorithm::Rsa3072)]
    {
        let Some(pem) = openssl_key(&["RSA", "-pkeyopt", &format!("rsa_keygen_bits:{bits}")]) else { return };
        let public_key = ring.import_pkcs8(label, &pem).unwrap();
        let der = der::pem::decode_vec(&pem).unwrap().1;
        assert_eq!(ring.import_pkcs8(&format!("{label}-der"), &der).unwrap(), public_key);

        let signer = desk.open().unwrap().signer(label).unwrap();
        assert_eq!(signer.algorithm(), algorithm);
        let signature = signer.sign(Order::for_test(label, b"message")).unwrap();
        assert_eq!(signature.value().len(), algorithm.longest_signature());
        assert!(holds(&public_key, b"message", &signature));
    }
}

#[test]
fn ed25519_key_signs_for_logs() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    let public_key = ring.generate("log", KeyAlgorithm::Ed25519).unwrap();
    // A second keyring, as after a restart.
    let signer = desk.open().unwrap().signer_for("log", &public_key).unwrap();
    assert_eq!(signer.algorithm(), KeyAlgorithm::Ed25519);
    assert!(public_key.ends_with(&signer.note_key().unwrap()));
    let signature = signer.sign(Order::for_test("log", b"message")).unwrap();
    assert_eq!(signature.value().len(), 64);
    assert!(holds(&public_key, b"message", &signature) && !holds(&public_key, b"massage", &signature));
    ring.generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    assert_eq!(id(&ring.signer("seal-1").unwrap().note_key().unwrap_err()), "keys.not-for-notes");

    // Another program's key, which it writes without the public half.
    let Some(pem) = openssl_key(&["ED25519"]) else { return };
    let imported = ring.import_pkcs8("theirs", &pem).unwrap();
    let theirs = desk.folder.path().join("theirs.pem");
    private(&theirs, &pem, 0o600);
    let said =
        Command::new("openssl").args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(&theirs).output().unwrap();
    assert_eq!(said.stdout, imported);
}

#[test]
fn destroyed_key_is_gone_and_signs_no_more() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    let public_key = ring.generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let kept = ring.generate("seal-2", KeyAlgorithm::EcdsaP256).unwrap();
    let held = ring.signer("seal-1").unwrap();
    for (label, other) in [("seal-1", &kept), ("seal-2", &public_key)] {
        let error = ring.destroy(Destruction::for_test(label, other)).unwrap_err();
        assert_eq!(id(&error), "keys.not-the-one-to-destroy");
    }
    assert_eq!(ring.labels().unwrap(), ["seal-1", "seal-2"]);

    // Whoever still has the file open sees no key in it.
    let file = fs::File::open(desk.file("seal-1")).unwrap();
    ring.destroy(Destruction::for_test("seal-1", &public_key)).unwrap();
    let left = std::io::read_to_string(file).unwrap();
    assert!(!left.is_empty() && left.bytes().all(|byte| byte == 0), "{left:?}");
    assert_eq!(id(&held.sign(Order::for_test("seal-1", b"message")).unwrap_err()), "keys.unknown");
    for ring in [ring, desk.open().unwrap()] {
        assert_eq!(ring.labels().unwrap(), ["seal-2"]);
        assert_eq!(id(&ring.signer("seal-1").unwrap_err()), "keys.unknown");
        assert_eq!(id(&ring.destroy(Destruction::for_test("seal-1", &public_key)).unwrap_err()), "keys.unknown");
        ring.signer_for("seal-2", &kept).unwrap();
    }
}

#[test]
fn keys_of_other_kinds_are_not_taken_in() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    let mut foreign = vec![
        b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n".to_vec(),
        b"-----BEGIN PRIVATE KEY-----".to_vec(),
        b"garbage".to_vec(),
        vec![],
    ];
    foreign.extend(openssl_key(&["RSA", "-pkeyopt", "rsa_keygen_bits:2560"]));
    foreign.extend(openssl_key(&["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]));
    for key in foreign {
        let error = ring.import_pkcs8("foreign", &key).unwrap_err();
        assert!(["keys.private-key", "keys.public-key"].contains(&id(&error)), "{error}");
    }
    assert!(ring.labels().unwrap().is_empty());
}

#[test]
fn eight_callers_at_once_each_get_their_own_signature() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    let public_key = ring.generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let signer = ring.signer("seal-1").unwrap();
    std::thread::scope(|scope| {
        for caller in 0..8 {
            let (signer, public_key) = (&signer, &public_key);
            scope.spawn(move || {
                for round in 0..20 {
                    let message = format!("{caller} {round}");
                    let signature = signer.sign(Order::for_test("seal-1", message.as_bytes())).unwrap();
                    assert!(holds(public_key, message.as_bytes(), &signature));
                }
            });
        }
    });
}

#[test]
fn doctor_is_told_of_every_key_and_secrets_stay_out_of_debug() {
    let desk = Desk::new();
    let ring = desk.open().unwrap();
    ring.generate("seal-2", KeyAlgorithm::EcdsaP256).unwrap();
    ring.generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let copied = desk.file("not a label");
    private(&copied, b"", 0o600);
    let found = ring.check().unwrap();
    let labels: Vec<_> = found.iter().map(|check| check.label.as_str()).collect();
    assert_eq!(labels, ["not a label", "seal-1", "seal-2"]);
    assert_eq!(found[0].outcome.as_ref().map_err(id), Err("keys.unknown"));
    assert_eq!(id(&desk.open().unwrap_err()), "keys.file");
    for check in &found[1..] {
        let facts = KeyFacts { algorithm: KeyAlgorithm::EcdsaP256, copyable: true };
        assert_eq!(check.outcome.as_ref().ok(), Some(&facts));
    }
    assert_eq!(format!("{ring:?}"), "Keyring { home: Soft, mode: Trial, .. }");
    assert_eq!(format!("{:?}", ring.signer("seal-1").unwrap()), "SoftKey(\"seal-1\", EcdsaP256)");
}

/// A fresh private key in PEM, or nothing where the OpenSSL command is missing.
fn openssl_key(kind: &[&str]) -> Option<Vec<u8>> {
    let out = match Command::new("openssl").args(["genpkey", "-algorithm"]).args(kind).output() {
        Ok(out) => out,
        Err(why) => {
            eprintln!("SKIPPED in part: no openssl command ({why})");
            return None;
        }
    };
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(out.stdout)
}
