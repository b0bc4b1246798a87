//! Against a real SoftHSM.
//!
//! SoftHSM reads SOFTHSM2_CONF when it is first loaded, and a process cannot safely change its own environment. So each
//! test makes tokens in a temporary directory and runs itself again, alone, in a child process with the variable set.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::Attribute;
use cryptoki::session::{Session, UserType};

use super::*;
use crate::keys::{Home, HomeSettings, KeySettings, Keyring, Mode};
use crate::store::Order;
use crate::{crypto, limits};

mod drills;
mod sm2;

const PIN: &str = "246813579";
const MODULES: [&str; 2] = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
const FOLDER: &str = "YINXIN_TEST_TOKEN_FOLDER";

/// In the child: the folder with tokens and PIN file. In the parent: runs the child, and gives nothing.
fn with_tokens(test: &str, labels: &[&str]) -> Option<Bench> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        // What the room logs stands beside the test's own lines when it fails.
        let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).try_init();
        return Some(Bench { folder: folder.into() });
    }
    if module().is_none() || Command::new("softhsm2-util").arg("--version").output().is_err() {
        eprintln!("SKIPPED: SoftHSM is not installed (Debian: softhsm2)");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tokens")).unwrap();
    let conf = folder.path().join("softhsm2.conf");
    fs::write(&conf, format!("directories.tokendir = {}\nlog.level = ERROR\n", folder.path().join("tokens").display()))
        .unwrap();
    write_pin(&folder.path().join("pin"), PIN);
    for label in labels {
        let made = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "87654321"])
            .env("SOFTHSM2_CONF", &conf)
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
    }
    let name = format!("keys::pkcs11::tests::{test}");
    let child = Command::new(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--nocapture", "--test-threads=1"])
        .env("SOFTHSM2_CONF", &conf)
        .env(FOLDER, folder.path())
        .env("YINXIN_SHIM", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("1 passed"),
        "{name} in its child:\n{said}\n{}",
        String::from_utf8_lossy(&child.stderr)
    );
    for measured in String::from_utf8_lossy(&child.stderr).lines().filter(|line| line.starts_with("DRILL")) {
        eprintln!("{measured}");
    }
    None
}

fn module() -> Option<&'static str> {
    MODULES.into_iter().find(|path| Path::new(path).exists())
}

fn write_pin(path: &Path, pin: &str) {
    fs::write(path, pin).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

struct Bench {
    folder: PathBuf,
}

impl Bench {
    fn settings(&self, token: &str) -> TokenSettings {
        TokenSettings {
            module: module().unwrap().into(),
            token: token.into(),
            serial: None,
            pin_file: self.folder.join("pin"),
            sessions: 4,
            deadline: Duration::from_secs(5),
            sm2: None,
        }
    }

    fn ring(&self, token: &str) -> Keyring {
        open(self.settings(token)).unwrap()
    }
}

fn open(token: TokenSettings) -> Result<Keyring, KeyError> {
    open_all(vec![token])
}

fn open_all(tokens: Vec<TokenSettings>) -> Result<Keyring, KeyError> {
    Keyring::open(&KeySettings { mode: Mode::Production, home: HomeSettings::Pkcs11(tokens) })
}

/// Another user of SoftHSM in this process, who knows nothing of us.
fn stranger() -> Pkcs11 {
    Pkcs11::new(module().unwrap()).unwrap()
}

fn initialise(stranger: &Pkcs11) {
    stranger.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
}

/// A session of the stranger's that may write, at the first token with this label.
fn strangers_session(stranger: &Pkcs11, token: &str) -> Session {
    let slots = stranger.get_slots_with_token().unwrap();
    let fits = |slot: &&cryptoki::slot::Slot| stranger.get_token_info(**slot).unwrap().label().trim_end() == token;
    stranger.open_rw_session(*slots.iter().find(fits).unwrap()).unwrap()
}

fn id<T: std::fmt::Debug>(outcome: Result<T, impl Into<KeyError>>) -> &'static str {
    outcome.unwrap_err().into().message().id
}

fn holds(signer: &dyn Signer, message: &[u8], signature: &Signature) -> bool {
    let algorithm = signer.algorithm().signature_algorithm();
    crypto::verify(signer.public_key(), &algorithm, message, signature.value()).is_ok()
}

#[test]
fn keys_made_in_the_token_sign_and_stay_there() {
    let Some(bench) = with_tokens("keys_made_in_the_token_sign_and_stay_there", &["bureau"]) else { return };
    let ring = bench.ring("bureau");
    assert_eq!(ring.home(), Home::Pkcs11);
    assert!(ring.warnings().is_empty());
    for (label, algorithm) in [
        ("ec", KeyAlgorithm::EcdsaP256),
        ("log", KeyAlgorithm::Ed25519),
        ("rsa", KeyAlgorithm::Rsa3072),
        ("short", KeyAlgorithm::Rsa2048),
    ] {
        let public_key = ring.generate(label, algorithm).unwrap();
        assert_eq!(id(ring.generate(label, algorithm)), "keys.already-there");
        // A second keyring, as after a restart: nothing may rest on what the first remembers.
        let signer = bench.ring("bureau").signer_for(label, &public_key).unwrap();
        assert_eq!((signer.label(), signer.algorithm()), (label, algorithm));
        let signature = signer.sign(Order::for_test(label, b"message")).unwrap();
        assert!(holds(&*signer, b"message", &signature));
        assert!(!holds(&*signer, b"massage", &signature));
        let refused = signer.sign(Order::for_test("other", b"message"));
        assert_eq!(id(refused), "keys.order-for-other-key");
    }
    assert_eq!(ring.labels().unwrap(), ["ec", "log", "rsa", "short"]);
    for check in ring.check().unwrap() {
        assert!(!check.outcome.unwrap().copyable, "{}", check.label);
    }
    assert_eq!(id(ring.signer("nobody")), "keys.unknown");
    assert_eq!(id(ring.signer("")), "keys.unknown");
    assert_eq!(id(ring.import_pkcs8("outside", b"")), "keys.import-into-token");

    // What another program says of the keys.
    let Ok(list) = Command::new("pkcs11-tool")
        .args(["--module", module().unwrap(), "--token-label", "bureau", "--login", "--pin", PIN, "--list-objects"])
        .args(["--type", "privkey"])
        .output()
    else {
        eprintln!("SKIPPED in part: no pkcs11-tool (Debian: opensc)");
        return;
    };
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let access = "sensitive, always sensitive, never extractable, local";
    assert_eq!(list.matches(access).count(), 4, "{list}");
}

#[test]
fn token_that_cannot_be_entered_says_why() {
    let Some(bench) = with_tokens("token_that_cannot_be_entered_says_why", &["bureau", "twin", "twin"]) else { return };
    let with = |change: &dyn Fn(&mut TokenSettings)| {
        let mut settings = bench.settings("bureau");
        change(&mut settings);
        open(settings)
    };
    assert_eq!(id(with(&|s| s.module = "/nonexistent/module.so".into())), "keys.module");
    assert_eq!(id(with(&|s| s.module = bench.folder.join("pin"))), "keys.module");
    assert_eq!(id(with(&|s| s.sessions = 0)), "keys.sessions");
    assert_eq!(id(with(&|s| s.sessions = limits::TOKEN_SESSIONS + 1)), "keys.sessions");
    assert_eq!(id(with(&|s| s.pin_file = bench.folder.join("none"))), "keys.secret-unreadable");
    assert_eq!(id(with(&|s| s.serial = Some("0".into()))), "keys.token-missing");
    let missing = with(&|s| s.token = "Bureau".into()).unwrap_err();
    assert_eq!(missing.message().id, "keys.token-missing");
    assert!(missing.to_string().contains("bureau ("), "what is there is named: {missing}");

    let Err(KeyError::Token(TokenFault::Ambiguous { serials, .. })) = with(&|s| s.token = "twin".into()) else {
        panic!("two tokens of one label must not be chosen between");
    };
    assert_eq!(serials.len(), 2);
    for serial in serials {
        let ring = with(&|s| (s.token, s.serial) = ("twin".into(), Some(serial.clone()))).unwrap();
        assert!(ring.labels().unwrap().is_empty());
    }

    write_pin(&bench.folder.join("pin"), "000000000");
    assert_eq!(id(with(&|_| {})), "keys.pin-wrong");
    write_pin(&bench.folder.join("pin"), &format!("{PIN}\n"));
    assert!(with(&|_| {}).is_ok());
}

#[test]
fn ambiguous_halved_and_false_keys_are_refused() {
    let Some(bench) = with_tokens("ambiguous_halved_and_false_keys_are_refused", &["bureau"]) else { return };
    let home = bench.ring("bureau");
    let session = strangers_session(&stranger(), "bureau");
    let make = |label: &str, extractable: bool| {
        let id = crate::keys::random::<16>().unwrap();
        let (mechanism, public, mut private) = home::templates(label, &id, KeyAlgorithm::EcdsaP256, None).unwrap();
        for attribute in &mut private {
            if let Attribute::Extractable(value) = attribute {
                *value = extractable;
            }
        }
        session.generate_key_pair(&mechanism, &public, &private).unwrap()
    };
    make("good", false);
    make("twice", false);
    make("twice", false);
    let (public, _) = make("half", false);
    session.destroy_object(public).unwrap();
    // The public half of one key under the name of another.
    let (public, _) = make("false", false);
    session.destroy_object(public).unwrap();
    let (public, private) = make("stranger", false);
    session.update_attributes(public, &[Attribute::Label("false".into())]).unwrap();
    session.destroy_object(private).unwrap();
    make("loose", true);

    assert_eq!(id(home.signer("twice")), "keys.ambiguous");
    assert_eq!(id(home.generate("twice", KeyAlgorithm::EcdsaP256)), "keys.already-there");
    assert_eq!(id(home.signer("half")), "keys.public-half-missing");
    assert_eq!(id(home.signer("false")), "keys.unproven");
    let found: Vec<_> = bench
        .ring("bureau")
        .check()
        .unwrap()
        .into_iter()
        .map(|check| (check.label, check.outcome.map(|facts| facts.copyable).map_err(|fault| fault.message().id)))
        .collect();
    let expected = [
        ("false", Err("keys.unproven")),
        ("good", Ok(false)),
        ("half", Err("keys.public-half-missing")),
        ("loose", Ok(true)),
        ("twice", Err("keys.ambiguous")),
    ];
    assert_eq!(found, expected.map(|(label, outcome)| (label.to_owned(), outcome)));
}

#[test]
fn destroyed_key_is_gone_from_the_token() {
    let Some(bench) = with_tokens("destroyed_key_is_gone_from_the_token", &["bureau"]) else { return };
    let ring = bench.ring("bureau");
    let public_key = ring.generate("old", KeyAlgorithm::EcdsaP256).unwrap();
    let kept = ring.generate("kept", KeyAlgorithm::EcdsaP256).unwrap();
    let held = ring.signer("old").unwrap();
    held.sign(Order::for_test("old", b"message")).unwrap();
    for (label, other) in [("old", &kept), ("kept", &public_key)] {
        assert_eq!(id(ring.destroy(Destruction::for_test(label, other))), "keys.not-the-one-to-destroy");
    }
    ring.destroy(Destruction::for_test("old", &public_key)).unwrap();
    assert!(held.sign(Order::for_test("old", b"message")).is_err());
    for ring in [ring, bench.ring("bureau")] {
        assert_eq!(ring.labels().unwrap(), ["kept"]);
        assert_eq!(id(ring.signer("old")), "keys.unknown");
        assert_eq!(id(ring.destroy(Destruction::for_test("old", &public_key))), "keys.unknown");
        ring.signer_for("kept", &kept).unwrap();
    }
}

#[test]
fn eight_callers_share_four_sessions() {
    let Some(bench) = with_tokens("eight_callers_share_four_sessions", &["bureau"]) else { return };
    let ring = bench.ring("bureau");
    ring.generate("ec", KeyAlgorithm::EcdsaP256).unwrap();
    ring.generate("rsa", KeyAlgorithm::Rsa3072).unwrap();
    let signers = [ring.signer("ec").unwrap(), ring.signer("rsa").unwrap()];
    // The keys go on working when the keyring they came from is gone.
    drop(ring);
    std::thread::scope(|scope| {
        for caller in 0..8 {
            let signer = &signers[caller % 2];
            scope.spawn(move || {
                for round in 0..20 {
                    let message = format!("{caller} {round}");
                    let signature = signer.sign(Order::for_test(signer.label(), message.as_bytes())).unwrap();
                    assert!(holds(&**signer, message.as_bytes(), &signature));
                }
            });
        }
    });
}
