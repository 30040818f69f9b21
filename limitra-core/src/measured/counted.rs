//! The metrics. A counter is looked up once in the recorder, by who counts often, and then is one addition.

use std::fmt;
use std::sync::{Arc, OnceLock};

use ::metrics::{Counter, Gauge, counter, gauge};
#[cfg(feature = "redis")]
use ::metrics::{Histogram, histogram};

use super::labels::bounded;
use super::names;
use crate::error::StorageErrorKind;
use crate::pending::Answer;
use crate::storage::ladder::CircuitState;

/// The decisions of one limiter or function.
#[derive(Clone)]
pub(crate) struct Tally(Arc<Counted>);

struct Counted {
    storage: &'static str,
    of: Arc<str>,
    counters: OnceLock<Counters>,
}

struct Counters {
    allowed: Counter,
    exceeded: Counter,
    degraded_allowed: Counter,
    degraded_exceeded: Counter,
    error: Counter,
}

impl Tally {
    pub(crate) fn new(storage: &'static str, of: &Arc<str>) -> Self {
        Self(Arc::new(Counted { storage, of: Arc::clone(of), counters: OnceLock::new() }))
    }

    /// One that a storage made by itself.
    #[inline]
    pub(crate) fn decided(&self, is_allowed: bool) {
        let counters = self.counters();
        let counter = if is_allowed { &counters.allowed } else { &counters.exceeded };
        counter.increment(1);
    }

    pub(crate) fn answered(&self, answer: &Answer) {
        let counters = self.counters();
        let counter = match answer {
            Err(_) => &counters.error,
            Ok(decision) => match (decision.is_degraded(), decision.is_allowed()) {
                (false, true) => &counters.allowed,
                (false, false) => &counters.exceeded,
                (true, true) => &counters.degraded_allowed,
                (true, false) => &counters.degraded_exceeded,
            },
        };
        counter.increment(1);
    }

    #[inline]
    fn counters(&self) -> &Counters {
        self.0.counters.get_or_init(|| self.0.find())
    }
}

impl Counted {
    #[cold]
    fn find(&self) -> Counters {
        let of = bounded(&self.of);
        let one = |outcome: &'static str| counter!(names::DECISIONS, "storage" => self.storage, "of" => of.clone(), "outcome" => outcome);
        Counters {
            allowed: one("allowed"),
            exceeded: one("exceeded"),
            degraded_allowed: one("degraded_allowed"),
            degraded_exceeded: one("degraded_exceeded"),
            error: one("error"),
        }
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tally").field(&self.0.of).finish()
    }
}

/// How many decisions wait for a storage.
#[derive(Default)]
pub(crate) struct InFlightGauge(OnceLock<Gauge>);

impl InFlightGauge {
    pub(crate) fn add(&self, storage: &'static str, count: usize) {
        self.gauge(storage).increment(float(count));
    }

    pub(crate) fn subtract(&self, storage: &'static str, count: usize) {
        self.gauge(storage).decrement(float(count));
    }

    fn gauge(&self, storage: &'static str) -> &Gauge {
        self.0.get_or_init(|| gauge!(names::IN_FLIGHT, "storage" => storage))
    }
}

/// The commands that are sent to one server.
#[cfg(feature = "redis")]
#[derive(Default)]
pub(crate) struct Commands(OnceLock<Histogram>);

#[cfg(feature = "redis")]
impl Commands {
    /// One that decides so many at once is sent.
    pub(crate) fn sent(&self, storage: &'static str, decisions: usize) {
        let histogram = || histogram!(names::COMMAND_DECISIONS, "storage" => storage);
        self.0.get_or_init(histogram).record(float(decisions));
    }
}

/// What a deny cache answered.
pub(crate) struct DenyCacheHits(OnceLock<Counter>);

impl DenyCacheHits {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    pub(crate) fn add_one(&self, storage: &'static str) {
        self.0.get_or_init(|| counter!(names::DENY_CACHE_HITS, "storage" => storage)).increment(1);
    }
}

/// A request did not say who is calling.
#[cfg(feature = "http")]
pub(crate) fn unidentified() {
    counter!(names::UNIDENTIFIED).increment(1);
}

/// A request would have been refused, but for shadow mode.
#[cfg(feature = "http")]
pub(crate) fn shadowed() {
    counter!(names::SHADOWED).increment(1);
}

/// The charge of a request could not be given back.
#[cfg(feature = "http")]
pub(crate) fn lost_give_back() {
    counter!(names::LOST_GIVE_BACKS).increment(1);
}

/// There was no room for so many decisions.
pub(crate) fn overloaded(storage: &'static str, count: u64) {
    counter!(names::OVERLOADED, "storage" => storage).increment(count);
}

/// A decision could not be had.
pub(crate) fn undecided(storage: &'static str, kind: StorageErrorKind) {
    counter!(names::UNDECIDED, "storage" => storage, "kind" => kind.name()).increment(1);
}

/// An outage of one limiter or function began or ended.
pub(crate) fn outage(storage: &'static str, of: &str, is_out: bool) {
    let gauge = gauge!(names::OUTAGE, "storage" => storage, "of" => bounded(of));
    // Several limiters may share a label: the gauge says how many of them are out.
    if is_out { gauge.increment(1.0) } else { gauge.decrement(1.0) }
}

/// A circuit breaker's state is another one.
pub(crate) fn breaker(storage: &'static str, state: CircuitState) {
    let (value, to) = match state {
        CircuitState::Closed => (0.0, "closed"),
        CircuitState::HalfOpen => (1.0, "half_open"),
        CircuitState::Open => (2.0, "open"),
    };
    gauge!(names::BREAKER_STATE, "storage" => storage).set(value);
    counter!(names::BREAKER_TRANSITIONS, "storage" => storage, "to" => to).increment(1);
}

/// Units were charged to the storage; those of some keys never will be.
pub(crate) fn reconciled(storage: &'static str, units: u64, dropped: u64) {
    counter!(names::SHARE_UNITS, "storage" => storage).increment(units);
    counter!(names::SHARE_DROPPED, "storage" => storage).increment(dropped);
}

/// So many keys owe.
pub(crate) fn owing(storage: &'static str, keys: usize) {
    gauge!(names::SHARE_OWING, "storage" => storage).set(float(keys));
}

/// Exact below 2^53, which no count of what is in memory reaches.
#[allow(clippy::cast_precision_loss)]
fn float(count: usize) -> f64 {
    count as f64
}
