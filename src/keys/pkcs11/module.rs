//! A vendor's library: loaded once in this process, and initialised again when somebody finalised it.
//!
//! Every call passes the gate of [`Module::call`]. Handles of sessions and keys are void once the library is initialised
//! again, and yet not harmless: SoftHSM gives the same small numbers out anew, so a session of before can hit a
//! stranger's. So a handle is used only together with the generation that it was made in, and nothing of an earlier
//! generation passes the gate. No lock is held while a call is inside, which may be for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::TokenFault;

/// How long calls that are inside are waited for before the library is initialised again: those that find it finalised
/// return at once, and whoever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(1);

/// A loaded library and its gate.
pub(super) struct Module {
    library: Pkcs11,
    path: PathBuf,
    gate: Mutex<Gate>,
    moved: Condvar,
}

struct Gate {
    /// Times the library was initialised; 0 before the first.
    generation: u64,
    /// Calls of this generation that have not returned.
    inside: usize,
    /// Set while the library is being initialised: nobody enters.
    closed_since: Option<Instant>,
    /// Homes whose token works through this library.
    relied_on_by: BTreeSet<usize>,
}

impl Module {
    /// The module at this path, loaded with the first call and never unloaded.
    pub(super) fn at(path: &Path) -> Result<Arc<Self>, TokenFault> {
        static LOADED: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());
        let unloadable = |why: String| TokenFault::Module { path: path.to_owned(), why };
        let path = fs::canonicalize(path).map_err(|why| unloadable(why.to_string()))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.get(&path) {
            return Ok(module.clone());
        }
        let library = Pkcs11::new(&path).map_err(|why| unloadable(why.to_string()))?;
        let gate = Gate { generation: 0, inside: 0, closed_since: None, relied_on_by: BTreeSet::new() };
        let module = Arc::new(Self { library, path: path.clone(), gate: Mutex::new(gate), moved: Condvar::new() });
        loaded.insert(path, module.clone());
        Ok(module)
    }

    /// Handles made from now on belong to this generation.
    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Lets calls that use handles of this generation through, or none at all.
    ///
    /// # Errors
    /// [`TokenFault::Finalised`] where the library has been initialised since, before the calls or while they ran.
    pub(super) fn call<T>(
        &self,
        generation: u64,
        until: Instant,
        work: impl FnOnce(&Pkcs11) -> T,
    ) -> Result<T, TokenFault> {
        let mut gate = self.opened(until)?;
        if gate.generation != generation {
            return Err(TokenFault::Finalised);
        }
        gate.inside += 1;
        drop(gate);
        let inside = Inside { module: self, generation };
        let value = work(&self.library);
        match inside.leave() {
            true => Ok(value),
            false => Err(TokenFault::Finalised),
        }
    }

    /// Initialises the library, once for all who found it finalised in the generation `seen`.
    pub(super) fn renew(&self, seen: u64, until: Instant) -> Result<(), TokenFault> {
        self.start(seen, until, |library| initialise(library, &self.path))
    }

    /// The last means to reach a token that its library does not find again by itself (SoftHSM, once the token's files
    /// were away): finalises and initialises. Refused while a call is inside, when C_Finalize is undefined
    /// (PKCS #11 v2.40 §5.4), and while another home works through the library.
    pub(super) fn restart(&self, home: usize, until: Instant) -> Result<(), TokenFault> {
        let in_use = || TokenFault::Failed { doing: "restarting the library", why: "it is in use".into() };
        let others = |gate: &Gate| gate.relied_on_by.iter().any(|other| *other != home);
        let seen = Some(self.lock()).filter(|gate| !others(gate)).map(|gate| gate.generation).ok_or_else(in_use)?;
        self.start(seen, until, |library| {
            if self.lock().inside > 0 {
                return Err(in_use());
            }
            // Whatever it answers: the library initialised anew is what counts.
            let _ = library.clone().finalize();
            initialise(library, &self.path)
        })
    }

    /// Notes whether a home's token works through this library.
    pub(super) fn relied_on(&self, home: usize, works: bool) {
        let mut gate = self.lock();
        match works {
            true => gate.relied_on_by.insert(home),
            false => gate.relied_on_by.remove(&home),
        };
    }

    /// For how long the library has been at its initialisation, if it is.
    pub(super) fn closed_for(&self) -> Option<Duration> {
        self.lock().closed_since.map(|since| since.elapsed())
    }

    /// Closes the gate, waits for calls inside, starts the library, and opens the gate for the next generation.
    fn start(
        &self,
        seen: u64,
        until: Instant,
        start: impl FnOnce(&Pkcs11) -> Result<(), TokenFault>,
    ) -> Result<(), TokenFault> {
        let mut gate = self.opened(until)?;
        if gate.generation != seen {
            return Ok(());
        }
        gate.closed_since = Some(Instant::now());
        let patience = PATIENCE.min(until.saturating_duration_since(Instant::now()));
        let waited = self.moved.wait_timeout_while(gate, patience, |gate| gate.inside > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        let started = start(&self.library);
        let mut gate = self.lock();
        gate.closed_since = None;
        if started.is_ok() {
            gate.generation += 1;
            gate.inside = 0;
            tracing::debug!(module = %self.path.display(), generation = gate.generation, "PKCS#11 library initialised");
        }
        self.moved.notify_all();
        started
    }

    /// Waits until the gate is open, and no longer than the caller does.
    fn opened(&self, until: Instant) -> Result<MutexGuard<'_, Gate>, TokenFault> {
        let left = until.saturating_duration_since(Instant::now());
        let gate = self.moved.wait_timeout_while(self.lock(), left, |gate| gate.closed_since.is_some());
        let (gate, _) = gate.unwrap_or_else(PoisonError::into_inner);
        if gate.closed_since.is_some() {
            return Err(TokenFault::Late);
        }
        Ok(gate)
    }

    fn lock(&self) -> MutexGuard<'_, Gate> {
        // Nothing that panics runs under the lock.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call on its way, counted until it returns, even by a panic.
struct Inside<'a> {
    module: &'a Module,
    generation: u64,
}

impl Inside<'_> {
    /// Whether the generation is still the one that the call began in.
    fn leave(self) -> bool {
        self.module.lock().generation == self.generation
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut gate = self.module.lock();
        // Those who hung through an initialisation are no longer counted.
        if gate.generation == self.generation {
            gate.inside -= 1;
            if gate.closed_since.is_some() {
                self.module.moved.notify_all();
            }
        }
    }
}

fn initialise(library: &Pkcs11, path: &Path) -> Result<(), TokenFault> {
    match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(why) => Err(TokenFault::Module { path: path.to_owned(), why: why.to_string() }),
    }
}
