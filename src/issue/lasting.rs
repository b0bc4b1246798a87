//! What makes a signature last (ISSUE, step 7): a time stamp over its value, evidence that nobody was revoked, and a time
//! stamp over the document with all of that (EN 319 142-1 §6).

use std::sync::atomic::Ordering;

use time::OffsetDateTime;

use crate::cms;
use crate::crypto::{Digest, Strength};
use crate::desk::{Desk, FlowError, SealParts, Step, blocking};
use crate::limits;
use crate::message::Message;
use crate::pdf::PdfError;
use crate::pdf::long_term::{add_evidence, prepare_stamp};
use crate::pki::certificate::Certificate;
use crate::seal::Level;
use crate::stamp::Token;

/// Bytes that the CMS will need at most: computed from the key, the chain, the log's size, and the time stamps seen so far.
pub(crate) async fn room(
    desk: &Desk,
    parts: &SealParts,
    level: Level,
    now: OffsetDateTime,
) -> Result<usize, FlowError> {
    let stamp = match level {
        Level::B => 0,
        _ => stamp_room(desk).await,
    };
    Ok(cms::room(parts.signer.algorithm(), &parts.chain, stamp, desk.receipt_room(now).await?)?)
}

/// Bytes for a token. The first is asked for to be measured; where none can be had now the order is written down all the
/// same, with room for a large one.
pub(super) async fn stamp_room(desk: &Desk) -> usize {
    if desk.largest_stamp.load(Ordering::Relaxed) == 0 {
        let measured = desk.stamp(Digest::Sha256, &crate::crypto::sha256(b"yinxin: the size of a time stamp")).await;
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
pub(super) async fn stamp(desk: &Desk, digest: Digest, imprint: &[u8]) -> Result<Vec<u8>, FlowError> {
    let token = desk.stamp(digest, imprint).await?;
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

/// The document with what shows that neither the seal's chain nor the time stamp's was revoked.
pub(super) async fn with_evidence(
    desk: &Desk,
    document: Vec<u8>,
    chain: &[Vec<u8>],
    stamp: &[u8],
    now: OffsetDateTime,
) -> Result<Vec<u8>, FlowError> {
    let mut certificates = chain.iter().map(|der| Certificate::read(der)).collect::<Result<Vec<_>, _>>()?;
    certificates.extend(stampers(stamp)?);
    let material = desk.evidence(&certificates, now).await?;
    let document = appended(document, move |document| add_evidence(document, &material)).await?;
    (desk.done)(Step::Evidenced);
    Ok(document)
}

/// The document under a document time stamp, and until when that holds by itself.
pub(crate) async fn archived(desk: &Desk, document: Vec<u8>) -> Result<(Vec<u8>, OffsetDateTime), FlowError> {
    let room = stamp_room(desk).await;
    let (document, prepared) = blocking(move || {
        let prepared = prepare_stamp(document.as_slice(), room)?;
        Ok::<_, FlowError>((document, prepared))
    })
    .await?;
    let token = desk.stamp(Digest::Sha256, &prepared.digest()).await?;
    desk.largest_stamp.fetch_max(token.len(), Ordering::Relaxed);
    let lapses_at = lapses_at(&token)?;
    let tail = fits(prepared.close(&token))?;
    (desk.done)(Step::Archived);
    Ok(([document, tail].concat(), lapses_at))
}

/// Does what takes a while with a whole document, and puts what comes of it behind it.
pub(crate) async fn appended(
    document: Vec<u8>,
    tail: impl FnOnce(&[u8]) -> Result<Vec<u8>, PdfError> + Send + 'static,
) -> Result<Vec<u8>, FlowError> {
    blocking(move || {
        let tail = tail(&document)?;
        let mut document = document;
        document.extend_from_slice(&tail);
        Ok(document)
    })
    .await
}

/// The certificates in a time stamp, its maker's first.
pub(crate) fn stampers(token: &[u8]) -> Result<Vec<Certificate>, FlowError> {
    let token = Token::read(token).map_err(|error| FlowError::Unstamped(error.message()))?;
    let maker = token.check().certificate;
    let others = token.signed.certificates.iter().filter_map(|der| Certificate::read(der).ok());
    let others = others.filter(|other| maker.as_ref() != Some(other)).collect::<Vec<_>>();
    Ok(maker.clone().into_iter().chain(others).collect())
}

/// From when on a time stamp proves nothing by itself: a certificate of its chain ends, or what it rests on is too weak.
pub(crate) fn lapses_at(token: &[u8]) -> Result<OffsetDateTime, FlowError> {
    let read = Token::read(token).map_err(|error| FlowError::Unstamped(error.message()))?;
    let ends = stampers(token)?.into_iter().map(|certificate| certificate.not_after);
    let strengths = read.check().strengths.into_iter().filter_map(Strength::until);
    ends.chain(strengths).min().ok_or_else(|| {
        FlowError::Unstamped(Message::new(
            "issue.stamp-without-certificate",
            "时间戳未附带证书",
            "the time stamp brings no certificate",
        ))
    })
}
