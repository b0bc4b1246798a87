//! A CMS by itself (`.p7s`, `.p7m`, a time-stamp file): over the content inside it, or over one given beside it.

use super::evidence::{Evidence, Facts};
use super::existence::Existence;
use super::proof;
use super::sources::Sources;
use super::stamps;
use super::{Asked, decide};
use crate::cms::{SignedData, Signer};
use crate::message::Message;
use crate::pdf::changes::LaterChanges;
use crate::pdf::signatures::Coverage;
use crate::stamp::Token;
use crate::verify::report::{Check, Outcome, SignatureKind, SignatureReport, StampReport, SubIndication as Sub};

/// One report for each signer, or for the time stamp; none where it only carries certificates.
pub(super) fn judge(evidence: &Evidence, signed: &SignedData) -> Vec<SignatureReport> {
    let given = evidence.content.as_deref();
    if let Ok(token) = Token::of(signed.clone()) {
        return vec![time_stamp(evidence, token, given)];
    }
    let inside = signed.content.as_deref();
    // Where both are there and differ, a reader could be shown either.
    let agree = given.is_none() || inside.is_none() || given == inside;
    let known = evidence.facts.iter().chain(std::iter::repeat(&Facts::NotAsked));
    let signers = signed.signers.iter().zip(known).enumerate();
    let content = given.or(inside);
    let sources = Sources::default();
    signers
        .map(|(place, (signer, facts))| one(evidence, &sources, signed, (place, signer, facts), content, agree))
        .collect()
}

fn one(
    evidence: &Evidence,
    sources: &Sources,
    signed: &SignedData,
    (place, signer, facts): (usize, &Signer, &Facts),
    content: Option<&[u8]>,
    agree: bool,
) -> SignatureReport {
    let pieces: Vec<&[u8]> = content.into_iter().collect();
    let crypto = signed.check(signer, &pieces);
    let (covers, unchanged) = proof::bare_coverage(content.is_some());
    let identified = proof::signing_certificate(&crypto);
    let asked = Asked {
        name: if signed.signers.len() > 1 { format!("#{}", place + 1) } else { String::new() },
        signed,
        signer,
        facts,
        end: usize::MAX,
        claimed: signer.claimed_time(),
        format: proof::bare_format(signed, &crypto, agree),
        crypto,
        identified,
        covers: (if content.is_some() { Coverage::Whole } else { Coverage::None }, covers),
        has_content: content.is_some(),
        since: (LaterChanges::None, None, unchanged),
        beside: Vec::new(),
        lying: None,
    };
    asked.judge(evidence, sources, &Existence::default())
}

/// A token; without content it is only told whether the authority's own signature is right.
fn time_stamp(evidence: &Evidence, token: Token, content: Option<&[u8]>) -> SignatureReport {
    let alone = token.check().is_intact() && token.signed.signers.len() == 1;
    let over = &mut |digest: crate::crypto::Digest| content.map(|content| digest.over(&[content]));
    let StampReport { authority, time, mut verdict, mut intact, trusted, mut checks } =
        stamps::alone(evidence, token, over);
    if content.is_none() {
        intact = alone;
        let message = Message::new(
            "verify.content-missing",
            "没有提供时间戳所针对的内容，无法核对。请连同内容一并核验。",
            "The content that was stamped is not at hand. Verify the time stamp together with its content.",
        );
        let missing = Check::new("imprint", "RFC 3161 §2.4.2 (messageImprint)", Outcome::Indeterminate, message);
        let missing = missing.because(Sub::SignedDataNotFound);
        checks.retain(|check| check.id != "imprint");
        checks.insert(0, missing);
        verdict = decide(&checks, None);
    }
    SignatureReport {
        name: String::new(),
        kind: SignatureKind::TimeStamp,
        verdict,
        intact,
        coverage: if content.is_some() { Coverage::Whole } else { Coverage::None },
        later_changes: LaterChanges::None,
        signed_at: time,
        proven_time: None,
        proven_by: None,
        signer: authority,
        trusted,
        seal: None,
        seal_data: None,
        level: None,
        log: None,
        time_stamps: Vec::new(),
        checks,
    }
}
