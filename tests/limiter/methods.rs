//! What each method answers.

use std::time::Duration;

use limitra::{Algorithm, Error, Limit, RateLimiter, Status, Usage};

use crate::{INTO_THE_MINUTE, MINUTE, five_per_minute, per_minute};

const MICROSECOND: Duration = Duration::from_micros(1);

/// How long until five per minute, all spent at once, let the next one in.
fn wait_of_a_spent_limit(algorithm: Algorithm) -> Duration {
    match algorithm {
        // At the start of the next slot the five still weigh five.
        Algorithm::SlidingWindow => MINUTE - INTO_THE_MINUTE + MICROSECOND,
        Algorithm::FixedWindowAligned => MINUTE - INTO_THE_MINUTE,
        Algorithm::FixedWindow | Algorithm::FixedWindowElasticExpiry | Algorithm::MovingWindow => MINUTE,
        _ => MINUTE / 5,
    }
}

fn usage_of(usage: Usage) -> (u64, u64, u64, bool) {
    (usage.count, usage.limit, usage.remaining, usage.limited)
}

#[tokio::test]
async fn a_request_is_allowed_and_counted_until_the_limit_is_exceeded() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        for _ in 0..5 {
            assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        }
        assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        assert!(limiter.allow_request("bob").await.unwrap(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_decision_reports_the_limit_what_remains_and_the_times() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        let limit = Limit::new(5, MINUTE).unwrap();

        let decision = limiter.check("ada").await.unwrap();
        assert!(decision.is_allowed() && !decision.is_degraded(), "{algorithm}");
        assert_eq!(decision.limit(), Some(limit), "{algorithm}");
        assert_eq!(decision.remaining(), 4, "{algorithm}");
        assert_eq!(decision.retry_after(), Duration::ZERO, "{algorithm}");
        assert!(decision.reset_after() > Duration::ZERO, "{algorithm}");
        assert!(decision.exceeded().is_none(), "{algorithm}");

        let decision = limiter.check_cost("ada", 5).await.unwrap();
        assert!(!decision.is_allowed() && !decision.is_degraded(), "{algorithm}");
        assert_eq!(decision.limit(), Some(limit), "{algorithm}");
        assert_eq!(decision.remaining(), 4, "{algorithm}");
        assert!(decision.retry_after() > Duration::ZERO, "{algorithm}");
        let exceeded = decision.exceeded().unwrap();
        assert_eq!((exceeded.requests, exceeded.window), (5, MINUTE), "{algorithm}");
        assert_eq!((exceeded.retry_after, exceeded.remaining), (decision.retry_after(), 4), "{algorithm}");

        assert_eq!((&*exceeded.scope, &*exceeded.function), ("user", ""), "{algorithm}");

        let [rule] = decision.rules() else { panic!("{algorithm}: {decision:?}") };
        assert_eq!(rule.rule().algorithm(), algorithm);
        assert_eq!((rule.limit(), rule.subject(), rule.is_allowed()), (limit, 0, false), "{algorithm}");
        assert_eq!(rule.remaining(), decision.remaining(), "{algorithm}");
        assert_eq!(rule.retry_after(), decision.retry_after(), "{algorithm}");
        assert_eq!(rule.reset_after(), decision.reset_after(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_cost_is_spent_whole_or_not_at_all() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        assert_eq!(limiter.check_cost("ada", 3).await.unwrap().remaining(), 2, "{algorithm}");
        let refused = limiter.check_cost("ada", 3).await.unwrap();
        assert!(!refused.is_allowed(), "{algorithm}");
        assert_eq!(refused.remaining(), 2, "{algorithm}");
        assert!(limiter.check_cost("ada", 2).await.unwrap().is_allowed(), "{algorithm}");
        assert_eq!(limiter.check_cost("ada", 0).await.unwrap().remaining(), 0, "{algorithm}");
    }
}

#[tokio::test]
async fn a_test_answers_as_a_hit_would_and_consumes_nothing() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        for _ in 0..10 {
            let decision = limiter.test_cost("ada", 5).await.unwrap();
            assert!(decision.is_allowed(), "{algorithm}");
            assert_eq!(decision.remaining(), 5, "{algorithm}");
        }
        limiter.check_cost("ada", 4).await.unwrap();
        for _ in 0..10 {
            assert!(limiter.test("ada").await.unwrap().is_allowed(), "{algorithm}");
            assert!(!limiter.test_cost("ada", 2).await.unwrap().is_allowed(), "{algorithm}");
        }
        let foreseen = limiter.test_cost("ada", 3).await.unwrap().retry_after();
        assert_eq!(limiter.check_cost("ada", 3).await.unwrap().retry_after(), foreseen, "{algorithm}");
        assert!(limiter.check("ada").await.unwrap().is_allowed(), "{algorithm}");
        assert!(!limiter.test("ada").await.unwrap().is_allowed(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_cost_of_nothing_is_allowed_without_consuming() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        for spent in [0, 5] {
            limiter.check_cost("ada", spent).await.unwrap();
            for _ in 0..3 {
                let decision = limiter.check_cost("ada", 0).await.unwrap();
                assert!(decision.is_allowed(), "{algorithm}");
                assert_eq!(decision.remaining(), 5 - spent, "{algorithm}");
                assert_eq!(decision.retry_after(), Duration::ZERO, "{algorithm}");
            }
        }
        assert!(limiter.test_cost("ada", 0).await.unwrap().is_allowed(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_cost_above_the_limit_is_a_typed_error_at_once_and_consumes_nothing() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        for cost in [6, 7, 1_000_000, u64::MAX] {
            for answer in [limiter.check_cost("ada", cost).await, limiter.test_cost("ada", cost).await] {
                let error = answer.unwrap_err();
                assert!(
                    matches!(&error, Error::CostAboveLimit { cost: asked, limit } if *asked == cost && limit.amount() == 5),
                    "{algorithm}: {error:?}"
                );
                let message = error.to_string();
                assert!(message.contains(&cost.to_string()), "{message}");
                assert!(message.contains("5 requests per 60s") && message.contains("at most 5"), "{message}");
            }
        }
        assert_eq!(limiter.usage("ada").await.unwrap().count, 0, "{algorithm}");
    }
}

#[tokio::test]
async fn a_cost_is_held_against_the_burst_where_there_is_one() {
    for algorithm in [Algorithm::TokenBucket, Algorithm::LeakyBucket, Algorithm::Gcra] {
        for (burst, cost) in [(10, 8), (2, 2)] {
            let (builder, _) = per_minute(algorithm, 5);
            let limiter = builder.burst(burst).build().unwrap();
            assert!(limiter.check_cost("ada", cost).await.unwrap().is_allowed(), "{algorithm}");
            let error = limiter.check_cost("ada", burst + 1).await.unwrap_err();
            assert!(error.to_string().contains(&format!("at most {burst}")), "{error}");
        }
    }
}

#[tokio::test]
async fn the_usage_of_a_fresh_identifier_is_nothing_of_five() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        let usage = limiter.usage("ada").await.unwrap();
        assert_eq!(usage_of(usage), (0, 5, 5, false), "{algorithm}");
    }
}

#[tokio::test]
async fn the_usage_after_one_of_five_leaves_four() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        limiter.check("ada").await.unwrap();
        let usage = limiter.usage("ada").await.unwrap();
        assert_eq!(usage_of(usage), (1, 5, 4, false), "{algorithm}");
    }
}

#[tokio::test]
async fn the_usage_of_a_spent_limit_is_limited() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        limiter.check_cost("ada", 5).await.unwrap();
        let usage = limiter.usage("ada").await.unwrap();
        assert_eq!(usage_of(usage), (5, 5, 0, true), "{algorithm}");
    }
}

#[tokio::test]
async fn the_usage_of_a_bucket_counts_against_its_burst() {
    for algorithm in [Algorithm::TokenBucket, Algorithm::LeakyBucket, Algorithm::Gcra] {
        let (builder, clock) = per_minute(algorithm, 5);
        let limiter = builder.burst(10).build().unwrap();
        limiter.check_cost("ada", 10).await.unwrap();
        clock.advance(Duration::from_secs(25));
        let usage = limiter.usage("ada").await.unwrap();
        assert_eq!(usage_of(usage), (8, 10, 2, false), "{algorithm}: two came back in 24 s");
    }
}

#[tokio::test]
async fn the_status_of_a_window_is_its_count_its_capacity_and_what_is_available() {
    for &algorithm in Algorithm::ALL.iter().filter(|algorithm| !algorithm.is_bucket()) {
        let (limiter, _) = five_per_minute(algorithm);
        for count in 0..=5 {
            let status = limiter.status("ada").await.unwrap().unwrap();
            let expected = match count {
                0 => 0.0,
                1 => 0.2,
                2 => 0.4,
                3 => 0.6,
                4 => 0.8,
                _ => 1.0,
            };
            assert!(
                matches!(status, Status::Window { count: used, capacity: 5, available, utilization }
                    if used == count && available == 5 - count && is_near(utilization, expected)),
                "{algorithm}: {status:?}"
            );
            limiter.check("ada").await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_status_of_a_token_bucket_is_what_is_left_of_its_tokens() {
    let (limiter, clock) = five_per_minute(Algorithm::TokenBucket);
    for (spend, pass, tokens, used) in
        [(0, 0, 5.0, 0.0), (1, 0, 4.0, 0.2), (4, 0, 0.0, 1.0), (0, 6, 0.5, 0.9), (0, 54, 5.0, 0.0)]
    {
        limiter.check_cost("ada", spend).await.unwrap();
        clock.advance(Duration::from_secs(pass));
        let status = limiter.status("ada").await.unwrap().unwrap();
        assert!(
            matches!(status, Status::TokenBucket { tokens_remaining, capacity: 5, utilization }
                if is_near(tokens_remaining, tokens) && is_near(utilization, used)),
            "{status:?}"
        );
    }
}

#[tokio::test]
async fn the_status_of_a_leaky_bucket_is_its_water_level() {
    let (limiter, clock) = five_per_minute(Algorithm::LeakyBucket);
    for (spend, pass, level, fits, used) in [
        (0, 0, 0.0, 5, 0.0),
        (1, 0, 1.0, 4, 0.2),
        (4, 0, 5.0, 0, 1.0),
        (0, 6, 4.5, 0, 0.9),
        (0, 54, 0.0, 5, 0.0),
    ] {
        limiter.check_cost("ada", spend).await.unwrap();
        clock.advance(Duration::from_secs(pass));
        let status = limiter.status("ada").await.unwrap().unwrap();
        assert!(
            matches!(status, Status::LeakyBucket { water_level, capacity: 5, available, utilization }
                if is_near(water_level, level) && available == fits && is_near(utilization, used)),
            "{status:?}"
        );
    }
}

#[tokio::test]
async fn the_status_of_gcra_is_how_far_its_arrival_time_is_ahead() {
    let (limiter, clock) = five_per_minute(Algorithm::Gcra);
    for (spend, pass, seconds, fits, used) in
        [(0, 0, 0, 5, 0.0), (1, 0, 12, 4, 0.2), (4, 0, 60, 0, 1.0), (0, 6, 54, 0, 0.9), (0, 54, 0, 5, 0.0)]
    {
        limiter.check_cost("ada", spend).await.unwrap();
        clock.advance(Duration::from_secs(pass));
        let status = limiter.status("ada").await.unwrap().unwrap();
        assert!(
            matches!(status, Status::Gcra { ahead, capacity: 5, available, utilization }
                if ahead.as_secs() == seconds && available == fits && is_near(utilization, used)),
            "{status:?}"
        );
    }
}

#[tokio::test]
async fn the_wait_is_nothing_while_a_request_would_be_allowed() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        for _ in 0..5 {
            assert_eq!(limiter.wait_time("ada").await.unwrap(), Duration::ZERO, "{algorithm}");
            limiter.check("ada").await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_wait_of_a_spent_limit_is_exact_to_the_microsecond() {
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) = five_per_minute(algorithm);
        limiter.check_cost("ada", 5).await.unwrap();
        let wait = limiter.wait_time("ada").await.unwrap();
        assert_eq!(wait, wait_of_a_spent_limit(algorithm), "{algorithm}");

        clock.advance(wait - MICROSECOND);
        assert!(!limiter.test("ada").await.unwrap().is_allowed(), "{algorithm}: too early");
        assert_eq!(limiter.wait_time("ada").await.unwrap(), MICROSECOND, "{algorithm}");
        clock.advance(MICROSECOND);
        assert_eq!(limiter.wait_time("ada").await.unwrap(), Duration::ZERO, "{algorithm}");
        assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}: in time");
    }
}

#[tokio::test]
async fn the_reset_of_a_spent_limit_is_when_all_of_it_is_free() {
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) = five_per_minute(algorithm);
        let reset_after = limiter.check_cost("ada", 5).await.unwrap().reset_after();
        clock.advance(reset_after - MICROSECOND);
        assert!(limiter.usage("ada").await.unwrap().remaining < 5, "{algorithm}");
        clock.advance(MICROSECOND);
        assert_eq!(limiter.usage("ada").await.unwrap().remaining, 5, "{algorithm}");
    }
}

#[tokio::test]
async fn a_reset_clears_that_identifier_only() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        for identifier in ["ada", "bob"] {
            limiter.check_cost(identifier, 5).await.unwrap();
        }
        limiter.reset("ada").await.unwrap();
        assert_eq!(limiter.usage("ada").await.unwrap().remaining, 5, "{algorithm}");
        assert_eq!(limiter.usage("bob").await.unwrap().remaining, 0, "{algorithm}");
        limiter.reset("carol, who never came").await.unwrap();
    }
}

#[tokio::test]
async fn a_text_its_bytes_and_its_number_are_one_identifier() {
    let (limiter, _) = five_per_minute(Algorithm::FixedWindow);
    limiter.check("42").await.unwrap();
    limiter.check(b"42").await.unwrap();
    limiter.check(42_u8).await.unwrap();
    limiter.check(42_i128).await.unwrap();
    limiter.check(&"42".to_owned()).await.unwrap();
    assert_eq!(limiter.usage(vec![b'4', b'2']).await.unwrap().count, 5);
}

#[test]
fn a_key_is_made_without_asking_anybody() {
    let rows = [
        (RateLimiter::builder(), "limitra:::user:u1:"),
        (RateLimiter::builder().project("svc"), "limitra:svc::user:u1:"),
        (RateLimiter::builder().prefix("rl").project("svc"), "rl:svc::user:u1:"),
        (RateLimiter::builder().prefix("rl").suffix("v2"), "rl:::user:u1:v2"),
        (RateLimiter::builder().prefix("rl").project("svc").suffix("v2"), "rl:svc::user:u1:v2"),
        (RateLimiter::builder().scope("org"), "limitra:::org:u1:"),
        (RateLimiter::builder().prefix("").project("").suffix(""), "%empty:%empty::user:u1:%empty"),
    ];
    for (builder, key) in rows {
        let limiter = builder.requests(5).window(60).build().unwrap();
        assert_eq!(limiter.key("u1"), key);
    }
}

#[test]
fn the_config_is_what_the_limiter_was_built_from() {
    let limiter = RateLimiter::builder()
        .algorithm("leaky_bucket")
        .capacity(10)
        .fill_rate(0.5)
        .burst(20)
        .scope("tenant")
        .prefix("rl")
        .project("blog")
        .suffix("v2")
        .fail_open(true)
        .build()
        .unwrap();
    let config = limiter.config();
    assert_eq!(config.algorithm, Algorithm::LeakyBucket);
    assert_eq!(config.limits, [Limit::new(10, Duration::from_secs(20)).unwrap().with_burst(20).unwrap()]);
    assert_eq!(config.capacity, 20);
    assert!(is_near(config.fill_rate, 0.5));
    assert_eq!((&*config.scope, config.backend, config.fail_open), ("tenant", "memory", true));
    assert_eq!(config.prefix.as_deref(), Some("rl"));
    assert_eq!(config.project.as_deref(), Some("blog"));
    assert_eq!(config.suffix.as_deref(), Some("v2"));
}

#[test]
fn the_config_of_a_bare_limiter_says_the_defaults() {
    let limiter = RateLimiter::builder().requests(10).window(60).build().unwrap();
    let config = limiter.config();
    assert_eq!(config.algorithm, Algorithm::SlidingWindow);
    assert_eq!((config.capacity, &*config.scope, config.backend), (10, "user", "memory"));
    assert!(is_near(config.fill_rate, 1.0 / 60.0));
    assert_eq!((config.prefix.as_deref(), &config.project, &config.suffix), (Some("limitra"), &None, &None));
    assert!(!config.fail_open);
}

#[tokio::test]
async fn clones_of_a_limiter_count_together() {
    let (limiter, _) = five_per_minute(Algorithm::Gcra);
    let clone = limiter.clone();
    for _ in 0..5 {
        assert!(clone.allow_request("ada").await.unwrap());
    }
    assert!(!limiter.allow_request("ada").await.unwrap());
}

fn is_near(number: f64, expected: f64) -> bool {
    (number - expected).abs() < 1e-9
}
