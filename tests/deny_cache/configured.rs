//! The cache by configuration.

use std::time::Duration;

use limitra::{ConfigurationError, DenyCache, LimitraConfig, MemoryStorage, rate_limit};
use limitra_tests::RedisServer;

use crate::stage::{HOUR, asked};

#[rate_limit(requests = 1, window = 3600, key = "user", algorithm = "gcra", limitra = limits)]
async fn post(user: &str, limits: &limitra::Limitra) -> Result<(), limitra::Error> {
    Ok(())
}

#[tokio::test]
async fn it_stands_over_the_configured_storage() {
    let server = RedisServer::start();
    let limits =
        LimitraConfig::new().redis_url(server.url()).deny_cache(HOUR).deadline(None).build().unwrap();
    assert_eq!(limits.storage().name(), "redis");
    post("ada", &limits).await.unwrap();
    post("ada", &limits).await.unwrap_err();
    server.forget_counts();
    post("ada", &limits).await.unwrap_err();
    assert_eq!(asked(&server), 0);
    // Limiters of the handle share it, also by the backend's name.
    let limiter = limits.limiter().requests(1).window(60).algorithm("gcra").backend("redis").build().unwrap();
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
    server.forget_counts();
    assert!(!limiter.allow_request("ada").await.unwrap());
    assert_eq!(asked(&server), 0);
}

#[test]
fn memory_stays_as_it_is() {
    let limits = LimitraConfig::new().deny_cache(HOUR).build().unwrap();
    assert!(format!("{:?}", limits.storage()).starts_with("MemoryStorage"));
    let limits = LimitraConfig::new().storage_url("memory://").deny_cache(HOUR).build().unwrap();
    assert!(format!("{:?}", limits.storage()).starts_with("MemoryStorage"));
}

#[test]
fn a_setting_of_zero_is_a_mistake() {
    let over = || DenyCache::over(MemoryStorage::new());
    let error = over().max_age(Duration::ZERO).build().unwrap_err();
    assert_eq!(error.to_string(), "max_age must be longer than zero");
    assert_eq!(over().max_keys(0).build().unwrap_err(), ConfigurationError::ZeroMaxKeys);
    let error = LimitraConfig::new().deny_cache(Duration::ZERO).build().unwrap_err();
    assert_eq!(error.to_string(), "deny_cache must be longer than zero");
    over().max_age(Duration::MAX).max_keys(1).build().unwrap();
}
