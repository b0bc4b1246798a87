//! A use of a seal, wherever it lies: the signer's value, who may use the seal, and the seal by itself, whose maker vouches for
//! it (GB/T 38540-2020 §8; the steps are those of GM/T 0031-2014, which it took over).

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc3161, rfc5911};
use spki::AlgorithmIdentifierOwned;
use time::OffsetDateTime;

use super::evidence::{Evidence, Facts, seal_number};
use super::existence::Existence;
use super::proof::{self, Found, Identified};
use super::sources::{self, Sources, find_path};
use super::stamps;
use crate::cms::{self, Attribute, Checks, Fault, Form, SignedData, Signer, SignerName};
use crate::crypto::{self, Digest, SignatureFault};
use crate::message::Message;
use crate::ofd::oddity::shown;
use crate::pki::certificate::Certificate;
use crate::pki::path::PathVerdict;
use crate::pki::tlv;
use crate::ses::{self, Held, Seal, SealSignature, Version};
use crate::verify::report::{Check, Outcome, SubIndication as Sub, moment};

/// A use of a seal with the two who signed it, whose certificates are read once.
pub(super) struct Sealed<'s> {
    sealed: &'s SealSignature,
    signer: Option<&'s Certificate>,
    maker: Option<Certificate>,
    /// What it says, in the words of a CMS: so the rest of the house, which knows certificates, lists and time stamps in that
    /// form, judges it as any other.
    pub signed: SignedData,
}

impl<'s> Sealed<'s> {
    /// `signer` is the certificate inside, where it can be read.
    pub fn new(sealed: &'s SealSignature, signer: Option<&'s Certificate>) -> Self {
        Self { sealed, signer, maker: Certificate::read(&sealed.seal.maker).ok(), signed: as_cms(sealed, signer) }
    }
}

fn as_cms(sealed: &SealSignature, signer: Option<&Certificate>) -> SignedData {
    let name = signer.map_or(SignerName::KeyIdentifier(Vec::new()), SignerName::of);
    let signer = Signer {
        name,
        digest_algorithm: Digest::Sm3.oid(),
        signed_attributes_raw: None,
        signed_attributes: signed_beside(sealed),
        signature_algorithm: AlgorithmIdentifierOwned { oid: sealed.algorithm, parameters: None },
        signature: sealed.value.clone(),
        unsigned_attributes: stamped(sealed.stamp.as_ref()),
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

fn stamped(token: Option<&Vec<u8>>) -> Vec<Attribute> {
    let of = |token: &Vec<u8>| Attribute { oid: rfc3161::ID_AA_TIME_STAMP_TOKEN.into(), values: vec![token.clone()] };
    token.map(of).into_iter().collect()
}

/// What the signed part says beside the seal, where a CMS has its signed attributes: the digest of what was sealed, and the log's
/// receipt.
fn signed_beside(sealed: &SealSignature) -> Vec<Attribute> {
    let digest = tlv::wrap(tlv::OCTET_STRING, &[&sealed.digest]);
    let receipts = sealed.extensions.iter().filter(|extension| cms::is_receipt(&extension.oid));
    let receipts = receipts.map(|one| Attribute { oid: one.oid.clone(), values: vec![one.value.clone()] });
    std::iter::once(Attribute { oid: rfc5911::ID_MESSAGE_DIGEST.into(), values: vec![digest] })
        .chain(receipts)
        .collect()
}

/// The signer's value over the signed part (step b), and the digest in it against that of what was sealed (step e), SM3; without
/// one there is nothing that was sealed.
pub(super) fn checks(of: &Sealed<'_>, digest: Option<&[u8]>) -> Checks {
    let sealed = of.sealed;
    let algorithm = AlgorithmIdentifierOwned { oid: sealed.algorithm, parameters: None };
    let value = match of.signer {
        None => Err(Fault::NoCertificate),
        Some(signer) => {
            let value = shortest(sealed.algorithm, &sealed.value);
            crypto::verify(&signer.public_key, &algorithm, &sealed.to_be_signed, &value).map_err(Fault::Signature)
        }
    };
    let digest = match digest {
        None => Err(Fault::NoContent),
        Some(digest) if digest == sealed.digest => Ok(()),
        Some(_) => Err(Fault::DigestDiffers),
    };
    // The seal's list of holders stands where a CMS has its signed reference to the certificate.
    let named = if sealed.seal.held_by(&sealed.signer) == Held::Yes { Ok(()) } else { Err(Fault::OtherCertificate) };
    let strengths = of.signer.and_then(|signer| crypto::strengths(&signer.public_key, &algorithm).ok());
    Checks {
        digest,
        content_type: Ok(()),
        signature: value,
        algorithms: Ok(()),
        signing_certificate: named,
        attributes_in_der: true,
        certificate: of.signer.cloned(),
        strengths: strengths.unwrap_or_default(),
    }
}

/// SM2 values are met in three forms; others as they stand.
fn shortest(algorithm: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    let sm2 = if algorithm == ses::SM2_WITH_SM3 { ses::Value::read(value) } else { None };
    sm2.map_or_else(|| value.to_vec(), ses::Value::to_der)
}

/// A CMS signer with his SM2 value in DER, which is met raw and unshortened too.
pub(super) fn written_shortest(signer: &Signer) -> Signer {
    let mut signer = signer.clone();
    if let Some(value) = ses::Value::read(&signer.signature) {
        signer.signature = value.to_der();
    }
    signer
}

/// The seal names who may use it: without this whoever has any certificate could use a picture that he copied.
pub(super) fn holder(of: &Sealed<'_>) -> Found<Identified> {
    const ID: &str = "seal-holder";
    const CLAUSE: &str = "GB/T 38540-2020 §6 (certList); GM/T 0031-2014";
    match of.sealed.seal.held_by(&of.sealed.signer) {
        Held::Yes => proof::identified(
            ID,
            CLAUSE,
            "签章人的证书在印章的使用人名单中",
            "the signer's certificate is in the seal's list of those who may use it",
        ),
        Held::No => proof::failed(
            ID,
            CLAUSE,
            Sub::SigConstraintsFailure,
            Message::new(
                "verify.seal-holder",
                "签章人不在印章的使用人名单中：他用的是别人的印章。请向印章所属机关核实。",
                "The signer is not in the seal's list of those who may use it: it is somebody else's seal. Ask the seal's owner.",
            ),
        ),
        Held::Unknown => proof::open(
            ID,
            CLAUSE,
            Sub::SigConstraintsFailure,
            Message::new(
                "verify.seal-holder-unknown",
                "印章的使用人名单只列摘要，其中没有能与签章人证书相符的，无法确认他是否有权使用。请向印章所属机关核实。",
                "The seal lists its users by digests alone, none of which could be found to be the signer's, so it is not clear whether he may use it. Ask the seal's owner.",
            ),
        ),
    }
}

/// The seal is the one that its user's certificate and the register know: a maker of one's own could put any name and picture
/// under a certificate that is good for another seal.
pub(super) fn known(evidence: &Evidence, of: &Sealed<'_>, facts: &Facts) -> Vec<Check> {
    const ID: &str = "seal-known";
    const CLAUSE: &str = "《电子印章管理办法》 (备案); GB/T 38540-2020 §6 (esID)";
    let open =
        |message: Message| Check::new(ID, CLAUSE, Outcome::Indeterminate, message).because(Sub::SigConstraintsFailure);
    let seal = &of.sealed.seal;
    let of_certificate = of.signer.and_then(seal_number);
    let number = facts.seal().map(|filed| filed.number.clone()).or(of_certificate);
    if let Some(number) = number.filter(|number| number.to_string() != seal.id) {
        return vec![open(Message::new(
            "verify.seal-other-number",
            format!(
                "签章人的证书属于印章{number}，所用的印章数据却是“{}”（{}）的。请向印章所属机关核实。",
                shown(&seal.name),
                shown(&seal.id)
            ),
            format!(
                "The signer's certificate is that of seal {number}, but the seal that was used calls itself '{}' ({}). Ask the seal's owner.",
                shown(&seal.name),
                shown(&seal.id)
            ),
        ))];
    }
    let Some((filed, on_record)) = facts.seal().zip(evidence.seals_on_record.as_ref()) else { return Vec::new() };
    if on_record.contains(&hex::encode(crypto::sha256(&seal.whole))) {
        return vec![right(ID, CLAUSE, "印章数据与登记册所存的相同", "the seal's data are those on record")];
    }
    vec![open(Message::new(
        "verify.seal-not-on-record",
        format!(
            "所用的印章数据不是登记册为印章“{}”所存的那一份，图样或名称可能是另做的。请向印章所属机关核实。",
            filed.legend
        ),
        format!(
            "The seal's data are not those on record for the seal {}: picture or name may have been made by others. Ask the seal's owner.",
            filed.legend
        ),
    ))]
}

/// When the seal was used, as far as is known.
#[derive(Clone, Copy)]
pub(super) struct Used {
    pub proven: Option<OffsetDateTime>,
    pub claimed: Option<OffsetDateTime>,
}

/// By when the use provably existed, by the stamp over its value.
pub(super) fn proven_by_stamp(evidence: &Evidence, sources: &Sources, signer: &Signer) -> Option<OffsetDateTime> {
    let stamps = stamps::signature_stamps(evidence, sources, &Existence::default(), signer, usize::MAX);
    stamps.iter().filter_map(|stamp| stamp.proven.as_ref()).map(|proven| proven.at).min()
}

/// The seal by itself (step f), in the standard's order: its maker's value, its maker's certificate, its life; and the stamps over
/// it and over its use, its extensions and its age.
pub(super) fn of_the_seal(evidence: &Evidence, sources: &Sources, of: &Sealed<'_>, used: Used) -> Vec<Check> {
    let seal = &of.sealed.seal;
    let mut checks = vec![value(evidence, seal, of.maker.as_ref())];
    if let Some(maker) = &of.maker {
        checks.push(of_the_maker(evidence, sources, (of, maker), used));
    }
    checks.extend(stamp_of_the_seal(evidence, sources, seal));
    checks.push(life(evidence, seal, used));
    checks.extend(stamp_of_the_use(evidence, sources, of));
    if let Some(unknown) = of.sealed.extensions.iter().chain(&seal.extensions).find(|extension| extension.critical) {
        let message = Message::new(
            "verify.critical-extension",
            format!("印章或签名带有必须理解而本系统不识别的扩展（{}）。", unknown.oid),
            format!(
                "The seal or signature has an extension that must be understood and is not known here ({}).",
                unknown.oid
            ),
        );
        let check = Check::new("seal-extensions", "GB/T 38540-2020 §6 (ExtData)", Outcome::Indeterminate, message);
        checks.push(check.because(Sub::SigConstraintsFailure));
    }
    if seal.version == Version::V1 {
        let message = Message::new(
            "verify.seal-old",
            "印章用的是已被取代的GM/T 0031-2014格式，只见于旧档案。",
            "The seal is in the format of GM/T 0031-2014, which was superseded and is met in archives.",
        );
        checks.push(Check::new("seal-format", "GM/T 0031-2014", Outcome::Info, message));
    }
    checks
}

/// A seal is used for years, so what was found of its maker's value is remembered.
fn value(evidence: &Evidence, seal: &Seal, maker: Option<&Certificate>) -> Check {
    const ID: &str = "seal";
    const CLAUSE: &str = "GB/T 38540-2020 §8.1 (2)";
    let value = match maker {
        Some(maker) => {
            let algorithm = AlgorithmIdentifierOwned { oid: seal.algorithm, parameters: None };
            let value = shortest(seal.algorithm, &seal.value);
            let check = || crypto::verify(&maker.public_key, &algorithm, &seal.to_be_signed, &value).map(|()| None);
            let known = &evidence.trust.known;
            known.signature(&crypto::sha256(&seal.whole), &maker.public_key, check).map_err(Fault::Signature)
        }
        None => Err(Fault::NoCertificate),
    };
    match value {
        Ok(_) if seal.algorithm != ses::SM2_WITH_SM3 => {
            let message = Message::new(
                "verify.seal-algorithm",
                format!("印章不是用SM2签名的（{}）。", seal.algorithm),
                format!("The seal is not signed with SM2 ({}).", seal.algorithm),
            );
            Check::new(ID, CLAUSE, Outcome::Indeterminate, message).because(Sub::CryptoConstraintsFailureNoPoe)
        }
        Ok(_) => {
            right(ID, CLAUSE, "印章数据由制章者签名且未被改动", "the seal is signed by its maker and was not changed")
        }
        Err(Fault::Signature(SignatureFault::Wrong)) => {
            let message = Message::new(
                "verify.seal-wrong",
                format!(
                    "印章“{}”不是制章机构签发的那一枚：制章者的签名不符，印章是伪造的或被改动。请向印章所属机关核实。",
                    shown(&seal.name)
                ),
                format!(
                    "The seal '{}' is not the one that its maker signed: it was forged or changed. Ask the seal's owner.",
                    shown(&seal.name)
                ),
            );
            Check::new(ID, CLAUSE, Outcome::Failed, message).because(Sub::SigCryptoFailure)
        }
        Err(fault) => Check::new(ID, CLAUSE, Outcome::Indeterminate, fault.message()).because(Sub::Generic),
    }
}

/// The maker's certificate: a path, by the time at which the seal provably existed, and what its key may be used for.
fn of_the_maker(evidence: &Evidence, sources: &Sources, (of, maker): (&Sealed<'_>, &Certificate), used: Used) -> Check {
    const ID: &str = "seal-maker";
    const CLAUSE: &str = "GB/T 38540-2020 §8.1 (3)";
    let open = |message: Message, sub| Check::new(ID, CLAUSE, Outcome::Indeterminate, message).because(sub);
    let asked =
        sources::Signer { certificate: Some(maker), signed: &of.signed, facts: &Facts::NotAsked, end: usize::MAX };
    // Whoever proves that the use existed proves it of the seal inside.
    let verdict = find_path(evidence, sources, &Existence::default(), &asked, used.proven);
    let (usage, may_sign) = proof::usage(Some(maker));
    // Whoever may seal documents could make himself a seal with any name on it.
    let own = of.signer.is_some_and(|signer| signer.public_key == maker.public_key);
    match &verdict {
        PathVerdict::Trusted { .. } if own => {
            let message = Message::new(
                "verify.seal-maker-own",
                "印章是签章人自己制作的，没有制章机构为其作证。",
                "The seal was made by the signer himself; no maker vouches for it.",
            );
            open(message, Sub::ChainConstraintsFailure)
        }
        PathVerdict::Trusted { .. } if may_sign.is_none() => open(usage.message, Sub::ChainConstraintsFailure),
        // GM/T 0031-2025: what became of the certificate after the seal was made is the seal's no more, where it is proven so.
        PathVerdict::Trusted { revoked_later, .. } if revoked_later.is_none() || used.proven.is_some() => {
            right(ID, CLAUSE, "制章者证书链通向受信任的根证书", "a path leads from the seal's maker to a trusted root")
        }
        PathVerdict::NoAnchor => {
            let message = Message::new(
                "verify.seal-maker-unknown",
                "制章者的证书不是由此处信任的机构签发的，无法确认印章是真的。请向印章所属机关核实。",
                "The certificate of the seal's maker does not come from an authority trusted here, so it cannot be confirmed that the seal is a real one. Ask its owner.",
            );
            open(message, Sub::NoCertificateChainFound)
        }
        other => {
            let said = other.message();
            let message = Message::new(
                "verify.seal-maker",
                format!("制章者的证书不能确认：{}", said.zh),
                format!("The certificate of the seal's maker cannot be confirmed: {}", said.en),
            );
            open(message, Sub::CertificateChainGeneralFailure)
        }
    }
}

/// GM/T 0031-2025: a stamp over the maker's value must hold, and the seal be made before it.
fn stamp_of_the_seal(evidence: &Evidence, sources: &Sources, seal: &Seal) -> Option<Check> {
    const ID: &str = "seal-time-stamp";
    const CLAUSE: &str = "GM/T 0031-2025 (seal, timeStamp)";
    let open = |id, zh: String, en: String, sub| {
        Check::new(ID, CLAUSE, Outcome::Indeterminate, Message::new(id, zh, en)).because(sub)
    };
    let value = Signer {
        name: SignerName::KeyIdentifier(Vec::new()),
        digest_algorithm: Digest::Sm3.oid(),
        signed_attributes_raw: None,
        signed_attributes: Vec::new(),
        signature_algorithm: AlgorithmIdentifierOwned { oid: seal.algorithm, parameters: None },
        signature: seal.value.clone(),
        unsigned_attributes: stamped(seal.stamp.as_ref()),
    };
    let stamps = stamps::signature_stamps(evidence, sources, &Existence::default(), &value, usize::MAX);
    let stamp = &stamps.first()?.report;
    let against = stamp.checks.iter().find(|check| matches!(check.outcome, Outcome::Failed | Outcome::Indeterminate));
    Some(match (against, stamp.time) {
        (Some(against), _) => open(
            "verify.seal-time-stamp",
            format!("印章所带的时间戳不能确认：{}", against.message.zh),
            format!("The time stamp on the seal cannot be confirmed: {}", against.message.en),
            Sub::TimestampOrderFailure,
        ),
        (None, Some(at)) if seal.made_at > at => open(
            "verify.seal-made-late",
            format!("印章的制作时间{}晚于其时间戳的时间{}，次序不成立。", moment(seal.made_at), moment(at)),
            format!(
                "The seal says that it was made at {}, after its time stamp of {} Beijing time.",
                moment(seal.made_at),
                moment(at)
            ),
            Sub::TimestampOrderFailure,
        ),
        (None, _) => right(ID, CLAUSE, "印章所带的时间戳成立", "the time stamp on the seal holds"),
    })
}

/// A stamp over the use that is of something else or not signed as it says is worse than none. One that merely nobody here trusts
/// proves nothing and spoils nothing.
fn stamp_of_the_use(evidence: &Evidence, sources: &Sources, of: &Sealed<'_>) -> Option<Check> {
    const CLAUSE: &str = "GB/T 38540-2020 §7 (timeStamp); RFC 3161 §2.4.2";
    of.sealed.stamp.as_ref()?;
    let signer = of.signed.signers.first()?;
    let stamps = stamps::signature_stamps(evidence, sources, &Existence::default(), signer, usize::MAX);
    if stamps.iter().all(|stamp| stamp.report.intact) {
        return None;
    }
    let message = Message::new(
        "verify.stamp-of-another",
        "签章所带的时间戳不是这个签名的，或已损坏。请向发文机关索取原件。",
        "The time stamp on the signature is of something else, or broken. Ask the issuer for the original.",
    );
    Some(Check::new("time-stamp", CLAUSE, Outcome::Indeterminate, message).because(Sub::TimestampOrderFailure))
}

/// What the signer says of the time condemns him where it is outside the seal's life, and proves nothing inside it.
fn life(evidence: &Evidence, seal: &Seal, used: Used) -> Check {
    const ID: &str = "seal-life";
    const CLAUSE: &str = "GB/T 38540-2020 §8.1 (4)";
    let life = seal.valid_from..=seal.valid_until;
    let newest = evidence.known_until();
    let (from, until) = (moment(seal.valid_from), moment(seal.valid_until));
    let outside = [used.proven, used.claimed].into_iter().flatten().find(|at| !life.contains(at));
    match outside {
        Some(at) => {
            let message = Message::new(
                "verify.seal-life",
                format!("印章有效期为{from}至{until}，签章时间{}不在其内。", moment(at)),
                format!(
                    "The seal lives from {from} to {until} Beijing time, and was used at {}, outside of it.",
                    moment(at)
                ),
            );
            Check::new(ID, CLAUSE, Outcome::Failed, message).because(Sub::Expired)
        }
        None if used.proven.is_some() || life.contains(&newest) => {
            right(ID, CLAUSE, "签章时间在印章有效期内", "the seal was used within its life")
        }
        None => {
            let message = Message::new(
                "verify.seal-life-unproven",
                format!("印章有效期为{from}至{until}，没有证据证明签章在此期间。请向印章所属机关核实。"),
                format!(
                    "The seal lives from {from} to {until} Beijing time, and nothing proves that it was used then. Ask its owner."
                ),
            );
            Check::new(ID, CLAUSE, Outcome::Indeterminate, message).because(Sub::OutOfBoundsNoPoe)
        }
    }
}

fn right(id: &'static str, clause: &'static str, zh: &str, en: &str) -> Check {
    Check::new(id, clause, Outcome::Passed, Message::new("verify.seal-right", zh, en))
}
