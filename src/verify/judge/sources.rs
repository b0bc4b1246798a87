//! What a path may be made of, and since when each piece provably exists: the settings' trust, the register's chains, the
//! document's validation data (DSS), and what the CMS brought along.

use std::borrow::Cow;
use std::sync::Arc;

use time::OffsetDateTime;

use super::evidence::{Evidence, Facts, Opened};
use super::existence::Existence;
use crate::cms::SignedData;
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
    path(evidence, sources, existence, signer, proven, false)
}

/// How many of the file's first bytes hold all that the signer's path takes, anchors alone left out: what is needed to be of
/// level B-LT (EN 319 142-1 §6.1). None where it takes more than the file carries.
pub(super) fn carried(
    evidence: &Evidence,
    sources: &Sources,
    existence: &Existence,
    signer: &Signer<'_>,
    proven: Option<OffsetDateTime>,
) -> Option<usize> {
    if sources.since.is_empty() {
        return None;
    }
    let PathVerdict::Trusted { evidence: statements, .. } = path(evidence, sources, existence, signer, proven, true)
    else {
        return None;
    };
    let ends =
        |der: &Arc<[u8]>| sources.since.iter().find(|(known, _)| known == der).map_or(signer.end, |(_, end)| *end);
    let used = statements.iter().flat_map(|statement| std::iter::once(&statement.der).chain(&statement.base));
    Some(used.map(ends).fold(signer.end, usize::max))
}

/// `alone`: by what the file carries and the anchors, and nothing else.
fn path(
    evidence: &Evidence,
    sources: &Sources,
    existence: &Existence,
    signer: &Signer<'_>,
    proven: Option<OffsetDateTime>,
    alone: bool,
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
        Facts::Filed { chain, .. } if !alone => chain.as_slice(),
        _ => &[],
    };
    let inside = inside.iter().map(AsRef::as_ref);
    let (helpers, lists, responses) = match alone {
        true => Default::default(),
        false => (trust.intermediates.as_slice(), trust.lists.as_slice(), trust.responses.as_slice()),
    };
    let candidates: Vec<&Certificate> =
        helpers.iter().chain(filed).chain(inside).chain(&sources.certificates).collect();
    let brought = signer.signed.revocation_evidence();
    let revocation = RevocationEvidence {
        lists: lists.iter().chain(&sources.lists).chain(&brought.lists).collect(),
        responses: responses.iter().chain(&sources.responses).chain(&brought.responses).collect(),
    };
    let at = |moment| {
        judge_path_within(&sources.purse, leaf, &candidates, &trust.anchors, &revocation, &trust.known, moment)
    };
    let (asked, newest) = (proven.unwrap_or(evidence.at), evidence.known_until());
    let verdict = match at(asked) {
        PathVerdict::Trusted { .. } if proven.is_none() && newest > asked => at(newest),
        verdict => verdict,
    };
    let exists_since = |der: &Arc<[u8]>| {
        let of_bytes = |end| existence.of(end).map(|proven| proven.at);
        let in_document = sources.since.iter().find(|(known, _)| known == der);
        let in_envelope = || {
            let lists = brought.lists.iter().any(|list| list.shared_der() == *der);
            lists || brought.responses.iter().any(|response| response.shared_der() == *der)
        };
        match in_document {
            Some((_, end)) => of_bytes(*end),
            None if in_envelope() => of_bytes(signer.end),
            None => None,
        }
        .unwrap_or(newest)
    };
    // What a delta list says rests on the complete list below it.
    let since = |statement: &Statement| {
        let base = statement.base.as_ref().map(exists_since);
        base.into_iter().fold(exists_since(&statement.der), OffsetDateTime::max)
    };
    outlived(verdict, since)
}

/// Revocation data speak for the past only if they existed while their maker's own certificate counted: whoever gets hold of
/// a dead authority's key could write any list with any date (EN 319 102-1 §5.6.2.1, control time). Anchors are trusted as
/// configured, whatever their dates.
fn outlived(verdict: PathVerdict, since: impl Fn(&Statement) -> OffsetDateTime) -> PathVerdict {
    let PathVerdict::Trusted { chain, evidence, .. } = &verdict else { return verdict };
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
    match late.map(|statement| statement.about + 1) {
        Some(at_fault) => PathVerdict::Expired { chain: chain.clone(), at_fault },
        None => verdict,
    }
}
