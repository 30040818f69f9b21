//! Time by number of rules, all of which allow.

use std::time::Duration;

use limitra::{Algorithm, AnyStorage, Limit, MemoryStorage, RateLimiter};
use limitra_tests::RedisServer;

use crate::keys::Keys;
use crate::pass::{at_once, nanoseconds};
use crate::redis;
use crate::rounds::Rounds;
use crate::row::{Name, SERVER_TIME};
use crate::scale::Scale;

use super::RULES;

const THOUSAND: usize = 1000;

pub(super) fn add<'a>(rounds: &mut Rounds<'a>, scale: Scale, server: &'a RedisServer) {
    let count = scale.operations(500_000);
    for rules in 1..=8_u32 {
        let at = f64::from(rules);
        let limitra = limiter(rules, MemoryStorage::new());
        rounds.time(Name::new(RULES, "limitra in memory").at(at), move || {
            let keys = Keys::new(THOUSAND, 12);
            nanoseconds(1, count, |thread| {
                let (mut next, limitra) = (keys.walk(thread), &limitra);
                move || assert!(at_once(limitra.check(next())).unwrap().is_allowed())
            })
        });
    }
    for rules in [1, 2, 4, 8] {
        let name = Name::new(RULES, "limitra on Redis").at(f64::from(rules));
        let mut busy = redis::busy_with(server, scale, move |storage| limiter(rules, storage));
        rounds.add(name, &[SERVER_TIME], move || vec![busy()]);
    }
}

fn limiter(rules: u32, storage: impl Into<AnyStorage>) -> RateLimiter {
    let limit = |rule| Limit::new(1_000_000_000, Duration::from_secs(60 * u64::from(rule))).unwrap();
    let builder = RateLimiter::builder().algorithm(Algorithm::Gcra).limits((1..=rules).map(limit));
    builder.storage(storage).build().unwrap()
}
