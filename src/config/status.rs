//! `[status]`: how our certificates' standing is published, and whom we ask about others'.

use serde::Deserialize;
use time::Duration;

use super::Wrong;
use crate::ca::Publication;

/// Checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub publication: Publication,
    /// Hosts of outside authorities that may be asked, each `name` or `name:port`.
    pub hosts: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub(super) struct StatusWritten {
    url: Option<String>,
    list_days: i64,
    list_hours: i64,
    answer_hours: i64,
    hosts: Vec<String>,
}

impl Default for StatusWritten {
    fn default() -> Self {
        Self { url: None, list_days: 7, list_hours: 24, answer_hours: 24, hosts: vec![] }
    }
}

pub(super) fn check(written: StatusWritten, public_url: &str) -> Result<Status, Wrong> {
    let mut publication = Publication::of(public_url);
    if let Some(url) = written.url {
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        if !host.is_some_and(is_host) {
            return Err(Wrong::Value("status.url"));
        }
        publication.at = Some(url);
    }
    // A list that is made anew only when the old one has ended leaves everybody without one for a while.
    if !(1..=90).contains(&written.list_days) {
        return Err(Wrong::Value("status.list_days"));
    }
    if !(1..=written.list_days * 12).contains(&written.list_hours) {
        return Err(Wrong::Value("status.list_hours"));
    }
    if !(1..=168).contains(&written.answer_hours) {
        return Err(Wrong::Value("status.answer_hours"));
    }
    if !written.hosts.iter().all(|host| is_host(host)) {
        return Err(Wrong::Value("status.hosts"));
    }
    publication.list_life = Duration::days(written.list_days);
    publication.list_every = Duration::hours(written.list_hours);
    publication.answer_life = Duration::hours(written.answer_hours);
    Ok(Status { publication, hosts: written.hosts })
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.:[]".contains(c))
}

/// As in [`super::KEYS`].
pub(super) const KEYS: &[(&str, &str, &str)] = &[
    (
        "status.url",
        "\"http://主机\" 或 \"https://主机\"，末尾无斜线",
        "\"http://HOST\" or \"https://HOST\" without a slash at the end",
    ),
    ("status.list_days", "1 至 90 的整数", "a whole number from 1 to 90"),
    (
        "status.list_hours",
        "1 至 status.list_days 之半（以小时计）的整数",
        "a whole number of hours, from 1 to half of status.list_days",
    ),
    ("status.answer_hours", "1 至 168 的整数", "a whole number from 1 to 168"),
    (
        "status.hosts",
        "主机名的列表，如 \"ca.example\" 或 \"ca.example:8080\"",
        "a list of hosts, such as \"ca.example\" or \"ca.example:8080\"",
    ),
];
