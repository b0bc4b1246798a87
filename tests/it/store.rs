//! The store on both databases: migrations, what may never change, and stale facts.

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection};
use time::Duration;
use yinxin::crypto::KeyAlgorithm;
use yinxin::officer::{Grant, GrantedItems};
use yinxin::seal::{Level, SealEvent, SealEventKind};
use yinxin::store::{OrderKind, OrderState, StoreError};

use crate::bureau::*;
use crate::db::on_both;

/// The folders hold the same statements but for the bytes' type and the triggers.
#[test]
fn both_schemas_are_one() {
    let folder = |kind: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(kind);
    let mut names: Vec<_> =
        std::fs::read_dir(folder("sqlite")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), std::fs::read_dir(folder("postgres")).unwrap().count());
    assert!(names.len() > 1);
    for name in names {
        let read = |kind: &str| {
            let text = std::fs::read_to_string(folder(kind).join(&name)).unwrap();
            text.split("-- What happened stays").next().unwrap().to_owned()
        };
        let (sqlite, postgres) = (read("sqlite"), read("postgres"));
        assert!(sqlite.len() > 500, "{name:?}");
        assert_eq!(sqlite.replace(" BLOB ", " BYTEA "), postgres, "{name:?}");
    }
}

#[tokio::test]
async fn pending_and_unknown_migrations_are_refused() {
    on_both("migrations", async |database| {
        let store = open(database).await;
        let Err(StoreError::Migrations { pending, unknown }) = store.check_migrations().await else { panic!("nothing is migrated yet") };
        assert!(!pending.is_empty() && unknown.is_empty());
        store.migrate().await.unwrap();
        store.migrate().await.unwrap();
        store.check_migrations().await.unwrap();
        // A newer program was here.
        let mut connection = sqlx::AnyConnection::connect(&database.url).await.unwrap();
        sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) SELECT 9999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1")
            .execute(&mut connection)
            .await
            .unwrap();
        let Err(StoreError::Migrations { pending, unknown }) = store.check_migrations().await else { panic!("9999 is unknown") };
        assert_eq!((pending, unknown), (vec![], vec![9999]));
    })
    .await;
    let embedded =
        Migrator::new(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite"))).await.unwrap();
    assert!(embedded.iter().count() >= 1);
}

/// Rule 7: whoever reaches the database with our own account cannot rewrite what happened.
#[tokio::test(flavor = "multi_thread")]
async fn what_happened_cannot_be_changed() {
    on_both("append_only", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let request = licence("许准〔2026〕1号", NOW - Duration::days(3));
        yinxin::issue::issue(&bureau.desk, &bureau.chief, request, NOW).await.unwrap();
        let mut connection = sqlx::AnyConnection::connect(&database.url).await.unwrap();
        for (table, column) in [
            ("seal_event", "reason"),
            ("audit_event", "detail"),
            ("licence_version", "holder_name"),
            ("document", "media_type"),
            ("decision", "case_number"),
            ("item_transfer", "document"),
            ("issued_certificate", "serial"),
            ("crl_number", "issuer"),
        ] {
            let update = format!("UPDATE {table} SET {column} = 'x'");
            assert!(sqlx::query(AssertSqlSafe(update)).execute(&mut connection).await.is_err(), "{table}");
            assert!(
                sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(&mut connection).await.is_err(),
                "{table}"
            );
            let rows = sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table} WHERE {column} = 'x'")))
                .fetch_all(&mut connection)
                .await
                .unwrap();
            assert!(rows.is_empty(), "{table}");
        }
    })
    .await;
}

/// A key's end is in the record before its home hears of it, and only the key that was named ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_destroyed_on_record() {
    on_both("destruction", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (store, keyring) = (&bureau.desk.store, &bureau.desk.keyring);
        let public_key = keyring.generate("spare", KeyAlgorithm::EcdsaP256).unwrap();
        let leave =
            store.write_down_destruction("spare", &public_key, "备用密钥不再使用", "admin-1", NOW).await.unwrap();
        let id = leave.id().to_owned();
        let record = store.order(&id).await.unwrap().unwrap();
        assert_eq!((record.kind, record.state), (OrderKind::Destruction, OrderState::Written));
        keyring.destroy(leave).unwrap();
        assert!(!keyring.labels().unwrap().contains(&"spare".to_owned()));
        assert!(store.finish_act(&id, NOW).await.unwrap());
        assert_eq!(store.order(&id).await.unwrap().unwrap().state, OrderState::Sealed);
        let events = store.audit_events(100).await.unwrap();
        let mut seen: Vec<_> = events.iter().filter(|e| e.subject == id).map(|e| (&*e.what, &*e.who)).collect();
        seen.sort();
        assert_eq!(seen, [("order.sealed", "service"), ("order.written", "admin-1")]);
    })
    .await;
}

/// Leave that was given before the seal or a grant changed writes nothing down.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_on_stale_facts_is_refused() {
    on_both("stale", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let store = &bureau.desk.store;
        let before = store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap();
        let event = SealEvent {
            kind: SealEventKind::Suspended,
            at: NOW,
            document: "停〔2026〕1号".into(),
            reason: "核查".into(),
            successor: None,
            items: vec![],
        };
        store
            .add_seal_event(&number(BUREAU_SEAL), &event, &person("admin-1"), &person("admin-2"), 0, NOW)
            .await
            .unwrap();
        let after = store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap();
        assert_ne!(before.revision, after.revision);
        let grant = Grant {
            id: "late".into(),
            officer: person("chief"),
            seal: number(BUREAU_SEAL),
            items: GrantedItems::All,
            from: NOW,
            until: NOW + Duration::DAY,
            given_by: "局长".into(),
            document: "授〔2026〕2号".into(),
            revoked_at: None,
        };
        store.add_grant(&grant, &person("admin-1"), &person("admin-2"), NOW).await.unwrap();
        assert_ne!(store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap().revision, after.revision);

        // The leave itself, from the old facts, against the new row.
        let item = store.item(&yinxin::item::ItemCode::parse(ITEM).unwrap()).await.unwrap().unwrap();
        let officers = store.officers().await.unwrap();
        let decision =
            yinxin::decision::Decision::read(decision("许准〔2026〕5号", NOW - Duration::days(3)), |id| {
                officers.iter().find(|o| o.id == *id)
            })
            .unwrap();
        let grants = store.grants(&number(BUREAU_SEAL)).await.unwrap();
        let old = grants.iter().find(|g| g.id == "g-chief").unwrap();
        let allowed =
            yinxin::decision::Allowed::on_decision(decision, &item, &before.seal, &bureau.chief, old, NOW).unwrap();
        let certificate = store.certificates(&number(BUREAU_SEAL)).await.unwrap().pop().unwrap();
        let sealing = yinxin::store::SealUse {
            kind: yinxin::store::OrderKind::Licence,
            once_key: "k",
            request: "r",
            revision: before.revision,
            certificate: &certificate,
            title: "t",
            licence: None,
            media_type: yinxin::store::MediaType::Pdf,
            level: Level::B,
            prepared: b"p",
            hole: 0..1,
            digest: [0; 32],
            content: &[0; 32],
            ceilings: Default::default(),
        };
        let refused = store.write_down(allowed, vec![sealing]).await.unwrap_err();
        assert_eq!(refused.message().id, "store.stale");
        assert!(store.unfinished().await.unwrap().is_empty());
        assert!(store.decision("许准〔2026〕5号").await.unwrap().is_none(), "nothing was written");
    })
    .await;
}
