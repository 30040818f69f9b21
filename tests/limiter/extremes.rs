//! Extreme numbers: no panic, no overflow, an answer that makes sense. Tests are built with overflow checks.

use std::time::{Duration, SystemTime};

use limitra::{Algorithm, Limit, ManualClock, Micros, RateLimiter, check_all};

const EXTREME_AMOUNTS: [u64; 8] =
    [1, 2, 1000, u32::MAX as u64, Limit::MAX_AMOUNT - 1, Limit::MAX_AMOUNT, u64::MAX - 1, u64::MAX];

fn extreme_windows() -> [Duration; 5] {
    [
        Limit::MIN_WINDOW,
        Duration::from_micros(1001),
        Duration::from_secs(60),
        Limit::MAX_WINDOW - Duration::from_micros(1),
        Limit::MAX_WINDOW,
    ]
}

fn extreme_instants() -> [Micros; 7] {
    let year_5000 = SystemTime::UNIX_EPOCH + Duration::from_secs(3030 * 31_556_952);
    [
        Micros::ZERO,
        Micros::new(1),
        Micros::new(1_700_000_000_000_000),
        Micros::from_system_time(year_5000),
        Micros::new(Micros::MAX.get() - 1),
        Micros::MAX,
        Micros::new(u64::MAX),
    ]
}

fn limiter(algorithm: Algorithm, amount: u64, window: Duration, now: Micros) -> (RateLimiter, ManualClock) {
    let clock = ManualClock::at(now);
    let limit = Limit::new(amount, window).unwrap();
    let builder = RateLimiter::builder().algorithm(algorithm).limit(limit).clock(clock.clone());
    (builder.build().unwrap(), clock)
}

#[tokio::test]
async fn no_pair_of_amount_and_window_is_refused_and_each_holds_exactly_its_amount() {
    for &algorithm in Algorithm::ALL {
        for amount in EXTREME_AMOUNTS {
            for window in extreme_windows() {
                for now in extreme_instants() {
                    let (limiter, _) = limiter(algorithm, amount, window, now);
                    let all = amount.min(Limit::MAX_AMOUNT);
                    let place = format!("{algorithm} {amount} {window:?} {now:?}");
                    let first = limiter.check("ada").await.unwrap();
                    assert!(first.is_allowed(), "{place}");
                    assert_eq!(first.remaining(), all - 1, "{place}");
                    let rest = limiter.check_cost("ada", all - 1).await.unwrap();
                    assert!(rest.is_allowed(), "{place}");
                    assert_eq!(rest.remaining(), 0, "{place}");
                    let refused = limiter.check("ada").await.unwrap();
                    assert!(!refused.is_allowed(), "{place}");
                    assert!(refused.retry_after() > Duration::ZERO, "{place}");
                    assert!(refused.retry_after() <= window * 2, "{place}: {:?}", refused.retry_after());
                    assert!(refused.reset_after() <= window * 2 + Duration::from_micros(1), "{place}");
                    assert!(limiter.status("ada").await.unwrap().is_some(), "{place}");
                    assert!(limiter.usage("ada").await.unwrap().limited, "{place}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_wait_of_any_amount_and_window_is_exact() {
    for &algorithm in Algorithm::ALL {
        for amount in [1, 2, 3, 7, 1000, 1_000_000_007, Limit::MAX_AMOUNT] {
            for window in [
                Limit::MIN_WINDOW,
                Duration::from_micros(1001),
                Duration::from_secs(60),
                // Two windows of 50 years from now on, and two more, still are before the end of the numbers.
                Limit::MAX_WINDOW / 2 - Duration::from_micros(1),
                Limit::MAX_WINDOW / 2,
            ] {
                for now in [Micros::ZERO, Micros::new(1), Micros::new(1_700_000_000_000_000)] {
                    let (limiter, clock) = limiter(algorithm, amount, window, now);
                    let place = format!("{algorithm} {amount} {window:?} {now:?}");
                    limiter.check_cost("ada", amount).await.unwrap();
                    let wait = limiter.wait_time("ada").await.unwrap();
                    clock.advance(wait - Duration::from_micros(1));
                    assert!(
                        !limiter.test("ada").await.unwrap().is_allowed(),
                        "{place}: {wait:?} is too long"
                    );
                    clock.advance(Duration::from_micros(1));
                    assert!(limiter.allow_request("ada").await.unwrap(), "{place}: {wait:?} is too short");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_burst_of_any_depth_that_fills_in_a_century_is_held_exactly() {
    for algorithm in [Algorithm::TokenBucket, Algorithm::LeakyBucket, Algorithm::Gcra] {
        for (amount, window, burst) in [
            (1, Limit::MIN_WINDOW, 3_155_760_000_000),
            (1, Limit::MAX_WINDOW, 1),
            (Limit::MAX_AMOUNT, Limit::MAX_WINDOW, Limit::MAX_AMOUNT),
            (Limit::MAX_AMOUNT, Limit::MIN_WINDOW, Limit::MAX_AMOUNT),
            (Limit::MAX_AMOUNT, Limit::MIN_WINDOW, 1),
            (3, Duration::from_secs(1), 7),
        ] {
            for now in extreme_instants() {
                let limit = Limit::new(amount, window).unwrap().with_burst(burst).unwrap();
                let clock = ManualClock::at(now);
                let builder = RateLimiter::builder().algorithm(algorithm).limit(limit).clock(clock.clone());
                let limiter = builder.build().unwrap();
                let place = format!("{algorithm} {limit} {now:?}");
                assert!(limiter.check_cost("ada", burst).await.unwrap().is_allowed(), "{place}");
                assert!(!limiter.allow_request("ada").await.unwrap(), "{place}");
                assert_eq!(limiter.usage("ada").await.unwrap().remaining, 0, "{place}");
                assert!(limiter.wait_time("ada").await.unwrap() <= window, "{place}");
            }
        }
    }
}

#[tokio::test]
async fn a_clock_may_leap_anywhere_and_back_without_a_panic_or_a_lasting_lock_out() {
    let window = Duration::from_secs(60);
    for &algorithm in Algorithm::ALL {
        for from in extreme_instants() {
            for to in extreme_instants() {
                let (limiter, clock) = limiter(algorithm, 5, window, from);
                let place = format!("{algorithm} {from:?} {to:?}");
                limiter.check_cost("ada", 5).await.unwrap();
                clock.set(to);
                let wait = limiter.check("ada").await.unwrap().retry_after();
                assert!(wait <= window * 2, "{place}: locked out for {wait:?}");
                clock.set(from);
                let wait = limiter.check("ada").await.unwrap().retry_after();
                assert!(wait <= window * 2, "{place}: locked out for {wait:?}");
                if clock.now() < Micros::new(1_800_000_000_000_000) {
                    clock.advance(window * 2 + Duration::from_micros(1));
                    assert!(limiter.allow_request("ada").await.unwrap(), "{place}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_clock_that_leaps_back_and_forth_grants_no_more_than_each_window_may() {
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) =
            limiter(algorithm, 5, Duration::from_secs(60), Micros::new(1_700_000_000_000_000));
        let mut admitted = 0;
        for _ in 0..50 {
            clock.step_back(Duration::from_secs(10));
            admitted += u64::from(limiter.allow_request("ada").await.unwrap());
            clock.advance(Duration::from_secs(10));
            admitted += u64::from(limiter.allow_request("ada").await.unwrap());
        }
        assert_eq!(admitted, 5, "{algorithm}");
    }
}

#[tokio::test]
async fn any_cost_against_any_amount_is_decided_or_a_typed_error() {
    for &algorithm in Algorithm::ALL {
        for amount in EXTREME_AMOUNTS {
            for cost in [0, 1, u64::from(u32::MAX), Limit::MAX_AMOUNT, Limit::MAX_AMOUNT + 1, u64::MAX] {
                let (limiter, clock) =
                    limiter(algorithm, amount, Limit::MIN_WINDOW, Micros::new(1_700_000_000_000_000));
                for _ in 0..3 {
                    match limiter.check_cost("ada", cost).await {
                        Ok(_) => assert!(cost <= amount, "{algorithm} {amount} {cost}"),
                        Err(limitra::Error::CostAboveLimit { .. }) => {
                            assert!(cost > amount.min(Limit::MAX_AMOUNT), "{algorithm} {amount} {cost}");
                        }
                        Err(error) => panic!("{algorithm} {amount} {cost}: {error}"),
                    }
                    clock.advance(Duration::from_micros(333));
                }
            }
        }
    }
}

#[tokio::test]
async fn many_large_costs_over_many_windows_stay_exact() {
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) =
            limiter(algorithm, Limit::MAX_AMOUNT, Limit::MIN_WINDOW, Micros::new(1_700_000_000_000_000));
        for _ in 0..100 {
            let allowed = limiter.check_cost("ada", Limit::MAX_AMOUNT).await.unwrap();
            assert!(allowed.is_allowed(), "{algorithm}");
            assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
            clock.advance(allowed.reset_after());
        }
    }
}

#[tokio::test]
async fn windows_of_a_millisecond_and_a_century_are_decided_together() {
    for &algorithm in Algorithm::ALL {
        let limits = [Limit::new(1, Limit::MIN_WINDOW), Limit::new(2, Limit::MAX_WINDOW)].map(Result::unwrap);
        let clock = ManualClock::new();
        let limiter =
            RateLimiter::builder().algorithm(algorithm).limits(limits).clock(clock.clone()).build().unwrap();
        assert!(check_all([limiter.of("ada"), limiter.of("bob")]).await.unwrap().is_allowed(), "{algorithm}");
        assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        clock.advance(Duration::from_millis(3));
        assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        clock.advance(Duration::from_millis(3));
        let refused = limiter.check("ada").await.unwrap();
        assert!(!refused.is_allowed(), "{algorithm}");
        assert_eq!(refused.limit(), Some(limits[1]), "{algorithm}");
    }
}

#[tokio::test]
async fn a_clock_in_the_far_future_still_moves() {
    for &algorithm in Algorithm::ALL {
        let year_2200 = SystemTime::UNIX_EPOCH + Duration::from_secs(230 * 31_556_952);
        let (limiter, clock) = limiter(algorithm, 5, Duration::from_secs(60), year_2200.into());
        limiter.check_cost("ada", 5).await.unwrap();
        assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        clock.advance(limiter.wait_time("ada").await.unwrap());
        assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
    }
}

#[tokio::test]
async fn traffic_made_for_a_sliding_window_gets_twice_its_amount_within_a_window() {
    let begin_of_a_slot = Micros::new(1_700_000_000_000_000);
    let (limiter, clock) = limiter(Algorithm::SlidingWindow, 5, Duration::from_secs(10), begin_of_a_slot);
    clock.advance(Duration::from_secs(9));
    assert!(limiter.check_cost("ada", 5).await.unwrap().is_allowed());
    clock.advance(Duration::from_millis(9_500));
    assert!(limiter.check_cost("ada", 5).await.unwrap().is_allowed());
    assert!(!limiter.allow_request("ada").await.unwrap());
}
