//! A decision on memory is there at once.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use limitra::{Algorithm, Error, Limitra, LimitraConfig, check_all, rate_limit};

use crate::World;

/// What a future is worth at its first poll, with nobody to wake.
#[track_caller]
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn a_decision_is_ready_at_its_first_poll_without_a_runtime() {
    for &algorithm in Algorithm::ALL {
        let world = World::of(10);
        let limiter = world.limiter_of(algorithm, 2, Duration::from_secs(60));
        for _ in 0..1000 {
            at_once(limiter.check("ada")).unwrap();
        }
        assert!(!at_once(limiter.test_cost("ada", 2)).unwrap().is_allowed());
        assert_eq!(at_once(limiter.usage("ada")).unwrap().remaining, 0);
        assert!(at_once(limiter.status("ada")).unwrap().is_some());
        assert!(at_once(limiter.wait_time("ada")).unwrap() > Duration::ZERO);
        at_once(limiter.reset("ada")).unwrap();
        assert!(at_once(limiter.allow_request("ada")).unwrap());
        assert!(at_once(check_all([limiter.of("ada"), limiter.of("bob")])).unwrap().is_allowed());
        assert!(at_once(limiter.check_cost("ada", 3)).is_err());
    }
}

#[test]
fn an_attributed_function_waits_for_nothing_but_its_body() {
    #[rate_limit(requests = 2, window = 60, key = "id", algorithm = "gcra", limitra = limits)]
    async fn create_post(id: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }

    let limits = LimitraConfig::new().build().unwrap();
    for _ in 0..2 {
        assert_eq!(at_once(create_post(7, &limits)).unwrap(), 7);
    }
    at_once(create_post(7, &limits)).unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_is_dropped_unasked_counts_nothing() {
    let world = World::of(10);
    let limiter = world.limiter(1, Duration::from_secs(60));
    drop(limiter.check("ada"));
    assert!(world.storage.is_empty());
    assert!(limiter.allow_request("ada").await.unwrap());
}
