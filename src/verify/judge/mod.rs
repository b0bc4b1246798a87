//! Steps 4 to 8 of verification: a pure function of the evidence, so that a complaint can be judged again.

mod bare;
mod embedded;
pub mod evidence;
pub mod existence;
mod level;
pub mod log;
mod metadata;
mod ofd;
pub mod proof;
pub mod register;
mod sealed;
mod sources;
pub mod stamps;
pub mod standing;

use time::OffsetDateTime;

use self::evidence::{Envelope, Evidence, Facts, Opened, Record};
use self::existence::{Existence, Proven};
use self::proof::{Covered, Found, Genuine, Identified, Unchanged, WellFormed};
use self::sources::{Sources, find_path};
use super::report::{
    Check, Document, Format, Outcome, Report, SealFacts, SignatureKind, SignatureReport, SubIndication, Verdict,
    answers, summary,
};
use crate::cms::{Checks, CmsError, Fault, SignedData, Signer};
use crate::limits;
use crate::message::Message;
use crate::ofd::oddity::Oddity;
use crate::ofd::signatures::SignaturesFault;
use crate::pdf::PdfError;
use crate::pdf::changes::LaterChanges;
use crate::pdf::signatures::{Coverage, Signature};
use crate::pki::certificate::Certificate;
use crate::pki::name::Name;
use crate::pki::path::PathVerdict;

/// Judges one file.
///
/// A document is worth what its worst signature is worth; a time stamp that holds proves when they existed.
pub fn judge(evidence: &Evidence) -> Report {
    let mut findings = Vec::new();
    let mut signatures = Vec::new();
    let sources = Sources::of(evidence);
    let (format, unsigned) = match &evidence.opened {
        Opened::Pdf { reading, envelopes } => {
            findings.extend(reading.findings.iter().cloned());
            let (mut stamps, existence) = stamps::document_stamps(evidence, &sources, &reading.signatures);
            let known = evidence.facts.iter().chain(std::iter::repeat(&Facts::NotAsked));
            for (place, ((signature, envelope), facts)) in
                reading.signatures.iter().zip(envelopes).zip(known).enumerate()
            {
                // The stamps were judged from the last to the first.
                signatures.push(match stamps.pop_if(|(of, _)| *of == place) {
                    Some((_, stamp)) => stamp,
                    None => seal(evidence, &sources, &existence, (signature, envelope, facts)),
                });
            }
            (Format::Pdf, SubIndication::SignedDataNotFound)
        }
        Opened::UnreadablePdf(error) => {
            findings.push(error.message());
            (Format::Pdf, SubIndication::SignedDataNotFound)
        }
        Opened::Ofd(reading) => {
            findings.extend(reading.odd.iter().map(Oddity::message));
            signatures = ofd::judge(evidence, reading);
            (Format::Ofd, SubIndication::SignedDataNotFound)
        }
        Opened::UnreadableOfd(fault) => {
            findings.push(unreadable_package(fault));
            (Format::Ofd, SubIndication::SignedDataNotFound)
        }
        Opened::Cms(signed) => {
            signatures = bare::judge(evidence, signed);
            (Format::Cms, SubIndication::SignedDataNotFound)
        }
        Opened::Unknown => (Format::Unknown, SubIndication::SignedDataNotFound),
    };
    let seals = || signatures.iter().filter(|s: &&SignatureReport| s.kind == SignatureKind::Seal);
    // Of equally bad ones the first made counts.
    let worst = seals().map(|s| s.verdict).reduce(|worst, next| if next.rank() > worst.rank() { next } else { worst });
    let verdict = worst.unwrap_or(Verdict::Indeterminate(unsigned));
    let document = document(evidence);
    let mut summary = summary(format, &verdict, &signatures, document.as_ref());
    match &evidence.opened {
        Opened::UnreadablePdf(error) => summary = cannot_be_opened(error),
        Opened::UnreadableOfd(fault) => summary = unreadable_package(fault),
        _ => {}
    }
    let (warnings, copy) = metadata::judge(evidence, verdict.is_genuine());
    findings.extend(warnings);
    if let Some(copy) = copy.as_ref().filter(|_| verdict.is_genuine()) {
        summary = copy.added_to(summary);
    }
    Report {
        file: evidence.file.clone(),
        format,
        verdict,
        judged_at: evidence.at,
        answers: answers(format, &verdict, &signatures, document.as_ref()),
        summary,
        document,
        copy,
        findings,
        signatures,
    }
}

/// A package that nobody can judge: most such were made to be read in two ways.
fn unreadable_package(fault: &SignaturesFault) -> Message {
    Message::new(
        "verify.ofd-unreadable-package",
        format!(
            "无法确认真伪：OFD文件结构不合规范，不同软件可能看到不同内容（{}）。请向发文机关索取原件。",
            fault.zh()
        ),
        format!(
            "Cannot be confirmed: the OFD package is not as it must be, so readers may see different documents ({fault}). Ask the issuer for the original."
        ),
    )
}

/// For whoever received such a file; the finding beside it speaks to whoever made it.
fn cannot_be_opened(error: &PdfError) -> Message {
    match error {
        PdfError::NeedsPassword => Message::new(
            "verify.needs-password",
            "无法确认真伪：文件须用口令打开，其中的签章不予判断。请向发文机关索取不需口令的原件。",
            "Cannot be confirmed: the file needs a password, and seals in it are not judged. Ask the issuer for an original that opens without one.",
        ),
        PdfError::UnknownProtection => Message::new(
            "verify.unknown-protection",
            "无法确认真伪：文件使用了本程序不能读取的保护方式，其中的签章不予判断。请向发文机关索取未加密的原件。",
            "Cannot be confirmed: the file is protected in a way that cannot be read here, and seals in it are not judged. Ask the issuer for an original that is not.",
        ),
        PdfError::OverLimit { .. } => Message::new(
            "verify.over-limit",
            format!("无法确认真伪：{}", error.message().zh),
            format!("Cannot be confirmed: {}", error.message().en),
        ),
        _ => Message::new(
            "verify.unreadable",
            "无法确认真伪：文件结构损坏，无法可靠读取其中的签章。请向发文机关索取原件。",
            "Cannot be confirmed: the file's structure is broken, so its seals cannot be read reliably. Ask the issuer for the original.",
        ),
    }
}

/// One seal of a PDF.
fn seal(
    evidence: &Evidence,
    sources: &Sources,
    existence: &Existence,
    (signature, envelope, facts): (&Signature, &Envelope, &Facts),
) -> SignatureReport {
    if let Some(sealed) = &envelope.seal {
        let sealed = (&**sealed, envelope.certificate.as_ref());
        return embedded::judge(evidence, sources, existence, (signature, sealed, facts));
    }
    let signed = match &envelope.cms {
        Ok(signed) => signed,
        Err(error) => return unreadable(signature, error),
    };
    let Some(signer) = signed.signers.first() else {
        return unreadable(signature, &CmsError::Malformed("signerInfos"));
    };
    // GB/T 35275 in a PDF, whose SM2 values are written as those of OFD are.
    let crypto = match signature.sub_filter.starts_with("GM.") {
        true => check(signature, envelope, signed, &sealed::written_shortest(signer)),
        false => check(signature, envelope, signed, signer),
    };
    let (later_changes, unchanged) = proof::later_changes(signature);
    let identified = proof::signing_certificate(&crypto);
    let asked = Asked {
        name: signature.field.clone(),
        signed,
        signer,
        facts,
        end: signature.signed_length.unwrap_or(usize::MAX),
        claimed: signature.claimed_time.or_else(|| signer.claimed_time()),
        format: proof::format(signature, signed, &crypto),
        crypto,
        identified,
        covers: (signature.coverage, proof::coverage(signature)),
        has_content: true,
        since: (signature.later_changes, Some(later_changes), unchanged),
        beside: Vec::new(),
        lying: Some(signature),
    };
    asked.judge(evidence, sources, existence)
}

/// A signer, with what was found out about the form of his signature and what it covers.
struct Asked<'a> {
    name: String,
    signed: &'a SignedData,
    signer: &'a Signer,
    facts: &'a Facts,
    /// How many of the file's first bytes hold the signature.
    end: usize,
    claimed: Option<OffsetDateTime>,
    crypto: Checks,
    format: Found<WellFormed>,
    /// Whose the value is, by the signature's own account.
    identified: Found<Identified>,
    covers: (Coverage, Found<Covered>),
    /// Without content there is nothing that digest and value could be of.
    has_content: bool,
    /// What came later, where anything can.
    since: (LaterChanges, Option<Check>, Option<Unchanged>),
    /// What was found about a seal that the signature holds; anything against it keeps it from passing.
    beside: Vec<Check>,
    /// How it lies in a PDF, whose levels are told apart.
    lying: Option<&'a Signature>,
}

impl Asked<'_> {
    /// Check by check.
    fn judge(self, evidence: &Evidence, sources: &Sources, existence: &Existence) -> SignatureReport {
        let Self { name, signed, signer, facts, end, claimed, crypto, .. } = self;
        let record = facts.record();
        let stamps = stamps::signature_stamps(evidence, sources, existence, signer, end);
        let ledger = record.and_then(Record::proven_time).map(Proven::by_ledger);
        let stamped = stamps.iter().filter_map(|stamp| stamp.proven.as_ref());
        let proofs: Vec<&Proven> = ledger.iter().chain(existence.all(end)).chain(stamped).collect();
        let earliest =
            |of: &dyn Fn(&Proven) -> bool| proofs.iter().copied().filter(|one| of(one)).min_by_key(|one| one.at);
        let proven = earliest(&|_| true);

        let (format, well_formed) = self.format;
        let (coverage, (covering, covered)) = self.covers;
        let (digest, digest_right) = proof::digest(&crypto, proven);
        let (value, value_right) = proof::value(&crypto, proven);
        let (reference, identified) = self.identified;
        let asked = sources::Signer { certificate: crypto.certificate.as_ref(), signed, facts, end };
        let verdict = find_path(evidence, sources, existence, &asked, proven.map(|proven| proven.at));
        let ((path, trusted), (revocation, not_revoked)) = proof::path(&verdict, record, proven, claimed);
        let carried = || sources::carried(evidence, sources, existence, &asked, proven.map(|proven| proven.at));
        let level = self.lying.and_then(|lying| level::reached(lying, &crypto, carried(), &stamps, existence, end));
        let (usage, may_sign) = proof::usage(crypto.certificate.as_ref());
        let (later_changes, later, unchanged) = self.since;
        let issuers = issuers(&verdict, crypto.certificate.as_ref());
        let facts = match facts {
            Facts::Unknown if issuers.iter().any(|name| evidence.house.iter().any(|own| own.means(name))) => {
                &Facts::Unfiled
            }
            facts => facts,
        };
        let (standing, allowed) = standing::judge(facts, proven, claimed, evidence);
        // Whoever can seal past the log may well have the house's own time-stamp key too: its word alone makes nothing older
        // than the log. Where nobody says which authorities are the house's, the root of the seal is.
        let own = if evidence.house.is_empty() {
            issuers.last().map_or(&[][..], std::slice::from_ref)
        } else {
            &evidence.house
        };
        let asked = log::Use { signer, crypto: &crypto, facts, proven: earliest(&|one| !one.is_of(own)), claimed };
        let ((logged, not_secret), log) = log::judge(&asked, &evidence.trust);

        let mut checks = vec![format, covering];
        if self.has_content {
            checks.extend([digest, value]);
        }
        checks.extend([reference, path, usage, revocation]);
        checks.extend(later);
        checks.push(logged);
        checks.extend(standing);
        checks.extend(self.beside);
        let genuine = (|| {
            Some(Genuine::of(
                well_formed?,
                covered?,
                digest_right?,
                value_right?,
                identified?,
                trusted?,
                may_sign?,
                not_revoked?,
                unchanged?,
                allowed?,
                not_secret?,
            ))
        })();
        SignatureReport {
            name,
            kind: SignatureKind::Seal,
            verdict: decide(&checks, genuine),
            intact: crypto.is_intact(),
            coverage,
            later_changes,
            signed_at: claimed,
            proven_time: proven.map(|proven| proven.at),
            proven_by: proven.map(|proven| proven.by.clone()),
            signer: crypto.certificate.as_ref().map(|certificate| certificate.subject.to_string()),
            trusted: matches!(verdict, PathVerdict::Trusted { .. }),
            seal: facts.seal().map(|seal| SealFacts::of(seal, evidence.at, proven.map(|proven| proven.at))),
            seal_data: None,
            level,
            log,
            time_stamps: stamps.into_iter().map(|stamp| stamp.report).collect(),
            checks,
        }
    }
}

/// Who vouches for the signer, up to the root where a path leads there; at least whom he himself names.
fn issuers(verdict: &PathVerdict, certificate: Option<&Certificate>) -> Vec<Name> {
    let named = stamps::issuers(verdict);
    if named.is_empty() {
        certificate.map(|certificate| certificate.issuer.clone()).into_iter().collect()
    } else {
        named
    }
}

/// The value and the digests, over the bytes as they were read.
fn check(signature: &Signature, envelope: &Envelope, signed: &SignedData, signer: &Signer) -> Checks {
    // With signed attributes the value is over them, and of the content only the digest is asked for.
    let attributes = signer.signed_attributes_raw.is_some();
    let pieces: &[&[u8]] = match (&envelope.content, signature.byte_range.is_empty()) {
        (_, true) => &[],
        (Some(content), _) => &[content],
        (None, _) => &[&[]],
    };
    let mut asked = false;
    let mut crypto = signed.check_digested(signer, envelope.certificate.as_ref(), pieces, &mut |digest| {
        asked = true;
        signature.digest(digest).map(<[u8]>::to_vec)
    });
    // Some values read the content itself, of which there was too much to keep.
    if !attributes && !asked && envelope.content.is_none() && !pieces.is_empty() {
        crypto.signature = Err(Fault::TooLong(limits::CMS_DIRECT_BYTES));
    }
    crypto
}

/// The gravest outcome with its first reason. No check against it is not enough: every proof must be there.
fn decide(checks: &[Check], genuine: Option<Genuine>) -> Verdict {
    let first = |outcome| checks.iter().find(|check| check.outcome == outcome);
    let sub = |check: &Check| check.sub_indication().unwrap_or(SubIndication::Generic);
    match (first(Outcome::Failed), first(Outcome::Indeterminate), genuine) {
        (Some(check), ..) => Verdict::Failed(sub(check)),
        (None, Some(check), _) => Verdict::Indeterminate(sub(check)),
        (None, None, Some(genuine)) => Verdict::Genuine(genuine),
        (None, None, None) => Verdict::Indeterminate(SubIndication::Generic),
    }
}

/// A signature whose envelope cannot be read (EN 319 102-1 §5.2.2).
fn unreadable(signature: &Signature, error: &CmsError) -> SignatureReport {
    let check = proof::unknown_kind(signature, false).unwrap_or_else(|| {
        let check = Check::new("format", "EN 319 102-1 §5.2.2; RFC 5652 §5.1", Outcome::Failed, error.message());
        check.because(SubIndication::FormatFailure)
    });
    let checks = vec![check, proof::coverage(signature).0];
    SignatureReport {
        name: signature.field.clone(),
        kind: SignatureKind::Seal,
        verdict: decide(&checks, None),
        intact: false,
        coverage: signature.coverage,
        later_changes: signature.later_changes,
        signed_at: signature.claimed_time,
        proven_time: None,
        proven_by: None,
        signer: None,
        trusted: false,
        seal: None,
        seal_data: None,
        level: None,
        log: None,
        time_stamps: Vec::new(),
        checks,
    }
}

/// The document as the newest use in the ledger has it.
fn document(evidence: &Evidence) -> Option<Document> {
    let record = evidence.facts.iter().rev().find_map(Facts::record)?;
    Some(Document {
        title: match &record.licence {
            Some(licence) if record.copy.is_none() => licence.name.clone(),
            _ => record.title.clone(),
        },
        identifier: record.licence.as_ref().map(|licence| licence.version.identifier.to_string()),
        holder: record.licence.as_ref().map(|licence| licence.holder.clone()),
        basis: record.basis.clone(),
        licence_status: standing::licence_now(record, evidence.at),
    })
}
