//! An only limit whose decision is at hand, a word of memory, is told like any other: whatever the settings, by every adapter.

use std::time::Duration;

use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpResponse, web};
use axum::body::to_bytes;
use axum::{Router, routing::get};
use http::{HeaderMap, Request, StatusCode};
use limitra::web::{Answered, Headers, HttpLimiter, HttpLimiterBuilder};
use limitra::{Algorithm, Decision, ManualClock, MemoryStorage, RateLimiter};

use crate::service::{for_each_user, on, request, send};

const OWN: (&str, &str) = ("ratelimit", r#""own";r=1"#);
const PATHS: [&str; 8] = ["/", "/", "/own", "/", "/", "/own", "/", "/"];

const SETTINGS: [fn(HttpLimiterBuilder) -> HttpLimiterBuilder; 9] = [
    |settings| settings,
    |settings| settings.headers(allowed()),
    |settings| settings.headers(allowed().x_rate_limit(true)),
    |settings| settings.headers(allowed().x_rate_limit(true).rate_limit(false)),
    |settings| settings.headers(allowed()).cost(|_| 2),
    |settings| settings.headers(allowed()).shadow(),
    |settings| settings.headers(allowed()).share_decision(),
    |settings| settings.share_decision(),
    |settings| settings.headers(allowed()).give_back_when(|answered| answered.status().is_success()),
];

const fn allowed() -> Headers {
    Headers::none().retry_after(true).rate_limit(true).on_allowed(true)
}

/// What a request came to: its status, headers and the decision that its handler was given.
type Told = (u16, Vec<(String, String)>, String);

/// The limit by a word, which is at hand, or by a record, because its limiter brings a clock.
fn limiter(
    is_word: bool,
    settings: fn(HttpLimiterBuilder) -> HttpLimiterBuilder,
) -> (HttpLimiter, ManualClock) {
    let clock = ManualClock::default();
    let limit = if is_word {
        let memory = MemoryStorage::builder().clock(clock.clone()).build().unwrap();
        let limit = RateLimiter::builder().algorithm(Algorithm::Gcra).requests(5).window(60).scope("user");
        limit.storage(&memory).build().unwrap()
    } else {
        on(&clock, Algorithm::Gcra, 5, "user", &MemoryStorage::new())
    };
    (settings(for_each_user(&limit)).build().unwrap(), clock)
}

fn sorted<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<(String, String)> {
    let text = |(name, value): (&str, &[u8])| (name.to_owned(), String::from_utf8_lossy(value).into_owned());
    let mut headers: Vec<_> = headers.map(text).collect();
    headers.sort();
    headers
}

fn said(decision: Option<Decision>) -> String {
    decision.map_or_else(String::new, |decision| format!("{:?}", decision.binding().unwrap().status()))
}

/// What a layer of tower makes of these requests, some seconds apart.
async fn by_layer((limiter, clock): (HttpLimiter, ManualClock)) -> Vec<Told> {
    let own = get(async |decision: Option<Decision>| ([OWN], said(decision)));
    let router = Router::new().route("/", get(async |decision: Option<Decision>| said(decision)));
    let router = router.route("/own", own).layer(limiter.layer());
    let mut all = Vec::new();
    for path in PATHS {
        clock.advance(Duration::from_secs(3));
        let response = send(&router, request(path, &[("x-user", "ada")])).await;
        let (head, body) = response.into_parts();
        let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let body = to_bytes(body, usize::MAX).await.unwrap();
        all.push((head.status.as_u16(), sorted(headers), String::from_utf8_lossy(&body).into_owned()));
    }
    all
}

/// The same by hand.
async fn by_hand((limiter, clock): (HttpLimiter, ManualClock)) -> Vec<Told> {
    let mut all = Vec::new();
    for path in PATHS {
        clock.advance(Duration::from_secs(3));
        let request = Request::get(path).header("x-user", "ada").body(()).unwrap();
        let (status, headers, decision) = match limiter.check(&request).await {
            Ok(passed) => {
                let mut headers = HeaderMap::new();
                passed.tell(&mut headers);
                let decision = passed.decision().cloned();
                passed.answered(Answered::new(StatusCode::OK, None)).await;
                (StatusCode::OK, headers, decision)
            }
            Err(refusal) => (refusal.status(), limiter.response(&refusal, &request).headers().clone(), None),
        };
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        all.push((status.as_u16(), sorted(headers), said(decision)));
    }
    all
}

/// The same by the middleware of actix-web.
async fn by_middleware((limiter, clock): (HttpLimiter, ManualClock)) -> Vec<Told> {
    let plain = async |decision: Option<Decision>| said(decision);
    let own = async |decision: Option<Decision>| HttpResponse::Ok().append_header(OWN).body(said(decision));
    let app = App::new().wrap(limiter.middleware()).route("/", web::get().to(plain));
    let app = init_service(app.route("/own", web::get().to(own))).await;
    let mut all = Vec::new();
    for path in PATHS {
        clock.advance(Duration::from_secs(3));
        let request = TestRequest::with_uri(path).insert_header(("x-user", "ada")).to_request();
        let response = call_service(&app, request).await;
        let headers = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let (status, headers) = (response.status().as_u16(), sorted(headers));
        all.push((status, headers, String::from_utf8_lossy(&read_body(response).await).into_owned()));
    }
    all
}

#[tokio::test]
async fn a_layer_tells_of_a_word_what_it_tells_of_a_record() {
    for settings in SETTINGS {
        assert_eq!(by_layer(limiter(true, settings)).await, by_layer(limiter(false, settings)).await);
    }
}

#[tokio::test]
async fn by_hand_a_word_is_told_as_a_record_is() {
    for settings in SETTINGS {
        assert_eq!(by_hand(limiter(true, settings)).await, by_hand(limiter(false, settings)).await);
    }
}

#[actix_web::test]
async fn a_middleware_tells_of_a_word_what_it_tells_of_a_record() {
    for settings in SETTINGS {
        assert_eq!(
            by_middleware(limiter(true, settings)).await,
            by_middleware(limiter(false, settings)).await
        );
    }
}
