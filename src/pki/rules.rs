//! The rules of RFC 5280 §6 without signatures, time and revocation, judged by `certval`.

use certval::validator::pdv_trust_anchor::PDVTrustAnchorChoice;
use certval::{
    CertificationPath, CertificationPathResults, CertificationPathSettings, PDVCertificate, PathValidationStatus,
    PkiEnvironment, TimeOfInterest,
};
use der::Encode;
use der::asn1::BitString;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::certificate::Certificate;

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

/// Whether `path`, from the signer upwards, is a chain below `trusted`. Its signatures are taken as checked: whoever
/// searched for it did so.
///
/// # Errors
/// The rule that it breaks.
pub(super) fn validate(path: &[&Certificate], trusted: &Certificate) -> Result<(), Rule> {
    let (leaf, issuers) = path.split_first().ok_or(Rule::Other)?;
    let parsed = |certificate: &Certificate| PDVCertificate::try_from(certificate.der()).map_err(|_| Rule::Encoding);
    let target = parsed(leaf)?;
    let intermediates = issuers.iter().rev().map(|certificate| parsed(certificate)).collect::<Result<Vec<_>, _>>()?;
    let anchor = PDVTrustAnchorChoice::try_from(trusted.der()).map_err(|_| Rule::Encoding)?;

    let mut environment = PkiEnvironment::new();
    environment.add_validate_path_callback(certval::validator::path_validator::validate_path_rfc5280);
    let is_checked = checked(path, trusted);
    environment.add_verify_signature_message_callback(
        move |_: &PkiEnvironment,
              message: &[u8],
              signature: &BitString,
              _: &AlgorithmIdentifierOwned,
              key: &SubjectPublicKeyInfoOwned| {
            let key = key.to_der().map_err(certval::Error::Asn1Error)?;
            match is_checked(message, signature.raw_bytes(), &key) {
                true => Ok(()),
                false => Err(certval::Error::PathValidation(PathValidationStatus::SignatureVerificationFailure)),
            }
        },
    );
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

/// The signatures that whoever searched for the chain has checked, each with its own strength in mind; any other is refused.
fn checked(
    path: &[&Certificate],
    anchor: &Certificate,
) -> impl Fn(&[u8], &[u8], &[u8]) -> bool + Send + Sync + 'static {
    let issuers = path.iter().skip(1).copied().chain(std::iter::once(anchor));
    let pairs: Vec<(Certificate, Vec<u8>)> =
        path.iter().zip(issuers).map(|(&subject, issuer)| (subject.clone(), issuer.public_key.clone())).collect();
    move |message, signature, key| {
        pairs.iter().any(|(subject, issuer_key)| {
            subject.to_be_signed() == message && subject.signature == signature && issuer_key == key
        })
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

    /// In Chinese and English.
    pub(super) fn words(self) -> (&'static str, &'static str) {
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
