//! A layer over a storage: what it cannot decide is decided by a share of each limit, in a storage of this process.

#[cfg(all(test, limitra_loom))]
mod models;
mod owed;
mod reconcile;
mod untold;

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;

use crate::attempt::{Attempt, Mode, Outcome, Subject};
use crate::error::{ConfigurationError, StorageError};
use crate::key::Key;
use crate::measured;
use crate::outage::{Event, Telemetry};
use crate::refund::Refund;
use crate::storage::{AnyStorage, Bounds, Storage};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use owed::Owed;
use untold::Untold;

/// A local share over any storage: while that cannot decide, a fallback in this process does, by a part of each limit, and
/// what it admitted is charged to the storage afterwards.
///
/// With `replicas` processes each has `amount / replicas` (and `burst / replicas`) of a limit, rounded up, at least 1. So all of
/// them together admit at most the limit rounded up to a multiple of `replicas` in an outage, beside what the storage had admitted
/// before. A cost above the share cannot be decided here: the caller gets the storage's error.
///
/// # When the storage is back
///
/// What the share admitted is charged to the storage, for each key and each of its rules: as much as still counts by
/// the share's own rule (an hour later nothing of a minute's limit does), and as the storage has left. That happens within the
/// decisions of callers, without a task: one on a key that owes asks the storage for what is left, charges, and
/// then decides; with it go up to 16 other keys that owe. Others that decide on the same key in that one round trip do not see the
/// charge yet.
///
/// * A charge whose outcome is unknown, or that the storage refuses, is dropped: nothing is charged twice. One that was not even
///   sent is kept.
/// * A hit that the storage did not answer, and may have counted, is admitted by the share and charged all the same: an outage
///   may count a hit twice, and admits none for it.
/// * At most 100,000 keys owe at once, some 200 bytes and the key each; what further ones admit is not charged.
///
/// A decision by the share says so ([`Outcome::local_share`], [`Decision::is_degraded`](crate::Decision::is_degraded)), and its
/// figures are those of the share. Its instants are the fallback's.
///
/// Clones share everything.
///
/// ```
/// use limitra_core::{LocalShare, MemoryStorage, RateLimiter};
///
/// // In place of the first memory: a storage on a server.
/// let storage = LocalShare::over(MemoryStorage::new(), MemoryStorage::new(), 4)?;
/// let limiter = RateLimiter::builder().requests(10).window(60).storage(&storage).build()?;
/// assert_eq!((storage.decided(), storage.owing()), (0, 0));
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct LocalShare {
    shared: Arc<Shared>,
}

struct Shared {
    storage: Arc<dyn Storage>,
    fallback: Arc<dyn Storage>,
    replicas: NonZeroU32,
    owed: Owed,
    /// Whether a decision takes keys along that are not its own.
    takes_along: AtomicBool,
    telemetry: Telemetry,
    /// Why the share decided, the latest time.
    why: Mutex<Option<Arc<StorageError>>>,
    decided: AtomicU64,
    reconciled: AtomicU64,
    untold: Untold,
    dropped: AtomicU64,
}

impl LocalShare {
    /// A share of one of `replicas` over this storage, decided in `fallback`: a [`MemoryStorage`](crate::MemoryStorage). No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if `replicas` is 0.
    pub fn over(
        storage: impl Into<AnyStorage>,
        fallback: impl Into<AnyStorage>,
        replicas: u32,
    ) -> Result<Self, ConfigurationError> {
        let replicas = NonZeroU32::new(replicas).ok_or(ConfigurationError::ZeroReplicas)?;
        Ok(Self::telling(&storage.into(), &fallback.into(), replicas, Telemetry::default()))
    }

    /// Calls this with every [`Event`] of this layer, whichever clone meets it; instead of what was said before.
    /// See [`LimitraConfig::on_event`](crate::LimitraConfig::on_event).
    pub fn on_event(self, hook: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.shared.telemetry.listen(hook);
        self
    }

    /// The same, telling what happens.
    pub(crate) fn telling(
        storage: &AnyStorage,
        fallback: &AnyStorage,
        replicas: NonZeroU32,
        telemetry: Telemetry,
    ) -> Self {
        let shared = Shared {
            storage: storage.shared(),
            fallback: fallback.shared(),
            replicas,
            owed: Owed::default(),
            takes_along: AtomicBool::new(false),
            telemetry,
            why: Mutex::new(None),
            decided: AtomicU64::new(0),
            reconciled: AtomicU64::new(0),
            untold: Untold::default(),
            dropped: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many decisions the share made.
    pub fn decided(&self) -> u64 {
        self.shared.decided.load(Ordering::Relaxed)
    }

    /// How many keys owe what the share admitted to them.
    pub fn owing(&self) -> usize {
        self.shared.owed.len()
    }

    /// How many units were charged to the storage, for each rule of a key.
    pub fn reconciled(&self) -> u64 {
        self.shared.reconciled.load(Ordering::Relaxed)
    }

    /// Of how many keys a charge was dropped: its outcome is unknown, the storage refused it, or too many keys owed.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Charges everything that is owed, as far as the storage answers; how many keys owe then. Callers do this by and by
    /// with their decisions: this is for a process that ends, and for tests.
    pub async fn reconcile(&self) -> usize {
        self.shared.settle_all().await;
        self.owing()
    }

    /// Why the share decided, the latest time.
    pub(crate) fn why(&self) -> Option<Arc<StorageError>> {
        self.shared.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Shared {
    /// Decides in the storage's place; `error` is why.
    async fn fall_back(&self, attempt: &Attempt<'_>, error: StorageError) -> Result<Outcome, StorageError> {
        let subjects: Vec<Subject<'_>> =
            attempt.subjects.iter().map(|subject| self.share_of(subject)).collect();
        let is_above =
            |subject: &Subject<'_>| subject.rules.iter().any(|rule| rule.limit().capacity() < subject.cost);
        if subjects.iter().any(is_above) {
            return Err(error);
        }
        let share = Attempt { subjects: &subjects, ..*attempt };
        let Ok(mut outcome) = self.fallback.decide(&share).await else { return Err(error) };
        if attempt.mode == Mode::Hit && outcome.is_allowed() {
            let unnoted = self.owed.note(attempt);
            self.drop_keys(unnoted);
            measured::owing(self.storage.name(), self.owed.len());
        }
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(error));
        self.decided.fetch_add(1, Ordering::Relaxed);
        outcome.local_share = Some(self.replicas);
        Ok(outcome)
    }

    /// Of so many keys something is never charged.
    fn drop_keys(&self, count: u64) {
        if count > 0 {
            self.dropped.fetch_add(count, Ordering::Relaxed);
            measured::reconciled(self.storage.name(), 0, count);
        }
    }

    /// The same subject by its share of the limits.
    fn share_of<'a>(&self, subject: &Subject<'a>) -> Subject<'a> {
        let rules = subject.rules.iter().map(|rule| rule.share(self.replicas)).collect();
        Subject { rules: Cow::Owned(rules), ..subject.clone() }
    }
}

#[async_trait]
impl Storage for LocalShare {
    fn name(&self) -> &'static str {
        self.shared.storage.name()
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let shared = &*self.shared;
        if let Some(error) = shared.settle_before(slice::from_ref(attempt)).await.of(attempt) {
            return shared.fall_back(attempt, error).await;
        }
        match shared.storage.decide(attempt).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => shared.fall_back(attempt, error).await,
        }
    }

    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        let shared = &*self.shared;
        let silent = shared.settle_before(attempts).await;
        let known: Vec<Option<StorageError>> = attempts.iter().map(|attempt| silent.of(attempt)).collect();
        let asked: Vec<Attempt<'_>> = attempts
            .iter()
            .zip(&known)
            .filter(|(_, error)| error.is_none())
            .map(|(attempt, _)| attempt.clone())
            .collect();
        let mut answers =
            if asked.is_empty() { Vec::new() } else { shared.storage.decide_many(&asked).await }.into_iter();
        let mut decided = Vec::with_capacity(attempts.len());
        for (attempt, known) in attempts.iter().zip(known) {
            let answer = match known {
                Some(error) => Err(error),
                None => answers.next().unwrap_or_else(|| Err(shared.malformed())),
            };
            decided.push(match answer {
                Ok(outcome) => Ok(outcome),
                Err(error) => shared.fall_back(attempt, error).await,
            });
        }
        decided
    }

    /// What the share decided is not charged to the storage, so there is nothing to be given back there; what the storage charged it
    /// alone knows.
    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        self.shared.storage.give_back(refund).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.shared.owed.forget(&key.text());
        self.shared.fallback.clear(key).await?;
        self.shared.storage.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.shared.storage.ping().await
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        self.shared.owed.forget_all();
        self.shared.fallback.reset().await?;
        self.shared.storage.reset().await
    }

    fn suspect(&self, since: Instant) {
        self.shared.storage.suspect(since);
    }

    fn bounds(&self) -> Bounds {
        self.shared.storage.bounds()
    }
}

impl fmt::Debug for LocalShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalShare")
            .field("storage", &self.shared.storage)
            .field("replicas", &self.shared.replicas)
            .field("decided", &self.decided())
            .field("owing", &self.owing())
            .finish_non_exhaustive()
    }
}

impl From<LocalShare> for AnyStorage {
    fn from(share: LocalShare) -> Self {
        Self::from(Arc::new(share))
    }
}

impl From<&LocalShare> for AnyStorage {
    fn from(share: &LocalShare) -> Self {
        share.clone().into()
    }
}
