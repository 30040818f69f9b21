//! The middleware of actix-web.

use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpResponse, web};
use limitra::web::{Headers, HttpLimiter, key};
use limitra::{Algorithm, Decision, Error, ManualClock, MemoryStorage, RateLimiter, rate_limit};

use crate::service::{on, per_minute};

fn get(user: &str) -> actix_web::test::TestRequest {
    TestRequest::get().uri("/").insert_header(("x-user", user))
}

fn by_user(limiter: &RateLimiter) -> limitra::web::HttpLimiterBuilder {
    HttpLimiter::builder().limit(limiter, key::header("x-user").unwrap())
}

#[actix_web::test]
async fn all_apps_that_share_a_limiter_count_together() {
    let limiter = by_user(&per_minute(3)).build().unwrap();
    let app = async || {
        let app = App::new().wrap(limiter.middleware()).default_service(web::to(HttpResponse::Ok));
        init_service(app).await
    };
    let (one, other) = (app().await, app().await);
    let mut statuses = Vec::new();
    for _ in 0..2 {
        statuses.push(call_service(&one, get("ada").to_request()).await.status().as_u16());
        statuses.push(call_service(&other, get("ada").to_request()).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert_eq!(call_service(&one, get("bob").to_request()).await.status(), StatusCode::OK);
}

#[actix_web::test]
async fn headers_and_the_decision_are_told() {
    let clock = ManualClock::default();
    let limiter = on(&clock, Algorithm::FixedWindow, 1, "user", &MemoryStorage::new());
    let all = Headers::default().on_allowed(true).x_rate_limit(true);
    let limiter = by_user(&limiter).headers(all).share_decision().build().unwrap();
    let handler = async |decision: Decision| decision.remaining().to_string();
    let app = App::new().wrap(limiter.middleware()).default_service(web::to(handler));
    let app = init_service(app).await;
    let allowed = call_service(&app, get("ada").to_request()).await;
    assert_eq!(allowed.headers().get("ratelimit").unwrap(), "\"user\";r=0;t=60");
    assert_eq!(allowed.headers().get("x-ratelimit-remaining").unwrap(), "0");
    assert_eq!(read_body(allowed).await, "0");
    let refused = call_service(&app, get("ada").to_request()).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers().get("retry-after").unwrap(), "60");
    assert_eq!(refused.headers().get_all("ratelimit").count(), 1);
    assert_eq!(read_body(refused).await, "rate limit exceeded, retry after 60 s\n");
}

#[actix_web::test]
async fn an_attributed_handler_answers_by_itself() {
    #[rate_limit(requests = 1, window = 60, algorithm = "fixed_window", backend = "memory")]
    async fn handler() -> Result<&'static str, Error> {
        Ok("hello")
    }
    let app = init_service(App::new().default_service(web::to(handler))).await;
    assert_eq!(call_service(&app, get("ada").to_request()).await.status(), StatusCode::OK);
    let refused = call_service(&app, get("ada").to_request()).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers().get("ratelimit-policy").unwrap(), "\"global\";q=1;w=60");
}

#[actix_web::test]
async fn what_is_charged_is_given_back_by_the_status_also_of_an_error() {
    let limiter = per_minute(2);
    let http = by_user(&limiter).give_back_when(|answered| answered.status() != 401).build().unwrap();
    let right = async || HttpResponse::Ok();
    let wrong = async || Err::<&'static str, _>(actix_web::error::ErrorUnauthorized("no"));
    let conflict = async || Err::<&'static str, _>(actix_web::error::ErrorConflict("no"));
    let app = App::new()
        .wrap(http.middleware())
        .route("/right", web::to(right))
        .route("/wrong", web::to(wrong))
        .route("/conflict", web::to(conflict));
    let app = init_service(app).await;
    let ask = async |path: &str| {
        let request = TestRequest::get().uri(path).insert_header(("x-user", "ada")).to_request();
        call_service(&app, request).await.status().as_u16()
    };
    for _ in 0..5 {
        assert_eq!((ask("/right").await, ask("/conflict").await), (200, 409));
    }
    assert_eq!((ask("/wrong").await, ask("/wrong").await, ask("/right").await), (401, 401, 429));
}

#[actix_web::test]
async fn the_peer_is_known_and_its_absence_is_a_policy() {
    let limiter = HttpLimiter::builder().limit(&per_minute(1), key::peer_ip()).build().unwrap();
    let app = App::new().wrap(limiter.middleware()).default_service(web::to(HttpResponse::Ok));
    let app = init_service(app).await;
    let from = |peer: &str| get("ada").peer_addr(peer.parse().unwrap()).to_request();
    assert_eq!(call_service(&app, from("192.0.2.1:1")).await.status(), StatusCode::OK);
    assert_eq!(call_service(&app, from("192.0.2.1:2")).await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(call_service(&app, from("192.0.2.2:1")).await.status(), StatusCode::OK);
    assert_eq!(call_service(&app, get("ada").to_request()).await.status(), StatusCode::FORBIDDEN);
}

#[actix_web::test]
async fn a_refusal_in_own_words_keeps_every_line_of_a_header() {
    let limiter = by_user(&per_minute(1))
        .on_refused(|refusal, _| {
            let cookies = http::Response::builder().status(refusal.status());
            let cookies = cookies.header("set-cookie", "a=1").header("set-cookie", "b=2");
            cookies.body(String::new()).unwrap()
        })
        .build()
        .unwrap();
    let app = App::new().wrap(limiter.middleware()).default_service(web::to(HttpResponse::Ok));
    let app = init_service(app).await;
    call_service(&app, get("ada").to_request()).await;
    let refused = call_service(&app, get("ada").to_request()).await;
    assert_eq!(refused.headers().get_all("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
}

#[actix_web::test]
async fn what_a_handler_tells_of_limits_of_its_own_is_kept() {
    let lines = |tells: Headers| async move {
        let limiter = on(&ManualClock::default(), Algorithm::FixedWindow, 9, "user", &MemoryStorage::new());
        let limiter = by_user(&limiter).share_decision().headers(tells).build().unwrap();
        let handler = async || {
            let mut response = HttpResponse::Ok();
            response.append_header(("ratelimit", "\"a\";r=1")).append_header(("ratelimit", "\"b\";r=2"));
            response.finish()
        };
        let app = App::new().wrap(limiter.middleware()).default_service(web::to(handler));
        let response = call_service(&init_service(app).await, get("ada").to_request()).await;
        let lines = response.headers().get_all("ratelimit");
        lines.map(|line| line.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(lines(Headers::default()).await, ["\"a\";r=1", "\"b\";r=2"]);
    assert_eq!(lines(Headers::default().on_allowed(true)).await, ["\"a\";r=1, \"b\";r=2, \"user\";r=8;t=60"]);
}

#[actix_web::test]
async fn of_two_middlewares_the_one_that_binds_longer_tells() {
    let (clock, memory) = (ManualClock::default(), MemoryStorage::new());
    let of = |scope: &str, window: u64| {
        let limiter =
            RateLimiter::builder().algorithm("fixed_window").requests(1).window(window).scope(scope);
        let limiter = limiter.clock(clock.clone()).storage(&memory).build().unwrap();
        let x = Headers::none().x_rate_limit(true).on_allowed(true);
        by_user(&limiter).headers(x).build().unwrap().middleware()
    };
    for (inner, outer) in [(of("a", 1), of("b", 60)), (of("c", 60), of("d", 1))] {
        let app = App::new().wrap(inner).wrap(outer).default_service(web::to(HttpResponse::Ok));
        let response = call_service(&init_service(app).await, get("ada").to_request()).await;
        assert_eq!(response.headers().get("x-ratelimit-reset").unwrap(), "60");
        assert_eq!(response.headers().get_all("x-ratelimit-reset").count(), 1);
    }
}
