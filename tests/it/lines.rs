//! Two lines of authorities beside each other: SM2 for OFD, another algorithm for PDF; each makes, and speaks of, its own.

use std::sync::Arc;

use time::Duration;
use yinxin::ca::ISSUING;
use yinxin::ca::life::{Rekey, Revoke};
use yinxin::crypto::{Digest, KeyAlgorithm};
use yinxin::desk::FlowError;
use yinxin::issue::issue;
use yinxin::ofd::reading::{Inside, Reading};
use yinxin::pdf::signatures;
use yinxin::pki::certificate::Certificate;
use yinxin::pki::issue::Reason;
use yinxin::pki::ocsp::{CertId, NoAnswer, OcspResponse, Request};
use yinxin::pki::path::PathVerdict;
use yinxin::pki::revocation::RevocationList;
use yinxin::seal::Level;
use yinxin::stamp::Token;
use yinxin::status::Responder;
use yinxin::store::{SealCertificate, Store};
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::judge;

use crate::bureau::*;
use crate::cli::{OWN, Place};
use crate::db::on_both;
use crate::fsck::{clean, fsck};
use crate::ofd::made_as_data;
use crate::status::judged;

const ORGANISATION: &str = "示例县行政审批局";

fn id<T: std::fmt::Debug>(outcome: Result<T, FlowError>) -> &'static str {
    outcome.unwrap_err().message().id
}

async fn authority_of(store: &Store, label: &str) -> Certificate {
    let all = store.ca_certificates().await.unwrap();
    Certificate::read(&all.into_iter().find(|ca| ca.label == label).unwrap().certificate).unwrap()
}

fn chain(filed: &SealCertificate) -> Vec<Certificate> {
    let chain = std::iter::once(&filed.certificate).chain(&filed.chain);
    chain.map(|der| Certificate::read(der).unwrap()).collect()
}

/// The kinds of key from these certificates up to their roots, each issuer found among the house's by who signed.
async fn keys_above(store: &Store, leaves: Vec<Certificate>) -> Vec<KeyAlgorithm> {
    let trust = house_trust(store).await.unwrap();
    let mut found = vec![];
    let mut waiting = leaves;
    while let Some(certificate) = waiting.pop() {
        found.push(KeyAlgorithm::of_public_key(&certificate.public_key).unwrap());
        if !certificate.is_self_issued() {
            let above = trust.anchors.iter().chain(&trust.intermediates);
            let mut made = above.filter(|issuer| certificate.is_signed_by(&issuer.public_key).is_ok());
            let issuer = made.next().unwrap_or_else(|| panic!("nobody here made {}", certificate.subject)).clone();
            assert_eq!(issuer.subject, certificate.issuer);
            waiting.push(issuer);
        }
    }
    found.sort_by_key(|algorithm| algorithm.name());
    found.dedup();
    found
}

fn stamper(token: &[u8]) -> Certificate {
    Token::read(token).unwrap().check().certificate.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_rests_on_the_line_that_its_readers_know() {
    on_both("lines", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (desk, authority, store) = (&bureau.desk, bureau.authority(), &bureau.desk.store);
        let two = (&person("admin-1"), &person("admin-2"));

        // One line alone makes everything, as ever; and nothing of another kind comes under its root.
        let made = made_as_data(&bureau, BUREAU_SEAL).await;
        let old = store.certificate(&made.certificate).await.unwrap().unwrap();
        assert_eq!(chain(&old)[1..], [authority_of(store, "issuing").await, authority_of(store, "root").await]);
        assert_eq!(id(authority.rekey_issuing(Some(KeyAlgorithm::Sm2), "admin-1", NOW).await), "ca.other-family");

        let founded = authority.init(ORGANISATION, KeyAlgorithm::Sm2, "test", NOW - Duration::MINUTE).await.unwrap();
        let labels: Vec<_> = founded.iter().map(|ca| ca.label.as_str()).collect();
        assert_eq!(labels, ["root-sm2", "issuing-sm2"]);
        for again in [KeyAlgorithm::Sm2, KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048] {
            assert_eq!(id(authority.init(ORGANISATION, again, "test", NOW).await), "ca.exists");
        }
        let all = store.ca_certificates().await.unwrap();
        let mut names: Vec<_> =
            all.iter().map(|ca| Certificate::read(&ca.certificate).unwrap().subject.to_string()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 4, "{names:?}");

        // The seal's next SM2 certificate is the new line's, and so is who makes the seal again for it.
        let order = Rekey {
            serial: Some(old.serial.clone()),
            algorithm: None,
            used_from: NOW,
            document: "换〔2026〕1号".into(),
            keeps_old_key: true,
        };
        let new = authority.rekey(&store.seal(&old.seal).await.unwrap().unwrap().seal, &order, two, NOW).await.unwrap();
        let (root, issuing) = (authority_of(store, "root-sm2").await, authority_of(store, "issuing-sm2").await);
        assert_eq!(chain(&new)[1..], [issuing.clone(), root.clone()]);
        let remade = store.seal_files(&old.seal).await.unwrap().pop().unwrap();
        assert_eq!((&remade.certificate, &remade.maker_chain), (&new.digest, &new.chain));
        let named = Certificate::read(&new.certificate).unwrap();
        assert_eq!(named.crl_urls, ["https://seal.example/crl/issuing-sm2.crl"]);
        assert_eq!(named.issuer_urls, ["https://seal.example/ca/issuing-sm2.cer"]);

        // Both files of one licence, with time stamps: OFD on SM2 throughout, PDF on nothing of the kind.
        let admins = (&bureau.administrators[0], &bureau.administrators[1]);
        yinxin::administer::promise(store, admins, &old.seal, Level::Lta, NOW).await.unwrap();
        let asked = licence("许准〔2026〕1号", NOW - Duration::days(3));
        let issued = issue(desk, &bureau.chief, asked, NOW).await.unwrap();
        let (pdf, ofd) = (issued.document, issued.ofd.unwrap());
        let (pdf, ofd) = (store.document(&pdf).await.unwrap().unwrap(), store.document(&ofd).await.unwrap().unwrap());
        let trust = Arc::new(house_trust(store).await.unwrap());
        for bytes in [&pdf.bytes, &ofd.bytes] {
            let report = judge(&gather(Some(store), trust.clone(), "it", bytes.clone(), NOW).await.unwrap());
            assert!(report.verdict.is_genuine(), "{report:#?}");
        }
        let [read] = <[_; 1]>::try_from(Reading::of(&ofd.bytes).unwrap().signatures).unwrap();
        let Inside::Seal(seal) = read.value else { panic!("no seal") };
        let leaves = [&seal.signer, &seal.seal.maker].map(|der| Certificate::read(der).unwrap()).to_vec();
        let leaves = [leaves, vec![stamper(seal.stamp.as_ref().unwrap())]].concat();
        assert_eq!(keys_above(store, leaves).await, [KeyAlgorithm::Sm2]);
        let mut leaves = vec![];
        for signature in signatures::read(pdf.bytes.as_slice()).unwrap().signatures {
            let signed = yinxin::cms::read_pdf(&signature.sub_filter, &signature.cms, &[]).unwrap();
            leaves.extend(signed.signers[0].time_stamps().map(stamper));
            leaves.extend(signed.certificates.iter().map(|der| Certificate::read(der).unwrap()));
        }
        assert!(leaves.len() >= 4, "{}", leaves.len());
        assert_eq!(keys_above(store, leaves).await, [KeyAlgorithm::EcdsaP256]);

        // Each line speaks of what it made and of nothing else, beforehand too.
        let pdfs = store.certificates(&old.seal).await.unwrap().remove(0);
        authority.answer_ahead("test", NOW).await.unwrap();
        let keyless = Responder::new(store.clone(), None);
        for filed in [&pdfs, &new] {
            let chain = chain(filed);
            let material = desk.evidence(&chain, NOW).await.unwrap();
            assert!(matches!(judged(&chain, &material, NOW), PathVerdict::Trusted { .. }), "{}", filed.serial);
            let question = CertId::of(&chain[0].serial, &chain[1]).unwrap();
            let kept = keyless.answer(&Request { questions: vec![question], nonce: None }.to_der(), NOW).await;
            assert!(OcspResponse::read(&kept.der).is_ok(), "{}", filed.serial);
        }
        let other = authority_of(store, ISSUING).await;
        let astray = CertId::of(&named.serial, &other).unwrap();
        assert!(authority.answer(&astray, "test", NOW).await.unwrap().is_none());
        let revoke = Revoke {
            serial: new.serial.clone(),
            reason: Reason::Superseded,
            since: None,
            document: "吊〔2026〕1号".into(),
            acknowledged: 0,
        };
        authority.revoke(&old.seal, &revoke, two, NOW).await.unwrap();
        for (label, lines) in [("root", 0), ("issuing", 0), ("root-sm2", 0), ("issuing-sm2", 1)] {
            let list = RevocationList::read(&store.crl(label).await.unwrap().unwrap().crl).unwrap();
            assert_eq!((list.length(), &list.issuer), (lines, &authority_of(store, label).await.subject), "{label}");
        }
        let material = desk.evidence(&chain(&new), NOW).await.unwrap();
        assert!(matches!(judged(&chain(&new), &material, NOW), PathVerdict::Revoked { at_fault: 0, .. }));
        clean(&fsck(store).await);
    })
    .await;
}

/// A house on SM2 from its first day gets the other line as well; each is followed by itself, in time and on order.
#[tokio::test(flavor = "multi_thread")]
async fn the_other_line_comes_second_as_well_and_each_is_followed() {
    on_both("lines_other", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let keys = Arc::new(keyring(folder.path()));
        let bureau = Bureau::found_on(database, keys, KeyAlgorithm::Sm2).await;
        let (desk, authority, store) = (&bureau.desk, bureau.authority(), &bureau.desk.store);
        let stamped_by = async |digest: Digest| {
            let token = desk.stamp(digest, &digest.over(&[b"x"])).await.unwrap();
            KeyAlgorithm::of_public_key(&stamper(&token).public_key).unwrap()
        };
        assert_eq!(stamped_by(Digest::Sha256).await, KeyAlgorithm::Sm2, "there is no other");
        authority.init(ORGANISATION, KeyAlgorithm::EcdsaP256, "test", NOW - Duration::MINUTE).await.unwrap();
        assert_eq!(stamped_by(Digest::Sha256).await, KeyAlgorithm::EcdsaP256);
        assert_eq!(stamped_by(Digest::Sm3).await, KeyAlgorithm::Sm2);
        let labels: Vec<_> = store.stamping_certificates().await.unwrap().into_iter().map(|unit| unit.label).collect();
        assert_eq!(labels, ["stamping-1", "stamping-international-1"]);
        assert_eq!(desk.stamp_anchors().await.unwrap().len(), 2);
        let record = authority.sign_record("a record", b"x", "admin-1", NOW).await.unwrap();
        let signed = yinxin::cms::read(&record).unwrap();
        let signer = Certificate::read(&signed.certificates[0]).unwrap();
        assert_eq!(KeyAlgorithm::of_public_key(&signer.public_key), Ok(KeyAlgorithm::EcdsaP256));

        let seal = store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap().seal;
        let made = authority.certify_seal(&seal, KeyAlgorithm::EcdsaP256, &person("admin-1"), NOW).await.unwrap();
        let above = ["issuing-international", "root-international"];
        for (found, label) in chain(&made)[1..].iter().zip(above) {
            assert_eq!(*found, authority_of(store, label).await);
        }

        // Both want successors at about the same time, and get them.
        let due = authority_of(store, "issuing").await.not_after - Duration::days(3 * 365 + 29);
        let upkeep = authority.keep_up(true, &person("service"), due + Duration::days(3)).await.unwrap();
        assert_eq!(upkeep.issuing, ["issuing-2", "issuing-international-2"], "{upkeep:?}");
        for (label, root) in [("issuing-2", "root"), ("issuing-international-2", "root-international")] {
            let (next, root) = (authority_of(store, label).await, authority_of(store, root).await);
            assert!(next.is_signed_by(&root.public_key).is_ok() && next.issuer == root.subject, "{label}");
            assert!(store.crl(label).await.unwrap().is_some() && store.responder(label).await.unwrap().is_some());
        }
        // On order too, and then somebody says which.
        let next = async |algorithm| authority.rekey_issuing(algorithm, "admin-1", due + Duration::days(400)).await;
        assert_eq!(id(next(None).await), "ca.which-line");
        assert_eq!(next(Some(KeyAlgorithm::EcdsaP256)).await.unwrap().label, "issuing-international-3");
        assert_eq!(next(Some(KeyAlgorithm::Sm2)).await.unwrap().label, "issuing-3");
        // What is asked about certificates whose maker has ended is answered no more.
        let ended = authority_of(store, "issuing").await.not_after + Duration::DAY;
        let old = store.certificates(&seal.number).await.unwrap().remove(0);
        let question = CertId::of(&chain(&old)[0].serial, &chain(&old)[1]).unwrap();
        let asked = Request { questions: vec![question], nonce: None }.to_der();
        let answered = Responder::new(store.clone(), Some(bureau.authority())).answer(&asked, ended).await;
        assert_eq!(answered.der, NoAnswer::Unauthorized.der());
    })
    .await;
}

/// A power cut between the second root and its issuing authority: until it is finished the other line goes on making all.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_left_half_founded_is_finished() {
    on_both("lines_half", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (authority, store) = (bureau.authority(), &bureau.desk.store);
        let (refuses, allows) = match database.url.starts_with("sqlite:") {
            true => (
                "CREATE TRIGGER refuses BEFORE INSERT ON ca_certificate WHEN NEW.label = 'issuing-sm2' BEGIN SELECT RAISE(ABORT, 'no'); END",
                "DROP TRIGGER refuses",
            ),
            false => (
                "ALTER TABLE ca_certificate ADD CONSTRAINT refuses CHECK (label <> 'issuing-sm2')",
                "ALTER TABLE ca_certificate DROP CONSTRAINT refuses",
            ),
        };
        let run = async |text: &'static str| {
            sqlx::any::install_default_drivers();
            let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&database.url).await.unwrap();
            sqlx::query(text).execute(&mut connection).await.unwrap();
        };
        // A key that another crash left is never taken for one of another kind.
        let (seal, by) = (store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap().seal, person("admin-1"));
        bureau.desk.keyring.generate(&format!("seal-{BUREAU_SEAL}-2"), KeyAlgorithm::EcdsaP256).unwrap();
        let refused = authority.certify_seal(&seal, KeyAlgorithm::Sm2, &by, NOW).await;
        assert_eq!(id(refused), "ca.key-of-another-kind");
        authority.certify_seal(&seal, KeyAlgorithm::EcdsaP256, &by, NOW).await.unwrap();

        run(refuses).await;
        authority.init(ORGANISATION, KeyAlgorithm::Sm2, "test", NOW).await.unwrap_err();
        let root = authority_of(store, "root-sm2").await;
        let made = authority.certify_seal(&seal, KeyAlgorithm::Sm2, &by, NOW).await.unwrap();
        assert_eq!(chain(&made)[2], authority_of(store, "root").await);
        authority.refresh("test", NOW).await.unwrap();

        run(allows).await;
        let made = authority.init(ORGANISATION, KeyAlgorithm::Sm2, "test", NOW).await.unwrap();
        let labels: Vec<_> = made.iter().map(|ca| ca.label.as_str()).collect();
        assert_eq!(labels, ["issuing-sm2"]);
        assert_eq!(authority_of(store, "root-sm2").await, root);
        let made = authority.certify_seal(&seal, KeyAlgorithm::Sm2, &by, NOW).await.unwrap();
        assert_eq!(chain(&made)[2], root);
        clean(&fsck(store).await);
    })
    .await;
}

/// A token that is away takes its own line with it, and no other.
#[tokio::test(flavor = "multi_thread")]
async fn one_line_without_its_keys_holds_up_no_other() {
    on_both("lines_away", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (authority, store) = (bureau.authority(), &bureau.desk.store);
        authority.init(ORGANISATION, KeyAlgorithm::Sm2, "test", NOW).await.unwrap();
        let (seal, by) = (store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap().seal, person("admin-1"));
        let made = authority.certify_seal(&seal, KeyAlgorithm::Sm2, &by, NOW).await.unwrap();
        let keys = folder.path().join("keys");
        let away: Vec<_> = std::fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().path()).collect();
        let first = |path: &std::path::Path| {
            let name = path.file_stem().unwrap().to_str().unwrap();
            ["root", "issuing", "stamping-1"].contains(&name) || name.starts_with("ocsp") && !name.contains("sm2")
        };
        for path in away.iter().filter(|path| first(path)) {
            std::fs::rename(path, path.with_extension("away")).unwrap();
        }
        // Another process, which never held those keys.
        let mut desk = bureau.desk.clone();
        desk.keyring = Arc::new(keyring(folder.path()));
        let authority = yinxin::ca::Authority::of(&desk);
        let late = NOW + Duration::days(20);
        authority.refresh("test", late).await.unwrap_err();
        let numbers = async |labels: [&str; 2]| {
            let mut dates = vec![];
            for label in labels {
                dates.push(store.crl(label).await.unwrap().unwrap().this_update);
            }
            dates
        };
        assert!(numbers(["root", "issuing"]).await.iter().all(|made| *made < late));
        assert_eq!(numbers(["root-sm2", "issuing-sm2"]).await, [late, late]);
        authority.answer_ahead("test", late).await.unwrap_err();
        let question = CertId::of(&chain(&made)[0].serial, &chain(&made)[1]).unwrap();
        let asked = Request { questions: vec![question], nonce: None }.to_der();
        let answer = Responder::new(store.clone(), None).answer(&asked, late).await;
        assert!(OcspResponse::read(&answer.der).is_ok(), "answered beforehand, as this listener has no keys");
    })
    .await;
}

/// Whoever asks chooses the digest and so the line, but not how far back the clock may go.
#[tokio::test(flavor = "multi_thread")]
async fn no_line_stamps_behind_what_the_other_stamped() {
    on_both("lines_clock", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        bureau.authority().init(ORGANISATION, KeyAlgorithm::Sm2, "test", NOW).await.unwrap();
        let stamped = async |digest: Digest, at: time::OffsetDateTime| {
            let mut desk = bureau.desk.clone();
            desk.clock = Arc::new(move || at);
            desk.stamp(digest, &digest.over(&[b"x"])).await.map(|_| ()).map_err(|why| why.message().en)
        };
        stamped(Digest::Sm3, NOW).await.unwrap();
        stamped(Digest::Sha256, NOW + Duration::HOUR).await.unwrap();
        for digest in [Digest::Sm3, Digest::Sha256] {
            let why = stamped(digest, NOW + Duration::MINUTE).await.unwrap_err();
            assert!(why.contains("behind the newest time stamp"), "{why}");
        }
        stamped(Digest::Sm3, NOW + Duration::HOUR).await.unwrap();
    })
    .await;
}

/// A seal's certificate for PDF and that for OFD are followed each in its own time.
#[tokio::test(flavor = "multi_thread")]
async fn a_planned_successor_of_one_kind_holds_up_no_other() {
    on_both("lines_planned", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (authority, store) = (bureau.authority(), &bureau.desk.store);
        authority.init(ORGANISATION, KeyAlgorithm::Sm2, "test", NOW).await.unwrap();
        let seal = store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap().seal;
        let sm2 = authority.certify_seal(&seal, KeyAlgorithm::Sm2, &person("admin-1"), NOW).await.unwrap();
        let other = store.certificates(&seal.number).await.unwrap().remove(0);
        let follow = async |serial: Option<&str>| {
            let order = Rekey {
                serial: serial.map(str::to_owned),
                algorithm: None,
                used_from: NOW + Duration::days(60),
                document: "示审批〔2026〕1号".into(),
                keeps_old_key: false,
            };
            authority.rekey(&seal, &order, (&person("admin-1"), &person("admin-2")), NOW).await
        };
        follow(Some(&other.serial)).await.unwrap();
        assert_eq!(id(follow(Some(&other.serial)).await), "life.successor");
        assert_eq!(id(follow(None).await), "life.successor", "nobody said which");
        let next = follow(Some(&sm2.serial)).await.unwrap();
        assert_eq!(keys_above(store, vec![Certificate::read(&next.certificate).unwrap()]).await, [KeyAlgorithm::Sm2]);
        assert_eq!(id(follow(Some(&sm2.serial)).await), "life.successor");
    })
    .await;
}

/// A house that sealed OFD before there could be two lines is told what to do, and does it.
#[test]
fn the_doctor_names_sm2_certificates_under_another_root() {
    let place = Place::with_bureau("sqlite:data/yinxin.sqlite");
    let told = || place.run(&["doctor"]).good().contains("[doctor.sm2-under-another]");
    assert!(!told());
    place.run(&[&["seal", "make-cert", BUREAU_SEAL, "--algorithm", "sm2"], &OWN[..]].concat()).good();
    assert!(told());
    let shown = place.json(&["seal", "show", BUREAU_SEAL]);
    let serial = shown["certificates"][1]["serial"].as_str().unwrap();
    let rekey = [&["seal", "rekey", BUREAU_SEAL, "--serial", serial, "--document", "换〔2026〕1号"], &OWN[..]].concat();
    place.run(&["ca", "init", "--organisation", "示例", "--algorithm", "sm2"]).good();
    assert!(told());
    place.run(&rekey).good();
    assert!(!told());
}
