//! What a key signs for a document, and how its value goes into it: a CMS in a PDF (ISO 32000-1 §12.8.3.3), a seal signature in an
//! OFD (GB/T 38540-2020 §7).

use super::lasting;
use crate::cms;
use crate::crypto::Digest;
use crate::desk::{FlowError, SealParts};
use crate::keys::Signature;
use crate::message::Message;
use crate::ofd::seal::Prepared as OfdPrepared;
use crate::pdf::seal::Prepared;
use crate::ses::write::{self, Use};
use crate::store::{MediaType, OrderRecord};

/// The bytes that the key signs: the content's digest and the log's receipt are among them.
pub(super) fn to_be_signed(
    record: &OrderRecord,
    prepared: &[u8],
    parts: &SealParts,
    content: &[u8],
    receipt: &str,
) -> Result<Vec<u8>, FlowError> {
    match record.media_type {
        MediaType::Pdf => Ok(cms::signed_attributes(
            parts.signer.algorithm().digest(),
            content,
            &parts.certificate.certificate,
            Some(receipt),
        )),
        MediaType::Ofd => {
            let prepared = OfdPrepared::again(prepared.to_vec())?;
            // What was entered is what is signed.
            if prepared.digest() != content {
                return Err(FlowError::Request(Message::new(
                    "issue.digest",
                    "待签章的文件与公开日志所载摘要不符",
                    "the prepared document is not the one that the log has",
                )));
            }
            write::to_be_signed(&Use {
                seal: prepared.seal(),
                at: record.written_at,
                digest: &prepared.digest(),
                property: &prepared.property(),
                extensions: &[write::receipt(receipt)],
            })
            .map_err(FlowError::SealData)
        }
    }
}

/// The value as it stands in the document, which a time stamp is made over, and the digest to make it by: the signature's own,
/// since a stamp should rest on nothing else.
pub(super) fn stamped(media_type: MediaType, signature: &Signature) -> Result<(Digest, Vec<u8>), FlowError> {
    let digest = signature.algorithm().digest();
    let value = match media_type {
        MediaType::Pdf => signature.value().to_vec(),
        MediaType::Ofd => write::written(signature.value()).map_err(FlowError::SealData)?,
    };
    Ok((digest, digest.over(&[&value])))
}

/// The document with the value in it.
pub(super) fn close(
    (media_type, prepared, hole): (MediaType, Vec<u8>, std::ops::Range<usize>),
    parts: &SealParts,
    to_be_signed: &[u8],
    signature: &Signature,
    token: Option<&[u8]>,
) -> Result<Vec<u8>, FlowError> {
    match media_type {
        MediaType::Pdf => {
            let cms = cms::assemble(to_be_signed, signature.value(), signature.algorithm(), &parts.chain, token)?;
            lasting::fits(Prepared::from_parts(&[][..], prepared, hole)?.close(&cms))
        }
        MediaType::Ofd => {
            let signer = &parts.certificate.certificate;
            let value = write::assemble(to_be_signed, signer, signature.value(), token).map_err(FlowError::SealData)?;
            Ok(OfdPrepared::again(prepared)?.close(&value)?)
        }
    }
}
