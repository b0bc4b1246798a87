//! Officers at pages: signing in and out, what their duties open, and the forms.

use time::Duration;
use yinxin::store::OrderState;

use super::client::Client;
use super::{Doors, PASSWORD};
use crate::bureau::*;
use crate::db::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_and_out() {
    on_both("http_sign_in", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["chief"]).await;
        let nobody = doors.staff();
        let answer = nobody.page("/").await;
        assert_eq!((answer.status, answer.header("location")), (303, "/sign-in"));
        let answer = nobody.post_form("/sign-in", &[("id", "chief"), ("password", PASSWORD)]).await;
        let cookie = answer.header("set-cookie").to_owned();
        assert_eq!((answer.status, answer.header("location")), (303, "/"));
        for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=28800"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let value = answer.cookie().split_once('=').unwrap().1.to_owned();
        assert_eq!(value.len(), 64, "256 bits");

        let chief = doors.signed_in("chief").await;
        assert!(chief.page("/").await.text().contains("chief（示例），您好"));
        assert_eq!(chief.page("/ledger").await.status, 403, "not supervision");
        assert_eq!(chief.page("/abolish").await.status, 403);
        // The database does not hold what opens a session.
        assert!(doors.bureau.desk.store.session(&value, doors.now()).await.unwrap().is_none());

        assert_eq!(chief.post_form("/sign-out", &[]).await.status, 303);
        assert_eq!(chief.page("/").await.status, 303, "the old cookie opens nothing");
        let chief = doors.signed_in("chief").await;
        doors.later(Duration::hours(8));
        assert_eq!(chief.page("/").await.status, 303, "a working day is over");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_waits_and_never_the_officer_at_the_usual_desk() {
    on_both("http_guessing", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["chief"]).await;
        // Another replica on the same database.
        let other = doors.another_staff_listener().await;
        let attempt = async |client: &Client, id: &str, password: &str| {
            client.post_form("/sign-in", &[("id", id), ("password", password)]).await
        };
        // The chief has signed in at this desk before.
        let mut desk = doors.staff();
        let answer = attempt(&desk, "chief", PASSWORD).await;
        let known = answer.cookies().into_iter().find(|cookie| cookie.starts_with("yinxin-browser=")).unwrap();
        desk.cookie = Some(known);

        let client = doors.staff();
        let unknown = attempt(&client, "nobody", "x").await;
        let wrong = attempt(&client, "chief", "x").await;
        assert_eq!((unknown.status, wrong.status), (401, 401));
        assert_eq!(unknown.text().replace("nobody", "chief"), wrong.text(), "the same answer to both");
        // Counted together at both replicas: five in all, then a minute.
        for n in 1..5 {
            assert_eq!(attempt(if n % 2 == 0 { &client } else { &other }, "chief", "x").await.status, 401);
        }
        for client in [&client, &other] {
            let waiting = attempt(client, "chief", PASSWORD).await;
            assert_eq!((waiting.status, waiting.text()), (401, wrong.text()), "waiting, and not told apart");
            assert_eq!(waiting.header("set-cookie"), "");
        }
        // The usual desk is not touched by it, nor does it end the strangers' wait.
        assert_eq!(attempt(&desk, "chief", PASSWORD).await.status, 303);
        assert_eq!(attempt(&desk, "chief", "x").await.status, 401);
        assert_eq!(attempt(&desk, "chief", PASSWORD).await.status, 303);
        assert_eq!(attempt(&client, "chief", PASSWORD).await.status, 401);
        // A cookie that is made up, or another officer's, is a stranger's.
        let mut forged = doors.staff();
        forged.cookie = Some(format!("yinxin-browser={}", "0".repeat(64)));
        assert_eq!(attempt(&forged, "chief", PASSWORD).await.status, 401);

        doors.later(Duration::seconds(59));
        assert_eq!(attempt(&client, "chief", PASSWORD).await.status, 401);
        doors.later(Duration::seconds(1));
        assert_eq!(attempt(&client, "chief", "x").await.status, 401, "the sixth doubles the wait");
        doors.later(Duration::minutes(1));
        assert_eq!(attempt(&client, "chief", PASSWORD).await.status, 401);
        doors.later(Duration::minutes(1));
        assert_eq!(attempt(&client, "chief", PASSWORD).await.status, 303);
        // However long it went on, an hour is the longest.
        for _ in 0..12 {
            attempt(&client, "chief", "x").await;
            doors.later(Duration::minutes(60));
        }
        assert_eq!(attempt(&client, "chief", PASSWORD).await.status, 303);
        // Many at once are counted one by one, and the right one among them is not let through.
        let attempts: Vec<_> = (0..8)
            .map(|n| {
                let client = if n % 2 == 0 { client.clone() } else { other.clone() };
                tokio::spawn(
                    async move { client.post_form("/sign-in", &[("id", "chief"), ("password", "x")]).await.status },
                )
            })
            .collect();
        for attempt in attempts {
            assert_eq!(attempt.await.unwrap(), 401);
        }
        assert_eq!(attempt(&client, "chief", PASSWORD).await.status, 401);
        // The administrator ends every wait with a new password.
        doors.passwords(&["chief"]).await;
        assert_eq!(attempt(&client, "chief", PASSWORD).await.status, 303);
        let trail = doors.bureau.desk.store.audit_events(200).await.unwrap();
        assert!(trail.iter().filter(|event| event.what == "sign-in.refused").count() >= 10);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_from_other_sites_are_refused() {
    on_both("http_csrf", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["chief"]).await;
        let chief = doors.signed_in("chief").await;
        for header in
            ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example", "Origin: null"]
        {
            let answer = chief.clone().also(header).post_form("/sign-out", &[]).await;
            assert_eq!((answer.status, answer.problem().as_str()), (403, "http.cross-site"), "{header}");
        }
        assert_eq!(chief.page("/").await.status, 200, "still signed in");
        assert_eq!(chief.clone().also("Sec-Fetch-Site: same-origin").post_form("/sign-out", &[]).await.status, 303);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_failed_is_made_by_submitting_again() {
    on_both("http_notice_page", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["gov-1", "gov-2"]).await;
        doors.bureau.file_government_seal().await;
        let admin = doors.signed_in("gov-1").await;
        let post = async |issued_on: &'static str| {
            let pairs = [
                ("act", "abolish"),
                ("number", "示府〔2020〕63号"),
                ("government", "示例县人民政府"),
                ("date", "2020-08-26"),
                ("at", "2021-01-01T00:00"),
                ("reason", "相对集中行政许可权"),
                ("successor", BUREAU_SEAL),
                ("seals", DEPARTMENT_SEAL),
                ("with_notice", "yes"),
                ("notice_seal", GOVERNMENT_SEAL),
                ("data.document_number", "示府公告〔2021〕1号"),
                ("data.subject", "关于废止行政审批专用章的公告"),
                ("data.decision_title", "相对集中行政许可权改革实施方案"),
                ("data.items_moved", "第一批划转的行政许可事项"),
                ("data.issuer", "示例县人民政府"),
                ("data.issued_on", issued_on),
                ("second_id", "gov-2"),
                ("second_password", PASSWORD),
            ];
            let parts: Vec<_> = pairs.iter().map(|(name, value)| (*name, None, value.as_bytes())).collect();
            admin.post_parts("/abolish", &parts).await
        };
        let failed = post("").await;
        assert_eq!(failed.status, 400, "{}", failed.text());
        assert!(failed.text().contains("仅公告尚未制成"), "{}", failed.text());
        assert!(doors.public().page(&format!("/register/{DEPARTMENT_SEAL}")).await.text().contains("已废止"));
        let made = post("2021-01-04").await;
        assert_eq!(made.status, 200, "{}", made.text());
        assert!(made.text().contains("/orders/") && made.text().contains("公告"), "{}", made.text());
    })
    .await;
}

/// What the form for a food licence asks for, filled in.
pub fn food_licence<'a>(changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut pairs = vec![
        ("template", "food-operation-licence"),
        ("case", "513221-1"),
        ("number", "许准〔2026〕9号"),
        ("item", ITEM),
        ("accepted_at", "2026-11-01T09:30"),
        ("decided_at", "2026-11-10T17:00"),
        ("intake", "intake"),
        ("review", "review"),
        ("decide", "chief"),
        ("produce", "produce"),
        ("holder", "示例餐饮店"),
        ("code_type", "001"),
        ("code", "92513221MA60000084"),
        ("seal", BUREAU_SEAL),
        ("act", "issue"),
        ("type_code", "11100000MB0143028R013"),
        ("valid_from", "2026-11-10"),
        ("valid_until", "2031-11-09"),
        ("data.copy", "正本"),
        ("data.licence_number", "JY25132210000012"),
        ("data.operator_name", "示例餐饮店"),
        ("data.uscc", "92513221MA60000084"),
        ("data.legal_representative", "陈示例"),
        ("data.domicile", "示例路18号"),
        ("data.premises", "示例路18号附1号"),
        ("data.business_type", "餐饮服务经营者"),
        ("data.business_items", "热食类食品制售\r\n冷食类食品制售\r\n"),
        ("data.valid_until", "2031-11-09"),
        ("data.supervisor", "示例县市场监督管理局"),
        ("data.signed_by", "王示例"),
        ("data.issuer", "示例县行政审批局"),
        ("data.issued_on", "2026-11-10"),
    ];
    for (name, value) in changed {
        pairs.iter_mut().find(|(known, _)| known == name).unwrap().1 = value;
    }
    pairs
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_issues_a_licence() {
    on_both("http_issue_page", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["chief", "intake"]).await;
        assert_eq!(doors.signed_in("intake").await.page("/issue").await.status, 403);
        let chief = doors.signed_in("chief").await;
        let form = chief.page("/issue?template=food-operation-licence").await.text();
        for (name, _) in food_licence(&[]) {
            assert!(form.contains(&format!("name=\"{name}\"")), "{name} is not asked for");
        }
        assert!(!form.contains("data.identifier") && !form.contains("data.verify_url"), "the service fills these in");
        assert!(form.contains(r#"<option value="produce">produce（示例）（produce）</option>"#), "{form}");

        // Faults beside the fields; what was typed stays; nothing was sealed.
        for (changed, field, words) in [
            (&[("accepted_at", "")], "accepted_at", "请填写日期"),
            (&[("produce", "intake")], "", "无此职责：制证"),
            (&[("accepted_at", "2026-11-11T09:30")], "decided_at", "决定时间早于受理时间"),
            (&[("accepted_at", "2020-07-01T09:30")], "accepted_at", "由原审批部门"),
            (&[("seal", DEPARTMENT_SEAL)], "accepted_at", "已划转"),
            (&[("data.licence_number", "JY<b>")], "data.licence_number", ""),
        ] {
            let page = chief.post_form("/issue", &food_licence(changed)).await;
            let text = page.text();
            assert!((400..500).contains(&page.status), "{field}: {} {text}", page.status);
            let mark = if field.is_empty() { "role=\"alert\">".to_owned() } else { format!("id=\"{field}-fault\">") };
            let fault = text.split(&mark).nth(1).unwrap_or_else(|| panic!("{field}: {text}"));
            let fault = fault.split(if field.is_empty() { "</div>" } else { "</span>" }).next().unwrap();
            assert!(fault.contains(words), "{field}: {fault}");
            assert!(text.contains("value=\"示例餐饮店\"") && !text.contains("JY<b>"), "{text}");
        }
        assert!(chief.page("/").await.text().contains("暂无"), "no use of the seal so far");

        let done = chief.post_form("/issue", &food_licence(&[])).await;
        assert_eq!(done.status, 303, "{}", done.text());
        let place = done.header("location").to_owned();
        let page = chief.page(&place).await.text();
        assert!(page.contains("已用印") && page.contains("食品经营许可证"), "{page}");
        let link = page.split("href=\"/documents/").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let file = chief.page(&format!("/documents/{link}")).await;
        assert!(file.body.starts_with(b"%PDF-") && file.header("content-disposition").starts_with("attachment;"));
        let order = doors.bureau.desk.store.order(place.rsplit('/').next().unwrap()).await.unwrap().unwrap();
        assert_eq!(order.state, OrderState::Sealed);
        let until = order.licence.unwrap().version.valid_until.unwrap();
        assert_eq!(until, time::macros::datetime!(2031-11-10 00:00 +8), "the last day counts whole");
        assert_eq!(doors.signed_in("intake").await.page(&place).await.status, 404, "not one's own");
        assert_eq!(doors.signed_in("intake").await.page(&format!("/documents/{link}")).await.status, 403);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_abolishes_seals_with_two_people() {
    on_both("http_abolish_page", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["gov-1", "gov-2"]).await;
        let admin = doors.signed_in("gov-1").await;
        assert!(admin.page("/abolish").await.text().contains("second_password"));
        let csv = format!("印章编号,划转事项\n{DEPARTMENT_SEAL},{ITEM}\n");
        let post = async |second: &str, password: &str, csv: &str| {
            let text = |name: &'static str, value: &'static str| (name, None, value.as_bytes());
            let parts = [
                text("act", "abolish"),
                text("number", "示府〔2020〕63号"),
                text("government", "示例县人民政府"),
                text("date", "2020-08-26"),
                text("at", "2021-01-01T00:00"),
                text("reason", "相对集中行政许可权"),
                text("successor", BUREAU_SEAL),
                text("seals", ""),
                ("csv", Some("seals.csv"), csv.as_bytes()),
                ("second_id", None, second.as_bytes()),
                ("second_password", None, password.as_bytes()),
            ];
            admin.post_parts("/abolish", &parts).await
        };
        for (second, password, csv, words) in [
            ("gov-2", "wrong", csv.as_str(), "密码不正确"),
            ("gov-1", PASSWORD, csv.as_str(), "两人共同办理"),
            ("gov-2", PASSWORD, "number\n123\n", "第2行"),
            ("gov-2", PASSWORD, "", "请列出要废止的印章"),
        ] {
            let page = post(second, password, csv).await;
            assert!(
                (400..500).contains(&page.status) && page.text().contains(words),
                "{words}: {} {}",
                page.status,
                page.text()
            );
        }
        let done = post("gov-2", PASSWORD, &csv).await;
        assert!(done.status == 200 && done.text().contains("1枚印章"), "{}", done.text());
        assert!(doors.public().page(&format!("/register/{DEPARTMENT_SEAL}")).await.text().contains("已废止"));
        assert!(doors.public().page("/register/abolitions").await.text().contains("示府〔2020〕63号"));
        let again = post("gov-2", PASSWORD, &csv).await;
        assert_eq!(again.status, 409);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_gives_and_takes_back_a_grant() {
    on_both("http_grant_page", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["admin-1", "admin-2"]).await;
        let admin = doors.signed_in("admin-1").await;
        let store = &doors.bureau.desk.store;
        let grant = async |until: &str| {
            let pairs = [
                ("seal", BUREAU_SEAL),
                ("officer", "produce"),
                ("items", ITEM),
                ("from", "2026-01-01"),
                ("until", until),
                ("given_by", "局长"),
                ("document", "授〔2026〕2号"),
                ("second_id", "admin-2"),
                ("second_password", PASSWORD),
            ];
            admin.post_form("/grants", &pairs).await
        };
        let page = grant("2025-01-01").await;
        assert!(page.status == 400 && page.text().contains("截止时间应晚于起始时间"), "{}", page.text());
        assert_eq!(grant("2026-12-31").await.status, 303);
        let grants = store.grants(&number(BUREAU_SEAL)).await.unwrap();
        let new = grants.iter().find(|grant| grant.officer == person("produce")).unwrap();
        assert_eq!(new.until, time::macros::datetime!(2027-01-01 00:00 +8));
        let page = admin.page(&format!("/grants?seal={BUREAU_SEAL}")).await.text();
        assert!(page.contains(&format!("/grants/{}/revoke", new.id)), "{page}");
        assert_eq!(admin.post_form(&format!("/grants/{}/revoke", new.id), &[("seal", BUREAU_SEAL)]).await.status, 303);
        let grants = store.grants(&number(BUREAU_SEAL)).await.unwrap();
        assert!(grants.iter().any(|grant| grant.id == new.id && grant.revoked_at.is_some()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_can_be_read_aloud() {
    on_both("http_aloud", async |database| {
        let doors = Doors::open(database).await;
        doors.passwords(&["chief", "admin-1"]).await;
        let (chief, admin) = (doors.signed_in("chief").await, doors.signed_in("admin-1").await);
        let seal = format!("/register/{BUREAU_SEAL}");
        let grants = format!("/grants?seal={BUREAU_SEAL}");
        let own = format!("/seals/{BUREAU_SEAL}");
        let public = ["/", "/verify", "/register", "/register/abolitions", "/items", seal.as_str(), "/nothing"];
        let pages = public.map(|path| (doors.public(), path)).into_iter().chain([
            (doors.staff(), "/sign-in"),
            (chief.clone(), "/"),
            (chief.clone(), "/issue?template=approval-decision"),
            (chief, "/uploads"),
            (admin.clone(), "/abolish"),
            (admin.clone(), "/seals"),
            (admin.clone(), own.as_str()),
            (admin.clone(), grants.as_str()),
            (admin, "/ledger"),
        ]);
        for (client, path) in pages {
            let html = client.page(path).await.text();
            assert!(html.starts_with("<!doctype html>\n<html lang=\"zh-CN\">"), "{path}");
            for (what, times) in [("<h1", 1), ("<main id=\"main\"", 1), ("<title>", 1)] {
                assert_eq!(html.matches(what).count(), times, "{what} in {path}");
            }
            let controls = ["<input ", "<select ", "<textarea "].into_iter().flat_map(|tag| html.split(tag).skip(1));
            for control in controls.map(|rest| rest.split('>').next().unwrap()).filter(|one| !one.contains("hidden")) {
                let id = control
                    .split("id=\"")
                    .nth(1)
                    .unwrap_or_else(|| panic!("no id: {control}"))
                    .split('"')
                    .next()
                    .unwrap();
                assert_eq!(html.matches(&format!("for=\"{id}\">")).count(), 1, "one label for {id} in {path}");
                for described in control
                    .split("aria-describedby=\"")
                    .skip(1)
                    .flat_map(|rest| rest.split('"').next().unwrap().split(' '))
                {
                    assert!(html.contains(&format!("id=\"{described}\"")), "{described} in {path}");
                }
            }
        }
    })
    .await;
}
