//! What was found out already: a signature that was right stays right, so that a thousand documents under one chain
//! cost its public-key operations once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::path::Ending;
use super::rules::Rule;
use crate::crypto::{self, SignatureFault};
use crate::limits;

/// A memory of signatures and chains, owned by whoever owns the trust and shared by all who judge by it.
///
/// It changes no verdict, only its cost: the answers depend on nothing but the bytes that they are filed under.
#[derive(Default)]
pub struct Known {
    answers: Mutex<HashMap<[u8; 32], Answer>>,
}

#[derive(Clone)]
enum Answer {
    Signature(Result<Option<Ending>, SignatureFault>),
    Chain(Result<(), Rule>),
}

impl Known {
    /// Whether, and until when to be believed, this key signed the object of this fingerprint (SHA-256 of all of it, with algorithm and value).
    pub(crate) fn signature(
        &self,
        object: &[u8; 32],
        public_key: &[u8],
        check: impl FnOnce() -> Result<Option<Ending>, SignatureFault>,
    ) -> Result<Option<Ending>, SignatureFault> {
        let key = crypto::sha256(&[b"signature".as_slice(), object, public_key].concat());
        match self.answer(key, || Answer::Signature(check())) {
            Answer::Signature(answer) => answer,
            Answer::Chain(_) => Err(SignatureFault::Malformed("memory")),
        }
    }

    /// Whether the certificates of these fingerprints make a chain by RFC 5280, time and revocation aside.
    pub(super) fn chain(
        &self,
        certificates: &[[u8; 32]],
        check: impl FnOnce() -> Result<(), Rule>,
    ) -> Result<(), Rule> {
        let key = crypto::sha256(&[b"chain".as_slice(), certificates.as_flattened()].concat());
        match self.answer(key, || Answer::Chain(check())) {
            Answer::Chain(answer) => answer,
            Answer::Signature(_) => Err(Rule::Other),
        }
    }

    fn answer(&self, key: [u8; 32], find: impl FnOnce() -> Answer) -> Answer {
        // Nothing panics while it is held, and a half-made answer is never inside.
        let answers = || self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = answers().get(&key) {
            return answer.clone();
        }
        let answer = find();
        let mut answers = answers();
        // Emptied rather than pruned: to fill it, someone had to pay for as many public-key operations.
        if answers.len() >= limits::KNOWN_ANSWERS {
            answers.clear();
        }
        answers.insert(key, answer.clone());
        answer
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known({})", self.answers.lock().unwrap_or_else(PoisonError::into_inner).len())
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
        // A chain of one certificate is not taken for a signature.
        assert_eq!(known.chain(&[[1; 32]], || Err(Rule::Names)), Err(Rule::Names));
        for i in 0..limits::KNOWN_ANSWERS as u32 + 1 {
            let _ = known.signature(&[0; 32], &i.to_be_bytes(), || Ok(None));
        }
        assert!(known.answers.lock().unwrap().len() <= limits::KNOWN_ANSWERS);
    }
}
