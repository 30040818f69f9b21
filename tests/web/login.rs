//! A login: every attempt is charged before the password is looked at, and right ones are given back.

use axum::Router;
use axum::routing::post;
use http::{Request, StatusCode};
use limitra::web::{HttpLimiter, key};
use limitra::{RateLimiter, RedisStorage};
use limitra_tests::{fresh_prefix, shared};
use tokio::task::JoinSet;

use crate::service::{Reached, send};

const RIGHT: &str = "open sesame";

fn attempts(limiter: &RateLimiter) -> HttpLimiter {
    HttpLimiter::builder()
        .limit(limiter, key::header("x-user").unwrap())
        .give_back_when(|answered| answered.status().is_success())
        .build()
        .unwrap()
}

/// A login that yields before it looks at the password, as one that hashes it elsewhere does.
fn login(limiter: &HttpLimiter) -> (Router, Reached) {
    let reached = Reached::default();
    let noted = reached.clone();
    let handler = async move |password: String| {
        noted.note();
        tokio::task::yield_now().await;
        if password == RIGHT { StatusCode::NO_CONTENT } else { StatusCode::UNAUTHORIZED }
    };
    (Router::new().route("/login", post(handler)).layer(limiter.layer()), reached)
}

async fn attempt(router: &Router, password: &'static str) -> u16 {
    let request = Request::post("/login").header("x-user", "ada").body(password.into()).unwrap();
    send(router, request).await.status().as_u16()
}

fn redis() -> RateLimiter {
    let storage = RedisStorage::from_url(&shared().url()).unwrap();
    RateLimiter::builder().requests(5).window(3600).prefix(fresh_prefix()).storage(storage).build().unwrap()
}

fn memory() -> RateLimiter {
    RateLimiter::builder().requests(5).window(3600).build().unwrap()
}

async fn two_hundred_parallel_wrong_passwords_reach_the_handler_five_times(limiter: RateLimiter) {
    let (router, reached) = login(&attempts(&limiter));
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let router = router.clone();
        tasks.spawn(async move { attempt(&router, "wrong").await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(reached.count(), 5);
    assert_eq!(answers.iter().filter(|&&status| status == 401).count(), 5);
    assert_eq!(answers.iter().filter(|&&status| status == 429).count(), 195);
}

async fn right_passwords_are_given_back_and_wrong_ones_are_not(limiter: RateLimiter) {
    let (router, _) = login(&attempts(&limiter));
    for _ in 0..20 {
        assert_eq!(attempt(&router, RIGHT).await, 204);
    }
    for _ in 0..4 {
        assert_eq!(attempt(&router, "wrong").await, 401);
    }
    for _ in 0..20 {
        assert_eq!(attempt(&router, RIGHT).await, 204);
    }
    assert_eq!(attempt(&router, "wrong").await, 401);
    assert_eq!(attempt(&router, RIGHT).await, 429, "never looked at first");
    assert_eq!(attempt(&router, "wrong").await, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_memory_two_hundred_parallel_wrong_passwords_at_limit_5_reach_the_handler_5_times() {
    two_hundred_parallel_wrong_passwords_reach_the_handler_five_times(memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_redis_two_hundred_parallel_wrong_passwords_at_limit_5_reach_the_handler_5_times() {
    two_hundred_parallel_wrong_passwords_reach_the_handler_five_times(redis()).await;
}

#[tokio::test]
async fn on_memory_right_passwords_are_given_back() {
    right_passwords_are_given_back_and_wrong_ones_are_not(memory()).await;
}

#[tokio::test]
async fn on_redis_right_passwords_are_given_back() {
    right_passwords_are_given_back_and_wrong_ones_are_not(redis()).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_stays_charged() {
    let limiter = memory();
    let handler = async || std::future::pending::<StatusCode>().await;
    let router = Router::new().route("/login", post(handler)).layer(attempts(&limiter).layer());
    {
        let attempt = std::pin::pin!(attempt(&router, RIGHT));
        let waker = std::task::Waker::noop();
        assert!(attempt.poll(&mut std::task::Context::from_waker(waker)).is_pending());
    }
    assert_eq!(limiter.usage("ada").await.unwrap().count, 1);
}
