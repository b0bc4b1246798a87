//! People at a real browser: `yinxin serve` on free ports, headless Chromium, and no script of ours on any page.
//!
//! `YINXIN_BROWSER_PICTURES=DIR` leaves a picture of each page in DIR, for a desk and for a telephone.

mod driver;
mod ofd;
mod reading;

use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use yinxin::authority::Uscc;
use yinxin::decision::{DecisionRequest, Hands};
use yinxin::http::hash_password;
use yinxin::issue::{UploadPlace, UploadRequest, seal_upload};
use yinxin::officer::{Duty, Officer};

use self::driver::Browser;
use crate::bureau::*;
use crate::db::Database;
use crate::http::PASSWORD;
use crate::http::people::food_licence;

/// The tests' bureau behind a running `yinxin serve`.
struct House {
    serving: Child,
    public: String,
    staff: String,
    folder: tempfile::TempDir,
    /// Under the department's old seal, for a case that it had accepted before the transfer.
    old: Vec<u8>,
    _database: Database,
    /// Kept open: a program that cannot say what it has to say may end.
    _said: Lines<BufReader<ChildStdout>>,
}

impl House {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::sqlite("browser");
        let bureau = Bureau::found(&database, folder.path()).await;
        let store = &bureau.desk.store;
        // The owner of the old seal closes and keeps it.
        for id in ["department-1", "department-2"] {
            let authority = Uscc::parse(DEPARTMENT).unwrap();
            let officer = Officer {
                id: person(id),
                name: format!("{id}（示例）"),
                authority,
                ..bureau.administrators[0].clone()
            };
            store.add_officer(&officer, "", "test", NOW).await.unwrap();
        }
        let hash = tokio::task::spawn_blocking(|| hash_password(&PASSWORD.into()).unwrap()).await.unwrap();
        for id in ["chief", "admin-1", "admin-2", "department-1", "department-2"] {
            store.set_password(&person(id), &hash).await.unwrap();
        }
        for (id, duty) in [("old-intake", Duty::Intake), ("old-review", Duty::Review), ("old-produce", Duty::Produce)] {
            let (authority, duties) = (Uscc::parse(DEPARTMENT).unwrap(), [duty].into());
            let officer =
                Officer {
                    id: person(id), name: format!("{id}（示例）"), authority, duties, ..bureau.chief.clone()
                };
            store.add_officer(&officer, "", "test", NOW).await.unwrap();
        }
        let hand = |id| person(&format!("old-{id}"));
        let hands =
            Hands { intake: hand("intake"), review: hand("review"), decide: hand("chief"), produce: hand("produce") };
        let old = UploadRequest {
            decision: DecisionRequest { hands, ..decision("许准〔2020〕9号", TRANSFER - time::Duration::DAY) },
            seal: number(DEPARTMENT_SEAL),
            title: "准予行政许可决定书".into(),
            place: UploadPlace::At { page: 1, x_mm: 150.0, y_mm: 220.5 },
            more_places: vec![],
            straddle_mm: None,
        };
        let by = store.officer(&person("old-chief")).await.unwrap().unwrap();
        let old = seal_upload(&bureau.desk, &by, old, DRAFT.to_vec(), NOW).await.unwrap();
        let old = store.document(&old.document).await.unwrap().unwrap().bytes;
        store.close().await;

        let root = env!("CARGO_MANIFEST_DIR");
        let settings = format!(
            "[store]\nurl = \"{}\"\n[keys]\npassphrase_file = \"passphrase\"\n[render]\ntemplates = \"{root}/templates\"\n\
             [http]\npublic = \"127.0.0.1:0\"\nstaff = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:8080\"\n",
            database.url
        );
        let path = folder.path().join("yinxin.toml");
        std::fs::write(&path, settings).unwrap();
        let mut serving = Command::new(env!("CARGO_BIN_EXE_yinxin"));
        serving.arg("--config").arg(&path).arg("serve").env_remove("RUST_LOG").env_remove("YINXIN_STOP_AFTER");
        let mut serving = serving.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(serving.stdout.take().unwrap()).lines();
        let doors: Vec<String> = said
            .by_ref()
            .map_while(Result::ok)
            .filter_map(|line| Some(format!("http://{}", line.split("http://").nth(1)?.trim_end_matches('/'))))
            .take(2)
            .collect();
        let Ok([public, staff]) = <[String; 2]>::try_from(doors) else {
            serving.kill().ok();
            panic!("yinxin serve did not open its doors");
        };
        Self { serving, public, staff, folder, old, _database: database, _said: said }
    }

    fn ours(&self) -> [&str; 2] {
        [&self.public, &self.staff]
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.serving.kill().ok();
        self.serving.wait().ok();
    }
}

/// One browser at that house.
struct Visit {
    browser: Browser,
    house: House,
}

impl Visit {
    async fn look(&self, name: &str) {
        reading::look(&self.browser, name, &self.house.ours(), false).await;
    }

    async fn look_refused(&self, name: &str) {
        reading::look(&self.browser, name, &self.house.ours(), true).await;
    }

    async fn staff(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.house.staff)).await;
    }

    async fn public(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.house.public)).await;
    }

    async fn fill(&self, pairs: &[(&str, &str)]) {
        for (name, value) in pairs {
            self.browser.fill(name, value).await;
        }
    }

    async fn submit(&self) {
        self.browser.follow("main form button[type=submit]").await;
    }

    /// Submits a file to be verified; the verdict in one word.
    async fn verify(&self, name: &str, bytes: &[u8]) -> String {
        self.public("/verify").await;
        let file = self.house.file(name, bytes);
        self.fill(&[("file", file.to_str().unwrap())]).await;
        self.submit().await;
        self.browser.read("main .verdict .word").await
    }

    async fn main(&self) -> String {
        self.browser.read("main").await
    }

    async fn says(&self, words: &[&str]) {
        let main = self.main().await;
        for word in words {
            assert!(main.contains(word), "{word} is not said: {main}");
        }
    }

    async fn sign_in(&self, officer: &str) {
        self.staff("/sign-in").await;
        self.fill(&[("id", officer), ("password", PASSWORD)]).await;
        self.submit().await;
        self.says(&[&format!("{officer}（示例），您好")]).await;
    }

    async fn sign_out(&self) {
        self.browser.follow(".who button").await;
        assert!(self.browser.address().await.ends_with("/sign-in"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_at_the_bureau() {
    let Some(browser) = Browser::start().await else { return };
    the_looking_glass_is_clean(&browser).await;
    let visit = Visit { browser, house: House::open().await };

    let licence = a_clerk_issues_a_licence(&visit).await;
    a_clerk_makes_a_copy(&visit).await;
    a_clerk_seals_an_upload(&visit).await;
    visit.sign_out().await;
    anyone_verifies(&visit, &licence).await;
    the_owner_closes_and_keeps_an_old_seal(&visit).await;
    what_the_old_seal_sealed_too_late_is_refused(&visit).await;
    anyone_asks_the_register(&visit).await;
    two_administrators_suspend_and_resume(&visit).await;
}

/// What is looked for is found where it is wrong, and a page's script does not run.
async fn the_looking_glass_is_clean(browser: &Browser) {
    let page = "<title>x</title><script>document.title = 'ran'</script><h1>a</h1><h3>b</h3><input name=n><a href='%23no'></a>\
        <button></button><p style='width:900px'>wide</p>";
    browser.open(&format!("data:text/html,{page}")).await;
    assert_eq!(browser.ask("return document.title").await, "x", "scripts of pages are off");
    let wrong = reading::wrong(browser).await.join("\n");
    for fault in [
        "lang is",
        "0 of main",
        "a script",
        "style or script",
        "no label of its own: n",
        "no words in <button>",
        "leads nowhere",
        "a level is left out",
        "announced without a name",
    ] {
        assert!(wrong.contains(fault), "{fault} was not noticed: {wrong}");
    }
    browser.complaints().await;
    browser.requests().await;
}

async fn a_clerk_issues_a_licence(visit: &Visit) -> Vec<u8> {
    let browser = &visit.browser;
    visit.staff("/").await;
    visit.look("sign-in").await;
    visit.fill(&[("id", "chief"), ("password", "wrong")]).await;
    visit.submit().await;
    visit.look_refused("sign-in-refused").await;
    assert_eq!(browser.ask("return document.querySelector('#id').value").await, "chief", "what was typed stays");
    visit.fill(&[("password", PASSWORD)]).await;
    visit.submit().await;
    visit.look("office").await;
    browser.follow("main a[href='/issue?template=food-operation-licence']").await;
    visit.look("issue").await;

    // One person in two hands is refused beside the hands, and everything typed is still there.
    let pairs: Vec<_> =
        food_licence(&[("review", "review")]).into_iter().filter(|(name, _)| *name != "template").collect();
    visit.fill(&pairs).await;
    visit.fill(&[("accepted_at", "2026-11-11T09:30")]).await;
    visit.submit().await;
    visit.look_refused("issue-refused").await;
    visit.says(&["请更正后重新提交", "decision.before-acceptance"]).await;
    assert!(browser.read("#decided_at-fault").await.contains("决定时间早于受理时间"));
    assert_eq!(browser.ask("return document.querySelector('#holder').value").await, "示例餐饮店");
    visit.fill(&[("accepted_at", "2026-11-01T09:30")]).await;
    visit.submit().await;
    visit.look("issued").await;
    visit.says(&["已用印", "示例县行政审批专用章", "chief"]).await;
    let licence = browser.download("main a.button[href^='/documents/']").await;
    assert!(licence.starts_with(b"%PDF-"));
    licence
}

/// From the licence just made.
async fn a_clerk_makes_a_copy(visit: &Visit) {
    let browser = &visit.browser;
    browser.follow("main a[href^='/copies?identifier=']").await;
    visit.look("copy").await;
    visit.fill(&[("purpose", "办理银行开户"), ("requester", "示例银行"), ("last_day", "2026-11-01")]).await;
    visit.submit().await;
    visit.look_refused("copy-refused").await;
    assert_eq!(browser.ask("return document.querySelector('#purpose').value").await, "办理银行开户");
    #[expect(
        clippy::disallowed_methods,
        reason = "`yinxin serve` has the machine's clock, and a copy is for a year at most"
    )]
    let in_a_month = (time::OffsetDateTime::now_utc() + time::Duration::days(30)).date().to_string();
    visit.fill(&[("last_day", &in_a_month)]).await;
    visit.submit().await;
    visit.look("copied").await;
    visit.says(&["已用印", "加注件"]).await;
    assert!(browser.download("main a.button[href^='/documents/']").await.starts_with(b"%PDF-"));
    browser.follow("main a[href^='/copies?identifier=']").await;
    visit.look("copies").await;
    visit.says(&["示例银行：办理银行开户"]).await;
}

async fn a_clerk_seals_an_upload(visit: &Visit) {
    let browser = &visit.browser;
    browser.follow("nav a[href='/uploads']").await;
    visit.look("upload").await;
    let draft = visit.house.file("draft.pdf", DRAFT);
    let draft = draft.to_str().unwrap();
    let decision: Vec<_> = food_licence(&[("number", "许准〔2026〕10号")])
        .into_iter()
        .filter(|(name, _)| {
            !name.starts_with("data.") && !["template", "act", "type_code", "valid_from", "valid_until"].contains(name)
        })
        .collect();
    visit.fill(&decision).await;
    visit.fill(&[("file", draft), ("title", "准予行政许可决定书"), ("keyword", "没有的字样")]).await;
    visit.submit().await;
    visit.look_refused("upload-refused").await;
    visit.says(&["issue.keyword", "请重新选择文件"]).await;
    assert!(browser.read("#keyword-fault").await.contains("只出现0次"));
    assert_eq!(browser.ask("return document.querySelector('#title').value").await, "准予行政许可决定书");

    // By the page: what belongs to the other way is out of sight.
    browser.fill("place", "page").await;
    assert_eq!(browser.ask("return document.querySelector('#keyword').checkVisibility()").await, false);
    visit.fill(&[("file", draft), ("page", "1"), ("x_mm", "205"), ("y_mm", "100")]).await;
    visit.submit().await;
    visit.says(&["pdf.outside-page"]).await;
    assert_eq!(browser.ask("return document.querySelector('#by_page').checked").await, true);
    visit.look_refused("upload-outside").await;
    visit.fill(&[("file", draft), ("x_mm", "150"), ("y_mm", "220.5"), ("more_at", "1 60")]).await;
    visit.submit().await;
    visit.says(&["http.place"]).await;
    visit.look_refused("upload-places").await;
    visit.fill(&[("file", draft), ("more_at", "1 60 220.5")]).await;
    visit.submit().await;
    visit.look("sealed").await;
    visit.says(&["已用印", "准予行政许可决定书", "许准〔2026〕10号"]).await;
    let sealed = browser.download("main a.button[href^='/documents/']").await;
    assert!(sealed.starts_with(DRAFT), "the draft, and the seal after it");
    assert!(sealed.windows(8).any(|text| text == b"Seal1 Do"), "and at its second place");
}

async fn anyone_verifies(visit: &Visit, licence: &[u8]) {
    let browser = &visit.browser;
    visit.public("/").await;
    visit.look("home").await;
    visit.public("/verify").await;
    visit.look("verify").await;
    let verdict = visit.verify("licence.pdf", licence).await;
    assert!(verdict.contains("核验通过"), "{verdict}");
    visit.look("report").await;
    visit.says(&["食品经营许可证", "示例县行政审批专用章"]).await;
    assert!(browser.print().await.starts_with(b"%PDF-"));
    let mut changed = licence.to_vec();
    let stream = changed.windows(7).position(|window| window == b"stream\n").unwrap() + 20;
    changed[stream] ^= 1;
    let verdict = visit.verify("changed.pdf", &changed).await;
    assert!(verdict.contains("核验不通过"), "{verdict}");
    visit.look("report-changed").await;
    let verdict = visit.verify("nothing.pdf", b"no document at all").await;
    assert!(verdict.contains("无法确认"), "{verdict}");
    visit.look("report-nothing").await;
    visit.says(&["无法识别文件格式"]).await;
    // While its seal counts, so does what it sealed.
    let verdict = visit.verify("old.pdf", &visit.house.old).await;
    assert!(verdict.contains("核验通过"), "{verdict}");
    let Some(corpus) = std::env::var_os("YINXIN_CORPUS").map(PathBuf::from) else {
        return eprintln!("SKIPPED: the page of a shadow attack, as YINXIN_CORPUS is not set");
    };
    let verdict = visit.verify("shadow.pdf", &std::fs::read(corpus.join(SHADOW)).unwrap()).await;
    assert!(!verdict.contains("核验通过"), "{verdict}");
    visit.look("report-shadow").await;
    // A citizen is told what it means, and not how to set up a verifier.
    let said = visit.main().await;
    assert!(!said.contains("信任目录") && !said.contains("--") && !said.contains("trust folder"), "{said}");
}

/// Its seal was abolished as of a moment before this was sealed, as the ledger proves.
async fn what_the_old_seal_sealed_too_late_is_refused(visit: &Visit) {
    let verdict = visit.verify("old.pdf", &visit.house.old).await;
    assert!(verdict.contains("核验不通过"), "{verdict}");
    visit.look("report-abolished").await;
    visit.says(&["示例县市场监督管理局行政审批专用章", "废止", "示府〔2020〕63号"]).await;
    visit.browser.follow(&format!("main article.signature a[href='/register/{DEPARTMENT_SEAL}']")).await;
    visit.says(&["已废止"]).await;
}

async fn the_owner_closes_and_keeps_an_old_seal(visit: &Visit) {
    let browser = &visit.browser;
    visit.sign_in("department-1").await;
    visit.look("office-seals").await;
    browser.follow("nav a[href='/abolish']").await;
    visit.look("abolish").await;
    let order = [
        ("act", "abolish"),
        ("number", "示府〔2020〕63号"),
        ("government", "示例县人民政府"),
        ("date", "2020-08-26"),
        ("at", "2021-01-01T00:00"),
        ("reason", "相对集中行政许可权"),
        ("successor", BUREAU_SEAL),
        ("seals", DEPARTMENT_SEAL),
        ("acknowledged", "1"),
        ("second_id", "department-2"),
    ];
    visit.fill(&order).await;
    visit.fill(&[("second_password", "wrong")]).await;
    visit.submit().await;
    visit.look_refused("abolish-refused").await;
    assert!(browser.read("#second_id-fault").await.contains("密码不正确"));
    assert_eq!(browser.ask("return document.querySelector('#second_password').value").await, "", "never sent back");
    visit.fill(&[("second_password", PASSWORD)]).await;
    visit.submit().await;
    visit.look("abolished").await;

    browser.follow("nav a[href='/seals']").await;
    visit.look("seals").await;
    browser.follow(&format!("main a[href='/seals/{DEPARTMENT_SEAL}']")).await;
    visit.look("custody").await;
    let photograph = visit.house.file("photograph.jpg", b"not really a photograph");
    let entry = [
        ("kind", "sealed-away"),
        ("handed_over_by", "周示例"),
        ("received_by", "周示例"),
        ("place", "县档案馆"),
        ("container", "封2026-01"),
        ("photographs", photograph.to_str().unwrap()),
        ("second_id", "department-2"),
        ("second_password", PASSWORD),
    ];
    visit.fill(&entry).await;
    visit.submit().await;
    visit.look_refused("custody-refused").await;
    visit.says(&["custody.two-people", "已收到1张照片的摘要"]).await;
    visit.fill(&[("received_by", "吴示例"), ("second_password", PASSWORD)]).await;
    visit.submit().await;
    visit.look("kept").await;
    visit.says(&["已登记：封存", "周示例 → 吴示例", "县档案馆，封2026-01", "1张"]).await;
    visit.sign_out().await;
}

async fn anyone_asks_the_register(visit: &Visit) {
    let browser = &visit.browser;
    visit.public("/register/abolitions").await;
    visit.look("abolitions").await;
    visit.says(&["示府〔2020〕63号", "示例县市场监督管理局行政审批专用章"]).await;
    browser.follow(&format!("main a[href='/register/{DEPARTMENT_SEAL}']")).await;
    visit.look("register-seal").await;
    visit.says(&["已废止", "封2026-01"]).await;
    assert!(!visit.main().await.contains("周示例"), "who kept it is not public");
    for (at, verdict) in [("2020-12-31T10:00", "有效"), ("2021-01-01T00:00", "无效")] {
        visit.fill(&[("at", at), ("accepted", "2020-07-20T10:00"), ("item", ITEM)]).await;
        visit.submit().await;
        let said = browser.read("#ask ~ div .notice").await;
        assert!(said.starts_with(verdict), "{at}: {said}");
        visit.look(&format!("status-{verdict}")).await;
    }
    visit.public("/register").await;
    visit.look("register").await;
    visit.public("/items").await;
    visit.look("items").await;
    visit.public("/register/51322100009999").await;
    visit.look_refused("nothing").await;
}

async fn two_administrators_suspend_and_resume(visit: &Visit) {
    let browser = &visit.browser;
    visit.sign_in("admin-1").await;
    visit.staff(&format!("/seals/{BUREAU_SEAL}")).await;
    visit.look("suspend").await;
    let step = [
        ("document", "示审〔2026〕3号"),
        ("reason", "密码机检修"),
        ("second_id", "admin-2"),
        ("second_password", PASSWORD),
    ];
    visit.fill(&step).await;
    // From before the three documents of today: how many it ends must be said.
    visit.fill(&[("at", "2026-11-21T16:00")]).await;
    visit.submit().await;
    visit.look_refused("suspend-refused").await;
    assert!(browser.read("#acknowledged-fault").await.contains("台账现有3份"));
    visit.fill(&[("acknowledged", "3"), ("second_password", PASSWORD)]).await;
    visit.submit().await;
    visit.look("suspended").await;
    visit.says(&["已登记：停用", "已停用", "密码机检修", "恢复使用"]).await;
    visit.public(&format!("/register/{BUREAU_SEAL}")).await;
    visit.says(&["已停用", "密码机检修"]).await;

    visit.staff(&format!("/seals/{BUREAU_SEAL}")).await;
    visit.fill(&step).await;
    visit.submit().await;
    visit.says(&["已登记：恢复使用", "有效"]).await;
    visit.staff("/ledger").await;
    visit.look("ledger").await;
    visit.says(&["食品经营许可证", "准予行政许可决定书"]).await;
    visit.staff(&format!("/grants?seal={BUREAU_SEAL}")).await;
    visit.look("grants").await;
    visit.staff("/nothing").await;
    visit.look_refused("staff-nothing").await;
}

/// Within the foreign corpus.
const SHADOW: &str = "files/RUB-NDS+pdf-attacker/shadow-demo-exploits/hide/variant-2_hide-via-referenced-object/\
    hide-text-via-form/4_original-document-shadowed-signed-manipulated.pdf";

const DRAFT: &[u8] = include_bytes!("../../../src/cli/demo/draft.pdf");
