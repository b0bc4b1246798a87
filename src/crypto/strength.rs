//! Until when an algorithm is accepted (EN 319 102-1 §5.2.8, cryptographic constraints): a table, and no opinion of ours.
//!
//! ETSI TS 119 312 V1.5.1 gives an end date to what was once good, from SOG-IS Agreed Cryptographic Mechanisms and, for what
//! is gone, from the older TS 102 176-1; its machine-readable form (TS 119 322) carries the same dates. A signature proven
//! to have existed before that end is as good as it was then; one that is not proven is judged by today.
//!
//! SM2 and SM3 have no end in any notice (GM/T 0003, GM/T 0004); that they are used here follows from the Cryptography Law.

use time::macros::datetime;
use time::{Date, OffsetDateTime};

use super::Digest;

/// One thing that a signature's strength rests on; every signature rests on several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strength {
    /// Against collisions: the digest of content, of attributes, of a certificate's body.
    Digest(Digest),
    /// RSASSA-PKCS1-v1_5, bits of the modulus.
    RsaPkcs1(usize),
    /// RSASSA-PSS, bits of the modulus.
    RsaPss(usize),
    /// Bits of the prime.
    Dsa(usize),
    /// Bits of the curve.
    Ecdsa(usize),
    Ed25519,
    Ed448,
    Sm2,
}

/// The newest change to the table: what had ended by then is called weak where no moment is given.
const TABLE_OF: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

const fn day(year: i32, month: time::Month, day: u8) -> Option<Date> {
    match Date::from_calendar_date(year, month, day) {
        Ok(date) => Some(date),
        Err(_) => None,
    }
}

const OPEN: Option<Date> = None;
const MD5_ENDS: Option<Date> = day(2004, time::Month::August, 1);
const AUG_2010: Option<Date> = day(2010, time::Month::August, 1);
const AUG_2012: Option<Date> = day(2012, time::Month::August, 1);
const DEC_2015: Option<Date> = day(2015, time::Month::December, 1);
const OCT_2019: Option<Date> = day(2019, time::Month::October, 1);
const OCT_2021: Option<Date> = day(2021, time::Month::October, 1);
const JAN_2029: Option<Date> = day(2029, time::Month::January, 1);

/// Keys: from so many bits on, until when. A shorter key than the first line's was never accepted.
type Keys = &'static [(usize, Option<Date>)];
/// TS 119 312 V1.5.1 §7.2.2, legacy since PKCS#1 v1.5 padding is one; 786 to 1536 bits from TS 102 176-1 V2.1.1 §6.
const RSA_PKCS1: Keys = &[(786, AUG_2010), (1024, OCT_2019), (1536, OCT_2019), (1900, JAN_2029)];
/// TS 119 312 V1.5.1 §7.2.2: recommended from 3000 bits on.
const RSA_PSS: Keys = &[(786, AUG_2010), (1024, OCT_2019), (1536, OCT_2019), (1900, JAN_2029), (3000, OPEN)];
/// TS 119 312 V1.5.1 §7.2.2.
const DSA: Keys = &[(1024, DEC_2015), (1900, JAN_2029), (3000, OPEN)];
/// TS 119 312 V1.5.1 §7.2.3.
const ECDSA: Keys = &[(160, AUG_2012), (224, OCT_2021), (256, OPEN)];

impl Strength {
    /// The moment from which it is not accepted any more; None where no end is known.
    pub fn until(self) -> Option<OffsetDateTime> {
        let end = match self {
            // TS 119 312 V1.5.1 §5.2; collisions: MD5 2004 (Wang et al.), SHA-1 2017 (Stevens et al.).
            Self::Digest(Digest::Md5) => MD5_ENDS,
            Self::Digest(Digest::Sha1) => AUG_2012,
            Self::Digest(Digest::Sha224) => JAN_2029,
            Self::Digest(_) => OPEN,
            Self::RsaPkcs1(bits) => return ends(RSA_PKCS1, bits),
            Self::RsaPss(bits) => return ends(RSA_PSS, bits),
            Self::Dsa(bits) => return ends(DSA, bits),
            Self::Ecdsa(bits) => return ends(ECDSA, bits),
            // FIPS 186-5 §7 and GM/T 0003, approved without an end.
            Self::Ed25519 | Self::Ed448 | Self::Sm2 => OPEN,
        };
        end.map(|day| day.midnight().assume_utc())
    }

    /// Whether it is accepted at a moment.
    pub fn is_accepted(self, at: OffsetDateTime) -> bool {
        self.until().is_none_or(|end| at < end)
    }

    /// Its time was over when the table was made.
    pub fn is_weak(self) -> bool {
        !self.is_accepted(TABLE_OF)
    }

    /// The name people know it by.
    pub fn name(self) -> String {
        match self {
            Self::Digest(digest) => digest.name().into(),
            Self::RsaPkcs1(bits) => format!("RSA-{bits}"),
            Self::RsaPss(bits) => format!("RSA-{bits} (PSS)"),
            Self::Dsa(bits) => format!("DSA-{bits}"),
            Self::Ecdsa(bits) => format!("ECDSA P-{bits}"),
            Self::Ed25519 => "Ed25519".into(),
            Self::Ed448 => "Ed448".into(),
            Self::Sm2 => "SM2".into(),
        }
    }
}

fn ends(keys: Keys, bits: usize) -> Option<OffsetDateTime> {
    match keys.iter().rev().find(|(least, _)| bits >= *least) {
        Some((_, end)) => end.map(|day| day.midnight().assume_utc()),
        None => Some(OffsetDateTime::UNIX_EPOCH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_good_has_its_day() {
        let good = |strength: Strength, at| strength.is_accepted(at);
        assert!(good(Strength::Digest(Digest::Sha1), datetime!(2012-07-31 23:59:59 UTC)));
        assert!(!good(Strength::Digest(Digest::Sha1), datetime!(2012-08-01 0:00 UTC)));
        assert!(!good(Strength::Digest(Digest::Md5), datetime!(2010-01-01 0:00 UTC)));
        assert!(good(Strength::RsaPkcs1(1024), datetime!(2015-01-01 0:00 UTC)));
        assert!(!good(Strength::RsaPkcs1(1024), datetime!(2020-01-01 0:00 UTC)));
        assert!(!good(Strength::RsaPkcs1(512), datetime!(1999-01-01 0:00 UTC)));
        assert!(good(Strength::RsaPkcs1(2048), datetime!(2028-12-31 0:00 UTC)));
        assert_eq!(Strength::RsaPss(3072).until(), None);
        assert_eq!(Strength::Ecdsa(256).until(), None);
        for weak in [Strength::Digest(Digest::Sha1), Strength::RsaPss(1536), Strength::Ecdsa(224), Strength::Dsa(1024)]
        {
            assert!(weak.is_weak(), "{}", weak.name());
        }
        for sound in [Strength::Digest(Digest::Sha224), Strength::RsaPkcs1(2048), Strength::Ed448, Strength::Dsa(2048)]
        {
            assert!(!sound.is_weak(), "{}", sound.name());
        }
    }

    #[test]
    fn lines_go_up() {
        for keys in [RSA_PKCS1, RSA_PSS, DSA, ECDSA] {
            assert!(
                keys.windows(2).all(|pair| pair[0].0 < pair[1].0 && (pair[1].1.is_none() || pair[0].1 <= pair[1].1))
            );
        }
    }
}
