//! The keys' settings, as written.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// How earnest the whole installation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// 试运行: for trying out. Soft keys are taken, with a warning; so are plain HTTP addresses.
    #[default]
    Trial,
    /// 正式运行: real seals. Soft keys need a telling word, and the public address must be https.
    Production,
}

/// Everything a [`Keyring`](super::Keyring) is opened from.
#[derive(Debug, Clone)]
pub struct KeySettings {
    /// From the top of the settings file.
    pub mode: Mode,
    /// From its `[keys]` table.
    pub home: HomeSettings,
}

/// The `[keys]` table, checked.
#[derive(Debug, Clone)]
pub enum HomeSettings {
    /// `home = "soft"`: encrypted files.
    Soft {
        /// Directory of the `*.key` files; made (0700) with the first key.
        directory: PathBuf,
        /// File with the passphrase, readable by its owner alone.
        passphrase_file: PathBuf,
        /// Must be written out before production takes soft keys.
        soft_keys_in_production: Option<SoftKeysInProduction>,
    },
    /// `home = "pkcs11"`: tokens that stand in for one another, at least one.
    Pkcs11(Vec<TokenSettings>),
}

/// The sentence that accepts soft keys in production; there is only one way to say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoftKeysInProduction {
    AcceptThatKeysCanBeCopied,
}

/// Which token, and how to enter it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// The vendor's PKCS#11 library, e.g. `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// CKA token label (PKCS#11 `CK_TOKEN_INFO.label`, without padding).
    pub token: String,
    /// `CK_TOKEN_INFO.serialNumber`; needed where several tokens carry the label.
    pub serial: Option<String>,
    /// File with the user PIN, readable by its owner alone.
    pub pin_file: PathBuf,
    /// Sessions that sign at the same time, 1 to [`limits::TOKEN_SESSIONS`](crate::limits::TOKEN_SESSIONS).
    pub sessions: usize,
    /// How long a caller waits for an answer; whoever does not answer by then is given up.
    pub deadline: Duration,
    /// How it calls SM2; without these it has none.
    pub sm2: Option<Sm2Numbers>,
}

/// The numbers by which a token's vendor calls SM2, for which PKCS#11 has none. [`Sm2Numbers::are_possible`] says whether they
/// can be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct Sm2Numbers {
    /// CKA_KEY_TYPE of its keys: a vendor's own, or CKK_EC (3).
    pub key_type: u64,
    /// The mechanism that makes a key pair: a vendor's own, or CKM_EC_KEY_PAIR_GEN (0x1040).
    pub generate: u64,
    /// The mechanism that signs: a vendor's own.
    pub sign: u64,
    /// Whether that takes the message, and makes Z of the default identity and the digest by itself; where not, it is given
    /// SM3(Z ‖ message).
    pub digest_inside: bool,
}
