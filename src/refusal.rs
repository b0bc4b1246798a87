//! A refusal: which of the house's rules stands in the way, and the sentence for the person who asked.

use time::Duration;

use crate::message::Message;

/// The rules of an approval bureau that this software knows, by their number in the trade's own list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// 1. Who may decide an item, when (划转与已受理办件的办结).
    Competence,
    /// 2. When a seal counts (印章效力期间).
    SealLife,
    /// 3. An answer depends on the seal, the item and the dates.
    ThreeFacts,
    /// 4. Abolished seals are kept, with two people present (封存).
    Custody,
    /// 5. One person, one hand; sealing under a grant; two people for seals (受理、审核、制证三分离).
    Hands,
    /// 6. No item, no licence; no decision, no seal (清单之外无许可).
    NoItemNoLicence,
}

impl Rule {
    /// Its number, 1 to 6.
    pub fn number(self) -> u8 {
        match self {
            Rule::Competence => 1,
            Rule::SealLife => 2,
            Rule::ThreeFacts => 3,
            Rule::Custody => 4,
            Rule::Hands => 5,
            Rule::NoItemNoLicence => 6,
        }
    }
}

/// A rule said no. Never an error of the machine: asking again with the same facts gives the same answer; where only time
/// stands in the way, it says how much.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[error("rule {}: {message}", rule.number())]
pub struct Refusal {
    pub rule: Rule,
    pub message: Message,
    /// After this time the answer may be another one.
    #[serde(skip)]
    pub again_in: Option<Duration>,
}

impl Refusal {
    /// A refusal under `rule` with this identifier and these sentences.
    pub fn new(rule: Rule, id: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { rule, message: Message::new(id, zh, en), again_in: None }
    }

    /// The same, for so long.
    pub fn again_in(self, wait: Duration) -> Self {
        Self { again_in: Some(wait), ..self }
    }
}
