//! Distinguished names: compared as bytes or by meaning, and shown to people in the order they are written in.

use std::fmt;
use std::sync::{Arc, OnceLock};

use const_oid::{ObjectIdentifier, db::rfc4519};
use der::Decode;

use super::tlv::{self, Element};

/// A distinguished name (RFC 5280 §4.1.2.4), kept in its original encoding.
#[derive(Clone)]
pub struct Name {
    der: Arc<[u8]>,
    /// What RFC 5280 §7.1 compares: the attributes with letter case and runs of spaces folded. Made when it is first asked
    /// for, as most names are found equal by their bytes; and kept, since a search for a path compares them again and again.
    folded: Arc<OnceLock<Folded>>,
}

type Folded = Vec<(ObjectIdentifier, String)>;

/// Equal as encoded.
impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Name {}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.der.hash(state);
    }
}

/// Why a name cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    #[error("a name attribute is empty or longer than 64 characters (RFC 5280 appendix A.1)")]
    Length,
    #[error("a country is two capital letters (ISO 3166)")]
    Country,
    #[error("a name attribute holds a control character")]
    Control,
}

/// The attributes that we write; others are only read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    Country,
    Organization,
    CommonName,
}

impl Name {
    /// A name of these attributes, in this order, each in a set of its own.
    ///
    /// # Errors
    /// [`NameFault`]: an attribute that RFC 5280's upper bounds do not allow.
    pub fn of(attributes: &[(Attribute, &str)]) -> Result<Self, NameFault> {
        let mut members = Vec::new();
        for &(attribute, text) in attributes {
            if text.is_empty() || text.chars().count() > 64 {
                return Err(NameFault::Length);
            }
            if text.chars().any(char::is_control) {
                return Err(NameFault::Control);
            }
            let (oid, tag) = match attribute {
                // RFC 5280 appendix A.1: X520countryName is a PrintableString of two characters.
                Attribute::Country if text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()) => {
                    (rfc4519::COUNTRY_NAME, PRINTABLE_STRING)
                }
                Attribute::Country => return Err(NameFault::Country),
                Attribute::Organization => (rfc4519::ORGANIZATION_NAME, UTF8_STRING),
                Attribute::CommonName => (rfc4519::COMMON_NAME, UTF8_STRING),
            };
            let value = tlv::wrap(tag, &[text.as_bytes()]);
            let pair = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(oid), &value]);
            members.push(tlv::wrap(tlv::SET, &[&pair]));
        }
        Ok(Self::from_der(&tlv::wrap(tlv::SEQUENCE, &members.iter().map(Vec::as_slice).collect::<Vec<_>>())))
    }

    /// The subject of a government seal's certificate: `C=CN, O=<USCC><unit name>, CN=<14-digit seal number>`, the shape
    /// seen in provincial seal certificates (GB/T 20518 practice).
    ///
    /// # Errors
    /// [`NameFault`] as in [`Name::of`]; whether code and number are well formed is for the rules.
    pub fn of_seal(uscc: &str, unit: &str, seal_number: &str) -> Result<Self, NameFault> {
        Self::of(&[
            (Attribute::Country, "CN"),
            (Attribute::Organization, &format!("{uscc}{unit}")),
            (Attribute::CommonName, seal_number),
        ])
    }

    /// A name as found; it need not be readable to be compared.
    pub fn from_der(der: &[u8]) -> Self {
        Self { der: der.into(), folded: Arc::default() }
    }

    /// The encoding, as found or as written.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The text of the first attribute with this type, e.g. the seal number in the common name.
    pub fn first(&self, oid: ObjectIdentifier) -> Option<String> {
        self.attributes().into_iter().find(|(found, _)| *found == oid).map(|(_, text)| text)
    }

    /// The first common name.
    pub fn common_name(&self) -> Option<String> {
        self.first(rfc4519::COMMON_NAME)
    }

    /// The first organisation name.
    pub fn organization(&self) -> Option<String> {
        self.first(rfc4519::ORGANIZATION_NAME)
    }

    /// Equal by RFC 5280 §7.1: same attributes in the same order, letter case and runs of spaces aside.
    pub fn means(&self, other: &Self) -> bool {
        self == other || (!self.folded().is_empty() && self.folded() == other.folded())
    }

    fn folded(&self) -> &Folded {
        let words = |text: String| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        self.folded.get_or_init(|| self.attributes().into_iter().map(|(oid, text)| (oid, words(text))).collect())
    }

    fn attributes(&self) -> Vec<(ObjectIdentifier, String)> {
        attributes(&self.der)
    }
}

fn attributes(der: &[u8]) -> Vec<(ObjectIdentifier, String)> {
    let Ok(sets) = Element::read_all(der).and_then(|name| name.children()) else { return Vec::new() };
    let pairs = sets.iter().filter_map(|set| set.children().ok()).flatten();
    pairs
        .filter_map(|pair| {
            let parts = pair.children().ok()?;
            let [oid, value] = parts.as_slice() else { return None };
            Some((ObjectIdentifier::from_der(oid.whole).ok()?, text(value)))
        })
        .collect()
}

/// `C=CN, O=…, CN=…`: in written order, with RFC 4514 §2.4 escapes so that no value can pass for two attributes.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (oid, text)) in self.attributes().into_iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            match label(oid) {
                Some(label) => write!(f, "{label}=")?,
                None => write!(f, "{oid}=")?,
            }
            for c in text.chars() {
                match c {
                    ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => write!(f, "\\{c}")?,
                    // Control and direction marks could make the name look like another one.
                    c if c.is_control()
                        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') =>
                    {
                        write!(f, "{}", c.escape_unicode())?;
                    }
                    c => write!(f, "{c}")?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

fn label(oid: ObjectIdentifier) -> Option<&'static str> {
    Some(match oid {
        rfc4519::COUNTRY_NAME => "C",
        rfc4519::ST => "ST",
        rfc4519::LOCALITY_NAME => "L",
        rfc4519::ORGANIZATION_NAME => "O",
        rfc4519::ORGANIZATIONAL_UNIT_NAME => "OU",
        rfc4519::COMMON_NAME => "CN",
        rfc4519::SERIAL_NUMBER => "serialNumber",
        const_oid::db::rfc3280::EMAIL_ADDRESS => "E",
        _ => return None,
    })
}

const UTF8_STRING: u8 = 0x0C;
const PRINTABLE_STRING: u8 = 0x13;

/// A DirectoryString as text; what is not text is shown as hexadecimal with a leading `#` (RFC 4514 §2.4).
fn text(value: &Element<'_>) -> String {
    let latin1 = || value.content.iter().map(|&byte| char::from(byte)).collect();
    match value.tag {
        UTF8_STRING => match std::str::from_utf8(value.content) {
            Ok(text) => text.to_owned(),
            Err(_) => format!("#{}", hex::encode(value.content)),
        },
        // Printable, IA5, numeric, visible: ASCII; Teletex as Latin-1, which is what writers mean by it.
        PRINTABLE_STRING | 0x12 | 0x14 | 0x16 | 0x1A => latin1(),
        // BMPString: UCS-2, big-endian.
        0x1E => {
            let units: Vec<u16> = value
                .content
                .chunks(2)
                .map(|pair| pair.iter().fold(0, |unit, &byte| unit << 8 | u16::from(byte)))
                .collect();
            String::from_utf16_lossy(&units)
        }
        _ => format!("#{}", hex::encode(value.whole)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_name_reads_as_it_was_written() {
        let name = Name::of_seal("11513221MB1234567X", "汶川县行政审批局", "51322100000001").unwrap();
        assert_eq!(name.to_string(), "C=CN, O=11513221MB1234567X汶川县行政审批局, CN=51322100000001");
        assert_eq!(name.common_name().as_deref(), Some("51322100000001"));
        let other = <x509_cert::name::Name as Decode>::from_der(name.as_der()).unwrap();
        assert_eq!(other.to_string(), "CN=51322100000001,O=11513221MB1234567X汶川县行政审批局,C=CN");
    }

    #[test]
    fn a_value_cannot_pass_for_two_attributes() {
        let name = Name::of(&[(Attribute::CommonName, "A, O=B\u{202e}")]).unwrap();
        assert_eq!(name.to_string(), "CN=A\\, O\\=B\\u{202e}");
        assert_eq!(Name::of(&[(Attribute::CommonName, "")]), Err(NameFault::Length));
        assert_eq!(Name::of(&[(Attribute::CommonName, &"章".repeat(65))]), Err(NameFault::Length));
        assert_eq!(Name::of(&[(Attribute::Country, "China")]), Err(NameFault::Country));
        assert_eq!(Name::of(&[(Attribute::CommonName, "a\nb")]), Err(NameFault::Control));
    }

    #[test]
    fn names_are_compared_by_meaning() {
        let name = |text| Name::of(&[(Attribute::CommonName, text)]).unwrap();
        assert!(name("Root  CA").means(&name("root ca")));
        assert!(!name("Root CA").means(&name("RootCA")));
        assert!(!Name::from_der(b"x").means(&Name::from_der(b"y")));
    }
}
