//! Waiting by tokio's timer.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::time::Timeout;

use crate::error::{StorageError, StorageErrorKind};

/// The runtime has no timers, and nothing was asked.
#[derive(Debug)]
pub(crate) struct NoTimers;

impl NoTimers {
    /// The same as a storage's error.
    pub(crate) fn error(self, storage: &'static str, operation: &'static str) -> StorageError {
        let remedy = "the runtime has no timers: say `enable_time()` or `enable_all()` to its builder";
        StorageError::new(StorageErrorKind::NoRuntime, storage, operation).with_source(remedy)
    }
}

/// An answer, waited for so long: within a tokio runtime. Where that has no timers tokio panics, and there is no way to
/// ask before.
pub(crate) fn within<F: Future>(most: Duration, answer: F) -> Result<Timeout<F>, NoTimers> {
    catch_unwind(AssertUnwindSafe(|| tokio::time::timeout(most, answer))).map_err(|_| NoTimers)
}
