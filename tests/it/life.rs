//! What a seal's key may do and for how long: ceilings of use, certificates that follow one another, keys that end.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection};
use time::{Duration, OffsetDateTime};
use yinxin::administer;
use yinxin::ca::life::{Rekey, Revoke};
use yinxin::ceiling::{Ceiling, Ceilings, Level, Span};
use yinxin::desk::{Desk, FlowError};
use yinxin::issue::{self, Issued};
use yinxin::pki::issue::Reason;
use yinxin::seal::Seal;
use yinxin::store::{CertificateLife, LedgerFilter};
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::{Report, judge};

use crate::bureau::*;
use crate::db::on_both;

async fn ask(desk: &Desk, chief: &yinxin::officer::Officer, n: usize, later: Duration) -> Result<Issued, FlowError> {
    let request = licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3));
    issue::issue(desk, chief, request, NOW + later).await
}

fn refused(outcome: Result<Issued, FlowError>) -> (&'static str, Option<Duration>) {
    match outcome.unwrap_err() {
        FlowError::Refused(refusal) => (refusal.message.id, refusal.again_in),
        other => panic!("{other:?}"),
    }
}

/// A stolen token with every right seals as many documents as the ceiling says and not one more, however many requests it
/// sends at once and from however many processes.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_seals_past_the_ceiling_however_many_at_once() {
    on_both("ceiling", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let few = Ceilings { officer: Ceiling { an_hour: 5, a_day: 7 }, ..Ceilings::default() };
        // Two processes on one database.
        let mut desks = [bureau.desk.clone(), Bureau::at_work(open(database).await, folder.path()).await.desk];
        for desk in &mut desks {
            desk.ceilings = few;
        }
        let desks = Arc::new(desks);
        let mut asked = tokio::task::JoinSet::new();
        for n in 0..16 {
            let (desks, chief) = (desks.clone(), bureau.chief.clone());
            asked.spawn(async move { ask(&desks[n % 2], &chief, n, Duration::ZERO).await });
        }
        let outcomes = asked.join_all().await;
        let good = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(good, 5, "{outcomes:?}");
        for outcome in outcomes.into_iter().filter(Result::is_err) {
            assert_eq!(refused(outcome), ("use.officer-hour", Some(Duration::HOUR)));
        }
        let store = &bureau.desk.store;
        let ledger = store.ledger(&LedgerFilter { limit: 50, ..LedgerFilter::default() }).await.unwrap();
        assert_eq!(ledger.len(), 5, "what was refused is not in the ledger");
        // Each alarm once, in the order in which they came.
        let alarms = store.use_alarms(NOW - Duration::HOUR, 20).await.unwrap();
        let mut levels: Vec<_> = alarms.iter().map(|alarm| (alarm.span, alarm.level)).collect();
        levels.sort_by_key(|(span, level)| (span.as_str(), *level));
        assert_eq!(
            levels,
            [(Span::Hour, Level::Near), (Span::Hour, Level::Reached), (Span::Hour, Level::Refused)],
            "{alarms:?}"
        );
        let posted = store.outbox(100).await.unwrap();
        assert_eq!(posted.iter().filter(|entry| entry.kind == "seal.use-alarm").count(), 3);
        let trail = store.audit_events(100).await.unwrap();
        assert_eq!(trail.iter().filter(|event| event.what == "use.refused").count(), 1);

        // An hour later there is room again, until the day is full; and a day later for all.
        let desk = &desks[0];
        let hour = Duration::HOUR;
        for n in [100, 101] {
            ask(desk, &bureau.chief, n, hour).await.unwrap();
        }
        let (id, wait) = refused(ask(desk, &bureau.chief, 102, hour).await);
        assert_eq!((id, wait), ("use.officer-day", Some(Duration::hours(23))));
        // The same request again is no other use.
        assert!(ask(desk, &bureau.chief, 100, hour).await.unwrap().again);
        ask(desk, &bureau.chief, 102, Duration::DAY).await.unwrap();
    })
    .await;
}

/// The seal's two raise a ceiling, nobody else's do, and it is in the trail.
#[tokio::test(flavor = "multi_thread")]
async fn a_ceiling_is_laid_down_by_the_seals_own_two() {
    on_both("raised", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let mut bureau = Bureau::found(database, folder.path()).await;
        let one = Ceiling { an_hour: 1, a_day: 1 };
        bureau.desk.ceilings = Ceilings { seal: one, officer: one };
        let (desk, seal) = (&bureau.desk, &number(BUREAU_SEAL));
        ask(desk, &bureau.chief, 1, Duration::ZERO).await.unwrap();
        assert_eq!(refused(ask(desk, &bureau.chief, 2, Duration::ZERO).await).0, "use.seal-hour");
        let [by, second] = &bureau.administrators;
        let [gov, gov2] = &bureau.government;
        let two = Some(Ceiling { an_hour: 2, a_day: 3 });
        let raise = async |(by, second), grant, ceiling| {
            let raised = administer::raise(&desk.store, (by, second), seal, grant, ceiling, "限〔2026〕1号", NOW).await;
            raised.map_err(|error| error.message().id)
        };
        assert_eq!(raise((gov, gov2), None, two).await, Err("officer.not-your-seal"));
        assert_eq!(raise((by, by), None, two).await, Err("officer.two-administrators"));
        let odd = Some(Ceiling { an_hour: 3, a_day: 2 });
        assert_eq!(raise((by, second), None, odd).await, Err("use.hour-over-day"));
        assert_eq!(raise((by, second), Some("g-old-chief"), two).await, Err("store.no-grant"));
        raise((by, second), None, two).await.unwrap();
        // The seal's alone is not the officer's.
        assert_eq!(refused(ask(desk, &bureau.chief, 2, Duration::ZERO).await).0, "use.officer-hour");
        raise((by, second), Some("g-chief"), two).await.unwrap();
        ask(desk, &bureau.chief, 2, Duration::ZERO).await.unwrap();
        assert_eq!(refused(ask(desk, &bureau.chief, 3, Duration::ZERO).await).0, "use.seal-hour");
        let usage = desk.store.usage(seal, desk.ceilings, NOW).await.unwrap();
        let facts: Vec<_> =
            usage.iter().map(|one| (one.grant.is_some(), one.ceiling.a_day, one.in_hour, one.in_day)).collect();
        assert_eq!(facts, [(false, 3, 2, 2), (true, 3, 2, 2)]);
        // Nothing at all, and back to what the settings say.
        raise((by, second), None, Some(Ceiling { an_hour: 0, a_day: 0 })).await.unwrap();
        assert_eq!(refused(ask(desk, &bureau.chief, 3, Duration::days(2)).await), ("use.seal-hour", None));
        raise((by, second), None, None).await.unwrap();
        ask(desk, &bureau.chief, 3, Duration::days(2)).await.unwrap();
        let trail = desk.store.audit_events(100).await.unwrap();
        let set: Vec<_> = trail.iter().filter(|event| event.what == "seal.ceiling-set").collect();
        assert_eq!(set.len(), 4);
        assert_eq!(set[0].detail["confirmed_by"], second.id.as_str());
    })
    .await;
}

// — certificates that follow one another

async fn seal_of(bureau: &Bureau) -> Seal {
    bureau.desk.store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap().seal
}

async fn lives(bureau: &Bureau) -> Vec<CertificateLife> {
    bureau.desk.store.certificate_lives(&number(BUREAU_SEAL)).await.unwrap()
}

fn by_two(bureau: &Bureau) -> (&yinxin::officer::OfficerId, &yinxin::officer::OfficerId) {
    (&bureau.administrators[0].id, &bureau.administrators[1].id)
}

fn rekey(used_from: OffsetDateTime) -> Rekey {
    Rekey { serial: None, algorithm: None, used_from, document: "换〔2026〕1号".into(), keeps_old_key: false }
}

/// The certificate under which a document was sealed.
async fn certificate_of(bureau: &Bureau, issued: &Issued) -> String {
    bureau.desk.store.order(&issued.order).await.unwrap().unwrap().certificate.unwrap()
}

async fn judged(bureau: &Bureau, issued: &Issued, at: OffsetDateTime) -> Report {
    let store = &bureau.desk.store;
    let bytes = store.document(&issued.document).await.unwrap().unwrap().bytes;
    let trust = Arc::new(house_trust(store).await.unwrap());
    judge(&gather(Some(store), trust, "licence.pdf", bytes, at).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_is_rekeyed_and_its_old_key_ends_when_nothing_waits_for_it() {
    on_both("rekeyed", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (desk, authority, who) = (&bureau.desk, bureau.authority(), &person("service"));
        let (seal, tomorrow) = (seal_of(&bureau).await, NOW + Duration::DAY);
        let first = ask(desk, &bureau.chief, 1, Duration::ZERO).await.unwrap();
        let successor = authority.rekey(&seal, &rekey(tomorrow), by_two(&bureau), NOW).await.unwrap();
        let again = authority.rekey(&seal, &rekey(NOW), by_two(&bureau), NOW).await.unwrap_err();
        assert_eq!(again.message().id, "life.successor");
        assert_eq!(successor.used_from, tomorrow);

        // Until its instant the old one is used, then the new one.
        let before = ask(desk, &bureau.chief, 2, Duration::DAY - Duration::SECOND).await.unwrap();
        let after = ask(desk, &bureau.chief, 3, Duration::DAY).await.unwrap();
        let old = lives(&bureau).await[0].certificate.clone();
        assert_eq!(certificate_of(&bureau, &before).await, old.digest);
        assert_eq!(certificate_of(&bureau, &after).await, successor.digest);

        // An order that was written down waits for the old key, which therefore stays.
        let labels = || desk.keyring.labels().unwrap();
        assert!(authority.keep_up(false, who, tomorrow - Duration::HOUR).await.unwrap().destroyed.is_empty());
        let mut connection = sqlx::AnyConnection::connect(&database.url).await.unwrap();
        let mut stands = async |state: &str| {
            let text = format!("UPDATE seal_order SET state = '{state}' WHERE id = '{}'", before.order);
            sqlx::query(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
        };
        stands("written").await;
        assert!(authority.keep_up(false, who, tomorrow).await.unwrap().destroyed.is_empty());
        assert!(labels().contains(&old.key_label));
        stands("sealed").await;
        let upkeep = authority.keep_up(false, who, tomorrow).await.unwrap();
        assert_eq!((upkeep.destroyed, upkeep.trouble.len()), (vec![old.key_label.clone()], 0));
        assert!(!labels().contains(&old.key_label) && labels().contains(&successor.key_label));
        assert!(authority.keep_up(false, who, tomorrow).await.unwrap().destroyed.is_empty(), "once");

        // The record says when and on whose order; the certificate is revoked, and what it sealed stays good.
        let now = lives(&bureau).await;
        let (end, revocation) = (now[0].key_end.clone().unwrap(), now[0].revocation.clone().unwrap());
        assert_eq!((end.by, end.confirmed_by), (person("admin-1"), person("admin-2")));
        assert_eq!((now[0].key_destroyed_at, end.document.as_str()), (Some(tomorrow), "换〔2026〕1号"));
        assert_eq!((revocation.reason, revocation.at), (Reason::CessationOfOperation, tomorrow));
        assert!(now[1].may_be_used(tomorrow) && now[1].revocation.is_none());
        let events = desk.store.audit_events(200).await.unwrap();
        for what in ["key.end-ordered", "key.destroyed", "certificate.revoked"] {
            assert!(events.iter().any(|event| event.what == what), "{what}");
        }
        for document in [&first, &before, &after] {
            let report = judged(&bureau, document, tomorrow + Duration::HOUR).await;
            assert!(report.verdict.is_genuine(), "{report:#?}");
        }
        assert!(ask(desk, &bureau.chief, 4, Duration::DAY).await.is_ok());
    })
    .await;
}

/// A power cut between a key's end and its record: the next look finds it gone and says so; a key that was never to go and
/// is not there is trouble, not a record.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_the_destruction_is_made_good() {
    on_both("destroyed", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (desk, authority, who) = (&bureau.desk, bureau.authority(), &person("service"));
        let seal = seal_of(&bureau).await;
        authority.rekey(&seal, &rekey(NOW), by_two(&bureau), NOW).await.unwrap();
        let label = lives(&bureau).await[0].certificate.key_label.clone();
        // Another home, where the key never was.
        let elsewhere = tempfile::tempdir().unwrap();
        let mut strangers = bureau.authority();
        strangers.keyring = Arc::new(keyring(elsewhere.path()));
        let upkeep = strangers.keep_up(false, who, NOW).await.unwrap();
        assert_eq!((upkeep.destroyed.len(), upkeep.trouble[0].id), (0, "keys.unknown"));
        assert!(lives(&bureau).await[0].key_destroyed_at.is_none());

        let public_key = desk.keyring.signer(&label).unwrap().public_key().to_vec();
        let leave = desk.store.write_down_destruction(&label, &public_key, "t", "admin-1", NOW).await.unwrap();
        desk.keyring.destroy(leave).unwrap();
        let upkeep = authority.keep_up(false, who, NOW).await.unwrap();
        assert_eq!(upkeep.destroyed, [label]);
        assert!(lives(&bureau).await[0].revocation.is_some());
    })
    .await;
}

/// A key that was in other hands: what was sealed since is not believed, whatever our own ledger says; what was sealed
/// before is. Whoever revokes says how many documents that ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_revoked_from_when_its_key_was_lost() {
    on_both("revoked", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (desk, authority, seal) = (&bureau.desk, bureau.authority(), &number(BUREAU_SEAL));
        let early = ask(desk, &bureau.chief, 1, Duration::ZERO).await.unwrap();
        let late = ask(desk, &bureau.chief, 2, Duration::hours(5)).await.unwrap();
        let serial = lives(&bureau).await[0].certificate.serial.clone();
        let now = NOW + Duration::hours(6);
        let order = |since, acknowledged| Revoke {
            serial: serial.clone(),
            reason: Reason::KeyCompromise,
            since: Some(since),
            document: "吊〔2026〕1号".into(),
            acknowledged,
        };
        let lost = NOW + Duration::hours(2);
        let revoke = async |order: Revoke| {
            authority.revoke(seal, &order, by_two(&bureau), now).await.map_err(|error| error.message().id)
        };
        assert_eq!(revoke(order(now + Duration::HOUR, 0)).await, Err("life.since"));
        assert_eq!(revoke(order(lost, 0)).await, Err("seal.acknowledge"));
        assert_eq!(revoke(Revoke { reason: Reason::CaCompromise, ..order(lost, 1) }).await, Err("life.reason"));
        assert_eq!(revoke(Revoke { serial: "00".into(), ..order(lost, 1) }).await, Err("life.no-certificate"));
        revoke(order(lost, 1)).await.unwrap();
        assert_eq!(revoke(order(lost, 1)).await, Err("store.revocation"));
        assert!(judged(&bureau, &early, now).await.verdict.is_genuine());
        let report = judged(&bureau, &late, now).await;
        assert!(!report.verdict.is_genuine(), "{report:#?}");
        // Nothing more is sealed under it, until there is a new one.
        let refused = ask(desk, &bureau.chief, 3, Duration::hours(6)).await.unwrap_err();
        assert_eq!(refused.message().id, "desk.certificate-ended");
        authority
            .certify_seal(&seal_of(&bureau).await, yinxin::crypto::KeyAlgorithm::EcdsaP256, &person("admin-1"), now)
            .await
            .unwrap();
        assert!(ask(desk, &bureau.chief, 3, Duration::hours(6)).await.is_ok());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_is_warned_of_and_followed_where_the_settings_say_so() {
    on_both("ending", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (authority, who) = (bureau.authority(), &person("service"));
        let first = lives(&bureau).await[0].certificate.clone();
        let ends = yinxin::pki::certificate::Certificate::read(&first.certificate).unwrap().not_after;
        let at = async |days: i64, rekeys: bool| {
            let upkeep = authority.keep_up(rekeys, who, ends - Duration::days(days)).await.unwrap();
            assert!(upkeep.trouble.is_empty(), "{:?}", upkeep.trouble);
            (upkeep.warned, upkeep.rekeyed.len())
        };
        // The bureau's and the department's, once for each stage.
        assert_eq!(at(91, true).await, (0, 0));
        assert_eq!(at(90, true).await, (2, 0));
        assert_eq!(at(89, true).await, (0, 0));
        assert_eq!(at(60, true).await, (2, 0));
        let posted = bureau.desk.store.outbox(100).await.unwrap();
        assert_eq!(posted.iter().filter(|entry| entry.kind == "certificate.ends-soon").count(), 4);
        assert_eq!(at(29, false).await, (2, 0), "by hand");
        assert_eq!(at(29, true).await, (0, 2));
        assert_eq!(at(29, true).await, (0, 0), "once");
        let now = lives(&bureau).await;
        assert_eq!(now.len(), 2);
        assert!(now[1].may_be_used(ends) && now[0].key_destroyed_at.is_some());
        assert_eq!(now[0].key_end.as_ref().unwrap().by, *who);
    })
    .await;
}
