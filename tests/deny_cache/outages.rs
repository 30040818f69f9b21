//! What is answered while the storage is away.

use std::time::Duration;

use limitra::{Algorithm, DenyCache, Error, RedisStorage};
use limitra_tests::RedisServer;

use crate::stage::{ERA, builder, limit, limiter};

#[tokio::test]
async fn who_was_refused_stays_refused_until_its_end_and_is_an_error_then() {
    const AGE: Duration = Duration::from_millis(600);
    let mut server = RedisServer::start();
    let redis = RedisStorage::builder().url(server.url()).response_timeout(Duration::from_secs(60));
    let cache = DenyCache::over(redis.build().unwrap()).max_age(AGE).build().unwrap();
    let limiter = limiter(&cache, Algorithm::SlidingWindow, 1);
    let open = builder(&cache, Algorithm::Gcra).limit(limit(1, ERA)).fail_open(true).build().unwrap();
    for limiter in [&limiter, &open] {
        assert!(limiter.allow_request("ada").await.unwrap());
    }
    let refused = limiter.check("ada").await.unwrap();
    assert!(!refused.is_allowed() && !open.allow_request("ada").await.unwrap());
    server.kill();
    assert!(matches!(limiter.allow_request("bob").await, Err(Error::Storage(_))));
    assert!(open.check("bob").await.unwrap().is_degraded());
    loop {
        match limiter.check("ada").await {
            Ok(decision) => assert!(!decision.is_allowed()),
            Err(error) => {
                assert!(matches!(error, Error::Storage(_)), "{error}");
                break;
            }
        }
    }
    while !open.check("ada").await.unwrap().is_degraded() {}
    assert!(open.allow_request("ada").await.unwrap());
    assert!(limiter.outages() >= 2);
    assert!(!limitra::AnyStorage::from(&cache).check().await);
}

#[tokio::test]
async fn a_refusal_that_nobody_waited_for_is_not_kept() {
    let server = RedisServer::start();
    let redis = RedisStorage::builder().url(server.url()).response_timeout(Duration::from_millis(200));
    let cache = DenyCache::over(redis.build().unwrap()).build().unwrap();
    let limiter = limiter(&cache, Algorithm::FixedWindow, 1);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.pause();
    assert!(limiter.allow_request("ada").await.is_err());
    assert!(cache.is_empty());
    server.resume();
}
