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
    /// What goes next when there is no more room.
    queue: Queue,
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
            queue: Queue::default(),
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

    pub(super) fn reset(&mut self) {
        *self = Self::new(self.max_keys);
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
        if self.queue.is_stale(now, BETWEEN_VAIN_LOOKS) {
            self.look(kept, now);
        }
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
            while let Some(newcomer) = self.queue.newcomer() {
                if let Some(record) = self.find(newcomer) {
                    let until = record.until();
                    self.queue.place(until, newcomer);
                }
            }
            let Some((until, fingerprint)) = self.queue.pop() else {
                let is_barren = now >= self.barren_since && now < self.barren_since.plus(BETWEEN_VAIN_LOOKS);
                if is_barren || !self.look(kept, now) {
                    return None;
                }
                continue;
            };
            // Since it was queued it may have been removed, used or exceeded.
            let Some(record) = self.find(fingerprint) else {
                continue;
            };
            let actual = record.until();
            if actual != until {
                self.queue.place(actual, fingerprint);
            } else if until > now && record.is_exceeded(now) {
                let free = record.exceeded_until(now);
                self.queue.pass_over(free);
            } else if kept.contains(&fingerprint) {
                aside.push((until, fingerprint));
            } else {
                return Some(fingerprint);
            }
        }
    }

    /// Queues the part of the shard with the nearest expiry; whether there is one. One look serves many new keys.
    fn look(&mut self, kept: &[Fingerprint], now: Micros) -> bool {
        let (mut found, mut exceeded, mut spared) = (Vec::new(), Vec::new(), Vec::new());
        for slot in &self.slots {
            let until = slot.record.until();
            if until > now && slot.record.is_exceeded(now) {
                exceeded.push((until, slot.record.exceeded_until(now)));
            } else if kept.contains(&slot.fingerprint) {
                spared.push(slot.fingerprint);
            } else {
                found.push((until, slot.fingerprint));
            }
        }
        let any = !found.is_empty();
        self.barren_since = if any || !spared.is_empty() { Micros::MAX } else { now };
        self.queue = Queue::of(found, &exceeded, self.slots.len().div_ceil(PART_IN_QUEUE), now);
        for fingerprint in spared {
            self.queue.join(fingerprint);
        }
        any
    }
}
