//! What each parameter does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use limitra::{Algorithm, Error, Limitra, LimitraConfig, MemoryStorage, Storage, rate_limit};

use crate::witness::{Witness, limits, outage};

struct User {
    id: u64,
    quota: u32,
}

#[tokio::test]
async fn a_limit_refuses_what_is_above_it_until_the_window_is_over() {
    #[rate_limit(requests = 2, window = 60, algorithm = "fixed_window", limitra = limits)]
    async fn create_post(limits: &Limitra, text: &str) -> Result<usize, Error> {
        Ok(text.len())
    }

    let (limits, clock) = limits();
    assert_eq!(create_post(&limits, "a").await.expect("the first of two"), 1);
    assert_eq!(create_post(&limits, "ab").await.expect("the second of two"), 2);
    let Err(Error::RateLimitExceeded(exceeded)) = create_post(&limits, "c").await else {
        panic!("the third of two was let through");
    };
    assert_eq!((exceeded.requests, exceeded.window), (2, Duration::from_secs(60)));
    assert_eq!((exceeded.remaining, &*exceeded.scope), (0, "global"));
    assert_eq!(exceeded.function, "create_post");
    assert_eq!(exceeded.retry_after, Duration::from_secs(60));

    clock.advance(exceeded.retry_after);
    create_post(&limits, "d").await.expect("a new window");
}

#[tokio::test]
async fn without_any_configuration_memory_decides() {
    #[rate_limit(requests = 1, window = 60, algorithm = "fixed_window")]
    async fn create_post() -> Result<(), Error> {
        Ok(())
    }

    create_post().await.expect("the first of one");
    create_post().await.expect_err("the second of one");
}

#[tokio::test]
async fn an_expression_is_evaluated_once() {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    fn quota() -> u64 {
        ASKED.fetch_add(1, Ordering::SeqCst);
        3
    }
    #[rate_limit(requests = quota(), window = Duration::from_secs(60), limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, _) = limits();
    for _ in 0..3 {
        create_post(&limits).await.expect("three are allowed");
    }
    create_post(&limits).await.expect_err("the fourth of three");
    assert_eq!(ASKED.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_closure_is_asked_at_each_call() {
    #[rate_limit(requests = |user, _| user.quota, window = |user, _| if user.quota > 5 { 1 } else { 60 }, key = "user.id", limitra = limits)]
    async fn create_post(user: &User, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    let (free, paid) = (User { id: 1, quota: 2 }, User { id: 2, quota: 10 });
    for _ in 0..2 {
        create_post(&free, &limits).await.expect("two for the free");
    }
    create_post(&free, &limits).await.expect_err("the third of the free");
    for _ in 0..10 {
        create_post(&paid, &limits).await.expect("ten for those who pay");
    }
    create_post(&paid, &limits).await.expect_err("the eleventh of those who pay");
    let windows: Vec<Duration> =
        witness.attempts().iter().map(|attempt| attempt[0].rules[0].limit().window()).collect();
    assert_eq!(windows[0], Duration::from_secs(60));
    assert_eq!(windows[3], Duration::from_secs(1));
}

#[tokio::test]
async fn zero_requests_from_a_closure_refuse() {
    #[rate_limit(requests = |user, _| user.quota, window = 60, key = "user.id", limitra = limits)]
    async fn create_post(user: &User, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, _) = limits();
    let refused = create_post(&User { id: 1, quota: 0 }, &limits).await;
    assert!(matches!(refused, Err(Error::RateLimitExceeded(_))), "{refused:?}");
}

#[tokio::test]
async fn a_negative_number_from_a_closure_is_an_error_that_fail_open_does_not_hide() {
    #[rate_limit(requests = |quota, _| *quota, window = 60, fail_open = true, limitra = limits)]
    async fn create_post(quota: i64, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, _) = limits();
    let refused = create_post(-1, &limits).await.expect_err("a negative quota");
    let text = refused.to_string();
    assert!(text.contains("create_post") && text.contains("-1"), "{text}");
}

#[tokio::test]
async fn several_limits_must_all_pass() {
    #[rate_limit(limits = [(2, 1), (3, 3600)], algorithm = "fixed_window", limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, clock) = limits();
    create_post(&limits).await.expect("first");
    create_post(&limits).await.expect("second");
    create_post(&limits).await.expect_err("two a second");
    clock.advance(Duration::from_secs(1));
    create_post(&limits).await.expect("third");
    let Err(Error::RateLimitExceeded(exceeded)) = create_post(&limits).await else {
        panic!("three an hour");
    };
    assert_eq!(exceeded.requests, 3);
}

#[tokio::test]
async fn limits_take_precedence_over_requests_and_window() {
    #[rate_limit(requests = 100, window = 1, limits = [(1, 60)], limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, _) = limits();
    create_post(&limits).await.expect("the first of one");
    create_post(&limits).await.expect_err("the second of one");
}

#[tokio::test]
async fn a_list_of_limits_can_hold_closures_and_expressions() {
    const PER_HOUR: u64 = 5;
    #[rate_limit(limits = [(|user, _| user.quota, 1), (PER_HOUR, Duration::from_secs(3600))], limitra = limits)]
    async fn create_post(user: &User, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    create_post(&User { id: 1, quota: 7 }, &limits).await.expect("the first");
    let rules = &witness.attempts()[0][0].rules;
    let amounts: Vec<u64> = rules.iter().map(|rule| rule.limit().amount()).collect();
    assert_eq!(amounts, [7, 5]);
}

#[tokio::test]
async fn an_expression_can_be_the_whole_list() {
    const TIERS: [(u64, f64); 2] = [(1, 0.5), (500, 3600.0)];
    #[rate_limit(limits = TIERS, limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    create_post(&limits).await.expect("the first");
    let rules = &witness.attempts()[0][0].rules;
    assert_eq!(rules[0].limit().window(), Duration::from_millis(500));
    assert_eq!(rules[1].limit().amount(), 500);
}

#[tokio::test]
async fn the_algorithm_is_a_name_or_an_expression_or_the_configured_one() {
    #[rate_limit(requests = 1, window = 60, algorithm = "fixed-window-elastic-expiry", limitra = limits)]
    async fn named(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, algorithm = Algorithm::Gcra, limitra = limits)]
    async fn expressed(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn absent(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let witness = Witness::default();
    let limits = LimitraConfig::new()
        .storage(Arc::new(witness.clone()) as Arc<dyn Storage>)
        .default_algorithm("moving_window")
        .build()
        .expect("all right");
    named(&limits).await.expect("the first");
    expressed(&limits).await.expect("the first");
    absent(&limits).await.expect("the first");
    let seen: Vec<Algorithm> =
        witness.attempts().iter().map(|attempt| attempt[0].rules[0].algorithm()).collect();
    assert_eq!(seen, [Algorithm::FixedWindowElasticExpiry, Algorithm::Gcra, Algorithm::MovingWindow]);
}

#[tokio::test]
async fn a_burst_is_the_depth_of_a_bucket() {
    #[rate_limit(requests = 1, window = 60, algorithm = "token_bucket", burst = 3, limitra = limits)]
    async fn fixed(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, algorithm = "gcra", burst = |burst, _| *burst, limitra = limits)]
    async fn asked(burst: u8, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, _) = limits();
    for _ in 0..3 {
        fixed(&limits).await.expect("three at once");
        asked(3, &limits).await.expect("three at once");
    }
    fixed(&limits).await.expect_err("the fourth");
    asked(3, &limits).await.expect_err("the fourth");
}

#[tokio::test]
async fn a_cost_is_what_a_call_consumes() {
    #[rate_limit(requests = 10, window = 60, cost = 4, limitra = limits)]
    async fn fixed(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 10, window = 60, cost = |items, _| items.len(), limitra = limits)]
    async fn asked(items: &[u8], limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, _) = limits();
    fixed(&limits).await.expect("four of ten");
    fixed(&limits).await.expect("eight of ten");
    let twelve = fixed(&limits).await;
    assert!(matches!(&twelve, Err(Error::RateLimitExceeded(it)) if it.remaining == 2), "{twelve:?}");
    asked(&[0; 10], &limits).await.expect("ten of ten");
    asked(&[0; 0], &limits).await.expect("nothing is always allowed");
    asked(&[0; 1], &limits).await.expect_err("eleven of ten");
    let above = asked(&[0; 11], &limits).await;
    assert!(matches!(above, Err(Error::CostAboveLimit { cost: 11, .. })), "{above:?}");
}

#[tokio::test]
async fn an_exempt_call_is_not_counted_and_nobody_asks_who_it_is() {
    #[rate_limit(
        requests = 1,
        window = 60,
        exempt_when = |user, _| user.is_none(),
        key = |user: &Option<u64>, _| user.expect("asked only of those who are counted"),
        limitra = limits
    )]
    async fn create_post(user: Option<u64>, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    for _ in 0..5 {
        create_post(None, &limits).await.expect("exempt");
    }
    create_post(Some(1), &limits).await.expect("the first of one");
    create_post(Some(1), &limits).await.expect_err("the second of one");
    create_post(None, &limits).await.expect("exempt");
    assert_eq!(witness.attempts().len(), 2);
}

#[tokio::test]
async fn the_body_sees_its_decision() {
    #[rate_limit(requests = 3, window = 60, decision = seen, limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<u64, Error> {
        assert!(seen.is_allowed() && !seen.is_degraded());
        Ok(seen.remaining())
    }

    let (limits, _) = limits();
    assert_eq!(create_post(&limits).await.expect("the first"), 2);
    assert_eq!(create_post(&limits).await.expect("the second"), 1);
}

#[tokio::test]
async fn labels_stand_in_the_key() {
    #[rate_limit(
        requests = 1, window = 60, key = "id", limitra = limits,
        scope = "tenant", name = "posts", project = "blog", prefix = "rl", suffix = format!("v{}", 2),
    )]
    async fn create_post(id: u64, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, name = "all", limitra = limits)]
    async fn unkeyed(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, name = "one", key = "id", limitra = limits)]
    async fn keyed(id: u64, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    create_post(7, &limits).await.expect("the first");
    unkeyed(&limits).await.expect("the first");
    keyed(7, &limits).await.expect("the first");
    let keys = witness.keys().concat();
    assert_eq!(keys, ["rl:blog:posts:tenant:7:v2", "limitra::all:global::", "limitra::one:user:7:"]);
}

#[tokio::test]
async fn a_function_can_have_a_backend_or_a_storage_of_its_own() {
    #[rate_limit(requests = 1, window = 60, backend = "memory", limitra = limits)]
    async fn on_memory(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, storage = MemoryStorage::new(), limitra = limits)]
    async fn on_its_own(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let down = outage();
    on_memory(&down).await.expect("memory is up");
    on_memory(&down).await.expect_err("the second of one");
    on_its_own(&down).await.expect("its own storage is up");
    on_its_own(&down).await.expect_err("the second of one");
}

#[tokio::test]
async fn redis_without_anything_to_reach_it_by_is_an_error_that_names_the_function() {
    #[rate_limit(requests = 1, window = 60, backend = "redis", limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, _) = limits();
    let error = create_post(&limits).await.expect_err("nothing says where it is");
    let text = error.to_string();
    assert!(text.contains("create_post") && text.contains("redis_client"), "{text}");
}

#[tokio::test]
async fn a_handle_can_come_from_anywhere() {
    struct Service {
        limits: Arc<Limitra>,
    }
    impl Service {
        #[rate_limit(requests = 1, window = 60, limitra = self.limits)]
        async fn by_field(&self) -> Result<(), Error> {
            Ok(())
        }

        #[rate_limit(requests = 1, window = 60, limitra = self.handle())]
        async fn by_call(&self) -> Result<(), Error> {
            Ok(())
        }

        #[rate_limit(requests = 1, window = 60, limitra = Limitra::clone(&self.limits))]
        async fn by_value(&self) -> Result<(), Error> {
            Ok(())
        }

        fn handle(&self) -> &Limitra {
            &self.limits
        }
    }

    let service = || Service { limits: Arc::new(limits().0) };
    let (one, other) = (service(), service());
    for service in [one, other] {
        service.by_field().await.expect("the first of one");
        service.by_field().await.expect_err("the second of one");
        service.by_call().await.expect("the first of one");
        service.by_call().await.expect_err("the second of one");
        service.by_value().await.expect("the first of one");
        service.by_value().await.expect_err("the second of one");
    }
}
