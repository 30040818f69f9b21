//! A real server of tonic behind the layer.

use std::time::Duration;

use limitra::web::{HttpLimiter, key};
use limitra::{Algorithm, ManualClock, MemoryStorage};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use crate::service::{on, per_minute};

/// A health service behind this limiter, on a port of its own.
async fn served(limiter: &HttpLimiter) -> HealthClient<Channel> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    let server = Server::builder().layer(limiter.grpc_layer()).add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    HealthClient::new(channel)
}

async fn check(client: &mut HealthClient<Channel>, user: Option<&'static str>) -> Result<(), Status> {
    let mut request = Request::new(HealthCheckRequest { service: String::new() });
    if let Some(user) = user {
        request.metadata_mut().insert("x-user", user.parse().unwrap());
    }
    client.check(request).await.map(|_| ())
}

#[tokio::test]
async fn a_refusal_is_resource_exhausted_with_retry_info() {
    let limiter = on(&ManualClock::default(), Algorithm::FixedWindow, 2, "user", &MemoryStorage::new());
    let limiter = HttpLimiter::builder().limit(&limiter, key::header("x-user").unwrap()).build().unwrap();
    let mut client = served(&limiter).await;
    check(&mut client, Some("ada")).await.unwrap();
    check(&mut client, Some("ada")).await.unwrap();
    let refused = check(&mut client, Some("ada")).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, "rate limit exceeded"));
    assert_eq!(refused.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(60)));
    assert_eq!(refused.metadata().get("grpc-retry-pushback-ms").unwrap(), "60000");
    assert_eq!(refused.metadata().get("retry-after").unwrap(), "60");
    check(&mut client, Some("bob")).await.unwrap();

    let nobody = check(&mut client, None).await.unwrap_err();
    assert_eq!(nobody.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn the_peer_is_known_without_connect_info() {
    let limiter = HttpLimiter::builder().limit(&per_minute(1), key::peer_ip()).build().unwrap();
    let mut client = served(&limiter).await;
    check(&mut client, None).await.unwrap();
    let refused = check(&mut client, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn what_is_given_back_can_be_told_by_the_grpc_status() {
    let limiter = per_minute(2);
    // Calls for a service that there is cost nothing.
    let http = HttpLimiter::builder()
        .limit(&limiter, key::everyone())
        .give_back_when(|answered| answered.grpc_status().is_none())
        .build()
        .unwrap();
    let mut client = served(&http).await;
    for _ in 0..5 {
        check(&mut client, None).await.unwrap();
    }
    let unknown = || Request::new(HealthCheckRequest { service: "nothing".into() });
    assert_eq!(client.check(unknown()).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(client.check(unknown()).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(client.check(unknown()).await.unwrap_err().code(), Code::ResourceExhausted);
}
