//! What is told of an only limit: with most responses, so that it is made ready.

mod state;

use http::header::HeaderValue;

use self::state::{Beginning, State};
use super::headers::{Headers, limits_of, name_of, quota_of};
use super::remainder::Remainder;
use super::telling::{RateLimit, Telling, XRateLimit};
use crate::limit::Limit;
use crate::limiter::RateLimiter;

/// What is told of the only limit, made ready: it is told with most responses.
#[derive(Debug)]
pub(crate) struct Only {
    pub(super) limit: Limit,
    policy: HeaderValue,
    beginning: Beginning,
}

impl Only {
    /// That of these limiters, if they have one in all, with a short name.
    pub(super) fn of<'a>(limiters: impl Iterator<Item = &'a RateLimiter>) -> Option<Self> {
        let mut limits = limits_of(limiters);
        let (Some((limiter, limit)), None) = (limits.next(), limits.next()) else { return None };
        let name = name_of(limiter, limit);
        let beginning = Beginning::of(&name)?;
        let policy = HeaderValue::try_from(name + &quota_of(limit)).ok()?;
        Some(Self { limit, policy, beginning })
    }
}

/// What is told of an only limit. It is written where it stays until the response is there: what is read long after it was
/// written is read without a stall.
#[derive(Debug, Default)]
pub(crate) struct OnlyTelling {
    policy: Option<HeaderValue>,
    state: State,
    x_rate_limit: Option<XRateLimit>,
}

impl OnlyTelling {
    /// Tells what is left of it, by these headers.
    #[inline]
    pub(super) fn tell(&mut self, only: &Only, remainder: Remainder, headers: Headers) {
        if headers.rate_limit {
            self.policy = Some(only.policy.clone());
            self.state.say(&only.beginning, remainder);
        }
        if headers.x_rate_limit {
            self.x_rate_limit = Some(XRateLimit { limit: only.limit.amount(), remainder });
        }
    }

    /// The same as of any limits.
    pub(super) fn telling(self) -> Telling {
        let rate_limit = self.policy.zip(self.state.value());
        let rate_limit = rate_limit.map(|(policies, states)| RateLimit { policies, states });
        Telling { rate_limit, x_rate_limit: self.x_rate_limit }
    }

    /// Puts it into a response's headers, once.
    #[cfg(any(test, feature = "tower"))]
    #[inline]
    pub(crate) fn put(&mut self, headers: &mut http::HeaderMap) {
        if let (Some(policy), Some(state)) = (self.policy.take(), self.state.value()) {
            RateLimit::put(headers, policy, state);
        }
        if let Some(x_rate_limit) = self.x_rate_limit.take() {
            x_rate_limit.put(headers);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::web::headers::MOST;

    fn only(notation: &str, scope: &str) -> Option<Only> {
        let limiter = RateLimiter::builder().notation(notation).scope(scope).build().unwrap();
        Only::of([&limiter].into_iter())
    }

    #[test]
    fn an_only_limit_is_told_with_every_name_and_number() {
        let numbers = [0, 1, 9, 10, 99, 100, 101, 999, 1000, 12_345, MOST - 1, MOST, MOST + 1, u64::MAX];
        for length in 1..=59 {
            let (name, only) = ("x".repeat(length), only("5/minute", &"x".repeat(length)).unwrap());
            for (remaining, seconds) in numbers.into_iter().flat_map(|one| numbers.map(|other| (one, other)))
            {
                let (mut telling, mut headers) = (OnlyTelling::default(), http::HeaderMap::new());
                telling.tell(&only, Remainder { remaining, seconds }, Headers::default());
                telling.put(&mut headers);
                let (remaining, seconds) = (remaining.min(MOST), seconds.min(MOST));
                assert_eq!(headers["ratelimit"], format!("\"{name}\";r={remaining};t={seconds}"));
                assert_eq!(headers["ratelimit-policy"], format!("\"{name}\";q=5;w=60"));
            }
        }
    }

    #[test]
    fn a_long_name_and_several_limits_are_told_the_general_way() {
        assert!(only("5/minute", &"x".repeat(60)).is_none());
        assert!(only("5/minute; 50/hour", "x").is_none());
    }
}
