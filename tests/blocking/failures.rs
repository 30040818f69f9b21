//! Storages that are down, silent or broken.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use limitra::{
    AnyStorage, Attempt, Breaker, Error, Key, LimitraConfig, MemoryStorage, Outcome, RedisStorage, Storage,
    StorageError, StorageErrorKind, blocking,
};
use limitra_tests::{Proxy, ProxyMode, RedisServer};

use crate::stage::{fresh, kind, limiter};

fn hasty(url: &str) -> AnyStorage {
    let deadline = Duration::from_millis(100);
    let storage = RedisStorage::builder().url(url).response_timeout(deadline).connect_timeout(deadline);
    storage.build().unwrap().into()
}

#[test]
fn a_server_that_is_not_there_is_an_error_within_the_deadline() {
    let server = RedisServer::start();
    let url = server.url();
    drop(server);
    let storage = hasty(&url);
    let limiter = limiter(&storage, 1);
    assert_eq!(kind(limiter.allow_request("ada")), StorageErrorKind::Unavailable);
    assert_eq!(kind(limiter.reset("ada")), StorageErrorKind::Unavailable);
    assert_eq!(kind(blocking::check_all([limiter.of("ada")])), StorageErrorKind::Unavailable);
    assert_eq!(limiter.outages(), 2);
    let storage = blocking::Storage::new(&storage);
    assert!(!storage.check());
    assert_eq!(storage.ping().unwrap_err().kind(), StorageErrorKind::Unavailable);
}

#[test]
fn a_server_that_falls_silent_is_a_timeout_and_the_thread_goes_on() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let storage = hasty(&proxy.redis_url());
    let limiter = limiter(&storage, 5);
    assert!(limiter.allow_request("ada").unwrap());
    proxy.set(ProxyMode::Blackhole);
    assert_eq!(kind(limiter.allow_request("ada")), StorageErrorKind::Timeout);
    let open = fresh(&storage, 5).fail_open(true).build().unwrap().blocking();
    assert!(open.check("ada").unwrap().is_degraded());
    proxy.set(ProxyMode::Pass);
    let direct = crate::stage::limiter(&hasty(&server.url()), 1);
    assert!(direct.allow_request("ada").unwrap());
}

#[test]
fn a_reply_that_is_lost_counts_one_hit_and_no_more() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let prefix = limitra_tests::fresh_prefix();
    let through = fresh(&hasty(&proxy.redis_url()), 9).prefix(prefix.clone()).build().unwrap().blocking();
    let direct = fresh(&hasty(&server.url()), 9).prefix(prefix).build().unwrap().blocking();
    assert!(through.allow_request("ada").unwrap());
    proxy.set(ProxyMode::DropReply);
    kind(through.allow_request("ada"));
    assert_eq!(direct.usage("ada").unwrap().count, 2);
}

/// A storage that panics, and one that asks a blocking limiter before it answers.
#[derive(Debug)]
enum Broken {
    Panics,
    AsksItself(blocking::RateLimiter, Mutex<Option<String>>),
}

#[async_trait]
impl Storage for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        tokio::task::yield_now().await;
        match self {
            Self::Panics => panic!("out of order: {}", attempt.subjects.len()),
            Self::AsksItself(limiter, heard) => {
                let answer = limiter.allow_request("ada");
                *heard.lock().unwrap() = answer.err().map(|error| error.to_string());
                MemoryStorage::new().decide(attempt).await
            }
        }
    }

    async fn clear(&self, _key: Key<'_>) -> Result<(), StorageError> {
        panic!("out of order");
    }

    async fn ping(&self) -> Result<(), StorageError> {
        panic!("out of order");
    }
}

#[test]
fn a_storage_that_panics_is_an_error_with_its_message() {
    let storage: AnyStorage = Arc::new(Broken::Panics).into();
    let limiter = limiter(&storage, 1);
    let Err(Error::Storage(error)) = limiter.allow_request("ada") else {
        panic!("it decided");
    };
    assert_eq!(error.kind(), StorageErrorKind::Malformed);
    assert!(error.to_string().ends_with("while trying to decide: it panicked: out of order: 1"), "{error}");
    assert_eq!(kind(limiter.reset("ada")), StorageErrorKind::Malformed);
    assert!(!blocking::Storage::new(&storage).check());
    assert_eq!(limiter.outages(), 1);
    let open = fresh(&storage, 1).fail_open(true).build().unwrap().blocking();
    assert!(open.check("ada").unwrap().is_degraded());
    assert!(crate::stage::limiter(&crate::stage::redis(), 1).allow_request("ada").unwrap());
}

#[test]
fn a_storage_that_asks_a_blocking_limiter_is_told_and_does_not_hang() {
    let inner = limiter(&crate::stage::redis(), 1);
    let storage = Arc::new(Broken::AsksItself(inner.clone(), Mutex::default()));
    let outer = limiter(&AnyStorage::from(Arc::clone(&storage)), 1);
    assert!(outer.allow_request("ada").unwrap());
    let Broken::AsksItself(_, heard) = &*storage else { panic!("it is that one") };
    let heard = heard.lock().unwrap().take().unwrap();
    assert!(heard.contains("would wait for itself"), "{heard}");
    assert!(inner.allow_request("ada").unwrap());
}

#[test]
fn each_policy_answers_a_blocking_caller_and_the_share_is_charged_when_the_server_is_back() {
    let mut server = RedisServer::start();
    let limits = LimitraConfig::new().redis_url(server.url());
    let breaker = Breaker::new().failures(1).pause(Duration::from_millis(20));
    let limits = limits.breaker(breaker.longest_pause(Duration::from_millis(20))).build().unwrap();
    let by = |policy: &str| {
        let limiter = limits.limiter().algorithm("fixed_window").requests(8).window(3600).on_outage(policy);
        limiter.scope(policy).build().unwrap().blocking()
    };
    let [closed, open, local, error] = [by("closed:3s"), by("open"), by("local:4"), by("error")];
    server.kill();
    kind(error.check("ada"));
    let refused = closed.check("ada").unwrap();
    assert!(refused.is_degraded() && !refused.is_allowed());
    assert_eq!(refused.retry_after(), Duration::from_secs(3));
    assert!(open.check("ada").unwrap().is_degraded());
    let shared: Vec<bool> = (0..3).map(|_| local.allow_request("ada").unwrap()).collect();
    assert_eq!(shared, [true, true, false]);
    let several = blocking::check_all([local.of("bob"), local.of("eve")]).unwrap();
    assert!(several.is_degraded() && several.is_allowed());
    assert_eq!(
        local.check_many(["bob", "bob"]).into_iter().filter(|one| one.as_ref().unwrap().is_allowed()).count(),
        1
    );
    server.restart();
    // Single probes find the server; then what is owed goes first.
    while local.check("nobody").unwrap().is_degraded() || limits.health().owing > 0 {}
    let used = ["ada", "bob", "eve"].map(|who| local.usage(who).unwrap().count);
    assert_eq!(used, [2, 2, 1]);
}
