//! A clock that a test sets by hand.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::Micros;

/// A clock that stands still until it is told otherwise, for deterministic tests.
///
/// Clones share the same time. Give one to `RateLimiterBuilder::clock` or `LimitraConfig::clock`
/// and every decision, on any storage, happens at the instant that it shows.
/// Decisions know instants up to two windows before [`Micros::MAX`] (the year 2255): a clock that shows
/// a later one stands still for them.
///
/// ```
/// use limitra_core::{Algorithm, Limit, ManualClock, RateLimiter};
/// use std::time::Duration;
///
/// # futures_executor(async {
/// let clock = ManualClock::new();
/// let limiter = RateLimiter::builder()
///     .algorithm(Algorithm::FixedWindow)
///     .limit(Limit::new(1, Duration::from_secs(60))?)
///     .clock(clock.clone())
///     .build()?;
///
/// assert!(limiter.allow_request("ada").await?);
/// assert!(!limiter.allow_request("ada").await?);
/// clock.advance(Duration::from_secs(60));
/// assert!(limiter.allow_request("ada").await?);
/// # Ok::<(), limitra_core::Error>(()) }).unwrap();
/// # fn futures_executor<F: std::future::Future>(f: F) -> F::Output {
/// #     let mut f = std::pin::pin!(f);
/// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(v) = f.as_mut().poll(&mut cx) { return v; } }
/// # }
/// ```
#[derive(Clone)]
pub struct ManualClock {
    micros: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that shows 2023-11-14 22:13:20 UTC (1,700,000,000 seconds after the epoch).
    pub fn new() -> Self {
        Self::at(Micros::new(1_700_000_000_000_000))
    }

    /// A clock that shows `instant` (a [`SystemTime`] or [`Micros`] since the epoch).
    pub fn at(instant: impl Into<Micros>) -> Self {
        Self { micros: Arc::new(AtomicU64::new(instant.into().get())) }
    }

    /// What it shows.
    pub fn now(&self) -> Micros {
        Micros::new(self.micros.load(Ordering::SeqCst))
    }

    /// Goes forward by `duration`, rounded up to a whole microsecond.
    pub fn advance(&self, duration: Duration) {
        let step = Micros::from_duration(duration);
        self.change(|now| now.plus(step));
    }

    /// Goes back by `duration`, rounded up to a whole microsecond; at most to the epoch.
    pub fn step_back(&self, duration: Duration) {
        let step = Micros::from_duration(duration);
        self.change(|now| now.minus(step));
    }

    /// Shows `instant` from now on.
    pub fn set(&self, instant: impl Into<Micros>) {
        let instant = instant.into();
        self.change(|_| instant);
    }

    /// Whether both show the same time for ever, not only now.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.micros, &other.micros)
    }

    fn change(&self, next: impl Fn(Micros) -> Micros) {
        let update = |now| Some(next(Micros::new(now)).get());
        // The closure never answers `None`, so there is no error to handle.
        let _previous = self.micros.fetch_update(Ordering::SeqCst, Ordering::SeqCst, update);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

impl From<SystemTime> for Micros {
    fn from(time: SystemTime) -> Self {
        Self::from_system_time(time)
    }
}
