//! Judges one signer of a CMS against the content: digests, value, and which certificate it is.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911;
use memchr::memmem;
use spki::AlgorithmIdentifierOwned;

use super::fault::Fault;
use super::read::{Form, SignedData, Signer, in_der};
use crate::crypto::{self, Digest, SignatureFault, Strength};
use crate::limits;
use crate::pki::certificate::Certificate;
use crate::pki::name::Name;
use crate::pki::tlv::{self, Element};

/// What was found about one signer. Each check stands on its own; none speaks of trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// The messageDigest attribute is the digest of the content (RFC 5652 §5.4, §11.2). Without signed attributes there
    /// is nothing to compare, and `signature` covers the content directly.
    pub digest: Result<(), Fault>,
    /// The contentType attribute agrees with the content's type (RFC 5652 §11.1).
    pub content_type: Result<(), Fault>,
    /// The signature value belongs to the attributes (or content) and to the signer's key.
    pub signature: Result<(), Fault>,
    /// The algorithms named in several places are the same: the digest in SignerInfo and in the signature algorithm
    /// (RFC 8933 §3), and both in a signed CMSAlgorithmProtection (RFC 6211 §2).
    pub algorithms: Result<(), Fault>,
    /// The signed reference names the certificate that was used (RFC 5035 §5, EN 319 102-1 §5.2.3).
    pub signing_certificate: Result<(), Fault>,
    /// False where the attributes verify only in an order or encoding that DER does not allow: a warning, as other tools
    /// accept it.
    pub attributes_in_der: bool,
    /// The signer's certificate as found in the CMS.
    pub certificate: Option<Certificate>,
    /// What digest and value rest on; whoever knows the moment asks [`Strength::until`].
    pub strengths: Vec<Strength>,
}

impl Checks {
    /// Where there is nothing to be checked.
    pub fn nothing() -> Self {
        Self {
            digest: Err(Fault::NoContent),
            content_type: Err(Fault::NoContent),
            signature: Err(Fault::NoContent),
            algorithms: Ok(()),
            signing_certificate: Err(Fault::NoCertificate),
            attributes_in_der: true,
            certificate: None,
            strengths: Vec::new(),
        }
    }

    /// Digest and value are mathematically right: what other tools mean by an intact signature. Says nothing about weak
    /// algorithms, references or trust.
    pub fn is_intact(&self) -> bool {
        is_right(&self.digest) && is_right(&self.signature)
    }
}

fn is_right(check: &Result<(), Fault>) -> bool {
    matches!(check, Ok(()) | Err(Fault::WeakDigest(_) | Fault::Signature(SignatureFault::Weak(_))))
}

impl SignedData {
    /// Checks `signer` over `content`, given as pieces read one after the other (the spans of a ByteRange, or the content
    /// inside). No piece at all is nothing signed, which is never right; an empty content is one empty piece.
    pub fn check(&self, signer: &Signer, content: &[&[u8]]) -> Checks {
        let certificate = self.certificate_of(signer);
        self.check_digested(signer, certificate.as_ref(), content, &mut |digest| Some(digest.over(content)))
    }

    /// As `check`, for whoever has read the signer's certificate ([`Self::certificate_of`]) before, and with the content's
    /// digest from elsewhere; None where it was too costly to make.
    pub fn check_digested(
        &self,
        signer: &Signer,
        certificate: Option<&Certificate>,
        content: &[&[u8]],
        over: &mut dyn FnMut(Digest) -> Option<Vec<u8>>,
    ) -> Checks {
        let inside = match (self.form, &self.content) {
            (Form::DigestInside, Some(inside)) => inside,
            (Form::Cms, Some(inside)) if inside.is_empty() || content != [inside.as_slice()] => {
                return self.check_both(signer, certificate, content, inside, over);
            }
            _ => return self.check_content(signer, certificate, content, over),
        };
        // ISO 32000-1 §12.8.3.3.1: what is signed is the digest inside, and that is the SHA-1 of the content outside.
        let over_inside = &mut |digest: Digest| Some(digest.over(&[inside]));
        let mut checks = self.check_content(signer, certificate, &[inside], over_inside);
        let outside = match (content, over(Digest::Sha1)) {
            ([], _) => Err(Fault::NoContent),
            (_, None) => Err(Fault::TooCostly),
            (_, Some(digest)) if digest == *inside => Err(Fault::WeakDigest(Digest::Sha1)),
            (_, Some(_)) => Err(Fault::DigestDiffers),
        };
        if is_right(&checks.digest) {
            checks.digest = outside;
        }
        checks.strengths.push(Strength::Digest(Digest::Sha1));
        checks
    }

    /// Content outside while there is content inside: by RFC 5652 §5.4 the one inside is signed, whatever a reader shows, so
    /// both must be.
    fn check_both(
        &self,
        signer: &Signer,
        certificate: Option<&Certificate>,
        content: &[&[u8]],
        inside: &[u8],
        over: &mut dyn FnMut(Digest) -> Option<Vec<u8>>,
    ) -> Checks {
        let mut checks = self.check_content(signer, certificate, content, over);
        let own = self.check_content(signer, certificate, &[inside], &mut |digest| Some(digest.over(&[inside])));
        if is_right(&checks.digest) && own.digest.is_err() {
            checks.digest = own.digest;
        }
        if is_right(&checks.signature) && own.signature.is_err() {
            checks.signature = own.signature;
        }
        checks
    }

    fn check_content(
        &self,
        signer: &Signer,
        certificate: Option<&Certificate>,
        content: &[&[u8]],
        over: &mut dyn FnMut(Digest) -> Option<Vec<u8>>,
    ) -> Checks {
        let (signature, attributes_in_der) = match certificate {
            None => (Err(Fault::NoCertificate), true),
            Some(certificate) => check_signature(signer, certificate, content, over),
        };
        Checks {
            digest: check_digest(signer, content, over),
            content_type: self.check_content_type(signer),
            signature,
            algorithms: check_algorithms(signer),
            signing_certificate: check_reference(signer, certificate),
            attributes_in_der,
            strengths: strengths(signer, certificate),
            certificate: certificate.cloned(),
        }
    }

    /// The certificate that the signer names, among those inside (RFC 5652 §5.3); one that cannot be read is passed over.
    pub fn certificate_of(&self, signer: &Signer) -> Option<Certificate> {
        // To look for bytes costs next to nothing beside reading those certificates that are not meant.
        let likely = self.certificates.iter().filter(|der| memmem::find(der, signer.name.mark()).is_some());
        let readable = likely.filter_map(|der| Certificate::read(der).ok());
        let mut named = readable.filter(|certificate| signer.name.names(certificate));
        let first = named.next()?;
        // Two certificates of one name: the signed reference tells which is meant.
        let refers_to = |certificate: &Certificate| check_reference(signer, Some(certificate)).is_ok();
        if refers_to(&first) { Some(first) } else { named.find(refers_to).or(Some(first)) }
    }

    fn check_content_type(&self, signer: &Signer) -> Result<(), Fault> {
        match (&signer.signed_attributes_raw, signer.content_type()) {
            // RFC 5652 §5.3: attributes may be left out only for id-data.
            (None, _) if self.content_type == rfc5911::ID_DATA => Ok(()),
            (None, _) => Err(Fault::Attribute("contentType")),
            (Some(_), None) => Err(Fault::Attribute("contentType")),
            (Some(_), Some(named)) if named == self.content_type => Ok(()),
            (Some(_), Some(_)) => Err(Fault::ContentType),
        }
    }
}

fn check_digest(
    signer: &Signer,
    content: &[&[u8]],
    over: &mut dyn FnMut(Digest) -> Option<Vec<u8>>,
) -> Result<(), Fault> {
    if content.is_empty() {
        return Err(Fault::NoContent);
    }
    if signer.signed_attributes_raw.is_none() {
        return Ok(());
    }
    let named = signer.message_digest().ok_or(Fault::Attribute("messageDigest"))?;
    let digest = Digest::of_oid(signer.digest_algorithm).ok_or(Fault::DigestUnsupported(signer.digest_algorithm))?;
    if over(digest).ok_or(Fault::TooCostly)? != named {
        return Err(Fault::DigestDiffers);
    }
    if digest.is_weak() { Err(Fault::WeakDigest(digest)) } else { Ok(()) }
}

/// The value over the attributes as DER would have them, else as they stand: writers who did not sort signed what they
/// wrote, and OpenSSL hashes that too. The second answer tells whether it was the first.
fn check_signature(
    signer: &Signer,
    certificate: &Certificate,
    content: &[&[u8]],
    over: &mut dyn FnMut(Digest) -> Option<Vec<u8>>,
) -> (Result<(), Fault>, bool) {
    let Some(raw) = &signer.signed_attributes_raw else {
        return (check_direct(signer, certificate, content, over), true);
    };
    let algorithm = signer.value_algorithm();
    let forms = match attribute_forms(raw) {
        Ok(forms) => forms,
        Err(fault) => return (Err(fault), true),
    };
    for (i, form) in forms.iter().enumerate() {
        match crypto::verify(&certificate.public_key, &algorithm, form, &signer.signature) {
            Err(SignatureFault::Wrong) => {}
            answer => return (answer.map_err(Fault::Signature), i == 0),
        }
    }
    (Err(Fault::Signature(SignatureFault::Wrong)), true)
}

/// The value over the content itself, where there are no attributes.
fn check_direct(
    signer: &Signer,
    certificate: &Certificate,
    content: &[&[u8]],
    over: &mut dyn FnMut(Digest) -> Option<Vec<u8>>,
) -> Result<(), Fault> {
    let (key, algorithm) = (&certificate.public_key, signer.value_algorithm());
    if content.is_empty() {
        return Err(Fault::NoContent);
    }
    if let [whole] = content
        && is_attributes(whole)
    {
        return Err(Fault::Ambiguous);
    }
    if let Some(digest) = crypto::digest_of(&algorithm) {
        let value = over(digest).ok_or(Fault::TooCostly)?;
        return crypto::verify_digest(key, &algorithm, &value, &signer.signature).map_err(Fault::Signature);
    }
    // Ed25519 and Ed448 read the whole.
    match content.iter().fold(0usize, |sum, piece| sum.saturating_add(piece.len())) {
        ..=limits::CMS_DIRECT_BYTES => {
            crypto::verify(key, &algorithm, &content.concat(), &signer.signature).map_err(Fault::Signature)
        }
        _ => Err(Fault::TooLong(limits::CMS_DIRECT_BYTES)),
    }
}

/// A value over attributes is also one over a content that is those attributes (RFC 5652 §11 says nothing against it; shown
/// by Strenzke, 2023): whoever has a signature could make another of it.
fn is_attributes(content: &[u8]) -> bool {
    let Ok(set) = Element::read_all(content).and_then(|set| set.expect(tlv::SET)) else { return false };
    let kind = |member: Element<'_>| {
        let kind = *member.expect(tlv::SEQUENCE).ok()?.children().ok()?.first()?;
        <ObjectIdentifier as der::Decode>::from_der(kind.whole).ok()
    };
    set.children().is_ok_and(|members| members.iter().any(|member| kind(*member) == Some(rfc5911::ID_MESSAGE_DIGEST)))
}

fn strengths(signer: &Signer, certificate: Option<&Certificate>) -> Vec<Strength> {
    let value = certificate.and_then(|one| crypto::strengths(&one.public_key, &signer.value_algorithm()).ok());
    let mut found = value.unwrap_or_default();
    let content = Digest::of_oid(signer.digest_algorithm).map(Strength::Digest);
    found.extend(content.filter(|digest| signer.signed_attributes_raw.is_some() && !found.contains(digest)));
    found
}

fn check_algorithms(signer: &Signer) -> Result<(), Fault> {
    const PROTECTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.52");
    let named = crypto::digest_of(&signer.signature_algorithm).map(Digest::oid);
    if named.is_some_and(|named| named != signer.digest_algorithm) {
        return Err(Fault::AlgorithmsDiffer);
    }
    if !signer.signed_attributes.iter().any(|attribute| attribute.oid == PROTECTION) {
        return Ok(());
    }
    const BAD: Fault = Fault::Attribute("CMSAlgorithmProtection");
    let value = signer.signed_attribute(PROTECTION).ok_or(BAD)?;
    let parts = Element::read_all(value).and_then(|value| value.children()).map_err(|_| BAD)?;
    let kind = |part: Option<&Element<'_>>| {
        let kind = *part?.children().ok()?.first()?;
        <ObjectIdentifier as der::Decode>::from_der(kind.whole).ok()
    };
    let of_value = parts.iter().find(|part| part.tag == tlv::context(1));
    let digest = parts.first().and_then(|part| in_der(part).ok()).ok_or(BAD)?;
    let digest = <AlgorithmIdentifierOwned as der::Decode>::from_der(&digest).map_err(|_| BAD)?;
    // Named in the same way as the signer's own, which may be one of two names of one digest (RFC 8419 §2.3).
    let digest = Digest::of(&digest).map_or(digest.oid, Digest::oid);
    let same = digest == signer.digest_algorithm && kind(of_value) == Some(signer.signature_algorithm.oid);
    if same { Ok(()) } else { Err(Fault::AlgorithmsDiffer) }
}

/// The byte strings that the signature may have been made over, likeliest first, none twice: DER (RFC 5652 §5.4), the
/// members as they stand but sorted, in their order, and the element as it stands with its identifier octet exchanged.
fn attribute_forms(raw: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    const BAD: Fault = Fault::Attribute("(set)");
    let set = Element::read_all(raw).map_err(|_| BAD)?;
    let members = set.children().map_err(|_| BAD)?;
    let whole: Vec<Vec<u8>> = members.iter().map(|member| member.whole.to_vec()).collect();
    let in_order = tlv::wrap(tlv::SET, &whole.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let mut as_found = raw.to_vec();
    if let Some(identifier) = as_found.first_mut() {
        *identifier = tlv::SET;
    }
    let der: Vec<Vec<u8>> = members.iter().map(|member| in_der(member)).collect::<Result<_, _>>().map_err(|_| BAD)?;
    let mut forms = vec![tlv::set_of(tlv::SET, der)];
    for form in [tlv::set_of(tlv::SET, whole), in_order, as_found] {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    Ok(forms)
}

fn check_reference(signer: &Signer, certificate: Option<&Certificate>) -> Result<(), Fault> {
    let references = signer.signing_certificates().map_err(|_| Fault::Attribute("signingCertificate"))?;
    let certificate = certificate.ok_or(Fault::NoCertificate)?;
    if references.is_empty() {
        return Err(Fault::NoReference);
    }
    for reference in references {
        // SHA-1 is enough here: an exchanged certificate would need a second preimage, not a collision.
        let digest =
            Digest::of_oid(reference.digest_algorithm).ok_or(Fault::DigestUnsupported(reference.digest_algorithm))?;
        if digest.over(&[certificate.der()]) != reference.digest {
            return Err(Fault::OtherCertificate);
        }
        // RFC 5035 §5: where it is there, it must be the certificate's too.
        let fits =
            |(issuer, serial): &(Name, Vec<u8>)| issuer.means(&certificate.issuer) && *serial == certificate.serial;
        if !reference.issuer_and_serial.as_ref().is_none_or(fits) {
            return Err(Fault::OtherIssuer);
        }
    }
    Ok(())
}
