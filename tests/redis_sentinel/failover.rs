//! Masters that die or are replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use limitra::{Algorithm, AnyStorage, Error, RateLimiter, RedisSentinelStorage, StorageErrorKind};
use limitra_tests::{RedisSentinels, fresh_prefix};
use tokio::task::JoinSet;

/// Decisions by eight tasks while `replace` replaces the master.
async fn replaced_under_load(replace: impl FnOnce(&mut RedisSentinels) + Send + 'static) {
    let mut sentinels = RedisSentinels::start();
    let deadline = Duration::from_secs(5);
    let storage = RedisSentinelStorage::builder().url(sentinels.url());
    let storage: AnyStorage =
        storage.response_timeout(deadline).connect_timeout(deadline).build().unwrap().into();
    let limiter = RateLimiter::builder().requests(1_000_000).window(3600).storage(&storage);
    let limiter = limiter.algorithm(Algorithm::FixedWindow).prefix(fresh_prefix()).build().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let admitted = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    for _ in 0..8 {
        let (limiter, over, admitted) = (limiter.clone(), Arc::clone(&over), Arc::clone(&admitted));
        running.spawn(async move {
            let (mut asked, mut failed, mut after) = (0_u64, 0_u64, 0_u64);
            while after < 50 {
                asked += 1;
                match limiter.allow_request("ada").await {
                    Ok(allowed) => {
                        assert!(allowed);
                        admitted.fetch_add(1, Ordering::Relaxed);
                        after += u64::from(over.load(Ordering::Relaxed));
                    }
                    Err(Error::Storage(error)) => {
                        let kind = error.kind();
                        let expected = [StorageErrorKind::Unavailable, StorageErrorKind::Timeout];
                        assert!(expected.contains(&kind), "{error}");
                        failed += 1;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            (asked, failed)
        });
    }
    let load = Arc::clone(&admitted);
    let sentinels = tokio::task::spawn_blocking(move || {
        assert_eq!(sentinels.master(), 0);
        sentinels.wait("there is no load", |_| load.load(Ordering::Relaxed) > 1000);
        replace(&mut sentinels);
        sentinels.wait("no replica takes over", |sentinels| sentinels.master() == 1);
        sentinels.wait("the replica is not promoted", |sentinels| {
            sentinels.servers()[1].cli(&["INFO", "replication"]).contains("role:master")
        });
        sentinels
    })
    .await
    .unwrap();
    over.store(true, Ordering::Relaxed);
    let tasks = running.join_all().await;
    let (asked, failed) = tasks.into_iter().fold((0, 0), |all, task| (all.0 + task.0, all.1 + task.1));
    assert_eq!(asked, admitted.load(Ordering::Relaxed) + failed);
    // No request is counted twice; what had not reached the replica may be forgotten.
    let counted = limiter.usage("ada").await.unwrap().count;
    assert!(counted <= asked, "{counted} counted, {asked} asked");
    assert!(counted >= 8 * 50, "{counted} counted");
    assert!(storage.check().await);
    // The new master has it.
    let port = sentinels.servers()[1].address().port();
    let url = format!("redis://127.0.0.1:{port}");
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    assert!(redis::cmd("EXISTS").arg(limiter.key("ada")).query::<bool>(&mut connection).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_hands_over_is_followed_and_no_hit_is_counted_twice() {
    replaced_under_load(|sentinels| {
        sentinels.sentinels()[0].cli(&["SENTINEL", "FAILOVER", RedisSentinels::SERVICE]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_killed_under_load_is_replaced_and_no_hit_is_counted_twice() {
    replaced_under_load(|sentinels| sentinels.server_mut(0).kill()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_hangs_is_replaced() {
    replaced_under_load(|sentinels| sentinels.servers()[0].pause()).await;
}

#[tokio::test]
async fn a_master_that_was_demoted_behind_our_back_is_left_at_once() {
    let sentinels = RedisSentinels::start();
    let patience = Duration::from_secs(60);
    let storage = RedisSentinelStorage::builder().url(sentinels.url());
    let storage = storage.response_timeout(patience).connect_timeout(patience).build().unwrap();
    let limiter = RateLimiter::builder().requests(10).window(3600).storage(storage);
    let limiter = limiter.algorithm(Algorithm::FixedWindow).prefix(fresh_prefix()).build().unwrap();
    limiter.check("ada").await.unwrap();
    // The connection stays; the server takes no writes any more.
    let port = sentinels.servers()[1].address().port().to_string();
    sentinels.servers()[1].cli(&["REPLICAOF", "NO", "ONE"]);
    sentinels.servers()[0].cli(&["REPLICAOF", "127.0.0.1", &port]);
    let Err(Error::Storage(error)) = limiter.check("ada").await else { panic!("a replica took a write") };
    assert_eq!(error.kind(), StorageErrorKind::Unavailable, "{error}");
}
