//! A bureau whose every key is SM2, in files or in a token: its documents keep every promise, rest on SM2 and SM3 to the last
//! certificate, and hold before OpenSSL.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use time::Duration;
use yinxin::cms::{self, Signer};
use yinxin::crypto::{Digest, KeyAlgorithm};
use yinxin::issue::issue;
use yinxin::keys::{HomeSettings, KeySettings, Keyring, Mode, Sm2Numbers, TokenSettings};
use yinxin::log::{Logging, Plan};
use yinxin::pdf::signatures;
use yinxin::pki::certificate::Certificate;
use yinxin::seal::Level;
use yinxin::stamp::Token;
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::judge;
use yinxin::witnesses::WitnessesSettings;

use crate::bureau::*;
use crate::db::{Database, on_both};

const PIN: &str = "246813579";

#[tokio::test(flavor = "multi_thread")]
async fn a_bureau_on_sm2_keys_keeps_every_promise() {
    on_both("sm2", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found_on(database, Arc::new(keyring(folder.path())), KeyAlgorithm::Sm2).await;
        for (number, level) in ["一", "二"].into_iter().zip([Level::B, Level::Lta]) {
            sealed_and_judged(&bureau, level, number).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bureau_on_sm2_keys_in_a_token_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    let Some(token) = token(folder.path()) else { return };
    let home = HomeSettings::Pkcs11(vec![token]);
    let keyring = Keyring::open(&KeySettings { mode: Mode::Production, home }).unwrap();
    let database = Database::sqlite("sm2_token");
    let mut bureau = Bureau::found_on(&database, Arc::new(keyring), KeyAlgorithm::Sm2).await;
    // Such a token need not know Ed25519; then the log's key has a home of its own.
    let elsewhere = tempfile::tempdir().unwrap();
    let plan = Plan { keyring: Some(Arc::new(crate::bureau::keyring(elsewhere.path()))), ..Plan::default() };
    let nobody = WitnessesSettings { each: vec![], needed: 0, deadline: std::time::Duration::ZERO };
    bureau.desk = bureau.desk.logged_by(Logging::of(plan, nobody));
    sealed_and_judged(&bureau, Level::Lta, "一").await;
}

async fn sealed_and_judged(bureau: &Bureau, level: Level, number: &str) {
    let desk = &bureau.desk;
    let (first, second) = (&bureau.administrators[0], &bureau.administrators[1]);
    yinxin::administer::promise(&desk.store, (first, second), &self::number(BUREAU_SEAL), level, NOW).await.unwrap();
    let request = licence(&format!("许准〔2026〕{number}号"), NOW - Duration::days(3));
    let issued = issue(desk, &bureau.chief, request, NOW).await.unwrap();
    let bytes = desk.store.document(&issued.document).await.unwrap().unwrap().bytes;

    let trust = Arc::new(house_trust(&desk.store).await.unwrap());
    let judged = async |bytes| judge(&gather(Some(&desk.store), trust.clone(), "it.pdf", bytes, NOW).await.unwrap());
    let report = judged(bytes.clone()).await;
    assert!(report.verdict.is_genuine(), "{report:#?}");
    assert_eq!(report.signatures[0].level, Some(level));

    // Every value in it is SM2's with SM3, and OpenSSL says so too.
    let reading = signatures::read(bytes.as_slice()).unwrap();
    assert_eq!(reading.signatures.len(), if level == Level::Lta { 2 } else { 1 });
    for signature in &reading.signatures {
        let signed = cms::read_pdf(&signature.sub_filter, &signature.cms, &[]).unwrap();
        let mut made = vec![(signed.signers[0].clone(), signed.certificates)];
        for token in signed.signers[0].time_stamps() {
            let token = Token::read(token).unwrap();
            assert_eq!(token.digest(), Some(Digest::Sm3));
            made.push((token.signed.signers[0].clone(), token.signed.certificates));
        }
        assert_eq!(made.len(), if signature.is_time_stamp || level == Level::B { 1 } else { 2 });
        for (signer, certificates) in made {
            is_national(&signer, &certificates, tempfile::tempdir().unwrap().path());
        }
    }

    // A stroke of the page changed: the report names the digest.
    let at = bytes.len() / 3;
    let mut changed = bytes;
    changed[at] ^= 1;
    assert!(!judged(changed).await.verdict.is_genuine());
}

fn is_national(signer: &Signer, certificates: &[Vec<u8>], folder: &Path) {
    let sm2 = KeyAlgorithm::Sm2.signature_algorithm();
    assert_eq!((&signer.signature_algorithm, signer.digest_algorithm), (&sm2, Digest::Sm3.oid()));
    let certificates: Vec<_> = certificates.iter().map(|der| Certificate::read(der).unwrap()).collect();
    assert!(certificates.iter().all(|one| one.signature_algorithm == sm2));
    let [reference] = signer.signing_certificates().unwrap().try_into().unwrap();
    let named = certificates.iter().find(|one| Digest::Sm3.over(&[one.der()]) == reference.digest).unwrap();
    let mut attributes = signer.signed_attributes_raw.clone().unwrap();
    // RFC 5652 §5.4: signed as SET OF.
    attributes[0] = 0x31;
    let [key, message, value] = [("key", &named.public_key), ("message", &attributes), ("value", &signer.signature)]
        .map(|(name, bytes)| {
            fs::write(folder.join(name), bytes).unwrap();
            folder.join(name)
        });
    let said = Command::new("openssl")
        .args(["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin", "-digest", "sm3"])
        .args(["-pkeyopt", "distid:1234567812345678"])
        .arg("-inkey")
        .arg(key)
        .arg("-in")
        .arg(message)
        .arg("-sigfile")
        .arg(value)
        .output()
        .expect("openssl is installed (apt install openssl)");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// A token that has SM2 under numbers of its own: `tests/shim/sm2.c`, compiled.
fn token(folder: &Path) -> Option<TokenSettings> {
    let cc = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(folder.join("sm2.so"))
        .arg(format!("-DPIN=\"{PIN}\""))
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shim/sm2.c"), "-lcrypto"])
        .output();
    if !cc.is_ok_and(|cc| cc.status.success()) {
        eprintln!("SKIPPED: no C compiler, or no headers of OpenSSL 3 (Debian: build-essential, libssl-dev)");
        return None;
    }
    fs::write(folder.join("pin"), PIN).unwrap();
    fs::set_permissions(folder.join("pin"), fs::Permissions::from_mode(0o600)).unwrap();
    Some(TokenSettings {
        module: folder.join("sm2.so"),
        token: "guomi".into(),
        serial: None,
        pin_file: folder.join("pin"),
        sessions: 4,
        deadline: std::time::Duration::from_secs(10),
        sm2: Some(Sm2Numbers { key_type: 0x8000_0010, generate: 0x8000_0020, sign: 0x8000_0021, digest_inside: true }),
    })
}
