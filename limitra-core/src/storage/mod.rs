//! Storages run the algorithms' steps atomically on records.

mod bounds;
#[cfg(any(
    feature = "redis",
    feature = "memcached",
    feature = "mongodb",
    feature = "etcd",
    feature = "postgres"
))]
pub(crate) mod connections;
#[cfg(any(
    feature = "redis",
    feature = "memcached",
    feature = "mongodb",
    feature = "etcd",
    feature = "postgres"
))]
pub(crate) mod deadline;
pub(crate) mod deny_cache;
#[cfg(feature = "etcd")]
pub(crate) mod etcd;
#[cfg(any(
    feature = "redis",
    feature = "memcached",
    feature = "mongodb",
    feature = "etcd",
    feature = "postgres"
))]
pub(crate) mod key_prefix;
pub(crate) mod ladder;
#[cfg(feature = "memcached")]
pub(crate) mod memcached;
pub(crate) mod memory;
#[cfg(feature = "mongodb")]
pub(crate) mod mongodb;
pub(crate) mod options;
#[cfg(any(feature = "register", feature = "redis-cluster"))]
pub(crate) mod pause;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "redis")]
pub(crate) mod redis;
#[cfg(feature = "register")]
pub(crate) mod register;
mod schemes;
#[cfg(feature = "deadline")]
pub(crate) mod timers;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use crate::attempt::{Attempt, Outcome};
use crate::error::{StorageError, StorageErrorKind};
use crate::key::Key;
use crate::refund::Refund;
pub use bounds::Bounds;
use memory::MemoryStorage;
pub use options::StorageOptions;
pub use schemes::{from_url, register};
pub use url::{Host, StorageUrl};

/// Where records live and steps run.
///
/// Most users never implement this; those who do promise the following, which is what the
/// conformance suite (feature `conformance`) checks:
///
/// 1. `decide` applies every rule of every subject, as the algorithm's law has it, on records
///    that start empty.
/// 2. It is atomic: all rules of all subjects are charged, or none; racing calls admit exactly
///    what a sequence of them would.
/// 3. A refused hit writes nothing, but for the end of elastic expiry and the repair of a record
///    from the future. A peek writes nothing at all.
/// 4. [`Clock::At`](crate::Clock::At) decides at that instant; [`Clock::Storage`](crate::Clock::Storage)
///    at the storage's own clock, which several processes should share where that can be.
/// 5. Records of different keys never touch each other. A record holds entries of rules it was
///    not asked for until they expire.
/// 6. Every record disappears by itself some time after its last entry expired, and not before.
/// 7. `clear` removes one record and nothing else, and is fine with one that is not there.
/// 8. Dropping a future leaves each record as it was or as it should be. What may have run is
///    never run again.
/// 9. A failure is a [`StorageError`] within the storage's deadline, never a decision.
/// 10. `reset` removes every record that this storage wrote, by whatever process, and nothing else; it does not
///     keep the server from answering others.
/// 11. `decide_many` answers each attempt for itself, in their order; those on one key are decided in their order, and
///     what goes wrong with one is no error of another.
/// 12. `give_back` undoes what is left of a charge, in one step for all rules of all subjects, and only in the window, log entry or part
///     of a bucket that was charged, as their states after the charge name it; never more than is there. It charges and repairs
///     nothing, and leaves no record longer than it was to stay. If it is lost, the charge stays.
#[async_trait]
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// A short name for messages: `memory`, `redis`.
    fn name(&self) -> &'static str;

    /// Decides one attempt. See promises 1 to 6.
    ///
    /// # Errors
    /// [`StorageError`] if no decision could be had.
    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError>;

    /// Decides several attempts, each for itself, as if one after the other. See promise 11.
    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        let mut outcomes = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            outcomes.push(self.decide(attempt).await);
        }
        outcomes
    }

    /// Undoes what is left of a charge; whether anything was. See promise 12.
    ///
    /// [`Refund::apply`] does it to records that were loaded.
    ///
    /// # Errors
    /// [`StorageErrorKind::Unsupported`] if the storage cannot, as by default; [`StorageError`] if it is not known to have
    /// happened.
    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        let _ = refund;
        Err(StorageError::new(StorageErrorKind::Unsupported, self.name(), "give back"))
    }

    /// Removes the record of one key. See promise 7.
    ///
    /// # Errors
    /// [`StorageError`] if that is not known to have happened.
    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError>;

    /// Asks the storage whether it is there, and says why not.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be reached or would not answer.
    async fn ping(&self) -> Result<(), StorageError>;

    /// Whether the storage is there: [`Storage::ping`] as a health check that cannot fail.
    async fn check(&self) -> bool {
        self.ping().await.is_ok()
    }

    /// Removes every record, and returns how many there were. See promise 10.
    ///
    /// # Errors
    /// [`StorageErrorKind::Unsupported`] if the storage cannot list what it keeps, as by default;
    /// [`StorageError`] if not all are known to be gone.
    async fn reset(&self) -> Result<u64, StorageError> {
        Err(StorageError::new(StorageErrorKind::Unsupported, self.name(), "reset"))
    }

    /// Somebody has given up waiting for an answer to what was sent at `since`. Nothing that was to carry that answer should
    /// carry anything else: a storage with connections makes the next one anew, unless it has since. By default nothing
    /// happens. No I/O.
    fn suspect(&self, since: Instant) {
        let _ = since;
    }

    /// What it can carry; by default there is no bound.
    fn bounds(&self) -> Bounds {
        Bounds::default()
    }
}

/// Any storage, shared: what a limiter is built over.
///
/// Made by `into()` from a [`MemoryStorage`], a `RedisStorage`, or an `Arc` of your own [`Storage`].
///
/// ```
/// use limitra_core::{AnyStorage, MemoryStorage};
///
/// let storage: AnyStorage = MemoryStorage::new().into();
/// assert_eq!(storage.name(), "memory");
/// ```
#[derive(Clone)]
pub struct AnyStorage(Kind);

/// Memory decides at once, without a boxed future; everything else behind the trait.
#[derive(Clone)]
enum Kind {
    Memory(MemoryStorage),
    Shared(Arc<dyn Storage>),
}

impl AnyStorage {
    /// The storage's short name.
    pub fn name(&self) -> &'static str {
        match &self.0 {
            Kind::Memory(memory) => memory.name(),
            Kind::Shared(storage) => storage.name(),
        }
    }

    /// Whether the storage is there. Never an error; [`AnyStorage::ping`] says why not.
    pub async fn check(&self) -> bool {
        self.shared().check().await
    }

    /// Asks the storage whether it is there, and says why not.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be reached or would not answer.
    pub async fn ping(&self) -> Result<(), StorageError> {
        self.shared().ping().await
    }

    /// Removes every record of this storage and nothing else, and returns how many there were.
    ///
    /// # Errors
    /// [`StorageErrorKind::Unsupported`] if the storage cannot list what it keeps; [`StorageError`] if not all are
    /// known to be gone.
    pub async fn reset(&self) -> Result<u64, StorageError> {
        self.shared().reset().await
    }

    /// What it can carry.
    pub fn bounds(&self) -> Bounds {
        match &self.0 {
            Kind::Memory(_) => Bounds::default(),
            Kind::Shared(storage) => storage.bounds(),
        }
    }

    /// The memory storage, if this is one: it decides without waiting.
    pub(crate) fn memory(&self) -> Option<&MemoryStorage> {
        match &self.0 {
            Kind::Memory(memory) => Some(memory),
            Kind::Shared(_) => None,
        }
    }

    /// The storage behind the trait.
    pub fn shared(&self) -> Arc<dyn Storage> {
        match &self.0 {
            Kind::Memory(memory) => Arc::new(memory.clone()),
            Kind::Shared(storage) => Arc::clone(storage),
        }
    }

    /// Whether both are the same storage, not only alike.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Memory(one), Kind::Memory(other)) => one.is_same(other),
            (Kind::Shared(one), Kind::Shared(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl fmt::Debug for AnyStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Memory(memory) => memory.fmt(f),
            Kind::Shared(storage) => storage.fmt(f),
        }
    }
}

impl From<MemoryStorage> for AnyStorage {
    fn from(memory: MemoryStorage) -> Self {
        Self(Kind::Memory(memory))
    }
}

impl From<&MemoryStorage> for AnyStorage {
    fn from(memory: &MemoryStorage) -> Self {
        memory.clone().into()
    }
}

impl From<&AnyStorage> for AnyStorage {
    fn from(storage: &AnyStorage) -> Self {
        storage.clone()
    }
}

impl<S: Storage> From<Arc<S>> for AnyStorage {
    fn from(storage: Arc<S>) -> Self {
        Self(Kind::Shared(storage))
    }
}

impl From<Arc<dyn Storage>> for AnyStorage {
    fn from(storage: Arc<dyn Storage>) -> Self {
        Self(Kind::Shared(storage))
    }
}
