//! Electronic seals and what is sealed with them: GB/T 38540-2020 (V4), GM/T 0031-2014 (V1), GM/T 0031-2025 (V5).
//!
//! A seal is itself a signed thing: its maker vouches for the picture, the name, the life and the certificates that may use it.
//! A seal signature holds the whole seal, the digest of what was sealed, and the signer's value over both. Everything here
//! keeps the bytes as they were found, since both values are made over them.

mod read;
#[cfg(test)]
pub(crate) mod trial;
mod value;
pub mod write;

use const_oid::ObjectIdentifier;
use time::OffsetDateTime;

use crate::cms::{self, AttributeType};
use crate::crypto::Digest;
use crate::impression::Impression;
use crate::limits;
use crate::pki::tlv::{self, Element};

pub use read::{read_seal, read_signature};
pub use value::{Form, Value};

/// SM2 with SM3 (GM/T 0006).
pub const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");

/// Which of the formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// GM/T 0031-2014.
    V1,
    /// GB/T 38540-2020.
    V4,
    /// GM/T 0031-2025.
    V5,
}

/// A seal (SESeal), nothing checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    pub version: Version,
    /// Who made the software that made it; free text.
    pub vendor: String,
    /// The seal's number; fourteen digits for government seals.
    pub id: String,
    /// Kind of seal; shown, not judged, as its codes differ from place to place.
    pub kind: u64,
    /// As filed with public security.
    pub name: String,
    /// Who may use it.
    pub holders: Holders,
    pub made_at: OffsetDateTime,
    pub valid_from: OffsetDateTime,
    pub valid_until: OffsetDateTime,
    pub picture: Picture,
    /// Data beyond the format.
    pub extensions: Vec<Extension>,
    /// The seal maker's certificate, DER.
    pub maker: Vec<u8>,
    pub algorithm: ObjectIdentifier,
    /// The bytes that the maker signed.
    pub to_be_signed: Vec<u8>,
    /// The maker's value, as found.
    pub value: Vec<u8>,
    /// A time stamp over the value (V5).
    pub stamp: Option<Vec<u8>>,
    /// The seal as found.
    pub whole: Vec<u8>,
}

/// The certificates that a seal may be used with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holders {
    /// DER each.
    Certificates(Vec<Vec<u8>>),
    /// Of DER certificates, with the text that names the algorithm.
    Digests(Vec<(String, Vec<u8>)>),
}

/// What the seal looks like.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// As labelled: `PNG`, `ofd`, … in any case; the bytes decide.
    pub label: String,
    pub data: Vec<u8>,
    pub width_mm: u64,
    pub height_mm: u64,
}

impl Picture {
    /// An impression in dots: the form that every reader of seals shows. Sizes are whole millimetres on the wire.
    pub fn in_dots(impression: &Impression) -> Self {
        Self {
            label: "PNG".into(),
            data: impression.raster(limits::SEAL_DPI).png(),
            width_mm: impression.width_mm.round() as u64,
            height_mm: impression.height_mm.round() as u64,
        }
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} {}×{} mm, {} bytes)", self.label, self.width_mm, self.height_mm, self.data.len())
    }
}

/// ExtData.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    pub oid: AttributeType,
    pub critical: bool,
    pub value: Vec<u8>,
}

/// A use of a seal (SES_Signature), nothing checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealSignature {
    pub version: Version,
    pub seal: Seal,
    /// What the signer says of the time.
    pub claimed_at: Option<OffsetDateTime>,
    /// Of what was sealed.
    pub digest: Vec<u8>,
    /// For OFD the package path of the signature's file.
    pub property: String,
    pub extensions: Vec<Extension>,
    /// The signer's certificate, DER.
    pub signer: Vec<u8>,
    pub algorithm: ObjectIdentifier,
    /// The bytes that the signer signed.
    pub to_be_signed: Vec<u8>,
    /// The signer's value, as found.
    pub value: Vec<u8>,
    /// A time stamp over the value.
    pub stamp: Option<Vec<u8>>,
}

/// The bytes are no seal or seal signature; which part is not as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not as GB/T 38540 has it")]
pub struct NotASeal(pub &'static str);

/// Whether a seal may be used with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    Yes,
    No,
    /// It lists digests that cannot be compared.
    Unknown,
}

impl Seal {
    /// Whether the seal may be used with this certificate: byte for byte, or by its digest. The name beside a digest is free
    /// text; SM3 and SHA-256 are tried whatever it says.
    pub fn held_by(&self, certificate: &[u8]) -> Held {
        match &self.holders {
            Holders::Certificates(list) if list.iter().any(|held| held == certificate) => Held::Yes,
            Holders::Certificates(_) => Held::No,
            Holders::Digests(list) => {
                let digests = [Digest::Sm3, Digest::Sha256].map(|digest| digest.over(&[certificate]));
                let sm3 = |label: &str| label == "SM3" || label == Digest::Sm3.oid().to_string();
                match list {
                    list if list.iter().any(|(_, held)| digests.contains(held)) => Held::Yes,
                    list if list.iter().all(|(label, _)| sm3(label)) => Held::No,
                    _ => Held::Unknown,
                }
            }
        }
    }

    /// Whether the seal may be used with this certificate, as far as that can be told.
    pub fn is_held_by(&self, certificate: &[u8]) -> bool {
        self.held_by(certificate) == Held::Yes
    }
}

impl SealSignature {
    /// The log's receipt among the signed extensions: one UTF8String with the text of C2SP tlog-proof, under the identifier
    /// that it has in a CMS.
    ///
    /// # Errors
    /// [`NotASeal`] where it is there more than once, or is something else.
    pub fn receipt(&self) -> Option<Result<&str, NotASeal>> {
        let mut found = self.extensions.iter().filter(|extension| cms::is_receipt(&extension.oid));
        let first = found.next()?;
        let only = found.next().is_none().then(|| Element::read_all(&first.value).ok()).flatten();
        let text = only.and_then(|value| value.expect(tlv::UTF8_STRING).ok().map(|value| value.content));
        Some(text.and_then(|text| std::str::from_utf8(text).ok()).ok_or(NotASeal("log receipt")))
    }
}

#[cfg(test)]
mod tests;
