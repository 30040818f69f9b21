//! Decisions one after the other, whose rows are asked for ahead.

use std::{mem, slice};

use prefetch_index::prefetch_index;

use super::single::InClass;
use super::table::Near;
use super::{Charged, MemoryStorage, Prepared};
use crate::attempt::Mode;
use crate::identifier::Identifier;

/// How many decisions ahead the text of an identifier is asked for.
const NAMES_AHEAD: usize = 24;
/// How many decisions ahead a row is asked for: two cache lines each, as many as a processor waits for at once.
const ROWS_AHEAD: usize = 16;
/// How many decisions ahead a row is looked through.
const SLOTS_AHEAD: usize = 8;

/// Hits of one unit each, decided in their order, while what the next ones need comes near.
pub(crate) struct Lookahead<'k, 'i> {
    memory: &'k MemoryStorage,
    prepared: &'k Prepared,
    coming: slice::Iter<'k, [Identifier<'i>; 1]>,
    /// A ring.
    near: [Option<Near<'k>>; ROWS_AHEAD],
    decided: usize,
    /// When its clock was read last, and for how many decisions that is good.
    now: u64,
    good_for: usize,
}

impl<'k, 'i> Lookahead<'k, 'i> {
    pub(crate) fn new(
        memory: &'k MemoryStorage,
        prepared: &'k Prepared,
        asked: &'k [[Identifier<'i>; 1]],
    ) -> Self {
        for name in asked.iter().take(NAMES_AHEAD).flatten() {
            prefetch_index(name.as_bytes(), 0);
        }
        let (mut coming, mut near) = (asked.iter(), [None; ROWS_AHEAD]);
        for (near, parts) in near.iter_mut().zip(&mut coming) {
            *near = prepared.bring_near(parts);
        }
        near.iter_mut().take(SLOTS_AHEAD).flatten().for_each(Near::look);
        Self { memory, prepared, coming, near, decided: 0, now: 0, good_for: 0 }
    }

    /// Decides the next one where it has a word and that can answer; else `None`, and nothing has happened.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(crate) fn decide_next(&mut self) -> Option<Charged> {
        let at = self.decided;
        self.decided += 1;
        if let Some(Some(near)) = self.near.get_mut((at + SLOTS_AHEAD) % ROWS_AHEAD) {
            near.look();
        }
        let prepared = self.prepared;
        if let Some([name]) = self.coming.as_slice().get(NAMES_AHEAD - ROWS_AHEAD) {
            prefetch_index(name.as_bytes(), 0);
        }
        let next = self.coming.next().and_then(|parts| prepared.bring_near(parts));
        let near = self.near.get_mut(at % ROWS_AHEAD).and_then(|near| mem::replace(near, next));
        let slot = near.and_then(|near| near.slot());
        if self.good_for == 0 {
            (self.now, self.good_for) = (self.memory.inner.clock.elapsed(), ROWS_AHEAD);
        }
        self.good_for -= 1;
        let (number, class, now) = (prepared.number, &prepared.class, self.now);
        let asked = InClass { number, class, cost: 1, mode: Mode::Hit, now, is_late: false };
        let charged = slot.and_then(|slot| self.memory.charge(slot, slot.peek(), &asked));
        if !charged.is_some_and(|charged| charged.allowed) {
            // A refusal is told to the log, and who is decided elsewhere waits for a lock: time goes by.
            self.good_for = 0;
        }
        charged
    }
}
