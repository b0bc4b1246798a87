//! Being a witness: a process beside none of ours, best on another office's machine.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;

use super::Clock;
use super::rooms::{key_settings, print};
use super::serve::{open, told_to_stop};
use super::trouble::Trouble;
use crate::config::{self, WitnessProcess};
use crate::desk::blocking;
use crate::http::{serve, witness_router};
use crate::keys::Keyring;
use crate::witness::{NotCosigned, Witness};

#[derive(Debug, Subcommand)]
pub(super) enum WitnessCommand {
    /// 生成密钥和空白状态，显示公钥行，供日志方登记 / make the key and an empty state, and show the line that logs need
    Init,
}

pub(super) async fn witness(
    command: Option<WitnessCommand>,
    config: Option<&Path>,
    json: bool,
    clock: Clock,
) -> Result<ExitCode, Trouble> {
    let WitnessProcess { mode, keys, listen, office } = config::load_witness(config)?;
    let keyring = blocking(move || Keyring::open(&key_settings(mode, keys))).await?;
    for warning in keyring.warnings() {
        eprintln!("{warning}");
    }
    if let Some(WitnessCommand::Init) = command {
        let key = blocking(move || Witness::begin(&office, &keyring)).await?;
        match json {
            true => print(&serde_json::json!({ "vkey": key.to_string() }).to_string()),
            false => print(&key.to_string()),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let witness = blocking(move || Witness::open(&office, &keyring, Arc::new(clock))).await?;
    let key = witness.key().to_string();
    let door = open(listen).await?;
    if let Ok(address) = door.local_addr() {
        print(&format!("见证 / witness: http://{address}/ {key}"));
    }
    let served = serve(door, witness_router(Arc::new(witness)), told_to_stop()).await;
    served.map_err(|e| Trouble::new("cli.serve", format!("服务中断：{e}"), format!("serving ended: {e}")))?;
    Ok(ExitCode::SUCCESS)
}

impl From<NotCosigned> for Trouble {
    fn from(error: NotCosigned) -> Self {
        Self(error.message())
    }
}
