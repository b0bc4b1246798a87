//! OFD documents (GB/T 33190-2016): the package, and the signatures in it.

pub mod package;

#[cfg(test)]
mod tests;
