//! The decision's part of a form: its facts, the hands it passed through, its holder. Whatever is sealed rests on one.

use super::field::{Field, Kind, Reading, Section};
use crate::authority::Uscc;
use crate::decision::{DecisionRequest, Hands, Holder};
use crate::http::problem::Problem;
use crate::http::staff::StaffState;
use crate::item::ItemCode;
use crate::officer::{Duty, Officer, OfficerId};

/// What is asked about a decision; people and items are those of the officer's own authority.
pub(super) async fn sections(state: &StaffState, officer: &Officer) -> Result<Vec<Section>, Problem> {
    let (store, now) = (&state.desk.store, (state.clock)());
    let officers = store.officers().await?;
    let hand = |name: &str, duty: Duty, en: &str| {
        let able =
            officers.iter().filter(|one| one.authority == officer.authority && one.check_on_duty(duty, now).is_ok());
        let options = able.map(|one| (one.id.to_string(), format!("{}（{}）", one.name, one.id))).collect();
        Field::choice(name, duty.zh(), en, options)
    };
    let ours = |code: &Uscc| *code == officer.authority;
    let items = store.items().await?;
    let items = items.iter().filter(|item| ours(&item.department) || item.transfers.iter().any(|t| ours(&t.to)));
    let items = items.map(|item| (item.code.to_string(), format!("{} {}", item.code, item.name))).collect();
    let codes = [("001", "统一社会信用代码"), ("111", "居民身份证号码"), ("414", "普通护照号码"), ("999", "其他")];
    let codes = codes.map(|(code, zh)| (code.to_owned(), format!("{zh}（{code}）"))).into();
    Ok(vec![
        Section {
            zh: "决定",
            en: "Decision",
            fields: vec![
                Field::new("case", "办件编号", "Case", Kind::Text),
                Field::new("number", "决定书文号", "Decision's number", Kind::Text),
                Field::choice("item", "事项", "Item", items),
                Field::new("accepted_at", "受理时间", "Accepted at", Kind::Moment).hint("北京时间"),
                Field::new("decided_at", "决定时间", "Decided at", Kind::Moment).hint("北京时间"),
            ],
        },
        Section {
            zh: "经办人员",
            en: "Hands",
            fields: vec![
                hand("intake", Duty::Intake, "Intake").hint("受理、审核、制证须由三人分别办理"),
                hand("review", Duty::Review, "Review"),
                hand("decide", Duty::Decide, "Decision"),
                hand("produce", Duty::Produce, "Certificate production"),
            ],
        },
        Section {
            zh: "持证主体",
            en: "Holder",
            fields: vec![
                Field::new("holder", "名称或姓名", "Name", Kind::Text),
                Field::choice("code_type", "证件类型", "Kind of code", codes),
                Field::new("code", "证件号码", "Code", Kind::Text),
            ],
        },
    ])
}

/// The decision as typed; nothing where a field is at fault, which then says so.
pub(super) fn read(form: &mut Reading<'_>) -> Option<DecisionRequest> {
    let (case, number) = (form.text("case"), form.text("number"));
    let holder = Holder { name: form.text("holder"), code: form.text("code"), code_type: form.text("code_type") };
    let item = form.parse("item", ItemCode::parse);
    let accepted_at = form.instant("accepted_at");
    let decided_at = form.instant("decided_at");
    let [intake, review, decide, produce] =
        ["intake", "review", "decide", "produce"].map(|name| form.parse(name, OfficerId::parse));
    Some(DecisionRequest {
        case,
        number,
        item: item?,
        holder,
        accepted_at: accepted_at?,
        decided_at: decided_at?,
        hands: Hands { intake: intake?, review: review?, decide: decide?, produce: produce? },
    })
}
