//! The least that speaks HTTP/1.1: what is sent and what came back, byte for byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Someone who asks one listener.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    /// Sent with everything, as a browser does.
    pub cookie: Option<String>,
    pub token: Option<String>,
    pub second: Option<String>,
    /// Further headers, whole lines.
    pub also: Vec<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.text()))
    }

    /// Name and value of the cookie that was set.
    pub fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    /// Every cookie that was set.
    pub fn cookies(&self) -> Vec<String> {
        let set = self.headers.iter().filter(|(name, _)| name == "set-cookie");
        set.map(|(_, value)| value.split(';').next().unwrap().to_owned()).collect()
    }

    /// A refusal in the form of RFC 9457; its identifier.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let body = self.json();
        let id = body["id"].as_str().unwrap().to_owned();
        assert_eq!(body["type"], format!("/problems/{id}"));
        assert_eq!(body["status"], self.status);
        assert_eq!(body["request_id"], self.header("x-request-id"));
        for sentence in ["title", "title_en", "detail", "detail_en"] {
            assert!(body[sentence].as_str().is_some_and(|text| !text.is_empty()), "{sentence} in {body}");
        }
        id
    }
}

impl Client {
    pub fn of(address: SocketAddr) -> Self {
        Self { address, cookie: None, token: None, second: None, also: vec![] }
    }

    pub fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.into()), ..self }
    }

    pub fn with_second(self, token: &str) -> Self {
        Self { second: Some(token.into()), ..self }
    }

    pub fn also(mut self, header: &str) -> Self {
        self.also.push(header.into());
        self
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", &[]).await
    }

    /// As a browser asks for a page.
    pub async fn page(&self, path: &str) -> Answer {
        self.clone().also("Accept: text/html").get(path).await
    }

    pub async fn post_json(&self, path: &str, body: &serde_json::Value) -> Answer {
        self.send("POST", path, "application/json", body.to_string().as_bytes()).await
    }

    pub async fn post_form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
        let body: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.send("POST", path, "application/x-www-form-urlencoded", body.join("&").as_bytes()).await
    }

    /// Parts: name, name of the file where it is one, bytes.
    pub async fn post_parts(&self, path: &str, parts: &[(&str, Option<&str>, &[u8])]) -> Answer {
        let mut body = vec![];
        for (name, file, bytes) in parts {
            let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
            body.extend(
                format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").into_bytes(),
            );
            body.extend(*bytes);
            body.extend(b"\r\n");
        }
        body.extend(b"--edge--\r\n");
        self.send("POST", path, "multipart/form-data; boundary=edge", &body).await
    }

    pub async fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        let length = format!("Content-Length: {}\r\n", body.len());
        self.raw(method, path, &(kind + &length), body).await
    }

    /// The same where nobody may be there, or may go away half way.
    pub async fn try_send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Option<Answer> {
        let headers = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
        let (address, bytes) = (self.address, self.request(method, path, &headers, body));
        tokio::task::spawn_blocking(move || attempt(address, &bytes)).await.ok()?
    }

    pub async fn raw(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let (address, bytes) = (self.address, self.request(method, path, headers, body));
        tokio::task::spawn_blocking(move || attempt(address, &bytes).expect("a whole answer")).await.unwrap()
    }

    fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}", self.address);
        for (name, value) in [
            ("Cookie: ", &self.cookie),
            ("Authorization: Bearer ", &self.token),
            ("X-Second-Officer-Token: ", &self.second),
        ] {
            head.extend(value.iter().map(|value| format!("{name}{value}\r\n")));
        }
        head.extend(self.also.iter().map(|line| format!("{line}\r\n")));
        head.push_str("\r\n");
        [head.as_bytes(), body].concat()
    }
}

/// Where the head ends.
fn head(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|window| window == b"\r\n\r\n")
}

fn whole(answer: &[u8]) -> bool {
    let Some(end) = head(answer) else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head.split("content-length:").nth(1).and_then(|rest| rest.split("\r\n").next());
    length.is_some_and(|length| answer.len() - end - 4 >= length.trim().parse().unwrap_or(usize::MAX))
}

/// What came back; none where it was no whole answer.
fn attempt(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    // A listener that refuses early may close before everything is sent.
    stream.write_all(bytes).ok();
    let (mut answer, mut piece) = (vec![], [0; 16 * 1024]);
    // To the end, or as long as was said: some listeners keep the line open.
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..read]);
        if whole(&answer) {
            break;
        }
    }
    let end = head(&answer)?;
    let head = String::from_utf8(answer[..end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Some(Answer { status, headers: lines.filter_map(pair).collect(), body: answer[end + 4..].to_vec() })
}
