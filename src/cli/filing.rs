//! Who is who: authorities, items, officers, tokens, grants, seals and custody, one by one or from one file.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::rooms::{Rooms, acting, filed_officer, instant, machine_user, read_json, secret};
use super::trouble::Trouble;
use crate::abolition::CustodyEntry;
use crate::administer;
use crate::authority::{Authority, AuthorityKind, Uscc};
use crate::desk::{self, blocking};
use crate::http::hash_password;
use crate::item::{Item, Transfer};
use crate::keys;
use crate::officer::{Care, Grant, Officer, OfficerId, check_two_administrators};
use crate::render::Renderer;
use crate::seal::{Level, Life, Seal, SealEvent, SealEventKind, SealKind, SealNumber};
use crate::store::{ApiToken, Scope, Store};

/// Longest life of a program's token.
const TOKEN_DAYS: i64 = 366;

#[derive(Debug, Subcommand)]
pub(super) enum AuthorityCommand {
    /// 登记一个单位 / file one
    Add {
        /// 统一社会信用代码 / unified social credit code
        uscc: String,
        /// 全称 / full name
        name: String,
        /// government, bureau, department
        #[arg(long, value_parser = word::<AuthorityKind>)]
        kind: AuthorityKind,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ItemCommand {
    /// 登记一个事项及其划转 / one item with its transfers, as JSON
    Add { file: PathBuf },
}

#[derive(Debug, Subcommand)]
pub(super) enum OfficerCommand {
    /// 登记一名人员 / file one, as JSON
    Add {
        file: PathBuf,
        /// 登录密码文件 / file with the password to sign in
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// 设置登录密码 / set the password to sign in
    Password {
        #[arg(value_parser = OfficerId::parse)]
        id: OfficerId,
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// 登记离岗：职责、会话、令牌和授权自该时起终止 / end an officer's post, with sessions, tokens and grants
    Leave {
        #[arg(value_parser = OfficerId::parse)]
        id: OfficerId,
        /// 离岗时间，默认为现在 / when, now by default
        #[arg(long, value_parser = instant)]
        at: Option<OffsetDateTime>,
        /// 办理的印章管理员 / the administrator who files it
        #[arg(long, value_name = "ID", value_parser = OfficerId::parse)]
        by: OfficerId,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// 签发令牌，只显示一次 / make one; it is shown this once
    Make {
        #[arg(long, value_parser = OfficerId::parse)]
        officer: OfficerId,
        /// 用途 / what it is for
        #[arg(long)]
        label: String,
        /// issue, seal, administer, supervise
        #[arg(long = "scope", required = true, value_parser = word::<Scope>)]
        scopes: Vec<Scope>,
        /// 有效天数 / days until it ends
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=TOKEN_DAYS))]
        days: i64,
    },
    /// 收回令牌 / take one back, by its SHA-256
    Revoke {
        id: String,
        #[arg(long, value_parser = OfficerId::parse)]
        officer: OfficerId,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum GrantCommand {
    /// 登记授权书 / file a grant, as JSON
    Add {
        file: PathBuf,
        #[command(flatten)]
        two: TwoOfficers,
    },
    /// 收回授权 / take a grant back
    Revoke {
        id: String,
        #[command(flatten)]
        two: TwoOfficers,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum CustodyCommand {
    /// 登记封存、启封、销毁 / record a step of custody, as JSON
    Add {
        #[arg(value_parser = SealNumber::parse)]
        seal: SealNumber,
        file: PathBuf,
        #[command(flatten)]
        two: TwoOfficers,
    },
}

/// 批量登记 / a whole bureau.
#[derive(Debug, Args)]
pub(super) struct Import {
    file: PathBuf,
    #[command(flatten)]
    two: TwoOfficers,
}

/// Administration of seals takes two people (rule 5).
#[derive(Debug, Args)]
pub(super) struct TwoOfficers {
    /// 办理人 / who does it
    #[arg(long, value_name = "ID", value_parser = OfficerId::parse)]
    pub by: OfficerId,
    /// 复核人 / who confirms it
    #[arg(long, value_name = "ID", value_parser = OfficerId::parse)]
    pub second: OfficerId,
}

impl TwoOfficers {
    /// Both, where the rules let them.
    pub async fn check(
        &self,
        store: &Store,
        command: &str,
        now: OffsetDateTime,
    ) -> Result<(Officer, Officer), Trouble> {
        let by = acting(store, &self.by, command, now).await?;
        let second = acting(store, &self.second, command, now).await?;
        check_two_administrators(&by, &second, now)?;
        Ok((by, second))
    }
}

/// One of our kebab-case words, as clap reads it.
pub(super) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|e| e.to_string())
}

pub(super) async fn authority(rooms: &Rooms, command: AuthorityCommand, now: OffsetDateTime) -> Result<(), Trouble> {
    let AuthorityCommand::Add { uscc, name, kind } = command;
    let authority = Authority { uscc: Uscc::parse(&uscc)?, name, kind };
    rooms.store().await?.add_authority(&authority, &machine_user(), now).await?;
    rooms.say(&format!("已登记：{}", authority.name), "filed", &serde_json::json!({ "uscc": authority.uscc }));
    Ok(())
}

pub(super) async fn item(rooms: &Rooms, command: ItemCommand, now: OffsetDateTime) -> Result<(), Trouble> {
    let ItemCommand::Add { file } = command;
    let item: Item = read_json(&file)?;
    rooms.store().await?.add_item(&item, &machine_user(), now).await?;
    rooms.say(&format!("已登记事项：{}", item.name), "item filed", &serde_json::json!({ "code": item.code }));
    Ok(())
}

pub(super) async fn officer(rooms: &Rooms, command: OfficerCommand, now: OffsetDateTime) -> Result<(), Trouble> {
    let store = rooms.store().await?;
    match command {
        OfficerCommand::Add { file, password_file } => {
            let officer: Officer = read_json(&file)?;
            let password = match password_file {
                Some(file) => password_hash(file).await?,
                None => String::new(),
            };
            store.add_officer(&officer, &password, &machine_user(), now).await?;
            rooms.say(
                &format!("已登记人员：{}", officer.id),
                "officer filed",
                &serde_json::json!({ "id": officer.id }),
            );
        }
        OfficerCommand::Password { id, password_file } => {
            filed_officer(&store, &id).await?;
            let detail = serde_json::json!({});
            store.audit(now, &machine_user(), "officer.password-set", id.as_str(), &detail).await?;
            store.set_password(&id, &password_hash(password_file).await?).await?;
            rooms.say(&format!("已设置密码：{id}"), "password set", &serde_json::json!({ "id": id }));
        }
        OfficerCommand::Leave { id, at, by } => {
            let by = acting(&store, &by, "officer leave", now).await?;
            let at = at.unwrap_or(now);
            administer::retire(&store, &by, &id, at, now).await?;
            rooms.say(
                &format!("已登记离岗：{id}"),
                "the end of the post is filed",
                &serde_json::json!({ "id": id, "at": at.unix_timestamp() }),
            );
        }
    }
    Ok(())
}

/// argon2id in PHC form of the password in a file.
pub(super) async fn password_hash(file: PathBuf) -> Result<String, Trouble> {
    blocking(move || {
        let password = secret(&file)?;
        hash_password(&password).map_err(|e| Trouble::new("cli.password", format!("无法处理密码：{e}"), e.to_string()))
    })
    .await
}

pub(super) async fn token(rooms: &Rooms, command: TokenCommand, now: OffsetDateTime) -> Result<(), Trouble> {
    let store = rooms.store().await?;
    match command {
        TokenCommand::Make { officer, label, scopes, days } => {
            acting(&store, &officer, "token make", now).await?;
            let token = hex::encode([keys::draw()?, keys::draw()?].concat());
            let id = hex::encode(crate::crypto::sha256(token.as_bytes()));
            let scopes = scopes.into_iter().collect();
            let expires_at = now + Duration::days(days);
            store.add_token(&ApiToken { id: id.clone(), officer, label, scopes, expires_at }, now).await?;
            rooms.say(
                &format!("令牌（只显示这一次，请妥善保存）：{token}\n编号（收回时用）：{id}"),
                "the token is shown this once; its SHA-256 takes it back",
                &serde_json::json!({ "token": token, "id": id }),
            );
        }
        TokenCommand::Revoke { id, officer } => {
            acting(&store, &officer, "token revoke", now).await?;
            store.revoke_token(&id, &officer, now).await?;
            rooms.say("令牌已收回", "the token was taken back", &serde_json::json!({ "id": id }));
        }
    }
    Ok(())
}

pub(super) async fn grant(rooms: &Rooms, command: GrantCommand, now: OffsetDateTime) -> Result<(), Trouble> {
    let store = rooms.store().await?;
    match command {
        GrantCommand::Add { file, two } => {
            let grant: Grant = read_json(&file)?;
            let (by, second) = two.check(&store, "grant add", now).await?;
            administer::give(&store, (&by, &second), &grant, now).await?;
            rooms.say(
                &format!("已登记授权：{}", grant.document),
                "grant filed",
                &serde_json::json!({ "id": grant.id }),
            );
        }
        GrantCommand::Revoke { id, two } => {
            let (by, _) = two.check(&store, "grant revoke", now).await?;
            administer::take_back(&store, &by, &id, now).await?;
            rooms.say("授权已收回", "the grant was taken back", &serde_json::json!({ "id": id }));
        }
    }
    Ok(())
}

pub(super) async fn custody(rooms: &Rooms, command: CustodyCommand, now: OffsetDateTime) -> Result<(), Trouble> {
    let CustodyCommand::Add { seal, file, two } = command;
    let entry: CustodyEntry = read_json(&file)?;
    let store = rooms.store().await?;
    let (by, second) = two.check(&store, "custody add", now).await?;
    administer::keep(&store, (&by, &second), &seal, &entry, now).await?;
    rooms.say(&format!("已登记：{seal} {}", entry.container), "custody recorded", &serde_json::json!({ "seal": seal }));
    Ok(())
}

pub(super) async fn import(rooms: &Rooms, import: Import, now: OffsetDateTime) -> Result<(), Trouble> {
    let bureau: Bureau = read_json(&import.file)?;
    let (store, renderer) = (rooms.store().await?, rooms.renderer().await?);
    bureau.load(&store, &renderer, &import.two, "", now).await?;
    let count = serde_json::json!({
        "authorities": bureau.authorities.len(), "items": bureau.items.len(),
        "officers": bureau.officers.len(), "grants": bureau.grants.len(),
    });
    rooms.say("批量登记完成", "loaded", &count);
    Ok(())
}

/// A bureau with its departments, as one file.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Bureau {
    pub authorities: Vec<AuthorityRow>,
    pub officers: Vec<Officer>,
    pub batches: Vec<Batch>,
    pub items: Vec<ItemRow>,
    pub grants: Vec<Grant>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct AuthorityRow {
    #[serde(flatten)]
    pub authority: Authority,
    #[serde(default)]
    pub seal: Option<SealRow>,
}

/// A seal to be filed.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SealRow {
    pub number: SealNumber,
    pub legend: String,
    pub kind: SealKind,
    pub impression: serde_json::Value,
    /// What its documents are promised; the highest where nothing is said.
    #[serde(default = "highest")]
    pub level: Level,
    pub activated: Activated,
}

fn highest() -> Level {
    Level::Lta
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Activated {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    document: String,
}

/// A batch of items that move together.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Batch {
    number: u32,
    name: String,
    to: Uscc,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    document: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ItemRow {
    #[serde(flatten)]
    pub item: Item,
    #[serde(default)]
    batch: Option<u32>,
}

impl Bureau {
    /// Files everything; `password` is every officer's hash, or empty. What is already there is a conflict.
    pub async fn load(
        &self,
        store: &Store,
        renderer: &Renderer,
        two: &TwoOfficers,
        password: &str,
        now: OffsetDateTime,
    ) -> Result<(), Trouble> {
        let steps = self.authorities.len() * 2 + self.officers.len() + self.items.len() + self.grants.len();
        let bar = indicatif::ProgressBar::new(steps as u64);
        let who = &machine_user();
        for row in &self.authorities {
            store.add_authority(&row.authority, who, now).await?;
            bar.inc(1);
        }
        for officer in &self.officers {
            store.add_officer(officer, password, who, now).await?;
            bar.inc(1);
        }
        let (by, second) = two.check(store, "import", now).await?;
        for row in &self.items {
            store.add_item(&self.item(row)?, who, now).await?;
            bar.inc(1);
        }
        for row in &self.authorities {
            if let Some(seal) = &row.seal {
                file_seal(store, renderer, &row.authority, seal, (&by, &second), now).await?;
            }
            bar.inc(1);
        }
        // A founding: whoever may make a seal gives its first grants with it. Those of seals that were there before are the
        // owner's to give.
        let made: Vec<_> = self.authorities.iter().filter_map(|row| Some(&row.seal.as_ref()?.number)).collect();
        for grant in &self.grants {
            if !made.contains(&&grant.seal) {
                administer::whose_seal(store, Care::Use, &grant.seal, &[&by, &second]).await?;
            }
            store.add_grant(grant, &by.id, &second.id, now).await?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn item(&self, row: &ItemRow) -> Result<Item, Trouble> {
        let mut item = row.item.clone();
        if let Some(number) = row.batch {
            let batch = self.batches.iter().find(|batch| batch.number == number);
            let Batch { name, to, at, document, .. } =
                batch.ok_or_else(|| Trouble::unknown("划转批次", "batch", &number))?.clone();
            item.transfers.push(Transfer { to, batch: name, document, at });
        }
        Ok(item)
    }
}

/// Files a seal whose picture can be drawn, activated from the start.
pub(super) async fn file_seal(
    store: &Store,
    renderer: &Renderer,
    owner: &Authority,
    row: &SealRow,
    (by, second): (&Officer, &Officer),
    now: OffsetDateTime,
) -> Result<(), Trouble> {
    desk::impression(renderer, &row.impression)?;
    let activated = SealEvent {
        kind: SealEventKind::Activated,
        at: row.activated.at,
        document: row.activated.document.clone(),
        reason: String::new(),
        successor: None,
        items: vec![],
    };
    let seal = Seal {
        number: row.number.clone(),
        owner: owner.uscc.clone(),
        owner_name: owner.name.clone(),
        legend: row.legend.clone(),
        kind: row.kind,
        life: Life::replay([activated])?,
    };
    Ok(administer::file(store, (by, second), &seal, &row.impression, row.level, now).await?)
}
