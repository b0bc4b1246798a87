//! The keeper: looks after a token that is away until it is back, and sleeps while it is there.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{How, Shared};
use crate::keys::pkcs11::{KeyCard, KeyError, TokenFault, is_away};
use crate::message::Message;

/// Between two looks at a token that is away.
const LOOK: Duration = Duration::from_millis(250);
/// A token away for so long has its library started anew, and so often.
const RESTART: Duration = Duration::from_secs(2);

/// A token that is away.
pub(super) struct Away {
    pub(super) why: Message,
    /// The key that failed: it must sign again before the token counts as returned.
    pub(super) key: Option<Arc<KeyCard>>,
    pub(super) since: Instant,
    /// Starting the library anew may help.
    pub(super) restart: bool,
}

impl Shared {
    pub(super) fn went_away(&self, error: &KeyError, key: Option<&Arc<KeyCard>>) {
        let restart = matches!(
            error,
            KeyError::Token(TokenFault::Missing { .. } | TokenFault::Failed { .. } | TokenFault::Finalised)
        );
        let why = error.message();
        let mut away = self.away();
        match &mut *away {
            Some(away) => {
                (away.why, away.restart) = (why, restart);
                away.key = key.cloned().or(away.key.take());
            }
            None => {
                tracing::error!(token = %self.token.name(), id = why.id, "the token is away: {}", why.en);
                *away = Some(Away { why, key: key.cloned(), since: Instant::now(), restart });
            }
        }
        self.is_away.store(true, Ordering::Release);
        drop(away);
        self.stirred.notify_all();
        if let Ok(module) = self.token.module() {
            module.relied_on(self.home, false);
        }
    }

    fn came_back(&self) {
        if let Some(away) = self.away().take() {
            let seconds = away.since.elapsed().as_secs_f64();
            tracing::warn!(token = %self.token.name(), seconds, "the token is back");
        }
        self.is_away.store(false, Ordering::Release);
        if let Ok(module) = self.token.module() {
            module.relied_on(self.home, true);
        }
    }

    /// Goes to the token with a new session, and has the key that failed prove itself.
    fn look(self: &Arc<Self>, key: Option<Arc<KeyCard>>) -> Result<(), KeyError> {
        self.ask(self.deadline, How::Anew, move |desk| match &key {
            // A key that is not there, or another, is the key's trouble: the token is back.
            Some(card) => match desk.key(card) {
                Err(error) if is_away(&error) => Err(error),
                _ => Ok(()),
            },
            None => Ok(()),
        })
    }
}

/// Until the crew is dismissed.
pub(super) fn keep(shared: &Arc<Shared>) {
    let mut restarted: Option<Instant> = None;
    loop {
        let (key, since) = {
            let mut away = shared.away();
            loop {
                if !shared.queue().open {
                    return;
                }
                match &*away {
                    Some(found) => break (found.key.clone(), found.since),
                    None => away = shared.stirred.wait(away).unwrap_or_else(PoisonError::into_inner),
                }
            }
        };
        match shared.look(key) {
            Ok(()) => {
                shared.came_back();
                continue;
            }
            Err(error) if is_away(&error) => shared.went_away(&error, None),
            // Too busy to be looked at is no reason to start its library anew.
            Err(_) => {
                thread::sleep(LOOK);
                continue;
            }
        }
        let may_help = shared.away().as_ref().is_some_and(|away| away.restart) && since.elapsed() > RESTART / 2;
        if may_help && restarted.is_none_or(|at| at.elapsed() > RESTART) {
            restarted = Some(Instant::now());
            // The others' handles are void with it, so it is refused while another token works through the library.
            if let Ok(module) = shared.token.module()
                && module.restart(shared.home, Instant::now() + shared.deadline).is_ok()
            {
                continue;
            }
        }
        thread::sleep(LOOK);
    }
}
