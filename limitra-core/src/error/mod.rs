//! What can go wrong.

mod configuration;
mod notation;
mod storage;

pub use configuration::{ConfigurationError, Number, UrlProblem};
pub use notation::{NotationError, NotationProblem};
pub use storage::{ConcurrentUpdateError, StorageError, StorageErrorKind};

use crate::exceeded::RateLimitExceeded;
use crate::limit::Limit;

/// Everything that a limiter or an attributed function can answer instead of a value.
///
/// ```
/// use limitra_core::{Error, RateLimiter};
///
/// # let limiter = RateLimiter::builder().requests(5).window(60).build()?;
/// # let decided = std::pin::pin!(limiter.check_cost("ada", 6));
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # let std::task::Poll::Ready(answer) = std::future::Future::poll(decided, &mut context) else { panic!() };
/// // let answer = limiter.check_cost("ada", 6).await;
/// assert!(matches!(answer, Err(Error::CostAboveLimit { cost: 6, .. })));
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The limit is exceeded: come back after `retry_after`.
    #[error(transparent)]
    RateLimitExceeded(#[from] RateLimitExceeded),
    /// Something was set up in a way that cannot work; it is the same at every call until it is mended.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// A mistake in the set-up of an attributed function, found at its first call.
    #[error("in the rate limit of `{function}`: {source}")]
    Function {
        /// The function.
        function: String,
        /// What is wrong.
        source: ConfigurationError,
    },
    /// No decision could be had from the storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// More was asked for than the limit holds: it could never be allowed.
    #[error("a cost of {cost} can never be allowed by a limit of {limit}; ask for at most {}", limit.capacity())]
    CostAboveLimit {
        /// What was asked for.
        cost: u64,
        /// The smallest limit.
        limit: Limit,
    },
}
