//! A certificate as we see it: the raw parts that signatures cover, and what they mean.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use const_oid::{ObjectIdentifier, db::rfc5280, db::rfc5912, db::rfc6960};
use der::Decode;
use der::asn1::OctetString;
use spki::AlgorithmIdentifierOwned;
use time::OffsetDateTime;
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, ExtendedKeyUsage,
    KeyUsage as KeyUsageBits, SubjectKeyIdentifier, name::GeneralName,
};

use super::name::Name;
use super::scope::Point;
use super::tlv::{self, Element};
use crate::crypto::{self, SignatureFault};
use crate::limits;
use crate::message::Message;

/// A certificate (RFC 5280 §4.1) with its original bytes.
///
/// Reading says nothing about trust: nobody's signature has been checked yet.
///
/// Cloning shares it: chains, verdicts and reports each hold the same few.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(Arc<Fields>);

impl Deref for Certificate {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.0
    }
}

/// Tests judge certificates that no authority would make.
#[cfg(test)]
impl std::ops::DerefMut for Certificate {
    fn deref_mut(&mut self) -> &mut Fields {
        Arc::make_mut(&mut self.0)
    }
}

/// What a certificate says, as [`Certificate::read`] found it.
#[cfg_attr(test, derive(Clone))]
#[derive(PartialEq, Eq)]
pub struct Fields {
    fingerprint: [u8; 32],
    der: Box<[u8]>,
    to_be_signed: Range<usize>,
    /// Who it is about.
    pub subject: Name,
    /// Who signed it, by its own account.
    pub issuer: Name,
    /// Content octets of the INTEGER, as found (big-endian, signed).
    pub serial: Vec<u8>,
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    pub signature_algorithm: AlgorithmIdentifierOwned,
    pub signature: Vec<u8>,
    /// First and last second in which it may be used.
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
    /// None where the extension is absent: then nothing is restricted (RFC 5280 §4.2.1.3).
    pub key_usage: Option<KeyUsage>,
    /// What its key is for beyond that (extKeyUsage, RFC 5280 §4.2.1.12); None where the extension is absent.
    pub purposes: Option<Vec<ObjectIdentifier>>,
    /// basicConstraints cA.
    pub is_ca: bool,
    /// Certificates that may stand between this one and the last, itself-issued ones aside.
    pub path_length: Option<u32>,
    pub subject_key_id: Option<Vec<u8>>,
    pub authority_key_id: Option<Vec<u8>>,
    /// Where its issuer publishes revocation lists, by its own account: never fetched unless the host is allowed.
    pub crl_urls: Vec<String>,
    /// Where its issuer's responder answers, and its issuer's certificate is to be had: as `crl_urls`.
    pub ocsp_urls: Vec<String>,
    pub issuer_urls: Vec<String>,
    pub(super) crl_points: Vec<Point>,
    /// Its issuer says that a responder's certificate need not be asked about (id-pkix-ocsp-nocheck, RFC 6960 §4.2.2.2.1).
    pub(super) is_never_asked_about: bool,
    /// True where the strict reader refused it and the lenient one read it: shown in every report, and such a
    /// certificate is never part of a path.
    pub lenient: bool,
}

/// The key-usage bits that matter here (RFC 5280 §4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyUsage {
    pub digital_signature: bool,
    /// Also called contentCommitment.
    pub non_repudiation: bool,
    pub key_cert_sign: bool,
    pub crl_sign: bool,
}

/// Why these bytes are not a certificate we can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    #[error("{}", self.message())]
    TooLarge,
    #[error("{}", self.message())]
    NotACertificate,
}

impl CertificateFault {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::TooLarge => Message::new(
                "pki.certificate-too-large",
                format!("证书超过 {} 字节，不予读取。请确认文件是否正确。", limits::CERTIFICATE_BYTES),
                format!(
                    "The certificate is larger than {} bytes and is not read. Check the file.",
                    limits::CERTIFICATE_BYTES
                ),
            ),
            Self::NotACertificate => Message::new(
                "pki.not-a-certificate",
                "内容不是 X.509 证书。请提供 DER 或 PEM 格式的证书文件。",
                "This is not an X.509 certificate. Supply a certificate file in DER or PEM form.",
            ),
        }
    }
}

impl Certificate {
    /// Reads one DER certificate; every byte must belong to it.
    ///
    /// # Errors
    /// [`CertificateFault`] where neither the strict nor the lenient reader can make sense of it.
    pub fn read(der: &[u8]) -> Result<Self, CertificateFault> {
        if der.len() > limits::CERTIFICATE_BYTES {
            return Err(CertificateFault::TooLarge);
        }
        Self::read_parts(der).ok_or(CertificateFault::NotACertificate)
    }

    fn read_parts(der: &[u8]) -> Option<Self> {
        let outer = Element::read_all(der).ok()?.expect(tlv::SEQUENCE).ok()?.children().ok()?;
        let [to_be_signed, algorithm, signature] = outer.as_slice() else { return None };
        let parts = to_be_signed.expect(tlv::SEQUENCE).ok()?.children().ok()?;
        // RFC 5280 §4.1.2.1: the version is absent from v1 certificates.
        let parts = match parts.split_first()? {
            (first, rest) if first.tag == tlv::context(0) => rest,
            _ => &parts[..],
        };
        let [serial, _, issuer, _, subject, public_key, ..] = parts else { return None };
        let (meaning, lenient) = match Meaning::strict(der) {
            Some(meaning) => (meaning, false),
            None => (Meaning::lenient(der)?, true),
        };
        let issuer = Name::from_der(issuer.whole);
        Some(Self(Arc::new(Fields {
            fingerprint: crypto::sha256(der),
            der: der.into(),
            to_be_signed: tlv::range_in(der, to_be_signed.whole)?,
            subject: Name::from_der(subject.whole),
            serial: serial.expect(tlv::INTEGER).ok()?.content.to_vec(),
            public_key: public_key.whole.to_vec(),
            signature_algorithm: AlgorithmIdentifierOwned::from_der(algorithm.whole).ok()?,
            signature: signature.expect(tlv::BIT_STRING).ok()?.content.strip_prefix(&[0])?.to_vec(),
            not_before: meaning.not_before,
            not_after: meaning.not_after,
            key_usage: meaning.key_usage,
            purposes: meaning.purposes,
            is_ca: meaning.is_ca,
            path_length: meaning.path_length,
            subject_key_id: meaning.subject_key_id,
            authority_key_id: meaning.authority_key_id,
            crl_urls: meaning.crl_urls,
            ocsp_urls: meaning.ocsp_urls,
            issuer_urls: meaning.issuer_urls,
            crl_points: meaning.crl_points.into_iter().map(|point| point.below(&issuer)).collect(),
            is_never_asked_about: meaning.is_never_asked_about,
            issuer,
            lenient,
        })))
    }

    /// The original bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the whole certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// The serial number as people write it: hexadecimal, without the leading zero octet of the encoding.
    pub fn serial_text(&self) -> String {
        match self.serial.as_slice() {
            [0, rest @ ..] if !rest.is_empty() => hex::encode(rest),
            octets => hex::encode(octets),
        }
    }

    /// Issuer name equals subject name (RFC 5280 §3.2, self-issued).
    pub fn is_self_issued(&self) -> bool {
        self.subject.means(&self.issuer)
    }

    /// May sign documents: digitalSignature or nonRepudiation, or no restriction at all. Real seal certificates carry
    /// other bits beside these, so nothing is asked about those.
    pub fn may_sign_documents(&self) -> bool {
        self.key_usage.is_none_or(|usage| usage.digital_signature || usage.non_repudiation)
    }

    /// Within its own validity period, both ends included (RFC 5280 §4.1.2.5).
    pub fn is_in_force(&self, at: OffsetDateTime) -> bool {
        (self.not_before..=self.not_after).contains(&at)
    }

    /// Checks that `issuer`'s key signed this certificate; says nothing about whether it was allowed to.
    ///
    /// # Errors
    /// See [`SignatureFault`].
    pub fn is_signed_by(&self, issuer_public_key: &[u8]) -> Result<(), SignatureFault> {
        crypto::verify(issuer_public_key, &self.signature_algorithm, self.to_be_signed(), &self.signature)
    }

    /// What its issuer signed, DER TBSCertificate.
    pub fn to_be_signed(&self) -> &[u8] {
        self.der.get(self.to_be_signed.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} #{} by {})", self.subject, self.serial_text(), self.issuer)
    }
}

/// What the inside of a certificate says.
struct Meaning {
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    key_usage: Option<KeyUsage>,
    purposes: Option<Vec<ObjectIdentifier>>,
    is_ca: bool,
    path_length: Option<u32>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
    crl_urls: Vec<String>,
    ocsp_urls: Vec<String>,
    issuer_urls: Vec<String>,
    crl_points: Vec<Point>,
    is_never_asked_about: bool,
}

impl Meaning {
    fn strict(der: &[u8]) -> Option<Self> {
        let certificate = x509_cert::Certificate::from_der(der).ok()?;
        let tbs = certificate.tbs_certificate();
        let extensions = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
        // RFC 5280 §4.2: an extension appears once. A second one could be read by someone else.
        for (i, extension) in extensions.iter().enumerate() {
            if extensions.iter().skip(i + 1).any(|other| other.extn_id == extension.extn_id) {
                return None;
            }
        }
        let value = |oid: ObjectIdentifier| {
            extensions
                .iter()
                .find(|extension| extension.extn_id == oid)
                .map(|extension| extension.extn_value.as_bytes())
        };
        let constraints = value(rfc5280::ID_CE_BASIC_CONSTRAINTS).map(BasicConstraints::from_der).transpose().ok()?;
        let usage = value(rfc5280::ID_CE_KEY_USAGE).map(KeyUsageBits::from_der).transpose().ok()?;
        let subject_key =
            value(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER).map(SubjectKeyIdentifier::from_der).transpose().ok()?;
        let authority_key =
            value(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER).map(AuthorityKeyIdentifier::from_der).transpose().ok()?;
        let points =
            value(rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS).map(CrlDistributionPoints::from_der).transpose().ok()?;
        let points = points.map(|points| points.0).unwrap_or_default();
        let points = points.into_iter().map(Point::read).collect::<Option<Vec<_>>>()?;
        // Nobody's trust rests on it: what cannot be read names no address.
        let access = value(rfc5280::ID_PE_AUTHORITY_INFO_ACCESS).map(AuthorityInfoAccessSyntax::from_der);
        let access = access.and_then(Result::ok).map(|access| access.0).unwrap_or_default();
        let addresses = |method: ObjectIdentifier| {
            let named = access.iter().filter(|access| access.access_method == method);
            named
                .filter_map(|access| match &access.access_location {
                    GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str().to_owned()),
                    _ => None,
                })
                .collect()
        };
        let purposes = value(rfc5280::ID_CE_EXT_KEY_USAGE).map(ExtendedKeyUsage::from_der).transpose().ok()?;
        Some(Self {
            not_before: moment(&tbs.validity().not_before)?,
            not_after: moment(&tbs.validity().not_after)?,
            key_usage: usage.map(|bits| KeyUsage {
                digital_signature: bits.digital_signature(),
                non_repudiation: bits.non_repudiation(),
                key_cert_sign: bits.key_cert_sign(),
                crl_sign: bits.crl_sign(),
            }),
            purposes: purposes.map(|purposes| purposes.0),
            is_ca: constraints.as_ref().is_some_and(|constraints| constraints.ca),
            path_length: constraints.and_then(|constraints| constraints.path_len_constraint).map(u32::from),
            subject_key_id: subject_key.map(|id| id.0.into_bytes().into_vec()),
            authority_key_id: authority_key
                .and_then(|id| id.key_identifier)
                .map(OctetString::into_bytes)
                .map(|bytes| bytes.into_vec()),
            crl_urls: points.iter().flat_map(Point::urls).collect(),
            ocsp_urls: addresses(rfc5912::ID_AD_OCSP),
            issuer_urls: addresses(rfc5912::ID_AD_CA_ISSUERS),
            crl_points: points,
            is_never_asked_about: value(rfc6960::ID_PKIX_OCSP_NOCHECK).is_some(),
        })
    }

    fn lenient(der: &[u8]) -> Option<Self> {
        use x509_parser::extensions::ParsedExtension;

        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let mut meaning = Self {
            not_before: OffsetDateTime::from_unix_timestamp(certificate.validity().not_before.timestamp()).ok()?,
            not_after: OffsetDateTime::from_unix_timestamp(certificate.validity().not_after.timestamp()).ok()?,
            key_usage: None,
            purposes: None,
            is_ca: false,
            path_length: None,
            subject_key_id: None,
            authority_key_id: None,
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            issuer_urls: Vec::new(),
            crl_points: Vec::new(),
            is_never_asked_about: false,
        };
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::KeyUsage(usage) => {
                    meaning.key_usage = Some(KeyUsage {
                        digital_signature: usage.digital_signature(),
                        non_repudiation: usage.non_repudiation(),
                        key_cert_sign: usage.key_cert_sign(),
                        crl_sign: usage.crl_sign(),
                    });
                }
                ParsedExtension::BasicConstraints(constraints) => {
                    meaning.is_ca = constraints.ca;
                    meaning.path_length = constraints.path_len_constraint;
                }
                ParsedExtension::SubjectKeyIdentifier(id) => meaning.subject_key_id = Some(id.0.to_vec()),
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    meaning.authority_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                _ => {}
            }
        }
        Some(meaning)
    }
}

/// An X.509 time as a moment in UTC.
pub(super) fn moment(time: &x509_cert::time::Time) -> Option<OffsetDateTime> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

// — PEM (RFC 7468)

/// The armoured text of some DER, e.g. under the label `CERTIFICATE`, `CERTIFICATE REQUEST` or `X509 CRL`.
pub fn to_pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;

    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// All DER values under this label in a file that is PEM or plain DER; text around the armour is passed over.
/// Empty where there is none, or where one is damaged.
pub fn from_pem_or_der(label: &str, bytes: &[u8]) -> Vec<Vec<u8>> {
    use base64::Engine;

    if bytes.first() == Some(&tlv::SEQUENCE) {
        return vec![bytes.to_vec()];
    }
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    for block in text.split(begin.as_str()).skip(1) {
        let Some((body, _)) = block.split_once(end.as_str()) else { return Vec::new() };
        let body: String = body.split_whitespace().collect();
        match base64::engine::general_purpose::STANDARD.decode(body) {
            Ok(der) => found.push(der),
            Err(_) => return Vec::new(),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_certificate_reads_as_its_maker_says() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut wish = rcgen::CertificateParams::new(vec!["seal.example".into()]).unwrap();
        wish.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(2));
        wish.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::DigitalSignature];
        wish.not_before = time::macros::datetime!(2020-07-01 00:00 UTC);
        wish.not_after = time::macros::datetime!(2051-07-01 00:00 UTC);
        let made = wish.self_signed(&key).unwrap();
        let read = Certificate::read(made.der()).unwrap();

        use rcgen::PublicKeyData;
        assert_eq!(read.public_key, key.subject_public_key_info());
        assert_eq!((read.is_ca, read.path_length, read.lenient, read.is_self_issued()), (true, Some(2), false, true));
        assert_eq!((read.not_before, read.not_after), (wish.not_before, wish.not_after));
        let usage = read.key_usage.unwrap();
        assert!(usage.key_cert_sign && usage.digital_signature && !usage.crl_sign && !usage.non_repudiation);
        assert!(read.is_in_force(wish.not_after) && !read.is_in_force(wish.not_after + time::Duration::SECOND));
        assert_eq!(read.is_signed_by(&read.public_key), Ok(()));
        let other = rcgen::KeyPair::generate().unwrap();
        assert_eq!(read.is_signed_by(&other.subject_public_key_info()), Err(SignatureFault::Wrong));

        let pem = to_pem("CERTIFICATE", made.der());
        assert_eq!(pem, made.pem().replace('\r', ""));
        assert_eq!(
            from_pem_or_der("CERTIFICATE", format!("{pem}\nnotes\n{pem}").as_bytes()),
            vec![made.der().to_vec(); 2]
        );
        assert_eq!(from_pem_or_der("CERTIFICATE", made.der()), vec![made.der().to_vec()]);
        assert!(from_pem_or_der("CERTIFICATE", b"-----BEGIN CERTIFICATE-----\nMII").is_empty());
    }

    #[test]
    fn what_the_strict_reader_refuses_is_marked() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut wish = rcgen::CertificateParams::default();
        wish.custom_extensions = vec![rcgen::CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]); 2];
        let made = wish.self_signed(&key).unwrap();
        // The lenient reader refuses the doubled extension too, or reads it and says so; never silently.
        match Certificate::read(made.der()) {
            Ok(read) => assert!(read.lenient),
            Err(fault) => assert_eq!(fault, CertificateFault::NotACertificate),
        }
        assert_eq!(Certificate::read(b"0\x03\x02\x01\x05"), Err(CertificateFault::NotACertificate));
        assert_eq!(Certificate::read(&vec![0; limits::CERTIFICATE_BYTES + 1]), Err(CertificateFault::TooLarge));
    }
}
