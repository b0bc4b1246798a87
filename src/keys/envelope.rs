//! A key file: two lines of text. The first is a JSON header, the second the private key (PKCS#8, RFC 5958) in base64,
//! encrypted with AES-256-GCM (NIST SP 800-38D) under a key that argon2id (RFC 9106) makes from the passphrase.
//!
//! The header's bytes, exactly as they stand in the file and without the line end, are the associated data: a label
//! or an algorithm changed by hand does not open. Files of one directory share the salt, so one argon2id opens all.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeyError, random};
use crate::crypto::KeyAlgorithm;
use crate::limits;

const FORMAT: &str = "yinxin-key";
const VERSION: u32 = 1;
const CIPHER: &str = "aes-256-gcm";
const TAG_BYTES: usize = 16;

/// The key that opens key files, made from the passphrase.
pub(super) type FileKey = Zeroizing<[u8; 32]>;

/// How a passphrase becomes a [`FileKey`], as recorded in every file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stretching {
    name: String,
    version: u32,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
}

impl Stretching {
    /// RFC 9106 §4, second recommended choice: 64 MiB, 3 passes, 4 lanes, 128-bit salt.
    pub(super) fn fresh() -> Result<Self, KeyError> {
        Ok(Self {
            name: "argon2id".into(),
            version: 0x13,
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 4,
            salt: BASE64.encode(random::<16>()?),
        })
    }

    /// Takes 64 MiB and some tenths of a second. The fault names the setting that is not believed.
    pub(super) fn stretch(&self, passphrase: &SecretString) -> Result<FileKey, Fault> {
        if self.name != "argon2id" || self.version != 0x13 {
            return Err(Fault::Unfit("its passphrase stretching is not argon2id version 0x13"));
        }
        if !limits::ARGON2_MEMORY_KIB.contains(&self.memory_kib)
            || !limits::ARGON2_PASSES.contains(&self.passes)
            || !limits::ARGON2_LANES.contains(&self.lanes)
        {
            return Err(Fault::Unfit("its argon2id settings are outside what is believed"));
        }
        let salt = fixed::<16>(&self.salt).ok_or(Fault::Unfit("its salt is not 16 bytes"))?;
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|_| Fault::Unfit("argon2id does not take its settings"))?;
        let mut key = FileKey::default();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose_secret().as_bytes(), &salt, key.as_mut_slice())
            .map_err(|_| Fault::Unfit("argon2id failed, perhaps for want of memory"))?;
        Ok(key)
    }
}

/// Why a file's bytes give no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not a key file of ours; the rest of the sentence "it is not usable: …".
    Unfit(&'static str),
    /// Wrong passphrase, or changed since written.
    Locked,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    label: String,
    algorithm: KeyAlgorithm,
    stretching: Stretching,
    cipher: String,
    nonce: String,
}

/// A key file that was read and found well-formed, still closed.
pub(super) struct Envelope<'a> {
    header: Header,
    associated: &'a [u8],
    nonce: [u8; 12],
    sealed: Vec<u8>,
}

impl<'a> Envelope<'a> {
    /// Reads the bytes of a file; nothing in them is believed yet but their shape.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        #[derive(Deserialize)]
        struct Kind {
            format: String,
            version: u32,
        }
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let (Some(associated), Some(body), Some(b""), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(Fault::Unfit("it is not two lines"));
        };
        // The kind first, so that a file of a later version is called that, and not broken.
        match serde_json::from_slice::<Kind>(associated) {
            Ok(Kind { format, version }) if format == FORMAT && version == VERSION => {}
            Ok(Kind { format, .. }) if format == FORMAT => {
                return Err(Fault::Unfit("it was written by a later version of this program"));
            }
            _ => return Err(Fault::Unfit("it does not begin like one")),
        }
        let header: Header =
            serde_json::from_slice(associated).map_err(|_| Fault::Unfit("its header cannot be read"))?;
        if header.cipher != CIPHER {
            return Err(Fault::Unfit("its cipher is not aes-256-gcm"));
        }
        let nonce = fixed::<12>(&header.nonce).ok_or(Fault::Unfit("its nonce is not 12 bytes"))?;
        let sealed = BASE64.decode(body).map_err(|_| Fault::Unfit("its second line is not base64"))?;
        Ok(Self { header, associated, nonce, sealed })
    }

    pub(super) fn label(&self) -> &str {
        &self.header.label
    }

    pub(super) fn algorithm(&self) -> KeyAlgorithm {
        self.header.algorithm
    }

    pub(super) fn stretching(&self) -> &Stretching {
        &self.header.stretching
    }

    /// The private key, PKCS#8.
    pub(super) fn open(self, key: &FileKey) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let mut bytes = Zeroizing::new(self.sealed);
        cipher(key)
            .decrypt_in_place(&Nonce::from(self.nonce), self.associated, &mut *bytes)
            .map_err(|_| Fault::Locked)?;
        Ok(bytes)
    }
}

/// The bytes of a new key file. A random 96-bit nonce is safe for 2³² files under one key (SP 800-38D §8.3).
pub(super) fn seal(
    label: &str,
    algorithm: KeyAlgorithm,
    stretching: &Stretching,
    key: &FileKey,
    pkcs8: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let nonce = random::<12>()?;
    let header = Header {
        format: FORMAT.into(),
        version: VERSION,
        label: label.into(),
        algorithm,
        stretching: stretching.clone(),
        cipher: CIPHER.into(),
        nonce: BASE64.encode(nonce),
    };
    let unsealable = |why: String| KeyError::PrivateKey { why };
    let mut file = serde_json::to_vec(&header).map_err(|why| unsealable(why.to_string()))?;
    // Room for the tag, so that the plain key is encrypted where it stands and never moved.
    let mut sealed = Zeroizing::new(Vec::with_capacity(pkcs8.len() + TAG_BYTES));
    sealed.extend_from_slice(pkcs8);
    cipher(key)
        .encrypt_in_place(&Nonce::from(nonce), &file, &mut *sealed)
        .map_err(|_| unsealable("it cannot be encrypted".into()))?;
    file.push(b'\n');
    file.extend_from_slice(BASE64.encode(&*sealed).as_bytes());
    file.push(b'\n');
    Ok(file)
}

fn cipher(key: &FileKey) -> Aes256Gcm {
    Aes256Gcm::new((&**key).into())
}

fn fixed<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64.decode(text).ok()?.try_into().ok()
}
