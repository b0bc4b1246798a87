//! Seals and seal signatures, read (GB/T 38540-2020 §6 and §7, GM/T 0031-2014 §5 and §6). Elements have no names on the wire:
//! count, place and tag say what they are, and contradictions are errors.

use const_oid::ObjectIdentifier;
use der::asn1::{GeneralizedTime, UtcTime};
use der::{DateTime, Decode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{PrimitiveDateTime, UtcOffset};

use super::{Extension, Holders, NotASeal, Picture, Seal, SealSignature, Version};
use crate::cms::AttributeType;
use crate::limits;
use crate::pki::tlv::{self, Element, UTF8_STRING};

const IA5_STRING: u8 = 0x16;
const PRINTABLE_STRING: u8 = 0x13;

/// Reads a seal that fills `bytes`.
///
/// # Errors
/// [`NotASeal`] names the part.
pub fn read_seal(bytes: &[u8]) -> Result<Seal, NotASeal> {
    if bytes.len() > limits::SEAL_BYTES {
        return Err(NotASeal("size"));
    }
    seal(&Element::read_all(bytes).map_err(|_| NotASeal("seal"))?)
}

/// Reads a seal signature that fills `bytes`.
///
/// # Errors
/// [`NotASeal`] names the part.
pub fn read_signature(bytes: &[u8]) -> Result<SealSignature, NotASeal> {
    if bytes.len() > limits::SEAL_SIGNATURE_BYTES {
        return Err(NotASeal("size"));
    }
    let whole = Element::read_all(bytes).map_err(|_| NotASeal("signature"))?;
    match children(&whole, "signature")?.as_slice() {
        [to_sign, value] => first_signature(to_sign, value),
        [to_sign, certificate, algorithm, value] => signature(to_sign, certificate, algorithm, value, None),
        [to_sign, certificate, algorithm, value, stamp] => {
            signature(to_sign, certificate, algorithm, value, Some(stamp))
        }
        _ => Err(NotASeal("signature")),
    }
}

fn seal(whole: &Element<'_>) -> Result<Seal, NotASeal> {
    match children(whole, "seal")?.as_slice() {
        // GM/T 0031-2014: maker's certificate and algorithm are signed with the rest.
        [info, signed] => match children(signed, "seal's signature")?.as_slice() {
            [certificate, algorithm, value] => {
                let to_be_signed = tlv::wrap(tlv::SEQUENCE, &[info.whole, certificate.whole, algorithm.whole]);
                let info = about(info, Version::V1)?;
                made(info, to_be_signed, certificate, algorithm, value, None, whole)
            }
            _ => Err(NotASeal("seal's signature")),
        },
        [info, certificate, algorithm, value] => {
            made(about(info, Version::V4)?, info.whole.to_vec(), certificate, algorithm, value, None, whole)
        }
        [info, certificate, algorithm, value, stamp] => {
            let read = about(info, Version::V5)?;
            made(read, info.whole.to_vec(), certificate, algorithm, value, Some(tagged_bits(stamp)?), whole)
        }
        _ => Err(NotASeal("seal")),
    }
}

/// The part that the maker signed, without what stands beside it.
fn about(info: &Element<'_>, as_counted: Version) -> Result<Seal, NotASeal> {
    let parts = children(info, "seal's information")?;
    let (head, id, property, picture, beyond) = match parts.as_slice() {
        [head, id, property, picture] => (head, id, property, picture, None),
        [head, id, property, picture, beyond] => (head, id, property, picture, Some(beyond)),
        _ => return Err(NotASeal("seal's information")),
    };
    let [mark, version, vendor] = exactly(children(head, "header")?, "header")?;
    if text(&mark, &[IA5_STRING], "header")? != "ES" {
        return Err(NotASeal("header"));
    }
    let number = integer(&version, "version")?;
    let version = match (as_counted, number) {
        (Version::V1, _) => Version::V1,
        (Version::V4 | Version::V5, 5) => Version::V5,
        (Version::V4, 4) => Version::V4,
        _ => return Err(NotASeal("version")),
    };
    let property = children(property, "property")?;
    let (kind, name, listed, times) = match (version, property.as_slice()) {
        (Version::V1, [kind, name, list, times @ ..]) => (kind, name, certificates(list)?, times),
        (Version::V4 | Version::V5, [kind, name, list_kind, list, times @ ..]) => {
            let listed = match integer(list_kind, "certificate list")? {
                1 => certificates(list)?,
                2 => digests(list)?,
                _ => return Err(NotASeal("certificate list")),
            };
            (kind, name, listed, times)
        }
        _ => return Err(NotASeal("property")),
    };
    let [made_at, valid_from, valid_until] = times else { return Err(NotASeal("property")) };
    let [label, data, width, height] = exactly(children(picture, "picture")?, "picture")?;
    Ok(Seal {
        version,
        vendor: text(&vendor, &[IA5_STRING, UTF8_STRING, PRINTABLE_STRING], "vendor")?,
        id: text(id, &[IA5_STRING], "seal's number")?,
        kind: integer(kind, "kind")?,
        name: text(name, &[UTF8_STRING], "name")?,
        holders: listed,
        made_at: moment(made_at, version)?,
        valid_from: moment(valid_from, version)?,
        valid_until: moment(valid_until, version)?,
        picture: Picture {
            label: text(&label, &[IA5_STRING], "picture")?,
            data: octets(&data, "picture")?,
            width_mm: integer(&width, "picture")?,
            height_mm: integer(&height, "picture")?,
        },
        // Untagged in all seals met; `[0]` as the signature has it is taken too.
        extensions: beyond.map(extensions).transpose()?.unwrap_or_default(),
        maker: Vec::new(),
        algorithm: super::SM2_WITH_SM3,
        to_be_signed: Vec::new(),
        value: Vec::new(),
        stamp: None,
        whole: Vec::new(),
    })
}

fn made(
    about: Seal,
    to_be_signed: Vec<u8>,
    certificate: &Element<'_>,
    algorithm: &Element<'_>,
    value: &Element<'_>,
    stamp: Option<Vec<u8>>,
    whole: &Element<'_>,
) -> Result<Seal, NotASeal> {
    Ok(Seal {
        maker: octets(certificate, "maker's certificate")?,
        algorithm: oid(algorithm)?,
        to_be_signed,
        value: bits(value)?,
        stamp,
        whole: whole.whole.to_vec(),
        ..about
    })
}

/// V4 and V5: the signer's certificate and algorithm stand beside what is signed.
fn signature(
    to_sign: &Element<'_>,
    certificate: &Element<'_>,
    algorithm: &Element<'_>,
    value: &Element<'_>,
    stamp: Option<&Element<'_>>,
) -> Result<SealSignature, NotASeal> {
    let parts = children(to_sign, "signed part")?;
    let (parts, beyond) = match parts.as_slice() {
        [parts @ .., beyond] if parts.len() == 5 => (parts, Some(beyond)),
        parts => (parts, None),
    };
    let [version, sealed, time, digest, property] = parts else { return Err(NotASeal("signed part")) };
    let seal = seal(sealed)?;
    let fits = match integer(version, "version")? {
        4 => seal.version == Version::V4,
        5 => seal.version == Version::V5,
        _ => false,
    };
    if !fits {
        return Err(NotASeal("version"));
    }
    Ok(SealSignature {
        version: seal.version,
        claimed_at: Some(moment(time, seal.version)?),
        digest: bits(digest)?,
        property: text(property, &[IA5_STRING, UTF8_STRING], "property")?,
        extensions: beyond.map(extensions).transpose()?.unwrap_or_default(),
        signer: octets(certificate, "signer's certificate")?,
        algorithm: oid(algorithm)?,
        to_be_signed: to_sign.whole.to_vec(),
        value: bits(value)?,
        stamp: stamp.map(tagged_bits).transpose()?,
        seal,
    })
}

/// GM/T 0031-2014: the signer's certificate and algorithm are signed with the rest.
fn first_signature(to_sign: &Element<'_>, value: &Element<'_>) -> Result<SealSignature, NotASeal> {
    let parts = children(to_sign, "signed part")?;
    let [_, sealed, time, digest, property, certificate, algorithm] = parts.as_slice() else {
        return Err(NotASeal("signed part"));
    };
    let seal = seal(sealed)?;
    if seal.version != Version::V1 {
        return Err(NotASeal("version"));
    }
    Ok(SealSignature {
        version: Version::V1,
        claimed_at: free_moment(&bits(time)?),
        digest: bits(digest)?,
        property: text(property, &[IA5_STRING, UTF8_STRING], "property")?,
        extensions: Vec::new(),
        signer: octets(certificate, "signer's certificate")?,
        algorithm: oid(algorithm)?,
        to_be_signed: to_sign.whole.to_vec(),
        value: bits(value)?,
        stamp: None,
        seal,
    })
}

// — parts

fn children<'a>(element: &Element<'a>, part: &'static str) -> Result<Vec<Element<'a>>, NotASeal> {
    element.expect(tlv::SEQUENCE).and_then(|sequence| sequence.children()).map_err(|_| NotASeal(part))
}

fn exactly<'a, const N: usize>(parts: Vec<Element<'a>>, part: &'static str) -> Result<[Element<'a>; N], NotASeal> {
    parts.try_into().map_err(|_| NotASeal(part))
}

fn certificates(list: &Element<'_>) -> Result<Holders, NotASeal> {
    let list = children(list, "certificate list")?;
    let list = list.iter().map(|one| octets(one, "certificate list"));
    Ok(Holders::Certificates(list.collect::<Result<_, _>>()?))
}

fn digests(list: &Element<'_>) -> Result<Holders, NotASeal> {
    let list = children(list, "certificate list")?;
    let one = |one: &Element<'_>| {
        let [label, digest] = exactly(children(one, "certificate list")?, "certificate list")?;
        Ok((
            text(&label, &[PRINTABLE_STRING, IA5_STRING, UTF8_STRING], "certificate list")?,
            octets(&digest, "certificate list")?,
        ))
    };
    Ok(Holders::Digests(list.iter().map(one).collect::<Result<_, _>>()?))
}

fn extensions(beyond: &Element<'_>) -> Result<Vec<Extension>, NotASeal> {
    let part = "extensions";
    let list =
        if beyond.tag == tlv::context(0) { beyond.children().map_err(|_| NotASeal(part))? } else { vec![*beyond] };
    // `[0]` may stand around the sequence or in its place.
    let list = match list.as_slice() {
        [one] if one.tag == tlv::SEQUENCE && one.content.first() != Some(&tlv::OBJECT_IDENTIFIER) => {
            children(one, part)?
        }
        _ => list,
    };
    let read = |one: &Element<'_>| {
        let parts = children(one, part)?;
        let (name, critical, value) = match parts.as_slice() {
            [name, value] => (name, false, value),
            // An explicit FALSE is no DER, but is written.
            [name, critical, value] if critical.tag == tlv::BOOLEAN => (name, critical.content != [0], value),
            _ => return Err(NotASeal(part)),
        };
        Ok(Extension { oid: AttributeType::of(identifier(name)?), critical, value: octets(value, part)? })
    };
    list.iter().map(read).collect()
}

fn text(element: &Element<'_>, tags: &[u8], part: &'static str) -> Result<String, NotASeal> {
    let text = if tags.contains(&element.tag) { std::str::from_utf8(element.content).ok() } else { None };
    text.map(str::to_owned).ok_or(NotASeal(part))
}

fn integer(element: &Element<'_>, part: &'static str) -> Result<u64, NotASeal> {
    let octets = element.expect(tlv::INTEGER).map_err(|_| NotASeal(part))?.content;
    // Not negative, and no more than eight octets count.
    let (first, rest) = octets.split_at(octets.iter().position(|&b| b != 0).unwrap_or(octets.len()));
    let negative = first.is_empty() && rest.first().is_some_and(|&b| b >= 0x80);
    if octets.is_empty() || negative || rest.len() > 8 {
        return Err(NotASeal(part));
    }
    Ok(rest.iter().fold(0, |sum, &b| sum << 8 | u64::from(b)))
}

fn octets(element: &Element<'_>, part: &'static str) -> Result<Vec<u8>, NotASeal> {
    element.expect(tlv::OCTET_STRING).map(|octets| octets.content.to_vec()).map_err(|_| NotASeal(part))
}

/// A BIT STRING of whole octets; some V1 writers put an OCTET STRING there.
fn bits(element: &Element<'_>) -> Result<Vec<u8>, NotASeal> {
    match (element.tag, element.content.split_first()) {
        (tlv::BIT_STRING, Some((0, octets))) => Ok(octets.to_vec()),
        (tlv::OCTET_STRING, _) => Ok(element.content.to_vec()),
        _ => Err(NotASeal("bit string")),
    }
}

/// `[0]` around a BIT STRING, or in its place.
fn tagged_bits(element: &Element<'_>) -> Result<Vec<u8>, NotASeal> {
    let wrong = NotASeal("time stamp");
    match (element.tag, element.content.split_first()) {
        (tag, Some((0, octets))) if tag == tlv::context_primitive(0) => Ok(octets.to_vec()),
        (tag, _) if tag == tlv::context(0) => bits(&Element::read_all(element.content).map_err(|_| wrong)?),
        _ => Err(wrong),
    }
}

fn oid(element: &Element<'_>) -> Result<ObjectIdentifier, NotASeal> {
    let wrong = NotASeal("object identifier");
    ObjectIdentifier::from_bytes(identifier(element)?).map_err(|_| wrong)
}

/// The content octets of an object identifier, whose arcs may be of any size.
fn identifier<'a>(element: &Element<'a>) -> Result<&'a [u8], NotASeal> {
    let wrong = NotASeal("object identifier");
    let octets = element.expect(tlv::OBJECT_IDENTIFIER).map_err(|_| wrong)?.content;
    // X.690 §8.19.2: the last octet ends an arc, and none begins with nothing.
    let ends = |octet: &u8| octet & 0x80 == 0;
    let padded = octets.first() == Some(&0x80) || octets.windows(2).any(|two| matches!(two, [a, 0x80] if ends(a)));
    if octets.last().is_some_and(ends) && !padded { Ok(octets) } else { Err(wrong) }
}

/// GeneralizedTime from V4 on, UTCTime before; both to the second, UTC.
fn moment(element: &Element<'_>, version: Version) -> Result<OffsetDateTime, NotASeal> {
    let at: Option<DateTime> = match (element.tag, version) {
        (tlv::UTC_TIME, Version::V1) => UtcTime::from_der(element.whole).ok().map(|t| t.to_date_time()),
        (tlv::GENERALIZED_TIME, Version::V4 | Version::V5) => {
            GeneralizedTime::from_der(element.whole).ok().map(|t| t.to_date_time())
        }
        _ => None,
    };
    at.and_then(|at| OffsetDateTime::from_unix_timestamp(i64::try_from(at.unix_duration().as_secs()).ok()?).ok())
        .ok_or(NotASeal("time"))
}

/// What V1 signatures hold as time: a UTCTime, RFC 3339 text, or local text, which is China time. A time stamp token there
/// is none of these.
fn free_moment(bytes: &[u8]) -> Option<OffsetDateTime> {
    if let Ok(time) = Element::read_all(bytes) {
        return moment(&time, Version::V1).ok();
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let local = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let east = UtcOffset::from_hms(8, 0, 0).ok()?;
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| PrimitiveDateTime::parse(text, &local).ok().map(|at| at.assume_offset(east)))
}
