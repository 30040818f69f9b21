//! Masters that die, and masters that do not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use limitra::{Algorithm, AnyStorage, RedisClusterStorage, StorageErrorKind};
use limitra_tests::RedisCluster;
use tokio::task::JoinSet;

use crate::stage::{kind, limiter};

/// With the default number of tries, and deadlines that a loaded machine keeps.
fn storage(cluster: &RedisCluster) -> AnyStorage {
    let deadline = Duration::from_secs(5);
    let storage = RedisClusterStorage::builder().url(cluster.url());
    storage.response_timeout(deadline).connect_timeout(deadline).build().unwrap().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_killed_under_load_is_replaced_and_no_hit_is_counted_twice() {
    const AMOUNT: u64 = 1_000_000;
    let mut cluster = RedisCluster::start();
    let storage = storage(&cluster);
    let limiter = limiter(&storage, Algorithm::FixedWindow, AMOUNT);
    let victim = cluster.master_of(cluster.slot(&limiter.key("ada")));
    let over = Arc::new(AtomicBool::new(false));
    let admitted = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    for _ in 0..8 {
        let (limiter, over, admitted) = (limiter.clone(), Arc::clone(&over), Arc::clone(&admitted));
        running.spawn(async move {
            let (mut asked, mut failed, mut after) = (0_u64, 0_u64, 0_u64);
            // Until there were answers after it was over: the others are the failover.
            while after < 50 {
                asked += 1;
                match limiter.allow_request("ada").await {
                    Ok(allowed) => {
                        assert!(allowed);
                        admitted.fetch_add(1, Ordering::Relaxed);
                        after += u64::from(over.load(Ordering::Relaxed));
                    }
                    Err(error) => {
                        let kind = kind::<()>(Err(error));
                        assert!(matches!(kind, StorageErrorKind::Unavailable | StorageErrorKind::Timeout));
                        failed += 1;
                    }
                }
            }
            (asked, failed)
        });
    }
    let load = Arc::clone(&admitted);
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.wait("there is no load", |_| load.load(Ordering::Relaxed) > 1000);
        cluster.node_mut(victim).kill();
        let other = (victim + 1) % 6;
        cluster.wait("no replica takes over", |cluster| {
            let masters = cluster.masters_seen_by(other);
            masters.len() == 3 && !masters.contains(&victim)
        });
        cluster
    })
    .await
    .unwrap();
    over.store(true, Ordering::Relaxed);
    let tasks = running.join_all().await;
    let (asked, failed) = tasks.into_iter().fold((0, 0), |all, task| (all.0 + task.0, all.1 + task.1));
    let admitted = admitted.load(Ordering::Relaxed);
    assert_eq!(asked, admitted + failed);
    // The law: no more is counted than was asked, each request at most once. What the dead master had not
    // passed on to its replica may be forgotten, so less may be counted than was admitted.
    let counted = limiter.usage("ada").await.unwrap().count;
    assert!(counted <= asked, "{counted} counted, {asked} asked");
    assert!(counted >= 8 * 50, "{counted} counted");
    // And whoever is counted is counted on.
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(limiter.usage("ada").await.unwrap().count, counted + 1);
    assert!(storage.check().await);
    drop(cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_slots_are_decided_while_a_master_is_dead() {
    let mut cluster = RedisCluster::start();
    for node in cluster.nodes() {
        node.cli(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
        // No replica takes over.
        node.cli(&["CONFIG", "SET", "cluster-replica-no-failover", "yes"]);
    }
    let storage = storage(&cluster);
    let prefix = limitra_tests::fresh_prefix();
    let limiter = limitra::RateLimiter::builder().requests(5).window(3600).algorithm(Algorithm::FixedWindow);
    let limiter = limiter.storage(&storage).prefix(&prefix).build().unwrap();
    let victim = cluster.master_of(cluster.slot(&limiter.key("ada")));
    let other = (0..1000).map(|who| who.to_string()).find(|who| {
        let slot = cluster.slot(&limiter.key(&**who));
        cluster.master_of(slot) != victim
    });
    let other = other.unwrap();
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(limiter.allow_request(&*other).await.unwrap());
    cluster.node_mut(victim).kill();
    let started = Instant::now();
    assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Unavailable);
    // Two deadlines of five seconds, and what a loaded machine needs.
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert!(limiter.allow_request(&*other).await.unwrap());
    assert_eq!(limiter.usage(&*other).await.unwrap().count, 2);
    assert!(!storage.check().await);
    // A storage that begins now does so with the nodes that live.
    let late = limitra::RateLimiter::builder().requests(5).window(3600).algorithm(Algorithm::FixedWindow);
    let late = late.storage(self::storage(&cluster)).prefix(prefix).build().unwrap();
    assert_eq!(late.key(&*other), limiter.key(&*other));
    assert_eq!(late.usage(&*other).await.unwrap().count, 2);
}

#[tokio::test]
async fn a_master_that_does_not_answer_is_an_error_within_the_deadline() {
    let cluster = RedisCluster::start();
    let short = Duration::from_millis(200);
    let storage: AnyStorage = RedisClusterStorage::builder()
        .url(cluster.url())
        .response_timeout(short)
        .connect_timeout(Duration::from_secs(10))
        .build()
        .unwrap()
        .into();
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    let master = cluster.master_of(cluster.slot(&limiter.key("ada")));
    limiter.check("ada").await.unwrap();
    cluster.nodes()[master].pause();
    let started = Instant::now();
    assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Timeout);
    assert!(started.elapsed() < Duration::from_secs(10));
    cluster.nodes()[master].resume();
}
