//! Arguments → settings → tools → one command. The one place that reads the clock.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use time::OffsetDateTime;
use tracing_subscriber::EnvFilter;
use yinxin::cli::{self, Arguments};

/// Could not run at all. Not clap's 2, which in `verify` says that something could not be confirmed.
const COULD_NOT_RUN: u8 = 3;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(said) => {
            // Help and version are no errors; where their output goes nobody is left to be told.
            let _ = said.print();
            return if said.use_stderr() { ExitCode::from(COULD_NOT_RUN) } else { ExitCode::SUCCESS };
        }
    };
    // Before any thread, any log and any settings: what it may do is closed around the one thread there is.
    if let Some(drawn) = arguments.draw_pages() {
        return drawn;
    }
    log(arguments.serves());
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::run(arguments, now)),
        Err(error) => {
            eprintln!("无法启动 / cannot start: {error} [cli.runtime]");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// To the error stream: quiet for a command, one line a request when serving, as JSON where no person is looking.
fn log(serving: bool) {
    let quiet = if serving { "info,sqlx=warn,certval=warn" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(quiet));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if serving && !std::io::stderr().is_terminal() {
        log.json().init();
    } else {
        log.init();
    }
}
