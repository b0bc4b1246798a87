//! A CMS by itself (`.p7s`, `.p7m`, a time-stamp file): over the content inside it, or over one given beside it.

use super::decide;
use super::evidence::{Evidence, Facts};
use super::existence::Existence;
use super::proof::{self, Genuine};
use super::sources::{self, Sources, find_path};
use super::stamps::{self, signature_stamps};
use super::standing;
use crate::cms::{SignedData, Signer};
use crate::message::Message;
use crate::pdf::changes::LaterChanges;
use crate::pdf::signatures::Coverage;
use crate::pki::path::PathVerdict;
use crate::stamp::Token;
use crate::verify::report::{
    Check, Outcome, SealFacts, SignatureKind, SignatureReport, StampReport, SubIndication as Sub,
};

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
    let claimed = signer.claimed_time();
    let existence = Existence::default();
    let stamps = signature_stamps(evidence, sources, &existence, signer, usize::MAX);
    let proven = stamps.iter().filter_map(|stamp| stamp.proven.clone()).min_by_key(|proven| proven.at);
    let proven = proven.as_ref();

    let (format, well_formed) = proof::bare_format(signed, &crypto, agree);
    let (coverage, whole) = proof::bare_coverage(content.is_some());
    let (digest, digest_right) = proof::digest(&crypto, proven);
    let (value, value_right) = proof::value(&crypto, proven);
    let (reference, identified) = proof::signing_certificate(&crypto);
    let asked = sources::Signer { certificate: crypto.certificate.as_ref(), signed, facts, end: usize::MAX };
    let verdict = find_path(evidence, sources, &existence, &asked, proven.map(|proven| proven.at));
    let ((path, trusted), (revocation, not_revoked)) = proof::path(&verdict, None, proven, claimed);
    let (usage, may_sign) = proof::usage(crypto.certificate.as_ref());
    let (standing, allowed) = standing::judge(facts, proven, claimed, evidence);

    let mut checks = vec![format, coverage];
    // Without content there is nothing that digest and value could be of.
    if content.is_some() {
        checks.extend([digest, value]);
    }
    checks.extend([reference, path, usage, revocation]);
    checks.extend(standing);
    let genuine = (|| {
        let (covered, unchanged) = whole?;
        Some(Genuine::of(
            well_formed?,
            covered,
            digest_right?,
            value_right?,
            identified?,
            trusted?,
            may_sign?,
            not_revoked?,
            unchanged,
            allowed?,
        ))
    })();
    SignatureReport {
        name: if signed.signers.len() > 1 { format!("#{}", place + 1) } else { String::new() },
        kind: SignatureKind::Seal,
        verdict: decide(&checks, genuine),
        intact: crypto.is_intact(),
        coverage: if content.is_some() { Coverage::Whole } else { Coverage::None },
        later_changes: LaterChanges::None,
        signed_at: claimed,
        proven_time: proven.map(|proven| proven.at),
        proven_by: proven.map(|proven| proven.by.clone()),
        signer: crypto.certificate.as_ref().map(|certificate| certificate.subject.to_string()),
        trusted: matches!(verdict, PathVerdict::Trusted { .. }),
        seal: facts.seal().map(|seal| SealFacts::of(seal, evidence.at, proven.map(|proven| proven.at))),
        level: None,
        time_stamps: stamps.into_iter().map(|stamp| stamp.report).collect(),
        checks,
    }
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
            "没有提供时间戳所针对的内容，请用 --content 给出。",
            "The content that was stamped is not at hand; name it with --content.",
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
        level: None,
        time_stamps: Vec::new(),
        checks,
    }
}
