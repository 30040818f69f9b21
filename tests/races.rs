//! However many ask at once, exactly as many are admitted as fit in: on memory and on Redis.

use limitra::{AnyStorage, MemoryStorage};
use limitra_tests::{patient_storage, race, shared};

fn memory() -> AnyStorage {
    MemoryStorage::new().into()
}

fn redis() -> AnyStorage {
    patient_storage(&shared().url()).into()
}

macro_rules! on_every_storage {
    ($($race:ident)*) => {
        mod on_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $race() {
                limitra_tests::race::$race(super::memory()).await;
            })*
        }

        mod on_redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $race() {
                limitra_tests::race::$race(super::redis()).await;
            })*
        }
    };
}

on_every_storage! {
    racing_tasks_admit_exactly_the_limit
    racing_tasks_with_costs_spend_no_more_than_the_limit
    racing_tasks_charge_every_limit_or_none
    racing_tasks_that_give_back_lose_and_gain_nothing
    racing_tasks_charge_every_subject_or_none
    a_refused_subject_charges_no_other
    dropped_tasks_leave_all_limits_with_one_count
}

#[test]
fn racing_processes_admit_exactly_the_limit_on_redis() {
    let options = [("response_timeout".to_owned(), "60".to_owned())];
    let url = shared().url();
    race::racing_processes_admit_exactly_the_limit(env!("CARGO_BIN_EXE_racer"), &url, &options);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_storages_do_not_run_out_of_retries_on_redis() {
    race::racing_storages_do_not_run_out_of_retries(redis).await;
}
