//! The status of seals as clients of the national service ask for it.

use serde_json::{Value, json};

use super::Doors;
use crate::bureau::*;
use crate::db::on_both;

const STATUS: &str = "/resource/rest/v1/shared/IK1012/1";
const ENDED: &str = "/resource/rest/v1/shared/IK1013/1";

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_the_national_service_are_answered_by_the_register() {
    on_both("http_seal_status", async |database| {
        let doors = Doors::open(database).await;
        let bureau = &doors.bureau;
        let public = doors.public();
        let name = async |number_: &str| bureau.desk.store.seal(&number(number_)).await.unwrap().unwrap().seal.legend;
        let (old, new) = (name(DEPARTMENT_SEAL).await, name(BUREAU_SEAL).await);
        let ask = async |code: &str, name: &str, at: &str| {
            let body = json!({ "sealCode": code, "sealName": name, "queryTime": at, "method": "DB.seal.status.query", "sign": "any" });
            public.post_json(STATUS, &body).await.json()
        };
        let list = async |from: &str, until: &str, more: Value| {
            let mut body = json!({ "queryStartTime": from, "queryEndTime": until, "pageNow": 1, "pageSize": 10 });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            public.post_json(ENDED, &body).await.json()
        };
        let year = ("2020-12-01 00:00:00", "2021-12-31 00:00:00");
        assert_eq!(list(year.0, year.1, json!({})).await["data"][0]["total"], 0);

        yinxin::abolish::abolish(&bureau.desk, &bureau.government[0], &bureau.government[1], bureau.closing(), NOW).await.unwrap();
        // The instant of abolition, in China: 2021-01-01 00:00.
        for (code, name, at, status) in [
            (DEPARTMENT_SEAL, old.as_str(), "2020-12-31 23:59:59", "0"),
            (DEPARTMENT_SEAL, &old, "2021-01-01 00:00:00", "1"),
            (DEPARTMENT_SEAL, "", "2021-01-01 00:00:00", "1"),
            ("", &old, "2021-01-01 00:00:00", "1"),
            (DEPARTMENT_SEAL, &old, "2019-12-31 00:00:00", "1"),
            (BUREAU_SEAL, &new, "2021-01-01 00:00:00", "0"),
            (BUREAU_SEAL, &new, "", "0"),
        ] {
            let answer = ask(code, name, at).await;
            assert_eq!((&answer["code"], &answer["method"]), (&json!(0), &json!("DB.seal.status.query")), "{answer}");
            assert_eq!(answer["data"][0]["sealStatus"], status, "{code} {name} {at}: {answer}");
            assert_eq!(answer["data"].as_array().unwrap().len(), 1);
            // Never a second opinion.
            let number = answer["data"][0]["sealCode"].as_str().unwrap();
            let when = if at.is_empty() { String::new() } else { format!("?at={}%2B08:00", at.replace(' ', "T")) };
            let register = public.get(&format!("/api/v1/seals/{number}/status{when}")).await.json();
            assert_eq!(register["verdict"] == "good", status == "0", "{register}");
        }
        for (code, name, at, wrong) in [
            (DEPARTMENT_SEAL, new.as_str(), "", 2),
            ("51322100009999", "", "", 2),
            ("not a number", "", "", 2),
            ("", "没有这枚章", "", 2),
            ("", "", "", 1),
            (BUREAU_SEAL, &new, "yesterday", 1),
        ] {
            let answer = ask(code, name, at).await;
            assert_eq!((&answer["code"], &answer["data"]), (&json!(wrong), &json!([])), "{code} {name} {at}: {answer}");
            assert!(!answer["message"].as_str().unwrap().is_empty() && !answer["requestId"].as_str().unwrap().is_empty());
        }

        let found = list(year.0, year.1, json!({})).await["data"][0].clone();
        let line = json!({ "sealCode": DEPARTMENT_SEAL, "sealName": old, "revocationTime": "2021-01-01 00:00:00" });
        assert_eq!((&found["revocationList"], &found["total"], &found["size"]), (&json!([line]), &json!(1), &json!(1)));
        let none = list(year.0, year.1, json!({ "pageNow": "2" })).await["data"][0].clone();
        assert_eq!((&none["revocationList"], &none["total"]), (&json!([]), &json!(1)), "the second page");
        let huge = list(year.0, year.1, json!({ "pageNow": 4_000_000_000_u32, "pageSize": 4_000_000_000_u32 })).await;
        assert_eq!((&huge["code"], &huge["data"][0]["size"]), (&json!(0), &json!(0)));
        assert_eq!(list("2021-01-02 00:00:00", year.1, json!({})).await["data"][0]["total"], 0, "before the time asked about");
        assert_eq!(list("x", year.1, json!({})).await["code"], 1);

        // By the method's name, with the common parameters in the address, as the vendor's pages have it.
        let path = "/router/rest/v1?method=DB.seal.status.query&version=1.0&format=json&timestamp=20180713131135&sign=56B0";
        let answer = public.post_json(path, &json!({ "sealName": old, "queryTime": "2021-05-05 00:00:00" })).await;
        assert_eq!((answer.status, &answer.json()["data"][0]["sealStatus"]), (200, &json!("1")));
        let token = public.post_json("/resource/rest/v1/shared/IK1010/1", &json!({ "username": "u", "password": "p" })).await;
        assert_eq!(token.json()["data"][0]["access_token"], "public");
        assert_eq!(public.post_json("/resource/rest/v1/shared/IK1009/1", &json!({})).await.json()["code"], 3);
        assert_eq!(public.send("POST", STATUS, "application/json", b"[").await.json()["code"], 1);
        let large = vec![b' '; 3 * 1024 * 1024];
        assert_eq!(public.send("POST", STATUS, "application/json", &large).await.status, 413);
    })
    .await;
}
