//! What does not belong together in an OFD, and what forgers try: every value holds where they could make it hold.

use super::ofd::{licence, repacked, two_pages, unpacked};
use super::ofd_forms::{Open, Scene, found, notes, same};
use super::*;
use crate::crypto::Digest;
use crate::ses::{self, Holders, write::Use};

#[test]
fn what_does_not_belong_together_never_passes() {
    let scene = Scene::new();
    let pki = &scene.house.pki;
    let other = Hierarchy::of(Key::sm2);
    let holders = Holders::Certificates(vec![scene.made.signer.clone()]);

    // The list names another method than the value has.
    let report = scene.judge(&scene.usual((&same, &|text| text.replace("10197.1.501<", "10197.1.504<"))));
    assert_eq!(found(&report, "format"), Some((Outcome::Indeterminate, "verify.ofd-method")));
    // MD5, which the schema means where nothing is said.
    let report = scene.judge(&scene.usual((&same, &|text| text.replace(" CheckMethod=\"1.2.156.10197.1.401\"", ""))));
    assert!(!report.verdict.is_genuine());

    // Somebody with a good certificate of his own, and a copy of the seal.
    let serial = trial::serial(77);
    let subject = trial::name("别人");
    let unsigned = issue::seal(
        &pki.issuing,
        &subject,
        &other.seal_key.public_key,
        serial,
        trial::years(3),
        &trial::listed_at(trial::CRL_URL),
    );
    let stranger = pki.issuing_key.finish(unsigned.unwrap());
    let by_stranger = |seal: &[u8]| {
        scene.package(seal, (&same, &same), &|open| {
            let digest = Digest::Sm3.over(&[open.said]).try_into().unwrap();
            let used = Use { seal, at: SEALED, digest: &digest, property: open.property, extensions: &[] };
            scene.signed_by(&ses::write::to_be_signed(&used).unwrap(), &stranger, &other.seal_key)
        })
    };
    let report = scene.judge(&by_stranger(&scene.made.seal));
    assert_eq!(found(&report, "seal-holder"), Some((Outcome::Failed, "verify.seal-holder")));
    assert_eq!(report.verdict, Verdict::Failed(Sub::SigConstraintsFailure));
    assert!(report.signatures[0].trusted && report.summary.zh.contains("不在印章的使用人名单中"), "{report:#?}");
    // A list of digests: of him, of another by the same algorithm, and by one that nobody names.
    let listed = |label: &str, digest: Vec<u8>| scene.seal(&Holders::Digests(vec![(label.into(), digest)]), |_| {});
    let of_user = Digest::Sm3.over(&[&scene.made.signer]);
    let by_user = |seal: &[u8]| scene.judge(&scene.package(seal, (&same, &same), &|open| scene.v4(seal, open)));
    assert!(by_user(&listed("SM3", of_user)).verdict.is_genuine());
    let sha256 = Digest::Sha256.over(&[&scene.made.signer]);
    assert!(by_user(&listed("2.16.840.1.101.3.4.2.1", sha256)).verdict.is_genuine());
    let report = by_user(&listed("1.2.156.10197.1.401", vec![7; 32]));
    assert_eq!(found(&report, "seal-holder").unwrap().0, Outcome::Failed);
    let report = by_user(&listed("ours", vec![7; 20]));
    assert_eq!(found(&report, "seal-holder").unwrap().0, Outcome::Indeterminate);
    assert!(!report.verdict.is_genuine());

    // Used before its life began, by his own words.
    let report = by_user(&scene.seal(&holders, |making| making.valid_from = SEALED + Duration::DAY));
    assert_eq!(report.verdict, Verdict::Failed(Sub::Expired));
    // Another seal beside than inside.
    let beside = scene.seal(&holders, |making| making.kind = 4);
    let bytes = scene.package(&beside, (&same, &same), &|open| scene.v4(&scene.made.seal, open));
    assert_eq!(found(&scene.judge(&bytes), "seal-file"), Some((Outcome::Failed, "verify.other-seal")));
    // Of a signature that lies elsewhere.
    let bytes = scene.package(&scene.made.seal, (&same, &same), &|open| {
        scene.v4(&scene.made.seal, Open { property: "/Doc_1/Signs/Sign_0/Signature.xml", ..open })
    });
    assert_eq!(found(&scene.judge(&bytes), "seal-place").unwrap().0, Outcome::Indeterminate);
}

/// A template is drawn under every page, and the list of a careless maker leaves it out (standards 3.2).
#[test]
fn a_template_that_is_not_signed_is_named_as_shown() {
    let scene = Scene::new();
    let mut files = unpacked(&two_pages());
    for (name, content) in &mut files {
        if name == "Doc_0/Document.xml" {
            let text = String::from_utf8(content.clone()).unwrap();
            let template = "<ofd:TemplatePage ID=\"900\" BaseLoc=\"TPLS/Tpl_0/Content.xml\"/></ofd:CommonData>";
            *content = text.replace("</ofd:CommonData>", template).into_bytes();
        }
    }
    files.push((
        "Doc_0/Tpls/Tpl_0/Content.xml".into(),
        b"<ofd:Page xmlns:ofd=\"http://www.ofdspec.org/2016\"/>".to_vec(),
    ));
    let value = |open: Open<'_>| scene.v4(&scene.made.seal, open);
    let whole = scene.over(&repacked(&files), &scene.made.seal, (&same, &same), &value);
    let report = scene.judge(&whole);
    assert!(report.verdict.is_genuine(), "{report:#?}");
    // In other letters than it is named, as in a real file of the corpus.
    assert_eq!(notes(&report), ["ofd.odd.case"]);
    let careless = scene.over(
        &repacked(&files),
        &scene.made.seal,
        (&same, &|text| {
            let at = text.find("<ofd:Reference FileRef=\"/Doc_0/Tpls/").unwrap();
            let end = at + text[at..].find("</ofd:Reference>").unwrap() + "</ofd:Reference>".len();
            format!("{}{}", &text[..at], &text[end..])
        }),
        &value,
    );
    let report = scene.judge(&careless);
    assert_eq!(found(&report, "coverage"), Some((Outcome::Indeterminate, "verify.ofd-uncovered")));
    assert!(
        report.summary.zh.contains("会显示在页面上") && report.answers.intact.zh.starts_with("存疑"),
        "{:?}",
        report.summary
    );
    // And changed: nothing else would tell.
    let mut files = unpacked(&careless);
    let template = files.iter_mut().find(|(name, _)| name.contains("Tpl_0")).unwrap();
    template.1.extend_from_slice(b"<!-- -->");
    assert!(!scene.judge(&repacked(&files)).verdict.is_genuine());
}

/// Two names for one thing, of which each reader takes its own: an attribute in two namespaces, a declaration called as one, an
/// element twice.
#[test]
fn what_two_readers_take_for_two_things_is_refused() {
    let scene = Scene::new();
    let list = |from: &'static str, to: &'static str| {
        let bytes = scene.usual((&move |text: &str| text.replacen(from, to, 1), &same));
        scene.judge(&bytes)
    };
    let twin = list("BaseLoc=\"/Doc_0", "xmlns:o=\"x\" o:BaseLoc=\"/Doc_1\" BaseLoc=\"/Doc_0");
    assert!(twin.signatures.is_empty() && !twin.verdict.is_genuine());
    assert_eq!(twin.summary.id, "verify.ofd-unreadable-package");
    // No attribute at all: other readers see through it, and so do we.
    let declared = list("BaseLoc=\"/Doc_0", "xmlns:BaseLoc=\"/Doc_1\" BaseLoc=\"/Doc_0");
    assert!(declared.verdict.is_genuine(), "{declared:#?}");
    for part in ["SignedValue", "SignedInfo", "References", "Seal", "SignatureMethod"] {
        let twice = |text: &str| {
            let end = format!("</ofd:{part}>");
            let at = text.find(&end).unwrap() + end.len();
            format!("{}<ofd:{part}>/x</ofd:{part}>{}", &text[..at], &text[at..])
        };
        let report = scene.judge(&scene.usual((&same, &twice)));
        assert_eq!((report.summary.id, report.signatures.len()), ("verify.ofd-unreadable-package", 0), "{part}");
    }
    // Two lists of signatures in one document: ours, and one without the seal that speaks against it.
    let mut files = unpacked(&two_pages());
    for (name, content) in &mut files {
        if name == "OFD.xml" {
            let text = String::from_utf8(content.clone()).unwrap();
            let more = "<ofd:Signatures>/a.xml</ofd:Signatures><ofd:Signatures>/b.xml</ofd:Signatures></ofd:DocBody>";
            *content = text.replace("</ofd:DocBody>", more).into_bytes();
        }
    }
    for name in ["a.xml", "b.xml"] {
        files.push((name.into(), b"<Signatures/>".to_vec()));
    }
    assert_eq!(scene.judge(&repacked(&files)).summary.id, "verify.ofd-unreadable-package");
}

/// A file of the forger's own, said to be the value of a signature that he adds to the open list: no list has to name such
/// files, but his signature is one more that must hold.
#[test]
fn a_signature_that_is_there_to_hide_a_file_spoils_the_document() {
    let scene = Scene::new();
    let good = licence(&scene.house, &scene.made, false);
    assert!(scene.judge(&good).verdict.is_genuine());
    let mut files = unpacked(&good);
    let hidden = [7_u8; 64];
    for (name, content) in &mut files {
        if name.ends_with("Signatures.xml") {
            let text = String::from_utf8(content.clone()).unwrap();
            let more = "<ofd:Signature ID=\"s900\" Type=\"Sign\" BaseLoc=\"/Doc_0/Signs/Sign_9/Signature.xml\"/></ofd:Signatures>";
            *content = text.replace("</ofd:Signatures>", more).into_bytes();
        }
    }
    let said = "<Signature><SignedInfo><References CheckMethod=\"SM3\"/></SignedInfo><SignedValue>/Doc_0/Res/evil.png</SignedValue></Signature>";
    files.push(("Doc_0/Signs/Sign_9/Signature.xml".into(), said.as_bytes().to_vec()));
    files.push(("Doc_0/Res/evil.png".into(), hidden.to_vec()));
    let report = scene.judge(&repacked(&files));
    assert_eq!(report.signatures.len(), 2);
    assert!(matches!(report.verdict, Verdict::Failed(_)), "{report:#?}");
    // Without the signature that hides it, it is open.
    let mut files = unpacked(&good);
    files.push(("Doc_0/Res/evil.png".into(), hidden.to_vec()));
    assert_eq!(found(&scene.judge(&repacked(&files)), "coverage").unwrap().0, Outcome::Indeterminate);
}

/// Two who each have a seal of their own make a third together: one as its maker, the other as its user. Every value holds, both
/// certificates are good; only who knows what seals there are can tell.
#[test]
fn a_seal_that_nobody_filed_is_not_believed() {
    let scene = Scene::new();
    let holders = Holders::Certificates(vec![scene.made.signer.clone()]);
    let judged = |seal: &[u8], on_record: Option<&[u8]>| {
        let bytes = scene.package(seal, (&same, &same), &|open| scene.v4(seal, open));
        let trust = Trust { intermediates: vec![scene.house.pki.issuing.clone()], ..scene.house.trust() };
        let mut evidence = Evidence::open("证照.ofd", bytes, Arc::new(trust), NOW);
        let record = sealed().map(Box::new);
        evidence.facts.fill(Facts::Filed { seal: scene.house.seal(), chain: Vec::new(), record, logged_since: None });
        evidence.seals_on_record = on_record.map(|file| [hex::encode(crate::crypto::sha256(file))].into());
        judge(&evidence)
    };
    let report = judged(&scene.made.seal, Some(&scene.made.seal));
    assert_eq!(found(&report, "seal-known").unwrap().0, Outcome::Passed);
    assert!(report.verdict.is_genuine(), "{report:#?}");
    // Another number than the certificate's.
    let government = scene.seal(&holders, |making| (making.id, making.name) = ("51322100000099", "汶川县人民政府"));
    let report = judged(&government, None);
    assert_eq!(found(&report, "seal-known"), Some((Outcome::Indeterminate, "verify.seal-other-number")));
    assert!(!report.verdict.is_genuine());
    // Its own number, with another name and picture.
    let repainted = scene.seal(&holders, |making| making.name = "汶川县人民政府");
    let report = judged(&repainted, Some(&scene.made.seal));
    assert_eq!(found(&report, "seal-known"), Some((Outcome::Indeterminate, "verify.seal-not-on-record")));
    assert!(!report.verdict.is_genuine());
}
