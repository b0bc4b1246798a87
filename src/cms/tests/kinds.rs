//! Kinds of signature beside the plain one: old PDF kinds, several signers, attributes that nobody signed.

use super::*;

/// A self-signed RSA-2048 certificate with its key, by openssl; files `key` and `certificate` (PEM) in the folder.
fn rsa(folder: &std::path::Path) -> Vec<u8> {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    openssl_accepts(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=old",
        "-keyout",
        &path("key"),
        "-out",
        &path("certificate"),
    ]);
    let pem = std::fs::read(path("certificate")).unwrap();
    crate::pki::certificate::from_pem_or_der("CERTIFICATE", &pem).remove(0)
}

fn weak(fault: &Result<(), Fault>) -> bool {
    matches!(fault, Err(Fault::WeakDigest(_) | Fault::Signature(SignatureFault::Weak(_))))
}

/// `adbe.x509.rsa_sha1` (ISO 32000-1 §12.8.3.2).
#[test]
fn a_bare_value_beside_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = rsa(folder.path());
    let content = put(folder.path(), "content", CONTENT);
    let (front, back) = CONTENT.split_at(4);
    for (name, digest) in [("sha1", Digest::Sha1), ("sha256", Digest::Sha256), ("sha512", Digest::Sha512)] {
        let (key, value) = (folder.path().join("key"), folder.path().join("value"));
        let line = format!("dgst -{name} -sign {} -out {} {content}", key.display(), value.display());
        openssl_accepts(&line.split(' ').collect::<Vec<_>>());
        let mut hole = tlv::wrap(tlv::OCTET_STRING, &[&std::fs::read(value).unwrap()]);
        hole.resize(1000, 0);
        let data = read_pdf("adbe.x509.rsa_sha1", &hole, std::slice::from_ref(&certificate)).unwrap();
        assert_eq!((data.form, data.trailing, data.digests()), (Form::BareValue, 0, vec![digest]));
        let found = data.check(&data.signers[0], &[front, back]);
        assert!(found.is_intact() && weak(&found.signature) == (digest == Digest::Sha1), "{found:?}");
        assert_eq!(found.signing_certificate, Err(Fault::NoReference));
        let found = data.check(&data.signers[0], &[back, front]);
        assert_eq!((found.is_intact(), found.signature), (false, Err(Fault::Signature(SignatureFault::Wrong))));
        assert_eq!(data.check(&data.signers[0], &[]).signature, Err(Fault::NoContent));
        // Another certificate first is another signer's.
        let other = Hierarchy::of(Key::p256);
        let certificates = [other.seal.der().to_vec(), certificate.clone()];
        let data = read_pdf("adbe.x509.rsa_sha1", &hole, &certificates).unwrap();
        assert!(!data.check(&data.signers[0], &[CONTENT]).is_intact());
    }
    assert_eq!(read_pdf("adbe.x509.rsa_sha1", b"\x04\x01\x00", &[]), Err(CmsError::Malformed("/Cert")));
    assert_eq!(read_pdf("adbe.x509.rsa_sha1", b"\x30\x00", &[certificate]), Err(CmsError::Malformed("PKCS#1 value")));
}

/// `adbe.pkcs7.sha1` (ISO 32000-1 §12.8.3.3.1): what is signed is the SHA-1 of the file.
#[test]
fn a_digest_inside() {
    let folder = tempfile::tempdir().unwrap();
    rsa(folder.path());
    let inside = put(folder.path(), "inside", &Digest::Sha1.over(&[CONTENT]));
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for more in ["-noattr", "-cades"] {
        let line = format!(
            "cms -sign -binary -nodetach -md sha256 {more} -in {inside} -signer {} -inkey {} -outform DER -out {}",
            path("certificate"),
            path("key"),
            path("cms")
        );
        openssl_accepts(&line.split(' ').collect::<Vec<_>>());
        let cms = std::fs::read(path("cms")).unwrap();
        let data = read_pdf("adbe.pkcs7.sha1", &cms, &[]).unwrap();
        assert_eq!((data.form, data.digests()), (Form::DigestInside, vec![Digest::Sha1]));
        let found = data.check(&data.signers[0], &[CONTENT]);
        assert_eq!((found.is_intact(), found.digest), (true, Err(Fault::WeakDigest(Digest::Sha1))));
        assert!(found.strengths.contains(&Strength::Digest(Digest::Sha1)));
        let found = data.check(&data.signers[0], &[b"other"]);
        assert_eq!((found.is_intact(), found.digest), (false, Err(Fault::DigestDiffers)));
        assert_eq!(data.check(&data.signers[0], &[]).digest, Err(Fault::NoContent));
        // The same bytes under the usual name are a signature of twenty octets, not of the file.
        let data = read_pdf("adbe.pkcs7.detached", &cms, &[]).unwrap();
        assert!(!data.check(&data.signers[0], &[CONTENT]).is_intact());
        // Another digest inside, which the signature does not cover.
        let mut changed = read_pdf("adbe.pkcs7.sha1", &cms, &[]).unwrap();
        changed.content = Some(Digest::Sha1.over(&[b"other"]));
        assert!(!changed.check(&changed.signers[0], &[b"other"]).is_intact());
    }
}

#[test]
fn several_signers_and_streams_by_openssl() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    rsa(one.path());
    rsa(two.path());
    let content = put(one.path(), "content", CONTENT);
    let cms = one.path().join("cms");
    let path = |folder: &tempfile::TempDir, name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let line = format!(
        "cms -sign -binary -nodetach -stream -in {content} -signer {} -inkey {} -signer {} -inkey {} -outform DER -out {}",
        path(&one, "certificate"),
        path(&one, "key"),
        path(&two, "certificate"),
        path(&two, "key"),
        cms.display()
    );
    openssl_accepts(&line.split(' ').collect::<Vec<_>>());
    let bytes = std::fs::read(cms).unwrap();
    // A stream is BER of indefinite length, its content in pieces.
    assert_eq!(bytes[1], 0x80);
    let data = read(&bytes).unwrap();
    assert_eq!((data.signers.len(), data.content.as_deref()), (2, Some(CONTENT)));
    for signer in &data.signers {
        assert!(data.check(signer, &[CONTENT]).is_intact());
    }
}

/// What nobody signed is handed over as found, and read by whoever knows it.
#[test]
fn unsigned_attributes_of_the_corpus_are_found() {
    // Time stamps that are not right, with the reason; an entry that is right after all fails the test.
    let mut exceptions = vec![
        ("Signature-C-DE_CRY-4.p7m", "it is wrapped in an OCTET STRING"),
        ("cades-t-copied-sigtst.p7m", "it was copied from another signature"),
        ("cms-wrong-sign-cert-ref.p7m", "its certificate was exchanged for one of the same name"),
    ];
    let files = trial::corpus_files(&["cms", "cms-bad"]);
    let (mut right, mut counter, mut odd) = (0, 0, Vec::new());
    for (file, bytes) in &files {
        let Ok(data) = read(bytes) else { continue };
        for signer in &data.signers {
            counter += signer.countersignatures().count();
            for der in signer.time_stamps() {
                let token = crate::stamp::Token::read(der);
                let over = &mut |digest: Digest| Some(digest.over(&[&signer.signature]));
                if token.as_ref().is_ok_and(|token| token.is_intact(over)) {
                    right += 1;
                } else if let Some(at) = exceptions.iter().position(|(name, _)| file.ends_with(name)) {
                    exceptions.remove(at);
                } else {
                    odd.push(format!("{file}: {:?}", token.map(|token| token.check())));
                }
            }
        }
    }
    println!("{right} time stamps intact, {counter} countersignatures");
    assert!(odd.is_empty(), "{odd:#?}");
    assert!(
        files.is_empty() || (right == 29 && counter == 6 && exceptions.is_empty()),
        "{right} {counter} {exceptions:?}"
    );
}
