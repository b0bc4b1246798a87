//! What can go wrong between us and a token.

use std::path::PathBuf;

use cryptoki::error::{Error, RvError};

use crate::crypto::KeyAlgorithm;
use crate::limits;
use crate::message::Message;

/// Why a token cannot be reached or does not do as asked. Tokens are called `label` or `label (serial)`.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message())]
pub enum TokenFault {
    /// The PKCS#11 library cannot be loaded or started.
    Module { path: PathBuf, why: String },
    /// No such token.
    Missing { wanted: String, present: Vec<String> },
    /// Several tokens fit.
    Ambiguous { wanted: String, serials: Vec<String> },
    /// Sessions outside 1 to [`limits::TOKEN_SESSIONS`].
    Sessions { asked: usize },
    /// The token refused the PIN; it is not tried again before there is a reason to.
    PinWrong { token: String },
    /// One more wrong try would lock the PIN, so it is not tried at all.
    PinLastTry { token: String },
    /// The PIN is locked.
    PinLocked { token: String },
    /// The token holds the private key but not its public half.
    PublicHalfMissing { label: String },
    /// A key that the token just made could leave it; it was destroyed again.
    KeyCopyable { label: String },
    /// The token cannot make this kind of key.
    Cannot { algorithm: KeyAlgorithm, why: String },
    /// No place in the queue, or no session free in time; nothing was done.
    Busy,
    /// No answer in time; whether it was done is not known.
    Late,
    /// So many calls have not returned that no more are made.
    Hung { hanging: usize },
    /// Somebody else in this process finalised the library; its handles are void.
    Finalised,
    /// Any other answer.
    Failed { doing: &'static str, why: String },
}

impl TokenFault {
    /// For `map_err`: what we were doing when the module said no.
    pub(super) fn while_doing(doing: &'static str) -> impl FnOnce(Error) -> Self {
        move |why| match why {
            Error::Pkcs11(RvError::CryptokiNotInitialized, _) => Self::Finalised,
            why => Self::Failed { doing, why: why.to_string() },
        }
    }

    /// Whether it is the token, or the way to it, that does not work, rather than one key or one request.
    pub(super) fn is_away(&self) -> bool {
        match self {
            Self::Module { .. }
            | Self::Missing { .. }
            | Self::Ambiguous { .. }
            | Self::PinWrong { .. }
            | Self::PinLastTry { .. }
            | Self::PinLocked { .. }
            | Self::Late
            | Self::Hung { .. }
            | Self::Finalised
            | Self::Failed { .. } => true,
            Self::Sessions { .. }
            | Self::PublicHalfMissing { .. }
            | Self::KeyCopyable { .. }
            | Self::Cannot { .. }
            | Self::Busy => false,
        }
    }

    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::Module { path, why } => Message::new(
                "keys.module",
                format!("无法加载 PKCS#11 模块 {}：{why}。请核对 module 设置，并确认厂商软件已安装。", path.display()),
                format!(
                    "The PKCS#11 module {} cannot be loaded: {why}. Check the `module` setting and that the vendor's software is installed.",
                    path.display()
                ),
            ),
            Self::Missing { wanted, present } => Message::new(
                "keys.token-missing",
                format!(
                    "找不到密码设备 {wanted}。现有：{}。请核对 token 与 serial 设置，或接好设备。",
                    listed(present, "无")
                ),
                format!(
                    "Token {wanted} is not there. Present: {}. Check the `token` and `serial` settings, or connect the device.",
                    listed(present, "none")
                ),
            ),
            Self::Ambiguous { wanted, serials } => Message::new(
                "keys.token-ambiguous",
                format!(
                    "有 {} 个密码设备符合 {wanted}，序列号：{}。请在 serial 设置中写明用哪一个。",
                    serials.len(),
                    serials.join("、")
                ),
                format!(
                    "{} tokens fit {wanted}, with serial numbers {}. Name one in the `serial` setting.",
                    serials.len(),
                    serials.join(", ")
                ),
            ),
            Self::Sessions { asked } => Message::new(
                "keys.sessions",
                format!("sessions 设置为 {asked}，应在 1 至 {} 之间，请改正。", limits::TOKEN_SESSIONS),
                format!("`sessions` is {asked}; set it from 1 to {}.", limits::TOKEN_SESSIONS),
            ),
            Self::PinWrong { token } => Message::new(
                "keys.pin-wrong",
                format!(
                    "密码设备 {token} 不接受 PIN。为免锁死，本程序不再尝试。请改正 PIN 文件（重写该文件即再试一次），无须重启。"
                ),
                format!(
                    "Token {token} refused the PIN. So as not to lock it, it is not tried again. Correct the PIN file; it is tried once more as soon as the file is written, without a restart."
                ),
            ),
            Self::PinLastTry { token } => Message::new(
                "keys.pin-last-try",
                format!(
                    "密码设备 {token} 的 PIN 只剩最后一次机会，本程序不予尝试。请核对 PIN 文件，并用厂商工具成功登录一次。"
                ),
                format!(
                    "Token {token} allows one last try of the PIN, which is not taken. Check the PIN file and log in once with the vendor's tool."
                ),
            ),
            Self::PinLocked { token } => Message::new(
                "keys.pin-locked",
                format!("密码设备 {token} 的 PIN 已锁定。请由设备管理员解锁。"),
                format!("The PIN of token {token} is locked. Have the token's security officer unlock it."),
            ),
            Self::PublicHalfMissing { label } => Message::new(
                "keys.public-half-missing",
                format!("密码设备中有私钥“{label}”，却没有同名公钥对象。请用厂商工具补存公钥。"),
                format!(
                    "The token has the private key \"{label}\" but no public key object of that name. Store the public key with the vendor's tool."
                ),
            ),
            Self::KeyCopyable { label } => Message::new(
                "keys.token-key-copyable",
                format!("密码设备生成的密钥“{label}”可以导出，已销毁。请检查设备的安全策略。"),
                format!(
                    "The key \"{label}\" that the token made could be taken out of it, so it was destroyed. Check the token's policy."
                ),
            ),
            Self::Cannot { algorithm, why } => Message::new(
                "keys.token-cannot",
                format!("密码设备不能生成 {algorithm} 密钥：{why}。请换一种算法，或检查设备。"),
                format!(
                    "The token cannot make an {algorithm} key: {why}. Choose another algorithm, or examine the device."
                ),
            ),
            Self::Busy => Message::new(
                "keys.busy",
                "密码设备繁忙，未办理，请稍后重试。",
                "The token is busy and nothing was done. Try again in a moment.",
            ),
            Self::Late => Message::new(
                "keys.late",
                "密码设备未按时应答。已写下的用印会自动续办；请检查设备与连接。",
                "The token did not answer in time. What was written down is taken up again; examine the device and its connection.",
            ),
            Self::Hung { hanging } => Message::new(
                "keys.hung",
                format!("密码设备的 {hanging} 次调用一直未返回，不再调用。请检查设备，必要时重新启动本服务。"),
                format!(
                    "{hanging} calls into the token have not returned, and no more are made. Examine the device, and restart this service if they do not return."
                ),
            ),
            Self::Finalised => Message::new(
                "keys.library-finalised",
                "PKCS#11 库被本进程中的其他组件关闭，将重新初始化。请稍后重试。",
                "The PKCS#11 library was finalised by another part of this process and is initialised again. Try again in a moment.",
            ),
            Self::Failed { doing, why } => Message::new(
                "keys.token",
                format!("密码设备出错（{doing}）：{why}。请检查设备与连接后重试。"),
                format!("The token failed ({doing}): {why}. Check the device and its connection, then try again."),
            ),
        }
    }
}

fn listed(names: &[String], none: &str) -> String {
    if names.is_empty() { none.to_owned() } else { names.join(", ") }
}
