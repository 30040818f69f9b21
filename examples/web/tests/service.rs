//! The service answers over a real connection, on memory and on Redis.
#![allow(missing_docs)]

use std::net::SocketAddr;
use std::time::Duration;

use limitra::web::{ClientIp, TrustedProxies};
use limitra::{Limitra, LimitraConfig, ManualClock};
use limitra_examples_web::router;
use limitra_tests::{fresh_prefix, shared};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A service on a free port, and the clock by which it limits.
struct Running {
    address: SocketAddr,
    clock: ManualClock,
}

struct Answer {
    status: u16,
    text: String,
}

impl Running {
    /// Counting in memory.
    async fn on_memory() -> Self {
        Self::start(LimitraConfig::new()).await
    }

    async fn on_redis() -> Self {
        Self::start(LimitraConfig::new().redis_url(shared().url()).prefix(fresh_prefix())).await
    }

    async fn start(config: LimitraConfig) -> Self {
        let clock = ManualClock::new();
        let limits: Limitra = config.clock(clock.clone()).build().expect("all right");
        let client = ClientIp::x_forwarded_for(TrustedProxies::loopback());
        let service = router(&limits, &client).expect("its limits are all right");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let service = service.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address, clock }
    }

    async fn ask(&self, request: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        let length = body.len();
        let text = format!(
            "{request} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await.expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("it answers");
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, text }
    }

    async fn login(&self, name: &str, client: &str, password: &str) -> Answer {
        let client = format!("x-forwarded-for: {client}\r\n");
        self.ask(&format!("POST /login/{name}"), &client, password).await
    }

    async fn items(&self, user: &str, tenant: &str) -> Answer {
        self.ask("GET /api/items", &format!("x-user: {user}\r\nx-tenant: {tenant}\r\n"), "").await
    }

    async fn search(&self, user: &str, plan: &str) -> Answer {
        let headers = format!("x-user: {user}\r\nx-tenant: acme\r\nx-plan: {plan}\r\n");
        self.ask("GET /api/search", &headers, "").await
    }

    async fn report(&self, user: &str, tenant: &str, rows: u64) -> Answer {
        let headers = format!("x-user: {user}\r\nx-tenant: {tenant}\r\n");
        self.ask(&format!("POST /api/reports/{rows}"), &headers, "").await
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let value = values.next();
        assert_eq!(values.next(), None, "told twice: {}", self.text);
        value
    }

    fn retry_after(&self) -> Option<&str> {
        self.header("retry-after")
    }
}

#[tokio::test]
async fn the_sixth_wrong_password_for_a_name_is_a_429_that_says_when_to_come_back() {
    for service in [Running::on_memory().await, Running::on_redis().await] {
        for place in 0..5 {
            // Each from a client of its own.
            let answer = service.login("ada", &format!("192.0.2.{place}"), "sesame").await;
            assert_eq!((answer.status, answer.retry_after()), (401, None), "{}", answer.text);
        }
        let answer = service.login("ada", "192.0.2.99", "open sesame").await;
        assert_eq!((answer.status, answer.retry_after()), (429, Some("900")), "{}", answer.text);
        assert!(answer.text.ends_with("rate limit exceeded, retry after 900 s\n"), "{}", answer.text);
        assert_eq!(service.login("bob", "192.0.2.99", "open sesame").await.status, 200);

        service.clock.advance(Duration::from_secs(900));
        assert_eq!(service.login("ada", "192.0.2.99", "open sesame").await.status, 200);
    }
}

#[tokio::test]
async fn right_passwords_are_given_back() {
    for service in [Running::on_memory().await, Running::on_redis().await] {
        for _ in 0..30 {
            let answer = service.login("ada", "192.0.2.1", "open sesame").await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn who_only_looks_at_a_login_locks_nobody_out() {
    let service = Running::on_memory().await;
    for _ in 0..10 {
        assert_eq!(service.ask("GET /login/ada", "", "").await.status, 405);
    }
    assert_eq!(service.login("ada", "192.0.2.1", "open sesame").await.status, 200);
}

#[tokio::test]
async fn a_client_that_tries_many_names_is_refused_after_twenty_wrong_passwords() {
    let service = Running::on_memory().await;
    for place in 0..20 {
        assert_eq!(service.login(&format!("user-{place}"), "192.0.2.1", "sesame").await.status, 401);
    }
    let answer = service.login("user-20", "192.0.2.1", "sesame").await;
    assert_eq!((answer.status, answer.retry_after()), (429, Some("900")), "{}", answer.text);
    // The name that was refused was charged nothing.
    for _ in 0..5 {
        assert_eq!(service.login("user-20", "192.0.2.2", "sesame").await.status, 401);
    }
}

#[tokio::test]
async fn users_of_the_api_count_apart() {
    for service in [Running::on_memory().await, Running::on_redis().await] {
        for _ in 0..20 {
            assert_eq!(service.items("ada", "acme").await.status, 200);
        }
        let answer = service.items("ada", "acme").await;
        assert_eq!((answer.status, answer.retry_after()), (429, Some("2")), "{}", answer.text);
        assert_eq!(service.items("bob", "acme").await.status, 200);
        assert_eq!(service.ask("GET /api/items", "", "").await.status, 401);
    }
}

#[tokio::test]
async fn a_plan_is_a_limit_and_who_changes_it_keeps_what_is_counted() {
    for service in [Running::on_memory().await, Running::on_redis().await] {
        for left in [1, 0] {
            let answer = service.search("ada", "free").await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert!(answer.text.contains(&format!("\"remaining\":{left}")), "{}", answer.text);
        }
        assert_eq!(service.search("ada", "free").await.status, 429);
        let answer = service.search("ada", "pro").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(answer.text.contains("\"remaining\":7"), "{}", answer.text);
        for _ in 0..20 {
            let answer = service.search("ada", "unlimited").await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert!(answer.text.contains("\"remaining\":null"), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn stacked_layers_tell_of_each_limit_once() {
    let service = Running::on_memory().await;
    let answer = service.search("ada", "pro").await;
    assert_eq!(
        answer.header("ratelimit-policy"),
        Some(r#""searches";q=10;w=60, "client";q=600;w=60"#),
        "{}",
        answer.text
    );
    let told = answer.header("ratelimit").expect("it is told");
    assert!(told.starts_with(r#""searches";r=9;t="#) && told.contains(r#", "client";r=299;t=1"#), "{told}");
}

#[tokio::test]
async fn a_client_has_three_hundred_requests_at_once_and_its_health_checks_are_free() {
    let service = Running::on_memory().await;
    for _ in 0..300 {
        assert_eq!(service.ask("GET /", "", "").await.status, 200);
    }
    let answer = service.ask("GET /", "", "").await;
    assert_eq!((answer.status, answer.retry_after()), (429, Some("1")), "{}", answer.text);
    assert_eq!(service.ask("GET /health", "", "").await.status, 200);
    // Another one behind the same proxy.
    assert_eq!(service.ask("GET /", "x-forwarded-for: 192.0.2.1\r\n", "").await.status, 200);
}

#[tokio::test]
async fn a_report_is_paid_by_user_and_tenant_or_by_neither() {
    for service in [Running::on_memory().await, Running::on_redis().await] {
        assert_eq!(service.report("ada", "acme", 10_000).await.status, 200);
        let answer = service.report("bob", "acme", 10_000).await;
        assert_eq!((answer.status, answer.retry_after()), (429, Some("20")), "{}", answer.text);
        let policy = answer.header("ratelimit-policy").expect("it is told");
        assert!(policy.starts_with(r#""rows-of-tenant";q=15000;w=60"#), "{policy}");
        // Bob was charged nothing: all of his own is there for another tenant.
        assert_eq!(service.report("bob", "other", 10_000).await.status, 200);
    }
}

#[tokio::test]
async fn a_report_that_no_budget_holds_is_no_429() {
    let service = Running::on_memory().await;
    let answer = service.report("ada", "acme", 10_001).await;
    assert_eq!((answer.status, answer.retry_after()), (422, None), "{}", answer.text);
}

#[tokio::test]
async fn while_redis_is_away_the_answer_is_a_503_without_details() {
    let service = Running::start(LimitraConfig::new().redis_url("redis://127.0.0.1:1")).await;
    let answer = service.ask("GET /", "", "").await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(!answer.text.contains("127.0.0.1") && !answer.text.contains("redis"), "{}", answer.text);
    assert_eq!(service.ask("GET /health", "", "").await.status, 200);
}
