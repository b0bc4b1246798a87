//! What a sharing operation tells of a licence: the register's facts under the platform's names.

use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use super::{Caller, No, end_of_day};
use crate::authority::Uscc;
use crate::decision::DecisionRequest;
use crate::http::staff::StaffState;
use crate::item::Item;
use crate::licence::metadata::{ELEMENTS, Metadata, holder_code, instant_digits};
use crate::licence::{Licence, LicenceIdentifier, LicenceStatus};
use crate::limits;
use crate::store::LicencePending;

/// A licence that the caller may see.
pub(super) struct Told {
    pending: LicencePending,
    life: Licence,
    decision: DecisionRequest,
    item: Item,
    issuer: String,
    metadata: Metadata,
    schema: Value,
}

/// The version asked for, or the last one; none where there is none, or the caller has no right to it: the officer's authority
/// issued it, or decides on its item now.
pub(super) async fn find(
    state: &StaffState,
    caller: &Caller,
    licence: &str,
    identifier: Option<&LicenceIdentifier>,
) -> Result<Option<Told>, No> {
    let store = &state.desk.store;
    let mut versions = store.licence_versions(licence).await?;
    let life = Licence::of(versions.iter().map(|filed| filed.licence.version.clone()).collect());
    let pending = match identifier {
        Some(wanted) => versions.into_iter().find(|filed| filed.licence.version.identifier == *wanted),
        None => versions.pop(),
    };
    let Some(pending) = pending.map(|filed| filed.licence) else { return Ok(None) };
    let Some(decision) = store.decision(&pending.decision).await? else { return Ok(None) };
    let Some(item) = store.item(&decision.item).await? else { return Ok(None) };
    let (asker, issuer) = (&caller.program.officer.authority, pending.version.identifier.issuer().to_owned());
    if issuer != asker.as_str() && item.check_competence(asker, caller.now).is_err() {
        return Ok(None);
    }
    let name = match Uscc::parse(&issuer) {
        Ok(code) => store.authority(&code).await?.map(|authority| authority.name),
        Err(_) => None,
    };
    let renderer = &state.desk.renderer;
    let metadata = renderer.metadata(&pending.template, &pending.data);
    let schema = renderer.template(&pending.template).map(|sheet| sheet.schema().clone()).unwrap_or_default();
    Ok(Some(Told { pending, life, decision, item, issuer: name.unwrap_or_default(), metadata, schema }))
}

impl Told {
    pub fn version(&self) -> &LicenceIdentifier {
        &self.pending.version.identifier
    }

    pub fn identifier(&self) -> String {
        self.version().to_string()
    }

    /// 证照编号.
    pub fn number(&self) -> Option<&str> {
        self.metadata.get("ZZBH")
    }

    pub fn is_in_force(&self, now: OffsetDateTime) -> bool {
        self.life.status_at(now) == LicenceStatus::InForce
    }

    /// Where a copy's end is not named.
    pub fn usual_end(&self, now: OffsetDateTime) -> OffsetDateTime {
        let usual = end_of_day(now + Duration::days(limits::COPY_DAYS_USUAL));
        self.pending.version.valid_until.map_or(usual, |until| until.min(usual))
    }

    /// Under the platform's names. What the register has comes before what the template marks.
    pub fn platform(&self, now: OffsetDateTime) -> Map<String, Value> {
        let mut told = Map::new();
        for (key, value) in self.metadata.pairs() {
            if let Some(element) = ELEMENTS.iter().find(|element| element.key == key) {
                told.insert(element.platform.to_owned(), value.clone().into());
            }
        }
        let (version, holder, issuer) = (&self.pending.version, &self.decision.holder, self.version().issuer());
        let day = |at: OffsetDateTime| instant_digits(at).chars().take(8).collect::<String>();
        let facts = [
            ("certificate_identifier", self.identifier()),
            ("certificate_version", format!("{:03}", self.version().version())),
            ("certificate_name", self.pending.name.clone()),
            ("certificate_type_name", self.pending.name.clone()),
            ("certificate_type_code", self.version().type_code().to_owned()),
            ("certificate_issuing_authority_code", issuer.to_owned()),
            ("certificate_issuing_authority_name", self.issuer.clone()),
            ("certificate_holder_name", holder.name.clone()),
            ("certificate_holder_code", holder.code.clone()),
            ("certificate_holder_type", holder.code_type.clone()),
            ("certificate_holder_type_name", holder_code(&holder.code_type).unwrap_or_default().to_owned()),
            ("certificate_validate_start", day(version.valid_from)),
            // The last day that counts.
            (
                "certificate_validate_end",
                version.valid_until.map_or("长期".into(), |end| day(end - Duration::MICROSECOND)),
            ),
            // GB 32100: the registrar's region.
            ("certificate_area_code", issuer.get(2..8).unwrap_or_default().to_owned()),
            ("related_item_name", self.item.name.clone()),
            ("related_item_code", self.item.code.to_string()),
            ("status", state_code(self.life.status_at(now)).to_owned()),
            ("status_name", self.life.status_at(now).zh().to_owned()),
        ];
        told.extend(
            facts
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.to_owned(), value.into())),
        );
        told.insert("extend_info".into(), self.pending.data.clone());
        told
    }

    /// Field by field whether it is as given. A field's name is the platform's, an element's, or one of the face.
    pub fn compare(&self, given: &Map<String, Value>) -> Map<String, Value> {
        let holder = &self.decision.holder;
        let known = |name: &str| {
            let face = || self.pending.data.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            let element = || self.metadata.pairs().iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            match name {
                "holder" => Some(holder.name.clone()),
                "holderCode" => Some(holder.code.clone()),
                "certNo" => self.number().map(str::to_owned),
                _ => face().map(|(_, value)| plain(value)).or_else(|| element().map(|(_, value)| value.clone())),
            }
        };
        let same = |(name, value): (&String, &Value)| (name.clone(), Value::Bool(known(name) == Some(plain(value))));
        given.iter().take(limits::METADATA_ELEMENTS).map(same).collect()
    }

    /// The fields of the face, in the template's own words.
    pub fn dictionary(&self) -> Vec<Value> {
        let required = self.schema["required"].as_array().cloned().unwrap_or_default();
        let properties = self.schema["properties"].as_object().into_iter().flatten();
        let line = |(name, field): (&String, &Value)| {
            json!({
                "name": name, "title": field["title"], "type": field["type"], "format": field["format"],
                "required": required.iter().any(|one| one == name), "element": field["x-element"],
            })
        };
        properties.map(line).collect()
    }
}

/// As one text: of a list its parts.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join("；"),
        other => other.to_string(),
    }
}

/// certState of the sector's uploads (standards: 5.4).
fn state_code(status: LicenceStatus) -> &'static str {
    match status {
        LicenceStatus::InForce => "01",
        LicenceStatus::Withdrawn => "03",
        LicenceStatus::Cancelled => "04",
        LicenceStatus::Expired => "05",
        LicenceStatus::Revoked => "07",
        LicenceStatus::NotYet => "99",
    }
}
