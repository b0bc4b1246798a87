//! Between PKCS#11's forms and ours: public keys, what a key is given to sign, and what it gives back.

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, KeyType};
use der::asn1::{OctetStringRef, UintRef};
use der::{Decode, Encode, Sequence};

use crate::crypto::{KeyAlgorithm, sha256, sm2_digest};
use crate::keys::settings::Sm2Numbers;
use crate::keys::{KeyCard, public_key};

/// CKA_EC_PARAMS of P-256: the DER object identifier 1.2.840.10045.3.1.7.
pub(super) const P256_PARAMS: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// CKA_EC_PARAMS of SM2: the DER object identifier 1.2.156.10197.1.301.
pub(super) const SM2_PARAMS: &[u8] = &[0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d];

/// Said where the settings do not tell how a token calls SM2.
pub(super) const NO_SM2: &str = "keys.pkcs11.sm2 is not set";
/// CKA_EC_PARAMS of Ed25519 as made here: id-Ed25519 (RFC 8410 §3, PKCS #11 v3.0 §2.3.5).
pub(super) const ED25519_PARAMS: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// As other programs and tokens write it: PrintableString "edwards25519" (the same section), and GNU's identifier from
/// before there was a standard (1.3.6.1.4.1.11591.15.1).
const ED25519_PARAMS_TOO: [&[u8]; 2] =
    [b"\x13\x0cedwards25519", &[0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01]];

/// The DER SubjectPublicKeyInfo of a public key object, from the attributes it gave. The fault is a noun phrase.
pub(super) fn public_key(attributes: &[Attribute], sm2: Option<&Sm2Numbers>) -> Result<Vec<u8>, &'static str> {
    let vendors = sm2.and_then(Sm2Numbers::key_kind);
    let (mut key_type, mut params, mut point, mut modulus, mut exponent) = (None, None, None, None, None);
    for attribute in attributes {
        match attribute {
            Attribute::KeyType(value) => key_type = Some(*value),
            Attribute::EcParams(value) => params = Some(value.as_slice()),
            Attribute::EcPoint(value) => point = Some(value.as_slice()),
            Attribute::Modulus(value) => modulus = Some(value.as_slice()),
            Attribute::PublicExponent(value) => exponent = Some(value.as_slice()),
            _ => {}
        }
    }
    let spki = match (key_type, params, point, modulus, exponent) {
        (Some(KeyType::EC), Some(P256_PARAMS), Some(point), _, _) => public_key::p256(bare_point(point)?),
        (Some(KeyType::EC), Some(SM2_PARAMS), Some(point), _, _) => public_key::sm2(bare_point(point)?),
        (Some(KeyType::EC), _, _, _, _) => return Err("an elliptic curve other than P-256 and SM2"),
        (Some(KeyType::EC_EDWARDS), Some(params), Some(point), _, _)
            if params == ED25519_PARAMS || ED25519_PARAMS_TOO.contains(&params) =>
        {
            public_key::ed25519(edwards_point(point)?)
        }
        (Some(KeyType::EC_EDWARDS), _, _, _, _) => return Err("an Edwards curve other than Ed25519"),
        (Some(KeyType::RSA), _, _, Some(modulus), Some(exponent)) => {
            public_key::pkcs1(modulus, exponent).and_then(|key| public_key::rsa(&key))
        }
        // A type of its own needs no parameters.
        (kind, None | Some([] | SM2_PARAMS), Some(point), _, _) if kind.is_some() && kind == vendors => {
            public_key::sm2(bare_point(point)?)
        }
        _ => return Err("a key type that is neither EC, RSA, Edwards nor, by the settings, SM2"),
    };
    spki.map_err(|_| "a public key object that makes no sense")
}

/// CKA_EC_POINT is the point in a DER OCTET STRING (PKCS #11 v2.40 §2.3.3); older tokens give the point itself.
fn bare_point(attribute: &[u8]) -> Result<&[u8], &'static str> {
    let point = match (attribute.len(), attribute.first()) {
        (65, Some(4)) => attribute,
        _ => <&OctetStringRef>::from_der(attribute).map_err(|_| "a public point that cannot be read")?.as_bytes(),
    };
    match (point.len(), point.first()) {
        (65, Some(4)) => Ok(point),
        _ => Err("a public point that is not an uncompressed one of 256 bits"),
    }
}

/// CKA_EC_POINT of Ed25519 is the key's 32 bytes (PKCS #11 v3.0 §2.3.5); SoftHSM puts them in a DER OCTET STRING, others in
/// a BIT STRING.
fn edwards_point(attribute: &[u8]) -> Result<&[u8], &'static str> {
    let point = [&[0x04, 0x20][..], &[0x03, 0x21, 0x00]].into_iter().find_map(|frame| attribute.strip_prefix(frame));
    match (point, attribute.len()) {
        (_, 32) => Ok(attribute),
        (Some(point), _) if point.len() == 32 => Ok(point),
        _ => Err("a public point that is not one of Ed25519"),
    }
}

/// The mechanism, built for each call because it cannot be copied; none for SM2 where the settings name none.
pub(super) fn mechanism(algorithm: KeyAlgorithm, sm2: Option<&Sm2Numbers>) -> Option<Mechanism<'static>> {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => Some(Mechanism::Ecdsa),
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 => Some(Mechanism::RsaPkcs),
        KeyAlgorithm::Ed25519 => Some(Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519))),
        KeyAlgorithm::Sm2 => sm2?.signing(),
    }
}

/// What the mechanism signs. The message is digested here: it may be long, tokens are slow, and not every token
/// digests by itself. Ed25519 reads the message itself, twice (RFC 8032 §5.1.6); a log's heads are short. None for a public
/// key that is none.
pub(super) fn input(card: &KeyCard, sm2: Option<&Sm2Numbers>, message: &[u8]) -> Option<Vec<u8>> {
    /// DigestInfo of SHA-256 up to the digest (RFC 8017 §9.2, note 1); CKM_RSA_PKCS only pads.
    const DIGEST_INFO: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
        0x20,
    ];
    match card.algorithm {
        KeyAlgorithm::EcdsaP256 => Some(sha256(message).to_vec()),
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 => Some([DIGEST_INFO.as_slice(), &sha256(message)].concat()),
        KeyAlgorithm::Sm2 if sm2.is_some_and(|numbers| numbers.digest_inside) => Some(message.to_vec()),
        KeyAlgorithm::Sm2 => sm2_digest(&card.public_key, message).ok(),
        KeyAlgorithm::Ed25519 => Some(message.to_vec()),
    }
}

/// The signature value in the form of certificates and CMS. CKM_ECDSA gives r and s side by side, 32 bytes each
/// (PKCS #11 v2.40 §2.3.1); wanted is DER (RFC 3279 §2.2.3). Vendors' mechanisms for SM2 give the one or the other.
pub(super) fn value(algorithm: KeyAlgorithm, raw: Vec<u8>) -> Option<Vec<u8>> {
    #[derive(Sequence)]
    struct EcdsaSigValue<'a> {
        r: UintRef<'a>,
        s: UintRef<'a>,
    }
    match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 => Some(raw),
        KeyAlgorithm::Ed25519 => Some(raw).filter(|raw| raw.len() == 64),
        KeyAlgorithm::Sm2 if raw.len() != 64 => Some(raw),
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::Sm2 => {
            let (r, s) = raw.split_at_checked(32).filter(|(_, s)| s.len() == 32)?;
            EcdsaSigValue { r: UintRef::new(r).ok()?, s: UintRef::new(s).ok()? }.to_der().ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_ecdsa_becomes_der_with_the_shortest_integers() {
        // r begins with a set bit and needs a leading zero; s begins with zeros that DER does not keep.
        let mut raw = vec![0x80; 32];
        raw.extend([[0; 31].as_slice(), &[7]].concat());
        let der = value(KeyAlgorithm::EcdsaP256, raw).unwrap();
        let expected = [[0x30, 0x26, 0x02, 0x21, 0x00].as_slice(), &[0x80; 32], &[0x02, 0x01, 0x07]].concat();
        assert_eq!(der, expected);
    }

    #[test]
    fn raw_ecdsa_of_another_length_is_refused() {
        for length in [0, 32, 63, 65, 96] {
            assert_eq!(value(KeyAlgorithm::EcdsaP256, vec![1; length]), None, "{length}");
        }
    }

    #[test]
    fn edwards_key_is_taken_bare_or_in_either_frame() {
        let bare = [9; 32];
        let frames = [&[][..], &[0x04, 0x20], &[0x03, 0x21, 0x00]];
        let spki = public_key::ed25519(&bare).unwrap();
        for (params, frame) in [ED25519_PARAMS].into_iter().chain(ED25519_PARAMS_TOO).zip(frames) {
            let point = Attribute::EcPoint([frame, &bare].concat());
            let key = [Attribute::KeyType(KeyType::EC_EDWARDS), Attribute::EcParams(params.to_vec()), point];
            assert_eq!(public_key(&key, None), Ok(spki.clone()));
        }
        for bad in [&[9; 31][..], &[9; 33], &[0x04, 0x20], &[&[0x04, 0x20][..], &[9; 33]].concat()] {
            assert!(edwards_point(bad).is_err(), "{bad:?}");
        }
        // X25519 (RFC 8410), which signs nothing.
        let other = [
            Attribute::KeyType(KeyType::EC_EDWARDS),
            Attribute::EcParams(vec![0x06, 0x03, 0x2b, 0x65, 0x6e]),
            Attribute::EcPoint(bare.to_vec()),
        ];
        assert!(public_key(&other, None).is_err());
        assert_eq!(value(KeyAlgorithm::Ed25519, vec![1; 63]), None);
    }

    #[test]
    fn point_is_taken_wrapped_or_bare_and_nothing_else() {
        let bare = [[4].as_slice(), &[9; 64]].concat();
        let wrapped = [[4, 65].as_slice(), &bare].concat();
        assert_eq!(bare_point(&bare), Ok(bare.as_slice()));
        assert_eq!(bare_point(&wrapped), Ok(bare.as_slice()));
        let compressed = [[4, 33, 2].as_slice(), &[9; 32]].concat();
        for bad in [&[][..], &[4], &compressed, &wrapped[..66], &[9; 65]] {
            assert!(bare_point(bad).is_err(), "{bad:?}");
        }
    }
}
