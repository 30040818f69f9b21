//! The embedded storage: sharded, bounded, without a thread of its own.

mod builder;
mod class;
mod clock;
mod fingerprint;
mod lookahead;
#[cfg(all(test, limitra_loom))]
mod models;
mod queue;
mod records;
mod shard;
mod single;
mod table;
mod word;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::attempt::{Attempt, Outcome, RuleOutcome};
use crate::error::{ConfigurationError, StorageError, StorageErrorKind};
use crate::key::Key;
use crate::refund::Refund;
use crate::storage::Storage;
use crate::time::{Clock, Micros};
use builder::DEFAULT_MAX_KEYS;
pub use builder::MemoryStorageBuilder;
use class::Classes;
use clock::OwnClock;
use fingerprint::{Fingerprint, Seeds};
pub(crate) use lookahead::Lookahead;
use shard::{Locked, Shard};
pub(crate) use single::{Charged, Prepared, Single};

/// The most keys of a shard: its table doubles at once, and shares one lock for what is new. A shard of many fewer would
/// make the bound a matter of luck.
const KEYS_OF_A_SHARD: usize = 8192;
/// As many as the fingerprint's bits for them can name.
const MOST_SHARDS: usize = 1 << 16;

/// The embedded storage: decides at once, in this process, without a server.
///
/// Clones share the same records. Records are found by a 128-bit fingerprint of their key (two independent hashes, foldhash,
/// seeded at random for each storage): the odds that any two of a million keys share a counter are about 10<sup>-27</sup>,
/// n<sup>2</sup> / 2<sup>129</sup> for n keys. Nothing of an identifier is kept.
///
/// What has a single rule of the bucket family (token bucket, leaky bucket, GCRA) is kept in 24 bytes, 34 to 70 with the room that a
/// table needs, and decided by one compare-and-swap without a lock; a refusal writes nothing at all. Other algorithms,
/// several rules, and rates whose emission interval is no multiple of 1/256 µs are records behind one of
/// many locks. The storage chooses, and changes the form where other rules are asked for the same key; nobody can tell
/// but by the clock.
///
/// It holds at most `max_keys` records (default: 1,000,000; each shard its part). Every new
/// key sweeps a few old ones, so expired records go without a thread and without a pause; a
/// process that stands idle may call [`MemoryStorage::sweep`]. When it is full, expired records go first,
/// then those from which there is still something to be had, the nearest expiry first. A live
/// exceeded record is never forgotten in favour of a new key: when there are only such, a new key
/// gets a [`StorageErrorKind::Full`] error.
///
/// A single-rule decision on an existing key allocates nothing, the moving window's log aside.
/// Its clock is the process's: it starts at the system's time and then runs with the processor's steady counter, so it
/// never goes back; [`MemoryStorage::builder`] has others.
///
/// ```
/// use limitra_core::{MemoryStorage, RateLimiter};
///
/// let storage = MemoryStorage::with_max_keys(100_000)?;
/// let limiter = RateLimiter::builder().requests(5).window(60).storage(&storage).build()?;
/// assert!(storage.is_empty());
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct MemoryStorage {
    inner: Arc<Inner>,
}

struct Inner {
    shards: Shards,
    seeds: Seeds,
    classes: Classes,
    clock: OwnClock,
    max_keys: usize,
}

impl MemoryStorage {
    /// An empty storage of at most 1,000,000 keys.
    pub fn new() -> Self {
        Self::of(DEFAULT_MAX_KEYS, OwnClock::precise())
    }

    /// An empty storage of at most `max_keys` keys.
    ///
    /// # Errors
    /// [`ConfigurationError`] if that is 0.
    pub fn with_max_keys(max_keys: usize) -> Result<Self, ConfigurationError> {
        Self::builder().max_keys(max_keys).build()
    }

    /// The settings of a storage.
    pub fn builder() -> MemoryStorageBuilder {
        MemoryStorageBuilder::new()
    }

    fn of(max_keys: usize, clock: OwnClock) -> Self {
        let count = max_keys.div_ceil(KEYS_OF_A_SHARD).clamp(1, MOST_SHARDS);
        // What is left over by the division goes to the first shards, a key each.
        let keys_of = |shard: usize| max_keys / count + usize::from(shard < max_keys % count);
        let shards = Shards((0..count).map(|shard| Shard::new(keys_of(shard))).collect());
        let (seeds, classes) = (Seeds::random(), Classes::new());
        Self { inner: Arc::new(Inner { shards, seeds, classes, clock, max_keys }) }
    }

    /// How many records it holds, expired ones that were not swept yet included.
    pub fn len(&self) -> usize {
        self.all_locked().map(|shard| shard.len()).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many records it may hold.
    pub fn max_keys(&self) -> usize {
        self.inner.max_keys
    }

    /// Forgets every expired record now and gives memory back, but for the table of buckets, which keeps its size; returns
    /// how many went.
    ///
    /// Only for processes that stand idle: one that is used sweeps as it goes. What has expired is told by the
    /// storage's own clock, not by a [`ManualClock`](crate::ManualClock). Each shard (at most
    /// some thousand records) is locked for itself.
    pub fn sweep(&self) -> usize {
        let now = self.inner.clock.now();
        self.all_locked().map(|mut shard| shard.sweep_all(now)).sum()
    }

    /// Forgets every record; returns how many there were, expired ones that were not swept yet included.
    pub fn reset(&self) -> usize {
        self.all_locked().map(|mut shard| shard.reset()).sum()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Decides one attempt. It never waits for anything but another decision on the same shard.
    pub(crate) fn decide_now(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        match attempt.subjects {
            [subject] => match (&*subject.rules, attempt.clock) {
                ([rule], Clock::Storage) if subject.cost > 0 => {
                    let single = self.decide_single(subject.key, rule, subject.cost, attempt.mode)?;
                    let rules = [RuleOutcome { allowed: single.allowed, state: single.state }];
                    Ok(Outcome::new(single.now, rules.into()))
                }
                _ => self.decide_one(attempt, subject, self.fingerprint(subject.key)),
            },
            subjects => self.decide_all(attempt, subjects),
        }
    }

    /// Decides several, in their order.
    pub(crate) fn decide_many_now(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        attempts.iter().map(|attempt| self.decide_now(attempt)).collect()
    }

    pub(crate) fn clear_now(&self, key: Key<'_>) {
        let fingerprint = self.fingerprint(key);
        self.lock(self.shard_of(fingerprint)).remove(fingerprint);
    }

    fn all_locked(&self) -> impl Iterator<Item = Locked<'_>> {
        self.inner.shards.0.iter().map(|shard| self.lock(shard))
    }

    fn lock<'a>(&'a self, shard: &'a Shard) -> Locked<'a> {
        shard.lock(&self.inner.classes, &self.inner.clock)
    }

    fn shard_of(&self, fingerprint: Fingerprint) -> &Shard {
        self.inner.shards.of(fingerprint)
    }

    fn shard_index(&self, fingerprint: Fingerprint) -> usize {
        self.inner.shards.index(fingerprint)
    }

    #[inline]
    fn fingerprint(&self, key: Key<'_>) -> Fingerprint {
        self.inner.seeds.fingerprint(key)
    }

    fn instant(&self, clock: Clock) -> Micros {
        match clock {
            Clock::Storage => self.inner.clock.now(),
            Clock::At(instant) => instant,
        }
    }
}

/// The shards of a storage; clones are the same ones.
#[derive(Clone, Debug)]
struct Shards(Arc<[Shard]>);

impl Shards {
    /// That of a key.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    #[allow(clippy::indexing_slicing)] // The index is within the shards.
    fn of(&self, fingerprint: Fingerprint) -> &Shard {
        &self.0[self.index(fingerprint)]
    }

    #[inline]
    fn index(&self, fingerprint: Fingerprint) -> usize {
        // A number below 2^32, times the count, over 2^32: below the count.
        let count = u64::try_from(self.0.len()).unwrap_or_default();
        usize::try_from(((fingerprint.high >> 32) * count) >> 32).unwrap_or_default()
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage")
            .field("keys", &self.len())
            .field("max_keys", &self.inner.max_keys)
            .field("clock", &self.inner.clock)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        self.decide_now(attempt)
    }

    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        self.decide_many_now(attempts)
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        Ok(self.give_back_now(refund))
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.clear_now(key);
        Ok(())
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Ok(())
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        Ok(u64::try_from(self.reset()).unwrap_or(u64::MAX))
    }
}

fn full() -> StorageError {
    StorageError::new(StorageErrorKind::Full, "memory", "decide")
}
