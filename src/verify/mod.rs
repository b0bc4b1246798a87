//! VERIFY: gather once, then judge (EN 319 102-1). [`mod@gather`] may touch the store and nothing else; [`judge()`] is a pure
//! function of what was gathered, and [`report`] says it to programs and to citizens.
//!
//! The rules of the house:
//! - A bad document is a finding; only trouble of our own store is an error.
//! - What is not understood is INDETERMINATE, never passed.
//! - A claimed signing time proves nothing, but it may speak against the one who claims it. Time is proven by our own
//!   record of the order, and by time stamps that hold. Certificates, lists and responses inside the document count where
//!   whoever signed them was entitled to.
//!
//! Not here yet: pictures of OFD pages, archive time stamps and evidence records of CAdES, and fetching what is missing.

#[cfg(feature = "service")]
pub mod gather;
pub mod judge;
pub mod report;

#[cfg(test)]
mod tests;

pub use judge::evidence::{Evidence, Facts, LicenceFacts, Record, RecordState, Trust};
pub use judge::judge;
pub use judge::register::Register;
pub use report::{Report, exit_code};
