//! What is answered in an outage, wherever that was said.

use std::time::Duration;

use limitra::{
    ConfigurationError, Error, Limitra, LimitraConfig, MemoryStorage, OnOutage, RateLimiter,
    StorageErrorKind, check_all, rate_limit,
};

use crate::stage::{LOST, Mood, Shaky, builder, kind, limit};

fn handle(policy: OnOutage) -> Limitra {
    LimitraConfig::new().storage(Shaky::new(LOST)).on_outage(policy).build().unwrap()
}

fn limiter(policy: &str) -> RateLimiter {
    builder().limit(limit(4)).storage(Shaky::new(LOST)).on_outage(policy).build().unwrap()
}

#[tokio::test]
async fn a_limiter_answers_by_its_policy() {
    assert_eq!(kind(limiter("error").check("ada").await), StorageErrorKind::Unavailable);
    let open = limiter("open").check("ada").await.unwrap();
    assert!(open.is_allowed() && open.is_degraded() && open.limit().is_none());
    let local = limiter("local:4");
    assert!(local.allow_request("ada").await.unwrap());
    assert!(!local.allow_request("ada").await.unwrap());
    assert_eq!(local.outages(), 2);
}

#[tokio::test]
async fn closed_refuses_with_the_wait_that_was_given() {
    for (policy, wait) in [("closed", 1_000_000), ("closed:5s", 5_000_000), ("closed:0.000001", 1)] {
        let closed = limiter(policy);
        let refused = closed.check("ada").await.unwrap();
        assert!(!refused.is_allowed() && refused.is_degraded());
        assert_eq!(refused.retry_after(), Duration::from_micros(wait), "{policy}");
        assert_eq!(refused.remaining(), 0);
        let exceeded = refused.exceeded().unwrap();
        assert_eq!((exceeded.retry_after, &*exceeded.scope), (refused.retry_after(), "user"));
        assert!(closed.usage("ada").await.unwrap().limited);
        assert_eq!(closed.wait_time("ada").await.unwrap(), refused.retry_after());
    }
    // Less than a microsecond is a microsecond.
    let closed = OnOutage::closed(Duration::from_nanos(1)).unwrap();
    let closed = builder().limit(limit(4)).storage(Shaky::new(LOST)).on_outage(closed).build().unwrap();
    assert_eq!(closed.check("ada").await.unwrap().retry_after(), Duration::from_micros(1));
}

#[tokio::test]
async fn many_decisions_each_get_the_policy() {
    for answer in limiter("closed").check_many(["ada", "bob"]).await {
        assert!(!answer.unwrap().is_allowed());
    }
    let allowed: Vec<bool> = limiter("local:2")
        .check_many(["ada"; 4])
        .await
        .into_iter()
        .map(|it| it.unwrap().is_allowed())
        .collect();
    assert_eq!(allowed, [true, true, false, false]);
}

#[tokio::test]
async fn a_handles_policy_is_that_of_its_limiters_unless_they_have_their_own() {
    let limits = handle(OnOutage::closed(Duration::from_secs(7)).unwrap());
    let inherited = limits.limiter().requests(4).window(60).build().unwrap();
    assert_eq!(inherited.check("ada").await.unwrap().retry_after(), Duration::from_secs(7));
    let own = limits.limiter().requests(4).window(60).on_outage("open").build().unwrap();
    assert!(own.check("ada").await.unwrap().is_allowed());
    let short = limits.limiter().requests(4).window(60).fail_open(true).build().unwrap();
    assert!(short.config().fail_open && short.config().on_outage == OnOutage::FailOpen);
    assert_eq!(limits.outages(), 2);
}

#[rate_limit(requests = 4, window = 3600, on_outage = "closed:9s", limitra = limits)]
async fn closed(limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 4, window = 3600, on_outage = "local:2", algorithm = "fixed_window", limitra = limits)]
async fn local(limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 4, window = 3600, on_outage = "open", limitra = limits)]
async fn open(limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 4, window = 3600, on_outage = OnOutage::Error, limitra = limits)]
async fn failing(limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 4, window = 3600, limitra = limits)]
async fn inheriting(limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

/// A refusal is all that can happen, so nothing needs to be said about outages.
#[rate_limit(requests = 4, window = 3600, on_outage = "closed", on_exceeded = |_| 429, limitra = limits)]
async fn status(limits: &Limitra) -> u16 {
    200
}

#[tokio::test]
async fn a_function_answers_by_the_policy_of_its_attribute() {
    let limits = handle(OnOutage::FailOpen);
    let Err(Error::RateLimitExceeded(refused)) = closed(&limits).await else { panic!("not refused") };
    assert_eq!((refused.retry_after, &*refused.function), (Duration::from_secs(9), "closed"));
    local(&limits).await.unwrap();
    local(&limits).await.unwrap();
    assert!(matches!(local(&limits).await, Err(Error::RateLimitExceeded(error)) if error.requests == 2));
    open(&limits).await.unwrap();
    assert_eq!(kind(failing(&limits).await), StorageErrorKind::CircuitOpen);
    inheriting(&limits).await.unwrap();
    assert_eq!(status(&limits).await, 429);
}

#[tokio::test]
async fn a_decision_of_several_has_a_policy_if_all_of_them_have_it() {
    let limits = handle(OnOutage::Error);
    let limiter = |scope: &str, policy: &str| {
        limits.limiter().requests(4).window(60).scope(scope).on_outage(policy).build().unwrap()
    };
    let (open, also, closed) = (limiter("a", "open"), limiter("b", "open"), limiter("c", "closed"));
    assert!(check_all([open.of("ada"), also.of("ada")]).await.unwrap().is_degraded());
    kind(check_all([open.of("ada"), closed.of("ada")]).await);
    let (one, other) = (limiter("d", "local:2"), limiter("e", "local:4"));
    kind(check_all([one.of("ada"), other.of("ada")]).await);
}

#[tokio::test]
async fn no_policy_hides_a_mistake_or_a_cost_above_the_limit() {
    for policy in ["open", "closed", "local:2"] {
        let answer = limiter(policy).check_cost("ada", 5).await;
        assert!(matches!(answer, Err(Error::CostAboveLimit { cost: 5, .. })), "{policy}: {answer:?}");
    }
}

#[test]
fn what_is_said_in_both_ways_must_agree() {
    let build = |fail_open, policy: &str| {
        builder().limit(limit(4)).fail_open(fail_open).on_outage(policy).build().map(drop)
    };
    build(true, "open").unwrap();
    build(false, "local:4").unwrap();
    for (fail_open, policy) in [(true, "error"), (true, "closed"), (true, "local:4"), (false, "open")] {
        let error = build(fail_open, policy).unwrap_err();
        let words = error.to_string();
        assert!(
            words.contains(&fail_open.to_string()) && words.contains(policy.split(':').next().unwrap()),
            "{words}"
        );
        let of_all = LimitraConfig::new().fail_open(fail_open).on_outage(policy).build().unwrap_err();
        assert_eq!(of_all, error);
    }
}

#[test]
fn settings_that_cannot_be_are_told_when_the_handle_is_built() {
    let told = |config: LimitraConfig| config.build().unwrap_err().to_string();
    let config = || LimitraConfig::new();
    assert_eq!(told(config().deadline(Duration::ZERO)), "deadline must be longer than zero");
    assert!(told(config().max_in_flight(0)).contains("max_in_flight"));
    assert!(told(config().breaker(limitra::Breaker::new().failures(0))).contains("not 0"));
    assert!(told(config().on_outage("local:0")).contains("replica"));
    assert!(told(config().on_outage("ajar")).contains("`ajar`"));
    let forever = OnOutage::Closed { retry_after: Duration::MAX };
    assert!(told(config().on_outage(forever)).contains("100 years"));
    let error = builder().limit(limit(1)).on_outage("ajar").build().unwrap_err();
    assert!(matches!(error, ConfigurationError::UnknownOutagePolicy { text } if text == "ajar"));
}

#[tokio::test]
async fn a_handle_puts_its_layers_over_any_storage_but_memory() {
    let shown = |config: LimitraConfig| format!("{:?}", config.build().unwrap().storage());
    let all = shown(LimitraConfig::new().storage(Shaky::new(Mood::Works)));
    assert!(all.starts_with("InFlight"), "{all}");
    for layer in ["InFlight", "most: 10000", "CircuitBreaker", "Deadline", "within: 250ms"] {
        assert!(all.contains(layer), "{layer} is missing in {all}");
    }
    let bare = LimitraConfig::new().deadline(None).breaker(None).max_in_flight(None);
    assert_eq!(shown(bare.clone().storage(Shaky::new(Mood::Works))), "Shaky(Works)");
    for memory in [LimitraConfig::new(), LimitraConfig::new().storage(MemoryStorage::new())] {
        assert!(shown(memory).starts_with("MemoryStorage"));
    }
    let bare =
        RateLimiter::builder().requests(1).window(60).storage(Shaky::new(Mood::Works)).build().unwrap();
    assert!(!format!("{bare:?}").contains("Deadline"));
}

#[tokio::test]
async fn by_default_a_storage_that_hangs_costs_the_deadline_and_then_nothing() {
    let storage = Shaky::new(Mood::Hangs);
    let limits =
        LimitraConfig::new().storage(storage.clone()).deadline(Duration::from_millis(20)).build().unwrap();
    let limiter = limits.limiter().requests(1).window(60).build().unwrap();
    for _ in 0..5 {
        assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Timeout);
    }
    for _ in 0..50 {
        assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::CircuitOpen);
    }
    assert_eq!(storage.asked(), 5);
}
