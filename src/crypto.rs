//! Digests and signature checking: what our own keys are, and which signatures of other people we can judge.
//!
//! Nothing is signed here (keys sign in the keys' room) and nothing is invented: `ring` does the arithmetic wherever it can,
//! kept crates of RustCrypto the rest, and this room reads algorithm identifiers and says plainly which of them it cannot,
//! or would rather not, believe. Three questions have three answers: is the value right ([`verify`]), what does it rest on
//! ([`strengths`]), and until when is that accepted ([`Strength::until`]).
//!
//! Not here yet: Brainpool and other curves, ML-DSA.

mod digest;
mod rsa;
mod signature;
mod sm2;
mod strength;

#[cfg(test)]
mod tests;

pub use self::digest::{Digest, Hashing, sha256, sha384, sha512};
pub use self::signature::{
    SignatureFault, digest_of, effort, pkcs1_digest, strengths, verify, verify_digest, with_digest,
};
#[cfg(feature = "service")]
pub(crate) use self::sm2::IDENTITY as SM2_IDENTITY;
pub use self::sm2::digest_for as sm2_digest;
pub use self::strength::Strength;

use std::fmt;
use std::str::FromStr;

use const_oid::db;
use der::Any;
use spki::AlgorithmIdentifierOwned;

use self::signature::PublicKey;

/// What a key of ours is, and how it signs: the whole choice, so that nothing can be half chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 with SHA-256; the signature value is DER `SEQUENCE { r, s }` (RFC 3279 §2.2.3).
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 under a key of 2048 bits (RFC 8017 §8.2): for tokens and readers that know nothing
    /// newer. Its end is in the table ([`Strength::RsaPkcs1`]).
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    /// RSASSA-PKCS1-v1_5 with SHA-256 under a key of 3072 bits (RFC 8017 §8.2).
    #[serde(rename = "rsa-3072")]
    Rsa3072,
    /// SM2 with SM3 under the default identity (GM/T 0003.2, GM/T 0009 §10); the value is DER `SEQUENCE { r, s }` (GM/T 0009
    /// §7.3).
    #[serde(rename = "sm2")]
    Sm2,
    /// Ed25519 (RFC 8032 §5.1.6) over the message itself: what logs and witnesses sign with (C2SP signed-note). No
    /// certificate is made for it, so it can never be a seal's or an authority's.
    #[serde(rename = "ed25519")]
    Ed25519,
}

impl KeyAlgorithm {
    /// The name used in settings, in the database and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Sm2 => "sm2",
            Self::Ed25519 => "ed25519",
        }
    }

    /// Whether certificates are made for such keys, so that seals and authorities can use them.
    pub fn is_certified(self) -> bool {
        self != Self::Ed25519
    }

    /// Reads which of our key kinds a DER SubjectPublicKeyInfo is.
    ///
    /// # Errors
    /// [`SignatureFault::Malformed`] where it is not a public key, [`SignatureFault::Unsupported`] where it is one of a
    /// kind that we make none of.
    pub fn of_public_key(spki_der: &[u8]) -> Result<Self, SignatureFault> {
        match PublicKey::read(spki_der)? {
            PublicKey::P256(_) => Ok(Self::EcdsaP256),
            PublicKey::Rsa { key, only: None } if key.bits == 2048 => Ok(Self::Rsa2048),
            PublicKey::Rsa { key, only: None } if key.bits == 3072 => Ok(Self::Rsa3072),
            PublicKey::Sm2(_) => Ok(Self::Sm2),
            PublicKey::Ed25519(_) => Ok(Self::Ed25519),
            other => Err(SignatureFault::Unsupported(format!("{} key", other.name()))),
        }
    }

    /// The AlgorithmIdentifier of a signature by such a key (RFC 5758 §3.2: absent parameters for ECDSA;
    /// RFC 4055 §5: NULL for RSA; RFC 8410 §3: absent for Ed25519, and for SM2 in every certificate met).
    pub fn signature_algorithm(self) -> AlgorithmIdentifierOwned {
        match self {
            Self::EcdsaP256 => AlgorithmIdentifierOwned { oid: db::rfc5912::ECDSA_WITH_SHA_256, parameters: None },
            Self::Rsa2048 | Self::Rsa3072 => AlgorithmIdentifierOwned {
                oid: db::rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
                parameters: Some(Any::null()),
            },
            Self::Sm2 => AlgorithmIdentifierOwned { oid: sm2::SM2_WITH_SM3, parameters: None },
            Self::Ed25519 => AlgorithmIdentifierOwned { oid: db::rfc8410::ID_ED_25519, parameters: None },
        }
    }

    /// The digest of a document's content where such a key signs a CMS: the one that the signature itself uses, so that the
    /// whole rests on one (RFC 8419 §3.1 for Ed25519).
    pub fn digest(self) -> Digest {
        match self {
            Self::EcdsaP256 | Self::Rsa2048 | Self::Rsa3072 => Digest::Sha256,
            Self::Sm2 => Digest::Sm3,
            Self::Ed25519 => Digest::Sha512,
        }
    }

    /// Longest signature value in bytes, for whoever must leave room for it.
    pub fn longest_signature(self) -> usize {
        match self {
            // SEQUENCE of two INTEGERs of at most 33 bytes each.
            Self::EcdsaP256 | Self::Sm2 => 72,
            Self::Rsa2048 => 256,
            Self::Rsa3072 => 384,
            Self::Ed25519 => 64,
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
            "rsa-2048" => Ok(Self::Rsa2048),
            "rsa-3072" => Ok(Self::Rsa3072),
            "sm2" => Ok(Self::Sm2),
            "ed25519" => Ok(Self::Ed25519),
            other => Err(SignatureFault::Unsupported(other.chars().take(40).collect())),
        }
    }
}
