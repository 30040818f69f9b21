//! What a client sees while the storage cannot decide.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use limitra::web::Headers;
use limitra::{Error, Limitra, LimitraConfig, RateLimiter, RedisStorage, rate_limit};
use limitra_tests::{RedisServer, fresh_prefix};

use crate::service::{ask, behind, body, for_each_user, request, send, value};

/// A Redis that is gone.
fn gone() -> RedisStorage {
    let server = RedisServer::start();
    RedisStorage::from_url(&server.url()).unwrap()
}

/// A limiter over a Redis that is gone, with this policy.
fn over_nothing(policy: &str) -> RateLimiter {
    let storage = gone();
    RateLimiter::builder()
        .requests(4)
        .window(60)
        .prefix(fresh_prefix())
        .storage(storage)
        .on_outage(policy)
        .build()
        .unwrap()
}

#[tokio::test]
async fn an_outage_is_answered_by_503_without_any_detail() {
    let (router, reached) = behind(&for_each_user(&over_nothing("error")).build().unwrap());
    let response = send(&router, request("/", &[("x-user", "ada")])).await;
    assert_eq!(response.status(), 503);
    assert_eq!(value(response.headers(), "retry-after"), None);
    assert_eq!(body(response).await, "try again later\n");
    assert_eq!(reached.count(), 0);
}

#[tokio::test]
async fn an_open_policy_lets_through_and_tells_of_no_limit() {
    let all = Headers::default().on_allowed(true);
    let (router, _) = behind(&for_each_user(&over_nothing("open")).headers(all).build().unwrap());
    let response = send(&router, request("/", &[("x-user", "ada")])).await;
    assert_eq!(response.status(), 200);
    assert_eq!(value(response.headers(), "ratelimit"), None);
}

#[tokio::test]
async fn a_closed_policy_answers_503_with_retry_after_and_tells_of_no_limit() {
    let (router, reached) = behind(&for_each_user(&over_nothing("closed:5s")).build().unwrap());
    let response = send(&router, request("/", &[("x-user", "ada")])).await;
    assert_eq!(response.status(), 503);
    let wait: u64 = value(response.headers(), "retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    assert_eq!(value(response.headers(), "ratelimit"), None);
    assert_eq!(reached.count(), 0);
}

#[tokio::test]
async fn a_handler_that_is_limited_by_its_attribute_answers_an_outage_as_a_layer_does() {
    for (policy, status, told) in
        [("closed:5s", 503, "try again later\n"), ("error", 503, "try again later\n")]
    {
        let limits = LimitraConfig::new().storage(gone()).on_outage(policy).build().unwrap();
        let router = Router::new().route("/", get(limited)).with_state(limits);
        let response = send(&router, request("/", &[])).await;
        assert_eq!(response.status(), status, "{policy}");
        assert_eq!(value(response.headers(), "retry-after").is_some(), policy != "error");
        assert_eq!(value(response.headers(), "ratelimit"), None);
        assert_eq!(body(response).await, told);
    }
}

#[rate_limit(requests = 4, window = 60, limitra = limits)]
async fn limited(State(limits): State<Limitra>) -> Result<&'static str, Error> {
    Ok("hello")
}

#[tokio::test]
async fn a_local_share_refuses_by_429_like_any_limit() {
    let limiter = for_each_user(&over_nothing("local:4"));
    let (router, _) = behind(&limiter.headers(Headers::default().x_rate_limit(true)).build().unwrap());
    assert_eq!(ask(&router, "ada").await, 200, "a fourth of four");
    let refused = send(&router, request("/", &[("x-user", "ada")])).await;
    assert_eq!(refused.status(), 429);
    assert!(value(refused.headers(), "retry-after").is_some());
    assert_eq!(value(refused.headers(), "x-ratelimit-limit"), Some("1"));
    assert_eq!(value(refused.headers(), "ratelimit-policy"), Some("\"user\";q=1;w=60"), "what decided");
}

#[tokio::test]
async fn of_several_limits_the_shares_that_decided_are_told() {
    let limiter = RateLimiter::builder()
        .notation("4/minute; 10/hour")
        .prefix(fresh_prefix())
        .storage(gone())
        .on_outage("local:4")
        .build()
        .unwrap();
    let all = Headers::default().on_allowed(true);
    let (router, _) = behind(&for_each_user(&limiter).headers(all).build().unwrap());
    let response = send(&router, request("/", &[("x-user", "ada")])).await;
    assert_eq!(response.status(), 200);
    let told = |name| value(response.headers(), name);
    assert_eq!(told("ratelimit-policy"), Some("\"user-60s\";q=1;w=60, \"user-3600s\";q=3;w=3600"));
    assert!(told("ratelimit").is_some_and(|states| states.starts_with("\"user-60s\";r=0;t=")));
}
