//! What is seen of writes.

use std::time::{Duration, Instant};

use limitra::{Algorithm, DenyCache};
use limitra_tests::RedisServer;

use crate::stage::{asked, cache_over, limiter, redis_at};

#[tokio::test]
async fn a_reset_through_the_cache_is_seen_at_once() {
    let server = RedisServer::start();
    let cache = cache_over(&server);
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&cache, *algorithm, 1);
        for who in ["ada", "bob"] {
            assert!(limiter.allow_request(who).await.unwrap());
            assert!(!limiter.allow_request(who).await.unwrap());
        }
        limiter.reset("ada").await.unwrap();
        assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        // Of nobody else.
        let hits = cache.hits();
        assert!(!limiter.allow_request("bob").await.unwrap());
        assert_eq!(cache.hits() - hits, u64::from(*algorithm != Algorithm::FixedWindowElasticExpiry));
        assert!(limitra::AnyStorage::from(&cache).reset().await.unwrap() >= 2);
        assert!(cache.is_empty());
        assert!(limiter.allow_request("bob").await.unwrap(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_reset_that_failed_or_was_given_up_forgets_too() {
    let server = RedisServer::start();
    let redis =
        limitra::RedisStorage::builder().url(server.url()).response_timeout(Duration::from_millis(200));
    let cache = DenyCache::over(redis.build().unwrap()).max_age(crate::stage::HOUR).build().unwrap();
    let limiter = limiter(&cache, Algorithm::FixedWindow, 1);
    for who in ["ada", "bob"] {
        while limiter.allow_request(who).await.unwrap() {}
    }
    assert_eq!(cache.len(), 2);
    server.pause();
    assert!(limiter.reset("ada").await.is_err());
    assert_eq!(cache.len(), 1);
    {
        let mut reset = std::pin::pin!(limiter.reset("bob"));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(reset.as_mut().poll(&mut context).is_pending());
    }
    assert!(cache.is_empty());
    server.resume();
}

#[tokio::test]
async fn a_reset_behind_its_back_is_seen_within_the_age() {
    const AGE: Duration = Duration::from_millis(500);
    let server = RedisServer::start();
    let cache = DenyCache::over(redis_at(&server)).max_age(AGE).build().unwrap();
    let limiter = limiter(&cache, Algorithm::FixedWindow, 1);
    assert!(limiter.allow_request("ada").await.unwrap());
    let before = Instant::now();
    assert!(!limiter.allow_request("ada").await.unwrap());
    server.cli(&["FLUSHALL"]);
    server.forget_counts();
    // As often as it takes: refused by the cache, and by nobody else.
    while !limiter.allow_request("ada").await.unwrap() {
        assert_eq!(asked(&server), 0);
    }
    assert_eq!(asked(&server), 1);
    assert!(before.elapsed() >= AGE || cache.hits() == 0, "{:?} {}", before.elapsed(), cache.hits());
}

#[tokio::test]
async fn what_is_given_back_through_the_cache_is_seen_at_once() {
    let server = RedisServer::start();
    let cache = cache_over(&server);
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&cache, *algorithm, 1);
        let decision = limiter.check("ada").await.unwrap();
        assert!(limiter.allow_request("bob").await.unwrap());
        for who in ["ada", "bob"] {
            assert!(!limiter.allow_request(who).await.unwrap());
        }
        assert!(limiter.give_back("ada", decision).await.unwrap(), "{algorithm}");
        assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        // Of nobody else.
        let hits = cache.hits();
        assert!(!limiter.allow_request("bob").await.unwrap());
        assert_eq!(cache.hits() - hits, u64::from(*algorithm != Algorithm::FixedWindowElasticExpiry));
    }
}
