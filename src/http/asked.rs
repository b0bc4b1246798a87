//! The shapes of requests as published in the OpenAPI document.
//!
//! Reading is done by the rules' and flows' own types, which know nothing of OpenAPI; a test holds each published shape
//! against the type that reads it, field by field, so the two cannot part.

use serde::Serialize;
use utoipa::ToSchema;

/// A licence or approval document to be made from a template.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IssueRequest {
    decision: Decision,
    /// Number of the seal, 13 or 14 digits.
    seal: String,
    /// Name of the template, e.g. `food-operation-licence`.
    template: String,
    /// What is printed, by the template's JSON Schema; `identifier` and `verify_url` are filled in.
    #[schema(value_type = Object)]
    data: serde_json::Value,
    licence: LicencePart,
    /// `pdf`, `ofd` or `both`; where it is absent both, if the seal is made as data and has an SM2 certificate.
    #[schema(required = false)]
    files: Option<&'static str>,
    /// Another authority will set its seal beside ours (并联审批、联合发文). False where it is absent: then the PDF is certified
    /// against any change, and a further seal is refused.
    #[schema(required = false)]
    more_seals: bool,
}

/// A decision with its case and the hands through which it passed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Decision {
    /// 办件编号.
    case: String,
    /// 决定书文号.
    number: String,
    /// Code of the item on the public list.
    item: String,
    holder: Holder,
    #[schema(format = DateTime)]
    accepted_at: String,
    #[schema(format = DateTime)]
    decided_at: String,
    hands: Hands,
}

/// Who receives the licence.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Holder {
    name: String,
    code: String,
    /// GB/T 36903 appendix A: `001` USCC, `111` citizen identity number, …
    code_type: String,
}

/// 受理, 审核, 决定, 制证: identifiers of officers; intake, review and production are three people.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Hands {
    intake: String,
    review: String,
    decide: String,
    produce: String,
}

/// The licence's part of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LicencePart {
    /// `issue`, `renew` or `change`.
    act: String,
    /// For `renew` and `change`: any version of the licence.
    previous: Option<String>,
    /// For `issue`: the defining body's USCC and three digits.
    type_code: String,
    /// 7 to 32 digits and capitals; drawn at random where none is given.
    serial: Option<String>,
    #[schema(format = DateTime)]
    valid_from: String,
    /// Exclusive; absent for a licence without an end.
    #[schema(format = DateTime)]
    valid_until: Option<String>,
}

/// An annotated copy of a licence (加注件).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CopyRequest {
    /// 使用事由, 200 characters at most.
    purpose: String,
    /// 使用者, 100 characters at most.
    requester: String,
    /// Exclusive; not after the licence's own end, and a year from now at most.
    #[schema(format = DateTime)]
    expires_at: String,
    /// Number of the seal; where it is absent the first under which the officer has leave.
    #[schema(required = false)]
    seal: Option<String>,
    /// `pdf`, `ofd` or `both`; where it is absent both, if the seal is made as data and has an SM2 certificate.
    #[schema(required = false)]
    files: Option<&'static str>,
}

/// A licence to be ended; no document is sealed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndRequest {
    decision: Decision,
    /// `cancel`, `withdraw` or `revoke`.
    act: String,
}

/// A document drafted elsewhere, to be sealed on a decision.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the shape of a multipart form, for the description alone")]
pub(super) struct UploadForm {
    request: UploadRequest,
    /// The PDF or OFD itself.
    #[schema(format = Binary, value_type = String)]
    file: Vec<u8>,
}

/// What is to be done with an uploaded document.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UploadRequest {
    decision: Decision,
    /// What the ledger calls it.
    title: String,
    place: UploadPlace,
    /// The same seal at further places, under the same signature; of a PDF only where nobody sealed it before.
    #[schema(required = false)]
    more_places: Vec<UploadPlace>,
    /// 骑缝章: the seal also over the right edges of all pages, its middle so many millimetres from their top; of a PDF only
    /// where nobody sealed it before.
    #[schema(required = false)]
    straddle_mm: Option<f64>,
}

/// Where the seal goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(not(test), expect(dead_code, reason = "read by the flow's own type"))]
pub(super) enum UploadPlace {
    /// Over the nth occurrence (from 1) of a text, moved right and down.
    Keyword { text: String, nth: u32, dx_mm: f64, dy_mm: f64 },
    /// The seal's centre on a page (from 1), millimetres from its top left.
    At { page: u32, x_mm: f64, y_mm: f64 },
}

/// An order of government carried out: all seals or none.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AbolitionRequest {
    order: AbolitionOrder,
    /// Custody entries made with it.
    custody: Vec<CustodyOf>,
    notice: Option<Notice>,
    /// Where the order counts from before now: how many documents, sealed since then, it ends. 0 where absent; a wrong
    /// number is refused with the right one.
    #[schema(required = false)]
    acknowledged: u64,
}

/// An order as written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AbolitionOrder {
    /// `abolish` or `reinstate`.
    act: String,
    /// The decision document's number.
    number: String,
    government: String,
    #[schema(format = Date)]
    date: String,
    /// The instant from which it counts.
    #[schema(format = DateTime)]
    at: String,
    reason: String,
    successor: Option<String>,
    seals: Vec<AbolishedSeal>,
}

/// A seal named in an order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AbolishedSeal {
    number: String,
    /// Codes of the items that moved.
    items: Vec<String>,
}

/// A custody entry and the seal it is about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CustodyOf {
    seal: String,
    entry: CustodyEntry,
}

/// What happened to an abolished seal; two people are present.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CustodyEntry {
    /// `sealed-away`, `opened` or `destroyed`.
    kind: String,
    #[schema(format = DateTime)]
    at: String,
    handed_over_by: String,
    received_by: String,
    place: String,
    container: String,
    /// SHA-256 of each photograph, hexadecimal.
    photographs: Vec<String>,
    note: String,
}

/// The notice to be sealed with an order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Notice {
    /// Number of the government's or the bureau's seal.
    seal: String,
    template: String,
    /// What is printed; what the order says is filled in.
    #[schema(value_type = Object)]
    data: serde_json::Value,
    /// The owner's code and `001` where none is given.
    type_code: Option<String>,
    /// Drawn at random where none is given.
    serial: Option<String>,
}

/// The same with the seals in a CSV file: columns `number` and `items`.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the shape of a multipart form, for the description alone")]
pub(super) struct AbolitionForm {
    /// As the JSON request, with no `seals`.
    request: AbolitionRequest,
    #[schema(format = Binary, value_type = String)]
    seals: Vec<u8>,
}

/// A step in a seal's life, short of abolition.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventRequest {
    /// `activated`, `suspended` or `resumed`.
    kind: String,
    /// Now where absent. Only a suspension may count from before now.
    #[schema(format = DateTime)]
    at: Option<String>,
    /// The document that ordered it.
    document: String,
    reason: String,
    /// How many documents, sealed since an instant before now, it ends. 0 where absent.
    #[schema(required = false)]
    acknowledged: u64,
}

/// How often a seal may be used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CeilingRequest {
    /// Identifier of the grant whose officer is meant; everybody together where absent.
    grant: Option<String>,
    /// What the settings say counts again where absent.
    ceiling: Option<Ceiling>,
    /// The document that lays it down.
    document: String,
}

/// The most uses within any hour and any day; 0 allows none.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ceiling {
    an_hour: u32,
    /// At least as many.
    a_day: u32,
}

/// What a seal's documents are promised from now on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LevelRequest {
    /// `B-B`, `B-T`, `B-LT` or `B-LTA` (EN 319 142-1 §6).
    level: String,
}

/// The end of an officer's post.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeaveRequest {
    /// The instant of leaving; now where absent.
    #[schema(format = DateTime)]
    at: Option<String>,
}

/// A written authorisation to use a seal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GrantRequest {
    officer: String,
    seal: String,
    /// Codes of the items; empty for every item of the seal's authority.
    items: Vec<String>,
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    until: String,
    /// The head of the unit who signed it.
    given_by: String,
    /// The authorisation's own number.
    document: String,
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    const AT: &str = "2021-03-01T02:30:00Z";

    fn decision() -> Decision {
        let holder = Holder { name: "某店".into(), code: "1".into(), code_type: "001".into() };
        let hands = ["a", "b", "c", "d"].map(String::from);
        let [intake, review, decide, produce] = hands;
        let hands = Hands { intake, review, decide, produce };
        let (accepted_at, decided_at) = (AT.into(), AT.into());
        Decision { case: "1".into(), number: "1".into(), item: "A-1".into(), holder, accepted_at, decided_at, hands }
    }

    /// What is published is read, and what is read is published: the type gives back every field, and no other.
    fn agree<T: DeserializeOwned + Serialize>(published: &impl Serialize) {
        let published = serde_json::to_value(published).unwrap();
        let read: T = serde_json::from_value(published.clone()).unwrap_or_else(|e| panic!("{e} in {published}"));
        assert_eq!(fields(&serde_json::to_value(read).unwrap()), fields(&published));
    }

    fn fields(value: &Value) -> Vec<String> {
        let mut found = vec![];
        let mut open = vec![(String::new(), value)];
        while let Some((at, value)) = open.pop() {
            for (key, inner) in value.as_object().into_iter().flatten() {
                found.push(format!("{at}/{key}"));
                open.push((format!("{at}/{key}"), inner));
            }
            for inner in value.as_array().into_iter().flatten() {
                open.push((format!("{at}/*"), inner));
            }
        }
        found.sort();
        found
    }

    #[test]
    fn published_shapes_are_those_that_are_read() {
        let licence = LicencePart {
            act: "renew".into(),
            previous: None,
            type_code: String::new(),
            serial: None,
            valid_from: AT.into(),
            valid_until: Some(AT.into()),
        };
        let seal = || "51322100000002".to_owned();
        let issue = IssueRequest {
            decision: decision(),
            seal: seal(),
            template: "t".into(),
            data: json!({}),
            licence,
            files: Some("both"),
            more_seals: true,
        };
        agree::<crate::issue::IssueRequest>(&issue);
        for place in [
            UploadPlace::Keyword { text: "盖章".into(), nth: 1, dx_mm: 0.5, dy_mm: 0.5 },
            UploadPlace::At { page: 1, x_mm: 1.5, y_mm: 1.5 },
        ] {
            agree::<super::super::issuing::UploadPart>(&UploadRequest {
                decision: decision(),
                title: "t".into(),
                place,
                more_places: vec![UploadPlace::At { page: 2, x_mm: 1.5, y_mm: 1.5 }],
                straddle_mm: Some(1.5),
            });
        }
        agree::<super::super::copies::CopyPart>(&CopyRequest {
            purpose: "1".into(),
            requester: "1".into(),
            expires_at: AT.into(),
            seal: Some(seal()),
            files: Some("both"),
        });
        agree::<super::super::issuing::EndPart>(&EndRequest { decision: decision(), act: "cancel".into() });
        let order = AbolitionOrder {
            act: "abolish".into(),
            number: "1".into(),
            government: "1".into(),
            date: "2020-08-26".into(),
            at: AT.into(),
            reason: "1".into(),
            successor: Some(seal()),
            seals: vec![AbolishedSeal { number: seal(), items: vec!["A-1".into()] }],
        };
        let entry = CustodyEntry {
            kind: "opened".into(),
            at: AT.into(),
            handed_over_by: "1".into(),
            received_by: "2".into(),
            place: "1".into(),
            container: "1".into(),
            photographs: vec![],
            note: String::new(),
        };
        agree::<crate::abolition::CustodyEntry>(&entry);
        let custody = vec![CustodyOf { seal: seal(), entry }];
        let notice =
            Some(Notice { seal: seal(), template: "t".into(), data: json!({}), type_code: None, serial: None });
        agree::<crate::abolish::AbolishRequest>(&AbolitionRequest { order, custody, notice, acknowledged: 1 });
        agree::<super::super::administration::LeavePart>(&LeaveRequest { at: Some(AT.into()) });
        agree::<super::super::administration::EventPart>(&EventRequest {
            kind: "suspended".into(),
            at: Some(AT.into()),
            document: "1".into(),
            reason: "1".into(),
            acknowledged: 1,
        });
        agree::<super::super::administration::CeilingPart>(&CeilingRequest {
            grant: Some("g".into()),
            ceiling: Some(Ceiling { an_hour: 1, a_day: 2 }),
            document: "1".into(),
        });
        agree::<super::super::administration::LevelPart>(&LevelRequest { level: "B-LTA".into() });
        agree::<super::super::administration::GrantPart>(&GrantRequest {
            officer: "a".into(),
            seal: seal(),
            items: vec!["A-1".into()],
            from: AT.into(),
            until: AT.into(),
            given_by: "1".into(),
            document: "1".into(),
        });
    }
}
