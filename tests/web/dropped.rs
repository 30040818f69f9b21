//! Requests whose clients leave, at each stage of their answers.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use http::{Request, Response};
use limitra::web::{Headers, HttpLimiter, Key, key};
use tokio::task::yield_now;
use tower::{Layer as _, Service, service_fn};

use crate::service::{by_user, per_minute};

/// A key that is waited for.
fn waited_for() -> Key {
    key::by_async(|_| async {
        yield_now().await;
        Some("ada")
    })
}

/// Asks for so many answers as ada, and leaves each after so many looks at it.
fn leave(limiter: &HttpLimiter, requests: usize, looks: usize) {
    let handler = service_fn(async |_: Request<()>| {
        yield_now().await;
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let mut service = limiter.layer().layer(handler);
    for _ in 0..requests {
        let request = Request::get("/").header("x-user", "ada").body(()).unwrap();
        let mut answer = pin!(service.call(request));
        for _ in 0..looks {
            if answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                break;
            }
        }
    }
}

#[test]
fn nothing_of_a_request_outlives_it_whenever_its_client_leaves() {
    for (key, looks) in
        [by_user, waited_for].into_iter().flat_map(|key| (0..5).map(move |looks| (key, looks)))
    {
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let limiter = HttpLimiter::builder()
            .limit(&per_minute(3), key())
            .headers(Headers::default().on_allowed(true))
            .share_decision()
            .give_back_when(move |answered| answered.status() == 503 && Arc::strong_count(&holds) > 0)
            .build()
            .unwrap();
        // Three are let in, two are refused.
        leave(&limiter, 5, looks);
        drop(limiter);
        assert_eq!(Arc::strong_count(&held), 1, "after {looks} looks");
    }
}

#[tokio::test]
async fn a_charge_is_given_back_only_to_whom_waits_for_the_answer() {
    for (looks, counted) in [(0, 3), (1, 3), (2, 0)] {
        let limit = per_minute(3);
        let limiter =
            HttpLimiter::builder().limit(&limit, by_user()).give_back_when(|_| true).build().unwrap();
        leave(&limiter, 3, looks);
        assert_eq!(limit.usage("ada").await.unwrap().count, counted, "after {looks} looks");
    }
}

#[tokio::test]
async fn a_refused_request_is_answered_once() {
    let limiter = HttpLimiter::builder().limit(&per_minute(1), by_user()).build().unwrap();
    leave(&limiter, 1, 9);
    let mut service = limiter
        .layer()
        .layer(service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::from("hello")))));
    let mut answer = pin!(service.call(Request::get("/").header("x-user", "ada").body(()).unwrap()));
    assert_eq!(answer.as_mut().await.unwrap().status(), 429);
    assert!(answer.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}
