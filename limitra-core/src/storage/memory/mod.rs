//! The embedded storage: sharded, bounded, without a thread of its own.

mod builder;
mod class;
mod clock;
mod fingerprint;
mod lookahead;
#[cfg(all(test, limitra_loom))]
mod models;
mod queue;
mod shard;
mod table;
mod word;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use smallvec::SmallVec;

use crate::attempt::{Attempt, Mode, Outcome, RuleOutcome, Subject};
use crate::error::{ConfigurationError, StorageError, StorageErrorKind};
use crate::identifier::Identifier;
use crate::key::{Key, KeySpace, Short};
use crate::record::{Record, Steps};
use crate::refund::Refund;
use crate::rule::Rule;
use crate::state::State;
use crate::storage::Storage;
use crate::time::{Clock, Micros};
use builder::DEFAULT_MAX_KEYS;
pub use builder::MemoryStorageBuilder;
use class::{Class, Classes};
use clock::OwnClock;
use fingerprint::{Fingerprint, Seeds};
pub(crate) use lookahead::Lookahead;
use shard::{Locked, Shard};
use table::{Near, Place, Slot, Spot};
use word::{Arrival, Word};

/// The most keys of a shard: its table doubles at once, and shares one lock for what is new. A shard of many fewer would
/// make the bound a matter of luck.
const KEYS_OF_A_SHARD: usize = 8192;
/// As many as the fingerprint's bits for them can name.
const MOST_SHARDS: usize = 1 << 16;
/// A refusal with less to wait may come of a clock that was read too early: for so long a thread may stand still.
const STALE: u64 = 200_000;

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

/// What came of a word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charged {
    pub(crate) allowed: bool,
    /// Microseconds since the storage's clock began.
    now: u64,
    kept: Arrival,
}

/// What came of one rule of one subject.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Single {
    pub(crate) now: Micros,
    pub(crate) allowed: bool,
    pub(crate) state: State,
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

    /// Works out once what a limiter of one rule asks of this storage at each call; `None` if no word can answer it.
    pub(crate) fn prepare(&self, space: &KeySpace, rule: &Rule) -> Option<Prepared> {
        let (number, class) = self.inner.classes.of(rule)?;
        let seed = self.inner.seeds.seed(space.digest());
        let absent = self.inner.seeds.of(seed, Short::Absent.kind(), &[]);
        Some(Prepared {
            shards: self.inner.shards.clone(),
            seeds: self.inner.seeds.clone(),
            seed,
            absent,
            spot: Spot::new(),
            too_long: space.too_long(),
            number,
            class: class.clone(),
        })
    }

    /// Decides one rule of one subject by the storage's clock; the cost is not 0.
    pub(crate) fn decide_single(
        &self,
        key: Key<'_>,
        rule: &Rule,
        cost: u64,
        mode: Mode,
    ) -> Result<Single, StorageError> {
        let fingerprint = self.fingerprint(key);
        let Some((number, class)) = self.inner.classes.of(rule) else {
            return self.decide_as_record(fingerprint, rule, cost, mode);
        };
        let now = self.inner.clock.elapsed();
        let asked = InClass { number, class, cost, mode, now, is_late: false };
        let slot = self.shard_of(fingerprint).table.find(fingerprint);
        match slot.and_then(|slot| self.charge(slot, slot.peek(), &asked)) {
            Some(answer) => Ok(self.single_of(class, answer)),
            None => self.decide_in_class(fingerprint, &asked),
        }
    }

    /// The same where the key of these parts has a word and that can answer; else `None`, and nothing has happened.
    ///
    /// The short way: no lock, and nothing is written where it is refused.
    #[allow(clippy::inline_always)] // Into its few callers, so that a question for a word is never put together in memory.
    #[inline(always)]
    pub(crate) fn decide_prepared(
        &self,
        prepared: &Prepared,
        parts: &[Identifier<'_>],
        cost: u64,
        mode: Mode,
    ) -> Option<Charged> {
        let (slot, word, now) = match Short::of(parts, prepared.too_long)? {
            Short::Raw(bytes) => {
                let fingerprint = prepared.seeds.of(prepared.seed, Short::RAW, bytes);
                let (slot, word) = prepared.shards.of(fingerprint).table.guess(fingerprint)?;
                // Last, for it takes longest: meanwhile the word comes.
                (slot, word, self.inner.clock.elapsed())
            }
            Short::Absent => {
                let now = self.inner.clock.elapsed();
                let (slot, word) = prepared.spot.look(prepared.absent)?;
                (slot, word, now)
            }
        };
        let Prepared { number, class, .. } = prepared;
        self.charge(slot, word, &InClass { number: *number, class, cost, mode, now, is_late: false })
    }

    /// Remembers where the word of nobody in particular stands, if that is who was asked for.
    pub(crate) fn note_place(&self, prepared: &Prepared, key: Key<'_>) {
        if let Some(Short::Absent) = key.short() {
            prepared.spot.note(&self.shard_of(prepared.absent).table, prepared.absent);
        }
    }

    /// Decides several, in their order.
    pub(crate) fn decide_many_now(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        attempts.iter().map(|attempt| self.decide_now(attempt)).collect()
    }

    /// Undoes what is left of a charge; whether anything was. What stood in a word is a record from then on: arrivals in a slot only
    /// grow.
    #[cold]
    #[inline(never)]
    pub(crate) fn give_back_now(&self, refund: &Refund<'_>) -> bool {
        let fingerprints: SmallVec<[Fingerprint; 4]> =
            refund.subjects.iter().map(|subject| self.fingerprint(subject.key)).collect();
        let mut shards = self.locked_in_order(&fingerprints);
        let now = self.instant(refund.clock);
        let mut is_changed = false;
        for ((subject, receipts), fingerprint) in refund.parts().zip(&fingerprints) {
            let index = self.shard_index(*fingerprint);
            if let Some((_, shard)) = shards.iter_mut().find(|(at, _)| *at == index) {
                is_changed |=
                    shard.give_back(*fingerprint, |record| subject.give_back(record, receipts, now));
            }
        }
        is_changed
    }

    pub(crate) fn clear_now(&self, key: Key<'_>) {
        let fingerprint = self.fingerprint(key);
        self.lock(self.shard_of(fingerprint)).remove(fingerprint);
    }

    /// Charges or looks at the word that was read from a slot, without a lock. `None` if it is not this class's, or cannot
    /// hold what that leaves.
    #[allow(clippy::inline_always)] // See `decide_prepared`.
    #[inline(always)]
    fn charge(&self, slot: Slot<'_>, word: Word, asked: &InClass<'_>) -> Option<Charged> {
        match asked.of(slot, word)? {
            Tried::Done(charged) => Some(charged),
            // Copied here alone, so that all of it stays in registers until then.
            Tried::Again => self.charge_again(slot.apart(), &InClass { ..*asked }),
        }
    }

    /// The same where others were faster, or a clock was read too early.
    #[cold]
    #[inline(never)]
    fn charge_again(
        &self,
        (fingerprint, place): (Fingerprint, &Place),
        asked: &InClass<'_>,
    ) -> Option<Charged> {
        let slot = Slot::of(fingerprint, place);
        loop {
            let word = slot.peek();
            // Read after the word, so that nobody has charged that later.
            let now = self.inner.clock.elapsed().max(asked.now);
            if let Tried::Done(charged) = (InClass { now, is_late: true, ..*asked }).of(slot, word)? {
                return Some(charged);
            }
        }
    }

    /// The same by the clock of everybody, and as a state.
    #[allow(clippy::inline_always)] // See `decide_prepared`.
    #[inline(always)]
    pub(crate) fn single(&self, prepared: &Prepared, answer: Charged) -> Single {
        self.single_of(&prepared.class, answer)
    }

    #[allow(clippy::inline_always)] // See `decide_prepared`.
    #[inline(always)]
    fn single_of(&self, class: &Class, Charged { allowed, now, kept }: Charged) -> Single {
        let began = self.inner.clock.began();
        let now = began.plus(Micros::new(now));
        Single { now, allowed, state: class.state(kept, began, now) }
    }

    /// The same under the lock: for a key that is new, or whose word is of another class.
    #[cold]
    #[inline(never)]
    fn decide_in_class(&self, fingerprint: Fingerprint, asked: &InClass<'_>) -> Result<Single, StorageError> {
        let shard = self.shard_of(fingerprint);
        let mut locked = self.lock(shard);
        let fresh = asked.class.ask(Arrival::at(asked.now), asked.now, asked.cost);
        match (shard.table.find(fingerprint), fresh) {
            // Somebody else was faster.
            (Some(slot), _) => {
                if let Some(answer) = self.charge(slot, slot.peek(), asked) {
                    return Ok(self.single_of(asked.class, answer));
                }
            }
            (None, Some(fresh)) if !locked.has_record(fingerprint) => {
                if asked.mode == Mode::Peek || !fresh.allowed {
                    return Ok(self.untouched(asked, fresh.allowed));
                }
                let now = self.inner.clock.began().plus(Micros::new(asked.now));
                let word = Word::new(fresh.charged, asked.number);
                if locked.insert_word(fingerprint, word, now).ok_or_else(full)? {
                    let answer = Charged { allowed: true, now: asked.now, kept: fresh.charged };
                    return Ok(self.single_of(asked.class, answer));
                }
            }
            (None, _) => {}
        }
        drop(locked);
        self.decide_as_record(fingerprint, asked.class.rule(), asked.cost, asked.mode)
    }

    /// What a peek at a key that is not there finds.
    fn untouched(&self, asked: &InClass<'_>, allowed: bool) -> Single {
        let now = self.inner.clock.began().plus(Micros::new(asked.now));
        Single { now, allowed, state: State::default() }
    }

    /// Decides one rule that no word holds.
    fn decide_as_record(
        &self,
        fingerprint: Fingerprint,
        rule: &Rule,
        cost: u64,
        mode: Mode,
    ) -> Result<Single, StorageError> {
        let rules = std::slice::from_ref(rule);
        // Its fingerprint stands for its key.
        let subjects = [Subject { key: Key::from_text(""), rules: rules.into(), cost }];
        let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode };
        let outcome = self.decide_one(&attempt, &subjects[0], fingerprint)?;
        let malformed = || StorageError::new(StorageErrorKind::Malformed, "memory", "decide");
        let rule = outcome.rules.first().ok_or_else(malformed)?;
        Ok(Single { now: outcome.now, allowed: rule.allowed, state: rule.state })
    }

    fn decide_one(
        &self,
        attempt: &Attempt<'_>,
        subject: &Subject<'_>,
        fingerprint: Fingerprint,
    ) -> Result<Outcome, StorageError> {
        let now = self.instant(attempt.clock);
        let mut shard = self.lock(self.shard_of(fingerprint));
        shard.promote(fingerprint);
        let steps = ask(shard.find(fingerprint), subject, now);
        let allowed = steps.iter().all(|step| step.allowed);
        if attempt.mode == Mode::Hit {
            settle(&mut shard, fingerprint, subject, &steps, allowed, now)?;
        }
        let rules = steps.iter().map(|step| RuleOutcome::of(step, attempt.mode, allowed)).collect();
        Ok(Outcome::new(now, rules))
    }

    fn decide_all(&self, attempt: &Attempt<'_>, subjects: &[Subject<'_>]) -> Result<Outcome, StorageError> {
        let fingerprints: SmallVec<[Fingerprint; 4]> =
            subjects.iter().map(|subject| self.fingerprint(subject.key)).collect();
        let mut shards = self.locked_in_order(&fingerprints);
        let now = self.instant(attempt.clock);
        for fingerprint in &fingerprints {
            let index = self.shard_index(*fingerprint);
            if let Some((_, shard)) = shards.iter_mut().find(|(at, _)| *at == index) {
                shard.promote(*fingerprint);
            }
        }
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
        Ok(Outcome::new(now, rules))
    }

    /// Makes sure that every new key of an attempt will find room, before any of them is charged.
    fn make_room_for_all(
        &self,
        shards: &mut [(usize, Locked<'_>)],
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
    fn locked_in_order(&self, fingerprints: &[Fingerprint]) -> SmallVec<[(usize, Locked<'_>); 4]> {
        let mut indices: SmallVec<[usize; 4]> =
            fingerprints.iter().map(|fingerprint| self.shard_index(*fingerprint)).collect();
        indices.sort_unstable();
        indices.dedup();
        indices
            .iter()
            .filter_map(|&index| Some((index, self.lock(self.inner.shards.0.get(index)?))))
            .collect()
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

/// What a limiter of one rule asks at each call, with all that this needs at hand.
#[derive(Debug)]
pub(crate) struct Prepared {
    shards: Shards,
    seeds: Seeds,
    seed: u64,
    /// The fingerprint of nobody in particular, and where its word stood last.
    absent: Fingerprint,
    spot: Spot,
    /// How many bytes of an identifier are too many.
    too_long: usize,
    number: u8,
    class: Class,
}

impl Prepared {
    /// Has the row of the key of these parts brought near, if that is one that is hashed as it is.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    fn bring_near(&self, parts: &[Identifier<'_>]) -> Option<Near<'_>> {
        let fingerprint = match Short::of(parts, self.too_long)? {
            Short::Absent => self.absent,
            Short::Raw(bytes) => self.seeds.of(self.seed, Short::RAW, bytes),
        };
        self.shards.of(fingerprint).table.bring_near(fingerprint)
    }
}

/// A question that a word can answer.
struct InClass<'a> {
    number: u8,
    class: &'a Class,
    cost: u64,
    mode: Mode,
    /// Microseconds since the storage's clock began.
    now: u64,
    /// The clock was read after the word.
    is_late: bool,
}

/// What came of trying to charge a word.
enum Tried {
    Done(Charged),
    /// The word has changed, or may have been charged later than this clock was read.
    Again,
}

impl InClass<'_> {
    /// Asks it of the word that was read from a slot. `None` if that is not this class's, or cannot hold what is left.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    fn of(&self, slot: Slot<'_>, word: Word) -> Option<Tried> {
        if !slot.is_of(word, u64::from(self.number)) {
            return None;
        }
        let answer = self.class.ask(word.arrival(), self.now, self.cost)?;
        let is_charged = answer.allowed && self.mode == Mode::Hit;
        let is_sure = answer.allowed || self.is_late || self.class.wait(&answer, self.now) >= STALE;
        let kept = if is_charged { answer.charged } else { word.arrival() };
        let is_done = if is_charged {
            slot.swap(word, Word::new(kept, self.number))
        } else {
            is_sure && slot.still_keeps(word)
        };
        Some(if is_done {
            Tried::Done(Charged { allowed: answer.allowed, now: self.now, kept })
        } else {
            Tried::Again
        })
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

fn ask(record: Option<&Record>, subject: &Subject<'_>, now: Micros) -> Steps {
    record.map_or_else(|| subject.ask(&Record::default(), now), |record| subject.ask(record, now))
}

/// Keeps what the steps left; an allowed hit may need room for its record.
fn settle(
    shard: &mut Locked<'_>,
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
