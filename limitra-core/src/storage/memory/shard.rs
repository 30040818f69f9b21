//! A part of the memory storage, under one lock.

use std::collections::VecDeque;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::record::Record;
use crate::time::Micros;

/// How many slots a new key looks at for expired records.
const SWEPT_BY_A_NEW_KEY: usize = 8;
/// When a shard is full, this part of it is put up for eviction in one look.
const PART_OF_CANDIDATES: usize = 8;
/// A shard full of exceeded records is looked through again only after this long.
const BETWEEN_VAIN_LOOKS: Micros = Micros::new(1000);
/// Below this many slots a table is not worth shrinking.
const SMALL_TABLE: usize = 64;

/// A seeded 128-bit hash that stands for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    high: u64,
    low: u64,
}

impl Fingerprint {
    pub(super) fn new(high: u64, low: u64) -> Self {
        Self { high, low }
    }

    /// Bits for the choice of a shard, others than the table uses.
    pub(super) fn shard_bits(self) -> usize {
        usize::try_from(self.high >> 48).unwrap_or_default()
    }

    fn hash(self) -> u64 {
        self.low
    }
}

/// A part of the records, at most `max_keys` of them.
pub(super) struct Shard {
    slots: HashTable<Slot>,
    max_keys: usize,
    /// Where the sweep goes on.
    cursor: usize,
    /// Unexceeded records, the nearest expiry first, found when the shard was last seen to be full.
    candidates: VecDeque<(Micros, Fingerprint)>,
    /// When it was last found full of exceeded records: a flood must not pay for a look each.
    barren_since: Micros,
}

struct Slot {
    fingerprint: Fingerprint,
    record: Record,
}

impl Shard {
    pub(super) fn new(max_keys: usize) -> Self {
        Self {
            slots: HashTable::new(),
            max_keys,
            cursor: 0,
            candidates: VecDeque::new(),
            barren_since: Micros::MAX,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn find(&self, fingerprint: Fingerprint) -> Option<&Record> {
        let slot = self.slots.find(fingerprint.hash(), |slot| slot.fingerprint == fingerprint);
        slot.map(|slot| &slot.record)
    }

    pub(super) fn find_mut(&mut self, fingerprint: Fingerprint) -> Option<&mut Record> {
        let slot = self.slots.find_mut(fingerprint.hash(), |slot| slot.fingerprint == fingerprint);
        slot.map(|slot| &mut slot.record)
    }

    /// The record of a key, a fresh one if there is none; `None` if there is no room for it.
    pub(super) fn find_or_insert(&mut self, fingerprint: Fingerprint, now: Micros) -> Option<&mut Record> {
        if self.find(fingerprint).is_none() {
            self.sweep_some(now);
            if !self.make_room(1, &[], now) {
                return None;
            }
        }
        let found = self.slots.entry(
            fingerprint.hash(),
            |slot| slot.fingerprint == fingerprint,
            |slot| slot.fingerprint.hash(),
        );
        let slot = match found {
            Entry::Occupied(occupied) => occupied.into_mut(),
            Entry::Vacant(vacant) => {
                vacant.insert(Slot { fingerprint, record: Record::default() }).into_mut()
            }
        };
        Some(&mut slot.record)
    }

    pub(super) fn remove(&mut self, fingerprint: Fingerprint) {
        let found = self.slots.find_entry(fingerprint.hash(), |slot| slot.fingerprint == fingerprint);
        if let Ok(occupied) = found {
            occupied.remove();
        }
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new(self.max_keys);
    }

    /// Sees to it that `new` more keys fit, without touching those in `kept`.
    pub(super) fn make_room(&mut self, new: usize, kept: &[Fingerprint], now: Micros) -> bool {
        while self.slots.len() + new > self.max_keys {
            if !self.evict_one(kept, now) {
                return false;
            }
        }
        true
    }

    /// Forgets every expired record and gives memory back.
    pub(super) fn sweep_all(&mut self, now: Micros) -> usize {
        let before = self.slots.len();
        self.slots.retain(|slot| slot.record.until() > now);
        self.slots.shrink_to_fit(|slot| slot.fingerprint.hash());
        before - self.slots.len()
    }

    /// Looks at the next few slots for expired records: each new key pays for a few old ones.
    fn sweep_some(&mut self, now: Micros) {
        for _ in 0..SWEPT_BY_A_NEW_KEY {
            if self.cursor >= self.slots.num_buckets() {
                self.cursor = 0;
                self.shrink_if_sparse();
            }
            if self.slots.get_bucket(self.cursor).is_some_and(|slot| slot.record.until() <= now)
                && let Ok(occupied) = self.slots.get_bucket_entry(self.cursor)
            {
                occupied.remove();
            }
            self.cursor += 1;
        }
    }

    /// After a flood has expired the table is given back, at most a quarter full each time.
    fn shrink_if_sparse(&mut self) {
        if self.slots.num_buckets() > SMALL_TABLE && self.slots.len() * 8 < self.slots.num_buckets() {
            self.slots.shrink_to(self.slots.len() * 2, |slot| slot.fingerprint.hash());
        }
    }

    /// Forgets one record: an expired one, else the unexceeded one with the nearest expiry.
    fn evict_one(&mut self, kept: &[Fingerprint], now: Micros) -> bool {
        loop {
            while let Some((until, fingerprint)) = self.candidates.pop_front() {
                // Since it was put up it may have been used, exceeded or removed.
                let still = self.find(fingerprint).is_some_and(|record| {
                    record.until() == until && (until <= now || !record.is_exceeded(now))
                });
                if still && !kept.contains(&fingerprint) {
                    self.remove(fingerprint);
                    return true;
                }
            }
            if now >= self.barren_since && now < self.barren_since.plus(BETWEEN_VAIN_LOOKS) {
                return false;
            }
            self.find_candidates(kept, now);
            if self.candidates.is_empty() {
                self.barren_since = now;
                return false;
            }
            self.barren_since = Micros::MAX;
        }
    }

    /// Puts the part of the shard with the nearest expiry up for eviction. One look serves many new keys.
    fn find_candidates(&mut self, kept: &[Fingerprint], now: Micros) {
        let mut found: Vec<(Micros, Fingerprint)> = self
            .slots
            .iter()
            .filter(|slot| !kept.contains(&slot.fingerprint))
            .filter(|slot| slot.record.until() <= now || !slot.record.is_exceeded(now))
            .map(|slot| (slot.record.until(), slot.fingerprint))
            .collect();
        let most = self.slots.len().div_ceil(PART_OF_CANDIDATES);
        if found.len() > most {
            found.select_nth_unstable_by_key(most, |(until, _)| *until);
            found.truncate(most);
        }
        found.sort_unstable_by_key(|(until, _)| *until);
        self.candidates = found.into();
    }
}
