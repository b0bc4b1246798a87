//! A field of a form: its names, what was typed, and what is wrong with it, side by side.

use axum::extract::Multipart;
use axum::http::StatusCode;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::http::answers::instant;
use crate::http::problem::Problem;
use crate::limits;
use crate::message::Message;
use crate::refusal::Refusal;

/// What a person typed, by the fields' names.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<(String, String)>);

impl Values {
    pub fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// What was typed, without spaces around it; nothing where the field was not sent.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }

    /// Everything that was sent under one name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// Reads a form with one file; an empty file counts as none.
    pub async fn with_file(form: Multipart, file: &str) -> Result<(Self, Option<Vec<u8>>), Problem> {
        let mut found = None;
        let values = Self::with_files(form, file, |bytes| found = Some(bytes.to_vec())).await?;
        Ok((values, found))
    }

    /// Reads a form with files of one name, of which `each` is shown one after another; empty ones count as none.
    pub async fn with_files(mut form: Multipart, file: &str, mut each: impl FnMut(&[u8])) -> Result<Self, Problem> {
        let (mut values, mut typed) = (vec![], 0);
        while let Some(field) = form.next_field().await? {
            let Some(name) = field.name().map(str::to_owned) else { continue };
            if name == file {
                let bytes = field.bytes().await?;
                if !bytes.is_empty() {
                    each(&bytes);
                }
                continue;
            }
            let text = field.text().await?;
            typed += text.len();
            // What is typed is sent back with the form; a form with files may be much larger than that.
            if typed > limits::HTTP_FORM_BYTES {
                return Err(Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE));
            }
            values.push((name, text));
        }
        Ok(Self(values))
    }

    /// Adds what was found in a file.
    pub fn add(&mut self, name: &str, value: String) {
        self.0.push((name.to_owned(), value));
    }
}

/// What is wrong, and with which field.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<(String, Message)>);

impl Faults {
    pub fn add(&mut self, field: impl Into<String>, message: Message) {
        self.0.push((field.into(), message));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, name: &str) -> Option<&Message> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, message)| message)
    }
}

/// Reads typed values into types; what cannot be read becomes a fault of its field.
pub(super) struct Reading<'a> {
    pub values: &'a Values,
    pub faults: Faults,
}

impl<'a> Reading<'a> {
    pub fn of(values: &'a Values) -> Self {
        Self { values, faults: Faults::default() }
    }

    /// Text that must be there.
    pub fn text(&mut self, name: &str) -> String {
        let text = self.values.get(name);
        if text.is_empty() {
            self.faults.add(name, Message::new("http.empty", "请填写此项", "fill this in"));
        }
        text.to_owned()
    }

    /// Text in one of our types.
    pub fn parse<T, E: Into<Problem>>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        match read(self.values.get(name)) {
            Ok(value) => Some(value),
            Err(error) => {
                let problem: Problem = error.into();
                self.faults.add(name, problem.message().clone());
                None
            }
        }
    }

    /// A number with or without a fraction.
    pub fn number(&mut self, name: &str) -> Option<f64> {
        let found = self.values.get(name).parse().ok().filter(|number: &f64| number.is_finite());
        if found.is_none() {
            let message =
                Message::new("http.number", "请填写数字，如 105 或 52.5", "give a number, such as 105 or 52.5");
            self.faults.add(name, message);
        }
        found
    }

    /// A whole number, 0 where nothing was typed.
    pub fn count_or_none(&mut self, name: &str) -> u64 {
        if self.values.get(name).is_empty() { 0 } else { self.count(name).map_or(0, u64::from) }
    }

    /// A whole number from 1.
    pub fn count(&mut self, name: &str) -> Option<u32> {
        let found = self.values.get(name).parse().ok().filter(|number: &u32| *number > 0);
        if found.is_none() {
            self.faults.add(name, Message::new("http.number", "请填写从1起的整数", "give a whole number from 1"));
        }
        found
    }

    /// A date, or a date and a time of day, in China.
    pub fn instant(&mut self, name: &str) -> Option<OffsetDateTime> {
        let found = instant("", self.values.get(name)).ok();
        if found.is_none() {
            let message =
                Message::new("http.date", "请填写日期（及时间），如 2021-03-01 10:30", "give a date (and a time)");
            self.faults.add(name, message);
        }
        found
    }
}

/// How a field is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Lines,
    Date,
    Moment,
    Choice,
    /// A whole number from 1.
    Count,
    /// Millimetres.
    Number,
    Csv,
    Pdf,
    Photographs,
    /// Never sent back to the page.
    Password,
}

impl Kind {
    /// What HTML calls the control, where it is an `input`.
    pub fn input(self) -> &'static str {
        match self {
            Kind::Date => "date",
            Kind::Moment => "datetime-local",
            Kind::Count | Kind::Number => "number",
            Kind::Csv | Kind::Pdf | Kind::Photographs => "file",
            Kind::Password => "password",
            Kind::Text | Kind::Lines | Kind::Choice => "text",
        }
    }
}

/// Whether a field must be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Always,
    /// Where the way it belongs to was chosen, which a browser cannot know without a script: we check it.
    IfChosen,
    Never,
}

/// A field as it is shown.
#[derive(Debug)]
pub(super) struct Field {
    pub name: String,
    pub zh: String,
    pub en: String,
    pub kind: Kind,
    pub need: Need,
    pub max: Option<u64>,
    pub hint: String,
    /// Value and label.
    pub options: Vec<(String, String)>,
    pub value: String,
    pub fault: Option<Message>,
}

impl Field {
    pub fn new(name: &str, zh: &str, en: &str, kind: Kind) -> Self {
        Self {
            name: name.into(),
            zh: zh.into(),
            en: en.into(),
            kind,
            need: Need::Always,
            max: matches!(kind, Kind::Text | Kind::Password).then_some(200),
            hint: String::new(),
            options: vec![],
            value: String::new(),
            fault: None,
        }
    }

    pub fn choice(name: &str, zh: &str, en: &str, options: Vec<(String, String)>) -> Self {
        Self { options, ..Self::new(name, zh, en, Kind::Choice) }
    }

    pub fn optional(self) -> Self {
        Self { need: Need::Never, ..self }
    }

    /// Part of a way of doing it among others.
    pub fn if_chosen(self) -> Self {
        Self { need: if self.need == Need::Always { Need::IfChosen } else { self.need }, ..self }
    }

    /// What stands in it before anybody typed.
    pub fn filled(self, value: impl Into<String>) -> Self {
        Self { value: value.into(), ..self }
    }

    pub fn hint(self, hint: &str) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// The identifiers that tie the hint and the fault to the field for those who cannot see them beside it.
    pub fn described_by(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let fault = self.fault.is_some().then(|| format!("{}-fault", self.name));
        [hint, fault].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// Fields under one heading.
#[derive(Debug)]
pub(super) struct Section {
    pub zh: &'static str,
    pub en: &'static str,
    pub fields: Vec<Field>,
}

/// What is wrong with a form, for the head of its page.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Name and Chinese words of the field beside which it stands too.
    pub field: Option<(String, String)>,
    pub message: Message,
}

/// Puts in what was typed and what is wrong with it. Gives back all that is wrong.
pub(super) fn fill(sections: &mut [Section], values: &Values, faults: &Faults) -> Vec<Wrong> {
    for field in sections.iter_mut().flat_map(|section| &mut section.fields) {
        if !values.0.is_empty() {
            field.value = values.get(&field.name).to_owned();
        }
        field.fault = faults.of(&field.name).cloned();
    }
    let shown = |name: &str| {
        let field = sections.iter().flat_map(|section| &section.fields).find(|field| field.name == name);
        field.map(|field| (field.name.clone(), field.zh.clone()))
    };
    faults.0.iter().map(|(name, message)| Wrong { field: shown(name), message: message.clone() }).collect()
}

// — fields of a template's data

/// One field for each property of a template's JSON Schema, but those that the service fills in itself.
pub(super) fn of_schema(schema: &Value, left_out: &[&str]) -> Vec<Field> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect();
    let mut fields = vec![];
    let properties: Vec<_> = schema["properties"].as_object().into_iter().flatten().collect();
    // A JSON object has no order; what is required does, and it is the order of the printed page.
    let place = |name: &str| required.iter().position(|one| *one == name).unwrap_or(usize::MAX);
    let mut properties: Vec<_> =
        properties.into_iter().filter(|(name, _)| !left_out.contains(&name.as_str())).collect();
    properties.sort_by_key(|(name, _)| place(name));
    for (name, property) in properties {
        let words = |key: &str| property[key].as_str().unwrap_or(name.as_str()).to_owned();
        let options: Vec<(String, String)> = property["enum"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_str().map(|text| (text.to_owned(), text.to_owned())))
            .collect();
        let kind = match (property["type"].as_str(), property["format"].as_str()) {
            _ if !options.is_empty() => Kind::Choice,
            (Some("array"), _) => Kind::Lines,
            (_, Some("date")) => Kind::Date,
            (_, Some("date-time")) => Kind::Moment,
            _ => Kind::Text,
        };
        fields.push(Field {
            name: format!("data.{name}"),
            zh: words("title"),
            en: words("x-title-en"),
            kind,
            need: if required.contains(&name.as_str()) { Need::Always } else { Need::Never },
            max: property["maxLength"].as_u64(),
            hint: if kind == Kind::Lines { "每行一项".into() } else { String::new() },
            options,
            value: String::new(),
            fault: None,
        });
    }
    fields
}

/// The data that was typed into such fields; what was left empty is left out.
pub(super) fn data(fields: &[Field], values: &Values) -> Value {
    let mut data = Map::new();
    for field in fields {
        let (Some(name), typed) = (field.name.strip_prefix("data."), values.get(&field.name)) else { continue };
        let value = match field.kind {
            Kind::Lines => {
                let lines = typed.lines().map(str::trim).filter(|line| !line.is_empty());
                let lines: Vec<Value> = lines.map(Value::from).collect();
                if lines.is_empty() { continue } else { Value::from(lines) }
            }
            _ if typed.is_empty() => continue,
            Kind::Moment => instant("", typed).map(crate::http::answers::rfc3339).unwrap_or(typed.into()).into(),
            _ => typed.into(),
        };
        data.insert(name.to_owned(), value);
    }
    data.into()
}

/// Which field a refusal is shown beside.
pub(super) fn field_of(refusal: &Refusal) -> &'static str {
    match refusal.message.id {
        "decision.before-acceptance" | "decision.in-the-future" => "decided_at",
        "decision.one-hand-twice" | "decision.unknown-officer" => "intake",
        "item.not-on-the-list" | "grant.item" => "item",
        "item.accepted-before-transfer" | "item.accepted-after-transfer" => "accepted_at",
        "seal.acknowledge" => super::seals::ACKNOWLEDGED,
        id if id.starts_with("seal.") || id.starts_with("grant.") => "seal",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_becomes_fields_and_what_is_typed_becomes_data() {
        let schema = json!({ "required": ["a"], "properties": {
            "a": { "title": "甲", "x-title-en": "A", "type": "string", "maxLength": 5 },
            "b": { "enum": ["正本", "副本"] }, "c": { "type": "array" }, "d": { "type": "string", "format": "date" }, "identifier": {},
        }});
        let fields = of_schema(&schema, &["identifier"]);
        let kinds: Vec<_> = fields.iter().map(|field| (field.name.as_str(), field.kind, field.need)).collect();
        let expected = [
            ("data.a", Kind::Text, Need::Always),
            ("data.b", Kind::Choice, Need::Never),
            ("data.c", Kind::Lines, Need::Never),
            ("data.d", Kind::Date, Need::Never),
        ];
        assert_eq!(kinds, expected);
        let typed = [("data.a", " 一 "), ("data.c", "x\r\n\r\n y "), ("data.d", ""), ("data.z", "not a field")];
        let values = Values::of(typed.map(|(name, value)| (name.into(), value.into())).into());
        assert_eq!(data(&fields, &values), json!({ "a": "一", "c": ["x", "y"] }));
    }
}
