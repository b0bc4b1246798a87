//! How certificates stand: evidence for our own documents and for outside certificates, lists, the responder's own life.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use time::{Duration, OffsetDateTime};
use tokio::net::TcpListener;
use yinxin::abolish;
use yinxin::ca::{Authority, ISSUING, ROOT};
use yinxin::desk::FlowError;
use yinxin::fetch::Fetcher;
use yinxin::pdf::long_term::Material;
use yinxin::pki::certificate::Certificate;
use yinxin::pki::evidence::{RevocationEvidence, Source};
use yinxin::pki::issue::Reason;
use yinxin::pki::known::Known;
use yinxin::pki::ocsp::{CertId, OcspResponse};
use yinxin::pki::path::{PathVerdict, judge_path};
use yinxin::pki::revocation::RevocationList;
use yinxin::status::Responder;
use yinxin::store::Revocation;

use crate::bureau::*;
use crate::db::on_both;

/// A seal's newest certificate and those above it.
async fn chain(bureau: &Bureau, seal: &str) -> Vec<Certificate> {
    let filed = bureau.desk.store.certificates(&number(seal)).await.unwrap().pop().unwrap();
    let chain = std::iter::once(&filed.certificate).chain(&filed.chain);
    chain.map(|der| Certificate::read(der).unwrap()).collect()
}

/// What somebody offline finds who has the root and the material alone.
pub fn judged(chain: &[Certificate], material: &Material, at: OffsetDateTime) -> PathVerdict {
    let lists: Vec<_> = material.lists.iter().map(|der| RevocationList::read(der).unwrap()).collect();
    let responses: Vec<_> = material.responses.iter().map(|der| OcspResponse::read(der).unwrap()).collect();
    let evidence = RevocationEvidence { lists: lists.iter().collect(), responses: responses.iter().collect() };
    let candidates: Vec<_> = material.certificates.iter().map(|der| Certificate::read(der).unwrap()).collect();
    let candidates: Vec<_> = candidates.iter().collect();
    let root = chain.last().unwrap();
    judge_path(&chain[0], &candidates, std::slice::from_ref(root), &evidence, &Known::default(), at)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_ours_has_evidence_that_holds_offline() {
    on_both("status_evidence", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let chain = chain(&bureau, BUREAU_SEAL).await;
        let material = bureau.desk.evidence(&chain, NOW).await.unwrap();
        assert_eq!((material.certificates.len(), material.lists.len(), material.responses.len()), (3, 1, 1));
        let PathVerdict::Trusted { evidence, .. } = judged(&chain, &material, NOW) else { panic!("not trusted") };
        let sources: Vec<_> = evidence.iter().map(|statement| (statement.about, statement.source)).collect();
        assert_eq!(sources, [(1, Source::List), (0, Source::Response)]);
        // The same answer while it is fresh; another when it is half used up.
        assert_eq!(bureau.desk.evidence(&chain, NOW + Duration::hours(11)).await.unwrap(), material);
        let later = bureau.desk.evidence(&chain, NOW + Duration::hours(13)).await.unwrap();
        assert_ne!(later.responses, material.responses);
        // A chain given twice, or two that share their authorities, says nothing twice.
        let twice = [chain.clone(), chain.clone()].concat();
        assert_eq!(bureau.desk.evidence(&twice, NOW + Duration::hours(13)).await.unwrap(), later);
        // A leaf without its issuer, who is no stranger here.
        assert_eq!(
            bureau.desk.evidence(&chain[..1], NOW + Duration::hours(13)).await.unwrap().responses,
            later.responses
        );

        // The seal is abolished: what it sealed before may still be judged, and a kept answer is no longer given.
        let department = self::chain(&bureau, DEPARTMENT_SEAL).await;
        let before = bureau.desk.evidence(&department, NOW).await.unwrap();
        let [by, second] = &bureau.government;
        abolish::abolish(&bureau.desk, by, second, bureau.closing(), NOW).await.unwrap();
        let after = bureau.desk.evidence(&department, NOW).await.unwrap();
        assert_ne!(before.responses, after.responses);
        let PathVerdict::Revoked { at_fault: 0, revocation, .. } = judged(&department, &after, NOW) else {
            panic!("not revoked")
        };
        assert_eq!(revocation.at, ABOLITION);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_time_on_change_and_with_numbers_of_their_own() {
    on_both("status_lists", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let (authority, store) = (bureau.authority(), &bureau.desk.store);
        let number = async || store.crl(ISSUING).await.unwrap().unwrap().number;
        // The founding's refresh made the newest at NOW.
        let first = number().await;
        authority.refresh("test", NOW + Duration::hours(23)).await.unwrap();
        assert_eq!(number().await, first);
        authority.refresh("test", NOW + Duration::hours(24)).await.unwrap();
        let second = number().await;
        assert!(second > first);
        // A revocation that a crash kept from being published.
        let filed = store.certificates(&crate::bureau::number(BUREAU_SEAL)).await.unwrap().pop().unwrap();
        let revocation = Revocation {
            serial: filed.serial.clone(),
            issuer: ISSUING.into(),
            at: NOW,
            reason: Reason::KeyCompromise,
            document: "test".into(),
            invalid_since: None,
        };
        store.revoke(&revocation, "test", NOW + Duration::hours(24)).await.unwrap();
        authority.refresh("test", NOW + Duration::hours(25)).await.unwrap();
        let list = RevocationList::read(&store.crl(ISSUING).await.unwrap().unwrap().crl).unwrap();
        assert!(number().await > second && list.length() == 1);
        assert!(list.line(&hex::decode(&filed.serial).unwrap()).unwrap().is_some());
        authority.refresh("test", NOW + Duration::hours(25)).await.unwrap();
        assert_eq!(
            Some(number().await.to_be_bytes().to_vec()).map(|n| n.into_iter().skip_while(|b| *b == 0).collect()),
            list.number
        );

        // Many processes at once: every list has its own number, and none is refused.
        let mut at_once = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let authority = authority.clone();
            at_once.spawn(async move { authority.publish_list(ROOT, "test", NOW).await.unwrap().number });
        }
        let mut numbers = at_once.join_all().await;
        numbers.sort_unstable();
        let mut distinct = numbers.clone();
        distinct.dedup();
        assert_eq!((numbers.len(), distinct.len()), (8, 8), "{numbers:?}");
        assert_eq!(store.crl(ROOT).await.unwrap().unwrap().number, numbers[7]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_responder_renews_its_certificate_in_time() {
    on_both("status_responder", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let authority = bureau.authority();
        let begun = NOW - Duration::days(2);
        let chain = chain(&bureau, BUREAU_SEAL).await;
        let question = CertId::of(&chain[0].serial, &chain[1]).unwrap();
        // Who signs an answer at that time.
        let responder = async |at| {
            authority.answer(&question, "test", at).await.unwrap().unwrap();
            let filed = bureau.desk.store.responder(ISSUING).await.unwrap().unwrap();
            Certificate::read(&filed.certificate).unwrap()
        };
        let first = responder(begun).await;
        assert_eq!(responder(begun + Duration::days(19)).await, first);
        let second = responder(begun + Duration::days(21)).await;
        assert!(second != first && second.public_key == first.public_key && second.not_after > first.not_after);
        assert_eq!(first.purposes.as_ref().map(Vec::len), Some(1));
        // Nobody is asked about for ever: short, and well within the authority's own life.
        assert!(first.not_after - first.not_before < Duration::days(31));
        let material = bureau.desk.evidence(&chain, begun + Duration::days(21)).await;
        // The root's list ended meanwhile, and nobody refreshed it.
        assert!(matches!(material, Err(FlowError::NoEvidence(_))), "{material:?}");
        authority.refresh("test", begun + Duration::days(21)).await.unwrap();
        let material = bureau.desk.evidence(&chain, begun + Duration::days(21)).await.unwrap();
        let verdict = judged(&chain, &material, begun + Duration::days(21));
        assert!(matches!(verdict, PathVerdict::Trusted { .. }), "{verdict:?}");
    })
    .await;
}

/// An authority elsewhere, as it is met on the network; how it behaves can be changed.
#[derive(Clone)]
struct Elsewhere {
    responder: Responder,
    authority: Authority,
    /// What the responder does: 0 answers, 1 repeats an answer to somebody else, 2 talks nonsense.
    manner: Arc<AtomicUsize>,
    /// Whether lists are there, and how often one was fetched.
    lists: Arc<AtomicUsize>,
    fetched: Arc<AtomicUsize>,
    now: OffsetDateTime,
    old: Bytes,
}

async fn answer(State(there): State<Elsewhere>, request: Bytes) -> Response {
    match there.manner.load(Ordering::SeqCst) {
        0 => there.responder.answer(&request, there.now).await.der.into_response(),
        1 => there.old.clone().into_response(),
        _ => "nonsense".into_response(),
    }
}

async fn list(State(there): State<Elsewhere>, Path(file): Path<String>) -> Response {
    there.fetched.fetch_add(1, Ordering::SeqCst);
    if there.lists.load(Ordering::SeqCst) == 0 {
        return StatusCode::NOT_FOUND.into_response();
    }
    let list = there.authority.store.crl(file.trim_end_matches(".crl")).await.unwrap().unwrap();
    list.crl.into_response()
}

async fn issuer(State(there): State<Elsewhere>, Path(file): Path<String>) -> Response {
    let all = there.authority.store.ca_certificates().await.unwrap();
    all.into_iter().find(|ca| file == format!("{}.cer", ca.label)).unwrap().certificate.into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_authorities_are_asked_on_listed_hosts_and_not_believed_blindly() {
    on_both("status_outside", async |database| {
        let folder = tempfile::tempdir().unwrap();
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = door.local_addr().unwrap().to_string();
        // Their bureau is like ours; only its certificates, and what it says of them, are met here.
        let theirs = Bureau::found_publishing(database, folder.path(), &format!("http://{address}")).await;
        let chain = chain(&theirs, BUREAU_SEAL).await;
        let responder = Responder::new(theirs.desk.store.clone(), Some(theirs.authority()));
        let question = yinxin::pki::ocsp::CertId::of(&chain[0].serial, &chain[1]).unwrap();
        let request = yinxin::pki::ocsp::Request::about(question, &[9; 32]).to_der();
        let there = Elsewhere {
            old: responder.answer(&request, NOW).await.der.into(),
            responder,
            authority: theirs.authority(),
            manner: Arc::default(),
            lists: Arc::new(1.into()),
            fetched: Arc::default(),
            now: NOW,
        };
        let routes =
            Router::new().route("/ocsp", post(answer)).route("/crl/{file}", get(list)).route("/ca/{file}", get(issuer));
        tokio::spawn(axum::serve(door, routes.with_state(there.clone())).into_future());

        let place = tempfile::tempdir().unwrap();
        let database = crate::db::Database::sqlite("status_outside_ours");
        let ours = Bureau::found(&database, place.path()).await;
        let refused = ours.desk.evidence(&chain, NOW).await.unwrap_err();
        assert!(
            matches!(refused, FlowError::NoEvidence(_)) && refused.message().en.contains("status.hosts"),
            "{refused}"
        );
        let desk = ours.desk.clone().fetching(Fetcher::new([address.clone()]));
        // The leaf alone: its issuers are fetched from where it says.
        let material = desk.evidence(&chain[..1], NOW).await.unwrap();
        assert_eq!((material.certificates.len(), material.responses.len(), material.lists.len()), (3, 1, 1));
        let PathVerdict::Trusted { evidence, .. } = judged(&chain, &material, NOW) else { panic!("not trusted") };
        assert_eq!(
            evidence.iter().map(|statement| statement.source).collect::<Vec<_>>(),
            [Source::List, Source::Response]
        );
        let sent = OcspResponse::read(&material.responses[0]).unwrap();
        assert!(sent.nonce.is_some_and(|nonce| nonce.len() == 34), "a nonce of 32 octets was sent and repeated");
        // Found a moment ago, and the root's list still runs.
        let fetched = there.fetched.load(Ordering::SeqCst);
        assert_eq!(desk.evidence(&chain[..1], NOW).await.unwrap(), material);
        assert_eq!(there.fetched.load(Ordering::SeqCst), fetched);

        // An answer to another question of another time is not taken; the list is.
        there.manner.store(1, Ordering::SeqCst);
        let at = NOW + Duration::minutes(10);
        let material = desk.evidence(&chain, at).await.unwrap();
        assert_eq!((material.responses.len(), material.lists.len()), (0, 2));
        assert!(matches!(judged(&chain, &material, at), PathVerdict::Trusted { .. }));
        // Nonsense, and a list that is remembered.
        there.manner.store(2, Ordering::SeqCst);
        there.lists.store(0, Ordering::SeqCst);
        let at = NOW + Duration::minutes(20);
        assert_eq!(desk.evidence(&chain, at).await.unwrap(), material);
        // Nothing that holds any more: no evidence, and the reason is said.
        let at = NOW + Duration::days(8);
        let refused = desk.evidence(&chain, at).await.unwrap_err();
        assert!(matches!(refused, FlowError::NoEvidence(_)) && refused.message().en.contains("404"), "{refused}");
        // Back again, with an answer about now; whose seal was revoked meanwhile.
        there.lists.store(1, Ordering::SeqCst);
        theirs.authority().refresh("test", at).await.unwrap();
        let revocation = Revocation {
            serial: hex::encode(&chain[0].serial),
            issuer: ISSUING.into(),
            at: NOW + Duration::days(4),
            reason: Reason::KeyCompromise,
            document: "test".into(),
            invalid_since: None,
        };
        theirs.desk.store.revoke(&revocation, "test", at).await.unwrap();
        theirs.authority().refresh("test", at).await.unwrap();
        let material = desk.evidence(&chain, at).await.unwrap();
        assert!(matches!(judged(&chain, &material, at), PathVerdict::Revoked { at_fault: 0, .. }));
        let before = judged(&chain, &material, NOW + Duration::days(3));
        assert!(matches!(before, PathVerdict::Trusted { revoked_later: Some(_), .. }), "{before:?}");
    })
    .await;
}
