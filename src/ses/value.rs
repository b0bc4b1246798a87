//! An SM2 value as it is found: `SEQUENCE { r, s }` (GB/T 35276 §7.3), or what is written instead.

use crate::pki::tlv::{self, Element};

/// How a value was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As the standard has it: DER.
    Standard,
    /// r and s with zeros in front, or BER lengths.
    NotMinimal,
    /// r ‖ s, 64 octets.
    Raw,
}

/// An SM2 value, 32 octets each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    pub r: [u8; 32],
    pub s: [u8; 32],
    pub form: Form,
}

impl Value {
    /// Reads a value in whatever form is met; `None` where it is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if let Some(value) = Self::read_sequence(bytes) {
            return Some(value);
        }
        let raw: &[u8; 64] = bytes.try_into().ok()?;
        let (r, s) = raw.split_at(32);
        Some(Self { r: r.try_into().ok()?, s: s.try_into().ok()?, form: Form::Raw })
    }

    fn read_sequence(bytes: &[u8]) -> Option<Self> {
        let sequence = Element::read_all(bytes).ok()?.expect(tlv::SEQUENCE).ok()?;
        let parts = sequence.children().ok()?;
        let [r, s] = parts.as_slice() else { return None };
        let (r, s) = (number(r)?, number(s)?);
        let mut value = Self { r, s, form: Form::Standard };
        if value.to_der() != bytes {
            value.form = Form::NotMinimal;
        }
        Some(value)
    }

    /// As the standard has it.
    pub fn to_der(self) -> Vec<u8> {
        tlv::wrap(tlv::SEQUENCE, &[&tlv::unsigned_integer(&self.r), &tlv::unsigned_integer(&self.s)])
    }
}

/// Unsigned, 32 octets at most when zeros in front are left away. A set first bit is taken for a missing zero: no value is
/// negative.
fn number(element: &Element<'_>) -> Option<[u8; 32]> {
    let octets = element.expect(tlv::INTEGER).ok()?.content;
    // Zero is read like any other number; no signature with it holds.
    let octets = octets.get(octets.iter().position(|&b| b != 0).unwrap_or(octets.len())..)?;
    let mut number = [0; 32];
    number.get_mut(32_usize.checked_sub(octets.len())?..)?.copy_from_slice(octets);
    Some(number)
}
