//! A copy of the register, for whoever judges without asking us: a snapshot that the public log proves, or an export that
//! only its bearer vouches for.

use std::collections::BTreeSet;
use std::sync::Arc;

use time::OffsetDateTime;

use super::evidence::{Evidence, Facts, Trust, seal_number};
use super::log::{self, Unfound};
use crate::authority::Uscc;
use crate::crypto::sha256;
use crate::message::Message;
use crate::pki::certificate::Certificate;
use crate::pki::name::Name;
use crate::register::snapshot::{Entry, Published, Snapshot, SnapshotFault};
use crate::seal::{Life, Seal, SealEvent, SealKind, SealNumber};
use crate::tlog::LogFault;
use crate::tlog::leaf::Matter;
use crate::verify::report::LogFacts;

/// Seals with their lives. It speaks for the day on which it was made, and for a while after ([`Trust::register_age`]).
#[derive(Debug, Clone, Default)]
pub struct Register {
    pub seals: Vec<Entry>,
    /// Names of the house's certificate authorities; an export has none.
    pub authorities: Vec<Name>,
    /// What proves it; none for an export.
    pub proof: Option<Arc<LogFacts>>,
    /// How many witnesses it asks for.
    pub witnesses: usize,
}

/// Why a copy of the register cannot be used. Nothing is judged by one that is not what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterFault {
    #[error(transparent)]
    Snapshot(#[from] SnapshotFault),
    /// An export that is not written as one; why, in English.
    #[error("{}", self.message())]
    Export(String),
    /// Changes alone, which say nothing without what they change.
    #[error("{}", self.message())]
    Delta,
    /// The receipt is not of this snapshot, or does not hold.
    #[error("{}", self.message())]
    Unproven(LogFault),
    /// Of a log of this name, whose key is not at hand.
    #[error("{}", self.message())]
    UnknownLog(String),
    /// Seen by so many witnesses of so many.
    #[error("{}", self.message())]
    Unseen(usize, usize),
}

impl RegisterFault {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::Snapshot(fault) => fault.message(),
            Self::Export(why) => Message::new(
                "verify.register-malformed",
                format!("登记册副本无法读取（{why}）。请重新导出或下载。"),
                format!("The copy of the register cannot be read ({why}). Export or fetch it again."),
            ),
            Self::Delta => Message::new(
                "verify.register-delta",
                "这是登记册的变更，不是全文。请先用 yinxin register apply 并入手头的快照。",
                "These are changes of the register, not the whole. Lay them upon the snapshot at hand with `yinxin register apply`.",
            ),
            Self::Unproven(fault) => Message::new(
                "verify.register-unproven",
                format!("登记册快照没有公开日志为证（{fault}），不予使用。请从发布机关重新下载。"),
                format!(
                    "The log does not prove this snapshot of the register ({fault}); it is not used. Fetch it again from whoever publishes it."
                ),
            ),
            Self::UnknownLog(origin) => Message::new(
                "verify.register-unknown-log",
                format!(
                    "登记册快照由公开日志“{origin}”证明，但信任目录中没有该日志的密钥。请取得其公钥（.vkey）放入信任目录。"
                ),
                format!(
                    "The snapshot of the register is proven by the public log {origin}, whose key is not among the trusted. Put its key (.vkey) into the trust folder."
                ),
            ),
            Self::Unseen(seen, needed) => Message::new(
                "verify.register-unseen",
                format!(
                    "登记册快照只有{seen}个见证，要求{needed}个，不予使用。请核对见证公钥，或用 --witnesses 另定。"
                ),
                format!(
                    "This snapshot of the register was seen by {seen} of the {needed} witnesses asked for; it is not used. Check the witnesses' keys, or set another number with --witnesses."
                ),
            ),
        }
    }
}

impl Register {
    /// Reads a snapshot with its receipt, by the keys of `trust`; or an export, `{"seals": [...]}` with other keys passed
    /// over.
    ///
    /// # Errors
    /// [`RegisterFault`].
    pub fn read(json: &[u8], trust: &Trust) -> Result<Self, RegisterFault> {
        #[derive(serde::Deserialize)]
        struct Looked {
            seals: Option<serde::de::IgnoredAny>,
        }
        let looked: Looked = serde_json::from_slice(json).map_err(|error| RegisterFault::Export(error.to_string()))?;
        if looked.seals.is_some() {
            return export(json);
        }
        let (Published::Whole(snapshot), receipt) = Published::read(json)? else { return Err(RegisterFault::Delta) };
        let proof = prove(&snapshot, &receipt, trust)?;
        let Snapshot { seals, authorities, witnesses, .. } = snapshot;
        let name = |text: &String| Some(Name::from_der(&hex::decode(text).ok()?));
        let authorities = authorities.iter().filter_map(name).collect();
        Ok(Self { seals: seals.into_values().collect(), authorities, proof: Some(Arc::new(proof)), witnesses })
    }

    /// What it says about a certificate. A number in it is believed because the path to a trusted root is judged as well.
    fn ask(&self, certificate: Option<&Certificate>) -> Facts {
        let Some(certificate) = certificate else { return Facts::Unknown };
        let fingerprint = hex::encode(certificate.fingerprint());
        if let Some(filed) = self.seals.iter().find(|entry| entry.certificates.contains(&fingerprint)) {
            return self.says(filed);
        }
        let number = seal_number(certificate);
        match self.seals.iter().find(|entry| number.as_ref() == Some(&entry.seal.number)) {
            None => Facts::Unknown,
            // An export does not say which certificates are filed.
            Some(entry) if self.proof.is_none() => self.says(entry),
            Some(entry) => Facts::OtherCertificate { seal: entry.seal.clone(), logged_since: entry.logged_since },
        }
    }

    fn says(&self, entry: &Entry) -> Facts {
        let Entry { seal, logged_since, .. } = entry;
        Facts::Exported { seal: seal.clone(), logged_since: *logged_since, proof: self.proof.clone() }
    }
}

impl Evidence {
    /// Asks a copy of the register.
    pub fn ask_export(&mut self, register: &Register) {
        for ((certificate, _), facts) in self.opened.signers().iter().zip(&mut self.facts) {
            *facts = register.ask(certificate.as_ref());
        }
        self.house.clone_from(&register.authorities);
    }
}

/// That the log has the snapshot's digest: a leaf about the register, opened to this very text.
///
/// # Errors
/// [`RegisterFault`].
pub fn prove(snapshot: &Snapshot, receipt: &str, trust: &Trust) -> Result<LogFacts, RegisterFault> {
    let unproven = RegisterFault::Unproven;
    let (receipt, entry) = log::read(receipt).map_err(unproven)?;
    let digest = hex::encode(sha256(snapshot.canonical().as_bytes()));
    let of_it = (entry.leaf.matter, entry.leaf.act.as_str()) == (Matter::Register, "snapshot")
        && entry.opening.fact("snapshot") == Some(&digest)
        && entry.opening.fact("size") == Some(&snapshot.size.to_string());
    if !of_it {
        return Err(unproven(LogFault::Unproven));
    }
    let logged = log::find(&receipt, &entry, trust).map_err(|unfound| match unfound {
        Unfound::UnknownLog(origin) => RegisterFault::UnknownLog(origin),
        Unfound::Fault(fault) => unproven(fault),
    })?;
    let (seen, needed) = (logged.witnesses.len(), trust.witnesses_needed(snapshot.witnesses));
    if seen < needed { Err(RegisterFault::Unseen(seen, needed)) } else { Ok(logged) }
}

fn export(json: &[u8]) -> Result<Register, RegisterFault> {
    #[derive(serde::Deserialize)]
    struct Export {
        seals: Vec<Exported>,
    }
    #[derive(serde::Deserialize)]
    struct Exported {
        number: SealNumber,
        owner: Uscc,
        owner_name: String,
        legend: String,
        kind: SealKind,
        life: Vec<SealEvent>,
        #[serde(default, with = "time::serde::rfc3339::option")]
        logged_since: Option<OffsetDateTime>,
    }
    let export: Export = serde_json::from_slice(json).map_err(|error| RegisterFault::Export(error.to_string()))?;
    let seals = export.seals.into_iter().map(|seal| {
        let Exported { number, owner, owner_name, legend, kind, life, logged_since } = seal;
        let life = Life::replay(life);
        let life = life.map_err(|refusal| RegisterFault::Export(format!("{number}: {}", refusal.message.en)))?;
        let seal = Seal { number, owner, owner_name, legend, kind, life };
        Ok(Entry { seal, logged_since, certificates: BTreeSet::new() })
    });
    Ok(Register { seals: seals.collect::<Result<_, RegisterFault>>()?, ..Register::default() })
}
