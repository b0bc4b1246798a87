//! Settings as written (`yinxin.toml`) → checked settings.
//!
//! One struct a room. An unknown key is an error; every error names the file, the key and what is allowed there, and
//! never repeats a value, so that a secret written in the wrong place is not printed. Secrets are not settings: only
//! the paths of the files that hold them are. The rooms below know nothing of this one; `main.rs` hands them theirs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Format, Toml};
use serde::Deserialize;

use crate::issue::ReportSeal;
use crate::keys::{Mode, TokenSettings};
use crate::limits;
use crate::message::Message;
use crate::officer::OfficerId;
use crate::seal::SealNumber;

/// The file read when `--config` names none.
pub const DEFAULT_FILE: &str = "yinxin.toml";

/// Checked settings. Paths are complete: what was written relative is relative to the file's own directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub mode: Mode,
    pub store: Store,
    pub keys: Keys,
    pub http: Http,
    pub render: Render,
    pub verify: Verify,
}

/// Where everything is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// One file.
    Sqlite { file: PathBuf },
    /// `postgres://user@host/database`, never with a password in it.
    Postgres { url: String, password_file: Option<PathBuf> },
}

/// Where private keys live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// Encrypted files in a directory. Such keys can be copied by whoever has the files and the passphrase.
    Soft { dir: PathBuf, passphrase_file: PathBuf },
    /// Tokens behind PKCS#11 that stand in for one another, at least one.
    Pkcs11(Vec<TokenSettings>),
}

/// The two listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Verification, register, status: for anyone.
    pub public: SocketAddr,
    /// Issuing and administration: for officers.
    pub staff: SocketAddr,
    /// How the public reaches the public listener; printed into QR codes. No slash at the end.
    pub public_url: String,
}

/// What documents are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Render {
    pub templates: PathBuf,
    /// Directories and files of fonts; nothing else is searched.
    pub fonts: Vec<PathBuf>,
}

/// What verification trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verify {
    /// Directory of trust anchors, PEM or DER.
    pub trust: PathBuf,
    /// What reports of verification are sealed with; none where they are not.
    pub report_seal: Option<ReportSeal>,
}

/// Reads and checks the settings; with no file named and none in the working directory, the defaults.
///
/// # Errors
/// The first thing wrong, as a sentence that names file and key.
pub fn load(named: Option<&Path>) -> Result<Settings, ConfigError> {
    let file = named.unwrap_or(Path::new(DEFAULT_FILE));
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if named.is_none() && e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(ConfigError { file: file.into(), what: Wrong::Unreadable(source) }),
    };
    check(&text, file).map_err(|what| ConfigError { file: file.into(), what })
}

fn check(text: &str, file: &Path) -> Result<Settings, Wrong> {
    let written: Written = Figment::new().merge(Toml::string(text)).extract().map_err(Wrong::from_figment)?;
    let beside = |path: &Path| file.parent().unwrap_or(Path::new("")).join(path);
    let mode = written.mode;
    Ok(Settings {
        mode,
        store: store(written.store, beside)?,
        keys: keys(written.keys, mode, written.soft_keys_in_production.as_deref(), beside)?,
        http: http(written.http, mode)?,
        render: Render {
            templates: beside(&written.render.templates),
            fonts: written.render.fonts.iter().map(|path| beside(path)).collect(),
        },
        verify: Verify { trust: beside(&written.verify.trust), report_seal: report_seal(&written.verify)? },
    })
}

fn store(written: StoreWritten, beside: impl Fn(&Path) -> PathBuf) -> Result<Store, Wrong> {
    let not_allowed = || Wrong::Value("store.url");
    if let Some(path) = written.url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        // Memory would lose what must never be lost; `?` begins options that would undo the store's own.
        if path.is_empty() || path.contains(":memory:") || path.contains('?') {
            return Err(not_allowed());
        }
        return Ok(Store::Sqlite { file: beside(Path::new(path)) });
    }
    let rest = written.url.strip_prefix("postgres://").ok_or_else(not_allowed)?;
    let (user, place) = rest.split_once('@').ok_or_else(not_allowed)?;
    let (host, database) = place.split_once('/').ok_or_else(not_allowed)?;
    if user.is_empty() || user.contains(':') || host.is_empty() || database.is_empty() || place.contains("password=") {
        return Err(not_allowed());
    }
    Ok(Store::Postgres { url: written.url, password_file: written.password_file.as_deref().map(beside) })
}

/// The word that takes soft keys into production; long, so that nobody writes it without reading it.
const SOFT_KEYS_ACCEPTED: &str = "i-accept-that-keys-can-be-copied";

fn keys(
    written: KeysWritten,
    mode: Mode,
    accepted: Option<&str>,
    beside: impl Fn(&Path) -> PathBuf,
) -> Result<Keys, Wrong> {
    let accepted = match accepted {
        None => false,
        Some(SOFT_KEYS_ACCEPTED) => true,
        Some(_) => return Err(Wrong::Value("soft_keys_in_production")),
    };
    if written.home == Home::Soft {
        if mode == Mode::Production && !accepted {
            return Err(Wrong::SoftInProduction);
        }
        return Ok(Keys::Soft { dir: beside(&written.dir), passphrase_file: beside(&written.passphrase_file) });
    }
    let Pkcs11Written { module, token_label, token_serial, pin_file, workers, deadline_seconds, token: listed } =
        written.pkcs11;
    let all = TokenWritten { module, token_label, token_serial, pin_file, workers, deadline_seconds };
    if listed.len() > limits::TOKENS {
        return Err(Wrong::Value("keys.pkcs11.token"));
    }
    let listed = if listed.is_empty() { vec![TokenWritten::default()] } else { listed };
    Ok(Keys::Pkcs11(listed.into_iter().map(|one| token(one, &all, &beside)).collect::<Result<_, _>>()?))
}

/// One of the tokens; what it does not say itself is said above, for all.
fn token(one: TokenWritten, all: &TokenWritten, beside: impl Fn(&Path) -> PathBuf) -> Result<TokenSettings, Wrong> {
    let path = |one: Option<PathBuf>, all: &Option<PathBuf>, key| {
        one.or(all.clone()).map(|path| beside(&path)).ok_or(Wrong::Missing(key))
    };
    let sessions = one.workers.or(all.workers).unwrap_or(4);
    if !(1..=limits::TOKEN_SESSIONS).contains(&sessions) {
        return Err(Wrong::Value("keys.pkcs11.workers"));
    }
    let deadline = one.deadline_seconds.or(all.deadline_seconds).unwrap_or(10);
    if !limits::TOKEN_DEADLINE_SECONDS.contains(&deadline) {
        return Err(Wrong::Value("keys.pkcs11.deadline_seconds"));
    }
    let label = one.token_label.or(all.token_label.clone());
    Ok(TokenSettings {
        module: path(one.module, &all.module, "keys.pkcs11.module")?,
        token: label.ok_or(Wrong::Missing("keys.pkcs11.token_label"))?,
        serial: one.token_serial.or(all.token_serial.clone()),
        pin_file: path(one.pin_file, &all.pin_file, "keys.pkcs11.pin_file")?,
        sessions,
        deadline: Duration::from_secs(deadline),
    })
}

fn http(written: HttpWritten, mode: Mode) -> Result<Http, Wrong> {
    let public: SocketAddr = written.public.parse().map_err(|_| Wrong::Value("http.public"))?;
    let staff: SocketAddr = written.staff.parse().map_err(|_| Wrong::Value("http.staff"))?;
    // Port 0 asks the system for a free one, so two of them never meet.
    if public == staff && staff.port() != 0 {
        return Err(Wrong::Value("http.staff"));
    }
    let public_url = written.public_url.unwrap_or_else(|| format!("http://{public}"));
    let host = match (public_url.strip_prefix("https://"), mode) {
        (Some(host), _) => Some(host),
        (None, Mode::Trial) => public_url.strip_prefix("http://"),
        (None, Mode::Production) => None,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    match host {
        Some(host) if !host.is_empty() && host.chars().all(plain) => Ok(Http { public, staff, public_url }),
        _ => Err(Wrong::Value("http.public_url")),
    }
}

/// A seal and the officer who answers for it: both, or neither.
fn report_seal(written: &VerifyWritten) -> Result<Option<ReportSeal>, Wrong> {
    let (seal, officer) = match (&written.report_seal, &written.report_officer) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(Wrong::Value("verify.report_seal")),
        (Some(_), None) => return Err(Wrong::Value("verify.report_officer")),
        (Some(seal), Some(officer)) => (seal, officer),
    };
    Ok(Some(ReportSeal {
        seal: SealNumber::parse(seal).map_err(|_| Wrong::Value("verify.report_seal"))?,
        officer: OfficerId::parse(officer).map_err(|_| Wrong::Value("verify.report_officer"))?,
    }))
}

// — as written

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
struct Written {
    #[cfg_attr(test, serde(skip_serializing))]
    mode: Mode,
    soft_keys_in_production: Option<String>,
    store: StoreWritten,
    keys: KeysWritten,
    http: HttpWritten,
    render: RenderWritten,
    verify: VerifyWritten,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
struct StoreWritten {
    url: String,
    password_file: Option<PathBuf>,
}

impl Default for StoreWritten {
    fn default() -> Self {
        Self { url: "sqlite:data/yinxin.sqlite".into(), password_file: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "lowercase")]
enum Home {
    #[default]
    Soft,
    Pkcs11,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
struct KeysWritten {
    home: Home,
    dir: PathBuf,
    passphrase_file: PathBuf,
    pkcs11: Pkcs11Written,
}

impl Default for KeysWritten {
    fn default() -> Self {
        Self {
            home: Home::Soft,
            dir: "keys".into(),
            passphrase_file: "keys/passphrase".into(),
            pkcs11: Pkcs11Written::default(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
struct Pkcs11Written {
    module: Option<PathBuf>,
    token_label: Option<String>,
    token_serial: Option<String>,
    pin_file: Option<PathBuf>,
    workers: Option<usize>,
    deadline_seconds: Option<u64>,
    token: Vec<TokenWritten>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
struct TokenWritten {
    module: Option<PathBuf>,
    token_label: Option<String>,
    token_serial: Option<String>,
    pin_file: Option<PathBuf>,
    workers: Option<usize>,
    deadline_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
struct HttpWritten {
    public: String,
    staff: String,
    public_url: Option<String>,
}

impl Default for HttpWritten {
    fn default() -> Self {
        Self { public: "127.0.0.1:8080".into(), staff: "127.0.0.1:8081".into(), public_url: None }
    }
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
struct RenderWritten {
    templates: PathBuf,
    fonts: Vec<PathBuf>,
}

impl Default for RenderWritten {
    fn default() -> Self {
        // Where Debian's fonts-noto-cjk puts them.
        Self { templates: "templates".into(), fonts: vec!["/usr/share/fonts/opentype/noto".into()] }
    }
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
struct VerifyWritten {
    trust: PathBuf,
    report_seal: Option<String>,
    report_officer: Option<String>,
}

impl Default for VerifyWritten {
    fn default() -> Self {
        Self { trust: "trust".into(), report_seal: None, report_officer: None }
    }
}

/// Every key, and what may stand there, in Chinese and English.
const KEYS: &[(&str, &str, &str)] = &[
    ("mode", "\"trial\"（试运行）或 \"production\"（正式运行）", "\"trial\" or \"production\""),
    (
        "soft_keys_in_production",
        "只能是 \"i-accept-that-keys-can-be-copied\"",
        "nothing but \"i-accept-that-keys-can-be-copied\"",
    ),
    (
        "store.url",
        "\"sqlite:文件\" 或 \"postgres://用户@主机/库\"；口令另存文件，用 store.password_file 指明",
        "\"sqlite:FILE\" or \"postgres://USER@HOST/DATABASE\"; a password goes into a file named by store.password_file",
    ),
    ("store.password_file", "文件路径", "the path of a file"),
    ("keys.home", "\"soft\"（文件）或 \"pkcs11\"（密码机）", "\"soft\" (files) or \"pkcs11\" (an HSM)"),
    ("keys.dir", "目录路径", "the path of a directory"),
    ("keys.passphrase_file", "文件路径", "the path of a file"),
    ("keys.pkcs11.module", "PKCS#11 动态库的路径", "the path of the PKCS#11 library"),
    ("keys.pkcs11.token_label", "令牌标签（文字）", "the token's label, as text"),
    ("keys.pkcs11.token_serial", "令牌序列号（文字）", "the token's serial number, as text"),
    ("keys.pkcs11.pin_file", "文件路径", "the path of a file"),
    ("keys.pkcs11.workers", "1 至 64 的整数", "a whole number from 1 to 64"),
    ("keys.pkcs11.deadline_seconds", "1 至 60 的整数（秒）", "a whole number of seconds from 1 to 60"),
    (
        "keys.pkcs11.token",
        "至多 8 个 [[keys.pkcs11.token]] 小节，互为备用；未写明的项沿用 [keys.pkcs11]",
        "at most 8 sections [[keys.pkcs11.token]] that stand in for one another; what one leaves out is taken from [keys.pkcs11]",
    ),
    ("http.public", "地址:端口，如 \"127.0.0.1:8080\"", "ADDRESS:PORT, such as \"127.0.0.1:8080\""),
    (
        "http.staff",
        "地址:端口，且不同于 http.public，如 \"127.0.0.1:8081\"",
        "ADDRESS:PORT other than http.public, such as \"127.0.0.1:8081\"",
    ),
    (
        "http.public_url",
        "\"https://主机\"，末尾无斜线；试运行时可用 http://",
        "\"https://HOST\" without a slash at the end; http:// while in trial",
    ),
    ("render.templates", "目录路径", "the path of a directory"),
    ("render.fonts", "目录或字体文件路径的列表", "a list of paths of directories or font files"),
    ("verify.trust", "目录路径", "the path of a directory"),
    (
        "verify.report_seal",
        "印章编号（公章，不得为审批专用章），与 verify.report_officer 同时写明",
        "a seal's number (a legal-name seal, no approval seal), together with verify.report_officer",
    ),
    (
        "verify.report_officer",
        "人员编号，其授权用于给核验报告盖章，与 verify.report_seal 同时写明",
        "the identifier of the officer under whose grant reports are sealed, together with verify.report_seal",
    ),
];

fn allowed(key: &str) -> (&'static str, &'static str) {
    KEYS.iter().find(|(name, ..)| *name == key).map_or(("一个小节", "a section"), |(_, zh, en)| (zh, en))
}

// — what may be wrong

/// What is wrong with the settings, and in which file.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message())]
pub struct ConfigError {
    file: PathBuf,
    what: Wrong,
}

#[derive(Debug)]
enum Wrong {
    Unreadable(std::io::Error),
    /// Not TOML; where, in the parser's words (`line 3, column 5`), without the text found there.
    Malformed(String),
    Unknown {
        key: String,
        beside: &'static [&'static str],
    },
    Value(&'static str),
    Type(String),
    Missing(&'static str),
    SoftInProduction,
}

impl Wrong {
    /// Keeps the key and the place, and drops every value: figment and toml would quote them.
    fn from_figment(error: figment::Error) -> Self {
        let key = error.path.join(".");
        match error.kind {
            Kind::UnknownField(_, beside) => Self::Unknown { key, beside },
            Kind::Message(text) if key.is_empty() => {
                let place = text.lines().next().unwrap_or_default().trim_start_matches("TOML parse error at ");
                Self::Malformed(place.into())
            }
            _ => Self::Type(key),
        }
    }
}

impl ConfigError {
    /// The sentence for the administrator.
    pub fn message(&self) -> Message {
        let file = self.file.display();
        let value = |key: &str| {
            let (zh, en) = allowed(key);
            Message::new(
                "config.value-not-allowed",
                format!("{file}：设置项 {key} 的值不允许；允许：{zh}"),
                format!("{file}: the value of {key} is not allowed; allowed is {en}"),
            )
        };
        match &self.what {
            Wrong::Unreadable(source) => Message::new(
                "config.unreadable",
                format!("设置文件 {file} 无法读取（{source}）；请检查 --config 的路径和权限"),
                format!(
                    "the settings file {file} cannot be read ({source}); check the path after --config and its rights"
                ),
            ),
            Wrong::Malformed(place) => Message::new(
                "config.not-toml",
                format!("{file}：不是有效的 TOML（{place}）；请改正该处"),
                format!("{file}: not valid TOML ({place}); mend that place"),
            ),
            Wrong::Unknown { key, beside } => Message::new(
                "config.unknown-key",
                format!("{file}：没有设置项 {key}；此处允许：{}", beside.join("、")),
                format!("{file}: there is no setting {key}; allowed here are {}", beside.join(", ")),
            ),
            Wrong::Value(key) => value(key),
            Wrong::Type(key) => value(key),
            Wrong::Missing(key) => {
                let (zh, en) = allowed(key);
                Message::new(
                    "config.missing-key",
                    format!("{file}:keys.home = \"pkcs11\" 时必须写明 {key}:{zh}"),
                    format!("{file}: with keys.home = \"pkcs11\", {key} must be given: {en}"),
                )
            }
            Wrong::SoftInProduction => Message::new(
                "config.soft-keys-in-production",
                format!(
                    "{file}：mode = \"production\" 时不得使用软密钥（keys.home = \"soft\"），因为文件密钥可被复制；\
                     请改用密码机（\"pkcs11\"），或写明 soft_keys_in_production = \"{SOFT_KEYS_ACCEPTED}\""
                ),
                format!(
                    "{file}: mode = \"production\" refuses keys.home = \"soft\", because keys in files can be copied; \
                     use an HSM (\"pkcs11\"), or write soft_keys_in_production = \"{SOFT_KEYS_ACCEPTED}\""
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests;
