//! Reports wait here for a few minutes to be fetched: in memory alone, under names nobody can guess, and never the
//! document itself. What a verification found is gone when its time is up, or when newer ones need the room.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use crate::limits;

/// One report in the forms in which it may be fetched.
#[derive(Debug)]
pub(super) struct Forms {
    pub json: String,
    pub xml: String,
    pub html: String,
    /// What the sealed form says.
    pub print: serde_json::Value,
    /// First letters of the document's SHA-256, for the names of files.
    pub short: String,
}

impl Forms {
    fn bytes(&self) -> usize {
        // What is printed says what the JSON says.
        2 * self.json.len() + self.xml.len() + self.html.len()
    }
}

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shelf(Arc<Mutex<Shelved>>);

#[derive(Debug, Default)]
struct Shelved {
    /// Oldest first: name, until when, what.
    kept: VecDeque<(String, OffsetDateTime, Arc<Forms>)>,
    bytes: usize,
    /// When reports were sealed within the last hour.
    sealed: VecDeque<OffsetDateTime>,
}

impl Shelf {
    /// Keeps a report for [`limits::REPORT_MINUTES`]; its name. None where it alone would be too much.
    pub(super) fn put(&self, forms: Forms, now: OffsetDateTime) -> Option<String> {
        let room = forms.bytes();
        let name = hex::encode(super::guard::random::<16>().ok()?);
        let mut shelved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelved.sweep(now);
        while shelved.bytes + room > limits::REPORT_SHELF_BYTES {
            shelved.drop_oldest()?;
        }
        shelved.bytes += room;
        shelved.kept.push_back((name.clone(), now + Duration::minutes(limits::REPORT_MINUTES), Arc::new(forms)));
        Some(name)
    }

    /// The report of this name, while it is kept.
    pub(super) fn get(&self, name: &str, now: OffsetDateTime) -> Option<Arc<Forms>> {
        let mut shelved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelved.sweep(now);
        shelved.kept.iter().find(|(known, ..)| known == name).map(|(_, _, forms)| forms.clone())
    }

    /// Whether one more report may be sealed within this hour: each is a use of a seal that stays in the ledger, and
    /// anyone at all may ask for one.
    pub(super) fn may_seal(&self, now: OffsetDateTime) -> bool {
        let sealed = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).sealed;
        while sealed.front().is_some_and(|at| *at + Duration::HOUR <= now) {
            sealed.pop_front();
        }
        let may = sealed.len() < limits::REPORTS_SEALED_AN_HOUR;
        if may {
            sealed.push_back(now);
        }
        may
    }
}

impl Shelved {
    fn sweep(&mut self, now: OffsetDateTime) {
        while self.kept.front().is_some_and(|(_, until, _)| *until <= now) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) -> Option<()> {
        let (_, _, forms) = self.kept.pop_front()?;
        self.bytes -= forms.bytes();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-22 08:00 UTC);

    fn forms(bytes: usize) -> Forms {
        let xml = "x".repeat(bytes);
        Forms { json: String::new(), xml, html: String::new(), print: serde_json::Value::Null, short: String::new() }
    }

    #[test]
    fn a_report_is_kept_for_its_time_and_under_its_own_name() {
        let shelf = Shelf::default();
        let name = shelf.put(forms(10), NOW).unwrap();
        assert!(name.len() == 32 && shelf.get(&name, NOW).is_some() && shelf.get("", NOW).is_none());
        let end = NOW + Duration::minutes(limits::REPORT_MINUTES);
        assert!(shelf.get(&name, end - Duration::SECOND).is_some());
        assert!(shelf.get(&name, end).is_none());
        assert_eq!(shelf.0.lock().unwrap().bytes, 0);
    }

    #[test]
    fn the_room_is_bounded_and_the_oldest_goes_first() {
        let shelf = Shelf::default();
        let third = limits::REPORT_SHELF_BYTES / 3;
        let names: Vec<_> = (0..4).map(|_| shelf.put(forms(third), NOW).unwrap()).collect();
        assert!(shelf.get(&names[0], NOW).is_none() && names[1..].iter().all(|name| shelf.get(name, NOW).is_some()));
        assert!(shelf.put(forms(limits::REPORT_SHELF_BYTES + 1), NOW).is_none());
    }

    #[test]
    fn only_so_many_are_sealed_in_an_hour() {
        let shelf = Shelf::default();
        assert!((0..limits::REPORTS_SEALED_AN_HOUR).all(|_| shelf.may_seal(NOW)));
        assert!(!shelf.may_seal(NOW + Duration::minutes(59)));
        assert!(shelf.may_seal(NOW + Duration::HOUR));
    }
}
