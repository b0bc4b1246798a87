//! Settings as written (`yinxin.toml`) → checked settings.
//!
//! One struct a room. An unknown key is an error; every error names the file, the key and what is allowed there, and
//! never repeats a value, so that a secret written in the wrong place is not printed. Secrets are not settings: only
//! the paths of the files that hold them are. The rooms below know nothing of this one; `main.rs` hands them theirs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Format, Toml};
use serde::Deserialize;

use crate::keys::Mode;
use crate::message::Message;

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
    /// A token behind PKCS#11, found by its label, and by its serial number where two share a label.
    Pkcs11 { module: PathBuf, token_label: String, token_serial: Option<String>, pin_file: PathBuf, workers: usize },
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
        verify: Verify { trust: beside(&written.verify.trust) },
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
    let token = written.pkcs11;
    let path = |path: Option<PathBuf>, key| path.map(|path| beside(&path)).ok_or(Wrong::Missing(key));
    if !(1..=64).contains(&token.workers) {
        return Err(Wrong::Value("keys.pkcs11.workers"));
    }
    Ok(Keys::Pkcs11 {
        module: path(token.module, "keys.pkcs11.module")?,
        token_label: token.token_label.ok_or(Wrong::Missing("keys.pkcs11.token_label"))?,
        token_serial: token.token_serial,
        pin_file: path(token.pin_file, "keys.pkcs11.pin_file")?,
        workers: token.workers,
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

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
struct Pkcs11Written {
    module: Option<PathBuf>,
    token_label: Option<String>,
    token_serial: Option<String>,
    pin_file: Option<PathBuf>,
    workers: usize,
}

impl Default for Pkcs11Written {
    fn default() -> Self {
        Self { module: None, token_label: None, token_serial: None, pin_file: None, workers: 4 }
    }
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
}

impl Default for VerifyWritten {
    fn default() -> Self {
        Self { trust: "trust".into() }
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
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, ConfigError> {
        let file = Path::new("/etc/yinxin/yinxin.toml");
        check(text, file).map_err(|what| ConfigError { file: file.into(), what })
    }

    /// Identifier and both sentences of the complaint.
    fn complaint(text: &str) -> (&'static str, String) {
        let message = read(text).unwrap_err().message();
        (message.id, format!("{} {}", message.zh, message.en))
    }

    #[test]
    fn nothing_written_is_a_trial_with_defaults() {
        let settings = read("").unwrap();
        assert_eq!(settings.mode, Mode::Trial);
        assert_eq!(settings.store, Store::Sqlite { file: "/etc/yinxin/data/yinxin.sqlite".into() });
        assert_eq!(settings.http.public_url, "http://127.0.0.1:8080");
        assert_eq!(settings.render.fonts, [PathBuf::from("/usr/share/fonts/opentype/noto")]);
    }

    #[test]
    fn the_sample_in_docs_is_taken() {
        let settings = read(include_str!("../docs/yinxin.sample.toml")).unwrap();
        assert_eq!(settings.mode, Mode::Production);
        assert!(matches!(settings.keys, Keys::Pkcs11 { workers: 4, .. }), "{:?}", settings.keys);
        for (key, ..) in KEYS {
            let last = key.rsplit('.').next().unwrap();
            assert!(include_str!("../docs/yinxin.sample.toml").contains(last), "the sample does not show {key}");
        }
    }

    #[test]
    fn every_key_says_what_is_allowed() {
        fn leaves(value: &serde_json::Value, at: String, found: &mut Vec<String>) {
            match value.as_object() {
                Some(inner) => {
                    let dot = if at.is_empty() { "" } else { "." };
                    inner.iter().for_each(|(key, value)| leaves(value, format!("{at}{dot}{key}"), found));
                }
                None => found.push(at),
            }
        }
        let mut found = vec!["mode".to_owned()];
        leaves(&serde_json::to_value(Written::default()).unwrap(), String::new(), &mut found);
        let mut listed: Vec<_> = KEYS.iter().map(|(key, ..)| (*key).to_owned()).collect();
        found.sort();
        listed.sort();
        assert_eq!(found, listed);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it_and_its_neighbours() {
        let (id, text) = complaint("[store]\nurll = \"x\"");
        assert_eq!(id, "config.unknown-key");
        assert!(text.contains("/etc/yinxin/yinxin.toml"), "{text}");
        assert!(text.contains("store.urll") && text.contains("url, password_file"), "{text}");
        assert_eq!(complaint("modes = \"trial\"").0, "config.unknown-key");
        assert_eq!(complaint("[clock]\nnow = 1").0, "config.unknown-key");
    }

    #[test]
    fn a_wrong_value_is_named_and_never_repeated() {
        for (key, text) in [
            ("mode", "mode = \"SECRET7\""),
            ("store.url", "[store]\nurl = \"mysql://SECRET7\""),
            ("store.url", "[store]\nurl = \"postgres://yinxin:SECRET7@db/yinxin\""),
            ("store.url", "[store]\nurl = \"postgres://yinxin@db/yinxin?password=SECRET7\""),
            ("store.url", "[store]\nurl = \"sqlite::memory:\""),
            ("store.url", "[store]\nurl = \"sqlite:a?mode=ro\""),
            ("keys.home", "[keys]\nhome = \"SECRET7\""),
            ("keys.pkcs11.pin_file", "[keys.pkcs11]\npin_file = 7777"),
            ("keys.pkcs11.workers", "[keys]\nhome = \"pkcs11\"\n[keys.pkcs11]\nworkers = 0"),
            ("http.public", "[http]\npublic = \"SECRET7\""),
            ("http.staff", "[http]\nstaff = \"127.0.0.1:8080\""),
            ("http.public_url", "[http]\npublic_url = \"https://a/\""),
            (
                "http.public_url",
                "mode = \"production\"\nsoft_keys_in_production = \"i-accept-that-keys-can-be-copied\"\n[http]\npublic_url = \"http://a\"",
            ),
            ("render.fonts", "[render]\nfonts = \"SECRET7\""),
            ("soft_keys_in_production", "soft_keys_in_production = \"SECRET7\""),
            ("store", "store = \"SECRET7\""),
        ] {
            let (id, said) = complaint(text);
            assert_eq!(id, "config.value-not-allowed", "{text}: {said}");
            assert!(said.contains(key) && said.contains("/etc/yinxin/yinxin.toml"), "{text}: {said}");
            let shown = format!("{said} {:?}", read(text).unwrap_err());
            assert!(!shown.contains("SECRET7") && !shown.contains("7777"), "{text}: {shown}");
        }
    }

    #[test]
    fn broken_toml_tells_the_place_and_not_the_text() {
        let (id, said) = complaint("mode = \"trial\"\npassphrase = SECRET7");
        assert_eq!(id, "config.not-toml");
        assert!(said.contains("line 2") && !said.contains("SECRET7"), "{said}");
    }

    #[test]
    fn production_refuses_soft_keys_unless_told() {
        let with = |rest: &str| format!("mode = \"production\"\n{rest}\n[http]\npublic_url = \"https://seal.example\"");
        assert_eq!(complaint(&with("")).0, "config.soft-keys-in-production");
        let told = read(&with("soft_keys_in_production = \"i-accept-that-keys-can-be-copied\"")).unwrap();
        assert!(matches!(told.keys, Keys::Soft { .. }));
    }

    #[test]
    fn a_token_needs_its_module_label_and_pin_file() {
        let all = ["module = \"/m.so\"", "token_label = \"bureau\"", "pin_file = \"pin\""];
        for left_out in 0..all.len() {
            let kept: Vec<_> = all.iter().enumerate().filter(|(i, _)| *i != left_out).map(|(_, line)| *line).collect();
            let (id, said) = complaint(&format!("[keys]\nhome = \"pkcs11\"\n[keys.pkcs11]\n{}", kept.join("\n")));
            assert_eq!(id, "config.missing-key", "{said}");
            assert!(said.contains(all[left_out].split(' ').next().unwrap()), "{said}");
        }
        let whole = read(&format!("[keys]\nhome = \"pkcs11\"\n[keys.pkcs11]\n{}", all.join("\n"))).unwrap();
        assert_eq!(
            whole.keys,
            Keys::Pkcs11 {
                module: "/m.so".into(),
                token_label: "bureau".into(),
                token_serial: None,
                pin_file: "/etc/yinxin/pin".into(),
                workers: 4
            }
        );
    }

    #[test]
    fn a_named_file_must_be_there_and_an_unnamed_one_need_not() {
        let error = load(Some(Path::new("/nowhere/yinxin.toml"))).unwrap_err();
        assert_eq!(error.message().id, "config.unreadable");
        assert!(error.to_string().contains("/nowhere/yinxin.toml"), "{error}");
    }
}
