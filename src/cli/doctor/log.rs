//! The public log: its tree is the one that was published, its key is here, and its witnesses answer.

use time::OffsetDateTime;

use super::{Findings, Level};
use crate::cli::trouble::Trouble;
use crate::keys::Keyring;
use crate::log::is_key_of;
use crate::store::{Store, StoreError};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::note::Note;
use crate::witnesses::{Witnesses, WitnessesSettings};

pub(super) async fn log(
    store: &Store,
    keyring: Option<&Keyring>,
    witnesses: WitnessesSettings,
    findings: &mut Findings,
    now: OffsetDateTime,
) -> Result<(), Trouble> {
    let Some(identity) = store.log_identity().await? else {
        findings.add(
            Level::Ok,
            "doctor.log-unused",
            "公开日志尚未启用，首次用印时自动生成其密钥",
            "the public log was not used yet; its key is made with the first use of a seal",
        );
        return Ok(());
    };
    // Reading the head anew follows the tree from what was published.
    let size = store.newest_log_head().await?.size();
    let published = store.checkpoint().await?;
    let note = published.as_ref().map(|(_, note)| Note::read(note.as_bytes())).transpose().map_err(StoreError::Log)?;
    if let Some(note) = &note {
        Checkpoint::open(note, &identity.vkey).map_err(StoreError::Log)?;
    }
    let behind = size - published.as_ref().map_or(0, |(size, _)| *size).min(size);
    match behind {
        0 => findings.add(
            Level::Ok,
            "doctor.log",
            format!("公开日志 {}：{size} 条，均已公布", identity.vkey.name()),
            format!("the public log {}: {size} entries, all published", identity.vkey.name()),
        ),
        behind => findings.add(
            Level::Warn,
            "doctor.log-behind",
            format!("公开日志有 {behind} 条尚未公布；服务运行时数秒内公布，否则请检查见证方"),
            format!("{behind} entries of the public log are not published; a running service does it within seconds, if its witnesses answer"),
        ),
    }
    if let Some(keyring) = keyring
        && !keyring.signer(identity.key()).is_ok_and(|signer| is_key_of(&*signer, &identity))
    {
        findings.add(
            Level::Fail,
            "doctor.log-key",
            format!("公开日志的密钥“{}”不在密钥库中，无法用印", identity.key()),
            format!("the public log's key '{}' is not among the keys; nothing can be sealed", identity.key()),
        );
    }
    if let (Some((size, _)), Some(note)) = (published, note) {
        let (needed, all) = (witnesses.needed, witnesses.each.len());
        let prove = |old| async move { store.log_proof(&crate::tlog::tree::consistency(old, size), size).await };
        let got = Witnesses::of(WitnessesSettings { needed: all, ..witnesses }).cosign(&note, size, now, prove).await;
        for (name, fault) in &got.faults {
            let level = if got.lines.len() < needed || fault.is_alarming() { Level::Fail } else { Level::Warn };
            let message = fault.message();
            findings.add(
                level,
                "doctor.witness",
                format!("见证方 {name}：{}", message.zh),
                format!("the witness {name}: {}", message.en),
            );
        }
        let most = all / 2 + 1;
        if all > 0 && needed < most {
            findings.add(
                Level::Warn,
                "doctor.witnesses-few",
                format!("log.witnesses.needed 为 {needed}，而信任全部 {all} 个见证的验真者要求 {most} 个：请改为至少 {most}"),
                format!("log.witnesses.needed is {needed}, and verifiers who trust all {all} witnesses ask for {most}: set it to {most} at least"),
            );
        }
        findings.add(
            Level::Ok,
            "doctor.witnesses",
            format!("见证方 {} 个签认（共 {all} 个，须 {needed} 个）", got.lines.len()),
            format!("{} of {all} witnesses cosign; {needed} are needed", got.lines.len()),
        );
    }
    Ok(())
}
