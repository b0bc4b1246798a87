//! The time-stamping unit's key and certificate: made once, renewed by itself, the old ones kept for verification.

use time::{Duration, OffsetDateTime};

use super::{Authority, ROOT, bad_name};
use crate::desk::FlowError;
use crate::keys;
use crate::message::Message;
use crate::pki::certificate::Certificate;
use crate::pki::issue::{self, Period, Serial};
use crate::pki::name::{Attribute, Name};
use crate::store::{OrderKind, StampingCertificate, StoreError};

/// How long a key stamps, how long before that end its successor is made, and how long the certificate goes on: stamps
/// of its last day must be verified until they are renewed.
const KEY_DAYS: i64 = 365;
const SUCCESSOR_DAYS: i64 = 30;
const CERTIFICATE_YEARS: i64 = 6;

impl Authority {
    /// Makes the time-stamping unit's key and certificate where there is none, or where the present one's key nears the
    /// end of its use or its certificate is revoked. Gives the certificate that stamps from now on, and whether it is new.
    ///
    /// # Errors
    /// There is no certificate authority yet, the issuing authority ends too soon, or the key's home or the store says no.
    pub async fn stamping(&self, who: &str, now: OffsetDateTime) -> Result<(StampingCertificate, bool), FlowError> {
        if let Some(unit) = self.store.stamping_unit().await?
            && !unit.revoked
            && now + Duration::days(SUCCESSOR_DAYS) < unit.certificate.key_until
        {
            return Ok((unit.certificate, false));
        }
        let (issuing, root) = (self.issuing().await?, self.filed(ROOT).await?);
        let issuer = &issuing.certificate;
        let number = self.store.stamping_certificates().await?.len() + 1;
        let label = format!("stamping-{number}");
        let algorithm = issue::certified(&issuer.public_key)?;
        let public_key = self.key(&label, algorithm).await?;
        let subject = Name::of(&[
            (Attribute::Country, "CN"),
            (Attribute::Organization, &issuer.subject.organization().unwrap_or_default()),
            (Attribute::CommonName, &format!("yinxin TSU {number}")),
        ])
        .map_err(bad_name)?;
        let not_after = issuer.not_after.min(now + Duration::days(CERTIFICATE_YEARS * 365));
        let key_until = not_after.min(now + Duration::days(KEY_DAYS));
        let unsigned = issue::stamping(
            issuer,
            &subject,
            &public_key,
            Serial::from_random(keys::draw()?),
            Period { not_before: now - Duration::minutes(5), not_after },
            key_until,
            &self.addresses(&issuing.label),
        )?;
        let certificate = self
            .ordered(OrderKind::Certificate, &issuing.label, "time-stamping certificate", unsigned, who, now)
            .await?;
        let filed = StampingCertificate {
            serial: hex::encode(Certificate::read(&certificate)?.serial),
            label,
            certificate,
            chain: vec![issuer.der().to_vec(), root.certificate],
            made_at: now,
            key_until,
        };
        match self.store.add_stamping_certificate(&filed, who).await {
            Ok(()) => Ok((filed, true)),
            // Another process was quicker; both used the one key.
            Err(StoreError::Conflict(message)) => match self.store.stamping_unit().await? {
                Some(unit) => Ok((unit.certificate, false)),
                None => Err(FlowError::Request(message)),
            },
            Err(error) => Err(error.into()),
        }
    }
}

/// What is said where no unit was ever made.
pub(crate) fn no_unit() -> Message {
    Message::new(
        "stamping.no-unit",
        "尚无时间戳密钥和证书，请运行 yinxin ca stamping",
        "there is no time-stamping key and certificate yet; run `yinxin ca stamping`",
    )
}
