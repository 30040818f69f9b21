//! A real server and a real client.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use limitra::{LimitraConfig, ManualClock};
use limitra_examples_grpc::{limiter, patiently, serve};
use tokio::net::TcpListener;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// A server on a free port that limits by this clock.
async fn start(clock: &ManualClock) -> HealthClient<Channel> {
    let limits = LimitraConfig::new().clock(clock.clone()).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limiter = limiter(&limits).unwrap();
    tokio::spawn(async move { serve(listener, &limiter).await });
    HealthClient::new(Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap())
}

fn anything() -> HealthCheckRequest {
    HealthCheckRequest { service: String::new() }
}

#[tokio::test]
async fn a_client_that_waits_as_it_is_told_is_refused_once_for_each_full_window() {
    let clock = ManualClock::new();
    let mut client = start(&clock).await;
    let mut told = Vec::new();
    for _ in 0..12 {
        let wait = |delay: Duration| {
            told.push(delay);
            clock.advance(delay);
            std::future::ready(())
        };
        patiently(async || client.check(anything()).await, wait).await.unwrap();
    }
    assert_eq!(told, [Duration::from_secs(2), Duration::from_secs(2)]);
}

#[tokio::test]
async fn what_failed_otherwise_is_not_sent_again() {
    let mut client = start(&ManualClock::new()).await;
    let unknown = async || client.check(HealthCheckRequest { service: "nothing".into() }).await;
    let answer = patiently(unknown, |delay| panic!("waits {delay:?}") as std::future::Ready<()>).await;
    assert_eq!(answer.unwrap_err().code(), Code::NotFound);
}
