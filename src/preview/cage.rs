//! The cage of the process that draws: it may think, read what it was given and answer, and nothing else.
//!
//! Set by the process upon itself before it looks at a single byte of the document, while it still has one thread. The
//! limits hold on every Linux; Landlock comes on top where the kernel has it, and the answer says whether it has.

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::limits;

/// What the kernel enforces beyond the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Landlock {
    Full,
    /// An older kernel: what it knows of is enforced.
    Partial,
    /// The kernel has none. No file can be opened all the same: there is no descriptor left for it.
    None,
}

/// Closes the cage. There is no way out of it for this process and its children.
///
/// # Errors
/// A limit could not be set; then nothing foreign may be read.
pub(super) fn close() -> std::io::Result<Landlock> {
    // First, as it needs a descriptor for a moment. A kernel that has it and fails is no reason to stop: the limits
    // below stand by themselves.
    let landlock = lock().unwrap_or(Landlock::None);
    for (resource, most) in [
        (Resource::As, limits::PREVIEW_MEMORY_BYTES),
        (Resource::Cpu, limits::PREVIEW_CPU_SECONDS),
        // Standard input, output and error are there already; a fourth (a file, a socket, a pipe) is refused.
        (Resource::Nofile, 3),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nproc, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(landlock)
}

/// Every right over files and the network that Landlock knows of is taken, and none is given back.
fn lock() -> Result<Landlock, RulesetError> {
    let newest = ABI::V6;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(newest))?
        .handle_access(AccessNet::from_all(newest))?
        .scope(Scope::from_all(newest))?
        .create()?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Landlock::Full,
        RulesetStatus::PartiallyEnforced => Landlock::Partial,
        RulesetStatus::NotEnforced => Landlock::None,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::process::Command;

    use super::*;

    /// Run by the test below in a process of its own: what is closed stays closed.
    #[test]
    #[ignore = "closes the cage around its own process; the test below runs it"]
    fn inside() {
        let file = std::env::var("YINXIN_CAGED_FILE").unwrap();
        let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
        let lives = somebody.local_addr().unwrap();
        let landlock = close().unwrap();
        assert!(std::fs::read(&file).is_err(), "a file was read");
        assert!(std::fs::read("/proc/self/status").is_err() && std::fs::read_dir("/").is_err(), "the system was read");
        assert!(std::fs::write(format!("{file}.new"), "x").is_err(), "a file was made");
        assert!(TcpStream::connect(lives).is_err() && TcpListener::bind("127.0.0.1:0").is_err(), "a socket was opened");
        assert!(Command::new("/bin/true").status().is_err(), "a program was started");
        assert!(Vec::<u8>::new().try_reserve_exact(2 * limits::PREVIEW_MEMORY_BYTES as usize).is_err(), "no ceiling");
        if landlock != Landlock::None {
            assert!(std::fs::remove_file(&file).is_err() && std::fs::create_dir(format!("{file}.d")).is_err());
        }
    }

    #[test]
    fn who_is_in_the_cage_reads_and_reaches_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let inside = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "preview::cage::tests::inside", "--ignored", "--nocapture", "--test-threads=1"])
            .env("YINXIN_CAGED_FILE", file.path())
            .output()
            .unwrap();
        let said = [inside.stdout, inside.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(inside.status.success() && said.contains("1 passed"), "{said}");
        assert!(file.path().exists());
    }
}
