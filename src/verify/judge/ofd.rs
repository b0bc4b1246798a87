//! An OFD package: each signature a list of files, a value over the list, and for a seal the seal itself, whose maker vouches
//! for it (GB/T 38540-2020 §8, GB/T 33190 §18).
//!
//! The order is the standard's: form; the seal's own value and maker; the signer's value; who may use the seal; the digest of
//! the list; every file of the list; and, beyond the standard, every file that the list leaves open.

use const_oid::db::{rfc3161, rfc5911};
use spki::AlgorithmIdentifierOwned;
use time::OffsetDateTime;

use super::evidence::{Evidence, Facts};
use super::existence::Existence;
use super::sources::{self, Sources, find_path};
use super::{Asked, proof, stamps};
use crate::cms::{self, Attribute, Checks, Fault, Form, SignedData, Signer, SignerName};
use crate::crypto::{self, Digest, SignatureFault};
use crate::message::Message;
use crate::ofd::reading::{Inside, Read, Reading};
use crate::pdf::changes::LaterChanges;
use crate::pki::certificate::Certificate;
use crate::pki::path::PathVerdict;
use crate::pki::tlv;
use crate::ses::{self, SealSignature};
use crate::verify::report::{Check, Outcome, SignatureKind, SignatureReport, SubIndication as Sub, moment};

/// One report for each signature.
pub(super) fn judge(evidence: &Evidence, reading: &Reading) -> Vec<SignatureReport> {
    let known = evidence.facts.iter().chain(std::iter::repeat(&Facts::NotAsked));
    let sources = Sources::default();
    reading.signatures.iter().zip(known).map(|(read, facts)| one(evidence, &sources, read, facts)).collect()
}

/// What a signature says, in the words of a CMS: so the rest of the house, which knows certificates, lists and time stamps in
/// that form, judges it as any other.
pub(super) fn as_cms(read: &Read) -> Option<SignedData> {
    match &read.value {
        Inside::Seal(sealed) => Some(of_seal(sealed)),
        Inside::Cms(signed) => Some((**signed).clone()),
        Inside::Bare | Inside::Unreadable => None,
    }
}

fn of_seal(sealed: &SealSignature) -> SignedData {
    let stamp = sealed
        .stamp
        .iter()
        .map(|token| Attribute { oid: rfc3161::ID_AA_TIME_STAMP_TOKEN.into(), values: vec![token.clone()] });
    let name = match Certificate::read(&sealed.signer) {
        Ok(certificate) => SignerName::IssuerAndSerial { issuer: certificate.issuer, serial: certificate.serial },
        Err(_) => SignerName::KeyIdentifier(Vec::new()),
    };
    let signer = Signer {
        name,
        digest_algorithm: Digest::Sm3.oid(),
        signed_attributes_raw: None,
        signed_attributes: signed_beside(sealed),
        signature_algorithm: AlgorithmIdentifierOwned { oid: sealed.algorithm, parameters: None },
        signature: sealed.value.clone(),
        unsigned_attributes: stamp.collect(),
    };
    SignedData {
        form: Form::Cms,
        content_type: rfc5911::ID_DATA,
        content: None,
        certificates: vec![sealed.signer.clone(), sealed.seal.maker.clone()],
        other_certificates: 0,
        crls: Vec::new(),
        responses: Vec::new(),
        signers: vec![signer],
        trailing: 0,
    }
}

/// What the signed part says beside the seal, where a CMS has its signed attributes: the digest of the list, and the log's receipt.
fn signed_beside(sealed: &SealSignature) -> Vec<Attribute> {
    let digest = tlv::wrap(tlv::OCTET_STRING, &[&sealed.digest]);
    let receipts = sealed.extensions.iter().filter(|extension| cms::is_receipt(&extension.oid));
    let receipts = receipts.map(|one| Attribute { oid: one.oid.clone(), values: vec![one.value.clone()] });
    std::iter::once(Attribute { oid: rfc5911::ID_MESSAGE_DIGEST.into(), values: vec![digest] })
        .chain(receipts)
        .collect()
}

fn one(evidence: &Evidence, sources: &Sources, read: &Read, facts: &Facts) -> SignatureReport {
    let Some(signed) = as_cms(read) else { return without_signer(read) };
    let Some(signer) = signed.signers.first() else { return without_signer(read) };
    let crypto = match &read.value {
        Inside::Seal(sealed) => of_sealed(sealed, read),
        _ => of_cms(&signed, signer, read),
    };
    let claimed = match &read.value {
        Inside::Seal(sealed) => sealed.claimed_at,
        _ => signer.claimed_time(),
    };
    let mut more = Vec::new();
    if let Inside::Seal(sealed) = &read.value {
        let stamps = stamps::signature_stamps(evidence, sources, &Existence::default(), signer, usize::MAX);
        let proven = stamps.iter().filter_map(|stamp| stamp.proven.as_ref()).map(|proven| proven.at).min();
        more.extend(of_the_seal(evidence, sources, sealed, read, (proven, claimed)));
    }
    let spoiled = |check: &Check| matches!(check.outcome, Outcome::Failed | Outcome::Indeterminate);
    let sound = !more.iter().any(spoiled);
    let (coverage, covering) = proof::ofd_coverage(read);
    let (references, unchanged) = proof::ofd_references(read);
    let asked = Asked {
        name: format!("{} {}", read.signature.path, read.signature.id).trim_end().to_owned(),
        signed: &signed,
        signer,
        facts,
        end: usize::MAX,
        claimed,
        format: proof::ofd_format(read, sound),
        crypto,
        covers: (coverage, covering),
        has_content: true,
        since: (LaterChanges::None, Some(references), unchanged),
        lying: None,
    };
    let mut report = asked.judge(evidence, sources, &Existence::default());
    // The digests that count are those of the files: without them the list proves nothing.
    report.intact &= read.missing.is_empty() && read.changed.is_empty();
    let place = report.checks.len().min(1);
    report.checks.splice(place..place, more);
    report
}

/// The signer's value over the signed part, and the digest of the list in it.
fn of_sealed(sealed: &SealSignature, read: &Read) -> Checks {
    let certificate = Certificate::read(&sealed.signer).ok();
    let algorithm = AlgorithmIdentifierOwned { oid: sealed.algorithm, parameters: None };
    let value = match &certificate {
        None => Err(Fault::NoCertificate),
        Some(certificate) => value_holds(&certificate.public_key, &algorithm, &sealed.to_be_signed, &sealed.value),
    };
    let digest = if Digest::Sm3.over(&[&read.said]) == sealed.digest { Ok(()) } else { Err(Fault::DigestDiffers) };
    // The seal's list of holders stands where a CMS has its signed reference to the certificate.
    let held = if sealed.seal.is_held_by(&sealed.signer) { Ok(()) } else { Err(Fault::OtherCertificate) };
    let strengths = certificate.as_ref().and_then(|c| crypto::strengths(&c.public_key, &algorithm).ok());
    Checks {
        digest,
        content_type: Ok(()),
        signature: value,
        algorithms: Ok(()),
        signing_certificate: held,
        attributes_in_der: true,
        certificate,
        strengths: strengths.unwrap_or_default(),
    }
}

fn value_holds(
    public_key: &[u8],
    algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    value: &[u8],
) -> Result<(), Fault> {
    // SM2 values are met in three forms; others as they stand.
    let sm2 = if algorithm.oid == ses::SM2_WITH_SM3 { ses::Value::read(value) } else { None };
    let value = sm2.map_or_else(|| value.to_vec(), ses::Value::to_der);
    crypto::verify(public_key, algorithm, message, &value).map_err(Fault::Signature)
}

/// GB/T 35275 in the forms met: over the digest of the list as content, or over attributes with that digest.
fn of_cms(signed: &SignedData, signer: &Signer, read: &Read) -> Checks {
    let digest = Digest::Sm3.over(&[&read.said]);
    // Raw and unshortened values are met here too.
    let mut signer = signer.clone();
    if let Some(value) = ses::Value::read(&signer.signature) {
        signer.signature = value.to_der();
    }
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

/// The seal by itself (GB/T 38540-2020 §8.1): its maker's value, its maker's certificate when the seal was made, its life when it
/// was used; and whether it is the one that lies beside.
fn of_the_seal(
    evidence: &Evidence,
    sources: &Sources,
    sealed: &SealSignature,
    read: &Read,
    (proven, claimed): (Option<OffsetDateTime>, Option<OffsetDateTime>),
) -> Vec<Check> {
    const CLAUSE: &str = "GB/T 38540-2020 §8.1";
    let seal = &sealed.seal;
    let passed =
        |id, zh: &str, en: &str| Check::new(id, CLAUSE, Outcome::Passed, Message::new("verify.seal-right", zh, en));
    let failed = |id, what, sub, zh: String, en: String| {
        Check::new(id, CLAUSE, Outcome::Failed, Message::new(what, zh, en)).because(sub)
    };
    let open = |id, message: Message, sub| Check::new(id, CLAUSE, Outcome::Indeterminate, message).because(sub);
    let mut checks = Vec::new();

    let algorithm = AlgorithmIdentifierOwned { oid: seal.algorithm, parameters: None };
    let maker = Certificate::read(&seal.maker);
    let value = match &maker {
        Ok(maker) => value_holds(&maker.public_key, &algorithm, &seal.to_be_signed, &seal.value),
        Err(_) => Err(Fault::NoCertificate),
    };
    checks.push(match &value {
        Ok(()) => {
            passed("seal", "印章数据由制章者签名且未被改动", "the seal is signed by its maker and was not changed")
        }
        Err(fault @ Fault::Signature(SignatureFault::Wrong)) => {
            let said = fault.message();
            failed(
                "seal",
                "verify.seal-wrong",
                Sub::SigCryptoFailure,
                format!("印章数据：{}", said.zh),
                format!("The seal itself: {}", said.en),
            )
        }
        Err(fault) => open("seal", fault.message(), Sub::Generic),
    });
    if let Ok(maker) = &maker {
        let brought = SignedData { certificates: Vec::new(), ..of_seal(sealed) };
        let asked =
            sources::Signer { certificate: Some(maker), signed: &brought, facts: &Facts::NotAsked, end: usize::MAX };
        let verdict = find_path(evidence, sources, &Existence::default(), &asked, None);
        // Whoever may seal documents could make himself a seal with any name on it.
        let own = Certificate::read(&sealed.signer).is_ok_and(|signer| signer.public_key == maker.public_key);
        checks.push(match (&verdict, proof::usage(Some(maker))) {
            (PathVerdict::Trusted { revoked_later: None, .. }, (_, Some(_))) if !own => passed(
                "seal-maker",
                "制章者证书链通向受信任的根证书",
                "a path leads from the seal's maker to a trusted root",
            ),
            (PathVerdict::Trusted { .. }, (_, Some(_))) if own => {
                let message = Message::new(
                    "verify.seal-maker-own",
                    "印章是签章人自己制作的，没有制章机构为其作证。",
                    "The seal was made by the signer himself; no maker vouches for it.",
                );
                open("seal-maker", message, Sub::ChainConstraintsFailure)
            }
            (PathVerdict::Trusted { .. }, (usage, None)) => {
                open("seal-maker", usage.message, Sub::ChainConstraintsFailure)
            }
            (other, _) => open("seal-maker", other.message(), Sub::CertificateChainGeneralFailure),
        });
    }
    // What the signer says of the time condemns him where it is outside the seal's life, and proves nothing inside it.
    let life = seal.valid_from..=seal.valid_until;
    let newest = evidence.known_until();
    let (from, until) = (moment(seal.valid_from), moment(seal.valid_until));
    let outside = [proven, claimed].into_iter().flatten().find(|at| !life.contains(at));
    checks.push(match outside {
        Some(used) => {
            let zh = format!("印章有效期为{from}至{until}，签章时间{}不在其内。", moment(used));
            let en = format!("The seal lives from {from} to {until} Beijing time, and was used at {}, outside of it.", moment(used));
            failed("seal-life", "verify.seal-life", Sub::Expired, zh, en)
        }
        None if proven.is_some() || life.contains(&newest) => {
            passed("seal-life", "签章时间在印章有效期内", "the seal was used within its life")
        }
        None => {
            let message = Message::new(
                "verify.seal-life-unproven",
                format!("印章有效期为{from}至{until}，没有证据证明签章在此期间。请向印章所属机关核实。"),
                format!("The seal lives from {from} to {until} Beijing time, and nothing proves that it was used then. Ask its owner."),
            );
            open("seal-life", message, Sub::OutOfBoundsNoPoe)
        }
    });
    if read.other_seal {
        let zh = "文件中的印章与签名数据中的印章不是同一个。".to_owned();
        let en = "The seal that lies in the file is not the one inside the signature.".to_owned();
        checks.push(failed("seal-file", "verify.other-seal", Sub::FormatFailure, zh, en));
    }
    let path = sealed.property.trim_start_matches('/');
    if path != read.signature.path && sealed.property.starts_with('/') {
        let message = Message::new(
            "verify.other-property",
            format!("签名数据称其保护“{}”，而它放在“{}”。", sealed.property, read.signature.path),
            format!("The signature says that it protects {}, but it lies at {}.", sealed.property, read.signature.path),
        );
        checks.push(open("seal-place", message, Sub::SigConstraintsFailure));
    }
    if let Some(unknown) = sealed.extensions.iter().chain(&seal.extensions).find(|extension| extension.critical) {
        let message = Message::new(
            "verify.critical-extension",
            format!("印章或签名带有必须理解而本系统不识别的扩展（{}）。", unknown.oid),
            format!(
                "The seal or signature has an extension that must be understood and is not known here ({}).",
                unknown.oid
            ),
        );
        checks.push(open("seal-extensions", message, Sub::SigConstraintsFailure));
    }
    if seal.algorithm != ses::SM2_WITH_SM3 && value.is_ok() {
        let message = Message::new(
            "verify.seal-algorithm",
            format!("印章不是用SM2签名的（{}）。", seal.algorithm),
            format!("The seal is not signed with SM2 ({}).", seal.algorithm),
        );
        checks.push(open("seal-algorithm", message, Sub::CryptoConstraintsFailureNoPoe));
    }
    checks
}

/// A value that names no signer, or is none.
fn without_signer(read: &Read) -> SignatureReport {
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
    let (references, _) = proof::ofd_references(read);
    let (coverage, (covering, _)) = proof::ofd_coverage(read);
    let checks = vec![check, covering, references];
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
        level: None,
        log: None,
        time_stamps: Vec::new(),
        checks,
    }
}
