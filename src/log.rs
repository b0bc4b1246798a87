//! LOG: what was entered in the public log gets a head, the head a signature and its witnesses, and each use of a seal a
//! receipt that its document carries under the signature itself.
//!
//! An entry is durable before its head is signed, and a head is published with the receipts that lead to it, before any
//! seal's key works for them. Many orders share one head: whoever comes first has it made for all that is durable by then.

mod register;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use time::OffsetDateTime;

use crate::crypto::KeyAlgorithm;
use crate::desk::{Desk, FlowError, blocking};
use crate::keys::{KeyError, Keyring, Signer};
use crate::limits;
use crate::message::Message;
use crate::store::{Entered, LogHead, LogIdentity, StoreError};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::note::{Kind, Line, Note, VerifierKey};
use crate::tlog::receipt::Receipt;
use crate::tlog::{LogFault, tree};
use crate::witnesses::{Fault, Witnesses, WitnessesSettings};

/// What the settings say about the log, and the newest head that this process had signed. Cheap to clone.
#[derive(Clone)]
pub struct Logging(Arc<Laid>);

struct Laid {
    plan: Plan,
    witnesses: Witnesses,
    /// Held while a head is made, so that all who need one share it.
    turn: tokio::sync::Mutex<()>,
    newest: Mutex<Option<Arc<SignedHead>>>,
    /// How many heads too few witnesses saw, and what was wrong with the last of them.
    unseen: Mutex<(u64, Option<Message>)>,
    /// It never changes once it is there.
    identity: OnceLock<LogIdentity>,
}

/// What the settings say.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The log's name where it has none yet; none: made from the public address.
    pub name: Option<String>,
    /// Label of the log's key.
    pub key: String,
    /// Its home, where it is not the seals'.
    pub keyring: Option<Arc<Keyring>>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { name: None, key: "log".to_owned(), keyring: None }
    }
}

/// A head with the log's signature and its witnesses'.
#[derive(Debug)]
pub(crate) struct SignedHead {
    pub size: u64,
    pub note: Note,
}

impl Logging {
    /// Lays the plan out.
    pub fn of(plan: Plan, witnesses: WitnessesSettings) -> Self {
        let witnesses = Witnesses::of(witnesses);
        Self(Arc::new(Laid {
            plan,
            witnesses,
            turn: Default::default(),
            newest: Default::default(),
            unseen: Default::default(),
            identity: OnceLock::new(),
        }))
    }

    /// Who cosigns heads.
    pub fn witnesses(&self) -> &Witnesses {
        &self.0.witnesses
    }

    fn newest(&self) -> std::sync::MutexGuard<'_, Option<Arc<SignedHead>>> {
        self.0.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unseen(&self) -> std::sync::MutexGuard<'_, (u64, Option<Message>)> {
        self.0.unseen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Logging {
    /// Without witnesses.
    fn default() -> Self {
        Self::of(Plan::default(), WitnessesSettings { each: vec![], needed: 0, deadline: std::time::Duration::ZERO })
    }
}

impl std::fmt::Debug for Logging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logging").field("plan", &self.0.plan).finish_non_exhaustive()
    }
}

impl Desk {
    /// The log's name and key. A log that was never used is founded now: its key is made where there is none.
    ///
    /// # Errors
    /// The key's home or the store failed, or the label is another key's.
    pub async fn log(&self, now: OffsetDateTime) -> Result<LogIdentity, FlowError> {
        let known = &self.logging.0.identity;
        if let Some(identity) = known.get() {
            return Ok(identity.clone());
        }
        let _turn = self.logging.0.turn.lock().await;
        if let Some(identity) = self.store.log_identity().await? {
            // What is built upon is what our key signed, whatever else the database says.
            let signer = self.log_signer(&identity).await?;
            if let Some((_, note)) = self.store.checkpoint().await? {
                let note = Note::read(note.as_bytes()).map_err(StoreError::Log)?;
                Checkpoint::open(&note, &identity.vkey).map_err(StoreError::Log)?;
            }
            drop(signer);
            return Ok(known.get_or_init(|| identity).clone());
        }
        let Plan { name, key, .. } = self.logging.0.plan.clone();
        let (keyring, label) = (self.log_keyring(), key.clone());
        let signer = blocking(move || match keyring.signer(&label) {
            Err(KeyError::Unknown { .. }) => match keyring.generate(&label, KeyAlgorithm::Ed25519) {
                // Another process founds it at the same moment.
                Ok(_) | Err(KeyError::AlreadyThere { .. }) => keyring.signer(&label),
                Err(why) => Err(why),
            },
            other => other,
        })
        .await?;
        let name = name.unwrap_or_else(|| {
            let public = self.public_url.split_once("://").map_or(self.public_url.as_str(), |(_, rest)| rest);
            format!("{public}/log")
        });
        let vkey = raw_key(&*signer).and_then(|raw| VerifierKey::new(&name, Kind::Ed25519, raw).ok());
        let vkey = vkey.ok_or_else(|| not_the_logs(&key))?;
        self.store.found_log(&vkey, &key, now).await?;
        // Another process may have been first; what is stored counts.
        self.store.log_identity().await?.ok_or(FlowError::Store(StoreError::Log(LogFault::Missing)))
    }

    fn log_keyring(&self) -> Arc<Keyring> {
        self.logging.0.plan.keyring.as_ref().unwrap_or(&self.keyring).clone()
    }

    async fn log_signer(&self, identity: &LogIdentity) -> Result<Arc<dyn Signer>, FlowError> {
        let (keyring, label) = (self.log_keyring(), identity.key().to_owned());
        let signer = blocking(move || keyring.signer(&label)).await?;
        if is_key_of(&*signer, identity) { Ok(signer) } else { Err(not_the_logs(identity.key())) }
    }

    /// A head over at least so many entries, signed and seen by as many witnesses as are needed.
    async fn signed_head(&self, identity: &LogIdentity, least: u64) -> Result<Arc<SignedHead>, FlowError> {
        let covering = || self.logging.newest().clone().filter(|head| head.size >= least);
        if let Some(head) = covering() {
            return Ok(head);
        }
        let failed = || self.logging.unseen().clone();
        let (before, _) = failed();
        let _turn = self.logging.0.turn.lock().await;
        if let Some(head) = covering() {
            return Ok(head);
        }
        // Witnesses that were away while this caller waited are not waited for again by each in turn.
        if let (times, Some(why)) = failed()
            && times > before
        {
            return Err(FlowError::Unlogged(why));
        }
        let made = self.new_head(identity, least).await;
        if let Err(FlowError::Unlogged(why)) = &made {
            let mut unseen = self.logging.unseen();
            *unseen = (unseen.0 + 1, Some(why.clone()));
        }
        let head = Arc::new(made?);
        *self.logging.newest() = Some(head.clone());
        Ok(head)
    }

    async fn new_head(&self, identity: &LogIdentity, least: u64) -> Result<SignedHead, FlowError> {
        let mut head = self.store.log_head().await?;
        // Another process of ours may have entered it.
        if head.size() < least {
            head = self.store.newest_log_head().await?;
        }
        loop {
            match self.make_head(identity, &head).await? {
                Ok(made) => return Ok(made),
                // Another process of ours had a larger head cosigned, and this order is under that too.
                Err(Ahead { seen, otherwise }) => {
                    head = self.store.newest_log_head().await?;
                    // It is durable, or it was never ours: a witness that says so is of no help.
                    if head.size() < seen {
                        return Err(FlowError::Unlogged(otherwise));
                    }
                }
            }
        }
    }

    /// Signs a head and has it cosigned.
    async fn make_head(&self, identity: &LogIdentity, head: &LogHead) -> Result<Result<SignedHead, Ahead>, FlowError> {
        let signer = self.log_signer(identity).await?;
        let (text, order) = head.order(identity);
        let signature = blocking(move || signer.sign(order)).await?;
        let mut note = Note::new(text).map_err(StoreError::Log)?;
        note.sign(Line::of(&identity.vkey, signature.into_value()));
        let (size, witnesses) = (head.size(), self.logging.witnesses());
        let prove = |old| async move { self.store.log_proof(&tree::consistency(old, size), size).await };
        let got = witnesses.cosign(&note, size, (self.clock)(), prove).await;
        if !got.is_enough() {
            let ahead = got.faults.iter().filter_map(|(_, fault)| match fault {
                Fault::Ahead(seen) => Some(*seen),
                _ => None,
            });
            let otherwise = unseen(&got.faults, got.lines.len(), witnesses.needed());
            return match ahead.max().filter(|ahead| *ahead > size) {
                Some(seen) => Ok(Err(Ahead { seen, otherwise })),
                None => Err(FlowError::Unlogged(otherwise)),
            };
        }
        got.lines.into_iter().for_each(|line| note.sign(line));
        Ok(Ok(SignedHead { size, note }))
    }

    /// The proof that an entry is in the log, as its document carries it, with the head that it leads to.
    ///
    /// # Errors
    /// The log's key is away, too few witnesses answer, or what is stored is not the log.
    pub(crate) async fn receipt(
        &self,
        entered: &Entered,
        now: OffsetDateTime,
    ) -> Result<(String, Arc<SignedHead>), FlowError> {
        let identity = self.log(now).await?;
        let head = self.signed_head(&identity, entered.index + 1).await?;
        let proof = self.store.log_proof(&tree::inclusion(entered.index, head.size), head.size).await?;
        let extra = entered.entry.to_string().into_bytes();
        let receipt = Receipt { extra, index: entered.index, proof, head: head.note.clone() };
        // What the database gave is believed once it leads to the head.
        let witnesses = self.logging.witnesses().keys();
        receipt.check(&entered.entry.leaf.hash(), &identity.vkey, &witnesses).map_err(StoreError::Log)?;
        Ok((receipt.to_string(), head))
    }

    /// Has the newest head signed and published where entries came after the one that is; for the clock, since grants and the
    /// like have no document that would carry them out.
    ///
    /// # Errors
    /// As [`Desk::receipt`].
    pub async fn publish_head(&self, now: OffsetDateTime) -> Result<Option<u64>, FlowError> {
        let durable = self.store.newest_log_head().await?;
        let published = self.store.checkpoint().await?.map_or(0, |(size, _)| size);
        if durable.size() <= published {
            return Ok(None);
        }
        let identity = self.log(now).await?;
        let head = self.signed_head(&identity, durable.size()).await?;
        self.store.publish_checkpoint(head.size, &head.note).await?;
        Ok(Some(head.size))
    }

    /// Bytes that a receipt has at most: the entry, a way through a tree twice as large as it is, and the head.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn receipt_room(&self, now: OffsetDateTime) -> Result<usize, FlowError> {
        let name = self.log(now).await?.vkey.name().len();
        let size = self.store.log_head().await?.size();
        let levels = 65 - size.leading_zeros() as usize;
        let witnesses = self.logging.witnesses().keys();
        let names = name + witnesses.iter().map(|key| key.name().len()).sum::<usize>();
        let lines = names + (witnesses.len() + 1) * limits::LOG_SIGNATURE_LINE;
        Ok(limits::LOG_ENTRY_ROOM.div_ceil(3) * 4 + levels * 45 + name + limits::LOG_HEAD_ROOM + lines)
    }
}

/// Whether this is the log's own key.
pub(crate) fn is_key_of(signer: &dyn Signer, identity: &LogIdentity) -> bool {
    raw_key(signer).is_some_and(|raw| raw == *identity.vkey.public_key())
}

/// The 32 bytes of RFC 8032, the last of the key's SubjectPublicKeyInfo (RFC 8410 §4).
fn raw_key(signer: &dyn Signer) -> Option<[u8; 32]> {
    let spki = signer.public_key();
    (signer.algorithm() == KeyAlgorithm::Ed25519)
        .then(|| spki.get(spki.len().checked_sub(32)?..)?.try_into().ok())
        .flatten()
}

/// A witness has seen a head of this size, larger than the one it was shown; or so it says.
struct Ahead {
    seen: u64,
    otherwise: Message,
}

fn unseen(faults: &[(String, Fault)], got: usize, needed: usize) -> Message {
    let why = |words: fn(Message) -> String| {
        faults.iter().map(|(name, fault)| format!("{name}: {}", words(fault.message()))).collect::<Vec<_>>().join("; ")
    };
    Message::new(
        "log.unseen",
        format!("公开日志的新日志头须由{needed}个见证方签认，现有{got}个（{}），取得后自动用印", why(|m| m.zh)),
        format!(
            "the log's newest head needs {needed} witnesses and has {got} ({}); the seal is used once they are there",
            why(|m| m.en)
        ),
    )
}

fn not_the_logs(label: &str) -> FlowError {
    FlowError::Unknown(Message::new(
        "log.other-key",
        format!("密钥“{label}”不是公开日志的密钥（Ed25519），请核对设置 [log] key"),
        format!("the key '{label}' is not the public log's (Ed25519); check the setting [log] key"),
    ))
}
