//! A small hierarchy for tests: real keys, a root, an issuing authority and a seal.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use const_oid::{ObjectIdentifier, db};
use der::Encode;
use der::asn1::{Any, BitString};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{self, EcdsaKeyPair, RsaKeyPair};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use time::OffsetDateTime;
use time::macros::datetime;

use super::certificate::{Certificate, from_pem_or_der};
use super::issue::{self, Period, Serial, Unsigned};
use super::name::{Attribute, Name};
use crate::crypto::KeyAlgorithm;

pub(crate) const MADE: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
/// A certificate that names no addresses.
pub(crate) const NONE: &issue::Addresses = &issue::Addresses { list: None, responder: None, issuer: None };
pub(crate) const CRL_URL: &str = "http://crl.example/issuing.crl";

pub(crate) struct Key {
    inner: Inner,
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) public_key: Vec<u8>,
}

enum Inner {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Sm2(sm2::dsa::SigningKey),
}

impl Key {
    pub(crate) fn p256() -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        Self::p256_from(&pair.serialize_der())
    }

    fn p256_from(pkcs8: &[u8]) -> Self {
        use rcgen::PublicKeyData;

        let public_key = rcgen::KeyPair::try_from(pkcs8).unwrap().subject_public_key_info();
        let scheme = &signature::ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(scheme, pkcs8, &SystemRandom::new()).unwrap();
        Self { inner: Inner::Ecdsa(pair), algorithm: KeyAlgorithm::EcdsaP256, public_key }
    }

    pub(crate) fn sm2() -> Self {
        use sm2::elliptic_curve::sec1::ToSec1Point;

        let mut octets = [0; 32];
        SystemRandom::new().fill(&mut octets).unwrap();
        let key = sm2::dsa::SigningKey::from_slice(crate::crypto::SM2_IDENTITY, &octets).unwrap();
        let curve = Any::encode_from(&ObjectIdentifier::new_unwrap("1.2.156.10197.1.301")).unwrap();
        let algorithm = AlgorithmIdentifierOwned { oid: db::rfc5912::ID_EC_PUBLIC_KEY, parameters: Some(curve) };
        let subject_public_key =
            BitString::from_bytes(key.verifying_key().as_affine().to_sec1_point(false).as_bytes()).unwrap();
        let public_key = SubjectPublicKeyInfoOwned { algorithm, subject_public_key }.to_der().unwrap();
        Self { inner: Inner::Sm2(key), algorithm: KeyAlgorithm::Sm2, public_key }
    }

    pub(crate) fn rsa2048() -> Self {
        static PKCS8: OnceLock<Vec<u8>> = OnceLock::new();
        Self::rsa(&PKCS8, 2048, KeyAlgorithm::Rsa2048)
    }

    pub(crate) fn rsa3072() -> Self {
        static PKCS8: OnceLock<Vec<u8>> = OnceLock::new();
        Self::rsa(&PKCS8, 3072, KeyAlgorithm::Rsa3072)
    }

    /// ring makes no RSA keys, openssl does; one of a size per test run.
    fn rsa(pkcs8: &OnceLock<Vec<u8>>, bits: u32, algorithm: KeyAlgorithm) -> Self {
        use rcgen::PublicKeyData;

        let pkcs8 = pkcs8.get_or_init(|| {
            let arguments = format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits}");
            let pem = openssl(&arguments.split(' ').collect::<Vec<_>>()).stdout;
            from_pem_or_der("PRIVATE KEY", &pem).remove(0)
        });
        let public_key = rcgen::KeyPair::try_from(pkcs8.as_slice()).unwrap().subject_public_key_info();
        let inner = Inner::Rsa(RsaKeyPair::from_pkcs8(pkcs8).unwrap());
        Self { inner, algorithm, public_key }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.inner {
            Inner::Sm2(key) => {
                use sm2::dsa::signature::Signer;

                let value: sm2::dsa::Signature = key.sign(message);
                value.to_der().as_bytes().to_vec()
            }
            Inner::Ecdsa(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Inner::Rsa(pair) => {
                let mut value = vec![0; pair.public().modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut value).unwrap();
                value
            }
        }
    }

    pub(crate) fn finish(&self, unsigned: Unsigned) -> Vec<u8> {
        let value = self.sign(unsigned.to_be_signed());
        unsigned.signed(&value).unwrap()
    }

    pub(crate) fn certificate(&self, unsigned: Unsigned) -> Certificate {
        Certificate::read(&self.finish(unsigned)).unwrap()
    }
}

/// Root → issuing authority → seal, all on keys of one kind.
pub(crate) struct Hierarchy {
    pub(crate) root: Certificate,
    pub(crate) issuing_key: Key,
    pub(crate) issuing: Certificate,
    pub(crate) root_key: Key,
    pub(crate) seal_key: Key,
    pub(crate) seal: Certificate,
}

pub(crate) fn name(common: &str) -> Name {
    Name::of(&[(Attribute::Country, "CN"), (Attribute::CommonName, common)]).unwrap()
}

pub(crate) fn years(years: i64) -> Period {
    Period { not_before: MADE, not_after: MADE + time::Duration::days(365 * years) }
}

/// A certificate that names this list alone.
pub(crate) fn listed_at(url: &str) -> issue::Addresses {
    issue::Addresses { list: Some(url.into()), ..Default::default() }
}

pub(crate) fn serial(number: u8) -> Serial {
    Serial::from_random([number; 16])
}

impl Hierarchy {
    pub(crate) fn of(key: fn() -> Key) -> Self {
        let (root_key, issuing_key, seal_key) = (key(), key(), key());
        let root =
            root_key.certificate(issue::root(&name("试验根"), &root_key.public_key, serial(1), years(20)).unwrap());
        let issuing = root_key.certificate(
            issue::issuing_authority(
                &root,
                &name("试验签发"),
                &issuing_key.public_key,
                serial(2),
                years(10),
                &listed_at("http://crl.example/root.crl"),
            )
            .unwrap(),
        );
        let subject = Name::of_seal("11513221MB1234567X", "汶川县行政审批局", "51322100000001").unwrap();
        let seal = issuing_key.certificate(
            issue::seal(&issuing, &subject, &seal_key.public_key, serial(3), years(3), &listed_at(CRL_URL)).unwrap(),
        );
        Self { root, issuing_key, issuing, root_key, seal_key, seal }
    }
}

/// The outside judge of everything made here.
pub(crate) fn openssl(arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).output().expect("openssl is installed (apt install openssl)")
}

#[track_caller]
pub(crate) fn openssl_accepts(arguments: &[&str]) -> String {
    let output = openssl(arguments);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {text}");
    text
}

#[track_caller]
pub(crate) fn openssl_refuses(arguments: &[&str]) -> String {
    let output = openssl(arguments);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success(), "openssl {arguments:?} should have failed: {text}");
    text
}

/// Whether openssl holds this SM2 value, under the default identity, for the key's (DER SubjectPublicKeyInfo). Its `verify`,
/// `crl` and `cms` fail with SM2 up to 3.0, even on its own.
pub(crate) fn openssl_takes_sm2(public_key: &[u8], message: &[u8], value: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let [key, message, value] = [("key", public_key), ("message", message), ("value", value)]
        .map(|(name, bytes)| put(folder.path(), name, bytes));
    let identity = format!("distid:{}", crate::crypto::SM2_IDENTITY);
    let asked = ["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", &key, "-rawin", "-digest", "sm3"];
    let said = openssl(&[&asked[..], &["-in", &message, "-sigfile", &value, "-pkeyopt", &identity]].concat());
    let text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(
        text.contains("Signature Verified Successfully") || text.contains("Signature Verification Failure"),
        "{text}"
    );
    said.status.success()
}

/// Runs a script by the peers' Python where scripts/setup made one, else by the system's; without either it is left out.
#[track_caller]
pub(crate) fn python_holds(arguments: &[&str]) {
    let home = std::env::var("HOME").unwrap_or_default();
    let peers = std::env::var_os("YINXIN_PEERS").map_or(Path::new(&home).join(".cache/yinxin/peers"), Into::into);
    let python = Some(peers.join("bin/python")).filter(|python| python.exists()).unwrap_or_else(|| "python3".into());
    match Command::new(python).args(arguments).output() {
        Err(why) => eprintln!("SKIPPED: no Python ({why})"),
        Ok(said) => {
            let text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
            assert!(said.status.success(), "{text}");
            eprintln!("{}", text.trim_end());
        }
    }
}

/// Writes bytes into a folder and gives the path as text.
pub(crate) fn put(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A place in the foreign corpus; None, said aloud, where it is not on this machine.
pub(crate) fn corpus(below: &str) -> Option<PathBuf> {
    let root = std::env::var_os("YINXIN_CORPUS").map_or(PathBuf::from("../shared/corpus"), PathBuf::from);
    let path = root.join(below);
    if !path.exists() {
        eprintln!("SKIPPED: {} is not here", path.display());
        return None;
    }
    Some(path)
}

/// Files of these kinds in the corpus' index, with their bytes.
pub(crate) fn corpus_files(kinds: &[&str]) -> Vec<(String, Vec<u8>)> {
    let Some(index) = corpus("INDEX.tsv") else { return Vec::new() };
    let folder = index.parent().unwrap().to_owned();
    let rows = std::fs::read_to_string(&index).unwrap();
    rows.lines()
        .filter_map(|row| {
            let mut columns = row.split('\t');
            let (file, kind) = (columns.next()?, columns.next()?);
            kinds.contains(&kind).then(|| (file.to_owned(), std::fs::read(folder.join(file)).unwrap()))
        })
        .collect()
}
