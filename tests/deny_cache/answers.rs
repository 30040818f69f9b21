//! What is answered without asking, and what is not.

use std::time::Duration;

use limitra::{Algorithm, AnyStorage, DenyCache, ManualClock, RateLimiter, check_all};
use limitra_tests::{RedisServer, fresh_prefix};
use tokio::task::JoinSet;

use crate::stage::{ERA, HOUR, asked, builder, cache_over, limit, limiter, redis_at};

#[tokio::test]
async fn a_refused_identifier_costs_no_command_whatever_the_algorithm() {
    let server = RedisServer::start();
    let cache = cache_over(&server);
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&cache, *algorithm, 2);
        assert!(limiter.allow_request("ada").await.unwrap());
        assert!(limiter.allow_request("ada").await.unwrap());
        let refused = limiter.check("ada").await.unwrap();
        assert!(!refused.is_allowed());
        server.forget_counts();
        for _ in 0..10 {
            let told = limiter.check("ada").await.unwrap();
            assert!(!told.is_allowed());
            if *algorithm != Algorithm::FixedWindowElasticExpiry {
                assert_eq!((told.limit(), told.remaining()), (refused.limit(), 0), "{algorithm}");
                assert!(told.retry_after() <= refused.retry_after() && !told.retry_after().is_zero());
            }
        }
        let expected = if *algorithm == Algorithm::FixedWindowElasticExpiry { 10 } else { 0 };
        assert_eq!(asked(&server), expected, "{algorithm}");
        assert!(limiter.allow_request("bob").await.unwrap(), "others are asked for");
    }
    assert_eq!(cache.hits(), 10 * (Algorithm::ALL.len() as u64 - 1));
}

#[tokio::test]
async fn with_several_limits_the_whole_answer_is_kept_and_with_elastic_expiry_among_them_none() {
    let server = RedisServer::start();
    let cache = cache_over(&server);
    let limits = [limit(1, Duration::from_secs(60)), limit(1, HOUR), limit(9, HOUR * 2)];
    let several = builder(&cache, Algorithm::FixedWindow).limits(limits).build().unwrap();
    assert!(several.allow_request("ada").await.unwrap());
    let refused = several.check("ada").await.unwrap();
    server.forget_counts();
    let told = several.check("ada").await.unwrap();
    assert_eq!(asked(&server), 0);
    assert_eq!(told.limit(), refused.limit());
    assert_eq!(told.rules().len(), 3);
    let allowed: Vec<bool> = told.rules().iter().map(limitra::RuleDecision::is_allowed).collect();
    assert_eq!(allowed, [false, false, true]);
    assert!(told.retry_after() > Duration::from_secs(60));

    let elastic = builder(&cache, Algorithm::FixedWindowElasticExpiry);
    let elastic = elastic.limits([limit(1, HOUR), limit(9, HOUR * 2)]).build().unwrap();
    assert!(elastic.allow_request("ada").await.unwrap());
    server.forget_counts();
    for _ in 0..3 {
        assert!(!elastic.allow_request("ada").await.unwrap());
    }
    assert_eq!(asked(&server), 3);
}

#[tokio::test]
async fn a_lower_cost_is_asked_for_and_that_or_a_higher_one_is_not() {
    let server = RedisServer::start();
    let cache = cache_over(&server);
    for algorithm in [Algorithm::SlidingWindow, Algorithm::FixedWindow, Algorithm::TokenBucket] {
        let limiter = limiter(&cache, algorithm, 10);
        assert!(limiter.check_cost("ada", 6).await.unwrap().is_allowed());
        assert!(!limiter.check_cost("ada", 5).await.unwrap().is_allowed());
        server.forget_counts();
        for cost in [5, 6, 10] {
            let told = limiter.check_cost("ada", cost).await.unwrap();
            assert!(!told.is_allowed());
            assert_eq!(asked(&server), 0, "{algorithm}");
            let test = limiter.test_cost("ada", cost).await.unwrap();
            let apart = told.retry_after().abs_diff(test.retry_after());
            assert!(apart < Duration::from_secs(60), "{algorithm} {cost}: {told:?} {test:?}");
            server.forget_counts();
        }
        assert!(limiter.check_cost("ada", 4).await.unwrap().is_allowed());
        assert_eq!(asked(&server), 1);
        // Now the lower one is refused too, and that is what is known.
        assert!(!limiter.check_cost("ada", 1).await.unwrap().is_allowed());
        server.forget_counts();
        assert!(!limiter.check_cost("ada", 1).await.unwrap().is_allowed());
        assert!(!limiter.check_cost("ada", 5).await.unwrap().is_allowed());
        assert_eq!(asked(&server), 0, "{algorithm}");
    }
}

#[tokio::test]
async fn other_rules_on_the_same_key_are_asked_for() {
    let server = RedisServer::start();
    let cache = cache_over(&server);
    let prefix = fresh_prefix();
    let of = |algorithm: Algorithm, limits: &[limitra::Limit]| {
        let limiter = RateLimiter::builder().storage(&cache).prefix(&prefix).algorithm(algorithm);
        limiter.limits(limits.iter().copied()).build().unwrap()
    };
    let (short, long) = (limit(1, HOUR), limit(5, HOUR * 2));
    let refused = of(Algorithm::FixedWindow, &[short]);
    assert!(refused.allow_request("ada").await.unwrap());
    assert!(!refused.allow_request("ada").await.unwrap());
    for (algorithm, limits) in [
        (Algorithm::FixedWindow, vec![limit(2, HOUR)]),
        (Algorithm::FixedWindow, vec![limit(1, HOUR * 3)]),
        (Algorithm::FixedWindowAligned, vec![short]),
        (Algorithm::FixedWindow, vec![short, long]),
        (Algorithm::FixedWindow, vec![long, short]),
    ] {
        server.forget_counts();
        of(algorithm, &limits).check("ada").await.unwrap();
        assert_eq!(asked(&server), 1, "{algorithm} {limits:?}");
        assert!(!refused.allow_request("ada").await.unwrap());
        assert_eq!(asked(&server), 1, "{algorithm} {limits:?}");
    }
    // A limiter of the same rules shares what is known.
    server.forget_counts();
    assert!(!of(Algorithm::FixedWindow, &[short]).allow_request("ada").await.unwrap());
    assert_eq!(asked(&server), 0);
}

#[tokio::test]
async fn tests_several_subjects_and_a_clock_set_by_hand_are_asked_for() {
    let server = RedisServer::start();
    let cache = cache_over(&server);
    let storage = AnyStorage::from(&cache);
    let of = |scope: &str, clock: Option<&ManualClock>| {
        let limiter = RateLimiter::builder().storage(&storage).prefix(fresh_prefix());
        let limiter = limiter.limit(limit(1, ERA)).scope(scope);
        clock.map_or(limiter.clone(), |clock| limiter.clock(clock.clone())).build().unwrap()
    };
    let (user, tenant) = (of("user", None), of("tenant", None));
    assert!(check_all([user.of("ada"), tenant.of("acme")]).await.unwrap().is_allowed());
    let clock = ManualClock::new();
    let by_hand = of("user", Some(&clock));
    by_hand.allow_request("ada").await.unwrap();
    server.forget_counts();
    for times in 1..=3 {
        assert!(!check_all([user.of("ada"), tenant.of("acme")]).await.unwrap().is_allowed());
        assert!(!user.test("ada").await.unwrap().is_allowed());
        assert!(!by_hand.allow_request("ada").await.unwrap());
        assert_eq!(asked(&server), 3 * times);
    }
    assert_eq!((cache.hits(), cache.len()), (0, 0));
}

#[tokio::test]
async fn of_many_only_those_that_are_not_known_are_asked_for() {
    let server = RedisServer::start();
    let cache = cache_over(&server);
    let limiter = limiter(&cache, Algorithm::Gcra, 1);
    let allowed = |decided: Vec<Result<limitra::Decision, limitra::Error>>| {
        decided.into_iter().map(|decision| decision.unwrap().is_allowed()).collect::<Vec<_>>()
    };
    assert_eq!(allowed(limiter.check_many(["ada", "bob"]).await), [true, true]);
    assert_eq!(allowed(limiter.check_many(["ada", "bob"]).await), [false, false]);
    let third = limiter.check_many(["ada", "eve", "bob", "ada"]).await;
    assert_eq!(allowed(third), [false, true, false, false]);
    assert_eq!(cache.hits(), 3);
    server.forget_counts();
    assert_eq!(allowed(limiter.check_many(["ada", "bob", "ada"]).await), [false; 3]);
    assert_eq!(asked(&server), 0);
    // Of a question in which somebody is allowed and then refused, the refusal is not kept: the next one is.
    assert_eq!(allowed(limiter.check_many(["dan", "dan"]).await), [true, false]);
    assert!(!limiter.allow_request("dan").await.unwrap());
    assert_eq!(cache.hits(), 6);
    assert!(!limiter.allow_request("dan").await.unwrap());
    assert_eq!(cache.hits(), 7);
}

/// The limiter's own word is waited for: the storage's before, and the cache's after.
#[tokio::test]
async fn who_waits_what_the_cache_says_is_allowed() {
    let server = RedisServer::start();
    let cache = cache_over(&server);
    for algorithm in
        [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::MovingWindow, Algorithm::Gcra]
    {
        let limiter = builder(&cache, algorithm).limit(limit(2, Duration::from_millis(400))).build().unwrap();
        for who in 0..3 {
            let hits = cache.hits();
            while limiter.check(who).await.unwrap().is_allowed() {}
            let told = limiter.check(who).await.unwrap();
            // On a machine that stood still meanwhile it may be over.
            if cache.hits() > hits && !told.is_allowed() {
                tokio::time::sleep(told.retry_after()).await;
                assert!(limiter.allow_request(who).await.unwrap(), "{algorithm}: {told:?}");
            }
        }
    }
    assert!(cache.hits() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_tasks_admit_exactly_the_limit_and_then_cost_no_command() {
    let server = RedisServer::start();
    let cache = cache_over(&server);
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&cache, *algorithm, 100);
        let mut running = JoinSet::new();
        for _ in 0..300 {
            let limiter = limiter.clone();
            running.spawn(async move { limiter.allow_request("ada").await.unwrap() });
        }
        let admitted = running.join_all().await.into_iter().filter(|allowed| *allowed).count();
        assert_eq!(admitted, 100, "{algorithm}");
        // A refusal that an allowed hit overtook is not kept; this one is.
        assert!(!limiter.allow_request("ada").await.unwrap());
        server.forget_counts();
        assert!(!limiter.allow_request("ada").await.unwrap());
        assert_eq!(asked(&server), u64::from(*algorithm == Algorithm::FixedWindowElasticExpiry));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dropped_decisions_leave_the_count_and_the_cache_as_they_should_be() {
    let server = RedisServer::start();
    let cache = cache_over(&server);
    let limiter = limiter(&cache, Algorithm::FixedWindow, 50);
    let mut running = JoinSet::new();
    for task in 0..200_u64 {
        let limiter = limiter.clone();
        running.spawn(async move {
            let asked = limiter.allow_request("ada");
            tokio::time::timeout(Duration::from_micros(task * 20), asked)
                .await
                .is_ok_and(|answer| answer.unwrap())
        });
    }
    let admitted = running.join_all().await.into_iter().filter(|allowed| *allowed).count();
    let mut more = 0;
    while limiter.allow_request("ada").await.unwrap() {
        more += 1;
    }
    assert!(admitted + more <= 50, "{admitted} {more}");
    assert_eq!(limiter.usage("ada").await.unwrap().count, 50);
    server.forget_counts();
    assert!(!limiter.allow_request("ada").await.unwrap());
    assert_eq!(asked(&server), 0);
}

#[tokio::test]
async fn no_more_is_kept_than_there_is_room_for() {
    let server = RedisServer::start();
    let cache = DenyCache::over(redis_at(&server)).max_age(HOUR).max_keys(100).build().unwrap();
    let limiter = limiter(&cache, Algorithm::FixedWindow, 1);
    let many: Vec<u32> = (0..1000).collect();
    limiter.check_many(&many).await;
    let refused = limiter.check_many(&many).await;
    assert!(refused.into_iter().all(|decision| !decision.unwrap().is_allowed()));
    assert_eq!(cache.len(), 100);
    assert!(format!("{cache:?}").contains("len: 100"), "{cache:?}");
}
