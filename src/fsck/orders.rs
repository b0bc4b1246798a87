//! Orders: each is sealed, lost or waiting; what was sealed is in the log, and its document says so under its signature.

use super::{Walk, paper};
use crate::crypto::sha256;
use crate::desk::blocking;
use crate::store::{MediaType, OrderAlone, OrderRow, StoreError, Unsigned};
use crate::tlog::leaf::Opening;

/// Kinds that are not entered in the log: answers to whoever asks, by keys that seal nothing.
const ANSWERS: [&str; 2] = ["ocsp", "stamp"];

impl Walk<'_> {
    /// Goes over the orders. Those written down before `began` (microseconds since 1970) may be older than the log.
    pub(super) async fn orders(&mut self, began: i64) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let page = self.inventory.orders(&after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.order.id);
            self.step(page.len());
            for order in page {
                self.order(order, began).await?;
            }
        }
    }

    async fn order(&mut self, alone: OrderAlone, began: i64) -> Result<(), StoreError> {
        let OrderAlone { order, entries, opening, version, unsigned } = alone;
        // The digest of the document that is signed, by the key's own algorithm.
        let content =
            opening.and_then(|opening| hex::decode(Opening::read(opening.as_bytes()).ok()?.fact("document")?).ok());
        let about = format!("order {}", order.id);
        let expected = i64::from(!ANSWERS.contains(&order.kind.as_str()));
        if entries == 0 && expected == 1 && order.written_at < began {
            self.outcome.counts.before_log += 1;
        } else if entries != expected {
            self.found(
                about.as_str(),
                "fsck.entries",
                format!("用印记录应有{expected}条日志条目，实有{entries}条"),
                format!("the order should have {expected} entry in the log and has {entries}"),
            );
        }
        let is_use = order.seal.is_some();
        let counts = &mut self.outcome.counts;
        match (is_use, order.state.as_str()) {
            (true, "written") => counts.waiting += 1,
            (true, "sealed") => counts.sealed += 1,
            (true, "lost") => counts.lost += 1,
            (false, "written" | "sealed" | "lost") => counts.acts += 1,
            (_, other) => {
                let (zh, en) =
                    (format!("用印记录的状态无法识别：{other}"), format!("the order is '{other}', which is no state"));
                self.found(about, "fsck.state", zh, en);
                return Ok(());
            }
        }
        if let Some(unsigned) = unsigned {
            self.unsigned(&order, unsigned, content.clone()).await;
        }
        if is_use && order.state == "sealed" {
            if entries > 0 && order.receipt.is_none() {
                self.found(
                    about.as_str(),
                    "fsck.no-receipt",
                    "已用印而没有日志回执",
                    "the seal was used without a receipt from the log",
                );
            }
            if order.licence.is_some() && version != order.document {
                self.found(
                    about,
                    "fsck.version-missing",
                    "已用印的证照版本不在登记册中，或登记的是另一份文书",
                    "the version of the licence that was sealed is not in the register, or is there with another document",
                );
            }
            self.sealed(order, content).await?;
        }
        Ok(())
    }

    /// What will be signed is what was written down.
    async fn unsigned(&mut self, order: &OrderRow, unsigned: Unsigned, content: Option<Vec<u8>>) {
        let (digest, receipt) = (order.digest.clone(), order.receipt.clone());
        let (is_ofd, at) = (order.media_type == MediaType::Ofd.as_str(), order.written_at);
        let fits = blocking(move || {
            let said = paper::Said { digest: &digest, content: content.as_deref(), receipt: receipt.as_deref() };
            match is_ofd {
                true => paper::ofd_will_carry(unsigned, &said, at).ok_or(()),
                false => paper::pdf_will_carry(unsigned, &said).ok_or(()),
            }
        });
        if fits.await.is_err() {
            self.found(
                format!("order {}", order.id),
                "fsck.unsigned",
                "等待用印的文书或待签内容与登记时不同，请勿用印",
                "the document that waits, or what is to be signed for it, is not what was written down; it must not be sealed",
            );
        }
    }

    /// The document that an order made.
    async fn sealed(&mut self, order: OrderRow, content: Option<Vec<u8>>) -> Result<(), StoreError> {
        let about = format!("order {}", order.id);
        let name = order.document.clone().unwrap_or_default();
        let Some(bytes) = self.document(&about, &name).await? else { return Ok(()) };
        let carries = blocking(move || {
            let OrderRow { media_type, digest, receipt, .. } = &order;
            let said = paper::Said { digest, content: content.as_deref(), receipt: receipt.as_deref() };
            match *media_type == MediaType::Ofd.as_str() {
                true => paper::ofd_carries(&bytes, &said),
                false => paper::pdf_carries(&bytes, &said),
            }
        });
        if let Err((id, zh, en)) = carries.await {
            self.found(about, id, zh, en);
        }
        Ok(())
    }

    /// A document by its name, which must be its digest.
    pub(super) async fn document(&mut self, about: &str, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(bytes) = self.inventory.document(name).await? else {
            self.found(
                about,
                "fsck.document-missing",
                format!("文书不在库中：{name}"),
                format!("the document is not stored: {name}"),
            );
            return Ok(None);
        };
        self.outcome.counts.documents += 1;
        self.outcome.counts.bytes += bytes.len() as u64;
        let digest = sha256(&bytes);
        if hex::encode(digest) == name {
            return Ok(Some(bytes));
        }
        self.found(
            about,
            "fsck.document-changed",
            format!("库存文书的内容与其摘要不符：{name}"),
            format!("the stored document's bytes are not those of its digest: {name}"),
        );
        Ok(None)
    }
}
