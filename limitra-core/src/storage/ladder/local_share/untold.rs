//! Charges that were not told yet.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So often they are told at most, while more are owed.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Charges since the last ones that were told.
#[derive(Default)]
pub(super) struct Untold(Mutex<Sum>);

#[derive(Default)]
struct Sum {
    keys: u64,
    units: u64,
    told: Option<Instant>,
}

impl Untold {
    /// Adds these; all that were not told, if they are to be told now.
    pub(super) fn add(&self, keys: u64, units: u64, is_all: bool, now: Instant) -> Option<(u64, u64)> {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.keys = sum.keys.saturating_add(keys);
        sum.units = sum.units.saturating_add(units);
        let is_due = sum.told.is_none_or(|told| now.saturating_duration_since(told) >= TOLD_EVERY);
        if sum.keys == 0 || !(is_all || is_due) {
            return None;
        }
        let told = (sum.keys, sum.units);
        *sum = Sum { told: Some(now), ..Sum::default() };
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_are_told_together_and_the_last_ones_at_once() {
        let (untold, start) = (Untold::default(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(untold.add(0, 0, true, at(0)), None);
        assert_eq!(untold.add(16, 20, false, at(0)), Some((16, 20)));
        assert_eq!(untold.add(16, 16, false, at(1)), None);
        assert_eq!(untold.add(16, 17, false, at(999)), None);
        assert_eq!(untold.add(16, 16, false, at(1000)), Some((48, 49)));
        assert_eq!(untold.add(5, 6, true, at(1001)), Some((5, 6)));
        assert_eq!(untold.add(0, 0, true, at(9000)), None);
    }
}
