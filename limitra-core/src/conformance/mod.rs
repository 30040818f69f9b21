//! A suite that any storage can be held against: the promises of [`Storage`], as far as they show
//! from outside.
//!
//! It decides thousands of attempts at instants of its own choosing, under keys that nobody else has, and
//! compares each answer with what the algorithms' steps come to. What no caller can provoke is left to a
//! storage's own tests: that records disappear (6), dropped futures (8), outages (9).
//!
//! ```
//! use limitra_core::{MemoryStorage, conformance};
//!
//! # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//! # let held = std::pin::pin!(conformance::check(MemoryStorage::new()));
//! # let std::task::Poll::Ready(held) = std::future::Future::poll(held, &mut context) else { panic!() };
//! // let held = conformance::check(MemoryStorage::new()).await;
//! assert!(held.is_ok());
//! ```

mod promises;
mod refunds;
mod traffic;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::StorageError;
use crate::storage::{AnyStorage, Storage};

/// A promise that a storage broke.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Its number in the documentation of [`Storage`].
    pub promise: u8,
    /// What was checked.
    pub sentence: &'static str,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "promise {} is broken: {}: {}", self.promise, self.sentence, self.found)
    }
}

impl std::error::Error for Violation {}

/// Holds a storage against every promise; costs some ten thousand decisions.
///
/// # Errors
/// Every [`Violation`] that was found.
pub async fn check(storage: impl Into<AnyStorage>) -> Result<(), Vec<Violation>> {
    let storage = storage.into().shared();
    let mut violations = Vec::new();
    for promise in promises::ALL {
        if let Err(Finding(found)) = (promise.check)(Arc::clone(&storage)).await {
            let (promise, sentence) = (promise.number, promise.sentence);
            violations.push(Violation { promise, sentence, found });
        }
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// One thing to hold a storage against.
struct Promise {
    number: u8,
    sentence: &'static str,
    check: fn(Arc<dyn Storage>) -> Checked,
}

type Checked = Pin<Box<dyn Future<Output = Result<(), Finding>> + Send>>;

/// What was found amiss.
struct Finding(String);

impl From<StorageError> for Finding {
    fn from(error: StorageError) -> Self {
        Self(format!("an error where a decision was possible: {error}"))
    }
}
