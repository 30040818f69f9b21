//! What `#[rate_limit]` adds to asking the limiter by hand.

use std::hint::black_box;

use limitra::{Algorithm, Error, Limitra, RateLimiter, rate_limit};

use crate::keys::Keys;
use crate::limiters::{Allowance, limits};
use crate::pass::{at_once, nanoseconds};
use crate::rounds::Rounds;
use crate::row::{Metric, Name};
use crate::scale::Scale;

const METRICS: &[Metric] = &[
    Metric { name: "time per call", unit: "ns" },
    Metric { name: "time over asking the limiter by hand", unit: "ns" },
];
const KEYS: usize = 1000;

/// A trivial function under the attribute.
#[rate_limit(requests = 1_000_000_000, window = 1000, key = "who", algorithm = "gcra", limitra = limits)]
pub(crate) async fn attributed(who: &str, limits: &Limitra) -> Result<u64, Error> {
    Ok(black_box(7))
}

/// The same function, its limiter asked by hand.
async fn by_hand(who: &str, limiter: &RateLimiter) -> Result<u64, Error> {
    assert!(limiter.check(who).await?.is_allowed());
    Ok(black_box(7))
}

pub(super) fn add(rounds: &mut Rounds<'_>, scale: Scale) {
    let count = scale.operations(1_000_000);
    let (handle, limiter) = (limits(), Allowance::Ample.limitra(Algorithm::Gcra, KEYS));
    rounds.add(Name::new("a function with #[rate_limit], 1,000 keys", "limitra"), METRICS, move || {
        let keys = Keys::new(KEYS, 12);
        let by_hand = nanoseconds(1, count, |thread| {
            let (mut next, limiter) = (keys.walk(thread), &limiter);
            move || assert_eq!(at_once(by_hand(next(), limiter)).unwrap(), 7)
        });
        let attributed = nanoseconds(1, count, |thread| {
            let (mut next, handle) = (keys.walk(thread), &handle);
            move || assert_eq!(at_once(attributed(next(), handle)).unwrap(), 7)
        });
        vec![attributed, attributed - by_hand]
    });
}
