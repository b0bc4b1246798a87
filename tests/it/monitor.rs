//! The monitor before a log that it can reach only by its address: one that a test holds in its hands and bends, and the
//! real listener.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path as Asked, State};
use axum::http::StatusCode;
use axum::routing::get;
use ring::signature::{Ed25519KeyPair, KeyPair};
use sqlx::Connection;
use time::Duration;
use yinxin::http::{Clock, PublicState, public_router};
use yinxin::issue::issue;
use yinxin::monitor::{Expected, Monitor, Opened, Outcome, Plan, Report};
use yinxin::tlog::checkpoint::Checkpoint;
use yinxin::tlog::leaf::{Entry, Matter, Opening};
use yinxin::tlog::note::{Kind as Signs, Line, Note, VerifierKey};
use yinxin::tlog::tile::{Kind, Tile, bundle};
use yinxin::tlog::tree::{Edge, Hash, leaf_hash};
use yinxin::verify::Trust;

use crate::bureau::*;
use crate::cli::{Ran, program};
use crate::db::{Database, on_both};
use crate::http::{Doors, listen};

mod outside;

const NAME: &str = "log.example/log";

/// What a server shows of a log: entries, the head's note, and files that are other than they should be.
#[derive(Default)]
struct Shown {
    entries: Vec<Vec<u8>>,
    note: String,
    bent: HashMap<String, Option<Vec<u8>>>,
}

#[derive(Clone)]
struct Bent(Arc<Mutex<Shown>>);

fn pair(seed: u8) -> (Ed25519KeyPair, VerifierKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    (pair, VerifierKey::new(NAME, Signs::Ed25519, public).unwrap())
}

fn edge_of(entries: &[Vec<u8>]) -> Edge {
    let mut edge = Edge::default();
    for entry in entries {
        edge.append(leaf_hash(entry), |_, _, _| {});
    }
    edge
}

fn signed(seed: u8, size: u64, root: Hash) -> String {
    let (pair, key) = pair(seed);
    let mut note = Note::new(Checkpoint::new(NAME, size, root).to_string()).unwrap();
    let value = pair.sign(note.text().as_bytes()).as_ref().to_vec();
    note.sign(Line::of(&key, value));
    note.to_string()
}

impl Bent {
    async fn open() -> (Self, String) {
        let own = Self(Arc::default());
        // Also as a witness shows what it saw.
        let seen = format!("/witness/{}/checkpoint", hex::encode(yinxin::crypto::sha256(NAME.as_bytes())));
        let head = async |State(own): State<Self>| own.0.lock().unwrap().note.clone();
        let routes = Router::new()
            .route(&seen, get(head))
            .route("/log/checkpoint", get(head))
            .route(
                "/log/tile/{*path}",
                get(async |State(own): State<Self>, Asked(path): Asked<String>| own.file(&path)),
            )
            .with_state(own.clone());
        let (address, stop) = listen(routes).await;
        std::mem::forget(stop);
        (own, format!("http://{address}/log"))
    }

    /// Shows these entries under a head that is signed as it should be.
    fn show(&self, entries: Vec<Vec<u8>>) {
        let edge = edge_of(&entries);
        let note = signed(1, edge.size(), edge.root());
        *self.0.lock().unwrap() = Shown { entries, note, bent: HashMap::new() };
    }

    fn bend(&self, path: &str, bytes: Option<Vec<u8>>) {
        self.0.lock().unwrap().bent.insert(path.to_owned(), bytes);
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, StatusCode> {
        let shown = self.0.lock().unwrap();
        if let Some(bent) = shown.bent.get(path) {
            return bent.clone().ok_or(StatusCode::NOT_FOUND);
        }
        let tile =
            Tile::of_path(path).filter(|tile| tile.is_of(shown.entries.len() as u64)).ok_or(StatusCode::NOT_FOUND)?;
        let (first, width) = (tile.index as usize * 256, usize::from(tile.width));
        let level = match tile.kind {
            Kind::Entries => return Ok(bundle(shown.entries[first..first + width].iter().map(Vec::as_slice)).unwrap()),
            Kind::Hashes(level) => level,
        };
        // By the book: each hash is the root over its own leaves.
        let under = 256_usize.pow(level.into());
        let node = |n: usize| edge_of(&shown.entries[n * under..(n + 1) * under]).root().0;
        Ok((first..first + width).flat_map(node).collect())
    }
}

fn used(n: u64) -> Entry {
    let mut salt = [0; 32];
    salt[..8].copy_from_slice(&n.to_be_bytes());
    let decision = format!("许准〔2026〕{n}号");
    let opening = Opening::new(salt, [("order", "order"), ("decision", decision.as_str())]).unwrap();
    Entry::new(Matter::Order, "licence", NOW, Some(BUREAU_SEAL.into()), opening)
}

fn uses(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|n| used(n).leaf.to_string().into_bytes()).collect()
}

fn plan() -> Plan {
    Plan { log: pair(1).1, witnesses: vec![], needed: 0, foreign: false }
}

/// One look by a monitor that is started for it, as a timer does.
async fn look(plan: Plan, urls: &[&str], state: &Path, expected: Option<&str>, late: Duration) -> Report {
    let (urls, state): (Vec<String>, PathBuf) = (urls.iter().map(|url| url.to_string()).collect(), state.to_owned());
    let expected = expected.map(|text| {
        let mut expected = Expected::default();
        expected.add(text).unwrap();
        expected
    });
    tokio::task::spawn_blocking(move || {
        let mut monitor = Monitor::open(plan, &urls, &state).unwrap();
        assert!(Monitor::open(self::plan(), &urls, &state).is_err(), "one state has one monitor");
        monitor.look(expected.as_ref(), NOW + late).unwrap()
    })
    .await
    .unwrap()
}

fn ids(report: &Report) -> Vec<&'static str> {
    report.alarms.iter().chain(&report.incomplete).map(|said| said.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_as_it_grows_and_each_lie_has_its_alarm() {
    let (log, url) = Bent::open().await;
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let go = async || look(plan(), &[&url], &state, None, Duration::ZERO).await;
    for (size, new) in [(0, 0), (3, 3), (3, 0), (255, 252), (300, 45), (512, 212), (1000, 488)] {
        log.show(uses(size));
        let report = go().await;
        assert_eq!((ids(&report), report.size, report.new), (vec![], size, new));
    }
    let kept = std::fs::read(&state).unwrap();
    let seen = uses(1000);

    log.show(uses(999));
    assert_eq!(ids(&go().await), ["monitor.set-back"]);
    let mut other = uses(1010);
    other[990] = used(7777).leaf.to_string().into_bytes();
    log.show(other.clone());
    assert_eq!(ids(&go().await), ["monitor.rewritten"]);
    log.show(other[..1000].to_vec());
    assert_eq!(ids(&go().await), ["monitor.two-faces"]);
    // Rewritten before the last bundle, where the entries are not read again: no head leads there.
    other = uses(1010);
    other[3] = used(7777).leaf.to_string().into_bytes();
    log.show(other);
    assert_eq!(ids(&go().await), ["monitor.other-root"]);
    for (path, bytes, id) in [
        ("0/003.p/242", Some(vec![7; 242 * 32]), "monitor.altered"),
        ("1/000.p/3", Some(vec![7; 3 * 32]), "monitor.altered"),
        ("0/003.p/242", None, "monitor.withheld"),
        ("entries/003.p/242", Some(vec![0, 9, 9]), "monitor.altered"),
    ] {
        log.show(uses(1010));
        log.bend(path, bytes);
        assert_eq!(ids(&go().await), [id], "{path}");
    }
    log.show(uses(1010));
    log.0.lock().unwrap().note = signed(2, 1010, edge_of(&uses(1010)).root());
    assert_eq!(ids(&go().await), ["monitor.unsigned"]);
    log.0.lock().unwrap().note = "<html>".into();
    let away = go().await;
    assert_eq!((ids(&away), away.outcome()), (vec!["monitor.no-head"], Outcome::Incomplete));
    // None of it moved what is known, and the evidence is there.
    assert_eq!(std::fs::read(&state).unwrap(), kept);
    assert!(std::fs::read_dir(folder.path().join("state.evidence")).unwrap().count() >= 4);
    log.show(seen);
    assert_eq!(ids(&go().await), [""; 0]);
    let needy = Plan { needed: 1, ..plan() };
    assert_eq!(ids(&look(needy, &[&url], &state, None, Duration::ZERO).await), ["monitor.not-seen"]);
    // A state that was touched is not gone on with.
    std::fs::write(&state, String::from_utf8(kept).unwrap().replacen("\"more\":0", "\"more\":0,\"x\":1", 1)).unwrap();
    assert!(Monitor::open(plan(), &[url], &state).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_see_is_held_against_the_log() {
    let ((log, url), (view, other)) = (Bent::open().await, Bent::open().await);
    let other = other.replace("/log", "/witness");
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let go = async |late| look(plan(), &[&url, &other], &state, None, Duration::seconds(late)).await;
    log.show(uses(700));
    for size in [0, 1, 255, 256, 300, 700] {
        view.show(uses(size));
        assert_eq!(ids(&go(0).await), [""; 0], "{size}");
    }
    // A moment ahead is no alarm; ten minutes are.
    view.show(uses(710));
    assert_eq!((ids(&go(0).await), go(0).await.outcome()), (vec!["monitor.ahead"], Outcome::Incomplete));
    assert_eq!(ids(&go(601).await), ["monitor.held-back"]);
    log.show(uses(720));
    assert_eq!(ids(&go(700).await), [""; 0]);
    // The other face, and it is not forgotten when the view shows what it should again.
    let mut face = uses(300);
    face[20] = used(9999).leaf.to_string().into_bytes();
    view.show(face);
    assert_eq!(ids(&go(700).await), ["monitor.two-faces"]);
    view.show(uses(720));
    assert_eq!(ids(&go(700).await), ["monitor.two-faces"]);
    assert!(std::fs::read_dir(folder.path().join("state.evidence")).unwrap().count() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_use_is_accounted_for_or_told_until_it_is() {
    let (log, url) = Bent::open().await;
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let go = async |expected: &str| look(plan(), &[&url], &state, Some(expected), Duration::ZERO).await;
    let line =
        |n: u64| serde_json::to_string(&Opened { index: n, opening: used(n).opening.to_string() }).unwrap() + "\n";
    log.show(uses(2));
    assert_eq!(ids(&go(&(line(0) + &line(1))).await), [""; 0]);
    log.show(uses(3));
    assert_eq!(ids(&go(&(line(0) + &line(1))).await), ["monitor.unknown-use"]);
    assert_eq!(ids(&go(&(line(2) + "许准〔2026〕1号")).await), ["monitor.no-decision"]);
    assert_eq!(ids(&go(&(line(2) + "许准〔2026〕2号")).await), [""; 0]);
    let mut strange = uses(3);
    strange.push(b"yinxin-leaf/v9\n".to_vec());
    log.show(strange.clone());
    for _ in 0..2 {
        let report = go("").await;
        assert_eq!((ids(&report), report.outcome()), (vec!["monitor.unreadable"], Outcome::Alarm));
        assert!(report.page().contains("不是本系统的记录") && report.words().contains("[monitor.unreadable]"));
    }
    let foreign = Plan { foreign: true, ..plan() };
    let report = look(foreign, &[&url], &folder.path().join("other"), None, Duration::ZERO).await;
    assert_eq!((ids(&report), report.size), (vec![], 4));
}

/// The files of another implementation (Tessera's test log), under a head of ours: theirs comes without its key.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_logs_tiles_are_read() {
    let Some((corpus, _)) = crate::pdf_corpus::corpus() else { return };
    let (log, url) = Bent::open().await;
    let folder = tempfile::tempdir().unwrap();
    let mut edge = Edge::default();
    for size in 1..=15_u16 {
        for kind in [Kind::Hashes(0), Kind::Entries] {
            let path = Tile { kind, index: 0, width: size }.path();
            let bytes = std::fs::read(corpus.join("files/transparency-dev+tessera/testdata/log").join(&path)).unwrap();
            if kind == Kind::Entries {
                let leaves = yinxin::tlog::tile::unbundle(&bytes, size).unwrap();
                edge.append(leaf_hash(leaves.last().unwrap()), |_, _, _| {});
            }
            log.bend(path.strip_prefix("tile/").unwrap(), Some(bytes));
        }
        log.0.lock().unwrap().note = signed(1, size.into(), edge.root());
        let foreign = Plan { foreign: true, ..plan() };
        let report = look(foreign, &[&url], &folder.path().join("state"), None, Duration::ZERO).await;
        assert_eq!((ids(&report), report.size), (vec![], size.into()));
    }
}

/// The real listener, over a restart; then somebody with the database writes an entry past the service, and the service itself
/// signs the head over it.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_forged_in_the_database_is_told() {
    on_both("monitor_forged", async |database: &Database| {
        let doors = Doors::open(database).await;
        let bureau = &doors.bureau;
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        issue(&bureau.desk, &bureau.chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let key = doors.public().get("/log/key.vkey").await.text();
        std::fs::write(folder.path().join("log.vkey"), &key).unwrap();
        let key = VerifierKey::read(key.trim_end()).unwrap();
        let plan = Plan { log: key, ..plan() };
        let openings = async || {
            let entries = bureau.desk.store.entries(0, 500).await.unwrap();
            let uses = entries.into_iter().filter(|of| of.entry.leaf.matter == Matter::Order);
            let lines = uses.map(|of| {
                let opened = Opened { index: of.index, opening: of.entry.opening.to_string() };
                serde_json::to_string(&opened).unwrap() + "\n"
            });
            lines.collect::<String>()
        };
        let url = format!("http://{}/log", doors.public);
        let first = look(plan.clone(), &[&url], &state, Some(&openings().await), Duration::ZERO).await;
        assert_eq!(ids(&first), [""; 0]);

        // By its leaf alone: whoever forges it has no place in the bureau's books.
        let head = bureau.desk.store.newest_log_head().await.unwrap();
        let entries = bureau.desk.store.entries(0, 500).await.unwrap();
        let mut edge = Edge::default();
        for of in &entries {
            edge.append(of.entry.leaf.hash(), |_, _, _| {});
        }
        assert_eq!(edge.root(), head.root());
        let forged = used(4242);
        edge.append(forged.leaf.hash(), |_, _, _| {});
        let honest = openings().await;
        let mut connection = sqlx::AnyConnection::connect(&database.url).await.unwrap();
        sqlx::query("INSERT INTO log_leaf (position, leaf, opening) VALUES ($1, $2, $3)")
            .bind(i64::try_from(head.size()).unwrap())
            .bind(forged.leaf.to_string())
            .bind(forged.opening.to_string())
            .execute(&mut connection)
            .await
            .unwrap();
        sqlx::query("UPDATE log_head SET size = $1, edge = $2")
            .bind(i64::try_from(edge.size()).unwrap())
            .bind(edge.subtrees().iter().map(|hash| hex::encode(hash.0)).collect::<String>())
            .execute(&mut connection)
            .await
            .unwrap();
        let mut desk = bureau.desk.clone();
        desk.store = open(database).await;
        issue(&desk, &bureau.chief, licence("许准〔2026〕2号", NOW - Duration::days(3)), NOW).await.unwrap();
        let clock: Clock = Arc::new(|| NOW);
        let public = PublicState::new(desk.store.clone(), clock, Arc::new(Trust::default()), false).answering(&desk);
        let (address, _stop) = listen(public_router(public)).await;
        let url = format!("http://{address}/log");
        let expected: String =
            openings().await.lines().filter(|line| !line.contains("4242")).map(|l| l.to_owned() + "\n").collect();
        assert!(expected.len() > honest.len());
        let told = look(plan.clone(), &[&url], &state, Some(&expected), Duration::ZERO).await;
        assert_eq!(ids(&told), ["monitor.unknown-use"]);
        // His opening is in the database, so an export has it; his decision is on no list.
        let listed = openings().await + "许准〔2026〕1号\n许准〔2026〕2号\n";
        assert_eq!(ids(&look(plan, &[&url], &state, Some(&listed), Duration::ZERO).await), ["monitor.no-decision"]);

        // The program says the same with its exit code, in words, as JSON and on a page.
        std::fs::write(folder.path().join("expected"), &listed).unwrap();
        let run = async |arguments: &[&str]| {
            let mut command = program();
            command
                .arg("monitor")
                .args(arguments)
                .args(["--key", "log.vkey", "--state", "new"])
                .current_dir(folder.path());
            tokio::task::spawn_blocking(move || Ran::of(&command.output().unwrap())).await.unwrap()
        };
        let alarm = run(&[&url, "--expected", "expected", "--page", "page.html", "--json"]).await;
        let report: serde_json::Value = serde_json::from_str(&alarm.out).unwrap();
        assert_eq!((alarm.code, &report["alarms"][0]["id"]), (1, &"monitor.no-decision".into()), "{}", alarm.err);
        assert!(std::fs::read_to_string(folder.path().join("page.html")).unwrap().contains("警报：1 项"));
        let away = run(&["http://127.0.0.1:1/log"]).await;
        assert_eq!(away.code, 1, "an entry that nobody accounts for is told although the log is away: {}", away.out);
        run(&["ftp://127.0.0.1/log"]).await.complains(3, "monitor.address");
        run(&[&url, "--webhook", "http://alarm.example/"]).await.complains(3, "monitor.webhook-address");
    })
    .await;
}
