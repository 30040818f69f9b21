//! Several limits of one subject, and several subjects: all or nothing.

use std::time::Duration;

use limitra::{
    Algorithm, ConfigurationError, Decision, Error, Limit, Limitra, LimitraConfig, ManualClock,
    MemoryStorage, RateLimiter, check_all,
};

use crate::{MINUTE, five_per_minute};

const HOUR: Duration = Duration::from_secs(3600);

fn limit(amount: u64, window: Duration) -> Limit {
    Limit::new(amount, window).unwrap()
}

fn limiter_of(algorithm: Algorithm, limits: &[Limit]) -> (RateLimiter, ManualClock) {
    let clock = ManualClock::new();
    let builder = RateLimiter::builder().algorithm(algorithm).limits(limits.iter().copied());
    (builder.clock(clock.clone()).build().unwrap(), clock)
}

fn remaining_of_each(decision: &Decision) -> Vec<u64> {
    decision.rules().iter().map(limitra::RuleDecision::remaining).collect()
}

fn handle() -> (Limitra, ManualClock) {
    let clock = ManualClock::new();
    (LimitraConfig::new().clock(clock.clone()).build().unwrap(), clock)
}

/// `amount` per minute in a scope of its own.
fn per_minute(limits: &Limitra, algorithm: Algorithm, scope: &str, amount: u64) -> RateLimiter {
    limits.limiter().algorithm(algorithm).requests(amount).window(60).scope(scope).build().unwrap()
}

#[tokio::test]
async fn all_limits_are_charged_or_none() {
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) = limiter_of(algorithm, &[limit(10, HOUR), limit(2, Duration::from_secs(1))]);
        for _ in 0..2 {
            assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        }
        for _ in 0..20 {
            let refused = limiter.check("ada").await.unwrap();
            assert!(!refused.is_allowed(), "{algorithm}");
            assert_eq!(remaining_of_each(&refused), [8, 0], "{algorithm}");
        }
        clock.advance(Duration::from_secs(2));
        let allowed = limiter.check("ada").await.unwrap();
        assert!(allowed.is_allowed(), "{algorithm}");
        assert_eq!(remaining_of_each(&allowed), [7, 1], "{algorithm}");
    }
}

#[tokio::test]
async fn a_cost_is_charged_to_all_limits_or_to_none() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = limiter_of(algorithm, &[limit(10, HOUR), limit(5, MINUTE)]);
        limiter.check_cost("ada", 3).await.unwrap();
        let refused = limiter.check_cost("ada", 3).await.unwrap();
        assert!(!refused.is_allowed(), "{algorithm}");
        assert_eq!(remaining_of_each(&refused), [7, 2], "{algorithm}");
        let error = limiter.check_cost("ada", 6).await.unwrap_err();
        assert!(
            matches!(error, Error::CostAboveLimit { cost: 6, limit } if limit.amount() == 5),
            "{algorithm}: {error}"
        );
    }
}

#[tokio::test]
async fn the_limit_that_binds_has_the_longest_wait_else_the_least_remaining() {
    for &algorithm in Algorithm::ALL {
        let (hourly, minutely) = (limit(6, HOUR), limit(4, MINUTE));
        let (limiter, clock) = limiter_of(algorithm, &[hourly, minutely]);
        let allowed = limiter.check("ada").await.unwrap();
        assert_eq!((allowed.limit(), allowed.remaining()), (Some(minutely), 3), "{algorithm}");

        limiter.check_cost("ada", 3).await.unwrap();
        let refused = limiter.check("ada").await.unwrap();
        assert_eq!((refused.limit(), refused.remaining()), (Some(minutely), 0), "{algorithm}");

        clock.advance(MINUTE * 2);
        // The buckets have two or three of the hour's six back by now.
        let spent = limiter.usage("ada").await.unwrap();
        let allowed = limiter.check_cost("ada", spent.remaining).await.unwrap();
        assert!(allowed.is_allowed(), "{algorithm}");
        assert_eq!((allowed.limit(), allowed.remaining()), (Some(hourly), 0), "{algorithm}");

        let refused = limiter.check_cost("ada", 3).await.unwrap();
        assert!(!refused.is_allowed(), "{algorithm}");
        assert_eq!(refused.limit(), Some(hourly), "{algorithm}");
        let waits: Vec<Duration> = refused.rules().iter().map(limitra::RuleDecision::retry_after).collect();
        assert_eq!(Some(&refused.retry_after()), waits.iter().max(), "{algorithm}");
        clock.advance(refused.retry_after() - Duration::from_micros(1));
        assert!(!limiter.test_cost("ada", 3).await.unwrap().is_allowed(), "{algorithm}: too early");
        clock.advance(Duration::from_micros(1));
        assert!(limiter.check_cost("ada", 3).await.unwrap().is_allowed(), "{algorithm}: in time");
    }
}

#[tokio::test]
async fn of_limits_with_as_little_remaining_the_one_that_has_more_last_binds() {
    for &algorithm in Algorithm::ALL {
        let (hourly, minutely) = (limit(4, HOUR), limit(4, MINUTE));
        for limits in [[hourly, minutely], [minutely, hourly]] {
            let (limiter, _) = limiter_of(algorithm, &limits);
            let allowed = limiter.check_cost("ada", 4).await.unwrap();
            assert_eq!((allowed.limit(), allowed.remaining()), (Some(hourly), 0), "{algorithm}");
        }
    }
}

#[tokio::test]
async fn limits_of_one_subject_are_one_record() {
    let storage = MemoryStorage::new();
    let limits = [limit(10, MINUTE), limit(100, HOUR), limit(1000, HOUR * 24)];
    let limiter = RateLimiter::builder().limits(limits).storage(&storage).build().unwrap();
    limiter.check("ada").await.unwrap();
    assert_eq!(storage.len(), 1);
}

#[tokio::test]
async fn limits_in_another_order_keep_every_count() {
    for &algorithm in Algorithm::ALL {
        let (storage, clock) = (MemoryStorage::new(), ManualClock::new());
        let of = |limits: [Limit; 2]| {
            let builder = RateLimiter::builder().algorithm(algorithm).limits(limits);
            builder.storage(&storage).clock(clock.clone()).build().unwrap()
        };
        of([limit(10, HOUR), limit(5, MINUTE)]).check_cost("ada", 2).await.unwrap();
        let decision = of([limit(5, MINUTE), limit(10, HOUR)]).check("ada").await.unwrap();
        assert_eq!(remaining_of_each(&decision), [2, 7], "{algorithm}");
    }
}

#[tokio::test]
async fn another_amount_keeps_the_count() {
    for &algorithm in Algorithm::ALL {
        let (storage, clock) = (MemoryStorage::new(), ManualClock::new());
        let of = |amount| {
            let builder = RateLimiter::builder().algorithm(algorithm).requests(amount).window(60);
            builder.storage(&storage).clock(clock.clone()).build().unwrap()
        };
        of(5).check_cost("ada", 4).await.unwrap();
        let raised = of(20).check("ada").await.unwrap();
        assert!(raised.is_allowed(), "{algorithm}");
        assert_eq!(raised.remaining(), 15, "{algorithm}");
        let lowered = of(5).check("ada").await.unwrap();
        assert!(!lowered.is_allowed(), "{algorithm}");
        assert_eq!(lowered.remaining(), 0, "{algorithm}");
        let lowered = of(3).check("ada").await.unwrap();
        assert!(!lowered.is_allowed(), "{algorithm}");
        assert!(lowered.retry_after() > Duration::ZERO && lowered.retry_after() <= MINUTE * 2, "{algorithm}");
        assert_eq!(lowered.remaining(), 0, "{algorithm}");
    }
}

#[tokio::test]
async fn another_algorithm_starts_afresh_and_forgets_nothing_of_the_first() {
    let (storage, clock) = (MemoryStorage::new(), ManualClock::new());
    let of = |algorithm: Algorithm| {
        let builder = RateLimiter::builder().algorithm(algorithm).requests(5).window(60);
        builder.storage(&storage).clock(clock.clone()).build().unwrap()
    };
    for &algorithm in Algorithm::ALL {
        assert_eq!(of(algorithm).check_cost("ada", 3).await.unwrap().remaining(), 2, "{algorithm}");
    }
    for &algorithm in Algorithm::ALL {
        assert_eq!(of(algorithm).test("ada").await.unwrap().remaining(), 2, "{algorithm}");
    }
    assert_eq!(storage.len(), 1);
}

#[tokio::test]
async fn several_subjects_of_different_algorithms_are_charged_all_or_none() {
    for &algorithm in Algorithm::ALL {
        for &other in Algorithm::ALL {
            let (limits, _) = handle();
            let user = per_minute(&limits, algorithm, "user", 3);
            let tenant = per_minute(&limits, other, "tenant", 5);
            for _ in 0..3 {
                let decision = check_all([user.of("ada"), tenant.of("acme")]).await.unwrap();
                assert!(decision.is_allowed(), "{algorithm} {other}");
            }
            let refused = check_all([user.of("ada"), tenant.of("acme")]).await.unwrap();
            assert!(!refused.is_allowed(), "{algorithm} {other}");
            assert_eq!(remaining_of_each(&refused), [0, 2], "{algorithm} {other}");
            let subjects: Vec<usize> = refused.rules().iter().map(limitra::RuleDecision::subject).collect();
            assert_eq!(subjects, [0, 1]);
            assert_eq!(refused.limit(), user.config().limits.first().copied());

            assert!(check_all([tenant.of("acme").cost(2), user.of("bob")]).await.unwrap().is_allowed());
            assert!(!check_all([user.of("bob"), tenant.of("acme")]).await.unwrap().is_allowed());
            assert_eq!(user.usage("bob").await.unwrap().count, 1, "{algorithm} {other}");
            assert_eq!(tenant.usage("acme").await.unwrap().remaining, 0, "{algorithm} {other}");
        }
    }
}

#[tokio::test]
async fn one_subject_is_decided_as_by_its_limiter() {
    let (limiter, _) = five_per_minute(Algorithm::TokenBucket);
    assert_eq!(check_all([limiter.of("ada").cost(2)]).await.unwrap().remaining(), 3);
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
}

#[tokio::test]
async fn two_identifiers_of_one_limiter_are_two_subjects() {
    let (limiter, _) = five_per_minute(Algorithm::Gcra);
    limiter.check_cost("bob", 5).await.unwrap();
    assert!(!check_all([limiter.of("ada"), limiter.of("bob")]).await.unwrap().is_allowed());
    assert_eq!(limiter.usage("ada").await.unwrap().count, 0);
}

#[tokio::test]
async fn a_subject_without_a_limit_takes_part_in_name_only() {
    let (limits, _) = handle();
    let user = per_minute(&limits, Algorithm::Gcra, "user", 1);
    let tenant = limits.limiter().limit(Limit::UNLIMITED).scope("tenant").build().unwrap();
    let decision = check_all([tenant.of("acme"), user.of("ada")]).await.unwrap();
    assert!(decision.is_allowed());
    assert_eq!(decision.rules().len(), 1);
    assert_eq!(decision.rules()[0].subject(), 1);
    assert!(!check_all([tenant.of("acme"), user.of("ada")]).await.unwrap().is_allowed());
}

#[tokio::test]
async fn a_cost_of_nothing_among_several_subjects_charges_only_the_others() {
    let (limits, _) = handle();
    let user = per_minute(&limits, Algorithm::Gcra, "user", 1);
    let tenant = per_minute(&limits, Algorithm::Gcra, "tenant", 5);
    user.check("ada").await.unwrap();
    assert!(check_all([user.of("ada").cost(0), tenant.of("acme")]).await.unwrap().is_allowed());
    assert_eq!(tenant.usage("acme").await.unwrap().count, 1);
    assert_eq!(user.usage("ada").await.unwrap().count, 1);
}

#[tokio::test]
async fn a_cost_above_one_of_several_limits_is_an_error_and_charges_none() {
    let (limits, _) = handle();
    let user = per_minute(&limits, Algorithm::Gcra, "user", 3);
    let tenant = per_minute(&limits, Algorithm::Gcra, "tenant", 5);
    let error = check_all([tenant.of("acme"), user.of("ada").cost(4)]).await.unwrap_err();
    assert!(matches!(error, Error::CostAboveLimit { cost: 4, limit } if limit.amount() == 3), "{error}");
    assert_eq!(tenant.usage("acme").await.unwrap().count, 0);
}

#[tokio::test]
async fn limiters_of_different_storages_cannot_decide_together() {
    let (one, _) = five_per_minute(Algorithm::Gcra);
    let (other, _) = five_per_minute(Algorithm::Gcra);
    let error = check_all([one.of("ada"), other.of("bob")]).await.unwrap_err();
    assert!(matches!(error, Error::Configuration(ConfigurationError::DifferentStorages)), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("share a storage") && message.contains("`Limitra` handle"), "{message}");
    assert_eq!(one.usage("ada").await.unwrap().count, 0);
}

#[tokio::test]
async fn limiters_of_different_clocks_cannot_decide_together() {
    let storage = MemoryStorage::new();
    let of = |clock: Option<ManualClock>| {
        let builder = RateLimiter::builder().requests(5).window(60).storage(&storage);
        match clock {
            Some(clock) => builder.clock(clock).build().unwrap(),
            None => builder.build().unwrap(),
        }
    };
    let clock = ManualClock::new();
    for (one, other) in [(Some(clock.clone()), None), (Some(clock.clone()), Some(ManualClock::new()))] {
        let (one, other) = (of(one), of(other));
        let error = check_all([one.of("ada"), other.of("bob")]).await.unwrap_err();
        assert!(matches!(error, Error::Configuration(ConfigurationError::DifferentStorages)), "{error:?}");
    }
    let (one, other) = (of(Some(clock.clone())), of(Some(clock)));
    assert!(check_all([one.of("ada"), other.of("bob")]).await.unwrap().is_allowed());
}

#[tokio::test]
async fn a_subject_that_is_named_twice_is_an_error() {
    let storage = MemoryStorage::new();
    let of = |amount| RateLimiter::builder().requests(amount).window(60).storage(&storage).build().unwrap();
    let (one, other) = (of(5), of(10));
    for error in [
        check_all([one.of("ada"), one.of("ada")]).await.unwrap_err(),
        check_all([one.of("7"), other.of(7)]).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Configuration(ConfigurationError::SubjectTwice)), "{error:?}");
        assert!(error.to_string().contains("the sum of the costs"), "{error}");
    }
    assert!(storage.is_empty());
}

#[tokio::test]
async fn a_decision_about_nobody_is_an_error() {
    let error = check_all([]).await.unwrap_err();
    assert!(matches!(error, Error::Configuration(ConfigurationError::NoSubject)), "{error:?}");
    assert_eq!(error.to_string(), "a decision needs at least one subject");
}

#[tokio::test]
async fn subjects_whose_limiting_is_off_are_allowed_together() {
    let off = LimitraConfig::new().enabled(false).build().unwrap();
    let (user, tenant) =
        (per_minute(&off, Algorithm::Gcra, "user", 1), per_minute(&off, Algorithm::Gcra, "tenant", 1));
    for _ in 0..3 {
        assert!(check_all([user.of("ada"), tenant.of("acme")]).await.unwrap().is_allowed());
    }
    let on = LimitraConfig::new().build().unwrap();
    let ip = per_minute(&on, Algorithm::Gcra, "ip", 1);
    let decision = check_all([user.of("ada"), ip.of("::1")]).await.unwrap();
    assert_eq!(decision.rules()[0].subject(), 1, "a subject is named by its place");
    assert!(!check_all([user.of("ada"), ip.of("::1")]).await.unwrap().is_allowed());
}
