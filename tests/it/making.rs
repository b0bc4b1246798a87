//! Seals as data at the command line and in a ceremony: every form that one may have, an outside maker's, and what becomes of it with
//! the next key.

use std::fs;

use serde_json::json;
use sm2::SecretKey;
use sm2::dsa::signature::Signer as _;
use sm2::dsa::{Signature, SigningKey};
use sm2::elliptic_curve::sec1::ToSec1Point;
use time::{Duration, OffsetDateTime};
use yinxin::ca::Authority;
use yinxin::ca::life::Rekey;
use yinxin::ca::making::{Form, as_page};
use yinxin::crypto::{Digest, KeyAlgorithm};
use yinxin::desk;
use yinxin::pki::certificate::{Certificate, to_pem};
use yinxin::pki::issue::{self, Addresses, Period, Serial, Unsigned};
use yinxin::pki::name::{Attribute, Name};
use yinxin::ses::write::{Making, assemble_seal, seal_information};
use yinxin::ses::{Holders, Seal, Version, read_seal, read_signature};
use yinxin::stamp::Token;

use crate::bureau::*;
use crate::ceremony;
use crate::cli::Place;
use crate::db::Database;

const SEAL: &str = "51322100000002";
const TWO: [&str; 4] = ["--by", "zf-seal-1", "--second", "zf-seal-2"];

fn exported(place: &Place) -> Seal {
    place.run(&["seal", "export-ses", SEAL, "--out", "seal.esl"]).good();
    read_seal(&fs::read(place.folder.path().join("seal.esl")).unwrap()).unwrap()
}

/// A licence as OFD alone, under the seal as it is now; the seal in it.
fn sealed(place: &Place, number: &str) -> Seal {
    let request = place.request(number);
    place.run(&["issue", &request, "--officer", "spj-chief", "--format", "ofd", "--out", "licence.ofd"]).good();
    let report = place.json(&["verify", "licence.ofd"]);
    assert_eq!(report["indication"], "TOTAL-PASSED", "{number}: {report:#}");
    let file = fs::read(place.folder.path().join("licence.ofd")).unwrap();
    let package = yinxin::ofd::package::Package::open(&file).unwrap();
    let value = package.unpack(package.entry("Doc_0/Signs/Sign_0/SignedValue.dat").unwrap()).unwrap();
    let used = read_signature(&value).unwrap();
    assert_eq!(used.version, used.seal.version);
    used.seal
}

fn stamp_covers(seal: &Seal) -> bool {
    Token::read(seal.stamp.as_deref().unwrap()).unwrap().covers_bytes(&seal.value).is_ok()
}

#[test]
fn a_seal_is_made_in_every_form_and_seals_in_each() {
    let place = Place::with_bureau("sqlite:data/yinxin.sqlite");
    let two = |words: &[&str]| place.run(&[words, &TWO[..]].concat());
    two(&["seal", "make-cert", SEAL, "--algorithm", "sm2"]).good();
    let forms: [(&[&str], Version, bool, &str); 4] = [
        (&[], Version::V4, false, "PNG"),
        (&["--picture", "ofd"], Version::V4, false, "ofd"),
        (&["--digests"], Version::V4, true, "PNG"),
        (&["--v5", "--digests", "--picture", "ofd"], Version::V5, true, "ofd"),
    ];
    for (nth, (asked, version, digests, label)) in forms.into_iter().enumerate() {
        two(&[&["seal", "make-ses", SEAL], asked].concat()).good();
        let made = exported(&place);
        assert_eq!((made.version, made.picture.label.as_str()), (version, label), "{asked:?}");
        assert_eq!(matches!(made.holders, Holders::Digests(_)), digests, "{asked:?}");
        assert_eq!(made.stamp.is_some(), version == Version::V5);
        assert!(made.stamp.is_none() || stamp_covers(&made));
        assert_eq!(sealed(&place, &format!("JY2513221000001{nth}")), made, "{asked:?}");
    }
}

/// A certificate authority somewhere else, and a maker of seals under it.
struct Outside {
    root: Certificate,
    /// Its revocation list, DER.
    list: Vec<u8>,
    maker: Certificate,
    key: SigningKey,
}

impl Outside {
    #[expect(
        clippy::disallowed_methods,
        reason = "the command line reads the machine's clock, and takes what is valid by it"
    )]
    fn found() -> Self {
        let now = OffsetDateTime::now_utc().truncate_to_second();
        let key = |seed: u8| SigningKey::new("1234567812345678", &SecretKey::from_slice(&[seed; 32]).unwrap()).unwrap();
        let public = |key: &SigningKey| {
            // SubjectPublicKeyInfo of an SM2 key (GM/T 0009 §7.1): id-ecPublicKey, sm2p256v1, the point.
            let head = hex::decode("3059301306072a8648ce3d020106082a811ccf5501822d034200").unwrap();
            [&head[..], key.verifying_key().as_affine().to_sec1_point(false).as_bytes()].concat()
        };
        let name = |common| Name::of(&[(Attribute::Country, "CN"), (Attribute::CommonName, common)]).unwrap();
        let finish = |unsigned: Unsigned, by: &SigningKey| {
            let value: Signature = by.sign(unsigned.to_be_signed());
            Certificate::read(&unsigned.signed(value.to_der().as_bytes()).unwrap()).unwrap()
        };
        let period = Period { not_before: now - Duration::DAY, not_after: now + Duration::days(3000) };
        let (of_root, of_maker) = (key(11), key(12));
        let root = issue::root(&name("外部根"), &public(&of_root), Serial::from_random([5; 16]), period).unwrap();
        let root = finish(root, &of_root);
        let serial = Serial::from_random([6; 16]);
        let maker = issue::seal(&root, &name("制章机构"), &public(&of_maker), serial, period, &Addresses::default());
        let list = issue::revocation_list(&root, 1, now, now + Duration::days(30), &[]).unwrap();
        let value: Signature = of_root.sign(list.to_be_signed());
        let list = list.signed(value.to_der().as_bytes()).unwrap();
        Self { maker: finish(maker.unwrap(), &of_root), root, list, key: of_maker }
    }

    /// The same seal, made here for the same certificates.
    fn makes(&self, like: &Seal) -> Vec<u8> {
        let making = Making {
            version: Version::V4,
            vendor: "outside",
            id: &like.id,
            kind: like.kind,
            name: &like.name,
            holders: &like.holders,
            made_at: like.made_at,
            valid_from: like.valid_from,
            valid_until: like.valid_until,
            picture: &like.picture,
        };
        let information = seal_information(&making).unwrap();
        let value: Signature = self.key.sign(&information);
        assemble_seal(&information, self.maker.der(), value.to_der().as_bytes()).unwrap()
    }
}

#[test]
fn an_outside_maker_s_seal_is_taken_where_it_is_this_seal_s_and_its_maker_is_trusted() {
    let place = Place::with_bureau("sqlite:data/yinxin.sqlite");
    let two = |words: &[&str]| place.run(&[words, &TWO[..]].concat());
    two(&["seal", "make-cert", SEAL, "--algorithm", "sm2"]).good();
    two(&["seal", "make-ses", SEAL]).good();
    let (ours, outside) = (exported(&place), Outside::found());
    let at = |name: &str| place.folder.path().join(name);
    let made = outside.makes(&ours);
    fs::write(at("outside.esl"), &made).unwrap();
    let import = |file: &str| two(&["seal", "import-ses", SEAL, file, "--issuers", "outside.pem"]);
    fs::write(at("outside.pem"), to_pem("CERTIFICATE", outside.root.der())).unwrap();
    // Nobody here trusts its root yet.
    assert_eq!(import("outside.esl").code, 1);
    trust(&place, &outside);
    let mut forged = made.clone();
    let name = forged.windows(6).position(|window| window == "汶川".as_bytes()).unwrap();
    forged[name + 2] ^= 1;
    fs::write(at("forged.esl"), forged).unwrap();
    import("forged.esl").complains(1, "making.import");
    fs::write(at("other.esl"), outside.makes(&Seal { id: "51322100000110".into(), ..ours.clone() })).unwrap();
    import("other.esl").complains(1, "making.import");
    let stranger = Holders::Certificates(vec![outside.root.der().to_vec()]);
    fs::write(at("holder.esl"), outside.makes(&Seal { holders: stranger, ..ours.clone() })).unwrap();
    import("holder.esl").complains(1, "making.import");

    import("outside.esl").good();
    assert_eq!(exported(&place).whole, made);
    assert_eq!(sealed(&place, "JY25132210000021").vendor, "outside");
    import("outside.esl").complains(1, "store.seal-file");
}

/// Puts a root among those that the settings trust, with what it revoked, which is nothing.
fn trust(place: &Place, outside: &Outside) {
    let folder = place.folder.path().join("trusted");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("outside.pem"), to_pem("CERTIFICATE", outside.root.der())).unwrap();
    fs::write(folder.join("outside.crl"), to_pem("X509 CRL", &outside.list)).unwrap();
    let settings = fs::read_to_string(&place.settings).unwrap() + "[verify]\ntrust = \"trusted\"\n";
    fs::write(&place.settings, settings).unwrap();
}

#[test]
fn a_ceremony_makes_the_seal_as_data_in_the_form_that_the_script_says() {
    let place = ceremony::founded();
    let making = "[[step]]\ndo = \"init-authorities\"\norganisation = \"示例\"\n\
        [[step]]\ndo = \"make-seal-key\"\nseal = \"51322100000002\"\nalgorithm = \"sm2\"\n\
        [[step]]\ndo = \"make-ses\"\nseal = \"51322100000002\"\npicture = \"ofd\"\ndigests = true\nv5 = true\n\
        [[step]]\ndo = \"make-ses\"\nseal = \"51322100000002\"\n";
    let script = ceremony::script(&place, "making.toml", ["spj-seal-1", "spj-seal-2"], making);
    place.run(&["ceremony", &script]).good();
    let said = ceremony::transcript(&place, "making.transcript.json");
    let states: Vec<_> = said["steps"].as_array().unwrap().iter().map(|step| step["state"].clone()).collect();
    assert_eq!(states, vec![json!("done"); 4], "{said:#}");
    // Both are filed, the newest is used.
    let newest = exported(&place);
    assert_eq!((newest.version, newest.picture.label.as_str()), (Version::V4, "PNG"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_key_s_seal_has_the_form_of_the_one_before() {
    let database = Database::sqlite("making_again");
    let folder = tempfile::tempdir().unwrap();
    let bureau = Bureau::found(&database, folder.path()).await;
    let (store, authority) = (&bureau.desk.store, bureau.authority());
    let filed = store.seal(&number(BUREAU_SEAL)).await.unwrap().unwrap();
    let early = NOW - Duration::HOUR;
    let (one, other) = (&person("admin-1"), &person("admin-2"));
    authority.certify_seal(&filed.seal, KeyAlgorithm::Sm2, one, early).await.unwrap();
    let impression = desk::impression(&bureau.desk.renderer, &filed.impression).unwrap();
    let form = Form { picture: as_page(&filed.seal, &impression, early), digests: true, stamped: true };
    let without = Authority { stamps: None, ..authority.clone() };
    let refused = without.make_seal(&filed.seal, form.clone(), (one, other), early).await.unwrap_err();
    assert_eq!(refused.message().id, "making.no-stamps");
    let made = authority.make_seal(&filed.seal, form, (one, other), early).await.unwrap();

    let order = |serial: String| Rekey {
        serial: Some(serial),
        algorithm: None,
        used_from: NOW,
        document: "汶审批〔2026〕1号".into(),
        keeps_old_key: true,
    };
    let serial = async |digest: &str| store.certificate(digest).await.unwrap().unwrap().serial;
    let next = authority.rekey(&filed.seal, &order(serial(&made.certificate).await), (one, other), NOW).await.unwrap();
    let files = store.seal_files(&number(BUREAU_SEAL)).await.unwrap();
    assert_eq!((files.len(), &files[1].certificate), (2, &next.digest));
    let again = read_seal(&files[1].file).unwrap();
    assert_eq!((again.version, again.picture.label.as_str()), (Version::V5, "ofd"));
    let held = Digest::Sm3.over(&[&next.certificate]);
    assert_eq!(again.holders, Holders::Digests(vec![(Digest::Sm3.oid().to_string(), held)]));
    assert!(stamp_covers(&again));

    // Where no stamps are to be had it is not made in an older form instead.
    let late = NOW + Duration::HOUR;
    let order = Rekey { used_from: late, ..order(next.serial) };
    without.rekey(&filed.seal, &order, (one, other), late).await.unwrap();
    assert_eq!(store.seal_files(&number(BUREAU_SEAL)).await.unwrap().len(), 2);
}
