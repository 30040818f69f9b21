//! A process whose server has a name that resolves, then does not, then does again: `moved_name HOSTS NAME PORT`.
//!
//! HOSTS is what this process has for `/etc/hosts`; it says in a line each what was seen.
#![allow(clippy::unwrap_used)] // A process that cannot go on fails.

use std::env;
use std::fs;
use std::net::ToSocketAddrs as _;
use std::time::Duration;

use limitra::{Breaker, LimitraConfig, RateLimiter};

/// Has the server forget everybody who is connected to it.
async fn cut(port: u16) {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let _killed: i64 =
        redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal"]).query_async(&mut connection).await.unwrap();
}

/// Asks until the storage decides, as long as anybody would wait.
async fn until_it_decides(limiter: &RateLimiter) {
    while !limiter.check("ada").await.is_ok_and(|decision| !decision.is_degraded()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let [hosts, name, port] = words.as_slice() else { panic!("moved_name HOSTS NAME PORT") };
    let port: u16 = port.parse().unwrap();
    let breaker = Breaker::new().pause(Duration::from_millis(20)).longest_pause(Duration::from_millis(50));
    let limits = LimitraConfig::new().redis_url(format!("redis://{name}:{port}")).breaker(breaker);
    let limits = limits.on_outage("local:4").build().unwrap();
    let limiter = limits.limiter().algorithm("fixed_window").requests(100).window(3600).build().unwrap();
    let known = fs::read_to_string(hosts).unwrap();

    until_it_decides(&limiter).await;
    println!("it decides");
    fs::write(hosts, "").unwrap();
    assert!((name.as_str(), port).to_socket_addrs().is_err(), "{name} resolves all the same");
    assert!(!limiter.check("ada").await.unwrap().is_degraded());
    println!("as long as the connection lives nobody asks for the name");

    cut(port).await;
    while limits.health().is_well() {
        limiter.check("ada").await.unwrap();
    }
    let mut admitted = 0;
    for _ in 0..100 {
        let decision = limiter.check("bob").await.unwrap();
        assert!(decision.is_degraded());
        admitted += u64::from(decision.is_allowed());
    }
    assert_eq!(admitted, 25);
    println!("without it the share decides");

    fs::write(hosts, known).unwrap();
    until_it_decides(&limiter).await;
    // The debt goes first.
    while limits.health().owing > 0 {
        limiter.test("bob").await.unwrap();
    }
    assert_eq!(limiter.usage("bob").await.unwrap().count, 25);
    println!("it decides again");
}
