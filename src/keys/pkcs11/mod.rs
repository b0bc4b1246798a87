//! Keys in a token (HSM, USB key, SoftHSM), reached through the vendor's PKCS#11 library (PKCS #11 v2.40 and later).
//!
//! One [`Token`] a home: chosen by label and serial, entered once with the PIN, and entered again only when the token
//! has forgotten us. Signing is done by [`workers`], each with a session and key handles of its own.
//!
//! Not here yet: a library that was finalised by somebody else in this process, calls that hang, a slot that changed
//! its number.

mod fault;
mod token;
mod wire;
mod workers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::settings::TokenSettings;
use super::{KeyCard, KeyError, KeyFacts, Signature, Signer, private_file, random};
use crate::crypto::KeyAlgorithm;
use crate::limits;
use crate::store::{Destruction, Order};

pub use fault::TokenFault;
use token::{Access, Token};
use workers::Workers;

/// The token, entered, with its workers waiting.
pub(super) struct TokenHome {
    token: Arc<Token>,
    workers: Workers,
    proven: Mutex<HashMap<String, Arc<TokenKey>>>,
}

impl TokenHome {
    pub(super) fn open(settings: &TokenSettings) -> Result<Self, KeyError> {
        if !(1..=limits::TOKEN_SESSIONS).contains(&settings.sessions) {
            return Err(TokenFault::Sessions { asked: settings.sessions }.into());
        }
        let pin = private_file::read_secret(&settings.pin_file)?;
        let token = Arc::new(Token::enter(settings, pin)?);
        let workers = Workers::start(&token, settings.sessions)?;
        Ok(Self { token, workers, proven: Mutex::default() })
    }

    /// Makes a key pair that the token will not let out.
    pub(super) fn generate(&self, label: &str, algorithm: KeyAlgorithm) -> Result<Vec<u8>, KeyError> {
        // Held to the end, so that two callers cannot both find the name free.
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        let session = self.token.session(Access::Write)?;
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            if !find(&session, class, label)?.is_empty() {
                return Err(KeyError::AlreadyThere { label: label.to_owned() });
            }
        }
        let (mechanism, mut public, private) = templates(label, algorithm)?;
        public.push(Attribute::Token(true));
        let cannot = |why: cryptoki::error::Error| TokenFault::Cannot { algorithm, why: why.to_string() };
        let (public, private) = session.generate_key_pair(&mechanism, &public, &private).map_err(cannot)?;
        if copyable(&session, private)? {
            let _ = session.destroy_object(private);
            let _ = session.destroy_object(public);
            return Err(TokenFault::KeyCopyable { label: label.to_owned() }.into());
        }
        let key = self.read(&session, label)?;
        let public_key = key.card.public_key.clone();
        proven.insert(label.to_owned(), Arc::new(key));
        Ok(public_key)
    }

    pub(super) fn signer(&self, label: &str) -> Result<Arc<TokenKey>, KeyError> {
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = proven.get(label) {
            return Ok(key.clone());
        }
        let key = Arc::new(self.read(&self.token.session(Access::Read)?, label)?);
        proven.insert(label.to_owned(), key.clone());
        Ok(key)
    }

    pub(super) fn labels(&self) -> Result<Vec<String>, KeyError> {
        let session = self.token.session(Access::Read)?;
        let mut labels = Vec::new();
        for key in matching(&session, &[Attribute::Class(ObjectClass::PRIVATE_KEY)], limits::KEYS)? {
            for attribute in attributes(&session, key, &[AttributeType::Label])? {
                if let Attribute::Label(label) = attribute {
                    labels.push(String::from_utf8_lossy(&label).into_owned());
                }
            }
        }
        labels.sort();
        labels.dedup();
        Ok(labels)
    }

    /// Looks at the token anew, past what was proven before.
    pub(super) fn check(&self, label: &str) -> Result<KeyFacts, KeyError> {
        let session = self.token.session(Access::Read)?;
        let key = self.read(&session, label)?;
        let private = the_one(&session, ObjectClass::PRIVATE_KEY, label)?.ok_or_else(|| self.unknown(label))?;
        Ok(KeyFacts { algorithm: key.card.algorithm, copyable: copyable(&session, private)? })
    }

    pub(super) fn destroy(&self, leave: &Destruction) -> Result<(), KeyError> {
        let label = leave.key();
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        let session = self.token.session(Access::Write)?;
        self.read(&session, label)?.card.may_be_destroyed(leave)?;
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            if let Some(object) = the_one(&session, class, label)? {
                session.destroy_object(object).map_err(TokenFault::while_doing("C_DestroyObject"))?;
            }
        }
        proven.remove(label);
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            if !find(&session, class, label)?.is_empty() {
                return Err(KeyError::StillThere { label: label.to_owned() });
            }
        }
        Ok(())
    }

    /// Reads the public half and proves that the private one belongs to it.
    fn read(&self, session: &Session, label: &str) -> Result<TokenKey, KeyError> {
        the_one(session, ObjectClass::PRIVATE_KEY, label)?.ok_or_else(|| self.unknown(label))?;
        let public = the_one(session, ObjectClass::PUBLIC_KEY, label)?
            .ok_or_else(|| TokenFault::PublicHalfMissing { label: label.to_owned() })?;
        let wanted = [
            AttributeType::KeyType,
            AttributeType::EcParams,
            AttributeType::EcPoint,
            AttributeType::Modulus,
            AttributeType::PublicExponent,
        ];
        let public_key = wire::public_key(&attributes(session, public, &wanted)?)
            .map_err(|why| KeyError::PublicKey { label: label.to_owned(), why: why.to_owned() })?;
        let key = TokenKey { card: KeyCard::new(label, public_key)?, workers: self.workers.clone() };
        key.card.prove(|message| key.make(message))?;
        Ok(key)
    }

    fn unknown(&self, label: &str) -> KeyError {
        KeyError::Unknown { label: label.to_owned(), home: self.token.name().to_owned() }
    }
}

/// A key in the token, proven.
#[derive(Debug)]
pub(super) struct TokenKey {
    card: KeyCard,
    workers: Workers,
}

impl TokenKey {
    fn make(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(self.workers.sign(&self.card.label, self.card.algorithm, message)?)
    }
}

impl Signer for TokenKey {
    fn label(&self) -> &str {
        &self.card.label
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.card.algorithm
    }

    fn public_key(&self) -> &[u8] {
        &self.card.public_key
    }

    fn sign(&self, order: Order) -> Result<Signature, KeyError> {
        self.card.carry_out(order, |message| self.make(message))
    }
}

/// Mechanism, public and private template (PKCS #11 v2.40 §4.9) of a key that signs and does nothing else.
fn templates(
    label: &str,
    algorithm: KeyAlgorithm,
) -> Result<(Mechanism<'static>, Vec<Attribute>, Vec<Attribute>), KeyError> {
    let id = random::<16>()?.to_vec();
    let rsa = |bits: u64| {
        let size = vec![Attribute::ModulusBits(bits.into()), Attribute::PublicExponent(vec![1, 0, 1])];
        (Mechanism::RsaPkcsKeyPairGen, KeyType::RSA, size)
    };
    let (mechanism, key_type, kind) = match algorithm {
        KeyAlgorithm::EcdsaP256 => {
            (Mechanism::EccKeyPairGen, KeyType::EC, vec![Attribute::EcParams(wire::P256_PARAMS.to_vec())])
        }
        KeyAlgorithm::Rsa2048 => rsa(2048),
        KeyAlgorithm::Rsa3072 => rsa(3072),
    };
    let mut public = vec![
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(key_type),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Label(label.into()),
        Attribute::Id(id.clone()),
    ];
    public.extend(kind);
    let private = vec![
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(key_type),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Label(label.into()),
        Attribute::Id(id),
    ];
    Ok((mechanism, public, private))
}

/// The only object of this class with this label, if there is one.
fn the_one(session: &Session, class: ObjectClass, label: &str) -> Result<Option<ObjectHandle>, KeyError> {
    match find(session, class, label)?.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        many => Err(KeyError::Ambiguous { label: label.to_owned(), count: many.len() }),
    }
}

fn find(session: &Session, class: ObjectClass, label: &str) -> Result<Vec<ObjectHandle>, KeyError> {
    // An empty attribute matches nothing by the standard and everything in some libraries.
    if label.is_empty() {
        return Ok(vec![]);
    }
    matching(session, &[Attribute::Class(class), Attribute::Label(label.into())], limits::KEYS)
}

fn matching(session: &Session, template: &[Attribute], most: usize) -> Result<Vec<ObjectHandle>, KeyError> {
    let doing = || TokenFault::while_doing("C_FindObjects");
    let mut found = Vec::new();
    for object in session.iter_objects(template).map_err(doing())? {
        if found.len() == most {
            return Err(KeyError::TooMany);
        }
        found.push(object.map_err(doing())?);
    }
    Ok(found)
}

fn attributes(session: &Session, object: ObjectHandle, wanted: &[AttributeType]) -> Result<Vec<Attribute>, TokenFault> {
    session.get_attributes(object, wanted).map_err(TokenFault::while_doing("C_GetAttributeValue"))
}

/// Whether a private key can leave the token, as the token tells it. What it does not tell counts as yes.
fn copyable(session: &Session, private: ObjectHandle) -> Result<bool, TokenFault> {
    let said = attributes(session, private, &[AttributeType::Sensitive, AttributeType::Extractable])?;
    let sensitive = said.iter().any(|attribute| matches!(attribute, Attribute::Sensitive(true)));
    let kept = said.iter().any(|attribute| matches!(attribute, Attribute::Extractable(false)));
    Ok(!(sensitive && kept))
}

#[cfg(test)]
mod tests;
