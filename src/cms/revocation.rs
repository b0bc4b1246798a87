//! Lists and responses that travel inside a signature, signed or not; each says by itself who made it.

use const_oid::ObjectIdentifier;

use super::read::{SignedData, Signer};
use crate::limits;
use crate::pki::ocsp::OcspResponse;
use crate::pki::revocation::RevocationList;
use crate::pki::tlv::{self, Element};

/// Adobe's revocationInfoArchival, a signed attribute (ISO 32000-1 §12.8.3.3.2).
const ADOBE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113583.1.1.8");
/// id-aa-ets-revocationValues, unsigned (EN 319 122-1 §A.1.5.2).
const REVOCATION_VALUES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.24");

/// What was found, in the order found; what cannot be read is passed over.
#[derive(Debug, Clone, Default)]
pub struct Brought {
    pub lists: Vec<RevocationList>,
    pub responses: Vec<OcspResponse>,
}

impl SignedData {
    /// The revocation data in the CMS itself (RFC 5652 §10.2.1, RFC 5940 §2) and in its signers' attributes. Nothing is
    /// believed thereby.
    pub fn revocation_evidence(&self) -> Brought {
        let mut brought = Brought::default();
        self.crls.iter().for_each(|der| brought.list(der));
        self.responses.iter().for_each(|der| brought.response(der));
        for signer in &self.signers {
            brought.attributes(signer);
        }
        brought
    }
}

impl Brought {
    fn attributes(&mut self, signer: &Signer) {
        let all = signer.signed_attributes.iter().chain(&signer.unsigned_attributes);
        for attribute in all.filter(|attribute| attribute.oid == ADOBE || attribute.oid == REVOCATION_VALUES) {
            // Both are a SEQUENCE of [0] lists and [1] responses.
            for value in attribute.values.iter().filter_map(|value| Element::read_all(value).ok()) {
                for part in value.children().unwrap_or_default() {
                    let list = part.children().ok().and_then(|inside| inside.first()?.children().ok());
                    for item in list.unwrap_or_default() {
                        match part.tag {
                            0xA0 => self.list(item.whole),
                            0xA1 => self.response(item.whole),
                            _ => {}
                        }
                    }
                }
            }
        }
    }

    fn list(&mut self, der: &[u8]) {
        if self.lists.len() < limits::CMS_REVOCATION {
            self.lists.extend(RevocationList::read(der));
        }
    }

    fn response(&mut self, der: &[u8]) {
        if self.responses.len() < limits::CMS_REVOCATION {
            self.responses.extend(OcspResponse::read(der));
        }
    }
}

/// OtherRevocationInfoFormat (RFC 5652 §10.2.1): an OCSP response in either form (RFC 5940 §2.1, §2.2).
pub(super) fn other_revocation(element: &Element<'_>) -> Option<Vec<u8>> {
    const OCSP: [ObjectIdentifier; 2] =
        [ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.16.2"), ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1")];
    let parts = element.expect(tlv::context(1)).ok()?.children().ok()?;
    let [format, response] = parts.as_slice() else { return None };
    let format = <ObjectIdentifier as der::Decode>::from_der(format.whole).ok()?;
    OCSP.contains(&format).then(|| response.whole.to_vec())
}
