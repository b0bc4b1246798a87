//! `yinxin log`: what the bureau hands to whoever watches over its log.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::Subcommand;
use time::OffsetDateTime;

use super::rooms::{Rooms, machine_user, print};
use super::trouble::Trouble;
use crate::monitor::Opened;
use crate::store::Entered;
use crate::tlog::leaf::Matter;

/// Entries read at a time.
const AT_ONCE: u16 = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// 导出用印条目的内容（涉密：含当事人信息），供 yinxin monitor --expected 核对 / what opens the log's uses of seals, for `yinxin monitor --expected`; it names people
    Openings {
        /// 从第几条起 / from this entry on
        #[arg(long, default_value_t = 0, value_name = "INDEX")]
        from: u64,
        /// 写入新文件（仅本人可读），默认输出 / write a new file that its owner alone may read, instead of the output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

pub(super) async fn log(rooms: &Rooms, command: LogCommand, now: OffsetDateTime) -> Result<(), Trouble> {
    let LogCommand::Openings { from, output } = command;
    let store = rooms.store().await?;
    store.audit(now, &machine_user(), "cli.openings-exported", &from.to_string(), &serde_json::json!({})).await?;
    let mut file = match &output {
        Some(path) => {
            let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            Some((path, opened.map_err(|why| Trouble::file(path, &why))?))
        }
        None => None,
    };
    let (mut next, mut count) = (from, 0_u64);
    loop {
        let entries = store.entries(next, AT_ONCE).await?;
        let Some(last) = entries.last() else { break };
        next = last.index + 1;
        for Entered { index, entry } in entries.into_iter().filter(|of| of.entry.leaf.matter == Matter::Order) {
            let opened = Opened { index, opening: entry.opening.to_string() };
            let line = serde_json::to_string(&opened).unwrap_or_default();
            count += 1;
            match &mut file {
                Some((path, file)) => writeln!(file, "{line}").map_err(|why| Trouble::file(path, &why))?,
                None => print(&line),
            }
        }
    }
    if output.is_some() {
        let said = serde_json::json!({ "openings": count });
        rooms.say(&format!("已导出 {count} 条用印内容"), &format!("{count} openings are written"), &said);
    }
    Ok(())
}
