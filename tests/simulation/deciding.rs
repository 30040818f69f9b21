//! A server that decides: memory, as if it were far away.

use std::borrow::Cow;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use limitra::{
    Attempt, Clock, Key, ManualClock, MemoryStorage, Mode, Outcome, Rule, Storage, StorageError,
    StorageErrorKind, Subject,
};

use crate::judge::Judge;
use crate::network::Network;

pub(crate) struct DecidingServer {
    clock: ManualClock,
    judge: Arc<Judge>,
    state: Mutex<(MemoryStorage, Vec<Change>)>,
}

/// What may have to be done once more, where a replica that lags takes over.
#[derive(Clone)]
struct Change {
    at: u64,
    kind: ChangeKind,
}

#[derive(Clone)]
enum ChangeKind {
    Hit(Question),
    Clear(String),
}

/// An attempt that borrows nothing.
#[derive(Clone)]
struct Question {
    subjects: Vec<(String, Vec<Rule>, u64)>,
    clock: Clock,
    mode: Mode,
}

impl Question {
    fn of(attempt: &Attempt<'_>) -> Self {
        let owned =
            |subject: &Subject<'_>| (subject.key.text().into_owned(), subject.rules.to_vec(), subject.cost);
        let subjects = attempt.subjects.iter().map(owned).collect();
        Self { subjects, clock: attempt.clock, mode: attempt.mode }
    }

    fn ask(&self, memory: &MemoryStorage) -> Result<Outcome, StorageError> {
        let subjects: Vec<Subject<'_>> = self
            .subjects
            .iter()
            .map(|(key, rules, cost)| Subject {
                key: Key::from_text(key),
                rules: Cow::Borrowed(rules),
                cost: *cost,
            })
            .collect();
        let attempt = Attempt { subjects: &subjects, clock: self.clock, mode: self.mode };
        at_once(memory.decide(&attempt))
    }
}

impl DecidingServer {
    pub(crate) fn new(clock: ManualClock, judge: Arc<Judge>) -> Self {
        let memory = empty(&clock);
        Self { clock, judge, state: Mutex::new((memory, Vec::new())) }
    }

    fn decide(&self, act: u64, at: u64, mut question: Question) -> Result<Outcome, StorageError> {
        let mut state = self.state.lock().unwrap();
        let answer = question.ask(&state.0);
        if let Ok(outcome) = &answer {
            self.judge.read(act, outcome.now.get());
            if question.mode == Mode::Hit {
                let keys = question.subjects.iter().map(|(key, ..)| key.clone()).collect();
                self.judge.changed(act, keys, Some(outcome.is_allowed()));
                question.clock = Clock::At(outcome.now);
                state.1.push(Change { at, kind: ChangeKind::Hit(question) });
            }
        }
        answer
    }

    fn clear(&self, at: u64, key: String) {
        let mut state = self.state.lock().unwrap();
        at_once(state.0.clear(Key::from_text(&key))).unwrap();
        self.judge.cleared(&key);
        state.1.push(Change { at, kind: ChangeKind::Clear(key) });
    }

    /// Comes back as it was at this time.
    pub(crate) fn lose(&self, after: u64) {
        let mut state = self.state.lock().unwrap();
        self.judge.lost(after);
        state.1.retain(|change| change.at <= after);
        state.0 = empty(&self.clock);
        for change in &state.1 {
            match &change.kind {
                ChangeKind::Hit(question) => drop(question.ask(&state.0)),
                ChangeKind::Clear(key) => at_once(state.0.clear(Key::from_text(key))).unwrap(),
            }
        }
    }
}

fn empty(clock: &ManualClock) -> MemoryStorage {
    MemoryStorage::builder().clock(clock.clone()).build().unwrap()
}

/// Memory never makes anybody wait.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("memory made somebody wait"),
    }
}

/// One node's way to the server.
pub(crate) struct DecidingClient {
    pub(crate) node: usize,
    pub(crate) network: Arc<Network>,
    pub(crate) server: Arc<DecidingServer>,
}

#[async_trait]
impl Storage for DecidingClient {
    fn name(&self) -> &'static str {
        "simulated"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let question = Question::of(attempt);
        let (server, times) = (Arc::clone(&self.server), Arc::clone(&self.network.times));
        let is_write = attempt.mode == Mode::Hit;
        let work = move |act| server.decide(act, times.now(), question);
        self.network.call(self.node, is_write, work).await.map_err(|kind| error(kind, "decide"))?
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        let key = key.text().into_owned();
        let (server, times) = (Arc::clone(&self.server), Arc::clone(&self.network.times));
        let work = move |_| server.clear(times.now(), key);
        self.network.call(self.node, true, work).await.map_err(|kind| error(kind, "clear"))
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.network.call(self.node, false, |_| ()).await.map_err(|kind| error(kind, "ping"))
    }
}

impl fmt::Debug for DecidingClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecidingClient({})", self.node)
    }
}

pub(crate) fn error(kind: StorageErrorKind, operation: &'static str) -> StorageError {
    StorageError::new(kind, "simulated", operation)
}
