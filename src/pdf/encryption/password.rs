//! From the empty user password to the file's key (ISO 32000-2 §7.6.4.3), and the proof that it is the one.

use super::Way;
use super::cipher::{block_open, cbc_close, cbc_open, rc4};
use crate::crypto::Digest;
use crate::pdf::PdfError;
use crate::pdf::object::{Dict, Object};

/// What the key is made from and proven by.
pub(super) struct Values {
    revision: i64,
    length: usize,
    metadata: bool,
    permissions: [u8; 4],
    identifier: Vec<u8>,
    owner: Vec<u8>,
    user: Vec<u8>,
    /// /UE and /Perms, from revision 5 on.
    wrapped: Vec<u8>,
    proof: Vec<u8>,
}

/// Algorithm 2, step a: what stands for the empty password.
const PADDING: [u8; 32] = [
    0x28, 0xBF, 0x4E, 0x5E, 0x4E, 0x75, 0x8A, 0x41, 0x64, 0x00, 0x4E, 0x56, 0xFF, 0xFA, 0x01, 0x08, 0x2E, 0x2E, 0x00,
    0xB6, 0xD0, 0x68, 0x3E, 0x80, 0x2F, 0x0C, 0xA9, 0xFE, 0x64, 0x53, 0x69, 0x7A,
];

impl Values {
    /// None where one is missing or of another length.
    pub fn of(dict: &Dict, way: &Way, identifier: &[u8]) -> Option<Self> {
        let modern = way.revision >= 5;
        // Some writers fill /O and /U up with zeros.
        let value = |key: &[u8], length: usize| {
            let (value, rest) = dict.get(key)?.string()?.split_at_checked(length)?;
            rest.iter().all(|&b| b == 0).then(|| value.to_vec())
        };
        let own = if modern { 48 } else { 32 };
        // 32 bits, with a sign or without.
        let permissions = dict.get(b"P").and_then(Object::int)?;
        let signed = i32::try_from(permissions).map(i32::to_le_bytes);
        Some(Self {
            revision: way.revision,
            length: way.length,
            metadata: way.metadata,
            permissions: signed.or_else(|_| u32::try_from(permissions).map(u32::to_le_bytes)).ok()?,
            identifier: identifier.to_vec(),
            owner: value(b"O", own)?,
            user: value(b"U", own)?,
            wrapped: if modern { value(b"UE", 32)? } else { Vec::new() },
            proof: if modern { value(b"Perms", 16)? } else { Vec::new() },
        })
    }

    /// The file's key.
    ///
    /// Errors: the empty password is not the user's; what must prove the key contradicts it.
    pub fn key(&self) -> Result<Vec<u8>, PdfError> {
        match self.revision {
            2..=4 => self.by_md5().ok_or(PdfError::NeedsPassword),
            _ => self.by_sha(),
        }
    }

    /// Algorithm 2, proven by algorithms 4 to 6.
    fn by_md5(&self) -> Option<Vec<u8>> {
        let plain_metadata: &[u8] = if self.revision >= 4 && !self.metadata { &[0xff; 4] } else { &[] };
        let made_from: [&[u8]; 5] = [&PADDING, &self.owner, &self.permissions, &self.identifier, plain_metadata];
        let mut key = Digest::Md5.over(&made_from);
        key.truncate(self.length);
        if self.revision == 2 {
            return (rc4(&key, &PADDING)? == self.user).then_some(key);
        }
        for _ in 0..50 {
            key = Digest::Md5.over(&[&key]);
            key.truncate(self.length);
        }
        let mut proof = Digest::Md5.over(&[&PADDING, &self.identifier]);
        for round in 0..20u8 {
            let key: Vec<u8> = key.iter().map(|b| b ^ round).collect();
            proof = rc4(&key, &proof)?;
        }
        (self.user.get(..16)? == proof).then_some(key)
    }

    /// Algorithm 2.A, proven by algorithms 11 and 13.
    fn by_sha(&self) -> Result<Vec<u8>, PdfError> {
        let salted = |range: std::ops::Range<usize>| self.hash(self.user.get(range)?);
        let proven = salted(32..40).is_some_and(|hash| self.user.get(..32) == Some(&hash));
        if !proven {
            return Err(PdfError::NeedsPassword);
        }
        let key = salted(40..48).and_then(|hash| cbc_open(&hash, &[0; 16], &self.wrapped));
        let key = key.ok_or(PdfError::UnknownProtection)?;
        let said = block_open(&key, &self.proof).ok_or(PdfError::UnknownProtection)?;
        let metadata = if self.metadata { b'T' } else { b'F' };
        match said {
            [a, b, c, d, _, _, _, _, m, b'a', b'd', b'b', ..] if [a, b, c, d] == self.permissions && m == metadata => {
                Ok(key)
            }
            _ => Err(PdfError::UnknownProtection),
        }
    }

    /// Of the empty password with a salt: SHA-256 in revision 5, algorithm 2.B in revision 6. Of the many rounds the last one
    /// is where its last byte is small enough: at least 64, and 288 at most, since a byte is never more than 255.
    fn hash(&self, salt: &[u8]) -> Option<Vec<u8>> {
        let mut hash = Digest::Sha256.over(&[salt]);
        for round in 1.. {
            if self.revision == 5 {
                break;
            }
            let (key, iv) = hash.get(..32)?.split_at(16);
            let made = cbc_close(key, iv, hash.repeat(64))?;
            // 256 is 1 more than a multiple of 3.
            let sum: u32 = made.iter().take(16).copied().map(u32::from).sum();
            let digest = match sum % 3 {
                0 => Digest::Sha256,
                1 => Digest::Sha384,
                _ => Digest::Sha512,
            };
            hash = digest.over(&[&made]);
            if round >= 64 && u32::from(*made.last()?) <= round - 32 {
                break;
            }
        }
        hash.truncate(32);
        Some(hash)
    }
}
