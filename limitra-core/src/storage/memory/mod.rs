//! The embedded storage: sharded, bounded, without a thread of its own.

mod queue;
mod shard;

use std::borrow::Cow;
use std::fmt;
use std::hash::Hasher as _;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use smallvec::SmallVec;

use crate::attempt::{Attempt, Mode, Outcome, RuleOutcome, Subject};
use crate::error::{ConfigurationError, StorageError, StorageErrorKind};
use crate::key::Key;
use crate::record::{Record, Steps};
use crate::rule::Rule;
use crate::state::State;
use crate::storage::Storage;
use crate::time::{Clock, Micros};
use shard::{Fingerprint, Shard};

/// How many keys a memory storage holds by default.
const DEFAULT_MAX_KEYS: usize = 1_000_000;
/// Fewer keys than this for each shard would make the bound a matter of luck.
const KEYS_OF_A_SHARD: usize = 4096;
const MOST_SHARDS: usize = 256;

/// The embedded storage: decides at once, in this process, without a server.
///
/// Clones share the same records. Records are found by a 128-bit fingerprint of their key (`SipHash`
/// 1-3, seeded at random for each process): the odds that any two of a million keys share a counter
/// are below 10<sup>-26</sup>. Nothing of an identifier is kept.
///
/// It holds at most `max_keys` records (default: 1,000,000; each shard its part). Every new
/// key sweeps a few old ones, so expired records go without a thread and without a pause; a
/// process that stands idle may call [`MemoryStorage::sweep`]. When it is full, expired records go first,
/// then those from which there is still something to be had, the nearest expiry first. A live
/// exceeded record is never forgotten in favour of a new key: when there are only such, a new key
/// gets a [`StorageErrorKind::Full`] error.
///
/// A single-rule decision on an existing key allocates nothing, the moving window's log aside.
/// Its clock is the process's: it starts at the system's time and then runs with the monotonic
/// clock, so it never goes back.
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

/// What one rule of one subject came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Single {
    pub(crate) now: Micros,
    pub(crate) allowed: bool,
    pub(crate) state: State,
}

struct Inner {
    shards: Box<[Mutex<Shard>]>,
    seed: SipHasher13,
    started: (Micros, Instant),
    max_keys: usize,
}

impl MemoryStorage {
    /// An empty storage of at most 1,000,000 keys.
    pub fn new() -> Self {
        Self::of(DEFAULT_MAX_KEYS)
    }

    /// An empty storage of at most `max_keys` keys.
    ///
    /// # Errors
    /// [`ConfigurationError`] if that is 0.
    pub fn with_max_keys(max_keys: usize) -> Result<Self, ConfigurationError> {
        if max_keys == 0 { Err(ConfigurationError::ZeroMaxKeys) } else { Ok(Self::of(max_keys)) }
    }

    fn of(max_keys: usize) -> Self {
        let wanted = (max_keys / KEYS_OF_A_SHARD).clamp(1, MOST_SHARDS);
        // A power of two, so that a few bits of the fingerprint name the shard.
        let count = if wanted.is_power_of_two() { wanted } else { wanted.next_power_of_two() / 2 };
        // What is left over by the division goes to the first shards, a key each.
        let keys_of = |shard: usize| max_keys / count + usize::from(shard < max_keys % count);
        let shards = (0..count).map(|shard| Mutex::new(Shard::new(keys_of(shard)))).collect();
        let started = (Micros::from_system_time(SystemTime::now()), Instant::now());
        Self { inner: Arc::new(Inner { shards, seed: random_seed(), started, max_keys }) }
    }

    /// How many records it holds, expired ones that were not swept yet included.
    pub fn len(&self) -> usize {
        self.inner.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many records it may hold.
    pub fn max_keys(&self) -> usize {
        self.inner.max_keys
    }

    /// Forgets every expired record now and gives memory back; returns how many went.
    ///
    /// Only for processes that stand idle: one that is used sweeps as it goes. What has expired is told by the
    /// storage's own clock, not by a [`ManualClock`](crate::ManualClock). Each shard (at most
    /// some thousand records) is locked for itself.
    pub fn sweep(&self) -> usize {
        let now = self.now();
        self.inner.shards.iter().map(|shard| lock(shard).sweep_all(now)).sum()
    }

    /// Forgets every record; returns how many there were, expired ones that were not swept yet included.
    pub fn reset(&self) -> usize {
        self.inner.shards.iter().map(|shard| lock(shard).reset()).sum()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Decides one attempt. It never waits for anything but another decision on the same shard.
    pub(crate) fn decide_now(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        match attempt.subjects {
            [subject] => self.decide_one(attempt, subject),
            subjects => self.decide_all(attempt, subjects),
        }
    }

    /// Decides one rule of one subject at the storage's own clock.
    #[inline]
    pub(crate) fn decide_single(
        &self,
        key: Key<'_>,
        rule: &Rule,
        cost: u64,
        mode: Mode,
    ) -> Result<Single, StorageError> {
        let subject = Subject { key, rules: Cow::Borrowed(slice::from_ref(rule)), cost };
        let subjects = slice::from_ref(&subject);
        let outcome = self.decide_one(&Attempt { subjects, clock: Clock::Storage, mode }, &subject)?;
        match outcome.rules.first() {
            Some(&RuleOutcome { allowed, state }) => Ok(Single { now: outcome.now, allowed, state }),
            // It answers for every rule that it is asked of.
            None => Err(StorageError::new(StorageErrorKind::Malformed, "memory", "decide")),
        }
    }

    /// Decides several, in their order.
    pub(crate) fn decide_many_now(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        attempts.iter().map(|attempt| self.decide_now(attempt)).collect()
    }

    pub(crate) fn clear_now(&self, key: Key<'_>) {
        let fingerprint = self.fingerprint(key);
        self.shard(fingerprint).remove(fingerprint);
    }

    fn decide_one(&self, attempt: &Attempt<'_>, subject: &Subject<'_>) -> Result<Outcome, StorageError> {
        let fingerprint = self.fingerprint(subject.key);
        let now = self.instant(attempt.clock);
        let mut shard = self.shard(fingerprint);
        let steps = ask(shard.find(fingerprint), subject, now);
        let allowed = steps.iter().all(|step| step.allowed);
        if attempt.mode == Mode::Hit {
            settle(&mut shard, fingerprint, subject, &steps, allowed, now)?;
        }
        let rules = steps.iter().map(|step| RuleOutcome::of(step, attempt.mode, allowed)).collect();
        Ok(Outcome { now, rules })
    }

    fn decide_all(&self, attempt: &Attempt<'_>, subjects: &[Subject<'_>]) -> Result<Outcome, StorageError> {
        let fingerprints: SmallVec<[Fingerprint; 4]> =
            subjects.iter().map(|subject| self.fingerprint(subject.key)).collect();
        let mut shards = self.locked_in_order(&fingerprints);
        let now = self.instant(attempt.clock);
        let (mut all, mut has_room): (SmallVec<[Steps; 4]>, bool) = (SmallVec::new(), true);
        for (subject, fingerprint) in subjects.iter().zip(&fingerprints) {
            let index = self.shard_index(*fingerprint);
            let shard = shards.iter().find(|(at, _)| *at == index);
            let record = shard.and_then(|(_, shard)| shard.find(*fingerprint));
            has_room &= record.is_none_or(|record| subject.has_room(record, now));
            all.push(ask(record, subject, now));
        }
        let allowed = all.iter().flatten().all(|step| step.allowed);
        if attempt.mode == Mode::Hit {
            if allowed {
                if !has_room {
                    return Err(full());
                }
                // A subject that costs nothing is not kept, so it needs no room.
                let costly = subjects.iter().zip(&fingerprints).filter(|(subject, _)| subject.cost > 0);
                let charged: SmallVec<[Fingerprint; 4]> =
                    costly.map(|(_, fingerprint)| *fingerprint).collect();
                self.make_room_for_all(&mut shards, &charged, now)?;
            }
            for ((subject, fingerprint), steps) in subjects.iter().zip(&fingerprints).zip(&all) {
                let index = self.shard_index(*fingerprint);
                if let Some((_, shard)) = shards.iter_mut().find(|(at, _)| *at == index) {
                    settle(shard, *fingerprint, subject, steps, allowed, now)?;
                }
            }
        }
        let rules = all.iter().flatten().map(|step| RuleOutcome::of(step, attempt.mode, allowed)).collect();
        Ok(Outcome { now, rules })
    }

    /// Makes sure that every new key of an attempt will find room, before any of them is charged.
    fn make_room_for_all(
        &self,
        shards: &mut [(usize, MutexGuard<'_, Shard>)],
        fingerprints: &[Fingerprint],
        now: Micros,
    ) -> Result<(), StorageError> {
        for (at, shard) in shards {
            let here = fingerprints.iter().filter(|fingerprint| self.shard_index(**fingerprint) == *at);
            let kept: SmallVec<[Fingerprint; 4]> = here.copied().collect();
            let new = kept.iter().filter(|fingerprint| shard.find(**fingerprint).is_none()).count();
            if !shard.make_room(new, &kept, now) {
                return Err(full());
            }
        }
        Ok(())
    }

    /// Locks every shard that the fingerprints lie in, once each and in the order of their numbers.
    fn locked_in_order(&self, fingerprints: &[Fingerprint]) -> SmallVec<[(usize, MutexGuard<'_, Shard>); 4]> {
        let mut indices: SmallVec<[usize; 4]> =
            fingerprints.iter().map(|fingerprint| self.shard_index(*fingerprint)).collect();
        indices.sort_unstable();
        indices.dedup();
        indices.iter().filter_map(|&index| Some((index, lock(self.inner.shards.get(index)?)))).collect()
    }

    fn shard(&self, fingerprint: Fingerprint) -> MutexGuard<'_, Shard> {
        lock(&self.inner.shards[self.shard_index(fingerprint)])
    }

    fn shard_index(&self, fingerprint: Fingerprint) -> usize {
        // The count is a power of two, so the mask keeps the index within the shards.
        fingerprint.shard_bits() & (self.inner.shards.len() - 1)
    }

    fn fingerprint(&self, key: Key<'_>) -> Fingerprint {
        let mut hasher = self.inner.seed;
        key.pieces(&mut |piece| hasher.write(piece.as_bytes()));
        let hash = hasher.finish128();
        Fingerprint::new(hash.h1, hash.h2)
    }

    fn instant(&self, clock: Clock) -> Micros {
        match clock {
            Clock::Storage => self.now(),
            Clock::At(instant) => instant,
        }
    }

    fn now(&self) -> Micros {
        let (at, since) = self.inner.started;
        let elapsed = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        at.plus(Micros::new(elapsed))
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

fn ask(record: Option<&Record>, subject: &Subject<'_>, now: Micros) -> Steps {
    record.map_or_else(|| subject.ask(&Record::default(), now), |record| subject.ask(record, now))
}

/// Keeps what the steps left; an allowed hit may need room for its record.
fn settle(
    shard: &mut Shard,
    fingerprint: Fingerprint,
    subject: &Subject<'_>,
    steps: &Steps,
    allowed: bool,
    now: Micros,
) -> Result<(), StorageError> {
    let record = if allowed && subject.cost > 0 {
        Some(shard.find_or_insert(fingerprint, now).ok_or_else(full)?)
    } else {
        shard.find_mut(fingerprint)
    };
    if let Some(record) = record {
        if allowed && !subject.has_room(record, now) {
            return Err(full());
        }
        subject.settle(record, steps, allowed, now);
    }
    Ok(())
}

fn full() -> StorageError {
    StorageError::new(StorageErrorKind::Full, "memory", "decide")
}

/// A shard whose lock is poisoned is whole all the same: nothing is written to it in part.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A hasher seeded by the operating system's randomness, through the standard library.
fn random_seed() -> SipHasher13 {
    use std::hash::BuildHasher as _;
    let [one, other] = [(); 2].map(|()| std::hash::RandomState::new().hash_one(0_u64));
    SipHasher13::new_with_keys(one, other)
}
