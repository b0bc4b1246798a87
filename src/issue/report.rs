//! A report of verification, sealed by the seal that the settings name for it. It is a use of a seal like any other:
//! leave from the rules, written down before the key is asked, checked before it leaves.

use serde_json::Value;
use time::OffsetDateTime;

use super::facts::{self, Facts};
use super::{
    Issued, filed_seal, fingerprint, grants_of, made_before, no_grant, no_template, prepare, room,
    write_down_and_finish,
};
use crate::decision::Allowed;
use crate::desk::{Desk, FlowError, blocking};
use crate::message::Message;
use crate::officer::OfficerId;
use crate::pdf::seal::Certification;
use crate::render::{RenderError, Renderer};
use crate::seal::SealNumber;
use crate::store::OrderKind;

/// The template of every report; for nothing else.
pub const TEMPLATE: &str = "verification-report";

/// With what reports are sealed, and who answers for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSeal {
    /// A legal-name seal; an approval seal is refused.
    pub seal: SealNumber,
    /// Under whose grant.
    pub officer: OfficerId,
}

/// Renders and seals what was found. `found` is [`crate::verify::report::print`]'s. The same findings again give the
/// same document.
///
/// # Errors
/// A rule refused, or a tool failed; see [`FlowError`].
pub async fn seal_report(
    desk: &Desk,
    with: &ReportSeal,
    found: &Value,
    now: OffsetDateTime,
) -> Result<Issued, FlowError> {
    let seal = filed_seal(desk, &with.seal).await?;
    let officer = desk.store.officer(&with.officer).await?.ok_or_else(|| {
        FlowError::Unknown(Message::new(
            "issue.report-officer",
            "没有登记设置中指定的核验报告用印人",
            "the officer whom the settings name for reports is not filed",
        ))
    })?;
    let text = |field: &str| found.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let document = text("document");
    let mut leave = Err(no_grant(&officer, &seal));
    for grant in grants_of(desk, &officer, &seal).await? {
        leave = Allowed::on_report(document.clone(), &seal.seal, &officer, &grant, now);
        if leave.is_ok() {
            break;
        }
    }
    let allowed = leave?;
    let fingerprint = fingerprint(found)?;
    let once_key = format!("report/{fingerprint}");
    if let Some(issued) = made_before(desk, &once_key, &fingerprint, None, now).await? {
        return Ok(issued);
    }
    let parts = desk.parts_in_force(&seal, now).await?;
    let room = room(desk, &parts, seal.level, now).await?;
    let template = desk.renderer.template(TEMPLATE).ok_or_else(|| no_template(TEMPLATE))?;
    let mut data = serde_json::json!({});
    let known: Facts = [
        ("issuer", Some(seal.seal.owner_name.clone().into())),
        ("verify_url", Some(format!("{}/verify", desk.public_url).into())),
        ("report.found", Some(found.clone())),
        ("report.on", Some(facts::china_date(now))),
    ]
    .into();
    facts::fill(template.schema(), &mut data, &known)?;
    let title = format!("{}（{}）", template.title_zh(), document.get(..16).unwrap_or(&document));
    let (renderer, drawn, signer_name, reason) =
        (desk.renderer.clone(), parts.clone(), seal.seal.owner_name.clone(), title.clone());
    let ident = once_key.clone();
    let prepared = blocking(move || {
        let draft = render(&renderer, data, &ident, now)?;
        let places = [draft.seal_place.on()];
        prepare(&draft.pdf, &drawn, &places, &signer_name, &reason, now, Some(Certification::NoChanges), room)
    })
    .await?;
    let once = (once_key.as_str(), fingerprint.as_str());
    write_down_and_finish(desk, allowed, OrderKind::Report, once, &seal, &title, None, vec![prepared], now).await
}

/// Names in a foreign certificate may hold letters that our faces have not; each is printed as a box, so that a report
/// says that there was one.
fn render(
    renderer: &Renderer,
    mut data: Value,
    ident: &str,
    now: OffsetDateTime,
) -> Result<crate::render::Draft, RenderError> {
    for _ in 0..64 {
        match renderer.render(TEMPLATE, &data, ident, now) {
            Err(RenderError::Character { character, field: Some(_) }) => replace(&mut data, character),
            done => return done,
        }
    }
    renderer.render(TEMPLATE, &data, ident, now)
}

fn replace(data: &mut Value, character: char) {
    match data {
        Value::String(text) => *text = text.replace(character, "□"),
        Value::Array(entries) => entries.iter_mut().for_each(|entry| replace(entry, character)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, character)),
        _ => {}
    }
}
