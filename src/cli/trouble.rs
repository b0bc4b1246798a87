//! Why a command ended early: one message, whatever room it came from.

use std::path::Path;

use crate::authority::UsccError;
use crate::config::ConfigError;
use crate::desk::FlowError;
use crate::keys::KeyError;
use crate::licence::IdentifierError;
use crate::message::Message;
use crate::monitor::{MemoryFault, MonitorError, NotPosted};
use crate::pki::certificate::CertificateFault;
use crate::refusal::Refusal;
use crate::render::RenderError;
use crate::store::StoreError;
use crate::verify::gather::GatherError;

/// For the error stream.
#[derive(Debug)]
pub(super) struct Trouble(pub Message);

impl Trouble {
    pub fn new(id: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self(Message::new(id, zh, en))
    }

    /// A file that cannot be read or written.
    pub fn file(path: &Path, why: &dyn std::fmt::Display) -> Self {
        let path = path.display();
        Self::new(
            "cli.file",
            format!("无法读写文件 {path}：{why}；请核对路径和权限"),
            format!("cannot read or write {path}: {why}; check the path and its rights"),
        )
    }

    /// What was named is not filed.
    pub fn unknown(what_zh: &str, what_en: &str, name: &dyn std::fmt::Display) -> Self {
        Self::new(
            "cli.unknown",
            format!("没有登记{what_zh} {name}，请核对"),
            format!("there is no {what_en} {name}; check it"),
        )
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        let (rule, Message { id, zh, en }) = (refusal.rule.number(), refusal.message);
        Self(Message {
            id, zh: format!("不予办理（规则{rule}）：{zh}"), en: format!("refused by rule {rule}: {en}")
        })
    }
}

impl From<FlowError> for Trouble {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Refused(refusal) => refusal.into(),
            other => Self(other.message()),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        FlowError::from(error).into()
    }
}

impl From<GatherError> for Trouble {
    fn from(error: GatherError) -> Self {
        match error {
            GatherError::Store(error) => error.into(),
            GatherError::Unread(error) => Self(GatherError::unread(&error)),
        }
    }
}

macro_rules! speaks_for_itself {
    ($($error:ty),*) => {$(
        impl From<$error> for Trouble {
            fn from(error: $error) -> Self {
                Self(error.message())
            }
        }
    )*};
}

speaks_for_itself!(
    KeyError,
    ConfigError,
    RenderError,
    CertificateFault,
    UsccError,
    IdentifierError,
    MonitorError,
    MemoryFault,
    NotPosted
);
