//! Strategies without any runtime.

use std::time::Duration;

use limitra::blocking::strategies::{
    self, FixedWindowAlignedRateLimiter, FixedWindowElasticExpiryRateLimiter, FixedWindowRateLimiter,
    GcraRateLimiter, LeakyBucketRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter,
    Strategy, TokenBucketRateLimiter, WindowStats,
};
use limitra::{Algorithm, Error, ManualClock, RateLimit};
use limitra_tests::fresh_prefix;

use crate::stage::storages;

fn limit(notation: &str) -> RateLimit {
    notation.parse::<RateLimit>().unwrap().with_namespace(fresh_prefix())
}

#[test]
fn every_strategy_answers_as_the_awaited_one_does() {
    for storage in storages() {
        macro_rules! each {
            ($($type:ident = $name:literal;)*) => {$(
                let clock = ManualClock::new();
                let strategy = $type::new(&storage).with_clock(clock.clone());
                let by_name = strategies::by_name($name, &storage).unwrap().with_clock(clock.clone());
                let limit = self::limit("3 per 10 seconds");
                assert_eq!(by_name.name(), $name);
                let fresh = WindowStats { reset_time: clock.now().to_system_time(), remaining: 3 };
                assert_eq!(strategy.window_stats(&limit, ("user", 7)).unwrap(), fresh);
                assert!(strategy.hit(&limit, ("user", 7)).unwrap());
                assert!(strategy.hit_cost(&limit, ("user", 7), 2).unwrap());
                assert!(!by_name.hit(&limit, ("user", 7)).unwrap());
                assert!(!strategy.test(&limit, ("user", 7)).unwrap());
                assert!(!strategy.test_cost(&limit, ("user", 7), 2).unwrap());
                assert!(matches!(strategy.hit_cost(&limit, ("user", 7), 4), Err(Error::CostAboveLimit { .. })));
                let decision = strategy.decide(&limit, ("user", 7), 1).unwrap();
                assert_eq!(decision.exceeded().unwrap().scope, $name);
                let stats = strategy.window_stats(&limit, ("user", 7)).unwrap();
                assert_eq!(stats, by_name.window_stats(&limit, ["user", "7"]).unwrap());
                assert!(stats.remaining == 0 && stats.reset_time > clock.now().to_system_time());
                clock.set(stats.reset_time);
                assert!(strategy.test(&limit, ("user", 7)).unwrap());
                strategy.clear(&limit, ("user", 7)).unwrap();
                assert_eq!(strategy.window_stats(&limit, ("user", 7)).unwrap().remaining, 3);
                clock.advance(Duration::from_secs(1));
            )*};
        }
        each! {
            FixedWindowRateLimiter = "fixed-window";
            FixedWindowElasticExpiryRateLimiter = "fixed-window-elastic-expiry";
            MovingWindowRateLimiter = "moving-window";
            SlidingWindowCounterRateLimiter = "sliding-window-counter";
            FixedWindowAlignedRateLimiter = "fixed-window-aligned";
            TokenBucketRateLimiter = "token-bucket";
            LeakyBucketRateLimiter = "leaky-bucket";
            GcraRateLimiter = "gcra";
        }
    }
    assert!(strategies::by_name("fixed-door", limitra::MemoryStorage::new()).is_err());
}

#[test]
fn a_blocking_strategy_shares_its_counters_with_the_awaited_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for storage in storages() {
        let awaited = limitra::strategies::Strategy::new(Algorithm::Gcra, &storage);
        let strategy: Strategy = awaited.clone().into();
        let limit = limit("2/hour");
        assert!(strategy.hit(&limit, "ada").unwrap());
        assert!(runtime.block_on(awaited.hit(&limit, "ada")).unwrap());
        assert!(!awaited.blocking().hit(&limit, "ada").unwrap());
        assert!(!runtime.block_on(strategy.awaited().hit(&limit, "ada")).unwrap());
    }
}
