//! A service of gRPC behind a layer, and how a client waits as it is told.

use std::future::Future;
use std::time::Duration;

use limitra::web::{HttpLimiter, key};
use limitra::{ConfigurationError, Limitra};
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Five calls in two seconds for each token, or for each address where there is none.
///
/// # Errors
/// [`ConfigurationError`] if the limit cannot be built over this handle.
pub fn limiter(limits: &Limitra) -> Result<HttpLimiter, ConfigurationError> {
    let five = limits.limiter().algorithm("fixed_window").requests(5).window(2).scope("caller").build()?;
    HttpLimiter::builder().limit(&five, key::bearer_token().or(key::peer_ip())).build()
}

/// The standard health service behind this limiter.
///
/// # Errors
/// Those of the transport.
pub async fn serve(listener: TcpListener, limiter: &HttpLimiter) -> Result<(), tonic::transport::Error> {
    let (_, health) = tonic_health::server::health_reporter();
    let server = Server::builder().layer(limiter.grpc_layer()).add_service(health);
    server.serve_with_incoming(TcpIncoming::from(listener)).await
}

/// Calls until it is let in, and waits as it is told in between: `RESOURCE_EXHAUSTED` with a `RetryInfo` was not executed,
/// so it may be sent again.
///
/// # Errors
/// The status of a call that failed otherwise, or was refused without a word on waiting.
pub async fn patiently<T, W: Future<Output = ()>>(
    mut call: impl AsyncFnMut() -> Result<T, Status>,
    mut wait: impl FnMut(Duration) -> W,
) -> Result<T, Status> {
    loop {
        let status = match call().await {
            Err(status) if status.code() == Code::ResourceExhausted => status,
            answer => return answer,
        };
        let Some(delay) = status.get_details_retry_info().and_then(|info| info.retry_delay) else {
            return Err(status);
        };
        wait(delay).await;
    }
}
