//! How certificates stand: evidence that lasts for our own use, and answers to whoever asks about certificates of ours.

mod outside;
mod responder;

use std::collections::VecDeque;

use time::{Duration, OffsetDateTime};

use crate::ca::Authority;
use crate::desk::{Desk, FlowError};
use crate::limits;
use crate::message::Message;
use crate::pdf::long_term::Material;
use crate::pki::certificate::Certificate;
use crate::pki::evidence::RevocationEvidence;
use crate::pki::known::Known;
use crate::pki::ocsp::{CertId, OcspResponse};
use crate::pki::path::{PathVerdict, judge_path};
use crate::pki::revocation::RevocationList;

pub(crate) use outside::Remembered;
pub use responder::{Answered, Responder};

impl Desk {
    /// What shows how each of these certificates stands at `now`, and the certificates that it takes to check that: chains,
    /// each from its leaf up to its anchor, one after another. For our own leaves the responder's answer, for authorities the
    /// newest list; for others what their issuers publish, where the settings list the host. Each piece is checked by our own
    /// judge before it is given.
    ///
    /// A certificate that is revoked has evidence too: what it signed before that may still be good.
    ///
    /// # Errors
    /// [`FlowError::NoEvidence`] where there is none for one of them now.
    pub async fn evidence(&self, certificates: &[Certificate], now: OffsetDateTime) -> Result<Material, FlowError> {
        let about = certificates.iter().flat_map(Certificate::fingerprint).collect::<Vec<_>>();
        let leaf = certificates.first().map(|leaf| hex::encode(&leaf.serial)).unwrap_or_default();
        if let Some(found) = self.remembered.material(&about, now)
            && !self.store.is_revoked(&leaf).await?
        {
            return Ok(found);
        }
        let house = House::of(self).await?;
        let mut found = Found::default();
        let mut chains: VecDeque<Certificate> = certificates.iter().cloned().collect();
        let mut known = certificates.to_vec();
        known.extend(house.authorities.iter().map(|(_, authority)| authority.clone()));
        let mut fetched = 0;
        while let Some(certificate) = chains.pop_front() {
            found.add(&certificate);
            if certificate.is_self_issued() {
                continue;
            }
            let mut issuer = known.iter().find(|issuer| is_issuer(issuer, &certificate)).cloned();
            if issuer.is_none() && fetched < limits::PATH_CERTIFICATES {
                issuer = self.issuer_of(&certificate).await;
                fetched += 1;
                known.extend(issuer.clone());
                chains.extend(issuer.clone());
            }
            let Some(issuer) = issuer else {
                // A chain may end below a root: what its reader trusts is not asked about.
                if certificate.is_ca {
                    continue;
                }
                return Err(none(&certificate, &no_issuer()));
            };
            found.add(&issuer);
            let label = house.authorities.iter().find(|(_, own)| *own == issuer).map(|(label, _)| label.as_str());
            found.take(match label {
                Some(label) => house.piece(label, &certificate, &issuer, now).await?,
                None => self.outside(&certificate, &issuer, now).await?,
            });
        }
        self.remembered.remember(about, &found.0, now);
        Ok(found.0)
    }
}

/// One thing that says how a certificate stands.
enum Piece {
    Response(OcspResponse),
    List(RevocationList),
}

impl Piece {
    /// Accepts it if our judge finds that it says how `certificate`, which `issuer` made, stands.
    fn checked(self, certificate: &Certificate, issuer: &Certificate, now: OffsetDateTime) -> Result<Self, FlowError> {
        let evidence = match &self {
            Self::Response(response) => RevocationEvidence { lists: vec![], responses: vec![response] },
            Self::List(list) => RevocationEvidence { lists: vec![list], responses: vec![] },
        };
        // It must last as long as it is remembered. After its end a certificate is asked about as it stood then.
        let at = (now + Duration::minutes(limits::EVIDENCE_MINUTES)).min(certificate.not_after);
        match judge_path(certificate, &[], std::slice::from_ref(issuer), &evidence, &Known::default(), at) {
            PathVerdict::Trusted { .. } | PathVerdict::Revoked { .. } => Ok(self),
            verdict => Err(none(certificate, &verdict.message())),
        }
    }
}

/// What was found, each thing once.
#[derive(Default)]
struct Found(Material);

impl Found {
    fn add(&mut self, certificate: &Certificate) {
        if !self.0.certificates.iter().any(|known| known == certificate.der()) {
            self.0.certificates.push(certificate.der().to_vec());
        }
    }

    fn take(&mut self, piece: Piece) {
        let (known, der) = match &piece {
            Piece::Response(response) => (&mut self.0.responses, response.der()),
            Piece::List(list) => (&mut self.0.lists, list.der()),
        };
        if !known.iter().any(|known| known == der) {
            known.push(der.to_vec());
        }
    }
}

/// Our own authorities.
struct House {
    authority: Authority,
    /// With their labels.
    authorities: Vec<(String, Certificate)>,
}

impl House {
    async fn of(desk: &Desk) -> Result<Self, FlowError> {
        let mut authorities = vec![];
        for ca in desk.store.ca_certificates().await? {
            authorities.push((ca.label, Certificate::read(&ca.certificate)?));
        }
        Ok(Self { authority: Authority::of(desk), authorities })
    }

    /// The responder's answer for what an issuing authority in force made, else the authority's newest list.
    async fn piece(
        &self,
        label: &str,
        certificate: &Certificate,
        issuer: &Certificate,
        now: OffsetDateTime,
    ) -> Result<Piece, FlowError> {
        if !issuer.is_self_issued()
            && issuer.is_in_force(now)
            && let Some(question) = CertId::of(&certificate.serial, issuer)
            && let Some(answer) = self.authority.answer(&question, "service", now).await?
            && let Ok(response) = OcspResponse::read(&answer.response)
        {
            return Piece::Response(response).checked(certificate, issuer, now);
        }
        let list = self.authority.store.crl(label).await?.and_then(|list| RevocationList::read(&list.crl).ok());
        let Some(list) = list else { return Err(none(certificate, &no_list(label))) };
        Piece::List(list).checked(certificate, issuer, now)
    }
}

fn is_issuer(issuer: &Certificate, certificate: &Certificate) -> bool {
    issuer.subject.means(&certificate.issuer) && certificate.is_signed_by(&issuer.public_key).is_ok()
}

fn none(certificate: &Certificate, why: &Message) -> FlowError {
    FlowError::NoEvidence(Message::new(
        "status.no-evidence",
        format!("暂时无法取得证书“{}”未被吊销的凭据：{}", certificate.subject, why.zh),
        format!("there is no evidence now that \"{}\" is not revoked: {}", certificate.subject, why.en),
    ))
}

fn no_issuer() -> Message {
    Message::new(
        "status.no-issuer",
        "没有其签发者的证书，请连同证书链一起提供",
        "its issuer's certificate is not there; give it with its chain",
    )
}

fn no_list(label: &str) -> Message {
    Message::new(
        "status.no-list",
        format!("证书机构 {label} 没有吊销列表，请运行 yinxin ca refresh"),
        format!("{label} has no revocation list; run `yinxin ca refresh`"),
    )
}
