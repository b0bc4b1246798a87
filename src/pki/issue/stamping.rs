//! The certificate of a time-stamping unit: stamps, and nothing else.

use const_oid::db::rfc5280;
use time::OffsetDateTime;

use super::{
    Addresses, DIGITAL_SIGNATURE, IssueFault, Period, Serial, Unsigned, certificate, extension, generalized_time,
    issued_by, key_usage, subject_key_identifier,
};
use crate::pki::certificate::Certificate;
use crate::pki::name::Name;
use crate::pki::tlv;

/// The certificate of our own time-stamping unit (RFC 3161 §2.3, EN 319 422 §6): a key of its own, that may sign and
/// whose one purpose, marked critical, is id-kp-timeStamping. The key is used until `key_until`, long before the
/// certificate ends (privateKeyUsagePeriod, X.509 §9.2.2.4): its last stamp is to be verified for years.
///
/// # Errors
/// As [`super::issuing_authority`]; [`IssueFault::Period`] also where `key_until` is not within the period.
pub fn stamping(
    issuer: &Certificate,
    subject: &Name,
    public_key: &[u8],
    serial: Serial,
    period: Period,
    key_until: OffsetDateTime,
    addresses: &Addresses,
) -> Result<Unsigned, IssueFault> {
    if key_until <= period.not_before || key_until > period.not_after {
        return Err(IssueFault::Period);
    }
    let purposes = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(rfc5280::ID_KP_TIME_STAMPING)]);
    // [1] notAfter, IMPLICIT.
    let mut until = generalized_time(key_until)?;
    if let Some(tag) = until.first_mut() {
        *tag = tlv::context_primitive(1);
    }
    let mut extensions = vec![
        key_usage(DIGITAL_SIGNATURE),
        extension(rfc5280::ID_CE_EXT_KEY_USAGE, true, &purposes),
        extension(rfc5280::ID_CE_PRIVATE_KEY_USAGE_PERIOD, false, &tlv::wrap(tlv::SEQUENCE, &[&until])),
        subject_key_identifier(public_key)?,
    ];
    extensions.extend(issued_by(issuer, period, addresses)?);
    certificate(&issuer.subject, &issuer.public_key, subject, public_key, serial, period, extensions)
}
