//! Services to be limited, and what they answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{HeaderMap, Request, Response, StatusCode};
use limitra::web::{HttpLimiter, HttpLimiterBuilder, Key, key};
use limitra::{Algorithm, ManualClock, MemoryStorage, RateLimiter};
use tower::ServiceExt as _;

/// How often a handler was reached.
#[derive(Clone, Default)]
pub(crate) struct Reached(Arc<AtomicU64>);

impl Reached {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn note(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A router whose only handler says "hello" at every path, behind this limiter.
pub(crate) fn behind(limiter: &HttpLimiter) -> (Router, Reached) {
    let reached = Reached::default();
    (hello(&reached).layer(limiter.layer()), reached)
}

pub(crate) fn hello(reached: &Reached) -> Router {
    let reached = reached.clone();
    let handler = move || {
        reached.note();
        async { "hello" }
    };
    Router::new().route("/", any(handler.clone())).route("/{*rest}", any(handler))
}

/// So many requests a minute, on memory of its own.
pub(crate) fn per_minute(requests: u64) -> RateLimiter {
    RateLimiter::builder().requests(requests).window(60).build().unwrap()
}

/// The same by a clock that stands still.
pub(crate) fn on(
    clock: &ManualClock,
    algorithm: Algorithm,
    requests: u64,
    scope: &str,
    memory: &MemoryStorage,
) -> RateLimiter {
    RateLimiter::builder()
        .algorithm(algorithm)
        .requests(requests)
        .window(60)
        .scope(scope)
        .clock(clock.clone())
        .storage(memory)
        .build()
        .unwrap()
}

pub(crate) fn by_user() -> Key {
    key::header("x-user").unwrap()
}

/// One limit for each user.
pub(crate) fn for_each_user(limiter: &RateLimiter) -> HttpLimiterBuilder {
    HttpLimiter::builder().limit(limiter, by_user())
}

pub(crate) fn request(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Response<Body> {
    router.clone().oneshot(request).await.unwrap()
}

/// What a request of this user is answered.
pub(crate) async fn ask(router: &Router, user: &str) -> StatusCode {
    send(router, request("/", &[("x-user", user)])).await.status()
}

pub(crate) async fn body(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().unwrap());
    assert!(values.next().is_none(), "two headers {name}");
    value
}
