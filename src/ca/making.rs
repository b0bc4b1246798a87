//! Making seals as data (制章, GB/T 38540-2020 §6): who vouches for a seal is another than its user, with a key and a certificate
//! of his own that seal no document.
//!
//! A seal as data names the one certificate under which it may be used. It is remade when that certificate is followed by
//! the next, with the same picture; what was sealed under an older one carries that one in itself.

use spki::AlgorithmIdentifierOwned;
use time::{OffsetDateTime, UtcOffset};

use super::life::in_use;
use super::{Authority, Family, bad_name, years};
use crate::crypto::{self, Digest, KeyAlgorithm};
use crate::desk::{FlowError, blocking};
use crate::impression::Impression;
use crate::keys;
use crate::message::Message;
use crate::ofd;
use crate::officer::OfficerId;
use crate::pki::certificate::Certificate;
use crate::pki::install::check_installable;
use crate::pki::issue::{self, Serial};
use crate::pki::name::{Attribute, Name};
use crate::refusal::{Refusal, Rule};
use crate::seal::{Seal, SealKind};
use crate::ses::write::{Making, assemble_seal, assemble_stamped_seal, seal_information};
use crate::ses::{self, Holders, Picture, SM2_WITH_SM3, Version};
use crate::stamp::Token;
use crate::store::{Act, OrderKind, SealCertificate, SealFile, SealMaker};

/// A maker's certificate outlives the certificates of the seals that it vouches for, so that a seal lives as long as they.
const MAKER_YEARS: i64 = 6;
/// Whose software made it, as every seal says.
const VENDOR: &str = "yinxin";

/// The form in which a seal is made as data. From a picture alone: V4 with the certificate itself, which every reader knows.
#[derive(Debug, Clone)]
pub struct Form {
    pub picture: Picture,
    /// The list of who may use it holds the certificate's SM3 (type 2) and not the certificate (type 1): a smaller seal.
    pub digests: bool,
    /// V5 (GM/T 0031-2025), with a time stamp.
    pub stamped: bool,
}

impl From<Picture> for Form {
    fn from(picture: Picture) -> Self {
        Self { picture, digests: false, stamped: false }
    }
}

impl Authority {
    /// Makes a seal as data for the newest SM2 certificate under which it may be used now, by two who do not use it themselves.
    ///
    /// # Errors
    /// [`FlowError::Refused`] where one of the two may use it; [`FlowError::Request`] where it has no SM2 certificate, or its
    /// picture is none that a seal holds; [`FlowError::Unstamped`] where V5 is asked for and no time stamp can be had.
    pub async fn make_seal(
        &self,
        seal: &Seal,
        form: impl Into<Form>,
        (by, second): (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<SealFile, FlowError> {
        self.makes_only(seal, &[by, second], now).await?;
        let certificate = self.held_by(seal, now).await?;
        self.made(seal, &certificate, form.into(), (by, second), now).await
    }

    /// Files a seal that an outside maker made: signed by him, for a certificate of this seal, his chain leading to an anchor.
    ///
    /// # Errors
    /// As [`Authority::make_seal`], and [`FlowError::Request`] where it is not such a seal.
    pub async fn import_seal(
        &self,
        seal: &Seal,
        (file, issuers): (&[u8], &[Certificate]),
        anchors: &[Certificate],
        (by, second): (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<SealFile, FlowError> {
        self.makes_only(seal, &[by, second], now).await?;
        let certificate = self.held_by(seal, now).await?;
        let read = ses::read_seal(file).map_err(FlowError::SealData)?;
        let wrong = |zh: &str, en: &str| FlowError::Request(Message::new("making.import", zh, en));
        if read.version == Version::V1 || read.id != seal.number.as_str() {
            return Err(wrong(
                "该文件不是本印章的V4或V5印章数据（GB/T 38540、GM/T 0031-2025），请核对印章编号和版本",
                "the file is not this seal as data in V4 or V5 (GB/T 38540, GM/T 0031-2025); check its number and version",
            ));
        }
        // Who made the stamp, whoever verifies a use of the seal asks; here it is one, and this seal's.
        let covers = |token: &Vec<u8>| Token::read(token).is_ok_and(|token| token.covers_bytes(&read.value).is_ok());
        if read.stamp.is_some() != (read.version == Version::V5) || !read.stamp.iter().all(covers) {
            return Err(wrong(
                "印章数据的时间戳与制章者签名不符，请由制章机构重新制作",
                "the time stamp of the seal as data is not one over its maker's value; have its maker make it again",
            ));
        }
        if !read.is_held_by(&certificate.certificate) || read.is_held_by(&read.maker) {
            return Err(wrong(
                "印章数据的签章人证书列表与本印章在用的SM2证书不符，请由制章机构重新制作",
                "the seal as data is not for this seal's SM2 certificate in use; have its maker make it again",
            ));
        }
        let maker = Certificate::read(&read.maker)?;
        let algorithm = AlgorithmIdentifierOwned { oid: SM2_WITH_SM3, parameters: None };
        let value = ses::write::written(&read.value).map_err(FlowError::SealData)?;
        if read.algorithm != SM2_WITH_SM3
            || crypto::verify(&maker.public_key, &algorithm, &read.to_be_signed, &value).is_err()
        {
            return Err(wrong("印章数据的制章者签名不成立", "the seal's maker did not sign this seal as data"));
        }
        let given: Vec<Certificate> = std::iter::once(maker.clone()).chain(issuers.iter().cloned()).collect();
        let chain = check_installable(&given, &maker.public_key, anchors, now)
            .map_err(|fault| FlowError::Request(fault.message()))?;
        let filed = SealFile {
            digest: hex::encode(crypto::sha256(file)),
            seal: seal.number.clone(),
            certificate: certificate.digest,
            file: file.to_vec(),
            maker_chain: chain.into_iter().skip(1).map(|one| one.der().to_vec()).collect(),
            made_at: read.made_at,
            recorded_at: now,
            recorded_by: by.to_string(),
            confirmed_by: second.to_string(),
        };
        self.store.add_seal_file(&filed, "imported", (by, second)).await?;
        Ok(filed)
    }

    /// Makes the seal again for the certificate that follows `old`, where there was a seal as data for that.
    pub(super) async fn remade(
        &self,
        seal: &Seal,
        (old, successor): (&SealCertificate, &SealCertificate),
        two: (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<Option<SealFile>, FlowError> {
        let files = self.store.seal_files(&seal.number).await?;
        let Some(file) = files.iter().rfind(|file| file.certificate == old.digest) else { return Ok(None) };
        if !is_sm2(successor)? {
            return Ok(None);
        }
        let read = ses::read_seal(&file.file).map_err(FlowError::SealData)?;
        let digests = matches!(read.holders, Holders::Digests(_));
        let form = Form { picture: read.picture, digests, stamped: read.version == Version::V5 };
        if form.stamped && self.stamps.is_none() {
            // Never in an older form by itself: `yinxin doctor` says that it lacks, and two make it again.
            tracing::warn!(seal = %seal.number, "no time stamps here: the seal is not made again in V5 for its new certificate");
            return Ok(None);
        }
        self.made(seal, successor, form, two, now).await.map(Some)
    }

    async fn made(
        &self,
        seal: &Seal,
        certificate: &SealCertificate,
        form: Form,
        (by, second): (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<SealFile, FlowError> {
        let stamps = match (&self.stamps, form.stamped) {
            (_, false) => None,
            (Some(desk), true) => Some(desk),
            (None, true) => {
                return Err(FlowError::Unstamped(Message::new(
                    "making.no-stamps",
                    "V5印章数据须加盖时间戳，而此处没有时间戳来源；请改用V4",
                    "a seal in V5 takes a time stamp, and there is no source of them here; make it in V4",
                )));
            }
        };
        let holder = Certificate::read(&certificate.certificate)?;
        let maker = self.maker(holder.not_after, (by, second), now).await?;
        let valid_until = holder.not_after.min(Certificate::read(&maker.certificate)?.not_after);
        let holders = match form.digests {
            false => Holders::Certificates(vec![certificate.certificate.clone()]),
            true => {
                let digest = Digest::Sm3.over(&[&certificate.certificate]);
                Holders::Digests(vec![(Digest::Sm3.oid().to_string(), digest)])
            }
        };
        let making = Making {
            version: if form.stamped { Version::V5 } else { Version::V4 },
            vendor: VENDOR,
            id: seal.number.as_str(),
            kind: national_kind(seal.kind),
            name: &seal.legend,
            holders: &holders,
            made_at: now,
            valid_from: now,
            valid_until,
            picture: &form.picture,
        };
        let information = seal_information(&making).map_err(FlowError::SealData)?;
        let title = format!("seal {} made for certificate {}", seal.number, certificate.serial);
        let act = Act {
            kind: OrderKind::Seal,
            key_label: &maker.label,
            title: &title,
            to_be_signed: information.clone(),
            who: by.as_str(),
            now,
        };
        let order = self.store.write_down_act(act).await?;
        let id = order.id().to_owned();
        let (keyring, label) = (self.keyring.clone(), maker.label.clone());
        let signature = blocking(move || keyring.signer(&label)?.sign(order)).await?;
        let file = match stamps {
            None => assemble_seal(&information, &maker.certificate, signature.value()),
            Some(desk) => {
                let value = ses::write::written(signature.value()).map_err(FlowError::SealData)?;
                let token = desk.stamp(Digest::Sm3, &Digest::Sm3.over(&[&value])).await?;
                assemble_stamped_seal(&information, &maker.certificate, signature.value(), &token)
            }
        };
        let file = file.map_err(FlowError::SealData)?;
        self.store.finish_act(&id, now).await?;
        let filed = SealFile {
            digest: hex::encode(crypto::sha256(&file)),
            seal: seal.number.clone(),
            certificate: certificate.digest.clone(),
            file,
            maker_chain: maker.chain,
            made_at: now,
            recorded_at: now,
            recorded_by: by.to_string(),
            confirmed_by: second.to_string(),
        };
        self.store.add_seal_file(&filed, "made", (by, second)).await?;
        Ok(filed)
    }

    /// The seal maker whose certificate lasts until then; made where there is none, or only one from before the house had a
    /// line on SM2.
    async fn maker(
        &self,
        until: OffsetDateTime,
        (by, second): (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<SealMaker, FlowError> {
        let (issuing, line) = self.issuing(Family::National).await?;
        let issuer = issuing.certificate.clone();
        let until = until.min(issuer.not_after);
        let makers = self.store.seal_makers().await?;
        if let Some(maker) = makers.last()
            && maker.chain.last().is_some_and(|root| root == line.root.certificate.der())
            && Certificate::read(&maker.certificate)?.not_after >= until.max(now)
            && !self.store.is_revoked(&maker.serial).await?
        {
            return Ok(maker.clone());
        }
        let number = makers.len() + 1;
        let label = format!("seal-maker-{number}");
        let public_key = self.key(&label, KeyAlgorithm::Sm2).await?;
        let subject = Name::of(&[
            (Attribute::Country, "CN"),
            (Attribute::Organization, &issuer.subject.organization().unwrap_or_default()),
            (Attribute::CommonName, &format!("yinxin Seal Maker {number}")),
        ])
        .map_err(bad_name)?;
        let mut period = years(now, MAKER_YEARS);
        period.not_after = period.not_after.min(issuer.not_after);
        let serial = Serial::from_random(keys::draw()?);
        let unsigned = issue::seal(&issuer, &subject, &public_key, serial, period, &self.addresses(&issuing))?;
        let certificate = self
            .ordered(OrderKind::Certificate, &issuing.label, "seal maker's certificate", unsigned, by.as_str(), now)
            .await?;
        let maker = SealMaker {
            label,
            serial: hex::encode(&Certificate::read(&certificate)?.serial),
            certificate,
            chain: line.above(&issuing),
            made_at: now,
        };
        self.store.add_seal_maker(&maker, (by, second)).await?;
        Ok(maker)
    }

    /// The newest SM2 certificate under which the seal may be used now.
    async fn held_by(&self, seal: &Seal, now: OffsetDateTime) -> Result<SealCertificate, FlowError> {
        let lives = self.store.certificate_lives(&seal.number).await?;
        for certificate in in_use(&lives, now) {
            if is_sm2(&certificate)? {
                return Ok(certificate);
            }
        }
        Err(FlowError::Request(Message::new(
            "making.no-sm2",
            format!("印章{}没有在用的SM2证书，请先运行 yinxin seal make-cert --algorithm sm2", seal.number),
            format!(
                "the seal {} has no SM2 certificate in use; run `yinxin seal make-cert --algorithm sm2` first",
                seal.number
            ),
        )))
    }

    /// Who makes a seal is not who uses it (《电子印章管理办法》: making and signing are kept apart).
    async fn makes_only(&self, seal: &Seal, two: &[&OfficerId], now: OffsetDateTime) -> Result<(), FlowError> {
        let grants = self.store.grants(&seal.number).await?;
        let uses = |officer: &&&OfficerId| {
            grants.iter().any(|grant| {
                grant.officer == ***officer && grant.until > now && grant.revoked_at.is_none_or(|at| at > now)
            })
        };
        match two.iter().find(uses) {
            None => Ok(()),
            Some(officer) => Err(Refusal::new(
                Rule::Hands,
                "making.by-its-user",
                format!("{officer}有这枚印章的用印授权，不得参与制章；请由其他管理员办理"),
                format!("{officer} may use this seal and must not make it; other administrators do that"),
            )
            .into()),
        }
    }
}

/// Whether a certificate is on an SM2 key: only such seal OFD.
pub(crate) fn is_sm2(certificate: &SealCertificate) -> Result<bool, FlowError> {
    let read = Certificate::read(&certificate.certificate)?;
    Ok(issue::certified(&read.public_key).is_ok_and(|algorithm| algorithm == KeyAlgorithm::Sm2))
}

/// As the national platform numbers kinds of seals: 1 a unit's legal name, 6 for a special business.
fn national_kind(kind: SealKind) -> u64 {
    match kind {
        SealKind::LegalName => 1,
        SealKind::Approval => 6,
    }
}

/// An impression as a page of its own size in OFD, with no line of it lost: the other form of a seal's picture, beside
/// [`Picture::in_dots`], which every reader shows.
pub fn as_page(seal: &Seal, impression: &Impression, now: OffsetDateTime) -> Picture {
    let mut id = [0; 16];
    id.iter_mut().zip(crypto::sha256(seal.number.as_str().as_bytes())).for_each(|(id, octet)| *id = octet);
    let made_on = now.to_offset(UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC)).date();
    let data = ofd::write::impression(impression, id, made_on);
    Picture { label: "ofd".into(), data, ..Picture::in_dots(impression) }
}

/// What a filing of a seal tells the platform (制章备案; standards of the platform's seal status service, operation `publish`):
/// which seal, whose, from when to when, by whom made and with which certificate.
///
/// # Errors
/// The file or a certificate in it cannot be read.
pub fn filing_record(
    seal: &Seal,
    certificate: &SealCertificate,
    file: &SealFile,
) -> Result<serde_json::Value, FlowError> {
    let read = ses::read_seal(&file.file).map_err(FlowError::SealData)?;
    let (holder, maker) = (Certificate::read(&certificate.certificate)?, Certificate::read(&read.maker)?);
    let time = crate::message::china_time;
    let base64 = |bytes: &[u8]| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
    Ok(serde_json::json!({
        "sealCode": read.id, "sealName": read.name, "legalType": read.kind.to_string(),
        "useUnitCode": seal.owner, "useUnitName": seal.owner_name, "sealZone": read.id.get(..6),
        "validStartTime": time(read.valid_from), "validEndTime": time(read.valid_until),
        "createTime": time(read.made_at), "creater": maker.subject.to_string(),
        "signature": base64(&read.value), "signCert": base64(holder.der()), "makerCert": base64(maker.der()),
        "certStartTime": time(holder.not_before), "certEndTime": time(holder.not_after),
        "sealSha256": file.digest, "recordedAt": time(file.recorded_at),
        "recordedBy": file.recorded_by, "confirmedBy": file.confirmed_by,
    }))
}
