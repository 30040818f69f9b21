//! What stands in front of a web service, counted.

use std::sync::Arc;

use http::Request;
use limitra::web::{Answered, HttpLimiter, key};
use limitra::{Limitra, LimitraConfig, RateLimiter, StorageErrorKind};

use crate::recorder::Kept;
use crate::stage::{Mood, Shaky};

fn over(limits: &Limitra) -> RateLimiter {
    limits.limiter().requests(1).window(3600).build().unwrap()
}

#[tokio::test]
async fn what_an_operator_has_to_know_of_requests_is_counted() {
    let (kept, _guard) = Kept::here();
    let shaky = Shaky::new(Mood::Works);
    let limits = LimitraConfig::new().storage(Arc::clone(&shaky)).build().unwrap();
    let request = Request::new(());

    let nobody = HttpLimiter::builder().limit(&over(&limits), key::peer_ip()).build().unwrap();
    nobody.check(&request).await.unwrap_err();
    nobody.check(&request).await.unwrap_err();
    assert_eq!(kept.counter("limitra_unidentified_requests_total{}"), 2);

    let shadow = HttpLimiter::builder().limit(&over(&limits), key::everyone()).shadow().build().unwrap();
    shadow.check(&request).await.unwrap();
    shadow.check(&request).await.unwrap();
    assert_eq!(kept.counter("limitra_shadowed_requests_total{}"), 1);

    let login = HttpLimiter::builder().limit(&over(&limits), key::constant("login"));
    let login = login.give_back_when(|answered| answered.status().is_success()).build().unwrap();
    let passed = login.check(&request).await.unwrap();
    shaky.set(Mood::Fails(StorageErrorKind::Unavailable));
    passed.answered(Answered::new(http::StatusCode::OK, None)).await;
    assert_eq!(kept.counter("limitra_lost_give_backs_total{}"), 1);
    shaky.set(Mood::Works);
    login.check(&request).await.unwrap_err();
}
