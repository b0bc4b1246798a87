//! Destructions: a key's end is written down before its home is told, so that no key goes in secret.

use time::OffsetDateTime;

use super::{Act, OrderKind, Store, StoreError};

/// A one-use leave to destroy one key, already written down in the store.
///
/// Not `Clone`, and only the store makes one, as with [`super::Order`]. It names the key twice, by label and by public
/// half, so that a label alone never destroys a key that was meant to stay.
#[derive(Debug)]
pub struct Destruction {
    id: String,
    key: String,
    public_key_sha256: [u8; 32],
}

impl Destruction {
    /// For the unit tests of the keys' room, which has no store.
    #[cfg(test)]
    pub(crate) fn for_test(key: &str, public_key: &[u8]) -> Self {
        Self { id: "test".into(), key: key.into(), public_key_sha256: crate::crypto::sha256(public_key) }
    }

    /// The row's identifier, for [`Store::finish_act`].
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Label of the key that may be destroyed.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether this public half (DER SubjectPublicKeyInfo) is the one whose key may be destroyed.
    pub fn is_of(&self, public_key: &[u8]) -> bool {
        crate::crypto::sha256(public_key) == self.public_key_sha256
    }
}

impl Store {
    /// Writes down that the key with this label and public half (DER SubjectPublicKeyInfo) is to be destroyed; `title`
    /// says why. [`Store::finish_act`] ends it when the key is gone; what a crash leaves is shown as lost.
    pub async fn write_down_destruction(
        &self,
        key_label: &str,
        public_key: &[u8],
        title: &str,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<Destruction, StoreError> {
        let public_key_sha256 = crate::crypto::sha256(public_key);
        // Not DER, so that this could never be taken for something a key signed.
        let statement = format!("destroy key {key_label}, public key sha256 {}", hex::encode(public_key_sha256));
        let act = Act { kind: OrderKind::Destruction, key_label, title, to_be_signed: statement.into(), who, now };
        let id = self.write_down_act(act).await?.id().to_owned();
        Ok(Destruction { id, key: key_label.to_owned(), public_key_sha256 })
    }
}
