//! Time stamps: each is judged as a signature of its own, and where it holds it proves a moment (EN 319 102-1 §5.4, §5.6.2).

use const_oid::db::rfc3161;
use time::Duration;

use super::decide;
use super::evidence::{Evidence, Facts};
use super::existence::{By, Existence, Proven};
use super::proof::{self, Found, Genuine, failed, open, passed};
use super::sources::{Signer, Sources, carried, find_path};
use crate::cms::{self, Checks, Fault};
use crate::crypto::{Digest, Strength};
use crate::message::Message;
use crate::pdf::signatures::{Coverage, Signature};
use crate::pki::name::Name;
use crate::pki::path::PathVerdict;
use crate::stamp::{StampError, Token};
use crate::verify::report::{
    Check, Outcome, SignatureKind, SignatureReport, StampReport, SubIndication as Sub, Verdict, moment,
};

/// A token as RFC 3161 wants it, by a certificate that is for time stamps alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenFormed(());
/// It is about this very content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamped(());
/// It is not later than what proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InOrder(());

/// One token, judged.
pub(super) struct Judged {
    pub report: StampReport,
    /// Set where the token holds.
    pub proven: Option<Proven>,
    /// See [`carried`].
    pub carried: Option<usize>,
}

/// All document time stamps of a file, from the last to the first, each with the place of its signature. What holds is
/// added to `existence`.
pub(super) fn document_stamps(
    evidence: &Evidence,
    sources: &Sources,
    signatures: &[Signature],
) -> (Vec<(usize, SignatureReport)>, Existence) {
    let (mut reports, mut existence) = (Vec::new(), Existence::default());
    for (place, signature) in signatures.iter().enumerate().rev().filter(|(_, s)| s.is_time_stamp) {
        let end = signature.signed_length.unwrap_or(usize::MAX);
        let token = Token::read(&signature.cms);
        let over = &mut |digest: Digest| signature.digest(digest).map(<[u8]>::to_vec);
        let judged = judge(evidence, sources, &existence, token, over, end);
        let outer = existence.of(end).cloned();
        if let (Some(proven), Some(end)) = (judged.proven, signature.signed_length) {
            existence.add(end, proven);
        }
        let StampReport { authority, time, verdict, intact, trusted, mut checks } = judged.report;
        checks.push(proof::coverage(signature).0);
        // What came later takes nothing from what was stamped: it is judged for the seals.
        let verdict = match signature.coverage {
            Coverage::Whole | Coverage::Partial => verdict,
            Coverage::None => Verdict::Failed(Sub::FormatFailure),
        };
        reports.push((
            place,
            SignatureReport {
                name: signature.field.clone(),
                kind: SignatureKind::TimeStamp,
                verdict,
                intact,
                coverage: signature.coverage,
                later_changes: signature.later_changes,
                signed_at: time,
                proven_time: outer.as_ref().map(|outer| outer.at),
                proven_by: outer.map(|outer| outer.by),
                signer: authority,
                trusted,
                seal: None,
                seal_data: None,
                level: None,
                log: None,
                time_stamps: Vec::new(),
                checks,
            },
        ));
    }
    (reports, existence)
}

/// The time stamps inside a signature, over its value (RFC 3161 appendix A, EN 319 122-1 §5.3).
pub(super) fn signature_stamps(
    evidence: &Evidence,
    sources: &Sources,
    existence: &Existence,
    signer: &cms::Signer,
    end: usize,
) -> Vec<Judged> {
    let stamps = signer.unsigned_attributes.iter().filter(|a| a.oid == rfc3161::ID_AA_TIME_STAMP_TOKEN);
    let tokens = stamps.flat_map(|attribute| &attribute.values).take(crate::limits::SIGNATURE_STAMPS);
    let over = &mut |digest: Digest| Some(digest.over(&[&signer.signature]));
    tokens.map(|der| judge(evidence, sources, existence, Token::read(der), over, end)).collect()
}

/// A token by itself, over content that may be given.
pub(super) fn alone(evidence: &Evidence, token: Token, over: &mut dyn FnMut(Digest) -> Option<Vec<u8>>) -> StampReport {
    judge(evidence, &Sources::default(), &Existence::default(), Ok(token), over, usize::MAX).report
}

fn judge(
    evidence: &Evidence,
    sources: &Sources,
    existence: &Existence,
    token: Result<Token, StampError>,
    over: &mut dyn FnMut(Digest) -> Option<Vec<u8>>,
    end: usize,
) -> Judged {
    let token = match token {
        Ok(token) => token,
        Err(error) => return unreadable(&error),
    };
    let crypto = token.check();
    let covers = token.covers(over);
    // A later stamp over this one says by when it was good; else it must be good now.
    let outer = existence.of(end);
    let (format, formed) = form(&token, &crypto);
    let (imprint, stamped) = imprint(&covers, outer);
    let (digest, digest_right) = proof::digest(&crypto, outer);
    let (value, value_right) = proof::value(&crypto, outer);
    let (reference, identified) = proof::signing_certificate(&crypto);
    let signer =
        Signer { certificate: crypto.certificate.as_ref(), signed: &token.signed, facts: &Facts::NotAsked, end };
    let verdict = find_path(evidence, sources, existence, &signer, outer.map(|proven| proven.at));
    let carried = carried(evidence, sources, existence, &signer, outer.map(|proven| proven.at));
    let ((path, trusted), (revocation, not_revoked)) = proof::path(&verdict, None, outer, Some(token.time));
    let (order, in_order) = order(evidence, &token, outer);
    let checks = vec![format, imprint, digest, value, reference, path, revocation, order];
    let genuine = (|| {
        Some(Genuine::stamp(
            formed?,
            stamped?,
            digest_right?,
            value_right?,
            identified?,
            trusted?,
            not_revoked?,
            in_order?,
        ))
    })();
    let indication = decide(&checks, genuine);
    let authority = crypto.certificate.as_ref().map(|certificate| certificate.subject.to_string());
    let proven = indication
        .is_genuine()
        // By the latest moment that the authority's clock allows: what is proven is that it existed by then.
        .then(|| token.time.saturating_add(token.accuracy.unwrap_or_default()))
        // But whoever asks within that time has it in hand.
        .map(|at| at.min(evidence.at.max(token.time)))
        .map(|at| Proven { at, by: By::TimeStamp(authority.clone().unwrap_or_default()), issuers: issuers(&verdict) });
    let intact = token.is_intact(over);
    let trusted = matches!(verdict, PathVerdict::Trusted { .. });
    Judged {
        report: StampReport { authority, time: Some(token.time), verdict: indication, intact, trusted, checks },
        proven,
        carried,
    }
}

/// Who vouches for whom on a path that holds, up to the root.
pub(super) fn issuers(verdict: &PathVerdict) -> Vec<Name> {
    match verdict {
        PathVerdict::Trusted { chain, .. } => chain.iter().map(|certificate| certificate.issuer.clone()).collect(),
        _ => vec![],
    }
}

/// RFC 3161 and its European profile: a grave breach leaves nothing to believe, the others are said in passing.
fn form(token: &Token, checks: &Checks) -> Found<TokenFormed> {
    const ID: &str = "format";
    const CLAUSE: &str = "RFC 3161 §2.4.2; EN 319 422 §5.2";
    let breaches = token.breaches(checks);
    if let Some(grave) = breaches.iter().find(|breach| breach.is_grave()) {
        return open(ID, CLAUSE, Sub::SigConstraintsFailure, grave.message());
    }
    let (mut zh, mut en) = ("时间戳的格式可以识别".to_owned(), "the time stamp's form is known and sound".to_owned());
    for breach in breaches {
        let message = breach.message();
        zh.push_str(&format!("（{}）", message.zh.trim_end_matches('。')));
        en.push_str(&format!(" ({})", message.en.trim_end_matches('.')));
    }
    passed(ID, CLAUSE, &zh, &en, TokenFormed(()))
}

/// What was stamped.
fn imprint(covers: &Result<(), Fault>, proven: Option<&Proven>) -> Found<Stamped> {
    const ID: &str = "imprint";
    const CLAUSE: &str = "RFC 3161 §2.4.2 (messageImprint)";
    let right = || passed(ID, CLAUSE, "时间戳针对的正是该内容", "the time stamp is of this very content", Stamped(()));
    match covers {
        Ok(()) => right(),
        Err(Fault::WeakDigest(digest)) if proof::accepted(&[Strength::Digest(*digest)], proven) => right(),
        Err(fault @ Fault::DigestDiffers) => failed(ID, CLAUSE, Sub::HashFailure, fault.message()),
        Err(fault @ (Fault::WeakDigest(_) | Fault::DigestUnsupported(_))) => {
            open(ID, CLAUSE, Sub::CryptoConstraintsFailureNoPoe, fault.message())
        }
        Err(fault) => open(ID, CLAUSE, Sub::Generic, fault.message()),
    }
}

/// Nothing is stamped after what contains it, and nothing tomorrow.
fn order(evidence: &Evidence, token: &Token, outer: Option<&Proven>) -> Found<InOrder> {
    const ID: &str = "time-stamp-order";
    const CLAUSE: &str = "EN 319 102-1 §5.6.2.3";
    let limit = outer.map_or(evidence.at, |proven| proven.at.min(evidence.at));
    let of = moment(token.time);
    // The authority's clock may be off by its accuracy; an absurd one is no excuse.
    let accuracy = token.accuracy.unwrap_or_default().min(Duration::MINUTE);
    if token.time > limit.saturating_add(accuracy) {
        let message = Message::new(
            "verify.time-stamp-order",
            format!("时间戳的时间{of}晚于{}，次序不成立，不能证明时间。", moment(limit)),
            format!(
                "The time stamp is of {of} Beijing time, later than {}: it is out of order and proves nothing.",
                moment(limit)
            ),
        );
        return open(ID, CLAUSE, Sub::TimestampOrderFailure, message);
    }
    let (zh, en) = (format!("时间戳的时间是{of}"), format!("the time stamp is of {of} Beijing time"));
    passed(ID, CLAUSE, &zh, &en, InOrder(()))
}

fn unreadable(error: &StampError) -> Judged {
    let check = Check::new("format", "RFC 3161 §2.4.2", Outcome::Failed, error.message()).because(Sub::FormatFailure);
    let checks = vec![check];
    let verdict = decide(&checks, None);
    Judged {
        report: StampReport { authority: None, time: None, verdict, intact: false, trusted: false, checks },
        proven: None,
        carried: None,
    }
}
