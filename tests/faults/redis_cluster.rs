//! A replica that a cluster promotes.

use limitra_tests::RedisCluster;

use crate::load::{Load, Side};
use crate::seen::hold;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_promoted_by_a_cluster_under_load_admits_one_more_limit_at_most() {
    let mut cluster = RedisCluster::start();
    let load = Load::start(&cluster.url());
    let master =
        |cluster: &RedisCluster, side: &Side| cluster.master_of(cluster.slot(&side.plenty.key("ada")));
    let masters: Vec<usize> = load.sides().iter().map(|side| master(&cluster, side)).collect();
    let victim = masters[0];
    let concerned: Vec<&str> = load
        .sides()
        .iter()
        .zip(&masters)
        .filter(|(_, of)| **of == victim)
        .map(|(side, _)| side.policy)
        .collect();
    load.is_felt().await;
    load.strike();
    cluster.node_mut(victim).kill();
    // Nobody does anything more.
    load.heal();
    load.is_an_outage_of(|side| concerned.contains(&side.policy)).await;
    cluster.wait("no replica takes over", |cluster| {
        let masters = cluster.masters_seen_by((victim + 1) % 6);
        masters.len() == 3 && !masters.contains(&victim)
    });
    load.is_over().await;
    // What had not reached the replica is forgotten.
    hold("master killed, replica promoted", "Redis Cluster", &load.end().await, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masters_of_a_cluster_that_hand_over_under_load_lose_nothing() {
    let cluster = RedisCluster::start();
    let load = Load::start(&cluster.url());
    load.is_felt().await;
    let masters = cluster.masters_seen_by(0);
    load.strike();
    for replica in (0..6).filter(|node| !masters.contains(node)) {
        cluster.nodes()[replica].cli(&["CLUSTER", "FAILOVER"]);
        cluster.wait("the replica is not promoted", |cluster| {
            cluster.nodes()[replica].cli(&["INFO", "replication"]).contains("role:master")
        });
    }
    load.heal();
    load.is_over().await;
    hold("all masters hand over", "Redis Cluster", &load.end().await, 0).await;
}
