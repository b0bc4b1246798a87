//! SoftHSM: the bare token, its key behind our door, and whole documents sealed by it, with 1, 2, 4 and 8 callers.
//!
//! What is compared: a second's C_Sign by so many callers, each with a session of its own and nothing else to do; and a second's
//! documents by as many, from draft to closed file, through one [`Keyring`]. Both in this run, in turns of a fraction of a
//! second, so that whatever else the machine does falls on both; the middle of the turns' ratios is given, and the CPU time of
//! each, which a busy machine changes least.
//!
//! SoftHSM signs on the same cores. Where its own part is small (P-256, some 60 µs) all that is ours weighs by it: the check of
//! each value before it leaves the keys' room costs more than the making, and a draft's preparation several times that. No
//! arrangement gives 85 % of that; it is reached where the token's part is what a token's is, and that is RSA-2048 here.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::Session;
use yinxin::crypto::{KeyAlgorithm, sha256};
use yinxin::keys::{HomeSettings, KeySettings, Keyring, Mode, TokenSettings};

use super::measure::cpu_seconds;
use super::{Parts, bureau, callers, database, orders, ring_of_40_mm};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "246813579";
/// Turns of each line: bare, door, sealed.
const TURNS: usize = 15;

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
    println!(
        "{:<20} {:>7} {:>12} {:>18} {:>18} {:>26}",
        "SoftHSM, per second", "callers", "bare token", "our door", "sealed", "CPU µs of each"
    );
    for (kind, label) in [(KeyAlgorithm::EcdsaP256, "p-256"), (KeyAlgorithm::Rsa2048, "rsa-2048")] {
        keyring.generate(label, kind).unwrap();
        let appearance = yinxin::pdf::appearance::Appearance::of(&ring_of_40_mm());
        let parts = Parts::of(&keyring, label, appearance, &store, runtime);
        parts.check(&page, &store, runtime);
        let to_be_signed = parts.to_be_signed(&parts.prepare(&page));
        let a_second = if kind == KeyAlgorithm::EcdsaP256 { 1500.0 } else { 300.0 };
        let many = (seconds * a_second) as usize / TURNS / 8 * 8;
        for count in [1, 2, 4, 8] {
            let leave = || orders(&store, runtime, label, &to_be_signed, many);
            let mut turns: Vec<[Turn; 3]> = vec![];
            for _ in 0..TURNS {
                let (for_door, for_sealing) = (leave(), leave());
                turns.push([
                    Turn::of(many, || bare(label, kind, count, many)),
                    Turn::of(many, || callers(count, for_door, |order| drop(parts.signer.sign(order).unwrap()))),
                    Turn::of(many, || callers(count, for_sealing, |order| drop(parts.seal(&page, order)))),
                ]);
            }
            let bare = middle(turns.iter().map(|turn| turn[0].rate));
            let of_bare = |n: usize| {
                let rate = middle(turns.iter().map(|turn| turn[n].rate));
                let share = middle(turns.iter().map(|turn| turn[n].rate / turn[0].rate));
                format!("{rate:.0} ({:.0} %)", share * 100.0)
            };
            let cpu = |n: usize| turns.iter().map(|turn| turn[n].cpu).sum::<f64>() / TURNS as f64 * 1e6;
            println!(
                "{label:<20} {count:>7} {bare:>12.0} {:>18} {:>18} {:>8.0} {:>8.0} {:>8.0}",
                of_bare(1),
                of_bare(2),
                cpu(0),
                cpu(1),
                cpu(2)
            );
        }
    }
    println!("load of the machine: {}", std::fs::read_to_string("/proc/loadavg").unwrap().trim());
}

/// One turn: how many in a second, and the CPU time of each in seconds.
struct Turn {
    rate: f64,
    cpu: f64,
}

impl Turn {
    fn of(many: usize, work: impl FnOnce() -> f64) -> Self {
        let before = cpu_seconds().0;
        let rate = work();
        Self { rate, cpu: (cpu_seconds().0 - before) / many as f64 }
    }
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
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
    let mechanism = || if kind == KeyAlgorithm::EcdsaP256 { Mechanism::Ecdsa } else { Mechanism::RsaPkcs };
    // Open beforehand, as ours are.
    let ready = |_| {
        let session = module.open_ro_session(slot).unwrap();
        let key = session.find_objects(&template).unwrap()[0];
        session.sign(&mechanism(), key, &input).unwrap();
        (session, key)
    };
    let sign = |(session, key): (Session, ObjectHandle)| {
        for _ in 0..many / count {
            session.sign(&mechanism(), key, &input).unwrap();
        }
    };
    callers(count, (0..count).map(ready).collect(), sign) * (many / count) as f64
}
