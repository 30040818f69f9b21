//! A layer over a storage: a bound on how many decisions wait for it at once.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use crate::attempt::{Attempt, Outcome};
use crate::error::{ConfigurationError, StorageError, StorageErrorKind};
use crate::key::Key;
use crate::measured::{self, InFlightGauge};
use crate::outage::{Event, Telemetry};
use crate::refund::Refund;
use crate::storage::{AnyStorage, Bounds, Storage};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// A bound over any storage on how many decisions wait for it at once: those beyond it are a
/// [`StorageErrorKind::Overloaded`] at once, and nothing is queued.
///
/// So a storage that hangs cannot pile up memory or commands, whatever the traffic. Of several decisions at once each
/// counts, and as many are asked as there is room for, the first ones. [`Storage::ping`] and [`Storage::reset`] pass by.
///
/// Costs two atomic additions for each decision. Clones share the count.
///
/// ```
/// use limitra_core::{InFlight, MemoryStorage, RateLimiter};
///
/// // In place of memory: a storage on a server.
/// let storage = InFlight::over(MemoryStorage::new(), 1000)?;
/// let limiter = RateLimiter::builder().requests(10).window(60).storage(&storage).build()?;
/// assert_eq!((storage.in_flight(), storage.refused()), (0, 0));
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct InFlight {
    storage: Arc<dyn Storage>,
    most: usize,
    count: Arc<Count>,
    telemetry: Telemetry,
}

#[derive(Default)]
struct Count {
    under_way: AtomicUsize,
    refused: AtomicU64,
    /// Whether somebody was told that there is no room, until half of it is free again.
    is_full: AtomicBool,
    measured: InFlightGauge,
}

impl InFlight {
    /// What [`LimitraConfig`](crate::LimitraConfig) sets where nothing is said: 10,000, some tens of megabytes.
    pub const DEFAULT: usize = 10_000;

    /// At most `most` decisions wait for this storage at once. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if that is 0.
    pub fn over(storage: impl Into<AnyStorage>, most: usize) -> Result<Self, ConfigurationError> {
        Self::telling(storage.into(), most, Telemetry::default())
    }

    /// Calls this with every [`Event`] of this layer, whichever clone meets it; instead of what was said before.
    /// See [`LimitraConfig::on_event`](crate::LimitraConfig::on_event).
    pub fn on_event(self, hook: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.telemetry.listen(hook);
        self
    }

    /// The same, telling what happens.
    #[allow(clippy::needless_pass_by_value)] // As it was given.
    pub(crate) fn telling(
        storage: AnyStorage,
        most: usize,
        telemetry: Telemetry,
    ) -> Result<Self, ConfigurationError> {
        if most == 0 {
            return Err(ConfigurationError::ZeroInFlight);
        }
        Ok(Self { storage: storage.shared(), most, count: Arc::default(), telemetry })
    }

    /// How many decisions wait for the storage now.
    pub fn in_flight(&self) -> usize {
        self.count.under_way.load(Ordering::Relaxed)
    }

    /// How many decisions there was no room for.
    pub fn refused(&self) -> u64 {
        self.count.refused.load(Ordering::Relaxed)
    }

    /// Room for as many of these as there is, at least one.
    fn enter(&self, wanted: usize, operation: &'static str) -> Result<Room<'_>, StorageError> {
        let mut found = 0;
        let take = |under_way: usize| {
            found = wanted.min(self.most.saturating_sub(under_way));
            (found > 0).then(|| under_way.saturating_add(found))
        };
        let taken = self.count.under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        let storage = self.storage.name();
        // Before anybody is told: a hook that panics must not keep the places.
        let room = taken.then(|| Room { count: &self.count, storage, places: found, most: self.most });
        if taken {
            self.count.measured.add(storage, found);
        }
        if found < wanted {
            self.refuse(wanted - found);
        }
        room.ok_or_else(|| self.error(operation))
    }

    fn refuse(&self, count: usize) {
        let (storage, most) = (self.storage.name(), self.most);
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.count.refused.fetch_add(count, Ordering::Relaxed);
        measured::overloaded(storage, count);
        if !self.count.is_full.swap(true, Ordering::Relaxed) {
            self.telemetry.tell(&Event::Overloaded { storage, max_in_flight: most });
        }
    }

    fn error(&self, operation: &'static str) -> StorageError {
        StorageError::new(StorageErrorKind::Overloaded, self.storage.name(), operation)
    }
}

/// Places among those that may wait, given back when it is dropped.
struct Room<'a> {
    count: &'a Count,
    storage: &'static str,
    places: usize,
    most: usize,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.count.measured.subtract(self.storage, self.places);
        let before = self.count.under_way.fetch_sub(self.places, Ordering::Relaxed);
        if self.count.is_full.load(Ordering::Relaxed) && before.saturating_sub(self.places) <= self.most / 2 {
            self.count.is_full.store(false, Ordering::Relaxed);
        }
    }
}

#[async_trait]
impl Storage for InFlight {
    fn name(&self) -> &'static str {
        self.storage.name()
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let _room = self.enter(1, "decide")?;
        self.storage.decide(attempt).await
    }

    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        if attempts.is_empty() {
            return Vec::new();
        }
        let refused = |count: usize| (0..count).map(|_| Err(self.error("decide")));
        let Ok(room) = self.enter(attempts.len(), "decide") else {
            return refused(attempts.len()).collect();
        };
        let asked = attempts.get(..room.places).unwrap_or(attempts);
        let mut answers = self.storage.decide_many(asked).await;
        // What the storage left out is its own mistake, and no reason to tell the next ones a wrong answer.
        answers.resize_with(asked.len(), || {
            Err(StorageError::new(StorageErrorKind::Malformed, self.storage.name(), "decide"))
        });
        answers.extend(refused(attempts.len() - asked.len()));
        answers
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        let _room = self.enter(1, "give back")?;
        self.storage.give_back(refund).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        let _room = self.enter(1, "clear")?;
        self.storage.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.storage.ping().await
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

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight")
            .field("storage", &self.storage)
            .field("most", &self.most)
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

impl From<InFlight> for AnyStorage {
    fn from(layer: InFlight) -> Self {
        Self::from(Arc::new(layer))
    }
}

impl From<&InFlight> for AnyStorage {
    fn from(layer: &InFlight) -> Self {
        layer.clone().into()
    }
}
