//! From settings to open tools, each opened when a command needs it; and how commands read and print.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Clock;
use super::certificates::read_trust;
use super::trouble::Trouble;
use crate::ca::Authority;
use crate::config::{self, Keys, Settings};
use crate::desk::{Desk, Step, blocking};
use crate::fetch::Fetcher;
use crate::keys::{self, HomeSettings, KeySettings, Keyring, Mode, SoftKeysInProduction};
use crate::limits;
use crate::log::{self, Logging};
use crate::officer::{Officer, OfficerId};
use crate::render::{RenderSettings, Renderer};
use crate::seal::SealNumber;
use crate::stamp::accept::Terms;
use crate::stamping::clock::Steady;
use crate::stamping::{Plan, Stamping};
use crate::store::{FiledSeal, Store, StoreSettings};
use crate::tsa::{Authorities, AuthoritySettings};
use crate::verify::Trust;

/// The settings, and how to answer.
#[derive(Debug)]
pub(super) struct Rooms {
    pub settings: Settings,
    json: bool,
}

impl Rooms {
    /// Reads the settings.
    pub fn of(config: Option<&Path>, json: bool) -> Result<Self, Trouble> {
        Ok(Self { settings: config::load(config)?, json })
    }

    /// The database, whatever its schema.
    pub async fn open_store(&self) -> Result<Store, Trouble> {
        let settings = match &self.settings.store {
            config::Store::Sqlite { file } => {
                if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                    std::fs::create_dir_all(folder).map_err(|e| Trouble::file(folder, &e))?;
                }
                StoreSettings { url: format!("sqlite:{}", file.display()), password: None }
            }
            config::Store::Postgres { url, password_file } => {
                StoreSettings { url: url.clone(), password: password_file.as_deref().map(secret).transpose()? }
            }
        };
        Ok(Store::open(&settings).await?.from_source(&command_line()))
    }

    /// The database, with the schema this program knows.
    pub async fn store(&self) -> Result<Store, Trouble> {
        let store = self.open_store().await?;
        store.check_migrations().await?;
        Ok(store)
    }

    /// What verification trusts by the settings: the trust folder, and the witnesses of our own log.
    pub fn trust(&self) -> Result<Trust, Trouble> {
        let mut trust = read_trust(&self.settings.verify.trust)?;
        let witnesses = &self.settings.log.witnesses;
        trust.witnesses.extend(witnesses.each.iter().map(|witness| witness.key.clone()));
        Ok(trust)
    }

    /// The keys. What must be said of them is said aloud each time.
    pub async fn keyring(&self) -> Result<Arc<Keyring>, Trouble> {
        self.open_keyring(self.settings.keys.clone()).await
    }

    /// The home of the log's key, where it is another.
    pub async fn log_keyring(&self) -> Result<Option<Arc<Keyring>>, Trouble> {
        match self.settings.log.keys.clone() {
            Some(keys) => Ok(Some(self.open_keyring(keys).await?)),
            None => Ok(None),
        }
    }

    async fn open_keyring(&self, keys: Keys) -> Result<Arc<Keyring>, Trouble> {
        let settings = key_settings(self.settings.mode, keys);
        let keyring = blocking(move || Keyring::open(&settings)).await?;
        for warning in keyring.warnings() {
            eprintln!("{warning}");
        }
        Ok(Arc::new(keyring))
    }

    /// Templates and fonts.
    pub async fn renderer(&self) -> Result<Arc<Renderer>, Trouble> {
        let config::Render { templates, fonts } = self.settings.render.clone();
        Ok(Arc::new(blocking(move || Renderer::load(&RenderSettings { templates, fonts })).await?))
    }

    /// Everything a flow works with.
    pub async fn desk(&self, clock: Clock) -> Result<Desk, Trouble> {
        let (store, renderer) = (self.store().await?, self.renderer().await?);
        let public_url = self.settings.http.public_url.clone();
        let config::Status { publication, hosts } = self.settings.status.clone();
        let mut desk = Desk::new(store, self.keyring().await?, renderer, public_url, Arc::new(clock), done());
        desk.ceilings = self.settings.ceilings;
        let config::Log { name, key, witnesses, .. } = self.settings.log.clone();
        let plan = log::Plan { name, key, keyring: self.log_keyring().await? };
        let desk = desk.logged_by(Logging::of(plan, witnesses));
        let desk = desk.stamped_by(self.stamping(clock)?);
        Ok(desk.publishing(publication).fetching(Fetcher::new(hosts)))
    }

    /// Where time stamps come from.
    pub fn stamping(&self, clock: Clock) -> Result<Stamping, Trouble> {
        let config::Stamp { authorities, own, policy, .. } = self.settings.stamp.clone();
        let authorities = authorities.into_iter().map(authority).collect::<Result<_, _>>()?;
        let authorities = Authorities::of(authorities);
        let plan = Plan { authorities, own, policy, steady: Some(steady()), database_clock: true };
        Ok(Stamping::of(plan, clock()))
    }

    /// What the certificate authorities work with.
    pub async fn authority(&self) -> Result<Authority, Trouble> {
        let (store, keyring) = (self.store().await?, self.keyring().await?);
        Ok(Authority { store, keyring, publication: self.settings.status.publication.clone(), stamps: None })
    }

    /// Prints the outcome: a sentence for people, or JSON for programs.
    pub fn say(&self, zh: &str, en: &str, json: &serde_json::Value) {
        match self.json {
            true => print(&json.to_string()),
            false => print(&format!("{zh} / {en}")),
        }
    }

    /// Prints an answer that is a table of facts: JSON in one line for programs, over several for people.
    pub fn show(&self, json: &impl serde::Serialize) -> Result<(), Trouble> {
        let text = if self.json { serde_json::to_string(json) } else { serde_json::to_string_pretty(json) };
        print(&text.map_err(|e| Trouble::new("cli.json", e.to_string(), e.to_string()))?);
        Ok(())
    }

    /// Whether programs are reading.
    pub fn json(&self) -> bool {
        self.json
    }
}

/// A line on the output. Nobody listening any more (`| head`) is no error.
pub(super) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub(super) fn key_settings(mode: Mode, keys: Keys) -> KeySettings {
    let home = match keys {
        Keys::Soft { dir, passphrase_file } => HomeSettings::Soft {
            directory: dir,
            passphrase_file,
            // The settings' own check let soft keys into production only with the sentence written out.
            soft_keys_in_production: (mode == Mode::Production)
                .then_some(SoftKeysInProduction::AcceptThatKeysCanBeCopied),
        },
        Keys::Pkcs11(tokens) => HomeSettings::Pkcs11(tokens),
    };
    KeySettings { mode, home }
}

/// An outside time-stamp authority with its own anchors; without any, no token of its could ever be taken.
fn authority(settings: config::StampAuthority) -> Result<AuthoritySettings, Trouble> {
    let config::StampAuthority { url, trust: folder, policy, seconds } = settings;
    let Trust { anchors, intermediates, lists, responses, known, .. } = read_trust(&folder)?;
    if anchors.is_empty() {
        let folder = folder.display();
        return Err(Trouble::new(
            "cli.stamp-trust",
            format!("时间戳机构的信任目录 {folder} 中没有根证书，请放入该机构的根证书"),
            format!("there is no anchor in {folder} for a time-stamp authority; put that authority's root there"),
        ));
    }
    let terms = Terms { anchors, intermediates, lists, responses, policy, known };
    Ok(AuthoritySettings { url, terms, budget: std::time::Duration::from_secs(seconds) })
}

/// A clock that nobody can set: time since the machine started, in which sleep counts (a clock that stands still while
/// the machine sleeps would make the wall clock look as if it was set). Elsewhere than on Linux, since this began.
fn steady() -> Steady {
    let uptime = || {
        let text = std::fs::read_to_string("/proc/uptime").ok()?;
        text.split(' ').next()?.parse::<f64>().ok().map(time::Duration::seconds_f64)
    };
    match uptime() {
        Some(_) => Arc::new(move || uptime().unwrap_or_default()),
        None => {
            let began = std::time::Instant::now();
            Arc::new(move || time::Duration::try_from(began.elapsed()).unwrap_or(time::Duration::MAX))
        }
    }
}

/// Logs each step. In debug builds `YINXIN_STOP_AFTER` names the step after which the thread stands still for ever, so
/// that a test can pull the plug there.
fn done() -> Arc<dyn Fn(Step) + Send + Sync> {
    #[cfg(debug_assertions)]
    let stop_after = std::env::var("YINXIN_STOP_AFTER").ok();
    Arc::new(move |step| {
        let name = match step {
            Step::Written => "written",
            Step::Receipted => "receipted",
            Step::Signed => "signed",
            Step::Stamped => "stamped",
            Step::Evidenced => "evidenced",
            Step::Archived => "archived",
            Step::Checked => "checked",
            Step::Stored => "stored",
        };
        tracing::info!(step = name, "done");
        #[cfg(debug_assertions)]
        if stop_after.as_deref() == Some(name) {
            eprintln!("stopped after {name}");
            loop {
                std::thread::park();
            }
        }
    })
}

// — reading

/// A file to be read by whoever asked.
pub(super) fn open_file(path: &Path) -> Result<File, Trouble> {
    File::open(path).map_err(|e| Trouble::file(path, &e))
}

/// A file of at most `most` bytes.
pub(super) fn read_file(path: &Path, most: usize) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    let file = open_file(path)?;
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|e| Trouble::file(path, &e))?;
    if bytes.len() > most {
        return Err(Trouble::file(path, &format!("超过{most}字节 / over {most} bytes")));
    }
    Ok(bytes)
}

/// A request as JSON.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Trouble> {
    let bytes = read_file(path, limits::REQUEST_FILE_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|e| {
        Trouble::new(
            "cli.request",
            format!("{} 的内容不合要求：{e}", path.display()),
            format!("{} does not read as this request: {e}", path.display()),
        )
    })
}

/// Writes a file for people.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    std::fs::write(path, bytes).map_err(|e| Trouble::file(path, &e))
}

/// A secret from a file of its owner's alone.
pub(super) fn secret(path: &Path) -> Result<SecretString, Trouble> {
    Ok(keys::read_secret(path)?)
}

/// Every regular file of a folder, in order.
pub(super) fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let entries = std::fs::read_dir(folder).map_err(|e| Trouble::file(folder, &e))?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

// — arguments

/// An instant with its offset, as clap reads it.
pub(super) fn instant(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "应为 RFC 3339 时间 / an RFC 3339 time is expected: 2021-01-01T00:00:00+08:00".to_owned())
}

/// Where a command comes from, for the audit trail: `cli:USER@HOST`, as the system sees them and not as the environment says.
fn command_line() -> String {
    use std::os::unix::fs::MetadataExt;

    let id = std::fs::metadata("/proc/self").map_or(0, |about| about.uid()).to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = users.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)? == id).then(|| name.to_owned())
    });
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("cli:{}@{}", user.unwrap_or(id), host.trim())
}

/// The user of this process, as the system sees it: in the trail where a command acts in no officer's name.
pub(super) fn machine_user() -> String {
    use std::os::unix::fs::MetadataExt;

    format!("machine-user-{}", std::fs::metadata("/proc/self").map_or(0, |about| about.uid()))
}

/// The officer in whose name a command acts, in post now. That it came by the command line goes into the audit trail.
pub(super) async fn acting(
    store: &Store,
    id: &OfficerId,
    command: &str,
    now: OffsetDateTime,
) -> Result<Officer, Trouble> {
    let officer = filed_officer(store, id).await?;
    officer.check_in_post(now)?;
    let detail = serde_json::json!({ "machine_user": machine_user() });
    store.audit(now, id.as_str(), "cli.acted", command, &detail).await?;
    Ok(officer)
}

/// An officer who must be there.
pub(super) async fn filed_officer(store: &Store, id: &OfficerId) -> Result<Officer, Trouble> {
    store.officer(id).await?.ok_or_else(|| Trouble::unknown("人员", "officer", id))
}

/// A seal that must be there.
pub(super) async fn filed_seal(store: &Store, number: &SealNumber) -> Result<FiledSeal, Trouble> {
    store.seal(number).await?.ok_or_else(|| Trouble::unknown("印章", "seal", number))
}
