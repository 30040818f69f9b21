//! Services that have to be ready before they are called.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use limitra::web::{HttpLimiter, Key, key};
use tokio::sync::Semaphore;
use tower::{Layer as _, Service, ServiceExt as _};

use crate::service::per_minute;

/// A service that has one place, which is taken by whoever is ready: as `ConcurrencyLimit` has it.
struct OnePlace {
    places: Arc<AtomicUsize>,
    is_ready: bool,
}

impl OnePlace {
    fn new() -> Self {
        Self { places: Arc::new(AtomicUsize::new(1)), is_ready: false }
    }
}

impl Clone for OnePlace {
    fn clone(&self) -> Self {
        Self { places: Arc::clone(&self.places), is_ready: false }
    }
}

impl Drop for OnePlace {
    fn drop(&mut self) {
        self.places.fetch_add(usize::from(self.is_ready), Ordering::SeqCst);
    }
}

impl Service<Request<()>> for OnePlace {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        let take = |places: usize| places.checked_sub(1);
        if !self.is_ready {
            self.is_ready = self.places.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok();
        }
        if self.is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.is_ready, "called before it was ready");
        self.is_ready = false;
        self.places.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Response::default()))
    }
}

/// A key that is known once this gate is open.
fn behind(gate: &Arc<Semaphore>) -> Key {
    let gate = Arc::clone(gate);
    key::by_async(move |_| {
        let gate = Arc::clone(&gate);
        async move { gate.acquire().await.map(|_| "ada") }
    })
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called_after_a_key_was_waited_for() {
    let gate = Arc::new(Semaphore::new(0));
    let limiter = HttpLimiter::builder().limit(&per_minute(2), behind(&gate)).build().unwrap();
    let mut service = limiter.layer().layer(OnePlace::new());
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let mut answer = std::pin::pin!(service.ready().await.unwrap().call(Request::new(())));
        let mut context = Context::from_waker(Waker::noop());
        assert!(answer.as_mut().poll(&mut context).is_pending());
        // The place is taken while the key is waited for: nobody else is ready.
        assert!(service.poll_ready(&mut context).is_pending());
        gate.add_permits(1);
        statuses.push(answer.await.unwrap().status().as_u16());
        gate.forget_permits(1);
    }
    assert_eq!(statuses, [200, 200, 429]);
    assert!(service.ready().await.is_ok(), "a refused request has given its place back");
}

#[tokio::test]
async fn whoever_leaves_while_a_key_is_waited_for_gives_the_place_back_and_is_not_charged() {
    let gate = Arc::new(Semaphore::new(0));
    let limit = per_minute(1);
    let limiter = HttpLimiter::builder().limit(&limit, behind(&gate)).build().unwrap();
    let mut service = limiter.layer().layer(OnePlace::new());
    for _ in 0..5 {
        let answer = std::pin::pin!(service.ready().await.unwrap().call(Request::new(())));
        assert!(answer.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(limit.usage("ada").await.unwrap().count, 0);
    gate.add_permits(9);
    assert_eq!(service.ready().await.unwrap().call(Request::new(())).await.unwrap().status(), 200);
}
