//! Annotated copies (加注件): made by a program and at a page, verified by anybody, ended, refused.

use serde_json::{Value, json};
use time::Duration;
use time::format_description::well_known::Rfc3339;
use yinxin::issue::issue;
use yinxin::store::{LedgerFilter, OrderKind, Scope};

use super::Doors;
use super::client::{Answer, Client};
use crate::bureau::*;
use crate::db::on_both;
use crate::ofd::made_as_data;

fn rfc3339(at: time::OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap()
}

async fn verified(public: &Client, file: &Answer) -> Value {
    let parts = public.post_parts("/api/v1/verifications", &[("file", Some("copy"), &file.body)]).await;
    assert_eq!(parts.status, 200, "{}", parts.text());
    parts.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_makes_a_copy_and_anybody_is_told_what_it_is_for() {
    on_both("http_copies", async |database| {
        let doors = Doors::open(database).await;
        made_as_data(&doors.bureau, BUREAU_SEAL).await;
        let (desk, chief) = (&doors.bureau.desk, &doors.bureau.chief);
        let issued = issue(desk, chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let identifier = issued.identifier.unwrap();
        let client = doors.staff().with_token(&doors.token("chief", &[Scope::Issue]).await);
        let path = format!("/api/v1/licences/{identifier}/copies");
        let asked = |changed: &[(&str, Value)]| {
            let until = rfc3339(NOW + Duration::days(30));
            let mut request =
                json!({ "purpose": "办理银行开户", "requester": "示例银行汶川支行", "expires_at": until });
            changed.iter().for_each(|(name, value)| request[*name] = value.clone());
            request
        };

        // Refused: nothing is written, and each says why.
        for (changed, status, id) in [
            (&[("expires_at", json!(rfc3339(NOW)))][..], 422, "copy.expiry"),
            (&[("expires_at", json!(rfc3339(NOW + Duration::days(400))))], 422, "copy.expiry"),
            (&[("purpose", json!(" "))], 422, "copy.incomplete"),
            (&[("purpose", json!("长".repeat(201)))], 422, "copy.incomplete"),
            (&[("requester", json!("\u{202e}行"))], 400, "render.missing-glyph"),
            (&[("seal", json!(DEPARTMENT_SEAL))], 422, "grant.none"),
            (&[("files", json!("png"))], 400, "http.json"),
        ] {
            let answer = client.post_json(&path, &asked(changed)).await;
            assert_eq!((answer.status, answer.problem().as_str()), (status, id), "{changed:?} {}", answer.text());
        }
        let nobody = client.post_json(&path.replace(".001.", ".002."), &asked(&[])).await;
        assert_eq!((nobody.status, nobody.problem().as_str()), (400, "licence.identifier-check"));
        let supervise = doors.staff().with_token(&doors.token("chief", &[Scope::Supervise, Scope::Share]).await);
        assert_eq!(supervise.post_json(&path, &asked(&[])).await.problem(), "http.scope");
        // Whoever has no grant makes none.
        let other = doors.staff().with_token(&doors.token("intake", &[Scope::Issue]).await);
        assert_eq!(other.post_json(&path, &asked(&[])).await.problem(), "grant.none");
        assert_eq!(client.get(&path).await.json(), json!([]));

        let made = client.post_json(&path, &asked(&[])).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let made = made.json();
        assert_eq!((&made["identifier"], &made["title"]), (&json!(identifier), &json!("食品经营许可证（加注件）")));
        let again = client.post_json(&path, &asked(&[])).await;
        assert_eq!((again.status, &again.json()["document"]), (200, &made["document"]));
        let other = client.post_json(&path, &asked(&[("requester", json!("另一家银行"))])).await;
        assert_eq!(other.status, 201);
        assert_ne!(other.json()["document"], made["document"], "another's copy is another copy");

        // The ledger and the list have both files of it.
        let ledger = desk.store.ledger(&LedgerFilter { limit: 50, ..LedgerFilter::default() }).await.unwrap();
        let uses = ledger.iter().filter(|line| line.kind == OrderKind::Copy).collect::<Vec<_>>();
        assert_eq!((uses.len(), uses[0].reason.as_str()), (4, "许准〔2026〕1号"));
        let list = client.get(&path).await.json();
        assert_eq!(list.as_array().unwrap().len(), 4);
        assert!(list.as_array().unwrap().iter().all(|copy| copy["expired"] == false && copy["state"] == "sealed"));

        // The files: good, of this licence, and said to be copies.
        let public = doors.public();
        let mut files = vec![];
        for (media_type, digest) in [("pdf", &made["document"]), ("ofd", &made["ofd"])] {
            let file = client.get(&format!("/api/v1/documents/{}", digest.as_str().unwrap())).await;
            assert_eq!(file.header("content-type"), format!("application/{media_type}"));
            let report = verified(&public, &file).await;
            assert_eq!(report["indication"], "TOTAL-PASSED", "{report:#}");
            let copy = &report["copy"];
            assert_eq!(
                (&copy["purpose"], &copy["requester"], &copy["expired"], &copy["recorded"]),
                (&json!("办理银行开户"), &json!("示例银行汶川支行"), &json!(false), &json!(true))
            );
            let document = &report["document"];
            assert_eq!(
                (&document["identifier"], &document["licence_status"]),
                (&json!(identifier), &json!("in-force"))
            );
            assert!(
                report["summary"]["zh"].as_str().unwrap().contains("加注件，仅供示例银行汶川支行用于：办理银行开户")
            );
            assert_eq!(report["findings"], json!([]), "our own metadata are complete");
            files.push(file);
        }
        // The licence itself is no copy.
        let original = client.get(&format!("/api/v1/documents/{}", issued.document)).await;
        assert_eq!(verified(&public, &original).await["copy"], Value::Null);

        // Past its end the copy is told to have expired; the licence is as good as before.
        doors.later(Duration::days(31));
        doors.bureau.authority().refresh("test", doors.now()).await.unwrap();
        for file in &files {
            let report = verified(&public, file).await;
            assert_eq!(
                (&report["indication"], &report["copy"]["expired"]),
                (&json!("TOTAL-PASSED"), &json!(true)),
                "{report:#}"
            );
            assert_eq!(
                (&report["copy"]["sentence"]["id"], &report["document"]["licence_status"]),
                (&json!("verify.copy-expired"), &json!("in-force"))
            );
            assert!(report["summary"]["zh"].as_str().unwrap().contains("失效，不得再使用"));
            let page = public
                .clone()
                .also("Accept: text/html")
                .post_parts("/verify", &[("file", Some("c"), &file.body)])
                .await;
            assert!(page.text().contains("已失效"), "{}", page.text());
        }

        // One byte of what is noted changed is noticed.
        let mut changed = files.remove(1);
        let at = changed.body.len() / 2;
        changed.body[at] ^= 1;
        assert_ne!(verified(&public, &changed).await["indication"], "TOTAL-PASSED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_copy_is_made_of_a_licence_that_ended_or_went_on() {
    on_both("http_copies_ended", async |database| {
        let doors = Doors::open(database).await;
        let (desk, chief) = (&doors.bureau.desk, &doors.bureau.chief);
        let client = doors.staff().with_token(&doors.token("chief", &[Scope::Issue]).await);
        let asked = json!({ "purpose": "投标", "requester": "某单位", "expires_at": rfc3339(NOW + Duration::days(9)) });
        let path = |identifier: &yinxin::licence::LicenceIdentifier| format!("/api/v1/licences/{identifier}/copies");
        let issued = issue(desk, chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let first = issued.identifier.unwrap();
        assert_eq!(client.post_json(&path(&first), &asked).await.status, 201);

        // Renewed: the copy is of the version that counts.
        let mut renewal = licence("许延〔2026〕1号", NOW - Duration::days(3));
        renewal.licence.act = yinxin::licence::LicenceAct::Renew;
        renewal.licence.previous = Some(first.clone());
        renewal.licence.type_code = String::new();
        let second = issue(desk, chief, renewal, NOW + Duration::MINUTE).await.unwrap().identifier.unwrap();
        doors.later(Duration::minutes(2));
        let answer = client.post_json(&path(&first), &asked).await;
        assert_eq!((answer.status, answer.problem().as_str()), (422, "copy.not-current"));
        assert_eq!(client.post_json(&path(&second), &asked).await.status, 201);

        // Ended: not even the very request that made one before is answered with it.
        let end = json!({ "decision": decision("许销〔2026〕1号", NOW - Duration::days(3)), "act": "revoke" });
        assert_eq!(client.post_json(&format!("/api/v1/licences/{second}/end"), &end).await.status, 201);
        doors.later(Duration::MINUTE);
        let answer = client.post_json(&path(&second), &asked).await;
        assert_eq!((answer.status, answer.problem().as_str()), (422, "copy.not-in-force"));
        let fsck = yinxin::fsck::check(&desk.store, &[], &mut |_, _| {}).await.unwrap();
        assert!(fsck.findings.is_empty(), "{:?}", fsck.findings);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_makes_a_copy() {
    on_both("http_copies_page", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["chief", "intake"]).await;
        assert_eq!(doors.signed_in("intake").await.page("/copies").await.status, 403);
        let (desk, officer) = (&doors.bureau.desk, &doors.bureau.chief);
        let issued = issue(desk, officer, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let identifier = issued.identifier.unwrap().to_string();
        let chief = doors.signed_in("chief").await;
        let form = chief.page("/copies").await.text();
        let fields = |changed: &[(&'static str, &'static str)]| {
            let mut pairs = vec![
                ("identifier", identifier.as_str()),
                ("purpose", "办理贷款<b>"),
                ("requester", "某银行"),
                ("last_day", "2026-12-31"),
                ("seal", ""),
            ];
            changed
                .iter()
                .for_each(|(name, value)| pairs.iter_mut().find(|(known, _)| known == name).unwrap().1 = value);
            pairs
        };
        for (name, _) in fields(&[]) {
            assert!(form.contains(&format!("name=\"{name}\"")), "{name} is not asked for");
        }
        for (changed, field) in [
            (("identifier", "1.2.3"), "identifier"),
            (("purpose", ""), "purpose"),
            (("last_day", "2026-11-01"), "last_day"),
            (("last_day", "9999-12-31"), "last_day"),
        ] {
            let page = chief.post_form("/copies", &fields(&[changed])).await;
            assert!((400..500).contains(&page.status), "{changed:?} {}", page.status);
            assert!(page.text().contains(&format!("id=\"{field}-fault\">")), "{changed:?} {}", page.text());
        }
        let done = chief.post_form("/copies", &fields(&[])).await;
        assert_eq!(done.status, 303, "{}", done.text());
        let order = chief.page(done.header("location")).await.text();
        assert!(
            order.contains("食品经营许可证（加注件）") && order.contains(&identifier) && order.contains("下载文件"),
            "{order}"
        );
        let list = chief.page(&format!("/copies?identifier={identifier}")).await.text();
        assert!(list.contains("办理贷款&#60;b&#62;") && !list.contains("<b>"), "{list}");
        assert!(list.contains("2027-01-01 00:00:00") && !list.contains("已失效"), "the last day counts whole: {list}");
        doors.later(Duration::days(60));
        let chief = doors.signed_in("chief").await;
        assert!(chief.page(&format!("/copies?identifier={identifier}")).await.text().contains("已失效"));
    })
    .await;
}
