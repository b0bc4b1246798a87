//! VERIFY from the outside: what the bureau issued is judged with its register, and without.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};
use yinxin::abolish::{AbolishRequest, abolish};
use yinxin::issue::issue;
use yinxin::store::Store;
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::{Report, Trust, exit_code, judge};

use crate::bureau::*;
use crate::db::on_both;

async fn verify(store: Option<&Store>, trust: &Trust, bytes: &[u8], at: OffsetDateTime) -> Report {
    judge(&gather(store, Arc::new(trust.clone()), "licence.pdf", bytes.to_vec(), at).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_is_judged_by_what_the_register_knows() {
    on_both("verify", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let request = licence("许准〔2026〕1号", NOW - Duration::days(3));
        let issued = issue(&bureau.desk, &bureau.chief, request, NOW).await.unwrap();
        let store = &bureau.desk.store;
        let bytes = store.document(&issued.document).await.unwrap().unwrap().bytes;

        let trust = house_trust(store).await.unwrap();
        let soon = NOW + Duration::MINUTE;
        let report = verify(Some(store), &trust, &bytes, soon).await;
        assert!(report.verdict.is_genuine(), "{report:#?}");
        let document = report.document.as_ref().unwrap();
        assert_eq!(document.identifier, issued.identifier.map(|identifier| identifier.to_string()));
        assert_eq!(report.answers.licence_in_force_now.en, "in force");
        assert_eq!(report.signatures[0].proven_time, Some(NOW));
        // Without the register the certificates alone speak for it; without our root nobody does.
        assert!(verify(None, &trust, &bytes, soon).await.verdict.is_genuine());
        let strangers = verify(None, &Trust::default(), &bytes, soon).await;
        assert_eq!((strangers.verdict.indication(), strangers.signatures[0].intact), ("INDETERMINATE", true));

        let mut changed = bytes.clone();
        let middle = changed.windows(6).position(|w| w == b"stream").unwrap() + 20;
        changed[middle] ^= 1;
        let report = verify(Some(store), &trust, &changed, soon).await;
        assert_eq!(exit_code(std::slice::from_ref(&report)), 1, "{report:#?}");
        assert!(report.summary.en.contains("digest"), "{}", report.summary.en);

        // The seal is abolished: what it sealed before stays good where its record is, and nowhere else.
        let mut order = bureau.abolition();
        (order.seals[0].number, order.successor, order.at) = (number(BUREAU_SEAL), None, NOW + Duration::DAY);
        let [first, second] = &bureau.administrators;
        let later = NOW + Duration::days(2);
        let request = AbolishRequest { order: order.clone(), ..bureau.closing() };
        abolish(&bureau.desk, first, second, request, later).await.unwrap();
        let trust = house_trust(store).await.unwrap();
        let report = verify(Some(store), &trust, &bytes, later).await;
        assert!(report.verdict.is_genuine(), "{report:#?}");
        assert!(report.summary.zh.contains(&order.number), "{}", report.summary.zh);
        let alone = verify(None, &trust, &bytes, later).await;
        assert_eq!(serde_json::to_value(&alone).unwrap()["sub_indication"], "REVOKED_NO_POE");
    })
    .await;
}
