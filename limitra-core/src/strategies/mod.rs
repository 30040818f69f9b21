//! Strategies over a storage: asked with a limit and identifiers at each call.
//!
//! What Python `limits` calls a rate limiter. A [`RateLimiter`](crate::RateLimiter) has its limits from the start; a
//! strategy has a storage only, and is told the [`RateLimit`](crate::RateLimit) with every question. The limiters of the
//! same names at the crate's root are the former kind.
//!
//! Counters are told apart by strategy, namespace, limit and identifiers: what differs in any of them never
//! shares one. All strategies work on all storages.
//!
//! ```
//! use limitra_core::strategies::MovingWindowRateLimiter;
//! use limitra_core::{Error, MemoryStorage, RateLimit};
//! # fn block_on<F: std::future::Future>(future: F) -> F::Output {
//! #     let mut future = std::pin::pin!(future);
//! #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//! #     loop { if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) { return value; } }
//! # }
//! # block_on(async {
//!
//! let limiter = MovingWindowRateLimiter::new(MemoryStorage::new());
//! let limit: RateLimit = "2/minute".parse()?;
//! assert!(limiter.hit(&limit, ("search", 7)).await?);
//! assert!(limiter.hit(&limit, ("search", 7)).await?);
//! assert!(!limiter.hit(&limit, ("search", 7)).await?);
//! assert_eq!(limiter.window_stats(&limit, ("search", 8)).await?.remaining, 2);
//! # Ok::<(), Error>(()) }).unwrap();
//! ```

mod family;
mod identifiers;
mod strategy;
mod window_stats;

pub use family::{
    FixedWindowAlignedRateLimiter, FixedWindowElasticExpiryRateLimiter, FixedWindowRateLimiter,
    GcraRateLimiter, LeakyBucketRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter,
    TokenBucketRateLimiter,
};
pub use identifiers::{Identifiers, Several};
pub use strategy::{NAMES, Strategy, by_name};
pub use window_stats::WindowStats;
