//! A strategy of any algorithm, without awaiting.

use std::fmt;

use super::{Identifiers, WindowStats};
use crate::algorithm::Algorithm;
use crate::attempt::Mode;
use crate::blocking::{answer, storage};
use crate::clock::ManualClock;
use crate::decision::Decision;
use crate::error::{ConfigurationError, Error};
use crate::rate_limit::RateLimit;
use crate::storage::AnyStorage;
use crate::strategies;

/// As [`strategies::by_name`].
///
/// # Errors
/// As [`strategies::by_name`].
pub fn by_name(name: &str, storage: impl Into<AnyStorage>) -> Result<Strategy, ConfigurationError> {
    strategies::by_name(name, storage).map(Strategy)
}

/// [`strategies::Strategy`] for code without an async runtime.
///
/// ```
/// use limitra_core::blocking::strategies::Strategy;
/// use limitra_core::{Algorithm, Error, MemoryStorage, RateLimit};
///
/// let strategy = Strategy::new(Algorithm::Gcra, MemoryStorage::new());
/// let limit = RateLimit::per_minute(10)?;
/// assert!(strategy.hit_cost(&limit, "ada", 9)?);
/// assert_eq!(strategy.window_stats(&limit, "ada")?.remaining, 1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Strategy(strategies::Strategy);

impl Strategy {
    /// As [`strategies::Strategy::new`].
    pub fn new(algorithm: Algorithm, storage: impl Into<AnyStorage>) -> Self {
        Self(strategies::Strategy::new(algorithm, storage))
    }

    /// As [`strategies::Strategy::with_clock`].
    pub fn with_clock(self, clock: ManualClock) -> Self {
        Self(self.0.with_clock(clock))
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    /// The name, such as `moving-window`.
    pub const fn name(&self) -> &'static str {
        self.0.name()
    }

    /// As [`strategies::Strategy::hit`].
    ///
    /// # Errors
    /// As [`strategies::Strategy::hit`].
    pub fn hit<'a>(&self, limit: &RateLimit, identifiers: impl Identifiers<'a>) -> Result<bool, Error> {
        self.hit_cost(limit, identifiers, 1)
    }

    /// As [`strategies::Strategy::hit_cost`].
    ///
    /// # Errors
    /// As [`strategies::Strategy::hit_cost`].
    pub fn hit_cost<'a>(
        &self,
        limit: &RateLimit,
        identifiers: impl Identifiers<'a>,
        cost: u64,
    ) -> Result<bool, Error> {
        Ok(self.decide(limit, identifiers, cost)?.is_allowed())
    }

    /// As [`strategies::Strategy::decide`].
    ///
    /// # Errors
    /// As [`strategies::Strategy::hit_cost`].
    pub fn decide<'a>(
        &self,
        limit: &RateLimit,
        identifiers: impl Identifiers<'a>,
        cost: u64,
    ) -> Result<Decision, Error> {
        self.ask(limit, identifiers, cost, Mode::Hit)
    }

    /// As [`strategies::Strategy::test`].
    ///
    /// # Errors
    /// As [`strategies::Strategy::hit`].
    pub fn test<'a>(&self, limit: &RateLimit, identifiers: impl Identifiers<'a>) -> Result<bool, Error> {
        self.test_cost(limit, identifiers, 1)
    }

    /// As [`strategies::Strategy::test_cost`].
    ///
    /// # Errors
    /// As [`strategies::Strategy::hit_cost`].
    pub fn test_cost<'a>(
        &self,
        limit: &RateLimit,
        identifiers: impl Identifiers<'a>,
        cost: u64,
    ) -> Result<bool, Error> {
        Ok(self.ask(limit, identifiers, cost, Mode::Peek)?.is_allowed())
    }

    /// As [`strategies::Strategy::window_stats`].
    ///
    /// # Errors
    /// As [`strategies::Strategy::hit`].
    #[doc(alias = "get_window_stats")]
    pub fn window_stats<'a>(
        &self,
        limit: &RateLimit,
        identifiers: impl Identifiers<'a>,
    ) -> Result<WindowStats, Error> {
        Ok(WindowStats::of(&self.ask(limit, identifiers, 1, Mode::Peek)?))
    }

    /// As [`strategies::Strategy::clear`].
    ///
    /// # Errors
    /// As [`strategies::Strategy::clear`].
    pub fn clear<'a>(&self, limit: &RateLimit, identifiers: impl Identifiers<'a>) -> Result<(), Error> {
        storage::clear(&self.0.desk, self.0.key(limit, identifiers))
    }

    /// The strategy that is awaited.
    pub const fn awaited(&self) -> &strategies::Strategy {
        &self.0
    }

    fn ask<'a>(
        &self,
        limit: &RateLimit,
        identifiers: impl Identifiers<'a>,
        cost: u64,
        mode: Mode,
    ) -> Result<Decision, Error> {
        let pending = self.0.ask(limit, identifiers, cost, mode)?;
        Ok(self.0.placed(answer(&self.0.desk, pending)?))
    }
}

impl strategies::Strategy {
    /// The same strategy for code without an async runtime.
    #[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
    pub fn blocking(&self) -> Strategy {
        Strategy(self.clone())
    }
}

impl From<strategies::Strategy> for Strategy {
    fn from(strategy: strategies::Strategy) -> Self {
        Self(strategy)
    }
}

impl fmt::Debug for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
