//! What the staff listener works with, and what its API needs to say about tokens.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};

use super::Clock;
use super::guard::source;
use crate::desk::Desk;

/// What the staff listener works with.
#[derive(Clone)]
pub struct StaffState {
    pub desk: Desk,
    pub clock: Clock,
    /// Reached by https, by whoever stands in front: the cookie is `Secure` and `__Host-`, HSTS is sent.
    pub https: bool,
    pub(super) one_sign_in: Arc<tokio::sync::Mutex<()>>,
}

impl StaffState {
    /// Takes some tenths of a second: the hash that unknown names are compared with is made here, so that not even
    /// the first answer tells who exists.
    pub fn new(desk: Desk, clock: Clock, https: bool) -> Self {
        super::sign_in::make_ready();
        Self { desk, clock, https, one_sign_in: Arc::default() }
    }
}

/// The same for one request: what is written through it says where the request came from.
pub(super) struct At(pub StaffState);

impl FromRequestParts<StaffState> for At {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &StaffState) -> Result<Self, Infallible> {
        let mut state = state.clone();
        state.desk.store = state.desk.store.from_source(&source(&parts.extensions));
        Ok(Self(state))
    }
}

/// The two ways in which a request to the staff API says who asks.
pub(super) struct Tokens;

impl Modify for Tokens {
    fn modify(&self, openapi: &mut OpenApi) {
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let second = ApiKeyValue::with_description("X-Second-Officer-Token", "Another administrator's token (rule 5)");
        components.add_security_scheme("second-officer", SecurityScheme::ApiKey(ApiKey::Header(second)));
    }
}
