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

pub use copy::CopyFacts;
#[cfg(feature = "service")]
pub use html::html;
pub use print::print;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use super::judge::existence::By;
use super::judge::proof::Genuine;
use crate::licence::LicenceStatus;
use crate::message::Message;
pub(super) use crate::message::china_time as moment;
use crate::pdf::changes::LaterChanges;
use crate::pdf::signatures::Coverage;
use crate::seal::{Level, Seal, SealNumber, SealStatus};

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

// — for people

/// One sentence: the verdict, and the reason that weighs most.
pub(super) fn summary(
    format: Format,
    verdict: &Verdict,
    signatures: &[SignatureReport],
    document: Option<&Document>,
) -> Message {
    let seals = || signatures.iter().filter(|s| s.kind == SignatureKind::Seal);
    let worst = seals().max_by_key(|s| s.verdict.rank());
    let wanted = match verdict {
        Verdict::Genuine(_) => Outcome::Info,
        Verdict::Indeterminate(_) => Outcome::Indeterminate,
        Verdict::Failed(_) => Outcome::Failed,
    };
    let against = worst.iter().flat_map(|s| &s.checks).filter(|check| check.outcome == wanted);
    let reason = against.min_by_key(|check| gravity(check.id)).map(|check| &check.message);
    match verdict {
        Verdict::Genuine(_) => {
            let (mut zh, mut en) = ("验证通过".to_owned(), "Genuine".to_owned());
            for signature in seals() {
                let name =
                    signature.seal.as_ref().map(|s| format!("“{}”", s.legend)).or_else(|| signature.signer.clone());
                let name = name.unwrap_or_default();
                zh.push_str(&format!("：由{name}签章"));
                en.push_str(&format!(": sealed by {name}"));
                if let (Some(time), Some(by)) = (signature.proven_time.map(moment), &signature.proven_by) {
                    let (who, whose) = match by {
                        By::Ledger => ("本系统记录", "our own record"),
                        By::TimeStamp(_) => ("时间戳", "a time stamp"),
                    };
                    zh.push_str(&format!("（{time}，有{who}为证）"));
                    en.push_str(&format!(" ({time} Beijing time, by {whose})"));
                }
            }
            let (zh_since, en_since) = match seals().any(|s| s.later_changes != LaterChanges::None) {
                false => ("，签章后内容未被改动", ", unchanged since"),
                true => ("，签章后只有允许的更新", ", with allowed updates only since"),
            };
            zh.push_str(zh_since);
            en.push_str(en_since);
            for check in
                seals().flat_map(|s| &s.checks).filter(|c| c.id == "seal-in-force" && c.outcome == Outcome::Passed)
            {
                zh.push_str(&format!("；{}", check.message.zh.trim_end_matches('。')));
                en.push_str(&format!("; {}", check.message.en.trim_end_matches('.')));
            }
            for log in seals().filter_map(|s| s.log.as_ref()) {
                zh.push_str(&format!("；用印载于{}", log.words().0));
                en.push_str(&format!("; in {}", log.words().1));
            }
            if let Some(status) = document.and_then(|d| d.licence_status) {
                zh.push_str(&format!("；证照目前{}", status.zh()));
                en.push_str(&format!("; the licence is now {}", status.en()));
            }
            Message::new("verify.passed", format!("{zh}。"), format!("{en}."))
        }
        Verdict::Indeterminate(_) => match reason {
            Some(reason) => Message::new(
                "verify.indeterminate",
                format!("无法确认真伪：{}", reason.zh),
                format!("Cannot be confirmed: {}", reason.en),
            ),
            None => nothing_to_judge(format),
        },
        Verdict::Failed(_) => {
            let (zh, en) = reason.map_or(("", ""), |reason| (&reason.zh, &reason.en));
            Message::new("verify.failed", format!("验证不通过：{zh}"), format!("Not genuine: {en}"))
        }
    }
}

/// What a person should hear first of several reasons: that the content was changed comes before who may sign what, and
/// that a seal was abolished before that its certificate was revoked for it.
fn gravity(check: &str) -> usize {
    const FIRST: [&str; 8] =
        ["digest", "references", "signature", "seal", "seal-holder", "coverage", "later-changes", "seal-in-force"];
    FIRST.iter().position(|id| *id == check).unwrap_or(FIRST.len())
}

fn nothing_to_judge(format: Format) -> Message {
    match format {
        Format::Pdf => Message::new(
            "verify.no-signature",
            "文件中没有可判断的电子签章，无法确认真伪。如有纸质原件，请以原件为准。",
            "There is no electronic seal in this file that could be judged, so nothing can be confirmed. Rely on the paper original if there is one.",
        ),
        Format::Ofd => Message::new(
            "verify.ofd-no-signature",
            "OFD文件中没有可判断的电子签章，无法确认真伪。如有纸质原件，请以原件为准。",
            "There is no electronic seal in this OFD file that could be judged, so nothing can be confirmed. Rely on the paper original if there is one.",
        ),
        Format::Cms => Message::new(
            "verify.cms-unsigned",
            "这是签名数据，但其中没有对文书的签名，只有证书或时间戳。请提交签章文件或分离签名。",
            "This is signature data without a signature of a document: certificates or a time stamp alone. Submit the sealed document or its detached signature.",
        ),
        Format::Unknown => Message::new(
            "verify.unknown-format",
            "无法识别文件格式。请提交PDF或OFD格式的证照或批文。",
            "The file's format is not known. Submit the licence or approval as PDF or OFD.",
        ),
    }
}

/// The five questions.
pub(super) fn answers(
    format: Format,
    verdict: &Verdict,
    signatures: &[SignatureReport],
    document: Option<&Document>,
) -> Answers {
    let seals: Vec<&SignatureReport> = signatures.iter().filter(|s| s.kind == SignatureKind::Seal).collect();
    let what = match document {
        Some(Document { title, identifier, holder, .. }) => {
            let mut text = title.clone();
            text.extend(identifier.iter().map(|id| format!("（{id}）")));
            text.extend(holder.iter().map(|holder| format!("，{holder}")));
            Message::new("verify.what", text.clone(), text)
        }
        None if format == Format::Unknown => Message::new(
            "verify.what-nothing",
            "无法识别的文件，不是PDF或OFD",
            "a file of no known kind, neither PDF nor OFD",
        ),
        None => {
            let name = match format {
                Format::Pdf => "PDF",
                Format::Ofd => "OFD",
                Format::Cms => "CMS",
                Format::Unknown => "—",
            };
            Message::new(
                "verify.what-unknown",
                format!("{name}文件，本登记册没有它的记录"),
                format!("a {name} file of which this register has no record"),
            )
        }
    };
    let names = |foreign: &str| -> String {
        let name = |s: &&SignatureReport| match (&s.seal, &s.signer) {
            (Some(seal), _) => format!("{}（{}，{}）", seal.legend, seal.owner_name, seal.number),
            (None, Some(signer)) => format!("{signer}{foreign}"),
            (None, None) => "?".to_owned(),
        };
        seals.iter().map(name).collect::<Vec<_>>().join("；")
    };
    let sealed_by = match (seals.is_empty(), verdict.is_genuine()) {
        (true, _) => Message::new("verify.sealed-by-nobody", "没有签章", "nobody"),
        (false, true) => Message::new("verify.sealed-by", names(""), names("")),
        // A name in a signature that did not pass is what the file says, not what is so.
        (false, false) => Message::new(
            "verify.claims-sealed-by",
            format!("文件自称：{}（未获证实）", names("")),
            format!("the file claims: {} (not confirmed)", names("")),
        ),
    };
    let changed = seals.iter().map(|s| s.later_changes).max().unwrap_or(LaterChanges::None);
    let open =
        seals.iter().any(|s| s.coverage == Coverage::None || (format == Format::Ofd && s.coverage != Coverage::Whole));
    let intact = match (seals.is_empty(), seals.iter().all(|s| s.intact), changed) {
        (true, ..) => Message::new("verify.intact-unknown", "无法判断", "cannot be told"),
        (_, false, _) => Message::new(
            "verify.not-intact",
            "否：内容或签名被改动，或无法检验",
            "no: content or signature were changed, or cannot be checked",
        ),
        // Nobody can say of a file that is not signed whether it was changed.
        _ if open => Message::new(
            "verify.intact-open",
            "存疑：签名列出的内容未被改动，但文件中有不在签名范围内的部分，可能被改动",
            "doubtful: what was signed is unchanged, but parts of the file are outside the signature and may have been changed",
        ),
        (_, _, LaterChanges::None) => {
            Message::new("verify.intact", "是：签章后未被改动", "yes: unchanged since it was sealed")
        }
        (_, _, LaterChanges::Allowed) => Message::new(
            "verify.intact-allowed",
            "是：签章后只有允许的更新",
            "yes: only allowed updates since it was sealed",
        ),
        (_, _, LaterChanges::Suspicious) => Message::new(
            "verify.changed-doubtful",
            "存疑：签章后有无法解释的更新",
            "doubtful: it was updated since in a way that is not understood",
        ),
        (_, _, LaterChanges::Forbidden) => Message::new(
            "verify.changed",
            "否：签章后被作了不允许的改动",
            "no: it was changed since in a way that is not allowed",
        ),
    };
    let force =
        seals.iter().flat_map(|s| &s.checks).filter(|c| c.id == "seal-in-force").max_by_key(|c| weight(c.outcome));
    let seal_in_force_then = match force {
        Some(check) => check.message.clone(),
        None => Message::new("verify.seal-unknown", "无法判断", "cannot be told"),
    };
    let licence_in_force_now = match document.and_then(|d| d.licence_status) {
        Some(status) => Message::new("verify.licence-status", status.zh(), status.en()),
        None => Message::new(
            "verify.licence-unknown",
            "本登记册没有该证照的记录",
            "this register has no record of such a licence",
        ),
    };
    Answers { what, sealed_by, intact, seal_in_force_then, licence_in_force_now }
}

fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Passed => 0,
        Outcome::Info => 1,
        Outcome::Indeterminate => 2,
        Outcome::Failed => 3,
    }
}
