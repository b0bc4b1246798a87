//! Both databases for every story that needs one: a new SQLite file, and a new database on a real PostgreSQL.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// One of the two databases, empty, and gone when this is dropped (SQLite) or when the server is (PostgreSQL).
pub struct Database {
    /// What `store.url` takes, with a password in it where the server asks for one.
    pub url: String,
    _file: Option<tempfile::TempDir>,
}

impl Database {
    /// A new SQLite file alone, for what does not differ between the two.
    pub fn sqlite(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join(format!("{name}.sqlite")).display());
        Self { url, _file: Some(folder) }
    }
}

/// Runs `story` on SQLite, then on PostgreSQL. `name` says whose database it is.
///
/// PostgreSQL is the server that `scripts/test` starts and names in `YINXIN_TEST_POSTGRES`. Without it the half is
/// left out with a line on the error stream; under CI that is a failure.
pub async fn on_both(name: &str, story: impl AsyncFn(&Database)) {
    eprintln!("{name}: on SQLite");
    story(&Database::sqlite(name)).await;

    let Ok(server) = std::env::var("YINXIN_TEST_POSTGRES") else {
        assert!(std::env::var("CI").is_err(), "YINXIN_TEST_POSTGRES is unset under CI; run scripts/test");
        eprintln!("{name}: LEFT OUT on PostgreSQL: YINXIN_TEST_POSTGRES is unset (scripts/test sets it)");
        return;
    };
    eprintln!("{name}: on PostgreSQL");
    story(&Database { url: new_postgres(&server, name).await, _file: None }).await;
}

/// A database of its own for one test in one process: names never meet, tests run side by side.
async fn new_postgres(server: &str, name: &str) -> String {
    let database = format!("{name}_{}", std::process::id());
    let mut admin = PgConnection::connect(server).await.expect("YINXIN_TEST_POSTGRES answers");
    admin.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {database}"))).await.unwrap();
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {database}"))).await.unwrap();
    let (place, _) = server.rsplit_once('/').expect("postgres://user@host/database");
    format!("{place}/{database}")
}

#[tokio::test]
async fn each_story_gets_two_empty_databases() {
    let seen = std::sync::Mutex::new(Vec::new());
    on_both("harness", async |database: &Database| {
        if database.url.starts_with("sqlite:") {
            let path = database.url.strip_prefix("sqlite:").unwrap();
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
            connection.execute("CREATE TABLE once (n BIGINT)").await.unwrap();
        } else {
            let mut connection = PgConnection::connect(&database.url).await.unwrap();
            connection.execute("CREATE TABLE once (n BIGINT)").await.unwrap();
        }
        seen.lock().unwrap().push(database.url.split(':').next().unwrap().to_owned());
    })
    .await;
    let expected: &[&str] =
        if std::env::var("YINXIN_TEST_POSTGRES").is_ok() { &["sqlite", "postgres"] } else { &["sqlite"] };
    assert_eq!(*seen.lock().unwrap(), expected);
}
