//! An OFD package: each signature a list of files, a value over the list, and for a seal the seal itself, whose maker vouches
//! for it (GB/T 38540-2020 §8, GB/T 33190 §18).
//!
//! The order is the standard's (the steps of GM/T 0031-2014): form; the signer's value; his certificate and the time; the digest
//! of the list and every file of the list; the seal; and, beyond the standard, every file that the list leaves open.

use super::evidence::{Evidence, Facts, Record};
use super::existence::Existence;
use super::proof::listed;
use super::sealed::{self, Sealed, Used};
use super::sources::Sources;
use super::{Asked, proof};
use crate::cms::{Checks, Fault, SignedData, Signer};
use crate::crypto::Digest;
use crate::message::Message;
use crate::ofd::oddity::shown;
use crate::ofd::reading::{Inside, Read, Reading, Shown};
use crate::ofd::signatures::Kind;
use crate::pdf::changes::LaterChanges;
use crate::ses::SealSignature;
use crate::verify::report::{Check, Outcome, SealData, SignatureKind, SignatureReport, SubIndication as Sub};

/// One report for each signature.
pub(super) fn judge(evidence: &Evidence, reading: &Reading) -> Vec<SignatureReport> {
    let known = evidence.facts.iter().chain(std::iter::repeat(&Facts::NotAsked));
    let sources = Sources::default();
    let drawn = reading.shown.as_ref();
    reading.signatures.iter().zip(known).map(|(read, facts)| one(evidence, &sources, (read, drawn), facts)).collect()
}

fn one(
    evidence: &Evidence,
    sources: &Sources,
    (read, drawn): (&Read, Option<&Shown>),
    facts: &Facts,
) -> SignatureReport {
    let of_a_seal = match &read.value {
        Inside::Seal(sealed) => Some((&**sealed, Sealed::new(sealed, read.certificate.as_ref()))),
        _ => None,
    };
    let signed = match (&read.value, &of_a_seal) {
        (_, Some((_, of))) => &of.signed,
        (Inside::Cms(signed), _) => &**signed,
        _ => return without_signer(read, drawn),
    };
    let Some(signer) = signed.signers.first() else { return without_signer(read, drawn) };
    let digest = Digest::Sm3.over(&[&read.said]);
    let (crypto, claimed, identified, beside) = match &of_a_seal {
        Some((sealed, of)) => {
            let ledger = facts.record().and_then(Record::proven_time);
            let stamped = sealed::proven_by_stamp(evidence, sources, signer);
            let used = Used { proven: ledger.into_iter().chain(stamped).min(), claimed: sealed.claimed_at };
            let mut beside = sealed::of_the_seal(evidence, sources, of, used);
            beside.extend(sealed::known(evidence, of, facts));
            beside.extend(lies_here(sealed, read));
            beside.extend(stands(sealed, read, drawn));
            (sealed::checks(of, Some(&digest)), sealed.claimed_at, sealed::holder(of), beside)
        }
        None => {
            let crypto = of_cms(signed, signer, &digest, read);
            let identified = proof::signing_certificate(&crypto);
            (crypto, signer.claimed_time(), identified, Vec::new())
        }
    };
    let (coverage, covering) = listed::coverage(read, drawn);
    let (references, unchanged) = listed::references(read);
    let asked = Asked {
        name: format!("{} {}", read.signature.path, read.signature.id).trim_end().to_owned(),
        signed,
        signer,
        facts,
        end: usize::MAX,
        claimed,
        format: listed::format(read, signed, signer),
        crypto,
        identified,
        covers: (coverage, covering),
        has_content: true,
        since: (LaterChanges::None, Some(references), unchanged),
        beside,
        lying: None,
    };
    let mut report = asked.judge(evidence, sources, &Existence::default());
    if let Some((sealed, _)) = &of_a_seal {
        report.seal_data = Some(SealData::of(&sealed.seal));
    }
    // The digests that count are those of the files: without them the list proves nothing.
    report.intact &= read.missing.is_empty() && read.changed.is_empty();
    report.checks.extend(
        read.signature
            .odd
            .iter()
            .map(|odd| Check::new("tolerance", "GB/T 33190 §18, §7.3; GB/T 35276 §7.3", Outcome::Info, odd.message())),
    );
    report.checks.sort_by_key(|check| in_order(check.id));
    report
}

/// The standard's order; what is ours comes behind, and what decides nothing last.
fn in_order(id: &str) -> usize {
    const ORDER: [&str; 19] = [
        "format",
        "signature",
        "seal-holder",
        "signing-certificate",
        "certificate-path",
        "certificate-usage",
        "revocation",
        "time-stamp",
        "digest",
        "references",
        "coverage",
        "seal",
        "seal-maker",
        "seal-known",
        "seal-time-stamp",
        "seal-life",
        "seal-file",
        "seal-place",
        "seal-extensions",
    ];
    let last = usize::from(matches!(id, "tolerance" | "seal-format" | "seal-picture"));
    ORDER.iter().position(|one| *one == id).unwrap_or(ORDER.len() + last)
}

/// GB/T 35275 in the forms met: over the digest of the list as content, or over attributes with that digest.
fn of_cms(signed: &SignedData, signer: &Signer, digest: &[u8], read: &Read) -> Checks {
    let signer = sealed::written_shortest(signer);
    match &signed.content {
        None => signed.check(&signer, &[&read.said]),
        Some(inside) => {
            let mut checks = signed.check(&signer, &[inside]);
            if *inside != digest && *inside != read.said && checks.digest.is_ok() {
                checks.digest = Err(Fault::DigestDiffers);
            }
            checks
        }
    }
}

/// Whether the seal is the one that lies beside, and the signature where it says.
fn lies_here(sealed: &SealSignature, read: &Read) -> Vec<Check> {
    let mut checks = Vec::new();
    if read.other_seal {
        let message = Message::new(
            "verify.other-seal",
            "文件中的印章与签名数据中的印章不是同一个。",
            "The seal that lies in the file is not the one inside the signature.",
        );
        let check = Check::new("seal-file", "GB/T 33190 §18.2.2 (Seal)", Outcome::Failed, message);
        checks.push(check.because(Sub::FormatFailure));
    }
    let path = sealed.property.trim_start_matches('/');
    if path != read.signature.path && sealed.property.starts_with('/') {
        let (says, lies) = (shown(&sealed.property), shown(&read.signature.path));
        let message = Message::new(
            "verify.other-property",
            format!("签名数据称其保护“{says}”，而它放在“{lies}”。"),
            format!("The signature says that it protects {says}, but it lies at {lies}."),
        );
        let check = Check::new("seal-place", "GB/T 38540-2020 §7 (propertyInfo)", Outcome::Indeterminate, message);
        checks.push(check.because(Sub::SigConstraintsFailure));
    }
    checks
}

/// Where the seal's picture stands (GB/T 33190 §18.2.2, StampAnnot). Whoever signed chose it, so it speaks against nobody; but who
/// looks for the seal should know that it is not to be seen, or not in its size.
fn stands(sealed: &SealSignature, read: &Read, drawn: Option<&Shown>) -> Option<Check> {
    const SLACK_MM: f64 = 1.0;
    let stamps = &read.signature.stamps;
    let said = |id, zh: &str, en: &str| {
        Some(Check::new("seal-picture", "GB/T 33190 §18.2.2 (StampAnnot)", Outcome::Info, Message::new(id, zh, en)))
    };
    if stamps.is_empty() {
        return match read.signature.kind {
            Kind::Seal => said(
                "verify.stamp-nowhere",
                "这枚印章没有画在任何一页上，页面上看到的印章图样若有，不是它的。",
                "This seal stands on no page: what looks like a seal on the pages is not this one.",
            ),
            Kind::Sign => None,
        };
    }
    let [wide, high] = [sealed.seal.picture.width_mm, sealed.seal.picture.height_mm].map(|mm| mm as f64);
    if drawn.is_some_and(|drawn| stamps.iter().any(|stamp| !drawn.pages.contains(&stamp.page))) {
        return said(
            "verify.stamp-on-no-page",
            "印章的位置指向文件中没有的页面，看不到它。",
            "The seal is to stand on a page that is not there, where nobody sees it.",
        );
    }
    let other = |found: f64, own: f64| (found - own).abs() > SLACK_MM;
    if stamps.iter().any(|stamp| other(stamp.boundary[2], wide) || other(stamp.boundary[3], high)) {
        return said(
            "verify.stamp-size",
            "印章在页面上的大小与印章数据所载的不同。",
            "The seal is not drawn in the size that the seal's own data have.",
        );
    }
    None
}

/// A value that names no signer, or is none.
fn without_signer(read: &Read, drawn: Option<&Shown>) -> SignatureReport {
    let check = match read.value {
        Inside::Bare => {
            let message = Message::new(
                "verify.ofd-bare",
                "只有签名值，没有签名证书，无法确认是谁签的。",
                "There is a signature value without a certificate, so nobody can say whose it is.",
            );
            Check::new("format", "GB/T 33190 §18.3", Outcome::Indeterminate, message)
                .because(Sub::NoSigningCertificateFound)
        }
        _ => {
            let message = Message::new(
                "verify.ofd-unreadable",
                "签名数据不符合GB/T 38540或GB/T 35275，无法读取。",
                "The signature's data are neither as GB/T 38540 nor as GB/T 35275 has them.",
            );
            Check::new("format", "GB/T 38540-2020 §7", Outcome::Failed, message).because(Sub::FormatFailure)
        }
    };
    let (references, _) = listed::references(read);
    let (coverage, (covering, _)) = listed::coverage(read, drawn);
    let checks = vec![check, references, covering];
    SignatureReport {
        name: read.signature.path.clone(),
        kind: SignatureKind::Seal,
        verdict: super::decide(&checks, None),
        intact: false,
        coverage,
        later_changes: LaterChanges::None,
        signed_at: None,
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
