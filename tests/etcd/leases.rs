//! Records disappear by leases, and leases are few.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use etcd_client::{EventType, LeaseTimeToLiveOptions};
use limitra::{Algorithm, AnyStorage, Limit, RateLimiter};
use limitra_tests::{EtcdServer, Proxy, ProxyMode, fresh_prefix};
use tokio::task::JoinSet;

use crate::stage::{HOUR, etcd_at, limiter, look, value};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_hits_on_a_thousand_keys_take_a_handful_of_leases() {
    let server = EtcdServer::start();
    let storage: AnyStorage = etcd_at(&server.url()).into();
    let limiters = [1, 60, 3600, 86_400].map(|window| {
        let limit = Limit::new(1_000_000, Duration::from_secs(window)).unwrap();
        RateLimiter::builder().storage(&storage).limit(limit).prefix(fresh_prefix()).build().unwrap()
    });
    let mut running = JoinSet::new();
    for task in 0..50 {
        let limiters = limiters.clone();
        running.spawn(async move {
            for hit in 0..200 {
                let key = (task * 200 + hit) % 1000;
                assert!(limiters[key % 4].allow_request(key / 4).await.unwrap());
            }
        });
    }
    running.join_all().await;
    assert_eq!(server.keys("test").len(), 1000);
    let leases = server.leases();
    assert!(leases.len() <= 12, "{} leases: {leases:?}", leases.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_need_the_first_lease_at_once_are_granted_one() {
    let server = EtcdServer::start();
    let limiter = limiter(etcd_at(&server.url()), Algorithm::FixedWindow, 10);
    let mut running = JoinSet::new();
    for who in 0..200 {
        let limiter = limiter.clone();
        running.spawn(async move { assert!(limiter.allow_request(who).await.unwrap()) });
    }
    running.join_all().await;
    assert_eq!(server.leases().len(), 1);
}

#[tokio::test]
async fn a_lease_lasts_as_long_as_its_record_is_of_use_and_less_than_twice_that() {
    let server = EtcdServer::start();
    let storage: AnyStorage = etcd_at(&server.url()).into();
    let client = look(&server).await;
    let mut seen = BTreeSet::new();
    for window in [1, 10, 60, 100, 3600, 3700, 86_400, 30 * 86_400, 360 * 86_400, 3_155_760_000] {
        let limit = Limit::new(5, Duration::from_secs(window)).unwrap();
        let limiter = RateLimiter::builder().storage(&storage).algorithm(Algorithm::FixedWindow).limit(limit);
        let limiter = limiter.prefix(fresh_prefix()).build().unwrap();
        assert!(limiter.allow_request("ada").await.unwrap());
        let lease = value(&client, &limiter.key("ada")).await.unwrap().lease();
        let found = client.lease_client().time_to_live(lease, None::<LeaseTimeToLiveOptions>).await.unwrap();
        let left = u64::try_from(found.ttl()).unwrap();
        // A minute for clocks that differ; some seconds are gone since.
        let keep = window + 60;
        assert!(left + 15 >= keep && left <= 2 * keep, "{left} s for a window of {window} s");
        seen.insert(lease);
    }
    assert_eq!(seen.len(), server.leases().len());
}

#[tokio::test]
async fn each_write_extends_the_life_of_its_record() {
    let server = EtcdServer::start();
    let storage = etcd_at(&server.url());
    let client = look(&server).await;
    let build = |window| {
        let limit = Limit::new(5, window).unwrap();
        let limiter = RateLimiter::builder().storage(&storage).algorithm(Algorithm::FixedWindow).limit(limit);
        limiter.prefix("limitra").build().unwrap()
    };
    assert!(build(Duration::from_secs(1)).allow_request("ada").await.unwrap());
    let key = build(HOUR).key("ada");
    let short = value(&client, &key).await.unwrap().lease();
    assert!(build(HOUR).allow_request("ada").await.unwrap());
    let long = value(&client, &key).await.unwrap().lease();
    assert_ne!(short, long);
    let left = client.lease_client().time_to_live(long, None).await.unwrap().ttl();
    assert!(left > 3500, "{left} s");
}

#[tokio::test]
async fn a_lease_that_was_revoked_is_replaced_within_the_decision() {
    let server = EtcdServer::start();
    let limiter = limiter(etcd_at(&server.url()), Algorithm::FixedWindow, 3);
    assert!(limiter.allow_request("ada").await.unwrap());
    for lease in server.leases() {
        server.cli(&["lease", "revoke", &lease]);
    }
    // Its records went with it: that is what revoking a lease means.
    for allowed in [true, true, true, false] {
        assert_eq!(limiter.allow_request("ada").await.unwrap(), allowed);
    }
    assert_eq!((limiter.outages(), server.leases().len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_that_lost_everything_is_gone_on_with() {
    let mut server = EtcdServer::start();
    let storage: AnyStorage = etcd_at(&server.url()).into();
    let windows = [1, 1000, 2_000_000];
    let limiters = windows.map(|window| {
        let limit = Limit::new(100, Duration::from_secs(window)).unwrap();
        RateLimiter::builder().storage(&storage).limit(limit).prefix(fresh_prefix()).build().unwrap()
    });
    for limiter in &limiters {
        assert!(limiter.allow_request("ada").await.unwrap());
    }
    server.restart_empty();
    for limiter in &limiters {
        let mut running = JoinSet::new();
        for who in 0..20 {
            let limiter = limiter.clone();
            running.spawn(async move { assert!(limiter.allow_request(who).await.unwrap()) });
        }
        running.join_all().await;
    }
    let leases = server.leases();
    assert!((3..=6).contains(&leases.len()), "{leases:?}");
}

#[tokio::test]
async fn a_lease_that_cannot_be_granted_in_time_is_an_error_and_nothing_is_written() {
    let server = EtcdServer::start();
    let proxy = Proxy::start(server.address());
    let patient = limiter(etcd_at(&server.url()), Algorithm::FixedWindow, 3);
    let storage = limitra::EtcdStorage::builder()
        .url(format!("etcd://{}", proxy.address()))
        .response_timeout(Duration::from_millis(300))
        .connect_timeout(Duration::from_secs(60))
        .build()
        .unwrap();
    let hasty = limiter(&storage, Algorithm::FixedWindow, 3);
    // Connected, but without a lease.
    hasty.test("ada").await.unwrap();
    proxy.set(ProxyMode::Blackhole);
    assert_eq!(crate::stage::kind(hasty.allow_request("ada").await), limitra::StorageErrorKind::Timeout);
    proxy.set(ProxyMode::Pass);
    assert!(patient.allow_request("ada").await.unwrap());
    assert_eq!(server.keys("test").len(), 1);
}

#[tokio::test]
async fn a_record_of_a_short_window_is_gone_two_minutes_later() {
    let server = EtcdServer::start();
    let storage = etcd_at(&server.url());
    let limit = Limit::new(1, Duration::from_secs(1)).unwrap();
    let limiter =
        RateLimiter::builder().storage(&storage).limit(limit).prefix(fresh_prefix()).build().unwrap();
    let mut watched = look(&server).await.watch(limiter.key("ada"), None).await.unwrap();
    let began = SystemTime::now();
    assert!(limiter.allow_request("ada").await.unwrap());
    let gone = async {
        while let Some(heard) = watched.message().await.unwrap() {
            if heard.events().iter().any(|event| event.event_type() == EventType::Delete) {
                return;
            }
        }
        panic!("the watch ended");
    };
    tokio::time::timeout(Duration::from_secs(300), gone).await.expect("the record stays");
    // Not before it was of no use, and a minute more for clocks that differ.
    assert!(began.elapsed().unwrap() >= Duration::from_secs(60));
    assert!(server.leases().is_empty() && server.keys("test").is_empty());
}

#[tokio::test]
async fn all_leases_that_were_lost_are_replaced_within_one_decision() {
    let server = EtcdServer::start();
    let storage: AnyStorage = etcd_at(&server.url()).into();
    let hit = async |window| {
        let limit = Limit::new(5, Duration::from_secs(window)).unwrap();
        let limiter = RateLimiter::builder().storage(&storage).algorithm(Algorithm::FixedWindow).limit(limit);
        limiter.prefix(fresh_prefix()).build().unwrap().allow_request("ada").await
    };
    // Each of the two serves the third as well.
    assert!(hit(3440).await.unwrap() && hit(5240).await.unwrap());
    assert_eq!(server.leases().len(), 2);
    for lease in server.leases() {
        server.cli(&["lease", "revoke", &lease]);
    }
    assert!(hit(3940).await.unwrap());
    assert_eq!(server.leases().len(), 1);
}
