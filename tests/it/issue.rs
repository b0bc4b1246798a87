//! ISSUE and ABOLISH from the outside: one decision, one document, whatever happens; and every refusal named.

use std::sync::Arc;

use time::Duration;
use yinxin::abolish::{AbolishRequest, abolish};
use yinxin::abolition::AbolitionRequest;
use yinxin::crypto::Digest;
use yinxin::desk::{Desk, FlowError, Step};
use yinxin::issue::{
    CopyRequest, EndRequest, IssueRequest, LicenceRequest, UploadPlace, UploadRequest, annotate, end_licence, issue,
    resume, seal_upload,
};
use yinxin::licence::{LicenceAct, LicenceIdentifier, LicenceStatus};
use yinxin::officer::Officer;
use yinxin::pdf::signatures;
use yinxin::store::{LedgerFilter, OrderState};

use crate::bureau::*;
use crate::db::on_both;

fn id(error: FlowError) -> &'static str {
    error.message().id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_becomes_one_licence() {
    on_both("issue", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let request = licence("许准〔2026〕1号", NOW - Duration::days(3));
        let issued = issue(&bureau.desk, &bureau.chief, request.clone(), NOW).await.unwrap();
        let store = &bureau.desk.store;

        let document = store.document(&issued.document).await.unwrap().unwrap();
        let reading = signatures::read(&document.bytes).unwrap();
        assert_eq!((reading.signatures.len(), reading.signatures[0].coverage), (1, signatures::Coverage::Whole));
        let order = store.order(&issued.order).await.unwrap().unwrap();
        assert_eq!((order.state, order.document), (OrderState::Sealed, Some(issued.document.clone())));
        assert_eq!(order.digest, hex::encode(reading.signatures[0].digest(Digest::Sha256).unwrap()));
        let identifier = issued.identifier.clone().unwrap();
        let life = store.licence(&identifier.licence()).await.unwrap();
        assert_eq!(life.status_at(NOW), LicenceStatus::InForce);
        let ledger = store.ledger(&LedgerFilter { limit: 10, ..LedgerFilter::default() }).await.unwrap();
        assert_eq!(
            (ledger.len(), ledger[0].reason.as_str(), ledger[0].officer.as_str()),
            (1, "许准〔2026〕1号", "chief")
        );
        assert_eq!(store.outbox(10).await.unwrap().len(), 1, "delivery is due");

        // Again: the same document, no second use of the seal.
        let again = issue(&bureau.desk, &bureau.chief, request.clone(), NOW + Duration::HOUR).await.unwrap();
        assert!(again.again);
        assert_eq!(again.document, issued.document);
        assert_eq!(store.ledger(&LedgerFilter { limit: 10, ..LedgerFilter::default() }).await.unwrap().len(), 1);

        // The same number and template with anything else in the request is refused, not answered with the first.
        for change in [
            |request: &mut IssueRequest| request.licence.valid_until = Some(NOW + Duration::days(30)),
            |request: &mut IssueRequest| request.data["premises"] = "别处".into(),
            |request: &mut IssueRequest| request.licence.serial = Some("7654321".into()),
        ] {
            let mut changed = request.clone();
            change(&mut changed);
            assert_eq!(
                id(issue(&bureau.desk, &bureau.chief, changed, NOW).await.unwrap_err()),
                "issue.another-request"
            );
        }

        // The number for another holder is a conflict.
        let mut other = request.clone();
        other.decision.holder.name = "另一家店".into();
        assert_eq!(id(issue(&bureau.desk, &bureau.chief, other, NOW).await.unwrap_err()), "issue.number-in-use");

        // Renewed, then cancelled: each a version; nothing follows.
        let renew = IssueRequest {
            decision: decision("许准〔2026〕2号", NOW - Duration::days(3)),
            licence: LicenceRequest {
                act: LicenceAct::Renew,
                previous: Some(identifier.clone()),
                ..request.licence.clone()
            },
            ..request.clone()
        };
        let later = NOW + Duration::hours(2);
        let renewed = issue(&bureau.desk, &bureau.chief, renew, later).await.unwrap();
        assert_eq!(renewed.identifier.unwrap().version(), 2);
        let end = EndRequest {
            decision: decision("许销〔2026〕1号", NOW - Duration::days(3)),
            identifier: identifier.clone(),
            act: LicenceAct::Cancel,
        };
        end_licence(&bureau.desk, &bureau.chief, end.clone(), later + Duration::HOUR).await.unwrap();
        let life = store.licence(&identifier.licence()).await.unwrap();
        assert_eq!(
            (life.status_at(later), life.status_at(later + Duration::HOUR)),
            (LicenceStatus::InForce, LicenceStatus::Cancelled)
        );
        let again = EndRequest { decision: decision("许销〔2026〕2号", NOW - Duration::days(3)), ..end };
        assert_eq!(
            id(end_licence(&bureau.desk, &bureau.chief, again, later + Duration::DAY).await.unwrap_err()),
            "licence.ended"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_write_nothing_and_name_their_rule() {
    on_both("refusals", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let desk = &bureau.desk;
        let good = licence("许准〔2026〕1号", NOW - Duration::days(3));
        let refused = async |request: IssueRequest, officer| match issue(desk, officer, request, NOW).await.unwrap_err()
        {
            FlowError::Refused(refusal) => (refusal.rule.number(), refusal.message.id),
            other => panic!("{other}"),
        };
        let early = licence("许准〔2020〕9号", TRANSFER - Duration::DAY);
        assert_eq!(refused(early, &bureau.chief).await, (1, "item.accepted-before-transfer"));
        let mut old = good.clone();
        old.seal = number(DEPARTMENT_SEAL);
        assert_eq!(refused(old, &bureau.chief).await, (1, "item.accepted-after-transfer"));
        let mut twice = good.clone();
        twice.decision.hands.review = person("intake");
        assert_eq!(refused(twice, &bureau.chief).await, (5, "officer.duty"));
        assert_eq!(refused(good.clone(), &bureau.administrators[0]).await, (5, "grant.none"));
        let mut unlisted = good.clone();
        unlisted.decision.item = yinxin::item::ItemCode::parse("999").unwrap();
        assert_eq!(refused(unlisted, &bureau.chief).await, (6, "item.not-on-the-list"));
        desk.store.revoke_grant("g-chief", &person("admin-1"), NOW).await.unwrap();
        assert_eq!(refused(good.clone(), &bureau.chief).await, (5, "grant.revoked"));
        assert!(desk.store.ledger(&LedgerFilter { limit: 10, ..LedgerFilter::default() }).await.unwrap().is_empty());
        assert!(desk.store.decision("许准〔2026〕1号").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_and_the_same_one_many_times() {
    on_both("crowd", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let mut work = tokio::task::JoinSet::new();
        for n in 0..12 {
            let (desk, chief) = (bureau.desk.clone(), bureau.chief.clone());
            // Every decision three times.
            let request = licence(&format!("许准〔2026〕{}号", n / 3), NOW - Duration::days(3));
            work.spawn(async move { issue(&desk, &chief, request, NOW).await });
        }
        while let Some(done) = work.join_next().await {
            // Made, made before, or being made by the other; never anything else.
            if let Err(error) = done.unwrap() {
                let found = id(error);
                assert!(["store.order", "issue.in-progress"].contains(&found), "{found}");
            }
        }
        let ledger = bureau.desk.store.ledger(&LedgerFilter { limit: 100, ..LedgerFilter::default() }).await.unwrap();
        assert_eq!(ledger.len(), 4);
        assert!(ledger.iter().all(|line| line.state == OrderState::Sealed), "{ledger:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abolished_seal_is_closed_for_ever_and_its_certificate_revoked() {
    on_both("abolish", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let [first, second] = &bureau.government;
        let desk = &bureau.desk;
        let close = async |by: &Officer, second: &Officer, order: AbolitionRequest| {
            abolish(desk, by, second, AbolishRequest { order, ..bureau.closing() }, NOW).await
        };
        let alone = close(first, first, bureau.abolition()).await.unwrap_err();
        assert_eq!(id(alone), "officer.two-administrators");
        // The bureau that takes over the items is a stranger to the department's seal; so is each of a mixed pair.
        let [stranger, other] = &bureau.administrators;
        for (by, second) in [(stranger, other), (first, other), (stranger, second)] {
            assert_eq!(id(close(by, second, bureau.abolition()).await.unwrap_err()), "officer.not-your-seal");
        }
        let mut two = bureau.abolition();
        two.seals.push(yinxin::abolition::AbolishedSeal { number: number("51322100009999"), items: vec![] });
        assert_eq!(id(close(first, second, two).await.unwrap_err()), "seal.unknown");
        let seal = desk.store.seal(&number(DEPARTMENT_SEAL)).await.unwrap().unwrap();
        assert_eq!(seal.seal.life.events().len(), 1, "all seals of an order or none");

        let done = close(first, second, bureau.abolition()).await.unwrap();
        assert_eq!((done.seals, done.revoked), (1, 1));
        assert_eq!(id(close(first, second, bureau.abolition()).await.unwrap_err()), "store.abolition");
        let lists = yinxin::verify::gather::house_trust(&desk.store).await.unwrap().lists;
        let certificate = desk.store.certificates(&number(DEPARTMENT_SEAL)).await.unwrap().pop().unwrap();
        let serial = hex::decode(&certificate.serial).unwrap();
        assert!(lists.iter().any(|list| list.line(&serial).is_ok_and(|line| line.is_some())), "on the revocation list");

        // A reversal is a second order; the first stays.
        let mut reversal = bureau.abolition();
        reversal.act = yinxin::abolition::AbolitionAct::Reinstate;
        reversal.number = "示府〔2026〕1号".into();
        let early = close(first, second, reversal.clone()).await.unwrap_err();
        assert_eq!(id(early), "seal.force-in-the-past", "force is not given back to the past");
        reversal.at = NOW;
        close(first, second, reversal).await.unwrap();
        let seal = desk.store.seal(&number(DEPARTMENT_SEAL)).await.unwrap().unwrap();
        assert_eq!(seal.seal.life.events().len(), 3);
        assert_eq!(desk.store.abolitions().await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_decision_is_sealed_over_its_date() {
    on_both("upload", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let draft = include_bytes!("../../src/cli/demo/draft.pdf");
        let request = |keyword: &str| UploadRequest {
            decision: decision("许准〔2026〕7号", NOW - Duration::days(3)),
            seal: number(BUREAU_SEAL),
            title: "准予行政许可决定书".into(),
            place: UploadPlace::Keyword { text: keyword.into(), nth: 1, dx_mm: 0.0, dy_mm: 0.0 },
            more_places: vec![],
            straddle_mm: None,
        };
        let upload =
            async |request, pdf: &[u8]| seal_upload(&bureau.desk, &bureau.chief, request, pdf.to_vec(), NOW).await;
        assert_eq!(id(upload(request("没有这几个字"), draft).await.unwrap_err()), "issue.keyword");
        for hostile in [&b""[..], b"%PDF-1.7", b"not a pdf", &draft[..2000]] {
            assert!(matches!(upload(request("2021年3月15日"), hostile).await, Err(FlowError::Pdf(_))));
        }
        let sealed = upload(request("2021年3月15日"), draft).await.unwrap();
        let document = bureau.desk.store.document(&sealed.document).await.unwrap().unwrap();
        assert!(document.bytes.starts_with(draft), "an update over the tail");
        // Sealed once more on another decision: the earlier seal still covers its own revision.
        let mut second = request("2021年3月15日");
        second.decision = decision("许准〔2026〕8号", NOW - Duration::days(3));
        let twice = upload(second, &document.bytes).await.unwrap();
        let document = bureau.desk.store.document(&twice.document).await.unwrap().unwrap();
        let reading = signatures::read(&document.bytes).unwrap();
        assert_eq!(
            reading.signatures.iter().map(|s| s.coverage).collect::<Vec<_>>(),
            [signatures::Coverage::Partial, signatures::Coverage::Whole]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_left_behind_is_lost_when_its_seal_has_ended() {
    on_both("lost", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let mut bureau = Bureau::found(database, folder.path()).await;
        bureau.desk = stopping(&bureau, Step::Signed);
        let request = licence("许准〔2026〕1号", NOW - Duration::days(3));
        let (desk, chief) = (bureau.desk.clone(), bureau.chief.clone());
        let crashed = tokio::spawn(async move { issue(&desk, &chief, request, NOW).await }).await;
        assert!(crashed.unwrap_err().is_panic());
        let after = Bureau::at_work(bureau.desk.store.clone(), folder.path()).await;
        assert_eq!(after.desk.store.unfinished().await.unwrap().len(), 1);

        let mut order = bureau.abolition();
        order.seals[0].number = number(BUREAU_SEAL);
        order.successor = None;
        let [first, second] = &after.administrators;
        abolish(&after.desk, first, second, AbolishRequest { order, ..after.closing() }, NOW).await.unwrap();
        let resumed = resume(&after.desk, NOW + Duration::HOUR).await.unwrap();
        assert_eq!(resumed[0].outcome.as_ref().unwrap_err().id, "issue.seal-ended");
        assert!(after.desk.store.unfinished().await.unwrap().is_empty());
        let ledger = after.desk.store.ledger(&LedgerFilter { limit: 10, ..LedgerFilter::default() }).await.unwrap();
        assert_eq!(ledger[0].state, OrderState::Lost, "shown as lost");
    })
    .await;
}

/// The bureau's desk in a process that ends when this step is done.
fn stopping(bureau: &Bureau, at: Step) -> Desk {
    let ends = move |step| assert_ne!(step, at, "the process ends here");
    after_each_step(bureau, Arc::new(ends))
}

fn after_each_step(bureau: &Bureau, done: Arc<dyn Fn(Step) + Send + Sync>) -> Desk {
    let desk = &bureau.desk;
    let (store, keyring, url) = (desk.store.clone(), desk.keyring.clone(), desk.public_url.clone());
    Desk::new(store, keyring, renderer(), url, Arc::new(|| NOW), done)
}

/// An end never waits for a renewal that hangs, and a renewal that hangs never outlives the end: whichever is committed
/// first stands, and the other follows it or is lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_beside_an_unfinished_renewal() {
    on_both("end_beside", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (desk, chief) = (&bureau.desk, &bureau.chief);
        let store = &desk.store;
        let end = |n: u32, identifier: &LicenceIdentifier| EndRequest {
            decision: decision(&format!("许销〔2026〕{n}号"), NOW - Duration::days(3)),
            identifier: identifier.clone(),
            act: LicenceAct::Revoke,
        };
        let renewal = |n: u32, identifier: &LicenceIdentifier| {
            let mut request = licence(&format!("许延〔2026〕{n}号"), NOW - Duration::days(3));
            (request.licence.act, request.licence.previous) = (LicenceAct::Renew, Some(identifier.clone()));
            request
        };
        let issued = async |n: u32| {
            let request = licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3));
            issue(desk, chief, request, NOW).await.unwrap().identifier.unwrap()
        };
        let life = async |identifier: &LicenceIdentifier| {
            let life = store.licence(&identifier.licence()).await.unwrap();
            (life.versions().iter().map(|v| v.act).collect::<Vec<_>>(), life.status_at(NOW + Duration::HOUR))
        };

        // 1. The renewal is written and its process gone: the end takes the version, the order is lost at once.
        let first = issued(1).await;
        let (broken, officer, request) = (stopping(&bureau, Step::Written), chief.clone(), renewal(1, &first));
        let crashed = tokio::spawn(async move { issue(&broken, &officer, request, NOW).await }).await;
        assert!(crashed.unwrap_err().is_panic());
        let left = store.unfinished().await.unwrap().pop().unwrap().record.id;
        assert_eq!(end_licence(desk, chief, end(1, &first), NOW).await.unwrap().version(), 2);
        let lost = store.order(&left).await.unwrap().unwrap();
        assert!(lost.state == OrderState::Lost && lost.lost_because.unwrap().contains("revoke"));
        assert!(resume(desk, NOW).await.unwrap().is_empty());
        assert_eq!(life(&first).await, (vec![LicenceAct::Issue, LicenceAct::Revoke], LicenceStatus::Revoked));
        assert_eq!(id(issue(desk, chief, renewal(1, &first), NOW).await.unwrap_err()), "licence.ended");

        // 2. The end comes while the key has signed and the document is checked: it is not released.
        let second = issued(2).await;
        let (calm, officer, request) = (desk.clone(), chief.clone(), end(2, &second));
        let handle = tokio::runtime::Handle::current();
        let ended = std::sync::Mutex::new(None);
        let at_the_worst = after_each_step(&bureau, {
            let ended = Arc::new(ended);
            Arc::new(move |step| {
                if step == Step::Checked && ended.lock().unwrap().is_none() {
                    let identifier = handle.block_on(end_licence(&calm, &officer, request.clone(), NOW)).unwrap();
                    *ended.lock().unwrap() = Some(identifier);
                }
            })
        });
        assert_eq!(id(issue(&at_the_worst, chief, renewal(2, &second), NOW).await.unwrap_err()), "issue.lost");
        assert_eq!(life(&second).await, (vec![LicenceAct::Issue, LicenceAct::Revoke], LicenceStatus::Revoked));

        // 3. The renewal was first: the end follows it.
        let third = issued(3).await;
        issue(desk, chief, renewal(3, &third), NOW).await.unwrap();
        assert_eq!(end_licence(desk, chief, end(3, &third), NOW).await.unwrap().version(), 3);

        // 4. Both at once, many times: the licence is ended, never in force, and nothing is left over.
        for n in 4..12 {
            let identifier = issued(n).await;
            let (renewed, ended) = tokio::join!(
                issue(desk, chief, renewal(n, &identifier), NOW),
                end_licence(desk, chief, end(n, &identifier), NOW)
            );
            if let Err(error) = &renewed {
                let found = error.message().id;
                assert!(["issue.lost", "store.version", "licence.ended"].contains(&found), "{found}");
            }
            let version = ended.unwrap().version();
            let (acts, status) = life(&identifier).await;
            assert_eq!((acts.len(), status), (usize::from(version), LicenceStatus::Revoked), "{acts:?}");
            assert_eq!(renewed.is_ok(), version == 3, "a renewal that was released is in the life");
        }
        assert!(store.unfinished().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_flight_ends_with_its_licence_and_with_its_own_time() {
    on_both("copy_in_flight", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (desk, chief) = (&bureau.desk, &bureau.chief);
        let store = &desk.store;
        let issued = async |n: u32| {
            let request = licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3));
            issue(desk, chief, request, NOW).await.unwrap().identifier.unwrap()
        };
        let asked = |identifier: &LicenceIdentifier| CopyRequest {
            identifier: identifier.clone(),
            purpose: "投标".into(),
            requester: "某单位".into(),
            expires_at: NOW + Duration::days(9),
            seal: None,
            files: None,
        };
        let crashed = async |identifier: &LicenceIdentifier, step| {
            let (broken, officer, request) = (stopping(&bureau, step), chief.clone(), asked(identifier));
            let crashed = tokio::spawn(async move { annotate(&broken, &officer, request, NOW).await }).await;
            assert!(crashed.unwrap_err().is_panic());
            store.unfinished().await.unwrap().pop().unwrap().record.id
        };
        let because = async |order: &str| {
            let order = store.order(order).await.unwrap().unwrap();
            (order.state, order.lost_because.unwrap_or_default())
        };

        // The licence ends while its copy waits to be sealed.
        let first = issued(1).await;
        let left = crashed(&first, Step::Written).await;
        let end = EndRequest {
            decision: decision("许销〔2026〕1号", NOW - Duration::days(3)),
            identifier: first.clone(),
            act: LicenceAct::Cancel,
        };
        end_licence(desk, chief, end, NOW).await.unwrap();
        let (state, why) = because(&left).await;
        assert!(state == OrderState::Lost && why.contains("cancel"), "{why}");
        assert_eq!(id(annotate(desk, chief, asked(&first), NOW).await.unwrap_err()), "copy.not-in-force");

        // The copy's own end passes while it waits.
        let second = issued(2).await;
        let left = crashed(&second, Step::Receipted).await;
        assert!(resume(desk, NOW + Duration::days(9)).await.unwrap()[0].outcome.is_err());
        let (state, why) = because(&left).await;
        assert!(state == OrderState::Lost && why.contains("copy's own end"), "{why}");

        // Otherwise it is finished as any document, and the request gets what came of it.
        let third = issued(3).await;
        let left = crashed(&third, Step::Signed).await;
        let resumed = resume(desk, NOW).await.unwrap().pop().unwrap();
        assert_eq!(resumed.order, left);
        let again = annotate(desk, chief, asked(&third), NOW + Duration::HOUR).await.unwrap();
        assert_eq!((again.again, again.document), (true, resumed.outcome.unwrap().document));
    })
    .await;
}
