//! `[use]` and `[certificates]`: how often a seal may be used, and what becomes of its certificates by itself.

use serde::Deserialize;

use super::Wrong;
use crate::ceiling::{Ceiling, Ceilings};
use crate::keys::Mode;

/// What becomes of seals' certificates by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificates {
    /// Seals are rekeyed in time; otherwise two officers do it.
    pub rekeys: bool,
}

impl Certificates {
    /// In earnest a seal's key is made and destroyed by two officers in a ceremony, never by itself.
    pub(super) fn of(written: &CertificatesWritten, mode: Mode) -> Result<Self, Wrong> {
        let rekeys = written.rekey == RekeyWritten::Automatic;
        if rekeys && mode == Mode::Production { Err(Wrong::Value("certificates.rekey")) } else { Ok(Self { rekeys }) }
    }
}

/// Each hour's within its day's.
pub(super) fn ceilings(written: &UseWritten) -> Result<Ceilings, Wrong> {
    let Ceilings { seal, officer } = Ceilings::default();
    let within = |hour: Option<u32>, day: Option<u32>, default: Ceiling, key| {
        let a_day = day.unwrap_or(default.a_day);
        let an_hour = hour.unwrap_or(default.an_hour.min(a_day));
        Ceiling { an_hour, a_day }.check().map_err(|_| Wrong::Value(key))
    };
    Ok(Ceilings {
        seal: within(written.seal_per_hour, written.seal_per_day, seal, "use.seal_per_hour")?,
        officer: within(written.officer_per_hour, written.officer_per_day, officer, "use.officer_per_hour")?,
    })
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub(super) struct UseWritten {
    seal_per_hour: Option<u32>,
    seal_per_day: Option<u32>,
    officer_per_hour: Option<u32>,
    officer_per_day: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub(super) struct CertificatesWritten {
    rekey: RekeyWritten,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "kebab-case")]
enum RekeyWritten {
    #[default]
    ByHand,
    Automatic,
}

/// As [`super::KEYS`].
pub(super) const KEYS: &[(&str, &str, &str)] = &[
    (
        "use.seal_per_hour",
        "0 起的整数，不高于 use.seal_per_day",
        "a whole number from 0, no more than use.seal_per_day",
    ),
    ("use.seal_per_day", "0 起的整数", "a whole number from 0"),
    (
        "use.officer_per_hour",
        "0 起的整数，不高于 use.officer_per_day",
        "a whole number from 0, no more than use.officer_per_day",
    ),
    ("use.officer_per_day", "0 起的整数", "a whole number from 0"),
    (
        "certificates.rekey",
        "\"by-hand\"（由两名人员办理）或 \"automatic\"（到期前自动换钥）",
        "\"by-hand\" (two officers do it) or \"automatic\" (seals are rekeyed in time by themselves)",
    ),
];
