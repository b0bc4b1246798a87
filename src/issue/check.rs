//! The self-check (ISSUE, step 8): nothing leaves the house that its own judge would not accept.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::desk::{FlowError, SealParts};
use crate::message::Message;
use crate::pdf::changes::LaterChanges;
use crate::pdf::signatures::Coverage;
use crate::pki::certificate::Certificate;
use crate::seal::Level;
use crate::verify::judge::evidence::Opened;
use crate::verify::report::Verdict;
use crate::verify::{Evidence, Trust, judge};

/// Step 8: the judge reads the finished file as a stranger would, with nothing but the seal's own root to trust. What is
/// released is intact, covered whole, unchanged, and speaks for the seal's certificate.
pub(super) fn check_ourselves(
    sealed: &[u8],
    parts: &SealParts,
    _level: Level,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    let fault = |zh: &str, en: &str| Err(FlowError::SelfCheck(Message::new("issue.self-check", zh, en)));
    let anchors = parts.chain.last().map(|root| Certificate::read(root)).transpose()?.into_iter().collect();
    let trust = Trust { anchors, ..Trust::default() };
    let evidence = Evidence::open("self-check", sealed, Arc::new(trust), now);
    let report = judge(&evidence);
    let (Some(newest), Opened::Pdf { envelopes, .. }) = (report.signatures.last(), &evidence.opened) else {
        return fault("读不到签章", "no signature is found in it");
    };
    let ours = envelopes.last().and_then(|e| e.certificate.as_ref());
    if ours.is_none_or(|c| c.der() != parts.certificate.certificate) {
        return fault("签名证书不是该印章的证书", "the signer's certificate is not the seal's");
    }
    if newest.coverage != Coverage::Whole || newest.later_changes != LaterChanges::None {
        return fault("签章未覆盖全文", "the signature does not cover the whole document");
    }
    if !newest.intact || matches!(newest.verdict, Verdict::Failed(_)) {
        return fault("摘要、签名值或证书不符", "digest, signature value or certificate do not fit");
    }
    Ok(())
}
