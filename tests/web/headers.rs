//! Headers on limits, as the layer writes them.

use std::time::Duration;

use http::HeaderMap;
use limitra::web::{Headers, HttpLimiter, key};
use limitra::{Algorithm, LimitraConfig, ManualClock, MemoryStorage, RateLimiter};

use crate::service::{behind, by_user, for_each_user, hello, on, request, send, value};

const NAMES: [&str; 6] = [
    "retry-after",
    "ratelimit",
    "ratelimit-policy",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

async fn headers(router: &axum::Router) -> HeaderMap {
    send(router, request("/", &[("x-user", "ada")])).await.headers().clone()
}

fn told(headers: &HeaderMap) -> [Option<&str>; 6] {
    NAMES.map(|name| value(headers, name))
}

fn two(clock: &ManualClock) -> RateLimiter {
    on(clock, Algorithm::FixedWindow, 2, "user", &MemoryStorage::new())
}

#[tokio::test]
async fn by_default_only_refusals_carry_headers() {
    let (router, _) = behind(&for_each_user(&two(&ManualClock::default())).build().unwrap());
    assert_eq!(told(&headers(&router).await), [None; 6]);
    headers(&router).await;
    let refused = headers(&router).await;
    let told = told(&refused);
    assert_eq!(told[..3], [Some("60"), Some("\"user\";r=0;t=60"), Some("\"user\";q=2;w=60")]);
    assert_eq!(told[3..], [None; 3]);
}

#[tokio::test]
async fn allowed_responses_carry_them_where_that_is_wanted_but_never_retry_after() {
    let clock = ManualClock::default();
    let all = Headers::default().x_rate_limit(true).on_allowed(true);
    let (router, _) = behind(&for_each_user(&two(&clock)).headers(all).build().unwrap());
    let first = headers(&router).await;
    assert_eq!(
        told(&first),
        [None, Some("\"user\";r=1;t=60"), Some("\"user\";q=2;w=60"), Some("2"), Some("1"), Some("60")]
    );
    clock.advance(Duration::from_micros(20_000_001));
    let second = headers(&router).await;
    assert_eq!(
        told(&second),
        [None, Some("\"user\";r=0;t=40"), Some("\"user\";q=2;w=60"), Some("2"), Some("0"), Some("40")]
    );
    let third = headers(&router).await;
    assert_eq!(told(&third)[0], Some("40"), "39.999999 seconds, rounded up");
}

#[tokio::test]
async fn each_kind_can_be_off() {
    let refused = async |of: Headers| {
        let (router, _) = behind(&for_each_user(&two(&ManualClock::default())).headers(of).build().unwrap());
        headers(&router).await;
        headers(&router).await;
        headers(&router).await
    };
    assert_eq!(told(&refused(Headers::none()).await), [None; 6]);
    assert_eq!(
        told(&refused(Headers::none().retry_after(true)).await),
        [Some("60"), None, None, None, None, None]
    );
    let legacy = refused(Headers::none().x_rate_limit(true)).await;
    assert_eq!(told(&legacy), [None, None, None, Some("2"), Some("0"), Some("60")]);
    let standard = refused(Headers::none().rate_limit(true)).await;
    assert_eq!(told(&standard)[..1], [None]);
    assert!(told(&standard)[1].is_some() && told(&standard)[2].is_some());
}

#[tokio::test]
async fn every_active_limit_is_told_of_in_one_header() {
    let (clock, memory) = (ManualClock::default(), MemoryStorage::new());
    let user = RateLimiter::builder()
        .algorithm("fixed_window")
        .notation("5/second; 100/hour")
        .clock(clock.clone())
        .storage(&memory)
        .build()
        .unwrap();
    let all = on(&clock, Algorithm::TokenBucket, 3, "all", &memory);
    let limiter = for_each_user(&user)
        .limit(&all, key::everyone())
        .headers(Headers::default().on_allowed(true).x_rate_limit(true))
        .build()
        .unwrap();
    let (router, _) = behind(&limiter);
    let first = headers(&router).await;
    assert_eq!(
        value(&first, "ratelimit-policy"),
        Some("\"user-1s\";q=5;w=1, \"user-3600s\";q=100;w=3600, \"all\";q=3;w=60")
    );
    assert_eq!(
        value(&first, "ratelimit"),
        Some("\"user-1s\";r=4;t=1, \"user-3600s\";r=99;t=3600, \"all\";r=2;t=20")
    );
    assert_eq!(value(&first, "x-ratelimit-remaining"), Some("2"));
    assert_eq!(value(&first, "x-ratelimit-limit"), Some("3"));
}

#[tokio::test]
async fn a_limit_that_is_off_is_not_told_of_and_takes_no_name_from_the_others() {
    let config = LimitraConfig::new().enabled(false).build().unwrap();
    let all = Headers::default().x_rate_limit(true).on_allowed(true);
    for share_decision in [false, true] {
        let (clock, memory) = (ManualClock::default(), MemoryStorage::new());
        let off = config.limiter().notation("1/minute").scope("user").prefix("off").clock(clock.clone());
        let off = off.storage(&memory).build().unwrap();
        let on = on(&clock, Algorithm::FixedWindow, 2, "user", &memory);
        let limiter = for_each_user(&off).limit(&on, by_user()).headers(all);
        let limiter = if share_decision { limiter.share_decision() } else { limiter };
        let router = hello(&crate::service::Reached::default()).layer(limiter.build().unwrap().layer());
        let first = headers(&router).await;
        assert_eq!(told(&first)[1..3], [Some(r#""user";r=1;t=60"#), Some(r#""user";q=2;w=60"#)]);
        let (_, refused) = (headers(&router).await, headers(&router).await);
        assert_eq!(told(&refused)[1..3], [Some(r#""user";r=0;t=60"#), Some(r#""user";q=2;w=60"#)]);
    }
}

#[tokio::test]
async fn stacked_layers_never_tell_of_a_limit_twice_and_lose_none() {
    let (clock, memory) = (ManualClock::default(), MemoryStorage::new());
    let all = Headers::default().on_allowed(true).x_rate_limit(true);
    let of = |scope: &str, requests| {
        let limiter = on(&clock, Algorithm::FixedWindow, requests, scope, &memory);
        HttpLimiter::builder().limit(&limiter, by_user()).headers(all).build().unwrap()
    };
    let (inner, outer) = (of("inner", 2), of("outer", 9));
    let router = hello(&crate::service::Reached::default())
        .layer(inner.layer())
        .layer(outer.layer())
        .layer(outer.layer());
    let first = headers(&router).await;
    assert_eq!(value(&first, "ratelimit-policy"), Some("\"inner\";q=2;w=60, \"outer\";q=9;w=60"));
    assert_eq!(value(&first, "ratelimit"), Some("\"inner\";r=1;t=60, \"outer\";r=7;t=60"));
    assert_eq!(value(&first, "x-ratelimit-limit"), Some("2"), "that of the one that binds");
    headers(&router).await;
    let refused = headers(&router).await;
    assert_eq!(value(&refused, "retry-after"), Some("60"));
    assert_eq!(value(&refused, "x-ratelimit-remaining"), Some("0"));
}

/// `X-RateLimit` tells of one limit: who waits as long as it says would be refused by another with as little left.
#[tokio::test]
async fn of_limits_with_as_little_left_the_one_that_has_more_last_binds() {
    let (clock, memory) = (ManualClock::default(), MemoryStorage::new());
    let of = |scope: &str, notation: &str| {
        let limiter = RateLimiter::builder().algorithm("fixed_window").notation(notation).scope(scope);
        let limiter = limiter.clock(clock.clone()).storage(&memory).build().unwrap();
        let all = Headers::default().x_rate_limit(true).on_allowed(true);
        for_each_user(&limiter).headers(all).build().unwrap().layer()
    };
    let service = || hello(&crate::service::Reached::default());
    for (stack, router) in [
        ("one limiter", service().layer(of("both", "1/second; 1/hour"))),
        ("the other order", service().layer(of("also", "1/hour; 1/second"))),
        ("layers", service().layer(of("a", "1/second")).layer(of("b", "1/hour"))),
        ("layers in the other order", service().layer(of("c", "1/hour")).layer(of("d", "1/second"))),
    ] {
        let first = headers(&router).await;
        assert_eq!(told(&first)[3..], [Some("1"), Some("0"), Some("3600")], "{stack}");
    }
}

#[tokio::test]
async fn what_a_handler_tells_of_a_limit_that_binds_longer_is_kept() {
    for (own, kept) in [
        ([("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "61")], ["1", "61"]),
        ([("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "59")], ["1", "60"]),
        ([("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "soon")], ["1", "60"]),
        ([("x-ratelimit-remaining", "2"), ("x-ratelimit-reset", "99")], ["1", "60"]),
        ([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")], ["0", "1"]),
    ] {
        let router = axum::Router::new().route("/", axum::routing::get(move || async move { own }));
        let all = Headers::none().x_rate_limit(true).on_allowed(true);
        let limiter = for_each_user(&two(&ManualClock::default())).headers(all).build().unwrap();
        let first = headers(&router.layer(limiter.layer())).await;
        assert_eq!(told(&first)[4..], kept.map(Some), "{own:?}");
    }
}

#[tokio::test]
async fn a_hostile_scope_stays_one_string_of_the_header() {
    let scope = "a\"; r=99, \"b\\\r\nx-evil: 1\u{e9}";
    let limiter = on(&ManualClock::default(), Algorithm::FixedWindow, 1, scope, &MemoryStorage::new());
    let (router, _) = behind(&for_each_user(&limiter).build().unwrap());
    headers(&router).await;
    let refused = headers(&router).await;
    assert_eq!(value(&refused, "ratelimit"), Some("\"a\\\"; r=99, \\\"b\\\\??x-evil: 1?\";r=0;t=60"));
    assert_eq!(refused.get("x-evil"), None);
}

#[tokio::test]
async fn a_window_that_is_no_whole_number_of_seconds_is_not_told() {
    let limiter = RateLimiter::builder()
        .algorithm("fixed_window")
        .requests(1)
        .window(0.25)
        .clock(ManualClock::default())
        .build()
        .unwrap();
    let (router, _) = behind(&for_each_user(&limiter).build().unwrap());
    headers(&router).await;
    let refused = headers(&router).await;
    assert_eq!(value(&refused, "ratelimit-policy"), Some("\"user\";q=1"));
    assert_eq!(value(&refused, "retry-after"), Some("1"), "never 0");
}

#[tokio::test]
async fn of_a_cost_that_is_more_than_what_is_left_a_layer_and_an_error_tell_what_is_left() {
    let limiter = on(&ManualClock::default(), Algorithm::FixedWindow, 10, "user", &MemoryStorage::new());
    let (router, _) = behind(&for_each_user(&limiter).cost(|_| 4).build().unwrap());
    for _ in 0..2 {
        headers(&router).await;
    }
    let refused = headers(&router).await;
    assert_eq!(value(&refused, "ratelimit"), Some("\"user\";r=2;t=60"));

    let exceeded = limiter.test_cost("ada", 4).await.unwrap().exceeded().unwrap();
    assert_eq!(exceeded.remaining, 2);
    assert_eq!(value(exceeded.to_response().headers(), "ratelimit"), Some("\"user\";r=2;t=60"));
}
