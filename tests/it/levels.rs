//! PAdES levels: what is promised is reached, waits where it cannot be had, and holds for decades when it is renewed.

use std::sync::Arc;

use time::Duration;
use yinxin::desk::Desk;
use yinxin::issue::issue;
use yinxin::seal::Level;
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::report::SignatureKind;
use yinxin::verify::{Report, judge};

use crate::bureau::*;
use crate::db::on_both;

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
            if let Ok(dir) = std::env::var("YINXIN_TEST_KEEP") {
                std::fs::write(format!("{dir}/{level}.pdf"), &bytes).unwrap();
                let root = bureau.desk.store.ca_certificates().await.unwrap();
                let root = root.iter().find(|ca| ca.label == "root").unwrap();
                let pem = yinxin::pki::certificate::to_pem("CERTIFICATE", &root.certificate);
                std::fs::write(format!("{dir}/root.pem"), pem).unwrap();
            }
            let report = judged(&bureau.desk, bytes, NOW).await;
            assert!(report.verdict.is_genuine(), "{level}: {report:#?}");
            let seal = report.signatures.iter().find(|s| s.kind == SignatureKind::Seal).unwrap();
            assert_eq!(seal.level, Some(level));
            assert_eq!(report.signatures.len(), if level == Level::Lta { 2 } else { 1 });
            assert_eq!(seal.time_stamps.len(), usize::from(level > Level::B));
        }
    })
    .await;
}
