//! The service's own certificate authorities: a root and an issuing authority, or two such lines (see [`Family`]), seal
//! certificates, revocation lists; or a seal's certificate from an authority outside. Every signature here is an order too,
//! written down first.

mod issuing;
pub mod life;
mod line;
pub mod making;
mod record;
mod stamping;
mod status;

use std::collections::HashSet;
use std::sync::Arc;

use line::made_by;
use time::{Duration, OffsetDateTime};

use crate::crypto::KeyAlgorithm;
use crate::desk::{Desk, FlowError, blocking};
use crate::keys::{self, Keyring};
use crate::message::Message;
use crate::officer::OfficerId;
use crate::pki::certificate::Certificate;
use crate::pki::install::check_installable;
use crate::pki::issue::{self, IssueFault, Period, Reason, Serial, Unsigned};
use crate::pki::name::{Attribute, Name};
use crate::seal::{Seal, SealStatus};
use crate::store::{Act, CaCertificate, CaKind, OrderKind, Revocation, SealCertificate, SealFilter, Store, StoreError};

pub(crate) use issuing::successor_due;
pub use line::Family;
pub(crate) use line::{Issuer, Line, exists, founded, founding, issuers, line_to_follow, lines};
pub(crate) use stamping::{newest_units, no_unit};
pub use status::Publication;
pub(crate) use status::RESPONDER_SUCCESSOR_DAYS;
pub(crate) use status::{kept_answer, standing};

/// Label of the first root's key and certificate; a second one's is `root-sm2` or `root-international`.
pub const ROOT: &str = "root";
/// Label of the first issuing authority's key and certificate; those that follow are `issuing-2` and so on, under a second
/// root `issuing-sm2`, `issuing-sm2-2`.
pub const ISSUING: &str = "issuing";

/// Lives: root, issuing authority, seal. A seal's is short because rekeying is ordinary, not because keys wear out.
const ROOT_YEARS: i64 = 20;
const ISSUING_YEARS: i64 = 10;
const SEAL_YEARS: i64 = 3;

/// The tools of this flow.
#[derive(Debug, Clone)]
pub struct Authority {
    pub store: Store,
    pub keyring: Arc<Keyring>,
    pub publication: Publication,
    /// Where time stamps come from: seals of V5 have one. Nothing else of ours does.
    pub stamps: Option<Desk>,
}

impl Authority {
    /// Makes the root, the issuing authority and the time-stamping unit for the algorithm's family, beside those of the other
    /// where it has them. What a crash left half done is taken up again.
    ///
    /// # Errors
    /// [`FlowError::Request`] where the family has its authorities; the key's home or the store says no.
    pub async fn init(
        &self,
        organisation: &str,
        algorithm: KeyAlgorithm,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<Vec<CaCertificate>, FlowError> {
        let family = Family::from(algorithm);
        let (mark, root) = line::vacancy(lines(&self.store).await?, family)?;
        let name = |common: &str| {
            Name::of(&[
                (Attribute::Country, "CN"),
                (Attribute::Organization, organisation),
                (Attribute::CommonName, &mark.name(common)),
            ])
            .map_err(bad_name)
        };
        let mut made = vec![];
        let root = match root {
            Some(root) => root,
            None => {
                let label = mark.label(ROOT);
                let key = self.key(&label, algorithm).await?;
                let serial = Serial::from_random(keys::draw()?);
                let unsigned = issue::root(&name("Root CA")?, &key, serial, years(now, ROOT_YEARS))?;
                let root = self.ordered(OrderKind::Certificate, &label, "root certificate", unsigned, who, now).await?;
                let root = self.file(&label, CaKind::Root, root, who, now).await?;
                made.push(root.clone());
                root.try_into()?
            }
        };
        let label = mark.label(ISSUING);
        let key = self.key(&label, algorithm).await?;
        let mut period = years(now, ISSUING_YEARS);
        period.not_after = period.not_after.min(root.certificate.not_after);
        let unsigned = issue::issuing_authority(
            &root.certificate,
            &name("Seal CA")?,
            &key,
            Serial::from_random(keys::draw()?),
            period,
            &self.addresses(&root),
        )?;
        let issuing =
            self.ordered(OrderKind::Certificate, &root.label, "issuing certificate", unsigned, who, now).await?;
        made.push(self.file(&label, CaKind::Issuing, issuing, who, now).await?);
        for label in [&root.label, &label] {
            self.publish_list(label, who, now).await?;
        }
        let (issuing, line) = self.issuing(family).await?;
        self.stamping_of(&line, who, now).await?;
        self.responder_of(&issuing, who, now).await?;
        Ok(made)
    }

    /// Makes a key and a certificate for a seal under the issuing authority of its family, and installs it.
    pub async fn certify_seal(
        &self,
        seal: &Seal,
        algorithm: KeyAlgorithm,
        by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<SealCertificate, FlowError> {
        let (label, certificate, chain) = self.certify(seal, algorithm, by, now).await?;
        self.install(seal, &label, certificate, chain, by, now).await
    }

    /// Makes a key and a certificate for a seal. Gives the key's label, the certificate, and its issuers.
    async fn certify(
        &self,
        seal: &Seal,
        algorithm: KeyAlgorithm,
        by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<(String, Vec<u8>, Vec<Vec<u8>>), FlowError> {
        let (issuing, line) = self.issuing(algorithm.into()).await?;
        let label = self.next_label(seal).await?;
        let public_key = self.key(&label, algorithm).await?;
        let mut period = years(now, SEAL_YEARS);
        // A certificate that outlives its issuer is of no use (and is refused).
        period.not_after = period.not_after.min(issuing.certificate.not_after);
        let unsigned = issue::seal(
            &issuing.certificate,
            &subject(seal)?,
            &public_key,
            Serial::from_random(keys::draw()?),
            period,
            &self.addresses(&issuing),
        )?;
        let certificate = self
            .ordered(
                OrderKind::Certificate,
                &issuing.label,
                &format!("seal certificate {}", seal.number),
                unsigned,
                by.as_str(),
                now,
            )
            .await?;
        Ok((label, certificate, line.above(&issuing)))
    }

    /// A request (PKCS#10) for a certificate of an outside authority on a new key. Gives the key's label and the DER.
    pub async fn request(
        &self,
        seal: &Seal,
        algorithm: KeyAlgorithm,
        by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<(String, Vec<u8>), FlowError> {
        let label = self.next_label(seal).await?;
        let public_key = self.key(&label, algorithm).await?;
        let unsigned = issue::request(&subject(seal)?, &public_key)?;
        let request = self
            .ordered(
                OrderKind::Request,
                &label,
                &format!("certificate request {}", seal.number),
                unsigned,
                by.as_str(),
                now,
            )
            .await?;
        Ok((label, request))
    }

    /// Installs what an outside authority sent for the key `label`: the chain must lead to an anchor and be on this key.
    pub async fn install_outside(
        &self,
        seal: &Seal,
        label: &str,
        certificates: &[Certificate],
        anchors: &[Certificate],
        by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<SealCertificate, FlowError> {
        // Another seal's key would give this seal's officers that seal.
        if !label.starts_with(&format!("seal-{}-", seal.number)) {
            return Err(FlowError::Request(Message::new(
                "ca.other-key",
                format!("密钥“{label}”不是印章{}的", seal.number),
                format!("the key {label} is not one of the seal {}", seal.number),
            )));
        }
        let (keyring, owned) = (self.keyring.clone(), label.to_owned());
        let public_key = blocking(move || keyring.signer(&owned).map(|s| s.public_key().to_vec())).await?;
        let chain = check_installable(certificates, &public_key, anchors, now)
            .map_err(|fault| FlowError::Request(fault.message()))?;
        let mut chain = chain.into_iter().map(|c| c.der().to_vec());
        let Some(certificate) = chain.next() else {
            return Err(FlowError::Request(Message::new("ca.empty", "没有收到证书", "no certificate was given")));
        };
        self.install(seal, label, certificate, chain.collect(), by, now).await
    }

    /// Revokes the certificates of every seal that is abolished at `now`, from the instant of the order; publishes new lists
    /// where they are due, and keeps the responder's certificate and its answers fresh. Gives the number revoked.
    pub async fn refresh(&self, who: &str, now: OffsetDateTime) -> Result<usize, FlowError> {
        let issuers = issuers(&self.store).await?;
        if issuers.is_empty() {
            return Ok(0);
        }
        let mut known = HashSet::new();
        for issuer in &issuers {
            known.extend(self.store.revocations(&issuer.label).await?.into_iter().map(|revoked| revoked.serial));
        }
        let mut revoked = 0;
        let mut offset = 0;
        loop {
            let seals = self.store.seals(&SealFilter { limit: 500, offset, ..SealFilter::default() }).await?;
            for filed in &seals {
                if filed.seal.life.status_at(now) != SealStatus::Abolished {
                    continue;
                }
                let Some(event) = filed.seal.life.last_event_at(now) else { continue };
                for certificate in self.store.certificates(&filed.seal.number).await? {
                    if known.contains(&certificate.serial) {
                        continue;
                    }
                    if let Some(issuer) = made_by(&issuers, &Certificate::read(&certificate.certificate)?) {
                        let revocation = Revocation {
                            serial: certificate.serial,
                            issuer: issuer.label.clone(),
                            at: event.at,
                            reason: Reason::CessationOfOperation,
                            document: event.document.clone(),
                            invalid_since: None,
                        };
                        match self.store.revoke(&revocation, who, now).await {
                            // Another process was quicker; it is revoked.
                            Ok(()) | Err(StoreError::Conflict(_)) => revoked += 1,
                            Err(error) => return Err(error.into()),
                        }
                    }
                }
            }
            if seals.len() < 500 {
                break;
            }
            offset += 500;
        }
        // One authority's trouble, as a token that is away, holds up no other's lists and answers: it is told at the end.
        let mut done = vec![];
        // Who has ended says no more: its last list holds what it ever revoked, and nothing that it made is in force.
        for authority in self.store.ca_certificates().await? {
            let in_force = Certificate::read(&authority.certificate)?.is_in_force(now);
            if in_force && self.is_list_due(&authority.label, now).await? {
                done.push(self.publish_list(&authority.label, who, now).await.map(drop));
            }
        }
        for issuer in issuers.iter().filter(|issuer| issuer.certificate.is_in_force(now)) {
            done.push(self.responder_of(issuer, who, now).await.map(drop));
        }
        if !self.store.stamping_units().await?.is_empty() {
            done.push(self.stamping(who, now).await.map(drop));
        }
        done.into_iter().collect::<Result<(), _>>()?;
        Ok(revoked)
    }

    /// Writes the act down, has it signed, and marks it done: the same order of things as for a document.
    async fn ordered(
        &self,
        kind: OrderKind,
        key_label: &str,
        title: &str,
        unsigned: Unsigned,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<Vec<u8>, FlowError> {
        if let (OrderKind::Certificate, Some(serial)) = (kind, issue::serial_of(&unsigned)) {
            self.store.add_issued(key_label, &hex::encode(serial), now).await?;
        }
        let order = self
            .store
            .write_down_act(Act { kind, key_label, title, to_be_signed: unsigned.to_be_signed().to_vec(), who, now })
            .await?;
        let id = order.id().to_owned();
        let (keyring, label) = (self.keyring.clone(), key_label.to_owned());
        let signature = blocking(move || keyring.signer(&label)?.sign(order)).await?;
        let signed = unsigned.signed(signature.value())?;
        if !self.store.finish_act(&id, now).await? {
            return Err(FlowError::Request(Message::new(
                "ca.given-up",
                "该操作已被标记为中断，请重新执行",
                "this act was meanwhile marked as interrupted; run it again",
            )));
        }
        Ok(signed)
    }

    async fn install(
        &self,
        seal: &Seal,
        label: &str,
        certificate: Vec<u8>,
        chain: Vec<Vec<u8>>,
        by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<SealCertificate, FlowError> {
        let installed = certificate_of(seal, label, certificate, chain, now, now)?;
        self.store.install_certificate(&installed, (by, by), now).await?;
        Ok(installed)
    }

    async fn file(
        &self,
        label: &str,
        kind: CaKind,
        certificate: Vec<u8>,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<CaCertificate, FlowError> {
        let serial = hex::encode(&Certificate::read(&certificate)?.serial);
        let ca = CaCertificate { label: label.into(), kind, serial, certificate, made_at: now };
        self.store.add_ca_certificate(&ca, who).await?;
        Ok(ca)
    }

    async fn filed(&self, label: &str) -> Result<CaCertificate, FlowError> {
        self.store.ca_certificates().await?.into_iter().find(|ca| ca.label == label).ok_or_else(missing)
    }

    async fn key(&self, label: &str, algorithm: KeyAlgorithm) -> Result<Vec<u8>, FlowError> {
        if !algorithm.is_certified() {
            return Err(IssueFault::LogKey.into());
        }
        let (keyring, named) = (self.keyring.clone(), label.to_owned());
        // A key that a crash left without a certificate is taken up again rather than doubled.
        let public_key = blocking(move || match keyring.labels()?.contains(&named) {
            true => keyring.signer(&named).map(|s| s.public_key().to_vec()),
            false => keyring.generate(&named, algorithm),
        })
        .await?;
        let left = issue::certified(&public_key)?;
        if left != algorithm {
            return Err(FlowError::Request(Message::new(
                "ca.key-of-another-kind",
                format!("密钥“{label}”已在上次中断时生成，算法为 {left}；请先以该算法办完"),
                format!(
                    "the key {label} was made when this was interrupted, on {left}; finish with that algorithm first"
                ),
            )));
        }
        Ok(public_key)
    }

    async fn next_label(&self, seal: &Seal) -> Result<String, FlowError> {
        Ok(format!("seal-{}-{}", seal.number, self.store.certificates(&seal.number).await?.len() + 1))
    }
}

fn missing() -> FlowError {
    FlowError::Request(Message::new(
        "ca.missing",
        "证书机构尚未建立，请先运行 yinxin ca init",
        "there is no certificate authority yet; run `yinxin ca init` first",
    ))
}

fn certificate_of(
    seal: &Seal,
    label: &str,
    certificate: Vec<u8>,
    chain: Vec<Vec<u8>>,
    used_from: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<SealCertificate, FlowError> {
    Ok(SealCertificate {
        digest: hex::encode(crate::crypto::sha256(&certificate)),
        seal: seal.number.clone(),
        serial: hex::encode(&Certificate::read(&certificate)?.serial),
        certificate,
        chain,
        key_label: label.to_owned(),
        installed_at: now,
        used_from,
    })
}

fn subject(seal: &Seal) -> Result<Name, FlowError> {
    Name::of_seal(seal.owner.as_str(), &seal.owner_name, seal.number.as_str()).map_err(bad_name)
}

fn bad_name(fault: crate::pki::name::NameFault) -> FlowError {
    FlowError::Request(Message::new(
        "ca.name",
        format!("证书名称不合规：{fault}"),
        format!("the name does not fit a certificate: {fault}"),
    ))
}

/// From a little earlier, so that a verifier whose clock is behind does not refuse what was just made.
fn years(now: OffsetDateTime, years: i64) -> Period {
    Period { not_before: now - Duration::minutes(5), not_after: now + Duration::days(years * 365) }
}
