//! Replies that are lost.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use limitra::{
    Algorithm, AnyStorage, Attempt, Clock, Key, Limit, Mode, RedisClusterStorage, Refund, Rule, State,
    StorageErrorKind, Subject,
};
use limitra_tests::{Proxy, ProxyMode, RedisCluster, RedisServer, ScriptedRedis};

use crate::stage::{HOUR, kind, limiter, patient};

/// A cluster whose nodes say of themselves that they are at their proxies.
struct Behind {
    cluster: RedisCluster,
    proxies: Vec<Proxy>,
}

impl Behind {
    fn start() -> Self {
        let cluster = RedisCluster::start();
        let proxies: Vec<Proxy> = cluster.nodes().iter().map(|node| Proxy::start(node.address())).collect();
        for (node, proxy) in cluster.nodes().iter().zip(&proxies) {
            node.cli(&["CONFIG", "SET", "cluster-announce-port", &proxy.address().port().to_string()]);
        }
        let behind = Self { cluster, proxies };
        for node in behind.cluster.nodes() {
            behind.cluster.wait("the ports are not announced", |_| {
                let slots = node.cli(&["CLUSTER", "SLOTS"]);
                behind.cluster.nodes().iter().all(|node| !slots.contains(&node.address().port().to_string()))
            });
        }
        behind
    }

    fn storage(&self) -> AnyStorage {
        // One node to begin with; the others are heard of.
        RedisClusterStorage::builder()
            .url(format!("redis+cluster://{}", self.proxies[0].address()))
            .response_timeout(Duration::from_secs(2))
            .connect_timeout(Duration::from_secs(60))
            .build()
            .unwrap()
            .into()
    }

    fn set(&self, mode: &ProxyMode) {
        for proxy in &self.proxies {
            proxy.set(mode.clone());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hit_whose_reply_is_lost_is_counted_once() {
    let behind = Behind::start();
    let storage = behind.storage();
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage, *algorithm, 100);
        assert!(limiter.allow_request("ada").await.unwrap());
        behind.set(&ProxyMode::DropReply);
        assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Unavailable, "{algorithm}");
        behind.set(&ProxyMode::Pass);
        assert_eq!(limiter.usage("ada").await.unwrap().count, 2, "{algorithm}");
        behind.set(&ProxyMode::CutBeforeRequest);
        assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Unavailable, "{algorithm}");
        behind.set(&ProxyMode::Pass);
        assert_eq!(limiter.usage("ada").await.unwrap().count, 2, "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hit_that_is_not_answered_is_counted_once() {
    let behind = Behind::start();
    let storage = behind.storage();
    let limiter = limiter(&storage, Algorithm::FixedWindow, 100);
    assert!(limiter.allow_request("ada").await.unwrap());
    behind.set(&ProxyMode::Delay(Duration::from_secs(3)));
    assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Timeout);
    behind.set(&ProxyMode::Pass);
    // What is late may arrive, but once.
    let counted = limiter.usage("ada").await.unwrap().count;
    assert!((1..=2).contains(&counted), "{counted}");
}

#[tokio::test]
async fn a_server_that_is_no_cluster_says_so() {
    let server = RedisServer::start();
    let storage: AnyStorage = RedisClusterStorage::builder()
        .url(server.url().replace("redis://", "redis+cluster://"))
        .connect_timeout(Duration::from_secs(60))
        .build()
        .unwrap()
        .into();
    let error = storage.ping().await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Refused);
    assert!(error.to_string().contains("cluster support disabled"), "{error}");
    assert!(!storage.check().await);
    assert_eq!(kind(limiter(&storage, Algorithm::Gcra, 1).check("ada").await), StorageErrorKind::Refused);
}

/// It may be the answer to somebody else, as from then on each would be.
#[tokio::test]
async fn after_what_is_no_answer_the_next_command_goes_by_another_connection() {
    let (connections, port) = (Arc::new(AtomicU64::new(0)), Arc::new(OnceLock::new()));
    let (count, own) = (connections.clone(), port.clone());
    let server = ScriptedRedis::saying(move |name| {
        count.fetch_add(u64::from(name == "HELLO"), Ordering::SeqCst);
        match name {
            "CLUSTER" => {
                let port = own.get().copied().unwrap_or_default();
                let all = format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n");
                (Duration::ZERO, all.into_bytes())
            }
            "EVALSHA" | "EVAL" => (Duration::ZERO, b"+OK\r\n".to_vec()),
            _ => ScriptedRedis::greeting(name),
        }
    })
    .await;
    port.set(server.address().port()).unwrap();
    let url = server.url().replace("redis://", "redis+cluster://");
    let storage = patient().url(url).key_prefix("{shop}").build().unwrap();
    let storage = AnyStorage::from(storage).shared();
    let rules = [Rule::new(Algorithm::SlidingWindow, Limit::new(5, HOUR).unwrap()).unwrap()];
    let subjects = ["ada", "bob"].map(|name| Subject {
        key: Key::from_text(name),
        rules: Cow::Borrowed(&rules),
        cost: 1,
    });
    let attempt = |subjects| Attempt { subjects, clock: Clock::Storage, mode: Mode::Hit };
    let refund = Refund { subjects: &subjects, receipts: &[State::default(); 2], clock: Clock::Storage };
    let malformed = StorageErrorKind::Malformed;
    for round in 0..3 {
        assert_eq!(storage.decide(&attempt(&subjects)).await.unwrap_err().kind(), malformed);
        assert_eq!(connections.load(Ordering::SeqCst), 3 * round + 1);
        assert_eq!(storage.decide(&attempt(&subjects[..1])).await.unwrap_err().kind(), malformed);
        assert_eq!(connections.load(Ordering::SeqCst), 3 * round + 2);
        assert_eq!(storage.give_back(&refund).await.unwrap_err().kind(), malformed);
        assert_eq!(connections.load(Ordering::SeqCst), 3 * round + 3);
    }
}
