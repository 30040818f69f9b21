//! Requests that do not say who is calling, and keys that fail or are slow.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::MockConnectInfo;
use limitra::web::{HttpLimiter, OnMissing, key};

use crate::service::{ask, behind, body, for_each_user, per_minute, request, send};

async fn anonymous(router: &axum::Router) -> u16 {
    send(router, request("/", &[])).await.status().as_u16()
}

#[tokio::test]
async fn a_request_without_a_key_is_refused_by_default_and_counted() {
    let limiter = for_each_user(&per_minute(5)).build().unwrap();
    let (router, reached) = behind(&limiter);
    let refused = send(&router, request("/", &[])).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(body(refused).await, "the request does not say who is calling\n");
    assert_eq!((reached.count(), limiter.unidentified()), (0, 1));
}

#[tokio::test]
async fn a_request_without_a_key_is_let_through_where_the_policy_says_so() {
    let limiter = for_each_user(&per_minute(1)).on_missing(OnMissing::Allow).build().unwrap();
    let (router, _) = behind(&limiter);
    for _ in 0..3 {
        assert_eq!(anonymous(&router).await, 200);
    }
    assert_eq!(ask(&router, "ada").await, 200);
    assert_eq!(ask(&router, "ada").await, 429);
    assert_eq!(limiter.unidentified(), 3);
}

#[tokio::test]
async fn requests_without_a_key_share_one_counter_that_no_caller_has() {
    let name = |request: &limitra::web::Request<'_>| {
        request.header(&http::HeaderName::from_static("x-user")).next().map(<[u8]>::to_vec)
    };
    let limiter = HttpLimiter::builder().limit(&per_minute(1), key::by(name));
    let limiter = limiter.on_missing(OnMissing::Share).build().unwrap();
    let (router, _) = behind(&limiter);
    assert_eq!(anonymous(&router).await, 200);
    assert_eq!(anonymous(&router).await, 429);
    assert_eq!(ask(&router, "").await, 200, "an empty name is a name");
    assert_eq!(ask(&router, "ada").await, 200);
}

#[tokio::test]
async fn missing_connect_info_is_a_policy_and_not_a_server_error() {
    let limiter = HttpLimiter::builder().limit(&per_minute(1), key::peer_ip()).build().unwrap();
    let (router, _) = behind(&limiter);
    assert_eq!(anonymous(&router).await, 403);
}

#[tokio::test]
async fn a_key_that_fails_is_refused_and_its_error_is_not_told() {
    let failing = key::by_async(|_| async { Err::<String, _>("secret: the session store is down") });
    let limiter = HttpLimiter::builder().limit(&per_minute(1), failing).build().unwrap();
    let (router, reached) = behind(&limiter);
    let refused = send(&router, request("/", &[])).await;
    assert_eq!(refused.status(), 403);
    assert!(!body(refused).await.contains("secret"));
    assert_eq!((reached.count(), limiter.unidentified()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_never_comes_is_given_up_after_its_deadline() {
    let never = key::by_async(|_| std::future::pending::<Result<String, std::io::Error>>());
    let limiter = HttpLimiter::builder()
        .limit(&per_minute(1), never)
        .key_deadline(Duration::from_millis(50))
        .build()
        .unwrap();
    let (router, _) = behind(&limiter);
    let before = tokio::time::Instant::now();
    assert_eq!(anonymous(&router).await, 403);
    assert_eq!(before.elapsed().as_millis(), 50);
}

#[tokio::test]
async fn a_key_that_is_waited_for_counts_like_any_other() {
    let session = key::by_async(|request| {
        let user = request.header(&http::HeaderName::from_static("x-user")).next().map(<[u8]>::to_vec);
        async move {
            tokio::task::yield_now().await;
            user.ok_or("no session")
        }
    });
    let (router, _) = behind(&HttpLimiter::builder().limit(&per_minute(1), session).build().unwrap());
    assert_eq!(ask(&router, "ada").await, 200);
    assert_eq!(ask(&router, "ada").await, 429);
    assert_eq!(ask(&router, "bob").await, 200);
}

#[tokio::test]
async fn a_test_of_a_service_says_with_axum_s_own_layer_who_is_calling() {
    let limiter = HttpLimiter::builder().limit(&per_minute(1), key::peer_ip()).build().unwrap();
    let (router, _) = behind(&limiter);
    let calls = |address: [u8; 4]| router.clone().layer(MockConnectInfo(SocketAddr::from((address, 4711))));
    for (address, status) in [([192, 0, 2, 1], 200), ([192, 0, 2, 1], 429), ([192, 0, 2, 2], 200)] {
        assert_eq!(send(&calls(address), request("/", &[])).await.status(), status, "{address:?}");
    }
    assert_eq!(limiter.unidentified(), 0);
}
