//! The register's snapshot: what the register says, entered in the public log and published with the proof of that, so that
//! anybody can judge with it and nobody can be shown another register than everybody else.

use time::OffsetDateTime;
use time::macros::offset;

use crate::desk::{Desk, FlowError};
use crate::store::{Entered, StoreError};
use crate::tlog::LogFault;

impl Desk {
    /// Publishes what the register says where it says something new, or where the day did; gives the new snapshot's name.
    /// One that was written down and not proven is proven first.
    ///
    /// # Errors
    /// As [`Desk::publish_head`].
    pub async fn publish_register(&self, now: OffsetDateTime) -> Result<Option<u64>, FlowError> {
        let last = self.store.newest_snapshot().await?;
        if let Some(last) = last.as_ref().filter(|last| last.receipt.is_none()) {
            let entered = self.store.entries(last.position, 1).await?.pop();
            let entered = entered.ok_or(FlowError::Store(StoreError::Log(LogFault::Missing)))?;
            self.prove_snapshot(last.snapshot.size, &entered, now).await?;
        }
        // Before the snapshot is begun: founding the log changes what the register asks of every seal.
        self.log(now).await?;
        let current = self.store.register_now(self.logging.witnesses().needed(), now).await?;
        let day = |at: OffsetDateTime| at.to_offset(offset!(+8)).date();
        let said = |last: &crate::store::FiledSnapshot| {
            last.snapshot.says_as(&current) && day(last.snapshot.made_at) == day(now)
        };
        if last.as_ref().is_some_and(said) {
            return Ok(None);
        }
        let Some(entered) = self.store.file_snapshot(&current).await? else { return Ok(None) };
        self.prove_snapshot(current.size, &entered, now).await?;
        Ok(Some(current.size))
    }

    async fn prove_snapshot(&self, size: u64, entered: &Entered, now: OffsetDateTime) -> Result<(), FlowError> {
        let (receipt, head) = self.receipt(entered, now).await?;
        Ok(self.store.prove_snapshot(size, &receipt, (head.size, &head.note)).await?)
    }
}
