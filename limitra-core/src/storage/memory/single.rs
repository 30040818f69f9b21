//! One rule of one subject: by its word, without a lock, where a word can hold it.

use super::class::Class;
use super::fingerprint::{Fingerprint, Seeds};
use super::table::{Near, Place, Slot, Spot};
use super::word::{Arrival, Word};
use super::{MemoryStorage, Shards, full};
use crate::attempt::{Attempt, Mode, Subject};
use crate::error::{StorageError, StorageErrorKind};
use crate::identifier::Identifier;
use crate::key::{Key, KeySpace, Short};
use crate::rule::Rule;
use crate::state::State;
use crate::time::{Clock, Micros};

/// A refusal with less to wait may come of a clock that was read too early: for so long a thread may stand still.
const STALE: u64 = 200_000;

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
    pub(super) number: u8,
    pub(super) class: Class,
}

impl Prepared {
    /// Has the row of the key of these parts brought near, if that is one that is hashed as it is.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(super) fn bring_near(&self, parts: &[Identifier<'_>]) -> Option<Near<'_>> {
        let fingerprint = match Short::of(parts, self.too_long)? {
            Short::Absent => self.absent,
            Short::Raw(bytes) => self.seeds.of(self.seed, Short::RAW, bytes),
        };
        self.shards.of(fingerprint).table.bring_near(fingerprint)
    }
}

/// A question that a word can answer.
pub(super) struct InClass<'a> {
    pub(super) number: u8,
    pub(super) class: &'a Class,
    pub(super) cost: u64,
    pub(super) mode: Mode,
    /// Microseconds since the storage's clock began.
    pub(super) now: u64,
    /// The clock was read after the word.
    pub(super) is_late: bool,
}

/// What came of trying to charge a word.
pub(super) enum Tried {
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

impl MemoryStorage {
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

    /// Charges or looks at the word that was read from a slot, without a lock. `None` if it is not this class's, or cannot
    /// hold what that leaves.
    #[allow(clippy::inline_always)] // See `decide_prepared`.
    #[inline(always)]
    pub(super) fn charge(&self, slot: Slot<'_>, word: Word, asked: &InClass<'_>) -> Option<Charged> {
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
}
