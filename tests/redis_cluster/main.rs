//! Redis Cluster: redirections, failover, and what is never sent twice; on three masters with a replica each.
#![allow(missing_docs, clippy::unwrap_used)]

mod access;
mod failover;
mod moving;
mod replies;
mod runtimes;
mod stage;
mod together;
mod versions;

use limitra_tests::RedisCluster;
use limitra_tests::contract::Place;

fn place() -> Place {
    let cluster = RedisCluster::start();
    Place::new(cluster.url(), cluster)
}

limitra_tests::storage_contract!(place());

/// A prefix with a hash tag: all records in one slot, and any number of subjects in one decision.
mod in_one_slot {
    use limitra_tests::RedisCluster;
    use limitra_tests::contract::{self, Place};

    fn place() -> Place {
        let cluster = RedisCluster::start();
        Place::new(cluster.url(), cluster).option("key_prefix", "{shop}")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn several_subjects_are_charged_all_or_none() {
        let place = place();
        assert_eq!(place.open().bounds().subjects, usize::MAX);
        contract::several_subjects_are_charged_all_or_none_or_not_offered(&place).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_keeps_every_promise() {
        contract::it_keeps_every_promise(&place()).await;
    }
}
