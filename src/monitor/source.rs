//! Where a log, or what somebody else saw of it, is looked at: one address, asked for nothing but the files of C2SP tlog-tiles.

use crate::crypto::sha256;
use crate::fetch::{FetchError, Fetcher};
use crate::limits;
use crate::message::Message;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::note::{Note, VerifierKey};
use crate::tlog::tile::{Kind, Tile, WIDTH, unbundle};

use super::Stop;
use super::report::Alarm;

/// An address, without a slash at its end.
#[derive(Debug)]
pub(super) struct Source {
    pub url: String,
    fetcher: Fetcher,
}

impl Source {
    /// None where it is no address that can be asked.
    pub fn of(url: &str) -> Option<Self> {
        let url = url.trim_end_matches('/').to_owned();
        let host = host_of(&url)?;
        let fetcher = Fetcher::new([host]);
        fetcher.may_ask(&url).then_some(Self { url, fetcher })
    }

    /// The head that it shows: a log's own, or the one that a witness saw last (C2SP tlog-witness), which stands under the
    /// SHA-256 of the log's name.
    pub fn head(&self, log: &VerifierKey) -> Result<(Note, Checkpoint), Stop> {
        let seen = format!("{}/checkpoint", hex::encode(sha256(log.name().as_bytes())));
        let bytes = match self.get("checkpoint", limits::LOG_NOTE_BYTES) {
            Err(FetchError::Status(404)) => self.get(&seen, limits::LOG_NOTE_BYTES),
            other => other,
        };
        let bytes = bytes.map_err(|why| self.away(&why))?;
        let note = Note::read(&bytes).map_err(|_| self.unreadable())?;
        match Checkpoint::open(&note, log) {
            Ok(head) => Ok((note, head)),
            Err(_) => Err(Alarm::Unsigned { url: self.url.clone() }.into()),
        }
    }

    /// A tile of hashes, as wide as it is asked for.
    pub fn hashes(&self, tile: &Tile) -> Result<Vec<u8>, Stop> {
        let (mut bytes, _) = self.file(tile, WIDTH as usize * 32)?;
        bytes.truncate(usize::from(tile.width) * 32);
        Ok(bytes)
    }

    /// A bundle of entries, as wide as it is asked for.
    pub fn entries(&self, tile: &Tile) -> Result<Vec<Vec<u8>>, Stop> {
        let (bytes, width) = self.file(tile, limits::LOG_BUNDLE_BYTES)?;
        let entries = unbundle(&bytes, width).map_err(|_| Alarm::Altered { path: tile.path() })?;
        Ok(entries.into_iter().take(usize::from(tile.width)).map(<[u8]>::to_vec).collect())
    }

    /// A narrow file may be gone once the full one is there (C2SP tlog-tiles, "Partial tiles"). Gives the width that it has.
    fn file(&self, tile: &Tile, most: usize) -> Result<(Vec<u8>, u16), Stop> {
        debug_assert!(tile.width > 0 && matches!(tile.kind, Kind::Hashes(_) | Kind::Entries));
        let full = Tile { width: WIDTH as u16, ..*tile };
        for asked in [*tile, full] {
            match self.get(&asked.path(), most) {
                Ok(bytes) => return Ok((bytes, asked.width)),
                Err(FetchError::Status(404)) => {}
                Err(why) => return Err(self.away(&why)),
            }
        }
        Err(Alarm::Withheld { path: tile.path() }.into())
    }

    fn get(&self, path: &str, most: usize) -> Result<Vec<u8>, FetchError> {
        self.fetcher.get(&format!("{}/{path}", self.url), most)
    }

    fn away(&self, why: &FetchError) -> Stop {
        let url = &self.url;
        let (zh, en) = match why {
            FetchError::Status(status) => (format!("答复状态 {status}"), format!("it answered with status {status}")),
            FetchError::TooLarge => ("答复过大".into(), "its answer is too large".into()),
            _ => ("未在时限内答复".into(), "it did not answer in time".into()),
        };
        Stop::Away(Message::new("monitor.away", format!("{url}：{zh}"), format!("{url}: {en}")))
    }

    fn unreadable(&self) -> Stop {
        let url = &self.url;
        Stop::Away(Message::new(
            "monitor.no-head",
            format!("{url} 给出的不是日志头；请核对地址（本系统的日志为 https://主机/log）"),
            format!("what {url} shows is no log's head; check the address (ours are https://HOST/log)"),
        ))
    }
}

/// As the fetcher lists hosts: with the port where it is not the usual one.
fn host_of(url: &str) -> Option<String> {
    let (usual, rest) = match url.split_once("://")? {
        ("http", rest) => (":80", rest),
        ("https", rest) => (":443", rest),
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?;
    Some(authority.strip_suffix(usual).unwrap_or(authority).to_ascii_lowercase())
}
