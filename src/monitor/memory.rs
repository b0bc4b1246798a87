//! What the monitor knows from earlier looks: one file that is put in place whole and never goes back, and a folder of heads
//! that prove a log's two faces.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::crypto::sha256;
use crate::limits;
use crate::message::Message;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::note::{Note, VerifierKey};
use crate::tlog::tree::{Edge, Hash};

/// The state at hand.
#[derive(Debug)]
pub(super) struct Memory {
    file: PathBuf,
    /// The tree under the head seen last.
    pub edge: Edge,
    pub kept: Kept,
    /// Held as long as this monitor works: one state has one monitor.
    _lock: File,
}

/// What is in the file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    version: u32,
    /// The log's key as a line.
    log: String,
    /// The head seen last, as it was signed; empty before the first.
    pub note: String,
    /// Roots of its complete subtrees, hexadecimal, the largest first.
    subtrees: Vec<String>,
    /// Entries that nobody accounted for so far.
    pub open: Vec<Open>,
    /// So many more that found no room.
    pub more: u64,
    /// Uses that were held against no list.
    pub not_compared: u64,
    /// Heads that others saw and that the log has not come up to, or that are not of its tree.
    pub claims: Vec<Claim>,
}

/// An entry to be accounted for; without text where it is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Open {
    pub index: u64,
    pub leaf: Option<String>,
}

/// A head of the log as somebody else saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    pub url: String,
    pub note: String,
    /// Seconds since 1970 (UTC).
    pub since: i64,
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message())]
pub enum MemoryFault {
    Disk {
        file: PathBuf,
        why: String,
    },
    /// It is not as it was written.
    Unreadable(PathBuf),
    OtherLog(PathBuf),
    InUse(PathBuf),
}

impl MemoryFault {
    /// What to say about it.
    pub fn message(&self) -> Message {
        let (id, zh, en) = match self {
            Self::Disk { file, why } => {
                let file = file.display();
                (
                    "monitor.disk",
                    format!("无法读写监测状态 {file}：{why}；请核对路径和权限"),
                    format!(
                        "the monitor's state {file} cannot be read or written: {why}; check the path and its rights"
                    ),
                )
            }
            Self::Unreadable(file) => {
                let file = file.display();
                (
                    "monitor.state",
                    format!("监测状态 {file} 已损坏或被改动；查明后另设新的状态文件，从头核对"),
                    format!("the monitor's state {file} is damaged or was altered; look into it, then begin a new one"),
                )
            }
            Self::OtherLog(file) => {
                let file = file.display();
                (
                    "monitor.other-log",
                    format!("监测状态 {file} 属于另一日志；每个日志用一个状态文件"),
                    format!("the monitor's state {file} is of another log; each log has a file of its own"),
                )
            }
            Self::InUse(file) => {
                let file = file.display();
                (
                    "monitor.in-use",
                    format!("监测状态 {file} 正被另一进程使用"),
                    format!("the monitor's state {file} is in use by another process"),
                )
            }
        };
        Message::new(id, zh, en)
    }
}

const VERSION: u32 = 1;

impl Memory {
    /// Takes up the state, or begins a new one.
    ///
    /// # Errors
    /// See [`MemoryFault`]. What was altered is not begun anew by itself.
    pub fn open(file: &Path, log: &VerifierKey) -> Result<Self, MemoryFault> {
        let disk = |why: std::io::Error| MemoryFault::Disk { file: file.to_owned(), why: why.to_string() };
        let lock = File::create(beside(file, "lock")).map_err(disk)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(MemoryFault::InUse(file.to_owned())),
            Err(TryLockError::Error(why)) => return Err(disk(why)),
        }
        let mut bytes = Vec::new();
        match File::open(file) {
            Ok(opened) => {
                opened.take(limits::MONITOR_STATE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(disk)?;
            }
            Err(why) if why.kind() == ErrorKind::NotFound => {
                let kept = Kept { version: VERSION, log: log.to_string(), ..Kept::default() };
                return Ok(Self { file: file.to_owned(), edge: Edge::default(), kept, _lock: lock });
            }
            Err(why) => return Err(disk(why)),
        }
        let unreadable = || MemoryFault::Unreadable(file.to_owned());
        if bytes.len() > limits::MONITOR_STATE_BYTES {
            return Err(unreadable());
        }
        let kept: Kept = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
        if kept.version != VERSION {
            return Err(unreadable());
        }
        if kept.log != log.to_string() {
            return Err(MemoryFault::OtherLog(file.to_owned()));
        }
        let edge = edge_of(&kept, log).ok_or_else(unreadable)?;
        Ok(Self { file: file.to_owned(), edge, kept, _lock: lock })
    }

    /// Puts it on the disk, whole.
    pub fn save(&mut self) -> Result<(), MemoryFault> {
        self.kept.subtrees = self.edge.subtrees().iter().map(|hash| hex::encode(hash.0)).collect();
        let text = serde_json::to_vec(&self.kept).map_err(|why| self.disk(&why))?;
        let unfinished = beside(&self.file, "new");
        let put = || -> std::io::Result<()> {
            let mut file = File::create(&unfinished)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&unfinished, &self.file)?;
            let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder)?.sync_all()
        };
        put().map_err(|why| self.disk(&why))
    }

    /// Keeps a head beside the state for whoever must be shown it; the same one once.
    pub fn keep_evidence(&self, size: u64, note: &str) -> Result<(), MemoryFault> {
        let folder = beside(&self.file, "evidence");
        let put = || -> std::io::Result<()> {
            fs::create_dir_all(&folder)?;
            let digest = hex::encode(sha256(note.as_bytes()));
            let name = folder.join(format!("{size}-{}.note", digest.get(..16).unwrap_or_default()));
            if name.exists() || fs::read_dir(&folder)?.count() >= limits::MONITOR_EVIDENCE {
                return Ok(());
            }
            fs::write(name, note)
        };
        put().map_err(|why| self.disk(&why))
    }

    fn disk(&self, why: &dyn std::fmt::Display) -> MemoryFault {
        MemoryFault::Disk { file: self.file.clone(), why: why.to_string() }
    }
}

/// The tree under the head; the head's own signature and root must agree.
fn edge_of(kept: &Kept, log: &VerifierKey) -> Option<Edge> {
    if kept.note.is_empty() {
        return Some(Edge::default());
    }
    let head = Checkpoint::open(&Note::read(kept.note.as_bytes()).ok()?, log).ok()?;
    let subtrees = kept.subtrees.iter().map(|hash| Hash::read(&hex::decode(hash).ok()?)).collect::<Option<Vec<_>>>()?;
    Edge::of(head.size, subtrees).filter(|edge| edge.root() == head.root)
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
