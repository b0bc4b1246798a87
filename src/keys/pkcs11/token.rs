//! Finding a token and being let in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use secrecy::SecretString;

use super::TokenFault;
use crate::keys::settings::TokenSettings;

/// What a session may do. Most tokens allow few sessions that write.
#[derive(Debug, Clone, Copy)]
pub(super) enum Access {
    Read,
    Write,
}

/// One token, and the right to use its private keys.
///
/// Login belongs to the application, not to a session (PKCS #11 v2.40 §2.6.2), and ends with its last session: one is
/// kept open here for as long as anybody uses the token.
pub(super) struct Token {
    module: Pkcs11,
    slot: Slot,
    name: String,
    pin: SecretString,
    /// Also the gate through which one caller at a time logs in, so that a wrong PIN costs one try and not several.
    pin_refused: Mutex<bool>,
    _kept_open: Mutex<Session>,
}

impl Token {
    pub(super) fn enter(settings: &TokenSettings, pin: SecretString) -> Result<Self, TokenFault> {
        let module = load(&settings.module)?;
        let (slot, name) = choose(&module, settings)?;
        let session = open(&module, slot, Access::Read)?;
        let pin_refused = Mutex::new(false);
        log_in(&module, slot, &name, &pin, &pin_refused, &session)?;
        Ok(Self { module, slot, name, pin, pin_refused, _kept_open: Mutex::new(session) })
    }

    /// `label (serial)`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A new session that may use private keys; logs in again where the token has forgotten us.
    pub(super) fn session(&self, access: Access) -> Result<Session, TokenFault> {
        let session = open(&self.module, self.slot, access)?;
        log_in(&self.module, self.slot, &self.name, &self.pin, &self.pin_refused, &session)?;
        Ok(session)
    }
}

/// Loads a module once in this process and never finalises it: whoever calls C_Finalize takes the token from all
/// others in the process, and a session opened before C_Initialize is called again can hit a stranger's.
fn load(path: &Path) -> Result<Pkcs11, TokenFault> {
    static LOADED: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());
    let unloadable = |why: String| TokenFault::Module { path: path.to_owned(), why };
    let path = fs::canonicalize(path).map_err(|why| unloadable(why.to_string()))?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(module) = loaded.get(&path) {
        return Ok(module.clone());
    }
    let module = Pkcs11::new(&path).map_err(|why| unloadable(why.to_string()))?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(why) => return Err(unloadable(why.to_string())),
    }
    loaded.insert(path, module.clone());
    Ok(module)
}

/// The one token that fits label and serial.
fn choose(module: &Pkcs11, settings: &TokenSettings) -> Result<(Slot, String), TokenFault> {
    let wanted = match &settings.serial {
        Some(serial) => format!("{} ({serial})", settings.token),
        None => settings.token.clone(),
    };
    let slots = module.get_slots_with_initialized_token().map_err(TokenFault::while_doing("C_GetSlotList"))?;
    let mut present = Vec::new();
    let mut fitting = Vec::new();
    for slot in slots {
        // A token taken out meanwhile is not there; others still are.
        let Ok(about) = module.get_token_info(slot) else { continue };
        let (label, serial) = (about.label().trim_end(), about.serial_number().trim());
        let name = format!("{label} ({serial})");
        if label == settings.token && settings.serial.as_deref().is_none_or(|asked| asked == serial) {
            fitting.push((slot, name.clone(), serial.to_owned()));
        }
        present.push(name);
    }
    match fitting.as_slice() {
        [] => Err(TokenFault::Missing { wanted, present }),
        [(slot, name, _)] => Ok((*slot, name.clone())),
        many => {
            Err(TokenFault::Ambiguous { wanted, serials: many.iter().map(|(_, _, serial)| serial.clone()).collect() })
        }
    }
}

fn open(module: &Pkcs11, slot: Slot, access: Access) -> Result<Session, TokenFault> {
    let session = match access {
        Access::Read => module.open_ro_session(slot),
        Access::Write => module.open_rw_session(slot),
    };
    session.map_err(TokenFault::while_doing("C_OpenSession"))
}

/// Shows the PIN only where it is needed, never the last time it may be wrong, and never again once refused.
fn log_in(
    module: &Pkcs11,
    slot: Slot,
    name: &str,
    pin: &SecretString,
    refused: &Mutex<bool>,
    session: &Session,
) -> Result<(), TokenFault> {
    let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
    let state = session.get_session_info().map_err(TokenFault::while_doing("C_GetSessionInfo"))?.session_state();
    if matches!(state, SessionState::RoUser | SessionState::RwUser) {
        return Ok(());
    }
    let token = name.to_owned();
    if *refused {
        return Err(TokenFault::PinWrong { token });
    }
    let about = module.get_token_info(slot).map_err(TokenFault::while_doing("C_GetTokenInfo"))?;
    if about.user_pin_locked() {
        return Err(TokenFault::PinLocked { token });
    }
    if about.user_pin_final_try() {
        return Err(TokenFault::PinLastTry { token });
    }
    match session.login(UserType::User, Some(pin)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
            *refused = true;
            Err(TokenFault::PinWrong { token })
        }
        Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(TokenFault::PinLocked { token }),
        Err(why) => Err(TokenFault::while_doing("C_Login")(why)),
    }
}
