//! `yinxin register`: the register as data. Whoever holds a copy asks nobody.

use std::path::PathBuf;

use clap::Subcommand;
use time::OffsetDateTime;

use super::certificates::read_trust;
use super::rooms::{Rooms, print, read_file, write_file};
use super::trouble::Trouble;
use crate::limits;
use crate::register::snapshot::Published;
use crate::store::FiledSnapshot;
use crate::verify::judge::register::{RegisterFault, prove};

#[derive(Debug, Subcommand)]
pub(super) enum RegisterCommand {
    /// 发布并导出登记册快照（附公开日志回执）/ publish the register's snapshot and export it with the log's receipt
    Snapshot {
        /// 只导出此编号的快照以来的变更 / only what is new since the snapshot of this size
        #[arg(long, value_name = "SIZE")]
        since: Option<u64>,
        /// 写入文件，默认输出 / write here instead of the output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// 把变更并入手头的快照，核对回执；不需要设置 / lay changes upon the snapshot at hand and check the receipt; needs no settings
    Apply(Apply),
}

#[derive(Debug, clap::Args)]
pub(super) struct Apply {
    /// 手头的快照 / the snapshot at hand
    snapshot: PathBuf,
    /// 变更 / the changes
    delta: PathBuf,
    /// 信任目录，内有日志公钥（.vkey）/ trust folder with the log's key (.vkey)
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// 公开日志须有几个见证 / how many witnesses must have seen the log
    #[arg(long, value_name = "K")]
    witnesses: Option<usize>,
    /// 写入文件，默认覆盖手头的快照 / write here instead of over the snapshot at hand
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn snapshot(
    rooms: &Rooms,
    clock: super::Clock,
    since: Option<u64>,
    output: Option<PathBuf>,
) -> Result<(), Trouble> {
    let now: OffsetDateTime = clock();
    let desk = rooms.desk(clock).await?;
    desk.publish_register(now).await?;
    let missing = || {
        Trouble::new(
            "cli.no-snapshot",
            "没有这份登记册快照，请导出全文（不带 --since）",
            "there is no such snapshot of the register; export the whole, without --since",
        )
    };
    let newest = desk.store.snapshot(None).await?.ok_or_else(missing)?;
    let FiledSnapshot { snapshot, receipt, .. } = newest;
    let published = match since {
        None => Published::Whole(snapshot),
        Some(since) => {
            let old = desk.store.snapshot(Some(since)).await?.ok_or_else(missing)?;
            Published::Delta(Box::new(snapshot.since(&old.snapshot)))
        }
    };
    let text = published.write(&receipt.unwrap_or_default());
    match output {
        Some(path) => write_file(&path, text.as_bytes()),
        None => {
            print(text.trim_end());
            Ok(())
        }
    }
}

/// Nothing is written unless the log proves what comes of it.
pub(super) fn apply(apply: Apply) -> Result<(), Trouble> {
    let mut trust = read_trust(&apply.trust)?;
    trust.witnesses_asked = apply.witnesses;
    let read = |path: &PathBuf| -> Result<(Published, String), Trouble> {
        let bytes = read_file(path, limits::REGISTER_BYTES)?;
        Published::read(&bytes).map_err(|fault| Trouble(fault.message()))
    };
    let wrong = || {
        Trouble::new(
            "cli.register-apply",
            "第一个文件应为登记册快照，第二个应为变更",
            "the first file must be a snapshot of the register, the second the changes",
        )
    };
    let ((Published::Whole(old), _), (Published::Delta(delta), receipt)) =
        (read(&apply.snapshot)?, read(&apply.delta)?)
    else {
        return Err(wrong());
    };
    let new = old.with(*delta).map_err(|fault| Trouble(fault.message()))?;
    let proof = prove(&new, &receipt, &trust).map_err(|fault: RegisterFault| Trouble(fault.message()))?;
    let (zh, en) = proof.words();
    let text = Published::Whole(new).write(&receipt);
    write_file(&apply.output.unwrap_or(apply.snapshot), text.as_bytes())?;
    print(&format!("快照已更新：{zh} / the snapshot is up to date: {en}"));
    Ok(())
}
