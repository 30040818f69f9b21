//! What a local share admits while the storage is out.

use std::time::Duration;

use limitra::{
    Algorithm, AnyStorage, ConfigurationError, Limit, LocalShare, ManualClock, MemoryStorage, OnOutage,
    RateLimiter, StorageErrorKind, check_all,
};

use crate::stage::{HOUR, LOST, Mood, Shaky, builder, kind, limit};

fn share(storage: impl Into<AnyStorage>, replicas: u32) -> LocalShare {
    LocalShare::over(storage, MemoryStorage::new(), replicas).unwrap()
}

async fn admitted(limiter: &RateLimiter, asks: u64) -> u64 {
    let mut admitted = 0;
    for _ in 0..asks {
        admitted += u64::from(limiter.allow_request("ada").await.unwrap());
    }
    admitted
}

#[tokio::test]
async fn four_nodes_in_an_outage_admit_the_limit_rounded_up_to_their_number_and_no_more() {
    for algorithm in Algorithm::ALL {
        for (amount, each) in [(1, 1), (4, 1), (10, 3), (100, 25), (101, 26)] {
            let server = MemoryStorage::new();
            let clock = ManualClock::new();
            let mut sum = 0;
            for _ in 0..4 {
                let node = share(Shaky::over(&server, LOST), 4);
                let limiter = builder().algorithm(*algorithm).limit(limit(amount)).clock(clock.clone());
                let got = admitted(&limiter.storage(&node).build().unwrap(), amount + 5).await;
                assert_eq!(got, each, "{algorithm} of {amount}");
                sum += got;
            }
            assert!(sum <= amount.div_ceil(4) * 4);
            assert!(server.is_empty());
        }
    }
}

#[tokio::test]
async fn a_burst_is_shared_as_the_amount_is() {
    let node = share(Shaky::new(LOST), 4);
    let limit = Limit::new(100, HOUR).unwrap().with_burst(10).unwrap();
    let limiter = builder().algorithm("gcra").limit(limit).clock(ManualClock::new());
    assert_eq!(admitted(&limiter.storage(&node).build().unwrap(), 20).await, 3);
}

#[tokio::test]
async fn the_figures_of_a_decision_are_those_of_the_share() {
    for algorithm in Algorithm::ALL {
        let clock = ManualClock::new();
        let limiter = builder().algorithm(*algorithm).limit(limit(10)).clock(clock.clone());
        let limiter = limiter.storage(share(Shaky::new(LOST), 4)).build().unwrap();
        for left in [2, 1, 0] {
            let decision = limiter.check("ada").await.unwrap();
            assert!(decision.is_allowed() && decision.is_degraded());
            assert_eq!((decision.limit(), decision.remaining()), (Some(limit(3)), left), "{algorithm}");
        }
        let refused = limiter.check("ada").await.unwrap();
        assert!(!refused.is_allowed() && refused.is_degraded());
        let exceeded = refused.exceeded().unwrap();
        assert_eq!((exceeded.requests, &*exceeded.scope), (3, "user"));
        // Whoever waits what is told is let in, and a moment earlier nobody is.
        clock.advance(refused.retry_after());
        clock.step_back(Duration::from_micros(1));
        if *algorithm == Algorithm::FixedWindowElasticExpiry {
            continue;
        }
        assert!(!limiter.test("ada").await.unwrap().is_allowed(), "{algorithm}");
        clock.advance(Duration::from_micros(1));
        assert!(limiter.test("ada").await.unwrap().is_allowed(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_cost_above_the_share_is_the_storages_error() {
    let limiter = builder().limit(limit(10)).storage(share(Shaky::new(LOST), 4)).build().unwrap();
    assert!(limiter.check_cost("ada", 3).await.unwrap().is_allowed());
    assert_eq!(kind(limiter.check_cost("ada", 4).await), StorageErrorKind::Unavailable);
}

#[tokio::test]
async fn several_subjects_are_charged_by_their_shares_all_or_none() {
    let node = share(Shaky::new(LOST), 2);
    let limiter =
        |scope: &str, amount| builder().limit(limit(amount)).scope(scope).storage(&node).build().unwrap();
    // One storage is one storage, so both are built over the same layer.
    let storage = AnyStorage::from(&node);
    let user = builder().limit(limit(10)).scope("user").storage(&storage).build().unwrap();
    let tenant = builder().limit(limit(4)).scope("tenant").storage(&storage).build().unwrap();
    for allowed in [true, true, false] {
        let decision = check_all([user.of("ada"), tenant.of("acme")]).await.unwrap();
        assert_eq!((decision.is_allowed(), decision.is_degraded()), (allowed, true));
    }
    assert_eq!(user.usage("ada").await.unwrap().remaining, 3);
    drop(limiter("other", 1));
}

#[tokio::test]
async fn a_storage_that_answers_is_the_one_that_decides() {
    let node = share(Shaky::new(Mood::Works), 4);
    let limiter = builder().limit(limit(10)).storage(&node).build().unwrap();
    assert_eq!(admitted(&limiter, 20).await, 10);
    assert!(!limiter.check("ada").await.unwrap().is_degraded());
    assert_eq!((node.decided(), node.owing()), (0, 0));
}

#[tokio::test]
async fn limiters_of_one_handle_share_their_share() {
    let limits =
        limitra::LimitraConfig::new().storage(Shaky::new(LOST)).on_outage("local:2").build().unwrap();
    let one = limits.limiter().requests(10).window(3600).algorithm("fixed_window").build().unwrap();
    let other = limits.limiter().requests(10).window(3600).algorithm("fixed_window").build().unwrap();
    assert_eq!(admitted(&one, 3).await + admitted(&other, 10).await, 5);
    // So they can decide together.
    let decision = check_all([one.of("bob"), other.of("eve")]).await.unwrap();
    assert!(decision.is_allowed() && decision.is_degraded());
}

#[test]
fn no_replicas_are_a_mistake() {
    let error = LocalShare::over(Shaky::new(LOST), MemoryStorage::new(), 0).unwrap_err();
    assert_eq!(error, ConfigurationError::ZeroReplicas);
    assert_eq!(OnOutage::local(0), Err(ConfigurationError::ZeroReplicas));
}
