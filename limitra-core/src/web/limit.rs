//! One limit in front of a web service.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::key::{Key, Parts};
use super::request::Request;
use crate::limiter::RateLimiter;

/// Which limiter a request's caller is under; none if none is.
pub(crate) type Choose = Arc<dyn Fn(&Request<'_>) -> Option<RateLimiter> + Send + Sync>;

/// One limit: by which limiter whom.
pub(crate) enum HttpLimit {
    /// The same limiter for all.
    Fixed { limiter: RateLimiter, key: Key },
    /// A limiter by the request: a plan's, say.
    ByRequest { choose: Choose, key: Key },
}

impl HttpLimit {
    /// The limiter of all requests, if it is one.
    pub(crate) const fn fixed(&self) -> Option<&RateLimiter> {
        match self {
            Self::Fixed { limiter, .. } => Some(limiter),
            Self::ByRequest { .. } => None,
        }
    }

    /// The limiter that this request is under, and by what it is counted.
    pub(crate) fn choose(&self, request: &Request<'_>) -> Option<(Chosen<'_>, &Key)> {
        match self {
            Self::Fixed { limiter, key } => Some((Chosen::Fixed(limiter), key)),
            Self::ByRequest { choose, key } => {
                choose(request).map(|limiter| (Chosen::ByRequest(limiter), key))
            }
        }
    }
}

/// Limiters and whom they have counted, in the order of the limits; none where nobody asks.
pub(crate) type Charged = Vec<(RateLimiter, Parts<'static>)>;

/// The limiter that a request is under.
#[derive(Clone)]
pub(crate) enum Chosen<'a> {
    Fixed(&'a RateLimiter),
    ByRequest(RateLimiter),
}

impl Chosen<'_> {
    pub(crate) fn into_limiter(self) -> RateLimiter {
        match self {
            Self::Fixed(limiter) => limiter.clone(),
            Self::ByRequest(limiter) => limiter,
        }
    }

    /// The same, borrowing nothing.
    pub(crate) fn into_owned(self) -> Chosen<'static> {
        Chosen::ByRequest(self.into_limiter())
    }
}

impl Deref for Chosen<'_> {
    type Target = RateLimiter;

    fn deref(&self) -> &RateLimiter {
        match self {
            Self::Fixed(limiter) => limiter,
            Self::ByRequest(limiter) => limiter,
        }
    }
}

impl fmt::Debug for HttpLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed { limiter, key } => {
                f.debug_struct("Limit").field("limiter", limiter).field("key", key).finish()
            }
            Self::ByRequest { key, .. } => f.debug_struct("Limit").field("key", key).finish_non_exhaustive(),
        }
    }
}
