//! SoftHSM: the bare token, its key behind our door, and whole documents sealed by it, with 1, 2, 4 and 8 callers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use yinxin::crypto::{KeyAlgorithm, sha256};
use yinxin::keys::{HomeSettings, KeySettings, Keyring, Mode, TokenSettings};

use super::{Parts, bureau, callers, database, orders, ring_of_40_mm};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "246813579";

/// Makes a token, and runs this program again with it: SoftHSM reads its place from the environment.
pub fn compare(folder: &Path, page: &[u8], seconds: f64) {
    let folder = folder.join("token");
    std::fs::create_dir_all(folder.join("tokens")).unwrap();
    std::fs::write(folder.join("draft.pdf"), page).unwrap();
    std::fs::write(folder.join("pin"), PIN).unwrap();
    std::fs::set_permissions(folder.join("pin"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let conf = folder.join("softhsm2.conf");
    let tokens = folder.join("tokens");
    std::fs::write(&conf, format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display())).unwrap();
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "bench", "--pin", PIN, "--so-pin", "87654321"])
        .env("SOFTHSM2_CONF", &conf)
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        println!("SoftHSM: left out (softhsm2-util could make no token; scripts/setup hsm)");
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env("SOFTHSM2_CONF", &conf)
        .arg("--token")
        .arg(&folder)
        .args(["--seconds", &seconds.to_string()])
        .spawn()
        .unwrap();
    assert!(child.wait().unwrap().success());
}

pub fn child(folder: &Path, runtime: &tokio::runtime::Runtime, seconds: f64) {
    let store = runtime.block_on(bureau::open(&database(folder)));
    runtime.block_on(store.migrate()).unwrap();
    let token = TokenSettings {
        module: MODULE.into(),
        token: "bench".into(),
        serial: None,
        pin_file: folder.join("pin"),
        sessions: 8,
        deadline: Duration::from_secs(30),
        sm2: None,
    };
    let keyring =
        Keyring::open(&KeySettings { mode: Mode::Production, home: HomeSettings::Pkcs11(vec![token]) }).unwrap();
    let page = std::fs::read(folder.join("draft.pdf")).unwrap();
    println!("{:<20} {:>9} {:>12} {:>18} {:>18}", "SoftHSM, per second", "callers", "bare token", "our door", "sealed");
    for (kind, label) in [(KeyAlgorithm::EcdsaP256, "p-256"), (KeyAlgorithm::Rsa2048, "rsa-2048")] {
        keyring.generate(label, kind).unwrap();
        let appearance = yinxin::pdf::appearance::Appearance::of(&ring_of_40_mm());
        let parts = Parts::of(&keyring, label, appearance, &store, runtime);
        parts.check(&page, &store, runtime);
        let to_be_signed = parts.to_be_signed(&parts.prepare(&page));
        let many = (seconds * if kind == KeyAlgorithm::EcdsaP256 { 1000.0 } else { 300.0 }) as usize;
        for count in [1, 2, 4, 8] {
            let bare = bare(label, kind, count, many);
            let leave = || orders(&store, runtime, label, &to_be_signed, many);
            let door = callers(count, leave(), |order| drop(parts.signer.sign(order).unwrap()));
            let sealed = callers(count, leave(), |order| drop(parts.seal(&page, order)));
            let of_bare = |rate: f64| format!("{rate:.0} ({:.0} %)", rate / bare * 100.0);
            println!("{label:<20} {count:>9} {bare:>12.0} {:>18} {:>18}", of_bare(door), of_bare(sealed));
        }
    }
}

/// C_Sign and nothing else, in a session for each caller.
fn bare(label: &str, kind: KeyAlgorithm, count: usize, many: usize) -> f64 {
    let module = Pkcs11::new(MODULE).unwrap();
    // The keyring has initialized the module and logged in, which counts for the whole process (PKCS#11 v2.40 §2.6).
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).ok();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let template = [Attribute::Label(label.into()), Attribute::Private(true), Attribute::Sign(true)];
    let digest = sha256(b"bench");
    let input = match kind {
        KeyAlgorithm::EcdsaP256 => digest.to_vec(),
        // DigestInfo of SHA-256 (RFC 8017 §9.2, note 1).
        _ => [&hex::decode("3031300d060960864801650304020105000420").unwrap()[..], &digest].concat(),
    };
    let sign = |_: ()| {
        let session = module.open_ro_session(slot).unwrap();
        let key = session.find_objects(&template).unwrap()[0];
        for _ in 0..many / count {
            let mechanism = if kind == KeyAlgorithm::EcdsaP256 { Mechanism::Ecdsa } else { Mechanism::RsaPkcs };
            session.sign(&mechanism, key, &input).unwrap();
        }
    };
    callers(count, vec![(); count], sign) * (many / count) as f64
}
