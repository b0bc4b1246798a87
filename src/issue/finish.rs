//! The end of step 5 and steps 6 to 9 of ISSUE: the same whether the order was written a moment ago, waited, or was left by a crash.

use std::ops::Range;
use std::sync::atomic::Ordering;

use time::OffsetDateTime;

use super::check::{check_ofd, check_ourselves};
use super::{Issued, filed_seal, lasting, value, waiting};
use crate::cms;
use crate::desk::{Desk, FlowError, SealParts, Step, blocking};
use crate::message::Message;
use crate::seal::Level;
use crate::store::{MediaType, Order, OrderRecord, OrderState, Stage, StoreError, Unfinished};

/// Finishes an order that is written down, or leaves it waiting.
pub(super) async fn finish(desk: &Desk, unfinished: Unfinished, now: OffsetDateTime) -> Result<Issued, FlowError> {
    let record = unfinished.record.clone();
    let (id, clock) = (record.id.as_str(), || (desk.clock)().max(now));
    let sealed = match seal_and_check(desk, unfinished, &clock).await {
        // Somebody else may have ended the same order meanwhile; then what counts is what they stored.
        Ok(Some(sealed)) => {
            let Sealed { bytes, lapses_at, at } = sealed;
            desk.store.finish(&record, &bytes, record.media_type, lapses_at, at).await.map_err(FlowError::from)
        }
        Ok(None) => Ok(false),
        Err(error) => Err(error),
    };
    if let Err(error) = sealed {
        // What can never be released is shown as lost; everything else stays, and is tried again.
        if matches!(error, FlowError::SelfCheck(_) | FlowError::Refused(_) | FlowError::Store(StoreError::Conflict(_)))
        {
            desk.store.lose(id, &error.message().en, clock()).await?;
            return Err(error);
        }
        return Err(waiting::left(desk, id, error, clock()).await);
    }
    (desk.done)(Step::Stored);
    let filed = desk.store.order(id).await?;
    if let Some(lost) = filed.as_ref().filter(|filed| filed.state == OrderState::Lost) {
        let why = lost.lost_because.as_deref().unwrap_or("-");
        return Err(FlowError::Request(Message::new(
            "issue.lost",
            format!("这份文书在制作中已作废，未放行（{why}）；请查询证照和印章的现状"),
            format!(
                "this document was given up while it was being made, and not released: {why}; look up how the licence and the seal stand"
            ),
        )));
    }
    let stored = filed.and_then(|r| r.document).ok_or_else(|| {
        FlowError::SelfCheck(Message::new("issue.not-stored", "文书未能入库", "the document was not stored"))
    })?;
    Ok(Issued {
        identifier: record.identifier().cloned(),
        order: record.id,
        document: stored,
        ofd: None,
        title: record.title,
        again: false,
    })
}

/// A finished document that passed our own check.
struct Sealed {
    bytes: Vec<u8>,
    /// Until when its archive time stamp holds, where it has one.
    lapses_at: Option<OffsetDateTime>,
    at: OffsetDateTime,
}

/// The end of step 5: what is to be signed holds the receipt, and both are durable before the key may work. None where the
/// order ended meanwhile.
async fn leave(
    desk: &Desk,
    record: &OrderRecord,
    (stage, prepared, hole): (Stage, &[u8], &Range<usize>),
    parts: &SealParts,
    now: OffsetDateTime,
) -> Result<Option<Order>, FlowError> {
    let lost = |id, zh: &str, en: &str| FlowError::Request(Message::new(id, zh, en));
    let entered = match stage {
        Stage::Receipted(order) => return Ok(Some(order)),
        Stage::Entered(entered) => entered,
        Stage::Unlogged => {
            return Err(lost(
                "issue.unlogged",
                "该记录不在公开日志中，不得用印",
                "this order is not in the log; no seal is used for it",
            ));
        }
    };
    // What was entered is what is signed.
    let content = entered.entry.opening.fact("document").and_then(|content| hex::decode(content).ok());
    let content =
        content.ok_or_else(|| lost("issue.digest", "该记录的摘要无法识别", "the order's digest cannot be read"))?;
    let (receipt, head) = desk.receipt(&entered, now).await?;
    let to_be_signed = value::to_be_signed(record, prepared, parts, &content, &receipt)?;
    // The hole was made for the log and the witnesses of then. What does not fit is said before it is bound for good.
    let stamp = if record.level == Level::B { 0 } else { desk.largest_stamp.load(Ordering::Relaxed) };
    let need = cms::room(parts.signer.algorithm(), &parts.chain, stamp, receipt.len())?;
    if record.media_type == MediaType::Pdf && need > hole.len().saturating_sub(2) / 2 {
        return Err(FlowError::SelfCheck(Message::new(
            "issue.receipt-too-large",
            "公开日志的回执大于预留空间（等待期间增加了见证方），请重新申请",
            "the log's receipt is larger than the room that was left for it (witnesses were added meanwhile); ask again",
        )));
    }
    let order = desk.store.receipted(&record.id, &receipt, &to_be_signed, (head.size, &head.note)).await?;
    (desk.done)(Step::Receipted);
    Ok(order)
}

/// Steps 6 to 8; none where somebody else ended the order meanwhile.
async fn seal_and_check(
    desk: &Desk,
    unfinished: Unfinished,
    clock: &(dyn Fn() -> OffsetDateTime + Sync),
) -> Result<Option<Sealed>, FlowError> {
    let Unfinished { record, prepared, hole, stage } = unfinished;
    let number = record.seal.clone().ok_or_else(|| {
        FlowError::Request(Message::new("issue.no-seal", "该记录不是用印记录", "this order is no use of a seal"))
    })?;
    let seal = filed_seal(desk, &number).await?;
    let parts = desk.parts(&seal, record.certificate.as_deref()).await?;
    let Some(order) = leave(desk, &record, (stage, &prepared, &hole), &parts, clock()).await? else { return Ok(None) };
    let to_be_signed = order.to_be_signed().to_vec();
    let (signer, done) = (parts.signer.clone(), desk.done.clone());
    let signature = blocking(move || {
        let signature = signer.sign(order)?;
        done(Step::Signed);
        Ok::<_, FlowError>(signature)
    })
    .await?;
    let stamp = match record.level {
        Level::B => None,
        _ => {
            let (digest, imprint) = value::stamped(record.media_type, &signature)?;
            Some(lasting::stamp(desk, digest, &imprint).await?)
        }
    };
    let (by, token, media_type) = (parts.clone(), stamp.clone(), record.media_type);
    let mut bytes =
        blocking(move || value::close((media_type, prepared, hole), &by, &to_be_signed, &signature, token.as_deref()))
            .await?;
    let mut lapses_at = None;
    // An OFD has no place for evidence; who verifies it later asks for that.
    let lasts = record.level >= Level::Lt && media_type == MediaType::Pdf;
    if let Some(stamp) = stamp.filter(|_| lasts) {
        bytes = lasting::with_evidence(desk, bytes, &parts.chain, &stamp, clock()).await?;
        if record.level == Level::Lta {
            let (archived, until) = lasting::archived(desk, bytes).await?;
            (bytes, lapses_at) = (archived, Some(until));
        }
    }
    // The record proves that the document existed by this moment, so it is read when everything is there.
    let (at, done, stampers) = (clock(), desk.done.clone(), desk.stamp_anchors().await?);
    let log = desk.log(at).await?.vkey;
    let makers = match media_type {
        MediaType::Pdf => vec![],
        MediaType::Ofd => desk.store.seal_files(&number).await?.into_iter().map(|file| file.maker_chain).collect(),
    };
    blocking(move || {
        match media_type {
            MediaType::Pdf => check_ourselves(&bytes, &parts, stampers, log, record.level, at)?,
            MediaType::Ofd => check_ofd(&bytes, &parts, (stampers, makers), log, record.level, at)?,
        }
        done(Step::Checked);
        Ok(Some(Sealed { bytes, lapses_at, at }))
    })
    .await
}
