//! The limiter, without awaiting.

use std::fmt;
use std::time::Duration;

use super::{answer, answers, returned, storage};
use crate::attempt::Mode;
use crate::charge::Charge;
use crate::decision::Decision;
use crate::error::Error;
use crate::identifier::Identifier;
use crate::limiter_config::LimiterConfig;
use crate::rule_decision::RuleDecision;
use crate::status::{Status, Usage};

/// [`RateLimiter`](crate::RateLimiter) for code without an async runtime. Clones share it, also with the limiter
/// that it was made from.
///
/// ```
/// use limitra_core::{Error, RateLimiter, blocking};
///
/// let limiter: blocking::RateLimiter = RateLimiter::builder().requests(1).window(60).build()?.into();
/// assert!(limiter.check("ada")?.is_allowed());
/// assert!(limiter.usage("ada")?.limited);
/// limiter.reset("ada")?;
/// assert!(limiter.allow_request("ada")?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct RateLimiter(crate::RateLimiter);

impl RateLimiter {
    /// As [`RateLimiter::allow_request`](crate::RateLimiter::allow_request).
    ///
    /// # Errors
    /// [`Error::Storage`] if no decision could be had and `fail_open` is off.
    pub fn allow_request<'a>(&self, identifier: impl Into<Identifier<'a>>) -> Result<bool, Error> {
        Ok(self.check(identifier)?.is_allowed())
    }

    /// As [`RateLimiter::check`](crate::RateLimiter::check).
    ///
    /// # Errors
    /// As [`RateLimiter::allow_request`].
    pub fn check<'a>(&self, identifier: impl Into<Identifier<'a>>) -> Result<Decision, Error> {
        self.check_cost(identifier, 1)
    }

    /// As [`RateLimiter::check_cost`](crate::RateLimiter::check_cost).
    ///
    /// # Errors
    /// As [`RateLimiter::allow_request`]; [`Error::CostAboveLimit`] if it could never be allowed.
    pub fn check_cost<'a>(
        &self,
        identifier: impl Into<Identifier<'a>>,
        cost: u64,
    ) -> Result<Decision, Error> {
        self.decide(&identifier.into(), cost, Mode::Hit)
    }

    /// As [`RateLimiter::check_many`](crate::RateLimiter::check_many).
    ///
    /// # Errors
    /// Each answer has its own: as [`RateLimiter::allow_request`].
    pub fn check_many<'a, I>(&self, identifiers: impl IntoIterator<Item = I>) -> Vec<Result<Decision, Error>>
    where
        I: Into<Identifier<'a>>,
    {
        let (inner, identifiers) = (&self.0.inner, crate::RateLimiter::listed(identifiers));
        if let Some(straight) = &inner.straight {
            return straight.decide_many(&identifiers, &inner.space, &inner.desk);
        }
        let pending = self.0.ask_many(&identifiers);
        self.0.all_placed(answers(&inner.desk, pending, identifiers.len()))
    }

    /// As [`RateLimiter::test`](crate::RateLimiter::test).
    ///
    /// # Errors
    /// As [`RateLimiter::allow_request`].
    pub fn test<'a>(&self, identifier: impl Into<Identifier<'a>>) -> Result<Decision, Error> {
        self.test_cost(identifier, 1)
    }

    /// As [`RateLimiter::test_cost`](crate::RateLimiter::test_cost).
    ///
    /// # Errors
    /// As [`RateLimiter::check_cost`].
    pub fn test_cost<'a>(&self, identifier: impl Into<Identifier<'a>>, cost: u64) -> Result<Decision, Error> {
        Ok(self.decide(&identifier.into(), cost, Mode::Peek)?.of_test())
    }

    /// As [`RateLimiter::give_back`](crate::RateLimiter::give_back).
    ///
    /// # Errors
    /// As [`RateLimiter::give_back`](crate::RateLimiter::give_back).
    #[allow(clippy::needless_pass_by_value)] // It is given back once.
    pub fn give_back<'a>(
        &self,
        identifier: impl Into<Identifier<'a>>,
        decision: Decision,
    ) -> Result<bool, Error> {
        returned(&self.0.inner.desk, self.0.return_charge(&identifier.into(), &decision))
    }

    /// As [`RateLimiter::status`](crate::RateLimiter::status).
    ///
    /// # Errors
    /// As [`RateLimiter::allow_request`].
    #[doc(alias = "get_status")]
    pub fn status<'a>(&self, identifier: impl Into<Identifier<'a>>) -> Result<Option<Status>, Error> {
        Ok(self.test(identifier)?.binding().map(RuleDecision::status))
    }

    /// As [`RateLimiter::usage`](crate::RateLimiter::usage).
    ///
    /// # Errors
    /// As [`RateLimiter::allow_request`].
    #[doc(alias = "get_usage")]
    pub fn usage<'a>(&self, identifier: impl Into<Identifier<'a>>) -> Result<Usage, Error> {
        Ok(Usage::of(&self.test(identifier)?))
    }

    /// As [`RateLimiter::wait_time`](crate::RateLimiter::wait_time).
    ///
    /// # Errors
    /// As [`RateLimiter::allow_request`].
    #[doc(alias = "get_wait_time")]
    pub fn wait_time<'a>(&self, identifier: impl Into<Identifier<'a>>) -> Result<Duration, Error> {
        Ok(self.test(identifier)?.retry_after())
    }

    /// As [`RateLimiter::reset`](crate::RateLimiter::reset).
    ///
    /// # Errors
    /// [`Error::Storage`] if that is not known to have happened.
    pub fn reset<'a>(&self, identifier: impl Into<Identifier<'a>>) -> Result<(), Error> {
        storage::clear(&self.0.inner.desk, self.0.key(identifier))
    }

    /// As [`RateLimiter::key`](crate::RateLimiter::key).
    #[doc(alias = "get_key")]
    pub fn key<'a>(&self, identifier: impl Into<Identifier<'a>>) -> String {
        self.0.key(identifier)
    }

    /// As [`RateLimiter::config`](crate::RateLimiter::config).
    #[doc(alias = "get_config")]
    pub fn config(&self) -> &LimiterConfig {
        self.0.config()
    }

    /// As [`RateLimiter::outages`](crate::RateLimiter::outages).
    pub fn outages(&self) -> u64 {
        self.0.outages()
    }

    /// One subject of a decision of several; see [`check_all`](super::check_all).
    pub fn of<'a>(&'a self, identifier: impl Into<Identifier<'a>>) -> Charge<'a> {
        self.0.of(identifier)
    }

    /// The limiter that is awaited.
    pub const fn awaited(&self) -> &crate::RateLimiter {
        &self.0
    }

    fn decide(&self, identifier: &Identifier<'_>, cost: u64, mode: Mode) -> Result<Decision, Error> {
        if let Some(answer) = self.0.at_once(identifier, cost, mode) {
            return answer;
        }
        let pending = self.0.ask(identifier, cost, mode);
        Ok(self.0.placed(answer(&self.0.inner.desk, pending)?))
    }
}

impl crate::RateLimiter {
    /// The same limiter for code without an async runtime.
    #[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
    pub fn blocking(&self) -> RateLimiter {
        RateLimiter(self.clone())
    }
}

impl From<crate::RateLimiter> for RateLimiter {
    fn from(limiter: crate::RateLimiter) -> Self {
        Self(limiter)
    }
}

impl From<&crate::RateLimiter> for RateLimiter {
    fn from(limiter: &crate::RateLimiter) -> Self {
        limiter.blocking()
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
