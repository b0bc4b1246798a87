//! OFD documents (GB/T 33190-2016): the package, the signatures in it, and documents of our own.

pub mod document;
pub mod draw;
pub mod oddity;
pub mod package;
pub mod reading;
pub mod seal;
pub mod signatures;
pub mod text;
pub mod write;
pub mod xml;

#[cfg(test)]
mod tests;
