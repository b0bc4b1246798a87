//! Threads that work at a token, each with a session of its own, and what happens when they do not come back.
//!
//! A call into a token may hang for ever, so no caller makes one: jobs go through a bounded queue to the workers, and a
//! caller whose time is over leaves. The worker that then still has the job is written off and replaced, up to a limit;
//! when its call returns after all, it takes its place again. A keeper looks after a token that is away.

mod keeper;

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use self::keeper::{Away, keep};
use super::desk::Desk;
use super::token::Token;
use super::visit::Access;
use super::{KeyCard, KeyError, TokenFault, is_away};
use crate::limits;
use crate::message::Message;

/// How long those that end are waited for: a library must not be unloaded under them, which the end of the process does.
const FAREWELL: Duration = Duration::from_secs(1);
/// A worker ends a little before its caller leaves, where it can.
const GRACE: Duration = Duration::from_millis(200);

/// The way to the workers. They end when it is dropped.
pub(super) struct Crew {
    shared: Arc<Shared>,
}

/// With what session a job is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// With the worker's own; where that fails, once more with a new one.
    Kept,
    /// With a new one, which the worker keeps.
    Anew,
    /// With one for this job alone, that may write. Once: what is made twice is there twice.
    Apart,
}

/// How a token and its workers stand, for `doctor` and the readiness of the process.
#[derive(Debug, Clone)]
pub struct TokenState {
    /// `label`, or `label (serial)`.
    pub token: String,
    /// Workers, each with a session.
    pub sessions: usize,
    /// Calls that did not return in time, and have not yet.
    pub hanging: usize,
    /// Times the library was initialised in this process.
    pub generation: u64,
    /// Jobs that wait for a session.
    pub waiting: usize,
    /// Requests turned away since the start: no place in the queue, no answer in time.
    pub busy: u64,
    pub late: u64,
    /// Why the token cannot be used now, if it cannot.
    pub away: Option<Message>,
    /// So many calls hang that only a restart of the process helps, or their return.
    pub hung: bool,
}

struct Shared {
    token: Token,
    /// Among the homes of this process.
    home: usize,
    sessions: usize,
    deadline: Duration,
    queue: Mutex<Queue>,
    arrived: Condvar,
    left: Condvar,
    /// Public halves that were proven to belong to keys here.
    known: Mutex<HashMap<String, Arc<KeyCard>>>,
    is_away: AtomicBool,
    away: Mutex<Option<Away>>,
    stirred: Condvar,
    busy: AtomicU64,
    late: AtomicU64,
}

struct Queue {
    jobs: VecDeque<Job>,
    open: bool,
    /// Workers that take jobs, and those whose callers left before they were done.
    working: usize,
    written_off: usize,
    keeping: bool,
}

struct Job {
    claim: Arc<Claim>,
    work: Box<dyn FnOnce(&mut Worker) + Send>,
}

/// Who has the job: nobody yet, a worker, its caller with the answer, or nobody any more.
struct Claim(AtomicU8);

impl Claim {
    const WAITING: u8 = 0;
    const WORKING: u8 = 1;
    const DONE: u8 = 2;
    const LEFT: u8 = 3;

    fn moves(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Crew {
    /// Starts the workers and the keeper; nobody goes to the token yet.
    pub(super) fn start(token: Token) -> Result<Self, TokenFault> {
        static HOMES: AtomicUsize = AtomicUsize::new(0);
        let (sessions, deadline) = (token.settings.sessions, token.settings.deadline);
        let queue = Queue { jobs: VecDeque::new(), open: true, working: 0, written_off: 0, keeping: true };
        let crew = Self {
            shared: Arc::new(Shared {
                token,
                home: HOMES.fetch_add(1, Ordering::Relaxed),
                sessions,
                deadline,
                queue: Mutex::new(queue),
                arrived: Condvar::new(),
                left: Condvar::new(),
                known: Mutex::default(),
                is_away: AtomicBool::new(false),
                away: Mutex::default(),
                stirred: Condvar::new(),
                busy: AtomicU64::new(0),
                late: AtomicU64::new(0),
            }),
        };
        let failed = |why: std::io::Error| TokenFault::Failed { doing: "starting a thread", why: why.to_string() };
        for _ in 0..sessions {
            crew.shared.hire(&mut crew.shared.queue()).map_err(failed)?;
        }
        let shared = crew.shared.clone();
        let keeper = move || {
            keep(&shared);
            shared.queue().keeping = false;
            shared.left.notify_all();
        };
        if let Err(why) = thread::Builder::new().name("token-keeper".into()).spawn(keeper) {
            crew.shared.queue().keeping = false;
            return Err(failed(why));
        }
        Ok(crew)
    }

    /// Has a job done within the settings' deadline. Blocks until then at most.
    ///
    /// # Errors
    /// [`TokenFault::Busy`] where no worker was free in time, [`TokenFault::Late`] where one did not come back,
    /// [`TokenFault::Hung`] where none is left; otherwise what the job says.
    pub(super) fn run<T: Send + 'static>(
        &self,
        how: How,
        work: impl Fn(&mut Desk) -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, KeyError> {
        self.run_within(self.shared.deadline, how, None, work)
    }

    /// The same for a job with one key, which the token must know again before it counts as returned.
    pub(super) fn run_with<T: Send + 'static>(
        &self,
        key: &Arc<KeyCard>,
        work: impl Fn(&mut Desk) -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, KeyError> {
        self.run_within(self.shared.deadline, How::Kept, Some(key), work)
    }

    /// The same for what takes tokens longer.
    pub(super) fn run_within<T: Send + 'static>(
        &self,
        deadline: Duration,
        how: How,
        key: Option<&Arc<KeyCard>>,
        work: impl Fn(&mut Desk) -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, KeyError> {
        let outcome = self.shared.ask(deadline, how, work);
        if let Err(error) = &outcome
            && is_away(error)
        {
            self.shared.went_away(error, key);
        }
        outcome
    }

    /// Whether the token answered when it was last asked.
    pub(super) fn answers(&self) -> bool {
        !self.shared.is_away.load(Ordering::Acquire)
    }

    /// For those who can do without: the keeper looks for a token that is away, and whoever asked besides would only wait.
    pub(super) fn is_there(&self) -> Result<(), KeyError> {
        match &*self.shared.away() {
            Some(away) => Err(KeyError::Away { why: away.why.clone() }),
            None => Ok(()),
        }
    }

    pub(super) fn token(&self) -> &Token {
        &self.shared.token
    }

    pub(super) fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<KeyCard>>> {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> TokenState {
        let shared = &self.shared;
        let module = shared.token.module().ok();
        let closed = module.as_ref().and_then(|module| module.closed_for()).is_some_and(|for_| for_ > shared.deadline);
        // One lock after the other: the keeper holds this one when it asks for the queue.
        let away = shared.away().as_ref().map(|away| away.why.clone());
        let queue = shared.queue();
        TokenState {
            token: shared.token.name(),
            sessions: queue.working,
            hanging: queue.written_off,
            generation: module.map_or(0, |module| module.generation()),
            waiting: queue.jobs.len(),
            busy: shared.busy.load(Ordering::Relaxed),
            late: shared.late.load(Ordering::Relaxed),
            away,
            hung: closed || queue.written_off >= limits::TOKEN_HANGING,
        }
    }
}

impl Drop for Crew {
    /// Waits for those who are about to end, and not for those who hang.
    fn drop(&mut self) {
        {
            let mut queue = self.shared.queue();
            queue.open = false;
            queue.jobs.clear();
        }
        self.shared.arrived.notify_all();
        drop(self.shared.away());
        self.shared.stirred.notify_all();
        let gone = |queue: &mut Queue| queue.working > 0 || queue.keeping;
        drop(self.shared.left.wait_timeout_while(self.shared.queue(), FAREWELL, gone));
        if let Ok(module) = self.shared.token.module() {
            module.relied_on(self.shared.home, false);
        }
    }
}

impl Shared {
    fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        deadline: Duration,
        how: How,
        work: impl Fn(&mut Desk) -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, KeyError> {
        let until = Instant::now() + deadline;
        let (answer, answered) = sync_channel(1);
        let claim = Arc::new(Claim(AtomicU8::new(Claim::WAITING)));
        let at_work = claim.clone();
        let job = Job {
            claim: claim.clone(),
            work: Box::new(move |worker| {
                let outcome = worker.attempt(how, until, &work);
                if at_work.moves(Claim::WORKING, Claim::DONE) {
                    let _ = answer.send(outcome);
                }
            }),
        };
        self.enqueue(job)?;
        let ended = || TokenFault::Failed { doing: "waiting for a session", why: "its thread has ended".into() }.into();
        match answered.recv_timeout(deadline + GRACE) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Disconnected) => Err(ended()),
            Err(RecvTimeoutError::Timeout) if claim.moves(Claim::WAITING, Claim::LEFT) => Err(self.is_busy()),
            Err(RecvTimeoutError::Timeout) if claim.moves(Claim::WORKING, Claim::LEFT) => {
                self.write_off();
                self.late.fetch_add(1, Ordering::Relaxed);
                Err(TokenFault::Late.into())
            }
            // It came at the last moment.
            Err(RecvTimeoutError::Timeout) => answered.recv().map_err(|_| ended())?,
        }
    }

    fn enqueue(&self, job: Job) -> Result<(), KeyError> {
        let mut queue = self.queue();
        if queue.working == 0 || !queue.open {
            return Err(TokenFault::Hung { hanging: queue.written_off }.into());
        }
        if queue.jobs.len() >= limits::TOKEN_QUEUE {
            drop(queue);
            return Err(self.is_busy());
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.arrived.notify_one();
        Ok(())
    }

    fn is_busy(&self) -> KeyError {
        self.busy.fetch_add(1, Ordering::Relaxed);
        TokenFault::Busy.into()
    }

    /// The next job, or None when there will be no more.
    fn next(&self) -> Option<Job> {
        let mut queue = self.queue();
        loop {
            if !queue.open {
                return None;
            }
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn hire(self: &Arc<Self>, queue: &mut Queue) -> std::io::Result<()> {
        let shared = self.clone();
        thread::Builder::new().name("token-session".into()).spawn(move || Worker { shared, desk: None }.work())?;
        queue.working += 1;
        Ok(())
    }

    /// A caller left a worker in its call: another takes its place, unless too many hang already.
    fn write_off(self: &Arc<Self>) {
        let mut queue = self.queue();
        queue.working -= 1;
        queue.written_off += 1;
        tracing::error!(token = %self.token.name(), hanging = queue.written_off, "a call into the token does not return");
        if queue.written_off <= limits::TOKEN_HANGING && queue.open {
            // Without a thread to be had there is one worker less.
            let _ = self.hire(&mut queue);
        }
        if queue.working == 0 {
            queue.jobs.clear();
        }
    }

    /// A worker that was written off came back. Whether there is a place for it.
    fn take_back(&self) -> bool {
        let mut queue = self.queue();
        queue.written_off -= 1;
        let place = queue.working < self.sessions;
        queue.working += usize::from(place);
        place
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn away(&self) -> MutexGuard<'_, Option<Away>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    desk: Option<Desk>,
}

impl Worker {
    fn work(mut self) {
        while let Some(job) = self.shared.next() {
            if !job.claim.moves(Claim::WAITING, Claim::WORKING) {
                continue;
            }
            let work = job.work;
            if catch_unwind(AssertUnwindSafe(|| work(&mut self))).is_err() {
                self.desk = None;
                // Its caller hears that the answer is not coming, unless it left first.
                job.claim.moves(Claim::WORKING, Claim::DONE);
            }
            if job.claim.0.load(Ordering::Acquire) == Claim::LEFT && !self.shared.take_back() {
                return;
            }
        }
        self.desk = None;
        self.shared.queue().working -= 1;
        self.shared.left.notify_all();
    }

    /// A kept session that fails is replaced, once: the token may have been away or have forgotten us, or the session
    /// is no longer ours. What a new session says is the token's answer.
    fn attempt<T>(
        &mut self,
        how: How,
        until: Instant,
        work: &impl Fn(&mut Desk) -> Result<T, KeyError>,
    ) -> Result<T, KeyError> {
        if how == How::Apart {
            return work(&mut Desk::at(self.shared.token.visit(Access::Write, until)?, self.shared.token.settings.sm2));
        }
        if let Some(mut desk) = self.desk.take()
            && how == How::Kept
            && desk.is_ours(until)
            && let Ok(value) = work(&mut desk)
        {
            self.desk = Some(desk);
            return Ok(value);
        }
        let mut desk = Desk::at(self.shared.token.visit(Access::Read, until)?, self.shared.token.settings.sm2);
        if self.shared.queue().open {
            self.shared.token.module()?.relied_on(self.shared.home, true);
        }
        let value = work(&mut desk)?;
        self.desk = Some(desk);
        Ok(value)
    }
}
