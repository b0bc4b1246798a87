//! Tokens by openssl, tokens of the corpus, and tokens that no authority makes.

use time::macros::datetime;

use super::*;
use crate::crypto::SignatureFault;
use crate::pki::trial::{corpus_files, openssl, put};

mod own;
mod sm2;

const CONTENT: &[u8] = "准予行政许可决定书".as_bytes();

/// A token over [`CONTENT`] by an authority that openssl plays; `(answer, now)`.
fn stamped(settings: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let run = |arguments: &[&str]| {
        let output = openssl(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let content = put(folder.path(), "content", CONTENT);
    put(folder.path(), "serial", b"01");
    let settings = format!(
        "[tsa]\ndefault_tsa=a\n[a]\nserial={}\nsigner_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256,sha512,sha1\ness_cert_id_alg=sha256\n{settings}\n",
        path("serial")
    );
    let settings = put(folder.path(), "settings", settings.as_bytes());
    let (key, certificate, query, answer) = (path("key"), path("certificate"), path("query"), path("answer"));
    run(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        &key,
        "-out",
        &certificate,
        "-days",
        "2",
        "-subj",
        "/CN=Trial TSA",
        "-addext",
        "extendedKeyUsage=critical,timeStamping",
    ]);
    run(&["ts", "-query", "-data", &content, "-sha256", "-cert", "-out", &query]);
    run(&[
        "ts",
        "-reply",
        "-config",
        &settings,
        "-section",
        "a",
        "-queryfile",
        &query,
        "-signer",
        &certificate,
        "-inkey",
        &key,
        "-out",
        &answer,
    ]);
    std::fs::read(answer).unwrap()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "openssl stamps by the clock")]
fn what_openssl_stamps_is_read_and_right() {
    let answer = stamped("accuracy=secs:1,millisecs:500,microsecs:100\ntsa_name=yes");
    let token = Token::read_answer(&answer).unwrap();
    assert_eq!(token.accuracy, Some(Duration::microseconds(1_500_100)));
    assert_eq!((token.policy.as_str(), token.ordering, token.nonce.is_some()), ("1.2.3.4", false, true));
    assert_eq!(token.serial, [2]);
    assert_eq!(token.authority.as_ref().unwrap().common_name().as_deref(), Some("Trial TSA"));
    let checks = token.check();
    assert!(checks.is_intact() && checks.attributes_in_der, "{checks:?}");
    assert_eq!(token.breaches(&checks), []);
    let now = OffsetDateTime::now_utc();
    assert!((now - token.time).abs() < Duration::minutes(5));

    assert_eq!(token.covers_bytes(CONTENT), Ok(()));
    assert_eq!(token.covers_bytes(&CONTENT[1..]), Err(Fault::DigestDiffers));
    assert_eq!(token.covers(&mut |_| None), Err(Fault::TooCostly));
    assert!(token.is_intact(&mut |digest| Some(digest.over(&[CONTENT]))));
    assert!(!token.is_intact(&mut |digest| Some(digest.over(&[b"other"]))));

    // A second signer, whoever it is (RFC 3161 §2.4.2).
    let mut doubled = token.clone();
    doubled.signed.signers.push(token.signed.signers[0].clone());
    assert_eq!(doubled.breaches(&doubled.check()), [Breach::Signers(2)]);
    assert!(!doubled.is_intact(&mut |digest| Some(digest.over(&[CONTENT]))));
    let mut nobody = token.clone();
    nobody.signed.signers.clear();
    assert_eq!(nobody.check(), Checks::nothing());
    // Any bit of what it says, changed.
    let mut later = token.clone();
    let content = later.signed.content.as_mut().unwrap();
    let last = content.len() - 1;
    content[last] ^= 1;
    assert_eq!(later.check().digest, Err(Fault::DigestDiffers));
    // Without the reference to the certificate.
    let mut bare = token.clone();
    bare.signed.signers[0].signed_attributes.pop();
    bare.signed.signers[0].signed_attributes.retain(|attribute| attribute.values[0].len() < 60);
    assert!(bare.breaches(&bare.check()).contains(&Breach::Reference(Fault::NoReference)));
    // The value exchanged for another's.
    let other = Token::read_answer(&stamped("")).unwrap();
    let mut swapped = token.clone();
    swapped.signed.signers[0].signature = other.signed.signers[0].signature.clone();
    assert_eq!(swapped.check().signature, Err(Fault::Signature(SignatureFault::Wrong)));
    // Another authority's certificate of the same name: the reference tells.
    let mut exchanged = token.clone();
    exchanged.signed.certificates = other.signed.certificates.clone();
    assert!(!exchanged.check().is_intact());
    assert_eq!(other.breaches(&other.check()), [Breach::NoAccuracy]);
    assert_eq!(
        Token::read_answer(&stamped("ordering=yes")).map(|token| token.breaches(&token.check())),
        Ok(vec![Breach::NoAccuracy, Breach::Ordering])
    );
}

// — TSTInfo by hand

fn integer(octets: &[u8]) -> Vec<u8> {
    tlv::wrap(tlv::INTEGER, &[octets])
}

/// A token with this TSTInfo and nothing around it that could be right.
fn token(fields: &[Vec<u8>]) -> Result<Token, StampError> {
    let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
    let info = tlv::wrap(tlv::OCTET_STRING, &[&tlv::wrap(tlv::SEQUENCE, &fields)]);
    let content = tlv::wrap(tlv::context(0), &[&info]);
    let content = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(rfc3161::ID_CT_TST_INFO), &content]);
    let signed =
        tlv::wrap(tlv::SEQUENCE, &[&integer(&[3]), &tlv::wrap(tlv::SET, &[]), &content, &tlv::wrap(tlv::SET, &[])]);
    let whole =
        [tlv::object_identifier(const_oid::db::rfc5911::ID_SIGNED_DATA), tlv::wrap(tlv::context(0), &[&signed])];
    Token::read(&tlv::wrap(tlv::SEQUENCE, &[&whole[0], &whole[1]]))
}

fn fields(time: &str, more: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let algorithm = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(Digest::Sha256.oid())]);
    let imprint = tlv::wrap(tlv::SEQUENCE, &[&algorithm, &tlv::wrap(tlv::OCTET_STRING, &[&[7; 32]])]);
    let policy = tlv::object_identifier("1.2.3".parse().unwrap());
    let mut fields =
        vec![integer(&[1]), policy, imprint, integer(&[9]), tlv::wrap(GENERALIZED_TIME, &[time.as_bytes()])];
    fields.extend_from_slice(more);
    fields
}

#[test]
fn times_are_utc_with_any_fraction() {
    let read = |time: &str| token(&fields(time, &[])).map(|token| token.time);
    assert_eq!(read("20261122071500Z"), Ok(datetime!(2026-11-22 07:15 UTC)));
    assert_eq!(read("20261122071500.25Z"), Ok(datetime!(2026-11-22 07:15:00.25 UTC)));
    assert_eq!(read("20261122071500.1234567891Z"), Ok(datetime!(2026-11-22 07:15:00.123456789 UTC)));
    for bad in [
        "20261122071500",
        "20261122071500+0800",
        "20261122071500.Z",
        "202611220715Z",
        "20261322071500Z",
        "20261122076000Z",
        "2026112207150０Z",
        "20261122071500.+5Z",
        "",
        "Z",
        "20260230071500Z",
    ] {
        assert_eq!(read(bad), Err(StampError::Malformed("genTime")), "{bad}");
    }
}

#[test]
fn fields_come_in_their_order_and_once() {
    let time = "20261122071500Z";
    let accuracy = |parts: &[Vec<u8>]| tlv::wrap(tlv::SEQUENCE, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let seconds = integer(&[2]);
    let millis = tlv::wrap(0x80, &[&[3, 0xE7]]);
    let micros = tlv::wrap(0x81, &[&[1]]);
    let read = |more: &[Vec<u8>]| token(&fields(time, more));
    let whole = accuracy(&[seconds.clone(), millis.clone(), micros.clone()]);
    assert_eq!(read(std::slice::from_ref(&whole)).unwrap().accuracy, Some(Duration::microseconds(2_999_001)));
    assert_eq!(read(&[accuracy(&[])]).unwrap().accuracy, Some(Duration::ZERO));
    for bad in [
        accuracy(&[millis.clone(), seconds.clone()]),
        accuracy(&[seconds.clone(), seconds.clone()]),
        accuracy(&[tlv::wrap(0x80, &[&[3, 0xE8]])]),
        accuracy(&[integer(&[0xFF])]),
        accuracy(&[integer(&[1, 0, 0, 0, 0])]),
        accuracy(&[tlv::wrap(0x82, &[&[1]])]),
    ] {
        assert_eq!(read(&[bad]).map(|token| token.accuracy), Err(StampError::Malformed("accuracy")));
    }
    let ordering = tlv::wrap(tlv::BOOLEAN, &[&[0xFF]]);
    let nonce = integer(&[0x11]);
    let extension = |critical: &[u8]| {
        let inside = tlv::wrap(
            tlv::SEQUENCE,
            &[&tlv::object_identifier("1.2.3".parse().unwrap()), critical, &tlv::wrap(tlv::OCTET_STRING, &[b""])],
        );
        tlv::wrap(tlv::context(1), &[&inside])
    };
    let full = read(&[whole.clone(), ordering.clone(), nonce.clone(), extension(&tlv::wrap(tlv::BOOLEAN, &[&[0xFF]]))])
        .unwrap();
    assert!(full.ordering && full.nonce.as_deref() == Some(&[0x11]));
    let said = full.breaches(&full.check());
    assert!(
        said.contains(&Breach::CriticalExtension)
            && said.contains(&Breach::Ordering)
            && said.contains(&Breach::Signers(0))
    );
    assert!(!read(&[extension(&[])]).unwrap().critical_extension);
    for bad in [
        vec![nonce.clone(), ordering.clone()],
        vec![nonce.clone(), nonce.clone()],
        vec![extension(&[]), extension(&[])],
        vec![tlv::wrap(tlv::OCTET_STRING, &[b"hidden"])],
    ] {
        assert_eq!(read(&bad).map(|_| ()), Err(StampError::Malformed("TSTInfo")));
    }
    let mut second = fields(time, &[]);
    second[0] = integer(&[2]);
    let second = token(&second).unwrap();
    assert!(second.breaches(&second.check()).iter().any(|breach| *breach == Breach::Version && breach.is_grave()));
    // A digest of another length than its algorithm's.
    let mut short = fields(time, &[]);
    let algorithm = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(Digest::Sha256.oid())]);
    short[2] = tlv::wrap(tlv::SEQUENCE, &[&algorithm, &tlv::wrap(tlv::OCTET_STRING, &[&[7; 20]])]);
    assert_eq!(token(&short), Err(StampError::Malformed("messageImprint")));
    // One that nobody here computes is said to be so.
    let algorithm = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier("1.2.3".parse().unwrap())]);
    short[2] = tlv::wrap(tlv::SEQUENCE, &[&algorithm, &tlv::wrap(tlv::OCTET_STRING, &[&[7; 20]])]);
    assert!(matches!(token(&short).unwrap().covers_bytes(CONTENT), Err(Fault::DigestUnsupported(_))));
}

#[test]
fn an_authority_may_refuse_and_a_file_may_be_no_stamp() {
    let status = |octets: &[u8]| tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(tlv::SEQUENCE, &[&integer(octets)])]);
    assert_eq!(Token::read_answer(&status(&[2])), Err(StampError::Refused(2)));
    assert_eq!(Token::read_answer(&status(&[0])), Err(StampError::Refused(0)));
    assert_eq!(Token::read_answer(&status(&[1, 0])), Err(StampError::Malformed("TimeStampResp")));
    assert_eq!(Token::read(&[]), Err(StampError::Cms(CmsError::Malformed("ContentInfo"))));
    for error in [StampError::NotAStamp, StampError::Refused(2), StampError::Malformed("TSTInfo")] {
        assert!(!error.message().zh.is_empty() && error.to_string().contains("stamp."));
    }
}

#[test]
fn a_certificate_is_for_stamps_alone_or_it_is_not() {
    let key = rcgen::KeyPair::generate().unwrap();
    let made = |extensions: &[(bool, &[&[u8]])]| {
        let mut wish = rcgen::CertificateParams::default();
        wish.custom_extensions = extensions
            .iter()
            .map(|(critical, purposes)| {
                let purposes: Vec<Vec<u8>> =
                    purposes.iter().map(|oid| tlv::wrap(tlv::OBJECT_IDENTIFIER, &[oid])).collect();
                let purposes: Vec<&[u8]> = purposes.iter().map(Vec::as_slice).collect();
                let value = tlv::wrap(tlv::SEQUENCE, &purposes);
                let mut extension = rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 37], value);
                extension.set_criticality(*critical);
                extension
            })
            .collect();
        Certificate::read(wish.self_signed(&key).unwrap().der()).unwrap()
    };
    let stamping = rfc5280::ID_KP_TIME_STAMPING;
    let stamping = stamping.as_bytes();
    let mail: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 4];
    assert!(is_for_stamps_alone(&made(&[(true, &[stamping])])));
    assert!(!is_for_stamps_alone(&made(&[(false, &[stamping])])));
    assert!(!is_for_stamps_alone(&made(&[(true, &[stamping, mail])])));
    assert!(!is_for_stamps_alone(&made(&[(true, &[mail])])));
    assert!(!is_for_stamps_alone(&made(&[])));
}

/// Every stamp of the corpus: what it says of its time, whether its value is right, and how it leaves the profile.
#[test]
fn corpus() {
    let mut left: Vec<(&str, &str)> = EXPECTED.to_vec();
    let mut differ = Vec::new();
    let files = corpus_files(&["timestamp"]);
    for (file, bytes) in &files {
        let found = match Token::read_answer(bytes).or_else(|_| Token::read(bytes)) {
            Err(error) => format!("{error:?}"),
            Ok(token) => {
                let checks = token.check();
                let value = match (&checks.digest, &checks.signature) {
                    (Ok(()), Ok(())) => "right".into(),
                    (digest, Ok(())) => format!("{digest:?}"),
                    (_, Err(fault)) => format!("{fault:?}"),
                };
                format!("{} {value} {:?}", token.time.unix_timestamp(), token.breaches(&checks))
            }
        };
        match left.iter().position(|(name, _)| file.ends_with(name)) {
            Some(at) if left[at].1 == found => drop(left.remove(at)),
            _ => differ.push(format!("(\"{}\", \"{found}\"),", file.rsplit('/').next().unwrap())),
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(files.is_empty() || left.is_empty(), "stale: {left:?}");
}

/// The end of a file's name, and what is found in it.
const EXPECTED: &[(&str, &str)] = &[
    ("d-trust.tsr", "1527081509 right []"),
    ("archive_timestamp.tst", "1480338986 right []"),
    // Both its references name another certificate than the one that it carries.
    ("tst-two-refs.tst", "1653988885 right [Reference(OtherCertificate)]"),
    // A question, not an answer.
    ("sample-certreq.tsq", "Cms(Malformed(\"ContentInfo\"))"),
    ("all-zero.tsq", "Cms(Malformed(\"ContentInfo\"))"),
    ("sample-certreq.tsr", "1396344088 Signature(Weak(\"SHA-1\")) [NoAccuracy]"),
    ("BIN_ER.ers.0.0.tsr", "1486735672 right []"),
    // Its reference to the certificate is wrapped in an OCTET STRING, which no reader of RFC 5035 expects.
    ("test.tsr", "1622138454 right [Reference(Attribute(\"signingCertificate\")), NoAccuracy]"),
    ("issue-104.tsr", "1741683128 right [NoAccuracy]"),
    ("response-expired.tsr", "1675209600 NoCertificate [Reference(NoCertificate)]"),
    ("sectigo-all-zero.tsr", "1613490167 right [NoAccuracy]"),
];
