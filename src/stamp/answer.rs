//! What our own authority answers: a token, or why there is none (RFC 3161 §2.4.2, EN 319 422 §5.2).
//!
//! As with every signature, the bytes that the key signs come first ([`Unsigned`]) and the finished thing afterwards.

use const_oid::db::rfc3161;
use time::{Duration, OffsetDateTime, UtcOffset};

use super::encoded;
use super::request::Request;
use crate::cms::{self, CmsError};
use crate::crypto::{Digest, KeyAlgorithm};
use crate::message::Message;
use crate::pki::certificate::Certificate;
use crate::pki::issue::Serial;
use crate::pki::tlv;

/// What a token will say (TSTInfo). `ordering` is never claimed (EN 319 422 §5.2.2), and the authority's name stands in
/// its certificate alone.
#[derive(Debug, Clone, Copy)]
pub struct Info<'a> {
    /// The policy under which it is made, in dotted form.
    pub policy: &'a str,
    pub serial: Serial,
    /// genTime, to the microsecond.
    pub time: OffsetDateTime,
    /// How far the clock may be off, to either side.
    pub accuracy: Duration,
}

impl Info<'_> {
    /// The DER of a TSTInfo for this request; None where policy or time cannot be written.
    pub fn to_der(&self, request: &Request) -> Option<Vec<u8>> {
        let time = tlv::wrap(tlv::GENERALIZED_TIME, &[general_time(self.time)?.as_bytes()]);
        Some(tlv::wrap(
            tlv::SEQUENCE,
            &[
                &tlv::unsigned_integer(&[1]),
                &encoded(self.policy)?,
                &request.imprint(),
                &tlv::unsigned_integer(self.serial.as_bytes()),
                &time,
                &accuracy(self.accuracy)?,
                &request.nonce_der(),
            ],
        ))
    }
}

/// A token that waits for its signature.
#[derive(Debug, Clone)]
pub struct Unsigned {
    info: Vec<u8>,
    attributes: Vec<u8>,
    signer: Certificate,
    /// DER, in the token.
    certificates: Vec<Vec<u8>>,
}

impl Unsigned {
    /// Of this TSTInfo (DER), by the authority that has this certificate, with those to be in it (DER; none where none
    /// were asked for). The reference to the signer's is an ESSCertIDv2 (RFC 5816 §2.2.1).
    pub fn of(info: Vec<u8>, signer: &Certificate, certificates: &[Vec<u8>]) -> Self {
        // A key that is none of ours signs nothing of ours.
        let digest = KeyAlgorithm::of_public_key(&signer.public_key).map_or(Digest::Sha256, KeyAlgorithm::digest);
        let value = digest.over(&[&info]);
        let attributes = cms::signed_attributes_of(rfc3161::ID_CT_TST_INFO, (digest, &value), signer.der());
        Self { info, attributes, signer: signer.clone(), certificates: certificates.to_vec() }
    }

    /// The message that the key signs.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.attributes
    }

    /// The TSTInfo, DER.
    pub fn info(&self) -> &[u8] {
        &self.info
    }

    /// The finished token: a ContentInfo, DER.
    ///
    /// # Errors
    /// [`CmsError`] where the parts do not fit together. Whether the value is right is asked of the finished token.
    pub fn signed(&self, signature: &[u8], algorithm: KeyAlgorithm) -> Result<Vec<u8>, CmsError> {
        let content = (rfc3161::ID_CT_TST_INFO, self.info.as_slice());
        cms::enclose(content, &self.attributes, signature, algorithm, &self.signer, &self.certificates)
    }
}

/// The answer with a token (PKIStatus granted), DER.
pub fn granted(token: &[u8]) -> Vec<u8> {
    let status = tlv::wrap(tlv::SEQUENCE, &[&tlv::unsigned_integer(&[0])]);
    tlv::wrap(tlv::SEQUENCE, &[&status, token])
}

/// Why there is no token (PKIFailureInfo, RFC 3161 §2.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A digest that is not taken here.
    #[error("{}", self.message())]
    BadAlg,
    /// Not a request of version 1.
    #[error("{}", self.message())]
    BadRequest,
    /// Not a request at all.
    #[error("{}", self.message())]
    BadDataFormat,
    /// The clock cannot be promised at present.
    #[error("{}", self.message())]
    TimeNotAvailable,
    /// A policy that is not ours.
    #[error("{}", self.message())]
    UnacceptedPolicy,
    #[error("{}", self.message())]
    UnacceptedExtension,
    /// Trouble of our own.
    #[error("{}", self.message())]
    SystemFailure,
}

impl Rejection {
    /// The answer without a token (PKIStatus rejection), DER, with the sentence in English for its log.
    pub fn answer(self) -> Vec<u8> {
        let text = tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(UTF8_STRING, &[self.message().en.as_bytes()])]);
        let status = tlv::wrap(tlv::SEQUENCE, &[&tlv::unsigned_integer(&[2]), &text, &self.failure()]);
        tlv::wrap(tlv::SEQUENCE, &[&status])
    }

    /// A named bit list that ends at its one bit (X.690 §11.2.2).
    fn failure(self) -> Vec<u8> {
        let bit: usize = match self {
            Self::BadAlg => 0,
            Self::BadRequest => 2,
            Self::BadDataFormat => 5,
            Self::TimeNotAvailable => 14,
            Self::UnacceptedPolicy => 15,
            Self::UnacceptedExtension => 16,
            Self::SystemFailure => 25,
        };
        let mut octets = vec![0u8; bit / 8];
        octets.push(0x80 >> (bit % 8));
        tlv::wrap(tlv::BIT_STRING, &[&[7 - (bit % 8) as u8], &octets])
    }

    /// What to say about it.
    pub fn message(self) -> Message {
        let (id, zh, en) = match self {
            Self::BadAlg => (
                "stamp.bad-alg",
                "只接受SHA-256、SHA-384、SHA-512、SM3摘要，请改用其中之一。",
                "Only SHA-256, SHA-384, SHA-512 and SM3 digests are stamped; use one of them.",
            ),
            Self::BadRequest => (
                "stamp.bad-request",
                "时间戳请求的版本不是1，请按RFC 3161重新制作。",
                "The request is not of version 1; make it by RFC 3161.",
            ),
            Self::BadDataFormat => (
                "stamp.bad-data-format",
                "内容不是时间戳请求，请按RFC 3161重新制作。",
                "This is not a time-stamp request; make it by RFC 3161.",
            ),
            Self::TimeNotAvailable => (
                "stamp.time-not-available",
                "时钟目前不能保证准确，暂停签发时间戳，请稍后再试。",
                "The clock cannot be relied on at present and nothing is stamped; try again later.",
            ),
            Self::UnacceptedPolicy => (
                "stamp.unaccepted-policy",
                "不按所要求的策略签发，请不指定策略或改用本机构的策略。",
                "Nothing is stamped under the policy asked for; name none, or ours.",
            ),
            Self::UnacceptedExtension => (
                "stamp.unaccepted-extension",
                "不接受请求中的扩展项，请去掉后重试。",
                "Extensions are not taken; leave them out.",
            ),
            Self::SystemFailure => (
                "stamp.system-failure",
                "服务内部故障，未签发时间戳，请稍后再试。",
                "A fault of our own: nothing was stamped; try again later.",
            ),
        };
        Message::new(id, zh, en)
    }
}

const UTF8_STRING: u8 = 0x0C;

/// GeneralizedTime in UTC to the microsecond, the fraction without trailing zeros (RFC 3161 §2.4.2).
fn general_time(at: OffsetDateTime) -> Option<String> {
    let at = at.checked_to_offset(UtcOffset::UTC)?;
    if !(0..=9999).contains(&at.year()) {
        return None;
    }
    let fraction = format!(".{:06}", at.microsecond());
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    let (month, day) = (u8::from(at.month()), at.day());
    Some(format!("{:04}{month:02}{day:02}{:02}{:02}{:02}{fraction}Z", at.year(), at.hour(), at.minute(), at.second()))
}

/// Whole seconds, then milliseconds and microseconds, each where it is not zero.
fn accuracy(accuracy: Duration) -> Option<Vec<u8>> {
    let seconds = u32::try_from(accuracy.whole_seconds()).ok()?;
    let (millis, micros) = (accuracy.subsec_milliseconds().unsigned_abs(), accuracy.subsec_microseconds() % 1000);
    let part = |tag: u8, number: u32| match number {
        0 => Vec::new(),
        number => {
            let mut integer = tlv::unsigned_integer(&number.to_be_bytes());
            if let Some(first) = integer.first_mut() {
                *first = tag;
            }
            integer
        }
    };
    let parts = [part(tlv::INTEGER, seconds), part(0x80, u32::from(millis)), part(0x81, u32::try_from(micros).ok()?)];
    Some(tlv::wrap(tlv::SEQUENCE, &[&parts[0], &parts[1], &parts[2]]))
}
