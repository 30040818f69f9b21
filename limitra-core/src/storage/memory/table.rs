//! Buckets of single rules, a word each, found and charged without a lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::fingerprint::Fingerprint;
use super::word::Word;

/// Slots of a row.
const SLOTS: usize = 5;
/// How many rows after its own a key may stand in.
const FARTHEST: usize = 3;
/// A table is at most this full, in tenths, before it grows; at its full size it was made for this.
const TENTHS: usize = 8;
/// Columns of a table that holds many keys: each of its groups has 8 to 15.
const COLUMNS: usize = 8;
/// How many times a table can double.
const DOUBLINGS: usize = 12;
/// A table is made for no more than this; further keys have records.
const MOST_WORDS: usize = 1 << 24;

/// An open table of fingerprints and words that doubles without moving its rows.
///
/// Whoever holds the shard's lock inserts, removes and doubles; everybody finds and charges at any time. A row is two
/// cache lines. A key's row is one of a group: as many groups as the table has doubled, some columns each. When
/// the table doubles, a group becomes two, and each key stays in its own or moves to the new one.
#[derive(Debug)]
pub(super) struct Table {
    columns: usize,
    most_doublings: u32,
    doublings: AtomicU32,
    /// The rows that there were before the first doubling, and those that each added.
    segments: [OnceLock<Box<[Row]>>; DOUBLINGS + 1],
}

/// Words, and the keys that they belong to. A slot without a word has no key.
#[derive(Debug, Default)]
#[repr(C, align(128))]
struct Row {
    places: [Place; SLOTS],
    /// How many rows after this one its keys have been put.
    reach: AtomicU64,
}

/// One key and its word.
#[derive(Debug, Default)]
struct Place {
    high: AtomicU64,
    low: AtomicU64,
    word: AtomicU64,
}

/// Where a key stood when it was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    fingerprint: Fingerprint,
    place: &'a Place,
}

impl Slot<'_> {
    /// What it keeps, if the slot is still this key's. Nothing but a swap can say that it is a moment later.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_single`.
    #[inline(always)]
    pub(super) fn read(&self) -> Option<Word> {
        // A slot changes hands only while its word is vacant, and the word is written after the key: who has read the
        // new owner's word reads the new owner's key.
        let word = Word::of_bits(self.place.word.load(Ordering::Acquire));
        let is_own = self.place.high.load(Ordering::Relaxed) == self.fingerprint.high
            && self.place.low.load(Ordering::Relaxed) == self.fingerprint.low;
        (is_own && !word.is_vacant()).then_some(word)
    }

    /// The same if it is of this class, which is not 0: with a single branch.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_single`.
    #[inline(always)]
    pub(super) fn read_class(&self, class: u64) -> Option<Word> {
        let word = Word::of_bits(self.place.word.load(Ordering::Acquire));
        let high = self.place.high.load(Ordering::Relaxed) ^ self.fingerprint.high;
        let low = self.place.low.load(Ordering::Relaxed) ^ self.fingerprint.low;
        (high | low | (word.class() ^ class) == 0).then_some(word)
    }

    /// Whether nothing has changed since it was read.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_single`.
    #[inline(always)]
    pub(super) fn still_keeps(&self, word: Word) -> bool {
        self.place.word.load(Ordering::Acquire) == word.bits()
    }

    /// Replaces what it keeps, unless that has changed.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_single`.
    #[inline(always)]
    pub(super) fn swap(&self, from: Word, to: Word) -> bool {
        self.place.word.compare_exchange(from.bits(), to.bits(), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Takes the word away, and the key. Only under the shard's lock.
    pub(super) fn vacate(&self) -> Word {
        let word = Word::of_bits(
            self.place.word.fetch_and(Word::of_bits(u64::MAX).vacated().bits(), Ordering::AcqRel),
        );
        self.place.high.store(0, Ordering::Relaxed);
        self.place.low.store(0, Ordering::Relaxed);
        word
    }

    /// Puts a key here. Only under the shard's lock, and where there is none.
    fn fill(&self, fingerprint: Fingerprint, word: Word) {
        self.place.high.store(fingerprint.high, Ordering::Relaxed);
        self.place.low.store(fingerprint.low, Ordering::Relaxed);
        self.place.word.store(word.bits(), Ordering::Release);
    }
}

/// What putting a key into a table came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It has a slot that was free.
    Inserted,
    /// It has the slot of a key whose time was over.
    Replaced,
    /// There is none for it.
    NoSlot,
}

impl Table {
    /// A table with room for this many keys at its full size.
    pub(super) fn new(most_keys: usize) -> Self {
        let rows = (most_keys.min(MOST_WORDS) * 10).div_ceil(SLOTS * TENTHS).max(1);
        let (mut columns, mut doublings) = (rows, 0);
        while columns >= 2 * COLUMNS && doublings < DOUBLINGS {
            columns = columns.div_ceil(2);
            doublings += 1;
        }
        Self {
            columns,
            most_doublings: u32::try_from(doublings).unwrap_or_default(),
            doublings: AtomicU32::new(0),
            segments: [const { OnceLock::new() }; DOUBLINGS + 1],
        }
    }

    /// Where this key stands.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_single`.
    #[inline(always)]
    pub(super) fn find(&self, fingerprint: Fingerprint) -> Option<Slot<'_>> {
        let (group, column) = self.home(fingerprint, self.doublings.load(Ordering::Acquire));
        let own = self.row(group, column)?;
        if let Some(slot) = own.find(fingerprint) {
            return Some(slot);
        }
        let reach = own.reach.load(Ordering::Relaxed);
        if reach == 0 { None } else { self.find_beyond(fingerprint, group, column, reach) }
    }

    /// Where this key most likely stands, for those who read it by [`Slot::read_class`]: half of the fingerprint is
    /// compared, and only in the key's own row.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_single`.
    #[inline(always)]
    pub(super) fn guess(&self, fingerprint: Fingerprint) -> Option<Slot<'_>> {
        let (group, column) = self.home(fingerprint, self.doublings.load(Ordering::Acquire));
        let row = self.row(group, column)?;
        let place = row.places.get(usize::try_from(row.alike(fingerprint).trailing_zeros()).ok()?)?;
        Some(Slot { fingerprint, place })
    }

    #[cold]
    fn find_beyond(
        &self,
        fingerprint: Fingerprint,
        group: usize,
        column: usize,
        reach: u64,
    ) -> Option<Slot<'_>> {
        let reach = usize::try_from(reach).unwrap_or_default();
        (1..=reach).find_map(|step| self.row(group, (column + step) % self.columns)?.find(fingerprint))
    }

    /// Reads from a key's row, so that its lines are near when it is looked for. The sum says nothing.
    pub(super) fn touch(&self, fingerprint: Fingerprint) -> u64 {
        let (group, column) = self.home(fingerprint, self.doublings.load(Ordering::Acquire));
        self.row(group, column).map_or(0, |row| {
            row.places[0].high.load(Ordering::Relaxed).wrapping_add(row.reach.load(Ordering::Relaxed))
        })
    }

    /// Puts a key that is not here; one whose time is over by `now` may make room.
    pub(super) fn put(&self, fingerprint: Fingerprint, word: Word, now: u64) -> Put {
        // Who comes back finds its slot again as long as there is another for the new key.
        let ways = [Put::Inserted, Put::Replaced];
        self.put_after(self.doublings.load(Ordering::Acquire), &ways, fingerprint, word, now)
    }

    /// Puts a key that is not here where the time of another is over; whether there was one.
    pub(super) fn replace(&self, fingerprint: Fingerprint, word: Word, now: u64) -> bool {
        let doublings = self.doublings.load(Ordering::Acquire);
        self.put_after(doublings, &[Put::Replaced], fingerprint, word, now) == Put::Replaced
    }

    fn put_after(&self, doublings: u32, ways: &[Put], fingerprint: Fingerprint, word: Word, now: u64) -> Put {
        let (group, column) = self.home(fingerprint, doublings);
        self.segments[0].get_or_init(|| rows(self.columns));
        let Some(own) = self.row(group, column) else {
            return Put::NoSlot;
        };
        for &wanted in ways {
            for step in 0..=FARTHEST.min(self.columns - 1) {
                let Some(row) = self.row(group, (column + step) % self.columns) else {
                    continue;
                };
                if let Some(slot) = row.slots().find(|slot| slot.is_free(wanted, word, now)) {
                    slot.fill(fingerprint, word);
                    own.reach.fetch_max(u64::try_from(step).unwrap_or_default(), Ordering::Relaxed);
                    return wanted;
                }
            }
        }
        Put::NoSlot
    }

    /// How many keys it may hold before it should double.
    pub(super) fn comfortable(&self) -> usize {
        self.rows() * SLOTS * TENTHS / 10
    }

    /// Whether it can double.
    pub(super) fn can_double(&self) -> bool {
        self.doublings.load(Ordering::Acquire) < self.most_doublings
    }

    /// Doubles it; what is over by `now` is left out, and what finds no slot is handed to `homeless`. Returns how many
    /// stay. Costs some ten nanoseconds a key.
    pub(super) fn double(&self, now: u64, mut homeless: impl FnMut(Fingerprint, Word)) -> usize {
        let doublings = self.doublings.load(Ordering::Acquire);
        let groups = 1_usize << doublings;
        if let Some(segment) = usize::try_from(doublings).ok().and_then(|at| self.segments.get(at + 1)) {
            segment.get_or_init(|| rows(groups * self.columns));
        }
        let (mut kept, mut moving) = (0, Vec::new());
        for group in 0..groups {
            for column in 0..self.columns {
                if let Some(row) = self.row(group, column) {
                    for slot in row.slots() {
                        if slot.fingerprint.low & (1 << doublings) != 0 {
                            moving.extend(slot.take(now));
                        } else if slot.read().is_some() && !slot.forget_if_over(now) {
                            kept += 1;
                        }
                    }
                }
            }
            for (fingerprint, word) in moving.drain(..) {
                if self.put_after(doublings + 1, &[Put::Inserted], fingerprint, word, now) == Put::NoSlot {
                    homeless(fingerprint, word);
                } else {
                    kept += 1;
                }
            }
        }
        self.doublings.store(doublings + 1, Ordering::Release);
        kept
    }

    /// Rows that there are.
    pub(super) fn rows(&self) -> usize {
        self.columns << self.doublings.load(Ordering::Acquire)
    }

    /// Forgets what is over by `now` in one row; how many went.
    pub(super) fn sweep_row(&self, index: usize, now: u64) -> usize {
        let row = self.row(index / self.columns, index % self.columns);
        row.map_or(0, |row| row.slots().filter(|slot| slot.forget_if_over(now)).count())
    }

    /// What it keeps.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Fingerprint, Word)> + '_ {
        let rows = self.segments.iter().filter_map(OnceLock::get).flat_map(|rows| rows.iter());
        rows.flat_map(Row::slots).filter_map(|slot| Some((slot.fingerprint, slot.read()?)))
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        for row in self.segments.iter().filter_map(OnceLock::get).flat_map(|rows| rows.iter()) {
            row.slots().for_each(|slot| {
                slot.vacate();
            });
        }
    }

    /// A key's group and column.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_single`.
    #[inline(always)]
    fn home(&self, fingerprint: Fingerprint, doublings: u32) -> (usize, usize) {
        let group = fingerprint.low & ((1 << doublings) - 1);
        // A number below 2^32, times the columns, over 2^32: below the columns.
        let column =
            ((fingerprint.high & 0xFFFF_FFFF) * u64::try_from(self.columns).unwrap_or_default()) >> 32;
        (usize::try_from(group).unwrap_or_default(), usize::try_from(column).unwrap_or_default())
    }

    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_single`.
    #[inline(always)]
    fn row(&self, group: usize, column: usize) -> Option<&Row> {
        let segment = usize::BITS - group.leading_zeros();
        let first = if segment == 0 { 0 } else { 1 << (segment - 1) };
        let rows = self.segments.get(usize::try_from(segment).ok()?)?.get()?;
        rows.get((group - first) * self.columns + column)
    }
}

impl Row {
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_single`.
    #[inline(always)]
    fn find(&self, fingerprint: Fingerprint) -> Option<Slot<'_>> {
        let mut alike = self.alike(fingerprint);
        while alike != 0 {
            let place = self.places.get(usize::try_from(alike.trailing_zeros()).ok()?)?;
            if place.low.load(Ordering::Relaxed) == fingerprint.low {
                return Some(Slot { fingerprint, place });
            }
            alike &= alike - 1;
        }
        None
    }

    /// A bit for each place with the first half of this fingerprint.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_single`.
    #[inline(always)]
    fn alike(&self, fingerprint: Fingerprint) -> u32 {
        // Without a branch for each slot: which of them it is cannot be guessed.
        let mut alike = 0;
        for (at, place) in self.places.iter().enumerate() {
            alike |= u32::from(place.high.load(Ordering::Relaxed) == fingerprint.high) << at;
        }
        alike
    }

    /// Every slot, with the key that stands there.
    fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        self.places.iter().map(|place| {
            let [high, low] = [&place.high, &place.low].map(|half| half.load(Ordering::Relaxed));
            Slot { fingerprint: Fingerprint { high, low }, place }
        })
    }
}

impl Slot<'_> {
    /// Takes out what is still worth something, and forgets the rest.
    fn take(&self, now: u64) -> Option<(Fingerprint, Word)> {
        let word = self.vacate();
        (!word.is_vacant() && !word.is_over(now)).then_some((self.fingerprint, word))
    }

    /// Whether a key may be put here: there is none, or (and then it is gone) one whose time is over.
    fn is_free(&self, wanted: Put, word: Word, now: u64) -> bool {
        let found = Word::of_bits(self.place.word.load(Ordering::Acquire));
        if found.arrival() >= word.arrival() {
            return false;
        }
        match wanted {
            Put::Inserted => found.is_vacant(),
            Put::Replaced => !found.is_vacant() && found.is_over(now) && self.swap(found, found.vacated()),
            Put::NoSlot => false,
        }
    }

    fn forget_if_over(&self, now: u64) -> bool {
        let word = Word::of_bits(self.place.word.load(Ordering::Acquire));
        let is_over = !word.is_vacant() && word.is_over(now) && self.swap(word, word.vacated());
        if is_over {
            self.vacate();
        }
        is_over
    }
}

fn rows(count: usize) -> Box<[Row]> {
    (0..count).map(|_| Row::default()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::word::Arrival;
    use super::*;

    /// Two keys of one row, whose first hits came at the same instant by a coarse clock, or one that stands still.
    #[test]
    fn a_swap_never_charges_another_key_that_took_the_slot() {
        let word = |micros| Word::new(Arrival::at(micros), 1);
        let (one, other) = (Fingerprint { high: 1, low: 0 }, Fingerprint { high: 2, low: 0 });
        let table = Table::new(4);
        assert_eq!(table.put(one, word(5), 0), Put::Inserted);
        let slot = table.find(one).expect("it was put");
        let read = slot.read().expect("it keeps a word");
        // Meanwhile, under the lock: `promote`, `remove` or `evict_one`, then a new key.
        assert_eq!(slot.vacate(), word(5));
        assert_eq!(table.put(other, word(5), 0), Put::Inserted);
        assert!(!slot.swap(read, word(10)), "a hit of one was charged to the other");
    }

    #[test]
    fn a_table_for_any_number_of_keys_starts_small() {
        let table = Table::new(usize::MAX);
        let one = Fingerprint { high: u64::MAX, low: u64::MAX };
        assert_eq!(table.put(one, Word::new(Arrival::at(5), 1), 0), Put::Inserted);
        assert!(table.rows() <= 1 << 12, "{} rows", table.rows());
    }

    /// The same by a doubling alone: one key moves to the new group, the other takes its slot.
    #[test]
    fn a_swap_never_charges_another_key_after_a_doubling() {
        let word = |micros| Word::new(Arrival::at(micros), 1);
        let table = Table::new(4000);
        let (moves, stays) = (Fingerprint { high: 1, low: 1 }, Fingerprint { high: 2, low: 0 });
        assert_eq!(table.put(moves, word(5), 0), Put::Inserted);
        assert_eq!(table.put(stays, word(5), 0), Put::Inserted);
        let slot = table.find(moves).expect("it was put");
        let read = slot.read().expect("it keeps a word");
        assert_eq!(table.double(0, |_, _| panic!("homeless")), 2);
        assert!(!slot.swap(read, word(10)), "a hit of one was charged to the other");
    }
}
