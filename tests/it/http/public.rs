//! The public listener: what anyone may ask, and what nobody may break.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;
use yinxin::abolish::abolish;
use yinxin::abolition::{AbolitionAct, AbolitionOrder};
use yinxin::http::{PublicState, public_router};
use yinxin::issue::issue;
use yinxin::seal::{Level, Life, Seal, SealEvent, SealEventKind, SealKind};
use yinxin::store::Store;

use super::Doors;
use crate::bureau::*;
use crate::db::{Database, on_both};

async fn close_the_department(doors: &Doors) {
    let bureau = &doors.bureau;
    let [first, second] = &bureau.government;
    abolish(&bureau.desk, first, second, bureau.closing(), NOW).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_register_answers_the_corner_cases_of_rules_1_and_2() {
    on_both("http_status", async |database| {
        let doors = Doors::open(database).await;
        close_the_department(&doors).await;
        let ask = async |seal: &str, accepted: &str, at: &str| {
            let path = format!("/api/v1/seals/{seal}/status?item={ITEM}&accepted={accepted}&at={at}");
            let answer = doors.public().get(&path).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let body = answer.json();
            (body["verdict"].as_str().unwrap().to_owned(), body["sentence"]["id"].as_str().unwrap().to_owned())
        };
        // The transfer is at 2020-08-01T00:00+08:00, the abolition at 2021-01-01T00:00+08:00.
        for (seal, accepted, at, verdict, id) in [
            (
                DEPARTMENT_SEAL,
                "2020-07-31T23:59:59%2B08:00",
                "2020-12-31T15:59:59Z",
                "good",
                "register.good-before-abolition",
            ),
            (DEPARTMENT_SEAL, "2020-07-31T23:59:59+08:00", "2020-12-31T16:00:00Z", "not-good", "seal.abolished"),
            (
                DEPARTMENT_SEAL,
                "2020-08-01T00:00:00+08:00",
                "2020-09-01T00:00:00Z",
                "not-good",
                "item.accepted-after-transfer",
            ),
            (
                BUREAU_SEAL,
                "2020-07-31T23:59:59+08:00",
                "2020-09-01T00:00:00Z",
                "not-good",
                "item.accepted-before-transfer",
            ),
            (BUREAU_SEAL, "2020-08-01T00:00:00+08:00", "2021-09-01T00:00:00Z", "good", "register.good"),
        ] {
            let found = ask(seal, accepted, at).await;
            assert_eq!((found.0.as_str(), found.1.as_str()), (verdict, id), "{seal} {accepted} {at}");
        }
        let path = format!("/api/v1/seals/{BUREAU_SEAL}/status?item={ITEM}");
        assert_eq!(doors.public().get(&path).await.json()["verdict"], "not-enough");
        let page = doors
            .public()
            .page(&format!("/register/{DEPARTMENT_SEAL}?item={ITEM}&accepted=2020-07-31T10:00&at=2020-12-31T10:00"))
            .await;
        assert!(page.text().contains("notice good") && page.text().contains("其后废止不影响"), "{}", page.text());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_shown_by_the_page_and_counted_whole() {
    on_both("http_orders", async |database| {
        let doors = Doors::open(database).await;
        for round in 0..21_u8 {
            let mut order = doors.bureau.abolition();
            order.number = format!("示府〔2021〕{round}号");
            order.at += Duration::days(round.into());
            if round % 2 == 1 {
                (order.act, order.successor) = (AbolitionAct::Reinstate, None);
            }
            let order = AbolitionOrder::read(order).unwrap();
            let store = &doors.bureau.desk.store;
            // Each recorded on its day: none gives force back to the past.
            let day = order.get().at;
            store.record_abolition(&order, &[], &person("gov-1"), &person("gov-2"), 0, day).await.unwrap();
        }
        let first = doors.public().page("/register/abolitions").await.text();
        assert_eq!(first.matches("<article").count(), 20);
        assert!(first.contains("/register/abolitions?offset=20") && !first.contains("〕0号"), "{first}");
        let last = doors.public().page("/register/abolitions?offset=20").await.text();
        assert!(last.matches("<article").count() == 1 && last.contains("〕0号") && !last.contains("rel=\"next\""));
        let home = doors.public().page("/").await.text();
        assert!(home.contains("<strong>21</strong>") && home.contains("<strong>2</strong>"), "{home}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_cannot_be_answered_are_problems() {
    on_both("http_problems", async |database| {
        let doors = Doors::open(database).await;
        let client = doors.public();
        for (path, status, id, rule) in [
            ("/api/v1/seals/51322100009999".to_owned(), 404, "http.no-seal", None),
            ("/api/v1/seals/abc".to_owned(), 404, "http.no-seal", None),
            (format!("/api/v1/seals/{BUREAU_SEAL}/status?at=yesterday"), 400, "http.time", None),
            (
                format!("/api/v1/seals/{BUREAU_SEAL}/status?item=B-1&accepted=2021-01-01"),
                422,
                "item.not-on-the-list",
                Some(6),
            ),
            ("/api/v1/seals?limit=x".to_owned(), 400, "http.bad-request", None),
            ("/api/v1/seals?owner=1".to_owned(), 400, "authority.uscc-length", None),
            ("/api/v1/licences/1.2.3".to_owned(), 400, "licence.identifier-shape", None),
            ("/api/v1/nothing".to_owned(), 404, "http.no-such-page", None),
            ("/crl/none.crl".to_owned(), 404, "http.no-crl", None),
        ] {
            let answer = client.get(&path).await;
            assert_eq!((answer.status, answer.problem().as_str()), (status, id), "{path}");
            assert_eq!(answer.json()["rule"].as_u64(), rule, "{path}");
        }
        let answer = client.send("DELETE", "/api/v1/seals", "", &[]).await;
        assert_eq!((answer.status, answer.problem().as_str()), (405, "http.method"));
        assert!(answer.header("allow").contains("GET"));
        let page = client.page("/register/51322100009999").await;
        assert_eq!((page.status, page.header("content-type")), (404, "text/html; charset=utf-8"));
        assert!(page.text().contains("登记册中没有此印章编号") && page.text().contains(page.header("x-request-id")));
        let found = client.get("/api/v1/seals?q=%E5%AE%A1%E6%89%B9%E5%B1%80").await.json();
        assert_eq!(found["seals"].as_array().unwrap().len(), 1);
        assert_eq!(found["seals"][0]["number"], BUREAU_SEAL);
        let first = client.get("/api/v1/seals?limit=1").await.json();
        assert_eq!((first["seals"].as_array().unwrap().len(), first["next_offset"].as_u64()), (1, Some(1)));
        assert!(client.get("/api/v1/seals?limit=1&offset=1").await.json().get("next_offset").is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_that_protect_it() {
    on_both("http_headers", async |database| {
        let doors = Doors::open(database).await;
        let paths = [
            "/", "/verify", "/register", "/register/abolitions", "/register/51322100000002", "/items", "/licences/x", "/sign-in", "/ledger",
            "/api/v1/seals", "/api/v1/items", "/api/v1/ledger", "/openapi.json", "/healthz", "/readyz", "/assets/yinxin.css", "/nothing",
        ];
        for (listener, client) in [("public", doors.public()), ("staff", doors.staff())] {
            for path in paths {
                for answer in [client.page(path).await, client.get(path).await, client.send("PUT", path, "", &[]).await] {
                    let seen = |name| answer.header(name);
                    assert_eq!(
                        seen("content-security-policy"),
                        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
                        "{listener} {path}"
                    );
                    assert_eq!((seen("x-content-type-options"), seen("x-frame-options")), ("nosniff", "DENY"), "{listener} {path}");
                    assert_eq!((seen("referrer-policy"), seen("x-request-id").len()), ("same-origin", 32), "{listener} {path}");
                    if listener == "staff" && !path.starts_with("/assets") {
                        assert_eq!(seen("cache-control"), "no-store", "{path}");
                    }
                    let html = answer.text();
                    for inline in ["<script", "<style", " style=", " onclick=", "javascript:"] {
                        assert!(!html.contains(inline), "{inline} in {path}");
                    }
                }
            }
        }
        assert_eq!(doors.public().get("/healthz").await.text(), "ok\n");
        assert_eq!(doors.public().get("/readyz").await.text(), "ready\n");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn not_ready_before_the_migrations() {
    on_both("http_unready", async |database| {
        let store: Store = open(database).await;
        let clock: yinxin::http::Clock = std::sync::Arc::new(|| NOW);
        let state = PublicState::new(store, clock, Arc::default(), true);
        let (address, _stop) = super::listen(public_router(state)).await;
        let answer = super::Client::of(address).get("/readyz").await;
        assert_eq!((answer.status, answer.problem().as_str()), (503, "store.migrations-pending"));
        assert!(!answer.header("retry-after").is_empty());
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    })
    .await;
}

/// A token's library that holds the process is said at the public door too.
#[tokio::test(flavor = "multi_thread")]
async fn not_ready_while_calls_into_a_token_hang() {
    let database = Database::sqlite("http_hung");
    let store: Store = open(&database).await;
    store.migrate().await.unwrap();
    let hung = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let watched = hung.clone();
    let health: yinxin::http::Health = Arc::new(move || match watched.load(std::sync::atomic::Ordering::Relaxed) {
        true => Err(yinxin::keys::TokenFault::Hung { hanging: 8 }.message()),
        false => Ok(()),
    });
    let state = PublicState::new(store, Arc::new(|| NOW), Arc::default(), true).watching(health);
    let (address, _stop) = super::listen(public_router(state)).await;
    let answer = super::Client::of(address).get("/readyz").await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "keys.hung"));
    hung.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(super::Client::of(address).get("/readyz").await.text(), "ready\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn anyone_verifies_a_licence() {
    on_both("http_verify", async |database| {
        let doors = Doors::open(database).await;
        let bureau = &doors.bureau;
        let issued =
            issue(&bureau.desk, &bureau.chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let pdf = bureau.desk.store.document(&issued.document).await.unwrap().unwrap().bytes;
        let client = doors.public();
        let answer = client.send("POST", "/api/v1/verifications", "application/pdf", &pdf).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let report = answer.json();
        assert_eq!((&report["indication"], &report["format"]), (&json!("TOTAL-PASSED"), &json!("pdf")), "{report}");
        assert_eq!(report["signatures"][0]["intact"], true);

        let mut changed = pdf.clone();
        let at = changed.windows(4).position(|window| window == b"/Ty ").unwrap_or(2000);
        changed[at] ^= 1;
        let parts: [(&str, Option<&str>, &[u8]); 1] = [("file", Some("<script>alert(1)</script>.pdf"), &changed)];
        let answer = client.post_parts("/api/v1/verifications", &parts).await;
        assert_eq!(answer.json()["indication"], "TOTAL-FAILED", "{}", answer.text());
        let page = client.post_parts("/verify", &parts).await;
        assert_eq!(page.status, 200);
        assert!(page.text().contains("核验不通过") && page.text().contains("&#60;script&#62;"), "{}", page.text());
        assert!(!page.text().contains("<script>"));
        let page = client.post_parts("/verify", &[("file", Some("a.pdf"), pdf.as_slice())]).await;
        for words in ["核验通过", "示例县行政审批专用章", "检查项目"] {
            assert!(page.text().contains(words), "{words}");
        }

        assert_eq!(
            client.send("POST", "/api/v1/verifications", "application/pdf", b"no pdf").await.json()["indication"],
            "INDETERMINATE"
        );
        let answer = client.send("POST", "/api/v1/verifications", "image/png", &pdf).await;
        assert_eq!((answer.status, answer.problem().as_str()), (415, "http.media-type"));
        let answer = client.post_parts("/api/v1/verifications", &[("other", None, b"x")]).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "http.no-file"));
        assert_eq!(client.post_parts("/verify", &[("file", Some(""), b"")]).await.status, 400);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_document_is_judged_from_a_file_without_a_name() {
    use base64::Engine as _;
    use yinxin::limits::HTTP_HELD_BYTES;

    on_both("http_spool", async |database| {
        let doors = Doors::open(database).await;
        let bureau = &doors.bureau;
        let issued =
            issue(&bureau.desk, &bureau.chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let pdf = bureau.desk.store.document(&issued.document).await.unwrap().unwrap().bytes;
        let client = doors.public();
        // White space behind the end is nothing that was signed, nor anything that is shown.
        for length in [HTTP_HELD_BYTES, HTTP_HELD_BYTES + 1, 2 * HTTP_HELD_BYTES + 4321] {
            let mut large = pdf.clone();
            large.resize(length, b'\n');
            let sent = client.send("POST", "/api/v1/verifications", "application/pdf", &large).await.json();
            let form = client.post_parts("/api/v1/verifications", &[("file", Some("document"), &large)]).await.json();
            assert_eq!(sent["signatures"][0]["intact"], true, "{length}: {sent}");
            assert_eq!(sent, form, "{length}");
            let path = "/api/v1/verifications?report=xml";
            let xml = client.send("POST", path, "application/pdf", &large).await;
            let digest = base64::engine::general_purpose::STANDARD.encode(yinxin::crypto::sha256(&large));
            assert!(xml.text().contains(&digest), "{length}: {digest} is not in {}", xml.text());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judgement_keeps_its_turn_when_its_client_hangs_up() {
    on_both("http_turns", async |database| {
        let doors = Doors::open(database).await;
        let bureau = &doors.bureau;
        let issued =
            issue(&bureau.desk, &bureau.chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let pdf = bureau.desk.store.document(&issued.document).await.unwrap().unwrap().bytes;
        let mut state = PublicState::new(bureau.desk.store.clone(), Arc::new(|| NOW), Arc::default(), false);
        let turns = Arc::new(Semaphore::new(1));
        state.judgements = turns.clone();
        let routes = public_router(state);
        let upload = || {
            let request = Request::post("/api/v1/verifications").header("content-type", "application/pdf");
            routes.clone().oneshot(request.body(Body::from(pdf.clone())).unwrap())
        };
        // Watched until it has begun; one that ended before anybody saw it begin is sent again.
        let asked = loop {
            let asked = tokio::spawn(upload());
            while turns.available_permits() > 0 && !asked.is_finished() {
                tokio::task::yield_now().await;
            }
            if !asked.is_finished() {
                break asked;
            }
        };
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled(), "hung up");
        assert_eq!(turns.available_permits(), 0, "the work goes on, and so does its turn");
        let turn = turns.acquire().await.unwrap();
        let refused = upload().await.unwrap();
        assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "5"));
        drop(turn);
        assert_eq!(upload().await.unwrap().status(), 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_to_all_routes_are_counted_together() {
    on_both("http_uploads", async |database| {
        let doors = Doors::open(database).await;
        let mut unfinished = vec![];
        for _ in 0..yinxin::limits::HTTP_UPLOADS {
            let mut one = TcpStream::connect(doors.public).await.unwrap();
            let head = "POST /api/v1/verifications HTTP/1.1\r\nHost: x\r\nContent-Type: application/pdf\r\nContent-Length: 9\r\n\r\n";
            one.write_all(head.as_bytes()).await.unwrap();
            unfinished.push(one);
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let client = doors.public();
        let mut next = tokio::spawn(async move { client.get("/verify").await.status });
        let wait = std::time::Duration::from_millis(500);
        assert!(tokio::time::timeout(wait, &mut next).await.is_err(), "it waits for the other route's uploads");
        drop(unfinished);
        assert_eq!(next.await.unwrap(), 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_limit_each() {
    on_both("http_limits", async |database| {
        let doors = Doors::open(database).await;
        let too_much = yinxin::limits::PDF_BYTES + yinxin::limits::HTTP_FORM_BYTES + 1;
        let headers = format!("Content-Type: application/pdf\r\nContent-Length: {too_much}\r\n");
        let answer = doors.public().raw("POST", "/api/v1/verifications", &headers, b"%PDF").await;
        assert_eq!((answer.status, answer.problem().as_str()), (413, "http.too-large"));
        let token = doors.token("chief", &[yinxin::store::Scope::Issue]).await;
        let big = vec![b' '; yinxin::limits::HTTP_FORM_BYTES + 1];
        let answer = doors.staff().with_token(&token).send("POST", "/api/v1/licences", "application/json", &big).await;
        assert_eq!((answer.status, answer.problem().as_str()), (413, "http.too-large"));
        // Without a length: counted while it arrives.
        let chunked = [format!("{:x}\r\n", big.len()).as_bytes(), &big, b"\r\n0\r\n\r\n"].concat();
        let headers = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
        let answer = doors.staff().with_token(&token).raw("POST", "/api/v1/licences", headers, &chunked).await;
        assert_eq!((answer.status, answer.problem().as_str()), (413, "http.too-large"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_shows_its_public_part_and_no_more() {
    on_both("http_licence", async |database| {
        let doors = Doors::open(database).await;
        let bureau = &doors.bureau;
        let issued =
            issue(&bureau.desk, &bureau.chief, licence("许准〔2026〕1号", NOW - Duration::days(3)), NOW).await.unwrap();
        let mut request = licence("许准〔2026〕2号", NOW - Duration::days(3));
        request.decision.holder.name = "王<b>小明".into();
        request.decision.holder.code = "513221199001011234".into();
        request.decision.holder.code_type = "111".into();
        let private = issue(&bureau.desk, &bureau.chief, request, NOW).await.unwrap();

        let client = doors.public();
        let body = client.get(&format!("/api/v1/licences/{}", issued.identifier.unwrap())).await.json();
        assert_eq!((&body["status"], &body["holder"]), (&json!("in-force"), &json!("示例餐饮店")), "{body}");
        assert_eq!(body["versions"][0]["document"], issued.document);
        let identifier = private.identifier.unwrap();
        let answer = client.get(&format!("/api/v1/licences/{identifier}")).await;
        assert!(!answer.text().contains("小明") && !answer.text().contains("19900101"), "{}", answer.text());
        assert_eq!(
            (&answer.json()["holder"], &answer.json()["holder_code"]),
            (&json!("王＊＊＊＊＊"), &json!("51**************34"))
        );
        let page = client.page(&format!("/licences/{identifier}")).await.text();
        assert!(page.contains("王＊＊＊＊＊") && page.contains("有效") && !page.contains("小明"), "{page}");
        doors.later(Duration::days(6 * 365));
        assert_eq!(client.get(&format!("/api/v1/licences/{identifier}")).await.json()["status"], "expired");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legend_is_never_markup() {
    on_both("http_markup", async |database| {
        let doors = Doors::open(database).await;
        let evil = "<script>alert(1)</script>\"'><img src=x>";
        let step = SealEvent {
            kind: SealEventKind::Activated,
            at: ACTIVATED,
            document: evil.into(),
            reason: evil.into(),
            successor: None,
            items: vec![],
        };
        let life = Life::replay([step]).unwrap();
        let owner = yinxin::authority::Uscc::parse(BUREAU).unwrap();
        let seal = Seal {
            number: number("51322100000777"),
            owner,
            owner_name: evil.into(),
            legend: evil.into(),
            kind: SealKind::Approval,
            life,
        };
        doors
            .bureau
            .desk
            .store
            .add_seal(&seal, &json!({}), Level::B, (&person("admin-1"), &person("admin-2")), NOW)
            .await
            .unwrap();
        for path in [
            "/register",
            "/register/51322100000777",
            "/register?q=%3Cscript%3Ealert(1)%3C/script%3E",
            "/register/51322100000777?at=%22%3E%3Cscript%3Ealert(1)",
        ] {
            let page = doors.public().page(path).await.text();
            assert!(!page.contains("<script") && !page.contains("<img src=x"), "{path}: {page}");
            assert!(page.contains("&#60;script"), "{path}: {page}");
        }
    })
    .await;
}
