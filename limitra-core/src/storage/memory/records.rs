//! Records behind locks: any rules, any subjects.

use smallvec::SmallVec;

use super::fingerprint::Fingerprint;
use super::shard::Locked;
use super::{MemoryStorage, full};
use crate::attempt::{Attempt, Mode, Outcome, RuleOutcome, Subject};
use crate::error::StorageError;
use crate::record::{Record, Steps};
use crate::refund::Refund;
use crate::time::Micros;

impl MemoryStorage {
    pub(super) fn decide_one(
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

    pub(super) fn decide_all(
        &self,
        attempt: &Attempt<'_>,
        subjects: &[Subject<'_>],
    ) -> Result<Outcome, StorageError> {
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
