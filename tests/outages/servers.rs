//! The layers that a configuration puts over a real server.

use std::time::Duration;

use limitra::{CircuitState, LimitraConfig, RateLimiter, StorageErrorKind};
use limitra_tests::{Proxy, ProxyMode, RedisServer};

use crate::stage::kind;

/// Short, so that outages are found soon; everything that is asserted holds for any.
const DEADLINE: Duration = Duration::from_millis(100);

fn limits(url: &str) -> LimitraConfig {
    let breaker =
        limitra::Breaker::new().pause(Duration::from_millis(20)).longest_pause(Duration::from_millis(50));
    LimitraConfig::new().redis_url(url).deadline(DEADLINE).breaker(breaker)
}

fn limiter(config: LimitraConfig, policy: &str) -> (limitra::Limitra, RateLimiter) {
    let limits = config.build().unwrap();
    let limiter = limits.limiter().algorithm("fixed_window").requests(100).window(3600).on_outage(policy);
    let limiter = limiter.build().unwrap();
    (limits, limiter)
}

/// Asks until the storage decides again.
async fn until_it_decides(limiter: &RateLimiter) {
    loop {
        match limiter.test("nobody").await {
            Ok(decision) if !decision.is_degraded() => return,
            _ => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn a_server_that_is_killed_and_started_again_is_found_without_a_restart() {
    let mut server = RedisServer::start();
    let (limits, limiter) = limiter(limits(&server.url()), "error");
    until_it_decides(&limiter).await;
    server.kill();
    while limits.health().is_well() {
        limiter.check("ada").await.unwrap_err();
    }
    assert_ne!(limits.health().breaker, Some(CircuitState::Closed));
    server.restart();
    until_it_decides(&limiter).await;
    assert!(limits.health().is_well());
    assert!(limiter.allow_request("ada").await.unwrap());
}

#[tokio::test]
async fn a_server_that_stands_still_costs_the_deadline_and_admits_only_the_share() {
    let server = RedisServer::start();
    let (limits, limiter) = limiter(limits(&server.url()), "local:4");
    until_it_decides(&limiter).await;
    server.pause();
    let mut admitted = 0;
    for _ in 0..60 {
        let decision = limiter.check("ada").await.unwrap();
        assert!(decision.is_degraded());
        admitted += u64::from(decision.is_allowed());
    }
    assert_eq!(admitted, 25);
    assert!(!limits.health().is_well());
    server.resume();
    until_it_decides(&limiter).await;
    // Commands that were on their way when it stood still may have been charged as well.
    let used = limiter.usage("ada").await.unwrap().count;
    assert!((25..=25 + 60).contains(&used), "{used}");
    assert!(used < 100);
}

#[tokio::test]
async fn a_thousand_callers_of_a_blackhole_all_get_an_answer() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let (limits, limiter) = limiter(limits(&proxy.redis_url()).max_in_flight(100), "error");
    until_it_decides(&limiter).await;
    proxy.set(ProxyMode::Blackhole);
    let callers = (0..1000).map(|_| {
        let limiter = limiter.clone();
        tokio::spawn(async move { kind(limiter.check("ada").await) })
    });
    let mut overloaded = 0;
    for caller in callers.collect::<Vec<_>>() {
        overloaded += u64::from(caller.await.unwrap() == StorageErrorKind::Overloaded);
    }
    assert!(overloaded >= 1, "nobody met the bound");
    assert_eq!(limits.health().in_flight, Some(0));
    proxy.set(ProxyMode::Pass);
    until_it_decides(&limiter).await;
}

#[tokio::test]
async fn a_server_that_is_still_loading_or_read_only_trips_no_breaker() {
    let server = RedisServer::start();
    let (limits, limiter) = limiter(limits(&server.url()).deadline(Duration::from_secs(60)), "error");
    until_it_decides(&limiter).await;
    // A replica of nobody takes no writes.
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    for _ in 0..20 {
        kind(limiter.check("ada").await);
        assert_eq!(limits.health().breaker, Some(CircuitState::Closed));
    }
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    until_it_decides(&limiter).await;
}

#[tokio::test]
async fn a_reply_that_is_dropped_after_execution_is_counted_once_and_never_sent_again() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let (_limits, limiter) = limiter(limits(&proxy.redis_url()), "error");
    until_it_decides(&limiter).await;
    proxy.set(ProxyMode::DropReply);
    kind(limiter.check("ada").await);
    proxy.set(ProxyMode::Pass);
    until_it_decides(&limiter).await;
    assert_eq!(limiter.usage("ada").await.unwrap().count, 1);
}

#[tokio::test]
async fn a_server_that_takes_longer_to_connect_to_than_the_deadline_is_found_again_by_single_probes() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    proxy.set(ProxyMode::DelayFirst(4 * DEADLINE));
    // Nobody asks between two probes, for longer than making a connection may take.
    let url = format!("{}?connect_timeout=600ms", proxy.redis_url());
    let breaker = limitra::Breaker::new().failures(1).pause(Duration::from_millis(700));
    let (limits, limiter) = limiter(limits(&url).breaker(breaker), "error");
    assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Timeout);
    assert_eq!(limits.health().breaker, Some(CircuitState::Open));
    until_it_decides(&limiter).await;
    assert!(limits.health().is_well());
}

#[tokio::test]
async fn callers_who_do_not_even_wait_for_the_deadline_keep_no_dead_connection_in_use() {
    const PATIENCE: Duration = Duration::from_millis(30);
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let (_limits, limiter) = limiter(limits(&proxy.redis_url()), "error");
    until_it_decides(&limiter).await;
    proxy.set(ProxyMode::Forget);
    let mut decided = 0;
    for _ in 0..100 {
        decided += u64::from(tokio::time::timeout(PATIENCE, limiter.check("ada")).await.is_ok());
    }
    assert!(decided > 0, "nobody was answered any more");
}
