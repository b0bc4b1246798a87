//! The sample bureau as filed beside, and its cases moved to today: what is sealed now is dated now, history stays.

use serde::Deserialize;
use serde_json::Value;
use time::macros::{format_description, offset, time};
use time::{Date, Duration, OffsetDateTime};

use crate::abolish::CustodyOf;
use crate::abolish::NoticeRequest;
use crate::abolition::AbolitionRequest;
use crate::cli::filing::Bureau;
use crate::decision::DecisionRequest;
use crate::issue::{IssueRequest, LicenceRequest, UploadPlace, UploadRequest};
use crate::licence::LicenceAct;
use crate::message::Message;
use crate::refusal::Rule;
use crate::seal::SealNumber;

/// A document drafted elsewhere, as an office suite prints it.
pub(super) const DRAFT: &[u8] = include_bytes!("draft.pdf");

/// The whole sample.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Sample {
    pub note: Vec<String>,
    pub trial: Value,
    #[serde(flatten)]
    pub bureau: Bureau,
    pub abolition: AbolitionRequest,
    pub custody: Vec<CustodyOf>,
    pub notice: Notice,
    pub cases: Vec<Case>,
    pub refused: Vec<RefusedCase>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Notice {
    template: String,
    licence_type: String,
    serial: String,
    seal: SealNumber,
    face: Value,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Case {
    pub file: String,
    #[serde(default)]
    template: String,
    #[serde(default)]
    pub upload: Option<String>,
    licence_type: String,
    serial: String,
    pub request: DecisionRequest,
    #[serde(default)]
    face: Value,
    #[serde(default)]
    place: Option<Keyword>,
}

#[derive(Debug, Clone, Deserialize)]
struct Keyword {
    keyword: String,
    occurrence: u32,
}

/// A case that a rule stands against.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RefusedCase {
    pub rule: u8,
    pub why_zh: String,
    pub seal: SealNumber,
    pub grant: String,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub request: DecisionRequest,
}

impl Sample {
    /// The one that is compiled in.
    pub fn read() -> Result<Self, Message> {
        let sample: Result<Self, _> = serde_json::from_str(include_str!("wenchuan.json"));
        let mut sample =
            sample.map_err(|e| Message::new("demo.sample", format!("示例数据有误：{e}"), e.to_string()))?;
        for row in &mut sample.bureau.items {
            row.item.example = true;
        }
        Ok(sample)
    }
}

impl Notice {
    /// The notice, issued today.
    pub fn request(&self, today: Date) -> NoticeRequest {
        let mut data = self.face.clone();
        set(&mut data, "issued_on", &iso(today));
        this_year(&mut data, "document_number", today);
        NoticeRequest {
            seal: self.seal.clone(),
            template: self.template.clone(),
            data,
            type_code: Some(self.licence_type.clone()),
            serial: Some(year_for(&self.serial, today)),
        }
    }
}

impl Case {
    /// The case, accepted ten days ago, decided yesterday, its document issued today and good for five years.
    pub fn issue(&self, seal: &SealNumber, now: OffsetDateTime) -> IssueRequest {
        let today = china_date(now);
        let (accepted_at, decided_at) = (now - Duration::days(10), now - Duration::days(1));
        let accepted_on = china_date(accepted_at);
        let five_years = today.replace_year(today.year() + 5).unwrap_or(today + Duration::days(5 * 365));
        let last_day = five_years.previous_day().unwrap_or(five_years);

        let mut decision = self.request.clone();
        decision.accepted_at = accepted_at;
        decision.decided_at = decided_at;
        decision.number = year_for(&decision.number, today);
        let case: Vec<&str> = self.request.case.split('-').collect();
        if let [region, _, number] = case[..] {
            decision.case = format!("{region}-{}-{number}", compact(accepted_on));
        }
        let mut data = self.face.clone();
        for (field, date) in [
            ("issued_on", today),
            ("valid_from", today),
            ("valid_until", last_day),
            ("accepted_on", accepted_on),
            ("applied_on", accepted_on - Duration::days(2)),
        ] {
            set(&mut data, field, &iso(date));
        }
        set(&mut data, "acceptance_number", &decision.case);
        this_year(&mut data, "document_number", today);
        IssueRequest {
            decision,
            seal: seal.clone(),
            template: self.template.clone(),
            data,
            licence: LicenceRequest {
                act: LicenceAct::Issue,
                previous: None,
                type_code: self.licence_type.clone(),
                serial: Some(year_for(&self.serial, today)),
                valid_from: midnight(today),
                valid_until: Some(midnight(five_years)),
            },
            files: None,
            more_seals: false,
        }
    }

    /// The uploaded document: its own face cannot be moved, so its decision stays as it was written.
    pub fn upload(&self, seal: &SealNumber) -> UploadRequest {
        let place = self.place.clone().unwrap_or(Keyword { keyword: "日".into(), occurrence: 1 });
        UploadRequest {
            decision: self.request.clone(),
            seal: seal.clone(),
            title: self.request.number.clone(),
            place: UploadPlace::Keyword { text: place.keyword, nth: place.occurrence, dx_mm: 0.0, dy_mm: 0.0 },
            more_places: vec![],
            straddle_mm: None,
        }
    }
}

/// A case refused for another reason than those on file: the same case with one fact changed.
pub(super) fn other_refusals(sample: &Sample, now: OffsetDateTime) -> Vec<(Rule, &'static str, RefusedCase)> {
    let Some(licence) = sample.cases.iter().find(|case| case.upload.is_none()) else { return vec![] };
    let Some(bureau) = sample.refused.iter().find(|case| case.grant == "g-spj-1") else { return vec![] };
    let good = licence.issue(&bureau.seal, now).decision;
    let case = |number: &str, change: &dyn Fn(&mut DecisionRequest)| {
        let mut request = DecisionRequest { number: format!("{}-{number}", good.number), ..good.clone() };
        change(&mut request);
        RefusedCase { at: now, request, ..bureau.clone() }
    };
    let officer = |name: &str| crate::officer::OfficerId::parse(name).unwrap_or_else(|_| good.hands.intake.clone());
    let unknown = crate::item::ItemCode::parse("000999999").unwrap_or_else(|_| good.item.clone());
    vec![
        (Rule::Hands, "聘用人员不得作决定", case("a", &|r| r.hands.decide = officer("spj-clerk"))),
        (Rule::Hands, "受理和审核为同一人", case("b", &|r| r.hands.review = r.hands.intake.clone())),
        (Rule::NoItemNoLicence, "清单之外的事项", case("c", &|r| r.item = unknown.clone())),
        (Rule::ThreeFacts, "尚未作出的决定", case("d", &|r| r.decided_at = now + Duration::DAY)),
    ]
}

/// The day in China.
pub(super) fn china_date(at: OffsetDateTime) -> Date {
    at.to_offset(offset!(+8)).date()
}

fn midnight(date: Date) -> OffsetDateTime {
    date.with_time(time!(0:00)).assume_offset(offset!(+8))
}

fn iso(date: Date) -> String {
    date.format(format_description!("[year]-[month]-[day]")).unwrap_or_default()
}

fn compact(date: Date) -> String {
    date.format(format_description!("[year][month][day]")).unwrap_or_default()
}

/// Puts a text where the form has the field.
fn set(data: &mut Value, field: &str, text: &str) {
    if let Some(value) = data.get_mut(field) {
        *value = text.into();
    }
}

fn this_year(data: &mut Value, field: &str, today: Date) {
    if let Some(text) = data.get(field).and_then(Value::as_str) {
        let text = year_for(text, today);
        set(data, field, &text);
    }
}

/// The sample's year at the head of a number becomes this year.
fn year_for(text: &str, today: Date) -> String {
    let text = text.replace("〔2021〕", &format!("〔{}〕", today.year()));
    match text.strip_prefix("2021") {
        Some(rest) => format!("{}{rest}", today.year()),
        None => text,
    }
}
