//! A trivial handler, alone and under `#[rate_limit]`.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use limitra::{Error, Limitra, rate_limit};

const HELLO: &str = "hello";

pub(super) async fn bare() -> &'static str {
    HELLO
}

#[rate_limit(requests = 1_000_000_000, window = 1000, algorithm = "gcra", limitra = limits)]
pub(super) async fn for_all(State(limits): State<Limitra>) -> Result<&'static str, Refusal> {
    Ok(HELLO)
}

#[rate_limit(requests = 1_000_000_000, window = 1000, key = "client", algorithm = "gcra", limitra = limits)]
pub(super) async fn for_each(
    Client(client): Client,
    State(limits): State<Limitra>,
) -> Result<&'static str, Refusal> {
    Ok(HELLO)
}

#[rate_limit(requests = 1, window = 3600, algorithm = "gcra", limitra = limits)]
pub(super) async fn once_for_all(State(limits): State<Limitra>) -> Result<&'static str, Refusal> {
    Ok(HELLO)
}

#[rate_limit(requests = 1, window = 3600, key = "client", algorithm = "gcra", limitra = limits)]
pub(super) async fn once_for_each(
    Client(client): Client,
    State(limits): State<Limitra>,
) -> Result<&'static str, Refusal> {
    Ok(HELLO)
}

/// The other end of the connection.
pub(super) struct Client(IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        address.map(|ConnectInfo(address)| Self(address.ip())).ok_or(StatusCode::BAD_REQUEST)
    }
}

/// 429 with `retry-after`, as `tower_governor` answers.
pub(super) struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Error::RateLimitExceeded(exceeded) = self.0 else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let seconds = exceeded.retry_after.as_secs() + 1;
        let retry_after = [(header::RETRY_AFTER, axum::http::HeaderValue::from(seconds))];
        (StatusCode::TOO_MANY_REQUESTS, retry_after, "too many requests").into_response()
    }
}
