//! Ways to a master: URLs, options, credentials, sentinels that are dead or know nothing.

use std::time::{Duration, Instant};

use limitra::{
    AnyStorage, ConfigurationError, RateLimiter, RedisSentinelStorage, RedisSentinelStorageBuilder,
    StorageErrorKind, storage,
};
use limitra_tests::{Proxy, ProxyMode, RedisSentinels, RedisServer, fresh_prefix};

fn patient() -> RedisSentinelStorageBuilder {
    let patience = Duration::from_secs(60);
    RedisSentinelStorage::builder().response_timeout(patience).connect_timeout(patience)
}

async fn decides(storage: impl Into<AnyStorage>) {
    let storage = storage.into();
    let limiter = RateLimiter::builder().requests(1).window(3600).storage(&storage).prefix(fresh_prefix());
    let limiter = limiter.build().unwrap();
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
    storage.ping().await.unwrap();
}

async fn is_refused(storage: RedisSentinelStorage, expected: StorageErrorKind) -> String {
    let storage = AnyStorage::from(storage);
    let error = storage.ping().await.unwrap_err();
    assert_eq!(error.kind(), expected, "{error}");
    assert!(!storage.check().await);
    format!("{error} {error:?} {storage:?}")
}

#[tokio::test]
async fn every_way_of_naming_a_service_leads_to_its_master() {
    let sentinels = RedisSentinels::start();
    let addresses = sentinels.addresses();
    let first = sentinels.sentinels()[0].address();
    let patient = [("response_timeout", "60"), ("connect_timeout", "60")];
    for url in [
        sentinels.url(),
        format!("async+{}", sentinels.url()),
        format!("valkey+sentinel://{first}/mymaster/"),
        format!("redis+sentinel://{addresses}?service_name=mymaster"),
        format!("redis+sentinel://{first}/other?service_name=mymaster&db=3"),
    ] {
        let storage = storage::from_url(&url, patient).unwrap();
        assert_eq!(storage.name(), "redis-sentinel");
        decides(storage).await;
    }
    assert_eq!(sentinels.servers()[0].cli(&["-n", "3", "DBSIZE"]), "1");
    assert_eq!(sentinels.servers()[0].cli(&["DBSIZE"]), "4");
}

#[tokio::test]
async fn a_sentinel_that_is_dead_or_does_not_answer_keeps_nobody_waiting() {
    let mut sentinels = RedisSentinels::start();
    let proxy = Proxy::start(sentinels.sentinels()[1].address());
    proxy.set(ProxyMode::Blackhole);
    sentinels.sentinel_mut(0).kill();
    let [first, last] = [0, 2].map(|index| sentinels.sentinels()[index].address());
    let started = Instant::now();
    let url = format!("redis+sentinel://{first},{},{last}/mymaster", proxy.address());
    decides(patient().url(url).build().unwrap()).await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    // With nobody left to answer it is an error within the deadline.
    let url = format!("redis+sentinel://{first},{}/mymaster", proxy.address());
    let lonely = RedisSentinelStorage::builder().url(url).connect_timeout(Duration::from_millis(300));
    is_refused(lonely.build().unwrap(), StorageErrorKind::Unavailable).await;
}

/// A sentinel that was cut off during a failover names the old master, whose machine may be gone without a word.
#[tokio::test]
async fn a_sentinel_that_names_a_server_which_does_not_answer_keeps_nobody_waiting() {
    let sentinels = RedisSentinels::start();
    let gone = Proxy::start(sentinels.servers()[0].address());
    gone.set(ProxyMode::Blackhole);
    let stale = RedisServer::builder()
        .sentinel(&format!("sentinel monitor mymaster 127.0.0.1 {} 3\n", gone.address().port()))
        .start();
    // It is the first to answer.
    let late = Proxy::start(sentinels.sentinels()[0].address());
    late.set(ProxyMode::Delay(Duration::from_millis(200)));
    let started = Instant::now();
    let url = format!("redis+sentinel://{},{}/mymaster", stale.address(), late.address());
    decides(patient().url(url).build().unwrap()).await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_service_that_no_sentinel_knows_is_an_error_that_names_it() {
    let sentinels = RedisSentinels::start();
    let url = format!("redis+sentinel://{}/another", sentinels.addresses());
    let shown = is_refused(patient().url(url).build().unwrap(), StorageErrorKind::Refused).await;
    assert!(shown.contains("another") && shown.contains("service_name"), "{shown}");
    // A server that is no sentinel.
    let server = RedisServer::start();
    let url = format!("redis+sentinel://{}/mymaster", server.address());
    let shown = is_refused(patient().url(url).build().unwrap(), StorageErrorKind::Refused).await;
    assert!(shown.contains("SENTINEL"), "{shown}");
}

#[tokio::test]
async fn a_server_that_is_not_a_master_is_not_taken_for_one() {
    let sentinels = RedisSentinels::start();
    // A sentinel that takes the replica for a master.
    let replica = sentinels.servers()[1].address();
    let confused = RedisServer::builder()
        .sentinel(&format!("sentinel monitor other 127.0.0.1 {} 3\n", replica.port()))
        .start();
    let url = format!("redis+sentinel://{}/other", confused.address());
    let shown = is_refused(patient().url(url).build().unwrap(), StorageErrorKind::Unavailable).await;
    assert!(shown.contains("not a master"), "{shown}");
}

#[tokio::test]
async fn credentials_of_servers_and_of_sentinels_are_kept_apart() {
    let both = RedisSentinels::with_passwords(Some("sesame"), Some("open"));
    let url = both.url();
    decides(patient().url(&url).password("sesame").sentinel_password("open").build().unwrap()).await;
    // What the URL says is for both, where nothing else is said.
    let with = |word: &str| url.replace("://", &format!("://:{word}@"));
    decides(patient().url(with("sesame")).sentinel_password("open").build().unwrap()).await;
    decides(patient().url(with("open")).password("sesame").build().unwrap()).await;
    for wrong in [
        patient().url(with("sesame")),
        patient().url(with("open")),
        patient().url(&url).password("sesame"),
        patient().url(&url).password("wrong-word").sentinel_password("open"),
        patient().url(&url).password("sesame").sentinel_password("wrong-word"),
        patient().url(&url).password("sesame").sentinel_username("ann").sentinel_password("open"),
    ] {
        let shown = is_refused(wrong.clone().build().unwrap(), StorageErrorKind::Refused).await;
        let shown = format!("{shown} {wrong:?}");
        assert!(!shown.contains("wrong-word") && !shown.contains("sesame"), "{shown}");
    }
}

#[tokio::test]
async fn sentinels_without_a_password_do_not_mind_the_servers() {
    let sentinels = RedisSentinels::with_passwords(Some("sesame"), None);
    let url = sentinels.url().replace("://", "://:sesame@");
    decides(patient().url(&url).build().unwrap()).await;
    decides(patient().url(sentinels.url()).password("sesame").build().unwrap()).await;
    decides(patient().url(&url).sentinel_password("").build().unwrap()).await;
}

#[test]
fn a_mistake_names_the_part() {
    for (url, problem) in [
        ("redis+sentinel://", "it names no host"),
        ("redis+sentinel:///mymaster", "it names no host"),
        ("redis+sentinel://host:1", "names no service; give one there or as `service_name`"),
        ("redis+sentinel://host:1/", "`service_name`"),
        ("redis+sentinel://host:1,/mymaster", "one of its hosts is empty"),
        ("redis+sentinel://host:x/mymaster", "its port `x` is not a number"),
        ("redis+sentinel://host:1/mymaster?db=first", "`db` is `first`"),
        ("redis+sentinel://host:1/mymaster?db=-1", "a database is numbered from 0"),
        ("redis+sentinel://host:1/mymaster?use_replicas=true", "has no option `use_replicas`; known are"),
    ] {
        let error = storage::from_url(url, ()).unwrap_err().to_string();
        assert!(error.contains(problem), "{url}: {error}");
        assert_eq!(RedisSentinelStorage::from_url(url).unwrap_err().to_string(), error);
    }
    let other = RedisSentinelStorage::from_url("redis://host:1").unwrap_err();
    assert!(matches!(other, ConfigurationError::Url { .. }), "{other}");
}
