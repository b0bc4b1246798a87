//! Revocation lists: reading them, and what they prove about one certificate at one moment.
//!
//! A list issued after the moment asked about is good evidence about it, so the past can be judged with today's list. What
//! no list proves is said to be unknown, with the reason; never assumed good.
//! Proof of good standing must be complete, proof of revocation need not be: a delta list or a list for some reasons only
//! never clears a certificate, but a line in it counts.
//! Not supported, hence unknown: indirect lists, lists signed by another key than the one that signed the certificate (so
//! also an issuer's changed key), and distribution points by relative name.

use const_oid::db::rfc5280;
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use spki::AlgorithmIdentifierOwned;
use time::OffsetDateTime;
use x509_cert::ext::pkix::IssuingDistributionPoint;
use x509_cert::ext::pkix::name::DistributionPointName;
use x509_cert::time::Time;

use super::certificate::{Certificate, moment};
use super::issue::{EXPIRED_CERTS_ON_CRL, Reason};
use super::name::Name;
use super::tlv::{self, Element};
use crate::crypto::{self, SignatureFault};
use crate::limits;
use crate::message::Message;

/// A CRL as found (RFC 5280 §5.1). Reading says nothing about who signed it.
#[derive(Debug, Clone)]
pub struct RevocationList {
    der: Vec<u8>,
    to_be_signed: Vec<u8>,
    pub issuer: Name,
    pub this_update: OffsetDateTime,
    /// When the next list is due; None where the issuer does not say.
    pub next_update: Option<OffsetDateTime>,
    /// CRLNumber, big-endian.
    pub number: Option<Vec<u8>>,
    signature_algorithm: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
    lines: Vec<u8>,
    scope: Scope,
    keeps_expired_since: Option<OffsetDateTime>,
}

/// Which certificates a list is about (RFC 5280 §5.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    All,
    Only {
        users: bool,
        authorities: bool,
        /// DER GeneralNames.
        points: Option<Vec<Vec<u8>>>,
    },
    /// Too little to clear anyone; its lines count.
    Partial(&'static str),
    /// Something we do not follow; the list proves nothing.
    Unsupported(&'static str),
}

/// What is known about a certificate's revocation at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Proven not revoked then, by a list of the given date; `later` if it was revoked afterwards, `weakness` if the
    /// list's signature is right but too weak to prove it.
    Good { list: OffsetDateTime, later: Option<Revocation>, weakness: Option<String> },
    /// Revoked at or before the moment.
    Revoked(Revocation),
    /// Nothing here proves either.
    Unknown(Unknown),
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

/// Why nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// No list of this issuer was supplied.
    NoList,
    /// Lists were supplied, but none is signed by the issuer's key as far as we can check.
    NotSignedByIssuer,
    /// The lists are about other certificates, or of a kind that we do not follow.
    NotAboutIt(&'static str),
    /// The newest list was overdue at the moment asked about (or was not yet issued): its date is given.
    Stale(OffsetDateTime),
    /// The certificate had expired before the list was made, and the list may leave out expired ones.
    ExpiredBefore(OffsetDateTime),
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
            [next, rest @ ..] if matches!(next.tag, 0x17 | 0x18) => (Some(next), rest),
            rest => (None, rest),
        };
        let (lines, rest) = match rest {
            [lines, rest @ ..] if lines.tag == tlv::SEQUENCE => (lines.content, rest),
            rest => (&[][..], rest),
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
        Some(Self {
            der: der.to_vec(),
            to_be_signed: to_be_signed.whole.to_vec(),
            issuer: Name::from_der(issuer.expect(tlv::SEQUENCE).ok()?.whole),
            this_update: moment(&Time::from_der(this_update.whole).ok()?)?,
            next_update: match next_update {
                Some(next) => Some(moment(&Time::from_der(next.whole).ok()?)?),
                None => None,
            },
            number,
            signature_algorithm: AlgorithmIdentifierOwned::from_der(algorithm.whole).ok()?,
            signature: signature.expect(tlv::BIT_STRING).ok()?.content.strip_prefix(&[0])?.to_vec(),
            lines: lines.to_vec(),
            scope: Scope::read(&extensions)?,
            keeps_expired_since,
        })
    }

    /// The original bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Checks that this public key signed the list.
    ///
    /// # Errors
    /// See [`SignatureFault`].
    pub fn is_signed_by(&self, public_key: &[u8]) -> Result<(), SignatureFault> {
        crypto::verify(public_key, &self.signature_algorithm, &self.to_be_signed, &self.signature)
    }

    /// The line about this serial number (content octets), if there is one.
    ///
    /// # Errors
    /// [`NotAList`] where a line cannot be read: then the list proves nothing about anyone.
    pub fn line(&self, serial: &[u8]) -> Result<Option<Revocation>, NotAList> {
        let mut rest = self.lines.as_slice();
        let mut found: Option<Revocation> = None;
        while !rest.is_empty() {
            let (line, after) = Element::read(rest).map_err(|_| NotAList)?;
            rest = after;
            let (number, _) =
                Element::read(line.expect(tlv::SEQUENCE).map_err(|_| NotAList)?.content).map_err(|_| NotAList)?;
            if number.tag != tlv::INTEGER {
                return Err(NotAList);
            }
            if number.content == serial {
                let Some(revocation) = read_line(&line).ok_or(NotAList)? else { continue };
                // A serial listed twice: the earlier moment counts.
                found = Some(match found {
                    Some(earlier) if earlier.effective() <= revocation.effective() => earlier,
                    _ => revocation,
                });
            }
        }
        Ok(found)
    }

    fn scope_fault(&self, certificate: &Certificate) -> Option<&'static str> {
        match &self.scope {
            Scope::All => None,
            Scope::Unsupported(what) | Scope::Partial(what) => Some(what),
            Scope::Only { users: true, .. } if certificate.is_ca => Some("user certificates only"),
            Scope::Only { authorities: true, .. } if !certificate.is_ca => Some("authority certificates only"),
            // RFC 5280 §6.3.3 (b)(2)(i): a name of the list's point must be one of the certificate's.
            Scope::Only { points: Some(points), .. }
                if !points.iter().any(|point| certificate.crl_points.contains(point)) =>
            {
                Some("another distribution point")
            }
            Scope::Only { .. } => None,
        }
    }
}

/// What `lists` prove about `certificate` at a moment, where `issuer`'s key signed it.
///
/// Lists of other issuers may be among them. Of several usable lists any that tells of a revocation counts, whether
/// overdue or not, as a revocation is for ever; a hold counts if the newest list still has it.
pub fn standing(
    certificate: &Certificate,
    issuer: &Certificate,
    lists: &[RevocationList],
    at: OffsetDateTime,
) -> Standing {
    // RFC 5280 §6.3.3 (f): an issuer whose key usage is restricted must be allowed to sign lists.
    if issuer.key_usage.is_some_and(|usage| !usage.crl_sign) {
        return Standing::Unknown(Unknown::NotSignedByIssuer);
    }
    let mut unknown = Unknown::NoList;
    let mut usable = Vec::new();
    for list in lists.iter().filter(|list| list.issuer.means(&certificate.issuer)) {
        let weakness = match list.is_signed_by(&issuer.public_key) {
            Ok(()) => None,
            Err(SignatureFault::Weak(algorithm)) => Some(algorithm),
            Err(_) => {
                unknown = unknown.or(Unknown::NotSignedByIssuer);
                continue;
            }
        };
        if let Some(why) = list.scope_fault(certificate) {
            unknown = unknown.or(Unknown::NotAboutIt(why));
            if let (Scope::Partial(_), Ok(Some(line))) = (&list.scope, list.line(&certificate.serial))
                && line.effective() <= at
            {
                return Standing::Revoked(line);
            }
            continue;
        }
        match list.line(&certificate.serial) {
            Ok(line) => usable.push((list, line, weakness)),
            Err(NotAList) => unknown = unknown.or(Unknown::NotAboutIt("a list that cannot be read to its end")),
        }
    }
    usable.sort_by_key(|(list, ..)| list.this_update);
    let newest = usable.len().saturating_sub(1);
    let mut later: Option<Revocation> = None;
    for (i, (_, line, _)) in usable.iter().enumerate() {
        match line {
            Some(line) if line.reason == Reason::CertificateHold && i != newest => {}
            Some(line) if line.effective() <= at => return Standing::Revoked(*line),
            Some(line) => later = later.or(Some(*line)),
            None => {}
        }
    }
    for (list, _, weakness) in usable.into_iter().rev() {
        let kept = certificate.not_after >= list.this_update
            || list.keeps_expired_since.is_some_and(|since| since <= certificate.not_after);
        if list.this_update >= at || list.next_update.is_some_and(|next| at <= next) {
            if kept || later.is_some() {
                return Standing::Good { list: list.this_update, later, weakness };
            }
            unknown = unknown.or(Unknown::ExpiredBefore(list.this_update));
        } else {
            unknown = unknown.or(Unknown::Stale(list.this_update));
        }
    }
    Standing::Unknown(unknown)
}

impl Unknown {
    /// Keeps the most telling reason: the one nearest to a usable list.
    fn or(self, other: Self) -> Self {
        fn rank(unknown: &Unknown) -> u8 {
            match unknown {
                Unknown::NoList => 0,
                Unknown::NotSignedByIssuer => 1,
                Unknown::NotAboutIt(_) => 2,
                Unknown::ExpiredBefore(_) => 3,
                Unknown::Stale(_) => 4,
            }
        }
        if rank(&other) > rank(&self) { other } else { self }
    }
}

struct Extension<'a> {
    oid: ObjectIdentifier,
    critical: bool,
    value: &'a [u8],
}

fn read_extensions<'a>(list: &Element<'a>) -> Option<Vec<Extension<'a>>> {
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

/// None where it cannot be read; nothing inside where a delta list takes the certificate off the list.
fn read_line(line: &Element<'_>) -> Option<Option<Revocation>> {
    let parts = line.children().ok()?;
    let (at, extensions) = match parts.as_slice() {
        [_, at] => (at, Vec::new()),
        [_, at, extensions] => (at, read_extensions(extensions)?),
        _ => return None,
    };
    let mut revocation =
        Revocation { at: moment(&Time::from_der(at.whole).ok()?)?, reason: Reason::Unspecified, invalid_since: None };
    for extension in extensions {
        match extension.oid {
            rfc5280::ID_CE_CRL_REASONS => {
                let code = Element::read_all(extension.value).ok()?.expect(0x0A).ok()?;
                let [code] = code.content else { return None };
                if *code == REMOVE_FROM_CRL {
                    return Some(None);
                }
                revocation.reason = Reason::of_code(*code)?;
            }
            rfc5280::ID_CE_INVALIDITY_DATE => {
                revocation.invalid_since = Some(moment(&Time::from_der(extension.value).ok()?)?);
            }
            // RFC 5280 §5.3: an unknown critical extension makes the list unusable.
            _ if extension.critical => return None,
            _ => {}
        }
    }
    Some(Some(revocation))
}

/// CRLReason removeFromCRL (RFC 5280 §5.3.1), met in delta lists.
const REMOVE_FROM_CRL: u8 = 8;

impl Scope {
    fn read(extensions: &[Extension<'_>]) -> Option<Self> {
        let mut scope = Self::All;
        for extension in extensions {
            match extension.oid {
                rfc5280::ID_CE_DELTA_CRL_INDICATOR => return Some(Self::Partial("a delta list")),
                rfc5280::ID_CE_ISSUING_DISTRIBUTION_POINT => {
                    let point = IssuingDistributionPoint::from_der(extension.value).ok()?;
                    if point.indirect_crl {
                        return Some(Self::Unsupported("an indirect list"));
                    }
                    if point.only_some_reasons.is_some() {
                        return Some(Self::Partial("a list for some reasons only"));
                    }
                    if point.only_contains_attribute_certs {
                        return Some(Self::Unsupported("a list of attribute certificates"));
                    }
                    let points = match point.distribution_point {
                        None => None,
                        Some(DistributionPointName::FullName(names)) => {
                            Some(names.iter().map(Encode::to_der).collect::<Result<_, _>>().ok()?)
                        }
                        Some(DistributionPointName::NameRelativeToCRLIssuer(_)) => {
                            return Some(Self::Unsupported("a distribution point by relative name"));
                        }
                    };
                    scope = Self::Only {
                        users: point.only_contains_user_certs,
                        authorities: point.only_contains_ca_certs,
                        points,
                    };
                }
                rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER | rfc5280::ID_CE_CRL_NUMBER => {}
                _ if extension.critical => return Some(Self::Unsupported("a list with an unknown critical extension")),
                _ => {}
            }
        }
        Some(scope)
    }
}
