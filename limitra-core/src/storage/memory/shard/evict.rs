//! Who goes when a shard is full.

use smallvec::SmallVec;

use super::Locked;
use crate::record::Record;
use crate::storage::memory::fingerprint::Fingerprint;
use crate::storage::memory::queue::Queue;
use crate::storage::memory::word::Word;
use crate::time::Micros;

/// When a shard is full, this part of it is queued for eviction in one look.
const PART_IN_QUEUE: usize = 8;

/// What the order of eviction goes by.
struct Seen {
    until: Micros,
    may_go: bool,
    may_go_from: Micros,
}

impl Seen {
    fn of(record: &Record, now: Micros) -> Self {
        let may_go = record.may_go(now);
        let may_go_from = if may_go { now } else { record.may_go_from(now) };
        Self { until: record.until(), may_go, may_go_from }
    }
}

impl Locked<'_> {
    /// Forgets one record: an expired one, else the unexceeded one with the nearest expiry.
    pub(super) fn evict_one(&mut self, spared: &[Fingerprint], now: Micros) -> bool {
        let mut aside: SmallVec<[(Micros, Fingerprint); 4]> = SmallVec::new();
        let gone = self.next_to_go(spared, &mut aside, now);
        for (until, fingerprint) in aside.into_iter().rev() {
            self.kept.queue.put_back(until, fingerprint);
        }
        gone
    }

    /// Forgets a record that may go, unless it was used meanwhile: a word is charged without the lock.
    fn let_go(&mut self, fingerprint: Fingerprint, now: Micros) -> bool {
        if let Some(slot) = self.table.find(fingerprint)
            && let Some(word) = slot.read()
            && !(self.seen_in_table(word, now).is_some_and(|seen| seen.may_go)
                && slot.swap(word, word.vacated()))
        {
            return false;
        }
        self.remove(fingerprint);
        true
    }

    /// Forgets the record whose turn it is, and says whether there was one; those in `spared` that came before it go to `aside`.
    fn next_to_go(
        &mut self,
        spared: &[Fingerprint],
        aside: &mut SmallVec<[(Micros, Fingerprint); 4]>,
        now: Micros,
    ) -> bool {
        loop {
            if self.kept.queue.needs_a_look(now) && !self.look(spared, now) {
                return false;
            }
            while let Some(fingerprint) = self.kept.queue.unsettled(now) {
                self.settle(fingerprint, now);
            }
            let Some((until, fingerprint)) = self.kept.queue.pop() else {
                if self.kept.queue.needs_a_look(now) {
                    continue;
                }
                return false;
            };
            // Since it was queued it may have been removed, used or exceeded.
            if self.seen(fingerprint, now).is_none_or(|seen| seen.until != until || !seen.may_go) {
                self.settle(fingerprint, now);
            } else if spared.contains(&fingerprint) {
                aside.push((until, fingerprint));
            } else if self.let_go(fingerprint, now) {
                return true;
            } else {
                self.settle(fingerprint, now);
            }
        }
    }

    /// Gives a record its place in the queue, or lets it sleep.
    fn settle(&mut self, fingerprint: Fingerprint, now: Micros) {
        match self.seen(fingerprint, now) {
            Some(seen) if seen.may_go => self.kept.queue.place(seen.until, fingerprint),
            Some(seen) => self.kept.queue.lull(seen.may_go_from, fingerprint),
            None => {}
        }
    }

    fn seen(&self, fingerprint: Fingerprint, now: Micros) -> Option<Seen> {
        if let Some(record) = self.find(fingerprint) {
            return Some(Seen::of(record, now));
        }
        self.seen_in_table(self.table.find(fingerprint)?.read()?, now)
    }

    fn seen_in_table(&self, word: Word, now: Micros) -> Option<Seen> {
        let record = self.classes.numbered(word.class())?.record(word, self.clock.began(), now);
        Some(Seen::of(&record, now))
    }

    /// Queues the part of the shard with the nearest expiry; whether anything but `spared` may go.
    fn look(&mut self, spared: &[Fingerprint], now: Micros) -> bool {
        let (mut free, mut exceeded, mut held) = (Vec::new(), Vec::new(), Vec::new());
        let records = self.kept.records.iter().map(|kept| (kept.fingerprint, Seen::of(&kept.record, now)));
        let words = self
            .table
            .iter()
            .filter_map(|(fingerprint, word)| Some((fingerprint, self.seen_in_table(word, now)?)));
        for (fingerprint, seen) in records.chain(words) {
            if !seen.may_go {
                exceeded.push((seen.may_go_from, fingerprint, seen.until));
            } else if spared.contains(&fingerprint) {
                held.push(fingerprint);
            } else {
                free.push((seen.until, fingerprint));
            }
        }
        let any = !free.is_empty();
        self.kept.queue = Queue::of(free, exceeded, self.len().div_ceil(PART_IN_QUEUE), now);
        for fingerprint in held {
            self.kept.queue.join(fingerprint);
        }
        any
    }
}
