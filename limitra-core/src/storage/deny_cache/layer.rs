//! What clones of a deny cache share: the refusals, and what passes between them and the storage.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::question::{Digest, Question};
use super::refusal::Refusal;
use super::refusals::Refusals;
use crate::attempt::{Attempt, Mode, Outcome, Subject};
use crate::error::StorageError;
use crate::key::Key;
use crate::measured::DenyCacheHits;
use crate::storage::Storage;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::time::{Clock, Micros};

/// Fewer refusals than this for each shard would make the bound a matter of luck.
const KEYS_OF_A_SHARD: usize = 256;
const MOST_SHARDS: usize = 64;

/// What time it is, since the layer was made; it never goes back.
pub(super) type Elapsed = Box<dyn Fn() -> Micros + Send + Sync>;

pub(super) struct Layer {
    storage: Arc<dyn Storage>,
    shards: Box<[Mutex<Refusals>]>,
    digest: Digest,
    elapsed: Elapsed,
    max_age: Micros,
    hits: AtomicU64,
    measured: DenyCacheHits,
}

/// A question that passes through, and what was known when it did.
pub(super) struct Passing<'a> {
    layer: &'a Layer,
    attempt: &'a Attempt<'a>,
    /// What is asked and when it was sent, where a refusal may be kept.
    sent: Option<(Question, Micros, [u64; 2])>,
    is_refused: bool,
}

impl Layer {
    pub(super) fn new(storage: Arc<dyn Storage>, max_age: Micros, max_keys: usize, elapsed: Elapsed) -> Self {
        let wanted = (max_keys / KEYS_OF_A_SHARD).clamp(1, MOST_SHARDS);
        // A power of two, so that a few bits of a key's digest name the shard.
        let count = if wanted.is_power_of_two() { wanted } else { wanted.next_power_of_two() / 2 };
        // What is left over by the division goes to the first shards, one each.
        let keys_of = |shard: usize| max_keys / count + usize::from(shard < max_keys % count);
        let shards = (0..count).map(|shard| Mutex::new(Refusals::new(keys_of(shard)))).collect();
        let digest = Digest::new();
        Self {
            storage,
            shards,
            digest,
            elapsed,
            max_age,
            hits: AtomicU64::new(0),
            measured: DenyCacheHits::new(),
        }
    }

    /// The answer where it is known; else what has to be known when the storage has answered.
    pub(super) fn ask<'a>(&'a self, attempt: &'a Attempt<'a>) -> Result<Outcome, Passing<'a>> {
        let passing = |sent| Passing { layer: self, attempt, sent, is_refused: false };
        let ([subject], Clock::Storage, Mode::Hit) = (attempt.subjects, attempt.clock, attempt.mode) else {
            return Err(passing(None));
        };
        if !Question::may_be_kept(&subject.rules) {
            return Err(passing(None));
        }
        let question = self.digest.question(subject);
        let Some(shard) = self.shard(question.key) else { return Err(passing(None)) };
        let now = (self.elapsed)();
        match shard.find(&question).filter(|refusal| refusal.answers(question.cost, now)) {
            Some(refusal) => {
                let told = refusal.told(&subject.rules, question.cost, now);
                drop(shard);
                self.hits.fetch_add(1, Ordering::Relaxed);
                self.measured.add_one(self.storage.name());
                Ok(told)
            }
            None => Err(passing(Some((question, now, shard.forgotten(question.key))))),
        }
    }

    /// Forgets a key, or all of them, once a removal has ended.
    pub(super) fn removal(&self, key: Option<Key<'_>>) -> Removal<'_> {
        Removal { layer: self, key: key.map(|key| self.digest.key(key)) }
    }

    pub(super) fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    pub(super) fn max_age(&self) -> Duration {
        self.max_age.to_duration()
    }

    pub(super) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn shard(&self, key: u64) -> Option<MutexGuard<'_, Refusals>> {
        // Other bits than the table uses; the count is a power of two, so the mask keeps the place within the shards.
        let place = usize::try_from(key >> 32).unwrap_or_default() & (self.shards.len() - 1);
        self.shards.get(place).map(lock)
    }

    /// Forgets what an allowed hit may have shortened: a bucket whose rate is another one drains at that from then on.
    fn forget_other_rates(&self, subject: &Subject<'_>) {
        if subject.rules.iter().any(|rule| rule.algorithm().is_bucket()) {
            let question = self.digest.question(subject);
            if let Some(mut shard) = self.shard(question.key) {
                shard.forget(question.key, Some(question.fingerprint));
            }
        }
    }
}

impl Passing<'_> {
    /// Takes the answer in.
    pub(super) fn end(mut self, answer: &Result<Outcome, StorageError>) {
        let Ok(outcome) = answer else { return };
        self.is_refused = !outcome.is_allowed();
        let (Some((question, sent, seen)), [subject]) = (self.sent, self.attempt.subjects) else { return };
        if !self.is_refused {
            return;
        }
        let now = (self.layer.elapsed)();
        let refusal = Refusal::new(question, &subject.rules, outcome, (sent, now), self.layer.max_age);
        if let (Some(refusal), Some(mut shard)) = (refusal, self.layer.shard(question.key)) {
            shard.keep(refusal, seen, now);
        }
    }
}

impl Drop for Passing<'_> {
    /// A hit that is not known to be refused may have been charged, also where nobody waits for its answer.
    fn drop(&mut self) {
        if self.attempt.mode == Mode::Hit && !self.is_refused {
            self.attempt.subjects.iter().for_each(|subject| self.layer.forget_other_rates(subject));
        }
    }
}

/// Forgets when it is dropped: when a removal has ended, or nobody waits for it any more.
pub(super) struct Removal<'a> {
    layer: &'a Layer,
    /// All, if none.
    key: Option<u64>,
}

impl Drop for Removal<'_> {
    fn drop(&mut self) {
        match self.key {
            Some(key) => {
                if let Some(mut shard) = self.layer.shard(key) {
                    shard.forget(key, None);
                    shard.forget_what_is_on_its_way();
                }
            }
            None => self.layer.shards.iter().for_each(|shard| lock(shard).forget_all()),
        }
    }
}

/// A shard whose lock is poisoned is whole all the same: at worst a refusal is forgotten.
fn lock(shard: &Mutex<Refusals>) -> MutexGuard<'_, Refusals> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
