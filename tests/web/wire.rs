//! Bytes that a client may send, over a real socket.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::any;
use http::{HeaderName, StatusCode};
use limitra::web::{ClientIp, HttpLimiter, TrustedProxies, key};
use limitra::{RateLimiter, RedisStorage};
use limitra_tests::{Proxy, ProxyMode, RedisServer, fresh_prefix};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::service::{Reached, by_user, for_each_user, hello, per_minute};

/// A server on a free port.
async fn served(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).into_future(),
    );
    address
}

/// All that these bytes are answered until the server closes the connection.
async fn say(server: SocketAddr, bytes: &[u8]) -> String {
    let mut connection = TcpStream::connect(server).await.unwrap();
    connection.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answer: &str) -> Vec<u16> {
    answer.split("HTTP/1.").skip(1).map(|answer| answer[2..5].parse().unwrap()).collect()
}

#[tokio::test]
async fn a_request_of_http_1_0_without_a_host_is_counted_and_refused_like_any_other() {
    let limiter = HttpLimiter::builder().limit(&per_minute(1), key::peer_ip()).build().unwrap();
    let reached = Reached::default();
    let server = served(hello(&reached).layer(limiter.layer())).await;
    let request = b"GET / HTTP/1.0\r\n\r\n";
    assert_eq!(statuses(&say(server, request).await), [200]);
    let refused = say(server, request).await;
    assert!(refused.starts_with("HTTP/1.0 429 Too Many Requests\r\n"), "{refused}");
    assert!(refused.contains("\r\n\r\nrate limit exceeded, retry after "), "{refused}");
    assert_eq!(reached.count(), 1);
}

#[tokio::test]
async fn each_of_pipelined_requests_is_counted_once_and_answered_in_its_order() {
    let limiter = per_minute(3);
    let reached = Reached::default();
    let server = served(hello(&reached).layer(for_each_user(&limiter).build().unwrap().layer())).await;
    let one = "GET / HTTP/1.1\r\nhost: x\r\nx-user: ada\r\n";
    let five = format!("{one}\r\n{one}\r\n{one}\r\n{one}\r\n{one}connection: close\r\n\r\n");
    assert_eq!(statuses(&say(server, five.as_bytes()).await), [200, 200, 200, 429, 429]);
    assert_eq!((reached.count(), limiter.usage("ada").await.unwrap().count), (3, 3));
}

#[tokio::test]
async fn a_refused_body_that_never_ends_costs_no_more_than_the_refusal() {
    let reached = Reached::default();
    let limiter = for_each_user(&per_minute(1)).build().unwrap();
    let server = served(hello(&reached).layer(limiter.layer())).await;
    let head = "POST / HTTP/1.1\r\nhost: x\r\nx-user: ada\r\n";
    say(server, format!("{head}content-length: 0\r\nconnection: close\r\n\r\n").as_bytes()).await;
    for framing in
        ["transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "content-length: 99999999999\r\n\r\nhello"]
    {
        // It ends: the server closes what it will not read.
        let answer = say(server, format!("{head}{framing}").as_bytes()).await;
        assert_eq!(statuses(&answer), [429], "{framing}");
    }
    let expecting = format!("{head}content-length: 5\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n");
    assert_eq!(statuses(&say(server, expecting.as_bytes()).await), [429], "nobody is told to send the body");
    assert_eq!(reached.count(), 1);
}

#[tokio::test]
async fn no_bytes_of_a_head_make_the_service_panic_or_count_twice() {
    let everyone = per_minute(1000);
    let client = ClientIp::x_forwarded_for(TrustedProxies::loopback());
    let keys = key::client_ip(client)
        .and(by_user().or(key::cookie("a").unwrap()).or(key::bearer_token()).or(key::constant("none")));
    let limiter = HttpLimiter::builder().limit(&everyone, keys).exempt_path("/static/*").build().unwrap();
    let reached = Reached::default();
    let server = served(hello(&reached).layer(limiter.layer())).await;
    let hops = "203.0.113.7, ".repeat(10_000);
    let heads: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nhost: x\r\nx-user: \xff\xfe\x80\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncookie: a=\xff; a=%00%zz; ;;==\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xc3\x28\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx-forwarded-for: \xff, 1.2.3.4:99999, [::1, ,,,\r\n",
        b"HEAD http://elsewhere/ HTTP/1.1\r\nhost: x\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\n",
        b"CONNECT elsewhere:443 HTTP/1.1\r\nhost: x\r\n",
        b"BREW /%ff%00/..%2f?\xc3\xa9 HTTP/1.1\r\nhost: x\r\n",
        b"GET //static/../..//%2e%2e/ HTTP/1.1\r\nhost: x\r\n",
    ];
    for head in heads {
        let shown = String::from_utf8_lossy(head).into_owned();
        let before = reached.count();
        let answer = say(server, &[head, b"connection: close\r\n\r\n".as_slice()].concat()).await;
        assert_eq!(statuses(&answer).len(), 1, "{shown}: {answer}");
        assert!(reached.count() <= before + 1, "{shown}");
    }
    let long = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: {hops}198.51.100.1\r\n\r\n"
    );
    assert_eq!(statuses(&say(server, long.as_bytes()).await), [200]);
    assert_eq!(limiter.unidentified(), 0);
}

/// As with a handler that panics, its connection ends, and nothing else does.
#[tokio::test]
async fn a_key_or_a_cost_that_panics_ends_its_own_request_and_charges_nothing() {
    let limiter = per_minute(2);
    let (panics, boom) = (HeaderName::from_static("x-key"), HeaderName::from_static("x-cost"));
    let by = key::by(move |request| {
        assert!(request.header(&panics).next().is_none(), "a mistake of the key");
        Some("ada")
    });
    let http = HttpLimiter::builder()
        .limit(&limiter, by)
        .cost(move |request| {
            assert!(request.header(&boom).next().is_none(), "a mistake of the cost");
            1
        })
        .build()
        .unwrap();
    let server = served(hello(&Reached::default()).layer(http.layer())).await;
    let request = |header: &str| format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n");
    for header in ["x-key: 1\r\n", "x-cost: 1\r\n"] {
        assert_eq!(say(server, request(header).as_bytes()).await, "");
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.extend(statuses(&say(server, request("").as_bytes()).await));
    }
    assert_eq!(seen, [200, 200, 429]);
}

/// Limited by a Redis behind a proxy.
fn far(server: &RedisServer, requests: u64) -> (Proxy, RateLimiter) {
    let proxy = Proxy::start(server.address());
    let storage = RedisStorage::from_url(&proxy.redis_url()).unwrap();
    let limiter =
        RateLimiter::builder().requests(requests).window(3600).prefix(fresh_prefix()).storage(storage);
    (proxy, limiter.build().unwrap())
}

#[tokio::test]
async fn a_client_that_leaves_while_it_is_decided_never_reaches_the_handler() {
    let server = RedisServer::start();
    let (proxy, limiter) = far(&server, 5);
    limiter.check("warm").await.unwrap();
    let asked = std::sync::Arc::new(Notify::new());
    let noted = std::sync::Arc::clone(&asked);
    let http = for_each_user(&limiter)
        .cost(move |_| {
            noted.notify_one();
            1
        })
        .build()
        .unwrap();
    let reached = Reached::default();
    let address = served(hello(&reached).layer(http.layer())).await;
    proxy.set(ProxyMode::Blackhole);
    for _ in 0..3 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-user: ada\r\n\r\n").await.unwrap();
        asked.notified().await;
    }
    proxy.set(ProxyMode::Pass);
    let rest = b"GET / HTTP/1.1\r\nhost: x\r\nx-user: ada\r\nconnection: close\r\n\r\n";
    let mut seen = Vec::new();
    for _ in 0..8 {
        seen.extend(statuses(&say(address, rest).await));
    }
    let allowed = seen.iter().filter(|&&status| status == 200).count();
    assert_eq!(reached.count(), u64::try_from(allowed).unwrap());
    assert!(allowed <= 5, "{seen:?}");
}

#[tokio::test]
async fn an_answer_is_not_lost_with_the_storage_that_its_charge_is_given_back_to() {
    let server = RedisServer::start();
    let (proxy, limiter) = far(&server, 5);
    let proxy = std::sync::Arc::new(proxy);
    let fails = std::sync::Arc::clone(&proxy);
    let handler = async move || {
        fails.set(ProxyMode::Blackhole);
        (StatusCode::CREATED, "done")
    };
    let http =
        for_each_user(&limiter).give_back_when(|answered| answered.status().is_success()).build().unwrap();
    let router = Router::new().route("/", any(handler)).layer(http.layer());
    let address = served(router).await;
    let answer = say(address, b"GET / HTTP/1.1\r\nhost: x\r\nx-user: ada\r\nconnection: close\r\n\r\n").await;
    assert_eq!(statuses(&answer), [201]);
    assert!(answer.ends_with("done"), "{answer}");
}
