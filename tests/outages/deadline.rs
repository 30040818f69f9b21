//! A storage that hangs costs each caller the deadline at most.

use std::time::{Duration, Instant};

use limitra::{AnyStorage, Deadline, RateLimiter, Storage as _, StorageErrorKind, check_all};

use crate::stage::{Mood, Shaky, builder, kind, limit};

const SOON: Duration = Duration::from_millis(50);

fn limiter(storage: &Deadline) -> RateLimiter {
    builder().limit(limit(5)).storage(storage).build().unwrap()
}

#[tokio::test]
async fn every_question_to_a_storage_that_hangs_ends() {
    let deadline = Deadline::over(Shaky::new(Mood::Hangs), SOON).unwrap();
    let limiter = limiter(&deadline);
    assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Timeout);
    assert_eq!(kind(limiter.usage("ada").await), StorageErrorKind::Timeout);
    assert_eq!(kind(check_all([limiter.of("ada"), limiter.of("bob")]).await), StorageErrorKind::Timeout);
    for answer in limiter.check_many(["ada", "bob"]).await {
        assert_eq!(kind(answer), StorageErrorKind::Timeout);
    }
    assert_eq!(deadline.ping().await.unwrap_err().kind(), StorageErrorKind::Timeout);
    assert!(!AnyStorage::from(&deadline).check().await);
}

#[tokio::test]
async fn a_thousand_callers_wait_side_by_side_and_not_one_after_the_other() {
    let deadline = Deadline::over(Shaky::new(Mood::Hangs), SOON).unwrap();
    let limiter = limiter(&deadline);
    let started = Instant::now();
    let callers = (0..1000).map(|_| {
        let limiter = limiter.clone();
        tokio::spawn(async move { kind(limiter.check("ada").await) })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap(), StorageErrorKind::Timeout);
    }
    assert!(started.elapsed() < SOON * 500, "they waited for each other");
    assert_eq!(deadline.missed(), 1000);
}

#[tokio::test]
async fn what_is_late_is_not_sent_again() {
    let storage = Shaky::new(Mood::Hangs);
    let deadline = Deadline::over(storage.clone(), SOON).unwrap();
    let limiter = limiter(&deadline);
    assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Timeout);
    storage.set(Mood::Works);
    assert_eq!(limiter.usage("ada").await.unwrap().count, 0);
    assert_eq!(storage.asked(), 2);
}

#[test]
fn in_a_runtime_without_timers_it_is_an_error_that_says_so_and_nothing_is_asked() {
    let storage = Shaky::new(Mood::Works);
    let limiter = limiter(&Deadline::over(storage.clone(), SOON).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(limiter.check("ada")).unwrap_err();
    assert!(error.to_string().contains("enable_time()"), "{error}");
    assert_eq!(kind::<()>(Err(error)), StorageErrorKind::NoRuntime);
    assert_eq!(storage.asked(), 0);
}

#[test]
fn outside_a_runtime_there_is_no_deadline() {
    let storage = Shaky::new(Mood::Works);
    let limiter = limiter(&Deadline::over(storage.clone(), SOON).unwrap());
    let mut asked = Box::pin(limiter.check("ada"));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(answer) = asked.as_mut().poll(&mut context) else {
        panic!("it waits for a timer that nobody drives");
    };
    assert!(answer.unwrap().is_allowed());
    assert_eq!(storage.asked(), 1);
}

#[test]
fn a_deadline_of_no_time_is_a_mistake() {
    let error = Deadline::over(Shaky::new(Mood::Works), Duration::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "deadline must be longer than zero");
    Deadline::over(Shaky::new(Mood::Works), Duration::MAX).unwrap();
}
