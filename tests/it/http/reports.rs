//! Pictures beside a verdict, and the report to take home: with a real child process and a real seal.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use time::Duration;
use yinxin::crypto::KeyAlgorithm;
use yinxin::http::{PublicState, public_router};
use yinxin::issue::{ReportSeal, issue};
use yinxin::limits;
use yinxin::officer::{Duty, Employment, Grant, GrantedItems, Officer};
use yinxin::pdf::signatures;
use yinxin::preview::{Landlock, Previewer};
use yinxin::seal::{Level, Life, Seal, SealEvent, SealEventKind, SealKind};
use yinxin::store::OrderKind;

use super::client::{Answer, Client};
use super::{Doors, listen};
use crate::bureau::*;
use crate::db::{Database, on_both};

const REPORT_SEAL: &str = "51322100000003";

fn previewer() -> Previewer {
    Previewer::new(env!("CARGO_BIN_EXE_yinxin").into())
}

/// The bureau's legal-name seal with its key, and someone who answers for reports.
async fn designate(bureau: &Bureau) -> ReportSeal {
    let (store, owner) = (&bureau.desk.store, yinxin::authority::Uscc::parse(BUREAU).unwrap());
    let duties = [Duty::Produce].into();
    let name = "核验台（示例）".into();
    let officer = Officer {
        id: person("reports"),
        name,
        authority: owner.clone(),
        employment: Employment::Regular,
        duties,
        left: None,
    };
    store.add_officer(&officer, "", "test", NOW).await.unwrap();
    let activated = SealEvent {
        kind: SealEventKind::Activated,
        at: ACTIVATED,
        document: "〔2019〕2号".into(),
        reason: "启用".into(),
        successor: None,
        items: vec![],
    };
    let seal = Seal {
        number: number(REPORT_SEAL),
        owner,
        owner_name: "示例县行政审批局".into(),
        legend: "示例县行政审批局".into(),
        kind: SealKind::LegalName,
        life: Life::replay([activated]).unwrap(),
    };
    let picture = serde_json::json!({ "arc": "示例县行政审批局", "centre": "star", "diameter_mm": 42.0 });
    store.add_seal(&seal, &picture, Level::B, (&person("admin-1"), &person("admin-2")), NOW).await.unwrap();
    let grant = Grant {
        id: "g-reports".into(),
        officer: person("reports"),
        seal: seal.number.clone(),
        items: GrantedItems::All,
        from: ACTIVATED,
        until: NOW + Duration::days(365),
        given_by: "局长".into(),
        document: "授〔2026〕2号".into(),
        revoked_at: None,
    };
    store.add_grant(&grant, &person("admin-1"), &person("admin-2"), NOW).await.unwrap();
    let authority = bureau.authority();
    authority.certify_seal(&seal, KeyAlgorithm::EcdsaP256, &person("admin-1"), NOW - Duration::DAY).await.unwrap();
    authority.refresh("test", NOW).await.unwrap();
    ReportSeal { seal: seal.number, officer: person("reports") }
}

async fn page(client: &Client, pdf: &[u8]) -> Answer {
    let parts: [(&str, Option<&str>, &[u8]); 1] = [("file", Some("证照.pdf"), pdf)];
    let page = client.post_parts("/verify", &parts).await;
    assert_eq!(page.status, 200, "{}", page.text());
    page
}

/// Under which the page offers its report.
fn name(page: &str) -> String {
    let at = page.find("/verify/reports/").expect("a report to keep") + "/verify/reports/".len();
    page[at..at + 32].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_citizen_sees_the_pages_and_takes_the_report_home() {
    on_both("http_reports", async |database| {
        let doors = Doors::open(database).await;
        let bureau = &doors.bureau;
        let with = designate(bureau).await;
        let seconds = Arc::new(std::sync::atomic::AtomicI64::new(0));
        let late = seconds.clone();
        let clock: yinxin::http::Clock =
            Arc::new(move || NOW + Duration::seconds(late.load(std::sync::atomic::Ordering::SeqCst)));
        let plain = PublicState::new(bureau.desk.store.clone(), clock, Arc::default(), false);
        let state = plain.clone().drawing(previewer()).sealing(bureau.desk.clone(), with);
        let (address, _stop) = listen(public_router(state)).await;
        let client = Client::of(address);
        let issued =
            issue(&bureau.desk, &bureau.chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let pdf = bureau.desk.store.document(&issued.document).await.unwrap().unwrap().bytes;

        let answer = page(&client, &pdf).await;
        assert!(answer.header("content-security-policy").contains("img-src 'self' data:;"));
        assert_eq!(answer.header("cache-control"), "no-store");
        let text = answer.text();
        assert!(text.contains("核验通过") && text.matches("<img src=\"data:image/png;base64,").count() == 1, "{text}");
        // The picture is one, and of the whole A4 page.
        let from = text.find("base64,").unwrap() + 7;
        let png = BASE64_STANDARD.decode(text[from..].split('"').next().unwrap()).unwrap();
        let picture = image::load_from_memory(&png).unwrap();
        assert_eq!((picture.width(), picture.height()), (1287, 910));

        let name = name(&text);
        for (form, media_type, inside) in [
            ("report.json", "application/json", "\"indication\":\"TOTAL-PASSED\""),
            ("report.xml", "application/xml; charset=utf-8", "urn:etsi:019102:mainindication:total-passed"),
            ("report.html", "text/html; charset=utf-8", "核验通过"),
        ] {
            let file = client.page(&format!("/verify/reports/{name}/{form}")).await;
            assert_eq!((file.status, file.header("content-type")), (200, media_type), "{form}");
            assert!(file.header("content-disposition").starts_with("attachment; filename=\"report-"));
            assert_eq!((file.header("cache-control"), file.text().contains(inside)), ("no-store", true), "{form}");
        }
        for form in ["xml", "html"] {
            let direct = format!("/api/v1/verifications?report={form}");
            let answer = client.send("POST", &direct, "application/pdf", &pdf).await;
            assert!(answer.status == 200 && answer.header("content-type").contains(form), "{}", answer.text());
        }
        let answer = client.send("POST", "/api/v1/verifications?report=doc", "application/pdf", &pdf).await;
        assert_eq!(answer.status, 400);

        // Sealed: written down, in the ledger, and itself genuine. Asked for twice it is the same document.
        let path = format!("/verify/reports/{name}/sealed");
        let sealed = client.send("POST", &path, "application/x-www-form-urlencoded", b"").await;
        assert_eq!((sealed.status, sealed.header("content-type")), (200, "application/pdf"), "{}", sealed.text());
        assert_eq!(client.send("POST", &path, "", b"").await.body, sealed.body);
        let report = client.send("POST", "/api/v1/verifications", "application/pdf", &sealed.body).await.json();
        assert_eq!(
            (&report["indication"], &report["signatures"][0]["seal"]["number"]),
            (&"TOTAL-PASSED".into(), &REPORT_SEAL.into()),
            "{report}"
        );
        let ledger = bureau.desk.store.ledger(&yinxin::store::LedgerFilter { limit: 100, ..Default::default() }).await;
        let uses = ledger.unwrap().into_iter().filter(|line| line.kind == OrderKind::Report).collect::<Vec<_>>();
        assert_eq!(uses.len(), 1, "{uses:?}");
        let digest = hex::encode(yinxin::crypto::sha256(&pdf));
        assert!(uses[0].title.contains(&digest[..16]) && uses[0].officer == "reports", "{uses:?}");

        // Gone after its time; and without a seal for it there is no button and no way.
        seconds.store(limits::REPORT_MINUTES * 60, std::sync::atomic::Ordering::SeqCst);
        let answer = client.get(&format!("/verify/reports/{name}/report.json")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (404, "http.no-report"));
        let (address, _stop) = listen(public_router(plain)).await;
        let without = Client::of(address);
        let text = page(&without, &pdf).await.text();
        assert!(!text.contains("盖章的PDF报告") && !text.contains("base64") && text.contains("report.xml"), "{text}");
        let path = format!("/verify/reports/{}/sealed", self::name(&text));
        assert_eq!(without.send("POST", &path, "", b"").await.status, 404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_cannot_be_drawn_has_its_verdict_all_the_same() {
    on_both("http_bomb", async |database| {
        let doors = Doors::open(database).await;
        let store = doors.bureau.desk.store.clone();
        let state = PublicState::new(store, Arc::new(|| NOW), Arc::default(), false).drawing(previewer());
        let (address, _stop) = listen(public_router(state)).await;
        let client = Client::of(address);
        let text = page(&client, &bomb()).await.text();
        assert!(text.contains("没有可判断的电子签章") && text.contains("核验结论不受影响"), "{text}");
        assert!(!text.contains("base64,") && text.contains("report.json"), "{text}");
        let text = page(&client, b"no document at all").await.text();
        assert!(text.contains("无法识别文件格式") && !text.contains("页面预览"), "{text}");
    })
    .await;
}

/// One page with a picture of 2 GB, packed twice into some kilobytes.
fn bomb() -> Vec<u8> {
    use std::io::Write;

    let pack = |chunks: &mut dyn Iterator<Item = &[u8]>| {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        chunks.for_each(|chunk| packer.write_all(chunk).unwrap());
        packer.finish().unwrap()
    };
    // Deflate's best is a thousand to one; what it makes of zeros packs as well again.
    let zeros = vec![0_u8; 1 << 20];
    let inner = pack(&mut std::iter::repeat_n(zeros.as_slice(), 2048));
    let outer = pack(&mut std::iter::once(inner.as_slice()));
    let content = "q 595 0 0 842 0 0 cm /Im Do Q";
    let mut image = format!(
        "<</Type/XObject/Subtype/Image/Width 46000/Height 46000/BitsPerComponent 8/ColorSpace/DeviceGray\
         /Filter[/FlateDecode/FlateDecode]/Length {}>>stream\n",
        outer.len()
    )
    .into_bytes();
    image.extend(outer);
    image.extend(b"\nendstream");
    let objects = [
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec(),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</XObject<</Im 5 0 R>>>>>>".to_vec(),
        format!("<</Length {}>>stream\n{content}\nendstream", content.len()).into_bytes(),
        image,
    ];
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (index, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.extend(format!("{} 0 obj\n", index + 1).bytes().chain(object.iter().copied()).chain(*b"\nendobj\n"));
    }
    let at = file.len();
    file.extend(format!("{table}trailer<</Size {}/Root 1 0 R>>\nstartxref\n{at}\n%%EOF\n", objects.len() + 1).bytes());
    file
}

/// Pages of an OFD: drawn in the cage as SVG, which as a picture runs and fetches nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_citizen_sees_the_pages_of_an_ofd() {
    let doors = Doors::open(&Database::sqlite("http_ofd_pages")).await;
    let bureau = &doors.bureau;
    crate::ofd::made_as_data(bureau, BUREAU_SEAL).await;
    let clock: yinxin::http::Clock = Arc::new(|| NOW);
    let state = PublicState::new(bureau.desk.store.clone(), clock, Arc::default(), false).drawing(previewer());
    let (address, _stop) = listen(public_router(state)).await;
    let client = Client::of(address);
    let request = licence("许准〔2026〕1号", NOW - Duration::days(3));
    let issued = issue(&bureau.desk, &bureau.chief, request, NOW).await.unwrap();
    let ofd = bureau.desk.store.document(&issued.ofd.unwrap()).await.unwrap().unwrap().bytes;

    let answer = page(&client, &ofd).await;
    assert!(answer.header("content-security-policy").contains("img-src 'self' data:;"));
    let text = answer.text();
    assert!(text.contains("核验通过") && text.contains("第1页，共1页"), "{text}");
    assert!(text.contains("有签章1的印章") && !text.contains("红框") && !text.contains("没有画出"), "{text}");
    let [svg] = <[String; 1]>::try_from(drawings(&text)).unwrap();
    // The paper, letters as outlines, the seal's picture, and nothing that runs.
    assert!(
        svg.starts_with("<svg ") && svg.contains("width=\"297mm\"") && svg.contains("<use href=\"#d"),
        "{svg:.300}"
    );
    assert_eq!((svg.matches("<image ").count(), svg.matches("mix-blend-mode:multiply").count()), (1, 1));
    assert!(["<script", "onload", "href=\"http", "foreignObject"].iter().all(|word| !svg.contains(word)));
    // The answer in which a child sends them is bound to the cage.
    let drawn = previewer().draw_ofd(&ofd).unwrap();
    assert!(drawn.landlock.is_some() && drawn.left_out.is_empty() && !drawn.cut, "{drawn:?}");

    // A stranger's words stay words, on the page and in the picture; what is not drawn is said.
    let hostile = strange(
        "</text><script>alert(1)</script>",
        "<TextObject Boundary=\"1 1 50 9\" Font=\"5\" Size=\"4\"><TextCode X=\"0\" Y=\"4\">&lt;script&gt;alert(2)&lt;/script&gt;</TextCode>\
         </TextObject><PathObject><AbbreviatedData>M 0 0\"/&gt;&lt;script&gt; L 1 1</AbbreviatedData></PathObject>",
    );
    let text = page(&client, &hostile).await.text();
    assert!(
        !text.contains("<script") && text.contains("没有画出") && text.contains("&#60;script&#62;alert(1)"),
        "{text}"
    );
    let [svg] = <[String; 1]>::try_from(drawings(&text)).unwrap();
    assert!(
        !svg.contains("<script") && svg.contains("&lt;") && yinxin::ofd::xml::Node::read(svg.as_bytes()).is_ok(),
        "{svg}"
    );

    // One without end has its verdict, and of its pages what there is room for.
    let endless = strange("x", "<CompositeObject ResourceID=\"10\"/>");
    let text = page(&client, &endless).await.text();
    assert!(text.contains("内容过多"), "{text}");
    // One whose pages cannot be found has its verdict alone.
    let without = yinxin::ofd::package::write([("OFD.xml", &b"<OFD><DocBody/></OFD>"[..])]);
    assert!(page(&client, &without).await.text().contains("无法安全地绘制"));
}

fn drawings(page: &str) -> Vec<String> {
    let coded = page.split("data:image/svg+xml;base64,").skip(1).map(|rest| rest.split('"').next().unwrap());
    coded.map(|coded| String::from_utf8(BASE64_STANDARD.decode(coded).unwrap()).unwrap()).collect()
}

/// An OFD of one page with these objects, a font of this name, and compound objects that hold each other a hundredfold.
fn strange(font: &str, objects: &str) -> Vec<u8> {
    let unit = |id: usize| {
        let inside = format!("<CompositeObject ResourceID=\"{}\"/>", id + 1).repeat(100);
        format!("<CompositeGraphicUnit ID=\"{id}\"><Content>{inside}</Content></CompositeGraphicUnit>")
    };
    let resources = format!(
        "<Res><Fonts><Font ID=\"5\" FontName=\"{}\"/></Fonts><CompositeGraphicUnits>{}</CompositeGraphicUnits></Res>",
        yinxin::ofd::xml::escaped(font),
        (10..18).map(unit).collect::<String>()
    );
    let content = format!("<Page><Content><Layer>{objects}</Layer></Content></Page>");
    yinxin::ofd::package::write([
        ("OFD.xml", &b"<OFD><DocBody><DocRoot>D/Document.xml</DocRoot></DocBody></OFD>"[..]),
        (
            "D/Document.xml",
            b"<Document><CommonData><PublicRes>Res.xml</PublicRes></CommonData><Pages><Page ID=\"1\" BaseLoc=\"P.xml\"/></Pages></Document>",
        ),
        ("D/Res.xml", resources.as_bytes()),
        ("D/P.xml", content.as_bytes()),
    ])
}

#[test]
fn what_was_changed_after_signing_is_framed() {
    let Some(root) = std::env::var_os("YINXIN_CORPUS").map(std::path::PathBuf::from) else {
        return eprintln!("SKIPPED: YINXIN_CORPUS is not set");
    };
    let shadow = "files/RUB-NDS+pdf-attacker/shadow-demo-exploits/hide/variant-2_hide-via-referenced-object/\
        hide-text-via-form/4_original-document-shadowed-signed-manipulated.pdf";
    let pdf = std::fs::read(root.join(shadow)).unwrap();
    let signed = signatures::read(&pdf).unwrap().signatures[0].signed_length.unwrap();
    assert!(signed < pdf.len());
    let drawn = previewer().draw(&pdf, &[signed, pdf.len()]).unwrap();
    if drawn.landlock == Some(Landlock::None) {
        eprintln!("SKIPPED: this kernel has no Landlock, the limits alone were tried");
    }
    assert_eq!((drawn.pages, drawn.now.len(), drawn.states.len()), (1, 1, 2));
    let differing = &drawn.states[0].differing[0];
    assert!(differing.page == 1 && differing.places >= 1, "{} places", differing.places);
    let red = |png: &Option<String>| {
        let png = BASE64_STANDARD.decode(png.as_ref().unwrap()).unwrap();
        image::load_from_memory(&png).unwrap().into_rgb8().pixels().filter(|p| p.0 == [0xd0, 0x12, 0x1a]).count()
    };
    assert!(red(&differing.then) > 100 && red(&differing.now) > 100);
    assert_eq!((drawn.states[1].same, drawn.states[1].differing.len()), (1, 0), "the whole is as it is");
}
