//! Seals and seal signatures of others, and what happens to broken ones.

use std::path::PathBuf;

use super::trial::{Made, making, picture};
use super::value::{Form, Value};
use super::write::{self, Use};
use super::{Extension, Holders, NotASeal, Version, read_seal, read_signature};
use crate::crypto::{self, Digest};
use crate::ofd::package::Package;
use crate::pki::trial::{Hierarchy, Key, MADE, openssl_takes_sm2};
use der::{Decode, Encode};
use spki::AlgorithmIdentifierOwned;
use x509_cert::Certificate;

fn corpus() -> Option<PathBuf> {
    let corpus = PathBuf::from(std::env::var("YINXIN_CORPUS").unwrap_or_else(|_| "../shared/corpus".into()));
    if corpus.join("INDEX.tsv").is_file() {
        return Some(corpus);
    }
    eprintln!("skipped: no corpus at {}", corpus.display());
    None
}

fn of_kind(corpus: &std::path::Path, kinds: &[&str]) -> Vec<PathBuf> {
    let index = std::fs::read_to_string(corpus.join("INDEX.tsv")).unwrap();
    let lines = index.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    lines.filter(|columns| kinds.contains(&columns[1])).map(|columns| corpus.join(columns[0])).collect()
}

/// Everything in a package that begins as a seal signature does.
fn signatures_in(file: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(file).unwrap();
    let package = Package::open(&bytes).unwrap();
    let values = package.entries().iter().filter(|entry| entry.name.to_lowercase().ends_with(".dat"));
    values.map(|entry| (entry.name.clone(), package.unpack(entry).unwrap())).collect()
}

/// How the value is written, where it holds.
fn holds(certificate: &[u8], message: &[u8], value: &[u8]) -> Option<Form> {
    let certificate = Certificate::from_der(certificate).unwrap();
    let key = certificate.tbs_certificate().subject_public_key_info().to_der().unwrap();
    let algorithm = AlgorithmIdentifierOwned { oid: super::SM2_WITH_SM3, parameters: None };
    let value = Value::read(value)?;
    crypto::verify(&key, &algorithm, message, &value.to_der()).is_ok().then_some(value.form)
}

#[test]
fn foreign_seals_are_read_and_their_makers_values_hold() {
    let Some(corpus) = corpus() else { return };
    let mut versions = Vec::new();
    for file in of_kind(&corpus, &["seal"]) {
        let bytes = std::fs::read(&file).unwrap();
        let seal = read_seal(&bytes).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
        assert_eq!(seal.whole, bytes);
        assert_eq!(holds(&seal.maker, &seal.to_be_signed, &seal.value), Some(Form::Standard), "{}", file.display());
        assert!(seal.valid_from <= seal.valid_until && (20..=60).contains(&seal.picture.width_mm), "{seal:?}");
        let mut changed = seal.to_be_signed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(holds(&seal.maker, &changed, &seal.value), None);
        versions.push(seal.version);
    }
    assert!(versions.contains(&Version::V4) && versions.contains(&Version::V5), "{versions:?}");
}

#[test]
fn foreign_seal_signatures_are_read_and_hold() {
    let Some(corpus) = corpus() else { return };
    let (mut read, mut other) = (Vec::new(), Vec::new());
    for file in of_kind(&corpus, &["ofd-signed", "ofd-signed-mismatch"]) {
        for (entry, bytes) in signatures_in(&file) {
            let at = format!("{} {entry}", file.file_name().unwrap().to_string_lossy());
            let signature = match read_signature(&bytes) {
                Ok(signature) => signature,
                // Bare SM2 and CMS forms of `Type="Sign"` are no seal signatures.
                Err(NotASeal(part)) => {
                    other.push(format!("{at}: {part}"));
                    continue;
                }
            };
            let form = holds(&signature.signer, &signature.to_be_signed, &signature.value);
            let made = holds(&signature.seal.maker, &signature.seal.to_be_signed, &signature.seal.value);
            read.push(format!(
                "{at}: {:?} signer {form:?} maker {made:?} held {}",
                signature.version,
                signature.seal.is_held_by(&signature.signer)
            ));
        }
    }
    eprintln!("{}\n— no seal signatures:\n{}", read.join("\n"), other.join("\n"));
    assert!(read.len() >= 8);
    assert!(read.iter().all(|line| line.contains("signer Some") && line.contains("maker Some")), "{read:#?}");
}

/// standards: the worked example of v4signed.ofd.
#[test]
fn the_worked_example_comes_out() {
    let Some(corpus) = corpus() else { return };
    let file = corpus.join("files/ofdrw+ofdrw/ofdrw-sign/src/test/resources/v4signed.ofd");
    let (_, bytes) = signatures_in(&file).into_iter().next().unwrap();
    let signature = read_signature(&bytes).unwrap();
    assert_eq!((bytes.len(), signature.to_be_signed.len()), (6439, 5119));
    assert_eq!(signature.seal.to_be_signed.len(), 3878);
    assert_eq!(
        hex::encode(Digest::Sm3.over(&[&signature.to_be_signed])),
        "152c46d105187ca67d37d8d139284b7e7305720b3560537520fb0316867748cc"
    );
    let value = Value::read(&signature.value).unwrap();
    assert_eq!(hex::encode(value.r), "376fe6c2b0918b38205e1dd89b537b1ee1d8e8178695ef75826cce8f696b7951");
    assert_eq!(hex::encode(&signature.digest), "14859b925039a50fe268d40e4a903da44d64cc56b1eebd0902d45a5a41a134b5");
    let Holders::Certificates(held) = &signature.seal.holders else { panic!() };
    assert_eq!(held, std::slice::from_ref(&signature.signer));
}

#[test]
fn values_are_read_in_every_form_met() {
    let (r, s) = ([0x80; 32], {
        let mut s = [0; 32];
        s[31] = 7;
        s
    });
    let standard = Value { r, s, form: Form::Standard };
    assert_eq!(Value::read(&standard.to_der()), Some(standard));
    assert_eq!(Value::read(&[r, s].concat()), Some(Value { form: Form::Raw, ..standard }));
    let long = [&[0x30, 0x46, 2, 0x21, 0][..], &r, &[2, 0x21, 0], &s].concat();
    assert_eq!(Value::read(&long), Some(Value { form: Form::NotMinimal, ..standard }));
    let unsigned = [&[0x30, 0x25, 2, 0x20][..], &r, &[2, 1, 7]].concat();
    assert_eq!(Value::read(&unsigned), Some(Value { form: Form::NotMinimal, ..standard }));
    let zero = Value { r: [0; 32], s, form: Form::Standard };
    assert_eq!(Value::read(&zero.to_der()), Some(zero));
    for wrong in [&[][..], &[0x30, 0], &[1; 63], &[0x30, 3, 2, 1, 1]] {
        assert_eq!(Value::read(wrong), None, "{wrong:?}");
    }
    let too_long = [&[0x30, 0x26, 2, 0x21, 1][..], &r, &[2, 1, 7]].concat();
    assert_eq!(Value::read(&too_long), None);
}

#[test]
fn a_seal_cut_anywhere_is_no_seal() {
    let Some(corpus) = corpus() else { return };
    for file in of_kind(&corpus, &["seal"]) {
        let bytes = std::fs::read(&file).unwrap();
        for end in (0..bytes.len()).step_by(97) {
            assert!(read_seal(&bytes[..end]).is_err());
        }
        assert!(read_seal(&[&bytes[..], &[0]].concat()).is_err());
        assert!(read_signature(&bytes).is_err());
    }
}

/// A seal of ours and its use, read back by the reader that reads foreign ones.
#[test]
fn our_seals_and_signatures_are_read_back_and_hold() {
    let pki = Hierarchy::of(Key::sm2);
    let house = Made::of(&pki);
    let seal = read_seal(&house.seal).unwrap();
    assert_eq!(
        (seal.version, seal.id.as_str(), seal.name.as_str()),
        (Version::V4, "51322100000001", "汶川县行政审批专用章")
    );
    assert_eq!((seal.made_at, seal.picture.width_mm, seal.kind), (MADE, 40, 6));
    assert_eq!(holds(&seal.maker, &seal.to_be_signed, &seal.value), Some(Form::Standard));
    assert!(seal.is_held_by(&house.signer) && !seal.is_held_by(&house.maker));
    assert!(Package::open(&seal.picture.data).unwrap().entry("OFD.xml").is_some());

    let receipt = Extension {
        oid: const_oid::ObjectIdentifier::new_unwrap("1.3.6.1.4.1.1").into(),
        critical: false,
        value: vec![7; 300],
    };
    let used = Use {
        seal: &house.seal,
        at: MADE + time::Duration::days(30),
        digest: &[9; 32],
        property: "/Doc_0/Signs/Sign_0/Signature.xml",
        extensions: std::slice::from_ref(&receipt),
    };
    let to_be_signed = write::to_be_signed(&used).unwrap();
    let value = pki.seal_key.sign(&to_be_signed);
    let token = vec![0x30; 2000];
    let whole = write::assemble(&to_be_signed, &house.signer, &value, Some(&token)).unwrap();
    assert!(whole.len() <= write::room(&house.seal, &house.signer, used.extensions, token.len()));
    let read = read_signature(&whole).unwrap();
    assert_eq!((read.version, read.claimed_at, &read.digest[..]), (Version::V4, Some(used.at), &used.digest[..]));
    assert_eq!((read.property.as_str(), &read.extensions), (used.property, &vec![receipt.clone()]));
    assert_eq!((read.seal.whole.as_slice(), read.stamp), (house.seal.as_slice(), Some(token)));
    assert_eq!(holds(&read.signer, &read.to_be_signed, &read.value), Some(Form::Standard));
    assert_eq!(read.value, write::written(&value).unwrap());

    // Without extensions and time stamp.
    let used = Use { extensions: &[], ..used };
    let to_be_signed = write::to_be_signed(&used).unwrap();
    let whole = write::assemble(&to_be_signed, &house.signer, &pki.seal_key.sign(&to_be_signed), None).unwrap();
    assert!(read_signature(&whole).unwrap().stamp.is_none());
    // A key that the seal does not name.
    let stranger = Hierarchy::of(Key::sm2).seal.der().to_vec();
    let refused = write::assemble(&to_be_signed, &stranger, &pki.seal_key.sign(&to_be_signed), None);
    assert_eq!(refused, Err(NotASeal("signer's certificate")));
    assert_eq!(write::assemble(&to_be_signed, &house.signer, &[1; 63], None), Err(NotASeal("signature value")));
}

#[test]
fn a_seal_names_its_holders_and_its_maker_is_another() {
    let pki = Hierarchy::of(Key::sm2);
    let house = Made::of(&pki);
    let digest = Digest::Sm3.over(&[&house.signer]);
    let listed = Holders::Digests(vec![("1.2.156.10197.1.401".into(), digest)]);
    let information = write::seal_information(&making(&listed, &picture())).unwrap();
    let value = house.maker_key.sign(&information);
    let seal = read_seal(&write::assemble_seal(&information, &house.maker, &value).unwrap()).unwrap();
    assert!(seal.is_held_by(&house.signer) && !seal.is_held_by(&house.maker));
    // The signer as his own maker.
    let own = write::assemble_seal(&information, &house.signer, &pki.seal_key.sign(&information));
    assert_eq!(own, Err(NotASeal("maker's certificate")));
    for (fault, part) in [
        (write::seal_information(&making(&Holders::Certificates(Vec::new()), &picture())), "certificate list"),
        (write::seal_information(&write::Making { id: "五一三二", ..making(&listed, &picture()) }), "seal's number"),
        (
            write::seal_information(&write::Making {
                valid_until: MADE - time::Duration::DAY,
                ..making(&listed, &picture())
            }),
            "validity",
        ),
    ] {
        assert_eq!(fault, Err(NotASeal(part)));
    }
}

/// V5: its time stamp stands behind the maker's value, and a use of it counts as the seal does.
#[test]
fn a_seal_of_the_newer_version_has_its_time_stamp_and_is_used() {
    let pki = Hierarchy::of(Key::sm2);
    let house = Made::of(&pki);
    let listed = Holders::Certificates(vec![house.signer.clone()]);
    let information =
        write::seal_information(&write::Making { version: Version::V5, ..making(&listed, &picture()) }).unwrap();
    let (value, token) = (house.maker_key.sign(&information), vec![0x30; 500]);
    let file = write::assemble_stamped_seal(&information, &house.maker, &value, &token).unwrap();
    let seal = read_seal(&file).unwrap();
    assert_eq!((seal.version, seal.stamp.as_deref()), (Version::V5, Some(&token[..])));
    assert_eq!(holds(&seal.maker, &seal.to_be_signed, &seal.value), Some(Form::Standard));
    // Neither version passes for the other.
    assert!(write::assemble_seal(&information, &house.maker, &value).is_err());
    let older = write::seal_information(&making(&listed, &picture())).unwrap();
    let of_older = house.maker_key.sign(&older);
    assert!(write::assemble_stamped_seal(&older, &house.maker, &of_older, &token).is_err());
    let none = write::seal_information(&write::Making { version: Version::V1, ..making(&listed, &picture()) });
    assert_eq!(none, Err(NotASeal("version")));

    let used = Use { seal: &file, at: MADE, digest: &[9; 32], property: "/a", extensions: &[] };
    let to_be_signed = write::to_be_signed(&used).unwrap();
    let whole = write::assemble(&to_be_signed, &house.signer, &pki.seal_key.sign(&to_be_signed), None).unwrap();
    let read = read_signature(&whole).unwrap();
    assert_eq!((read.version, read.seal.whole.as_slice()), (Version::V5, file.as_slice()));
}

#[test]
fn a_picture_in_dots_has_the_seal_s_size() {
    use crate::impression::{Impression, Picture as Look, Segment, Shape};

    let segments = vec![Segment::Move(1.0, 1.0), Segment::Line(39.0, 1.0), Segment::Line(20.0, 29.0), Segment::Close];
    let shapes = vec![Shape { rgb: [200, 0, 0], segments }];
    let drawn = super::Picture::in_dots(&Impression { width_mm: 40.0, height_mm: 30.0, picture: Look::Vector(shapes) });
    assert_eq!((drawn.label.as_str(), drawn.width_mm, drawn.height_mm), ("PNG", 40, 30));
    let size: Vec<u8> = [945_u32.to_be_bytes(), 709_u32.to_be_bytes()].concat();
    assert_eq!((&drawn.data[1..4], &drawn.data[16..24]), (&b"PNG"[..], &size[..]));
}

#[test]
fn openssl_finds_our_values_right() {
    let pki = Hierarchy::of(Key::sm2);
    let house = Made::of(&pki);
    let seal = read_seal(&house.seal).unwrap();
    let mut changed = seal.to_be_signed.clone();
    *changed.last_mut().unwrap() ^= 1;
    for (message, right) in [(&seal.to_be_signed, true), (&changed, false)] {
        assert_eq!(openssl_takes_sm2(&house.maker_key.public_key, message, &seal.value), right);
    }
}
