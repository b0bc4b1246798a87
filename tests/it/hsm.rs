//! A seal with certificates on keys in two tokens: sealing goes on when one is away, and what was written down for that
//! one waits for it. On a real SoftHSM; the drills of one token are in `src/keys/pkcs11/tests/drills.rs`.
//!
//! And whoever has the PIN and goes around the service: what is sealed so is told, with the house and without.
//!
//! SoftHSM reads SOFTHSM2_CONF when it is first loaded, so the test runs itself again in a child with the variable set.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use yinxin::crypto::{Digest, KeyAlgorithm};
use yinxin::desk::FlowError;
use yinxin::keys::{HomeSettings, KeySettings, Keyring, Mode, TokenSettings};
use yinxin::pdf::appearance::Appearance;
use yinxin::pdf::seal::{SealPlan, prepare};
use yinxin::pki::tlv;
use yinxin::register::snapshot::Published;
use yinxin::store::OrderState;
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::report::Outcome;
use yinxin::verify::{Evidence, Register, judge};
use yinxin::{ca, cms, issue};

use crate::bureau::*;
use crate::db::Database;
use crate::pdf_seal;

const MODULES: [&str; 2] = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
const FOLDER: &str = "YINXIN_TEST_TOKENS";
const PIN: &str = "246813579";

/// In the child: the folder with the tokens. In the parent: runs the child, and gives nothing.
fn with_tokens(test: &str, labels: &[&str]) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return Some(folder.into());
    }
    if !MODULES.iter().any(|path| Path::new(path).exists()) {
        eprintln!("SKIPPED: SoftHSM is not installed (Debian: softhsm2)");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let (tokens, conf) = (folder.path().join("tokens"), folder.path().join("softhsm2.conf"));
    fs::create_dir(&tokens).unwrap();
    fs::write(&conf, format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display())).unwrap();
    fs::write(folder.path().join("pin"), PIN).unwrap();
    fs::set_permissions(folder.path().join("pin"), fs::Permissions::from_mode(0o600)).unwrap();
    for label in labels {
        let made = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "87654321"])
            .env("SOFTHSM2_CONF", &conf)
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        // Each token's directory under its label, so that it can be taken away.
        for entry in fs::read_dir(&tokens).unwrap().map(|entry| entry.unwrap()) {
            if !labels.iter().any(|label| entry.file_name() == *label) {
                fs::rename(entry.path(), tokens.join(label)).unwrap();
            }
        }
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([&format!("hsm::{test}"), "--exact", "--nocapture", "--test-threads=1"])
        .env("SOFTHSM2_CONF", &conf)
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = [child.stdout, child.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(child.status.success() && said[0].contains("1 passed"), "{}\n{}", said[0], said[1]);
    said[1].lines().filter(|line| line.starts_with("DRILL")).for_each(|line| eprintln!("{line}"));
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_goes_on_with_the_second_token() {
    let Some(folder) = with_tokens("sealing_goes_on_with_the_second_token", &["first", "second"]) else { return };
    let module = MODULES.iter().find(|path| Path::new(path).exists()).unwrap();
    // A library of its own for the second: SoftHSM finds a token again only when started anew, which would be refused
    // while the first works through the same.
    fs::copy(module, folder.join("second.so")).unwrap();
    let token = |label: &str, module: PathBuf| TokenSettings {
        module,
        token: label.into(),
        serial: None,
        pin_file: folder.join("pin"),
        sessions: 2,
        deadline: Duration::from_secs(10),
        sm2: None,
    };
    let tokens = vec![token("first", module.into()), token("second", folder.join("second.so"))];
    let keyring =
        Arc::new(Keyring::open(&KeySettings { mode: Mode::Production, home: HomeSettings::Pkcs11(tokens) }).unwrap());
    let database = Database::sqlite("two_tokens");
    let bureau = Bureau::found_with(&database, keyring.clone()).await;
    let (desk, store) = (&bureau.desk, &bureau.desk.store);
    let seal = store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap().seal;
    let on_first = store.certificates(&seal.number).await.unwrap().pop().unwrap();
    let authority = ca::Authority { keyring: Arc::new(keyring.making_in("second").unwrap()), ..bureau.authority() };
    let on_second = authority.certify_seal(&seal, KeyAlgorithm::EcdsaP256, &person("admin-1"), NOW).await.unwrap();
    let accepted = NOW - time::Duration::days(3);
    let make = async |number: &str| issue::issue(desk, &bureau.chief, licence(number, accepted), NOW).await;
    let certificate = async |order: &str| store.order(order).await.unwrap().unwrap().certificate.unwrap();

    let made = make("许准〔2026〕1号").await.unwrap();
    assert_eq!(certificate(&made.order).await, on_second.digest, "the newest");

    // Away: the document under way is written down for that key, and waits. The next ones take the other.
    let (there, aside) = (folder.join("tokens/second"), folder.join("aside"));
    fs::rename(&there, &aside).unwrap();
    assert!(matches!(make("许准〔2026〕2号").await, Err(FlowError::Waiting(_))));
    let since = Instant::now();
    let made = make("许准〔2026〕3号").await.unwrap();
    eprintln!("DRILL one of two tokens away: the next document sealed with the other after {:?}", since.elapsed());
    assert_eq!(certificate(&made.order).await, on_first.digest);
    let [waiting] = store.unfinished().await.unwrap().try_into().unwrap();
    assert_eq!(waiting.record.certificate.as_ref(), Some(&on_second.digest));
    let resumed = issue::resume(desk, NOW).await.unwrap();
    assert!(resumed.iter().all(|one| one.outcome.is_err()));
    assert_eq!(store.order(&waiting.record.id).await.unwrap().unwrap().state, OrderState::Written, "it waits");

    fs::rename(&aside, &there).unwrap();
    let since = Instant::now();
    while !store.unfinished().await.unwrap().is_empty() {
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", keyring.tokens());
        issue::resume(desk, NOW).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    eprintln!("DRILL one of two tokens back: what waited for it was sealed after {:?}", since.elapsed());
    assert_eq!(store.order(&waiting.record.id).await.unwrap().unwrap().state, OrderState::Sealed);
    let since = Instant::now();
    while !keyring.tokens().iter().all(|token| token.away.is_none()) {
        assert!(since.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let made = make("许准〔2026〕4号").await.unwrap();
    assert_eq!(certificate(&made.order).await, on_second.digest);
}

/// A use of the seal that nobody wrote down: with the PIN, the token and a program of one's own.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_token_seals_around_the_service_is_told() {
    let Some(folder) = with_tokens("what_the_token_seals_around_the_service_is_told", &["only"]) else { return };
    let module = MODULES.iter().find(|path| Path::new(path).exists()).unwrap();
    let settings = TokenSettings {
        module: module.into(),
        token: "only".into(),
        serial: None,
        pin_file: folder.join("pin"),
        sessions: 2,
        deadline: Duration::from_secs(10),
        sm2: None,
    };
    let home = HomeSettings::Pkcs11(vec![settings]);
    let keyring = Arc::new(Keyring::open(&KeySettings { mode: Mode::Production, home }).unwrap());
    let database = Database::sqlite("around");
    let bureau = Bureau::found_with(&database, keyring).await;
    let (desk, store) = (&bureau.desk, &bureau.desk.store);
    let honest = issue::issue(desk, &bureau.chief, licence("许准〔2026〕1号", NOW - time::Duration::days(3)), NOW);
    let honest = store.document(&honest.await.unwrap().document).await.unwrap().unwrap().bytes;

    // The insider's own program: the library by another path, so that it knows nothing of the service's sessions.
    fs::copy(module, folder.join("own.so")).unwrap();
    let token = Pkcs11::new(folder.join("own.so")).unwrap();
    token.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let fits = |slot: &Slot| token.get_token_info(*slot).unwrap().label().trim_end() == "only";
    let session = token.open_ro_session(token.get_slots_with_token().unwrap().into_iter().find(fits).unwrap()).unwrap();
    session.login(UserType::User, Some(&AuthPin::new(PIN.into()))).unwrap();
    let filed = store.certificates(&number(BUREAU_SEAL)).await.unwrap().pop().unwrap();
    let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(filed.key_label.clone().into())];
    let key = session.find_objects(&wanted).unwrap().remove(0);
    let sealed = |claims: time::OffsetDateTime| {
        let impression = pdf_seal::impression();
        let appearance = Appearance::of(&impression);
        let certificates = [vec![filed.certificate.clone()], filed.chain.clone()].concat();
        let reserve = cms::room(KeyAlgorithm::EcdsaP256, &certificates, 0, 0).unwrap();
        let draft: &[u8] = include_bytes!("../../src/cli/demo/draft.pdf");
        let plan = SealPlan { at: claims, reserve, ..pdf_seal::plan(&appearance) };
        let prepared = prepare(draft, &plan).unwrap();
        let (hole, tail) = (prepared.hole(), prepared.tail());
        let content = Digest::Sha256.over(&[draft, &tail[..hole.start - draft.len()], &tail[hole.end - draft.len()..]]);
        let attributes = cms::signed_attributes(Digest::Sha256, &content, &filed.certificate, None);
        let raw = session.sign(&Mechanism::Ecdsa, key, &Digest::Sha256.over(&[&attributes])).unwrap();
        let (r, s) = raw.split_at(raw.len() / 2);
        let value = tlv::wrap(tlv::SEQUENCE, &[&tlv::unsigned_integer(r), &tlv::unsigned_integer(s)]);
        let envelope = cms::assemble(&attributes, &value, KeyAlgorithm::EcdsaP256, &certificates, None).unwrap();
        [draft, &prepared.close(&envelope).unwrap()].concat()
    };

    desk.publish_register(NOW).await.unwrap();
    let snapshot = store.snapshot(None).await.unwrap().unwrap();
    let published = Published::Whole(snapshot.snapshot).write(&snapshot.receipt.unwrap());
    let trust = Arc::new(house_trust(store).await.unwrap());
    let register = Register::read(published.as_bytes(), &trust).unwrap();
    let now = NOW + time::Duration::HOUR;
    let by_the_house =
        async |bytes: &[u8]| judge(&gather(Some(store), trust.clone(), "it", bytes.to_vec(), now).await.unwrap());
    let offline = |bytes: &[u8]| {
        let mut evidence = Evidence::open("it", bytes, trust.clone(), now);
        evidence.ask_export(&register);
        judge(&evidence)
    };
    assert!(by_the_house(&honest).await.verdict.is_genuine() && offline(&honest).verdict.is_genuine());
    // Whether it claims today or a day before there was a log: the seal was never without one.
    for claims in [NOW, ACTIVATED + time::Duration::days(30)] {
        let secret = sealed(claims);
        for report in [by_the_house(&secret).await, offline(&secret)] {
            let [signature] = report.signatures.as_slice() else { panic!("{report:#?}") };
            assert!(
                signature.intact && signature.trusted,
                "the key and its certificate are the seal's own: {report:#?}"
            );
            let log = signature.checks.iter().find(|check| check.id == "log").unwrap();
            let told = (log.outcome, log.message.id);
            match claims == NOW {
                true => assert_eq!(told, (Outcome::Failed, "verify.log-absent"), "{report:#?}"),
                // A date is only claimed, and nothing proves it.
                false => assert_eq!(told, (Outcome::Indeterminate, "verify.log-absent-unproven"), "{report:#?}"),
            }
            assert!(!report.verdict.is_genuine());
        }
    }
}
