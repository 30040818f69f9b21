//! The service answers over a real connection.
#![allow(missing_docs, clippy::unwrap_used)]

use std::net::{SocketAddr, TcpListener};

use limitra::{LimitraConfig, ManualClock};
use limitra_examples_actix::server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A service on a free port, whose clock stands still.
fn start() -> SocketAddr {
    let limits = LimitraConfig::new().clock(ManualClock::new()).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    actix_web::rt::spawn(server(&limits, listener).unwrap());
    address
}

async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 5\r\n";
    let text = format!("{request} {head}content-type: text/plain\r\n\r\nhello");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

#[actix_web::test]
async fn the_eleventh_request_of_a_client_is_a_429_and_its_health_checks_are_free() {
    let service = start();
    for left in (0..10).rev() {
        let (status, answer) = ask(service, "GET /").await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.ends_with(&format!("hello, {left} more\n")), "{answer}");
        assert!(answer.contains(&format!("ratelimit: \"client\";r={left};t=6\r\n")), "{answer}");
    }
    let (status, answer) = ask(service, "GET /").await;
    assert_eq!(status, 429, "{answer}");
    assert!(answer.contains("retry-after: 6\r\n"), "{answer}");
    assert_eq!(ask(service, "GET /health").await.0, 200);
}

#[actix_web::test]
async fn the_third_post_of_an_author_is_a_429_that_tells_of_both_limits() {
    let service = start();
    assert_eq!(ask(service, "POST /posts/ada").await.0, 200);
    assert_eq!(ask(service, "POST /posts/ada").await.0, 200);
    let (status, answer) = ask(service, "POST /posts/ada").await;
    assert_eq!(status, 429, "{answer}");
    assert!(answer.contains("retry-after: 30\r\n"), "{answer}");
    let policy = "ratelimit-policy: \"author\";q=2;w=60, \"client\";q=10;w=60\r\n";
    assert!(answer.contains(policy), "{answer}");
    assert_eq!(ask(service, "POST /posts/bob").await.0, 200);
}
