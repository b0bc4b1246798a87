//! FSCK and AUDIT: a store that was worked with fits together; whatever somebody writes over in it is found; and what leaves the
//! house for whoever supervises is checked without us.

use std::collections::BTreeSet;

use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};
use time::Duration;
use yinxin::desk::Step;
use yinxin::fsck::{self, Outcome};
use yinxin::issue::{EndRequest, issue};
use yinxin::licence::LicenceAct;
use yinxin::pki::issue::Reason;
use yinxin::seal::Level;
use yinxin::store::{Act, KeyEnd, OrderKind, Revocation, Scope, SealFile, Store};
use yinxin::tlog::leaf::{Entry, Matter, Opening};
use yinxin::tlog::tree::Edge;

use crate::bureau::*;
use crate::crash::{said, settings, yinxin};
use crate::db::{Database, on_both};
use crate::http::Doors;

pub async fn fsck(store: &Store) -> Outcome {
    fsck::check(store, &[], &mut |_, _| {}).await.unwrap()
}

#[track_caller]
pub fn clean(outcome: &Outcome) {
    assert_eq!(outcome.found, 0, "{:#?}", outcome.findings);
}

/// A bureau after some days of work: documents of several kinds, an end, a grant taken back, an order that waits, more than a
/// full tile of entries, and the trail anchored with one event after it.
struct Worked {
    bureau: Bureau,
    /// The chain's columns of the head before the newest event, which the newest anchor speaks for.
    before_last: (i64, String),
    waiting: String,
    sealed: [String; 2],
}

async fn worked(database: &Database, folder: &std::path::Path) -> Worked {
    let bureau = Bureau::found(database, folder).await;
    let store = &bureau.desk.store;
    let request = |n: u32| licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3));
    let first = issue(&bureau.desk, &bureau.chief, request(1), NOW).await.unwrap();
    let (one, two) = (&bureau.administrators[0], &bureau.administrators[1]);
    yinxin::administer::promise(store, (one, two), &number(BUREAU_SEAL), Level::Lta, NOW).await.unwrap();
    let second = issue(&bureau.desk, &bureau.chief, request(2), NOW).await.unwrap();
    yinxin::administer::promise(store, (one, two), &number(BUREAU_SEAL), Level::B, NOW).await.unwrap();
    let end = EndRequest {
        identifier: first.identifier.clone().unwrap(),
        act: LicenceAct::Cancel,
        decision: decision("许注〔2026〕1号", NOW - Duration::days(2)),
    };
    yinxin::issue::end_licence(&bureau.desk, &bureau.chief, end, NOW).await.unwrap();
    let extra = yinxin::officer::Grant { id: "g-extra".into(), ..grant("chief", &number(BUREAU_SEAL)) };
    store.add_grant(&extra, &one.id, &two.id, NOW).await.unwrap();
    store.revoke_grant("g-extra", &one.id, NOW).await.unwrap();

    another_seals_end(store).await;

    // Acts alone make the tree grow past its first node; many at once share a commit.
    let mut acts = tokio::task::JoinSet::new();
    for n in 0..260_usize {
        let store = store.clone();
        acts.spawn(async move {
            let to_be_signed = n.to_be_bytes().to_vec();
            let kind = OrderKind::Certificate;
            store.write_down_act(Act { kind, key_label: "k", title: "act", to_be_signed, who: "test", now: NOW }).await
        });
    }
    while let Some(done) = acts.join_next().await {
        done.unwrap().unwrap();
    }

    let mut desk = bureau.desk.clone();
    desk.done = std::sync::Arc::new(|step| assert_ne!(step, Step::Receipted, "the process ends here"));
    let (chief, third) = (bureau.chief.clone(), request(3));
    assert!(tokio::spawn(async move { issue(&desk, &chief, third, NOW).await }).await.unwrap_err().is_panic());
    let waiting = store.unfinished().await.unwrap().into_iter().find(|one| one.record.seal.is_some()).unwrap();

    let mut connection = AnyConnection::connect(&database.url).await.unwrap();
    let row = sqlx::query("SELECT trail_length, trail FROM log_head").fetch_one(&mut connection).await.unwrap();
    let before_last = (row.get(0), row.get(1));
    store.audit(NOW, "service", "test.last", "-", &serde_json::json!({})).await.unwrap();
    yinxin::audit::anchor(&bureau.desk, NOW).await.unwrap();
    bureau.desk.publish_head(NOW).await.unwrap();
    Worked { waiting: waiting.record.id, sealed: [first.order, second.order], before_last, bureau }
}

/// The department's seal is filed as data, its certificate is revoked and its key destroyed.
async fn another_seals_end(store: &Store) {
    let seal = number(DEPARTMENT_SEAL);
    let certificate = store.certificates(&seal).await.unwrap().pop().unwrap();
    let (by, confirmed_by) = (person("admin-1"), person("admin-2"));
    let file = b"as its maker signed it".to_vec();
    let digest = hex::encode(yinxin::crypto::sha256(&file));
    let filed = SealFile {
        digest,
        seal: seal.clone(),
        certificate: certificate.digest.clone(),
        file,
        maker_chain: vec![],
        made_at: NOW,
        recorded_at: NOW,
        recorded_by: by.to_string(),
        confirmed_by: confirmed_by.to_string(),
    };
    store.add_seal_file(&filed, "made", (&by, &confirmed_by)).await.unwrap();
    let revocation = Revocation {
        serial: certificate.serial.clone(),
        issuer: "issuing".into(),
        at: NOW,
        reason: Reason::CessationOfOperation,
        document: "销〔2026〕1号".into(),
        invalid_since: None,
    };
    store.revoke(&revocation, by.as_str(), NOW).await.unwrap();
    let key_label = certificate.key_label.clone();
    let end = KeyEnd { key_label, seal, not_before: NOW, document: "销〔2026〕1号".into(), by, confirmed_by };
    store.end_key(&end, NOW).await.unwrap();
    assert!(store.key_destroyed(&end, NOW).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_worked_with_fits_together() {
    on_both("fsck_clean", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let Worked { bureau, .. } = worked(database, folder.path()).await;
        let mut told = (0, 0);
        let outcome = fsck::check(&bureau.desk.store, &[], &mut |done, all| told = (done, all)).await.unwrap();
        clean(&outcome);
        assert!(told.0 == told.1 && told.1 > 280, "{told:?}");
        let counts = &outcome.counts;
        assert_eq!((counts.sealed, counts.lost, counts.waiting), (2, 0, 1));
        assert_eq!((counts.documents, counts.receipts, counts.versions), (2, 3, 3));
        assert_eq!((counts.anchors, counts.nodes, counts.before_log, counts.unchained), (1, 1, 0, 0));
        let head = bureau.desk.store.newest_log_head().await.unwrap();
        assert_eq!(outcome.head, Some((head.size(), hex::encode(head.root().0))));

        // The same by the command line, which needs no keys.
        settings(database, folder.path());
        std::fs::remove_dir_all(folder.path().join("keys")).unwrap();
        let ran = yinxin(folder.path(), &["--json", "fsck"]).output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
        let json: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(json["counts"]["sealed"], 2);
        assert_eq!(json["findings"], serde_json::json!([]));
        let shown = yinxin(folder.path(), &["fsck"]).output().unwrap();
        assert!(said(&shown).contains("✓ 全部相符 / everything fits together"), "{}", said(&shown));
        std::fs::write(folder.path().join("yinxin.toml"), "[store]\nnonsense = 1\n").unwrap();
        assert_eq!(yinxin(folder.path(), &["fsck"]).output().unwrap().status.code(), Some(3));
    })
    .await;
}

/// A change that a database administrator could make.
struct Change {
    /// Tables that are put back afterwards.
    tables: &'static [&'static str],
    statements: Vec<String>,
    finds: &'static [&'static str],
}

fn change(tables: &'static [&'static str], statement: impl Into<String>, finds: &'static [&'static str]) -> Change {
    Change { tables, statements: vec![statement.into()], finds }
}

/// What stands in the way of whoever has the database: triggers and references.
pub async fn unguard(connection: &mut AnyConnection, sqlite: bool) {
    if !sqlite {
        return run(connection, "SET session_replication_role = replica").await;
    }
    run(connection, "PRAGMA foreign_keys = OFF").await;
    let triggers =
        sqlx::query("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetch_all(&mut *connection).await;
    for row in triggers.unwrap() {
        run(connection, &format!("DROP TRIGGER {}", row.get::<String, _>(0))).await;
    }
}

async fn run(connection: &mut AnyConnection, statement: &str) {
    let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_written_over_is_found() {
    on_both("fsck_found", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let worked = worked(database, folder.path()).await;
        let store = &worked.bureau.desk.store;
        clean(&fsck(store).await);
        let mut connection = AnyConnection::connect(&database.url).await.unwrap();
        unguard(&mut connection, database.url.starts_with("sqlite:")).await;
        for Change { tables, statements, finds } in changes(&worked).await {
            for table in tables {
                run(&mut connection, &format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
            }
            for statement in &statements {
                run(&mut connection, statement).await;
            }
            let outcome = fsck(store).await;
            let found: BTreeSet<_> = outcome.findings.iter().map(|finding| finding.message.id).collect();
            for id in finds {
                assert!(found.contains(id), "{statements:?}: {id} not in {:#?}", outcome.findings);
            }
            for table in tables {
                run(&mut connection, &format!("DELETE FROM {table}")).await;
                run(&mut connection, &format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await;
                run(&mut connection, &format!("DROP TABLE kept_{table}")).await;
            }
        }
        clean(&fsck(store).await);
    })
    .await;
}

async fn changes(worked: &Worked) -> Vec<Change> {
    let Worked { bureau, before_last, waiting, sealed: [first, second] } = worked;
    let store = &bureau.desk.store;
    let entered = store.entry_of(first).await.unwrap().unwrap();
    let place = entered.index;
    // An entry and its opening that belong together, as an insider would write them.
    let facts: Vec<_> =
        entered.entry.opening.to_string().lines().skip(2).map(|line| line.replace("chief", "other")).collect();
    let facts = facts.iter().map(|line| line.split_once(' ').unwrap());
    let leaf = entered.entry.leaf.clone();
    let forged = Entry::new(Matter::Order, "licence", leaf.at, leaf.seal, Opening::new([7; 32], facts).unwrap());
    // The log without its newest entry, as if it had never been.
    let mut edge = Edge::default();
    let size = store.newest_log_head().await.unwrap().size();
    while edge.size() < size - 1 {
        for one in store.entries(edge.size(), 100).await.unwrap().iter().take((size - 1 - edge.size()) as usize) {
            edge.append(one.entry.leaf.hash(), |_, _, _| {});
        }
    }
    let subtrees: String = edge.subtrees().iter().map(|hash| hex::encode(hash.0)).collect();
    let last = size - 1;
    let document = store.order(first).await.unwrap().unwrap().document.unwrap();
    let other = store.order(second).await.unwrap().unwrap().document.unwrap();
    let (length, trail) = before_last;
    let newest = length + 1;
    vec![
        // — the log
        change(
            &["log_leaf"],
            format!(
                "UPDATE log_leaf SET leaf = replace(leaf, 'order licence', 'order upload') WHERE position = {place}"
            ),
            &["fsck.other-tree", "fsck.facts", "fsck.receipt", "fsck.head"],
        ),
        change(
            &["log_leaf"],
            format!(
                "UPDATE log_leaf SET opening = replace(opening, 'officer chief', 'officer other') WHERE position = {place}"
            ),
            &["fsck.entry"],
        ),
        change(
            &["log_leaf"],
            format!(
                "UPDATE log_leaf SET leaf = '{}', opening = '{}' WHERE position = {place}",
                forged.leaf, forged.opening
            ),
            &["fsck.other-tree", "fsck.facts", "fsck.receipt"],
        ),
        change(
            &["log_leaf"],
            format!("UPDATE log_leaf SET seal_order = '{second}' WHERE position = {place}"),
            &["fsck.order-missing", "fsck.entries"],
        ),
        change(
            &["log_leaf"],
            format!("DELETE FROM log_leaf WHERE position = {place}"),
            &["fsck.entry-missing", "fsck.entries"],
        ),
        change(&["log_leaf"], format!("DELETE FROM log_leaf WHERE position = {last}"), &["fsck.head", "fsck.cut-off"]),
        Change {
            tables: &["log_leaf", "log_head"],
            statements: vec![
                format!("DELETE FROM log_leaf WHERE position = {last}"),
                format!("UPDATE log_head SET size = {last}, edge = '{subtrees}'"),
            ],
            finds: &["fsck.cut-off"],
        },
        change(&["log_head"], format!("UPDATE log_head SET size = {last}, edge = '{subtrees}'"), &["fsck.head"]),
        change(&["log_head"], "UPDATE log_head SET edge = '00'", &["store.row"]),
        change(
            &["log_head"],
            "UPDATE log_head SET checkpoint = replace(checkpoint, 'seal.example', 'mine.example')",
            &["fsck.checkpoint"],
        ),
        change(&["log_head"], "UPDATE log_head SET checkpoint_size = checkpoint_size - 1", &["fsck.checkpoint"]),
        change(&["log_identity"], "DELETE FROM log_identity", &["fsck.identity", "fsck.receipt"]),
        change(&["log_node"], "DELETE FROM log_node", &["fsck.node", "fsck.nodes"]),
        change(
            &["log_node"],
            "INSERT INTO log_node (level, position, hash) SELECT level, position + 7, hash FROM log_node",
            &["fsck.nodes"],
        ),
        // — orders
        change(
            &["seal_order"],
            format!("UPDATE seal_order SET officer = 'other' WHERE id = '{first}'"),
            &["fsck.facts"],
        ),
        change(
            &["seal_order"],
            format!("UPDATE seal_order SET written_at = written_at - 1 WHERE id = '{first}'"),
            &["fsck.facts"],
        ),
        change(
            &["seal_order"],
            format!("DELETE FROM seal_order WHERE id = '{first}'"),
            &["fsck.order-missing", "fsck.event-order", "fsck.uses", "fsck.stray", "fsck.version-order"],
        ),
        change(
            &["seal_order"],
            format!("UPDATE seal_order SET state = 'lost' WHERE id = '{first}'"),
            &["fsck.event-order", "fsck.version-order"],
        ),
        change(&["seal_order"], format!("UPDATE seal_order SET state = 'gone' WHERE id = '{first}'"), &["fsck.state"]),
        change(
            &["seal_order"],
            format!("UPDATE seal_order SET receipt = NULL WHERE id = '{first}'"),
            &["fsck.no-receipt", "fsck.other-receipt"],
        ),
        change(
            &["seal_order"],
            format!(
                "UPDATE seal_order SET receipt = (SELECT receipt FROM seal_order WHERE id = '{second}') WHERE id = '{first}'"
            ),
            &["fsck.receipt", "fsck.other-receipt"],
        ),
        change(
            &["seal_order"],
            format!(
                "UPDATE seal_order SET to_be_signed = (SELECT to_be_signed FROM seal_order WHERE id = '{second}') WHERE id = '{waiting}'"
            ),
            &["fsck.unsigned"],
        ),
        change(
            &["seal_order"],
            format!("UPDATE seal_order SET hole_start = hole_start + 1 WHERE id = '{waiting}'"),
            &["fsck.unsigned"],
        ),
        // — documents and licences
        change(
            &["document"],
            format!(
                "UPDATE document SET bytes = (SELECT bytes FROM document WHERE sha256 = '{other}') WHERE sha256 = '{document}'"
            ),
            &["fsck.document-changed"],
        ),
        change(&["document"], format!("DELETE FROM document WHERE sha256 = '{document}'"), &["fsck.document-missing"]),
        Change {
            tables: &["seal_order", "licence_version"],
            statements: vec![
                format!("UPDATE seal_order SET document = '{other}' WHERE id = '{first}'"),
                format!("UPDATE licence_version SET document = '{other}' WHERE document = '{document}'"),
            ],
            finds: &["fsck.other-document", "fsck.stray"],
        },
        change(
            &["licence_version"],
            format!("DELETE FROM licence_version WHERE document = '{document}'"),
            &["fsck.version-missing", "fsck.version"],
        ),
        change(&["licence_version"], "DELETE FROM licence_version WHERE act = 'cancel'", &["fsck.record"]),
        change(
            &["licence_version"],
            format!("UPDATE licence_version SET document = '{other}' WHERE document = '{document}'"),
            &["fsck.version-order"],
        ),
        change(
            &["licence_file"],
            format!("UPDATE licence_file SET document = '{other}' WHERE document = '{document}'"),
            &["fsck.licence-file", "fsck.version-missing"],
        ),
        change(
            &["licence_version"],
            "UPDATE licence_version SET version = 3 WHERE act = 'cancel'",
            &["fsck.version", "fsck.identifier"],
        ),
        // — what else the log speaks of
        change(&["seal_grant"], "UPDATE seal_grant SET until_at = until_at + 1 WHERE id = 'g-chief'", &["fsck.record"]),
        change(&["seal_grant"], "UPDATE seal_grant SET revoked_at = NULL WHERE id = 'g-extra'", &["fsck.record"]),
        change(&["seal_event"], "UPDATE seal_event SET reason = 'another'", &["fsck.record"]),
        change(&["seal_certificate"], "DELETE FROM seal_certificate", &["fsck.record"]),
        // — the house's authorities, and ends
        change(
            &["ca_certificate"],
            "UPDATE ca_certificate SET certificate = (SELECT certificate FROM seal_certificate LIMIT 1) WHERE label = 'root'",
            &["fsck.record"],
        ),
        change(&["ca_certificate"], "UPDATE ca_certificate SET made_at = made_at - 1", &["fsck.record"]),
        change(&["ca_certificate"], "DELETE FROM ca_certificate WHERE label = 'issuing'", &["fsck.record"]),
        change(
            &["ca_certificate"],
            "INSERT INTO ca_certificate (label, kind, serial, certificate, made_at) SELECT 'another', kind, serial, certificate, 5 FROM ca_certificate WHERE label = 'root'",
            &["fsck.unlogged"],
        ),
        change(&["revocation"], "UPDATE revocation SET reason = 'superseded'", &["fsck.record"]),
        change(&["revocation"], "UPDATE revocation SET recorded_at = recorded_at + 1", &["fsck.record"]),
        change(&["revocation"], "DELETE FROM revocation", &["fsck.record"]),
        change(
            &["revocation"],
            "INSERT INTO revocation (serial, issuer, at, reason, document, recorded_at, invalid_since) SELECT 'ab', issuer, at, reason, document, recorded_at, invalid_since FROM revocation",
            &["fsck.unlogged"],
        ),
        change(
            &["seal_file"],
            "UPDATE seal_file SET file = (SELECT certificate FROM ca_certificate WHERE label = 'root')",
            &["fsck.record"],
        ),
        change(&["seal_file"], "UPDATE seal_file SET confirmed_by = 'chief'", &["fsck.record"]),
        change(&["seal_file"], "DELETE FROM seal_file", &["fsck.record"]),
        change(
            &["seal_file"],
            "INSERT INTO seal_file (digest, seal, certificate, file, maker_chain, made_at, recorded_at, recorded_by, confirmed_by) SELECT 'ab', seal, certificate, file, maker_chain, made_at, recorded_at, recorded_by, confirmed_by FROM seal_file",
            &["fsck.unlogged"],
        ),
        change(&["key_destroyed"], "UPDATE key_destroyed SET at = at + 1", &["fsck.record"]),
        change(&["key_destroyed"], "DELETE FROM key_destroyed", &["fsck.record"]),
        change(&["key_end"], "UPDATE key_end SET recorded_by = 'chief'", &["fsck.record"]),
        change(
            &["key_destroyed"],
            "INSERT INTO key_destroyed (key_label, at) VALUES ('another', 5)",
            &["fsck.unlogged"],
        ),
        // — the chain
        change(&["audit_event"], "UPDATE audit_event SET who = 'nobody' WHERE position = 5", &["fsck.event-changed"]),
        change(
            &["audit_event"],
            "UPDATE audit_event SET source = 'elsewhere' WHERE position = 5",
            &["fsck.event-changed"],
        ),
        change(&["audit_event"], "DELETE FROM audit_event WHERE position = 5", &["fsck.event-missing"]),
        change(
            &["audit_event"],
            format!("DELETE FROM audit_event WHERE position = {newest}"),
            &["fsck.events-cut-off"],
        ),
        Change {
            tables: &["audit_event", "log_head"],
            statements: vec![
                format!("DELETE FROM audit_event WHERE position = {newest}"),
                format!("UPDATE log_head SET trail_length = {length}, trail = '{trail}'"),
            ],
            finds: &["fsck.events-cut-off"],
        },
    ]
}

/// An export is whole, proven by the log alone, and nothing in it can be changed.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_checked_alone() {
    on_both("audit_export", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        settings(database, folder.path());
        let run = |arguments: &[&str]| {
            let ran = yinxin(folder.path(), arguments).output().unwrap();
            assert!(ran.status.success(), "{}", said(&ran));
            said(&ran)
        };
        run(&["audit", "anchor"]);
        run(&["audit", "anchor"]);
        assert_eq!(bureau.desk.store.anchors(u64::MAX, 9).await.unwrap().len(), 1, "nothing was done in between");
        for n in 0..9 {
            let detail = serde_json::json!({ "n": n });
            bureau.desk.store.audit(NOW + Duration::hours(n), "service", "test.done", "-", &detail).await.unwrap();
        }
        run(&["audit", "export", "all.jsonl"]);
        run(&["audit", "export", "part.jsonl", "--from", "2026-11-21T11:00:00Z", "--to", "2026-11-21T14:00:00Z"]);
        assert!(
            !yinxin(folder.path(), &["audit", "export", "all.jsonl"]).output().unwrap().status.success(),
            "it is there"
        );

        // Elsewhere: the log's key, the file, and nothing of ours.
        let away = tempfile::tempdir().unwrap();
        let (trust, strange) = (away.path().join("trust"), away.path().join("strange"));
        std::fs::create_dir(&trust).unwrap();
        std::fs::create_dir(&strange).unwrap();
        let vkey = bureau.desk.store.log_identity().await.unwrap().unwrap().vkey.to_string();
        std::fs::write(trust.join("log.vkey"), format!("{vkey}\n")).unwrap();
        let check = |text: &str, trust: &std::path::Path, more: &[&str]| {
            let file = away.path().join("export.jsonl");
            std::fs::write(&file, text).unwrap();
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_yinxin"));
            command.current_dir(away.path()).args(["audit", "check"]).arg(&file).arg("--trust").arg(trust).args(more);
            let ran = command.output().unwrap();
            (ran.status.code(), said(&ran))
        };
        let all = std::fs::read_to_string(folder.path().join("all.jsonl")).unwrap();
        let lines: Vec<_> = all.lines().collect();
        let (code, text) = check(&all, &trust, &[]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains(&format!("1至{}条", lines.len() - 2)), "{text}");
        let part = std::fs::read_to_string(folder.path().join("part.jsonl")).unwrap();
        assert!(part.contains(r#"{\"n\":3}"#) && !part.contains(r#"{\"n\":2}"#), "{part}");
        assert_eq!(check(&part, &trust, &[]).0, Some(0));

        let without = |n: usize| {
            lines.iter().enumerate().filter(|(at, _)| *at != n).map(|(_, line)| format!("{line}\n")).collect::<String>()
        };
        let last = lines.len() - 1;
        for (text, trust, more, id) in [
            (all.replacen("test.done", "test.undo", 1), &trust, &[][..], "audit.changed"),
            (part.replacen("test.done", "test.undo", 1), &trust, &[], "audit.changed"),
            (without(3), &trust, &[], "audit.gap"),
            (without(last), &trust, &[], "audit.cut-off"),
            (without(last - 1), &trust, &[], "audit.gap"),
            (without(0), &trust, &[], "audit.malformed"),
            (all.clone(), &strange, &[], "audit.unknown-log"),
            (all.clone(), &trust, &["--witnesses", "1"], "audit.unwitnessed"),
            (all.trim_end().to_owned(), &trust, &[], "audit.malformed"),
        ] {
            let (code, text) = check(&text, trust, more);
            assert!(code == Some(1) && text.contains(&format!("[{id}]")), "{id}: {code:?} {text}");
        }
        assert_eq!(check(&all, &away.path().join("nowhere"), &[]).0, Some(3));
        clean(&fsck(&bureau.desk.store).await);
    })
    .await;
}

/// The trail says from where: the socket's other end, or who on which machine; and what a record was before and after.
#[tokio::test(flavor = "multi_thread")]
async fn the_trail_says_from_where_and_what_changed() {
    let database = Database::sqlite("audit_source");
    let doors = Doors::open(&database).await;
    let (one, two) =
        (doors.token("admin-1", &[Scope::Administer]).await, doors.token("admin-2", &[Scope::Administer]).await);
    let body = serde_json::json!({ "level": "B-T" });
    let client = doors.staff().with_token(&one).with_second(&two).also("X-Forwarded-For: 203.0.113.9");
    let answer = client
        .send("PUT", &format!("/api/v1/seals/{BUREAU_SEAL}/level"), "application/json", body.to_string().as_bytes())
        .await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    let store = &doors.bureau.desk.store;
    let event = store.audit_events(10).await.unwrap().into_iter().find(|event| event.what == "seal.level").unwrap();
    assert_eq!((event.source.as_str(), event.who.as_str()), ("127.0.0.1", "admin-1"));
    let digest = |level: &str| {
        let record = serde_json::json!({ "seal": BUREAU_SEAL, "level": level }).to_string();
        serde_json::json!(hex::encode(yinxin::crypto::sha256(record.as_bytes())))
    };
    assert_eq!((&event.detail["before"], &event.detail["after"]), (&digest("B-B"), &digest("B-T")));

    let folder = tempfile::tempdir().unwrap();
    keyring(folder.path());
    settings(&database, folder.path());
    let made = yinxin(folder.path(), &["key", "generate", "spare", "--name", "spare.example/log"]).output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
    let newest = store.audit_events(1).await.unwrap().remove(0);
    assert!(newest.source.starts_with("cli:") && newest.source.contains('@'), "{newest:?}");

    yinxin::audit::anchor(&doors.bureau.desk, NOW).await.unwrap();
    doors.passwords(&["admin-1", "chief"]).await;
    let page = doors.signed_in("admin-1").await.page("/audit").await;
    assert_eq!(page.status, 200);
    for text in ["seal.level", "127.0.0.1", "cli:", "记入公开日志"] {
        assert!(page.text().contains(text), "{text}: {}", page.text());
    }
    assert_eq!(doors.signed_in("chief").await.page("/audit").await.status, 403);
    clean(&fsck(store).await);
}
