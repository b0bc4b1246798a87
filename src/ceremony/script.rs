//! The script of a ceremony, as its officers write and read it beforehand.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::crypto::KeyAlgorithm;
use crate::officer::OfficerId;
use crate::pki::issue::Reason;
use crate::seal::SealNumber;

/// Everything that is to be done, and by whom.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What the ceremony is called.
    pub title: String,
    /// The document that orders it.
    pub document: String,
    /// Where it is held.
    #[serde(default)]
    pub place: String,
    /// Two, no more and no fewer.
    #[serde(rename = "officer")]
    pub officers: Vec<Named>,
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// An officer and how they prove who they are: a file with their password, or an open file descriptor to read it from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    pub id: OfficerId,
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    #[serde(default)]
    pub password_fd: Option<u32>,
}

/// One thing to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// A root and its issuing authority; one line on SM2 and one on another algorithm may stand beside each other.
    InitAuthorities {
        organisation: String,
        #[serde(default)]
        algorithm: Algorithm,
    },
    /// The next issuing authority under the same root; it makes whatever is new.
    RekeyIssuing {
        /// As the present one's, where none is given; where there are two lines it says which.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        algorithm: Option<Algorithm>,
    },
    /// The keys of an issuing authority that has ended are destroyed in their home.
    DestroyIssuing { authority: String },
    /// A seal's key and its certificate under our issuing authority.
    MakeSealKey {
        seal: SealNumber,
        #[serde(default)]
        algorithm: Algorithm,
    },
    /// A seal's key, and a request for a certificate of an outside authority on it; the transcript has the request.
    Request {
        seal: SealNumber,
        #[serde(default)]
        algorithm: Algorithm,
    },
    /// The seal as data (GB/T 38540) for its SM2 certificate, by the seal maker's key; the two must not use the seal themselves.
    MakeSes {
        seal: SealNumber,
        #[serde(default)]
        picture: Look,
        /// Its list of holders has the certificate's digest (type 2).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        digests: bool,
        /// V5 (GM/T 0031-2025), with a time stamp.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        v5: bool,
    },
    /// The next key and certificate of a seal; the old key is destroyed once its orders are finished.
    Rekey {
        seal: SealNumber,
        /// The certificate to be followed; the one in use where none is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        serial: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        algorithm: Option<Algorithm>,
        /// From when on the new one is used; now, where none is given.
        #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        from: Option<OffsetDateTime>,
        #[serde(default)]
        keep_old_key: bool,
    },
    /// A certificate of a seal is revoked.
    Revoke {
        seal: SealNumber,
        serial: String,
        reason: Reason,
        /// From when on the key may have been in other hands.
        #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        since: Option<OffsetDateTime>,
        /// How many sealed documents that ends.
        #[serde(default)]
        acknowledged: u64,
    },
    /// A seal's key is destroyed in its home.
    Destroy { seal: SealNumber, key: String },
}

impl Step {
    /// The seal it is about; none for the authorities.
    pub fn seal(&self) -> Option<&SealNumber> {
        match self {
            Step::InitAuthorities { .. } | Step::RekeyIssuing { .. } | Step::DestroyIssuing { .. } => None,
            Step::MakeSealKey { seal, .. }
            | Step::Request { seal, .. }
            | Step::MakeSes { seal, .. }
            | Step::Rekey { seal, .. }
            | Step::Revoke { seal, .. }
            | Step::Destroy { seal, .. } => Some(seal),
        }
    }

    /// What it does, Chinese and English.
    pub fn words(&self) -> (String, String) {
        match self {
            Step::InitAuthorities { organisation, algorithm } => (
                format!("建立根证书和签发证书机构（{organisation}，{}）", algorithm.key().name()),
                format!("make the root and the issuing authority ({organisation}, {})", algorithm.key().name()),
            ),
            Step::RekeyIssuing { .. } => (
                "在原根证书下建立下一个签发证书机构，此后由其签发".into(),
                "make the next issuing authority under the same root; it makes whatever is new".into(),
            ),
            Step::DestroyIssuing { authority } => (
                format!("销毁已到期签发机构{authority}的密钥"),
                format!("destroy the keys of the issuing authority {authority}, which has ended"),
            ),
            Step::MakeSealKey { seal, algorithm } => (
                format!("为印章{seal}生成密钥和证书（{}）", algorithm.key().name()),
                format!("make a key and a certificate for the seal {seal} ({})", algorithm.key().name()),
            ),
            Step::Request { seal, algorithm } => (
                format!("为印章{seal}生成密钥和证书申请（{}）", algorithm.key().name()),
                format!("make a key and a certificate request for the seal {seal} ({})", algorithm.key().name()),
            ),
            Step::MakeSes { seal, v5, .. } => {
                let standard = if *v5 { "GM/T 0031-2025" } else { "GB/T 38540" };
                (
                    format!("制作印章{seal}的电子印章数据（{standard}）"),
                    format!("make the seal {seal} as data ({standard})"),
                )
            }
            Step::Rekey { seal, keep_old_key, .. } => {
                let (zh, en) = if *keep_old_key {
                    ("保留旧密钥", "the old key is kept")
                } else {
                    ("旧密钥办结后销毁", "the old key is destroyed once its orders are finished")
                };
                (format!("为印章{seal}换钥，{zh}"), format!("rekey the seal {seal}; {en}"))
            }
            Step::Revoke { seal, serial, reason, .. } => (
                format!("吊销印章{seal}的证书{serial}，理由：{}", reason_words(*reason).0),
                format!("revoke the certificate {serial} of the seal {seal}: {}", reason_words(*reason).1),
            ),
            Step::Destroy { seal, key } => {
                (format!("销毁印章{seal}的密钥{key}"), format!("destroy the key {key} of the seal {seal}"))
            }
        }
    }
}

/// Why a certificate is revoked, Chinese and English.
pub fn reason_words(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::Unspecified => ("未说明", "unspecified"),
        Reason::KeyCompromise => ("密钥失控", "key compromise"),
        Reason::CaCompromise => ("签发机构密钥失控", "CA compromise"),
        Reason::AffiliationChanged => ("隶属关系变更", "affiliation changed"),
        Reason::Superseded => ("已被替换", "superseded"),
        Reason::CessationOfOperation => ("停止使用", "cessation of operation"),
        Reason::CertificateHold => ("暂停使用", "hold"),
        Reason::PrivilegeWithdrawn => ("撤销授权", "privilege withdrawn"),
        Reason::AaCompromise => ("属性机构密钥失控", "AA compromise"),
    }
}

/// The form of a seal's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Look {
    /// Which every reader shows.
    #[default]
    Png,
    /// A page of OFD.
    Ofd,
}

/// A kind of key, by its name in settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Algorithm {
    #[default]
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    #[serde(rename = "rsa-3072")]
    Rsa3072,
    #[serde(rename = "sm2")]
    Sm2,
}

impl Algorithm {
    pub fn key(self) -> KeyAlgorithm {
        match self {
            Self::EcdsaP256 => KeyAlgorithm::EcdsaP256,
            Self::Rsa2048 => KeyAlgorithm::Rsa2048,
            Self::Rsa3072 => KeyAlgorithm::Rsa3072,
            Self::Sm2 => KeyAlgorithm::Sm2,
        }
    }
}
