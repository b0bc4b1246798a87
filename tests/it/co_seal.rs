//! Several seals on one document: one authority's at several places and over the edges under one signature, and another
//! authority's beside it (并联审批、联合发文).

use std::path::Path;
use std::sync::Arc;

use time::Duration;
use yinxin::authority::Uscc;
use yinxin::decision::{DecisionRequest, Hands};
use yinxin::desk::FlowError;
use yinxin::issue::{IssueRequest, Issued, UploadPlace, UploadRequest, issue, seal_upload};
use yinxin::limits;
use yinxin::officer::{Duty, Officer};
use yinxin::pdf::changes::LaterChanges;
use yinxin::pdf::signatures::read;
use yinxin::seal::Level;
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::report::{SignatureKind, SignatureReport};
use yinxin::verify::{Report, judge};

use crate::bureau::*;
use crate::db::{Database, on_both};
use crate::pdf_places::five;
use crate::pdf_seal::{Written, plain, text_of};

/// A bureau whose seal promises what lasts, and a department that can still decide.
async fn both(database: &Database, folder: &Path) -> (Bureau, Officer) {
    let bureau = Bureau::found(database, folder).await;
    let store = &bureau.desk.store;
    for (id, duty) in [("old-intake", Duty::Intake), ("old-review", Duty::Review), ("old-produce", Duty::Produce)] {
        let (authority, duties) = (Uscc::parse(DEPARTMENT).unwrap(), [duty].into());
        let officer =
            Officer { id: person(id), name: format!("{id}（示例）"), authority, duties, ..bureau.chief.clone() };
        store.add_officer(&officer, "", "test", NOW).await.unwrap();
    }
    let two = (&bureau.administrators[0], &bureau.administrators[1]);
    yinxin::administer::promise(store, two, &number(BUREAU_SEAL), Level::Lta, NOW).await.unwrap();
    let other = store.officer(&person("old-chief")).await.unwrap().unwrap();
    (bureau, other)
}

/// What the bureau asks for; the department's decisions are of the time before the transfer.
fn request(document: &str, place: UploadPlace) -> UploadRequest {
    UploadRequest {
        decision: decision(document, NOW - Duration::days(3)),
        seal: number(BUREAU_SEAL),
        title: "准予行政许可决定书".into(),
        place,
        more_places: vec![],
        straddle_mm: None,
    }
}

fn departments(document: &str, place: UploadPlace) -> UploadRequest {
    let hand = |id| person(&format!("old-{id}"));
    let hands =
        Hands { intake: hand("intake"), review: hand("review"), decide: hand("chief"), produce: hand("produce") };
    UploadRequest {
        decision: DecisionRequest { hands, ..decision(document, TRANSFER - Duration::DAY) },
        seal: number(DEPARTMENT_SEAL),
        ..request(document, place)
    }
}

fn at(page: u32, x_mm: f64, y_mm: f64) -> UploadPlace {
    UploadPlace::At { page, x_mm, y_mm }
}

async fn bytes(bureau: &Bureau, issued: &Issued) -> Vec<u8> {
    bureau.desk.store.document(&issued.document).await.unwrap().unwrap().bytes
}

async fn judged(bureau: &Bureau, file: &[u8]) -> Report {
    let store = &bureau.desk.store;
    let trust = Arc::new(house_trust(store).await.unwrap());
    judge(&gather(Some(store), trust, "it.pdf", file.to_vec(), NOW).await.unwrap())
}

fn seals(report: &Report) -> Vec<&SignatureReport> {
    report.signatures.iter().filter(|one| one.kind == SignatureKind::Seal).collect()
}

fn id(outcome: Result<Issued, FlowError>) -> &'static str {
    outcome.unwrap_err().message().id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_made_for_more_seals_takes_them_and_any_other_refuses() {
    on_both("co_seal", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let (bureau, other) = both(database, folder.path()).await;
        let desk = &bureau.desk;
        let closed = licence("许准〔2026〕1号", NOW - Duration::days(3));
        let open = IssueRequest { more_seals: true, ..licence("许准〔2026〕2号", NOW - Duration::days(3)) };

        // Where nothing was said nobody may.
        let issued = issue(desk, &bureau.chief, closed.clone(), NOW).await.unwrap();
        let file = bytes(&bureau, &issued).await;
        assert_eq!(read(&file).unwrap().signatures[0].certification, Some(1));
        let refused = seal_upload(desk, &other, departments("许批〔2020〕1号", at(1, 60.0, 100.0)), file, NOW).await;
        assert_eq!(id(refused), "pdf.closed-by-certification");
        let changed = IssueRequest { more_seals: true, ..closed };
        assert_eq!(id(issue(desk, &bureau.chief, changed, NOW).await), "issue.another-request");

        // The department's beside the bureau's, and the bureau's once more over both.
        let issued = issue(desk, &bureau.chief, open, NOW).await.unwrap();
        let mut file = bytes(&bureau, &issued).await;
        assert_eq!(read(&file).unwrap().signatures[0].certification, None);
        let theirs = departments("许批〔2020〕2号", at(1, 60.0, 100.0));
        let ours = request("许批〔2026〕3号", at(1, 100.0, 100.0));
        for (by, request) in [(&other, theirs), (&bureau.chief, ours)] {
            let before = file.clone();
            let sealed = seal_upload(desk, by, request, before.clone(), NOW).await.unwrap();
            file = bytes(&bureau, &sealed).await;
            assert!(file.starts_with(&before));
            let report = judged(&bureau, &file).await;
            assert!(report.verdict.is_genuine(), "{report:#?}");
        }
        let report = judged(&bureau, &file).await;
        let seals = seals(&report);
        assert_eq!(seals.len(), 3);
        assert!(seals.iter().all(|seal| seal.verdict.is_genuine() && seal.later_changes == LaterChanges::Allowed));
        // At one place, as its pages are signed.
        let again =
            UploadRequest { straddle_mm: Some(100.0), ..departments("许批〔2020〕4号", at(1, 60.0, 60.0)) };
        assert_eq!(id(seal_upload(desk, &other, again, file, NOW).await), "pdf.pages-signed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_shows_one_seal_at_several_places_and_over_its_edges() {
    on_both("several_places", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let (bureau, other) = both(database, folder.path()).await;
        let desk = &bureau.desk;
        let word = |nth| UploadPlace::Keyword { text: "2026".into(), nth, dx_mm: 0.0, dy_mm: 20.0 };
        let wanted = UploadRequest {
            more_places: vec![word(2), at(5, 100.0, 150.0)],
            straddle_mm: Some(60.0),
            ..request("许批〔2026〕1号", word(1))
        };
        let by = &bureau.chief;
        let issued = seal_upload(desk, by, wanted.clone(), five(Written::Table), NOW).await.unwrap();
        let file = bytes(&bureau, &issued).await;
        // A strip on each of five pages, and two places beside the widget.
        let drawn = text_of(&file);
        assert_eq!(
            (
                drawn.matches("Seal1 Do").count() + drawn.matches("Seal2 Do").count(),
                drawn.matches("/Subtype/Widget").count()
            ),
            (7, 2),
            "{drawn}"
        );
        let report = judged(&bureau, &file).await;
        assert!(report.verdict.is_genuine(), "{report:#?}");
        assert_eq!(seals(&report).len(), 1);
        assert!(seal_upload(desk, by, wanted.clone(), five(Written::Table), NOW).await.unwrap().again);

        // Another authority's beside it.
        let sealed =
            seal_upload(desk, &other, departments("许批〔2020〕2号", at(4, 60.0, 60.0)), file.clone(), NOW).await;
        let report = judged(&bureau, &bytes(&bureau, &sealed.unwrap()).await).await;
        assert!(report.verdict.is_genuine() && seals(&report).len() == 2, "{report:#?}");

        let refused = async |nth: u8, change: &dyn Fn(&mut UploadRequest), file: Vec<u8>| {
            let mut request = request(&format!("许批〔2026〕{nth}号"), at(1, 60.0, 60.0));
            change(&mut request);
            id(seal_upload(desk, by, request, file, NOW).await)
        };
        let straddle = |request: &mut UploadRequest| request.straddle_mm = Some(60.0);
        let second = |request: &mut UploadRequest| request.more_places = vec![at(1, 100.0, 150.0)];
        let many = |request: &mut UploadRequest| request.more_places = vec![at(1, 100.0, 150.0); limits::SEAL_PLACES];
        let astray = |request: &mut UploadRequest| request.more_places = vec![word(9)];
        assert_eq!(refused(3, &straddle, plain()).await, "pdf.no-straddle");
        assert_eq!(refused(3, &straddle, file.clone()).await, "pdf.pages-signed");
        assert_eq!(refused(3, &second, file).await, "pdf.pages-signed");
        assert_eq!(refused(3, &many, plain()).await, "issue.places");
        assert_eq!(refused(3, &astray, plain()).await, "issue.keyword");
    })
    .await;
}
