//! A part of the chain as a file that needs nobody: what a supervising office takes away and checks with the log's key alone.
//!
//! Lines of JSON. The first says where the part begins and holds the receipts of the chain's entries in the log; then each
//! event is the very line that was hashed; the last says where the part ends.

use serde::{Deserialize, Serialize};

use super::{ANCHOR, Event, Trail};
use crate::tlog::LogFault;
use crate::tlog::leaf::{Entry, Matter};
use crate::tlog::note::VerifierKey;
use crate::tlog::receipt::Receipt;
use crate::tlog::tree::Hash;

/// The format; another version is another format.
const FORMAT: &str = "yinxin-trail/v1";

/// Why a part of the chain cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrailFault {
    /// Not written as it must be; the line, from 1.
    #[error("line {0} is not written as it must be")]
    Malformed(u64),
    /// An event is missing, or stands elsewhere; the place where another was expected.
    #[error("event {0} is not in its place")]
    Gap(u64),
    /// Events are not those that were entered in the log; the first and last of the stretch in which the change lies.
    #[error("something between the events {0} and {1} was changed")]
    Changed(u64, u64),
    /// An entry of the chain in the log is not proven; events that it would speak for.
    #[error("the log's entry for {0} events is not proven: {1}")]
    Unproven(u64, LogFault),
    /// The log is not among those whose key is known.
    #[error("the log {0} is not known")]
    UnknownLog(String),
    /// Fewer witnesses than asked for saw the log's head.
    #[error("{0} witness(es) saw the log's head")]
    Unwitnessed(usize),
    /// Events after the newest entry in the log; the first of them.
    #[error("nothing in the log speaks for the events from {0} on")]
    Uncovered(u64),
    /// The file ends before its last line.
    #[error("the file ends too early")]
    CutOff,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    format: String,
    /// Events before the part.
    before: u64,
    /// The chain's hash there, hexadecimal.
    trail: String,
    /// Receipts (C2SP tlog-proof) of the chain's entries in the log, by the events that they speak for.
    anchors: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    /// Events up to the part's end.
    length: u64,
    /// The chain's hash there, hexadecimal.
    end: String,
}

/// The first line, without its end of line. `anchors` are receipts, those of fewer events first.
pub fn first_line(before: &Trail, anchors: Vec<String>) -> serde_json::Result<String> {
    let Trail { length, hash } = before;
    serde_json::to_string(&First { format: FORMAT.to_owned(), before: *length, trail: hex::encode(hash.0), anchors })
}

/// The last line, without its end of line.
pub fn last_line(end: &Trail) -> serde_json::Result<String> {
    serde_json::to_string(&Last { length: end.length, end: hex::encode(end.hash.0) })
}

/// What an entry of the log says of the chain.
pub fn anchored(entry: &Entry) -> Option<Trail> {
    if (entry.leaf.matter, entry.leaf.act.as_str()) != (Matter::Audit, ANCHOR) {
        return None;
    }
    let length = crate::tlog::decimal(entry.opening.fact("length")?, "length").ok()?;
    Some(Trail { length, hash: hash(entry.opening.fact("trail")?)? })
}

/// What was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The first and the last event's place in the chain; the last is below the first where there is none.
    pub first: u64,
    pub last: u64,
    /// Entries of the log that spoke for them.
    pub anchors: usize,
    /// The log's name, where there was any.
    pub log: Option<String>,
    /// Witnesses that saw the head that fewest saw.
    pub witnesses: usize,
}

/// Reads a part line by line, and holds it against what the log proves.
#[derive(Debug)]
pub struct Check {
    lines: u64,
    trail: Trail,
    from: u64,
    /// Still to come, the nearest last.
    anchors: Vec<Trail>,
    /// Events proven by now.
    covered: u64,
    told: Checked,
    ended: bool,
}

impl Check {
    /// Reads the first line. The keys are those that the reader trusts; each head must be seen by so many witnesses.
    ///
    /// # Errors
    /// The line is no such line, or a receipt in it does not hold.
    pub fn begin(
        line: &str,
        logs: &[VerifierKey],
        witnesses: &[VerifierKey],
        needed: usize,
    ) -> Result<Self, TrailFault> {
        let bad = || TrailFault::Malformed(1);
        let First { format, before, trail, anchors } = serde_json::from_str(line).map_err(|_| bad())?;
        if format != FORMAT || before > i64::MAX as u64 {
            return Err(bad());
        }
        let trail = Trail { length: before, hash: hash(&trail).ok_or_else(bad)? };
        let mut told = Checked { first: before + 1, last: before, anchors: anchors.len(), log: None, witnesses: 0 };
        let mut proven: Vec<Trail> = vec![];
        for (n, receipt) in anchors.iter().enumerate() {
            let receipt = Receipt::read(receipt.as_bytes()).map_err(|_| bad())?;
            let entry = Entry::read(&receipt.extra).map_err(|_| bad())?;
            let anchor = anchored(&entry).ok_or_else(bad)?;
            if anchor.length < before || proven.last().is_some_and(|last| last.length >= anchor.length) {
                return Err(bad());
            }
            let (log, seen) = prove(&receipt, &entry, logs, witnesses).map_err(|fault| match fault {
                LogFault::OtherLog => TrailFault::UnknownLog(origin(&receipt)),
                other => TrailFault::Unproven(anchor.length, other),
            })?;
            if seen < needed {
                return Err(TrailFault::Unwitnessed(seen));
            }
            told.witnesses = if n == 0 { seen } else { told.witnesses.min(seen) };
            told.log = Some(log);
            proven.push(anchor);
        }
        proven.reverse();
        let mut check = Self { lines: 1, trail, from: before, anchors: proven, covered: before, told, ended: false };
        check.reach()?;
        Ok(check)
    }

    /// Reads a further line.
    ///
    /// # Errors
    /// The line is none, stands elsewhere, or what came before it is not what was entered in the log.
    pub fn line(&mut self, line: &str) -> Result<(), TrailFault> {
        self.lines += 1;
        let bad = TrailFault::Malformed(self.lines);
        if self.ended {
            return Err(bad);
        }
        if let Ok(event) = serde_json::from_str::<Event>(line) {
            if event.position != self.trail.length + 1 {
                return Err(TrailFault::Gap(self.trail.length + 1));
            }
            self.trail = self.trail.then(line);
            return self.reach();
        }
        let last: Last = serde_json::from_str(line).map_err(|_| bad)?;
        if last.length != self.trail.length {
            return Err(TrailFault::Gap(self.trail.length + 1));
        }
        if hash(&last.end) != Some(self.trail.hash) {
            return Err(TrailFault::Changed(self.covered + 1, self.trail.length));
        }
        self.ended = true;
        Ok(())
    }

    /// After the last line.
    ///
    /// # Errors
    /// It was not the last, or the log speaks for less than the file holds.
    pub fn end(self) -> Result<Checked, TrailFault> {
        if !self.ended || !self.anchors.is_empty() {
            return Err(TrailFault::CutOff);
        }
        if self.covered < self.trail.length {
            return Err(TrailFault::Uncovered(self.covered + 1));
        }
        Ok(Checked { last: self.trail.length, ..self.told })
    }

    /// Where the log speaks of this place, the chain must be as it says. What came before the part is bound in too: it is
    /// part of what was hashed.
    fn reach(&mut self) -> Result<(), TrailFault> {
        while let Some(anchor) = self.anchors.pop_if(|anchor| anchor.length == self.trail.length) {
            if anchor.hash != self.trail.hash {
                return Err(TrailFault::Changed(self.covered.max(self.from) + 1, anchor.length));
            }
            self.covered = anchor.length;
        }
        Ok(())
    }
}

fn prove(
    receipt: &Receipt,
    entry: &Entry,
    logs: &[VerifierKey],
    witnesses: &[VerifierKey],
) -> Result<(String, usize), LogFault> {
    let mut fault = LogFault::OtherLog;
    for log in logs.iter().filter(|log| log.name() == origin(receipt)) {
        match receipt.check(&entry.leaf.hash(), log, witnesses) {
            Ok(logged) => return Ok((logged.origin, logged.witnesses.len())),
            Err(other) => fault = other,
        }
    }
    Err(fault)
}

fn origin(receipt: &Receipt) -> String {
    receipt.head.text().lines().next().unwrap_or_default().to_owned()
}

fn hash(text: &str) -> Option<Hash> {
    Hash::read(&hex::decode(text).ok()?)
}
