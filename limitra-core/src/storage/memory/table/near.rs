//! A key that is looked for later.

use super::row::{Row, SLOTS};
use super::{Place, Slot, Table};
use crate::storage::memory::fingerprint::Fingerprint;
use crate::sync::atomic::Ordering;

/// A key and its own row, which is on its way; later also where it stands there.
#[derive(Clone, Copy)]
pub(in crate::storage::memory) struct Near<'a> {
    pub(super) table: &'a Table,
    pub(super) row: &'a Row,
    pub(super) fingerprint: Fingerprint,
    pub(super) place: Option<&'a Place>,
}

impl<'a> Near<'a> {
    /// Looks for the key in its own row, half of the fingerprint compared. Where it is not there, the next row is brought near.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(in crate::storage::memory) fn look(&mut self) {
        // Without a branch for each slot, for the row is there and which of them it is cannot be guessed.
        let is_alike = |place: &Place| place.high.load(Ordering::Relaxed) == self.fingerprint.high;
        let alike = (0..)
            .zip(&self.row.places)
            .fold(0, |alike, (at, place)| alike | u32::from(is_alike(place)) << at);
        self.place = self.row.places.get(usize::try_from(alike.trailing_zeros()).unwrap_or(SLOTS));
        if self.place.is_none() {
            self.bring_next_near();
        }
    }

    /// Nearly all that do not stand in their own row stand in the next one.
    #[cold]
    #[inline(never)]
    fn bring_next_near(&self) {
        if let Some(row) = self.table.row(self.table.home(self.fingerprint).beyond(1)) {
            row.prefetch();
        }
    }

    /// Where it stands, in another row too. Whoever goes on with it compares the whole key.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(in crate::storage::memory) fn slot(&self) -> Option<Slot<'a>> {
        match self.place {
            Some(place) => Some(Slot { fingerprint: self.fingerprint, place }),
            None => self.table.find(self.fingerprint),
        }
    }
}
