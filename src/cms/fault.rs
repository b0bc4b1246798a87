//! What can be wrong with a signature, part by part, and what to say about it.

use const_oid::ObjectIdentifier;

use crate::crypto::{Digest, SignatureFault};
use crate::message::Message;

/// What is wrong with one part of a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The content was changed after signing, or this signature is of something else.
    #[error("{}", self.message())]
    DigestDiffers,
    /// The digest is equal, but by an algorithm that proves little.
    #[error("{}", self.message())]
    WeakDigest(Digest),
    /// There is no content to compare with.
    #[error("{}", self.message())]
    NoContent,
    /// The digest was not made, as those of the file's other signatures cost too much already.
    #[error("{}", self.message())]
    TooCostly,
    /// A value directly over so much content that it is not checked; the limit.
    #[error("{}", self.message())]
    TooLong(usize),
    /// The digest algorithm is not one that can be computed here.
    #[error("{}", self.message())]
    DigestUnsupported(ObjectIdentifier),
    /// The named signed attribute is missing, doubled or not readable.
    #[error("{}", self.message())]
    Attribute(&'static str),
    /// The algorithms named in several places are not the same.
    #[error("{}", self.message())]
    AlgorithmsDiffer,
    /// The content is itself a set of signed attributes, so the value could have been made over another content.
    #[error("{}", self.message())]
    Ambiguous,
    /// The contentType attribute names another type than the content has.
    #[error("{}", self.message())]
    ContentType,
    /// None of the certificates inside is the signer's.
    #[error("{}", self.message())]
    NoCertificate,
    /// The signature value.
    #[error("{}", self.message())]
    Signature(SignatureFault),
    /// The signed reference names another certificate: someone exchanged it.
    #[error("{}", self.message())]
    OtherCertificate,
    /// The signed reference has the certificate's digest but another issuer or serial number.
    #[error("{}", self.message())]
    OtherIssuer,
    /// There is no signed reference to the certificate, so it could have been exchanged for another with the same key.
    #[error("{}", self.message())]
    NoReference,
}

impl Fault {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::DigestDiffers => Message::new(
                "cms.digest-differs",
                "摘要不符：内容在签名后被改动，或签名不属于该内容。请向发文机关索取原件。",
                "The digest differs: the content was changed after signing, or the signature belongs to something else. Ask the issuer for the original.",
            ),
            Self::WeakDigest(digest) => Message::new(
                "cms.digest-weak",
                format!("摘要相符，但 {} 强度不足，不能作为凭据。", digest.name()),
                format!("The digest is equal, but {} is too weak to prove anything.", digest.name()),
            ),
            Self::AlgorithmsDiffer => Message::new(
                "cms.algorithms-differ",
                "签名各处所称的算法不一致，不同软件可能有不同判断。请向发文机关索取原件。",
                "The algorithms named in the signature's parts differ, so readers may judge it differently. Ask the issuer for the original.",
            ),
            Self::Ambiguous => Message::new(
                "cms.ambiguous",
                "签名直接覆盖的内容本身是一组签名属性，可能是从另一份签名改造而来，不予采信。",
                "What the value is made over is itself a set of signed attributes: it may have been made from another signature, and is not believed.",
            ),
            Self::DigestUnsupported(oid) => Message::new(
                "cms.digest-unsupported",
                format!("无法计算摘要算法 {oid}，因此不作判断。请用支持该算法的工具检验。"),
                format!(
                    "The digest algorithm {oid} cannot be computed here, so nothing is said. Use a tool that knows it."
                ),
            ),
            Self::Attribute(name) => Message::new(
                "cms.attribute",
                format!("签名属性 {name} 缺失、重复或无法读取。请向发文机关索取原件。"),
                format!(
                    "The signed attribute {name} is missing, doubled or cannot be read. Ask the issuer for the original."
                ),
            ),
            Self::ContentType => Message::new(
                "cms.content-type",
                "签名属性所称的内容类型与实际不符。请向发文机关索取原件。",
                "The signed content type is not the type of the content. Ask the issuer for the original.",
            ),
            Self::NoCertificate => Message::new(
                "cms.no-certificate",
                "签名中没有签名人的证书，无法检验签名值。请索取带证书的文件。",
                "The signer's certificate is not in the signature, so the value cannot be checked. Ask for a file that carries it.",
            ),
            Self::NoContent => Message::new(
                "cms.no-content",
                "签名范围不成立，文件中没有任何内容是它签署的。请向发文机关索取原件。",
                "The signed range does not hold, so nothing in the file is signed by it. Ask the issuer for the original.",
            ),
            Self::TooCostly => Message::new(
                "cms.too-costly",
                "文件中的签名反复覆盖大量内容，超出允许的计算量，其余签名不予判断。",
                "The file's signatures cover so much of it again and again that the remaining ones are not judged.",
            ),
            Self::TooLong(limit) => Message::new(
                "cms.content-too-long",
                format!("签名没有签名属性而直接签署内容，内容超过{limit}字节，不予判断。"),
                format!(
                    "The value is made directly over the content, without signed attributes, and the content is longer than {limit} bytes; it is not judged."
                ),
            ),
            Self::Signature(fault) => fault.message(),
            Self::OtherCertificate => Message::new(
                "cms.other-certificate",
                "签名所引用的证书不是文件中的证书，证书可能被调换。请向发文机关索取原件。",
                "The signature refers to another certificate than the one in the file; it may have been exchanged. Ask the issuer for the original.",
            ),
            Self::OtherIssuer => Message::new(
                "cms.other-issuer",
                "签名所引用证书的颁发者或序列号与证书不符。请向发文机关索取原件。",
                "The signature refers to the certificate by another issuer or serial number than it has. Ask the issuer for the original.",
            ),
            Self::NoReference => Message::new(
                "cms.no-reference",
                "签名未引用签名人证书，无法排除证书被调换。",
                "The signature does not refer to its certificate, so an exchanged certificate cannot be ruled out.",
            ),
        }
    }
}
