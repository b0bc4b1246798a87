//! Our own authority: what its tokens are worth to OpenSSL and to our own judge, and when it stops.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use time::Duration;
use yinxin::crypto::Digest;
use yinxin::http::{PublicState, public_router};
use yinxin::pki::certificate::{Certificate, to_pem};
use yinxin::pki::issue::Reason;
use yinxin::stamp::Token;
use yinxin::stamping::{Plan, Stamping};
use yinxin::store::{OrderState, Revocation, Stamp, StoreError};
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::{Trust, judge};

use super::{House, IMPRINT, stamp};
use crate::bureau::*;
use crate::db::{Database, on_both};
use crate::http::client::Client;
use crate::http::listen;

const CONTENT: &[u8] = "准予行政许可决定书".as_bytes();

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

/// Root and intermediates as others get them.
async fn exported(house: &House, folder: &Path) -> (String, String, String) {
    let store = &house.bureau.desk.store;
    for ca in store.ca_certificates().await.unwrap() {
        std::fs::write(folder.join(format!("{}.pem", ca.label)), to_pem("CERTIFICATE", &ca.certificate)).unwrap();
    }
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let unit = store.stamping_units().await.unwrap().remove(0).certificate;
    let both =
        [std::fs::read_to_string(path("issuing.pem")).unwrap(), to_pem("CERTIFICATE", &unit.certificate)].concat();
    std::fs::write(path("with-unit.pem"), both).unwrap();
    (path("root.pem"), path("issuing.pem"), path("with-unit.pem"))
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_takes_our_tokens_over_http() {
    on_both("stamps_openssl", async |database| {
        let house = House::found(database).await;
        let (desk, store) = (house.bureau.desk.clone(), house.bureau.desk.store.clone());
        let state = PublicState::new(store, desk.clock.clone(), Arc::new(Trust::default()), false);
        let (address, _stop) = listen(public_router(state.stamping(desk, 30))).await;
        let folder = tempfile::tempdir().unwrap();
        let (root, issuing, with_unit) = exported(&house, folder.path()).await;
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (content, query, reply) = (path("content"), path("query"), path("reply"));
        std::fs::write(&content, CONTENT).unwrap();
        let at = NOW.unix_timestamp().to_string();
        for digest in ["-sha256", "-sha384", "-sha512", "-sm3"] {
            for extra in [&["-cert"][..], &[], &["-no_nonce", "-cert"], &["-no_nonce"]] {
                let made =
                    run("openssl", &[&["ts", "-query", "-data", &content, digest, "-out", &query], extra].concat());
                assert!(made.status.success());
                let body = std::fs::read(&query).unwrap();
                let answer = Client::of(address).send("POST", "/tsa", "application/timestamp-query", &body).await;
                assert_eq!((answer.status, answer.header("content-type")), (200, "application/timestamp-reply"));
                assert_eq!(answer.header("cache-control"), "no-store");
                std::fs::write(&reply, &answer.body).unwrap();
                let helpers = if extra.contains(&"-cert") { &issuing } else { &with_unit };
                let verify = [
                    "ts",
                    "-verify",
                    "-queryfile",
                    &query,
                    "-in",
                    &reply,
                    "-CAfile",
                    &root,
                    "-untrusted",
                    helpers,
                    "-attime",
                    &at,
                ];
                let verified = run("openssl", &verify);
                let said = String::from_utf8_lossy(&[verified.stdout, verified.stderr].concat()).into_owned();
                assert!(verified.status.success() && said.contains("Verification: OK"), "{digest} {extra:?}: {said}");
                let token = Token::read_answer(&answer.body).unwrap();
                assert_eq!(token.nonce.is_some(), !extra.contains(&"-no_nonce"));
                assert_eq!(token.signed.certificates.len(), if extra.contains(&"-cert") { 2 } else { 0 });
                assert_eq!((token.time, token.accuracy, token.ordering), (NOW, Some(Duration::SECOND), false));
            }
        }
        // The same files with one bit of the token changed: OpenSSL does look.
        let mut broken = std::fs::read(&reply).unwrap();
        *broken.last_mut().unwrap() ^= 1;
        std::fs::write(&reply, broken).unwrap();
        let verified = run(
            "openssl",
            &[
                "ts",
                "-verify",
                "-queryfile",
                &query,
                "-in",
                &reply,
                "-CAfile",
                &root,
                "-untrusted",
                &with_unit,
                "-attime",
                &at,
            ],
        );
        assert!(!verified.status.success());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_none_are_told_why() {
    let house = House::found(&Database::sqlite("stamps_rejections")).await;
    let (desk, store) = (house.bureau.desk.clone(), house.bureau.desk.store.clone());
    let state = |a_minute| {
        PublicState::new(store.clone(), desk.clock.clone(), Arc::new(Trust::default()), false)
            .stamping(desk.clone(), a_minute)
    };
    let (address, _stop) = listen(public_router(state(30))).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (content, query, reply) = (path("content"), path("query"), path("reply"));
    std::fs::write(&content, CONTENT).unwrap();
    let ask = async |body: &[u8]| {
        let answer = Client::of(address).send("POST", "/tsa", "application/timestamp-query; x=y", body).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/timestamp-reply"));
        std::fs::write(&reply, &answer.body).unwrap();
        let text = run("openssl", &["ts", "-reply", "-in", &reply, "-text"]);
        String::from_utf8(text.stdout).unwrap()
    };
    for (arguments, failure) in [
        (&["-sha1"][..], "unrecognized or unsupported algorithm identifier"),
        (&["-sha3-256"], "unrecognized or unsupported algorithm identifier"),
        (&["-sha256", "-tspolicy", "1.2.3.4"], "the requested TSA policy is not supported by the TSA"),
    ] {
        assert!(
            run("openssl", &[&["ts", "-query", "-data", &content, "-out", &query], arguments].concat())
                .status
                .success()
        );
        let text = ask(&std::fs::read(&query).unwrap()).await;
        assert!(text.contains("Status: Rejected") && text.contains(failure), "{arguments:?}: {text}");
    }
    let own = ["-sha256", "-tspolicy", yinxin::stamping::POLICY];
    assert!(
        run("openssl", &[&["ts", "-query", "-data", &content, "-out", &query], &own[..]].concat()).status.success()
    );
    let right = std::fs::read(&query).unwrap();
    let text = ask(&right).await;
    assert!(text.contains("Status: Granted") && text.contains(yinxin::stamping::POLICY), "{text}");
    for body in [&b""[..], b"<html>", &right[1..], &vec![0x30; 5000]] {
        let text = ask(body).await;
        assert!(text.contains("the data submitted has the wrong format"), "{text}");
    }

    let client = Client::of(address);
    assert_eq!(client.send("POST", "/tsa", "text/plain", &right).await.problem(), "http.media-type");
    assert_eq!(client.get("/tsa").await.status, 405);
    let (closed, _stop) = {
        let state = PublicState::new(store.clone(), desk.clock.clone(), Arc::new(Trust::default()), false);
        listen(public_router(state)).await
    };
    let answer = Client::of(closed).send("POST", "/tsa", "application/timestamp-query", &right).await;
    assert_eq!((answer.status, answer.problem().as_str()), (404, "http.no-stamping"));

    // So many a minute, and then more.
    let (narrow, _stop) = listen(public_router(state(2))).await;
    let ask = async || Client::of(narrow).send("POST", "/tsa", "application/timestamp-query", &right).await;
    assert_eq!((ask().await.status, ask().await.status), (200, 200));
    let refused = ask().await;
    assert_eq!(
        (refused.status, refused.header("retry-after"), refused.problem().as_str()),
        (429, "60", "http.too-many-stamps")
    );
    house.later(Duration::minutes(1));
    assert_eq!(ask().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_judge_believes_our_tokens_and_the_store_has_each_of_them() {
    on_both("stamps_judged", async |database| {
        let house = House::found(database).await;
        let desk = &house.bureau.desk;
        let der = desk.stamp(Digest::Sha256, &yinxin::crypto::sha256(CONTENT)).await.unwrap();
        let trust = Arc::new(house_trust(&desk.store).await.unwrap());
        let mut evidence = gather(None, trust, "stamp.tst", der.clone(), NOW).await.unwrap();
        evidence.content = Some(CONTENT.to_vec());
        let report = serde_json::to_value(judge(&evidence)).unwrap();
        assert_eq!(report["signatures"][0]["indication"], "TOTAL-PASSED", "{report:#}");

        // Two replicas at once: no serial number twice, each with an order that is done.
        let replica = desk.clone().stamped_by(Stamping::of(Plan::default(), NOW));
        let mut waiting = tokio::task::JoinSet::new();
        for i in 0..16 {
            let desk = if i % 2 == 0 { desk.clone() } else { replica.clone() };
            waiting.spawn(
                async move { Token::read(&desk.stamp(Digest::Sha256, &IMPRINT).await.unwrap()).unwrap().serial },
            );
        }
        let mut serials = waiting.join_all().await;
        serials.sort();
        serials.dedup();
        assert_eq!(serials.len(), 16);
        assert!(serials.iter().all(|serial| serial.len() == 16));
        assert!(desk.store.unfinished().await.unwrap().is_empty());
        let unit = desk.store.stamping_units().await.unwrap().remove(0);
        assert_eq!(unit.last, Some(NOW));
        // The store lets no serial number be used again, whoever asks.
        let stamp = |serial| Stamp {
            serial,
            label: &unit.certificate.label,
            at: NOW,
            info: b"info",
            to_be_signed: b"attributes",
        };
        let serial = hex::encode(&serials[0]);
        let again = desk.store.write_down_stamp(stamp(&serial), "test").await.unwrap_err();
        assert!(matches!(again, StoreError::Conflict(_)), "{again}");
        assert!(desk.store.unfinished().await.unwrap().is_empty(), "nothing was written");
        // A key that is gone: whoever asked is told, and no order is left behind.
        let label = unit.certificate.label.clone();
        let file = house.folder.path().join("keys").join(format!("{label}.key"));
        let other = Bureau::at_work(desk.store.clone(), house.folder.path()).await;
        std::fs::remove_file(&file).unwrap();
        let broken = Bureau::at_work(desk.store.clone(), house.folder.path()).await;
        assert!(broken.desk.stamp(Digest::Sha256, &IMPRINT).await.is_err());
        other.desk.stamp(Digest::Sha256, &IMPRINT).await.unwrap();
        assert!(desk.store.unfinished().await.unwrap().is_empty());
        // One that a crash left behind is shown as lost when resuming.
        let order = desk.store.write_down_stamp(stamp("00"), "test").await.unwrap();
        yinxin::issue::resume(desk, NOW + Duration::HOUR).await.unwrap();
        let lost = desk.store.order(order.id()).await.unwrap().unwrap();
        assert_eq!(lost.state, OrderState::Lost);
        assert!(!desk.store.finish_stamp(order.id(), NOW).await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_in_doubt_stamps_nothing_and_recovers() {
    let house = House::found(&Database::sqlite("stamps_clock")).await;
    let ran = Arc::new(AtomicI64::new(1_000_000));
    let seconds = ran.clone();
    let steady: yinxin::stamping::clock::Steady = Arc::new(move || Duration::seconds(seconds.load(Ordering::SeqCst)));
    let desk = house.desk(Plan { steady: Some(steady), ..Plan::default() });
    let state = PublicState::new(desk.store.clone(), desk.clock.clone(), Arc::new(Trust::default()), false);
    let (address, _stop) = listen(public_router(state.stamping(desk.clone(), 30))).await;
    let client = Client::of(address);
    let query = yinxin::stamp::request::Request::of_ours(yinxin::crypto::Digest::Sha256, &IMPRINT, [7; 16], None);
    let query = query.to_der().unwrap();
    let ask = async || {
        let answer = client.send("POST", "/tsa", "application/timestamp-query", &query).await;
        assert_eq!(answer.status, 200);
        answer.body
    };
    stamp(&desk).await.unwrap();
    assert_eq!(client.get("/readyz").await.text(), "ready\n");

    // Time goes on in both, and nothing is wrong.
    house.later(Duration::HOUR);
    ran.fetch_add(3600, Ordering::SeqCst);
    stamp(&desk).await.unwrap();

    // Somebody sets the clock: forward, then back beyond where it was.
    for step in [Duration::seconds(2), Duration::seconds(-2), Duration::days(3), Duration::days(-3)] {
        house.later(step);
        let why = stamp(&desk).await.unwrap_err();
        assert!(why.contains("the clock was set by"), "{step}: {why}");
        let rejected = yinxin::stamp::answer::Rejection::TimeNotAvailable.answer();
        assert_eq!(ask().await, rejected, "{step}");
        let ready = client.get("/readyz").await;
        assert!(
            ready.status == 200 && ready.text().starts_with("ready\n") && ready.text().contains("[stamping.clock]"),
            "{}",
            ready.text()
        );
        house.later(-step);
        Token::read_answer(&ask().await).unwrap();
    }
    // A second is what every token allows for.
    house.later(Duration::SECOND);
    stamp(&desk).await.unwrap();
    house.later(-Duration::SECOND);

    // After a restart nobody remembers the step, but the newest stamp does.
    house.later(Duration::minutes(-5));
    let restarted = house.desk(Plan::default());
    let why = stamp(&restarted).await.unwrap_err();
    assert!(why.contains("behind the newest time stamp"), "{why}");
    house.later(Duration::minutes(5));
    stamp(&restarted).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_servers_clock_is_held_against_ours() {
    on_both("stamps_database_clock", async |database| {
        let house = House::found(database).await;
        let Some(server) = house.bureau.desk.store.server_clock().await.unwrap() else {
            // A file has no clock: nothing to be held against.
            stamp(&house.desk(Plan { database_clock: true, ..Plan::default() })).await.unwrap();
            return;
        };
        let why = stamp(&house.desk(Plan { database_clock: true, ..Plan::default() })).await.unwrap_err();
        assert!(why.contains("differs from the database server's"), "{why}");
        // A clock that goes with the server's.
        let began = Instant::now();
        let ours = move || server + began.elapsed();
        let mut desk = house.desk(Plan { database_clock: true, ..Plan::default() });
        desk.clock = Arc::new(ours);
        house.bureau.authority().stamping("test", ours()).await.unwrap();
        stamp(&desk).await.unwrap();
        desk.clock = Arc::new(move || ours() + Duration::milliseconds(1500));
        let why = stamp(&desk).await.unwrap_err();
        assert!(why.contains("differs from the database server's"), "{why}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unit_is_renewed_by_itself_and_after_a_revocation() {
    on_both("stamps_renewed", async |database| {
        let house = House::found(database).await;
        let (desk, authority) = (&house.bureau.desk, house.bureau.authority());
        let label = async || desk.store.stamping_units().await.unwrap().remove(0).certificate.label;
        assert!(!authority.stamping("test", NOW).await.unwrap()[0].1, "there is one already");
        let first = stamp(desk).await.unwrap();
        let certificate = Certificate::read(
            &first
                .signed
                .certificates
                .iter()
                .find(|der| Certificate::read(der).is_ok_and(|c| !c.is_ca))
                .unwrap()
                .clone(),
        )
        .unwrap();
        let usage = certificate.key_usage.unwrap();
        assert!(usage.digital_signature && !usage.non_repudiation && !certificate.is_ca);
        assert!(certificate.not_after > NOW + Duration::days(5 * 365));
        assert_eq!(first.breaches(&first.check()), []);

        house.later(Duration::days(300));
        authority.refresh("test", house.now()).await.unwrap();
        assert_eq!(label().await, "stamping-1");
        house.later(Duration::days(40));
        authority.refresh("test", house.now()).await.unwrap();
        assert_eq!(label().await, "stamping-2");
        stamp(desk).await.unwrap();
        // Revoked: not one token more, until there is a successor.
        let unit = desk.store.stamping_units().await.unwrap().remove(0).certificate;
        let now = house.now();
        let document = "示府〔2026〕1号".to_owned();
        let revocation = Revocation {
            serial: unit.serial,
            issuer: "issuing".into(),
            at: now,
            reason: Reason::KeyCompromise,
            document,
            invalid_since: None,
        };
        desk.store.revoke(&revocation, "test", now).await.unwrap();
        assert!(stamp(desk).await.unwrap_err().contains("is revoked or has ended"));
        authority.refresh("test", now).await.unwrap();
        assert_eq!(label().await, "stamping-3");
        stamp(desk).await.unwrap();
        assert_eq!(desk.store.stamping_certificates().await.unwrap().len(), 3, "the old ones stay");
        // A key whose use has ended stamps no more, although its certificate goes on for years.
        house.later(Duration::days(366));
        assert!(stamp(desk).await.unwrap_err().contains("past its use"));
    })
    .await;
}
