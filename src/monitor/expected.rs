//! What the bureau says of the uses of its seals: openings that its log command exports, and numbers of decisions that another
//! hand keeps. Each use in the log is held against both.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::message::Message;
use crate::tlog::leaf::{Leaf, Opening};

/// One line of an export: what opens the entry at this place of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    pub index: u64,
    /// The opening's text.
    pub opening: String,
}

/// Everything that was handed in.
#[derive(Debug, Default)]
pub struct Expected {
    openings: HashMap<u64, Opening>,
    /// Numbers of decisions and of orders of abolition; for uses that rest on neither, the order's or document's own.
    named: HashSet<String>,
}

/// A line that is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {0} of the list of expected uses does not read")]
pub struct NotExpected(pub usize);

impl NotExpected {
    /// What to say about it.
    pub fn message(&self) -> Message {
        let line = self.0;
        Message::new(
            "monitor.expected",
            format!("应有用印清单第{line}行无法识别：应为决定文号，或 yinxin log openings 导出的一行"),
            format!(
                "line {line} of the expected uses does not read: it must be a decision's number, or a line that `yinxin log openings` wrote"
            ),
        )
    }
}

/// Why a use is not explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unexplained {
    /// The bureau's export has nothing for it.
    Unopened,
    /// What the export has for it is not what the leaf commits to.
    Misopened,
    /// It rests on a decision that nobody expects.
    Unlisted,
}

impl Expected {
    /// Adds the lines of one file. Empty ones, and those that begin with `#`, say nothing.
    ///
    /// # Errors
    /// [`NotExpected`], with the line's number from 1.
    pub fn add(&mut self, text: &str) -> Result<(), NotExpected> {
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.len() > 2 * limits::LOG_OPENING_BYTES {
                return Err(NotExpected(number));
            }
            if line.starts_with('{') {
                let opened: Opened = serde_json::from_str(line).map_err(|_| NotExpected(number))?;
                let opening = Opening::read(opened.opening.as_bytes()).map_err(|_| NotExpected(number))?;
                self.openings.insert(opened.index, opening);
            } else {
                self.named.insert(line.to_owned());
            }
        }
        Ok(())
    }

    /// Whether the use at this place of the log is one that the bureau knows and somebody decided.
    pub(super) fn explain(&self, index: u64, leaf: &Leaf) -> Result<(), Unexplained> {
        let opening = self.openings.get(&index).ok_or(Unexplained::Unopened)?;
        if opening.commitment() != leaf.commitment {
            return Err(Unexplained::Misopened);
        }
        let rests_on = ["decision", "abolition"].into_iter().filter_map(|key| opening.fact(key)).collect::<Vec<_>>();
        let listed = match rests_on.as_slice() {
            [] => ["order", "document"].iter().filter_map(|key| opening.fact(key)).any(|own| self.named.contains(own)),
            reasons => reasons.iter().all(|reason| self.named.contains(*reason)),
        };
        // Without any number at hand, the bureau's openings alone are compared.
        if listed || self.named.is_empty() { Ok(()) } else { Err(Unexplained::Unlisted) }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::tlog::leaf::{Entry, Matter};

    fn used(salt: u8, facts: &[(&str, &str)]) -> Entry {
        let opening = Opening::new([salt; 32], facts.iter().copied()).unwrap();
        Entry::new(Matter::Order, "licence", datetime!(2026-04-01 8:00 UTC), Some("5100000000001".into()), opening)
    }

    fn line(index: u64, entry: &Entry) -> String {
        serde_json::to_string(&Opened { index, opening: entry.opening.to_string() }).unwrap() + "\n"
    }

    #[test]
    fn a_use_needs_its_opening_and_its_decision() {
        let decided = used(1, &[("order", "o1"), ("decision", "许准〔2026〕1号")]);
        let report = used(2, &[("order", "o2")]);
        let mut expected = Expected::default();
        expected.add(&(line(0, &decided) + &line(1, &report) + &line(2, &report))).unwrap();
        assert_eq!(expected.explain(0, &decided.leaf), Ok(()));
        assert_eq!(expected.explain(2, &decided.leaf), Err(Unexplained::Misopened));
        assert_eq!(expected.explain(3, &decided.leaf), Err(Unexplained::Unopened), "a copy of a known leaf");
        expected.add("# from the approval system\n许准〔2026〕2号\r\n\n").unwrap();
        assert_eq!(expected.explain(0, &decided.leaf), Err(Unexplained::Unlisted));
        assert_eq!(expected.explain(1, &report.leaf), Err(Unexplained::Unlisted));
        expected.add("许准〔2026〕1号\no2\n").unwrap();
        assert_eq!(expected.explain(0, &decided.leaf), Ok(()));
        assert_eq!(expected.explain(1, &report.leaf), Ok(()));
        for wrong in ["\n{}", "\n{\"index\":1,\"opening\":\"yinxin-opening/v1\\n\"}", "\n{\"index\":-1}"] {
            assert_eq!(Expected::default().add(wrong), Err(NotExpected(2)), "{wrong}");
        }
    }
}
