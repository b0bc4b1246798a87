//! Certificates: reading anyone's, making ours, and asking whether a path to an anchor holds at some time.
//!
//! Not here: keys (a maker hands over bytes to be signed and takes the signature afterwards), the clock and fresh serial
//! numbers (arguments), and fetching (the caller brings every certificate, CRL and OCSP response that may be used).

pub mod certificate;
pub mod evidence;
pub mod install;
pub mod issue;
pub mod known;
pub mod name;
pub mod ocsp;
pub mod path;
pub mod revocation;
mod rules;
mod scope;
pub mod tlv;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod trial;
