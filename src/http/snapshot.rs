//! The register as data, with the proof that the public log has it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use utoipa::IntoParams;

use super::PublicState;
use super::problem::{Problem, ProblemBody};
use super::status::has;
use crate::desk::blocking;
use crate::limits;
use crate::register::snapshot::{Published, Snapshot, SnapshotFault, whole};
use crate::store::Store;

/// Which snapshot.
#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SnapshotQuery {
    /// `size` of the snapshot at hand: what is new since then, and not the whole.
    since: Option<u64>,
}

/// All seals with their lives, certificates and orders of abolition, and all items, as of the newest snapshot; with the
/// receipt of the public log (C2SP tlog-proof). What `yinxin verify --register` judges by, without asking us.
#[utoipa::path(get, path = "/register/snapshot", tag = "register", params(SnapshotQuery), responses(
    (status = 200, description = "`register` or `delta`, and `receipt`", body = serde_json::Value, content_type = "application/json"),
    (status = 304, description = "The caller has the newest"),
    (status = 404, description = "There is no such snapshot", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn snapshot(
    State(state): State<PublicState>,
    Query(query): Query<SnapshotQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let none = || {
        Problem::unknown(
            "register.no-snapshot",
            "没有这份登记册快照，请下载全文（不带 since）",
            "there is no such snapshot of the register; fetch the whole, without `since`",
        )
    };
    let newest = state.store.newest_proven().await?.ok_or_else(none)?;
    let asked = Asked { since: query.since, newest };
    // What was proven once never changes.
    let etag = asked.since.map_or(format!("\"{newest}\""), |since| format!("\"{since}-{newest}\""));
    let cached = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, "public, max-age=60".to_owned())];
    if has(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, cached).into_response());
    }
    let text = state.copies.get(&state.store, asked).await?.ok_or_else(none)?;
    Ok((cached, [(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// What is asked for: all of the newest snapshot, or what is new in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    since: Option<u64>,
    newest: u64,
}

/// Answers of the newest snapshot that were given before. Each is made once: to compare two registers takes a processor a
/// while, and anybody may ask.
#[derive(Debug, Clone)]
pub(super) struct Copies(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    /// Oldest first.
    made: Mutex<Vec<(Asked, Bytes)>>,
    /// Held while one is made.
    turn: tokio::sync::Mutex<()>,
    /// Who may wait for that.
    places: Semaphore,
}

impl Default for Copies {
    fn default() -> Self {
        let places = Semaphore::new(limits::SNAPSHOT_CALLERS);
        Self(Arc::new(Kept { made: Mutex::default(), turn: tokio::sync::Mutex::default(), places }))
    }
}

impl Copies {
    async fn get(&self, store: &Store, asked: Asked) -> Result<Option<Bytes>, Problem> {
        if let Some(made) = self.made_before(asked) {
            return Ok(Some(made));
        }
        let _place = self.0.places.try_acquire().map_err(|_| Problem::busy())?;
        let _turn = self.0.turn.lock().await;
        if let Some(made) = self.made_before(asked) {
            return Ok(Some(made));
        }
        let Some(made) = make(store, asked).await? else { return Ok(None) };
        let mut kept = self.made();
        kept.retain(|(old, _)| old.newest == asked.newest);
        kept.push((asked, made.clone()));
        let too_much = |kept: &[(Asked, Bytes)]| {
            kept.len() > limits::SNAPSHOT_COPIES
                || kept.iter().map(|(_, text)| text.len()).sum::<usize>() > limits::REGISTER_BYTES
        };
        while too_much(&kept) {
            kept.remove(0);
        }
        Ok(Some(made))
    }

    fn made_before(&self, asked: Asked) -> Option<Bytes> {
        self.made().iter().find(|(made, _)| *made == asked).map(|(_, text)| text.clone())
    }

    fn made(&self) -> MutexGuard<'_, Vec<(Asked, Bytes)>> {
        self.0.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn make(store: &Store, asked: Asked) -> Result<Option<Bytes>, Problem> {
    let Some((newest, receipt)) = store.snapshot_text(asked.newest).await? else { return Ok(None) };
    let Some(since) = asked.since else { return Ok(Some(whole(&newest, &receipt).into())) };
    let Some((old, _)) = store.snapshot_text(since).await? else { return Ok(None) };
    let compared = blocking(move || {
        let delta = Snapshot::read(&newest)?.since(&Snapshot::read(&old)?);
        Ok::<_, SnapshotFault>(Published::Delta(Box::new(delta)).write(&receipt))
    });
    let text = compared.await.map_err(|fault| {
        tracing::error!(fault = %fault.message().en, "a stored snapshot cannot be read");
        Problem::busy()
    })?;
    Ok(Some(text.into()))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::store::StoreSettings;
    use crate::tlog::note::Note;

    /// However many ask, one answer at a time is made, so many wait for it, and the others are told to come again.
    #[tokio::test]
    async fn only_so_many_wait() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("copies.sqlite").display());
        let store = Store::open(&StoreSettings { url, password: None }).await.unwrap();
        store.migrate().await.unwrap();
        let note = Note::new("log.example\n1\nAAAA\n".to_owned()).unwrap();
        for day in 0..2 {
            let now = datetime!(2026-11-21 08:00 UTC) + time::Duration::days(day);
            let snapshot = store.register_now(0, now).await.unwrap();
            store.file_snapshot(&snapshot).await.unwrap().unwrap();
            store.prove_snapshot(snapshot.size, "proof", (1, &note)).await.unwrap();
        }
        let newest = store.newest_proven().await.unwrap().unwrap();
        let copies = Copies::default();
        let [whole, delta] = [None, Some(0)].map(|since| Asked { since, newest });
        let text = copies.get(&store, whole).await.unwrap_or_else(|_| panic!()).unwrap();
        assert!(text.starts_with(b"{\"register\":{"));
        let places = copies.0.places.try_acquire_many(limits::SNAPSHOT_CALLERS as u32).unwrap();
        assert!(copies.get(&store, delta).await.is_err(), "there is no place");
        assert_eq!(copies.get(&store, whole).await.ok().flatten(), Some(text), "what is at hand is given all the same");
        drop(places);
        let delta = copies.get(&store, delta).await.unwrap_or_else(|_| panic!()).unwrap();
        assert!(delta.starts_with(b"{\"delta\":{"));
        // Answers of an older snapshot are let go.
        copies.get(&store, Asked { since: None, newest: 0 }).await.unwrap_or_else(|_| panic!()).unwrap();
        assert_eq!(copies.made().len(), 1);
    }
}
