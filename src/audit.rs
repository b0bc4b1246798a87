//! AUDIT (电子监察): where the chain of audit events stands is entered in the public log, and a part of it leaves the house as
//! a file that whoever supervises checks alone ([`crate::tlog::trail`]).

use time::{Duration, OffsetDateTime};

use crate::desk::{Desk, FlowError};
use crate::limits;
use crate::message::Message;
use crate::store::{Entered, StoreError};
use crate::tlog::LogFault;
use crate::tlog::trail::{self, Trail};

/// What was exported.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Exported {
    /// The first and the last event's place in the chain.
    pub first: u64,
    pub last: u64,
    /// Entries of the log that prove them.
    pub anchors: usize,
}

/// Enters in the log where the chain stands, unless it says so already. Gives the newest such entry.
///
/// # Errors
/// The log cannot be founded, or the store failed.
pub async fn anchor(desk: &Desk, now: OffsetDateTime) -> Result<Entered, FlowError> {
    desk.log(now).await?;
    Ok(desk.store.anchor(now).await?)
}

/// The same where the newest such entry is a day old, for the clock.
///
/// # Errors
/// As [`anchor`].
pub async fn anchor_daily(desk: &Desk, now: OffsetDateTime) -> Result<Option<Entered>, FlowError> {
    let newest = desk.store.anchors(u64::MAX, 1).await?.pop();
    match newest {
        Some(newest) if now - newest.entry.leaf.at < Duration::DAY => Ok(None),
        _ => anchor(desk, now).await.map(Some),
    }
}

/// Exports what was done from one moment on and before another, as lines for `write`, with receipts that prove them. It runs
/// on to the next entry of the log about the chain; after the newest event one is made.
///
/// # Errors
/// Nothing was done then, the log's key or witnesses are away, `write` failed, or the stored chain is not what the log says.
pub async fn export(
    desk: &Desk,
    (from, until): (Option<OffsetDateTime>, Option<OffsetDateTime>),
    write: &mut (dyn FnMut(&str) -> std::io::Result<()> + Send),
    now: OffsetDateTime,
) -> Result<Exported, FlowError> {
    anchor(desk, now).await?;
    let mut inventory = desk.store.inventory().await?;
    let micros = |at: OffsetDateTime| i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX);
    let span = inventory.span(from.map_or(i64::MIN, micros), until.map_or(i64::MAX, micros)).await?;
    let (first, last) = span.ok_or_else(|| {
        FlowError::Unknown(Message::new("audit.nothing", "这段时间没有审计记录", "nothing is on record for that time"))
    })?;
    let anchors = anchors(desk, first, last).await?;
    let (mut receipts, mut newest) = (vec![], None);
    for (entered, _) in &anchors {
        let (receipt, head) = desk.receipt(entered, now).await?;
        receipts.push(receipt);
        newest = Some(head);
    }
    // No head leaves the house that is not published.
    if let Some(head) = newest {
        desk.store.publish_checkpoint(head.size, &head.note).await?;
    }
    let end = anchors.last().map(|(_, end)| *end).ok_or_else(not_the_log)?;

    let mut line = |text: serde_json::Result<String>| write(&text?);
    // The chain is followed from its beginning: what is filed of it is believed at no place.
    let mut trail = Trail::default();
    let mut begun = false;
    while trail.length < end.length {
        let page = inventory.events(trail.length).await?;
        if page.is_empty() {
            break;
        }
        for row in page.iter().take_while(|row| row.event.position <= end.length) {
            if row.event.position >= first {
                if !begun {
                    line(trail::first_line(&trail, receipts.clone())).map_err(unwritten)?;
                    begun = true;
                }
                line(Ok(row.line.clone())).map_err(unwritten)?;
            }
            trail = trail.then(&row.line);
        }
    }
    if trail != end {
        return Err(not_the_log());
    }
    line(trail::last_line(&trail)).map_err(unwritten)?;
    Ok(Exported { first, last: end.length, anchors: anchors.len() })
}

/// The chain's entries in the log from those about the events before `first` to the next one after `last`, those about fewer
/// events first.
async fn anchors(desk: &Desk, first: u64, last: u64) -> Result<Vec<(Entered, Trail)>, FlowError> {
    let mut found: Vec<(Entered, Trail)> = vec![];
    let mut before = u64::MAX;
    'all: loop {
        let page = desk.store.anchors(before, limits::AUDIT_PAGE).await?;
        let Some(oldest) = page.last() else { break };
        before = oldest.index;
        for entered in page {
            let trail = trail::anchored(&entered.entry).ok_or_else(not_the_log)?;
            if trail.length < first || found.len() == limits::AUDIT_ANCHORS {
                break 'all;
            }
            // One about more events than the next one after the end proves nothing that is exported.
            if trail.length >= last {
                found.clear();
            }
            found.push((entered, trail));
        }
    }
    found.reverse();
    Ok(found)
}

fn not_the_log() -> FlowError {
    FlowError::Store(StoreError::Log(LogFault::Unproven))
}

fn unwritten(error: std::io::Error) -> FlowError {
    FlowError::Unknown(Message::new(
        "audit.unwritten",
        format!("导出文件无法写入：{error}"),
        format!("the export could not be written: {error}"),
    ))
}
