//! A worker's desk: its session, and the handles of the keys that proved themselves in it.

use std::collections::HashMap;
use std::time::Instant;

use cryptoki::object::{AttributeType, ObjectClass, ObjectHandle};

use super::visit::Visit;
use super::{KeyCard, KeyError, Proven, TokenFault, wire};
use crate::keys::settings::Sm2Numbers;

/// Handles are not carried from one session to the next: they are void with it.
pub(super) struct Desk {
    visit: Visit,
    keys: HashMap<String, Proved>,
    /// How the token calls SM2.
    sm2: Option<Sm2Numbers>,
}

struct Proved {
    handle: ObjectHandle,
    public_key: Vec<u8>,
}

impl Desk {
    pub(super) fn at(visit: Visit, sm2: Option<Sm2Numbers>) -> Self {
        Self { visit, keys: HashMap::new(), sm2 }
    }

    /// Before each job: whether the session is still the one that was opened.
    pub(super) fn is_ours(&mut self, until: Instant) -> bool {
        self.visit.works_until(until);
        self.visit.is_ours()
    }

    pub(super) fn visit(&self) -> &Visit {
        &self.visit
    }

    pub(super) fn sm2(&self) -> Option<&Sm2Numbers> {
        self.sm2.as_ref()
    }

    /// Signs with the key of this card and no other.
    pub(super) fn sign(&mut self, card: &KeyCard, message: &[u8]) -> Result<Proven, KeyError> {
        let key = self.key(card)?;
        card.proven(message, self.make(card, key, message)?)
    }

    /// Signs a test message with the key of this card and no other.
    pub(super) fn prove(&mut self, card: &KeyCard) -> Result<(), KeyError> {
        let key = self.key(card)?;
        card.prove(|message| self.make(card, key, message))
    }

    /// The private key's handle. In each session it is looked up once, and proven before it may sign: a token put in the
    /// place of another may have a key under the same label.
    pub(super) fn key(&mut self, card: &KeyCard) -> Result<ObjectHandle, KeyError> {
        if let Some(proved) = self.keys.get(&card.label)
            && proved.public_key == card.public_key
        {
            return Ok(proved.handle);
        }
        let (found, handle) = self.look_up(&card.label)?;
        if found.public_key != card.public_key {
            return Err(KeyError::OtherPublicKey { label: card.label.clone() });
        }
        Ok(handle)
    }

    /// What the token has under the label, proven.
    pub(super) fn read(&mut self, label: &str) -> Result<KeyCard, KeyError> {
        Ok(self.look_up(label)?.0)
    }

    fn look_up(&mut self, label: &str) -> Result<(KeyCard, ObjectHandle), KeyError> {
        let unknown = || KeyError::Unknown { label: label.to_owned(), home: "密码设备 / token".into() };
        let private = self.visit.the_one(ObjectClass::PRIVATE_KEY, label)?.ok_or_else(unknown)?;
        let public = self
            .visit
            .the_one(ObjectClass::PUBLIC_KEY, label)?
            .ok_or_else(|| TokenFault::PublicHalfMissing { label: label.to_owned() })?;
        let wanted = [
            AttributeType::KeyType,
            AttributeType::EcParams,
            AttributeType::EcPoint,
            AttributeType::Modulus,
            AttributeType::PublicExponent,
        ];
        let public_key = wire::public_key(&self.visit.attributes(public, &wanted)?, self.sm2())
            .map_err(|why| KeyError::PublicKey { label: label.to_owned(), why: why.to_owned() })?;
        let card = KeyCard::new(label, public_key)?;
        card.prove(|message| self.make(&card, private, message))?;
        let proved = Proved { handle: private, public_key: card.public_key.clone() };
        self.keys.insert(label.to_owned(), proved);
        Ok((card, private))
    }

    fn make(&self, card: &KeyCard, key: ObjectHandle, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let unfit = |why: &str| KeyError::PublicKey { label: card.label.clone(), why: why.to_owned() };
        let mechanism = wire::mechanism(card.algorithm, self.sm2())
            .ok_or_else(|| unfit("SM2, for which the settings name no mechanism"))?;
        let input = wire::input(card, self.sm2(), message).ok_or_else(|| unfit("a public point that is none"))?;
        let raw = self.visit.call("C_Sign", |session| session.sign(&mechanism, key, &input))?;
        wire::value(card.algorithm, raw)
            .ok_or(TokenFault::Failed { doing: "C_Sign", why: "a value of the wrong length".into() }.into())
    }
}
