//! The lines of authorities: a root and the issuing authorities under it. A house has one, or two beside each other, since no
//! one algorithm serves both files: readers of PDF verify no SM2, and a national reader of OFD takes SM2 with SM3 and nothing
//! else from the seal up to its root (GB/T 38540, GB/T 20518).

use crate::crypto::{Digest, KeyAlgorithm};
use crate::desk::FlowError;
use crate::message::Message;
use crate::pki::certificate::{Certificate, CertificateFault};
use crate::pki::issue;
use crate::store::{CaCertificate, CaKind, Store};

use super::{Authority, ROOT, missing};

/// For which readers a line is; chosen by the algorithm of a key, and told by that of a root's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// P-256 and RSA.
    International,
    /// SM2 with SM3.
    National,
}

impl From<KeyAlgorithm> for Family {
    fn from(algorithm: KeyAlgorithm) -> Self {
        match algorithm {
            KeyAlgorithm::Sm2 => Self::National,
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Ed25519 => {
                Self::International
            }
        }
    }
}

impl From<Digest> for Family {
    /// Whoever has something stamped by its SM3 reads a stamp on SM2.
    fn from(digest: Digest) -> Self {
        if digest == Digest::Sm3 { Self::National } else { Self::International }
    }
}

impl Family {
    /// Of this root and whatever leads to it.
    fn of_root(root: &Certificate) -> Result<Self, FlowError> {
        Ok(issue::certified(&root.public_key)?.into())
    }

    /// Of what has these issuers (DER, the root last); none where it has none.
    pub(crate) fn of_chain(issuers: &[Vec<u8>]) -> Result<Option<Self>, FlowError> {
        let root = issuers.last().map(|root| Certificate::read(root)).transpose()?;
        root.as_ref().map(Self::of_root).transpose()
    }

    /// As people are told, Chinese and English.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::International => ("国际算法", "P-256 or RSA"),
            Self::National => ("SM2", "SM2"),
        }
    }
}

/// What tells a line's labels and names from those of the line that was there before it. The first has none, whatever its
/// keys are: that is how houses were founded before there could be two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(Option<Family>);

impl Mark {
    pub(super) fn label(self, of: &str) -> String {
        match self.0 {
            None => of.to_owned(),
            Some(Family::National) => format!("{of}-sm2"),
            Some(Family::International) => format!("{of}-international"),
        }
    }

    /// The common name in certificates. Two authorities never share one: a list or an answer is looked for by its maker's
    /// name, and one line's must not be taken for the other's.
    pub(super) fn name(self, of: &str) -> String {
        match self.0 {
            None => format!("yinxin {of}"),
            Some(Family::National) => format!("yinxin SM2 {of}"),
            Some(Family::International) => format!("yinxin International {of}"),
        }
    }
}

/// An authority.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    /// Of its key, its lists, its certificate.
    pub(crate) label: String,
    pub(crate) certificate: Certificate,
}

impl TryFrom<CaCertificate> for Issuer {
    type Error = CertificateFault;

    fn try_from(ca: CaCertificate) -> Result<Self, CertificateFault> {
        Ok(Self { certificate: Certificate::read(&ca.certificate)?, label: ca.label })
    }
}

/// A root, and who issues under it.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(super) family: Family,
    pub(super) mark: Mark,
    pub(super) root: Issuer,
    /// Oldest first; none where a crash came between the root and the first.
    pub(super) issuing: Vec<Issuer>,
}

impl Line {
    /// Of its root.
    pub(crate) fn label(&self) -> &str {
        &self.root.label
    }

    /// The issuing authority that makes whatever is new.
    pub(crate) fn newest(&self) -> Option<&Issuer> {
        self.issuing.last()
    }

    /// The certificates above what this one of its issuing authorities made, DER.
    pub(super) fn above(&self, issuing: &Issuer) -> Vec<Vec<u8>> {
        [issuing, &self.root].map(|one| one.certificate.der().to_vec()).into()
    }
}

/// All lines, the one that was founded first before the other.
pub(crate) async fn lines(store: &Store) -> Result<Vec<Line>, FlowError> {
    let (roots, below): (Vec<_>, Vec<_>) =
        store.ca_certificates().await?.into_iter().partition(|ca| ca.kind == CaKind::Root);
    let mut lines = vec![];
    for root in roots {
        let root = Issuer::try_from(root)?;
        let family = Family::of_root(&root.certificate)?;
        let mark = Mark((root.label != ROOT).then_some(family));
        lines.push(Line { family, mark, root, issuing: vec![] });
    }
    for issuer in below {
        let issuer = Issuer::try_from(issuer)?;
        // By who signed it, not by what it is called.
        let made = |line: &&mut Line| issuer.certificate.is_signed_by(&line.root.certificate.public_key).is_ok();
        if let Some(line) = lines.iter_mut().find(made) {
            line.issuing.push(issuer);
        }
    }
    Ok(lines)
}

/// All issuing authorities that there ever were, oldest first.
pub(crate) async fn issuers(store: &Store) -> Result<Vec<Issuer>, FlowError> {
    let below = store.ca_certificates().await?.into_iter().filter(|ca| ca.kind == CaKind::Issuing);
    below.map(|ca| Ok(ca.try_into()?)).collect()
}

/// Of these lines the one under which another family's would be founded: its mark, and the root that a crash left alone.
///
/// # Errors
/// [`FlowError::Request`] where the family has its line.
pub(super) fn vacancy(lines: Vec<Line>, family: Family) -> Result<(Mark, Option<Issuer>), FlowError> {
    let next = Mark((!lines.is_empty()).then_some(family));
    match lines.into_iter().find(|line| line.family == family) {
        None => Ok((next, None)),
        Some(line) if line.issuing.is_empty() => Ok((line.mark, Some(line.root))),
        Some(_) => Err(exists(family)),
    }
}

/// The algorithm of authorities that are to be founded: P-256 where nothing was said, but a house that has a line on SM2 says
/// what it wants beside it.
///
/// # Errors
/// [`FlowError::Request`] where there is such a line and nothing was said.
pub(crate) async fn founding(store: &Store, said: Option<KeyAlgorithm>) -> Result<KeyAlgorithm, FlowError> {
    match said {
        Some(algorithm) => Ok(algorithm),
        None if lines(store).await?.iter().any(|line| line.family == Family::National) => Err(exists(Family::National)),
        None => Ok(KeyAlgorithm::EcdsaP256),
    }
}

pub(crate) fn exists(family: Family) -> FlowError {
    let (zh, en) = family.words();
    FlowError::Request(Message::new(
        "ca.exists",
        format!("{zh}证书机构已经建立，不会重建"),
        format!("the certificate authorities on {en} already exist and are not made again"),
    ))
}

/// Which line an issuing authority on such a key belongs to, of those that there are: it never makes a chain of two families.
///
/// # Errors
/// [`FlowError::Request`] where there is none of that family, or two and nobody said which.
pub(crate) fn line_to_follow(founded: &[Family], algorithm: Option<KeyAlgorithm>) -> Result<Family, FlowError> {
    match (algorithm.map(Family::from), founded) {
        (_, []) => Err(missing()),
        (None, [only]) => Ok(*only),
        (Some(family), founded) if founded.contains(&family) => Ok(family),
        (Some(family), _) => {
            let (zh, en) = family.words();
            Err(FlowError::Request(Message::new(
                "ca.other-family",
                format!("没有{zh}根证书，签发机构须与其根证书同属一类算法；请先以该算法运行 yinxin ca init"),
                format!(
                    "there is no root on {en}, and an issuing authority is of its root's kind; run `yinxin ca init` with that algorithm first"
                ),
            )))
        }
        (None, _) => Err(FlowError::Request(Message::new(
            "ca.which-line",
            "有两套证书机构，请写明算法（--algorithm）",
            "there are two lines of authorities; say which by its algorithm (--algorithm)",
        ))),
    }
}

/// The families that have authorities here.
pub(crate) async fn founded(store: &Store) -> Result<Vec<Family>, FlowError> {
    let complete = |line: Line| (!line.issuing.is_empty()).then_some(line.family);
    Ok(lines(store).await?.into_iter().filter_map(complete).collect())
}

impl Authority {
    /// Who makes what is new on keys of this family, with its line: the family's own where the house has one, else the other.
    pub(super) async fn issuing(&self, family: Family) -> Result<(Issuer, Line), FlowError> {
        let mut lines = lines(&self.store).await?;
        lines.retain(|line| !line.issuing.is_empty());
        let own = lines.iter().position(|line| line.family == family).unwrap_or(0);
        let line = lines.into_iter().nth(own).ok_or_else(missing)?;
        let issuer = line.newest().cloned().ok_or_else(missing)?;
        Ok((issuer, line))
    }

    /// Ours that made this certificate; none where it is an outside authority's.
    pub(super) async fn issuer_of(&self, certificate: &Certificate) -> Result<Option<Issuer>, FlowError> {
        Ok(made_by(&issuers(&self.store).await?, certificate).cloned())
    }
}

/// Which of these made this certificate, by its signature: names can be given to anybody.
pub(super) fn made_by<'a>(issuers: &'a [Issuer], certificate: &Certificate) -> Option<&'a Issuer> {
    issuers.iter().rev().find(|issuer| certificate.is_signed_by(&issuer.certificate.public_key).is_ok())
}
