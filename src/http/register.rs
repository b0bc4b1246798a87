//! The public register: seals, items, licences, and what a seal was worth for an item on a day. No key, no account.

use axum::Json;
use axum::extract::{Path, Query, State};
use time::OffsetDateTime;
use utoipa::IntoParams;

use super::PublicState;
use super::answers::{ItemAnswer, LicenceAnswer, SealAnswer, SealsAnswer, StatusAnswer, instant};
use super::problem::{Problem, ProblemBody};
use crate::authority::Uscc;
use crate::item::{Item, ItemCode};
use crate::licence::LicenceIdentifier;
use crate::limits;
use crate::register::{Question, answer};
use crate::seal::SealNumber;
use crate::store::{FiledSeal, SealFilter, Store};

/// Which seals.
#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SealQuery {
    /// Part of a number, legend or owner's name.
    #[serde(default)]
    pub q: String,
    /// Code of the owning authority.
    #[serde(default)]
    pub owner: String,
    /// Rows, 1 to 200; 50 without.
    pub limit: Option<u16>,
    #[serde(default)]
    pub offset: u32,
}

impl SealQuery {
    /// The page asked for, and where the next begins.
    pub async fn page(&self, store: &Store, now: OffsetDateTime) -> Result<SealsAnswer, Problem> {
        let limit = self.limit.unwrap_or(50).clamp(1, limits::HTTP_ROWS);
        let owner = Some(self.owner.trim()).filter(|owner| !owner.is_empty()).map(Uscc::parse).transpose()?;
        let text: String = self.q.trim().chars().take(100).collect();
        let filed = store.seals(&SealFilter { text, owner, limit: limit + 1, offset: self.offset }).await?;
        let more = filed.len() > usize::from(limit);
        let seals = filed.iter().take(usize::from(limit)).map(|filed| SealAnswer::of(&filed.seal, now)).collect();
        let next_offset = more.then(|| self.offset.saturating_add(u32::from(limit)));
        Ok(SealsAnswer { seals, next_offset })
    }
}

/// Searches the register of seals.
#[utoipa::path(get, path = "/api/v1/seals", tag = "register", params(SealQuery), responses(
    (status = 200, description = "A page of seals, by number", body = SealsAnswer),
    (status = 400, description = "The question cannot be read", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn seals(
    State(state): State<PublicState>,
    Query(query): Query<SealQuery>,
) -> Result<Json<SealsAnswer>, Problem> {
    Ok(Json(query.page(&state.store, (state.clock)()).await?))
}

/// One seal with its life.
#[utoipa::path(get, path = "/api/v1/seals/{number}", tag = "register", params(("number" = String, Path, description = "13 or 14 digits")), responses(
    (status = 200, description = "The seal", body = SealAnswer),
    (status = 404, description = "No such seal", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn seal(
    State(state): State<PublicState>,
    Path(number): Path<String>,
) -> Result<Json<SealAnswer>, Problem> {
    let (filed, now) = (find_seal(&state.store, &number).await?, (state.clock)());
    let lives = state.store.certificate_lives(&filed.seal.number).await?;
    Ok(Json(SealAnswer::of(&filed.seal, now).with(&lives, now)))
}

/// The facts on which an answer depends (rule 3).
#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StatusQuery {
    /// When the document was sealed, RFC 3339; now without.
    #[serde(default)]
    pub at: String,
    /// The item's code; together with `accepted`.
    #[serde(default)]
    pub item: String,
    /// When the application was accepted, RFC 3339.
    #[serde(default)]
    pub accepted: String,
}

impl StatusQuery {
    /// Something was asked, not only the page opened.
    pub fn asks(&self) -> bool {
        [&self.at, &self.item, &self.accepted].iter().any(|text| !text.trim().is_empty())
    }

    /// The register's answer.
    pub async fn answer(&self, store: &Store, filed: &FiledSeal, now: OffsetDateTime) -> Result<StatusAnswer, Problem> {
        let given = |text: &str| !text.trim().is_empty();
        let at = if given(&self.at) { instant("at", &self.at)? } else { now };
        let accepted = if given(&self.accepted) { Some(instant("accepted", &self.accepted)?) } else { None };
        let item = if given(&self.item) { Some(find_item(store, &self.item).await?) } else { None };
        let question = Question { seal: &filed.seal, at, item: item.as_ref(), accepted };
        Ok(StatusAnswer::of(&filed.seal, at, answer(question)))
    }
}

/// Was this seal good for this item, accepted then and sealed then?
#[utoipa::path(get, path = "/api/v1/seals/{number}/status", tag = "register", params(("number" = String, Path, description = "13 or 14 digits"), StatusQuery), responses(
    (status = 200, description = "The answer with its reasons", body = StatusAnswer),
    (status = 400, description = "A time cannot be read", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "No such seal", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "The item is not on the public list (rule 6)", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn status(
    State(state): State<PublicState>,
    Path(number): Path<String>,
    Query(query): Query<StatusQuery>,
) -> Result<Json<StatusAnswer>, Problem> {
    let filed = find_seal(&state.store, &number).await?;
    Ok(Json(query.answer(&state.store, &filed, (state.clock)()).await?))
}

/// The public list of items, with their transfers.
#[utoipa::path(get, path = "/api/v1/items", tag = "register", responses((status = 200, description = "All items, by code", body = Vec<ItemAnswer>)))]
pub(super) async fn items(State(state): State<PublicState>) -> Result<Json<Vec<ItemAnswer>>, Problem> {
    Ok(Json(state.store.items().await?.iter().map(ItemAnswer::of).collect()))
}

/// The public part of a licence, and what it is worth now.
#[utoipa::path(get, path = "/api/v1/licences/{identifier}", tag = "register", params(("identifier" = String, Path, description = "GB/T 36904 identifier of any of its versions")), responses(
    (status = 200, description = "The licence's public part", body = LicenceAnswer),
    (status = 400, description = "Not an identifier", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "No such licence", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn licence(
    State(state): State<PublicState>,
    Path(identifier): Path<String>,
) -> Result<Json<LicenceAnswer>, Problem> {
    Ok(Json(find_licence(&state.store, &identifier, (state.clock)()).await?))
}

// — finding

pub(super) async fn find_seal(store: &Store, number: &str) -> Result<FiledSeal, Problem> {
    let none = || {
        Problem::unknown(
            "http.no-seal",
            "登记册中没有此印章编号，请核对13或14位数字",
            "there is no seal with this number in the register; check its 13 or 14 digits",
        )
    };
    let number = SealNumber::parse(number.trim()).map_err(|_| none())?;
    store.seal(&number).await?.ok_or_else(none)
}

pub(super) async fn find_item(store: &Store, code: &str) -> Result<Item, Problem> {
    let code = ItemCode::parse(code.trim())?;
    Ok(store.item(&code).await?.ok_or_else(|| crate::item::not_on_the_list(code.as_str()))?)
}

pub(super) async fn find_licence(
    store: &Store,
    identifier: &str,
    now: OffsetDateTime,
) -> Result<LicenceAnswer, Problem> {
    let identifier = LicenceIdentifier::parse(identifier.trim())?;
    let versions = store.licence_versions(&identifier.licence()).await?;
    let asked = versions.iter().find(|filed| filed.licence.version.identifier == identifier).ok_or_else(|| {
        Problem::unknown(
            "http.no-licence",
            "没有此证照标识的记录；持证人如出示该证照，请以文件核验并向发证机关查询",
            "no licence with this identifier is on record; verify the file itself and ask the issuing body",
        )
    })?;
    // A version that ends a licence has a decision of its own; the holder's code is the same.
    let decision = store.decision(&asked.licence.decision).await?;
    let issuer = match Uscc::parse(identifier.issuer()) {
        Ok(code) => store.authority(&code).await?.map(|authority| authority.name),
        Err(_) => None,
    };
    Ok(LicenceAnswer::of(asked, &versions, decision.as_ref(), issuer, now))
}
