//! SM2 keys in memory (GM/T 0003): the `sm2` crate makes the values, this file reads the forms in which keys come.

use der::Encode;
use sm2::SecretKey;
use sm2::Sm2;
use sm2::dsa::signature::Signer as _;
use sm2::dsa::{Signature, SigningKey};
use sm2::elliptic_curve::sec1::ToSec1Point;
use sm2::pkcs8::{AssociatedOid, DecodePrivateKey};
use zeroize::Zeroizing;

use crate::crypto::SM2_IDENTITY;
use crate::keys::{KeyError, public_key, random};
use crate::pki::tlv::{self, Element};

/// A key that signs under the default identity.
pub(super) struct Sm2Key(SigningKey);

/// A private key, PKCS#8.
type Pkcs8 = Zeroizing<Vec<u8>>;

/// A new one, by drawing until it is below the order (FIPS 186-5 appendix A.2.2), which one draw in 2^32 is not.
pub(super) fn generate() -> Result<Pkcs8, KeyError> {
    loop {
        let octets = Zeroizing::new(random::<32>()?);
        if let Ok(key) = SecretKey::from_slice(&*octets) {
            return Ok(pkcs8(&key));
        }
    }
}

/// From the older form that OpenSSL and GmSSL write too, ECPrivateKey (SEC 1 §C.4); the curve must be named in it. None where
/// it is not SM2's.
pub(super) fn from_sec1(der: &[u8]) -> Option<Result<Pkcs8, KeyError>> {
    let fields = Element::read_all(der).and_then(|key| key.children()).ok()?;
    let curve = fields.iter().find(|field| field.tag == tlv::context(0))?;
    if curve.content != Sm2::OID.to_der().ok()? {
        return None;
    }
    let unfit = |why: &dyn std::fmt::Display| KeyError::PrivateKey { why: why.to_string() };
    Some(SecretKey::from_sec1_der(der).map(|key| pkcs8(&key)).map_err(|why| unfit(&why)))
}

impl Sm2Key {
    /// None where it is no SM2 key. A public key beside the private one must belong to it.
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let key = SecretKey::from_pkcs8_der(der).ok()?;
        SigningKey::new(SM2_IDENTITY, &key).ok().map(Self)
    }

    /// DER SubjectPublicKeyInfo.
    pub(super) fn public_key(&self) -> der::Result<Vec<u8>> {
        public_key::sm2(self.0.verifying_key().as_affine().to_sec1_point(false).as_bytes())
    }

    /// The value in DER. The number that must never be known or come twice is drawn from key and message (RFC 6979 with SM3),
    /// so it hangs on no source of randomness. None for a key that cannot sign, which is only n - 1.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let value: Signature = self.0.try_sign(message).ok()?;
        Some(value.to_der().as_bytes().to_vec())
    }
}

/// PrivateKeyInfo of version 0 around ECPrivateKey of version 1, as OpenSSL writes it (RFC 5958 §2, RFC 5915 §3). In one piece,
/// so that no other copy of the key is left behind.
fn pkcs8(key: &SecretKey) -> Pkcs8 {
    #[rustfmt::skip]
    const BEFORE: [u8; 36] = [
        0x30, 0x81, 0x87, 0x02, 0x01, 0x00,
        // id-ecPublicKey, sm2p256v1
        0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,
        0x06, 0x08, 0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x82, 0x2D,
        0x04, 0x6D, 0x30, 0x6B, 0x02, 0x01, 0x01, 0x04, 0x20,
    ];
    /// [1] BIT STRING, the public key.
    const BETWEEN: [u8; 5] = [0xA1, 0x44, 0x03, 0x42, 0x00];
    let (octets, point) = (Zeroizing::new(key.to_bytes()), key.public_key().to_sec1_point(false));
    Zeroizing::new([&BEFORE[..], &octets[..], &BETWEEN, point.as_bytes()].concat())
}
