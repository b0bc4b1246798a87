//! The HTTP doors: two listeners. The public one needs no key and knows no officer; the staff one signs people in.
//!
//! This file is the list of routes. A handler parses, calls one flow or asks the store, and answers; what it may and
//! may not do is decided by the rules below. Pages work without scripts; every style is a file of our own.
//!
//! | room | what |
//! |---|---|
//! | `register`, `snapshot`, `log`, `verification`, `stamping` | the public API |
//! | `status` | the responder, lists and certificates of our authorities |
//! | `seal_status` | the status of seals in the shape of the national service |
//! | `pages` | the public pages |
//! | `staff`, `issuing`, `copies`, `administration`, `ledger` | the staff API |
//! | `sharing` | the sharing operations of licence platforms |
//! | `office` | the staff pages |
//! | `sign_in` | sessions, tokens, passwords |
//! | `witness` | a witness's own listener |
//! | `guard`, `problem` | what stands around every route |
//!
//! Not here: TLS and the outer rate limit, which are the reverse proxy's.

mod administration;
mod answers;
mod asked;
mod copies;
mod guard;
mod issuing;
mod ledger;
mod log;
mod office;
mod pages;
mod problem;
mod register;
mod seal_status;
mod sharing;
mod shelf;
mod sign_in;
mod snapshot;
mod spool;
mod staff;
mod stamping;
mod status;
mod verification;
mod witness;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_http::csrf::CsrfLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::guard::Around;
use self::problem::Problem;
use crate::ca::Authority;
use crate::desk::Desk;
use crate::issue::ReportSeal;
use crate::limits;
use crate::message::Message;
use crate::preview::Previewer;
use crate::status::Responder;
use crate::store::Store;
use crate::verify::Trust;

pub use self::sign_in::{hash_password, try_password};
pub use self::staff::StaffState;
use self::staff::Tokens;
pub use self::witness::witness_router;

/// The clock as a value: only `main.rs` reads the real one.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// What the public listener works with.
#[derive(Clone)]
pub struct PublicState {
    pub store: Store,
    pub clock: Clock,
    /// Roots, intermediates and lists beside the house's own, from the settings.
    pub trust: Arc<Trust>,
    /// Reached by https, by whoever stands in front: HSTS is sent.
    pub https: bool,
    /// Turns to judge a document: as many run at once, and a turn ends with its work and not with its client.
    pub judgements: Arc<Semaphore>,
    /// Draws pages beside a verdict; none where no child process may be started.
    pub previewer: Option<Previewer>,
    /// Seals reports on request. This, a stamper and a responder that signs are what reaches a key here; the listener runs
    /// without all three.
    pub report_seal: Option<Arc<(Desk, ReportSeal)>>,
    /// Reports of the last minutes.
    pub shelf: shelf::Shelf,
    /// Snapshots of the register as they were asked for.
    copies: snapshot::Copies,
    /// Our own time-stamp authority.
    stamper: Option<stamping::Stamper>,
    /// Answers about our certificates; without keys those that others signed beforehand.
    pub responder: Responder,
    /// What else stands against serving, asked by `/readyz`: none where no key is in this process.
    pub health: Health,
}

/// Whether the process can go on, or must be started anew, with what to say then.
pub type Health = Arc<dyn Fn() -> Result<(), Message> + Send + Sync>;

impl PublicState {
    pub fn new(store: Store, clock: Clock, trust: Arc<Trust>, https: bool) -> Self {
        let judgements = Arc::new(Semaphore::new(limits::HTTP_JUDGEMENTS));
        let responder = Responder::new(store.clone(), None);
        Self {
            store,
            clock,
            trust,
            https,
            judgements,
            previewer: None,
            report_seal: None,
            shelf: Default::default(),
            copies: Default::default(),
            stamper: None,
            responder,
            health: Arc::new(|| Ok(())),
        }
    }

    /// With pictures of the pages.
    pub fn drawing(self, previewer: Previewer) -> Self {
        Self { previewer: Some(previewer), ..self }
    }

    /// With a key to sign answers about our certificates.
    pub fn answering(self, desk: &Desk) -> Self {
        Self { responder: Responder::new(self.store.clone(), Some(Authority::of(desk))), ..self }
    }

    /// In one process with keys, whose health is its own.
    pub fn watching(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// With reports sealed on request.
    pub fn sealing(self, desk: Desk, with: ReportSeal) -> Self {
        Self { report_seal: Some(Arc::new((desk, with))), ..self }
    }

    /// With time stamps for the public, so many a minute.
    pub fn stamping(self, desk: Desk, a_minute: usize) -> Self {
        Self { stamper: Some(stamping::Stamper::of(desk, a_minute)), ..self }
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "印信 yinxin: public",
    description = "核验、登记册、印章状态、证照公开信息。Verification, the register of seals, licences' public part. No account needed."
))]
struct PublicApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "印信 yinxin: staff",
        description = "制证、用印、印章管理、台账。Issuing, sealing, administration of seals, the ledger. \
            Every request carries `Authorization: Bearer`, those of /CertShare their token inside; cookies are not looked at."
    ),
    modifiers(&Tokens)
)]
struct StaffApi;

/// The public listener's routes.
pub fn public_router(state: PublicState) -> Router {
    let (api, mut openapi) = public_api().split_for_parts();
    let (uploads, with_uploads) = OpenApiRouter::new().routes(routes!(verification::verifications)).split_for_parts();
    openapi.merge(with_uploads);
    let uploads = uploads.route("/verify", get(pages::verify_form).post(verification::verify_page));
    let small = Router::new()
        .route("/", get(pages::home))
        .route("/register", get(pages::register))
        .route("/register/abolitions", get(pages::abolitions))
        .route("/register/{number}", get(pages::seal))
        .route("/items", get(pages::items))
        .route("/licences/{identifier}", get(pages::licence))
        .route("/log", get(log::page))
        .route("/log/tile/{*path}", get(log::tile))
        .route("/ocsp/{*request}", get(status::ocsp_by_get))
        .route("/verify/reports/{name}/sealed", post(verification::sealed))
        .route("/verify/reports/{name}/{form}", get(verification::kept))
        .merge(api)
        .merge(common(openapi));
    let how = Around { no_store: false, https: state.https };
    let stamping = state.stamper.as_ref().map(stamping::Stamper::desk).cloned();
    let ready =
        Router::new().route("/readyz", get(ready)).with_state((state.store.clone(), state.health.clone(), stamping));
    guard::around(guard::small(small).merge(guard::large(uploads)).with_state(state).merge(ready), how)
}

fn public_api() -> OpenApiRouter<PublicState> {
    OpenApiRouter::with_openapi(PublicApi::openapi())
        .routes(routes!(register::seals))
        .routes(routes!(register::seal))
        .routes(routes!(register::status))
        .routes(routes!(register::items))
        .routes(routes!(snapshot::snapshot))
        .routes(routes!(register::licence))
        .routes(routes!(log::checkpoint))
        .routes(routes!(log::key))
        .routes(routes!(status::ocsp))
        .routes(routes!(status::crl))
        .routes(routes!(status::ca))
        .routes(routes!(stamping::stamp))
        .routes(routes!(seal_status::by_catalogue))
        .routes(routes!(seal_status::by_method))
}

/// The staff listener's routes.
pub fn staff_router(state: StaffState) -> Router {
    let (api, mut openapi) = staff_api().split_for_parts();
    let (uploads, with_uploads) = staff_uploads().split_for_parts();
    openapi.merge(with_uploads);
    let with_files = Router::new()
        .route("/uploads", get(office::upload_form).post(office::upload))
        .route("/seals/{number}/custody", post(office::custody))
        .layer(CsrfLayer::new());
    let uploads = uploads.merge(with_files);
    let small = Router::new()
        .route("/", get(office::home))
        .route("/sign-in", get(office::sign_in_form).post(office::sign_in))
        .route("/sign-out", post(office::sign_out))
        .route("/issue", get(office::issue_form).post(office::issue))
        .route("/copies", get(office::copies_form).post(office::copies))
        .route("/orders/{id}", get(office::order))
        .route("/documents/{sha256}", get(office::document))
        .route("/seals", get(office::seals))
        .route("/seals/{number}", get(office::seal))
        .route("/seals/{number}/steps", post(office::step))
        .route("/seals/{number}/ceiling", get(office::ceiling_form).post(office::ceiling))
        .route("/seals/{number}/level", get(office::level_form).post(office::level))
        .route("/abolish", get(office::abolish_form).post(office::abolish))
        .route("/grants", get(office::grants).post(office::grant))
        .route("/grants/{id}/revoke", post(office::revoke))
        .route("/ledger", get(office::ledger))
        .route("/audit", get(office::audit))
        // Cross-site requests end here. Programs send neither Origin nor Sec-Fetch-Site, and no cookie counts for them.
        .layer(CsrfLayer::new())
        .merge(api)
        .merge(common(openapi));
    let how = Around { no_store: true, https: state.https };
    let keyring = state.desk.keyring.clone();
    let health: Health = Arc::new(move || keyring.health());
    let stamping = Some(state.desk.clone());
    let ready = Router::new().route("/readyz", get(ready)).with_state((state.desk.store.clone(), health, stamping));
    let routes = guard::small(small).merge(guard::large(uploads)).with_state(state);
    guard::around(routes.merge(ready), how)
}

fn staff_api() -> OpenApiRouter<StaffState> {
    OpenApiRouter::with_openapi(StaffApi::openapi())
        .routes(routes!(issuing::licences))
        .routes(routes!(issuing::end))
        .routes(routes!(copies::copies, copies::copies_made))
        .routes(routes!(issuing::document))
        .routes(routes!(issuing::order))
        .routes(routes!(administration::abolitions))
        .routes(routes!(administration::custody))
        .routes(routes!(administration::events))
        .routes(routes!(administration::ceilings))
        .routes(routes!(administration::level))
        .routes(routes!(administration::grants))
        .routes(routes!(administration::revoke_grant))
        .routes(routes!(administration::leave))
        .routes(routes!(ledger::ledger))
        .routes(routes!(sharing::operation))
        .routes(routes!(sharing::download))
}

/// What takes a document, apart because its limits are others.
fn staff_uploads() -> OpenApiRouter<StaffState> {
    OpenApiRouter::new().routes(routes!(issuing::uploads)).routes(routes!(sharing::verify_file))
}

/// What both listeners have: their own description, health and files.
fn common<S: Clone + Send + Sync + 'static>(openapi: utoipa::openapi::OpenApi) -> Router<S> {
    Router::new()
        .route("/openapi.json", get(async move || Json(openapi)))
        .route("/healthz", get(async || "ok\n"))
        .route("/assets/yinxin.css", get(async || asset("text/css; charset=utf-8", include_str!("assets/yinxin.css"))))
        .route("/assets/yinxin.svg", get(async || asset("image/svg+xml", include_str!("assets/yinxin.svg"))))
}

/// Whether requests can be served: the database answers, its schema is this program's, and no token's library holds the
/// process. A token that is away is no reason to send people elsewhere: everything but sealing goes on. That nothing is
/// stamped at present is said in a further line.
async fn ready(State((store, health, stamping)): State<(Store, Health, Option<Desk>)>) -> Result<String, Problem> {
    health().map_err(|why| Problem::of(StatusCode::SERVICE_UNAVAILABLE, why))?;
    store.ping().await?;
    store.check_migrations().await?;
    let trouble = match stamping {
        Some(desk) => desk.stamping_trouble().await?,
        None => None,
    };
    Ok(trouble.map_or("ready\n".to_owned(), |message| format!("ready\n{message}\n")))
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, text).into_response()
}

/// Serves until `stop` is done, then lets the requests in flight end.
///
/// # Errors
/// The socket's, when it cannot be used any more.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, routes).with_graceful_shutdown(stop).await
}
