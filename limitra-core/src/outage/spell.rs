//! How many decisions could not be had, and when that began and ended.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{Event, OnOutage, Telemetry};
use crate::error::{StorageError, StorageErrorKind};
use crate::measured;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// While an outage lasts it is told again this often at most.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// So many outages of one limiter are told in that time, so that decisions that fail now and then are not told each.
const MOST_TOLD: u32 = 3;

/// The decisions that could not be had, of one limiter and of the handle that it was built from.
#[derive(Debug)]
pub(crate) struct Outages {
    count: AtomicU64,
    /// Whether a spell is under way: all that is read where nothing is wrong.
    is_out: AtomicBool,
    state: Mutex<State>,
    last: Mutex<Option<(StorageErrorKind, Instant)>>,
    /// Of a handle: how many of its limiters are out.
    limiters_out: AtomicU64,
    of_handle: Option<Arc<Outages>>,
    telemetry: Telemetry,
}

#[derive(Debug, Default)]
struct State {
    spell: Option<Spell>,
    /// Since when spells are counted that were told, and how many there were.
    told: Option<(Instant, u32)>,
    /// What has happened and is not told yet, in its order.
    untold: VecDeque<Event>,
    /// Whether somebody tells what is untold.
    is_telling: bool,
}

/// One outage, from its first decision that could not be had.
#[derive(Debug)]
struct Spell {
    of: String,
    storage: &'static str,
    began: Instant,
    latest: Instant,
    /// The latest time, if ever.
    told: Option<Instant>,
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
        Arc::new(Self::new(None, telemetry))
    }

    /// A count that also adds to the handle's.
    pub(crate) fn within(of_handle: Option<Arc<Self>>) -> Arc<Self> {
        let telemetry = of_handle.as_ref().map(|of_handle| of_handle.telemetry.clone()).unwrap_or_default();
        Arc::new(Self::new(of_handle, telemetry))
    }

    fn new(of_handle: Option<Arc<Self>>, telemetry: Telemetry) -> Self {
        Self {
            count: AtomicU64::new(0),
            is_out: AtomicBool::new(false),
            state: Mutex::default(),
            last: Mutex::new(None),
            limiters_out: AtomicU64::new(0),
            of_handle,
            telemetry,
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Of a handle: how many of its limiters are out.
    pub(crate) fn limiters_out(&self) -> u64 {
        self.limiters_out.load(Ordering::Relaxed)
    }

    /// Why the latest decision could not be had, and how long ago.
    pub(crate) fn last(&self) -> Option<(StorageErrorKind, Duration)> {
        let last = *lock(&self.last);
        last.map(|(kind, at)| (kind, at.elapsed()))
    }

    /// A decision could not be had from the storage.
    pub(crate) fn failed(&self, whose: Whose<'_>, error: &StorageError) {
        measured::undecided(whose.storage, error.kind());
        let now = Instant::now();
        self.add_one(error.kind(), now);
        let mut state = lock(&self.state);
        let event = self.failed_at(&mut state, whose, error, now);
        self.tell(state, event);
    }

    /// The same at an instant: what there is to tell.
    fn failed_at(
        &self,
        state: &mut State,
        whose: Whose<'_>,
        error: &StorageError,
        now: Instant,
    ) -> Option<Event> {
        let State { spell, told, .. } = state;
        let spell = spell.get_or_insert_with(|| {
            self.is_out.store(true, Ordering::Release);
            self.out(whose.storage, whose.of, true);
            Spell::new(whose, now)
        });
        spell.decisions += 1;
        spell.latest = now;
        spell.due(told, now).then(|| spell.told(whose, error, now))
    }

    /// The storage decided. Costs one read where nothing was wrong.
    #[inline]
    pub(crate) fn decided<'a>(&self, whose: impl FnOnce() -> Whose<'a>) {
        if self.is_out.load(Ordering::Acquire) {
            self.end(whose());
        }
    }

    #[cold]
    fn end(&self, whose: Whose<'_>) {
        let mut state = lock(&self.state);
        let event = self.ended(&mut state, whose);
        self.tell(state, event);
    }

    /// What there is to tell; an outage whose beginning was not told ends as quietly.
    fn ended(&self, state: &mut State, Whose { of, storage, policy }: Whose<'_>) -> Option<Event> {
        let ended = state.spell.take();
        self.is_out.store(false, Ordering::Release);
        let Spell { of: began_of, storage: began_at, began, latest, told, decisions } = ended?;
        self.out(began_at, &began_of, false);
        told?;
        let (of, lasted) = (of.to_owned(), latest.saturating_duration_since(began));
        Some(Event::OutageEnded { of, storage, policy, decisions, lasted })
    }

    /// Whether it is out is another thing now.
    fn out(&self, storage: &'static str, of: &str, is_out: bool) {
        measured::outage(storage, of, is_out);
        if let Some(of_handle) = &self.of_handle {
            if is_out {
                of_handle.limiters_out.fetch_add(1, Ordering::Relaxed);
            } else {
                of_handle.limiters_out.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Tells in the order in which it happened, and without the lock: what happens while somebody tells is left to that one.
    fn tell<'a>(&'a self, mut state: MutexGuard<'a, State>, event: Option<Event>) {
        let Some(event) = event else { return };
        state.untold.push_back(event);
        if mem::replace(&mut state.is_telling, true) {
            return;
        }
        let panicking = Panicking(self);
        while let Some(event) = state.untold.pop_front() {
            drop(state);
            self.telemetry.tell(&event);
            state = lock(&self.state);
        }
        state.is_telling = false;
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
        lock(&self.0.state).is_telling = false;
    }
}

impl Drop for Outages {
    /// A limiter that is gone is not out.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Spell { of, storage, .. }) = state.spell.take() {
            self.out(storage, &of, false);
        }
    }
}

impl Spell {
    fn new(whose: Whose<'_>, now: Instant) -> Self {
        let (of, storage) = (whose.of.to_owned(), whose.storage);
        Self { of, storage, began: now, latest: now, told: None, decisions: 0 }
    }

    /// Whether to tell of it now.
    fn due(&self, before: &mut Option<(Instant, u32)>, now: Instant) -> bool {
        let is_over = |since: Instant| now.saturating_duration_since(since) >= TOLD_EVERY;
        if let Some(told) = self.told {
            return is_over(told);
        }
        match before {
            Some((since, count)) if !is_over(*since) => {
                *count = count.saturating_add(1);
                *count <= MOST_TOLD
            }
            _ => {
                *before = Some((now, 1));
                true
            }
        }
    }

    fn told(
        &mut self,
        Whose { of, storage, policy }: Whose<'_>,
        error: &StorageError,
        now: Instant,
    ) -> Event {
        let (of, kind, cause) = (of.to_owned(), error.kind(), error.to_string());
        match self.told.replace(now) {
            None => Event::OutageBegan { of, storage, policy, kind, cause },
            Some(_) => Event::OutageGoesOn { of, storage, policy, kind, cause, decisions: self.decisions },
        }
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

    const WHOSE: Whose<'static> = Whose { of: "api", storage: "redis", policy: OnOutage::FailOpen };

    fn lost() -> StorageError {
        StorageError::new(StorageErrorKind::Unavailable, "redis", "decide")
    }

    fn alone() -> Outages {
        Outages::new(None, Telemetry::default())
    }

    fn failed_at(outages: &Outages, now: Instant) -> Option<Event> {
        outages.failed_at(&mut lock(&outages.state), WHOSE, &lost(), now)
    }

    fn ended(outages: &Outages) -> Option<Event> {
        outages.ended(&mut lock(&outages.state), WHOSE)
    }

    /// What was told, in a word, and of how many decisions.
    fn word(event: Option<Event>) -> Option<(&'static str, u64)> {
        event.map(|event| match event {
            Event::OutageBegan { .. } => ("began", 0),
            Event::OutageGoesOn { decisions, .. } => ("goes on", decisions),
            Event::OutageEnded { decisions, .. } => ("ended", decisions),
            other => panic!("{other}"),
        })
    }

    #[test]
    fn an_outage_that_goes_on_is_told_every_ten_seconds_with_a_count() {
        let (outages, start) = (alone(), Instant::now());
        let told: Vec<(u64, (&str, u64))> = (0..=25)
            .filter_map(|second| {
                let event = failed_at(&outages, start + Duration::from_secs(second));
                Some((second, word(event)?))
            })
            .collect();
        assert_eq!(told, [(0, ("began", 0)), (10, ("goes on", 11)), (20, ("goes on", 21))]);
        assert_eq!(word(ended(&outages)), Some(("ended", 26)));
        assert_eq!(word(ended(&outages)), None);
    }

    #[test]
    fn decisions_that_fail_now_and_then_are_not_told_each() {
        let (outages, start) = (alone(), Instant::now());
        let mut told = 0;
        for milliseconds in 0..20_000 {
            let now = start + Duration::from_millis(milliseconds);
            told += u32::from(failed_at(&outages, now).is_some());
            told += u32::from(ended(&outages).is_some());
        }
        assert_eq!(told, 2 * 2 * MOST_TOLD);
        // One that was not told is told in the end, if it goes on.
        let outages = alone();
        for _ in 0..MOST_TOLD {
            assert!(failed_at(&outages, start).is_some() && ended(&outages).is_some());
        }
        assert_eq!(word(failed_at(&outages, start)), None);
        let later = start + TOLD_EVERY;
        assert_eq!(word(failed_at(&outages, later)), Some(("began", 0)));
    }

    #[test]
    fn a_handle_knows_how_many_of_its_limiters_are_out_and_forgets_those_that_are_gone() {
        let handle = Outages::of_handle(Telemetry::default());
        let (one, other) =
            (Outages::within(Some(Arc::clone(&handle))), Outages::within(Some(Arc::clone(&handle))));
        for _ in 0..2 {
            one.failed(WHOSE, &lost());
            other.failed(WHOSE, &lost());
        }
        assert_eq!((handle.limiters_out(), handle.count()), (2, 4));
        one.decided(|| WHOSE);
        assert_eq!(handle.limiters_out(), 1);
        drop(other);
        assert_eq!(handle.limiters_out(), 0);
    }

    #[test]
    fn a_hook_that_panics_is_told_what_happens_next() {
        let told = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&told);
        let outages = Outages::of_handle(Telemetry::of(move |_| {
            assert!(count.fetch_add(1, Ordering::Relaxed) > 0, "the first time it panics");
        }));
        let began = catch_unwind(AssertUnwindSafe(|| outages.failed(WHOSE, &lost())));
        assert!(began.is_err());
        outages.decided(|| WHOSE);
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}
