//! A layer over a storage: who is known to be refused is refused without asking it.

mod builder;
mod layer;
#[cfg(all(test, limitra_loom))]
mod models;
mod question;
mod refusal;
mod refusals;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use super::{AnyStorage, Bounds, Storage};
use crate::attempt::{Attempt, Outcome};
use crate::error::{StorageError, StorageErrorKind};
use crate::key::Key;
use crate::refund::Refund;

pub use builder::DenyCacheBuilder;
use layer::{Layer, Passing};

/// A layer over any storage: an identifier that is known to be refused is refused without asking the storage.
///
/// Of a refused hit it keeps the answer until the earlier of its `retry_after`, counted from the instant at which the
/// request was sent, and `max_age` (default: 1 s). Until then it answers the same question by itself, without a command: the same key and
/// rules at no lower cost (with a moving window among the rules at the same cost). Only time makes room, so nobody is refused who would be allowed, and who waits what is told is
/// allowed; `retry_after` is told as of the refusal, at most the round trip of that request too long. What this layer does not
/// see may go unseen for `max_age`: a reset or a flush from elsewhere, a server's clock that is set. What passes through it is seen at once.
///
/// Everything else goes to the storage: tests, costs below, other rules, several subjects, rules with elastic expiry (a
/// refusal counts there), decisions by a [`ManualClock`](crate::ManualClock).
///
/// It keeps at most `max_keys` refusals (default: 10,000), some 240 bytes each with one limit and 40 more for each
/// further one. Those that ended go as new ones come; when it is full, the nearest to its end goes (each of its shards
/// has a part of the room). No thread, no task; a lock of one shard and a hash of the key for each hit, no allocation
/// for one limit. A key is found by a 128-bit digest, seeded at random; nothing of an identifier is kept.
///
/// Over memory it is allowed, but of no use: memory decides faster than this layer looks up.
///
/// Clones share the same refusals.
///
/// ```
/// use limitra_core::{DenyCache, MemoryStorage, RateLimiter};
/// use std::time::{Duration, Instant};
///
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// // In place of memory: `RedisStorage::from_url("redis://127.0.0.1/")?`.
/// let cache = DenyCache::over(MemoryStorage::new()).max_age(Duration::from_secs(2)).build()?;
/// let limiter = RateLimiter::builder().algorithm("gcra").requests(1).window(60).storage(&cache).build()?;
/// # let mut allow = || {
/// #     let asked = std::pin::pin!(limiter.allow_request("ada"));
/// #     let std::task::Poll::Ready(allowed) = std::future::Future::poll(asked, &mut context) else { panic!() };
/// #     allowed.unwrap()
/// # };
/// // let mut allow = || limiter.allow_request("ada").await?;
/// assert!(allow());
/// assert!(!allow());
/// assert_eq!(cache.hits(), 0);
/// assert!(!allow());
/// assert_eq!(cache.hits(), 1);
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct DenyCache {
    layer: Arc<Layer>,
}

impl DenyCache {
    /// Starts a layer over this storage.
    pub fn over(storage: impl Into<AnyStorage>) -> DenyCacheBuilder {
        DenyCacheBuilder::new(storage.into())
    }

    /// How many decisions it answered without asking the storage.
    pub fn hits(&self) -> u64 {
        self.layer.hits()
    }

    /// How many refusals it keeps, those that have ended and not gone yet included.
    pub fn len(&self) -> usize {
        self.layer.len()
    }

    /// Whether it keeps none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[async_trait]
impl Storage for DenyCache {
    fn name(&self) -> &'static str {
        self.layer.storage().name()
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let passing = match self.layer.ask(attempt) {
            Ok(outcome) => return Ok(outcome),
            Err(passing) => passing,
        };
        let answer = self.layer.storage().decide(attempt).await;
        passing.end(&answer);
        answer
    }

    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        let asked: Vec<Result<Outcome, Passing<'_>>> =
            attempts.iter().map(|attempt| self.layer.ask(attempt)).collect();
        let passed: Vec<Attempt<'_>> = attempts
            .iter()
            .zip(&asked)
            .filter(|(_, asked)| asked.is_err())
            .map(|(attempt, _)| attempt.clone())
            .collect();
        let answers =
            if passed.is_empty() { Vec::new() } else { self.layer.storage().decide_many(&passed).await };
        let mut answers = answers.into_iter();
        let malformed = || StorageError::new(StorageErrorKind::Malformed, self.name(), "decide");
        let answer = |asked: Result<Outcome, Passing<'_>>| match asked {
            Ok(outcome) => Ok(outcome),
            Err(passing) => {
                let answer = answers.next().unwrap_or_else(|| Err(malformed()));
                passing.end(&answer);
                answer
            }
        };
        asked.into_iter().map(answer).collect()
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        let _removals: Vec<_> =
            refund.subjects.iter().map(|subject| self.layer.removal(Some(subject.key))).collect();
        self.layer.storage().give_back(refund).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        let _removal = self.layer.removal(Some(key));
        self.layer.storage().clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.layer.storage().ping().await
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        let _removal = self.layer.removal(None);
        self.layer.storage().reset().await
    }

    fn suspect(&self, since: Instant) {
        self.layer.storage().suspect(since);
    }

    fn bounds(&self) -> Bounds {
        self.layer.storage().bounds()
    }
}

impl fmt::Debug for DenyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DenyCache")
            .field("storage", self.layer.storage())
            .field("max_age", &self.layer.max_age())
            .field("len", &self.len())
            .field("hits", &self.hits())
            .finish_non_exhaustive()
    }
}

impl From<DenyCache> for AnyStorage {
    fn from(cache: DenyCache) -> Self {
        Self::from(Arc::new(cache))
    }
}

impl From<&DenyCache> for AnyStorage {
    fn from(cache: &DenyCache) -> Self {
        cache.clone().into()
    }
}

#[cfg(test)]
mod tests;
