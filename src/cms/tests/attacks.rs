//! Signatures that somebody put together anew: each part is right by itself, and none may pass for what it is not.

use super::*;

/// One SignerInfo and what stands around it, every part to choose.
struct Made<'a> {
    digest: Digest,
    /// The SET as signed; none is a value directly over the content.
    attributes: Option<Vec<u8>>,
    value: Vec<u8>,
    /// Named by the SignerInfo and carried along.
    certificate: &'a Certificate,
    content: Option<&'a [u8]>,
}

impl Made<'_> {
    fn signer(&self) -> Vec<u8> {
        let oid = |oid| tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(oid)]);
        let serial = tlv::wrap(tlv::INTEGER, &[&self.certificate.serial]);
        let name = tlv::wrap(tlv::SEQUENCE, &[self.certificate.issuer.as_der(), &serial]);
        let mut parts = vec![tlv::unsigned_integer(&[1]), name, oid(self.digest.oid())];
        if let Some(attributes) = &self.attributes {
            let mut implicit = attributes.clone();
            implicit[0] = tlv::context(0);
            parts.push(implicit);
        }
        parts.push(oid(rfc5912::ECDSA_WITH_SHA_256));
        parts.push(tlv::wrap(tlv::OCTET_STRING, &[&self.value]));
        tlv::wrap(tlv::SEQUENCE, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    fn cms(&self, signers: &[Vec<u8>]) -> Vec<u8> {
        let mut content = vec![tlv::object_identifier(rfc5911::ID_DATA)];
        content.extend(self.content.map(|it| tlv::wrap(tlv::context(0), &[&tlv::wrap(tlv::OCTET_STRING, &[it])])));
        let content = tlv::wrap(tlv::SEQUENCE, &content.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let certificates = tlv::wrap(tlv::context(0), &[self.certificate.der()]);
        let signers = tlv::wrap(tlv::SET, &signers.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let version = tlv::unsigned_integer(&[1]);
        let signed =
            tlv::wrap(tlv::SEQUENCE, &[&version, &tlv::wrap(tlv::SET, &[]), &content, &certificates, &signers]);
        let signed = tlv::wrap(tlv::context(0), &[&signed]);
        tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(rfc5911::ID_SIGNED_DATA), &signed])
    }

    fn read(&self) -> SignedData {
        read(&self.cms(&[self.signer()])).unwrap()
    }

    fn checks(&self, content: &[u8]) -> Checks {
        let data = self.read();
        data.check(&data.signers[0], &[content])
    }
}

fn attribute(oid: &str, value: &[u8]) -> Vec<u8> {
    tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(oid.parse().unwrap()), &tlv::wrap(tlv::SET, &[value])])
}

/// The usual attributes and these, in DER.
fn attributes_and(made: &Hierarchy, more: &[Vec<u8>]) -> Vec<u8> {
    let usual = signed_attributes(Digest::Sha256, &crypto::sha256(CONTENT), made.seal.der(), None);
    let set = Element::read_all(&usual).unwrap();
    let mut members: Vec<Vec<u8>> = set.children().unwrap().iter().map(|member| member.whole.to_vec()).collect();
    // A later one of the same kind takes the place of the usual one.
    let kind = |attribute: &[u8]| Element::read_all(attribute).unwrap().children().unwrap()[0].whole.to_vec();
    members.retain(|member| more.iter().all(|other| kind(member) != kind(other)));
    members.extend_from_slice(more);
    tlv::set_of(tlv::SET, members)
}

fn by<'a>(made: &'a Hierarchy, attributes: &[u8]) -> Made<'a> {
    Made {
        digest: Digest::Sha256,
        value: made.seal_key.sign(attributes),
        attributes: Some(attributes.to_vec()),
        certificate: &made.seal,
        content: None,
    }
}

#[test]
fn another_certificate_with_the_same_key_is_noticed() {
    let made = Hierarchy::of(Key::p256);
    // The issuer certified the same key again, for somebody else.
    let name = trial::name("冒名者");
    let other = crate::pki::issue::seal(
        &made.issuing,
        &name,
        &made.seal_key.public_key,
        trial::serial(9),
        trial::years(3),
        trial::NONE,
    );
    let other = made.issuing_key.certificate(other.unwrap());
    let found = Made { certificate: &other, ..by(&made, &attributes_and(&made, &[])) }.checks(CONTENT);
    assert!(found.is_intact());
    assert_eq!((found.signing_certificate, found.certificate), (Err(Fault::OtherCertificate), Some(other)));
}

#[test]
fn the_reference_holds_its_issuer_and_serial_too() {
    let made = Hierarchy::of(Key::p256);
    let reference = |issuer: &crate::pki::name::Name, serial: &[u8]| {
        let names = tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(tlv::context(4), &[issuer.as_der()])]);
        let hint = tlv::wrap(tlv::SEQUENCE, &[&names, &tlv::wrap(tlv::INTEGER, &[serial])]);
        let hash = tlv::wrap(tlv::OCTET_STRING, &[&crypto::sha256(made.seal.der())]);
        let id = tlv::wrap(tlv::SEQUENCE, &[&hash, &hint]);
        attribute("1.2.840.113549.1.9.16.2.47", &tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(tlv::SEQUENCE, &[&id])]))
    };
    let judged = |reference| by(&made, &attributes_and(&made, &[reference])).checks(CONTENT).signing_certificate;
    assert_eq!(judged(reference(&made.seal.issuer, &made.seal.serial)), Ok(()));
    assert_eq!(judged(reference(&made.seal.subject, &made.seal.serial)), Err(Fault::OtherIssuer));
    assert_eq!(judged(reference(&made.seal.issuer, &[7])), Err(Fault::OtherIssuer));
    // Two references that do not say the same: the SHA-1 one names another certificate (RFC 5035 §5.4).
    let hash = tlv::wrap(tlv::OCTET_STRING, &[&Digest::Sha1.over(&[made.issuing.der()])]);
    let id = tlv::wrap(tlv::SEQUENCE, &[&hash]);
    let older =
        attribute("1.2.840.113549.1.9.16.2.12", &tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(tlv::SEQUENCE, &[&id])]));
    assert_eq!(judged(older), Err(Fault::OtherCertificate));
}

#[test]
fn a_further_signer_is_seen_and_judged_by_himself() {
    let (made, other) = (Hierarchy::of(Key::p256), Hierarchy::of(Key::p256));
    let good = by(&made, &attributes_and(&made, &[]));
    let bad = Made { value: other.seal_key.sign(b"else"), ..by(&made, &attributes_and(&made, &[])) };
    for order in [[good.signer(), bad.signer()], [bad.signer(), good.signer()]] {
        let data = read(&good.cms(&order)).unwrap();
        let intact: Vec<bool> = data.signers.iter().map(|signer| data.check(signer, &[CONTENT]).is_intact()).collect();
        assert_eq!(intact.iter().filter(|intact| **intact).count(), 1);
    }
    assert!(read(&good.cms(&[])).unwrap().signers.is_empty());
}

#[test]
fn content_inside_is_told_from_content_outside() {
    let made = Hierarchy::of(Key::p256);
    let enveloping = Made { content: Some(CONTENT), ..by(&made, &attributes_and(&made, &[])) };
    let data = enveloping.read();
    assert_eq!(data.content.as_deref(), Some(CONTENT));
    assert!(data.check(&data.signers[0], &[CONTENT]).is_intact());
    // What a reader shows may be the file outside: the digest is of what the caller says is the content.
    assert_eq!(data.check(&data.signers[0], &[b"other"]).digest, Err(Fault::DigestDiffers));
    assert_eq!(data.check(&data.signers[0], &[]).digest, Err(Fault::NoContent));
    // Right for what is outside and wrong for what is inside, though that is only an empty string (DSS has such a PDF).
    for inside in [&b""[..], b"other"] {
        let data = Made { content: Some(inside), ..by(&made, &attributes_and(&made, &[])) }.read();
        let (front, back) = CONTENT.split_at(3);
        for content in [&[CONTENT][..], &[front, back]] {
            let found = data.check(&data.signers[0], content);
            assert_eq!((found.is_intact(), found.digest), (false, Err(Fault::DigestDiffers)));
        }
        let direct = Made { attributes: None, content: Some(inside), ..by(&made, CONTENT) }.read();
        assert!(!direct.check(&direct.signers[0], &[CONTENT]).is_intact());
        assert!(!direct.check(&direct.signers[0], &[inside]).is_intact());
    }
}

#[test]
fn digests_of_another_algorithm_do_not_pass() {
    let made = Hierarchy::of(Key::p256);
    let of = |digest: Digest| {
        let value = digest.over(&[CONTENT]);
        attributes_and(&made, &[attribute("1.2.840.113549.1.9.4", &tlv::wrap(tlv::OCTET_STRING, &[&value]))])
    };
    // SHA-512 in the attribute, SHA-256 by the SignerInfo.
    assert_eq!(by(&made, &of(Digest::Sha512)).checks(CONTENT).digest, Err(Fault::DigestDiffers));
    // SHA-512 in both, and a value made with SHA-256: right by the numbers, but readers differ (RFC 8933 §3).
    let found = Made { digest: Digest::Sha512, ..by(&made, &of(Digest::Sha512)) }.checks(CONTENT);
    assert_eq!((found.is_intact(), found.algorithms), (true, Err(Fault::AlgorithmsDiffer)));
    // A content digest that is easy to collide, under a sound value.
    let found = Made { digest: Digest::Md5, ..by(&made, &of(Digest::Md5)) }.checks(CONTENT);
    assert_eq!((found.is_intact(), found.digest), (true, Err(Fault::WeakDigest(Digest::Md5))));
    assert_eq!(found.algorithms, Err(Fault::AlgorithmsDiffer));
    assert!(
        found.strengths.contains(&Strength::Digest(Digest::Md5)) && found.strengths.contains(&Strength::Ecdsa(256))
    );
    // Cut short, empty, or longer: never equal.
    for octets in [0, 31, 33] {
        let mut value = crypto::sha256(CONTENT).to_vec();
        value.resize(octets, 0);
        let wrong = attribute("1.2.840.113549.1.9.4", &tlv::wrap(tlv::OCTET_STRING, &[&value]));
        let found = by(&made, &attributes_and(&made, &[wrong])).checks(CONTENT);
        assert_eq!(found.digest, Err(Fault::DigestDiffers), "{octets}");
    }
}

#[test]
fn protected_algorithms_are_compared() {
    let made = Hierarchy::of(Key::p256);
    let protection = |digest: Digest, value: &str| {
        let digest = tlv::object_identifier(digest.oid());
        let value = tlv::object_identifier(value.parse().unwrap());
        attribute(
            "1.2.840.113549.1.9.52",
            &tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(tlv::SEQUENCE, &[&digest]), &tlv::wrap(tlv::context(1), &[&value])]),
        )
    };
    let judged = |attribute| by(&made, &attributes_and(&made, &[attribute])).checks(CONTENT).algorithms;
    assert_eq!(judged(protection(Digest::Sha256, "1.2.840.10045.4.3.2")), Ok(()));
    assert_eq!(judged(protection(Digest::Sha1, "1.2.840.10045.4.3.2")), Err(Fault::AlgorithmsDiffer));
    assert_eq!(judged(protection(Digest::Sha256, "1.2.840.10045.4.1")), Err(Fault::AlgorithmsDiffer));
    let empty = attribute("1.2.840.113549.1.9.52", &tlv::wrap(tlv::SEQUENCE, &[]));
    assert_eq!(judged(empty), Err(Fault::Attribute("CMSAlgorithmProtection")));
}

/// Whoever has a signature over attributes has one over a document that is these attributes (Strenzke, 2023).
#[test]
fn attributes_do_not_become_content() {
    let made = Hierarchy::of(Key::p256);
    let attributes = attributes_and(&made, &[]);
    let honest = by(&made, &attributes);
    assert!(honest.checks(CONTENT).is_intact());
    let stripped = Made { attributes: None, ..by(&made, &attributes) };
    let found = stripped.checks(&attributes);
    assert_eq!((found.is_intact(), found.signature), (false, Err(Fault::Ambiguous)));
    // A document that was really signed without attributes is believed.
    let direct = Made { attributes: None, ..by(&made, CONTENT) };
    assert!(direct.checks(CONTENT).is_intact());
    // Attributes for content of another type may not be left out (RFC 5652 §5.3).
    let mut other = direct.read();
    other.content_type = rfc5911::ID_SIGNED_DATA;
    assert_eq!(other.check(&other.signers[0], &[CONTENT]).content_type, Err(Fault::Attribute("contentType")));
    // An empty set of attributes is none that were signed.
    let nothing = by(&made, &tlv::wrap(tlv::SET, &[]));
    assert_eq!(nothing.checks(CONTENT).digest, Err(Fault::Attribute("messageDigest")));
}

/// An element with an indefinite length, and so all below it (X.690 §8.1.3.6) but certificates, which are always DER.
fn indefinite(element: &Element<'_>) -> Vec<u8> {
    if element.tag & 0x20 == 0 || Certificate::read(element.whole).is_ok() {
        return element.whole.to_vec();
    }
    let inside: Vec<u8> = element.children().unwrap().iter().flat_map(indefinite).collect();
    [&[element.tag, 0x80], &inside[..], &[0, 0]].concat()
}

#[test]
fn ber_is_read_and_hashed_as_der() {
    let made = Hierarchy::of(Key::p256);
    let honest = Made { content: Some(CONTENT), ..by(&made, &attributes_and(&made, &[])) };
    let cms = honest.cms(&[honest.signer()]);
    let ber = indefinite(&Element::read_all(&cms).unwrap());
    assert!(ber.len() > cms.len());
    let mut padded = ber.clone();
    padded.resize(ber.len() + 64, 0);
    for bytes in [&ber, &padded] {
        let data = read(bytes).unwrap();
        let found = data.check(&data.signers[0], &[CONTENT]);
        assert!(found.is_intact() && found.attributes_in_der, "{found:?}");
        assert_eq!((found.signing_certificate, data.trailing), (Ok(()), 0));
        assert_eq!(data.content.as_deref(), Some(CONTENT));
    }
    // Signed as it stands in BER: accepted by others, marked by us.
    let attributes = attributes_and(&made, &[]);
    let as_written = indefinite(&Element::read_all(&attributes).unwrap());
    let found = Made { value: made.seal_key.sign(&as_written), attributes: Some(as_written), ..by(&made, &attributes) }
        .checks(CONTENT);
    assert!(found.is_intact() && !found.attributes_in_der);
}
