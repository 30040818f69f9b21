//! The memory storage: its bound, what it forgets and in which order, its sweep, and that it never waits.
#![allow(missing_docs, clippy::unwrap_used)]

mod bound;
mod eviction;
mod many;
mod sweep;
mod waiting;
mod words;

use std::time::Duration;

use limitra::{Algorithm, Error, Limit, ManualClock, MemoryStorage, RateLimiter, StorageErrorKind};

/// A memory and a clock that limiters share.
#[derive(Clone)]
struct World {
    storage: MemoryStorage,
    clock: ManualClock,
}

impl World {
    fn of(max_keys: usize) -> Self {
        Self { storage: MemoryStorage::with_max_keys(max_keys).unwrap(), clock: ManualClock::new() }
    }

    /// `amount` in `window`, counted from the first hit.
    fn limiter(&self, amount: u64, window: Duration) -> RateLimiter {
        self.limiter_of(Algorithm::FixedWindow, amount, window)
    }

    fn limiter_of(&self, algorithm: Algorithm, amount: u64, window: Duration) -> RateLimiter {
        let limit = Limit::new(amount, window).unwrap();
        let builder = RateLimiter::builder().algorithm(algorithm).limit(limit);
        builder.storage(&self.storage).clock(self.clock.clone()).build().unwrap()
    }
}

fn is_full(error: &Error) -> bool {
    matches!(error, Error::Storage(error) if error.kind() == StorageErrorKind::Full)
}
