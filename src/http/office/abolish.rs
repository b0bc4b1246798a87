//! The page that carries out an order of abolition: the second administrator signs beside the first.

use askama::Template;
use axum::extract::Multipart;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::field::{Faults, Field, Kind, Need, Reading, Section, Values, Wrong, data, fill, of_schema};
use super::issue::{NOTICE, faults_of, seals};
use super::seals::{ACKNOWLEDGED, acknowledged};
use super::{Who, second};
use crate::abolish::{self, AbolishRequest, Abolished, NoticeRequest, seals_from_csv};
use crate::abolition::{AbolishedSeal, AbolitionAct, AbolitionRequest};
use crate::desk::FlowError;
use crate::http::answers::day;
use crate::http::pages::show;
use crate::http::problem::Problem;
use crate::http::sign_in::{Browser, Session};
use crate::http::staff::{At, StaffState};
use crate::item::ItemCode;
use crate::message::Message;
use crate::officer::Duty;
use crate::seal::SealNumber;
use crate::store::StoreError;

/// Filled in by the service from the order itself.
const FILLED_IN: &[&str] =
    &["identifier", "verify_url", "decision_number", "government", "abolished_at", "reason", "seals", "successor"];

#[derive(Template)]
#[template(path = "abolish.html")]
struct AbolishPage {
    who: Who,
    sections: Vec<Section>,
    notice: Vec<Section>,
    second: Vec<Section>,
    with_notice: bool,
    faults: Vec<Wrong>,
    rule: Option<u8>,
    refused: bool,
}

#[derive(Template)]
#[template(path = "abolished.html")]
struct AbolishedPage {
    who: Who,
    done: Abolished,
}

pub(crate) async fn abolish_form(At(state): At, session: Session) -> Result<Response, Problem> {
    session.with(Duty::SealAdministration)?;
    page(&state, &session, &Values::default(), &Faults::default(), None).await
}

pub(crate) async fn abolish(
    At(state): At,
    session: Session,
    browser: Browser,
    form: Multipart,
) -> Result<Response, Problem> {
    let by = session.with(Duty::SealAdministration)?;
    let (values, csv) = Values::with_file(form, "csv").await?;
    let (request, notice, acknowledged) = match read(&state, &values, csv.as_deref()) {
        Ok(read) => read,
        Err(faults) => return page(&state, &session, &values, &faults, None).await,
    };
    let second = match second::signed(&state, &browser, &values).await {
        Ok(second) => second,
        Err(problem) if problem.is_askers() => {
            let mut faults = Faults::default();
            faults.add(second::SECOND, problem.message().clone());
            return page(&state, &session, &values, &faults, Some(&problem)).await;
        }
        Err(problem) => return Err(problem),
    };
    let number = request.number.clone();
    let request = AbolishRequest { order: request, custody: vec![], notice, acknowledged };
    match abolish::abolish(&state.desk, by, &second, request, (state.clock)()).await {
        Ok(done) => show(&AbolishedPage { who: Who::of(by), done }),
        Err(error) => {
            let mut faults = faults_of(&error);
            let known = matches!(error, FlowError::Store(StoreError::Conflict(_)));
            if !known && state.desk.store.abolition(&number).await?.is_some() {
                faults.add("", closed_without_notice());
            }
            let problem = Problem::from(error);
            if !problem.is_askers() {
                return Err(problem);
            }
            page(&state, &session, &values, &faults, Some(&problem)).await
        }
    }
}

/// Shown with what was wrong with the notice, so that nobody believes the seals still open.
fn closed_without_notice() -> Message {
    Message::new(
        "http.notice-missing",
        "印章已按决定废止并登记，仅公告尚未制成；请更正后再次提交，系统只补制公告，不会重复废止",
        "the seals are closed and recorded, only the notice is missing; correct it and submit again: the notice alone is made",
    )
}

async fn page(
    state: &StaffState,
    session: &Session,
    values: &Values,
    faults: &Faults,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let in_force = seals(state, None, (state.clock)()).await?;
    let acts = vec![("abolish".into(), "废止".into()), ("reinstate".into(), "撤销废止".into())];
    let order = Section {
        zh: "决定",
        en: "Order",
        fields: vec![
            Field::choice("act", "办理类型", "Act", acts),
            Field::new("number", "决定文号", "Order's number", Kind::Text),
            Field::new("government", "决定机关", "Government", Kind::Text),
            Field::new("date", "决定日期", "Date", Kind::Date),
            Field::new("at", "生效时间", "Counts from", Kind::Moment).hint("北京时间；此刻起印章不再有效"),
            Field::choice("successor", "接替印章", "Successor", in_force.clone()).optional(),
            Field::new("reason", "理由", "Reason", Kind::Text),
            acknowledged(),
        ],
    };
    let list = Section {
        zh: "印章",
        en: "Seals",
        fields: vec![
            Field::new("seals", "印章编号", "Numbers", Kind::Lines)
                .optional()
                .hint("每行一枚：编号，空格后可写划转事项编码"),
            Field::new("csv", "或上传CSV文件", "CSV file", Kind::Csv)
                .optional()
                .hint("列：印章编号、划转事项；更正后重新提交时须再选一次文件"),
        ],
    };
    let schema = state.desk.renderer.template(NOTICE).map(|sheet| of_schema(sheet.schema(), FILLED_IN));
    let mut printed = vec![Field::choice("notice_seal", "公告用章", "Seal for the notice", in_force)];
    printed.extend(schema.into_iter().flatten());
    let printed = printed.into_iter().map(Field::if_chosen).collect();
    let notice = Section { zh: "废止公告", en: "Notice", fields: printed };
    let mut sections = vec![order, list, notice, second::section()];
    let wrong = fill(&mut sections, values, faults);
    let (second, notice) = (sections.split_off(3), sections.split_off(2));
    let refused = !faults.is_empty() || problem.is_some();
    let shown = show(&AbolishPage {
        who: Who::of(&session.officer),
        sections,
        notice,
        second,
        with_notice: values.get("with_notice") == "yes",
        faults: wrong,
        rule: problem.and_then(Problem::rule),
        refused,
    })?;
    let status = problem.map_or(if refused { StatusCode::BAD_REQUEST } else { StatusCode::OK }, Problem::status);
    Ok((status, shown).into_response())
}

fn read(
    state: &StaffState,
    values: &Values,
    csv: Option<&[u8]>,
) -> Result<(AbolitionRequest, Option<NoticeRequest>, u64), Faults> {
    let mut form = Reading::of(values);
    let (number, government, reason) = (form.text("number"), form.text("government"), form.text("reason"));
    let date = form.parse("date", |text| {
        day(text).map_err(|_| Problem::bad("http.date", "请填写日期，如 2020-08-26", "give a date, such as 2020-08-26"))
    });
    let at = form.instant("at");
    let given = |name: &str| Some(values.get(name)).filter(|text| !text.is_empty());
    let successor = given("successor").map(|_| form.parse("successor", SealNumber::parse));
    let mut seals: Vec<AbolishedSeal> = form.parse("seals", typed_seals).unwrap_or_default();
    if let Some(csv) = csv {
        match seals_from_csv(csv) {
            Ok(more) => seals.extend(more),
            Err(error) => form.faults.add("csv", error.message()),
        }
    }
    if seals.is_empty() && form.faults.is_empty() {
        form.faults.add("seals", Message::new("http.empty", "请列出要废止的印章", "name the seals"));
    }
    let notice = match values.get("with_notice") {
        "yes" => form.parse("notice_seal", SealNumber::parse).map(|seal| {
            let sheet = state.desk.renderer.template(NOTICE);
            let fields = sheet.map(|sheet| of_schema(sheet.schema(), FILLED_IN)).unwrap_or_default();
            NoticeRequest {
                seal,
                template: NOTICE.to_owned(),
                data: data(&fields, values),
                type_code: None,
                serial: None,
            }
        }),
        _ => None,
    };
    let acknowledged = form.count_or_none(ACKNOWLEDGED);
    let act = if values.get("act") == "reinstate" { AbolitionAct::Reinstate } else { AbolitionAct::Abolish };
    match (date, at, form.faults.is_empty()) {
        (Some(date), Some(at), true) => {
            let successor = successor.flatten();
            Ok((AbolitionRequest { act, number, government, date, at, reason, successor, seals }, notice, acknowledged))
        }
        _ => Err(form.faults),
    }
}

/// One seal a line: its number, and after a space the items that move.
fn typed_seals(text: &str) -> Result<Vec<AbolishedSeal>, Problem> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let number = SealNumber::parse(words.next().unwrap_or_default())?;
            let items = words.map(ItemCode::parse).collect::<Result<_, _>>()?;
            Ok(AbolishedSeal { number, items })
        })
        .collect()
}
