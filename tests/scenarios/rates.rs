//! How much passes, and when the next may.

use std::time::Duration;

use limitra::{Algorithm, Limit, RateLimitExceeded};

use crate::stage::{BUCKETS, MINUTE, admitted, limiter, per_minute};

#[tokio::test]
async fn a_burst_across_a_boundary_passes_no_more_than_the_algorithm_promises() {
    let little = Duration::from_millis(1);
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) = per_minute(algorithm, 100);
        clock.advance(MINUTE);
        clock.step_back(little);
        assert_eq!(admitted(&limiter, 200).await, 100, "{algorithm}");
        clock.advance(little * 2);
        let after = admitted(&limiter, 200).await;
        match algorithm {
            // Slots of the clock: twice the amount, as documented.
            Algorithm::FixedWindowAligned => assert_eq!(after, 100),
            // The last slot still weighs all but a two-thousandth.
            Algorithm::SlidingWindow => assert_eq!(after, 1),
            _ => assert_eq!(after, 0, "{algorithm}"),
        }
    }
}

#[tokio::test]
async fn a_bucket_never_passes_more_than_its_burst_at_once_however_long_it_idled() {
    for algorithm in BUCKETS {
        for (amount, window, burst) in [(10, 10, 10), (10, 60, 10), (3, 7, 5), (1, 1, 1), (7, 3, 2)] {
            let limit = Limit::new(amount, Duration::from_secs(window)).unwrap().with_burst(burst).unwrap();
            let fill = Duration::from_secs(window * burst).as_micros() / u128::from(amount);
            let fill = Duration::from_micros(u64::try_from(fill).unwrap());
            for spent in [burst, 1] {
                for quarter in 0..=12 {
                    let (limiter, clock) = limiter(algorithm, limit);
                    limiter.check_cost("ada", spent).await.unwrap();
                    clock.advance(fill * quarter / 4);
                    let passed = admitted(&limiter, burst + 20).await;
                    assert!(passed <= burst, "{algorithm} {limit}: {passed} after {quarter} quarters");
                }
            }
        }
    }
}

#[tokio::test]
async fn in_the_long_run_a_bucket_passes_its_rate_and_loses_no_fraction() {
    for algorithm in BUCKETS {
        for (amount, seconds) in [(1, 10), (9, 10), (19, 10), (3, 7), (1, 3)] {
            let limit = Limit::new(amount, Duration::from_secs(seconds)).unwrap().with_burst(10).unwrap();
            let (limiter, clock) = limiter(algorithm, limit);
            let mut passed = 0;
            // Ten minutes of a request every 100 ms.
            for _ in 0..6000 {
                passed += admitted(&limiter, 1).await;
                clock.advance(Duration::from_millis(100));
            }
            // The last request came 100 ms before the end.
            let expected = 10 + amount * 599_900 / (seconds * 1000);
            assert_eq!(passed, expected, "{algorithm} {limit}");
        }
        let limit = Limit::new(1_000_000, Duration::from_secs(1)).unwrap().with_burst(10).unwrap();
        let (limiter, clock) = limiter(algorithm, limit);
        let mut passed = 0;
        for _ in 0..5000 {
            passed += admitted(&limiter, 2).await;
            clock.advance(Duration::from_micros(1));
        }
        assert_eq!(passed, 10 + 4999, "{algorithm} {limit}");
    }
}

#[tokio::test]
async fn a_limit_that_refills_within_a_second_is_held() {
    for &algorithm in Algorithm::ALL {
        for (amount, window) in [(400, 400), (1, 1), (1000, 1), (10, 10), (3, 100), (50, 999), (1000, 1000)] {
            let (limiter, _) = limiter(algorithm, Limit::new(amount, Duration::from_millis(window)).unwrap());
            assert_eq!(admitted(&limiter, amount * 2).await, amount, "{algorithm}: {amount} per {window} ms");
        }
    }
}

#[tokio::test]
async fn whoever_waits_the_seconds_he_was_told_is_let_in() {
    for &algorithm in Algorithm::ALL {
        for amount in [1, 3, 100] {
            for offset in [0, 1, 999_999, 20_000_000, 59_999_999] {
                let (limiter, clock) = per_minute(algorithm, amount);
                clock.advance(Duration::from_micros(offset));
                let place = format!("{algorithm} {amount} {offset}");
                admitted(&limiter, amount).await;
                let refused = limiter.check("ada").await.unwrap();
                let (wait, reset) = (refused.retry_after(), refused.reset_after());
                assert!(
                    wait > Duration::ZERO && wait <= MINUTE + Duration::from_micros(1),
                    "{place}: {wait:?}"
                );
                assert!(
                    reset >= wait,
                    "{place}: whole again after {reset:?}, before the next after {wait:?}"
                );
                // As a header says it.
                let seconds = u64::try_from(wait.as_micros().div_ceil(1_000_000)).unwrap();
                assert!(seconds >= 1, "{place}");
                clock.advance(Duration::from_secs(seconds));
                assert!(limiter.allow_request("ada").await.unwrap(), "{place}: told {seconds} s");
            }
        }
    }
}

#[tokio::test]
async fn what_is_used_is_never_said_to_be_reset_already() {
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) = per_minute(algorithm, 100);
        for _ in 0..500 {
            let decision = limiter.check("ada").await.unwrap();
            assert!(decision.reset_after() > Duration::ZERO, "{algorithm}");
            clock.advance(Duration::from_millis(777));
        }
    }
}

#[test]
fn an_error_never_says_to_retry_at_once() {
    let limit = Limit::new(10, MINUTE).unwrap();
    for (wait, shown) in [
        (Duration::from_nanos(1), "0.01s"),
        (Duration::from_micros(1), "0.01s"),
        (Duration::from_millis(10), "0.01s"),
        (Duration::from_micros(10_001), "0.02s"),
        (Duration::from_millis(1250), "1.25s"),
        (Duration::from_micros(59_990_001), "60.00s"),
    ] {
        let message = RateLimitExceeded::new(limit, wait).to_string();
        assert_eq!(message, format!("rate limit exceeded: 10 requests per 60s, retry after {shown}"));
    }
}
