//! A storage that hangs cannot pile up callers.

use std::future::poll_fn;
use std::task::Poll;

use limitra::{ConfigurationError, InFlight, StorageErrorKind};

use crate::stage::{Mood, Shaky, builder, kind, limit};

#[tokio::test]
async fn a_thousand_callers_of_a_storage_that_hangs_take_only_the_places_there_are() {
    let storage = Shaky::new(Mood::Hangs);
    let bounded = InFlight::over(storage.clone(), 100).unwrap();
    let limiter = builder().limit(limit(5)).storage(&bounded).build().unwrap();
    let mut waiting = Vec::new();
    let mut told = 0;
    for _ in 0..1000 {
        let mut asked = Box::pin(limiter.check("ada"));
        match poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await {
            Poll::Pending => waiting.push(asked),
            Poll::Ready(answer) => {
                assert_eq!(kind(answer), StorageErrorKind::Overloaded);
                told += 1;
            }
        }
        assert!(bounded.in_flight() <= 100);
    }
    assert_eq!((waiting.len(), told, storage.asked()), (100, 900, 100));
    assert_eq!((bounded.in_flight(), bounded.refused()), (100, 900));
    // Whoever gives up makes room.
    waiting.truncate(40);
    assert_eq!(bounded.in_flight(), 40);
    storage.set(Mood::Works);
    assert!(limiter.allow_request("ada").await.unwrap());
    drop(waiting);
    assert_eq!(bounded.in_flight(), 0);
}

#[tokio::test]
async fn of_many_at_once_as_many_are_asked_as_there_is_room_for() {
    let storage = Shaky::new(Mood::Works);
    let bounded = InFlight::over(storage.clone(), 3).unwrap();
    let limiter = builder().limit(limit(5)).storage(&bounded).build().unwrap();
    let answers = limiter.check_many(0..10).await;
    assert_eq!(answers.len(), 10);
    for (place, answer) in answers.into_iter().enumerate() {
        if place < 3 {
            assert!(answer.unwrap().is_allowed());
        } else {
            assert_eq!(kind(answer), StorageErrorKind::Overloaded);
        }
    }
    assert_eq!((storage.asked(), bounded.refused(), bounded.in_flight()), (3, 7, 0));
    assert!(limiter.check_many(Vec::<u8>::new()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_callers_never_pass_the_bound() {
    let bounded = InFlight::over(Shaky::new(Mood::Works), 2).unwrap();
    let limiter = builder().limit(limit(1_000_000)).storage(&bounded).build().unwrap();
    let callers = (0..8).map(|_| {
        let (limiter, bounded) = (limiter.clone(), bounded.clone());
        tokio::spawn(async move {
            for _ in 0..2000 {
                let _ = limiter.check("ada").await;
                assert!(bounded.in_flight() <= 2);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    assert_eq!(bounded.in_flight(), 0);
}

#[test]
fn no_place_at_all_is_a_mistake() {
    let error = InFlight::over(Shaky::new(Mood::Works), 0).unwrap_err();
    assert_eq!(error, ConfigurationError::ZeroInFlight);
    InFlight::over(Shaky::new(Mood::Works), usize::MAX).unwrap();
}

#[tokio::test]
async fn a_hook_that_panics_keeps_no_places() {
    let bounded = InFlight::over(Shaky::new(Mood::Works), 2).unwrap().on_event(|_| panic!("on purpose"));
    let limiter = builder().limit(limit(5)).storage(&bounded).build().unwrap();
    let asked = limiter.clone();
    tokio::spawn(async move { asked.check_many(["ada", "bob", "eve"]).await }).await.unwrap_err();
    assert_eq!(bounded.in_flight(), 0);
    assert!(limiter.allow_request("ada").await.unwrap());
}
