//! A key that never moves.

use std::sync::Arc;

use super::row::Row;
use super::{Slot, Table};
use crate::storage::memory::fingerprint::Fingerprint;
use crate::storage::memory::word::Word;
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// Where the word of a key that never moves stood last, with the rows at hand.
///
/// Anybody may note it anew: whoever looks there compares the key.
#[derive(Debug)]
pub(in crate::storage::memory) struct Spot {
    /// The table's first group.
    rows: OnceLock<Arc<[Row]>>,
    /// The row, times `STRIDE`, and the slot.
    number: AtomicUsize,
}

impl Spot {
    /// A power of two, from which slots count on.
    const STRIDE: usize = 8;

    pub(in crate::storage::memory) fn new() -> Self {
        Self { rows: OnceLock::new(), number: AtomicUsize::new(0) }
    }

    /// The slot, and the word there. Whoever goes on with it compares the key.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(in crate::storage::memory) fn look(&self, fingerprint: Fingerprint) -> Option<(Slot<'_>, Word)> {
        let number = self.number.load(Ordering::Relaxed);
        let row = self.rows.get()?.get(number / Self::STRIDE)?;
        let place = row.places.get(number % Self::STRIDE)?;
        Some((Slot { fingerprint, place }, Word::of_bits(place.word.load(Ordering::Acquire))))
    }

    /// Notes where a key that never moves stands by now.
    pub(in crate::storage::memory) fn note(&self, table: &Table, fingerprint: Fingerprint) {
        let [first, ..] = &table.segments;
        let (Some(rows), Some(slot)) = (first.get(), table.find(fingerprint)) else {
            return;
        };
        let in_row = |row: &Row| row.places.iter().position(|place| std::ptr::eq(place, slot.place));
        let number = rows.iter().enumerate().find_map(|(row, its)| Some(row * Self::STRIDE + in_row(its)?));
        if let Some(number) = number {
            self.rows.get_or_init(|| Arc::clone(rows));
            self.number.store(number, Ordering::Relaxed);
        }
    }
}
