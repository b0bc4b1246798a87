//! Issuing authorities that follow one another under one root.

use time::Duration;
use yinxin::ca::life::{Rekey, Revoke, ending};
use yinxin::ca::{Authority, ISSUING, ROOT};
use yinxin::crypto::KeyAlgorithm;
use yinxin::issue::issue;
use yinxin::pki::certificate::Certificate;
use yinxin::pki::issue::Reason;
use yinxin::pki::ocsp::{CertId, NoAnswer, OcspResponse, Request};
use yinxin::pki::path::PathVerdict;
use yinxin::pki::revocation::RevocationList;
use yinxin::status::Responder;
use yinxin::store::{SealCertificate, Store};
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::judge;

use crate::bureau::*;
use crate::db::on_both;
use crate::status::judged;

const NEXT: &str = "issuing-2";

fn chain(filed: &SealCertificate) -> Vec<Certificate> {
    let chain = std::iter::once(&filed.certificate).chain(&filed.chain);
    chain.map(|der| Certificate::read(der).unwrap()).collect()
}

async fn made_by(store: &Store, label: &str) -> Certificate {
    let all = store.ca_certificates().await.unwrap();
    Certificate::read(&all.into_iter().find(|ca| ca.label == label).unwrap().certificate).unwrap()
}

fn id(outcome: Result<impl std::fmt::Debug, yinxin::desk::FlowError>) -> &'static str {
    outcome.unwrap_err().message().id
}

/// What is new comes from the successor; what the old one made can be asked about, and revoked, until it ends. Then it says no
/// more, and its keys go.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_makes_what_is_new_and_the_old_one_answers_until_it_ends() {
    on_both("issuing", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (desk, authority, store) = (&bureau.desk, bureau.authority(), &bureau.desk.store);
        let two = (&person("admin-1"), &person("admin-2"));
        let seal = store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap().seal;
        let old = store.certificates(&seal.number).await.unwrap().pop().unwrap();
        let made = authority.rekey_issuing(None, "admin-1", NOW).await.unwrap();
        assert_eq!(made.label, NEXT);
        let next = made_by(store, NEXT).await;
        let first = made_by(store, ISSUING).await;
        assert!(next.subject != first.subject && next.public_key != first.public_key);
        assert!(next.is_signed_by(&made_by(store, ROOT).await.public_key).is_ok());

        let order = Rekey {
            serial: None,
            algorithm: None,
            used_from: NOW,
            document: "换〔2026〕1号".into(),
            keeps_old_key: true,
        };
        let new = authority.rekey(&seal, &order, two, NOW).await.unwrap();
        assert_eq!(new.chain[0], made.certificate);
        let read = Certificate::read(&new.certificate).unwrap();
        assert_eq!(read.crl_urls, ["https://seal.example/crl/issuing-2.crl"]);
        assert_eq!(read.issuer_urls, ["https://seal.example/ca/issuing-2.cer"]);
        let issued =
            issue(desk, &bureau.chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let bytes = store.document(&issued.document).await.unwrap().unwrap().bytes;
        let trust = std::sync::Arc::new(house_trust(store).await.unwrap());
        let report = judge(&gather(Some(store), trust, "it.pdf", bytes, NOW).await.unwrap());
        assert!(report.verdict.is_genuine(), "{report:#?}");

        // Each has its own responder, and says how what it made stands.
        for filed in [&old, &new] {
            let chain = chain(filed);
            let material = desk.evidence(&chain, NOW).await.unwrap();
            assert_eq!(material.responses.len(), 1);
            assert!(matches!(judged(&chain, &material, NOW), PathVerdict::Trusted { .. }), "{}", filed.serial);
        }
        let order = Revoke {
            serial: old.serial.clone(),
            reason: Reason::Superseded,
            since: None,
            document: "吊〔2026〕1号".into(),
            acknowledged: 0,
        };
        authority.revoke(&seal.number, &order, two, NOW).await.unwrap();
        let lines =
            async |label: &str| RevocationList::read(&store.crl(label).await.unwrap().unwrap().crl).unwrap().length();
        assert_eq!((lines(ISSUING).await, lines(NEXT).await), (1, 0));
        let material = desk.evidence(&chain(&old), NOW).await.unwrap();
        assert!(matches!(judged(&chain(&old), &material, NOW), PathVerdict::Revoked { at_fault: 0, .. }));
        let both = [(&old, &first), (&new, &next)];
        let asked = both.map(|(filed, issuer)| CertId::of(&hex::decode(&filed.serial).unwrap(), issuer).unwrap());
        let responder = Responder::new(store.clone(), Some(bureau.authority()));
        for question in &asked {
            let answered = responder.answer(&Request::about(question.clone(), &[7; 32]).to_der(), NOW).await;
            assert!(OcspResponse::read(&answered.der).is_ok(), "{answered:?}");
        }

        // Until its end the old one's keys are needed; from then on they are a danger.
        let destroy = async |label, at| authority.destroy_issuing(label, "销〔2036〕1号", "admin-1", at).await;
        let later = first.not_after + Duration::HOUR;
        assert_eq!(id(destroy(ISSUING, NOW).await), "ca.not-ended");
        assert_eq!(id(destroy(NEXT, later).await), "ca.not-ended");
        let numbered = async |label: &str| store.crl(label).await.unwrap().unwrap().number;
        let last = numbered(ISSUING).await;
        authority.refresh("service", later).await.unwrap();
        assert_eq!(numbered(ISSUING).await, last, "who has ended publishes no more");
        assert_eq!(store.crl(NEXT).await.unwrap().unwrap().this_update, later);
        let answered = responder.answer(&Request::about(asked[0].clone(), &[7; 32]).to_der(), later).await;
        assert_eq!(answered.der, NoAnswer::Unauthorized.der());
        destroy(ISSUING, later).await.unwrap();
        destroy(ISSUING, later).await.unwrap();
        let labels = desk.keyring.labels().unwrap();
        for (label, there) in [(ISSUING, false), ("ocsp-issuing", false), (NEXT, true), ("ocsp-issuing-2", true)] {
            assert_eq!(labels.iter().any(|one| one == label), there, "{label}");
        }
        authority.certify_seal(&seal, KeyAlgorithm::EcdsaP256, &person("admin-1"), later).await.unwrap();

        // A third lasts as long as the root; a fourth would last no longer.
        let third = authority.rekey_issuing(Some(KeyAlgorithm::EcdsaP256), "admin-1", later).await.unwrap();
        let third = Certificate::read(&third.certificate).unwrap();
        assert_eq!(third.not_after, made_by(store, ROOT).await.not_after);
        assert_eq!(id(authority.rekey_issuing(None, "admin-1", later).await), "ca.root-ends");
    })
    .await;
}

/// It is warned of while the present one can still give seals their full life, and follows by itself where the settings say so.
#[tokio::test(flavor = "multi_thread")]
async fn a_successor_is_wanted_in_time_and_made_where_the_settings_say_so() {
    on_both("issuing_due", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (authority, store, who) = (bureau.authority(), &bureau.desk.store, &person("service"));
        let due = made_by(store, ISSUING).await.not_after - Duration::days(3 * 365);
        let wanted = async |at| ending(store, at).await.unwrap().into_iter().any(|(soon, _)| soon.subject == ISSUING);
        let warned = async || {
            let events = store.audit_events(200).await.unwrap();
            events.iter().filter(|event| event.what == "certificate.ends-soon" && event.subject == ISSUING).count()
        };
        let made =
            async |rekeys, days| authority.keep_up(rekeys, who, due - Duration::days(days)).await.unwrap().issuing;
        assert!(!wanted(due - Duration::days(91)).await);
        assert_eq!((made(true, 91).await, warned().await), (vec![], 0));
        assert_eq!((made(false, 89).await, warned().await), (vec![], 1));
        assert_eq!((made(true, 31).await, warned().await), (vec![], 2));
        assert_eq!(made(false, 29).await.len(), 0, "two officers do it");
        assert_eq!(made(true, 29).await, [NEXT]);
        assert_eq!(made(true, 28).await.len(), 0, "once");
        assert!(!wanted(due).await, "what was followed ends in peace");
    })
    .await;
}

/// A power cut after the successor is filed, before its first list and its responder: the hourly look makes them.
#[tokio::test(flavor = "multi_thread")]
async fn a_successor_left_half_made_is_finished_by_the_hourly_look() {
    on_both("issuing_half", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let store = &bureau.desk.store;
        // Its list's number is taken by nobody: the store refuses, once the certificate is filed.
        let refuses: &[&str] = match database.url.starts_with("sqlite:") {
            true => &[
                "CREATE TRIGGER refuses BEFORE INSERT ON crl WHEN NEW.issuer = 'issuing-2' BEGIN SELECT RAISE(ABORT, 'no'); END",
            ],
            false => &["ALTER TABLE crl ADD CONSTRAINT refuses CHECK (issuer <> 'issuing-2')"],
        };
        let allows = match database.url.starts_with("sqlite:") {
            true => "DROP TRIGGER refuses",
            false => "ALTER TABLE crl DROP CONSTRAINT refuses",
        };
        let run = async |text: &'static str| {
            sqlx::any::install_default_drivers();
            let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&database.url).await.unwrap();
            sqlx::query(text).execute(&mut connection).await.unwrap();
        };
        for text in refuses {
            run(text).await;
        }
        bureau.authority().rekey_issuing(None, "admin-1", NOW).await.unwrap_err();
        assert!(store.crl(NEXT).await.unwrap().is_none() && store.responder(NEXT).await.unwrap().is_none());
        run(allows).await;
        Authority::of(&bureau.desk).refresh("service", NOW).await.unwrap();
        assert!(store.crl(NEXT).await.unwrap().is_some() && store.responder(NEXT).await.unwrap().is_some());
    })
    .await;
}

/// The key made for one record goes with it, also where it did not sign: it may sign documents.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_record_is_destroyed_also_where_it_did_not_sign() {
    let database = crate::db::Database::sqlite("record");
    let folder = tempfile::tempdir().unwrap();
    let bureau = Bureau::found(&database, folder.path()).await;
    let ceremonies = || {
        let labels = bureau.desk.keyring.labels().unwrap();
        labels.into_iter().filter(|label| label.starts_with("ceremony-")).count()
    };
    bureau.authority().sign_record("good", b"x", "admin-1", NOW).await.unwrap();
    assert_eq!(ceremonies(), 0);
    let refuses = "CREATE TRIGGER refuses BEFORE INSERT ON seal_order WHEN NEW.kind = 'transcript' BEGIN SELECT RAISE(ABORT, 'no'); END";
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&database.url).await.unwrap();
    sqlx::query(refuses).execute(&mut connection).await.unwrap();
    bureau.authority().sign_record("bad", b"x", "admin-1", NOW).await.unwrap_err();
    assert_eq!(ceremonies(), 0);
    let written: (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM seal_order WHERE kind = 'destruction' AND state = 'sealed' AND key_label LIKE 'ceremony-%'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(written.0, 2, "each end is on record");
}
