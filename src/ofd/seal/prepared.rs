//! A package that lacks one value.

use super::{Paths, SealFault};
use crate::crypto::Digest;
use crate::limits;
use crate::ofd::package::{Package, Packing};
use crate::ofd::signatures::{Kind, Signatures};
use crate::ses;

/// A package with a new signature, all but its value. Nothing in it changes any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    package: Vec<u8>,
    /// The signature's file.
    said: Vec<u8>,
    /// The seal as it lies beside (`.esl`).
    seal: Vec<u8>,
    digest: [u8; 32],
    /// Path of the signature's file.
    signature: String,
    /// Path of the value.
    value: String,
}

impl Prepared {
    pub(super) fn new(package: Vec<u8>, said: &str, seal: &[u8], paths: Paths) -> Result<Self, SealFault> {
        let value = paths.value();
        let digest = digest_of(said.as_bytes())?;
        Ok(Self { package, said: said.into(), seal: seal.to_vec(), digest, signature: paths.signature, value })
    }

    /// Takes up what was prepared, also after a crash. Everything is checked anew: one value is missing, and that signature lists
    /// every file but the three that it cannot, each with its digest.
    ///
    /// # Errors
    /// [`SealFault::NotPrepared`] where it is something else.
    pub fn again(package: Vec<u8>) -> Result<Self, SealFault> {
        let opened = Package::open(&package)?;
        let all = Signatures::read(&opened)?;
        let mut open = all.signatures.iter().filter(|one| opened.entry_in_any_case(&one.value).is_none());
        let (Some(signature), None) = (open.next(), open.next()) else {
            return Err(SealFault::NotPrepared("not one open signature"));
        };
        let by = signature.check_method.as_deref();
        if signature.kind != Kind::Seal || by != Some(Digest::Sm3.oid().to_string().as_str()) {
            return Err(SealFault::NotPrepared("another kind of signature"));
        }
        let mut said = None;
        for entry in opened.entries() {
            let bytes = opened.unpack(entry)?;
            let listed = signature.references.iter().find(|one| one.file == entry.name);
            match listed {
                Some(reference) if reference.digest == Digest::Sm3.over(&[&bytes]) => {}
                None if entry.name == signature.path => said = Some(bytes),
                None if all.lists.contains(&entry.name) => {}
                _ => return Err(SealFault::NotPrepared("a file is not as listed")),
            }
        }
        let said = said.ok_or(SealFault::NotPrepared("no file of the signature"))?;
        let digest = digest_of(&said)?;
        if signature.references.iter().any(|one| opened.entry(&one.file).is_none()) {
            return Err(SealFault::NotPrepared("a listed file is missing"));
        }
        let seal = signature.seal.as_deref().and_then(|seal| opened.entry(seal));
        let seal = opened.unpack(seal.ok_or(SealFault::NotPrepared("no seal"))?)?;
        let (signature, value) = (signature.path.clone(), signature.value.clone());
        Ok(Self { package, said, seal, digest, signature, value })
    }

    /// The package as it is to be kept until it is closed.
    pub fn package(&self) -> &[u8] {
        &self.package
    }

    /// SM3 of the signature's file, which lists all others: the dataHash of the seal signature.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The signature's file, the bytes that [`Prepared::digest`] is of.
    pub fn said(&self) -> &[u8] {
        &self.said
    }

    /// The seal that is used, as its maker signed it.
    pub fn seal(&self) -> &[u8] {
        &self.seal
    }

    /// What a seal signature has as its property: where the signature's file lies.
    pub fn property(&self) -> String {
        format!("/{}", self.signature)
    }

    /// The sealed package.
    ///
    /// # Errors
    /// [`SealFault::NotPrepared`] where the value is none, or one of another file or seal.
    pub fn close(&self, value: &[u8]) -> Result<Vec<u8>, SealFault> {
        let read = ses::read_signature(value).map_err(|_| SealFault::NotPrepared("no seal signature"))?;
        if read.digest != self.digest || read.property != self.property() || read.seal.whole != self.seal {
            return Err(SealFault::NotPrepared("a seal signature of something else"));
        }
        let opened = Package::open(&self.package)?;
        let mut packing = Packing::default();
        opened.entries().iter().for_each(|entry| packing.copy(&opened, entry));
        packing.store(&self.value, value);
        let sealed = packing.finish();
        if sealed.len() > limits::OFD_BYTES { Err(SealFault::NotPrepared("size")) } else { Ok(sealed) }
    }
}

fn digest_of(bytes: &[u8]) -> Result<[u8; 32], SealFault> {
    Digest::Sm3.over(&[bytes]).try_into().map_err(|_| SealFault::NotPrepared("digest"))
}
