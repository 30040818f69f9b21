//! A layer over a storage: how long it takes.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use ::metrics::{Histogram, histogram};
use async_trait::async_trait;

use super::names;
use crate::attempt::{Attempt, Outcome};
use crate::error::StorageError;
use crate::key::Key;
use crate::refund::Refund;
use crate::storage::{AnyStorage, Bounds, Storage};

/// The histogram `limitra_storage_seconds` over any storage: how long it took to answer, to fail, or until nobody waited any
/// more (a deadline that passed).
///
/// [`LimitraConfig`](crate::LimitraConfig) puts it directly over the storage, below all other layers; by hand it is put over any
/// storage. Several decisions at once are one. Costs two reads of a clock. Clones share what they measure by.
///
/// ```
/// use limitra_core::{MemoryStorage, RateLimiter, Timed};
///
/// // In place of memory: a storage on a server.
/// let storage = Timed::over(MemoryStorage::new());
/// let limiter = RateLimiter::builder().requests(10).window(60).storage(&storage).build()?;
/// assert_eq!(limiter.config().backend, "memory");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct Timed {
    storage: Arc<dyn Storage>,
    seconds: Arc<OnceLock<Seconds>>,
}

struct Seconds {
    answered: Histogram,
    failed: Histogram,
    abandoned: Histogram,
}

/// A question under way.
struct Watch<'a> {
    seconds: &'a Seconds,
    since: Instant,
    result: Option<bool>,
}

impl Watch<'_> {
    /// Whether it was answered.
    fn end(mut self, is_answered: bool) {
        self.result = Some(is_answered);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let histogram = match self.result {
            Some(true) => &self.seconds.answered,
            Some(false) => &self.seconds.failed,
            None => &self.seconds.abandoned,
        };
        histogram.record(self.since.elapsed());
    }
}

impl Timed {
    /// Measures this storage. No I/O.
    pub fn over(storage: impl Into<AnyStorage>) -> Self {
        Self { storage: storage.into().shared(), seconds: Arc::default() }
    }

    fn watch(&self) -> Watch<'_> {
        let seconds = self.seconds.get_or_init(|| Seconds::of(self.storage.name()));
        Watch { seconds, since: Instant::now(), result: None }
    }
}

impl Seconds {
    fn of(storage: &'static str) -> Self {
        let one = |result: &'static str| histogram!(names::STORAGE_SECONDS, "storage" => storage, "result" => result);
        Self { answered: one("answered"), failed: one("failed"), abandoned: one("abandoned") }
    }
}

#[async_trait]
impl Storage for Timed {
    fn name(&self) -> &'static str {
        self.storage.name()
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let watch = self.watch();
        let answer = self.storage.decide(attempt).await;
        watch.end(answer.is_ok());
        answer
    }

    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        let watch = self.watch();
        let answers = self.storage.decide_many(attempts).await;
        watch.end(answers.iter().any(Result::is_ok));
        answers
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        let watch = self.watch();
        let answer = self.storage.give_back(refund).await;
        watch.end(answer.is_ok());
        answer
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.storage.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.storage.ping().await
    }

    async fn check(&self) -> bool {
        self.storage.check().await
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        self.storage.reset().await
    }

    fn suspect(&self, since: Instant) {
        self.storage.suspect(since);
    }

    fn bounds(&self) -> Bounds {
        self.storage.bounds()
    }
}

/// It shows as what it measures: it changes nothing of it.
impl fmt::Debug for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.storage.fmt(f)
    }
}

impl From<Timed> for AnyStorage {
    fn from(timed: Timed) -> Self {
        Self::from(Arc::new(timed))
    }
}

impl From<&Timed> for AnyStorage {
    fn from(timed: &Timed) -> Self {
        timed.clone().into()
    }
}
