//! The two listeners on real sockets, over both databases: every answer as it leaves the machine.

pub mod client;
mod copies;
mod description;
mod ofd;
pub mod people;
mod programs;
mod public;
mod reports;
mod seal_status;
mod sharing;
mod status;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use time::{Duration, OffsetDateTime};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use yinxin::http::{Clock, PublicState, StaffState, hash_password, public_router, serve, staff_router};
use yinxin::store::{ApiToken, Scope};
use yinxin::verify::Trust;

use crate::bureau::*;
use crate::db::Database;
use client::Client;

/// The password of everyone in the tests' bureau.
pub const PASSWORD: &str = "correct horse battery staple";

/// A bureau with both listeners open.
pub struct Doors {
    pub bureau: Bureau,
    pub public: SocketAddr,
    pub staff: SocketAddr,
    late: Arc<AtomicI64>,
    clock: Clock,
    replicas: std::sync::Mutex<Vec<oneshot::Sender<()>>>,
    _stop: [oneshot::Sender<()>; 2],
    _folder: tempfile::TempDir,
}

impl Doors {
    pub async fn open(database: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bureau = Bureau::found(database, folder.path()).await;
        let late = Arc::new(AtomicI64::new(0));
        let seconds = late.clone();
        let clock: Clock = Arc::new(move || NOW + Duration::seconds(seconds.load(Ordering::SeqCst)));
        let store = bureau.desk.store.clone();
        let state = PublicState::new(store, clock.clone(), Arc::new(Trust::default()), false).answering(&bureau.desk);
        let (public, stop_public) = listen(public_router(state)).await;
        let (staff, stop_staff) =
            listen(staff_router(StaffState::new(bureau.desk.clone(), clock.clone(), false))).await;
        let replicas = std::sync::Mutex::default();
        Self { bureau, public, staff, late, clock, replicas, _stop: [stop_public, stop_staff], _folder: folder }
    }

    pub fn public(&self) -> Client {
        Client::of(self.public)
    }

    pub fn staff(&self) -> Client {
        Client::of(self.staff)
    }

    /// A public listener on the same store that has no keys.
    pub async fn a_public_listener_without_keys(&self) -> Client {
        let store = self.bureau.desk.store.clone();
        let state = PublicState::new(store, self.clock.clone(), Arc::new(Trust::default()), false);
        let (address, stop) = listen(public_router(state)).await;
        self.replicas.lock().unwrap().push(stop);
        Client::of(address)
    }

    /// Another staff listener on the same store, as a second replica has it.
    pub async fn another_staff_listener(&self) -> Client {
        let (desk, clock) = (self.bureau.desk.clone(), self.clock.clone());
        let (address, stop) = listen(staff_router(StaffState::new(desk, clock, false))).await;
        self.replicas.lock().unwrap().push(stop);
        Client::of(address)
    }

    /// The staff listener from now on, on the same store, with another desk.
    pub async fn staff_with(&mut self, desk: yinxin::desk::Desk) {
        let (address, stop) = listen(staff_router(StaffState::new(desk, self.clock.clone(), false))).await;
        self.replicas.lock().unwrap().push(stop);
        self.staff = address;
    }

    /// Time goes on.
    pub fn later(&self, by: Duration) {
        self.late.fetch_add(by.whole_seconds(), Ordering::SeqCst);
    }

    pub fn now(&self) -> OffsetDateTime {
        NOW + Duration::seconds(self.late.load(Ordering::SeqCst))
    }

    /// Gives these officers the tests' password.
    pub async fn passwords(&self, officers: &[&str]) {
        let hash = tokio::task::spawn_blocking(|| hash_password(&PASSWORD.into()).unwrap()).await.unwrap();
        for officer in officers {
            self.bureau.desk.store.set_password(&person(officer), &hash).await.unwrap();
        }
    }

    /// A token of an officer's with these scopes; its value.
    pub async fn token(&self, officer: &str, scopes: &[Scope]) -> String {
        let value = format!("token-of-{officer}-{scopes:?}");
        let id = hex::encode(yinxin::crypto::sha256(value.as_bytes()));
        let (scopes, expires_at) = (scopes.iter().copied().collect(), NOW + Duration::days(30));
        let token = ApiToken { id, officer: person(officer), label: "test".into(), scopes, expires_at };
        self.bureau.desk.store.add_token(&token, NOW).await.unwrap();
        value
    }

    /// A browser in which the officer is signed in.
    pub async fn signed_in(&self, officer: &str) -> Client {
        let mut client = self.staff();
        let answer = client.post_form("/sign-in", &[("id", officer), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        client.cookie = Some(answer.cookie());
        client
    }
}

pub async fn listen(routes: axum::Router) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(listener, routes, async {
        stopped.await.ok();
    }));
    (address, stop)
}
