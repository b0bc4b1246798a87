//! Our door to path validation: does a chain lead from this certificate to an anchor of ours, and did it hold at a moment?
//!
//! Chains are searched here by name, key identifier and signature within a budget; `certval` then judges each by
//! RFC 5280 §6 (constraints, policies, critical extensions), with signatures checked by [`crate::crypto`] so that one room
//! decides which algorithms count. Periods and revocation are judged here, since a past moment may be proven by evidence
//! made later ([`super::revocation`]).
//!
//! A chain without revocation evidence is its own verdict, never a good one: policy belongs to the caller.

use certval::validator::pdv_trust_anchor::PDVTrustAnchorChoice;
use certval::{
    CertificationPath, CertificationPathResults, CertificationPathSettings, PDVCertificate, PathValidationStatus,
    PkiEnvironment, TimeOfInterest,
};
use der::Encode;
use time::OffsetDateTime;

use super::certificate::Certificate;
use super::revocation::{Revocation, RevocationList, Standing, Unknown, standing};
use crate::crypto::{self, SignatureFault};
use crate::limits;
use crate::message::Message;

/// What became of the search for a path. Chains run from the signer's certificate to the anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathVerdict {
    /// A chain to an anchor, all of it in force at the moment and proven not revoked then.
    Trusted {
        chain: Vec<Certificate>,
        /// The signer's own certificate was revoked after the moment asked about.
        revoked_later: Option<Revocation>,
    },
    /// As `Trusted`, except that nothing proves `chain[at_fault]` not revoked.
    RevocationUnknown { chain: Vec<Certificate>, at_fault: usize, why: Unknown },
    /// `chain[at_fault]` was revoked at or before the moment.
    Revoked { chain: Vec<Certificate>, at_fault: usize, revocation: Revocation },
    /// `chain[at_fault]` had ended.
    Expired { chain: Vec<Certificate>, at_fault: usize },
    /// `chain[at_fault]` had not begun.
    NotYetValid { chain: Vec<Certificate>, at_fault: usize },
    /// A chain to an anchor, good in everything else, that rests on the named algorithm or key: too weak to prove anything.
    Weak { chain: Vec<Certificate>, algorithm: String },
    /// The only chain uses the named thing, which cannot be checked here.
    Unsupported(String),
    /// The only chain breaks the rule named in English.
    Broken(Rule),
    /// No chain leads to an anchor.
    NoAnchor,
}

/// A rule of path validation that a chain broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A signature in the chain is wrong (RFC 5280 §6.1.3 (a)(1)).
    Signature,
    /// An issuer is no certificate authority, or may not sign certificates (§6.1.4 (k), (n)).
    Authority,
    /// More certificates than an issuer allows (§6.1.4 (l), (m)).
    Length,
    /// A name that an issuer does not allow (§6.1.3 (b), (c)).
    Names,
    /// No acceptable policy (§6.1.3 (d)).
    Policy,
    /// A critical extension that nobody here understands (§6.1.4 (o), §6.1.5 (f)).
    CriticalExtension,
    /// Not readable as DER.
    Encoding,
    /// The search was stopped by its budget.
    Budget,
    /// Anything else that the validator refuses.
    Other,
}

/// Searches and judges the path of `leaf` at a moment.
///
/// `candidates` are intermediate certificates from anywhere, trusted for nothing; `anchors` are trusted as configured.
/// A leaf that is itself an anchor is trusted while in force.
pub fn judge_path(
    leaf: &Certificate,
    candidates: &[Certificate],
    anchors: &[Certificate],
    lists: &[RevocationList],
    at: OffsetDateTime,
) -> PathVerdict {
    if leaf.lenient {
        return PathVerdict::Broken(Rule::Encoding);
    }
    if anchors.contains(leaf) {
        let chain = vec![leaf.clone()];
        return out_of_period(&chain, at).unwrap_or(PathVerdict::Trusted { chain, revoked_later: None });
    }
    let mut intermediates: Vec<&Certificate> = Vec::new();
    for candidate in candidates {
        let useful = candidate.is_ca && !candidate.lenient && candidate != leaf && !anchors.contains(candidate);
        if useful && !intermediates.contains(&candidate) {
            intermediates.push(candidate);
        }
    }
    let mut search = Search { intermediates, anchors, lists, at, steps: 0, attempts: 0, best: PathVerdict::NoAnchor };
    search.extend(&mut vec![leaf], None);
    search.best
}

struct Search<'a> {
    intermediates: Vec<&'a Certificate>,
    anchors: &'a [Certificate],
    lists: &'a [RevocationList],
    at: OffsetDateTime,
    steps: usize,
    attempts: usize,
    best: PathVerdict,
}

impl<'a> Search<'a> {
    /// Looks for issuers of the last certificate of `path`, anchors first; `weakness` is that of its signatures so far.
    fn extend(&mut self, path: &mut Vec<&'a Certificate>, weakness: Option<&str>) {
        let Some(&last) = path.last() else { return };
        for anchor in self.anchors {
            if let Some(own) = self.signed_by(last, anchor) {
                self.attempts += 1;
                self.note(judge_chain(path, anchor, weakness.or(own.as_deref()), self.lists, self.at));
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
            if !seen && let Some(own) = self.signed_by(last, issuer) {
                path.push(issuer);
                self.extend(path, weakness.or(own.as_deref()));
                path.pop();
            }
            if self.is_over() {
                return;
            }
        }
    }

    /// Whether name, key identifiers and signature fit, and if so what is weak about the signature. A misfit of the
    /// signature alone is noted as what it is.
    fn signed_by(&mut self, subject: &Certificate, issuer: &Certificate) -> Option<Option<String>> {
        if !issuer.subject.means(&subject.issuer) || !issuer.is_ca {
            return None;
        }
        if let (Some(named), Some(own)) = (&subject.authority_key_id, &issuer.subject_key_id)
            && named != own
        {
            return None;
        }
        self.steps += 1;
        let fault = match subject.is_signed_by(&issuer.public_key) {
            Ok(()) => return Some(None),
            Err(SignatureFault::Weak(name)) => return Some(Some(name)),
            Err(SignatureFault::Wrong | SignatureFault::Malformed(_)) => PathVerdict::Broken(Rule::Signature),
            Err(SignatureFault::Unsupported(name)) => PathVerdict::Unsupported(name),
        };
        self.note(fault);
        None
    }

    fn note(&mut self, verdict: PathVerdict) {
        if verdict.rank() > self.best.rank() {
            self.best = verdict;
        }
    }

    fn is_over(&mut self) -> bool {
        if self.attempts >= limits::PATH_ATTEMPTS || self.steps >= limits::PATH_STEPS {
            self.note(PathVerdict::Broken(Rule::Budget));
            return true;
        }
        matches!(self.best, PathVerdict::Trusted { .. })
    }
}

/// `path` from the signer upwards, each signed by the next and the last by `anchor`.
fn judge_chain(
    path: &[&Certificate],
    anchor: &Certificate,
    weakness: Option<&str>,
    lists: &[RevocationList],
    at: OffsetDateTime,
) -> PathVerdict {
    if let Err(rule) = validate(path, anchor) {
        return PathVerdict::Broken(rule);
    }
    let mut chain: Vec<Certificate> = path.iter().map(|&certificate| certificate.clone()).collect();
    chain.push(anchor.clone());
    if let Some(verdict) = out_of_period(&chain, at) {
        return verdict;
    }
    // An anchor is not revoked but taken out of the settings. A revocation anywhere outweighs missing evidence elsewhere,
    // and what is wrong nearer the anchor is said first.
    let mut unknown = None;
    let mut revoked_later = None;
    let mut weakness = weakness.map(str::to_owned);
    for (i, pair) in chain.windows(2).enumerate().rev() {
        let [certificate, issuer] = pair else { continue };
        match standing(certificate, issuer, lists, at) {
            Standing::Good { later, weakness: of_list, .. } => {
                revoked_later = later;
                weakness = weakness.or(of_list);
            }
            Standing::Revoked(revocation) => return PathVerdict::Revoked { chain, at_fault: i, revocation },
            Standing::Unknown(why) => unknown = unknown.or(Some((i, why))),
        }
    }
    match (unknown, weakness) {
        (Some((at_fault, why)), _) => PathVerdict::RevocationUnknown { chain, at_fault, why },
        (None, Some(algorithm)) => PathVerdict::Weak { chain, algorithm },
        (None, None) => PathVerdict::Trusted { chain, revoked_later },
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

/// RFC 5280 §6.1 without time and revocation.
fn validate(path: &[&Certificate], anchor: &Certificate) -> Result<(), Rule> {
    let (leaf, issuers) = path.split_first().ok_or(Rule::Other)?;
    let parsed = |certificate: &Certificate| PDVCertificate::try_from(certificate.der()).map_err(|_| Rule::Encoding);
    let target = parsed(leaf)?;
    let intermediates = issuers.iter().rev().map(|certificate| parsed(certificate)).collect::<Result<Vec<_>, _>>()?;
    let anchor = PDVTrustAnchorChoice::try_from(anchor.der()).map_err(|_| Rule::Encoding)?;

    let mut environment = PkiEnvironment::new();
    environment.add_validate_path_callback(certval::validator::path_validator::validate_path_rfc5280);
    environment.add_verify_signature_message_callback(verify_signature);
    let mut settings = CertificationPathSettings::new();
    settings.set_time_of_interest(TimeOfInterest::disabled());
    settings.set_require_ta_store(false);
    // The anchor's own path length and name constraints bind too (RFC 5937).
    settings.set_enforce_trust_anchor_constraints(true);
    let settings = certval::validator::path_validator::enforce_trust_anchor_constraints(&settings, &anchor)
        .map_err(|_| Rule::Other)?;
    let chain = CertificationPath::new(anchor, intermediates, target);
    let mut results = CertificationPathResults::new();
    match environment.validate_path(&environment, &settings, &chain, &mut results) {
        Ok(()) if results.get_validation_status() == Some(PathValidationStatus::Valid) => Ok(()),
        Ok(()) => Err(Rule::Other),
        Err(certval::Error::PathValidation(status)) => Err(Rule::broken(status)),
        Err(certval::Error::Asn1Error(_)) => Err(Rule::Encoding),
        Err(_) => Err(Rule::Other),
    }
}

fn verify_signature(
    _: &PkiEnvironment,
    message: &[u8],
    signature: &der::asn1::BitString,
    algorithm: &spki::AlgorithmIdentifierOwned,
    public_key: &spki::SubjectPublicKeyInfoOwned,
) -> certval::Result<()> {
    let public_key = public_key.to_der().map_err(certval::Error::Asn1Error)?;
    match crypto::verify(&public_key, algorithm, message, signature.raw_bytes()) {
        // Weakness is a verdict of its own, given when everything else is known.
        Ok(()) | Err(SignatureFault::Weak(_)) => Ok(()),
        Err(_) => Err(certval::Error::PathValidation(PathValidationStatus::SignatureVerificationFailure)),
    }
}

impl Rule {
    fn broken(status: PathValidationStatus) -> Self {
        use PathValidationStatus as S;
        match status {
            S::SignatureVerificationFailure => Self::Signature,
            S::MissingBasicConstraints | S::InvalidBasicConstraints | S::InvalidKeyUsage => Self::Authority,
            S::InvalidPathLength => Self::Length,
            S::NameConstraintsViolation | S::NameChainingFailure => Self::Names,
            S::NullPolicySet | S::InvalidPolicyMapping => Self::Policy,
            S::UnprocessedCriticalExtension => Self::CriticalExtension,
            S::EncodingError => Self::Encoding,
            S::ProcessingLimitExceeded => Self::Budget,
            _ => Self::Other,
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Signature => ("链中某证书的签名不正确", "a signature in the chain is wrong"),
            Self::Authority => ("链中某签发者无权签发证书", "an issuer in the chain may not sign certificates"),
            Self::Length => ("证书链超过签发者允许的长度", "the chain is longer than an issuer allows"),
            Self::Names => ("证书名称不在签发者允许的范围内", "a name is not among those an issuer allows"),
            Self::Policy => ("没有可接受的证书策略", "no certificate policy is acceptable"),
            Self::CriticalExtension => ("含有无法理解的关键扩展", "a critical extension is not understood"),
            Self::Encoding => ("某证书编码不合规", "a certificate is not properly encoded"),
            Self::Budget => {
                ("候选证书过多，已停止查找", "there are too many candidate certificates, the search was stopped")
            }
            Self::Other => ("不符合 RFC 5280 的规定", "it does not follow RFC 5280"),
        }
    }
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
                        "证书链可信，但无法确认“{}”当时是否被撤销：{zh}。请取得该签发者的最新 CRL 后重新检验。",
                        who(chain, *at_fault)
                    ),
                    format!(
                        "The chain is trusted, but nothing shows whether \"{}\" was revoked: {en}. Obtain its issuer's current CRL and check again.",
                        who(chain, *at_fault)
                    ),
                )
            }
            Self::Revoked { chain, at_fault, revocation } => Message::new(
                "pki.path-revoked",
                format!("证书“{}”已于 {} 被撤销。", who(chain, *at_fault), revocation.effective()),
                format!(
                    "The certificate of \"{}\" was revoked as of {}.",
                    who(chain, *at_fault),
                    revocation.effective()
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
            Self::Weak { algorithm: name, .. } => Message::new(
                "pki.path-weak",
                format!("证书链依赖强度不足的 {name}，不能作为凭据。"),
                format!("The chain rests on {name}, which is too weak to prove anything."),
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
                "没有找到通向受信任根证书的证书链。如信任该签发机构，请把其根证书加入信任目录。",
                "No chain leads to a trusted root. If you trust this authority, add its root certificate to the trust folder.",
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

impl Unknown {
    /// The reason in Chinese and English.
    pub fn words(&self) -> (String, String) {
        match self {
            Self::NoList => ("没有其签发者的 CRL".into(), "there is no CRL of its issuer".into()),
            Self::NotSignedByIssuer => (
                "CRL 不是其签发者签名的，或无法检验".into(),
                "the CRL is not signed by its issuer, or cannot be checked".into(),
            ),
            Self::NotAboutIt(what) => {
                (format!("CRL 不适用于该证书（{what}）"), format!("the CRL is not about it ({what})"))
            }
            Self::Stale(date) => {
                (format!("CRL（{date}）在当时不是有效的"), format!("the CRL of {date} was not current then"))
            }
            Self::ExpiredBefore(date) => (
                format!("证书在 CRL（{date}）签发前已过期，CRL 可能不再列出"),
                format!("the certificate had expired before the CRL of {date}, which may leave it out"),
            ),
        }
    }
}
