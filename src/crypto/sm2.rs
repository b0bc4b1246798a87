//! SM2 signatures with SM3 (GM/T 0003.2, GM/T 0009): verification. The signer's identity is the default one, as in every
//! certificate and seal met.

use sm2::dsa::signature::Verifier;
use sm2::dsa::{Signature, VerifyingKey};
use sm3::Digest;

/// The identity that goes into Z where nothing else was agreed (GM/T 0009 §10).
pub const DEFAULT_ID: &str = "1234567812345678";

/// SM3 (GM/T 0004).
pub fn sm3(bytes: &[u8]) -> [u8; 32] {
    sm3::Sm3::digest(bytes).into()
}

/// Whether r ‖ s is the value of the key (a point as `04 x y`) over the message.
pub fn verify(point: &[u8], message: &[u8], value: &[u8; 64]) -> bool {
    let key = VerifyingKey::from_sec1_bytes(DEFAULT_ID, point);
    let value = Signature::from_slice(value);
    key.and_then(|key| key.verify(message, &value?)).is_ok()
}
