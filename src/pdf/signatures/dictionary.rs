//! One signature dictionary (ISO 32000-1 table 252): its range against its hole, its claims, and what is odd about it.

use super::attack;
use super::{Coverage, LaterChanges, Signature};
use crate::limits;
use crate::message::Message;
use crate::pdf::PdfError;
use crate::pdf::changes::{Leave, Lock};
use crate::pdf::file::File;
use crate::pdf::form::Field;
use crate::pdf::object::{Dict, Object, text};
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

/// Reads a dictionary, and what it leaves to others. `in_file`: its bytes stand in the file where its spans say, and not
/// in an object stream.
pub(super) fn read(file: &File<'_>, field: &Field, dict: &Dict, in_file: bool) -> Result<(Signature, Leave), PdfError> {
    let source = file.source();
    let length = source.length();
    let mut findings = Vec::new();
    let string =
        |key: &[u8]| -> Result<Option<Vec<u8>>, PdfError> { Ok(file.get(dict, key)?.string().map(<[u8]>::to_vec)) };
    let sub_filter =
        file.get(dict, b"SubFilter")?.name().map(|n| String::from_utf8_lossy(n).into_owned()).unwrap_or_default();

    let numbers: Option<Vec<usize>> = match file.get(dict, b"ByteRange")? {
        Object::Array(items) if items.len() == 4 => items.iter().map(|o| file.resolve(o).ok()?.count()).collect(),
        _ => None,
    };
    let numbers = numbers.unwrap_or_default();
    // Ranges over each other, or many of them, would make a small file cost any amount of hashing.
    let byte_range = match numbers.as_slice() {
        [a, m, b, n]
            if a.checked_add(*m).is_some_and(|end| end <= *b) && b.checked_add(*n).is_some_and(|end| end <= length) =>
        {
            vec![(*a, *m), (*b, *n)]
        }
        _ => Vec::new(),
    };

    // The hole must be this dictionary's own /Contents where it lies in the file: an object inside an object stream,
    // or one moved by a later update, has its bytes elsewhere.
    let hole = dict.entry(b"Contents").filter(|_| in_file).map(|e| e.span.clone());
    let inside = source.window(hole.clone().unwrap_or_default())?;
    let inside = inside.strip_prefix(b"<").and_then(|h| h.strip_suffix(b">"));
    // To the end whatever is met: that takes many bytes a step, and a search for the first wrong one does not.
    let only_hex = inside.is_some_and(|h| h.iter().fold(true, |all, b| all & b.is_ascii_hexdigit()));
    let once = |key: &[u8]| dict.entries().iter().filter(|e| &*e.key == key).count() == 1;
    let coverage = match (numbers.as_slice(), &hole) {
        _ if !(once(b"ByteRange") && once(b"Contents")) => Coverage::None,
        ([0, a, b, c], Some(hole)) if *a == hole.start && *b == hole.end && only_hex => match b.checked_add(*c) {
            Some(end) if end == length => Coverage::Whole,
            Some(end) if end < length => Coverage::Partial,
            _ => Coverage::None,
        },
        _ => Coverage::None,
    };
    let signed_length = match (coverage, numbers.as_slice()) {
        (Coverage::Whole | Coverage::Partial, [_, _, b, c]) => Some(b + c),
        _ => None,
    };

    let contents = string(b"Contents")?.unwrap_or_default();
    if contents.len() > limits::PDF_CMS_BYTES {
        return Err(PdfError::OverLimit { what: "bytes of a signature", limit: limits::PDF_CMS_BYTES as u64 });
    }
    if coverage == Coverage::None || contents.iter().all(|&b| b == 0) {
        findings.push(attack::of_range(&numbers, hole.as_ref(), &contents, length));
    }
    let mut finding = |id, zh: &str, en: &str| findings.push(Message::new(id, zh, en));
    if dict.doubled().is_some() {
        finding("pdf.key-twice", "签名字典中有重复的键", "A key is written twice in the signature dictionary");
    }
    let cut = der_length(&contents).filter(|&n| n <= contents.len());
    let (value, padding) = contents.split_at_checked(cut.unwrap_or(contents.len())).unwrap_or((&contents, &[]));
    if padding.iter().fold(0, |any, b| any | b) != 0 {
        finding("pdf.hole-not-blank", "签名值之后的填充不是零", "The padding behind the signature value is not zeros");
    }
    if matches!(dict.get(b"ByteRange"), Some(Object::Ref(_))) {
        let (zh, en) = (
            "签名范围（ByteRange）写在另一个对象里，后续更新可将其替换",
            "The /ByteRange stands in another object, which a later update could replace",
        );
        finding("pdf.byte-range-indirect", zh, en);
    }
    if dict.get(b"Cert").is_some() && sub_filter.starts_with("ETSI.") {
        // Table 252: the certificates stand in the CMS; two places could name two signers.
        let (zh, en) = (
            "签名字典另带证书（Cert），与签名数据中的证书并存，可能显示为另一签名人",
            "The dictionary carries a /Cert beside the certificates of its CMS; a viewer could name another signer",
        );
        finding("pdf.two-certificates", zh, en);
    }
    let kind = file.get(dict, b"Type")?;
    if !kind.is_null() && !matches!(kind.name(), Some(b"Sig" | b"DocTimeStamp")) {
        finding("pdf.not-a-signature", "签名字典的类型（Type）不是签名", "The dictionary's /Type is not a signature's");
    }

    let mut leave = Leave::default();
    let mut certification = None;
    if let Object::Array(references) = file.get(dict, b"Reference")? {
        for reference in references.iter().take(16) {
            let Object::Dict(reference) = file.resolve(reference)? else { continue };
            let parameters = file.get_dict(&reference, b"TransformParams")?.unwrap_or_else(Dict::empty);
            match file.get(&reference, b"TransformMethod")?.name() {
                // Table 254: P is 2 where it is not said. Less than nothing allows nothing.
                Some(b"DocMDP") => {
                    let level = file.get(&parameters, b"P")?.int().unwrap_or(2).clamp(1, 3);
                    certification = Some(level);
                    leave.level = Some(level);
                }
                Some(b"FieldMDP") => leave.locks.extend(lock(file, &parameters)?),
                _ => {}
            }
        }
    }
    if let Some(lock) = file.get_dict(&field.dict, b"Lock")? {
        // ISO 32000-2 table 236.
        if let Some(level) = file.get(&lock, b"P")?.int().map(|level| level.clamp(1, 3)) {
            leave.level = Some(leave.level.map_or(level, |l| l.min(level)));
        }
    }
    let certificates = match file.get(dict, b"Cert")? {
        Object::Array(items) => {
            let items = items.iter().take(limits::PATH_CERTIFICATES).map(|item| file.resolve(item));
            let items = items.map(|item| item.map(|item| item.string().map(<[u8]>::to_vec)));
            items.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
        }
        one => one.string().map(<[u8]>::to_vec).into_iter().collect(),
    };
    let claimed_time = string(b"M")?.and_then(|m| date(&text(&m)));
    let person = |key: &[u8]| -> Result<Option<String>, PdfError> { Ok(string(key)?.map(|s| text(&s))) };
    let is_time_stamp = kind.name() == Some(b"DocTimeStamp") || sub_filter == "ETSI.RFC3161";
    let signature = Signature {
        field: field.name.clone(),
        byte_range,
        cms: value.to_vec(),
        digests: Vec::new(),
        coverage,
        signed_length,
        later_changes: LaterChanges::None,
        changes: Vec::new(),
        certificates,
        claimed_time,
        name: person(b"Name")?,
        reason: person(b"Reason")?,
        location: person(b"Location")?,
        certification,
        is_time_stamp,
        sub_filter,
        findings,
    };
    Ok((signature, leave))
}

fn lock(file: &File<'_>, parameters: &Dict) -> Result<Option<Lock>, PdfError> {
    let mut names = Vec::new();
    if let Object::Array(items) = file.get(parameters, b"Fields")? {
        for item in items.iter().take(limits::PDF_FIELDS) {
            names.extend(file.resolve(item)?.string().map(text));
        }
    }
    Ok(match file.get(parameters, b"Action")?.name() {
        Some(b"All") => Some(Lock::All),
        Some(b"Include") => Some(Lock::Only(names)),
        Some(b"Exclude") => Some(Lock::AllBut(names)),
        _ => None,
    })
}

/// Whole length of the definite-length value at the front (X.690 §8.1.3).
pub(crate) fn der_length(der: &[u8]) -> Option<usize> {
    let (&first, rest) = der.get(1..)?.split_first()?;
    if first < 0x80 {
        return Some(2 + usize::from(first));
    }
    let count = usize::from(first & 0x7f);
    let octets = rest.get(..count).filter(|o| (1..=4).contains(&o.len()))?;
    let length = octets.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
    length.checked_add(2 + count)
}

/// A date (ISO 32000-1 §7.9.4), `D:YYYYMMDDHHmmSSOHH'mm'`; everything after the year may be missing.
pub(crate) fn date(text: &str) -> Option<OffsetDateTime> {
    let text = text.strip_prefix("D:").unwrap_or(text).trim_end();
    let number = |from: usize, length: usize, default: u8| -> Option<u8> {
        match text.get(from..from + length) {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
            _ if text.len() <= from => Some(default),
            _ => None,
        }
    };
    let year: i32 = text.get(..4).filter(|y| y.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
    let month = Month::try_from(number(4, 2, 1)?).ok()?;
    let day = Date::from_calendar_date(year, month, number(6, 2, 1)?).ok()?;
    let clock = Time::from_hms(number(8, 2, 0)?, number(10, 2, 0)?, number(12, 2, 0)?).ok()?;
    let zone: Vec<i8> = text.get(15..).unwrap_or_default().split('\'').filter_map(|p| p.parse().ok()).collect();
    let (hours, minutes) = (zone.first().copied().unwrap_or(0), zone.get(1).copied().unwrap_or(0));
    let sign = match text.as_bytes().get(14) {
        Some(b'-') => -1,
        Some(b'+') => 1,
        Some(b'Z') | None => 0,
        _ => return None,
    };
    let offset = UtcOffset::from_hms(hours.checked_mul(sign)?, minutes.checked_mul(sign)?, 0).ok()?;
    Some(day.with_time(clock).assume_offset(offset).to_offset(UtcOffset::UTC))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn reads_dates_in_every_length() {
        assert_eq!(date("D:20261122071500+08'00'"), Some(datetime!(2026-11-21 23:15 UTC)));
        assert_eq!(date("D:20261122071500-05'30"), Some(datetime!(2026-11-22 12:45 UTC)));
        assert_eq!(date("D:20261122071500Z"), Some(datetime!(2026-11-22 07:15 UTC)));
        assert_eq!(date("2026"), Some(datetime!(2026-01-01 00:00 UTC)));
        for bad in ["", "D:20261322", "D:2026112", "D:20261122071500?", "D:２０２６"] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }
}
