//! A part of the memory storage, under one lock.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

use super::queue::Queue;
use crate::record::Record;
use crate::time::Micros;

/// How many slots a new key looks at for expired records.
const SWEPT_BY_A_NEW_KEY: usize = 8;
/// When a shard is full, this part of it is queued for eviction in one look.
const PART_IN_QUEUE: usize = 8;
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
    /// What goes next when there is no more room.
    queue: Queue,
}

struct Slot {
    fingerprint: Fingerprint,
    record: Record,
}

impl Shard {
    pub(super) fn new(max_keys: usize) -> Self {
        Self { slots: HashTable::new(), max_keys, cursor: 0, queue: Queue::default() }
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
            self.queue.join(fingerprint);
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

    pub(super) fn reset(&mut self) -> usize {
        let count = self.len();
        *self = Self::new(self.max_keys);
        count
    }

    /// Sees to it that `new` more keys fit, without touching those in `kept`.
    pub(super) fn make_room(&mut self, new: usize, kept: &[Fingerprint], now: Micros) -> bool {
        if new > self.max_keys {
            return false;
        }
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
        self.queue = Queue::default();
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
        let mut aside: SmallVec<[(Micros, Fingerprint); 4]> = SmallVec::new();
        let gone = self.next_to_go(kept, &mut aside, now);
        for (until, fingerprint) in aside.into_iter().rev() {
            self.queue.put_back(until, fingerprint);
        }
        if let Some(fingerprint) = gone {
            self.remove(fingerprint);
        }
        gone.is_some()
    }

    /// The record whose turn it is; those in `kept` that came before it go to `aside`.
    fn next_to_go(
        &mut self,
        kept: &[Fingerprint],
        aside: &mut SmallVec<[(Micros, Fingerprint); 4]>,
        now: Micros,
    ) -> Option<Fingerprint> {
        loop {
            if self.queue.needs_a_look(now) && !self.look(kept, now) {
                return None;
            }
            while let Some(fingerprint) = self.queue.unsettled(now) {
                self.settle(fingerprint, now);
            }
            let Some((until, fingerprint)) = self.queue.pop() else {
                if self.queue.needs_a_look(now) {
                    continue;
                }
                return None;
            };
            // Since it was queued it may have been removed, used or exceeded.
            if self.find(fingerprint).is_none_or(|record| record.until() != until || !record.may_go(now)) {
                self.settle(fingerprint, now);
            } else if kept.contains(&fingerprint) {
                aside.push((until, fingerprint));
            } else {
                return Some(fingerprint);
            }
        }
    }

    /// Gives a record its place in the queue, or lets it sleep.
    fn settle(&mut self, fingerprint: Fingerprint, now: Micros) {
        let found = self.slots.find(fingerprint.hash(), |slot| slot.fingerprint == fingerprint);
        match found.map(|slot| &slot.record) {
            Some(record) if record.may_go(now) => self.queue.place(record.until(), fingerprint),
            Some(record) => self.queue.lull(record.may_go_from(now), fingerprint),
            None => {}
        }
    }

    /// Queues the part of the shard with the nearest expiry; whether anything but `kept` may go.
    fn look(&mut self, kept: &[Fingerprint], now: Micros) -> bool {
        let (mut free, mut exceeded, mut spared) = (Vec::new(), Vec::new(), Vec::new());
        for Slot { fingerprint, record } in &self.slots {
            if !record.may_go(now) {
                exceeded.push((record.may_go_from(now), *fingerprint, record.until()));
            } else if kept.contains(fingerprint) {
                spared.push(*fingerprint);
            } else {
                free.push((record.until(), *fingerprint));
            }
        }
        let any = !free.is_empty();
        self.queue = Queue::of(free, exceeded, self.slots.len().div_ceil(PART_IN_QUEUE), now);
        for fingerprint in spared {
            self.queue.join(fingerprint);
        }
        any
    }
}
