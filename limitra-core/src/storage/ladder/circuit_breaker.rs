//! A layer over a storage: what fails again and again is left alone for a while.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;

use super::breaker::Breaker;
use super::circuit::{Circuit, CircuitState, Closed, Entry, Opened, Pass};
use crate::attempt::{Attempt, Outcome};
use crate::clock::ManualClock;
use crate::error::{ConfigurationError, StorageError, StorageErrorKind};
use crate::key::Key;
use crate::measured;
use crate::outage::{Event, Telemetry};
use crate::refund::Refund;
use crate::storage::{AnyStorage, Bounds, Storage};
use crate::time::Micros;

/// A circuit breaker over any storage: after failures callers are told at once, and single probes find out when it is back.
///
/// After [`Breaker::failures`] failures one after the other it opens: for [`Breaker::pause`] every decision is a
/// [`StorageErrorKind::CircuitOpen`], without a command. Then one decision goes through as a probe, and all others are
/// still told at once. If the storage answers, the circuit closes; if not, the pause doubles. A probe that is dropped leaves its
/// place to the next.
///
/// A failure is silence ([`StorageError::is_silence`]): no connection, a lost one, no answer in time. What a server
/// answers trips nothing: a script that it does not know, a slot that moved, data that it still loads, a refusal. Several decisions at once count
/// as one. [`Storage::ping`] and [`Storage::reset`] pass through and count for nothing.
///
/// Costs two reads of a clock and of a word shared by all callers, which is written only when something fails. Clones share it.
///
/// ```
/// use limitra_core::{Breaker, CircuitBreaker, CircuitState, MemoryStorage, RateLimiter};
///
/// // In place of memory: a storage on a server.
/// let breaker = CircuitBreaker::over(MemoryStorage::new(), Breaker::new().failures(3))?;
/// let limiter = RateLimiter::builder().requests(10).window(60).storage(&breaker).build()?;
/// assert_eq!(breaker.state(), CircuitState::Closed);
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct CircuitBreaker {
    shared: Arc<Shared>,
}

struct Shared {
    storage: Arc<dyn Storage>,
    circuit: Circuit,
    time: Time,
    telemetry: Telemetry,
    opened: AtomicU64,
    refused: AtomicU64,
}

/// What time it is, since the layer was made; it never goes back.
enum Time {
    Own(Instant),
    Manual(ManualClock, Micros),
}

impl CircuitBreaker {
    /// A breaker over this storage. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the number of failures is 0 or above 16,383, or the pause is zero.
    pub fn over(storage: impl Into<AnyStorage>, breaker: Breaker) -> Result<Self, ConfigurationError> {
        Self::new(storage.into(), breaker, Time::Own(Instant::now()), Telemetry::default())
    }

    /// The same by a clock that a test sets: pauses are over when it says so.
    ///
    /// # Errors
    /// As [`CircuitBreaker::over`].
    pub fn with_clock(
        storage: impl Into<AnyStorage>,
        breaker: Breaker,
        clock: ManualClock,
    ) -> Result<Self, ConfigurationError> {
        let started = clock.now();
        Self::new(storage.into(), breaker, Time::Manual(clock, started), Telemetry::default())
    }

    /// Calls this with every [`Event`] of this layer, whichever clone meets it; instead of what was said before.
    /// See [`LimitraConfig::on_event`](crate::LimitraConfig::on_event).
    pub fn on_event(self, hook: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.shared.telemetry.listen(hook);
        self
    }

    /// The same, telling what happens.
    pub(crate) fn telling(
        storage: AnyStorage,
        breaker: Breaker,
        telemetry: Telemetry,
    ) -> Result<Self, ConfigurationError> {
        Self::new(storage, breaker, Time::Own(Instant::now()), telemetry)
    }

    #[allow(clippy::needless_pass_by_value)] // As it was given.
    fn new(
        storage: AnyStorage,
        breaker: Breaker,
        time: Time,
        telemetry: Telemetry,
    ) -> Result<Self, ConfigurationError> {
        breaker.check()?;
        let (pause, longest) =
            (Micros::from_duration(breaker.pause), Micros::from_duration(breaker.longest_pause));
        let shared = Shared {
            storage: storage.shared(),
            circuit: Circuit::new(breaker.failures, pause, longest),
            time,
            telemetry,
            opened: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What it does with the next question.
    pub fn state(&self) -> CircuitState {
        self.shared.circuit.state()
    }

    /// How often it opened, probes that failed not counted.
    pub fn opened(&self) -> u64 {
        self.shared.opened.load(Ordering::Relaxed)
    }

    /// How many questions it answered without asking the storage; several at once count as one.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// The right to ask, if the storage is asked.
    fn enter(&self, operation: &'static str) -> Result<Passing<'_>, StorageError> {
        let shared = &*self.shared;
        let pass = match shared.circuit.enter(shared.now()) {
            Entry::Ask(pass) => pass,
            Entry::Probe(pass) => {
                measured::breaker(shared.storage.name(), CircuitState::HalfOpen);
                shared.telemetry.tell(&Event::BreakerHalfOpen { storage: shared.storage.name() });
                pass
            }
            Entry::Refused => {
                shared.refused.fetch_add(1, Ordering::Relaxed);
                let storage = shared.storage.name();
                return Err(StorageError::new(StorageErrorKind::CircuitOpen, storage, operation));
            }
        };
        Ok(Passing { shared, pass: Some(pass) })
    }
}

impl Shared {
    fn now(&self) -> Micros {
        match &self.time {
            Time::Own(started) => Micros::from_duration(started.elapsed()),
            Time::Manual(clock, started) => clock.now().minus(*started),
        }
    }

    /// What becomes of the question says nothing of the storage.
    fn give_up(&self, pass: Pass) {
        self.circuit.gave_up(pass, self.now());
        if pass.is_probe() {
            measured::breaker(self.storage.name(), CircuitState::Open);
        }
    }
}

/// A question under way.
struct Passing<'a> {
    shared: &'a Shared,
    pass: Option<Pass>,
}

impl Passing<'_> {
    /// Takes in what came of it.
    fn end(mut self, error: Option<&StorageError>) {
        let Some(pass) = self.pass.take() else { return };
        let (shared, storage) = (self.shared, self.shared.storage.name());
        match error {
            Some(error) if error.is_silence() => {
                let Some(Opened(pause)) = shared.circuit.failed(pass, shared.now()) else { return };
                if !pass.is_probe() {
                    shared.opened.fetch_add(1, Ordering::Relaxed);
                }
                measured::breaker(storage, CircuitState::Open);
                let (kind, pause) = (error.kind(), pause.to_duration());
                shared.telemetry.tell(&Event::BreakerOpened { storage, kind, pause });
            }
            // Nobody was asked, so this says nothing.
            Some(error) if error.was_not_asked() => shared.give_up(pass),
            _ => {
                if let Some(Closed) = shared.circuit.succeeded(pass) {
                    measured::breaker(storage, CircuitState::Closed);
                    shared.telemetry.tell(&Event::BreakerClosed { storage });
                }
            }
        }
    }
}

impl Drop for Passing<'_> {
    /// Nobody waits for the answer any more.
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.shared.give_up(pass);
        }
    }
}

#[async_trait]
impl Storage for CircuitBreaker {
    fn name(&self) -> &'static str {
        self.shared.storage.name()
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let passing = self.enter("decide")?;
        let answer = self.shared.storage.decide(attempt).await;
        passing.end(answer.as_ref().err());
        answer
    }

    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        if attempts.is_empty() {
            return Vec::new();
        }
        let passing = match self.enter("decide") {
            Ok(passing) => passing,
            Err(error) => return attempts.iter().map(|_| Err(error.clone())).collect(),
        };
        let answers = self.shared.storage.decide_many(attempts).await;
        // One answer is enough to know that it is there.
        let is_silent = |answer: &Result<Outcome, StorageError>| {
            answer.as_ref().is_err_and(|error| error.is_silence() || error.was_not_asked())
        };
        let silence =
            answers.iter().all(is_silent).then(|| answers.iter().find_map(|answer| answer.as_ref().err()));
        passing.end(silence.flatten());
        answers
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        let passing = self.enter("give back")?;
        let answer = self.shared.storage.give_back(refund).await;
        passing.end(answer.as_ref().err());
        answer
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        let passing = self.enter("clear")?;
        let answer = self.shared.storage.clear(key).await;
        passing.end(answer.as_ref().err());
        answer
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.shared.storage.ping().await
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        self.shared.storage.reset().await
    }

    fn suspect(&self, since: Instant) {
        self.shared.storage.suspect(since);
    }

    fn bounds(&self) -> Bounds {
        self.shared.storage.bounds()
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("storage", &self.shared.storage)
            .field("state", &self.state())
            .field("opened", &self.opened())
            .finish_non_exhaustive()
    }
}

impl From<CircuitBreaker> for AnyStorage {
    fn from(breaker: CircuitBreaker) -> Self {
        Self::from(Arc::new(breaker))
    }
}

impl From<&CircuitBreaker> for AnyStorage {
    fn from(breaker: &CircuitBreaker) -> Self {
        breaker.clone().into()
    }
}
