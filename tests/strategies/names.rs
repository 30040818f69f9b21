//! Strategies by name, and by type.

use limitra::strategies::{
    self, FixedWindowAlignedRateLimiter, FixedWindowElasticExpiryRateLimiter, FixedWindowRateLimiter,
    GcraRateLimiter, LeakyBucketRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter,
    Strategy, TokenBucketRateLimiter,
};
use limitra::{Algorithm, ConfigurationError, MemoryStorage};

use crate::stage::{limit, storages};

#[test]
fn every_algorithm_has_a_strategy_by_name_those_of_python_first() {
    assert_eq!(
        strategies::NAMES[..4],
        ["fixed-window", "fixed-window-elastic-expiry", "moving-window", "sliding-window-counter"]
    );
    let algorithms: Vec<Algorithm> = strategies::NAMES
        .iter()
        .map(|name| strategies::by_name(name, MemoryStorage::new()).unwrap().algorithm())
        .collect();
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithms.iter().filter(|other| *other == algorithm).count(), 1, "{algorithm}");
        assert!(strategies::NAMES.contains(&Strategy::new(*algorithm, MemoryStorage::new()).name()));
    }
    let lenient = strategies::by_name("sliding_window", MemoryStorage::new()).unwrap();
    assert_eq!(lenient.name(), "sliding-window-counter");
}

#[test]
fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
    for name in ["", "fixed window", "Fixed-Window", "moving-windows"] {
        let mistake = strategies::by_name(name, MemoryStorage::new()).unwrap_err();
        assert_eq!(
            mistake.to_string(),
            format!(
                "unknown strategy `{name}`; known are fixed-window, fixed-window-elastic-expiry, moving-window, \
                 sliding-window-counter, fixed-window-aligned, token-bucket, leaky-bucket, gcra"
            )
        );
        assert!(matches!(mistake, ConfigurationError::UnknownStrategy { .. }));
    }
}

#[tokio::test]
async fn a_strategy_by_type_is_the_one_by_name() {
    for storage in storages() {
        let limit = limit("3/hour");
        macro_rules! same {
            ($($type:ident = $name:literal;)*) => {$(
                let by_type = $type::new(&storage);
                let by_name = strategies::by_name($name, &storage).unwrap();
                assert_eq!(Strategy::from(&by_type).name(), $name);
                assert!(by_type.hit(&limit, "ada").await.unwrap());
                assert!(by_type.hit_cost(&limit, "ada", 2).await.unwrap());
                assert!(!by_name.hit(&limit, "ada").await.unwrap(), $name);
                assert!(!by_type.test(&limit, "ada").await.unwrap());
                assert!(!by_type.test_cost(&limit, "ada", 3).await.unwrap());
                let decision = by_type.decide(&limit, "ada", 1).await.unwrap();
                assert!(!decision.is_allowed() && !decision.retry_after().is_zero());
                assert_eq!(by_type.window_stats(&limit, "ada").await.unwrap().remaining, 0);
                by_type.clear(&limit, "ada").await.unwrap();
                assert_eq!(by_name.window_stats(&limit, "ada").await.unwrap().remaining, 3);
            )*};
        }
        same! {
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
}
