//! The command line as it is used: the built program, a folder of its own, real files; what it prints and how it ends.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const TWO: [&str; 4] = ["--by", "zf-seal-1", "--second", "zf-seal-2"];
const BUREAU: &str = "51322100000002";
const DEPARTMENT: &str = "51322100000110";

/// A place where the program works, with settings for soft keys.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub settings: PathBuf,
}

/// What a run came to.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// It ended well; its output.
    #[track_caller]
    pub fn good(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// It ended with this code and complained with this identifier, in both languages.
    #[track_caller]
    pub fn complains(self, code: i32, id: &str) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.contains(&format!("[{id}]")) && self.err.contains(" / "), "{id}: {}", self.err);
        assert!(!self.out.contains("panicked") && !self.err.contains("panicked"), "{}", self.err);
    }
}

impl Place {
    /// Settings over this database; nothing else is there yet.
    pub fn new(store: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        private(&folder.path().join("passphrase"), "correct horse battery staple\n");
        let settings = folder.path().join("yinxin.toml");
        let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let text = format!(
            "[store]\nurl = {store:?}\n[keys]\npassphrase_file = \"passphrase\"\n[render]\ntemplates = {templates:?}\n"
        );
        fs::write(&settings, text).unwrap();
        Self { folder, settings }
    }

    /// With the sample bureau, certificate authorities, and certificates for the bureau's and one department's seal.
    pub fn with_bureau(store: &str) -> Self {
        let place = Self::new(store);
        place.run(&["migrate"]).good();
        place.run(&["ca", "init", "--organisation", "示例"]).good();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/demo/wenchuan.json");
        place.run(&[&["import", sample.to_str().unwrap()], &TWO[..]].concat()).good();
        for seal in [BUREAU, DEPARTMENT] {
            place.run(&[&["seal", "make-cert", seal], &TWO[..]].concat()).good();
        }
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.arg("--config").arg(&self.settings).args(arguments).current_dir(self.folder.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.run(&[&["--json"], arguments].concat()).good();
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
    }

    /// What it says as JSON, however it ended.
    fn json_of(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["--json"], arguments].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}{}", ran.out, ran.err))
    }

    fn write(&self, name: &str, value: &Value) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, value.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A request for a licence, filed under a name.
    pub fn request(&self, number: &str) -> String {
        self.write("request.json", &licence(number))
    }
}

pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yinxin"));
    command.env_remove("RUST_LOG").env_remove("YINXIN_STOP_AFTER").stdin(Stdio::null());
    command
}

pub fn private(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn licence(number: &str) -> Value {
    let sample: Value = serde_json::from_str(include_str!("../../src/cli/demo/wenchuan.json")).unwrap();
    let case = &sample["cases"][0];
    let mut decision = case["request"].clone();
    decision["number"] = number.into();
    json!({
        "decision": decision, "seal": BUREAU, "template": case["template"], "data": case["face"],
        "licence": { "act": "issue", "type_code": case["licence_type"], "valid_from": "2021-03-08T16:00:00Z",
            "valid_until": "2026-03-08T16:00:00Z" },
    })
}

#[test]
fn the_arguments_are_explained_in_chinese_and_english() {
    let help = Ran::of(&program().arg("--help").output().unwrap()).good();
    assert!(help.contains("印信") && help.contains("verify files"), "{help}");
    for command in ["migrate", "serve", "doctor", "demo", "issue", "abolish", "verify"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
        let help = Ran::of(&program().args([command, "--help"]).output().unwrap()).good();
        assert!(help.contains(" / "), "{help}");
    }
    // 2 would say "could not be confirmed".
    assert_eq!(Ran::of(&program().args(["verify", "--nonsense"]).output().unwrap()).code, 3);
    assert_eq!(Ran::of(&program().args(["seal", "show", "12"]).output().unwrap()).code, 3);
}

#[test]
fn what_cannot_be_run_is_said_and_nothing_is_made() {
    let place = Place::new("sqlite:data/yinxin.sqlite");
    place.run(&["ledger"]).complains(1, "store.migrations-pending");
    place.run(&["serve"]).complains(1, "store.migrations-pending");
    place.run(&["verify", "nowhere.pdf"]).complains(3, "store.migrations-pending");
    let elsewhere = |arguments: &[&str]| Ran::of(&program().args(arguments).current_dir("/").output().unwrap());
    elsewhere(&["--config", "/nowhere/yinxin.toml", "migrate"]).complains(1, "config.unreadable");
    elsewhere(&["verify", "--trust", "/nowhere", "x.pdf"]).complains(3, "cli.file");
    fs::write(&place.settings, "[store]\nurll = 1").unwrap();
    place.run(&["migrate"]).complains(1, "config.unknown-key");
    let doctor = place.run(&["doctor"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.out.contains("✗ fail") && doctor.out.contains("config.unknown-key"), "{}", doctor.out);
}

/// A detached signature by openssl, under the signer's own certificate.
#[test]
fn a_detached_signature_is_verified_with_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, line: &str| {
        let output = Command::new(name).args(line.split(' ')).current_dir(folder.path()).output().unwrap();
        Ran::of(&output)
    };
    fs::create_dir(folder.path().join("trust")).unwrap();
    fs::write(folder.path().join("order.txt"), "准予行政许可决定书").unwrap();
    fs::write(folder.path().join("other.txt"), "不予行政许可决定书").unwrap();
    run("openssl", "req -x509 -newkey rsa:3072 -nodes -keyout key -out trust/signer.pem -subj /CN=signer -days 30 -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature").good();
    run(
        "openssl",
        "cms -sign -binary -cades -in order.txt -signer trust/signer.pem -inkey key -outform DER -out order.p7s",
    )
    .good();

    let verify = |line: &str| {
        let ran = run(env!("CARGO_BIN_EXE_yinxin"), &format!("verify --json --trust trust {line}"));
        (ran.code, serde_json::from_str::<Value>(ran.out.trim()).unwrap())
    };
    let (code, report) = verify("--content order.txt order.p7s");
    assert_eq!((code, report["indication"].as_str()), (0, Some("TOTAL-PASSED")), "{report:#}");
    assert_eq!((&report["format"], &report["signatures"][0]["intact"]), (&json!("cms"), &json!(true)));
    let (code, report) = verify("--content other.txt order.p7s");
    assert_eq!((code, report["sub_indication"].as_str()), (1, Some("HASH_FAILURE")));
    let (code, report) = verify("order.p7s");
    assert_eq!((code, report["sub_indication"].as_str()), (2, Some("SIGNED_DATA_NOT_FOUND")));
}

#[test]
fn from_an_empty_folder_to_a_verified_licence() {
    let place = Place::with_bureau("sqlite:data/yinxin.sqlite");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/demo/wenchuan.json");
    place.run(&["ca", "init", "--organisation", "示例"]).complains(1, "ca.exists");
    let again = [&["import", sample.to_str().unwrap()], &TWO[..]].concat();
    place.run(&again).complains(1, "store.officer");
    let alone = ["seal", "make-cert", BUREAU, "--by", "zf-seal-1", "--second", "zf-seal-1"];
    place.run(&alone).complains(1, "officer.two-administrators");

    // Soft keys are warned of, loudly, each time.
    let request = place.request("JY25132210000012");
    let issue = ["issue", &request, "--officer", "spj-chief", "--out", "licence.pdf"];
    let made = place.run(&issue);
    assert!(made.err.contains("[keys.soft]"), "{}", made.err);
    assert!(made.good().contains("食品经营许可证"));
    assert_eq!(place.json(&issue)["again"], true, "the same request gives the same document");
    let other = place.write("other.json", &{
        let mut other = licence("JY25132210000012");
        other["decision"]["holder"]["name"] = "别家".into();
        other
    });
    place.run(&["issue", &other, "--officer", "spj-chief"]).complains(1, "issue.number-in-use");
    place.run(&["issue", &place.request("J-2"), "--officer", "nobody"]).complains(1, "cli.unknown");
    place.run(&["issue", &place.request("J-3"), "--officer", "spj-intake"]).complains(1, "grant.none");
    place.run(&["issue", "licence.pdf", "--officer", "spj-chief"]).complains(1, "cli.request");

    // With the register, offline with the root alone, and with one byte changed.
    let report = place.json(&["verify", "licence.pdf"]);
    assert_eq!((report["indication"].as_str(), report["format"].as_str()), (Some("TOTAL-PASSED"), Some("pdf")));
    let [seal, stamp] = [&report["signatures"][0], &report["signatures"][1]];
    assert_eq!((seal["level"].as_str(), seal["later_changes"].as_str()), (Some("B-LTA"), Some("allowed")));
    assert_eq!((stamp["kind"].as_str(), stamp["coverage"].as_str()), (Some("time-stamp"), Some("whole")));
    assert!(place.run(&["renew", "licence.pdf", "--out", "renewed"]).good().contains("B-LTA"));
    assert_eq!(place.json(&["verify", "renewed/licence.pdf"])["signatures"].as_array().unwrap().len(), 3);
    assert_eq!(place.json(&["renew", "--due"])["due"], 0);
    place.run(&["ca", "export", "trust"]).good();
    let at = place.folder.path();
    let offline = program().args(["verify", "--json", "--trust", "trust", "licence.pdf"]).current_dir(at).output();
    let offline = Ran::of(&offline.unwrap());
    let report: Value = serde_json::from_str(&offline.out).unwrap();
    assert_eq!(report["signatures"][0]["trusted"], true, "{report}");
    assert_ne!(report["indication"], "TOTAL-FAILED");
    let mut changed = fs::read(at.join("licence.pdf")).unwrap();
    let stream = changed.windows(7).position(|w| w == b"stream\n").unwrap() + 20;
    changed[stream] ^= 1;
    fs::write(at.join("changed.pdf"), changed).unwrap();
    let both = place.run(&["verify", "licence.pdf", "changed.pdf"]);
    assert_eq!(both.code, 1);
    assert!(both.out.contains("TOTAL-PASSED  licence.pdf") && both.out.contains("HASH_FAILURE"), "{}", both.out);
    assert_eq!(place.run(&["verify", "request.json"]).code, 2, "no document is INDETERMINATE");
    // The report in its other forms: beside the file, in a file, in a folder.
    place.run(&["verify", "--report", "xml", "licence.pdf"]).good();
    place.run(&["verify", "--report", "html", "-o", "kept.html", "licence.pdf"]).good();
    assert_eq!(place.run(&["verify", "--report", "json", "-o", ".", "licence.pdf", "changed.pdf"]).code, 1);
    for (file, inside) in [
        ("licence.pdf.xml", "urn:etsi:019102:mainindication:total-passed"),
        ("kept.html", "核验通过"),
        ("licence.pdf.json", "\"TOTAL-PASSED\""),
        ("changed.pdf.json", "\"HASH_FAILURE\""),
    ] {
        assert!(fs::read_to_string(at.join(file)).unwrap().contains(inside), "{file}");
    }
    assert_eq!(place.run(&["verify", "--output", "x", "licence.pdf"]).code, 3, "a place for no report");

    // The ledger has it once, as a spreadsheet reads it.
    let ledger = place.run(&["ledger", "--csv"]).good();
    assert_eq!(ledger.lines().count(), 2, "{ledger}");
    assert!(ledger.contains("汶川县行政审批专用章,spj-chief"), "{ledger}");

    let doctor = place.run(&["doctor"]);
    assert!(doctor.out.contains("seal-51322100000002-1") && doctor.out.contains("[doctor.list]"), "{}", doctor.out);
    assert!(!doctor.good().contains("✗"));
}

#[test]
fn where_time_stamps_come_from_is_looked_at() {
    let place = Place::new("sqlite:data/yinxin.sqlite");
    place.run(&["migrate"]).good();
    place.run(&["ca", "stamping"]).complains(1, "ca.missing");
    assert!(place.run(&["doctor"]).out.contains("[doctor.no-stamping]"));
    place.run(&["ca", "init", "--organisation", "示例"]).good();
    assert_eq!(place.json(&["ca", "stamping"])[0]["made"], false, "it came with the authorities");
    assert!(place.run(&["doctor"]).out.contains("[doctor.stamping]"));
    place.run(&["ca", "export", "trust"]).good();
    assert!(fs::read_to_string(place.folder.path().join("trust/stamping.pem")).unwrap().contains("CERTIFICATE"));

    // An outside authority without anchors, then one where nobody answers.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = fs::read_to_string(&place.settings).unwrap();
    let with = |trust: &str| {
        let table = format!("[[stamp.authorities]]\nurl = \"http://{nobody}/\"\ntrust = \"{trust}\"\n");
        fs::write(&place.settings, format!("{settings}{table}")).unwrap();
        let doctor = place.run(&["doctor"]);
        assert_eq!(doctor.code, 1);
        doctor.out
    };
    assert!(with("nothing").contains("[cli.stamp-trust]"));
    let said = with("trust");
    assert!(said.contains("[doctor.stamp-authority]") && said.contains("cannot be reached"), "{said}");
}

#[test]
fn abolition_from_a_csv_ends_the_key() {
    let place = Place::with_bureau("sqlite:data/yinxin.sqlite");
    fs::write(place.folder.path().join("seals.csv"), format!("印章编号,划转事项\n{DEPARTMENT},000119901\n")).unwrap();
    let order = json!({ "order": {
        "number": "汶府〔2021〕1号", "government": "汶川县人民政府", "date": "2021-01-01", "at": "2020-12-31T16:00:00Z",
        "reason": "划转", "successor": BUREAU, "seals": [],
    }});
    let order = place.write("order.json", &order);
    let abolish = [&["abolish", &order, "--csv", "seals.csv"], &TWO[..]].concat();
    let status = |at: &str| {
        place.json(&[
            "status",
            DEPARTMENT,
            "--at",
            at,
            "--item",
            "000119901",
            "--accepted",
            "2020-07-20T00:00:00+08:00",
        ])
    };
    assert_eq!(status("2021-01-01T00:00:00+08:00")["verdict"], "good");
    let done = place.json(&abolish);
    assert_eq!((done["seals"].as_u64(), done["revoked"].as_u64()), (Some(1), Some(1)));
    place.run(&abolish).complains(1, "store.abolition");
    assert_eq!(status("2020-12-31T23:59:59+08:00")["verdict"], "good");
    assert_eq!(status("2021-01-01T00:00:00+08:00")["refusals"][0]["message"]["id"], "seal.abolished");
    let mut late = licence("汶水许〔2020〕1号");
    late["seal"] = DEPARTMENT.into();
    late["decision"]["item"] = "000119901".into();
    late["decision"]["accepted_at"] = "2020-07-20T00:00:00Z".into();
    late["decision"]["hands"] =
        json!({ "intake": "swj-intake", "review": "swj-review", "decide": "swj-decide", "produce": "swj-produce" });
    let late = place.write("late.json", &late);
    place.run(&["issue", &late, "--officer", "swj-decide"]).complains(1, "seal.abolished");

    // Custody, a token and a password, each by name and never by argument.
    let entry = json!({ "kind": "sealed-away", "at": "2021-01-04T02:00:00Z", "handed_over_by": "甲", "received_by": "乙", "place": "档案室", "container": "封-1" });
    let entry = place.write("entry.json", &entry);
    place.run(&[&["custody", "add", DEPARTMENT, &entry], &TWO[..]].concat()).good();
    place.run(&[&["custody", "add", BUREAU, &entry], &TWO[..]].concat()).complains(1, "custody.not-abolished");
    let shown = place.json(&["seal", "show", DEPARTMENT]);
    assert_eq!((shown["status"].as_str(), shown["custody"].as_array().unwrap().len()), (Some("abolished"), 1));
    let token = place.json(&["token", "make", "--officer", "spj-chief", "--label", "t", "--scope", "issue"]);
    assert_eq!(token["token"].as_str().unwrap().len(), 64);
    private(&place.folder.path().join("password"), "a long password\n");
    place.run(&["officer", "password", "spj-chief", "--password-file", "password"]).good();
    fs::write(place.folder.path().join("open"), "x").unwrap();
    assert_eq!(place.run(&["officer", "password", "spj-chief", "--password-file", "open"]).code, 1);
    place.run(&["seal", "impression", BUREAU, "--svg", "seal.svg"]).good();
    assert!(fs::read_to_string(place.folder.path().join("seal.svg")).unwrap().contains("42mm"));
}

#[test]
fn the_demonstration_holds() {
    let out = tempfile::tempdir().unwrap();
    let mut demo = program();
    demo.args(["demo", "--once", out.path().to_str().unwrap()]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let table = Ran::of(&demo.output().unwrap()).good();
    assert!(!table.contains('✗') && table.contains("TOTAL-PASSED"), "{table}");
    for file in [
        "licence.pdf",
        "approval.pdf",
        "notice.pdf",
        "uploaded.pdf",
        "licence.ofd",
        "approval.ofd",
        "root.pem",
        "register.json",
    ] {
        assert!(out.path().join(file).metadata().unwrap().len() > 500, "{file}");
    }
    let register: Value = serde_json::from_slice(&fs::read(out.path().join("register.json")).unwrap()).unwrap();
    let abolished = register["seals"].as_array().unwrap().iter().filter(|seal| seal["status"] == "abolished").count();
    assert_eq!(abolished, 15);
    assert!(!register.to_string().contains("吴示例"), "the names of those who handed seals over are not public");

    crate::register::judges_without_a_network(out.path());
}

/// The bureau's own two; the government's ([`TWO`]) close seals and do not use them.
pub const OWN: [&str; 4] = ["--by", "spj-seal-1", "--second", "spj-seal-2"];

#[test]
fn a_seal_is_suspended_and_resumed_by_its_owners_two() {
    let place = Place::with_bureau("sqlite:data/yinxin.sqlite");
    let step = |what: &str, more: &[&str], two: &[&str]| {
        let order = ["seal", what, BUREAU, "--document", "停〔2026〕1号", "--reason", "遗失核查"];
        place.run(&[&order[..], more, two].concat())
    };
    place.run(&["issue", &place.request("J-1"), "--officer", "spj-chief"]).good();
    step("suspend", &[], &TWO).complains(1, "officer.not-your-seal");
    step("suspend", &[], &["--by", "spj-seal-1", "--second", "spj-seal-1"]).complains(1, "officer.two-administrators");
    step("resume", &[], &OWN).complains(1, "seal.impossible-step");
    // From before now it ends a document, and whoever orders it says so.
    let past = ["--at", "2021-06-01T00:00:00+08:00"];
    step("suspend", &past, &OWN).complains(1, "seal.acknowledge");
    let said = step("suspend", &[&past[..], &["--acknowledge", "1"]].concat(), &OWN).good();
    assert!(said.contains("已登记停用") && said.contains("已停用") && said.contains("suspended now"), "{said}");
    place.run(&["issue", &place.request("J-2"), "--officer", "spj-chief"]).complains(1, "seal.suspended");
    step("suspend", &[], &OWN).complains(1, "seal.impossible-step");
    step("resume", &past, &OWN).complains(1, "seal.force-in-the-past");
    assert!(step("resume", &[], &OWN).good().contains("有效"));
    place.run(&["issue", &place.request("J-2"), "--officer", "spj-chief"]).good();
    let shown = place.json(&["seal", "show", BUREAU]);
    let kinds: Vec<&str> =
        shown["seal"]["life"].as_array().unwrap().iter().filter_map(|e| e["kind"].as_str()).collect();
    assert_eq!(kinds, ["activated", "suspended", "resumed"]);
}

#[test]
fn grants_posts_and_licences_end() {
    let place = Place::with_bureau("sqlite:data/yinxin.sqlite");
    let grant = |id: &str, officer: &str, until: &str| {
        let grant = json!({ "id": id, "officer": officer, "seal": BUREAU, "items": "all", "from": "2020-01-01T00:00:00Z",
            "until": until, "given_by": "局长", "document": "授〔2026〕2号" });
        place.write(&format!("{id}.json"), &grant)
    };
    let good = grant("g-2", "spj-produce", "2036-01-01T00:00:00Z");
    let add = |file: &str, two: &[&str]| place.run(&[&["grant", "add", file], two].concat());
    add(&good, &TWO).complains(1, "officer.not-your-seal");
    add(&grant("g-3", "spj-produce", "2019-01-01T00:00:00Z"), &OWN).complains(1, "administer.grant-period");
    add(&grant("g-4", "nobody", "2036-01-01T00:00:00Z"), &OWN).complains(1, "administer.no-officer");
    assert!(add(&good, &OWN).good().contains("授〔2026〕2号"));
    add(&good, &OWN).complains(1, "store.grant");
    let made = place.json(&["issue", &place.request("J-1"), "--officer", "spj-produce"]);
    let revoke = [&["grant", "revoke", "g-2"], &OWN[..]].concat();
    assert!(place.run(&revoke).good().contains("已收回"));
    place.run(&revoke).complains(1, "store.no-grant");
    place.run(&["issue", &place.request("J-2"), "--officer", "spj-produce"]).complains(1, "grant.revoked");

    // The licence ends, once, on a decision of its own.
    let end = |number: &str, act: &str| {
        let decision = &licence(number)["decision"];
        place.write("end.json", &json!({ "decision": decision, "identifier": made["identifier"], "act": act }))
    };
    let ended = |file: &str| place.run(&["end-licence", file, "--officer", "spj-chief"]);
    ended(&end("J-3", "renew")).complains(1, "issue.not-an-end");
    place.run(&["end-licence", &end("J-3", "cancel"), "--officer", "spj-produce"]).complains(1, "officer.duty");
    assert!(ended(&end("J-3", "cancel")).good().contains("证照已注销：1.2.156.3005.2."));
    ended(&end("J-4", "revoke")).complains(1, "licence.ended");

    // The same decision and template asked for with other contents is not answered with the first document.
    let mut other = licence("J-1");
    other["licence"]["valid_until"] = "2030-01-01T00:00:00Z".into();
    let other = place.write("other.json", &other);
    place.run(&["issue", &other, "--officer", "spj-chief"]).complains(1, "issue.another-request");

    let leave = |id: &str, by: &str| place.run(&["officer", "leave", id, "--by", by]);
    leave("swj-intake", "spj-seal-1").complains(1, "officer.not-your-officer");
    leave("spj-chief", "spj-intake").complains(1, "officer.duty");
    assert!(leave("spj-chief", "spj-seal-1").good().contains("已登记离岗：spj-chief"));
    leave("spj-chief", "spj-seal-1").complains(1, "store.officer-left");
    place.run(&["issue", &place.request("J-5"), "--officer", "spj-chief"]).complains(1, "officer.left");
    assert!(leave("swj-intake", "zf-seal-1").good().contains("the end of the post is filed"));
}

#[test]
fn a_seal_gets_its_certificate_from_an_outside_authority() {
    let place = Place::with_bureau("sqlite:data/yinxin.sqlite");
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        let ran = command.args(arguments.split(' ')).current_dir(place.folder.path()).output();
        let ran = ran.expect("openssl is installed (apt install openssl)");
        assert!(ran.status.success(), "{arguments}: {}", String::from_utf8_lossy(&ran.stderr));
    };
    let request = |out: &str| place.json(&[&["seal", "csr", BUREAU, "--out", out], &OWN[..]].concat());
    // A stranger to the department makes and installs no keys for its seal; the owner and the government do.
    let theirs = ["seal", "csr", DEPARTMENT, "--out", "x.pem"];
    place.run(&[&theirs[..], &OWN].concat()).complains(1, "officer.not-your-seal");
    place.run(&[&["seal", "make-cert", DEPARTMENT], &OWN[..]].concat()).complains(1, "officer.not-your-seal");
    let sent = ["seal", "install-cert", DEPARTMENT, "passphrase", "--key", "seal-51322100000110-1"];
    place.run(&[&sent[..], &OWN].concat()).complains(1, "officer.not-your-seal");
    let rekey = ["seal", "rekey", DEPARTMENT, "--document", "换〔2026〕1号"];
    place.run(&[&rekey[..], &OWN].concat()).complains(1, "officer.not-your-seal");
    assert!(place.run(&[&rekey[..], &TWO].concat()).good().contains("已换钥"));
    let alone = ["seal", "csr", BUREAU, "--out", "x.pem", "--by", "spj-seal-1", "--second", "spj-seal-1"];
    place.run(&alone).complains(1, "officer.two-administrators");
    let (asked, other) = (request("request.pem"), request("other.pem"));
    let key = asked["key"].as_str().unwrap();
    assert_eq!(other["key"], key, "a key without a certificate is taken up again");
    openssl("req -in request.pem -verify -noout");
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=Outside -addext keyUsage=critical,keyCertSign,cRLSign",
    );
    let usage = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,nonRepudiation\n";
    fs::write(place.folder.path().join("usage"), usage).unwrap();
    openssl(
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -set_serial 4711 -days 20 -extfile usage -out seal.pem",
    );

    let install = |key: &str| {
        place.run(&[&["seal", "install-cert", BUREAU, "seal.pem", "ca.pem", "--key", key], &OWN[..]].concat())
    };
    let untrusted = install(key);
    assert!(untrusted.code == 1 && untrusted.err.contains("[pki."), "nobody trusts it yet: {}", untrusted.err);
    let trust = place.folder.path().join("trust");
    fs::create_dir_all(&trust).unwrap();
    fs::copy(place.folder.path().join("ca.pem"), trust.join("outside.pem")).unwrap();
    install(&format!("seal-{BUREAU}-1")).complains(1, "pki.install-other-key");
    // Another seal's key would give this seal's officers that seal.
    for label in [&format!("seal-{DEPARTMENT}-1"), "root", &format!("seal-{BUREAU}")] {
        install(label).complains(1, "ca.other-key");
    }
    assert!(install(key).good().contains("1267"), "serial 4711");
    install(key).complains(1, "store.certificate");
    // From now on the seal uses it. It names nobody who could say that it is not revoked, so more than B-T is not to be had.
    let doctor = place.run(&["doctor"]).out;
    assert!(doctor.contains("[doctor.no-evidence]") && doctor.contains(BUREAU), "{doctor}");
    place.run(&["issue", &place.request("J-0"), "--officer", "spj-chief"]).complains(1, "issue.waiting");
    let waiting = place.json(&["orders", "list"]);
    assert_eq!(waiting[0]["because"]["id"], "status.no-evidence", "{waiting}");
    let order = waiting[0]["order"].as_str().unwrap();
    let give_up = ["orders", "give-up", order, "--reason", "证书无吊销地址"];
    place.run(&[&give_up[..], &OWN].concat()).good();
    place.run(&[&give_up[..], &OWN].concat()).complains(1, "administer.not-waiting");
    assert_eq!(place.json(&["orders", "list"]), json!([]));
    place.run(&[&["seal", "level", BUREAU, "B-B"], &OWN[..]].concat()).good();
    assert!(!place.run(&["doctor"]).out.contains("[doctor.no-evidence]"), "B-B needs none");
    place.run(&["issue", &place.request("J-1"), "--officer", "spj-chief", "--out", "licence.pdf"]).good();
    let report = place.json_of(&["verify", "licence.pdf"]);
    // The chain leads to the outside root; only its revocation list is missing.
    assert_eq!(
        (&report["signatures"][0]["intact"], &report["sub_indication"]),
        (&json!(true), &json!("TRY_LATER")),
        "{report}"
    );
}

/// Seals are filed by those whose they are, or by the government, one by one and from one file.
#[test]
fn a_seal_is_filed_by_its_owner_or_the_government() {
    let place = Place::with_bureau("sqlite:data/yinxin.sqlite");
    let sample: Value = serde_json::from_str(include_str!("../../src/cli/demo/wenchuan.json")).unwrap();
    let rows = sample["authorities"].as_array().unwrap();
    let department = rows.iter().find(|row| row["seal"]["number"] == DEPARTMENT).unwrap();
    let mut seal = department["seal"].clone();
    seal["number"] = "51322100009999".into();
    seal["owner"] = department["uscc"].clone();
    let file = place.write("seal.json", &seal);
    place.run(&[&["seal", "add", &file], &OWN[..]].concat()).complains(1, "officer.not-your-seal");
    place.run(&[&["seal", "add", &file], &TWO[..]].concat()).good();
    let grants = json!([{ "id": "g-9", "officer": "spj-produce", "seal": BUREAU, "items": "all", "from": "2020-01-01T00:00:00Z",
        "until": "2036-01-01T00:00:00Z", "given_by": "县长", "document": "授〔2026〕9号" }]);
    let bureau = json!({ "authorities": [], "officers": [], "batches": [], "items": [], "grants": grants });
    let file = place.write("bureau.json", &bureau);
    // First grants come with a seal's founding; later ones are its owner's to give.
    place.run(&[&["import", &file], &TWO[..]].concat()).complains(1, "officer.not-your-seal");
    place.run(&[&["import", &file], &OWN[..]].concat()).good();
}

#[test]
fn a_ceiling_is_laid_down_and_holds_at_the_command_line() {
    let place = Place::with_bureau("sqlite:data/yinxin.sqlite");
    let ceiling = |more: &[&str], two: &[&str]| {
        place.run(&[&["seal", "ceiling", BUREAU, "--document", "限〔2026〕1号"], more, two].concat())
    };
    ceiling(&["--hour", "1", "--day", "1"], &TWO).complains(1, "officer.not-your-seal");
    ceiling(&["--hour", "2", "--day", "1"], &OWN).complains(1, "use.hour-over-day");
    ceiling(&["--hour", "1", "--day", "1"], &OWN).good();
    place.run(&["issue", &place.request("J-1"), "--officer", "spj-chief"]).good();
    place.run(&["issue", &place.request("J-2"), "--officer", "spj-chief"]).complains(1, "use.seal-hour");
    assert_eq!(place.run(&["issue", &place.request("J-1"), "--officer", "spj-chief"]).code, 0, "the same again");
    let doctor = place.run(&["doctor"]).out;
    assert!(doctor.contains("doctor.use-alarm"), "{doctor}");
    ceiling(&[], &OWN).good();
    place.run(&["issue", &place.request("J-2"), "--officer", "spj-chief"]).good();
    let usage = &place.json(&["seal", "show", BUREAU])["usage"];
    assert_eq!((&usage[0]["in_day"], &usage[0]["ceiling"]["a_day"]), (&json!(2), &json!(2000)));
}

#[test]
fn a_seal_made_as_data_seals_both_formats() {
    let place = Place::with_bureau("sqlite:data/yinxin.sqlite");
    let two = |words: &[&str]| place.run(&[words, &TWO[..]].concat());
    two(&["seal", "make-ses", BUREAU]).complains(1, "making.no-sm2");
    two(&["seal", "make-cert", BUREAU, "--algorithm", "sm2"]).good();
    assert!(place.run(&["doctor"]).out.contains("doctor.seal-file]"), "one certificate, and no seal as data");
    two(&["seal", "make-ses", BUREAU]).good();
    place.run(&["seal", "export-ses", BUREAU, "--out", "seal.esl"]).good();
    place.run(&["seal", "filing-record", BUREAU, "--out", "filing.json"]).good();
    let at = place.folder.path();
    let filing: Value = serde_json::from_slice(&fs::read(at.join("filing.json")).unwrap()).unwrap();
    assert_eq!((&filing["sealCode"], &filing["sealZone"]), (&json!(BUREAU), &json!(&BUREAU[..6])));
    assert!(fs::read(at.join("seal.esl")).unwrap().starts_with(&[0x30]));

    let request = place.request("JY25132210000012");
    let issue = ["issue", &request, "--officer", "spj-chief", "--format", "both", "--out", "licence.pdf"];
    place.run(&issue).good();
    for file in ["licence.pdf", "licence.ofd"] {
        assert_eq!(place.json(&["verify", file])["indication"], "TOTAL-PASSED", "{file}");
    }
}
