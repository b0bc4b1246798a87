//! Serving: what a crash left is finished first, then the two listeners open, and the lists are kept fresh.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Clock;
use super::certificates::service;
use super::rooms::{Rooms, print};
use super::trouble::Trouble;
use crate::audit;
use crate::ca::Authority;
use crate::desk::Desk;
use crate::http::{PublicState, StaffState, public_router, serve, staff_router};
use crate::issue;
use crate::limits;
use crate::preview::Previewer;
use crate::renew;
use crate::verify::Trust;

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
pub(super) async fn listen(rooms: &Rooms, mut desk: Desk, clock: Clock) -> Result<(), Trouble> {
    // From here on it is nobody at a command line who does what is done; requests say where they come from.
    desk.store = desk.store.from_source("service");
    for one in issue::resume(&desk, clock()).await? {
        match one.outcome {
            Ok(_) => print(&format!("已完成中断的用印 / finished an interrupted order：{}", one.order)),
            Err(why) => print(&format!("中断的用印未完成 / an interrupted order is not finished：{} {why}", one.order)),
        }
    }
    let authority = Authority::of(&desk);
    // A key that is away is no reason not to serve: everything else goes on, and it is tried again each hour.
    refresh(&authority, clock()).await;
    let rekeys = rooms.settings.certificates.rekeys;
    keep_up(&authority, rekeys, clock()).await;

    let http = &rooms.settings.http;
    let https = http.public_url.starts_with("https://");
    let trust = Arc::new(rooms.trust()?);
    let own_trust = trust.clone();
    let state = PublicState::new(desk.store.clone(), Arc::new(clock), trust, https);
    let keyring = desk.keyring.clone();
    let state = state.drawing(Previewer::of_this_program()).answering(&desk);
    let state = state.watching(Arc::new(move || keyring.health()));
    let state = match rooms.settings.stamp.public_a_minute {
        0 => state,
        a_minute => state.stamping(desk.clone(), a_minute),
    };
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
    let logging = tokio::spawn(keep_published(desk.clone(), clock));
    let anchoring = tokio::spawn(keep_anchored(desk.clone(), clock));
    let copying = tokio::spawn(keep_copied(desk.clone(), clock));
    let fresh = tokio::spawn(keep_fresh(authority, rekeys, clock));
    let waiting = tokio::spawn(finish_waiting(desk.clone(), clock));
    let lapsing = tokio::spawn(keep_lasting(desk.clone(), own_trust, clock));
    let signals = tokio::spawn(async move {
        told_to_stop().await;
        tracing::info!("stopping");
        let _ = stop.send(true);
    });
    let served =
        tokio::try_join!(serve(public_door, public, until(stopped.clone())), serve(staff_door, staff, until(stopped)),);
    logging.abort();
    anchoring.abort();
    copying.abort();
    fresh.abort();
    waiting.abort();
    lapsing.abort();
    signals.abort();
    desk.store.close().await;
    served.map(|_| ()).map_err(|e| Trouble::new("cli.serve", format!("服务中断：{e}"), format!("serving ended: {e}")))
}

pub(super) async fn open(address: std::net::SocketAddr) -> Result<TcpListener, Trouble> {
    TcpListener::bind(address).await.map_err(|e| {
        Trouble::new(
            "cli.listen",
            format!("无法在 {address} 上开门：{e}；请核对 http 设置，或停止占用该端口的程序"),
            format!("cannot listen on {address}: {e}; check the http settings, or stop what holds the port"),
        )
    })
}

/// What cannot be renewed is logged and tried again; verification says when it has become stale.
async fn keep_fresh(authority: Authority, rekeys: bool, clock: Clock) {
    loop {
        if let Err(error) = authority.answer_ahead("service", clock()).await {
            tracing::error!(id = error.message().id, "answers about certificates could not be renewed");
        }
        tokio::time::sleep(REFRESH).await;
        refresh(&authority, clock()).await;
        keep_up(&authority, rekeys, clock()).await;
    }
}

async fn refresh(authority: &Authority, now: OffsetDateTime) {
    match authority.refresh("service", now).await {
        Ok(revoked) => tracing::info!(revoked, "revocation lists looked at"),
        Err(error) => tracing::error!(id = error.message().id, "revocation lists could not be renewed"),
    }
}

/// Certificates that end, and keys that have ended. What cannot be done now is logged, and shown by doctor.
async fn keep_up(authority: &Authority, rekeys: bool, now: OffsetDateTime) {
    let Ok(who) = service() else { return };
    match authority.keep_up(rekeys, &who, now).await {
        Ok(upkeep) => {
            for why in &upkeep.trouble {
                tracing::error!(id = why.id, "a key or certificate could not be seen to");
            }
            tracing::info!(
                warned = upkeep.warned,
                rekeyed = upkeep.rekeyed.len(),
                destroyed = upkeep.destroyed.len(),
                "certificates looked at"
            );
        }
        Err(error) => tracing::error!(id = error.message().id, "certificates could not be looked at"),
    }
}

/// Documents whose time stamps lapse soon are renewed, each at its turn; what cannot be renewed now is tried again in an hour,
/// for half a year.
async fn keep_lasting(desk: Desk, trust: Arc<Trust>, clock: Clock) {
    loop {
        let due = renew::lapsing(&desk, clock()).await;
        for form in due.as_ref().map(Vec::as_slice).unwrap_or_default() {
            match renew::renew_our_own(&desk, &trust, form, clock()).await {
                Ok(renew::Outcome { original, outcome: Ok(_) }) => tracing::info!(original, "a document is renewed"),
                Ok(renew::Outcome { original, outcome: Err(why) }) => {
                    tracing::error!(original, id = why.id, "a document could not be renewed");
                }
                Err(error) => tracing::error!(id = error.message().id, "documents could not be renewed"),
            }
        }
        if let Err(error) = due {
            tracing::error!(id = error.message().id, "lapsing documents could not be looked for");
        }
        tokio::time::sleep(REFRESH).await;
    }
}

/// What no document carries out (grants, steps in a seal's life, …) is published soon after it is durable.
async fn keep_published(desk: Desk, clock: Clock) {
    loop {
        match desk.publish_head(clock()).await {
            Ok(Some(size)) => tracing::info!(size, "a head of the log is published"),
            Ok(None) => {}
            Err(error) => tracing::error!(id = error.message().id, "the log's head could not be published"),
        }
        tokio::time::sleep(Duration::from_secs(limits::LOG_PUBLISH_SECONDS)).await;
    }
}

/// Where the chain of audit events stands is entered in the log daily.
async fn keep_anchored(desk: Desk, clock: Clock) {
    loop {
        match audit::anchor_daily(&desk, clock()).await {
            Ok(Some(entered)) => tracing::info!(index = entered.index, "the audit trail is anchored in the log"),
            Ok(None) => {}
            Err(error) => tracing::error!(id = error.message().id, "the audit trail could not be anchored"),
        }
        tokio::time::sleep(REFRESH).await;
    }
}

/// What the register says is published for whoever judges without asking us.
async fn keep_copied(desk: Desk, clock: Clock) {
    loop {
        match desk.publish_register(clock()).await {
            Ok(Some(size)) => tracing::info!(size, "a snapshot of the register is published"),
            Ok(None) => {}
            Err(error) => tracing::error!(id = error.message().id, "the register's snapshot could not be published"),
        }
        tokio::time::sleep(Duration::from_secs(limits::REGISTER_LOOK_SECONDS)).await;
    }
}

/// Orders that wait are tried again as they fall due, one at a time: what one order cannot have, the next cannot either.
async fn finish_waiting(desk: Desk, clock: Clock) {
    loop {
        tokio::time::sleep(Duration::from_secs(limits::WAIT_LOOK_SECONDS)).await;
        loop {
            match issue::retry(&desk, clock()).await {
                Ok(Some(issue::Resumed { order, outcome: Ok(_) })) => {
                    tracing::info!(order, "a waiting order is finished")
                }
                Ok(Some(issue::Resumed { order, outcome: Err(why) })) => {
                    tracing::warn!(order, id = why.id, "a waiting order is not finished");
                    break;
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(id = error.message().id, "waiting orders could not be looked at");
                    break;
                }
            }
        }
    }
}

pub(super) async fn told_to_stop() {
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
