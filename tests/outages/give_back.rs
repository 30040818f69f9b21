//! What becomes of a charge that cannot be given back.

use std::time::Duration;

use limitra::{AnyStorage, Breaker, CircuitBreaker, CircuitState, Deadline, InFlight, StorageErrorKind};

use crate::stage::{LOST, Mood, Shaky, builder, kind, limit};

#[tokio::test]
async fn an_outage_keeps_the_charge_and_is_an_error_under_every_policy() {
    for policy in ["error", "open", "closed", "local:4"] {
        let shaky = Shaky::new(Mood::Works);
        let limiter = builder().limit(limit(4)).storage(shaky.clone()).on_outage(policy).build().unwrap();
        let decision = limiter.check("ada").await.unwrap();
        shaky.set(LOST);
        let lost = limiter.give_back("ada", decision.clone()).await;
        assert_eq!(kind(lost), StorageErrorKind::Unavailable, "{policy}");
        assert_eq!(limiter.outages(), 1);
        shaky.set(Mood::Works);
        assert_eq!(limiter.usage("ada").await.unwrap().count, 1);
        assert!(limiter.give_back("ada", decision).await.unwrap());
        assert_eq!(limiter.usage("ada").await.unwrap().count, 0);
    }
}

#[tokio::test]
async fn what_a_policy_decided_is_not_asked_back() {
    for policy in ["open", "closed", "local:1"] {
        let shaky = Shaky::new(LOST);
        let limiter = builder().limit(limit(4)).storage(shaky.clone()).on_outage(policy).build().unwrap();
        let decision = limiter.check("ada").await.unwrap();
        assert!(decision.is_degraded());
        let asked = shaky.asked();
        assert!(!limiter.give_back("ada", decision).await.unwrap(), "{policy}");
        assert_eq!(shaky.asked(), asked);
    }
}

#[tokio::test]
async fn a_give_back_whose_outcome_is_unknown_is_not_sent_again() {
    let shaky = Shaky::new(Mood::Works);
    let limiter = builder().limit(limit(4)).storage(shaky.clone()).build().unwrap();
    let decision = limiter.check_cost("ada", 2).await.unwrap();
    limiter.check_cost("ada", 2).await.unwrap();
    shaky.set(Mood::ForgetsAnswers);
    let asked = shaky.asked();
    assert_eq!(kind(limiter.give_back("ada", decision).await), StorageErrorKind::Timeout);
    assert_eq!(shaky.asked() - asked, 1);
    shaky.set(Mood::Works);
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
}

#[tokio::test]
async fn every_layer_stands_before_it() {
    let shaky = Shaky::new(Mood::Works);
    let deadline = AnyStorage::from(Deadline::over(shaky.clone(), Duration::from_millis(20)).unwrap());
    let breaker = CircuitBreaker::over(&deadline, Breaker::new().failures(1)).unwrap();
    let in_flight = InFlight::over(&breaker, 1).unwrap();
    let limiter = builder().limit(limit(4)).storage(&in_flight).build().unwrap();
    let decision = limiter.check("ada").await.unwrap();
    shaky.set(Mood::Hangs);
    let (one, other) =
        tokio::join!(limiter.give_back("ada", decision.clone()), limiter.give_back("ada", decision.clone()));
    assert_eq!((kind(one), kind(other)), (StorageErrorKind::Timeout, StorageErrorKind::Overloaded));
    assert_eq!(breaker.state(), CircuitState::Open);
    assert_eq!(kind(limiter.give_back("ada", decision).await), StorageErrorKind::CircuitOpen);
    assert_eq!(in_flight.in_flight(), 0);
}
