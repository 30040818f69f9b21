//! A layer over a storage: every decision ends in time.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::runtime::{Handle, Id};

use super::silence::Silence;
use crate::attempt::{Attempt, Outcome};
use crate::error::{ConfigurationError, StorageError, StorageErrorKind};
use crate::key::Key;
use crate::refund::Refund;
use crate::storage::{AnyStorage, Bounds, Storage, timers};

/// A deadline over any storage: a decision that has no answer by then, connecting included, is a
/// [`StorageErrorKind::Timeout`].
///
/// Whether it was decided all the same is unknown then, and it is never sent again. Each caller waits for the deadline
/// at most, whatever the number of callers. It holds for decisions, [`Storage::clear`] and [`Storage::ping`]; several
/// decisions at once have one deadline together. [`Storage::reset`], which may walk over a whole server, has none.
///
/// Callers who leave before it is over are told nothing. If nobody is answered for as long as it and they keep leaving, the
/// connection is made anew as if it had passed.
///
/// It waits by tokio's timer. Outside a tokio runtime there is no deadline but the storage's own (those of this crate
/// answer [`StorageErrorKind::NoRuntime`] there); in one without timers, which tokio cannot be asked about, the answer is
/// that error too. Costs one timer for each decision. Clones share what they count.
///
/// ```
/// use limitra_core::{Deadline, MemoryStorage, RateLimiter};
/// use std::time::Duration;
///
/// // In place of memory: a storage on a server.
/// let storage = Deadline::over(MemoryStorage::new(), Duration::from_millis(100))?;
/// let limiter = RateLimiter::builder().requests(10).window(60).storage(&storage).build()?;
/// assert_eq!(storage.missed(), 0);
/// assert!(Deadline::over(MemoryStorage::new(), Duration::ZERO).is_err());
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct Deadline {
    storage: Arc<dyn Storage>,
    within: Duration,
    missed: Arc<AtomicU64>,
    silence: Arc<Silence>,
}

/// A question under way.
struct Waiting<'a> {
    deadline: &'a Deadline,
    runtime: Id,
    sent: Instant,
    is_over: bool,
}

impl Waiting<'_> {
    /// There is an answer, or there will be none in time.
    fn end(mut self) {
        self.is_over = true;
        self.deadline.silence.end(self.runtime);
    }
}

impl Drop for Waiting<'_> {
    /// Nobody waits for the answer any more.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let Deadline { storage, within, silence, .. } = self.deadline;
        if let Some(since) = silence.left(self.runtime, self.sent, *within) {
            storage.suspect(since);
        }
    }
}

impl Deadline {
    /// What [`LimitraConfig`](crate::LimitraConfig) sets where nothing is said: 250 ms.
    pub const DEFAULT: Duration = Duration::from_millis(250);

    /// A deadline over this storage. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if it is zero.
    pub fn over(storage: impl Into<AnyStorage>, within: Duration) -> Result<Self, ConfigurationError> {
        if within.is_zero() {
            return Err(ConfigurationError::ZeroDeadline { what: "deadline" });
        }
        Ok(Self { storage: storage.into().shared(), within, missed: Arc::default(), silence: Arc::default() })
    }

    /// How many questions had no answer in time; several at once count as one.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    async fn within<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = T>,
    ) -> Result<T, StorageError> {
        // Nobody can wait by a clock outside of tokio; whoever needs a runtime says so.
        let Ok(runtime) = Handle::try_current() else { return Ok(answer.await) };
        let timed = timers::within(self.within, answer);
        let timed = timed.ok_or_else(|| timers::missing(self.storage.name(), operation))?;
        let (sent, runtime) = (Instant::now(), runtime.id());
        let waiting = Waiting { deadline: self, runtime, sent, is_over: false };
        let answered = timed.await;
        waiting.end();
        answered.map_err(|_| {
            self.storage.suspect(sent);
            self.missed.fetch_add(1, Ordering::Relaxed);
            StorageError::new(StorageErrorKind::Timeout, self.storage.name(), operation)
        })
    }
}

#[async_trait]
impl Storage for Deadline {
    fn name(&self) -> &'static str {
        self.storage.name()
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        self.within("decide", self.storage.decide(attempt)).await?
    }

    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        match self.within("decide", self.storage.decide_many(attempts)).await {
            Ok(answers) => answers,
            Err(error) => attempts.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        self.within("give back", self.storage.give_back(refund)).await?
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.within("clear", self.storage.clear(key)).await?
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.within("ping", self.storage.ping()).await?
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

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline")
            .field("storage", &self.storage)
            .field("within", &self.within)
            .field("missed", &self.missed())
            .finish_non_exhaustive()
    }
}

impl From<Deadline> for AnyStorage {
    fn from(deadline: Deadline) -> Self {
        Self::from(Arc::new(deadline))
    }
}

impl From<&Deadline> for AnyStorage {
    fn from(deadline: &Deadline) -> Self {
        deadline.clone().into()
    }
}
