//! Waiting by tokio's timer.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::time::Timeout;

use crate::error::{StorageError, StorageErrorKind};

/// An answer, waited for so long: within a tokio runtime. `None`, and nothing asked, where that has no timers: tokio panics
/// then, and there is no way to ask before.
pub(crate) fn within<F: Future>(most: Duration, answer: F) -> Option<Timeout<F>> {
    catch_unwind(AssertUnwindSafe(|| tokio::time::timeout(most, answer))).ok()
}

/// There are none: an error of `storage` in `operation`.
pub(crate) fn missing(storage: &'static str, operation: &'static str) -> StorageError {
    let remedy = "the runtime has no timers: say `enable_time()` or `enable_all()` to its builder";
    StorageError::new(StorageErrorKind::NoRuntime, storage, operation).with_source(remedy)
}
