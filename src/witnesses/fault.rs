//! Why a witness gave no cosignature that counts.

use time::OffsetDateTime;

use crate::message::{Message, china_time};

/// What was wrong with one witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub enum Fault {
    /// It failed before, is left alone until then, and was not needed.
    Resting(OffsetDateTime),
    Unreachable(String),
    /// It did not answer in time.
    Late,
    /// It refused, or failed, with this status: 404 where it does not follow our log, 403 where it knows another key.
    Status(u16),
    /// 422: it says that the head does not continue the one that it saw.
    Inconsistent,
    /// It saw another tree of this very size.
    OtherRoot,
    /// It has seen a larger head of ours, of so many leaves: a newer one must be shown.
    Ahead(u64),
    /// It has seen so many leaves, which is less than it cosigned: its state was put back, and its word is worth nothing.
    WentBack(u64),
    TooLarge,
    Unreadable,
    /// No line of its key, or one that does not hold.
    Unsigned,
    /// The time it signed is not ours.
    Clock,
    /// We had no proof from the head that it saw; why.
    NoProof(String),
}

impl Fault {
    /// Whether it is a sign that the log shows two faces, or that log or witness were put back to an older state: a person
    /// must look.
    pub fn is_alarming(&self) -> bool {
        matches!(self, Self::Inconsistent | Self::OtherRoot | Self::WentBack(_))
    }

    /// The kind of trouble; addresses and paths stay out of it.
    pub(super) fn of(error: &ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(_) => Self::Late,
            ureq::Error::BodyExceedsLimit(_) => Self::TooLarge,
            ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
                Some(inner) => Self::of(inner),
                None if error.kind() == std::io::ErrorKind::TimedOut => Self::Late,
                // What TLS found wrong comes so.
                None if error.kind() == std::io::ErrorKind::InvalidData => Self::Unreachable(error.to_string()),
                None => Self::Unreachable(error.kind().to_string()),
            },
            ureq::Error::HostNotFound => Self::Unreachable("host not found".into()),
            ureq::Error::Rustls(error) => Self::Unreachable(error.to_string()),
            _ => Self::Unreachable("the connection failed".into()),
        }
    }

    /// What to say about it.
    pub fn message(&self) -> Message {
        let (zh, en) = match self {
            Self::Resting(until) => (
                format!("此前失败，{}后再问", china_time(*until)),
                format!("it failed before and is asked again after {}", china_time(*until)),
            ),
            Self::Unreachable(why) => (format!("无法连接（{why}）"), format!("it cannot be reached ({why})")),
            Self::Late => ("未在限定时间内答复".into(), "it did not answer in time".into()),
            Self::Status(404) => ("它不跟踪本日志，请其运行单位登记本日志的公钥行".into(), "it does not follow this log; have its operator add the log's key line".into()),
            Self::Status(403) => ("它登记的本日志公钥不同，请核对".into(), "it knows this log by another key; compare the key lines".into()),
            Self::Status(status) => (format!("答复状态{status}"), format!("it answered with the status {status}")),
            Self::Inconsistent => ("它认为树头不是已见树头的延续：日志可能被改动或回退，请立即查明".into(), "it says that the head does not continue the one it saw: the log may have been altered or set back; look into it now".into()),
            Self::OtherRoot => ("它见过同样大小而内容不同的树：日志可能被改动或回退，请立即查明".into(), "it has seen another tree of the same size: the log may have been altered or set back; look into it now".into()),
            Self::Ahead(size) => (format!("它已见过更新的树头（{size} 条）"), format!("it has seen a newer head, of {size} leaves")),
            Self::WentBack(size) => (
                format!("它只记得 {size} 条，少于它签过的：其状态已回退，请其运行单位查明"),
                format!("it remembers {size} leaves, which is less than it cosigned: its state was put back; have its operator look into it"),
            ),
            Self::TooLarge => ("答复过大".into(), "its answer is too large".into()),
            Self::Unreadable => ("答复无法识别".into(), "its answer cannot be read".into()),
            Self::Unsigned => ("答复中没有它的有效签名".into(), "its answer has no signature of its own that holds".into()),
            Self::Clock => ("它签署的时间与本机相差过大".into(), "the time it signed is too far from ours".into()),
            Self::NoProof(why) => (format!("无法给出一致性证明（{why}）"), format!("no consistency proof could be made for it ({why})")),
        };
        Message::new("witnesses.fault", zh, en)
    }
}
