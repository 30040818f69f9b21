//! What may happen at each request, and is not told of each.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So often at most.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Whether to tell of something once more; how often it was kept silent is told with it.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<Option<(Instant, u64)>>);

impl Seldom {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// It happened: how often it did since it was last told, if it is to be told now.
    pub(crate) fn happened(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = match &mut *state {
            Some((told, silent)) if now.saturating_duration_since(*told) < TOLD_EVERY => {
                *silent += 1;
                return None;
            }
            Some((_, silent)) => *silent + 1,
            None => 1,
        };
        *state = Some((now, 0));
        Some(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_every_ten_seconds_with_a_count() {
        let (seldom, start) = (Seldom::new(), Instant::now());
        let told: Vec<(u64, u64)> = (0..=25)
            .filter_map(|second| Some((second, seldom.happened(start + Duration::from_secs(second))?)))
            .collect();
        assert_eq!(told, [(0, 1), (10, 10), (20, 10)]);
    }
}
