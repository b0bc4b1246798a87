//! Seals' lives and officers' posts as two people administer them, on both databases.

use time::{Duration, OffsetDateTime};
use yinxin::abolish::{AbolishRequest, abolish};
use yinxin::administer::{give, keep, retire, step, take_back};
use yinxin::desk::FlowError;
use yinxin::issue::{issue, resume};
use yinxin::officer::Officer;
use yinxin::seal::{SealEvent, SealEventKind, SealStatus};
use yinxin::store::{SealFilter, Store};

use crate::bureau::*;
use crate::db::on_both;

fn id(error: FlowError) -> &'static str {
    error.message().id
}

fn event(kind: SealEventKind, at: OffsetDateTime) -> SealEvent {
    SealEvent {
        kind, at, document: "停〔2026〕1号".into(), reason: "核查".into(), successor: None, items: vec![]
    }
}

async fn status(store: &Store, seal: &str, at: OffsetDateTime) -> SealStatus {
    store.seal(&number(seal)).await.unwrap().unwrap().seal.life.status_at(at)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_comes_before_a_planned_abolition() {
    on_both("emergency", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (desk, store) = (&bureau.desk, &bureau.desk.store);
        let mut request = bureau.closing();
        request.order.at = NOW + Duration::days(30);
        request.order.successor = None;
        request.order.seals[0].number = number(BUREAU_SEAL);
        let [first, second] = &bureau.government;
        abolish(desk, first, second, request, NOW).await.unwrap();
        // By the owner's two; the government's may end the seal and not suspend it.
        let seal = number(BUREAU_SEAL);
        let suspended = event(SealEventKind::Suspended, NOW);
        let refused = step(store, (first, second), &seal, suspended.clone(), 0, NOW).await;
        assert_eq!(id(refused.unwrap_err()), "officer.not-your-seal");
        let [first, second] = &bureau.administrators;
        let alone = step(store, (first, first), &seal, suspended.clone(), 0, NOW).await;
        assert_eq!(id(alone.unwrap_err()), "officer.two-administrators");
        step(store, (first, second), &seal, suspended, 0, NOW).await.unwrap();
        for (days, expected) in [(0, SealStatus::Suspended), (29, SealStatus::Suspended), (30, SealStatus::Abolished)] {
            assert_eq!(status(store, BUREAU_SEAL, NOW + Duration::days(days)).await, expected);
        }
        // One query or one seal at a time: the same lives, in the order in which they count.
        let listed = store.seals(&SealFilter { limit: 10, ..SealFilter::default() }).await.unwrap();
        assert_eq!(listed.len(), 2);
        for filed in &listed {
            let one = store.seal(&filed.seal.number).await.unwrap().unwrap();
            assert_eq!((&one.seal, one.revision), (&filed.seal, filed.revision));
        }
        let order = event(SealEventKind::Abolished, NOW);
        assert_eq!(
            id(step(store, (first, second), &seal, order, 0, NOW).await.unwrap_err()),
            "administer.takes-an-order"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_from_before_now_says_how_many_documents_it_ends() {
    on_both("acknowledged", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (desk, store) = (&bureau.desk, &bureau.desk.store);
        for n in 0..2 {
            let request = licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3));
            issue(desk, &bureau.chief, request, NOW).await.unwrap();
        }
        let [first, second] = &bureau.administrators;
        let (seal, later) = (number(BUREAU_SEAL), NOW + Duration::HOUR);
        let close = async |at, acknowledged| {
            let mut request = AbolishRequest { acknowledged, ..bureau.closing() };
            (request.order.at, request.order.successor) = (at, None);
            request.order.seals[0].number = seal.clone();
            abolish(desk, first, second, request, later).await
        };
        let suspend = async |at, acknowledged| {
            step(store, (first, second), &seal, event(SealEventKind::Suspended, at), acknowledged, later).await
        };
        let said = close(NOW - Duration::DAY, 0).await.unwrap_err().message();
        assert!(said.id == "seal.acknowledge" && said.zh.contains("2份"), "{said}");
        assert_eq!(id(close(NOW - Duration::DAY, 1).await.unwrap_err()), "seal.acknowledge");
        assert_eq!(id(suspend(NOW, 0).await.unwrap_err()), "seal.acknowledge");
        assert!(store.abolitions().await.unwrap().is_empty(), "nothing was recorded");
        assert_eq!(status(store, BUREAU_SEAL, later).await, SealStatus::InForce);
        // From after the last document it ends none; and what is said to be ended must be so.
        assert_eq!(id(suspend(NOW + Duration::MINUTE, 2).await.unwrap_err()), "seal.acknowledge");
        suspend(NOW + Duration::MINUTE, 0).await.unwrap();
        let resumed = step(store, (first, second), &seal, event(SealEventKind::Resumed, NOW), 0, later).await;
        assert_eq!(id(resumed.unwrap_err()), "seal.force-in-the-past");
        step(store, (first, second), &seal, event(SealEventKind::Resumed, later), 0, later).await.unwrap();
        // The order cannot count before what already counts; from now on it ends nothing.
        assert_eq!(id(close(NOW - Duration::DAY, 2).await.unwrap_err()), "seal.event-before-last");
        close(later, 0).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_ends_documents_is_carried_out_when_they_are_counted() {
    on_both("counted", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        issue(&bureau.desk, &bureau.chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let mut request = AbolishRequest { acknowledged: 1, ..bureau.closing() };
        (request.order.at, request.order.successor) = (NOW - Duration::DAY, None);
        request.order.seals[0].number = number(BUREAU_SEAL);
        let [first, second] = &bureau.administrators;
        abolish(&bureau.desk, first, second, request, NOW + Duration::HOUR).await.unwrap();
        assert_eq!(status(&bureau.desk.store, BUREAU_SEAL, NOW).await, SealStatus::Abolished);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_seals_no_more() {
    on_both("leave", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (desk, store) = (&bureau.desk, &bureau.desk.store);
        let request = |n: u32| licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3));
        // One order is left behind, with the officer's leave in it.
        let stopping = yinxin::desk::Desk::new(
            store.clone(),
            desk.keyring.clone(),
            renderer(),
            desk.public_url.clone(),
            std::sync::Arc::new(|| NOW),
            std::sync::Arc::new(|step| assert_ne!(step, yinxin::desk::Step::Written, "the process ends here")),
        );
        let (chief, first_request) = (bureau.chief.clone(), request(1));
        let crashed = tokio::spawn(async move { issue(&stopping, &chief, first_request, NOW).await }).await;
        assert!(crashed.unwrap_err().is_panic());
        let before = store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap().revision;

        let [admin, other] = &bureau.administrators;
        let stranger = store.officer(&person("old-chief")).await.unwrap().unwrap();
        assert_eq!(id(retire(store, &stranger, &person("chief"), NOW, NOW).await.unwrap_err()), "officer.duty");
        retire(store, admin, &person("chief"), NOW, NOW).await.unwrap();
        assert_ne!(store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap().revision, before, "leave in flight is stale");
        let chief = store.officer(&person("chief")).await.unwrap().unwrap();
        assert_eq!(chief.left, Some(NOW));
        assert_eq!(id(issue(desk, &chief, request(2), NOW).await.unwrap_err()), "officer.left");
        let resumed = resume(desk, NOW).await.unwrap();
        assert_eq!(resumed[0].outcome.as_ref().unwrap_err().id, "issue.officer-left");
        // What was decided before stands, and another officer may seal it under a grant of their own.
        let produce = store.officer(&person("produce")).await.unwrap().unwrap();
        give(store, (admin, other), &grant("produce", &number(BUREAU_SEAL)), NOW).await.unwrap();
        issue(desk, &produce, request(1), NOW).await.unwrap();
        // No new grant for who has left, and no administration by who has.
        let again = yinxin::officer::Grant { id: "late".into(), ..grant("chief", &number(BUREAU_SEAL)) };
        assert_eq!(id(give(store, (admin, other), &again, NOW).await.unwrap_err()), "officer.left");
        retire(store, other, &person("admin-1"), NOW, NOW).await.unwrap();
        let gone: Officer = store.officer(&person("admin-1")).await.unwrap().unwrap();
        assert_eq!(id(take_back(store, &gone, "g-produce", NOW).await.unwrap_err()), "officer.left");
        take_back(store, other, "g-produce", NOW).await.unwrap();
        // The government's administrators may end any officer's post; and custody takes an abolished seal.
        let [first, second] = &bureau.government;
        retire(store, first, &person("old-chief"), NOW, NOW).await.unwrap();
        let entry: yinxin::abolition::CustodyEntry = serde_json::from_value(serde_json::json!({
            "kind": "sealed-away", "at": "2026-11-21T08:00:00Z", "handed_over_by": "甲", "received_by": "乙", "place": "室", "container": "1",
        }))
        .unwrap();
        let kept = keep(store, (first, second), &number(DEPARTMENT_SEAL), &entry, NOW).await;
        assert_eq!(id(kept.unwrap_err()), "custody.not-abolished");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_and_what_is_filed_is_in_the_trail() {
    on_both("trail", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let trail = bureau.desk.store.audit_events(200).await.unwrap();
        for (what, subject) in [
            ("authority.filed", BUREAU),
            ("item.filed", ITEM),
            ("item.transferred", ITEM),
            ("officer.filed", "chief"),
            ("seal.filed", BUREAU_SEAL),
            ("seal.activated", BUREAU_SEAL),
        ] {
            let found = trail.iter().filter(|event| event.what == what && event.subject == subject).count();
            assert_eq!(found, 1, "{what} {subject}");
        }
    })
    .await;
}
