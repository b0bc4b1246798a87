//! The checks on bytes, values and certificates, and the proofs that they alone can make.
//!
//! A proof is a value with a private field: there is no other way to one than the check that found it so, and
//! [`Genuine`] asks for one of each. A forgotten check is therefore a compile error, not a passed forgery.

pub(super) mod listed;

use time::OffsetDateTime;

use super::evidence::Record;
use super::existence::Proven;
use super::stamps::{InOrder, Stamped, TokenFormed};
use crate::cms::{Checks, Fault, Form, SignedData};
use crate::crypto::{SignatureFault, Strength};
use crate::message::Message;
use crate::ofd::oddity::shown;
use crate::pdf::changes::LaterChanges;
use crate::pdf::signatures::{Coverage, Signature};
use crate::pki::certificate::Certificate;
use crate::pki::path::PathVerdict;
use crate::verify::report::{Check, Outcome, SubIndication as Sub, moment};

/// The bytes are a signature of a kind that we judge, and nothing about their form is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WellFormed(());
/// The signature speaks for all of the file as it was then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered(());
/// The digest is the content's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestRight(());
/// The value is the key's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueRight(());
/// The certificate is the one the signer meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identified(());
/// A path to an anchor held at the moment that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trusted(());
/// The key may sign documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaySign(());
/// Proven not revoked at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotRevoked(());
/// Nothing happened since that was not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unchanged(());

/// Everything that makes a signature genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Genuine(());

impl Genuine {
    /// One of each proof, and those of the register ([`super::standing`]) and the log ([`super::log`]).
    #[expect(clippy::too_many_arguments, reason = "each is one proof; a struct of them could be filled in half")]
    pub(super) fn of(
        _: WellFormed,
        _: Covered,
        _: DigestRight,
        _: ValueRight,
        _: Identified,
        _: Trusted,
        _: MaySign,
        _: NotRevoked,
        _: Unchanged,
        _: super::standing::Allowed,
        _: super::log::NotSecret,
    ) -> Self {
        Self(())
    }

    /// One of each proof for a time stamp ([`super::stamps`]): no seal of ours, and nothing that could come later.
    #[expect(clippy::too_many_arguments, reason = "each is one proof; a struct of them could be filled in half")]
    pub(super) fn stamp(
        _: TokenFormed,
        _: Stamped,
        _: DigestRight,
        _: ValueRight,
        _: Identified,
        _: Trusted,
        _: NotRevoked,
        _: InOrder,
    ) -> Self {
        Self(())
    }
}

/// A check, and the proof where it passed.
pub(super) type Found<P> = (Check, Option<P>);

pub(super) fn passed<P>(id: &'static str, clause: &'static str, zh: &str, en: &str, proof: P) -> Found<P> {
    (Check::new(id, clause, Outcome::Passed, Message::new("verify.check-passed", zh, en)), Some(proof))
}

pub(super) fn failed<P>(id: &'static str, clause: &'static str, sub: Sub, message: Message) -> Found<P> {
    (Check::new(id, clause, Outcome::Failed, message).because(sub), None)
}

pub(super) fn open<P>(id: &'static str, clause: &'static str, sub: Sub, message: Message) -> Found<P> {
    (Check::new(id, clause, Outcome::Indeterminate, message).because(sub), None)
}

/// Form of the signature (EN 319 102-1 §5.2.2): a kind that we judge, one signer, detached, nothing odd.
pub(super) fn format(signature: &Signature, signed: &SignedData, checks: &Checks) -> Found<WellFormed> {
    const ID: &str = "format";
    const CLAUSE: &str = "EN 319 102-1 §5.2.2; ISO 32000-2 §12.8.3.3";
    if let Some(check) = unknown_kind(signature, true) {
        return (check, None);
    }
    if signed.signers.len() != 1 {
        return one_signer(signed);
    }
    if signed.content.is_some() && signed.form == Form::Cms {
        return open(
            ID,
            CLAUSE,
            Sub::FormatFailure,
            Message::new(
                "verify.not-detached",
                "签名数据中另含内容，与文件内容并存，无法确定所签为何。",
                "The signature carries content of its own beside the file, so it is not clear what was signed.",
            ),
        );
    }
    if let Some(odd) = odd_envelope(signed, checks) {
        return odd;
    }
    if let Some(finding) = signature.findings.first() {
        return open(ID, CLAUSE, Sub::Generic, finding.clone());
    }
    passed(ID, CLAUSE, "签名格式可以识别", "the signature's form is known and sound", WellFormed(()))
}

/// What is odd about the CMS itself.
fn odd_envelope(signed: &SignedData, checks: &Checks) -> Option<Found<WellFormed>> {
    const ID: &str = "format";
    const CLAUSE: &str = "EN 319 102-1 §5.2.2; RFC 5652 §5, §11.1; RFC 8933 §3";
    if let Err(fault) = checks.content_type.as_ref().and(checks.algorithms.as_ref()) {
        return Some(open(ID, CLAUSE, Sub::SigConstraintsFailure, fault.message()));
    }
    let text = Message::new(
        "verify.bytes-after-signature",
        format!("签名数据之后还有{}字节。", signed.trailing),
        format!("{} bytes stand behind the signature's data.", signed.trailing),
    );
    (signed.trailing > 0).then(|| open(ID, CLAUSE, Sub::Generic, text))
}

/// Form of a CMS by itself, whose signers are each judged; `agree` where the content inside and the one given are the same.
pub(super) fn bare_format(signed: &SignedData, checks: &Checks, agree: bool) -> Found<WellFormed> {
    const ID: &str = "format";
    const CLAUSE: &str = "EN 319 102-1 §5.2.2; RFC 5652 §5";
    if !agree {
        return open(
            ID,
            CLAUSE,
            Sub::FormatFailure,
            Message::new(
                "verify.two-contents",
                "签名数据中的内容与所提供的内容不同，无法确定所签为何。",
                "The content inside the signature is not the one that was given, so it is not clear what was signed.",
            ),
        );
    }
    odd_envelope(signed, checks).unwrap_or_else(|| {
        passed(ID, CLAUSE, "签名格式可以识别", "the signature's form is known and sound", WellFormed(()))
    })
}

/// A CMS by itself signs its whole content, to which nothing can be added afterwards.
pub(super) fn bare_coverage(has_content: bool) -> (Found<Covered>, Option<Unchanged>) {
    const ID: &str = "coverage";
    const CLAUSE: &str = "RFC 5652 §5.4; EN 319 102-1 §5.2.7.2";
    if has_content {
        let covered = passed(ID, CLAUSE, "签名覆盖全部内容", "the signature covers the whole content", Covered(()));
        return (covered, Some(Unchanged(())));
    }
    let text = Message::new(
        "verify.content-missing",
        "没有提供被签名的内容，无法核对。请提交含有内容的签章文件，或连同内容一并核验。",
        "The content that was signed is not at hand. Submit the sealed document, or verify the signature together with its content.",
    );
    (open(ID, CLAUSE, Sub::SignedDataNotFound, text), None)
}

/// A finding where the signature is of a kind (/SubFilter) that we do not judge. The first two say a detached CMS over the
/// ByteRange, the first of them PAdES; the others are older and rest on SHA-1 (ISO 32000-1 table 257). `read` where its value
/// was taken apart all the same.
pub(super) fn unknown_kind(signature: &Signature, read: bool) -> Option<Check> {
    if matches!(
        signature.sub_filter.as_str(),
        "ETSI.CAdES.detached" | "adbe.pkcs7.detached" | "adbe.pkcs7.sha1" | "adbe.x509.rsa_sha1"
    ) {
        return None;
    }
    let kind = shown(&signature.sub_filter);
    // Signatures of GB/T 35275 by Chinese makers, `GM.sm2cms.detached` among them; their embedding stands in no public standard.
    let message = match read && signature.sub_filter.starts_with("GM.") {
        true => Message::new(
            "verify.sub-filter-gm",
            format!(
                "文件里是国密签名（签名类型“{kind}”），它在PDF中的嵌入方式没有公开的标准。各项检查结果见下，但不据此判为通过。请用出具机关指定的验章软件核验，或向该机关核实。"
            ),
            format!(
                "The file holds a signature by Chinese algorithms (kind '{kind}'). How it is embedded in PDF stands in no public standard: what was found is listed below, and is not called genuine on that ground. Use the verifier that its issuer names, or ask the issuer."
            ),
        ),
        false => Message::new(
            "verify.sub-filter",
            format!("签名类型“{kind}”不在本版本判断范围内。"),
            format!("Signatures of the kind '{kind}' are not judged by this version."),
        ),
    };
    Some(
        Check::new("format", "ISO 32000-2 table 255 (SubFilter)", Outcome::Indeterminate, message)
            .because(Sub::Generic),
    )
}

/// What the signature speaks for.
pub(super) fn coverage(signature: &Signature) -> Found<Covered> {
    const ID: &str = "coverage";
    const CLAUSE: &str = "ISO 32000-1 §12.8.1; EN 319 142-1 §5.2";
    match signature.coverage {
        Coverage::Whole => passed(ID, CLAUSE, "签名覆盖整个文件", "the signature covers the whole file", Covered(())),
        Coverage::Partial => passed(
            ID,
            CLAUSE,
            "签名覆盖签名时的整个文件，其后另有更新",
            "the signature covers the whole file as it was then; it was updated since",
            Covered(()),
        ),
        Coverage::None => failed(
            ID,
            CLAUSE,
            Sub::FormatFailure,
            Message::new(
                "verify.coverage-none",
                "签名没有覆盖文件全文，签名范围之外的内容可以任意更改。请向发文机关索取原件。",
                "The signature does not cover the whole text: what stands outside its range could be anything. Ask the issuer for the original.",
            ),
        ),
    }
}

fn one_signer(signed: &SignedData) -> Found<WellFormed> {
    failed(
        "format",
        "EN 319 102-1 §5.2.2",
        Sub::FormatFailure,
        Message::new(
            "verify.one-signer",
            format!("签名数据中有{}个签名人，应当只有一个。", signed.signers.len()),
            format!("The signature has {} signers; there must be exactly one.", signed.signers.len()),
        ),
    )
}

/// What a signature rests on was still accepted when it provably existed (EN 319 102-1 §5.6.2.4, cryptographic constraints).
pub(super) fn accepted(strengths: &[Strength], proven: Option<&Proven>) -> bool {
    proven.is_some_and(|proven| strengths.iter().all(|strength| strength.is_accepted(proven.at)))
}

/// The digest of the signed bytes.
pub(super) fn digest(checks: &Checks, proven: Option<&Proven>) -> Found<DigestRight> {
    const ID: &str = "digest";
    const CLAUSE: &str = "RFC 5652 §5.4; EN 319 102-1 §5.2.7";
    match &checks.digest {
        Ok(()) => passed(ID, CLAUSE, "摘要与内容相符", "the digest is the content's", DigestRight(())),
        Err(Fault::WeakDigest(digest)) if accepted(&[Strength::Digest(*digest)], proven) => passed(
            ID,
            CLAUSE,
            "摘要与内容相符，其算法在已证明的时间仍被认可",
            "the digest is the content's, by an algorithm that was still accepted at the proven time",
            DigestRight(()),
        ),
        Err(fault @ Fault::DigestDiffers) => failed(ID, CLAUSE, Sub::HashFailure, fault.message()),
        Err(fault @ Fault::TooCostly) => open(ID, CLAUSE, Sub::Generic, fault.message()),
        Err(fault @ (Fault::WeakDigest(_) | Fault::DigestUnsupported(_))) => {
            open(ID, CLAUSE, Sub::CryptoConstraintsFailureNoPoe, fault.message())
        }
        Err(fault) => failed(ID, CLAUSE, Sub::FormatFailure, fault.message()),
    }
}

/// The signature value.
pub(super) fn value(checks: &Checks, proven: Option<&Proven>) -> Found<ValueRight> {
    const ID: &str = "signature";
    const CLAUSE: &str = "RFC 5652 §5.6; EN 319 102-1 §5.2.7";
    match &checks.signature {
        Ok(()) if !checks.attributes_in_der => open(
            ID,
            CLAUSE,
            Sub::Generic,
            Message::new(
                "verify.attributes-not-der",
                "签名值相符，但被签名的属性未按规定（DER）编码，不同软件可能有不同理解。",
                "The value is right, but the signed attributes are not in DER as they must be, so readers may differ about them.",
            ),
        ),
        Ok(()) => passed(ID, CLAUSE, "签名值正确", "the signature value is right", ValueRight(())),
        Err(Fault::Signature(SignatureFault::Weak(_)))
            if checks.attributes_in_der && !checks.strengths.is_empty() && accepted(&checks.strengths, proven) =>
        {
            passed(
                ID,
                CLAUSE,
                "签名值正确，其算法在已证明的时间仍被认可",
                "the signature value is right, by an algorithm that was still accepted at the proven time",
                ValueRight(()),
            )
        }
        Err(fault @ Fault::Signature(SignatureFault::Wrong)) => {
            failed(ID, CLAUSE, Sub::SigCryptoFailure, fault.message())
        }
        Err(fault @ Fault::Signature(SignatureFault::Weak(_) | SignatureFault::Unsupported(_))) => {
            open(ID, CLAUSE, Sub::CryptoConstraintsFailureNoPoe, fault.message())
        }
        Err(fault @ Fault::NoCertificate) => open(ID, CLAUSE, Sub::NoSigningCertificateFound, fault.message()),
        Err(fault) => open(ID, CLAUSE, Sub::Generic, fault.message()),
    }
}

/// What stands in the place of a signed reference names this very certificate.
pub(super) fn identified(id: &'static str, clause: &'static str, zh: &str, en: &str) -> Found<Identified> {
    passed(id, clause, zh, en, Identified(()))
}

/// The signed reference to the certificate, against an exchanged one.
pub(super) fn signing_certificate(checks: &Checks) -> Found<Identified> {
    const ID: &str = "signing-certificate";
    const CLAUSE: &str = "EN 319 102-1 §5.2.3; RFC 5035 §3";
    match &checks.signing_certificate {
        Ok(()) => {
            passed(ID, CLAUSE, "签名引用的正是该证书", "the signature refers to this very certificate", Identified(()))
        }
        Err(fault @ (Fault::OtherCertificate | Fault::NoCertificate)) => {
            open(ID, CLAUSE, Sub::NoSigningCertificateFound, fault.message())
        }
        Err(fault) => open(ID, CLAUSE, Sub::SigConstraintsFailure, fault.message()),
    }
}

/// Path and revocation at the proven time, else at the newest moment known.
///
/// A claimed time cannot save a signature, but one that lies outside the certificate's life condemns it by its own words.
/// The ledger says from when to when a signature was made; a time stamp only says by when.
pub(super) fn path(
    verdict: &PathVerdict,
    record: Option<&Record>,
    proven: Option<&Proven>,
    claimed: Option<OffsetDateTime>,
) -> (Found<Trusted>, Found<NotRevoked>) {
    const PATH: &str = "certificate-path";
    const PATH_CLAUSE: &str = "RFC 5280 §6; EN 319 102-1 §5.2.6";
    const REVOCATION: &str = "revocation";
    const REVOCATION_CLAUSE: &str = "RFC 5280 §6.3; EN 319 102-1 §5.2.5";
    let ledger = record.filter(|record| record.proven_time().is_some());
    let own_words = |outside: &dyn Fn(OffsetDateTime) -> bool| ledger.is_none() && claimed.is_some_and(outside);
    let sub = match verdict.sub_indication() {
        None => Sub::Generic,
        Some("TRY_LATER") => Sub::TryLater,
        Some("REVOKED_NO_POE") => Sub::RevokedNoPoe,
        Some("REVOKED_CA_NO_POE") => Sub::RevokedCaNoPoe,
        Some("OUT_OF_BOUNDS_NO_POE") => Sub::OutOfBoundsNoPoe,
        Some("CRYPTO_CONSTRAINTS_FAILURE_NO_POE") => Sub::CryptoConstraintsFailureNoPoe,
        Some("CHAIN_CONSTRAINTS_FAILURE") => Sub::ChainConstraintsFailure,
        Some("NO_CERTIFICATE_CHAIN_FOUND") => Sub::NoCertificateChainFound,
        Some(_) => Sub::CertificateChainGeneralFailure,
    };
    let not_asked = || {
        let text = Message::new(
            "verify.revocation-not-asked",
            "证书链不成立，未查吊销",
            "not asked, as there is no path that holds",
        );
        (Check::new(REVOCATION, REVOCATION_CLAUSE, Outcome::Info, text), None)
    };
    let leads = || passed(PATH, PATH_CLAUSE, "证书链通向受信任的根证书", "a path leads to a trusted root", Trusted(()));
    match verdict {
        PathVerdict::Trusted { revoked_later: None, evidence, .. } if evidence.iter().any(|s| s.deputy_revoked) => {
            let text = Message::new(
                "verify.responder-revoked",
                "当时未被吊销。注意：作出这一答复的OCSP服务，其证书已被吊销，但签发机构声明无需查询其状态",
                "not revoked at the time. Note: the OCSP responder that says so had its own certificate revoked, of which its issuer declares that nobody need ask",
            );
            (leads(), (Check::new(REVOCATION, REVOCATION_CLAUSE, Outcome::Passed, text), Some(NotRevoked(()))))
        }
        PathVerdict::Trusted { revoked_later: None, .. } => {
            (leads(), passed(REVOCATION, REVOCATION_CLAUSE, "当时未被吊销", "not revoked at the time", NotRevoked(())))
        }
        PathVerdict::Trusted { revoked_later: Some(later), .. } if proven.is_none() => {
            let text = Message::new(
                "verify.revoked-later-unproven",
                format!("证书于{}吊销，没有证据证明签章在此之前。请向印章所属机关核实。", moment(later.effective())),
                format!(
                    "The certificate is revoked as of {} Beijing time, and nothing proves that this was sealed before. Ask the seal's owner.",
                    moment(later.effective())
                ),
            );
            (leads(), open(REVOCATION, REVOCATION_CLAUSE, Sub::RevokedNoPoe, text))
        }
        PathVerdict::Trusted { revoked_later: Some(later), .. } => {
            let zh = format!("证书后于{}吊销，不影响此前的签章", moment(later.effective()));
            let en = format!(
                "the certificate was revoked afterwards, as of {} Beijing time, which does not touch what it signed before",
                moment(later.effective())
            );
            (leads(), passed(REVOCATION, REVOCATION_CLAUSE, &zh, &en, NotRevoked(())))
        }
        PathVerdict::Revoked { at_fault, revocation, .. } => {
            let after = match ledger {
                // Between leave and finishing, nobody can say which came first.
                Some(record) => record.written_at >= revocation.at,
                None => own_words(&|claim| claim >= revocation.effective()),
            };
            let found = if *at_fault == 0 && after {
                failed(REVOCATION, REVOCATION_CLAUSE, Sub::Revoked, verdict.message())
            } else {
                open(REVOCATION, REVOCATION_CLAUSE, sub, verdict.message())
            };
            (leads(), found)
        }
        PathVerdict::RevocationUnknown { .. } => (leads(), open(REVOCATION, REVOCATION_CLAUSE, sub, verdict.message())),
        PathVerdict::Expired { chain, at_fault } => {
            let own = |at: OffsetDateTime| chain.first().is_some_and(|leaf| at > leaf.not_after);
            let ended = *at_fault == 0 && (ledger.is_some() || own_words(&own));
            if ended {
                (failed(PATH, PATH_CLAUSE, Sub::Expired, verdict.message()), not_asked())
            } else {
                (open(PATH, PATH_CLAUSE, sub, verdict.message()), not_asked())
            }
        }
        PathVerdict::NotYetValid { at_fault: 0, .. } if proven.is_some() => {
            (failed(PATH, PATH_CLAUSE, Sub::NotYetValid, verdict.message()), not_asked())
        }
        _ => (open(PATH, PATH_CLAUSE, sub, verdict.message()), not_asked()),
    }
}

/// What the certificate's key may be used for.
pub(super) fn usage(certificate: Option<&Certificate>) -> Found<MaySign> {
    const ID: &str = "certificate-usage";
    const CLAUSE: &str = "RFC 5280 §4.2.1.3";
    match certificate {
        Some(certificate) if certificate.is_ca => open(
            ID,
            CLAUSE,
            Sub::ChainConstraintsFailure,
            Message::new(
                "verify.authority-signs",
                "签名用的是证书颁发机构的证书，不是印章证书。",
                "It is signed with an authority's certificate, not a seal's.",
            ),
        ),
        Some(certificate) if certificate.may_sign_documents() => {
            passed(ID, CLAUSE, "证书可用于签章", "the certificate may sign documents", MaySign(()))
        }
        Some(_) => open(
            ID,
            CLAUSE,
            Sub::ChainConstraintsFailure,
            Message::new(
                "verify.usage",
                "证书的密钥用途不包括签署文件。",
                "The certificate's key usage does not include signing documents.",
            ),
        ),
        None => open(ID, CLAUSE, Sub::NoSigningCertificateFound, Fault::NoCertificate.message()),
    }
}

/// What happened to the file since (ISO 32000-1 §12.8.2).
pub(super) fn later_changes(signature: &Signature) -> Found<Unchanged> {
    const ID: &str = "later-changes";
    const CLAUSE: &str = "ISO 32000-1 §12.8.2.2; EN 319 142-1 §5.2";
    let gravest = signature.changes.last().cloned();
    let message = gravest.unwrap_or_else(|| {
        Message::new("verify.changed-later", "签章后文件又被改动", "The file was changed after it was sealed")
    });
    match signature.later_changes {
        LaterChanges::None => passed(ID, CLAUSE, "签章后没有改动", "nothing was changed afterwards", Unchanged(())),
        LaterChanges::Allowed => passed(
            ID,
            CLAUSE,
            "签章后只有允许的更新（后续签章、验证数据或允许的填写）",
            "only allowed updates since: further signatures, validation data, or filling in that was allowed",
            Unchanged(()),
        ),
        LaterChanges::Suspicious => open(
            ID,
            CLAUSE,
            Sub::Generic,
            Message::new(
                "verify.changes-not-understood",
                format!(
                    "签章后文件又被更新，更新的内容无法解释，现在显示的可能已不是签章时的内容（{}）。请向发文机关索取原件。",
                    message.zh.trim_end_matches('。')
                ),
                format!(
                    "The file was updated since in a way that is not understood, so what it shows may not be what was sealed ({}). Ask the issuer for the original.",
                    message.en.trim_end_matches('.')
                ),
            ),
        ),
        LaterChanges::Forbidden => failed(
            ID,
            CLAUSE,
            Sub::SigConstraintsFailure,
            Message::new(
                "verify.changes-forbidden",
                format!("签章后文件被作了不允许的改动：{}。请向发文机关索取原件。", message.zh.trim_end_matches('。')),
                format!(
                    "The file was changed since in a way that is not allowed: {}. Ask the issuer for the original.",
                    message.en.trim_end_matches('.')
                ),
            ),
        ),
    }
}
