//! Where one key stands, and its word.

use super::Put;
use crate::storage::memory::fingerprint::Fingerprint;
use crate::storage::memory::word::Word;
use crate::sync::atomic::{AtomicU64, Ordering};

/// One key and its word.
#[derive(Debug, Default)]
pub(in crate::storage::memory) struct Place {
    pub(super) high: AtomicU64,
    pub(super) low: AtomicU64,
    pub(super) word: AtomicU64,
}

/// Where a key stood when it was found.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage::memory) struct Slot<'a> {
    pub(super) fingerprint: Fingerprint,
    pub(super) place: &'a Place,
}

impl<'a> Slot<'a> {
    /// The place of a key.
    pub(in crate::storage::memory) const fn of(fingerprint: Fingerprint, place: &'a Place) -> Self {
        Self { fingerprint, place }
    }

    /// What it is made of: few enough words for registers.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(in crate::storage::memory) const fn apart(self) -> (Fingerprint, &'a Place) {
        (self.fingerprint, self.place)
    }
}

impl Slot<'_> {
    /// What it keeps, if the slot is still this key's. Nothing but a swap can say that it is a moment later.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(in crate::storage::memory) fn read(&self) -> Option<Word> {
        // A slot changes hands only while its word is vacant, and the word is written after the key: who has read the
        // new owner's word reads the new owner's key.
        let word = Word::of_bits(self.place.word.load(Ordering::Acquire));
        let is_own = self.place.high.load(Ordering::Relaxed) == self.fingerprint.high
            && self.place.low.load(Ordering::Relaxed) == self.fingerprint.low;
        (is_own && !word.is_vacant()).then_some(word)
    }

    /// What it keeps now, whosever it is.
    #[inline]
    pub(in crate::storage::memory) fn peek(&self) -> Word {
        Word::of_bits(self.place.word.load(Ordering::Acquire))
    }

    /// Whether a word that was read here before is this key's, and of this class, which is not 0: with a single branch.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(in crate::storage::memory) fn is_of(&self, word: Word, class: u64) -> bool {
        let high = self.place.high.load(Ordering::Relaxed) ^ self.fingerprint.high;
        let low = self.place.low.load(Ordering::Relaxed) ^ self.fingerprint.low;
        high | low | (word.class() ^ class) == 0
    }

    /// Whether nothing has changed since it was read.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(in crate::storage::memory) fn still_keeps(&self, word: Word) -> bool {
        self.place.word.load(Ordering::Acquire) == word.bits()
    }

    /// Replaces what it keeps, unless that has changed.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(in crate::storage::memory) fn swap(&self, from: Word, to: Word) -> bool {
        self.place.word.compare_exchange(from.bits(), to.bits(), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Takes the word away, and the key. Only under the shard's lock.
    pub(in crate::storage::memory) fn vacate(&self) -> Word {
        let word = Word::of_bits(
            self.place.word.fetch_and(Word::of_bits(u64::MAX).vacated().bits(), Ordering::AcqRel),
        );
        self.place.high.store(0, Ordering::Relaxed);
        self.place.low.store(0, Ordering::Relaxed);
        word
    }

    /// Puts a key here. Only under the shard's lock, and where there is none.
    pub(super) fn fill(&self, fingerprint: Fingerprint, word: Word) {
        self.place.high.store(fingerprint.high, Ordering::Relaxed);
        self.place.low.store(fingerprint.low, Ordering::Relaxed);
        self.place.word.store(word.bits(), Ordering::Release);
    }

    /// Takes out what is still worth something, and forgets the rest.
    pub(super) fn take(&self, now: u64) -> Option<(Fingerprint, Word)> {
        let word = self.vacate();
        (!word.is_vacant() && !word.is_over(now)).then_some((self.fingerprint, word))
    }

    /// Whether a key may be put here: there is none, or (and then it is gone) one whose time is over.
    pub(super) fn is_free(&self, wanted: Put, word: Word, now: u64) -> bool {
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

    pub(super) fn forget_if_over(&self, now: u64) -> bool {
        let word = Word::of_bits(self.place.word.load(Ordering::Acquire));
        let is_over = !word.is_vacant() && word.is_over(now) && self.swap(word, word.vacated());
        if is_over {
            self.vacate();
        }
        is_over
    }
}
