//! OCSP requests (RFC 6960 §4.1): which certificates are asked about, and by what the answer is to be known as fresh.

use const_oid::db::rfc6960;
use der::Decode;
use spki::AlgorithmIdentifierOwned;

use super::key_bits;
use crate::crypto::Digest;
use crate::limits;
use crate::pki::certificate::Certificate;
use crate::pki::issue::extension;
use crate::pki::revocation::read_extensions;
use crate::pki::tlv::{self, Element};

/// Which certificate is meant (CertID, RFC 6960 §4.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertId {
    der: Vec<u8>,
    /// None where it is an algorithm that we do not compute.
    digest: Option<Digest>,
    issuer_name_hash: Vec<u8>,
    issuer_key_hash: Vec<u8>,
    serial: Vec<u8>,
}

/// A request of one or more questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub questions: Vec<CertId>,
    /// What the answer must repeat (RFC 9654 §2.1): the DER OCTET STRING, as it stands in the extension.
    pub nonce: Option<Vec<u8>>,
}

/// These bytes are no request within our limits: malformedRequest (RFC 6960 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an OCSP request")]
pub struct NotARequest;

impl CertId {
    /// Of the certificate with this serial number (content octets) by this issuer.
    ///
    /// SHA-1, which every client and responder takes (RFC 5019 §2.1.1); it only says which issuer is meant, and nothing is
    /// proven by it. None where the issuer's key cannot be read.
    pub fn of(serial: &[u8], issuer: &Certificate) -> Option<Self> {
        let digest = Digest::Sha1;
        let issuer_name_hash = digest.over(&[issuer.subject.as_der()]);
        let issuer_key_hash = digest.over(&[key_bits(&issuer.public_key)?]);
        let der = Vec::new();
        let id = Self { der, digest: Some(digest), issuer_name_hash, issuer_key_hash, serial: serial.to_vec() };
        Some(Self { der: id.written(&[5, 0])?, ..id })
    }

    /// In DER, with these parameters beside the algorithm; None where that is not known.
    fn written(&self, parameters: &[u8]) -> Option<Vec<u8>> {
        let algorithm = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(self.digest?.oid()), parameters]);
        let [name, key] =
            [&self.issuer_name_hash, &self.issuer_key_hash].map(|hash| tlv::wrap(tlv::OCTET_STRING, &[hash]));
        Some(tlv::wrap(tlv::SEQUENCE, &[&algorithm, &name, &key, &tlv::wrap(tlv::INTEGER, &[&self.serial])]))
    }

    /// Written in one of the two ways that honest askers have, with the algorithm's parameters NULL or absent: so there are
    /// few questions about one certificate, and an answer repeats nothing odd.
    fn is_plain(&self) -> bool {
        // RFC 5019 §2.1.1 has SHA-1, RFC 9654's askers SHA-256, those of GB/T 19713 SM3.
        if !matches!(self.digest, Some(Digest::Sha1 | Digest::Sha256 | Digest::Sm3)) {
            return false;
        }
        let ways: [&[u8]; 2] = [&[5, 0], &[]];
        ways.iter().any(|parameters| self.written(parameters).as_ref() == Some(&self.der))
    }

    pub(super) fn read(element: &Element<'_>) -> Option<Self> {
        let parts = element.expect(tlv::SEQUENCE).ok()?.children().ok()?;
        let [algorithm, name, key, serial] = parts.as_slice() else { return None };
        Some(Self {
            der: element.whole.to_vec(),
            digest: Digest::of_oid(AlgorithmIdentifierOwned::from_der(algorithm.whole).ok()?.oid),
            issuer_name_hash: name.expect(tlv::OCTET_STRING).ok()?.content.to_vec(),
            issuer_key_hash: key.expect(tlv::OCTET_STRING).ok()?.content.to_vec(),
            serial: serial.expect(tlv::INTEGER).ok()?.content.to_vec(),
        })
    }

    /// As it was asked: an answer repeats it octet for octet.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Content octets of the INTEGER, as in [`Fields::serial`](crate::pki::certificate::Fields::serial).
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Whether it means a certificate of this issuer.
    pub fn is_by(&self, issuer: &Certificate) -> bool {
        self.is_by_key(issuer) && self.is_by_name(issuer.subject.as_der())
    }

    /// Whether it means this certificate of that issuer. The same name may be written in two encodings; the hash is over the
    /// one in the certificate asked about.
    pub(in crate::pki) fn is_about(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        self.serial == certificate.serial
            && self.is_by_key(issuer)
            && [&certificate.issuer, &issuer.subject].iter().any(|name| self.is_by_name(name.as_der()))
    }

    fn is_by_key(&self, issuer: &Certificate) -> bool {
        let (Some(digest), Some(bits)) = (self.digest, key_bits(&issuer.public_key)) else { return false };
        digest.over(&[bits]) == self.issuer_key_hash
    }

    fn is_by_name(&self, name: &[u8]) -> bool {
        self.digest.is_some_and(|digest| digest.over(&[name]) == self.issuer_name_hash)
    }
}

impl Request {
    /// Reads a DER OCSPRequest; a signature on it is not looked at, since whoever asks is answered.
    ///
    /// # Errors
    /// [`NotARequest`]; also for too many questions, one by a digest that we do not compute, a nonce of another length than
    /// RFC 9654 §2.1 allows, and a critical extension that we do not know.
    pub fn read(der: &[u8]) -> Result<Self, NotARequest> {
        if der.len() > limits::OCSP_REQUEST_BYTES {
            return Err(NotARequest);
        }
        Self::read_parts(der).ok_or(NotARequest)
    }

    fn read_parts(der: &[u8]) -> Option<Self> {
        let outer = Element::read_all(der).ok()?.expect(tlv::SEQUENCE).ok()?.children().ok()?;
        let fields = match outer.as_slice() {
            [asked] => asked,
            [asked, signature] if signature.tag == tlv::context(0) => asked,
            _ => return None,
        };
        let fields = fields.expect(tlv::SEQUENCE).ok()?.children().ok()?;
        let (extensions, fields) = match fields.split_last()? {
            (last, fields) if last.tag == tlv::context(2) => {
                (read_extensions(&Element::read_all(last.content).ok()?)?, fields)
            }
            _ => (Vec::new(), fields.as_slice()),
        };
        // Version and the asker's name may stand before the questions; neither changes the answer.
        let (questions, before) = fields.split_last()?;
        if !before.iter().all(|field| [tlv::context(0), tlv::context(1)].contains(&field.tag)) {
            return None;
        }
        let questions = questions.expect(tlv::SEQUENCE).ok()?.children().ok()?;
        if questions.is_empty() || questions.len() > limits::OCSP_QUESTIONS {
            return None;
        }
        let mut nonce = None;
        for extension in extensions {
            match extension.oid {
                rfc6960::ID_PKIX_OCSP_NONCE => {
                    let octets = Element::read_all(extension.value).ok()?.expect(tlv::OCTET_STRING).ok()?.content;
                    if !(1..=limits::OCSP_NONCE_BYTES).contains(&octets.len()) {
                        return None;
                    }
                    nonce = Some(extension.value.to_vec());
                }
                _ if extension.critical => return None,
                _ => {}
            }
        }
        Some(Self { questions: questions.iter().map(read_question).collect::<Option<_>>()?, nonce })
    }

    /// A question about one certificate, with these random octets for a nonce.
    pub fn about(question: CertId, nonce: &[u8]) -> Self {
        Self { questions: vec![question], nonce: Some(tlv::wrap(tlv::OCTET_STRING, &[nonce])) }
    }

    /// The DER OCSPRequest, unsigned.
    pub fn to_der(&self) -> Vec<u8> {
        let questions: Vec<u8> =
            self.questions.iter().flat_map(|question| tlv::wrap(tlv::SEQUENCE, &[question.der()])).collect();
        let extensions = self.nonce.as_ref().map(|nonce| {
            let nonce = extension(rfc6960::ID_PKIX_OCSP_NONCE, false, nonce);
            tlv::wrap(tlv::context(2), &[&tlv::wrap(tlv::SEQUENCE, &[&nonce])])
        });
        let questions = tlv::wrap(tlv::SEQUENCE, &[&questions]);
        let asked = tlv::wrap(tlv::SEQUENCE, &[&questions, &extensions.unwrap_or_default()]);
        tlv::wrap(tlv::SEQUENCE, &[&asked])
    }
}

fn read_question(element: &Element<'_>) -> Option<CertId> {
    let parts = element.expect(tlv::SEQUENCE).ok()?.children().ok()?;
    let id = match parts.as_slice() {
        [id] => id,
        [id, extensions] if extensions.tag == tlv::context(0) => {
            let extensions = read_extensions(&Element::read_all(extensions.content).ok()?)?;
            if extensions.iter().any(|extension| extension.critical) {
                return None;
            }
            id
        }
        _ => return None,
    };
    let id = CertId::read(id)?;
    ((1..=limits::OCSP_SERIAL_BYTES).contains(&id.serial.len()) && id.is_plain()).then_some(id)
}
