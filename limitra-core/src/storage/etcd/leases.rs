//! Leases, shared by all keys that need about as long a one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::client::Made;

/// Shorter ones are not worth telling apart.
const SHORTEST: Duration = Duration::from_secs(60);
/// The longest that etcd grants, in seconds: some 285 years.
const LONGEST: u64 = 9_000_000_000;

/// The leases of one storage.
///
/// A key may use any that ends no sooner than it is needed and no later than in twice that time. A new one, granted where there
/// is none, ends in one and a half of it: so it serves for half the time that its first key is kept, and all of that size
/// together need three of them at a time, however many keys and hits there are.
#[derive(Default)]
pub(super) struct Leases(Mutex<Granted>);

#[derive(Default)]
struct Granted {
    leases: Vec<Lease>,
    count: u64,
}

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Lease {
    pub(super) id: i64,
    /// How many were granted before.
    number: u64,
    /// How many there were when it was handed out.
    known: u64,
    /// At this instant or later.
    ends: Instant,
}

impl Leases {
    /// A lease for a key that is kept so long from now on.
    pub(super) async fn cover(&self, keep: Duration, made: &Made) -> Result<Lease, etcd_client::Error> {
        let keep = keep.max(SHORTEST);
        if let Some(lease) = self.find(keep) {
            return Ok(lease);
        }
        let _turn = made.turn.lock().await;
        // Whoever was in front may have granted what serves here too.
        if let Some(lease) = self.find(keep) {
            return Ok(lease);
        }
        // Before etcd's own clock of it starts.
        let now = Instant::now();
        let granted = made.lease.clone().grant(seconds(keep), None).await?;
        let lasts = Duration::from_secs(u64::try_from(granted.ttl()).unwrap_or_default());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = known.count;
        known.count += 1;
        let ends = now.checked_add(lasts).unwrap_or(now);
        let lease = Lease { id: granted.id(), number, known: known.count, ends };
        known.leases.push(lease);
        Ok(lease)
    }

    /// Forgets a lease that etcd does not know any more, and all that there were when it was handed out: if one was lost,
    /// they may be. Those that somebody else was granted since are there.
    pub(super) fn forget(&self, lost: Lease) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.leases.retain(|lease| lease.number >= lost.known);
    }

    fn find(&self, keep: Duration) -> Option<Lease> {
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.leases.retain(|lease| lease.ends > now);
        let left = |lease: &Lease| lease.ends.saturating_duration_since(now);
        let fitting = known.leases.iter().filter(|lease| (keep..=keep * 2).contains(&left(lease)));
        let fitting = fitting.min_by_key(|lease| lease.ends).copied();
        fitting.map(|lease| Lease { known: known.count, ..lease })
    }
}

/// How long a new lease lasts.
fn seconds(keep: Duration) -> i64 {
    let keep = keep.as_secs().saturating_add(1);
    i64::try_from((keep + keep / 2).min(LONGEST)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_outlasts_what_it_is_for_and_not_by_much() {
        let century = 100 * 365 * 24 * 3600;
        for keep in [60, 61, 3600, 86_400, century, 2 * century + 60] {
            let (keep, seconds) = (Duration::from_secs(keep), seconds(Duration::from_secs(keep)));
            let lasts = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
            assert!(lasts > keep && lasts <= keep * 2 && lasts.as_secs() <= LONGEST, "{keep:?}: {lasts:?}");
        }
    }

    #[test]
    fn a_lost_lease_takes_those_along_that_there_were_when_it_was_handed_out() {
        let leases = Leases::default();
        let ends = Instant::now() + Duration::from_secs(100);
        let all = [0, 1, 2].map(|number| Lease { id: 1, number, known: 2, ends });
        leases.0.lock().unwrap_or_else(PoisonError::into_inner).leases.extend(all);
        leases.forget(all[0]);
        assert!(leases.find(Duration::from_secs(70)).is_some_and(|lease| lease.number == 2));
        // Too long and too short.
        assert!(leases.find(Duration::from_secs(40)).is_none());
        assert!(leases.find(Duration::from_secs(101)).is_none());
    }
}
