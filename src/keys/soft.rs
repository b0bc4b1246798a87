//! Soft keys: one encrypted file a key, `LABEL.key`, in one directory.
//!
//! What this can and cannot do: a stolen disk or backup gives nothing without the passphrase. But while the service
//! runs, the keys are in its memory (ring and sm2 keep them and do not wipe them), so whoever can read that can copy a
//! seal. That is why production refuses soft keys unless told otherwise.

mod sm2;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use secrecy::SecretString;
use zeroize::Zeroizing;

use self::sm2::Sm2Key;
use super::envelope::{self, Envelope, Fault, FileKey, Stretching};
use super::{KeyCard, KeyError, KeyFacts, Signature, Signer, private_file, public_key};
use crate::crypto::KeyAlgorithm;
use crate::limits;
use crate::store::Destruction;
use crate::store::Order;

const EXTENSION: &str = "key";

/// The directory, opened.
pub(super) struct SoftHome {
    directory: PathBuf,
    passphrase: SecretString,
    open: Mutex<Opened>,
}

#[derive(Default)]
struct Opened {
    keys: BTreeMap<String, Arc<SoftKey>>,
    file_keys: HashMap<Stretching, FileKey>,
}

impl SoftHome {
    /// Decrypts and proves every key of the directory; one that does not open stops it.
    pub(super) fn open(directory: &Path, passphrase_file: &Path) -> Result<Self, KeyError> {
        let home = Self {
            directory: directory.to_owned(),
            passphrase: private_file::read_secret(passphrase_file)?,
            open: Mutex::default(),
        };
        home.refuse_open_directory()?;
        let labels = home.labels()?;
        let mut open = home.lock();
        for label in labels {
            if super::new_label(&label).is_err() {
                return Err(file_fault(&home.path(&label), Fault::Unfit("its name is not a key's label")));
            }
            home.load(&mut open, &label)?;
        }
        drop(open);
        Ok(home)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn generate(&self, label: &str, algorithm: KeyAlgorithm) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        let pkcs8 = match algorithm {
            KeyAlgorithm::EcdsaP256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random),
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random),
            KeyAlgorithm::Sm2 => return self.keep(label, &sm2::generate()?),
            // ring makes none, and the one crate that does leaks timing (RUSTSEC-2023-0071).
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 => return Err(KeyError::SoftRsa),
        };
        let pkcs8 = pkcs8.map_err(|_| KeyError::NoRandomness)?;
        self.keep(label, pkcs8.as_ref())
    }

    pub(super) fn import_pkcs8(&self, label: &str, pkcs8: &[u8]) -> Result<Vec<u8>, KeyError> {
        if !pkcs8.starts_with(b"-----BEGIN ") {
            return self.keep(label, pkcs8);
        }
        let not_pem = |why: String| KeyError::PrivateKey { why };
        let block = private_block(pkcs8);
        let (kind, der) = der::pem::decode_vec(block).map_err(|why| not_pem(format!("not PEM: {why}")))?;
        let der = Zeroizing::new(der);
        match kind {
            "PRIVATE KEY" => self.keep(label, &der),
            other => match sm2::from_sec1(&der) {
                Some(pkcs8) => self.keep(label, &pkcs8?),
                None => Err(not_pem(format!("PEM of kind \"{other}\""))),
            },
        }
    }

    pub(super) fn signer(&self, label: &str) -> Result<Arc<SoftKey>, KeyError> {
        // Not among those opened at start: another process may have made it since.
        self.load(&mut self.lock(), label)
    }

    pub(super) fn labels(&self) -> Result<Vec<String>, KeyError> {
        let unreadable = |why| KeyError::Disk { path: self.directory.clone(), why };
        let entries = match fs::read_dir(&self.directory) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            entries => entries.map_err(unreadable)?,
        };
        let mut labels = Vec::new();
        for entry in entries {
            let path = PathBuf::from(entry.map_err(unreadable)?.file_name());
            if path.extension() != Some(OsStr::new(EXTENSION)) {
                continue;
            }
            // A name that we could not have given is shown as it is, and fails when opened.
            labels.push(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
            if labels.len() > limits::KEYS {
                return Err(KeyError::TooMany);
            }
        }
        labels.sort();
        Ok(labels)
    }

    pub(super) fn check(&self, label: &str) -> Result<KeyFacts, KeyError> {
        let key = self.signer(label)?;
        key.prove()?;
        Ok(KeyFacts { algorithm: key.card.algorithm, copyable: true })
    }

    pub(super) fn destroy(&self, leave: &Destruction) -> Result<(), KeyError> {
        let mut open = self.lock();
        let label = leave.key();
        let key = self.load(&mut open, label)?;
        key.card.may_be_destroyed(leave)?;
        let path = self.path(label);
        private_file::destroy(&self.directory, path.file_name().unwrap_or_default())
            .map_err(|why| KeyError::Disk { path: path.clone(), why })?;
        open.keys.remove(label);
        *key.pair.write().unwrap_or_else(PoisonError::into_inner) = None;
        match path.try_exists() {
            Ok(false) => Ok(()),
            Ok(true) => Err(KeyError::StillThere { label: label.to_owned() }),
            Err(why) => Err(KeyError::Disk { path, why }),
        }
    }

    /// Encrypts, writes and opens a new key.
    fn keep(&self, label: &str, pkcs8: &[u8]) -> Result<Vec<u8>, KeyError> {
        let key = SoftKey::new(label, pkcs8)?;
        let mut open = self.lock();
        if open.keys.len() >= limits::KEYS {
            return Err(KeyError::TooMany);
        }
        let stretching = match open.file_keys.keys().next() {
            Some(shared) => shared.clone(),
            None => Stretching::fresh()?,
        };
        let path = self.path(label);
        let file_key = self.file_key(&open, &stretching, &path)?;
        let bytes = envelope::seal(label, key.card.algorithm, &stretching, &file_key, pkcs8)?;
        self.refuse_open_directory()?;
        let name = path.file_name().unwrap_or_default();
        private_file::write_new(&self.directory, name, &bytes).map_err(|why| match why.kind() {
            io::ErrorKind::AlreadyExists => KeyError::AlreadyThere { label: label.to_owned() },
            _ => KeyError::Disk { path, why },
        })?;
        let public_key = key.card.public_key.clone();
        open.file_keys.insert(stretching, file_key);
        open.keys.insert(label.to_owned(), Arc::new(key));
        Ok(public_key)
    }

    /// Gives the key, from its file if it is not open yet.
    fn load(&self, open: &mut Opened, label: &str) -> Result<Arc<SoftKey>, KeyError> {
        if let Some(key) = open.keys.get(label) {
            return Ok(key.clone());
        }
        let unknown = || KeyError::Unknown { label: label.to_owned(), home: self.directory.display().to_string() };
        let label = super::new_label(label).map_err(|_| unknown())?;
        let path = self.path(label);
        if !path.exists() {
            return Err(unknown());
        }
        let bytes = private_file::read(&path, limits::KEY_FILE_BYTES)?;
        let fault = |fault| file_fault(&path, fault);
        let envelope = Envelope::read(&bytes).map_err(fault)?;
        // Files exchanged for one another would exchange the seals.
        if envelope.label() != label {
            return Err(fault(Fault::Unfit("it holds the key of another label")));
        }
        let algorithm = envelope.algorithm();
        let stretching = envelope.stretching().clone();
        let file_key = self.file_key(open, &stretching, &path)?;
        let pkcs8 = envelope.open(&file_key).map_err(fault)?;
        let key = SoftKey::new(label, &pkcs8)?;
        if key.card.algorithm != algorithm {
            return Err(fault(Fault::Unfit("its header names another algorithm")));
        }
        let key = Arc::new(key);
        // Kept only now that the file proved genuine: new files use these salts again.
        open.file_keys.insert(stretching, file_key);
        open.keys.insert(label.to_owned(), key.clone());
        Ok(key)
    }

    /// argon2id once for each way of stretching in the directory, which is commonly one.
    fn file_key(&self, open: &Opened, stretching: &Stretching, path: &Path) -> Result<FileKey, KeyError> {
        match open.file_keys.get(stretching) {
            Some(key) => Ok(key.clone()),
            None => stretching.stretch(&self.passphrase).map_err(|fault| file_fault(path, fault)),
        }
    }

    /// Whoever may write to the directory could take keys away or put old ones back.
    fn refuse_open_directory(&self) -> Result<(), KeyError> {
        match fs::metadata(&self.directory) {
            Ok(about) if about.mode() & 0o022 != 0 => Err(KeyError::SecretFile {
                path: self.directory.clone(),
                why: super::SecretFileFault::OpenToOthers { mode: about.mode() & 0o777 },
            }),
            _ => Ok(()),
        }
    }

    fn path(&self, label: &str) -> PathBuf {
        self.directory.join(format!("{label}.{EXTENSION}"))
    }

    fn lock(&self) -> MutexGuard<'_, Opened> {
        // Whoever panicked left the maps whole: entries are inserted in one call.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The block of PEM text that holds a private key: OpenSSL writes the curve's parameters before it.
fn private_block(pem: &[u8]) -> &[u8] {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let starts: Vec<_> = memchr::memmem::find_iter(pem, BEGIN).chain([pem.len()]).collect();
    let mut blocks = starts.windows(2).filter_map(|ends| pem.get(*ends.first()?..*ends.last()?));
    let is_private = |block: &&[u8]| {
        let line = block.split(|byte| *byte == b'\n').next().unwrap_or_default();
        line.trim_ascii_end().ends_with(b"PRIVATE KEY-----")
    };
    blocks.find(is_private).unwrap_or(pem)
}

fn file_fault(path: &Path, fault: Fault) -> KeyError {
    match fault {
        Fault::Unfit(why) => KeyError::KeyFile { path: path.to_owned(), why: why.to_owned() },
        Fault::Locked => KeyError::KeyFileLocked { path: path.to_owned() },
    }
}

/// A key in memory, proven.
pub(super) struct SoftKey {
    card: KeyCard,
    /// None once destroyed: whoever still holds this signs no more.
    pair: RwLock<Option<Pair>>,
}

enum Pair {
    P256(EcdsaKeyPair),
    Sm2(Sm2Key),
    Rsa(rsa::KeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SoftKey {
    fn new(label: &str, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let unfit = |why: &dyn fmt::Display| KeyError::PrivateKey { why: why.to_string() };
        let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &SystemRandom::new());
        // Other programs write Ed25519 keys without the public half (RFC 5958 version 1); the test signature proves both.
        let ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8);
        let (pair, public_key) = match (p256, ed25519, Sm2Key::from_pkcs8(pkcs8)) {
            (Ok(pair), ..) => {
                let public_key = public_key::p256(pair.public_key().as_ref());
                (Pair::P256(pair), public_key)
            }
            (_, Ok(pair), _) => {
                let public_key = public_key::ed25519(pair.public_key().as_ref());
                (Pair::Ed25519(pair), public_key)
            }
            (_, _, Some(key)) => {
                let public_key = key.public_key();
                (Pair::Sm2(key), public_key)
            }
            _ => {
                let pair = rsa::KeyPair::from_pkcs8(pkcs8).map_err(|why| unfit(&why))?;
                let public_key = public_key::rsa(pair.public().as_ref());
                (Pair::Rsa(pair), public_key)
            }
        };
        let card = KeyCard::new(label, public_key.map_err(|why| unfit(&why))?)?;
        let key = Self { card, pair: RwLock::new(Some(pair)) };
        key.card.prove(|message| key.make(message))?;
        Ok(key)
    }

    fn make(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &*self.pair.read().unwrap_or_else(PoisonError::into_inner) {
            None => Err(KeyError::Unknown {
                label: self.card.label.clone(),
                home: "密钥目录 / the key directory".into(),
            }),
            Some(Pair::P256(pair)) => {
                pair.sign(&random, message).map(|value| value.as_ref().to_vec()).map_err(|_| KeyError::NoRandomness)
            }
            Some(Pair::Sm2(key)) => {
                key.sign(message).ok_or_else(|| KeyError::Unproven { label: self.card.label.clone() })
            }
            Some(Pair::Rsa(pair)) => {
                let mut value = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut value).map_err(|_| KeyError::NoRandomness)?;
                Ok(value)
            }
            Some(Pair::Ed25519(pair)) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

impl Signer for SoftKey {
    fn label(&self) -> &str {
        &self.card.label
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.card.algorithm
    }

    fn public_key(&self) -> &[u8] {
        &self.card.public_key
    }

    fn answers(&self) -> bool {
        self.pair.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn prove(&self) -> Result<(), KeyError> {
        self.card.prove(|message| self.make(message))
    }

    fn sign(&self, order: Order) -> Result<Signature, KeyError> {
        self.card.carry_out(order, |order| {
            let message = order.to_be_signed();
            self.card.proven(message, self.make(message)?)
        })
    }
}

impl fmt::Debug for SoftKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SoftKey").field(&self.card.label).field(&self.card.algorithm).finish()
    }
}
