//! The seed's limiter classes, as constructors of a [`RateLimiter`].

use crate::algorithm::Algorithm;
use crate::builder::RateLimiterBuilder;
use crate::error::ConfigurationError;
use crate::limiter::RateLimiter;
use crate::number::Amount;

macro_rules! classes {
    ($($(#[$doc:meta])* $class:ident, $algorithm:ident, $name:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// Both constructors give a [`RateLimiter`] whose algorithm is set.
        ///
        /// ```
        #[doc = concat!("use limitra_core::{Algorithm, ", stringify!($class), "};")]
        ///
        #[doc = concat!("let limiter = ", stringify!($class), "::new(5, 1.0)?;")]
        #[doc = concat!("assert_eq!(limiter.config().algorithm, Algorithm::", stringify!($algorithm), ");")]
        /// assert_eq!(limiter.config().capacity, 5);
        ///
        #[doc = concat!("let limiter = ", stringify!($class), "::builder().requests(5).window(1).scope(\"api\").build()?;")]
        /// assert_eq!(limiter.key("ada"), "limitra:::api:ada:");
        /// # Ok::<(), limitra_core::ConfigurationError>(())
        /// ```
        #[derive(Debug)]
        pub enum $class {}

        impl $class {
            #[doc = concat!("A `", $name, "` limiter of `capacity` and `fill_rate`, on memory of its own.")]
            ///
            /// # Errors
            /// [`ConfigurationError`] if one of them is zero, negative, not finite or out of range.
            #[allow(clippy::new_ret_no_self)] // The seed's class is a limiter of one algorithm, which is what this gives.
            pub fn new(capacity: impl Amount, fill_rate: f64) -> Result<RateLimiter, ConfigurationError> {
                Self::builder().capacity(capacity).fill_rate(fill_rate).build()
            }

            #[doc = concat!("The settings of a `", $name, "` limiter.")]
            pub fn builder() -> RateLimiterBuilder {
                RateLimiter::builder().algorithm(Algorithm::$algorithm)
            }
        }
    )*};
}

classes! {
    /// The seed's sliding window (counter).
    SlidingWindowRateLimiter, SlidingWindow, "sliding_window";
    /// A fixed window that opens at the first allowed hit. What Python `limitra` calls fixed window is [`FixedWindowAlignedRateLimiter`].
    FixedWindowRateLimiter, FixedWindow, "fixed_window";
    /// A fixed window in slots of the clock.
    FixedWindowAlignedRateLimiter, FixedWindowAligned, "fixed_window_aligned";
    /// A fixed window that is forgotten only after a whole window without any hit.
    FixedWindowElasticExpiryRateLimiter, FixedWindowElasticExpiry, "fixed_window_elastic_expiry";
    /// The exact log.
    MovingWindowRateLimiter, MovingWindow, "moving_window";
    /// The seed's token bucket.
    TokenBucketLimiter, TokenBucket, "token_bucket";
    /// The seed's leaky bucket, as a meter.
    LeakyBucketLimiter, LeakyBucket, "leaky_bucket";
    /// The generic cell rate algorithm.
    GcraLimiter, Gcra, "gcra";
}
