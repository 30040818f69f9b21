//! Settings that end in an instant.

use std::time::Duration;

use limitra::storage;
use limitra::{Algorithm, AnyStorage, RateLimiter};
use limitra_tests::fresh_prefix;

/// More seconds than any instant can be put off by.
const AGES: &str = "1e19";

/// A decision and a reset are had from the server at this URL, whatever ages it may take.
async fn decides_within_ages(url: &str) {
    let ages = [("response_timeout", AGES), ("connect_timeout", AGES)];
    let storage: AnyStorage = storage::from_url(url, ages).unwrap();
    let builder =
        RateLimiter::builder().algorithm(Algorithm::Gcra).requests(2).window(Duration::from_secs(3600));
    let limiter = builder.storage(&storage).prefix(fresh_prefix()).build().unwrap();
    assert!(limiter.allow_request("ada").await.unwrap(), "{url}");
    assert_eq!(limiter.check_many(["ada", "ada"]).await.len(), 2, "{url}");
    assert!(!limiter.allow_request("ada").await.unwrap(), "{url}");
    limiter.reset("ada").await.unwrap();
    storage.ping().await.unwrap();
}

#[tokio::test]
async fn a_deadline_of_ages_is_a_deadline_on_redis() {
    decides_within_ages(&limitra_tests::shared().url()).await;
}

#[cfg(all(unix, feature = "memcached"))]
#[tokio::test]
async fn a_deadline_of_ages_is_a_deadline_on_memcached() {
    decides_within_ages(&limitra_tests::MemcachedServer::start().url()).await;
}

#[cfg(feature = "mongodb")]
#[tokio::test]
async fn a_deadline_of_ages_is_a_deadline_on_mongodb() {
    decides_within_ages(&limitra_tests::MongoDbServer::start().url()).await;
}

#[cfg(feature = "etcd")]
#[tokio::test]
async fn a_deadline_of_ages_is_a_deadline_on_etcd() {
    decides_within_ages(&limitra_tests::EtcdServer::start().url()).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_deadline_of_ages_is_a_deadline_on_postgres() {
    decides_within_ages(&limitra_tests::PostgresServer::start().url()).await;
}
