//! Decisions of one process on one key queue up.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use limitra::{Error, RateLimiter, StorageErrorKind};
use tokio::task::{JoinSet, yield_now};

use crate::drawer::{Behaviour, Drawer};
use crate::{limiter, storage};

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

fn kind(answer: Result<bool, Error>) -> StorageErrorKind {
    match answer {
        Err(Error::Storage(error)) => error.kind(),
        other => panic!("{other:?}"),
    }
}

fn ask(limiter: &RateLimiter, who: &'static str) -> impl Future<Output = Result<bool, Error>> + use<> {
    let limiter = limiter.clone();
    async move { limiter.allow_request(who).await }
}

#[tokio::test]
async fn only_one_of_them_is_under_way() {
    let drawer = Drawer::new();
    let limiter = limiter(&storage(&drawer), 50);
    drawer.block();
    let mut running = JoinSet::new();
    for _ in 0..100 {
        running.spawn(ask(&limiter, "ada"));
    }
    running.spawn(ask(&limiter, "bob"));
    settle().await;
    assert_eq!(drawer.calls().0, 2, "one for each key");
    drawer.unblock(false);
    let allowed = running.join_all().await.into_iter().filter(|answer| *answer.as_ref().unwrap()).count();
    assert_eq!(allowed, 51);
}

#[tokio::test]
async fn when_the_one_in_front_gets_no_answer_those_behind_do_not_wait_for_the_same_again() {
    let drawer = Drawer::new();
    let limiter = limiter(&storage(&drawer), 50);
    drawer.block();
    let mut running = JoinSet::new();
    for _ in 0..100 {
        running.spawn(ask(&limiter, "ada"));
    }
    settle().await;
    drawer.unblock(true);
    let mut kinds: Vec<StorageErrorKind> = running.join_all().await.into_iter().map(kind).collect();
    kinds.sort_by_key(|kind| *kind == StorageErrorKind::Unavailable);
    assert_eq!(kinds[0], StorageErrorKind::Timeout);
    assert!(kinds[1..].iter().all(|kind| *kind == StorageErrorKind::Unavailable), "{kinds:?}");
    assert_eq!(drawer.calls().0, 1);
    // Who comes later asks for itself.
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Timeout);
    drawer.unblock(false);
    assert!(limiter.allow_request("ada").await.unwrap());
}

#[tokio::test]
async fn a_caller_that_gives_up_its_place_holds_nobody_up() {
    let drawer = Drawer::new();
    let limiter = limiter(&storage(&drawer), 50);
    drawer.block();
    let front = tokio::spawn(ask(&limiter, "ada"));
    settle().await;
    let waiting = tokio::spawn(ask(&limiter, "ada"));
    let last = tokio::spawn(ask(&limiter, "ada"));
    settle().await;
    waiting.abort();
    front.abort();
    settle().await;
    drawer.unblock(false);
    assert!(last.await.unwrap().unwrap());
    assert_eq!(Arc::strong_count(&drawer), 2, "the test's and the storage's");
}

#[tokio::test]
async fn a_test_waits_for_nobody() {
    let drawer = Drawer::new();
    let limiter = limiter(&storage(&drawer), 50);
    drawer.block();
    let hit = tokio::spawn(ask(&limiter, "ada"));
    settle().await;
    let test = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.test("ada").await }
    });
    settle().await;
    assert_eq!(drawer.calls().0, 2);
    drawer.unblock(false);
    assert!(hit.await.unwrap().unwrap());
    assert!(test.await.unwrap().unwrap().is_allowed());
}

#[tokio::test]
async fn a_decision_that_is_begun_and_not_gone_on_with_holds_nobody_up_for_ever() {
    let drawer = Drawer::new();
    let limiter = limiter(&storage(&drawer), 2);
    drawer.block();
    let mut begun = Box::pin(ask(&limiter, "ada"));
    // Its load is under way, and nobody asks it to go on: as the other futures of a `buffer_unordered`, or of a `select!` by `&mut`.
    let mut context = Context::from_waker(Waker::noop());
    assert!(begun.as_mut().poll(&mut context).is_pending());
    drawer.unblock(false);
    let mut behind = JoinSet::new();
    for _ in 0..3 {
        behind.spawn(ask(&limiter, "ada"));
    }
    let answers = tokio::time::timeout(Duration::from_secs(60), behind.join_all()).await.expect("answers");
    assert_eq!(answers.into_iter().filter(|answer| *answer.as_ref().unwrap()).count(), 2);
    assert!(!begun.await.unwrap());
}

#[cfg(feature = "blocking")]
#[tokio::test]
async fn a_blocking_decision_does_not_wait_for_ever_for_a_task_of_the_thread_that_it_blocks() {
    let drawer = Drawer::of(Behaviour { yields: true, ..Behaviour::default() });
    let limiter = limiter(&storage(&drawer), 2);
    let task = tokio::spawn(ask(&limiter, "ada"));
    tokio::task::yield_now().await;
    assert_eq!(drawer.calls(), (1, 0), "it is under way");
    assert!(limiter.blocking().allow_request("ada").unwrap());
    assert!(task.await.unwrap().unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
}
