//! Telling a machine of alarms: the report as JSON, to the one address that the command line names.

use std::time::Duration;

use ureq::Agent;

use super::report::Report;
use crate::limits;
use crate::message::Message;

/// An address that takes reports.
#[derive(Debug, Clone)]
pub struct Webhook {
    url: String,
    agent: Agent,
}

/// Why a report did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub enum NotPosted {
    /// Neither https nor this machine itself.
    Address,
    Status(u16),
    Unreachable,
}

impl NotPosted {
    /// What to say about it.
    pub fn message(&self) -> Message {
        let (id, zh, en) = match self {
            Self::Address => (
                "monitor.webhook-address",
                "警报地址须为 https；http 只可用于本机".to_owned(),
                "alarms are posted by https, and by http to this machine alone".to_owned(),
            ),
            Self::Status(status) => (
                "monitor.webhook",
                format!("警报未能送达：对方答复状态 {status}"),
                format!("the alarm was not taken: it answered with status {status}"),
            ),
            Self::Unreachable => (
                "monitor.webhook",
                "警报未能送达：对方未在时限内答复".to_owned(),
                "the alarm was not taken: nothing answered in time".to_owned(),
            ),
        };
        Message::new(id, zh, en)
    }
}

impl Webhook {
    /// # Errors
    /// [`NotPosted::Address`].
    pub fn of(url: &str) -> Result<Self, NotPosted> {
        let uri: ureq::http::Uri = url.parse().map_err(|_| NotPosted::Address)?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let may = match uri.scheme_str() {
            Some("https") => !host.is_empty(),
            Some("http") => here,
            _ => false,
        };
        if !may || url.len() > limits::ADDRESS_BYTES {
            return Err(NotPosted::Address);
        }
        let agent = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(limits::FETCH_SECONDS)))
            .user_agent("yinxin")
            .build()
            .into();
        Ok(Self { url: url.to_owned(), agent })
    }

    /// Posts a report. Blocks.
    ///
    /// # Errors
    /// See [`NotPosted`].
    pub fn post(&self, report: &Report) -> Result<(), NotPosted> {
        let body = serde_json::to_vec(report).map_err(|_| NotPosted::Unreachable)?;
        let sent = self.agent.post(&self.url).content_type("application/json").send(&body[..]);
        match sent.map_err(|_| NotPosted::Unreachable)?.status().as_u16() {
            200..=299 => Ok(()),
            status => Err(NotPosted::Status(status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_go_by_https_or_to_this_machine() {
        for good in ["https://alarm.example/x", "http://127.0.0.1:9/x", "http://[::1]:9/x", "http://localhost/x"] {
            assert!(Webhook::of(good).is_ok(), "{good}");
        }
        for bad in [
            "http://alarm.example/x",
            "ftp://127.0.0.1/",
            "alarm",
            "http://127.0.0.1.example/",
            "http://localhost@evil.example/",
        ] {
            assert_eq!(Webhook::of(bad).err(), Some(NotPosted::Address), "{bad}");
        }
    }
}
