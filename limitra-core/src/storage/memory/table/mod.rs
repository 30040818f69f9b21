//! Buckets of single rules, a word each, found and charged without a lock.

mod near;
mod row;
mod slot;
mod spot;

use std::array;
use std::sync::Arc;

use super::fingerprint::Fingerprint;
use super::word::Word;
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicU64, Ordering};
pub(super) use near::Near;
use row::Row;
pub(super) use slot::{Place, Slot};
pub(super) use spot::Spot;

/// How many rows after its own a key may stand in.
const FARTHEST: usize = 3;
/// How many keys a row is made for: when there are more, the table doubles.
const KEYS_OF_A_ROW: usize = 4;
/// Rows of a group. A table has one group at first.
const GROUP: usize = 8;
/// How many times a table can double: more keys than a shard has. Those that find no slot have records.
const DOUBLINGS: usize = 12;
/// The bits of a fingerprint's second half that may come to name a group. Where they are 0, the key never leaves the first group.
pub(super) const NAMES_OF_GROUPS: u64 = !(u64::MAX >> DOUBLINGS);

/// An open table of fingerprints and words that doubles without moving its rows.
///
/// Whoever holds the shard's lock inserts, removes and doubles; everybody finds and charges at any time. A row is two
/// cache lines. A key's own row is one of a group, by the last bits of its fingerprint; where that is full, it stands in one of
/// the next rows of its group. The first bits say which group: as many bits as the table has doubled. When it doubles, the
/// keys whose next bit is set move to new groups.
#[derive(Debug)]
pub(super) struct Table {
    most_doublings: u32,
    /// The bits of a fingerprint that name a group: the first ones, one for each doubling.
    group_bits: AtomicU64,
    /// The first group, and those that each doubling added.
    segments: [OnceLock<Arc<[Row]>>; DOUBLINGS + 1],
}

/// A key's own row.
#[derive(Clone, Copy, Debug)]
struct Home {
    segment: usize,
    /// The first row of its group, in the segment.
    group: usize,
    column: usize,
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
        let groups = most_keys.div_ceil(KEYS_OF_A_ROW * GROUP).clamp(1, 1 << DOUBLINGS);
        Self {
            most_doublings: groups.next_power_of_two().ilog2(),
            group_bits: AtomicU64::new(0),
            segments: array::from_fn(|_| OnceLock::new()),
        }
    }

    /// Where this key stands.
    pub(super) fn find(&self, fingerprint: Fingerprint) -> Option<Slot<'_>> {
        let home = self.home(fingerprint);
        let own = self.row(home)?;
        if let Some(slot) = own.find(fingerprint) {
            return Some(slot);
        }
        let reach = usize::try_from(own.reach.load(Ordering::Relaxed)).unwrap_or_default();
        (1..=reach).find_map(|step| self.row(home.beyond(step))?.find(fingerprint))
    }

    /// Where this key most likely stands, and the word there: half of the fingerprint is compared in the key's own row. Whoever
    /// goes on with it compares the rest.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(super) fn guess(&self, fingerprint: Fingerprint) -> Option<(Slot<'_>, Word)> {
        let row = self.own_row(fingerprint)?;
        // A branch for each slot: while the row is waited for the processor guesses, and goes ahead to what comes next.
        match row.places.iter().find(|place| place.high.load(Ordering::Relaxed) == fingerprint.high) {
            Some(place) => {
                Some((Slot { fingerprint, place }, Word::of_bits(place.word.load(Ordering::Acquire))))
            }
            None => self.look_beyond(fingerprint),
        }
    }

    /// Has a key's own row brought near, without waiting for it.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(super) fn bring_near(&self, fingerprint: Fingerprint) -> Option<Near<'_>> {
        let row = self.row(self.home(fingerprint))?;
        row.prefetch();
        Some(Near { table: self, row, fingerprint, place: None })
    }

    #[cold]
    #[inline(never)]
    fn look_beyond(&self, fingerprint: Fingerprint) -> Option<(Slot<'_>, Word)> {
        let slot = self.find(fingerprint)?;
        Some((slot, slot.peek()))
    }

    /// Puts a key that is not here; one whose time is over by `now` may make room.
    pub(super) fn put(&self, fingerprint: Fingerprint, word: Word, now: u64) -> Put {
        // Who comes back finds its slot again as long as there is another for the new key.
        self.put_at(self.home(fingerprint), &[Put::Inserted, Put::Replaced], fingerprint, word, now)
    }

    /// Puts a key that is not here where the time of another is over; whether there was one.
    pub(super) fn replace(&self, fingerprint: Fingerprint, word: Word, now: u64) -> bool {
        self.put_at(self.home(fingerprint), &[Put::Replaced], fingerprint, word, now) == Put::Replaced
    }

    fn put_at(&self, home: Home, ways: &[Put], fingerprint: Fingerprint, word: Word, now: u64) -> Put {
        self.segments[0].get_or_init(|| rows(1));
        let Some(own) = self.row(home) else {
            return Put::NoSlot;
        };
        for &wanted in ways {
            for step in 0..=FARTHEST {
                let Some(row) = self.row(home.beyond(step)) else {
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
        (GROUP * KEYS_OF_A_ROW) << self.doublings()
    }

    /// Whether it can double.
    pub(super) fn can_double(&self) -> bool {
        self.doublings() < self.most_doublings
    }

    /// Doubles it; what is over by `now` is left out, and what finds no slot is handed to `homeless`. Returns how many
    /// stay. Costs some ten nanoseconds a key.
    pub(super) fn double(&self, now: u64, mut homeless: impl FnMut(Fingerprint, Word)) -> usize {
        let doublings = self.doublings();
        let next_bit = (1 << (u64::BITS - 1)) >> doublings;
        let widened = self.group_bits.load(Ordering::Acquire) | next_bit;
        let (mut kept, mut moving) = (0, Vec::new());
        for row in self.all_rows() {
            for slot in row.slots() {
                if slot.fingerprint.low & next_bit != 0 {
                    moving.extend(slot.take(now));
                } else if slot.read().is_some() && !slot.forget_if_over(now) {
                    kept += 1;
                }
            }
        }
        if let Some(segment) = usize::try_from(doublings).ok().and_then(|last| self.segments.get(last + 1)) {
            segment.get_or_init(|| rows(1 << doublings));
        }
        for (fingerprint, word) in moving {
            let home = Home::of(fingerprint, widened);
            if self.put_at(home, &[Put::Inserted], fingerprint, word, now) == Put::NoSlot {
                homeless(fingerprint, word);
            } else {
                kept += 1;
            }
        }
        self.group_bits.store(widened, Ordering::Release);
        kept
    }

    fn doublings(&self) -> u32 {
        self.group_bits.load(Ordering::Acquire).count_ones()
    }

    /// Forgets what is over by `now`; how many went.
    pub(super) fn sweep(&self, now: u64) -> usize {
        self.all_rows().flat_map(Row::slots).filter(|slot| slot.forget_if_over(now)).count()
    }

    /// What it keeps.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Fingerprint, Word)> + '_ {
        self.all_rows().flat_map(Row::slots).filter_map(|slot| Some((slot.fingerprint, slot.read()?)))
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.all_rows().flat_map(Row::slots).for_each(|slot| {
            slot.vacate();
        });
    }

    fn all_rows(&self) -> impl Iterator<Item = &Row> {
        self.segments.iter().filter_map(OnceLock::get).flat_map(|rows| rows.iter())
    }

    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    fn home(&self, fingerprint: Fingerprint) -> Home {
        Home::of(fingerprint, self.group_bits.load(Ordering::Acquire))
    }

    /// A key's own row.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    fn own_row(&self, fingerprint: Fingerprint) -> Option<&Row> {
        let [first, ..] = &self.segments;
        match self.group_bits.load(Ordering::Acquire) {
            // A branch of its own, for the processor guesses it: where there is one group, no number is waited for.
            0 => first.get()?.get(Home::of(fingerprint, 0).column),
            bits => self.row(Home::of(fingerprint, bits)),
        }
    }

    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    fn row(&self, home: Home) -> Option<&Row> {
        self.segments.get(home.segment)?.get()?.get(home.row())
    }
}

impl Home {
    /// The last of the set bits says by which doubling the group came, those before it which it is of those.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    fn of(fingerprint: Fingerprint, group_bits: u64) -> Self {
        let group = fingerprint.low & group_bits;
        let last = group.trailing_zeros();
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            segment: whole(u64::from(u64::BITS - last)),
            // Of the first group no bit is set: a shift by all bits is one by none.
            group: whole(group.wrapping_shr(last) >> 1).wrapping_mul(GROUP),
            column: whole(fingerprint.low) % GROUP,
        }
    }

    /// The row some steps after this one, in its group.
    fn beyond(self, steps: usize) -> Self {
        Self { column: (self.column + steps) % GROUP, ..self }
    }

    #[inline]
    const fn row(self) -> usize {
        self.group | self.column
    }
}

fn rows(groups: usize) -> Arc<[Row]> {
    (0..groups * GROUP).map(|_| Row::default()).collect()
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
        assert_eq!(table.all_rows().count(), GROUP);
    }

    #[test]
    fn a_key_whose_fingerprint_names_no_group_stays_at_its_spot_whatever_doubles() {
        let word = Word::new(Arrival::at(5), 1);
        let (table, spot) = (Table::new(usize::MAX), Spot::new());
        let (nobody, other) =
            (Fingerprint { high: 1, low: !NAMES_OF_GROUPS }, Fingerprint { high: 2, low: 7 });
        assert_eq!(table.put(other, word, 0), Put::Inserted);
        assert_eq!(table.put(nobody, word, 0), Put::Inserted);
        spot.note(&table, nobody);
        while table.can_double() {
            assert_eq!(table.double(0, |_, _| panic!("homeless")), 2);
            let (stands, found) = spot.look(nobody).expect("it was noted");
            assert_eq!((stands.read(), found), (Some(word), word));
            assert!(table.find(nobody).is_some());
        }
    }

    /// The same by a doubling alone: one key moves to the new group, the other takes its slot.
    #[test]
    fn a_swap_never_charges_another_key_after_a_doubling() {
        let word = |micros| Word::new(Arrival::at(micros), 1);
        let table = Table::new(4000);
        let (moves, stays) = (Fingerprint { high: 1, low: 1 << 63 }, Fingerprint { high: 2, low: 0 });
        assert_eq!(table.put(moves, word(5), 0), Put::Inserted);
        assert_eq!(table.put(stays, word(5), 0), Put::Inserted);
        let slot = table.find(moves).expect("it was put");
        let read = slot.read().expect("it keeps a word");
        assert_eq!(table.double(0, |_, _| panic!("homeless")), 2);
        assert!(!slot.swap(read, word(10)), "a hit of one was charged to the other");
    }
}
