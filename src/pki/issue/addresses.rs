//! Where a certificate says that its issuer's lists, answers and own certificate are to be had (RFC 5280 §4.2.1.13, §4.2.2.1).

use const_oid::db::{rfc5280, rfc5912};

use super::{IssueFault, extension};
use crate::limits;
use crate::pki::tlv;

/// Addresses for a certificate; each is left out where nobody reaches it. A certificate lives for years, and one that names an
/// address without an answer is refused by strict verifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The issuer's revocation list.
    pub list: Option<String>,
    /// The issuer's OCSP responder.
    pub responder: Option<String>,
    /// The issuer's own certificate, DER.
    pub issuer: Option<String>,
}

impl Addresses {
    /// The extensions that name them.
    pub(super) fn extensions(&self) -> Result<Vec<Vec<u8>>, IssueFault> {
        let mut extensions = Vec::new();
        if let Some(list) = &self.list {
            let point = tlv::wrap(tlv::context(0), &[&tlv::wrap(tlv::context(0), &[&uri(list)?])]);
            let points = tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(tlv::SEQUENCE, &[&point])]);
            extensions.push(extension(rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS, false, &points));
        }
        let mut access = Vec::new();
        for (method, at) in [(rfc5912::ID_AD_OCSP, &self.responder), (rfc5912::ID_AD_CA_ISSUERS, &self.issuer)] {
            if let Some(at) = at {
                access.extend(tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(method), &uri(at)?]));
            }
        }
        if !access.is_empty() {
            let access = tlv::wrap(tlv::SEQUENCE, &[&access]);
            extensions.push(extension(rfc5280::ID_PE_AUTHORITY_INFO_ACCESS, false, &access));
        }
        Ok(extensions)
    }
}

/// GeneralName uniformResourceIdentifier.
fn uri(address: &str) -> Result<Vec<u8>, IssueFault> {
    let visible = address.bytes().all(|byte| byte.is_ascii_graphic());
    let scheme = address.starts_with("http://") || address.starts_with("https://");
    if !visible || !scheme || address.len() > limits::ADDRESS_BYTES {
        return Err(IssueFault::CrlUrl);
    }
    Ok(tlv::wrap(tlv::context_primitive(6), &[address.as_bytes()]))
}
