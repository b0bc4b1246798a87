//! The report in words: one sentence for a citizen, and answers to what people ask.

use super::{Answers, Document, Format, Outcome, SignatureKind, SignatureReport, Verdict, moment};
use crate::message::Message;
use crate::pdf::changes::LaterChanges;
use crate::pdf::signatures::Coverage;
use crate::verify::judge::existence::By;

/// One sentence: the verdict, and the reason that weighs most.
pub(in crate::verify) fn summary(
    format: Format,
    verdict: &Verdict,
    signatures: &[SignatureReport],
    document: Option<&Document>,
) -> Message {
    let seals = || signatures.iter().filter(|s| s.kind == SignatureKind::Seal);
    let worst = seals().max_by_key(|s| s.verdict.rank());
    let wanted = match verdict {
        Verdict::Genuine(_) => Outcome::Info,
        Verdict::Indeterminate(_) => Outcome::Indeterminate,
        Verdict::Failed(_) => Outcome::Failed,
    };
    let against = worst.iter().flat_map(|s| &s.checks).filter(|check| check.outcome == wanted);
    let reason = against.min_by_key(|check| gravity(check.id)).map(|check| &check.message);
    match verdict {
        Verdict::Genuine(_) => {
            let (mut zh, mut en) = ("验证通过".to_owned(), "Genuine".to_owned());
            for signature in seals() {
                let legend = signature.seal.as_ref().map(|seal| &seal.legend);
                let legend = legend.or(signature.seal_data.as_ref().map(|seal| &seal.name));
                let name = legend.map(|legend| format!("“{legend}”")).or_else(|| signature.signer.clone());
                let name = name.unwrap_or_default();
                zh.push_str(&format!("：由{name}签章"));
                en.push_str(&format!(": sealed by {name}"));
                if let (Some(time), Some(by)) = (signature.proven_time.map(moment), &signature.proven_by) {
                    let (who, whose) = match by {
                        By::Ledger => ("本系统记录", "our own record"),
                        By::TimeStamp(_) => ("时间戳", "a time stamp"),
                    };
                    zh.push_str(&format!("（{time}，有{who}为证）"));
                    en.push_str(&format!(" ({time} Beijing time, by {whose})"));
                }
            }
            let (zh_since, en_since) = match seals().any(|s| s.later_changes != LaterChanges::None) {
                false => ("，签章后内容未被改动", ", unchanged since"),
                true => ("，签章后只有允许的更新", ", with allowed updates only since"),
            };
            zh.push_str(zh_since);
            en.push_str(en_since);
            for check in
                seals().flat_map(|s| &s.checks).filter(|c| c.id == "seal-in-force" && c.outcome == Outcome::Passed)
            {
                zh.push_str(&format!("；{}", check.message.zh.trim_end_matches('。')));
                en.push_str(&format!("; {}", check.message.en.trim_end_matches('.')));
            }
            for log in seals().filter_map(|s| s.log.as_ref()) {
                zh.push_str(&format!("；用印载于{}", log.words().0));
                en.push_str(&format!("; in {}", log.words().1));
            }
            if let Some(status) = document.and_then(|d| d.licence_status) {
                zh.push_str(&format!("；证照目前{}", status.zh()));
                en.push_str(&format!("; the licence is now {}", status.en()));
            }
            Message::new("verify.passed", format!("{zh}。"), format!("{en}."))
        }
        Verdict::Indeterminate(_) => match reason {
            Some(reason) => Message::new(
                "verify.indeterminate",
                format!("无法确认真伪：{}", reason.zh),
                format!("Cannot be confirmed: {}", reason.en),
            ),
            None => nothing_to_judge(format),
        },
        Verdict::Failed(_) => {
            let (zh, en) = reason.map_or(("", ""), |reason| (&reason.zh, &reason.en));
            Message::new("verify.failed", format!("验证不通过：{zh}"), format!("Not genuine: {en}"))
        }
    }
}

/// What a person should hear first of several reasons: that the content was changed comes before who may sign what, and
/// that a seal was abolished before that its certificate was revoked for it.
fn gravity(check: &str) -> usize {
    const FIRST: [&str; 8] =
        ["digest", "references", "signature", "seal", "seal-holder", "coverage", "later-changes", "seal-in-force"];
    FIRST.iter().position(|id| *id == check).unwrap_or(FIRST.len())
}

fn nothing_to_judge(format: Format) -> Message {
    match format {
        Format::Pdf => Message::new(
            "verify.no-signature",
            "文件中没有可判断的电子签章，无法确认真伪。如有纸质原件，请以原件为准。",
            "There is no electronic seal in this file that could be judged, so nothing can be confirmed. Rely on the paper original if there is one.",
        ),
        Format::Ofd => Message::new(
            "verify.ofd-no-signature",
            "OFD文件中没有可判断的电子签章，无法确认真伪。如有纸质原件，请以原件为准。",
            "There is no electronic seal in this OFD file that could be judged, so nothing can be confirmed. Rely on the paper original if there is one.",
        ),
        Format::Cms => Message::new(
            "verify.cms-unsigned",
            "这是签名数据，但其中没有对文书的签名，只有证书或时间戳。请提交签章文件或分离签名。",
            "This is signature data without a signature of a document: certificates or a time stamp alone. Submit the sealed document or its detached signature.",
        ),
        Format::Unknown => Message::new(
            "verify.unknown-format",
            "无法识别文件格式。请提交PDF或OFD格式的证照或批文。",
            "The file's format is not known. Submit the licence or approval as PDF or OFD.",
        ),
    }
}

/// The five questions.
pub(in crate::verify) fn answers(
    format: Format,
    verdict: &Verdict,
    signatures: &[SignatureReport],
    document: Option<&Document>,
) -> Answers {
    let seals: Vec<&SignatureReport> = signatures.iter().filter(|s| s.kind == SignatureKind::Seal).collect();
    let what = match document {
        Some(Document { title, identifier, holder, .. }) => {
            let mut text = title.clone();
            text.extend(identifier.iter().map(|id| format!("（{id}）")));
            text.extend(holder.iter().map(|holder| format!("，{holder}")));
            Message::new("verify.what", text.clone(), text)
        }
        None if format == Format::Unknown => Message::new(
            "verify.what-nothing",
            "无法识别的文件，不是PDF或OFD",
            "a file of no known kind, neither PDF nor OFD",
        ),
        None => {
            let (name, a_name) = match format {
                Format::Pdf => ("PDF", "a PDF"),
                Format::Ofd => ("OFD", "an OFD"),
                Format::Cms => ("CMS", "a CMS"),
                Format::Unknown => ("—", "a"),
            };
            Message::new(
                "verify.what-unknown",
                format!("{name}文件，本登记册没有它的记录"),
                format!("{a_name} file of which this register has no record"),
            )
        }
    };
    let names = |foreign: &str| -> String {
        let name = |s: &&SignatureReport| match (&s.seal, &s.seal_data, &s.signer) {
            (Some(seal), ..) => format!("{}（{}，{}）", seal.legend, seal.owner_name, seal.number),
            (None, Some(seal), Some(signer)) => format!("{}（{}，{signer}）{foreign}", seal.name, seal.number),
            (None, _, Some(signer)) => format!("{signer}{foreign}"),
            (None, _, None) => "?".to_owned(),
        };
        seals.iter().map(name).collect::<Vec<_>>().join("；")
    };
    let sealed_by = match (seals.is_empty(), verdict.is_genuine()) {
        (true, _) => Message::new("verify.sealed-by-nobody", "没有签章", "nobody"),
        (false, true) => Message::new("verify.sealed-by", names(""), names("")),
        // A name in a signature that did not pass is what the file says, not what is so.
        (false, false) => Message::new(
            "verify.claims-sealed-by",
            format!("文件自称：{}（未获证实）", names("")),
            format!("the file claims: {} (not confirmed)", names("")),
        ),
    };
    let changed = seals.iter().map(|s| s.later_changes).max().unwrap_or(LaterChanges::None);
    let open =
        seals.iter().any(|s| s.coverage == Coverage::None || (format == Format::Ofd && s.coverage != Coverage::Whole));
    let intact = match (seals.is_empty(), seals.iter().all(|s| s.intact), changed) {
        (true, ..) => Message::new("verify.intact-unknown", "无法判断", "cannot be told"),
        (_, false, _) => Message::new(
            "verify.not-intact",
            "否：内容或签名被改动，或无法检验",
            "no: content or signature were changed, or cannot be checked",
        ),
        // Nobody can say of a file that is not signed whether it was changed.
        _ if open => Message::new(
            "verify.intact-open",
            "存疑：签名列出的内容未被改动，但文件中有不在签名范围内的部分，可能被改动",
            "doubtful: what was signed is unchanged, but parts of the file are outside the signature and may have been changed",
        ),
        (_, _, LaterChanges::None) => {
            Message::new("verify.intact", "是：签章后未被改动", "yes: unchanged since it was sealed")
        }
        (_, _, LaterChanges::Allowed) => Message::new(
            "verify.intact-allowed",
            "是：签章后只有允许的更新",
            "yes: only allowed updates since it was sealed",
        ),
        (_, _, LaterChanges::Suspicious) => Message::new(
            "verify.changed-doubtful",
            "存疑：签章后有无法解释的更新",
            "doubtful: it was updated since in a way that is not understood",
        ),
        (_, _, LaterChanges::Forbidden) => Message::new(
            "verify.changed",
            "否：签章后被作了不允许的改动",
            "no: it was changed since in a way that is not allowed",
        ),
    };
    let force =
        seals.iter().flat_map(|s| &s.checks).filter(|c| c.id == "seal-in-force").max_by_key(|c| weight(c.outcome));
    let seal_in_force_then = match force {
        Some(check) => check.message.clone(),
        None => Message::new("verify.seal-unknown", "无法判断", "cannot be told"),
    };
    let licence_in_force_now = match document.and_then(|d| d.licence_status) {
        Some(status) => Message::new("verify.licence-status", status.zh(), status.en()),
        None => Message::new(
            "verify.licence-unknown",
            "本登记册没有该证照的记录",
            "this register has no record of such a licence",
        ),
    };
    Answers { what, sealed_by, intact, seal_in_force_then, licence_in_force_now }
}

fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Passed => 0,
        Outcome::Info => 1,
        Outcome::Indeterminate => 2,
        Outcome::Failed => 3,
    }
}
