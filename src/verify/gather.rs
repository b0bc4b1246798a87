//! Reads the file, and asks the store what a verdict needs to know: the seal, the ledger's line, the item, the licence.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use time::OffsetDateTime;

use super::judge::evidence::{Evidence, Facts, LicenceFacts, Record, RecordState, Trust, seal_number};
use super::report::Original;
use crate::crypto::Digest;
use crate::licence::annotation::Annotation;
use crate::message::Message;
use crate::pdf::source::ReadAt;
use crate::pki::certificate::Certificate;
use crate::pki::revocation::RevocationList;
use crate::seal::SealNumber;
use crate::store::{CaKind, OrderRecord, OrderState, Store, StoreError};

/// A document as the caller has it.
pub enum Given {
    Bytes(Arc<Vec<u8>>),
    /// Read piece by piece; it must not be written to meanwhile.
    File(File),
}

impl Given {
    /// The same document once more, to be read beside the first.
    ///
    /// # Errors
    /// Trouble of the system.
    pub fn again(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Self::File(file) => Self::File(file.try_clone()?),
        })
    }

    /// Bytes in all.
    ///
    /// # Errors
    /// Trouble of the disk.
    pub fn length(&self) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len()),
            Self::File(file) => Ok(usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX)),
        }
    }

    /// The whole document.
    ///
    /// # Errors
    /// Trouble of the disk.
    pub fn bytes(&self) -> io::Result<Arc<Vec<u8>>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::File(file) => {
                let mut bytes = vec![0; self.length()?];
                file.read_exact_at(&mut bytes, 0)?;
                Ok(Arc::new(bytes))
            }
        }
    }

    /// What a report says of the file as a whole.
    ///
    /// # Errors
    /// Trouble of the disk.
    pub fn original(&self) -> io::Result<Original> {
        let Self::File(file) = self else { return Ok(Original::of(&self.bytes()?)) };
        let (length, mut at) = (self.length()?, 0);
        let (mut digest, mut step) = (Digest::Sha256.begin(), vec![0; 256 * 1024]);
        while at < length {
            let size = step.len().min(length - at);
            let step = step.get_mut(..size).unwrap_or_default();
            file.read_exact_at(step, at as u64)?;
            digest.update(step);
            at += size;
        }
        Ok(Original { sha256: digest.finish().try_into().unwrap_or_default(), length })
    }
}

impl From<Vec<u8>> for Given {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Arc::new(bytes))
    }
}

impl From<Arc<Vec<u8>>> for Given {
    fn from(bytes: Arc<Vec<u8>>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<File> for Given {
    fn from(file: File) -> Self {
        Self::File(file)
    }
}

/// Why there is no verdict. A bad document is evidence and not among these.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the document could not be read: {0}")]
    Unread(#[from] io::Error),
}

impl GatherError {
    /// Of a document that could not be read; the store speaks for itself.
    pub fn unread(error: &io::Error) -> Message {
        Message::new(
            "verify.unread",
            format!("读取文件时出错（{error}），未作判断。请重试。"),
            format!("The document could not be read ({error}) and was not judged. Try again."),
        )
    }
}

/// A file on disk. Every read goes to the system's own cache; nothing is kept here.
struct OnDisk {
    file: File,
    length: usize,
}

impl ReadAt for OnDisk {
    fn length(&self) -> usize {
        self.length
    }

    fn read_at(&self, offset: usize, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, offset as u64)
    }
}

/// Opens the file and gathers what the register knows, to be judged at `at`. Without a store it works offline, on `trust`
/// alone.
///
/// # Errors
/// Trouble of the store or of the disk; a bad document is evidence, not an error.
pub async fn gather(
    store: Option<&Store>,
    trust: Arc<Trust>,
    file: &str,
    given: impl Into<Given>,
    at: OffsetDateTime,
) -> Result<Evidence, GatherError> {
    let (name, given) = (file.to_owned(), given.into());
    // Reading a file of 200 MB takes a while, in which nobody else should wait.
    let open = move || match given {
        Given::Bytes(bytes) => Ok(Evidence::open(&name, bytes.as_slice(), trust, at)),
        Given::File(ref file) => {
            let (length, file) = (given.length()?, file.try_clone()?);
            Evidence::read(&name, &OnDisk { file, length }, trust, at)
        }
    };
    let mut evidence = match tokio::task::spawn_blocking(open).await {
        Ok(evidence) => evidence?,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    // Whether `at` is the caller's now is for the caller to say.
    evidence.now = None;
    if let Some(store) = store {
        let signers = evidence.opened.signers();
        let mut facts = Vec::with_capacity(signers.len());
        for (certificate, digest) in &signers {
            facts.push(ask(store, certificate.as_ref(), digest).await?);
        }
        if evidence.opened.has_seal_data() {
            let mut on_record = HashSet::new();
            for seal in facts.iter().filter_map(Facts::seal) {
                on_record.extend(store.seal_files(&seal.number).await?.into_iter().map(|file| file.digest));
            }
            evidence.seals_on_record = Some(on_record);
        }
        evidence.facts = facts;
        for ca in store.ca_certificates().await? {
            evidence.house.extend(Certificate::read(&ca.certificate).map(|certificate| certificate.subject.clone()));
        }
    }
    Ok(evidence)
}

/// What this house itself trusts: its own roots, the newest list of each of its authorities, and its log's key.
///
/// # Errors
/// Trouble of the store.
pub async fn house_trust(store: &Store) -> Result<Trust, StoreError> {
    let mut trust = Trust::default();
    trust.logs.extend(store.log_identity().await?.map(|log| log.vkey));
    for ca in store.ca_certificates().await? {
        if let Ok(certificate) = Certificate::read(&ca.certificate) {
            match ca.kind {
                CaKind::Root => trust.anchors.push(certificate),
                CaKind::Issuing => trust.intermediates.push(certificate),
            }
        }
        if let Some(list) = store.crl(&ca.label).await? {
            trust.lists.extend(RevocationList::read(&list.crl));
        }
    }
    Ok(trust)
}

async fn ask(store: &Store, certificate: Option<&Certificate>, digest: &[u8; 32]) -> Result<Facts, StoreError> {
    let Some(certificate) = certificate else { return Ok(Facts::Unknown) };
    let fingerprint = hex::encode(certificate.fingerprint());
    if let Some(filed) = store.certificate(&fingerprint).await? {
        let Some(seal) = store.seal(&filed.seal).await? else { return Ok(Facts::Unknown) };
        let chain = filed.chain.iter().filter_map(|der| Certificate::read(der).ok()).collect();
        let record = record(store, &filed.seal, &fingerprint, digest).await?;
        return Ok(Facts::Filed {
            seal: seal.seal,
            logged_since: seal.logged_since,
            chain,
            record: record.map(Box::new),
        });
    }
    if let Some(number) = seal_number(certificate)
        && let Some(seal) = store.seal(&number).await?
    {
        return Ok(Facts::OtherCertificate { seal: seal.seal, logged_since: seal.logged_since });
    }
    Ok(Facts::Unknown)
}

/// The order to seal these bytes with this certificate. A finished one says most, a lost one least.
async fn record(
    store: &Store,
    seal: &SealNumber,
    certificate: &str,
    digest: &[u8; 32],
) -> Result<Option<Record>, StoreError> {
    let orders = store.orders_of_digest(&hex::encode(digest)).await?;
    let ours = orders
        .into_iter()
        .filter(|order| order.seal.as_ref() == Some(seal) && order.certificate.as_deref() == Some(certificate));
    let worth = |order: &OrderRecord| match order.state {
        OrderState::Sealed => 2,
        OrderState::Written => 1,
        OrderState::Lost => 0,
    };
    let Some(order) = ours.max_by_key(worth) else { return Ok(None) };
    let state = match (order.state, order.ended_at) {
        (OrderState::Sealed, Some(by)) => RecordState::Sealed { by },
        (OrderState::Sealed | OrderState::Written, _) => RecordState::Written,
        (OrderState::Lost, _) => RecordState::Lost,
    };
    let copy = order.annotation.clone();
    let case = match &order.decision {
        None => None,
        Some(number) => match store.decision(number).await? {
            None => None,
            // A copy is made by whoever is competent as it is asked for, whoever decided on the licence.
            Some(decision) => {
                let asked_for = copy.as_ref().map_or(decision.accepted_at, |copy| copy.made_at);
                Some((store.item(&decision.item).await?, asked_for))
            }
        },
    };
    let versions = match order.identifier() {
        None => vec![],
        Some(identifier) => store.licence_versions(&identifier.licence()).await?,
    };
    let filed = |copy: &Annotation| versions.iter().find(|filed| filed.licence.version.identifier == copy.identifier);
    let pending = order.licence.or_else(|| Some(filed(copy.as_ref()?)?.licence.clone()));
    let licence = pending.map(|pending| LicenceFacts {
        version: pending.version,
        name: pending.name,
        holder: pending.holder_name,
        versions: versions.into_iter().map(|filed| filed.licence.version).collect(),
    });
    Ok(Some(Record {
        order: order.id,
        title: order.title,
        state,
        written_at: order.written_at,
        document: order.document,
        basis: order.decision.or(order.abolition),
        case,
        licence,
        copy,
    }))
}
