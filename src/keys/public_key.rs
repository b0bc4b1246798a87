//! Public halves, from what the homes give, as DER SubjectPublicKeyInfo.

use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1};
use const_oid::db::rfc8410::ID_ED_25519;
use der::asn1::{Any, BitString, UintRef};
use der::{Encode, Sequence};
use sm2::Sm2;
use sm2::pkcs8::AssociatedOid;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

/// A P-256 key from its uncompressed point, 0x04 and 64 bytes (RFC 5480 §2).
pub(super) fn p256(point: &[u8]) -> der::Result<Vec<u8>> {
    spki(ID_EC_PUBLIC_KEY, Some(Any::encode_from(&SECP_256_R_1)?), point)
}

/// An SM2 key from its uncompressed point, 0x04 and 64 bytes: id-ecPublicKey on sm2p256v1, as in every certificate met.
pub(super) fn sm2(point: &[u8]) -> der::Result<Vec<u8>> {
    spki(ID_EC_PUBLIC_KEY, Some(Any::encode_from(&Sm2::OID)?), point)
}

/// An RSA key from its PKCS#1 RSAPublicKey (RFC 3279 §2.3.1).
pub(super) fn rsa(rsa_public_key: &[u8]) -> der::Result<Vec<u8>> {
    spki(RSA_ENCRYPTION, Some(Any::null()), rsa_public_key)
}

/// An Ed25519 key from its 32 bytes (RFC 8410 §4).
pub(super) fn ed25519(key: &[u8]) -> der::Result<Vec<u8>> {
    spki(ID_ED_25519, None, key)
}

/// A PKCS#1 RSAPublicKey (RFC 8017 appendix A.1.1) from big-endian numbers.
pub(super) fn pkcs1(modulus: &[u8], public_exponent: &[u8]) -> der::Result<Vec<u8>> {
    #[derive(Sequence)]
    struct RsaPublicKey<'a> {
        modulus: UintRef<'a>,
        public_exponent: UintRef<'a>,
    }
    RsaPublicKey { modulus: UintRef::new(modulus)?, public_exponent: UintRef::new(public_exponent)? }.to_der()
}

fn spki(oid: spki::ObjectIdentifier, parameters: Option<Any>, key: &[u8]) -> der::Result<Vec<u8>> {
    let algorithm = AlgorithmIdentifierOwned { oid, parameters };
    SubjectPublicKeyInfoOwned { algorithm, subject_public_key: BitString::from_bytes(key)? }.to_der()
}
