//! `yinxin fsck`: what the whole store says of itself, held together.

use std::process::ExitCode;

use super::rooms::{Rooms, print};
use super::trouble::Trouble;
use crate::fsck::{self, Counts, Outcome};

/// Goes over everything; exits 1 where something does not fit.
pub(super) async fn run(rooms: &Rooms) -> Result<ExitCode, Trouble> {
    let store = rooms.store().await?;
    let witnesses: Vec<_> = rooms.settings.log.witnesses.each.iter().map(|one| one.key.clone()).collect();
    let bar = indicatif::ProgressBar::new(0);
    let outcome = fsck::check(&store, &witnesses, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .await?;
    bar.finish_and_clear();
    match rooms.json() {
        true => print(&serde_json::to_string(&outcome).unwrap_or_default()),
        false => show(&outcome),
    }
    Ok(if outcome.found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(outcome: &Outcome) {
    let Outcome { counts, head, findings, found } = outcome;
    let Counts { entries, nodes, receipts, sealed, lost, waiting, acts, before_log, .. } = counts;
    let Counts { documents, bytes, versions, events, unchained, anchors, .. } = counts;
    print(&format!(
        "公开日志：{entries}条，存储节点{nodes}个，回执{receipts}份 / log: {entries} entries, {nodes} stored nodes, {receipts} receipts"
    ));
    if let Some((size, root)) = head {
        print(&format!("由条目重建的日志树：{size}条，根 {root} / tree built from them: root {root}"));
    }
    print(&format!(
        "用印：已用印{sealed}，未完成{lost}，等待{waiting}；证书操作{acts}；早于日志{before_log} / \
         uses of seals: {sealed} sealed, {lost} lost, {waiting} waiting; {acts} acts of the authorities; {before_log} older than the log"
    ));
    print(&format!(
        "文书{documents}份（{bytes}字节），证照版本{versions}个 / {documents} documents ({bytes} bytes), {versions} versions of licences"
    ));
    print(&format!(
        "审计链{events}条，日志锚定{anchors}次；早于审计链{unchained}条 / \
         {events} chained audit events, {anchors} anchors in the log; {unchained} older than the chain"
    ));
    for finding in findings {
        print(&format!("✗ {}：{}", finding.about, finding.message));
    }
    let more = found.saturating_sub(findings.len() as u64);
    if more > 0 {
        print(&format!("另有{more}处未列出 / {more} more"));
    }
    print(&match found {
        0 => "✓ 全部相符 / everything fits together".to_owned(),
        _ => format!(
            "✗ {found}处不符：请停止用印，保存数据库现状，报告监察机关 / {found} finding(s): stop sealing, keep the database as it is, tell whoever supervises"
        ),
    });
}
