//! A strategy of any algorithm.

use std::borrow::Cow;
use std::fmt;
use std::iter;
use std::sync::Arc;

use smallvec::smallvec;

use super::{Identifiers, WindowStats};
use crate::algorithm::Algorithm;
use crate::attempt::{Mode, Subject};
use crate::clock::ManualClock;
use crate::decide::Desk;
use crate::decision::Decision;
use crate::error::{ConfigurationError, Error};
use crate::key::{self, Key};
use crate::limit::Limit;
use crate::measured::Tally;
use crate::outage::{OnOutage, Outages};
use crate::pending::Pending;
use crate::question::Subjects;
use crate::rate_limit::RateLimit;
use crate::rule::Rule;
use crate::storage::AnyStorage;

/// The names of all strategies: what [`by_name`] takes.
#[doc(alias = "STRATEGIES")]
pub const NAMES: [&str; 8] = [
    "fixed-window",
    "fixed-window-elastic-expiry",
    "moving-window",
    "sliding-window-counter",
    "fixed-window-aligned",
    "token-bucket",
    "leaky-bucket",
    "gcra",
];

/// The strategy of this name over a storage. `_` does for `-`, and `sliding-window` for `sliding-window-counter`.
///
/// ```
/// use limitra_core::{Algorithm, MemoryStorage, strategies};
///
/// for name in strategies::NAMES {
///     assert_eq!(strategies::by_name(name, MemoryStorage::new())?.name(), name);
/// }
/// let mistake = strategies::by_name("fixed-door", MemoryStorage::new()).unwrap_err();
/// assert!(mistake.to_string().contains("known are fixed-window, "));
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
///
/// # Errors
/// [`ConfigurationError::UnknownStrategy`] lists the known names.
pub fn by_name(name: &str, storage: impl Into<AnyStorage>) -> Result<Strategy, ConfigurationError> {
    let unknown = |_| ConfigurationError::UnknownStrategy { name: name.to_owned() };
    Ok(Strategy::new(name.parse().map_err(unknown)?, storage))
}

/// The name of an algorithm's strategy.
const fn name_of(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::FixedWindow => "fixed-window",
        Algorithm::FixedWindowElasticExpiry => "fixed-window-elastic-expiry",
        Algorithm::MovingWindow => "moving-window",
        Algorithm::SlidingWindow => "sliding-window-counter",
        Algorithm::FixedWindowAligned => "fixed-window-aligned",
        Algorithm::TokenBucket => "token-bucket",
        Algorithm::LeakyBucket => "leaky-bucket",
        Algorithm::Gcra => "gcra",
    }
}

/// A strategy of any algorithm over a storage. Clones share the storage.
///
/// The strategies by name, such as [`MovingWindowRateLimiter`](super::MovingWindowRateLimiter), are this with an algorithm.
/// [`Identifiers`] says what can be asked for.
///
/// ```
/// use limitra_core::strategies::Strategy;
/// use limitra_core::{Algorithm, Error, ManualClock, MemoryStorage, RateLimit};
/// use std::time::Duration;
/// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
/// #     let mut future = std::pin::pin!(future);
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) { return value; } }
/// # }
/// # block_on(async {
///
/// let clock = ManualClock::new();
/// let strategy = Strategy::new(Algorithm::FixedWindow, MemoryStorage::new()).with_clock(clock.clone());
/// let limit = RateLimit::per_minute(10)?;
/// assert!(strategy.hit_cost(&limit, "ada", 10).await?);
/// assert!(!strategy.test(&limit, "ada").await?);
///
/// let stats = strategy.window_stats(&limit, "ada").await?;
/// assert_eq!(stats.remaining, 0);
/// assert_eq!(stats.reset_time, clock.now().to_system_time() + Duration::from_secs(60));
///
/// strategy.clear(&limit, "ada").await?;
/// assert!(strategy.hit(&limit, "ada").await?);
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Strategy {
    algorithm: Algorithm,
    pub(crate) desk: Desk,
}

impl Strategy {
    /// The strategy of this algorithm over a storage. No I/O.
    pub fn new(algorithm: Algorithm, storage: impl Into<AnyStorage>) -> Self {
        let label = Arc::from(name_of(algorithm));
        let outages = Outages::within(None);
        let storage = storage.into();
        let desk = Desk {
            tally: Tally::new(storage.name(), &label),
            storage,
            clock: None,
            policy: OnOutage::Error,
            local: None,
            outages,
            label,
        };
        Self { algorithm, desk }
    }

    /// The same with a clock for tests; the storage's own is then not asked.
    pub fn with_clock(mut self, clock: ManualClock) -> Self {
        self.desk.clock = Some(clock);
        self
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name, such as `moving-window`.
    pub const fn name(&self) -> &'static str {
        name_of(self.algorithm)
    }

    /// The storage.
    pub fn storage(&self) -> &AnyStorage {
        &self.desk.storage
    }

    /// Whether a hit is allowed; if so it is counted. A refused one is not.
    ///
    /// # Errors
    /// [`Error::Storage`] if no decision could be had; [`Error::Configuration`] if this limit cannot be held: a
    /// burst without a bucket, or a moving window that is too large for the storage.
    pub async fn hit(&self, limit: &RateLimit, identifiers: impl Identifiers<'_>) -> Result<bool, Error> {
        self.hit_cost(limit, identifiers, 1).await
    }

    /// Whether a hit that costs `cost` units is allowed; all of them are counted or none. A cost of 0 is
    /// allowed without counting anything.
    ///
    /// # Errors
    /// As [`Strategy::hit`]; [`Error::CostAboveLimit`] if it could never be allowed, where Python answers `False`.
    pub async fn hit_cost(
        &self,
        limit: &RateLimit,
        identifiers: impl Identifiers<'_>,
        cost: u64,
    ) -> Result<bool, Error> {
        Ok(self.decide(limit, identifiers, cost).await?.is_allowed())
    }

    /// The same as a [`Decision`], which knows how long to wait.
    ///
    /// # Errors
    /// As [`Strategy::hit_cost`].
    pub async fn decide(
        &self,
        limit: &RateLimit,
        identifiers: impl Identifiers<'_>,
        cost: u64,
    ) -> Result<Decision, Error> {
        let pending = self.ask(limit, identifiers, cost, Mode::Hit)?;
        Ok(self.placed(pending.await?))
    }

    /// Says what [`Strategy::hit`] would, and counts nothing.
    ///
    /// # Errors
    /// As [`Strategy::hit`].
    pub async fn test(&self, limit: &RateLimit, identifiers: impl Identifiers<'_>) -> Result<bool, Error> {
        self.test_cost(limit, identifiers, 1).await
    }

    /// Says what [`Strategy::hit_cost`] would, and counts nothing.
    ///
    /// # Errors
    /// As [`Strategy::hit_cost`].
    pub async fn test_cost(
        &self,
        limit: &RateLimit,
        identifiers: impl Identifiers<'_>,
        cost: u64,
    ) -> Result<bool, Error> {
        Ok(self.ask(limit, identifiers, cost, Mode::Peek)?.await?.is_allowed())
    }

    /// What is left of the limit, and from when on more is. Counts and writes nothing.
    ///
    /// # Errors
    /// As [`Strategy::hit`].
    #[doc(alias = "get_window_stats")]
    pub async fn window_stats(
        &self,
        limit: &RateLimit,
        identifiers: impl Identifiers<'_>,
    ) -> Result<WindowStats, Error> {
        Ok(WindowStats::of(&self.ask(limit, identifiers, 1, Mode::Peek)?.await?))
    }

    /// Forgets what this strategy counted for this limit and these identifiers, and nothing else.
    ///
    /// # Errors
    /// [`Error::Storage`] if that is not known to have happened.
    pub async fn clear(&self, limit: &RateLimit, identifiers: impl Identifiers<'_>) -> Result<(), Error> {
        let key = self.key(limit, identifiers);
        self.desk.clear(Key::from_text(&key)).await
    }

    /// The storage key: [`RateLimit::key_for`] and the strategy's name, `LIMITER/ada/10/1/minute/moving-window`. Above
    /// 1024 bytes it keeps 512 of them and ends in a digest. No I/O.
    pub fn key<'a>(&self, limit: &RateLimit, identifiers: impl Identifiers<'a>) -> String {
        let mut path = limit.key_for(identifiers.identifiers());
        path.push('/');
        path.push_str(self.name());
        key::bounded_path(path)
    }

    /// Asks for a decision: its answer on its way, which borrows nothing of the question.
    pub(crate) fn ask<'a>(
        &self,
        limit: &RateLimit,
        identifiers: impl Identifiers<'a>,
        cost: u64,
        mode: Mode,
    ) -> Result<Pending, ConfigurationError> {
        let rules = [Rule::new(self.algorithm, Limit::from(limit))?];
        let key = self.key(limit, identifiers);
        let subject = Subject { key: Key::from_text(&key), rules: Cow::Borrowed(&rules), cost };
        let subjects: Subjects<'_> = smallvec![subject];
        Ok(self.desk.decide(&subjects, mode))
    }

    /// A decision that knows in which strategy it was taken.
    pub(crate) fn placed(&self, decision: Decision) -> Decision {
        decision.of_scopes(iter::once_with(|| Arc::clone(&self.desk.label)))
    }
}

impl fmt::Debug for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strategy")
            .field("name", &self.name())
            .field("storage", &self.desk.storage)
            .finish_non_exhaustive()
    }
}
