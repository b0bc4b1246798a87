//! The issuing authorities, which follow one another under their root: the newest makes whatever is new, and those before it
//! go on saying how what they made stands, until they end themselves. Nothing that they made lasts longer than they do.

use time::{Duration, OffsetDateTime};

use super::line::Line;
use super::status::responder_key;
use super::{
    Authority, Family, ISSUING, ISSUING_YEARS, Issuer, SEAL_YEARS, bad_name, issuers, line_to_follow, lines, missing,
    years,
};
use crate::crypto::KeyAlgorithm;
use crate::desk::{FlowError, blocking};
use crate::keys;
use crate::message::{Message, china_time};
use crate::pki::certificate::Certificate;
use crate::pki::issue::{self, Serial};
use crate::pki::name::{Attribute, Name};
use crate::store::{CaCertificate, CaKind, OrderKind};

/// When an issuing authority should have its successor: what it makes afterwards cannot last a seal's full life any more.
pub(crate) fn successor_due(issuer: &Certificate) -> OffsetDateTime {
    issuer.not_after - Duration::days(SEAL_YEARS * 365)
}

impl Authority {
    /// Makes the next issuing authority under the root of the algorithm's family, or where none is given under the only root:
    /// a key and a name of its own, its first list, its responder. From its filing on, it makes whatever is new.
    ///
    /// # Errors
    /// There is no authority yet, none of that family, or no telling which ([`FlowError::Request`]); as [`Self::follow`].
    pub async fn rekey_issuing(
        &self,
        algorithm: Option<KeyAlgorithm>,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<CaCertificate, FlowError> {
        let mut lines = lines(&self.store).await?;
        lines.retain(|line| line.newest().is_some());
        let families: Vec<_> = lines.iter().map(|line| line.family).collect();
        let family = line_to_follow(&families, algorithm)?;
        let line = lines.into_iter().find(|line| line.family == family).ok_or_else(missing)?;
        self.follow(&line, algorithm, who, now).await
    }

    /// Makes the next issuing authority of this line; on the algorithm of the one before, where none is given.
    ///
    /// # Errors
    /// The root ends too soon to be of help ([`FlowError::Request`]); the key's home or the store says no. What a crash left
    /// half done, the hourly look finishes.
    pub(super) async fn follow(
        &self,
        line: &Line,
        algorithm: Option<KeyAlgorithm>,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<CaCertificate, FlowError> {
        let old = line.newest().ok_or_else(missing)?;
        let root = &line.root.certificate;
        let mut period = years(now, ISSUING_YEARS);
        period.not_after = period.not_after.min(root.not_after);
        if period.not_after <= old.certificate.not_after {
            return Err(FlowError::Request(Message::new(
                "ca.root-ends",
                format!(
                    "根证书至{}，在其下新建的签发机构不会比现有的更长久；须另建新的根证书体系",
                    china_time(root.not_after)
                ),
                format!(
                    "the root ends at {} Beijing time, so a new issuing authority would last no longer than the present one; it takes a new root",
                    china_time(root.not_after)
                ),
            )));
        }
        let algorithm = match algorithm {
            Some(algorithm) => algorithm,
            // Where an earlier one was made on another kind of key, its line goes back to its own.
            None => match issue::certified(&old.certificate.public_key)? {
                same if Family::from(same) == line.family => same,
                _ => issue::certified(&root.public_key)?,
            },
        };
        let number = line.issuing.len() + 1;
        let label = format!("{}-{number}", line.mark.label(ISSUING));
        // Another name: a list or an answer is looked for by its maker's, and these have keys of their own.
        let name = Name::of(&[
            (Attribute::Country, "CN"),
            (Attribute::Organization, &old.certificate.subject.organization().unwrap_or_default()),
            (Attribute::CommonName, &line.mark.name(&format!("Seal CA {number}"))),
        ])
        .map_err(bad_name)?;
        let public_key = self.key(&label, algorithm).await?;
        let serial = Serial::from_random(keys::draw()?);
        let at = self.addresses(&line.root);
        let unsigned = issue::issuing_authority(root, &name, &public_key, serial, period, &at)?;
        let certificate =
            self.ordered(OrderKind::Certificate, &line.root.label, "issuing certificate", unsigned, who, now).await?;
        let made = self.file(&label, CaKind::Issuing, certificate, who, now).await?;
        self.publish_list(&label, who, now).await?;
        self.responder_of(&made.clone().try_into()?, who, now).await?;
        Ok(made)
    }

    /// The issuing authority of this label, if it has ended: until then its key says how what it made stands.
    ///
    /// # Errors
    /// [`FlowError::Request`] where there is none, or it is in force.
    pub(crate) async fn ended_issuing(&self, label: &str, now: OffsetDateTime) -> Result<Issuer, FlowError> {
        let found = issuers(&self.store).await?.into_iter().find(|issuer| issuer.label == label);
        let ended = found.filter(|issuer| issuer.certificate.not_after <= now);
        ended.ok_or_else(|| {
            FlowError::Request(Message::new(
                "ca.not-ended",
                format!("没有名为“{label}”且已到期的签发机构；到期之前其密钥还要用于吊销列表和应答"),
                format!(
                    "there is no issuing authority {label} that has ended; until then its key is needed for lists and answers"
                ),
            ))
        })
    }

    /// Destroys the keys of an issuing authority that has ended, its responder's first: whoever had them later could make
    /// certificates of days gone by.
    ///
    /// # Errors
    /// As [`Authority::ended_issuing`]; or the keys' home or the store says no.
    pub async fn destroy_issuing(
        &self,
        label: &str,
        document: &str,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<(), FlowError> {
        self.ended_issuing(label, now).await?;
        for key in [responder_key(label), label.to_owned()] {
            let (keyring, named) = (self.keyring.clone(), key.clone());
            let there = blocking(move || match keyring.labels()?.contains(&named) {
                true => keyring.signer(&named).map(|signer| Some(signer.public_key().to_vec())),
                false => Ok(None),
            })
            .await?;
            let Some(public_key) = there else { continue };
            let title = format!("key destroyed: {document}");
            let leave = self.store.write_down_destruction(&key, &public_key, &title, who, now).await?;
            let (id, keyring) = (leave.id().to_owned(), self.keyring.clone());
            blocking(move || keyring.destroy(leave)).await?;
            self.store.finish_act(&id, now).await?;
        }
        Ok(())
    }
}
