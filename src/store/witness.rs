//! A witness's state: the last head that it cosigned of each log, on the disk before anything is signed.
//!
//! The state is what a witness is worth. One that forgets it, or goes back to an older one, would cosign a second face of a
//! log, so nothing here begins anew by itself: a state that is missing, unreadable, another key's, or holds a head that its
//! log did not sign ends the process before it answers. What no file can show is that all of it was exchanged for an older
//! copy, which is why it is left out of backups (README).
//!
//! Looking at the old head, writing the new one and making the [`Order`] happen under one lock, and the folder is held by one
//! process alone (C2SP tlog-witness, "must be performed atomically").

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Order;
use crate::limits;
use crate::message::Message;
use crate::tlog::checkpoint::{Checkpoint, cosigned_message};
use crate::tlog::note::{Note, VerifierKey};
use crate::tlog::witness::{AddCheckpoint, Refused, Seen, may_cosign};

const STATE: &str = "witness.state";
const UNFINISHED: &str = "witness.state.unfinished";
const LOCK: &str = "witness.lock";
const FORMAT: &str = "yinxin-witness";
const VERSION: u32 = 1;

/// The state, opened. Blocks, as disks do.
#[derive(Debug)]
pub struct WitnessBook {
    folder: PathBuf,
    witness: VerifierKey,
    key_label: String,
    logs: Vec<VerifierKey>,
    kept: Mutex<Kept>,
    /// Held for as long as this lives; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

#[derive(Debug, Clone, Default)]
struct Kept {
    /// The newest time signed, seconds since 1970 (UTC).
    seconds: u64,
    /// By the log's name; also those of logs that are no longer followed, which may be followed again.
    heads: BTreeMap<String, Head>,
}

#[derive(Debug, Clone)]
struct Head {
    seen: Seen,
    log: VerifierKey,
    /// The log's own words and signature.
    note: Note,
    /// As of when it was cosigned last, seconds since 1970; none since this process began.
    said: Option<u64>,
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    version: u32,
    witness: String,
    seconds: u64,
    heads: Vec<WrittenHead>,
}

/// With the key that signed it, so that every head proves itself, whoever is followed now.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenHead {
    log: String,
    head: String,
}

/// A head that is written down and may be cosigned once, at this time.
#[derive(Debug)]
pub struct Recorded {
    pub order: Order,
    pub seconds: u64,
    /// With the log's signature and no other: strangers' lines are not ours to keep.
    pub head: Note,
    pub size: u64,
    /// It was cosigned at this very time before: the line, where it is still at hand, need not be made again.
    pub is_said: bool,
}

/// Why a head was not written down, so that nothing may be signed.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// The protocol says no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// This machine's clock is behind what was signed before.
    #[error("the clock is behind the newest cosignature")]
    Clock,
    #[error(transparent)]
    State(#[from] WitnessStateError),
}

/// Why a witness's state cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message())]
pub enum WitnessStateError {
    /// Another process works with it.
    InUse {
        folder: PathBuf,
    },
    Missing {
        folder: PathBuf,
    },
    /// A state is never begun anew over another.
    AlreadyThere {
        folder: PathBuf,
    },
    /// Not what was written; what is wrong with it.
    Unreadable {
        folder: PathBuf,
        why: String,
    },
    /// It belongs to another key or name.
    OtherWitness {
        folder: PathBuf,
    },
    /// The settings have another key for a log whose heads were cosigned under the one in the state.
    OtherLogKey {
        log: String,
    },
    Disk {
        path: PathBuf,
        why: io::Error,
    },
}

impl WitnessBook {
    /// Makes the state of a witness that has seen nothing.
    ///
    /// # Errors
    /// [`WitnessStateError::AlreadyThere`], or what the disk says.
    pub fn begin(folder: &Path, witness: &VerifierKey) -> Result<(), WitnessStateError> {
        let disk = |why| WitnessStateError::Disk { path: folder.to_owned(), why };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(disk)?;
        let _lock = lock(folder)?;
        match folder.join(STATE).try_exists() {
            Ok(false) => write(folder, witness, &Kept::default()).map_err(disk),
            Ok(true) => Err(WitnessStateError::AlreadyThere { folder: folder.to_owned() }),
            Err(why) => Err(disk(why)),
        }
    }

    /// Whether a state is there, whatever it holds.
    pub fn is_there(folder: &Path) -> bool {
        folder.join(STATE).try_exists().unwrap_or(true)
    }

    /// Takes the folder for this process and reads the state. Orders will be for the key with this label.
    ///
    /// # Errors
    /// [`WitnessStateError`].
    pub fn open(
        folder: &Path,
        witness: VerifierKey,
        key_label: &str,
        logs: Vec<VerifierKey>,
    ) -> Result<Self, WitnessStateError> {
        if !Self::is_there(folder) {
            return Err(WitnessStateError::Missing { folder: folder.to_owned() });
        }
        let _lock = lock(folder)?;
        let kept = read(folder, &witness, &logs)?;
        let (folder, key_label) = (folder.to_owned(), key_label.to_owned());
        Ok(Self { folder, witness, key_label, logs, kept: Mutex::new(kept), _lock })
    }

    /// The key under which cosignatures are known.
    pub fn witness(&self) -> &VerifierKey {
        &self.witness
    }

    /// The logs that are followed.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The last head of this log that was written down.
    pub fn head(&self, log: &str) -> Option<Note> {
        self.lock().heads.get(log).map(|head| head.note.clone())
    }

    /// Writes the request's head down where the protocol allows it, and gives leave to sign it. When it returns, the head is
    /// on the disk; whoever loses the leave in a crash asks again, and finds the same head.
    ///
    /// # Errors
    /// [`NotRecorded`]; the state is then as it was.
    pub fn record(&self, request: &AddCheckpoint, now: OffsetDateTime) -> Result<Recorded, NotRecorded> {
        let origin = request.head.text().split('\n').next().unwrap_or_default();
        let log = self.logs.iter().find(|log| log.name() == origin).ok_or(Refused::UnknownLog)?;
        let mut kept = self.lock();
        let last = kept.heads.get(log.name()).map(|head| head.seen);
        let seen = may_cosign(request, log, last)?;
        let now = kept.seconds_at(now)?;
        let note = request.head.with_lines(|line| line.is_of(log));
        // Anybody may show a head that is public again and again. Within a while one cosignature does for all of them, and
        // the time of a newer one is on the disk first, like a newer head (C2SP tlog-cosignature: the time is the statement's).
        let said = kept.heads.get(log.name()).filter(|_| last == Some(seen)).and_then(|head| head.said);
        if let Some(said) = said.filter(|said| now.saturating_sub(*said) < limits::WITNESS_AGAIN_SECONDS) {
            return Ok(self.recorded(note, seen.size, said, true));
        }
        self.keep(&mut kept, now, Head { seen, log: log.clone(), note: note.clone(), said: Some(now) })?;
        Ok(self.recorded(note, seen.size, now, false))
    }

    /// Leave to say again what was written down last about this log, as of now; none where nothing was.
    ///
    /// # Errors
    /// [`NotRecorded::Clock`], or what the disk says.
    pub fn again(&self, log: &str, now: OffsetDateTime) -> Result<Option<Recorded>, NotRecorded> {
        let mut kept = self.lock();
        let now = kept.seconds_at(now)?;
        let Some(head) = kept.heads.get(log).cloned() else { return Ok(None) };
        let (note, size) = (head.note.clone(), head.seen.size);
        self.keep(&mut kept, now, Head { said: Some(now), ..head })?;
        Ok(Some(self.recorded(note, size, now, false)))
    }

    /// On the disk first, then in memory.
    fn keep(&self, kept: &mut Kept, seconds: u64, head: Head) -> Result<(), WitnessStateError> {
        let mut next = Kept { seconds, heads: kept.heads.clone() };
        next.heads.insert(head.log.name().to_owned(), head);
        write(&self.folder, &self.witness, &next)
            .map_err(|why| WitnessStateError::Disk { path: self.folder.join(STATE), why })?;
        *kept = next;
        Ok(())
    }

    fn recorded(&self, head: Note, size: u64, seconds: u64, is_said: bool) -> Recorded {
        let message = cosigned_message(seconds, head.text()).into_bytes();
        let order = Order::written(format!("cosignature-{size}-{seconds}"), self.key_label.clone(), message);
        Recorded { order, seconds, head, size, is_said }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // What is kept changes only after it was written, in one assignment.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The time to sign: never earlier than one signed before, or "the largest head as of this time" would be untrue. A step
    /// of some seconds is passed over, a larger one is somebody's mistake.
    fn seconds_at(&self, now: OffsetDateTime) -> Result<u64, NotRecorded> {
        let now = u64::try_from(now.unix_timestamp()).map_err(|_| NotRecorded::Clock)?;
        match self.seconds.saturating_sub(now) {
            0..=limits::WITNESS_CLOCK_SECONDS => Ok(now.max(self.seconds)),
            _ => Err(NotRecorded::Clock),
        }
    }
}

fn lock(folder: &Path) -> Result<File, WitnessStateError> {
    let path = folder.join(LOCK);
    let disk = |why| WitnessStateError::Disk { path: path.clone(), why };
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(disk)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(WitnessStateError::InUse { folder: folder.to_owned() }),
        Err(fs::TryLockError::Error(why)) => Err(disk(why)),
    }
}

fn read(folder: &Path, witness: &VerifierKey, logs: &[VerifierKey]) -> Result<Kept, WitnessStateError> {
    let unreadable =
        |why: &dyn std::fmt::Display| WitnessStateError::Unreadable { folder: folder.to_owned(), why: why.to_string() };
    let mut bytes = Vec::new();
    let path = folder.join(STATE);
    let opened =
        File::open(&path).and_then(|file| file.take(limits::WITNESS_STATE_BYTES as u64 + 1).read_to_end(&mut bytes));
    opened.map_err(|why| WitnessStateError::Disk { path, why })?;
    if bytes.len() > limits::WITNESS_STATE_BYTES {
        return Err(unreadable(&"it is too long"));
    }
    let written: Written = serde_json::from_slice(&bytes).map_err(|why| unreadable(&why))?;
    if written.format != FORMAT || written.version != VERSION {
        return Err(unreadable(&"it is of another format or a later version"));
    }
    if written.witness != witness.to_string() {
        return Err(WitnessStateError::OtherWitness { folder: folder.to_owned() });
    }
    let mut heads = BTreeMap::new();
    for WrittenHead { log, head } in written.heads {
        let log = VerifierKey::read(&log).map_err(|why| unreadable(&why))?;
        let note = Note::read(head.as_bytes()).map_err(|why| unreadable(&why))?;
        let head = Checkpoint::open(&note, &log).map_err(|why| unreadable(&why))?;
        if logs.iter().any(|followed| followed.name() == log.name() && *followed != log) {
            return Err(WitnessStateError::OtherLogKey { log: log.name().to_owned() });
        }
        let seen = Seen { size: head.size, root: head.root };
        if heads.insert(head.origin, Head { seen, log, note, said: None }).is_some() {
            return Err(unreadable(&"it names a log twice"));
        }
    }
    Ok(Kept { seconds: written.seconds, heads })
}

/// The state is there whole or as it was before: written beside it, synced, put in its place, and the folder synced.
fn write(folder: &Path, witness: &VerifierKey, kept: &Kept) -> io::Result<()> {
    let written = Written {
        format: FORMAT.into(),
        version: VERSION,
        witness: witness.to_string(),
        seconds: kept.seconds,
        heads: kept
            .heads
            .values()
            .map(|head| WrittenHead { log: head.log.to_string(), head: head.note.to_string() })
            .collect(),
    };
    let mut text = serde_json::to_vec_pretty(&written)?;
    text.push(b'\n');
    let unfinished = folder.join(UNFINISHED);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(STATE))?;
    File::open(folder)?.sync_all()
}

impl WitnessStateError {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::InUse { folder } => Message::new(
                "witness.in-use",
                format!("见证状态目录 {} 正被另一进程使用。一个见证只能运行一份，请先停止那一份。", folder.display()),
                format!(
                    "Another process works with the witness's state in {}. A witness runs once: stop the other.",
                    folder.display()
                ),
            ),
            Self::Missing { folder } => Message::new(
                "witness.no-state",
                format!(
                    "{} 中没有见证状态。新设见证请先运行 yinxin witness init；已运行过的见证不得从头开始，请找回状态，或换新密钥另设。",
                    folder.display()
                ),
                format!(
                    "There is no witness's state in {}. For a new witness run `yinxin witness init` first. One that has worked must not begin anew: find its state, or set up another witness with a key of its own.",
                    folder.display()
                ),
            ),
            Self::AlreadyThere { folder } => Message::new(
                "witness.state-there",
                format!("{} 中已有见证状态，不予覆盖。", folder.display()),
                format!("There is a witness's state in {} already, and it is never replaced.", folder.display()),
            ),
            Self::Unreadable { folder, why } => Message::new(
                "witness.state-unreadable",
                format!(
                    "{} 中的见证状态无法读取（{why}）。请找回完好的最新状态；不得用旧备份，否则请换新密钥另设见证。",
                    folder.display()
                ),
                format!(
                    "The witness's state in {} cannot be read ({why}). Find the newest whole one; an old copy will not do: rather set up another witness with a key of its own.",
                    folder.display()
                ),
            ),
            Self::OtherWitness { folder } => Message::new(
                "witness.other-state",
                format!(
                    "{} 中的状态属于另一名称或密钥的见证。请核对 witness.name、witness.key 和 witness.state。",
                    folder.display()
                ),
                format!(
                    "The state in {} is that of a witness with another name or key. Check witness.name, witness.key and witness.state.",
                    folder.display()
                ),
            ),
            Self::OtherLogKey { log } => Message::new(
                "witness.other-log-key",
                format!("设置中日志 {log} 的公钥行与已见证的不同。请核对 witness.logs；换了密钥的日志应另用新名称。"),
                format!(
                    "The key line of {log} in the settings is not the one whose heads were cosigned. Check witness.logs; a log with a new key takes a new name."
                ),
            ),
            Self::Disk { path, why } => Message::new(
                "witness.disk",
                format!("读写 {} 失败：{why}。未签署任何内容；请检查磁盘与权限。", path.display()),
                format!(
                    "Reading or writing {} failed: {why}. Nothing was signed; check the disk and the permissions.",
                    path.display()
                ),
            ),
        }
    }
}
