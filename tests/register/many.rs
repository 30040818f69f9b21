//! Many decisions at once: those on one key in their order, all others side by side.

use limitra::{Decision, Error, StorageErrorKind, conformance};
use tokio::task::{JoinSet, yield_now};

use crate::drawer::{Behaviour, Drawer};
use crate::{limiter, storage};

fn allowed(decided: Vec<Result<Decision, Error>>) -> Vec<bool> {
    decided.into_iter().map(|decision| decision.unwrap().is_allowed()).collect()
}

fn kind(answer: &Result<Decision, Error>) -> Option<StorageErrorKind> {
    match answer {
        Err(Error::Storage(error)) => Some(error.kind()),
        Ok(_) => None,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn those_on_one_key_are_decided_in_their_order() {
    let drawer = Drawer::of(Behaviour { yields: true, ..Behaviour::default() });
    let limiter = limiter(&storage(&drawer), 2);
    let asked = ["ada", "bob", "ada", "ada", "bob", "eve", "bob", "ada"];
    let decided = allowed(limiter.check_many(asked).await);
    assert_eq!(decided, [true, true, true, false, true, true, false, false]);
    assert!(limiter.check_many(Vec::<&str>::new()).await.is_empty());
}

#[tokio::test]
async fn those_on_different_keys_are_under_way_at_once() {
    let drawer = Drawer::new();
    let limiter = limiter(&storage(&drawer), 1);
    drawer.block();
    let running = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.check_many((0..100).map(|who| who % 50)).await }
    });
    while drawer.calls().0 < 50 {
        yield_now().await;
    }
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!(drawer.calls(), (50, 0), "the second of each key waits for the first");
    drawer.unblock(false);
    let decided = allowed(running.await.unwrap());
    assert_eq!(decided, [[true; 50], [false; 50]].concat());
    assert_eq!(drawer.calls(), (100, 50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_ones_admit_exactly_the_limit() {
    let drawer = Drawer::of(Behaviour { yields: true, ..Behaviour::default() });
    let limiter = limiter(&storage(&drawer), 40);
    let mut running = JoinSet::new();
    for _ in 0..20 {
        let limiter = limiter.clone();
        running.spawn(async move { allowed(limiter.check_many((0..30).map(|who| who % 3)).await) });
    }
    let admitted = running.join_all().await.into_iter().flatten().filter(|allowed| *allowed).count();
    assert_eq!(admitted, 3 * 40);
}

#[tokio::test]
async fn a_failure_is_that_of_its_own_key() {
    let drawer = Drawer::new();
    let limiter = limiter(&storage(&drawer), 1);
    drawer.put(&limiter.key("ada"), b"not a record");
    let decided = limiter.check_many(["bob", "ada", "bob", "ada", "eve"]).await;
    let kinds: Vec<_> = decided.iter().map(kind).collect();
    let foreign = Some(StorageErrorKind::ForeignValue);
    assert_eq!(kinds, [None, foreign, None, foreign, None]);
    assert!(decided[0].as_ref().unwrap().is_allowed() && !decided[2].as_ref().unwrap().is_allowed());
}

#[tokio::test]
async fn where_one_gets_no_answer_those_behind_it_on_its_key_do_not_wait_for_the_same_again() {
    let drawer = Drawer::new();
    let limiter = limiter(&storage(&drawer), 1);
    drawer.unblock(true);
    let decided = limiter.check_many(["ada", "ada", "bob", "ada"]).await;
    let kinds: Vec<_> = decided.iter().map(kind).collect();
    let (front, behind) = (Some(StorageErrorKind::Timeout), Some(StorageErrorKind::Unavailable));
    assert_eq!(kinds, [front, behind, front, behind]);
    assert_eq!(drawer.calls(), (2, 0));
    drawer.unblock(false);
    assert_eq!(allowed(limiter.check_many(["ada", "bob"]).await), [true, true]);
}

#[tokio::test]
async fn dropping_them_leaves_each_count_as_it_should_be() {
    let drawer = Drawer::of(Behaviour { yields: true, ..Behaviour::default() });
    let limiter = limiter(&storage(&drawer), 1000);
    for turns in 0..60 {
        let running = tokio::spawn({
            let limiter = limiter.clone();
            async move { limiter.check_many(["ada", "bob", "ada", "ada", "bob"]).await }
        });
        for _ in 0..turns % 20 {
            yield_now().await;
        }
        running.abort();
        let _aborted = running.await;
    }
    // Every swap was one hit of one of them.
    let swaps = u64::from(drawer.calls().1);
    let mut counted = 0;
    for who in ["ada", "bob"] {
        counted += limiter.usage(who).await.unwrap().count;
    }
    assert!(counted <= swaps && counted + 60 >= swaps, "{counted} {swaps}");
    assert!(limiter.allow_request("ada").await.unwrap(), "no queue is left standing");
}

#[tokio::test]
async fn several_subjects_keep_the_order_of_each_of_their_keys() {
    let drawer = Drawer::of(Behaviour { subjects: 8, yields: true, ..Behaviour::default() });
    conformance::check(storage(&drawer)).await.unwrap_or_else(|violations| panic!("{violations:#?}"));
}
