//! ISSUE and ABOLISH from the outside: one decision, one document, whatever happens; and every refusal named.

use time::Duration;
use yinxin::abolish::abolish;
use yinxin::crypto::Digest;
use yinxin::desk::FlowError;
use yinxin::issue::{
    EndRequest, IssueRequest, LicenceRequest, UploadPlace, UploadRequest, end_licence, issue, resume, seal_upload,
};
use yinxin::licence::{LicenceAct, LicenceStatus};
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
        let [first, second] = &bureau.administrators;
        let desk = &bureau.desk;
        let alone = abolish(desk, first, first, bureau.abolition(), vec![], None, NOW).await.unwrap_err();
        assert_eq!(id(alone), "officer.two-administrators");
        let mut two = bureau.abolition();
        two.seals.push(yinxin::abolition::AbolishedSeal { number: number("51322100009999"), items: vec![] });
        assert_eq!(id(abolish(desk, first, second, two, vec![], None, NOW).await.unwrap_err()), "seal.unknown");
        let seal = desk.store.seal(&number(DEPARTMENT_SEAL)).await.unwrap().unwrap();
        assert_eq!(seal.seal.life.events().len(), 1, "all seals of an order or none");

        let done = abolish(desk, first, second, bureau.abolition(), vec![], None, NOW).await.unwrap();
        assert_eq!((done.seals, done.revoked), (1, 1));
        assert_eq!(
            id(abolish(desk, first, second, bureau.abolition(), vec![], None, NOW).await.unwrap_err()),
            "store.abolition"
        );
        let lists = yinxin::verify::gather::house_trust(&desk.store).await.unwrap().lists;
        let certificate = desk.store.certificates(&number(DEPARTMENT_SEAL)).await.unwrap().pop().unwrap();
        let serial = hex::decode(&certificate.serial).unwrap();
        assert!(lists.iter().any(|list| list.line(&serial).is_ok_and(|line| line.is_some())), "on the revocation list");

        // A reversal is a second order; the first stays.
        let mut reversal = bureau.abolition();
        reversal.act = yinxin::abolition::AbolitionAct::Reinstate;
        reversal.number = "示府〔2026〕1号".into();
        reversal.at = NOW;
        abolish(desk, first, second, reversal, vec![], None, NOW).await.unwrap();
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
        // The key is gone when it is needed: the order is written, and stays.
        let keys = folder.path().join("keys");
        let away = folder.path().join("away");
        std::fs::rename(&keys, &away).unwrap();
        std::fs::create_dir(&keys).unwrap();
        bureau.desk = yinxin::desk::Desk::new(
            bureau.desk.store.clone(),
            bureau.desk.keyring.clone(),
            renderer(),
            "https://seal.example".into(),
            std::sync::Arc::new(|| NOW),
            std::sync::Arc::new(|step| assert_ne!(step, yinxin::desk::Step::Signed, "the process ends here")),
        );
        std::fs::remove_dir(&keys).unwrap();
        std::fs::rename(&away, &keys).unwrap();
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
        abolish(&after.desk, first, second, order, vec![], None, NOW).await.unwrap();
        let resumed = resume(&after.desk, NOW + Duration::HOUR).await.unwrap();
        assert_eq!(resumed[0].outcome.as_ref().unwrap_err().id, "issue.seal-ended");
        assert!(after.desk.store.unfinished().await.unwrap().is_empty());
        let ledger = after.desk.store.ledger(&LedgerFilter { limit: 10, ..LedgerFilter::default() }).await.unwrap();
        assert_eq!(ledger[0].state, OrderState::Lost, "shown as lost");
    })
    .await;
}
