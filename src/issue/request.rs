//! What is asked of ISSUE, as written by a clerk or another system.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::decision::DecisionRequest;
use crate::licence::{LicenceAct, LicenceIdentifier};
use crate::seal::SealNumber;

/// A licence or approval document to be made from a template.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueRequest {
    pub decision: DecisionRequest,
    pub seal: SealNumber,
    pub template: String,
    /// What is printed, by the template's schema. `identifier` and `verify_url` are filled in by the service.
    pub data: serde_json::Value,
    pub licence: LicenceRequest,
    /// In which formats; where nothing is said in both, if the seal seals both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
    /// Another authority will set its seal beside ours (并联审批、联合发文). Otherwise nobody may: a PDF is certified against
    /// any change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_seals: bool,
}

/// The formats of one licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Files {
    Pdf,
    Ofd,
    Both,
}

/// The licence's part of a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LicenceRequest {
    /// `issue`, `renew` or `change`.
    pub act: LicenceAct,
    /// For `renew` and `change`: any version of the licence.
    #[serde(default)]
    pub previous: Option<LicenceIdentifier>,
    /// 证照类型代码: the defining body's USCC and three digits. For `issue`.
    #[serde(default)]
    pub type_code: String,
    /// 流水号, 7 to 32 digits and capitals; drawn at random where none is given.
    #[serde(default)]
    pub serial: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub valid_from: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub valid_until: Option<OffsetDateTime>,
}

/// A document drafted elsewhere, to be sealed on a decision.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadRequest {
    pub decision: DecisionRequest,
    pub seal: SealNumber,
    /// What the ledger calls it.
    pub title: String,
    pub place: UploadPlace,
    /// The same seal at further places, under the same signature.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_places: Vec<UploadPlace>,
    /// 骑缝章: the seal once more over the right edges of all pages, its middle so many millimetres from their top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub straddle_mm: Option<f64>,
}

/// Where the seal goes on an uploaded document.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum UploadPlace {
    /// Over the nth occurrence (from 1) of a text, its centre moved by `dx_mm` to the right and `dy_mm` down.
    Keyword {
        text: String,
        #[serde(default = "one")]
        nth: u32,
        #[serde(default)]
        dx_mm: f64,
        #[serde(default)]
        dy_mm: f64,
    },
    /// The seal's centre on a page (from 1), millimetres from its top left.
    At { page: u32, x_mm: f64, y_mm: f64 },
}

fn one() -> u32 {
    1
}

/// A licence to be ended: cancelled, withdrawn or revoked. No document is sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndRequest {
    pub decision: DecisionRequest,
    /// Any version of the licence.
    pub identifier: LicenceIdentifier,
    pub act: LicenceAct,
}
