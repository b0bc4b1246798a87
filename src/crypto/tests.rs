//! Wycheproof, openssl as the other signer, and keys and values that no honest signer makes.

use der::Encode;
use der::asn1::{BitString, UintRef};

use super::*;
use crate::limits;
use crate::pki::trial::{corpus, openssl, put};

const MESSAGE: &[u8] = "准予行政许可决定书".as_bytes();

fn algorithm(oid: &str) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: oid.parse().unwrap(), parameters: None }
}

fn der_of(hexadecimal: &str) -> Any {
    use der::Decode;
    Any::from_der(&hex::decode(hexadecimal).unwrap()).unwrap()
}

/// RSASSA-PSS-params; None leaves the field out.
fn pss(
    digest: Option<Digest>,
    mask: Option<Digest>,
    salt: Option<u16>,
    trailer: Option<u8>,
) -> AlgorithmIdentifierOwned {
    let identifier = |digest: Digest| AlgorithmIdentifierOwned { oid: digest.oid(), parameters: Some(Any::null()) };
    let field = |number: u8, der: Vec<u8>| crate::pki::tlv::wrap(crate::pki::tlv::context(number), &[&der]);
    let mut fields = Vec::new();
    if let Some(digest) = digest {
        fields.extend(field(0, identifier(digest).to_der().unwrap()));
    }
    if let Some(mask) = mask {
        let inner = Any::encode_from(&identifier(mask)).unwrap();
        let mgf1 = AlgorithmIdentifierOwned { oid: db::rfc5912::ID_MGF_1, parameters: Some(inner) };
        fields.extend(field(1, mgf1.to_der().unwrap()));
    }
    if let Some(salt) = salt {
        fields.extend(field(2, salt.to_der().unwrap()));
    }
    if let Some(trailer) = trailer {
        fields.extend(field(3, trailer.to_der().unwrap()));
    }
    let parameters = crate::pki::tlv::wrap(crate::pki::tlv::SEQUENCE, &[&fields]);
    AlgorithmIdentifierOwned { oid: db::rfc5912::ID_RSASSA_PSS, parameters: Some(der_of(&hex::encode(parameters))) }
}

fn public_key(oid: &str, parameters: Option<Any>, key: &[u8]) -> Vec<u8> {
    let algorithm = AlgorithmIdentifierOwned { oid: oid.parse().unwrap(), parameters };
    let subject_public_key = BitString::from_bytes(key).unwrap();
    spki::SubjectPublicKeyInfoOwned { algorithm, subject_public_key }.to_der().unwrap()
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let whole = [UintRef::new(modulus).unwrap().to_der().unwrap(), UintRef::new(exponent).unwrap().to_der().unwrap()];
    let key = crate::pki::tlv::wrap(crate::pki::tlv::SEQUENCE, &[&whole.concat()]);
    public_key("1.2.840.113549.1.1.1", Some(Any::null()), &key)
}

#[test]
fn digests_of_known_text() {
    // FIPS 180-4 and FIPS 202 examples, RFC 1321 appendix A.5.
    assert_eq!(hex::encode(sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(Digest::Sha384.over(&[b"abc"]), sha384(b"abc"));
    assert_eq!(Digest::Sha512.over(&[b"ab", b"c"]), sha512(b"abc"));
    let known = [
        (Digest::Md5, "900150983cd24fb0d6963f7d28e17f72"),
        (Digest::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (Digest::Sha224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
        (Digest::Sha3_256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
    ];
    for (digest, value) in known {
        assert_eq!(hex::encode(digest.over(&[b"a", b"", b"bc"])), value, "{}", digest.name());
    }
    for digest in Digest::all() {
        assert_eq!(Digest::of_oid(digest.oid()), Some(digest));
        let name = digest.name().to_lowercase().replace("sha-", "sha");
        let arguments = ["dgst", &format!("-{name}"), "-hex"];
        let arguments: Vec<&str> = match digest {
            Digest::Shake256 => [&arguments[..], &["-xoflen", "64"]].concat(),
            _ => arguments.to_vec(),
        };
        let folder = tempfile::tempdir().unwrap();
        let file = put(folder.path(), "it", MESSAGE);
        let said = openssl(&[&arguments[..], &[&file]].concat()).stdout;
        let ours = hex::encode(digest.over(&[&MESSAGE[..5], &MESSAGE[5..]]));
        assert!(String::from_utf8(said).unwrap().trim_end().ends_with(&ours), "{}", digest.name());
        assert_eq!(ours.len(), 2 * digest.length());
    }
}

#[test]
fn key_algorithm_has_one_name_everywhere() {
    for algorithm in [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
        KeyAlgorithm::Sm2,
        KeyAlgorithm::Ed25519,
    ] {
        assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.name());
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
    }
    assert_eq!("sm4".parse::<KeyAlgorithm>(), Err(SignatureFault::Unsupported("sm4".into())));
}

#[test]
fn own_key_kinds_are_told_from_the_public_key() {
    let key = rcgen::KeyPair::generate().unwrap();
    use rcgen::PublicKeyData;
    assert_eq!(KeyAlgorithm::of_public_key(&key.subject_public_key_info()), Ok(KeyAlgorithm::EcdsaP256));
    let ed = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    assert_eq!(KeyAlgorithm::of_public_key(&ed.subject_public_key_info()), Ok(KeyAlgorithm::Ed25519));
    let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    assert_eq!(
        KeyAlgorithm::of_public_key(&other.subject_public_key_info()),
        Err(SignatureFault::Unsupported("P-384 key".into()))
    );
    assert_eq!(KeyAlgorithm::of_public_key(b"\x30\x80"), Err(SignatureFault::Malformed("public key")));
}

/// Project Wycheproof: every vector's own verdict.
#[test]
fn wycheproof() {
    let Some(folder) = corpus("files/C2SP+wycheproof/testvectors_v1") else { return };
    let sha256_rsa = KeyAlgorithm::Rsa3072.signature_algorithm();
    let runs = [
        ("ecdsa_secp256r1_sha256_test.json", algorithm("1.2.840.10045.4.3.2")),
        ("ecdsa_secp384r1_sha384_test.json", algorithm("1.2.840.10045.4.3.3")),
        ("rsa_signature_2048_sha256_test.json", sha256_rsa.clone()),
        ("rsa_signature_4096_sha256_test.json", sha256_rsa),
        (
            "rsa_pss_2048_sha256_mgf1_32_params_test.json",
            pss(Some(Digest::Sha256), Some(Digest::Sha256), Some(32), None),
        ),
        ("rsa_pss_2048_sha256_mgf1_0_test.json", pss(Some(Digest::Sha256), Some(Digest::Sha256), Some(0), Some(1))),
        ("rsa_pss_2048_sha256_mgf1sha1_20_test.json", pss(Some(Digest::Sha256), None, None, None)),
    ];
    let mut left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for (name, algorithm) in runs {
        left.retain(|file| *file != *name);
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        let (mut judged, mut valid) = (0, 0);
        for group in file["testGroups"].as_array().unwrap() {
            let key = hex::decode(group["publicKeyDer"].as_str().unwrap()).unwrap();
            for test in group["tests"].as_array().unwrap() {
                let bytes = |field: &str| hex::decode(test[field].as_str().unwrap()).unwrap();
                let verdict = verify(&key, &algorithm, &bytes("msg"), &bytes("sig"));
                // The compared code of our own and ring's are held to the same word where both can.
                if test["result"] != "acceptable" {
                    assert_eq!(verdict.is_ok(), test["result"] == "valid", "{name} {} {verdict:?}", test["tcId"]);
                }
                judged += 1;
                valid += usize::from(verdict.is_ok());
            }
        }
        assert_eq!(judged, file["numberOfTests"].as_u64().unwrap());
        eprintln!("{name}: {judged} vectors, {valid} valid");
    }
    assert!(left.is_empty(), "not run: {left:?}");
}

/// The same Wycheproof files through the padding comparison of this room, which ring otherwise spares.
#[test]
fn wycheproof_without_ring() {
    let Some(folder) = corpus("files/C2SP+wycheproof/testvectors_v1") else { return };
    let salt_32 = rsa::Pss { digest: Digest::Sha256, mask: Digest::Sha256, salt: 32 };
    for (name, pss) in [
        ("rsa_signature_2048_sha256_test.json", None),
        ("rsa_signature_4096_sha256_test.json", None),
        ("rsa_pss_2048_sha256_mgf1_32_params_test.json", Some(salt_32)),
    ] {
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        for group in file["testGroups"].as_array().unwrap() {
            let spki = hex::decode(group["publicKeyDer"].as_str().unwrap()).unwrap();
            let Ok(PublicKey::Rsa { key, .. }) = PublicKey::read(&spki) else { panic!("{name}") };
            for test in group["tests"].as_array().unwrap() {
                let bytes = |field: &str| hex::decode(test[field].as_str().unwrap()).unwrap();
                let digest = sha256(&bytes("msg"));
                let right = match pss {
                    Some(pss) => key.verify_pss(pss, &digest, &bytes("sig")),
                    None => key.verify_pkcs1(Digest::Sha256, &digest, &bytes("sig")),
                };
                if test["result"] != "acceptable" {
                    assert_eq!(right.is_ok(), test["result"] == "valid", "{name} {}", test["tcId"]);
                }
            }
        }
    }
}

/// Every combination that openssl signs, we verify; one bit more, and we do not.
#[test]
fn what_openssl_signs() {
    let folder = tempfile::tempdir().unwrap();
    let message = put(folder.path(), "message", MESSAGE);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let run = |line: &str| {
        let output = openssl(&line.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let keys = [
        ("p256", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
        ("p384", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
        ("p521", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
        ("rsa1024", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
        // One bit more than whole octets: the encoding of PSS is an octet shorter than the modulus.
        ("rsa1025", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1025"),
        ("rsa2048", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
        ("ed448", "genpkey -algorithm ED448"),
    ];
    let mut public = std::collections::HashMap::new();
    let mut make = |name: &'static str, line: &str| {
        run(&format!("{line} -out {}", path(name)));
        public.insert(name, run(&format!("pkey -in {} -pubout -outform DER", path(name))));
    };
    for (name, line) in keys {
        make(name, line);
    }
    run(&format!("genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:2048 -out {}", path("dsa-parameters")));
    make("dsa", &format!("genpkey -paramfile {}", path("dsa-parameters")));

    let efforts = ["p256", "rsa2048", "p521", "ed448", "dsa"].map(|key| effort(&public[key]));
    assert_eq!(efforts, [1, 1, 8, 8, 32]);

    let mut made = 0;
    let mut judge = |key: &str, algorithm: &AlgorithmIdentifierOwned, line: &str, weak: bool| {
        let value = run(&format!("{line} -inkey {} -in {message}", path(key)));
        let verdict = verify(&public[key], algorithm, MESSAGE, &value);
        let right = matches!((&verdict, weak), (Ok(()), false) | (Err(SignatureFault::Weak(_)), true));
        assert!(right, "{key}: {line}: {verdict:?}");
        assert_eq!(verify(&public[key], algorithm, &MESSAGE[1..], &value), Err(SignatureFault::Wrong), "{key} {line}");
        let mut odd = value.clone();
        *odd.last_mut().unwrap() ^= 1;
        assert_eq!(verify(&public[key], algorithm, MESSAGE, &odd), Err(SignatureFault::Wrong), "{key} {line}");
        if let Some(digest) = digest_of(algorithm) {
            assert_eq!(
                verify_digest(&public[key], algorithm, &digest.over(&[MESSAGE]), &value),
                verdict,
                "{key} {line}"
            );
            let named = if line.contains("pss") { None } else { pkcs1_digest(&public[key], &value) };
            assert_eq!(named, (key.starts_with("rsa") && !line.contains("pss")).then_some(digest), "{key} {line}");
        }
        // Weak is exactly what the table says of what it rests on.
        let strengths = strengths(&public[key], algorithm).unwrap();
        assert_eq!(strengths.iter().any(|one| one.is_weak()), weak, "{strengths:?}");
        made += 1;
    };
    let digests = [
        ("sha1", Digest::Sha1, "1.2.840.10045.4.1", "1.2.840.113549.1.1.5"),
        ("sha224", Digest::Sha224, "1.2.840.10045.4.3.1", "1.2.840.113549.1.1.14"),
        ("sha256", Digest::Sha256, "1.2.840.10045.4.3.2", "1.2.840.113549.1.1.11"),
        ("sha384", Digest::Sha384, "1.2.840.10045.4.3.3", "1.2.840.113549.1.1.12"),
        ("sha512", Digest::Sha512, "1.2.840.10045.4.3.4", "1.2.840.113549.1.1.13"),
        ("sha3-256", Digest::Sha3_256, "2.16.840.1.101.3.4.3.10", "2.16.840.1.101.3.4.3.14"),
        ("sha3-384", Digest::Sha3_384, "2.16.840.1.101.3.4.3.11", "2.16.840.1.101.3.4.3.15"),
        ("sha3-512", Digest::Sha3_512, "2.16.840.1.101.3.4.3.12", "2.16.840.1.101.3.4.3.16"),
    ];
    for (name, digest, ecdsa, pkcs1) in digests {
        let line = format!("pkeyutl -sign -rawin -digest {name}");
        for key in ["p256", "p384", "p521"] {
            judge(key, &algorithm(ecdsa), &line, digest.is_weak());
            let bare = with_digest(&algorithm("1.2.840.10045.2.1"), digest);
            assert_eq!(bare, algorithm(ecdsa));
        }
        for key in ["rsa1024", "rsa2048"] {
            judge(key, &algorithm(pkcs1), &line, digest.is_weak() || key == "rsa1024");
        }
    }
    judge("rsa2048", &algorithm("1.2.840.113549.1.1.4"), "pkeyutl -sign -rawin -digest md5", true);
    for (name, oid) in [("sha1", "1.2.840.10040.4.3"), ("sha256", "2.16.840.1.101.3.4.3.2")] {
        judge("dsa", &algorithm(oid), &format!("pkeyutl -sign -rawin -digest {name}"), name == "sha1");
    }
    judge("ed448", &algorithm("1.3.101.113"), "pkeyutl -sign -rawin", false);
    let masks = [
        ("sha256", Digest::Sha256, "sha256", Digest::Sha256, 32),
        ("sha256", Digest::Sha256, "sha1", Digest::Sha1, 20),
        ("sha512", Digest::Sha512, "sha256", Digest::Sha256, 1),
        ("sha3-256", Digest::Sha3_256, "sha3-256", Digest::Sha3_256, 0),
        ("sha384", Digest::Sha384, "sha512", Digest::Sha512, 62),
        ("sha1", Digest::Sha1, "sha1", Digest::Sha1, 20),
    ];
    for (name, digest, mask_name, mask, salt) in masks {
        let line = format!(
            "pkeyutl -sign -rawin -digest {name} -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_mgf1_md:{mask_name} -pkeyopt rsa_pss_saltlen:{salt}"
        );
        for key in ["rsa1025", "rsa2048"] {
            let parameters = pss(Some(digest), Some(mask), Some(salt), None);
            judge(key, &parameters, &line, digest.is_weak() || key == "rsa1025");
            // Another salt length than the one named is another signature.
            let value = run(&format!("{line} -inkey {} -in {message}", path(key)));
            let other = pss(Some(digest), Some(mask), Some(salt + 1), None);
            assert_eq!(verify(&public[key], &other, MESSAGE, &value), Err(SignatureFault::Wrong));
        }
    }
    eprintln!("{made} combinations");
    assert!(made > 50);

    // Damage anywhere in key, algorithm or value: a verdict, never a panic, and in bounded time.
    let slowest = std::cell::Cell::new(std::time::Duration::ZERO);
    for (key, algorithm) in [
        ("p256", algorithm("1.2.840.10045.4.3.4")),
        ("p521", algorithm("1.2.840.10045.4.3.4")),
        ("dsa", algorithm("2.16.840.1.101.3.4.3.2")),
        ("ed448", algorithm("1.3.101.113")),
        ("rsa1025", pss(Some(Digest::Sha256), Some(Digest::Sha1), Some(20), None)),
        ("rsa2048", algorithm("2.16.840.1.101.3.4.3.14")),
    ] {
        use der::Decode;

        let line = match key {
            "ed448" => "pkeyutl -sign -rawin".to_owned(),
            "rsa1025" => {
                "pkeyutl -sign -rawin -digest sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_mgf1_md:sha1 -pkeyopt rsa_pss_saltlen:20".into()
            }
            "rsa2048" => "pkeyutl -sign -rawin -digest sha3-256".into(),
            "dsa" => "pkeyutl -sign -rawin -digest sha256".into(),
            _ => "pkeyutl -sign -rawin -digest sha512".into(),
        };
        let value = run(&format!("{line} -inkey {} -in {message}", path(key)));
        let parts = [public[key].clone(), algorithm.to_der().unwrap(), value];
        let honest = verify(&parts[0], &algorithm, MESSAGE, &parts[2]);
        assert!(matches!(honest, Ok(()) | Err(SignatureFault::Weak(_))), "{key} {honest:?}");
        let lengths = parts.iter().map(Vec::len).sum::<usize>();
        for step in 0..600usize {
            let mut damaged = parts.clone();
            let (mut at, bit) = (step * lengths / 600, step % 8);
            for part in &mut damaged {
                if at < part.len() {
                    part[at] ^= 1 << bit;
                    break;
                }
                at -= part.len();
            }
            let Ok(algorithm) = AlgorithmIdentifierOwned::from_der(&damaged[1]) else { continue };
            let before = std::time::Instant::now();
            let verdict = verify(&damaged[0], &algorithm, MESSAGE, &damaged[2]);
            slowest.set(slowest.get().max(before.elapsed()));
            let harmless = damaged[2] == parts[2] && matches!(verdict, Ok(()) | Err(SignatureFault::Weak(_)));
            // A NULL that became an absent parameter, or the like, changes nothing about key and value.
            assert!(harmless || !matches!(verdict, Ok(()) | Err(SignatureFault::Weak(_))), "{key} {step} {verdict:?}");
        }
        // Nanoseconds on a processor, whatever else the machine does.
        let spent = || -> u64 {
            let spent = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
            spent.split(' ').next().and_then(|spent| spent.parse().ok()).unwrap_or_default()
        };
        let before = spent();
        for _ in 0..20 {
            let _ = verify(&parts[0], &algorithm, MESSAGE, &parts[2]);
        }
        eprintln!("{key}: {} µs a verification", (spent() - before) / 20_000);
    }
    assert!(slowest.get() < std::time::Duration::from_secs(1), "{:?}", slowest.get());
}

#[test]
fn keys_that_nobody_makes() {
    const BAD: SignatureFault = SignatureFault::Malformed("RSA public key");
    let pkcs1 = KeyAlgorithm::Rsa3072.signature_algorithm();
    let value = |key: &[u8], length: usize| verify(key, &pkcs1, MESSAGE, &vec![1; length]);
    let modulus = |octets: usize| vec![0xC1; octets];
    // With exponent 1 every padding is its own signature.
    let padded = {
        let info = hex::decode("3031300d060960864801650304020105000420").unwrap();
        let digest = sha256(MESSAGE);
        let mut encoding = vec![0, 1];
        encoding.resize(256 - 1 - info.len() - digest.len(), 0xFF);
        [&encoding[..], &[0], &info, &digest].concat()
    };
    assert_eq!(verify(&rsa_key(&modulus(256), &[1]), &pkcs1, MESSAGE, &padded), Err(BAD));
    for exponent in [&[0][..], &[2], &[1, 0, 0]] {
        assert_eq!(value(&rsa_key(&modulus(256), exponent), 256), Err(BAD), "{exponent:?}");
    }
    assert_eq!(value(&rsa_key(&vec![0xC0; 256], &[1, 0, 1]), 256), Err(BAD));
    // Exponent 3 is legal; what is not the very padding is wrong (Bleichenbacher 2006).
    assert_eq!(value(&rsa_key(&modulus(256), &[3]), 256), Err(SignatureFault::Wrong));
    assert_eq!(value(&rsa_key(&modulus(128), &[3]), 128), Err(SignatureFault::Wrong));
    // A value as large as the modulus, or of another length.
    for octets in [128, 256] {
        let key = rsa_key(&modulus(octets), &[1, 0, 1]);
        assert_eq!(verify(&key, &pkcs1, MESSAGE, &modulus(octets)), Err(SignatureFault::Wrong));
        assert_eq!(value(&key, octets - 1), Err(SignatureFault::Wrong));
        assert_eq!(value(&key, octets + 1), Err(SignatureFault::Wrong));
    }
    // Keys that would cost seconds are refused unread; the largest that is taken is cheap.
    let before = std::time::Instant::now();
    assert!(matches!(value(&rsa_key(&modulus(65_536), &[1, 0, 1]), 65_536), Err(SignatureFault::Unsupported(_))));
    assert!(matches!(value(&rsa_key(&modulus(256), &modulus(255)), 256), Err(SignatureFault::Unsupported(_))));
    assert!(matches!(value(&rsa_key(&modulus(8), &[3]), 8), Err(SignatureFault::Unsupported(_))));
    let longest = rsa_key(&modulus(limits::RSA_BITS / 8), &modulus(limits::RSA_EXPONENT_BITS / 8));
    let salted = pss(Some(Digest::Sha512), Some(Digest::Sha1), Some(7), None);
    assert_eq!(verify(&longest, &salted, MESSAGE, &vec![1; limits::RSA_BITS / 8]), Err(SignatureFault::Wrong));
    assert!(before.elapsed() < std::time::Duration::from_secs(2), "{:?}", before.elapsed());

    // Elliptic curves: points off the curve, at infinity, and explicit parameters (CVE-2020-0601).
    let curve = |oid: &str| Some(Any::encode_from(&oid.parse::<const_oid::ObjectIdentifier>().unwrap()).unwrap());
    let p521 = "1.3.132.0.35";
    let ecdsa = algorithm("1.2.840.10045.4.3.4");
    for point in [vec![0], vec![4; 133], vec![2; 67]] {
        let key = public_key("1.2.840.10045.2.1", curve(p521), &point);
        let verdict = verify(&key, &ecdsa, MESSAGE, b"\x30\x06\x02\x01\x01\x02\x01\x01");
        assert!(verdict.is_err() && !matches!(verdict, Err(SignatureFault::Weak(_))), "{verdict:?}");
    }
    let explicit = public_key("1.2.840.10045.2.1", Some(der_of("3003020101")), &[4; 65]);
    assert!(matches!(verify(&explicit, &ecdsa, MESSAGE, &[]), Err(SignatureFault::Unsupported(_))));
    // DSA: g = 1 makes every value with r = 1 good; the order of y must be q, sizes those of FIPS 186-4.
    let dsa = |p: &[u8], q: &[u8], g: &[u8], y: &[u8]| {
        let whole = [p, q, g].map(|number| UintRef::new(number).unwrap().to_der().unwrap()).concat();
        let parameters = crate::pki::tlv::wrap(crate::pki::tlv::SEQUENCE, &[&whole]);
        let parameters = Some(der_of(&hex::encode(parameters)));
        public_key("1.2.840.10040.4.1", parameters, &UintRef::new(y).unwrap().to_der().unwrap())
    };
    let dsa_sha1 = algorithm("1.2.840.10040.4.3");
    let one = b"\x30\x06\x02\x01\x01\x02\x01\x01";
    // An even q that y = p - 1 satisfies: whatever is said, it is said.
    let (mut q, mut y) = (modulus(20), modulus(128));
    q[19] = 0xC0;
    y[127] = 0xC0;
    let even = verify(&dsa(&modulus(128), &q, &[2], &y), &dsa_sha1, MESSAGE, one);
    assert!(even.is_err() && !matches!(even, Err(SignatureFault::Weak(_))), "{even:?}");
    for key in [
        dsa(&modulus(128), &modulus(20), &[1], &[1]),
        dsa(&modulus(128), &modulus(20), &[2], &modulus(128)),
        dsa(&modulus(4096), &modulus(32), &[2], &[2]),
        dsa(&modulus(128), &[1], &[2], &[2]),
    ] {
        let verdict = verify(&key, &dsa_sha1, MESSAGE, one);
        assert!(matches!(verdict, Err(SignatureFault::Malformed(_) | SignatureFault::Unsupported(_))), "{verdict:?}");
    }
}

#[test]
fn values_that_nobody_makes() {
    let integers = |r: &[u8], s: &[u8]| {
        let whole = [UintRef::new(r).unwrap().to_der().unwrap(), UintRef::new(s).unwrap().to_der().unwrap()];
        crate::pki::tlv::wrap(crate::pki::tlv::SEQUENCE, &[&whole.concat()])
    };
    // Orders of the curves (SP 800-186 §3.2.1).
    let orders = [
        ("P-256", "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        ("P-384", "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"),
        (
            "P-521",
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        ),
    ];
    for (curve, order) in orders {
        let pem = openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", &format!("ec_paramgen_curve:{curve}")]).stdout;
        let folder = tempfile::tempdir().unwrap();
        let file = put(folder.path(), "key", &pem);
        let key = openssl(&["pkey", "-in", &file, "-pubout", "-outform", "DER"]).stdout;
        let order = hex::decode(order).unwrap();
        for oid in ["1.2.840.10045.4.3.2", "1.2.840.10045.4.3.4", "1.2.840.10045.4.1"] {
            for (r, s) in
                [(&[0][..], &[0][..]), (&[0], &[1]), (&[1], &[0]), (&order, &[1]), (&[1], &order), (&order, &order)]
            {
                assert_eq!(
                    verify(&key, &algorithm(oid), MESSAGE, &integers(r, s)),
                    Err(SignatureFault::Wrong),
                    "{curve}"
                );
            }
            for value in [&b""[..], b"\x30\x00", b"\x30\x80\x02\x01\x01\x02\x01\x01\x00\x00", &[0; 64]] {
                assert_eq!(verify(&key, &algorithm(oid), MESSAGE, value), Err(SignatureFault::Wrong), "{curve}");
            }
        }
    }

    // Ed25519: S + L signs as much as S to a reader who does not reduce (RFC 8032 §5.1.7, malleability).
    let pair = ::ring::signature::Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    use ::ring::signature::KeyPair;
    let key = public_key("1.3.101.112", None, pair.public_key().as_ref());
    let ed25519 = algorithm("1.3.101.112");
    let mut value = pair.sign(MESSAGE).as_ref().to_vec();
    assert_eq!(verify(&key, &ed25519, MESSAGE, &value), Ok(()));
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut carry = 0u16;
    for (octet, add) in value[32..].iter_mut().zip(order) {
        carry += u16::from(*octet) + u16::from(add);
        *octet = carry as u8;
        carry >>= 8;
    }
    assert_eq!(verify(&key, &ed25519, MESSAGE, &value), Err(SignatureFault::Wrong));
    // An Ed25519 key whose algorithm says ECDSA, and the other way round.
    assert!(matches!(
        verify(&key, &algorithm("1.2.840.10045.4.3.2"), MESSAGE, &value),
        Err(SignatureFault::Malformed(_))
    ));
}

#[test]
fn parameters_that_nobody_means() {
    let key = rsa_key(&[0xC1; 256], &[1, 0, 1]);
    let fault = |algorithm: &AlgorithmIdentifierOwned| verify(&key, algorithm, MESSAGE, &[1; 256]).unwrap_err();
    let sha = Some(Digest::Sha256);
    assert_eq!(fault(&pss(sha, sha, Some(32), Some(2))), SignatureFault::Malformed("RSA-PSS parameters"));
    assert_eq!(fault(&pss(sha, sha, Some(32), Some(1))), SignatureFault::Wrong);
    // A salt longer than the key has room for.
    assert_eq!(fault(&pss(sha, sha, Some(60_000), None)), SignatureFault::Wrong);
    assert_eq!(fault(&algorithm("1.2.840.113549.1.1.10")), SignatureFault::Malformed("RSA-PSS parameters"));
    // A key for PSS alone, with SHA-256 and a salt of at least 32, signs nothing else (RFC 4055 §1.2, §3.3).
    let only = pss(sha, sha, Some(32), None);
    let inner =
        spki::SubjectPublicKeyInfoRef::try_from(key.as_slice()).unwrap().subject_public_key.raw_bytes().to_vec();
    let bound = public_key("1.2.840.113549.1.1.10", only.parameters.clone(), &inner);
    let unbound = public_key("1.2.840.113549.1.1.10", None, &inner);
    let with =
        |key: &[u8], algorithm: &AlgorithmIdentifierOwned| verify(key, algorithm, MESSAGE, &[1; 256]).unwrap_err();
    let unfit = SignatureFault::Malformed("key, which is of another kind than its algorithm");
    assert_eq!(with(&bound, &only), SignatureFault::Wrong);
    assert_eq!(with(&bound, &pss(sha, sha, Some(64), None)), SignatureFault::Wrong);
    assert_eq!(with(&bound, &pss(sha, sha, Some(20), None)), unfit);
    assert_eq!(with(&bound, &pss(sha, Some(Digest::Sha1), Some(32), None)), unfit);
    assert_eq!(with(&bound, &KeyAlgorithm::Rsa3072.signature_algorithm()), unfit);
    assert_eq!(with(&unbound, &pss(sha, None, None, None)), SignatureFault::Wrong);
    assert_eq!(with(&unbound, &KeyAlgorithm::Rsa3072.signature_algorithm()), unfit);
}
