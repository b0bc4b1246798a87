//! The responder, lists and certificates as others reach them; openssl is the other judge.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use time::Duration;
use yinxin::abolish;
use yinxin::ca::life::Revoke;
use yinxin::crypto::KeyAlgorithm;
use yinxin::pki::certificate::{Certificate, from_pem_or_der, to_pem};
use yinxin::pki::issue::Reason;
use yinxin::pki::ocsp::{CertId, Request};
use yinxin::pki::tlv::{BIT_STRING, Element};
use yinxin::ses::read_seal;

use super::Doors;
use super::client::Client;
use crate::bureau::*;
use crate::db::on_both;

/// The files that a stranger has: the chain above, and the certificates to ask about.
struct Files {
    folder: tempfile::TempDir,
    issuing: Certificate,
}

impl Files {
    async fn of(doors: &Doors) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut chain = String::new();
        let mut issuing = None;
        for ca in doors.bureau.desk.store.ca_certificates().await.unwrap() {
            let pem = to_pem("CERTIFICATE", &ca.certificate);
            std::fs::write(folder.path().join(format!("{}.pem", ca.label)), &pem).unwrap();
            chain += &pem;
            if ca.label == "issuing" {
                issuing = Some(Certificate::read(&ca.certificate).unwrap());
            }
        }
        std::fs::write(folder.path().join("chain.pem"), chain).unwrap();
        for seal in [BUREAU_SEAL, DEPARTMENT_SEAL] {
            let filed = doors.bureau.desk.store.certificates(&number(seal)).await.unwrap().pop().unwrap();
            let pem = to_pem("CERTIFICATE", &filed.certificate);
            std::fs::write(folder.path().join(format!("{seal}.pem")), pem).unwrap();
        }
        Self { folder, issuing: issuing.unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What openssl prints, in this folder; on another thread, since the listener lives on this one's runtime.
    async fn openssl(&self, arguments: &str) -> String {
        let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
        let folder = self.path().to_owned();
        let run = move || Command::new("openssl").args(&arguments).current_dir(folder).output().unwrap();
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// Whether openssl holds the SM2 value in this certificate or list for that issuer's.
    async fn holds_sm2(&self, der: &[u8], issuer: &str) -> bool {
        let parts = Element::read_all(der).unwrap().children().unwrap();
        let [body, _, value] = parts.as_slice() else { panic!("{} parts", parts.len()) };
        std::fs::write(self.path().join("body"), body.whole).unwrap();
        std::fs::write(self.path().join("value"), &value.expect(BIT_STRING).unwrap().content[1..]).unwrap();
        std::fs::write(self.path().join("key"), self.openssl(&format!("x509 -in {issuer}.pem -noout -pubkey")).await)
            .unwrap();
        let asked = "pkeyutl -verify -pubin -inkey key -rawin -digest sm3 -pkeyopt distid:1234567812345678";
        self.openssl(&format!("{asked} -in body -sigfile value")).await.contains("Verified Successfully")
    }
}

/// Arguments that let openssl judge at the time of the story.
fn judging() -> String {
    let at = (NOW + Duration::MINUTE).unix_timestamp();
    format!("-issuer issuing.pem -CAfile chain.pem -attime {at} -validity_period 1000000000")
}

fn get_path(request: &[u8]) -> String {
    let text = base64::prelude::BASE64_STANDARD.encode(request);
    format!("/ocsp/{}", text.replace('+', "%2B").replace('=', "%3D"))
}

async fn post(client: &Client, request: &[u8]) -> Vec<u8> {
    let answer = client.send("POST", "/ocsp", "application/ocsp-request", request).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/ocsp-response"));
    answer.body
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_is_answered_good_revoked_and_unknown() {
    on_both("http_ocsp", async |database| {
        let doors = Doors::open(database).await;
        let files = Files::of(&doors).await;
        let [by, second] = &doors.bureau.government;
        abolish::abolish(&doors.bureau.desk, by, second, doors.bureau.closing(), NOW).await.unwrap();
        let url = format!("http://{}/ocsp", doors.public);
        for nonce in ["-nonce", "-no_nonce"] {
            for digest in ["-sha1", "-sha256"] {
                let ask = async |what: &str| {
                    files.openssl(&format!("ocsp {} {nonce} {digest} -url {url} {what}", judging())).await
                };
                for (what, said) in [
                    (format!("-cert {BUREAU_SEAL}.pem"), "good"),
                    (format!("-cert {DEPARTMENT_SEAL}.pem"), "revoked"),
                    ("-serial 0x4711".to_owned(), "unknown"),
                ] {
                    let text = ask(&what).await;
                    assert!(text.contains(&format!(": {said}")) && text.contains("Response verify OK"), "{text}");
                    // openssl complains of a nonce that was not repeated.
                    assert!(!text.contains("no nonce") && !text.to_lowercase().contains("error"), "{text}");
                    if said == "revoked" {
                        assert!(text.contains("Reason: cessationOfOperation"), "{text}");
                        assert!(text.contains("Revocation Time: Dec 31 16:00:00 2020 GMT"), "{text}");
                    }
                }
            }
        }
        // Two questions in one request.
        let both = format!("-cert {BUREAU_SEAL}.pem -cert {DEPARTMENT_SEAL}.pem");
        let text = files.openssl(&format!("ocsp {} -url {url} {both}", judging())).await;
        assert!(text.contains(": good") && text.contains(": revoked") && text.contains("Response verify OK"), "{text}");
        // By GET: the request that openssl wrote, and its judgement of what came back.
        let asked = format!("ocsp -issuer issuing.pem -cert {BUREAU_SEAL}.pem -no_nonce -reqout request.der");
        files.openssl(&asked).await;
        let request = std::fs::read(files.path().join("request.der")).unwrap();
        let answer = doors.public().get(&get_path(&request)).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/ocsp-response"));
        std::fs::write(files.path().join("response.der"), &answer.body).unwrap();
        let judged = format!("ocsp {} -no_nonce -respin response.der -cert {BUREAU_SEAL}.pem", judging());
        let text = files.openssl(&judged).await;
        assert!(text.contains(": good") && text.contains("Response verify OK"), "{text}");
        assert_eq!(post(&doors.public(), &request).await, answer.body);

        // The authority's own certificate is the root's to speak of, which has a list and no responder.
        let text =
            files.openssl(&format!("ocsp -issuer root.pem -cert issuing.pem -CAfile chain.pem -url {url}")).await;
        assert!(text.contains("unauthorized (6)"), "{text}");

        // And the lists: the chain holds with every link asked about, but for the seal that was abolished.
        let mut lists = vec![];
        for label in ["root", "issuing"] {
            lists.push(to_pem("X509 CRL", &doors.public().get(&format!("/crl/{label}.crl")).await.body));
        }
        std::fs::write(files.path().join("lists.pem"), lists.concat()).unwrap();
        let at = (NOW + Duration::MINUTE).unix_timestamp();
        let verify = format!("verify -x509_strict -attime {at} -CAfile root.pem -untrusted issuing.pem -crl_check_all");
        let text = files.openssl(&format!("{verify} -CRLfile lists.pem {BUREAU_SEAL}.pem")).await;
        assert!(text.contains(&format!("{BUREAU_SEAL}.pem: OK")), "{text}");
        let text = files.openssl(&format!("{verify} -CRLfile lists.pem {DEPARTMENT_SEAL}.pem")).await;
        assert!(text.contains("certificate revoked"), "{text}");
        let text = files.openssl(&format!("x509 -in {BUREAU_SEAL}.pem -noout -text")).await;
        for named in [
            "OCSP - URI:https://seal.example/ocsp",
            "CA Issuers - URI:https://seal.example/ca/issuing.cer",
            "URI:https://seal.example/crl/issuing.crl",
        ] {
            assert!(text.contains(named), "{named}: {text}");
        }
    })
    .await;
}

/// The second line as a stranger reaches it. openssl reads all of it and asks by it; its `verify` fails on SM2 up to 3.0, even
/// on its own, so each value is put to it by itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_line_on_sm2_is_served_beside_the_other() {
    on_both("http_sm2", async |database| {
        let doors = Doors::open(database).await;
        let (store, authority) = (&doors.bureau.desk.store, doors.bureau.authority());
        authority.init("示例县行政审批局", KeyAlgorithm::Sm2, "test", NOW - Duration::HOUR).await.unwrap();
        let made = crate::ofd::made_as_data(&doors.bureau, BUREAU_SEAL).await;
        let files = Files::of(&doors).await;
        let maker = read_seal(&made.file).unwrap().maker;
        std::fs::write(files.path().join("maker.pem"), to_pem("CERTIFICATE", &maker)).unwrap();
        let url = format!("http://{}/ocsp", doors.public);
        let status = async |issuer: &str, certificate: &str| {
            let asked = format!(
                "ocsp -issuer {issuer}.pem -cert {certificate}.pem -noverify -validity_period 1000000000 -url {url}"
            );
            files.openssl(&asked).await
        };
        for certificate in [BUREAU_SEAL, "maker"] {
            let said = status("issuing-sm2", certificate).await;
            assert!(said.contains(&format!("{certificate}.pem: good")), "{said}");
            // Nobody has this one's name and the other's key.
            let said = status("issuing", certificate).await;
            assert!(said.contains("unauthorized (6)"), "{said}");
        }
        // And the other knows nothing of it.
        let serial = store.certificate(&made.certificate).await.unwrap().unwrap().serial;
        let said = files.openssl(&format!("ocsp {} -url {url} -serial 0x{serial}", judging())).await;
        assert!(said.contains(": unknown") && said.contains("Response verify OK"), "{said}");
        let said = status("root-sm2", "issuing-sm2").await;
        assert!(said.contains("unauthorized (6)"), "{said}");

        let revoke = Revoke {
            serial: serial.clone(),
            reason: Reason::Superseded,
            since: None,
            document: "吊〔2026〕1号".into(),
            acknowledged: 0,
        };
        let two = (&person("admin-1"), &person("admin-2"));
        authority.revoke(&number(BUREAU_SEAL), &revoke, two, NOW).await.unwrap();
        let said = status("issuing-sm2", BUREAU_SEAL).await;
        assert!(said.contains(&format!("{BUREAU_SEAL}.pem: revoked")), "{said}");

        // Certificates and lists: each value by the key of the issuer that it names, and by nobody else's.
        let mut signed = vec![];
        for label in ["root-sm2", "issuing-sm2"] {
            let der = doors.public().get(&format!("/ca/{label}.cer")).await.body;
            signed.push((der, "root-sm2", format!("x509 -inform DER -in {label}.cer -noout -issuer")));
            let list = doors.public().get(&format!("/crl/{label}.crl")).await.body;
            signed.push((list, label, format!("crl -inform DER -in {label}.crl -noout -issuer")));
        }
        for name in [BUREAU_SEAL, "maker"] {
            let pem = std::fs::read(files.path().join(format!("{name}.pem"))).unwrap();
            let der = from_pem_or_der("CERTIFICATE", &pem).remove(0);
            signed.push((der, "issuing-sm2", format!("x509 -in {name}.pem -noout -issuer")));
        }
        for (der, issuer, ask) in signed {
            let mut words = ask.split(' ').skip_while(|word| *word != "-in");
            let file = words.nth(1).unwrap();
            if !file.ends_with(".pem") {
                std::fs::write(files.path().join(file), &der).unwrap();
            }
            let named = files.openssl(&ask).await.replacen("issuer=", "", 1);
            let subject = files.openssl(&format!("x509 -in {issuer}.pem -noout -subject")).await;
            assert_eq!(named, subject.replacen("subject=", "", 1), "{file}");
            assert!(files.holds_sm2(&der, issuer).await, "{file}");
            let stranger = if issuer == "root-sm2" { "issuing-sm2" } else { "root-sm2" };
            assert!(!files.holds_sm2(&der, stranger).await, "{file}");
        }
        let text = files.openssl("crl -inform DER -in issuing-sm2.crl -noout -text").await.to_lowercase();
        assert!(text.contains("sm2-with-sm3") && text.contains(&serial), "{text}");
        let text = files.openssl(&format!("x509 -in {BUREAU_SEAL}.pem -noout -text")).await;
        for named in [
            "OCSP - URI:https://seal.example/ocsp",
            "CA Issuers - URI:https://seal.example/ca/issuing-sm2.cer",
            "URI:https://seal.example/crl/issuing-sm2.crl",
        ] {
            assert!(text.contains(named), "{named}: {text}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_be_kept_and_a_listener_without_keys_gives_it() {
    on_both("http_ocsp_kept", async |database| {
        let doors = Doors::open(database).await;
        let files = Files::of(&doors).await;
        let store = &doors.bureau.desk.store;
        let filed = store.certificates(&number(BUREAU_SEAL)).await.unwrap().pop().unwrap();
        let question = CertId::of(&hex::decode(&filed.serial).unwrap(), &files.issuing).unwrap();
        let request = Request { questions: vec![question.clone()], nonce: None }.to_der();
        let keyless = doors.a_public_listener_without_keys().await;
        // Nobody has signed yet: come again later (RFC 6960 §2.3).
        assert_eq!(post(&keyless, &request).await, [0x30, 3, 0x0A, 1, 3]);
        doors.bureau.authority().answer_ahead("test", NOW).await.unwrap();
        let answer = keyless.get(&get_path(&request)).await;
        assert_eq!(answer.header("cache-control"), "max-age=3600, public, no-transform, must-revalidate");
        assert_eq!(answer.header("last-modified"), "Sat, 21 Nov 2026 08:00:00 GMT");
        assert_eq!(answer.header("expires"), "Sun, 22 Nov 2026 08:00:00 GMT");
        let etag = answer.header("etag").to_owned();
        let again = doors.public().also(&format!("If-None-Match: {etag}")).get(&get_path(&request)).await;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, etag.as_str()));
        // One who sends a nonce gets what there is, and an answer of his own where there are keys.
        let own = Request::about(question, &[7; 32]).to_der();
        assert_eq!(post(&keyless, &own).await, answer.body);
        let first = doors.public().send("POST", "/ocsp", "application/ocsp-request", &own).await;
        assert_eq!(first.header("cache-control"), "no-store");
        assert!(first.body != answer.body && first.body.windows(32).any(|octets| octets == [7; 32]));

        // Everything signed is an order that ended.
        assert!(store.unfinished().await.unwrap().is_empty());
        // Half used up it is signed anew; without keys it is given until its end and not beyond.
        doors.later(Duration::hours(13));
        assert_eq!(post(&keyless, &request).await, answer.body);
        let newer = post(&doors.public(), &request).await;
        assert_ne!(newer, answer.body);
        assert_eq!(post(&keyless, &request).await, newer);
        doors.later(Duration::hours(25));
        assert_eq!(post(&keyless, &request).await, [0x30, 3, 0x0A, 1, 3]);
        assert_ne!(post(&doors.public(), &request).await, newer);
        // A revocation counts at once, wherever it was recorded.
        let kept = post(&keyless, &request).await;
        let revocation = yinxin::store::Revocation {
            serial: filed.serial,
            issuer: "issuing".into(),
            at: NOW,
            reason: yinxin::pki::issue::Reason::KeyCompromise,
            document: "test".into(),
            invalid_since: None,
        };
        store.revoke(&revocation, "test", doors.now()).await.unwrap();
        assert_eq!(post(&keyless, &request).await, [0x30, 3, 0x0A, 1, 3]);
        assert_ne!(post(&doors.public(), &request).await, kept);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_and_too_many_cost_little() {
    on_both("http_ocsp_odd", async |database| {
        let doors = Doors::open(database).await;
        let files = Files::of(&doors).await;
        let client = doors.public();
        const MALFORMED: [u8; 5] = [0x30, 3, 0x0A, 1, 1];
        for bytes in [&b""[..], b"0", &[0x30, 0], &[0x30; 5000]] {
            assert_eq!(post(&client, bytes).await, MALFORMED);
        }
        assert_eq!(client.get("/ocsp/not%20base64").await.body, MALFORMED);
        assert_eq!(client.get("/ocsp").await.status, 405);
        // About a stranger's certificate nobody here may speak (RFC 5019 §2.2.3).
        let authorities = doors.bureau.desk.store.ca_certificates().await.unwrap();
        let root = authorities.iter().find(|ca| ca.label == "root").unwrap();
        let stranger = CertId::of(&[5], &Certificate::read(&root.certificate).unwrap()).unwrap();
        let root_asked = Request { questions: vec![stranger], nonce: None }.to_der();
        assert_eq!(post(&client, &root_asked).await, [0x30, 3, 0x0A, 1, 6]);

        // So many answers a minute are signed for single askers; then known certificates get the answer that is
        // everybody's, and unknown ones none, and no more orders are written.
        let filed = doors.bureau.desk.store.certificates(&number(BUREAU_SEAL)).await.unwrap().pop().unwrap();
        let known = CertId::of(&hex::decode(&filed.serial).unwrap(), &files.issuing).unwrap();
        let unknown = CertId::of(&[0x47, 0x11], &files.issuing).unwrap();
        let asked = |question: &CertId, n: usize| Request::about(question.clone(), &[n as u8 + 1; 16]).to_der();
        for n in 0..yinxin::limits::OCSP_SIGNED_A_MINUTE {
            let answer = post(&client, &asked(if n % 2 == 0 { &known } else { &unknown }, n)).await;
            assert!(answer.windows(16).any(|octets| octets == [n as u8 + 1; 16]), "{n}");
        }
        let shared = post(&client, &asked(&known, 100)).await;
        assert!(shared.len() > 200 && !shared.windows(16).any(|octets| octets == [101; 16]));
        assert_eq!(post(&client, &asked(&known, 101)).await, shared);
        assert_eq!(post(&client, &asked(&unknown, 100)).await, [0x30, 3, 0x0A, 1, 3]);
        let several = Request { questions: vec![known.clone(), known.clone()], nonce: None }.to_der();
        assert_eq!(post(&client, &several).await, [0x30, 3, 0x0A, 1, 3]);
        doors.later(Duration::MINUTE);
        assert!(post(&client, &asked(&unknown, 100)).await.len() > 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_certificates_are_fetched_and_kept() {
    on_both("http_crl", async |database| {
        let doors = Doors::open(database).await;
        let client = doors.public();
        let authorities = doors.bureau.desk.store.ca_certificates().await.unwrap();
        for ca in authorities {
            let pem = client.get(&format!("/ca/{}.pem", ca.label)).await;
            assert!(pem.text().starts_with("-----BEGIN CERTIFICATE-----"), "{}", pem.text());
            let der = client.get(&format!("/ca/{}.cer", ca.label)).await;
            assert_eq!((der.header("content-type"), &der.body), ("application/pkix-cert", &ca.certificate));
            let Some(filed) = doors.bureau.desk.store.crl(&ca.label).await.unwrap() else { continue };
            let path = format!("/crl/{}.crl", ca.label);
            let crl = client.get(&path).await;
            assert_eq!((crl.status, crl.header("content-type")), (200, "application/pkix-crl"));
            assert_eq!(crl.body, filed.crl);
            assert!(
                crl.header("cache-control").starts_with("public, max-age=")
                    && crl.header("last-modified").ends_with(" GMT")
            );
            let etag = crl.header("etag").to_owned();
            let again = client.clone().also(&format!("If-None-Match: {etag}")).get(&path).await;
            assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, etag.as_str()));
        }
    })
    .await;
}
