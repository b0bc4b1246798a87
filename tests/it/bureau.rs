//! A small bureau for the stories: one department, one bureau, an item that moved, people, seals, keys.

use std::path::Path;
use std::sync::Arc;

use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use yinxin::abolish::AbolishRequest;
use yinxin::abolition::{AbolishedSeal, AbolitionAct, AbolitionRequest};
use yinxin::authority::{Authority, AuthorityKind, Uscc};
use yinxin::ca;
use yinxin::crypto::KeyAlgorithm;
use yinxin::decision::{DecisionRequest, Hands, Holder};
use yinxin::desk::Desk;
use yinxin::issue::{IssueRequest, LicenceRequest};
use yinxin::item::{Item, ItemCode, Transfer};
use yinxin::keys::{HomeSettings, KeySettings, Keyring, Mode};
use yinxin::licence::LicenceAct;
use yinxin::officer::{Duty, Employment, Grant, GrantedItems, Officer, OfficerId};
use yinxin::render::{DEBIAN_FONTS, RenderSettings, Renderer};
use yinxin::seal::{Level, Life, Seal, SealEvent, SealEventKind, SealKind, SealNumber};
use yinxin::store::{Store, StoreSettings};

use crate::db::Database;

pub const BUREAU: &str = "11430000006122244L";
pub const GOVERNMENT: &str = "113700000045046442";
pub const DEPARTMENT: &str = "11330105002500287C";
pub const BUREAU_SEAL: &str = "51322100000002";
pub const GOVERNMENT_SEAL: &str = "51322100000001";
pub const DEPARTMENT_SEAL: &str = "51322100000101";
pub const ITEM: &str = "000131901";
pub const ACTIVATED: OffsetDateTime = datetime!(2020-01-01 00:00 UTC);
pub const TRANSFER: OffsetDateTime = datetime!(2020-07-31 16:00 UTC);
pub const ABOLITION: OffsetDateTime = datetime!(2020-12-31 16:00 UTC);
/// When the stories happen.
pub const NOW: OffsetDateTime = datetime!(2026-11-21 08:00 UTC);

pub fn number(text: &str) -> SealNumber {
    SealNumber::parse(text).unwrap()
}

pub fn person(id: &str) -> OfficerId {
    OfficerId::parse(id).unwrap()
}

/// The bureau's desk, with its state in `folder` and the database.
pub struct Bureau {
    pub desk: Desk,
    pub chief: Officer,
    pub administrators: [Officer; 2],
    /// The government's administrators, who abolish.
    pub government: [Officer; 2],
}

impl Bureau {
    /// A new bureau in an empty database.
    pub async fn found(database: &Database, folder: &Path) -> Self {
        Self::found_publishing(database, folder, "https://seal.example").await
    }

    /// The same with certificates that name this address.
    pub async fn found_publishing(database: &Database, folder: &Path, at: &str) -> Self {
        Self::founded(database, Arc::new(keyring(folder)), KeyAlgorithm::EcdsaP256, at).await
    }

    /// The same with its keys elsewhere.
    pub async fn found_with(database: &Database, keyring: Arc<Keyring>) -> Self {
        Self::found_on(database, keyring, KeyAlgorithm::EcdsaP256).await
    }

    /// The same with keys of another kind.
    pub async fn found_on(database: &Database, keyring: Arc<Keyring>, algorithm: KeyAlgorithm) -> Self {
        Self::founded(database, keyring, algorithm, "https://seal.example").await
    }

    async fn founded(database: &Database, keyring: Arc<Keyring>, algorithm: KeyAlgorithm, at: &str) -> Self {
        let store = open(database).await;
        store.migrate().await.unwrap();
        store.check_migrations().await.unwrap();
        for (uscc, name, kind) in [
            (GOVERNMENT, "示例县人民政府", AuthorityKind::Government),
            (BUREAU, "示例县行政审批局", AuthorityKind::Bureau),
            (DEPARTMENT, "示例县市场监督管理局", AuthorityKind::Department),
        ] {
            store
                .add_authority(&Authority { uscc: Uscc::parse(uscc).unwrap(), name: name.into(), kind }, "test", NOW)
                .await
                .unwrap();
        }
        let transfer = Transfer {
            to: Uscc::parse(BUREAU).unwrap(),
            batch: "第一批".into(),
            document: "〔2020〕63号".into(),
            at: TRANSFER,
        };
        let item = Item {
            code: ItemCode::parse(ITEM).unwrap(),
            name: "食品经营许可".into(),
            department: Uscc::parse(DEPARTMENT).unwrap(),
            example: true,
            transfers: vec![transfer],
        };
        store.add_item(&item, "test", NOW).await.unwrap();
        for (id, authority, duty) in [
            ("intake", BUREAU, Duty::Intake),
            ("review", BUREAU, Duty::Review),
            ("produce", BUREAU, Duty::Produce),
            ("chief", BUREAU, Duty::Decide),
            ("admin-1", BUREAU, Duty::SealAdministration),
            ("admin-2", BUREAU, Duty::SealAdministration),
            ("old-chief", DEPARTMENT, Duty::Decide),
            ("gov-1", GOVERNMENT, Duty::SealAdministration),
            ("gov-2", GOVERNMENT, Duty::SealAdministration),
        ] {
            let duties = [duty].into();
            let officer = Officer {
                id: person(id),
                name: format!("{id}（示例）"),
                authority: Uscc::parse(authority).unwrap(),
                employment: Employment::Regular,
                duties,
                left: None,
            };
            store.add_officer(&officer, "", "test", NOW).await.unwrap();
        }
        for (seal, owner, owner_name, legend, officer) in [
            (BUREAU_SEAL, BUREAU, "示例县行政审批局", "示例县行政审批专用章", "chief"),
            (DEPARTMENT_SEAL, DEPARTMENT, "示例县市场监督管理局", "示例县市场监督管理局行政审批专用章", "old-chief"),
        ] {
            let seal = active_seal(seal, owner, owner_name, legend, SealKind::Approval);
            let picture = serde_json::json!({ "arc": owner_name, "purpose": "行政审批专用章", "number": seal.number, "centre": "star", "diameter_mm": 42.0 });
            store.add_seal(&seal, &picture, Level::B, (&person("admin-1"), &person("admin-2")), NOW).await.unwrap();
            store.add_grant(&grant(officer, &seal.number), &person("admin-1"), &person("admin-2"), NOW).await.unwrap();
        }
        let mut bureau = Self::with_keys(store, keyring).await;
        bureau.desk.publication.at = Some(at.into());
        let authority = bureau.authority();
        authority.init("示例县行政审批局", algorithm, "test", NOW - Duration::days(2)).await.unwrap();
        for seal in [BUREAU_SEAL, DEPARTMENT_SEAL] {
            let seal = bureau.desk.store.seal(&number(seal)).await.unwrap().unwrap();
            let by = person("admin-1");
            authority.certify_seal(&seal.seal, algorithm, &by, NOW - Duration::days(1)).await.unwrap();
        }
        authority.refresh("test", NOW).await.unwrap();
        bureau
    }

    /// The same bureau after a restart.
    pub async fn at_work(store: Store, folder: &Path) -> Self {
        Self::with_keys(store, Arc::new(keyring(folder))).await
    }

    async fn with_keys(store: Store, keyring: Arc<Keyring>) -> Self {
        let officer = async |id: &str| store.officer(&person(id)).await.unwrap().unwrap();
        let (chief, administrators) = (officer("chief").await, [officer("admin-1").await, officer("admin-2").await]);
        let government = [officer("gov-1").await, officer("gov-2").await];
        let desk =
            Desk::new(store, keyring, renderer(), "https://seal.example".into(), Arc::new(|| NOW), Arc::new(|_| {}));
        Self { desk, chief, administrators, government }
    }

    pub fn authority(&self) -> ca::Authority {
        ca::Authority::of(&self.desk)
    }

    /// The government's own seal, with a certificate and a grant for `gov-1`: notices go out under it.
    pub async fn file_government_seal(&self) {
        let seal = active_seal(GOVERNMENT_SEAL, GOVERNMENT, "示例县人民政府", "示例县人民政府", SealKind::LegalName);
        let picture = serde_json::json!({ "arc": "示例县人民政府", "centre": "star", "diameter_mm": 45.0 });
        let (first, second) = (&person("gov-1"), &person("gov-2"));
        self.desk.store.add_seal(&seal, &picture, Level::B, (first, second), NOW).await.unwrap();
        self.desk.store.add_grant(&grant("gov-1", &seal.number), first, second, NOW).await.unwrap();
        self.authority().certify_seal(&seal, KeyAlgorithm::EcdsaP256, first, NOW - Duration::DAY).await.unwrap();
    }

    /// The department's seal closed, and nothing else asked for.
    pub fn closing(&self) -> AbolishRequest {
        AbolishRequest { order: self.abolition(), custody: vec![], notice: None, acknowledged: 0 }
    }

    pub fn abolition(&self) -> AbolitionRequest {
        AbolitionRequest {
            act: AbolitionAct::Abolish,
            number: "示府〔2020〕63号".into(),
            government: "示例县人民政府".into(),
            date: time::macros::date!(2020 - 08 - 26),
            at: ABOLITION,
            reason: "相对集中行政许可权".into(),
            successor: Some(number(BUREAU_SEAL)),
            seals: vec![AbolishedSeal { number: number(DEPARTMENT_SEAL), items: vec![ItemCode::parse(ITEM).unwrap()] }],
        }
    }
}

/// An active seal.
fn active_seal(text: &str, owner: &str, owner_name: &str, legend: &str, kind: SealKind) -> Seal {
    let activated = SealEvent {
        kind: SealEventKind::Activated,
        at: ACTIVATED,
        document: "〔2019〕1号".into(),
        reason: "启用".into(),
        successor: None,
        items: vec![],
    };
    Seal {
        number: number(text),
        owner: Uscc::parse(owner).unwrap(),
        owner_name: owner_name.into(),
        legend: legend.into(),
        kind,
        life: Life::replay([activated]).unwrap(),
    }
}

/// A grant `g-OFFICER` for every item, over all the stories' time.
pub fn grant(officer: &str, seal: &SealNumber) -> Grant {
    Grant {
        id: format!("g-{officer}"),
        officer: person(officer),
        seal: seal.clone(),
        items: GrantedItems::All,
        from: ACTIVATED,
        until: datetime!(2036-01-01 00:00 UTC),
        given_by: "局长".into(),
        document: "授〔2020〕1号".into(),
        revoked_at: None,
    }
}

pub async fn open(database: &Database) -> Store {
    Store::open(&StoreSettings { url: database.url.clone(), password: None }).await.unwrap()
}

/// Soft keys; every test opens its own.
pub fn keyring(folder: &Path) -> Keyring {
    use std::os::unix::fs::OpenOptionsExt;
    let passphrase_file = folder.join("passphrase");
    if !passphrase_file.exists() {
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&passphrase_file).unwrap();
        std::io::Write::write_all(&mut file, b"not a secret: a test's passphrase").unwrap();
    }
    let home = HomeSettings::Soft { directory: folder.join("keys"), passphrase_file, soft_keys_in_production: None };
    Keyring::open(&KeySettings { mode: Mode::Trial, home }).unwrap()
}

/// Templates and fonts are read once for all tests of a process.
pub fn renderer() -> Arc<Renderer> {
    static RENDERER: std::sync::OnceLock<Arc<Renderer>> = std::sync::OnceLock::new();
    RENDERER
        .get_or_init(|| {
            let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
            Arc::new(Renderer::load(&RenderSettings { templates, fonts: vec![DEBIAN_FONTS.into()] }).unwrap())
        })
        .clone()
}

/// A decision on the item, accepted `accepted`.
pub fn decision(document: &str, accepted: OffsetDateTime) -> DecisionRequest {
    DecisionRequest {
        case: format!("case-{document}"),
        number: document.into(),
        item: ItemCode::parse(ITEM).unwrap(),
        holder: Holder { name: "示例餐饮店".into(), code: "92513221MA60000084".into(), code_type: "001".into() },
        accepted_at: accepted,
        decided_at: accepted + Duration::DAY,
        hands: Hands {
            intake: person("intake"),
            review: person("review"),
            decide: person("chief"),
            produce: person("produce"),
        },
    }
}

/// A food licence on that decision.
pub fn licence(document: &str, accepted: OffsetDateTime) -> IssueRequest {
    let example = include_str!("../../templates/food-operation-licence/example.json");
    let mut data: serde_json::Value = serde_json::from_str(example).unwrap();
    // Facts of the decision, which the service fills in.
    for fact in ["identifier", "verify_url", "operator_name", "uscc", "valid_until", "issuer"] {
        data.as_object_mut().unwrap().remove(fact);
    }
    IssueRequest {
        decision: decision(document, accepted),
        seal: number(BUREAU_SEAL),
        template: "food-operation-licence".into(),
        data,
        licence: LicenceRequest {
            act: LicenceAct::Issue,
            previous: None,
            type_code: "11100000MB0143028R013".into(),
            serial: None,
            valid_from: NOW,
            valid_until: Some(NOW + Duration::days(5 * 365)),
        },
        files: None,
        more_seals: false,
    }
}
