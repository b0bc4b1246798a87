//! Our door to path validation: does a chain lead from this certificate to an anchor of ours, and did it hold at a moment?
//!
//! Chains are searched here by name, key identifier and signature within a budget; [`super::rules`] then judges each by
//! RFC 5280 §6 (constraints, policies, critical extensions). Periods and revocation are judged here, since a past moment may
//! be proven by evidence made later ([`super::evidence`]). Signatures are checked by [`crate::crypto`] alone, so that one
//! room decides which algorithms count.
//!
//! A chain without revocation evidence is its own verdict, never a good one: policy belongs to the caller.

use std::cell::Cell;
use std::collections::HashSet;

use spki::AlgorithmIdentifierOwned;
use time::OffsetDateTime;

use super::certificate::Certificate;
use super::evidence::{RevocationEvidence, Standing, Statement, Unknown};
use super::known::Known;
use super::revocation::Revocation;
pub use super::rules::Rule;
use super::rules::validate;
use crate::crypto::{self, SignatureFault};
use crate::limits;
use crate::message::{Message, china_time};

/// What became of the search for a path. Chains run from the signer's certificate to the anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathVerdict {
    /// A chain to an anchor, all of it in force at the moment and proven not revoked then.
    Trusted {
        chain: Vec<Certificate>,
        /// The signer's own certificate was revoked after the moment asked about.
        revoked_later: Option<Revocation>,
        /// What proved it, for each certificate of the chain but the anchor.
        evidence: Vec<Statement>,
        /// Until when the signature on each certificate of the chain but the anchor's is accepted, where that is known to
        /// end. It had not at the moment; whether the certificate itself existed by then is for the caller to prove.
        ends: Vec<Option<Ending>>,
    },
    /// As `Trusted`, except that nothing proves `chain[at_fault]` not revoked.
    RevocationUnknown { chain: Vec<Certificate>, at_fault: usize, why: Unknown },
    /// `chain[at_fault]` was revoked at or before the moment, by the word of `evidence`.
    Revoked { chain: Vec<Certificate>, at_fault: usize, revocation: Revocation, evidence: Box<Statement> },
    /// `chain[at_fault]` had ended.
    Expired { chain: Vec<Certificate>, at_fault: usize },
    /// `chain[at_fault]` had not begun.
    NotYetValid { chain: Vec<Certificate>, at_fault: usize },
    /// A chain to an anchor, good in everything else, that rests on an algorithm or key that was not accepted any more.
    Weak { chain: Vec<Certificate>, ending: Ending, evidence: Vec<Statement> },
    /// The only chain uses the named thing, which cannot be checked here.
    Unsupported(String),
    /// The only chain breaks the rule named in English.
    Broken(Rule),
    /// No chain leads to an anchor.
    NoAnchor,
}

/// Of what a signature rests on, that which is the first not to be accepted any more, and from when
/// ([`crypto::Strength::until`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    pub algorithm: String,
    pub until: OffsetDateTime,
}

impl Ending {
    /// Of a checked signature by this key and algorithm; None where no end is known.
    ///
    /// # Errors
    /// The signature is wrong, or cannot be checked.
    pub(super) fn of(
        checked: Result<(), SignatureFault>,
        public_key: &[u8],
        algorithm: &AlgorithmIdentifierOwned,
    ) -> Result<Option<Self>, SignatureFault> {
        match checked {
            // Whether it is weak by now is not the question here.
            Ok(()) | Err(SignatureFault::Weak(_)) => {}
            Err(fault) => return Err(fault),
        }
        let endings = crypto::strengths(public_key, algorithm)?.into_iter();
        let endings = endings.filter_map(|one| Some(Self { algorithm: one.name(), until: one.until()? }));
        Ok(endings.min_by_key(|ending| ending.until))
    }

    /// The earlier of two.
    pub(super) fn first(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).min_by_key(|ending| ending.until)
    }
}

/// Searches and judges the path of `leaf` at a moment.
///
/// `candidates` are certificates from anywhere, trusted for nothing; `anchors` are trusted as configured. A leaf that is
/// itself an anchor is trusted while in force. `known` spares what was checked before, and changes nothing else.
pub fn judge_path(
    leaf: &Certificate,
    candidates: &[&Certificate],
    anchors: &[Certificate],
    evidence: &RevocationEvidence<'_>,
    known: &Known,
    at: OffsetDateTime,
) -> PathVerdict {
    judge_path_within(&Purse::default(), leaf, candidates, anchors, evidence, known, at)
}

/// What all questions about one file may cost together: a file can hold hundreds of signatures, each with its own maze of
/// look-alike issuers. Once it is empty a question gets only what an honest one needs.
#[derive(Debug, Default)]
pub struct Purse {
    spent: Cell<usize>,
}

/// As [`judge_path`], one question among several about a file.
pub fn judge_path_within(
    purse: &Purse,
    leaf: &Certificate,
    candidates: &[&Certificate],
    anchors: &[Certificate],
    evidence: &RevocationEvidence<'_>,
    known: &Known,
    at: OffsetDateTime,
) -> PathVerdict {
    let most = match purse.spent.get() {
        ..limits::PATH_FILE_STEPS => limits::PATH_STEPS,
        _ => limits::PATH_LEAST_STEPS,
    };
    let inquiry = Inquiry { candidates, evidence, known, most, steps: Cell::new(0), attempts: Cell::new(0) };
    let verdict = inquiry.path(leaf, anchors, &[], at);
    purse.spent.set(purse.spent.get() + inquiry.steps.get());
    verdict
}

/// What one verdict may be made from, and what is left of its budget: a question about a list's maker inside the question
/// about a signer is paid for out of the same purse.
pub(super) struct Inquiry<'a> {
    pub(super) candidates: &'a [&'a Certificate],
    pub(super) evidence: &'a RevocationEvidence<'a>,
    pub(super) known: &'a Known,
    most: usize,
    steps: Cell<usize>,
    attempts: Cell<usize>,
}

impl Inquiry<'_> {
    /// As [`judge_path`]; `without` are the fingerprints of evidence that must not count, since this very question is
    /// asked to find out whether it does.
    pub(super) fn path(
        &self,
        leaf: &Certificate,
        anchors: &[Certificate],
        without: &[[u8; 32]],
        at: OffsetDateTime,
    ) -> PathVerdict {
        if leaf.lenient {
            return PathVerdict::Broken(Rule::Encoding);
        }
        if anchors.contains(leaf) {
            let chain = vec![leaf.clone()];
            let trusted =
                |chain| PathVerdict::Trusted { chain, revoked_later: None, evidence: Vec::new(), ends: Vec::new() };
            return out_of_period(&chain, at).unwrap_or_else(|| trusted(chain));
        }
        let mut seen: HashSet<[u8; 32]> = anchors.iter().map(Certificate::fingerprint).collect();
        seen.insert(leaf.fingerprint());
        let useful =
            |candidate: &&&Certificate| candidate.is_ca && !candidate.lenient && seen.insert(candidate.fingerprint());
        let intermediates = self.candidates.iter().filter(useful).copied().collect();
        let mut search = Search { inquiry: self, intermediates, anchors, without, at, best: PathVerdict::NoAnchor };
        search.extend(&mut vec![leaf]);
        search.best
    }

    /// Whether the budget still allows a look at one more signature, over so many bytes.
    pub(super) fn may_step(&self, bytes: usize) -> bool {
        self.steps.set(self.steps.get() + 1 + bytes / limits::PATH_STEP_BYTES);
        self.steps.get() <= self.most
    }

    /// Checks that `issuer`'s key signed `subject`, and tells until when such a signature is accepted.
    pub(super) fn certified(
        &self,
        subject: &Certificate,
        issuer: &Certificate,
    ) -> Result<Option<Ending>, SignatureFault> {
        let check = || {
            self.spend(&issuer.public_key);
            let checked = subject.is_signed_by(&issuer.public_key);
            Ending::of(checked, &issuer.public_key, &subject.signature_algorithm)
        };
        self.known.signature(&subject.fingerprint(), &issuer.public_key, check)
    }

    /// Whether the budget is used up: then nothing more is checked.
    pub(super) fn is_spent(&self) -> bool {
        self.steps.get() > self.most
    }

    /// Takes from the budget what a slow key's verification costs beyond one step.
    pub(super) fn spend(&self, public_key: &[u8]) {
        self.steps.set(self.steps.get() + crypto::effort(public_key) - 1);
    }

    /// `path` from the signer upwards, each signed by the next and the last by `anchor`.
    fn judge_chain(
        &self,
        path: &[&Certificate],
        anchor: &Certificate,
        without: &[[u8; 32]],
        at: OffsetDateTime,
    ) -> PathVerdict {
        let links: Vec<[u8; 32]> = path.iter().chain(std::iter::once(&anchor)).map(|link| link.fingerprint()).collect();
        if let Err(rule) = self.known.chain(&links, || validate(path, anchor)) {
            return PathVerdict::Broken(rule);
        }
        let mut chain: Vec<Certificate> = path.iter().map(|&certificate| certificate.clone()).collect();
        chain.push(anchor.clone());
        if let Some(verdict) = out_of_period(&chain, at) {
            return verdict;
        }
        // An anchor is not revoked but taken out of the settings. A revocation anywhere outweighs missing evidence
        // elsewhere, and what is wrong nearer the anchor is said first.
        let mut unknown = None;
        let mut revoked_later = None;
        let mut evidence = Vec::new();
        for (i, pair) in chain.windows(2).enumerate().rev() {
            let [certificate, issuer] = pair else { continue };
            match self.standing(i, certificate, issuer, anchor, without, at) {
                Standing::Good { later, evidence: proof } => {
                    revoked_later = later;
                    evidence.extend(proof);
                }
                Standing::Revoked(revocation, statement) => {
                    let evidence = Box::new(statement);
                    return PathVerdict::Revoked { chain, at_fault: i, revocation, evidence };
                }
                Standing::Unknown(why) => unknown = unknown.or(Some((i, why))),
            }
        }
        let pairs = chain.iter().zip(chain.iter().skip(1));
        let ends: Vec<_> = pairs.map(|(subject, issuer)| self.certified(subject, issuer).ok().flatten()).collect();
        let weak_link = ends.iter().flatten().find(|ending| ending.until <= at).cloned();
        let weak_statement = || evidence.iter().find_map(|statement: &Statement| statement.weakness(at).cloned());
        match (unknown, weak_link.or_else(weak_statement)) {
            (Some((at_fault, why)), _) => PathVerdict::RevocationUnknown { chain, at_fault, why },
            (None, Some(ending)) => PathVerdict::Weak { chain, ending, evidence },
            (None, None) => PathVerdict::Trusted { chain, revoked_later, evidence, ends },
        }
    }
}

struct Search<'a, 'i> {
    inquiry: &'i Inquiry<'a>,
    intermediates: Vec<&'i Certificate>,
    anchors: &'i [Certificate],
    without: &'i [[u8; 32]],
    at: OffsetDateTime,
    best: PathVerdict,
}

impl<'i> Search<'_, 'i> {
    /// Looks for issuers of the last certificate of `path`, anchors first.
    fn extend(&mut self, path: &mut Vec<&'i Certificate>) {
        let Some(&last) = path.last() else { return };
        for anchor in self.anchors {
            if self.signed_by(last, anchor) {
                self.inquiry.attempts.set(self.inquiry.attempts.get() + 1);
                self.note(self.inquiry.judge_chain(path, anchor, self.without, self.at));
            }
            if self.is_over() {
                return;
            }
        }
        if path.len() + 1 >= limits::PATH_CERTIFICATES {
            return;
        }
        for issuer in self.intermediates.clone() {
            // A key that comes twice adds nothing (RFC 5280 §6.1 forbids a certificate twice; this also stops loops).
            let seen = path.iter().any(|step| step.public_key == issuer.public_key && step.subject == issuer.subject);
            if !seen && self.signed_by(last, issuer) {
                path.push(issuer);
                self.extend(path);
                path.pop();
            }
            if self.is_over() {
                return;
            }
        }
    }

    /// Whether name, key identifiers and signature fit, however weak by now. A misfit of the signature alone is noted as
    /// what it is.
    fn signed_by(&mut self, subject: &Certificate, issuer: &Certificate) -> bool {
        if !issuer.subject.means(&subject.issuer) || !issuer.is_ca {
            return false;
        }
        if let (Some(named), Some(own)) = (&subject.authority_key_id, &issuer.subject_key_id)
            && named != own
        {
            return false;
        }
        if !self.inquiry.may_step(subject.der().len()) {
            return false;
        }
        let fault = match self.inquiry.certified(subject, issuer) {
            Ok(_) | Err(SignatureFault::Weak(_)) => return true,
            Err(SignatureFault::Wrong | SignatureFault::Malformed(_)) => PathVerdict::Broken(Rule::Signature),
            Err(SignatureFault::Unsupported(name)) => PathVerdict::Unsupported(name),
        };
        self.note(fault);
        false
    }

    fn note(&mut self, verdict: PathVerdict) {
        if verdict.rank() > self.best.rank() {
            self.best = verdict;
        }
    }

    fn is_over(&mut self) -> bool {
        let Inquiry { attempts, steps, most, .. } = self.inquiry;
        if attempts.get() >= limits::PATH_ATTEMPTS || steps.get() >= *most {
            self.note(PathVerdict::Broken(Rule::Budget));
            return true;
        }
        matches!(self.best, PathVerdict::Trusted { .. })
    }
}

fn out_of_period(chain: &[Certificate], at: OffsetDateTime) -> Option<PathVerdict> {
    // The signer's own certificate is the likeliest, and the one that people ask about.
    let at_fault = chain.iter().position(|certificate| !certificate.is_in_force(at))?;
    let chain = chain.to_vec();
    Some(match chain.get(at_fault) {
        Some(certificate) if at < certificate.not_before => PathVerdict::NotYetValid { chain, at_fault },
        _ => PathVerdict::Expired { chain, at_fault },
    })
}

impl PathVerdict {
    /// The certificates from the signer to the anchor, where a chain was found.
    pub fn chain(&self) -> &[Certificate] {
        match self {
            Self::Trusted { chain, .. }
            | Self::RevocationUnknown { chain, .. }
            | Self::Revoked { chain, .. }
            | Self::Expired { chain, .. }
            | Self::NotYetValid { chain, .. }
            | Self::Weak { chain, .. } => chain,
            Self::Unsupported(_) | Self::Broken(_) | Self::NoAnchor => &[],
        }
    }

    /// What proved the chain not revoked, or revoked; empty where nothing did.
    pub fn evidence(&self) -> &[Statement] {
        match self {
            Self::Trusted { evidence, .. } | Self::Weak { evidence, .. } => evidence,
            Self::Revoked { evidence, .. } => std::slice::from_ref(evidence),
            _ => &[],
        }
    }

    /// The sub-indication of EN 319 102-1 §5.2.6 (X.509 certificate validation) for a moment whose proof is not known
    /// here; None for `Trusted`. All of them go with INDETERMINATE: whoever has proof of the moment may say more.
    pub fn sub_indication(&self) -> Option<&'static str> {
        match self {
            Self::Trusted { .. } => None,
            Self::RevocationUnknown { .. } => Some("TRY_LATER"),
            Self::Revoked { at_fault: 0, .. } => Some("REVOKED_NO_POE"),
            Self::Revoked { .. } => Some("REVOKED_CA_NO_POE"),
            Self::Expired { .. } | Self::NotYetValid { .. } => Some("OUT_OF_BOUNDS_NO_POE"),
            Self::Weak { .. } => Some("CRYPTO_CONSTRAINTS_FAILURE_NO_POE"),
            Self::Broken(Rule::Length | Rule::Names | Rule::Policy) => Some("CHAIN_CONSTRAINTS_FAILURE"),
            Self::Unsupported(_) | Self::Broken(_) => Some("CERTIFICATE_CHAIN_GENERAL_FAILURE"),
            Self::NoAnchor => Some("NO_CERTIFICATE_CHAIN_FOUND"),
        }
    }

    /// What to say about it.
    pub fn message(&self) -> Message {
        let who = |chain: &[Certificate], i: usize| {
            chain.get(i).map(|certificate| certificate.subject.to_string()).unwrap_or_default()
        };
        match self {
            Self::Trusted { .. } => Message::new(
                "pki.path-trusted",
                "证书链可信，且当时未被撤销。",
                "The certificate chain is trusted and was not revoked at the time.",
            ),
            Self::RevocationUnknown { chain, at_fault, why } => {
                let (zh, en) = why.words();
                Message::new(
                    "pki.path-revocation-unknown",
                    format!(
                        "证书链可信，但无法确认“{}”当时是否被撤销：{zh}。请稍后重新核验，或向发文机关核实。",
                        who(chain, *at_fault)
                    ),
                    format!(
                        "The chain is trusted, but nothing shows whether \"{}\" was revoked: {en}. Verify again later, or ask the issuing office.",
                        who(chain, *at_fault)
                    ),
                )
            }
            Self::Revoked { chain, at_fault, revocation, .. } => Message::new(
                "pki.path-revoked",
                format!("证书“{}”已于 {} 被撤销。", who(chain, *at_fault), china_time(revocation.effective())),
                format!(
                    "The certificate of \"{}\" was revoked as of {} Beijing time.",
                    who(chain, *at_fault),
                    china_time(revocation.effective())
                ),
            ),
            Self::Expired { chain, at_fault } => Message::new(
                "pki.path-expired",
                format!("证书“{}”当时已过有效期。", who(chain, *at_fault)),
                format!("The certificate of \"{}\" had expired by then.", who(chain, *at_fault)),
            ),
            Self::NotYetValid { chain, at_fault } => Message::new(
                "pki.path-not-yet-valid",
                format!("证书“{}”当时尚未生效。", who(chain, *at_fault)),
                format!("The certificate of \"{}\" was not yet valid then.", who(chain, *at_fault)),
            ),
            Self::Weak { ending: Ending { algorithm: name, until }, .. } => Message::new(
                "pki.path-weak",
                format!(
                    "证书链依赖 {name}，其强度自 {} 起不再被认可，又无法证明此前已有，不能作为凭据。",
                    china_time(*until)
                ),
                format!(
                    "The chain rests on {name}, which is not accepted any more from {} Beijing time on, and nothing proves that it is from before.",
                    china_time(*until)
                ),
            ),
            Self::Unsupported(name) => Message::new(
                "pki.path-unsupported",
                format!("证书链使用了无法检验的 {name}，因此不作判断。"),
                format!("The chain uses {name}, which cannot be checked here, so nothing is said."),
            ),
            Self::Broken(rule) => {
                let (zh, en) = rule.words();
                Message::new(
                    "pki.path-broken",
                    format!("证书链不成立：{zh}。"),
                    format!("The certificate chain does not hold: {en}."),
                )
            }
            Self::NoAnchor => Message::new(
                "pki.path-no-anchor",
                "签名证书不是由此处信任的机构签发的，无法确认签署者是谁。请向发文机关核实。",
                "The certificate was not issued by an authority that is trusted here, so nobody can say who signed. Ask the issuing office.",
            ),
        }
    }

    /// The better of two paths counts: any good one is enough.
    fn rank(&self) -> u8 {
        match self {
            Self::NoAnchor => 0,
            Self::Broken(Rule::Signature) => 1,
            Self::Broken(_) => 2,
            Self::Unsupported(_) => 3,
            Self::NotYetValid { .. } | Self::Expired { .. } => 4,
            Self::Revoked { .. } => 5,
            Self::RevocationUnknown { .. } => 6,
            Self::Weak { .. } => 7,
            Self::Trusted { .. } => 8,
        }
    }
}
