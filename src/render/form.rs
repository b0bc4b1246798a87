//! The data of a document, held to the template's JSON Schema (2020-12) before anything is laid out.

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

use super::RenderError;

/// A schema, compiled once.
#[derive(Debug)]
pub(super) struct Form {
    schema: Value,
    validator: Validator,
}

/// One way in which the data breaks the schema.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) of the field.
    pub pointer: String,
    pub zh: String,
    pub en: String,
}

impl Form {
    /// Reads the schema; it may refer only to itself (nothing is fetched).
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let schema: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(&schema)
            .map_err(|e| e.to_string())?;
        Ok(Self { schema, validator })
    }

    pub(super) fn schema(&self) -> &Value {
        &self.schema
    }

    /// Every fault of the data, in the schema's order, at most a hundred.
    pub(super) fn check(&self, data: &Value) -> Result<(), RenderError> {
        let faults: Vec<_> = self.validator.iter_errors(data).take(100).map(|e| self.fault(&e)).collect();
        if faults.is_empty() { Ok(()) } else { Err(RenderError::Data { faults }) }
    }

    /// The field's Chinese title from the schema, or its pointer.
    pub(super) fn title(&self, pointer: &str) -> String {
        self.names(pointer).0
    }

    fn fault(&self, error: &ValidationError<'_>) -> Fault {
        let mut pointer = error.instance_path().as_str().to_owned();
        let (zh, en) = match error.kind() {
            Kind::Required { property } => {
                pointer = format!("{pointer}/{}", property.as_str().unwrap_or_default());
                ("未填写".into(), "is missing".into())
            }
            Kind::AdditionalProperties { unexpected } => {
                let names = unexpected.join(", ");
                (format!("有模板没有的字段：{names}"), format!("has fields the template does not know: {names}"))
            }
            Kind::Type { .. } => ("类型不对".into(), "has the wrong type".into()),
            Kind::Enum { options } => (format!("应为{options}之一"), format!("must be one of {options}")),
            Kind::Pattern { .. } => {
                ("格式不对，或含有不可见字符".into(), "has the wrong form, or hidden characters".into())
            }
            Kind::Format { format } => (format!("不是有效的{format}"), format!("is not a valid {format}")),
            Kind::MinLength { limit } => (format!("不足{limit}个字"), format!("is shorter than {limit} characters")),
            Kind::MaxLength { limit } => (format!("超过{limit}个字"), format!("is longer than {limit} characters")),
            Kind::MinItems { limit } => (format!("不足{limit}项"), format!("has fewer than {limit} entries")),
            Kind::MaxItems { limit } => (format!("超过{limit}项"), format!("has more than {limit} entries")),
            other => (format!("不合要求（{}）", other.keyword()), format!("breaks the rule \"{}\"", other.keyword())),
        };
        let (title_zh, title_en) = self.names(&pointer);
        Fault { zh: format!("“{title_zh}”{zh}"), en: format!("\"{title_en}\" {en}"), pointer }
    }

    /// Titles along the pointer: `title` in Chinese, `x-title-en` in English, entries of a list by their number.
    fn names(&self, pointer: &str) -> (String, String) {
        let (mut zh, mut en) = (Vec::new(), Vec::new());
        let mut at = Some(&self.schema);
        for step in pointer.split('/').skip(1) {
            let here = at.map(|schema| self.follow(schema));
            if let Ok(index) = step.parse::<usize>() {
                at = here.and_then(|s| s.get("items"));
                zh.push(format!("第{}项", index + 1));
                en.push(format!("entry {}", index + 1));
                continue;
            }
            at = here.and_then(|s| s.get("properties")?.get(step));
            let title = |key: &str| at.and_then(|s| s.get(key)?.as_str()).unwrap_or(step).to_owned();
            zh.push(title("title"));
            en.push(title("x-title-en"));
        }
        let whole = |parts: Vec<String>, name: &str| if parts.is_empty() { name.to_owned() } else { parts.join(" ") };
        (whole(zh, "数据"), whole(en, "data"))
    }

    /// What a `$ref` inside the schema points at. One step: the schemas here do not chain them.
    fn follow<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
        target.and_then(|pointer| self.schema.pointer(pointer)).unwrap_or(schema)
    }
}

/// Every text of the data with its JSON Pointer; names of fields are the schema's and cannot be strange.
pub(super) fn texts(data: &Value) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), data)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::String(text) => found.push((pointer, text.as_str())),
            Value::Array(entries) => {
                open.extend(entries.iter().enumerate().rev().map(|(i, v)| (format!("{pointer}/{i}"), v)));
            }
            Value::Object(fields) => open.extend(fields.iter().rev().map(|(k, v)| (format!("{pointer}/{k}"), v))),
            _ => {}
        }
    }
    found
}

/// Characters that print nothing or turn the direction of others (UAX #9 §2, UAX #14): a reader could be shown
/// something else than what the data says.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x180E | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164
            | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF9..=0xFFFD | 0xE0000..=0xE0FFF | 0xE000..=0xF8FF
            | 0xF0000..=0x10FFFF)
}
