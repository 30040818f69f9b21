//! Clocks that differ, stand still or leap.

use std::time::Duration;

use limitra::{Algorithm, Limit, ManualClock, MemoryStorage, Micros, RateLimiter};

use crate::stage::{FULL_MINUTE, MINUTE, admitted, limiter, per_minute};

#[tokio::test]
async fn two_clients_whose_clocks_differ_get_no_second_quota() {
    let skew = Duration::from_secs(10);
    for &algorithm in Algorithm::ALL {
        let storage = MemoryStorage::new();
        let client = |clock: &ManualClock| {
            let builder = RateLimiter::builder().algorithm(algorithm).requests(4).window(60);
            builder.storage(&storage).clock(clock.clone()).build().unwrap()
        };
        let (slow, fast) = (ManualClock::at(FULL_MINUTE), ManualClock::at(FULL_MINUTE));
        fast.advance(skew * 2);
        let clients = [client(&slow), client(&fast)];
        let mut passed = 0;
        for _ in 0..100 {
            for client in &clients {
                passed += admitted(client, 1).await;
            }
            for clock in [&slow, &fast] {
                clock.advance(Duration::from_millis(100));
            }
        }
        // A bucket refills by the later of the clocks: two of four per minute in thirty seconds.
        let most = if algorithm.is_bucket() { 4 + 2 } else { 4 };
        assert!(passed >= 4 && passed <= most, "{algorithm}: {passed}");
    }
}

#[tokio::test]
async fn a_clock_that_steps_back_neither_locks_out_nor_gives_away() {
    for &algorithm in Algorithm::ALL {
        for back in [1, 10, 100, 3600, 86_400, 365 * 86_400] {
            let (limiter, clock) = per_minute(algorithm, 5);
            admitted(&limiter, 3).await;
            clock.step_back(Duration::from_secs(back));
            assert!(admitted(&limiter, 10).await <= 2, "{algorithm}: given away after {back} s back");
            let wait = limiter.wait_time("ada").await.unwrap();
            assert!(wait <= MINUTE * 2, "{algorithm}: locked out for {wait:?} after {back} s back");
            clock.advance(wait);
            assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}: {back} s back");
        }
    }
}

#[tokio::test]
async fn a_clock_that_leaps_a_year_ahead_and_back_gives_at_most_one_more_window() {
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) = per_minute(algorithm, 5);
        let year = Duration::from_secs(365 * 86_400);
        let mut passed = admitted(&limiter, 10).await;
        clock.advance(year);
        passed += admitted(&limiter, 10).await;
        clock.step_back(year);
        passed += admitted(&limiter, 10).await;
        assert_eq!(passed, 10, "{algorithm}");
        let wait = limiter.wait_time("ada").await.unwrap();
        assert!(wait <= MINUTE * 2, "{algorithm}: {wait:?}");
        clock.advance(wait);
        assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
    }
}

/// Where a clock may be set to, and back.
const JUMPS: [fn(&ManualClock); 6] = [
    |clock| clock.set(Micros::ZERO),
    |clock| clock.step_back(Duration::from_secs(10)),
    |clock| clock.step_back(Duration::from_micros(1)),
    |clock| clock.advance(Duration::from_secs(365 * 86_400)),
    |clock| clock.set(Micros::new(u64::MAX)),
    |clock| clock.advance(Duration::MAX),
];

#[tokio::test]
async fn whatever_a_clock_jumps_to_nobody_is_let_in_twice_at_one_instant_or_kept_out_for_longer_than_told() {
    for &algorithm in Algorithm::ALL {
        for window in [Limit::MIN_WINDOW, MINUTE, Limit::MAX_WINDOW] {
            for first in JUMPS {
                for second in JUMPS {
                    let (limiter, clock) = limiter(algorithm, Limit::new(3, window).unwrap());
                    for jump in [|_: &ManualClock| (), first, second] {
                        jump(&clock);
                        assert!(admitted(&limiter, 10).await <= 3, "{algorithm}, {window:?}");
                        let refused = limiter.check("ada").await.unwrap();
                        let wait = refused.retry_after();
                        assert!(!refused.is_allowed() && !wait.is_zero(), "{algorithm}, {window:?}");
                        assert!(wait <= window * 2, "{algorithm}, {window:?}: locked out for {wait:?}");
                    }
                    let latest = Micros::MAX.minus(Micros::from_duration(window * 4));
                    let wait = limiter.wait_time("ada").await.unwrap();
                    if clock.now() < latest {
                        clock.advance(wait);
                        assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}, {window:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_window_of_a_millisecond_and_one_of_decades_hold_their_limit_to_the_microsecond() {
    let tick = Duration::from_micros(1);
    for &algorithm in Algorithm::ALL {
        for window in [Limit::MIN_WINDOW, Duration::from_secs(40 * 365 * 86_400)] {
            let (limiter, clock) = limiter(algorithm, Limit::new(2, window).unwrap());
            // A slot of the clock begins here, so that all algorithms wait alike.
            let slot = Micros::from_duration(window).get();
            clock.set(Micros::new(FULL_MINUTE.get() / slot * slot));
            assert_eq!(admitted(&limiter, 5).await, 2, "{algorithm}, {window:?}");
            let wait = limiter.wait_time("ada").await.unwrap();
            clock.advance(wait.saturating_sub(tick));
            assert!(
                !limiter.test("ada").await.unwrap().is_allowed(),
                "{algorithm}, {window:?}: a microsecond early"
            );
            clock.advance(tick);
            assert_eq!(admitted(&limiter, 5).await.min(1), 1, "{algorithm}, {window:?}");
        }
    }
}

#[tokio::test]
async fn hits_a_microsecond_apart_are_hits_of_their_own_instants() {
    for &algorithm in Algorithm::ALL {
        let limit = Limit::new(500, Limit::MIN_WINDOW).unwrap();
        let (limiter, clock) = limiter(algorithm, limit);
        let mut passed = 0;
        // Twice as fast as the limit, through four windows.
        for _ in 0..4000 {
            passed += admitted(&limiter, 1).await;
            clock.advance(Duration::from_micros(1));
        }
        let bounds = match algorithm {
            // Four windows full.
            Algorithm::FixedWindow | Algorithm::FixedWindowAligned | Algorithm::MovingWindow => 2000..=2000,
            // It never is left alone for a window.
            Algorithm::FixedWindowElasticExpiry => 500..=500,
            // What the last slot still weighs is refused.
            Algorithm::SlidingWindow => 1500..=2000,
            // The burst, and a unit each two microseconds.
            _ => 2490..=2500,
        };
        assert!(bounds.contains(&passed), "{algorithm}: {passed}");
    }
}
