//! Which baseline level of PAdES a signature has reached (EN 319 142-1 §6): a fact beside the verdict, which may be bad all the
//! same. Only what holds is counted: a time stamp that cannot be trusted is none.

use super::existence::Existence;
use super::stamps::Judged;
use crate::cms::Checks;
use crate::pdf::signatures::Signature;
use crate::seal::Level;

/// `carried` is the signer's own, see [`super::sources::carried`]; `end` how many of the file's first bytes the signature
/// covers.
pub(super) fn reached(
    signature: &Signature,
    crypto: &Checks,
    carried: Option<usize>,
    stamps: &[Judged],
    existence: &Existence,
    end: usize,
) -> Option<Level> {
    let pades = signature.sub_filter == "ETSI.CAdES.detached" && crypto.signing_certificate.is_ok();
    if !pades || !crypto.is_intact() {
        return None;
    }
    let holding = || stamps.iter().filter(|stamp| stamp.proven.is_some());
    if holding().next().is_none() && existence.of(end).is_none() {
        return Some(Level::B);
    }
    let all = std::iter::once(carried).chain(holding().map(|stamp| stamp.carried)).collect::<Option<Vec<usize>>>();
    let Some(needed) = all.and_then(|ends| ends.into_iter().max()) else { return Some(Level::T) };
    // A document time stamp over the signature and all that it takes to check it.
    Some(if existence.of(needed).is_some() { Level::Lta } else { Level::Lt })
}
