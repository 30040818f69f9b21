//! What a limiter is built from.

use std::time::Duration;

use limitra::{
    Algorithm, Backend, FixedWindowAlignedRateLimiter, FixedWindowElasticExpiryRateLimiter,
    FixedWindowRateLimiter, GcraLimiter, LeakyBucketLimiter, Limit, ManualClock, MemoryStorage,
    MovingWindowRateLimiter, RateLimiter, SlidingWindowRateLimiter, TokenBucketLimiter,
};

use crate::{MINUTE, per_minute};

/// The only limit of `capacity` and `fill_rate`.
fn limit_of(algorithm: Algorithm, capacity: u64, fill_rate: f64) -> Limit {
    let limiter = RateLimiter::builder().algorithm(algorithm).capacity(capacity).fill_rate(fill_rate);
    limiter.build().unwrap().config().limits[0]
}

#[tokio::test]
async fn each_of_the_seeds_classes_is_a_limiter_of_its_algorithm() {
    let limiters = [
        (SlidingWindowRateLimiter::new(5, 1.0 / 60.0), Algorithm::SlidingWindow),
        (FixedWindowRateLimiter::new(5, 1.0 / 60.0), Algorithm::FixedWindow),
        (FixedWindowAlignedRateLimiter::new(5, 1.0 / 60.0), Algorithm::FixedWindowAligned),
        (FixedWindowElasticExpiryRateLimiter::new(5, 1.0 / 60.0), Algorithm::FixedWindowElasticExpiry),
        (MovingWindowRateLimiter::new(5, 1.0 / 60.0), Algorithm::MovingWindow),
        (TokenBucketLimiter::new(5, 5.0 / 60.0), Algorithm::TokenBucket),
        (LeakyBucketLimiter::new(5, 5.0 / 60.0), Algorithm::LeakyBucket),
        (GcraLimiter::new(5, 5.0 / 60.0), Algorithm::Gcra),
    ];
    assert_eq!(limiters.len(), Algorithm::ALL.len());
    for (limiter, algorithm) in limiters {
        let limiter = limiter.unwrap();
        assert_eq!(limiter.config().algorithm, algorithm);
        assert_eq!(limiter.config().limits, [Limit::new(5, MINUTE).unwrap()], "{algorithm}");
        for _ in 0..5 {
            assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        }
        assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
    }
}

#[test]
fn the_settings_of_each_class_start_with_its_algorithm() {
    let builders = [
        (SlidingWindowRateLimiter::builder(), Algorithm::SlidingWindow),
        (FixedWindowRateLimiter::builder(), Algorithm::FixedWindow),
        (FixedWindowAlignedRateLimiter::builder(), Algorithm::FixedWindowAligned),
        (FixedWindowElasticExpiryRateLimiter::builder(), Algorithm::FixedWindowElasticExpiry),
        (MovingWindowRateLimiter::builder(), Algorithm::MovingWindow),
        (TokenBucketLimiter::builder(), Algorithm::TokenBucket),
        (LeakyBucketLimiter::builder(), Algorithm::LeakyBucket),
        (GcraLimiter::builder(), Algorithm::Gcra),
    ];
    for (builder, algorithm) in builders {
        let limiter = builder.requests(5).window(1).scope("api").build().unwrap();
        assert_eq!(limiter.config().algorithm, algorithm);
        assert_eq!(limiter.key("ada"), "limitra:::api:ada:");
    }
}

#[test]
fn a_fill_rate_is_windows_per_second_for_the_windows() {
    for &algorithm in Algorithm::ALL.iter().filter(|algorithm| !algorithm.is_bucket()) {
        for (fill_rate, window) in [
            (1.0 / 60.0, MINUTE),
            (1.0 / 3600.0, Duration::from_secs(3600)),
            (1.0 / 86_400.0, Duration::from_secs(86_400)),
            (1.0 / 2_592_000.0, Duration::from_secs(2_592_000)),
            (1.0 / 3.0, Duration::from_secs(3)),
            (1.0, Duration::from_secs(1)),
            (2.0, Duration::from_millis(500)),
            (3.0, Duration::from_micros(333_333)),
            (1.0 / 0.7, Duration::from_millis(700)),
            (1000.0, Duration::from_millis(1)),
            (1.0 / 3_155_760_000.0, Duration::from_secs(3_155_760_000)),
        ] {
            assert_eq!(
                limit_of(algorithm, 5, fill_rate),
                Limit::new(5, window).unwrap(),
                "{algorithm} {fill_rate}"
            );
        }
    }
}

#[test]
fn a_fill_rate_is_requests_per_second_for_the_buckets() {
    for algorithm in [Algorithm::TokenBucket, Algorithm::LeakyBucket, Algorithm::Gcra] {
        for (capacity, fill_rate, window) in [
            (10, 1.0, Duration::from_secs(10)),
            (10, 10.0 / 60.0, MINUTE),
            (5, 0.5, Duration::from_secs(10)),
            (1, 1.0 / 60.0, MINUTE),
            (10, 3.0, Duration::from_micros(3_333_333)),
            (100, 100_000.0, Duration::from_millis(1)),
        ] {
            let limit = limit_of(algorithm, capacity, fill_rate);
            assert_eq!(limit, Limit::new(capacity, window).unwrap(), "{algorithm} {capacity} {fill_rate}");
        }
    }
}

#[test]
fn the_config_gives_back_the_seeds_settings() {
    for &algorithm in Algorithm::ALL {
        for (capacity, fill_rate) in [(5_u64, 1.0 / 60.0), (7, 0.25), (100, 20.0)] {
            let limiter = RateLimiter::builder().algorithm(algorithm).capacity(capacity).fill_rate(fill_rate);
            let limiter = limiter.build().unwrap();
            assert_eq!(limiter.config().capacity, capacity, "{algorithm}");
            let difference = (limiter.config().fill_rate - fill_rate).abs() / fill_rate;
            assert!(difference < 1e-6, "{algorithm} {}", limiter.config().fill_rate);
        }
    }
}

#[test]
#[allow(clippy::needless_borrows_for_generic_args)] // References are what is tried.
fn a_window_is_seconds_of_any_number_type_or_a_duration() {
    let windows = [
        RateLimiter::builder().requests(5).window(60_u8),
        RateLimiter::builder().requests(5).window(60),
        RateLimiter::builder().requests(5).window(60_i128),
        RateLimiter::builder().requests(5).window(&60_u64),
        RateLimiter::builder().requests(5).window(60.0),
        RateLimiter::builder().requests(5).window(60.0_f32),
        RateLimiter::builder().requests(5).window(59.999_999_6),
        RateLimiter::builder().requests(5).window(MINUTE),
        RateLimiter::builder().requests(5).window(MINUTE + Duration::from_nanos(499)),
        RateLimiter::builder().requests(5).window(MINUTE - Duration::from_nanos(500)),
        RateLimiter::builder().requests(&5_usize).window(&MINUTE),
        RateLimiter::builder().requests(5_i8).window(MINUTE),
        RateLimiter::builder().limit(Limit::new(5, MINUTE).unwrap()),
        RateLimiter::builder().limits([Limit::new(5, MINUTE).unwrap()]),
    ];
    for builder in windows {
        let shown = format!("{builder:?}");
        assert_eq!(builder.build().unwrap().config().limits, [Limit::new(5, MINUTE).unwrap()], "{shown}");
    }
    let half = RateLimiter::builder().requests(5).window(0.5).build().unwrap();
    assert_eq!(half.config().limits[0].window(), Duration::from_millis(500));
}

#[test]
fn an_algorithm_is_named_in_either_spelling() {
    for &algorithm in Algorithm::ALL {
        for name in [algorithm.to_string(), algorithm.to_string().replace('_', "-")] {
            let limiter = RateLimiter::builder().algorithm(&name).requests(5).window(60).build().unwrap();
            assert_eq!(limiter.config().algorithm, algorithm, "{name}");
            assert_eq!(name.parse(), Ok(algorithm));
        }
    }
    for name in ["sliding_window_counter", "sliding-window-counter"] {
        assert_eq!(name.parse(), Ok(Algorithm::SlidingWindow), "{name}");
    }
}

#[tokio::test]
async fn a_burst_is_how_much_a_bucket_holds_and_the_amount_is_its_pace() {
    for algorithm in [Algorithm::TokenBucket, Algorithm::LeakyBucket, Algorithm::Gcra] {
        for burst in [1_u64, 3, 5, 12] {
            let (builder, clock) = per_minute(algorithm, 5);
            let limiter = builder.burst(burst).build().unwrap();
            for _ in 0..burst {
                assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm} {burst}");
            }
            for _ in 0..3 {
                assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm} {burst}");
                assert_eq!(limiter.wait_time("ada").await.unwrap(), MINUTE / 5, "{algorithm} {burst}");
                clock.advance(MINUTE / 5);
                assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm} {burst}");
            }
        }
    }
}

#[tokio::test]
async fn an_unlimited_limit_allows_everything_and_stores_nothing() {
    let storage = MemoryStorage::new();
    for &algorithm in Algorithm::ALL {
        let limiter = RateLimiter::builder().algorithm(algorithm).limit(Limit::UNLIMITED).storage(&storage);
        let limiter = limiter.build().unwrap();
        for cost in [0, 1, 1_000_000, u64::MAX] {
            let decision = limiter.check_cost("ada", cost).await.unwrap();
            assert!(decision.is_allowed() && !decision.is_degraded(), "{algorithm}");
            assert_eq!((decision.limit(), decision.remaining()), (None, u64::MAX), "{algorithm}");
            assert_eq!((decision.retry_after(), decision.reset_after()), (Duration::ZERO, Duration::ZERO));
        }
        assert!(limiter.status("ada").await.unwrap().is_none(), "{algorithm}");
        let usage = limiter.usage("ada").await.unwrap();
        assert_eq!((usage.count, usage.limit, usage.limited), (0, u64::MAX, false), "{algorithm}");
        assert_eq!(limiter.wait_time("ada").await.unwrap(), Duration::ZERO, "{algorithm}");
        assert_eq!(limiter.config().capacity, u64::MAX);
    }
    assert!(storage.is_empty());
    assert_eq!(Limit::UNLIMITED.to_string(), "unlimited");
}

#[tokio::test]
async fn an_unlimited_limit_beside_another_leaves_the_other_in_force() {
    let limits = [Limit::UNLIMITED, Limit::new(2, MINUTE).unwrap()];
    let limiter = RateLimiter::builder().limits(limits).clock(ManualClock::new()).build().unwrap();
    assert!(limiter.check_cost("ada", 2).await.unwrap().is_allowed());
    let refused = limiter.check("ada").await.unwrap();
    assert!(!refused.is_allowed());
    assert_eq!(refused.limit(), Some(limits[1]));
}

#[tokio::test]
async fn each_limiter_has_a_memory_of_its_own_unless_they_share_one() {
    let alone = || RateLimiter::builder().requests(1).window(60).build().unwrap();
    let (one, other) = (alone(), alone());
    assert!(one.allow_request("ada").await.unwrap() && other.allow_request("ada").await.unwrap());

    let storage = MemoryStorage::new();
    let shared = || RateLimiter::builder().requests(1).window(60).storage(&storage).build().unwrap();
    let (one, other) = (shared(), shared());
    assert!(one.allow_request("ada").await.unwrap() && !other.allow_request("ada").await.unwrap());
}

#[tokio::test]
async fn limiters_of_different_scopes_projects_prefixes_and_suffixes_count_apart() {
    let storage = MemoryStorage::new();
    let builder = || RateLimiter::builder().requests(1).window(60).storage(&storage);
    let builders = [
        builder(),
        builder().scope("tenant"),
        builder().project("blog"),
        builder().prefix("rl"),
        builder().suffix("v2"),
        builder().hash_identifiers(true),
    ];
    for builder in builders {
        let limiter = builder.build().unwrap();
        assert!(limiter.allow_request("ada").await.unwrap(), "{limiter:?}");
        assert!(!limiter.allow_request("ada").await.unwrap(), "{limiter:?}");
    }
    assert_eq!(storage.len(), 6);
}

#[test]
fn a_backend_is_given_as_itself_or_by_name() {
    for builder in [
        RateLimiter::builder().backend("memory"),
        RateLimiter::builder().backend("memory".to_owned()),
        RateLimiter::builder().backend(Backend::Memory),
    ] {
        assert_eq!(builder.requests(5).window(60).build().unwrap().config().backend, "memory");
    }
}

#[test]
fn no_identifier_and_no_password_shows_in_debug() {
    let client = redis::Client::open("redis://ada:s3cret@127.0.0.1:1/").unwrap();
    let builder = RateLimiter::builder().requests(5).window(60).redis_client(client);
    assert_hides(&builder, "s3cret");
    let limiter = builder.build().unwrap();
    assert_hides(&limiter, "s3cret");
    assert_hides(limiter.config(), "s3cret");
    assert_hides(&limiter.of("ada@example.org").cost(2), "ada@example.org");
    assert_hides(&limiter.of("ada@example.org"), "s3cret");
    assert_hides(&limitra::Identifier::from("ada@example.org"), "ada");
    assert_hides(&limitra::Key::from_text(&limiter.key("ada@example.org")), "ada");
}

fn assert_hides(value: &impl std::fmt::Debug, secret: &str) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_notation_is_the_limits_that_it_describes() {
    let limiter =
        RateLimiter::builder().algorithm(Algorithm::Gcra).notation("10/m burst 20; 100 per 2 hours");
    let limits =
        [Limit::new(10, MINUTE).unwrap().with_burst(20).unwrap(), Limit::new(100, 120 * MINUTE).unwrap()];
    assert_eq!(limiter.build().unwrap().config().limits, limits);
}
