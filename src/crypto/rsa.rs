//! RSA signatures that ring does not take: PSS with any salt and any mask, and digests ring does not know.
//!
//! Only the public operation is here. The power is `crypto-bigint`'s; what stands in this file is the comparison of the
//! padding, by RFC 8017 step for step. The `rsa` crate is refused (deny.toml): it takes one digest for message and mask
//! alike, and carries the private operations of RUSTSEC-2023-0071.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use der::asn1::UintRef;
use der::{Any, Decode, Encode};
use spki::AlgorithmIdentifierOwned;

use super::{Digest, SignatureFault};
use crate::limits;

/// PKCS#1 RSAPublicKey (RFC 8017 appendix A.1.1).
pub(super) struct RsaKey {
    pub(super) der: Vec<u8>,
    pub(super) bits: usize,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

/// RSASSA-PSS parameters as they stand (RFC 8017 appendix A.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pss {
    pub(super) digest: Digest,
    pub(super) mask: Digest,
    pub(super) salt: usize,
}

impl RsaKey {
    /// Reads it, and refuses what no honest key is: even, too long, or with an exponent that makes the power trivial or
    /// costly (SP 800-56B §6.2 asks for odd exponents above 2^16; 3 is met in old certificates).
    pub(super) fn read(der: &[u8]) -> Result<Self, SignatureFault> {
        #[derive(der::Sequence)]
        struct RsaPublicKey<'a> {
            modulus: UintRef<'a>,
            public_exponent: UintRef<'a>,
        }
        const BAD: SignatureFault = SignatureFault::Malformed("RSA public key");
        let key = RsaPublicKey::from_der(der).map_err(|_| BAD)?;
        let (modulus, exponent) = (key.modulus.as_bytes(), key.public_exponent.as_bytes());
        let bits = bits(modulus);
        if !(limits::RSA_BITS_LEAST..=limits::RSA_BITS).contains(&bits) {
            return Err(SignatureFault::Unsupported(format!("RSA-{bits}")));
        }
        let is_odd = |octets: &[u8]| octets.last().is_some_and(|octet| octet & 1 == 1);
        if !is_odd(modulus) || !is_odd(exponent) || matches!(exponent, [0 | 1]) {
            return Err(BAD);
        }
        if self::bits(exponent) > limits::RSA_EXPONENT_BITS {
            return Err(SignatureFault::Unsupported("RSA key with a very long exponent".into()));
        }
        Ok(Self { der: der.to_vec(), bits, modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    /// RSAVP1 and the encoding of RFC 8017 §8.2.2: PKCS#1 v1.5, compared as a whole.
    pub(super) fn verify_pkcs1(&self, digest: Digest, value: &[u8], signature: &[u8]) -> Result<(), SignatureFault> {
        let encoded = self.power(signature)?;
        let expected = pkcs1_encoding(digest, value, encoded.len());
        if expected.is_some_and(|expected| expected == encoded) { Ok(()) } else { Err(SignatureFault::Wrong) }
    }

    /// The digest that a PKCS#1 v1.5 value names inside: a hint, which [`RsaKey::verify_pkcs1`] still has to bear out.
    pub(super) fn pkcs1_digest(&self, signature: &[u8]) -> Option<Digest> {
        let encoded = self.power(signature).ok()?;
        Digest::all().find(|digest| {
            let value = encoded.get(encoded.len().saturating_sub(digest.length())..).unwrap_or_default();
            pkcs1_encoding(*digest, value, encoded.len()).is_some_and(|expected| expected == encoded)
        })
    }

    /// RFC 8017 §8.1.2.
    pub(super) fn verify_pss(&self, pss: Pss, value: &[u8], signature: &[u8]) -> Result<(), SignatureFault> {
        let encoded = self.power(signature)?;
        let bits = self.bits - 1;
        // Where the modulus is one bit longer than whole octets, the encoding is one octet shorter and the first is zero.
        let encoded = match encoded.split_first() {
            Some((0, rest)) if bits.is_multiple_of(8) => rest,
            Some(_) if bits.is_multiple_of(8) => return Err(SignatureFault::Wrong),
            _ => &encoded,
        };
        match pss_fits(pss, value, encoded, bits) {
            true => Ok(()),
            false => Err(SignatureFault::Wrong),
        }
    }

    /// RSAVP1 (RFC 8017 §5.2.2) and I2OSP to the modulus' length.
    fn power(&self, signature: &[u8]) -> Result<Vec<u8>, SignatureFault> {
        if signature.len() != self.modulus.len() {
            return Err(SignatureFault::Wrong);
        }
        let precision = u32::try_from(self.modulus.len() * 8).map_err(|_| SignatureFault::Wrong)?;
        let number = |octets| BoxedUint::from_be_slice(octets, precision).map_err(|_| SignatureFault::Wrong);
        let (modulus, value) = (number(&self.modulus)?, number(signature)?);
        if value >= modulus {
            return Err(SignatureFault::Wrong);
        }
        let exponent = BoxedUint::from_be_slice(&self.exponent, limits::RSA_EXPONENT_BITS as u32)
            .map_err(|_| SignatureFault::Malformed("RSA public key"))?;
        let modulus = Odd::new(modulus).into_option().ok_or(SignatureFault::Malformed("RSA public key"))?;
        let power = BoxedMontyForm::new(value, &BoxedMontyParams::new_vartime(modulus)).pow(&exponent).retrieve();
        let octets = power.to_be_bytes();
        Ok(octets.get(octets.len().saturating_sub(self.modulus.len())..).unwrap_or_default().to_vec())
    }
}

fn bits(octets: &[u8]) -> usize {
    match octets.first() {
        Some(first) => octets.len() * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 §9.2) with NULL parameters; None where the key is too short for it.
fn pkcs1_encoding(digest: Digest, value: &[u8], length: usize) -> Option<Vec<u8>> {
    let algorithm = AlgorithmIdentifierOwned { oid: digest.oid(), parameters: Some(Any::null()) }.to_der().ok()?;
    let octets = der::asn1::OctetStringRef::new(value).ok()?.to_der().ok()?;
    let mut info = vec![0x30, u8::try_from(algorithm.len() + octets.len()).ok().filter(|length| *length < 0x80)?];
    info.extend(algorithm);
    info.extend(octets);
    let padding = length.checked_sub(info.len() + 3).filter(|padding| *padding >= 8)?;
    let mut encoding = vec![0, 1];
    encoding.resize(2 + padding, 0xFF);
    encoding.push(0);
    encoding.extend(info);
    Some(encoding)
}

/// EMSA-PSS-VERIFY (RFC 8017 §9.1.2), steps 3 to 14; `bits` is the bit length of the modulus less one.
fn pss_fits(pss: Pss, digest: &[u8], encoded: &[u8], bits: usize) -> bool {
    let hash = pss.digest.length();
    // 3: room for digest, salt and two octets.
    let Some(zeros) = encoded.len().checked_sub(hash + pss.salt + 2) else { return false };
    // 4, 5
    let Some((body, [0xBC])) = encoded.split_last_chunk::<1>() else { return false };
    let (masked, mark) = body.split_at(body.len() - hash);
    // 6: the leftmost bits that the encoding does not have.
    let unused = 8 * encoded.len() - bits;
    let Some(kept) = 0xFFu8.checked_shr(unused as u32) else { return false };
    if masked.first().is_none_or(|first| first & !kept != 0) {
        return false;
    }
    // 7, 8, 9
    let mut block: Vec<u8> = masked.iter().zip(mask(pss.mask, mark, masked.len())).map(|(a, b)| a ^ b).collect();
    if let Some(first) = block.first_mut() {
        *first &= kept;
    }
    // 10, 11
    let (padding, salt) = block.split_at(zeros.min(block.len()));
    let [1, salt @ ..] = salt else { return false };
    if padding.iter().any(|octet| *octet != 0) || salt.len() != pss.salt {
        return false;
    }
    // 12, 13, 14
    pss.digest.over(&[&[0; 8], digest, salt]) == mark
}

/// MGF1 (RFC 8017 appendix B.2.1).
fn mask(digest: Digest, seed: &[u8], length: usize) -> Vec<u8> {
    let blocks = (0u32..).map(|counter| digest.over(&[seed, &counter.to_be_bytes()]));
    blocks.take(length.div_ceil(digest.length())).flatten().take(length).collect()
}
