//! Digests: every one that we can compute, over bytes that may come in pieces.

use const_oid::{ObjectIdentifier, db};
use ring::digest as ring;
use sha2::digest::{ExtendableOutput, FixedOutput, Update, XofReader};
use spki::AlgorithmIdentifierOwned;

use super::Strength;

/// A digest algorithm that we can compute. MD5 and SHA-1 are for reading old documents and are always reported as weak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha3_256,
    Sha3_384,
    Sha3_512,
    /// With 512 bits of output, as CMS uses it (RFC 8419 §2.3, RFC 8702 §3.1).
    Shake256,
    /// GM/T 0004, ISO/IEC 10118-3.
    Sm3,
}

const OIDS: &[(ObjectIdentifier, Digest)] = &[
    (db::rfc5912::ID_MD_5, Digest::Md5),
    (db::rfc5912::ID_SHA_1, Digest::Sha1),
    (db::rfc5912::ID_SHA_224, Digest::Sha224),
    (db::rfc5912::ID_SHA_256, Digest::Sha256),
    (db::rfc5912::ID_SHA_384, Digest::Sha384),
    (db::rfc5912::ID_SHA_512, Digest::Sha512),
    (db::fips202::ID_SHA_3_256, Digest::Sha3_256),
    (db::fips202::ID_SHA_3_384, Digest::Sha3_384),
    (db::fips202::ID_SHA_3_512, Digest::Sha3_512),
    (db::fips202::ID_SHAKE_256, Digest::Shake256),
    (ObjectIdentifier::new_unwrap("1.2.156.10197.1.401"), Digest::Sm3),
];

impl Digest {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        OIDS.iter().map(|(_, digest)| *digest)
    }

    /// The algorithm behind an object identifier, if it is one of ours.
    pub fn of_oid(oid: ObjectIdentifier) -> Option<Self> {
        OIDS.iter().find(|(own, _)| *own == oid).map(|(_, digest)| *digest)
    }

    /// The algorithm that an identifier names, if it is one of ours; SHAKE256 with a length named beside it must be the one
    /// that we compute (RFC 8419 §2.3).
    pub fn of(algorithm: &AlgorithmIdentifierOwned) -> Option<Self> {
        const SHAKE_256_LEN: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.18");
        if algorithm.oid != SHAKE_256_LEN {
            return Self::of_oid(algorithm.oid);
        }
        let bits: u16 = algorithm.parameters.as_ref()?.decode_as().ok()?;
        (bits == 512).then_some(Self::Shake256)
    }

    /// The object identifier (RFC 3370 §2, RFC 5754 §2, RFC 9688 §2, RFC 8702 §2).
    pub fn oid(self) -> ObjectIdentifier {
        match OIDS.iter().find(|(_, digest)| *digest == self) {
            Some((oid, _)) => *oid,
            None => db::rfc5912::ID_SHA_256,
        }
    }

    /// The name people know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Sha3_256 => "SHA3-256",
            Self::Sha3_384 => "SHA3-384",
            Self::Sha3_512 => "SHA3-512",
            Self::Shake256 => "SHAKE256",
            Self::Sm3 => "SM3",
        }
    }

    /// Octets of a value.
    pub fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 | Self::Sha3_256 | Self::Sm3 => 32,
            Self::Sha384 | Self::Sha3_384 => 48,
            Self::Sha512 | Self::Sha3_512 | Self::Shake256 => 64,
        }
    }

    /// Not accepted any more for new documents ([`Strength::until`]): one that rests on it alone is not proven.
    pub fn is_weak(self) -> bool {
        Strength::Digest(self).is_weak()
    }

    /// The digest of these pieces read one after the other, e.g. the two spans of a PDF ByteRange.
    pub fn over(self, pieces: &[&[u8]]) -> Vec<u8> {
        let mut hashing = self.begin();
        for piece in pieces {
            hashing.update(piece);
        }
        hashing.finish()
    }

    /// A digest to be fed piece by piece.
    pub fn begin(self) -> Hashing {
        let ring = |algorithm| State::Ring(ring::Context::new(algorithm));
        Hashing(match self {
            Self::Sha1 => ring(&ring::SHA1_FOR_LEGACY_USE_ONLY),
            Self::Sha256 => ring(&ring::SHA256),
            Self::Sha384 => ring(&ring::SHA384),
            Self::Sha512 => ring(&ring::SHA512),
            Self::Md5 => State::Md5(Default::default()),
            Self::Sha224 => State::Sha224(Default::default()),
            Self::Sha3_256 => State::Sha3_256(Default::default()),
            Self::Sha3_384 => State::Sha3_384(Default::default()),
            Self::Sha3_512 => State::Sha3_512(Default::default()),
            Self::Shake256 => State::Shake256(Default::default()),
            Self::Sm3 => State::Sm3(Default::default()),
        })
    }
}

/// A digest in the making; a copy of it goes on from the same bytes.
#[derive(Clone)]
pub struct Hashing(State);

#[derive(Clone)]
enum State {
    Ring(ring::Context),
    Md5(md5::Md5),
    Sha224(sha2::Sha224),
    Sha3_256(sha3::Sha3_256),
    Sha3_384(sha3::Sha3_384),
    Sha3_512(sha3::Sha3_512),
    Shake256(shake::Shake256),
    Sm3(sm3::Sm3),
}

impl Hashing {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Ring(context) => context.update(bytes),
            State::Md5(state) => state.update(bytes),
            State::Sha224(state) => state.update(bytes),
            State::Sha3_256(state) => state.update(bytes),
            State::Sha3_384(state) => state.update(bytes),
            State::Sha3_512(state) => state.update(bytes),
            State::Shake256(state) => state.update(bytes),
            State::Sm3(state) => state.update(bytes),
        }
    }

    /// The value.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            State::Ring(context) => context.finish().as_ref().to_vec(),
            State::Md5(state) => state.finalize_fixed().to_vec(),
            State::Sha224(state) => state.finalize_fixed().to_vec(),
            State::Sha3_256(state) => state.finalize_fixed().to_vec(),
            State::Sha3_384(state) => state.finalize_fixed().to_vec(),
            State::Sha3_512(state) => state.finalize_fixed().to_vec(),
            State::Sm3(state) => state.finalize_fixed().to_vec(),
            State::Shake256(state) => {
                let mut value = vec![0; Digest::Shake256.length()];
                state.finalize_xof().read(&mut value);
                value
            }
        }
    }
}

/// SHA-256 of these bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    fixed(&ring::SHA256, bytes)
}

/// SHA-384 of these bytes.
pub fn sha384(bytes: &[u8]) -> [u8; 48] {
    fixed(&ring::SHA384, bytes)
}

/// SHA-512 of these bytes.
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    fixed(&ring::SHA512, bytes)
}

fn fixed<const N: usize>(algorithm: &'static ring::Algorithm, bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(ring::digest(algorithm, bytes).as_ref());
    out
}
