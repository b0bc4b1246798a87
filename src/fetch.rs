//! Fetching: lists, answers and certificates of outside authorities, from the hosts that the settings list and no others.
//!
//! Certificates name these addresses, and certificates come from strangers; so a host counts only when an administrator wrote
//! it down. No redirect is followed and no proxy asked, nothing of ours is sent but a question, and what comes back is bounded
//! in size and time and proves nothing until it is checked. Blocks, as keys do.

use std::collections::BTreeSet;
use std::time::Duration;

use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use crate::limits;
use crate::message::Message;

/// A way to the hosts that were listed.
#[derive(Debug, Clone)]
pub struct Fetcher {
    agent: Agent,
    hosts: BTreeSet<String>,
}

/// Why nothing came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Not an http or https address of a host.
    #[error("{}", self.message())]
    Address,
    /// The settings do not list this host.
    #[error("{}", self.message())]
    NotListed(String),
    /// It answered with this status, a redirect perhaps.
    #[error("{}", self.message())]
    Status(u16),
    #[error("{}", self.message())]
    TooLarge,
    /// No answer in time, or none at all.
    #[error("{}", self.message())]
    Unreachable(String),
}

impl FetchError {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::Address => Message::new(
                "fetch.address",
                "证书中的地址不是 http 或 https 地址，无法取用",
                "the address in the certificate is not an http or https one and cannot be used",
            ),
            Self::NotListed(host) => Message::new(
                "fetch.not-listed",
                format!("主机 {host} 未列入设置 status.hosts，不予访问；如信任该主机请列入"),
                format!("the host {host} is not in status.hosts and is not asked; list it if you trust it"),
            ),
            Self::Status(status) => Message::new(
                "fetch.status",
                format!("对方答复状态 {status}，没有给出内容；请稍后重试或联系该机构"),
                format!("it answered with status {status} and gave nothing; try again later or ask that authority"),
            ),
            Self::TooLarge => Message::new(
                "fetch.too-large",
                "对方给出的内容超过上限，未予采用",
                "what it gave is larger than is taken, and was not used",
            ),
            Self::Unreachable(host) => Message::new(
                "fetch.unreachable",
                format!("主机 {host} 未在时限内答复，请检查网络后重试"),
                format!("the host {host} did not answer in time; check the network and try again"),
            ),
        }
    }
}

impl Fetcher {
    /// For these hosts: `name` for its usual ports, `name:port` for another one.
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        let agent = Agent::config_builder()
            .max_redirects(0)
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(limits::FETCH_SECONDS)))
            .user_agent("yinxin")
            .build()
            .new_agent();
        Self { agent, hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    /// What lies at an address; at most so many bytes.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub fn get(&self, url: &str, most: usize) -> Result<Vec<u8>, FetchError> {
        let (uri, host) = self.listed(url)?;
        taken(self.agent.get(uri).call(), &host, most)
    }

    /// The answer of a responder to an OCSPRequest (RFC 6960 §A.1).
    ///
    /// # Errors
    /// See [`FetchError`].
    pub fn ask(&self, url: &str, request: &[u8]) -> Result<Vec<u8>, FetchError> {
        let (uri, host) = self.listed(url)?;
        let asked = self.agent.post(uri).content_type("application/ocsp-request");
        taken(asked.send(request), &host, limits::OCSP_BYTES)
    }

    /// The address, if its host is listed, and the host.
    /// Whether what this address names may be asked for at all.
    pub fn may_ask(&self, url: &str) -> bool {
        self.listed(url).is_ok()
    }

    fn listed(&self, url: &str) -> Result<(Uri, String), FetchError> {
        if url.len() > limits::ADDRESS_BYTES {
            return Err(FetchError::Address);
        }
        let uri: Uri = url.parse().map_err(|_| FetchError::Address)?;
        let usual = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return Err(FetchError::Address),
        };
        // A name before `@` is made to look like the host.
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let host = authority.ok_or(FetchError::Address)?.host().to_ascii_lowercase();
        let host = match uri.port_u16() {
            Some(port) if port != usual => format!("{host}:{port}"),
            _ => host,
        };
        if !self.hosts.contains(&host) {
            return Err(FetchError::NotListed(host));
        }
        Ok((uri, host))
    }
}

fn taken(answer: Result<Response<Body>, ureq::Error>, host: &str, most: usize) -> Result<Vec<u8>, FetchError> {
    let unreachable = |error: ureq::Error| match error {
        ureq::Error::BodyExceedsLimit(_) => FetchError::TooLarge,
        error => {
            tracing::warn!(host, %error, "a host did not answer");
            FetchError::Unreachable(host.to_owned())
        }
    };
    let mut answer = answer.map_err(unreachable)?;
    match answer.status().as_u16() {
        // ureq takes a body that fills its limit for one that exceeds it.
        200 => {
            let body = answer.body_mut().with_config().limit(most as u64 + 1).read_to_vec().map_err(unreachable)?;
            if body.len() > most { Err(FetchError::TooLarge) } else { Ok(body) }
        }
        status => Err(FetchError::Status(status)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// A host that gives each caller the next of these answers, and what it was asked.
    fn host(answers: Vec<Vec<u8>>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = door.local_addr().unwrap().to_string();
        let serving = std::thread::spawn(move || {
            answers
                .into_iter()
                .map(|answer| {
                    let (mut caller, _) = door.accept().unwrap();
                    let mut asked = [0; 4096];
                    let length = caller.read(&mut asked).unwrap();
                    caller.write_all(&answer).unwrap();
                    String::from_utf8_lossy(&asked[..length]).into_owned()
                })
                .collect()
        });
        (address, serving)
    }

    fn answer(head: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    #[test]
    fn only_listed_hosts_are_asked() {
        let fetcher = Fetcher::new(["CA.example".into(), "ca.example:8080".into()]);
        for good in
            ["http://ca.example/a.crl", "https://CA.EXAMPLE:443/", "http://ca.example:80/x", "http://ca.example:8080/"]
        {
            assert!(fetcher.listed(good).is_ok(), "{good}");
        }
        for other in
            ["http://other.example/", "http://ca.example:81/", "http://ca.example.other/", "https://ca.example:80/"]
        {
            assert!(matches!(fetcher.listed(other), Err(FetchError::NotListed(_))), "{other}");
        }
        for bad in [
            "ldap://ca.example/",
            "ca.example/x",
            "http://ca.example@other.example/",
            "file:///etc/passwd",
            "",
            "http://",
        ] {
            assert_eq!(fetcher.listed(bad).unwrap_err(), FetchError::Address, "{bad}");
        }
        assert!(matches!(Fetcher::new([]).get("http://127.0.0.1:1/", 9), Err(FetchError::NotListed(_))));
    }

    #[test]
    fn what_comes_is_bounded_and_redirects_are_not_followed() {
        let (elsewhere, untouched) = host(vec![answer("200 OK", b"stop")]);
        let moved = format!("302 Found\r\nLocation: http://{elsewhere}/");
        let (address, serving) = host(vec![
            answer("200 OK", b"0123456789"),
            answer("200 OK", b"0123456789"),
            answer(&moved, b""),
            answer("404 Not Found", b"0123456789"),
            answer("200 OK", b"answer"),
        ]);
        let fetcher = Fetcher::new([address.clone()]);
        let url = format!("http://{address}/list");
        assert_eq!(fetcher.get(&url, 10).unwrap(), b"0123456789");
        assert_eq!(fetcher.get(&url, 9).unwrap_err(), FetchError::TooLarge);
        assert_eq!(fetcher.get(&url, 10).unwrap_err(), FetchError::Status(302));
        assert_eq!(fetcher.get(&url, 10).unwrap_err(), FetchError::Status(404));
        assert_eq!(fetcher.ask(&url, b"question").unwrap(), b"answer");
        let asked = serving.join().unwrap();
        assert!(asked[0].starts_with("GET /list HTTP/1.1"), "{}", asked[0]);
        assert!(asked[4].starts_with("POST /list") && asked[4].to_lowercase().contains("application/ocsp-request"));
        assert_eq!(fetcher.get(&url, 10).unwrap_err(), FetchError::Unreachable(address));
        // Only now does anybody come to the other host.
        let other = Fetcher::new([elsewhere.clone()]);
        assert_eq!(other.get(&format!("http://{elsewhere}/last"), 9).unwrap(), b"stop");
        assert!(untouched.join().unwrap()[0].starts_with("GET /last"));
    }
}
