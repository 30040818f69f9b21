//! A part of the memory storage.

mod evict;

use std::sync::PoisonError;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::class::Classes;
use super::clock::OwnClock;
use super::fingerprint::Fingerprint;
use super::queue::Queue;
use super::table::{Put, Table};
use super::word::Word;
use crate::record::Record;
use crate::sync::{Mutex, MutexGuard};
use crate::time::Micros;

/// How many slots a new key looks at for expired records.
const SWEPT_BY_A_NEW_KEY: usize = 8;
/// Below this many slots a table is not worth shrinking.
const SMALL_TABLE: usize = 64;

/// A part of the records, at most `max_keys` of them: buckets of single rules in an open table, whatever else under a lock.
///
/// A key is in one of both, never in both.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Shard {
    /// Found and charged by everybody; changed in any other way only under the lock.
    pub(super) table: Table,
    kept: Locking,
}

/// Apart from what everybody reads, so that taking the lock disturbs nobody.
#[derive(Debug)]
#[repr(align(128))]
struct Locking(Mutex<Kept>);

/// What is under a shard's lock.
#[derive(Debug)]
struct Kept {
    records: HashTable<Keyed>,
    in_table: usize,
    max_keys: usize,
    /// Where the sweep goes on.
    cursor: usize,
    /// What goes next when there is no more room.
    queue: Queue,
}

#[derive(Debug)]
struct Keyed {
    fingerprint: Fingerprint,
    record: Record,
}

/// A shard that nobody else changes.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    table: &'a Table,
    kept: MutexGuard<'a, Kept>,
    classes: &'a Classes,
    clock: &'a OwnClock,
}

impl Shard {
    pub(super) fn new(max_keys: usize) -> Self {
        Self { table: Table::new(max_keys), kept: Locking(Mutex::new(Kept::new(max_keys))) }
    }

    /// A shard whose lock is poisoned is whole all the same: nothing is written to it in part.
    pub(super) fn lock<'a>(&'a self, classes: &'a Classes, clock: &'a OwnClock) -> Locked<'a> {
        let kept = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        Locked { table: &self.table, kept, classes, clock }
    }
}

impl Kept {
    fn new(max_keys: usize) -> Self {
        let (records, queue) = (HashTable::new(), Queue::default());
        Self { records, in_table: 0, max_keys, cursor: 0, queue }
    }
}

impl Locked<'_> {
    pub(super) fn len(&self) -> usize {
        self.kept.records.len() + self.kept.in_table
    }

    /// Whether the key has a record under the lock.
    pub(super) fn has_record(&self, fingerprint: Fingerprint) -> bool {
        self.find(fingerprint).is_some()
    }

    pub(super) fn find(&self, fingerprint: Fingerprint) -> Option<&Record> {
        let kept = self.kept.records.find(fingerprint.low, |kept| kept.fingerprint == fingerprint);
        kept.map(|kept| &kept.record)
    }

    pub(super) fn find_mut(&mut self, fingerprint: Fingerprint) -> Option<&mut Record> {
        let kept = self.kept.records.find_mut(fingerprint.low, |kept| kept.fingerprint == fingerprint);
        kept.map(|kept| &mut kept.record)
    }

    /// Makes a key's word a record, for rules or instants that a word knows nothing of.
    pub(super) fn promote(&mut self, fingerprint: Fingerprint) {
        let Some(slot) = self.table.find(fingerprint) else {
            return;
        };
        let word = slot.vacate();
        self.kept.in_table -= 1;
        if !word.is_over(self.clock.elapsed()) {
            self.keep(fingerprint, word);
        }
    }

    /// The record of a key, a fresh one if there is none; `None` if there is no room for it.
    pub(super) fn find_or_insert(&mut self, fingerprint: Fingerprint, now: Micros) -> Option<&mut Record> {
        if !self.has_record(fingerprint) && !self.admit(fingerprint, now) {
            return None;
        }
        Some(self.entry(fingerprint))
    }

    /// Puts a key that is new into the table; `None` if there is no room for it, `false` if only as a record.
    pub(super) fn insert_word(&mut self, fingerprint: Fingerprint, word: Word, now: Micros) -> Option<bool> {
        let elapsed = self.clock.elapsed();
        if self.len() >= self.kept.max_keys && self.table.replace(fingerprint, word, elapsed) {
            self.kept.queue.join(fingerprint);
            return Some(true);
        }
        if !self.admit(fingerprint, now) {
            return None;
        }
        if self.kept.in_table >= self.table.comfortable() {
            self.widen(elapsed);
        }
        let mut put = self.table.put(fingerprint, word, elapsed);
        if put == Put::NoSlot && self.grow(elapsed) {
            put = self.table.put(fingerprint, word, elapsed);
        }
        self.kept.in_table += usize::from(put == Put::Inserted);
        Some(put != Put::NoSlot)
    }

    pub(super) fn remove(&mut self, fingerprint: Fingerprint) {
        if let Some(slot) = self.table.find(fingerprint) {
            slot.vacate();
            self.kept.in_table -= 1;
        }
        let found = self.kept.records.find_entry(fingerprint.low, |kept| kept.fingerprint == fingerprint);
        if let Ok(occupied) = found {
            occupied.remove();
        }
    }

    /// Undoes what is left of a charge in a key's record; whether anything was. A record that holds nothing then is forgotten.
    pub(super) fn give_back(
        &mut self,
        fingerprint: Fingerprint,
        undo: impl FnOnce(&mut Record) -> bool,
    ) -> bool {
        self.promote(fingerprint);
        let Some(record) = self.find_mut(fingerprint) else {
            return false;
        };
        let is_changed = undo(record);
        if record.until() == Micros::ZERO {
            self.remove(fingerprint);
        } else if is_changed {
            // It may be less exceeded than the order of eviction knows.
            self.kept.queue.join(fingerprint);
        }
        is_changed
    }

    pub(super) fn reset(&mut self) -> usize {
        let count = self.len();
        self.table.clear();
        *self.kept = Kept::new(self.kept.max_keys);
        count
    }

    /// Sees to it that `new` more keys fit, without touching those in `spared`.
    pub(super) fn make_room(&mut self, new: usize, spared: &[Fingerprint], now: Micros) -> bool {
        if new > self.kept.max_keys {
            return false;
        }
        while self.len() + new > self.kept.max_keys {
            if !self.evict_one(spared, now) {
                return false;
            }
        }
        true
    }

    /// Forgets every expired record and gives memory back.
    pub(super) fn sweep_all(&mut self, now: Micros) -> usize {
        let before = self.len();
        self.kept.records.retain(|kept| kept.record.until() > now);
        self.kept.records.shrink_to_fit(|kept| kept.fingerprint.low);
        self.sweep_table(self.clock.elapsed());
        self.kept.queue = Queue::default();
        before - self.len()
    }

    /// Room for a new key.
    fn admit(&mut self, fingerprint: Fingerprint, now: Micros) -> bool {
        self.sweep_some(now);
        let admitted = self.make_room(1, &[], now);
        if admitted {
            self.kept.queue.join(fingerprint);
        }
        admitted
    }

    fn entry(&mut self, fingerprint: Fingerprint) -> &mut Record {
        let found = self.kept.records.entry(
            fingerprint.low,
            |kept| kept.fingerprint == fingerprint,
            |kept| kept.fingerprint.low,
        );
        let kept = match found {
            Entry::Occupied(occupied) => occupied.into_mut(),
            Entry::Vacant(vacant) => {
                vacant.insert(Keyed { fingerprint, record: Record::default() }).into_mut()
            }
        };
        &mut kept.record
    }

    /// Keeps a word as a record.
    fn keep(&mut self, fingerprint: Fingerprint, word: Word) {
        if let Some(class) = self.classes.numbered(word.class()) {
            let record = class.record(word, self.clock.began(), self.clock.now());
            *self.entry(fingerprint) = record;
        }
    }

    /// Makes the table less full where it can: by forgetting what is over, if that is half of it, else by doubling it. Words
    /// that are over are left alone until then: who comes back finds its slot, and a new key may take it.
    fn widen(&mut self, elapsed: u64) {
        if self.table.can_double() {
            self.sweep_table(elapsed);
            if self.kept.in_table * 2 > self.table.comfortable() {
                self.grow(elapsed);
            }
        }
    }

    fn sweep_table(&mut self, elapsed: u64) {
        self.kept.in_table -= self.table.sweep(elapsed);
    }

    /// Doubles the table if it can; whether there is more room now.
    pub(super) fn grow(&mut self, elapsed: u64) -> bool {
        if !self.table.can_double() {
            return false;
        }
        let mut homeless = Vec::new();
        self.kept.in_table =
            self.table.double(elapsed, |fingerprint, word| homeless.push((fingerprint, word)));
        for (fingerprint, word) in homeless {
            self.keep(fingerprint, word);
        }
        true
    }

    /// Looks at the next few slots for expired records: each new key pays for a few old ones.
    fn sweep_some(&mut self, now: Micros) {
        for _ in 0..SWEPT_BY_A_NEW_KEY.min(self.kept.records.num_buckets()) {
            if self.kept.cursor >= self.kept.records.num_buckets() {
                self.kept.cursor = 0;
                self.shrink_if_sparse();
            }
            let cursor = self.kept.cursor;
            if self.kept.records.get_bucket(cursor).is_some_and(|kept| kept.record.until() <= now)
                && let Ok(occupied) = self.kept.records.get_bucket_entry(cursor)
            {
                occupied.remove();
            }
            self.kept.cursor += 1;
        }
    }

    /// After a flood has expired the records' table is given back, at most a quarter full each time.
    fn shrink_if_sparse(&mut self) {
        let records = &mut self.kept.records;
        if records.num_buckets() > SMALL_TABLE && records.len() * 8 < records.num_buckets() {
            records.shrink_to(records.len() * 2, |kept| kept.fingerprint.low);
        }
    }
}
