//! What is said to people: an identifier that never changes, the sentence in Chinese, and the same in English.

use std::fmt;
use time::OffsetDateTime;
use time::macros::{format_description, offset};

/// One sentence for a person: what was wrong, where, and what to do next, in both languages.
///
/// Every room's error type has a `message()` that gives one; the doors print it and add nothing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Message {
    /// Stable identifier, `room.what-was-wrong`, e.g. `seal.abolished`.
    pub id: &'static str,
    /// Chinese, shown first.
    pub zh: String,
    /// English, shown beside it.
    pub en: String,
}

impl Message {
    /// A message with this identifier and these two sentences.
    pub fn new(id: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { id, zh: zh.into(), en: en.into() }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {} [{}]", self.zh, self.en, self.id)
    }
}

/// A moment as people here read it: China time, to the second.
pub fn china_time(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    at.to_offset(offset!(+8)).format(format).unwrap_or_default()
}
