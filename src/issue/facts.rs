//! What is printed must be what was decided. A template's schema says which of its fields are facts of the service
//! (`"x-fact": "holder.name"`); those are filled in here, and a request that says otherwise is refused.
//!
//! A template that asks for a fact which this kind of document does not have is no template for it: so a notice cannot
//! be issued as a licence, nor a licence slipped out under an order of abolition.

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;
use time::macros::{format_description, offset};

use crate::desk::FlowError;
use crate::message::Message;

/// What the service knows, by the name a schema calls it; `None` where this document has no such thing.
pub(crate) type Facts = BTreeMap<&'static str, Option<Value>>;

/// The date in China at an instant, as printed.
pub(crate) fn china_date(at: OffsetDateTime) -> Value {
    let date = at.to_offset(offset!(+8)).format(format_description!("[year]-[month]-[day]"));
    date.unwrap_or_default().into()
}

/// Fills the facts into what is printed.
///
/// # Errors
/// A field differs from its fact, or the template is for another kind of document.
pub(crate) fn fill(schema: &Value, data: &mut Value, facts: &Facts) -> Result<(), FlowError> {
    let (Some(properties), Some(fields)) = (schema.get("properties").and_then(Value::as_object), data.as_object_mut())
    else {
        return Ok(());
    };
    for (field, spec) in properties {
        let Some(fact) = spec.get("x-fact").and_then(Value::as_str) else { continue };
        let Some(known) = facts.get(fact) else {
            return Err(FlowError::Request(Message::new(
                "issue.template-kind",
                format!("此模板不适用于这类文书（需要“{fact}”）"),
                format!("the template is not for this kind of document (it asks for '{fact}')"),
            )));
        };
        if fields.get(field).is_some_and(|given| Some(given) != known.as_ref()) {
            return Err(FlowError::Request(Message::new(
                "issue.fact-differs",
                format!("“{field}”与决定或登记的内容不一致；该项由系统填写，请核对决定"),
                format!("'{field}' is not what was decided or filed; the service fills it in, check the decision"),
            )));
        }
        if let Some(known) = known {
            fields.insert(field.clone(), known.clone());
        }
    }
    Ok(())
}

/// Fills in only what is not there: of what was printed before nothing is touched, but a template may ask for more by now.
pub(crate) fn fill_gaps(schema: &Value, data: &mut Value, facts: &Facts) {
    let (Some(properties), Some(fields)) = (schema.get("properties").and_then(Value::as_object), data.as_object_mut())
    else {
        return;
    };
    for (field, spec) in properties {
        let known = spec.get("x-fact").and_then(Value::as_str).and_then(|fact| facts.get(fact)).cloned().flatten();
        if let Some(known) = known {
            fields.entry(field.clone()).or_insert(known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn facts_are_filled_in_and_never_contradicted() {
        let schema = json!({ "properties": { "operator": { "x-fact": "holder.name" }, "until": { "x-fact": "valid_until" }, "free": {} } });
        let facts: Facts = [("holder.name", Some(json!("甲店"))), ("valid_until", None)].into();
        let mut data = json!({ "free": "任意" });
        fill(&schema, &mut data, &facts).unwrap();
        assert_eq!(data, json!({ "free": "任意", "operator": "甲店" }));
        let says = |mut data: Value| fill(&schema, &mut data, &facts).unwrap_err().message().id;
        assert_eq!(says(json!({ "operator": "乙店" })), "issue.fact-differs");
        assert_eq!(says(json!({ "until": "2099-01-01" })), "issue.fact-differs");
        let mut printed = json!({ "operator": "改名前的店" });
        fill_gaps(
            &json!({ "properties": { "operator": { "x-fact": "holder.name" }, "shop": { "x-fact": "holder.name" } } }),
            &mut printed,
            &facts,
        );
        assert_eq!(printed, json!({ "operator": "改名前的店", "shop": "甲店" }));
        let other = fill(&schema, &mut json!({}), &[("order.number", None)].into()).unwrap_err();
        assert_eq!(other.message().id, "issue.template-kind");
    }
}
