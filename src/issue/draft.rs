//! Step 4: a draft prepared for one use of a seal, in either format. Everything is fixed but the seal's value.

use std::ops::Range;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::crypto::{self, Digest};
use crate::desk::{FlowError, OfdParts, SealParts};
use crate::impression::Place;
use crate::ofd::seal as ofd_seal;
use crate::pdf::seal::{self as pdf_seal, Certification, SealPlan};
use crate::store::MediaType;

/// A document that lacks the seal's value, and whose value that will be.
pub(crate) struct Drafted {
    pub media_type: MediaType,
    pub parts: Arc<SealParts>,
    pub bytes: Vec<u8>,
    /// Where the value of a PDF goes; an OFD gets a file more.
    pub hole: Range<usize>,
    /// SHA-256 of the signed bytes, by which the document is found.
    pub digest: [u8; 32],
    /// Their digest by the signer's algorithm, which is what is signed.
    pub content: Vec<u8>,
}

/// A PDF. `room` is [`super::lasting::room`]'s.
#[expect(clippy::too_many_arguments, reason = "what a draft, a seal and a decision say, side by side")]
pub(crate) fn prepare(
    draft: &[u8],
    parts: &Arc<SealParts>,
    places: &[Place],
    signer_name: &str,
    reason: &str,
    now: OffsetDateTime,
    certify: Option<Certification>,
    room: usize,
) -> Result<Drafted, FlowError> {
    let plan = SealPlan {
        appearance: &parts.appearance,
        places,
        signer_name,
        reason,
        location: "",
        at: now,
        certify,
        reserve: room,
    };
    let appended = pdf_seal::prepare(draft, &plan)?;
    let bytes = [draft, appended.tail()].concat();
    let content = match parts.signer.algorithm().digest() {
        Digest::Sha256 => appended.digest().to_vec(),
        other => other.over(&around(&bytes, appended.hole())),
    };
    Ok(Drafted {
        media_type: MediaType::Pdf,
        parts: parts.clone(),
        hole: appended.hole(),
        digest: appended.digest(),
        content,
        bytes,
    })
}

/// An OFD; `lock` where nobody may seal it after us.
pub(crate) fn prepare_ofd(
    draft: &[u8],
    with: &OfdParts,
    places: &[Place],
    now: OffsetDateTime,
    lock: bool,
) -> Result<Drafted, FlowError> {
    let plan = ofd_seal::SealPlan { seal: &with.seal, places, at: now, lock };
    let prepared = ofd_seal::prepare(draft, &plan)?;
    Ok(Drafted {
        media_type: MediaType::Ofd,
        parts: with.parts.clone(),
        hole: 0..0,
        digest: crypto::sha256(prepared.said()),
        content: prepared.digest().to_vec(),
        bytes: prepared.package().to_vec(),
    })
}

/// What a /ByteRange covers: everything but the hole.
fn around(bytes: &[u8], hole: Range<usize>) -> [&[u8]; 2] {
    [bytes.get(..hole.start).unwrap_or_default(), bytes.get(hole.end..).unwrap_or_default()]
}
