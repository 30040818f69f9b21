//! A server that decides: memory, as if it were far away.

use std::borrow::Cow;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use limitra::{
    Attempt, Clock, Key, ManualClock, MemoryStorage, Mode, Outcome, Refund, Rule, State, Storage,
    StorageError, StorageErrorKind, Subject,
};
use limitra_tests::{ReferenceRule, ReferenceSubject};

use crate::judge::Judge;
use crate::ledger::{Asked, Ledger};
use crate::network::Network;

pub(crate) struct DecidingServer {
    clock: ManualClock,
    judge: Arc<Judge>,
    ledger: Option<Arc<Ledger>>,
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
    GiveBack(Charge),
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

    fn lent(&self) -> Vec<Subject<'_>> {
        self.subjects
            .iter()
            .map(|(key, rules, cost)| Subject {
                key: Key::from_text(key),
                rules: Cow::Borrowed(rules),
                cost: *cost,
            })
            .collect()
    }

    /// In the reference's words, one by one.
    fn asked(&self, is_charge: bool) -> impl Iterator<Item = Asked> {
        self.subjects.iter().map(move |(key, rules, cost)| Asked {
            subject: ReferenceSubject {
                key: key.clone(),
                rules: rules.iter().map(|rule| ReferenceRule::of(rule.algorithm(), rule.limit())).collect(),
                cost: *cost,
            },
            is_hit: self.mode == Mode::Hit,
            is_charge,
        })
    }

    fn ask(&self, memory: &MemoryStorage) -> Result<Outcome, StorageError> {
        let subjects = self.lent();
        let attempt = Attempt { subjects: &subjects, clock: self.clock, mode: self.mode };
        at_once(memory.decide(&attempt))
    }
}

/// A charge that is given back, which borrows nothing.
#[derive(Clone)]
struct Charge {
    question: Question,
    receipts: Vec<State>,
}

impl Charge {
    fn give_back(&self, memory: &MemoryStorage) -> Result<bool, StorageError> {
        let subjects = self.question.lent();
        let refund = Refund { subjects: &subjects, receipts: &self.receipts, clock: self.question.clock };
        at_once(memory.give_back(&refund))
    }
}

impl DecidingServer {
    pub(crate) fn new(clock: ManualClock, judge: Arc<Judge>, ledger: Option<Arc<Ledger>>) -> Self {
        let memory = empty(&clock);
        Self { clock, judge, ledger, state: Mutex::new((memory, Vec::new())) }
    }

    fn decide(&self, act: u64, at: u64, mut question: Question, by: By) -> Result<Outcome, StorageError> {
        let mut state = self.state.lock().unwrap();
        let answer = question.ask(&state.0);
        if let Ok(outcome) = &answer {
            let (now, is_allowed) = (outcome.now.get(), outcome.is_allowed());
            match &self.ledger {
                Some(ledger) => {
                    for asked in question.asked(by.is_charge) {
                        ledger.decided(act, by.node, asked, now, is_allowed);
                    }
                }
                None => self.judge.read(act, now),
            }
            if question.mode == Mode::Hit {
                if self.ledger.is_none() {
                    let keys = question.subjects.iter().map(|(key, ..)| key.clone()).collect();
                    self.judge.changed(act, keys, Some(is_allowed));
                }
                question.clock = Clock::At(outcome.now);
                state.1.push(Change { at, kind: ChangeKind::Hit(question) });
            }
        }
        answer
    }

    fn clear(&self, at: u64, key: String) {
        let mut state = self.state.lock().unwrap();
        at_once(state.0.clear(Key::from_text(&key))).unwrap();
        match &self.ledger {
            Some(ledger) => ledger.cleared(&key),
            None => self.judge.cleared(&key),
        }
        state.1.push(Change { at, kind: ChangeKind::Clear(key) });
    }

    fn give_back(&self, act: u64, at: u64, mut charge: Charge, of: u64) -> Result<bool, StorageError> {
        let mut state = self.state.lock().unwrap();
        let answer = charge.give_back(&state.0);
        if let (Some(ledger), Ok(is_changed)) = (&self.ledger, &answer) {
            for (key, ..) in &charge.question.subjects {
                ledger.gave_back(act, of, key, *is_changed);
            }
        }
        charge.question.clock = Clock::At(self.clock.now());
        state.1.push(Change { at, kind: ChangeKind::GiveBack(charge) });
        answer
    }

    /// Comes back as it was at this time.
    pub(crate) fn lose(&self, after: u64) {
        let mut state = self.state.lock().unwrap();
        match &self.ledger {
            Some(ledger) => ledger.lost(after),
            None => self.judge.lost(after),
        }
        state.1.retain(|change| change.at <= after);
        state.0 = empty(&self.clock);
        for change in &state.1 {
            match &change.kind {
                ChangeKind::Hit(question) => drop(question.ask(&state.0)),
                ChangeKind::GiveBack(charge) => drop(charge.give_back(&state.0)),
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

/// Who asks, and what for.
#[derive(Clone, Copy)]
struct By {
    node: usize,
    is_charge: bool,
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
        let by = By { node: self.node, is_charge: false };
        let work = move |act| server.decide(act, times.now(), question, by);
        self.network.call(self.node, is_write, work).await.map_err(|kind| error(kind, "decide"))?
    }

    /// All in one message.
    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        let questions: Vec<Question> = attempts.iter().map(Question::of).collect();
        let is_write = attempts.iter().any(|attempt| attempt.mode == Mode::Hit);
        let act = self.network.crowd.act();
        let ledger = self.network.ledger.as_ref();
        let is_charge = is_write && ledger.is_some_and(|ledger| ledger.is_charge(act, attempts));
        let by = By { node: self.node, is_charge };
        let (server, times) = (Arc::clone(&self.server), Arc::clone(&self.network.times));
        let work = move |act| {
            let answers = questions.into_iter().map(|question| server.decide(act, times.now(), question, by));
            answers.collect()
        };
        let answers = self.network.call(self.node, is_write, work).await;
        if let (Some(ledger), Ok(_), false) = (&self.network.ledger, &answers, is_write) {
            ledger.looked(act);
        }
        answers.unwrap_or_else(|kind| attempts.iter().map(|_| Err(error(kind, "decide"))).collect())
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        let attempt = Attempt { subjects: refund.subjects, clock: refund.clock, mode: Mode::Hit };
        let charge = Charge { question: Question::of(&attempt), receipts: refund.receipts.to_vec() };
        let of = self.network.judge.gives_back(self.network.crowd.act());
        let (server, times) = (Arc::clone(&self.server), Arc::clone(&self.network.times));
        let work = move |act| server.give_back(act, times.now(), charge, of);
        self.network.call(self.node, true, work).await.map_err(|kind| error(kind, "give back"))?
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
