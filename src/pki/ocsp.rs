//! OCSP responses as they are found (RFC 6960 §4.2): an authority's word about single certificates. What they prove is said
//! in [`super::evidence`].

use std::ops::Range;
use std::sync::Arc;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc6960};
use der::Decode;
use spki::AlgorithmIdentifierOwned;
use time::OffsetDateTime;

use super::certificate::Certificate;
use super::issue::Reason;
use super::name::Name;
use super::revocation::{Extension, Revocation, read_extensions, reason_code, time_of};
use super::tlv::{self, Element};
use crate::crypto::{self, Digest, SignatureFault};
use crate::limits;
use crate::message::Message;

/// A response. Reading says nothing about who signed it. A clone shares the bytes.
#[derive(Debug, Clone)]
pub struct OcspResponse {
    der: Arc<[u8]>,
    pub(super) fingerprint: [u8; 32],
    to_be_signed: Range<usize>,
    responder: Responder,
    /// When the responder signed it, by its own account.
    pub produced_at: OffsetDateTime,
    /// What it says of each certificate that was asked about.
    pub(super) answers: Vec<Answer>,
    /// What the responder sent along, as far as it can be read: its own certificate, where the issuer delegated to it.
    pub certificates: Vec<Certificate>,
    pub(super) signature_algorithm: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Responder {
    Name(Name),
    /// SHA-1 of the public key's bits.
    Key(Vec<u8>),
}

/// A SingleResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// None where it is an algorithm that we do not compute.
    digest: Option<Digest>,
    issuer_name_hash: Vec<u8>,
    issuer_key_hash: Vec<u8>,
    serial: Vec<u8>,
    pub(super) status: Status,
    pub(super) this_update: OffsetDateTime,
    pub(super) next_update: Option<OffsetDateTime>,
    /// From which expiry on the responder keeps answering for expired certificates (RFC 6960 §4.4.4).
    pub(super) keeps_expired_since: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Good,
    Revoked(Revocation),
    /// The responder knows nothing of it, or says it under a condition that we do not understand.
    Unknown,
}

/// Why bytes are no response with an answer in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAResponse {
    #[error("{}", self.message())]
    TooLarge,
    #[error("{}", self.message())]
    Malformed,
    /// The responder refused to answer; its OCSPResponseStatus (RFC 6960 §4.2.1), e.g. 3 for tryLater.
    #[error("{}", self.message())]
    Refused(u8),
}

impl NotAResponse {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::TooLarge => Message::new(
                "pki.ocsp-too-large",
                format!("OCSP 响应超过 {} 字节，不予读取。", limits::OCSP_BYTES),
                format!("The OCSP response is larger than {} bytes and is not read.", limits::OCSP_BYTES),
            ),
            Self::Malformed => Message::new(
                "pki.not-an-ocsp-response",
                "内容不是可读的 OCSP 响应。请向签发者的 OCSP 服务重新取得。",
                "This is not a readable OCSP response. Obtain it from the issuer's responder again.",
            ),
            Self::Refused(status) => Message::new(
                "pki.ocsp-refused",
                format!("OCSP 服务没有给出答复（状态 {status}）。请稍后重新取得。"),
                format!("The OCSP responder gave no answer (status {status}). Ask it again later."),
            ),
        }
    }
}

impl OcspResponse {
    /// Reads an OCSPResponse, or a BasicOCSPResponse as some CMS carry it; every byte must belong to it.
    ///
    /// # Errors
    /// See [`NotAResponse`].
    pub fn read(der: &[u8]) -> Result<Self, NotAResponse> {
        if der.len() > limits::OCSP_BYTES {
            return Err(NotAResponse::TooLarge);
        }
        let outer = Element::read_all(der).and_then(|outer| outer.expect(tlv::SEQUENCE)?.children());
        match outer.map_err(|_| NotAResponse::Malformed)?.as_slice() {
            [status, ..] if status.tag == tlv::ENUMERATED && status.content != [0] => match status.content {
                [status] => Err(NotAResponse::Refused(*status)),
                _ => Err(NotAResponse::Malformed),
            },
            [status, bytes] if status.tag == tlv::ENUMERATED => {
                response_bytes(bytes).and_then(|basic| Self::read_basic(der, &basic)).ok_or(NotAResponse::Malformed)
            }
            parts => Self::read_basic(der, parts).ok_or(NotAResponse::Malformed),
        }
    }

    /// From the parts of a BasicOCSPResponse that stands somewhere in `der`.
    fn read_basic(der: &[u8], parts: &[Element<'_>]) -> Option<Self> {
        let [to_be_signed, algorithm, signature, rest @ ..] = parts else { return None };
        let certificates = match rest {
            [] => Vec::new(),
            [list] if list.tag == tlv::context(0) => match list.children().ok()?.as_slice() {
                [list] => list.expect(tlv::SEQUENCE).ok()?.children().ok()?,
                _ => return None,
            },
            _ => return None,
        };
        let fields = to_be_signed.expect(tlv::SEQUENCE).ok()?.children().ok()?;
        // The version is v1 and then not written; some write it all the same.
        let fields = match fields.split_first()? {
            (first, rest) if first.tag == tlv::context(0) => rest,
            _ => fields.as_slice(),
        };
        let [responder, produced_at, answers, rest @ ..] = fields else { return None };
        let extensions = match rest {
            [] => Vec::new(),
            [extensions] if extensions.tag == tlv::context(1) => {
                read_extensions(&Element::read_all(extensions.content).ok()?)?
            }
            _ => return None,
        };
        let is_understood = !extensions.iter().any(is_foreign);
        let mut answers = answers
            .expect(tlv::SEQUENCE)
            .ok()?
            .children()
            .ok()?
            .iter()
            .map(Answer::read)
            .collect::<Option<Vec<_>>>()?;
        if !is_understood {
            answers.iter_mut().for_each(|answer| answer.status = answer.status.unless_good());
        }
        Some(Self {
            fingerprint: crypto::sha256(der),
            der: der.into(),
            to_be_signed: tlv::range_in(der, to_be_signed.whole)?,
            responder: match responder.tag {
                0xA1 => Responder::Name(Name::from_der(Element::read_all(responder.content).ok()?.whole)),
                0xA2 => Responder::Key(
                    Element::read_all(responder.content).ok()?.expect(tlv::OCTET_STRING).ok()?.content.to_vec(),
                ),
                _ => return None,
            },
            produced_at: generalized(produced_at)?,
            answers,
            certificates: certificates
                .iter()
                .take(limits::OCSP_CERTIFICATES)
                .filter_map(|certificate| Certificate::read(certificate.whole).ok())
                .collect(),
            signature_algorithm: AlgorithmIdentifierOwned::from_der(algorithm.whole).ok()?,
            signature: signature.expect(tlv::BIT_STRING).ok()?.content.strip_prefix(&[0])?.to_vec(),
        })
    }

    /// The original bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub fn shared_der(&self) -> Arc<[u8]> {
        self.der.clone()
    }

    /// Checks that this public key signed the response.
    ///
    /// # Errors
    /// See [`SignatureFault`].
    pub fn is_signed_by(&self, public_key: &[u8]) -> Result<(), SignatureFault> {
        let to_be_signed = self.der.get(self.to_be_signed.clone()).unwrap_or_default();
        crypto::verify(public_key, &self.signature_algorithm, to_be_signed, &self.signature)
    }

    /// Whether this certificate is the one that the response names as its maker's.
    pub(super) fn names(&self, certificate: &Certificate) -> bool {
        match &self.responder {
            Responder::Name(name) => name.means(&certificate.subject),
            Responder::Key(hash) => {
                key_bits(&certificate.public_key).is_some_and(|bits| Digest::Sha1.over(&[bits]) == *hash)
            }
        }
    }
}

/// `[0] { SEQUENCE { id-pkix-ocsp-basic, OCTET STRING { BasicOCSPResponse } } }`, down to the parts of the last.
fn response_bytes<'a>(bytes: &Element<'a>) -> Option<Vec<Element<'a>>> {
    let inside = bytes.expect(tlv::context(0)).ok()?.children().ok()?;
    let [sequence] = inside.as_slice() else { return None };
    let parts = sequence.expect(tlv::SEQUENCE).ok()?.children().ok()?;
    let [kind, response] = parts.as_slice() else { return None };
    if ObjectIdentifier::from_der(kind.whole).ok()? != rfc6960::ID_PKIX_OCSP_BASIC {
        return None;
    }
    let response = response.expect(tlv::OCTET_STRING).ok()?;
    Element::read_all(response.content).ok()?.expect(tlv::SEQUENCE).ok()?.children().ok()
}

/// Critical, and none of those that change nothing about an answer (RFC 6960 §4.4).
fn is_foreign(extension: &Extension<'_>) -> bool {
    let known = [
        rfc6960::ID_PKIX_OCSP_NONCE,
        rfc6960::ID_PKIX_OCSP_CRL,
        rfc6960::ID_PKIX_OCSP_ARCHIVE_CUTOFF,
        rfc6960::ID_PKIX_OCSP_EXTENDED_REVOKE,
    ];
    extension.critical && !known.contains(&extension.oid)
}

/// RFC 6960 §4.2.2.1 takes times as RFC 5280 has them; some responders add a fraction of a second, which is cut off.
fn generalized(time: &Element<'_>) -> Option<OffsetDateTime> {
    let time = time.expect(tlv::GENERALIZED_TIME).ok()?;
    match time.content.iter().position(|&byte| byte == b'.') {
        None => time_of(&time),
        Some(point) => {
            let (whole, fraction) = time.content.split_at(point);
            let digits = fraction.strip_prefix(b".")?.strip_suffix(b"Z")?;
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
            time_of(&Element::read_all(&tlv::wrap(tlv::GENERALIZED_TIME, &[whole, b"Z"])).ok()?)
        }
    }
}

/// The octets of the BIT STRING in a SubjectPublicKeyInfo, which RFC 6960 §4.1.1 hashes.
fn key_bits(public_key: &[u8]) -> Option<&[u8]> {
    let parts = Element::read_all(public_key).ok()?.children().ok()?;
    let [_, bits] = parts.as_slice() else { return None };
    bits.expect(tlv::BIT_STRING).ok()?.content.get(1..)
}

impl Answer {
    fn read(element: &Element<'_>) -> Option<Self> {
        let parts = element.expect(tlv::SEQUENCE).ok()?.children().ok()?;
        let [id, status, this_update, rest @ ..] = parts.as_slice() else { return None };
        let (next_update, rest) = match rest {
            [next, rest @ ..] if next.tag == tlv::context(0) => {
                (Some(generalized(&Element::read_all(next.content).ok()?)?), rest)
            }
            rest => (None, rest),
        };
        let extensions = match rest {
            [] => Vec::new(),
            [extensions] if extensions.tag == tlv::context(1) => {
                read_extensions(&Element::read_all(extensions.content).ok()?)?
            }
            _ => return None,
        };
        let id = id.expect(tlv::SEQUENCE).ok()?.children().ok()?;
        let [algorithm, name, key, serial] = id.as_slice() else { return None };
        let cutoff = extensions.iter().find(|extension| extension.oid == rfc6960::ID_PKIX_OCSP_ARCHIVE_CUTOFF);
        let status = Status::read(status)?;
        Some(Self {
            digest: Digest::of_oid(AlgorithmIdentifierOwned::from_der(algorithm.whole).ok()?.oid),
            issuer_name_hash: name.expect(tlv::OCTET_STRING).ok()?.content.to_vec(),
            issuer_key_hash: key.expect(tlv::OCTET_STRING).ok()?.content.to_vec(),
            serial: serial.expect(tlv::INTEGER).ok()?.content.to_vec(),
            status: if extensions.iter().any(is_foreign) { status.unless_good() } else { status },
            this_update: generalized(this_update)?,
            next_update,
            keeps_expired_since: match cutoff {
                Some(cutoff) => Some(generalized(&Element::read_all(cutoff.value).ok()?)?),
                None => None,
            },
        })
    }

    /// Whether it is about this certificate of that issuer (CertID, RFC 6960 §4.1.1).
    pub(super) fn is_about(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        let (Some(digest), Some(bits)) = (self.digest, key_bits(&issuer.public_key)) else { return false };
        // The same name may be written in two encodings; the hash is over the one in the certificate asked about.
        let names = [&certificate.issuer, &issuer.subject];
        self.serial == certificate.serial
            && digest.over(&[bits]) == self.issuer_key_hash
            && names.iter().any(|name| digest.over(&[name.as_der()]) == self.issuer_name_hash)
    }
}

impl Status {
    fn read(element: &Element<'_>) -> Option<Self> {
        match element.tag {
            0x80 => Some(Self::Good),
            0x82 => Some(Self::Unknown),
            0xA1 => {
                let parts = element.children().ok()?;
                let (at, reason) = match parts.as_slice() {
                    [at] => (at, Reason::Unspecified),
                    [at, reason] => (at, Reason::of_code(reason_code(reason.expect(tlv::context(0)).ok()?.content)?)?),
                    _ => return None,
                };
                Some(Self::Revoked(Revocation { at: generalized(at)?, reason, invalid_since: None }))
            }
            _ => None,
        }
    }

    /// Under a condition that nobody here understands, good is no longer good; revoked stays revoked.
    fn unless_good(self) -> Self {
        match self {
            Self::Good => Self::Unknown,
            other => other,
        }
    }
}

impl Certificate {
    /// Its issuer lets it answer in its place (RFC 6960 §4.2.2.2).
    pub(super) fn may_answer(&self) -> bool {
        self.purposes.as_ref().is_some_and(|purposes| purposes.contains(&rfc5912::ID_KP_OCSP_SIGNING))
    }
}
