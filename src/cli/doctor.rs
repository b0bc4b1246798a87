//! `yinxin doctor`.

use std::path::Path;
use std::process::ExitCode;

use super::Clock;
use super::trouble::Trouble;

pub(super) async fn run(_config: Option<&Path>, _json: bool, _clock: Clock) -> Result<ExitCode, Trouble> {
    Ok(ExitCode::SUCCESS)
}
