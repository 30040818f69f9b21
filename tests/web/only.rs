//! An only limit is told in a way of its own: as any limits are told.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue};
use limitra::web::{Headers, HttpLimiter};
use limitra::{Algorithm, ManualClock, MemoryStorage, RateLimiter};
use proptest::prelude::*;
use proptest::sample::select;

use crate::service::{by_user, request, send};

/// What a handler tells of limits of its own.
const OWN: [(&str, &str); 7] = [
    ("ratelimit", r#""user";r=0;t=3"#),
    ("ratelimit", r#""a\"b";r=0"#),
    ("ratelimit", "no list"),
    ("ratelimit-policy", r#""user";q=1"#),
    ("ratelimit-policy", r#""user";q=2;w=60, "user-2";q=2;w=60"#),
    ("x-ratelimit-remaining", "0"),
    ("x-ratelimit-remaining", "some"),
];

#[derive(Clone, Debug)]
struct Limited {
    algorithm: Algorithm,
    requests: u64,
    window: Duration,
    scope: String,
}

impl Limited {
    fn any() -> impl Strategy<Value = Self> {
        let requests = prop_oneof![1..4_u64, 1..=1_u64 << 40, Just((1 << 53) - 1), Just(u64::MAX - 1)];
        let window = prop_oneof![1..100_000_u64, Just(60_000), Just(3_155_760_000_000)];
        let scope = prop_oneof![Just("user".to_owned()), "[a-z\"\\\\\u{e9}\r\n]{1,70}"];
        (select(Algorithm::ALL), requests, window, scope).prop_map(|(algorithm, requests, window, scope)| {
            Self { algorithm, requests, window: Duration::from_millis(window), scope }
        })
    }

    /// None where its window is too long for so many requests.
    fn limiter(&self, clock: &ManualClock) -> Option<RateLimiter> {
        let limiter = RateLimiter::builder().algorithm(self.algorithm).requests(self.requests);
        let limiter = limiter.window(self.window).scope(&self.scope).clock(clock.clone());
        limiter.storage(MemoryStorage::new()).build().ok()
    }
}

fn headers() -> impl Strategy<Value = Headers> {
    any::<[bool; 4]>().prop_map(|[retry_after, rate_limit, x_rate_limit, on_allowed]| {
        let headers = Headers::none().retry_after(retry_after).rate_limit(rate_limit);
        headers.x_rate_limit(x_rate_limit).on_allowed(on_allowed)
    })
}

/// A handler that tells this of its own, behind these limits.
fn service(own: &[(&'static str, &'static str)], limits: &[HttpLimiter]) -> Router {
    let own: HeaderMap = own
        .iter()
        .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let router = Router::new().route("/", get(async move || own));
    limits.iter().fold(router, |router, limit| router.layer(limit.layer()))
}

proptest! {
    #[test]
    fn an_only_limit_is_told_as_any(
        limits in prop::collection::vec(Limited::any(), 1..3),
        headers in headers(),
        own in prop::collection::vec(select(&OWN[..]), 0..3),
        cost in 0..4_u64,
        pauses in prop::collection::vec(prop_oneof![Just(0), 0..100_000_u64], 8),
    ) {
        let clock = ManualClock::default();
        let limiters: Vec<_> = (0..2).map(|_| limits.iter().filter_map(|it| it.limiter(&clock)).collect()).collect();
        let [only, any]: [Vec<RateLimiter>; 2] = limiters.try_into().unwrap();
        let layer = |limit: limitra::web::HttpLimiterBuilder| limit.headers(headers).cost(move |_| cost).build().unwrap();
        let only = only.iter().map(|limiter| layer(HttpLimiter::builder().limit(limiter, by_user())));
        // A limiter that the request chooses is told the general way.
        let any = any.into_iter().map(|limiter| {
            layer(HttpLimiter::builder().limit_by_request(move |_| Some(limiter.clone()), by_user()))
        });
        let (only, any) = (service(&own, &only.collect::<Vec<_>>()), service(&own, &any.collect::<Vec<_>>()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for pause in pauses {
                let [only, any] = [&only, &any].map(|router| send(router, request("/", &[("x-user", "ada")])));
                let (only, any) = (only.await, any.await);
                prop_assert_eq!(only.status(), any.status());
                prop_assert_eq!(only.headers(), any.headers());
                clock.advance(Duration::from_millis(pause));
            }
            Ok(())
        })?;
    }
}
