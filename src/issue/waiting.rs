//! Orders that cannot be finished yet: why is noted, and the spells between the tries grow.

use time::{Duration, OffsetDateTime};

use crate::desk::{Desk, FlowError};
use crate::limits;

/// Notes that an order was tried in vain and stays written down. What was wanting comes back in time, so the caller is told
/// that the order waits; of anything else the error itself.
pub(super) async fn left(desk: &Desk, order: &str, error: FlowError, now: OffsetDateTime) -> FlowError {
    let noted = async {
        let tries = match error {
            // A key that is away is passed over without being asked, so looking for it costs nothing.
            FlowError::Key(_) => 0,
            _ => desk.store.waiting(order).await?.map_or(0, |waiting| waiting.tries),
        };
        desk.store.wait(order, &error.message(), now + spell(tries), now).await
    };
    match (noted.await, &error) {
        (
            Ok(Some(waiting)),
            FlowError::Unlogged(_) | FlowError::Unstamped(_) | FlowError::NoEvidence(_) | FlowError::Key(_),
        ) => FlowError::Waiting(Box::new(waiting)),
        (Ok(_), _) => error,
        (Err(store), _) => {
            tracing::error!(order, error = ?store, "that an order waits could not be noted");
            error
        }
    }
}

/// After so many tries in vain, how long until the next.
fn spell(tries: u32) -> Duration {
    let factor = 1i32.checked_shl(tries.min(24)).unwrap_or(i32::MAX);
    Duration::seconds(limits::WAIT_FIRST_SECONDS)
        .saturating_mul(factor)
        .min(Duration::seconds(limits::WAIT_MOST_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_grow_and_end() {
        let spells: Vec<i64> = (0..10).map(|tries| spell(tries).whole_seconds()).collect();
        assert_eq!(spells[..4], [10, 20, 40, 80]);
        assert!(spells.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(spell(u32::MAX), Duration::seconds(limits::WAIT_MOST_SECONDS));
    }
}
