//! The register as data: all that anybody needs to judge a sealed document without asking us, as one JSON text that can be
//! written in one way only, so that its SHA-256 may stand in the public log.
//!
//! Of the licences nothing is in it, nor of the ledger: who holds what is told one by one, to whoever names a licence.
//! What proves a snapshot (a receipt of the log) is checked where documents are judged.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::abolition::AbolitionOrder;
use crate::authority::Uscc;
use crate::item::{Item, ItemCode};
use crate::message::Message;
use crate::seal::{Life, Seal, SealEvent, SealKind, SealNumber};

/// Another version is another format.
const FORMAT: &str = "yinxin-register/1";
/// Most seals, items and orders of one register: all counties of a large province.
const ROWS: usize = 100_000;
/// Most certificates of one seal: one a year for a century.
const CERTIFICATES: usize = 100;
/// Most authorities of one house, one a year for a century, and the digits of one's name: our own have some 200 bytes.
const AUTHORITIES: usize = 100;
const NAME: usize = 2048;

/// The register at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Entries that the public log had when it was made: it is called by this number.
    pub size: u64,
    pub made_at: OffsetDateTime,
    /// How many witnesses must have seen a use of a seal.
    pub witnesses: usize,
    /// Names of the house's own certificate authorities (DER, hexadecimal): who has a certificate of theirs that no seal here
    /// has, seals in secret.
    pub authorities: BTreeSet<String>,
    pub seals: BTreeMap<SealNumber, Entry>,
    pub items: BTreeMap<ItemCode, Item>,
    /// By their numbers.
    pub abolitions: BTreeMap<String, AbolitionOrder>,
}

/// A seal with what the rules do not need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub seal: Seal,
    /// From when on every use must be in the public log.
    pub logged_since: Option<OffsetDateTime>,
    /// SHA-256 of its certificates, hexadecimal.
    pub certificates: BTreeSet<String>,
}

/// What is new since an older snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delta {
    format: String,
    /// The older one.
    since: u64,
    size: u64,
    #[serde(with = "time::serde::rfc3339")]
    made_at: OffsetDateTime,
    witnesses: usize,
    /// All of them: an authority is never taken back.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    authorities: BTreeSet<String>,
    seals: Vec<Row>,
    items: Vec<Item>,
    items_gone: Vec<ItemCode>,
    abolitions: Vec<AbolitionOrder>,
}

/// What a file holds, with the receipt beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    Whole(Snapshot),
    Delta(Box<Delta>),
}

/// Why there is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotFault {
    /// Not written as it must be; what the reader says.
    #[error("{}", self.message())]
    Malformed(String),
    /// The changes are of another snapshot than the one at hand: theirs, and ours.
    #[error("{}", self.message())]
    OtherSnapshot(u64, u64),
    /// The changes lead back to an older snapshot than the one at hand: theirs, and ours.
    #[error("{}", self.message())]
    Older(u64, u64),
}

impl SnapshotFault {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::Malformed(why) => Message::new(
                "register.snapshot-malformed",
                format!("登记册快照无法读取（{why}）。请重新下载。"),
                format!("The snapshot of the register cannot be read ({why}). Fetch it again."),
            ),
            Self::OtherSnapshot(theirs, ours) => Message::new(
                "register.snapshot-other",
                format!("变更是从快照{theirs}起算的，手头的快照是{ours}。请按手头快照的编号重新下载，或下载全文。"),
                format!(
                    "The changes are since the snapshot {theirs}, and the one at hand is {ours}. Fetch those since {ours}, or the whole."
                ),
            ),
            Self::Older(theirs, ours) => Message::new(
                "register.snapshot-older",
                format!("并入后得到的快照{theirs}早于手头的快照{ours}，登记册不会倒退，未作更改。请向发布机关查询。"),
                format!(
                    "The changes lead to the snapshot {theirs}, which is older than {ours} at hand. A register does not go back, and nothing was changed. Ask whoever publishes it."
                ),
            ),
        }
    }
}

impl Published {
    /// Reads a file: `register` or `delta`, and `receipt`, the proof that the log has what comes of it.
    ///
    /// # Errors
    /// [`SnapshotFault::Malformed`].
    pub fn read(json: &[u8]) -> Result<(Self, String), SnapshotFault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            register: Option<Written>,
            delta: Option<Delta>,
            receipt: String,
        }
        let malformed = |error: serde_json::Error| SnapshotFault::Malformed(error.to_string());
        let file: File = serde_json::from_slice(json).map_err(malformed)?;
        let read = match (file.register, file.delta) {
            (Some(written), None) => Self::Whole(written.read()?),
            (None, Some(delta)) if delta.format == FORMAT => Self::Delta(Box::new(delta)),
            (None, Some(delta)) => return Err(SnapshotFault::Malformed(format!("format {}", delta.format))),
            _ => return Err(SnapshotFault::Malformed("register, delta".into())),
        };
        Ok((read, file.receipt))
    }

    /// Writes such a file.
    pub fn write(&self, receipt: &str) -> String {
        match self {
            Self::Whole(snapshot) => whole(&snapshot.canonical(), receipt),
            Self::Delta(delta) => file("delta", &canonical(&serde_json::to_value(delta).unwrap_or_default()), receipt),
        }
    }
}

/// The file of a snapshot whose canonical text is at hand.
pub fn whole(canonical: &str, receipt: &str) -> String {
    file("register", canonical, receipt)
}

fn file(kind: &str, inside: &str, receipt: &str) -> String {
    format!("{{\"{kind}\":{inside},\"receipt\":{}}}\n", Value::from(receipt))
}

impl Snapshot {
    /// The text whose SHA-256 stands in the log: RFC 8785, without spaces, keys in order.
    pub fn canonical(&self) -> String {
        let written = Written {
            format: FORMAT.into(),
            size: self.size,
            made_at: self.made_at,
            witnesses: self.witnesses,
            authorities: self.authorities.clone(),
            seals: self.seals.values().map(Row::of).collect(),
            items: self.items.values().cloned().collect(),
            abolitions: self.abolitions.values().cloned().collect(),
        };
        // Strings, whole numbers, and keys that are strings: none of it can fail to be JSON.
        canonical(&serde_json::to_value(written).unwrap_or_default())
    }

    /// Reads such a text.
    ///
    /// # Errors
    /// [`SnapshotFault::Malformed`].
    pub fn read(json: &str) -> Result<Self, SnapshotFault> {
        let written: Written =
            serde_json::from_str(json).map_err(|error| SnapshotFault::Malformed(error.to_string()))?;
        written.read()
    }

    /// Whether both say the same of the register, whenever they were made.
    pub fn says_as(&self, other: &Self) -> bool {
        (self.witnesses, &self.authorities, &self.seals, &self.items, &self.abolitions)
            == (other.witnesses, &other.authorities, &other.seals, &other.items, &other.abolitions)
    }

    /// What is new in this one since an older.
    pub fn since(&self, old: &Self) -> Delta {
        Delta {
            format: FORMAT.into(),
            since: old.size,
            size: self.size,
            made_at: self.made_at,
            witnesses: self.witnesses,
            authorities: self.authorities.clone(),
            seals: news(&self.seals, &old.seals).map(Row::of).collect(),
            items: news(&self.items, &old.items).cloned().collect(),
            items_gone: old.items.keys().filter(|code| !self.items.contains_key(code)).cloned().collect(),
            abolitions: news(&self.abolitions, &old.abolitions).cloned().collect(),
        }
    }

    /// This one with what is new. Whether that is what the log has is for the receipt to say.
    ///
    /// # Errors
    /// [`SnapshotFault`].
    pub fn with(mut self, delta: Delta) -> Result<Self, SnapshotFault> {
        if delta.since != self.size {
            return Err(SnapshotFault::OtherSnapshot(delta.since, self.size));
        }
        if delta.size < self.size || delta.made_at < self.made_at {
            return Err(SnapshotFault::Older(delta.size, self.size));
        }
        let news = Written {
            format: delta.format,
            size: delta.size,
            made_at: delta.made_at,
            witnesses: delta.witnesses,
            authorities: delta.authorities,
            seals: delta.seals,
            items: delta.items,
            abolitions: delta.abolitions,
        };
        let news = news.read()?;
        for code in &delta.items_gone {
            self.items.remove(code);
        }
        self.seals.extend(news.seals);
        self.items.extend(news.items);
        self.abolitions.extend(news.abolitions);
        let Snapshot { size, made_at, witnesses, authorities, .. } = news;
        Ok(Self { size, made_at, witnesses, authorities, ..self })
    }
}

/// Rows that the old ones do not have, or not so.
fn news<'a, K: Ord, V: PartialEq>(new: &'a BTreeMap<K, V>, old: &'a BTreeMap<K, V>) -> impl Iterator<Item = &'a V> {
    new.iter().filter(|(key, row)| old.get(key) != Some(row)).map(|(_, row)| row)
}

// — as written

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    size: u64,
    #[serde(with = "time::serde::rfc3339")]
    made_at: OffsetDateTime,
    witnesses: usize,
    /// Not in those of the first days, whose digests stand in logs.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    authorities: BTreeSet<String>,
    seals: Vec<Row>,
    items: Vec<Item>,
    abolitions: Vec<AbolitionOrder>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    number: SealNumber,
    owner: Uscc,
    owner_name: String,
    legend: String,
    kind: SealKind,
    life: Vec<SealEvent>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    logged_since: Option<OffsetDateTime>,
    certificates: BTreeSet<String>,
}

impl Row {
    fn of(entry: &Entry) -> Self {
        let Entry { seal, logged_since, certificates } = entry;
        Self {
            number: seal.number.clone(),
            owner: seal.owner.clone(),
            owner_name: seal.owner_name.clone(),
            legend: seal.legend.clone(),
            kind: seal.kind,
            life: seal.life.events().to_vec(),
            logged_since: *logged_since,
            certificates: certificates.clone(),
        }
    }

    fn read(self) -> Result<Entry, SnapshotFault> {
        let Self { number, owner, owner_name, legend, kind, life, logged_since, certificates } = self;
        let odd = |what: &str| SnapshotFault::Malformed(format!("{number}: {what}"));
        let digest = |text: &String| text.len() == 64 && is_hex(text);
        if certificates.len() > CERTIFICATES || !certificates.iter().all(digest) {
            return Err(odd("certificates"));
        }
        let life = Life::replay(life).map_err(|refusal| odd(&refusal.message.en))?;
        Ok(Entry { seal: Seal { number, owner, owner_name, legend, kind, life }, logged_since, certificates })
    }
}

impl Written {
    fn read(self) -> Result<Snapshot, SnapshotFault> {
        let Self { format, size, made_at, witnesses, authorities, seals, items, abolitions } = self;
        let odd = |what: String| SnapshotFault::Malformed(what);
        if format != FORMAT {
            return Err(odd(format!("format {}", format.chars().take(40).collect::<String>())));
        }
        if [seals.len(), items.len(), abolitions.len()].iter().any(|rows| *rows > ROWS) {
            return Err(odd(format!("more than {ROWS} rows")));
        }
        let name = |text: &String| text.len().is_multiple_of(2) && text.len() <= NAME && is_hex(text);
        if authorities.len() > AUTHORITIES || !authorities.iter().all(name) {
            return Err(odd("authorities".to_owned()));
        }
        let mut read = Snapshot {
            size,
            made_at,
            witnesses,
            authorities,
            seals: BTreeMap::new(),
            items: BTreeMap::new(),
            abolitions: BTreeMap::new(),
        };
        for row in seals {
            let entry = row.read()?;
            if let Some(twice) = read.seals.insert(entry.seal.number.clone(), entry) {
                return Err(odd(format!("{} twice", twice.seal.number)));
            }
        }
        for item in items {
            if let Some(twice) = read.items.insert(item.code.clone(), item) {
                return Err(odd(format!("{} twice", twice.code)));
            }
        }
        for order in abolitions {
            let order = AbolitionOrder::read(order.get().clone()).map_err(|refusal| odd(refusal.message.en))?;
            if let Some(twice) = read.abolitions.insert(order.get().number.clone(), order) {
                return Err(odd(format!("{} twice", twice.get().number)));
            }
        }
        Ok(read)
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// JSON as RFC 8785 has it, for values whose numbers are whole and whose keys are of ASCII: there its order of keys is that
/// of their bytes, and its strings are those that `serde_json` writes.
fn canonical(value: &Value) -> String {
    match value {
        Value::Array(members) => format!("[{}]", members.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let members: BTreeMap<&String, &Value> = members.iter().collect();
            let members =
                members.iter().map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::SealEventKind::{Abolished, Activated};
    use crate::seal::sample::{at, life, seal};

    fn register(size: u64) -> Snapshot {
        let owner = "11330105002500287C";
        let entry = |number: &str, events| Entry {
            seal: Seal { number: SealNumber::parse(number).unwrap(), ..seal(owner, life(events)) },
            logged_since: Some(at(50)),
            certificates: BTreeSet::from(["ab".repeat(32)]),
        };
        let item = |code: &str| Item {
            code: ItemCode::parse(code).unwrap(),
            name: "取水\u{0007}许可\"\\/".into(),
            department: Uscc::parse(owner).unwrap(),
            example: true,
            transfers: vec![],
        };
        let rows = [entry("51322100000001", &[(Activated, 0)]), entry("51322100000002", &[(Activated, 10)])];
        Snapshot {
            size,
            made_at: at(100),
            witnesses: 2,
            authorities: BTreeSet::from(["3000".to_owned()]),
            seals: rows.into_iter().map(|entry| (entry.seal.number.clone(), entry)).collect(),
            items: ["B-2", "A-1"].map(item).into_iter().map(|item| (item.code.clone(), item)).collect(),
            abolitions: BTreeMap::new(),
        }
    }

    #[test]
    fn it_is_written_in_one_way() {
        let made = register(7);
        let text = made.canonical();
        assert_eq!(Snapshot::read(&text).as_ref(), Ok(&made));
        let (read, receipt) = Published::read(Published::Whole(made.clone()).write("proof\n").as_bytes()).unwrap();
        assert_eq!((read, receipt.as_str()), (Published::Whole(made), "proof\n"));
        // RFC 8785 §3.2.2.2, §3.2.3: sorted, no spaces, nothing escaped that need not be.
        assert!(text.starts_with(
            "{\"abolitions\":[],\"authorities\":[\"3000\"],\"format\":\"yinxin-register/1\",\"items\":[{\"code\":\"A-1\",\"department\":"
        ));
        assert!(text.contains("\"name\":\"取水\\u0007许可\\\"\\\\/\""), "{text}");
        // As those of the first days stand in logs.
        let early = Snapshot { authorities: BTreeSet::new(), ..register(7) };
        assert!(!early.canonical().contains("authorities"));
        assert_eq!(Snapshot::read(&early.canonical()), Ok(early));
        let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&text).unwrap()).unwrap();
        assert_eq!(Snapshot::read(&pretty).unwrap().canonical(), text);
    }

    #[test]
    fn changes_lead_from_one_to_the_next() {
        let old = register(7);
        let mut new = Snapshot { size: 9, made_at: at(200), ..register(9) };
        let number = SealNumber::parse("51322100000002").unwrap();
        let ended = new.seals.get_mut(&number).unwrap();
        ended.seal.life = life(&[(Activated, 10), (Abolished, 150)]);
        new.items.remove(&ItemCode::parse("B-2").unwrap());
        new.authorities.insert("3100".into());
        let delta = new.since(&old);
        let text = Published::Delta(Box::new(delta.clone())).write("r");
        assert!(text.contains("51322100000002") && !text.contains("51322100000001"), "{text}");
        let (Published::Delta(read), _) = Published::read(text.as_bytes()).unwrap() else { panic!("{text}") };
        assert_eq!(*read, delta);
        assert_eq!(old.clone().with(*read).unwrap().canonical(), new.canonical());
        assert!(!new.says_as(&old) && old.says_as(&Snapshot { size: 8, made_at: at(300), ..old.clone() }));
        // Nothing is laid upon another than it was made for.
        assert_eq!(register(6).with(delta), Err(SnapshotFault::OtherSnapshot(7, 6)));
        // Nor does it lead back, by its number or by its day, whatever the log proves of it.
        for older in [register(6), Snapshot { made_at: at(199), ..register(10) }] {
            let back = older.since(&new);
            assert_eq!(new.clone().with(back), Err(SnapshotFault::Older(older.size, 9)));
        }
        assert_eq!(new.clone().with(new.since(&new)).as_ref(), Ok(&new));
    }

    #[test]
    fn what_is_odd_is_refused() {
        let text = register(7).canonical();
        for (from, to) in [
            ("yinxin-register/1", "yinxin-register/2"),
            ("\"size\":7", "\"size\":7.5"),
            ("\"size\":7", "\"size\":7,\"more\":1"),
            ("\"number\":\"51322100000002\"", "\"number\":\"51322100000001\""),
            ("\"code\":\"B-2\"", "\"code\":\"A-1\""),
            ("abab", "ABAB"),
            ("\"3000\"", "\"300\""),
            ("\"3000\"", "\"30AA\""),
            ("activated", "abolished"),
        ] {
            assert!(text.contains(from), "{from} in {text}");
            assert!(matches!(Snapshot::read(&text.replace(from, to)), Err(SnapshotFault::Malformed(_))), "{from} {to}");
        }
    }
}
