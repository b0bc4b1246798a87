//! The chain of audit events: unbroken from the first event to the filed head, and as the log says where it speaks of it.

use std::collections::BTreeMap;

use super::Walk;
use crate::store::{EventRow, StoreError};
use crate::tlog::trail::Trail;
use crate::tlog::tree::Hash;

impl Walk<'_> {
    /// Goes over the chain. `filed` is where it says that it stands, `anchors` what the log says of it.
    pub(super) async fn events(
        &mut self,
        filed: Option<Trail>,
        mut anchors: BTreeMap<u64, Hash>,
    ) -> Result<(), StoreError> {
        self.outcome.counts.unchained = self.sizes.unchained;
        let mut trail = Trail::default();
        let (mut after, mut whole, mut known) = (0, true, 0);
        loop {
            let page = self.inventory.events(after).await?;
            let Some(last) = page.last() else { break };
            after = last.event.position;
            self.step(page.len());
            for row in &page {
                self.outcome.counts.events += 1;
                self.event(row);
                if whole && row.event.position != trail.length + 1 {
                    whole = false;
                    let missing = trail.length + 1;
                    self.found(
                        format!("event {missing}"),
                        "fsck.event-missing",
                        "审计链缺少此条记录，此后无法核对",
                        "the event is missing from the chain, which cannot be checked from here on",
                    );
                }
                trail = trail.then(&row.line);
                if let Some(hash) = anchors.remove(&trail.length).filter(|_| whole) {
                    if hash != trail.hash {
                        self.changed(known + 1, trail.length);
                    }
                    known = trail.length;
                }
            }
        }
        if !whole {
            return Ok(());
        }
        let length = trail.length;
        if let Some(filed) = filed.filter(|filed| *filed != trail) {
            match filed.length == length {
                true => self.changed(known + 1, length),
                false => self.found(
                    "events",
                    "fsck.events-cut-off",
                    format!("审计链应有{}条记录，实有{length}条", filed.length),
                    format!("the chain should have {} events and has {length}", filed.length),
                ),
            }
        }
        // An anchor at the start speaks for nothing.
        for promised in anchors.into_keys().filter(|promised| *promised > 0) {
            self.found(
                "events",
                "fsck.events-cut-off",
                format!("公开日志记载审计链有{promised}条记录，实有{length}条"),
                format!("the log says that the chain has {promised} events, and it has {length}"),
            );
        }
        Ok(())
    }

    fn changed(&mut self, first: u64, last: u64) {
        self.found(
            format!("events {first}-{last}"),
            "fsck.event-changed",
            "审计链在这一段被改动过",
            "something in this stretch of the chain was changed",
        );
    }

    /// What is said to have happened to an order shows in the order.
    fn event(&mut self, row: &EventRow) {
        let state = row.order.as_deref();
        let fits = match row.event.what.as_str() {
            "order.written" => state.is_some(),
            "order.sealed" => state == Some("sealed"),
            "order.lost" => state == Some("lost"),
            _ => true,
        };
        if !fits {
            self.found(
                format!("event {}", row.event.position),
                "fsck.event-order",
                format!("审计记录{}与用印记录{}的现状不符", row.event.what, row.event.subject),
                format!("{} is on record for the order {}, which does not stand so", row.event.what, row.event.subject),
            );
        }
    }
}
