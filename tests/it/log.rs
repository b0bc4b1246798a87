//! The public log: one order of entries whoever writes, receipts in documents, files that anyone can follow, and a database
//! that is not believed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{AssertSqlSafe, Connection, Row};
use time::Duration;
use yinxin::cms;
use yinxin::desk::{FlowError, Step};
use yinxin::http::{serve, witness_router};
use yinxin::issue::{issue, resume};
use yinxin::log::{Logging, Plan};
use yinxin::store::{Act, OrderKind, Store, StoreError};
use yinxin::tlog::LogFault;
use yinxin::tlog::checkpoint::Checkpoint;
use yinxin::tlog::leaf::{Entry, Matter};
use yinxin::tlog::note::{Note, VerifierKey};
use yinxin::tlog::receipt::Receipt;
use yinxin::tlog::tile::{Kind, Tile, Tiles, needed, unbundle};
use yinxin::tlog::tree::{self, Edge};

use yinxin::witness::{Office, Witness};
use yinxin::witnesses::{WitnessSettings, WitnessesSettings};

use crate::bureau::*;
use crate::db::{Database, on_both};
use crate::http::Doors;

fn act(number: usize) -> Act<'static> {
    Act {
        kind: OrderKind::Certificate,
        key_label: "key",
        title: "act",
        to_be_signed: number.to_be_bytes().to_vec(),
        who: "test",
        now: NOW,
    }
}

/// The root over what is stored, computed from the leaves alone.
async fn root_of(store: &Store) -> (u64, tree::Hash) {
    let mut edge = Edge::default();
    loop {
        let entries = store.entries(edge.size(), 500).await.unwrap();
        if entries.is_empty() {
            return (edge.size(), edge.root());
        }
        for entered in entries {
            assert_eq!(entered.index, edge.size());
            assert_eq!(entered.entry.leaf.commitment, entered.entry.opening.commitment());
            edge.append(entered.entry.leaf.hash(), |_, _, _| {});
        }
    }
}

/// Two processes write to one log at the same time, and some of their callers go away half way: what stays is one tree, without
/// gaps, that both know, and many share a commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_who_write_write_one_log() {
    on_both("log_writers", async |database| {
        let stores = [open(database).await, open(database).await];
        stores[0].migrate().await.unwrap();
        let mut work = tokio::task::JoinSet::new();
        for n in 0..160 {
            let store = stores[n % 2].clone();
            work.spawn(async move {
                let writing = store.write_down_act(act(n));
                match n % 8 {
                    // Gone after some steps of the work, whichever they are.
                    7 => tokio::time::timeout(std::time::Duration::from_micros(n as u64 * 40), writing).await.is_ok(),
                    _ => writing.await.is_ok(),
                }
            });
        }
        let mut written = 0;
        while let Some(done) = work.join_next().await {
            written += u64::from(done.unwrap());
        }
        assert!(written >= 140, "{written}");
        let (size, root) = root_of(&stores[0]).await;
        // Who went away may have been written all the same; nobody who was answered is missing.
        assert!((written..=160).contains(&size), "{written} were answered, {size} are stored");
        for store in &stores {
            let head = store.newest_log_head().await.unwrap();
            assert_eq!((head.size(), head.root()), (size, root));
        }
        let third = open(database).await;
        assert_eq!(third.newest_log_head().await.unwrap().root(), root);
        let commits = stores[0].committed() + stores[1].committed();
        assert!(commits < 160, "{commits} commits for {size} entries");
        // Every leaf can be proven under that head, from tiles at hand and from those that are read.
        for store in [&stores[0], &third] {
            for index in [0, 1, size / 2, size - 1] {
                let proof = store.log_proof(&tree::inclusion(index, size), size).await.unwrap();
                let leaf = store.entries(index, 1).await.unwrap()[0].entry.leaf.hash();
                tree::check_inclusion(&leaf, index, size, &root, &proof).unwrap();
            }
        }
    })
    .await;
}

/// While another process has the log's head, whoever wants to write waits, and may give up: nobody is kept from reading by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_waits_to_write_keeps_nobody_from_reading() {
    on_both("log_waiting", async |database| {
        let store = open(database).await;
        store.migrate().await.unwrap();
        let is_sqlite = database.url.starts_with("sqlite:");
        let mut other = sqlx::AnyConnection::connect(&database.url).await.unwrap();
        let takes = if is_sqlite { "BEGIN IMMEDIATE" } else { "BEGIN; SELECT size FROM log_head FOR UPDATE" };
        sqlx::raw_sql(takes).execute(&mut other).await.unwrap();
        let mut work = tokio::task::JoinSet::new();
        for n in 0..60_u32 {
            let store = store.clone();
            work.spawn(async move {
                let writing = store.write_down_act(act(n as usize));
                match n {
                    // The first to come give up, one after the other, each when it is its turn.
                    ..40 => {
                        let patience = std::time::Duration::from_millis(20) * (n + 1);
                        tokio::time::timeout(patience, writing).await.is_ok_and(|done| done.is_ok())
                    }
                    _ => writing.await.is_ok(),
                }
            });
        }
        // Until none but those who stay are left.
        let mut gone = 0;
        while gone < 40 {
            assert!(!work.join_next().await.unwrap().unwrap(), "nobody writes while the head is taken");
            gone += 1;
        }
        let reads =
            (0..30).map(|_| store.clone()).map(async |store| store.items().await.is_ok() && store.ping().await.is_ok());
        let reads = reads.collect::<tokio::task::JoinSet<_>>().join_all().await;
        assert!(reads.into_iter().all(|read| read), "everybody reads");
        if !is_sqlite {
            let waiting =
                "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let waiting: i64 = sqlx::query(waiting).fetch_one(&mut other).await.unwrap().get(0);
            assert_eq!(waiting, 1, "one connection waits for all of them");
        }
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        let written = work.join_all().await;
        assert_eq!(written, [true; 20]);
        let (size, root) = root_of(&store).await;
        assert!((20..=60).contains(&size), "{size}");
        assert_eq!(store.newest_log_head().await.unwrap().root(), root);
    })
    .await;
}

/// Whoever comes first makes the log's key, in this process or another; who comes at the same moment takes that one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_log_is_founded_once_however_many_begin() {
    on_both("log_founding", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let mut desks = vec![];
        for _ in 0..6 {
            desks.push(Bureau::at_work(open(database).await, folder.path()).await.desk);
        }
        assert_eq!(bureau.desk.store.log_identity().await.unwrap(), None);
        let begun = desks.into_iter().flat_map(|desk| [desk.clone(), desk]);
        let begun = begun.map(async |desk| desk.log(NOW).await).collect::<tokio::task::JoinSet<_>>();
        for found in begun.join_all().await {
            assert_eq!(found.unwrap().vkey, bureau.desk.log(NOW).await.unwrap().vkey);
        }
    })
    .await;
}

/// What a stranger typed spoils nobody's transaction.
#[tokio::test(flavor = "multi_thread")]
async fn no_word_of_one_spoils_what_others_write() {
    on_both("log_words", async |database| {
        let store = open(database).await;
        store.migrate().await.unwrap();
        let nothing = serde_json::json!({ "said": "\0" });
        let odd = store.audit(NOW, "no\0body", "tried", "\0", &nothing);
        let (odd, act) = tokio::join!(odd, store.write_down_act(act(1)));
        odd.unwrap();
        act.unwrap();
        let events = store.audit_events(10).await.unwrap();
        assert!(events.iter().any(|event| event.who == "no\u{FFFD}body"), "{events:?}");
    })
    .await;
}

/// A part that a rule refused is taken back alone; those who share its transaction are written.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_taken_back_alone() {
    on_both("log_parts", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let store = &bureau.desk.store;
        let before = store.newest_log_head().await.unwrap().size();
        let mut work = tokio::task::JoinSet::new();
        for n in 0..40 {
            let store = store.clone();
            work.spawn(async move {
                match n % 4 {
                    // No such grant: refused by the statement after the part began.
                    3 => store.revoke_grant("nobody", &person("admin-1"), NOW).await.is_err(),
                    _ => store.write_down_act(act(n)).await.is_ok(),
                }
            });
        }
        assert!(work.join_all().await.into_iter().all(|as_expected| as_expected));
        let (size, root) = root_of(store).await;
        assert_eq!(size, before + 30);
        assert_eq!(store.newest_log_head().await.unwrap().root(), root);
    })
    .await;
}

/// A sealed licence carries the proof of its entry; the log's files, read over HTTP by nothing but their names, lead to the
/// same head and hold the same leaf, and say nothing of the holder.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_proves_its_entry_and_the_files_agree() {
    on_both("log_files", async |database| {
        let doors = Doors::open(database).await;
        let bureau = &doors.bureau;
        assert_eq!(doors.public().get("/log/checkpoint").await.status, 404, "nothing was sealed yet");
        let request = licence("许准〔2026〕1号", NOW - Duration::days(3));
        let issued = issue(&bureau.desk, &bureau.chief, request, NOW).await.unwrap();
        let document = bureau.desk.store.document(&issued.document).await.unwrap().unwrap();
        let signed = cms_of(&document.bytes);
        let text = signed.signers[0].receipt().unwrap().unwrap().to_owned();
        let receipt = Receipt::read(text.as_bytes()).unwrap();
        let entry = Entry::read(&receipt.extra).unwrap();
        let key = doors.public().get("/log/key.vkey").await.text();
        let key = VerifierKey::read(key.trim_end()).unwrap();
        assert_eq!(key.name(), "seal.example/log");
        let logged = receipt.check(&entry.leaf.hash(), &key, &[]).unwrap();
        assert_eq!(
            (logged.origin.as_str(), entry.leaf.matter, entry.leaf.act.as_str()),
            ("seal.example/log", Matter::Order, "licence")
        );
        assert_eq!(entry.leaf.seal.as_deref(), Some(BUREAU_SEAL));
        let digest = signed.signers[0].message_digest().unwrap();
        for (fact, value) in [
            ("document", hex::encode(digest)),
            ("decision", "许准〔2026〕1号".into()),
            ("officer", "chief".into()),
            ("order", issued.order),
        ] {
            assert_eq!(entry.opening.fact(fact), Some(value.as_str()), "{fact}");
        }

        // As a monitor follows it.
        let head = doors.public().get("/log/checkpoint").await;
        let head = Checkpoint::open(&Note::read(&head.body).unwrap(), &key).unwrap();
        assert!(head.size > receipt.index);
        let whole = std::iter::once(0..head.size).collect::<Vec<_>>();
        let mut tiles = Tiles::default();
        for tile in needed(&whole, head.size) {
            let answer = doors.public().get(&format!("/log/{}", tile.path())).await;
            let cached = answer.header("cache-control");
            assert!(cached.contains("immutable"), "{} {}: {cached} {}", tile.path(), answer.status, answer.text());
            tiles.add(&tile, &answer.body).unwrap();
        }
        assert_eq!(tiles.root(0..head.size).unwrap(), head.root);
        let entries = Tile { kind: Kind::Entries, index: 0, width: u16::try_from(head.size).unwrap() };
        let answer = doors.public().get(&format!("/log/{}", entries.path())).await;
        let leaves = unbundle(&answer.body, entries.width).unwrap();
        assert_eq!(leaves[usize::try_from(receipt.index).unwrap()], entry.leaf.to_string().as_bytes());
        for secret in ["许准", "chief", "示例餐饮"] {
            assert!(!answer.text().contains(secret), "{secret}");
        }
        // Nothing beyond the head is promised, and nothing is there that is no tile.
        let beyond = Tile { width: entries.width + 1, ..entries };
        for path in [
            beyond.path(),
            "tile/0/001".into(),
            "tile/9/000".into(),
            "tile/entries/000.p/0".into(),
            "tile/../checkpoint".into(),
        ] {
            assert_eq!(doors.public().get(&format!("/log/{path}")).await.status, 404, "{path}");
        }
        let page = doors.public().get("/log").await.text();
        assert!(
            page.contains("seal.example/log") && page.contains("用印：证照、批文") && !page.contains("chief"),
            "{page}"
        );
    })
    .await;
}

fn cms_of(pdf: &[u8]) -> cms::SignedData {
    let hex: Vec<u8> = {
        let at = pdf.windows(10).position(|w| w == b"/Contents<").unwrap() + 10;
        pdf[at..].iter().copied().take_while(|b| *b != b'>').collect()
    };
    cms::read_pdf("ETSI.CAdES.detached", &hex::decode(hex).unwrap(), &[]).unwrap()
}

/// While too few witnesses answer, orders wait, and no key was touched for them; when one is back they end, seen by it.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_witness_nothing_is_sealed() {
    on_both("log_unseen", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let key = bureau.desk.log(NOW).await.unwrap().vkey;
        let elsewhere = tempfile::tempdir().unwrap();
        let keys = keyring(elsewhere.path());
        let state = elsewhere.path().join("state");
        let office = Office { name: "witness.example/1".into(), key: "witness".into(), state, logs: vec![key.clone()] };
        let witness = Witness::begin(&office, &keys).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let each = vec![WitnessSettings { url: url.clone(), key: witness.clone() }];
        let asked = WitnessesSettings { each, needed: 1, deadline: std::time::Duration::from_secs(5) };
        let mut desk = bureau.desk.clone().logged_by(Logging::of(Plan::default(), asked));

        let signed = Arc::new(AtomicU64::new(0));
        let count = signed.clone();
        desk.done = Arc::new(move |step| {
            count.fetch_add(u64::from(step == Step::Signed), Ordering::SeqCst);
        });
        let waits = issue(&desk, &bureau.chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await;
        let Err(FlowError::Waiting(waiting)) = waits else { panic!("{waits:?}") };
        assert_eq!(waiting.because.id, "log.unseen");
        assert_eq!(signed.load(Ordering::SeqCst), 0);
        assert!(desk.store.checkpoint().await.unwrap().is_none(), "nothing is published unseen");

        let back = Witness::open(&office, &keys, Arc::new(|| NOW)).unwrap();
        let listener = tokio::net::TcpListener::bind(url.strip_prefix("http://").unwrap()).await.unwrap();
        tokio::spawn(serve(listener, witness_router(Arc::new(back)), std::future::pending()));
        let resumed = resume(&desk, NOW).await.unwrap();
        let issued = resumed.into_iter().next().unwrap().outcome.unwrap();
        assert_eq!(signed.load(Ordering::SeqCst), 1);
        let document = desk.store.document(&issued.document).await.unwrap().unwrap();
        let cms = cms_of(&document.bytes);
        let receipt = Receipt::read(cms.signers[0].receipt().unwrap().unwrap().as_bytes()).unwrap();
        let entry = Entry::read(&receipt.extra).unwrap();
        let logged = receipt.check(&entry.leaf.hash(), &key, &[witness]).unwrap();
        assert_eq!(logged.witnesses.iter().map(|seen| seen.name.as_str()).collect::<Vec<_>>(), ["witness.example/1"]);
    })
    .await;
}

/// A witness that takes the question and says nothing: whoever waits for the head that it does not cosign waits once, and not for
/// each other in turn.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_witnesses_is_waited_for_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::sqlite("log_silent");
    let bureau = Bureau::found(&database, folder.path()).await;
    bureau.desk.log(NOW).await.unwrap();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut held = vec![];
        while let Ok((connection, _)) = silent.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            held.push(connection);
        }
    });
    let elsewhere = tempfile::tempdir().unwrap();
    let key = keyring(elsewhere.path());
    key.generate("witness", yinxin::crypto::KeyAlgorithm::Ed25519).unwrap();
    let key = key.signer("witness").unwrap().note_key().unwrap();
    let key = VerifierKey::new("witness.example/1", yinxin::tlog::note::Kind::Cosignature, key).unwrap();
    let deadline = std::time::Duration::from_secs(2);
    let silent = WitnessesSettings { each: vec![WitnessSettings { url, key }], needed: 1, deadline };
    let desk = bureau.desk.clone().logged_by(Logging::of(Plan::default(), silent));

    let callers = (0..12).map(|_| desk.clone()).map(async |desk| desk.publish_head(NOW).await);
    for told in callers.collect::<tokio::task::JoinSet<_>>().join_all().await {
        let Err(FlowError::Unlogged(why)) = told else { panic!("{told:?}") };
        assert_eq!(why.id, "log.unseen");
    }
    // One may have come when the first question was over already; a stalled connection is not asked twice.
    let before = asked.load(Ordering::SeqCst);
    assert!((1..=2).contains(&before), "{before} questions for twelve callers");
    // Who comes later asks anew.
    assert!(desk.publish_head(NOW).await.is_err());
    assert!(asked.load(Ordering::SeqCst) > before);
}

/// What somebody wrote over in the database is not built upon: neither by a process that knows better nor by a new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_database_is_not_believed() {
    for (change, at_the_start) in [
        ("UPDATE log_leaf SET leaf = replace(leaf, 'order licence', 'order upload ')", true),
        ("UPDATE log_head SET size = size - 1", true),
        ("DELETE FROM log_leaf WHERE position = 3", true),
        ("UPDATE log_head SET size = 0, edge = ''", true),
        // One complete log over another: only who knows the true one can tell, as a witness or the holder of a receipt does.
        ("UPDATE log_head SET size = 0, edge = '', checkpoint = '', checkpoint_size = 0", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::sqlite("tampered");
        let bureau = Bureau::found(&database, folder.path()).await;
        let request = licence("许准〔2026〕1号", NOW - Duration::days(3));
        issue(&bureau.desk, &bureau.chief, request.clone(), NOW).await.unwrap();
        let mut connection = sqlx::AnyConnection::connect(&database.url).await.unwrap();
        for trigger in ["log_leaf_no_update", "log_leaf_no_delete"] {
            sqlx::query(AssertSqlSafe(format!("DROP TRIGGER {trigger}"))).execute(&mut connection).await.unwrap();
        }
        sqlx::query(AssertSqlSafe(change.to_owned())).execute(&mut connection).await.unwrap();
        let again = open(&database).await;
        let met = again.write_down_act(act(1)).await;
        match at_the_start {
            true => assert!(
                matches!(met, Err(StoreError::Log(LogFault::Unproven | LogFault::Missing) | StoreError::Row { .. })),
                "{change}: {met:?}"
            ),
            false => drop(met),
        }
        if change.contains("log_head") {
            let met = bureau.desk.store.write_down_act(act(2)).await;
            assert!(
                matches!(met, Err(StoreError::Log(_) | StoreError::Row { .. } | StoreError::Database(_))),
                "{change}: {met:?}"
            );
        }
    }
}
