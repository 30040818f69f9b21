//! Two cache lines of slots.

use prefetch_index::prefetch_index;

use super::{Place, Slot};
use crate::storage::memory::fingerprint::Fingerprint;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Slots of a row.
pub(super) const SLOTS: usize = 5;

/// Words, and the keys that they belong to. A slot without a word has no key.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(super) struct Row {
    pub(super) places: [Place; SLOTS],
    /// How many rows after this one its keys have been put.
    pub(super) reach: AtomicU64,
}

impl Row {
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(super) fn prefetch(&self) {
        // Both of its cache lines.
        prefetch_index(&self.places, 0);
        prefetch_index(&self.places, SLOTS - 1);
    }

    pub(super) fn find(&self, fingerprint: Fingerprint) -> Option<Slot<'_>> {
        let place = self.places.iter().find(|place| {
            place.high.load(Ordering::Relaxed) == fingerprint.high
                && place.low.load(Ordering::Relaxed) == fingerprint.low
        })?;
        Some(Slot { fingerprint, place })
    }

    /// Every slot, with the key that stands there.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        self.places.iter().map(|place| {
            let [high, low] = [&place.high, &place.low].map(|half| half.load(Ordering::Relaxed));
            Slot { fingerprint: Fingerprint { high, low }, place }
        })
    }
}
