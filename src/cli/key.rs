//! A log's key, which has no certificate and so comes with none of the commands that make one.

use clap::{Subcommand, ValueEnum};
use time::OffsetDateTime;

use super::rooms::{Rooms, machine_user};
use super::trouble::Trouble;
use crate::crypto::KeyAlgorithm;
use crate::desk::blocking;
use crate::tlog::note::{Kind, VerifierKey};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// 生成公开日志的密钥，显示其公钥行 / make a public log's key, and show the line that verifiers put into NAME.vkey
    Generate {
        /// 密钥名 / the key's label
        label: String,
        /// 日志名称，不带 https:// / the log's name, without https://
        #[arg(long)]
        name: String,
        #[arg(long, value_enum, default_value = "ed25519")]
        algorithm: Algorithm,
        /// 密钥所在的密码设备，默认为设置中的第一个 / the token to make the key in, the first of the settings by default
        #[arg(long, value_name = "TOKEN")]
        token: Option<String>,
    },
}

/// Keys of seals and authorities come with their certificates, by commands of their own.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Algorithm {
    #[value(name = "ed25519")]
    Ed25519,
}

pub(super) async fn key(rooms: &Rooms, command: KeyCommand, now: OffsetDateTime) -> Result<(), Trouble> {
    let KeyCommand::Generate { label, name, algorithm: Algorithm::Ed25519, token } = command;
    let verifier = |public_key| VerifierKey::new(&name, Kind::Ed25519, public_key).map_err(|_| bad_name(&name));
    // The name before the key: a key is not made for a name that cannot be.
    verifier([0; 32])?;
    let (store, keyring) = (rooms.store().await?, rooms.keyring().await?);
    let owned = label.clone();
    let signer = blocking(move || {
        let keyring = match &token {
            Some(token) => &keyring.making_in(token)?,
            None => &*keyring,
        };
        keyring.generate(&owned, KeyAlgorithm::Ed25519)?;
        keyring.signer(&owned)
    })
    .await?;
    let verifier = verifier(signer.note_key()?)?.to_string();
    let said = serde_json::json!({ "label": label, "vkey": verifier });
    store.audit(now, &machine_user(), "cli.key-made", &label, &said).await?;
    rooms.say(
        &format!("密钥已生成：{label}，公钥行：{verifier}"),
        &format!("the key is made; its line: {verifier}"),
        &said,
    );
    Ok(())
}

pub(super) fn bad_name(name: &str) -> Trouble {
    let name: String = name.chars().take(60).collect();
    Trouble::new(
        "cli.log-name",
        format!("“{name}”不能作日志或见证的名称：不得为空，不得有空白或加号；通常写 主机/log"),
        format!("\"{name}\" cannot name a log or a witness: no blanks and no plus sign; HOST/log is usual"),
    )
}
