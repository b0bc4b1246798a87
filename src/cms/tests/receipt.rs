//! A receipt under the signature: there, once, and untouched, or none.

use super::*;

const RECEIPT: &str = "c2sp.org/tlog-proof@v1\nindex 7\n\n印信\n8\nAAAA\n\n\u{2014} 印信 AAAA\n";

/// One value over the attributes, whatever they are.
fn with(made: &Hierarchy, attributes: &[u8]) -> SignedData {
    let value = made.seal_key.sign(attributes);
    let certificates = [made.seal.der().to_vec(), made.issuing.der().to_vec()];
    read(&assemble(attributes, &value, made.seal_key.algorithm, &certificates, None).unwrap()).unwrap()
}

fn members(attributes: &[u8]) -> Vec<Vec<u8>> {
    Element::read_all(attributes).unwrap().children().unwrap().iter().map(|member| member.whole.to_vec()).collect()
}

#[test]
fn openssl_takes_it_and_we_read_it_back() {
    let made = Hierarchy::of(Key::p256);
    let attributes = signed_attributes(Digest::Sha256, &crypto::sha256(CONTENT), made.seal.der(), Some(RECEIPT));
    let value = made.seal_key.sign(&attributes);
    let certificates = [made.seal.der().to_vec(), made.issuing.der().to_vec()];
    let cms = assemble(&attributes, &value, made.seal_key.algorithm, &certificates, None).unwrap();
    let room = room(KeyAlgorithm::EcdsaP256, &certificates, 0, RECEIPT.len()).unwrap();
    assert!((cms.len()..=cms.len() + 8).contains(&room), "{room} for {}", cms.len());

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| put(folder.path(), name, bytes);
    let root = file("root.pem", crate::pki::certificate::to_pem("CERTIFICATE", made.root.der()).as_bytes());
    let (signature, content) = (file("seal.p7s", &cms), file("content", CONTENT));
    let at = (trial::MADE.unix_timestamp() + 86_400).to_string();
    let command = format!(
        "cms -verify -cades -binary -inform DER -in {signature} -content {content} -CAfile {root} -purpose any -attime {at} -out /dev/null"
    );
    openssl_accepts(&command.split(' ').collect::<Vec<_>>());
    // The arc of 128 bits under the name that the documents give it.
    let said = openssl_accepts(&["cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", &signature]);
    assert!(said.contains("2.25.145020908641296472519862320715740696233"), "{said}");

    let found = checks(&cms, CONTENT);
    assert!(found.is_intact() && found.attributes_in_der && found.signing_certificate.is_ok());
    let read = read(&cms).unwrap();
    assert_eq!(read.signers[0].receipt(), Some(Ok(RECEIPT)));
    assert!(read.signers[0].signed_attributes.iter().any(|attribute| is_receipt(&attribute.oid)));
    let without = with(&made, &signed_attributes(Digest::Sha256, &crypto::sha256(CONTENT), made.seal.der(), None));
    assert_eq!(without.signers[0].receipt(), None);
}

#[test]
fn two_are_none_and_so_is_another_kind_of_text() {
    const BAD: Option<Result<&str, CmsError>> = Some(Err(CmsError::Malformed("log receipt")));
    let made = Hierarchy::of(Key::p256);
    let of = |receipt| signed_attributes(Digest::Sha256, &crypto::sha256(CONTENT), made.seal.der(), receipt);
    let one = members(&of(Some(RECEIPT))).into_iter().find(|member| !members(&of(None)).contains(member)).unwrap();
    let plus = |more: &[Vec<u8>]| tlv::set_of(tlv::SET, [members(&of(None)), more.to_vec()].concat());
    assert_eq!(plus(std::slice::from_ref(&one)), of(Some(RECEIPT)));

    let twice = with(&made, &plus(&[one.clone(), one.clone()]));
    assert_eq!(twice.signers[0].receipt(), BAD);
    let parts =
        Element::read_all(&one).unwrap().children().unwrap().iter().map(|p| p.whole.to_vec()).collect::<Vec<_>>();
    let attribute = |values: &[&[u8]]| tlv::wrap(tlv::SEQUENCE, &[&parts[0], &tlv::wrap(tlv::SET, values)]);
    let text = tlv::wrap(tlv::UTF8_STRING, &[RECEIPT.as_bytes()]);
    for values in [
        &[][..],
        &[&text[..], &text[..]],
        &[&tlv::wrap(tlv::OCTET_STRING, &[RECEIPT.as_bytes()])[..]],
        &[&tlv::wrap(tlv::UTF8_STRING, &[b"\xFF"])[..]],
    ] {
        let odd = with(&made, &plus(&[attribute(values)]));
        assert_eq!(odd.signers[0].receipt(), BAD, "{values:?}");
    }
    // Where nobody signs, anybody can put one.
    let mut moved = with(&made, &of(Some(RECEIPT)));
    let signer = &mut moved.signers[0];
    let at = signer.signed_attributes.iter().position(|attribute| is_receipt(&attribute.oid)).unwrap();
    signer.unsigned_attributes.push(signer.signed_attributes.remove(at));
    assert_eq!(signer.receipt(), None);
}
