//! Responses that tell of limits already: of a proxied service, or of a handler.

use axum::Router;
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue};
use limitra::web::{Headers, HttpLimiter, key};
use limitra::{Algorithm, ManualClock, MemoryStorage};

use crate::service::{for_each_user, on, request, send, value};

/// What remains of these headers of a service's own behind a limiter that tells of its limit `user`.
async fn behind_a_limiter(own: &'static [(&'static str, &'static [u8])], tells: Headers) -> HeaderMap {
    let handler = async move || {
        let mut headers = HeaderMap::new();
        for (name, value) in own {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        headers
    };
    let limiter = on(&ManualClock::default(), Algorithm::FixedWindow, 9, "user", &MemoryStorage::new());
    let limiter = for_each_user(&limiter).headers(tells).build().unwrap();
    let router = Router::new().route("/", get(handler)).layer(limiter.layer());
    send(&router, request("/", &[("x-user", "ada")])).await.headers().clone()
}

async fn told(own: &'static [(&'static str, &'static [u8])]) -> [String; 2] {
    let headers = behind_a_limiter(own, Headers::default().on_allowed(true)).await;
    ["ratelimit-policy", "ratelimit"].map(|name| value(&headers, name).unwrap().to_owned())
}

#[tokio::test]
async fn what_an_upstream_tells_on_several_lines_is_kept() {
    let told = told(&[
        ("ratelimit", b"\"a\";r=1;t=2"),
        ("ratelimit", b"\"b\";r=3;t=4;pk=:cHJk:"),
        ("ratelimit-policy", b"\"a\";q=10"),
        ("ratelimit-policy", b"  \"b\";q=5;w=1;qu=\"content, bytes\"  "),
    ]);
    let [policy, state] = told.await;
    assert_eq!(policy, r#""a";q=10, "b";q=5;w=1;qu="content, bytes", "user";q=9;w=60"#);
    assert_eq!(state, r#""a";r=1;t=2, "b";r=3;t=4;pk=:cHJk:, "user";r=8;t=60"#);
}

#[tokio::test]
async fn an_upstreams_policy_without_a_state_is_kept_and_so_is_a_state_without_a_policy() {
    let [policy, state] = told(&[("ratelimit-policy", b"\"a\";q=10")]).await;
    assert_eq!((policy.as_str(), state.as_str()), (r#""a";q=10, "user";q=9;w=60"#, r#""user";r=8;t=60"#));
    let [policy, state] = told(&[("ratelimit", b"\"a\";r=1")]).await;
    assert_eq!((policy.as_str(), state.as_str()), (r#""user";q=9;w=60"#, r#""a";r=1, "user";r=8;t=60"#));
}

/// One fault makes a client ignore the whole field (RFC 9651, 4.2), and our limit with it.
#[tokio::test]
async fn what_is_no_list_of_strings_does_not_spoil_what_is_told() {
    const GARBAGE: &[&[u8]] = &[
        b"",
        b"   ",
        b"limit=100, remaining=50, reset=5",
        b"100;w=60",
        b"token;r=1",
        b"\"a\";r=1,",
        b",\"a\";r=1",
        b"\"a\" \"b\"",
        b"\"a",
        b"\"a\\",
        b"\"a\\x\"",
        b"\"a\"r=1",
        b"\"a\";",
        b"\"a\";R=1",
        b"\"a\";r=",
        b"\"a\";r=\"",
        b"\"a\";r=1 2",
        b"(\"a\" \"b\");r=1",
        b"\xff\xfe",
        b"\"\xe9\";r=1",
        b"\"a\";p=\"\xe9\"",
        b"\"a\t\";r=1",
    ];
    for garbage in GARBAGE {
        let own = Box::leak(Box::new([("ratelimit", *garbage), ("ratelimit-policy", *garbage)]));
        let [policy, state] = told(own).await;
        let shown = String::from_utf8_lossy(garbage);
        assert_eq!(
            (policy.as_str(), state.as_str()),
            (r#""user";q=9;w=60"#, r#""user";r=8;t=60"#),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_limit_whose_name_is_another_limits_too_is_told_by_a_name_of_its_own() {
    let [policy, state] =
        told(&[("ratelimit", b"\"user\";r=3;t=7"), ("ratelimit-policy", b"\"user\";q=100;w=1")]).await;
    assert_eq!(policy, r#""user";q=100;w=1, "user-2";q=9;w=60"#);
    assert_eq!(state, r#""user";r=3;t=7, "user-2";r=8;t=60"#);

    // A part of another name is no name.
    let [policy, _] =
        told(&[("ratelimit", b"\"x\";p=\"user\";r=3"), ("ratelimit-policy", b"\"x\";q=100")]).await;
    assert_eq!(policy, r#""x";q=100, "user";q=9;w=60"#);
}

#[tokio::test]
async fn of_two_limits_that_look_alike_the_one_with_less_left_is_told() {
    let all = Headers::default().on_allowed(true);
    let clock = ManualClock::default();
    let of = |key| {
        let limiter = on(&clock, Algorithm::FixedWindow, 9, "user", &MemoryStorage::new());
        HttpLimiter::builder().limit(&limiter, key).headers(all).build().unwrap()
    };
    let (inner, outer) = (of(crate::service::by_user()), of(key::everyone()));
    let router = Router::new().route("/", get("hello")).layer(inner.layer()).layer(outer.layer());
    send(&router, request("/", &[("x-user", "bob")])).await;
    let ada = send(&router, request("/", &[("x-user", "ada")])).await;
    assert_eq!(value(ada.headers(), "ratelimit-policy"), Some(r#""user";q=9;w=60"#));
    assert_eq!(value(ada.headers(), "ratelimit"), Some(r#""user";r=7;t=60"#));
}

/// Else who waits as long as is told would be refused.
#[tokio::test]
async fn of_two_limits_that_look_alike_and_have_as_much_left_the_one_that_has_more_last_is_told() {
    const OURS: &str = r#""user";r=8;t=60"#;
    for (state, kept) in [
        (r#""user";r=8;t=61"#, r#""user";r=8;t=61"#),
        (r#""user";r=8;t=59"#, OURS),
        (r#""user";r=8"#, OURS),
        (r#""user";r=9;t=99"#, OURS),
        (r#""user";r=7;t=1"#, r#""user";r=7;t=1"#),
    ] {
        let own = [("ratelimit", state.as_bytes()), ("ratelimit-policy", br#""user";q=9;w=60"#)];
        let [policy, state] = told(Box::leak(Box::new(own))).await;
        assert_eq!((policy.as_str(), state.as_str()), (r#""user";q=9;w=60"#, kept));
    }
}

#[tokio::test]
async fn limits_of_one_limiter_are_told_apart_though_their_scopes_are_alike() {
    let (clock, memory) = (ManualClock::default(), MemoryStorage::new());
    let of = |project: &str| {
        let limiter = limitra::RateLimiter::builder().algorithm("fixed_window").requests(9).window(60);
        limiter.project(project).clock(clock.clone()).storage(&memory).build().unwrap()
    };
    let limiter = for_each_user(&of("a"))
        .limit(&of("b"), key::everyone())
        .headers(Headers::default().on_allowed(true))
        .build()
        .unwrap();
    let router = Router::new().route("/", get("hello")).layer(limiter.layer());
    let ada = send(&router, request("/", &[("x-user", "ada")])).await;
    assert_eq!(value(ada.headers(), "ratelimit"), Some(r#""user";r=8;t=60, "user-2";r=8;t=60"#));
}

#[tokio::test]
async fn what_is_not_to_be_told_is_left_as_the_service_said_it() {
    let own =
        &[("ratelimit", b"\"a\";r=1" as &[u8]), ("ratelimit", b"garbage("), ("x-ratelimit-limit", b"x")];
    let headers = behind_a_limiter(own, Headers::default()).await;
    let lines: Vec<_> = headers.get_all("ratelimit").iter().collect();
    assert_eq!(lines, ["\"a\";r=1", "garbage("]);
    assert_eq!(value(&headers, "x-ratelimit-limit"), Some("x"));
}
