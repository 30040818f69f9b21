//! Clusters of other versions.

use std::path::PathBuf;

use limitra_tests::contract::{self, Place};
use limitra_tests::{RedisCluster, RedisServer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clusters_of_other_versions_keep_every_promise() {
    let list = std::env::var_os("LIMITRA_OTHER_REDIS").expect(
        "LIMITRA_OTHER_REDIS is not set: give it paths of redis-server or valkey-server programs of other versions, \
         separated by colons; ./tests/run installs some and sets it",
    );
    for program in std::env::split_paths(&list).collect::<Vec<PathBuf>>() {
        println!("{}", program.display());
        let cluster = RedisCluster::of(&RedisServer::builder().program(&program));
        let place = Place::new(cluster.url().replace("redis", "valkey"), cluster);
        contract::it_keeps_every_promise(&place).await;
        contract::racing_tasks_admit_exactly_the_limit(&place).await;
        contract::reset_removes_its_own_records_and_no_others(&place).await;
    }
}
