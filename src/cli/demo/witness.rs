//! The demonstration's witness: another process with its own key and state, as a supervising office would run it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::state::State;
use crate::cli::Clock;
use crate::cli::rooms::{Rooms, print};
use crate::cli::trouble::Trouble;
use crate::keys;

/// A running witness; it ends with the demonstration.
pub(super) struct Witness(Child);

impl Drop for Witness {
    fn drop(&mut self) {
        // One that has ended already is no trouble.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Founds the log, makes a witness that follows it, and has the settings ask for its word; a witness that an earlier run made is
/// started again.
pub(super) async fn beside(state: &State, clock: Clock) -> Result<Witness, Trouble> {
    let folder = state.folder().join("witness");
    let settings = folder.join("witness.toml");
    if !settings.exists() {
        let rooms = Rooms::of(Some(&state.settings()), false)?;
        rooms.open_store().await?.migrate().await?;
        let desk = rooms.desk(clock).await?;
        let log = desk.log(clock()).await?.vkey;
        desk.store.close().await;
        std::fs::create_dir(&folder).map_err(|e| Trouble::file(&folder, &e))?;
        state.write("witness/passphrase", &hex::encode([keys::draw()?, keys::draw()?].concat()))?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let listen = port.map_err(|e| Trouble::file(Path::new("127.0.0.1"), &e))?;
        state.write(
            "witness/witness.toml",
            &format!(
                "[witness]\nname = \"witness.example/demo\"\nlisten = \"{listen}\"\nlogs = [\"{log}\"]\n\
                 [keys]\nhome = \"soft\"\ndir = \"keys\"\npassphrase_file = \"passphrase\"\n"
            ),
        )?;
        let made = command(&settings, true)?.output().map_err(|e| Trouble::file(&settings, &e))?;
        let key = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        if !made.status.success() || key.is_empty() {
            return Err(silent());
        }
        state.add_settings(&format!(
            "[log.witnesses]\n[[log.witnesses.witness]]\nurl = \"http://{listen}\"\nvkey = \"{key}\"\n"
        ))?;
        state.write("witness/witness.vkey", &key)?;
    }
    let child = command(&settings, false)?.spawn().map_err(|e| Trouble::file(&settings, &e))?;
    let witness = Witness(child);
    let written = std::fs::read_to_string(&settings).map_err(|e| Trouble::file(&settings, &e))?;
    let address = written.lines().find_map(|line| line.strip_prefix("listen = \"")?.strip_suffix('"'));
    let address = address.ok_or_else(silent)?.to_owned();
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(&address).await.is_ok() {
            print(&format!("见证 / witness: {address}"));
            return Ok(witness);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(silent())
}

fn command(settings: &Path, init: bool) -> Result<Command, Trouble> {
    let program: PathBuf = std::env::current_exe().map_err(|e| Trouble::file(Path::new("yinxin"), &e))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(settings).arg("witness").args(init.then_some("init"));
    command.stdin(Stdio::null()).stderr(Stdio::null());
    if !init {
        command.stdout(Stdio::null());
    }
    Ok(command)
}

fn silent() -> Trouble {
    Trouble::new("demo.witness", "演示用的见证进程未能启动", "the demonstration's witness did not start")
}
