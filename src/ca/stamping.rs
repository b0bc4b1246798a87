//! The time-stamping unit's key and certificate, one under each line: made once, renewed by itself, the old ones kept for
//! verification.

use time::{Duration, OffsetDateTime};

use super::line::Line;
use super::{Authority, Family, bad_name, lines, missing};
use crate::desk::FlowError;
use crate::keys;
use crate::message::Message;
use crate::pki::certificate::Certificate;
use crate::pki::issue::{self, Period, Serial};
use crate::pki::name::{Attribute, Name};
use crate::store::{OrderKind, StampingCertificate, StampingUnit, StoreError};

/// How long a key stamps, how long before that end its successor is made, and how long the certificate goes on: stamps
/// of its last day must be verified until they are renewed.
const KEY_DAYS: i64 = 365;
const SUCCESSOR_DAYS: i64 = 30;
const CERTIFICATE_YEARS: i64 = 6;

impl Authority {
    /// Makes each line's time-stamping key and certificate where there is none, or where the present one's key nears the
    /// end of its use or its certificate is revoked. Gives the certificates that stamp from now on, and whether they are new.
    ///
    /// # Errors
    /// There is no certificate authority yet, an issuing authority ends too soon, or the key's home or the store says no:
    /// after what could be made is made.
    pub async fn stamping(
        &self,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<Vec<(StampingCertificate, bool)>, FlowError> {
        let mut lines = lines(&self.store).await?;
        // One that a crash left half founded is finished by who founds it; one that was left to end stamps no more.
        lines.retain(|line| line.newest().is_some());
        let living = |line: &Line| line.newest().is_some_and(|newest| newest.certificate.is_in_force(now));
        if lines.iter().any(living) {
            lines.retain(living);
        }
        if lines.is_empty() {
            return Err(missing());
        }
        let mut units = vec![];
        for line in lines {
            units.push(self.stamping_of(&line, who, now).await);
        }
        units.into_iter().collect()
    }

    /// As [`Self::stamping`], of one line.
    pub(super) async fn stamping_of(
        &self,
        line: &Line,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<(StampingCertificate, bool), FlowError> {
        let mut units = self.store.stamping_units().await?;
        units.retain(|unit| unit.certificate.chain.last().is_some_and(|root| root == line.root.certificate.der()));
        let number = units.len() + 1;
        let issuing = line.newest().ok_or_else(missing)?;
        let issuer = &issuing.certificate;
        if let Some(unit) = units.into_iter().next()
            && !unit.revoked
            // What ends with the issuing authority has no successor of its making.
            && (now + Duration::days(SUCCESSOR_DAYS) < unit.certificate.key_until
                || unit.certificate.key_until >= issuer.not_after)
        {
            return Ok((unit.certificate, false));
        }
        let label = format!("{}-{number}", line.mark.label("stamping"));
        let algorithm = issue::certified(&issuer.public_key)?;
        let public_key = self.key(&label, algorithm).await?;
        let subject = Name::of(&[
            (Attribute::Country, "CN"),
            (Attribute::Organization, &issuer.subject.organization().unwrap_or_default()),
            (Attribute::CommonName, &line.mark.name(&format!("TSU {number}"))),
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
            &self.addresses(issuing),
        )?;
        let certificate = self
            .ordered(OrderKind::Certificate, &issuing.label, "time-stamping certificate", unsigned, who, now)
            .await?;
        let filed = StampingCertificate {
            serial: hex::encode(&Certificate::read(&certificate)?.serial),
            label,
            certificate,
            chain: line.above(issuing),
            made_at: now,
            key_until,
        };
        match self.store.add_stamping_certificate(&filed, who).await {
            Ok(()) => Ok((filed, true)),
            // Another process was quicker; both used the one key.
            Err(StoreError::Conflict(message)) => {
                let all = self.store.stamping_certificates().await?;
                let there = all.into_iter().find(|one| one.label == filed.label);
                there.map(|certificate| (certificate, false)).ok_or(FlowError::Request(message))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Each family's newest of these units (newest first), with the family. What they stamped last is said of all of them: whoever
/// chooses among them by his digest must not choose how far back the clock may go.
pub(crate) fn newest_units(units: Vec<StampingUnit>) -> Result<Vec<(Family, StampingUnit)>, FlowError> {
    let mut newest: Vec<(Family, StampingUnit)> = vec![];
    for unit in units {
        let Some(family) = Family::of_chain(&unit.certificate.chain)? else { continue };
        if newest.iter().all(|(known, _)| *known != family) {
            newest.push((family, unit));
        }
    }
    let last = newest.iter().filter_map(|(_, unit)| unit.last).max();
    newest.iter_mut().for_each(|(_, unit)| unit.last = last);
    Ok(newest)
}

/// What is said where no unit was ever made.
pub(crate) fn no_unit() -> Message {
    Message::new(
        "stamping.no-unit",
        "尚无时间戳密钥和证书，请运行 yinxin ca stamping",
        "there is no time-stamping key and certificate yet; run `yinxin ca stamping`",
    )
}
