//! PAdES levels: what is promised is reached, waits where it cannot be had, and holds for decades when it is renewed.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use yinxin::desk::{Desk, FlowError, Step};
use yinxin::issue::{self, issue};
use yinxin::pdf::changes::LaterChanges;
use yinxin::pdf::signatures::Coverage;
use yinxin::renew;
use yinxin::seal::Level;
use yinxin::stamp::Token;
use yinxin::stamping::{Plan, Stamping};
use yinxin::store::OrderState;
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::report::SignatureKind;
use yinxin::verify::{Evidence, Report, Trust, judge};

use crate::bureau::*;
use crate::db::{Database, on_both};

async fn promise(bureau: &Bureau, level: Level) {
    let (first, second) = (&bureau.administrators[0], &bureau.administrators[1]);
    yinxin::administer::promise(&bureau.desk.store, (first, second), &number(BUREAU_SEAL), level, NOW).await.unwrap();
}

async fn judged(desk: &Desk, bytes: Vec<u8>, at: time::OffsetDateTime) -> Report {
    let trust = Arc::new(house_trust(&desk.store).await.unwrap());
    judge(&gather(Some(&desk.store), trust, "it.pdf", bytes, at).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_level_is_reached() {
    on_both("levels", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        for (n, level) in Level::ALL.into_iter().enumerate() {
            promise(&bureau, level).await;
            let request = licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3));
            let issued = issue(&bureau.desk, &bureau.chief, request, NOW).await.unwrap();
            let bytes = bureau.desk.store.document(&issued.document).await.unwrap().unwrap().bytes;
            let report = judged(&bureau.desk, bytes, NOW).await;
            assert!(report.verdict.is_genuine(), "{level}: {report:#?}");
            let seal = report.signatures.iter().find(|s| s.kind == SignatureKind::Seal).unwrap();
            assert_eq!(seal.level, Some(level));
            assert_eq!(report.signatures.len(), if level == Level::Lta { 2 } else { 1 });
            assert_eq!(seal.time_stamps.len(), usize::from(level > Level::B));
            let changes = if level >= Level::Lt { LaterChanges::Allowed } else { LaterChanges::None };
            assert_eq!(seal.later_changes, changes, "{level}");
            assert_eq!(report.signatures.last().unwrap().coverage == Coverage::Whole, level != Level::Lt);
            let order = bureau.desk.store.order(&issued.order).await.unwrap().unwrap();
            assert_eq!(order.level, level);
            // Archive time stamps are known by the day on which they lapse.
            let form = bureau.desk.store.newest_form(&issued.document).await.unwrap();
            assert_eq!(form.is_some(), level == Level::Lta);
        }
    })
    .await;
}

/// No time stamp is to be had: the order waits, whoever asks again is told so, and the key rests until it is due; when an
/// authority is back the job finishes it. Nothing is released meanwhile, and a lowered seal changes no promise.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_waits_for_its_time_stamp_and_is_finished() {
    on_both("waiting", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        promise(&bureau, Level::Lta).await;
        let store = &bureau.desk.store;
        let signed = Arc::new(Mutex::new(0));
        let count = signed.clone();
        let mut desk = bureau.desk.clone().stamped_by(nobody());
        desk.done = Arc::new(move |step| *count.lock().unwrap() += usize::from(step == Step::Signed));

        let request = || licence("许准〔2026〕1号", NOW - Duration::days(3));
        let Err(FlowError::Waiting(first)) = issue(&desk, &bureau.chief, request(), NOW).await else {
            panic!("it waits")
        };
        assert_eq!((first.because.id.as_str(), first.tries), ("stamping.unstamped", 1));
        assert!(first.next_try > NOW);
        let Err(FlowError::Waiting(again)) = issue(&desk, &bureau.chief, request(), NOW).await else {
            panic!("it waits")
        };
        assert_eq!((again.tries, *signed.lock().unwrap()), (1, 1), "asking again makes no key work");
        assert!(issue::retry(&desk, NOW).await.unwrap().is_none(), "nothing is due");

        // Due, and still none: the spell grows.
        let tried = issue::retry(&desk, first.next_try).await.unwrap().unwrap();
        assert_eq!(tried.outcome.unwrap_err().id, "issue.waiting");
        let second = store.waiting(&first.order).await.unwrap().unwrap();
        assert!(second.tries == 2 && second.since == first.since);
        assert!(second.next_try - first.next_try > first.next_try - NOW);
        assert_eq!(store.all_waiting("", 10).await.unwrap(), std::slice::from_ref(&second));
        assert_eq!(store.all_waiting("chief", 10).await.unwrap().len(), 1);
        assert!(store.all_waiting("produce", 10).await.unwrap().is_empty());
        let record = store.order(&first.order).await.unwrap().unwrap();
        assert_eq!((record.state, record.document, record.level), (OrderState::Written, None, Level::Lta));
        assert!(store.outbox(10).await.unwrap().iter().all(|event| event.kind != "document.sealed"));
        let trail = store.audit_events(200).await.unwrap();
        assert_eq!(trail.iter().filter(|event| event.what == "order.waiting").count(), 1, "one reason, one line");

        // The seal promises less from now on; this document was promised more. The authority is back.
        promise(&bureau, Level::B).await;
        let done = issue::retry(&bureau.desk, second.next_try).await.unwrap().unwrap();
        let issued = done.outcome.unwrap();
        assert_eq!(issued.order, first.order);
        let bytes = store.document(&issued.document).await.unwrap().unwrap().bytes;
        let report = judged(&bureau.desk, bytes, second.next_try).await;
        assert_eq!(report.signatures[0].level, Some(Level::Lta), "{report:#?}");
        assert!(store.waiting(&first.order).await.unwrap().is_none());
        assert_eq!(store.waiting_count().await.unwrap(), 0);
        assert!(store.outbox(10).await.unwrap().iter().any(|event| event.kind == "document.sealed"));
        let repeated = issue(&bureau.desk, &bureau.chief, request(), NOW).await.unwrap();
        assert!(repeated.again && repeated.document == issued.document);
    })
    .await;
}

/// What waits when its seal ends is lost, as after a crash.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_lost_with_its_seal() {
    on_both("waiting_lost", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        promise(&bureau, Level::T).await;
        let desk = bureau.desk.clone().stamped_by(nobody());
        let request = licence("许准〔2026〕1号", NOW - Duration::days(3));
        let Err(FlowError::Waiting(waiting)) = issue(&desk, &bureau.chief, request, NOW).await else {
            panic!("it waits")
        };
        let event = yinxin::seal::SealEvent {
            kind: yinxin::seal::SealEventKind::Suspended,
            at: NOW,
            document: "〔2026〕9号".into(),
            reason: "检查".into(),
            successor: None,
            items: vec![],
        };
        let two = (&bureau.administrators[0], &bureau.administrators[1]);
        yinxin::administer::step(&bureau.desk.store, two, &number(BUREAU_SEAL), event, 0, NOW).await.unwrap();
        let tried = issue::retry(&bureau.desk, waiting.next_try).await.unwrap().unwrap();
        assert_eq!(tried.outcome.unwrap_err().id, "issue.seal-ended");
        let record = bureau.desk.store.order(&waiting.order).await.unwrap().unwrap();
        assert_eq!((record.state, record.document), (OrderState::Lost, None));
    })
    .await;
}

/// What waits when its grant's period ends is lost too (rule 5): the seal would be used on a day for which nobody answers.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_lost_with_its_grants_period() {
    on_both("waiting_grant", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        promise(&bureau, Level::T).await;
        let (store, [by, second]) = (&bureau.desk.store, &bureau.administrators);
        yinxin::administer::take_back(store, by, "g-chief", NOW - Duration::HOUR).await.unwrap();
        let ends = NOW + Duration::minutes(2);
        let short =
            yinxin::officer::Grant { id: "g-short".into(), until: ends, ..grant("chief", &number(BUREAU_SEAL)) };
        yinxin::administer::give(store, (by, second), &short, NOW - Duration::HOUR).await.unwrap();
        let desk = bureau.desk.clone().stamped_by(nobody());
        let ask = async |n: u32| {
            let request = licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3));
            match issue(&desk, &bureau.chief, request, NOW).await {
                Err(FlowError::Waiting(waiting)) => waiting,
                other => panic!("it waits: {other:?}"),
            }
        };
        let mut waiting = vec![ask(1).await.order, ask(2).await.order];
        // Within the period one is finished, at its end the other no more.
        let tried = issue::retry(&bureau.desk, ends - Duration::SECOND).await.unwrap().unwrap();
        assert!(tried.outcome.is_ok(), "{tried:?}");
        waiting.retain(|order| *order != tried.order);
        let tried = issue::retry(&bureau.desk, ends).await.unwrap().unwrap();
        assert_eq!(
            ([tried.order.as_str()], tried.outcome.unwrap_err().id),
            ([waiting[0].as_str()], "issue.grant-expired")
        );
        assert_eq!(store.order(&waiting[0]).await.unwrap().unwrap().state, OrderState::Lost);
    })
    .await;
}

/// An order whose key never comes back is given up by two; what was asked for may then be asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_would_wait_for_ever_is_given_up_by_two() {
    on_both("given_up", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        promise(&bureau, Level::T).await;
        let (store, [by, second], [gov, gov2]) = (&bureau.desk.store, &bureau.administrators, &bureau.government);
        let desk = bureau.desk.clone().stamped_by(nobody());
        let request = || licence("许准〔2026〕1号", NOW - Duration::days(3));
        let Err(FlowError::Waiting(waiting)) = issue(&desk, &bureau.chief, request(), NOW).await else {
            panic!("it waits")
        };
        let give_up = async |two, order: &str, reason| {
            yinxin::administer::give_up(store, two, order, reason, NOW).await.map_err(|error| error.message().id)
        };
        let order = waiting.order.as_str();
        assert_eq!(give_up((by, by), order, "密码机报废").await, Err("officer.two-administrators"));
        assert_eq!(give_up((gov, gov2), order, "密码机报废").await, Err("officer.not-your-seal"));
        assert_eq!(give_up((by, second), order, " ").await, Err("administer.text"));
        assert_eq!(give_up((by, second), "nothing", "密码机报废").await, Err("administer.not-waiting"));
        give_up((by, second), order, "密码机报废").await.unwrap();
        assert_eq!(give_up((by, second), order, "密码机报废").await, Err("administer.not-waiting"));
        let record = store.order(order).await.unwrap().unwrap();
        assert_eq!((record.state, record.lost_because.as_deref()), (OrderState::Lost, Some("密码机报废")));
        let trail = store.audit_events(200).await.unwrap();
        let event = trail.iter().find(|event| event.what == "order.given-up").unwrap();
        assert_eq!((event.who.as_str(), &event.detail["confirmed_by"]), ("admin-1", &"admin-2".into()));
        assert!(issue::retry(&bureau.desk, NOW + Duration::HOUR).await.unwrap().is_none(), "it is tried no more");
        let again = issue(&bureau.desk, &bureau.chief, request(), NOW).await.unwrap();
        assert!(!again.again && again.order != order);
    })
    .await;
}

/// Settings by which nobody stamps.
fn nobody() -> Stamping {
    Stamping::of(Plan { own: false, ..Plan::default() }, NOW)
}

/// What the judge fails is not renewed, and what it cannot confirm is said to be no better than before.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_not_renewed() {
    on_both("renew_bad", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let desk = &bureau.desk;
        let request = licence("许准〔2026〕1号", NOW - Duration::days(3));
        let issued = issue(desk, &bureau.chief, request, NOW).await.unwrap();
        let good = desk.store.document(&issued.document).await.unwrap().unwrap().bytes;
        let renewing = async |bytes: Vec<u8>| renew::renew(desk, &Trust::default(), "it.pdf", bytes, NOW).await;

        let mut changed = good.clone();
        let place = changed.windows(6).position(|window| window == b"stream").unwrap() + 40;
        changed[place] ^= 1;
        assert_eq!(renewing(changed).await.unwrap_err().message().id, "renew.failed");
        assert_eq!(renewing(b"%PDF-1.7 nothing".to_vec()).await.unwrap_err().message().id, "renew.unsigned");

        // Our own B-B is proven by our ledger; with a stamp and evidence it can be checked by anybody.
        let renewed = renewing(good.clone()).await.unwrap();
        assert_eq!((renewed.level(), renewed.unproven.len()), (Some(Level::Lta), 0));
        assert!(renewed.bytes.starts_with(&good) && renewed.report.verdict.is_genuine());

        // A seal of a house that nobody here knows: stamped, and no better for it.
        let elsewhere = tempfile::tempdir().unwrap();
        let apart = Database::sqlite("elsewhere");
        let other = Bureau::found(&apart, elsewhere.path()).await;
        let foreign = renew::renew(&other.desk, &Trust::default(), "it.pdf", good, NOW).await.unwrap();
        assert_eq!(foreign.report.verdict.indication(), "INDETERMINATE");
        assert!(!foreign.unproven.is_empty());
    })
    .await;
}

// — ten years on

/// Before the first time-stamping certificate ends (six years); when the issuing authority, which runs ten years of 365 days,
/// wants its successor; before its own end, with all that it made; the day before that end; and fifteen years after the seal
/// was used.
const RENEWED: OffsetDateTime = datetime!(2032-08-01 00:00 UTC);
const FOLLOWED: OffsetDateTime = datetime!(2033-11-01 00:00 UTC);
const RENEWED_AGAIN: OffsetDateTime = datetime!(2036-10-01 00:00 UTC);
const TEN_YEARS_ON: OffsetDateTime = datetime!(2036-11-15 08:00 UTC);
const FIFTEEN_YEARS_ON: OffsetDateTime = datetime!(2041-11-15 08:00 UTC);

/// The judge of a stranger who has the file, and of us the root and the newest lists of that day.
async fn by_a_stranger(bureau: &Bureau, bytes: &[u8], at: OffsetDateTime) -> Report {
    bureau.authority().refresh("service", at).await.unwrap();
    let trust = house_trust(&bureau.desk.store).await.unwrap();
    judge(&Evidence::open("it.pdf", bytes, Arc::new(trust), at))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_holds_as_long_as_it_is_renewed_past_the_end_of_its_authority() {
    on_both("renewal", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let mut bureau = Bureau::found(database, folder.path()).await;
        promise(&bureau, Level::Lta).await;
        let passed = Arc::new(AtomicI64::new(0));
        let clock = passed.clone();
        bureau.desk.clock = Arc::new(move || NOW + Duration::seconds(clock.load(Ordering::SeqCst)));
        let (desk, store) = (&bureau.desk, &bureau.desk.store);
        let request = licence("许准〔2026〕1号", NOW - Duration::days(3));
        let issued = issue(desk, &bureau.chief, request.clone(), NOW).await.unwrap();
        let original = store.document(&issued.document).await.unwrap().unwrap().bytes;
        let form = store.newest_form(&issued.document).await.unwrap().unwrap();
        assert!(form.lapses_at > RENEWED && form.lapses_at < TEN_YEARS_ON);
        assert!(renew::lapsing(desk, NOW).await.unwrap().is_empty(), "nothing lapses yet");
        let report = by_a_stranger(&bureau, &original, NOW + Duration::DAY).await;
        assert_eq!((report.verdict.is_genuine(), report.signatures[0].level), (true, Some(Level::Lta)));

        // Six years: the authorities stay fresh, and the job finds what lapses.
        passed.store((RENEWED - NOW).whole_seconds(), Ordering::SeqCst);
        bureau.authority().refresh("service", RENEWED).await.unwrap();
        let due = renew::lapsing(desk, RENEWED).await.unwrap();
        assert_eq!(due, std::slice::from_ref(&form));
        let done = renew::renew_our_own(desk, &Trust::default(), &due[0], RENEWED).await.unwrap();
        let until = done.outcome.unwrap();
        assert!(until > TEN_YEARS_ON, "{until}");
        assert!(renew::lapsing(desk, RENEWED).await.unwrap().is_empty());

        // The old bytes stay, and whoever asks gets the newest.
        let newest = store.newest_form(&issued.document).await.unwrap().unwrap();
        assert_eq!((newest.original.as_str(), newest.position), (issued.document.as_str(), 1));
        assert_eq!(store.document(&issued.document).await.unwrap().unwrap().bytes, original);
        let renewed = store.document(&newest.document).await.unwrap().unwrap().bytes;
        assert!(renewed.starts_with(&original) && renewed.len() > original.len());
        let again = issue(desk, &bureau.chief, request, RENEWED).await.unwrap();
        assert_eq!((again.again, again.document), (true, newest.document.clone()));
        assert!(!store.renew(&form, &renewed[1..], until, RENEWED).await.unwrap(), "nobody renews what was renewed");

        // The issuing authority is followed in time; what comes under its successor outlives it.
        passed.store((FOLLOWED - NOW).whole_seconds(), Ordering::SeqCst);
        let upkeep = bureau.authority().keep_up(true, &person("service"), FOLLOWED).await.unwrap();
        assert_eq!(upkeep.issuing, ["issuing-2"]);
        passed.store((RENEWED_AGAIN - NOW).whole_seconds(), Ordering::SeqCst);
        bureau.authority().refresh("service", RENEWED_AGAIN).await.unwrap();
        let due = renew::lapsing(desk, RENEWED_AGAIN).await.unwrap();
        assert_eq!(due, std::slice::from_ref(&newest));
        let done = renew::renew_our_own(desk, &Trust::default(), &due[0], RENEWED_AGAIN).await.unwrap();
        assert!(done.outcome.unwrap() > FIFTEEN_YEARS_ON);
        let newest = store.newest_form(&issued.document).await.unwrap().unwrap();
        let twice = store.document(&newest.document).await.unwrap().unwrap().bytes;

        // pyHanko is asked of the tenth year in that year: later lists are not of its evidence.
        let mut asked = false;
        for (bytes, at, good) in [
            (&renewed, RENEWED_AGAIN + Duration::DAY, true),
            (&original, TEN_YEARS_ON, false),
            (&renewed, TEN_YEARS_ON, true),
            (&twice, TEN_YEARS_ON, true),
            (&renewed, FIFTEEN_YEARS_ON, false),
            (&twice, FIFTEEN_YEARS_ON, true),
        ] {
            if at == FIFTEEN_YEARS_ON && !asked {
                pyhanko_says(desk, &original, &renewed, folder.path()).await;
                asked = true;
            }
            let report = by_a_stranger(&bureau, bytes, at).await;
            assert_eq!(report.verdict.is_genuine(), good, "{at}: {report:#?}");
            if good {
                assert_eq!(report.signatures[0].level, Some(Level::Lta), "{at}");
            }
        }
    })
    .await;
}

/// pyHanko with a clock of our choice, and the root alone.
async fn pyhanko_says(desk: &Desk, original: &[u8], renewed: &[u8], folder: &Path) {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let peers = std::env::var_os("YINXIN_PEERS").map_or(Path::new(&home).join(".cache/yinxin/peers"), Into::into);
    let python = peers.join("bin/python");
    if !python.exists() {
        eprintln!("SKIPPED: pyHanko is not here (scripts/setup bench)");
        return;
    }
    let root = house_trust(&desk.store).await.unwrap().anchors[0].der().to_vec();
    std::fs::write(folder.join("root.der"), root).unwrap();
    std::fs::write(folder.join("levels.py"), include_str!("../../src/verify/tests/levels.py")).unwrap();
    std::fs::write(folder.join("original.pdf"), original).unwrap();
    std::fs::write(folder.join("renewed.pdf"), renewed).unwrap();
    // How the newest stamp's authority stands that day, as its responder says; all before that is in the file.
    let newest = yinxin::pdf::signatures::read(renewed).unwrap().signatures.pop().unwrap();
    let stamper = Token::read(&newest.cms).unwrap().check().certificate.unwrap();
    let issuing = house_trust(&desk.store).await.unwrap().intermediates;
    let chain: Vec<_> = std::iter::once(stamper).chain(issuing).collect();
    let standing = desk.evidence(&chain, TEN_YEARS_ON).await.unwrap();
    let mut now = vec![];
    for (kind, items) in [("crl", &standing.lists), ("ocsp", &standing.responses)] {
        for (n, item) in items.iter().enumerate() {
            now.push(format!("{n}.{kind}"));
            std::fs::write(folder.join(format!("{n}.{kind}")), item).unwrap();
        }
    }
    let standing: Vec<&str> = now.iter().map(String::as_str).collect();
    let said = |file: &str, now: OffsetDateTime, lists: &[&str]| {
        let now = now.unix_timestamp().to_string();
        let arguments = [&["levels.py", file, &now][..], lists].concat();
        let output = Command::new(&python).current_dir(folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(said("original.pdf", NOW + Duration::HOUR, &[]), "PASSED LTA_UPDATES");
    assert!(said("original.pdf", TEN_YEARS_ON, &standing).starts_with("AdESIndeterminate"));
    assert_eq!(said("renewed.pdf", TEN_YEARS_ON, &standing), "PASSED LTA_UPDATES");
}
