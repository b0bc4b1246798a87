//! The leave to sign once. Made here alone, and only after what it signs is durable.

/// A one-use leave for one key to sign one message, already written down in the store.
///
/// Not `Clone`, and its constructor is visible to the store alone: a key takes an `Order` by value and nothing
/// else, so nothing is sealed without leave (design: ISSUE, step 5 to 6).
#[derive(Debug)]
pub struct Order {
    id: String,
    key: String,
    to_be_signed: Vec<u8>,
}

impl Order {
    /// Called after the commit that made the row durable.
    pub(in crate::store) fn written(id: String, key: String, to_be_signed: Vec<u8>) -> Self {
        Self { id, key, to_be_signed }
    }

    /// For the unit tests of the keys' room, which has no store.
    #[cfg(test)]
    pub(crate) fn for_test(key: &str, to_be_signed: &[u8]) -> Self {
        Self::written("test".into(), key.into(), to_be_signed.to_vec())
    }

    /// The row's identifier.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Label of the key that may sign; a signer refuses an order for another key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The message (not a digest): signed attributes (RFC 5652 §5.4), a certificate's, request's or CRL's TBS part.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.to_be_signed
    }
}
