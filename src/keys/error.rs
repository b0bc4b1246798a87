//! What can go wrong with keys, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::pkcs11::TokenFault;
use crate::message::Message;

/// Why a key cannot be had or used.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message())]
pub enum KeyError {
    // — asking for a key
    /// Not a name for a new key.
    Label { label: String },
    /// No such key.
    Unknown { label: String, home: String },
    /// The name is taken; keys are never replaced.
    AlreadyThere { label: String },
    /// Several keys, or several public halves, carry the label.
    Ambiguous { label: String, count: usize },
    /// More keys than [`crate::limits::KEYS`].
    TooMany,
    // — using it
    /// The order names another key.
    OrderForOtherKey { label: String, ordered: String },
    /// The signature made does not verify with the key's public half; nothing was released.
    Unproven { label: String },
    /// The key is not the one in the certificate.
    OtherPublicKey { label: String },
    /// The public half cannot be read, or is of a kind that seals do not use.
    PublicKey { label: String, why: String },
    /// Logs and witnesses sign with Ed25519 alone.
    NotForNotes { label: String },
    /// The key with this label is not the one that the leave to destroy names.
    NotTheOneToDestroy { label: String },
    /// Its home said that the key was destroyed, and still has it.
    StillThere { label: String },
    /// The operating system gives no randomness.
    NoRandomness,
    // — soft keys
    /// Production refuses soft keys.
    SoftInProduction,
    /// RSA keys are not made outside a token.
    SoftRsa,
    /// Not a private key of our kinds.
    PrivateKey { why: String },
    /// A secret's file cannot be used.
    SecretFile { path: PathBuf, why: SecretFileFault },
    /// The file is not a key file, or one of a kind we do not know.
    KeyFile { path: PathBuf, why: String },
    /// The file does not open: wrong passphrase, or changed since it was written. AES-GCM cannot tell which.
    KeyFileLocked { path: PathBuf },
    /// The disk said no.
    Disk { path: PathBuf, why: io::Error },
    // — tokens
    /// Keys from outside are not put into a token.
    ImportIntoToken,
    /// The token was not asked, since it is known to be away, for this reason.
    Away { why: Message },
    /// What the token, or the way to it, says.
    Token(#[from] TokenFault),
}

/// What is wrong with a file that holds a secret.
#[derive(Debug)]
pub enum SecretFileFault {
    /// Not readable, or not a regular file.
    Unreadable(io::Error),
    /// Others than its owner may read or write it; the mode's last nine bits.
    OpenToOthers { mode: u32 },
    /// Empty, too long, or not UTF-8.
    Unfit(&'static str),
}

impl KeyError {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::Label { label } => Message::new(
                "keys.label",
                format!("密钥名“{label}”不可用。请用 1 至 64 个英文字母、数字、点、横线或下划线，以字母或数字开头。"),
                format!(
                    "\"{label}\" cannot name a key. Use 1 to 64 ASCII letters, digits, dots, hyphens or underscores, beginning with a letter or digit."
                ),
            ),
            Self::Unknown { label, home } => Message::new(
                "keys.unknown",
                format!("{home} 中没有名为“{label}”的密钥。请核对印章的密钥名，或先生成密钥。"),
                format!("{home} has no key named \"{label}\". Check the seal's key label, or make the key first."),
            ),
            Self::AlreadyThere { label } => Message::new(
                "keys.already-there",
                format!("名为“{label}”的密钥已存在，密钥从不覆盖。请换一个名字。"),
                format!("A key named \"{label}\" is already there, and keys are never replaced. Choose another name."),
            ),
            Self::Ambiguous { label, count } => Message::new(
                "keys.ambiguous",
                format!("密码设备中有 {count} 个名为“{label}”的密钥，无法确定用哪一个。请给多余的密钥改名或删除。"),
                format!(
                    "The token has {count} keys named \"{label}\", so it is not clear which is meant. Rename or remove the others."
                ),
            ),
            Self::TooMany => Message::new(
                "keys.too-many",
                "密钥数量超过上限。请检查密钥目录或密码设备是否配置正确。",
                "There are more keys than the limit. Check that the settings name the right directory or token.",
            ),
            Self::OrderForOtherKey { label, ordered } => Message::new(
                "keys.order-for-other-key",
                format!("该用印令指定密钥“{ordered}”，不得用“{label}”签署。这是程序错误，请报告。"),
                format!(
                    "The order is for key \"{ordered}\" and may not be carried out by \"{label}\". This is a fault of the program; please report it."
                ),
            ),
            Self::Unproven { label } => Message::new(
                "keys.unproven",
                format!("密钥“{label}”作出的签名未通过自检，已丢弃。请停用该密钥并检查密码设备或密钥文件。"),
                format!(
                    "A signature by key \"{label}\" did not verify and was discarded. Stop using the key and examine the token or key file."
                ),
            ),
            Self::OtherPublicKey { label } => Message::new(
                "keys.not-the-certificates",
                format!("密钥“{label}”与证书中的公钥不符。请核对印章的密钥名与证书。"),
                format!(
                    "Key \"{label}\" is not the one in the certificate. Check the seal's key label and its certificate."
                ),
            ),
            Self::PublicKey { label, why } => Message::new(
                "keys.public-key",
                format!(
                    "密钥“{label}”的公钥不能用：{why}。请用 P-256、SM2、RSA-2048、RSA-3072 或（日志、见证）Ed25519 密钥。"
                ),
                format!(
                    "The public half of key \"{label}\" cannot be used: {why}. Use a P-256, SM2, RSA-2048 or RSA-3072 key, or for logs and witnesses Ed25519."
                ),
            ),
            Self::NotForNotes { label } => Message::new(
                "keys.not-for-notes",
                format!("密钥“{label}”不是 Ed25519 密钥，不能用于日志或见证。请用 key generate 另行生成。"),
                format!(
                    "Key \"{label}\" is no Ed25519 key and cannot sign for a log or a witness. Make one with key generate."
                ),
            ),
            Self::NotTheOneToDestroy { label } => Message::new(
                "keys.not-the-one-to-destroy",
                format!("密钥“{label}”的公钥与销毁令所载不符，未销毁。请核对密钥名。"),
                format!(
                    "Key \"{label}\" has another public half than the one to be destroyed, and was left alone. Check the label."
                ),
            ),
            Self::StillThere { label } => Message::new(
                "keys.still-there",
                format!("已下令销毁密钥“{label}”，但它仍在原处。请用厂商工具检查并重新销毁。"),
                format!(
                    "Key \"{label}\" was to be destroyed and is still there. Examine its home with the vendor's tool and destroy it again."
                ),
            ),
            Self::NoRandomness => Message::new(
                "keys.no-randomness",
                "操作系统未提供随机数。请检查系统后重试。",
                "The operating system gives no randomness. Examine the system and try again.",
            ),
            Self::SoftInProduction => Message::new(
                "keys.soft-refused",
                "正式环境不接受文件密钥。请改用密码机（[keys] home = \"pkcs11\"）；若确要承担密钥被复制的风险，请写明 soft_keys_in_production = \"i-accept-that-keys-can-be-copied\"。",
                "Production does not take key files. Use a token ([keys] home = \"pkcs11\"); if you do accept the risk, write soft_keys_in_production = \"i-accept-that-keys-can-be-copied\".",
            ),
            Self::SoftRsa => Message::new(
                "keys.soft-rsa",
                "文件密钥库不能生成 RSA 密钥。请用 ecdsa-p256 或 sm2，或导入已有的 PKCS#8 私钥，或在密码机中生成。",
                "Key files cannot make RSA keys. Use ecdsa-p256 or sm2, import a PKCS#8 key made elsewhere, or make it in a token.",
            ),
            Self::PrivateKey { why } => Message::new(
                "keys.private-key",
                format!(
                    "无法使用该私钥：{why}。请提供未加密的 PKCS#8 格式的 P-256、SM2、RSA-2048、RSA-3072 或 Ed25519 私钥。"
                ),
                format!(
                    "This private key cannot be used: {why}. Give an unencrypted PKCS#8 key: P-256, SM2, RSA-2048, RSA-3072 or Ed25519."
                ),
            ),
            Self::SecretFile { path, why } => secret_file(path, why),
            Self::KeyFile { path, why } => Message::new(
                "keys.file",
                format!("{} 不是可用的密钥文件：{why}。请从备份恢复。", path.display()),
                format!("{} is not a usable key file: {why}. Restore it from a backup.", path.display()),
            ),
            Self::KeyFileLocked { path } => Message::new(
                "keys.file-locked",
                format!(
                    "无法打开密钥文件 {}：口令不对，或文件已被改动。请核对口令文件，或从备份恢复。",
                    path.display()
                ),
                format!(
                    "The key file {} does not open: wrong passphrase, or it was changed. Check the passphrase file, or restore it from a backup.",
                    path.display()
                ),
            ),
            Self::Disk { path, why } => Message::new(
                "keys.disk",
                format!("读写 {} 失败：{why}。请检查磁盘与权限。", path.display()),
                format!("Reading or writing {} failed: {why}. Check the disk and the permissions.", path.display()),
            ),
            Self::ImportIntoToken => Message::new(
                "keys.import-into-token",
                "不能把外来私钥导入密码机：曾在外部存在的密钥无法保证未被复制。请在密码机中生成。",
                "Private keys are not imported into a token: one that was ever outside may have been copied. Make the key in the token.",
            ),
            Self::Away { why } => why.clone(),
            Self::Token(fault) => fault.message(),
        }
    }
}

fn secret_file(path: &std::path::Path, why: &SecretFileFault) -> Message {
    let path = path.display();
    match why {
        SecretFileFault::Unreadable(why) => Message::new(
            "keys.secret-unreadable",
            format!("无法读取 {path}：{why}。请核对路径与权限。"),
            format!("{path} cannot be read: {why}. Check the path and the permissions."),
        ),
        SecretFileFault::OpenToOthers { mode } => Message::new(
            "keys.secret-open-to-others",
            format!("{path} 的权限是 {mode:03o}，他人可读写。请执行 chmod 600。"),
            format!("{path} has mode {mode:03o}, so others can get at it. Run chmod 600 on it."),
        ),
        SecretFileFault::Unfit(what) => Message::new(
            "keys.secret-unfit",
            format!("{path} 的内容不可用（{what}）。请放入一行文字。"),
            format!("The content of {path} cannot be used ({what}). Put one line of text into it."),
        ),
    }
}
