//! Serving: what a crash left is finished first, then the two listeners open, and the lists are kept fresh.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Clock;
use super::certificates::read_trust;
use super::rooms::{Rooms, print};
use super::trouble::Trouble;
use crate::ca::Authority;
use crate::desk::Desk;
use crate::http::{PublicState, StaffState, public_router, serve, staff_router};
use crate::issue;
use crate::preview::Previewer;

/// How often the lists are looked at: well within the day after which a list is made anew.
const REFRESH: Duration = Duration::from_secs(3600);

/// Opens everything and serves until told to stop.
pub(super) async fn run(rooms: &Rooms, clock: Clock) -> Result<(), Trouble> {
    // Before the keys: a schema that is not ours ends it at once.
    rooms.store().await?;
    let desk = rooms.desk(clock).await?;
    listen(rooms, desk, clock).await
}

/// Resumes, then serves on both addresses of the settings until SIGINT or SIGTERM, letting requests in flight end.
pub(super) async fn listen(rooms: &Rooms, desk: Desk, clock: Clock) -> Result<(), Trouble> {
    for one in issue::resume(&desk, clock()).await? {
        match one.outcome {
            Ok(_) => print(&format!("已完成中断的用印 / finished an interrupted order：{}", one.order)),
            Err(why) => print(&format!("中断的用印未完成 / an interrupted order is not finished：{} {why}", one.order)),
        }
    }
    let authority =
        Authority { store: desk.store.clone(), keyring: desk.keyring.clone(), public_url: desk.public_url.clone() };
    authority.refresh("service", clock()).await?;

    let http = &rooms.settings.http;
    let https = http.public_url.starts_with("https://");
    let trust = Arc::new(read_trust(&rooms.settings.verify.trust)?);
    let state = PublicState::new(desk.store.clone(), Arc::new(clock), trust, https);
    let keyring = desk.keyring.clone();
    let state = state.drawing(Previewer::of_this_program()).watching(Arc::new(move || keyring.health()));
    let public = public_router(match rooms.settings.verify.report_seal.clone() {
        Some(with) => state.sealing(desk.clone(), with),
        None => state,
    });
    let at_the_desk = desk.clone();
    let staff = tokio::task::spawn_blocking(move || StaffState::new(at_the_desk, Arc::new(clock), https)).await;
    let staff = staff_router(staff.map_err(|e| Trouble::new("cli.serve", e.to_string(), e.to_string()))?);
    let (public_door, staff_door) = (open(http.public).await?, open(http.staff).await?);
    for (door, zh, en) in [(&public_door, "公众", "public"), (&staff_door, "工作人员", "staff")] {
        if let Ok(address) = door.local_addr() {
            print(&format!("{zh} / {en}: http://{address}/"));
        }
    }

    let (stop, stopped) = watch::channel(false);
    let until = |mut stopped: watch::Receiver<bool>| async move {
        // An error means that the sender is gone, which is a stop too.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let fresh = tokio::spawn(keep_fresh(authority, clock));
    let signals = tokio::spawn(async move {
        told_to_stop().await;
        tracing::info!("stopping");
        let _ = stop.send(true);
    });
    let served =
        tokio::try_join!(serve(public_door, public, until(stopped.clone())), serve(staff_door, staff, until(stopped)),);
    fresh.abort();
    signals.abort();
    desk.store.close().await;
    served.map(|_| ()).map_err(|e| Trouble::new("cli.serve", format!("服务中断：{e}"), format!("serving ended: {e}")))
}

async fn open(address: std::net::SocketAddr) -> Result<TcpListener, Trouble> {
    TcpListener::bind(address).await.map_err(|e| {
        Trouble::new(
            "cli.listen",
            format!("无法在 {address} 上开门：{e}；请核对 http 设置，或停止占用该端口的程序"),
            format!("cannot listen on {address}: {e}; check the http settings, or stop what holds the port"),
        )
    })
}

/// A list that cannot be renewed is logged and tried again; verification says when it has become stale.
async fn keep_fresh(authority: Authority, clock: Clock) {
    loop {
        tokio::time::sleep(REFRESH).await;
        match authority.refresh("service", clock()).await {
            Ok(revoked) => tracing::info!(revoked, "revocation lists looked at"),
            Err(error) => tracing::error!(id = error.message().id, "revocation lists could not be renewed"),
        }
    }
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};

    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
