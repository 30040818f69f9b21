//! What axum makes of decisions and errors.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::errors::{log, no_decision};
use crate::decision::Decision;
use crate::error::Error;
use crate::exceeded::RateLimitExceeded;

/// A handler that is limited by an attribute answers by itself, 429 nearly always; see [`RateLimitExceeded::to_response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for RateLimitExceeded {
    fn into_response(self) -> Response {
        self.to_response().map(Body::from)
    }
}

/// A handler that is limited by an attribute answers by itself; see [`Error::to_response`]. What is told to the client
/// has no detail: an error other than a refusal is logged here.
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        log(&self);
        self.to_response().map(Body::from)
    }
}

/// The decision by which this request was let in, as a handler's argument: where
/// [`share_decision`](super::HttpLimiterBuilder::share_decision) is said.
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<S: Sync> FromRequestParts<S> for Decision {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| no_decision().map(Body::from))
    }
}

/// The same where there need not be one: `None` for an exempt request, and one that no limit applies to.
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<S: Sync> OptionalFromRequestParts<S> for Decision {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
