//! SM2 signatures with SM3 (GM/T 0003.2, GM/T 0009): verification, and what a key signs. The signer's identity is the default
//! one, as in every certificate and seal met; with another, or none, no value holds.

use const_oid::ObjectIdentifier;
use sm2::dsa::signature::Verifier;
use sm2::dsa::{Signature, VerifyingKey};
use sm2::elliptic_curve::sec1::ToSec1Point;

use super::signature::PublicKey;
use super::{Digest, SignatureFault};

/// The curve sm2p256v1 (GM/T 0006).
pub(super) const CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");
/// The signature by itself; CMS writers put it where the other one is meant.
pub(super) const SM2_SIGNATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301.1");
/// The signature with SM3.
pub(super) const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");

/// The identity that goes into Z where nothing else was agreed (GM/T 0009 §10).
pub(crate) const IDENTITY: &str = "1234567812345678";

/// a, b, x and y of the base point, 32 octets each (GM/T 0003.5 §2).
const PARAMETERS: [u8; 128] = [
    0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, // a
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFC, //
    0x28, 0xE9, 0xFA, 0x9E, 0x9D, 0x9F, 0x5E, 0x34, 0x4D, 0x5A, 0x9E, 0x4B, 0xCF, 0x65, 0x09, 0xA7, // b
    0xF3, 0x97, 0x89, 0xF5, 0x15, 0xAB, 0x8F, 0x92, 0xDD, 0xBC, 0xBD, 0x41, 0x4D, 0x94, 0x0E, 0x93, //
    0x32, 0xC4, 0xAE, 0x2C, 0x1F, 0x19, 0x81, 0x19, 0x5F, 0x99, 0x04, 0x46, 0x6A, 0x39, 0xC9, 0x94, // x
    0x8F, 0xE3, 0x0B, 0xBF, 0xF2, 0x66, 0x0B, 0xE1, 0x71, 0x5A, 0x45, 0x89, 0x33, 0x4C, 0x74, 0xC7, //
    0xBC, 0x37, 0x36, 0xA2, 0xF4, 0xF6, 0x77, 0x9C, 0x59, 0xBD, 0xCE, 0xE3, 0x6B, 0x69, 0x21, 0x53, // y
    0xD0, 0xA9, 0x87, 0x7C, 0xC6, 0x2A, 0x47, 0x40, 0x02, 0xDF, 0x32, 0xE5, 0x21, 0x39, 0xF0, 0xA0, //
];

/// Checks a value in DER over the message with the key at this point (SEC 1 §2.3.3).
pub(super) fn verify(point: &[u8], message: &[u8], value: &[u8]) -> Result<(), SignatureFault> {
    let key = VerifyingKey::from_sec1_bytes(IDENTITY, point).map_err(|_| NO_POINT)?;
    // GM/T 0009 §7.3: SEQUENCE { r INTEGER, s INTEGER }.
    let value = Signature::from_der(value).map_err(|_| SignatureFault::Wrong)?;
    key.verify(message, &value).map_err(|_| SignatureFault::Wrong)
}

const NO_POINT: SignatureFault = SignatureFault::Malformed("elliptic curve point");

/// e = SM3(Z ‖ message), which an SM2 key signs, for keys whose home does not digest by itself; `public_key` is its DER
/// SubjectPublicKeyInfo. Z = SM3(ENTL ‖ identity ‖ a ‖ b ‖ base point ‖ key) (GM/T 0003.2 §5.5, §6.1).
///
/// # Errors
/// [`SignatureFault::Malformed`] where it is no SM2 key.
pub fn digest_for(public_key: &[u8], message: &[u8]) -> Result<Vec<u8>, SignatureFault> {
    let PublicKey::Sm2(point) = PublicKey::read(public_key)? else {
        return Err(SignatureFault::Malformed("public key, which is none for SM2"));
    };
    Ok(Digest::Sm3.over(&[&z(&point)?, message]))
}

fn z(point: &[u8]) -> Result<Vec<u8>, SignatureFault> {
    let point = sm2::PublicKey::from_sec1_bytes(point).map_err(|_| NO_POINT)?.to_sec1_point(false);
    let coordinates = point.as_bytes().get(1..).ok_or(NO_POINT)?;
    let bits = (8 * IDENTITY.len() as u16).to_be_bytes();
    Ok(Digest::Sm3.over(&[&bits, IDENTITY.as_bytes(), &PARAMETERS, coordinates]))
}

#[cfg(test)]
mod tests;
