//! How many decisions could not be had, and when that began and ended.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{Event, OnOutage, Telemetry};
use crate::error::StorageErrorKind;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// While an outage lasts it is told again this often at most.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The decisions that could not be had, of one limiter and of the handle that it was built from.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    count: AtomicU64,
    /// Whether a spell is under way: all that is read where nothing is wrong.
    is_out: AtomicBool,
    spells: Mutex<Spells>,
    last: Mutex<Option<(StorageErrorKind, Instant)>>,
    of_handle: Option<Arc<Outages>>,
    telemetry: Telemetry,
}

#[derive(Debug, Default)]
struct Spells {
    under_way: Option<Spell>,
    /// What has happened and is not told yet, in its order.
    untold: VecDeque<Event>,
    /// Whether somebody tells what is untold.
    is_told: bool,
}

/// One outage, from its first decision that could not be had.
#[derive(Debug)]
struct Spell {
    began: Instant,
    latest: Instant,
    told: Instant,
    decisions: u64,
}

/// Whose outage it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whose<'a> {
    pub(crate) of: &'a str,
    pub(crate) storage: &'static str,
    pub(crate) policy: OnOutage,
}

impl Outages {
    /// Those of a handle, told to its hook.
    pub(crate) fn of_handle(telemetry: Telemetry) -> Arc<Self> {
        Arc::new(Self { telemetry, ..Self::default() })
    }

    /// A count that also adds to the handle's.
    pub(crate) fn within(of_handle: Option<Arc<Self>>) -> Arc<Self> {
        let telemetry = of_handle.as_ref().map(|of_handle| of_handle.telemetry.clone()).unwrap_or_default();
        Arc::new(Self { of_handle, telemetry, ..Self::default() })
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Why the latest decision could not be had, and how long ago.
    pub(crate) fn last(&self) -> Option<(StorageErrorKind, Duration)> {
        let last = *lock(&self.last);
        last.map(|(kind, at)| (kind, at.elapsed()))
    }

    /// A decision could not be had from the storage.
    pub(crate) fn failed(&self, whose: Whose<'_>, kind: StorageErrorKind) {
        let now = Instant::now();
        self.add_one(kind, now);
        let Whose { of, storage, policy } = whose;
        let of = || of.to_owned();
        let mut spells = lock(&self.spells);
        let event = match &mut spells.under_way {
            None => {
                spells.under_way = Some(Spell { began: now, latest: now, told: now, decisions: 1 });
                self.is_out.store(true, Ordering::Release);
                Some(Event::OutageBegan { of: of(), storage, policy, kind })
            }
            Some(spell) => {
                spell.decisions += 1;
                spell.latest = now;
                let is_due = now.saturating_duration_since(spell.told) >= TOLD_EVERY;
                is_due.then(|| {
                    spell.told = now;
                    Event::OutageGoesOn { of: of(), storage, policy, kind, decisions: spell.decisions }
                })
            }
        };
        if let Some(event) = event {
            self.tell(spells, event);
        }
    }

    /// The storage decided. Costs one read where nothing was wrong.
    #[inline]
    pub(crate) fn decided<'a>(&self, whose: impl FnOnce() -> Whose<'a>) {
        if self.is_out.load(Ordering::Acquire) {
            self.ended(whose());
        }
    }

    #[cold]
    fn ended(&self, Whose { of, storage, policy }: Whose<'_>) {
        let mut spells = lock(&self.spells);
        let ended = mem::take(&mut spells.under_way);
        self.is_out.store(false, Ordering::Release);
        if let Some(Spell { began, latest, decisions, .. }) = ended {
            let (of, lasted) = (of.to_owned(), latest.saturating_duration_since(began));
            self.tell(spells, Event::OutageEnded { of, storage, policy, decisions, lasted });
        }
    }

    /// Tells in the order in which it happened, and without the lock: what happens while somebody tells is left to that one.
    fn tell<'a>(&'a self, mut spells: MutexGuard<'a, Spells>, event: Event) {
        spells.untold.push_back(event);
        if mem::replace(&mut spells.is_told, true) {
            return;
        }
        let panicking = Panicking(self);
        while let Some(event) = spells.untold.pop_front() {
            drop(spells);
            self.telemetry.tell(&event);
            spells = lock(&self.spells);
        }
        spells.is_told = false;
        mem::forget(panicking);
    }

    fn add_one(&self, kind: StorageErrorKind, now: Instant) {
        self.count.fetch_add(1, Ordering::Relaxed);
        *lock(&self.last) = Some((kind, now));
        if let Some(of_handle) = &self.of_handle {
            of_handle.add_one(kind, now);
        }
    }
}

/// Sees to it that a hook that panics is not the last one that is told anything.
struct Panicking<'a>(&'a Outages);

impl Drop for Panicking<'_> {
    fn drop(&mut self) {
        lock(&self.0.spells).is_told = false;
    }
}

/// What is kept is whole whoever panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_hook_that_panics_is_told_what_happens_next() {
        let told = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&told);
        let outages = Outages::of_handle(Telemetry::of(move |_| {
            assert!(count.fetch_add(1, Ordering::Relaxed) > 0, "the first time it panics");
        }));
        let whose = Whose { of: "api", storage: "test", policy: OnOutage::FailOpen };
        let began = catch_unwind(AssertUnwindSafe(|| outages.failed(whose, StorageErrorKind::Timeout)));
        assert!(began.is_err());
        outages.decided(|| whose);
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}
