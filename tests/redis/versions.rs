//! Servers of other versions.

use std::path::PathBuf;

use limitra::{Algorithm, StorageErrorKind};
use limitra_tests::RedisServer;
use limitra_tests::contract::{self, Place};

use crate::coalescing::what_is_wrong_stays_with_its_caller;
use crate::stage::{kind, limiter, storage_at};

/// The programs that are there to be tried.
fn programs() -> Vec<PathBuf> {
    let list = std::env::var_os("LIMITRA_OTHER_REDIS").expect(
        "LIMITRA_OTHER_REDIS is not set: give it paths of redis-server or valkey-server programs of other versions, \
         separated by colons; ./tests/run installs some and sets it",
    );
    let programs: Vec<PathBuf> = std::env::split_paths(&list).collect();
    assert!(!programs.is_empty(), "LIMITRA_OTHER_REDIS names no program");
    programs
}

fn servers() -> impl Iterator<Item = (String, Place)> {
    programs().into_iter().map(|program| {
        let server = RedisServer::builder().program(&program).start();
        (program.display().to_string(), Place::new(server.url(), server))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_versions_keep_every_promise() {
    for (program, place) in servers() {
        println!("{program}");
        contract::it_keeps_every_promise(&place).await;
        contract::several_subjects_are_charged_all_or_none_or_not_offered(&place).await;
        contract::reset_removes_its_own_records_and_no_others(&place).await;
        contract::it_says_that_it_is_there(&place).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_versions_agree_with_every_recorded_decision() {
    for (program, place) in servers() {
        println!("{program}");
        contract::it_agrees_with_every_recorded_decision(&place).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_one_record_is_its_callers_error_alone_on_other_versions() {
    for program in programs() {
        let server = RedisServer::builder().program(&program).start();
        what_is_wrong_stays_with_its_caller(&server).await;
    }
}

/// Rights by key are there since Redis 7.
#[tokio::test]
async fn a_right_to_only_some_records_spoils_no_decision_on_others() {
    let mut tried = 0;
    for program in programs() {
        let server = RedisServer::builder().program(&program).start();
        let clerk = "ACL SETUSER clerk on >sesame ~test* +evalsha +eval +get +set +setrange +time";
        let some = "(+pttl ~*first*)";
        let words: Vec<&str> = clerk.split(' ').chain([some]).collect();
        if !server.cli(&words).starts_with("OK") {
            continue;
        }
        let url = server.url().replace("redis://", "redis://clerk:sesame@");
        let limiter = limiter(&storage_at(&url), Algorithm::FixedWindow, 1);
        for identifier in ["first", "second"] {
            assert!(limiter.allow_request(identifier).await.unwrap());
        }
        // Whoever is refused is asked for the time to live.
        let [first, second, third] =
            limiter.check_many(["first", "second", "third"]).await.try_into().unwrap();
        assert_eq!((first.unwrap().is_allowed(), third.unwrap().is_allowed()), (false, true));
        assert_eq!(kind(second), StorageErrorKind::Refused);
        tried += 1;
    }
    assert!(tried > 0, "LIMITRA_OTHER_REDIS names no server of version 7 or later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_tasks_admit_exactly_the_limit_on_other_versions() {
    for (program, place) in servers() {
        println!("{program}");
        contract::racing_tasks_admit_exactly_the_limit(&place).await;
    }
}

#[test]
fn racing_processes_admit_exactly_the_limit_on_other_versions() {
    for (program, place) in servers() {
        println!("{program}");
        contract::racing_processes_admit_exactly_the_limit(&place, env!("CARGO_BIN_EXE_racer"));
    }
}
