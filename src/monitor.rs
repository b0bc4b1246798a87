//! MONITOR: following a public log from outside. Every head is checked against the one seen last, every entry and every tile
//! against the head, every use of a seal against what was decided, and what others see against what we are shown.
//!
//! It believes the log's key for who speaks, and nothing for what is said: the tree is grown again from the entries. It needs
//! no settings, no database and no keys of its own, and asks only the addresses that it was given.

mod expected;
mod memory;
mod replay;
mod report;
mod source;
mod webhook;

use std::path::Path;

use time::OffsetDateTime;

use self::memory::{Claim, Memory, Open};
use self::replay::{Replay, holds};
use self::report::Alarm;
use self::source::Source;
use crate::limits;
use crate::message::Message;
use crate::tlog::checkpoint::{Checkpoint, cosigned};
use crate::tlog::leaf::{Leaf, Matter};
use crate::tlog::note::{Note, VerifierKey};
use crate::tlog::tile::{Tiles, needed};
use crate::tlog::tree;

pub use self::expected::{Expected, NotExpected, Opened};
pub use self::memory::MemoryFault;
pub use self::report::{Outcome, Report, Used};
pub use self::webhook::{NotPosted, Webhook};

/// What is followed, and by what rules.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The log's key.
    pub log: VerifierKey,
    /// Witnesses that are trusted, and how many of them must have seen each head.
    pub witnesses: Vec<VerifierKey>,
    pub needed: usize,
    /// Somebody else's log: its entries are none of ours and are not read.
    pub foreign: bool,
}

/// A monitor at work. Blocks while network and disk work.
#[derive(Debug)]
pub struct Monitor {
    plan: Plan,
    log: Source,
    /// Other places that show heads of the same log: its witnesses, a mirror.
    views: Vec<Source>,
    memory: Memory,
}

/// Why a look went no further.
#[derive(Debug)]
enum Stop {
    Alarm(Alarm),
    /// Something could not be seen.
    Away(Message),
    Memory(MemoryFault),
}

impl From<Alarm> for Stop {
    fn from(alarm: Alarm) -> Self {
        Self::Alarm(alarm)
    }
}

impl From<MemoryFault> for Stop {
    fn from(fault: MemoryFault) -> Self {
        Self::Memory(fault)
    }
}

/// Why there is no monitor at all.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message())]
pub enum MonitorError {
    Memory(#[from] MemoryFault),
    /// Not an http or https address.
    Address(String),
}

impl MonitorError {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::Memory(fault) => fault.message(),
            Self::Address(url) => Message::new(
                "monitor.address",
                format!("“{url}”不是可访问的地址，应为 https://主机/log"),
                format!("\"{url}\" is no address that can be asked; it looks like https://HOST/log"),
            ),
        }
    }
}

/// What one place showed: the head as a note and as read, or why there was none.
type Viewed = Result<(Note, Checkpoint), Stop>;

impl Monitor {
    /// Of the log at the first address, with the state in this file; the other addresses are asked what they see of it.
    ///
    /// # Errors
    /// See [`MonitorError`].
    pub fn open(plan: Plan, urls: &[String], state: &Path) -> Result<Self, MonitorError> {
        let source = |url: &String| Source::of(url).ok_or_else(|| MonitorError::Address(url.clone()));
        let mut sources = urls.iter().map(source).collect::<Result<Vec<_>, _>>()?;
        if sources.is_empty() {
            return Err(MonitorError::Address(String::new()));
        }
        let log = sources.remove(0);
        let memory = Memory::open(state, &plan.log)?;
        Ok(Self { plan, log, views: sources, memory })
    }

    /// Looks once, and remembers what held. An entry that nobody accounts for is told again each time, until the list does.
    ///
    /// # Errors
    /// The state could not be kept.
    pub fn look(&mut self, expected: Option<&Expected>, now: OffsetDateTime) -> Result<Report, MemoryFault> {
        let mut report = Report {
            log: self.plan.log.name().to_owned(),
            url: self.log.url.clone(),
            at: now,
            size: self.memory.edge.size(),
            root: None,
            new: 0,
            witnesses: vec![],
            uses: vec![],
            not_compared: 0,
            alarms: vec![],
            incomplete: vec![],
        };
        // Others first: what they saw before, the log must show now.
        let views: Vec<_> = self.views.iter().map(|view| (view.url.clone(), view.head(&self.plan.log))).collect();
        for outcome in [self.follow(&mut report, expected), self.compare(&mut report, views, now)] {
            match outcome {
                Ok(()) => {}
                Err(Stop::Alarm(alarm)) => report.alarm(&alarm),
                Err(Stop::Away(message)) => report.incomplete.push(message),
                Err(Stop::Memory(fault)) => return Err(fault),
            }
        }
        self.account(&mut report, expected);
        self.memory.save()?;
        report.size = self.memory.edge.size();
        report.root = (report.size > 0).then(|| self.memory.edge.root().to_string());
        report.not_compared = self.memory.kept.not_compared;
        Ok(report)
    }

    /// From the head seen last to the newest.
    fn follow(&mut self, report: &mut Report, expected: Option<&Expected>) -> Result<(), Stop> {
        let (note, head) = self.log.head(&self.plan.log)?;
        let seen = cosigned(&note, &self.plan.witnesses).map_err(|_| Alarm::FalseWitness)?;
        report.witnesses = seen.into_iter().map(|seen| seen.name).collect();
        if report.witnesses.len() < self.plan.needed {
            let seen = report.witnesses.len();
            self.evidence(&note, &head)?;
            return Err(Alarm::NotSeen { seen, needed: self.plan.needed }.into());
        }
        let before = self.memory.edge.size();
        let grown = self.grow(&note, &head, report, expected);
        if let Err(Stop::Alarm(_)) = &grown {
            self.evidence(&note, &head)?;
            report.uses.clear();
        }
        report.new = self.memory.edge.size() - before;
        grown
    }

    /// Grows the tree from its entries, and holds every new tile and the head against it.
    fn grow(
        &mut self,
        note: &Note,
        head: &Checkpoint,
        report: &mut Report,
        expected: Option<&Expected>,
    ) -> Result<(), Stop> {
        let edge = &self.memory.edge;
        let (from, size) = (edge.size(), head.size);
        if size < from {
            return Err(Alarm::SetBack { from, to: size }.into());
        }
        if size == from && edge.root() != head.root {
            return Err(Alarm::TwoFaces { size, url: self.log.url.clone() }.into());
        }
        if size - from > limits::MONITOR_ENTRIES {
            return Err(Stop::Away(Message::new(
                "monitor.too-many",
                format!("日志自上次以来新增 {} 条，超过一次所能核对的数量", size - from),
                format!("the log has {} new entries, which is more than is looked at in one go", size - from),
            )));
        }
        if size > from {
            let mut replay = Replay::from(edge);
            let mut kept = self.memory.kept.clone();
            while let Some(bundle) = replay.next(size) {
                let first = replay.edge().size();
                let entries = self.log.entries(&bundle)?;
                let leaves: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
                for promised in replay.add(&leaves)? {
                    self.check(&promised)?;
                }
                for (index, entry) in (first..).zip(&leaves).filter(|(index, _)| *index >= from && !self.plan.foreign) {
                    meet(&mut kept, report, index, entry, expected);
                }
            }
            if replay.edge().root() != head.root {
                return Err(Alarm::OtherRoot { size }.into());
            }
            for promised in replay.narrow() {
                self.check(&promised)?;
            }
            (self.memory.edge, self.memory.kept) = (replay.edge().clone(), kept);
        }
        self.memory.kept.note = note.to_string();
        Ok(())
    }

    fn check(&self, promised: &replay::Promised) -> Result<(), Stop> {
        let bytes = self.log.hashes(&promised.0)?;
        if holds(promised, &bytes) { Ok(()) } else { Err(Alarm::Altered { path: promised.0.path() }.into()) }
    }

    /// Holds what others see against the log. What the log has not come up to is kept in mind, and what is not of its tree too.
    fn compare(&mut self, report: &mut Report, views: Vec<(String, Viewed)>, now: OffsetDateTime) -> Result<(), Stop> {
        let mut claims = std::mem::take(&mut self.memory.kept.claims);
        for (url, view) in views {
            match view {
                Ok((note, _)) => {
                    let claim = Claim { url, note: note.to_string(), since: now.unix_timestamp() };
                    // One at a time of each: the older one must be settled first.
                    if !claims.iter().any(|known| known.url == claim.url && known.note == claim.note) {
                        claims.push(claim);
                    }
                }
                Err(Stop::Alarm(alarm)) => report.alarm(&alarm),
                Err(Stop::Away(message)) => report.incomplete.push(message),
                Err(stop @ Stop::Memory(_)) => return Err(stop),
            }
        }
        let mut unsettled: Vec<Claim> = Vec::new();
        for claim in claims {
            let settled = self.settle(&claim, now);
            let keep = !matches!(settled, Ok(()));
            match settled {
                Ok(()) => {}
                Err(Stop::Alarm(alarm)) => report.alarm(&alarm),
                Err(Stop::Away(message)) => report.incomplete.push(message),
                Err(stop @ Stop::Memory(_)) => return Err(stop),
            }
            if keep && unsettled.iter().filter(|other| other.url == claim.url).count() < limits::MONITOR_CLAIMS {
                unsettled.push(claim);
            }
        }
        self.memory.kept.claims = unsettled;
        Ok(())
    }

    /// Whether a head that somebody else saw is of the tree that we know.
    fn settle(&self, claim: &Claim, now: OffsetDateTime) -> Result<(), Stop> {
        let Claim { url, note, since } = claim;
        let own = &self.memory.edge;
        let Some(seen) = Note::read(note.as_bytes()).ok().and_then(|note| Checkpoint::open(&note, &self.plan.log).ok())
        else {
            return Err(Alarm::Unsigned { url: url.clone() }.into());
        };
        if seen.size > own.size() {
            if now.unix_timestamp() - since > limits::MONITOR_GRACE_SECONDS {
                self.memory.keep_evidence(seen.size, note)?;
                return Err(Alarm::HeldBack { size: seen.size, url: url.clone() }.into());
            }
            return Err(Stop::Away(Message::new(
                "monitor.ahead",
                format!("{url} 已见过 {} 条的日志头，日志尚未公布到此；下次再核对", seen.size),
                format!(
                    "{url} has seen a head of {} entries that the log has not come up to yet; it is compared next time",
                    seen.size
                ),
            )));
        }
        let one_tree = match seen.size {
            0 => seen.root == tree::empty_root(),
            size if size == own.size() => seen.root == own.root(),
            size => {
                let parts = tree::consistency(size, own.size());
                let mut tiles = Tiles::default();
                for tile in needed(&parts, own.size()) {
                    let bytes = self.log.hashes(&tile)?;
                    tiles.add(&tile, &bytes).map_err(|_| Alarm::Altered { path: tile.path() })?;
                }
                let proof = tiles.proof(&parts).unwrap_or_default();
                tree::check_consistency(size, &seen.root, own.size(), &own.root(), &proof).is_ok()
            }
        };
        if one_tree {
            return Ok(());
        }
        self.memory.keep_evidence(seen.size, note)?;
        self.memory.keep_evidence(own.size(), &self.memory.kept.note)?;
        Err(Alarm::TwoFaces { size: seen.size, url: url.clone() }.into())
    }

    /// Tells of every entry that nobody accounts for, and forgets those that somebody now does.
    fn account(&mut self, report: &mut Report, expected: Option<&Expected>) {
        let nothing = Expected::default();
        let (expected, kept) = (expected.unwrap_or(&nothing), &mut self.memory.kept);
        kept.open.retain(|open| {
            let alarm = unaccounted(open, expected);
            if let Some(alarm) = &alarm {
                report.alarm(alarm);
            }
            alarm.is_some()
        });
        let unshown = kept.open.len().saturating_sub(limits::MONITOR_SHOWN) as u64 + kept.more;
        if unshown > 0 {
            report.alarms.push(Alarm::More(unshown).message());
        }
    }

    /// Keeps this head and the one seen last.
    fn evidence(&self, note: &Note, head: &Checkpoint) -> Result<(), Stop> {
        self.memory.keep_evidence(head.size, &note.to_string())?;
        let last = &self.memory.kept.note;
        if !last.is_empty() {
            self.memory.keep_evidence(self.memory.edge.size(), last)?;
        }
        Ok(())
    }
}

/// A new entry: one that must be accounted for is kept until it is.
fn meet(kept: &mut memory::Kept, report: &mut Report, index: u64, entry: &[u8], expected: Option<&Expected>) {
    let leaf = Leaf::read(entry).ok();
    let open = Open { index, leaf: leaf.as_ref().map(Leaf::to_string) };
    match (&leaf, expected) {
        (Some(leaf), None) if leaf.matter == Matter::Order => {
            kept.not_compared += 1;
            if report.uses.len() < limits::MONITOR_SHOWN {
                report.uses.push(Used::of(index, leaf));
            }
        }
        (leaf, expected) => {
            let nothing = Expected::default();
            let counts = leaf.as_ref().is_none_or(|leaf| leaf.matter == Matter::Order);
            if counts && unaccounted(&open, expected.unwrap_or(&nothing)).is_some() {
                match kept.open.len() < limits::MONITOR_OPEN {
                    true => kept.open.push(open),
                    false => kept.more += 1,
                }
            }
        }
    }
}

/// Why an entry is not accounted for, if it is not.
fn unaccounted(open: &Open, expected: &Expected) -> Option<Alarm> {
    let index = open.index;
    match open.leaf.as_ref().and_then(|leaf| Leaf::read(leaf.as_bytes()).ok()) {
        None => Some(Alarm::Unreadable { index }),
        Some(leaf) => {
            let why = expected.explain(index, &leaf).err()?;
            Some(Alarm::Unaccounted { used: Used::of(index, &leaf), why })
        }
    }
}
