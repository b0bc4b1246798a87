//! Other people's signatures: which algorithm is meant, whether the key fits it, and whether the value is right.

use const_oid::{ObjectIdentifier, db};
use der::asn1::UintRef;
use der::{Any, Decode};
use ring::signature as ring;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoRef};

use super::digest::Digest;
use super::rsa::{Pss, RsaKey};
use super::sm2;
use super::strength::Strength;
use crate::message::Message;

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
/// Checked: ECDSA on P-256, P-384 and P-521 with any of our digests (DER values), RSA PKCS#1 v1.5 with any, RSA-PSS with any
/// salt and mask, Ed25519, Ed448, SM2 with SM3 (DER values), and DSA. What is no longer accepted by the table of [`Strength`] is computed all the same
/// and ends as [`SignatureFault::Weak`].
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
    key.verify(scheme, message, signature)?;
    key.is_sound(scheme)
}

/// As [`verify`], where the message is large or lies in pieces and only its digest by [`digest_of`] is at hand.
///
/// # Errors
/// As there; [`SignatureFault::Unsupported`] for Ed25519 and Ed448, which read the whole message twice.
pub fn verify_digest(
    spki_der: &[u8],
    signature_algorithm: &AlgorithmIdentifierOwned,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), SignatureFault> {
    let key = PublicKey::read(spki_der)?;
    let scheme = Scheme::read(signature_algorithm)?;
    key.fits(scheme)?;
    key.verify_value(scheme, digest, signature)?;
    key.is_sound(scheme)
}

/// The digest algorithm inside an RSA PKCS#1 v1.5 value, where nothing beside it names one; it is not thereby verified.
pub fn pkcs1_digest(spki_der: &[u8], signature: &[u8]) -> Option<Digest> {
    match PublicKey::read(spki_der) {
        Ok(PublicKey::Rsa { key, .. }) => key.pkcs1_digest(signature),
        _ => None,
    }
}

/// What a signature by this key and algorithm rests on, so that whoever knows its time can ask [`Strength::until`].
///
/// # Errors
/// As [`verify`], where key or algorithm cannot be read or do not fit each other; the value is not looked at.
pub fn strengths(
    spki_der: &[u8],
    signature_algorithm: &AlgorithmIdentifierOwned,
) -> Result<Vec<Strength>, SignatureFault> {
    let key = PublicKey::read(spki_der)?;
    let scheme = Scheme::read(signature_algorithm)?;
    key.fits(scheme)?;
    Ok(key.rests_on(scheme))
}

/// How many of the quickest verifications (ECDSA and RSA by ring, some tenths of a millisecond) one with this key costs, so
/// that whoever looks for a signer among strangers can keep a budget. Measured: P-521 4 ms, Ed448 1.4 ms, DSA-2048 11 ms, SM2 0.2 ms.
pub fn effort(spki_der: &[u8]) -> usize {
    match PublicKey::read(spki_der) {
        Ok(PublicKey::Dsa(_)) => 32,
        Ok(PublicKey::P521(_) | PublicKey::Ed448(_)) => 8,
        Ok(PublicKey::Sm2(_)) => 2,
        _ => 1,
    }
}

/// The digest that a signature algorithm names, if it names one (RFC 8933 §3 wants it to be the one of the SignerInfo).
pub fn digest_of(signature_algorithm: &AlgorithmIdentifierOwned) -> Option<Digest> {
    Scheme::read(signature_algorithm).ok()?.digest()
}

/// The signature algorithm behind a CMS SignerInfo, where old writers put the bare key algorithm and mean
/// "with the digest named beside it" (RFC 3370 §3, RFC 5753 §2.1.1).
pub fn with_digest(signature_algorithm: &AlgorithmIdentifierOwned, digest: Digest) -> AlgorithmIdentifierOwned {
    let family = match signature_algorithm.oid {
        db::rfc5912::RSA_ENCRYPTION => Family::Pkcs1,
        db::rfc5912::ID_EC_PUBLIC_KEY => Family::Ecdsa,
        db::rfc5912::ID_DSA => Family::Dsa,
        _ => return signature_algorithm.clone(),
    };
    let named = NAMES.iter().find(|(_, of, with)| (*of, *with) == (family, digest));
    match named {
        Some((oid, ..)) => AlgorithmIdentifierOwned { oid: *oid, parameters: None },
        None => signature_algorithm.clone(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Ecdsa,
    Pkcs1,
    Dsa,
}

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// Algorithms that name key and digest in one: RFC 3279 §2.2, RFC 5758 §3, RFC 4055 §5, FIPS 202's from the NIST registry
/// (RFC 9688 §3), and the two of the OIW that old Windows writes.
const NAMES: &[(ObjectIdentifier, Family, Digest)] = &[
    (oid("1.2.840.10045.4.1"), Family::Ecdsa, Digest::Sha1),
    (db::rfc5912::ECDSA_WITH_SHA_224, Family::Ecdsa, Digest::Sha224),
    (db::rfc5912::ECDSA_WITH_SHA_256, Family::Ecdsa, Digest::Sha256),
    (db::rfc5912::ECDSA_WITH_SHA_384, Family::Ecdsa, Digest::Sha384),
    (db::rfc5912::ECDSA_WITH_SHA_512, Family::Ecdsa, Digest::Sha512),
    (oid("2.16.840.1.101.3.4.3.10"), Family::Ecdsa, Digest::Sha3_256),
    (oid("2.16.840.1.101.3.4.3.11"), Family::Ecdsa, Digest::Sha3_384),
    (oid("2.16.840.1.101.3.4.3.12"), Family::Ecdsa, Digest::Sha3_512),
    (db::rfc5912::MD_5_WITH_RSA_ENCRYPTION, Family::Pkcs1, Digest::Md5),
    (db::rfc5912::SHA_1_WITH_RSA_ENCRYPTION, Family::Pkcs1, Digest::Sha1),
    (oid("1.3.14.3.2.29"), Family::Pkcs1, Digest::Sha1),
    (db::rfc5912::SHA_224_WITH_RSA_ENCRYPTION, Family::Pkcs1, Digest::Sha224),
    (db::rfc5912::SHA_256_WITH_RSA_ENCRYPTION, Family::Pkcs1, Digest::Sha256),
    (db::rfc5912::SHA_384_WITH_RSA_ENCRYPTION, Family::Pkcs1, Digest::Sha384),
    (db::rfc5912::SHA_512_WITH_RSA_ENCRYPTION, Family::Pkcs1, Digest::Sha512),
    (oid("2.16.840.1.101.3.4.3.14"), Family::Pkcs1, Digest::Sha3_256),
    (oid("2.16.840.1.101.3.4.3.15"), Family::Pkcs1, Digest::Sha3_384),
    (oid("2.16.840.1.101.3.4.3.16"), Family::Pkcs1, Digest::Sha3_512),
    (db::rfc5912::DSA_WITH_SHA_1, Family::Dsa, Digest::Sha1),
    (oid("1.3.14.3.2.27"), Family::Dsa, Digest::Sha1),
    (db::rfc5912::DSA_WITH_SHA_224, Family::Dsa, Digest::Sha224),
    (db::rfc5912::DSA_WITH_SHA_256, Family::Dsa, Digest::Sha256),
    (oid("2.16.840.1.101.3.4.3.3"), Family::Dsa, Digest::Sha384),
    (oid("2.16.840.1.101.3.4.3.4"), Family::Dsa, Digest::Sha512),
];

/// A signature algorithm as named in an AlgorithmIdentifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Ecdsa(Digest),
    Pkcs1(Digest),
    Pss(Pss),
    Dsa(Digest),
    Ed25519,
    Ed448,
    /// With SM3 over the signer's identity, key and message, so its digest is not the message's.
    Sm2,
}

impl Scheme {
    fn read(algorithm: &AlgorithmIdentifierOwned) -> Result<Self, SignatureFault> {
        match algorithm.oid {
            db::rfc5912::ID_RSASSA_PSS => Ok(Self::Pss(read_pss(algorithm.parameters.as_ref())?)),
            db::rfc8410::ID_ED_25519 => Ok(Self::Ed25519),
            db::rfc8410::ID_ED_448 => Ok(Self::Ed448),
            sm2::SM2_WITH_SM3 | sm2::SM2_SIGNATURE => Ok(Self::Sm2),
            other => match NAMES.iter().find(|(oid, ..)| *oid == other) {
                Some((_, Family::Ecdsa, digest)) => Ok(Self::Ecdsa(*digest)),
                Some((_, Family::Pkcs1, digest)) => Ok(Self::Pkcs1(*digest)),
                Some((_, Family::Dsa, digest)) => Ok(Self::Dsa(*digest)),
                None => Err(SignatureFault::Unsupported(named("signature algorithm", other))),
            },
        }
    }

    fn digest(self) -> Option<Digest> {
        match self {
            Self::Ecdsa(digest) | Self::Pkcs1(digest) | Self::Dsa(digest) => Some(digest),
            Self::Pss(pss) => Some(pss.digest),
            Self::Ed25519 | Self::Ed448 | Self::Sm2 => None,
        }
    }
}

/// All four parameters have defaults, and the defaults are SHA-1 and a salt of 20 bytes.
fn read_pss(parameters: Option<&Any>) -> Result<Pss, SignatureFault> {
    /// RSASSA-PSS-params (RFC 8017 appendix A.2.3).
    #[derive(der::Sequence)]
    struct Parameters {
        #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
        hash: Option<AlgorithmIdentifierOwned>,
        #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
        mask: Option<AlgorithmIdentifierOwned>,
        #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
        salt: Option<u16>,
        #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
        trailer: Option<u8>,
    }
    const BAD: SignatureFault = SignatureFault::Malformed("RSA-PSS parameters");
    let fields = parameters.ok_or(BAD)?.decode_as::<Parameters>().map_err(|_| BAD)?;
    // trailerFieldBC is the only one there is (RFC 4055 §3.1).
    if fields.trailer.is_some_and(|trailer| trailer != 1) {
        return Err(BAD);
    }
    let unknown = |oid| SignatureFault::Unsupported(named("RSA-PSS with", oid));
    let digest = |algorithm: Option<AlgorithmIdentifierOwned>| match algorithm {
        None => Ok(Digest::Sha1),
        Some(algorithm) => Digest::of(&algorithm).ok_or_else(|| unknown(algorithm.oid)),
    };
    let mask = match fields.mask {
        None => None,
        Some(mask) if mask.oid == db::rfc5912::ID_MGF_1 => {
            let inner = mask.parameters.ok_or(BAD)?;
            Some(inner.decode_as::<AlgorithmIdentifierOwned>().map_err(|_| BAD)?)
        }
        Some(mask) => return Err(unknown(mask.oid)),
    };
    Ok(Pss { digest: digest(fields.hash)?, mask: digest(mask)?, salt: fields.salt.unwrap_or(20).into() })
}

/// A public key of a kind that we can use.
pub(super) enum PublicKey {
    /// Points as they stand (SEC 1 §2.3.3).
    P256(Vec<u8>),
    P384(Vec<u8>),
    P521(Vec<u8>),
    /// `only` is what a key that names RSASSA-PSS is restricted to: None in it is no restriction (RFC 4055 §1.2, §3.3).
    Rsa {
        key: RsaKey,
        only: Option<Option<Pss>>,
    },
    Dsa(DsaKey),
    Ed25519(Vec<u8>),
    Ed448(Vec<u8>),
    /// A point as it stands.
    Sm2(Vec<u8>),
}

impl PublicKey {
    pub(super) fn read(spki_der: &[u8]) -> Result<Self, SignatureFault> {
        const BAD: SignatureFault = SignatureFault::Malformed("public key");
        let spki = SubjectPublicKeyInfoRef::from_der(spki_der).map_err(|_| BAD)?;
        let bytes = spki.subject_public_key.as_bytes().ok_or(BAD)?;
        match spki.algorithm.oid {
            db::rfc5912::RSA_ENCRYPTION => Ok(Self::Rsa { key: RsaKey::read(bytes)?, only: None }),
            db::rfc5912::ID_RSASSA_PSS => {
                let parameters = spki.algorithm.parameters.map(Any::from);
                let only = parameters.map(|parameters| read_pss(Some(&parameters))).transpose()?;
                Ok(Self::Rsa { key: RsaKey::read(bytes)?, only: Some(only) })
            }
            db::rfc5912::ID_DSA => DsaKey::read(spki.algorithm.parameters.map(Any::from), bytes).map(Self::Dsa),
            db::rfc8410::ID_ED_25519 => Ok(Self::Ed25519(bytes.to_vec())),
            db::rfc8410::ID_ED_448 => Ok(Self::Ed448(bytes.to_vec())),
            db::rfc5912::ID_EC_PUBLIC_KEY => {
                // RFC 5480 §2.1.1.1 allows namedCurve only: explicit parameters are how CVE-2020-0601 came in.
                let curve = spki
                    .algorithm
                    .parameters_oid()
                    .map_err(|_| SignatureFault::Unsupported("elliptic curve key with explicit parameters".into()))?;
                match curve {
                    db::rfc5912::SECP_256_R_1 => Ok(Self::P256(bytes.to_vec())),
                    db::rfc5912::SECP_384_R_1 => Ok(Self::P384(bytes.to_vec())),
                    db::rfc5912::SECP_521_R_1 => Ok(Self::P521(bytes.to_vec())),
                    sm2::CURVE => Ok(Self::Sm2(bytes.to_vec())),
                    other => Err(SignatureFault::Unsupported(named("elliptic curve", other))),
                }
            }
            other => Err(SignatureFault::Unsupported(named("public key algorithm", other))),
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::P256(_) => "P-256".into(),
            Self::P384(_) => "P-384".into(),
            Self::P521(_) => "P-521".into(),
            Self::Rsa { key, .. } => format!("RSA-{}", key.bits),
            Self::Dsa(key) => format!("DSA-{}", key.bits()),
            Self::Ed25519(_) => "Ed25519".into(),
            Self::Ed448(_) => "Ed448".into(),
            Self::Sm2(_) => "SM2".into(),
        }
    }

    /// Whether a signature of this kind can be this key's at all.
    fn fits(&self, scheme: Scheme) -> Result<(), SignatureFault> {
        let fits = match (scheme, self) {
            (Scheme::Ecdsa(_), Self::P256(_) | Self::P384(_) | Self::P521(_)) => true,
            (Scheme::Ed25519, Self::Ed25519(_))
            | (Scheme::Ed448, Self::Ed448(_))
            | (Scheme::Dsa(_), Self::Dsa(_))
            | (Scheme::Sm2, Self::Sm2(_)) => true,
            (Scheme::Pkcs1(_), Self::Rsa { only, .. }) => only.is_none(),
            // RFC 4055 §3.3: the same digest and mask, a salt at least as long.
            (Scheme::Pss(pss), Self::Rsa { only: Some(Some(only)), .. }) => {
                (pss.digest, pss.mask) == (only.digest, only.mask) && pss.salt >= only.salt
            }
            (Scheme::Pss(_), Self::Rsa { .. }) => true,
            _ => false,
        };
        if fits { Ok(()) } else { Err(SignatureFault::Malformed("key, which is of another kind than its algorithm")) }
    }

    /// What a signature of this kind with this key rests on.
    fn rests_on(&self, scheme: Scheme) -> Vec<Strength> {
        let key = match self {
            Self::P256(_) => Strength::Ecdsa(256),
            Self::P384(_) => Strength::Ecdsa(384),
            Self::P521(_) => Strength::Ecdsa(521),
            Self::Rsa { key, .. } if matches!(scheme, Scheme::Pss(_)) => Strength::RsaPss(key.bits),
            Self::Rsa { key, .. } => Strength::RsaPkcs1(key.bits),
            Self::Dsa(key) => Strength::Dsa(key.bits()),
            Self::Ed25519(_) => Strength::Ed25519,
            Self::Ed448(_) => Strength::Ed448,
            Self::Sm2(_) => Strength::Sm2,
        };
        let digest = if scheme == Scheme::Sm2 { Some(Digest::Sm3) } else { scheme.digest() };
        std::iter::once(key).chain(digest.map(Strength::Digest)).collect()
    }

    fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<(), SignatureFault> {
        self.fits(scheme)?;
        if let Some((algorithm, key)) = self.ring(scheme) {
            let key = ring::UnparsedPublicKey::new(algorithm, key);
            return key.verify(message, signature).map_err(|_| SignatureFault::Wrong);
        }
        match (self, scheme.digest()) {
            (Self::Ed448(key), _) => verify_ed448(key, message, signature),
            (Self::Sm2(point), _) => sm2::verify(point, message, signature),
            (_, Some(digest)) => self.verify_value(scheme, &digest.over(&[message]), signature),
            (_, None) => Err(SignatureFault::Wrong),
        }
    }

    /// Over the digest of the message; the key fits the scheme.
    fn verify_value(&self, scheme: Scheme, digest: &[u8], signature: &[u8]) -> Result<(), SignatureFault> {
        let right = match (self, scheme) {
            (Self::Rsa { key, .. }, Scheme::Pkcs1(algorithm)) => return key.verify_pkcs1(algorithm, digest, signature),
            (Self::Rsa { key, .. }, Scheme::Pss(pss)) => return key.verify_pss(pss, digest, signature),
            (Self::P256(point), _) => ecdsa::p256(point, digest, signature)?,
            (Self::P384(point), _) => ecdsa::p384(point, digest, signature)?,
            (Self::P521(point), _) => ecdsa::p521(point, digest, signature)?,
            (Self::Dsa(key), _) => key.verify(digest, signature)?,
            _ => return Err(SignatureFault::Unsupported(format!("{} over a digest", self.name()))),
        };
        if right { Ok(()) } else { Err(SignatureFault::Wrong) }
    }

    fn is_sound(&self, scheme: Scheme) -> Result<(), SignatureFault> {
        let weak: Vec<String> =
            self.rests_on(scheme).iter().filter(|one| one.is_weak()).map(|one| one.name()).collect();
        if weak.is_empty() { Ok(()) } else { Err(SignatureFault::Weak(weak.join(" + "))) }
    }

    /// The fast way, where ring has one; it takes RSA from 2048 bits on in earnest.
    fn ring(&self, scheme: Scheme) -> Option<(&'static dyn ring::VerificationAlgorithm, &[u8])> {
        let algorithm: &'static dyn ring::VerificationAlgorithm = match (self, scheme) {
            // ring reads whole points only.
            (Self::P256(point) | Self::P384(point), _) if point.first() != Some(&4) => return None,
            (Self::P256(_), Scheme::Ecdsa(Digest::Sha256)) => &ring::ECDSA_P256_SHA256_ASN1,
            (Self::P256(_), Scheme::Ecdsa(Digest::Sha384)) => &ring::ECDSA_P256_SHA384_ASN1,
            (Self::P384(_), Scheme::Ecdsa(Digest::Sha256)) => &ring::ECDSA_P384_SHA256_ASN1,
            (Self::P384(_), Scheme::Ecdsa(Digest::Sha384)) => &ring::ECDSA_P384_SHA384_ASN1,
            (Self::Ed25519(_), _) => &ring::ED25519,
            (Self::Rsa { key, .. }, scheme) if key.bits >= 2048 => match scheme {
                Scheme::Pkcs1(Digest::Sha1) => &ring::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
                Scheme::Pkcs1(Digest::Sha256) => &ring::RSA_PKCS1_2048_8192_SHA256,
                Scheme::Pkcs1(Digest::Sha384) => &ring::RSA_PKCS1_2048_8192_SHA384,
                Scheme::Pkcs1(Digest::Sha512) => &ring::RSA_PKCS1_2048_8192_SHA512,
                Scheme::Pss(Pss { digest: Digest::Sha256, mask: Digest::Sha256, salt: 32 }) => {
                    &ring::RSA_PSS_2048_8192_SHA256
                }
                Scheme::Pss(Pss { digest: Digest::Sha384, mask: Digest::Sha384, salt: 48 }) => {
                    &ring::RSA_PSS_2048_8192_SHA384
                }
                Scheme::Pss(Pss { digest: Digest::Sha512, mask: Digest::Sha512, salt: 64 }) => {
                    &ring::RSA_PSS_2048_8192_SHA512
                }
                _ => return None,
            },
            _ => return None,
        };
        let key = match self {
            Self::P256(bytes) | Self::P384(bytes) | Self::Ed25519(bytes) => bytes,
            Self::Rsa { key, .. } => &key.der,
            _ => return None,
        };
        Some((algorithm, key))
    }
}

/// ECDSA over a digest of any length (FIPS 186-5 §6.4.2 takes its leftmost bits), values in DER.
mod ecdsa {
    use p256::ecdsa::signature::hazmat::PrehashVerifier;

    use super::SignatureFault;

    const BAD: SignatureFault = SignatureFault::Malformed("elliptic curve point");

    macro_rules! curve {
        ($name:ident) => {
            pub(super) fn $name(point: &[u8], digest: &[u8], signature: &[u8]) -> Result<bool, SignatureFault> {
                let key = ::$name::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| BAD)?;
                let value = ::$name::ecdsa::Signature::from_der(signature);
                Ok(value.is_ok_and(|value| key.verify_prehash(digest, &value).is_ok()))
            }
        };
    }
    curve!(p256);
    curve!(p384);
    curve!(p521);
}

/// A DSA key with its domain parameters, which stand in the key (RFC 3279 §2.3.2); inherited ones are not looked for.
pub(super) struct DsaKey {
    p: Vec<u8>,
    q: Vec<u8>,
    g: Vec<u8>,
    y: Vec<u8>,
}

impl DsaKey {
    fn read(parameters: Option<Any>, public_key: &[u8]) -> Result<Self, SignatureFault> {
        #[derive(der::Sequence)]
        struct Parameters<'a> {
            p: UintRef<'a>,
            q: UintRef<'a>,
            g: UintRef<'a>,
        }
        const BAD: SignatureFault = SignatureFault::Malformed("DSA public key");
        let parameters = parameters.ok_or(SignatureFault::Unsupported("DSA key without parameters".into()))?;
        let Parameters { p, q, g } = parameters.decode_as().map_err(|_| BAD)?;
        let y = UintRef::from_der(public_key).map_err(|_| BAD)?;
        let key = Self {
            p: p.as_bytes().to_vec(),
            q: q.as_bytes().to_vec(),
            g: g.as_bytes().to_vec(),
            y: y.as_bytes().to_vec(),
        };
        // FIPS 186-4 §4.2; and no power of any other size is ever computed.
        match (key.bits(), key.q.len() * 8) {
            (1024, 160) | (2048, 224 | 256) | (3072, 256) => Ok(key),
            (p, q) => Err(SignatureFault::Unsupported(format!("DSA-{p}/{q}"))),
        }
    }

    fn bits(&self) -> usize {
        self.p.len() * 8
    }

    /// FIPS 186-4 §4.7, after the key itself (SP 800-89 §5.3.1).
    fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<bool, SignatureFault> {
        use crypto_bigint::BoxedUint;
        use dsa::signature::hazmat::PrehashVerifier;

        const BAD: SignatureFault = SignatureFault::Malformed("DSA public key");
        let number = |octets: &[u8], like: &[u8]| {
            let bits = u32::try_from(like.len() * 8).map_err(|_| BAD)?;
            BoxedUint::from_be_slice(octets, bits).map_err(|_| BAD)
        };
        let (p, q) = (number(&self.p, &self.p)?, number(&self.q, &self.q)?);
        let (g, y) = (number(&self.g, &self.p)?, number(&self.y, &self.p)?);
        if y >= p {
            return Err(BAD);
        }
        let Ok(value) = dsa::Signature::from_der(signature) else { return Ok(false) };
        let components = dsa::Components::from_components(p, q, g).map_err(|_| BAD)?;
        let key = dsa::VerifyingKey::from_components(components, y).map_err(|_| BAD)?;
        Ok(key.verify_prehash(digest, &value).is_ok())
    }
}

/// RFC 8032 §5.2.7, without context (RFC 8419 §3).
fn verify_ed448(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureFault> {
    const BAD: SignatureFault = SignatureFault::Malformed("Ed448 public key");
    let point = key.try_into().map_err(|_| BAD)?;
    let key = ed448_goldilocks::VerifyingKey::from_bytes(&point).map_err(|_| BAD)?;
    let value = ed448_goldilocks::Signature::from_slice(signature).map_err(|_| SignatureFault::Wrong)?;
    key.verify_raw(&value, message).map_err(|_| SignatureFault::Wrong)
}

fn named(what: &str, oid: ObjectIdentifier) -> String {
    match db::DB.by_oid(&oid) {
        Some(name) => format!("{what} {name} ({oid})"),
        None => format!("{what} {oid}"),
    }
}
