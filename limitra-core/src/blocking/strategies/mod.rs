//! Strategies over a storage, without awaiting; see [`crate::strategies`].
//!
//! ```
//! use limitra_core::blocking::strategies::FixedWindowRateLimiter;
//! use limitra_core::{Error, MemoryStorage, RateLimit};
//!
//! let limiter = FixedWindowRateLimiter::new(MemoryStorage::new());
//! let limit: RateLimit = "1/minute".parse()?;
//! assert!(limiter.hit(&limit, ("search", 7))?);
//! assert!(!limiter.test(&limit, ("search", 7))?);
//! # Ok::<(), Error>(())
//! ```

mod family;
mod strategy;

pub use crate::strategies::{Identifiers, NAMES, WindowStats};
pub use family::{
    FixedWindowAlignedRateLimiter, FixedWindowElasticExpiryRateLimiter, FixedWindowRateLimiter,
    GcraRateLimiter, LeakyBucketRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter,
    TokenBucketRateLimiter,
};
pub use strategy::{Strategy, by_name};
