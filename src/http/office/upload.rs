//! The page that seals a document drafted elsewhere: the file, the seal, the decision it rests on, and where the seal goes.

use askama::Template;
use axum::extract::Multipart;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::field::{Faults, Field, Kind, Need, Reading, Section, Values, Wrong, field_of, fill};
use super::issue::{may_make, seals};
use super::{Who, decision};
use crate::desk::FlowError;
use crate::http::pages::show;
use crate::http::problem::Problem;
use crate::http::sign_in::Session;
use crate::http::staff::{At, StaffState};
use crate::issue::{UploadPlace, UploadRequest, seal_upload};
use crate::message::Message;
use crate::seal::SealNumber;

#[derive(Template)]
#[template(path = "upload.html")]
struct UploadPage {
    who: Who,
    sections: Vec<Section>,
    /// What is asked where a keyword says the place, and where page and millimetres do.
    by_keyword: Vec<Field>,
    by_page: Vec<Field>,
    at_page: bool,
    faults: Vec<Wrong>,
    rule: Option<u8>,
    refused: bool,
}

pub(crate) async fn upload_form(At(state): At, session: Session) -> Result<Response, Problem> {
    may_make(&session)?;
    page(&state, &session, &Values::default(), &Faults::default(), None).await
}

pub(crate) async fn upload(At(state): At, session: Session, form: Multipart) -> Result<Response, Problem> {
    may_make(&session)?;
    let (values, pdf) = Values::with_file(form, "file").await?;
    let (request, pdf) = match read(&values, pdf) {
        Ok(read) => read,
        Err(faults) => return page(&state, &session, &values, &faults, None).await,
    };
    match seal_upload(&state.desk, &session.officer, request, pdf, (state.clock)()).await {
        Ok(sealed) => Ok(Redirect::to(&format!("/orders/{}", sealed.order)).into_response()),
        Err(FlowError::Waiting(waiting)) => Ok(Redirect::to(&format!("/orders/{}", waiting.order)).into_response()),
        Err(error) => {
            let mut faults = Faults::default();
            faults.add(fault_of(&error, at_page(&values)), error.message());
            let problem = Problem::from(error);
            if !problem.is_askers() {
                return Err(problem);
            }
            page(&state, &session, &values, &faults, Some(&problem)).await
        }
    }
}

/// The field that a flow's words are shown beside.
fn fault_of(error: &FlowError, at_page: bool) -> &'static str {
    match (error, error.message().id) {
        (FlowError::Refused(refusal), _) => field_of(refusal),
        (_, "issue.title") => "title",
        (_, "issue.number-in-use") => "number",
        (_, "issue.keyword") => "keyword",
        (_, "pdf.no-such-page" | "ofd.no-page") => "page",
        (_, "pdf.no-straddle" | "ofd.no-straddle") => "straddle_mm",
        (_, "issue.places") if at_page => "more_at",
        (_, "issue.places") => "more_nth",
        (_, "pdf.outside-page" | "ofd.outside-page") if at_page => "x_mm",
        (_, "pdf.outside-page" | "ofd.outside-page") => "dx_mm",
        (_, "issue.too-large") | (FlowError::Pdf(_) | FlowError::Ofd(_), _) => "file",
        _ => "",
    }
}

fn at_page(values: &Values) -> bool {
    values.get("place") == "page"
}

async fn page(
    state: &StaffState,
    session: &Session,
    values: &Values,
    faults: &Faults,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let refused = !faults.is_empty();
    let hint = match refused {
        true => "请重新选择文件：浏览器不保留已选的文件",
        false => "未加密的PDF或OFD，200 MB以内；已有的签名不受影响",
    };
    let officer = &session.officer;
    let document = Section {
        zh: "文书",
        en: "Document",
        fields: vec![
            Field::new("file", "PDF或OFD文件", "PDF or OFD file", Kind::Pdf).hint(hint),
            Field::new("straddle_mm", "骑缝章距页面上边（毫米）", "Straddle seal from the top, mm", Kind::Number)
                .optional()
                .hint("在各页右边缘再盖骑缝章，量到印章中心；不盖则不填。已有签章的PDF不能加盖"),
            Field::new("title", "文书名称", "Title", Kind::Text).hint("记入用印台账，如：准予行政许可决定书"),
            Field::choice("seal", "印章", "Seal", seals(state, Some(&officer.authority), (state.clock)()).await?),
        ],
    };
    let keyword = vec![
        Field::new("keyword", "关键字", "Keyword", Kind::Text).hint("文书中已有的字样，如：盖章处"),
        Field::new("nth", "第几处", "Which one", Kind::Count).filled("1").hint("同一字样出现多次时填写"),
        Field::new("more_nth", "另盖第几处", "Also on number", Kind::Text)
            .optional()
            .hint("同一印章还盖在同一字样的其他处，如：2、3。已有签章的PDF只能盖一处"),
        Field::new("dx_mm", "向右移（毫米）", "Right, mm", Kind::Number).filled("0").hint("向左填负数"),
        Field::new("dy_mm", "向下移（毫米）", "Down, mm", Kind::Number).filled("0").hint("向上填负数"),
    ];
    let millimetres = vec![
        Field::new("page", "第几页", "Page", Kind::Count).filled("1"),
        Field::new("x_mm", "距页面左边（毫米）", "From the left, mm", Kind::Number).hint("量到印章中心；A4纸宽210"),
        Field::new("y_mm", "距页面上边（毫米）", "From the top, mm", Kind::Number).hint("量到印章中心；A4纸高297"),
        Field::new("more_at", "另盖处", "Also at", Kind::Lines)
            .optional()
            .hint("同一印章还盖在别处：每行一处，依次写页码、距左边、距上边，如：2 150 220。已有签章的PDF只能盖一处"),
    ];
    let mut sections = vec![document];
    sections.extend(decision::sections(state, officer).await?);
    sections.extend([keyword, millimetres].map(|fields| Section {
        zh: "盖章位置",
        en: "Place",
        fields: fields.into_iter().map(Field::if_chosen).collect(),
    }));
    let wrong = fill(&mut sections, values, faults);
    let by_page = sections.pop().map(|section| section.fields).unwrap_or_default();
    let by_keyword = sections.pop().map(|section| section.fields).unwrap_or_default();
    let shown = show(&UploadPage {
        who: Who::of(officer),
        sections,
        by_keyword,
        by_page,
        at_page: at_page(values),
        faults: wrong,
        rule: problem.and_then(Problem::rule),
        refused,
    })?;
    let status = problem.map_or(if refused { StatusCode::BAD_REQUEST } else { StatusCode::OK }, Problem::status);
    Ok((status, shown).into_response())
}

fn read(values: &Values, pdf: Option<Vec<u8>>) -> Result<(UploadRequest, Vec<u8>), Faults> {
    let mut form = Reading::of(values);
    if pdf.is_none() {
        form.faults.add(
            "file",
            Message::new("http.no-file", "请选择要盖章的PDF或OFD文件", "choose the PDF or OFD that is to be sealed"),
        );
    }
    let title = form.text("title");
    let seal = form.parse("seal", SealNumber::parse);
    let straddle_mm = if values.get("straddle_mm").is_empty() { None } else { form.number("straddle_mm") };
    let decision = decision::read(&mut form);
    let places = if at_page(values) { by_page(&mut form) } else { by_keyword(&mut form) };
    match (pdf, seal, decision, places, form.faults.is_empty()) {
        (Some(pdf), Some(seal), Some(decision), Some((place, more_places)), true) => {
            Ok((UploadRequest { decision, seal, title, place, more_places, straddle_mm }, pdf))
        }
        _ => Err(form.faults),
    }
}

/// The first place and the others.
type Places = (UploadPlace, Vec<UploadPlace>);

fn by_page(form: &mut Reading<'_>) -> Option<Places> {
    let (page, x_mm, y_mm) = (form.count("page"), form.number("x_mm"), form.number("y_mm"));
    let lines = form.values.get("more_at").lines().filter(|line| !line.trim().is_empty());
    let others: Option<Vec<UploadPlace>> = lines.map(place_of).collect();
    if others.is_none() {
        let message = Message::new(
            "http.place",
            "每行写三个数：页码、距左边毫米数、距上边毫米数，以空格分开，如：2 150 220",
            "write three numbers a line: page, millimetres from the left and from the top, such as 2 150 220",
        );
        form.faults.add("more_at", message);
    }
    Some((UploadPlace::At { page: page?, x_mm: x_mm?, y_mm: y_mm? }, others?))
}

/// `2 150 220`, parted by spaces or commas of either script.
fn place_of(line: &str) -> Option<UploadPlace> {
    let mut numbers = parted(line);
    let (page, x_mm, y_mm) = (numbers.next()?.parse().ok()?, numbers.next()?, numbers.next()?);
    let millimetres = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
    let place = UploadPlace::At { page, x_mm: millimetres(x_mm)?, y_mm: millimetres(y_mm)? };
    (page > 0 && numbers.next().is_none()).then_some(place)
}

fn by_keyword(form: &mut Reading<'_>) -> Option<Places> {
    let text = form.text("keyword");
    let (nth, dx_mm, dy_mm) = (form.count("nth"), form.number("dx_mm"), form.number("dy_mm"));
    let others: Option<Vec<u32>> =
        parted(form.values.get("more_nth")).map(|nth| nth.parse().ok().filter(|nth| *nth > 0)).collect();
    if others.is_none() {
        form.faults
            .add("more_nth", Message::new("http.number", "请填写从1起的整数，如：2、3", "give whole numbers from 1"));
    }
    let (nth, dx_mm, dy_mm, others) = (nth?, dx_mm?, dy_mm?, others?);
    let on = |nth| UploadPlace::Keyword { text: text.clone(), nth, dx_mm, dy_mm };
    Some((on(nth), others.into_iter().map(on).collect()))
}

fn parted(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || ",，、;；".contains(c)).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(typed: &[(&str, &str)]) -> Result<Vec<String>, Vec<&'static str>> {
        let values = Values::of(typed.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect());
        let mut form = Reading::of(&values);
        let read = if at_page(&values) { by_page(&mut form) } else { by_keyword(&mut form) };
        let wrong = super::super::field::fill(&mut [], &values, &form.faults);
        match read.filter(|_| wrong.is_empty()) {
            Some((first, others)) => Ok([first].iter().chain(&others).map(|one| format!("{one:?}")).collect()),
            None => Err(wrong.iter().map(|one| one.message.id).collect()),
        }
    }

    #[test]
    fn further_places_are_read_as_people_write_them() {
        let page = [("place", "page"), ("page", "1"), ("x_mm", "150"), ("y_mm", "220")];
        let with = |more| places(&[&page[..], &[("more_at", more)]].concat());
        assert_eq!(with("").unwrap().len(), 1);
        let three = with("2 150 220.5\r\n\r\n 3，60、 70 \n").unwrap();
        assert_eq!(three[1..], ["At { page: 2, x_mm: 150.0, y_mm: 220.5 }", "At { page: 3, x_mm: 60.0, y_mm: 70.0 }"]);
        for wrong in ["2 150", "0 1 1", "2 150 220 1", "2 a 220", "2 150 NaN"] {
            assert_eq!(with(wrong), Err(vec!["http.place"]), "{wrong}");
        }
        let word = [("keyword", "盖章处"), ("nth", "1"), ("dx_mm", "0"), ("dy_mm", "5")];
        let with = |more| places(&[&word[..], &[("more_nth", more)]].concat());
        let three = with("2、3").unwrap();
        assert_eq!(three[2], "Keyword { text: \"盖章处\", nth: 3, dx_mm: 0.0, dy_mm: 5.0 }");
        assert_eq!(with("2、三"), Err(vec!["http.number"]));
    }
}
