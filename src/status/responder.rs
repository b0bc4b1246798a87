//! The responder: reads a question, answers from what is kept, and signs anew where it has keys (RFC 6960, RFC 5019).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use crate::ca::{self, Authority};
use crate::desk::FlowError;
use crate::limits;
use crate::pki::ocsp::{CertId, NoAnswer, Reply, Request, Status};
use crate::store::{KeptAnswer, Store};

/// An answer to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// DER OCSPResponse.
    pub der: Vec<u8>,
    /// From when until when anybody may be given the same; None where it is for this asker alone.
    pub kept: Option<(OffsetDateTime, OffsetDateTime)>,
}

/// Answers for the issuing authorities. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Responder {
    store: Store,
    /// Where there are none, only what others signed and kept is given.
    keys: Option<Authority>,
    /// Answers signed for a single asker, and for all: each is an order that stays, and anyone may ask.
    signed: Arc<Pace>,
    signed_for_all: Arc<Pace>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl From<KeptAnswer> for Answered {
    fn from(kept: KeptAnswer) -> Self {
        Self { der: kept.response, kept: Some((kept.this_update, kept.next_update)) }
    }
}

impl From<NoAnswer> for Answered {
    fn from(why: NoAnswer) -> Self {
        Self { der: why.der(), kept: None }
    }
}

impl Responder {
    pub fn new(store: Store, keys: Option<Authority>) -> Self {
        let signed = Arc::new(Pace::of(limits::OCSP_SIGNED_A_MINUTE));
        let signed_for_all = Arc::new(Pace::of(limits::OCSP_KEPT_A_MINUTE));
        Self { store, keys, signed, signed_for_all, turn: Arc::default() }
    }

    /// Answers a DER OCSPRequest. Whatever goes wrong is an answer too.
    pub async fn answer(&self, request: &[u8], now: OffsetDateTime) -> Answered {
        let Ok(request) = Request::read(request) else { return NoAnswer::Malformed.into() };
        match self.answer_to(&request, now).await {
            Ok(answered) => answered,
            Err(error) => {
                tracing::error!(id = error.message().id, "a question about a certificate was not answered");
                NoAnswer::TryLater.into()
            }
        }
    }

    async fn answer_to(&self, request: &Request, now: OffsetDateTime) -> Result<Answered, FlowError> {
        // One responder answers a request, for one authority: the first that is asked about and has not ended.
        let issuers = ca::issuers(&self.store).await?;
        let issuer = issuers.into_iter().find(|issuer| {
            let by = |question: &CertId| question.is_by(&issuer.certificate);
            issuer.certificate.is_in_force(now) && request.questions.iter().any(by)
        });
        let Some(issuer) = issuer else { return Ok(NoAnswer::Unauthorized.into()) };
        let single = match request.questions.as_slice() {
            [question] => Some(question),
            _ => None,
        };
        // A nonce is repeated while that can be afforded; then the asker gets the answer that is everybody's, and decides what
        // it is worth without one (RFC 9654 §3.1, RFC 5019 §5).
        let wants_own = request.nonce.is_some() || single.is_none();
        let has_leave = || self.keys.is_some() && self.signed.takes(now);
        let mut may_sign = wants_own && has_leave();
        if !may_sign
            && let Some(question) = single
            && let Some(answered) = self.kept(&issuer.label, question, now).await?
        {
            return Ok(answered);
        }
        may_sign = may_sign || (!wants_own && has_leave());
        let (Some(keys), true) = (&self.keys, may_sign) else { return Ok(NoAnswer::TryLater.into()) };
        let mut replies = vec![];
        for question in &request.questions {
            let status = match question.is_by(&issuer.certificate) {
                true => ca::standing(&self.store, &issuer.label, question.serial(), now).await?,
                // Of others' certificates nothing is known here.
                false => Status::Unknown,
            };
            let next_update = keys.answer_until(&issuer, now);
            replies.push(Reply { question: question.clone(), status, this_update: now, next_update });
        }
        let der = keys.sign_answer(&issuer, replies, request.nonce.as_deref(), "ocsp", now).await?;
        Ok(Answered { der, kept: None })
    }

    /// The answer that is the same for everybody; None where it takes a signature for this asker, or there is nothing.
    async fn kept(&self, issuer: &str, question: &CertId, now: OffsetDateTime) -> Result<Option<Answered>, FlowError> {
        let status = ca::standing(&self.store, issuer, question.serial(), now).await?;
        let kept = ca::kept_answer(&self.store, question, status, now).await?;
        let fresh =
            kept.as_ref().is_some_and(|kept| now < kept.this_update + (kept.next_update - kept.this_update) / 2);
        let answer = match &self.keys {
            // As many as there are certificates, each in the few ways of asking, and one at a time: whoever waited finds what
            // the first had signed.
            Some(keys) if !fresh && status != Status::Unknown && self.signed_for_all.takes(now) => {
                let _turn = self.turn.lock().await;
                keys.answer(question, "ocsp", now).await?
            }
            _ => kept,
        };
        Ok(answer.map(Answered::from))
    }
}

/// So many within a minute and no more.
#[derive(Debug)]
struct Pace {
    most: usize,
    taken: Mutex<VecDeque<OffsetDateTime>>,
}

impl Pace {
    fn of(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    /// Whether there is room for one more, which is then taken.
    fn takes(&self, now: OffsetDateTime) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.front().is_some_and(|at| *at + Duration::MINUTE <= now) {
            taken.pop_front();
        }
        let room = taken.len() < self.most;
        if room {
            taken.push_back(now);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_kept_over_any_minute() {
        let (pace, start) = (Pace::of(2), OffsetDateTime::UNIX_EPOCH);
        let at = |second| pace.takes(start + Duration::seconds(second));
        assert_eq!([0, 30, 31, 59, 60, 61, 90, 91].map(at), [true, true, false, false, true, false, true, false]);
    }
}
