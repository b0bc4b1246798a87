//! OFD files for the verification page: one of the bureau, and those of another house whose maker, user and template can be
//! chosen, as no key of ours lets itself be misused.

use sm2::dsa::{Signature, SigningKey, signature::Signer};
use sm2::elliptic_curve::sec1::ToSec1Point;
use time::Duration;
use yinxin::abolish::{AbolishRequest, abolish};
use yinxin::crypto::Digest;
use yinxin::decision::{DecisionRequest, Hands};
use yinxin::impression::Place;
use yinxin::issue::{UploadPlace, UploadRequest, issue, seal_upload};
use yinxin::ofd::package::{Package, write};
use yinxin::ofd::seal::{SealPlan, prepare};
use yinxin::officer::{Duty, Officer};
use yinxin::pki::certificate::Certificate;
use yinxin::pki::issue::{self as certificates, Addresses, Period, Serial, Unsigned};
use yinxin::pki::name::{Attribute, Name};
use yinxin::pki::revocation::RevocationList;
use yinxin::pki::tlv::{self, bit_string, object_identifier, wrap};
use yinxin::ses::write::{Making, Use, seal_information, to_be_signed};
use yinxin::ses::{self, Holders, Picture, SM2_WITH_SM3};
use yinxin::verify::Trust;

use crate::bureau::*;
use crate::ofd::made_as_data;

/// What is wrong with a file of the other house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    Nothing,
    /// The seal is not signed by its maker's key.
    Maker,
    /// The signer is none of those whom the seal names.
    Holder,
    /// A page template is not in the list.
    Template,
}

/// A house on keys that are known to everybody.
pub struct Elsewhere {
    root: Certificate,
    issuing: Certificate,
    lists: Vec<RevocationList>,
    maker: Vec<u8>,
    user: Vec<u8>,
    stranger: Vec<u8>,
}

const ROOT: u8 = 1;
const ISSUING: u8 = 2;
const MAKER: u8 = 3;
const USER: u8 = 4;
const STRANGER: u8 = 5;

fn key(number: u8) -> SigningKey {
    SigningKey::from_slice("1234567812345678", &[number; 32]).unwrap()
}

fn public(number: u8) -> Vec<u8> {
    let point = key(number).verifying_key().as_affine().to_sec1_point(false);
    let oid = |dotted: &str| object_identifier(dotted.parse().unwrap());
    let algorithm = wrap(tlv::SEQUENCE, &[&oid("1.2.840.10045.2.1"), &oid("1.2.156.10197.1.301")]);
    wrap(tlv::SEQUENCE, &[&algorithm, &bit_string(point.as_bytes())])
}

fn sign(number: u8, message: &[u8]) -> Vec<u8> {
    let value: Signature = key(number).sign(message);
    value.to_der().as_bytes().to_vec()
}

fn finished(number: u8, unsigned: Unsigned) -> Vec<u8> {
    let value = sign(number, unsigned.to_be_signed());
    unsigned.signed(&value).unwrap()
}

impl Elsewhere {
    pub fn new() -> Self {
        let period = Period { not_before: NOW - Duration::days(100), not_after: NOW + Duration::days(900) };
        let name = |common: &str| Name::of(&[(Attribute::Country, "CN"), (Attribute::CommonName, common)]).unwrap();
        let serial = |number| Serial::from_random([number; 16]);
        let at = Addresses { list: Some("http://crl.example/other.crl".into()), ..Addresses::default() };
        let read = |der: Vec<u8>| Certificate::read(&der).unwrap();
        let root = certificates::root(&name("邻县根证书（示例）"), &public(ROOT), serial(ROOT), period).unwrap();
        let root = read(finished(ROOT, root));
        let issuing = name("邻县签发机构（示例）");
        let issuing =
            certificates::issuing_authority(&root, &issuing, &public(ISSUING), serial(ISSUING), period, &at).unwrap();
        let issuing = read(finished(ROOT, issuing));
        let seal = |number: u8, subject: &Name| {
            finished(
                ISSUING,
                certificates::seal(&issuing, subject, &public(number), serial(number), period, &at).unwrap(),
            )
        };
        let unit = |number: &str, unit: &str| Name::of_seal("11513223MB1234567X", unit, number).unwrap();
        let list = |authority: &Certificate, number| {
            let due = NOW + Duration::days(7);
            let list = certificates::revocation_list(authority, 1, NOW - Duration::HOUR, due, &[]).unwrap();
            RevocationList::read(&finished(number, list)).unwrap()
        };
        Self {
            maker: seal(MAKER, &name("邻县制章机构（示例）")),
            user: seal(USER, &unit("51322300000001", "邻县行政审批局（示例）")),
            stranger: seal(STRANGER, &name("某公司（示例）")),
            lists: vec![list(&root, ROOT), list(&issuing, ISSUING)],
            root,
            issuing,
        }
    }

    /// Whoever believes this house.
    pub fn trust(&self) -> Trust {
        let (anchors, intermediates) = (vec![self.root.clone()], vec![self.issuing.clone()]);
        Trust { anchors, intermediates, lists: self.lists.clone(), ..Trust::default() }
    }

    /// A licence under this house's seal.
    pub fn licence(&self, wrong: Wrong) -> Vec<u8> {
        let picture = self.picture();
        let holders = Holders::Certificates(vec![self.user.clone()]);
        let information = seal_information(&Making {
            version: ses::Version::V4,
            vendor: "example",
            id: "51322300000001",
            kind: 6,
            name: "邻县行政审批专用章（示例）",
            holders: &holders,
            made_at: NOW - Duration::days(90),
            valid_from: NOW - Duration::days(90),
            valid_until: NOW + Duration::days(700),
            picture: &picture,
        })
        .unwrap();
        let value = sign(if wrong == Wrong::Maker { STRANGER } else { MAKER }, &information);
        let (maker, algorithm) = (wrap(tlv::OCTET_STRING, &[&self.maker]), object_identifier(SM2_WITH_SM3));
        let seal = wrap(tlv::SEQUENCE, &[&information, &maker, &algorithm, &bit_string(&value)]);

        let read = ses::read_seal(&seal).unwrap();
        let places = [Place::On { page: 0, centre_mm: (240.0, 165.0) }];
        let draft = with_template(&drafted());
        let prepared = prepare(&draft, &SealPlan { seal: &read, places: &places, at: NOW, lock: false }).unwrap();
        let mut files = unpacked(prepared.package());
        let said = files.iter_mut().find(|(name, _)| name.ends_with("/Signature.xml")).unwrap();
        if wrong == Wrong::Template {
            let text = String::from_utf8(said.1.clone()).unwrap();
            let at = text.find("<ofd:Reference FileRef=\"/Doc_0/Tpls/").unwrap();
            let end = at + text[at..].find("</ofd:Reference>").unwrap() + "</ofd:Reference>".len();
            said.1 = format!("{}{}", &text[..at], &text[end..]).into_bytes();
        }
        let digest = Digest::Sm3.over(&[&said.1]).try_into().unwrap();
        let property = prepared.property();
        let used = Use { seal: &seal, at: NOW, digest: &digest, property: &property, extensions: &[] };
        let to_be_signed = to_be_signed(&used).unwrap();
        let (signer, number) = match wrong {
            Wrong::Holder => (&self.stranger, STRANGER),
            _ => (&self.user, USER),
        };
        let value = bit_string(&sign(number, &to_be_signed));
        let signer = wrap(tlv::OCTET_STRING, &[signer]);
        let value = wrap(tlv::SEQUENCE, &[&to_be_signed, &signer, &algorithm, &value]);
        files.push(("Doc_0/Signs/Sign_0/SignedValue.dat".into(), value));
        repacked(&files)
    }

    fn picture(&self) -> Picture {
        let look = serde_json::json!({ "arc": "邻县行政审批局", "purpose": "行政审批专用章", "centre": "star", "diameter_mm": 42.0 });
        Picture::in_dots(&yinxin::desk::impression(&renderer(), &look).unwrap())
    }
}

/// A food licence as the bureau draws it.
fn drafted() -> Vec<u8> {
    let example = include_str!("../../templates/food-operation-licence/example.json");
    let data = serde_json::from_str(example).unwrap();
    renderer().render_ofd("food-operation-licence", &data, "x", NOW).unwrap().ofd
}

/// With a template below its first page, in which forgers could write what they like.
fn with_template(draft: &[u8]) -> Vec<u8> {
    const BEGIN: &str = "<ofd:Page xmlns:ofd=\"http://www.ofdspec.org/2016\"><ofd:Content><ofd:Layer ID=\"90001\">";
    let mut files = unpacked(draft);
    for (name, content) in &mut files {
        if name == "Doc_0/Document.xml" {
            let text = String::from_utf8(content.clone()).unwrap();
            let template = "<ofd:TemplatePage ID=\"90000\" BaseLoc=\"Tpls/Tpl_0/Content.xml\"/></ofd:CommonData>";
            *content = text.replace("</ofd:CommonData>", template).into_bytes();
        }
    }
    files.push(("Doc_0/Tpls/Tpl_0/Content.xml".into(), format!("{BEGIN}</ofd:Layer></ofd:Content></ofd:Page>").into()));
    repacked(&files)
}

/// A file for the page, and what the page must say of it.
pub struct Shown {
    pub name: &'static str,
    pub file: Vec<u8>,
    /// In the one word at its head.
    pub word: &'static str,
    pub says: &'static [&'static str],
}

/// One file for each verdict. On the way the department's seal is abolished.
pub async fn shown(bureau: &Bureau, elsewhere: &Elsewhere) -> Vec<Shown> {
    let (good, old) = of_the_bureau(bureau).await;
    let [first, second] = &bureau.government;
    abolish(&bureau.desk, first, second, AbolishRequest { acknowledged: 1, ..bureau.closing() }, NOW).await.unwrap();
    let other = |wrong| elsewhere.licence(wrong);
    vec![
        Shown {
            name: "ofd-good",
            file: good,
            word: "核验通过",
            says: &["食品经营许可证", "示例县行政审批专用章", "是：签章后未被改动", "签名覆盖包内全部文件"],
        },
        Shown {
            name: "ofd-elsewhere",
            file: other(Wrong::Nothing),
            word: "核验通过",
            says: &["51322300000001", "签章人的证书在印章的使用人名单中"],
        },
        Shown {
            name: "ofd-maker",
            file: other(Wrong::Maker),
            word: "核验不通过",
            says: &["印章“邻县行政审批专用章（示例）”不是制章机构签发的那一枚", "SIG_CRYPTO_FAILURE", "未获证实"],
        },
        Shown {
            name: "ofd-holder",
            file: other(Wrong::Holder),
            word: "核验不通过",
            says: &["签章人不在印章的使用人名单中", "某公司（示例）", "SIG_CONSTRAINTS_FAILURE"],
        },
        Shown {
            name: "ofd-abolished",
            file: old,
            word: "核验不通过",
            says: &["示例县市场监督管理局行政审批专用章", "废止", "示府〔2020〕63号", "REVOKED"],
        },
        Shown {
            name: "ofd-template",
            file: other(Wrong::Template),
            word: "无法确认",
            says: &["Doc_0/Tpls/Tpl_0/Content.xml", "会显示在页面上", "存疑", "SIGNED_DATA_NOT_FOUND"],
        },
    ]
}

/// The bureau's own licence, and what the department seals for a case that it had accepted before the transfer.
async fn of_the_bureau(bureau: &Bureau) -> (Vec<u8>, Vec<u8>) {
    let store = &bureau.desk.store;
    made_as_data(bureau, BUREAU_SEAL).await;
    let asked = licence("许准〔2026〕1号", NOW - Duration::days(3));
    let issued = issue(&bureau.desk, &bureau.chief, asked, NOW).await.unwrap();
    let good = store.document(&issued.ofd.unwrap()).await.unwrap().unwrap().bytes;

    made_as_data(bureau, DEPARTMENT_SEAL).await;
    let by = store.officer(&person("old-chief")).await.unwrap().unwrap();
    for (id, duty) in [("old-intake", Duty::Intake), ("old-review", Duty::Review), ("old-produce", Duty::Produce)] {
        let officer = Officer { id: person(id), duties: [duty].into(), ..by.clone() };
        store.add_officer(&officer, "", "test", NOW).await.unwrap();
    }
    let hand = |id| person(&format!("old-{id}"));
    let hands =
        Hands { intake: hand("intake"), review: hand("review"), decide: hand("chief"), produce: hand("produce") };
    let request = UploadRequest {
        decision: DecisionRequest { hands, ..decision("许准〔2020〕9号", TRANSFER - Duration::DAY) },
        seal: number(DEPARTMENT_SEAL),
        title: "食品经营许可证".into(),
        place: UploadPlace::At { page: 1, x_mm: 240.0, y_mm: 165.0 },
        more_places: vec![],
        straddle_mm: None,
    };
    let sealed = seal_upload(&bureau.desk, &by, request, drafted(), NOW).await.unwrap();
    let old = store.document(&sealed.document).await.unwrap().unwrap().bytes;
    (good, old)
}

fn unpacked(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let package = Package::open(bytes).unwrap();
    package.entries().iter().map(|entry| (entry.name.clone(), package.unpack(entry).unwrap())).collect()
}

fn repacked(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    write(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
}
