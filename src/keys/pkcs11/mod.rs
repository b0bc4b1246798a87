//! Keys in tokens (HSM, USB key, SoftHSM), reached through the vendors' PKCS#11 libraries (PKCS #11 v2.40 and later).
//!
//! | part | what |
//! |---|---|
//! | [`home`] | one token, and what is asked of it |
//! | [`crew`] | its workers: the queue, deadlines, calls that hang, a token that is away |
//! | [`desk`] | a worker's session with the keys that proved themselves in it |
//! | [`token`] | finding the token, and the PIN |
//! | [`visit`], [`module`] | sessions, and the gate that no handle of an earlier life of the library passes |
//! | [`wire`] | PKCS#11's forms and ours |
//! | [`vendor`] | the numbers by which a vendor calls SM2 |
//!
//! Several tokens stand in for one another: each holds keys of its own, a seal has a certificate for each, and what is
//! away is passed over when a new order is written. A key never leaves its token, so an order stays with its key.

mod crew;
mod desk;
mod fault;
mod home;
mod module;
mod token;
mod vendor;
mod visit;
mod wire;

use std::sync::Arc;

use super::settings::TokenSettings;
use super::{KeyCard, KeyCheck, KeyError, KeyFacts, Proven, Signature, Signer, random};
use crate::crypto::KeyAlgorithm;
use crate::store::Destruction;

pub use crew::TokenState;
pub use fault::TokenFault;
use home::TokenHome;

/// The tokens, in the order of the settings. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tokens {
    homes: Arc<Vec<TokenHome>>,
    /// Where new keys are made.
    makes_in: usize,
}

impl Tokens {
    /// Goes to each. One that is away is waited for in the background, as long as another answers.
    pub(super) fn open(settings: &[TokenSettings]) -> Result<Self, KeyError> {
        let homes = settings.iter().map(TokenHome::open).collect::<Result<Vec<_>, _>>()?;
        let mut first = None;
        let mut entered = 0;
        for home in &homes {
            match home.enter() {
                Ok(()) => entered += 1,
                Err(why) => first = first.or(Some(why)),
            }
        }
        match first {
            Some(why) if entered == 0 => Err(why),
            _ => Ok(Self { homes: Arc::new(homes), makes_in: 0 }),
        }
    }

    /// The same tokens, with new keys made in the one with this label.
    pub(super) fn making_in(&self, token: &str) -> Result<Self, KeyError> {
        let present = || self.homes.iter().map(TokenHome::name).collect();
        let makes_in = self.homes.iter().position(|home| home.label() == token || home.name() == token);
        let missing = || TokenFault::Missing { wanted: token.chars().take(40).collect(), present: present() };
        Ok(Self { homes: self.homes.clone(), makes_in: makes_in.ok_or_else(missing)? })
    }

    pub(super) fn generate(&self, label: &str, algorithm: KeyAlgorithm) -> Result<Vec<u8>, KeyError> {
        // One name, one key, as far as can be seen: what an order names must not have two meanings.
        let elsewhere =
            self.homes.iter().enumerate().filter(|(number, home)| *number != self.makes_in && home.answers());
        for (_, home) in elsewhere {
            if home.labels()?.iter().any(|there| there == label) {
                return Err(KeyError::AlreadyThere { label: label.to_owned() });
            }
        }
        match self.homes.get(self.makes_in) {
            Some(home) => home.generate(label, algorithm),
            None => Err(TokenFault::Missing { wanted: String::new(), present: vec![] }.into()),
        }
    }

    pub(super) fn signer(&self, label: &str) -> Result<Arc<dyn Signer>, KeyError> {
        self.first(label, |home| home.signer(label))
    }

    /// The key of the certificate, in whichever token it is.
    pub(super) fn signer_for(&self, label: &str, certificate_key: &[u8]) -> Result<Arc<dyn Signer>, KeyError> {
        self.first(label, |home| {
            let signer = home.signer(label)?;
            match signer.public_key() == certificate_key {
                true => Ok(signer),
                false => Err(KeyError::OtherPublicKey { label: label.to_owned() }),
            }
        })
    }

    pub(super) fn destroy(&self, leave: Destruction) -> Result<(), KeyError> {
        let (label, leave) = (leave.key().to_owned(), Arc::new(leave));
        self.first(&label, |home| home.destroy(&leave))
    }

    /// Of the tokens that answer; where none does, why.
    pub(super) fn labels(&self) -> Result<Vec<String>, KeyError> {
        let mut labels = Vec::new();
        let mut first = None;
        let mut read = 0;
        for home in self.homes.iter() {
            match home.labels() {
                Ok(more) => {
                    read += 1;
                    labels.extend(more);
                }
                Err(why) => first = first.or(Some(why)),
            }
        }
        if let (Some(why), 0) = (first, read) {
            return Err(why);
        }
        labels.sort();
        labels.dedup();
        Ok(labels)
    }

    /// Every key of every token; of one that is away, that it is.
    pub(super) fn check(&self) -> Result<Vec<KeyCheck>, KeyError> {
        let mut checks = Vec::new();
        for home in self.homes.iter() {
            match home.check() {
                Ok(more) => checks.extend(more),
                Err(why) if self.homes.len() == 1 => return Err(why),
                Err(why) => checks.push(KeyCheck { label: home.name(), outcome: Err(why) }),
            }
        }
        Ok(checks)
    }

    pub(super) fn states(&self) -> Vec<TokenState> {
        self.homes.iter().map(TokenHome::state).collect()
    }

    /// Asks those that answer first, then the others; gives what the first says that can, or else what is most worth
    /// knowing: any fault is, before "no such key here".
    fn first<T>(&self, label: &str, ask: impl Fn(&TokenHome) -> Result<T, KeyError>) -> Result<T, KeyError> {
        let (here, away): (Vec<_>, Vec<_>) = self.homes.iter().partition(|home| home.answers());
        let mut said = KeyError::Unknown { label: label.to_owned(), home: "密码设备 / token".into() };
        for home in here.into_iter().chain(away) {
            match ask(home) {
                Ok(found) => return Ok(found),
                Err(why) if matches!(said, KeyError::Unknown { .. }) => said = why,
                Err(_) => {}
            }
        }
        Err(said)
    }
}

/// Whether it is the token, or the way to it, that does not work, rather than the key or the request.
fn is_away(error: &KeyError) -> bool {
    match error {
        KeyError::SecretFile { .. } | KeyError::Away { .. } => true,
        KeyError::Token(fault) => fault.is_away(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
