//! Called from wherever: it neither deadlocks nor panics.

use std::cell::RefCell;
use std::sync::mpsc::{Sender, channel};

use limitra::{Error, blocking};
use tokio::task::{JoinSet, LocalSet, spawn_blocking, spawn_local};

use crate::stage::{fresh, limiter, redis};

#[tokio::test(flavor = "current_thread")]
async fn inside_a_runtime_of_one_thread() {
    let redis = redis();
    let limiter = limiter(&redis, 2);
    assert!(limiter.allow_request("ada").unwrap());
    assert!(limiter.awaited().allow_request("ada").await.unwrap(), "the two may take turns");
    assert!(!limiter.allow_request("ada").unwrap());
    assert!(!limiter.awaited().allow_request("ada").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inside_more_tasks_than_a_runtime_has_threads() {
    let limiter = limiter(&redis(), 10);
    let mut tasks = JoinSet::new();
    for number in 0..40 {
        let limiter = limiter.clone();
        if number % 2 == 0 {
            tasks.spawn(async move { limiter.allow_request("ada").unwrap() });
        } else {
            tasks.spawn_blocking(move || limiter.allow_request("ada").unwrap());
        }
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.into_iter().filter(|allowed| *allowed).count(), 10);
}

#[tokio::test(flavor = "current_thread")]
async fn inside_a_local_set_and_a_blocking_task() {
    let limiter = limiter(&redis(), 2);
    let (here, there) = (limiter.clone(), limiter.clone());
    let local = async { spawn_local(async move { here.allow_request("ada").unwrap() }).await.unwrap() };
    assert!(LocalSet::new().run_until(local).await);
    assert!(spawn_blocking(move || there.allow_request("ada").unwrap()).await.unwrap());
    assert!(!limiter.allow_request("ada").unwrap());
}

#[test]
fn inside_a_runtime_without_timers_and_sockets() {
    let limiter = limiter(&redis(), 1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(async { limiter.allow_request("ada").unwrap() }));
    drop(runtime);
    assert!(!limiter.allow_request("ada").unwrap(), "nothing of it was used");
}

#[test]
fn after_any_number_of_runtimes_that_are_gone() {
    let redis = redis();
    let awaited = fresh(&redis, 20).build().unwrap();
    let limiter = awaited.blocking();
    for count in 1..=5 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert!(runtime.block_on(awaited.allow_request("ada")).unwrap());
        drop(runtime);
        assert!(limiter.allow_request("ada").unwrap());
        assert_eq!(limiter.usage("ada").unwrap().count, 2 * count);
    }
}

/// Asks when its thread ends.
struct Last {
    limiter: blocking::RateLimiter,
    answers: Sender<Result<bool, Error>>,
}

impl Drop for Last {
    fn drop(&mut self) {
        let answer = self.limiter.allow_request("ada");
        self.answers.send(answer).unwrap();
    }
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

#[test]
fn by_a_destructor_of_a_thread_that_ends() {
    let limiter = limiter(&redis(), 1);
    let (sender, answers) = channel();
    std::thread::spawn(move || {
        LAST.with(|last| {
            // It is made before what the question itself keeps for its thread, so it is dropped after it.
            let mut last = last.borrow_mut();
            *last = Some(Last { limiter: limiter.clone(), answers: sender });
            assert!(limiter.test("ada").unwrap().is_allowed());
        });
    })
    .join()
    .unwrap();
    assert!(answers.recv().unwrap().unwrap());
}
