//! How many decisions could not be had, and when that began and ended.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Event, OnOutage, Telemetry};
use crate::error::StorageErrorKind;

/// While an outage lasts it is told again this often at most.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The decisions that could not be had, of one limiter and of the handle that it was built from.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    count: AtomicU64,
    /// Whether a spell is under way: all that is read where nothing is wrong.
    is_out: AtomicBool,
    spell: Mutex<Option<Spell>>,
    last: Mutex<Option<(StorageErrorKind, Instant)>>,
    of_handle: Option<Arc<Outages>>,
    telemetry: Telemetry,
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
        let mut spell = lock(&self.spell);
        let event = match &mut *spell {
            None => {
                *spell = Some(Spell { began: now, latest: now, told: now, decisions: 1 });
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
        drop(spell);
        if let Some(event) = event {
            self.telemetry.tell(&event);
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
        let mut spell = lock(&self.spell);
        let ended = mem::take(&mut *spell);
        self.is_out.store(false, Ordering::Release);
        drop(spell);
        if let Some(Spell { began, latest, decisions, .. }) = ended {
            let (of, lasted) = (of.to_owned(), latest.saturating_duration_since(began));
            self.telemetry.tell(&Event::OutageEnded { of, storage, policy, decisions, lasted });
        }
    }

    fn add_one(&self, kind: StorageErrorKind, now: Instant) {
        self.count.fetch_add(1, Ordering::Relaxed);
        *lock(&self.last) = Some((kind, now));
        if let Some(of_handle) = &self.of_handle {
            of_handle.add_one(kind, now);
        }
    }
}

/// What is kept is whole whoever panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
