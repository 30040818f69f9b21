//! Ways to a cluster: URLs, options, credentials, TLS.

use limitra::{AnyStorage, ConfigurationError, RateLimiter, RedisClusterStorage, StorageErrorKind, storage};
use limitra_tests::{Certificates, RedisCluster, RedisServer, TemporaryFolder, fresh_prefix};

use crate::stage::{kind, patient};

async fn decides(storage: &AnyStorage) {
    let limiter = RateLimiter::builder().requests(1).window(3600).storage(storage).prefix(fresh_prefix());
    let limiter = limiter.build().unwrap();
    for who in 0..20 {
        assert!(limiter.allow_request(who).await.unwrap());
        assert!(!limiter.allow_request(who).await.unwrap());
    }
    storage.ping().await.unwrap();
}

#[tokio::test]
async fn every_way_of_naming_nodes_leads_there() {
    let cluster = RedisCluster::start();
    let patient = [("response_timeout", "60"), ("connect_timeout", "60")];
    let one = cluster.nodes()[4].address();
    for url in [
        cluster.url(),
        format!("async+{}", cluster.url()),
        format!("valkey+cluster://{one}/"),
        format!("redis+cluster://127.0.0.1:1,{one}"),
        format!("redis+cluster://?startup_nodes={}", cluster.addresses()),
        format!("redis+cluster://{one}/0?max_retries=3"),
    ] {
        let storage = storage::from_url(&url, patient).unwrap();
        assert_eq!(storage.name(), "redis-cluster");
        decides(&storage).await;
    }
    let nodes = patient.into_iter().map(|(name, value)| (name, value.to_owned()));
    let options = nodes.chain([("startup_nodes", cluster.addresses())]).collect::<storage::StorageOptions>();
    decides(&storage::from_url("redis+cluster://", options).unwrap()).await;
}

#[tokio::test]
async fn a_password_opens_and_a_wrong_one_is_refused() {
    let settings = RedisServer::builder().password("sesame").setting("masterauth", "sesame");
    let cluster = RedisCluster::of(&settings);
    decides(&patient().url(cluster.url()).password("sesame").build().unwrap().into()).await;
    let url = cluster.url().replace("://", "://:sesame@");
    decides(&patient().url(&url).build().unwrap().into()).await;
    for storage in [
        patient().url(cluster.url()).build().unwrap(),
        patient().url(&url).password("wrong-word").build().unwrap(),
        patient().url(url.replace("sesame", "wrong-word")).build().unwrap(),
    ] {
        let storage = AnyStorage::from(storage);
        let limiter = RateLimiter::builder().requests(1).window(60).storage(&storage).build().unwrap();
        let error = limiter.check("ada").await.unwrap_err();
        let shown = format!("{error} {error:?} {storage:?}");
        assert_eq!(kind::<()>(Err(error)), StorageErrorKind::Refused, "{shown}");
        assert!(!shown.contains("wrong-word") && !shown.contains("sesame"), "{shown}");
        assert!(!storage.check().await);
    }
    let builder = RedisClusterStorage::builder().url(&url).password("sesame");
    assert!(!format!("{builder:?} {:?}", builder.clone().build().unwrap()).contains("sesame"));
}

#[tokio::test]
async fn a_user_who_may_do_little_more_than_decide_decides() {
    let cluster = RedisCluster::start();
    // What a decision takes, and nothing else; not even to say hello.
    let user = "clerk on >sesame ~* +evalsha +eval +get +mget +set +getrange +setrange +strlen +pttl +pexpire +time \
                +exists +unlink +ping +asking +cluster|slots";
    let words: Vec<&str> = ["ACL", "SETUSER"].into_iter().chain(user.split_whitespace()).collect();
    for node in cluster.nodes() {
        node.cli(&words);
    }
    let storage: AnyStorage =
        patient().url(cluster.url()).username("clerk").password("sesame").build().unwrap().into();
    decides(&storage).await;
    let limiter = RateLimiter::builder().requests(1).window(3600).storage(&storage).prefix(fresh_prefix());
    let limiter = limiter.build().unwrap();
    let decision = limiter.check("ada").await.unwrap();
    assert!(limiter.give_back("ada", decision).await.unwrap());
    assert_eq!(storage.reset().await.unwrap_err().kind(), StorageErrorKind::Refused);
    for node in cluster.nodes() {
        node.cli(&["ACL", "SETUSER", "clerk", "+scan"]);
    }
    assert_eq!(storage.reset().await.unwrap(), 20);
}

#[tokio::test]
async fn tls_needs_the_authority_that_signed() {
    let folder = TemporaryFolder::new("authority");
    let certificates = Certificates::in_folder(folder.path());
    let settings = RedisServer::builder().certificates(&certificates);
    let settings = settings.setting("tls-cluster", "yes").setting("tls-replication", "yes");
    let cluster = RedisCluster::of(&settings);
    let path = certificates.authority.display().to_string();
    let patient = [("response_timeout", "60"), ("connect_timeout", "60")];
    decides(&storage::from_url(&format!("{}?ssl_ca_certs={path}", cluster.url()), patient).unwrap()).await;
    decides(&storage::from_url(&format!("{}?ssl=true&ssl_ca_certs={path}", cluster.url()), patient).unwrap())
        .await;
    let stranger = storage::from_url(&format!("{}?ssl=true", cluster.url()), patient).unwrap();
    assert_eq!(stranger.ping().await.unwrap_err().kind(), StorageErrorKind::Unavailable);
}

#[test]
fn a_mistake_names_the_part() {
    for (url, problem) in [
        ("redis+cluster://", "it names no host"),
        ("redis+cluster://host", "its host `host` has no port"),
        ("redis+cluster://host:1,", "one of its hosts is empty"),
        ("redis+cluster://host:x", "its port `x` is not a number"),
        ("redis+cluster://host:1/3", "its path names a database"),
        ("redis+cluster://host:1?startup_nodes=host:2", "`url` and `startup_nodes` both say"),
        ("redis+cluster://?startup_nodes=host", "its host `host` has no port"),
        ("redis+cluster://host:1?max_retries=0", "max_retries must be at least 1"),
        ("redis+cluster://host:1?max_retries=many", "`max_retries` is `many`"),
        ("redis+cluster://host:1?db=1", "has no option `db`; known are connect_timeout, key_prefix"),
        ("redis+cluster://host:1?response_timeout=0", "`response_timeout` is `0`"),
        ("redis+cluster://host:1?protocol=4", "`protocol` is `4`"),
        ("redis+cluster://host:1?ssl=maybe", "`ssl` is `maybe`"),
        ("redis+cluster://host:1?ssl_ca_certs=/no/such/file", "`ssl_ca_certs` is `/no/such/file`"),
        ("redis+cluster://:%zz@host:1", "its password is not percent-encoded"),
    ] {
        let error = storage::from_url(url, ()).unwrap_err().to_string();
        assert!(error.contains(problem), "{url}: {error}");
        assert_eq!(RedisClusterStorage::from_url(url).unwrap_err().to_string(), error);
    }
    let other = RedisClusterStorage::from_url("redis://host:1").unwrap_err();
    assert!(matches!(other, ConfigurationError::Url { .. }), "{other}");
    let late = RedisClusterStorage::builder()
        .url("redis+cluster://host:1")
        .response_timeout(std::time::Duration::ZERO);
    assert_eq!(late.build().unwrap_err(), ConfigurationError::ZeroDeadline { what: "response_timeout" });
}

#[test]
fn outside_a_runtime_it_says_so() {
    let storage = RedisClusterStorage::from_url("redis+cluster://127.0.0.1:1").unwrap();
    let limiter = RateLimiter::builder().requests(1).window(60).storage(storage).build().unwrap();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let checked = std::pin::pin!(limiter.check("ada"));
    let std::task::Poll::Ready(answer) = checked.poll(&mut context) else { panic!("it waits") };
    assert_eq!(kind(answer), StorageErrorKind::NoRuntime);
}
