//! The report: the JSON contract of `yinxin verify`, and one sentence for a citizen in Chinese and English.
//!
//! One report has many forms: this one for programs, [`html()`] for people and courts, [`etsi::xml`] for other verifiers
//! (ETSI TS 119 102-2), [`print()`] for paper and the seal on it.

mod copy;
pub mod etsi;
#[cfg(feature = "service")]
pub mod html;
mod markup;
mod print;
mod words;

pub use copy::CopyFacts;
#[cfg(feature = "service")]
pub use html::html;
pub use print::print;
pub(super) use words::{answers, summary};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use super::judge::existence::By;
use super::judge::proof::Genuine;
use crate::licence::LicenceStatus;
use crate::message::Message;
pub(super) use crate::message::china_time as moment;
use crate::ofd::oddity::shown;
use crate::pdf::changes::LaterChanges;
use crate::pdf::signatures::Coverage;
use crate::seal::{Level, Seal, SealNumber, SealStatus};
use crate::ses;

/// What became of one file.
#[derive(Debug, Serialize)]
pub struct Report {
    /// As the caller named it; never trusted for what is inside.
    pub file: String,
    pub format: Format,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The moment at which the file was judged.
    #[serde(with = "time::serde::rfc3339")]
    pub judged_at: OffsetDateTime,
    /// For a citizen.
    pub summary: Message,
    /// What people ask, in the order in which they ask it.
    pub answers: Answers,
    /// What this register knows the document to be; none for a document of others.
    pub document: Option<Document>,
    pub copy: Option<CopyFacts>,
    /// About the file as a whole.
    pub findings: Vec<Message>,
    pub signatures: Vec<SignatureReport>,
}

/// What the first bytes say the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Pdf,
    Ofd,
    Cms,
    Unknown,
}

/// EN 319 102-1 §5.1.3. `Genuine` needs the proofs that only the checks make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Genuine(Genuine),
    Indeterminate(SubIndication),
    Failed(SubIndication),
}

/// Why a signature did not pass (EN 319 102-1 tables 5 and 6).
///
/// What the standard has no word for: `SIG_CONSTRAINTS_FAILURE` with TOTAL-FAILED is a change that the signature's own
/// DocMDP or FieldMDP forbids, or a seal that was not competent; `REVOKED` and `NOT_YET_VALID` also speak of the seal
/// itself, whose abolition ends it as revocation ends a certificate; `GENERIC` is what we do not judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SubIndication {
    FormatFailure,
    HashFailure,
    SigCryptoFailure,
    Revoked,
    Expired,
    NotYetValid,
    SigConstraintsFailure,
    ChainConstraintsFailure,
    CertificateChainGeneralFailure,
    CryptoConstraintsFailureNoPoe,
    NoSigningCertificateFound,
    NoCertificateChainFound,
    RevokedNoPoe,
    #[serde(rename = "REVOKED_CA_NO_POE")]
    RevokedCaNoPoe,
    OutOfBoundsNoPoe,
    TimestampOrderFailure,
    TryLater,
    SignedDataNotFound,
    Generic,
}

/// One signature.
#[derive(Debug, Serialize)]
pub struct SignatureReport {
    /// The field's full name.
    pub name: String,
    pub kind: SignatureKind,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Digest and value are mathematically right, whoever signed.
    pub intact: bool,
    pub coverage: Coverage,
    pub later_changes: LaterChanges,
    /// Claimed by the signer.
    #[serde(with = "time::serde::rfc3339::option")]
    pub signed_at: Option<OffsetDateTime>,
    /// By when the signature provably existed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub proven_time: Option<OffsetDateTime>,
    /// Who proves that.
    pub proven_by: Option<By>,
    /// Subject of the certificate.
    pub signer: Option<String>,
    /// A path leads to a trusted root, and held at the moment that counts.
    pub trusted: bool,
    /// The seal, where the register knows it.
    pub seal: Option<SealFacts>,
    /// What a seal of GB/T 38540 says of itself, which its maker vouches for where the check `seal` passed.
    pub seal_data: Option<SealData>,
    /// Which baseline level of PAdES the signature has reached, whatever became of it; none for what is no such signature.
    pub level: Option<Level>,
    /// Where this use of the seal stands in the public log, where that is proven.
    pub log: Option<LogFacts>,
    /// Over the signature's value, inside the signature.
    pub time_stamps: Vec<StampReport>,
    pub checks: Vec<Check>,
}

/// A use of a seal in the public log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogFacts {
    /// The log's name.
    pub origin: String,
    /// The entry's place, from 0.
    pub index: u64,
    /// Entries of the log when it was proven.
    pub size: u64,
    /// Who saw the log so.
    pub witnesses: Vec<String>,
    /// When the use was written down, as the log says.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl LogFacts {
    /// The place in words, Chinese and English.
    pub fn words(&self) -> (String, String) {
        let Self { origin, index, size, witnesses, .. } = self;
        let seen = match witnesses.as_slice() {
            [] => ("没有见证".into(), "no witness".into()),
            names => (format!("见证：{}", names.join("、")), format!("seen by {}", names.join(", "))),
        };
        (
            format!("公开日志“{origin}”中：第{index}条（从0起，共{size}条），{}", seen.0),
            format!("the public log {origin}: entry {index} of {size}, {}", seen.1),
        )
    }
}

/// A time stamp inside a signature.
#[derive(Debug, Serialize)]
pub struct StampReport {
    /// Subject of the authority's certificate.
    pub authority: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub time: Option<OffsetDateTime>,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// It is of this very value and signed by the authority's key, whoever that is.
    pub intact: bool,
    pub trusted: bool,
    pub checks: Vec<Check>,
}

/// What a signature is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureKind {
    Seal,
    /// A document time stamp: it proves a moment for what came before it, and never spoils that.
    TimeStamp,
}

/// A seal as far as a report needs it.
#[derive(Debug, Serialize)]
pub struct SealFacts {
    pub number: SealNumber,
    pub legend: String,
    pub owner: String,
    pub owner_name: String,
    pub status_now: SealStatus,
    /// At the proven time.
    pub status_then: Option<SealStatus>,
}

impl SealFacts {
    pub(super) fn of(seal: &Seal, now: OffsetDateTime, then: Option<OffsetDateTime>) -> Self {
        Self {
            number: seal.number.clone(),
            legend: seal.legend.clone(),
            owner: seal.owner.as_str().to_owned(),
            owner_name: seal.owner_name.clone(),
            status_now: seal.life.status_at(now),
            status_then: then.map(|then| seal.life.status_at(then)),
        }
    }
}

/// A seal as data, by its own account.
#[derive(Debug, Serialize)]
pub struct SealData {
    pub name: String,
    pub number: String,
    /// `V1`, `V4` or `V5`.
    pub version: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    pub valid_from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub valid_until: OffsetDateTime,
}

impl SealData {
    pub(super) fn of(seal: &ses::Seal) -> Self {
        let version = match seal.version {
            ses::Version::V1 => "V1",
            ses::Version::V4 => "V4",
            ses::Version::V5 => "V5",
        };
        let (name, number) = (shown(&seal.name), shown(&seal.id));
        Self { name, number, version, valid_from: seal.valid_from, valid_until: seal.valid_until }
    }
}

/// The file itself, for forms of the report that name it by its digest.
#[derive(Debug, Clone, Copy)]
pub struct Original {
    pub sha256: [u8; 32],
    /// Bytes.
    pub length: usize,
}

impl Original {
    /// Of all the file's bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: crate::crypto::sha256(bytes), length: bytes.len() }
    }
}

/// The document as the ledger has it.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    /// What the ledger calls it.
    pub title: String,
    /// Licence identifier (证照标识).
    pub identifier: Option<String>,
    pub holder: Option<String>,
    /// The decision's or abolition order's number.
    pub basis: Option<String>,
    pub licence_status: Option<LicenceStatus>,
}

/// One check of one signature.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Never changes.
    pub id: &'static str,
    pub outcome: Outcome,
    /// The standard's clause or the house's rule.
    pub clause: &'static str,
    /// Chinese and English in one line.
    #[serde(rename = "detail", serialize_with = "in_one_line")]
    pub message: Message,
    #[serde(skip)]
    pub(super) sub_indication: Option<SubIndication>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Passed,
    Failed,
    Indeterminate,
    /// Decides nothing.
    Info,
}

/// The five questions of a citizen.
#[derive(Debug, Serialize)]
pub struct Answers {
    pub what: Message,
    pub sealed_by: Message,
    pub intact: Message,
    pub seal_in_force_then: Message,
    pub licence_in_force_now: Message,
}

fn in_one_line<S: Serializer>(message: &Message, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{} / {}", message.zh, message.en))
}

/// 0 all passed, 1 any failed, 2 any indeterminate and none failed. (3, could not run, is the caller's.)
pub fn exit_code(reports: &[Report]) -> u8 {
    let any = |wanted: fn(&Verdict) -> bool| reports.iter().any(|report| wanted(&report.verdict));
    if any(|verdict| matches!(verdict, Verdict::Failed(_))) {
        1
    } else if any(|verdict| matches!(verdict, Verdict::Indeterminate(_))) {
        2
    } else {
        0
    }
}

impl Verdict {
    /// TOTAL-PASSED, INDETERMINATE or TOTAL-FAILED.
    pub fn indication(&self) -> &'static str {
        match self {
            Self::Genuine(_) => "TOTAL-PASSED",
            Self::Indeterminate(_) => "INDETERMINATE",
            Self::Failed(_) => "TOTAL-FAILED",
        }
    }

    /// The reason, where it did not pass.
    pub fn sub_indication(&self) -> Option<SubIndication> {
        match self {
            Self::Genuine(_) => None,
            Self::Indeterminate(sub) | Self::Failed(sub) => Some(*sub),
        }
    }

    /// True for TOTAL-PASSED.
    pub fn is_genuine(&self) -> bool {
        matches!(self, Self::Genuine(_))
    }

    /// For a citizen, Chinese and English.
    pub fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Genuine(_) => ("核验通过", "Passed"),
            Self::Indeterminate(_) => ("无法确认", "Not certain"),
            Self::Failed(_) => ("核验不通过", "Failed"),
        }
    }

    /// Beside the words, for eyes that do not tell the colours apart.
    pub fn sign(&self) -> &'static str {
        match self {
            Self::Genuine(_) => "✓",
            Self::Indeterminate(_) => "?",
            Self::Failed(_) => "✗",
        }
    }

    /// `good`, `unsure` or `bad`: the look of the verdict.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Genuine(_) => "good",
            Self::Indeterminate(_) => "unsure",
            Self::Failed(_) => "bad",
        }
    }

    /// The same for one signature among others: `passed`, `indeterminate` or `failed`.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Genuine(_) => "passed",
            Self::Indeterminate(_) => "indeterminate",
            Self::Failed(_) => "failed",
        }
    }

    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Genuine(_) => 0,
            Self::Indeterminate(_) => 1,
            Self::Failed(_) => 2,
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;

        let mut fields = serializer.serialize_struct("Verdict", 2)?;
        fields.serialize_field("indication", self.indication())?;
        fields.serialize_field("sub_indication", &self.sub_indication())?;
        fields.end()
    }
}

impl Check {
    pub(super) fn new(id: &'static str, clause: &'static str, outcome: Outcome, message: Message) -> Self {
        Self { id, outcome, clause, message, sub_indication: None }
    }

    pub(super) fn because(mut self, sub: SubIndication) -> Self {
        self.sub_indication = Some(sub);
        self
    }

    /// The reason for which EN 319 102-1 has a word, where the check did not pass.
    pub fn sub_indication(&self) -> Option<SubIndication> {
        self.sub_indication
    }
}
