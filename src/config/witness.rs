//! `witness.toml`: the settings of a witness, a process of its own with a file of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;

use super::{ConfigError, Keys, KeysWritten, Mode, Wrong};
use crate::limits;
use crate::tlog::note::{Kind, VerifierKey};
use crate::witness::Office;

/// The file read when `--config` names none.
pub const WITNESS_FILE: &str = "witness.toml";

/// Checked settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessProcess {
    pub mode: Mode,
    pub keys: Keys,
    pub listen: SocketAddr,
    pub office: Office,
}

/// Reads and checks the settings; there are no defaults for who the witness is and whom it follows.
///
/// # Errors
/// The first thing wrong, as a sentence that names file and key.
pub fn load_witness(named: Option<&Path>) -> Result<WitnessProcess, ConfigError> {
    let file = named.unwrap_or(Path::new(WITNESS_FILE));
    let text = std::fs::read_to_string(file)
        .map_err(|source| ConfigError { file: file.into(), what: Wrong::Unreadable(source) })?;
    check(&text, file).map_err(|what| ConfigError { file: file.into(), what })
}

fn check(text: &str, file: &Path) -> Result<WitnessProcess, Wrong> {
    let written: Written = Figment::new().merge(Toml::string(text)).extract().map_err(Wrong::from_figment)?;
    let beside = |path: &Path| file.parent().unwrap_or(Path::new("")).join(path);
    let WitnessWritten { name, key, listen, state, logs } = written.witness;
    let listen = listen.parse().map_err(|_| Wrong::Value("witness.listen"))?;
    VerifierKey::new(&name, Kind::Cosignature, [0; 32]).map_err(|_| Wrong::Value("witness.name"))?;
    let wrong = || Wrong::Value("witness.logs");
    let mut followed: Vec<VerifierKey> = Vec::new();
    for line in logs {
        let log = VerifierKey::read(&line).ok().filter(|log| log.kind() == Kind::Ed25519).ok_or_else(wrong)?;
        if followed.iter().any(|known| known.name() == log.name()) {
            return Err(wrong());
        }
        followed.push(log);
    }
    if followed.is_empty() || followed.len() > limits::WITNESS_LOGS {
        return Err(wrong());
    }
    Ok(WitnessProcess {
        mode: written.mode,
        keys: super::keys(written.keys, written.mode, written.soft_keys_in_production.as_deref(), beside)?,
        listen,
        office: Office { name, key, state: beside(&state), logs: followed },
    })
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
struct Written {
    #[cfg_attr(test, serde(skip_serializing))]
    mode: Mode,
    #[cfg_attr(test, serde(skip_serializing))]
    soft_keys_in_production: Option<String>,
    #[cfg_attr(test, serde(skip_serializing))]
    keys: KeysWritten,
    witness: WitnessWritten,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
struct WitnessWritten {
    name: String,
    key: String,
    listen: String,
    state: PathBuf,
    logs: Vec<String>,
}

impl Default for WitnessWritten {
    fn default() -> Self {
        Self {
            name: String::new(),
            key: "witness".into(),
            listen: "127.0.0.1:8090".into(),
            state: "witness".into(),
            logs: vec![],
        }
    }
}

/// As in [`super::KEYS`].
pub(super) const KEYS: &[(&str, &str, &str)] = &[
    (
        "witness.name",
        "见证的名称，如 \"witness.example/w1\"，不得有空白或加号",
        "the witness's name, such as \"witness.example/w1\", without blanks and plus signs",
    ),
    ("witness.key", "密钥名（文字）", "the key's label, as text"),
    ("witness.listen", "地址:端口，如 \"127.0.0.1:8090\"", "ADDRESS:PORT, such as \"127.0.0.1:8090\""),
    ("witness.state", "目录路径", "the path of a directory"),
    (
        "witness.logs",
        "1 至 64 个日志的公钥行（名称+标识+密钥），名称各不相同",
        "1 to 64 key lines of logs (NAME+ID+KEY) of different names",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<WitnessProcess, Wrong> {
        check(text, Path::new("/etc/yinxin/witness.toml"))
    }

    #[test]
    fn the_sample_in_docs_is_taken_and_shows_every_key() {
        let sample = include_str!("../../docs/witness.sample.toml");
        let process = read(sample).unwrap();
        assert_eq!(process.mode, Mode::Production);
        assert_eq!(process.office.state, Path::new("/etc/yinxin/witness"));
        assert_eq!(process.office.logs.len(), 1);
        let written = serde_json::to_value(Written::default()).unwrap();
        let mut found: Vec<_> =
            written["witness"].as_object().unwrap().keys().map(|key| format!("witness.{key}")).collect();
        let mut listed: Vec<_> = KEYS.iter().map(|(key, ..)| (*key).to_owned()).collect();
        found.sort();
        listed.sort();
        assert_eq!(found, listed);
        for key in listed {
            assert!(sample.contains(key.trim_start_matches("witness.")), "{key}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let log = VerifierKey::new("log.example", Kind::Ed25519, [1; 32]).unwrap().to_string();
        let with = |name: &str, logs: &[&str], more: &str| {
            read(&format!("[witness]\nname = \"{name}\"\nlogs = {logs:?}\n{more}"))
        };
        assert!(with("w", &[&log], "").is_ok());
        let witness = VerifierKey::new("log.example", Kind::Cosignature, [1; 32]).unwrap().to_string();
        let other = VerifierKey::new("log.example", Kind::Ed25519, [2; 32]).unwrap().to_string();
        for (key, outcome) in [
            ("witness.name", with("", &[&log], "")),
            ("witness.name", with("a b", &[&log], "")),
            ("witness.logs", with("w", &[], "")),
            ("witness.logs", with("w", &["nonsense"], "")),
            ("witness.logs", with("w", &[&witness], "")),
            ("witness.logs", with("w", &[&log, &other], "")),
            ("witness.listen", with("w", &[&log], "listen = \"everywhere\"")),
        ] {
            assert!(matches!(&outcome, Err(Wrong::Value(named)) if *named == key), "{key}: {outcome:?}");
        }
        assert!(matches!(with("w", &[&log], "stat = 1"), Err(Wrong::Unknown { .. })));
        let production = format!("mode = \"production\"\n[witness]\nname = \"w\"\nlogs = [{log:?}]");
        assert!(matches!(read(&production), Err(Wrong::SoftInProduction)));
    }
}
