//! The service answers over a real connection, on memory and on Redis.
#![allow(missing_docs)]

use std::net::SocketAddr;
use std::time::Duration;

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
        let service = router(&limits).expect("its limits are all right");
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

    async fn login(&self) -> Answer {
        self.ask("POST /login", "", "open sesame").await
    }

    async fn items(&self, user: &str, tenant: &str) -> Answer {
        self.ask("GET /api/items", &format!("x-user: {user}\r\nx-tenant: {tenant}\r\n"), "").await
    }

    async fn report(&self, user: &str, tenant: &str, rows: u64) -> Answer {
        let headers = format!("x-user: {user}\r\nx-tenant: {tenant}\r\n");
        self.ask(&format!("POST /api/reports/{rows}"), &headers, "").await
    }
}

impl Answer {
    fn retry_after(&self) -> Option<&str> {
        self.text.lines().find_map(|line| line.strip_prefix("retry-after: "))
    }
}

#[tokio::test]
async fn the_sixth_login_of_a_client_in_a_minute_is_a_429_that_says_when_to_come_back() {
    for service in [Running::on_memory().await, Running::on_redis().await] {
        for _ in 0..5 {
            let answer = service.login().await;
            assert_eq!((answer.status, answer.retry_after()), (200, None), "{}", answer.text);
        }
        let answer = service.login().await;
        // The clock stands 20 s past a full minute: 40 s and a microsecond, rounded up.
        assert_eq!((answer.status, answer.retry_after()), (429, Some("41")), "{}", answer.text);
        assert!(answer.text.contains("rate limit exceeded: 5 requests per 60s"), "{}", answer.text);

        service.clock.advance(Duration::from_micros(39_999_999));
        let answer = service.login().await;
        assert_eq!((answer.status, answer.retry_after()), (429, Some("1")), "{}", answer.text);
        service.clock.advance(Duration::from_secs(1));
        assert_eq!(service.login().await.status, 200);
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
async fn a_report_is_paid_by_user_and_tenant_or_by_neither() {
    for service in [Running::on_memory().await, Running::on_redis().await] {
        assert_eq!(service.report("ada", "acme", 10_000).await.status, 200);
        let answer = service.report("bob", "acme", 10_000).await;
        assert_eq!((answer.status, answer.retry_after()), (429, Some("20")), "{}", answer.text);
        assert!(answer.text.contains("15000 requests per 60s"), "{}", answer.text);
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
    let answer = service.login().await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(!answer.text.contains("127.0.0.1"), "{}", answer.text);
}
