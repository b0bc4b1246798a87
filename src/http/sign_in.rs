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
use crate::store::Scope;

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

/// The officer with this name and password. Unknown, wrong, locked and retired all get the same answer.
///
/// One at a time: two guesses at once would both be counted as the first, and each takes 64 MiB.
pub(super) async fn check_password(state: &StaffState, id: &str, password: SecretString) -> Result<Officer, Problem> {
    let _turn = state.one_sign_in.lock().await;
    let now = (state.clock)();
    let id = OfficerId::parse(id.trim()).ok();
    let found = match &id {
        Some(id) => state.desk.store.sign_in(id).await?,
        None => None,
    };
    let hash = found.as_ref().map(|found| found.password.clone()).unwrap_or_default();
    let too_long = password.expose_secret().len() > limits::PASSWORD_BYTES;
    let password = if too_long { SecretString::default() } else { password };
    let known = !hash.is_empty();
    let right = tokio::task::spawn_blocking(move || fits(&password, &hash)).await.unwrap_or(false);
    let Some(found) = found.filter(|found| known && found.locked_until <= now && !found.officer.left) else {
        return Err(wrong());
    };
    if right {
        return Ok(found.officer);
    }
    let locked_until = now + lock(found.failures + 1);
    state.desk.store.sign_in_failed(&found.officer.id, locked_until).await?;
    let detail = serde_json::json!({ "failures": found.failures + 1 });
    state.desk.store.audit(now, "service", "sign-in.refused", found.officer.id.as_str(), &detail).await?;
    Err(wrong())
}

/// How long an account rests after so many wrong passwords in a row.
fn lock(failures: i64) -> Duration {
    let beyond = failures - limits::SIGN_IN_FAILURES;
    if beyond < 0 {
        return Duration::ZERO;
    }
    let doubled = limits::SIGN_IN_LOCK_MINUTES << beyond.min(10);
    Duration::minutes(doubled.min(24 * 60))
}

fn wrong() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "http.sign-in",
        "人员编号或密码不正确，或账号因多次输错已暂停登录；请核对后重试，仍不能登录请联系管理员",
        "the identifier or the password is not right, or the account rests after too many attempts; check and try again, or ask the administrator",
    )
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
    cookie(state, &value, limits::SESSION_HOURS * 3600)
}

/// A cookie that ends the session in the browser too.
pub(super) fn no_cookie(state: &StaffState) -> Result<HeaderValue, Problem> {
    cookie(state, "", 0)
}

fn cookie(state: &StaffState, value: &str, seconds: i64) -> Result<HeaderValue, Problem> {
    let secure = if state.https { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}", cookie_name(state));
    HeaderValue::from_str(&text).map_err(|_| Problem::busy())
}

/// `__Host-` makes browsers refuse the cookie from a neighbour or over plain HTTP (RFC 6265bis §4.1.3.2).
fn cookie_name(state: &StaffState) -> &'static str {
    if state.https { "__Host-yinxin" } else { "yinxin" }
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
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == cookie_name(state))?;
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

async fn program(state: &StaffState, token: &str) -> Result<Program, Problem> {
    let now: OffsetDateTime = (state.clock)();
    let found = state.desk.store.token(&digest(token.trim()), now).await?;
    found.map(|(officer, scopes)| Program { officer, scopes }).ok_or_else(Problem::signed_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_rests_longer_each_time() {
        let minutes: Vec<i64> = [1, 4, 5, 6, 7, 11, 12, 1000].map(|n| lock(n).whole_minutes()).into();
        assert_eq!(minutes, [0, 0, 15, 30, 60, 960, 1440, 1440]);
    }

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
