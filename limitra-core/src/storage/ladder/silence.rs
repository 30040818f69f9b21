//! Storages that say nothing to callers who do not even wait for the deadline.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Id;

/// More runtimes than this are not remembered.
const REMEMBERED_RUNTIMES: usize = 1024;

/// Since when there was no answer, only callers who left: in each runtime, for connections belong to them.
///
/// One caller who leaves says nothing of a connection; clients leave all the time. If nobody is answered for as long as a
/// deadline, and some left meanwhile, a deadline would have passed had they stayed.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    /// Whether there is any: all that an answer usually reads.
    is_any: AtomicBool,
    since: Mutex<HashMap<Id, Instant>>,
}

impl Silence {
    /// There was an answer, or a deadline passed.
    pub(crate) fn end(&self, runtime: Id) {
        if self.is_any.load(Ordering::Acquire) {
            let mut since = self.lock();
            since.remove(&runtime);
            self.is_any.store(!since.is_empty(), Ordering::Release);
        }
    }

    /// Somebody left who had asked at `sent`. Since when there was no answer, if that is as long ago as the deadline: it is
    /// told once, and begins anew.
    pub(crate) fn left(&self, runtime: Id, sent: Instant, deadline: Duration) -> Option<Instant> {
        let mut since = self.lock();
        if since.len() >= REMEMBERED_RUNTIMES {
            since.clear();
        }
        let first = *since.entry(runtime).or_insert(sent);
        let is_over = first.elapsed() >= deadline;
        if is_over {
            since.remove(&runtime);
        }
        self.is_any.store(!since.is_empty(), Ordering::Release);
        is_over.then_some(first)
    }

    /// What is kept is whole whoever panicked.
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
