//! What the program answers to whom, over a real connection.
#![allow(missing_docs, clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};

use limitra_examples_playground::service;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The program on a free port.
struct Running {
    address: SocketAddr,
}

struct Answer {
    status: u16,
    text: String,
}

impl Answer {
    fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").unwrap().1
    }

    fn json(&self) -> Value {
        serde_json::from_str(self.body()).unwrap()
    }
}

impl Running {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, service()).await });
        Self { address }
    }

    async fn ask(&self, request: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let text = format!(
            "{request} HTTP/1.1\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        Answer { status, text }
    }

    /// As the page itself asks.
    async fn post(&self, path: &str, body: &str) -> Answer {
        let address = self.address;
        let headers =
            format!("host: {address}\r\norigin: http://{address}\r\ncontent-type: application/json\r\n");
        self.ask(&format!("POST {path}"), &headers, body).await
    }

    async fn step(&self, session: &Value, step: Value) -> Answer {
        self.post("/api/step", &json!({ "session": session, "step": step }).to_string()).await
    }
}

fn pane(algorithm: &str, limit: &str) -> Value {
    json!({ "algorithm": algorithm, "limit": limit, "burst": null, "together": false })
}

fn start(first: &Value, second: &Value) -> Value {
    json!({ "setting": { "panes": [first, second], "clients": 1, "cost": 1 } })
}

#[tokio::test]
async fn only_a_page_of_this_machine_is_answered() {
    let running = Running::start().await;
    let own = running.address;
    let body = start(&pane("gcra", "1/s"), &pane("gcra", "1/s")).to_string();
    let json = "content-type: application/json\r\n";
    for (headers, status) in [
        (format!("host: {own}\r\n"), 200),
        (format!("host: localhost:{}\r\n", own.port()), 200),
        (format!("host: {own}\r\norigin: http://{own}\r\n"), 200),
        // A name of somebody's own that leads here.
        (format!("host: evil.example:{}\r\norigin: http://evil.example:{}\r\n", own.port(), own.port()), 403),
        (format!("host: 127.0.0.1.evil.example:{}\r\n", own.port()), 403),
        (format!("host: {own}\r\norigin: http://evil.example\r\n"), 403),
        (format!("host: {own}\r\norigin: null\r\n"), 403),
        (format!("host: {own}\r\norigin: http://{own}\r\norigin: http://evil.example\r\n"), 403),
        (format!("host: {own}\r\norigin: http://127.0.0.1:1\r\n"), 403),
        ("host: \u{ff}\r\n".to_owned(), 403),
    ] {
        let answer = running.ask("POST /api/start", &format!("{headers}{json}"), &body).await;
        assert_eq!(answer.status, status, "{headers}{}", answer.text);
    }
    // What a form of another page can send is no JSON.
    let form = format!("host: {own}\r\ncontent-type: text/plain\r\n");
    assert_eq!(running.ask("POST /api/start", &form, &body).await.status, 415);
}

#[tokio::test]
async fn every_answer_has_the_policy_by_which_nothing_comes_from_elsewhere() {
    let running = Running::start().await;
    let host = format!("host: {}\r\n", running.address);
    for (path, status) in [("/", 200), ("/style.css", 200), ("/api/algorithms", 200), ("/nothing", 404)] {
        let answer = running.ask(&format!("GET {path}"), &host, "").await;
        assert_eq!(answer.status, status, "{path}");
        let policy = answer.text.lines().find(|line| line.starts_with("content-security-policy: ")).unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_nothing_ends() {
    let running = Running::start().await;
    let fine = pane("gcra", "10/minute");
    for (body, status) in [
        (String::new(), 400),
        ("{".to_owned(), 400),
        ("[".repeat(8000), 422),
        ("x".repeat(9000), 413),
        ("{}".to_owned(), 422),
        (start(&fine, &json!(null)).to_string(), 422),
        (start(&fine, &pane("gcra", "10/parsec")).to_string(), 422),
        (start(&fine, &pane("guess", "10/minute")).to_string(), 422),
        (start(&fine, &pane("moving_window", "100001/minute")).to_string(), 422),
        (start(&fine, &pane("gcra", "1/s burst 100001")).to_string(), 422),
        (start(&fine, &pane("fixed_window", "1/s burst 2")).to_string(), 422),
        (json!({ "setting": { "panes": [fine, fine], "clients": 6, "cost": 1 } }).to_string(), 422),
        (json!({ "setting": { "panes": [fine, fine], "clients": 0, "cost": 1 } }).to_string(), 422),
        (json!({ "setting": { "panes": [fine, fine], "clients": 1, "cost": 11 } }).to_string(), 422),
        (json!({ "setting": { "panes": [fine, fine], "clients": 1, "cost": -1 } }).to_string(), 422),
        (json!({ "setting": { "panes": [fine, fine], "clients": 1, "cost": 0 } }).to_string(), 422),
        (start(&fine, &pane("fixed_window", "1 per 99 years")).to_string(), 200),
    ] {
        let answer = running.post("/api/start", &body).await;
        assert_eq!(answer.status, status, "{body:.300}: {}", answer.text);
    }

    let started =
        running.post("/api/start", &start(&fine, &pane("fixed_window", "1 per 99 years")).to_string()).await;
    let session = &started.json()["session"];
    for (step, status) in [
        (json!({ "traffic": { "pattern": "by_hand" }, "at_once": 1001 }), 422),
        (json!({ "traffic": { "pattern": "by_hand" }, "advance": u64::MAX }), 422),
        (json!({ "traffic": { "pattern": "steady", "requests": u32::MAX, "seconds": 1 } }), 422),
        (json!({ "traffic": { "pattern": "steady", "requests": 1, "seconds": 0 } }), 422),
        (json!({ "traffic": { "pattern": "flood" } }), 422),
        (
            json!({ "traffic": { "pattern": "steady", "requests": 17_280_000, "seconds": 86_400 }, "advance": 1 }),
            200,
        ),
        (json!({ "traffic": { "pattern": "boundary", "size": 1000 }, "advance": 172_800_000_000_u64 }), 200),
        (json!({ "traffic": { "pattern": "by_hand" }, "at_once": 1000, "advance": 1 }), 200),
    ] {
        let answer = running.step(session, step.clone()).await;
        assert_eq!(answer.status, status, "{step}: {}", answer.text);
    }
    assert_eq!(
        running.step(&json!("nobody's"), json!({ "traffic": { "pattern": "by_hand" } })).await.status,
        404
    );
}

#[tokio::test]
async fn one_page_too_many_takes_the_place_of_the_one_that_waited_longest() {
    let running = Running::start().await;
    let body = start(&pane("gcra", "1/s"), &pane("gcra", "1/s")).to_string();
    let look = || json!({ "traffic": { "pattern": "by_hand" } });
    let mut sessions = Vec::new();
    for _ in 0..32 {
        sessions.push(running.post("/api/start", &body).await.json()["session"].clone());
    }
    assert_eq!(running.step(&sessions[0], look()).await.status, 200);
    let newest = running.post("/api/start", &body).await.json()["session"].clone();
    for (session, status) in [(&sessions[0], 200), (&sessions[1], 404), (&sessions[2], 200), (&newest, 200)] {
        assert_eq!(running.step(session, look()).await.status, status);
    }
    // Who begins anew gives up his own.
    let replaced = json!({ "setting": start(&pane("gcra", "1/s"), &pane("gcra", "1/s"))["setting"], "replaced": newest });
    assert_eq!(running.post("/api/start", &replaced.to_string()).await.status, 200);
    assert_eq!(running.step(&newest, look()).await.status, 404);
    assert_eq!(running.step(&sessions[2], look()).await.status, 200);
}
