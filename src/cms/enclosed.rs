//! A signature with its content inside (RFC 5652 §5.1), as time-stamp tokens are: made here, read as any other.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911;
use der::Encode;

use super::CmsError;
use crate::crypto::KeyAlgorithm;
use crate::pki::certificate::Certificate;
use crate::pki::tlv;

/// A SignedData with its content inside, in a ContentInfo, DER, from the attribute bytes as signed
/// ([`super::signed_attributes_of`]). `certificates` are those that go into it, in any order; the signer's need not be
/// among them.
///
/// # Errors
/// [`CmsError`] where the attributes are not one DER SET.
pub fn enclose(
    (content_type, content): (ObjectIdentifier, &[u8]),
    signed_attributes: &[u8],
    signature: &[u8],
    algorithm: KeyAlgorithm,
    signer: &Certificate,
    certificates: &[Vec<u8>],
) -> Result<Vec<u8>, CmsError> {
    let attributes = tlv::Element::read_all(signed_attributes).and_then(|set| set.expect(tlv::SET));
    let attributes = attributes.map_err(|_| CmsError::Malformed("signed attributes"))?;
    let signature_algorithm =
        algorithm.signature_algorithm().to_der().map_err(|_| CmsError::Malformed("signature algorithm"))?;
    let digest_algorithm = super::algorithm_identifier(algorithm.digest());
    let signer_info = tlv::wrap(
        tlv::SEQUENCE,
        &[
            &tlv::unsigned_integer(&[1]),
            &tlv::wrap(tlv::SEQUENCE, &[signer.issuer.as_der(), &tlv::wrap(tlv::INTEGER, &[&signer.serial])]),
            &digest_algorithm,
            // RFC 5652 §5.4: stored as [0] IMPLICIT, signed as SET OF.
            &tlv::wrap(tlv::context(0), &[attributes.content]),
            &signature_algorithm,
            &tlv::wrap(tlv::OCTET_STRING, &[signature]),
        ],
    );
    let inside = tlv::wrap(tlv::context(0), &[&tlv::wrap(tlv::OCTET_STRING, &[content])]);
    let certificates = match certificates {
        [] => Vec::new(),
        some => tlv::set_of(tlv::context(0), some.to_vec()),
    };
    let signed_data = tlv::wrap(
        tlv::SEQUENCE,
        &[
            // RFC 5652 §5.1: 3, as the content is not id-data.
            &tlv::unsigned_integer(&[3]),
            &tlv::wrap(tlv::SET, &[&digest_algorithm]),
            &tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(content_type), &inside]),
            &certificates,
            &tlv::wrap(tlv::SET, &[&signer_info]),
        ],
    );
    Ok(tlv::wrap(
        tlv::SEQUENCE,
        &[&tlv::object_identifier(rfc5911::ID_SIGNED_DATA), &tlv::wrap(tlv::context(0), &[&signed_data])],
    ))
}
