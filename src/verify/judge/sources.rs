//! What a path may be made of, and since when each piece provably exists: the settings' trust, the register's chains, the
//! document's validation data (DSS), and what the CMS brought along.

use std::borrow::Cow;
use std::sync::Arc;

use time::OffsetDateTime;

use super::evidence::{Evidence, Facts, Opened, Record};
use super::existence::Existence;
use crate::cms::SignedData;
use crate::limits;
use crate::pki::certificate::Certificate;
use crate::pki::evidence::{RevocationEvidence, Statement};
use crate::pki::ocsp::OcspResponse;
use crate::pki::path::{PathVerdict, Purse, judge_path_within};
use crate::pki::revocation::RevocationList;

/// The pieces that came with the document, read once for all its signatures.
#[derive(Default)]
pub(super) struct Sources {
    certificates: Vec<Certificate>,
    lists: Vec<RevocationList>,
    responses: Vec<OcspResponse>,
    /// Validation data, and how many of the file's first bytes hold it.
    since: Vec<(Arc<[u8]>, usize)>,
    purse: Purse,
}

impl Sources {
    /// The document's own validation data (EN 319 142-1 §5.4.2).
    pub(super) fn of(evidence: &Evidence) -> Self {
        let mut sources = Self::default();
        let Opened::Pdf { reading, .. } = &evidence.opened else { return sources };
        let data = &reading.validation;
        for item in &data.certificates {
            sources.since.push((item.der.as_slice().into(), item.ends_at));
            sources.certificates.extend(Certificate::read(&item.der));
        }
        for item in &data.lists {
            if let Ok(list) = RevocationList::read(&item.der) {
                sources.since.push((list.shared_der(), item.ends_at));
                sources.lists.push(list);
            }
        }
        for item in &data.responses {
            if let Ok(response) = OcspResponse::read(&item.der) {
                sources.since.push((response.shared_der(), item.ends_at));
                sources.responses.push(response);
            }
        }
        sources
    }
}

/// One signer's certificate, and where it stands in the file.
pub(super) struct Signer<'s> {
    pub certificate: Option<&'s Certificate>,
    pub signed: &'s SignedData,
    pub facts: &'s Facts,
    /// How many of the file's first bytes hold this signature.
    pub end: usize,
}

/// The path of a signer at the proven moment. Without one it must hold at the moment asked about and at the newest known.
pub(super) fn find_path(
    evidence: &Evidence,
    sources: &Sources,
    existence: &Existence,
    signer: &Signer<'_>,
    proven: Option<OffsetDateTime>,
) -> PathVerdict {
    let Some(leaf) = signer.certificate else { return PathVerdict::NoAnchor };
    let trust = &evidence.trust;
    // Most of what a signature brings along was read before: its own certificate, and those that are trusted anyway.
    let known = |der: &[u8]| {
        let known = std::iter::once(leaf).chain(&trust.intermediates).chain(&trust.anchors);
        known.into_iter().find(|certificate| certificate.der() == der).map(Cow::Borrowed)
    };
    let read = |der: &Vec<u8>| known(der).or_else(|| Certificate::read(der).ok().map(Cow::Owned));
    let inside: Vec<Cow<'_, Certificate>> = signer.signed.certificates.iter().filter_map(read).collect();
    let filed = match signer.facts {
        Facts::Filed { chain, .. } => chain.as_slice(),
        _ => &[],
    };
    let inside = inside.iter().map(AsRef::as_ref);
    let candidates: Vec<&Certificate> =
        trust.intermediates.iter().chain(filed).chain(inside).chain(&sources.certificates).collect();
    let brought = signer.signed.revocation_evidence();
    let revocation = RevocationEvidence {
        lists: trust.lists.iter().chain(&sources.lists).chain(&brought.lists).collect(),
        responses: trust.responses.iter().chain(&sources.responses).chain(&brought.responses).collect(),
    };
    let (asked, newest) = (proven.unwrap_or(evidence.at), evidence.known_until());
    let judged = |revocation: &RevocationEvidence<'_>| {
        let at = |moment| {
            judge_path_within(&sources.purse, leaf, &candidates, &trust.anchors, revocation, &trust.known, moment)
        };
        match at(asked) {
            PathVerdict::Trusted { .. } if proven.is_none() && newest > asked => at(newest),
            verdict => verdict,
        }
    };
    let exists_since = |der: &[u8]| {
        let of_bytes = |end| existence.of(end).map(|proven| proven.at);
        let in_document = sources.since.iter().find(|(known, _)| **known == *der);
        let in_envelope = || {
            let lists = brought.lists.iter().any(|list| list.der() == der);
            let responses = || brought.responses.iter().any(|response| response.der() == der);
            lists || responses() || signer.signed.certificates.iter().any(|certificate| certificate == der)
        };
        match in_document {
            Some((_, end)) => of_bytes(*end),
            None if in_envelope() => of_bytes(signer.end),
            // Our own register had filed it when the key was used.
            None if filed.iter().any(|certificate| certificate.der() == der) => {
                signer.facts.record().and_then(Record::proven_time)
            }
            None => None,
        }
        .unwrap_or(newest)
    };
    // What a delta list says rests on the complete list below it.
    let since = |statement: &Statement| {
        let base = statement.base.as_ref().map(|base| exists_since(base));
        base.into_iter().fold(exists_since(&statement.der), OffsetDateTime::max)
    };
    // The signature names its own certificate by digest (RFC 5035 §3), so that one is as old as the signature.
    let made = |place: usize, certificate: &Certificate| match (place, proven) {
        (0, Some(proven)) => proven,
        _ => exists_since(certificate.der()),
    };
    let usable = |verdict| outlived(outworn(verdict, made, since)?, since);
    let first = judged(&revocation);
    match usable(first.clone()) {
        Ok(verdict) => verdict,
        Err(unusable) => without_late(&first, revocation, *unusable, &judged, &usable),
    }
}

/// A path verdict, or why what it rests on is of no use.
type Usable = Result<PathVerdict, Box<Unusable>>;

struct Unusable {
    /// The verdict instead.
    said: PathVerdict,
    /// The list or response at fault; none where it is a certificate.
    late: Option<Arc<[u8]>>,
}

/// The newest list or response came too late to be believed: whoever renewed the file may have added what an earlier one
/// says just as well. What tells of a revocation is never left out.
fn without_late(
    first: &PathVerdict,
    mut revocation: RevocationEvidence<'_>,
    unusable: Unusable,
    judged: &dyn Fn(&RevocationEvidence<'_>) -> PathVerdict,
    usable: &dyn Fn(PathVerdict) -> Usable,
) -> PathVerdict {
    let Unusable { said, mut late } = unusable;
    let PathVerdict::Trusted { revoked_later, evidence, .. } = first else { return said };
    if revoked_later.is_some() || evidence.iter().any(|statement| statement.revocation.is_some()) {
        return said;
    }
    for _ in 0..limits::PATH_RETRIES {
        let Some(unusable) = late else { break };
        revocation.lists.retain(|list| *list.der() != *unusable);
        revocation.responses.retain(|response| *response.der() != *unusable);
        let next = judged(&revocation);
        if !matches!(&next, PathVerdict::Trusted { revoked_later: None, .. }) {
            break;
        }
        late = match usable(next) {
            Ok(verdict) => return verdict,
            Err(unusable) => unusable.late,
        };
    }
    said
}

/// What an algorithm proved while it was accepted counts only for what provably existed then: with a broken one anybody
/// could make certificates, lists and responses of any date (EN 319 102-1 §5.6.2.4, cryptographic constraints).
fn outworn(
    verdict: PathVerdict,
    made: impl Fn(usize, &Certificate) -> OffsetDateTime,
    since: impl Fn(&Statement) -> OffsetDateTime,
) -> Usable {
    let PathVerdict::Trusted { chain, evidence, ends, .. } = &verdict else { return Ok(verdict) };
    let links = chain.iter().zip(ends).enumerate();
    let links = links.filter_map(|(place, (link, ending))| Some((ending.as_ref()?, made(place, link), None)));
    let statements = evidence.iter().filter_map(|s| Some((s.ends.as_ref()?, since(s), Some(s.der.clone()))));
    match links.chain(statements).find(|(ending, existed, _)| ending.until <= *existed) {
        Some((ending, _, late)) => {
            let (chain, ending, evidence) = (chain.clone(), ending.clone(), evidence.clone());
            Err(Box::new(Unusable { said: PathVerdict::Weak { chain, ending, evidence }, late }))
        }
        None => Ok(verdict),
    }
}

/// Revocation data speak for the past only if they existed while their maker's own certificate counted: whoever gets hold of
/// a dead authority's key could write any list with any date (EN 319 102-1 §5.6.2.1, control time). Anchors are trusted as
/// configured, whatever their dates.
fn outlived(verdict: PathVerdict, since: impl Fn(&Statement) -> OffsetDateTime) -> Usable {
    let PathVerdict::Trusted { chain, evidence, .. } = &verdict else { return Ok(verdict) };
    let ended = |place: usize| {
        let maker = chain.get(place)?;
        if place + 1 == chain.len() {
            return None;
        }
        let revoked = evidence.iter().filter(|statement| statement.about == place).filter_map(|s| s.revocation);
        Some(revoked.map(|revocation| revocation.effective()).fold(maker.not_after, OffsetDateTime::min))
    };
    let late = evidence.iter().find(|statement| {
        let ends = [ended(statement.about + 1), statement.deputy_until];
        ends.into_iter().flatten().any(|end| since(statement) > end)
    });
    match late {
        Some(late) => {
            let said = PathVerdict::Expired { chain: chain.clone(), at_fault: late.about + 1 };
            Err(Box::new(Unusable { said, late: Some(late.der.clone()) }))
        }
        None => Ok(verdict),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::pki::path::Ending;
    use crate::pki::trial::{Hierarchy, Key};

    #[test]
    fn what_is_weak_by_now_counts_for_what_existed_before() {
        let made = Hierarchy::of(Key::p256);
        let until = datetime!(2012-08-01 00:00 UTC);
        let sha1 = || Some(Ending { algorithm: "SHA-1".into(), until });
        let chain = vec![made.seal, made.issuing, made.root];
        // Weak are the seal's certificate, its issuer's, or none.
        let judged = |ends: [Option<Ending>; 2], seal: OffsetDateTime, issuer: OffsetDateTime| {
            let (chain, ends) = (chain.clone(), ends.to_vec());
            let trusted = PathVerdict::Trusted { chain, revoked_later: None, evidence: Vec::new(), ends };
            let existed = |place: usize, _: &Certificate| if place == 0 { seal } else { issuer };
            outworn(trusted, existed, |_| datetime!(2030-01-01 00:00 UTC))
        };
        let (before, after) = (until - time::Duration::SECOND, until);
        for (ends, seal, issuer, good) in [
            ([None, None], after, after, true),
            ([sha1(), None], before, after, true),
            ([sha1(), None], after, before, false),
            ([sha1(), sha1()], before, before, true),
            // What signed it existed in time, but the authority's certificate could have been made since.
            ([sha1(), sha1()], before, after, false),
        ] {
            let verdict = judged(ends.clone(), seal, issuer);
            assert_eq!(verdict.is_ok(), good, "{ends:?} {seal} {issuer}");
            if let Err(unusable) = verdict {
                assert!(matches!(unusable.said, PathVerdict::Weak { ending, .. } if ending.until == until));
                assert_eq!(unusable.late, None);
            }
        }
    }
}
