//! Being a witness: a log shows its new head, and if it continues the one seen last, that is written down and cosigned.
//!
//! A process of its own, best another office's: what it signs says that a log has shown one face, so it must not be in the
//! hands of whoever keeps the log. It knows nothing of seals, has no database, and asks nobody.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;

use crate::crypto::{KeyAlgorithm, sha256};
use crate::keys::{KeyError, Keyring, Signer};
use crate::message::Message;
use crate::store::witness::{NotRecorded, Recorded, WitnessBook, WitnessStateError};
use crate::tlog::LogFault;
use crate::tlog::checkpoint::cosignature;
use crate::tlog::note::{Kind, Note, VerifierKey};
use crate::tlog::witness::{AddCheckpoint, Refused};

/// Who it is, and whom it follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Office {
    /// Its name under every cosignature.
    pub name: String,
    /// Label of its key.
    pub key: String,
    /// Folder of its state.
    pub state: PathBuf,
    /// The logs.
    pub logs: Vec<VerifierKey>,
}

/// A witness at work. Blocks while disk and key work.
pub struct Witness {
    book: WitnessBook,
    signer: Arc<dyn Signer>,
    clock: Clock,
    /// The newest head of each log with our line under it, by the log's name.
    shown: Mutex<BTreeMap<String, Shown>>,
}

/// A head that was cosigned as of this second.
struct Shown {
    size: u64,
    seconds: u64,
    line: String,
    note: Note,
}

/// The clock as a value.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Why a head was not cosigned.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message())]
pub enum NotCosigned {
    /// Not a request.
    Malformed(LogFault),
    /// The protocol says no.
    Refused(Refused),
    /// Our own clock is behind.
    Clock,
    /// The state could not be read or written; nothing was signed.
    State(#[from] WitnessStateError),
    /// Its key cannot sign, or is none that may.
    Key(#[from] KeyError),
    /// It has a key and no state: it worked before, and must not begin anew.
    Forgotten { key: String },
    /// Not a name for a witness.
    Name(LogFault),
}

impl Witness {
    /// Makes the key and the empty state; gives what others need to know it by.
    ///
    /// # Errors
    /// [`NotCosigned::Forgotten`] where the key is there already, [`WitnessStateError::AlreadyThere`], or what key home and
    /// disk say.
    pub fn begin(office: &Office, keyring: &Keyring) -> Result<VerifierKey, NotCosigned> {
        if WitnessBook::is_there(&office.state) {
            return Err(WitnessStateError::AlreadyThere { folder: office.state.clone() }.into());
        }
        VerifierKey::new(&office.name, Kind::Cosignature, [0; 32]).map_err(NotCosigned::Name)?;
        keyring.generate(&office.key, KeyAlgorithm::Ed25519).map_err(|error| match error {
            KeyError::AlreadyThere { label } => NotCosigned::Forgotten { key: label },
            error => error.into(),
        })?;
        let key = verifier(office, &*keyring.signer(&office.key)?)?;
        WitnessBook::begin(&office.state, &key)?;
        Ok(key)
    }

    /// Takes up the state with the key that it belongs to, and says again what was said last.
    ///
    /// # Errors
    /// Where key or state cannot be used.
    pub fn open(office: &Office, keyring: &Keyring, clock: Clock) -> Result<Self, NotCosigned> {
        let signer = keyring.signer(&office.key)?;
        let key = verifier(office, &*signer)?;
        let book = WitnessBook::open(&office.state, key, &office.key, office.logs.clone())?;
        let own = Self { book, signer, clock, shown: Mutex::default() };
        for log in own.book.logs() {
            if let Some(recorded) = own.book.again(log.name(), (own.clock)()).map_err(NotCosigned::of)? {
                own.cosign(log.name(), recorded)?;
            }
        }
        Ok(own)
    }

    /// Its key, as logs and verifiers know it.
    pub fn key(&self) -> &VerifierKey {
        self.book.witness()
    }

    /// Answers a request (C2SP tlog-witness, `add-checkpoint`): one signature line.
    ///
    /// # Errors
    /// [`NotCosigned`]; nothing was signed then.
    pub fn add_checkpoint(&self, body: &[u8]) -> Result<String, NotCosigned> {
        let request = AddCheckpoint::read(body).map_err(NotCosigned::Malformed)?;
        let recorded = self.book.record(&request, (self.clock)()).map_err(|why| {
            self.report(&request, &why);
            NotCosigned::of(why)
        })?;
        let log = request.head.text().split('\n').next().unwrap_or_default();
        self.cosign(log, recorded)
    }

    /// The newest head that it cosigned of the log whose name has this SHA-256, with its line, for monitors: what it shows
    /// and what the log shows must be two views of one tree (C2SP tlog-mirror has the same address).
    pub fn checkpoint(&self, name_hash: &str) -> Option<String> {
        let log = self.book.logs().iter().find(|log| hex::encode(sha256(log.name().as_bytes())) == name_hash)?;
        self.shown().get(log.name()).map(|shown| shown.note.to_string())
    }

    /// Whether its key answers.
    pub fn is_ready(&self) -> bool {
        self.signer.answers()
    }

    fn cosign(&self, log: &str, recorded: Recorded) -> Result<String, NotCosigned> {
        let Recorded { order, seconds, head, size, is_said } = recorded;
        if let Some(said) = self.shown().get(log).filter(|said| is_said && (said.size, said.seconds) == (size, seconds))
        {
            return Ok(said.line.clone());
        }
        let label = order.key().to_owned();
        let signature = self.signer.sign(order)?.into_value();
        let signature = signature.as_slice().try_into().map_err(|_| KeyError::Unproven { label })?;
        let line = cosignature(self.key(), seconds, signature);
        let mut note = head;
        note.sign(line.clone());
        let line = line.to_string();
        let mut shown = self.shown();
        // Two callers may come back from the key in another order than their heads were written down.
        if shown.get(log).is_none_or(|newest| (newest.size, newest.seconds) <= (size, seconds)) {
            shown.insert(log.to_owned(), Shown { size, seconds, line: line.clone(), note });
        }
        Ok(line)
    }

    /// Two heads of one size that the log signed and that differ prove that it shows two faces; both go to our log.
    fn report(&self, request: &AddCheckpoint, why: &NotRecorded) {
        let log = request.head.text().split('\n').next().unwrap_or_default();
        match why {
            NotRecorded::Refused(Refused::Conflict(size)) if *size == request.old => {
                let seen = self.book.head(log).map(|head| head.to_string());
                tracing::error!(log, seen, shown = %request.head, "a log shows two faces");
            }
            NotRecorded::Refused(Refused::Conflict(size)) if *size < request.old => {
                tracing::warn!(
                    log,
                    size,
                    old = request.old,
                    "a log believes that more was cosigned: is this state a copy from before?"
                );
            }
            NotRecorded::Refused(Refused::Inconsistent) => {
                tracing::warn!(log, shown = %request.head, "a head that does not continue the one seen last");
            }
            _ => {}
        }
    }

    fn shown(&self) -> MutexGuard<'_, BTreeMap<String, Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn verifier(office: &Office, signer: &dyn Signer) -> Result<VerifierKey, NotCosigned> {
    VerifierKey::new(&office.name, Kind::Cosignature, signer.note_key()?).map_err(NotCosigned::Name)
}

impl NotCosigned {
    fn of(why: NotRecorded) -> Self {
        match why {
            NotRecorded::Refused(refused) => Self::Refused(refused),
            NotRecorded::Clock => Self::Clock,
            NotRecorded::State(error) => Self::State(error),
        }
    }

    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::Malformed(fault) => Message::new(
                "witness.malformed",
                format!("请求不符合 C2SP tlog-witness 的格式（{fault}）"),
                format!("the request is not written as C2SP tlog-witness has it: {fault}"),
            ),
            Self::Refused(refused) => {
                let (id, zh) = match refused {
                    Refused::UnknownLog => ("witness.unknown-log", "本见证不跟踪该日志".to_owned()),
                    Refused::Unsigned => ("witness.unsigned", "树头没有该日志密钥的有效签名".to_owned()),
                    Refused::Backwards => ("witness.backwards", "旧树比新树大".to_owned()),
                    Refused::Conflict(size) => ("witness.conflict", format!("本见证已见到 {size} 条")),
                    Refused::Inconsistent => ("witness.inconsistent", "新树头不是已见树头的延续".to_owned()),
                };
                Message::new(id, zh, refused.to_string())
            }
            Self::Clock => Message::new(
                "witness.clock",
                "本机时钟早于已签署的时间，未签署。请校准时钟。",
                "This machine's clock is behind what was signed before, and nothing was signed. Set the clock.",
            ),
            Self::State(error) => error.message(),
            Self::Key(error) => error.message(),
            Self::Forgotten { key } => Message::new(
                "witness.forgotten",
                format!(
                    "密钥“{key}”已存在而状态不在：用过的见证不得从头开始。请找回状态，或在 witness.key 中换一个新密钥名。"
                ),
                format!(
                    "The key \"{key}\" is there and its state is not: a witness that has worked must not begin anew. Find the state, or name a new key in witness.key."
                ),
            ),
            Self::Name(_) => Message::new(
                "witness.name",
                "witness.name 不能作见证的名称：不得为空，不得有空白或加号。",
                "witness.name cannot name a witness: no blanks and no plus sign.",
            ),
        }
    }
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness").field("key", self.key()).finish_non_exhaustive()
    }
}
