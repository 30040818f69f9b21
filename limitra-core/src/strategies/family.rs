//! The strategies by name.

use super::{Identifiers, Strategy, WindowStats};
use crate::algorithm::Algorithm;
use crate::clock::ManualClock;
use crate::decision::Decision;
use crate::error::Error;
use crate::rate_limit::RateLimit;
use crate::storage::AnyStorage;

macro_rules! family {
    ($($(#[$doc:meta])* $name:ident, $algorithm:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// A [`Strategy`] whose algorithm is set, and becomes one by `into()`.
        ///
        /// ```
        #[doc = concat!("use limitra_core::strategies::", stringify!($name), ";")]
        /// use limitra_core::{Error, MemoryStorage, RateLimit};
        /// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        ///
        #[doc = concat!("let limiter = ", stringify!($name), "::new(MemoryStorage::new());")]
        /// let limit = RateLimit::per_minute(10)?;
        /// # let hit = std::pin::pin!(limiter.hit(&limit, "ada"));
        /// # let std::task::Poll::Ready(allowed) = std::future::Future::poll(hit, &mut context) else { panic!() };
        /// // let allowed = limiter.hit(&limit, "ada").await;
        /// assert!(allowed?);
        /// # Ok::<(), Error>(())
        /// ```
        #[derive(Clone, Debug)]
        pub struct $name(Strategy);

        impl $name {
            /// The strategy over a storage. No I/O.
            pub fn new(storage: impl Into<AnyStorage>) -> Self {
                Self(Strategy::new(Algorithm::$algorithm, storage))
            }

            /// As [`Strategy::with_clock`].
            pub fn with_clock(self, clock: ManualClock) -> Self {
                Self(self.0.with_clock(clock))
            }

            /// As [`Strategy::hit`].
            ///
            /// # Errors
            /// As [`Strategy::hit`].
            pub async fn hit(&self, limit: &RateLimit, identifiers: impl Identifiers<'_>) -> Result<bool, Error> {
                self.0.hit(limit, identifiers).await
            }

            /// As [`Strategy::hit_cost`].
            ///
            /// # Errors
            /// As [`Strategy::hit_cost`].
            pub async fn hit_cost(
                &self,
                limit: &RateLimit,
                identifiers: impl Identifiers<'_>,
                cost: u64,
            ) -> Result<bool, Error> {
                self.0.hit_cost(limit, identifiers, cost).await
            }

            /// As [`Strategy::decide`].
            ///
            /// # Errors
            /// As [`Strategy::hit_cost`].
            pub async fn decide(
                &self,
                limit: &RateLimit,
                identifiers: impl Identifiers<'_>,
                cost: u64,
            ) -> Result<Decision, Error> {
                self.0.decide(limit, identifiers, cost).await
            }

            /// As [`Strategy::test`].
            ///
            /// # Errors
            /// As [`Strategy::hit`].
            pub async fn test(&self, limit: &RateLimit, identifiers: impl Identifiers<'_>) -> Result<bool, Error> {
                self.0.test(limit, identifiers).await
            }

            /// As [`Strategy::test_cost`].
            ///
            /// # Errors
            /// As [`Strategy::hit_cost`].
            pub async fn test_cost(
                &self,
                limit: &RateLimit,
                identifiers: impl Identifiers<'_>,
                cost: u64,
            ) -> Result<bool, Error> {
                self.0.test_cost(limit, identifiers, cost).await
            }

            /// As [`Strategy::window_stats`].
            ///
            /// # Errors
            /// As [`Strategy::hit`].
            #[doc(alias = "get_window_stats")]
            pub async fn window_stats(
                &self,
                limit: &RateLimit,
                identifiers: impl Identifiers<'_>,
            ) -> Result<WindowStats, Error> {
                self.0.window_stats(limit, identifiers).await
            }

            /// As [`Strategy::clear`].
            ///
            /// # Errors
            /// As [`Strategy::clear`].
            pub async fn clear(&self, limit: &RateLimit, identifiers: impl Identifiers<'_>) -> Result<(), Error> {
                self.0.clear(limit, identifiers).await
            }
        }

        impl From<$name> for Strategy {
            fn from(limiter: $name) -> Self {
                limiter.0
            }
        }

        impl From<&$name> for Strategy {
            fn from(limiter: &$name) -> Self {
                limiter.0.clone()
            }
        }
    )*};
}

family! {
    /// One counter for a window that opens at the first allowed hit.
    FixedWindowRateLimiter, FixedWindow;
    /// One counter that is forgotten only after a whole window without any hit, refused ones included.
    FixedWindowElasticExpiryRateLimiter, FixedWindowElasticExpiry;
    /// The exact log: never more than the amount in any window.
    MovingWindowRateLimiter, MovingWindow;
    /// Two counters of clock-aligned windows, the older one weighted by how much of it the last window still covers.
    SlidingWindowCounterRateLimiter, SlidingWindow;
    /// One counter for each slot of the clock.
    FixedWindowAlignedRateLimiter, FixedWindowAligned;
    /// Tokens that refill continuously, at most the burst of them.
    TokenBucketRateLimiter, TokenBucket;
    /// A level that drains continuously and may not overflow (as a meter: nothing is delayed).
    LeakyBucketRateLimiter, LeakyBucket;
    /// The generic cell rate algorithm: a theoretical arrival time that may run ahead by the burst.
    GcraRateLimiter, Gcra;
}
