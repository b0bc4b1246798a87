//! What is said of a document, held against its own bytes: a CMS in a PDF, a seal signature in an OFD.

use spki::AlgorithmIdentifierOwned;
use time::OffsetDateTime;

use crate::cms;
use crate::crypto::{self, Digest, sha256};
use crate::ofd::reading::{Inside, Reading};
use crate::ofd::seal::Prepared as OfdPrepared;
use crate::pdf::seal::Prepared;
use crate::pdf::signatures;
use crate::pki::certificate::Certificate;
use crate::ses::{self, write, write::Use};
use crate::store::Unsigned;

/// What an order says of its document.
pub(super) struct Said<'a> {
    /// SHA-256 of the signed bytes, hexadecimal.
    pub digest: &'a str,
    /// What the log's entry says: their digest by the key's own algorithm.
    pub content: Option<&'a [u8]>,
    pub receipt: Option<&'a str>,
}

/// Identifier, Chinese, English.
pub(super) type Wrong = (&'static str, &'static str, &'static str);

const OTHER: Wrong = (
    "fsck.other-document",
    "文书上没有此次用印的完好签名",
    "the document has no intact signature of this use of the seal",
);
const OTHER_RECEIPT: Wrong = (
    "fsck.other-receipt",
    "文书签名所带的日志回执不是库中登记的那份",
    "the receipt under the document's signature is not the one that is filed",
);

impl Said<'_> {
    fn is_of(&self, bytes: &[u8]) -> bool {
        hex::encode(sha256(bytes)) == self.digest
    }

    fn was_entered(&self, content: &[u8]) -> bool {
        self.content.is_none_or(|entered| entered == content)
    }
}

/// Whether a PDF has an intact signature of what was entered, with the receipt under it.
pub(super) fn pdf_carries(document: &[u8], said: &Said<'_>) -> Result<(), Wrong> {
    let reading = signatures::read(document).map_err(|_| OTHER)?;
    let over = |one: &&signatures::Signature| {
        one.digest(Digest::Sha256).is_some_and(|found| hex::encode(found) == said.digest)
    };
    let signature = reading.signatures.iter().find(over).ok_or(OTHER)?;
    let signed = cms::read_pdf(&signature.sub_filter, &signature.cms, &signature.certificates).map_err(|_| OTHER)?;
    let [signer] = signed.signers.as_slice() else { return Err(OTHER) };
    let pieces: Option<Vec<&[u8]>> =
        signature.byte_range.iter().map(|&(start, length)| document.get(start..start.saturating_add(length))).collect();
    let entered = signer.message_digest().is_some_and(|content| said.was_entered(&content));
    if !entered || !signed.check(signer, &pieces.unwrap_or_default()).is_intact() {
        return Err(OTHER);
    }
    match signer.receipt().transpose() {
        Ok(carried) if carried == said.receipt => Ok(()),
        _ => Err(OTHER_RECEIPT),
    }
}

/// The same of an OFD, whose signature lists every file.
pub(super) fn ofd_carries(document: &[u8], said: &Said<'_>) -> Result<(), Wrong> {
    let reading = Reading::of(document).map_err(|_| OTHER)?;
    let read = reading.signatures.iter().find(|one| said.is_of(&one.said)).ok_or(OTHER)?;
    let Inside::Seal(sealed) = &read.value else { return Err(OTHER) };
    let whole = read.missing.is_empty() && read.changed.is_empty() && read.uncovered.is_empty() && !read.other_seal;
    let content = Digest::Sm3.over(&[&read.said]);
    let signer = Certificate::read(&sealed.signer).map_err(|_| OTHER)?;
    let algorithm = AlgorithmIdentifierOwned { oid: sealed.algorithm, parameters: None };
    // SM2 values are met in several forms, others as they stand.
    let value = ses::Value::read(&sealed.value).filter(|_| sealed.algorithm == ses::SM2_WITH_SM3);
    let value = value.map_or_else(|| sealed.value.clone(), ses::Value::to_der);
    let holds = crypto::verify(&signer.public_key, &algorithm, &sealed.to_be_signed, &value).is_ok();
    if !whole || !holds || sealed.digest != content || !said.was_entered(&content) {
        return Err(OTHER);
    }
    match sealed.receipt().transpose() {
        Ok(carried) if carried == said.receipt => Ok(()),
        _ => Err(OTHER_RECEIPT),
    }
}

/// Whether what is kept of a PDF that waits is what was written down, and what will be signed is of it alone.
pub(super) fn pdf_will_carry(unsigned: Unsigned, said: &Said<'_>) -> Option<()> {
    let Unsigned { to_be_signed, prepared, hole, certificate } = unsigned;
    let certificate = certificate?;
    let around = [prepared.get(..hole.start)?, prepared.get(hole.end..)?];
    let fits = |by: Digest, content: &[u8]| {
        let bound = |receipt: &str| cms::signed_attributes(by, content, &certificate, Some(receipt));
        by.over(&around) == content && said.receipt.is_none_or(|receipt| to_be_signed == bound(receipt))
    };
    // Before there was a log nothing was entered, and nothing is taken up again.
    let signed =
        said.content.is_none_or(|content| [Digest::Sha256, Digest::Sm3].into_iter().any(|by| fits(by, content)));
    let filed = hex::encode(Digest::Sha256.over(&around)) == said.digest;
    (filed && signed && Prepared::from_parts(&[][..], prepared, hole).is_ok()).then_some(())
}

/// The same of an OFD; `at` is when it was written down, microseconds since 1970.
pub(super) fn ofd_will_carry(unsigned: Unsigned, said: &Said<'_>, at: i64) -> Option<()> {
    let prepared = OfdPrepared::again(unsigned.prepared).ok()?;
    let content = prepared.digest();
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1000).ok()?;
    let bound = said.receipt.is_none_or(|receipt| {
        let (property, extensions) = (prepared.property(), [write::receipt(receipt)]);
        let using = Use { seal: prepared.seal(), at, digest: &content, property: &property, extensions: &extensions };
        write::to_be_signed(&using).is_ok_and(|bound| bound == unsigned.to_be_signed)
    });
    (said.is_of(prepared.said()) && said.was_entered(&content) && bound).then_some(())
}
