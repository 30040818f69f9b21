//! What these tests begin with.

use std::time::Duration;

use limitra::{Algorithm, Limit, ManualClock, Micros, RateLimiter};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const BUCKETS: [Algorithm; 3] = [Algorithm::TokenBucket, Algorithm::LeakyBucket, Algorithm::Gcra];

/// A whole minute of the clock.
pub(crate) const FULL_MINUTE: Micros = Micros::new(1_700_000_040_000_000);

pub(crate) fn limiter(algorithm: Algorithm, limit: Limit) -> (RateLimiter, ManualClock) {
    let clock = ManualClock::at(FULL_MINUTE);
    let builder = RateLimiter::builder().algorithm(algorithm).limit(limit).clock(clock.clone());
    (builder.build().unwrap(), clock)
}

pub(crate) fn per_minute(algorithm: Algorithm, amount: u64) -> (RateLimiter, ManualClock) {
    limiter(algorithm, Limit::new(amount, MINUTE).unwrap())
}

/// How many of `tries` requests pass at this instant.
pub(crate) async fn admitted(limiter: &RateLimiter, tries: u64) -> u64 {
    let mut admitted = 0;
    for _ in 0..tries {
        admitted += u64::from(limiter.allow_request("ada").await.unwrap());
    }
    admitted
}
