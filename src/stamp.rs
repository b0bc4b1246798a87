//! Time stamps (RFC 3161): an authority's signature that a digest existed at a moment.
//!
//! A token is a CMS whose content says what was stamped and when. Reading says nothing about trust: [`Token::covers`] tells
//! whether it is about these bytes, [`Token::check`] whether the authority's signature is right, [`Token::breaches`] where
//! it leaves the profile (EN 319 422); whom to believe is the judge's question, with the certificates in [`Token::signed`].
//!
//! [`request`] is what an authority is asked, [`answer`] what ours answers.
//!
//! Not here: asking an authority for one (`tsa`), and the clock, keys and serial numbers of our own (`stamping`).

pub mod accept;
pub mod answer;
pub mod request;

use std::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc3161, rfc5280};
use der::Decode;
use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time};
use x509_cert::ext::pkix::ExtendedKeyUsage;

use crate::cms::{self, Checks, CmsError, Fault, SignedData};
use crate::crypto::Digest;
use crate::message::Message;
use crate::pki::certificate::Certificate;
use crate::pki::name::Name;
use crate::pki::tlv::{self, Element};

/// A time-stamp token (RFC 3161 §2.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// genTime, UTC, to the nanosecond.
    pub time: OffsetDateTime,
    /// How far the authority's clock may be off, to either side; None where it does not say.
    pub accuracy: Option<Duration>,
    /// The policy under which it was made, in dotted form: one in use is longer than any library takes.
    pub policy: String,
    /// Content octets of the INTEGER, as found.
    pub serial: Vec<u8>,
    /// What was stamped: the algorithm and the value.
    pub imprint: (ObjectIdentifier, Vec<u8>),
    /// Tokens of this authority are in the order of their times even within the accuracy.
    pub ordering: bool,
    /// Content octets of the INTEGER, as asked for.
    pub nonce: Option<Vec<u8>>,
    /// The authority by its own account, where it is a directory name: only a hint.
    pub authority: Option<Name>,
    /// The CMS itself: certificates, revocation lists, unsigned attributes.
    pub signed: SignedData,
    version: Vec<u8>,
    critical_extension: bool,
}

/// Why bytes are not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    /// Not a CMS signature at all.
    #[error("{}", self.message())]
    Cms(CmsError),
    /// A CMS signature of something else.
    #[error("{}", self.message())]
    NotAStamp,
    /// The authority's answer carries no token; its status (RFC 3161 §2.4.2).
    #[error("{}", self.message())]
    Refused(u8),
    /// The named part cannot be read.
    #[error("{}", self.message())]
    Malformed(&'static str),
}

impl StampError {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::Cms(error) => error.message(),
            Self::NotAStamp => Message::new(
                "stamp.not-a-stamp",
                "这是签名数据，但不是时间戳。请提供时间戳文件。",
                "This is a signature, but not a time stamp. Supply the time stamp.",
            ),
            Self::Refused(status) => Message::new(
                "stamp.refused",
                format!("时间戳机构没有给出时间戳（状态 {status}）。请重新申请。"),
                format!("The time-stamping authority gave no stamp (status {status}). Ask it again."),
            ),
            Self::Malformed(part) => Message::new(
                "stamp.malformed",
                format!("时间戳已损坏，无法读取：{part}。"),
                format!("The time stamp is damaged and cannot be read: {part}."),
            ),
        }
    }
}

/// A rule for tokens that one does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// RFC 3161 §2.4.2: no signature but the authority's.
    Signers(usize),
    /// RFC 3161 §2.4.2: version 1 is the only one.
    Version,
    /// RFC 3161 §2.4.2: a critical extension that nobody here understands (EN 319 422 §5.2.2 forbids any).
    CriticalExtension,
    /// RFC 3161 §2.4.2, RFC 5816 §2.2: the reference to the authority's certificate.
    Reference(Fault),
    /// RFC 5652 §11.1: the signed type of the content.
    ContentType(Fault),
    /// RFC 3161 §2.3: the certificate is for time stamps and nothing else, and says so critically.
    Usage,
    /// RFC 3161 §2.4.2: the named authority is not the certificate's subject.
    Authority,
    /// EN 319 422 §5.2.2: the accuracy must be said.
    NoAccuracy,
    /// EN 319 422 §5.2.2: ordering must be false.
    Ordering,
}

impl Breach {
    /// A breach of RFC 3161 itself: such a token proves nothing. The others leave the European profile alone.
    pub fn is_grave(&self) -> bool {
        !matches!(self, Self::NoAccuracy | Self::Ordering)
    }

    /// What to say about it.
    pub fn message(&self) -> Message {
        let (zh, en): (String, String) = match self {
            Self::Signers(count) => (
                format!("时间戳有{count}个签名人，应当只有一个"),
                format!("the time stamp has {count} signers, not one"),
            ),
            Self::Version => ("时间戳版本不是1".into(), "the time stamp's version is not 1".into()),
            Self::CriticalExtension => (
                "时间戳含有无法理解的关键扩展".into(),
                "the time stamp has a critical extension that is not understood".into(),
            ),
            Self::Reference(fault) | Self::ContentType(fault) => return fault.message(),
            Self::Usage => (
                "时间戳机构的证书并非专用于时间戳".into(),
                "the authority's certificate is not for time stamps alone".into(),
            ),
            Self::Authority => (
                "时间戳所称机构不是证书的主体".into(),
                "the authority named in the time stamp is not the certificate's subject".into(),
            ),
            Self::NoAccuracy => {
                ("时间戳没有说明时钟精度".into(), "the time stamp does not say how exact its clock is".into())
            }
            Self::Ordering => ("时间戳声明了次序".into(), "the time stamp claims an order".into()),
        };
        Message::new("stamp.profile", zh, en)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message().fmt(f)
    }
}

impl Token {
    /// Reads a token: a ContentInfo, BER or DER, which may be followed by zero octets (PDF holes are filled so).
    ///
    /// # Errors
    /// [`StampError`]; what is wrong with a token that can be read is left to the checks.
    pub fn read(bytes: &[u8]) -> Result<Self, StampError> {
        Self::of(cms::read(bytes).map_err(StampError::Cms)?)
    }

    /// Reads an authority's answer (TimeStampResp, RFC 3161 §2.4.2) and gives the token in it.
    ///
    /// # Errors
    /// As [`Token::read`]; [`StampError::Refused`] where the status is neither granted nor granted with changes.
    pub fn read_answer(bytes: &[u8]) -> Result<Self, StampError> {
        Self::read(Self::in_answer(bytes)?)
    }

    /// The token's own bytes in an authority's answer, as found.
    ///
    /// # Errors
    /// As [`Token::read_answer`], whatever the token is.
    pub fn in_answer(bytes: &[u8]) -> Result<&[u8], StampError> {
        const BAD: StampError = StampError::Malformed("TimeStampResp");
        let answer = Element::read_all(bytes).and_then(|answer| answer.expect(tlv::SEQUENCE)).map_err(|_| BAD)?;
        let parts = answer.children().map_err(|_| BAD)?;
        let (status, token) = parts.split_first().ok_or(BAD)?;
        let status = status.expect(tlv::SEQUENCE).and_then(|status| status.children()).map_err(|_| BAD)?;
        let status = status.first().ok_or(BAD)?.expect(tlv::INTEGER).map_err(|_| BAD)?;
        match (status.content, token) {
            ([0 | 1], [token]) => Ok(token.whole),
            ([status], _) => Err(StampError::Refused(*status)),
            _ => Err(BAD),
        }
    }

    /// The token that a CMS is. Its TSTInfo ends with what we know.
    ///
    /// # Errors
    /// As [`Token::read`].
    pub fn of(signed: SignedData) -> Result<Self, StampError> {
        const BAD: StampError = StampError::Malformed("TSTInfo");
        if signed.content_type != rfc3161::ID_CT_TST_INFO {
            return Err(StampError::NotAStamp);
        }
        let content = signed.content.as_deref().ok_or(BAD)?;
        let info = Element::read_all(content).and_then(|info| info.expect(tlv::SEQUENCE)).map_err(|_| BAD)?;
        let parts = info.children().map_err(|_| BAD)?;
        let [version, policy, imprint, serial, time, optional @ ..] = parts.as_slice() else { return Err(BAD) };
        let integer = |element: &Element<'_>| element.expect(tlv::INTEGER).map(|element| element.content.to_vec());
        let mut optional = optional.iter().peekable();
        let mut next = |tag: u8| optional.next_if(|element| element.tag == tag);
        let accuracy = next(tlv::SEQUENCE).map(accuracy).transpose()?;
        let ordering = next(tlv::BOOLEAN).is_some_and(|element| element.content != [0]);
        let nonce = next(tlv::INTEGER).map(integer).transpose().map_err(|_| BAD)?;
        let authority = next(tlv::context(0)).map(directory_name).transpose()?.flatten();
        let critical_extension = next(tlv::context(1)).map(has_critical).transpose()?.unwrap_or(false);
        if optional.next().is_some() {
            return Err(BAD);
        }
        Ok(Self {
            time: general_time(time.expect(GENERALIZED_TIME).map_err(|_| BAD)?.content)
                .ok_or(StampError::Malformed("genTime"))?,
            accuracy,
            policy: policy
                .expect(tlv::OBJECT_IDENTIFIER)
                .ok()
                .and_then(|policy| dotted(policy.content))
                .ok_or(StampError::Malformed("policy"))?,
            serial: integer(serial).map_err(|_| BAD)?,
            imprint: read_imprint(imprint)?,
            ordering,
            nonce,
            authority,
            version: integer(version).map_err(|_| BAD)?,
            critical_extension,
            signed,
        })
    }

    /// The digest that [`Token::covers`] asks for, if it is one that we can compute.
    pub fn digest(&self) -> Option<Digest> {
        Digest::of_oid(self.imprint.0)
    }

    /// Whether it is about the content whose digest `over` gives; None there is content too costly to digest.
    ///
    /// # Errors
    /// [`Fault::DigestDiffers`] where it is about something else; [`Fault::WeakDigest`] where it is equal and proves little.
    pub fn covers(&self, over: &mut dyn FnMut(Digest) -> Option<Vec<u8>>) -> Result<(), Fault> {
        let (algorithm, value) = &self.imprint;
        let digest = Digest::of_oid(*algorithm).ok_or(Fault::DigestUnsupported(*algorithm))?;
        if over(digest).ok_or(Fault::TooCostly)? != *value {
            return Err(Fault::DigestDiffers);
        }
        if digest.is_weak() { Err(Fault::WeakDigest(digest)) } else { Ok(()) }
    }

    /// [`Token::covers`] for bytes at hand, e.g. a signature value.
    ///
    /// # Errors
    /// As there.
    pub fn covers_bytes(&self, bytes: &[u8]) -> Result<(), Fault> {
        self.covers(&mut |digest| Some(digest.over(&[bytes])))
    }

    /// The authority's own signature. Only the first signer's is looked at: a second is a [`Breach`].
    pub fn check(&self) -> Checks {
        match (self.signed.signers.first(), &self.signed.content) {
            (Some(signer), Some(content)) => self.signed.check(signer, &[content]),
            _ => Checks::nothing(),
        }
    }

    /// Mathematically right: about this content, and signed by the one signer. Says nothing about weakness or trust.
    pub fn is_intact(&self, over: &mut dyn FnMut(Digest) -> Option<Vec<u8>>) -> bool {
        let covers = matches!(self.covers(over), Ok(()) | Err(Fault::WeakDigest(_)));
        covers && self.signed.signers.len() == 1 && self.check().is_intact()
    }

    /// Where it leaves RFC 3161 and EN 319 422, gravest first; `checks` are those of [`Token::check`].
    pub fn breaches(&self, checks: &Checks) -> Vec<Breach> {
        let mut found = Vec::new();
        if self.signed.signers.len() != 1 {
            found.push(Breach::Signers(self.signed.signers.len()));
        }
        if self.version != [1] {
            found.push(Breach::Version);
        }
        if self.critical_extension {
            found.push(Breach::CriticalExtension);
        }
        if let Err(fault) = &checks.content_type {
            found.push(Breach::ContentType(fault.clone()));
        }
        if let Err(fault) = &checks.signing_certificate {
            found.push(Breach::Reference(fault.clone()));
        }
        if let Some(certificate) = &checks.certificate {
            if !is_for_stamps_alone(certificate) {
                found.push(Breach::Usage);
            }
            if self.authority.as_ref().is_some_and(|name| !name.means(&certificate.subject)) {
                found.push(Breach::Authority);
            }
        }
        if self.accuracy.is_none() {
            found.push(Breach::NoAccuracy);
        }
        if self.ordering {
            found.push(Breach::Ordering);
        }
        found
    }
}

const GENERALIZED_TIME: u8 = 0x18;

/// RFC 3161 §2.3: extendedKeyUsage with id-kp-timeStamping and no other, critical.
fn is_for_stamps_alone(certificate: &Certificate) -> bool {
    let Ok(certificate) = x509_cert::Certificate::from_der(certificate.der()) else { return false };
    let extensions = certificate.tbs_certificate().extensions().map(Vec::as_slice).unwrap_or_default();
    let mut usage = extensions.iter().filter(|extension| extension.extn_id == rfc5280::ID_CE_EXT_KEY_USAGE);
    let (Some(extension), None) = (usage.next(), usage.next()) else { return false };
    let purposes = ExtendedKeyUsage::from_der(extension.extn_value.as_bytes());
    extension.critical && purposes.is_ok_and(|purposes| purposes.0 == [rfc5280::ID_KP_TIME_STAMPING])
}

fn read_imprint(imprint: &Element<'_>) -> Result<(ObjectIdentifier, Vec<u8>), StampError> {
    const BAD: StampError = StampError::Malformed("messageImprint");
    let parts = imprint.expect(tlv::SEQUENCE).and_then(|imprint| imprint.children()).map_err(|_| BAD)?;
    let [algorithm, value] = parts.as_slice() else { return Err(BAD) };
    let algorithm = algorithm.expect(tlv::SEQUENCE).and_then(|algorithm| algorithm.children()).map_err(|_| BAD)?;
    let oid = ObjectIdentifier::from_der(algorithm.first().ok_or(BAD)?.whole).map_err(|_| BAD)?;
    let value = value.expect(tlv::OCTET_STRING).map_err(|_| BAD)?.content.to_vec();
    // RFC 3161 §2.4.1: the length must be the algorithm's.
    match Digest::of_oid(oid) {
        Some(digest) if digest.length() != value.len() => Err(BAD),
        _ => Ok((oid, value)),
    }
}

/// Accuracy: whole seconds, then milliseconds and microseconds of 1 to 999.
fn accuracy(element: &Element<'_>) -> Result<Duration, StampError> {
    const BAD: StampError = StampError::Malformed("accuracy");
    let mut sum = Duration::ZERO;
    let mut last = 0;
    for part in element.children().map_err(|_| BAD)? {
        let octets: [u8; 4] = match part.content {
            [] | [0x80..=0xFF, ..] => return Err(BAD),
            content if content.len() <= 4 => {
                let mut octets = [0; 4];
                octets.iter_mut().rev().zip(content.iter().rev()).for_each(|(to, from)| *to = *from);
                octets
            }
            _ => return Err(BAD),
        };
        let number = i64::from(u32::from_be_bytes(octets));
        let (rank, part) = match (part.tag, number) {
            (tlv::INTEGER, seconds) => (1, Duration::seconds(seconds)),
            (0x80, 0..=999) => (2, Duration::milliseconds(number)),
            (0x81, 0..=999) => (3, Duration::microseconds(number)),
            _ => return Err(BAD),
        };
        if rank <= last {
            return Err(BAD);
        }
        last = rank;
        sum += part;
    }
    Ok(sum)
}

/// `[0]` around a GeneralName; None for other kinds than directoryName.
fn directory_name(element: &Element<'_>) -> Result<Option<Name>, StampError> {
    const BAD: StampError = StampError::Malformed("tsa");
    let inside = element.children().map_err(|_| BAD)?;
    let [name] = inside.as_slice() else { return Err(BAD) };
    if name.tag != tlv::context(4) {
        return Ok(None);
    }
    let name = name.children().map_err(|_| BAD)?;
    let [name] = name.as_slice() else { return Err(BAD) };
    Ok(Some(Name::from_der(name.whole)))
}

fn has_critical(extensions: &Element<'_>) -> Result<bool, StampError> {
    const BAD: StampError = StampError::Malformed("extensions");
    let mut critical = false;
    for extension in extensions.children().map_err(|_| BAD)? {
        let parts = extension.expect(tlv::SEQUENCE).and_then(|extension| extension.children()).map_err(|_| BAD)?;
        critical |= parts.get(1).is_some_and(|part| part.tag == tlv::BOOLEAN && part.content != [0]);
    }
    Ok(critical)
}

/// An object identifier of any length (X.690 §8.19), as people write it.
fn dotted(content: &[u8]) -> Option<String> {
    let (mut arcs, mut arc, mut open): (Vec<String>, u128, bool) = (Vec::new(), 0, false);
    for octet in content {
        arc = arc.checked_mul(128)? + u128::from(octet & 0x7F);
        open = octet & 0x80 != 0;
        if open {
            continue;
        }
        if arcs.is_empty() {
            let first = (arc / 40).min(2);
            arcs.push(first.to_string());
            arc -= first * 40;
        }
        arcs.push(arc.to_string());
        arc = 0;
    }
    (!open && !arcs.is_empty()).then(|| arcs.join("."))
}

/// The OBJECT IDENTIFIER that people write so, with arcs of up to 128 bits (`2.25.…` are UUIDs, X.667 §6); None where it
/// is none.
pub(crate) fn encoded(dotted: &str) -> Option<Vec<u8>> {
    let plain = |arc: &&str| arc.bytes().all(|digit| digit.is_ascii_digit()) && (*arc == "0" || !arc.starts_with('0'));
    let arcs: Vec<u128> = dotted.split('.').map(|arc| Some(arc).filter(plain)?.parse().ok()).collect::<Option<_>>()?;
    let [first, second, rest @ ..] = arcs.as_slice() else { return None };
    if *first > 2 || (*first < 2 && *second > 39) {
        return None;
    }
    let mut content = Vec::new();
    for arc in std::iter::once((first * 40).checked_add(*second)?).chain(rest.iter().copied()) {
        let octets = (128 - arc.leading_zeros()).div_ceil(7).max(1);
        content.extend((0..octets).rev().map(|i| (arc >> (7 * i)) as u8 & 0x7F | if i > 0 { 0x80 } else { 0 }));
    }
    Some(tlv::wrap(tlv::OBJECT_IDENTIFIER, &[&content]))
}

/// GeneralizedTime in UTC with any fraction of a second (RFC 3161 §2.4.2): `YYYYMMDDhhmmss[.f…]Z`.
fn general_time(content: &[u8]) -> Option<OffsetDateTime> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit()) && !text.is_empty();
    if whole.len() != 14 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let number = |from: usize, to: usize| whole.get(from..to)?.parse::<u8>().ok();
    let month = Month::try_from(number(4, 6)?).ok()?;
    let date = Date::from_calendar_date(whole.get(..4)?.parse().ok()?, month, number(6, 8)?).ok()?;
    let nanoseconds: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let clock =
        Time::from_hms_nano(number(8, 10)?, number(10, 12)?, number(12, 14)?, nanoseconds.parse().ok()?).ok()?;
    Some(PrimitiveDateTime::new(date, clock).assume_utc())
}

#[cfg(test)]
mod tests;
