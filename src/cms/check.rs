//! Judges one signer of a CMS against the content: digests, value, and which certificate it is.

use const_oid::ObjectIdentifier;

use super::read::{SignedData, Signer, SignerName};
use crate::crypto::{self, Digest, SignatureFault};
use crate::limits;
use crate::message::Message;
use crate::pki::certificate::Certificate;
use crate::pki::tlv::{self, Element};

/// What was found about one signer. Each check stands on its own; none speaks of trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// The messageDigest attribute is the digest of the content (RFC 5652 §5.4, §11.2). Without signed attributes there
    /// is nothing to compare, and `signature` covers the content directly.
    pub digest: Result<(), Fault>,
    /// The contentType attribute agrees with the content's type (RFC 5652 §11.1).
    pub content_type: Result<(), Fault>,
    /// The signature value belongs to the attributes (or content) and to the signer's key.
    pub signature: Result<(), Fault>,
    /// The signed reference names the certificate that was used (RFC 5035 §5, EN 319 102-1 §5.2.3).
    pub signing_certificate: Result<(), Fault>,
    /// False where the attributes verify only in an order or encoding that DER does not allow: a warning, as other tools
    /// accept it.
    pub attributes_in_der: bool,
    /// The signer's certificate as found in the CMS.
    pub certificate: Option<Certificate>,
}

impl Checks {
    /// Digest and value are mathematically right: what other tools mean by an intact signature. Says nothing about weak
    /// algorithms, references or trust.
    pub fn is_intact(&self) -> bool {
        let right = |check: &Result<(), Fault>| {
            matches!(check, Ok(()) | Err(Fault::WeakDigest(_) | Fault::Signature(SignatureFault::Weak(_))))
        };
        right(&self.digest) && right(&self.signature)
    }
}

/// What is wrong with one part of a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The content was changed after signing, or this signature is of something else.
    #[error("{}", self.message())]
    DigestDiffers,
    /// The digest is equal, but by an algorithm that proves little.
    #[error("{}", self.message())]
    WeakDigest(&'static str),
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
            Self::WeakDigest(name) => Message::new(
                "cms.digest-weak",
                format!("摘要相符，但 {name} 强度不足，不能作为凭据。"),
                format!("The digest is equal, but {name} is too weak to prove anything."),
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
            Self::NoReference => Message::new(
                "cms.no-reference",
                "签名未引用签名人证书，无法排除证书被调换。",
                "The signature does not refer to its certificate, so an exchanged certificate cannot be ruled out.",
            ),
        }
    }
}

impl SignedData {
    /// Checks `signer` over `content`, given as pieces read one after the other (the spans of a ByteRange, or the content
    /// inside). No piece at all is nothing signed, which is never right; an empty content is one empty piece.
    pub fn check(&self, signer: &Signer, content: &[&[u8]]) -> Checks {
        self.check_digested(signer, content, &mut |digest| Some(digest.over(content)))
    }

    /// As `check`, with the content's digest from elsewhere; None where it was too costly to make.
    pub fn check_digested(
        &self,
        signer: &Signer,
        content: &[&[u8]],
        over: &mut dyn FnMut(Digest) -> Option<Vec<u8>>,
    ) -> Checks {
        let certificate = self.certificate_of(signer);
        let (signature, attributes_in_der) = match &certificate {
            None => (Err(Fault::NoCertificate), true),
            Some(certificate) => check_signature(signer, certificate, content),
        };
        Checks {
            digest: check_digest(signer, content, over),
            content_type: self.check_content_type(signer),
            signature,
            signing_certificate: check_reference(signer, certificate.as_ref()),
            attributes_in_der,
            certificate,
        }
    }

    /// The certificate that the signer names, among those inside (RFC 5652 §5.3); one that cannot be read is passed over.
    pub fn certificate_of(&self, signer: &Signer) -> Option<Certificate> {
        let readable = self.certificates.iter().filter_map(|der| Certificate::read(der).ok());
        let mut named = readable.filter(|certificate| match &signer.name {
            SignerName::IssuerAndSerial { issuer, serial } => {
                certificate.serial == *serial && certificate.issuer.means(issuer)
            }
            SignerName::KeyIdentifier(id) => certificate.subject_key_id.as_ref() == Some(id),
        });
        let first = named.next()?;
        // Two certificates of one name: the signed reference tells which is meant.
        let refers_to = |certificate: &Certificate| check_reference(signer, Some(certificate)).is_ok();
        if refers_to(&first) { Some(first) } else { named.find(refers_to).or(Some(first)) }
    }

    fn check_content_type(&self, signer: &Signer) -> Result<(), Fault> {
        match (&signer.signed_attributes_raw, signer.content_type()) {
            // RFC 5652 §5.3: attributes may be left out only for id-data.
            (None, _) if self.content_type == const_oid::db::rfc5911::ID_DATA => Ok(()),
            (None, _) => Err(Fault::Attribute("contentType")),
            (Some(_), None) => Err(Fault::Attribute("contentType")),
            (Some(_), Some(named)) if named == self.content_type => Ok(()),
            (Some(_), Some(_)) => Err(Fault::ContentType),
        }
    }
}

fn check_digest(
    signer: &Signer,
    content: &[&[u8]],
    over: &mut dyn FnMut(Digest) -> Option<Vec<u8>>,
) -> Result<(), Fault> {
    if content.is_empty() {
        return Err(Fault::NoContent);
    }
    if signer.signed_attributes_raw.is_none() {
        return Ok(());
    }
    let named = signer.message_digest().ok_or(Fault::Attribute("messageDigest"))?;
    let digest = Digest::of_oid(signer.digest_algorithm).ok_or(Fault::DigestUnsupported(signer.digest_algorithm))?;
    if over(digest).ok_or(Fault::TooCostly)? != named {
        return Err(Fault::DigestDiffers);
    }
    if digest.is_weak() { Err(Fault::WeakDigest(digest.name())) } else { Ok(()) }
}

/// The value over the attributes as DER would have them, else as they stand: writers who did not sort signed what they
/// wrote, and OpenSSL hashes that too. The second answer tells whether it was the first.
fn check_signature(signer: &Signer, certificate: &Certificate, content: &[&[u8]]) -> (Result<(), Fault>, bool) {
    let algorithm = match Digest::of_oid(signer.digest_algorithm) {
        Some(digest) => crypto::with_digest(&signer.signature_algorithm, digest),
        None => signer.signature_algorithm.clone(),
    };
    let verify = |message: &[u8]| crypto::verify(&certificate.public_key, &algorithm, message, &signer.signature);
    let Some(raw) = &signer.signed_attributes_raw else {
        let length = content.iter().fold(0usize, |sum, piece| sum.saturating_add(piece.len()));
        let answer = match (content, length) {
            ([], _) => Err(Fault::NoContent),
            ([whole], _) => verify(whole).map_err(Fault::Signature),
            (_, ..=limits::CMS_DIRECT_BYTES) => verify(&content.concat()).map_err(Fault::Signature),
            _ => Err(Fault::TooLong(limits::CMS_DIRECT_BYTES)),
        };
        return (answer, true);
    };
    let forms = match attribute_forms(raw) {
        Ok(forms) => forms,
        Err(fault) => return (Err(fault), true),
    };
    let mut first_answer = None;
    for (i, form) in forms.iter().enumerate() {
        match verify(form) {
            Err(SignatureFault::Wrong) => first_answer = first_answer.or(Some(SignatureFault::Wrong)),
            answer => return (answer.map_err(Fault::Signature), i == 0),
        }
    }
    (Err(Fault::Signature(first_answer.unwrap_or(SignatureFault::Wrong))), true)
}

/// The byte strings that the signature may have been made over, likeliest first, none twice: sorted DER (RFC 5652 §5.4),
/// the members as they stand, and the element as it stands with its identifier octet exchanged.
fn attribute_forms(raw: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    const BAD: Fault = Fault::Attribute("(set)");
    let set = Element::read_all(raw).map_err(|_| BAD)?;
    let members: Vec<Vec<u8>> = set.children().map_err(|_| BAD)?.iter().map(|member| member.whole.to_vec()).collect();
    let in_order = tlv::wrap(tlv::SET, &members.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let mut as_found = raw.to_vec();
    if let Some(identifier) = as_found.first_mut() {
        *identifier = tlv::SET;
    }
    let mut forms = vec![tlv::set_of(tlv::SET, members)];
    for form in [in_order, as_found] {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    Ok(forms)
}

fn check_reference(signer: &Signer, certificate: Option<&Certificate>) -> Result<(), Fault> {
    let references = signer.signing_certificates().map_err(|_| Fault::Attribute("signingCertificate"))?;
    let certificate = certificate.ok_or(Fault::NoCertificate)?;
    if references.is_empty() {
        return Err(Fault::NoReference);
    }
    for reference in references {
        // SHA-1 is enough here: an exchanged certificate would need a second preimage, not a collision.
        let digest =
            Digest::of_oid(reference.digest_algorithm).ok_or(Fault::DigestUnsupported(reference.digest_algorithm))?;
        if digest.over(&[certificate.der()]) != reference.digest {
            return Err(Fault::OtherCertificate);
        }
    }
    Ok(())
}
