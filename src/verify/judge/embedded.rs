//! A seal of GB/T 38540 inside a PDF, as Chinese makers of seals put it there: `/Contents` is the seal signature, and its digest
//! is SM3 over the `/ByteRange`. How it is to be embedded stands in no public standard (what is known is how their verifiers
//! read it), so all that can be told is told, and nothing passes.

use super::evidence::{Evidence, Facts, Record};
use super::existence::Existence;
use super::sealed::{self, Sealed, Used};
use super::sources::Sources;
use super::{Asked, proof, unreadable};
use crate::cms::CmsError;
use crate::crypto::Digest;
use crate::message::Message;
use crate::ofd::oddity::shown;
use crate::pdf::signatures::Signature;
use crate::pki::certificate::Certificate;
use crate::ses::SealSignature;
use crate::verify::report::{Check, Outcome, SealData, SignatureReport, SubIndication as Sub};

pub(super) fn judge(
    evidence: &Evidence,
    sources: &Sources,
    existence: &Existence,
    (signature, seal, facts): (&Signature, (&SealSignature, Option<&Certificate>), &Facts),
) -> SignatureReport {
    let (seal, of) = (seal.0, Sealed::new(seal.0, seal.1));
    let Some(signer) = of.signed.signers.first() else {
        return unreadable(signature, &CmsError::Malformed("signerInfos"));
    };
    let end = signature.signed_length.unwrap_or(usize::MAX);
    let claimed = seal.claimed_at.or(signature.claimed_time);
    let ledger = facts.record().and_then(Record::proven_time);
    let document = existence.of(end).map(|proven| proven.at);
    let stamped = sealed::proven_by_stamp(evidence, sources, signer);
    let proven = ledger.into_iter().chain(document).chain(stamped).min();
    let mut beside = sealed::of_the_seal(evidence, sources, &of, Used { proven, claimed });
    beside.extend(sealed::known(evidence, &of, facts));
    beside.extend(signature.findings.iter().map(|finding| {
        let check = Check::new("form", "ISO 32000-2 §12.8", Outcome::Indeterminate, finding.clone());
        check.because(Sub::Generic)
    }));
    let kind = shown(&signature.sub_filter);
    let message = Message::new(
        "verify.seal-in-pdf",
        format!(
            "文件里是GB/T 38540电子印章（签名类型“{kind}”），它在PDF中的嵌入方式没有公开的标准。各项检查结果见下，但不据此判为通过。请用出具机关指定的验章软件核验，或向该机关核实。"
        ),
        format!(
            "The file holds a seal of GB/T 38540 (kind '{kind}'). How it is embedded in PDF stands in no public standard: what was found is listed below, and is not called genuine on that ground. Use the verifier that its issuer names, or ask the issuer."
        ),
    );
    let (later_changes, unchanged) = proof::later_changes(signature);
    let asked = Asked {
        name: signature.field.clone(),
        signed: &of.signed,
        signer,
        facts,
        end,
        claimed,
        format: proof::open("format", "ISO 32000-2 table 255 (SubFilter)", Sub::Generic, message),
        crypto: sealed::checks(&of, signature.digest(Digest::Sm3)),
        identified: sealed::holder(&of),
        covers: (signature.coverage, proof::coverage(signature)),
        has_content: true,
        since: (signature.later_changes, Some(later_changes), unchanged),
        beside,
        lying: None,
    };
    SignatureReport { seal_data: Some(SealData::of(&seal.seal)), ..asked.judge(evidence, sources, existence) }
}
