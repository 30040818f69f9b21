//! What a hit costs, and whom.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use limitra::{Algorithm, Error, Limitra, LimitraConfig, ManualClock, check_all, rate_limit};

use crate::stage::{admitted, per_minute};

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
