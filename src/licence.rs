//! Electronic licences (电子证照): the identifier of GB/T 36904, and a life of numbered versions.
//!
//! Beside it [`metadata`], what files and platforms say of a licence (GB/T 36903), and [`annotation`], copies for one purpose.

pub mod annotation;
pub mod metadata;

use std::fmt;

use time::OffsetDateTime;

use crate::authority::Uscc;
use crate::message::Message;
use crate::refusal::{Refusal, Rule};

/// Root of every licence identifier (standards: GB/T 36904).
const ROOT: &str = "1.2.156.3005.2.";

/// A licence identifier (证照标识): `root.type.issuer.serial.version.check`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LicenceIdentifier {
    type_code: String,
    issuer: String,
    serial: String,
    version: u16,
}

/// Why a text is not a licence identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    #[error("{}", self.message())]
    Shape,
    #[error("{}", self.message())]
    Check { expected: char, found: char },
}

impl IdentifierError {
    /// For people.
    pub fn message(&self) -> Message {
        match self {
            IdentifierError::Shape => Message::new(
                "licence.identifier-shape",
                "证照标识应为“1.2.156.3005.2.类型代码.颁发机构代码.流水号.版本号.校验位”，请核对",
                "a licence identifier reads 1.2.156.3005.2.type.issuer.serial.version.check; check the source",
            ),
            IdentifierError::Check { expected, found } => Message::new(
                "licence.identifier-check",
                format!("证照标识校验位应为“{expected}”，实为“{found}”，请核对是否录入有误"),
                format!(
                    "the identifier's check character should be '{expected}', not '{found}'; look for a typing error"
                ),
            ),
        }
    }
}

impl LicenceIdentifier {
    /// A new licence's first version. `type_code` is the defining body's USCC and three digits, `serial` 7 to 32
    /// digits and capitals, unique within type and issuer.
    pub fn first(type_code: &str, issuer: &Uscc, serial: &str) -> Result<Self, IdentifierError> {
        Self::checked(type_code, issuer.as_str(), serial, 1)
    }

    fn checked(type_code: &str, issuer: &str, serial: &str, version: u16) -> Result<Self, IdentifierError> {
        let capitals = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        let good = type_code.len() == 21
            && (issuer.len() == 18 || issuer.len() == 6)
            && (7..=32).contains(&serial.len())
            && [type_code, issuer, serial].into_iter().all(capitals)
            && (1..=999).contains(&version);
        if !good {
            return Err(IdentifierError::Shape);
        }
        Ok(Self { type_code: type_code.into(), issuer: issuer.into(), serial: serial.into(), version })
    }

    /// Reads an identifier as printed, check character included.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let parts: Vec<&str> = text.strip_prefix(ROOT).ok_or(IdentifierError::Shape)?.split('.').collect();
        let [type_code, issuer, serial, version, check] = parts[..] else { return Err(IdentifierError::Shape) };
        if version.len() != 3 || !version.bytes().all(|b| b.is_ascii_digit()) || check.len() != 1 {
            return Err(IdentifierError::Shape);
        }
        let number = version.parse().map_err(|_| IdentifierError::Shape)?;
        let identifier = Self::checked(type_code, issuer, serial, number)?;
        let (expected, found) = (identifier.check(), check.chars().next().unwrap_or(' '));
        if expected != found {
            return Err(IdentifierError::Check { expected, found });
        }
        Ok(identifier)
    }

    /// The same licence at its next version; none after 999.
    pub fn next_version(&self) -> Option<Self> {
        (self.version < 999).then(|| Self { version: self.version + 1, ..self.clone() })
    }

    /// What stays the same over all versions: `type.issuer.serial`.
    pub fn licence(&self) -> String {
        format!("{}.{}.{}", self.type_code, self.issuer, self.serial)
    }

    /// 1 to 999.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Code of the kind of licence: the defining body's and three digits.
    pub fn type_code(&self) -> &str {
        &self.type_code
    }

    /// Code of the issuing body.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// ISO 7064 MOD 37,36 over type‖issuer‖serial‖version without root and dots.
    fn check(&self) -> char {
        let input = format!("{}{}{}{:03}", self.type_code, self.issuer, self.serial, self.version);
        let mut p = 36;
        for c in input.chars() {
            p = (p + c.to_digit(36).unwrap_or(0)) % 36;
            p = if p == 0 { 36 } else { p } * 2 % 37;
        }
        char::from_digit((37 - p) % 36, 36).unwrap_or('0').to_ascii_uppercase()
    }
}

impl fmt::Display for LicenceIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ROOT}{}.{}.{}.{:03}.{}", self.type_code, self.issuer, self.serial, self.version, self.check())
    }
}

impl TryFrom<String> for LicenceIdentifier {
    type Error = IdentifierError;
    fn try_from(text: String) -> Result<Self, IdentifierError> {
        Self::parse(&text)
    }
}

impl From<LicenceIdentifier> for String {
    fn from(identifier: LicenceIdentifier) -> String {
        identifier.to_string()
    }
}

/// What makes a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LicenceAct {
    /// 核发.
    Issue,
    /// 延续.
    Renew,
    /// 变更.
    Change,
    /// 注销: the holder's own end.
    Cancel,
    /// 撤销: it should never have been given.
    Withdraw,
    /// 吊销: taken as a penalty.
    Revoke,
}

impl LicenceAct {
    /// As stored and as written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            LicenceAct::Issue => "issue",
            LicenceAct::Renew => "renew",
            LicenceAct::Change => "change",
            LicenceAct::Cancel => "cancel",
            LicenceAct::Withdraw => "withdraw",
            LicenceAct::Revoke => "revoke",
        }
    }

    /// Chinese, for pages and refusals.
    pub fn zh(self) -> &'static str {
        match self {
            LicenceAct::Issue => "核发",
            LicenceAct::Renew => "延续",
            LicenceAct::Change => "变更",
            LicenceAct::Cancel => "注销",
            LicenceAct::Withdraw => "撤销",
            LicenceAct::Revoke => "吊销",
        }
    }

    /// Ends the licence; no document is sealed for it.
    pub fn ends(self) -> bool {
        matches!(self, LicenceAct::Cancel | LicenceAct::Withdraw | LicenceAct::Revoke)
    }
}

/// One version of a licence, as far as its life is concerned.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LicenceVersion {
    pub identifier: LicenceIdentifier,
    pub act: LicenceAct,
    /// The instant from which this version counts.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub valid_from: OffsetDateTime,
    /// Exclusive; none for a licence without an end.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub valid_until: Option<OffsetDateTime>,
}

/// What a licence is worth at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LicenceStatus {
    /// Before its first version counts, or before its validity begins.
    NotYet,
    InForce,
    Expired,
    Cancelled,
    Withdrawn,
    Revoked,
}

impl LicenceStatus {
    /// Chinese, for pages and reports.
    pub fn zh(self) -> &'static str {
        match self {
            LicenceStatus::NotYet => "尚未生效",
            LicenceStatus::InForce => "有效",
            LicenceStatus::Expired => "已过期",
            LicenceStatus::Cancelled => "已注销",
            LicenceStatus::Withdrawn => "已撤销",
            LicenceStatus::Revoked => "已吊销",
        }
    }

    /// English, for pages and reports.
    pub fn en(self) -> &'static str {
        match self {
            LicenceStatus::NotYet => "not yet in force",
            LicenceStatus::InForce => "in force",
            LicenceStatus::Expired => "expired",
            LicenceStatus::Cancelled => "cancelled",
            LicenceStatus::Withdrawn => "withdrawn",
            LicenceStatus::Revoked => "revoked",
        }
    }
}

/// The versions of one licence, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Licence(Vec<LicenceVersion>);

impl Licence {
    /// From the register's rows, oldest first.
    pub fn of(versions: Vec<LicenceVersion>) -> Self {
        Self(versions)
    }

    /// The identifier that `act` at `at` gives: each act a new version, none after an end, none before the last.
    pub fn next(&self, act: LicenceAct, at: OffsetDateTime) -> Result<LicenceIdentifier, Refusal> {
        let refuse = |id, zh: String, en: String| Refusal::new(Rule::NoItemNoLicence, id, zh, en);
        let Some(last) = self.0.last().filter(|_| act != LicenceAct::Issue) else {
            return Err(refuse(
                "licence.impossible-step",
                format!("不能{}：{}", act.zh(), if self.0.is_empty() { "没有这份证照" } else { "该证照已经核发" }),
                format!(
                    "cannot {}: {}",
                    act.as_str(),
                    if self.0.is_empty() { "there is no such licence" } else { "it has already been issued" }
                ),
            ));
        };
        if last.act.ends() {
            return Err(refuse(
                "licence.ended",
                format!("证照已{}，不能再{}", last.act.zh(), act.zh()),
                format!("the licence has ended ({}), it cannot {}", last.act.as_str(), act.as_str()),
            ));
        }
        if at < last.at {
            return Err(refuse(
                "licence.before-last",
                "新版本的生效时间早于现行版本，请核对日期".into(),
                "the new version would count before the present one; check the dates".into(),
            ));
        }
        last.identifier.next_version().ok_or_else(|| {
            refuse(
                "licence.versions",
                "版本号已用尽（999），请核发新证".into(),
                "999 versions are used up; issue a new licence".into(),
            )
        })
    }

    /// Its worth at an instant: the last version that counts then decides.
    pub fn status_at(&self, at: OffsetDateTime) -> LicenceStatus {
        let Some(version) = self.version_at(at) else { return LicenceStatus::NotYet };
        match version.act {
            LicenceAct::Cancel => LicenceStatus::Cancelled,
            LicenceAct::Withdraw => LicenceStatus::Withdrawn,
            LicenceAct::Revoke => LicenceStatus::Revoked,
            _ if at < version.valid_from => LicenceStatus::NotYet,
            _ if version.valid_until.is_some_and(|until| at >= until) => LicenceStatus::Expired,
            _ => LicenceStatus::InForce,
        }
    }

    /// The version that counts at an instant.
    pub fn version_at(&self, at: OffsetDateTime) -> Option<&LicenceVersion> {
        self.0.iter().rev().find(|v| v.at <= at)
    }

    /// Oldest first.
    pub fn versions(&self) -> &[LicenceVersion] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn published_identifiers_check() {
        for id in [
            "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
            "1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0",
            "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9",
            "1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.F",
        ] {
            assert_eq!(LicenceIdentifier::parse(id).unwrap().to_string(), id);
        }
        assert_eq!(
            LicenceIdentifier::parse("1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.G"),
            Err(IdentifierError::Check { expected: 'F', found: 'G' })
        );
        for bad in [
            "",
            "1.2.156.3005.2.",
            "1.2.156.3005.2.a.b.c.d.e",
            "1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.1.F",
        ] {
            assert_eq!(LicenceIdentifier::parse(bad), Err(IdentifierError::Shape));
        }
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    proptest! {
        /// Whatever is written reads back, and one wrong character never does.
        #[test]
        fn written_identifiers_read_back(serial in "[0-9A-Z]{7,32}", position in 0usize..21) {
            let issuer = Uscc::parse("11430000006122244L").unwrap();
            let id = LicenceIdentifier::first("11100000000013338W011", &issuer, &serial).unwrap();
            let text = id.to_string();
            prop_assert_eq!(LicenceIdentifier::parse(&text).unwrap(), id);
            let mut bad = text.into_bytes();
            let i = ROOT.len() + position;
            bad[i] = if bad[i] == b'7' { b'8' } else { b'7' };
            prop_assert!(LicenceIdentifier::parse(std::str::from_utf8(&bad).unwrap()).is_err());
        }

        /// Each act makes the next version; nothing follows an end; validity is half open.
        #[test]
        fn a_life_of_versions(acts in proptest::collection::vec(0usize..6, 0..12), probe in 0i64..20) {
            const ACTS: [LicenceAct; 6] = [LicenceAct::Issue, LicenceAct::Renew, LicenceAct::Change, LicenceAct::Cancel, LicenceAct::Withdraw, LicenceAct::Revoke];
            let issuer = Uscc::parse("11430000006122244L").unwrap();
            let first = LicenceVersion { identifier: LicenceIdentifier::first("11100000000013338W011", &issuer, "1234567").unwrap(), act: LicenceAct::Issue, at: at(0), valid_from: at(0), valid_until: Some(at(10)) };
            let mut versions = vec![first];
            for (t, act) in acts.into_iter().enumerate() {
                let act = ACTS[act];
                let ended = versions.last().unwrap().act.ends();
                match Licence::of(versions.clone()).next(act, at(t as i64)) {
                    Ok(identifier) => {
                        prop_assert!(!ended && act != LicenceAct::Issue);
                        prop_assert_eq!(usize::from(identifier.version()), versions.len() + 1);
                        versions.push(LicenceVersion { identifier, act, at: at(t as i64), valid_from: at(0), valid_until: Some(at(10)) });
                    }
                    Err(_) => prop_assert!(ended || act == LicenceAct::Issue),
                }
            }
            let licence = Licence::of(versions);
            let in_force = licence.status_at(at(probe)) == LicenceStatus::InForce;
            prop_assert_eq!(in_force, probe < 10 && !licence.version_at(at(probe)).unwrap().act.ends());
        }
    }
}
