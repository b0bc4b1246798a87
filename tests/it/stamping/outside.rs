//! Authorities outside: the first is down, slow or lying, all are; and one comes back.

use std::process::{Command, Stdio};
use std::time::Instant;

use time::Duration;
use yinxin::stamp::accept::Terms;
use yinxin::stamping::Plan;
use yinxin::tsa::{Authorities, AuthoritySettings};

use super::fake::{Does, Fake, POLICY};
use super::{House, stamp};
use crate::db::Database;

/// Everything that can be wrong with an authority, and the words by which it is told.
const WRONG: &[(Does, &str)] = &[
    (Does::WrongImprint, "is of something else"),
    (Does::WrongNonce, "answers another request"),
    (Does::Untrusted, "not issued by an authority that is trusted here"),
    (Does::Expired, "had expired"),
    (Does::NotForStamps, "not for time stamps alone"),
    (Does::Revoked, "was revoked"),
    (Does::OfAnotherTime(62), "too far from our clock"),
    (Does::OfAnotherTime(-62), "too far from our clock"),
    (Does::BrokenSignature, "signature"),
    (Does::Garbage, "TimeStampResp"),
    (Does::Huge, "too large"),
    (Does::Refuses, "gave no stamp (status 2)"),
    (Does::Status(500), "status 500"),
    (Does::Redirects, "status 307"),
    (Does::HangsUp, "cannot be reached"),
    (Does::Slow(1500), "in time"),
];

fn plan(authorities: Vec<AuthoritySettings>) -> Plan {
    Plan { authorities: Authorities::of(authorities), own: false, ..Plan::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_the_first_the_second_stamps() {
    let house = House::found(&Database::sqlite("stamps_failover")).await;
    let first = Fake::open(Does::Right, house.late.clone());
    let second = Fake::open(Does::Right, house.late.clone());
    let by = |token: &yinxin::stamp::Token, fake: &Fake| token.signed.certificates.contains(&fake.root.der().to_vec());
    for (does, _) in WRONG {
        first.set(*does);
        let asked = first.times_asked();
        let desk = house.desk(plan(vec![first.settings(), second.settings()]));
        let begun = Instant::now();
        let token = stamp(&desk).await.unwrap();
        assert!(by(&token, &second) && first.times_asked() == asked + 1, "{does:?}");
        assert!(begun.elapsed().as_millis() < 3000, "{does:?} held us up for {:?}", begun.elapsed());
        // It is not asked again while it rests; the order is the settings' and never chance.
        stamp(&desk).await.unwrap();
        assert_eq!(first.times_asked(), asked + 1, "{does:?}");
    }
    first.set(Does::Right);
    let desk = house.desk(plan(vec![first.settings(), second.settings()]));
    let asked = second.times_asked();
    for _ in 0..5 {
        assert!(by(&stamp(&desk).await.unwrap(), &first));
    }
    assert_eq!(second.times_asked(), asked, "the first one answers, so nobody else is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_none_stamps_nothing_is_stamped_until_one_is_back() {
    let house = House::found(&Database::sqlite("stamps_all_down")).await;
    let fake = Fake::open(Does::Right, house.late.clone());
    for (does, said) in WRONG {
        fake.set(*does);
        let desk = house.desk(plan(vec![fake.settings()]));
        let why = stamp(&desk).await.unwrap_err();
        assert!(why.contains(said) && why.contains(&fake.address.to_string()), "{does:?}: {why}");
        assert!(why.contains("tried again later"), "{why}");
        fake.set(Does::Right);
        let resting = stamp(&desk).await.unwrap_err();
        assert!(resting.contains("asked again after"), "{resting}");
        house.later(Duration::seconds(6));
        stamp(&desk).await.unwrap();
    }
    // Nobody listens at all.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = AuthoritySettings { url: format!("http://{nobody}/"), ..fake.settings() };
    let desk =
        house.desk(plan(vec![closed.clone(), AuthoritySettings { url: "http://nowhere.invalid/".into(), ..closed }]));
    let why = stamp(&desk).await.unwrap_err();
    assert!(why.contains("refused") && why.contains("nowhere.invalid"), "{why}");
    // None is named, and our own may not.
    let why = stamp(&house.desk(plan(vec![]))).await.unwrap_err();
    assert!(why.contains("stamp.authorities"), "{why}");
}

/// OpenSSL plays a host with a certificate that the web does not trust: the connection ends before anything is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_who_it_says_is_not_asked() {
    let house = House::found(&Database::sqlite("stamps_tls")).await;
    let fake = Fake::open(Does::Right, house.late.clone());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    let curve =
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
    let made = Command::new("openssl")
        .args(["req", "-x509", "-keyout", &key, "-out", &certificate, "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(curve)
        .output()
        .unwrap();
    assert!(made.status.success());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new("openssl")
        .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-key", &key, "-cert", &certificate, "-quiet"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let up = (0..50).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let url = format!("https://127.0.0.1:{port}/tsa");
    let outcome = stamp(&house.desk(plan(vec![AuthoritySettings { url, ..fake.settings() }]))).await;
    server.kill().unwrap();
    server.wait().unwrap();
    let why = outcome.unwrap_err();
    assert!(up && why.contains("cannot be reached") && why.contains("invalid peer certificate"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rests_grow_and_end_with_the_first_success() {
    let house = House::found(&Database::sqlite("stamps_rests")).await;
    let fake = Fake::open(Does::HangsUp, house.late.clone());
    let desk = house.desk(plan(vec![fake.settings()]));
    for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
        let asked = fake.times_asked();
        stamp(&desk).await.unwrap_err();
        assert_eq!(fake.times_asked(), asked + 1);
        house.later(Duration::seconds(seconds - 1));
        stamp(&desk).await.unwrap_err();
        assert_eq!(fake.times_asked(), asked + 1, "it rests for {seconds} s");
        house.later(Duration::seconds(1));
    }
    fake.set(Does::Right);
    stamp(&desk).await.unwrap();
    fake.set(Does::HangsUp);
    stamp(&desk).await.unwrap_err();
    house.later(Duration::seconds(5));
    fake.set(Does::Right);
    stamp(&desk).await.unwrap();
    let standing = desk.stamping.authorities().standing(house.now());
    assert!(standing[0].rests_until.is_none() && standing[0].last_fault.is_some(), "{standing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_policy_is_held_to() {
    let house = House::found(&Database::sqlite("stamps_policy")).await;
    let fake = Fake::open(Does::Right, house.late.clone());
    let with = |policy: &str| {
        let terms = Terms { policy: Some(policy.into()), ..fake.settings().terms };
        house.desk(plan(vec![AuthoritySettings { terms, ..fake.settings() }]))
    };
    assert_eq!(stamp(&with(POLICY)).await.unwrap().policy, POLICY);
    let why = stamp(&with("1.2.3")).await.unwrap_err();
    assert!(why.contains(POLICY), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_stamps_after_the_outside_ones_where_the_settings_say_so() {
    let house = House::found(&Database::sqlite("stamps_own_last")).await;
    let fake = Fake::open(Does::Right, house.late.clone());
    let desk = house.desk(Plan { own: true, ..plan(vec![fake.settings()]) });
    assert_eq!(stamp(&desk).await.unwrap().policy, POLICY);
    fake.set(Does::Status(503));
    assert_eq!(stamp(&desk).await.unwrap().policy, yinxin::stamping::POLICY);

    // What the outside clocks show stops our own: a stamp within the tolerance is taken, and ours is half a minute off.
    house.later(Duration::minutes(1));
    fake.set(Does::OfAnotherTime(30));
    assert_eq!(stamp(&desk).await.unwrap().policy, POLICY);
    fake.set(Does::Status(503));
    let why = stamp(&desk).await.unwrap_err();
    assert!(why.contains("status 503") && why.contains("differs from the outside authorities' by 30"), "{why}");
    // Another that agrees with us outweighs it.
    let second = Fake::open(Does::Right, house.late.clone());
    let desk = house.desk(Plan { own: true, ..plan(vec![fake.settings(), second.settings()]) });
    fake.set(Does::OfAnotherTime(30));
    stamp(&desk).await.unwrap();
    fake.set(Does::HangsUp);
    stamp(&desk).await.unwrap();
    second.set(Does::HangsUp);
    assert_eq!(stamp(&desk).await.unwrap().policy, yinxin::stamping::POLICY);
}
