//! A certificate that an outside authority made for a key of ours: taken only where it fits.

use time::OffsetDateTime;

use super::certificate::Certificate;
use super::evidence::RevocationEvidence;
use super::issue::{IssueFault, certified};
use super::known::Known;
use super::path::{PathVerdict, judge_path};
use crate::message::Message;

/// Why a certificate from an outside authority cannot be installed for a key of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallFault {
    /// None of the certificates is on this key.
    #[error("{}", self.message())]
    OtherKey,
    /// It may not sign documents, or is an authority's.
    #[error("{}", self.message())]
    Usage,
    /// A key of a log or a witness, which no certificate makes a seal's.
    #[error("{}", self.message())]
    LogKey,
    /// Its chain does not hold.
    #[error("{}", self.message())]
    Path(Box<PathVerdict>),
}

impl InstallFault {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::OtherKey => Message::new(
                "pki.install-other-key",
                "所给证书都不属于该印章的密钥。请用 seal csr 生成的请求向 CA 申请，再安装所得证书。",
                "None of these certificates is on this seal's key. Request one with the output of seal csr, and install that.",
            ),
            Self::Usage => Message::new(
                "pki.install-usage",
                "该证书不能用于签署文件（密钥用途不含数字签名或不可否认，或为 CA 证书）。请重新申请签章证书。",
                "This certificate may not sign documents (no digitalSignature or nonRepudiation, or it is an authority's). Request a sealing certificate.",
            ),
            Self::LogKey => IssueFault::LogKey.message(),
            Self::Path(verdict) => verdict.message(),
        }
    }
}

/// Checks what an outside authority sent for the key `public_key` (DER SubjectPublicKeyInfo), in any order.
///
/// Gives the chain from the seal's certificate to the anchor. That a fresh certificate has no revocation evidence yet is
/// accepted here; every verification asks again.
///
/// # Errors
/// See [`InstallFault`].
pub fn check_installable(
    certificates: &[Certificate],
    public_key: &[u8],
    anchors: &[Certificate],
    at: OffsetDateTime,
) -> Result<Vec<Certificate>, InstallFault> {
    let own = certificates.iter().find(|certificate| certificate.public_key == public_key);
    let own = own.ok_or(InstallFault::OtherKey)?;
    if certified(public_key) == Err(IssueFault::LogKey) {
        return Err(InstallFault::LogKey);
    }
    if own.is_ca || !own.may_sign_documents() {
        return Err(InstallFault::Usage);
    }
    let candidates: Vec<&Certificate> = certificates.iter().collect();
    match judge_path(own, &candidates, anchors, &RevocationEvidence::default(), &Known::default(), at) {
        PathVerdict::Trusted { chain, .. } | PathVerdict::RevocationUnknown { chain, .. } => Ok(chain),
        verdict => Err(InstallFault::Path(Box::new(verdict))),
    }
}
