//! What the doors say about seals, items, licences and grants: the shapes of the JSON, which the pages print too.

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::{format_description, offset};
use time::{Date, OffsetDateTime, PrimitiveDateTime};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::ceremony::script::reason_words;
use crate::decision::DecisionRequest;
use crate::item::Item;
use crate::licence::{Licence, LicenceStatus};
use crate::message::Message;
use crate::pki::certificate::Certificate;
use crate::pki::issue::Reason;
use crate::refusal::Refusal;
use crate::register::{Answer, Verdict};
use crate::seal::{Seal, SealEvent, SealStatus};
use crate::store::{CertificateLife, FiledLicence};

/// A sentence in both languages.
#[derive(Debug, Clone, serde::Serialize, ToSchema)]
pub(super) struct Sentence {
    /// Stable identifier.
    pub id: &'static str,
    pub zh: String,
    pub en: String,
}

impl From<Message> for Sentence {
    fn from(message: Message) -> Self {
        Self { id: message.id, zh: message.zh, en: message.en }
    }
}

/// A seal of the register, with its whole life.
#[derive(Debug, Clone, serde::Serialize, ToSchema)]
pub(super) struct SealAnswer {
    /// 13 or 14 digits.
    #[schema(example = "51322100000002")]
    pub number: String,
    /// The owner's unified social credit code.
    pub owner: String,
    pub owner_name: String,
    /// What stands on the impression.
    pub legend: String,
    /// `approval` or `legal-name`.
    pub kind: &'static str,
    /// Now: `not-yet-activated`, `in-force`, `suspended` or `abolished`.
    pub status: &'static str,
    pub status_zh: &'static str,
    #[serde(skip)]
    pub status_en: &'static str,
    /// Everything that happened to it, in order.
    pub events: Vec<EventAnswer>,
    /// Its certificates, oldest first; in answers about this seal alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateAnswer>,
}

/// A seal's certificate, and what became of it and its key.
#[derive(Debug, Clone, serde::Serialize, ToSchema)]
pub(super) struct CertificateAnswer {
    /// Hexadecimal.
    pub serial: String,
    /// Of the certificate, hexadecimal.
    pub sha256: String,
    /// Used for sealing from here on, RFC 3339.
    #[schema(format = DateTime)]
    pub used_from: String,
    #[serde(skip)]
    pub used_from_zh: String,
    /// Its last moment, RFC 3339.
    #[schema(format = DateTime)]
    pub not_after: String,
    #[serde(skip)]
    pub not_after_zh: String,
    /// Now: `in-use`, `not-yet-used`, `followed`, `expired` or `revoked`.
    pub status: &'static str,
    #[serde(skip)]
    pub status_words: (&'static str, &'static str),
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<RevokedAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_destroyed: Option<DestroyedAnswer>,
}

/// That a certificate was revoked, and why.
#[derive(Debug, Clone, serde::Serialize, ToSchema)]
pub(super) struct RevokedAnswer {
    #[schema(format = DateTime)]
    pub at: String,
    #[serde(skip)]
    pub at_zh: String,
    /// As RFC 5280 §5.3.1 calls it, `key-compromise`.
    #[schema(value_type = String)]
    pub reason: Reason,
    #[serde(skip)]
    pub reason_words: (&'static str, &'static str),
    /// From when on the key may have been in other hands: what was sealed since is not believed.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    #[serde(skip)]
    pub since_zh: Option<String>,
    /// The document that ordered it.
    pub document: String,
}

/// That a key is no more.
#[derive(Debug, Clone, serde::Serialize, ToSchema)]
pub(super) struct DestroyedAnswer {
    #[schema(format = DateTime)]
    pub at: String,
    #[serde(skip)]
    pub at_zh: String,
    /// The two officers who ordered it.
    pub by: [String; 2],
    /// The document that ordered it.
    pub document: String,
}

impl CertificateAnswer {
    fn of(life: &CertificateLife, now: OffsetDateTime) -> Self {
        let filed = &life.certificate;
        let not_after = Certificate::read(&filed.certificate).map_or(filed.installed_at, |read| read.not_after);
        let (status, status_words) = match life {
            life if life.revocation.is_some() => ("revoked", ("已吊销", "revoked")),
            _ if not_after <= now => ("expired", ("已到期", "expired")),
            life if filed.used_from > now && life.key_end.is_none() => ("not-yet-used", ("尚未启用", "not yet used")),
            life if life.may_be_used(now) => ("in-use", ("在用", "in use")),
            _ => ("followed", ("已由新证书接替", "followed by a newer one")),
        };
        Self {
            serial: filed.serial.clone(),
            sha256: filed.digest.clone(),
            used_from: rfc3339(filed.used_from),
            used_from_zh: china(filed.used_from),
            not_after: rfc3339(not_after),
            not_after_zh: china(not_after),
            status,
            status_words,
            revoked: life.revocation.as_ref().map(|revocation| RevokedAnswer {
                at: rfc3339(revocation.at),
                at_zh: china(revocation.at),
                reason: revocation.reason,
                reason_words: reason_words(revocation.reason),
                since: revocation.invalid_since.map(rfc3339),
                since_zh: revocation.invalid_since.map(china),
                document: revocation.document.clone(),
            }),
            key_destroyed: life.key_end.as_ref().zip(life.key_destroyed_at).map(|(end, at)| DestroyedAnswer {
                at: rfc3339(at),
                at_zh: china(at),
                by: [end.by.to_string(), end.confirmed_by.to_string()],
                document: end.document.clone(),
            }),
        }
    }
}

/// One entry in a seal's life.
#[derive(Debug, Clone, serde::Serialize, ToSchema)]
pub(super) struct EventAnswer {
    /// `activated`, `suspended`, `resumed`, `abolished` or `reinstated`.
    pub kind: &'static str,
    pub kind_zh: &'static str,
    /// The instant from which it counts, RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
    #[serde(skip)]
    pub at_zh: String,
    /// The document that ordered it.
    pub document: String,
    pub reason: String,
    /// On abolition: the seal that took over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
    /// On abolition: codes of the items that moved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
}

impl SealAnswer {
    pub fn of(seal: &Seal, now: OffsetDateTime) -> Self {
        let status = seal.life.status_at(now);
        Self {
            number: seal.number.to_string(),
            owner: seal.owner.to_string(),
            owner_name: seal.owner_name.clone(),
            legend: seal.legend.clone(),
            kind: seal.kind.as_str(),
            status: word(status),
            status_zh: status.zh(),
            status_en: status.en(),
            events: seal.life.events().iter().map(EventAnswer::of).collect(),
            certificates: vec![],
        }
    }

    /// With what became of its certificates.
    pub fn with(self, lives: &[CertificateLife], now: OffsetDateTime) -> Self {
        Self { certificates: lives.iter().map(|life| CertificateAnswer::of(life, now)).collect(), ..self }
    }
}

impl EventAnswer {
    fn of(event: &SealEvent) -> Self {
        Self {
            kind: event.kind.as_str(),
            kind_zh: event.kind.zh(),
            at: rfc3339(event.at),
            at_zh: china(event.at),
            document: event.document.clone(),
            reason: event.reason.clone(),
            successor: event.successor.as_ref().map(ToString::to_string),
            items: event.items.iter().map(ToString::to_string).collect(),
        }
    }
}

fn word(status: SealStatus) -> &'static str {
    match status {
        SealStatus::NotYetActivated => "not-yet-activated",
        SealStatus::InForce => "in-force",
        SealStatus::Suspended => "suspended",
        SealStatus::Abolished => "abolished",
    }
}

/// A page of the register.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(super) struct SealsAnswer {
    pub seals: Vec<SealAnswer>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<u32>,
}

/// The register's answer to: this seal, this item, accepted then, sealed then: good?
#[derive(Debug, serde::Serialize, ToSchema)]
pub(super) struct StatusAnswer {
    pub seal: String,
    /// The instant asked about, RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
    /// `good`, `not-good` or `not-enough` (facts to say).
    pub verdict: &'static str,
    /// Of the seal at that instant.
    pub seal_status: &'static str,
    pub seal_status_zh: &'static str,
    /// Code of the authority that was competent for the item when it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub competent: Option<String>,
    /// Every rule that says no.
    pub refusals: Vec<RefusalAnswer>,
    /// The answer as one sentence.
    pub sentence: Sentence,
}

/// A rule that says no.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(super) struct RefusalAnswer {
    /// 1 to 6.
    pub rule: u8,
    pub sentence: Sentence,
}

impl StatusAnswer {
    pub fn of(seal: &Seal, at: OffsetDateTime, answer: Answer) -> Self {
        Self {
            seal: seal.number.to_string(),
            at: rfc3339(at),
            verdict: match answer.verdict {
                Verdict::Good => "good",
                Verdict::NotGood => "not-good",
                Verdict::NotEnough => "not-enough",
            },
            seal_status: word(answer.seal_status),
            seal_status_zh: answer.seal_status.zh(),
            competent: answer.competent.map(|code| code.to_string()),
            refusals: answer.refusals.into_iter().map(RefusalAnswer::from).collect(),
            sentence: answer.sentence.into(),
        }
    }
}

impl From<Refusal> for RefusalAnswer {
    fn from(refusal: Refusal) -> Self {
        Self { rule: refusal.rule.number(), sentence: refusal.message.into() }
    }
}

/// An item of the public list.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(super) struct ItemAnswer {
    pub code: String,
    pub name: String,
    /// Code of the department that decided it before any transfer.
    pub department: String,
    /// An illustration, not taken from a published list.
    pub example: bool,
    pub transfers: Vec<TransferAnswer>,
}

/// An item moves to another authority.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(super) struct TransferAnswer {
    /// Code of the authority that decides it from then on.
    pub to: String,
    pub batch: String,
    pub document: String,
    #[schema(format = DateTime)]
    pub at: String,
    #[serde(skip)]
    pub at_zh: String,
}

impl ItemAnswer {
    pub fn of(item: &Item) -> Self {
        let transfers = item.transfers.iter().map(|transfer| TransferAnswer {
            to: transfer.to.to_string(),
            batch: transfer.batch.clone(),
            document: transfer.document.clone(),
            at: rfc3339(transfer.at),
            at_zh: china(transfer.at),
        });
        Self {
            code: item.code.to_string(),
            name: item.name.clone(),
            department: item.department.to_string(),
            example: item.example,
            transfers: transfers.collect(),
        }
    }
}

/// The public part of a licence: what anyone may know, without private data of natural persons.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(super) struct LicenceAnswer {
    /// The identifier asked for (GB/T 36904).
    pub identifier: String,
    /// 证照名称.
    pub name: String,
    /// A natural person's name is shown as 王＊＊.
    pub holder: String,
    /// A natural person's code is shown by its first and last characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder_code: Option<String>,
    /// Code of the issuing body.
    pub issuer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_name: Option<String>,
    /// The decision's number.
    pub decision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Now: `not-yet`, `in-force`, `expired`, `cancelled`, `withdrawn` or `revoked`.
    pub status: &'static str,
    pub status_zh: &'static str,
    #[serde(skip)]
    pub status_en: &'static str,
    /// Whether the version asked for is the one that counts now.
    pub current: bool,
    pub versions: Vec<VersionAnswer>,
}

/// One version of a licence.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(super) struct VersionAnswer {
    pub identifier: String,
    /// `issue`, `renew`, `change`, `cancel`, `withdraw` or `revoke`.
    pub act: &'static str,
    pub act_zh: &'static str,
    #[schema(format = DateTime)]
    pub at: String,
    #[serde(skip)]
    pub at_zh: String,
    #[schema(format = DateTime)]
    pub valid_from: String,
    /// Exclusive; absent for a licence without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub valid_until: Option<String>,
    #[serde(skip)]
    pub valid_zh: String,
    pub decision: String,
    /// SHA-256 of the sealed document, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// SHA-256 of the same version as OFD, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ofd: Option<String>,
}

impl LicenceAnswer {
    /// `asked` is one of `versions`; `decision` is that version's.
    pub fn of(
        asked: &FiledLicence,
        versions: &[FiledLicence],
        decision: Option<&DecisionRequest>,
        issuer_name: Option<String>,
        now: OffsetDateTime,
    ) -> Self {
        let licence = Licence::of(versions.iter().map(|filed| filed.licence.version.clone()).collect());
        let status = licence.status_at(now);
        let identifier = &asked.licence.version.identifier;
        // GB/T 36903: 001 is a unified social credit code. Whoever is known by anything else may be a person, and so is
        // whoever's decision is not at hand.
        let body = decision.filter(|decision| decision.holder.code_type == "001");
        Self {
            identifier: identifier.to_string(),
            name: asked.licence.name.clone(),
            holder: if body.is_some() {
                asked.licence.holder_name.clone()
            } else {
                masked_name(&asked.licence.holder_name)
            },
            holder_code: match body {
                Some(body) => Some(body.holder.code.clone()),
                None => decision.map(|decision| masked_code(&decision.holder.code)),
            },
            issuer: identifier.issuer().to_owned(),
            issuer_name,
            decision: asked.licence.decision.clone(),
            item: decision.map(|decision| decision.item.to_string()),
            status: licence_word(status),
            status_zh: status.zh(),
            status_en: status.en(),
            current: licence.version_at(now).is_some_and(|version| version.identifier == *identifier),
            versions: versions.iter().map(VersionAnswer::of).collect(),
        }
    }
}

impl VersionAnswer {
    fn of(filed: &FiledLicence) -> Self {
        let version = &filed.licence.version;
        let until = version.valid_until.map_or_else(|| "长期".to_owned(), day_before);
        Self {
            identifier: version.identifier.to_string(),
            act: version.act.as_str(),
            act_zh: version.act.zh(),
            at: rfc3339(version.at),
            at_zh: china(version.at),
            valid_from: rfc3339(version.valid_from),
            valid_until: version.valid_until.map(rfc3339),
            valid_zh: format!("{}至{until}", china_day(version.valid_from)),
            decision: filed.licence.decision.clone(),
            document: filed.document.clone(),
            ofd: filed.ofd.clone(),
        }
    }
}

fn licence_word(status: LicenceStatus) -> &'static str {
    match status {
        LicenceStatus::NotYet => "not-yet",
        LicenceStatus::InForce => "in-force",
        LicenceStatus::Expired => "expired",
        LicenceStatus::Cancelled => "cancelled",
        LicenceStatus::Withdrawn => "withdrawn",
        LicenceStatus::Revoked => "revoked",
    }
}

/// The first character, and a star for each of the others.
fn masked_name(name: &str) -> String {
    name.chars().enumerate().map(|(i, c)| if i == 0 { c } else { '＊' }).collect()
}

/// The first two and last two characters of a long code, stars between; of a short one nothing.
fn masked_code(code: &str) -> String {
    let length = code.chars().count();
    let shown = |i: usize| length >= 10 && (i < 2 || i + 2 >= length);
    code.chars().enumerate().map(|(i, c)| if shown(i) { c } else { '*' }).collect()
}

// — times

const CHINA: time::UtcOffset = offset!(+8);

/// As on the wire: RFC 3339, UTC.
pub(super) fn rfc3339(at: OffsetDateTime) -> String {
    at.checked_to_offset(time::UtcOffset::UTC).and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

/// As people read it: China time, to the second.
pub(super) fn china(at: OffsetDateTime) -> String {
    in_china(at, format_description!("[year]-[month]-[day] [hour]:[minute]:[second]"))
}

/// The day in China.
pub(super) fn china_day(at: OffsetDateTime) -> String {
    in_china(at, format_description!("[year]-[month]-[day]"))
}

/// As a form's control for a date and a time of day takes it, in China; the minute that has begun.
pub(super) fn form_moment(at: OffsetDateTime) -> String {
    in_china(at, format_description!("[year]-[month]-[day]T[hour]:[minute]"))
}

/// Nothing for an instant whose China time is beyond the calendar (9999).
fn in_china(at: OffsetDateTime, form: &[BorrowedFormatItem<'_>]) -> String {
    at.checked_to_offset(CHINA).and_then(|at| at.format(form).ok()).unwrap_or_default()
}

/// The last day before an end that is exclusive.
fn day_before(until: OffsetDateTime) -> String {
    until.checked_sub(time::Duration::SECOND).map(china_day).unwrap_or_default()
}

/// An instant as programs write it (RFC 3339), or as forms do: `2021-03-01T10:30` and `2021-03-01` are China time.
pub(super) fn instant(field: &'static str, text: &str) -> Result<OffsetDateTime, Problem> {
    const MINUTE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]");
    const SECOND: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    // A `+` that was not percent-encoded arrives as a space.
    let text = text.trim().replace(' ', "+");
    let local = || {
        let parsed = PrimitiveDateTime::parse(&text, MINUTE).or_else(|_| PrimitiveDateTime::parse(&text, SECOND));
        parsed.or_else(|_| day(&text).map(Date::midnight)).map(|local| local.assume_offset(CHINA))
    };
    let at = OffsetDateTime::parse(&text, &Rfc3339).or_else(|_| local()).ok();
    // Years beyond these are typing errors, and would leave the calendar when shown in another zone.
    let at =
        at.and_then(|at| at.checked_to_offset(time::UtcOffset::UTC)).filter(|at| (1900..=9000).contains(&at.year()));
    at.ok_or_else(|| {
        Problem::bad(
            "http.time",
            format!("{field} 应为 RFC 3339 时间，例如 2021-03-01T10:30:00+08:00"),
            format!("{field} is an RFC 3339 time, for example 2021-03-01T10:30:00+08:00"),
        )
    })
}

/// A date, ISO 8601.
pub(super) fn day(text: &str) -> Result<Date, time::error::Parse> {
    Date::parse(text.trim(), format_description!("[year]-[month]-[day]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persons_are_masked() {
        assert_eq!(masked_name("王小明"), "王＊＊");
        assert_eq!(masked_code("513221199001011234"), "51**************34");
        assert_eq!(masked_code("A12345"), "******");
    }

    #[test]
    fn times_are_read_as_programs_and_as_people_write_them() {
        for text in [
            "2021-01-01T00:00:00+08:00",
            "2021-01-01T00:00:00 08:00",
            "2020-12-31T16:00:00Z",
            "2021-01-01",
            "2021-01-01T00:00",
        ] {
            assert_eq!(rfc3339(instant("at", text).unwrap()), "2020-12-31T16:00:00Z", "{text}");
        }
        for text in ["yesterday", "2021-02-30", "9999-12-31T23:59:59-12:00", "0000-01-01"] {
            assert!(instant("at", text).is_err(), "{text}");
        }
    }
}
