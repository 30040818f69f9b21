//! What broke in other rate limiters, and does not here. What a storage's server has to do with is held elsewhere.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use limitra::{
    Algorithm, Backend, Error, Limit, Limitra, LimitraConfig, ManualClock, MemoryStorage, Micros,
    RateLimitExceeded, RateLimiter, check_all, rate_limit,
};

const MINUTE: Duration = Duration::from_secs(60);
const BUCKETS: [Algorithm; 3] = [Algorithm::TokenBucket, Algorithm::LeakyBucket, Algorithm::Gcra];

/// A whole minute of the clock.
const FULL_MINUTE: Micros = Micros::new(1_700_000_040_000_000);

fn limiter(algorithm: Algorithm, limit: Limit) -> (RateLimiter, ManualClock) {
    let clock = ManualClock::at(FULL_MINUTE);
    let builder = RateLimiter::builder().algorithm(algorithm).limit(limit).clock(clock.clone());
    (builder.build().unwrap(), clock)
}

fn per_minute(algorithm: Algorithm, amount: u64) -> (RateLimiter, ManualClock) {
    limiter(algorithm, Limit::new(amount, MINUTE).unwrap())
}

/// How many of `tries` requests pass at this instant.
async fn admitted(limiter: &RateLimiter, tries: u64) -> u64 {
    let mut admitted = 0;
    for _ in 0..tries {
        admitted += u64::from(limiter.allow_request("ada").await.unwrap());
    }
    admitted
}

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
async fn a_refused_hit_is_free() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = per_minute(algorithm, 10);
        assert!(
            matches!(limiter.check_cost("ada", 11).await, Err(Error::CostAboveLimit { .. })),
            "{algorithm}"
        );
        assert_eq!(admitted(&limiter, 10).await, 10, "{algorithm}");

        let (limiter, _) = per_minute(algorithm, 10);
        limiter.check("ada").await.unwrap();
        for _ in 0..5 {
            assert!(!limiter.check_cost("ada", 10).await.unwrap().is_allowed(), "{algorithm}");
        }
        assert_eq!(admitted(&limiter, 20).await, 9, "{algorithm}");
    }
}

#[tokio::test]
async fn a_large_cost_does_not_slip_through_on_the_last_unit() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = per_minute(algorithm, 100);
        limiter.check_cost("ada", 99).await.unwrap();
        for cost in [2, 50, 100] {
            let refused = limiter.check_cost("ada", cost).await.unwrap();
            assert!(!refused.is_allowed(), "{algorithm}");
            assert_eq!(refused.remaining(), 1, "{algorithm}");
        }
        assert_eq!(admitted(&limiter, 5).await, 1, "{algorithm}");
    }
}

#[tokio::test]
async fn a_refused_cost_does_not_block_a_smaller_one() {
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) = per_minute(algorithm, 10);
        limiter.check("ada").await.unwrap();
        assert!(!limiter.check_cost("ada", 10).await.unwrap().is_allowed(), "{algorithm}");
        assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        limiter.check_cost("ada", 8).await.unwrap();
        // And it is let in as soon as one unit is free, not at some end.
        let wait = limiter.wait_time("ada").await.unwrap();
        clock.advance(wait);
        assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
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

#[tokio::test]
async fn one_who_is_over_his_own_limit_does_not_eat_up_everybodys() {
    for &algorithm in Algorithm::ALL {
        let limits = LimitraConfig::new().clock(ManualClock::new()).build().unwrap();
        let of = |scope: &str, amount: u64| {
            limits.limiter().algorithm(algorithm).requests(amount).window(60).scope(scope).build().unwrap()
        };
        let (user, all) = (of("user", 1), of("all", 10));
        for _ in 0..20 {
            check_all([user.of("abuser"), all.of("")]).await.unwrap();
        }
        for other in 0..9 {
            let decision = check_all([user.of(other), all.of("")]).await.unwrap();
            assert!(decision.is_allowed(), "{algorithm}: {other}");
        }
        assert!(!check_all([user.of("late"), all.of("")]).await.unwrap().is_allowed(), "{algorithm}");
        assert_eq!(user.usage("late").await.unwrap().count, 0, "{algorithm}");
    }
}

#[tokio::test]
async fn one_who_is_over_his_own_limit_does_not_eat_up_a_functions() {
    #[rate_limit(requests = 10, window = 60, algorithm = "fixed_window", limitra = limits)]
    #[rate_limit(requests = 1, window = 60, key = "user", algorithm = "gcra")]
    async fn create_post(user: &str, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let limits = LimitraConfig::new().clock(ManualClock::new()).build().unwrap();
    create_post("abuser", &limits).await.unwrap();
    for _ in 0..20 {
        create_post("abuser", &limits).await.unwrap_err();
    }
    for other in 0..9 {
        create_post(&format!("user {other}"), &limits).await.unwrap();
    }
    create_post("late", &limits).await.unwrap_err();
}

#[tokio::test]
async fn an_exhausted_key_stays_exhausted_whatever_else_is_touched() {
    for (max_keys, flood) in [(1024, 100_000), (100_000, 100_000)] {
        let storage = MemoryStorage::with_max_keys(max_keys).unwrap();
        let of = |amount: u64| {
            let builder = RateLimiter::builder().requests(amount).window(3600).storage(&storage);
            builder.clock(ManualClock::new()).build().unwrap()
        };
        let (victim, other) = (of(5), of(1000));
        victim.check_cost("ada", 5).await.unwrap();
        for identifier in 0..flood {
            other.check(identifier).await.unwrap();
        }
        assert!(!victim.allow_request("ada").await.unwrap());
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

#[tokio::test]
async fn numbers_from_a_client_overflow_nothing() {
    #[rate_limit(
        requests = |requests, _, _, _| *requests,
        window = |_, window, _, _| *window,
        cost = |_, _, cost, _| *cost,
        algorithm = "gcra",
        key = "window",
        limitra = limits,
    )]
    async fn create_post(requests: u64, window: u64, cost: u64, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let limits = LimitraConfig::new().clock(ManualClock::new()).build().unwrap();
    let numbers =
        [0, 1, 2, 1000, u64::from(u32::MAX), 3_155_760_000, 1 << 53, i64::MAX.unsigned_abs(), u64::MAX];
    for requests in numbers {
        for window in numbers {
            for cost in numbers {
                let answer = create_post(requests, window, cost, &limits).await;
                let place = format!("{requests} {window} {cost}: {answer:?}");
                if window == 0 || window > 3_155_760_000 {
                    assert!(matches!(answer, Err(Error::Function { .. })), "{place}");
                } else if requests == 0 && cost > 0 {
                    assert!(matches!(answer, Err(Error::RateLimitExceeded(_))), "{place}");
                } else if cost > requests.min(Limit::MAX_AMOUNT) {
                    assert!(matches!(answer, Err(Error::CostAboveLimit { .. })), "{place}");
                } else {
                    assert!(matches!(answer, Ok(()) | Err(Error::RateLimitExceeded(_))), "{place}");
                }
            }
        }
    }
}

#[test]
fn a_megabyte_of_nonsense_is_refused_at_once() {
    let started = Instant::now();
    for piece in ["a", "_-", "sliding_window", "１", "1/0 second ", "\0", "://", "@", "%", "é"] {
        let nonsense = piece.repeat((1 << 20) / piece.len());
        assert!(nonsense.parse::<Algorithm>().is_err());
        assert!(nonsense.parse::<Backend>().is_err());
        assert!(LimitraConfig::new().redis_url(&nonsense).build().is_err());
        assert!(LimitraConfig::new().redis_url(format!("redis://{nonsense}:{nonsense}")).build().is_err());
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_handler_that_gives_nothing_back_still_keeps_the_function_from_running() {
    static RAN: AtomicU32 = AtomicU32::new(0);

    #[rate_limit(requests = 1, window = 60, on_exceeded = |_| (), fail_open = true, limitra = limits)]
    async fn tell(limits: &Limitra) {
        RAN.fetch_add(1, Ordering::SeqCst);
    }
    #[rate_limit(requests = 1, window = 60, on_exceeded = |_| None, fail_open = true, limitra = limits)]
    async fn ask(limits: &Limitra) -> Option<u32> {
        Some(RAN.fetch_add(1, Ordering::SeqCst))
    }

    let limits = LimitraConfig::new().clock(ManualClock::new()).build().unwrap();
    for _ in 0..5 {
        tell(&limits).await;
        ask(&limits).await;
    }
    assert_eq!(RAN.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn another_tier_neither_doubles_the_quota_nor_locks_out() {
    #[rate_limit(
        requests = |_, tier, _| tier.0,
        window = |_, tier, _| tier.1,
        key = "user",
        algorithm = "fixed_window",
        limitra = limits,
    )]
    async fn create_post(user: &str, tier: (u64, u64), limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (free, paid) = ((10, 60), (100, 3600));
    let clock = ManualClock::new();
    let limits = LimitraConfig::new().clock(clock.clone()).build().unwrap();
    for _ in 0..10 {
        create_post("ada", free, &limits).await.unwrap();
    }
    create_post("ada", free, &limits).await.unwrap_err();
    let mut passed = 0;
    for _ in 0..100 {
        for tier in [free, paid, (20, 60)] {
            passed += u32::from(create_post("ada", tier, &limits).await.is_ok());
        }
    }
    assert_eq!(passed, 100 + 10, "the hour's hundred, and what twenty a minute leave after ten");
    // After the budget is spent each hour brings a new one.
    for _ in 0..24 {
        clock.advance(Duration::from_secs(3600));
        create_post("ada", paid, &limits).await.unwrap();
    }
}

#[tokio::test]
async fn functions_and_algorithms_that_share_a_storage_never_read_each_others_records() {
    #[rate_limit(requests = 1, window = 60, key = "user", limitra = limits)]
    async fn create_post(user: &str, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, key = "user", limitra = limits)]
    async fn delete_post(user: &str, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let limits = LimitraConfig::new().clock(ManualClock::new()).build().unwrap();
    create_post("ada", &limits).await.unwrap();
    delete_post("ada", &limits).await.unwrap();
    create_post("ada", &limits).await.unwrap_err();
    for &algorithm in Algorithm::ALL {
        let limiter = limits.limiter().algorithm(algorithm).requests(1).window(60).build().unwrap();
        assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
    }
}
