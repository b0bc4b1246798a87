//! How often a seal may be used: so many times an hour and a day, by all together and by one officer. Whoever steals a
//! program's token or an officer's session seals so many documents and no more, and the alarm goes before that.
//!
//! The windows slide. Each use of a seal has a running number among the seal's uses, and one among its officer's uses of
//! that seal; a use is within its ceiling of `n` when the one `n` places before it has left the window. So three dates
//! answer for each ceiling, however many uses there were.

use time::{Duration, OffsetDateTime};

use crate::refusal::{Refusal, Rule};
use crate::seal::SealNumber;

/// The most uses within any hour and any day; 0 allows none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    pub an_hour: u32,
    pub a_day: u32,
}

impl Ceiling {
    /// An hour's may not be more than the day's, or it would never count.
    pub fn check(self) -> Result<Self, Refusal> {
        if self.an_hour <= self.a_day {
            return Ok(self);
        }
        Err(Refusal::new(
            Rule::Hands,
            "use.hour-over-day",
            "每小时用印上限不应高于每日上限，请核对",
            "the ceiling for an hour is above that for a day; check both",
        ))
    }

    /// The number for one window.
    pub fn within(self, span: Span) -> u32 {
        match span {
            Span::Hour => self.an_hour,
            Span::Day => self.a_day,
        }
    }
}

/// What holds where nothing else was laid down for a seal or a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceilings {
    /// Of a seal, by all officers together.
    pub seal: Ceiling,
    /// Of one officer's uses of one seal.
    pub officer: Ceiling,
}

impl Default for Ceilings {
    /// A county decides some 110,000 cases a year, 450 on a working day; four times that is a rush and more is a theft.
    fn default() -> Self {
        Self { seal: Ceiling { an_hour: 600, a_day: 2000 }, officer: Ceiling { an_hour: 300, a_day: 1000 } }
    }
}

/// A window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Span {
    Hour,
    Day,
}

impl Span {
    pub fn length(self) -> Duration {
        match self {
            Span::Hour => Duration::HOUR,
            Span::Day => Duration::DAY,
        }
    }

    /// As stored and as written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Span::Hour => "hour",
            Span::Day => "day",
        }
    }

    /// Chinese and English, for pages and refusals.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Span::Hour => ("每小时", "an hour"),
            Span::Day => ("每日", "a day"),
        }
    }
}

/// Whose uses are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Seal,
    Officer,
}

/// How loud an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Four fifths are used.
    Near,
    /// The last one is used.
    Reached,
    /// More was asked for, and refused.
    Refused,
}

impl Level {
    /// As stored and as written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Near => "near",
            Level::Reached => "reached",
            Level::Refused => "refused",
        }
    }

    /// Chinese and English, for pages.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Level::Near => ("已用八成", "four fifths used"),
            Level::Reached => ("已达上限", "ceiling reached"),
            Level::Refused => ("超限被拒", "refused beyond it"),
        }
    }
}

/// One ceiling, and the running number that the next use would have among those it counts.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub seal: &'a SealNumber,
    pub whose: Whose,
    pub span: Span,
    pub most: u32,
    pub next: i64,
}

impl Asked<'_> {
    /// Running numbers whose dates are needed; numbers below 1 have none.
    pub fn needs(&self) -> [i64; 3] {
        let (most, near) = (i64::from(self.most), i64::from(near(self.most)));
        [self.next - most, self.next - most + 1, self.next - near + 1]
    }

    /// Whether the use may be, and what must be said aloud if it is. `written_at` gives the date of a number of
    /// [`Asked::needs`].
    ///
    /// # Errors
    /// The ceiling is reached; [`Refusal::again_in`] says for how long.
    pub fn judge(
        &self,
        written_at: impl Fn(i64) -> Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Result<Option<Level>, Refusal> {
        let [over, last, near] = self.needs();
        // The use itself is as young as can be.
        let leaves_in = |number: i64| {
            if number >= self.next {
                return Some(self.span.length());
            }
            let left = written_at(number)? + self.span.length() - now;
            left.is_positive().then_some(left)
        };
        if let Some(wait) = leaves_in(over) {
            return Err(self.refusal(wait));
        }
        Ok(match (leaves_in(last), leaves_in(near)) {
            (Some(_), _) => Some(Level::Reached),
            (None, Some(_)) => Some(Level::Near),
            (None, None) => None,
        })
    }

    fn refusal(&self, wait: Duration) -> Refusal {
        let (seal, most, (span_zh, span_en)) = (self.seal, self.most, self.span.words());
        let minutes = (wait.whole_seconds() + 59) / 60;
        let (id, zh, en) = match (self.whose, self.span) {
            (Whose::Seal, Span::Hour) => ("use.seal-hour", "该印章", "all together"),
            (Whose::Seal, Span::Day) => ("use.seal-day", "该印章", "all together"),
            (Whose::Officer, Span::Hour) => ("use.officer-hour", "您使用该印章", "one officer"),
            (Whose::Officer, Span::Day) => ("use.officer-day", "您使用该印章", "one officer"),
        };
        if most == 0 {
            return Refusal::new(
                Rule::Hands,
                id,
                format!("印章{seal}{span_zh}用印上限为0次，不得用印；请由印章管理人员调整上限"),
                format!("the ceiling of the seal {seal} for {en} is 0 {span_en}; have its administrators change it"),
            );
        }
        Refusal::new(
            Rule::Hands,
            id,
            format!(
                "{zh}（{seal}）已达{span_zh}用印上限{most}次，本次未用印；请约{minutes}分钟后再试。如确有需要，请由印章管理人员提高上限；如非本人操作，请立即收回令牌"
            ),
            format!(
                "the seal {seal} has been used {most} times, the most {span_en} for {en}; nothing was sealed. Try again in about {minutes} minutes, have the seal's administrators raise the ceiling, or, if this was not you, take the token back at once"
            ),
        )
        .again_in(wait)
    }
}

/// Four fifths, rounded up.
fn near(most: u32) -> u32 {
    most - most / 5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::sample::at;
    use proptest::prelude::*;

    fn number() -> SealNumber {
        SealNumber::parse("51322100000001").unwrap()
    }

    proptest! {
        /// The three dates say just what counting would: whatever the gaps, never more than the ceiling in a window, never
        /// a refusal below it.
        #[test]
        fn three_dates_say_what_counting_would(gaps in proptest::collection::vec(0i64..2000, 1..60), most in 0u32..8) {
            let seal = number();
            let (mut now, mut uses) = (1_000_000, Vec::<i64>::new());
            for gap in gaps {
                now += gap;
                let asked = Asked { seal: &seal, whose: Whose::Seal, span: Span::Hour, most, next: uses.len() as i64 + 1 };
                let dates = |n: i64| usize::try_from(n - 1).ok().and_then(|n| uses.get(n)).map(|t| at(*t));
                let counted = uses.iter().filter(|t| **t > now - 3600).count() as u32;
                match asked.judge(dates, at(now)) {
                    Ok(level) => {
                        prop_assert!(counted < most);
                        let expected = match counted + 1 {
                            n if n == most => Some(Level::Reached),
                            n if n * 5 >= most * 4 => Some(Level::Near),
                            _ => None,
                        };
                        prop_assert_eq!(level, expected);
                        uses.push(now);
                    }
                    Err(refusal) => {
                        prop_assert!(counted >= most);
                        prop_assert_eq!(refusal.message.id, "use.seal-hour");
                        let wait = refusal.again_in;
                        prop_assert_eq!(wait.is_none(), most == 0);
                        // Just then there is room again.
                        if let Some(wait) = wait {
                            let then = now + wait.whole_seconds();
                            prop_assert!(uses.iter().filter(|t| **t > then - 3600).count() < most as usize);
                            prop_assert!(uses.iter().filter(|t| **t > then - 1 - 3600).count() >= most as usize);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_hour_is_within_the_day() {
        assert!(Ceiling { an_hour: 5, a_day: 5 }.check().is_ok());
        assert_eq!(Ceiling { an_hour: 6, a_day: 5 }.check().unwrap_err().message.id, "use.hour-over-day");
        let Ceilings { seal, officer } = Ceilings::default();
        assert!(seal.check().is_ok() && officer.check().is_ok());
    }
}
