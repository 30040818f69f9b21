//! A refused request, and what it is told.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};

use super::key::KeyError;
use super::limit::Charged;
use crate::decision::Decision;
use crate::error::Error;
use crate::exceeded::whole_seconds;

/// A request that was refused: what `on_refused` makes a response of.
///
/// | reason | status | gRPC |
/// |---|---|---|
/// | a limit is exceeded | 429 Too Many Requests | `RESOURCE_EXHAUSTED` |
/// | it costs more than a limit holds | 422 Unprocessable Content | `INVALID_ARGUMENT` |
/// | it does not say who is calling ([`OnMissing::Refuse`](super::OnMissing::Refuse)) | 403 Forbidden | `PERMISSION_DENIED` |
/// | the storage could not decide, and the policy is the error or closed | 503 Service Unavailable | `UNAVAILABLE` |
/// | a mistake in the set-up | 500 Internal Server Error | `INTERNAL` |
#[derive(Debug)]
pub struct Refusal {
    reason: RefusalReason,
    /// By whom it was counted.
    charged: Charged,
}

/// Why a request was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum RefusalReason {
    /// A limit is exceeded, or an outage policy refuses.
    Exceeded(Decision),
    /// It does not say who is calling.
    Unidentified(KeyError),
    /// No decision could be had. The details are for the log, not for the client.
    Undecided(Error),
}

impl Refusal {
    pub(crate) fn new(reason: RefusalReason) -> Box<Self> {
        Box::new(Self { reason, charged: Charged::new() })
    }

    pub(crate) fn of(mut self: Box<Self>, charged: Charged) -> Box<Self> {
        self.charged = charged;
        self
    }

    /// Why.
    pub const fn reason(&self) -> &RefusalReason {
        &self.reason
    }

    pub(crate) fn into_reason(self) -> RefusalReason {
        self.reason
    }

    /// The decision, where there was one.
    pub const fn decision(&self) -> Option<&Decision> {
        match &self.reason {
            RefusalReason::Exceeded(decision) => Some(decision),
            _ => None,
        }
    }

    pub(crate) const fn charged(&self) -> &Charged {
        &self.charged
    }

    /// The status that says so; see the table.
    pub fn status(&self) -> StatusCode {
        match &self.reason {
            RefusalReason::Exceeded(decision) if is_closed(decision) => StatusCode::SERVICE_UNAVAILABLE,
            RefusalReason::Exceeded(_) => StatusCode::TOO_MANY_REQUESTS,
            RefusalReason::Unidentified(_) => StatusCode::FORBIDDEN,
            RefusalReason::Undecided(error) => status_of(error),
        }
    }

    /// After how long the same request would be let in, if nobody else asks: exact to the microsecond.
    pub fn retry_after(&self) -> Option<Duration> {
        self.decision().map(Decision::retry_after)
    }

    /// The same as the header `Retry-After` says it: whole seconds, rounded up, at least 1.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after().map(whole_seconds)
    }

    /// What a client is told: one line, without any internal detail.
    pub fn message(&self) -> String {
        match (self.status(), self.retry_after()) {
            (StatusCode::TOO_MANY_REQUESTS, Some(wait)) => {
                format!("rate limit exceeded, retry after {} s\n", whole_seconds(wait))
            }
            (status, _) => message_of(status).to_owned(),
        }
    }

    /// What it is answered where nobody says otherwise, without the headers on limits.
    pub(crate) fn response(&self) -> Response<String> {
        text(self.status(), self.message())
    }
}

/// Whether it is the outage policy that refuses, not a limit.
fn is_closed(decision: &Decision) -> bool {
    decision.is_degraded() && decision.limit().is_some_and(|limit| limit.amount() == 0)
}

/// The status of an error.
pub(crate) fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::RateLimitExceeded(exceeded) => exceeded.status(),
        Error::CostAboveLimit { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Storage(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Configuration(_) | Error::Function { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What is told with a status; nothing of the inside.
pub(crate) const fn message_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::TOO_MANY_REQUESTS => "rate limit exceeded\n",
        StatusCode::UNPROCESSABLE_ENTITY => "the request costs more than its limit holds\n",
        StatusCode::FORBIDDEN => "the request does not say who is calling\n",
        StatusCode::SERVICE_UNAVAILABLE => "try again later\n",
        _ => "internal error\n",
    }
}

pub(crate) fn text(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
