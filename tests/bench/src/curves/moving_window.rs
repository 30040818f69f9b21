//! Time by the limit of a moving window whose log is full: each hit replaces one that has just expired.

use std::time::Duration;

use limitra::{Algorithm, AnyStorage, ManualClock, MemoryStorage, RateLimiter};
use limitra_tests::RedisServer;

use crate::pass::{at_once, nanoseconds};
use crate::redis;
use crate::rounds::Rounds;
use crate::row::{Name, SERVER_TIME};
use crate::scale::Scale;

use super::MOVING_WINDOW;

/// From one hit to the next, by a clock that is set by hand.
const BETWEEN: Duration = Duration::from_millis(1);

pub(super) fn add<'a>(rounds: &mut Rounds<'a>, scale: Scale, server: &'a RedisServer) {
    let count = scale.operations(200_000);
    for amount in [10, 100, 1_000, 10_000, 100_000] {
        let limit = if scale.is_tiny() { 10 } else { amount };
        let name = |subject: &str| Name::new(MOVING_WINDOW, subject).at(f64::from(amount));
        let (limitra, clock) = limiter(limit, MemoryStorage::new());
        for _ in 0..limit {
            clock.advance(BETWEEN);
            assert!(at_once(limitra.allow_request("log")).unwrap());
        }
        rounds.time(name("limitra in memory"), move || {
            nanoseconds(1, count, |_| {
                || {
                    clock.advance(BETWEEN);
                    assert!(at_once(limitra.allow_request("log")).unwrap());
                }
            })
        });
        let mut busy =
            redis::busy_with_log(server, scale, limit, BETWEEN, move |storage| limiter(limit, storage));
        rounds.add(name("limitra on Redis"), &[SERVER_TIME], move || vec![busy()]);
    }
}

/// As many hits as there come in a window.
fn limiter(amount: u32, storage: impl Into<AnyStorage>) -> (RateLimiter, ManualClock) {
    let clock = ManualClock::new();
    let builder = RateLimiter::builder().algorithm(Algorithm::MovingWindow).requests(amount);
    let limiter = builder.window(BETWEEN * amount).clock(clock.clone()).storage(storage).build();
    (limiter.unwrap(), clock)
}
