//! How certificates stand: evidence for our own documents, and answers to whoever asks.

use time::Duration;
use yinxin::abolish;
use yinxin::pdf::long_term::Material;
use yinxin::pki::certificate::Certificate;
use yinxin::pki::evidence::{RevocationEvidence, Source};
use yinxin::pki::known::Known;
use yinxin::pki::ocsp::OcspResponse;
use yinxin::pki::path::{PathVerdict, judge_path};
use yinxin::pki::revocation::RevocationList;

use crate::bureau::*;
use crate::db::on_both;

/// A seal's newest certificate and those above it.
async fn chain(bureau: &Bureau, seal: &str) -> Vec<Certificate> {
    let filed = bureau.desk.store.certificates(&number(seal)).await.unwrap().pop().unwrap();
    let chain = std::iter::once(&filed.certificate).chain(&filed.chain);
    chain.map(|der| Certificate::read(der).unwrap()).collect()
}

/// What somebody offline finds who has the root and the material alone.
fn judged(chain: &[Certificate], material: &Material, at: time::OffsetDateTime) -> PathVerdict {
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
