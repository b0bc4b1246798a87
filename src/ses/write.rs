//! Seals and seal signatures of our own, in DER: V4 (GB/T 38540-2020 §6 and §7), and V5 (GM/T 0031-2025), whose seal has a time stamp.
//!
//! Both have two halves with the key between them, as [`crate::cms`] has: [`seal_information`] and [`to_be_signed`] give the
//! bytes that a key signs (SM2 with SM3 over them, user identifier as in GM/T 0009), [`assemble_seal`] and [`assemble`] put those
//! very bytes and the value together. What comes out is read back before it is given away.

use der::Encode;
use der::asn1::GeneralizedTime;
use time::OffsetDateTime;

use super::{Extension, Holders, NotASeal, Picture, SM2_WITH_SM3, Value, Version, read_seal, read_signature};
use crate::cms;
use crate::limits;
use crate::pki::tlv::{self, UTF8_STRING};

/// What is said of a seal by its maker.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    /// V4 or V5.
    pub version: Version,
    /// The software's maker, in ASCII.
    pub vendor: &'a str,
    /// The seal's number, in ASCII; fourteen digits for government seals.
    pub id: &'a str,
    /// Kind of seal, as the national platform numbers them.
    pub kind: u64,
    /// As filed with public security.
    pub name: &'a str,
    pub holders: &'a Holders,
    /// To the second.
    pub made_at: OffsetDateTime,
    pub valid_from: OffsetDateTime,
    pub valid_until: OffsetDateTime,
    pub picture: &'a Picture,
}

/// What the signer says when he uses a seal.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// The whole seal as its maker signed it (`Seal::whole`, an `.esl` file).
    pub seal: &'a [u8],
    /// Claimed time, to the second.
    pub at: OffsetDateTime,
    /// SM3 of what is sealed; for OFD of the bytes of the signature's file.
    pub digest: &'a [u8; 32],
    /// For OFD the package path of the signature's file, `/Doc_0/Signs/Sign_0/Signature.xml`.
    pub property: &'a str,
    /// Data beyond the format, such as a log's receipt.
    pub extensions: &'a [Extension],
}

/// The bytes of the seal that its maker signs (SES_SealInfo).
///
/// # Errors
/// [`NotASeal`] names what the format cannot hold.
pub fn seal_information(making: &Making<'_>) -> Result<Vec<u8>, NotASeal> {
    let version = counted(making.version)?;
    let held = match making.holders {
        Holders::Certificates(list) => list.is_empty(),
        Holders::Digests(list) => list.is_empty(),
    };
    if held {
        return Err(NotASeal("certificate list"));
    }
    if making.valid_from > making.valid_until {
        return Err(NotASeal("validity"));
    }
    let picture = making.picture;
    if picture.data.is_empty() || picture.width_mm == 0 || picture.height_mm == 0 {
        return Err(NotASeal("picture"));
    }
    let head = tlv::wrap(tlv::SEQUENCE, &[&ascii("ES", "header")?, &number(version), &ascii(making.vendor, "vendor")?]);
    let (list_kind, list) = holders(making.holders)?;
    let property = tlv::wrap(
        tlv::SEQUENCE,
        &[
            &number(making.kind),
            &tlv::wrap(UTF8_STRING, &[making.name.as_bytes()]),
            &number(list_kind),
            &list,
            &moment(making.made_at)?,
            &moment(making.valid_from)?,
            &moment(making.valid_until)?,
        ],
    );
    let picture = tlv::wrap(
        tlv::SEQUENCE,
        &[
            &ascii(&picture.label, "picture")?,
            &tlv::wrap(tlv::OCTET_STRING, &[&picture.data]),
            &number(picture.width_mm),
            &number(picture.height_mm),
        ],
    );
    Ok(tlv::wrap(tlv::SEQUENCE, &[&head, &ascii(making.id, "seal's number")?, &property, &picture]))
}

/// The seal in V4: the information as signed, the maker's certificate (DER) and his value (DER or r ‖ s). It is what an `.esl` file
/// holds.
///
/// # Errors
/// [`NotASeal`]: parts that are none, a seal over the limit, or a maker who would himself use it: who vouches for a seal is
/// another than its user (GB/T 38540 §6; 《电子印章管理办法》).
pub fn assemble_seal(information: &[u8], maker: &[u8], value: &[u8]) -> Result<Vec<u8>, NotASeal> {
    whole_seal(Version::V4, (information, maker, value), None)
}

/// The seal in V5, with a time stamp token over the maker's value as it is written here (see [`written`]).
///
/// # Errors
/// As [`assemble_seal`].
pub fn assemble_stamped_seal(
    information: &[u8],
    maker: &[u8],
    value: &[u8],
    stamp: &[u8],
) -> Result<Vec<u8>, NotASeal> {
    whole_seal(Version::V5, (information, maker, value), Some(stamp))
}

fn whole_seal(
    version: Version,
    (information, maker, value): (&[u8], &[u8], &[u8]),
    stamp: Option<&[u8]>,
) -> Result<Vec<u8>, NotASeal> {
    let whole = tlv::wrap(
        tlv::SEQUENCE,
        &[
            information,
            &tlv::wrap(tlv::OCTET_STRING, &[maker]),
            &tlv::object_identifier(SM2_WITH_SM3),
            &tlv::bit_string(&standard(value)?),
            &stamped(stamp),
        ],
    );
    let seal = read_seal(&whole)?;
    if seal.is_held_by(maker) {
        return Err(NotASeal("maker's certificate"));
    }
    if seal.version == version && seal.to_be_signed == information { Ok(whole) } else { Err(NotASeal("seal")) }
}

/// The bytes that the signer signs (TBS_Sign).
///
/// # Errors
/// [`NotASeal`]: no seal of V4 or V5, or what the format cannot hold.
pub fn to_be_signed(used: &Use<'_>) -> Result<Vec<u8>, NotASeal> {
    let version = counted(read_seal(used.seal)?.version)?;
    let extensions = match used.extensions {
        [] => Vec::new(),
        list => {
            let list: Vec<Vec<u8>> = list.iter().map(extension).collect();
            let list = tlv::wrap(tlv::SEQUENCE, &list.iter().map(Vec::as_slice).collect::<Vec<_>>());
            // Tagged here, and not in the seal.
            tlv::wrap(tlv::context(0), &[&list])
        }
    };
    Ok(tlv::wrap(
        tlv::SEQUENCE,
        &[
            &number(version),
            used.seal,
            &moment(used.at)?,
            &tlv::bit_string(used.digest),
            &ascii(used.property, "property")?,
            &extensions,
        ],
    ))
}

/// The seal signature (SES_Signature): the part as signed, the signer's certificate (DER), his value (DER or r ‖ s) and a time stamp
/// token over the value as it is written here, if there is one (see [`written`]).
///
/// # Errors
/// [`NotASeal`]: parts that are none, over the limit, or a certificate that the seal does not name.
pub fn assemble(to_be_signed: &[u8], signer: &[u8], value: &[u8], stamp: Option<&[u8]>) -> Result<Vec<u8>, NotASeal> {
    let whole = tlv::wrap(
        tlv::SEQUENCE,
        &[
            to_be_signed,
            &tlv::wrap(tlv::OCTET_STRING, &[signer]),
            &tlv::object_identifier(SM2_WITH_SM3),
            &tlv::bit_string(&standard(value)?),
            &stamped(stamp),
        ],
    );
    let read = read_signature(&whole)?;
    if !read.seal.is_held_by(signer) {
        return Err(NotASeal("signer's certificate"));
    }
    if read.to_be_signed == to_be_signed { Ok(whole) } else { Err(NotASeal("signed part")) }
}

/// A value as it stands in a signature (GB/T 35276 §7.3): the bytes that a time stamp is made over.
///
/// # Errors
/// [`NotASeal`] where it is no SM2 value.
pub fn written(value: &[u8]) -> Result<Vec<u8>, NotASeal> {
    standard(value)
}

/// The log's receipt (the text of a tlog-proof) as an extension of the signed part.
pub fn receipt(text: &str) -> Extension {
    Extension { oid: cms::receipt_type(), critical: false, value: tlv::wrap(tlv::UTF8_STRING, &[text.as_bytes()]) }
}

/// The most bytes that [`assemble`] can give for this seal, certificate, extensions, and a token of at most `stamp` bytes.
pub fn room(seal: &[u8], signer: &[u8], extensions: &[Extension], stamp: usize) -> usize {
    let beyond: usize = extensions.iter().map(|one| extension(one).len()).sum();
    // Frames, times, digest, property (`limits::OFD_NAME_BYTES` at most), algorithm and value.
    seal.len() + signer.len() + beyond + stamp + limits::OFD_NAME_BYTES + 512
}

// — parts

const IA5_STRING: u8 = 0x16;
const PRINTABLE_STRING: u8 = 0x13;

/// As the header and the signed part count versions.
fn counted(version: Version) -> Result<u64, NotASeal> {
    match version {
        Version::V1 => Err(NotASeal("version")),
        Version::V4 => Ok(4),
        Version::V5 => Ok(5),
    }
}

/// A time stamp behind a value, where there is one.
fn stamped(token: Option<&[u8]>) -> Vec<u8> {
    token.map(|token| tlv::wrap(tlv::context(0), &[&tlv::bit_string(token)])).unwrap_or_default()
}

fn standard(value: &[u8]) -> Result<Vec<u8>, NotASeal> {
    Ok(Value::read(value).ok_or(NotASeal("signature value"))?.to_der())
}

fn holders(holders: &Holders) -> Result<(u64, Vec<u8>), NotASeal> {
    let (kind, list): (u64, Vec<Vec<u8>>) = match holders {
        Holders::Certificates(list) => {
            (1, list.iter().map(|certificate| tlv::wrap(tlv::OCTET_STRING, &[certificate])).collect())
        }
        Holders::Digests(list) => {
            let one = |(label, digest): &(String, Vec<u8>)| {
                let printable = label.bytes().all(|b| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&b));
                let label = if printable { tlv::wrap(PRINTABLE_STRING, &[label.as_bytes()]) } else { Vec::new() };
                if label.is_empty() {
                    return Err(NotASeal("certificate list"));
                }
                Ok(tlv::wrap(tlv::SEQUENCE, &[&label, &tlv::wrap(tlv::OCTET_STRING, &[digest])]))
            };
            (2, list.iter().map(one).collect::<Result<_, _>>()?)
        }
    };
    Ok((kind, tlv::wrap(tlv::SEQUENCE, &list.iter().map(Vec::as_slice).collect::<Vec<_>>())))
}

/// ExtData; FALSE is the default and not written (X.690 §11.5).
fn extension(extension: &Extension) -> Vec<u8> {
    let critical = if extension.critical { tlv::wrap(tlv::BOOLEAN, &[&[0xFF]]) } else { Vec::new() };
    let value = tlv::wrap(tlv::OCTET_STRING, &[&extension.value]);
    tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(tlv::OBJECT_IDENTIFIER, &[extension.oid.as_bytes()]), &critical, &value])
}

fn ascii(text: &str, part: &'static str) -> Result<Vec<u8>, NotASeal> {
    if text.is_ascii() { Ok(tlv::wrap(IA5_STRING, &[text.as_bytes()])) } else { Err(NotASeal(part)) }
}

fn number(number: u64) -> Vec<u8> {
    tlv::unsigned_integer(&number.to_be_bytes())
}

/// GeneralizedTime in UTC to the second: `YYYYMMDDHHMMSSZ`.
fn moment(at: OffsetDateTime) -> Result<Vec<u8>, NotASeal> {
    let seconds = u64::try_from(at.unix_timestamp()).map_err(|_| NotASeal("time"))?;
    let time = GeneralizedTime::from_unix_duration(std::time::Duration::from_secs(seconds));
    time.and_then(|time| time.to_der()).map_err(|_| NotASeal("time"))
}
