//! Whether the audit trail is anchored in the log, and what goes over everything else.

use time::{Duration, OffsetDateTime};

use super::{Findings, Level};
use crate::cli::trouble::Trouble;
use crate::message::china_time;
use crate::store::Store;

/// The service anchors it daily; later than this it has not.
const LATE: Duration = Duration::days(2);

pub(super) async fn anchored(store: &Store, findings: &mut Findings, now: OffsetDateTime) -> Result<(), Trouble> {
    let all = ("；全部数据的核对请运行 yinxin fsck", "; `yinxin fsck` goes over everything that is stored");
    let newest = store.anchors(u64::MAX, 1).await?.pop().map(|entered| entered.entry.leaf.at);
    let (level, zh, en) = match newest {
        Some(at) if now - at <= LATE => {
            (Level::Ok, format!("审计链已于{}记入公开日志", china_time(at)), "the audit trail is anchored in the log")
        }
        _ => (
            Level::Warn,
            "审计链两日内未记入公开日志，请启动服务或运行 yinxin audit anchor".to_owned(),
            "the audit trail was not anchored in the log within two days; serve, or run `yinxin audit anchor`",
        ),
    };
    findings.add(level, "doctor.audit-trail", format!("{zh}{}", all.0), format!("{en}{}", all.1));
    Ok(())
}
