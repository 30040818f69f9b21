//! What a response is to tell of the limits, as its request was decided.

use std::cmp::Reverse;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::remainder::Remainder;
use super::told::{RATELIMIT, RATELIMIT_POLICY, Told};
use crate::rule_decision::RuleDecision;

const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The names of all headers by which a response may tell of limits already.
#[cfg(feature = "actix")]
pub(super) const TELLING: [HeaderName; 4] = [RATELIMIT, RATELIMIT_POLICY, X_REMAINING, X_RESET];

/// What a response is to tell of the limits.
#[derive(Clone, Debug)]
pub(crate) struct Telling {
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) x_rate_limit: Option<XRateLimit>,
}

/// The values of `RateLimit-Policy` and `RateLimit`: lists with an item for each limit, in one order.
#[derive(Clone, Debug)]
pub(super) struct RateLimit {
    pub(super) policies: HeaderValue,
    pub(super) states: HeaderValue,
}

/// The values of the `X-RateLimit` headers.
#[derive(Clone, Debug)]
pub(super) struct XRateLimit {
    pub(super) limit: u64,
    pub(super) remainder: Remainder,
}

impl Telling {
    pub(crate) const NOTHING: Self = Self { rate_limit: None, x_rate_limit: None };

    #[cfg(feature = "actix")]
    pub(super) const fn is_nothing(&self) -> bool {
        self.rate_limit.is_none() && self.x_rate_limit.is_none()
    }

    /// Puts it into these headers, beside what they tell already.
    pub(crate) fn put(self, headers: &mut HeaderMap) {
        if let Some(RateLimit { policies, states }) = self.rate_limit {
            RateLimit::put(headers, policies, states);
        }
        if let Some(x_rate_limit) = self.x_rate_limit {
            x_rate_limit.put(headers);
        }
    }
}

impl RateLimit {
    /// Puts `RateLimit-Policy` and `RateLimit` into these headers, beside what they tell already.
    #[inline]
    pub(super) fn put(headers: &mut HeaderMap, policies: HeaderValue, states: HeaderValue) {
        // Nearly always nobody has told anything. Names are compared here, because looking one up costs more than to compare it
        // with all that a response usually has.
        if headers.keys().any(|name| *name == RATELIMIT || *name == RATELIMIT_POLICY) {
            return merge(headers, &policies, &states);
        }
        headers.insert(RATELIMIT_POLICY, policies);
        headers.insert(RATELIMIT, states);
    }
}

#[cold]
fn merge(headers: &mut HeaderMap, policies: &HeaderValue, states: &HeaderValue) {
    let mut told = Told::by(headers);
    told.add_all(policies, states);
    told.write(headers);
}

impl XRateLimit {
    /// What the limit that binds came to.
    pub(super) fn of(binding: &RuleDecision) -> Self {
        Self { limit: binding.limit().amount(), remainder: Remainder::of(binding) }
    }

    pub(super) fn put(self, headers: &mut HeaderMap) {
        let Remainder { remaining, seconds } = self.remainder;
        let told = |name| headers.get(name).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        // Of two layers the one that binds tells: the one with less left, or with as much for longer.
        let binds = |told_remaining| {
            let told = (told_remaining, Reverse(told(X_RESET).unwrap_or_default()));
            (remaining, Reverse(seconds)) < told
        };
        if told(X_REMAINING).is_none_or(binds) {
            headers.insert(X_LIMIT, self.limit.into());
            headers.insert(X_REMAINING, remaining.into());
            headers.insert(X_RESET, seconds.into());
        }
    }
}
