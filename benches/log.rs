//! The public log: entries made durable per second by 1, 8 and 64 callers on SQLite and PostgreSQL, beside the bare commits of
//! the same database in the same run; what an entry and a proof cost as the tree grows; bytes on disk for each entry.
//! Figures are printed, never asserted. `--seconds N` sets the time for each line, `--leaves N` how far the tree grows.
#![expect(clippy::unwrap_used, reason = "a benchmark ends at the first thing that is not so")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sqlx::{AssertSqlSafe, Connection, Executor};
use time::macros::datetime;
use yinxin::store::{Act, OrderKind, Store, StoreSettings};
use yinxin::tlog::note::{Kind, VerifierKey};
use yinxin::tlog::tree::{self, Edge, Hash};

const NOW: time::OffsetDateTime = datetime!(2026-11-22 08:00 UTC);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1)).cloned();
    let seconds = value("--seconds").and_then(|n| n.parse().ok()).unwrap_or(3.0);
    let most: u64 = value("--leaves").and_then(|n| n.parse().ok()).unwrap_or(10_000_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        println!("{:<46} {:>10} {:>12} {:>12}", "", "a second", "commits/s", "a commit");
        let sqlite = format!("sqlite:{}", folder.path().join("callers.sqlite").display());
        callers("SQLite", &sqlite, seconds).await;
        match std::env::var("YINXIN_TEST_POSTGRES") {
            Ok(server) => callers("PostgreSQL", &server, seconds).await,
            Err(_) => println!("PostgreSQL is left out: YINXIN_TEST_POSTGRES is unset (scripts/bench log starts one)"),
        }
        println!();
        println!("{:<46} {:>10} {:>12} {:>12}", "SQLite, one caller", "entry ms", "proof ms", "cold ms");
        for leaves in [1_000, 100_000, 10_000_000_u64].into_iter().filter(|leaves| *leaves <= most) {
            grown(folder.path(), leaves, seconds).await;
        }
    });
}

async fn open(url: &str) -> Store {
    let store = Store::open(&StoreSettings { url: url.to_owned(), password: None }).await.unwrap();
    store.migrate().await.unwrap();
    store
}

/// An order of the authorities with its entry and its audit event.
async fn order(store: &Store) {
    let act = Act {
        kind: OrderKind::Certificate,
        key_label: "key",
        title: "an order",
        to_be_signed: b"to be signed".to_vec(),
        who: "bench",
        now: NOW,
    };
    store.write_down_act(act).await.unwrap();
}

async fn callers(name: &str, url: &str, seconds: f64) {
    let bare = bare_commits(url, seconds).await;
    println!("{:<46} {:>10.0} {:>12.0} {:>12.1}", format!("{name}: one row, one commit, one caller"), bare, bare, 1.0);
    let store = open(url).await;
    order(&store).await;
    for callers in [1, 8, 64] {
        let (done, before, start) = (Arc::new(AtomicU64::new(0)), store.committed(), Instant::now());
        let until = start + Duration::from_secs_f64(seconds);
        let mut work = tokio::task::JoinSet::new();
        for _ in 0..callers {
            let (store, done) = (store.clone(), done.clone());
            work.spawn(async move {
                while Instant::now() < until {
                    order(&store).await;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        work.join_all().await;
        let (done, commits) = (done.load(Ordering::Relaxed) as f64, (store.committed() - before) as f64);
        let took = start.elapsed().as_secs_f64();
        let what = format!("{name}: orders with entry and audit, {callers} callers");
        println!("{what:<46} {:>10.0} {:>12.0} {:>12.1}", done / took, commits / took, done / commits);
    }
}

/// The database's own rate: one small row made durable at a time.
async fn bare_commits(url: &str, seconds: f64) -> f64 {
    let insert = "INSERT INTO bare (text) VALUES ('a row of about as many bytes as an entry in the log has, which is some two hundred')";
    let (create, until) = ("CREATE TABLE bare (text TEXT)", Instant::now() + Duration::from_secs_f64(seconds));
    let mut times = 0.0;
    if let Some(path) = url.strip_prefix("sqlite:") {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
            .synchronous(sqlx::sqlite::SqliteSynchronous::Full);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        connection.execute(create).await.unwrap();
        while Instant::now() < until {
            connection.execute(insert).await.unwrap();
            times += 1.0;
        }
    } else {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        connection.execute(create).await.unwrap();
        while Instant::now() < until {
            connection.execute(insert).await.unwrap();
            times += 1.0;
        }
    }
    times / seconds
}

/// A log of so many entries, put there at once, and then used as ever.
async fn grown(folder: &Path, leaves: u64, seconds: f64) {
    let path = folder.join(format!("grown-{leaves}.sqlite"));
    let url = format!("sqlite:{}", path.display());
    open(&url).await.close().await;
    let empty = std::fs::metadata(&path).unwrap().len();
    fill(&path, leaves).await;
    // What comes next is not to wait for the disk to take all that.
    std::fs::File::open(&path).unwrap().sync_all().unwrap();
    let bytes = std::fs::metadata(&path).unwrap().len() - empty;

    let start = Instant::now();
    let store = open(&url).await;
    let head = store.newest_log_head().await.unwrap();
    assert_eq!(head.size(), leaves);
    let cold = start.elapsed().as_secs_f64();
    let (mut entries, start) = (0u32, Instant::now());
    while start.elapsed().as_secs_f64() < seconds {
        order(&store).await;
        entries += 1;
    }
    let entry = start.elapsed().as_secs_f64() / f64::from(entries);
    let (mut proofs, start) = (0u32, Instant::now());
    let size = store.log_head().await.unwrap().size();
    while start.elapsed().as_secs_f64() < seconds {
        let index = size - 1 - u64::from(proofs) % 100;
        let proof = store.log_proof(&tree::inclusion(index, size), size).await.unwrap();
        assert_eq!(proof.len(), tree::inclusion(index, size).len());
        proofs += 1;
    }
    let proof = start.elapsed().as_secs_f64() / f64::from(proofs);
    let what = format!("{leaves} entries, {:.0} bytes each, opened in {cold:.2} s", bytes as f64 / leaves as f64);
    // Somewhere in the middle, where no tile is at hand.
    let (mut cold, start) = (0u32, Instant::now());
    while start.elapsed().as_secs_f64() < seconds {
        let index = u64::from(cold) * 7919 % size;
        store.log_proof(&tree::inclusion(index, size), size).await.unwrap();
        cold += 1;
    }
    let cold = start.elapsed().as_secs_f64() / f64::from(cold);
    println!("{what:<46} {:>10.3} {:>12.3} {:>12.3}", entry * 1e3, proof * 1e3, cold * 1e3);
    store.close().await;
    std::fs::remove_file(&path).unwrap();
}

/// Puts leaves, nodes and head into an empty log, as appending them one by one would have. The openings are as long as
/// those of a licence.
async fn fill(path: &Path, leaves: u64) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute("PRAGMA synchronous = OFF").await.unwrap();
    connection.execute("BEGIN").await.unwrap();
    let (before, after) = (
        "yinxin-leaf/v1\nmatter order licence\ntime 2026-11-22T08:00:00.",
        "Z\nseal 33010000012345\ncommitment AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    );
    let opening = "x".repeat(420);
    connection
        .execute(AssertSqlSafe(format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {leaves}) \
             INSERT INTO log_leaf (position, leaf, opening) SELECT i, '{before}' || printf('%06d', i % 1000000) || '{after}', '{opening}' FROM n"
        )))
        .await
        .unwrap();
    let (mut edge, mut nodes) = (Edge::default(), Vec::new());
    for index in 0..leaves {
        let leaf = tree::leaf_hash(format!("{before}{:06}{after}", index % 1_000_000).as_bytes());
        edge.append(leaf, |level, place, hash| {
            if level > 0 && level % 8 == 0 {
                nodes.push((i64::from(level / 8), i64::try_from(place).unwrap(), hash));
            }
        });
    }
    for (level, place, Hash(hash)) in nodes {
        sqlx::query("INSERT INTO log_node (level, position, hash) VALUES ($1, $2, $3)")
            .bind(level)
            .bind(place)
            .bind(hash.as_slice())
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let subtrees: String = edge.subtrees().iter().map(|hash| hex::encode(hash.0)).collect();
    let vkey = VerifierKey::new("bench.example/log", Kind::Ed25519, [7; 32]).unwrap();
    // As after a publication: the start follows the tiles, not every leaf.
    let note = format!(
        "bench.example/log\n{leaves}\n{}\n\n\u{2014} {} {}\n",
        edge.root(),
        vkey.name(),
        STANDARD.encode([7; 68])
    );
    sqlx::query("UPDATE log_head SET size = $1, edge = $2, checkpoint_size = $1, checkpoint = $3")
        .bind(i64::try_from(leaves).unwrap())
        .bind(subtrees)
        .bind(note)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.execute("COMMIT").await.unwrap();
    connection.close().await.unwrap();
}
