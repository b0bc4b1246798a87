//! The plug is pulled (`kill -9`) after each step of ISSUE from 5 to 9; afterwards there is exactly one licence, one
//! number, and nothing without an owner.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use time::Duration;
use yinxin::desk::Step;
use yinxin::seal::Level;
use yinxin::store::{LedgerFilter, OrderState};

mod kills;

use crate::bureau::*;
use crate::db::{Database, on_both};
use crate::fsck::{clean, fsck};

/// Settings for the program on the same database and keys.
pub fn settings(database: &Database, folder: &Path) {
    use std::os::unix::fs::OpenOptionsExt;
    let mut store = format!("[store]\nurl = \"{}\"\n", database.url);
    if let Some((user, rest)) = database.url.strip_prefix("postgres://").and_then(|r| r.split_once('@')) {
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        store = format!("[store]\nurl = \"postgres://{user}@{rest}\"\n");
        if !password.is_empty() {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(folder.join("db-password")).unwrap();
            std::io::Write::write_all(&mut file, password.as_bytes()).unwrap();
            store += "password_file = \"db-password\"\n";
        }
    }
    let root = env!("CARGO_MANIFEST_DIR");
    let text = format!(
        "{store}[keys]\nhome = \"soft\"\ndir = \"keys\"\npassphrase_file = \"passphrase\"\n[render]\ntemplates = \"{root}/templates\"\n\
         [http]\npublic_url = \"http://127.0.0.1:8080\"\n"
    );
    std::fs::write(folder.join("yinxin.toml"), text).unwrap();
}

pub fn yinxin(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yinxin"));
    command.current_dir(folder).args(["--config", "yinxin.toml"]).args(arguments).env_remove("YINXIN_STOP_AFTER");
    command
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_licence_wherever_the_plug_is_pulled() {
    on_both("crash", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let bureau = Bureau::found(database, path).await;
        settings(database, path);
        let (first, second) = (&bureau.administrators[0], &bureau.administrators[1]);
        let seal = number(BUREAU_SEAL);
        yinxin::administer::promise(&bureau.desk.store, (first, second), &seal, Level::Lta, NOW).await.unwrap();
        let steps = ["written", "receipted", "signed", "stamped", "evidenced", "archived", "checked", "stored"];
        for (n, step) in steps.into_iter().enumerate() {
            let document = format!("许准〔2026〕{n}号");
            let request = serde_json::to_vec(&licence(&document, NOW - Duration::days(3))).unwrap();
            std::fs::write(path.join("request.json"), request).unwrap();
            let issue = ["issue", "request.json", "--officer", "chief"];

            let mut child = yinxin(path, &issue)
                .env("YINXIN_STOP_AFTER", step)
                .stderr(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let heard = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
            let mut last = String::new();
            let stopped =
                heard.inspect(|line| last.clone_from(line)).any(|line| line == format!("stopped after {step}"));
            assert!(stopped, "{step}: {last}");
            child.kill().unwrap();
            assert!(!child.wait().unwrap().success());

            let store = &bureau.desk.store;
            let left = store.unfinished().await.unwrap();
            assert_eq!(left.len(), usize::from(step != "stored"), "after {step}");
            let resumed = yinxin(path, &["resume"]).output().unwrap();
            assert!(resumed.status.success(), "{}", said(&resumed));
            assert!(store.unfinished().await.unwrap().is_empty(), "nothing without an owner after {step}");

            let ledger = store.ledger(&LedgerFilter { limit: 100, ..LedgerFilter::default() }).await.unwrap();
            let mine: Vec<_> = ledger.iter().filter(|line| line.reason == document).collect();
            assert_eq!(mine.len(), 1, "one use of the seal after {step}");
            assert_eq!(mine[0].state, OrderState::Sealed);
            let record = store.order(&mine[0].order).await.unwrap().unwrap();
            let key = record.licence.as_ref().unwrap().version.identifier.licence();
            assert_eq!(store.licence_versions(&key).await.unwrap().len(), 1, "one licence, one number after {step}");
            let sealed = store.document(record.document.as_ref().unwrap()).await.unwrap().unwrap();

            // The clerk tries again, and gets the same one.
            let again = yinxin(path, &issue).arg("--out").arg("again.pdf").output().unwrap();
            assert!(again.status.success(), "{}", said(&again));
            assert_eq!(std::fs::read(path.join("again.pdf")).unwrap(), sealed.bytes);
            let verified = yinxin(path, &["verify", "again.pdf"]).output().unwrap();
            assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
            assert!(said(&verified).contains("B-LTA"), "{}", said(&verified));
        }
        let whole = yinxin(path, &["fsck"]).output().unwrap();
        assert_eq!(whole.status.code(), Some(0), "{}", said(&whole));
    })
    .await;
}

/// Each step is done, and whoever asked hears that it failed; the process goes on. Asked again, there is one licence.
#[tokio::test(flavor = "multi_thread")]
async fn one_licence_wherever_the_answer_is_lost() {
    on_both("lost_answer", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (first, second) = (&bureau.administrators[0], &bureau.administrators[1]);
        let seal = number(BUREAU_SEAL);
        yinxin::administer::promise(&bureau.desk.store, (first, second), &seal, Level::Lta, NOW).await.unwrap();
        let steps = [
            Step::Written,
            Step::Receipted,
            Step::Signed,
            Step::Stamped,
            Step::Evidenced,
            Step::Archived,
            Step::Checked,
            Step::Stored,
        ];
        for (n, step) in steps.into_iter().enumerate() {
            let request = licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3));
            let mut desk = bureau.desk.clone();
            desk.done = std::sync::Arc::new(move |done| assert_ne!(done, step, "nobody hears of it"));
            let (chief, asked) = (bureau.chief.clone(), request.clone());
            let lost = tokio::spawn(async move { yinxin::issue::issue(&desk, &chief, asked, NOW).await }).await;
            assert!(lost.unwrap_err().is_panic(), "{step:?}");
            let issued = yinxin::issue::issue(&bureau.desk, &bureau.chief, request, NOW).await.unwrap();
            assert_eq!(issued.again, step == Step::Stored, "{step:?}");
            let key = issued.identifier.unwrap().licence();
            assert_eq!(bureau.desk.store.licence_versions(&key).await.unwrap().len(), 1, "{step:?}");
        }
        let ledger = bureau.desk.store.ledger(&LedgerFilter { limit: 100, ..LedgerFilter::default() }).await.unwrap();
        assert_eq!(ledger.iter().filter(|line| line.state == OrderState::Sealed).count(), steps.len());
        assert_eq!(ledger.len(), steps.len(), "one use of the seal each");
        clean(&fsck(&bureau.desk.store).await);
    })
    .await;
}

/// Two resumes at once, after many orders were left behind: each is finished once.
#[tokio::test(flavor = "multi_thread")]
async fn two_resumes_at_once_finish_each_order_once() {
    on_both("resume_twice", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let stop = yinxin::desk::Desk::new(
            bureau.desk.store.clone(),
            bureau.desk.keyring.clone(),
            renderer(),
            bureau.desk.public_url.clone(),
            std::sync::Arc::new(|| NOW),
            std::sync::Arc::new(|step| assert_ne!(step, yinxin::desk::Step::Written, "the process ends here")),
        );
        for n in 0..4 {
            let (desk, chief, request) =
                (stop.clone(), bureau.chief.clone(), licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3)));
            let crashed = tokio::spawn(async move { yinxin::issue::issue(&desk, &chief, request, NOW).await }).await;
            assert!(crashed.unwrap_err().is_panic());
        }
        let (one, other) =
            tokio::join!(yinxin::issue::resume(&bureau.desk, NOW), yinxin::issue::resume(&bureau.desk, NOW));
        for resumed in one.unwrap().iter().chain(other.unwrap().iter()) {
            assert!(resumed.outcome.is_ok(), "{resumed:?}");
        }
        let ledger = bureau.desk.store.ledger(&LedgerFilter { limit: 100, ..LedgerFilter::default() }).await.unwrap();
        assert_eq!(ledger.iter().filter(|line| line.state == OrderState::Sealed).count(), 4);
        assert_eq!(bureau.desk.store.outbox(100).await.unwrap().len(), 4, "delivered once each");
    })
    .await;
}
