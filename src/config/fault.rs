//! What may be wrong with the settings, in words that never repeat what was written there.

use std::path::PathBuf;

use figment::error::Kind;

use super::{SOFT_KEYS_ACCEPTED, allowed};
use crate::message::Message;

/// What is wrong with the settings, and in which file.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message())]
pub struct ConfigError {
    pub(super) file: PathBuf,
    pub(super) what: Wrong,
}

#[derive(Debug)]
pub(super) enum Wrong {
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
    pub(super) fn from_figment(error: figment::Error) -> Self {
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
