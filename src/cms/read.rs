//! Takes a CMS apart without changing a byte.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc3161, rfc5911, rfc5912};
use der::Decode;
use spki::AlgorithmIdentifierOwned;
use time::OffsetDateTime;

use super::revocation::other_revocation;
use crate::crypto::{self, Digest};
use crate::limits;
use crate::message::Message;
use crate::pki::certificate::Certificate;
use crate::pki::name::Name;
use crate::pki::tlv::{self, Element};

/// How a signature is tied to the content outside it. All but the first are old PDF kinds (ISO 32000-1 table 257).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// RFC 5652: over the content, wherever it is.
    Cms,
    /// `adbe.pkcs7.sha1`: the content inside is the SHA-1 digest of the content outside.
    DigestInside,
    /// `adbe.x509.rsa_sha1`: no CMS at all but a bare RSA value over the content, the certificates beside it.
    BareValue,
}

/// A SignedData (RFC 5652 §5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedData {
    pub form: Form,
    /// eContentType; id-data in a PDF signature.
    pub content_type: ObjectIdentifier,
    /// The content, where it travels inside; None in a detached signature.
    pub content: Option<Vec<u8>>,
    /// X.509 certificates as found and in the order found; not necessarily readable.
    pub certificates: Vec<Vec<u8>>,
    /// Attribute certificates and other kinds, passed over.
    pub other_certificates: usize,
    /// CRLs as found.
    pub crls: Vec<Vec<u8>>,
    /// OCSP responses among them (RFC 5940).
    pub responses: Vec<Vec<u8>>,
    /// The signers; anything but exactly one is a finding in a PDF (ISO 32000-2 §12.8.3.3.1).
    pub signers: Vec<Signer>,
    /// Bytes after the structure that are not the zero padding of a PDF hole: room for something unsigned.
    pub trailing: usize,
}

/// A SignerInfo (RFC 5652 §5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    pub name: SignerName,
    pub digest_algorithm: ObjectIdentifier,
    /// The whole `[0]` element as found; None where the content was signed without attributes.
    pub signed_attributes_raw: Option<Vec<u8>>,
    pub signed_attributes: Vec<Attribute>,
    pub signature_algorithm: AlgorithmIdentifierOwned,
    pub signature: Vec<u8>,
    /// Time stamps, countersignatures and the like; not covered by the signature.
    pub unsigned_attributes: Vec<Attribute>,
}

/// How a SignerInfo names its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerName {
    /// `serial` as the content octets of the INTEGER.
    IssuerAndSerial {
        issuer: Name,
        serial: Vec<u8>,
    },
    KeyIdentifier(Vec<u8>),
}

impl SignerName {
    /// As the certificate's issuer names it.
    pub fn of(certificate: &Certificate) -> Self {
        Self::IssuerAndSerial { issuer: certificate.issuer.clone(), serial: certificate.serial.clone() }
    }

    /// Whether it is this certificate that is named.
    pub fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerial { issuer, serial } => {
                certificate.serial == *serial && certificate.issuer.means(issuer)
            }
            Self::KeyIdentifier(id) => certificate.subject_key_id.as_ref() == Some(id),
        }
    }

    /// Bytes without which a certificate is not the one that is named.
    pub(super) fn mark(&self) -> &[u8] {
        match self {
            Self::IssuerAndSerial { serial, .. } => serial,
            Self::KeyIdentifier(id) => id,
        }
    }
}

/// An attribute with its values as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub oid: AttributeType,
    /// Whole elements.
    pub values: Vec<Vec<u8>>,
}

/// What an attribute is: the content octets of its object identifier. A UUID makes an arc of 128 bits (X.667), which
/// [`ObjectIdentifier`] does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeType(Vec<u8>);

impl AttributeType {
    /// By its content octets.
    pub(crate) fn of(octets: &[u8]) -> Self {
        Self(octets.to_vec())
    }

    /// The content octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for AttributeType {
    /// With dots, or the octets in hexadecimal where an arc is too large for that.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match ObjectIdentifier::from_bytes(&self.0) {
            Ok(oid) => oid.fmt(f),
            Err(_) => f.write_str(&hex::encode(&self.0)),
        }
    }
}

impl From<ObjectIdentifier> for AttributeType {
    fn from(oid: ObjectIdentifier) -> Self {
        Self(oid.as_bytes().to_vec())
    }
}

impl PartialEq<ObjectIdentifier> for AttributeType {
    fn eq(&self, other: &ObjectIdentifier) -> bool {
        self.0 == other.as_bytes()
    }
}

/// One ESSCertID or ESSCertIDv2 (RFC 5035 §3, §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateReference {
    pub digest_algorithm: ObjectIdentifier,
    pub digest: Vec<u8>,
    /// Issuer and serial number (content octets of the INTEGER), where it names them: a hint, but a wrong one is a fault.
    pub issuer_and_serial: Option<(Name, Vec<u8>)>,
}

/// Why bytes cannot be taken as a CMS signature, or one cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CmsError {
    #[error("{}", self.message())]
    TooLarge,
    /// A ContentInfo, but of some other type than SignedData.
    #[error("{}", self.message())]
    NotSignedData,
    /// The named part cannot be read.
    #[error("{}", self.message())]
    Malformed(&'static str),
}

impl CmsError {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::TooLarge => Message::new(
                "cms.too-large",
                format!("签名数据超过 {} 字节，不予读取。", limits::CMS_BYTES),
                format!("The signature is larger than {} bytes and is not read.", limits::CMS_BYTES),
            ),
            Self::NotSignedData => Message::new(
                "cms.not-signed-data",
                "这是 CMS 数据，但不是签名（SignedData）。请提供签名文件。",
                "This is CMS, but not a signature (SignedData). Supply the signature.",
            ),
            Self::Malformed(part) => Message::new(
                "cms.malformed",
                format!("CMS 签名已损坏，无法读取：{part}。请向发文机关索取原件。"),
                format!("The CMS signature is damaged and cannot be read: {part}. Ask the issuer for the original."),
            ),
        }
    }
}

/// The same structure under the name that GB/T 35275 §7 gives it.
const GM_SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.6.1.4.2.2");

/// Reads a ContentInfo with a SignedData, BER or DER, which may be followed by zero octets (PDF holes are filled so).
///
/// # Errors
/// [`CmsError`]; nothing inside an otherwise readable signature is an error, it is left to the checks.
pub fn read(bytes: &[u8]) -> Result<SignedData, CmsError> {
    if bytes.len() > limits::CMS_BYTES {
        return Err(CmsError::TooLarge);
    }
    let (content_info, rest) = Element::read(bytes).map_err(|_| CmsError::Malformed("ContentInfo"))?;
    let parts = children(&content_info, tlv::SEQUENCE, "ContentInfo")?;
    let [content_type, content] = parts.as_slice() else { return Err(CmsError::Malformed("ContentInfo")) };
    if !matches!(oid(content_type, "content type")?, rfc5911::ID_SIGNED_DATA | GM_SIGNED_DATA) {
        return Err(CmsError::NotSignedData);
    }
    let inside = children(content, tlv::context(0), "content")?;
    let [signed_data] = inside.as_slice() else { return Err(CmsError::Malformed("content")) };
    read_signed_data(signed_data, trailing(rest))
}

/// Reads the /Contents of a PDF signature of this /SubFilter; `certificates` are those of its /Cert, the signer's first.
///
/// # Errors
/// As [`read`]; an unknown kind is read as a CMS.
pub fn read_pdf(sub_filter: &str, contents: &[u8], certificates: &[Vec<u8>]) -> Result<SignedData, CmsError> {
    match sub_filter {
        "adbe.x509.rsa_sha1" => read_bare_value(contents, certificates),
        "adbe.pkcs7.sha1" => Ok(SignedData { form: Form::DigestInside, ..read(contents)? }),
        _ => read(contents),
    }
}

/// ISO 32000-1 §12.8.3.2: an OCTET STRING with a PKCS#1 value. The digest is not named but in the value itself; SHA-1 at
/// first, others since PDF 1.6 (table 257).
fn read_bare_value(contents: &[u8], certificates: &[Vec<u8>]) -> Result<SignedData, CmsError> {
    const BAD: CmsError = CmsError::Malformed("PKCS#1 value");
    let (value, rest) = Element::read(contents).map_err(|_| BAD)?;
    if value.tag & !0x20 != tlv::OCTET_STRING {
        return Err(BAD);
    }
    let signature = value.octets().map_err(|_| BAD)?.into_owned();
    let certificate = certificates.first().ok_or(CmsError::Malformed("/Cert"))?;
    let certificate = Certificate::read(certificate).map_err(|_| CmsError::Malformed("/Cert"))?;
    let digest = crypto::pkcs1_digest(&certificate.public_key, &signature).unwrap_or(Digest::Sha1);
    let signer = Signer {
        name: SignerName::of(&certificate),
        digest_algorithm: digest.oid(),
        signed_attributes_raw: None,
        signed_attributes: Vec::new(),
        signature_algorithm: AlgorithmIdentifierOwned { oid: rfc5912::RSA_ENCRYPTION, parameters: None },
        signature,
        unsigned_attributes: Vec::new(),
    };
    Ok(SignedData {
        form: Form::BareValue,
        content_type: rfc5911::ID_DATA,
        content: None,
        certificates: certificates.to_vec(),
        other_certificates: 0,
        crls: Vec::new(),
        responses: Vec::new(),
        signers: vec![signer],
        trailing: trailing(rest),
    })
}

/// Zero octets are the padding of a PDF hole.
fn trailing(rest: &[u8]) -> usize {
    if rest.iter().all(|&byte| byte == 0) { 0 } else { rest.len() }
}

fn read_signed_data(element: &Element<'_>, trailing: usize) -> Result<SignedData, CmsError> {
    let parts = children(element, tlv::SEQUENCE, "SignedData")?;
    let [_version, _digest_algorithms, encapsulated, optional @ .., signers] = parts.as_slice() else {
        return Err(CmsError::Malformed("SignedData"));
    };
    let encapsulated = children(encapsulated, tlv::SEQUENCE, "EncapsulatedContentInfo")?;
    let (content_type, content) = match encapsulated.as_slice() {
        [content_type] => (content_type, None),
        [content_type, content] => {
            let inside = children(content, tlv::context(0), "eContent")?;
            let [content] = inside.as_slice() else { return Err(CmsError::Malformed("eContent")) };
            // An OCTET STRING by RFC 5652; PKCS#7 allowed any type, whose content octets then count (RFC 5652 §5.2.1).
            let octets = match content.tag {
                tlv::OCTET_STRING | 0x24 => content.octets().map_err(|_| CmsError::Malformed("eContent"))?,
                _ => content.content.into(),
            };
            (content_type, Some(octets.into_owned()))
        }
        _ => return Err(CmsError::Malformed("EncapsulatedContentInfo")),
    };
    let mut read = SignedData {
        form: Form::Cms,
        content_type: oid(content_type, "eContentType")?,
        content,
        certificates: Vec::new(),
        other_certificates: 0,
        crls: Vec::new(),
        responses: Vec::new(),
        signers: Vec::new(),
        trailing,
    };
    for field in optional {
        match field.tag {
            0xA0 => {
                for certificate in field.children().map_err(|_| CmsError::Malformed("certificates"))? {
                    match certificate.tag {
                        tlv::SEQUENCE => read.certificates.push(certificate.whole.to_vec()),
                        _ => read.other_certificates += 1,
                    }
                }
            }
            0xA1 => {
                let crls = field.children().map_err(|_| CmsError::Malformed("crls"))?;
                read.crls.extend(crls.iter().filter(|crl| crl.tag == tlv::SEQUENCE).map(|crl| crl.whole.to_vec()));
                read.responses.extend(crls.iter().filter_map(other_revocation));
            }
            _ => return Err(CmsError::Malformed("SignedData")),
        }
    }
    let signers = children(signers, tlv::SET, "signerInfos")?;
    if signers.len() > limits::CMS_SIGNERS {
        return Err(CmsError::Malformed("signerInfos"));
    }
    for signer in signers {
        read.signers.push(read_signer(&signer)?);
    }
    Ok(read)
}

fn read_signer(element: &Element<'_>) -> Result<Signer, CmsError> {
    const BAD: CmsError = CmsError::Malformed("SignerInfo");
    let parts = children(element, tlv::SEQUENCE, "SignerInfo")?;
    let [_version, name, digest_algorithm, rest @ ..] = parts.as_slice() else { return Err(BAD) };
    let (signed, rest) = match rest {
        [first, rest @ ..] if first.tag == tlv::context(0) => (Some(first), rest),
        rest => (None, rest),
    };
    let (signature_algorithm, signature, unsigned) = match rest {
        [algorithm, signature] => (algorithm, signature, None),
        [algorithm, signature, unsigned] if unsigned.tag == tlv::context(1) => (algorithm, signature, Some(unsigned)),
        _ => return Err(BAD),
    };
    let name = match name.tag {
        tlv::SEQUENCE => {
            let parts = children(name, tlv::SEQUENCE, "sid")?;
            let [issuer, serial] = parts.as_slice() else { return Err(CmsError::Malformed("sid")) };
            let serial = serial.expect(tlv::INTEGER).map_err(|_| CmsError::Malformed("sid"))?.content.to_vec();
            let issuer = in_der(issuer).map_err(|_| CmsError::Malformed("sid"))?;
            SignerName::IssuerAndSerial { issuer: Name::from_der(&issuer), serial }
        }
        0x80 => SignerName::KeyIdentifier(name.content.to_vec()),
        _ => return Err(CmsError::Malformed("sid")),
    };
    let algorithm = |element: &Element<'_>, part| {
        let der = in_der(element).map_err(|_| CmsError::Malformed(part))?;
        AlgorithmIdentifierOwned::from_der(&der).map_err(|_| CmsError::Malformed(part))
    };
    let digest_algorithm = algorithm(digest_algorithm, "digestAlgorithm")?;
    if signature.tag & !0x20 != tlv::OCTET_STRING {
        return Err(CmsError::Malformed("signature"));
    }
    Ok(Signer {
        name,
        digest_algorithm: Digest::of(&digest_algorithm).map_or(digest_algorithm.oid, Digest::oid),
        signed_attributes_raw: signed.map(|set| set.whole.to_vec()),
        signed_attributes: signed.map(attributes).transpose()?.unwrap_or_default(),
        signature_algorithm: algorithm(signature_algorithm, "signatureAlgorithm")?,
        signature: signature.octets().map_err(|_| CmsError::Malformed("signature"))?.into_owned(),
        unsigned_attributes: unsigned.map(attributes).transpose()?.unwrap_or_default(),
    })
}

fn attributes(set: &Element<'_>) -> Result<Vec<Attribute>, CmsError> {
    const BAD: CmsError = CmsError::Malformed("attributes");
    let mut read = Vec::new();
    for attribute in set.children().map_err(|_| BAD)? {
        let parts = children(&attribute, tlv::SEQUENCE, "attributes")?;
        let [kind, values] = parts.as_slice() else { return Err(BAD) };
        let values = children(values, tlv::SET, "attributes")?;
        let values = values.iter().map(|value| value.whole.to_vec()).collect();
        // X.690 §8.19.2: the last octet of an arc has its first bit clear.
        let whole = kind.tag == tlv::OBJECT_IDENTIFIER && kind.content.last().is_some_and(|last| last & 0x80 == 0);
        let oid = whole.then(|| AttributeType(kind.content.to_vec())).ok_or(BAD)?;
        read.push(Attribute { oid, values });
    }
    Ok(read)
}

fn children<'a>(element: &Element<'a>, tag: u8, part: &'static str) -> Result<Vec<Element<'a>>, CmsError> {
    element.expect(tag).and_then(|element| element.children()).map_err(|_| CmsError::Malformed(part))
}

fn oid(element: &Element<'_>, part: &'static str) -> Result<ObjectIdentifier, CmsError> {
    ObjectIdentifier::from_der(element.whole).map_err(|_| CmsError::Malformed(part))
}

impl SignedData {
    /// The digests of the content that its signers are judged by, so that they can be made in one reading.
    pub fn digests(&self) -> Vec<Digest> {
        let mut found = Vec::new();
        for signer in &self.signers {
            let named = match (self.form, &signer.signed_attributes_raw) {
                (Form::DigestInside, _) => Some(Digest::Sha1),
                (_, Some(_)) => Digest::of_oid(signer.digest_algorithm),
                (_, None) => crypto::digest_of(&signer.value_algorithm()),
            };
            found.extend(named.filter(|digest| !found.contains(digest)));
        }
        found
    }
}

impl Signer {
    /// The algorithm of the value, spelled out where only the key's is named.
    pub(super) fn value_algorithm(&self) -> AlgorithmIdentifierOwned {
        match Digest::of_oid(self.digest_algorithm) {
            Some(digest) => crypto::with_digest(&self.signature_algorithm, digest),
            None => self.signature_algorithm.clone(),
        }
    }

    /// The only value of a signed attribute that must be there once, with one value (RFC 5652 §11); None where it is
    /// missing, doubled, or has another number of values.
    pub fn signed_attribute(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
        let mut found = self.signed_attributes.iter().filter(|attribute| attribute.oid == oid);
        match (found.next(), found.next()) {
            (Some(Attribute { values, .. }), None) => match values.as_slice() {
                [value] => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// The messageDigest attribute.
    pub fn message_digest(&self) -> Option<Vec<u8>> {
        let value = Element::read_all(self.signed_attribute(rfc5911::ID_MESSAGE_DIGEST)?).ok()?;
        Some(value.expect(tlv::OCTET_STRING).ok()?.content.to_vec())
    }

    /// The contentType attribute.
    pub fn content_type(&self) -> Option<ObjectIdentifier> {
        ObjectIdentifier::from_der(self.signed_attribute(rfc5911::ID_CONTENT_TYPE)?).ok()
    }

    /// The time that the signer claims in the signed attributes, if any. It proves nothing.
    pub fn claimed_time(&self) -> Option<OffsetDateTime> {
        let time = x509_cert::time::Time::from_der(self.signed_attribute(rfc5911::ID_SIGNING_TIME)?).ok()?;
        OffsetDateTime::from_unix_timestamp(i64::try_from(time.to_unix_duration().as_secs()).ok()?).ok()
    }

    /// The first references of signingCertificateV2 and signingCertificate: both, where both are there. Each names the
    /// signer's own certificate (RFC 5035 §5.4); the ones after it name its issuers and are not needed.
    ///
    /// # Errors
    /// [`CmsError::Malformed`] where such an attribute is there and cannot be read.
    pub fn signing_certificates(&self) -> Result<Vec<CertificateReference>, CmsError> {
        const BAD: CmsError = CmsError::Malformed("signing certificate reference");
        let mut references = Vec::new();
        for (attribute_oid, default_digest) in [
            (rfc5911::ID_AA_SIGNING_CERTIFICATE_V_2, const_oid::db::rfc5912::ID_SHA_256),
            (rfc5911::ID_AA_SIGNING_CERTIFICATE, const_oid::db::rfc5912::ID_SHA_1),
        ] {
            if !self.signed_attributes.iter().any(|attribute| attribute.oid == attribute_oid) {
                continue;
            }
            let value = self.signed_attribute(attribute_oid).ok_or(BAD)?;
            let value = Element::read_all(value).map_err(|_| BAD)?;
            let certs = *children(&value, tlv::SEQUENCE, "signing certificate reference")?.first().ok_or(BAD)?;
            let first = *children(&certs, tlv::SEQUENCE, "signing certificate reference")?.first().ok_or(BAD)?;
            let fields = children(&first, tlv::SEQUENCE, "signing certificate reference")?;
            let (digest_algorithm, digest) = match fields.as_slice() {
                [algorithm, digest, ..] if algorithm.tag == tlv::SEQUENCE => {
                    let algorithm =
                        *children(algorithm, tlv::SEQUENCE, "signing certificate reference")?.first().ok_or(BAD)?;
                    (oid(&algorithm, "signing certificate reference")?, digest)
                }
                [digest, ..] => (default_digest, digest),
                [] => return Err(BAD),
            };
            let digest = digest.expect(tlv::OCTET_STRING).map_err(|_| BAD)?.content.to_vec();
            let issuer_and_serial = match fields.as_slice() {
                [.., hint] if hint.tag == tlv::SEQUENCE && fields.len() > 1 => {
                    Some(issuer_and_serial(hint).ok_or(BAD)?)
                }
                _ => None,
            };
            references.push(CertificateReference { digest_algorithm, digest, issuer_and_serial });
        }
        Ok(references)
    }

    /// Time stamps over the signature value (EN 319 122-1 §5.3, id-aa-signatureTimeStampToken), as found: to be read by
    /// [`crate::stamp`]. Nothing signed speaks of them.
    pub fn time_stamps(&self) -> impl Iterator<Item = &[u8]> {
        self.unsigned(rfc3161::ID_AA_TIME_STAMP_TOKEN)
    }

    /// Countersignatures (RFC 5652 §11.4), as found: signatures over this value, which say nothing about the content.
    pub fn countersignatures(&self) -> impl Iterator<Item = &[u8]> {
        self.unsigned(rfc5911::ID_COUNTERSIGNATURE)
    }

    fn unsigned(&self, oid: ObjectIdentifier) -> impl Iterator<Item = &[u8]> {
        let attributes = self.unsigned_attributes.iter().filter(move |attribute| attribute.oid == oid);
        attributes.flat_map(|attribute| attribute.values.iter().map(Vec::as_slice))
    }
}

/// IssuerSerial (RFC 5035 §4): GeneralNames with the issuer's directoryName, and the serial number.
fn issuer_and_serial(element: &Element<'_>) -> Option<(Name, Vec<u8>)> {
    let parts = element.children().ok()?;
    let [names, serial, ..] = parts.as_slice() else { return None };
    let names = names.expect(tlv::SEQUENCE).ok()?.children().ok()?;
    let name = *names.iter().find(|name| name.tag == tlv::context(4))?.children().ok()?.first()?;
    Some((Name::from_der(name.whole), serial.expect(tlv::INTEGER).ok()?.content.to_vec()))
}

/// The element in DER: definite and shortest lengths, strings in one piece, sets in order (X.690 §10, §11.6).
pub(super) fn in_der(element: &Element<'_>) -> Result<Vec<u8>, tlv::Fault> {
    in_der_below(element, 0)
}

fn in_der_below(element: &Element<'_>, depth: usize) -> Result<Vec<u8>, tlv::Fault> {
    if depth > limits::BER_DEPTH {
        return Err(tlv::Fault::Limit);
    }
    if element.tag & 0x20 == 0 {
        return Ok(tlv::wrap(element.tag, &[element.content]));
    }
    if element.tag == tlv::OCTET_STRING | 0x20 {
        return Ok(tlv::wrap(tlv::OCTET_STRING, &[&element.octets()?]));
    }
    let inside =
        element.children()?.iter().map(|child| in_der_below(child, depth + 1)).collect::<Result<Vec<_>, _>>()?;
    Ok(match element.tag {
        tlv::SET => tlv::set_of(tlv::SET, inside),
        tag => tlv::wrap(tag, &inside.iter().map(Vec::as_slice).collect::<Vec<_>>()),
    })
}
