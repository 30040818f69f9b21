//! What becomes of a refusal and of an outage.

use std::sync::atomic::{AtomicU64, Ordering};

use limitra::{Error, FromError, Limitra, RateLimitExceeded, rate_limit};

use crate::witness::{limits, outage};

#[tokio::test]
async fn the_value_of_on_exceeded_is_returned_in_place_of_the_error() {
    #[rate_limit(requests = 1, window = 60, limitra = limits, on_exceeded = |exceeded| Err(exceeded.to_string()), on_error = |error| Err(error.to_string()))]
    async fn create_post(limits: &Limitra) -> Result<u8, String> {
        Ok(1)
    }

    let (limits, _) = limits();
    assert_eq!(create_post(&limits).await, Ok(1));
    let refused = create_post(&limits).await.expect_err("the second of one");
    assert!(refused.starts_with("rate limit exceeded: 1 request per 60s, retry after "), "{refused}");
}

#[tokio::test]
async fn on_exceeded_may_be_a_function() {
    #[allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps)]
    fn too_many(exceeded: RateLimitExceeded) -> Result<u64, Error> {
        Ok(exceeded.requests)
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits, on_exceeded = too_many)]
    async fn create_post(limits: &Limitra) -> Result<u64, Error> {
        Ok(0)
    }

    let (limits, _) = limits();
    assert_eq!(create_post(&limits).await.expect("the first"), 0);
    assert_eq!(create_post(&limits).await.expect("the handler's value"), 1);
}

#[tokio::test]
async fn a_body_does_not_run_when_on_exceeded_returns_nothing() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    #[rate_limit(requests = 1, window = 60, limitra = limits, on_exceeded = |_| (), fail_open = true)]
    async fn unit(limits: &Limitra) {
        RUNS.fetch_add(1, Ordering::SeqCst);
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits, on_exceeded = |_| None, backend = "memory")]
    async fn option(limits: &Limitra) -> Option<u64> {
        Some(RUNS.fetch_add(1, Ordering::SeqCst))
    }

    let (limits, _) = limits();
    for _ in 0..3 {
        unit(&limits).await;
    }
    assert_eq!(RUNS.swap(0, Ordering::SeqCst), 1);
    assert_eq!(option(&limits).await, Some(0));
    assert_eq!(option(&limits).await, None);
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn with_block_false_the_function_always_runs_and_on_exceeded_is_told() {
    static TOLD: AtomicU64 = AtomicU64::new(0);
    #[rate_limit(requests = 1, window = 60, limitra = limits, block = false, decision = seen, on_exceeded = |exceeded| {
        TOLD.fetch_add(exceeded.requests, Ordering::SeqCst);
    })]
    async fn create_post(limits: &Limitra) -> bool {
        seen.is_allowed()
    }

    let (limits, _) = limits();
    assert!(create_post(&limits).await);
    assert_eq!(TOLD.load(Ordering::SeqCst), 0);
    assert!(!create_post(&limits).await);
    assert!(!create_post(&limits).await);
    assert_eq!(TOLD.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn with_block_false_the_function_runs_through_an_outage() {
    #[rate_limit(requests = 1, window = 60, limitra = limits, block = false, decision = seen)]
    async fn create_post(limits: &Limitra) -> bool {
        seen.is_degraded()
    }

    assert!(create_post(&outage()).await);
}

#[tokio::test]
async fn an_outage_is_an_error() {
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits, on_exceeded = |_| Ok(()))]
    async fn with_a_handler_of_refusals(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let down = outage();
    assert!(matches!(create_post(&down).await, Err(Error::Storage(_))));
    assert!(matches!(with_a_handler_of_refusals(&down).await, Err(Error::Storage(_))));
}

#[tokio::test]
async fn with_fail_open_the_function_runs_through_an_outage_and_knows() {
    #[rate_limit(requests = 1, window = 60, limitra = limits, fail_open = true, decision = seen)]
    async fn create_post(limits: &Limitra) -> Result<bool, Error> {
        Ok(seen.is_degraded())
    }

    let down = outage();
    assert!(create_post(&down).await.expect("let through"));
    assert!(create_post(&down).await.expect("let through"));
}

#[tokio::test]
async fn on_error_answers_an_outage() {
    #[rate_limit(requests = 1, window = 60, limitra = limits, on_exceeded = |_| 429, on_error = |error| if matches!(error, Error::Storage(_)) { 503 } else { 500 })]
    async fn create_post(limits: &Limitra) -> u16 {
        200
    }

    assert_eq!(create_post(&outage()).await, 503);
    let (limits, _) = limits();
    assert_eq!(create_post(&limits).await, 200);
    assert_eq!(create_post(&limits).await, 429);
}

#[tokio::test]
async fn on_error_without_on_exceeded_leaves_refusals_to_the_return_type() {
    #[rate_limit(requests = 1, window = 60, limitra = limits, on_error = |_| Ok(0))]
    async fn create_post(limits: &Limitra) -> Result<u16, Error> {
        Ok(200)
    }

    assert_eq!(create_post(&outage()).await.expect("the handler's value"), 0);
    let (limits, _) = limits();
    create_post(&limits).await.expect("the first");
    create_post(&limits).await.expect_err("the second");
}

#[tokio::test]
async fn a_mistake_that_the_return_type_cannot_carry_refuses_though_outages_are_let_through() {
    #[rate_limit(requests = |quota, _| *quota, window = 60, limitra = limits, on_exceeded = |_| None, fail_open = true)]
    async fn find_post(quota: i64, limits: &Limitra) -> Option<u64> {
        Some(1)
    }

    let (limits, _) = limits();
    assert_eq!(find_post(1, &limits).await, Some(1));
    assert_eq!(find_post(-1, &limits).await, None);
    assert_eq!(find_post(1, &outage()).await, Some(1));
}

#[tokio::test]
async fn any_error_that_can_be_made_from_ours_will_do() {
    #[derive(Debug)]
    enum Mistake {
        Limited(u64),
        Other,
    }
    impl From<Error> for Mistake {
        fn from(error: Error) -> Self {
            match error {
                Error::RateLimitExceeded(exceeded) => Self::Limited(exceeded.requests),
                _ => Self::Other,
            }
        }
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn own(limits: &Limitra) -> Result<(), Mistake> {
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn boxed(limits: &Limitra) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(())
    }

    let (limits, _) = limits();
    own(&limits).await.expect("the first");
    assert!(matches!(own(&limits).await, Err(Mistake::Limited(1))));
    assert!(matches!(own(&outage()).await, Err(Mistake::Other)));
    boxed(&limits).await.expect("the first");
    let error = boxed(&limits).await.expect_err("the second");
    assert!(error.downcast_ref::<Error>().is_some());
}

#[tokio::test]
async fn a_type_of_the_users_own_can_carry_the_error() {
    #[derive(Debug, PartialEq)]
    struct Reply(u16);
    impl FromError for Reply {
        fn from_error(error: Error) -> Self {
            Self(if matches!(error, Error::RateLimitExceeded(_)) { 429 } else { 503 })
        }
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn create_post(limits: &Limitra) -> Reply {
        Reply(200)
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn opaque(limits: &Limitra) -> impl std::fmt::Debug + PartialEq<Reply> {
        Reply(200)
    }

    let (limits, _) = limits();
    assert_eq!(create_post(&limits).await, Reply(200));
    assert_eq!(create_post(&limits).await, Reply(429));
    assert_eq!(create_post(&outage()).await, Reply(503));
    assert_eq!(opaque(&limits).await, Reply(200));
    assert_eq!(opaque(&limits).await, Reply(429));
}

#[tokio::test]
async fn a_mistake_that_the_return_type_cannot_carry_is_a_refusal_of_a_minute() {
    #[rate_limit(
        requests = |requests| *requests,
        window = 60,
        fail_open = true,
        on_exceeded = |exceeded| format!("{} in {:?}, {:?}", exceeded.requests, exceeded.window, exceeded.retry_after)
    )]
    async fn status(requests: i64) -> String {
        format!("ran with {requests}")
    }

    assert_eq!(status(5).await, "ran with 5");
    assert_eq!(status(-1).await, "0 in 60s, 60s");
}
