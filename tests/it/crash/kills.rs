//! A real server under load is killed again and again, at any moment; afterwards nothing is lost, nothing is there twice, and
//! the log that the public saw only ever grew.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use time::Duration;
use yinxin::store::{ApiToken, Scope};
use yinxin::tlog::checkpoint::Checkpoint;
use yinxin::tlog::note::{Note, VerifierKey};
use yinxin::tlog::tile::{Kind, Tiles, needed};
use yinxin::tlog::tree::{check_consistency, consistency};

use super::{said, settings, yinxin};
use crate::bureau::*;
use crate::db::{Database, on_both};
use crate::http::client::Client;

/// Who asks at the same time.
const CALLERS: usize = 4;
const TOKEN: &str = "a token of the tests";

/// Kills in each database. Every run of the tests can afford a few; `scripts/kill-loop` says how many else.
fn kills() -> u32 {
    std::env::var("YINXIN_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_again_and_again_nothing_is_lost() {
    on_both("kills", async |database| kill_loop(database, kills()).await).await;
}

/// Moments that look like chance and are the same in every run with one seed (`YINXIN_SEED`).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        let drawn = yinxin::crypto::sha256(&self.0.to_be_bytes());
        self.0 += 1;
        u64::from_be_bytes(drawn[..8].try_into().unwrap()) % most
    }
}

/// A server in a process of its own, and what it printed when it began.
struct Server {
    child: Child,
    public: SocketAddr,
    staff: SocketAddr,
    finished: usize,
}

impl Server {
    fn start(path: &Path) -> Self {
        let log = std::fs::OpenOptions::new().append(true).create(true).open(path.join("server.log")).unwrap();
        let mut child = yinxin(path, &["serve"]).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let (mut finished, mut doors) = (0, vec![]);
        while doors.len() < 2 {
            let line =
                lines.next().unwrap_or_else(|| panic!("{}", std::fs::read_to_string(path.join("server.log")).unwrap()));
            // An act of the authorities is given up after a while; the next server does it anew.
            assert!(!line.contains("未完成") || line.contains("issue.act-interrupted"), "{line}");
            finished += usize::from(line.starts_with("已完成中断的用印"));
            let address = line.split_once("http://").map(|(_, rest)| rest.trim_end_matches('/'));
            doors.extend(address.and_then(|address| address.parse::<SocketAddr>().ok()));
        }
        // Nobody may wait for us to read.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, public: doors[0], staff: doors[1], finished }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What the callers know.
#[derive(Default)]
struct Known {
    /// The next decision that nobody asked about yet.
    next: u32,
    /// Asked about, and not answered.
    open: VecDeque<u32>,
    /// Answered: identifier and document.
    made: BTreeMap<u32, (String, String)>,
}

/// Asks for one licence; true where the answer was a document.
async fn ask(staff: SocketAddr, known: &Mutex<Known>, number: u32) -> bool {
    let request = licence(&format!("许准〔2026〕{number}号"), NOW - Duration::days(3));
    let body = serde_json::to_vec(&request).unwrap();
    let client = Client::of(staff).with_token(TOKEN);
    let answer = client.try_send("POST", "/api/v1/licences", "application/json", &body).await;
    // A process that is killed ends the connection at any place, in the middle of an answer too.
    let answer = answer.and_then(|answer| Some((answer.status, serde_json::from_slice(&answer.body).ok()?)));
    match answer {
        Some((200 | 201, made)) => {
            let made: serde_json::Value = made;
            let part = |name: &str| made[name].as_str().unwrap().to_owned();
            let made = (part("identifier"), part("document"));
            let before = known.lock().unwrap().made.insert(number, made.clone());
            assert!(before.is_none_or(|before| before == made), "{number}: another answer than before");
            true
        }
        // Waiting, or being made by a resume at this moment.
        Some((status, problem)) => {
            let id = problem["id"].as_str().unwrap_or_default();
            assert!(status == 202 || id == "issue.in-progress" || status == 503, "{number}: {status} {problem}");
            false
        }
        None => false,
    }
}

/// Keeps asking until told to stop.
async fn keep_asking(staff: SocketAddr, known: Arc<Mutex<Known>>, stop: tokio::sync::watch::Receiver<bool>) {
    while !*stop.borrow() {
        let number = {
            let mut known = known.lock().unwrap();
            known.open.pop_front().unwrap_or_else(|| {
                known.next += 1;
                known.next
            })
        };
        if !ask(staff, &known, number).await {
            known.lock().unwrap().open.push_back(number);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// The head that the public is shown; none before the first, or where the server is gone.
async fn head(public: SocketAddr, log: &VerifierKey) -> Option<Checkpoint> {
    let answer = Client::of(public).try_send("GET", "/log/checkpoint", "text/plain", b"").await?;
    let note = (answer.status == 200).then(|| Note::read(&answer.body).ok())??;
    Some(Checkpoint::open(&note, log).unwrap())
}

/// The tree of `new` begins with that of `old`, by the public files alone.
async fn grew(public: SocketAddr, old: &Checkpoint, new: &Checkpoint) {
    assert!(new.size >= old.size, "the log shrank from {} to {}", old.size, new.size);
    if old.size == new.size {
        return assert_eq!(old.root, new.root);
    }
    let parts = consistency(old.size, new.size);
    let mut tiles = Tiles::default();
    for tile in needed(&parts, new.size) {
        let Kind::Hashes(_) = tile.kind else { continue };
        let answer = Client::of(public).get(&format!("/log/{}", tile.path())).await;
        assert_eq!(answer.status, 200, "{}", tile.path());
        tiles.add(&tile, &answer.body).unwrap();
    }
    check_consistency(old.size, &old.root, new.size, &new.root, &tiles.proof(&parts).unwrap()).unwrap();
}

async fn kill_loop(database: &Database, kills: u32) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let bureau = Bureau::found(database, path).await;
    settings(database, path);
    let mut text = std::fs::read_to_string(path.join("yinxin.toml")).unwrap();
    text += "public = \"127.0.0.1:0\"\nstaff = \"127.0.0.1:0\"\n\
             [use]\nseal_per_hour = 90000\nseal_per_day = 90000\nofficer_per_hour = 90000\nofficer_per_day = 90000\n";
    std::fs::write(path.join("yinxin.toml"), text).unwrap();
    let (id, scopes) = (hex::encode(yinxin::crypto::sha256(TOKEN.as_bytes())), [Scope::Issue].into());
    let token =
        ApiToken { id, officer: person("chief"), label: "test".into(), scopes, expires_at: NOW + Duration::days(9000) };
    bureau.desk.store.add_token(&token, NOW).await.unwrap();
    let log = bureau.desk.log(NOW).await.unwrap().vkey;

    let seed = std::env::var("YINXIN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122);
    let mut chance = Chance(seed);
    let known = Arc::new(Mutex::new(Known::default()));
    let mut seen: Option<Checkpoint> = None;
    let (mut finished, mut starting, begun) = (0, std::time::Duration::ZERO, Instant::now());
    for kill in 1..=kills {
        let at = Instant::now();
        let server = Server::start(path);
        starting += at.elapsed();
        finished += server.finished;
        if let (Some(old), Some(new)) = (&seen, head(server.public, &log).await) {
            grew(server.public, old, &new).await;
        }
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let callers: Vec<_> =
            (0..CALLERS).map(|_| tokio::spawn(keep_asking(server.staff, known.clone(), stopped.clone()))).collect();
        // Once something is made in this round there is always something under way.
        let (before, until) = (known.lock().unwrap().made.len(), Instant::now() + std::time::Duration::from_secs(10));
        while known.lock().unwrap().made.len() == before && Instant::now() < until {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(chance.below(1000))).await;
        // As late as can be: what the public saw a moment before the end.
        seen = head(server.public, &log).await.or(seen);
        tokio::time::sleep(std::time::Duration::from_micros(chance.below(30_000))).await;
        server.kill();
        stop.send(true).unwrap();
        for caller in callers {
            caller.await.unwrap();
        }
        if kill % 10 == 0 {
            let known = known.lock().unwrap();
            eprintln!(
                "{kill} kills: {} made, {} open, log of {:?}",
                known.made.len(),
                known.open.len(),
                seen.as_ref().map(|head| head.size)
            );
        }
    }

    // Every request is answered in the end, and those that were get the same answer again.
    let server = Server::start(path);
    finished += server.finished;
    let open: Vec<u32> = known.lock().unwrap().open.drain(..).collect();
    let again: Vec<u32> = known.lock().unwrap().made.keys().copied().collect();
    for number in open.into_iter().chain(again) {
        let until = Instant::now() + std::time::Duration::from_secs(60);
        while !ask(server.staff, &known, number).await {
            assert!(Instant::now() < until, "{number} is not made");
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    }
    if let (Some(old), Some(new)) = (&seen, head(server.public, &log).await) {
        grew(server.public, old, &new).await;
    }
    server.kill();

    let known = known.lock().unwrap();
    let identifiers: BTreeSet<_> = known.made.values().map(|(identifier, _)| identifier).collect();
    let documents: BTreeSet<_> = known.made.values().map(|(_, document)| document).collect();
    let made = known.made.len();
    assert!(made as u32 == known.next && identifiers.len() == made && documents.len() == made);
    assert!(made > kills as usize / 2, "{made} made: there was no load");
    let whole = yinxin(path, &["--json", "fsck"]).output().unwrap();
    assert_eq!(whole.status.code(), Some(0), "{}", said(&whole));
    let counts = serde_json::from_slice::<serde_json::Value>(&whole.stdout).unwrap()["counts"].clone();
    assert_eq!(
        (&counts["sealed"], &counts["versions"], &counts["documents"]),
        (&made.into(), &made.into(), &made.into())
    );
    assert_eq!((&counts["waiting"], &counts["lost"]), (&0.into(), &0.into()));
    eprintln!(
        "{kills} kills in {:.0} s (a start takes {:.1} s): {made} licences, {finished} finished at a start; fsck: {counts}",
        begun.elapsed().as_secs_f64(),
        starting.as_secs_f64() / f64::from(kills),
    );
}
