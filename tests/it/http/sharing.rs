//! The sharing operations in the platforms' shape, and what they never tell.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use time::Duration;
use yinxin::authority::Uscc;
use yinxin::issue::issue;
use yinxin::item::{Item, ItemCode};
use yinxin::store::Scope;

use super::Doors;
use super::client::Client;
use crate::bureau::*;
use crate::db::on_both;

const TYPE: &str = "11100000MB0143028R013";
const HOLDER: &str = "92513221MA60000084";

/// A system that asks, in an officer's name.
struct System<'a> {
    client: Client,
    officer: &'a str,
    token: String,
}

impl System<'_> {
    async fn ask(&self, operation: &str, data: Value) -> Value {
        let body = json!({ "head": { "accessId": self.officer, "accessToken": self.token }, "data": data });
        let answer = self.client.post_json(&format!("/CertShare/{operation}"), &body).await;
        assert_eq!(answer.status, 200, "{operation} {}", answer.text());
        answer.json()
    }
}

fn status(answer: &Value) -> u64 {
    assert!(answer["head"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
    let status = answer["head"]["status"].as_u64().unwrap();
    assert_eq!(answer["data"].is_null(), status != 0, "{answer}");
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn platforms_find_the_operations_that_they_know() {
    on_both("http_sharing", async |database| {
        let doors = Doors::open(database).await;
        let (desk, chief) = (&doors.bureau.desk, &doors.bureau.chief);
        let issued = issue(desk, chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let identifier = issued.identifier.unwrap().to_string();
        let system =
            System { client: doors.staff(), officer: "chief", token: doors.token("chief", &[Scope::Share]).await };

        let answer = system.ask("queryCertInfo", json!({ "certIdentifier": identifier, "useCause": "一窗受理" })).await;
        assert_eq!(status(&answer), 0, "{answer}");
        let told = &answer["data"]["certData"];
        for (name, value) in [
            ("certificate_identifier", identifier.as_str()),
            ("certificate_version", "001"),
            ("certificate_name", "食品经营许可证"),
            ("certificate_type_code", TYPE),
            ("certificate_number", "JY25132210000017"),
            ("certificate_holder_name", "示例餐饮店"),
            ("certificate_holder_code", HOLDER),
            ("certificate_holder_type", "001"),
            ("certificate_issuing_authority_code", BUREAU),
            ("certificate_issuing_authority_date", "20210108"),
            ("certificate_validate_start", "20261121"),
            ("certificate_area_code", "430000"),
            ("related_item_code", ITEM),
            ("status", "01"),
        ] {
            assert_eq!(told[name], value, "{name} in {told:#}");
        }
        assert_eq!(told["extend_info"]["business_type"], "餐饮服务经营者");

        let code = format!("https://seal.example/licences/{identifier}");
        let by_code = system.ask("queryCertInfoByQRcode", json!({ "qrcode": code, "useCause": "一窗受理" })).await;
        assert_eq!(by_code["data"], answer["data"]);
        let of = |more: Value| {
            let mut data = json!({ "holderCode": HOLDER, "holderTypeCode": "001", "certTypeCode": TYPE, "useCause": "一窗受理" });
            data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            data
        };
        let found = system.ask("queryCertInfoByHolderCode", of(json!({}))).await;
        assert_eq!((found["data"].as_array().unwrap().len(), &found["data"][0]["certData"]), (1, told));
        for (more, count) in [
            (json!({ "certNo": "JY25132210000017" }), 1),
            (json!({ "certNo": "JY1" }), 0),
            (json!({ "holderTypeCode": "111" }), 0),
            (json!({ "certTypeCode": "11100000MB0143028R014" }), 0),
        ] {
            let found = system.ask("queryCertInfoByHolderCode", of(more.clone())).await;
            assert_eq!(found["data"].as_array().unwrap().len(), count, "{more}");
        }
        assert_eq!(status(&system.ask("queryCertInfoByHolderCode", of(json!({ "holderTypeCode": "002" }))).await), 103);

        // Field by field.
        let given = json!({ "holderCode": HOLDER, "holder": "示例餐饮店", "certNo": "JY25132210000017", "business_type": "餐饮服务经营者" });
        for (change, result) in [
            (json!({}), "true"),
            (json!({ "business_type": "食品销售经营者" }), "false"),
            (json!({ "holder": "另一家店" }), "false"),
            (json!({ "no_such_field": "" }), "false"),
        ] {
            let mut given = given.clone();
            given.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            for form in [given.clone(), json!(given.to_string())] {
                let data = json!({ "certTypeCode": TYPE, "certData": form, "useCause": "核对" });
                let answer = system.ask("verifyCertInfo", data).await;
                assert_eq!((status(&answer), &answer["data"]["result"]), (0, &json!(result)), "{answer}");
            }
        }
        let dictionary = system.ask("getCertRemarkInfo", json!({ "certTypeCode": TYPE })).await;
        let remarks = dictionary["data"]["remarks"].as_array().unwrap();
        assert!(remarks.iter().any(|one| one["name"] == "operator_name" && one["title"] == "经营者名称" && one["element"] == "CZZT"));

        // Files: annotated copies, one for the same question on one day, sealed and in the ledger.
        let asked = json!({ "certIdentifier": identifier, "useCause": "办理贷款" });
        let link = system.ask("downloadUrl", asked.clone()).await;
        assert_eq!((status(&link), &link["data"]["contentType"]), (0, &json!("url")), "{link}");
        let path = link["data"]["content"].as_str().unwrap();
        assert!(path.starts_with(&format!("http://{}/CertShare/download?id=", doors.staff)), "{path}");
        let path = path.split_once("/CertShare").map(|(_, rest)| format!("/CertShare{rest}")).unwrap();
        let file = doors.staff().get(&path).await;
        assert_eq!((file.status, file.header("content-type")), (200, "application/pdf"));
        let asked = json!({ "certificateIdentifier": identifier, "certificateCopyCause": "办理贷款", "fileType": "pdf" });
        let whole = system.ask("downloadFile", asked.clone()).await;
        assert_eq!(status(&whole), 0, "{whole}");
        let bytes = BASE64_STANDARD.decode(whole["data"]["content"].as_str().unwrap()).unwrap();
        let again = system.ask("downloadFile", asked).await;
        assert_eq!(again["data"], whole["data"]);
        let checked = json!({ "certTypeCode": TYPE, "contentType": "base64", "content": BASE64_STANDARD.encode(&bytes), "useCause": "核验" });
        let checked = system.ask("verifyFile", checked).await;
        assert_eq!((&checked["data"]["result"], &checked["data"]["copy"]["expired"]), (&json!("true"), &json!(false)), "{checked}");
        let bad = json!({ "certTypeCode": TYPE, "contentType": "base64", "content": "AAAA", "useCause": "核验" });
        assert_eq!(system.ask("verifyFile", bad).await["data"]["result"], "false");
        let links = system.ask("downloadUrlsByHolderCode", of(json!({}))).await;
        assert_eq!(links["data"].as_array().unwrap().len(), 1);
        for (data, why) in [
            (json!({ "certificateIdentifier": identifier, "certificateCopyCause": "x", "fileType": "png" }), "图片"),
            (json!({ "certificateIdentifier": identifier, "certificateCopyCause": "x", "fileType": "ofd" }), ""),
            (json!({ "certificateIdentifier": identifier, "certificateCopyCause": "x", "fileType": "pdf", "certificateCopyExpiringTime": "2040-01-01 00:00:00" }), "有效期"),
            (json!({ "certificateIdentifier": identifier, "certificateCopyCause": "", "fileType": "pdf" }), "事由"),
        ] {
            let answer = system.ask("downloadFile", data).await;
            assert_eq!(status(&answer), 99);
            assert!(answer["head"]["message"].as_str().unwrap().contains(why), "{answer}");
        }
        doors.later(Duration::hours(2));
        assert_eq!(doors.staff().get(&path).await.problem(), "share.no-link", "the link has ended");

        // Everything is in the audit trail, with its cause.
        let events = desk.store.audit_events(200).await.unwrap();
        let shared = events.iter().filter(|event| event.what == "licence.shared").collect::<Vec<_>>();
        assert!(shared.len() > 20 && shared.iter().all(|event| event.who == "chief"));
        let of = shared.iter().find(|event| event.detail["operation"] == "queryCertInfo").unwrap();
        assert_eq!((of.subject.as_str(), &of.detail["cause"], &of.detail["system"]), (identifier.as_str(), &json!("一窗受理"), &json!("test")));
    })
    .await;
}

/// Whoever has no right learns nothing: not what is in a licence, and not that there is one.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_without_a_right() {
    on_both("http_sharing_rights", async |database| {
        let doors = Doors::open(database).await;
        let (desk, chief) = (&doors.bureau.desk, &doors.bureau.chief);
        let issued = issue(desk, chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let identifier = issued.identifier.unwrap();
        let share = doors.token("chief", &[Scope::Share]).await;
        let system = |officer: &'static str, token: &str| System { client: doors.staff(), officer, token: token.into() };
        let asked = json!({ "certIdentifier": identifier, "useCause": "查" });
        // Not who he says, no such token, a token for something else.
        let issues = doors.token("chief", &[Scope::Issue, Scope::Seal, Scope::Supervise]).await;
        let mut refusals = vec![];
        for (officer, token) in [("intake", share.as_str()), ("chief", "guess"), ("chief", ""), ("chief", &issues)] {
            let answer = system(officer, token).ask("queryCertInfo", asked.clone()).await;
            assert_eq!(status(&answer), 11);
            refusals.push(answer);
        }
        assert!(refusals.iter().all(|answer| *answer == refusals[0]), "one answer for every reason");
        for body in ["", "[]", "{\"head\":1}", "{\"data\":{}}"] {
            let answer = doors.staff().send("POST", "/CertShare/queryCertInfo", "application/json", body.as_bytes()).await;
            assert_eq!(status(&answer.json()), 99, "{body}");
        }

        // An officer of a department that has nothing to do with it hears of a licence what he hears of none.
        let stranger = yinxin::officer::Officer {
            id: person("stranger"),
            authority: Uscc::parse(DEPARTMENT).unwrap(),
            ..doors.bureau.chief.clone()
        };
        desk.store.add_officer(&stranger, "", "test", NOW).await.unwrap();
        let theirs = system("stranger", &doors.token("stranger", &[Scope::Share]).await);
        let none = yinxin::licence::LicenceIdentifier::first(TYPE, &Uscc::parse(BUREAU).unwrap(), "99999999").unwrap();
        for (operation, name) in [("queryCertInfo", "certIdentifier"), ("downloadUrl", "certIdentifier"), ("downloadFile", "certificateIdentifier"), ("queryCertInfoByQRcode", "qrcode")] {
            let ask = async |identifier: &yinxin::licence::LicenceIdentifier| {
                let data = json!({ name: identifier, "useCause": "查", "certificateCopyCause": "查", "fileType": "pdf" });
                theirs.ask(operation, data).await
            };
            let (there, not_there) = (ask(&identifier).await, ask(&none).await);
            assert_eq!((status(&there), &there), (100, &not_there), "{operation}");
        }
        let of = json!({ "holderCode": HOLDER, "holderTypeCode": "001", "certTypeCode": TYPE, "useCause": "查" });
        for operation in ["queryCertInfoByHolderCode", "downloadUrlsByHolderCode"] {
            assert_eq!(theirs.ask(operation, of.clone()).await["data"], json!([]), "{operation}");
        }
        let compared = json!({ "certTypeCode": TYPE, "certData": { "holderCode": HOLDER, "holder": "示例餐饮店" }, "useCause": "查" });
        assert_eq!(theirs.ask("verifyCertInfo", compared).await["data"], json!({ "result": "false", "message": "信息不一致，或没有该证照", "fields": {} }));
        assert_eq!(status(&theirs.ask("getCertRemarkInfo", json!({ "certTypeCode": TYPE })).await), 100);

        // Sharing takes a grant where a seal is used: intake's has the right to see, and no more.
        let intake = system("intake", &doors.token("intake", &[Scope::Share]).await);
        assert_eq!(status(&intake.ask("queryCertInfo", asked.clone()).await), 0);
        assert_eq!(status(&intake.ask("downloadUrl", asked.clone()).await), 99);
        assert_eq!(status(&system("chief", &share).ask("dropTable", asked.clone()).await), 99);
        for path in ["/CertShare/download?id=", "/CertShare/download?id=0000", "/CertShare/download"] {
            assert!((400..500).contains(&doors.staff().get(path).await.status), "{path}");
        }
        let large = format!("{{\"head\":{{\"accessId\":\"{}\"}}}}", "x".repeat(3 * 1024 * 1024));
        assert_eq!(doors.staff().send("POST", "/CertShare/queryCertInfo", "application/json", large.as_bytes()).await.status, 413);
        // Refusals are in the trail as well.
        let events = desk.store.audit_events(200).await.unwrap();
        assert!(events.iter().any(|event| event.what == "licence.shared" && event.who == "stranger" && event.detail["status"] == 100));
        let unused = Item { code: ItemCode::parse("A-9").unwrap(), ..desk.store.items().await.unwrap().remove(0) };
        assert!(unused.check_competence(&Uscc::parse(DEPARTMENT).unwrap(), NOW).is_err(), "or the stranger was none");
    })
    .await;
}
