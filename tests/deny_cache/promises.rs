//! A storage under a cache keeps what a storage promises.

use limitra::{AnyStorage, DenyCache, MemoryStorage, conformance};
use limitra_tests::{RedisServer, oracle, race};

use crate::stage::cache_over;

#[tokio::test]
async fn it_keeps_every_promise_over_memory() {
    let cache = DenyCache::over(MemoryStorage::new()).build().unwrap();
    conformance::check(&cache).await.unwrap_or_else(|violations| panic!("{violations:#?}"));
    oracle::replay(cache.into(), "a deny cache").await;
}

#[tokio::test]
async fn it_keeps_every_promise_over_redis() {
    let server = RedisServer::start();
    let cache = cache_over(&server);
    conformance::check(&cache).await.unwrap_or_else(|violations| panic!("{violations:#?}"));
    oracle::replay(cache.into(), "a deny cache").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn races_come_out_exact() {
    let server = RedisServer::start();
    let storage = AnyStorage::from(cache_over(&server));
    race::racing_tasks_admit_exactly_the_limit(storage.clone()).await;
    race::racing_tasks_charge_every_subject_or_none(storage.clone()).await;
    race::dropped_tasks_leave_all_limits_with_one_count(storage).await;
}

#[tokio::test]
async fn it_goes_by_the_name_and_the_bounds_of_its_storage() {
    let storage = AnyStorage::from(DenyCache::over(MemoryStorage::new()).build().unwrap());
    assert_eq!((storage.name(), storage.bounds()), ("memory", limitra::Bounds::default()));
    assert!(storage.check().await);
}
