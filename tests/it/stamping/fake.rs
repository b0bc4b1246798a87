//! A time-stamp authority that fails and lies on command: real sockets, real certificates, real signatures.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration as Pause;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use time::{Duration, OffsetDateTime};
use yinxin::crypto::KeyAlgorithm;
use yinxin::pki::certificate::Certificate;
use yinxin::pki::issue::{self, Addresses, Period, Reason, Revoked, Serial};
use yinxin::pki::name::{Attribute, Name};
use yinxin::pki::revocation::RevocationList;
use yinxin::pki::tlv;
use yinxin::stamp::accept::Terms;
use yinxin::stamp::answer::{Info, Rejection, Unsigned, granted};
use yinxin::stamp::request::Request;
use yinxin::tsa::AuthoritySettings;

use crate::bureau::NOW;

/// The policy that it names.
pub const POLICY: &str = "1.3.6.1.4.1.99999.1";

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    Right,
    WrongImprint,
    WrongNonce,
    /// Signed by somebody whom nobody trusts, under the same names.
    Untrusted,
    /// By a certificate that had ended.
    Expired,
    /// By a certificate that is for documents.
    NotForStamps,
    /// By a certificate that is on the list given to its client.
    Revoked,
    /// Of a moment so many seconds from now.
    OfAnotherTime(i64),
    /// One bit of the signature value is another.
    BrokenSignature,
    Garbage,
    /// More than anyone takes.
    Huge,
    Refuses,
    Status(u16),
    /// Says that somebody else answers.
    Redirects,
    HangsUp,
    /// Answers rightly, after so many milliseconds.
    Slow(u64),
}

/// The server; it ends with the process.
pub struct Fake {
    pub address: SocketAddr,
    does: Arc<Mutex<Does>>,
    pub asked: Arc<AtomicUsize>,
    pub root: Certificate,
    pub list: RevocationList,
}

struct Party {
    key: EcdsaKeyPair,
    certificate: Certificate,
}

/// Certificates by what they are good for.
struct Parties {
    root: Certificate,
    good: Party,
    expired: Party,
    documents: Party,
    revoked: Party,
    stranger: Party,
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap()
}

fn public_key(key: &EcdsaKeyPair) -> Vec<u8> {
    let oids = ["1.2.840.10045.2.1", "1.2.840.10045.3.1.7"].map(|oid| tlv::object_identifier(oid.parse().unwrap()));
    let algorithm = tlv::wrap(tlv::SEQUENCE, &[&oids[0], &oids[1]]);
    tlv::wrap(tlv::SEQUENCE, &[&algorithm, &tlv::bit_string(key.public_key().as_ref())])
}

fn sign(key: &EcdsaKeyPair, message: &[u8]) -> Vec<u8> {
    key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

fn name(common: &str) -> Name {
    Name::of(&[(Attribute::Country, "CN"), (Attribute::CommonName, common)]).unwrap()
}

fn finished(unsigned: issue::Unsigned, key: &EcdsaKeyPair) -> Vec<u8> {
    let value = sign(key, unsigned.to_be_signed());
    unsigned.signed(&value).unwrap()
}

fn root(key: &EcdsaKeyPair) -> Certificate {
    let period = Period { not_before: NOW - Duration::days(3650), not_after: NOW + Duration::days(3650) };
    let unsigned = issue::root(&name("Fake Root"), &public_key(key), Serial::from_random([1; 16]), period).unwrap();
    Certificate::read(&finished(unsigned, key)).unwrap()
}

fn unit(issuer: &Certificate, issuer_key: &EcdsaKeyPair, serial: u8, days: (i64, i64)) -> Party {
    let key = key();
    let period = Period { not_before: NOW + Duration::days(days.0), not_after: NOW + Duration::days(days.1) };
    let serial = Serial::from_random([serial; 16]);
    let until = period.not_after;
    let unsigned =
        issue::stamping(issuer, &name("Fake TSU"), &public_key(&key), serial, period, until, &Addresses::default())
            .unwrap();
    let certificate = Certificate::read(&finished(unsigned, issuer_key)).unwrap();
    Party { key, certificate }
}

impl Parties {
    fn new() -> (Self, RevocationList) {
        let (root_key, other_key) = (key(), key());
        let (root, other) = (root(&root_key), root(&other_key));
        let revoked = unit(&root, &root_key, 4, (-100, 100));
        let key = key();
        let period = Period { not_before: NOW - Duration::DAY, not_after: NOW + Duration::DAY };
        let serial = Serial::from_random([3; 16]);
        let unsigned =
            issue::seal(&root, &name("Fake TSU"), &public_key(&key), serial, period, &Addresses::default()).unwrap();
        let documents = Party { key, certificate: Certificate::read(&finished(unsigned, &root_key)).unwrap() };
        let line = Revoked {
            serial: revoked.certificate.serial.clone(),
            at: NOW - Duration::DAY,
            reason: Reason::KeyCompromise,
            invalid_since: None,
        };
        let list = issue::revocation_list(&root, 1, NOW - Duration::HOUR, NOW + Duration::days(30), &[line]).unwrap();
        let list = RevocationList::read(&finished(list, &root_key)).unwrap();
        let parties = Self {
            good: unit(&root, &root_key, 2, (-100, 100)),
            expired: unit(&root, &root_key, 5, (-100, -1)),
            stranger: unit(&other, &other_key, 2, (-100, 100)),
            documents,
            revoked,
            root,
        };
        (parties, list)
    }
}

impl Fake {
    /// Opens; its clock shows NOW and so many seconds as `late` holds.
    pub fn open(does: Does, late: Arc<AtomicI64>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (parties, list) = Parties::new();
        let root = parties.root.clone();
        let (does, asked) = (Arc::new(Mutex::new(does)), Arc::new(AtomicUsize::new(0)));
        let (told, counted, parties) = (does.clone(), asked.clone(), Arc::new(parties));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let does = *told.lock().unwrap();
                let now = NOW + Duration::seconds(late.load(Ordering::SeqCst));
                let parties = parties.clone();
                // A client that gave up is no trouble of ours.
                std::thread::spawn(move || answer(stream, does, &parties, now).ok());
            }
        });
        Self { address, does, asked, root, list }
    }

    /// From now on.
    pub fn set(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    pub fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// As the settings would name it.
    pub fn settings(&self) -> AuthoritySettings {
        AuthoritySettings {
            url: format!("http://{}/tsa", self.address),
            terms: Terms { anchors: vec![self.root.clone()], lists: vec![self.list.clone()], ..Terms::default() },
            budget: Pause::from_millis(700),
        }
    }
}

fn answer(mut stream: TcpStream, does: Does, parties: &Parties, now: OffsetDateTime) -> std::io::Result<()> {
    let body = read_request(&mut stream)?;
    let request = Request::read(&body).expect("our client asks rightly");
    assert!(request.nonce.is_some() && request.certificates);
    let mut said = request.clone();
    let (mut party, mut time) = (&parties.good, now);
    match does {
        Does::WrongImprint => said.value[0] ^= 1,
        Does::WrongNonce => *said.nonce.as_mut().unwrap().last_mut().unwrap() ^= 1,
        Does::Untrusted => party = &parties.stranger,
        Does::Expired => party = &parties.expired,
        Does::NotForStamps => party = &parties.documents,
        Does::Revoked => party = &parties.revoked,
        Does::OfAnotherTime(seconds) => time += Duration::seconds(seconds),
        Does::Slow(millis) => std::thread::sleep(Pause::from_millis(millis)),
        Does::HangsUp => return Ok(()),
        _ => {}
    }
    let info = Info { policy: POLICY, serial: Serial::from_random([9; 16]), time, accuracy: Duration::SECOND };
    let chain = [party.certificate.der().to_vec(), parties.root.der().to_vec()];
    let unsigned = Unsigned::of(info.to_der(&said).unwrap(), &party.certificate, &chain);
    let mut value = sign(&party.key, unsigned.to_be_signed());
    if does == Does::BrokenSignature {
        *value.last_mut().unwrap() ^= 1;
    }
    let right = granted(&unsigned.signed(&value, KeyAlgorithm::EcdsaP256).unwrap());
    let (status, body) = match does {
        Does::Garbage => ("200 OK".into(), b"<html>maintenance</html>".to_vec()),
        Does::Huge => ("200 OK".into(), vec![0x30; 1 << 20]),
        Does::Refuses => ("200 OK".into(), Rejection::SystemFailure.answer()),
        Does::Status(status) => (format!("{status} Trouble"), right),
        Does::Redirects => (format!("307 There\r\nLocation: http://{}/tsa", stream.local_addr()?), right),
        _ => ("200 OK".into(), right),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

fn read_request(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer)?;
        bytes.extend_from_slice(&buffer[..read]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            assert!(head.contains("content-type: application/timestamp-query"), "{head}");
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            if bytes.len() >= end + 4 + length.unwrap().parse::<usize>().unwrap() {
                return Ok(bytes.split_off(end + 4));
            }
        }
        assert!(read > 0, "the client ended early");
    }
}
