//! Decisions on the very edge, where doubles are too coarse: the last unit that fits is allowed, the next is refused.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use std::time::Duration;

use limitra::{
    Algorithm, AnyStorage, Error, Limit, ManualClock, MemoryStorage, Micros, RateLimiter, RedisStorage,
};
use limitra_tests::{fresh_prefix, shared};

const START: u64 = 1_700_000_000_000_000;

/// Numbers that look random and are the same each time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From `low` to `high`, all orders of magnitude alike.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        let bits = u64::from(64 - high.leading_zeros());
        let shift = self.next() % bits;
        low + (self.next() % (high >> shift).max(1)) % (high - low + 1)
    }
}

fn storages() -> [AnyStorage; 2] {
    [MemoryStorage::new().into(), RedisStorage::from_url(&shared().url()).unwrap().into()]
}

fn limiter(storage: &AnyStorage, algorithm: Algorithm, limit: Limit, clock: &ManualClock) -> RateLimiter {
    let builder = RateLimiter::builder().algorithm(algorithm).limit(limit).prefix(fresh_prefix());
    builder.storage(storage).clock(clock.clone()).build().unwrap()
}

/// Whether exactly `fits` units are to be had: they are allowed, one more is not, and it is what remains.
async fn assert_fits(limiter: &RateLimiter, fits: u64, case: &str) {
    if fits > 0 {
        let decision = limiter.test_cost("edge", fits).await.unwrap();
        assert!(decision.is_allowed(), "{case}: {fits} units should fit: {decision:?}");
        assert_eq!(decision.remaining(), fits, "{case}");
    }
    match limiter.test_cost("edge", fits + 1).await {
        Ok(decision) => assert!(!decision.is_allowed(), "{case}: {} units should not fit", fits + 1),
        Err(Error::CostAboveLimit { .. }) => {}
        Err(error) => panic!("{case}: {error}"),
    }
}

#[tokio::test]
async fn the_sliding_window_is_exact_where_its_products_pass_what_a_double_holds() {
    let mut numbers = Numbers(7);
    let storages = storages();
    for case in 0..400 {
        let window = numbers.between(1_000, 3_155_760_000_000_000);
        let amount = numbers.between(2, Limit::MAX_AMOUNT);
        let previous = numbers.between(1, amount);
        let elapsed = numbers.next() % window;
        let limit = Limit::new(amount, Duration::from_micros(window)).unwrap();
        let clock = ManualClock::new();
        // A slot of the clock that starts late enough for windows of a century.
        let slot = START - START % window;
        for storage in &storages {
            clock.set(Micros::new(slot));
            let limiter = limiter(storage, Algorithm::SlidingWindow, limit, &clock);
            assert!(limiter.check_cost("edge", previous).await.unwrap().is_allowed());
            clock.set(Micros::new(slot + window + elapsed));
            let weight = u128::from(previous) * u128::from(window - elapsed) / u128::from(window);
            let fits = amount - u64::try_from(weight).unwrap();
            let case =
                format!("case {case} on {}: {limit} previous {previous} elapsed {elapsed}", storage.name());
            assert_fits(&limiter, fits, &case).await;
        }
    }
}

#[tokio::test]
async fn the_buckets_are_exact_where_the_emission_interval_is_no_whole_number() {
    let mut numbers = Numbers(11);
    let storages = storages();
    for case in 0..400 {
        let window = numbers.between(1_000, 3_155_760_000_000_000);
        let amount = numbers.between(2, Limit::MAX_AMOUNT);
        let used = numbers.between(1, amount);
        let passed = numbers.next() % window;
        let limit = Limit::new(amount, Duration::from_micros(window)).unwrap();
        let clock = ManualClock::new();
        for storage in &storages {
            clock.set(Micros::new(START));
            let limiter = limiter(storage, Algorithm::TokenBucket, limit, &clock);
            assert!(limiter.check_cost("edge", used).await.unwrap().is_allowed());
            clock.set(Micros::new(START + passed));
            // used - passed * amount / window, rounded up: a part of a unit is in use as well.
            let left = (u128::from(used) * u128::from(window))
                .saturating_sub(u128::from(passed) * u128::from(amount));
            let fits = amount - u64::try_from(left.div_ceil(u128::from(window))).unwrap();
            let case = format!("case {case} on {}: {limit} used {used} passed {passed}", storage.name());
            assert_fits(&limiter, fits, &case).await;
        }
    }
}

#[tokio::test]
async fn a_bucket_counted_with_another_amount_is_exact_as_well() {
    let mut numbers = Numbers(13);
    let storages = storages();
    for case in 0..300 {
        let window = numbers.between(1_000, 3_155_760_000_000_000);
        let (before, after) = (numbers.between(2, Limit::MAX_AMOUNT), numbers.between(2, Limit::MAX_AMOUNT));
        let used = numbers.between(1, before.min(after));
        let passed = numbers.next() % window;
        let clock = ManualClock::new();
        for storage in &storages {
            clock.set(Micros::new(START));
            let limit = |amount| Limit::new(amount, Duration::from_micros(window)).unwrap();
            let prefix = fresh_prefix();
            let of = |amount| {
                let builder = RateLimiter::builder().algorithm(Algorithm::Gcra).limit(limit(amount));
                builder.prefix(&*prefix).storage(storage).clock(clock.clone()).build().unwrap()
            };
            assert!(of(before).check_cost("edge", used).await.unwrap().is_allowed());
            clock.set(Micros::new(START + passed));
            // The units in use drain at the rate that they were counted with.
            let left = (u128::from(used) * u128::from(window))
                .saturating_sub(u128::from(passed) * u128::from(before));
            let fits = after - u64::try_from(left.div_ceil(u128::from(window))).unwrap();
            let case = format!(
                "case {case} on {}: {before} then {after}, used {used} passed {passed} of {window}",
                storage.name()
            );
            assert_fits(&of(after), fits, &case).await;
        }
    }
}

/// One shared record, asked with different amounts and bursts.
fn tier(storage: &AnyStorage, prefix: &str, amount: u64, burst: u64, clock: &ManualClock) -> RateLimiter {
    let limit = Limit::new(amount, Duration::from_secs(60)).unwrap().with_burst(burst).unwrap();
    let builder = RateLimiter::builder().algorithm(Algorithm::TokenBucket).limit(limit).prefix(prefix);
    builder.storage(storage).clock(clock.clone()).build().unwrap()
}

#[tokio::test]
async fn a_refused_call_of_a_shallower_tier_forgives_nothing() {
    for storage in storages() {
        let (clock, prefix) = (ManualClock::new(), fresh_prefix());
        let (deep, shallow) =
            (tier(&storage, &prefix, 10, 1000, &clock), tier(&storage, &prefix, 10, 10, &clock));
        assert!(deep.check_cost("ada", 1000).await.unwrap().is_allowed());
        assert!(!shallow.check("ada").await.unwrap().is_allowed());
        assert!(!deep.check("ada").await.unwrap().is_allowed(), "on {}", storage.name());
        // A minute later ten are to be had, whichever other tier asked in between.
        let quick = tier(&storage, &prefix, 1000, 1000, &clock);
        assert!(!quick.check_cost("ada", 1000).await.unwrap().is_allowed());
        clock.advance(Duration::from_secs(60));
        assert!(!deep.test_cost("ada", 11).await.unwrap().is_allowed(), "on {}", storage.name());
        assert!(deep.check_cost("ada", 10).await.unwrap().is_allowed(), "on {}", storage.name());
    }
}

#[tokio::test]
async fn a_record_holds_the_same_number_of_windows_on_every_storage() {
    for storage in storages() {
        let (clock, prefix) = (ManualClock::new(), fresh_prefix());
        let with_window = |seconds: u64| {
            let limit = Limit::new(1, Duration::from_secs(seconds)).unwrap();
            let builder =
                RateLimiter::builder().algorithm(Algorithm::FixedWindow).limit(limit).prefix(&*prefix);
            builder.storage(&storage).clock(clock.clone()).build().unwrap()
        };
        for seconds in 1..=255 {
            assert!(with_window(seconds).allow_request("ada").await.unwrap());
        }
        let full = with_window(256).check("ada").await.unwrap_err();
        assert!(
            matches!(&full, Error::Storage(error) if error.kind() == limitra::StorageErrorKind::Full),
            "on {}: {full}",
            storage.name()
        );
        // Those that expire make room.
        clock.advance(Duration::from_secs(1));
        assert!(with_window(256).allow_request("ada").await.unwrap());
    }
}
