//! The moving window's log: instants with run lengths, in a ring.

use std::collections::VecDeque;

use crate::state::State;
use crate::time::Micros;

/// Totals are counted modulo 2<sup>53</sup>, so that Lua's numbers hold them exactly.
const MODULUS: u64 = 1 << 53;

/// Instants at which units were spent, oldest first, each with the total spent before it.
///
/// A run of units at one instant is one entry. Finding what is in the window takes two binary
/// searches; entries that left go when new ones come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<Entry>,
    total: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    instant: Micros,
    before: u64,
}

impl Log {
    /// What the log comes to at `now` for a hit of `cost` under `amount` per `window`.
    pub(crate) fn measure(&self, now: Micros, window: Micros, amount: u64, cost: u64) -> State {
        let Some(newest) = self.entries.back() else {
            return State::default();
        };
        let far = self.is_from_far_future(now, window);
        let at = now.max(newest.instant);
        let first = self.entries.partition_point(|entry| entry.instant.plus(window) <= at);
        let Some(oldest) = self.entries.get(first) else {
            return State::default();
        };
        let count = difference(self.total, oldest.before);
        let needed = count.saturating_sub(amount.saturating_sub(cost));
        let standing = |instant: Micros| if far { instant.min(now) } else { instant };
        let blocker = self.leaving(first, needed).map_or(0, |instant| standing(instant).get());
        let (newest, oldest) = (standing(newest.instant), standing(oldest.instant));
        State { until: newest.plus(window), a: count, b: blocker, c: oldest.get() }
    }

    /// The entry whose leaving frees at least `needed` units, counted from entry `first`.
    fn leaving(&self, first: usize, needed: u64) -> Option<Micros> {
        if needed == 0 {
            return None;
        }
        let Entry { instant: start, before: oldest } = *self.entries.get(first)?;
        let next = self.entries.partition_point(|entry| {
            // Entries before `first` have left; their totals may even have wrapped.
            entry.instant < start || difference(entry.before, oldest) < needed
        });
        let index = next.checked_sub(1)?;
        self.entries.get(index).map(|entry| entry.instant)
    }

    /// Whether its newest entry lies more than a window ahead: the clock leapt and came back.
    pub(crate) fn is_from_far_future(&self, now: Micros, window: Micros) -> bool {
        self.entries.back().is_some_and(|newest| newest.instant > now.plus(window))
    }

    /// Moves entries later than `now` to `now`.
    pub(crate) fn reanchor(&mut self, now: Micros) {
        for entry in self.entries.iter_mut().rev().take_while(|entry| entry.instant > now) {
            entry.instant = now;
        }
    }

    /// Takes up to `cost` units off the run at `instant`, if that is still in the window; what the log's end becomes then. A run
    /// that is empty goes. Costs a look at every entry after it.
    pub(crate) fn give_back(
        &mut self,
        instant: Micros,
        now: Micros,
        window: Micros,
        cost: u64,
    ) -> Option<Micros> {
        let at = now.max(self.entries.back()?.instant);
        if self.is_from_far_future(now, window) || instant.plus(window) <= at {
            return None;
        }
        let after = self.entries.partition_point(|entry| entry.instant <= instant);
        let place = after.checked_sub(1)?;
        let run = *self.entries.get(place).filter(|entry| entry.instant == instant)?;
        let end = self.entries.get(after).map_or(self.total, |next| next.before);
        let units = difference(end, run.before);
        let taken = cost.min(units);
        for later in self.entries.iter_mut().skip(after) {
            later.before = difference(later.before, taken);
        }
        self.total = difference(self.total, taken);
        if taken == units {
            self.entries.remove(place);
        }
        let until = self.entries.back().map_or(Micros::ZERO, |newest| newest.instant.plus(window));
        (taken > 0).then_some(until)
    }

    /// Everything spent so far.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Its entries, oldest first.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (Micros, u64)> + '_ {
        self.entries.iter().map(|entry| (entry.instant, entry.before))
    }

    /// A log of these entries, oldest first; `None` if they are not in order.
    pub(crate) fn from_slots(slots: Vec<(Micros, u64)>, total: u64) -> Option<Self> {
        let is_sound = slots.is_sorted_by_key(|(instant, _)| *instant) && total < MODULUS;
        let entries = slots.into_iter().map(|(instant, before)| Entry { instant, before }).collect();
        is_sound.then_some(Self { entries, total })
    }

    /// Adds `cost` units at `instant`, which is not before the newest entry, and forgets what left.
    pub(crate) fn push(&mut self, instant: Micros, window: Micros, cost: u64) {
        while self.entries.front().is_some_and(|oldest| oldest.instant.plus(window) <= instant) {
            self.entries.pop_front();
        }
        if self.entries.back().is_none_or(|newest| newest.instant != instant) {
            self.entries.push_back(Entry { instant, before: self.total });
        }
        self.total = (self.total + cost % MODULUS) % MODULUS;
    }
}

fn difference(later: u64, earlier: u64) -> u64 {
    (later + MODULUS - earlier) % MODULUS
}
