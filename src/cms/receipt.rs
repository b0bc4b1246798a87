//! The log's receipt as a signed attribute: the proof that this use of the seal stands in the public log travels under the
//! signature itself. One value, a UTF8String with the text of C2SP tlog-proof; what it proves is asked elsewhere
//! ([`crate::tlog`]).

use super::read::{AttributeType, CmsError, Signer};
use crate::pki::tlv::{self, Element};

/// 2.25.145020908641296472519862320715740696233, an identifier that needs nobody's leave: 2.25 and a random UUID
/// (6d1a02d4-4498-47d0-8e3c-7a202aeb4ea9) as one number (X.667 §7, §15).
const RECEIPT: [u8; 20] = [
    0x69, 0x81, 0xDA, 0x9A, 0x81, 0xB5, 0x88, 0xC9, 0xC2, 0x9F, 0xA1, 0x8E, 0x9E, 0x9E, 0xC4, 0x82, 0xD7, 0xAD, 0x9D,
    0x29,
];

/// The attribute, DER.
pub(super) fn attribute(receipt: &str) -> Vec<u8> {
    let value = tlv::wrap(tlv::UTF8_STRING, &[receipt.as_bytes()]);
    tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(tlv::OBJECT_IDENTIFIER, &[&RECEIPT]), &tlv::wrap(tlv::SET, &[&value])])
}

/// What such an attribute is; a use of a seal by GB/T 38540 names its receipt in the same way.
pub(crate) fn receipt_type() -> AttributeType {
    AttributeType::of(&RECEIPT)
}

/// Whether an attribute is such a one.
pub fn is_receipt(oid: &AttributeType) -> bool {
    oid.as_bytes() == RECEIPT
}

impl Signer {
    /// The receipt among the signed attributes; one that nobody signed is none.
    ///
    /// # Errors
    /// [`CmsError::Malformed`] where the attribute is there more than once, or is not one UTF8String.
    pub fn receipt(&self) -> Option<Result<&str, CmsError>> {
        let mut found = self.signed_attributes.iter().filter(|attribute| is_receipt(&attribute.oid));
        let first = found.next()?;
        let only = match (first.values.as_slice(), found.next()) {
            ([value], None) => Element::read_all(value).and_then(|value| value.expect(tlv::UTF8_STRING)).ok(),
            _ => None,
        };
        let text = only.and_then(|value| std::str::from_utf8(value.content).ok());
        Some(text.ok_or(CmsError::Malformed("log receipt")))
    }
}
