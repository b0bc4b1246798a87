//! The clock of our own authority: what it promises is an accuracy, so it stamps only while nothing says otherwise.
//!
//! The wall clock is held against a clock that nobody sets, against the newest stamp in the store, against the database
//! server's clock and against those of outside authorities. Each stands for something the others do not see: a step while
//! we run, a step while we did not, a machine of its own, the world (EN 319 421 §7.7.2). Nothing is remembered: when they
//! agree again, stamping goes on.

use time::{Duration, OffsetDateTime};

use super::Stamping;
use crate::desk::{Desk, FlowError};
use crate::message::{Message, china_time};
use crate::store::StampingUnit;

/// What every token of ours promises, to either side; EN 319 421 §7.7.2 asks for one second or better.
pub const ACCURACY: Duration = Duration::SECOND;

/// Time since some fixed moment, from a clock that nobody can set.
pub type Steady = std::sync::Arc<dyn Fn() -> Duration + Send + Sync>;

/// Why the clock cannot be promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It was set by so much while we ran.
    Stepped(Duration),
    /// The newest stamp is later than now.
    Behind(OffsetDateTime),
    /// It is so far ahead of the database server's.
    Database(Duration),
    /// It is so far behind that of the outside authority that agrees best.
    Authorities(Duration),
}

impl Desk {
    /// Whether the clock's accuracy can be promised at this moment; gives the moment.
    pub(super) async fn sure_now(&self, unit: &StampingUnit) -> Result<Result<OffsetDateTime, Doubt>, FlowError> {
        let before = (self.clock)();
        let server = match self.stamping.plan().database_clock {
            true => self.store.server_clock().await?,
            false => None,
        };
        // The stamp's moment is the last one that was looked at.
        let now = (self.clock)();
        let off = |off: Duration, doubt: fn(Duration) -> Doubt| (off.abs() > ACCURACY).then(|| doubt(off));
        let doubt = self
            .stamping
            .stepped(now)
            .and_then(|by| off(by, Doubt::Stepped))
            .or_else(|| unit.last.filter(|last| *last > now + ACCURACY).map(Doubt::Behind))
            .or_else(|| {
                let server = server?;
                // Asked between `before` and `now`, it may be as good as either.
                let nearest = server.clamp(before.min(now), now);
                off(nearest - server, Doubt::Database)
            })
            .or_else(|| off(self.stamping.plan().authorities.clock_off(now)?, Doubt::Authorities));
        Ok(doubt.map_or(Ok(now), Err))
    }
}

impl Stamping {
    /// By how much the wall clock was set since this was laid out.
    fn stepped(&self, now: OffsetDateTime) -> Option<Duration> {
        let (start, steady_start, steady) = self.start()?;
        let steady_now = start + (steady() - steady_start);
        Some(now - steady_now)
    }
}

impl Doubt {
    /// What to say about it, and what to do.
    pub fn message(self) -> Message {
        let (zh, en) = match self {
            Self::Stepped(by) => (
                format!("系统时钟在运行中被拨动了{by:.1}。请校准时钟；确认无误后重新启动服务"),
                format!("the clock was set by {by:.1} while we ran; set it right, and restart once it is"),
            ),
            Self::Behind(last) => (
                format!(
                    "系统时钟早于最近一枚时间戳（{}）。请校准时钟；如该时间戳的时间有误，请吊销时间戳证书后运行 yinxin ca stamping",
                    china_time(last)
                ),
                format!(
                    "the clock is behind the newest time stamp ({}); set it right, or, where that stamp is wrong, revoke the stamping certificate and run `yinxin ca stamping`",
                    china_time(last)
                ),
            ),
            Self::Database(by) => (
                format!("系统时钟与数据库服务器的时钟相差{by:.1}，请校准两者"),
                format!("the clock differs from the database server's by {by:.1}; set both right"),
            ),
            Self::Authorities(by) => (
                format!("系统时钟与外部时间戳机构的时钟相差{by:.1}，请校准"),
                format!("the clock differs from the outside authorities' by {by:.1}; set it right"),
            ),
        };
        Message::new(
            "stamping.clock",
            format!("时钟不能保证准确，已暂停签发时间戳：{zh}。"),
            format!("The clock cannot be relied on and nothing is stamped: {en}."),
        )
    }
}
