//! One token as a home of keys: what is asked of it, each as a job for its crew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass};

use super::crew::{Crew, How, TokenState};
use super::desk::Desk;
use super::token::Token;
use super::{KeyCard, KeyCheck, KeyError, KeyFacts, Signature, Signer, TokenFault, is_away, random, wire};
use crate::crypto::KeyAlgorithm;
use crate::keys::settings::{Sm2Numbers, TokenSettings};
use crate::limits;
use crate::store::Destruction;
use crate::store::Order;

/// Smart cards take a minute for an RSA-3072 key, in bad cases two.
const GENERATION: Duration = Duration::from_secs(180);

/// The token, with its workers waiting.
pub(super) struct TokenHome {
    crew: Arc<Crew>,
    /// Held while a key is made, so that two callers cannot both find its name free.
    making: Mutex<()>,
}

impl TokenHome {
    /// Ready to be asked; the token may be away.
    pub(super) fn open(settings: &TokenSettings) -> Result<Self, KeyError> {
        if !(1..=limits::TOKEN_SESSIONS).contains(&settings.sessions) {
            return Err(TokenFault::Sessions { asked: settings.sessions }.into());
        }
        Ok(Self { crew: Arc::new(Crew::start(Token::new(settings.clone()))?), making: Mutex::default() })
    }

    /// Goes in, to see whether it can.
    pub(super) fn enter(&self) -> Result<(), KeyError> {
        self.crew.run(How::Kept, |_| Ok(()))
    }

    pub(super) fn name(&self) -> String {
        self.crew.token().name()
    }

    pub(super) fn label(&self) -> &str {
        &self.crew.token().settings.token
    }

    pub(super) fn answers(&self) -> bool {
        self.crew.answers()
    }

    pub(super) fn state(&self) -> TokenState {
        self.crew.state()
    }

    /// Makes a key pair that the token will not let out.
    pub(super) fn generate(&self, label: &str, algorithm: KeyAlgorithm) -> Result<Vec<u8>, KeyError> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let (owned, id) = (label.to_owned(), random::<16>()?.to_vec());
        let card = self.crew.run_within(GENERATION, How::Apart, None, move |desk| {
            if !everything(desk, &owned)?.is_empty() {
                return Err(KeyError::AlreadyThere { label: owned.clone() });
            }
            make(desk, &owned, &id, algorithm)
        })?;
        let public_key = card.public_key.clone();
        self.crew.known().insert(label.to_owned(), Arc::new(card));
        Ok(public_key)
    }

    pub(super) fn signer(&self, label: &str) -> Result<Arc<dyn Signer>, KeyError> {
        let known = self.crew.known().get(label).cloned();
        let card = match known {
            Some(card) => card,
            None => {
                self.crew.is_there()?;
                let owned = label.to_owned();
                let card = Arc::new(self.crew.run(How::Kept, move |desk| desk.read(&owned))?);
                self.crew.known().insert(label.to_owned(), card.clone());
                card
            }
        };
        Ok(Arc::new(TokenKey { card, crew: self.crew.clone(), lost: AtomicBool::new(false) }))
    }

    pub(super) fn labels(&self) -> Result<Vec<String>, KeyError> {
        self.crew.run(How::Kept, |desk| {
            let mut labels = Vec::new();
            for key in desk.visit().matching(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])? {
                for attribute in desk.visit().attributes(key, &[AttributeType::Label])? {
                    if let Attribute::Label(label) = attribute {
                        labels.push(String::from_utf8_lossy(&label).into_owned());
                    }
                }
            }
            labels.sort();
            labels.dedup();
            Ok(labels)
        })
    }

    /// Looks at the token anew, past what was proven before.
    pub(super) fn check(&self) -> Result<Vec<KeyCheck>, KeyError> {
        let one = |label: String| {
            let asked = label.clone();
            let outcome = self.crew.run(How::Kept, move |desk| {
                let card = desk.read(&asked)?;
                let private = desk.visit().find(ObjectClass::PRIVATE_KEY, &asked)?;
                let copyable = private.iter().try_fold(false, |any, key| Ok(any | desk.visit().is_copyable(*key)?));
                copyable.map(|copyable| KeyFacts { algorithm: card.algorithm, copyable })
            });
            KeyCheck { label, outcome }
        };
        Ok(self.labels()?.into_iter().map(one).collect())
    }

    pub(super) fn destroy(&self, leave: &Arc<Destruction>) -> Result<(), KeyError> {
        self.crew.known().remove(leave.key());
        let leave = leave.clone();
        self.crew.run(How::Apart, move |desk| {
            let label = leave.key();
            desk.read(label)?.may_be_destroyed(&leave)?;
            for object in everything(desk, label)? {
                desk.visit().call("C_DestroyObject", |session| session.destroy_object(object))?;
            }
            match everything(desk, label)?.is_empty() {
                true => Ok(()),
                false => Err(KeyError::StillThere { label: label.to_owned() }),
            }
        })
    }
}

/// Both halves under the label, the private one first: without it the public one does no harm.
fn everything(desk: &Desk, label: &str) -> Result<Vec<cryptoki::object::ObjectHandle>, KeyError> {
    let mut found = desk.visit().find(ObjectClass::PRIVATE_KEY, label)?;
    found.extend(desk.visit().find(ObjectClass::PUBLIC_KEY, label)?);
    Ok(found)
}

fn make(desk: &mut Desk, label: &str, id: &[u8], algorithm: KeyAlgorithm) -> Result<KeyCard, KeyError> {
    let templates = templates(label, id, algorithm, desk.sm2());
    let (mechanism, public, private) =
        templates.ok_or_else(|| TokenFault::Cannot { algorithm, why: wire::NO_SM2.to_owned() })?;
    let made = desk
        .visit()
        .call("C_GenerateKeyPair", |session| Ok(session.generate_key_pair(&mechanism, &public, &private)))?;
    let (public, private) = made.map_err(|why| TokenFault::Cannot { algorithm, why: why.to_string() })?;
    if desk.visit().is_copyable(private)? {
        for object in [private, public] {
            let _ = desk.visit().call("C_DestroyObject", |session| session.destroy_object(object));
        }
        return Err(TokenFault::KeyCopyable { label: label.to_owned() }.into());
    }
    desk.read(label)
}

/// Mechanism, public and private template (PKCS #11 v2.40 §4.9) of a key that signs and does nothing else; none for SM2 where
/// nobody says how the token calls it.
pub(super) fn templates(
    label: &str,
    id: &[u8],
    algorithm: KeyAlgorithm,
    sm2: Option<&Sm2Numbers>,
) -> Option<(Mechanism<'static>, Vec<Attribute>, Vec<Attribute>)> {
    let rsa = |bits: u64| {
        let size = vec![Attribute::ModulusBits(bits.into()), Attribute::PublicExponent(vec![1, 0, 1])];
        (Mechanism::RsaPkcsKeyPairGen, KeyType::RSA, size)
    };
    let (mechanism, key_type, kind) = match algorithm {
        KeyAlgorithm::EcdsaP256 => {
            (Mechanism::EccKeyPairGen, KeyType::EC, vec![Attribute::EcParams(wire::P256_PARAMS.to_vec())])
        }
        KeyAlgorithm::Sm2 => {
            let params = vec![Attribute::EcParams(wire::SM2_PARAMS.to_vec())];
            (sm2?.generation()?, sm2?.key_kind()?, params)
        }
        KeyAlgorithm::Rsa2048 => rsa(2048),
        KeyAlgorithm::Rsa3072 => rsa(3072),
        KeyAlgorithm::Ed25519 => (
            Mechanism::EccEdwardsKeyPairGen,
            KeyType::EC_EDWARDS,
            vec![Attribute::EcParams(wire::ED25519_PARAMS.to_vec())],
        ),
    };
    let mut public = vec![
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(key_type),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Label(label.into()),
        Attribute::Id(id.to_vec()),
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
        Attribute::Id(id.to_vec()),
    ];
    Some((mechanism, public, private))
}

/// A key in the token, proven.
struct TokenKey {
    card: Arc<KeyCard>,
    crew: Arc<Crew>,
    /// The token answered that it has no such key, or another under the label.
    lost: AtomicBool,
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

    fn answers(&self) -> bool {
        self.crew.answers() && !self.lost.load(Ordering::Acquire)
    }

    fn prove(&self) -> Result<(), KeyError> {
        self.crew.is_there()?;
        let card = self.card.clone();
        self.crew.run_with(&self.card, move |desk| desk.prove(&card))?;
        self.lost.store(false, Ordering::Release);
        Ok(())
    }

    fn sign(&self, order: Order) -> Result<Signature, KeyError> {
        let outcome = self.card.carry_out(order, |order| {
            let (card, order) = (self.card.clone(), Arc::new(order));
            self.crew.run_with(&self.card, move |desk| desk.sign(&card, order.to_be_signed()))
        });
        if let Err(error) = &outcome
            && !is_away(error)
            && !matches!(error, KeyError::OrderForOtherKey { .. } | KeyError::Token(TokenFault::Busy))
        {
            self.crew.known().remove(&self.card.label);
            self.lost.store(true, Ordering::Release);
        }
        outcome
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TokenKey").field(&self.card.label).field(&self.card.algorithm).finish()
    }
}
