//! The register as data: published when it says something new, proven by the log, and judged by without asking anybody.

use std::sync::Arc;

use time::Duration;
use yinxin::abolish::{AbolishRequest, abolish};
use yinxin::issue::issue;
use yinxin::register::snapshot::{Published, Snapshot};
use yinxin::verify::gather::house_trust;
use yinxin::verify::judge::register::prove;
use yinxin::verify::{Evidence, Register, Trust, judge};

use crate::bureau::*;
use crate::db::on_both;
use crate::http::Doors;

fn whole(text: &str) -> (Snapshot, String) {
    match Published::read(text.as_bytes()).unwrap() {
        (Published::Whole(snapshot), receipt) => (snapshot, receipt),
        (Published::Delta(_), _) => panic!("{text}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_register_is_published_with_its_proof_and_judged_by() {
    on_both("register", async |database| {
        let doors = Doors::open(database).await;
        let (bureau, desk) = (&doors.bureau, &doors.bureau.desk);
        let get = async |path: &str| doors.public().get(path).await;
        assert_eq!(get("/register/snapshot").await.problem(), "register.no-snapshot");
        let request = licence("许准〔2026〕1号", NOW - Duration::days(3));
        let issued = issue(desk, &bureau.chief, request, NOW).await.unwrap();
        let bytes = desk.store.document(&issued.document).await.unwrap().unwrap().bytes;
        let first = desk.publish_register(NOW).await.unwrap().unwrap();
        // Nothing new, and the same day in China.
        assert_eq!(desk.publish_register(NOW + Duration::HOUR).await.unwrap(), None);

        let text = get("/register/snapshot").await.text();
        let (old, _) = whole(&text);
        assert_eq!((old.size, old.seals.len()), (first, 3));
        assert!(!text.contains("许准〔2026〕1号"), "who holds what is not told in bulk");
        let trust = house_trust(&desk.store).await.unwrap();
        let register = Register::read(text.as_bytes(), &trust).unwrap();
        let mut evidence = Evidence::open("licence.pdf", &bytes, Arc::new(trust.clone()), NOW + Duration::HOUR);
        evidence.ask_export(&register);
        let report = judge(&evidence);
        assert!(report.verdict.is_genuine(), "{report:#?}");
        let (log, entered) = (report.signatures[0].log.as_ref(), desk.store.entry_of(&issued.order).await.unwrap());
        assert_eq!(log.map(|log| log.index), entered.map(|entered| entered.index));
        // With the log's key unknown neither is believed.
        let stranger = Trust { logs: vec![], ..trust.clone() };
        assert!(Register::read(text.as_bytes(), &stranger).is_err());

        // A seal ends: that is all that is new, and with the old snapshot it gives the new one.
        let [by, second] = &bureau.government;
        let request = AbolishRequest { order: bureau.abolition(), ..bureau.closing() };
        abolish(desk, by, second, request, NOW + Duration::HOUR).await.unwrap();
        let next = desk.publish_register(NOW + Duration::HOUR).await.unwrap().unwrap();
        let (new, receipt) = whole(&get("/register/snapshot").await.text());
        assert_eq!((new.size, new.abolitions.len()), (next, 1));
        let news = get(&format!("/register/snapshot?since={first}")).await.text();
        assert!(news.contains(DEPARTMENT_SEAL) && !news.contains(GOVERNMENT_SEAL), "{news}");
        let (Published::Delta(delta), beside) = Published::read(news.as_bytes()).unwrap() else { panic!("{news}") };
        let joined = old.clone().with(*delta).unwrap();
        assert_eq!((joined.canonical(), &beside), (new.canonical(), &receipt));
        assert_eq!(prove(&joined, &beside, &trust).unwrap().at, NOW + Duration::HOUR);
        assert!(prove(&old, &beside, &trust).is_err());
        for unknown in [next + 1, i64::MAX as u64, u64::MAX] {
            let answer = get(&format!("/register/snapshot?since={unknown}")).await;
            assert_eq!(answer.problem(), "register.no-snapshot", "{unknown}");
        }
        assert_eq!(get("/register/snapshot?since=x").await.status, 400);

        // Another day is another snapshot, and one that was written down when the plug was pulled is proven first.
        let tomorrow = NOW + Duration::days(1);
        let half = desk.store.register_now(0, tomorrow).await.unwrap();
        assert!(desk.store.file_snapshot(&half).await.unwrap().is_some());
        assert_eq!(desk.store.file_snapshot(&half).await.unwrap(), None, "nothing is entered twice");
        assert_eq!(whole(&get("/register/snapshot").await.text()).0.size, next, "it is not proven yet");
        assert_eq!(desk.publish_register(tomorrow).await.unwrap(), None);
        let (proven, receipt) = whole(&get("/register/snapshot").await.text());
        assert_eq!(proven, half);
        assert!(prove(&proven, &receipt, &trust).is_ok());
        assert!(desk.publish_register(tomorrow + Duration::days(1)).await.unwrap().is_some());
    })
    .await;
}
