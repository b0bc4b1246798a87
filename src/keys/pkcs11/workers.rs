//! Threads that sign, each with a session of its own: a session may move between threads but never be shared
//! (PKCS #11 v2.40 §2.6.7), and calls into a token block.

use std::collections::HashMap;
use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use cryptoki::object::{ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::token::{Access, Token};
use super::{KeyError, TokenFault, the_one, wire};
use crate::crypto::KeyAlgorithm;
use crate::limits;

/// The way to the workers. They end when the last copy of it is dropped.
#[derive(Clone)]
pub(super) struct Workers {
    queue: SyncSender<Job>,
}

struct Job {
    label: String,
    algorithm: KeyAlgorithm,
    input: Vec<u8>,
    answer: SyncSender<Result<Vec<u8>, TokenFault>>,
}

impl Workers {
    /// Starts them; each opens its session with its first job.
    pub(super) fn start(token: &Arc<Token>, count: usize) -> Result<Self, TokenFault> {
        let (queue, jobs) = sync_channel(limits::TOKEN_QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 1..=count {
            let mut worker = Worker { token: token.clone(), desk: None };
            let jobs = jobs.clone();
            thread::Builder::new()
                .name(format!("token-session-{number}"))
                .spawn(move || worker.work(&jobs))
                .map_err(|why| TokenFault::Failed { doing: "starting a thread", why: why.to_string() })?;
        }
        Ok(Self { queue })
    }

    /// Signs a message with a key of the token; blocks until a session is free and has done it.
    pub(super) fn sign(&self, label: &str, algorithm: KeyAlgorithm, message: &[u8]) -> Result<Vec<u8>, TokenFault> {
        let lost = || TokenFault::Failed { doing: "waiting for a session", why: "its thread has ended".into() };
        let (answer, value) = sync_channel(1);
        let input = wire::input(algorithm, message);
        self.queue.send(Job { label: label.to_owned(), algorithm, input, answer }).map_err(|_| lost())?;
        value.recv().map_err(|_| lost())?
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workers")
    }
}

struct Worker {
    token: Arc<Token>,
    desk: Option<Desk>,
}

/// A session and the handles found in it. Handles are not carried from one session to the next.
struct Desk {
    session: Session,
    keys: HashMap<String, ObjectHandle>,
}

impl Worker {
    fn work(&mut self, jobs: &Mutex<Receiver<Job>>) {
        loop {
            // One worker at a time waits at the queue, the others for their turn to wait.
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            // Whoever asked may be gone; then nobody wants the value.
            let _ = job.answer.send(self.sign(&job));
        }
    }

    /// An old session that fails is replaced, once: the token may have been away or have forgotten us. What a fresh
    /// session says is the token's answer.
    fn sign(&mut self, job: &Job) -> Result<Vec<u8>, TokenFault> {
        if let Some(desk) = &mut self.desk
            && let Ok(value) = desk.sign(job)
        {
            return Ok(value);
        }
        self.desk = None;
        let mut desk = Desk { session: self.token.session(Access::Read)?, keys: HashMap::new() };
        let value = desk.sign(job)?;
        self.desk = Some(desk);
        Ok(value)
    }
}

impl Desk {
    fn sign(&mut self, job: &Job) -> Result<Vec<u8>, TokenFault> {
        let key = match self.keys.get(&job.label) {
            Some(key) => *key,
            None => {
                let key = self.find(&job.label)?;
                self.keys.insert(job.label.clone(), key);
                key
            }
        };
        let raw = self
            .session
            .sign(&wire::mechanism(job.algorithm), key, &job.input)
            .map_err(TokenFault::while_doing("C_Sign"))?;
        wire::value(job.algorithm, raw)
            .ok_or(TokenFault::Failed { doing: "C_Sign", why: "a value of the wrong length".into() })
    }

    fn find(&self, label: &str) -> Result<ObjectHandle, TokenFault> {
        let failed = |why: String| TokenFault::Failed { doing: "looking for the key", why };
        match the_one(&self.session, ObjectClass::PRIVATE_KEY, label) {
            Ok(Some(key)) => Ok(key),
            Ok(None) => Err(failed(format!("no private key \"{label}\""))),
            Err(KeyError::Token(fault)) => Err(fault),
            Err(other) => Err(failed(other.message().en)),
        }
    }
}
