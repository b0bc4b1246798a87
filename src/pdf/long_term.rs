//! What makes a file verifiable in the long term.

/// Evidence that certificates were good: each item is one DER element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Material {
    pub certificates: Vec<Vec<u8>>,
    /// CRLs.
    pub lists: Vec<Vec<u8>>,
    /// OCSP responses (OCSPResponse, not the basic one alone).
    pub responses: Vec<Vec<u8>>,
}
