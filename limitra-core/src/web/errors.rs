//! Errors as responses: for handlers that are limited by the attribute or by hand.

use http::{HeaderValue, Response, StatusCode, header};

use super::headers::{quota_of, string_into};
use super::refusal::{message_of, status_of, text};
use super::told::{RATELIMIT, RATELIMIT_POLICY};
use crate::error::Error;
use crate::exceeded::RateLimitExceeded;
use crate::limit::Limit;

impl RateLimitExceeded {
    /// What a client is told: 429 with `Retry-After`, `RateLimit` and `RateLimit-Policy`, and a line of text. One line in
    /// `on_exceeded`; with axum and actix-web the error is a response by itself. Where no limit refused it, but the outage policy
    /// `closed`: 503 with `Retry-After`.
    ///
    /// ```
    /// use limitra_core::{Limit, RateLimitExceeded};
    /// use std::time::Duration;
    ///
    /// let limit = Limit::new(10, Duration::from_secs(60))?;
    /// let exceeded = RateLimitExceeded::new(limit, Duration::from_millis(6_001)).in_function("user", "create_post");
    /// let response = exceeded.to_response();
    /// assert_eq!(response.status(), 429);
    /// assert_eq!(response.headers()["retry-after"], "7");
    /// assert_eq!(response.headers()["ratelimit-policy"], "\"user\";q=10;w=60");
    /// assert_eq!(response.headers()["ratelimit"], "\"user\";r=0;t=7");
    /// # Ok::<(), limitra_core::ConfigurationError>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "http")))]
    pub fn to_response(&self) -> Response<String> {
        let wait = self.retry_after_seconds();
        let status = self.status();
        let told = match status {
            StatusCode::TOO_MANY_REQUESTS => format!("rate limit exceeded, retry after {wait} s\n"),
            status => message_of(status).to_owned(),
        };
        let mut response = text(status, told);
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, wait.into());
        if self.is_closed() {
            return response;
        }
        let Ok(limit) = Limit::new(self.requests, self.window) else { return response };
        let mut name = String::from("\"");
        string_into(&mut name, &self.scope);
        name.push('"');
        let quota = quota_of(limit);
        let values = [
            (RATELIMIT_POLICY, format!("{name}{quota}")),
            (RATELIMIT, format!("{name};r={};t={wait}", self.remaining)),
        ];
        for (name, value) in values {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl RateLimitExceeded {
    pub(super) const fn status(&self) -> StatusCode {
        if self.is_closed() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::TOO_MANY_REQUESTS }
    }
}

impl Error {
    /// What a client is told: 429 where a limit is exceeded ([`RateLimitExceeded::to_response`]), 422 where it asks for more than the limit
    /// holds, 503 where the storage could not decide, 500 where something is set up wrong. Nothing of the inside is told: log
    /// the error.
    #[cfg_attr(docsrs, doc(cfg(feature = "http")))]
    pub fn to_response(&self) -> Response<String> {
        if let Self::RateLimitExceeded(exceeded) = self {
            return exceeded.to_response();
        }
        let status = status_of(self);
        text(status, message_of(status).to_owned())
    }
}

/// What is answered where a handler wants a decision that nobody shares.
#[cfg(any(feature = "axum", feature = "actix"))]
pub(super) fn no_decision() -> Response<String> {
    tracing::error!(target: "limitra", "a handler wants the decision, but no layer in front of it says `share_decision()`");
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    text(status, message_of(status).to_owned())
}

/// Tells of what a client is not told.
pub(super) fn log(error: &Error) {
    match error {
        Error::RateLimitExceeded(_) | Error::CostAboveLimit { .. } => {}
        Error::Storage(_) => tracing::debug!(target: "limitra", %error, "no decision for a request"),
        Error::Configuration(_) | Error::Function { .. } => {
            tracing::error!(target: "limitra", %error, "a mistake in the set-up");
        }
    }
}
