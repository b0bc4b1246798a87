//! What a file says of itself (GB/T 36903), held against its own rules and against our ledger: warnings, which decide nothing.

use super::evidence::{Evidence, Facts, Record};
use crate::licence::annotation::Claimed;
use crate::message::Message;
use crate::verify::report::CopyFacts;

/// The warnings, and the copy that the file is. `genuine`: a signature that holds covers what was read.
pub(super) fn judge(evidence: &Evidence, genuine: bool) -> (Vec<Message>, Option<CopyFacts>) {
    let metadata = evidence.opened.metadata();
    let record = evidence.facts.iter().rev().find_map(Facts::record);
    let mut warnings = metadata.faults();
    let said = metadata.copy();
    if let Some(identifier) = record.and_then(filed)
        && let Some(other) = metadata.get("ZZBS").filter(|said| *said != identifier)
    {
        warnings.push(Message::new(
            "verify.metadata-other-licence",
            format!("文件元数据中的证照标识“{other}”与台账中的“{identifier}”不一致"),
            format!("the file's metadata name the licence {other}, the ledger {identifier}"),
        ));
    }
    let ledger = record.and_then(|record| record.copy.as_ref()).map(Claimed::from);
    // In a file times stand to the second.
    let same = |ledger: &Claimed, said: &Claimed| {
        (&ledger.number, &ledger.purpose, &ledger.requester) == (&said.number, &said.purpose, &said.requester)
            && ledger.expires_at.map(|at| at.unix_timestamp()) == said.expires_at.map(|at| at.unix_timestamp())
    };
    if let (Some(ledger), Some(said)) = (&ledger, &said)
        && !same(ledger, said)
    {
        warnings.push(Message::new(
            "verify.metadata-other-copy",
            "文件元数据中的加注内容与台账不一致，以台账为准",
            "what the file's metadata note on the copy is not what the ledger has; the ledger counts",
        ));
    }
    let copy = match (ledger, said) {
        (Some(ledger), _) => Some(CopyFacts::of(ledger, evidence.at, (true, true))),
        (None, Some(said)) => Some(CopyFacts::of(said, evidence.at, (false, genuine))),
        (None, None) => None,
    };
    (warnings, copy)
}

/// Which licence the ledger says that the document is, or is a copy of.
fn filed(record: &Record) -> Option<String> {
    let copied = record.copy.as_ref().map(|copy| copy.identifier.to_string());
    copied.or_else(|| record.licence.as_ref().map(|licence| licence.version.identifier.to_string()))
}
