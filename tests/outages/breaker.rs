//! What fails again and again is left alone, and single probes find out when it is back.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use limitra::{
    Breaker, CircuitBreaker, CircuitState, ConfigurationError, InFlight, ManualClock, RateLimiter,
    StorageErrorKind,
};

use crate::stage::{LOST, Mood, Shaky, builder, kind, limit};

const PAUSE: Duration = Duration::from_secs(1);

struct Stage {
    storage: Arc<Shaky>,
    breaker: CircuitBreaker,
    clock: ManualClock,
    limiter: RateLimiter,
}

fn stage(mood: Mood) -> Stage {
    let (storage, clock) = (Shaky::new(mood), ManualClock::new());
    let settings = Breaker::new().failures(3).pause(PAUSE).longest_pause(4 * PAUSE);
    let breaker = CircuitBreaker::with_clock(storage.clone(), settings, clock.clone()).unwrap();
    let limiter = builder().limit(limit(1000)).storage(&breaker).build().unwrap();
    Stage { storage, breaker, clock, limiter }
}

impl Stage {
    async fn opened() -> Self {
        let stage = stage(LOST);
        for _ in 0..3 {
            assert_eq!(kind(stage.limiter.check("ada").await), StorageErrorKind::Unavailable);
        }
        assert_eq!(stage.breaker.state(), CircuitState::Open);
        stage
    }
}

#[tokio::test]
async fn after_failures_callers_are_told_at_once() {
    let stage = Stage::opened().await;
    for _ in 0..100 {
        assert_eq!(kind(stage.limiter.check("ada").await), StorageErrorKind::CircuitOpen);
    }
    for answer in stage.limiter.check_many(["ada", "bob"]).await {
        assert_eq!(kind(answer), StorageErrorKind::CircuitOpen);
    }
    assert_eq!(stage.storage.asked(), 3);
    assert_eq!((stage.breaker.opened(), stage.breaker.refused()), (1, 101));
}

#[tokio::test]
async fn one_probe_under_a_hundred_racing_callers_goes_through() {
    let stage = Stage::opened().await;
    stage.storage.set(Mood::Hangs);
    stage.clock.advance(PAUSE);
    let mut waiting = Vec::new();
    let mut told = 0;
    for _ in 0..100 {
        let mut asked = Box::pin(stage.limiter.check("ada"));
        match poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await {
            Poll::Pending => waiting.push(asked),
            Poll::Ready(answer) => {
                assert_eq!(kind(answer), StorageErrorKind::CircuitOpen);
                told += 1;
            }
        }
    }
    assert_eq!((waiting.len(), told), (1, 99));
    assert_eq!(stage.storage.asked(), 4);
    assert_eq!(stage.breaker.state(), CircuitState::HalfOpen);
}

#[tokio::test]
async fn a_probe_that_is_answered_closes_it() {
    let stage = Stage::opened().await;
    stage.storage.set(Mood::Works);
    assert_eq!(kind(stage.limiter.check("ada").await), StorageErrorKind::CircuitOpen);
    stage.clock.advance(PAUSE);
    assert!(stage.limiter.allow_request("ada").await.unwrap());
    assert_eq!(stage.breaker.state(), CircuitState::Closed);
    assert!(stage.limiter.allow_request("ada").await.unwrap());
}

#[tokio::test]
async fn each_probe_that_fails_doubles_the_pause_up_to_the_longest() {
    let stage = Stage::opened().await;
    let mut asked = 3;
    for pause in [PAUSE, 2 * PAUSE, 4 * PAUSE, 4 * PAUSE] {
        stage.clock.advance(pause);
        stage.clock.step_back(Duration::from_micros(1));
        assert_eq!(kind(stage.limiter.check("ada").await), StorageErrorKind::CircuitOpen);
        stage.clock.advance(Duration::from_micros(1));
        assert_eq!(kind(stage.limiter.check("ada").await), StorageErrorKind::Unavailable);
        asked += 1;
        assert_eq!(stage.storage.asked(), asked);
    }
}

#[tokio::test]
async fn a_probe_that_is_dropped_leaves_its_place_to_the_next() {
    let stage = Stage::opened().await;
    stage.storage.set(Mood::Hangs);
    stage.clock.advance(PAUSE);
    let mut probe = Box::pin(stage.limiter.check("ada"));
    assert!(poll_fn(|context| Poll::Ready(probe.as_mut().poll(context))).await.is_pending());
    assert_eq!(kind(stage.limiter.check("ada").await), StorageErrorKind::CircuitOpen);
    drop(probe);
    stage.storage.set(Mood::Works);
    assert!(stage.limiter.allow_request("ada").await.unwrap());
    assert_eq!(stage.breaker.state(), CircuitState::Closed);
}

#[tokio::test]
async fn what_a_server_answers_never_trips_it() {
    use StorageErrorKind as Kind;
    for mood in [
        // Loading, read-only, moved: it may decide later.
        Mood::Answers(Kind::Unavailable),
        Mood::Answers(Kind::Timeout),
        Mood::Fails(Kind::Refused),
        Mood::Fails(Kind::ForeignValue),
        Mood::Fails(Kind::OtherVersion),
        Mood::Fails(Kind::Full),
        Mood::Fails(Kind::ConcurrentUpdate),
        Mood::Fails(Kind::Malformed),
        Mood::Fails(Kind::NoRuntime),
        Mood::Fails(Kind::Unsupported),
    ] {
        let stage = stage(mood);
        for _ in 0..20 {
            kind(stage.limiter.check("ada").await);
        }
        assert_eq!((stage.breaker.state(), stage.storage.asked()), (CircuitState::Closed, 20), "{mood:?}");
    }
}

#[tokio::test]
async fn failures_with_an_answer_between_them_are_not_one_after_the_other() {
    let stage = stage(LOST);
    for _ in 0..50 {
        stage.storage.set(LOST);
        kind(stage.limiter.check("ada").await);
        kind(stage.limiter.check("ada").await);
        stage.storage.set(Mood::Works);
        stage.limiter.check("ada").await.unwrap();
    }
    assert_eq!(stage.breaker.state(), CircuitState::Closed);
}

#[tokio::test]
async fn many_at_once_are_one_failure_and_one_of_them_answered_is_none() {
    let stage = stage(LOST);
    for opened in [false, false, true] {
        assert_eq!(stage.breaker.state(), CircuitState::Closed);
        stage.limiter.check_many(0..100).await;
        assert_eq!(stage.breaker.state() == CircuitState::Open, opened);
    }
}

#[tokio::test]
async fn an_overload_behind_it_says_nothing_of_the_storage() {
    let storage = Shaky::new(Mood::Hangs);
    let bounded = InFlight::over(storage, 1).unwrap();
    let breaker = CircuitBreaker::over(&bounded, Breaker::new().failures(1)).unwrap();
    let limiter = builder().limit(limit(5)).storage(&breaker).build().unwrap();
    let mut first = Box::pin(limiter.check("ada"));
    assert!(poll_fn(|context| Poll::Ready(first.as_mut().poll(context))).await.is_pending());
    assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Overloaded);
    assert_eq!(breaker.state(), CircuitState::Closed);
}

#[test]
fn settings_that_cannot_be_are_mistakes() {
    let over = |settings| CircuitBreaker::over(Shaky::new(Mood::Works), settings).unwrap_err();
    for failures in [0, 16_384, u32::MAX] {
        let error = over(Breaker::new().failures(failures));
        assert_eq!(error, ConfigurationError::BreakerFailures { failures });
        assert!(error.to_string().contains(&failures.to_string()), "{error}");
    }
    assert_eq!(over(Breaker::new().pause(Duration::ZERO)).to_string(), "pause must be longer than zero");
    for settings in [
        Breaker::new().failures(16_383),
        Breaker::new().pause(Duration::MAX),
        Breaker::new().longest_pause(Duration::ZERO),
    ] {
        CircuitBreaker::over(Shaky::new(Mood::Works), settings).unwrap();
    }
}
