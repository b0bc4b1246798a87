//! What an authority is asked: to stamp a digest (TimeStampReq, RFC 3161 §2.4.1).

use const_oid::ObjectIdentifier;
use der::Decode;

use super::answer::Rejection;
use super::{dotted, encoded};
use crate::crypto::Digest;
use crate::limits;
use crate::pki::tlv::{self, Element};

/// A request for one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The digest to be stamped, and its value, of the digest's length.
    pub digest: Digest,
    pub value: Vec<u8>,
    /// Whether the algorithm is written with NULL beside it, as OpenSSL does: the token must repeat the field as it came
    /// (RFC 3161 §2.4.2).
    null_beside: bool,
    /// The policy asked for, in dotted form.
    pub policy: Option<String>,
    /// Content octets of the INTEGER.
    pub nonce: Option<Vec<u8>>,
    /// Whether the authority's certificate shall be in the token (certReq).
    pub certificates: bool,
}

/// What may be stamped. EN 319 422 §5.1.2 leaves the choice to TS 119 312, whose present list these head; a stamp is
/// asked about in thirty years. SM3 is what GB/T 20520 asks with.
const TAKEN: [Digest; 4] = [Digest::Sha256, Digest::Sha384, Digest::Sha512, Digest::Sm3];

impl Request {
    /// A request of ours: the certificate shall come with the token, and the nonce, random octets, must come back.
    pub fn of_ours(digest: Digest, value: &[u8], nonce: [u8; 16], policy: Option<&str>) -> Self {
        // Without its leading zeros, and positive: that is how it will come back.
        let nonce = tlv::unsigned_integer(&nonce);
        let nonce = Element::read_all(&nonce).map(|nonce| nonce.content.to_vec()).ok();
        let policy = policy.map(str::to_owned);
        Self { digest, value: value.to_vec(), null_beside: false, policy, nonce, certificates: true }
    }

    /// Reads a request as our own authority answers it: DER, SHA-256, SHA-384, SHA-512 or SM3, no extensions.
    ///
    /// # Errors
    /// What to answer instead of a token. Which policies there are is not known here.
    pub fn read(bytes: &[u8]) -> Result<Self, Rejection> {
        const BAD: Rejection = Rejection::BadDataFormat;
        if bytes.len() > limits::STAMP_REQUEST_BYTES {
            return Err(BAD);
        }
        let request = Element::read_all(bytes).and_then(|request| request.expect(tlv::SEQUENCE)).map_err(|_| BAD)?;
        let parts = request.children().map_err(|_| BAD)?;
        let [version, imprint, optional @ ..] = parts.as_slice() else { return Err(BAD) };
        let version = version.expect(tlv::INTEGER).map_err(|_| BAD)?;
        if version.content != [1] {
            return Err(Rejection::BadRequest);
        }
        let (digest, value, null_beside) = read_imprint(imprint)?;
        let mut optional = optional.iter().peekable();
        let mut next = |tag: u8| optional.next_if(|element| element.tag == tag);
        let policy = match next(tlv::OBJECT_IDENTIFIER) {
            Some(policy) => Some(dotted(policy.content).ok_or(BAD)?),
            None => None,
        };
        let nonce = next(tlv::INTEGER).map(|nonce| nonce.content.to_vec());
        // DER writes TRUE as one octet of ones and leaves FALSE, the default, out (X.690 §11.1, §11.5); both are taken.
        let certificates = match next(tlv::BOOLEAN).map(|element| element.content) {
            None | Some([0]) => false,
            Some([_]) => true,
            Some(_) => return Err(BAD),
        };
        // RFC 3161 §2.4.1: what is not recognised, critical or not, must not be passed over.
        if next(tlv::context(0)).is_some() {
            return Err(Rejection::UnacceptedExtension);
        }
        match (optional.next(), &nonce) {
            (Some(_), _) => Err(BAD),
            (None, Some(nonce)) if nonce.is_empty() || nonce.len() > limits::STAMP_NONCE_BYTES => Err(BAD),
            (None, _) => Ok(Self { digest, value, null_beside, policy, nonce, certificates }),
        }
    }

    /// The DER to be sent.
    ///
    /// # Errors
    /// [`Rejection::UnacceptedPolicy`] where the policy is no object identifier.
    pub fn to_der(&self) -> Result<Vec<u8>, Rejection> {
        let policy = match &self.policy {
            Some(policy) => encoded(policy).ok_or(Rejection::UnacceptedPolicy)?,
            None => Vec::new(),
        };
        let certificates = if self.certificates { tlv::wrap(tlv::BOOLEAN, &[&[0xFF]]) } else { Vec::new() };
        let version_1 = tlv::unsigned_integer(&[1]);
        Ok(tlv::wrap(tlv::SEQUENCE, &[&version_1, &self.imprint(), &policy, &self.nonce_der(), &certificates]))
    }

    /// The MessageImprint.
    pub(super) fn imprint(&self) -> Vec<u8> {
        let null: &[u8] = if self.null_beside { &[0x05, 0] } else { &[] };
        let algorithm = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(self.digest.oid()), null]);
        tlv::wrap(tlv::SEQUENCE, &[&algorithm, &tlv::wrap(tlv::OCTET_STRING, &[&self.value])])
    }

    /// The nonce, or nothing.
    pub(super) fn nonce_der(&self) -> Vec<u8> {
        self.nonce.as_ref().map_or_else(Vec::new, |nonce| tlv::wrap(tlv::INTEGER, &[nonce]))
    }
}

fn read_imprint(imprint: &Element<'_>) -> Result<(Digest, Vec<u8>, bool), Rejection> {
    const BAD: Rejection = Rejection::BadDataFormat;
    let parts = imprint.expect(tlv::SEQUENCE).and_then(|imprint| imprint.children()).map_err(|_| BAD)?;
    let [algorithm, value] = parts.as_slice() else { return Err(BAD) };
    let value = value.expect(tlv::OCTET_STRING).map_err(|_| BAD)?.content;
    let algorithm = algorithm.expect(tlv::SEQUENCE).and_then(|algorithm| algorithm.children()).map_err(|_| BAD)?;
    let (oid, beside) = algorithm.split_first().ok_or(BAD)?;
    let oid = oid.expect(tlv::OBJECT_IDENTIFIER).map_err(|_| BAD)?;
    let digest = ObjectIdentifier::from_der(oid.whole).ok().and_then(Digest::of_oid);
    let digest = digest.filter(|digest| TAKEN.contains(digest)).ok_or(Rejection::BadAlg)?;
    let null_beside = match beside {
        [] => false,
        [null] if null.whole == [0x05, 0] => true,
        _ => return Err(Rejection::BadAlg),
    };
    // RFC 3161 §2.4.1: the length must be the algorithm's.
    if value.len() == digest.length() { Ok((digest, value.to_vec(), null_beside)) } else { Err(BAD) }
}
