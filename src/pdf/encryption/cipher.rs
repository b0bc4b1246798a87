//! RC4 and AES as a PDF uses them (ISO 32000-2 §7.6.3), by the crates that are kept for it.

use crate::crypto::Digest;
use crate::pdf::PdfError;
use crate::pdf::object::Ref;
use aes::cipher::array::Array;
use aes::cipher::{BlockCipherDecrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit, StreamCipher};
use aes::{Aes128, Aes256};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cipher {
    Rc4,
    Aes128,
    Aes256,
}

/// Bytes of an AES block.
pub(super) const BLOCK: usize = 16;

impl Cipher {
    /// The key for one object's strings and stream (algorithms 1 and 1.A).
    pub fn key(self, file: &[u8], of: Ref) -> Vec<u8> {
        let salt: &[u8] = match self {
            Self::Aes256 => return file.to_vec(),
            Self::Aes128 => b"sAlT",
            Self::Rc4 => b"",
        };
        let [a, b, c, _] = of.number.to_le_bytes();
        let [d, e] = of.generation.to_le_bytes();
        let mut key = Digest::Md5.over(&[file, &[a, b, c, d, e], salt]);
        key.truncate(file.len() + 5);
        key
    }

    /// Strings and streams alike: behind AES's own start value, with its padding, which is taken off.
    ///
    /// Errors: it cannot have been made by this cipher. Some viewers would show it as it stands, others cut it.
    pub fn open(self, key: &[u8], data: &[u8]) -> Result<Vec<u8>, PdfError> {
        let opened = match self {
            Self::Rc4 => rc4(key, data),
            // Writers leave empty strings as they are.
            _ if data.is_empty() => Some(Vec::new()),
            Self::Aes128 | Self::Aes256 => data.split_at_checked(BLOCK).and_then(|(iv, data)| {
                let mut plain = cbc_open(key, iv, data)?;
                let padding = plain.last().copied().map(usize::from).filter(|n| (1..=BLOCK).contains(n))?;
                let end = plain.len().checked_sub(padding)?;
                let padded = plain.get(end..)?.iter().all(|&b| usize::from(b) == padding);
                plain.truncate(end);
                padded.then_some(plain)
            }),
        };
        opened.ok_or(PdfError::Broken { at: 0, what: "something is not encrypted as the file says" })
    }
}

pub(super) fn rc4(key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mut data = data.to_vec();
    rc4::Rc4::new_from_slice(key).ok()?.apply_keystream(&mut data);
    Some(data)
}

/// AES in CBC mode, of whole blocks, no padding.
pub(super) fn cbc_open(key: &[u8], iv: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mut data = data.to_vec();
    let (blocks, rest) = Array::slice_as_chunks_mut(&mut data);
    match (key.len(), rest.is_empty()) {
        (16, true) => cbc::Decryptor::<Aes128>::new_from_slices(key, iv).ok()?.decrypt_blocks(blocks),
        (32, true) => cbc::Decryptor::<Aes256>::new_from_slices(key, iv).ok()?.decrypt_blocks(blocks),
        _ => return None,
    }
    Some(data)
}

/// AES-128 in CBC mode, of whole blocks, no padding.
pub(super) fn cbc_close(key: &[u8], iv: &[u8], mut data: Vec<u8>) -> Option<Vec<u8>> {
    let (blocks, rest) = Array::slice_as_chunks_mut(&mut data);
    if !rest.is_empty() {
        return None;
    }
    cbc::Encryptor::<Aes128>::new_from_slices(key, iv).ok()?.encrypt_blocks(blocks);
    Some(data)
}

/// One block by AES-256 alone.
pub(super) fn block_open(key: &[u8], block: &[u8]) -> Option<[u8; BLOCK]> {
    let mut block = Array::from(<[u8; BLOCK]>::try_from(block).ok()?);
    Aes256::new_from_slice(key).ok()?.decrypt_block(&mut block);
    Some(block.into())
}
