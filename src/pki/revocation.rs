//! Revocation lists as they are found (RFC 5280 §5). What they prove about one certificate at one moment is said in
//! [`super::evidence`], together with what OCSP responses prove.

use std::ops::Range;
use std::sync::Arc;

use const_oid::db::rfc5280;
use der::Decode;
use der::asn1::ObjectIdentifier;
use spki::AlgorithmIdentifierOwned;
use time::OffsetDateTime;
use x509_cert::time::Time;

use super::certificate::moment;
use super::issue::{EXPIRED_CERTS_ON_CRL, Reason};
use super::name::Name;
use super::scope::Scope;
use super::tlv::{self, Element};
use crate::crypto::{self, SignatureFault};
use crate::limits;
use crate::message::Message;

/// A CRL as found. Reading says nothing about who signed it. A clone shares the bytes.
#[derive(Debug, Clone)]
pub struct RevocationList {
    der: Arc<[u8]>,
    pub(super) fingerprint: [u8; 32],
    to_be_signed: Range<usize>,
    pub issuer: Name,
    pub this_update: OffsetDateTime,
    /// When the next list is due; None where the issuer does not say.
    pub next_update: Option<OffsetDateTime>,
    /// CRLNumber, big-endian.
    pub number: Option<Vec<u8>>,
    pub(super) signature_algorithm: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
    lines: Range<usize>,
    pub(super) scope: Scope,
    /// From which expiry on certificates stay on the list (X.509 §9.5.2.8 expiredCertsOnCRL).
    pub(super) keeps_expired_since: Option<OffsetDateTime>,
}

/// What a list says of one serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Revoked(Revocation),
    /// A delta list takes it off (removeFromCRL, RFC 5280 §5.3.1).
    Removed,
}

/// One line of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    pub at: OffsetDateTime,
    pub reason: Reason,
    /// The earlier moment from which the key may have been in other hands.
    pub invalid_since: Option<OffsetDateTime>,
}

impl Revocation {
    /// The moment that counts: signatures from then on are not believed.
    pub fn effective(&self) -> OffsetDateTime {
        self.invalid_since.map_or(self.at, |since| since.min(self.at))
    }
}

/// These bytes are not a CRL we can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct NotAList;

impl NotAList {
    /// What to say about it.
    pub fn message(&self) -> Message {
        Message::new(
            "pki.not-a-crl",
            "内容不是可读的 X.509 证书撤销列表（CRL）。请提供 DER 或 PEM 格式的文件。",
            "This is not a readable X.509 revocation list (CRL). Supply a file in DER or PEM form.",
        )
    }
}

impl RevocationList {
    /// Reads one DER list.
    ///
    /// # Errors
    /// [`NotAList`], also for a list above [`limits::CRL_BYTES`].
    pub fn read(der: &[u8]) -> Result<Self, NotAList> {
        if der.len() > limits::CRL_BYTES {
            return Err(NotAList);
        }
        Self::read_parts(der).ok_or(NotAList)
    }

    fn read_parts(der: &[u8]) -> Option<Self> {
        let outer = Element::read_all(der).ok()?.expect(tlv::SEQUENCE).ok()?.children().ok()?;
        let [to_be_signed, algorithm, signature] = outer.as_slice() else { return None };
        let parts = to_be_signed.expect(tlv::SEQUENCE).ok()?.children().ok()?;
        let (version, parts) = match parts.split_first()? {
            (first, rest) if first.tag == tlv::INTEGER => (Some(first.content), rest),
            _ => (None, parts.as_slice()),
        };
        let [inner_algorithm, issuer, this_update, rest @ ..] = parts else { return None };
        let (next_update, rest) = match rest {
            [next, rest @ ..] if matches!(next.tag, tlv::UTC_TIME | tlv::GENERALIZED_TIME) => (Some(next), rest),
            rest => (None, rest),
        };
        let (lines, rest) = match rest {
            [lines, rest @ ..] if lines.tag == tlv::SEQUENCE => (Some(lines.content), rest),
            rest => (None, rest),
        };
        let extensions = match rest {
            [] => Vec::new(),
            // RFC 5280 §5.1.2.1: extensions need version 2, which is written 1.
            [extensions] if extensions.tag == tlv::context(0) && version == Some(&[1]) => {
                let inside = extensions.children().ok()?;
                let [list] = inside.as_slice() else { return None };
                read_extensions(list)?
            }
            _ => return None,
        };
        // RFC 5280 §5.1.1.2: both algorithm fields are the same.
        if inner_algorithm.whole != algorithm.whole {
            return None;
        }
        let value = |oid| extensions.iter().find(|extension| extension.oid == oid).map(|extension| extension.value);
        let number = match value(rfc5280::ID_CE_CRL_NUMBER) {
            Some(value) => Some(Element::read_all(value).ok()?.expect(tlv::INTEGER).ok()?.content.to_vec()),
            None => None,
        };
        let keeps_expired_since = match value(EXPIRED_CERTS_ON_CRL) {
            Some(value) => Some(moment(&Time::from_der(value).ok()?)?),
            None => None,
        };
        let issuer = Name::from_der(issuer.expect(tlv::SEQUENCE).ok()?.whole);
        Some(Self {
            fingerprint: crypto::sha256(der),
            der: der.into(),
            to_be_signed: tlv::range_in(der, to_be_signed.whole)?,
            this_update: time_of(this_update)?,
            next_update: match next_update {
                Some(next) => Some(time_of(next)?),
                None => None,
            },
            number,
            signature_algorithm: AlgorithmIdentifierOwned::from_der(algorithm.whole).ok()?,
            signature: signature.expect(tlv::BIT_STRING).ok()?.content.strip_prefix(&[0])?.to_vec(),
            lines: match lines {
                Some(lines) => tlv::range_in(der, lines)?,
                None => 0..0,
            },
            scope: Scope::read(&extensions, &issuer)?,
            issuer,
            keeps_expired_since,
        })
    }

    /// The original bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub fn shared_der(&self) -> Arc<[u8]> {
        self.der.clone()
    }

    /// Checks that this public key signed the list.
    ///
    /// # Errors
    /// See [`SignatureFault`].
    pub fn is_signed_by(&self, public_key: &[u8]) -> Result<(), SignatureFault> {
        let to_be_signed = self.der.get(self.to_be_signed.clone()).unwrap_or_default();
        crypto::verify(public_key, &self.signature_algorithm, to_be_signed, &self.signature)
    }

    /// The line about this serial number (content octets) of the list's own issuer, if there is one.
    ///
    /// # Errors
    /// [`NotAList`] where a line cannot be read: then the list proves nothing about anyone.
    pub fn line(&self, serial: &[u8]) -> Result<Option<Revocation>, NotAList> {
        Ok(match self.line_of(&self.issuer, serial)? {
            Some(Line::Revoked(revocation)) => Some(revocation),
            Some(Line::Removed) | None => None,
        })
    }

    /// As [`Self::line`], of any issuer: a line of an indirect list is about the issuer that it, or one before it, names.
    pub(super) fn line_of(&self, issuer: &Name, serial: &[u8]) -> Result<Option<Line>, NotAList> {
        let mut rest = self.der.get(self.lines.clone()).unwrap_or_default();
        let mut is_issuers = self.issuer.means(issuer);
        let mut found = None;
        while !rest.is_empty() {
            let (line, after) = Element::read(rest).map_err(|_| NotAList)?;
            rest = after;
            let (number, others) =
                Element::read(line.expect(tlv::SEQUENCE).map_err(|_| NotAList)?.content).map_err(|_| NotAList)?;
            if number.tag != tlv::INTEGER {
                return Err(NotAList);
            }
            if self.scope.is_indirect
                && let Some(named) = named_issuer(others).ok_or(NotAList)?
            {
                is_issuers = named.means(issuer);
            }
            if is_issuers && number.content == serial {
                let line = read_line(&line, self.scope.is_indirect).ok_or(NotAList)?;
                // A serial listed twice: the earlier moment counts.
                found = Some(match (found, line) {
                    (Some(Line::Revoked(earlier)), Line::Revoked(later)) if earlier.effective() > later.effective() => {
                        Line::Revoked(later)
                    }
                    (Some(Line::Revoked(earlier)), _) => Line::Revoked(earlier),
                    (_, line) => line,
                });
            }
        }
        Ok(found)
    }
}

pub(super) fn time_of(time: &Element<'_>) -> Option<OffsetDateTime> {
    moment(&Time::from_der(time.whole).ok()?)
}

/// One of the extensions of a list, a line or a response.
pub(super) struct Extension<'a> {
    pub(super) oid: ObjectIdentifier,
    pub(super) critical: bool,
    pub(super) value: &'a [u8],
}

/// None where they cannot be read, or one comes twice.
pub(super) fn read_extensions<'a>(list: &Element<'a>) -> Option<Vec<Extension<'a>>> {
    let mut read: Vec<Extension<'_>> = Vec::new();
    for extension in list.expect(tlv::SEQUENCE).ok()?.children().ok()? {
        let parts = extension.expect(tlv::SEQUENCE).ok()?.children().ok()?;
        let (oid, critical, value) = match parts.as_slice() {
            [oid, value] => (oid, false, value),
            [oid, critical, value] if critical.tag == tlv::BOOLEAN => (oid, critical.content != [0], value),
            _ => return None,
        };
        let oid = ObjectIdentifier::from_der(oid.whole).ok()?;
        if read.iter().any(|other| other.oid == oid) {
            return None;
        }
        read.push(Extension { oid, critical, value: value.expect(tlv::OCTET_STRING).ok()?.content });
    }
    Some(read)
}

/// The issuer that a line of an indirect list names, from what stands behind the serial number; None inside where it
/// names none, None where it cannot be read (RFC 5280 §5.3.3).
fn named_issuer(behind_serial: &[u8]) -> Option<Option<Name>> {
    let (_, extensions) = Element::read(behind_serial).ok()?;
    if extensions.is_empty() {
        return Some(None);
    }
    let extensions = read_extensions(&Element::read_all(extensions).ok()?)?;
    let Some(named) = extensions.iter().find(|extension| extension.oid == rfc5280::ID_CE_CERTIFICATE_ISSUER) else {
        return Some(None);
    };
    let names = Element::read_all(named.value).ok()?.expect(tlv::SEQUENCE).ok()?.children().ok()?;
    let directory = names.iter().find(|name| name.tag == tlv::context(4))?;
    Some(Some(Name::from_der(directory.content)))
}

fn read_line(line: &Element<'_>, is_indirect: bool) -> Option<Line> {
    let parts = line.children().ok()?;
    let (at, extensions) = match parts.as_slice() {
        [_, at] => (at, Vec::new()),
        [_, at, extensions] => (at, read_extensions(extensions)?),
        _ => return None,
    };
    let mut revocation = Revocation { at: time_of(at)?, reason: Reason::Unspecified, invalid_since: None };
    for extension in extensions {
        match extension.oid {
            rfc5280::ID_CE_CRL_REASONS => match reason_code(extension.value)? {
                REMOVE_FROM_CRL => return Some(Line::Removed),
                code => revocation.reason = Reason::of_code(code)?,
            },
            rfc5280::ID_CE_INVALIDITY_DATE => {
                revocation.invalid_since = Some(moment(&Time::from_der(extension.value).ok()?)?);
            }
            rfc5280::ID_CE_CERTIFICATE_ISSUER if is_indirect => {}
            // RFC 5280 §5.3: an unknown critical extension makes the list unusable.
            _ if extension.critical => return None,
            _ => {}
        }
    }
    Some(Line::Revoked(revocation))
}

/// A DER CRLReason.
pub(super) fn reason_code(der: &[u8]) -> Option<u8> {
    match Element::read_all(der).ok()?.expect(tlv::ENUMERATED).ok()?.content {
        [code] => Some(*code),
        _ => None,
    }
}

/// CRLReason removeFromCRL (RFC 5280 §5.3.1), met in delta lists.
const REMOVE_FROM_CRL: u8 = 8;
