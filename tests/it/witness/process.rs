//! The witness as it is run: the built program, its own settings, and the plug pulled while it works.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use yinxin::tlog::note::{Kind, VerifierKey};

use super::log::Log;
use super::{LOG, ask};
use crate::cli::Ran;

/// Times that the plug is pulled.
const KILLS: usize = 5;

struct Place(tempfile::TempDir);

impl Place {
    fn new(log: &Log) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = folder.path().join("passphrase");
        fs::write(&passphrase, "correct horse battery staple").unwrap();
        fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
        let settings = format!(
            "[witness]\nname = \"witness.example/w1\"\nlisten = \"127.0.0.1:0\"\nlogs = [\"{}\"]\n[keys]\npassphrase_file = \"passphrase\"\n",
            log.key
        );
        fs::write(folder.path().join("witness.toml"), settings).unwrap();
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_yinxin"));
        command.args(arguments).current_dir(self.0.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// Starts it, and waits until it has said where it listens.
    fn serve(&self) -> (Child, SocketAddr) {
        let mut child = self
            .command(&["witness"])
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
        (child, address.parse().unwrap())
    }
}

#[test]
fn a_witness_begins_once() {
    let place = Place::new(&Log::new(LOG, 1));
    place.run(&["witness"]).complains(1, "keys.unknown");
    let said = place.run(&["witness", "init"]).good();
    let key = VerifierKey::read(said.trim_end()).unwrap();
    assert_eq!((key.name(), key.kind()), ("witness.example/w1", Kind::Cosignature));
    place.run(&["witness", "init"]).complains(1, "witness.state-there");
    fs::remove_file(place.0.path().join("witness/witness.state")).unwrap();
    place.run(&["witness"]).complains(1, "witness.no-state");
    place.run(&["witness", "init"]).complains(1, "witness.forgotten");
    place.run(&["--config", "elsewhere.toml", "witness"]).complains(1, "config.unreadable");
}

#[test]
fn the_plug_is_pulled_and_nothing_cosigned_is_forgotten() {
    let log = Log::new(LOG, 1);
    let place = Place::new(&log);
    place.run(&["witness", "init"]).good();
    let (mut cosigned, newest) = (0, AtomicU64::new(0));
    for kill in 0..KILLS {
        let (mut child, door) = place.serve();
        // What it remembers is at least what it ever cosigned.
        let (status, _, body) = ask(door, &log.request(0, 1_000));
        let told: u64 = if status == 409 { body.trim_end().parse().unwrap() } else { 0 };
        assert!(kill == 0 || told >= newest.load(Ordering::SeqCst), "{told} after {newest:?}");
        assert!(kill > 0 || status == 200, "{status} {body}");
        if kill == 0 {
            // A second process is turned away while the first works.
            place.run(&["witness"]).complains(1, "witness.in-use");
            newest.fetch_max(1_000, Ordering::SeqCst);
        }
        let count = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let (mut old, mut count) = (told.max(1_000), 0);
                        // Until nobody answers any more.
                        while let Some((status, body)) = try_ask(door, &log.request(old, old + 1)) {
                            match status {
                                200 => {
                                    newest.fetch_max(old + 1, Ordering::SeqCst);
                                    (old, count) = (old + 1, count + 1);
                                }
                                409 => old = body.trim_end().parse().unwrap(),
                                status => panic!("{status}: {body}"),
                            }
                        }
                        count
                    })
                })
                .collect();
            std::thread::sleep(std::time::Duration::from_millis(300 + 37 * kill as u64));
            child.kill().unwrap();
            child.wait().unwrap();
            callers.into_iter().map(|caller| caller.join().unwrap()).sum::<u64>()
        });
        cosigned += count;
    }
    eprintln!("DRILL witness killed {KILLS} times, {cosigned} heads cosigned, none forgotten");
    assert!(cosigned > 0);
}

fn try_ask(door: SocketAddr, body: &str) -> Option<(u16, String)> {
    let request = ureq::post(format!("http://{door}/add-checkpoint")).config().http_status_as_error(false).build();
    let mut answer = request.send(body).ok()?;
    Some((answer.status().as_u16(), answer.body_mut().read_to_string().ok()?))
}

#[test]
fn a_logs_key_is_made_and_shown() {
    let place = crate::cli::Place::new("sqlite:yinxin.sqlite");
    place.run(&["migrate"]).good();
    place.run(&["key", "generate", "log", "--name", "seal example"]).complains(1, "cli.log-name");
    let said = place.run(&["--json", "key", "generate", "log", "--name", LOG]).good();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let key = VerifierKey::read(said["vkey"].as_str().unwrap()).unwrap();
    assert_eq!((key.name(), key.kind()), (LOG, Kind::Ed25519));
    place.run(&["key", "generate", "log", "--name", LOG]).complains(1, "keys.already-there");
    // Seals and authorities cannot ask for one.
    let refused = place.run(&["ca", "init", "--organisation", "x", "--algorithm", "ed25519"]);
    assert!(refused.code == 3 && refused.err.contains("ecdsa-p256"), "{}", refused.err);
}
