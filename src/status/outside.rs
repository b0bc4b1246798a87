//! Evidence about certificates of outside authorities: asked for where the certificate says, on listed hosts alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use super::{Piece, is_issuer, none};
use crate::desk::{Desk, FlowError, blocking};
use crate::fetch::FetchError;
use crate::keys;
use crate::limits;
use crate::message::Message;
use crate::pdf::long_term::Material;
use crate::pki::certificate::{Certificate, from_pem_or_der};
use crate::pki::ocsp::{CertId, OcspResponse, Request};
use crate::pki::revocation::RevocationList;

/// What need not be asked for again.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// Checked lists by their address.
    lists: Mutex<HashMap<String, RevocationList>>,
    /// By the certificates asked about: from when, and what was found.
    material: Mutex<HashMap<Vec<u8>, (OffsetDateTime, Material)>>,
}

impl Remembered {
    /// What was found about these within the last minutes.
    pub(super) fn material(&self, about: &[u8], now: OffsetDateTime) -> Option<Material> {
        let material = self.material.lock().unwrap_or_else(PoisonError::into_inner);
        let (found_at, found) = material.get(about)?;
        (*found_at..*found_at + Duration::minutes(limits::EVIDENCE_MINUTES)).contains(&now).then(|| found.clone())
    }

    pub(super) fn remember(&self, about: Vec<u8>, found: &Material, now: OffsetDateTime) {
        let mut material = self.material.lock().unwrap_or_else(PoisonError::into_inner);
        if material.len() >= limits::EVIDENCE_REMEMBERED {
            material.clear();
        }
        material.insert(about, (now, found.clone()));
    }

    fn list(&self, url: &str, now: OffsetDateTime) -> Option<RevocationList> {
        let lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.get(url).filter(|list| list.next_update.is_some_and(|next| now < next)).cloned()
    }

    fn remember_list(&self, url: &str, list: &RevocationList) {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if lists.len() >= limits::LISTS_REMEMBERED {
            lists.clear();
        }
        lists.insert(url.to_owned(), list.clone());
    }
}

impl Desk {
    /// How an outside authority says that its certificate stands: its responder's answer first, which is younger, then its
    /// list. The first that our judge accepts; else the reason why the last one is none.
    pub(super) async fn outside(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        now: OffsetDateTime,
    ) -> Result<Piece, FlowError> {
        let mut why = none(certificate, &no_address());
        for url in certificate.ocsp_urls.iter().take(limits::EVIDENCE_ADDRESSES) {
            let found = match self.answered(url, certificate, issuer).await {
                Ok(response) => Piece::Response(response).checked(certificate, issuer, now),
                Err(message) => Err(none(certificate, &message)),
            };
            match found {
                Ok(piece) => return Ok(piece),
                Err(error) => why = error,
            }
        }
        for url in certificate.crl_urls.iter().take(limits::EVIDENCE_ADDRESSES) {
            if let Some(list) = self.remembered.list(url, now)
                && let Ok(piece) = Piece::List(list).checked(certificate, issuer, now)
            {
                return Ok(piece);
            }
            let found = match self.listed(url).await {
                Ok(list) => Piece::List(list.clone()).checked(certificate, issuer, now).map(|piece| (piece, list)),
                Err(message) => Err(none(certificate, &message)),
            };
            match found {
                Ok((piece, list)) => {
                    self.remembered.remember_list(url, &list);
                    return Ok(piece);
                }
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    /// The certificate of whoever made this one, from where it says.
    pub(super) async fn issuer_of(&self, certificate: &Certificate) -> Option<Certificate> {
        for url in certificate.issuer_urls.iter().take(limits::EVIDENCE_ADDRESSES) {
            let Ok(bytes) = self.fetched(url, limits::CERTIFICATE_BYTES).await else { continue };
            let read =
                from_pem_or_der("CERTIFICATE", &bytes).into_iter().filter_map(|der| Certificate::read(&der).ok());
            if let Some(issuer) = read.into_iter().find(|issuer| is_issuer(issuer, certificate)) {
                return Some(issuer);
            }
        }
        None
    }

    async fn answered(
        &self,
        url: &str,
        certificate: &Certificate,
        issuer: &Certificate,
    ) -> Result<OcspResponse, Message> {
        let question = CertId::of(&certificate.serial, issuer).ok_or_else(no_address)?;
        let draw = || keys::draw().map_err(|error| error.message());
        let request = Request::about(question, [draw()?, draw()?].as_flattened());
        let (fetcher, url, asked) = (self.fetcher.clone(), url.to_owned(), request.to_der());
        let der = blocking(move || fetcher.ask(&url, &asked)).await.map_err(|error| error.message())?;
        let response = OcspResponse::read(&der).map_err(|fault| fault.message())?;
        // A responder may leave a nonce out (RFC 9654 §3.1), and then the answer's own dates must do; never exchange it.
        match &response.nonce {
            Some(nonce) if Some(nonce) != request.nonce.as_ref() => Err(replayed()),
            _ => Ok(response),
        }
    }

    async fn listed(&self, url: &str) -> Result<RevocationList, Message> {
        let bytes = self.fetched(url, limits::CRL_BYTES).await.map_err(|error| error.message())?;
        let der = from_pem_or_der("X509 CRL", &bytes).into_iter().next().unwrap_or_default();
        RevocationList::read(&der).map_err(|fault| fault.message())
    }

    async fn fetched(&self, url: &str, most: usize) -> Result<Vec<u8>, FetchError> {
        let (fetcher, url) = (self.fetcher.clone(), url.to_owned());
        blocking(move || fetcher.get(&url, most)).await
    }
}

fn no_address() -> Message {
    Message::new("status.no-address", "证书没有写明吊销信息的地址", "it names no address where that could be asked")
}

fn replayed() -> Message {
    Message::new(
        "status.replayed",
        "OCSP 响应答复的是另一次询问，未予采用；请检查网络中的代理和缓存",
        "the OCSP response answers another question of another time, and was not used; look for a proxy or cache in the way",
    )
}
