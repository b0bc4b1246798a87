//! 加注件: a copy of a licence for one purpose, with its own end, sealed like any document. The licence itself is none the
//! worse for it, and the copy's end ends nothing else.

use time::{Duration, OffsetDateTime};

use super::metadata::{instant_digits, of_digits};
use super::{Licence, LicenceIdentifier, LicenceStatus};
use crate::message::china_time;
use crate::refusal::{Refusal, Rule};

/// Characters of a copy's purpose, and of the cause that a sharing operation gives (standards: 5.4).
pub const PURPOSE: usize = 200;

/// Characters of who asks for a copy: the longest legal names of companies registered in China are below 100.
pub const REQUESTER: usize = 100;

/// Days that a copy counts at the most: it is for one purpose, and whoever has another asks again.
const DAYS: i64 = 366;

/// What is noted on a copy. Its names in files are those of GB/T 36903; what the standard has no element for stands under
/// `KZ_`, as it asks of extensions.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Annotation {
    /// 加注件编号: 16 digits of our own. The copy keeps the licence's identifier, so it takes this to tell copies apart.
    pub number: String,
    /// The version that it is a copy of.
    pub identifier: LicenceIdentifier,
    /// 制作事由.
    pub purpose: String,
    /// 使用者: who asked for it.
    pub requester: String,
    /// 制作者: whose seal is on it.
    pub maker: String,
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: OffsetDateTime,
    /// Exclusive.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// The elements, in the order of the fields that are told by readers of files.
pub const ELEMENTS: [&str; 6] = ["KZ_JZJBH", "JZJZZSY", "KZ_JZJSYZ", "JZJZZZ", "JZJZZSJ", "JZJYXQJZSJ"];

impl Annotation {
    /// May this copy be made? Of a licence in force, of the version that counts, for no longer than the licence itself.
    ///
    /// # Errors
    /// What stands against it.
    pub fn check(&self, licence: &Licence) -> Result<(), Refusal> {
        let refuse = |id, zh: String, en: String| Err(Refusal::new(Rule::NoItemNoLicence, id, zh, en));
        for (field, text, most) in
            [("使用事由 purpose", &self.purpose, PURPOSE), ("使用者 requester", &self.requester, REQUESTER)]
        {
            if text.trim().is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
                return refuse(
                    "copy.incomplete",
                    format!("{field}缺失、过长（{most}字以内）或含控制字符"),
                    format!("{field} is missing, longer than {most} characters or has control characters"),
                );
            }
        }
        let status = licence.status_at(self.made_at);
        if status != LicenceStatus::InForce {
            return refuse(
                "copy.not-in-force",
                format!("证照{}，不能制作加注件", status.zh()),
                format!("the licence is {}: no copy is made of it", status.en()),
            );
        }
        let current = licence.version_at(self.made_at);
        if let Some(other) = current.filter(|version| version.identifier != self.identifier) {
            return refuse(
                "copy.not-current",
                format!("不是现行版本，请以现行版本（{}）制作加注件", other.identifier),
                format!("this is not the version that counts; make the copy of {}", other.identifier),
            );
        }
        let most = Duration::days(DAYS);
        let latest = current
            .and_then(|version| version.valid_until)
            .unwrap_or(OffsetDateTime::new_utc(time::Date::MAX, time::Time::MIDNIGHT));
        let latest = self.made_at.checked_add(most).map_or(latest, |at| at.min(latest));
        if self.expires_at <= self.made_at || self.expires_at > latest {
            return refuse(
                "copy.expiry",
                format!("加注件有效期应晚于现在，且不晚于{}", china_time(latest)),
                format!("the copy's end lies after now and not after {} Beijing time", china_time(latest)),
            );
        }
        Ok(())
    }

    /// As elements of the file.
    pub fn elements(&self) -> [(&'static str, String); 6] {
        let [number, purpose, requester, maker, made_at, expires_at] = ELEMENTS;
        [
            (number, self.number.clone()),
            (purpose, self.purpose.clone()),
            (requester, self.requester.clone()),
            (maker, self.maker.clone()),
            (made_at, instant_digits(self.made_at)),
            (expires_at, instant_digits(self.expires_at)),
        ]
    }
}

/// What a file says of itself as a copy, ours or another's: nothing of it is confirmed by being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub number: Option<String>,
    pub purpose: Option<String>,
    pub requester: Option<String>,
    pub maker: Option<String>,
    pub made_at: Option<OffsetDateTime>,
    pub expires_at: Option<OffsetDateTime>,
}

impl Claimed {
    /// From the elements; none for a file that is no copy.
    pub fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let [number, purpose, requester, maker, made_at, expires_at] = ELEMENTS.map(&get);
        purpose.or(maker).or(made_at).or(expires_at)?;
        let text = |text: Option<&str>| text.map(str::to_owned);
        Some(Self {
            number: text(number),
            purpose: text(purpose),
            requester: text(requester),
            maker: text(maker),
            made_at: made_at.and_then(of_digits),
            expires_at: expires_at.and_then(of_digits),
        })
    }
}

impl From<&Annotation> for Claimed {
    fn from(annotation: &Annotation) -> Self {
        Self {
            number: Some(annotation.number.clone()),
            purpose: Some(annotation.purpose.clone()),
            requester: Some(annotation.requester.clone()),
            maker: Some(annotation.maker.clone()),
            made_at: Some(annotation.made_at),
            expires_at: Some(annotation.expires_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::Uscc;
    use crate::licence::{LicenceAct, LicenceVersion};

    fn at(day: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(day * 86_400).unwrap()
    }

    fn licence(acts: &[LicenceAct]) -> Licence {
        let issuer = Uscc::parse("11430000006122244L").unwrap();
        let mut identifier = LicenceIdentifier::first("11100000000013338W011", &issuer, "1234567").unwrap();
        let mut versions = vec![];
        for (i, act) in acts.iter().enumerate() {
            if i > 0 {
                identifier = identifier.next_version().unwrap();
            }
            let (at, valid_until) = (at(i as i64), Some(at(100)));
            versions.push(LicenceVersion {
                identifier: identifier.clone(),
                act: *act,
                at,
                valid_from: at,
                valid_until,
            });
        }
        Licence::of(versions)
    }

    fn annotation(licence: &Licence, version: usize, made: i64, expires: i64) -> Annotation {
        Annotation {
            number: "0000000000000001".into(),
            identifier: licence.versions()[version].identifier.clone(),
            purpose: "办理贷款".into(),
            requester: "某银行".into(),
            maker: "某局".into(),
            made_at: at(made),
            expires_at: at(expires),
        }
    }

    #[test]
    fn a_copy_is_of_the_licence_as_it_counts_and_never_outlives_it() {
        use LicenceAct::{Cancel, Issue, Renew};
        let one = licence(&[Issue]);
        let says = |copy: Annotation, licence: &Licence| copy.check(licence).map_err(|refusal| refusal.message.id);
        assert_eq!(says(annotation(&one, 0, 5, 30), &one), Ok(()));
        assert_eq!(says(annotation(&one, 0, 5, 100), &one), Ok(()), "to the licence's own end");
        for (made, expires, id) in [
            (5, 5, "copy.expiry"),
            (5, 4, "copy.expiry"),
            (5, 101, "copy.expiry"),
            (-1, 10, "copy.not-in-force"),
            (100, 110, "copy.not-in-force"),
        ] {
            assert_eq!(says(annotation(&one, 0, made, expires), &one), Err(id), "{made} {expires}");
        }
        let two = licence(&[Issue, Renew]);
        assert_eq!(says(annotation(&two, 0, 5, 30), &two), Err("copy.not-current"));
        assert_eq!(says(annotation(&two, 1, 5, 30), &two), Ok(()));
        let ended = licence(&[Issue, Cancel]);
        assert_eq!(says(annotation(&ended, 1, 5, 30), &ended), Err("copy.not-in-force"));
        let good = annotation(&one, 0, 5, 30);
        for bad in ["", " ", "a\nb", &"长".repeat(PURPOSE + 1)] {
            assert_eq!(says(Annotation { purpose: bad.into(), ..good.clone() }, &one), Err("copy.incomplete"));
        }
        let endless = Licence::of(vec![LicenceVersion { valid_until: None, ..one.versions()[0].clone() }]);
        assert_eq!(says(annotation(&endless, 0, 5, 5 + DAYS), &endless), Ok(()));
        assert_eq!(says(annotation(&endless, 0, 5, 6 + DAYS), &endless), Err("copy.expiry"));
    }

    #[test]
    fn what_is_written_into_a_file_reads_back() {
        let one = licence(&[LicenceAct::Issue]);
        let copy = annotation(&one, 0, 5, 30);
        let elements = copy.elements();
        let get = |name: &str| elements.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        assert_eq!(Claimed::read(get), Some(Claimed::from(&copy)));
        assert_eq!(Claimed::read(|_| None), None);
        // Somebody else's says less.
        let theirs = Claimed::read(|name| (name == "JZJYXQJZSJ").then_some("2030-01-01")).unwrap();
        assert_eq!(theirs.expires_at.unwrap(), time::macros::datetime!(2030-01-01 00:00 +8));
    }
}
