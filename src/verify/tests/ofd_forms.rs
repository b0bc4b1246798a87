//! OFD signatures in every form met, made here with real keys: what passes, and what is said of odd ones.

use const_oid::ObjectIdentifier;

use super::ofd::{in_register, repacked, two_pages, unpacked};
use super::stamps::{Tsa, astray, at};
use super::*;
use crate::crypto::Digest;
use crate::impression::Place;
use crate::ofd::seal::{SealPlan, prepare};
use crate::pki::tlv::{self, bit_string, object_identifier, unsigned_integer, wrap};
use crate::ses::trial::Made;
use crate::ses::{self, Holders, SM2_WITH_SM3, write::Use};

/// SignedData and data of GB/T 35275.
const GM_SIGNED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.6.1.4.2.2");
const GM_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.6.1.4.2.1");

/// A signature to come: the bytes of its file, and where that lies.
pub(super) struct Open<'a> {
    pub(super) said: &'a [u8],
    pub(super) property: &'a str,
}

pub(super) type Rewrite<'a> = &'a dyn Fn(&str) -> String;

/// The bureau, its seal, and what becomes of a package on its way.
pub(super) struct Scene {
    pub(super) house: House,
    pub(super) made: Made,
}

impl Scene {
    pub(super) fn new() -> Self {
        let house = House::on(Key::sm2);
        let made = Made::of(&house.pki);
        Self { house, made }
    }

    /// A package of two pages; `seal` lies beside, `list` and `signature` rewrite the two files, `value` makes the value.
    pub(super) fn package(
        &self,
        seal: &[u8],
        (list, signature): (Rewrite<'_>, Rewrite<'_>),
        value: &dyn Fn(Open<'_>) -> Vec<u8>,
    ) -> Vec<u8> {
        self.over(&two_pages(), seal, (list, signature), value)
    }

    pub(super) fn over(
        &self,
        draft: &[u8],
        seal: &[u8],
        (list, signature): (Rewrite<'_>, Rewrite<'_>),
        value: &dyn Fn(Open<'_>) -> Vec<u8>,
    ) -> Vec<u8> {
        let read = ses::read_seal(seal).unwrap();
        let places = [Place::On { page: 1, centre_mm: (150.0, 230.0) }];
        let prepared = prepare(draft, &SealPlan { seal: &read, places: &places, at: SEALED, lock: false }).unwrap();
        let mut files = unpacked(prepared.package());
        for (name, content) in &mut files {
            let rewrite = match name.rsplit('/').next().unwrap() {
                "Signatures.xml" => list,
                "Signature.xml" => signature,
                _ => continue,
            };
            *content = rewrite(std::str::from_utf8(content).unwrap()).into_bytes();
        }
        let said = files.iter().find(|(name, _)| name.ends_with("/Signature.xml")).unwrap().1.clone();
        let value = value(Open { said: &said, property: &prepared.property() });
        files.push(("Doc_0/Signs/Sign_0/SignedValue.dat".into(), value));
        repacked(&files)
    }

    /// The usual value: V4 by the seal's user.
    pub(super) fn v4(&self, seal: &[u8], open: Open<'_>) -> Vec<u8> {
        let digest = Digest::Sm3.over(&[open.said]).try_into().unwrap();
        let used = Use { seal, at: SEALED, digest: &digest, property: open.property, extensions: &[] };
        let to_be_signed = ses::write::to_be_signed(&used).unwrap();
        self.signed_by(&to_be_signed, &self.made.signer, &self.house.pki.seal_key)
    }

    pub(super) fn signed_by(&self, to_be_signed: &[u8], signer: &[u8], key: &Key) -> Vec<u8> {
        self.assembled(to_be_signed, signer, &key.sign(to_be_signed), None)
    }

    /// Without asking whether it fits, as a forger does.
    fn assembled(&self, to_be_signed: &[u8], signer: &[u8], value: &[u8], stamp: Option<&[u8]>) -> Vec<u8> {
        let stamp = stamp.map(|token| wrap(tlv::context(0), &[&bit_string(token)])).unwrap_or_default();
        let signer = wrap(tlv::OCTET_STRING, &[signer]);
        wrap(tlv::SEQUENCE, &[to_be_signed, &signer, &object_identifier(SM2_WITH_SM3), &bit_string(value), &stamp])
    }

    /// The usual package with its two files rewritten before the value is made.
    pub(super) fn usual(&self, rewrites: (Rewrite<'_>, Rewrite<'_>)) -> Vec<u8> {
        self.package(&self.made.seal, rewrites, &|open| self.v4(&self.made.seal, open))
    }

    pub(super) fn judge(&self, bytes: &[u8]) -> Report {
        in_register(&self.house, bytes)
    }

    /// A seal of another making.
    pub(super) fn seal(&self, holders: &Holders, making: impl FnOnce(&mut ses::write::Making<'_>)) -> Vec<u8> {
        let picture = ses::trial::picture();
        let mut wanted = ses::trial::making(holders, &picture);
        making(&mut wanted);
        self.maker_signs(&ses::write::seal_information(&wanted).unwrap(), &[])
    }

    fn maker_signs(&self, information: &[u8], more: &[u8]) -> Vec<u8> {
        let value = bit_string(&self.made.maker_key.sign(information));
        let maker = wrap(tlv::OCTET_STRING, &[&self.made.maker]);
        wrap(tlv::SEQUENCE, &[information, &maker, &object_identifier(SM2_WITH_SM3), &value, more])
    }
}

pub(super) fn same(text: &str) -> String {
    text.to_owned()
}

pub(super) fn found<'r>(report: &'r Report, id: &str) -> Option<(Outcome, &'r str)> {
    let check = report.signatures.first()?.checks.iter().find(|check| check.id == id)?;
    Some((check.outcome, check.message.id))
}

pub(super) fn notes(report: &Report) -> Vec<&'static str> {
    let odd = report.signatures[0].checks.iter().filter(|check| check.id == "tolerance");
    odd.map(|check| check.message.id).chain(report.findings.iter().map(|finding| finding.id)).collect()
}

// — versions

/// GM/T 0031-2025: version 5, and room for a stamp over the maker's value.
fn v5(scene: &Scene, stamp: Option<&dyn Fn(&[u8]) -> Vec<u8>>) -> Vec<u8> {
    let mut information = ses::read_seal(&scene.made.seal).unwrap().to_be_signed;
    let head = information.windows(7).position(|window| window == [0x16, 2, b'E', b'S', 2, 1, 4]).unwrap();
    information[head + 6] = 5;
    let value = scene.made.maker_key.sign(&information);
    let stamp = stamp.map(|stamp| wrap(tlv::context(0), &[&bit_string(&stamp(&value))])).unwrap_or_default();
    let maker = wrap(tlv::OCTET_STRING, &[&scene.made.maker]);
    wrap(tlv::SEQUENCE, &[&information, &maker, &object_identifier(SM2_WITH_SM3), &bit_string(&value), &stamp])
}

fn general_time(at: OffsetDateTime) -> Vec<u8> {
    let format = time::macros::format_description!("[year][month][day][hour][minute][second]Z");
    wrap(tlv::GENERALIZED_TIME, &[at.format(format).unwrap().as_bytes()])
}

fn utc_time(at: OffsetDateTime) -> Vec<u8> {
    wrap(
        tlv::UTC_TIME,
        &[&at
            .format(time::macros::format_description!("[year repr:last_two][month][day][hour][minute][second]Z"))
            .unwrap()
            .as_bytes()[..]],
    )
}

fn ascii(text: &str) -> Vec<u8> {
    wrap(0x16, &[text.as_bytes()])
}

fn v5_used(scene: &Scene, seal: &[u8], stamp: Option<&dyn Fn(&[u8]) -> Vec<u8>>) -> Vec<u8> {
    scene.package(seal, (&same, &same), &|open| {
        let digest = bit_string(&Digest::Sm3.over(&[open.said]));
        let parts = [&unsigned_integer(&[5]), seal, &general_time(SEALED), &digest, &ascii(open.property)];
        let to_be_signed = wrap(tlv::SEQUENCE, &parts);
        let value = scene.house.pki.seal_key.sign(&to_be_signed);
        let stamp = stamp.map(|stamp| stamp(&value));
        scene.assembled(&to_be_signed, &scene.made.signer, &value, stamp.as_deref())
    })
}

/// Who trusts an authority of time besides.
fn judged_with(scene: &Scene, more: &Trust, bytes: &[u8], now: OffsetDateTime) -> Report {
    let trust = Trust { intermediates: vec![scene.house.pki.issuing.clone()], ..scene.house.trust() };
    let mut evidence = Evidence::open("证照.ofd", bytes, Arc::new(trust.and(more.clone())), now);
    let record = sealed().map(Box::new);
    evidence.facts.fill(Facts::Filed { seal: scene.house.seal(), chain: Vec::new(), record, logged_since: None });
    judge(&evidence)
}

#[test]
fn the_new_format_s_time_stamps_must_hold() {
    let scene = Scene::new();
    let elsewhere = House::new();
    let tsa = Tsa::of(&elsewhere, datetime!(2035-01-01 00:00 UTC));
    let (trust, nobody) = (elsewhere.trust(), Trust::default());
    let over = |value: &[u8], wish| tsa.stamp(crate::crypto::sha256(value), &wish);
    let good = |value: &[u8]| over(value, at(trial::MADE + Duration::HOUR));
    let early = |value: &[u8]| over(value, at(trial::MADE - Duration::HOUR));
    let lost = |value: &[u8]| over(value, astray(trial::MADE + Duration::HOUR));
    let used = |value: &[u8]| over(value, at(SEALED + Duration::MINUTE));
    let used_elsewhere = |value: &[u8]| over(value, astray(SEALED + Duration::MINUTE));

    let plain = v5(&scene, None);
    assert!(judged_with(&scene, &nobody, &v5_used(&scene, &plain, None), NOW).verdict.is_genuine());
    let stamped = v5(&scene, Some(&good));
    let report = judged_with(&scene, &trust, &v5_used(&scene, &stamped, Some(&used)), NOW);
    assert!(report.verdict.is_genuine(), "{report:#?}");
    assert_eq!(found(&report, "seal-time-stamp").unwrap().0, Outcome::Passed);
    assert!(report.signatures[0].time_stamps[0].trusted);

    for (seal, trusts, id) in [
        (v5(&scene, Some(&lost)), &trust, "verify.seal-time-stamp"),
        (v5(&scene, Some(&early)), &trust, "verify.seal-made-late"),
        (stamped.clone(), &nobody, "verify.seal-time-stamp"),
    ] {
        let report = judged_with(&scene, trusts, &v5_used(&scene, &seal, None), NOW);
        assert_eq!(found(&report, "seal-time-stamp"), Some((Outcome::Indeterminate, id)));
        assert!(matches!(report.verdict, Verdict::Indeterminate(_)));
    }
    // A stamp of another value on the use: nobody loses it by chance.
    let report = judged_with(&scene, &trust, &v5_used(&scene, &plain, Some(&used_elsewhere)), NOW);
    assert_eq!(found(&report, "time-stamp"), Some((Outcome::Indeterminate, "verify.stamp-of-another")));
    assert!(!report.verdict.is_genuine());
}

#[test]
fn the_first_format_is_judged_by_its_own_rules() {
    let scene = Scene::new();
    let (pki, made) = (&scene.house.pki, &scene.made);
    let v4 = ses::read_seal(&made.seal).unwrap();
    let picture = &v4.picture;
    let head = wrap(tlv::SEQUENCE, &[&ascii("ES"), &unsigned_integer(&[1]), &ascii("yinxin")]);
    let listed = wrap(tlv::SEQUENCE, &[&wrap(tlv::OCTET_STRING, &[&made.signer])]);
    let (from, until) = (utc_time(v4.valid_from), utc_time(v4.valid_until));
    let name = wrap(tlv::UTF8_STRING, &[v4.name.as_bytes()]);
    let property = wrap(tlv::SEQUENCE, &[&unsigned_integer(&[1]), &name, &listed, &from, &from, &until]);
    let data = wrap(tlv::OCTET_STRING, &[&picture.data]);
    let picture = wrap(tlv::SEQUENCE, &[&ascii("ofd"), &data, &unsigned_integer(&[40]), &unsigned_integer(&[40])]);
    let information = wrap(tlv::SEQUENCE, &[&head, &ascii(&v4.id), &property, &picture]);
    let (maker, algorithm) = (wrap(tlv::OCTET_STRING, &[&made.maker]), object_identifier(SM2_WITH_SM3));
    let seal = |over: &[u8]| {
        let value = bit_string(&made.maker_key.sign(over));
        wrap(tlv::SEQUENCE, &[&information, &wrap(tlv::SEQUENCE, &[&maker, &algorithm, &value])])
    };
    let used = |seal: &[u8]| {
        scene.package(seal, (&same, &same), &|open| {
            let time = bit_string(b"2026-03-01 10:00:00");
            let digest = bit_string(&Digest::Sm3.over(&[open.said]));
            let signer = wrap(tlv::OCTET_STRING, &[&made.signer]);
            let parts = [&unsigned_integer(&[1]), seal, &time, &digest, &ascii(open.property), &signer, &algorithm[..]];
            let to_be_signed = wrap(tlv::SEQUENCE, &parts);
            wrap(tlv::SEQUENCE, &[&to_be_signed, &bit_string(&pki.seal_key.sign(&to_be_signed))])
        })
    };
    let whole = wrap(tlv::SEQUENCE, &[&information, &maker, &algorithm]);
    let report = scene.judge(&used(&seal(&whole)));
    assert!(report.verdict.is_genuine(), "{report:#?}");
    assert_eq!(found(&report, "seal-format"), Some((Outcome::Info, "verify.seal-old")));
    assert_eq!(report.signatures[0].signed_at, Some(SEALED));
    // By the rule of the later formats the maker's value is another.
    let report = scene.judge(&used(&seal(&information)));
    assert_eq!(found(&report, "seal"), Some((Outcome::Failed, "verify.seal-wrong")));
    assert_eq!(report.verdict, Verdict::Failed(Sub::SigCryptoFailure));
}

// — without a seal

/// GB/T 35275 as met in form A: the content is SM3 of the list, and the value is over those 32 bytes.
fn form_a(scene: &Scene, content: &[u8], raw: bool) -> Vec<u8> {
    let pki = &scene.house.pki;
    let of = |oid| wrap(tlv::SEQUENCE, &[&object_identifier(oid)]);
    let sm3 = of(Digest::Sm3.oid());
    let inside = wrap(tlv::context(0), &[&wrap(tlv::OCTET_STRING, &[content])]);
    let mut value = pki.seal_key.sign(content);
    if raw {
        value = ses::Value::read(&value).map(|value| [value.r, value.s].concat()).unwrap();
    }
    let serial = wrap(tlv::INTEGER, &[&pki.seal.serial]);
    let signer = wrap(
        tlv::SEQUENCE,
        &[
            &unsigned_integer(&[1]),
            &wrap(tlv::SEQUENCE, &[pki.seal.issuer.as_der(), &serial]),
            &sm3,
            &of(ObjectIdentifier::new_unwrap("1.2.156.10197.1.301.1")),
            &wrap(tlv::OCTET_STRING, &[&value]),
        ],
    );
    let signed = wrap(
        tlv::SEQUENCE,
        &[
            &unsigned_integer(&[1]),
            &wrap(tlv::SET, &[&sm3]),
            &wrap(tlv::SEQUENCE, &[&object_identifier(GM_DATA), &inside]),
            &wrap(tlv::context(0), &[pki.seal.der()]),
            &wrap(tlv::SET, &[&signer]),
        ],
    );
    wrap(tlv::SEQUENCE, &[&object_identifier(GM_SIGNED), &wrap(tlv::context(0), &[&signed])])
}

/// Without a seal there is no list of who may sign: the value and the lists of files are judged all the same.
#[test]
fn signatures_without_a_seal_are_told_as_far_as_they_say() {
    let scene = Scene::new();
    let without = |value: &dyn Fn(Open<'_>) -> Vec<u8>| {
        let list = |text: &str| text.replace("Type=\"Seal\"", "Type=\"Sign\"");
        let signature = |text: &str| {
            let (head, rest) = text.split_once("<ofd:StampAnnot").unwrap();
            format!("{head}</ofd:SignedInfo>{}", rest.split_once("</ofd:SignedInfo>").unwrap().1)
        };
        scene.judge(&scene.package(&scene.made.seal, (&list, &signature), value))
    };
    for raw in [false, true] {
        let report = without(&|open| form_a(&scene, &Digest::Sm3.over(&[open.said]), raw));
        let signature = &report.signatures[0];
        assert!(signature.intact && signature.trusted, "{report:#?}");
        assert_eq!(found(&report, "digest").unwrap().0, Outcome::Passed);
        // Nothing that was signed names the certificate.
        assert_eq!(found(&report, "signing-certificate"), Some((Outcome::Indeterminate, "cms.no-reference")));
        assert_eq!(notes(&report).contains(&"ofd.odd.value"), raw);
        assert!(matches!(report.verdict, Verdict::Indeterminate(_)));
    }
    let other = without(&|_| form_a(&scene, &[7; 32], false));
    assert_eq!(other.verdict, Verdict::Failed(Sub::HashFailure));
    // Form C: a bare value.
    let bare = without(&|open| scene.house.pki.seal_key.sign(open.said));
    assert_eq!(found(&bare, "format"), Some((Outcome::Indeterminate, "verify.ofd-bare")));
    // A seal's list over what is no seal signature.
    let none = scene.package(&scene.made.seal, (&same, &same), &|open| form_a(&scene, open.said, false));
    assert_eq!(scene.judge(&none).verdict, Verdict::Failed(Sub::FormatFailure));
}

// — read all the same

/// What is not as the standards have it and is met: it passes, and is said.
#[test]
fn every_tolerance_is_said_and_none_spoils() {
    let scene = Scene::new();
    assert_eq!(notes(&scene.judge(&scene.usual((&same, &same)))), Vec::<&str>::new());
    let cut = |text: &str, from: &str, to: &str| {
        let (head, rest) = text.split_once(from).unwrap();
        format!("{head}{}", rest.split_once(to).unwrap().1)
    };
    let first = |text: &str| {
        let at = text.find("<ofd:Reference ").unwrap();
        let end = text.find("</ofd:Reference>").unwrap() + "</ofd:Reference>".len();
        (at, text[at..end].to_owned())
    };
    let cases: [(&str, Rewrite<'_>, Rewrite<'_>); 12] = [
        ("ofd.odd.namespace", &same, &|text| text.replace("ofdspec.org/2016", "ofdspec.org")),
        ("ofd.odd.namespace", &|text| text.replace("ofdspec.org/2016", "ofdspec.org"), &same),
        ("ofd.odd.place", &same, &|text| text.replace("FileRef=\"/Doc_0/", "FileRef=\"//Doc_0/")),
        ("ofd.odd.place", &|text| text.replace("BaseLoc=\"/Doc_0/Signs/", "BaseLoc=\"\\Doc_0\\Signs\\"), &same),
        ("ofd.odd.relative", &same, &|text| text.replace("FileRef=\"/OFD.xml", "FileRef=\"OFD.xml")),
        ("ofd.odd.case", &same, &|text| {
            text.replace("<ofd:SignedValue>/Doc_0/Signs/", "<ofd:SignedValue>/Doc_0/signs/")
        }),
        ("ofd.odd.digest-name", &same, &|text| text.replace("1.2.156.10197.1.401", "SM3")),
        ("ofd.odd.order", &same, &|text| {
            let cut = cut(text, "<ofd:SignatureMethod>", "</ofd:SignatureMethod>");
            cut.replace(
                "</ofd:References>",
                "</ofd:References><ofd:SignatureMethod>1.2.156.10197.1.501</ofd:SignatureMethod>",
            )
        }),
        ("ofd.odd.twice", &same, &|text| {
            let (at, reference) = first(text);
            format!("{}{reference}{}", &text[..at], &text[at..])
        }),
        ("ofd.odd.number", &|text| text.replacen("Signature ID=\"s001\"", "Signature ID=\"\"", 1), &same),
        ("ofd.odd.method", &same, &|text| cut(text, "<ofd:SignatureMethod>", "</ofd:SignatureMethod>")),
        ("ofd.odd.time", &same, &|text| {
            let without = cut(text, "<ofd:SignatureDateTime>", "</ofd:SignatureDateTime>");
            without.replace(
                "<ofd:References",
                "<ofd:SignatureDateTime>2020-01-02 03:04:05</ofd:SignatureDateTime><ofd:References",
            )
        }),
    ];
    for (id, list, signature) in cases {
        let report = scene.judge(&scene.usual((list, signature)));
        assert!(report.verdict.is_genuine(), "{id}: {report:#?}");
        assert_eq!(notes(&report), [id]);
    }
    let nobody = scene.usual((&same, &|text| cut(text, "<ofd:Provider", "/>")));
    assert_eq!(notes(&scene.judge(&nobody)), ["ofd.odd.provider"]);
    // China time in the list, as most write it.
    let local = |text: &str| {
        let without = cut(text, "<ofd:SignatureDateTime>", "</ofd:SignatureDateTime>");
        without.replace(
            "<ofd:References",
            "<ofd:SignatureDateTime>2026-03-01 10:00:00</ofd:SignatureDateTime><ofd:References",
        )
    };
    assert_eq!(notes(&scene.judge(&scene.usual((&same, &local)))), Vec::<&str>::new());
    // Both values as r ‖ s.
    let raw = |value: &[u8]| ses::Value::read(value).map(|value| [value.r, value.s].concat()).unwrap();
    let information = ses::read_seal(&scene.made.seal).unwrap().to_be_signed;
    let (maker, value) = (wrap(tlv::OCTET_STRING, &[&scene.made.maker]), scene.made.maker_key.sign(&information));
    let seal =
        wrap(tlv::SEQUENCE, &[&information, &maker, &object_identifier(SM2_WITH_SM3), &bit_string(&raw(&value))]);
    let bytes = scene.package(&seal, (&same, &same), &|open| {
        let digest = Digest::Sm3.over(&[open.said]).try_into().unwrap();
        let used = Use { seal: &seal, at: SEALED, digest: &digest, property: open.property, extensions: &[] };
        let to_be_signed = ses::write::to_be_signed(&used).unwrap();
        let value = raw(&scene.house.pki.seal_key.sign(&to_be_signed));
        scene.assembled(&to_be_signed, &scene.made.signer, &value, None)
    });
    let report = scene.judge(&bytes);
    assert!(report.verdict.is_genuine(), "{report:#?}");
    assert_eq!(notes(&report), ["ofd.odd.value", "ofd.odd.value"]);
    // Backslashes in the archive.
    let mut files = unpacked(&scene.usual((&same, &same)));
    files.iter_mut().for_each(|(name, _)| *name = name.replace('/', "\\"));
    let report = scene.judge(&repacked(&files));
    assert!(report.verdict.is_genuine(), "{report:#?}");
    assert_eq!(notes(&report), ["ofd.odd.backslash"]);
}

/// Where the picture stands is the signer's choice, and the reader's to know.
#[test]
fn the_seal_s_picture_is_looked_for() {
    let scene = Scene::new();
    let stamp = |to: &dyn Fn(&str) -> String| {
        let report = scene.judge(&scene.usual((&same, &|text| {
            let at = text.find("<ofd:StampAnnot").unwrap();
            let end = at + text[at..].find("/>").unwrap() + 2;
            format!("{}{}{}", &text[..at], to(&text[at..end]), &text[end..])
        })));
        assert!(report.verdict.is_genuine(), "{report:#?}");
        found(&report, "seal-picture").map(|(outcome, id)| (outcome, id.to_owned()))
    };
    assert_eq!(stamp(&same), None);
    let info = |id: &str| Some((Outcome::Info, id.to_owned()));
    assert_eq!(stamp(&|_| String::new()), info("verify.stamp-nowhere"));
    assert_eq!(stamp(&|text| text.replace("PageRef=\"", "PageRef=\"9")), info("verify.stamp-on-no-page"));
    assert_eq!(stamp(&|text| text.replace(" 40 40\"", " 400 1\"")), info("verify.stamp-size"));
}
