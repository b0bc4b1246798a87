//! Ceilings for everything that comes from outside, each with where its number comes from.

/// A PDF taken for sealing or verification, bytes. A scanned 200-page approval at 300 dpi is about 100 MB; twice
/// that is refused at the door.
pub const PDF_BYTES: usize = 200 * 1024 * 1024;
