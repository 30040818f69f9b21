//! A cluster of three.

use std::time::{Duration, Instant};

use etcd_client::{Client, ConnectOptions};
use limitra::{Algorithm, AnyStorage, Error, EtcdStorage, RateLimiter, StorageErrorKind};
use limitra_tests::EtcdCluster;

use crate::stage::{hasty_at, kind, limiter};

/// How long a cluster may take to find another leader.
const ELECTION: Duration = Duration::from_secs(60);

/// Hits until one is answered; how many were allowed, and of how many nobody knows.
async fn hit_until_answered(limiter: &RateLimiter) -> (u64, u64) {
    let deadline = Instant::now() + ELECTION;
    let mut unknown = 0;
    loop {
        match limiter.allow_request("ada").await {
            Ok(allowed) => return (u64::from(allowed), unknown),
            Err(Error::Storage(error)) => {
                let kind = error.kind();
                assert!(matches!(kind, StorageErrorKind::Timeout | StorageErrorKind::Unavailable), "{error}");
                unknown += 1;
            }
            Err(other) => panic!("{other}"),
        }
        assert!(Instant::now() < deadline, "no decision since a member is gone");
    }
}

#[tokio::test]
async fn a_cluster_goes_on_counting_whichever_member_is_killed() {
    let mut cluster = EtcdCluster::start();
    let limiter = limiter(hasty_at(&cluster.url(), Duration::from_secs(3)), Algorithm::FixedWindow, 1000);
    assert_eq!(hit_until_answered(&limiter).await.0, 1);
    let (mut allowed, mut unknown) = (1, 0);
    for member in 0..3 {
        cluster.members[member].kill();
        for _ in 0..5 {
            let (more, lost) = hit_until_answered(&limiter).await;
            allowed += more;
            unknown += lost;
        }
        cluster.members[member].restart();
    }
    assert_eq!(allowed, 16);
    let deadline = Instant::now() + ELECTION;
    let count = loop {
        match limiter.usage("ada").await {
            Ok(usage) => break usage.count,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    assert!((allowed..=allowed + unknown).contains(&count), "{count}: {allowed} allowed, {unknown} unknown");
}

#[tokio::test]
async fn endpoints_that_are_dead_cost_no_decision_while_one_is_alive() {
    let cluster = EtcdCluster::start();
    let dead = ["127.0.0.1:1", "127.0.0.1:2", "[::1]:3"].join(",");
    for member in &cluster.members {
        let url = format!("etcd://{dead},{}", member.address());
        let storage = hasty_at(&url, Duration::from_secs(30));
        assert!(limiter(storage, Algorithm::Gcra, 5).allow_request("ada").await.unwrap());
    }
}

#[tokio::test]
async fn a_member_that_hangs_costs_its_share_of_the_deadline() {
    let cluster = EtcdCluster::start();
    // A follower or the leader: then the others elect another.
    cluster.members[0].pause();
    for _ in 0..3 {
        let limiter = limiter(hasty_at(&cluster.url(), Duration::from_secs(3)), Algorithm::Gcra, 500);
        assert_eq!(hit_until_answered(&limiter).await.0, 1);
    }
    cluster.members[0].resume();
}

#[tokio::test]
async fn a_cluster_without_a_majority_is_an_error_within_the_deadlines() {
    let mut cluster = EtcdCluster::start();
    let patient = limiter(hasty_at(&cluster.url(), Duration::from_secs(3)), Algorithm::FixedWindow, 5);
    assert_eq!(hit_until_answered(&patient).await.0, 1);
    let storage: AnyStorage = EtcdStorage::from_url(&cluster.url()).unwrap().into();
    let hasty = limiter(&storage, Algorithm::FixedWindow, 5);
    let _ = hasty.test("ada").await;
    cluster.members[0].kill();
    cluster.members[1].kill();
    let began = Instant::now();
    for _ in 0..3 {
        let found = kind(hasty.allow_request("ada").await);
        assert!(matches!(found, StorageErrorKind::Timeout | StorageErrorKind::Unavailable), "{found:?}");
    }
    assert!(!storage.check().await);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    cluster.members[0].restart();
    assert_eq!(hit_until_answered(&patient).await.0, 1);
}

#[tokio::test]
async fn a_member_that_says_that_it_has_no_leader_is_not_silent() {
    let mut cluster = EtcdCluster::start();
    let options = ConnectOptions::new().with_require_leader(true);
    let client = Client::connect([cluster.members[2].endpoint()], Some(options)).await.unwrap();
    let limiter = limiter(EtcdStorage::new(client), Algorithm::FixedWindow, 1000);
    assert_eq!(hit_until_answered(&limiter).await.0, 1);
    cluster.members[0].kill();
    cluster.members[1].kill();
    let deadline = Instant::now() + ELECTION;
    let error = loop {
        match limiter.check("ada").await {
            Err(Error::Storage(error)) if error.to_string().contains("no leader") => break error,
            Ok(_) | Err(Error::Storage(_)) => {}
            Err(other) => panic!("{other}"),
        }
        assert!(Instant::now() < deadline, "it never says so");
    };
    assert_eq!((error.kind(), error.is_silence()), (StorageErrorKind::Unavailable, false), "{error}");
}
