//! What the layer lets through, and what a refused request is answered.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use http::{Method, Request, StatusCode};
use limitra::web::{Headers, HttpLimiter, OnMissing, key};
use limitra::{
    Algorithm, AnyStorage, Attempt, Bounds, ConfigurationError, Decision, LimitraConfig, ManualClock,
    MemoryStorage, Outcome, RateLimiter, Storage, StorageError,
};
use tokio::task::JoinSet;

use crate::service::{
    Reached, ask, behind, body, by_user, for_each_user, hello, on, per_minute, request, send, value,
};

#[tokio::test]
async fn each_caller_has_its_own_limit_and_a_refused_request_never_reaches_the_handler() {
    let (router, reached) = behind(&for_each_user(&per_minute(2)).build().unwrap());
    assert_eq!(ask(&router, "ada").await, 200);
    assert_eq!(ask(&router, "ada").await, 200);
    assert_eq!(ask(&router, "ada").await, 429);
    assert_eq!(ask(&router, "bob").await, 200);
    assert_eq!(reached.count(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifteen_hundred_requests_over_many_clones_are_let_through_exactly_to_the_limit() {
    let limiter = for_each_user(&per_minute(100)).build().unwrap();
    let reached = crate::service::Reached::default();
    // Routers of their own, layers of their own: one limiter.
    let routers: Vec<Router> =
        (0..10).map(|_| crate::service::hello(&reached).layer(limiter.clone().layer())).collect();
    let mut tasks = JoinSet::new();
    for place in 0..1500 {
        let router = routers[place % routers.len()].clone();
        tasks.spawn(async move { ask(&router, "ada").await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|&&status| status == StatusCode::OK).count(), 100);
    assert_eq!(answers.iter().filter(|&&status| status == StatusCode::TOO_MANY_REQUESTS).count(), 1400);
    assert_eq!(reached.count(), 100);
}

#[tokio::test]
async fn several_limits_are_decided_at_once_and_a_refusal_by_one_charges_none() {
    let (memory, clock) = (MemoryStorage::new(), ManualClock::default());
    let user = on(&clock, Algorithm::FixedWindow, 10, "user", &memory);
    let all = on(&clock, Algorithm::FixedWindow, 1, "all", &memory);
    let limiter = for_each_user(&user).limit(&all, key::everyone()).build().unwrap();
    let (router, _) = behind(&limiter);
    assert_eq!(ask(&router, "ada").await, 200);
    for _ in 0..5 {
        assert_eq!(ask(&router, "bob").await, 429);
    }
    assert_eq!(user.usage("bob").await.unwrap().count, 0, "A19: refused by the other limit");
    assert_eq!(user.usage("ada").await.unwrap().count, 1);
}

#[tokio::test]
async fn a_request_costs_what_the_cost_function_says_and_nothing_is_free() {
    let limiter = per_minute(10);
    let cost =
        |request: &limitra::web::Request<'_>| request.query().and_then(|n| n.parse().ok()).unwrap_or(1);
    let (router, _) = behind(&for_each_user(&limiter).cost(cost).build().unwrap());
    let ask = async |path| send(&router, request(path, &[("x-user", "ada")])).await;
    assert_eq!(ask("/?7").await.status(), 200);
    assert_eq!(ask("/?4").await.status(), 429);
    assert_eq!(ask("/?0").await.status(), 200);
    assert_eq!(limiter.usage("ada").await.unwrap().count, 7);
    let never = ask("/?11").await;
    assert_eq!(never.status(), 422, "it could never be let in");
    assert_eq!(value(never.headers(), "retry-after"), None);
    assert_eq!(body(never).await, "the request costs more than its limit holds\n");
}

#[tokio::test]
async fn exempt_requests_are_neither_counted_nor_refused_and_nothing_else_is_exempt() {
    let limiter = per_minute(1);
    let http = for_each_user(&limiter)
        .exempt_path("/health")
        .exempt_path("/static/*")
        .exempt_method(Method::HEAD)
        .exempt(|request| request.header(&http::HeaderName::from_static("x-internal")).next() == Some(b"yes"))
        .exempt_preflights()
        .build()
        .unwrap();
    let (router, _) = behind(&http);
    assert_eq!(ask(&router, "ada").await, 200);
    assert_eq!(ask(&router, "ada").await, 429);
    let of = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        let mut request = request(path, headers);
        request.headers_mut().insert("x-user", "ada".parse().unwrap());
        *request.method_mut() = method;
        send(&router, request).await.status()
    };
    let preflight = [("origin", "https://example.org"), ("access-control-request-method", "POST")];
    assert_eq!(of(Method::GET, "/health", &[]).await, 200);
    assert_eq!(of(Method::GET, "/health?deep", &[]).await, 200);
    assert_eq!(of(Method::GET, "/static/a/b.css", &[]).await, 200);
    assert_eq!(of(Method::GET, "/static/a;..;b/...;/", &[]).await, 200);
    assert_eq!(of(Method::HEAD, "/", &[]).await, 200);
    assert_eq!(of(Method::GET, "/", &[("x-internal", "yes")]).await, 200);
    assert_eq!(of(Method::OPTIONS, "/", &preflight).await, 200);
    assert_eq!(limiter.usage("ada").await.unwrap().count, 1);

    for path in [
        "/health/",
        "/Health",
        "/healthy",
        "//health",
        "/static",
        "/static/../",
        "/static/%2e%2e/",
        "/static/..%2f",
        "/static/..;/",
        "/static/a/.;b=c/",
    ] {
        assert_eq!(of(Method::GET, path, &[]).await, 429, "{path}");
    }
    assert_eq!(of(Method::OPTIONS, "/", &[]).await, 429, "not a preflight");
    assert_eq!(of(Method::POST, "/", &preflight).await, 429, "not a preflight");
    assert_eq!(of(Method::GET, "/", &[("x-internal", "no")]).await, 429);
}

#[tokio::test]
async fn a_limiter_can_be_chosen_by_the_request() {
    let of_plan = |plan: &str, requests| {
        RateLimiter::builder().requests(requests).window(60).scope(plan).build().unwrap()
    };
    let (free, pro) = (of_plan("free", 1), of_plan("pro", 3));
    let plan = http::HeaderName::from_static("x-plan");
    let choose = move |request: &limitra::web::Request<'_>| match request.header(&plan).next() {
        Some(b"pro") => Some(pro.clone()),
        Some(b"internal") => None,
        _ => Some(free.clone()),
    };
    let (router, _) = behind(&HttpLimiter::builder().limit_by_request(choose, by_user()).build().unwrap());
    let ask = async |plan| send(&router, request("/", &[("x-user", "ada"), ("x-plan", plan)])).await.status();
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push((ask("free").await.as_u16(), ask("pro").await.as_u16(), ask("internal").await.as_u16()));
    }
    assert_eq!(answers, [(200, 200, 200), (429, 200, 200), (429, 200, 200), (429, 429, 200)]);
}

#[tokio::test]
async fn shadow_mode_counts_and_refuses_nobody() {
    let limiter = per_minute(1);
    let http = for_each_user(&limiter).shadow().on_missing(OnMissing::Refuse).build().unwrap();
    let (router, reached) = behind(&http);
    for _ in 0..3 {
        let response = send(&router, request("/", &[("x-user", "ada")])).await;
        assert_eq!(response.status(), 200);
        assert_eq!(value(response.headers(), "ratelimit"), None);
    }
    assert_eq!(send(&router, request("/", &[])).await.status(), 200);
    assert_eq!((reached.count(), http.shadowed()), (4, 3));
    assert_eq!(limiter.usage("ada").await.unwrap().remaining, 0);
}

#[tokio::test]
async fn a_refusal_says_no_more_than_that_and_how_long_to_wait() {
    let limiter = RateLimiter::builder()
        .algorithm("fixed_window")
        .requests(1)
        .window(60)
        .scope("user")
        .project("secret-project")
        .clock(ManualClock::default())
        .build()
        .unwrap();
    let (router, _) = behind(&for_each_user(&limiter).build().unwrap());
    assert_eq!(ask(&router, "ada@example.org").await, 200);
    let refused = send(&router, request("/", &[("x-user", "ada@example.org")])).await;
    assert_eq!(refused.status(), 429);
    let headers = format!("{:?}", refused.headers());
    assert_eq!(value(refused.headers(), "retry-after"), Some("60"));
    let text = body(refused).await;
    assert_eq!(text, "rate limit exceeded, retry after 60 s\n");
    for inside in ["ada", "secret", "limitra", "memory"] {
        assert!(!headers.contains(inside) && !text.contains(inside), "{inside}");
    }
}

#[tokio::test]
async fn a_refusal_can_be_answered_in_own_words_and_keeps_the_headers() {
    let json = |refusal: &limitra::web::Refusal, request: &limitra::web::Request<'_>| {
        let wait = refusal.retry_after().unwrap().as_secs();
        let body = format!(r#"{{"error":"slow down","path":"{}","wait":{wait}}}"#, request.path());
        http::Response::builder().status(503).header("content-type", "application/json").body(body).unwrap()
    };
    let limiter = on(&ManualClock::default(), Algorithm::FixedWindow, 1, "user", &MemoryStorage::new());
    let (router, _) = behind(&for_each_user(&limiter).on_refused(json).build().unwrap());
    assert_eq!(ask(&router, "ada").await, 200);
    let refused = send(&router, request("/x", &[("x-user", "ada")])).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(value(refused.headers(), "content-type"), Some("application/json"));
    assert_eq!(value(refused.headers(), "retry-after"), Some("60"));
    assert_eq!(body(refused).await, r#"{"error":"slow down","path":"/x","wait":60}"#);
}

#[tokio::test]
async fn a_handler_gets_the_decision_that_let_it_in() {
    let handler = async |decision: Decision| decision.remaining().to_string();
    let limiter = per_minute(5);
    let shared = for_each_user(&limiter).share_decision().build().unwrap();
    let router = Router::new().route("/", get(handler)).layer(shared.layer());
    let response = send(&router, request("/", &[("x-user", "ada")])).await;
    assert_eq!(body(response).await, "4");

    let not_shared = for_each_user(&limiter).build().unwrap();
    let router = Router::new().route("/", get(handler)).layer(not_shared.layer());
    let response = send(&router, request("/", &[("x-user", "ada")])).await;
    assert_eq!((response.status().as_u16(), body(response).await.as_str()), (500, "internal error\n"));
}

#[tokio::test]
async fn a_handler_of_exempt_requests_too_has_a_decision_or_none() {
    let handler = async |decision: Option<Decision>| format!("{:?}", decision.map(|it| it.remaining()));
    let limiter = for_each_user(&per_minute(5)).share_decision().exempt_path("/free").build().unwrap();
    let router = Router::new().route("/", get(handler)).route("/free", get(handler)).layer(limiter.layer());
    for (path, left) in [("/", "Some(4)"), ("/free", "None")] {
        assert_eq!(body(send(&router, request(path, &[("x-user", "ada")])).await).await, left, "{path}");
    }
}

/// For a test that is about something else: nobody says who is calling, and nothing answers the key's question.
#[tokio::test]
async fn what_is_off_lets_everybody_pass_and_asks_nobody_who_they_are() {
    let off = LimitraConfig::new().enabled(false).build().unwrap();
    let limiter = |scope: &str| off.limiter().requests(1).window(60).scope(scope).build().unwrap();
    let (user, tenant) = (limiter("user"), limiter("tenant"));
    let unanswered = || key::by_async(|_| std::future::pending::<Option<String>>());
    let handler = async |decision: Decision| decision.remaining().to_string();
    for http in [
        for_each_user(&user),
        for_each_user(&user).limit(&tenant, key::peer_ip()),
        HttpLimiter::builder().limit(&user, unanswered()),
        HttpLimiter::builder().limit_by_request(move |_| Some(tenant.clone()), unanswered()),
    ] {
        let http = http.share_decision().headers(Headers::default().on_allowed(true)).build().unwrap();
        let router = Router::new().route("/", get(handler)).layer(http.layer());
        for _ in 0..2 {
            let response = send(&router, request("/", &[])).await;
            assert!(!response.headers().contains_key("ratelimit"));
            assert_eq!(body(response).await, u64::MAX.to_string());
        }
        assert_eq!(http.unidentified(), 0);
    }
}

#[tokio::test]
async fn a_layer_that_limits_nobody_does_not_hide_the_decision_of_one_further_out() {
    let off = LimitraConfig::new().enabled(false).build().unwrap();
    let off = off.limiter().requests(1).window(60).build().unwrap();
    let nobody = || key::by(|_| None::<u64>);
    for inner in [
        for_each_user(&off),
        HttpLimiter::builder().limit_by_request(move |_| Some(off.clone()), by_user()),
        HttpLimiter::builder().limit(&per_minute(1), nobody()).shadow(),
    ] {
        let inner = inner.share_decision().build().unwrap();
        let outer = for_each_user(&per_minute(5)).share_decision().build().unwrap();
        let handler = async |decision: Decision| decision.remaining().to_string();
        let router = Router::new().route("/", get(handler)).layer(inner.layer()).layer(outer.layer());
        assert_eq!(body(send(&router, request("/", &[("x-user", "ada")])).await).await, "4");

        let app = actix_web::App::new().wrap(inner.middleware()).wrap(outer.middleware());
        let app = app.default_service(actix_web::web::to(handler));
        let app = actix_web::test::init_service(app).await;
        let request = actix_web::test::TestRequest::get().insert_header(("x-user", "ada")).to_request();
        assert_eq!(actix_web::test::call_and_read_body(&app, request).await, "3");
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_not_read_to_refuse_a_request() {
    let (router, _) = behind(&for_each_user(&per_minute(1)).build().unwrap());
    assert_eq!(ask(&router, "ada").await, 200);
    let endless = futures_of_bytes();
    let request = Request::post("/").header("x-user", "ada").body(endless).unwrap();
    assert_eq!(send(&router, request).await.status(), 429);
}

/// A body that is never there.
fn futures_of_bytes() -> Body {
    struct Never;
    impl http_body::Body for Never {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            panic!("the body was read");
        }
    }
    Body::new(Never)
}

#[test]
fn what_cannot_work_is_said_when_it_is_built() {
    let limiter = per_minute(1);
    assert_eq!(HttpLimiter::builder().build().unwrap_err(), ConfigurationError::NoHttpLimit);
    let twice = for_each_user(&limiter).limit(&per_minute(2), key::everyone()).build().unwrap_err();
    assert_eq!(
        twice.to_string(),
        "two limits have the same scope `user` and would share counters; give each limiter a `scope` of its own"
    );
    let other = RateLimiter::builder().requests(1).window(60).scope("all").build().unwrap();
    let apart = for_each_user(&limiter).limit(&other, key::everyone()).build().unwrap_err();
    assert_eq!(apart, ConfigurationError::DifferentStorages);
}

#[test]
fn a_path_that_no_request_has_cannot_be_exempt() {
    let built = |path| for_each_user(&per_minute(1)).exempt_path("/health").exempt_path(path).build();
    for path in ["/", "/static/*", "/*", "/a%20b"] {
        assert!(built(path).is_ok(), "{path}");
    }
    for path in ["", "health", "*", "/st*", "/a/*/b", "http://h/health"] {
        let error = built(path).unwrap_err();
        assert_eq!(error, ConfigurationError::ExemptPath { path: path.to_owned() });
        assert!(error.to_string().contains("such as /health or /static/*"), "{error}");
    }
}

/// Nobody is refused in the shadow, a handler that wants the decision included.
#[tokio::test]
async fn in_the_shadow_a_handler_gets_the_decision_by_which_it_would_not_have_been_reached() {
    let handler = async |decision: Decision| format!("{} {}", decision.is_allowed(), decision.remaining());
    let shadowed = |limiter: &RateLimiter| {
        let all = Headers::default().on_allowed(true);
        let limiter = for_each_user(limiter).shadow().share_decision().headers(all).build().unwrap();
        Router::new().route("/", get(handler)).layer(limiter.layer())
    };
    let router = shadowed(&per_minute(1));
    for told in ["true 0", "false 0"] {
        let response = send(&router, request("/", &[("x-user", "ada")])).await;
        assert_eq!(response.status(), 200);
        assert_eq!(value(response.headers(), "retry-after"), None);
        assert_eq!(body(response).await, told);
    }
    // Whom no limit could be asked about is under none.
    assert_eq!(body(send(&router, request("/", &[])).await).await, "true 18446744073709551615");
}

#[tokio::test]
async fn in_a_nested_router_too_a_path_is_what_the_client_sent() {
    let limiter =
        for_each_user(&per_minute(1)).exempt_path("/api/health").exempt_path("/open").build().unwrap();
    let reached = Reached::default();
    let router = Router::new().nest("/api", hello(&reached).layer(limiter.layer()));
    let ask = async |path: &str| send(&router, request(path, &[("x-user", "ada")])).await.status().as_u16();
    assert_eq!((ask("/api/health").await, ask("/api/health").await), (200, 200));
    assert_eq!((ask("/api/open").await, ask("/api/open").await), (200, 429));
}

#[test]
fn two_limits_over_a_storage_that_changes_one_record_at_a_time_are_a_mistake_when_built() {
    #[derive(Debug)]
    struct Single;

    #[async_trait::async_trait]
    impl Storage for Single {
        fn name(&self) -> &'static str {
            "single"
        }

        fn bounds(&self) -> Bounds {
            Bounds { subjects: 1, ..Bounds::default() }
        }

        async fn decide(&self, _: &Attempt<'_>) -> Result<Outcome, StorageError> {
            unreachable!("nobody asks")
        }

        async fn clear(&self, _: limitra::Key<'_>) -> Result<(), StorageError> {
            unreachable!("nobody asks")
        }

        async fn ping(&self) -> Result<(), StorageError> {
            unreachable!("nobody asks")
        }
    }

    let storage = AnyStorage::from(Arc::new(Single));
    let of = |scope: &str| {
        RateLimiter::builder().requests(1).window(60).scope(scope).storage(&storage).build().unwrap()
    };
    assert!(for_each_user(&of("user")).build().is_ok());
    let mistake = for_each_user(&of("user")).limit(&of("all"), key::everyone()).build().unwrap_err();
    let expected = ConfigurationError::TooManySubjects { storage: "single", subjects: 2, most: 1 };
    assert_eq!(mistake, expected);

    // One of two plans at a time is no mistake.
    let plan = |scope: &str| {
        let limiter = of(scope);
        move |_: &limitra::web::Request<'_>| Some(limiter.clone())
    };
    let plans = HttpLimiter::builder().limit_by_request(plan("free"), by_user());
    assert!(plans.limit_by_request(plan("pro"), by_user()).build().is_ok());
}
