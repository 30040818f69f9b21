//! A storage over a register.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use smallvec::SmallVec;

use super::chains::{Chain, chains};
use super::lanes::{Lanes, Turns};
use super::{Register, Stored, Swap};
use crate::attempt::{Attempt, Mode, Outcome};
use crate::error::{ConcurrentUpdateError, ConfigurationError, StorageError, StorageErrorKind};
use crate::key::Key;
use crate::record::Record;
use crate::refund::Refund;
use crate::storage::pause::Pause;
use crate::storage::{AnyStorage, Bounds, Storage};
use crate::time::{Clock, Micros};

/// How often a decision is tried by default.
const MAX_RETRIES: u32 = 64;
/// How much longer than it is of use a record is kept, so that clocks that differ do not lose it.
const MARGIN: Duration = Duration::from_secs(60);

/// A storage over a [`Register`]: loads a record, decides, and swaps it if nobody changed it meanwhile.
///
/// A decision costs one load, and one swap if something is to be written: two round trips for an allowed hit, one for a
/// refused hit or a test. If another process was faster it is tried again after a short random pause, 64
/// times by default; then it is a [`ConcurrentUpdateError`]. Decisions of one process on one key wait in
/// a queue, so only processes contend. If the one in front cannot reach the register, those behind it do not wait for the same
/// again: they fail with it.
///
/// Many that are asked at once ([`Storage::decide_many`]) are under way at once, those on one key one after the other.
///
/// The whole record travels, so [`Register::bounds`] should say how large one may be: a moving window takes 16 bytes
/// for each unit of its amount.
#[derive(Clone)]
pub struct RegisterStorage {
    inner: Arc<Inner>,
    max_retries: u32,
    /// Where the next decision's pauses come from, if not from the operating system.
    seed: Option<Arc<AtomicU64>>,
}

/// The records that are decided on, and which they were.
#[derive(Default)]
struct Loaded {
    records: SmallVec<[Record; 1]>,
    versions: SmallVec<[Option<u64>; 1]>,
}

/// What is made of them.
struct Changes<T> {
    /// For each record whether it has to be written.
    changed: SmallVec<[bool; 1]>,
    found: T,
}

struct Inner {
    register: Box<dyn Register>,
    lanes: Lanes,
}

impl RegisterStorage {
    /// A storage over this register.
    pub fn new(register: impl Register) -> Self {
        let inner = Inner { register: Box::new(register), lanes: Lanes::default() };
        Self { inner: Arc::new(inner), max_retries: MAX_RETRIES, seed: None }
    }

    /// The same with another bound on how often a decision is tried; default 64.
    ///
    /// # Errors
    /// [`ConfigurationError`] if that is 0.
    pub fn max_retries(mut self, max_retries: u32) -> Result<Self, ConfigurationError> {
        if max_retries == 0 {
            return Err(ConfigurationError::ZeroRetries);
        }
        self.max_retries = max_retries;
        Ok(self)
    }

    /// The same with pauses that come from this seed, for a simulation that is to be repeated. By default the operating
    /// system's randomness draws them: processes that draw alike go on meeting each other.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(Arc::new(AtomicU64::new(seed)));
        self
    }

    /// Decides on these places, one after the other. Where one gets no answer, those behind it do not wait for the same again.
    async fn decide_chain(
        &self,
        attempts: &[Attempt<'_>],
        chain: Chain,
    ) -> Vec<(usize, Result<Outcome, StorageError>)> {
        let mut outcomes = Vec::with_capacity(chain.len());
        let mut is_away = false;
        for place in chain {
            let outcome = match attempts.get(place) {
                Some(_) if is_away => Err(no_answer_in_front(self.name())),
                Some(attempt) => self.decide(attempt).await,
                None => continue,
            };
            is_away |= outcome.as_ref().is_err_and(is_without_answer);
            outcomes.push((place, outcome));
        }
        outcomes
    }

    async fn decide_queued(&self, attempt: &Attempt<'_>, keys: &[Key<'_>]) -> Result<Outcome, StorageError> {
        let turns = match attempt.mode {
            Mode::Hit => Some(self.inner.lanes.turns(keys, self.name()).await?),
            Mode::Peek => None,
        };
        let decide = |records: &mut [Record], now| {
            let decided = attempt.decide(records, now)?;
            Ok(Changes { changed: decided.changed, found: decided.outcome })
        };
        passed_on(self.change(keys, attempt.clock, "decide", decide).await, turns)
    }

    async fn give_back_queued(&self, refund: &Refund<'_>, keys: &[Key<'_>]) -> Result<bool, StorageError> {
        let turns = self.inner.lanes.turns(keys, self.name()).await?;
        let undo = |records: &mut [Record], now| {
            let changed = refund.apply(records, now);
            let found = changed.contains(&true);
            Ok(Changes { changed, found })
        };
        passed_on(self.change(keys, refund.clock, "give back", undo).await, Some(turns))
    }

    /// Loads the records, changes them and swaps them, until nobody was faster.
    async fn change<T>(
        &self,
        keys: &[Key<'_>],
        clock: Clock,
        operation: &'static str,
        work: impl Fn(&mut [Record], Micros) -> Result<Changes<T>, StorageErrorKind>,
    ) -> Result<T, StorageError> {
        let error = |kind| StorageError::new(kind, self.name(), operation);
        let next = |seed: &Arc<AtomicU64>| seed.fetch_add(1, Ordering::Relaxed);
        let mut pause = Pause::seeded(self.seed.as_ref().map(next));
        for earlier in 0..self.max_retries {
            if earlier > 0 {
                pause.wait().await;
            }
            let snapshot = self.inner.register.load(keys).await?;
            let read = read(snapshot.values, keys.len());
            let Loaded { mut records, versions } = read.map_err(error)?;
            let now = match (clock, snapshot.now) {
                (Clock::At(instant), _) | (Clock::Storage, Some(instant)) => instant,
                (Clock::Storage, None) => Micros::from_system_time(SystemTime::now()),
            };
            let Changes { changed, found } = work(&mut records, now).map_err(error)?;
            let to_keep = records.iter().zip(&versions).zip(keys).zip(&changed);
            let to_keep = to_keep.filter(|(_, changed)| **changed);
            let to_keep: SmallVec<[_; 1]> =
                to_keep.map(|(((record, version), key), _)| (record, *version, *key)).collect();
            if self.keep(&to_keep, now, operation).await? {
                return Ok(found);
            }
        }
        let key = keys.first().map(|key| key.text().into_owned()).unwrap_or_default();
        let contention = ConcurrentUpdateError { key, attempts: self.max_retries };
        Err(error(StorageErrorKind::ConcurrentUpdate).with_source(contention))
    }

    /// Swaps what changed; whether nobody else was faster.
    async fn keep(
        &self,
        changed: &[(&Record, Option<u64>, Key<'_>)],
        now: Micros,
        operation: &'static str,
    ) -> Result<bool, StorageError> {
        let bytes: SmallVec<[Vec<u8>; 1]> = changed.iter().map(|(record, ..)| record.to_bytes()).collect();
        if bytes.is_empty() {
            return Ok(true);
        }
        let most = self.inner.register.bounds().record_bytes;
        if bytes.iter().any(|bytes| bytes.len() > most) {
            return Err(StorageError::new(StorageErrorKind::Full, self.name(), operation));
        }
        let swaps: SmallVec<[Swap<'_>; 1]> = changed
            .iter()
            .zip(&bytes)
            .map(|((record, expected, key), bytes)| {
                let left = record.until().minus(now).to_duration();
                Swap { key: *key, expected: *expected, bytes, keep: left + MARGIN }
            })
            .collect();
        self.inner.register.swap(&swaps).await
    }

    fn error(&self, kind: StorageErrorKind) -> StorageError {
        StorageError::new(kind, self.name(), "decide")
    }
}

#[async_trait]
impl Storage for RegisterStorage {
    fn name(&self) -> &'static str {
        self.inner.register.name()
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let keys: SmallVec<[Key<'_>; 1]> = attempt.subjects.iter().map(|subject| subject.key).collect();
        if keys.len() > self.bounds().subjects {
            return Err(self.error(StorageErrorKind::Unsupported));
        }
        self.decide_queued(attempt, &keys).await
    }

    /// As many at once as there are different keys; those on one key in their order.
    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        let chains = chains(attempts).into_iter();
        let mut running: FuturesUnordered<_> =
            chains.map(|chain| self.decide_chain(attempts, chain)).collect();
        // Each place is in one of the chains.
        let mut outcomes: Vec<_> =
            attempts.iter().map(|_| Err(self.error(StorageErrorKind::Malformed))).collect();
        while let Some(decided) = running.next().await {
            for (place, found) in decided {
                if let Some(outcome) = outcomes.get_mut(place) {
                    *outcome = found;
                }
            }
        }
        outcomes
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        let keys: SmallVec<[Key<'_>; 1]> = refund.subjects.iter().map(|subject| subject.key).collect();
        if keys.len() > self.bounds().subjects {
            return Err(StorageError::new(StorageErrorKind::Unsupported, self.name(), "give back"));
        }
        self.give_back_queued(refund, &keys).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.inner.register.delete(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.inner.register.ping().await
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        self.inner.register.reset().await
    }

    fn suspect(&self, since: Instant) {
        self.inner.register.suspect(since);
    }

    fn bounds(&self) -> Bounds {
        self.inner.register.bounds()
    }
}

impl fmt::Debug for RegisterStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterStorage")
            .field("register", &self.inner.register)
            .field("max_retries", &self.max_retries)
            .finish_non_exhaustive()
    }
}

impl From<RegisterStorage> for AnyStorage {
    fn from(storage: RegisterStorage) -> Self {
        Self::from(Arc::new(storage))
    }
}

impl From<&RegisterStorage> for AnyStorage {
    fn from(storage: &RegisterStorage) -> Self {
        storage.clone().into()
    }
}

fn read(values: Vec<Option<Stored>>, count: usize) -> Result<Loaded, StorageErrorKind> {
    if values.len() != count {
        return Err(StorageErrorKind::Malformed);
    }
    let mut loaded = Loaded::default();
    for value in values {
        loaded.versions.push(value.as_ref().map(|stored| stored.version));
        loaded.records.push(value.map_or(Ok(Record::default()), |stored| Record::from_bytes(&stored.bytes))?);
    }
    Ok(loaded)
}

/// The same answer. Where there is none, those who stand behind fail with it.
fn passed_on<T>(answer: Result<T, StorageError>, turns: Option<Turns<'_>>) -> Result<T, StorageError> {
    if let (Err(error), Some(turns)) = (&answer, turns)
        && is_without_answer(error)
    {
        turns.fail();
    }
    answer
}

/// Whether nobody knows more after this failure than before it.
fn is_without_answer(error: &StorageError) -> bool {
    matches!(error.kind(), StorageErrorKind::Timeout | StorageErrorKind::Unavailable)
}

/// What those are told who stood behind one that got no answer.
pub(super) fn no_answer_in_front(storage: &'static str) -> StorageError {
    StorageError::new(StorageErrorKind::Unavailable, storage, "decide")
        .with_source("the decision in front of this one got no answer")
}
