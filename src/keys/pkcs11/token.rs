//! Finding a token and being let in.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use cryptoki::error::{Error, RvError};
use cryptoki::session::{SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use secrecy::{ExposeSecret, SecretString};

use super::module::Module;
use super::visit::{Access, Visit};
use super::{KeyError, TokenFault};
use crate::keys::private_file;
use crate::keys::settings::TokenSettings;

/// After a login that failed for any other reason than its PIN, so long nobody tries: some tokens count that too.
const PAUSE: Duration = Duration::from_secs(1);

/// One token as the settings name it. It is looked for anew with each session: its slot may have another number by then,
/// and a library may have been started anew.
pub(super) struct Token {
    pub(super) settings: TokenSettings,
    entrance: Entrance,
}

impl Token {
    pub(super) fn new(settings: TokenSettings) -> Self {
        Self { settings, entrance: Entrance::default() }
    }

    /// `label`, or `label (serial)` where the settings say so.
    pub(super) fn name(&self) -> String {
        match &self.settings.serial {
            Some(serial) => format!("{} ({serial})", self.settings.token),
            None => self.settings.token.clone(),
        }
    }

    pub(super) fn module(&self) -> Result<Arc<Module>, TokenFault> {
        Module::at(&self.settings.module)
    }

    /// A new session that may use private keys. Logs in where the token does not know us (login belongs to the
    /// application and ends with its last session, PKCS #11 v2.40 §2.6.2).
    pub(super) fn visit(&self, access: Access, until: Instant) -> Result<Visit, KeyError> {
        let module = self.module()?;
        let mut generation = module.generation();
        if generation > 0 {
            match self.visit_in(&module, generation, access, until) {
                Err(KeyError::Token(TokenFault::Finalised)) => {
                    tracing::warn!(token = %self.name(), "the PKCS#11 library was finalised by another part of this process");
                }
                other => return other,
            }
        }
        module.renew(generation, until)?;
        generation = module.generation();
        self.visit_in(&module, generation, access, until)
    }

    fn visit_in(
        &self,
        module: &Arc<Module>,
        generation: u64,
        access: Access,
        until: Instant,
    ) -> Result<Visit, KeyError> {
        let slot = self.find(module, generation, until)?;
        let mut visit = Visit::open(module, generation, slot, access, until)?;
        self.log_in(module, &visit, slot, until)?;
        visit.put_mark()?;
        Ok(visit)
    }

    /// The slot of the one token that fits label and serial.
    fn find(&self, module: &Module, generation: u64, until: Instant) -> Result<Slot, TokenFault> {
        let slots = module
            .call(generation, until, |library| library.get_slots_with_token())?
            .map_err(TokenFault::while_doing("C_GetSlotList"))?;
        let (mut present, mut fitting) = (Vec::new(), Vec::new());
        for slot in slots {
            // A token taken out meanwhile is not there; others still are.
            let Ok(about) = module.call(generation, until, |library| library.get_token_info(slot))? else { continue };
            if !about.token_initialized() {
                continue;
            }
            let (label, serial) = (about.label().trim_end(), about.serial_number().trim());
            let asked = self.settings.serial.as_deref();
            if label == self.settings.token && asked.is_none_or(|asked| asked == serial) {
                fitting.push((slot, serial.to_owned()));
            }
            present.push(format!("{label} ({serial})"));
        }
        match fitting.as_slice() {
            [] => Err(TokenFault::Missing { wanted: self.name(), present }),
            [(slot, _)] => Ok(*slot),
            many => {
                let serials = many.iter().map(|(_, serial)| serial.clone()).collect();
                Err(TokenFault::Ambiguous { wanted: self.name(), serials })
            }
        }
    }

    /// Shows the PIN only where it is needed, one caller at a time, never the last time it may be wrong, and never again
    /// once it was refused, until there is a reason to.
    fn log_in(&self, module: &Module, visit: &Visit, slot: Slot, until: Instant) -> Result<(), KeyError> {
        let is_in = || {
            let state = visit.call("C_GetSessionInfo", |session| session.get_session_info())?.session_state();
            Ok::<_, TokenFault>(matches!(state, SessionState::RoUser | SessionState::RwUser))
        };
        if is_in()? {
            return Ok(());
        }
        let turn = self.entrance.take(until)?;
        if is_in()? {
            return Ok(());
        }
        let about = || {
            let about = module.call(visit.generation(), until, |library| library.get_token_info(slot))?;
            about.map_err(TokenFault::while_doing("C_GetTokenInfo"))
        };
        let pin = self.pin()?;
        turn.may_try(&pin, &about()?, &self.name())?;
        let answer = match visit.call("C_Login", |session| Ok(session.login(UserType::User, Some(&pin.secret))))? {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                turn.entered();
                return Ok(());
            }
            Err(answer) => answer,
        };
        let token = self.name();
        let counted = about().is_ok_and(|about| about.user_pin_count_low());
        match answer {
            Error::Pkcs11(RvError::PinLocked, _) => {
                turn.refused(pin, counted);
                Err(TokenFault::PinLocked { token }.into())
            }
            Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
                turn.refused(pin, counted);
                Err(TokenFault::PinWrong { token }.into())
            }
            why => {
                // Under whatever name: what the token counts as a wrong try is one.
                if counted {
                    turn.refused(pin, true);
                } else {
                    turn.failed();
                }
                Err(TokenFault::while_doing("C_Login")(why).into())
            }
        }
    }

    /// Read anew each time, so that a corrected file counts without a restart.
    fn pin(&self) -> Result<Pin, KeyError> {
        let secret = private_file::read_secret(&self.settings.pin_file)?;
        let written = std::fs::metadata(&self.settings.pin_file).and_then(|about| about.modified()).ok();
        Ok(Pin { secret, written })
    }
}

/// A PIN, and when its file was last written: who writes the file again asks for another try.
struct Pin {
    secret: SecretString,
    written: Option<SystemTime>,
}

/// The door at which one caller at a time logs in, so that a wrong PIN costs one try and not several.
#[derive(Default)]
struct Entrance {
    seen: Mutex<Seen>,
    free: Condvar,
}

#[derive(Default)]
struct Seen {
    taken: bool,
    refused: Option<Refused>,
    failed_at: Option<Instant>,
}

struct Refused {
    pin: Pin,
    /// The token showed the wrong try afterwards (CKF_USER_PIN_COUNT_LOW); when it shows it no longer, somebody was let
    /// in with that PIN or it was set anew (PKCS #11 v2.40 §3.2, CK_TOKEN_INFO).
    counted: bool,
}

impl Entrance {
    /// Nobody waits here longer than their own caller does: the one inside may hang.
    fn take(&self, until: Instant) -> Result<Turn<'_>, TokenFault> {
        let left = until.saturating_duration_since(Instant::now());
        let seen = self.free.wait_timeout_while(self.lock(), left, |seen| seen.taken);
        let (mut seen, _) = seen.unwrap_or_else(PoisonError::into_inner);
        if seen.taken {
            return Err(TokenFault::Late);
        }
        seen.taken = true;
        drop(seen);
        Ok(Turn(self))
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to log in, until it is dropped.
struct Turn<'a>(&'a Entrance);

impl Turn<'_> {
    /// Whether the PIN may be shown now.
    fn may_try(&self, pin: &Pin, about: &TokenInfo, name: &str) -> Result<(), TokenFault> {
        let token = name.to_owned();
        let seen = self.0.lock();
        if about.user_pin_locked() {
            return Err(TokenFault::PinLocked { token });
        }
        if let Some(refused) = &seen.refused {
            let same =
                refused.pin.secret.expose_secret() == pin.secret.expose_secret() && refused.pin.written == pin.written;
            let forgiven = refused.counted && !about.user_pin_count_low();
            if same && !forgiven {
                return Err(TokenFault::PinWrong { token });
            }
        }
        if about.user_pin_final_try() {
            return Err(TokenFault::PinLastTry { token });
        }
        if seen.failed_at.is_some_and(|at| at.elapsed() < PAUSE) {
            return Err(TokenFault::Failed { doing: "C_Login", why: "it failed a moment ago".into() });
        }
        Ok(())
    }

    fn entered(&self) {
        let mut seen = self.0.lock();
        (seen.refused, seen.failed_at) = (None, None);
    }

    fn refused(&self, pin: Pin, counted: bool) {
        self.0.lock().refused = Some(Refused { pin, counted });
    }

    fn failed(&self) {
        self.0.lock().failed_at = Some(Instant::now());
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().taken = false;
        self.0.free.notify_one();
    }
}
