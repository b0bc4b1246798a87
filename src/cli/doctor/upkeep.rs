//! What the service sees to by itself, where it has not yet: keys that are to end; and what it raised alarms about.

use time::{Duration, OffsetDateTime};

use super::{Findings, Level};
use crate::cli::trouble::Trouble;
use crate::message::china_time;
use crate::store::Store;

/// Keys whose end was ordered and has not come, and alarms of the last day.
pub(super) async fn overdue(store: &Store, findings: &mut Findings, now: OffsetDateTime) -> Result<(), Trouble> {
    for (end, free) in store.keys_to_destroy(now).await? {
        let (zh, en) = match free {
            true => (
                "服务将在一小时内执行，或请运行 yinxin ca refresh",
                "the service does it within the hour, or run `yinxin ca refresh`",
            ),
            false => ("尚有用印等待该密钥", "orders still wait for it"),
        };
        findings.add(
            Level::Warn,
            "doctor.key-to-destroy",
            format!("密钥 {} 待销毁（{}）：{zh}", end.key_label, end.document),
            format!("the key {} is to be destroyed: {en}", end.key_label),
        );
    }
    for alarm in store.use_alarms(now - Duration::DAY, 20).await? {
        findings.add(
            Level::Warn,
            "doctor.use-alarm",
            format!(
                "印章 {} 用印限额{}（{}上限{}次，{}）",
                alarm.seal,
                alarm.level.words().0,
                alarm.span.words().0,
                alarm.most,
                china_time(alarm.at)
            ),
            format!(
                "the seal {}: {} (at most {} {})",
                alarm.seal,
                alarm.level.words().1,
                alarm.most,
                alarm.span.words().1
            ),
        );
    }
    Ok(())
}
