//! Requests that are asked about without a layer.

use http::{HeaderMap, HeaderValue, Request, StatusCode};
use limitra::web::{Answered, Headers, HttpLimiterBuilder};
use limitra::{Algorithm, ManualClock, MemoryStorage};

use crate::service::{for_each_user, on, per_minute, value};

fn request() -> Request<()> {
    Request::get("/").header("x-user", "ada").body(()).unwrap()
}

#[tokio::test]
async fn what_a_response_tells_can_be_put_into_several_and_keeps_what_each_says() {
    let limiter = on(&ManualClock::default(), Algorithm::FixedWindow, 9, "user", &MemoryStorage::new());
    let all = Headers::default().x_rate_limit(true).on_allowed(true);
    let limiter = for_each_user(&limiter).headers(all).build().unwrap();
    let passed = limiter.check(&request()).await.unwrap();
    let of = |own: &[(&'static str, &'static str)]| {
        let mut headers: HeaderMap = own
            .iter()
            .map(|&(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect();
        passed.tell(&mut headers);
        ["ratelimit-policy", "ratelimit", "x-ratelimit-remaining"]
            .map(|name| value(&headers, name).unwrap().to_owned())
    };
    assert_eq!(of(&[]), [r#""user";q=9;w=60"#, r#""user";r=8;t=60"#, "8"]);
    let own = [("ratelimit", r#""a";r=1"#), ("x-ratelimit-remaining", "3")];
    assert_eq!(of(&own), [r#""user";q=9;w=60"#, r#""a";r=1, "user";r=8;t=60"#, "3"]);
    assert_eq!(of(&[]), [r#""user";q=9;w=60"#, r#""user";r=8;t=60"#, "8"]);
}

#[tokio::test]
async fn a_decision_is_kept_only_where_a_setting_says_so() {
    let kept = async |settings: fn(HttpLimiterBuilder) -> HttpLimiterBuilder| {
        let limiter = settings(for_each_user(&per_minute(1))).shadow().build().unwrap();
        let mut kept = [None; 2];
        for kept in &mut kept {
            let passed = limiter.check(&request()).await.unwrap();
            *kept = passed.decision().map(limitra::Decision::is_allowed);
        }
        kept
    };
    assert_eq!(kept(|settings| settings).await, [None, None]);
    assert_eq!(kept(|settings| settings.headers(Headers::default().on_allowed(true))).await, [None, None]);
    assert_eq!(kept(|settings| settings.give_back_when(|_| true)).await, [Some(true), None]);
    assert_eq!(kept(HttpLimiterBuilder::share_decision).await, [Some(true), Some(false)]);
}

#[tokio::test]
async fn a_charge_is_given_back_by_what_is_answered() {
    let limit = per_minute(9);
    let limiter = for_each_user(&limit)
        .headers(Headers::default().on_allowed(true))
        .give_back_when(|answered| answered.status().is_success())
        .build()
        .unwrap();
    for (status, counted) in [(StatusCode::UNAUTHORIZED, 1), (StatusCode::OK, 1)] {
        let passed = limiter.check(&request()).await.unwrap();
        let mut headers = HeaderMap::new();
        passed.tell(&mut headers);
        assert!(value(&headers, "ratelimit").is_some());
        passed.answered(Answered::new(status, None)).await;
        assert_eq!(limit.usage("ada").await.unwrap().count, counted);
    }
}
