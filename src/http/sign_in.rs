//! Who asks: officers at pages by a session, programs by a token. Pages never take tokens, the API never takes cookies.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Redirect;
use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};

use super::guard::{SECOND_OFFICER, random};
use super::problem::Problem;
use super::staff::StaffState;
use crate::crypto::sha256;
use crate::limits;
use crate::officer::{Duty, Officer, OfficerId};
use crate::store::{Scope, Store, StoreError};

// — passwords

/// An argon2id hash in PHC form of a new password (RFC 9106 §4, second recommendation). Takes 64 MiB and some tenths
/// of a second: never on a thread that answers requests.
pub fn hash_password(password: &SecretString) -> Result<String, argon2::password_hash::Error> {
    let hash: PasswordHash = argon2id().hash_password(password.expose_secret().as_bytes())?;
    Ok(hash.to_string())
}

fn argon2id() -> Argon2<'static> {
    // The settings are constants that argon2 takes; its defaults would only be weaker.
    let params = Params::new(64 * 1024, 3, 4, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// What is compared where there is no such officer, so that the answer takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_password(&"nobody".into()).unwrap_or_default());

/// Makes that hash now.
pub(super) fn make_ready() {
    LazyLock::force(&NOBODY);
}

fn fits(password: &SecretString, hash: &str) -> bool {
    let hash = if hash.is_empty() { NOBODY.as_str() } else { hash };
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    argon2id().verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
}

/// The officer with this name and password. Unknown, wrong, made to wait and retired all get the same answer, after the
/// same work: the hash is compared whatever is known already.
///
/// One at a time in this process, since each takes 64 MiB; the store counts the turns of all replicas.
pub(super) async fn check_password(
    state: &StaffState,
    browser: &Browser,
    id: &str,
    password: SecretString,
) -> Result<Officer, Problem> {
    let _turn = state.one_sign_in.lock().await;
    let found = try_password(&state.desk.store, &browser.digest, id, password, (state.clock)()).await?;
    found.ok_or_else(wrong)
}

/// The same for any door; none where it says no. `place` is what tells a place where the officer has signed in before from
/// others (SHA-256, hexadecimal).
///
/// # Errors
/// The store's.
pub async fn try_password(
    store: &Store,
    place: &str,
    id: &str,
    password: SecretString,
    now: OffsetDateTime,
) -> Result<Option<Officer>, StoreError> {
    let id = OfficerId::parse(id.trim()).ok();
    let found = match &id {
        Some(id) => store.sign_in(id).await?,
        None => None,
    };
    let found = found.filter(|found| !found.password.is_empty() && found.officer.check_in_post(now).is_ok());
    let may_try = match &found {
        Some(found) => store.sign_in_turn(&found.officer.id, place, now).await?,
        None => false,
    };
    let hash = found.as_ref().map(|found| found.password.clone()).unwrap_or_default();
    let too_long = password.expose_secret().len() > limits::PASSWORD_BYTES;
    let password = if too_long { SecretString::default() } else { password };
    let right = tokio::task::spawn_blocking(move || fits(&password, &hash)).await.unwrap_or(false);
    let Some(found) = found.filter(|_| may_try) else { return Ok(None) };
    if right {
        store.sign_in_right(&found.officer.id, place, now).await?;
        return Ok(Some(found.officer));
    }
    store.audit(now, "service", "sign-in.refused", found.officer.id.as_str(), &serde_json::json!({})).await?;
    Ok(None)
}

fn wrong() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "http.sign-in",
        "人员编号或密码不正确，或因多次输错须等待后再试（最长一小时）；请核对后重试，仍不能登录请联系管理员",
        "the identifier or the password is not right, or there were too many attempts and you must wait (an hour at most); check and try again, or ask the administrator",
    )
}

// — browsers

/// The browser that asks. Once an officer has signed in there, wrong passwords typed there are counted apart from those
/// typed elsewhere, so that nobody's guessing shuts the officer out.
#[derive(Debug, Clone)]
pub(super) struct Browser {
    /// 256 random bits, hexadecimal; drawn now where the browser brought none.
    value: String,
    /// Its SHA-256, hexadecimal, which is all that the database has.
    digest: String,
}

impl Browser {
    /// The cookie by which it is known next time; it opens nothing.
    pub fn cookie(&self, state: &StaffState) -> Result<HeaderValue, Problem> {
        cookie(state, BROWSER, &self.value, limits::KNOWN_BROWSER_DAYS * 24 * 3600)
    }
}

impl FromRequestParts<StaffState> for Browser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &StaffState) -> Result<Self, Problem> {
        let brought = cookie_of(&parts.headers, state, BROWSER);
        let value = match brought.filter(|value| value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit())) {
            Some(value) => value.to_owned(),
            None => hex::encode(random::<32>().map_err(|_| Problem::busy())?),
        };
        Ok(Self { digest: digest(&value), value })
    }
}

// — sessions

/// An officer at a page.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub officer: Officer,
    /// SHA-256 of the cookie's value, hexadecimal.
    pub id: String,
}

impl Session {
    /// The officer, if the duty is theirs.
    pub fn with(&self, duty: Duty) -> Result<&Officer, Problem> {
        self.officer.check_duty(duty).map_err(|refusal| Problem::not_allowed(&refusal))?;
        Ok(&self.officer)
    }
}

/// Opens a session and gives its cookie. 256 random bits; the database has only their SHA-256.
pub(super) async fn open(state: &StaffState, officer: &OfficerId) -> Result<HeaderValue, Problem> {
    let now = (state.clock)();
    let value = hex::encode(random::<32>().map_err(|_| Problem::busy())?);
    let expires = now + Duration::hours(limits::SESSION_HOURS);
    state.desk.store.open_session(&digest(&value), officer, now, expires).await?;
    cookie(state, SESSION, &value, limits::SESSION_HOURS * 3600)
}

/// A cookie that ends the session in the browser too.
pub(super) fn no_cookie(state: &StaffState) -> Result<HeaderValue, Problem> {
    cookie(state, SESSION, "", 0)
}

const SESSION: &str = "yinxin";
const BROWSER: &str = "yinxin-browser";

fn cookie(state: &StaffState, name: &str, value: &str, seconds: i64) -> Result<HeaderValue, Problem> {
    let secure = if state.https { "; Secure" } else { "" };
    let name = full_name(state, name);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).map_err(|_| Problem::busy())
}

/// `__Host-` makes browsers refuse the cookie from a neighbour or over plain HTTP (RFC 6265bis §4.1.3.2).
fn full_name(state: &StaffState, name: &str) -> String {
    if state.https { format!("__Host-{name}") } else { name.to_owned() }
}

fn cookie_of<'h>(headers: &'h HeaderMap, state: &StaffState, name: &str) -> Option<&'h str> {
    let name = full_name(state, name);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

impl FromRequestParts<StaffState> for Session {
    type Rejection = Redirect;

    async fn from_request_parts(parts: &mut Parts, state: &StaffState) -> Result<Self, Redirect> {
        find(&parts.headers, state).await.ok_or_else(|| Redirect::to("/sign-in"))
    }
}

impl OptionalFromRequestParts<StaffState> for Session {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &StaffState) -> Result<Option<Self>, Self::Rejection> {
        Ok(find(&parts.headers, state).await)
    }
}

async fn find(headers: &HeaderMap, state: &StaffState) -> Option<Session> {
    let value = cookie_of(headers, state, SESSION)?;
    let id = digest(value);
    let officer = state.desk.store.session(&id, (state.clock)()).await.ok()??;
    Some(Session { officer, id })
}

/// As sessions and tokens are stored: SHA-256, hexadecimal.
pub(super) fn digest(secret: &str) -> String {
    hex::encode(sha256(secret.as_bytes()))
}

// — tokens

/// A program that acts in an officer's name.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub officer: Officer,
    scopes: BTreeSet<Scope>,
}

impl Program {
    /// Both the token's scope and the officer's duty are needed.
    pub fn may(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "http.scope",
            "该令牌的权限不包括此操作，请向管理员申请相应权限的令牌",
            "this token's scopes do not include that; ask the administrator for one that has it",
        ))
    }

    /// The same for what one duty does.
    pub fn with(&self, scope: Scope, duty: Duty) -> Result<&Officer, Problem> {
        self.may(scope)?;
        self.officer.check_duty(duty).map_err(|refusal| Problem::not_allowed(&refusal))?;
        Ok(&self.officer)
    }
}

impl FromRequestParts<StaffState> for Program {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &StaffState) -> Result<Self, Problem> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(Problem::signed_out)?;
        program(state, token).await
    }
}

/// The second of two people, by a token of theirs in the request's header.
#[derive(Debug, Clone)]
pub(super) struct SecondOfficer(Program);

impl SecondOfficer {
    /// The second officer, if their token and duty allow the administration of seals.
    pub fn administrator(&self) -> Result<&Officer, Problem> {
        self.0.with(Scope::Administer, Duty::SealAdministration)
    }
}

impl FromRequestParts<StaffState> for SecondOfficer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &StaffState) -> Result<Self, Problem> {
        let value = parts.headers.get(SECOND_OFFICER).and_then(|value| value.to_str().ok());
        let token = value.ok_or_else(|| {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "http.second-officer",
                "印章管理须两人办理：请在 X-Second-Officer-Token 中给出另一名印章管理人员的令牌",
                "administration of seals takes two people: give another administrator's token in X-Second-Officer-Token",
            )
        })?;
        program(state, token).await.map(Self)
    }
}

pub(super) async fn program(state: &StaffState, token: &str) -> Result<Program, Problem> {
    let now: OffsetDateTime = (state.clock)();
    let found = state.desk.store.token(&digest(token.trim()), now).await?;
    found.map(|(officer, scopes)| Program { officer, scopes }).ok_or_else(Problem::signed_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_alone() {
        let hash = hash_password(&"correct horse".into()).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=65536,t=3,p=4$"), "{hash}");
        assert!(fits(&"correct horse".into(), &hash));
        assert!(!fits(&"correct hors".into(), &hash));
        assert!(!fits(&"".into(), ""), "an officer without a password never signs in");
        assert!(!fits(&"x".into(), "not a hash"));
    }
}
