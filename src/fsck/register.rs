//! Numbers: versions of licences and uses of seals count up without a gap and never twice; and the documents beside those
//! that orders made.

use super::Walk;
use crate::licence::LicenceIdentifier;
use crate::store::{StoreError, VersionRow};

/// Acts that end a licence and make no document.
const ENDS: [&str; 3] = ["cancel", "withdraw", "revoke"];

impl Walk<'_> {
    /// Goes over the register's numbers and the further documents.
    pub(super) async fn register(&mut self) -> Result<(), StoreError> {
        self.versions().await?;
        for (identifier, document) in self.inventory.misfiled().await? {
            self.found(
                format!("licence {identifier}"),
                "fsck.licence-file",
                format!("证照文件不是该版本的用印所制：{document}"),
                format!("no order made this file of the licence's version: {document}"),
            );
        }
        for numbering in self.inventory.misnumbered().await? {
            self.found(
                format!("seal {}", numbering.seal),
                "fsck.uses",
                format!("用印序号不连续：共{}次，末号为{}", numbering.uses, numbering.last),
                format!(
                    "uses are not numbered one after the other: {} of them, the last is number {}",
                    numbering.uses, numbering.last
                ),
            );
        }
        let mut after = String::new();
        loop {
            let page = self.inventory.renewed(&after).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(last);
            self.step(page.len());
            for name in &page {
                self.document("renewed", name).await?;
            }
        }
        for name in self.inventory.strays().await? {
            self.found(
                format!("document {name}"),
                "fsck.stray",
                "库中有不属于任何用印记录的文书",
                "a document is stored that no order made",
            );
        }
        Ok(())
    }

    /// Authorities, revocations, seals as data and ends of keys are never written without an entry in the log.
    pub(super) async fn unspoken(&mut self, since: i64) -> Result<(), StoreError> {
        for row in self.inventory.unspoken(since, &self.spoken).await? {
            self.found(
                format!("{} {}", row.table, row.name),
                "fsck.unlogged",
                "库中有此项登记，而公开日志没有记载",
                "this is on record, and no entry of the log speaks of it",
            );
        }
        Ok(())
    }

    async fn versions(&mut self) -> Result<(), StoreError> {
        let mut before = (String::new(), 0);
        loop {
            let page = self.inventory.versions((&before.0, before.1)).await?;
            if page.is_empty() {
                return Ok(());
            }
            self.step(page.len());
            for row in page {
                self.version(&before, &row);
                before = (row.licence, row.version);
            }
        }
    }

    fn version(&mut self, (licence, before): &(String, i64), row: &VersionRow) {
        self.outcome.counts.versions += 1;
        let about = || format!("licence {}", row.identifier);
        let named = LicenceIdentifier::parse(&row.identifier);
        if !named.is_ok_and(|named| named.licence() == row.licence && i64::from(named.version()) == row.version) {
            self.found(
                about(),
                "fsck.identifier",
                "证照标识与登记的证照和版本号不符",
                "the identifier is not that of its licence and version",
            );
        }
        let expected = if *licence == row.licence { before + 1 } else { 1 };
        if row.version != expected {
            self.found(
                about(),
                "fsck.version",
                format!("证照版本号应为{expected}，实为{}：有缺号或重号", row.version),
                format!("the version should be {expected} and is {}: one is missing, or there twice", row.version),
            );
        }
        let made = match ENDS.contains(&row.act.as_str()) {
            true => row.document.is_none(),
            false => row.made_by.is_some(),
        };
        if !made {
            self.found(
                about(),
                "fsck.version-order",
                "证照版本没有相应的用印记录，或其文书不是该次用印所制",
                "no order made the version, or its document is another than the one the order made",
            );
        }
    }
}
