//! The life of a seal's certificate: followed by the next in time, revoked where it must be, its key destroyed at the end.
//!
//! Rekeying makes a new key and certificate for the same seal. From its instant on the new one is used; the old key takes
//! no new orders, finishes those that were written down, and is then destroyed in its home, with a record that says when
//! and on whose order. What the old certificate sealed stays verifiable: it is never taken off any list or register.

use time::{Duration, OffsetDateTime};

use super::line::Line;
use super::making::is_sm2;
use super::{Authority, lines, successor_due};
use crate::crypto::KeyAlgorithm;
use crate::desk::{FlowError, blocking};
use crate::keys::KeyError;
use crate::message::{Message, china_time};
use crate::officer::OfficerId;
use crate::pki::certificate::Certificate;
use crate::pki::issue::{self, Reason};
use crate::seal::{Seal, SealNumber, SealStatus};
use crate::store::{CertificateLife, KeyEnd, Revocation, SealCertificate, SealFilter, Store, StoreError};

/// Days before a certificate's end at which a warning is given: an outside authority takes some weeks, a meeting of two
/// officers some days.
pub const WARNINGS: [i64; 4] = [90, 60, 30, 7];
/// Days before the end at which a seal is rekeyed by itself, where the settings say so.
const REKEY_DAYS: i64 = 30;

/// How a seal is to be rekeyed.
#[derive(Debug, Clone)]
pub struct Rekey {
    /// Serial number (hexadecimal) of the certificate to be followed; the one in use where none is given.
    pub serial: Option<String>,
    /// As the old key's, where none is given.
    pub algorithm: Option<KeyAlgorithm>,
    /// From when on the new one is used.
    pub used_from: OffsetDateTime,
    /// The document that orders it.
    pub document: String,
    /// The old key is not destroyed.
    pub keeps_old_key: bool,
}

/// How a certificate is to be revoked.
#[derive(Debug, Clone)]
pub struct Revoke {
    /// Serial number, hexadecimal.
    pub serial: String,
    pub reason: Reason,
    /// From when on the key may have been in other hands, or the certificate untrue.
    pub since: Option<OffsetDateTime>,
    /// The document that orders it.
    pub document: String,
    /// How many sealed documents it ends, where it counts from before now.
    pub acknowledged: u64,
}

/// A certificate that ends soon.
#[derive(Debug, Clone)]
pub struct EndsSoon {
    /// The seal's number, or the authority's label.
    pub subject: String,
    /// The seal's legend; none for an authority.
    pub legend: Option<String>,
    pub ends: OffsetDateTime,
    /// By when it wants a successor: its end, and for an issuing authority as long before as a seal's certificate lasts.
    pub follow_by: OffsetDateTime,
}

/// What the hourly look did.
#[derive(Debug, Default)]
pub struct Upkeep {
    /// Warnings given now.
    pub warned: usize,
    pub rekeyed: Vec<SealNumber>,
    /// Labels of the issuing authorities that were made.
    pub issuing: Vec<String>,
    /// Labels of keys that were destroyed.
    pub destroyed: Vec<String>,
    /// What could not be done now and will be tried again.
    pub trouble: Vec<Message>,
}

impl Authority {
    /// Makes the next key and certificate of a seal under our issuing authority.
    ///
    /// # Errors
    /// [`FlowError::Request`] where there is nothing to follow, a successor is there already, or the new one would be used
    /// only after the old one's end.
    pub async fn rekey(
        &self,
        seal: &Seal,
        order: &Rekey,
        (by, second): (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<SealCertificate, FlowError> {
        let lives = self.store.certificate_lives(&seal.number).await?;
        let mut in_use = in_use(&lives, now);
        if let Some(serial) = &order.serial {
            in_use.retain(|certificate| certificate.serial == *serial);
        }
        let old = in_use.first();
        // One for PDF and one on SM2 for OFD follow each in its own time. Where nobody says which, none may be under way.
        let kind = |certificate: &SealCertificate| is_sm2(certificate).ok();
        let meant = old.filter(|_| order.serial.is_some()).map(kind);
        let planned = lives.iter().filter(|life| life.certificate.used_from > now && life.revocation.is_none());
        if planned.map(|life| kind(&life.certificate)).any(|kind| meant.is_none_or(|meant| meant == kind)) {
            return Err(FlowError::Request(Message::new(
                "life.successor",
                format!("印章{}已有尚未启用的新证书，不重复换钥", seal.number),
                format!("the seal {} has a successor already, which is not in use yet", seal.number),
            )));
        }
        let old = old.ok_or_else(|| FlowError::CertificateEnded(seal.number.to_string()))?;
        let read = Certificate::read(&old.certificate)?;
        let from = order.used_from.max(now);
        if from >= read.not_after {
            return Err(FlowError::Request(Message::new(
                "life.gap",
                format!("新证书启用时间晚于旧证书到期时间（{}），其间无法用印", china_time(read.not_after)),
                format!(
                    "the new certificate would be used only after the old one ended ({} Beijing time)",
                    china_time(read.not_after)
                ),
            )));
        }
        let algorithm = match order.algorithm {
            Some(algorithm) => algorithm,
            None => issue::certified(&read.public_key)?,
        };
        let (label, certificate, chain) = self.certify(seal, algorithm, by, now).await?;
        let successor = super::certificate_of(seal, &label, certificate, chain, from, now)?;
        let end = KeyEnd {
            key_label: old.key_label.clone(),
            seal: seal.number.clone(),
            not_before: from,
            document: order.document.clone(),
            by: by.clone(),
            confirmed_by: second.clone(),
        };
        let end = (!order.keeps_old_key).then_some(&end);
        self.store.install_successor(&successor, end, (by, second), now).await?;
        self.remade(seal, (old, &successor), (by, second), now).await?;
        Ok(successor)
    }

    /// Revokes a certificate of a seal that our issuing authority made, and publishes the next list.
    ///
    /// # Errors
    /// [`FlowError::Request`] where it is not the seal's or not ours, the reason is not one of a seal's, or the moment is
    /// not one of its life; a rule where it ends documents and nobody said how many.
    pub async fn revoke(
        &self,
        seal: &SealNumber,
        order: &Revoke,
        (by, second): (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<Revocation, FlowError> {
        let filed = self.store.certificates(seal).await?.into_iter().find(|one| one.serial == order.serial);
        let filed = filed.ok_or_else(|| {
            FlowError::Unknown(Message::new(
                "life.no-certificate",
                format!("印章{seal}没有序列号为{}的证书", order.serial),
                format!("the seal {seal} has no certificate with the serial number {}", order.serial),
            ))
        })?;
        let read = Certificate::read(&filed.certificate)?;
        let Some(issuer) = self.issuer_of(&read).await? else {
            return Err(FlowError::Request(Message::new(
                "life.not-ours",
                "该证书由外部 CA 签发，须请其吊销；本系统可先停用印章（yinxin seal suspend）",
                "an outside authority made this certificate and must revoke it; meanwhile suspend the seal (`yinxin seal suspend`)",
            )));
        };
        if matches!(order.reason, Reason::CaCompromise | Reason::AaCompromise | Reason::CertificateHold) {
            return Err(FlowError::Request(Message::new(
                "life.reason",
                "此吊销理由不适用于印章证书；暂停使用请用停用印章",
                "this is no reason for a seal's certificate; to put it out of use for a while, suspend the seal",
            )));
        }
        if order.since.is_some_and(|since| since > now || since < read.not_before) {
            return Err(FlowError::Request(Message::new(
                "life.since",
                "失控时间应在证书生效之后、现在之前",
                "the key can have been in other hands only after the certificate began and before now",
            )));
        }
        let revocation = Revocation {
            serial: filed.serial.clone(),
            issuer: issuer.label,
            at: now,
            reason: order.reason,
            document: order.document.clone(),
            invalid_since: order.since,
        };
        self.store.revoke_certificate(&filed, &revocation, (by, second), order.acknowledged, now).await?;
        self.publish_list(&revocation.issuer, by.as_str(), now).await?;
        Ok(revocation)
    }

    /// Writes down that the key of one of the seal's certificates is to be destroyed, and destroys it unless an order that
    /// was written down still waits for it; then the hourly look does. Says whether it is gone.
    ///
    /// # Errors
    /// The seal has no such key, its end is written down already, or the key's home says no (the end stays written down).
    pub async fn end_key(
        &self,
        seal: &SealNumber,
        key_label: &str,
        document: &str,
        (by, second): (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<bool, FlowError> {
        if !self.store.certificates(seal).await?.iter().any(|one| one.key_label == key_label) {
            return Err(FlowError::Unknown(Message::new(
                "life.no-key",
                format!("印章{seal}没有名为“{key_label}”的密钥"),
                format!("the seal {seal} has no key '{key_label}'"),
            )));
        }
        let end = KeyEnd {
            key_label: key_label.to_owned(),
            seal: seal.clone(),
            not_before: now,
            document: document.to_owned(),
            by: by.clone(),
            confirmed_by: second.clone(),
        };
        self.store.end_key(&end, now).await?;
        match self.store.keys_to_destroy(now).await?.into_iter().find(|(found, _)| found.key_label == end.key_label) {
            Some((end, true)) => self.destroy(&end, now).await.map(|()| true),
            _ => Ok(false),
        }
    }

    /// The hourly look: warns of certificates that end, rekeys seals where `rekeys` says so, and destroys keys whose end has
    /// come. What cannot be done is said and tried again.
    ///
    /// # Errors
    /// The store failed.
    pub async fn keep_up(&self, rekeys: bool, who: &OfficerId, now: OffsetDateTime) -> Result<Upkeep, FlowError> {
        let mut upkeep = Upkeep::default();
        let given = self.store.warnings_given().await?;
        for (soon, digest) in self.ending(now).await? {
            let left = soon.follow_by - now;
            let due = WARNINGS.iter().rev().find(|days| left <= Duration::days(**days));
            let Some(days) = due.filter(|days| !given.contains(&(digest.clone(), **days))) else { continue };
            upkeep.warned +=
                usize::from(self.store.warn_of_end((&soon.subject, &digest), *days, soon.ends, now).await?);
        }
        if rekeys {
            for (soon, digest) in self.ending(now).await? {
                if soon.follow_by > now + Duration::days(REKEY_DAYS) {
                    continue;
                }
                let done = match soon.legend {
                    Some(_) => {
                        self.rekey_by_itself(&soon, &digest, who, now).await.map(|number| upkeep.rekeyed.extend(number))
                    }
                    None => {
                        let ends = |line: &Line| line.newest().is_some_and(|newest| newest.label == soon.subject);
                        // A root is followed by none.
                        let Some(line) = lines(&self.store).await?.into_iter().find(ends) else { continue };
                        match self.follow(&line, None, who.as_str(), now).await {
                            // Another process was quicker.
                            Err(FlowError::Store(StoreError::Conflict(_))) => Ok(()),
                            made => made.map(|made| upkeep.issuing.push(made.label)),
                        }
                    }
                };
                upkeep.trouble.extend(done.err().map(|error| error.message()));
            }
        }
        for (end, free) in self.store.keys_to_destroy(now).await? {
            match if free { self.destroy(&end, now).await } else { continue } {
                Ok(()) => upkeep.destroyed.push(end.key_label),
                Err(error) => upkeep.trouble.push(error.message()),
            }
        }
        Ok(upkeep)
    }

    /// Certificates in use that want a successor within the first warning, with their SHA-256, soonest first: of seals in
    /// force, and of our authorities.
    ///
    /// # Errors
    /// The store failed, or a certificate on file cannot be read.
    pub async fn ending(&self, now: OffsetDateTime) -> Result<Vec<(EndsSoon, String)>, FlowError> {
        ending(&self.store, now).await
    }

    /// None where the certificate is an outside authority's, or somebody was quicker.
    async fn rekey_by_itself(
        &self,
        soon: &EndsSoon,
        digest: &str,
        who: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<Option<SealNumber>, FlowError> {
        let Some(old) = self.store.certificate(digest).await? else { return Ok(None) };
        let Some(filed) = self.store.seal(&old.seal).await? else { return Ok(None) };
        if self.issuer_of(&Certificate::read(&old.certificate)?).await?.is_none() {
            return Ok(None);
        }
        let order = Rekey {
            serial: Some(old.serial),
            algorithm: None,
            used_from: now,
            document: format!("自动换钥（设置 certificates.rekey；原证书至{}）", china_time(soon.ends)),
            keeps_old_key: false,
        };
        match self.rekey(&filed.seal, &order, (who, who), now).await {
            Ok(_) => Ok(Some(old.seal)),
            Err(FlowError::Store(StoreError::Conflict(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Destroys the key in its home, on a leave that is written down first; then records it and revokes its certificate.
    async fn destroy(&self, end: &KeyEnd, now: OffsetDateTime) -> Result<(), FlowError> {
        let (keyring, label) = (self.keyring.clone(), end.key_label.clone());
        let there = blocking(move || match keyring.labels()?.contains(&label) {
            true => keyring.signer(&label).map(|signer| Some(signer.public_key().to_vec())),
            false => Ok(None),
        })
        .await?;
        match there {
            Some(public_key) => {
                let title = format!("key destroyed: {}", end.document);
                let store = &self.store;
                let leave =
                    store.write_down_destruction(&end.key_label, &public_key, &title, end.by.as_str(), now).await?;
                let (id, keyring) = (leave.id().to_owned(), self.keyring.clone());
                blocking(move || keyring.destroy(leave)).await?;
                store.finish_act(&id, now).await?;
            }
            // A crash came between the destruction and its record.
            None if self.store.destruction_begun(&end.key_label).await? => {}
            None => {
                let home = format!("{:?}", self.keyring.home());
                return Err(KeyError::Unknown { label: end.key_label.clone(), home }.into());
            }
        }
        self.store.key_destroyed(end, now).await?;
        self.revoke_for_good(end, now).await
    }

    /// Nobody can sign under the certificate any more: it is revoked, unless it has expired or is revoked already.
    async fn revoke_for_good(&self, end: &KeyEnd, now: OffsetDateTime) -> Result<(), FlowError> {
        for life in self.store.certificate_lives(&end.seal).await? {
            let read = Certificate::read(&life.certificate.certificate)?;
            let over = life.revocation.is_some() || read.not_after <= now;
            if life.certificate.key_label != end.key_label || over {
                continue;
            }
            let Some(issuer) = self.issuer_of(&read).await? else { continue };
            let revocation = Revocation {
                serial: life.certificate.serial,
                issuer: issuer.label,
                at: now,
                reason: Reason::CessationOfOperation,
                document: end.document.clone(),
                invalid_since: None,
            };
            match self.store.revoke(&revocation, end.by.as_str(), now).await {
                Ok(()) => drop(self.publish_list(&revocation.issuer, end.by.as_str(), now).await?),
                // Another process was quicker; it is revoked.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Those of a seal's certificates under which it may be used now, the one to be used first.
pub fn in_use(lives: &[CertificateLife], now: OffsetDateTime) -> Vec<SealCertificate> {
    let mut usable: Vec<_> =
        lives.iter().filter(|life| life.may_be_used(now)).map(|life| life.certificate.clone()).collect();
    usable.sort_by_key(|certificate| std::cmp::Reverse((certificate.used_from, certificate.installed_at)));
    usable
}

/// As [`Authority::ending`], for who has no keys.
///
/// # Errors
/// The store failed, or a certificate on file cannot be read.
pub async fn ending(store: &Store, now: OffsetDateTime) -> Result<Vec<(EndsSoon, String)>, FlowError> {
    let soon = now + Duration::days(WARNINGS[0]);
    let mut ending = vec![];
    for line in lines(store).await? {
        let root = (&line.root, line.root.certificate.not_after);
        // An issuing authority that was followed may end in peace.
        let newest = line.newest().map(|newest| (newest, successor_due(&newest.certificate)));
        for (one, follow_by) in std::iter::once(root).chain(newest).filter(|(_, follow_by)| *follow_by <= soon) {
            let digest = hex::encode(one.certificate.fingerprint());
            let ends = one.certificate.not_after;
            ending.push((EndsSoon { subject: one.label.clone(), legend: None, ends, follow_by }, digest));
        }
    }
    let mut offset = 0;
    loop {
        let seals = store.seals(&SealFilter { limit: 500, offset, ..SealFilter::default() }).await?;
        for filed in seals.iter().filter(|filed| filed.seal.life.status_at(now) == SealStatus::InForce) {
            let lives = store.certificate_lives(&filed.seal.number).await?;
            // A seal may have one for PDF and one on SM2 for OFD, and each is followed by its own kind.
            let is_sm2 = |life: &CertificateLife| is_sm2(&life.certificate).unwrap_or(false);
            let (sm2, others): (Vec<_>, Vec<_>) = lives.into_iter().partition(is_sm2);
            let idle = in_use(&sm2, now).is_empty() && in_use(&others, now).is_empty();
            for lives in [others, sm2] {
                // One that is in use, or that nothing followed: what a successor replaces may end in peace.
                let followed = lives.iter().any(|life| life.certificate.used_from > now);
                let newest = in_use(&lives, now).into_iter().next().or_else(|| {
                    let last = lives.iter().rev().find(|life| life.revocation.is_none() && idle);
                    last.map(|life| life.certificate.clone())
                });
                let Some(newest) = newest.filter(|_| !followed) else { continue };
                let ends = Certificate::read(&newest.certificate)?.not_after;
                if ends <= soon {
                    let legend = Some(filed.seal.legend.clone());
                    let subject = filed.seal.number.to_string();
                    ending.push((EndsSoon { subject, legend, ends, follow_by: ends }, newest.digest));
                }
            }
        }
        if seals.len() < 500 {
            break;
        }
        offset += 500;
    }
    ending.sort_by_key(|(soon, _)| soon.follow_by);
    Ok(ending)
}
