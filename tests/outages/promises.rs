//! A storage under each layer keeps what a storage promises.

use std::time::Duration;

use limitra::{
    AnyStorage, Breaker, CircuitBreaker, Deadline, InFlight, LocalShare, MemoryStorage, conformance,
};
use limitra_tests::{oracle, patient_storage, race, shared};

use crate::stage::{LOST, Shaky};

/// What no test waits for, and no bound that any meets.
const PATIENCE: Duration = Duration::from_secs(120);
const MANY: usize = 1_000_000;

fn layers(storage: &AnyStorage) -> [AnyStorage; 5] {
    let deadline = AnyStorage::from(Deadline::over(storage, PATIENCE).unwrap());
    let breaker = AnyStorage::from(CircuitBreaker::over(storage, Breaker::new()).unwrap());
    let in_flight = AnyStorage::from(InFlight::over(storage, MANY).unwrap());
    let share = AnyStorage::from(LocalShare::over(storage, MemoryStorage::new(), 3).unwrap());
    let all = CircuitBreaker::over(&deadline, Breaker::new()).unwrap();
    let all = InFlight::over(&all, MANY).unwrap();
    let all = LocalShare::over(&all, MemoryStorage::new(), 3).unwrap();
    [deadline, breaker, in_flight, share, all.into()]
}

async fn holds(storage: &AnyStorage) {
    conformance::check(storage).await.unwrap_or_else(|violations| panic!("{storage:?}: {violations:#?}"));
}

#[tokio::test]
async fn each_layer_keeps_every_promise_over_memory() {
    for layer in layers(&MemoryStorage::new().into()) {
        holds(&layer).await;
        oracle::replay(layer, "a layer").await;
    }
}

#[tokio::test]
async fn each_layer_keeps_every_promise_over_redis() {
    for layer in layers(&patient_storage(&shared().url()).into()) {
        holds(&layer).await;
    }
}

#[tokio::test]
async fn a_whole_share_over_a_dead_storage_keeps_every_promise_but_to_give_back() {
    let share = LocalShare::over(Shaky::new(LOST), MemoryStorage::new(), 1).unwrap();
    let violations = conformance::check(&share).await.unwrap_err();
    // What the storage was never charged it cannot be asked back.
    assert!(violations.iter().all(|violation| violation.promise == 12), "{violations:#?}");
    assert!(share.decided() > 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn races_under_all_layers_come_out_exact() {
    let [.., all] = layers(&patient_storage(&shared().url()).into());
    race::racing_tasks_admit_exactly_the_limit(all.clone()).await;
    race::racing_tasks_charge_every_subject_or_none(all.clone()).await;
    race::dropped_tasks_leave_all_limits_with_one_count(all).await;
}

#[tokio::test]
async fn layers_go_by_the_name_and_the_bounds_of_their_storage() {
    let storage = AnyStorage::from(MemoryStorage::new());
    for layer in layers(&storage) {
        assert_eq!((layer.name(), layer.bounds()), (storage.name(), storage.bounds()));
        layer.ping().await.unwrap();
        assert_eq!(layer.reset().await.unwrap(), 0);
    }
}
