//! SM2 in a token: PKCS#11 has no number for it, so each vendor has its own, which the settings name.

use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::KeyType;

use crate::keys::settings::Sm2Numbers;

/// From here on numbers are the vendors' own (PKCS #11 v2.40 §3.4: CKK_VENDOR_DEFINED, CKM_VENDOR_DEFINED).
const VENDORS: u64 = 0x8000_0000;
/// CKK_EC and CKM_EC_KEY_PAIR_GEN: some vendors have SM2 as one more curve. CKM_ECDSA is another signature, so there is no
/// such way for the value.
const EC: u64 = 3;
const EC_KEY_PAIR_GEN: u64 = 0x1040;

impl Sm2Numbers {
    /// Whether PKCS#11 allows a vendor to mean SM2 by these.
    pub fn are_possible(&self) -> bool {
        self.key_kind().is_some() && self.generation().is_some() && self.signing().is_some()
    }

    pub(super) fn key_kind(&self) -> Option<KeyType> {
        match self.key_type {
            EC => Some(KeyType::EC),
            number => KeyType::new_vendor_defined(number).ok(),
        }
    }

    /// Makes a key pair.
    pub(super) fn generation(&self) -> Option<Mechanism<'static>> {
        match self.generate {
            EC_KEY_PAIR_GEN => Some(Mechanism::EccKeyPairGen),
            number => vendors(number),
        }
    }

    /// Signs. Built for each call, as it cannot be copied.
    pub(super) fn signing(&self) -> Option<Mechanism<'static>> {
        vendors(self.sign)
    }
}

fn vendors(number: u64) -> Option<Mechanism<'static>> {
    let number = Some(number).filter(|number| *number >= VENDORS)?;
    let mechanism = MechanismType::new_vendor_defined(number).ok()?;
    Some(Mechanism::VendorDefined(VendorDefinedMechanism::new::<()>(mechanism, None)))
}
