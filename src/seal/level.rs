//! How long what a seal signs is to be checkable: the baseline levels of PAdES (EN 319 142-1 §6).

use std::fmt;

use crate::refusal::{Refusal, Rule};

/// A baseline level; each holds all that the one before it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Level {
    /// B-B: the signature alone. Checkable while its certificate runs, or by our own ledger.
    B,
    /// B-T: a time stamp proves when it was made.
    T,
    /// B-LT: all certificates, lists and responses that its check needs are in the file.
    Lt,
    /// B-LTA: a document time stamp over all that; renewed in time, it is checkable for ever.
    Lta,
}

impl Level {
    /// From the lowest to the highest.
    pub const ALL: [Self; 4] = [Self::B, Self::T, Self::Lt, Self::Lta];

    /// Reads `B-B`, `B-T`, `B-LT` or `B-LTA`.
    ///
    /// # Errors
    /// It is none of them.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Self::ALL.into_iter().find(|level| level.as_str() == text).ok_or_else(|| {
            let shown: String = text.chars().take(16).collect();
            Refusal::new(
                Rule::SealLife,
                "seal.level",
                format!("“{shown}”不是签名等级：应为B-B、B-T、B-LT或B-LTA"),
                format!("'{shown}' is not a signature level: B-B, B-T, B-LT or B-LTA is expected"),
            )
        })
    }

    /// As stored, as written in JSON, and as people know it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::B => "B-B",
            Self::T => "B-T",
            Self::Lt => "B-LT",
            Self::Lta => "B-LTA",
        }
    }

    /// What it gives, in Chinese, for pages.
    pub fn zh(self) -> &'static str {
        match self {
            Self::B => "仅签名",
            Self::T => "签名并加盖时间戳",
            Self::Lt => "带时间戳和验证数据，证书到期后仍可验证",
            Self::Lta => "带时间戳、验证数据和文档时间戳，可续期、长期可验证",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Level {
    type Error = Refusal;
    fn try_from(text: String) -> Result<Self, Refusal> {
        Self::parse(&text)
    }
}

impl From<Level> for String {
    fn from(level: Level) -> String {
        level.as_str().to_owned()
    }
}
