//! Programs with tokens: scopes and duties, issuing, sealing, administration, the ledger.

use serde_json::{Value, json};
use time::Duration;
use time::format_description::well_known::Rfc3339;
use yinxin::officer::Officer;
use yinxin::stamping::{Plan, Stamping};
use yinxin::store::Scope;

use super::Doors;
use crate::bureau::*;
use crate::db::on_both;

const DRAFT: &[u8] = include_bytes!("../../../src/cli/demo/draft.pdf");

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_what_its_scopes_and_its_officers_duties_allow() {
    on_both("http_scopes", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["admin-1"]).await;
        let licence = json!(licence("许准〔2026〕1号", NOW - Duration::days(3)));
        let nobody = doors.staff();
        assert_eq!(nobody.post_json("/api/v1/licences", &licence).await.status, 401);
        let answer = nobody.clone().with_token("guess").post_json("/api/v1/licences", &licence).await;
        assert_eq!(
            (answer.status, answer.problem().as_str(), answer.header("www-authenticate")),
            (401, "http.signed-out", "Bearer")
        );
        // A browser's session is nothing to the API, and a token nothing to the pages.
        let signed_in = doors.signed_in("admin-1").await;
        assert_eq!(signed_in.get("/api/v1/ledger").await.status, 401);
        let all = doors.token("admin-1", &[Scope::Issue, Scope::Seal, Scope::Administer, Scope::Supervise]).await;
        assert_eq!(nobody.clone().with_token(&all).page("/ledger").await.status, 303);
        assert_eq!(nobody.clone().with_token(&all).get("/api/v1/ledger").await.status, 200);

        let supervise = doors.token("chief", &[Scope::Supervise]).await;
        let answer = nobody.clone().with_token(&supervise).post_json("/api/v1/licences", &licence).await;
        assert_eq!((answer.status, answer.problem().as_str()), (403, "http.scope"));
        let answer = nobody.clone().with_token(&supervise).get("/api/v1/ledger").await;
        assert_eq!(
            (answer.status, answer.problem().as_str(), answer.json()["rule"].as_u64()),
            (403, "officer.duty", Some(5)),
            "scope without duty"
        );
        let administer = doors.token("chief", &[Scope::Administer]).await;
        assert_eq!(
            nobody.clone().with_token(&administer).send("DELETE", "/api/v1/grants/g-chief", "", &[]).await.status,
            403
        );
        doors.later(Duration::days(31));
        assert_eq!(nobody.with_token(&all).get("/api/v1/ledger").await.status, 401, "expired");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_issues_ends_and_fetches() {
    on_both("http_issue", async |database| {
        let doors = Doors::open(database).await;
        let token = doors.token("chief", &[Scope::Issue]).await;
        let chief = doors.staff().with_token(&token);
        let request = json!(licence("许准〔2026〕1号", NOW - Duration::days(3)));
        let made = chief.post_json("/api/v1/licences", &request).await;
        assert_eq!((made.status, made.json()["again"].as_bool()), (201, Some(false)), "{}", made.text());
        let (document, identifier) = (made.json()["document"].clone(), made.json()["identifier"].clone());
        let again = chief.post_json("/api/v1/licences", &request).await;
        assert_eq!((again.status, &again.json()["document"]), (200, &document));
        let file = chief.get(&format!("/api/v1/documents/{}", document.as_str().unwrap())).await;
        assert_eq!(Value::from(hex::encode(yinxin::crypto::sha256(&file.body))), document);
        assert_eq!(file.header("content-type"), "application/pdf");

        let change = |path: &str, value: Value| {
            let mut request = request.clone();
            *request.pointer_mut(path).unwrap() = value;
            request
        };
        for (request, status, id, rule) in [
            (change("/decision/holder/name", json!("另一家店")), 409, "issue.number-in-use", None),
            (
                change("/decision", json!(decision("许准〔2020〕1号", TRANSFER - Duration::DAY))),
                422,
                "item.accepted-before-transfer",
                Some(1),
            ),
            (change("/seal", json!("123")), 400, "http.json", None),
            (change("/template", json!("none")), 404, "", None),
            (json!({ "decision": 1 }), 400, "http.json", None),
        ] {
            let mut request = request;
            if status != 409 && status != 422 && request.get("seal").is_some() {
                request["decision"]["number"] = json!("许准〔2026〕3号");
            }
            let answer = chief.post_json("/api/v1/licences", &request).await;
            let found = answer.problem();
            assert_eq!(answer.status, status, "{}", answer.text());
            assert!(id.is_empty() || found == id, "{found} and not {id}");
            assert_eq!(answer.json()["rule"].as_u64(), rule);
        }
        let mut broken = change("/decision/number", json!("许准〔2026〕4号"));
        broken["data"]["licence_number"] = json!("x");
        let answer = chief.post_json("/api/v1/licences", &broken).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "render.data"));

        let path = format!("/api/v1/licences/{}/end", identifier.as_str().unwrap());
        let end = json!({ "decision": decision("许销〔2026〕1号", NOW - Duration::days(3)), "act": "cancel" });
        assert_eq!(chief.post_json(&path, &end).await.status, 201);
        let now = doors.public().get(&format!("/api/v1/licences/{}", identifier.as_str().unwrap())).await.json();
        assert_eq!((&now["status"], now["current"].as_bool()), (&json!("cancelled"), Some(false)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_sealed_and_the_ledger_tells() {
    on_both("http_upload", async |database| {
        let doors = Doors::open(database).await;
        let token = doors.token("chief", &[Scope::Seal]).await;
        let chief = doors.staff().with_token(&token);
        let path = format!("/api/v1/seals/{BUREAU_SEAL}/uploads");
        let part = |number: &str, title: &str| {
            json!({ "decision": decision(number, NOW - Duration::days(3)), "title": title, "place": { "at": { "page": 1, "x_mm": 150.0, "y_mm": 220.0 } } }).to_string()
        };
        let title = "=HYPERLINK(\"http://evil.example\")";
        let request = part("许准〔2026〕5号", title);
        let sealed = chief.post_parts(&path, &[("request", None, request.as_bytes()), ("file", Some("../../etc/passwd"), DRAFT)]).await;
        assert_eq!(sealed.status, 201, "{}", sealed.text());
        let answer = chief.post_parts(&path, &[("request", None, request.as_bytes())]).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "http.part-missing"));
        let request = part("许准〔2026〕6号", "批文");
        let answer = chief.post_parts(&path, &[("request", None, request.as_bytes()), ("file", None, b"not a PDF")]).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        // A page has no edge that it shares with itself, and one seal no more places than it is given.
        let also = |key: &str, value: serde_json::Value| {
            let mut request: serde_json::Value = serde_json::from_str(&part("许准〔2026〕7号", "批文")).unwrap();
            request[key] = value;
            request.to_string()
        };
        let place = json!({ "at": { "page": 1, "x_mm": 60.0, "y_mm": 220.0 } });
        for (request, refused) in [
            (also("straddle_mm", json!(100.0)), "pdf.no-straddle"),
            (also("more_places", json!(vec![place.clone(); 20])), "issue.places"),
            (also("more_places", json!([{ "at": { "page": 9, "x_mm": 60.0, "y_mm": 60.0 } }])), "pdf.no-such-page"),
        ] {
            let answer = chief.post_parts(&path, &[("request", None, request.as_bytes()), ("file", None, DRAFT)]).await;
            assert_eq!((answer.status, answer.problem().as_str()), (400, refused));
        }

        let supervise = doors.token("admin-1", &[Scope::Supervise]).await;
        let reader = doors.staff().with_token(&supervise);
        let ledger = reader.get("/api/v1/ledger").await.json();
        assert_eq!(ledger["lines"].as_array().unwrap().len(), 1);
        assert_eq!((&ledger["lines"][0]["title"], &ledger["lines"][0]["officer"]), (&json!(title), &json!("chief")));
        assert!(reader.get("/api/v1/ledger?officer=intake").await.json()["lines"].as_array().unwrap().is_empty());
        assert!(reader.get("/api/v1/ledger?until=2026-01-01").await.json()["lines"].as_array().unwrap().is_empty());
        let csv = reader.get("/api/v1/ledger?format=csv").await;
        assert!(csv.body.starts_with(b"\xef\xbb\xbf") && csv.header("content-type").starts_with("text/csv"));
        let text = csv.text();
        assert!(text.contains("许准〔2026〕5号") && text.contains("\"'=HYPERLINK(\"\"http"), "{text}");
        assert_eq!(text.lines().count(), 2);
        assert_eq!(reader.get("/api/v1/ledger?format=xls").await.problem(), "http.format");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seals_are_administered_by_two() {
    on_both("http_two", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["admin-1"]).await;
        let first = doors.token("admin-1", &[Scope::Administer]).await;
        let second = doors.token("admin-2", &[Scope::Administer]).await;
        let stranger = doors.token("chief", &[Scope::Administer]).await;
        let alone = doors.staff().with_token(&first);
        let both = alone.clone().with_second(&second);
        let events = format!("/api/v1/seals/{BUREAU_SEAL}/events");
        let mut suspend = json!({ "kind": "suspended", "at": "2026-11-21T08:00:00Z", "document": "〔2026〕1号", "reason": "遗失核查" });
        for (client, status, id) in [
            (alone.clone(), 401, "http.second-officer"),
            (alone.clone().with_second("guess"), 401, "http.signed-out"),
            (alone.clone().with_second(&first), 422, "officer.two-administrators"),
            (alone.clone().with_second(&stranger), 403, "officer.duty"),
        ] {
            let answer = client.post_json(&events, &suspend).await;
            assert_eq!((answer.status, answer.problem().as_str()), (status, id));
        }
        let abolished = json!({ "kind": "abolished", "at": "2026-11-21T08:00:00Z", "document": "1", "reason": "1" });
        assert_eq!(both.post_json(&events, &abolished).await.status, 400, "abolition takes an order");
        // What gives force back counts from now at the earliest; where nothing is said, from now.
        let mut early = suspend.clone();
        (early["kind"], early["at"]) = (json!("resumed"), json!((NOW - Duration::SECOND).format(&Rfc3339).unwrap()));
        let answer = both.post_json(&events, &early).await;
        assert_eq!((answer.status, answer.problem().as_str(), answer.json()["rule"].as_u64()), (422, "seal.force-in-the-past", Some(2)));
        let mut ahead = suspend.clone();
        ahead["at"] = json!((NOW + Duration::DAY).format(&Rfc3339).unwrap());
        assert_eq!(both.post_json(&events, &ahead).await.status, 204, "a step may be planned");
        assert_eq!(doors.public().get(&format!("/api/v1/seals/{BUREAU_SEAL}")).await.json()["status"], "in-force");
        suspend.as_object_mut().unwrap().remove("at");
        assert_eq!(both.post_json(&events, &suspend).await.status, 204);
        assert_eq!(doors.public().get(&format!("/api/v1/seals/{BUREAU_SEAL}")).await.json()["status"], "suspended");
        assert_eq!(both.post_json(&events, &suspend).await.problem(), "seal.impossible-step");

        // An order, its seals by CSV, custody, and the grant of its officer.
        let mut order = json!(doors.bureau.abolition());
        order["seals"] = json!([]);
        let request = json!({ "order": order }).to_string();
        let one = doors.staff().with_token(&doors.token("gov-1", &[Scope::Administer]).await);
        let government = one.clone().with_second(&doors.token("gov-2", &[Scope::Administer]).await);
        let csv = format!("number,items\n{DEPARTMENT_SEAL},{ITEM}\n");
        let parts: [(&str, Option<&str>, &[u8]); 2] = [("request", None, request.as_bytes()), ("seals", Some("s.csv"), csv.as_bytes())];
        assert_eq!(alone.post_parts("/api/v1/abolitions", &parts).await.status, 401);
        let bureau = both.post_parts("/api/v1/abolitions", &parts).await;
        assert_eq!((bureau.status, bureau.problem().as_str()), (422, "officer.not-your-seal"), "a stranger's seal to the bureau");
        let done = government.post_parts("/api/v1/abolitions", &parts).await;
        assert_eq!((done.status, done.json()["seals"].as_u64(), done.json()["revoked"].as_u64()), (201, Some(1), Some(1)), "{}", done.text());
        let again = government.post_json("/api/v1/abolitions", &json!({ "order": doors.bureau.abolition() })).await;
        assert_eq!((again.status, again.problem().as_str()), (409, "store.abolition"));
        let custody = format!("/api/v1/seals/{DEPARTMENT_SEAL}/custody");
        let entry = json!({ "kind": "sealed-away", "at": "2021-01-04T02:00:00Z", "handed_over_by": "周", "received_by": "吴", "place": "档案室", "container": "封2021-01" });
        assert_eq!(alone.post_json(&custody, &entry).await.problem(), "http.second-officer");
        assert_eq!(both.post_json(&custody, &entry).await.problem(), "officer.not-your-seal");
        assert_eq!(government.post_json(&custody, &entry).await.status, 204);
        let opened = json!({ "kind": "opened", "at": "2021-02-04T02:00:00Z", "handed_over_by": "周", "received_by": "周", "place": "档案室", "container": "封2021-01" });
        let refused = government.post_json(&custody, &opened).await;
        assert_eq!((refused.status, refused.problem().as_str(), refused.json()["rule"].as_u64()), (422, "custody.two-people", Some(4)));
        let page = doors.public().page(&format!("/register/{DEPARTMENT_SEAL}")).await.text();
        assert!(page.contains("封2021-01") && !page.contains("周"), "the public sees where and not who: {page}");
        assert!(page.contains(&format!("/register/{BUREAU_SEAL}")), "the successor");

        let grant = json!({ "officer": "produce", "seal": BUREAU_SEAL, "items": [ITEM], "from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z", "given_by": "局长", "document": "授2" });
        assert_eq!(alone.post_json("/api/v1/grants", &grant).await.status, 401);
        let given = both.post_json("/api/v1/grants", &grant).await;
        assert_eq!(given.status, 201, "{}", given.text());
        let trail = doors.bureau.desk.store.audit_events(100).await.unwrap();
        let filed = trail.iter().find(|event| event.what == "grant.given" && event.detail["document"] == "授2").unwrap();
        assert_eq!(filed.detail["confirmed_by"], "admin-2");
        // Another authority's seal: no grant, no step, none of its grants taken back.
        let mut foreign = grant.clone();
        foreign["seal"] = json!(DEPARTMENT_SEAL);
        let resume = json!({ "kind": "resumed", "at": "2026-11-21T08:00:00Z", "document": "1", "reason": "1" });
        for answer in [
            both.post_json("/api/v1/grants", &foreign).await,
            government.post_json("/api/v1/grants", &foreign).await,
            both.post_json(&format!("/api/v1/seals/{DEPARTMENT_SEAL}/events"), &resume).await,
            alone.send("DELETE", "/api/v1/grants/g-old-chief", "", &[]).await,
        ] {
            assert_eq!((answer.status, answer.problem().as_str()), (422, "officer.not-your-seal"));
        }
        // Nor does a department close or keep what is not its own.
        for id in ["department-1", "department-2"] {
            let authority = yinxin::authority::Uscc::parse(DEPARTMENT).unwrap();
            let officer = Officer { id: person(id), name: id.into(), authority, ..doors.bureau.administrators[0].clone() };
            doors.bureau.desk.store.add_officer(&officer, "", "test", NOW).await.unwrap();
        }
        let department = doors.staff().with_token(&doors.token("department-1", &[Scope::Administer]).await);
        let department = department.with_second(&doors.token("department-2", &[Scope::Administer]).await);
        let mut order = json!({ "order": doors.bureau.abolition() });
        order["order"]["seals"] = json!([{ "number": BUREAU_SEAL, "items": [] }]);
        order["order"]["number"] = json!("示府〔2020〕64号");
        order["order"]["successor"] = Value::Null;
        for answer in [
            department.post_json("/api/v1/abolitions", &order).await,
            department.post_json(&format!("/api/v1/seals/{BUREAU_SEAL}/custody"), &entry).await,
        ] {
            assert_eq!((answer.status, answer.problem().as_str()), (422, "officer.not-your-seal"));
        }
        let path = format!("/api/v1/grants/{}", given.json()["id"].as_str().unwrap());
        assert_eq!(alone.send("DELETE", &path, "", &[]).await.status, 204);
        assert_eq!(alone.send("DELETE", &path, "", &[]).await.status, 409);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_the_post_is_signed_out_everywhere() {
    on_both("http_leave", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["chief"]).await;
        let (chief, browser) = (doors.token("chief", &[Scope::Issue]).await, doors.signed_in("chief").await);
        let chief = doors.staff().with_token(&chief);
        let request = json!(licence("许准〔2026〕1号", NOW - Duration::days(3)));
        assert_eq!(chief.post_json("/api/v1/licences", &request).await.status, 201);

        let path = "/api/v1/officers/chief/leave";
        let admin = doors.staff().with_token(&doors.token("admin-1", &[Scope::Administer]).await);
        assert_eq!(chief.post_json(path, &json!({})).await.problem(), "http.scope");
        assert_eq!(
            admin.post_json("/api/v1/officers/old-chief/leave", &json!({})).await.problem(),
            "officer.not-your-officer"
        );
        let nobody = admin.post_json("/api/v1/officers/nobody/leave", &json!({})).await;
        assert_eq!((nobody.status, nobody.problem().as_str()), (404, "administer.no-officer"));
        // At the end of the day: until then everything goes on.
        let evening = json!({ "at": (NOW + Duration::hours(2)).format(&Rfc3339).unwrap() });
        assert_eq!(admin.post_json(path, &evening).await.status, 204);
        assert_eq!(browser.page("/").await.status, 200);
        assert_eq!(chief.post_json("/api/v1/licences", &request).await.status, 200);
        doors.later(Duration::hours(2));
        assert_eq!(browser.page("/").await.status, 303, "the session is over");
        assert_eq!(chief.post_json("/api/v1/licences", &request).await.status, 401, "and the token");
        let again = doors.staff().post_form("/sign-in", &[("id", "chief"), ("password", super::PASSWORD)]).await;
        assert_eq!(again.status, 401);
        // Brought forward it may be, never put off.
        let later = json!({ "at": (NOW + Duration::days(2)).format(&Rfc3339).unwrap() });
        assert_eq!(admin.post_json(path, &later).await.problem(), "store.officer-left");
        let trail = doors.bureau.desk.store.audit_events(100).await.unwrap();
        assert!(trail.iter().any(|event| (event.what.as_str(), event.subject.as_str()) == ("officer.left", "chief")));
    })
    .await;
}

/// A stolen token is refused with the time after which asking again makes sense; the alarm is on the office's home, and the
/// seal's own two change the ceiling.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_seals_no_more_than_the_ceiling() {
    on_both("http_ceiling", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["admin-1", "admin-2"]).await;
        let chief = doors.staff().with_token(&doors.token("chief", &[Scope::Issue, Scope::Seal]).await);
        let [first, second] =
            [doors.token("admin-1", &[Scope::Administer]).await, doors.token("admin-2", &[Scope::Administer]).await];
        let two = doors.staff().with_token(&first).with_second(&second);
        let path = format!("/api/v1/seals/{BUREAU_SEAL}/ceilings");
        let one = json!({ "ceiling": { "an_hour": 1, "a_day": 2 }, "document": "限〔2026〕1号" });
        assert_eq!(two.post_json(&path, &one).await.status, 204);
        let ask = |n: usize| json!(licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3)));
        assert_eq!(chief.post_json("/api/v1/licences", &ask(1)).await.status, 201);
        let answer = chief.post_json("/api/v1/licences", &ask(2)).await;
        assert_eq!((answer.status, answer.problem().as_str()), (429, "use.seal-hour"));
        assert_eq!((answer.header("retry-after"), answer.json()["rule"].as_u64()), ("3601", Some(5)));
        let other = json!({ "grant": "g-old-chief", "ceiling": { "an_hour": 1, "a_day": 2 }, "document": "1" });
        assert_eq!(two.post_json(&path, &other).await.problem(), "store.no-grant");

        let office = doors.signed_in("admin-1").await;
        let home = office.page("/").await.text();
        assert!(home.contains("用印限额告警") && home.contains("超限被拒"), "{home}");
        let form = format!("/seals/{BUREAU_SEAL}/ceiling");
        let typed = |hour| {
            [
                ("whose", "all"),
                ("an_hour", hour),
                ("a_day", "5"),
                ("document", "限〔2026〕2号"),
                ("second_id", "admin-2"),
                ("second_password", super::PASSWORD),
            ]
        };
        let answer = office.post_form(&form, &typed("6")).await;
        assert!(answer.status == 422 && answer.text().contains("use.hour-over-day"), "{}", answer.text());
        assert_eq!(office.post_form(&form, &typed("3")).await.status, 303);
        let page = office.page(&format!("/seals/{BUREAU_SEAL}")).await.text();
        assert!(page.contains("1 / 3") && page.contains("限〔2026〕2号"), "{page}");
        assert_eq!(chief.post_json("/api/v1/licences", &ask(2)).await.status, 201);
        let public = doors.public().get(&format!("/api/v1/seals/{BUREAU_SEAL}")).await.json();
        assert_eq!(
            (&public["certificates"][0]["status"], public["certificates"].as_array().unwrap().len()),
            (&json!("in-use"), 1)
        );
        assert!(doors.public().page(&format!("/register/{BUREAU_SEAL}")).await.text().contains("证书与密钥"));
    })
    .await;
}

/// A document that waits: programs are told where it is, people see why, and both get it in the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_waits_has_an_address() {
    on_both("http_waiting", async |database| {
        let mut doors = Doors::open(database).await;
        doors.passwords(&["chief", "admin-1", "admin-2"]).await;
        let token = doors.token("chief", &[Scope::Issue]).await;
        let administers = doors.token("admin-1", &[Scope::Administer]).await;
        let administers =
            doors.staff().with_token(&administers).with_second(&doors.token("admin-2", &[Scope::Administer]).await);
        let path = format!("/api/v1/seals/{BUREAU_SEAL}/level");
        let answer = administers.send("PUT", &path, "application/json", br#"{"level":"B-X"}"#).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "http.json"));
        assert_eq!(administers.send("PUT", &path, "application/json", br#"{"level":"B-T"}"#).await.status, 204);

        let own = doors.bureau.desk.stamping.clone();
        let nobody = Plan { own: false, ..Plan::default() };
        doors.staff_with(doors.bureau.desk.clone().stamped_by(Stamping::of(nobody, NOW))).await;
        let chief = doors.staff().with_token(&token);
        let request = json!(licence("许准〔2026〕1号", NOW - Duration::days(3)));
        let made = chief.post_json("/api/v1/licences", &request).await;
        assert_eq!((made.status, made.json()["id"].as_str()), (202, Some("stamping.unstamped")), "{}", made.text());
        let order = made.json()["order"].as_str().unwrap().to_owned();
        let address = made.header("location").to_owned();
        assert_eq!(address, format!("/api/v1/orders/{order}"));
        let stands = chief.get(&address).await.json();
        assert_eq!((stands["state"].as_str(), stands["level"].as_str()), (Some("written"), Some("B-T")));
        assert_eq!(stands["waiting"]["tries"].as_u64(), Some(1));
        assert!(stands["document"].is_null());

        let browser = doors.signed_in("chief").await;
        let page = browser.page(&format!("/orders/{order}")).await;
        assert!(page.text().contains("等待办结") && page.text().contains("下次自动重试"), "{}", page.text());
        let home = browser.page("/").await;
        assert!(home.text().contains("等待办结的用印") && home.text().contains(&order));
        let ledger = doors.signed_in("admin-1").await.page("/ledger").await;
        assert!(ledger.text().contains("等待办结的用印") && ledger.text().contains(&order));

        doors.staff_with(doors.bureau.desk.clone().stamped_by(own)).await;
        doors.later(Duration::MINUTE);
        let chief = doors.staff().with_token(&token);
        let made = chief.post_json("/api/v1/licences", &request).await;
        assert_eq!((made.status, made.json()["order"].as_str()), (201, Some(order.as_str())), "{}", made.text());
        let stands = chief.get(&address).await.json();
        assert_eq!(stands["state"].as_str(), Some("sealed"));
        assert_eq!((&stands["document"], stands["waiting"].is_null()), (&made.json()["document"], true));
        let home = doors.signed_in("chief").await.page("/").await;
        assert!(!home.text().contains("等待办结的用印"));
    })
    .await;
}
