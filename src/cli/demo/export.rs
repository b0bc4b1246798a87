//! What the demonstration leaves for others: the register as a file, without the names of people.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::sample::Sample;
use crate::cli::trouble::Trouble;
use crate::issue::Issued;
use crate::licence::LicenceIdentifier;
use crate::store::{SealFilter, Store};

/// Most seals in one export; a province's whole reform fits.
const SEALS: u16 = 10_000;

/// The public register: `seals` with their lives (as `yinxin verify --register` reads them) and custody, items with
/// transfers, orders of abolition, and the public part of the licences that were made.
pub(super) async fn register(
    store: &Store,
    sample: &Sample,
    made: &[Issued],
    now: OffsetDateTime,
) -> Result<Value, Trouble> {
    let mut seals = vec![];
    for filed in store.seals(&SealFilter { limit: SEALS, ..SealFilter::default() }).await? {
        let custody: Vec<Value> = store
            .custody(&filed.seal.number)
            .await?
            .iter()
            .map(|entry| json!({ "kind": entry.kind, "at": rfc3339(entry.at), "place": entry.place, "container": entry.container }))
            .collect();
        let mut seal = json!(filed.seal);
        if let Some(fields) = seal.as_object_mut() {
            fields.insert("status".into(), json!(filed.seal.life.status_at(now)));
            fields.insert("custody".into(), custody.into());
        }
        seals.push(seal);
    }
    let mut licences = vec![];
    for identifier in made.iter().filter_map(|issued| issued.identifier.as_ref()) {
        licences.push(licence(store, identifier, now).await?);
    }
    Ok(json!({
        "made_at": rfc3339(now),
        "note": sample.note,
        "trial": sample.trial,
        "seals": seals,
        "items": store.items().await?,
        "abolitions": store.abolitions().await?,
        "licences": licences,
    }))
}

async fn licence(store: &Store, identifier: &LicenceIdentifier, now: OffsetDateTime) -> Result<Value, Trouble> {
    let versions: Vec<Value> = store
        .licence_versions(&identifier.licence())
        .await?
        .iter()
        .map(|filed| {
            let version = &filed.licence.version;
            json!({
                "identifier": version.identifier, "act": version.act, "at": rfc3339(version.at),
                "name": filed.licence.name, "valid_from": rfc3339(version.valid_from),
                "valid_until": version.valid_until.map(rfc3339), "document": filed.document,
            })
        })
        .collect();
    let status = store.licence(&identifier.licence()).await?.status_at(now);
    Ok(json!({ "identifier": identifier, "status": status, "versions": versions }))
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
