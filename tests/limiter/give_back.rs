//! What an allowed hit charged is given back, once, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use limitra::{
    Algorithm, ConfigurationError, Error, Limit, ManualClock, MemoryStorage, RateLimiter, check_all,
    give_back_all,
};
use tokio::task::JoinSet;

use crate::{MINUTE, five_per_minute, per_minute};

fn is_other_decision(answer: &Result<bool, Error>) -> bool {
    matches!(answer, Err(Error::Configuration(ConfigurationError::OtherDecision)))
}

#[tokio::test]
async fn a_charge_that_is_given_back_at_once_was_never_made() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        limiter.check("ada").await.unwrap();
        let before = limiter.usage("ada").await.unwrap();
        let charged = limiter.check_cost("ada", 3).await.unwrap();
        assert!(limiter.give_back("ada", charged).await.unwrap(), "{algorithm}");
        assert_eq!(limiter.usage("ada").await.unwrap(), before, "{algorithm}");
        assert!(limiter.check_cost("ada", 4).await.unwrap().is_allowed(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_record_that_comes_to_nothing_is_forgotten() {
    for &algorithm in Algorithm::ALL {
        let memory = MemoryStorage::new();
        let limits = [(5, 60), (9, 3600)]
            .map(|(amount, seconds)| Limit::new(amount, Duration::from_secs(seconds)).unwrap());
        for limits in [&limits[..1], &limits[..]] {
            let limiter = RateLimiter::builder().algorithm(algorithm).limits(limits.iter().copied());
            let limiter = limiter.storage(&memory).build().unwrap();
            let (one, other) =
                (limiter.check("ada").await.unwrap(), limiter.check_cost("ada", 2).await.unwrap());
            assert!(limiter.give_back("ada", one).await.unwrap());
            assert_eq!(memory.len(), 1);
            assert!(limiter.give_back("ada", other).await.unwrap());
            // By its own clock a microsecond of a bucket may have drained: then nothing of it is left.
            assert!(memory.is_empty(), "{algorithm}: {memory:?}");
        }
    }
}

#[tokio::test]
async fn what_charged_nothing_gives_nothing_back() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        let nothing = limiter.check_cost("ada", 0).await.unwrap();
        let kept = limiter.check_cost("ada", 5).await.unwrap();
        limiter.check("bob").await.unwrap();
        let (refused, tested) = (limiter.check("ada").await.unwrap(), limiter.test("bob").await.unwrap());
        assert!(!refused.is_allowed() && tested.is_allowed());
        assert!(limiter.check_cost("bob", 4).await.unwrap().is_allowed());
        for (who, decision) in [("ada", nothing), ("ada", refused), ("bob", tested)] {
            assert!(!limiter.give_back(who, decision).await.unwrap(), "{algorithm}");
        }
        let unlimited = RateLimiter::builder().limit(Limit::UNLIMITED).build().unwrap();
        let decision = unlimited.check("ada").await.unwrap();
        assert!(!limiter.give_back("ada", decision).await.unwrap());
        assert_eq!(limiter.usage("bob").await.unwrap().remaining, 0);
        assert!(!limiter.allow_request("ada").await.unwrap());
        assert!(limiter.give_back("ada", kept).await.unwrap());
    }
}

#[tokio::test]
async fn a_test_that_several_limits_allowed_gives_nothing_back() {
    let limiter = RateLimiter::builder().notation("5/minute; 100/day").build().unwrap();
    let tested = limiter.test("ada").await.unwrap();
    let charged = limiter.check("ada").await.unwrap();
    assert!(!limiter.give_back("ada", tested).await.unwrap());
    assert!(limiter.give_back("ada", charged).await.unwrap());
}

#[tokio::test]
async fn a_charge_of_a_window_that_has_ended_stays_there() {
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) = five_per_minute(algorithm);
        let charged = limiter.check("ada").await.unwrap();
        clock.advance(MINUTE * 2);
        limiter.check_cost("ada", 5).await.unwrap();
        assert!(!limiter.give_back("ada", charged).await.unwrap(), "{algorithm}");
        assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_charge_of_the_slot_before_is_given_back_from_the_weight_that_it_has() {
    let (limiter, clock) = five_per_minute(Algorithm::SlidingWindow);
    let charged = limiter.check_cost("ada", 4).await.unwrap();
    // At the next slot's start the whole count weighs.
    clock.advance(Duration::from_secs(40));
    assert_eq!(limiter.usage("ada").await.unwrap().remaining, 1);
    limiter.check("ada").await.unwrap();
    assert!(limiter.give_back("ada", charged).await.unwrap());
    assert_eq!(limiter.usage("ada").await.unwrap().remaining, 4);
}

#[tokio::test]
async fn an_elastic_window_keeps_its_end() {
    let (limiter, clock) = five_per_minute(Algorithm::FixedWindowElasticExpiry);
    limiter.check("ada").await.unwrap();
    clock.advance(MINUTE / 2);
    let charged = limiter.check("ada").await.unwrap();
    assert!(limiter.give_back("ada", charged).await.unwrap());
    let usage = limiter.test("ada").await.unwrap();
    assert_eq!((usage.remaining(), usage.reset_after()), (4, MINUTE));
}

#[tokio::test]
async fn a_log_ends_with_the_newest_entry_that_is_left() {
    let (limiter, clock) = five_per_minute(Algorithm::MovingWindow);
    let oldest = limiter.check("ada").await.unwrap();
    clock.advance(MINUTE / 4);
    limiter.check_cost("ada", 2).await.unwrap();
    clock.advance(MINUTE / 4);
    let newest = limiter.check_cost("ada", 2).await.unwrap();
    assert!(limiter.give_back("ada", newest).await.unwrap());
    assert_eq!(limiter.test("ada").await.unwrap().reset_after(), MINUTE * 3 / 4);
    assert!(limiter.give_back("ada", oldest).await.unwrap());
    let left = limiter.test_cost("ada", 4).await.unwrap();
    assert_eq!((left.remaining(), left.retry_after()), (3, MINUTE * 3 / 4));
}

#[tokio::test]
async fn a_bucket_gives_back_what_has_not_drained() {
    for algorithm in [Algorithm::TokenBucket, Algorithm::LeakyBucket, Algorithm::Gcra] {
        let (limiter, clock) = five_per_minute(algorithm);
        // What was there before drains first.
        limiter.check("ada").await.unwrap();
        let charged = limiter.check("ada").await.unwrap();
        clock.advance(Duration::from_secs(6));
        assert!(limiter.give_back("ada", charged).await.unwrap());
        assert_eq!(limiter.test("ada").await.unwrap().reset_after(), Duration::from_secs(6), "{algorithm}");
        // Then itself.
        let charged = limiter.check_cost("ada", 4).await.unwrap();
        clock.advance(Duration::from_secs(12));
        limiter.check("ada").await.unwrap();
        assert!(limiter.give_back("ada", charged).await.unwrap());
        assert_eq!(limiter.test("ada").await.unwrap().reset_after(), Duration::from_secs(12), "{algorithm}");
    }
}

#[tokio::test]
async fn a_bucket_that_was_counted_anew_by_another_amount_gives_nothing_back() {
    for algorithm in [Algorithm::TokenBucket, Algorithm::LeakyBucket, Algorithm::Gcra] {
        let (memory, clock) = (MemoryStorage::new(), ManualClock::new());
        let of = |requests: u64| {
            let limiter = RateLimiter::builder().algorithm(algorithm).requests(requests).window(60);
            limiter.storage(&memory).clock(clock.clone()).build().unwrap()
        };
        let charged = of(5).check("ada").await.unwrap();
        of(10).check("ada").await.unwrap();
        let before = of(10).usage("ada").await.unwrap();
        assert!(!of(10).give_back("ada", charged).await.unwrap());
        assert_eq!(of(10).usage("ada").await.unwrap(), before);
    }
}

#[tokio::test]
async fn several_subjects_get_back_each_its_own_cost() {
    let memory = MemoryStorage::new();
    let limiter = |algorithm, scope: &str| {
        let limiter = RateLimiter::builder().algorithm(algorithm).requests(10).window(3600);
        limiter.scope(scope).storage(&memory).build().unwrap()
    };
    let (user, tenant) =
        (limiter(Algorithm::MovingWindow, "user"), limiter(Algorithm::SlidingWindow, "tenant"));
    let unlimited = RateLimiter::builder().limit(Limit::UNLIMITED).storage(&memory).build().unwrap();
    let charges =
        || [unlimited.of("all"), user.of("ada").cost(2), tenant.of("acme").cost(7), user.of("eve").cost(0)];
    let decision = check_all(charges()).await.unwrap();
    assert!(decision.is_allowed());
    assert_eq!(tenant.usage("acme").await.unwrap().remaining, 3);
    assert!(give_back_all(charges(), decision).await.unwrap());
    for usage in [user.usage("ada").await.unwrap(), tenant.usage("acme").await.unwrap()] {
        assert_eq!(usage.remaining, 10);
    }
    assert!(memory.is_empty());
}

#[tokio::test]
async fn a_decision_of_other_limits_subjects_or_costs_is_a_mistake_and_touches_nothing() {
    let memory = MemoryStorage::new();
    let limiter = |notation: &str| {
        RateLimiter::builder().notation(notation).storage(&memory).scope(notation).build().unwrap()
    };
    let (minute, hour, both) = (limiter("5/minute"), limiter("5/hour"), limiter("5/minute; 5/hour; 9/day"));
    let decision = minute.check("ada").await.unwrap();
    assert!(is_other_decision(&hour.give_back("ada", decision.clone()).await));
    assert!(is_other_decision(&both.give_back("ada", decision.clone()).await));
    let several = both.check("ada").await.unwrap();
    assert!(is_other_decision(&minute.give_back("ada", several).await));
    for charges in [
        vec![minute.of("ada").cost(2)],
        vec![minute.of("ada"), hour.of("ada")],
        vec![hour.of("ada"), minute.of("ada")],
    ] {
        assert!(is_other_decision(&give_back_all(charges, decision.clone()).await));
    }
    assert_eq!(minute.usage("ada").await.unwrap().count, 1);
    // Of one subject or of several, it is the same charge.
    assert!(give_back_all([minute.of("ada")], decision).await.unwrap());
}

#[tokio::test]
async fn nobody_else_gets_it_back() {
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) = five_per_minute(algorithm);
        let charged = limiter.check("ada").await.unwrap();
        clock.advance(Duration::from_secs(1));
        assert!(!limiter.give_back("bob", charged).await.unwrap());
        assert_eq!(limiter.usage("ada").await.unwrap().remaining, 4, "{algorithm}");
    }
}

#[tokio::test]
async fn a_record_from_the_far_future_is_left_as_it_is() {
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) = five_per_minute(algorithm);
        let charged = limiter.check("ada").await.unwrap();
        clock.step_back(MINUTE * 10);
        assert!(!limiter.give_back("ada", charged.clone()).await.unwrap(), "{algorithm}");
        clock.advance(MINUTE * 10);
        assert!(limiter.give_back("ada", charged).await.unwrap(), "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_wrong_passwords_at_once_5_are_tried() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = five_per_minute(algorithm);
        let limiter = Arc::new(limiter);
        let mut logins = JoinSet::new();
        for _ in 0..200 {
            let limiter = Arc::clone(&limiter);
            logins.spawn(async move {
                let decision = limiter.check("ada").await.unwrap();
                tokio::task::yield_now().await;
                // Wrong, so it stays charged.
                u64::from(decision.is_allowed())
            });
        }
        assert_eq!(logins.join_all().await.iter().sum::<u64>(), 5, "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_right_passwords_at_once_none_is_counted_in_the_end() {
    for &algorithm in Algorithm::ALL {
        // By a clock that stands still, and, buckets in words, by the storage's own.
        for own in [false, true] {
            let clock = ManualClock::new();
            let memory = MemoryStorage::builder().clock(clock.clone()).build().unwrap();
            let builder = per_minute(algorithm, 5).0;
            let limiter = if own {
                RateLimiter::builder().algorithm(algorithm).requests(5).window(60).storage(&memory).build()
            } else {
                builder.storage(&memory).build()
            };
            let limiter = Arc::new(limiter.unwrap());
            let mut logins = JoinSet::new();
            for _ in 0..200 {
                let limiter = Arc::clone(&limiter);
                logins.spawn(async move {
                    let decision = limiter.check("ada").await.unwrap();
                    tokio::task::yield_now().await;
                    let is_allowed = decision.is_allowed();
                    assert_eq!(limiter.give_back("ada", decision).await.unwrap(), is_allowed);
                });
            }
            logins.join_all().await;
            assert!(memory.is_empty(), "{algorithm}: {:?}", limiter.usage("ada").await);
            assert!(limiter.check_cost("ada", 5).await.unwrap().is_allowed());
        }
    }
}

#[tokio::test]
async fn a_key_that_is_less_exceeded_by_it_makes_room_again() {
    let clock = ManualClock::new();
    let memory = MemoryStorage::builder().max_keys(2).clock(clock.clone()).build().unwrap();
    for &algorithm in Algorithm::ALL {
        memory.reset();
        let limiter = RateLimiter::builder().algorithm(algorithm).requests(2).window(60).storage(&memory);
        let limiter = limiter.build().unwrap();
        let mut decisions = Vec::new();
        for who in ["ada", "bob"] {
            limiter.check(who).await.unwrap();
            decisions.push(limiter.check(who).await.unwrap());
        }
        assert!(limiter.check("eve").await.is_err(), "{algorithm}: exceeded records went");
        assert!(limiter.give_back("bob", decisions.pop().unwrap()).await.unwrap());
        assert!(limiter.allow_request("eve").await.unwrap(), "{algorithm}");
        assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
    }
}
