//! `[log]`: the public log's name and key; `[log.witnesses]`: who must cosign its heads before anything is sealed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{Keys, KeysWritten, Mode, Wrong};
use crate::limits;
use crate::tlog::note::{Kind, VerifierKey};
use crate::witnesses::{WitnessSettings, WitnessesSettings};

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub(super) struct LogWritten {
    name: Option<String>,
    key: Option<String>,
    #[cfg_attr(test, serde(skip_serializing))]
    keys: Option<KeysWritten>,
    witnesses: WitnessesWritten,
}

/// The public log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Its name where it has none yet; none: made from the public address.
    pub name: Option<String>,
    /// Label of its key.
    pub key: String,
    /// The key's own home, where it is not the seals': a token that has no Ed25519, or a log kept apart.
    pub keys: Option<Keys>,
    pub witnesses: WitnessesSettings,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub(super) struct WitnessesWritten {
    needed: Option<usize>,
    deadline_seconds: u64,
    witness: Vec<WitnessWritten>,
}

impl Default for WitnessesWritten {
    fn default() -> Self {
        Self { needed: None, deadline_seconds: 10, witness: vec![] }
    }
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
struct WitnessWritten {
    url: String,
    vkey: String,
}

pub(super) fn check_log(
    written: LogWritten,
    (mode, soft_keys): (Mode, Option<&str>),
    beside: impl Fn(&Path) -> PathBuf,
) -> Result<Log, Wrong> {
    // A name is what a verifier key carries (C2SP signed-note).
    let named = |name: &String| VerifierKey::new(name, Kind::Ed25519, [0; 32]).is_ok() && name.len() <= 100;
    if !written.name.as_ref().is_none_or(named) {
        return Err(Wrong::Value("log.name"));
    }
    let key = written.key.unwrap_or_else(|| "log".to_owned());
    let keys = written.keys.map(|keys| super::keys(keys, mode, soft_keys, beside)).transpose()?;
    Ok(Log { name: written.name, key, keys, witnesses: check(written.witnesses, mode)? })
}

fn check(written: WitnessesWritten, mode: Mode) -> Result<WitnessesSettings, Wrong> {
    let wrong = || Wrong::Value("log.witnesses.witness");
    let mut each: Vec<WitnessSettings> = Vec::new();
    for WitnessWritten { url, vkey } in written.witness {
        let rest = match (url.strip_prefix("https://"), mode) {
            (Some(rest), _) => Some(rest),
            (None, Mode::Trial) => url.strip_prefix("http://"),
            (None, Mode::Production) => None,
        };
        let rest = rest.filter(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.ends_with('/'));
        // A password in the address would stand in every log of who is asked.
        rest.filter(|rest| rest.bytes().all(|byte| byte.is_ascii_graphic()) && !rest.contains('@'))
            .ok_or_else(wrong)?;
        let key = VerifierKey::read(&vkey).ok().filter(|key| key.kind() == Kind::Cosignature).ok_or_else(wrong)?;
        // The same witness twice would count as two.
        let known = |one: &WitnessSettings| one.key.public_key() == key.public_key() || one.key.name() == key.name();
        if each.len() == limits::WITNESSES || each.iter().any(known) {
            return Err(wrong());
        }
        each.push(WitnessSettings { url, key });
    }
    // All of them, unless the settings say otherwise: who lists a witness means it.
    let needed = written.needed.unwrap_or(each.len());
    if needed > each.len() || (needed == 0 && !each.is_empty()) {
        return Err(Wrong::Value("log.witnesses.needed"));
    }
    if !limits::WITNESS_DEADLINE_SECONDS.contains(&written.deadline_seconds) {
        return Err(Wrong::Value("log.witnesses.deadline_seconds"));
    }
    Ok(WitnessesSettings { each, needed, deadline: Duration::from_secs(written.deadline_seconds) })
}

/// As in [`super::KEYS`].
pub(super) const KEYS: &[(&str, &str, &str)] = &[
    (
        "log.name",
        "公开日志的名称：至多 100 个字符，无空格和加号，如 seal.example.gov.cn/log",
        "the public log's name: at most 100 characters without spaces and plus signs, as seal.example.gov.cn/log",
    ),
    ("log.key", "密钥名（文字）", "the key's label, as text"),
    (
        "log.witnesses.needed",
        "1 至所列见证个数的整数；未列见证时为 0",
        "a whole number from 1 to the number of witnesses listed, or 0 where none is",
    ),
    ("log.witnesses.deadline_seconds", "1 至 60 的整数（秒）", "a whole number of seconds from 1 to 60"),
    (
        "log.witnesses.witness",
        "至多 16 个 [[log.witnesses.witness]]，名称和密钥各不相同：url（https:// 地址，末尾无斜线，试运行时可用 http://），vkey（yinxin witness init 显示的公钥行）",
        "at most 16 sections [[log.witnesses.witness]] of different names and keys: url (an https:// address without a slash at the end, http:// while in trial) and vkey (the line that `yinxin witness init` shows)",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, kind: Kind, byte: u8) -> String {
        VerifierKey::new(name, kind, [byte; 32]).unwrap().to_string()
    }

    fn of(each: &[(&str, String)], needed: Option<usize>, mode: Mode) -> Result<WitnessesSettings, Wrong> {
        let witness =
            each.iter().map(|(url, vkey)| WitnessWritten { url: (*url).into(), vkey: vkey.clone() }).collect();
        check(WitnessesWritten { needed, witness, ..WitnessesWritten::default() }, mode)
    }

    #[test]
    fn all_that_are_listed_are_needed_unless_said_otherwise() {
        let cosignature = |name, byte| key(name, Kind::Cosignature, byte);
        let two = [("https://a.example", cosignature("a", 1)), ("https://b.example/w", cosignature("b", 2))];
        assert_eq!(of(&[], None, Mode::Production).unwrap().needed, 0);
        assert_eq!(of(&two, None, Mode::Production).unwrap().needed, 2);
        assert_eq!(of(&two, Some(1), Mode::Production).unwrap().needed, 1);
        for needed in [0, 3] {
            assert!(
                matches!(of(&two, Some(needed), Mode::Trial), Err(Wrong::Value("log.witnesses.needed"))),
                "{needed}"
            );
        }
        assert!(of(&[], Some(1), Mode::Trial).is_err());
    }

    #[test]
    fn a_witness_is_one_address_and_one_key() {
        let good = key("a", Kind::Cosignature, 1);
        let taken = |each: &[(&str, String)], mode| of(each, None, mode).is_ok();
        assert!(taken(&[("http://a.example:8090", good.clone())], Mode::Trial));
        assert!(!taken(&[("http://a.example:8090", good.clone())], Mode::Production));
        for url in ["https://", "https:///x", "https://a.example/", "https://u:p@a.example", "ftp://a", "https://a b"] {
            assert!(!taken(&[(url, good.clone())], Mode::Trial), "{url}");
        }
        // A log's key signs other things than a witness's.
        assert!(!taken(&[("https://a.example", key("a", Kind::Ed25519, 1))], Mode::Trial));
        assert!(!taken(&[("https://a.example", good.replace("a+", "b+"))], Mode::Trial));
        for (name, byte) in [("a", 2), ("b", 1)] {
            let twice =
                [("https://a.example", good.clone()), ("https://b.example", key(name, Kind::Cosignature, byte))];
            assert!(!taken(&twice, Mode::Trial), "{name} {byte}");
        }
    }
}
