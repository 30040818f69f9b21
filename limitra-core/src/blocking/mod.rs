//! Limiters and strategies for code without an async runtime.
//!
//! The same questions and answers as everywhere else, without `.await`. On memory a decision is taken at once, in the
//! calling thread. Any other storage is asked on one thread of limitra's own, `limitra-blocking`, which is started at the
//! first such question of the process and stays; the calling thread waits. It has its own connections, one for each storage.
//!
//! Called from async code it neither deadlocks nor panics, but it keeps that thread from running other tasks until
//! the answer is there: there, await the limiter itself.
//!
//! ```
//! use limitra_core::{Error, RateLimiter};
//!
//! let limiter = RateLimiter::builder().requests(2).window(60).build()?.blocking();
//! assert!(limiter.allow_request("ada")?);
//! assert!(limiter.allow_request("ada")?);
//! assert!(!limiter.allow_request("ada")?);
//! # Ok::<(), Error>(())
//! ```

mod charge;
mod driver;
mod limiter;
mod storage;
pub mod strategies;

pub use charge::{check_all, give_back_all};
pub(crate) use driver::{answer, answers, returned};
pub use limiter::RateLimiter;
pub use storage::Storage;
