//! Is this use of the seal in the public log? The receipt under the signature says so and proves it, with nobody asked, to
//! whoever knows the log's key.
//!
//! What counts of time here is what is proven: whoever stole a key can claim any day before the log was founded.

use time::OffsetDateTime;

use super::evidence::{Facts, Record, Trust, seal_number};
use super::existence::Proven;
use super::proof::{Found, failed, open};
use crate::cms::{Checks, Signer};
use crate::message::Message;
use crate::tlog::LogFault;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::leaf::{Entry, Matter};
use crate::tlog::note::{Note, VerifierKey};
use crate::tlog::receipt::{Head, Logged, Receipt};
use crate::verify::report::{Check, LogFacts, Outcome, SubIndication as Sub, moment};

/// It is in the public log, or nothing asks for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSecret(());

const ID: &str = "log";
const CLAUSE: &str = "公开日志 (C2SP tlog-proof, tlog-cosignature)";

/// One signature, as far as it matters here.
pub(super) struct Use<'a> {
    pub signer: &'a Signer,
    pub crypto: &'a Checks,
    pub facts: &'a Facts,
    pub proven: Option<&'a Proven>,
    pub claimed: Option<OffsetDateTime>,
}

/// The check, and where it stands if that is proven.
pub(super) fn judge(of: &Use<'_>, trust: &Trust) -> (Found<NotSecret>, Option<LogFacts>) {
    if !of.crypto.is_intact() {
        let text = Message::new(
            "verify.log-not-asked",
            "签名不成立，未查公开日志回执",
            "not asked, as the signature itself does not hold",
        );
        return ((Check::new(ID, CLAUSE, Outcome::Info, text), None), None);
    }
    let wanted = Wanted::of(of);
    match of.signer.receipt().map(|text| proof(text.ok(), of, trust)) {
        None => (absent(of, wanted), None),
        Some(Err(No::Lies(why))) => (lies(why, wanted), None),
        Some(Err(No::Stranger(origin))) => (stranger(&origin, wanted), None),
        Some(Ok(facts)) => {
            // What our own ledger has was sealed by what the settings asked of witnesses that day.
            let needed = if of.facts.record().is_some() { 0 } else { trust.witnesses_needed(0) };
            (seen(&facts, needed, wanted), Some(facts))
        }
    }
}

/// Whether this use of the seal must be in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Not of this seal, or of a seal that is not known.
    No,
    /// Not yet: it is proven to be older than this moment, from which on it must.
    NotBefore(OffsetDateTime),
    /// From this moment on, and nothing proves that this is older.
    Unless(OffsetDateTime),
    /// From this moment on, and this cannot be older.
    Yes(OffsetDateTime),
}

impl Wanted {
    fn of(of: &Use<'_>) -> Self {
        let Some(since) = of.facts.logged_since() else { return Self::No };
        if let Some(written) = of.facts.record().map(|record: &Record| record.written_at) {
            return if written < since { Self::NotBefore(since) } else { Self::Yes(since) };
        }
        if of.proven.is_some_and(|proven| proven.at < since) {
            return Self::NotBefore(since);
        }
        let begun = of.facts.seal().and_then(|seal| seal.life.window()).map(|(begun, _)| begun);
        // A forger would not say so, and no proof could be better than a confession.
        if [of.claimed, begun].into_iter().flatten().any(|at| at >= since) {
            Self::Yes(since)
        } else {
            Self::Unless(since)
        }
    }
}

/// Why a receipt proves nothing.
enum No {
    /// Unreadable, of something else, or not true.
    Lies(Message),
    /// Of a log of this name, whose key is not at hand.
    Stranger(String),
}

/// Reads a receipt and holds it against the signature that it is signed with.
fn proof(text: Option<&str>, of: &Use<'_>, trust: &Trust) -> Result<LogFacts, No> {
    let unreadable = || {
        No::Lies(Message::new(
            "verify.log-receipt-unreadable",
            "公开日志回执无法读取，或与其所指的日志条目不符",
            "the receipt of the public log cannot be read, or is not of the entry that it names",
        ))
    };
    let (receipt, entry) = text.and_then(|text| read(text).ok()).ok_or_else(unreadable)?;

    let certified = || of.crypto.certificate.as_ref().and_then(seal_number);
    let seal = of.facts.seal().map(|seal| seal.number.clone()).or_else(certified);
    let own = seal.is_some() && entry.leaf.seal.as_deref() == seal.as_ref().map(|number| number.as_str());
    if entry.leaf.matter != Matter::Order || !own {
        return Err(No::Lies(Message::new(
            "verify.log-receipt-of-another-seal",
            "公开日志回执不是这枚印章用印的回执",
            "the receipt of the public log is not of a use of this seal",
        )));
    }
    let digest = of.signer.message_digest().map(hex::encode);
    if digest.is_none() || entry.opening.fact("document") != digest.as_deref() {
        return Err(No::Lies(Message::new(
            "verify.log-receipt-of-another-document",
            "公开日志回执是另一份文书的",
            "the receipt of the public log is of another document",
        )));
    }

    find(&receipt, &entry, trust).map_err(|unfound| match unfound {
        Unfound::UnknownLog(origin) => No::Stranger(origin),
        Unfound::Fault(_) => No::Lies(Message::new(
            "verify.log-receipt-does-not-hold",
            "公开日志回执不成立：签名或证明路径与日志不符",
            "the receipt of the public log does not hold: a signature or the path is not the log's",
        )),
    })
}

/// A receipt and the entry in it, which opens its leaf.
pub(super) fn read(text: &str) -> Result<(Receipt, Entry), LogFault> {
    let receipt = Receipt::read(text.as_bytes())?;
    let entry = Entry::read(&receipt.extra)?;
    Ok((receipt, entry))
}

/// Why an entry was not found in a log.
pub(super) enum Unfound {
    /// Of a log of this name, whose key is not at hand.
    UnknownLog(String),
    Fault(LogFault),
}

/// Finds an entry where its receipt says that it is, in a log whose key is trusted.
pub(super) fn find(receipt: &Receipt, entry: &Entry, trust: &Trust) -> Result<LogFacts, Unfound> {
    let head = Checkpoint::read(receipt.head.text()).map_err(Unfound::Fault)?;
    // A log that changed its key is known by each of them.
    let signed = |key: &&VerifierKey| receipt.head.lines().iter().any(|line| line.is_of(key));
    let known = trust.logs.iter().filter(|key| key.name() == head.origin).filter(signed);
    let leaf = entry.leaf.hash();
    let opened = |key: &VerifierKey, note: &Note| {
        let asked: String = std::iter::once(key).chain(&trust.witnesses).map(|key| format!("{key}\n")).collect();
        let open = || Head::open(note, key, &trust.witnesses);
        trust.heads.answer(&[asked.as_bytes(), b"\n", note.to_string().as_bytes()], open)
    };
    let tried = known.map(|key| receipt.check_under(&leaf, |note| opened(key, note))).reduce(Result::or);
    let shown = || Unfound::UnknownLog(head.origin.chars().take(80).collect());
    let Logged { origin, index, size, witnesses } = tried.ok_or_else(shown)?.map_err(Unfound::Fault)?;
    let witnesses = witnesses.into_iter().map(|witness| witness.name).collect();
    Ok(LogFacts { origin, index, size, witnesses, at: entry.leaf.at })
}

fn absent(of: &Use<'_>, wanted: Wanted) -> Found<NotSecret> {
    let info = |id, zh: String, en: String| {
        let check = Check::new(ID, CLAUSE, Outcome::Info, Message::new(id, zh, en));
        (check, Some(NotSecret(())))
    };
    let legend = of.facts.seal().map(|seal| seal.legend.as_str()).unwrap_or_default();
    match wanted {
        Wanted::No if of.facts.seal().is_some() => info(
            "verify.log-not-required",
            "没有公开日志回执；登记册未要求该印章的文书载入公开日志".into(),
            "no receipt of a public log; the register does not ask it of this seal's documents".into(),
        ),
        Wanted::No => info(
            "verify.log-absent-unknown",
            "没有公开日志回执，也未查到该印章是否须有".into(),
            "no receipt of a public log; whether there must be one is not known here".into(),
        ),
        Wanted::NotBefore(since) => info(
            "verify.log-not-required-then",
            format!("没有公开日志回执；用印早于{}，当时尚不要求", moment(since)),
            format!(
                "no receipt of a public log; sealed before {} Beijing time, when it was not yet required",
                moment(since)
            ),
        ),
        Wanted::Unless(since) => open(
            ID,
            CLAUSE,
            Sub::SigConstraintsFailure,
            Message::new(
                "verify.log-absent-unproven",
                format!(
                    "印章“{legend}”自{}起每次用印都须载入公开日志，文件没有回执，也没有证据证明用印在此之前。请向印章所属机关核实。",
                    moment(since)
                ),
                format!(
                    "As of {} Beijing time every use of the seal {legend} must be in the public log; the file carries no receipt, and nothing proves that it is older. Ask the seal's owner.",
                    moment(since)
                ),
            ),
        ),
        Wanted::Yes(since) => failed(
            ID,
            CLAUSE,
            Sub::SigConstraintsFailure,
            Message::new(
                "verify.log-absent",
                format!(
                    "印章“{legend}”自{}起每次用印都须载入公开日志，而文件没有回执：它是绕过用印系统私下签章的。请勿采信，并告知印章所属机关。",
                    moment(since)
                ),
                format!(
                    "As of {} Beijing time every use of the seal {legend} must be in the public log, and the file carries no receipt: it was sealed in secret, around the service. Do not rely on it, and tell the seal's owner.",
                    moment(since)
                ),
            ),
        ),
    }
}

/// A receipt that is signed and not true is worse than none: whoever holds the key put it there.
fn lies(why: Message, wanted: Wanted) -> Found<NotSecret> {
    let text = Message::new(
        why.id,
        format!("{}。请勿采信，并告知印章所属机关。", why.zh),
        format!("Not in the public log: {}. Do not rely on it, and tell the seal's owner.", why.en),
    );
    match wanted {
        Wanted::Yes(_) | Wanted::Unless(_) => failed(ID, CLAUSE, Sub::SigConstraintsFailure, text),
        Wanted::No | Wanted::NotBefore(_) => open(ID, CLAUSE, Sub::SigConstraintsFailure, text),
    }
}

fn stranger(origin: &str, wanted: Wanted) -> Found<NotSecret> {
    let text = |then: [&str; 2]| {
        Message::new(
            "verify.log-unknown",
            format!("文件附有公开日志“{origin}”的回执，但信任目录中没有该日志签这份回执的密钥{}", then[0]),
            format!(
                "it carries a receipt of the public log {origin}, whose key for it is not among the trusted{}",
                then[1]
            ),
        )
    };
    match wanted {
        Wanted::No | Wanted::NotBefore(_) => {
            (Check::new(ID, CLAUSE, Outcome::Info, text(["，未作判断", "; it was not judged"])), Some(NotSecret(())))
        }
        Wanted::Yes(_) | Wanted::Unless(_) => {
            let then = [
                "。请从发布机关取得日志公钥（.vkey）后重验。",
                ". Get the log's key (.vkey) from whoever publishes it, and verify again.",
            ];
            open(ID, CLAUSE, Sub::SigConstraintsFailure, text(then))
        }
    }
}

fn seen(facts: &LogFacts, needed: usize, wanted: Wanted) -> Found<NotSecret> {
    let (zh, en) = facts.words();
    if facts.witnesses.len() >= needed {
        let text = Message::new(
            "verify.in-the-log",
            format!("已离线证明这次用印在{zh}"),
            format!("proven offline: this use of the seal is in {en}"),
        );
        return (Check::new(ID, CLAUSE, Outcome::Passed, text), Some(NotSecret(())));
    }
    let text = |then: [&str; 2]| {
        Message::new(
            "verify.log-too-few-witnesses",
            format!("这次用印在{zh}，少于所要求的{needed}个见证{}", then[0]),
            format!("this use of the seal is in {en}, fewer than the {needed} that are asked for{}", then[1]),
        )
    };
    match wanted {
        Wanted::No | Wanted::NotBefore(_) => {
            (Check::new(ID, CLAUSE, Outcome::Info, text(["", ""])), Some(NotSecret(())))
        }
        Wanted::Yes(_) | Wanted::Unless(_) => {
            let then = [
                "：日志可能只给这份文书看了一份假的树头。请向印章所属机关核实。",
                "; the log may have shown this document a head that nobody else saw. Ask the seal's owner.",
            ];
            open(ID, CLAUSE, Sub::SigConstraintsFailure, text(then))
        }
    }
}
