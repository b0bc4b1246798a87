//! What a printed report says: the short answers, then every signature with its checks. The template
//! `verification-report` sets it on paper.
//!
//! The sender's name for the file is left out, and so are names that were not confirmed unless they are called so: a
//! sealed page must not lend its seal to words that the document brought along.

use serde_json::{Value, json};

use super::{Message, Original, Outcome, Report, SignatureKind};
use crate::message::china_time;
use crate::verify::judge::existence::By;

/// Letters of one text; longer ones end with an ellipsis.
const TEXT: usize = 400;

/// Checks printed of one signature; those of the signature itself come first.
const CHECKS: usize = 100;

/// The data of the printed report.
pub fn print(report: &Report, original: &Original) -> Value {
    let (zh, en) = report.verdict.words();
    let answers = &report.answers;
    let said = |question: [&str; 2], answer: &Message| json!({ "zh": question[0], "en": question[1], "answer_zh": plain(&answer.zh), "answer_en": plain(&answer.en) });
    let signatures: Vec<Value> = report.signatures.iter().enumerate().map(|(index, signature)| {
        let kind = match signature.kind {
            SignatureKind::Seal => ("签章", "Seal"),
            SignatureKind::TimeStamp => ("时间戳", "Time stamp"),
        };
        let by = match (&signature.seal, &signature.signer) {
            (Some(seal), _) if signature.trusted => format!("{}（{}，{}）", seal.legend, seal.owner_name, seal.number),
            (_, Some(signer)) if signature.trusted => signer.clone(),
            (_, Some(signer)) => format!("自称“{signer}”，未获证实 (claimed, not confirmed)"),
            (_, None) => "—".into(),
        };
        let stamps = signature.time_stamps.iter().flat_map(|stamp| &stamp.checks);
        let checks: Vec<Value> = signature.checks.iter().chain(stamps).take(CHECKS).map(|check| json!({
            "outcome": match check.outcome {
                Outcome::Passed => "通过",
                Outcome::Failed => "不通过",
                Outcome::Indeterminate => "不能确认",
                Outcome::Info => "说明",
            },
            "zh": plain(&check.message.zh),
            "en": plain(&check.message.en),
            "clause": plain(check.clause),
        })).collect();
        json!({
            "name": format!("{} {} {}", kind.0, index + 1, kind.1),
            "by": plain(&by),
            "indication": indication(signature.verdict.indication(), signature.verdict.sub_indication()),
            "claimed": signature.signed_at.map_or_else(|| "—".into(), moment),
            "level": signature.level.map_or_else(|| "—".into(), |level| format!("PAdES {level}（{}）", level.zh())),
            "proven": signature.proven_time.map_or_else(|| "—".into(), moment) + proof(signature.proven_by.as_ref()),
            "checks": checks,
        })
    }).collect();
    let answered = [
        said(["这是什么文件", "What is it"], &answers.what),
        said(["谁盖的章", "Who sealed it"], &answers.sealed_by),
        said(["盖章后保持原样吗", "Is it intact"], &answers.intact),
        said(["当时印章有效吗", "Seal in force then"], &answers.seal_in_force_then),
        said(["证照现在有效吗", "In force now"], &answers.licence_in_force_now),
    ];
    let copy = report.copy.as_ref().map(|copy| said(["这是加注件", "An annotated copy"], &copy.sentence));
    json!({
        "document": hex::encode(original.sha256),
        "bytes": original.length,
        "judged_at": moment(report.judged_at),
        "indication": indication(report.verdict.indication(), report.verdict.sub_indication()),
        "verdict": { "zh": zh, "en": en, "kind": report.verdict.class() },
        "summary": { "zh": plain(&report.summary.zh), "en": plain(&report.summary.en) },
        "answers": answered.into_iter().chain(copy).collect::<Vec<_>>(),
        "signatures": signatures,
    })
}

fn proof(by: Option<&By>) -> &'static str {
    match by {
        None => "",
        Some(By::Ledger) => "（用印记录）",
        Some(By::TimeStamp(_)) => "（时间戳）",
    }
}

fn indication(main: &str, sub: Option<super::SubIndication>) -> String {
    let sub = sub.and_then(|sub| serde_json::to_value(sub).ok());
    match sub.as_ref().and_then(Value::as_str) {
        Some(sub) => format!("{main} / {sub}"),
        None => main.to_owned(),
    }
}

/// China time, with its name: a printed page has no other place to say so.
fn moment(at: time::OffsetDateTime) -> String {
    format!("{} +08:00", china_time(at))
}

/// Bounded, and without what turns or hides letters (UAX #9 §2): the renderer refuses a text with such characters.
fn plain(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(u32::from(c), 0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x180E | 0x200B..=0x200F | 0x2028..=0x202E
                | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF9..=0xFFFD | 0xE000..=0xF8FF | 0xE0000..=0x10FFFF)
    };
    let mut text: String = text.chars().map(|c| if hidden(c) { '□' } else { c }).collect();
    if text.chars().count() > TEXT {
        text = text.chars().take(TEXT).chain(['…']).collect();
    }
    text
}
