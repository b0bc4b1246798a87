//! Digests and signature checking: what our own keys are, and which signatures of other people we can judge.
//!
//! Nothing is signed here (keys sign in the keys' room) and nothing is invented: `ring` does the arithmetic, this
//! room reads algorithm identifiers and says plainly which of them it cannot, or would rather not, believe.
//! Not here: SM2/SM3 (their issue), P-521, Brainpool, DSA, and RSA-PSS whose salt is not as long as its digest.

use std::fmt;
use std::str::FromStr;

use const_oid::{ObjectIdentifier, db};
use der::{Any, Decode};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoRef};

use crate::message::Message;

// — our own keys

/// What a seal key or CA key of ours is, and how it signs: the whole choice, so that nothing can be half chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 with SHA-256; the signature value is DER `SEQUENCE { r, s }` (RFC 3279 §2.2.3).
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 under a key of 3072 bits (RFC 8017 §8.2).
    #[serde(rename = "rsa-3072")]
    Rsa3072,
}

impl KeyAlgorithm {
    /// The name used in settings, in the database and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::Rsa3072 => "rsa-3072",
        }
    }

    /// Reads which of our key kinds a DER SubjectPublicKeyInfo is.
    ///
    /// # Errors
    /// [`SignatureFault::Malformed`] where it is not a public key, [`SignatureFault::Unsupported`] where it is one of a
    /// kind that our own seals do not use.
    pub fn of_public_key(spki_der: &[u8]) -> Result<Self, SignatureFault> {
        match PublicKey::read(spki_der)? {
            PublicKey::P256(_) => Ok(Self::EcdsaP256),
            PublicKey::Rsa { bits: 3072, only: None, .. } => Ok(Self::Rsa3072),
            PublicKey::Rsa { bits, .. } => Err(SignatureFault::Unsupported(format!("RSA-{bits} key"))),
            PublicKey::P384(_) => Err(SignatureFault::Unsupported("P-384 key".into())),
            PublicKey::Ed25519(_) => Err(SignatureFault::Unsupported("Ed25519 key".into())),
        }
    }

    /// The AlgorithmIdentifier of a signature by such a key (RFC 5758 §3.2: absent parameters for ECDSA;
    /// RFC 4055 §5: NULL for RSA).
    pub fn signature_algorithm(self) -> AlgorithmIdentifierOwned {
        match self {
            Self::EcdsaP256 => AlgorithmIdentifierOwned { oid: db::rfc5912::ECDSA_WITH_SHA_256, parameters: None },
            Self::Rsa3072 => AlgorithmIdentifierOwned {
                oid: db::rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
                parameters: Some(Any::null()),
            },
        }
    }

    /// Longest signature value in bytes, for whoever must leave room for it.
    pub fn longest_signature(self) -> usize {
        match self {
            // SEQUENCE of two INTEGERs of at most 33 bytes each.
            Self::EcdsaP256 => 72,
            Self::Rsa3072 => 384,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyAlgorithm {
    type Err = SignatureFault;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "ecdsa-p256" => Ok(Self::EcdsaP256),
            "rsa-3072" => Ok(Self::Rsa3072),
            other => Err(SignatureFault::Unsupported(other.chars().take(40).collect())),
        }
    }
}

// — digests

/// A digest algorithm that we can compute. SHA-1 is for reading old documents and is always reported as weak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    /// The algorithm behind an object identifier, if it is one of ours.
    pub fn of_oid(oid: ObjectIdentifier) -> Option<Self> {
        match oid {
            db::rfc5912::ID_SHA_1 => Some(Self::Sha1),
            db::rfc5912::ID_SHA_256 => Some(Self::Sha256),
            db::rfc5912::ID_SHA_384 => Some(Self::Sha384),
            db::rfc5912::ID_SHA_512 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The object identifier (RFC 5754 §2, RFC 3370 §2.1).
    pub fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => db::rfc5912::ID_SHA_1,
            Self::Sha256 => db::rfc5912::ID_SHA_256,
            Self::Sha384 => db::rfc5912::ID_SHA_384,
            Self::Sha512 => db::rfc5912::ID_SHA_512,
        }
    }

    /// The name people know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// Collisions have been shown (SHA-1, 2017): a document that rests on it alone is not proven.
    pub fn is_weak(self) -> bool {
        self == Self::Sha1
    }

    /// The digest of these pieces read one after the other, e.g. the two spans of a PDF ByteRange.
    pub fn over(self, pieces: &[&[u8]]) -> Vec<u8> {
        let mut context = ring::digest::Context::new(self.ring());
        for piece in pieces {
            context.update(piece);
        }
        context.finish().as_ref().to_vec()
    }

    fn ring(self) -> &'static ring::digest::Algorithm {
        match self {
            Self::Sha1 => &ring::digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &ring::digest::SHA256,
            Self::Sha384 => &ring::digest::SHA384,
            Self::Sha512 => &ring::digest::SHA512,
        }
    }
}

/// SHA-256 of these bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    fixed(&ring::digest::SHA256, bytes)
}

/// SHA-384 of these bytes.
pub fn sha384(bytes: &[u8]) -> [u8; 48] {
    fixed(&ring::digest::SHA384, bytes)
}

/// SHA-512 of these bytes.
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    fixed(&ring::digest::SHA512, bytes)
}

fn fixed<const N: usize>(algorithm: &'static ring::digest::Algorithm, bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(ring::digest::digest(algorithm, bytes).as_ref());
    out
}

// — other people's signatures

/// Why a signature value is not simply good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// The value does not belong to this message and this key.
    #[error("{}", self.message())]
    Wrong,
    /// The value does belong to them, but the named algorithm or key is too weak to prove it.
    #[error("{}", self.message())]
    Weak(String),
    /// We have no way to check the named algorithm, key or parameter: nothing is known.
    #[error("{}", self.message())]
    Unsupported(String),
    /// The named part could not be read, or the key is not of the kind that the algorithm asks for.
    #[error("{}", self.message())]
    Malformed(&'static str),
}

impl SignatureFault {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::Wrong => Message::new(
                "crypto.signature-wrong",
                "签名值与内容或公钥不符：内容在签名后被改动，或不是用该证书的密钥签的。请向发文机关索取原件。",
                "The signature value does not match the content and the key: changed since signing, or signed with another key. Ask the issuer for the original.",
            ),
            Self::Weak(name) => Message::new(
                "crypto.signature-weak",
                format!("签名值相符，但 {name} 强度不足，不能作为凭据。请要求用 SHA-256 及以上重新签发。"),
                format!(
                    "The signature value matches, but {name} is too weak to prove anything. Ask for one made with SHA-256 or better."
                ),
            ),
            Self::Unsupported(name) => Message::new(
                "crypto.algorithm-unsupported",
                format!("无法检验 {name}，因此不作判断。请用支持该算法的工具检验。"),
                format!(
                    "{name} cannot be checked here, so nothing is said about it. Use a tool that knows this algorithm."
                ),
            ),
            Self::Malformed(part) => Message::new(
                "crypto.malformed",
                format!("签名的 {part} 无法读取或与算法不符。请向发文机关索取原件。"),
                format!(
                    "The signature's {part} cannot be read or does not fit the algorithm. Ask the issuer for the original."
                ),
            ),
        }
    }
}

/// Checks `signature` over `message` (not over its digest) with the key in a DER SubjectPublicKeyInfo.
///
/// Checked: ECDSA on P-256 and P-384 with SHA-256/384 (DER values), RSA PKCS#1 v1.5 and PSS with SHA-256/384/512 from 2048
/// to 8192 bits, Ed25519. SHA-1 and 1024-bit RSA are computed where ring can, and end as [`SignatureFault::Weak`].
///
/// # Errors
/// See [`SignatureFault`]; only `Ok` means that the value is right and the algorithm sound.
pub fn verify(
    spki_der: &[u8],
    signature_algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureFault> {
    let key = PublicKey::read(spki_der)?;
    let scheme = Scheme::read(signature_algorithm)?;
    let method = scheme.method(&key)?;
    UnparsedPublicKey::new(method.ring, key.bytes()).verify(message, signature).map_err(|_| SignatureFault::Wrong)?;
    match method.weakness {
        Some(name) => Err(SignatureFault::Weak(name)),
        None => Ok(()),
    }
}

/// The signature algorithm behind a CMS SignerInfo, where old writers put the bare key algorithm and mean
/// "with the digest named beside it" (RFC 3370 §3.2, RFC 5753 §2.1.1).
pub fn with_digest(signature_algorithm: &AlgorithmIdentifierOwned, digest: Digest) -> AlgorithmIdentifierOwned {
    let oid = match (signature_algorithm.oid, digest) {
        (db::rfc5912::RSA_ENCRYPTION, Digest::Sha1) => db::rfc5912::SHA_1_WITH_RSA_ENCRYPTION,
        (db::rfc5912::RSA_ENCRYPTION, Digest::Sha256) => db::rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
        (db::rfc5912::RSA_ENCRYPTION, Digest::Sha384) => db::rfc5912::SHA_384_WITH_RSA_ENCRYPTION,
        (db::rfc5912::RSA_ENCRYPTION, Digest::Sha512) => db::rfc5912::SHA_512_WITH_RSA_ENCRYPTION,
        (db::rfc5912::ID_EC_PUBLIC_KEY, Digest::Sha256) => db::rfc5912::ECDSA_WITH_SHA_256,
        (db::rfc5912::ID_EC_PUBLIC_KEY, Digest::Sha384) => db::rfc5912::ECDSA_WITH_SHA_384,
        (db::rfc5912::ID_EC_PUBLIC_KEY, Digest::Sha512) => db::rfc5912::ECDSA_WITH_SHA_512,
        _ => return signature_algorithm.clone(),
    };
    AlgorithmIdentifierOwned { oid, parameters: None }
}

/// A public key of a kind that ring can use, with the bytes in the form that ring wants.
enum PublicKey {
    P256(Vec<u8>),
    P384(Vec<u8>),
    /// PKCS#1 RSAPublicKey, the length of its modulus, and the only PSS digest it may be used with (RFC 4055 §1.2).
    Rsa {
        der: Vec<u8>,
        bits: usize,
        only: Option<Digest>,
    },
    Ed25519(Vec<u8>),
}

impl PublicKey {
    fn read(spki_der: &[u8]) -> Result<Self, SignatureFault> {
        let spki = SubjectPublicKeyInfoRef::from_der(spki_der).map_err(|_| SignatureFault::Malformed("public key"))?;
        let bytes = spki.subject_public_key.as_bytes().ok_or(SignatureFault::Malformed("public key"))?.to_vec();
        match spki.algorithm.oid {
            db::rfc5912::RSA_ENCRYPTION => Ok(Self::Rsa { bits: modulus_bits(&bytes)?, der: bytes, only: None }),
            db::rfc5912::ID_RSASSA_PSS => {
                let parameters = spki.algorithm.parameters.map(Any::from);
                match Scheme::read_pss(parameters.as_ref())? {
                    Scheme::Pss(digest) => {
                        Ok(Self::Rsa { bits: modulus_bits(&bytes)?, der: bytes, only: Some(digest) })
                    }
                    _ => Err(SignatureFault::Malformed("RSA-PSS key")),
                }
            }
            db::rfc8410::ID_ED_25519 => Ok(Self::Ed25519(bytes)),
            db::rfc5912::ID_EC_PUBLIC_KEY => {
                // RFC 5480 §2.1.1.1 allows namedCurve only.
                let curve = spki
                    .algorithm
                    .parameters_oid()
                    .map_err(|_| SignatureFault::Unsupported("elliptic curve key with explicit parameters".into()))?;
                if bytes.first() != Some(&4) {
                    return Err(SignatureFault::Unsupported("compressed elliptic curve point".into()));
                }
                match curve {
                    db::rfc5912::SECP_256_R_1 => Ok(Self::P256(bytes)),
                    db::rfc5912::SECP_384_R_1 => Ok(Self::P384(bytes)),
                    other => Err(SignatureFault::Unsupported(named("elliptic curve", other))),
                }
            }
            other => Err(SignatureFault::Unsupported(named("public key algorithm", other))),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::P256(bytes) | Self::P384(bytes) | Self::Ed25519(bytes) => bytes,
            Self::Rsa { der, .. } => der,
        }
    }
}

/// Length of the modulus of a PKCS#1 RSAPublicKey (RFC 8017 appendix A.1.1), in bits.
fn modulus_bits(rsa_public_key: &[u8]) -> Result<usize, SignatureFault> {
    #[derive(der::Sequence)]
    struct RsaPublicKey<'a> {
        modulus: der::asn1::UintRef<'a>,
        public_exponent: der::asn1::UintRef<'a>,
    }
    let key = RsaPublicKey::from_der(rsa_public_key).map_err(|_| SignatureFault::Malformed("RSA public key"))?;
    let bytes = key.modulus.as_bytes();
    let first = bytes.first().ok_or(SignatureFault::Malformed("RSA public key"))?;
    Ok(bytes.len() * 8 - first.leading_zeros() as usize)
}

/// A signature algorithm as named in an AlgorithmIdentifier.
enum Scheme {
    Ecdsa(Digest),
    Pkcs1(Digest),
    Pss(Digest),
    Ed25519,
}

struct Method {
    ring: &'static dyn VerificationAlgorithm,
    /// Set where the value can be computed but proves little.
    weakness: Option<String>,
}

impl Scheme {
    fn read(algorithm: &AlgorithmIdentifierOwned) -> Result<Self, SignatureFault> {
        match algorithm.oid {
            db::rfc5912::ECDSA_WITH_SHA_256 => Ok(Self::Ecdsa(Digest::Sha256)),
            db::rfc5912::ECDSA_WITH_SHA_384 => Ok(Self::Ecdsa(Digest::Sha384)),
            db::rfc5912::SHA_1_WITH_RSA_ENCRYPTION => Ok(Self::Pkcs1(Digest::Sha1)),
            db::rfc5912::SHA_256_WITH_RSA_ENCRYPTION => Ok(Self::Pkcs1(Digest::Sha256)),
            db::rfc5912::SHA_384_WITH_RSA_ENCRYPTION => Ok(Self::Pkcs1(Digest::Sha384)),
            db::rfc5912::SHA_512_WITH_RSA_ENCRYPTION => Ok(Self::Pkcs1(Digest::Sha512)),
            db::rfc5912::ID_RSASSA_PSS => Self::read_pss(algorithm.parameters.as_ref()),
            db::rfc8410::ID_ED_25519 => Ok(Self::Ed25519),
            other => Err(SignatureFault::Unsupported(named("signature algorithm", other))),
        }
    }

    /// All four parameters have defaults, and the defaults are SHA-1 and a salt of 20 bytes.
    fn read_pss(parameters: Option<&Any>) -> Result<Self, SignatureFault> {
        const BAD: SignatureFault = SignatureFault::Malformed("RSA-PSS parameters");
        let fields = parameters.ok_or(BAD)?.decode_as::<PssParameters>().map_err(|_| BAD)?;
        let hash = fields.hash.map_or(Some(Digest::Sha1), |hash| Digest::of_oid(hash.oid));
        let mask = match fields.mask {
            None => Some(Digest::Sha1),
            Some(mask) if mask.oid == db::rfc5912::ID_MGF_1 => mask
                .parameters
                .and_then(|inner| inner.decode_as::<AlgorithmIdentifierOwned>().ok())
                .and_then(|inner| Digest::of_oid(inner.oid)),
            Some(_) => None,
        };
        match (hash, mask, fields.salt.unwrap_or(20), fields.trailer.unwrap_or(1)) {
            (Some(Digest::Sha1), _, _, _) => Err(SignatureFault::Unsupported("RSA-PSS with SHA-1".into())),
            (Some(hash), Some(mask), salt, 1) if hash == mask && usize::from(salt) == hash.ring().output_len() => {
                Ok(Self::Pss(hash))
            }
            (Some(hash), Some(mask), salt, _) => Err(SignatureFault::Unsupported(format!(
                "RSA-PSS with {}, MGF1 {} and a salt of {salt} bytes",
                hash.name(),
                mask.name()
            ))),
            _ => Err(SignatureFault::Unsupported("RSA-PSS with an unknown digest or mask".into())),
        }
    }

    fn method(&self, key: &PublicKey) -> Result<Method, SignatureFault> {
        const UNFIT: SignatureFault = SignatureFault::Malformed("key, which is of another kind than its algorithm");
        let sound = |ring: &'static dyn VerificationAlgorithm| Ok(Method { ring, weakness: None });
        let weak = |ring: &'static dyn VerificationAlgorithm, name: String| Ok(Method { ring, weakness: Some(name) });
        match (self, key) {
            (Self::Ecdsa(Digest::Sha256), PublicKey::P256(_)) => sound(&signature::ECDSA_P256_SHA256_ASN1),
            (Self::Ecdsa(Digest::Sha384), PublicKey::P256(_)) => sound(&signature::ECDSA_P256_SHA384_ASN1),
            (Self::Ecdsa(Digest::Sha256), PublicKey::P384(_)) => sound(&signature::ECDSA_P384_SHA256_ASN1),
            (Self::Ecdsa(Digest::Sha384), PublicKey::P384(_)) => sound(&signature::ECDSA_P384_SHA384_ASN1),
            (Self::Ed25519, PublicKey::Ed25519(_)) => sound(&signature::ED25519),
            (Self::Pkcs1(digest), PublicKey::Rsa { bits: 2048..=8192, only: None, .. }) => match digest {
                Digest::Sha256 => sound(&signature::RSA_PKCS1_2048_8192_SHA256),
                Digest::Sha384 => sound(&signature::RSA_PKCS1_2048_8192_SHA384),
                Digest::Sha512 => sound(&signature::RSA_PKCS1_2048_8192_SHA512),
                Digest::Sha1 => weak(&signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, "RSA + SHA-1".into()),
            },
            (Self::Pkcs1(digest), PublicKey::Rsa { bits: bits @ 1024..2048, only: None, .. }) => {
                let name = format!("RSA-{bits} + {}", digest.name());
                match digest {
                    Digest::Sha1 => weak(&signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, name),
                    Digest::Sha256 => weak(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, name),
                    Digest::Sha512 => weak(&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, name),
                    Digest::Sha384 => Err(SignatureFault::Unsupported(name)),
                }
            }
            (Self::Pkcs1(_), PublicKey::Rsa { only: Some(_), .. }) => Err(UNFIT),
            (Self::Pss(digest), PublicKey::Rsa { only: Some(only), .. }) if digest != only => Err(UNFIT),
            (Self::Pss(digest), PublicKey::Rsa { bits: 2048..=8192, .. }) => match digest {
                Digest::Sha256 => sound(&signature::RSA_PSS_2048_8192_SHA256),
                Digest::Sha384 => sound(&signature::RSA_PSS_2048_8192_SHA384),
                Digest::Sha512 => sound(&signature::RSA_PSS_2048_8192_SHA512),
                Digest::Sha1 => Err(SignatureFault::Unsupported("RSA-PSS with SHA-1".into())),
            },
            (Self::Pkcs1(digest) | Self::Pss(digest), PublicKey::Rsa { bits, .. }) => {
                Err(SignatureFault::Unsupported(format!("RSA-{bits} + {}", digest.name())))
            }
            _ => Err(UNFIT),
        }
    }
}

/// RSASSA-PSS-params (RFC 8017 appendix A.2.3).
#[derive(der::Sequence)]
struct PssParameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt: Option<u16>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u8>,
}

fn named(what: &str, oid: ObjectIdentifier) -> String {
    match db::DB.by_oid(&oid) {
        Some(name) => format!("{what} {name} ({oid})"),
        None => format!("{what} {oid}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn digests_of_known_text() {
        // FIPS 180-4 examples.
        assert_eq!(hex::encode(sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(
            Digest::Sha1.over(&[b"a", b"", b"bc"]),
            hex::decode("a9993e364706816aba3e25717850c26c9cd0d89d").unwrap()
        );
        assert_eq!(Digest::Sha384.over(&[b"abc"]), sha384(b"abc"));
        assert_eq!(Digest::Sha512.over(&[b"ab", b"c"]), sha512(b"abc"));
        for digest in [Digest::Sha1, Digest::Sha256, Digest::Sha384, Digest::Sha512] {
            assert_eq!(Digest::of_oid(digest.oid()), Some(digest));
        }
    }

    #[test]
    fn key_algorithm_has_one_name_everywhere() {
        for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa3072] {
            assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.name());
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        assert_eq!("sm2".parse::<KeyAlgorithm>(), Err(SignatureFault::Unsupported("sm2".into())));
    }

    #[test]
    fn own_key_kinds_are_told_from_the_public_key() {
        let key = rcgen::KeyPair::generate().unwrap();
        use rcgen::PublicKeyData;
        assert_eq!(KeyAlgorithm::of_public_key(&key.subject_public_key_info()), Ok(KeyAlgorithm::EcdsaP256));
        let ed = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        assert_eq!(
            KeyAlgorithm::of_public_key(&ed.subject_public_key_info()),
            Err(SignatureFault::Unsupported("Ed25519 key".into()))
        );
        assert_eq!(KeyAlgorithm::of_public_key(b"\x30\x80"), Err(SignatureFault::Malformed("public key")));
    }

    /// Project Wycheproof: every vector's own verdict, or the named reason why we do not judge it.
    #[test]
    fn wycheproof() {
        let Some(folder) = corpus("files/C2SP+wycheproof/testvectors_v1") else { return };
        let sha256_rsa = KeyAlgorithm::Rsa3072.signature_algorithm();
        let ecdsa = |oid| AlgorithmIdentifierOwned { oid, parameters: None };
        let pss = |parameters: &str| AlgorithmIdentifierOwned {
            oid: db::rfc5912::ID_RSASSA_PSS,
            parameters: Some(Any::from_der(&hex::decode(parameters).unwrap()).unwrap()),
        };
        let pss_32 = pss(
            "3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120",
        );
        let pss_0 = pss(
            "3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020100",
        );
        let pss_sha1 = pss("3011a00f300d06096086480165030402010500");
        let runs = [
            ("ecdsa_secp256r1_sha256_test.json", ecdsa(db::rfc5912::ECDSA_WITH_SHA_256), true),
            ("ecdsa_secp384r1_sha384_test.json", ecdsa(db::rfc5912::ECDSA_WITH_SHA_384), true),
            ("rsa_signature_2048_sha256_test.json", sha256_rsa.clone(), true),
            ("rsa_signature_4096_sha256_test.json", sha256_rsa, true),
            ("rsa_pss_2048_sha256_mgf1_32_params_test.json", pss_32, true),
            ("rsa_pss_2048_sha256_mgf1_0_test.json", pss_0, false),
            ("rsa_pss_2048_sha256_mgf1sha1_20_test.json", pss_sha1, false),
        ];
        for (name, algorithm, supported) in runs {
            let file: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
            let mut judged = 0;
            for group in file["testGroups"].as_array().unwrap() {
                let key = hex::decode(group["publicKeyDer"].as_str().unwrap()).unwrap();
                for test in group["tests"].as_array().unwrap() {
                    let bytes = |field: &str| hex::decode(test[field].as_str().unwrap()).unwrap();
                    let verdict = verify(&key, &algorithm, &bytes("msg"), &bytes("sig"));
                    if !supported {
                        assert!(matches!(verdict, Err(SignatureFault::Unsupported(_))), "{name} {}", test["tcId"]);
                    } else if test["result"] != "acceptable" {
                        assert_eq!(verdict.is_ok(), test["result"] == "valid", "{name} {} {verdict:?}", test["tcId"]);
                    }
                    judged += 1;
                }
            }
            assert_eq!(judged, file["numberOfTests"].as_u64().unwrap());
        }
    }

    fn corpus(below: &str) -> Option<PathBuf> {
        let root = std::env::var_os("YINXIN_CORPUS").map_or(PathBuf::from("../shared/corpus"), PathBuf::from);
        let path = root.join(below);
        if !path.exists() {
            eprintln!("SKIPPED: {} is not here", path.display());
            return None;
        }
        Some(path)
    }
}
