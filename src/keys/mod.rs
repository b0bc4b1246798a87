//! The keys' room: where the seal's private keys live, and the one way to use them.
//!
//! A key signs an [`Order`], which only the store can make, and nothing else. The single exception never leaves this
//! room: a start-up test message (see [`KeyCard::prove`]) that shows the key to be the one its public half promises.
//! A key ends by a [`Destruction`], which only the store can make too.
//!
//! Two homes stand behind [`Signer`]: [`pkcs11`], where keys are made in a token and cannot come out of it, and
//! [`soft`], encrypted files for trials, whose keys can be copied by whoever reads this process or its passphrase.
//!
//! Deliberately absent: decryption, key export, signing of bytes, a choice of algorithm at signing time.

mod envelope;
mod error;
mod pkcs11;
mod private_file;
mod public_key;
mod settings;
mod soft;

use std::fmt;
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};

use crate::crypto::{self, KeyAlgorithm};
use crate::limits;
use crate::message::Message;
use crate::store::Destruction;
use crate::store::Order;

pub use error::{KeyError, SecretFileFault};
pub use pkcs11::{TokenFault, TokenState};
pub use private_file::read_secret;
pub use settings::{HomeSettings, KeySettings, Mode, Sm2Numbers, SoftKeysInProduction, TokenSettings};

/// A private key that can be used but not seen.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The name by which orders call the key.
    fn label(&self) -> &str;

    /// What the key is and how it signs.
    fn algorithm(&self) -> KeyAlgorithm;

    /// The public half: DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    fn public_key(&self) -> &[u8];

    /// The 32 bytes of an Ed25519 key, by which logs and witnesses are known (C2SP signed-note).
    ///
    /// # Errors
    /// [`KeyError::NotForNotes`] where it is of another kind.
    fn note_key(&self) -> Result<[u8; 32], KeyError> {
        // RFC 8410 §4: nothing follows the key in a SubjectPublicKeyInfo.
        match (self.algorithm(), self.public_key().last_chunk::<32>()) {
            (KeyAlgorithm::Ed25519, Some(key)) => Ok(*key),
            _ => Err(KeyError::NotForNotes { label: self.label().to_owned() }),
        }
    }

    /// Whether its home answered when it was last asked. What does not answer is passed over where another key may sign.
    fn answers(&self) -> bool;

    /// Has the key sign a fresh test message in the way of an order, and verifies the value. Blocks while the key works;
    /// where its home is known to be away, it says so at once.
    ///
    /// # Errors
    /// [`KeyError::Unproven`], or what the home says.
    fn prove(&self) -> Result<(), KeyError>;

    /// Carries out the order, once: it is eaten whether or not a signature comes of it. Blocks while the key works.
    ///
    /// # Errors
    /// [`KeyError::OrderForOtherKey`] where the order names another key; [`KeyError::Unproven`] where the value made
    /// does not verify; otherwise what the home says.
    fn sign(&self, order: Order) -> Result<Signature, KeyError>;
}

/// A signature value that was verified against the key's public half before it came here. Made in this room alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    order: String,
    algorithm: KeyAlgorithm,
    value: Vec<u8>,
}

impl Signature {
    /// Identifier of the order that was carried out.
    pub fn order_id(&self) -> &str {
        &self.order
    }

    /// How it was made; [`KeyAlgorithm::signature_algorithm`] gives the AlgorithmIdentifier to put beside it.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The value: ECDSA and SM2 as DER `SEQUENCE { r, s }` (RFC 3279 §2.2.3, GM/T 0009 §7.3), RSA as the PKCS#1 v1.5 octets,
    /// Ed25519 as the 64 bytes of RFC 8032.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The value, for whoever keeps nothing else.
    pub fn into_value(self) -> Vec<u8> {
        self.value
    }
}

/// Where a keyring's keys live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Home {
    /// Encrypted files; the keys are in this process's memory while it runs.
    Soft,
    /// A token reached through PKCS#11.
    Pkcs11,
}

/// What [`Keyring::check`] found about one key.
#[derive(Debug)]
pub struct KeyCheck {
    /// The key's label.
    pub label: String,
    /// Its facts, where it signed the test message and the signature verified.
    pub outcome: Result<KeyFacts, KeyError>,
}

/// A key that works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFacts {
    /// What it is.
    pub algorithm: KeyAlgorithm,
    /// Whether the private half can leave its home: always for soft keys; for a token's key, what the token says of
    /// CKA_SENSITIVE and CKA_EXTRACTABLE.
    pub copyable: bool,
}

/// The keys of one home, opened: the passphrase fitted, or the token took the PIN.
pub struct Keyring {
    mode: Mode,
    rooms: Rooms,
}

enum Rooms {
    Soft(soft::SoftHome),
    Pkcs11(pkcs11::Tokens),
}

impl Keyring {
    /// Opens the home that the settings name: decrypts every key file, or logs in to the token.
    ///
    /// # Errors
    /// [`KeyError::SoftInProduction`] where production was asked for and soft keys were not accepted in so many words;
    /// otherwise why the passphrase, PIN, files, module or token cannot be used.
    pub fn open(settings: &KeySettings) -> Result<Self, KeyError> {
        let rooms = match &settings.home {
            HomeSettings::Soft { soft_keys_in_production: None, .. } if settings.mode == Mode::Production => {
                return Err(KeyError::SoftInProduction);
            }
            HomeSettings::Soft { directory, passphrase_file, .. } => {
                Rooms::Soft(soft::SoftHome::open(directory, passphrase_file)?)
            }
            HomeSettings::Pkcs11(tokens) => Rooms::Pkcs11(pkcs11::Tokens::open(tokens)?),
        };
        Ok(Self { mode: settings.mode, rooms })
    }

    /// Which home this is.
    pub fn home(&self) -> Home {
        match self.rooms {
            Rooms::Soft(_) => Home::Soft,
            Rooms::Pkcs11(_) => Home::Pkcs11,
        }
    }

    /// Makes a new key under a label that is still free and gives its public half (DER SubjectPublicKeyInfo).
    ///
    /// # Errors
    /// [`KeyError::AlreadyThere`]: a key is never replaced. [`KeyError::SoftRsa`]: RSA comes by import or in a token.
    pub fn generate(&self, label: &str, algorithm: KeyAlgorithm) -> Result<Vec<u8>, KeyError> {
        let label = new_label(label)?;
        match &self.rooms {
            Rooms::Soft(home) => home.generate(label, algorithm),
            Rooms::Pkcs11(tokens) => tokens.generate(label, algorithm),
        }
    }

    /// The same keys, with new ones made in the token of this label (or `label (serial)`).
    ///
    /// # Errors
    /// [`TokenFault::Missing`] where the settings name no such token.
    pub fn making_in(&self, token: &str) -> Result<Self, KeyError> {
        let rooms = match &self.rooms {
            Rooms::Soft(_) => {
                return Err(TokenFault::Missing { wanted: token.chars().take(40).collect(), present: vec![] }.into());
            }
            Rooms::Pkcs11(tokens) => Rooms::Pkcs11(tokens.making_in(token)?),
        };
        Ok(Self { mode: self.mode, rooms })
    }

    /// Takes in a private key made elsewhere (PKCS#8, RFC 5958, DER or PEM, unencrypted; an SM2 key in PEM also as
    /// ECPrivateKey, RFC 5915) and gives its public half.
    ///
    /// # Errors
    /// [`KeyError::ImportIntoToken`] for a token: what was ever outside cannot be promised never to have been copied.
    /// [`KeyError::PrivateKey`] where it is not P-256, SM2, RSA-2048, RSA-3072 or Ed25519.
    pub fn import_pkcs8(&self, label: &str, pkcs8: &[u8]) -> Result<Vec<u8>, KeyError> {
        let label = new_label(label)?;
        match &self.rooms {
            Rooms::Soft(home) => home.import_pkcs8(label, pkcs8),
            Rooms::Pkcs11(_) => Err(KeyError::ImportIntoToken),
        }
    }

    /// The key with this label. The first time it is asked for, it is proven by a test signature.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Ambiguous`], [`KeyError::Unproven`], or what the home says.
    pub fn signer(&self, label: &str) -> Result<Arc<dyn Signer>, KeyError> {
        match &self.rooms {
            Rooms::Soft(home) => Ok(home.signer(label)?),
            Rooms::Pkcs11(tokens) => tokens.signer(label),
        }
    }

    /// The key with this label, which must be the one in this certificate (DER SubjectPublicKeyInfo, byte for byte).
    ///
    /// # Errors
    /// [`KeyError::OtherPublicKey`] where it is not; otherwise as [`Keyring::signer`].
    pub fn signer_for(&self, label: &str, certificate_key: &[u8]) -> Result<Arc<dyn Signer>, KeyError> {
        match &self.rooms {
            Rooms::Pkcs11(tokens) => tokens.signer_for(label, certificate_key),
            Rooms::Soft(home) => match home.signer(label)? {
                signer if signer.public_key() == certificate_key => Ok(signer),
                _ => Err(KeyError::OtherPublicKey { label: label.to_owned() }),
            },
        }
    }

    /// Destroys the private key and its public object in their home, and looks whether they are gone. Signers of it that
    /// were handed out sign no more. What cannot be reached from here is a copy: of a soft key in a backup or in another
    /// process until that ends, of a token's key where its vendor makes backups.
    ///
    /// # Errors
    /// [`KeyError::NotTheOneToDestroy`] where the public half is not the one that was written down, [`KeyError::Unknown`],
    /// [`KeyError::Ambiguous`], [`KeyError::StillThere`], or what the home says.
    pub fn destroy(&self, leave: Destruction) -> Result<(), KeyError> {
        match &self.rooms {
            Rooms::Soft(home) => home.destroy(&leave),
            Rooms::Pkcs11(tokens) => tokens.destroy(leave),
        }
    }

    /// Labels of all private keys of the home, in order, each once.
    ///
    /// # Errors
    /// Where the directory or the token cannot be read.
    pub fn labels(&self) -> Result<Vec<String>, KeyError> {
        match &self.rooms {
            Rooms::Soft(home) => home.labels(),
            Rooms::Pkcs11(tokens) => tokens.labels(),
        }
    }

    /// What must be said aloud at every start.
    pub fn warnings(&self) -> Vec<Message> {
        match (&self.rooms, self.mode) {
            (Rooms::Pkcs11(_), _) => vec![],
            (Rooms::Soft(home), Mode::Trial) => vec![Message::new(
                "keys.soft",
                format!(
                    "注意：印章密钥以文件保存在 {}，可被复制，仅供试用。正式使用请改用密码机（home = \"pkcs11\"）。",
                    home.directory().display()
                ),
                format!(
                    "WARNING: the seal keys are files in {} and can be copied; for trials only. Use a token (home = \"pkcs11\") to work in earnest.",
                    home.directory().display()
                ),
            )],
            (Rooms::Soft(home), Mode::Production) => vec![Message::new(
                "keys.soft-in-production",
                format!(
                    "警告：正式环境正在使用文件密钥（{}）。凡能读取本机内存或口令的人都能复制印章。请尽快在密码机中重新生成密钥并更换证书。",
                    home.directory().display()
                ),
                format!(
                    "DANGER: production runs on key files ({}). Whoever can read this machine's memory or the passphrase can copy the seals. Make new keys in a token and replace the certificates soon.",
                    home.directory().display()
                ),
            )],
        }
    }

    /// Proves every key of the home anew, for `doctor`: one finding a key, good or bad.
    ///
    /// # Errors
    /// Only where the home as a whole cannot be read.
    pub fn check(&self) -> Result<Vec<KeyCheck>, KeyError> {
        match &self.rooms {
            Rooms::Pkcs11(tokens) => tokens.check(),
            Rooms::Soft(home) => {
                let one = |label: String| KeyCheck { outcome: home.check(&label), label };
                Ok(home.labels()?.into_iter().map(one).collect())
            }
        }
    }

    /// How each token and its workers stand; nothing for soft keys.
    pub fn tokens(&self) -> Vec<TokenState> {
        match &self.rooms {
            Rooms::Soft(_) => vec![],
            Rooms::Pkcs11(tokens) => tokens.states(),
        }
    }

    /// Whether this process can still work with its keys' homes, or must be started anew. A token that is away is no
    /// reason: it is waited for.
    ///
    /// # Errors
    /// What to say where so many calls into a token hang that no more are made.
    pub fn health(&self) -> Result<(), Message> {
        match self.tokens().into_iter().find(|token| token.hung) {
            None => Ok(()),
            Some(token) => Err(TokenFault::Hung { hanging: token.hanging }.message()),
        }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("home", &self.home()).field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// What is known of a key in the open, and the rules that hold in both homes.
#[derive(Debug, Clone)]
struct KeyCard {
    label: String,
    algorithm: KeyAlgorithm,
    public_key: Vec<u8>,
}

/// A value that verified; [`KeyCard::proven`] alone makes it.
struct Proven(Vec<u8>);

/// Begins every test message. Signed attributes begin with 0x31 and TBS parts with 0x30 (X.690), so a signature over
/// a test message can never stand for one over a document, a certificate or a CRL; and no head of a log has a zero byte,
/// so it can never stand for one of those (C2SP signed-note), nor for a witness's.
const TEST_PREFIX: &[u8] = b"yinxin key test, seals nothing\0";

impl KeyCard {
    fn new(label: &str, public_key: Vec<u8>) -> Result<Self, KeyError> {
        let algorithm = KeyAlgorithm::of_public_key(&public_key)
            .map_err(|why| KeyError::PublicKey { label: label.to_owned(), why: why.to_string() })?;
        Ok(Self { label: label.to_owned(), algorithm, public_key })
    }

    /// Whether the leave to destroy is for this very key.
    fn may_be_destroyed(&self, leave: &Destruction) -> Result<(), KeyError> {
        match leave.key() == self.label && leave.is_of(&self.public_key) {
            true => Ok(()),
            false => Err(KeyError::NotTheOneToDestroy { label: self.label.clone() }),
        }
    }

    /// Carries out an order with the home's way of signing its message.
    fn carry_out(
        &self,
        order: Order,
        sign: impl FnOnce(Order) -> Result<Proven, KeyError>,
    ) -> Result<Signature, KeyError> {
        if order.key() != self.label {
            return Err(KeyError::OrderForOtherKey { label: self.label.clone(), ordered: order.key().to_owned() });
        }
        let id = order.id().to_owned();
        let Proven(value) = sign(order)?;
        Ok(Signature { order: id, algorithm: self.algorithm, value })
    }

    /// Shows that the private half belongs to the public half: a random message is signed and verified.
    fn prove(&self, sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, KeyError>) -> Result<(), KeyError> {
        let message = [TEST_PREFIX, &random::<32>()?].concat();
        self.verify(&message, &sign(&message)?)
    }

    /// A faulty device or memory must not put a wrong value into the world: for RSA a single one can give away the
    /// key (Boneh, DeMillo, Lipton 1997).
    fn proven(&self, message: &[u8], value: Vec<u8>) -> Result<Proven, KeyError> {
        self.verify(message, &value)?;
        Ok(Proven(value))
    }

    fn verify(&self, message: &[u8], value: &[u8]) -> Result<(), KeyError> {
        crypto::verify(&self.public_key, &self.algorithm.signature_algorithm(), message, value)
            .map_err(|_| KeyError::Unproven { label: self.label.clone() })
    }
}

/// A label for a new key. It becomes a file name and is typed in settings, so it is kept plain.
fn new_label(label: &str) -> Result<&str, KeyError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = label.len() <= limits::KEY_LABEL_BYTES
        && label.starts_with(|c: char| c.is_ascii_alphanumeric())
        && label.chars().all(plain);
    if fits { Ok(label) } else { Err(KeyError::Label { label: label.chars().take(40).collect() }) }
}

/// The one place where this room draws randomness: nonces, salts, key identifiers and test messages.
fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
    Ok(bytes)
}

/// 128 random bits from the operating system, for certificate serial numbers and the like.
///
/// # Errors
/// [`KeyError::NoRandomness`] where the system gives none.
pub fn draw() -> Result<[u8; 16], KeyError> {
    let mut bits = [0; 16];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bits).map_err(|_| KeyError::NoRandomness)?;
    Ok(bits)
}

#[cfg(test)]
mod tests;
