//! What a report says of an annotated copy (加注件): for what, for whom, and whether it still counts. Its end never changes what
//! the licence itself is worth.

use serde::Serialize;
use time::OffsetDateTime;

use super::{Message, moment};
use crate::licence::annotation::Claimed;

/// An annotated copy.
#[derive(Debug, Clone, Serialize)]
pub struct CopyFacts {
    /// 加注件编号.
    pub number: Option<String>,
    pub purpose: Option<String>,
    pub requester: Option<String>,
    pub maker: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub made_at: Option<OffsetDateTime>,
    /// Exclusive.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// Its end had passed when it was judged.
    pub expired: bool,
    /// This register has it so; otherwise the file says so of itself.
    pub recorded: bool,
    /// For people.
    pub sentence: Message,
}

impl CopyFacts {
    /// `confirmed`: the register says so, or a signature that holds covers what the file says.
    pub(in crate::verify) fn of(claimed: Claimed, at: OffsetDateTime, (recorded, confirmed): (bool, bool)) -> Self {
        let expired = claimed.expires_at.is_some_and(|end| at >= end);
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "—".to_owned());
        let (purpose, requester) = (known(&claimed.purpose), known(&claimed.requester));
        let (mut zh, mut en) = (
            format!("加注件，仅供{requester}用于：{purpose}"),
            format!("an annotated copy for {requester}, for this purpose alone: {purpose}"),
        );
        match (claimed.expires_at.map(moment), expired) {
            (Some(end), true) => {
                zh.push_str(&format!("；已于{end}失效，不得再使用，原证照的效力不受影响"));
                en.push_str(&format!(
                    "; it EXPIRED at {end} Beijing time and counts no more, which changes nothing for the licence itself"
                ));
            }
            (Some(end), false) => {
                zh.push_str(&format!("；有效期至{end}"));
                en.push_str(&format!("; it counts until {end} Beijing time"));
            }
            (None, _) => {
                zh.push_str("；未注明有效期");
                en.push_str("; it names no end");
            }
        }
        if !confirmed {
            (zh, en) = (format!("文件自称是{zh}（未获证实）"), format!("the file claims to be {en} (not confirmed)"));
        }
        let Claimed { number, purpose, requester, maker, made_at, expires_at } = claimed;
        let id = if expired { "verify.copy-expired" } else { "verify.copy" };
        let sentence = Message::new(id, zh, en);
        Self { number, purpose, requester, maker, made_at, expires_at, expired, recorded, sentence }
    }

    /// A summary that says it too.
    pub(in crate::verify) fn added_to(&self, summary: Message) -> Message {
        let (zh, en) = (summary.zh.trim_end_matches('。'), summary.en.trim_end_matches('.'));
        Message::new(summary.id, format!("{zh}；{}。", self.sentence.zh), format!("{en}; {}.", self.sentence.en))
    }
}
