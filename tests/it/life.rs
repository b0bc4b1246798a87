//! What a seal's key may do and for how long: ceilings of use, certificates that follow one another, keys that end.

use std::sync::Arc;

use time::Duration;
use yinxin::administer;
use yinxin::ceiling::{Ceiling, Ceilings, Level, Span};
use yinxin::desk::{Desk, FlowError};
use yinxin::issue::{self, Issued};
use yinxin::store::LedgerFilter;

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
