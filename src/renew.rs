//! RENEW: before the newest time stamp of a document can prove nothing any more, the evidence for it is put into the
//! document and a new time stamp over all of that (EN 319 142-1 §5.5; EN 319 102-1 §5.6.2.3). The earlier bytes stay.
//!
//! Our own documents are found by the day on which they lapse, and the register keeps every form; foreign files are renewed
//! on request. A bad file is never made to look good: what the judge fails is refused, and what it cannot confirm stays
//! unconfirmed and is said.

use std::sync::Arc;

use const_oid::db::rfc3161;
use time::{Duration, OffsetDateTime};

use crate::crypto::Digest;
use crate::desk::{Desk, FlowError};
use crate::issue::lasting::{self, appended, archived};
use crate::limits;
use crate::message::{Message, china_time};
use crate::pdf::changes::LaterChanges;
use crate::pdf::long_term::{Material, add_evidence};
use crate::pdf::signatures::Coverage;
use crate::pki::certificate::Certificate;
use crate::seal::Level;
use crate::stamp::Token;
use crate::store::DocumentForm;
use crate::verify::gather::{GatherError, gather, house_trust};
use crate::verify::judge::evidence::Opened;
use crate::verify::report::{SignatureKind, Verdict};
use crate::verify::{Evidence, Report, Trust, judge};

/// A document under a new time stamp.
#[derive(Debug)]
pub struct Renewed {
    /// The document as it was, and behind it the new evidence and the new time stamp.
    pub bytes: Vec<u8>,
    /// From when on the new time stamp proves nothing by itself.
    pub lapses_at: OffsetDateTime,
    /// How the document is judged now.
    pub report: Report,
    /// What the new time stamp does not heal: it was not proven before.
    pub unproven: Vec<Message>,
}

impl Renewed {
    /// The lowest level that any seal of the document has reached; none where one is of no level at all.
    pub fn level(&self) -> Option<Level> {
        lowest(&self.report)
    }
}

/// Renews one document. `trust` is what the caller trusts beside this house's own authorities.
///
/// # Errors
/// [`FlowError::Request`] where it is no signed PDF or the judge fails it; [`FlowError::NoEvidence`] and
/// [`FlowError::Unstamped`] where what it takes cannot be had now: a good document is not made into a worse one.
pub async fn renew(
    desk: &Desk,
    trust: &Trust,
    name: &str,
    document: Vec<u8>,
    now: OffsetDateTime,
) -> Result<Renewed, FlowError> {
    let trust = trust.clone().and(house_trust(&desk.store).await?);
    let stampers = Trust { anchors: desk.stamp_anchors().await?, ..Trust::default() };
    let trust = Arc::new(trust.and(stampers));
    let document = Arc::new(document);
    let (evidence, before) = judged(desk, &trust, name, document.clone(), now).await?;
    may_be_renewed(&before)?;

    let mut unproven = not_confirmed(&before);
    let mut found = Material::default();
    for (signer, newest_stamp) in signers(&evidence) {
        // Nobody answers for a certificate that has ended; what was put in before then still speaks for it.
        if signer.first().is_none_or(|leaf| leaf.not_after < now) {
            continue;
        }
        match desk.evidence(&signer, now).await {
            Ok(material) => add(&mut found, material),
            Err(FlowError::NoEvidence(why)) => {
                let own = brought(&trust, &signer);
                if own == Material::default() && newest_stamp && before.verdict.is_genuine() {
                    return Err(FlowError::NoEvidence(why));
                }
                if own == Material::default() {
                    unproven.push(why);
                }
                add(&mut found, own);
            }
            Err(error) => return Err(error),
        }
    }
    // The new stamp's own evidence is the next renewal's; but who stamps now is known by asking, and so is how it stands.
    let herald = desk.stamp(Digest::Sha256, &crate::crypto::sha256(&document)).await?;
    if let Ok(material) = desk.evidence(&lasting::stampers(&herald)?, now).await {
        add(&mut found, material);
    }
    drop(evidence);
    let document = Arc::unwrap_or_clone(document);
    let document = appended(document, move |document| add_evidence(document, &found)).await?;
    let (bytes, lapses_at) = archived(desk, document).await?;
    let bytes = Arc::new(bytes);
    let at = (desk.clock)().max(now);
    let (_, report) = judged(desk, &trust, name, bytes.clone(), at).await?;
    check_ourselves(&before, &report)?;
    Ok(Renewed { bytes: Arc::unwrap_or_clone(bytes), lapses_at, report, unproven })
}

/// What became of one of our own documents.
#[derive(Debug)]
pub struct Outcome {
    /// SHA-256 of the document as it was issued, hexadecimal.
    pub original: String,
    /// Until when it holds now, or why it was not renewed; then it is tried again the next time.
    pub outcome: Result<OffsetDateTime, Message>,
}

/// The documents of our own whose time stamps lapse within the margin, soonest first.
///
/// # Errors
/// Trouble of the store.
pub async fn lapsing(desk: &Desk, now: OffsetDateTime) -> Result<Vec<DocumentForm>, FlowError> {
    Ok(desk.store.lapsing(now + Duration::days(limits::RENEW_DAYS_BEFORE), limits::RENEW_AT_ONCE).await?)
}

/// Renews one of our own documents, and files the new form beside the old ones.
///
/// # Errors
/// Trouble of the store; everything else is an outcome.
pub async fn renew_our_own(
    desk: &Desk,
    trust: &Trust,
    form: &DocumentForm,
    now: OffsetDateTime,
) -> Result<Outcome, FlowError> {
    let outcome = match one_of_ours(desk, trust, form, now).await {
        Ok(until) => Ok(until),
        Err(FlowError::Store(error)) => return Err(error.into()),
        Err(error) => Err(error.message()),
    };
    Ok(Outcome { original: form.original.clone(), outcome })
}

async fn one_of_ours(
    desk: &Desk,
    trust: &Trust,
    form: &DocumentForm,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, FlowError> {
    let document = desk.store.document(&form.document).await?.ok_or_else(|| {
        refused("renew.no-document", "登记的文书不在库中", "the document on file is not in the store")
    })?;
    let renewed = renew(desk, trust, &form.original, document.bytes, now).await?;
    // A stamp under the same certificate would only be in the way of a better one.
    if renewed.lapses_at <= form.lapses_at {
        return Err(refused(
            "renew.no-gain",
            format!("新的时间戳并不比现有的更长久（{}），请先更换时间戳证书", china_time(form.lapses_at)),
            format!(
                "a new time stamp would hold no longer than the present one ({} Beijing time); renew the time-stamping certificate first",
                china_time(form.lapses_at)
            ),
        ));
    }
    desk.store.renew(form, &renewed.bytes, renewed.lapses_at, (desk.clock)().max(now)).await?;
    Ok(renewed.lapses_at)
}

async fn judged(
    desk: &Desk,
    trust: &Arc<Trust>,
    name: &str,
    document: Arc<Vec<u8>>,
    at: OffsetDateTime,
) -> Result<(Evidence, Report), FlowError> {
    let mut evidence =
        gather(Some(&desk.store), trust.clone(), name, document, at).await.map_err(|error| match error {
            GatherError::Store(error) => error.into(),
            GatherError::Unread(error) => FlowError::Request(GatherError::unread(&error)),
        })?;
    evidence.now = Some(at);
    let report = judge(&evidence);
    Ok((evidence, report))
}

/// What is failed, or signed by nobody, gets no time stamp from us.
fn may_be_renewed(report: &Report) -> Result<(), FlowError> {
    if !report.signatures.iter().any(|signature| signature.kind == SignatureKind::Seal) {
        return Err(refused(
            "renew.unsigned",
            "文件中没有可续期的电子签章（须为带签章的PDF）",
            "there is no seal in this file that could be renewed; it must be a sealed PDF",
        ));
    }
    let failed = report.signatures.iter().any(|signature| matches!(signature.verdict, Verdict::Failed(_)));
    if failed || report.signatures.iter().any(|signature| signature.later_changes == LaterChanges::Suspicious) {
        return Err(refused(
            "renew.failed",
            format!("文件核验不通过，不予续期：{}", report.summary.zh),
            format!("the file is not renewed, since it does not pass: {}", report.summary.en),
        ));
    }
    Ok(())
}

/// Why each signature that the judge could not confirm is as it is.
fn not_confirmed(report: &Report) -> Vec<Message> {
    let unsure = report.signatures.iter().filter(|signature| !signature.verdict.is_genuine());
    let first = |checks: &[crate::verify::report::Check]| {
        checks.iter().find(|check| check.sub_indication().is_some()).map(|check| check.message.clone())
    };
    unsure.filter_map(|signature| first(&signature.checks)).collect()
}

/// Of every seal and every time stamp the certificates, its signer's first; and whether it is the newest time stamp.
fn signers(evidence: &Evidence) -> Vec<(Vec<Certificate>, bool)> {
    let Opened::Pdf { reading, envelopes } = &evidence.opened else { return vec![] };
    let pool: Vec<Certificate> = reading
        .validation
        .certificates
        .iter()
        .filter_map(|item| Certificate::read(&item.der).ok())
        .chain(evidence.trust.intermediates.iter().chain(&evidence.trust.anchors).cloned())
        .collect();
    let mut chains = Vec::new();
    for (signature, envelope) in reading.signatures.iter().zip(envelopes) {
        if signature.is_time_stamp {
            if let Some(chain) = stampers(&signature.cms, &pool) {
                chains.push((chain, true));
            }
            continue;
        }
        let Ok(signed) = &envelope.cms else { continue };
        if let Some(leaf) = &envelope.certificate {
            chains.push((chain_of(leaf, &signed.certificates, &pool), false));
        }
        let attributes = signed.signers.iter().flat_map(|signer| &signer.unsigned_attributes);
        let tokens = attributes.filter(|attribute| attribute.oid == rfc3161::ID_AA_TIME_STAMP_TOKEN);
        chains.extend(tokens.flat_map(|one| &one.values).filter_map(|token| Some((stampers(token, &pool)?, true))));
    }
    let newest = chains.iter().rposition(|(_, stamp)| *stamp);
    chains.into_iter().enumerate().map(|(place, (chain, _))| (chain, Some(place) == newest)).collect()
}

fn stampers(token: &[u8], pool: &[Certificate]) -> Option<Vec<Certificate>> {
    let token = Token::read(token).ok()?;
    Some(chain_of(&token.check().certificate?, &token.signed.certificates, pool))
}

/// From a leaf up as far as the certificates at hand lead.
fn chain_of(leaf: &Certificate, inside: &[Vec<u8>], pool: &[Certificate]) -> Vec<Certificate> {
    let inside: Vec<Certificate> = inside.iter().filter_map(|der| Certificate::read(der).ok()).collect();
    let mut chain = vec![leaf.clone()];
    while chain.len() < limits::PATH_CERTIFICATES {
        let Some(last) = chain.last().filter(|last| !last.is_self_issued()) else { break };
        let made_it =
            |issuer: &&Certificate| issuer.subject.means(&last.issuer) && last.is_signed_by(&issuer.public_key).is_ok();
        match inside.iter().chain(pool).find(made_it).cloned() {
            Some(issuer) => chain.push(issuer),
            None => break,
        }
    }
    chain
}

/// What the caller's own folder says about this chain.
fn brought(trust: &Trust, chain: &[Certificate]) -> Material {
    let is_about = |name: &crate::pki::name::Name| chain.iter().any(|certificate| certificate.issuer.means(name));
    let lists: Vec<Vec<u8>> =
        trust.lists.iter().filter(|list| is_about(&list.issuer)).map(|list| list.der().to_vec()).collect();
    let certificates = match lists.is_empty() {
        true => Vec::new(),
        false => chain.iter().map(|certificate| certificate.der().to_vec()).collect(),
    };
    Material { certificates, lists, responses: Vec::new() }
}

fn add(found: &mut Material, more: Material) {
    let Material { certificates, lists, responses } = more;
    for (known, new) in
        [(&mut found.certificates, certificates), (&mut found.lists, lists), (&mut found.responses, responses)]
    {
        for item in new {
            if !known.contains(&item) {
                known.push(item);
            }
        }
    }
}

/// What is given away is no worse than what came: nothing is less certain, the newest time stamp covers everything and
/// holds, and a good document can be checked by itself.
fn check_ourselves(before: &Report, after: &Report) -> Result<(), FlowError> {
    let same = before.signatures.len() + 1 == after.signatures.len();
    let no_worse = before.signatures.iter().zip(&after.signatures).all(|(before, after)| {
        grade(&after.verdict) <= grade(&before.verdict) && after.intact == before.intact && after.level >= before.level
    });
    let stamped = after
        .signatures
        .last()
        .is_some_and(|last| last.kind == SignatureKind::TimeStamp && last.coverage == Coverage::Whole && last.intact);
    let lasting = !before.verdict.is_genuine() || lowest(after) == Some(Level::Lta) || lowest(before).is_none();
    if same && no_worse && stamped && lasting {
        return Ok(());
    }
    Err(FlowError::NoEvidence(Message::new(
        "renew.incomplete",
        format!("续期后的文件未达到长期验证的要求，未予采用：{}", after.summary.zh),
        format!("the renewed file would not last by itself and was not taken: {}", after.summary.en),
    )))
}

fn grade(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Genuine(_) => 0,
        Verdict::Indeterminate(_) => 1,
        Verdict::Failed(_) => 2,
    }
}

fn lowest(report: &Report) -> Option<Level> {
    let seals = report.signatures.iter().filter(|signature| signature.kind == SignatureKind::Seal);
    seals.map(|seal| seal.level).min().flatten()
}

fn refused(id: &'static str, zh: impl Into<String>, en: impl Into<String>) -> FlowError {
    FlowError::Request(Message::new(id, zh, en))
}
