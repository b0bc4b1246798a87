//! The token is taken away, and comes back: each drill ends with a signature, and tells how long that took.
//!
//! Hangs and odd answers come from a library of our own that hands everything else to SoftHSM: `tests/shim/misbehave.c`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::keys::Signer;
use crate::store::Destruction;

/// What the issue asks for.
const BOUND: Duration = Duration::from_secs(5);

fn sign(signer: &dyn Signer) -> Result<Signature, KeyError> {
    let signature = signer.sign(Order::for_test(signer.label(), b"message"))?;
    assert!(holds(signer, b"message", &signature));
    Ok(signature)
}

/// Asks until it signs, and prints how long that took.
#[track_caller]
fn recovers(drill: &str, signer: &dyn Signer) {
    let since = Instant::now();
    let last = loop {
        match sign(signer) {
            Ok(_) => break None,
            Err(error) if since.elapsed() > BOUND => break Some(error),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    };
    eprintln!("DRILL {drill}: signed {:.0} ms after the cause was gone", since.elapsed().as_secs_f64() * 1000.0);
    assert!(last.is_none(), "{drill}: {}", last.unwrap());
}

#[track_caller]
fn waits_for(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < BOUND, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

impl Bench {
    fn tokens(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    /// The tokens' directories, each one token.
    fn directories(&self) -> Vec<PathBuf> {
        let mut all: Vec<_> = fs::read_dir(self.tokens()).unwrap().map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    }

    fn command(&self, name: &str, value: &str) {
        // Renamed into place, so that it is read whole.
        fs::write(self.folder.join(".command"), value).unwrap();
        fs::rename(self.folder.join(".command"), self.folder.join(name)).unwrap();
    }

    fn withdraw(&self, name: &str) {
        fs::remove_file(self.folder.join(name)).unwrap();
    }

    fn counted(&self, function: &str) -> usize {
        fs::read(self.folder.join(format!("count-{function}"))).unwrap().len()
    }

    /// Settings that go through the library that misbehaves.
    fn shim(&self, token: &str) -> Option<TokenSettings> {
        let built = self.folder.join("misbehave.so");
        if !built.exists() {
            let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shim/misbehave.c");
            let cc = Command::new("cc")
                .args(["-shared", "-fPIC", "-O1", "-o"])
                .arg(&built)
                .arg(format!("-DSOFTHSM=\"{}\"", module().unwrap()))
                .args([source, "-ldl"])
                .output();
            let Ok(cc) = cc else {
                eprintln!("SKIPPED: no C compiler (Debian: build-essential)");
                return None;
            };
            assert!(cc.status.success(), "{}", String::from_utf8_lossy(&cc.stderr));
        }
        Some(TokenSettings { module: built, ..self.settings(token) })
    }
}

#[test]
fn token_taken_out_and_put_back() {
    let Some(bench) = with_tokens("drills::token_taken_out_and_put_back", &["bureau"]) else { return };
    let ring = bench.ring("bureau");
    ring.generate("ec", KeyAlgorithm::EcdsaP256).unwrap();
    let signer = ring.signer("ec").unwrap();
    sign(&*signer).unwrap();

    // SoftHSM itself never finds a token again whose files were away: only its library started anew does.
    let [there] = bench.directories().try_into().unwrap();
    let aside = bench.folder.join("aside");
    fs::rename(&there, &aside).unwrap();
    assert!(sign(&*signer).is_err());
    assert!(!signer.answers() && ring.tokens()[0].away.is_some());
    assert!(ring.health().is_ok(), "a token that is away is waited for");
    thread::sleep(Duration::from_secs(3));
    assert!(sign(&*signer).is_err());
    fs::rename(&aside, &there).unwrap();
    recovers("token's files away and back", &*signer);
    waits_for("the token counts as back", || signer.answers() && ring.tokens()[0].away.is_none());

    // Gone and back between two looks.
    fs::rename(&there, &aside).unwrap();
    fs::rename(&aside, &there).unwrap();
    recovers("token's files away for a moment", &*signer);
}

#[test]
fn token_comes_back_in_another_slot() {
    let Some(bench) = with_tokens("drills::token_comes_back_in_another_slot", &["bureau"]) else { return };
    let Some(settings) = bench.shim("bureau") else { return };
    let ring = open(settings).unwrap();
    ring.generate("ec", KeyAlgorithm::EcdsaP256).unwrap();
    let signer = ring.signer("ec").unwrap();
    for (round, slots) in ["0", "1000", "7"].into_iter().enumerate() {
        sign(&*signer).unwrap();
        bench.command("away", "");
        assert_eq!(id(sign(&*signer)), "keys.token-missing");
        bench.command("slots", slots);
        bench.withdraw("away");
        recovers(&format!("taken out, back {slots} slots further ({round})"), &*signer);
    }
    // Renumbered in the middle of work, sessions and all going on.
    bench.command("slots", "90");
    recovers("slots renumbered", &*signer);
}

#[test]
fn library_finalised_by_another() {
    let Some(bench) = with_tokens("drills::library_finalised_by_another", &["bureau"]) else { return };
    let ring = bench.ring("bureau");
    ring.generate("ec", KeyAlgorithm::EcdsaP256).unwrap();
    let signer = ring.signer("ec").unwrap();
    let all_work = || {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10).for_each(|_| drop(sign(&*signer).unwrap())));
            }
        });
    };
    all_work();
    let before = ring.tokens()[0].generation;
    stranger().finalize().unwrap();
    recovers("C_Finalize by another", &*signer);
    all_work();
    assert_eq!(ring.tokens()[0].generation, before + 1, "initialised once, for all workers");

    // Finalised and initialised behind our back: nothing fails by itself, and our handles are the stranger's now.
    stranger().finalize().unwrap();
    let other = stranger();
    initialise(&other);
    let theirs: Vec<_> = (0..8).map(|_| strangers_session(&other, "bureau")).collect();
    theirs[0].login(UserType::User, Some(&PIN.into())).unwrap();
    for session in &theirs {
        session.digest_init(&cryptoki::mechanism::Mechanism::Sha256).unwrap();
        session.digest_update(b"theirs").unwrap();
    }
    let since = Instant::now();
    all_work();
    eprintln!(
        "DRILL finalised and initialised by another: no signature failed ({:.0} ms for 80)",
        since.elapsed().as_secs_f64() * 1000.0
    );
    for session in &theirs {
        assert_eq!(session.digest_final().unwrap(), crypto::sha256(b"theirs"), "a stranger's session was touched");
    }
    drop(ring);
    for session in theirs {
        session.close().unwrap();
    }
}

#[test]
fn handles_of_an_earlier_generation_do_not_pass_the_gate() {
    let Some(bench) = with_tokens("drills::handles_of_an_earlier_generation_do_not_pass_the_gate", &["bureau"]) else {
        return;
    };
    let token = token::Token::new(bench.settings("bureau"));
    let until = Instant::now() + BOUND;
    let visit = token.visit(visit::Access::Read, until).unwrap();
    visit.call("C_GetSessionInfo", |session| session.get_session_info()).unwrap();
    let module = token.module().unwrap();
    let seen = module.generation();
    // A call that is inside meanwhile is waited for.
    let during = thread::scope(|scope| {
        let inside = scope.spawn(|| module.call(seen, until, |_| thread::sleep(Duration::from_millis(300))));
        thread::sleep(Duration::from_millis(100));
        let since = Instant::now();
        module.restart(usize::MAX, until).unwrap();
        assert!(since.elapsed() > Duration::from_millis(100), "C_Finalize waits until nobody is inside");
        inside.join().unwrap()
    });
    assert!(during.is_ok(), "it ended before the library did");
    assert_eq!(module.generation(), seen + 1);
    let passed =
        visit.call("C_GetSessionInfo", |_| -> cryptoki::error::Result<()> { panic!("a void handle was used") });
    assert!(matches!(passed, Err(TokenFault::Finalised)));

    // The same number is a stranger's session by now, and is not closed with ours.
    let theirs = strangers_session(&stranger(), "bureau");
    theirs.digest_init(&cryptoki::mechanism::Mechanism::Sha256).unwrap();
    drop(visit);
    theirs.digest_update(b"theirs").unwrap();
    assert_eq!(theirs.digest_final().unwrap(), crypto::sha256(b"theirs"));

    // Not under another home's hands, and once for all who noticed.
    module.relied_on(1, true);
    assert!(module.restart(usize::MAX, until).is_err());
    module.renew(seen, until).unwrap();
    assert_eq!(module.generation(), seen + 1);
}

#[test]
fn logged_out_by_another() {
    let Some(bench) = with_tokens("drills::logged_out_by_another", &["bureau"]) else { return };
    let ring = bench.ring("bureau");
    ring.generate("ec", KeyAlgorithm::EcdsaP256).unwrap();
    let signer = ring.signer("ec").unwrap();
    sign(&*signer).unwrap();
    // C_Logout takes the private keys from every session of the process and makes their handles void.
    strangers_session(&stranger(), "bureau").logout().unwrap();
    recovers("C_Logout by another", &*signer);
    for _ in 0..8 {
        sign(&*signer).unwrap();
    }
}

#[test]
fn pin_refused_is_tried_once_and_again_only_for_a_reason() {
    let Some(bench) = with_tokens("drills::pin_refused_is_tried_once_and_again_only_for_a_reason", &["bureau"]) else {
        return;
    };
    let Some(settings) = bench.shim("bureau") else { return };
    let ring = Arc::new(open(settings).unwrap());
    ring.generate("ec", KeyAlgorithm::EcdsaP256).unwrap();
    let signer = ring.signer("ec").unwrap();
    sign(&*signer).unwrap();
    let change = |from: &str, to: &str| {
        let other = stranger();
        let session = strangers_session(&other, "bureau");
        match session.login(UserType::User, Some(&from.into())) {
            Ok(()) | Err(cryptoki::error::Error::Pkcs11(cryptoki::error::RvError::UserAlreadyLoggedIn, _)) => {}
            Err(why) => panic!("{why}"),
        }
        session.set_pin(&from.into(), &to.into()).unwrap();
        session.logout().unwrap();
    };
    let storm = || {
        let until = Instant::now() + Duration::from_secs(2);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while Instant::now() < until {
                        assert_eq!(id(sign(&*signer)), "keys.pin-wrong");
                    }
                });
            }
        });
    };

    // Changed in the token: one try in two seconds of eight callers.
    change(PIN, "975318642");
    bench.command("count-C_Login", "");
    storm();
    assert_eq!(bench.counted("C_Login"), 1);
    // The file corrected.
    write_pin(&bench.folder.join("pin"), "975318642");
    recovers("PIN file corrected", &*signer);

    // Changed and changed back: the token shows that somebody was let in since.
    change("975318642", PIN);
    bench.command("count-C_Login", "");
    storm();
    change(PIN, "975318642");
    recovers("PIN set back in the token", &*signer);
    assert_eq!(bench.counted("C_Login"), 2);

    // Refused for a while by a token that counts nothing: only a file written again is a reason.
    bench.command("fail-C_Login", "a0");
    strangers_session(&stranger(), "bureau").logout().unwrap();
    bench.command("count-C_Login", "");
    storm();
    bench.withdraw("fail-C_Login");
    storm();
    assert_eq!(bench.counted("C_Login"), 1);
    thread::sleep(Duration::from_millis(20));
    write_pin(&bench.folder.join("pin"), "975318642");
    recovers("PIN refused for a while", &*signer);

    // Some other trouble at the door: tried again, once a second.
    bench.command("fail-C_Login", "30");
    strangers_session(&stranger(), "bureau").logout().unwrap();
    bench.command("count-C_Login", "");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| assert_eq!(id(sign(&*signer)), "keys.token")));
        }
    });
    assert!(bench.counted("C_Login") <= 3, "{}", bench.counted("C_Login"));
    bench.withdraw("fail-C_Login");
    recovers("C_Login fails otherwise", &*signer);
}

#[test]
fn last_try_of_the_pin_is_not_taken() {
    let Some(bench) = with_tokens("drills::last_try_of_the_pin_is_not_taken", &["bureau"]) else { return };
    let Some(settings) = bench.shim("bureau") else { return };
    // CKF_USER_PIN_FINAL_TRY, which SoftHSM never sets.
    for (flags, said) in [("20000", "keys.pin-last-try"), ("40000", "keys.pin-locked")] {
        bench.command("flags", flags);
        bench.command("count-C_Login", "");
        assert_eq!(id(open(settings.clone())), said);
        assert_eq!(bench.counted("C_Login"), 0);
    }
    bench.withdraw("flags");
    assert!(open(settings).is_ok());
}

#[test]
fn call_that_hangs_is_left_and_its_worker_replaced() {
    let Some(bench) = with_tokens("drills::call_that_hangs_is_left_and_its_worker_replaced", &["bureau"]) else {
        return;
    };
    let Some(settings) = bench.shim("bureau") else { return };
    let deadline = Duration::from_millis(600);
    let ring = open(TokenSettings { sessions: 2, deadline, ..settings }).unwrap();
    ring.generate("ec", KeyAlgorithm::EcdsaP256).unwrap();
    let signer = ring.signer("ec").unwrap();
    let state = || ring.tokens().remove(0);

    for function in ["C_Sign", "C_SignInit", "C_GetAttributeValue"] {
        let hang = format!("hang-{function}");
        bench.command(&hang, "");
        let since = Instant::now();
        assert_eq!(id(sign(&*signer)), "keys.late", "{function}");
        assert!(since.elapsed() < 2 * deadline + Duration::from_secs(1), "{:?}", since.elapsed());
        assert!(!signer.answers() && state().hanging > 0 && state().sessions == 2);
        bench.withdraw(&hang);
        recovers(&format!("{function} hung, and returned"), &*signer);
        waits_for("the worker took its place again", || state().hanging == 0 && state().sessions == 2);
    }

    // It hangs for ever: up to the limit, then the process says so and turns everybody away at once.
    bench.command("hang-C_Sign", "");
    let since = Instant::now();
    while !state().hung {
        let _ = thread::scope(|scope| {
            (0..4).map(|_| scope.spawn(|| sign(&*signer))).map(|call| call.join().unwrap().is_err()).collect::<Vec<_>>()
        });
        assert!(since.elapsed() < Duration::from_secs(30));
    }
    assert_eq!(ring.health().unwrap_err().id, "keys.hung");
    waits_for("no worker is left", || id(sign(&*signer)) == "keys.hung");
    let since = Instant::now();
    assert_eq!(id(sign(&*signer)), "keys.hung");
    assert!(since.elapsed() < Duration::from_millis(100), "{:?}", since.elapsed());
    bench.withdraw("hang-C_Sign");
    recovers("all workers hung, and returned", &*signer);
    waits_for("the process is healthy again", || ring.health().is_ok() && state().hanging == 0);
    assert_eq!(state().sessions, 2);
}

#[test]
fn token_too_slow_for_its_callers_says_busy() {
    let Some(bench) = with_tokens("drills::token_too_slow_for_its_callers_says_busy", &["bureau"]) else { return };
    let Some(settings) = bench.shim("bureau") else { return };
    let ring = open(TokenSettings { sessions: 1, deadline: Duration::from_secs(2), ..settings }).unwrap();
    ring.generate("ec", KeyAlgorithm::EcdsaP256).unwrap();
    let signer = ring.signer("ec").unwrap();
    sign(&*signer).unwrap();
    bench.command("hang-C_Sign", "");
    let more = 20;
    let answers: Vec<_> = thread::scope(|scope| {
        let calls: Vec<_> = (0..1 + limits::TOKEN_QUEUE + more)
            .map(|_| {
                scope.spawn(|| {
                    let since = Instant::now();
                    (sign(&*signer).map(|_| ()).map_err(|error| error.message().id), since.elapsed())
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(700));
        bench.withdraw("hang-C_Sign");
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let busy: Vec<_> = answers.iter().filter(|(answer, _)| *answer == Err("keys.busy")).collect();
    assert!((more - 2..=more + 2).contains(&busy.len()), "{}", busy.len());
    assert!(busy.iter().all(|(_, took)| *took < Duration::from_millis(600)), "at once, not after the queue");
    assert!(answers.iter().filter(|(answer, _)| answer.is_ok()).count() + busy.len() == answers.len());
    assert_eq!(ring.tokens()[0].busy, busy.len() as u64);
}

#[test]
fn odd_answers_end_with_their_cause() {
    let Some(bench) = with_tokens("drills::odd_answers_end_with_their_cause", &["bureau"]) else { return };
    let Some(settings) = bench.shim("bureau") else { return };
    let ring = open(settings).unwrap();
    ring.generate("ec", KeyAlgorithm::EcdsaP256).unwrap();
    let signer = ring.signer("ec").unwrap();
    let mut slowest = (Duration::ZERO, String::new());
    // CKR_HOST_MEMORY, GENERAL_ERROR, FUNCTION_FAILED, DEVICE_ERROR, DEVICE_MEMORY, DEVICE_REMOVED, KEY_HANDLE_INVALID,
    // OBJECT_HANDLE_INVALID, OPERATION_ACTIVE, SESSION_CLOSED, SESSION_COUNT, SESSION_HANDLE_INVALID, TOKEN_NOT_PRESENT,
    // USER_NOT_LOGGED_IN, CRYPTOKI_NOT_INITIALIZED, and one of a vendor's.
    let codes = ["2", "5", "6", "30", "31", "32", "60", "82", "90", "b0", "b1", "b3", "e0", "101", "190", "80000001"];
    for function in ["C_SignInit", "C_Sign", "C_GetAttributeValue", "C_FindObjectsInit"] {
        for code in codes {
            sign(&*signer).unwrap();
            let fail = format!("fail-{function}");
            bench.command(&fail, code);
            let outcome = sign(&*signer);
            // A kept handle needs no search.
            assert!(outcome.is_err() || function == "C_FindObjectsInit", "{function} {code}");
            bench.withdraw(&fail);
            let since = Instant::now();
            while let Err(error) = sign(&*signer) {
                assert!(since.elapsed() < BOUND, "{function} {code}: {error}");
            }
            slowest = slowest.max((since.elapsed(), format!("{function} {code}")));
        }
    }
    eprintln!(
        "DRILL 64 odd answers: signed {:.0} ms after, at the slowest ({})",
        slowest.0.as_secs_f64() * 1000.0,
        slowest.1
    );

    // A false value is discarded, and one that was right is not suspected for it.
    bench.command("lie", "");
    assert_eq!(id(sign(&*signer)), "keys.unproven");
    bench.withdraw("lie");
    recovers("false values", &*signer);
}

#[test]
fn another_token_under_the_same_label_does_not_sign() {
    let Some(bench) = with_tokens("drills::another_token_under_the_same_label_does_not_sign", &["bureau", "bureau"])
    else {
        return;
    };
    let [ours, other] = bench.directories().try_into().unwrap();
    let aside = bench.folder.join("aside");
    fs::rename(&other, &aside).unwrap();
    let ring = bench.ring("bureau");
    let public_key = ring.generate("ec", KeyAlgorithm::EcdsaP256).unwrap();
    let signer = ring.signer_for("ec", &public_key).unwrap();
    sign(&*signer).unwrap();
    let exchange = |from: &Path, to: &Path, aside: &Path| {
        fs::rename(from, aside.with_extension("ours")).unwrap();
        fs::rename(aside, to).unwrap();
        fs::rename(aside.with_extension("ours"), aside).unwrap();
    };
    exchange(&ours, &other, &aside);
    waits_for("the other token is seen", || id(sign(&*signer)) == "keys.unknown");
    // It even has a key of that name.
    ring.generate("ec", KeyAlgorithm::EcdsaP256).unwrap();
    assert_eq!(id(sign(&*signer)), "keys.not-the-certificates");
    assert!(!signer.answers());
    assert_eq!(id(ring.signer_for("ec", &public_key)), "keys.not-the-certificates");
    assert_eq!(id(ring.destroy(Destruction::for_test("ec", &public_key))), "keys.not-the-one-to-destroy");
    exchange(&other, &ours, &aside);
    recovers("another token under its label, and ours again", &*signer);
    waits_for("the key is back", || signer.prove().is_ok() && signer.answers());
}

#[test]
fn second_token_goes_on_while_the_first_is_away() {
    let Some(bench) = with_tokens("drills::second_token_goes_on_while_the_first_is_away", &["first", "second"]) else {
        return;
    };
    let Some(first) = bench.shim("first") else { return };
    let open = || open_all(vec![first.clone(), bench.settings("second")]);
    let ring = open().unwrap();
    let a = ring.generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let spare = ring.making_in("second").unwrap();
    assert_eq!(id(spare.generate("seal-1", KeyAlgorithm::EcdsaP256)), "keys.already-there");
    let b = spare.generate("seal-2", KeyAlgorithm::EcdsaP256).unwrap();
    assert_eq!(id(ring.making_in("third")), "keys.token-missing");
    assert_eq!(ring.labels().unwrap(), ["seal-1", "seal-2"]);
    let (of_a, of_b) = (ring.signer_for("seal-1", &a).unwrap(), ring.signer_for("seal-2", &b).unwrap());
    assert!(of_a.answers() && of_b.answers());
    sign(&*of_a).unwrap();

    bench.command("away", "");
    assert_eq!(id(sign(&*of_a)), "keys.token-missing");
    assert!(!of_a.answers() && of_b.answers());
    sign(&*of_b).unwrap();
    assert_eq!(id(open().unwrap().signer("seal-1")), "keys.token-missing");
    sign(&*open().unwrap().signer("seal-2").unwrap()).unwrap();
    bench.withdraw("away");
    recovers("the first of two tokens away and back", &*of_a);
    waits_for("the first answers", || of_a.answers());
}
