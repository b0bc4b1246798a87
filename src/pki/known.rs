//! What was found out already: a signature that was right stays right, so that a thousand documents under one chain
//! cost its public-key operations once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::path::Ending;
use super::rules::Rule;
use crate::crypto::{self, SignatureFault};
use crate::limits;

/// Answers that depend on nothing but the bytes that they are filed under, so that remembering them changes no verdict,
/// only its cost.
pub struct Memory<A> {
    answers: Mutex<HashMap<[u8; 32], A>>,
}

impl<A: Clone> Memory<A> {
    /// The answer about these bytes, which tell the question from every other; found out where it is not known.
    pub(crate) fn answer(&self, about: &[&[u8]], find: impl FnOnce() -> A) -> A {
        let about = crypto::sha256(&about.concat());
        if let Some(answer) = self.answers().get(&about) {
            return answer.clone();
        }
        let answer = find();
        let mut answers = self.answers();
        // Emptied rather than pruned: to fill it, someone had to pay for as many public-key operations.
        if answers.len() >= limits::KNOWN_ANSWERS {
            answers.clear();
        }
        answers.insert(about, answer.clone());
        answer
    }

    /// Nothing panics while it is held, and a half-made answer is never inside.
    fn answers(&self) -> MutexGuard<'_, HashMap<[u8; 32], A>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Default for Memory<A> {
    fn default() -> Self {
        Self { answers: Mutex::default() }
    }
}

impl<A: Clone> fmt::Debug for Memory<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({})", self.answers().len())
    }
}

/// A memory of signatures and chains, owned by whoever owns the trust and shared by all who judge by it.
#[derive(Debug, Default)]
pub struct Known {
    signatures: Memory<Result<Option<Ending>, SignatureFault>>,
    chains: Memory<Result<(), Rule>>,
}

impl Known {
    /// Whether, and until when to be believed, this key signed the object of this fingerprint (SHA-256 of all of it, with algorithm and value).
    pub(crate) fn signature(
        &self,
        object: &[u8; 32],
        public_key: &[u8],
        check: impl FnOnce() -> Result<Option<Ending>, SignatureFault>,
    ) -> Result<Option<Ending>, SignatureFault> {
        self.signatures.answer(&[object, public_key], check)
    }

    /// Whether the certificates of these fingerprints make a chain by RFC 5280, time and revocation aside.
    pub(super) fn chain(
        &self,
        certificates: &[[u8; 32]],
        check: impl FnOnce() -> Result<(), Rule>,
    ) -> Result<(), Rule> {
        self.chains.answer(&[certificates.as_flattened()], check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_once_for_each_pair_and_stays_bounded() {
        let known = Known::default();
        let mut asked = 0;
        for _ in 0..3 {
            for (object, key) in [(1, b"a"), (1, b"b"), (2, b"a")] {
                let wrong = object == 2;
                let answer = known.signature(&[object; 32], key, || {
                    asked += 1;
                    if wrong { Err(SignatureFault::Wrong) } else { Ok(None) }
                });
                assert_eq!(answer.is_err(), wrong);
            }
        }
        assert_eq!(asked, 3);
        for i in 0..limits::KNOWN_ANSWERS as u32 + 1 {
            let _ = known.signature(&[0; 32], &i.to_be_bytes(), || Ok(None));
        }
        assert!(known.signatures.answers().len() <= limits::KNOWN_ANSWERS);
    }
}
