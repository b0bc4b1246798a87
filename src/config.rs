//! Settings as written (`yinxin.toml`) → checked settings.
//!
//! One struct a room. An unknown key is an error; every error names the file, the key and what is allowed there, and
//! never repeats a value, so that a secret written in the wrong place is not printed. Secrets are not settings: only
//! the paths of the files that hold them are. The rooms below know nothing of this one; `main.rs` hands them theirs.

mod fault;
mod log;
mod status;
mod upkeep;
mod witness;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;

use crate::ceiling::Ceilings;
use crate::issue::ReportSeal;
use crate::keys::{Mode, Sm2Numbers, TokenSettings};
use crate::limits;
use crate::officer::OfficerId;
use crate::seal::SealNumber;

pub use fault::ConfigError;
use fault::Wrong;
pub use log::Log;
use log::LogWritten;
pub use status::Status;
use status::StatusWritten;
pub use upkeep::Certificates;
use upkeep::{CertificatesWritten, UseWritten};
pub use witness::{WITNESS_FILE, WitnessProcess, load_witness};

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
    /// How often a seal may be used, where its administrators laid nothing down.
    pub ceilings: Ceilings,
    pub certificates: Certificates,
    pub stamp: Stamp,
    pub status: Status,
    /// Who must cosign the log's heads.
    pub log: Log,
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

/// Where time stamps come from, and who gets ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Outside authorities, in the order in which they are asked.
    pub authorities: Vec<StampAuthority>,
    /// Whether our own authority stamps our documents, after those.
    pub own: bool,
    /// The policy of our own, an object identifier.
    pub policy: String,
    /// Tokens for the public in a minute; with 0 the door is closed.
    pub public_a_minute: usize,
}

/// An outside time-stamp authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampAuthority {
    pub url: String,
    /// Directory with its own anchors, PEM or DER.
    pub trust: PathBuf,
    /// The policy that its tokens must name.
    pub policy: Option<String>,
    /// Seconds for one token.
    pub seconds: u64,
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
    let http = http(written.http, mode)?;
    Ok(Settings {
        mode,
        store: store(written.store, beside)?,
        keys: keys(written.keys, mode, written.soft_keys_in_production.as_deref(), beside)?,
        status: status::check(written.status, &http.public_url)?,
        http,
        render: Render {
            templates: beside(&written.render.templates),
            fonts: written.render.fonts.iter().map(|path| beside(path)).collect(),
        },
        verify: Verify { trust: beside(&written.verify.trust), report_seal: report_seal(&written.verify)? },
        ceilings: upkeep::ceilings(&written.r#use)?,
        certificates: Certificates::of(&written.certificates, mode)?,
        stamp: stamp(written.stamp, &written.verify.trust, beside)?,
        log: log::check_log(written.log, (mode, written.soft_keys_in_production.as_deref()), beside)?,
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
    let Pkcs11Written { module, token_label, token_serial, pin_file, workers, deadline_seconds, sm2, token: listed } =
        written.pkcs11;
    let all = TokenWritten { module, token_label, token_serial, pin_file, workers, deadline_seconds, sm2 };
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
    let sm2 = one.sm2.or(all.sm2);
    if sm2.is_some_and(|numbers| !numbers.are_possible()) {
        return Err(Wrong::Value("keys.pkcs11.sm2"));
    }
    let label = one.token_label.or(all.token_label.clone());
    Ok(TokenSettings {
        module: path(one.module, &all.module, "keys.pkcs11.module")?,
        token: label.ok_or(Wrong::Missing("keys.pkcs11.token_label"))?,
        serial: one.token_serial.or(all.token_serial.clone()),
        pin_file: path(one.pin_file, &all.pin_file, "keys.pkcs11.pin_file")?,
        sessions,
        deadline: Duration::from_secs(deadline),
        sm2,
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

fn stamp(written: StampWritten, trust: &Path, beside: impl Fn(&Path) -> PathBuf) -> Result<Stamp, Wrong> {
    let wrong = || Wrong::Value("stamp.authorities");
    if written.authorities.len() > MOST_STAMP_AUTHORITIES {
        return Err(wrong());
    }
    let policy_of = |policy: &str| crate::stamp::encoded(policy).is_some();
    let authorities = written.authorities.into_iter().map(|authority| {
        let StampAuthorityWritten { url, trust: own_trust, policy, seconds } = authority;
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or_else(wrong)?;
        // A password in the address would stand in every log of who is asked.
        let plain = rest.bytes().all(|byte| byte.is_ascii_graphic()) && !rest.contains('@') && !rest.starts_with('/');
        let seconds = seconds.unwrap_or(10);
        if rest.is_empty() || !plain || !(1..=60).contains(&seconds) || !policy.as_deref().is_none_or(policy_of) {
            return Err(wrong());
        }
        Ok(StampAuthority { url, trust: beside(own_trust.as_deref().unwrap_or(trust)), policy, seconds })
    });
    let authorities = authorities.collect::<Result<Vec<_>, _>>()?;
    let policy = written.policy.unwrap_or_else(|| crate::stamping::POLICY.to_owned());
    if !policy_of(&policy) {
        return Err(Wrong::Value("stamp.policy"));
    }
    let own = written.own.unwrap_or(authorities.is_empty());
    let public_a_minute = match usize::try_from(written.public_a_minute) {
        Ok(number) if number <= MOST_STAMPS_A_MINUTE => number,
        _ => return Err(Wrong::Value("stamp.public_a_minute")),
    };
    Ok(Stamp { authorities, own, policy, public_a_minute })
}

/// All may be asked one after the other for one document.
const MOST_STAMP_AUTHORITIES: usize = 8;
/// Each is some rows; this is what one core signs and one disk writes down.
const MOST_STAMPS_A_MINUTE: usize = 60_000;

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
    r#use: UseWritten,
    certificates: CertificatesWritten,
    stamp: StampWritten,
    status: StatusWritten,
    log: LogWritten,
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
    sm2: Option<Sm2Numbers>,
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
    sm2: Option<Sm2Numbers>,
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

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
struct StampWritten {
    authorities: Vec<StampAuthorityWritten>,
    own: Option<bool>,
    policy: Option<String>,
    public_a_minute: u32,
}

impl Default for StampWritten {
    fn default() -> Self {
        Self { authorities: Vec::new(), own: None, policy: None, public_a_minute: 30 }
    }
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
struct StampAuthorityWritten {
    url: String,
    trust: Option<PathBuf>,
    policy: Option<String>,
    seconds: Option<u64>,
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
        "keys.pkcs11.sm2",
        "{ key_type = …, generate = …, sign = …, digest_inside = true 或 false }：厂商自定义编号（0x80000000 起），key_type 可为 3，generate 可为 0x1040",
        "{ key_type = …, generate = …, sign = …, digest_inside = true or false }: the vendor's numbers (from 0x80000000 on), or 3 for key_type, 0x1040 for generate",
    ),
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
    (
        "stamp.authorities",
        "至多8个 [[stamp.authorities]]：url（http:// 或 https:// 地址，不含口令），可另写 trust（目录）、policy（对象标识符）、seconds（1 至 60）",
        "at most 8 [[stamp.authorities]]: url (an http:// or https:// address without a password), and perhaps trust (a directory), policy (an object identifier) and seconds (1 to 60)",
    ),
    ("stamp.own", "true 或 false", "true or false"),
    ("stamp.policy", "对象标识符，如 \"1.2.3\"", "an object identifier, such as \"1.2.3\""),
    ("stamp.public_a_minute", "0 至 60000 的整数", "a whole number from 0 to 60000"),
];

fn allowed(key: &str) -> (&'static str, &'static str) {
    // What stands in a table that may be written several times is told with the table.
    let within = |name: &str| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let mut keys = KEYS.iter().chain(status::KEYS).chain(upkeep::KEYS).chain(witness::KEYS).chain(log::KEYS);
    keys.find(|(name, ..)| within(name)).map_or(("一个小节", "a section"), |(_, zh, en)| (zh, en))
}

#[cfg(test)]
mod tests;
