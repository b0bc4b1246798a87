//! What lists and responses prove about one certificate at one moment.
//!
//! Evidence made after the moment asked about is good evidence about it, so the past can be judged with today's list. What
//! nothing proves is said to be unknown, with the reason; never assumed good.
//! Proof of good standing must be complete, proof of revocation need not be: a delta list alone or a list for some reasons
//! never clears a certificate, but a line in it counts.
//! A list may be signed by another key than the certificate's issuer's (a changed key, or a maker whom the certificate
//! names), if that key's own path holds below the same anchor; a response by the issuer's key or by one that the issuer's
//! key certified for it. Not supported, hence unknown: locally trusted responders.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use super::certificate::Certificate;
use super::issue::Reason;
use super::ocsp::{OcspResponse, Status};
use super::path::{Ending, Inquiry, PathVerdict};
use super::revocation::{Line, Revocation, RevocationList};
use super::scope::{EVERY_REASON, Reasons};
use crate::limits;
use crate::message::china_time;

/// Lists and responses, borrowed from wherever they were found. Whoever must leave some out, because nothing proves that
/// they existed at some moment, leaves them out.
#[derive(Debug, Clone, Default)]
pub struct RevocationEvidence<'a> {
    pub lists: Vec<&'a RevocationList>,
    pub responses: Vec<&'a OcspResponse>,
}

/// Which kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    List,
    Response,
}

/// What one list or response says about one certificate of a chain, its signature checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    /// The certificate's place in the chain.
    pub about: usize,
    pub source: Source,
    /// The moment for which it speaks, by its maker's account.
    pub this_update: OffsetDateTime,
    pub next_update: Option<OffsetDateTime>,
    /// When its maker signed it, by its own account; of a list the same as `this_update`.
    pub produced_at: OffsetDateTime,
    /// Until when the certificate of its maker runs, where that is not the issuer but somebody who signed in its place. What
    /// is first proven to exist after that could be anybody's.
    pub deputy_until: Option<OffsetDateTime>,
    /// That certificate was revoked by then, although its issuer says that nobody need ask (`id-pkix-ocsp-nocheck`).
    pub deputy_revoked: bool,
    /// The evidence itself, as it was found, so that a proof of its own existence can be looked up.
    pub der: Arc<[u8]>,
    /// The complete list that a delta list stands on.
    pub base: Option<Arc<[u8]>>,
    /// The revocation it tells of, at whatever time.
    pub revocation: Option<Revocation>,
    /// Until when what its signature rests on is accepted, where that is known to end.
    pub ends: Option<Ending>,
    keeps_expired_since: Option<OffsetDateTime>,
    reasons: Reasons,
}

/// What is known about a certificate's revocation at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Proven not revoked then; `later` if it was revoked afterwards.
    Good { later: Option<Revocation>, evidence: Vec<Statement> },
    /// Revoked at or before the moment.
    Revoked(Revocation, Statement),
    /// Nothing here proves either.
    Unknown(Unknown),
}

/// Why nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// No list of this issuer, and no response about this certificate, was supplied.
    NoEvidence,
    /// There is some, but none signed by anyone entitled to, as far as we can check.
    NotByIssuer,
    /// It is about other certificates, or of a kind that we do not follow.
    NotAboutIt(&'static str),
    /// The newest was overdue at the moment asked about (or was not yet made): its date is given.
    Stale(OffsetDateTime),
    /// The certificate had expired before the evidence was made, which may leave out expired ones.
    ExpiredBefore(OffsetDateTime),
}

/// Without the bytes.
impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { about, source, this_update, next_update, revocation, ends, .. } = self;
        write!(f, "{source:?} about {about} of {this_update} until {next_update:?}: {revocation:?} {ends:?}")
    }
}

impl Statement {
    /// Whether it speaks for that moment: made later, or not yet overdue.
    fn is_current(&self, at: OffsetDateTime) -> bool {
        self.this_update >= at || self.next_update.is_some_and(|next| at <= next)
    }

    /// What is too weak about it to prove something at that moment: what was made later was made under later rules.
    pub(super) fn weakness(&self, at: OffsetDateTime) -> Option<&Ending> {
        self.ends.as_ref().filter(|ending| ending.until <= at.max(self.produced_at))
    }

    /// Whether its maker would still have known of the certificate.
    fn remembers(&self, certificate: &Certificate) -> bool {
        certificate.not_after >= self.this_update
            || self.keeps_expired_since.is_some_and(|since| since <= certificate.not_after)
    }
}

impl Inquiry<'_> {
    /// What the evidence proves about `certificate`, which `issuer`'s key signed, below `anchor`.
    ///
    /// Any statement that tells of a revocation counts, whether overdue or not, as a revocation is for ever; a hold counts
    /// if the newest statement still has it.
    pub(super) fn standing(
        &self,
        about: usize,
        certificate: &Certificate,
        issuer: &Certificate,
        anchor: &Certificate,
        without: &[[u8; 32]],
        at: OffsetDateTime,
    ) -> Standing {
        let question = Question { about, certificate, issuer, anchor, without };
        let (mut statements, mut unknown) = self.statements(&question);
        statements.sort_by_key(|statement| statement.this_update);
        // What is too weak to prove anything lifts no hold.
        let is_complete = |statement: &Statement| statement.reasons == EVERY_REASON;
        let newest = statements.iter().rposition(|statement| is_complete(statement) && statement.weakness(at).is_none());
        let newest = newest.or_else(|| statements.iter().rposition(is_complete));
        let mut later: Option<Revocation> = None;
        for (i, statement) in statements.iter().enumerate() {
            match statement.revocation {
                Some(line) if line.reason == Reason::CertificateHold && newest.is_some_and(|newest| i < newest) => {}
                Some(line) if line.effective() <= at => return Standing::Revoked(line, statement.clone()),
                Some(line) => later = later.or(Some(line)),
                None => {}
            }
        }
        let (mut proof, mut covered) = (Vec::new(), 0);
        // The newest first, and those that prove something before those too weak to.
        let (strong, weak): (Vec<_>, Vec<_>) = statements.into_iter().rev().partition(|s| s.weakness(at).is_none());
        for statement in strong.into_iter().chain(weak) {
            if statement.revocation.is_some_and(|line| line.effective() <= at) {
                // A hold that was lifted: it does not speak against the certificate, nor for it.
            } else if !statement.is_current(at) {
                unknown = unknown.or(Unknown::Stale(statement.this_update));
            } else if !statement.remembers(certificate) && later.is_none() {
                unknown = unknown.or(Unknown::ExpiredBefore(statement.this_update));
            } else if statement.reasons == EVERY_REASON {
                return Standing::Good { later, evidence: vec![statement] };
            } else if statement.reasons & !covered != 0 {
                covered |= statement.reasons;
                proof.push(statement);
                // RFC 5280 §6.3.3 (e): lists for some reasons each make a whole when they cover all of them.
                if covered == EVERY_REASON {
                    return Standing::Good { later, evidence: proof };
                }
            }
        }
        if !proof.is_empty() {
            unknown = unknown.or(Unknown::NotAboutIt("a list for some reasons only"));
        }
        Standing::Unknown(unknown)
    }

    /// Everything that somebody entitled says about the certificate, and the best reason why there may be nothing.
    fn statements(&self, question: &Question<'_>) -> (Vec<Statement>, Unknown) {
        let mut unknown = Unknown::NoEvidence;
        let mut statements = Vec::new();
        let mut complete = Vec::new();
        let mut deltas = Vec::new();
        let asked = |fingerprint: &[u8; 32]| !question.without.contains(fingerprint);
        for &list in self.evidence.lists.iter().filter(|list| asked(&list.fingerprint)) {
            let reasons = match list.scope.reasons_for(&list.issuer, question.certificate) {
                Ok(reasons) => reasons,
                Err(why) => {
                    if list.issuer.means(&question.certificate.issuer) {
                        unknown = unknown.or(Unknown::NotAboutIt(why));
                    }
                    continue;
                }
            };
            let Some(maker) = self.list_maker(question, list) else {
                unknown = unknown.or(Unknown::NotByIssuer);
                continue;
            };
            let Ok(line) = list.line_of(&question.certificate.issuer, &question.certificate.serial) else {
                unknown = unknown.or(Unknown::NotAboutIt("a list that cannot be read to its end"));
                continue;
            };
            let found = (list, line, reasons, maker);
            if list.scope.base.is_some() { deltas.push(found) } else { complete.push(found) }
        }
        for (list, line, reasons, maker) in &complete {
            statements.push(question.listed(list, None, line.as_ref(), *reasons, maker.clone()));
        }
        for (delta, line, reasons, maker) in &deltas {
            // RFC 5280 §5.2.4: the newest complete list that this one adds to.
            let bases = complete.iter().filter(|(list, ..)| adds_to(delta, list));
            match bases.max_by_key(|(list, ..)| list.this_update) {
                Some((base, base_line, _, base_maker)) => {
                    let line = line.as_ref().or(base_line.as_ref());
                    let maker = maker.clone().and_with(base_maker.ends.clone());
                    statements.push(question.listed(delta, Some(base), line, *reasons, maker));
                }
                // Alone it clears nobody.
                None if matches!(line, Some(Line::Revoked(_))) => {
                    statements.push(question.listed(delta, None, line.as_ref(), 0, maker.clone()));
                }
                None => unknown = unknown.or(Unknown::NotAboutIt("a delta list")),
            }
        }
        for &response in self.evidence.responses.iter().filter(|response| asked(&response.fingerprint)) {
            let mut answers = response
                .answers
                .iter()
                .filter(|answer| answer.is_about(question.certificate, question.issuer))
                .peekable();
            if answers.peek().is_none() {
                continue;
            }
            let Some(maker) = self.responder(question, response) else {
                unknown = unknown.or(Unknown::NotByIssuer);
                continue;
            };
            for answer in answers {
                let revocation = match answer.status {
                    Status::Good => None,
                    Status::Revoked(revocation) => Some(revocation),
                    Status::Unknown => {
                        unknown = unknown.or(Unknown::NotAboutIt("its responder does not know it"));
                        continue;
                    }
                };
                statements.push(Statement {
                    about: question.about,
                    source: Source::Response,
                    this_update: answer.this_update,
                    next_update: answer.next_update,
                    produced_at: response.produced_at,
                    der: response.shared_der(),
                    base: None,
                    revocation,
                    ends: maker.ends.clone(),
                    deputy_until: maker.deputy_until,
                    deputy_revoked: maker.revoked,
                    keeps_expired_since: answer.keeps_expired_since,
                    reasons: EVERY_REASON,
                });
            }
        }
        (statements, unknown)
    }

    /// None where nobody entitled signed the list.
    fn list_maker(&self, question: &Question<'_>, list: &RevocationList) -> Option<Maker> {
        let signed = |maker: &Certificate| {
            if self.is_spent() {
                return None;
            }
            let check = || {
                self.spend(&maker.public_key);
                let checked = list.is_signed_by(&maker.public_key);
                Ending::of(checked, &maker.public_key, &list.signature_algorithm)
            };
            self.known.signature(&list.fingerprint, &maker.public_key, check).ok()
        };
        let Question { certificate, issuer, anchor, .. } = *question;
        let by_issuer = list.issuer.means(&issuer.subject);
        // RFC 5280 §6.3.3 (f): an issuer whose key usage is restricted must be allowed to sign lists.
        if by_issuer
            && issuer.key_usage.is_none_or(|usage| usage.crl_sign)
            && let Some(ends) = signed(issuer)
        {
            return Some(Maker { ends, deputy_until: None, revoked: false });
        }
        // Another key of the maker, whose path leads to the same anchor. It must say that it signs lists: anybody's
        // certificate might bear the name.
        let without = question.and_without(list.fingerprint)?;
        // Who shares the issuer's name must be its sibling, or have certified it, or be certified by it.
        let is_kin = |maker: &Certificate| {
            maker.issuer.means(&issuer.issuer)
                || maker.issuer.means(&issuer.subject)
                || (issuer.is_self_issued() && self.certified(issuer, maker).is_ok())
        };
        let others = self.candidates.iter().copied().chain(std::iter::once(anchor)).filter(|maker| {
            maker.key_usage.is_some_and(|usage| usage.crl_sign)
                && maker.subject.means(&list.issuer)
                && maker.public_key != certificate.public_key
                && (!by_issuer || is_kin(maker))
        });
        for maker in others {
            if !self.may_step(list.der().len()) {
                return None;
            }
            let Some(ends) = signed(maker) else { continue };
            let deputy = Maker { ends, deputy_until: Some(maker.not_after), revoked: false };
            // In force and not revoked when it signed, and never since: else the list could have been made by others.
            match self.path(maker, std::slice::from_ref(anchor), &without, list.this_update) {
                PathVerdict::Trusted { revoked_later: None, evidence, ends, .. } => {
                    let evidence = evidence.into_iter().map(|statement| statement.ends);
                    return Some(ends.into_iter().chain(evidence).fold(deputy, Maker::and_with));
                }
                PathVerdict::Weak { ending, .. } => return Some(deputy.and_with(Some(ending))),
                _ => {}
            }
        }
        None
    }

    /// None where nobody entitled signed the response (RFC 6960 §4.2.2.2).
    fn responder(&self, question: &Question<'_>, response: &OcspResponse) -> Option<Maker> {
        let signed = |maker: &Certificate| {
            if self.is_spent() {
                return None;
            }
            let check = || {
                self.spend(&maker.public_key);
                let checked = response.is_signed_by(&maker.public_key);
                Ending::of(checked, &maker.public_key, &response.signature_algorithm)
            };
            self.known.signature(&response.fingerprint, &maker.public_key, check).ok()
        };
        let Question { certificate, issuer, anchor, .. } = *question;
        if response.names(issuer)
            && let Some(ends) = signed(issuer)
        {
            return Some(Maker { ends, deputy_until: None, revoked: false });
        }
        let delegated = response.certificates.iter().chain(self.candidates.iter().copied()).filter(|maker| {
            maker.may_answer()
                && !maker.lenient
                && response.names(maker)
                && maker.issuer.means(&issuer.subject)
                && maker.public_key != certificate.public_key
                && maker.is_in_force(response.produced_at)
        });
        for maker in delegated {
            if !self.may_step(response.der().len()) {
                return None;
            }
            let Some(ends) = signed(maker) else { continue };
            let Ok(certified) = self.certified(maker, issuer) else { continue };
            let deputy = Maker { ends, deputy_until: Some(maker.not_after), revoked: false }.and_with(certified);
            let without = question.and_without(response.fingerprint);
            let standing = without.map(|w| self.standing(0, maker, issuer, anchor, &w, response.produced_at));
            // RFC 6960 §4.2.2.2.1: it may be trusted for its lifetime, and its issuer bears what comes of that.
            if maker.is_never_asked_about {
                return Some(Maker { revoked: matches!(standing, Some(Standing::Revoked(..))), ..deputy });
            }
            if let Some(Standing::Good { later: None, evidence }) = standing {
                return Some(evidence.into_iter().map(|statement| statement.ends).fold(deputy, Maker::and_with));
            }
        }
        None
    }
}

/// What matters of somebody entitled to make a list or response.
#[derive(Debug, Clone)]
struct Maker {
    ends: Option<Ending>,
    deputy_until: Option<OffsetDateTime>,
    /// A responder that nobody need ask about, and that was revoked all the same.
    revoked: bool,
}

impl Maker {
    /// Resting on this as well.
    fn and_with(self, ends: Option<Ending>) -> Self {
        Self { ends: Ending::first(self.ends, ends), ..self }
    }
}

/// The certificate asked about, and where it stands.
struct Question<'q> {
    about: usize,
    certificate: &'q Certificate,
    issuer: &'q Certificate,
    anchor: &'q Certificate,
    without: &'q [[u8; 32]],
}

impl Question<'_> {
    /// For a question inside this one; None where it is deep enough.
    fn and_without(&self, evidence: [u8; 32]) -> Option<Vec<[u8; 32]>> {
        (self.without.len() < limits::PATH_NESTING).then(|| [self.without, &[evidence]].concat())
    }

    fn listed(
        &self,
        list: &RevocationList,
        base: Option<&RevocationList>,
        line: Option<&Line>,
        reasons: Reasons,
        maker: Maker,
    ) -> Statement {
        Statement {
            about: self.about,
            source: Source::List,
            this_update: list.this_update,
            next_update: list.next_update,
            produced_at: list.this_update,
            der: list.shared_der(),
            base: base.map(RevocationList::shared_der),
            revocation: match line {
                Some(Line::Revoked(revocation)) => Some(*revocation),
                Some(Line::Removed) | None => None,
            },
            ends: maker.ends,
            deputy_until: maker.deputy_until,
            deputy_revoked: maker.revoked,
            keeps_expired_since: list.keeps_expired_since,
            reasons,
        }
    }
}

/// RFC 5280 §5.2.4, §6.3.3 (c): same maker and scope, the complete list no older than the delta's base, and the delta not
/// older than it.
fn adds_to(delta: &RevocationList, complete: &RevocationList) -> bool {
    let (Some(base), Some(number), Some(own)) = (&delta.scope.base, &complete.number, &delta.number) else {
        return false;
    };
    delta.issuer.means(&complete.issuer)
        && delta.scope.adds_to(&complete.scope)
        && !is_less(number, base)
        && !is_less(own, number)
}

/// Compares two non-negative INTEGERs by their content octets.
fn is_less(one: &[u8], other: &[u8]) -> bool {
    let plain = |octets: &[u8]| octets.iter().copied().skip_while(|&octet| octet == 0).collect::<Vec<_>>();
    let (one, other) = (plain(one), plain(other));
    (one.len(), one) < (other.len(), other)
}

impl Unknown {
    /// Keeps the most telling reason: the one nearest to usable evidence.
    fn or(self, other: Self) -> Self {
        fn rank(unknown: &Unknown) -> u8 {
            match unknown {
                Unknown::NoEvidence => 0,
                Unknown::NotByIssuer => 1,
                Unknown::NotAboutIt(_) => 2,
                Unknown::ExpiredBefore(_) => 3,
                Unknown::Stale(_) => 4,
            }
        }
        if rank(&other) > rank(&self) { other } else { self }
    }

    /// The reason in Chinese and English.
    pub fn words(&self) -> (String, String) {
        match self {
            Self::NoEvidence => (
                "没有其签发者的 CRL，也没有关于它的 OCSP 响应".into(),
                "there is neither a CRL of its issuer nor an OCSP response about it".into(),
            ),
            Self::NotByIssuer => (
                "CRL 或 OCSP 响应不是有权者签名的，或无法检验".into(),
                "the CRL or OCSP response is not signed by anyone entitled to, or cannot be checked".into(),
            ),
            Self::NotAboutIt(what) => (
                format!("CRL 或 OCSP 响应不适用于该证书（{what}）"),
                format!("the CRL or OCSP response is not about it ({what})"),
            ),
            Self::Stale(date) => (
                format!("CRL 或 OCSP 响应（{}）在当时不是有效的", china_time(*date)),
                format!("the CRL or OCSP response of {} Beijing time was not current then", china_time(*date)),
            ),
            Self::ExpiredBefore(date) => (
                format!("证书在 CRL 或 OCSP 响应（{}）签发前已过期，可能不再列出", china_time(*date)),
                format!(
                    "the certificate had expired before the CRL or OCSP response of {} Beijing time, which may leave it out",
                    china_time(*date)
                ),
            ),
        }
    }
}
