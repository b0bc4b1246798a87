//! The store: SQLite (default, one file) or PostgreSQL, behind one struct and one SQL text.
//!
//! Both databases are reached through sqlx's `Any` driver: every value here is text, a 64-bit integer or bytes, which
//! is just what that driver carries, and so each statement is written, and tested, once. Times are microseconds UTC.
//!
//! What happened is only ever added (triggers refuse UPDATE and DELETE on those tables). What changes: an order's
//! state (written → sealed | lost), its receipt and its waiting, a snapshot's receipt, a seal's level, an officer's sign-in data, revocation of grants and
//! tokens, the outbox, and the one row that holds the heads of the log and of the audit chain ([`log`]).

mod audit;
mod certificates;
mod copies;
mod destruction;
mod ended;
mod forms;
mod inventory;
mod items;
mod ledger;
mod licences;
mod life;
mod log;
mod order;
mod people;
mod row;
mod seal_files;
mod seals;
mod sign_in;
mod snapshots;
mod stamps;
mod status;
mod unfinished;
mod usage;
mod waiting;
pub mod witness;
mod writing;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::AnyPool;
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{Migrate, Migrator};
use time::OffsetDateTime;

use crate::message::Message;
use crate::refusal::Refusal;
use crate::tlog::LogFault;

pub use audit::{AuditEvent, OutboxEntry};
pub use certificates::{CaCertificate, CaKind, Crl, Revocation};
pub use destruction::Destruction;
pub use forms::DocumentForm;
pub use inventory::{
    EventRow, Inventory, LeafRow, OrderAlone, OrderRow, Sizes, Spoken, Standing, Unsigned, VersionRow,
};
pub use ledger::{LedgerEntry, LedgerFilter};
pub use licences::{Document, FiledLicence, LicencePending, MediaType};
pub use life::{CertificateLife, KeyEnd};
pub use log::{Entered, LogHead, LogIdentity};
pub use order::{Act, Order, OrderKind, OrderRecord, OrderState, SealUse};
pub use people::{ApiToken, Scope};
pub use seal_files::{SealFile, SealMaker};
pub use seals::{FiledSeal, SealCertificate, SealFilter};
pub use sign_in::SignIn;
pub use snapshots::FiledSnapshot;
pub use stamps::{Stamp, StampingCertificate, StampingUnit};
pub use status::{KeptAnswer, ResponderCertificate};
pub use unfinished::{Stage, Unfinished};
pub use usage::{Usage, UseAlarm};
pub use waiting::Waiting;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Where the store is. `url` is `sqlite:PATH` or `postgres://USER@HOST/DATABASE`; the password comes apart.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    pub url: String,
    pub password: Option<SecretString>,
}

/// The open store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    /// One connection: that of the open writing transaction. Whoever waits for the log's head keeps nobody from reading.
    batch: AnyPool,
    /// For single statements. SQLite takes one writer, and more connections would only wait inside the database.
    write: AnyPool,
    read: AnyPool,
    kind: Kind,
    writers: Arc<writing::Writers>,
    /// Where what is written comes from, for the audit trail.
    source: Arc<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A rule said no inside the transaction.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The facts changed between asking and writing, or the same thing is already there. Nothing was written.
    #[error("{0}")]
    Conflict(Message),
    /// The schema is not the one this program knows.
    #[error("{}", self.message())]
    Migrations { pending: Vec<i64>, unknown: Vec<i64> },
    /// A row that does not parse.
    #[error("{}", self.message())]
    Row { table: &'static str, column: &'static str, why: String },
    /// The database itself.
    #[error("{}", self.message())]
    Database(#[from] sqlx::Error),
    /// The connection was lost as the transaction was to end: it may be durable.
    #[error("{}", self.message())]
    Uncertain,
    /// The settings name no database we know.
    #[error("{}", self.message())]
    Url,
    /// What is stored of the log is not the log that was published.
    #[error("{}", self.message())]
    Log(LogFault),
}

impl StoreError {
    /// For people; the database's own words go to the log alone.
    pub fn message(&self) -> Message {
        match self {
            StoreError::Refused(refusal) => refusal.message.clone(),
            StoreError::Conflict(message) => message.clone(),
            StoreError::Migrations { pending, unknown } if unknown.is_empty() => Message::new(
                "store.migrations-pending",
                format!("数据库结构有{}项更新未执行，请先运行 yinxin migrate", pending.len()),
                format!("{} migration(s) are pending; run `yinxin migrate` first", pending.len()),
            ),
            StoreError::Migrations { unknown, .. } => Message::new(
                "store.migrations-unknown",
                format!("数据库结构比本程序新（{unknown:?}），请使用与之相配的版本"),
                format!(
                    "the database has migrations that this program does not know ({unknown:?}); use the version that made them"
                ),
            ),
            StoreError::Row { table, column, .. } => Message::new(
                "store.row",
                format!("数据表 {table} 的 {column} 列有无法识别的内容，请停止写入并运行 yinxin doctor"),
                format!("table {table} holds something unreadable in {column}; stop writing and run `yinxin doctor`"),
            ),
            StoreError::Database(error) => Message::new(
                "store.database",
                format!("数据库操作失败，未写入任何内容，请稍后重试（{}）", brief(error)),
                format!("the database did not do it and nothing was written; try again later ({})", brief(error)),
            ),
            StoreError::Log(fault) => Message::new(
                "store.log",
                format!("库存的公开日志与已公布的不一致（{fault}），未写入任何内容；请停止写入并运行 yinxin fsck"),
                format!(
                    "the stored log is not the one that was published ({fault}); nothing was written; stop writing and run `yinxin fsck`"
                ),
            ),
            StoreError::Uncertain => Message::new(
                "store.uncertain",
                "与数据库的连接在提交时中断，可能已写入也可能未写入；请先查询再重试",
                "the connection to the database was lost as this was being made durable: it may be written or not; look it up before trying again",
            ),
            StoreError::Url => Message::new(
                "store.url",
                "数据库地址应为 sqlite:路径 或 postgres://用户@主机/库名",
                "the store's url reads sqlite:PATH or postgres://USER@HOST/DATABASE",
            ),
        }
    }

    fn conflict(id: &'static str, zh: &str, en: &str) -> Self {
        StoreError::Conflict(Message::new(id, zh, en))
    }
}

/// The kind of trouble without names, values or addresses.
fn brief(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::PoolTimedOut => "no connection in time",
        sqlx::Error::Io(_) => "connection lost",
        sqlx::Error::Database(e) if e.is_unique_violation() => "already there",
        sqlx::Error::Database(e) if e.is_foreign_key_violation() => "refers to something unknown",
        sqlx::Error::Database(_) => "refused by the database",
        _ => "unexpected answer",
    }
}

impl Store {
    /// Opens the database, making the SQLite file where it is missing. Does not look at migrations.
    pub async fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        install_default_drivers();
        if let Some(path) = settings.url.strip_prefix("sqlite:") {
            let url = format!("sqlite:{}?mode=rwc", path.trim_start_matches("//"));
            let write = sqlite_pool(&url, 1).await?;
            Ok(Self::of(write.clone(), write, sqlite_pool(&url, 4).await?, Kind::Sqlite))
        } else if settings.url.starts_with("postgres://") || settings.url.starts_with("postgresql://") {
            let url = with_password(&settings.url, settings.password.as_ref());
            let shared = postgres_pool(&url, 15).await?;
            Ok(Self::of(postgres_pool(&url, 1).await?, shared.clone(), shared, Kind::Postgres))
        } else {
            Err(StoreError::Url)
        }
    }

    fn of(batch: AnyPool, write: AnyPool, read: AnyPool, kind: Kind) -> Self {
        Self { batch, write, read, kind, writers: Arc::default(), source: "service".into() }
    }

    /// Brings the schema up to this program's.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.migrator().run(&self.write).await.map_err(|e| StoreError::Database(sqlx::Error::Migrate(Box::new(e))))?;
        self.write_cards().await
    }

    /// Refuses a schema with pending or unknown migrations.
    pub async fn check_migrations(&self) -> Result<(), StoreError> {
        let known: BTreeSet<i64> = self.migrator().iter().map(|m| m.version).collect();
        let mut connection = self.write.acquire().await?;
        let applied: BTreeSet<i64> = match connection.list_applied_migrations("_sqlx_migrations").await {
            Ok(applied) => applied.into_iter().map(|m| m.version).collect(),
            // A database nobody has migrated yet has no such table.
            Err(_) => BTreeSet::new(),
        };
        let pending: Vec<i64> = known.difference(&applied).copied().collect();
        let unknown: Vec<i64> = applied.difference(&known).copied().collect();
        if pending.is_empty() && unknown.is_empty() { Ok(()) } else { Err(StoreError::Migrations { pending, unknown }) }
    }

    fn migrator(&self) -> &'static Migrator {
        match self.kind {
            Kind::Sqlite => &SQLITE,
            Kind::Postgres => &POSTGRES,
        }
    }

    /// One round trip, for `/readyz` and `doctor`.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.read).await?;
        Ok(())
    }

    /// Closes the pools; what was committed stays.
    pub async fn close(&self) {
        self.batch.close().await;
        self.write.close().await;
        self.read.close().await;
    }

    /// The same store; what is written through it comes from `source`: an address, `cli:USER@HOST`.
    pub fn from_source(&self, source: &str) -> Self {
        Self { source: source.into(), ..self.clone() }
    }
}

async fn sqlite_pool(url: &str, connections: u32) -> Result<AnyPool, StoreError> {
    Ok(AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        // A file does not go away as a server does; to ask before each query would double what a small one costs.
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                for pragma in [
                    "PRAGMA journal_mode = WAL",
                    // A commit that was answered survives a power cut (the promise: nothing is lost).
                    "PRAGMA synchronous = FULL",
                    "PRAGMA foreign_keys = ON",
                    "PRAGMA busy_timeout = 10000",
                ] {
                    sqlx::query(pragma).execute(&mut *connection).await?;
                }
                Ok(())
            })
        })
        .connect(url)
        .await?)
}

async fn postgres_pool(url: &str, connections: u32) -> Result<AnyPool, StoreError> {
    Ok(AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        // One that holds the log's head and is heard of no more must not keep all others from writing for ever.
        .after_connect(|connection, _| {
            Box::pin(async move {
                for setting in ["SET idle_in_transaction_session_timeout = '30s'", "SET lock_timeout = '30s'"] {
                    sqlx::query(setting).execute(&mut *connection).await?;
                }
                Ok(())
            })
        })
        .connect(url)
        .await?)
}

/// `postgres://user@host/db` with the password put in, percent-encoded.
fn with_password(url: &str, password: Option<&SecretString>) -> String {
    let (Some(password), Some((scheme, rest))) = (password, url.split_once("://")) else { return url.to_owned() };
    let Some((user, host)) = rest.split_once('@') else { return url.to_owned() };
    let encoded: String = password.expose_secret().bytes().map(|b| format!("%{b:02X}")).collect();
    format!("{scheme}://{user}:{encoded}@{host}")
}

/// Microseconds since 1970, as stored.
fn micros(at: OffsetDateTime) -> i64 {
    // Years up to 9999 fit many times over.
    i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

/// 128 random bits as 32 hexadecimal digits. Random, so that replicas never meet and nobody counts our cases.
fn fresh_id() -> Result<String, StoreError> {
    Ok(hex::encode(random::<16>()?))
}

/// The one place where the store draws randomness: identifiers, and what keeps a leaf's facts from being guessed.
#[expect(clippy::disallowed_methods, reason = "the one place where the store draws randomness")]
fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| StoreError::Database(sqlx::Error::Io(std::io::Error::other(e.to_string()))))?;
    Ok(bytes)
}

/// An affected-row count that must be one: anything else means that the facts moved under us.
fn exactly_one(done: sqlx::any::AnyQueryResult, otherwise: impl FnOnce() -> StoreError) -> Result<(), StoreError> {
    if done.rows_affected() == 1 { Ok(()) } else { Err(otherwise()) }
}
