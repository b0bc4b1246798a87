//! The monitor as it is run outside: with a real witness beside the log, over a restart of the log's server, and with somebody to
//! be told.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration as Wait;

use serde_json::Value;
use time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use yinxin::desk::Desk;
use yinxin::http::{Clock, PublicState, public_router, serve, witness_router};
use yinxin::issue::issue;
use yinxin::log::{Logging, Plan};
use yinxin::monitor::Opened;
use yinxin::tlog::leaf::Matter;
use yinxin::verify::Trust;
use yinxin::witness::{Office, Witness};
use yinxin::witnesses::{WitnessSettings, WitnessesSettings};

use crate::bureau::*;
use crate::cli::program;
use crate::db::Database;
use crate::http::listen;

/// How long anything may take that must come some time.
const PATIENCE: Wait = Wait::from_secs(60);

/// The program, looking every second, and the reports that it prints.
struct Running {
    child: Child,
    reports: Receiver<Value>,
}

impl Running {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = program()
            .arg("monitor")
            .args(arguments)
            .args(["--every", "1", "--json"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let (tell, reports) = channel();
        std::thread::spawn(move || {
            for line in lines {
                let _ = tell.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, reports }
    }

    /// The next report of which this is so.
    fn until(&self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let begun = std::time::Instant::now();
        while let Ok(report) = self.reports.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
            if so(&report) {
                return report;
            }
            last = report;
        }
        panic!("never {what}; the last look: {last:#}");
    }

    fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

fn ids(report: &Value, of: &str) -> Vec<String> {
    let said = report[of].as_array().unwrap().iter();
    said.map(|said| said["id"].as_str().unwrap().to_owned()).collect()
}

/// The public listener of a process that has just begun, at this address.
async fn server(database: &Database, of: &Desk, address: SocketAddr) -> (Desk, oneshot::Sender<()>) {
    let mut desk = of.clone();
    desk.store = open(database).await;
    let clock: Clock = std::sync::Arc::new(|| NOW);
    let state = PublicState::new(desk.store.clone(), clock, Trust::default().into(), false);
    let listener = TcpListener::bind(address).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(listener, public_router(state), async {
        stopped.await.ok();
    }));
    (desk, stop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_follows_over_a_restart_and_tells() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().to_owned();
    let database = Database::sqlite("monitor_outside");
    let bureau = Bureau::found(&database, folder.path()).await;
    let log = bureau.desk.log(NOW).await.unwrap().vkey;

    // The supervising office's witness, with its own key, state and door.
    let keys = keyring(elsewhere.path());
    let office = Office {
        name: "witness.example/office".into(),
        key: "witness".into(),
        state: elsewhere.path().join("state"),
        logs: vec![log.clone()],
    };
    let witness = Witness::begin(&office, &keys).unwrap();
    let door = witness_router(Witness::open(&office, &keys, std::sync::Arc::new(|| NOW)).unwrap().into());
    let (door, _witness_stop) = listen(door).await;
    let witness_url = format!("http://{door}");
    let each = vec![WitnessSettings { url: witness_url.clone(), key: witness.clone() }];
    let asked = || WitnessesSettings { each: each.clone(), needed: 1, deadline: Wait::from_secs(10) };
    let desk = bureau.desk.clone().logged_by(Logging::of(Plan::default(), asked()));
    std::fs::write(path.join("log.vkey"), format!("{log}\n")).unwrap();
    std::fs::write(path.join("witness.vkey"), format!("{witness}\n")).unwrap();

    // Whoever is to be told of alarms.
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel::<Value>();
    let alarm = axum::routing::post(async move |axum::Json(report): axum::Json<Value>| {
        tell.send(report).unwrap();
    });
    let (alarm, _alarm_stop) = listen(axum::Router::new().route("/alarm", alarm)).await;

    let decisions = async |desk: &Desk, numbers: &[u32]| {
        let entries = desk.store.entries(0, 500).await.unwrap();
        let uses = entries.into_iter().filter(|of| of.entry.leaf.matter == Matter::Order);
        let opened = uses.map(|of| Opened { index: of.index, opening: of.entry.opening.to_string() });
        let opened: String = opened.map(|of| serde_json::to_string(&of).unwrap() + "\n").collect();
        let listed: String = numbers.iter().map(|n| format!("许准〔2026〕{n}号\n")).collect();
        std::fs::write(path.join("expected.new"), opened + &listed).unwrap();
        std::fs::rename(path.join("expected.new"), path.join("expected")).unwrap();
    };
    let make = async |desk: &Desk, n: u32| {
        issue(desk, &bureau.chief, licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3)), NOW).await.unwrap();
    };

    make(&desk, 1).await;
    decisions(&desk, &[1]).await;
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (desk, stop) = server(&database, &desk, address).await;
    let (url, alarm) = (format!("http://{address}/log"), format!("http://{alarm}/alarm"));
    let keys = ["--key", "log.vkey", "--witness", "witness.vkey", "--state", "state"];
    let told_to = ["--expected", "expected", "--webhook", &alarm];
    let monitor = Running::start(&path, &[&[url.as_str(), &witness_url], &keys[..], &told_to[..]].concat());
    let well = |report: &Value| ids(report, "alarms").is_empty() && ids(report, "incomplete").is_empty();
    let first = tokio::task::block_in_place(|| monitor.until("all well", well));
    assert_eq!(first["witnesses"], serde_json::json!(["witness.example/office"]), "{first:#}");
    let size = first["size"].as_u64().unwrap();

    // The server ends: that is no alarm. Another process takes its place and goes on with the same log.
    stop.send(()).unwrap();
    let incomplete = |report: &Value| !ids(report, "incomplete").is_empty();
    let away = tokio::task::block_in_place(|| monitor.until("away", incomplete));
    assert!(ids(&away, "alarms").is_empty(), "{away:#}");
    let desk = desk.logged_by(Logging::of(Plan::default(), asked()));
    make(&desk, 2).await;
    decisions(&desk, &[1, 2]).await;
    let (desk, stop) = server(&database, &desk, address).await;
    let grown = |report: &Value| report["size"].as_u64().unwrap() > size && well(report);
    let grown = tokio::task::block_in_place(|| monitor.until("grown", grown));
    assert!(told.try_recv().is_err(), "nobody was told of anything: {grown:#}");

    // A use that no decision stands behind: told once, however often it is seen.
    stop.send(()).unwrap();
    tokio::task::block_in_place(|| monitor.until("away", incomplete));
    make(&desk, 3).await;
    decisions(&desk, &[1, 2]).await;
    let (_desk, _stop) = server(&database, &desk, address).await;
    let undecided = |report: &Value| ids(report, "alarms") == ["monitor.no-decision"];
    tokio::task::block_in_place(|| {
        for _ in 0..3 {
            monitor.until("the use without a decision", undecided);
        }
    });
    let posted = tokio::time::timeout(PATIENCE, told.recv()).await.unwrap().unwrap();
    assert_eq!((ids(&posted, "alarms"), &posted["log"]), (vec!["monitor.no-decision".to_owned()], &log.name().into()));
    assert!(told.try_recv().is_err(), "once");
    assert_eq!(monitor.stop(), Some(1), "the last look found an alarm");
}
