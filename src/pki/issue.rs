//! Making certificates, requests and revocation lists: the bytes to be signed first, the finished thing afterwards.
//!
//! The key signs only what the store has written down (an order), so nothing here holds a key. Serial numbers and times
//! are arguments. Profiles follow RFC 5280 §4, and for seals the subject shape of provincial seal authorities.

mod addresses;
mod stamping;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc5912, rfc6960};
use der::{Decode, Encode};
use spki::AlgorithmIdentifierOwned;
use time::OffsetDateTime;

use super::certificate::Certificate;
use super::name::{Name, NameFault};
use super::tlv::{self, Element};
use crate::crypto::{self, KeyAlgorithm, SignatureFault};
use crate::limits;
use crate::message::Message;

pub use addresses::Addresses;
pub use stamping::stamping;

/// Something of ours that waits for its signature: a certificate, a request, a revocation list, a basic OCSP response. All
/// have the same frame: `SEQUENCE { to be signed, algorithm, signature }`.
#[derive(Debug)]
pub struct Unsigned {
    to_be_signed: Vec<u8>,
    algorithm: KeyAlgorithm,
    signer_public_key: Vec<u8>,
}

impl Unsigned {
    /// The message that the key signs.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.to_be_signed
    }

    /// Takes up again bytes that were written down before a crash.
    ///
    /// # Errors
    /// [`IssueFault::Key`] where the public key is not of a kind that signs for us.
    pub fn again(to_be_signed: Vec<u8>, signer_public_key: &[u8]) -> Result<Self, IssueFault> {
        let algorithm = certified(signer_public_key)?;
        Ok(Self { to_be_signed, algorithm, signer_public_key: signer_public_key.to_vec() })
    }

    /// The finished DER.
    ///
    /// # Errors
    /// [`IssueFault::Signature`] where the value is not this key's over these bytes: nothing wrong leaves the house.
    pub fn signed(self, signature: &[u8]) -> Result<Vec<u8>, IssueFault> {
        let algorithm = self.algorithm.signature_algorithm();
        crypto::verify(&self.signer_public_key, &algorithm, &self.to_be_signed, signature)
            .map_err(IssueFault::Signature)?;
        Ok(tlv::wrap(tlv::SEQUENCE, &[&self.to_be_signed, &encoded(&algorithm)?, &tlv::bit_string(signature)]))
    }
}

/// The kind of a key (DER SubjectPublicKeyInfo) that a certificate may be made for, or that may sign one.
///
/// # Errors
/// [`IssueFault::Key`], or [`IssueFault::LogKey`] where it is a log's.
pub fn certified(public_key: &[u8]) -> Result<KeyAlgorithm, IssueFault> {
    match KeyAlgorithm::of_public_key(public_key).map_err(IssueFault::Key)? {
        algorithm if algorithm.is_certified() => Ok(algorithm),
        _ => Err(IssueFault::LogKey),
    }
}

/// A serial number of 16 octets: positive, never zero, always of the same length (RFC 5280 §4.1.2.2 allows 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serial([u8; 16]);

impl Serial {
    /// From random octets; the two highest bits are set to 01, so that it is positive and no octet is lost.
    pub fn from_random(mut octets: [u8; 16]) -> Self {
        octets[0] = octets[0] & 0x3F | 0x40;
        Self(octets)
    }

    /// Content octets of the INTEGER, as in [`Fields::serial`](crate::pki::certificate::Fields::serial).
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// First and last moment of a certificate, whole seconds count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
}

/// A root that signs itself; it may sign issuing authorities, and those end certificates only.
///
/// # Errors
/// [`IssueFault`]; `public_key` is DER SubjectPublicKeyInfo here and below.
pub fn root(name: &Name, public_key: &[u8], serial: Serial, period: Period) -> Result<Unsigned, IssueFault> {
    let extensions =
        vec![basic_constraints(1), key_usage(KEY_CERT_SIGN | CRL_SIGN), subject_key_identifier(public_key)?];
    certificate(name, public_key, name, public_key, serial, period, extensions)
}

/// An issuing authority under a root; it signs seal certificates and its own revocation list.
///
/// # Errors
/// [`IssueFault`], also where `issuer` may not sign certificates or the period is not within the issuer's.
pub fn issuing_authority(
    issuer: &Certificate,
    name: &Name,
    public_key: &[u8],
    serial: Serial,
    period: Period,
    addresses: &Addresses,
) -> Result<Unsigned, IssueFault> {
    let mut extensions =
        vec![basic_constraints(0), key_usage(KEY_CERT_SIGN | CRL_SIGN), subject_key_identifier(public_key)?];
    extensions.extend(issued_by(issuer, period, addresses)?);
    certificate(&issuer.subject, &issuer.public_key, name, public_key, serial, period, extensions)
}

/// A seal's certificate: signs documents and nothing else. `subject` as of [`Name::of_seal`].
///
/// # Errors
/// As [`issuing_authority`].
pub fn seal(
    issuer: &Certificate,
    subject: &Name,
    public_key: &[u8],
    serial: Serial,
    period: Period,
    addresses: &Addresses,
) -> Result<Unsigned, IssueFault> {
    let mut extensions = vec![key_usage(DIGITAL_SIGNATURE | NON_REPUDIATION), subject_key_identifier(public_key)?];
    extensions.extend(issued_by(issuer, period, addresses)?);
    certificate(&issuer.subject, &issuer.public_key, subject, public_key, serial, period, extensions)
}

/// The certificate of a key that answers in the issuer's place (RFC 6960 §4.2.2.2) and does nothing else. Nobody need ask about
/// it in turn (id-pkix-ocsp-nocheck, §4.2.2.2.1), so its period must be short.
///
/// # Errors
/// As [`issuing_authority`].
pub fn responder(
    issuer: &Certificate,
    name: &Name,
    public_key: &[u8],
    serial: Serial,
    period: Period,
) -> Result<Unsigned, IssueFault> {
    let purpose = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(rfc5912::ID_KP_OCSP_SIGNING)]);
    let mut extensions = vec![
        key_usage(DIGITAL_SIGNATURE),
        extension(rfc5280::ID_CE_EXT_KEY_USAGE, false, &purpose),
        extension(rfc6960::ID_PKIX_OCSP_NOCHECK, false, &[5, 0]),
        subject_key_identifier(public_key)?,
    ];
    extensions.extend(issued_by(issuer, period, &Addresses::default())?);
    certificate(&issuer.subject, &issuer.public_key, name, public_key, serial, period, extensions)
}

/// The serial number in a certificate that waits for its signature, as in [`Fields::serial`](crate::pki::certificate::Fields::serial); None for anything else.
pub fn serial_of(unsigned: &Unsigned) -> Option<Vec<u8>> {
    let fields = Element::read_all(unsigned.to_be_signed()).ok()?.children().ok()?;
    let [version, serial, ..] = fields.as_slice() else { return None };
    (version.tag == tlv::context(0) && serial.tag == tlv::INTEGER).then(|| serial.content.to_vec())
}

fn certificate(
    issuer: &Name,
    issuer_public_key: &[u8],
    subject: &Name,
    public_key: &[u8],
    serial: Serial,
    period: Period,
    extensions: Vec<Vec<u8>>,
) -> Result<Unsigned, IssueFault> {
    if period.not_before >= period.not_after {
        return Err(IssueFault::Period);
    }
    certified(public_key)?;
    let algorithm = certified(issuer_public_key)?;
    let version_3 = tlv::wrap(tlv::context(0), &[&tlv::unsigned_integer(&[2])]);
    let validity = tlv::wrap(tlv::SEQUENCE, &[&time(period.not_before)?, &time(period.not_after)?]);
    let extensions = tlv::wrap(tlv::SEQUENCE, &extensions.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let to_be_signed = tlv::wrap(
        tlv::SEQUENCE,
        &[
            &version_3,
            &tlv::unsigned_integer(serial.as_bytes()),
            &encoded(&algorithm.signature_algorithm())?,
            issuer.as_der(),
            &validity,
            subject.as_der(),
            public_key,
            &tlv::wrap(tlv::context(3), &[&extensions]),
        ],
    );
    Unsigned::again(to_be_signed, issuer_public_key)
}

// — requests (PKCS#10, RFC 2986)

/// A request to an outside authority for a certificate on a key of ours; that key signs it.
///
/// # Errors
/// [`IssueFault::Key`] where the key is not of a kind we use.
pub fn request(subject: &Name, public_key: &[u8]) -> Result<Unsigned, IssueFault> {
    let no_attributes = tlv::wrap(tlv::context(0), &[]);
    let to_be_signed =
        tlv::wrap(tlv::SEQUENCE, &[&tlv::unsigned_integer(&[0]), subject.as_der(), public_key, &no_attributes]);
    Unsigned::again(to_be_signed, public_key)
}

/// A request whose signature shows that its sender has the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub subject: Name,
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
}

impl Request {
    /// Reads a DER request and checks its proof of possession. Attributes are not looked at: the issuer decides.
    ///
    /// # Errors
    /// [`IssueFault::NotARequest`], or [`IssueFault::Signature`] where the proof fails.
    pub fn read(der: &[u8]) -> Result<Self, IssueFault> {
        if der.len() > limits::CERTIFICATE_BYTES {
            return Err(IssueFault::NotARequest);
        }
        let parts = Element::read_all(der).and_then(|request| request.children());
        let parts = parts.map_err(|_| IssueFault::NotARequest)?;
        let [info, algorithm, signature] = parts.as_slice() else { return Err(IssueFault::NotARequest) };
        let fields = info.children().map_err(|_| IssueFault::NotARequest)?;
        let [version, subject, public_key, ..] = fields.as_slice() else { return Err(IssueFault::NotARequest) };
        let signature = signature.expect(tlv::BIT_STRING).map_err(|_| IssueFault::NotARequest)?;
        let (Some(signature), [0]) = (signature.content.strip_prefix(&[0]), version.content) else {
            return Err(IssueFault::NotARequest);
        };
        let algorithm = AlgorithmIdentifierOwned::from_der(algorithm.whole).map_err(|_| IssueFault::NotARequest)?;
        crypto::verify(public_key.whole, &algorithm, info.whole, signature).map_err(IssueFault::Signature)?;
        Ok(Self { subject: Name::from_der(subject.whole), public_key: public_key.whole.to_vec() })
    }
}

// — revocation lists (RFC 5280 §5)

/// One line of a revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// As in [`Fields::serial`](crate::pki::certificate::Fields::serial).
    pub serial: Vec<u8>,
    /// From when on it is revoked; for an abolished seal the instant of the order.
    pub at: OffsetDateTime,
    pub reason: Reason,
    /// From when on the key is suspected or known to be out of control, where that is earlier (RFC 5280 §5.3.2).
    pub invalid_since: Option<OffsetDateTime>,
}

/// CRLReason (RFC 5280 §5.3.1), without those of delta lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    Unspecified,
    KeyCompromise,
    CaCompromise,
    AffiliationChanged,
    /// A successor took over: a seal that was made anew.
    Superseded,
    /// No longer needed: a seal that was abolished.
    CessationOfOperation,
    /// Suspended; may be lifted.
    CertificateHold,
    PrivilegeWithdrawn,
    AaCompromise,
}

impl Reason {
    /// Number on the wire.
    pub fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }

    pub(super) fn of_code(code: u8) -> Option<Self> {
        [
            Self::Unspecified,
            Self::KeyCompromise,
            Self::CaCompromise,
            Self::AffiliationChanged,
            Self::Superseded,
            Self::CessationOfOperation,
            Self::CertificateHold,
            Self::PrivilegeWithdrawn,
            Self::AaCompromise,
        ]
        .into_iter()
        .find(|reason| reason.code() == code)
    }
}

/// A complete revocation list of `issuer`, version 2, with its number and key identifier.
///
/// It says that revoked certificates stay on it after they expire (X.509 §9.5.2.8 expiredCertsOnCRL, from the issuer's
/// first day), because a document sealed today is asked about in twenty years; so the caller must never drop a line.
///
/// # Errors
/// [`IssueFault`], also where `issuer` may not sign lists or `next_update` is not after `this_update`.
pub fn revocation_list(
    issuer: &Certificate,
    number: u64,
    this_update: OffsetDateTime,
    next_update: OffsetDateTime,
    revoked: &[Revoked],
) -> Result<Unsigned, IssueFault> {
    if issuer.key_usage.is_some_and(|usage| !usage.crl_sign) {
        return Err(IssueFault::Issuer);
    }
    if next_update <= this_update {
        return Err(IssueFault::Period);
    }
    let algorithm = certified(&issuer.public_key)?;
    let mut lines = Vec::new();
    for line in revoked {
        let mut extensions = Vec::new();
        // RFC 5280 §5.3.1: an unspecified reason is left out.
        if line.reason != Reason::Unspecified {
            let code = tlv::wrap(0x0A, &[&[line.reason.code()]]);
            extensions.push(extension(rfc5280::ID_CE_CRL_REASONS, false, &code));
        }
        if let Some(since) = line.invalid_since {
            extensions.push(extension(rfc5280::ID_CE_INVALIDITY_DATE, false, &generalized_time(since)?));
        }
        let extensions = match extensions.as_slice() {
            [] => Vec::new(),
            some => tlv::wrap(tlv::SEQUENCE, &some.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        };
        let serial = tlv::wrap(tlv::INTEGER, &[&line.serial]);
        lines.push(tlv::wrap(tlv::SEQUENCE, &[&serial, &time(line.at)?, &extensions]));
    }
    // RFC 5280 §5.1.2.6: an empty list is left out.
    let lines = match lines.as_slice() {
        [] => Vec::new(),
        some => tlv::wrap(tlv::SEQUENCE, &some.iter().map(Vec::as_slice).collect::<Vec<_>>()),
    };
    let extensions = tlv::wrap(
        tlv::SEQUENCE,
        &[
            &authority_key_identifier(issuer)?,
            &extension(rfc5280::ID_CE_CRL_NUMBER, false, &tlv::unsigned_integer(&number.to_be_bytes())),
            &extension(EXPIRED_CERTS_ON_CRL, false, &generalized_time(issuer.not_before)?),
        ],
    );
    let to_be_signed = tlv::wrap(
        tlv::SEQUENCE,
        &[
            &tlv::unsigned_integer(&[1]),
            &encoded(&algorithm.signature_algorithm())?,
            issuer.subject.as_der(),
            &time(this_update)?,
            &time(next_update)?,
            &lines,
            &tlv::wrap(tlv::context(0), &[&extensions]),
        ],
    );
    Unsigned::again(to_be_signed, &issuer.public_key)
}

// — extensions (RFC 5280 §4.2)

/// X.509 (10/2019) §9.5.2.8.
pub(super) const EXPIRED_CERTS_ON_CRL: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.60");

/// KeyUsage bits by their position from the left of the first octet.
const DIGITAL_SIGNATURE: u8 = 0x80;
const NON_REPUDIATION: u8 = 0x40;
const KEY_CERT_SIGN: u8 = 0x04;
const CRL_SIGN: u8 = 0x02;

pub(super) fn extension(oid: ObjectIdentifier, critical: bool, value: &[u8]) -> Vec<u8> {
    // DER leaves out a default, and FALSE is one.
    let critical = if critical { tlv::wrap(tlv::BOOLEAN, &[&[0xFF]]) } else { Vec::new() };
    let value = tlv::wrap(tlv::OCTET_STRING, &[value]);
    tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(oid), &critical, &value])
}

fn basic_constraints(path_length: u8) -> Vec<u8> {
    let ca = tlv::wrap(tlv::BOOLEAN, &[&[0xFF]]);
    let value = tlv::wrap(tlv::SEQUENCE, &[&ca, &tlv::unsigned_integer(&[path_length])]);
    extension(rfc5280::ID_CE_BASIC_CONSTRAINTS, true, &value)
}

fn key_usage(bits: u8) -> Vec<u8> {
    // A named bit list ends at its last one bit (X.690 §11.2.2).
    let value = tlv::wrap(tlv::BIT_STRING, &[&[bits.trailing_zeros() as u8, bits]]);
    extension(rfc5280::ID_CE_KEY_USAGE, true, &value)
}

fn subject_key_identifier(public_key: &[u8]) -> Result<Vec<u8>, IssueFault> {
    let id = tlv::wrap(tlv::OCTET_STRING, &[&key_identifier(public_key)?]);
    Ok(extension(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, false, &id))
}

fn authority_key_identifier(issuer: &Certificate) -> Result<Vec<u8>, IssueFault> {
    let id = match &issuer.subject_key_id {
        Some(id) => id.clone(),
        None => key_identifier(&issuer.public_key)?,
    };
    let value = tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(tlv::context_primitive(0), &[&id])]);
    Ok(extension(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, false, &value))
}

/// The leftmost 160 bits of SHA-256 of the key's BIT STRING (RFC 7093 §2 method 1): no SHA-1 anywhere.
fn key_identifier(public_key: &[u8]) -> Result<Vec<u8>, IssueFault> {
    const BAD: IssueFault = IssueFault::Key(SignatureFault::Malformed("public key"));
    let parts = Element::read_all(public_key).and_then(|key| key.children()).map_err(|_| BAD)?;
    let [_, bits] = parts.as_slice() else { return Err(BAD) };
    let bits = bits.content.strip_prefix(&[0]).ok_or(BAD)?;
    Ok(crypto::sha256(bits)[..20].to_vec())
}

/// What every certificate under an issuer carries, and the checks that it may be issued at all.
fn issued_by(issuer: &Certificate, period: Period, addresses: &Addresses) -> Result<Vec<Vec<u8>>, IssueFault> {
    if !issuer.is_ca || issuer.key_usage.is_some_and(|usage| !usage.key_cert_sign) {
        return Err(IssueFault::Issuer);
    }
    // All certificates of a path must be in force at the moment asked about: one that outlives its issuer is of no use.
    if period.not_before < issuer.not_before || period.not_after > issuer.not_after {
        return Err(IssueFault::Period);
    }
    let mut extensions = vec![authority_key_identifier(issuer)?];
    extensions.extend(addresses.extensions()?);
    Ok(extensions)
}

// — times and algorithms

/// UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5).
fn time(at: OffsetDateTime) -> Result<Vec<u8>, IssueFault> {
    let at = at.to_offset(time::UtcOffset::UTC);
    if (1950..2050).contains(&at.year()) {
        let text = format!("{:02}{}", at.year().rem_euclid(100), month_to_second(at));
        return Ok(tlv::wrap(0x17, &[text.as_bytes()]));
    }
    generalized_time(at)
}

pub(super) fn generalized_time(at: OffsetDateTime) -> Result<Vec<u8>, IssueFault> {
    let at = at.to_offset(time::UtcOffset::UTC);
    if !(0..=9999).contains(&at.year()) {
        return Err(IssueFault::Period);
    }
    Ok(tlv::wrap(0x18, &[format!("{:04}{}", at.year(), month_to_second(at)).as_bytes()]))
}

fn month_to_second(at: OffsetDateTime) -> String {
    format!("{:02}{:02}{:02}{:02}{:02}Z", u8::from(at.month()), at.day(), at.hour(), at.minute(), at.second())
}

fn encoded(algorithm: &AlgorithmIdentifierOwned) -> Result<Vec<u8>, IssueFault> {
    algorithm.to_der().map_err(|_| IssueFault::Key(SignatureFault::Malformed("algorithm")))
}

/// Why something cannot be issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueFault {
    #[error("{}", self.message())]
    Name(#[from] NameFault),
    /// A public key that is not one of ours.
    #[error("{}", self.message())]
    Key(SignatureFault),
    /// A kind of key that signs for logs and witnesses alone.
    #[error("{}", self.message())]
    LogKey,
    /// The signature value does not belong to what was to be signed.
    #[error("{}", self.message())]
    Signature(SignatureFault),
    /// The issuer may not sign this kind of thing.
    #[error("{}", self.message())]
    Issuer,
    /// The period is empty, or not within the issuer's.
    #[error("{}", self.message())]
    Period,
    #[error("{}", self.message())]
    CrlUrl,
    #[error("{}", self.message())]
    NotARequest,
}

impl IssueFault {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::Name(fault) => Message::new(
                "pki.name",
                "证书名称不合规：每项 1 至 64 个字符，国家为两个大写字母。请修改单位名称或印章编码。",
                format!("The certificate's name is not allowed: {fault}. Change the unit's name or the seal's number."),
            ),
            Self::Key(fault) => Message::new(
                "pki.key",
                format!("公钥不可用：{}", fault.message().zh),
                format!("The public key cannot be used: {}", fault.message().en),
            ),
            Self::LogKey => Message::new(
                "pki.log-key",
                "Ed25519 密钥只用于日志和见证，不发证书，不能用作印章或证书机构的密钥。请用 ecdsa-p256。",
                "An Ed25519 key signs for a log or a witness alone and gets no certificate: it cannot be a seal's or an authority's. Use ecdsa-p256.",
            ),
            Self::Signature(fault) => Message::new(
                "pki.signature",
                format!("签名值与待签内容不符，未予采用：{}请检查密钥与证书是否对应。", fault.message().zh),
                format!(
                    "The signature was not accepted: {} Check that key and certificate belong together.",
                    fault.message().en
                ),
            ),
            Self::Issuer => Message::new(
                "pki.issuer",
                "该证书无权签发。请使用 CA 证书。",
                "This certificate may not issue. Use that of a certificate authority.",
            ),
            Self::Period => Message::new(
                "pki.period",
                "有效期为空，或超出签发者证书的有效期。请缩短有效期或更新 CA 证书。",
                "The period is empty or not within the issuer's own. Shorten it, or renew the authority's certificate.",
            ),
            Self::CrlUrl => Message::new(
                "pki.crl-url",
                "CRL、OCSP 等地址须为 http:// 或 https:// 开头的 ASCII 地址。请修改设置。",
                "Addresses of lists and responders must be ASCII http:// or https:// addresses. Change the settings.",
            ),
            Self::NotARequest => Message::new(
                "pki.not-a-request",
                "内容不是 PKCS#10 证书请求。请提供 DER 或 PEM 格式的请求文件。",
                "This is not a PKCS#10 certificate request. Supply one in DER or PEM form.",
            ),
        }
    }
}
