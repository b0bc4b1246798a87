//! Packages sealed with seals of our own, looked at by the reader that reads foreign ones.

use time::macros::datetime;

use super::{Place, Prepared, SealFault, SealPlan, prepare};
use crate::crypto;
use crate::impression::Segment;
use crate::ofd::package::{self, Package};
use crate::ofd::reading::{Inside, Reading};
use crate::ofd::write;
use crate::ofd::write::{Document, Object, Page, Path, Stroke};
use crate::pki::trial::{Hierarchy, Key};
use crate::ses::trial::Made;
use crate::ses::write::{Use, assemble, to_be_signed};
use crate::ses::{SM2_WITH_SM3, Seal, Value, read_seal};
use spki::AlgorithmIdentifierOwned;

const AT: time::OffsetDateTime = datetime!(2026-03-01 02:03:04 UTC);
const MIDDLE: Place = Place::On { page: 0, centre_mm: (150.0, 200.0) };

fn draft(pages: usize) -> Vec<u8> {
    let line = |page: usize| {
        let y = 20.0 + page as f64;
        let stroke = Stroke {
            colour: [0, 0, 0, 255],
            width_mm: 0.5,
            cap: write::Cap::Butt,
            join: write::Join::Miter,
            miter_limit: 4.0,
            dashes: None,
        };
        let segments = vec![Segment::Move(20.0, y), Segment::Line(190.0, y)];
        Object::Path(Path { segments, fill: None, even_odd: false, stroke: Some(stroke) })
    };
    let page = |page| Page { width_mm: 210.0, height_mm: 297.0, objects: vec![line(page)] };
    write::write(&Document {
        id: [7; 16],
        title: "决定 <1>".into(),
        author: "汶川县行政审批局".into(),
        made_on: AT.date(),
        data: vec![("ZZBH".into(), "JY 1".into())],
        faces: Vec::new(),
        pictures: Vec::new(),
        pages: (0..pages).map(page).collect(),
        attachments: vec![write::Attachment { name: "data.json".into(), usage: "data".into(), file: b"{}".to_vec() }],
    })
}

struct House {
    pki: Hierarchy,
    made: Made,
}

fn seal() -> (House, Seal) {
    let pki = Hierarchy::of(Key::sm2);
    let made = Made::of(&pki);
    let seal = read_seal(&made.seal).unwrap();
    (House { pki, made }, seal)
}

fn sealed(draft: &[u8], house: &House, plan: &SealPlan<'_>) -> Vec<u8> {
    close(&prepare(draft, plan).unwrap(), house)
}

fn close(prepared: &Prepared, house: &House) -> Vec<u8> {
    prepared.close(&value(prepared, house)).unwrap()
}

fn value(prepared: &Prepared, house: &House) -> Vec<u8> {
    let (digest, property) = (prepared.digest(), prepared.property());
    let used = Use { seal: &house.made.seal, at: AT, digest: &digest, property: &property, extensions: &[] };
    let to_be_signed = to_be_signed(&used).unwrap();
    assemble(&to_be_signed, &house.made.signer, &house.pki.seal_key.sign(&to_be_signed), None).unwrap()
}

/// What a judge would find wrong, without asking who is trusted; nothing where all is right.
fn wrong(bytes: &[u8]) -> Option<String> {
    let reading = match Reading::of(bytes) {
        Ok(reading) => reading,
        Err(fault) => return Some(fault.to_string()),
    };
    if reading.signatures.is_empty() {
        return Some("not signed".into());
    }
    for read in &reading.signatures {
        for (what, files) in [("missing", &read.missing), ("changed", &read.changed), ("uncovered", &read.uncovered)] {
            if !files.is_empty() {
                return Some(format!("{what}: {files:?}"));
            }
        }
        let Inside::Seal(sealed) = &read.value else { return Some("no seal".into()) };
        let holds = |key: &[u8], message: &[u8], value: &[u8]| {
            let algorithm = AlgorithmIdentifierOwned { oid: SM2_WITH_SM3, parameters: None };
            Value::read(value).is_some_and(|value| crypto::verify(key, &algorithm, message, &value.to_der()).is_ok())
        };
        let key = read.certificate.as_ref().map(|certificate| certificate.public_key.clone()).unwrap_or_default();
        let right = sealed.algorithm == SM2_WITH_SM3
            && sealed.digest == crypto::Digest::Sm3.over(&[&read.said])
            && holds(&key, &sealed.to_be_signed, &sealed.value)
            && sealed.seal.is_held_by(&sealed.signer)
            && sealed.property == format!("/{}", read.signature.path)
            && !read.other_seal;
        if !right {
            return Some("the value is not right".into());
        }
    }
    None
}

#[test]
fn a_sealed_package_is_whole_and_its_seal_stands_at_true_size() {
    let (house, seal) = seal();
    let plan = SealPlan { seal: &seal, places: &[MIDDLE], at: AT, lock: false };
    let prepared = prepare(&draft(1), &plan).unwrap();
    // After a crash, from what was kept.
    assert_eq!(Prepared::again(prepared.package().to_vec()).unwrap(), prepared);
    assert_eq!(prepare(&draft(1), &plan).unwrap(), prepared, "the same bytes");
    let bytes = close(&prepared, &house);
    assert_eq!(wrong(&bytes), None);

    let reading = Reading::of(&bytes).unwrap();
    let signature = &reading.signatures[0].signature;
    assert_eq!((signature.id.as_str(), signature.path.as_str()), ("s001", "Doc_0/Signs/Sign_0/Signature.xml"));
    assert_eq!(signature.stamps[0].boundary, [130.0, 180.0, 40.0, 40.0]);
    assert_eq!((signature.stamps[0].clip, signature.claimed_at.as_deref()), (None, Some("20260301020304Z")));
    let listed: Vec<&str> = signature.references.iter().map(|one| one.file.as_str()).collect();
    let package = Package::open(&bytes).unwrap();
    let open: Vec<&str> =
        package.entries().iter().map(|entry| entry.name.as_str()).filter(|name| !listed.contains(name)).collect();
    assert_eq!(
        open,
        ["Doc_0/Signs/Signatures.xml", "Doc_0/Signs/Sign_0/Signature.xml", "Doc_0/Signs/Sign_0/SignedValue.dat"]
    );
    assert!(listed.is_sorted());
}

/// Every byte of every file of a sealed package, changed: nothing passes. Where the list of signatures is left open for the next
/// one, what can be changed in it says nothing: the signature read is the same but for its number in the list.
#[test]
fn one_changed_byte_in_any_file_is_caught() {
    let (house, seal) = seal();
    for lock in [true, false] {
        let bytes = sealed(&draft(1), &house, &SealPlan { seal: &seal, places: &[MIDDLE], at: AT, lock });
        assert_eq!(wrong(&bytes), None);
        let before = Reading::of(&bytes).unwrap();
        let package = Package::open(&bytes).unwrap();
        let files: Vec<(String, Vec<u8>)> =
            package.entries().iter().map(|e| (e.name.clone(), package.unpack(e).unwrap())).collect();
        let mut tried = 0;
        for (place, (name, content)) in files.iter().enumerate() {
            let is_list = name.ends_with("/Signatures.xml");
            if !lock && !is_list {
                continue;
            }
            // The picture in the seal is long and each byte of it as good as the other.
            let step = if content.len() > 1500 { 7 } else { 1 };
            for at in (0..content.len()).step_by(step) {
                let mut files = files.clone();
                files[place].1[at] ^= 1 << (at % 7);
                let changed = package::write(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
                tried += 1;
                if wrong(&changed).is_some() {
                    continue;
                }
                assert!(is_list && !lock, "{name} at {at}: silent");
                let mut after = Reading::of(&changed).unwrap().signatures.remove(0).signature;
                after.id.clone_from(&before.signatures[0].signature.id);
                after.odd.clear();
                assert_eq!(after, before.signatures[0].signature, "{at}");
            }
        }
        assert!(tried > if lock { 2500 } else { 200 }, "{tried}");
    }
}

#[test]
fn files_added_to_a_sealed_package_are_seen() {
    let (house, seal) = seal();
    let bytes = sealed(&draft(1), &house, &SealPlan { seal: &seal, places: &[MIDDLE], at: AT, lock: false });
    let package = Package::open(&bytes).unwrap();
    let files: Vec<(String, Vec<u8>)> =
        package.entries().iter().map(|e| (e.name.clone(), package.unpack(e).unwrap())).collect();
    for more in ["Doc_0/Pages/Page_9/Content.xml", "Doc_0/Signs/Sign_0/more.xml", "OFDEntries.xml"] {
        let all = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let said = wrong(&package::write(all.chain([(more, &b"<a/>"[..])]))).unwrap();
        assert!(said.contains("uncovered") && said.contains(more), "{said}");
    }
    for name in files.iter().map(|(name, _)| name) {
        let all = files.iter().filter(|(other, _)| other != name);
        assert!(wrong(&package::write(all.map(|(n, b)| (n.as_str(), b.as_slice())))).is_some(), "without {name}");
    }
}

/// One seal over five pages, as the corpus' V4RideRight.ofd has it.
#[test]
fn a_straddle_seal_shows_a_strip_of_itself_on_every_page() {
    let (house, seal) = seal();
    let places = [Place::Straddle { centre_mm: 148.5 }, Place::On { page: 4, centre_mm: (150.0, 230.0) }];
    let plan = SealPlan { seal: &seal, places: &places, at: AT, lock: false };
    let bytes = sealed(&draft(5), &house, &plan);
    assert_eq!(wrong(&bytes), None);
    let stamps = Reading::of(&bytes).unwrap().signatures.remove(0).signature.stamps;
    let document = super::Document::read(&Package::open(&bytes).unwrap()).unwrap();
    for (i, stamp) in stamps[..5].iter().enumerate() {
        let hidden = 8.0 * i as f64;
        assert_eq!(stamp.page, document.pages[i].id);
        assert_eq!(stamp.boundary, [202.0 - hidden, 128.5, 40.0, 40.0]);
        assert_eq!(stamp.clip, Some([hidden, 0.0, 8.0, 40.0]));
    }
    assert_eq!((stamps.len(), stamps[5].clip), (6, None));
    // Many pages take more than one round of the seal, and no page is alone.
    let plan = SealPlan { places: &places[..1], ..plan };
    let stamps = Reading::of(&sealed(&draft(41), &house, &plan)).unwrap().signatures.remove(0).signature.stamps;
    let clips: Vec<[f64; 4]> = stamps.iter().map(|stamp| stamp.clip.unwrap()).collect();
    assert_eq!((stamps.len(), clips.iter().filter(|clip| clip[0] == 0.0).count()), (41, 3));
    assert!((clips.iter().map(|clip| clip[2]).sum::<f64>() - 120.0).abs() < 0.1);
    assert_eq!(prepare(&draft(1), &plan).unwrap_err(), SealFault::NoStraddle);
}

#[test]
fn a_second_seal_leaves_the_first_as_it_is_until_one_locks() {
    let (house, seal) = seal();
    let plan = SealPlan { seal: &seal, places: &[MIDDLE], at: AT, lock: false };
    let first = sealed(&draft(2), &house, &plan);
    let second = sealed(&first, &house, &SealPlan { lock: true, ..plan });
    assert_eq!(wrong(&second), None);
    let reading = Reading::of(&second).unwrap();
    let ids: Vec<&str> = reading.signatures.iter().map(|read| read.signature.id.as_str()).collect();
    assert_eq!(ids, ["s001", "s003"]);
    // The later one covers the files of the earlier.
    let listed = &reading.signatures[1].signature.references;
    assert!(listed.iter().any(|one| one.file == "Doc_0/Signs/Sign_0/SignedValue.dat"));
    assert_eq!(prepare(&second, &plan).unwrap_err(), SealFault::Locked);
}

#[test]
fn what_does_not_belong_together_is_not_closed() {
    let (house, seal) = seal();
    let plan = SealPlan { seal: &seal, places: &[MIDDLE], at: AT, lock: false };
    let (one, other) = (prepare(&draft(1), &plan).unwrap(), prepare(&draft(2), &plan).unwrap());
    assert!(matches!(one.close(&value(&other, &house)), Err(SealFault::NotPrepared(_))));
    assert!(matches!(one.close(b"value"), Err(SealFault::NotPrepared(_))));
    for bytes in [draft(1), close(&one, &house)] {
        assert!(matches!(Prepared::again(bytes), Err(SealFault::NotPrepared(_))));
    }
    let package = Package::open(one.package()).unwrap();
    let mut files: Vec<(String, Vec<u8>)> =
        package.entries().iter().map(|e| (e.name.clone(), package.unpack(e).unwrap())).collect();
    files.iter_mut().find(|(name, _)| name.ends_with("Content.xml")).unwrap().1.push(b' ');
    let changed = package::write(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    assert!(matches!(Prepared::again(changed), Err(SealFault::NotPrepared(_))));
    for (page, centre_mm) in [(1, (100.0, 100.0)), (0, (10.0, 100.0)), (0, (100.0, 290.0))] {
        let places = [Place::On { page, centre_mm }];
        let refused = prepare(&draft(1), &SealPlan { places: &places, ..plan }).unwrap_err();
        assert_eq!(matches!(refused, SealFault::NoPage { .. }), page == 1, "{refused}");
        assert!(page == 1 || matches!(refused, SealFault::OutsidePage { .. }), "{refused}");
    }
}

/// Foreign packages take our seal, and what they were signed with before still holds.
#[test]
fn foreign_signed_packages_take_another_seal() {
    let (house, seal) = seal();
    let (mut taken, mut closed) = (0, Vec::new());
    for (file, bytes) in crate::pki::trial::corpus_files(&["ofd-signed", "ofd-unsigned"]) {
        let before = Reading::of(&bytes).unwrap();
        let plan = SealPlan { seal: &seal, places: &[], at: AT, lock: false };
        let prepared = match prepare(&bytes, &plan) {
            Ok(prepared) => prepared,
            Err(SealFault::Locked) => {
                closed.push(file);
                continue;
            }
            Err(fault) => panic!("{file}: {fault}"),
        };
        let after = Reading::of(&close(&prepared, &house)).unwrap();
        assert_eq!(after.signatures.len(), before.signatures.len() + 1, "{file}");
        for (was, is) in before.signatures.iter().zip(&after.signatures) {
            assert_eq!(
                (&was.signature, &was.missing, &was.changed, &was.said),
                (&is.signature, &is.missing, &is.changed, &is.said)
            );
        }
        let ours = after.signatures.last().unwrap();
        assert!(ours.uncovered.is_empty() && ours.changed.is_empty() && ours.missing.is_empty(), "{file}: {ours:?}");
        taken += 1;
    }
    eprintln!("{taken} foreign packages sealed, closed before: {closed:?}");
}
