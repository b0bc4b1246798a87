//! One witness, one question: the request, the answer and whether it holds, and what is remembered of both.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration as Budget;

use time::{Duration, OffsetDateTime};
use ureq::Agent;

use super::{Fault, Standing, WitnessSettings};
use crate::limits;
use crate::tlog::checkpoint::{Cosigned, cosigned};
use crate::tlog::note::{Line, VerifierKey};
use crate::tlog::witness::AddCheckpoint;

/// The first rest after a failure; each further one is twice as long, up to the longest. Short: a witness that is back should
/// be in the next receipts.
const FIRST_REST: Duration = Duration::seconds(2);
const LONGEST_REST: Duration = Duration::MINUTE;

#[derive(Debug)]
pub(super) struct Asked {
    settings: WitnessSettings,
    agent: Agent,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// Leaves of the head that it has seen, as far as we know.
    size: Option<u64>,
    /// Leaves of the largest head that it cosigned for us.
    cosigned: u64,
    failures: u32,
    rests_until: Option<OffsetDateTime>,
    last_fault: Option<Fault>,
}

/// What a witness said, apart from failing.
#[derive(Debug)]
pub(super) enum Answer {
    /// Its line holds.
    Cosigned(Line, Cosigned),
    /// It has seen a head of another size than we believed.
    HasSeen(u64),
}

impl Asked {
    pub(super) fn of(settings: WitnessSettings) -> Self {
        let agent = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent("yinxin")
            .build()
            .into();
        Self { settings, agent, memory: Mutex::default() }
    }

    pub(super) fn name(&self) -> &str {
        self.settings.key.name()
    }

    pub(super) fn key(&self) -> &VerifierKey {
        &self.settings.key
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.memory().size
    }

    /// A clock that was set back must not make a rest last for ever.
    pub(super) fn rests_until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.memory().rests_until.filter(|until| now < *until && *until <= now + LONGEST_REST)
    }

    pub(super) fn standing(&self, now: OffsetDateTime) -> Standing {
        let rests_until = self.rests_until(now);
        let memory = self.memory();
        Standing { name: self.name().to_owned(), rests_until, last_fault: memory.last_fault.clone(), size: memory.size }
    }

    /// Asks, and blocks for as long as `budget` at most.
    pub(super) fn ask(
        &self,
        request: &AddCheckpoint,
        size: u64,
        now: OffsetDateTime,
        budget: Budget,
    ) -> Result<Answer, Fault> {
        let (body, before) = (request.to_string(), self.memory().cosigned);
        // A connection kept from last time may be closed by now, which shows only here. Asking twice does no harm.
        let outcome = match self.exchange(&body, budget) {
            Err(Fault::Unreachable(_)) => self.exchange(&body, budget),
            outcome => outcome,
        };
        let outcome = outcome.and_then(|answer| match self.read(request, now, &answer)? {
            Answer::HasSeen(seen) if seen < before => Err(Fault::WentBack(seen)),
            answer => Ok(answer),
        });
        let mut memory = self.memory();
        match &outcome {
            Ok(Answer::Cosigned(..)) => {
                // Another caller's newer head may have come between.
                memory.size = memory.size.max(Some(size));
                memory.cosigned = memory.cosigned.max(size);
                (memory.failures, memory.rests_until, memory.last_fault) = (0, None, None);
            }
            Ok(Answer::HasSeen(seen)) => memory.size = Some(*seen),
            Err(fault) => {
                tracing::warn!(witness = self.name(), fault = %fault.message().en, "not cosigned");
                let rest = FIRST_REST * 2i32.saturating_pow(memory.failures.min(16));
                memory.rests_until = Some(now + rest.min(LONGEST_REST));
                memory.failures = memory.failures.saturating_add(1);
                memory.last_fault = Some(fault.clone());
            }
        }
        outcome
    }

    fn exchange(&self, body: &str, budget: Budget) -> Result<(u16, String), Fault> {
        let request = self.agent.post(format!("{}/add-checkpoint", self.settings.url));
        let sent = request
            .config()
            .timeout_global(Some(budget))
            .build()
            .header("Content-Type", "text/plain; charset=utf-8")
            .send(body);
        let mut answer = sent.map_err(|error| Fault::of(&error))?;
        let status = answer.status().as_u16();
        let read = answer.body_mut().with_config().limit(limits::LOG_NOTE_BYTES as u64).read_to_vec();
        let text = String::from_utf8(read.map_err(|error| Fault::of(&error))?);
        match (status, text) {
            (200 | 409, Ok(text)) => Ok((status, text)),
            (200 | 409, Err(_)) => Err(Fault::Unreadable),
            (422, _) => Err(Fault::Inconsistent),
            (status, _) => Err(Fault::Status(status)),
        }
    }

    /// Believes a size, which only makes us ask again, and a line that verifies.
    fn read(&self, request: &AddCheckpoint, now: OffsetDateTime, answer: &(u16, String)) -> Result<Answer, Fault> {
        let (status, text) = answer;
        let lines = text.strip_suffix('\n').ok_or(Fault::Unreadable)?;
        if *status == 409 {
            let plain = !lines.is_empty() && lines.bytes().all(|byte| byte.is_ascii_digit());
            return plain.then(|| lines.parse().ok()).flatten().map(Answer::HasSeen).ok_or(Fault::Unreadable);
        }
        for line in lines.split('\n').take(limits::LOG_NOTE_SIGNATURES) {
            let line = Line::read(line).map_err(|_| Fault::Unreadable)?;
            // Lines of keys that are not known are passed over, as the specification has it.
            if !line.is_of(self.key()) {
                continue;
            }
            let mut note = request.head.with_lines(|_| false);
            note.sign(line.clone());
            let held = cosigned(&note, std::slice::from_ref(self.key())).map_err(|_| Fault::Unsigned)?;
            let cosigned = held.into_iter().next().ok_or(Fault::Unsigned)?;
            let at = i64::try_from(cosigned.seconds).unwrap_or(i64::MAX);
            return match at.abs_diff(now.unix_timestamp()) {
                0..=limits::WITNESS_CLOCK_SECONDS => Ok(Answer::Cosigned(line, cosigned)),
                _ => Err(Fault::Clock),
            };
        }
        Err(Fault::Unsigned)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
