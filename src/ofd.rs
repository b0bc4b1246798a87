//! OFD documents (GB/T 33190-2016): the package, and the signatures in it.

pub mod package;
pub mod reading;
pub mod signatures;
pub mod xml;

#[cfg(test)]
mod tests;
