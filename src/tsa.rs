//! Outside time-stamp authorities (RFC 3161 §3.4, over HTTP): asked in the order of the settings, each within its budget,
//! and believed only after a full check. One that failed, or lied, is left alone for a while.
//!
//! Deliberately absent: redirects and proxies (the settings name whom we talk to), and any choice by chance.

use std::sync::{Mutex, PoisonError};
use std::time::Duration as Budget;

use ring::rand::{SecureRandom, SystemRandom};
use time::{Duration, OffsetDateTime};
use ureq::Agent;

use crate::crypto::Digest;
use crate::limits;
use crate::message::{Message, china_time};
use crate::pki::certificate::Certificate;
use crate::stamp::accept::{Terms, Unacceptable, accept};
use crate::stamp::request::Request;
use crate::stamp::{StampError, Token};

/// How far an authority's time may be from ours, to either side: our own clock is only asked to be set, not exact, and a
/// false time within a minute changes no document's meaning.
const TOLERANCE: Duration = Duration::MINUTE;
/// The first rest after a failure; each further one is twice as long, up to the longest.
const FIRST_REST: Duration = Duration::seconds(5);
const LONGEST_REST: Duration = Duration::minutes(5);
/// How long what an authority's clock showed says something about ours.
const FRESH: Duration = Duration::HOUR;

/// One authority, as the settings have it.
#[derive(Debug, Clone)]
pub struct AuthoritySettings {
    /// `http://…` or `https://…`.
    pub url: String,
    pub terms: Terms,
    /// For everything from the name's resolution to the last byte of the answer.
    pub budget: Budget,
}

/// The authorities, in their order. What is known of their health is in this process alone.
#[derive(Debug, Default)]
pub struct Authorities(Vec<Outside>);

#[derive(Debug)]
struct Outside {
    settings: AuthoritySettings,
    /// For people: the host and nothing else, as paths may hold keys.
    name: String,
    agent: Agent,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    rests_until: Option<OffsetDateTime>,
    last_fault: Option<Fault>,
    /// When it last showed its clock in a token that was right in all else, and how far it was from ours.
    clock: Option<(OffsetDateTime, Duration)>,
}

/// How an authority stands.
#[derive(Debug, Clone)]
pub struct Standing {
    pub name: String,
    /// It is left alone until then.
    pub rests_until: Option<OffsetDateTime>,
    pub last_fault: Option<Fault>,
}

/// Why an authority gave no token that we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It failed before, and is left alone until then.
    #[error("{}", self.message())]
    Resting(OffsetDateTime),
    #[error("{}", self.message())]
    Unreachable(String),
    #[error("{}", self.message())]
    Late,
    #[error("{}", self.message())]
    Status(u16),
    #[error("{}", self.message())]
    TooLarge,
    #[error("{}", self.message())]
    Answer(StampError),
    #[error("{}", self.message())]
    Unacceptable(Unacceptable),
    /// This machine gave no random nonce.
    #[error("{}", self.message())]
    NoRandomness,
}

impl Authorities {
    /// Whom their time stamps lead to.
    pub fn anchors(&self) -> impl Iterator<Item = &Certificate> {
        self.0.iter().flat_map(|outside| &outside.settings.terms.anchors)
    }

    /// Asks nobody yet.
    pub fn of(settings: Vec<AuthoritySettings>) -> Self {
        Self(settings.into_iter().map(Outside::of).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A token over this digest from the first authority that gives one we take; blocks for the budgets of those asked.
    ///
    /// # Errors
    /// What was wrong with each, by name.
    pub fn stamp(
        &self,
        digest: Digest,
        value: &[u8],
        clock: &dyn Fn() -> OffsetDateTime,
    ) -> Result<Vec<u8>, Vec<(String, Fault)>> {
        let mut faults = Vec::new();
        for authority in &self.0 {
            match authority.stamp(digest, value, clock) {
                Ok(token) => return Ok(token),
                Err(fault) => faults.push((authority.name.clone(), fault)),
            }
        }
        Err(faults)
    }

    /// Asks each for a token of its own over a digest of zeros, rests or not; gives its time.
    pub fn try_each(&self, clock: &dyn Fn() -> OffsetDateTime) -> Vec<(String, Result<OffsetDateTime, Fault>)> {
        let time = |der: Vec<u8>| Token::read(&der).map(|token| token.time).map_err(Fault::Answer);
        let ask = |one: &Outside| (one.name.clone(), one.ask(Digest::Sha256, &[0; 32], clock).and_then(time));
        self.0.iter().map(ask).collect()
    }

    /// How far our clock is off by the word of the authority that agrees with it best; None where none has shown its own
    /// within the hour. One that lies cannot stop us while another agrees.
    pub fn clock_off(&self, now: OffsetDateTime) -> Option<Duration> {
        let shown = self.0.iter().filter_map(|authority| authority.health().clock);
        shown.filter(|(at, _)| (now - *at).abs() <= FRESH).map(|(_, off)| off).min_by_key(|off| off.abs())
    }

    /// How each stands.
    pub fn standing(&self, now: OffsetDateTime) -> Vec<Standing> {
        let standing = |authority: &Outside| {
            let health = authority.health();
            let rests_until = health.rests_until.filter(|until| rests(*until, now));
            Standing { name: authority.name.clone(), rests_until, last_fault: health.last_fault.clone() }
        };
        self.0.iter().map(standing).collect()
    }
}

/// A clock that was set back must not make a rest last for ever.
fn rests(until: OffsetDateTime, now: OffsetDateTime) -> bool {
    now < until && until <= now + LONGEST_REST
}

impl Outside {
    fn of(settings: AuthoritySettings) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(settings.budget))
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // A connection that the other side has closed meanwhile would look like a failure.
            .max_idle_connections(0)
            .user_agent("yinxin")
            .build()
            .into();
        let rest = settings.url.split_once("://").map_or(settings.url.as_str(), |(_, rest)| rest);
        let name = rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
        Self { settings, name, agent, health: Mutex::default() }
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stamp(&self, digest: Digest, value: &[u8], clock: &dyn Fn() -> OffsetDateTime) -> Result<Vec<u8>, Fault> {
        self.begin(clock())?;
        let outcome = self.ask(digest, value, clock);
        let mut health = self.health();
        match &outcome {
            Ok(_) => {
                health.failures = 0;
                health.rests_until = None;
            }
            Err(fault) => {
                tracing::warn!(authority = %self.name, fault = %fault.message().en, "no time stamp");
                let doubled = FIRST_REST * 2i32.saturating_pow(health.failures.min(16));
                health.rests_until = Some(clock() + doubled.min(LONGEST_REST));
                health.failures = health.failures.saturating_add(1);
                health.last_fault = Some(fault.clone());
            }
        }
        outcome
    }

    /// Whether to ask at all. After a rest one caller tries, and the others pass by until he knows.
    fn begin(&self, now: OffsetDateTime) -> Result<(), Fault> {
        let mut health = self.health();
        match health.rests_until {
            Some(until) if rests(until, now) => Err(Fault::Resting(until)),
            _ if health.failures > 0 => {
                health.rests_until = Some(now + self.settings.budget);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn ask(&self, digest: Digest, value: &[u8], clock: &dyn Fn() -> OffsetDateTime) -> Result<Vec<u8>, Fault> {
        let Terms { policy, .. } = &self.settings.terms;
        let request = Request::of_ours(digest, value, nonce()?, policy.as_deref());
        let asked = request.to_der().map_err(|rejected| Fault::Unreachable(rejected.message().en))?;
        let sent = clock();
        let answer = self.exchange(&asked)?;
        let received = clock();
        let der = Token::in_answer(&answer).map_err(Fault::Answer)?;
        let token = Token::read(der).map_err(Fault::Answer)?;
        let verdict = accept(&token, &request, &self.settings.terms, (sent - TOLERANCE, received + TOLERANCE));
        // Only a token that is right in everything but its time says something about clocks.
        if matches!(verdict, Ok(()) | Err(Unacceptable::Time { .. })) {
            let off = token.time - token.time.clamp(sent, received.max(sent));
            self.health().clock = Some((received, off));
        }
        verdict.map_err(Fault::Unacceptable)?;
        Ok(der.to_vec())
    }

    fn exchange(&self, request: &[u8]) -> Result<Vec<u8>, Fault> {
        let sent = self
            .agent
            .post(&self.settings.url)
            .header("Content-Type", "application/timestamp-query")
            .header("Accept", "application/timestamp-reply")
            .send(request);
        let mut answer = sent.map_err(|error| fault_of(&error))?;
        match answer.status().as_u16() {
            200 => {}
            status => return Err(Fault::Status(status)),
        }
        let most = limits::STAMP_ANSWER_BYTES as u64;
        answer.body_mut().with_config().limit(most).read_to_vec().map_err(|error| fault_of(&error))
    }
}

/// 128 bits, so that an answer to this request can be an answer to no other.
fn nonce() -> Result<[u8; 16], Fault> {
    let mut bits = [0; 16];
    SystemRandom::new().fill(&mut bits).map_err(|_| Fault::NoRandomness)?;
    Ok(bits)
}

/// The kind of trouble; addresses and paths stay out of it.
fn fault_of(error: &ureq::Error) -> Fault {
    match error {
        ureq::Error::Timeout(_) => Fault::Late,
        ureq::Error::BodyExceedsLimit(_) => Fault::TooLarge,
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
            Some(inner) => fault_of(inner),
            None if error.kind() == std::io::ErrorKind::TimedOut => Fault::Late,
            // What TLS found wrong comes so.
            None if error.kind() == std::io::ErrorKind::InvalidData => Fault::Unreachable(error.to_string()),
            None => Fault::Unreachable(error.kind().to_string()),
        },
        ureq::Error::HostNotFound => Fault::Unreachable("host not found".into()),
        ureq::Error::Rustls(error) => Fault::Unreachable(error.to_string()),
        _ => Fault::Unreachable("the connection failed".into()),
    }
}

impl Fault {
    /// What to say about it.
    pub fn message(&self) -> Message {
        let (zh, en) = match self {
            Self::Resting(until) => (
                format!("此前失败，{}后再试", china_time(*until)),
                format!("it failed before and is asked again after {}", china_time(*until)),
            ),
            Self::Unreachable(why) => (format!("无法连接（{why}）"), format!("it cannot be reached ({why})")),
            Self::Late => ("未在限定时间内答复".into(), "it did not answer in time".into()),
            Self::Status(status) => (format!("答复状态{status}"), format!("it answered with the status {status}")),
            Self::TooLarge => ("答复过大".into(), "its answer is too large".into()),
            Self::Answer(error) => return error.message(),
            Self::Unacceptable(why) => return why.message(),
            Self::NoRandomness => ("系统未给出随机数".into(), "the system gave no randomness".into()),
        };
        Message::new("tsa.fault", zh, en)
    }
}
