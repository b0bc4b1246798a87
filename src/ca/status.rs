//! What the authorities say of their certificates from day to day: revocation lists, the responder's own certificate, and
//! answers signed for it.

use time::{Duration, OffsetDateTime};

use super::line::made_by;
use super::making::is_sm2;
use super::{Authority, Issuer, bad_name, issuers};
use crate::desk::{Desk, FlowError};
use crate::keys;
use crate::pki::certificate::Certificate;
use crate::pki::issue::{self, Addresses, Period, Reason, Revoked, Serial};
use crate::pki::name::{Attribute, Name};
use crate::pki::ocsp::{self, CertId, Reply, Status};
use crate::pki::revocation::{Revocation, RevocationList};
use crate::seal::SealStatus;
use crate::store::{Crl, KeptAnswer, OrderKind, ResponderCertificate, SealFilter, Store, StoreError};

/// Label of the key that answers in an issuing authority's place.
pub(super) fn responder_key(issuer: &str) -> String {
    format!("ocsp-{issuer}")
}

/// Life of the responder's certificate, and how long before its end the next one is made. Nobody can revoke it (it is never
/// asked about, RFC 6960 §4.2.2.2.1), so it is short; and no answer (a week at most) outlives the certificate behind it.
const RESPONDER_DAYS: i64 = 30;
pub(crate) const RESPONDER_SUCCESSOR_DAYS: i64 = 10;

/// How the authorities publish what they know of their certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Under which address others reach lists, answers and issuers' certificates, without a slash at the end. Where there is
    /// none, certificates name no addresses.
    pub at: Option<String>,
    /// How long a list may be relied on, and after how much of that the next one is made without any change.
    pub list_life: Duration,
    pub list_every: Duration,
    /// How long an answer may be relied on; after half of that it is signed anew.
    pub answer_life: Duration,
}

impl Publication {
    /// At the public listener's address, unless that is on this machine alone: a certificate lives for years, and an address
    /// that nobody reaches makes strict verifiers refuse it.
    pub fn of(public_url: &str) -> Self {
        let host = public_url.split_once("://").map_or("", |(_, rest)| rest);
        let here = ["127.", "localhost", "[::1]", "0.0.0.0", "[::]"].iter().any(|own| host.starts_with(own));
        Self {
            at: (!here).then(|| public_url.to_owned()),
            list_life: Duration::days(7),
            list_every: Duration::DAY,
            answer_life: Duration::DAY,
        }
    }
}

impl Authority {
    /// The authorities of this desk.
    pub fn of(desk: &Desk) -> Self {
        Self {
            store: desk.store.clone(),
            keyring: desk.keyring.clone(),
            publication: desk.publication.clone(),
            stamps: Some(desk.clone()),
        }
    }

    /// What a certificate of this authority names. The responder speaks for the issuing authority alone: the root's key would
    /// have to work each month to delegate, for a certificate or two that its list covers.
    pub(super) fn addresses(&self, Issuer { label, certificate }: &Issuer) -> Addresses {
        let Some(at) = &self.publication.at else { return Addresses::default() };
        Addresses {
            list: Some(format!("{at}/crl/{label}.crl")),
            responder: (!certificate.is_self_issued()).then(|| format!("{at}/ocsp")),
            issuer: Some(format!("{at}/ca/{label}.cer")),
        }
    }

    // — lists

    /// Whether an authority's next list is due: its time has come, or the newest one lacks a revocation.
    pub(super) async fn is_list_due(&self, label: &str, now: OffsetDateTime) -> Result<bool, StoreError> {
        let Some(newest) = self.store.crl(label).await? else { return Ok(true) };
        let lines = RevocationList::read(&newest.crl).map(|list| list.length()).unwrap_or_default();
        Ok(newest.this_update + self.publication.list_every <= now
            || lines < self.store.revocations(label).await?.len())
    }

    /// Makes and publishes an authority's next revocation list.
    pub async fn publish_list(&self, label: &str, who: &str, now: OffsetDateTime) -> Result<Crl, FlowError> {
        let issuer = Certificate::read(&self.filed(label).await?.certificate)?;
        // The number first: whoever records a revocation later takes a higher one, so the newest list has them all.
        let number = self.store.take_crl_number(label).await?;
        let revoked = self.store.revocations(label).await?;
        let revoked: Vec<Revoked> = revoked
            .into_iter()
            .filter_map(|r| {
                let serial = hex::decode(&r.serial).ok()?;
                Some(Revoked { serial, at: r.at, reason: r.reason, invalid_since: r.invalid_since })
            })
            .collect();
        let next_update = now + self.publication.list_life;
        let unsigned =
            issue::revocation_list(&issuer, u64::try_from(number).unwrap_or(u64::MAX), now, next_update, &revoked)?;
        let crl = self
            .ordered(OrderKind::Crl, label, &format!("revocation list {label} {number}"), unsigned, who, now)
            .await?;
        let crl = Crl { issuer: label.into(), number, crl, this_update: now, next_update };
        self.store.add_crl(&crl).await?;
        Ok(crl)
    }

    // — the responder

    /// The certificate of an issuing authority's responder; made where there is none, and followed by the next in time.
    ///
    /// # Errors
    /// The authority ends; the key's home or the store says no.
    pub(super) async fn responder_of(
        &self,
        Issuer { label, certificate: issuer }: &Issuer,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<Certificate, FlowError> {
        if let Some(filed) = self.store.responder(label).await?
            && (now + Duration::days(RESPONDER_SUCCESSOR_DAYS)).min(issuer.not_after - Duration::SECOND)
                < filed.not_after
        {
            return Ok(Certificate::read(&filed.certificate)?);
        }
        let algorithm = issue::certified(&issuer.public_key)?;
        let public_key = self.key(&responder_key(label), algorithm).await?;
        let name = Name::of(&[
            (Attribute::Country, "CN"),
            (Attribute::Organization, &issuer.subject.organization().unwrap_or_default()),
            (Attribute::CommonName, "yinxin OCSP"),
        ])
        .map_err(bad_name)?;
        let not_after = issuer.not_after.min(now + Duration::days(RESPONDER_DAYS));
        let period = Period { not_before: now - Duration::minutes(5), not_after };
        let unsigned = issue::responder(issuer, &name, &public_key, Serial::from_random(keys::draw()?), period)?;
        let certificate =
            self.ordered(OrderKind::Certificate, label, "responder certificate", unsigned, who, now).await?;
        let read = Certificate::read(&certificate)?;
        // Two processes may each make one: both are on the one key, and both are good.
        self.store
            .add_responder(&ResponderCertificate {
                serial: hex::encode(&read.serial),
                issuer: label.clone(),
                certificate,
                not_after,
                made_at: now,
            })
            .await?;
        Ok(read)
    }

    /// The answer to a question about a certificate of an issuing authority: the one kept, or where that is half used up or
    /// no longer true, one signed now and kept for all. None where no such certificate was ever made.
    pub async fn answer(
        &self,
        question: &CertId,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<Option<KeptAnswer>, FlowError> {
        let asked = issuers(&self.store).await?.into_iter().find(|issuer| question.is_by(&issuer.certificate));
        let Some(issuer) = asked else { return Ok(None) };
        let status = standing(&self.store, &issuer.label, question.serial(), now).await?;
        if status == Status::Unknown {
            return Ok(None);
        }
        let kept = kept_answer(&self.store, question, status, now).await?;
        if let Some(kept) = &kept
            && now < kept.this_update + (kept.next_update - kept.this_update) / 2
        {
            return Ok(Some(kept.clone()));
        }
        let reply = Reply {
            question: question.clone(),
            status,
            this_update: now,
            next_update: self.answer_until(&issuer, now),
        };
        let answer = KeptAnswer {
            question: name_of(question),
            revoked_at: revoked_at(status),
            this_update: reply.this_update,
            next_update: reply.next_update,
            response: match (self.sign_answer(&issuer, vec![reply], None, who, now).await, kept) {
                (Ok(response), _) => response,
                // A key that is away for a moment: what is kept is true, and not overdue.
                (Err(_), Some(kept)) => return Ok(Some(kept)),
                (Err(error), None) => return Err(error),
            },
        };
        self.store.keep_answer(&answer).await?;
        Ok(Some(answer))
    }

    /// Until when an answer of now may be relied on: no longer than the authority, with whom its responder ends.
    pub(crate) fn answer_until(&self, issuer: &Issuer, now: OffsetDateTime) -> OffsetDateTime {
        (now + self.publication.answer_life).min(issuer.certificate.not_after)
    }

    /// Signs beforehand what will be asked: how each seal's newest certificates of ours stand, on SM2 and on others. For
    /// listeners without keys, and so that nobody waits for a token.
    ///
    /// # Errors
    /// The first that was in an authority's way, after the others' answers are made.
    pub async fn answer_ahead(&self, who: &str, now: OffsetDateTime) -> Result<(), FlowError> {
        let issuers = issuers(&self.store).await?;
        let mut trouble: Vec<(&str, FlowError)> = vec![];
        let mut offset = 0;
        loop {
            let seals = self.store.seals(&SealFilter { limit: 500, offset, ..SealFilter::default() }).await?;
            for filed in &seals {
                let certificates = self.store.certificates(&filed.seal.number).await?;
                let newest = |sm2| certificates.iter().rfind(|one| is_sm2(one).is_ok_and(|is| is == sm2));
                for newest in [false, true].into_iter().filter_map(newest) {
                    let certificate = Certificate::read(&newest.certificate)?;
                    if certificate.is_in_force(now)
                        && let Some(issuer) = made_by(&issuers, &certificate)
                        && trouble.iter().all(|(of, _)| *of != issuer.label)
                        && let Some(question) = CertId::of(&certificate.serial, &issuer.certificate)
                        && let Err(error) = self.answer(&question, who, now).await
                    {
                        trouble.push((&issuer.label, error));
                    }
                }
            }
            if seals.len() < 500 {
                return trouble.into_iter().next().map_or(Ok(()), |(_, error)| Err(error));
            }
            offset += 500;
        }
    }

    /// Has the responder's key sign these answers, all about certificates of this authority. Gives the OCSPResponse.
    pub(crate) async fn sign_answer(
        &self,
        issuer: &Issuer,
        replies: Vec<Reply>,
        nonce: Option<&[u8]>,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<Vec<u8>, FlowError> {
        let responder = self.responder_of(issuer, who, now).await?;
        let serials: Vec<_> = replies.iter().map(|reply| hex::encode(reply.question.serial())).collect();
        let unsigned = ocsp::unsigned(&responder, &replies, nonce, issuer.certificate.not_before, now)?;
        let title = format!("answer {}", serials.join(" "));
        let signed = self.ordered(OrderKind::Ocsp, &responder_key(&issuer.label), &title, unsigned, who, now).await?;
        Ok(ocsp::finished(&signed, &responder)?)
    }
}

// — what is asked of the store alone, so that a listener without keys can answer too

/// How a certificate of the issuing authority `issuer` stands at `now`: revoked by record, or with its seal's abolition, whichever
/// process wrote it a moment ago. A suspended seal's certificate is good: a suspension ends.
pub(crate) async fn standing(
    store: &Store,
    issuer: &str,
    serial: &[u8],
    now: OffsetDateTime,
) -> Result<Status, StoreError> {
    let serial = hex::encode(serial);
    let revoked = |at, reason, invalid_since| Ok(Status::Revoked(Revocation { at, reason, invalid_since }));
    if let Some(recorded) = store.revocation(issuer, &serial).await? {
        return revoked(recorded.at, recorded.reason, recorded.invalid_since);
    }
    if !store.is_issued(issuer, &serial).await? {
        return Ok(Status::Unknown);
    }
    for number in store.seals_of_serial(&serial).await? {
        let Some(filed) = store.seal(&number).await? else { continue };
        if filed.seal.life.status_at(now) == SealStatus::Abolished
            && let Some(event) = filed.seal.life.last_event_at(now)
        {
            return revoked(event.at, Reason::CessationOfOperation, None);
        }
    }
    Ok(Status::Good)
}

/// The answer kept for this question, where it still says what is true and may still be relied on.
pub(crate) async fn kept_answer(
    store: &Store,
    question: &CertId,
    status: Status,
    now: OffsetDateTime,
) -> Result<Option<KeptAnswer>, StoreError> {
    let kept = store.kept_answer(&name_of(question)).await?;
    Ok(kept.filter(|kept| (kept.this_update..kept.next_update).contains(&now) && kept.revoked_at == revoked_at(status)))
}

fn revoked_at(status: Status) -> Option<OffsetDateTime> {
    match status {
        Status::Revoked(revocation) => Some(revocation.effective()),
        Status::Good | Status::Unknown => None,
    }
}

fn name_of(question: &CertId) -> String {
    hex::encode(crate::crypto::sha256(question.der()))
}
