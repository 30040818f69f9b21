//! The error of a refused call.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::limit::Limit;
use crate::rule_decision::RuleDecision;

/// The limit is exceeded.
///
/// ```
/// use limitra_core::{Limit, RateLimitExceeded};
/// use std::time::Duration;
///
/// let limit = Limit::new(10, Duration::from_secs(60))?;
/// let mut exceeded = RateLimitExceeded::new(limit, Duration::from_micros(1_241_000));
/// assert_eq!(exceeded.to_string(), "rate limit exceeded: 10 requests per 60s, retry after 1.25s");
///
/// // As the outage policy `closed` refuses.
/// (exceeded.degraded, exceeded.requests) = (true, 0);
/// assert_eq!(exceeded.to_string(), "the rate limit could not be checked, retry after 1.25s");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimitExceeded {
    /// The amount of the limit that binds.
    pub requests: u64,
    /// Its window.
    pub window: Duration,
    /// After this long the same call would be allowed, if nobody else asks. Never zero.
    pub retry_after: Duration,
    /// What is left of it: 0, or less than the call costs.
    pub remaining: u64,
    /// The scope of the limit that binds.
    pub scope: Cow<'static, str>,
    /// The attributed function, or empty for a limiter called by hand.
    pub function: Cow<'static, str>,
    /// Whether an outage policy refused it, because the storage could not decide: see [`OnOutage`](crate::OnOutage). Under
    /// `closed`, which knows of no limit, `requests` is 0; a local share of the limit refuses like a limit.
    pub degraded: bool,
}

impl RateLimitExceeded {
    /// An exceeded `limit` that lets the call in after `retry_after`.
    pub fn new(limit: Limit, retry_after: Duration) -> Self {
        Self {
            requests: limit.amount(),
            window: limit.window(),
            retry_after,
            remaining: 0,
            scope: Cow::Borrowed(""),
            function: Cow::Borrowed(""),
            degraded: false,
        }
    }

    /// That of the rule that binds.
    pub(crate) fn by(rule: &RuleDecision) -> Self {
        Self { remaining: rule.remaining(), ..Self::new(rule.limit(), rule.retry_after()) }
    }

    /// The same, refused by an outage policy or not.
    pub(crate) const fn degraded(mut self, degraded: bool) -> Self {
        self.degraded = degraded;
        self
    }

    /// Whether no limit refused it, but a policy that lets nobody in during an outage.
    pub(crate) const fn is_closed(&self) -> bool {
        self.degraded && self.requests == 0
    }

    /// `retry_after` as the header `Retry-After` says it: whole seconds, rounded up, so that whoever waits them is let in; at
    /// least 1.
    ///
    /// ```
    /// use limitra_core::{Limit, RateLimitExceeded};
    /// use std::time::Duration;
    ///
    /// let limit = Limit::new(10, Duration::from_secs(60))?;
    /// assert_eq!(RateLimitExceeded::new(limit, Duration::from_micros(6_000_001)).retry_after_seconds(), 7);
    /// # Ok::<(), limitra_core::ConfigurationError>(())
    /// ```
    pub const fn retry_after_seconds(&self) -> u64 {
        whole_seconds(self.retry_after)
    }

    /// The same with the scope and the function that it happened in.
    pub fn in_function(
        mut self,
        scope: impl Into<Cow<'static, str>>,
        function: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.scope = scope.into();
        self.function = function.into();
        self
    }
}

/// Whole seconds, rounded up, at least 1.
pub(crate) const fn whole_seconds(wait: Duration) -> u64 {
    let begun = if wait.subsec_nanos() > 0 { 1 } else { 0 };
    let seconds = wait.as_secs().saturating_add(begun);
    if seconds == 0 { 1 } else { seconds }
}

impl fmt::Display for RateLimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = self.retry_after.as_nanos().div_ceil(10_000_000);
        if self.is_closed() {
            f.write_str("the rate limit could not be checked")?;
        } else {
            let plural = if self.requests == 1 { "" } else { "s" };
            write!(f, "rate limit exceeded: {} request{plural} per {:?}", self.requests, self.window)?;
        }
        write!(f, ", retry after {}.{:02}s", hundredths / 100, hundredths % 100)
    }
}

impl std::error::Error for RateLimitExceeded {}
