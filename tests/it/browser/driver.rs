//! Headless Chromium, driven by as much of WebDriver (W3C Recommendation, JSON over HTTP) as the stories need.

use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::http::client::{Answer, Client};

const CHROMIUM: &str = "/usr/bin/chromium";
/// The key under which WebDriver names an element (WebDriver §12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser with a profile of its own. Scripts of pages do not run in it; ours, sent by WebDriver, do.
pub struct Browser {
    driver: Child,
    client: Client,
    session: String,
    folder: tempfile::TempDir,
    /// Kept open: a program that cannot say what it has to say may end.
    _said: Lines<BufReader<ChildStdout>>,
}

impl Browser {
    /// None, said loudly, where Chromium or its driver is not installed; under CI that is a failure.
    pub async fn start() -> Option<Self> {
        let version = Command::new("chromedriver").arg("--version").output();
        if version.is_err() || !Path::new(CHROMIUM).exists() {
            assert!(std::env::var("CI").is_err(), "no Chromium or chromedriver under CI; run scripts/setup test");
            eprintln!("LEFT OUT: the browser's stories, as Chromium or chromedriver is missing (scripts/setup test)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            // What Chromium keeps beside its profile, its crash reports for one.
            .env("XDG_CONFIG_HOME", folder.path())
            .env("XDG_CACHE_HOME", folder.path())
            .env("LANGUAGE", "zh_CN")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let mut ports = said
            .by_ref()
            .map_while(Result::ok)
            .filter_map(|line| line.split("on port ").nth(1)?.trim_end_matches('.').parse::<u16>().ok());
        let Some(port) = ports.find(|port| *port > 0) else {
            driver.kill().ok();
            panic!("chromedriver did not say its port");
        };
        let client = Client::of(([127, 0, 0, 1], port).into());
        let mut browser = Self { driver, client, session: String::new(), folder, _said: said };
        browser.open_session().await;
        Some(browser)
    }

    async fn open_session(&mut self) {
        let profile = format!("--user-data-dir={}", self.folder.path().join("profile").display());
        let mut arguments = vec![
            "--headless",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--lang=zh-CN",
            // Nothing but this machine can be reached, whatever a page names.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--window-size=1280,900",
            &profile,
        ];
        // Chromium's own sandbox refuses root.
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            arguments.push("--no-sandbox");
        }
        let downloads = self.downloads();
        std::fs::create_dir_all(&downloads).unwrap();
        let asked = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {
                "binary": CHROMIUM,
                "args": arguments,
                "prefs": { "download.default_directory": downloads, "download.prompt_for_download": false,
                    "plugins.always_open_pdf_externally": true },
            },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let answer = self.client.post_json("/session", &asked).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.session = answer.json()["value"]["sessionId"].as_str().unwrap().to_owned();
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let path = format!("/session/{}{path}", self.session);
        self.client.send(method, &path, "application/json", body.as_bytes()).await
    }

    async fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let answer = self.send(method, path, &body).await;
        assert_eq!(answer.status, 200, "{path} {}: {}", body.chars().take(300).collect::<String>(), answer.text());
        answer.json()["value"].take()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.command("POST", path, &body).await
    }

    /// A command of Chromium's own protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    // — going about

    pub async fn open(&self, address: &str) {
        self.post("/url", json!({ "url": address })).await;
    }

    pub async fn address(&self) -> String {
        self.command("GET", "/url", &Value::Null).await.as_str().unwrap().to_owned()
    }

    /// What a function with this body gives.
    pub async fn ask(&self, body: &str) -> Value {
        self.post("/execute/sync", json!({ "script": body, "args": [] })).await
    }

    async fn element(&self, css: &str) -> String {
        let found = self.post("/element", json!({ "using": "css selector", "value": css })).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// The words that are to be seen in it.
    pub async fn read(&self, css: &str) -> String {
        let element = self.element(css).await;
        self.command("GET", &format!("/element/{element}/text"), &Value::Null).await.as_str().unwrap().to_owned()
    }

    /// Clicks on what leads to another page, and waits until the one before us is gone.
    pub async fn follow(&self, css: &str) {
        let page = self.element("html").await;
        self.click(css).await;
        for _ in 0..600 {
            if self.send("GET", &format!("/element/{page}/name"), "").await.status != 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{css} led nowhere from {}", self.address().await);
    }

    /// Clicks on what stays on the page.
    pub async fn click(&self, css: &str) {
        let element = self.element(css).await;
        self.post(&format!("/element/{element}/click"), json!({})).await;
    }

    /// Fills a control in as a person does; controls for dates, whose keys depend on the locale, are set.
    pub async fn fill(&self, name: &str, value: &str) {
        let css = format!("[name=\"{name}\"]");
        let kind = self.ask(&format!("return document.querySelector('{css}').type")).await;
        match kind.as_str().unwrap() {
            "select-one" => self.click(&format!("{css} option[value=\"{value}\"]")).await,
            "radio" | "checkbox" => self.click(&format!("{css}[value=\"{value}\"]")).await,
            "date" | "datetime-local" => {
                let set = format!("const c = document.querySelector('{css}'); c.value = '{value}'; return c.value");
                assert_eq!(self.ask(&set).await, value, "{name}");
            }
            kind => {
                let element = self.element(&css).await;
                if kind != "file" {
                    self.post(&format!("/element/{element}/clear"), json!({})).await;
                }
                let keys = value.replace("\r\n", "\n");
                self.post(&format!("/element/{element}/value"), json!({ "text": keys })).await;
            }
        }
    }

    // — what came of it

    /// Where downloads end.
    pub fn downloads(&self) -> PathBuf {
        self.folder.path().join("downloads")
    }

    /// Clicks on a link to a file and gives what was downloaded.
    pub async fn download(&self, css: &str) -> Vec<u8> {
        let there = || std::fs::read_dir(self.downloads()).unwrap().map(|entry| entry.unwrap().path());
        let before: Vec<_> = there().collect();
        self.click(css).await;
        for _ in 0..200 {
            let mut new = there().filter(|path| !before.contains(path) && path.extension().is_some_and(|e| e == "pdf"));
            if let Some(path) = new.next() {
                return std::fs::read(path).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing was downloaded by {css}");
    }

    /// What Chromium complained of since it was last asked.
    pub async fn complaints(&self) -> Vec<String> {
        let lines = self.post("/se/log", json!({ "type": "browser" })).await;
        let said = |line: &Value| format!("{} {}", line["level"].as_str().unwrap(), line["message"].as_str().unwrap());
        lines.as_array().unwrap().iter().map(said).collect()
    }

    /// Addresses that were asked for since this was last asked.
    pub async fn requests(&self) -> Vec<String> {
        let lines = self.post("/se/log", json!({ "type": "performance" })).await;
        let read = |line: &Value| serde_json::from_str::<Value>(line["message"].as_str()?).ok();
        let events = lines.as_array().unwrap().iter().filter_map(read).map(|mut event| event["message"].take());
        let sent = events.filter(|event| event["method"] == "Network.requestWillBeSent");
        sent.map(|event| event["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    /// The page as wide as a telephone, or again as wide as a desk.
    pub async fn narrow(&self, telephone: bool) {
        if telephone {
            let size = json!({ "width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true });
            self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        } else {
            self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
        }
    }

    /// The whole page as a picture, in the folder that `YINXIN_BROWSER_PICTURES` names, where it does.
    pub async fn picture(&self, name: &str) {
        let Ok(folder) = std::env::var("YINXIN_BROWSER_PICTURES") else { return };
        let whole = json!({ "captureBeyondViewport": true });
        let picture = self.devtools("Page.captureScreenshot", whole).await;
        let bytes = BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
    }

    /// The page as it is printed, pages of PDF.
    pub async fn print(&self) -> Vec<u8> {
        let printed = self.post("/print", json!({ "page": { "width": 21.0, "height": 29.7 } })).await;
        BASE64_STANDARD.decode(printed.as_str().unwrap()).unwrap()
    }
}

impl Drop for Browser {
    /// Ends the driver, and every process of this browser: its profile's folder, named in their arguments, is its alone.
    fn drop(&mut self) {
        let ours = self.folder.path().to_str().unwrap_or("/nowhere").to_owned();
        let running = || {
            let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
            let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
            pids.filter(|pid| {
                let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&arguments).contains(&ours)
            })
        };
        self.driver.kill().ok();
        self.driver.wait().ok();
        for _ in 0..20 {
            let pids: Vec<String> = running().map(|pid| pid.to_string()).collect();
            if pids.is_empty() {
                return;
            }
            Command::new("sh").args(["-c", "kill -9 \"$@\"", "kill"]).args(&pids).stderr(Stdio::null()).status().ok();
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
