//! Decisions and outages, counted.

use std::time::Duration;

use limitra::{
    Algorithm, Breaker, DenyCache, Error, InFlight, Limit, Limitra, LimitraConfig, LocalShare, MemoryStorage,
    OnOutage, RateLimiter, StorageErrorKind, Timed, check_all, rate_limit,
};

use crate::recorder::Kept;
use crate::stage::{HOUR, LOST, Mood, Shaky, limit};

const DECISIONS: &str = "limitra_decisions_total";

/// How many decisions of this limiter or function came to each outcome.
fn outcomes(kept: &Kept, of: &str, storage: &str) -> Vec<(String, u64)> {
    let counted = kept.counters(DECISIONS).into_iter().filter_map(|(labels, count)| {
        let (before, after) = labels.strip_prefix(&format!("{{of={of:?},outcome=\""))?.split_once('"')?;
        (after == format!(",storage={storage:?}}}")).then(|| (before.to_owned(), count))
    });
    counted.collect()
}

fn is(counted: &[(String, u64)], expected: &[(&str, u64)]) {
    let counted: Vec<(&str, u64)> = counted.iter().map(|(name, count)| (&**name, *count)).collect();
    assert_eq!(counted, expected);
}

/// Every way to a decision: straight, in many, by the general way.
fn limiters(storage: &MemoryStorage) -> [(RateLimiter, &'static str); 3] {
    let builder = || RateLimiter::builder().storage(storage).algorithm(Algorithm::Gcra);
    let limiter = |scope| builder().requests(4).window(3600).scope(scope).build().unwrap();
    let two = builder().limits([limit(4), Limit::new(1000, 2 * HOUR).unwrap()]).scope("two");
    let window = RateLimiter::builder().requests(4).window(3600).scope("window").storage(storage);
    [(limiter("straight"), "straight"), (two.build().unwrap(), "two"), (window.build().unwrap(), "window")]
}

#[tokio::test]
async fn hits_are_counted_by_what_came_of_them_and_tests_are_not() {
    let (kept, _guard) = Kept::here();
    for (limiter, scope) in limiters(&MemoryStorage::new()) {
        for _ in 0..3 {
            limiter.allow_request("ada").await.unwrap();
        }
        limiter.check("ada").await.unwrap();
        limiter.check("ada").await.unwrap();
        limiter.check_many(["ada", "bob", "ada"]).await;
        limiter.check_cost("ada", 5).await.unwrap_err();
        limiter.test("ada").await.unwrap();
        limiter.usage("bob").await.unwrap();
        limiter.wait_time("bob").await.unwrap();
        limiter.check_cost("bob", 0).await.unwrap();
        is(&outcomes(kept, scope, "memory"), &[("allowed", 5), ("error", 1), ("exceeded", 3)]);
    }
}

#[rate_limit("2/hour", key = "who", limitra = limits)]
async fn post(who: &str, limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

#[tokio::test]
async fn a_function_is_counted_by_its_path_and_several_limiters_by_the_first_ones_scope() {
    let (kept, _guard) = Kept::here();
    let limits = LimitraConfig::new().build().unwrap();
    for _ in 0..5 {
        let _refused = post("ada", &limits).await;
    }
    is(&outcomes(kept, "observability.counted.post", "memory"), &[("allowed", 2), ("exceeded", 3)]);
    let one = limits.limiter().requests(3).window(3600).scope("one").build().unwrap();
    let other = limits.limiter().requests(2).window(3600).scope("other-one").build().unwrap();
    for _ in 0..3 {
        check_all([one.of("ada"), other.of("ada")]).await.unwrap();
    }
    is(&outcomes(kept, "one", "memory"), &[("allowed", 2), ("exceeded", 1)]);
    is(&outcomes(kept, "other-one", "memory"), &[]);
}

#[tokio::test]
async fn what_a_policy_answers_is_counted_apart() {
    let (kept, _guard) = Kept::here();
    for (policy, counted) in [
        ("error", &[("allowed", 1), ("error", 3)][..]),
        ("open", &[("allowed", 1), ("degraded_allowed", 3)]),
        ("closed", &[("allowed", 1), ("degraded_exceeded", 3)]),
        ("local:2", &[("allowed", 1), ("degraded_allowed", 1), ("degraded_exceeded", 2)]),
    ] {
        let storage = Shaky::new(LOST);
        let limits = LimitraConfig::new().storage(storage.clone()).breaker(None).build().unwrap();
        let builder = limits.limiter().requests(2).window(3600).on_outage(policy).scope(policy);
        let limiter = builder.build().unwrap();
        for _ in 0..3 {
            let _error = limiter.check("ada").await;
        }
        let outage = format!("limitra_outage{{of={policy:?},storage=\"shaky\"}}");
        assert_eq!(kept.gauge(&outage), Some(1.0));
        assert_eq!((limits.health().limiters_out, limits.health().is_well()), (1, false));
        assert_eq!(limits.health().owing, usize::from(policy == "local:2"));
        storage.set(Mood::Works);
        assert!(limiter.allow_request("ada").await.unwrap());
        is(&outcomes(kept, policy, "shaky"), counted);
        assert_eq!(kept.gauge(&outage), Some(0.0));
        assert!(limits.health().is_well() && limits.health().owing == 0);
        storage.set(LOST);
        let _error = limiter.check("ada").await;
        assert_eq!(kept.gauge(&outage), Some(1.0));
        drop(limiter);
        assert_eq!(kept.gauge(&outage), Some(0.0));
        assert_eq!(limits.health().limiters_out, 0);
    }
    let undecided = kept.counter(r#"limitra_undecided_total{kind="unavailable",storage="shaky"}"#);
    assert_eq!(undecided, 4 * 4);
    assert_eq!(kept.counters("limitra_undecided_total").len(), 1);
}

#[tokio::test]
async fn a_breaker_shows_its_state_and_counts_its_changes() {
    let (kept, _guard) = Kept::here();
    let storage = Shaky::new(LOST);
    let breaker = Breaker::new().failures(2).pause(Duration::from_millis(1));
    let limits = LimitraConfig::new().storage(storage.clone()).breaker(breaker).build().unwrap();
    let limiter = limits.limiter().requests(1000).window(3600).build().unwrap();
    for _ in 0..2 {
        limiter.check("ada").await.unwrap_err();
    }
    assert_eq!(kept.gauge(r#"limitra_breaker_state{storage="shaky"}"#), Some(2.0));
    storage.set(Mood::Works);
    while limiter.check("ada").await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(kept.gauge(r#"limitra_breaker_state{storage="shaky"}"#), Some(0.0));
    let changes = kept.counters("limitra_breaker_transitions_total");
    let labels = |to: &str| format!("{{storage=\"shaky\",to=\"{to}\"}}");
    assert_eq!(changes, [(labels("closed"), 1), (labels("half_open"), 1), (labels("open"), 1)]);
    assert!(kept.counter(r#"limitra_undecided_total{kind="unavailable",storage="shaky"}"#) == 2);
}

#[tokio::test]
async fn those_that_wait_are_shown_and_those_without_room_are_counted() {
    let (kept, _guard) = Kept::here();
    let storage = InFlight::over(Shaky::new(Mood::Hangs), 2).unwrap();
    let limiter = RateLimiter::builder().requests(10).window(3600).storage(&storage).build().unwrap();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut waiting: Vec<_> = (0..2).map(|who| Box::pin(limiter.check(who))).collect();
    for one in &mut waiting {
        assert!(one.as_mut().poll(&mut context).is_pending());
    }
    let shown = || kept.gauge(r#"limitra_in_flight{storage="shaky"}"#);
    assert_eq!(shown(), Some(2.0));
    for who in 0..3 {
        limiter.check(who).await.unwrap_err();
    }
    assert_eq!(kept.counter(r#"limitra_overloaded_total{storage="shaky"}"#), 3);
    drop(waiting);
    assert_eq!(shown(), Some(0.0));
}

#[tokio::test]
async fn a_storages_time_is_measured_by_whether_it_answered() {
    let (kept, _guard) = Kept::here();
    let storage = Shaky::new(Mood::Works);
    let timed = Timed::over(storage.clone());
    let limiter = RateLimiter::builder().requests(10).window(3600).storage(&timed).build().unwrap();
    limiter.check("ada").await.unwrap();
    limiter.check_many(["ada", "bob"]).await;
    storage.set(LOST);
    limiter.check("ada").await.unwrap_err();
    storage.set(Mood::Hangs);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut waiting = Box::pin(limiter.check("ada"));
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    drop(waiting);
    let seconds = |result: &str| {
        kept.histogram(&format!("limitra_storage_seconds{{result=\"{result}\",storage=\"shaky\"}}"))
    };
    assert_eq!([seconds("answered").len(), seconds("failed").len(), seconds("abandoned").len()], [2, 1, 1]);
    assert!(seconds("answered").iter().all(|seconds| (0.0..3600.0).contains(seconds)));
}

#[tokio::test]
async fn a_configuration_measures_its_storage() {
    let (kept, _guard) = Kept::here();
    let limits = LimitraConfig::new().storage(Shaky::new(Mood::Works)).build().unwrap();
    let limiter = limits.limiter().requests(10).window(3600).build().unwrap();
    limiter.check("ada").await.unwrap();
    assert_eq!(kept.histogram(r#"limitra_storage_seconds{result="answered",storage="shaky"}"#).len(), 1);
    assert_eq!(kept.gauge(r#"limitra_in_flight{storage="shaky"}"#), Some(0.0));
}

#[tokio::test]
async fn refusals_by_a_deny_cache_are_counted() {
    let (kept, _guard) = Kept::here();
    let storage = Shaky::new(Mood::Works);
    let cache = DenyCache::over(storage.clone()).max_age(Duration::from_secs(3600)).build().unwrap();
    let limiter = RateLimiter::builder().algorithm("gcra").requests(1).window(3600).storage(&cache);
    let limiter = limiter.build().unwrap();
    for _ in 0..7 {
        limiter.allow_request("ada").await.unwrap();
    }
    assert_eq!(kept.counter(r#"limitra_deny_cache_hits_total{storage="shaky"}"#), 5);
    assert_eq!((storage.asked(), cache.hits()), (2, 5));
    is(&outcomes(kept, "user", "shaky"), &[("allowed", 1), ("exceeded", 6)]);
}

#[tokio::test]
async fn what_a_local_share_owes_charges_and_drops_is_shown() {
    let (kept, _guard) = Kept::here();
    let storage = Shaky::new(LOST);
    let share = LocalShare::over(storage.clone(), MemoryStorage::new(), 2).unwrap();
    let limiter = RateLimiter::builder().requests(100).window(3600).storage(&share).build().unwrap();
    for who in ["ada", "ada", "bob"] {
        assert!(limiter.check(who).await.unwrap().is_degraded());
    }
    let owing = || kept.gauge(r#"limitra_local_share_owing{storage="shaky"}"#);
    assert_eq!(owing(), Some(2.0));
    storage.set(Mood::Works);
    assert_eq!(share.reconcile().await, 0);
    assert_eq!(owing(), Some(0.0));
    assert_eq!(kept.counter(r#"limitra_local_share_units_total{storage="shaky"}"#), 3);
    storage.set(LOST);
    limiter.check("ada").await.unwrap();
    // The charge is sent, and its answer is lost.
    storage.set(Mood::ForgetsAnswersToHits);
    share.reconcile().await;
    assert_eq!(kept.counter(r#"limitra_local_share_dropped_total{storage="shaky"}"#), 1);
}

#[tokio::test]
async fn memory_that_was_full_ends_its_outage_on_the_straight_way() {
    let (kept, _guard) = Kept::here();
    let memory = MemoryStorage::with_max_keys(1).unwrap();
    let builder = RateLimiter::builder().algorithm("gcra").requests(1).window(3600).storage(&memory);
    let limiter = builder.on_outage(OnOutage::FailOpen).build().unwrap();
    let mut who = 0;
    // Until nothing but exceeded records is left.
    while !limiter.check(who).await.unwrap().is_degraded() {
        limiter.check(who).await.unwrap();
        who += 1;
    }
    let outage = || kept.gauge(r#"limitra_outage{of="user",storage="memory"}"#);
    assert_eq!(outage(), Some(1.0));
    let full = kept.counter(r#"limitra_undecided_total{kind="full",storage="memory"}"#);
    assert_eq!(full, 1);
    for gone in 0..who {
        limiter.reset(gone).await.unwrap();
    }
    assert!(!limiter.check(who).await.unwrap().is_degraded());
    assert_eq!(outage(), Some(0.0));
}

#[tokio::test]
async fn no_label_names_an_identifier() {
    let (kept, _guard) = Kept::here();
    let storage = Shaky::new(LOST);
    let limits = LimitraConfig::new().storage(storage.clone()).breaker(Breaker::new().failures(1));
    let limits = limits.deny_cache(Duration::from_secs(1)).build().unwrap();
    let limiter = limits.limiter().requests(1).window(3600).on_outage("local:2").build().unwrap();
    limiter.check("s3cret").await.unwrap();
    storage.set(Mood::Fails(StorageErrorKind::Refused));
    limiter.check("s3cret").await.unwrap();
    storage.set(Mood::Works);
    let _refused = post("s3cret", &limits).await;
    let keys = kept.keys();
    assert!(keys.len() > 10 && keys.iter().all(|key| !key.contains("s3cret")), "{keys:?}");
}
