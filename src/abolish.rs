//! ABOLISH: an order of government closes seals, moves them into custody and says so in a sealed notice.
//!
//! 1 read the order · 2 two administrators · 3 close all seals in one transaction · 4 custody · 5 certificates onto the
//! revocation list · 6 the notice, sealed by the same steps as any document. A reversal is a second order, never an edit.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::offset;

use crate::abolition::{AbolishedSeal, AbolitionOrder, AbolitionRequest, CustodyEntry};
use crate::administer::whose_seal;
use crate::ca::Authority;
use crate::decision::Allowed;
use crate::desk::{Desk, FlowError, blocking};
use crate::issue::facts::{self, Facts};
use crate::issue::{
    Issued, filed_seal, fingerprint, grants_of, made_before, no_grant, no_template, prepare, random_serial, room,
    write_down_and_finish,
};
use crate::item::ItemCode;
use crate::licence::LicenceIdentifier;
use crate::message::Message;
use crate::officer::{Care, Officer, check_two_administrators};
use crate::pdf::seal::Certification;
use crate::render::Template;
use crate::seal::SealNumber;
use crate::store::{FiledSeal, OrderKind};

/// Most lines taken from a CSV of seals; as many as one order may name.
const CSV_SEALS: usize = 1000;

/// The notice (印章废止公告) to be made and sealed with an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeRequest {
    /// The government's or the bureau's seal.
    pub seal: SealNumber,
    pub template: String,
    /// What is printed. Where they are missing, the order's facts, the table of seals, `identifier` and `verify_url` are
    /// filled in by the service.
    pub data: serde_json::Value,
    /// 证照类型代码 of the notice; the owner's code and `001` where none is given.
    #[serde(default)]
    pub type_code: Option<String>,
    /// 流水号; drawn at random where none is given.
    #[serde(default)]
    pub serial: Option<String>,
}

/// What an abolition did.
#[derive(Debug, Clone, Serialize)]
pub struct Abolished {
    /// The order's number.
    pub order: String,
    pub seals: usize,
    /// Certificates put on the revocation list now; none where the order counts later.
    pub revoked: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<Issued>,
    /// The notice's order, where it is written down and waits to be finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
}

/// An order with what is to be done along with it, as both doors take it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbolishRequest {
    pub order: AbolitionRequest,
    #[serde(default)]
    pub custody: Vec<CustodyOf>,
    #[serde(default)]
    pub notice: Option<NoticeRequest>,
    /// How many sealed documents the order ends, where it counts from before now.
    #[serde(default)]
    pub acknowledged: u64,
}

/// A custody entry with its seal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodyOf {
    pub seal: SealNumber,
    pub entry: CustodyEntry,
}

/// Carries out an order: all seals or none. The same order again, with a notice, makes the notice that is still missing:
/// seals are closed before their notice is made, and a notice whose data was wrong must not need another order.
///
/// # Errors
/// A rule refused (nothing is recorded), or a tool failed after the seals were closed: then the same order again makes
/// the notice.
pub async fn abolish(
    desk: &Desk,
    by: &Officer,
    second: &Officer,
    request: AbolishRequest,
    now: OffsetDateTime,
) -> Result<Abolished, FlowError> {
    let AbolishRequest { order, custody, notice: wanted, acknowledged } = request;
    let order = AbolitionOrder::read(order)?;
    check_two_administrators(by, second, now)?;
    let (number, count) = (order.get().number.clone(), order.get().seals.len());
    let custody: Vec<_> = custody.into_iter().map(|of| (of.seal, of.entry)).collect();
    for seal in order.get().seals.iter().map(|seal| &seal.number).chain(custody.iter().map(|(seal, _)| seal)) {
        whose_seal(&desk.store, Care::End, seal, &[by, second]).await?;
    }
    let recorded = wanted.is_some() && desk.store.abolition(&number).await?.as_ref() == Some(&order);
    let mut revoked = 0;
    if !recorded {
        desk.store.record_abolition(&order, &custody, &by.id, &second.id, acknowledged, now).await?;
        let authority = Authority::of(desk);
        revoked = authority.refresh(by.id.as_str(), now).await?;
    }
    let (notice, waiting) = match wanted {
        None => (None, None),
        Some(wanted) => match notice(desk, by, second, &number, wanted, now).await {
            Ok(notice) => (Some(notice), None),
            // The seals are closed; their notice follows by itself.
            Err(FlowError::Waiting(waiting)) => (None, Some(waiting.order)),
            Err(error) => return Err(error),
        },
    };
    Ok(Abolished { order: number, seals: count, revoked, notice, waiting })
}

/// Renders and seals the notice of a recorded order. The same order and template again give the same notice.
///
/// # Errors
/// There is no such order, a rule refused, or a tool failed; see [`FlowError`].
pub async fn notice(
    desk: &Desk,
    by: &Officer,
    second: &Officer,
    number: &str,
    wanted: NoticeRequest,
    now: OffsetDateTime,
) -> Result<Issued, FlowError> {
    let order = desk.store.abolition(number).await?.ok_or_else(|| {
        FlowError::Unknown(Message::new(
            "abolish.no-order",
            "没有登记该文号的废止决定",
            "no order of this number is recorded",
        ))
    })?;
    let once_key = format!("notice/{number}/{}", wanted.template);
    let seal = filed_seal(desk, &wanted.seal).await?;
    let mut leave = Err(no_grant(by, &seal));
    for grant in grants_of(desk, by, &seal).await? {
        leave = Allowed::on_notice(number.to_owned(), &seal.seal, by, second, &grant, now);
        if leave.is_ok() {
            break;
        }
    }
    let allowed = leave?;
    let fingerprint = fingerprint(&wanted)?;
    if let Some(issued) = made_before(desk, &once_key, &fingerprint, None, now).await? {
        return Ok(issued);
    }
    let parts = desk.parts_in_force(&seal, now).await?;
    let room = room(desk, &parts, seal.level, now).await?;
    let identifier = notice_identifier(&wanted, &seal)?;
    let template = desk.renderer.template(&wanted.template).ok_or_else(|| no_template(&wanted.template))?;
    let data = with_facts(desk, template, wanted.data, &order, &seal, &identifier).await?;
    let title = template.title_zh().to_owned();
    let (renderer, drawn, template, reason, signer_name) =
        (desk.renderer.clone(), parts.clone(), wanted.template, number.to_owned(), seal.seal.owner_name.clone());
    let prepared = blocking(move || {
        let draft = renderer.render(&template, &data, &identifier, now)?;
        let places = [draft.seal_place.on()];
        prepare(&draft.pdf, &drawn, &places, &signer_name, &reason, now, Some(Certification::NoChanges), room)
    })
    .await?;
    let once = (once_key.as_str(), fingerprint.as_str());
    write_down_and_finish(desk, allowed, OrderKind::Notice, once, &seal, &title, None, vec![prepared], now).await
}

fn notice_identifier(wanted: &NoticeRequest, seal: &FiledSeal) -> Result<String, FlowError> {
    let owner = &seal.seal.owner;
    let type_code = wanted.type_code.clone().unwrap_or_else(|| format!("{owner}001"));
    let serial = match &wanted.serial {
        Some(serial) => serial.clone(),
        None => random_serial()?,
    };
    let identifier = LicenceIdentifier::first(&type_code, owner, &serial);
    identifier.map(|i| i.to_string()).map_err(|e| FlowError::Request(e.message()))
}

/// Fills in the order's facts from the register: the notice says what was done, whatever the request says.
async fn with_facts(
    desk: &Desk,
    template: &Template,
    mut data: serde_json::Value,
    order: &AbolitionOrder,
    seal: &FiledSeal,
    identifier: &str,
) -> Result<serde_json::Value, FlowError> {
    let written = order.get();
    // People read China time.
    let at = written.at.to_offset(offset!(+8)).format(&Rfc3339).unwrap_or_default();
    let mut rows = vec![];
    for named in &written.seals {
        let seal = filed_seal(desk, &named.number).await?.seal;
        let container = desk.store.custody(&named.number).await?.last().map(|entry| entry.container.clone());
        rows.push(serde_json::json!({ "number": seal.number, "legend": seal.legend, "unit": seal.owner_name, "abolished_at": at, "container": container.unwrap_or_else(|| "—".into()) }));
    }
    let successor = match &written.successor {
        Some(number) => {
            let seal = filed_seal(desk, number).await?.seal;
            Some(serde_json::json!({ "number": seal.number, "legend": seal.legend, "unit": seal.owner_name }))
        }
        None => None,
    };
    let known: Facts = [
        ("identifier", Some(identifier.into())),
        ("verify_url", Some(format!("{}/register", desk.public_url).into())),
        ("order.number", Some(written.number.clone().into())),
        ("order.government", Some(written.government.clone().into())),
        ("order.at", Some(at.into())),
        ("order.seals", Some(rows.into())),
        ("order.successor", successor),
        ("issuer", Some(seal.seal.owner_name.clone().into())),
    ]
    .into();
    if let Some(fields) = data.as_object_mut() {
        // A notice may put the reason in words of its own.
        fields.entry("reason").or_insert_with(|| written.reason.clone().into());
    }
    facts::fill(template.schema(), &mut data, &known)?;
    Ok(data)
}

/// Reads a CSV of seals: a column `number`, and `items` with codes parted by spaces or `;`. A heading line is needed.
///
/// # Errors
/// The line that cannot be read, with its number.
pub fn seals_from_csv(csv: &[u8]) -> Result<Vec<AbolishedSeal>, FlowError> {
    let bad = |line: u64, zh: &str, en: &str| {
        FlowError::Request(Message::new(
            "abolish.csv",
            format!("CSV第{line}行：{zh}"),
            format!("CSV line {line}: {en}"),
        ))
    };
    let text = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text);
    let headings = reader.headers().map_err(|_| bad(1, "无法读取标题行", "the heading cannot be read"))?.clone();
    let column = |names: [&str; 2]| headings.iter().position(|h| names.contains(&h));
    let number = column(["number", "印章编号"])
        .ok_or_else(|| bad(1, "缺少“印章编号”（number）列", "there is no column 'number'"))?;
    let items = column(["items", "划转事项"]);
    let mut seals = vec![];
    for record in reader.records() {
        let line = 2 + seals.len() as u64;
        let record = record.map_err(|_| bad(line, "无法读取", "it cannot be read"))?;
        if seals.len() == CSV_SEALS {
            return Err(bad(line, "超过1000枚印章", "more than 1000 seals"));
        }
        let named = SealNumber::parse(record.get(number).unwrap_or_default())
            .map_err(|e| bad(line, &e.message.zh, &e.message.en))?;
        let moved = items.and_then(|i| record.get(i)).unwrap_or_default();
        let moved = moved
            .split([' ', ';', '；', '、'])
            .filter(|code| !code.is_empty())
            .map(ItemCode::parse)
            .collect::<Result<_, _>>();
        seals.push(AbolishedSeal { number: named, items: moved.map_err(|e| bad(line, &e.message.zh, &e.message.en))? });
    }
    Ok(seals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_of_seals() {
        let read = |text: &str| seals_from_csv(text.as_bytes());
        let seals = read(
            "\u{feff}印章编号,单位,划转事项\n51322100000101,宣传部,000139901 000139902\n 51322100000102 ,教育局,\n",
        )
        .unwrap();
        assert_eq!((seals.len(), seals[0].items.len(), seals[1].items.len()), (2, 2, 0));
        let says = |text: &str| read(text).unwrap_err().message().en;
        assert!(says("unit\nx\n").contains("'number'"));
        assert!(says("number\n123\n").contains("line 2"));
        assert!(says(&format!("number\n{}", "51322100000102\n".repeat(1001))).contains("1000"));
    }
}
