//! The self-check (ISSUE, step 8): nothing leaves the house that its own judge would not accept.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::desk::{FlowError, SealParts};
use crate::message::Message;
use crate::pdf::changes::LaterChanges;
use crate::pdf::signatures::Coverage;
use crate::pki::certificate::Certificate;
use crate::seal::Level;
use crate::tlog::note::VerifierKey;
use crate::verify::judge::evidence::Opened;
use crate::verify::report::{Outcome, SignatureKind, SignatureReport, Verdict};
use crate::verify::{Evidence, Trust, judge};

/// Step 8: the judge reads the finished file as a stranger would, with nothing to trust but the seal's own root, those of
/// the time-stamp authorities and the log's key. What is released is intact, speaks for the seal's certificate and is in the log; what stands behind the seal
/// is our own evidence and time stamp alone; and it has reached the level that it was promised.
pub(super) fn check_ourselves(
    sealed: &[u8],
    parts: &SealParts,
    stampers: Vec<Certificate>,
    log: VerifierKey,
    level: Level,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    let root = parts.chain.last().map(|root| Certificate::read(root)).transpose()?;
    let trust = Trust { anchors: root.into_iter().chain(stampers).collect(), logs: vec![log], ..Trust::default() };
    let evidence = Evidence::open("self-check", sealed, Arc::new(trust), now);
    let report = judge(&evidence);
    let place = report.signatures.iter().rposition(|signature| signature.kind == SignatureKind::Seal);
    let (Some(place), Opened::Pdf { envelopes, .. }) = (place, &evidence.opened) else {
        return fault("读不到签章", "no signature is found in it");
    };
    let ours = envelopes.get(place).and_then(|e| e.certificate.as_ref());
    if ours.is_none_or(|certificate| certificate.der() != parts.certificate.certificate) {
        return fault("签名证书不是该印章的证书", "the signer's certificate is not the seal's");
    }
    let (seal, behind) = match report.signatures.get(place..) {
        Some([seal, behind @ ..]) => (seal, behind),
        _ => return fault("读不到签章", "no signature is found in it"),
    };
    if !seal.intact || matches!(seal.verdict, Verdict::Failed(_)) {
        return fault("摘要、签名值或证书不符", "digest, signature value or certificate do not fit");
    }
    if seal.log.is_none() {
        return fault("其中没有公开日志的有效回执", "it carries no valid receipt of the public log");
    }
    stands_alone(seal, behind, level)?;
    keeps_promise(seal, level)
}

/// The same for an OFD, in which others may have sealed before us: ours is the last, and covers every file. What it lacks is a
/// place for evidence; of revocation nothing is asked here.
pub(super) fn check_ofd(
    sealed: &[u8],
    parts: &SealParts,
    (stampers, makers): (Vec<Certificate>, Vec<Vec<Vec<u8>>>),
    log: VerifierKey,
    level: Level,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    let mut trust = Trust { anchors: stampers, logs: vec![log], ..Trust::default() };
    for chain in makers.iter().map(Vec::as_slice).chain([parts.chain.get(1..).unwrap_or_default()]) {
        let Some((root, between)) = chain.split_last() else { continue };
        trust.anchors.push(Certificate::read(root)?);
        trust.intermediates.extend(between.iter().map(|one| Certificate::read(one)).collect::<Result<Vec<_>, _>>()?);
    }
    let evidence = Evidence::open("self-check", sealed, Arc::new(trust), now);
    let report = judge(&evidence);
    let (Some(seal), Opened::Ofd(reading)) = (report.signatures.last(), &evidence.opened) else {
        return fault("读不到签章", "no signature is found in it");
    };
    let ours = reading.signatures.last().and_then(|read| read.certificate.as_ref());
    if ours.is_none_or(|certificate| certificate.der() != parts.certificate.certificate) {
        return fault("签名证书不是该印章的证书", "the signer's certificate is not the seal's");
    }
    if !seal.intact || matches!(seal.verdict, Verdict::Failed(_)) {
        return fault("摘要、签名值、印章或证书不符", "digest, value, seal or certificate do not fit");
    }
    if seal.log.is_none() {
        return fault("其中没有公开日志的有效回执", "it carries no valid receipt of the public log");
    }
    if seal.coverage != Coverage::Whole {
        return fault("签章未覆盖全部文件", "the signature does not cover every file of the package");
    }
    match level {
        Level::B => Ok(()),
        _ => keeps_promise(seal, Level::T),
    }
}

/// Behind the seal there is what its level takes, and nothing else.
fn stands_alone(seal: &SignatureReport, behind: &[SignatureReport], level: Level) -> Result<(), FlowError> {
    let good = match level {
        Level::B | Level::T => {
            behind.is_empty() && seal.coverage == Coverage::Whole && seal.later_changes == LaterChanges::None
        }
        Level::Lt => behind.is_empty() && seal.later_changes == LaterChanges::Allowed,
        Level::Lta => {
            let stamp = |one: &SignatureReport| {
                one.kind == SignatureKind::TimeStamp && one.coverage == Coverage::Whole && one.verdict.is_genuine()
            };
            matches!(behind, [one] if stamp(one)) && seal.later_changes == LaterChanges::Allowed
        }
    };
    if good {
        Ok(())
    } else {
        fault(
            "签章未覆盖全文，或其后有多余的内容",
            "the signature and what belongs to it do not cover the whole document",
        )
    }
}

fn keeps_promise(seal: &SignatureReport, level: Level) -> Result<(), FlowError> {
    let good = match level {
        Level::B => true,
        // That nothing proves its authority not revoked is no fault of a document that carries no evidence.
        Level::T => {
            matches!(seal.time_stamps.as_slice(), [one] if one.intact && !matches!(one.verdict, Verdict::Failed(_)))
        }
        Level::Lt | Level::Lta => seal.verdict.is_genuine() && seal.level == Some(level),
    };
    if good {
        return Ok(());
    }
    let reached = seal.level.map_or("-", Level::as_str);
    let against = seal.checks.iter().chain(seal.time_stamps.iter().flat_map(|stamp| &stamp.checks));
    let against: Vec<&Message> = against
        .filter(|check| matches!(check.outcome, Outcome::Failed | Outcome::Indeterminate))
        .map(|check| &check.message)
        .collect();
    let join = |said: fn(&Message) -> &str| against.iter().map(|one| said(one)).collect::<Vec<_>>().join(" ");
    Err(FlowError::SelfCheck(Message::new(
        "issue.level",
        format!("签名等级应为{level}，实为{reached}。{}", join(|one| &one.zh)),
        format!("the level is {reached} and not {level}. {}", join(|one| &one.en)),
    )))
}

fn fault(zh: &str, en: &str) -> Result<(), FlowError> {
    Err(FlowError::SelfCheck(Message::new("issue.self-check", zh, en)))
}
