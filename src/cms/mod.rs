//! CMS signatures (RFC 5652): the envelope that carries a signature value, its signer's certificate and what was signed.
//!
//! Writing has two halves with the key between them: [`signed_attributes`] gives the bytes that the key signs,
//! [`assemble`] puts those very bytes, the value, the certificates and a time stamp over the value together. Reading ([`read()`]) keeps every byte that
//! a signature covers as it was found, and [`SignedData::check`] judges one signer; a bad signature is a finding.
//!
//! Not here: what a time stamp says ([`crate::stamp`]) and countersignatures (unsigned attributes are handed over as found), attribute
//! certificates (counted, not read), and whether a certificate is trusted ([`crate::pki::path`]).

mod check;
mod enclosed;
mod fault;
mod read;
mod receipt;
mod revocation;

pub use check::Checks;
pub use enclosed::enclose;
pub use fault::Fault;
pub use read::{
    Attribute, AttributeType, CertificateReference, CmsError, Form, SignedData, Signer, SignerName, read, read_pdf,
};
pub use receipt::is_receipt;
pub(crate) use receipt::receipt_type;
pub use revocation::Brought;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc3161, rfc5911};
use der::Encode;

use crate::crypto::{Digest, KeyAlgorithm};
use crate::pki::certificate::Certificate;
use crate::pki::tlv;

/// The attributes that the seal's key signs, as DER SET OF (identifier octet 0x31): content type id-data, the digest, the
/// reference to the signer's certificate, and the log's receipt (the text of a tlog-proof) where this use was logged.
///
/// No signing-time: PAdES puts the claimed time into the signature dictionary and forbids it here (EN 319 142-1 §5.3,
/// §6.3 table 1). The certificate reference is an ESSCertIDv2 with the default SHA-256 (RFC 5035 §4), without
/// issuerSerial, which is only a hint (EN 319 122-1 §5.2.2).
///
/// `digest` is that of the signer's algorithm ([`KeyAlgorithm::digest`]), which gave `content_digest` and gives the reference;
/// another than SHA-256 is named in it.
pub fn signed_attributes(
    digest: Digest,
    content_digest: &[u8],
    signer_certificate_der: &[u8],
    receipt: Option<&str>,
) -> Vec<u8> {
    attributes(rfc5911::ID_DATA, (digest, content_digest), signer_certificate_der, receipt)
}

/// The same for content of another type than id-data, which is no seal's.
pub fn signed_attributes_of(
    content_type: ObjectIdentifier,
    (digest, content_digest): (Digest, &[u8]),
    signer_certificate_der: &[u8],
) -> Vec<u8> {
    attributes(content_type, (digest, content_digest), signer_certificate_der, None)
}

fn attributes(
    content_type: ObjectIdentifier,
    (digest, content_digest): (Digest, &[u8]),
    signer_certificate_der: &[u8],
    receipt: Option<&str>,
) -> Vec<u8> {
    let certificate_hash = tlv::wrap(tlv::OCTET_STRING, &[&digest.over(&[signer_certificate_der])]);
    // DER leaves out a default, and SHA-256 is one (RFC 5035 §4).
    let named = if digest == Digest::Sha256 { Vec::new() } else { algorithm_identifier(digest) };
    let reference = tlv::wrap(tlv::SEQUENCE, &[&named, &certificate_hash]);
    let references = tlv::wrap(tlv::SEQUENCE, &[&reference]);
    let attribute =
        |oid, value: &[u8]| tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(oid), &tlv::wrap(tlv::SET, &[value])]);
    let mut members = vec![
        attribute(rfc5911::ID_CONTENT_TYPE, &tlv::object_identifier(content_type)),
        attribute(rfc5911::ID_MESSAGE_DIGEST, &tlv::wrap(tlv::OCTET_STRING, &[content_digest])),
        attribute(rfc5911::ID_AA_SIGNING_CERTIFICATE_V_2, &tlv::wrap(tlv::SEQUENCE, &[&references])),
    ];
    members.extend(receipt.map(receipt::attribute));
    tlv::set_of(tlv::SET, members)
}

/// A detached SignedData in a ContentInfo, DER (ISO 32000-1 §12.8.3.3.1 asks for DER), from the attribute bytes as signed.
///
/// `certificates` has the signer's first, then its issuers in any order; the set is written in DER's order. `stamp` is a
/// time stamp token over `signature` (RFC 3161 appendix A, EN 319 122-1 §5.3), the one attribute that nobody signs.
///
/// # Errors
/// [`CmsError`] where the attributes are not one DER SET, or no first certificate can be read. Whether the value is right
/// is not asked here: the finished document is judged as a whole before it leaves.
pub fn assemble(
    signed_attributes: &[u8],
    signature: &[u8],
    algorithm: KeyAlgorithm,
    certificates: &[Vec<u8>],
    stamp: Option<&[u8]>,
) -> Result<Vec<u8>, CmsError> {
    let attributes = tlv::Element::read_all(signed_attributes).and_then(|set| set.expect(tlv::SET));
    let attributes = attributes.map_err(|_| CmsError::Malformed("signed attributes"))?;
    let signer = certificates.first().ok_or(CmsError::Malformed("signer certificate"))?;
    let signer = Certificate::read(signer).map_err(|_| CmsError::Malformed("signer certificate"))?;

    let digest_algorithm = algorithm_identifier(algorithm.digest());
    let signature_algorithm =
        algorithm.signature_algorithm().to_der().map_err(|_| CmsError::Malformed("signature algorithm"))?;
    let unsigned = stamp.map_or_else(Vec::new, |token| {
        let kind = tlv::object_identifier(rfc3161::ID_AA_TIME_STAMP_TOKEN);
        tlv::wrap(tlv::context(1), &[&tlv::wrap(tlv::SEQUENCE, &[&kind, &tlv::wrap(tlv::SET, &[token])])])
    });
    let version_1 = tlv::unsigned_integer(&[1]);
    let signer_info = tlv::wrap(
        tlv::SEQUENCE,
        &[
            &version_1,
            &tlv::wrap(tlv::SEQUENCE, &[signer.issuer.as_der(), &tlv::wrap(tlv::INTEGER, &[&signer.serial])]),
            &digest_algorithm,
            // RFC 5652 §5.4: stored as [0] IMPLICIT, signed as SET OF.
            &tlv::wrap(tlv::context(0), &[attributes.content]),
            &signature_algorithm,
            &tlv::wrap(tlv::OCTET_STRING, &[signature]),
            &unsigned,
        ],
    );
    let signed_data = tlv::wrap(
        tlv::SEQUENCE,
        &[
            &version_1,
            &tlv::wrap(tlv::SET, &[&digest_algorithm]),
            &tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(rfc5911::ID_DATA)]),
            &tlv::set_of(tlv::context(0), certificates.to_vec()),
            &tlv::wrap(tlv::SET, &[&signer_info]),
        ],
    );
    Ok(tlv::wrap(
        tlv::SEQUENCE,
        &[&tlv::object_identifier(rfc5911::ID_SIGNED_DATA), &tlv::wrap(tlv::context(0), &[&signed_data])],
    ))
}

/// A digest's AlgorithmIdentifier: SHA-2 is written without parameters (RFC 5754 §2), and so is SM3.
fn algorithm_identifier(digest: Digest) -> Vec<u8> {
    tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(digest.oid())])
}

/// The most bytes that [`assemble`] can give for this kind of key, these certificates, a token of at most `stamp` bytes and
/// a receipt of at most `receipt` bytes (none at all where they are 0), so that a PDF can leave a hole of the right size
/// before anything is signed.
///
/// # Errors
/// As [`assemble`].
pub fn room(
    algorithm: KeyAlgorithm,
    certificates: &[Vec<u8>],
    stamp: usize,
    receipt: usize,
) -> Result<usize, CmsError> {
    let signer = certificates.first().ok_or(CmsError::Malformed("signer certificate"))?;
    let receipt = (receipt > 0).then(|| "0".repeat(receipt));
    let digest = algorithm.digest();
    let attributes = signed_attributes(digest, &vec![0; digest.length()], signer, receipt.as_deref());
    let (value, token) = (vec![0; algorithm.longest_signature()], vec![0; stamp]);
    let token = (stamp > 0).then_some(token.as_slice());
    Ok(assemble(&attributes, &value, algorithm, certificates, token)?.len())
}

#[cfg(test)]
mod tests;
