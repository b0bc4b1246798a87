//! The register as data: published when it says something new, proven by the log, and judged by without asking anybody.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::Connection;
use time::Duration;
use yinxin::abolish::{AbolishRequest, abolish};
use yinxin::issue::issue;
use yinxin::register::snapshot::{self, Published, Snapshot};
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::judge::register::prove;
use yinxin::verify::{Evidence, Register, Trust, judge};

use crate::bureau::*;
use crate::cli::{OWN, Place, Ran, program};
use crate::db::{Database, on_both};
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
        assert_eq!((old.size, old.seals.len()), (first, 2));
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

        // As it is stored, byte for byte; and who has it is not sent it again.
        let stored = desk.store.snapshot_text(first).await.unwrap().unwrap();
        assert_eq!(text, snapshot::whole(&stored.0, &stored.1));
        let answer = get("/register/snapshot").await;
        let etag = answer.header("etag").to_owned();
        let known = doors.public().also(&format!("If-None-Match: {etag}"));
        let again = known.get("/register/snapshot").await;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, etag.as_str()));

        // A seal ends: that is all that is new, and with the old snapshot it gives the new one.
        let [by, second] = &bureau.government;
        let request = AbolishRequest { order: bureau.abolition(), ..bureau.closing() };
        abolish(desk, by, second, request, NOW + Duration::HOUR).await.unwrap();
        let next = desk.publish_register(NOW + Duration::HOUR).await.unwrap().unwrap();
        let (new, receipt) = whole(&get("/register/snapshot").await.text());
        assert_eq!((new.size, new.abolitions.len()), (next, 1));
        assert_eq!(known.get("/register/snapshot").await.status, 200, "there is a newer one");
        let since = format!("/register/snapshot?since={first}");
        let news = get(&since).await.text();
        let etag = get(&since).await.header("etag").to_owned();
        assert_eq!(doors.public().also(&format!("If-None-Match: {etag}")).get(&since).await.status, 304);
        // Many at once wait for one answer, and it is the same.
        let many = (0..20)
            .map(|_| (doors.public(), since.clone()))
            .map(async |(client, since)| client.get(&since).await.text());
        let many = many.collect::<tokio::task::JoinSet<_>>().join_all().await;
        assert!(many.into_iter().all(|one| one == news));
        let row = |seal| format!("\"number\":\"{seal}\"");
        assert!(news.contains(&row(DEPARTMENT_SEAL)) && !news.contains(&row(BUREAU_SEAL)), "{news}");
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

// — from the command line

/// What the demonstration left in this folder, with no network at all: the register that the log proves, and the keys to see
/// that by.
pub fn judges_without_a_network(out: &Path) {
    let verify_file = |more: &[&str], file: &str| {
        let mut alone = without_network();
        alone.args(["verify", "--register", "snapshot.json", "--trust", "trust"]).args(more).arg(file);
        Ran::of(&alone.current_dir(out).output().unwrap())
    };
    let verify = |more: &[&str]| verify_file(more, "licence.pdf");
    verify_file(&[], "licence.ofd").good();
    let report: Value = serde_json::from_str(&verify(&["--json"]).good()).unwrap();
    assert_eq!(report["indication"], "TOTAL-PASSED", "{report}");
    let log = &report["signatures"][0]["log"];
    assert_eq!(log["witnesses"], json!(["witness.example/demo"]), "{log}");
    assert!(log["index"].as_u64().unwrap() < log["size"].as_u64().unwrap(), "{log}");
    let said = verify(&[]).good();
    assert!(said.contains(&format!("entry {} of", log["index"])) && said.contains("witness.example/demo"), "{said}");
    assert_eq!(verify(&["--witnesses", "2"]).code, 3, "the snapshot was seen by one");
    let snapshot = fs::read_to_string(out.join("snapshot.json")).unwrap();
    fs::write(out.join("snapshot.json"), snapshot.replacen("行政审批局", "行政服务局", 1)).unwrap();
    verify(&[]).complains(3, "verify.register-unproven");
}

/// The program in a network namespace without interfaces, where this machine has such.
fn without_network() -> Command {
    let mut command = Command::new("unshare");
    if !command.args(["-rn", "true"]).status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: no network namespace can be made here; verified without one");
        return program();
    }
    let mut command = Command::new("unshare");
    command.arg("-rn").arg(program().get_program()).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

#[test]
fn a_snapshot_of_the_register_is_kept_up_to_date() {
    let place = Place::with_bureau("sqlite:data/yinxin.sqlite");
    place.run(&["issue", &place.request("J-1"), "--officer", "spj-chief", "--out", "licence.pdf"]).good();
    place.run(&["register", "snapshot", "-o", "snapshot.json"]).good();
    fs::copy(place.folder.path().join("snapshot.json"), place.folder.path().join("first.json")).unwrap();
    place.run(&["issue", &place.request("J-2"), "--officer", "spj-chief", "--out", "later.pdf"]).good();
    place.run(&["ca", "export", "trust"]).good();
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(place.folder.path().join(name)).unwrap()).unwrap()
    };
    let since = read("snapshot.json")["register"]["size"].to_string();
    let order = ["seal", "suspend", BUREAU_SEAL, "--document", "停〔2026〕1号", "--reason", "遗失核查"];
    place.run(&[&order[..], &OWN].concat()).good();
    place.run(&["register", "snapshot", "--since", &since, "-o", "delta.json"]).good();
    let news = read("delta.json");
    assert_eq!(news["delta"]["seals"].as_array().map(Vec::len), Some(1), "{news}");
    place.run(&["register", "snapshot", "--since", "1234567"]).complains(1, "cli.no-snapshot");

    let at = place.folder.path();
    let alone = |arguments: &[&str]| Ran::of(&without_network().args(arguments).current_dir(at).output().unwrap());
    let apply = ["register", "apply", "snapshot.json", "delta.json", "--trust", "trust"];
    fs::write(at.join("other.json"), news.to_string().replace("遗失核查", "例行核查")).unwrap();
    alone(&["register", "apply", "snapshot.json", "other.json", "--trust", "trust"])
        .complains(1, "verify.register-unproven");
    alone(&["verify", "--register", "delta.json", "--trust", "trust", "licence.pdf"])
        .complains(3, "verify.register-delta");
    assert!(alone(&apply).good().contains("快照已更新"));
    alone(&apply).complains(1, "register.snapshot-other");
    // Nor does whoever hands out changes lead a register back.
    let mut back = news.clone();
    let at_hand = read("snapshot.json")["register"]["size"].clone();
    (back["delta"]["since"], back["delta"]["size"]) = (at_hand.clone(), since.parse::<u64>().unwrap().into());
    fs::write(at.join("back.json"), back.to_string()).unwrap();
    alone(&["register", "apply", "snapshot.json", "back.json", "--trust", "trust"])
        .complains(1, "register.snapshot-older");
    assert_eq!(read("snapshot.json")["register"]["size"], at_hand);
    let whole = place.json(&["register", "snapshot"]);
    assert_eq!(read("snapshot.json")["register"], whole["register"]);
    let judged = alone(&["verify", "--json", "--register", "snapshot.json", "--trust", "trust", "licence.pdf"]);
    let report: Value = serde_json::from_str(&judged.out).unwrap();
    assert_eq!(report["signatures"][0]["seal"]["status_now"], "suspended", "{report}");
    assert_eq!(report["signatures"][0]["log"]["witnesses"], json!([]));
    // A document that is newer than the snapshot: for how many days that speaks on is for whoever asks to say.
    let register = ["--register", "first.json", "--trust", "trust", "later.pdf"];
    alone(&[&["verify"], &register[..]].concat()).good();
    let judged = alone(&[&["verify", "--json", "--register-age", "0"], &register[..]].concat());
    assert_eq!(judged.code, 2, "{}{}", judged.out, judged.err);
    assert!(judged.out.contains("counts for 0 days"), "{}", judged.out);
}

/// A certificate of the house's own authority that no seal of the register has, as whoever has the authority's key makes one: told
/// by the house, and by a copy of its register.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_no_seal_is_told_with_the_house_and_without() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::sqlite("unfiled");
    let bureau = Bureau::found(&database, folder.path()).await;
    let desk = &bureau.desk;
    let request = licence("许准〔2026〕1号", NOW - Duration::days(3));
    let issued = issue(desk, &bureau.chief, request, NOW).await.unwrap();
    let bytes = desk.store.document(&issued.document).await.unwrap().unwrap().bytes;
    // As if the seal had never been: nothing is left of it but what it signed.
    let mut connection = sqlx::AnyConnection::connect(&database.url).await.unwrap();
    crate::fsck::unguard(&mut connection, true).await;
    for statement in [
        "UPDATE seal_certificate SET seal = '51322100000777', digest = substr(digest, 2) || '0' WHERE seal = '51322100000002'",
        "UPDATE seal SET number = '51322100000777' WHERE number = '51322100000002'",
        "UPDATE seal_event SET seal = '51322100000777' WHERE seal = '51322100000002'",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    let trust = Arc::new(house_trust(&desk.store).await.unwrap());
    let told = |report: yinxin::verify::Report| {
        let [signature] = report.signatures.as_slice() else { panic!("{report:#?}") };
        assert!(signature.intact && signature.trusted, "{report:#?}");
        assert!(!report.verdict.is_genuine());
        signature.checks.iter().find(|check| check.id == "order").unwrap().message.id
    };
    let here = gather(Some(&desk.store), trust.clone(), "it", bytes.clone(), NOW).await.unwrap();
    assert_eq!(told(judge(&here)), "verify.certificate-of-no-seal");
    desk.publish_register(NOW).await.unwrap();
    let snapshot = desk.store.snapshot(None).await.unwrap().unwrap();
    assert_eq!(snapshot.snapshot.authorities.len(), 2);
    let text = Published::Whole(snapshot.snapshot).write(&snapshot.receipt.unwrap());
    let mut alone = Evidence::open("it", &bytes, trust.clone(), NOW);
    alone.ask_export(&Register::read(text.as_bytes(), &trust).unwrap());
    assert_eq!(told(judge(&alone)), "verify.certificate-of-no-seal");
}
