//! The log: its tree is built again from the leaves, and everything that stands on it is held against it.

use std::collections::BTreeMap;

use super::Walk;
use crate::crypto::sha256;
use crate::store::{LeafRow, OrderRow, Spoken, Standing, StoreError};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::leaf::{Entry, Leaf, Matter, Opening};
use crate::tlog::note::Note;
use crate::tlog::receipt::Receipt;
use crate::tlog::tree::{self, Edge, Hash};
use crate::tlog::{LogFault, tile, trail};

/// The tree as it grows, and what is said of it.
struct Tree {
    edge: Edge,
    /// False once a leaf was missing: nothing can be said of the tree from there on.
    whole: bool,
    /// Nodes that must be stored.
    nodes: u64,
    /// Signed heads of sizes still to be reached, each with who says so.
    heads: BTreeMap<u64, (Hash, String)>,
    /// What the log says of the chain of audit events: events, and the hash.
    anchors: BTreeMap<u64, Hash>,
}

impl Walk<'_> {
    /// Goes over the log. Gives what it says of the chain of audit events.
    pub(super) async fn entries(&mut self, standing: Option<&Standing>) -> Result<BTreeMap<u64, Hash>, StoreError> {
        let edge = Edge::default();
        let mut tree = Tree { edge, whole: true, nodes: 0, heads: BTreeMap::new(), anchors: BTreeMap::new() };
        if let Some((size, note)) = standing.and_then(|standing| standing.checkpoint.as_ref()) {
            self.published(&mut tree, *size, note);
        }
        let mut after = -1;
        loop {
            let page = self.inventory.leaves(after).await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            self.step(page.len());
            for row in &page {
                self.grow(&mut tree, row).await?;
                self.entry(&mut tree, row).await?;
            }
        }
        if tree.whole {
            self.ended(&tree, standing);
        }
        self.outcome.counts.nodes = tree.nodes;
        self.outcome.counts.anchors = tree.anchors.len() as u64;
        Ok(tree.anchors)
    }

    /// The head that everybody sees is the log's own.
    fn published(&mut self, tree: &mut Tree, size: u64, note: &str) {
        let Some(identity) = &self.identity else {
            return self.found(
                "log",
                "fsck.identity",
                "公开日志已公布日志头，但库中没有其名称和公钥",
                "a head is published, but the log's name and key are not in the store",
            );
        };
        let opened = Note::read(note.as_bytes()).and_then(|note| Checkpoint::open(&note, &identity.vkey));
        match opened {
            Ok(head) if head.size == size => self.promise(tree, size, head.root, "checkpoint".to_owned()),
            Ok(_) => self.checkpoint("filed under another size"),
            Err(fault) => self.checkpoint(&fault.to_string()),
        }
    }

    fn checkpoint(&mut self, why: &str) {
        self.found(
            "checkpoint",
            "fsck.checkpoint",
            format!("已公布的日志头不是本日志签发的（{why}）"),
            format!("the published head is not the log's own ({why})"),
        );
    }

    /// A signed head says that the tree of this size has this root.
    fn promise(&mut self, tree: &mut Tree, size: u64, root: Hash, about: String) {
        if !tree.whole {
            return;
        }
        let other = match tree.heads.get(&size) {
            _ if size == tree.edge.size() => tree.edge.root() != root,
            Some((promised, _)) => *promised != root,
            None => {
                tree.heads.insert(size, (root, about));
                return;
            }
        };
        if other {
            self.other_head(about, size);
        }
    }

    fn other_head(&mut self, about: String, size: u64) {
        self.found(
            about,
            "fsck.other-tree",
            format!("已签发的日志头（{size}条）与库中的日志条目不符：有条目被改动，或签发过另一本日志"),
            format!("a signed head over {size} entries is not of the entries that are stored: one was changed, or another log was signed"),
        );
    }

    /// The tree with one leaf more, and the nodes that became complete with it.
    async fn grow(&mut self, tree: &mut Tree, row: &LeafRow) -> Result<(), StoreError> {
        if !tree.whole {
            return Ok(());
        }
        let size = tree.edge.size();
        if u64::try_from(row.position) != Ok(size) {
            tree.whole = false;
            self.found(
                format!("entry {size}"),
                "fsck.entry-missing",
                "日志缺少此条目，此后的日志树无法核对",
                "the entry is missing from the log; the tree cannot be checked from here on",
            );
            return Ok(());
        }
        let mut complete = vec![];
        tree.edge.append(tree::leaf_hash(row.leaf.as_bytes()), |level, place, hash| {
            if level > 0 && level % tile::HEIGHT == 0 {
                complete.push((level / tile::HEIGHT, place, hash));
            }
        });
        for (level, place, hash) in complete {
            tree.nodes += 1;
            if self.inventory.node(level, place).await?.as_deref() != Some(hash.0.as_slice()) {
                self.found(
                    format!("node {level}/{place}"),
                    "fsck.node",
                    "日志树的存储节点缺失或与其条目不符",
                    "a stored node of the tree is missing, or is not what its entries give",
                );
            }
        }
        let size = tree.edge.size();
        if let Some((root, about)) = tree.heads.remove(&size)
            && root != tree.edge.root()
        {
            self.other_head(about, size);
        }
        Ok(())
    }

    /// An entry by itself, and against what it speaks of.
    async fn entry(&mut self, tree: &mut Tree, row: &LeafRow) -> Result<(), StoreError> {
        self.outcome.counts.entries += 1;
        let about = format!("entry {}", row.position);
        let read = Leaf::read(row.leaf.as_bytes()).and_then(|leaf| {
            let opening = Opening::read(row.opening.as_bytes())?;
            if opening.commitment() == leaf.commitment { Ok(Entry { leaf, opening }) } else { Err(LogFault::Unproven) }
        });
        let entry = match read {
            Ok(entry) => entry,
            Err(why) => {
                self.found(
                    about,
                    "fsck.entry",
                    format!("日志条目或其内容被改动：二者不相符（{why}）"),
                    format!("the entry or what opens it was changed: they do not belong together ({why})"),
                );
                return Ok(());
            }
        };
        self.spoken.extend(Spoken::of(&entry));
        if let Some(anchor) = trail::anchored(&entry) {
            tree.anchors.insert(anchor.length, anchor.hash);
        }
        if let Some(order) = entry.opening.fact("order") {
            match row.of.as_ref().filter(|of| of.id == order) {
                Some(of) => self.order_entry(tree, (row, &entry, about), of),
                None => self.found(
                    about,
                    "fsck.order-missing",
                    format!("日志记载的用印记录{order}不在库中，或此条目归在另一记录之下"),
                    format!(
                        "the order {order} that the entry speaks of is not stored, or the entry is filed under another"
                    ),
                ),
            }
        } else if self.inventory.has_record(&entry).await? == Some(false) {
            self.found(
                about,
                "fsck.record",
                format!("日志记载的事项（{} {}）不在库中，或与所记不符", entry.leaf.matter.as_str(), entry.leaf.act),
                format!(
                    "what the entry speaks of ({} {}) is not stored, or not as it says",
                    entry.leaf.matter.as_str(),
                    entry.leaf.act
                ),
            );
        }
        Ok(())
    }

    /// The order is what its entry says, and its receipt leads from the entry to a head of this log.
    fn order_entry(&mut self, tree: &mut Tree, (row, entry, about): (&LeafRow, &Entry, String), of: &OrderRow) {
        let differ = differences(entry, of);
        if !differ.is_empty() {
            let differ = differ.join(", ");
            self.found(
                about,
                "fsck.facts",
                format!("用印记录{}与日志所记不符：{differ}", of.id),
                format!("the order {} is not what the log says of it: {differ}", of.id),
            );
        }
        let Some(text) = &of.receipt else { return };
        match self.receipt(row, entry, text) {
            Ok(head) => {
                self.outcome.counts.receipts += 1;
                self.promise(tree, head.size, head.root, format!("order {}", of.id));
            }
            Err(why) => self.found(
                format!("order {}", of.id),
                "fsck.receipt",
                format!("用印记录的日志回执不成立（{why}）"),
                format!("the order's receipt does not hold ({why})"),
            ),
        }
    }

    fn receipt(&self, row: &LeafRow, entry: &Entry, text: &str) -> Result<Checkpoint, LogFault> {
        let receipt = Receipt::read(text.as_bytes())?;
        if receipt.extra != entry.to_string().as_bytes() || u64::try_from(row.position) != Ok(receipt.index) {
            return Err(LogFault::Malformed("another entry's receipt"));
        }
        let identity = self.identity.as_ref().ok_or(LogFault::Missing)?;
        receipt.check(&entry.leaf.hash(), &identity.vkey, self.witnesses)?;
        Checkpoint::open(&receipt.head, &identity.vkey)
    }

    /// At the end of the leaves: what is said of the tree, and was not reached.
    fn ended(&mut self, tree: &Tree, standing: Option<&Standing>) {
        let (size, root) = (tree.edge.size(), tree.edge.root());
        self.outcome.head = Some((size, hex::encode(root.0)));
        if let Some(head) = standing.map(|standing| &standing.edge).filter(|head| **head != tree.edge) {
            self.found(
                "log",
                "fsck.head",
                format!("库中登记的日志头（{}条）与日志条目（{size}条）不符", head.size()),
                format!("the head that is filed (over {} entries) is not that of the {size} entries", head.size()),
            );
        }
        for (promised, (_, about)) in &tree.heads {
            self.found(
                about.clone(),
                "fsck.cut-off",
                format!("已签发的日志头有{promised}条，库中只有{size}条：日志末尾缺失"),
                format!("a signed head has {promised} entries and only {size} are stored: the log's end is missing"),
            );
        }
        if self.sizes.nodes != tree.nodes {
            let stored = self.sizes.nodes;
            self.found(
                "log",
                "fsck.nodes",
                format!("日志树应存{}个节点，实存{stored}个", tree.nodes),
                format!("{stored} nodes of the tree are stored where there should be {}", tree.nodes),
            );
        }
    }
}

/// In which facts an order differs from what its entry says.
fn differences(entry: &Entry, of: &OrderRow) -> Vec<&'static str> {
    let Entry { leaf, opening } = entry;
    let named = |text: &String, pointer: &str| {
        let json: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        json.pointer(pointer).and_then(|text| text.as_str()).unwrap_or_default().to_owned()
    };
    let version = of.licence_version.as_ref().map(|text| named(text, "/version/identifier"));
    let licence = version.or_else(|| of.annotation.as_ref().map(|text| named(text, "/identifier")));
    let annotation = of.annotation.as_ref().map(|text| hex::encode(sha256(text.as_bytes())));
    let said: Vec<(&'static str, Option<&str>)> = match leaf.matter {
        Matter::Order => vec![
            // The document itself is held against its entry where the order is.
            ("licence", licence.as_deref()),
            ("annotation", annotation.as_deref()),
            ("decision", of.decision.as_deref()),
            ("abolition", of.abolition.as_deref()),
            ("officer", Some(&of.officer)),
            ("grant", of.grant.as_deref()),
        ],
        _ => vec![("digest", Some(&of.digest)), ("key", Some(&of.key_label)), ("by", Some(&of.officer))],
    };
    let mut differ: Vec<_> =
        said.into_iter().filter(|(key, value)| opening.fact(key) != *value).map(|(key, _)| key).collect();
    let at = i64::try_from(leaf.at.unix_timestamp_nanos() / 1000).ok();
    for (what, same) in
        [("kind", leaf.act == of.kind), ("seal", leaf.seal == of.seal), ("time", at == Some(of.written_at))]
    {
        if !same {
            differ.push(what);
        }
    }
    differ
}
