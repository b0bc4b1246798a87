//! Making OCSP responses (RFC 6960 §4.2, in the small form of RFC 5019 §2.2): the bytes to be signed first, the finished
//! thing afterwards.

use const_oid::db::rfc6960;
use time::OffsetDateTime;

use super::{CertId, Status, key_bits};
use crate::crypto::{Digest, SignatureFault};
use crate::pki::certificate::Certificate;
use crate::pki::issue::{IssueFault, Reason, Unsigned, extension, generalized_time};
use crate::pki::tlv::{self, Element};

/// What is said of one certificate (SingleResponse).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub question: CertId,
    pub status: Status,
    /// The moment for which it speaks, and until when it may be relied on.
    pub this_update: OffsetDateTime,
    pub next_update: OffsetDateTime,
}

/// The bytes of a response to be signed by the key of `responder`, which the issuer of all these certificates has delegated.
///
/// `keeps_expired_since` says from which expiry on certificates are still answered for (RFC 6960 §4.4.4): documents are asked
/// about long after their certificates have ended.
///
/// # Errors
/// [`IssueFault::Key`] where the responder's key is not one of ours, [`IssueFault::Period`] for a moment that has no form.
pub fn unsigned(
    responder: &Certificate,
    replies: &[Reply],
    nonce: Option<&[u8]>,
    keeps_expired_since: OffsetDateTime,
    produced_at: OffsetDateTime,
) -> Result<Unsigned, IssueFault> {
    let mut said = Vec::new();
    for reply in replies {
        let kept = extension(rfc6960::ID_PKIX_OCSP_ARCHIVE_CUTOFF, false, &generalized_time(keeps_expired_since)?);
        said.extend(tlv::wrap(
            tlv::SEQUENCE,
            &[
                reply.question.der(),
                &status(reply.status)?,
                &generalized_time(reply.this_update)?,
                &tlv::wrap(tlv::context(0), &[&generalized_time(reply.next_update)?]),
                &tlv::wrap(tlv::context(1), &[&tlv::wrap(tlv::SEQUENCE, &[&kept])]),
            ],
        ));
    }
    // By the key's hash: the shorter of the two forms (RFC 5019 §2.2.2).
    let bits = key_bits(&responder.public_key).ok_or(IssueFault::Key(SignatureFault::Malformed("public key")))?;
    let name = tlv::wrap(tlv::context(2), &[&tlv::wrap(tlv::OCTET_STRING, &[&Digest::Sha1.over(&[bits])])]);
    let nonce = nonce.map(|nonce| {
        let nonce = extension(rfc6960::ID_PKIX_OCSP_NONCE, false, nonce);
        tlv::wrap(tlv::context(1), &[&tlv::wrap(tlv::SEQUENCE, &[&nonce])])
    });
    let said = tlv::wrap(tlv::SEQUENCE, &[&said]);
    let data = [&name, &generalized_time(produced_at)?, &said, &nonce.unwrap_or_default()];
    Unsigned::again(tlv::wrap(tlv::SEQUENCE, &data.map(Vec::as_slice)), &responder.public_key)
}

/// The OCSPResponse around what [`Unsigned::signed`] gave, with the responder's certificate sent along.
///
/// # Errors
/// [`IssueFault::Key`] where `signed` is no such thing.
pub fn finished(signed: &[u8], responder: &Certificate) -> Result<Vec<u8>, IssueFault> {
    let parts = Element::read_all(signed).map_err(|_| IssueFault::Key(SignatureFault::Malformed("response")))?;
    let certificates = tlv::wrap(tlv::context(0), &[&tlv::wrap(tlv::SEQUENCE, &[responder.der()])]);
    let basic = tlv::wrap(tlv::SEQUENCE, &[parts.content, &certificates]);
    let kind = tlv::object_identifier(rfc6960::ID_PKIX_OCSP_BASIC);
    let bytes = tlv::wrap(tlv::SEQUENCE, &[&kind, &tlv::wrap(tlv::OCTET_STRING, &[&basic])]);
    Ok(tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(tlv::ENUMERATED, &[&[0]]), &tlv::wrap(tlv::context(0), &[&bytes])]))
}

/// Why no answer is given; nobody signs it (RFC 6960 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The request cannot be read.
    Malformed,
    /// Our own trouble, or too many asked at once.
    TryLater,
    /// Nothing that we speak for was asked about (RFC 5019 §2.2.3).
    Unauthorized,
}

impl NoAnswer {
    /// The OCSPResponse that says so.
    pub fn der(self) -> Vec<u8> {
        let code = match self {
            Self::Malformed => 1,
            Self::TryLater => 3,
            Self::Unauthorized => 6,
        };
        tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(tlv::ENUMERATED, &[&[code]])])
    }
}

fn status(status: Status) -> Result<Vec<u8>, IssueFault> {
    Ok(match status {
        Status::Good => tlv::wrap(tlv::context_primitive(0), &[]),
        Status::Unknown => tlv::wrap(tlv::context_primitive(2), &[]),
        Status::Revoked(revocation) => {
            // As in a list (RFC 5280 §5.3.1): an unspecified reason is left out. The moment is the one that counts, since a
            // response has no second one.
            let reason = match revocation.reason {
                Reason::Unspecified => Vec::new(),
                reason => tlv::wrap(tlv::context(0), &[&tlv::wrap(tlv::ENUMERATED, &[&[reason.code()]])]),
            };
            tlv::wrap(tlv::context(1), &[&generalized_time(revocation.effective())?, &reason])
        }
    })
}
