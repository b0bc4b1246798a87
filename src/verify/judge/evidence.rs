//! Everything a verdict rests on, gathered before judging: the bytes, the trust, and what the register knows.

use std::collections::HashSet;
use std::sync::Arc;

use const_oid::db::rfc3161;
use time::{Duration, OffsetDateTime};

use crate::cms::{self, CmsError, SignedData};
use crate::crypto::Digest;
use crate::item::Item;
use crate::licence::LicenceVersion;
use crate::licence::annotation::Annotation;
use crate::licence::metadata::Metadata;
use crate::limits;
use crate::ofd::{self, signatures::SignaturesFault};
use crate::pdf::PdfError;
use crate::pdf::signatures::{self, Reading, Signature};
use crate::pdf::source::{Elsewhere, ReadAt, Source};
use crate::pki::certificate::{Certificate, from_pem_or_der};
use crate::pki::known::{Known, Memory};
use crate::pki::name::Name;
use crate::pki::ocsp::OcspResponse;
use crate::pki::revocation::RevocationList;
use crate::seal::{Seal, SealNumber};
use crate::ses::{self, SealSignature};
use crate::stamp::Token;
use crate::tlog::LogFault;
use crate::tlog::note::{Kind, VerifierKey};
use crate::tlog::receipt::Head;
use crate::verify::report::LogFacts;

/// Whom the caller trusts, and what is known of revocation.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    pub anchors: Vec<Certificate>,
    /// May help to find a path; trusted for nothing.
    pub intermediates: Vec<Certificate>,
    pub lists: Vec<RevocationList>,
    pub responses: Vec<OcspResponse>,
    /// Keys of public logs; a log that changed its key has several of one name.
    pub logs: Vec<VerifierKey>,
    /// Keys of those who watch them.
    pub witnesses: Vec<VerifierKey>,
    /// How many of them must have seen a use of a seal; without a number most of them ([`Trust::witnesses_needed`]).
    pub witnesses_asked: Option<usize>,
    /// For how many days what a proven copy of the register says is taken to be so still; without a number
    /// [`limits::REGISTER_DAYS`].
    pub register_days: Option<u16>,
    /// What was found out about these and their like, by whoever judged before.
    pub known: Arc<Known>,
    /// Heads of logs that were opened before: a log signs one for all that it takes in at a time.
    pub heads: Arc<Memory<Result<Head, LogFault>>>,
}

impl Trust {
    /// From the contents of files, each PEM (any number of certificates and lists, mixed), one DER (an OCSP response, too),
    /// or lines with keys of logs and witnesses (C2SP signed-note verifier keys, `*.vkey`). Self-issued authorities become
    /// anchors; other certificates only help to find a path. What is neither is passed over, and counted in the answer so
    /// that the caller can say so.
    pub fn read<'b>(files: impl IntoIterator<Item = &'b [u8]>) -> (Self, usize) {
        let (mut trust, mut unread) = (Self::default(), 0);
        for file in files {
            let before = trust.len();
            for der in from_pem_or_der("CERTIFICATE", file) {
                match Certificate::read(&der) {
                    Ok(certificate) if certificate.is_self_issued() => trust.anchors.push(certificate),
                    Ok(certificate) => trust.intermediates.push(certificate),
                    Err(_) => {}
                }
            }
            let lists = from_pem_or_der("X509 CRL", file);
            trust.lists.extend(lists.iter().filter_map(|der| RevocationList::read(der).ok()));
            trust.responses.extend(OcspResponse::read(file));
            trust.keys(file);
            unread += usize::from(trust.len() == before);
        }
        (trust, unread)
    }

    /// This and another's together.
    pub fn and(mut self, other: Self) -> Self {
        self.anchors.extend(other.anchors);
        self.intermediates.extend(other.intermediates);
        self.lists.extend(other.lists);
        self.responses.extend(other.responses);
        self.logs.extend(other.logs);
        self.witnesses.extend(other.witnesses);
        self.witnesses_asked = self.witnesses_asked.or(other.witnesses_asked);
        self.register_days = self.register_days.or(other.register_days);
        self
    }

    /// How many witnesses must have seen a head of the log, where whoever has the log asks for `own`: that says the log's own
    /// key, so it is never less than most of those that are trusted, of which then no two halves see two faces.
    pub fn witnesses_needed(&self, own: usize) -> usize {
        let known = self.witnesses.iter().enumerate();
        let each = known.filter(|(at, key)| !self.witnesses.iter().take(*at).any(|before| before == *key)).count();
        let most = if each == 0 { 0 } else { each / 2 + 1 };
        self.witnesses_asked.unwrap_or(own.max(most))
    }

    /// For how long what a proven copy of the register says is taken to be so still.
    pub fn register_age(&self) -> Duration {
        Duration::days(self.register_days.unwrap_or(limits::REGISTER_DAYS).into())
    }

    /// The kind of a key tells what it is for.
    fn keys(&mut self, file: &[u8]) {
        let lines = std::str::from_utf8(file).unwrap_or_default().lines().map(str::trim).take(limits::LOG_KEYS);
        for key in lines.filter_map(|line| VerifierKey::read(line).ok()) {
            match key.kind() {
                Kind::Ed25519 => self.logs.push(key),
                Kind::Cosignature => self.witnesses.push(key),
            }
        }
    }

    fn len(&self) -> usize {
        self.anchors.len()
            + self.intermediates.len()
            + self.lists.len()
            + self.responses.len()
            + self.logs.len()
            + self.witnesses.len()
    }
}

/// One file to be judged, with all that may be used for it.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// As the caller calls it.
    pub file: String,
    /// The moment at which it is judged: now, or the one asked about.
    pub at: OffsetDateTime,
    /// The moment at which the question is put. Where the caller does not say, all that the register holds counts as known.
    pub now: Option<OffsetDateTime>,
    pub trust: Arc<Trust>,
    /// What was found inside.
    pub opened: Opened,
    /// One for each signature of `opened`, in the same order.
    pub facts: Vec<Facts>,
    /// Names of the certificate authorities of the house whose register was asked. A name is enough to tell them: another
    /// authority of this name has no path to their root.
    pub house: Vec<Name>,
    /// What a detached CMS signs or a time stamp stamps, where the caller has it.
    pub content: Option<Vec<u8>>,
    /// SHA-256, hexadecimal, of the seals that were made as data and are on record for the seals of `facts`; none where the
    /// register was not asked.
    pub seals_on_record: Option<HashSet<String>>,
}

/// What is inside, by its first bytes and its container, never by its name.
#[derive(Debug, Clone)]
pub enum Opened {
    Pdf { reading: Reading, envelopes: Vec<Envelope> },
    UnreadablePdf(PdfError),
    Ofd(Box<ofd::reading::Reading>),
    UnreadableOfd(SignaturesFault),
    Cms(Box<SignedData>),
    Unknown,
}

/// A PDF signature's envelope, and what the register is asked about it.
#[derive(Debug, Clone)]
pub struct Envelope {
    pub cms: Result<SignedData, CmsError>,
    /// Where it is no CMS but a seal of GB/T 38540, whatever its /SubFilter says.
    pub seal: Option<Box<SealSignature>>,
    /// By its own account.
    pub certificate: Option<Certificate>,
    /// SHA-256 of the signed bytes; zeros, which are in no ledger, where nothing is signed or it was too costly.
    pub digest: [u8; 32],
    /// The signed bytes, where the value was made over them and not over attributes, and they are not too many.
    pub content: Option<Vec<u8>>,
}

/// /Contents, read.
type Inside = (Result<SignedData, CmsError>, Option<Box<SealSignature>>);

/// What our register knows about one signature.
#[derive(Debug, Clone)]
pub enum Facts {
    /// It was not asked.
    NotAsked,
    /// It was asked and knows neither the certificate nor the seal.
    Unknown,
    /// An authority of the house made the certificate, and it is filed for no seal: whatever it is for, it seals nothing. Found
    /// by judging ([`Evidence::house`]).
    Unfiled,
    /// It has a seal of the number in the certificate, but this certificate is not filed for it.
    OtherCertificate { seal: Seal, logged_since: Option<OffsetDateTime> },
    /// A copy of the register, which has no ledger to look in: it has the seal of the number in the certificate, and where
    /// the log proves what it says, this certificate is filed for it.
    Exported { seal: Seal, logged_since: Option<OffsetDateTime>, proof: Option<Arc<LogFacts>> },
    /// The certificate is filed for the seal; `record` is none where the ledger has no such use of it.
    Filed { seal: Seal, logged_since: Option<OffsetDateTime>, chain: Vec<Certificate>, record: Option<Box<Record>> },
}

impl Facts {
    /// The seal, where one is known.
    pub fn seal(&self) -> Option<&Seal> {
        match self {
            Self::NotAsked | Self::Unknown | Self::Unfiled => None,
            Self::OtherCertificate { seal, .. } | Self::Exported { seal, .. } | Self::Filed { seal, .. } => Some(seal),
        }
    }

    /// From when on every use of the seal must be in the public log; none where that is not asked of it.
    pub fn logged_since(&self) -> Option<OffsetDateTime> {
        match self {
            Self::NotAsked | Self::Unknown | Self::Unfiled => None,
            Self::OtherCertificate { logged_since, .. }
            | Self::Exported { logged_since, .. }
            | Self::Filed { logged_since, .. } => *logged_since,
        }
    }

    /// The ledger's line about this very use.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Filed { record, .. } => record.as_deref(),
            _ => None,
        }
    }
}

/// Our own order to seal exactly these bytes with exactly this certificate.
#[derive(Debug, Clone)]
pub struct Record {
    pub order: String,
    pub title: String,
    pub state: RecordState,
    pub written_at: OffsetDateTime,
    /// SHA-256 of the document as it was issued, hexadecimal.
    pub document: Option<String>,
    /// The decision's or the abolition order's number.
    pub basis: Option<String>,
    /// The item and the date of acceptance, where the order rests on a decision.
    pub case: Option<(Option<Item>, OffsetDateTime)>,
    /// The licence that the document is, or is a copy of.
    pub licence: Option<LicenceFacts>,
    /// What the document is a copy for, where it is an annotated copy.
    pub copy: Option<Annotation>,
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    /// Written down and not finished: also the state in which a new document is checked before it leaves the house.
    Written,
    /// The sealed document existed by then.
    Sealed {
        by: OffsetDateTime,
    },
    Lost,
}

impl Record {
    /// By when the signature existed.
    pub fn proven_time(&self) -> Option<OffsetDateTime> {
        match self.state {
            RecordState::Sealed { by } => Some(by),
            RecordState::Written | RecordState::Lost => None,
        }
    }
}

/// The licence that a document is.
#[derive(Debug, Clone)]
pub struct LicenceFacts {
    /// This document's version.
    pub version: LicenceVersion,
    pub name: String,
    pub holder: String,
    /// All versions in the register, oldest first.
    pub versions: Vec<LicenceVersion>,
}

impl Evidence {
    /// Opens a file within the limits, to be judged now; the register has not been asked.
    pub fn open(file: &str, bytes: impl AsRef<[u8]>, trust: Arc<Trust>, now: OffsetDateTime) -> Self {
        Self::of(file, Opened::of(bytes.as_ref().into()), trust, now)
    }

    /// As [`Self::open`], for a file that is read piece by piece.
    ///
    /// # Errors
    /// The file could not be read to its end; that says nothing about what is in it.
    pub fn read(file: &str, reader: &dyn ReadAt, trust: Arc<Trust>, now: OffsetDateTime) -> std::io::Result<Self> {
        let elsewhere = Elsewhere::new(reader);
        let opened = Opened::of((&elsewhere).into());
        elsewhere.trouble()?;
        Ok(Self::of(file, opened, trust, now))
    }

    fn of(file: &str, opened: Opened, trust: Arc<Trust>, now: OffsetDateTime) -> Self {
        let facts = vec![Facts::NotAsked; opened.signers().len()];
        Self {
            file: file.to_owned(),
            at: now,
            now: Some(now),
            trust,
            opened,
            facts,
            house: vec![],
            content: None,
            seals_on_record: None,
        }
    }

    /// The newest moment of which anything is known. To ask about an earlier one does not prove that the document existed
    /// then (EN 319 102-1 §5.5), so what is known since speaks against it.
    pub fn known_until(&self) -> OffsetDateTime {
        let lists = self.trust.lists.iter().map(|list| list.this_update);
        lists.chain(self.now).fold(self.at, OffsetDateTime::max)
    }
}

impl Opened {
    /// What the register is asked about, one for each signature: its certificate, and the SHA-256 that the ledger would know
    /// it by: for OFD that of the list of files that its value is made over. A CMS by itself is no document of ours, so it has zeros, which are in no ledger; a time stamp is no seal's.
    pub fn signers(&self) -> Vec<(Option<Certificate>, [u8; 32])> {
        match self {
            Self::Pdf { envelopes, .. } => envelopes.iter().map(|e| (e.certificate.clone(), e.digest)).collect(),
            Self::Cms(signed) if signed.content_type != rfc3161::ID_CT_TST_INFO => {
                signed.signers.iter().map(|signer| (signed.certificate_of(signer), [0; 32])).collect()
            }
            Self::Ofd(reading) => reading
                .signatures
                .iter()
                .map(|read| (read.certificate.clone(), crate::crypto::sha256(&read.said)))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// What the file says of itself as a licence (GB/T 36903). Nobody vouches for it but who signed it.
    pub fn metadata(&self) -> Metadata {
        let said = match self {
            Self::Pdf { reading, .. } => &reading.info,
            Self::Ofd(reading) => &reading.data,
            _ => return Metadata::default(),
        };
        Metadata::read(said.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// Whether there are seals of GB/T 38540 among the signatures.
    pub fn has_seal_data(&self) -> bool {
        match self {
            Self::Ofd(_) => true,
            Self::Pdf { envelopes, .. } => envelopes.iter().any(|envelope| envelope.seal.is_some()),
            _ => false,
        }
    }

    fn of(source: Source<'_>) -> Self {
        Self::inside(source).unwrap_or_else(Self::UnreadablePdf)
    }

    fn inside(source: Source<'_>) -> Result<Self, PdfError> {
        let head = source.window(0..16)?;
        if head.starts_with(b"PK\x03\x04") {
            // GB/T 33190 §7.1: a ZIP whose entry point is OFD.xml, also named in the central directory at the end.
            let tail = source.window(source.length().saturating_sub(64 * 1024)..source.length())?;
            if !tail.windows(7).any(|w| w == b"OFD.xml") {
                return Ok(Self::Unknown);
            }
            let bytes = source.window(0..source.length())?;
            return Ok(match ofd::reading::Reading::of(&bytes) {
                Ok(reading) => Self::Ofd(Box::new(reading)),
                Err(fault) => Self::UnreadableOfd(fault),
            });
        }
        if head.first() == Some(&0x30) || head.starts_with(b"-----BEGIN ") {
            // Base64 and its line ends take half as much again.
            let bytes = source.window(0..limits::CMS_BYTES / 2 * 3)?;
            let inside = ["CMS", "PKCS7"].iter().flat_map(|label| from_pem_or_der(label, &bytes)).next();
            // An authority's answer holds a time stamp.
            let answer = |der: &[u8]| Token::read_answer(der).map(|token| token.signed);
            return Ok(match inside.map(|der| cms::read(&der).or_else(|_| answer(&der))) {
                Some(Ok(signed)) => Self::Cms(Box::new(signed)),
                _ => Self::Unknown,
            });
        }
        let mut inside = Vec::new();
        let reading = signatures::read_with(source, &mut |signature| {
            let cms = cms::read_pdf(&signature.sub_filter, &signature.cms, &signature.certificates);
            let seal = if cms.is_err() { ses::read_signature(&signature.cms).ok() } else { None };
            let mut wanted = digests(signature, &cms);
            wanted.extend(seal.is_some().then_some(Digest::Sm3));
            inside.push((cms, seal.map(Box::new)));
            wanted
        });
        let reading = match reading {
            Ok(reading) => reading,
            Err(PdfError::NotPdf) => return Ok(Self::Unknown),
            Err(error) => return Err(error),
        };
        let envelopes = reading.signatures.iter().zip(inside).map(|(s, inside)| Envelope::of(s, inside, source));
        let envelopes = envelopes.collect::<Result<_, _>>()?;
        Ok(Self::Pdf { reading, envelopes })
    }
}

/// The digests that a signature is judged by: SHA-256, which the ledger knows it by, and the one that its value or its
/// time stamp names.
fn digests(signature: &Signature, cms: &Result<SignedData, CmsError>) -> Vec<Digest> {
    let mut wanted = vec![Digest::Sha256];
    if signature.is_time_stamp {
        wanted.extend(Token::read(&signature.cms).ok().and_then(|token| token.digest()));
    } else if let Ok(signed) = cms {
        wanted.extend(signed.digests());
    }
    wanted.dedup();
    wanted
}

impl Envelope {
    fn of(signature: &Signature, (cms, seal): Inside, source: Source<'_>) -> Result<Self, PdfError> {
        let signer = cms.as_ref().ok().and_then(|signed| signed.signers.first());
        let certificate = match &seal {
            Some(seal) => Certificate::read(&seal.signer).ok(),
            None => cms.as_ref().ok().zip(signer).and_then(|(signed, signer)| signed.certificate_of(signer)),
        };
        // A seal has its digest inside, as a CMS with attributes has.
        let direct = seal.is_none() && signer.is_none_or(|signer| signer.signed_attributes_raw.is_none());
        let content = match direct {
            true => signature.content(source, limits::CMS_DIRECT_BYTES)?,
            false => None,
        };
        let digest = signature.digest(Digest::Sha256).and_then(|digest| digest.try_into().ok());
        Ok(Self { cms, seal, certificate, digest: digest.unwrap_or_default(), content })
    }
}

/// The seal's number as the certificate has it.
pub fn seal_number(certificate: &Certificate) -> Option<SealNumber> {
    SealNumber::parse(&certificate.subject.common_name()?).ok()
}
