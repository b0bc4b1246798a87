//! A key for one record: certified by the issuing authority, used once, destroyed.
//!
//! Not the issuing authority's own key: its certificate says that it signs certificates and lists, and verifiers hold it to
//! that. Not a key that stays: whoever had it later could write transcripts of ceremonies that never were.

use time::{Duration, OffsetDateTime};

use super::{Authority, Family, bad_name};
use crate::ceremony::transcript::SIGNER;
use crate::cms;
use crate::desk::{FlowError, blocking};
use crate::keys;
use crate::pki::issue::{self, Addresses, Period, Serial};
use crate::pki::name::{Attribute, Name};
use crate::store::{Act, OrderKind};

impl Authority {
    /// Signs `bytes` as a record called `title`, where the house has the choice on a key that every reader of CMS verifies.
    /// Gives a detached CMS signature (DER) with the chain up to the root.
    ///
    /// # Errors
    /// There is no certificate authority, or the keys' home or the store says no.
    pub async fn sign_record(
        &self,
        title: &str,
        bytes: &[u8],
        who: &str,
        now: OffsetDateTime,
    ) -> Result<Vec<u8>, FlowError> {
        let (issuing, line) = self.issuing(Family::International).await?;
        let issuer = &issuing.certificate;
        let algorithm = issue::certified(&issuer.public_key)?;
        let label = format!("ceremony-{}", hex::encode(&keys::draw()?[..8]));
        let public_key = self.key(&label, algorithm).await?;
        let name = Name::of(&[
            (Attribute::Country, "CN"),
            (Attribute::Organization, &issuer.subject.organization().unwrap_or_default()),
            (Attribute::CommonName, &format!("{SIGNER} {}", now.date())),
        ])
        .map_err(bad_name)?;
        let not_after = issuer.not_after.min(now + Duration::DAY);
        let period = Period { not_before: now - Duration::minutes(5), not_after };
        let serial = Serial::from_random(keys::draw()?);
        let unsigned = issue::seal(issuer, &name, &public_key, serial, period, &Addresses::default())?;
        let certificate =
            self.ordered(OrderKind::Certificate, &issuing.label, "ceremony certificate", unsigned, who, now).await?;
        let digest = algorithm.digest();
        let attributes = cms::signed_attributes(digest, &digest.over(&[bytes]), &certificate, None);
        let chain = [vec![certificate], line.above(&issuing)].concat();
        let title = format!("ceremony transcript: {title}");
        let act = Act {
            kind: OrderKind::Transcript,
            key_label: &label,
            title: &title,
            to_be_signed: attributes.clone(),
            who,
            now,
        };
        let signed = async {
            let order = self.store.write_down_act(act).await?;
            let id = order.id().to_owned();
            let (keyring, named) = (self.keyring.clone(), label.clone());
            let signature = blocking(move || keyring.signer(&named)?.sign(order)).await?;
            self.store.finish_act(&id, now).await?;
            Ok::<_, FlowError>(cms::assemble(&attributes, signature.value(), signature.algorithm(), &chain, None)?)
        };
        let signed = signed.await;
        // Also where it did not sign: a key that may sign documents must not stay behind.
        let leave = self.store.write_down_destruction(&label, &public_key, &title, who, now).await?;
        let (id, keyring) = (leave.id().to_owned(), self.keyring.clone());
        blocking(move || keyring.destroy(leave)).await?;
        self.store.finish_act(&id, now).await?;
        signed
    }
}
