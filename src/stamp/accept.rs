//! Whether an authority's token is taken: checked in full before anything rests on it.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::request::Request;
use super::{Breach, Token};
use crate::cms::Fault;
use crate::message::{Message, china_time};
use crate::pki::certificate::Certificate;
use crate::pki::evidence::RevocationEvidence;
use crate::pki::known::Known;
use crate::pki::ocsp::OcspResponse;
use crate::pki::path::{PathVerdict, judge_path};
use crate::pki::revocation::RevocationList;

/// What an authority is held to.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Its own anchors: nobody else's certificate is taken from it.
    pub anchors: Vec<Certificate>,
    /// May help to find a path; trusted for nothing.
    pub intermediates: Vec<Certificate>,
    pub lists: Vec<RevocationList>,
    pub responses: Vec<OcspResponse>,
    /// The policy that a token must name, in dotted form; any where there is none.
    pub policy: Option<String>,
    pub known: Arc<Known>,
}

/// The longest accuracy that is taken: what a token proves is its time and so much more.
const ACCURACY: Duration = Duration::MINUTE;

/// Takes the token that answers `request`, or says why not. genTime must be within `window`, first and last moment.
///
/// That nothing proves the authority's certificate not revoked is no reason to refuse: such evidence is gathered for the
/// document afterwards. What proves it revoked is one.
///
/// # Errors
/// The first thing wrong.
pub fn accept(
    token: &Token,
    request: &Request,
    terms: &Terms,
    window: (OffsetDateTime, OffsetDateTime),
) -> Result<(), Unacceptable> {
    if token.imprint != (request.digest.oid(), request.value.clone()) {
        return Err(Unacceptable::Imprint);
    }
    // RFC 3161 §2.4.2: present where it was asked for, and then with the same value.
    if token.nonce != request.nonce {
        return Err(Unacceptable::Nonce);
    }
    if terms.policy.as_ref().is_some_and(|policy| *policy != token.policy) {
        return Err(Unacceptable::Policy(token.policy.clone()));
    }
    let checks = token.check();
    if let Some(breach) = token.breaches(&checks).into_iter().find(Breach::is_grave) {
        return Err(Unacceptable::Breach(breach));
    }
    // Weak algorithms, too: whoever asks today must not get what proves nothing tomorrow.
    for check in
        [&checks.digest, &checks.signature, &checks.content_type, &checks.algorithms, &checks.signing_certificate]
    {
        check.clone().map_err(Unacceptable::Signature)?;
    }
    if token.time < window.0 || token.time > window.1 {
        return Err(Unacceptable::Time { said: token.time, expected: window });
    }
    if token.accuracy.is_some_and(|accuracy| accuracy > ACCURACY) {
        return Err(Unacceptable::Accuracy);
    }
    let certificate = checks.certificate.as_ref().ok_or(Unacceptable::Signature(Fault::NoCertificate))?;
    let inside: Vec<Certificate> =
        token.signed.certificates.iter().filter_map(|der| Certificate::read(der).ok()).collect();
    let candidates: Vec<&Certificate> = inside.iter().chain(&terms.intermediates).collect();
    let evidence =
        RevocationEvidence { lists: terms.lists.iter().collect(), responses: terms.responses.iter().collect() };
    match judge_path(certificate, &candidates, &terms.anchors, &evidence, &terms.known, token.time) {
        PathVerdict::Trusted { .. } | PathVerdict::RevocationUnknown { .. } => Ok(()),
        verdict => Err(Unacceptable::Path(Box::new(verdict))),
    }
}

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unacceptable {
    /// It stamps something else.
    #[error("{}", self.message())]
    Imprint,
    /// It answers another request.
    #[error("{}", self.message())]
    Nonce,
    /// It was made under this policy and not the one asked for.
    #[error("{}", self.message())]
    Policy(String),
    #[error("{}", self.message())]
    Breach(Breach),
    #[error("{}", self.message())]
    Signature(Fault),
    /// Its time is not now.
    #[error("{}", self.message())]
    Time { said: OffsetDateTime, expected: (OffsetDateTime, OffsetDateTime) },
    /// Its clock may be off by more than a minute.
    #[error("{}", self.message())]
    Accuracy,
    /// Its authority's certificate.
    #[error("{}", self.message())]
    Path(Box<PathVerdict>),
}

impl Unacceptable {
    /// What to say about it.
    pub fn message(&self) -> Message {
        let (zh, en): (String, String) = match self {
            Self::Imprint => ("时间戳针对的是别的内容".into(), "the time stamp is of something else".into()),
            Self::Nonce => ("时间戳答复的是别的请求".into(), "the time stamp answers another request".into()),
            Self::Policy(found) => {
                (format!("时间戳的策略是{found}，不是所要求的"), format!("the time stamp is under the policy {found}"))
            }
            Self::Breach(breach) => return breach.message(),
            Self::Signature(fault) => return fault.message(),
            Self::Time { said, expected: (from, _) } => (
                format!("时间戳的时间是{}，本机时间是{}，相差过大", china_time(*said), china_time(*from)),
                format!("the time stamp is of {}, too far from our clock ({})", china_time(*said), china_time(*from)),
            ),
            Self::Accuracy => {
                ("时间戳的时钟误差超过一分钟".into(), "the time stamp's clock may be off by over a minute".into())
            }
            Self::Path(verdict) => return verdict.message(),
        };
        Message::new("stamp.unacceptable", zh, en)
    }
}
